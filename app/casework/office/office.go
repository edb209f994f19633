// Package office is a node's data folder put to work: the vault opened, the
// replica behind it, the keys by which the node signs, and the merger that takes
// in what others send.
//
//	Found  a county, with its root key            -> an office of role county
//	Join   a county by an invitation              -> an office of role worker or township
//	Open   a folder that runs unattended (server) -> the office again
//	Unlock a folder by a person's PIN (tablet)    -> the office again
package office

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/carrier"
	"ironfeet/sync/link"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// Names of the secrets and settings an office keeps.
const (
	secretNode      = "node.key"       // Ed25519 seed
	secretNextNode  = "node.key.next"  // the same, while it is being taken
	secretRecipient = "node.recipient" // age identity
	secretRoot      = "root.key"       // Ed25519 seed, county only
	settingRoot     = "root.public"    // the county's public root key
	settingServer   = "server"         // where the county's server is
	settingRecovery = "recovery"       // age recipients whose identities lie in the county's safe
)

// PublicKeyFile is the county's public key beside its data, to hand to whoever
// shall verify.
const PublicKeyFile = "county.pub"

// validity of what a county signs about itself; enrolments name their own.
const validity = 10 * 365 * 24 * time.Hour

// An Office is an open data folder.
type Office struct {
	World   world.World
	Dir     string
	Vault   *vault.Vault
	Keys    *vault.Keys
	Replica *store.Replica
	Merger  *merge.Merger
	NodeKey ed25519.PrivateKey
	Root    ed25519.PublicKey
	Server  string
}

// Close lets go of the folder.
func (o *Office) Close() error {
	err := o.Replica.Close()
	o.Keys.Lock()
	return err
}

// Found sets up a county: its root key, its own node, and the folder that holds
// them. division is the county's six digits.
func Found(ctx context.Context, w world.World, dir, name, division string) (*Office, error) {
	if len(division) != 6 || strings.Trim(division, "0123456789") != "" {
		return nil, &DivisionError{division}
	}
	o := &Office{World: w, Dir: dir}
	if err := o.create(ctx, store.Identity{Node: w.NewID(), Name: name, Division: division, Role: string(trust.County)}); err != nil {
		return nil, err
	}
	root, err := trust.NewRoot(w)
	if err != nil {
		return nil, err
	}
	if err := o.Keys.PutSecret(secretRoot, root.Seed()); err != nil {
		return nil, err
	}
	if err := o.certifyItself(ctx); err != nil {
		return nil, err
	}
	if err := o.Vault.AllowUnattended(o.Keys); err != nil {
		return nil, err
	}
	return o, world.WriteFile(w.Disk, filepath.Join(dir, PublicKeyFile), FormatPublicKey(name, root.Public()))
}

// A DivisionError means a code is not a county's.
type DivisionError struct{ Division string }

func (e *DivisionError) Error() string {
	return fmt.Sprintf("%q is not a county's code: six digits (GB/T 2260)", e.Division)
}

// Code is the key of the sentence.
func (e *DivisionError) Code() string { return "office.division" }

// create makes vault, node key and replica in an empty folder.
func (o *Office) create(ctx context.Context, id store.Identity) error {
	var err error
	if o.Vault, err = vault.Create(o.World, o.Dir); err != nil {
		return err
	}
	if o.Keys, err = o.Vault.First(); err != nil {
		return err
	}
	if err := o.newNodeKey(); err != nil {
		return err
	}
	// age draws from the process's own random source; nothing that follows from
	// the set of changes depends on it.
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return fmt.Errorf("make the node's recipient: %w", err)
	}
	if err := o.Keys.PutSecret(secretRecipient, []byte(identity.String())); err != nil {
		return err
	}
	o.Replica, err = store.Create(ctx, store.Options{World: o.World, Dir: o.Dir, Keys: o.Keys, Unpack: bundle.Decode}, id)
	return err
}

// newNodeKey makes the key that this node signs its bundles with.
func (o *Office) newNodeKey() error {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(o.World.Rand, seed); err != nil {
		return fmt.Errorf("make the node's key: %w", err)
	}
	if err := o.Keys.PutSecret(secretNode, seed); err != nil {
		return err
	}
	o.NodeKey = ed25519.NewKeyFromSeed(seed)
	return nil
}

// recipient is where carriers for this node are sealed to.
func (o *Office) recipient() (string, error) {
	identity, err := age.ParseX25519Identity(o.Identity())
	if err != nil {
		return "", err
	}
	return identity.Recipient().String(), nil
}

