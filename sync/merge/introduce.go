package merge

import (
	"context"
	"fmt"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

// introduce finds a county node that introduces itself: its first bundle brings its
// own certificate, signed by the root. That is how a county's server that was
// restored of a backup, as another node, becomes known to tablets in the field,
// whose only other word for it would come in this very bundle.
//
// Any other node is introduced by the county.
func (s *sitting) introduce(ctx context.Context, b store.Bundle, m *cose.Message) (introduced bool, err error) {
	if b.First != 1 || b.Body == nil {
		return false, nil
	}
	if err := bundle.Decode(&b); err != nil {
		return false, nil // what is wrong with it is said later
	}
	for i := range b.Changes {
		c := &b.Changes[i]
		if c.Kind != store.Node || c.Entity != b.Node {
			continue
		}
		for _, f := range c.Fields {
			certificate, err := s.roll.Verify(f.Value.Bytes())
			if err != nil || certificate.What != trust.ForNode || certificate.Subject != b.Node || certificate.Role != trust.County ||
				string(cose.KeyID(certificate.Key)) != string(m.KID) || m.Verify(certificate.Key) != nil {
				continue
			}
			if err := s.replica.SetSetting(ctx, trust.CountyCertificate, certificate.Raw); err != nil {
				return false, fmt.Errorf("remember the county's new node: %w", err)
			}
			return true, s.refresh(ctx, true)
		}
	}
	return false, nil
}
