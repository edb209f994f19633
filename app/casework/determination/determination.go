// Package determination turns accepted visits into categories: the rule set
// suggests with every comparison shown, a named person decides (个人信息保护法
// Art. 24; 民发〔2021〕57号 Art. 20).
package determination

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/forms/standards"
	"ironfeet/store"
)

// A Case is an accepted visit that waits for, or has, a decision.
type Case struct {
	Visit      *visit.Signed
	Suggestion standards.Decision
	Decided    *store.Entity // nil while it waits
}

// Pending returns, of every household of a division, the newest accepted
// completed visit that has no determination yet, by village and household.
func Pending(ctx context.Context, r *store.Replica, division string) ([]*visit.Signed, error) {
	visits, err := r.Entities(ctx, store.Query{Kind: store.Visit, Division: division})
	if err != nil {
		return nil, fmt.Errorf("read the visits of %s: %w", division, err)
	}
	newest := map[uuid.UUID]*visit.Signed{}
	for _, e := range visits {
		state, _, err := review.StateOf(ctx, r, e.ID)
		if err != nil {
			return nil, err
		}
		if state != review.Accepted {
			continue
		}
		s, err := visit.FromEntity(e)
		if err != nil {
			return nil, err
		}
		if s.Content.Outcome != "completed" {
			continue
		}
		if old := newest[s.Content.Household]; old == nil || cmp.Or(cmp.Compare(old.Content.Ended, s.Content.Ended), cmp.Compare(old.ID.String(), s.ID.String())) < 0 {
			newest[s.Content.Household] = s
		}
	}
	var list []*visit.Signed
	for _, s := range newest {
		decided, err := r.Entities(ctx, store.Query{Kind: store.Determination, Parent: s.Content.Household.String()})
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(decided, func(e *store.Entity) bool { return e.Text("visit") == s.ID.String() }) {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b *visit.Signed) int {
		return cmp.Or(cmp.Compare(a.Division, b.Division), cmp.Compare(a.Content.Household.String(), b.Content.Household.String()))
	})
	return list, nil
}

// Suggest is what the rule set in force on the visit's day says of it.
func Suggest(rules *standards.RuleSet, s *visit.Signed) standards.Decision {
	return rules.Decide(s.Record.Nested(), s.EndedAt())
}

// Rules returns the rule set in force when a visit ended.
func Rules(ctx context.Context, r *store.Replica, s *visit.Signed) (*standards.RuleSet, error) {
	return publish.InForce(ctx, r, s.EndedAt().Format("2006-01-02"))
}

// ErrNoReason means a person decided otherwise than suggested and did not say why.
var ErrNoReason error = noReason{}

type noReason struct{}

func (noReason) Error() string { return "a decision that differs from the suggestion needs a reason" }
func (noReason) Code() string  { return "determination.no_reason" }

// ErrUndecidable means facts are missing: nobody can decide on a blank.
var ErrUndecidable = errors.New("facts are missing, so nothing can be decided")

// Decide writes a person's decision with the suggestion, its whole trace and the
// version of the rules. Category "" takes the suggestion over.
func Decide(ctx context.Context, r *store.Replica, newID func() uuid.UUID, person uuid.UUID, s *visit.Signed, d standards.Decision, category, reason string) (uuid.UUID, error) {
	if category == "" {
		category = d.Category
	}
	if category == standards.Undecided {
		return uuid.Nil, fmt.Errorf("household %s: %w: %v", s.Content.Household, ErrUndecidable, d.Missing)
	}
	amount := d.Amount
	if category != d.Category {
		if reason == "" {
			return uuid.Nil, ErrNoReason
		}
		amount = 0 // the rules worked an amount out for another category
	}
	trace, err := json.Marshal(d)
	if err != nil {
		return uuid.Nil, fmt.Errorf("write down the trace: %w", err)
	}
	fields := map[string]store.Value{
		"parent": store.Text(s.Content.Household.String()), "visit": store.Text(s.ID.String()), "state": store.Text("decided"),
		"suggested": store.Text(d.Category), "category": store.Text(category), "amount_fen": store.Int(int64(amount)),
		"trace": store.Text(string(trace)), "standards": store.Text(d.Version),
	}
	if reason != "" {
		fields["reason"] = store.Text(reason)
	}
	changes, err := r.Write(ctx, person, store.Edit{Kind: store.Determination, Entity: newID(), Division: s.Division, Fields: fields})
	if err != nil {
		return uuid.Nil, fmt.Errorf("write the determination of household %s: %w", s.Content.Household, err)
	}
	return changes[0].Entity, nil
}
