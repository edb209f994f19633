package simulate

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/trust"
)

// An oracle knows what must be true, by means of its own.
type oracle struct {
	tips    map[store.Tip]bool    // what the county signed for
	photos  map[store.Digest]bool // and which photos
	markers map[string]uuid.UUID  // values that nobody may ever show
	damaged map[[32]byte]bool     // bytes that were changed on the way
	counter int
}

func newOracle() oracle {
	return oracle{map[store.Tip]bool{}, map[store.Digest]bool{}, map[string]uuid.UUID{}, map[[32]byte]bool{}, 0}
}

func (o *oracle) count() int { o.counter++; return o.counter }

// marker is a value that must never be believed.
func (o *oracle) marker() string {
	m := fmt.Sprintf("FORGED %d", o.count())
	o.markers[m] = uuid.Nil
	return m
}

// promise remembers a receipt.
func (r *run) promise(raw []byte) {
	roll, err := r.county().merger.Roll(r.ctx)
	r.ok(r.county(), "read the roll", err)
	receipt, _, err := roll.VerifyReceipt(raw)
	r.ok(r.county(), "read its own receipt", err)
	if receipt.UpTo > 0 {
		r.tips[store.Tip{Node: receipt.Node, Last: receipt.UpTo, Digest: receipt.Tip}] = true
	}
	for _, d := range receipt.Blobs {
		r.photos[d] = true
	}
}

// sealed looks whether a carrier shows anything in the clear (invariant 7).
func (r *run) sealed(raw []byte) {
	for _, plain := range []string{"visit ", "FORGED", "secret", "459921"} {
		if bytes.Contains(raw, []byte(plain)) {
			r.fail("a carrier shows %q in the clear (invariant 7)", plain)
		}
	}
}

func headDigest(raw []byte) store.Digest {
	b, _, err := bundle.Parse(raw)
	if err != nil {
		return sha256.Sum256(raw)
	}
	return b.Digest
}

// quieten lets everything arrive that is on its way, everybody reach the county,
// and a person of the county decide between branches.
func (r *run) quieten() {
	r.say("all is quiet from here")
	r.quiet = true
	for len(r.late) > 0 {
		r.mail()
	}
	for _, s := range r.sticks {
		for _, to := range r.nodes {
			if to.role != trust.Worker {
				r.carry(s, to)
			}
		}
	}
	for range 6 {
		if r.everybodySyncs(); !r.decideForks() {
			return
		}
		r.clonesHear()
	}
}

// clonesHear what the county holds under their own name, as by a stick: a server does
// not send a node its own.
func (r *run) clonesHear() {
	for _, n := range r.nodes {
		if n.cloned {
			_, err := n.merger.Take(r.ctx, r.raws(r.county(), n)...)
			r.ok(n, "take", err)
			_, err = n.merger.Take(r.ctx, r.namesakes(n)...)
			r.ok(n, "take", err)
		}
	}
}

// namesakes are the bundles under a node's name that the county has.
func (r *run) namesakes(n *node) (raws [][]byte) {
	id := idOf(n.n)
	list, err := r.county().replica.Bundles(r.ctx, store.BundleQuery{Node: &id})
	r.ok(r.county(), "read the log", err)
	for _, b := range list {
		raws = append(raws, bundle.Encode(b))
	}
	return raws
}

// everybodySyncs until nothing is brought and nothing fetched any more.
func (r *run) everybodySyncs() {
	moved := true
	for round := 0; moved; round++ {
		if round == 8 {
			r.fail("after 8 rounds something is still brought or fetched again and again")
		}
		moved = false
		for _, n := range r.nodes {
			n.fuse = 0
			n.seal()
		}
		for _, n := range r.nodes[1:] {
			whole, m := r.syncOf(n, 0)
			if !whole && !n.revoked && !n.cloned {
				r.fail("%s cannot sync although nothing is in its way", n.name)
			}
			moved = moved || m
		}
	}
}

