package store

import (
	"bytes"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"
)

// index is the look-up, in memory only: nothing of it lies on the disk but its
// sealed snapshot. Each kind of text is one byte buffer, one line a person, read
// through with bytes.Index: 100,000 households are read in a few milliseconds, which
// no SQL index does for two characters.
//
// Everything is arrays of plain bytes and numbers, so that a snapshot is read back
// by copying them. The maps are made when the first change comes.
type index struct {
	mu     sync.RWMutex
	homes  homes
	people people
	dead   int     // people whose lines are passed over until the buffers are made anew
	at     *places // nil: not made yet

	names, spelled, initials, numbers, located column
}

// homes are the households. One whose own is gone is known by its members only, or
// was deleted; it is not found.
type homes struct {
	id              []uuid.UUID
	own             []int32  // the person whose label is the household's, -1: none
	division, state []uint16 // in the lists of texts
	divisions       []string
	states          []string
}

// people are the entities' lines: households themselves, and members.
type people struct {
	id     []uuid.UUID
	home   []int32 // -1: dead
	labels []byte  // names as they are written
	start  []uint32
}

// places find an entity in the arrays.
type places struct {
	home   map[uuid.UUID]int32 // household -> homes
	person map[uuid.UUID]int32 // household or member -> people
}

func (p *people) label(n int32) string {
	end := len(p.labels)
	if int(n)+1 < len(p.start) {
		end = int(p.start[n+1])
	}
	return string(p.labels[p.start[n]:end])
}

func (h *homes) divisionOf(n int32) string { return h.divisions[h.division[n]] }
func (h *homes) stateOf(n int32) string    { return h.states[h.state[n]] }

// intern returns a text's number in a list. A county has some hundred villages and
// a handful of states; what no longer fits counts as none.
func intern(list *[]string, text string) uint16 {
	if len(*list) == 0 {
		*list = append(*list, "")
	}
	// The newest first: entities come village by village.
	for i := len(*list) - 1; i >= 0; i-- {
		if (*list)[i] == text {
			return uint16(i)
		}
	}
	if len(*list) > 1<<16-1 {
		return 0
	}
	*list = append(*list, text)
	return uint16(len(*list) - 1)
}

// A column is one buffer: lines that end with a line feed, and whose they are.
type column struct {
	text  []byte
	start []uint32 // of each line
	whose []int32
}

func (c *column) add(whose int32, line string) {
	if line == "" {
		return
	}
	c.start = append(c.start, uint32(len(c.text)))
	c.whose = append(c.whose, whose)
	c.text = append(append(c.text, line...), '\n')
}

// each visits the lines that hold a word, each once, and says whether they begin
// and end with it.
func (c *column) each(word string, visit func(whose int32, begins, ends bool)) {
	pattern := []byte(word)
	line := 0
	for at := 0; ; {
		i := bytes.Index(c.text[at:], pattern)
		if i < 0 {
			return
		}
		at += i
		line = c.lineAt(line, uint32(at))
		end := int(c.end(line))
		behind := at + len(pattern)
		visit(c.whose[line], at == int(c.start[line]), behind == end-1 || behind == end)
		at = end
		if at >= len(c.text) {
			return
		}
	}
}

// end is where a line ends, behind its line feed.
func (c *column) end(line int) uint32 {
	if line+1 < len(c.start) {
		return c.start[line+1]
	}
	return uint32(len(c.text))
}

// lineAt finds the line that holds a position, from an earlier one on: hits come in
// order, and often close together.
func (c *column) lineAt(from int, at uint32) int {
	step := 1
	for from+step < len(c.start) && c.start[from+step] <= at {
		from += step
		step *= 2
	}
	n, found := slices.BinarySearch(c.start[from:min(from+step, len(c.start))], at)
	if !found {
		n--
	}
	return from + n
}

func newIndex() *index { return &index{} }

// find makes the maps if they are not there.
func (x *index) find() *places {
	if x.at == nil {
		x.at = &places{make(map[uuid.UUID]int32, len(x.homes.id)), make(map[uuid.UUID]int32, len(x.people.id))}
		for n, id := range x.homes.id {
			x.at.home[id] = int32(n)
		}
		for n, id := range x.people.id {
			if x.people.home[n] >= 0 {
				x.at.person[id] = int32(n)
			}
		}
	}
	return x.at
}

// An entry is what the look-up knows of one household or member.
type entry struct {
	id, home                  uuid.UUID
	household, deleted        bool
	name, division, state     string
	numbers, places, readings []string // readings: full and initials by turns
}