// Identity opens carriers that are sealed to this node.
func (o *Office) Identity() string {
	secret, err := o.Keys.Secret(secretRecipient)
	if err != nil {
		return ""
	}
	return string(secret)
}

// trusting remembers whom this node believes.
func (o *Office) trusting(ctx context.Context, root ed25519.PublicKey, county []byte, server string) error {
	for _, s := range []struct {
		name  string
		value []byte
	}{{settingRoot, root}, {trust.CountyCertificate, county}, {settingServer, []byte(server)}} {
		if err := o.Replica.SetSetting(ctx, s.name, s.value); err != nil {
			return err
		}
	}
	o.Root, o.Server = root, server
	o.Merger = merge.New(o.Replica, root)
	return o.recoverable(ctx)
}

// recoverable wraps the data key to the county, so that a forgotten PIN loses no
// visit. What is wrapped already is not wrapped again.
func (o *Office) recoverable(ctx context.Context) error {
	to, err := o.countyRecipients(ctx)
	if err != nil {
		return err
	}
	return o.Vault.SetRecovery(o.Keys, to...)
}

// countyRecipients are the age recipients of the county's own nodes, as far as they
// are known here, and the recovery keys that lie in its safe.
func (o *Office) countyRecipients(ctx context.Context) ([]string, error) {
	var to []string
	roll, err := o.Roll(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range roll.County() {
		if c.Recipient != "" {
			to = append(to, c.Recipient)
		}
	}
	kept, err := o.Replica.Setting(ctx, settingRecovery)
	if err != nil {
		return nil, err
	}
	return append(to, strings.Fields(string(kept))...), nil
}

// Open opens a folder that runs without a person, as a server does.
func Open(ctx context.Context, w world.World, dir string) (*Office, error) {
	v, err := vault.Open(w, dir)
	if err != nil {
		return nil, err
	}
	keys, err := v.Unattended()
	if err != nil {
		return nil, err
	}
	return reopen(ctx, w, dir, v, keys)
}

// Unlock opens a folder by a person's PIN.
func Unlock(ctx context.Context, w world.World, dir string, person uuid.UUID, pin string) (*Office, error) {
	v, err := vault.Open(w, dir)
	if err != nil {
		return nil, err
	}
	keys, err := v.Unlock(person, pin)
	if err != nil {
		return nil, err
	}
	return reopen(ctx, w, dir, v, keys)
}

// ErrNotEnrolled means a folder was made, but never heard from its county.
var ErrNotEnrolled error = notEnrolled{errors.New("this data folder has not been enrolled in a county yet")}

type notEnrolled struct{ error }

func (notEnrolled) Code() string { return "office.not_enrolled" }

func reopen(ctx context.Context, w world.World, dir string, v *vault.Vault, keys *vault.Keys) (*Office, error) {
	o := &Office{World: w, Dir: dir, Vault: v, Keys: keys}
	seed, err := keys.Secret(secretNode)
	if err != nil {
		return nil, err
	}
	o.NodeKey = ed25519.NewKeyFromSeed(seed)
	if o.Replica, err = store.Open(ctx, store.Options{World: w, Dir: dir, Keys: keys, Unpack: bundle.Decode}); err != nil {
		return nil, err
	}
	root, err := o.Replica.Setting(ctx, settingRoot)
	if err == nil && len(root) != ed25519.PublicKeySize {
		err = ErrNotEnrolled
	}
	if err != nil {
		o.Replica.Close()
		return nil, err
	}
	server, err := o.Replica.Setting(ctx, settingServer)
	if err != nil {
		o.Replica.Close()
		return nil, err
	}
	o.Root, o.Server = root, string(server)
	o.Merger = merge.New(o.Replica, o.Root)
	if !o.Vault.Recoverable() {
		if err := o.recoverable(ctx); err != nil {
			o.Replica.Close()
			return nil, err
		}
	}
	return o, nil
}

// RootKey is the county's own key; only its folder has it.
func (o *Office) RootKey() (trust.Root, error) {
	seed, err := o.Keys.Secret(secretRoot)
	if err != nil {
		return trust.Root{}, err
	}
	return trust.RootFromSeed(seed)
}

// Enrol makes a person of the county's own office known: a clerk, an approver.
func (o *Office) Enrol(ctx context.Context, name string, role trust.Role, scope []string, pin string) (uuid.UUID, error) {
	root, err := o.RootKey()
	if err != nil {
		return uuid.Nil, err
	}
	id := o.World.NewID()
	key, err := o.Vault.AddPerson(o.Keys, id, name, pin)
	if err != nil {
		return uuid.Nil, err
	}
	now := o.World.Now()
	cert, err := root.Certify(trust.Certificate{
		Subject: id, What: trust.ForPerson, Name: name, Key: key, Role: role, Scope: scope, From: now, Until: now.Add(validity),
	})
	if err != nil {
		return uuid.Nil, err
	}
	_, err = o.Replica.Write(ctx, o.Replica.Identity().Node, trust.CertificateEdit(cert, o.Replica.Identity().Division))
	return id, err
}

// Renew takes a new key for this machine: it is kept before it is asked for, so that a
// crash at any moment leaves one of the two that the county believes.
func (o *Office) Renew(ctx context.Context) error {
	seed, err := o.Keys.Secret(secretNextNode)
	if err != nil || len(seed) == 0 {
		seed = make([]byte, ed25519.SeedSize)
		if _, err := io.ReadFull(o.World.Rand, seed); err != nil {
			return fmt.Errorf("make the node's next key: %w", err)
		}
		if err := o.Keys.PutSecret(secretNextNode, seed); err != nil {
			return err
		}
	}
	recipient, err := o.recipient()
	if err != nil {
		return err
	}
	key := ed25519.NewKeyFromSeed(seed)
	if _, err := o.Client().Renew(ctx, key, recipient); err != nil {
		return err
	}
	if err := o.Keys.PutSecret(secretNode, seed); err != nil {
		return err
	}
	o.NodeKey = key
	return o.Keys.PutSecret(secretNextNode, nil)
}

// Client talks to the county's server.
func (o *Office) Client() *link.Client {
	return &link.Client{
		World: o.World, Server: o.Server, Replica: o.Replica, Merger: o.Merger,
		NodeID: o.Replica.Identity().Node, Key: o.NodeKey,
	}
}

// WriteCarrier seals everything this node holds for others into one file for the
// stick. to are the nodes that can open it; none: the county and the townships
// whose scope holds this node's.
func (o *Office) WriteCarrier(ctx context.Context, path string, to ...uuid.UUID) (carrier.Summary, error) {
	if _, err := o.Merger.Seal(ctx, o.NodeKey); err != nil {
		return carrier.Summary{}, err
	}
	roll, err := o.Roll(ctx)
	if err != nil {
		return carrier.Summary{}, err
	}
	return carrier.Export(ctx, o.World, o.Replica, roll, carrier.ExportRequest{To: to}, path)
}

// ReadCarrier takes in what a stick brought.
func (o *Office) ReadCarrier(ctx context.Context, path string) (carrier.ImportReport, error) {
	return carrier.Import(ctx, o.World, o.Merger, o.Identity(), path)
}

// Roll is who is believed here, as of now.
func (o *Office) Roll(ctx context.Context) (*trust.Roll, error) {
	return trust.Load(ctx, o.Replica, o.Root)
}

// FormatPublicKey writes a county's public key as a text of three lines: what it
// is, the fingerprint to read out over the phone, and the key in base64.
func FormatPublicKey(county string, root ed25519.PublicKey) []byte {
	return fmt.Appendf(nil, "ironfeet county public key: %s\n%s\n%s\n", county, trust.Fingerprint(root), base64.StdEncoding.EncodeToString(root))
}

// A PublicKeyError means a text is no county's public key.
type PublicKeyError struct{ Why string } // no_key, fingerprint

func (e *PublicKeyError) Error() string {
	return "not a county's public key: " + strings.ReplaceAll(e.Why, "_", " ")
}

// Code is the key of the sentence.
func (e *PublicKeyError) Code() string { return "office.public_key_" + e.Why }

// ParsePublicKey reads what FormatPublicKey wrote, or the key alone in base64.
func ParsePublicKey(text []byte) (ed25519.PublicKey, error) {
	if len(text) > 4096 {
		return nil, &PublicKeyError{"no_key"}
	}
	lines := strings.Fields(string(text))
	if len(lines) == 0 {
		return nil, &PublicKeyError{"no_key"}
	}
	key, err := base64.StdEncoding.DecodeString(lines[len(lines)-1])
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, &PublicKeyError{"no_key"}
	}
	if len(lines) > 1 && lines[len(lines)-2] != trust.Fingerprint(key) {
		return nil, &PublicKeyError{"fingerprint"}
	}
	return key, nil
}
