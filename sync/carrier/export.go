package carrier

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/trust"
)

// An ExportRequest says what goes onto the stick.
type ExportRequest struct {
	// To are the nodes that can open the carrier. Empty: every county node and
	// every township node whose scope holds this node's division.
	To []uuid.UUID

	// Unreceipted leaves out this node's own bundles that a receipt covers, for a
	// short way to the county itself.
	Unreceipted bool

	Receipts [][]byte // further receipts, as the county has just signed them
}

// Export writes what this replica holds into a carrier. A body goes in only if
// every recipient may hold it; of all others the head goes in, so that the chain
// arrives whole (invariants 5 and 7).
func Export(ctx context.Context, w world.World, r *store.Replica, roll *trust.Roll, request ExportRequest, path string) (Summary, error) {
	to, err := recipients(r.Identity(), roll, request.To)
	if err != nil {
		return Summary{}, err
	}
	addresses := make([]string, len(to))
	for i, c := range to {
		addresses[i] = c.Recipient
	}
	e := &export{replica: r, to: to, unreceipted: request.Unreceipted}
	if e.covered, _, err = r.Receipt(ctx, r.Identity().Node); err != nil {
		return Summary{}, err
	}
	receipts, err := knownReceipts(ctx, r, request.Receipts)
	if err != nil {
		return Summary{}, err
	}
	blobs, err := e.blobs(ctx)
	if err != nil {
		return Summary{}, err
	}
	return Write(ctx, w, path, addresses, Contents{
		County: roll.Root(), From: r.Identity().Node, Name: r.Identity().Name,
		Bundles: e.raws(ctx), Receipts: receipts, Blobs: blobs, OpenBlob: r.OpenBlob,
	})
}

// recipients chooses whom a carrier is sealed to.
func recipients(self store.Identity, roll *trust.Roll, wanted []uuid.UUID) ([]trust.Certificate, error) {
	var to []trust.Certificate
	for _, c := range roll.Nodes() {
		_, revoked := roll.Revoked(c.Subject)
		if c.Recipient == "" || revoked || c.Subject == self.Node {
			continue
		}
		if len(wanted) > 0 {
			if slices.Contains(wanted, c.Subject) {
				to = append(to, c)
			}
			continue
		}
		if c.Role == trust.County || c.Role == trust.Township && c.Covers(self.Division) {
			to = append(to, c)
		}
	}
	if len(to) == 0 {
		return nil, &NoRecipientError{}
	}
	return to, nil
}

// knownReceipts are the receipts the replica keeps, for whatever node, and those
// given.
func knownReceipts(ctx context.Context, r *store.Replica, list [][]byte) ([][]byte, error) {
	list = slices.Clone(list)
	tips, err := r.Tips(ctx)
	if err != nil {
		return nil, err
	}
	for _, tip := range tips {
		_, raw, err := r.Receipt(ctx, tip.Node)
		if err != nil {
			return nil, err
		}
		if raw != nil {
			list = append(list, raw)
		}
	}
	return list, nil
}

type export struct {
	replica     *store.Replica
	to          []trust.Certificate
	unreceipted bool
	covered     uint64 // own changes up to here are receipted
}

const pageSize = 100

// bundles walks the log in the order of arrival and withholds what somebody may
// not hold.
func (e *export) bundles(ctx context.Context) iter.Seq2[store.Bundle, error] {
	return func(yield func(store.Bundle, error) bool) {
		var after uint64
		for {
			page, err := e.replica.Bundles(ctx, store.BundleQuery{AfterPos: after, Limit: pageSize})
			if err != nil {
				yield(store.Bundle{}, err)
				return
			}
			for _, b := range page {
				after = b.Pos
				if e.unreceipted && b.Node == e.replica.Identity().Node && b.Last <= e.covered {
					continue
				}
				if slices.ContainsFunc(e.to, func(c trust.Certificate) bool { return !trust.MayHold(c, b.Division, b.Audience) }) {
					b = bundle.Withhold(b)
				}
				if !yield(b, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
		}
	}
}

func (e *export) raws(ctx context.Context) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for b, err := range e.bundles(ctx) {
			var raw []byte
			if err == nil {
				raw = bundle.Encode(b)
			}
			if !yield(raw, err) {
				return
			}
		}
	}
}

// blobs are the files that the bundles with a body name and this replica holds,
// each once, if anybody needs them: a tablet needs no photos of others, only what goes
// with the forms, and nobody its own back.
func (e *export) blobs(ctx context.Context) ([]store.BlobRef, error) {
	var list []store.BlobRef
	seen := map[store.Digest]bool{}
	for b, err := range e.bundles(ctx) {
		if err != nil {
			return nil, err
		}
		others := slices.ContainsFunc(e.to, func(c trust.Certificate) bool { return c.Subject != b.Node && c.Role != trust.Worker })
		if !others && b.Audience != trust.Audience(store.Form) {
			continue
		}
		if err := bundle.Decode(&b); err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		for i := range b.Changes {
			if !others && b.Changes[i].Kind != store.Form {
				continue
			}
			for _, ref := range b.Changes[i].Blobs {
				if seen[ref.Digest] {
					continue
				}
				seen[ref.Digest] = true
				has, err := e.replica.HasBlob(ctx, ref.Digest)
				if err != nil {
					return nil, err
				}
				if has {
					list = append(list, ref)
				}
			}
		}
	}
	return list, nil
}
