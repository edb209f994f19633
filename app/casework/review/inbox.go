package review

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/cards"
	"ironfeet/app/casework/checks"
	"ironfeet/app/casework/photos"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// A Waiting is one line of the inbox.
type Waiting struct {
	Visit, Household uuid.UUID
	Division, Name   string // of the household
	Form, Outcome    string
	State            string // signed, seconded, again, escalated
	Started, Ended   time.Time
	Workers          []uuid.UUID
	Due              string // the earliest deadline, YYYY-MM-DD
	DueBy            string // task, review or accepted: whose deadline it is
	Basis            string // of the review's deadline, or the one from the acceptance
	Sure             bool   // the calendar of those days is known
	Others           int    // other signed visits to the same household that are undecided
	Conflicts        int    // open conflicts of the household and its members
	Photos, Missing  int    // photos named, and not here yet
	Kin              bool   // kin of staff: a second reviewer is needed
	Hints            []checks.Hint
	Looked           bool // the checks have looked at it
}

// Grave counts the hints that keep a visit out of a batch.
func (w *Waiting) Grave() (n int) {
	for _, h := range w.Hints {
		if h.Grave {
			n++
		}
	}
	return n
}

// Clean says whether a visit may be accepted with many others at once: the checks
// have looked, and there is nothing that a person should see first.
func (w *Waiting) Clean() bool {
	return w.Looked && w.State == Signed && w.Grave() == 0 && w.Others == 0 && w.Conflicts == 0 && w.Missing == 0 && !w.Kin
}

// A Desk is where an inbox lies: cards, photos' hashes and hints are kept between
// two looks, so that a list of thousands opens at once. It may be used by many at
// once.
type Desk struct {
	Replica *store.Replica
	Box     *cards.Box
	Album   *photos.Album
	Role    trust.Role
	Now     func() time.Time
	Roll    func(context.Context) (*trust.Roll, error) // who works for the county; nil: nobody is known to

	mu       sync.Mutex
	hints    map[uuid.UUID][]checks.Hint
	looked   map[uuid.UUID]bool
	accepted map[uuid.UUID]acceptance // of tasks, as far as Look has come
}

// An acceptance (受理) is what a task's deadlines run from.
type acceptance struct {
	day       time.Time // zero: nobody applied
	procedure string
	read      store.Clock // the state of the task that it was read from
}

