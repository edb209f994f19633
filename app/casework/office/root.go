package office

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"path/filepath"

	"github.com/fxamacker/cbor/v2"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

const (
	secretNextRoot = "root.key.next" // Ed25519 seed, while the county is moving to it
	settingCrosses = "root.crosses"  // X.509: from the present root back to the earlier ones
)

// RotateRoot gives the county another root. Each root vouches for the other, everybody
// is certified under the new one, for the same keys and no longer than before, and then
// the old key is forgotten. Nodes that enrolled under the old root follow by what it
// said; invitations name the new one. What was broken off is taken up again.
func (o *Office) RotateRoot(ctx context.Context) (ed25519.PublicKey, error) {
	old, err := o.RootKey()
	if err != nil {
		return nil, err
	}
	next, err := o.nextRoot()
	if err != nil {
		return nil, err
	}
	id := o.Replica.Identity()
	now := o.World.Now()
	forward, err := old.Vouch(next.Public(), now)
	if err != nil {
		return nil, err
	}
	back, err := next.Vouch(old.Public(), now)
	if err != nil {
		return nil, err
	}
	// In a bundle before those that need it: a node judges one bundle after the other.
	if err := o.publish(ctx, trust.VouchEdit(id.Node, id.Division, forward, back)); err != nil {
		return nil, err
	}
	roll, err := o.Merger.Roll(ctx)
	if err != nil {
		return nil, err
	}
	var edits []store.Edit
	for _, c := range append(roll.Nodes(), roll.People()...) {
		signed, err := next.Certify(c)
		if err != nil {
			return nil, err
		}
		edits = append(edits, trust.CertificateEdit(signed, id.Division))
		if c.Subject == id.Node {
			if err := o.Replica.SetSetting(ctx, trust.CountyCertificate, signed.Raw); err != nil {
				return nil, err
			}
		}
	}
	if err := o.publish(ctx, edits...); err != nil {
		return nil, err
	}
	crosses, err := o.crosses(ctx)
	if err != nil {
		return nil, err
	}
	cross, err := old.Cross(o.World, next.Public())
	if err != nil {
		return nil, err
	}
	raw, err := cbor.Marshal(append(cross, crosses...))
	if err != nil {
		return nil, err
	}
	if err := o.Replica.SetSetting(ctx, settingCrosses, raw); err != nil {
		return nil, err
	}
	if err := world.WriteFile(o.World.Disk, filepath.Join(o.Dir, PublicKeyFile), FormatPublicKey(id.Name, next.Public())); err != nil {
		return nil, err
	}
	if err := o.Replica.SetSetting(ctx, settingRoot, next.Public()); err != nil {
		return nil, err
	}
	if err := o.Keys.PutSecret(secretRoot, next.Seed()); err != nil {
		return nil, err
	}
	o.Root = next.Public()
	return o.Root, o.Keys.PutSecret(secretNextRoot, nil)
}

// nextRoot is the root that was begun, or a new one.
func (o *Office) nextRoot() (trust.Root, error) {
	if seed, err := o.Keys.Secret(secretNextRoot); err == nil && len(seed) == ed25519.SeedSize {
		return trust.RootFromSeed(seed)
	}
	next, err := trust.NewRoot(o.World)
	if err != nil {
		return next, err
	}
	return next, o.Keys.PutSecret(secretNextRoot, next.Seed())
}

// publish writes as the county's node, seals, and lets everything be judged by it.
func (o *Office) publish(ctx context.Context, edits ...store.Edit) error {
	if _, err := o.Replica.Write(ctx, o.Replica.Identity().Node, edits...); err != nil {
		return err
	}
	if _, err := o.Merger.Seal(ctx, o.NodeKey); err != nil {
		return err
	}
	_, err := o.Merger.Reconsider(ctx)
	return err
}

func (o *Office) crosses(ctx context.Context) (list [][]byte, err error) {
	raw, err := o.Replica.Setting(ctx, settingCrosses)
	if err != nil || raw == nil {
		return nil, err
	}
	return list, cbor.Unmarshal(raw, &list)
}

// ServerCertificate is the county server's, under the county's own root.
func (o *Office) ServerCertificate(ctx context.Context) (tls.Certificate, error) {
	root, err := o.RootKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	crosses, err := o.crosses(ctx)
	if err != nil {
		return tls.Certificate{}, err
	}
	return root.ServerCertificate(o.World, o.Replica.Identity().Name, crosses...)
}