// decideForks chooses, for each node with two histories, one of the branches at the
// place where they part.
func (r *run) decideForks() (any bool) {
	c := r.county()
	list, err := c.replica.HeldBundles(r.ctx)
	r.ok(c, "read what is held", err)
	done := map[uuid.UUID]bool{}
	for _, h := range list {
		if h.Reason != "bundle.fork" || done[h.Node] {
			continue
		}
		b, m, err := bundle.Parse(h.Raw)
		if err != nil || m.Verify(pubOf(keyOf(b.Node[15]))) != nil {
			continue
		}
		roll, err := c.merger.Roll(r.ctx)
		r.ok(c, "read the roll", err)
		if _, chosen := roll.Accepted(b.Node, b.First); chosen {
			continue
		}
		done[h.Node] = true
		if here, err := c.replica.Bundles(r.ctx, store.BundleQuery{Node: &b.Node, FromSeq: b.First, Limit: 1}); err == nil && len(here) > 0 && here[0].First == b.First && here[0].Body != nil && r.random.IntN(2) == 0 {
			b = here[0]
		}
		r.decide(c, b)
		any = true
	}
	return any
}

// check looks for every invariant at the end.
func (r *run) check() {
	for _, n := range r.nodes {
		list, err := n.replica.HeldBundles(r.ctx)
		r.ok(n, "read what is held", err)
		for _, h := range list {
			r.say("%s holds %s %d-%d: %s", n.name, r.nameOf(h.Node), h.First, h.Last, h.Reason)
		}
	}
	// The whole check for the county and one more; it works every state out anew.
	other := r.someone()
	for _, n := range r.nodes {
		r.onlyWhatTheScopeNeeds(n)
		if n == r.county() || n == other {
			r.invariants(n)
		}
	}
	r.promisesHold()
	r.nothingLost()
	r.nothingForged()
	r.sameSetSameState()
	r.conflictsAreSeen()
}

// invariants is the replica's own check.
func (r *run) invariants(n *node) {
	found, err := n.replica.Check(r.ctx)
	r.ok(n, "check", err)
	for _, f := range found {
		if f.Grave {
			r.fail("%s: %s: %s", n.name, f.Code, f.Detail)
		}
	}
}

// onlyWhatTheScopeNeeds: no body lies where it must not (invariant 7).
func (r *run) onlyWhatTheScopeNeeds(n *node) {
	list, err := n.replica.Bundles(r.ctx, store.BundleQuery{})
	r.ok(n, "read the log", err)
	for _, b := range list {
		if b.Body != nil && b.Node != idOf(n.n) && !r.may(n, b) {
			r.fail("%s holds changes of %s for audience %d, and works in %s (invariant 7)", n.name, b.Division, b.Audience, n.scope)
		}
	}
}

// nothingLost: what was said to be saved is in the node's own log, and what is in
// an honest node's log is at the county, receipted, with its photos (invariant 1).
func (r *run) nothingLost() {
	c := r.county()
	for _, n := range r.nodes {
		own := map[uint64]store.Change{}
		id := idOf(n.n)
		list, err := n.replica.Bundles(r.ctx, store.BundleQuery{Node: &id})
		r.ok(n, "read the log", err)
		for i := range list {
			r.ok(n, "read its own bundle", bundle.Decode(&list[i]))
			for _, ch := range list[i].Changes {
				own[ch.Seq] = ch
			}
		}
		for _, ch := range n.acked {
			if !bytes.Equal(own[ch.Seq].Raw, ch.Raw) {
				r.fail("%s said that change %d was saved, and lost it (invariant 1)", n.name, ch.Seq)
			}
		}
		r.ownReceipt(n)
		if n == c || n.cloned || n.revoked {
			continue
		}
		tip, err := n.replica.Tip(r.ctx, id)
		r.ok(n, "read the tip", err)
		there, err := c.replica.Tip(r.ctx, id)
		r.ok(c, "read the tip", err)
		held := r.heldOf(c, id)
		if there != tip && held == 0 {
			r.fail("%s has %d changes, the county has %d of them and says nothing (invariant 1)", n.name, tip.Last, there.Last)
		}
		upTo, _, err := n.replica.Receipt(r.ctx, id)
		r.ok(n, "read the receipt", err)
		if upTo != there.Last {
			r.fail("the county has %d changes of %s, which knows of %d", there.Last, n.name, upTo)
		}
	}
	missing, err := c.replica.MissingBlobs(r.ctx)
	r.ok(c, "list missing photos", err)
	for _, ref := range missing {
		for _, n := range r.nodes[1:] {
			here, err := n.replica.HasBlob(r.ctx, ref.Digest)
			r.ok(n, "look for a photo", err)
			if here && !n.revoked && !n.cloned && r.names(n, ref.Digest) {
				r.fail("%s has photo %s that the county waits for (invariant 1)", n.name, ref.Digest)
			}
		}
	}
}

