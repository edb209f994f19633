// Package determination turns accepted visits into categories: the rule set
// suggests with every comparison shown, a named person decides (个人信息保护法
// Art. 24; 民发〔2021〕57号 Art. 20).
//
// A decision keeps the suggestion, its whole trace and the version of the rules, so
// that it can be explained years later, whatever the rules have become. What it
// gives has days: the month it is paid from, when it must be looked at again, until
// when a category that no longer applies is kept (渐退), until when the decision
// holds at all.
package determination

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/forms/standards"
	"ironfeet/store"
)

// Decided is the state of a determination that stands.
const Decided = "decided"

// Newest returns, of every household of a division, the newest accepted completed
// visit, by village and household.
func Newest(ctx context.Context, r *store.Replica, division string) ([]*visit.Signed, error) {
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
		// Two records that were found to be one household are one case.
		standing, err := registry.Standing(ctx, r, s.Content.Household)
		if err != nil {
			return nil, err
		}
		if old := newest[standing]; old == nil || cmp.Or(cmp.Compare(old.Content.Ended, s.Content.Ended), cmp.Compare(old.ID.String(), s.ID.String())) < 0 {
			newest[standing] = s
		}
	}
	list := make([]*visit.Signed, 0, len(newest))
	for _, s := range newest {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *visit.Signed) int {
		return cmp.Or(cmp.Compare(a.Division, b.Division), cmp.Compare(a.Content.Household.String(), b.Content.Household.String()))
	})
	return list, nil
}

// Pending returns the newest accepted visits that have no determination yet.
func Pending(ctx context.Context, r *store.Replica, division string) ([]*visit.Signed, error) {
	list, err := Newest(ctx, r, division)
	if err != nil {
		return nil, err
	}
	var out []*visit.Signed
	for _, s := range list {
		decided, err := r.Entities(ctx, store.Query{Kind: store.Determination, Parent: s.Content.Household.String()})
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(decided, func(e *store.Entity) bool { return e.Text("visit") == s.ID.String() }) {
			out = append(out, s)
		}
	}
	return out, nil
}

// Suggest is what the rule set in force on the visit's day says of it.
func Suggest(rules *standards.RuleSet, s *visit.Signed) standards.Decision {
	return rules.Decide(s.Record.Nested(), s.EndedAt())
}

// Rules returns the rule set in force when a visit ended.
func Rules(ctx context.Context, r *store.Replica, s *visit.Signed) (*standards.RuleSet, error) {
	return publish.InForce(ctx, r, s.EndedAt().Format(time.DateOnly))
}

// ErrNoReason means a person decided otherwise than suggested, or changed a
// decision, and did not say why.
var ErrNoReason error = noReason{}

type noReason struct{}

func (noReason) Error() string { return "a decision that differs from the suggestion needs a reason" }
func (noReason) Code() string  { return "determination.no_reason" }

// ErrUndecidable means facts are missing: nobody can decide on a blank.
var ErrUndecidable = errors.New("facts are missing, so nothing can be decided")

// A DecidedError means somebody decided the case meanwhile; nothing was written.
type DecidedError struct {
	Determination  uuid.UUID
	Category, When string
}

func (e *DecidedError) Error() string {
	return fmt.Sprintf("the case is decided already: %s on %s", e.Category, e.When)
}

// Code is the key of the sentence.
func (e *DecidedError) Code() string { return "determination.decided" }

// An AmountError means an amount nobody can have meant.
type AmountError struct{ Amount standards.Fen }

func (e *AmountError) Error() string { return "an amount of " + e.Amount.String() + " yuan a month" }

// Code is the key of the sentence.
func (e *AmountError) Code() string { return "determination.amount" }

// mostAmount is more than any aid of a household in a month.
const mostAmount standards.Fen = 100_000_00

// A Choice is what a person decides. Category "" takes the suggestion over, Amount
// nil the suggested amount.
type Choice struct {
	Category, Label string
	Amount          *standards.Fen
	Reason          string
	// Revise changes a decision that stands: it needs a reason, and both remain on
	// the record.
	Revise bool
}

// Chosen is what a person's choice comes to beside a suggestion: category, label and
// amount filled in. It is an error where facts are missing, nobody can mean the amount,
// or it differs and nobody says why.
func Chosen(d standards.Decision, c Choice) (Choice, error) {
	if c.Category == "" {
		c.Category, c.Label = d.Category, d.Label
	}
	if c.Category == standards.Undecided {
		return c, fmt.Errorf("%w: %v", ErrUndecidable, d.Missing)
	}
	same := c.Category == d.Category
	if c.Amount == nil {
		amount := d.Amount
		if !same {
			amount = 0 // the rules worked an amount out for another category
		}
		c.Amount = &amount
	}
	if *c.Amount < 0 || *c.Amount > mostAmount {
		return c, &AmountError{*c.Amount}
	}
	if same = same && *c.Amount == d.Amount; c.Reason == "" && (!same || c.Revise) {
		return c, ErrNoReason
	}
	return c, nil
}

