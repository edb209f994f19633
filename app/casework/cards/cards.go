// Package cards keeps, of every signed visit, a card: the little that lists,
// checks and overviews need, so that they need not open ten kilobytes of record
// each time. What was signed never changes, so a card is written once.
//
// Cards follow from the visits (design.md §4a): they can be thrown away at will,
// and whatever is decided about a visit is decided on the visit itself. They are
// sealed like everything else.
package cards

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"ironfeet/app/casework/visit"
	"ironfeet/forms"
	"ironfeet/store"
)

// A Card is what lists and checks know of one signed visit.
type Card struct {
	Visit     uuid.UUID    `cbor:"1,keyasint"`
	Household uuid.UUID    `cbor:"2,keyasint"`
	Task      uuid.UUID    `cbor:"3,keyasint,omitempty"`
	Division  string       `cbor:"4,keyasint"`
	Form      string       `cbor:"5,keyasint"`
	Outcome   string       `cbor:"6,keyasint"`
	Started   int64        `cbor:"7,keyasint"` // Unix milliseconds of the tablet's clock
	Ended     int64        `cbor:"8,keyasint"`
	Written   store.Clock  `cbor:"9,keyasint"` // of the change
	Workers   []uuid.UUID  `cbor:"10,keyasint,omitempty"`
	Placed    bool         `cbor:"11,keyasint,omitempty"`
	Lat       int64        `cbor:"12,keyasint,omitempty"` // 1e-7 degrees: no floats in what is kept
	Lon       int64        `cbor:"13,keyasint,omitempty"`
	Accuracy  int64        `cbor:"14,keyasint,omitempty"` // metres, 0 unknown
	Kin       bool         `cbor:"15,keyasint,omitempty"` // 近亲属备案, 民发〔2021〕57号 Art. 11
	KinWho    string       `cbor:"16,keyasint,omitempty"`
	Photos    Digests      `cbor:"17,keyasint,omitempty"`
	Signature store.Digest `cbor:"19,keyasint,omitempty"`
	Answers   Sums         `cbor:"20,keyasint,omitempty"` // one an answer that a person gave, sorted
	Damaged   bool         `cbor:"21,keyasint,omitempty"` // it cannot be read: nothing else is known
	Name      string       `cbor:"22,keyasint,omitempty"` // of a household that the registry did not know
	ClockBack int64        `cbor:"23,keyasint,omitempty"` // ms by which the tablet's clock was set back meanwhile
	Excused   int          `cbor:"24,keyasint,omitempty"` // required questions that nobody could answer
	Node      uuid.UUID    `cbor:"25,keyasint,omitempty"` // whose log it stands in, and where
	Seq       uint64       `cbor:"26,keyasint,omitempty"`
}

// Digests are kept as one byte string: thousands of cards are read in a breath.
type Digests []store.Digest

// MarshalCBOR writes the digests behind each other.
func (d Digests) MarshalCBOR() ([]byte, error) {
	b := make([]byte, 0, len(d)*len(store.Digest{}))
	for i := range d {
		b = append(b, d[i][:]...)
	}
	return encode.Marshal(b)
}

// UnmarshalCBOR reads what MarshalCBOR wrote.
func (d *Digests) UnmarshalCBOR(raw []byte) error {
	var b []byte
	if err := decode.Unmarshal(raw, &b); err != nil {
		return err
	}
	const size = len(store.Digest{})
	if len(b)%size != 0 {
		return errShard
	}
	*d = make(Digests, len(b)/size)
	for i := range *d {
		copy((*d)[i][:], b[i*size:])
	}
	return nil
}

// Sums are 64-bit digests of answers, kept as one byte string.
type Sums []uint64

