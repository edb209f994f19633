package merge

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/trust"
)

// judge says what stands against an opened bundle: a pure function of the roll and
// the bundle (invariants 2 and 3).
func judge(roll *trust.Roll, b *store.Bundle) error {
	if head, chosen := roll.Accepted(b.Node, b.First); chosen {
		if head == b.Digest {
			return nil
		}
		return &ForkError{Node: b.Node, First: b.First, Last: b.Last, Ours: head, Theirs: b.Digest}
	}
	if revocation, revoked := roll.Revoked(b.Node); revoked && b.Last > revocation.After {
		return &trust.RefusedError{Rule: trust.Revoked, Node: b.Node, Change: store.ChangeID{Node: b.Node, Seq: b.Last}}
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		rule := trust.Rule("")
		switch {
		case c.Division != b.Division:
			rule = trust.WrongDivision
		case trust.KnownKind(c.Kind) && trust.Audience(c.Kind) > b.Audience:
			rule = trust.WrongAudience // whoever relays it would hand it to the wrong people
		}
		if rule != "" {
			return &trust.RefusedError{Rule: rule, Node: b.Node, Change: c.ChangeID, Kind: c.Kind, Division: c.Division}
		}
		if err := roll.Allow(b.Node, *c); err != nil {
			return err
		}
	}
	return nil
}

// rollChanged loads the roll again and judges anew what its change may touch.
func (s *sitting) rollChanged(ctx context.Context) error {
	if err := s.refresh(ctx, true); err != nil {
		return err
	}
	s.news = true
	return s.settle(ctx)
}

const pageSize = 200

// recheck finds the first bundle of a node that no longer passes and takes it and
// all behind it out of the state. They are judged again by retry.
func (s *sitting) recheck(ctx context.Context, node uuid.UUID) (moved bool, err error) {
	if node == s.replica.Identity().Node {
		return false, nil // a node never drops its own work (invariant 1)
	}
	for from := uint64(1); ; {
		page, err := s.replica.Bundles(ctx, store.BundleQuery{Node: &node, FromSeq: from, Limit: pageSize})
		if err != nil {
			return false, err
		}
		for i := range page {
			b := &page[i]
			if err := bundle.Decode(b); err != nil {
				return false, fmt.Errorf("read the log: %w", err)
			}
			if judge(s.roll, b) != nil {
				return true, s.withdraw(ctx, node, b.First-1)
			}
			from = b.Last + 1
		}
		if len(page) < pageSize {
			return false, nil
		}
	}
}

// withdraw takes a node's bundles beyond a sequence number out of the state. They
// are held before they leave, so that a crash loses none (invariant 1).
func (s *sitting) withdraw(ctx context.Context, node uuid.UUID, after uint64) error {
	if err := s.flush(ctx); err != nil {
		return err
	}
	for from := after + 1; ; {
		page, err := s.replica.Bundles(ctx, store.BundleQuery{Node: &node, FromSeq: from, Limit: pageSize})
		if err != nil {
			return err
		}
		for i := range page {
			b := &page[i]
			o := Outcome{Node: node, First: b.First, Last: b.Last, Digest: b.Digest}
			if _, err := s.hold(ctx, o, bundle.Encode(*b), nil, rejudged{}); err != nil {
				return err
			}
			if err := bundle.Decode(b); err != nil {
				return fmt.Errorf("read the log: %w", err)
			}
			for j := range b.Changes {
				s.unsettled[b.Changes[j].Entity] = true // who relied on it must be asked again
			}
			from = b.Last + 1
		}
		if len(page) < pageSize {
			break
		}
	}
	if _, err := s.replica.Withdraw(ctx, node, after); err != nil {
		return err
	}
	delete(s.tips, node)
	s.news = true
	return nil
}

// retry takes what is held again, until a round brings nothing new.
func (s *sitting) retry(ctx context.Context) ([]Outcome, error) {
	var outcomes []Outcome
	for s.news {
		s.news = false
		list, err := s.replica.HeldBundles(ctx)
		if err != nil {
			return outcomes, err
		}
		sortHeld(list)
		for i := range list {
			o, err := s.take(ctx, arrive(list[i].Raw), &list[i])
			if err != nil {
				return outcomes, err
			}
			if o.Status == StatusNew || o.Status == StatusWithheld {
				outcomes = append(outcomes, o)
			}
		}
		if err := s.flush(ctx); err != nil {
			return outcomes, err
		}
	}
	return outcomes, nil
}
