package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/mozillazg/go-pinyin"
)

// Found is a household that a look-up came upon.
type Found struct {
	Household uuid.UUID
	Label     string // the household's name
	Division  string
	Matched   string // whose name or number it was
}

// index is the look-up, in memory only: nothing of it is on the disk. One line a
// person: name, initials, full pinyin, ID number, phone. 100,000 people are 4 MB
// and are read through in a few milliseconds, which no SQL index answers for two
// characters.
type index struct {
	mu         sync.RWMutex
	households map[uuid.UUID]*indexed
	home       map[uuid.UUID]uuid.UUID // member -> household
}

type indexed struct {
	label, division string
	lines           map[uuid.UUID]line // by entity
}

type line struct{ name, text string }

func newIndex() *index {
	return &index{households: map[uuid.UUID]*indexed{}, home: map[uuid.UUID]uuid.UUID{}}
}

// index reads the whole look-up anew.
func (r *Replica) index(ctx context.Context) error {
	fresh := newIndex()
	for _, kind := range []Kind{Household, Member} {
		list, err := r.Entities(ctx, Query{Kind: kind})
		if err != nil {
			return err
		}
		for _, e := range list {
			fresh.put(e)
		}
	}
	r.find.mu.Lock()
	defer r.find.mu.Unlock()
	r.find.households, r.find.home = fresh.households, fresh.home
	return nil
}

// take brings the look-up up to date with what a transaction touched.
func (x *index) take(shown map[uuid.UUID]*Entity) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, e := range shown {
		if e != nil {
			x.put(e)
		} else {
			x.remove(id)
		}
	}
}

func (x *index) remove(id uuid.UUID) {
	home, ok := x.home[id]
	if !ok {
		home = id
	}
	if h := x.households[home]; h != nil {
		delete(h.lines, id)
	}
	delete(x.home, id)
}

func (x *index) put(e *Entity) {
	home := e.ID
	if e.Kind == Member {
		parent, err := uuid.Parse(e.Text("parent"))
		if err != nil {
			return
		}
		home = parent
		if old, ok := x.home[e.ID]; ok && old != home {
			delete(x.households[old].lines, e.ID)
		}
		x.home[e.ID] = home
	}
	h := x.households[home]
	if h == nil {
		h = &indexed{lines: map[uuid.UUID]line{}}
		x.households[home] = h
	}
	if e.Kind == Household {
		h.label, h.division = e.Text("name"), e.Division
	}
	if e.Fields["deleted"].Bool() {
		delete(h.lines, e.ID)
		return
	}
	name := e.Text("name")
	h.lines[e.ID] = line{name, strings.ToLower(strings.Join(append(readings(name), name, e.Text("id_no"), e.Text("phone")), "\n"))}
}

// Find returns the households that a text leads to: part of a name, pinyin
// initials, full pinyin, or the last digits of an ID number or phone. Names that
// begin with the text come first.
func (r *Replica) Find(_ context.Context, text string, limit int) ([]Found, error) {
	text = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(text), " ", ""))
	if text == "" {
		return nil, nil
	}
	digits := strings.Trim(text, "0123456789x") == ""
	type ranked struct {
		Found
		rank int
	}
	var list []ranked
	r.find.mu.RLock()
	for id, h := range r.find.households {
		best := ranked{rank: 9}
		for _, l := range h.lines {
			rank := 9
			for part := range strings.SplitSeq(l.text, "\n") {
				switch {
				case part == "":
				case digits && strings.HasSuffix(part, text):
					rank = min(rank, 0)
				case !digits && strings.HasPrefix(part, text):
					rank = min(rank, 1)
				case !digits && strings.Contains(part, text):
					rank = min(rank, 2)
				}
			}
			if rank < best.rank || rank == best.rank && rank < 9 && l.name < best.Matched {
				best = ranked{Found{id, h.label, h.division, l.name}, rank}
			}
		}
		if best.rank < 9 {
			list = append(list, best)
		}
	}
	r.find.mu.RUnlock()
	slices.SortFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.Division, b.Division), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Household.String(), b.Household.String()))
	})
	out := make([]Found, 0, min(len(list), limit))
	for _, f := range list[:min(len(list), limit)] {
		out = append(out, f.Found)
	}
	return out, nil
}

// Surnames whose first dictionary reading is not how the family says it. Both
// readings are kept: a worker may know either.
var surnames = map[rune]string{
	'单': "shan", '曾': "zeng", '仇': "qiu", '区': "ou", '盖': "ge", '解': "xie", '查': "zha", '朴': "piao", '任': "ren",
	'华': "hua", '尉': "yu", '翟': "zhai", '员': "yun", '乐': "yue", '黑': "he", '秘': "bi", '缪': "miao", '洗': "xian",
	'逄': "pang", '覃': "qin", '召': "shao", '折': "she", '种': "chong", '重': "chong", '万': "wan", '俞': "yu", '纪': "ji",
	'长': "chang", '晟': "cheng", '适': "kuo", '隗': "wei", '宓': "fu", '教': "jiao", '燕': "yan", '宁': "ning",
}

// readings returns full pinyin and initials of a name, for each reading of the
// surname.
func readings(name string) []string {
	args := pinyin.NewArgs()
	args.Fallback = func(r rune, _ pinyin.Args) []string { return []string{string(r)} }
	var syllables []string
	for _, s := range pinyin.Pinyin(name, args) {
		if len(s) > 0 {
			syllables = append(syllables, s[0])
		}
	}
	if len(syllables) == 0 {
		return nil
	}
	write := func() []string {
		var full, initials strings.Builder
		for _, s := range syllables {
			full.WriteString(s)
			for _, r := range s {
				initials.WriteRune(r)
				break
			}
		}
		return []string{full.String(), initials.String()}
	}
	out := write()
	for _, first := range name {
		if said, ok := surnames[first]; ok && said != syllables[0] {
			syllables[0] = said
			out = append(out, write()...)
		}
		break
	}
	return out
}

// Label is a household's name and division as the look-up has them, without
// unsealing anything; false for a household that is not here.
func (r *Replica) Label(household uuid.UUID) (label, division string, ok bool) {
	r.find.mu.RLock()
	defer r.find.mu.RUnlock()
	h := r.find.households[household]
	if h == nil {
		return "", "", false
	}
	return h.label, h.division, true
}