// ID is the determination of a visit: two who decide one case at once write the
// same one, and where they disagree both values stay until a person settles it.
func ID(visitID uuid.UUID) uuid.UUID { return uuid.NewSHA1(visitID, []byte("determination")) }

// Decide writes a person's decision with the suggestion, its whole trace and the
// version of the rules; the household's aid in the registry follows it.
func Decide(ctx context.Context, r *store.Replica, person uuid.UUID, now time.Time, s *visit.Signed, d standards.Decision, c Choice) (uuid.UUID, error) {
	c, err := Chosen(d, c)
	if err != nil {
		return uuid.Nil, err
	}
	amount, same := *c.Amount, c.Category == d.Category && *c.Amount == d.Amount
	trace, err := json.Marshal(d)
	if err != nil {
		return uuid.Nil, fmt.Errorf("write down the trace: %w", err)
	}
	persons, err := json.Marshal(d.Offers)
	if err != nil {
		return uuid.Nil, err
	}
	id, household := ID(s.ID), s.Content.Household
	fields := map[string]store.Value{
		"parent": store.Text(household.String()), "visit": store.Text(s.ID.String()), "state": store.Text(Decided),
		"suggested": store.Text(d.Category), "category": store.Text(c.Category), "amount_fen": store.Int(int64(amount)),
		"trace": store.Text(string(trace)), "standards": store.Text(d.Version), "offers": store.Text(string(persons)),
		"decided_on": store.Text(now.Format(time.DateOnly)), "pay_from": store.Text(payFrom(now)),
	}
	put := func(name, value string) {
		if value != "" {
			fields[name] = store.Text(value)
		}
	}
	put("label", cmp.Or(c.Label, c.Category))
	put("reason", c.Reason)
	put("review_by", d.ReviewBy)
	if same {
		put("valid_until", d.ValidUntil)
		if d.Grace != nil {
			put("grace_category", d.Grace.Category)
			put("grace_until", d.Grace.Until)
		}
	}
	old, err := r.Entity(ctx, id)
	edit := store.Edit{Kind: store.Determination, Entity: id, Division: s.Division, Fields: fields}
	switch {
	case err == nil && !c.Revise:
		return uuid.Nil, &DecidedError{id, old.Text("category"), old.Text("decided_on")}
	case err == nil:
		fields["revised"] = store.Text(now.Format(time.DateOnly))
	case !errors.Is(err, store.ErrNotFound):
		return uuid.Nil, err
	default:
		// Whoever decides the first time has seen no decision: one that another
		// clerk writes in the same moment is a conflict, not lost (invariant 4).
		edit.Seen = map[string][]store.ChangeID{}
		for name := range fields {
			edit.Seen[name] = nil
		}
	}
	aid := c.Category
	if d.Grace != nil && same {
		aid = d.Grace.Category
	}
	if aid == standards.NotApplicable {
		aid = "none"
	}
	registry := store.Edit{Kind: store.Household, Entity: household, Division: s.Division, Fields: map[string]store.Value{"aid": store.Text(aid)}}
	if _, err := r.Write(ctx, person, edit, registry); err != nil {
		return uuid.Nil, fmt.Errorf("write the determination of household %s: %w", household, err)
	}
	return id, nil
}

// payFrom is the month after the decision (民发〔2021〕57号 Art. 21).
func payFrom(day time.Time) string {
	return time.Date(day.Year(), day.Month()+1, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// A Standing says what a decision means on a day.
type Standing string

// The standings of a decision, in the order of its days:
//
//	decided -> in_force (from the month after) -> review_due -> …
//	decided -> grace (渐退: the former category is kept) -> in_force
//	in_force -> expired (刚性: after twelve months)
//	any -> replaced (by the decision of a later visit)
const (
	Waiting   Standing = "waiting"
	InForce   Standing = "in_force"
	Grace     Standing = "grace"
	ReviewDue Standing = "review_due"
	Expired   Standing = "expired"
	Replaced  Standing = "replaced"
)

// On says how a decision stands on a day; newest is the household's newest one.
func On(e, newest *store.Entity, day time.Time) Standing {
	d := day.Format(time.DateOnly)
	has := func(name string) (string, bool) { v := e.Text(name); return v, v != "" }
	if newest != nil && newest.ID != e.ID {
		return Replaced
	}
	if until, ok := has("valid_until"); ok && d > until {
		return Expired
	}
	if until, ok := has("grace_until"); ok && d <= until {
		return Grace
	}
	if by, ok := has("review_by"); ok && d > by {
		return ReviewDue
	}
	if from, ok := has("pay_from"); ok && d < from {
		return Waiting
	}
	return InForce
}

// Latest is the newest of a household's determinations, nil if there is none.
func Latest(list []*store.Entity) *store.Entity {
	var best *store.Entity
	for _, e := range list {
		if best == nil || cmp.Or(cmp.Compare(best.Text("decided_on"), e.Text("decided_on")), cmp.Compare(best.Updated, e.Updated), cmp.Compare(best.ID.String(), e.ID.String())) < 0 {
			best = e
		}
	}
	return best
}