func entryOf(e *Entity) (entry, bool) {
	out := entry{id: e.ID, home: e.ID, household: e.Kind == Household, deleted: e.Deleted(), name: e.Text("name"), division: e.Division, state: e.Text("state")}
	if e.Kind == Member {
		parent, err := uuid.Parse(e.Text("parent"))
		if err != nil {
			return out, false
		}
		out.home = parent
	}
	for _, field := range []string{"id_no", "phone"} {
		if n := e.Text(field); n != "" {
			out.numbers = append(out.numbers, fold(n))
		}
	}
	if out.household {
		for _, field := range []string{"address", "village"} {
			if p := e.Text(field); p != "" {
				out.places = append(out.places, fold(p))
			}
		}
	}
	out.readings = readings(out.name)
	return out, true
}

func (x *index) homeAt(id uuid.UUID) int32 {
	n, known := x.find().home[id]
	if !known {
		n = int32(len(x.homes.id))
		x.homes.id = append(x.homes.id, id)
		x.homes.own = append(x.homes.own, -1)
		x.homes.division = append(x.homes.division, 0)
		x.homes.state = append(x.homes.state, 0)
		x.at.home[id] = n
		intern(&x.homes.divisions, "")
		intern(&x.homes.states, "")
	}
	return n
}

// put takes in an entry in place of what was known of the same entity.
func (x *index) put(e entry) {
	x.bury(e.id)
	at := x.homeAt(e.home)
	if e.household {
		x.homes.division[at], x.homes.state[at] = intern(&x.homes.divisions, e.division), intern(&x.homes.states, e.state)
	}
	if e.deleted {
		return
	}
	n := int32(len(x.people.id))
	x.people.id = append(x.people.id, e.id)
	x.people.home = append(x.people.home, at)
	x.people.start = append(x.people.start, uint32(len(x.people.labels)))
	x.people.labels = append(x.people.labels, e.name...)
	x.at.person[e.id] = n
	if e.household {
		x.homes.own[at] = n
	}
	x.write(n, e)
}

func (x *index) write(n int32, e entry) {
	x.names.add(n, strings.ToLower(e.name))
	for i := 0; i+1 < len(e.readings); i += 2 {
		x.spelled.add(n, e.readings[i])
		x.initials.add(n, e.readings[i+1])
	}
	for _, t := range e.numbers {
		x.numbers.add(n, t)
	}
	for _, t := range e.places {
		x.located.add(n, t)
	}
}

// bury forgets what is known of an entity.
func (x *index) bury(id uuid.UUID) {
	n, known := x.find().person[id]
	if !known {
		return
	}
	if at := x.people.home[n]; x.homes.own[at] == n {
		x.homes.own[at] = -1
	}
	x.people.home[n] = -1
	delete(x.at.person, id)
	x.dead++
}

// take brings the look-up up to date with what a transaction touched; nil is gone.
func (x *index) take(shown map[uuid.UUID]*Entity) {
	if len(shown) == 0 {
		return
	}
	fresh := make([]entry, 0, len(shown))
	for id, e := range shown {
		if e == nil {
			fresh = append(fresh, entry{id: id})
		} else if entry, ok := entryOf(e); ok {
			fresh = append(fresh, entry)
		}
	}
	slices.SortFunc(fresh, func(a, b entry) int { return bytes.Compare(a.id[:], b.id[:]) })
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range fresh {
		if e.home == uuid.Nil {
			x.bury(e.id)
		} else {
			x.put(e)
		}
	}
	if x.dead > 1000 && x.dead > len(x.people.id)/4 {
		x.compact()
	}
}

// compact writes the buffers anew without what is dead.
func (x *index) compact() {
	if x.dead == 0 {
		return
	}
	to := make([]int32, len(x.people.id))
	var live people
	for n, at := range x.people.home {
		to[n] = -1
		if at < 0 {
			continue
		}
		to[n] = int32(len(live.id))
		if x.homes.own[at] == int32(n) {
			x.homes.own[at] = to[n]
		}
		live.id = append(live.id, x.people.id[n])
		live.home = append(live.home, at)
		live.start = append(live.start, uint32(len(live.labels)))
		live.labels = append(live.labels, x.people.label(int32(n))...)
	}
	for _, c := range x.columns() {
		old := *c
		*c = column{}
		for i, whose := range old.whose {
			if to[whose] >= 0 {
				c.start = append(c.start, uint32(len(c.text)))
				c.whose = append(c.whose, to[whose])
				c.text = append(c.text, old.text[old.start[i]:old.end(i)]...)
			}
		}
	}
	x.people, x.dead, x.at = live, 0, nil
	x.find()
}

func (x *index) columns() []*column {
	return []*column{&x.names, &x.spelled, &x.initials, &x.numbers, &x.located}
}
