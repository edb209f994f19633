package merge_test

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

func TestHistories(t *testing.T) { // invariants 1, 2, 3 and 5
	for _, test := range []struct{ name, history, where, shows string }{
		{"a visit reaches the county",
			"c -> a | a visits | a -> c", "c", "visit 1"},
		{"a visit that arrives twice counts once",
			"c -> a | a visits | a -> c | a -> c", "c", "visit 1"},
		{"a later bundle waits for the earlier one",
			"a visits | a visits | a -> c: 2", "c", "1 bundle.gap"},
		{"and is taken when that has come",
			"a visits | a visits | a visits | a -> c: 3 2 | a -> c: 1", "c", "visit 1, visit 2, visit 3"},
		{"a tablet nobody has told about waits",
			"a visits | a -> s", "s", "1 trust.unknown_node"},
		{"until the county's word has come",
			"a visits | a -> s | c -> s", "s", "visit 1"},
		{"a visit by one person alone is set aside",
			"a visits alone | a -> c", "c", "1 trust.too_few_investigators"},
		{"and does not block what follows",
			"a visits alone | a visits | a -> c", "c", "visit 2, 1 trust.too_few_investigators"},
		{"until a person of the county accepts it",
			"a visits alone | a visits | a -> c | c accepts a at 1", "c", "visit 1, visit 2"},
		{"and every other node agrees",
			"a visits alone | a visits | a -> s | a -> c | c accepts a at 1 | c -> s", "s", "visit 1, visit 2"},
		{"a lost tablet's later work is set aside",
			"a visits | a visits | c revokes a after 1 | a -> c", "c", "visit 1, 1 trust.revoked"},
		{"also where it had been taken already",
			"a visits | a visits | a -> c | c revokes a after 1", "c", "visit 1, 1 trust.revoked"},
		{"also where the revocation comes later than the work",
			"a visits | a visits | a -> s | c revokes a after 1 | c -> s", "s", "visit 1, 1 trust.revoked"},
		{"what the county accepts of it counts again",
			"a visits | a visits | a -> c | c revokes a after 1 | c accepts a at 2", "c", "visit 1, visit 2"},
		{"a tablet that was found again goes on",
			"a visits | a visits | a -> c | c revokes a after 1 | c reinstates a", "c", "visit 1, visit 2"},
		{"a node keeps its own work whatever the county says",
			"a visits | a visits | a -> c | c revokes a after 1 | c -> a", "a", "visit 1, visit 2"},
		{"a township relays in both directions",
			"a visits | a -> s | s -> c | c -> s | b visits | b -> c | c -> s", "s", "visit 1, visit 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newField(t, "csab")
			f.play(test.history)
			require.Equal(t, test.shows, f.state(test.where), "after: "+test.history)
		})
	}
}

func TestOutcomesSayWhatHappened(t *testing.T) {
	f := newField(t, "csa")
	f.play("a visits | a visits")
	own := raws(t, f.nodes["a"].replica)
	first := f.take(f.nodes["c"], own[1])[0]
	require.Equal(t, merge.StatusWaiting, first.Status)
	var gap *merge.GapError
	require.ErrorAs(t, first.Reason, &gap)
	require.EqualValues(t, 2, gap.First)

	both := f.take(f.nodes["c"], own[0], own[0])
	require.Len(t, both, 3) // and the one that had waited
	require.Equal(t, merge.StatusNew, both[0].Status)
	require.Equal(t, merge.StatusAlready, both[1].Status)
	require.Equal(t, merge.StatusNew, both[2].Status)
	require.EqualValues(t, 2, both[2].First)
	require.Equal(t, 1, both[2].Changes)

	held, err := f.nodes["c"].replica.HeldBundles(ctx)
	require.NoError(t, err)
	require.Empty(t, held)
}

