package console

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/console/accounts"
	"ironfeet/store"
)

// Figures are the county in numbers, by village, as of a moment.
type Figures struct {
	At       time.Time
	Villages []Village
	Pending  []Pending // accepted visits that nobody has decided, by village and household
	Days     map[string]map[string]int
	Category map[string]map[string]int // village -> category -> households
}

// A Village in numbers.
type Village struct {
	Code, Name                                                       string
	Households, Open, Overdue, Signed, Accepted, Returned, Undecided int
	Verified                                                         int // households with an accepted visit
	Lat, Lon                                                         float64
	Points                                                           int
}

// Pending is a visit that waits for a determination.
type Pending struct {
	Visit, Household uuid.UUID
	Division         string
	Ended            time.Time
}

// figures keeps the county's numbers in memory. They are made in the background
// and handed out as they last were, so that no page waits for a count.
type figures struct {
	r   *store.Replica
	now func() time.Time

	mu     sync.Mutex
	last   *Figures
	counts [4]int
	busy   bool
	jobs   sync.WaitGroup
	facts  map[uuid.UUID]visitFacts // a signed visit never changes
	names  map[string]string
	words  map[string]codes // of published forms, by form, version and language
}

type visitFacts struct {
	household uuid.UUID
	ended     time.Time
	outcome   string
	lat, lon  float64
	placed    bool
}

// fresh is how old figures may be before they are counted anew.
const fresh = 5 * time.Second

func newFigures(r *store.Replica, now func() time.Time) *figures {
	return &figures{r: r, now: now, facts: map[uuid.UUID]visitFacts{}, names: map[string]string{}, words: map[string]codes{}}
}

func (f *figures) wait() { f.jobs.Wait() }

// stale lets the next asker count anew.
func (f *figures) stale() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last != nil {
		f.last.At = time.Time{}
	}
	f.counts = [4]int{-1}
}

// get hands out the figures; the first time they are counted at once.
func (f *figures) get(ctx context.Context) (*Figures, error) {
	f.mu.Lock()
	last := f.last
	old := last == nil || f.now().Sub(last.At) > fresh
	if last != nil && old && !f.busy {
		if last.At.IsZero() { // something was just done: whoever did it wants to see it
			last = nil
		} else {
			f.busy = true
			f.jobs.Add(1)
			go func() {
				defer f.jobs.Done()
				_, _ = f.count(context.WithoutCancel(ctx)) // the old figures stay; the next asker tries again
			}()
		}
	}
	f.mu.Unlock()
	if last != nil {
		return last, nil
	}
	return f.count(ctx)
}

func (f *figures) count(ctx context.Context) (*Figures, error) {
	defer func() {
		f.mu.Lock()
		f.busy = false
		f.mu.Unlock()
	}()
	var counts [4]int
	for i, kind := range []store.Kind{store.Visit, store.Review, store.Determination, store.Household} {
		n, err := f.r.Count(ctx, store.Query{Kind: kind})
		if err != nil {
			return nil, err
		}
		counts[i] = n
	}
	f.mu.Lock()
	last, same := f.last, f.last != nil && counts == f.counts
	f.mu.Unlock()
	out := &Figures{At: f.now(), Days: map[string]map[string]int{}, Category: map[string]map[string]int{}}
	by := map[string]*Village{}
	village := func(code string) *Village {
		v := by[code]
		if v == nil {
			v = &Village{Code: code}
			by[code] = v
		}
		return v
	}
	households, err := f.r.CountByDivision(ctx, store.Household, "", "")
	if err != nil {
		return nil, err
	}
	for code, n := range households {
		village(code).Households = n
	}
	if err := f.tasks(ctx, village); err != nil {
		return nil, err
	}
	if same {
		for _, v := range last.Villages {
			n := village(v.Code)
			n.Signed, n.Accepted, n.Returned, n.Undecided, n.Verified, n.Lat, n.Lon, n.Points = v.Signed, v.Accepted, v.Returned, v.Undecided, v.Verified, v.Lat, v.Lon, v.Points
		}
		out.Pending, out.Days, out.Category = last.Pending, last.Days, last.Category
	} else if err := f.visits(ctx, out, village); err != nil {
		return nil, err
	}
	for _, v := range by {
		if v.Name, err = f.name(ctx, v.Code); err != nil {
			return nil, err
		}
		out.Villages = append(out.Villages, *v)
	}
	slices.SortFunc(out.Villages, func(a, b Village) int { return cmp.Compare(a.Code, b.Code) })
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.counts = out, counts
	return out, nil
}

func (f *figures) tasks(ctx context.Context, village func(string) *Village) error {
	open, err := f.r.CountByDivision(ctx, store.Task, "", tasks.Open)
	if err != nil {
		return err
	}
	for code, n := range open {
		village(code).Open = n
	}
	late, err := f.r.CountDue(ctx, store.Task, tasks.Open, f.now().Format(time.DateOnly))
	if err != nil {
		return err
	}
	for code, n := range late {
		village(code).Overdue = n
	}
	return nil
}

const countPage = 500

