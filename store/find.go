package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/text/width"
)

// Found is a household that a look-up came upon.
type Found struct {
	Household uuid.UUID
	Label     string // the household's name
	Division  string
	Matched   string // whose name or number it was
}

// A Search is what somebody looks for; zero parts ask for nothing.
type Search struct {
	Text     string // words, each of which must be found: see Search
	Division string // prefix
	State    string // of the household
	Limit    int    // 0: all
}

// Find is Search for a text alone.
func (r *Replica) Find(ctx context.Context, text string, limit int) ([]Found, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	return r.Search(ctx, Search{Text: text, Limit: limit})
}

// Search returns the households that a text leads to. A word is part of a name or
// of an address, the pinyin initials or the full pinyin of a name in any reading of
// it, or the last digits of an ID number or phone. Names that are the word come
// first, then those that begin with it, then those that hold it, then places; within
// each by village and name. Whose household was deleted is not found.
func (r *Replica) Search(_ context.Context, s Search) ([]Found, error) {
	x := r.find
	x.mu.RLock()
	defer x.mu.RUnlock()
	words := strings.Fields(fold(s.Text))
	if len(words) == 0 {
		if s.Division == "" && s.State == "" {
			return nil, nil
		}
		return x.best(s, nil), nil
	}
	found := x.hits(words[0])
	for _, w := range words[1:] {
		found.both(x.hits(w))
	}
	if len(words) > 1 { // "wei da shan" is one name
		found.either(x, x.hits(strings.Join(words, "")))
	}
	return x.best(s, found), nil
}

// fold brings a text into the form in which it is compared: half width, lower case,
// ü as it is typed.
func fold(s string) string {
	s = strings.ToLower(width.Narrow.String(s))
	return strings.NewReplacer("ü", "v", "lyu", "lv", "nyu", "nv").Replace(s)
}

// Ranks of a hit, the best first.
const (
	rankWhole  = iota // the name, or the number's last digits
	rankBegins        // the name begins so
	rankHolds         // the name holds it
	rankPlace         // the address or the village holds it
)

// hits are the best that each household has for a word: who, and how well.
type hits struct {
	rank   []uint8 // by household; none where nothing was found
	person []int32
	homes  []int32 // those that have one
}

const none = 0xff

var spareHits = sync.Pool{New: func() any { return &hits{} }}

func (x *index) noHits() *hits {
	h := spareHits.Get().(*hits)
	if n := len(x.homes.id); len(h.rank) < n {
		h.rank, h.person = make([]uint8, n+n/8), make([]int32, n+n/8)
		for i := range h.rank {
			h.rank[i] = none
		}
	}
	return h
}

// spare gives hits back.
func (h *hits) spare() {
	for _, home := range h.homes {
		h.rank[home] = none
	}
	h.homes = h.homes[:0]
	spareHits.Put(h)
}

// take keeps a hit if it is the household's best; of equals the household's own
// name, else the entity with the smaller id.
func (h *hits) take(x *index, home, person int32, rank uint8) {
	old := h.rank[home]
	if rank > old {
		return
	}
	if rank == old {
		before, own := h.person[home], x.homes.own[home]
		if before == own || person != own && bytes.Compare(x.people.id[person][:], x.people.id[before][:]) >= 0 {
			return
		}
	}
	if old == none {
		h.homes = append(h.homes, home)
	}
	h.rank[home], h.person[home] = rank, person
}

