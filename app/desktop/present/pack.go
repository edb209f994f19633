package present

import (
	"context"
	"errors"
	"strings"
	"time"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/tasks"
	"ironfeet/store"
)

// A Check is one line of what a worker looks at before leaving for villages without
// signal: it is well, or it says what to do about it now.
type Check struct {
	OK   bool
	Said string
}

// old is how long ago the county may have been heard of before it is worth a sync.
const old = 7 * 24 * time.Hour

// Pack looks whether everything for the day is on this machine: tasks and their
// households, forms with what goes with them, rules, two people who can confirm, how
// fresh it all is (last: when the county was heard of last), battery and space.
func (s *Session) Pack(ctx context.Context, m Machine, last time.Time) ([]Check, error) {
	r := s.Office.Replica
	list, err := tasks.List(ctx, r, "", tasks.Open)
	if err != nil {
		return nil, err
	}
	var out []Check
	say := func(ok bool, key string, parts ...any) { out = append(out, Check{ok, s.T(key, parts...)}) }

	households, lacking := 0, 0
	forms := map[string]bool{}
	for _, t := range list {
		forms[t.Form] = true
		id, err := registry.Standing(ctx, r, t.Household)
		if err == nil {
			_, err = r.Entity(ctx, id)
		}
		switch {
		case err == nil:
			households++
		case errors.Is(err, store.ErrNotFound):
			lacking++
		default:
			return nil, err
		}
	}
	if lacking > 0 {
		say(false, "pack_households_lack", lacking)
	} else {
		say(true, "pack_households", len(list), households)
	}

	whole := true
	for form := range forms {
		if _, err := s.Shelf.Form(ctx, r, form, ""); err != nil {
			said, hint := s.Error(err)
			out, whole = append(out, Check{false, strings.TrimSpace(said + " " + hint)}), false
		}
	}
	missing, err := r.MissingBlobsOf(ctx, store.Form)
	if err != nil {
		return nil, err
	}
	switch {
	case len(missing) > 0:
		say(false, "pack_media_lack", len(missing))
	case whole:
		say(true, "pack_forms", len(forms))
	}

	switch rules, err := publish.InForce(ctx, r, s.day()); {
	case err == nil:
		say(true, "pack_rules", rules.Version)
	case errors.Is(err, publish.ErrNoStandards):
		say(false, "pack_rules_lack")
	default:
		said, hint := s.Error(err)
		out = append(out, Check{false, strings.TrimSpace(said + " " + hint)})
	}

	people := len(s.Colleagues())
	say(people >= 2, map[bool]string{true: "pack_people", false: "pack_people_lack"}[people >= 2], people)

	switch {
	case last.IsZero():
		say(false, "pack_never")
	default:
		fresh := s.Office.World.Now().Sub(last) < old
		say(fresh, map[bool]string{true: "pack_fresh", false: "pack_old"}[fresh], s.moment(last))
	}
	if m.BatteryKnown {
		say(m.Charging || m.Battery >= 50, map[bool]string{true: "battery", false: "pack_battery"}[m.Charging || m.Battery >= 50], m.Battery)
	}
	if m.SpaceKnown {
		say(m.Visits >= 10, map[bool]string{true: "space", false: "pack_space"}[m.Visits >= 10], m.SpaceGB, m.Visits)
	}
	return out, nil
}

// lastSynced is when this machine last brought everything up and down.
func (s *Session) lastSynced(ctx context.Context) time.Time {
	raw, err := s.Office.Replica.Setting(ctx, settingSynced)
	if err != nil {
		return time.Time{}
	}
	at, _ := time.Parse(time.RFC3339, string(raw)) // what cannot be read was never
	return at
}
