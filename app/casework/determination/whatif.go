package determination

import (
	"context"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/publish"
	"ironfeet/forms/standards"
	"ironfeet/store"
)

// WhatIf decides every household of a division anew, from its newest accepted
// visit: by the rules in force on a day, and by a draft that is not published. It
// writes nothing.
func WhatIf(ctx context.Context, r *store.Replica, division string, draft *standards.RuleSet, on time.Time) (standards.Effects, map[string]Home, error) {
	visits, err := Newest(ctx, r, division)
	if err != nil {
		return standards.Effects{}, nil, err
	}
	rules, err := publish.InForce(ctx, r, on.Format(time.DateOnly))
	if err != nil {
		return standards.Effects{}, nil, err
	}
	homes := make([]standards.Home, 0, len(visits))
	whose := map[string]Home{}
	for _, s := range visits {
		key := s.Content.Household.String()
		homes = append(homes, standards.Home{Key: key, Record: s.Record.Nested(), On: on})
		h := Home{ID: s.Content.Household, Visit: s.ID, Division: s.Division}
		if e, err := r.Entity(ctx, h.ID); err == nil {
			h.Name, h.Address = e.Text("name"), e.Text("address")
		}
		whose[key] = h
	}
	return standards.WhatIf(func(standards.Home) *standards.RuleSet { return rules }, draft, homes), whose, nil
}

// A Home says whose household an effect is about.
type Home struct {
	ID, Visit     uuid.UUID
	Division      string
	Name, Address string
}
