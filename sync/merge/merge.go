// Package merge is what a node does with a bundle, whatever road it came by:
//
//	bytes → is it whole? → who signed it? → does it follow? → may it? → applied
//	          │ no           │ not yet known   │ not yet          │ no
//	          ▼ aside        ▼ waiting         ▼ waiting          ▼ aside
//
// The order, the repetition and the road of arrival never matter (invariant 2):
// what waits is tried again whenever something new arrives, and when the county
// revokes, reinstates or accepts, everything the word touches is judged anew. What
// was set aside keeps its bytes and its reason until a person decides (invariant 3).
//
// A bundle whose content breaks a rule leaves its head in the chain and its body
// aside, so that one bad record never blocks the good ones behind it.
//
// This package knows the replica and the roll, neither networks nor files.
package merge

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

// A Status says what became of a bundle.
type Status string

// The outcomes.
const (
	StatusNew      Status = "new"      // applied now
	StatusAlready  Status = "already"  // was here before; nothing happened
	StatusWaiting  Status = "waiting"  // kept until what it needs has come
	StatusAside    Status = "aside"    // kept, not applied: Reason says why
	StatusWithheld Status = "withheld" // chained without content, which is not for this node
)

// An Outcome is the answer to one bundle. Reason is nil unless it waits or is set
// aside; it has a Code for its sentence.
type Outcome struct {
	Node        uuid.UUID
	First, Last uint64
	Digest      store.Digest // of the head; of the bytes where no head could be read
	Changes     int
	Status      Status
	Reason      error
}

// A Merger takes bundles into one replica. It may be used by many at once; they
// take turns.
type Merger struct {
	replica *store.Replica
	root    ed25519.PublicKey
	turn    sync.Mutex
	shown   atomic.Pointer[dated] // roll and asked, for who is not in his turn
	roll    *trust.Roll
	known   *trust.Roll // certificates that need no verifying again
	asked   uint64      // the node's newest change when the roll was loaded
	judged  *trust.Roll // under which everything here was judged
}

// New returns the merger of a replica under a county's root.
func New(r *store.Replica, root ed25519.PublicKey) *Merger {
	return &Merger{replica: r, root: root, known: trust.RollOf(root)}
}

// Knowing is New by one who has verified certificates before: they are not verified
// again when they are met.
func Knowing(r *store.Replica, roll *trust.Roll) *Merger {
	return &Merger{replica: r, root: roll.Root(), known: roll}
}

// Replica is where the bundles go.
func (m *Merger) Replica() *store.Replica { return m.replica }

// Root is the county's public key.
func (m *Merger) Root() ed25519.PublicKey { return m.root }

// Take judges and applies bundles as they arrived. It answers one Outcome for each
// of raws, in their order, and behind them those of earlier bundles that could now
// be applied. An error means that the replica could not be read or written; then
// nothing is known of the last bundles, and sending them again is right.
func (m *Merger) Take(ctx context.Context, raws ...[]byte) ([]Outcome, error) {
	return m.takeEach(ctx, len(raws), func(i int) *Arrival { return arrive(raws[i]) })
}

// TakeLooked is Take of bundles that were looked at before.
func (m *Merger) TakeLooked(ctx context.Context, arrivals ...*Arrival) ([]Outcome, error) {
	return m.takeEach(ctx, len(arrivals), func(i int) *Arrival { return arrivals[i] })
}

func (m *Merger) takeEach(ctx context.Context, n int, arrival func(int) *Arrival) ([]Outcome, error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	s, err := m.sit(ctx)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, 0, n)
	for i := range n {
		outcome, err := s.take(ctx, arrival(i), nil)
		if err != nil {
			return outcomes, err
		}
		outcomes = append(outcomes, outcome)
	}
	if err := s.flush(ctx); err != nil {
		return outcomes, err
	}
	later, err := s.retry(ctx)
	return append(outcomes, later...), err
}

