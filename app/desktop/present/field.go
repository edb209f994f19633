package present

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"

	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/device"
	"ironfeet/store"
	"ironfeet/store/photo"
)

// A HouseholdLine is a household in the list of all.
type HouseholdLine struct {
	ID           uuid.UUID
	Title, Under string
}

// Households are all of this machine, by village and name.
func (s *Session) Households(ctx context.Context) ([]HouseholdLine, error) {
	list, err := s.Office.Replica.Entities(ctx, store.Query{Kind: store.Household})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(a, b *store.Entity) int {
		return cmp.Or(cmp.Compare(a.Division, b.Division), cmp.Compare(a.Text("address"), b.Text("address")), cmp.Compare(a.Text("name"), b.Text("name")))
	})
	out := make([]HouseholdLine, 0, len(list))
	for _, e := range list {
		if e.Fields["deleted"].Bool() {
			continue
		}
		out = append(out, HouseholdLine{e.ID, e.Text("name"), firstOf(e.Text("address"), e.Text("village"), e.Division)})
	}
	return out, nil
}

// foundMost is how many hits a search shows.
const foundMost = 200

// Matching are the households that a search finds, the best first; all of them
// while nothing is typed.
func (s *Session) Matching(ctx context.Context, all []HouseholdLine, text string) ([]HouseholdLine, error) {
	hits, err := s.Office.Replica.Find(ctx, text, foundMost)
	if err != nil || len([]rune(text)) == 0 {
		return all, err
	}
	at := make(map[uuid.UUID]HouseholdLine, len(all))
	for _, l := range all {
		at[l.ID] = l
	}
	var out []HouseholdLine
	for _, h := range hits {
		l, ok := at[h.Household]
		if !ok {
			continue
		}
		if h.Matched != h.Label && h.Matched != "" {
			l.Under = s.T("matched", h.Matched) + " · " + l.Under
		}
		out = append(out, l)
	}
	return out, nil
}

// NewHousehold is a household that somebody came upon.
type NewHousehold struct {
	Name, Address string
	Village       Village
	Form          Form
}

// NewFound begins with the first village and form.
func NewFound(places []Village, list []Form) NewHousehold {
	var f NewHousehold
	if len(places) > 0 {
		f.Village = places[0]
	}
	for _, k := range list {
		if f.Form.ID == "" || k.ID == "household_visit" {
			f.Form = k
		}
	}
	return f
}

// Found begins the visit to such a household.
func (s *Session) Found(ctx context.Context, f NewHousehold) (*visit.Visit, error) {
	return s.Desk().Found(ctx, visit.Found{Division: f.Village.Code, Village: f.Village.Name, Name: f.Name, Address: f.Address}, f.Form.ID)
}

// HandOver gives a begun visit to a colleague at the same machine: answers, place
// and photos go with it.
func (s *Session) HandOver(ctx context.Context, draft, to uuid.UUID) error {
	d, err := s.Office.Replica.Draft(ctx, draft)
	if err != nil {
		return err
	}
	if d.Author != s.Person {
		return fmt.Errorf("draft %s: %w", draft, store.ErrNotFound)
	}
	d.Author = to
	return s.Office.Replica.SaveDraft(ctx, *d)
}

// A Machine is whether the device lasts the day.
type Machine struct {
	Battery                int // percent
	Charging, BatteryKnown bool
	SpaceGB                float64
	Visits                 int // that fit on the disk
	SpaceKnown, Low        bool
}

// visitBytes is what a visit with twelve photos takes: originals, copies, and a
// margin (domain.md §5, order of size).
const visitBytes = 60 << 20

// MachineOf judges battery and space. Below 20 percent, or with room for fewer than
// a day's visits, the machine says so before anybody leaves.
func MachineOf(p device.Power, dir string) Machine {
	m := Machine{Battery: p.Percent, Charging: p.Charging, BatteryKnown: p.Known}
	if free, ok := device.Space(dir); ok {
		m.SpaceKnown, m.SpaceGB, m.Visits = true, float64(free)/1e9, int(free/visitBytes)
	}
	m.Low = m.BatteryKnown && !m.Charging && m.Battery < 20 || m.SpaceKnown && m.Visits < 10
	return m
}

// Sign records how the householder signed. A thumbprint's photo is made as small as
// every other photo.
func (s *Session) Sign(ctx context.Context, v *visit.Visit, sig visit.Signature, picture io.Reader) error {
	if sig.Mode == visit.Thumbprint && picture != nil {
		head := bufio.NewReader(io.LimitReader(picture, visit.MaxPhotoBytes))
		if start, _ := head.Peek(12); visit.IsHEIC(start) {
			return &visit.PhotoError{Why: "heic"}
		}
		made, err := photo.Make(head)
		if err != nil {
			return err
		}
		picture = bytes.NewReader(made.JPEG)
	}
	return v.Sign(ctx, sig, picture)
}