// ownReceipt: what a node takes for the county's word about its work is about its work,
// and not a clone's (invariants 1 and 5).
func (r *run) ownReceipt(n *node) {
	id := idOf(n.n)
	upTo, raw, err := n.replica.Receipt(r.ctx, id)
	r.ok(n, "read the receipt", err)
	if upTo == 0 {
		return
	}
	roll, err := r.county().merger.Roll(r.ctx)
	r.ok(r.county(), "read the roll", err)
	receipt, _, err := roll.VerifyReceipt(raw)
	r.ok(n, "read its receipt", err)
	list, err := n.replica.Bundles(r.ctx, store.BundleQuery{Node: &id, FromSeq: upTo, Limit: 1})
	r.ok(n, "read its own log", err)
	if len(list) == 0 || list[0].Last != upTo || list[0].Digest != receipt.Tip {
		r.fail("%s believes that the county holds its changes up to %d, but those are another's (invariants 1 and 5)", n.name, upTo)
	}
}

// names says whether an applied change here names a photo.
func (r *run) names(n *node, d store.Digest) bool {
	list, err := n.replica.NamedBlobs(r.ctx)
	r.ok(n, "list photos", err)
	return slices.ContainsFunc(list, func(ref store.BlobRef) bool { return ref.Digest == d })
}

func (r *run) heldOf(n *node, id uuid.UUID) int {
	list, err := n.replica.HeldBundles(r.ctx)
	r.ok(n, "read what is held", err)
	count := 0
	for _, h := range list {
		if h.Node == id {
			count++
		}
	}
	return count
}

// nothingForged: no value that nobody had the right to write is shown anywhere but
// on the machine that lied (invariant 3).
func (r *run) nothingForged() {
	for _, n := range r.nodes {
		text := r.dump(n.replica)
		for marker, household := range r.markers {
			if household != uuid.Nil && !r.isHousehold(n, household) {
				continue // nobody there knows yet that it is one
			}
			for _, coded := range [][]byte{store.Text(marker), store.Bytes([]byte(marker))} {
				if !n.liar && strings.Contains(text, fmt.Sprintf("%x", []byte(coded))) {
					if n.cloned { // a clone of a liar
						continue
					}
					r.fail("%s shows %q, which nobody had the right to write (invariant 3)", n.name, marker)
				}
			}
		}
	}
}

func (r *run) isHousehold(n *node, id uuid.UUID) bool {
	list, err := n.replica.History(r.ctx, id)
	r.ok(n, "read a history", err)
	return slices.ContainsFunc(list, func(c store.Change) bool { return c.Kind == store.Household })
}

func (r *run) dump(replica *store.Replica) string {
	var b bytes.Buffer
	must(replica.Dump(r.ctx, &b))
	return b.String()
}

