// Package export writes what leaves the county: tables for other systems by
// templates that a county writes, a dossier of each household on paper (一户一档),
// and the evidence package that proves itself.
//
// Tables and dossiers are masked unless somebody asked for more with a reason and
// a second person agreed (个人信息保护法 Art. 6). Masking happens to what a column's
// formula reads, not to what it yields, so no formula can get around it. Minors
// and what was said about children are in no general export (未成年人网络保护条例
// Art. 36), neighbours' words in none at all.
//
//	Records   what there is, page by page
//	Template  which of it, under which heading, in which code
//	Write     XLSX, CSV, JSON Lines, GeoJSON;  Dossier  PDF;  WriteEvidence  proof
//	Desk      who asked, who agreed, what came out; every step in the audit log
package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/store"
)

// A Record is one household: the registry as it stands, its newest accepted
// visit, and the newest determination of that visit, where there is one.
type Record struct {
	Household     *store.Entity
	Members       []*store.Entity
	Visit         *visit.Signed // nil: not visited, or nothing accepted yet
	Review        *store.Entity
	Determination *store.Entity // nil: not decided yet
}

// Which records are meant.
const (
	OnlyVerified = "verified"   // households with a visit that a township accepted
	Registered   = "registered" // every household of the registry
)

// A Selection says which records.
type Selection struct {
	Division  string    // prefix of the code
	Status    string    // OnlyVerified or Registered
	Household uuid.UUID // only this one
}

// pageOf is how many households are in memory at once.
const pageOf = 400

// Records yields the records of a selection by village and household, page by
// page: memory does not grow with the county.
func Records(ctx context.Context, r *store.Replica, s Selection) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		pages := make(chan []Record, 1)
		var failed error
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		go func() { // one page is read while the one before is written
			defer close(pages)
			failed = readPages(ctx, r, s, pages)
		}()
		for page := range pages {
			for _, rec := range page {
				if !yield(rec, nil) {
					stop()
					for range pages { // until the reader has noticed
					}
					return
				}
			}
		}
		if failed != nil {
			yield(Record{}, failed)
		}
	}
}

