package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// A state is what follows from all changes of one entity: of every field the heads,
// which changes were applied, and which are superseded though they have not come
// yet. It is a pure function of the set of changes (invariant 2): add may be called
// in any order.
//
// One sealed row an entity holds all of it, so that merging a visit is one row and
// not one a field.
type state struct {
	heads   []fieldHeads // by name
	seen    []ChangeID   // sorted
	awaited []superseded // sorted: replaced before they came
}

// fieldHeads are the heads of one field, the provisional value first.
type fieldHeads struct {
	name  string
	heads []stateHead
}

type stateHead struct {
	*origin
	value Value
}

// An origin is what a head says of the change it comes from.
type origin struct {
	ChangeID
	clock    Clock
	author   uuid.UUID
	kind     Kind
	division string
}

// compare puts what is shown first: the greatest clock, then node and number.
func (o *origin) compare(other *origin) int {
	return cmp.Or(cmp.Compare(other.clock, o.clock), other.ChangeID.compare(o.ChangeID))
}

type superseded struct {
	field string
	id    ChangeID
}

func (s superseded) compare(other superseded) int {
	return cmp.Or(strings.Compare(s.field, other.field), s.id.compare(other.id))
}

// add takes in one change and says whether it was new.
func (s *state) add(c *Change) bool {
	at, here := slices.BinarySearchFunc(s.seen, c.ChangeID, ChangeID.compare)
	if here {
		return false
	}
	s.seen = slices.Insert(s.seen, at, c.ChangeID)
	o := &origin{c.ChangeID, c.Clock, c.Author, c.Kind, c.Division}
	for i := range c.Fields {
		f := &c.Fields[i]
		late := s.expects(f.Name, c.ChangeID) // its successor came first
		at, there := slices.BinarySearchFunc(s.heads, f.Name, func(h fieldHeads, name string) int { return strings.Compare(h.name, name) })
		if !there {
			s.heads = slices.Insert(s.heads, at, fieldHeads{name: f.Name})
		}
		h := &s.heads[at]
		for _, id := range f.Supersedes {
			late = late || id == c.ChangeID
			if j := slices.IndexFunc(h.heads, func(x stateHead) bool { return x.ChangeID == id }); j >= 0 {
				h.heads = slices.Delete(h.heads, j, j+1)
			} else if _, came := slices.BinarySearchFunc(s.seen, id, ChangeID.compare); !came {
				s.await(superseded{f.Name, id})
			}
		}
		if !late {
			at, _ := slices.BinarySearchFunc(h.heads, o, func(x stateHead, o *origin) int { return x.compare(o) })
			h.heads = slices.Insert(h.heads, at, stateHead{o, f.Value})
		}
	}
	s.heads = slices.DeleteFunc(s.heads, func(h fieldHeads) bool { return len(h.heads) == 0 })
	if len(s.awaited) > 0 {
		s.awaited = slices.DeleteFunc(s.awaited, func(x superseded) bool { return x.id == c.ChangeID })
	}
	return true
}

func (s *state) expects(field string, id ChangeID) bool {
	_, found := slices.BinarySearchFunc(s.awaited, superseded{field, id}, superseded.compare)
	return found
}

func (s *state) await(x superseded) {
	if at, found := slices.BinarySearchFunc(s.awaited, x, superseded.compare); !found {
		s.awaited = slices.Insert(s.awaited, at, x)
	}
}

// of returns the heads of a field.
func (s *state) of(field string) []stateHead {
	at, found := slices.BinarySearchFunc(s.heads, field, func(h fieldHeads, name string) int { return strings.Compare(h.name, name) })
	if !found {
		return nil
	}
	return s.heads[at].heads
}

// entity returns the state as this node shows it; nil if no field has a head.
func (s *state) entity(id uuid.UUID) *Entity {
	if len(s.heads) == 0 {
		return nil
	}
	e := &Entity{ID: id, Fields: make(map[string]Value, len(s.heads))}
	newest := s.heads[0].heads[0].origin
	for i := range s.heads {
		h := &s.heads[i]
		if first := h.heads[0]; first.compare(newest) < 0 {
			newest = first.origin
		}
		if v := h.heads[0].value; !v.IsNull() {
			e.Fields[h.name] = v
		}
		if torn(h.heads) {
			e.Conflicts = append(e.Conflicts, h.name)
		}
	}
	e.Kind, e.Division, e.Updated = newest.kind, newest.division, newest.clock
	return e
}

// torn says whether heads differ: the same value twice is no conflict.
func torn(heads []stateHead) bool {
	for i := 1; i < len(heads); i++ {
		if !bytes.Equal(heads[i].value, heads[0].value) {
			return true
		}
	}
	return false
}

