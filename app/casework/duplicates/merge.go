package duplicates

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/store"
)

// What a decision about a pair is.
const (
	ApartDecision    = "apart"
	MergedDecision   = "merged"
	UnmergedDecision = "unmerged"
)

// A MergeError says why two cannot be merged, or a merge not undone.
type MergeError struct {
	Why string // itself, kind, gone, not_merged, chosen
	ID  uuid.UUID
}

func (e *MergeError) Error() string {
	return fmt.Sprintf("merge %s: %s", e.ID, strings.ReplaceAll(e.Why, "_", " "))
}

// Code is the key of the sentence.
func (e *MergeError) Code() string { return "duplicate.merge_" + e.Why }

// A moved entity and where it was before.
type moved struct {
	Entity   uuid.UUID `cbor:"1,keyasint"`
	Parent   string    `cbor:"2,keyasint,omitempty"` // before
	Division string    `cbor:"3,keyasint"`           // before
}

// Apart says that two are two.
func Apart(ctx context.Context, rv *review.Reviewer, p Pair, reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" {
		return review.ErrNoReason
	}
	_, err := rv.Replica.Write(ctx, rv.Person, decision(rv, ApartDecision, p.A, p.B, p.Divisions[0], reason))
	if err != nil {
		return fmt.Errorf("keep %s and %s apart: %w", p.A, p.B, err)
	}
	return nil
}

func decision(rv *review.Reviewer, what string, stays, other uuid.UUID, division, reason string) store.Edit {
	return store.Edit{Kind: store.Review, Entity: rv.NewID(), Division: division, Fields: map[string]store.Value{
		"parent": store.Text(stays.String()), "state": store.Text(what), "decision": store.Text(what), "other": store.Text(other.String()), "reason": store.Text(reason),
	}}
}

// A Merge is what a person decided about a pair.
type Merge struct {
	Stays, Goes uuid.UUID
	Take        []string                // fields whose value is taken from the one that goes
	Same        map[uuid.UUID]uuid.UUID // of households: members of the one that goes -> members of the one that stays, being one person each
	Reason      string
}

// Do merges two persons or two households, in one transaction. Of households, the
// members that are nobody's double move over.
func Do(ctx context.Context, rv *review.Reviewer, m Merge) error {
	if m.Reason = strings.TrimSpace(m.Reason); m.Reason == "" {
		return review.ErrNoReason
	}
	stays, err := rv.Replica.Entity(ctx, m.Stays)
	if err != nil {
		return err
	}
	goes, err := rv.Replica.Entity(ctx, m.Goes)
	if err != nil {
		return err
	}
	switch {
	case m.Stays == m.Goes:
		return &MergeError{"itself", m.Goes}
	case stays.Kind != goes.Kind || stays.Kind != store.Household && stays.Kind != store.Member:
		return &MergeError{"kind", m.Goes}
	}
	for _, e := range []*store.Entity{stays, goes} {
		if e.Fields["deleted"].Bool() || e.Text("state") == registry.Merged {
			return &MergeError{"gone", e.ID}
		}
	}
	var edits []store.Edit
	var was []moved
	if taken := take(stays, goes, m.Take); len(taken.Fields) > 0 {
		edits = append(edits, taken)
	}
	if stays.Kind == store.Member {
		edits, was = append(edits, gone(goes, stays)), append(was, moved{goes.ID, goes.Text("parent"), goes.Division})
	} else {
		more, moves, err := households(ctx, rv.Replica, stays, goes, m.Same)
		if err != nil {
			return err
		}
		edits, was = append(edits, more...), append(was, moves...)
	}
	first := decision(rv, MergedDecision, m.Stays, m.Goes, stays.Division, m.Reason)
	first.Fields["moved"], first.Fields["kind"], first.Fields["taken"] = store.Of(was), store.Text(string(stays.Kind)), store.Int(int64(btoi(len(edits) > 0 && edits[0].Entity == stays.ID)))
	first.Fields["follows"] = store.Int(int64(len(edits)))
	if _, err := rv.Replica.Write(ctx, rv.Person, append([]store.Edit{first}, edits...)...); err != nil {
		return fmt.Errorf("merge %s into %s: %w", m.Goes, m.Stays, err)
	}
	return nil
}

// structural fields say where something belongs; they are never taken over.
var structural = []string{"parent", "state", "deleted", "merged_into"}

