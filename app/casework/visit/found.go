package visit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/tasks"
	"ironfeet/store"
)

// Found is a household that nobody had on a list: the investigators came upon it
// (主动发现, 社会救助暂行办法; domain.md §2, step 1). It enters the registry when its
// visit is accepted.
type Found struct {
	Division string `cbor:"1,keyasint"` // the village, 12 digits
	Village  string `cbor:"2,keyasint,omitempty"`
	Name     string `cbor:"3,keyasint"` // of the head
	Address  string `cbor:"4,keyasint,omitempty"`
}

// A FoundError means a household that was found lacks what it is known by.
type FoundError struct{ Why string } // no_name, no_village

func (e *FoundError) Error() string {
	return "a new household needs the head's name and a village: " + strings.ReplaceAll(e.Why, "_", " ")
}

// Code is the key of the sentence.
func (e *FoundError) Code() string { return "visit.found_" + e.Why }

// Fields are what the registry shall know of the household besides what the form
// saves.
func (f *Found) Fields() map[string]string {
	return map[string]string{"name": f.Name, "address": f.Address, "village": f.Village}
}

// page is the household's page before the registry knows it.
func (f *Found) page(id uuid.UUID) *registry.Page { return registry.Newly(id, f.Division, f.Fields()) }

// Found begins a visit to a household that the registry does not know.
func (d *Desk) Found(ctx context.Context, f Found, form string) (*Visit, error) {
	f.Name, f.Address = strings.TrimSpace(f.Name), strings.TrimSpace(f.Address)
	switch {
	case f.Name == "":
		return nil, &FoundError{"no_name"}
	case len(f.Division) != 12:
		return nil, &FoundError{"no_village"}
	}
	id := d.World.NewID()
	return d.start(ctx, tasks.Task{Household: id, Division: f.Division, Form: form}, f.page(id), &f)
}

// FoundIn is the household that a draft's investigators came upon, nil if it is one
// that the registry knows.
func FoundIn(d *store.Draft) *Found {
	x, err := unpacked(d)
	if err != nil {
		return nil
	}
	return x.Found
}

func unpacked(d *store.Draft) (x extra, err error) {
	if len(d.Extra) > 0 {
		if err := decode.Unmarshal(d.Extra, &x); err != nil {
			return x, fmt.Errorf("draft %s: %w", d.ID, err)
		}
	}
	for path, p := range x.Photo {
		if x.Photos == nil {
			x.Photos = map[string][]Photo{}
		}
		x.Photos[path] = append(x.Photos[path], p)
	}
	x.Photo = nil
	return x, nil
}

// again is the task that brings somebody back where nobody was met: on the day the
// form asks for in its question “revisit”, with what happened as the reason.
func (v *Visit) again() []store.Edit {
	if v.met() {
		return nil
	}
	day, said := "", v.Outcome()
	for _, n := range v.Entry.Nodes() {
		switch {
		case n.Name == "revisit" && n.Relevant && n.Valid:
			day = n.Value
		case n.Name == "outcome":
			for _, c := range n.Choices {
				if c.Name == n.Value {
					said = c.Label
				}
			}
		}
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil || v.extra.Found != nil {
		return nil // nobody is asked back to a house that is not known yet
	}
	return []store.Edit{{
		Kind: store.Task, Entity: uuid.NewSHA1(v.ID, []byte("revisit")), Division: v.Page.Household.Division,
		Fields: map[string]store.Value{
			"parent": store.Text(v.draft.Household.String()), "state": store.Text(tasks.Open), "due": store.Text(day),
			"reason": store.Text(said + " " + v.desk.World.Now().Format(time.DateOnly)), "form": store.Text(v.Entry.Form().ID()),
		},
	}}
}

// watchClock notices that the device's clock was set back while the visit is being
// filled; true when it was since the last look. Times of a visit are evidence, so
// the fact goes into the record and is not mended in silence.
func (v *Visit) watchClock() bool {
	now := v.desk.World.Now().UnixMilli()
	back := v.extra.Latest - now
	v.extra.Latest = max(v.extra.Latest, now)
	if back <= clockSlack.Milliseconds() || back <= v.extra.ClockBack {
		return false
	}
	v.extra.ClockBack = back
	return true
}

// clockSlack is how far a clock that is being adjusted may step back unremarked.
const clockSlack = 2 * time.Minute

// ClockBack is how far the device's clock was set back during the visit.
func (v *Visit) ClockBack() time.Duration { return time.Duration(v.extra.ClockBack) * time.Millisecond }

// IsFound says whether the registry does not know the household yet.
func (v *Visit) IsFound() bool { return v.extra.Found != nil }