func exported(heads []stateHead) []Head {
	list := make([]Head, len(heads))
	for i, h := range heads {
		list[i] = Head{h.ChangeID, h.clock, h.author, h.value}
	}
	return list
}

// The bytes of a state: a version, then ids once each, the changes that were
// applied, the origins of heads, the fields, and what is awaited. Numbers are
// varints. They are derived, so another version means: rebuild.
const stateVersion = 1

func (s *state) append(b []byte) []byte {
	ids := map[uuid.UUID]uint64{}
	var order []uuid.UUID
	number := func(id uuid.UUID) uint64 {
		n, known := ids[id]
		if !known {
			n = uint64(len(order))
			ids[id] = n
			order = append(order, id)
		}
		return n
	}
	origins := map[*origin]uint64{}
	var from []*origin
	for _, id := range s.seen {
		number(id.Node)
	}
	for _, f := range s.heads {
		for _, h := range f.heads {
			if _, known := origins[h.origin]; !known {
				origins[h.origin] = uint64(len(from))
				from = append(from, h.origin)
				number(h.author)
			}
		}
	}
	for _, x := range s.awaited {
		number(x.id.Node)
	}
	b = append(b, stateVersion)
	b = binary.AppendUvarint(b, uint64(len(order)))
	for _, id := range order {
		b = append(b, id[:]...)
	}
	change := func(id ChangeID) { b = binary.AppendUvarint(binary.AppendUvarint(b, ids[id.Node]), id.Seq) }
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	b = binary.AppendUvarint(b, uint64(len(s.seen)))
	for _, id := range s.seen {
		change(id)
	}
	b = binary.AppendUvarint(b, uint64(len(from)))
	for _, o := range from {
		change(o.ChangeID)
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(o.clock)), ids[o.author])
		text(string(o.kind))
		text(o.division)
	}
	b = binary.AppendUvarint(b, uint64(len(s.heads)))
	for _, f := range s.heads {
		text(f.name)
		b = binary.AppendUvarint(b, uint64(len(f.heads)))
		for _, h := range f.heads {
			b = binary.AppendUvarint(binary.AppendUvarint(b, origins[h.origin]), uint64(len(h.value)))
			b = append(b, h.value...)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(s.awaited)))
	for _, x := range s.awaited {
		text(x.field)
		change(x.id)
	}
	return b
}

var errState = errors.New("the row of an entity does not have the form it must have")

// readState reads what append wrote. Values are parts of b.
func readState(b []byte) (*state, error) {
	r := cursor{b: b}
	if r.byte() != stateVersion {
		return nil, errState
	}
	ids := make([]uuid.UUID, r.count(16))
	for i := range ids {
		copy(ids[i][:], r.take(16))
	}
	id := func() uuid.UUID {
		n := r.number()
		if n >= uint64(len(ids)) {
			r.bad = true
			return uuid.Nil
		}
		return ids[n]
	}
	change := func() ChangeID { node := id(); return ChangeID{node, r.number()} }
	s := &state{seen: make([]ChangeID, r.count(2))}
	for i := range s.seen {
		s.seen[i] = change()
	}
	origins := make([]origin, r.count(6))
	for i := range origins {
		o := &origins[i]
		o.ChangeID, o.clock = change(), Clock(r.number())
		o.author = id()
		o.kind, o.division = Kind(r.take(r.number())), string(r.take(r.number()))
	}
	s.heads = make([]fieldHeads, r.count(2))
	for i := range s.heads {
		f := &s.heads[i]
		f.name = string(r.take(r.number()))
		f.heads = make([]stateHead, r.count(2))
		if len(f.heads) == 0 {
			r.bad = true
		}
		for j := range f.heads {
			n := r.number()
			if n >= uint64(len(origins)) {
				return nil, errState
			}
			f.heads[j] = stateHead{&origins[n], Value(r.take(r.number()))}
		}
	}
	s.awaited = make([]superseded, r.count(3))
	for i := range s.awaited {
		s.awaited[i].field = string(r.take(r.number()))
		s.awaited[i].id = change()
	}
	if r.bad || len(r.b) > 0 {
		return nil, errState
	}
	return s, nil
}

// A cursor reads bytes; once something is wrong it reads nothing more.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) byte() byte {
	if b := c.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (c *cursor) number() uint64 {
	n, size := binary.Uvarint(c.b)
	if size <= 0 {
		c.bad, c.b = true, nil
		return 0
	}
	c.b = c.b[size:]
	return n
}

// count is how many items follow, each of at least so many bytes.
func (c *cursor) count(least uint64) int {
	n := c.number()
	if n > uint64(len(c.b))/least {
		c.bad, c.b = true, nil
		return 0
	}
	return int(n)
}

func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.bad, c.b = true, nil
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}
