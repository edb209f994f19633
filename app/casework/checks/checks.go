// Package checks looks over signed visits and says what a reviewer should look at
// twice: a photo used before, two houses too far apart in the time between, a
// place far from the village, a record that repeats the last one everywhere.
//
// Each finding is a hint with its numbers, never a verdict (个人信息保护法 Art. 24):
// a family has moved, a tablet's clock was wrong, one team does one village. What
// counts as far or fast is a parameter.
//
//	Look reads cards and hashes; it opens no record and writes nothing.
package checks

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/cards"
	"ironfeet/app/casework/photos"
	"ironfeet/store"
)

// A Hint is one thing to look at, with its numbers. Its Code is the key of its
// sentence, in which the other fields stand.
type Hint struct {
	Code    string // check.same_photo, …
	Grave   bool   // keeps the visit out of a batch
	Count   int    // photos, visits, answers, bits
	Of      int    // out of how many
	Metres  int
	Minutes int
	Limit   int // what it was compared with, in the unit of what it is about
	Text    string
	Other   uuid.UUID    // the visit it was compared with
	Person  uuid.UUID    // the investigator it is about
	Partner uuid.UUID    // and the other
	Photo   store.Digest // of this visit
	Like    store.Digest // of the other visit
}

// Codes of the hints.
const (
	SamePhoto  = "check.same_photo"  // the very same file in another visit
	PhotoTwice = "check.photo_twice" // one file for two questions of this visit
	LikePhoto  = "check.like_photo"  // another household's photo looks the same
	TooFast    = "check.too_fast"    // too far apart in the time between
	TwoPlaces  = "check.two_places"  // one investigator in two visits at once
	TooMany    = "check.too_many"    // visits in an hour
	Far        = "check.far"         // from the village's other visits
	Moved      = "check.moved"       // from this household's earlier visits
	NoPlace    = "check.no_place"
	Backwards  = "check.backwards" // ended before it began
	Short      = "check.short"
	Long       = "check.long"
	Night      = "check.night"
	Future     = "check.future"     // ended after this machine's clock
	ClockBack  = "check.clock_back" // the tablet's clock was set back during the visit
	Excused    = "check.excused"    // required questions that nobody could answer
	Unchanged  = "check.unchanged"
	Kin        = "check.kin"  // of staff, without county visit (民发〔2021〕57号 Art. 11, 20)
	Pair       = "check.pair" // always the same two
	Unreadable = "check.unreadable"
)

// Codes lists every code, in the order in which hints are shown.
var Codes = []string{Unreadable, SamePhoto, PhotoTwice, LikePhoto, TwoPlaces, TooFast, TooMany, Backwards, Future, ClockBack, Excused, Kin, Unchanged, Far, Moved, Short, Long, Night, Pair, NoPlace}

// Params say what is far, fast, short. They are data: a county in the plains and
// one in the mountains differ.
type Params struct {
	LikeBits       int `json:"like_bits"`       // photos at most so many of 64 bits apart
	KmPerHour      int `json:"km_per_hour"`     // faster than that between two doors is impossible
	LeastMetres    int `json:"least_metres"`    // nearer doors are never too fast: a GPS is off by so much
	PerHour        int `json:"per_hour"`        // more completed visits in one hour
	FarMetres      int `json:"far_metres"`      // from the middle of the village's visits
	MovedMetres    int `json:"moved_metres"`    // from the household's earlier place
	VillageVisits  int `json:"village_visits"`  // so many places make a middle
	ShortMinutes   int `json:"short_minutes"`   // a completed visit
	LongMinutes    int `json:"long_minutes"`    //
	NightFrom      int `json:"night_from"`      // hour of the day
	NightTo        int `json:"night_to"`        //
	UnchangedLeast int `json:"unchanged_least"` // answers, from which on repetition is worth a word
	PairVisits     int `json:"pair_visits"`     // an investigator's visits, from which on
	PairPercent    int `json:"pair_percent"`    // so many with one partner
	PairDays       int `json:"pair_days"`       // looked back
	FutureMinutes  int `json:"future_minutes"`  // a tablet's clock may run ahead by so much
}

// Default are values for mountain villages.
var Default = Params{
	LikeBits: 5, KmPerHour: 60, LeastMetres: 500, PerHour: 4, FarMetres: 5000, MovedMetres: 500, VillageVisits: 5,
	ShortMinutes: 5, LongMinutes: 8 * 60, NightFrom: 21, NightTo: 6, UnchangedLeast: 20, PairVisits: 30, PairPercent: 90, PairDays: 90, FutureMinutes: 60,
}

const settingParams = "checks/params"

// ParamsOf are a node's own parameters, or the default ones.
func ParamsOf(ctx context.Context, r *store.Replica) (Params, error) {
	raw, err := r.Setting(ctx, settingParams)
	p := Default
	if err != nil || len(raw) == 0 {
		return p, err
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return Default, fmt.Errorf("read the parameters of the checks: %w", err)
	}
	return p, nil
}

// SetParams keeps a node's own parameters.
func SetParams(ctx context.Context, r *store.Replica, p Params) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return r.SetSetting(ctx, settingParams, raw)
}

// A Case is what there is to look at.
type Case struct {
	Cards  []*cards.Card // all that are here, by time
	Album  *photos.Album // nil: photos are compared by digest only
	Params Params
	Now    time.Time
	Zone   *time.Location              // of the villages; nil: the machine's
	County func(person uuid.UUID) bool // whether somebody works for the county
	Stands func(visit uuid.UUID) bool  // false: returned, it does not count any more; nil: all stand
}

// Look looks at some of the visits and returns the hints of each that has any.
func (c *Case) Look(visits ...uuid.UUID) map[uuid.UUID][]Hint {
	wanted := make(map[uuid.UUID]bool, len(visits))
	for _, id := range visits {
		wanted[id] = true
	}
	l := &looking{Case: c, found: map[uuid.UUID][]Hint{}, byID: map[uuid.UUID]*cards.Card{}, owners: map[store.Digest][]*cards.Card{}, homes: map[uuid.UUID][]*cards.Card{}}
	l.gather()
	for _, card := range c.Cards {
		if wanted[card.Visit] {
			l.card(card)
		}
	}
	l.paces(wanted)
	l.pairs(wanted)
	order := map[string]int{}
	for i, code := range Codes {
		order[code] = i
	}
	for _, list := range l.found {
		slices.SortStableFunc(list, func(a, b Hint) int { return cmp.Compare(order[a.Code], order[b.Code]) })
	}
	return l.found
}
