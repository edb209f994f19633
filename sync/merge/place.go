package merge

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/trust"
)

// A claim is what one applied change says that an entity is, and where.
type claim struct {
	store.ChangeID
	kind     store.Kind
	division string
}

func claimOf(c *store.Change) claim { return claim{c.ChangeID, c.Kind, c.Division} }

// before says whether one node's word about what an entity is comes before
// another's: the county's, then a township's, then a tablet's, among equals by id.
// It must not depend on who came first (invariant 2).
func (s *sitting) before(a, b uuid.UUID) bool {
	return cmp.Or(cmp.Compare(s.rankOf(b), s.rankOf(a)), bytes.Compare(a[:], b[:])) < 0
}

func (s *sitting) rankOf(node uuid.UUID) uint8 {
	if own := s.replica.Identity(); own.Node == node {
		return trust.Rank(trust.Role(own.Role))
	}
	certificate, _ := s.roll.Node(node)
	return trust.Rank(certificate.Role)
}

// misplaced says which rule a change breaks by reaching under its own kind or
// division for an entity of another: what may be written is decided by the kind a
// change names, so it must be the entity's. A task of that name could otherwise set
// a field of the registry, or take back a revocation. Only what nodes that come
// before this one have said of the entity counts, and the county is never asked.
func (s *sitting) misplaced(c claim, claims []claim) trust.Rule {
	certificate, known := s.roll.Node(c.Node)
	if !known || certificate.Role == trust.County {
		return ""
	}
	above, kind, place := false, false, false
	for _, other := range claims {
		if other.Node == c.Node || !s.before(other.Node, c.Node) {
			continue
		}
		above = true
		kind = kind || other.kind == c.kind
		place = place || certificate.Covers(other.division)
	}
	switch {
	case !above, kind && place:
		return ""
	case !place:
		return trust.OutOfScope
	}
	return trust.WrongKind
}

// claims are what is said of an entity here, the bundles of the batch included.
func (s *sitting) claims(ctx context.Context, entity uuid.UUID) ([]claim, error) {
	history, err := s.replica.History(ctx, entity)
	if err != nil {
		return nil, err
	}
	list := slices.Clone(s.batched[entity])
	for i := range history {
		list = append(list, claimOf(&history[i]))
	}
	return list, nil
}

// strays refuses a bundle with a change that is misplaced, and notes which
// entities have changes that this bundle may show to be.
func (s *sitting) strays(ctx context.Context, b *store.Bundle) (reason, err error) {
	head, chosen := s.roll.Accepted(b.Node, b.First)
	exempt := chosen && head == b.Digest
	asked := map[uuid.UUID][]claim{}
	for i := range b.Changes {
		c := &b.Changes[i]
		claims, known := asked[c.Entity]
		if !known {
			if claims, err = s.claims(ctx, c.Entity); err != nil {
				return nil, err
			}
			asked[c.Entity] = claims
		}
		if rule := s.misplaced(claimOf(c), claims); rule != "" && !exempt {
			certificate, _ := s.roll.Node(b.Node)
			return &trust.RefusedError{Rule: rule, Node: b.Node, Change: c.ChangeID, Kind: c.Kind, Division: c.Division, Role: certificate.Role}, nil
		}
	}
	for entity, claims := range asked {
		if slices.ContainsFunc(claims, func(c claim) bool { return c.Node != b.Node && s.before(b.Node, c.Node) }) {
			s.unsettled[entity] = true
		}
	}
	return nil, nil
}

// resettle takes out what has turned out to be misplaced, since somebody whose word
// comes first has said what an entity is, or no longer says so.
func (s *sitting) resettle(ctx context.Context) error {
	for len(s.unsettled) > 0 {
		list := slices.SortedFunc(maps.Keys(s.unsettled), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
		clear(s.unsettled)
		for _, entity := range list {
			if err := s.resettleOne(ctx, entity); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *sitting) resettleOne(ctx context.Context, entity uuid.UUID) error {
	claims, err := s.claims(ctx, entity)
	if err != nil {
		return err
	}
	for _, c := range claims {
		if c.Node == s.replica.Identity().Node || s.misplaced(c, claims) == "" {
			continue
		}
		list, err := s.replica.Bundles(ctx, store.BundleQuery{Node: &c.Node, FromSeq: c.Seq, Limit: 1})
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].First > c.Seq {
			continue // withdrawn in this round already
		}
		if head, chosen := s.roll.Accepted(c.Node, list[0].First); chosen && head == list[0].Digest {
			continue
		}
		if err := s.withdraw(ctx, c.Node, list[0].First-1); err != nil {
			return err
		}
	}
	return nil
}