// hits looks a word up in the columns that can hold it.
func (x *index) hits(word string) *hits {
	out := x.noHits()
	look := func(c *column, word string, rank func(begins, ends bool) uint8) {
		c.each(word, func(person int32, begins, ends bool) {
			if home := x.people.home[person]; home >= 0 {
				out.take(x, home, person, rank(begins, ends))
			}
		})
	}
	spelling := func(begins, ends bool) uint8 {
		switch {
		case begins && ends:
			return rankWhole
		case begins:
			return rankBegins
		}
		return rankHolds
	}
	always := func(rank uint8) func(bool, bool) uint8 { return func(bool, bool) uint8 { return rank } }
	switch {
	case strings.Trim(word, "0123456789x") == "" && word != "x":
		look(&x.numbers, word+"\n", always(rankWhole))
		look(&x.located, word, always(rankPlace)) // 3组
	case word[0] < 0x80:
		look(&x.initials, word, spelling)
		if len(word) > 1 {
			look(&x.spelled, word, spelling)
		}
	default:
		look(&x.names, word, spelling)
		look(&x.located, word, always(rankPlace))
	}
	return out
}

// both keeps what two words found.
func (h *hits) both(other *hits) {
	kept := h.homes[:0]
	for _, home := range h.homes {
		if other.rank[home] == none {
			h.rank[home] = none
			continue
		}
		h.rank[home] = max(h.rank[home], other.rank[home])
		kept = append(kept, home)
	}
	h.homes = kept
	other.spare()
}

func (h *hits) either(x *index, other *hits) {
	for _, home := range other.homes {
		h.take(x, home, other.person[home], other.rank[home])
	}
	other.spare()
}

// best returns the best hits in order; nil hits stand for every household.
func (x *index) best(s Search, found *hits) []Found {
	type ranked struct {
		home, person int32
		rank         uint8
	}
	before := func(a, b ranked) int {
		if c := cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(x.homes.divisionOf(a.home), x.homes.divisionOf(b.home))); c != 0 {
			return c
		}
		return cmp.Or(strings.Compare(x.people.label(x.homes.own[a.home]), x.people.label(x.homes.own[b.home])), bytes.Compare(x.homes.id[a.home][:], x.homes.id[b.home][:]))
	}
	// Whether a division lies in the scope is asked once a division.
	within := make([]bool, len(x.homes.divisions))
	for i, d := range x.homes.divisions {
		within[i] = Within(s.Division, d)
	}
	var list []ranked
	consider := func(r ranked) {
		if x.homes.own[r.home] < 0 || !within[x.homes.division[r.home]] || s.State != "" && s.State != x.homes.stateOf(r.home) {
			return
		}
		if s.Limit <= 0 {
			list = append(list, r)
			return
		}
		// Only as many as are asked for are kept in order: one letter may find half
		// the county.
		if len(list) == s.Limit && before(list[len(list)-1], r) <= 0 {
			return
		}
		i, _ := slices.BinarySearchFunc(list, r, before)
		if len(list) == s.Limit {
			list = list[:len(list)-1]
		}
		list = slices.Insert(list, i, r)
	}
	if found == nil {
		for home := range x.homes.id {
			consider(ranked{int32(home), -1, 0})
		}
	} else {
		for _, home := range found.homes {
			consider(ranked{home, found.person[home], found.rank[home]})
		}
		found.spare()
	}
	if s.Limit <= 0 {
		slices.SortFunc(list, before)
	}
	out := make([]Found, len(list))
	for i, r := range list {
		label := x.people.label(x.homes.own[r.home])
		out[i] = Found{Household: x.homes.id[r.home], Label: label, Division: x.homes.divisionOf(r.home), Matched: label}
		if r.person >= 0 {
			out[i].Matched = x.people.label(r.person)
		}
	}
	return out
}

// Label is a household's name and division as the look-up has them, without
// unsealing anything; false for a household that is not here.
func (r *Replica) Label(household uuid.UUID) (label, division string, ok bool) {
	x := r.find
	x.mu.RLock()
	if x.at == nil { // the maps are made under the writer's lock
		x.mu.RUnlock()
		x.mu.Lock()
		x.find()
		x.mu.Unlock()
		x.mu.RLock()
	}
	defer x.mu.RUnlock()
	if x.at == nil { // read anew in between
		return "", "", false
	}
	home, known := x.at.home[household]
	if !known || x.homes.own[home] < 0 {
		return "", "", false
	}
	return x.people.label(x.homes.own[home]), x.homes.divisionOf(home), true
}
