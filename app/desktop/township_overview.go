package desktop

import (
	"fmt"
	"image/color"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"ironfeet/app/casework/overview"
	"ironfeet/app/casework/review"
	"ironfeet/app/desktop/look"
)

// overviewScreen counts the township's work by village and by worker.
func (t *township) overviewScreen() {
	o, err := t.c.Overview(t.ctx)
	if t.fail(err) {
		return
	}
	heads := t.c.OverviewHeads()
	shares := []float32{0.19}
	for range heads[1:] {
		shares = append(shares, 0.81/float32(len(heads)-1))
	}
	table := container.NewVBox(tableRow(shares, heads, true, nil))
	for _, v := range o.Villages {
		cells := []string{v.Name}
		for _, n := range t.c.OverviewRow(v) {
			cells = append(cells, count(n))
		}
		inks := map[int]color.Color{}
		if v.Overdue > 0 {
			inks[3] = look.Alarm
		}
		if v.Unconfirmed > 0 {
			inks[9] = look.Warn
		}
		table.Add(look.NewTile(tableRow(shares, cells, false, inks), func() {
			t.inbox.Narrow(review.Filter{Division: v.Code})
			t.showInbox()
		}))
	}
	total := o.Total
	total.Name = t.say("total")
	table.Add(tableRow(shares, totals(t, total), true, nil))

	workers := container.NewVBox(look.Caption(t.say("worker_hint")))
	few := []float32{0.3, 0.13, 0.13, 0.13, 0.13, 0.18}
	workers.Add(tableRow(few, []string{t.say("col_worker"), t.say("col_visited"), t.say("col_waiting"), t.say("col_returned"), t.say("col_accepted"), t.say("col_last")}, true, nil))
	for _, w := range o.Workers {
		workers.Add(tableRow(few, []string{w.Name, count(w.Visited), count(w.Waiting), count(w.Returned), count(w.Accepted), w.Last.In(t.session.Office.World.Now().Location()).Format(time.DateOnly)}, false, nil))
	}
	export := func() {
		t.pickFolder(func(dir string) {
			path, err := t.c.ExportOverview(t.ctx, dir)
			if !t.fail(err) {
				t.tell(t.say("export"), t.say("exported", path))
			}
		})
	}
	t.show(t.head(t.say("overview"), o.Day, t.inboxScreen, t.overviewScreen, action(t.say("export"), theme.DocumentSaveIcon(), export)),
		scroll(container.NewVBox(look.Bold(t.say("by_village")), look.Box(table), look.Bold(t.say("by_worker")), look.Box(workers))))
}

func totals(t *township, v overview.Village) []string {
	cells := []string{v.Name}
	for _, n := range t.c.OverviewRow(v) {
		cells = append(cells, count(n))
	}
	return cells
}

// count writes a number; a dot where there is nothing, so that the eye finds what
// there is.
func count(n int) string {
	if n == 0 {
		return "·"
	}
	return fmt.Sprint(n)
}

// tableRow is one line of a table: the first cell to the left, the others to the
// right.
func tableRow(shares []float32, cells []string, bold bool, inks map[int]color.Color) fyne.CanvasObject {
	var objects []fyne.CanvasObject
	for i, s := range cells {
		ink := color.Color(look.Ink)
		if bold {
			ink = look.Quiet
		}
		if x := inks[i]; x != nil {
			ink = x
		}
		text := canvas.NewText(s, ink)
		text.TextSize = theme.Size(theme.SizeNameCaptionText)
		text.TextStyle.Bold = bold || inks[i] != nil
		if i > 0 {
			text.Alignment = fyne.TextAlignTrailing
		}
		objects = append(objects, text)
	}
	return container.New(&columns{shares: shares}, objects...)
}