func TestAWithheldBodyKeepsTheChain(t *testing.T) { // invariants 5 and 7
	f := newField(t, "csab")
	f.play("a visits | a visits | c -> b")
	own := raws(t, f.nodes["a"].replica)
	hidden, _, err := bundle.Parse(own[0])
	require.NoError(t, err)
	outcomes := f.take(f.nodes["b"], bundle.Encode(bundle.Withhold(hidden)), own[1])
	require.Equal(t, merge.StatusWithheld, outcomes[0].Status)
	require.Equal(t, merge.StatusNew, outcomes[1].Status)
	require.Equal(t, "visit 2", f.state("b"))

	// Scope grew, and the body comes after all.
	require.Equal(t, merge.StatusNew, f.take(f.nodes["b"], own[0])[0].Status)
	require.Equal(t, "visit 1, visit 2", f.state("b"))
}

// A sick tablet or a liar: bundles that are signed rightly and say what they must not.
func TestWhatANodeMustNotSay(t *testing.T) { // invariant 3
	for _, test := range []struct {
		name   string
		author uuid.UUID
		edit   func(f *field) store.Edit
		rule   trust.Rule
	}{
		{"a worker writes the registry", id(0x11), func(*field) store.Edit {
			return store.Edit{Kind: store.Household, Division: village, Fields: map[string]store.Value{"phone": store.Text("1")}}
		}, trust.WrongRole},
		{"a county clerk's name on a village tablet", id(0x15), func(*field) store.Edit {
			return store.Edit{Kind: store.Determination, Division: village, Fields: map[string]store.Value{"category": store.Text("dibao")}}
		}, trust.WrongRole},
		{"a visit next door", id(0x11), func(f *field) store.Edit { return f.visit(nextDoor, 0x11, 0x12) }, trust.OutOfScope},
		{"an author nobody enrolled", id(0x77), func(f *field) store.Edit { return f.visit(village, 0x11, 0x12) }, trust.UnknownPerson},
		{"no author on a tablet", uuid.Nil, func(f *field) store.Edit { return f.visit(village, 0x11, 0x12) }, trust.UnknownPerson},
		{"one investigator", id(0x11), func(f *field) store.Edit { return f.visit(village, 0x11) }, trust.TooFewInvestigators},
		{"one investigator twice", id(0x11), func(f *field) store.Edit { return f.visit(village, 0x11, 0x11) }, trust.TooFewInvestigators},
		{"an investigator of the next village", id(0x11), func(f *field) store.Edit { return f.visit(village, 0x11, 0x13) }, trust.TooFewInvestigators},
		{"an investigator nobody knows yet", id(0x11), func(f *field) store.Edit { return f.visit(village, 0x11, 0x55) }, trust.UnknownPerson},
		{"content changed after signing", id(0x11), func(f *field) store.Edit {
			e := f.visit(village, 0x11, 0x12)
			e.Fields["content"] = store.Bytes([]byte("other"))
			return e
		}, trust.DifferentVisitDigest},
		{"a part that the content does not name", id(0x11), func(f *field) store.Edit {
			e := f.visit(village, 0x11, 0x12)
			e.Fields["parts"] = store.Of([][]byte{[]byte("part")})
			return e
		}, trust.DifferentVisitDigest},
		{"a part without the content", id(0x11), func(f *field) store.Edit {
			e := f.visit(village, 0x11, 0x12)
			delete(e.Fields, "content")
			e.Fields["parts"] = store.Of([][]byte{[]byte("part")})
			return e
		}, trust.DifferentVisitDigest},
		{"content and digest changed after signing", id(0x11), func(f *field) store.Edit {
			e := f.visit(village, 0x11, 0x12)
			sum := sha256.Sum256([]byte("other"))
			e.Fields["content"], e.Fields["digest"] = store.Bytes([]byte("other")), store.Bytes(sum[:])
			return e
		}, trust.TooFewInvestigators},
		{"another visit's signatures", id(0x11), func(f *field) store.Edit {
			e, other := f.visit(village, 0x11, 0x12), f.visit(village, 0x11, 0x12)
			e.Fields["attestations"] = other.Fields["attestations"]
			return e
		}, trust.TooFewInvestigators},
		{"signatures that are none", id(0x11), func(f *field) store.Edit {
			e := f.visit(village, 0x11, 0x12)
			e.Fields["attestations"] = store.Text("yes")
			return e
		}, trust.BadAttestation},
		{"a later change of a visit without signatures", id(0x11), func(f *field) store.Edit {
			e := f.visit(village, 0x11, 0x12)
			e.Fields = map[string]store.Value{"state": store.Text("accepted")}
			return e
		}, trust.TooFewInvestigators},
		{"a tablet enrols a friend", id(0x11), func(f *field) store.Edit {
			return trust.CertificateEdit(f.certificate(trust.ForPerson, people[0]), county)
		}, trust.WrongRole},
		{"a task under a household's name", id(0x11), func(f *field) store.Edit {
			household := store.Edit{Kind: store.Household, Entity: id(0x99), Division: village, Fields: map[string]store.Value{"aid": store.Text("none")}}
			f.write(f.nodes["c"], uuid.Nil, household)
			household.Kind, household.Fields["aid"] = store.Task, store.Text("dibao")
			return household
		}, trust.WrongKind},
		{"a task under a node's name takes back a revocation", id(0x11), func(f *field) store.Edit {
			f.write(f.nodes["c"], uuid.Nil, trust.CertificateEdit(f.certificate(trust.ForNode, party{0x66, "x", trust.Worker, village}), village))
			e := trust.ReinstateEdit(id(0x66), village)
			e.Kind = store.Task
			return e
		}, trust.WrongKind},
		{"a task of another village under one's own", id(0x11), func(f *field) store.Edit {
			task := store.Edit{Kind: store.Task, Entity: id(0x98), Division: nextDoor, Fields: map[string]store.Value{"state": store.Text("open")}}
			f.write(f.nodes["c"], uuid.Nil, task)
			task.Division = village
			return task
		}, trust.OutOfScope},
		{"a tablet revokes another", id(0x11), func(*field) store.Edit { return trust.RevokeEdit(id(2), county, 0, "") }, trust.WrongRole},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newField(t, "ca")
			f.write(f.nodes["a"], test.author, test.edit(f))
			before := dump(t, f.nodes["c"].replica)
			outcome := f.take(f.nodes["c"], raws(t, f.nodes["a"].replica)...)[0]
			var refused *trust.RefusedError
			require.ErrorAs(t, outcome.Reason, &refused)
			require.Equal(t, test.rule, refused.Rule, refused.Error())
			visits, err := f.nodes["c"].replica.Count(ctx, store.Query{Kind: store.Visit})
			require.NoError(t, err)
			require.Zero(t, visits)
			if test.rule.MayCome() {
				require.Equal(t, merge.StatusWaiting, outcome.Status)
				require.Equal(t, before, dump(t, f.nodes["c"].replica)) // never half-applied
				return
			}
			require.Equal(t, merge.StatusAside, outcome.Status)
		})
	}
}