// take is the edit by which the one that stays takes values over.
func take(stays, goes *store.Entity, fields []string) store.Edit {
	e := store.Edit{Kind: stays.Kind, Entity: stays.ID, Division: stays.Division, Fields: map[string]store.Value{}}
	for _, f := range fields {
		if v, ok := goes.Fields[f]; ok && !slices.Contains(structural, f) && string(v) != string(stays.Fields[f]) {
			e.Fields[f] = v
		}
	}
	return e
}

// gone is the edit that makes one point to the other.
func gone(goes, stays *store.Entity) store.Edit {
	e := store.Edit{Kind: goes.Kind, Entity: goes.ID, Division: goes.Division, Fields: map[string]store.Value{
		"deleted": store.Bool(true), "state": store.Text(registry.Merged), "merged_into": store.Text(stays.ID.String()),
	}}
	if goes.Kind == store.Household { // a household's parent is plain: what was merged into one is found at once
		e.Fields["parent"] = store.Text(stays.ID.String())
	}
	return e
}

// households are the edits that merge one household into another.
func households(ctx context.Context, r *store.Replica, stays, goes *store.Entity, same map[uuid.UUID]uuid.UUID) (edits []store.Edit, was []moved, err error) {
	ours, err := r.Entities(ctx, store.Query{Kind: store.Member, Parent: stays.ID.String()})
	if err != nil {
		return nil, nil, err
	}
	theirs, err := r.Entities(ctx, store.Query{Kind: store.Member, Parent: goes.ID.String()})
	if err != nil {
		return nil, nil, err
	}
	byID := map[uuid.UUID]*store.Entity{}
	for _, e := range ours {
		byID[e.ID] = e
	}
	left := map[uuid.UUID]bool{}
	for _, e := range theirs {
		left[e.ID] = true
		if e.Fields["deleted"].Bool() {
			continue
		}
		was = append(was, moved{e.ID, goes.ID.String(), e.Division})
		if twin, ok := same[e.ID]; ok {
			if byID[twin] == nil || byID[twin].Fields["deleted"].Bool() {
				return nil, nil, &MergeError{"chosen", twin}
			}
			edits = append(edits, gone(e, byID[twin]))
			continue
		}
		steps, err := move(ctx, r, e, stays.ID, stays.Division)
		if err != nil {
			return nil, nil, err
		}
		edits = append(edits, steps...)
	}
	for id := range same {
		if !left[id] {
			return nil, nil, &MergeError{"chosen", id}
		}
	}
	edits, was = append(edits, gone(goes, stays)), append(was, moved{goes.ID, goes.Text("parent"), goes.Division})
	return edits, was, nil
}

// move are the edits that bring a member to another household. To another village
// it takes two: the old village's tablets hear that the member is gone, the new
// one's hear everything about it, and neither hears of the other (invariant 7).
func move(ctx context.Context, r *store.Replica, e *store.Entity, household uuid.UUID, division string) ([]store.Edit, error) {
	if e.Division == division {
		return []store.Edit{{Kind: e.Kind, Entity: e.ID, Division: division, Fields: map[string]store.Value{"parent": store.Text(household.String())}}}, nil
	}
	history, err := r.History(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	leave := store.Edit{Kind: e.Kind, Entity: e.ID, Division: e.Division, Fields: map[string]store.Value{"deleted": store.Bool(true)}}
	arrive := store.Edit{Kind: e.Kind, Entity: e.ID, Division: division, Fields: map[string]store.Value{}, Seen: map[string][]store.ChangeID{}}
	for name, v := range e.Fields {
		arrive.Fields[name] = v
	}
	arrive.Fields["parent"], arrive.Fields["deleted"] = store.Text(household.String()), store.Null()
	// A tablet of the new village may have held the member before, and then has
	// values that others replaced where it could not see: whatever was ever said is
	// superseded, but for what is in conflict now.
	for _, c := range history {
		for _, f := range c.Fields {
			if _, set := arrive.Fields[f.Name]; set && !slices.Contains(e.Conflicts, f.Name) {
				arrive.Seen[f.Name] = append(arrive.Seen[f.Name], c.ChangeID)
			}
		}
	}
	for name := range arrive.Fields {
		if slices.Contains(e.Conflicts, name) && name != "parent" {
			delete(arrive.Fields, name) // both values stay where they are
		}
	}
	// The last word supersedes both the leaving and the arriving, which had not heard
	// of each other.
	back := store.Edit{Kind: e.Kind, Entity: e.ID, Division: division, Fields: map[string]store.Value{"deleted": store.Null()}}
	return []store.Edit{leave, arrive, back}, nil
}

// A Merged pair, as it was decided.
type Merged struct {
	Review      uuid.UUID
	Kind        store.Kind
	Stays, Goes uuid.UUID
	Name        string // of the one that went
	Division    string
	At          time.Time
	Author      uuid.UUID
	Reason      string
}

// List returns the merges of a division that stand, the newest first.
func List(ctx context.Context, r *store.Replica, division string) ([]Merged, error) {
	found, err := r.Entities(ctx, store.Query{Kind: store.Review, Division: division, State: MergedDecision})
	if err != nil {
		return nil, fmt.Errorf("read the merges: %w", err)
	}
	var list []Merged
	for _, e := range found {
		m := Merged{Review: e.ID, Kind: store.Kind(e.Text("kind")), Division: e.Division, At: e.Updated.Time(), Reason: e.Text("reason")}
		m.Stays, _ = uuid.Parse(e.Text("parent")) // uuid.Nil where another version wrote it otherwise
		m.Goes, _ = uuid.Parse(e.Text("other"))
		if gone, err := r.Entity(ctx, m.Goes); err == nil {
			m.Name = gone.Text("name")
		}
		if heads, err := r.Heads(ctx, e.ID, "decision"); err == nil && len(heads) > 0 {
			m.Author = heads[0].Author
		}
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b Merged) int {
		return cmp.Or(b.At.Compare(a.At), slices.Compare(a.Review[:], b.Review[:]))
	})
	return list, nil
}

