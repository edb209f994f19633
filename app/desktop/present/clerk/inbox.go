package clerk

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/checks"
	"ironfeet/app/casework/review"
)

// An Inbox is the list on the screen: all that waits, what of it is shown, and where
// the clerk stands in it. It belongs to one goroutine.
type Inbox struct {
	c      *Clerk
	All    []review.Waiting
	Shown  []int // places in All
	Filter review.Filter
	Counts review.Counts
	At     int // place in Shown
}

// Inbox reads what waits.
func (c *Clerk) Inbox(ctx context.Context) (*Inbox, error) {
	in := &Inbox{c: c}
	return in, in.Load(ctx)
}

// Load reads the inbox anew and keeps filter and place.
func (in *Inbox) Load(ctx context.Context) error {
	list, err := in.c.Desk.Inbox(ctx, in.c.division())
	if err != nil {
		return err
	}
	var stood uuid.UUID
	if w := in.Current(); w != nil {
		stood = w.Visit
	}
	in.All, in.Counts = list, review.Count(list, in.c.Today())
	in.narrow()
	in.Go(stood)
	return nil
}

func (in *Inbox) narrow() {
	today := in.c.Today()
	in.Shown = in.Shown[:0]
	for i := range in.All {
		if in.Filter.Keep(&in.All[i], today) {
			in.Shown = append(in.Shown, i)
		}
	}
	in.At = max(0, min(in.At, len(in.Shown)-1))
}

// Narrow sets the filter.
func (in *Inbox) Narrow(f review.Filter) {
	var stood uuid.UUID
	if w := in.Current(); w != nil {
		stood = w.Visit
	}
	in.Filter = f
	in.narrow()
	in.Go(stood)
}

// Move goes so many lines down, or up, and says whether there was a way to go.
func (in *Inbox) Move(by int) bool {
	to := max(0, min(in.At+by, len(in.Shown)-1))
	moved := to != in.At && len(in.Shown) > 0
	in.At = to
	return moved
}

// Go stands on a visit, if it is shown.
func (in *Inbox) Go(visit uuid.UUID) bool {
	for i, at := range in.Shown {
		if in.All[at].Visit == visit {
			in.At = i
			return true
		}
	}
	return false
}

// Current is the line the clerk stands on, nil if there is none.
func (in *Inbox) Current() *review.Waiting {
	if in.At >= len(in.Shown) {
		return nil
	}
	return &in.All[in.Shown[in.At]]
}

// Behind is the visit behind one in the list that is shown; uuid.Nil at its end.
func (in *Inbox) Behind(visit uuid.UUID) uuid.UUID {
	for i, at := range in.Shown {
		if in.All[at].Visit == visit && i+1 < len(in.Shown) {
			return in.All[in.Shown[i+1]].Visit
		}
	}
	return uuid.Nil
}

// A Mark is a short word beside a line.
type Mark struct {
	Text string
	Tone string // urgent, notice, plain, done
}

// A Line of the inbox, ready to be drawn.
type Line struct {
	Name, Village, Under string
	Deadline             Mark
	Marks                []Mark
}

// Line is the i-th shown line. It is made when it comes into sight: a list of
// thousands costs what a screenful costs.
func (in *Inbox) Line(ctx context.Context, i int) Line {
	w := &in.All[in.Shown[i]]
	c := in.c
	l := Line{Name: cmp.Or(w.Name, "—"), Village: c.Village(ctx, w.Division)}
	l.Under = strings.Join([]string{c.at(w.Ended, "01-02 15:04"), c.Words("outcome", w.Outcome), c.Whos(w.Workers)}, "　")
	text, overdue, near := c.Left(w.Due, w.Sure)
	l.Deadline = Mark{text, "plain"}
	switch {
	case overdue:
		l.Deadline.Tone = "urgent"
	case near:
		l.Deadline.Tone = "notice"
	}
	add := func(is bool, tone, key string, parts ...any) {
		if is {
			l.Marks = append(l.Marks, Mark{c.T(key, parts...), tone})
		}
	}
	add(w.Conflicts > 0, "urgent", "mark_conflict", w.Conflicts)
	add(w.Others > 0, "urgent", "mark_twice", w.Others+1)
	add(w.State == review.Seconded, "notice", "mark_second")
	add(w.State == review.Escalated, "notice", "mark_escalated")
	add(w.Kin && w.State != review.Seconded, "notice", "mark_kin")
	add(w.Grave() > 0, "notice", "mark_hints", w.Grave())
	add(w.Missing > 0, "notice", "mark_missing", w.Missing)
	add(!w.Looked, "plain", "mark_unlooked")
	add(w.Clean(), "done", "mark_clean")
	return l
}