func readPages(ctx context.Context, r *store.Replica, s Selection, pages chan<- []Record) error {
	send := func(page []Record) error {
		select {
		case pages <- page:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if s.Household != uuid.Nil {
		h, err := r.Entity(ctx, s.Household)
		if err != nil {
			return fmt.Errorf("read household %s: %w", s.Household, err)
		}
		page, err := complete(ctx, r, []*store.Entity{h}, s.Status)
		if err != nil {
			return err
		}
		return send(page)
	}
	var at store.Place
	way := &makeWay{r: r}
	for {
		if err := way.wait(ctx); err != nil {
			return err
		}
		households, err := r.PageByPlace(ctx, store.Household, s.Division, "", at, pageOf)
		if err != nil || len(households) == 0 {
			return err
		}
		last := households[len(households)-1]
		at = store.Place{Division: last.Division, ID: last.ID}
		page, err := complete(ctx, r, households, s.Status)
		if err == nil {
			err = send(page)
		}
		if err != nil {
			return err
		}
	}
}

// makeWay keeps an export from slowing down what comes in: while somebody else
// writes, it rests five times as long as it works. Only the pace depends on the
// clock, nothing that is written.
type makeWay struct {
	r      *store.Replica
	began  time.Time
	writes uint64
}

func (m *makeWay) wait(ctx context.Context) error {
	now, writes := time.Now(), m.r.Writes()
	if !m.began.IsZero() && writes != m.writes {
		rest := time.NewTimer(min(5*now.Sub(m.began), 2*time.Second))
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	m.began, m.writes = time.Now(), m.r.Writes()
	return nil
}

// complete adds to households what belongs to them.
func complete(ctx context.Context, r *store.Replica, households []*store.Entity, status string) ([]Record, error) {
	households = slices.DeleteFunc(households, func(e *store.Entity) bool { return e.Fields["deleted"].Bool() })
	ids := make([]uuid.UUID, len(households))
	for i, h := range households {
		ids[i] = h.ID
	}
	stands, err := absorbed(ctx, r, ids)
	if err != nil {
		return nil, err
	}
	visits, err := accepted(ctx, r, stands)
	if err != nil {
		return nil, err
	}
	if status != Registered {
		households = slices.DeleteFunc(households, func(e *store.Entity) bool { _, ok := visits[e.ID]; return !ok })
		ids = slices.DeleteFunc(ids, func(id uuid.UUID) bool { _, ok := visits[id]; return !ok })
	}
	members, err := byParent(ctx, r, store.Member, ids)
	if err != nil {
		return nil, err
	}
	cases, err := byParent(ctx, r, store.Determination, slices.Collect(maps.Keys(stands)))
	if err != nil {
		return nil, err
	}
	decided := map[uuid.UUID][]*store.Entity{}
	for id, list := range cases {
		decided[stands[id]] = append(decided[stands[id]], list...)
	}
	page := make([]Record, len(households))
	for i, h := range households {
		rec := Record{Household: h, Members: members[h.ID], Visit: visits[h.ID].Visit, Review: visits[h.ID].Review}
		slices.SortFunc(rec.Members, func(a, b *store.Entity) int {
			return cmp.Or(headFirst(a, b), cmp.Compare(a.Text("rel"), b.Text("rel")), cmp.Compare(a.Text("birth"), b.Text("birth")), cmp.Compare(a.ID.String(), b.ID.String()))
		})
		rec.Determination = decisionOn(rec.Visit, decided[h.ID])
		page[i] = rec
	}
	return page, nil
}

// decisionOn is the newest determination of a visit, nil if there is none.
func decisionOn(v *visit.Signed, list []*store.Entity) (newest *store.Entity) {
	for _, d := range list {
		if v != nil && d.Text("visit") == v.ID.String() && (newest == nil || d.Updated > newest.Updated) {
			newest = d
		}
	}
	return newest
}

// ByVisit yields records in the order of their visits' ids, as often as it is asked.
func ByVisit(records []Record) func() iter.Seq2[Record, error] {
	sorted := slices.SortedFunc(slices.Values(records), func(a, b Record) int { return cmp.Compare(a.Visit.ID.String(), b.Visit.ID.String()) })
	return func() iter.Seq2[Record, error] {
		return func(yield func(Record, error) bool) {
			for _, rec := range sorted {
				if !yield(rec, nil) {
					return
				}
			}
		}
	}
}

// EvidenceOf are the verified visits of a selection with what was decided on them, in
// the order of their ids, as often as they are asked for and a page at a time. Which
// visits they are is settled at once: what a township accepts meanwhile is another
// package's.
func EvidenceOf(ctx context.Context, r *store.Replica, s Selection) (func() iter.Seq2[Record, error], error) {
	type of struct{ visit, household, visited uuid.UUID } // another household if two were merged
	var all []of
	for rec, err := range Records(ctx, r, s) {
		if err != nil {
			return nil, err
		}
		all = append(all, of{rec.Visit.ID, rec.Household.ID, rec.Visit.Content.Household})
	}
	slices.SortFunc(all, func(a, b of) int { return cmp.Compare(a.visit.String(), b.visit.String()) })
	return func() iter.Seq2[Record, error] {
		return func(yield func(Record, error) bool) {
			for page := range slices.Chunk(all, pageOf) {
				var visits, homes []uuid.UUID
				for _, x := range page {
					visits, homes = append(visits, x.visit), append(homes, x.household, x.visited)
				}
				slices.SortFunc(homes, func(a, b uuid.UUID) int { return cmp.Compare(a.String(), b.String()) })
				homes = slices.Compact(homes)
				records, err := evidencePage(ctx, r, visits, homes)
				if err != nil {
					yield(Record{}, err)
					return
				}
				for _, rec := range records {
					if !yield(rec, nil) {
						return
					}
				}
			}
		}
	}, nil
}

func evidencePage(ctx context.Context, r *store.Replica, ids, homes []uuid.UUID) ([]Record, error) {
	reviews, err := byParent(ctx, r, store.Review, ids)
	if err != nil {
		return nil, err
	}
	cases, err := byParent(ctx, r, store.Determination, homes)
	if err != nil {
		return nil, err
	}
	decided := map[string][]*store.Entity{}
	for _, list := range cases {
		for _, d := range list {
			decided[d.Text("visit")] = append(decided[d.Text("visit")], d)
		}
	}
	visits, decisions := make([]*store.Entity, len(ids)), make([]*store.Entity, len(ids))
	for i, id := range ids {
		if visits[i], err = r.Entity(ctx, id); err != nil {
			return nil, fmt.Errorf("read visit %s: %w", id, err)
		}
		if _, decisions[i] = review.Newest(reviews[id]); decisions[i] == nil {
			return nil, fmt.Errorf("visit %s: its review is gone: %w", id, store.ErrNotFound)
		}
	}
	signed, err := opened(visits, decisions)
	if err != nil {
		return nil, err
	}
	page := make([]Record, len(ids))
	for i, v := range signed {
		page[i] = Record{Visit: v, Review: decisions[i], Determination: decisionOn(v, decided[v.ID.String()])}
	}
	return page, nil
}

func isHead(m *store.Entity) bool { return m.Text("rel") == "02" || m.Text("rel") == "01" }

func headFirst(a, b *store.Entity) int {
	switch {
	case isHead(a) == isHead(b):
		return 0
	case isHead(a):
		return -1
	}
	return 1
}

func byParent(ctx context.Context, r *store.Replica, kind store.Kind, parents []uuid.UUID) (map[uuid.UUID][]*store.Entity, error) {
	list, err := r.Children(ctx, kind, parents...)
	if err != nil {
		return nil, err
	}
	out := map[uuid.UUID][]*store.Entity{}
	for _, e := range list {
		if parent, err := uuid.Parse(e.Text("parent")); err == nil && !e.Fields["deleted"].Bool() {
			out[parent] = append(out[parent], e)
		}
	}
	return out, nil
}

// absorbed are households and all that were merged into them, however many steps
// away, each with the one that stands for it: what was signed about a merged household
// still names that one.
func absorbed(ctx context.Context, r *store.Replica, households []uuid.UUID) (map[uuid.UUID]uuid.UUID, error) {
	stands := make(map[uuid.UUID]uuid.UUID, len(households))
	for _, id := range households {
		stands[id] = id
	}
	for level := households; len(level) > 0; {
		list, err := r.Children(ctx, store.Household, level...)
		if err != nil {
			return nil, err
		}
		level = nil
		for _, e := range list {
			into, err := uuid.Parse(e.Text("parent"))
			if _, known := stands[e.ID]; err != nil || known || e.Text("state") != registry.Merged {
				continue
			}
			stands[e.ID] = stands[into]
			level = append(level, e.ID)
		}
	}
	return stands, nil
}

// accepted returns the newest accepted visit of each household that has one.
func accepted(ctx context.Context, r *store.Replica, stands map[uuid.UUID]uuid.UUID) (map[uuid.UUID]Record, error) {
	visits, err := r.Children(ctx, store.Visit, slices.Collect(maps.Keys(stands))...)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(visits))
	for i, v := range visits {
		ids[i] = v.ID
	}
	reviews, err := byParent(ctx, r, store.Review, ids)
	if err != nil {
		return nil, err
	}
	decisions := make([]*store.Entity, len(visits))
	for i, e := range visits {
		if state, decision := review.Newest(reviews[e.ID]); state == review.Accepted {
			decisions[i] = decision
		}
	}
	signed, err := opened(visits, decisions)
	if err != nil {
		return nil, err
	}
	out := map[uuid.UUID]Record{}
	for i, s := range signed {
		if s == nil {
			continue
		}
		decision := decisions[i]
		home, ok := stands[s.Content.Household]
		if !ok {
			home = s.Content.Household
		}
		old := out[home]
		if old.Visit != nil && cmp.Or(cmp.Compare(old.Visit.Content.Ended, s.Content.Ended), cmp.Compare(old.Visit.ID.String(), s.ID.String())) > 0 {
			continue
		}
		out[home] = Record{Visit: s, Review: decision}
	}
	return out, nil
}

// opened reads the visits that have a decision, on every core there is: that takes
// longer than anything else about them.
func opened(visits, decisions []*store.Entity) ([]*visit.Signed, error) {
	out, faults := make([]*visit.Signed, len(visits)), make([]error, len(visits))
	var next atomic.Int64
	var work sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 4) {
		work.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(visits)); i = next.Add(1) - 1 {
				if decisions[i] != nil {
					out[i], faults[i] = visit.FromEntity(visits[i])
				}
			}
		})
	}
	work.Wait()
	return out, errors.Join(faults...)
}

// Verified returns the verified records of a division, by village and household.
func Verified(ctx context.Context, r *store.Replica, division string) ([]Record, error) {
	var list []Record
	for rec, err := range Records(ctx, r, Selection{Division: division, Status: OnlyVerified}) {
		if err != nil {
			return nil, err
		}
		list = append(list, rec)
	}
	return list, nil
}