// Reconsider judges everything that waits or was set aside again: after this node
// itself wrote a revocation, an acceptance or a certificate.
func (m *Merger) Reconsider(ctx context.Context) ([]Outcome, error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	s, err := m.sit(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.rollChanged(ctx); err != nil {
		return nil, err
	}
	return s.retry(ctx)
}

// A sitting is one call of Take: bundles that passed wait in batch and are applied
// in one transaction.
type sitting struct {
	*Merger
	batch    []store.Bundle
	bytes    int
	releases []store.Digest        // held bundles that batch settles
	batched  map[uuid.UUID][]claim // what the batch says of entities
	tips     map[uuid.UUID]store.Tip
	news     bool // something was applied since the last retry

	unsettled map[uuid.UUID]bool // entities whose changes must be judged again
}

// sit begins with everything in line with the roll of now.
func (m *Merger) sit(ctx context.Context) (*sitting, error) {
	if err := m.refresh(ctx, false); err != nil {
		return nil, err
	}
	s := &sitting{Merger: m, batched: map[uuid.UUID][]claim{}, tips: map[uuid.UUID]store.Tip{}, unsettled: map[uuid.UUID]bool{}}
	return s, s.settle(ctx)
}

// Batches are bounded in number and memory.
const (
	maxBatch      = 256
	maxBatchBytes = 8 << 20
)

// take judges one bundle. held is not nil if it was kept from an earlier day.
func (s *sitting) take(ctx context.Context, a *Arrival, held *store.Held) (Outcome, error) {
	raw, b, message, err := a.raw, a.bundle, a.message, a.fault
	o := Outcome{Node: b.Node, First: b.First, Last: b.Last, Digest: b.Digest}
	if b.Head == nil || b.Digest == (store.Digest{}) {
		o.Digest = sha256.Sum256(raw)
	}
	if err != nil {
		var tooLarge *bundle.LimitError
		if errors.As(err, &tooLarge) { // not even kept: it is the limit that protects the disk
			o.Status, o.Reason = StatusAside, err
			return o, nil
		}
		return s.hold(ctx, o, raw, held, err)
	}

	// Who signed it.
	known, forged := a.verify(s.roll)
	if !known {
		introduced, err := s.introduce(ctx, b, message)
		if err != nil {
			return o, err
		}
		if introduced {
			known, forged = a.verify(s.roll)
		}
	}
	if !known {
		return s.hold(ctx, o, raw, held, &trust.RefusedError{Rule: trust.UnknownNode, Node: b.Node})
	}
	if err := forged; err != nil {
		return s.hold(ctx, o, raw, held, &trust.RefusedError{Rule: trust.BadSignature, Node: b.Node, Cause: err})
	}

	// Where it belongs (invariant 5).
	tip, err := s.tip(ctx, b.Node)
	if err != nil {
		return o, err
	}
	own, filling := b.Node == s.replica.Identity().Node, false
	if b.First <= tip.Last {
		if err := s.flush(ctx); err != nil { // the one before it may be in the batch
			return o, err
		}
		there, err := s.at(ctx, b.Node, b.First)
		if err != nil {
			return o, err
		}
		switch accepted, chosen := s.roll.Accepted(b.Node, b.First); {
		case there != nil && there.Digest == b.Digest && (there.Body != nil || b.Body == nil):
			o.Status = StatusAlready
			return o, s.letGo(ctx, held)
		case there != nil && there.Digest == b.Digest:
			// The body comes later than its head: scope grew, or the county accepted it.
			filling = true
		case chosen && accepted == b.Digest && !own: // a node never drops its own work (invariant 1)
			// The branch that the county chose takes this place if it begins where
			// the log is; otherwise the place where the histories part comes first.
			before, err := s.endingAt(ctx, b.Node, b.First-1)
			if err != nil {
				return o, err
			}
			if before != b.Prev {
				return s.hold(ctx, o, raw, held, &ForkError{Node: b.Node, First: b.First, Last: b.Last, Ours: before, Theirs: b.Prev})
			}
			if err := s.withdraw(ctx, b.Node, b.First-1); err != nil {
				return o, err
			}
		default:
			fork := &ForkError{Node: b.Node, First: b.First, Last: b.Last, Theirs: b.Digest}
			if there != nil {
				fork.Ours = there.Digest
			}
			return s.hold(ctx, o, raw, held, fork)
		}
		if tip, err = s.tip(ctx, b.Node); err != nil {
			return o, err
		}
	}
	switch {
	case filling:
	case b.First != tip.Last+1:
		return s.hold(ctx, o, raw, held, &GapError{Node: b.Node, Have: tip.Last, First: b.First})
	case b.Prev != tip.Digest:
		return s.hold(ctx, o, raw, held, &ForkError{Node: b.Node, First: b.First, Last: b.Last, Ours: tip.Digest, Theirs: b.Prev})
	case own:
		return s.hold(ctx, o, raw, held, &CloneError{Node: b.Node, First: b.First, Last: b.Last})
	}

	// What it says (invariant 3).
	reason, err := s.goesBack(ctx, &b, message.KID)
	if err != nil {
		return o, err
	}
	if reason == nil {
		reason = a.open(s.roll)
		b = a.bundle
	}
	if reason == nil {
		if reason, err = s.strays(ctx, &b); err != nil {
			return o, err
		}
	}
	var refused *trust.RefusedError
	switch {
	case reason == nil:
	case filling:
		return s.hold(ctx, o, raw, held, reason)
	case errors.As(reason, &refused) && !refused.Rule.MayCome() && !ended(refused):
		if held == nil || held.Reason != refused.Code() {
			if o, err = s.hold(ctx, o, raw, held, reason); err != nil {
				return o, err
			}
		}
		o.Status, o.Reason = StatusAside, reason
		s.add(bundle.Withhold(b), nil) // the chain goes on without its content
		return o, s.flushFull(ctx)
	default:
		return s.hold(ctx, o, raw, held, reason)
	}
	o.Changes = len(b.Changes)
	o.Status = StatusNew
	if b.Body == nil {
		o.Status = StatusWithheld
	}
	if filling {
		return s.fill(ctx, o, b, held)
	}
	s.add(b, held)
	if speaksOfTrust(b.Changes) {
		if err := s.flush(ctx); err != nil {
			return o, err
		}
		return o, s.rollChanged(ctx)
	}
	return o, s.flushFull(ctx)
}

// fill adds the body to a head that is in the chain already. What was aside here
// is taken out and applied at the end of the log, where the nodes that had only its
// head will find it when they pull again.
func (s *sitting) fill(ctx context.Context, o Outcome, b store.Bundle, held *store.Held) (Outcome, error) {
	if held != nil {
		if err := s.withdraw(ctx, b.Node, b.First-1); err != nil {
			return o, err
		}
	}
	if err := s.replica.Apply(ctx, b); err != nil {
		return o, fmt.Errorf("apply the body of bundle %d-%d: %w", b.First, b.Last, err)
	}
	delete(s.tips, b.Node)
	s.news = true
	if speaksOfTrust(b.Changes) {
		if err := s.rollChanged(ctx); err != nil {
			return o, err
		}
	}
	return o, s.letGo(ctx, held)
}

// goesBack refuses a bundle signed by a key that another has followed in this log.
func (s *sitting) goesBack(ctx context.Context, b *store.Bundle, kid []byte) (reason, err error) {
	if b.First == 1 || s.roll.Keys(b.Node) < 2 {
		return nil, nil
	}
	if accepted, chosen := s.roll.Accepted(b.Node, b.First); chosen && accepted == b.Digest {
		return nil, nil
	}
	if err := s.flush(ctx); err != nil {
		return nil, err
	}
	before, err := s.replica.Bundles(ctx, store.BundleQuery{Node: &b.Node, FromSeq: b.First - 1, Limit: 1})
	if err != nil || len(before) == 0 {
		return nil, err
	}
	m, err := cose.Parse(before[0].Head)
	if err != nil {
		return nil, fmt.Errorf("read the log: %w", err)
	}
	if s.roll.Followed(b.Node, kid, m.KID) {
		return &trust.RefusedError{Rule: trust.OldKey, Node: b.Node, Change: store.ChangeID{Node: b.Node, Seq: b.First}}, nil
	}
	return nil, nil
}

// ended says that it is the node itself that does not count any more from here on:
// its chain ends. A person's end concerns what that person wrote, and nobody else's
// work behind it.
func ended(refused *trust.RefusedError) bool {
	return refused.Rule == trust.OldKey || refused.Rule == trust.Revoked && refused.Person == uuid.Nil
}

// speaksOfTrust says whether the roll must be read again after these changes.
func speaksOfTrust(changes []store.Change) bool {
	return slices.ContainsFunc(changes, func(c store.Change) bool { return c.Kind == store.Person || c.Kind == store.Node })
}

func (s *sitting) add(b store.Bundle, held *store.Held) {
	s.batch = append(s.batch, b)
	s.bytes += len(b.Head) + 4*len(b.Body)
	s.tips[b.Node] = store.Tip{Node: b.Node, Last: b.Last, Digest: b.Digest}
	for i := range b.Changes {
		c := &b.Changes[i]
		s.batched[c.Entity] = append(s.batched[c.Entity], claimOf(c))
	}
	if held != nil {
		s.releases = append(s.releases, held.Digest)
	}
	s.news = true
}

func (s *sitting) flushFull(ctx context.Context) error {
	if len(s.batch) < maxBatch && s.bytes < maxBatchBytes {
		return nil
	}
	return s.flush(ctx)
}

// flush applies the batch, and then lets go of what it settled: a crash between
// the two leaves a held bundle that is found to be here already.
func (s *sitting) flush(ctx context.Context) error {
	if len(s.batch) > 0 {
		if err := s.replica.Apply(ctx, s.batch...); err != nil {
			return fmt.Errorf("apply %d bundles: %w", len(s.batch), err)
		}
	}
	s.batch, s.bytes = nil, 0
	clear(s.batched)
	for _, digest := range s.releases {
		if err := s.replica.Release(ctx, digest); err != nil {
			return err
		}
	}
	s.releases = nil
	return s.resettle(ctx)
}

// letGo lets go of a held bundle that is here already.
func (s *sitting) letGo(ctx context.Context, held *store.Held) error {
	if held == nil {
		return nil
	}
	return s.replica.Release(ctx, held.Digest)
}

func (s *sitting) tip(ctx context.Context, node uuid.UUID) (store.Tip, error) {
	if tip, ok := s.tips[node]; ok {
		return tip, nil
	}
	tip, err := s.replica.Tip(ctx, node)
	if err == nil {
		s.tips[node] = tip
	}
	return tip, err
}

// at returns the bundle of a node that begins at a sequence number, nil if none.
func (s *sitting) at(ctx context.Context, node uuid.UUID, first uint64) (*store.Bundle, error) {
	list, err := s.replica.Bundles(ctx, store.BundleQuery{Node: &node, FromSeq: first, Limit: 1})
	if err != nil || len(list) == 0 || list[0].First != first {
		return nil, err
	}
	return &list[0], nil
}

// endingAt returns the digest of the bundle of a node that ends with a sequence
// number, zero if there is none.
func (s *sitting) endingAt(ctx context.Context, node uuid.UUID, last uint64) (store.Digest, error) {
	list, err := s.replica.Bundles(ctx, store.BundleQuery{Node: &node, FromSeq: last, Limit: 1})
	if err != nil || len(list) == 0 || list[0].Last != last {
		return store.Digest{}, err
	}
	return list[0].Digest, nil
}

// hold keeps a bundle with its reason.
func (s *sitting) hold(ctx context.Context, o Outcome, raw []byte, held *store.Held, reason error) (Outcome, error) {
	o.Status, o.Reason = StatusAside, reason
	if waits(reason) {
		o.Status = StatusWaiting
	}
	digest := store.Digest(sha256.Sum256(raw))
	if held != nil {
		if held.Reason == code(reason) {
			return o, nil
		}
		digest = held.Digest
	}
	return o, s.replica.Hold(ctx, store.Held{
		Digest: digest, Node: o.Node, First: o.First, Last: o.Last,
		Reason: code(reason), Detail: reason.Error(), Raw: bytes.Clone(raw), Since: s.since(held),
	})
}

func (s *sitting) since(held *store.Held) time.Time {
	if held != nil {
		return held.Since
	}
	return time.Time{}
}
