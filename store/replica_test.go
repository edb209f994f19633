package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

const village = "459921100201"

// A clock moves only when it is told to.
type clock struct{ now time.Time }

func (c *clock) world(seed byte) world.World {
	w := world.Real()
	w.Now = func() time.Time { return c.now }
	w.Rand = rand.NewChaCha8([32]byte{seed})
	return w
}

// fataler is what *testing.T and *rapid.T have in common.
type fataler interface {
	require.TestingT
	Helper()
}

// node makes a replica in a folder of its own.
func node(t *testing.T, n byte) *store.Replica {
	r, _ := nodeIn(t, t.TempDir(), n, &clock{time.Date(2026, 5, 1, 8, 0, int(n), 0, time.UTC)})
	t.Cleanup(func() { r.Close() })
	return r
}

func nodeIn(t fataler, dir string, n byte, c *clock) (*store.Replica, *vault.Keys) {
	t.Helper()
	w := c.world(n)
	v, err := vault.Create(w, dir)
	require.NoError(t, err)
	keys, err := v.First()
	require.NoError(t, err)
	require.NoError(t, v.AllowUnattended(keys))
	r, err := store.Create(context.Background(), store.Options{World: w, Dir: dir, Keys: keys}, store.Identity{Node: uuid.UUID{15: n}, Name: fmt.Sprintf("node %d", n), Division: village, Role: "worker"})
	require.NoError(t, err)
	return r, keys
}

// bundleOf packs what a node wrote since a sequence number as a bundle would
// arrive; the head is not signed, since this package does not look at it.
func bundleOf(t fataler, r *store.Replica, tip store.Tip) store.Bundle {
	t.Helper()
	all, err := r.Unsealed(context.Background(), 1<<20)
	require.NoError(t, err)
	b := store.Bundle{Node: r.Identity().Node, First: tip.Last + 1, Prev: tip.Digest, Division: village}
	for _, c := range all {
		if c.Seq > tip.Last {
			b.Changes = append(b.Changes, c)
			b.Body = append(b.Body, c.Raw...)
			b.Last = c.Seq
		}
	}
	b.Head = fmt.Appendf(nil, "%s %d-%d %x %x", b.Node, b.First, b.Last, b.Prev, sha256.Sum256(b.Body))
	b.Digest = store.DigestOf(b.Head)
	return b
}

func dump(t fataler, r *store.Replica) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, r.Dump(context.Background(), &out))
	return out.String()
}

// Histories as text: "a: phone=1 | a -> b | b: phone=2 | a <-> b". An arrow brings
// everything the left one wrote to the right one.
func TestCorrectionsMeet(t *testing.T) { // invariant 4
	for _, test := range []struct{ name, history, shown, conflict string }{
		{"one value", "a: phone=1380 | a -> b", "1380", ""},
		{"two tablets that have not met are a conflict", "a: phone=1380 | b: phone=1390 | a <-> b", "1390", "1390 or 1380"},
		{"one that had read the other is a correction", "a: phone=1380 | a -> b | b: phone=1390 | a <-> b", "1390", ""},
		{"the same value twice is no conflict", "a: phone=1380 | b: phone=1380 | a <-> b", "1380", ""},
		{"a third person settles it for all", "a: phone=1380 | b: phone=1390 | a <-> b | a -> c | b -> c | c: phone=1400 | c -> a | c -> b", "1400", ""},
		{"settled differently by two is a conflict again", "a: phone=1 | b: phone=2 | a <-> b | a: phone=3 | b: phone=4 | a <-> b", "4", "4 or 3"},
		{"taken away while another sets it", "a: phone=1 | a -> b | a: phone=- | b: phone=2 | a <-> b", "2", "2 or "},
	} {
		t.Run(test.name, func(t *testing.T) {
			nodes := map[string]*store.Replica{"a": node(t, 1), "b": node(t, 2), "c": node(t, 3)}
			entity := uuid.UUID{0: 9}
			play(t, nodes, entity, test.history)
			for _, name := range []string{"a", "b"} {
				heads, err := nodes[name].Heads(context.Background(), entity, "phone")
				require.NoError(t, err)
				require.Equal(t, test.shown, heads[0].Value.Show(), "shown at %s", name)
				conflicts, err := nodes[name].Conflicts(context.Background(), "459921")
				require.NoError(t, err)
				if test.conflict == "" {
					require.Empty(t, conflicts, "at %s", name)
					continue
				}
				require.Len(t, conflicts, 1)
				require.Equal(t, test.conflict, conflicts[0].Heads[0].Value.Show()+" or "+conflicts[0].Heads[1].Value.Show())
			}
			require.Equal(t, dump(t, nodes["a"]), dump(t, nodes["b"]))
		})
	}
}