func TestAFalseCertificateOfTheCountyIsSetAside(t *testing.T) { // invariant 3
	f := newField(t, "cs")
	f.play("c -> s")
	other, err := trust.RootFromSeed(bytes.Repeat([]byte{8}, 32))
	require.NoError(t, err)
	c := f.certificate(trust.ForPerson, party{0x55, "己", trust.County, county})
	c, err = other.Certify(c)
	require.NoError(t, err)
	f.write(f.nodes["c"], uuid.Nil, trust.CertificateEdit(c, county))
	all := raws(t, f.nodes["c"].replica)
	outcome := f.take(f.nodes["s"], all[len(all)-1])[0]
	var refused *trust.RefusedError
	require.ErrorAs(t, outcome.Reason, &refused)
	require.Equal(t, trust.BadCertificate, refused.Rule)
}

// clone makes a second node with the key and name of another.
func (f *field) clone(letter string) *node {
	p := machines[letter]
	r := f.replicaOf(p)
	return &node{party: p, replica: r, merger: merge.New(r, f.root.Public())}
}

func TestAClonedTabletIsNoticed(t *testing.T) { // invariant 5
	f := newField(t, "csa")
	f.nodes["x"] = f.clone("a")
	f.play("c -> s | a visits | a visits")
	f.write(f.nodes["x"], id(0x11), f.visit(village, 0x11, 0x12)) // visit 3
	f.play("a -> c | x -> c | x -> c")
	require.Equal(t, "visit 1, visit 2, 1 bundle.fork", f.state("c"))

	// The township met the other branch first; the county decides for both.
	f.play("x -> s | a -> s")
	require.Equal(t, "visit 3, 2 bundle.fork", f.state("s"))
	b, _, err := bundle.Parse(raws(t, f.nodes["a"].replica)[0])
	require.NoError(t, err)
	f.write(f.nodes["c"], uuid.Nil, trust.AcceptEdit(b.Node, county, 1, b.Digest))
	f.play("c -> s")
	require.Equal(t, "visit 1, visit 2, 1 bundle.fork", f.state("s"))
	require.Equal(t, "visit 1, visit 2, 1 bundle.fork", f.state("c"))

	// The clone's bundle at the original itself.
	f.play("x -> a")
	require.Equal(t, "visit 1, visit 2, 1 trust.unknown_node", f.state("a"))
	f.play("c -> a")
	require.Equal(t, "visit 1, visit 2, 1 bundle.fork", f.state("a"))
}

