package merge_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// 云栖县 is fictitious.
const (
	county   = "459921"
	township = "459921100"
	village  = "459921100201"
	nextDoor = "459921100202"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
)

func keyOf(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func pubOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func id(n byte) uuid.UUID { return uuid.UUID{0: 1, 6: 0x70, 8: 0x80, 15: n} }

// Who takes part: nodes by one letter, people by a number.
type party struct {
	n     byte
	name  string
	role  trust.Role
	scope string
}

var (
	machines = map[string]party{
		"c": {7, "县服务器", trust.County, county},
		"s": {3, "云栖镇电脑", trust.Township, township},
		"a": {1, "一村平板", trust.Worker, village},
		"b": {2, "二村平板", trust.Worker, nextDoor},
	}
	people = []party{
		{0x11, "甲", trust.Worker, village}, {0x12, "乙", trust.Worker, village},
		{0x13, "丙", trust.Worker, nextDoor}, {0x14, "丁", trust.Township, township}, {0x15, "戊", trust.County, county},
	}
)

// A field is the test's county: replicas that exchange what a history says.
type field struct {
	t      testing.TB
	root   trust.Root
	nodes  map[string]*node
	rand   *rand.ChaCha8
	now    time.Time
	visits int
}

type node struct {
	party
	replica *store.Replica
	merger  *merge.Merger
}

func (f *field) world() world.World {
	w := world.Real()
	w.Now = func() time.Time { f.now = f.now.Add(time.Second); return f.now }
	w.Rand = f.rand
	return w
}

// replicaOf makes an empty replica.
func (f *field) replicaOf(p party) *store.Replica {
	w := f.world()
	dir := f.t.TempDir()
	v, err := vault.Create(w, dir)
	require.NoError(f.t, err)
	keys, err := v.First()
	require.NoError(f.t, err)
	r, err := store.Create(ctx, store.Options{World: w, Dir: dir, Keys: keys, Unpack: bundle.Decode}, store.Identity{Node: id(p.n), Name: p.name, Division: p.scope, Role: string(p.role)})
	require.NoError(f.t, err)
	f.t.Cleanup(func() { require.NoError(f.t, r.Close()) })
	require.NoError(f.t, r.SetSetting(ctx, trust.CountyCertificate, f.certificate(trust.ForNode, machines["c"]).Raw))
	return r
}

func (f *field) certificate(what string, p party) trust.Certificate {
	c, err := f.root.Certify(trust.Certificate{
		Subject: id(p.n), What: what, Name: p.name, Key: pubOf(keyOf(p.n)), Role: p.role, Scope: []string{p.scope},
		From: start.AddDate(-1, 0, 0), Until: start.AddDate(1, 0, 0),
	})
	require.NoError(f.t, err)
	return c
}

// newField enrols everybody at the county; nobody else has heard of it yet.
func newField(t testing.TB, letters string) *field {
	root, err := trust.RootFromSeed(bytes.Repeat([]byte{9}, 32))
	require.NoError(t, err)
	f := &field{t: t, root: root, nodes: map[string]*node{}, rand: rand.NewChaCha8([32]byte{1}), now: start}
	for _, letter := range strings.Split(letters, "") {
		p := machines[letter]
		r := f.replicaOf(p)
		f.nodes[letter] = &node{party: p, replica: r, merger: merge.New(r, root.Public())}
	}
	c := f.nodes["c"]
	var edits []store.Edit
	for _, letter := range []string{"c", "s", "a", "b"} {
		edits = append(edits, trust.CertificateEdit(f.certificate(trust.ForNode, machines[letter]), county))
	}
	for _, p := range people {
		edits = append(edits, trust.CertificateEdit(f.certificate(trust.ForPerson, p), county))
	}
	f.write(c, uuid.Nil, edits...)
	return f
}

// write writes and seals.
func (f *field) write(n *node, author uuid.UUID, edits ...store.Edit) {
	f.t.Helper()
	_, err := n.replica.Write(ctx, author, edits...)
	require.NoError(f.t, err)
	_, err = n.merger.Seal(ctx, keyOf(n.n))
	require.NoError(f.t, err)
}

// visit is a signed visit, attested by the given people.
func (f *field) visit(division string, who ...byte) store.Edit {
	return f.visitOf(fmt.Appendf(nil, "visit %d", f.visits+1), division, who...)
}

func (f *field) visitOf(content []byte, division string, who ...byte) store.Edit {
	f.visits++
	entity := uuid.UUID{0: 2, 6: 0x70, 8: 0x80, 15: byte(f.visits), 14: byte(f.visits >> 8)}
	digest := sha256.Sum256(content)
	var attestations [][]byte
	for _, n := range who {
		raw, err := trust.Attest(keyOf(n), trust.Attestation{Visit: entity, Digest: digest, Person: id(n), At: f.now})
		require.NoError(f.t, err)
		attestations = append(attestations, raw)
	}
	return store.Edit{Kind: store.Visit, Entity: entity, Division: division, Fields: map[string]store.Value{
		"state": store.Text("signed"), "content": store.Bytes(content), "digest": store.Bytes(digest[:]), "attestations": store.Of(attestations),
	}}
}

// raws are all bundles a node has, as it would send them.
func raws(t testing.TB, r *store.Replica) (list [][]byte) {
	bundles, err := r.Bundles(ctx, store.BundleQuery{Limit: 10_000})
	require.NoError(t, err)
	for _, b := range bundles {
		list = append(list, bundle.Encode(b))
	}
	return list
}

func (f *field) take(n *node, raws ...[]byte) []merge.Outcome {
	f.t.Helper()
	outcomes, err := n.merger.Take(ctx, raws...)
	require.NoError(f.t, err)
	return outcomes
}

// play runs a history:
//
//	a visits            a tablet writes a visit of its own village by two people and seals it
//	a visits alone      by one person only
//	a -> c              everything a holds arrives at c
//	a -> c: 3 1         only those of a's own bundles, in this order
//	c revokes a after 2
//	c reinstates a
//	c accepts a at 3    the bundle of a that begins with change 3 and is held at c
func (f *field) play(history string) {
	f.t.Helper()
	for _, step := range strings.Split(history, "|") {
		head, list, some := strings.Cut(step, ":")
		words := strings.Fields(head)
		n := f.nodes[words[0]]
		switch words[1] {
		case "visits":
			who := []byte{0x11, 0x12}
			if words[0] == "b" {
				who = []byte{0x13, 0x14}
			}
			if len(words) > 2 {
				who = who[:1]
			}
			f.write(n, id(who[0]), f.visit(n.scope, who...))
		case "->":
			all := raws(f.t, n.replica)
			if some {
				own := all
				all = nil
				for _, number := range strings.Fields(list) {
					i, err := strconv.Atoi(number)
					require.NoError(f.t, err)
					all = append(all, own[i-1])
				}
			}
			f.take(f.nodes[words[2]], all...)
		case "revokes":
			after, err := strconv.Atoi(words[4])
			require.NoError(f.t, err)
			f.write(n, uuid.Nil, trust.RevokeEdit(id(machines[words[2]].n), county, uint64(after), "lost"))
		case "reinstates":
			f.write(n, uuid.Nil, trust.ReinstateEdit(id(machines[words[2]].n), county))
		case "accepts":
			first, err := strconv.ParseUint(words[4], 10, 64)
			require.NoError(f.t, err)
			held, err := n.replica.HeldBundles(ctx)
			require.NoError(f.t, err)
			for _, h := range held {
				if b, _, err := bundle.Parse(h.Raw); err == nil && b.First == first && b.Node == id(machines[words[2]].n) {
					f.write(n, uuid.Nil, trust.AcceptEdit(b.Node, county, first, b.Digest))
				}
			}
		default:
			f.t.Fatalf("no such step: %s", step)
		}
	}
}

// state is what a replica shows: visits that count, what is held and why.
func (f *field) state(letter string) string {
	r := f.nodes[letter].replica
	visits, err := r.Entities(ctx, store.Query{Kind: store.Visit, Limit: 1000})
	require.NoError(f.t, err)
	out := make([]string, 0, len(visits))
	for _, e := range visits {
		out = append(out, string(e.Fields["content"].Bytes()))
	}
	held, err := r.HeldBundles(ctx)
	require.NoError(f.t, err)
	reasons := map[string]int{}
	for _, h := range held {
		reasons[h.Reason]++
	}
	for _, reason := range []string{"bundle.gap", "bundle.fork", "bundle.clone", "bundle.damaged", "bundle.rejudged", "trust.unknown_node", "trust.unknown_person",
		"trust.revoked", "trust.too_few_investigators", "trust.out_of_scope", "trust.wrong_role", "trust.bad_signature", "trust.wrong_audience"} {
		if reasons[reason] > 0 {
			out = append(out, fmt.Sprintf("%d %s", reasons[reason], reason))
		}
	}
	return strings.Join(out, ", ")
}

func dump(t testing.TB, r *store.Replica) string {
	var b bytes.Buffer
	require.NoError(t, r.Dump(ctx, &b))
	return b.String()
}