func play(t *testing.T, nodes map[string]*store.Replica, entity uuid.UUID, history string) {
	t.Helper()
	ctx := context.Background()
	give := func(from, to string) {
		tip, err := nodes[to].Tip(ctx, nodes[from].Identity().Node)
		require.NoError(t, err)
		if b := bundleOf(t, nodes[from], tip); len(b.Changes) > 0 {
			require.NoError(t, nodes[to].Apply(ctx, b))
		}
	}
	for step := range strings.SplitSeq(history, "|") {
		step = strings.TrimSpace(step)
		if from, to, both := strings.Cut(step, " <-> "); both {
			give(from, to)
			give(to, from)
		} else if from, to, one := strings.Cut(step, " -> "); one {
			give(from, to)
		} else {
			who, set, _ := strings.Cut(step, ": ")
			field, value, _ := strings.Cut(set, "=")
			v := store.Text(value)
			if value == "-" {
				v = store.Null()
			}
			_, err := nodes[who].Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: entity, Division: village, Fields: map[string]store.Value{field: v}})
			require.NoError(t, err)
		}
	}
}

// Whatever two to four nodes write, and in whatever order, grouping and repetition
// their bundles arrive, everybody ends with the same bytes (invariant 2).
func TestSameSetSameState(t *testing.T) {
	ctx := context.Background()
	rapid.Check(t, func(t *rapid.T) {
		c := &clock{time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
		dir, err := tempDir()
		require.NoError(t, err)
		defer dir.remove()
		writers := rapid.IntRange(2, 4).Draw(t, "writers")
		var nodes []*store.Replica
		for i := range writers + 2 {
			r, _ := nodeIn(t, filepath.Join(dir.path, fmt.Sprint(i)), byte(i+1), c)
			defer r.Close()
			nodes = append(nodes, r)
		}
		log := make([][]store.Bundle, writers)
		tips := make([]store.Tip, writers)
		for range rapid.IntRange(1, 12).Draw(t, "writes") {
			w := rapid.IntRange(0, writers-1).Draw(t, "who")
			c.now = c.now.Add(time.Duration(rapid.IntRange(-90, 90).Draw(t, "minutes")) * time.Minute)
			edits := []store.Edit{}
			for range rapid.IntRange(1, 3).Draw(t, "edits") {
				edits = append(edits, store.Edit{
					Kind: store.Household, Division: village, Entity: uuid.UUID{0: byte(rapid.IntRange(1, 2).Draw(t, "entity"))},
					Fields: map[string]store.Value{rapid.SampledFrom([]string{"phone", "name"}).Draw(t, "field"): store.Int(int64(rapid.IntRange(0, 3).Draw(t, "value")))},
				})
			}
			_, err := nodes[w].Write(ctx, uuid.Nil, edits...)
			require.NoError(t, err)
			b := bundleOf(t, nodes[w], tips[w])
			tips[w] = store.Tip{Node: b.Node, Last: b.Last, Digest: b.Digest}
			log[w] = append(log[w], b)
			if rapid.Bool().Draw(t, "meet") { // somebody reads it before writing on
				to := rapid.IntRange(0, writers-1).Draw(t, "to")
				if to != w {
					require.NoError(t, nodes[to].Apply(ctx, log[w]...))
				}
			}
		}
		var dumps []string
		for i, r := range nodes {
			order := make([]int, writers)
			for {
				var open []int
				for w := range log {
					if order[w] < len(log[w]) && w != i {
						open = append(open, w)
					}
				}
				if len(open) == 0 {
					break
				}
				w := rapid.SampledFrom(open).Draw(t, "next")
				n := rapid.IntRange(1, len(log[w])-order[w]).Draw(t, "many")
				from := max(0, order[w]-rapid.IntRange(0, 1).Draw(t, "again")) // the last one once more
				require.NoError(t, r.Apply(ctx, log[w][from:order[w]+n]...))
				order[w] += n
			}
			dumps = append(dumps, dump(t, r))
			require.Equal(t, dumps[0], dumps[i], "node %d", i)
		}
		found, err := nodes[writers].Check(ctx)
		require.NoError(t, err)
		require.Empty(t, found)
	})
}

func TestABatchIsAppliedWholeOrNotAtAll(t *testing.T) {
	ctx := context.Background()
	a, b := node(t, 1), node(t, 2)
	write := func(n int64) store.Bundle {
		tip := store.Tip{}
		if n > 1 {
			tip = tipOf(t, a)
		}
		_, err := a.Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: uuid.UUID{0: byte(n)}, Division: village, Fields: map[string]store.Value{"phone": store.Int(n)}})
		require.NoError(t, err)
		out := bundleOf(t, a, tip)
		require.NoError(t, a.Append(ctx, out))
		return out
	}
	one, two, three := write(1), write(2), write(3)

	var gap *store.GapError
	require.ErrorAs(t, b.Apply(ctx, one, three), &gap)
	require.Equal(t, uint64(1), gap.Have)
	require.Empty(t, dump(t, b), "the first of the batch stayed")

	require.NoError(t, b.Apply(ctx, one, two))
	other := three
	other.Prev = store.Digest{1}
	var fork *store.ForkError
	require.ErrorAs(t, b.Apply(ctx, other), &fork)
	other = two
	other.Digest = store.Digest{2}
	require.ErrorAs(t, b.Apply(ctx, other), &fork)
	require.NoError(t, b.Apply(ctx, two, three))
	require.Equal(t, dump(t, a), dump(t, b))

	out, err := b.Withdraw(ctx, a.Identity().Node, 1)
	require.NoError(t, err)
	require.Len(t, out, 2)
	n, err := b.Count(ctx, store.Query{Kind: store.Household})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, b.Apply(ctx, two, three))
	require.Equal(t, dump(t, a), dump(t, b))
}

