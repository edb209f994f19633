package desktop

import (
	"slices"
	"strconv"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/forms"
)

// choose answers by one choice; a second tap on a chosen one takes it back.
func (q *question) choose(name string) {
	n := q.node
	value := present.Toggled(n, name)
	q.view.answer(n.Path, value)
	if n.Type == "select_one" && value != "" && present.Quick(n) {
		q.view.step(1)
	}
}

func chosen(n forms.Node, name string) bool {
	if n.Type == "select_one" {
		return n.Value == name && name != ""
	}
	return slices.Contains(strings.Fields(n.Value), name)
}

// choices are large words to tap.
func (q *question) choices(n forms.Node) fyne.CanvasObject {
	columns := present.Columns(n)
	width := q.view.width
	box := container.New(rowWrap())
	if columns > 0 {
		box = container.New(look.Equal(columns))
		width = width / float32(columns)
	}
	for _, c := range n.Choices {
		t := q.choiceTile(c, chosen(n, c.Name), width)
		if n.ReadOnly {
			t.OnTapped = nil
		}
		box.Add(t)
	}
	return box
}

// likert is one row of equal parts, or a column where a row is too narrow.
func (q *question) likert(n forms.Node) fyne.CanvasObject {
	columns := max(1, len(n.Choices))
	if q.view.width/float32(columns) < 5*q.view.app.settings.Text {
		columns = 1
	}
	box := container.New(look.Equal(columns))
	for _, c := range n.Choices {
		box.Add(q.choiceTile(c, chosen(n, c.Name), q.view.width/float32(columns)-8))
	}
	return box
}

// headings stands above rows of a table of choices; where there is no room for a
// table, the rows say their choices themselves.
func (q *question) headings(n forms.Node) fyne.CanvasObject {
	if !q.tabled(n) {
		return nil
	}
	box := container.New(look.Equal(len(n.Choices)))
	for _, c := range n.Choices {
		size := theme.Size(theme.SizeNameCaptionText)
		style := fyne.TextStyle{Bold: true}
		box.Add(container.NewCenter(look.Lines(look.Break(c.Label, q.view.width/float32(len(n.Choices))-12, size, style), look.Quiet, size, style, fyne.TextAlignCenter)))
	}
	return box
}

// tableRow is a row of such a table.
func (q *question) tableRow(n forms.Node) fyne.CanvasObject {
	if !q.tabled(n) {
		return q.choices(n)
	}
	box := container.New(look.Equal(len(n.Choices)))
	for _, c := range n.Choices {
		mark := "○"
		if n.Type != "select_one" {
			mark = "☐"
		}
		if chosen(n, c.Name) {
			mark = "✓"
		}
		t := look.Choice(mark, false, func() { q.choose(c.Name) })
		t.Chosen = chosen(n, c.Name)
		box.Add(t)
	}
	return box
}

func (q *question) tabled(n forms.Node) bool {
	return len(n.Choices) > 0 && q.view.width/float32(len(n.Choices)) >= 4*q.view.app.settings.Text
}

// rank orders the choices by tapping them, the most important first.
func (q *question) rank(n forms.Node) fyne.CanvasObject {
	order := strings.Fields(n.Value)
	box := container.New(look.Equal(1))
	for _, c := range n.Choices {
		at := slices.Index(order, c.Name)
		label := "○　" + c.Label
		if at >= 0 {
			label = strconv.Itoa(at+1) + ".　" + c.Label
		}
		t := look.ChoiceWithin(label, false, q.view.width, func() { q.view.answer(n.Path, present.Ranked(q.node, c.Name)) })
		t.Chosen = at >= 0
		box.Add(t)
	}
	return container.NewVBox(look.Caption(q.view.app.t("rank_hint")), box)
}

// searched is a list too long to show: what is chosen, and the way to the list.
func (q *question) searched(n forms.Node) fyne.CanvasObject {
	a := q.view.app
	label := a.t("choose")
	if n.Value != "" {
		label = present.Words(n, n.Value)
	}
	size := theme.Size(theme.SizeNameText)
	style := fyne.TextStyle{Bold: n.Value != ""}
	text := look.Lines(look.Break(label, q.view.width-90, size, style), look.Ink, size, style, fyne.TextAlignLeading)
	t := look.NewTile(container.NewBorder(nil, nil, nil, widget.NewIcon(theme.MenuDropDownIcon()), text), func() { q.picker() })
	t.Chosen = n.Value != ""
	return t
}

// picker is the list with a search over it; 50,000 villages scroll as five do.
func (q *question) picker() {
	a, n := q.view.app, q.node
	found := present.Search(n.Choices, "")
	size := a.size()
	search := a.entry(false)
	search.SetPlaceHolder(a.t("choose_search"))
	var pop *widget.PopUp
	list := widget.NewList(
		func() int { return len(found) },
		func() fyne.CanvasObject {
			return container.NewBorder(nil, nil, nil, widget.NewIcon(nil), look.OneLine("", theme.SizeNameText, theme.ColorNameForeground, false))
		},
		func(i widget.ListItemID, o fyne.CanvasObject) {
			row := o.(*fyne.Container)
			text := row.Objects[0].(*widget.RichText)
			segment := text.Segments[0].(*widget.TextSegment)
			is := chosen(q.node, found[i].Name)
			segment.Text, segment.Style.TextStyle.Bold = found[i].Label, is
			text.Refresh()
			row.Objects[1].(*widget.Icon).SetResource(nil)
			if is {
				row.Objects[1].(*widget.Icon).SetResource(theme.ConfirmIcon())
			}
		})
	list.OnSelected = func(i widget.ListItemID) {
		list.UnselectAll()
		q.choose(found[i].Name)
		if node, ok := q.view.fill.Visit.Entry.Node(n.Path); ok {
			q.node = node
		}
		if n.Type == "select_one" {
			pop.Hide()
			return
		}
		list.Refresh()
	}
	search.OnChanged = func(text string) {
		look.Touched()
		found = present.Search(n.Choices, text)
		list.ScrollToTop()
		list.Refresh()
	}
	head := container.NewVBox(look.Sub(firstNonEmpty(n.Label, n.Name)), search)
	shut := look.Big(a.t("ready"), theme.ConfirmIcon(), func() { pop.Hide() })
	pop = widget.NewModalPopUp(container.NewBorder(head, shut, nil, nil, list), a.win.Canvas())
	pop.Resize(fyne.NewSize(min(760, size.Width-24), size.Height-48))
	pop.Show()
	a.win.Canvas().Focus(search)
}
