package office

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// NewRecoveryKey makes a key that opens this folder's backups and recoveries when
// the county's own machine is gone. The identity is returned once, to be kept away
// from every machine; the folder keeps only what it encrypts to.
func (o *Office) NewRecoveryKey(ctx context.Context) (identity string, err error) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("make a recovery key: %w", err)
	}
	kept, err := o.Replica.Setting(ctx, settingRecovery)
	if err != nil {
		return "", err
	}
	all := append(strings.Fields(string(kept)), key.Recipient().String())
	if err := o.Replica.SetSetting(ctx, settingRecovery, []byte(strings.Join(all, "\n"))); err != nil {
		return "", err
	}
	return key.String(), o.recoverable(ctx)
}

// RecoveryKeys counts the recovery keys that this folder encrypts to.
func (o *Office) RecoveryKeys(ctx context.Context) (int, error) {
	kept, err := o.Replica.Setting(ctx, settingRecovery)
	return len(strings.Fields(string(kept))), err
}

// ErrOnlyHere means a backup could be opened by nobody but the machine that it is
// a backup of.
var ErrOnlyHere error = onlyHere{errors.New("only this machine itself could open the backup")}

type onlyHere struct{ error }

func (onlyHere) Code() string { return "backup.only_here" }

// Backup writes everything this folder holds into one file that the county, its
// recovery keys and the recipients in also can open. The folder stays in use.
func (o *Office) Backup(ctx context.Context, w io.Writer, also ...string) (store.BackupSummary, error) {
	texts, err := o.countyRecipients(ctx)
	if err != nil {
		return store.BackupSummary{}, err
	}
	own, err := o.recipient()
	if err != nil {
		return store.BackupSummary{}, err
	}
	texts = append(texts, also...)
	if !slices.ContainsFunc(texts, func(t string) bool { return t != own }) {
		return store.BackupSummary{}, ErrOnlyHere
	}
	slices.Sort(texts)
	var to []age.Recipient
	for _, text := range slices.Compact(texts) {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return store.BackupSummary{}, fmt.Errorf("recipient %.80q: %w", text, err)
		}
		to = append(to, r)
	}
	return o.Replica.Backup(ctx, w, to...)
}

// Identities are the age identities that this office opens backups and recovery
// requests with.
func (o *Office) Identities() ([]age.Identity, error) {
	identity, err := age.ParseX25519Identity(o.Identity())
	if err != nil {
		return nil, err
	}
	return []age.Identity{identity}, nil
}

// stays behind when a folder is restored: whoever signs with the old node's key
// would fork its log.
var staysBehind = []string{secretNode}

// RestoreCounty makes a county's folder of its backup: the same registry, root and
// recipient, under a new node that the root certifies. The county's people get new
// PINs by Enrol.
func RestoreCounty(ctx context.Context, w world.World, dir string, backup io.Reader, with ...age.Identity) (store.Restored, error) {
	return store.Restore(ctx, store.Options{World: w, Dir: dir, Unpack: bundle.Decode}, backup, store.RestorePlan{
		As:      func(was store.Identity) store.Identity { was.Node = w.NewID(); return was },
		Without: staysBehind,
		Finish: func(v *vault.Vault, keys *vault.Keys, r *store.Replica) error {
			o := &Office{World: w, Dir: r.Dir(), Vault: v, Keys: keys, Replica: r}
			if err := o.newNodeKey(); err != nil {
				return err
			}
			if err := o.certifyItself(ctx); err != nil {
				return err
			}
			return world.WriteFile(w.Disk, filepath.Join(o.Dir, PublicKeyFile), FormatPublicKey(r.Identity().Name, o.Root))
		},
	}, with...)
}

// certifyItself has the county's root certify the county's own node.
func (o *Office) certifyItself(ctx context.Context) error {
	root, err := o.RootKey()
	if err != nil {
		return err
	}
	recipient, err := o.recipient()
	if err != nil {
		return err
	}
	id, now := o.Replica.Identity(), o.World.Now()
	cert, err := root.Certify(trust.Certificate{
		Subject: id.Node, What: trust.ForNode, Name: id.Name, Key: o.NodeKey.Public().(ed25519.PublicKey),
		Recipient: recipient, Role: trust.County, Scope: []string{id.Division}, From: now, Until: now.Add(validity),
	})
	if err != nil {
		return err
	}
	if err := o.trusting(ctx, root.Public(), cert.Raw, ""); err != nil {
		return err
	}
	_, err = o.Replica.Write(ctx, id.Node, trust.CertificateEdit(cert, id.Division))
	return err
}

// RestoreInvited makes a tablet's or township's folder of its backup, as the node
// that an invitation is for; pin is asked for each person invited, as in Join.
func RestoreInvited(ctx context.Context, w world.World, dir, code string, backup io.Reader, pin func(exchange.Guest) (string, error), with ...age.Identity) (store.Restored, error) {
	inv, invited, pins, err := ask(ctx, w, code, pin)
	if err != nil {
		return store.Restored{}, err
	}
	return store.Restore(ctx, store.Options{World: w, Dir: dir, Unpack: bundle.Decode}, backup, store.RestorePlan{
		As: func(store.Identity) store.Identity {
			return store.Identity{Node: invited.Node, Name: invited.Name, Division: commonScope(invited.Scope), Role: invited.Role}
		},
		Without: staysBehind,
		Finish: func(v *vault.Vault, keys *vault.Keys, r *store.Replica) error {
			o := &Office{World: w, Dir: r.Dir(), Vault: v, Keys: keys, Replica: r}
			if err := o.newNodeKey(); err != nil {
				return err
			}
			return o.enrol(ctx, inv, invited, pins)
		},
	}, with...)
}