// sameSetSameState tells an observer everything that one node knows, in another
// order and some of it twice: it must see the same (invariant 2). A township is asked
// only if none of its own work is set aside: a node keeps that all the same.
func (r *run) sameSetSameState() {
	from := r.county()
	if n := r.oneOf(func(n *node) bool { return n.role == trust.Township && !n.revoked && r.heldOf(from, idOf(n.n)) == 0 }); n != nil && r.random.IntN(3) == 0 {
		from = n
	}
	var raws [][]byte
	list, err := from.replica.Bundles(r.ctx, store.BundleQuery{})
	r.ok(from, "read the log", err)
	for _, b := range list {
		raws = append(raws, bundle.Encode(b))
	}
	held, err := from.replica.HeldBundles(r.ctx)
	r.ok(from, "read what is held", err)
	for _, h := range held {
		raws = append(raws, h.Raw)
	}
	if len(raws) > 0 {
		raws = append(raws, raws[r.random.IntN(len(raws))])
	}
	r.random.Shuffle(len(raws), func(i, j int) { raws[i], raws[j] = raws[j], raws[i] })
	x := r.enter(observer, "observer")
	for part := range slices.Chunk(raws, 1+r.random.IntN(len(raws)+1)) {
		_, err := x.merger.Take(r.ctx, part...)
		r.ok(x, "take", err)
	}
	want, got := r.dump(from.replica), r.dump(x.replica)
	if want != got {
		r.fail("the same %d bundles in another order give another state than %s has (invariant 2):\n%s", len(raws), from.name, difference(want, got))
	}
}

// difference shows the lines that only one of two states has.
func difference(a, b string) string {
	left, right := strings.Split(a, "\n"), strings.Split(b, "\n")
	var out []string
	for _, l := range left {
		if !slices.Contains(right, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range right {
		if !slices.Contains(left, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out[:min(len(out), 20)], "\n")
}

// conflictsAreSeen works out every field of the county by itself, from what the
// bundles say (invariant 4).
func (r *run) conflictsAreSeen() {
	c := r.county()
	type key struct {
		entity uuid.UUID
		field  string
	}
	type head struct {
		store.ChangeID
		clock store.Clock
		value string
	}
	written := map[key][]head{}
	replaced := map[key]map[store.ChangeID]bool{}
	list, err := c.replica.Bundles(r.ctx, store.BundleQuery{})
	r.ok(c, "read the log", err)
	for i := range list {
		r.ok(c, "read a bundle", bundle.Decode(&list[i]))
		for _, ch := range list[i].Changes {
			for _, f := range ch.Fields {
				k := key{ch.Entity, f.Name}
				written[k] = append(written[k], head{ch.ChangeID, ch.Clock, string(f.Value)})
				for _, s := range f.Supersedes {
					if replaced[k] == nil {
						replaced[k] = map[store.ChangeID]bool{}
					}
					replaced[k][s] = true
				}
			}
		}
	}
	for k, all := range written {
		var heads []head
		for _, h := range all {
			if !replaced[k][h.ChangeID] {
				heads = append(heads, h)
			}
		}
		slices.SortFunc(heads, func(a, b head) int {
			return cmp.Or(cmp.Compare(b.clock, a.clock), bytes.Compare(b.Node[:], a.Node[:]), cmp.Compare(b.Seq, a.Seq))
		})
		torn := slices.ContainsFunc(heads, func(h head) bool { return h.value != heads[0].value })
		e, err := c.replica.Entity(r.ctx, k.entity)
		r.ok(c, "read an entity", err)
		if slices.Contains(e.Conflicts, k.field) != torn {
			r.fail("field %s of %s has %d heads and is shown as conflict %v (invariant 4)", k.field, k.entity, len(heads), !torn)
		}
		if len(heads) > 0 && heads[0].value != "\xf6" && string(e.Fields[k.field]) != heads[0].value {
			r.fail("field %s of %s is shown as %x, not %x (invariant 4)", k.field, k.entity, []byte(e.Fields[k.field]), heads[0].value)
		}
	}
}