// OpenDesk opens the desk as it was left, and makes the cards of what is new.
func OpenDesk(ctx context.Context, r *store.Replica, role trust.Role, now func() time.Time) (*Desk, error) {
	box, err := cards.Open(ctx, r)
	if err != nil {
		return nil, err
	}
	album, err := photos.Open(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Desk{Replica: r, Box: box, Album: album, Role: role, Now: now, hints: map[uuid.UUID][]checks.Hint{}, looked: map[uuid.UUID]bool{}, accepted: map[uuid.UUID]acceptance{}}, nil
}

// Inbox lists the signed visits of a division that wait for this office, by
// deadline, then those with conflicts, then those with grave hints, then age.
// Hints are there as far as Look has come.
func (d *Desk) Inbox(ctx context.Context, division string) ([]Waiting, error) {
	if _, err := d.Box.Refresh(ctx); err != nil {
		return nil, err
	}
	decided, err := decisions(ctx, d.Replica, store.Query{Division: division})
	if err != nil {
		return nil, err
	}
	dues, err := d.taskDues(ctx, division)
	if err != nil {
		return nil, err
	}
	torn, err := d.torn(ctx, division)
	if err != nil {
		return nil, err
	}
	missing, err := d.Replica.MissingBlobs(ctx)
	if err != nil {
		return nil, err
	}
	absent := make(map[store.Digest]bool, len(missing))
	for _, b := range missing {
		absent[b.Digest] = true
	}
	due, err := d.deadline(ctx)
	if err != nil {
		return nil, err
	}
	undecided := map[uuid.UUID][]*cards.Card{}
	var list []Waiting
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.Box.All() {
		if !store.Within(division, c.Division) {
			continue
		}
		state := Signed
		if x, ok := decided[c.Visit]; ok {
			state = x.state
		}
		if state == Accepted || state == Returned {
			continue
		}
		undecided[c.Household] = append(undecided[c.Household], c)
		w := Waiting{
			Visit: c.Visit, Household: c.Household, Division: c.Division, Form: c.Form, Outcome: c.Outcome, State: state,
			Started: c.StartedAt(), Ended: c.EndedAt(), Workers: c.Workers, Conflicts: torn[c.Household], Kin: c.Kin,
			Photos: len(c.Photos), Hints: d.hints[c.Visit], Looked: d.looked[c.Visit],
		}
		if w.Name, _, _ = d.Replica.Label(c.Household); w.Name == "" {
			w.Name = c.Name
		}
		due(&w, dues[c.Task], d.accepted[c.Task])
		for _, p := range c.Photos {
			if absent[p] {
				w.Missing++
			}
		}
		if c.Signature != (store.Digest{}) {
			w.Photos++
			if absent[c.Signature] {
				w.Missing++
			}
		}
		list = append(list, w)
	}
	list = slices.DeleteFunc(list, func(w Waiting) bool {
		switch w.State {
		case Escalated:
			return d.Role != trust.County
		case Again: // until there is something to lay beside it
			return !slices.ContainsFunc(undecided[w.Household], func(c *cards.Card) bool { return c.Visit != w.Visit && c.Ended > w.Ended.UnixMilli() })
		}
		return false
	})
	for i := range list {
		list[i].Others = len(undecided[list[i].Household]) - 1
	}
	slices.SortStableFunc(list, func(a, b Waiting) int {
		return cmp.Or(
			cmp.Compare(a.Due, b.Due),
			cmp.Compare(b.Conflicts+b.Others, a.Conflicts+a.Others),
			cmp.Compare(b.Grave(), a.Grave()),
			a.Ended.Compare(b.Ended), slices.Compare(a.Visit[:], b.Visit[:]))
	})
	return list, nil
}

// taskDues are the due dates of a division's tasks.
func (d *Desk) taskDues(ctx context.Context, division string) (map[uuid.UUID]string, error) {
	rows, err := d.Replica.Rows(ctx, store.Query{Kind: store.Task, Division: division})
	if err != nil {
		return nil, err
	}
	dues := make(map[uuid.UUID]string, len(rows))
	for _, row := range rows {
		dues[row.ID] = row.Due
	}
	return dues, nil
}

// deadline gives lines their earliest deadline: the task's, or so many working
// days after the visit. Where an application was accepted, the task's asked for the
// visit, which was made; what counts then runs from the acceptance.
func (d *Desk) deadline(ctx context.Context) (func(w *Waiting, task string, from acceptance), error) {
	c, err := calendar.Of(ctx, d.Replica)
	if err != nil {
		return nil, err
	}
	rules, err := calendar.RulesOf(ctx, d.Replica)
	if err != nil {
		return nil, err
	}
	rule, ok := rules.Find("*", "review")
	type answer struct {
		day  string
		sure bool
	}
	known := map[string]answer{} // a few days hold thousands of visits
	return func(w *Waiting, task string, from acceptance) {
		w.Due, w.DueBy, w.Sure = task, "task", true
		if !from.day.IsZero() {
			if rule, due, sure, ok := rules.FromAcceptance(c, from.procedure, from.day, true); ok {
				task = due.Format(time.DateOnly)
				w.Due, w.DueBy, w.Sure, w.Basis = task, "accepted", sure, rule.Basis
			}
		}
		if !ok {
			return
		}
		day := w.Ended.Format(time.DateOnly)
		a, seen := known[day]
		if !seen {
			due, sure := rule.Due(c, w.Ended)
			a = answer{due.Format(time.DateOnly), sure}
			known[day] = a
		}
		if task == "" || a.day < task {
			w.Due, w.DueBy, w.Sure, w.Basis = a.day, "review", a.sure, rule.Basis
		}
	}, nil
}

// torn counts the open conflicts of each household.
func (d *Desk) torn(ctx context.Context, division string) (map[uuid.UUID]int, error) {
	conflicts, err := d.Replica.Conflicts(ctx, division)
	if err != nil {
		return nil, err
	}
	torn := map[uuid.UUID]int{}
	for _, c := range conflicts {
		household := c.Entity
		switch c.Kind {
		case store.Household:
		case store.Member:
			e, err := d.Replica.Entity(ctx, c.Entity)
			if err != nil {
				return nil, err
			}
			household, _ = uuid.Parse(e.Text("parent"))
		default:
			continue
		}
		torn[household]++
	}
	return torn, nil
}

// Look lets the checks look at everything that waits in a division, photos as far
// as their hashes are known. It takes a while and may run beside the screen.
func (d *Desk) Look(ctx context.Context, division string) error {
	if _, err := d.Box.Refresh(ctx); err != nil {
		return err
	}
	decided, err := decisions(ctx, d.Replica, store.Query{})
	if err != nil {
		return err
	}
	params, err := checks.ParamsOf(ctx, d.Replica)
	if err != nil {
		return err
	}
	isCounty := func(uuid.UUID) bool { return false }
	if d.Roll != nil {
		roll, err := d.Roll(ctx)
		if err != nil {
			return err
		}
		isCounty = func(person uuid.UUID) bool {
			return slices.ContainsFunc(roll.Person(person), func(c trust.Certificate) bool { return c.Role == trust.County })
		}
	}
	look := checks.Case{
		Cards: d.Box.All(), Album: d.Album, Params: params, Now: d.Now(), Zone: d.Now().Location(), County: isCounty,
		Stands: func(id uuid.UUID) bool { return decided[id].state != Returned },
	}
	var waiting []uuid.UUID
	for _, c := range look.Cards {
		if s := decided[c.Visit].state; s != Accepted && s != Returned && store.Within(division, c.Division) {
			waiting = append(waiting, c.Visit)
		}
	}
	found := look.Look(waiting...)
	if err := d.acceptances(ctx, division, waiting); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	clear(d.looked)
	for _, id := range waiting {
		d.looked[id] = true
	}
	d.hints = found
	return nil
}

// acceptances reads from when the deadlines of waiting visits run. Each task is opened
// once, here beside the screen: an inbox of thousands has no time for it.
func (d *Desk) acceptances(ctx context.Context, division string, waiting []uuid.UUID) error {
	rows, err := d.Replica.Rows(ctx, store.Query{Kind: store.Task, Division: division})
	if err != nil {
		return err
	}
	updated := make(map[uuid.UUID]store.Clock, len(rows))
	for _, row := range rows {
		updated[row.ID] = row.Updated
	}
	for _, id := range waiting {
		c := d.Box.Get(id)
		if c == nil {
			continue
		}
		at, here := updated[c.Task]
		d.mu.Lock()
		known, read := d.accepted[c.Task]
		d.mu.Unlock()
		if !here || read && known.read == at {
			continue
		}
		e, err := d.Replica.Entity(ctx, c.Task)
		if err != nil {
			return err
		}
		a := acceptance{procedure: e.Text("procedure"), read: at}
		if day, err := time.Parse(time.DateOnly, e.Text("accepted")); err == nil {
			a.day = day
		}
		d.mu.Lock()
		d.accepted[c.Task] = a
		d.mu.Unlock()
	}
	return nil
}

// HintsOf are the hints of one visit, whether it waits or not.
func (d *Desk) HintsOf(ctx context.Context, id uuid.UUID) ([]checks.Hint, error) {
	d.mu.Lock()
	looked, hints := d.looked[id], d.hints[id]
	d.mu.Unlock()
	if looked {
		return hints, nil
	}
	c := d.Box.Get(id)
	if c == nil {
		return nil, nil
	}
	if err := d.Look(ctx, c.Division); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hints[id], nil
}

// Inbox is the inbox of a township's replica, without what the checks say.
func Inbox(ctx context.Context, r *store.Replica, division string) ([]Waiting, error) {
	d, err := OpenDesk(ctx, r, trust.Township, nil)
	if err != nil {
		return nil, fmt.Errorf("open the inbox of %s: %w", division, err)
	}
	return d.Inbox(ctx, division)
}

// A Filter narrows an inbox; zero parts keep all.
type Filter struct {
	Division string // a village's code
	Worker   uuid.UUID
	Form     string
	Alert    string // a hint's code, or one of the words below
	Text     string // part of the household's name
}

// What an inbox can be filtered by besides the checks' codes.
const (
	AlertOverdue  = "overdue"
	AlertConflict = "conflict"
	AlertTwice    = "twice"   // others have visited the household too
	AlertMissing  = "missing" // photos have not come yet
	AlertClean    = "clean"   // nothing to look at twice
	AlertSecond   = "second"  // waits for a second reviewer
)

// Alerts are the kinds of alert of a line, as Filter knows them.
func (w *Waiting) Alerts(today string) []string {
	var list []string
	add := func(is bool, word string) {
		if is {
			list = append(list, word)
		}
	}
	add(w.Due != "" && w.Due < today, AlertOverdue)
	add(w.Conflicts > 0, AlertConflict)
	add(w.Others > 0, AlertTwice)
	add(w.Missing > 0, AlertMissing)
	add(w.Kin || w.State == Seconded, AlertSecond)
	for _, h := range w.Hints {
		add(!slices.Contains(list, h.Code), h.Code)
	}
	add(w.Clean(), AlertClean)
	return list
}

// Keep says whether a line passes.
func (f Filter) Keep(w *Waiting, today string) bool {
	return (f.Division == "" || store.Within(f.Division, w.Division)) &&
		(f.Worker == uuid.Nil || slices.Contains(w.Workers, f.Worker)) &&
		(f.Form == "" || f.Form == w.Form) &&
		(f.Text == "" || strings.Contains(w.Name, f.Text)) &&
		(f.Alert == "" || slices.Contains(w.Alerts(today), f.Alert))
}

// Counts are what an inbox holds, always shown.
type Counts struct {
	Waiting, Overdue, Conflicts, Warned, Clean int
	Villages, Forms, Alerts                    map[string]int
	Workers                                    map[uuid.UUID]int
}

// Count counts an inbox.
func Count(list []Waiting, today string) Counts {
	n := Counts{Villages: map[string]int{}, Forms: map[string]int{}, Alerts: map[string]int{}, Workers: map[uuid.UUID]int{}}
	for i := range list {
		w := &list[i]
		n.Waiting++
		n.Villages[w.Division]++
		n.Forms[w.Form]++
		for _, p := range w.Workers {
			n.Workers[p]++
		}
		for _, a := range w.Alerts(today) {
			n.Alerts[a]++
		}
		if w.Grave() > 0 {
			n.Warned++
		}
	}
	n.Overdue, n.Clean = n.Alerts[AlertOverdue], n.Alerts[AlertClean]
	for i := range list {
		if list[i].Conflicts+list[i].Others > 0 {
			n.Conflicts++
		}
	}
	return n
}