// An Option of a filter.
type Option struct {
	Key, Label string
	Count      int
}

// Options are what an inbox can be narrowed to, by what there is in it.
type Options struct{ Villages, Workers, Forms, Alerts []Option }

// Options lists the filters with their counts.
func (in *Inbox) Options(ctx context.Context) Options {
	c := in.c
	var o Options
	for code, n := range in.Counts.Villages {
		o.Villages = append(o.Villages, Option{code, c.Village(ctx, code), n})
	}
	for p, n := range in.Counts.Workers {
		o.Workers = append(o.Workers, Option{p.String(), c.Who(p), n})
	}
	forms, err := c.S.Forms(ctx)
	for id, n := range in.Counts.Forms {
		label := id
		for _, f := range forms {
			if err == nil && f.ID == id {
				label = f.Title
			}
		}
		o.Forms = append(o.Forms, Option{id, label, n})
	}
	byKey := func(a, b Option) int { return strings.Compare(a.Key, b.Key) }
	slices.SortFunc(o.Villages, byKey)
	slices.SortFunc(o.Forms, byKey)
	slices.SortFunc(o.Workers, func(a, b Option) int { return strings.Compare(a.Label, b.Label) })
	for _, key := range append([]string{review.AlertOverdue, review.AlertConflict, review.AlertTwice, review.AlertSecond, review.AlertMissing}, append(slices.Clone(checks.Codes), review.AlertClean)...) {
		if n := in.Counts.Alerts[key]; n > 0 {
			o.Alerts = append(o.Alerts, Option{key, c.AlertName(key), n})
		}
	}
	return o
}

// AlertName is what a kind of alert is called.
func (c *Clerk) AlertName(key string) string {
	return c.T("alert_" + strings.TrimPrefix(key, "check."))
}

// Look lets the checks look at everything that waits. It may run beside the screen.
func (c *Clerk) Look(ctx context.Context) error { return c.Desk.Look(ctx, c.division()) }

// LookAtPhotos hashes photos that came, so many at a time, and says how many are
// left.
func (c *Clerk) LookAtPhotos(ctx context.Context, most int) (left int, err error) {
	return c.Desk.Album.Refresh(ctx, most)
}

// A Batch is what accepting many at once came to.
type Batch struct {
	Accepted int
	Left     []*review.NotCleanError
}

// AcceptClean accepts every shown line that has nothing to look at twice. What
// turned out otherwise when it was opened is left, with why.
func (in *Inbox) AcceptClean(ctx context.Context) (Batch, error) {
	var b Batch
	rv := in.c.Reviewer()
	for _, at := range in.Shown {
		w := &in.All[at]
		if !w.Clean() {
			continue
		}
		err := rv.AcceptClean(ctx, w)
		var not *review.NotCleanError
		if errors.As(err, &not) {
			b.Left = append(b.Left, not)
			continue
		}
		if err != nil {
			return b, errors.Join(err, in.Load(ctx))
		}
		b.Accepted++
	}
	return b, in.Load(ctx)
}

// CleanShown counts what AcceptClean would accept.
func (in *Inbox) CleanShown() (n int) {
	for _, at := range in.Shown {
		if in.All[at].Clean() {
			n++
		}
	}
	return n
}

// A Done decision that can still be undone, in words.
type Done struct {
	review.Done
	Text string
}

// Undoable lists what this machine decided and has not sent yet, the newest first.
func (c *Clerk) Undoable(ctx context.Context) ([]Done, error) {
	list, err := c.Reviewer().Undoable(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Done, len(list))
	for i, d := range list {
		name := ""
		if card := c.Desk.Box.Get(d.About); card != nil {
			if name, _, _ = c.S.Office.Replica.Label(card.Household); name == "" {
				name = card.Name
			}
		} else if e, err := c.S.Office.Replica.Entity(ctx, d.About); err == nil {
			name = e.Text("name")
		}
		out[i] = Done{d, c.T("undo_line", c.at(d.At, "15:04"), c.Decision(d.Decision), name)}
	}
	return out, nil
}

// Decision is what a decision is called.
func (c *Clerk) Decision(code string) string { return c.T("decision_" + code) }