func tipOf(t *testing.T, r *store.Replica) store.Tip {
	tip, err := r.Tip(context.Background(), r.Identity().Node)
	require.NoError(t, err)
	return tip
}

// A head alone keeps the chain; the body may come later.
func TestAWithheldBodyIsFilledIn(t *testing.T) { // invariants 5 and 7
	ctx := context.Background()
	a, b := node(t, 1), node(t, 2)
	_, err := a.Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: uuid.UUID{0: 1}, Division: village, Fields: map[string]store.Value{"phone": store.Int(1)}})
	require.NoError(t, err)
	whole := bundleOf(t, a, store.Tip{})
	head := whole
	head.Body, head.Changes = nil, nil
	require.NoError(t, b.Apply(ctx, head))
	require.Empty(t, dump(t, b))
	require.Equal(t, uint64(1), func() uint64 { tip, _ := b.Tip(ctx, a.Identity().Node); return tip.Last }())
	require.NoError(t, b.Apply(ctx, whole))
	require.Equal(t, dump(t, a), dump(t, b))
}

// A tablet whose clock is a year ahead wins nothing for ever.
func TestAClockFarAheadLosesToTheNextPerson(t *testing.T) {
	ctx := context.Background()
	ahead := &clock{time.Date(2027, 5, 1, 0, 0, 0, 0, time.UTC)}
	a, _ := nodeIn(t, t.TempDir(), 1, ahead)
	defer a.Close()
	b := node(t, 2)
	entity := uuid.UUID{0: 9}
	set := func(r *store.Replica, v string) {
		_, err := r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: entity, Division: village, Fields: map[string]store.Value{"phone": store.Text(v)}})
		require.NoError(t, err)
	}
	set(a, "wrong year")
	require.NoError(t, b.Apply(ctx, bundleOf(t, a, store.Tip{})))
	found, err := b.Check(ctx)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, "check.clock_ahead", found[0].Code)
	require.False(t, found[0].Grave)
	set(b, "right")
	e, err := b.Entity(ctx, entity)
	require.NoError(t, err)
	require.Equal(t, "right", e.Text("phone"))

	ahead.now = time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC) // put right
	changes, err := a.Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: entity, Division: village, Fields: map[string]store.Value{"phone": store.Text("again")}})
	require.NoError(t, err)
	require.Equal(t, 2026, changes[0].Clock.Time().UTC().Year(), "a mistake of the clock is not carried on")
}

func TestLookUp(t *testing.T) {
	ctx := context.Background()
	r := node(t, 1)
	for i, p := range []struct{ name, id, phone string }{
		{"单志强", "459921195203150013", "13800000001"}, {"曾玉兰", "459921196807070027", "13800000002"}, {"韦建国", "45992119770815019X", ""},
	} {
		h := uuid.UUID{0: 1, 15: byte(i)}
		_, err := r.Write(ctx, uuid.Nil,
			store.Edit{Kind: store.Household, Entity: h, Division: village, Fields: map[string]store.Value{"name": store.Text(p.name), "phone": store.Text(p.phone)}},
			store.Edit{Kind: store.Member, Division: village, Fields: map[string]store.Value{"parent": store.Text(h.String()), "name": store.Text(p.name), "id_no": store.Text(p.id)}})
		require.NoError(t, err)
	}
	for _, test := range []struct{ typed, found string }{
		{"单", "单志强"}, {"shan", "单志强"}, {"szq", "单志强"}, {"dzq", "单志强"}, {"zyl", "曾玉兰"}, {"玉兰", "曾玉兰"},
		{"0027", "曾玉兰"}, {"019x", "韦建国"}, {"0002", "曾玉兰"}, {"weijianguo", "韦建国"}, {"没有", ""},
	} {
		found, err := r.Find(ctx, test.typed, 5)
		require.NoError(t, err)
		if test.found == "" {
			require.Empty(t, found)
			continue
		}
		require.NotEmpty(t, found, test.typed)
		require.Equal(t, test.found, found[0].Label, test.typed)
	}
	people, err := r.FindID(ctx, "459921196807070027")
	require.NoError(t, err)
	require.Len(t, people, 1)
	require.Equal(t, "曾玉兰", people[0].Text("name"))
}