// Unmerge takes a merge back: both stand again, each member is where it was, and
// the values that were taken over give way to what they replaced, unless somebody
// has set them since. What was written about the two meanwhile stays.
func Unmerge(ctx context.Context, rv *review.Reviewer, id uuid.UUID, reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" {
		return review.ErrNoReason
	}
	r := rv.Replica
	e, err := r.Entity(ctx, id)
	if err != nil {
		return err
	}
	var was []moved
	if e.Text("state") != MergedDecision || e.Fields["moved"].Into(&was) != nil {
		return &MergeError{"not_merged", id}
	}
	stays := e.Text("parent")
	edits := []store.Edit{{Kind: store.Review, Entity: id, Division: e.Division, Fields: map[string]store.Value{
		"state": store.Text(UnmergedDecision), "decision": store.Text(UnmergedDecision), "undone_why": store.Text(reason)}}}
	if n, _ := e.Fields["taken"].Int(); n > 0 {
		back, err := untake(ctx, r, e)
		if err != nil {
			return err
		}
		edits = append(edits, back...)
	}
	for _, m := range was {
		x, err := r.Entity(ctx, m.Entity)
		if err != nil {
			return err
		}
		switch {
		case x.Text("state") == registry.Merged:
			edit := store.Edit{Kind: x.Kind, Entity: x.ID, Division: x.Division, Fields: map[string]store.Value{
				"deleted": store.Null(), "state": store.Null(), "merged_into": store.Null()}}
			if x.Kind == store.Household {
				edit.Fields["parent"] = store.Null()
			}
			edits = append(edits, edit)
		case x.Kind == store.Member && x.Text("parent") == stays:
			home, err := uuid.Parse(m.Parent)
			if err != nil {
				return &MergeError{"not_merged", id}
			}
			steps, err := move(ctx, r, x, home, m.Division)
			if err != nil {
				return err
			}
			edits = append(edits, steps...)
		}
	}
	if _, err := r.Write(ctx, rv.Person, edits...); err != nil {
		return fmt.Errorf("take back merge %s: %w", id, err)
	}
	return nil
}

// untake finds the change by which values were taken over, the first behind the
// decision in its node's log, and reverses it.
func untake(ctx context.Context, r *store.Replica, decision *store.Entity) ([]store.Edit, error) {
	history, err := r.History(ctx, decision.ID)
	if err != nil || len(history) == 0 {
		return nil, err
	}
	stays, err := uuid.Parse(decision.Text("parent"))
	if err != nil {
		return nil, &MergeError{"not_merged", decision.ID}
	}
	of, err := r.History(ctx, stays)
	if err != nil {
		return nil, err
	}
	for _, c := range of {
		if c.Node == history[0].Node && c.Seq == history[0].Seq+1 {
			return review.Reverse(ctx, r, []store.Change{c})
		}
	}
	return nil, nil
}
