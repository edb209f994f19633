package notice

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/store"
)

// Object records what was said against a household's posting and asks for a new
// survey, whose worker reads that there was an objection, not whose.
func Object(ctx context.Context, rv *review.Reviewer, s *Sheet, household uuid.UUID, who, text, form string) (*Objection, error) {
	if s.State != Posted {
		return nil, &SheetError{Why: "not_posted"}
	}
	i := slices.IndexFunc(s.Rows, func(r Row) bool { return r.Household == household })
	if i < 0 {
		return nil, &SheetError{Why: "unknown_household"}
	}
	if text = strings.TrimSpace(text); text == "" {
		return nil, review.ErrNoReason
	}
	rules, err := calendar.RulesOf(ctx, rv.Replica)
	if err != nil {
		return nil, err
	}
	days, err := calendar.Of(ctx, rv.Replica)
	if err != nil {
		return nil, err
	}
	now := rv.Now()
	o := &Objection{ID: rv.NewID(), Sheet: s.ID, Household: household, Name: s.Rows[i].Name, Who: strings.TrimSpace(who), Text: text, On: now.Format(time.DateOnly), Task: rv.NewID()}
	due := now.AddDate(0, 0, 14)
	if rule, ok := rules.Find(s.Procedure, "contested"); ok {
		due, _ = rule.Due(days, now)
	}
	o.Due = due.Format(time.DateOnly)
	standing, err := registry.Standing(ctx, rv.Replica, household)
	if err != nil {
		return nil, err
	}
	home, err := rv.Replica.Entity(ctx, standing)
	if err != nil {
		return nil, err
	}
	edits := []store.Edit{
		{Kind: store.Notice, Entity: o.ID, Division: s.Division, Fields: map[string]store.Value{
			"parent": store.Text(s.ID.String()), "state": store.Text("objection"), "household": store.Text(household.String()), "who": store.Text(o.Who),
			"text": store.Text(text), "on": store.Text(o.On), "task": store.Text(o.Task.String()), "due": store.Text(o.Due),
		}},
		{Kind: store.Task, Entity: o.Task, Division: home.Division, Fields: map[string]store.Value{
			"parent": store.Text(standing.String()), "state": store.Text(tasks.Open), "due": store.Text(o.Due),
			"reason": store.Text("公示期间有异议，请重新入户调查（民发〔2021〕57号第十九条）"), "form": store.Text(form),
		}},
	}
	if _, err := rv.Replica.Write(ctx, rv.Person, edits...); err != nil {
		return nil, fmt.Errorf("record an objection in %s: %w", s.Village, err)
	}
	return o, nil
}

// Answer ends an objection after the new survey.
func Answer(ctx context.Context, rv *review.Reviewer, o *Objection, division, outcome, answer string) error {
	if answer = strings.TrimSpace(answer); answer == "" {
		return review.ErrNoReason
	}
	if o.Outcome != "" {
		return &SheetError{Why: "answered"}
	}
	_, err := rv.Replica.Write(ctx, rv.Person, store.Edit{Kind: store.Notice, Entity: o.ID, Division: division, Fields: map[string]store.Value{
		"outcome": store.Text(outcome), "answer": store.Text(answer)}})
	if err != nil {
		return fmt.Errorf("answer an objection: %w", err)
	}
	return nil
}