// MarshalCBOR writes the sums behind each other.
func (s Sums) MarshalCBOR() ([]byte, error) {
	b := make([]byte, 0, len(s)*8)
	for _, n := range s {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return encode.Marshal(b)
}

// UnmarshalCBOR reads what MarshalCBOR wrote.
func (s *Sums) UnmarshalCBOR(raw []byte) error {
	var b []byte
	if err := decode.Unmarshal(raw, &b); err != nil {
		return err
	}
	if len(b)%8 != 0 {
		return errShard
	}
	*s = make(Sums, len(b)/8)
	for i := range *s {
		(*s)[i] = binary.BigEndian.Uint64(b[i*8:])
	}
	return nil
}

var errShard = errors.New("not a card of this version")

// EndedAt is when the visit was signed, by the tablet's clock.
func (c *Card) EndedAt() time.Time { return time.UnixMilli(c.Ended) }

// StartedAt is when its first screen was opened.
func (c *Card) StartedAt() time.Time { return time.UnixMilli(c.Started) }

// Names of questions a card looks for (domain.md §4.1).
const (
	QuestionPlace = "location"
	QuestionKin   = "kin_staff"
	QuestionWho   = "kin_who"
)

// Of makes a visit's card.
func Of(s *visit.Signed) Card {
	c := Card{
		Visit: s.ID, Household: s.Content.Household, Task: s.Content.Task, Division: s.Division, Form: s.Record.Form,
		Outcome: s.Content.Outcome, Started: s.Content.Started, Ended: s.Content.Ended, Written: s.At, Workers: s.Investigator,
		Signature: s.Content.Signature.Digest, ClockBack: s.Content.ClockBack, Excused: len(s.Content.Excused),
	}
	if s.Content.Found != nil {
		c.Name = s.Content.Found.Name
	}
	for _, p := range s.Content.Photos {
		c.Photos = append(c.Photos, p.Digest)
	}
	for _, a := range s.Record.Answers {
		switch name := forms.NameOf(a.Path); name {
		case QuestionPlace:
			c.place(a.Value)
		case QuestionKin:
			c.Kin = a.Value == "yes"
		case QuestionWho:
			c.KinWho = a.Value
		}
		if given(a) {
			c.Answers = append(c.Answers, digest(a.Path, a.Value))
		}
	}
	slices.Sort(c.Answers)
	return c
}

// given says whether a person gave the answer, and would give it anew each time:
// not what the form or the tablet worked out, nor days, photos and places.
func given(a forms.Answer) bool {
	switch a.Type {
	case "calculate", "hidden", "start", "end", "today", "deviceid", "username", "image", "geopoint", "date", "dateTime", "time", "note", "phonenumber", "audit":
		return false
	}
	return true
}

func digest(path, value string) uint64 {
	sum := sha256.Sum256([]byte(path + "\x00" + value))
	return binary.BigEndian.Uint64(sum[:8])
}

var geopoint = regexp.MustCompile(`^(-?\d{1,2}(?:\.\d+)?) (-?\d{1,3}(?:\.\d+)?)(?: -?\d+(?:\.\d+)?)?(?: (\d+(?:\.\d+)?))?$`)

// place reads a geopoint: latitude, longitude, altitude, accuracy.
func (c *Card) place(value string) {
	m := geopoint.FindStringSubmatch(strings.TrimSpace(value))
	if m == nil {
		return
	}
	lat, err1 := strconv.ParseFloat(m[1], 64)
	lon, err2 := strconv.ParseFloat(m[2], 64)
	if err1 != nil || err2 != nil || lat < -90 || lat > 90 || lon < -180 || lon > 180 {
		return
	}
	c.Placed, c.Lat, c.Lon = true, int64(lat*1e7), int64(lon*1e7)
	if acc, err := strconv.ParseFloat(m[3], 64); err == nil && acc < 1e6 {
		c.Accuracy = int64(acc + 0.5)
	}
}

// A Box holds the cards of one replica. It may be used by many at once.
type Box struct {
	r     *store.Replica
	mu    sync.Mutex
	cards map[uuid.UUID]*Card
}

// Shards spread the cards over settings, so that a day's visits rewrite little.
const shards = 64

const (
	settingCards = "cards/"
	version      = 2
)

type shard struct {
	Version int    `cbor:"1,keyasint"`
	Cards   []Card `cbor:"2,keyasint"`
}

var (
	encode, _ = cbor.CoreDetEncOptions().EncMode()
	decode, _ = cbor.DecOptions{MaxArrayElements: 1 << 20, MaxNestedLevels: 8}.DecMode()
)

// Open opens the box as it was left. A shard of another version is forgotten: it
// will be made anew.
func Open(ctx context.Context, r *store.Replica) (*Box, error) {
	b := &Box{r: r, cards: map[uuid.UUID]*Card{}}
	for i := range shards {
		raw, err := r.Setting(ctx, fmt.Sprint(settingCards, i))
		if err != nil {
			return nil, err
		}
		var s shard
		if len(raw) == 0 || decode.Unmarshal(raw, &s) != nil || s.Version != version {
			continue
		}
		for j := range s.Cards {
			b.cards[s.Cards[j].Visit] = &s.Cards[j]
		}
	}
	return b, nil
}

// Refresh makes the cards of visits that have none, and throws away those of
// visits that are no longer here (a revocation took them back). It says how many
// it made.
func (b *Box) Refresh(ctx context.Context) (made int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rows, err := b.r.Rows(ctx, store.Query{Kind: store.Visit})
	if err != nil {
		return 0, err
	}
	here := make(map[uuid.UUID]bool, len(rows))
	touched := map[int]bool{}
	for _, row := range rows {
		here[row.ID] = true
		if c := b.cards[row.ID]; c != nil && c.Written == row.Updated {
			continue
		}
		e, err := b.r.Entity(ctx, row.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return made, err
		}
		c := Card{Visit: row.ID, Division: row.Division, Written: row.Updated, Damaged: true}
		c.Household, _ = uuid.Parse(row.Parent) // uuid.Nil where it names none
		if s, err := visit.FromEntity(e); err == nil {
			c = Of(s)
		}
		heads, err := b.r.Heads(ctx, row.ID, "digest")
		if err != nil {
			return made, err
		}
		if len(heads) > 0 {
			c.Node, c.Seq = heads[0].Node, heads[0].Seq
		}
		b.cards[row.ID] = &c
		touched[shardOf(row.ID)] = true
		made++
	}
	for id := range b.cards {
		if !here[id] {
			delete(b.cards, id)
			touched[shardOf(id)] = true
		}
	}
	return made, b.save(ctx, touched)
}

func shardOf(id uuid.UUID) int { return int(id[15]) % shards }

func (b *Box) save(ctx context.Context, touched map[int]bool) error {
	if len(touched) == 0 {
		return nil
	}
	sorted := map[int][]Card{}
	for id, c := range b.cards {
		if n := shardOf(id); touched[n] {
			sorted[n] = append(sorted[n], *c)
		}
	}
	for n := range touched {
		list := sorted[n]
		slices.SortFunc(list, func(x, y Card) int { return strings.Compare(x.Visit.String(), y.Visit.String()) })
		raw, err := encode.Marshal(shard{version, list})
		if err != nil {
			return fmt.Errorf("keep the cards: %w", err)
		}
		if err := b.r.SetSetting(ctx, fmt.Sprint(settingCards, n), raw); err != nil {
			return err
		}
	}
	return nil
}

// Get is a visit's card, nil if there is none.
func (b *Box) Get(id uuid.UUID) *Card {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cards[id]
}

// All are all cards, by the time of the visit.
func (b *Box) All() []*Card {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.Collect(maps.Values(b.cards))
	slices.SortFunc(list, func(x, y *Card) int {
		if x.Ended != y.Ended {
			return int(max(min(x.Ended-y.Ended, 1), -1))
		}
		return strings.Compare(x.Visit.String(), y.Visit.String())
	})
	return list
}
