package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The slow truth: a head is a change to a field that no change of the set
// supersedes.
func headsOf(changes []Change, field string) (ids []ChangeID) {
	gone := map[ChangeID]bool{}
	for _, c := range changes {
		for _, f := range c.Fields {
			if f.Name == field {
				for _, s := range f.Supersedes {
					gone[s] = true
				}
			}
		}
	}
	for _, c := range changes {
		if slices.ContainsFunc(c.Fields, func(f Field) bool { return f.Name == field }) && !gone[c.ChangeID] {
			ids = append(ids, c.ChangeID)
		}
	}
	slices.SortFunc(ids, ChangeID.compare)
	return ids
}

// Any set of changes, in any order, with any repetition, split into any parts that
// are kept as bytes in between, gives the same bytes: merge is commutative,
// associative and idempotent (invariant 2).
func TestAStateIsAFunctionOfTheSet(t *testing.T) {
	fields := []string{"id_no", "name", "phone"}
	rapid.Check(t, func(t *rapid.T) {
		var set []Change
		for i := range rapid.IntRange(1, 14).Draw(t, "changes") {
			c := Change{
				ChangeID: ChangeID{uuid.UUID{15: byte(rapid.IntRange(1, 3).Draw(t, "node"))}, uint64(i + 1)},
				Clock:    Clock(rapid.IntRange(0, 5).Draw(t, "clock")), Kind: Household, Entity: uuid.UUID{1}, Division: "459921100201",
				Author: uuid.UUID{14: byte(rapid.IntRange(1, 2).Draw(t, "author"))},
			}
			for _, name := range fields {
				if !rapid.Bool().Draw(t, "sets "+name) {
					continue
				}
				f := Field{Name: name, Value: Int(int64(rapid.IntRange(0, 2).Draw(t, "value")))}
				// Anything at all: earlier, later, of another field, never written.
				for range rapid.IntRange(0, 3).Draw(t, "supersedes") {
					f.Supersedes = append(f.Supersedes, ChangeID{uuid.UUID{15: byte(rapid.IntRange(1, 4).Draw(t, "whose"))}, uint64(rapid.IntRange(1, 16).Draw(t, "which"))})
				}
				f.Supersedes = sortIDs(f.Supersedes)
				c.Fields = append(c.Fields, f)
			}
			set = append(set, c)
		}
		var want []byte
		for round := range 4 {
			order := slices.Clone(set)
			seed := rapid.Uint64().Draw(t, "order")
			r := rand.New(rand.NewPCG(seed, 0))
			if round > 0 {
				r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			}
			s := &state{}
			for i := range order {
				if !s.add(&order[i]) {
					t.Fatalf("change %v was not new", order[i].ChangeID)
				}
				if s.add(&order[r.IntN(i+1)]) {
					t.Fatal("a repetition was new")
				}
				if r.IntN(3) == 0 {
					again, err := readState(s.append(nil))
					if err != nil {
						t.Fatal(err)
					}
					s = again
				}
			}
			if round == 0 {
				want = s.append(nil)
			} else if got := s.append(nil); !bytes.Equal(want, got) {
				t.Fatalf("another order, another state:\n%x\n%x", want, got)
			}
			for _, name := range fields {
				var got []ChangeID
				heads := s.of(name)
				for i, h := range heads {
					got = append(got, h.ChangeID)
					if i > 0 && heads[i-1].compare(h.origin) >= 0 {
						t.Fatal("what is shown does not come first")
					}
				}
				slices.SortFunc(got, ChangeID.compare)
				if truth := headsOf(set, name); !slices.Equal(got, truth) {
					t.Fatalf("%s: heads %v, should be %v", name, got, truth)
				}
			}
		}
	})
}

// A state that was cut off or altered is an error and never a panic.
func FuzzReadState(f *testing.F) {
	s := &state{}
	for i := range 3 {
		s.add(&Change{ChangeID: ChangeID{uuid.UUID{byte(i)}, 1}, Kind: Visit, Entity: uuid.UUID{1}, Division: "459921", Fields: []Field{
			{Name: "phone", Value: Text(fmt.Sprint(i)), Supersedes: []ChangeID{{uuid.UUID{9}, 4}}}}})
	}
	f.Add(s.append(nil))
	f.Add([]byte{1})
	f.Add([]byte{1, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := readState(b)
		if err != nil {
			return
		}
		s.entity(uuid.UUID{1})
		again, err := readState(s.append(nil))
		require.NoError(t, err)
		require.Equal(t, s.append(nil), again.append(nil))
	})
}