// A tablet that was set back, or cloned, must not take the county's word about other
// changes under its name for one about its own (invariants 1 and 5).
func TestAReceiptForAnotherHistoryIsNotBelieved(t *testing.T) {
	for _, test := range []struct{ name, here, there string }{
		{"the county has more than was ever written here", "", "x visits"},
		{"another bundle with the same number", "a visits", "x visits"},
		{"a bundle that ends in the middle of one here", "a visits twice", "x visits"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newField(t, "ca")
			f.play("c -> a")
			f.nodes["x"] = f.clone("a")
			f.play("c -> x")
			if test.here == "a visits twice" {
				a := f.nodes["a"]
				_, err := a.replica.Write(ctx, id(0x11), f.visit(village, 0x11, 0x12), f.visit(village, 0x11, 0x12))
				require.NoError(t, err)
				_, err = a.merger.Seal(ctx, keyOf(a.n))
				require.NoError(t, err)
			} else if test.here != "" {
				f.play(test.here)
			}
			f.play(test.there + " | x -> c")
			tip, err := f.nodes["c"].replica.Tip(ctx, id(1))
			require.NoError(t, err)
			raw, err := trust.SignReceipt(keyOf(7), trust.Receipt{Node: id(1), UpTo: tip.Last, Tip: tip.Digest, At: f.now})
			require.NoError(t, err)
			_, err = f.nodes["a"].merger.TakeReceipt(ctx, raw)
			require.Error(t, err)
			upTo, _, err := f.nodes["a"].replica.Receipt(ctx, id(1))
			require.NoError(t, err)
			require.Zero(t, upTo)
			_, err = f.nodes["x"].merger.TakeReceipt(ctx, raw)
			require.NoError(t, err, "and is by the one it is about")
		})
	}
}

func TestARestoredTabletIsToldThatItWroteMore(t *testing.T) { // invariant 5
	f := newField(t, "ca")
	f.play("c -> a | a visits | a -> c")
	f.nodes["a"] = f.clone("a") // from a copy older than the visit
	f.play("c -> a")
	require.Equal(t, "1 bundle.clone", f.state("a"))
}