// visits reads every visit once, every review and determination by what changed.
func (f *figures) visits(ctx context.Context, out *Figures, village func(string) *Village) error {
	type newest struct {
		visit    uuid.UUID
		facts    visitFacts
		division string
	}
	best := map[uuid.UUID]newest{} // household -> its newest accepted visit
	var at store.Place
	for {
		list, err := f.r.PageByPlace(ctx, store.Visit, "", "", at, countPage)
		if err != nil {
			return err
		}
		ids := make([]uuid.UUID, len(list))
		for i, e := range list {
			ids[i] = e.ID
			at = store.Place{Division: e.Division, ID: e.ID}
		}
		reviews, err := f.r.Children(ctx, store.Review, ids...)
		if err != nil {
			return err
		}
		of := map[string][]*store.Entity{}
		for _, r := range reviews {
			of[r.Text("parent")] = append(of[r.Text("parent")], r)
		}
		for _, e := range list {
			facts := f.of(e)
			day := facts.ended.Format(time.DateOnly)
			if out.Days[day] == nil {
				out.Days[day] = map[string]int{}
			}
			out.Days[day][e.Division]++
			v := village(e.Division)
			if facts.placed {
				v.Lat, v.Lon, v.Points = v.Lat+facts.lat, v.Lon+facts.lon, v.Points+1
			}
			switch state, _ := review.Newest(of[e.ID.String()]); state {
			case review.Accepted:
				v.Accepted++
				old, ok := best[facts.household]
				if !ok || cmp.Or(old.facts.ended.Compare(facts.ended), cmp.Compare(old.visit.String(), e.ID.String())) < 0 {
					best[facts.household] = newest{e.ID, facts, e.Division}
				}
			case review.Returned:
				v.Returned++
			default:
				v.Signed++
			}
		}
		if len(list) < countPage {
			break
		}
	}
	done := map[string]string{} // visit -> category
	if err := f.determinations(ctx, done); err != nil {
		return err
	}
	for household, n := range best {
		v := village(n.division)
		v.Verified++
		category, ok := done[n.visit.String()]
		switch {
		case ok:
			if out.Category[n.division] == nil {
				out.Category[n.division] = map[string]int{}
			}
			out.Category[n.division][category]++
		case n.facts.outcome == "completed":
			v.Undecided++
			out.Pending = append(out.Pending, Pending{n.visit, household, n.division, n.facts.ended})
		}
	}
	slices.SortFunc(out.Pending, func(a, b Pending) int {
		return cmp.Or(cmp.Compare(a.Division, b.Division), a.Ended.Compare(b.Ended), cmp.Compare(a.Visit.String(), b.Visit.String()))
	})
	return nil
}

// of reads what is counted of a visit; a damaged one counts as nothing but itself.
func (f *figures) of(e *store.Entity) visitFacts {
	f.mu.Lock()
	facts, ok := f.facts[e.ID]
	f.mu.Unlock()
	if ok {
		return facts
	}
	if s, err := visit.FromEntity(e); err == nil {
		facts = visitFacts{household: s.Content.Household, ended: s.EndedAt(), outcome: s.Content.Outcome}
		for _, a := range s.Record.Answers {
			if a.Type != "geopoint" {
				continue
			}
			if parts := strings.Fields(a.Value); len(parts) >= 2 {
				lat, errLat := strconv.ParseFloat(parts[0], 64)
				lon, errLon := strconv.ParseFloat(parts[1], 64)
				facts.lat, facts.lon, facts.placed = lat, lon, errLat == nil && errLon == nil
			}
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.facts[e.ID] = facts
	return facts
}

func (f *figures) determinations(ctx context.Context, done map[string]string) error {
	newest := map[string]store.Clock{}
	var at store.Place
	for {
		list, err := f.r.PageByPlace(ctx, store.Determination, "", "", at, countPage)
		if err != nil {
			return err
		}
		for _, e := range list {
			at = store.Place{Division: e.Division, ID: e.ID}
			if v := e.Text("visit"); newest[v] <= e.Updated {
				newest[v], done[v] = e.Updated, e.Text("category")
			}
		}
		if len(list) < countPage {
			return nil
		}
	}
}

// name is a village's name, as its first household has it.
func (f *figures) name(ctx context.Context, code string) (string, error) {
	f.mu.Lock()
	name, ok := f.names[code]
	f.mu.Unlock()
	if ok {
		return name, nil
	}
	list, err := f.r.PageByPlace(ctx, store.Household, code, "", store.Place{}, 1)
	if err != nil {
		return "", err
	}
	name = code
	if len(list) > 0 && list[0].Text("village") != "" {
		name = list[0].Text("village")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names[code] = name
	return name, nil
}

// seen are the figures of an account's scope.
func (f *Figures) seen(a *accounts.Account) *Figures {
	out := &Figures{At: f.At, Days: map[string]map[string]int{}, Category: map[string]map[string]int{}}
	for _, v := range f.Villages {
		if a.Covers(v.Code) {
			out.Villages = append(out.Villages, v)
		}
	}
	for _, p := range f.Pending {
		if a.Covers(p.Division) {
			out.Pending = append(out.Pending, p)
		}
	}
	for day, villages := range f.Days {
		for code, n := range villages {
			if a.Covers(code) {
				if out.Days[day] == nil {
					out.Days[day] = map[string]int{}
				}
				out.Days[day][code] += n
			}
		}
	}
	for code, categories := range f.Category {
		if a.Covers(code) {
			out.Category[code] = categories
		}
	}
	return out
}

// Sum adds the villages up.
func (f *Figures) Sum() (v Village) {
	for _, x := range f.Villages {
		v.Households += x.Households
		v.Open += x.Open
		v.Overdue += x.Overdue
		v.Signed += x.Signed
		v.Accepted += x.Accepted
		v.Returned += x.Returned
		v.Undecided += x.Undecided
		v.Verified += x.Verified
	}
	return v
}
