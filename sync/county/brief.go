package county

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// pushBrief takes bundles in their brief form. What a node left out is what the county
// has of it; where the two disagree, the bundle is asked for whole, and judged then.
func (s *Server) pushBrief(w http.ResponseWriter, r *http.Request, c *caller) {
	var in exchange.PushBrief
	if err := exchange.Decode(c.body, &in); err != nil || len(in) > exchange.MaxBundles {
		s.refuse(w, http.StatusBadRequest, "link.malformed")
		return
	}
	ctx := context.WithoutCancel(r.Context())
	raws := make([][]byte, len(in)) // nil: to be sent whole
	tips := make([]store.Digest, len(in))
	ends := map[uint64]store.Digest{} // of the caller's bundles in this push
	for i, item := range in {
		var brief bundle.Brief
		if cose.DecodeBytes(item, &raws[i]) == nil {
			continue
		}
		if exchange.Decode(item, &brief) != nil {
			s.refuse(w, http.StatusBadRequest, "link.malformed")
			return
		}
		prev, err := s.before(ctx, c.Node, brief.First, ends)
		if err != nil {
			s.broken(w, err)
			return
		}
		b, err := brief.Whole(c.Node, c.KID, c.certificate.Scope, prev)
		switch {
		case errors.Is(err, bundle.ErrBefore):
		case err != nil:
			s.refuse(w, http.StatusBadRequest, "link.malformed")
			return
		default:
			raws[i], tips[i] = bundle.Encode(b), b.Digest
			ends[b.Last] = b.Digest
		}
	}
	pushed, receipts, err := s.takeIn(ctx, slices.DeleteFunc(slices.Clone(raws), func(raw []byte) bool { return raw == nil }))
	if err != nil {
		s.broken(w, err)
		return
	}
	out := exchange.PushedBrief{Outcomes: []exchange.BriefOutcome{}, Receipts: []exchange.BriefReceipt{}}
	for _, raw := range raws {
		said := exchange.Outcome{Status: exchange.Again}
		if raw != nil {
			said, pushed.Outcomes = pushed.Outcomes[0], pushed.Outcomes[1:]
		}
		out.Outcomes = append(out.Outcomes, exchange.BriefOutcome{
			Status: uint64(slices.Index(exchange.Statuses, said.Status)), Last: said.Last, Code: said.Code,
		})
	}
	for i, raw := range pushed.Receipts {
		out.Receipts = append(out.Receipts, briefReceipt(receipts[i], raw, tips, c))
	}
	s.answer(w, out)
}

// before is the digest of a node's bundle that ends before a number; zero where there
// is none.
func (s *Server) before(ctx context.Context, node uuid.UUID, first uint64, ends map[uint64]store.Digest) (store.Digest, error) {
	if digest, here := ends[first-1]; here || first <= 1 {
		return digest, nil
	}
	tip, err := s.o.Replica.Tip(ctx, node)
	if err != nil || tip.Last == first-1 {
		return tip.Digest, err
	}
	list, err := s.o.Replica.Bundles(ctx, store.BundleQuery{Node: &node, FromSeq: first - 1, Limit: 1})
	if err != nil || len(list) == 0 || list[0].Last != first-1 {
		return store.Digest{}, err
	}
	return list[0].Digest, nil
}

// briefReceipt leaves out of a receipt what the caller knows, if it ends with a bundle
// of this push.
func briefReceipt(said trust.Receipt, raw []byte, tips []store.Digest, c *caller) exchange.BriefReceipt {
	signature, err := trust.SignatureOf(raw)
	which := slices.Index(tips, said.Tip)
	if err != nil || which < 0 || said.Node != c.Node {
		return exchange.BriefReceipt{Whole: raw, Signature: []byte{}}
	}
	return exchange.BriefReceipt{Which: uint64(which), After: said.At.UnixMilli() - c.At.UnixMilli(), Signature: signature}
}