func TestDamagedAndForgedBytesAreKeptWithTheirReason(t *testing.T) { // invariants 1 and 3
	f := newField(t, "ca")
	f.play("a visits")
	raw := raws(t, f.nodes["a"].replica)[0]
	bad := bytes.Clone(raw)
	bad[len(bad)-1] ^= 1
	b, _, err := bundle.Parse(raw)
	require.NoError(t, err)
	require.NoError(t, bundle.Decode(&b))
	forged, err := bundle.Seal(keyOf(2), store.Tip{}, village, 0, b.Changes) // with another tablet's key
	require.NoError(t, err)
	m, err := cose.Parse(b.Head)
	require.NoError(t, err)
	head, err := cose.Sign(keyOf(2), m.KID, cose.Bundle, m.Payload) // under the right key's name
	require.NoError(t, err)
	for _, test := range []struct {
		name string
		raw  []byte
		code string
	}{
		{"another key under the right name", bundle.Encode(store.Bundle{Head: head, Body: b.Body}), "trust.bad_signature"},
		{"a flipped byte", bad, "bundle.damaged"},
		{"nothing", nil, "bundle.damaged"},
		{"another key", bundle.Encode(forged), "trust.unknown_node"},
	} {
		outcome := f.take(f.nodes["c"], test.raw)[0]
		require.NotEqual(t, merge.StatusNew, outcome.Status, test.name)
		require.Equal(t, test.code, outcome.Reason.(interface{ Code() string }).Code(), test.name)
	}
	outcome := f.take(f.nodes["c"], make([]byte, bundle.MaxRaw+1))[0]
	require.Equal(t, merge.StatusAside, outcome.Status)
	held, err := f.nodes["c"].replica.HeldBundles(ctx)
	require.NoError(t, err)
	require.Len(t, held, 4) // the oversized one is not kept: invariant 10
	f.play("a -> c")
	require.Contains(t, f.state("c"), "visit 1")
}

func TestASealedBundleHoldsOneDivisionAndOneAudience(t *testing.T) { // invariant 7
	f := newField(t, "c")
	c := f.nodes["c"]
	household := func(d string) store.Edit {
		return store.Edit{Kind: store.Household, Division: d, Fields: map[string]store.Value{"name": store.Text("张")}}
	}
	alert := store.Edit{Kind: store.Alert, Division: village, Fields: map[string]store.Value{"detail": store.Text("车辆")}}
	f.write(c, id(0x15), household(village), household(village), household(nextDoor), alert, household(village))
	list, err := c.replica.Bundles(ctx, store.BundleQuery{Limit: 100})
	require.NoError(t, err)
	var got []any
	for _, b := range list[1:] { // the first one enrols everybody
		got = append(got, b.Division, b.Audience, int(b.Last-b.First+1))
	}
	require.Equal(t, []any{village, uint8(0), 2, nextDoor, uint8(0), 1, village, uint8(1), 1, village, uint8(0), 1}, got)
	n, err := c.merger.Seal(ctx, keyOf(c.n))
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestABundleThatHidesItsAudienceIsSetAside(t *testing.T) { // invariant 7
	f := newField(t, "cs")
	f.play("c -> s")
	tip, err := f.nodes["c"].replica.Tip(ctx, id(7))
	require.NoError(t, err)
	alert := store.Change{
		ChangeID: store.ChangeID{Node: id(7), Seq: tip.Last + 1}, Clock: store.Clock(f.now.UnixMilli()) << 16, Author: id(0x15),
		Kind: store.Alert, Entity: id(0x97), Division: village, Fields: []store.Field{{Name: "detail", Value: store.Text("车辆")}},
	}
	for _, test := range []struct {
		audience uint8
		status   merge.Status
	}{{trust.Everyone, merge.StatusAside}, {trust.TownshipUp, merge.StatusNew}} {
		b, err := bundle.Seal(keyOf(7), tip, village, test.audience, []store.Change{alert})
		require.NoError(t, err)
		n := &node{party: machines["s"], replica: f.replicaOf(machines["s"])}
		n.merger = merge.New(n.replica, f.root.Public())
		f.take(n, raws(t, f.nodes["c"].replica)...)
		outcome := f.take(n, bundle.Encode(b))[0]
		require.Equal(t, test.status, outcome.Status)
		if test.status == merge.StatusAside {
			var refused *trust.RefusedError
			require.ErrorAs(t, outcome.Reason, &refused)
			require.Equal(t, trust.WrongAudience, refused.Rule)
		}
	}
}

func TestReceipts(t *testing.T) { // invariant 1
	f := newField(t, "ca")
	f.nodes["x"] = f.clone("a")
	f.play("c -> a | a visits | a -> c")
	f.write(f.nodes["x"], id(0x11), f.visit(village, 0x11, 0x12))
	tip, err := f.nodes["c"].replica.Tip(ctx, id(1))
	require.NoError(t, err)
	right, err := trust.SignReceipt(keyOf(7), trust.Receipt{Node: id(1), UpTo: tip.Last, Tip: tip.Digest, At: f.now})
	require.NoError(t, err)
	byTablet, err := trust.SignReceipt(keyOf(2), trust.Receipt{Node: id(1), UpTo: tip.Last, Tip: tip.Digest, At: f.now})
	require.NoError(t, err)

	_, err = f.nodes["a"].merger.TakeReceipt(ctx, byTablet)
	var refused *trust.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, trust.BadReceipt, refused.Rule)

	receipt, err := f.nodes["a"].merger.TakeReceipt(ctx, right)
	require.NoError(t, err)
	require.Equal(t, tip.Last, receipt.UpTo)
	upTo, raw, err := f.nodes["a"].replica.Receipt(ctx, id(1))
	require.NoError(t, err)
	require.Equal(t, tip.Last, upTo)
	require.Equal(t, right, raw)

	// The clone must not believe that its own visit has arrived.
	_, err = f.nodes["x"].merger.TakeReceipt(ctx, right)
	var fork *merge.ForkError
	require.ErrorAs(t, err, &fork)
}

// Same set, same state: whatever the order, the grouping, the repetition, and when
// the county's word comes among it (invariant 2).
func TestTheOrderOfArrivalDoesNotMatter(t *testing.T) {
	f := newField(t, "csab")
	f.play("a visits | a visits alone | a visits | b visits | a -> c | b -> c | a visits | a visits | a -> c | " +
		"c revokes a after 4 | c accepts a at 2 | b visits alone | b visits | b -> c")
	f.write(f.nodes["c"], uuid.Nil, trust.RevokePersonEdit(id(0x14), county, f.now.Add(-1000*1000*1000*20), "left"))
	var set [][]byte
	for _, letter := range []string{"c", "a", "b"} {
		list, err := f.nodes[letter].replica.Bundles(ctx, store.BundleQuery{Limit: 1000})
		require.NoError(t, err)
		for _, b := range list {
			if b.Node == id(machines[letter].n) { // the writer's own copy is whole
				set = append(set, bundle.Encode(b))
			}
		}
	}
	var want, shown string
	for seed := range uint64(25) {
		random := rand.New(rand.NewPCG(seed, 1))
		order := slices.Concat(set, set[:random.IntN(len(set))])
		random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		if seed == 0 {
			order = set
		}
		p := machines["s"]
		r := f.replicaOf(p)
		f.nodes["s"] = &node{party: p, replica: r, merger: merge.New(r, f.root.Public())}
		for len(order) > 0 {
			n := 1 + random.IntN(len(order))
			f.take(f.nodes["s"], order[:n]...)
			order = order[n:]
		}
		if seed == 0 {
			want, shown = dump(t, r), f.state("s")
			require.Contains(t, shown, "visit 2")
			require.Contains(t, shown, "trust.revoked")
		}
		require.Equal(t, shown, f.state("s"), "seed %d", seed)
		require.Equal(t, want, dump(t, r), "seed %d", seed)
	}
}
