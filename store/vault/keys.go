package vault

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"ironfeet/store/world"
)

// Keys are an open vault. They may be used by many at once.
type Keys struct {
	vault *Vault
	open  atomic.Pointer[material] // nil: locked
	used  atomic.Int64             // Unix nanoseconds of the last Touch
}

// material is what must be forgotten. It is wiped when it is locked and nobody
// works with it any more: a key wiped under a writer's hands would seal what nobody
// could open again.
type material struct {
	data, sealing, blind [keySize]byte
	users                atomic.Int64
	locked               atomic.Bool
}

func (m *material) done() {
	if m.users.Add(-1) == 0 && m.locked.Load() {
		m.wipe()
	}
}

func (m *material) wipe() {
	clear(m.data[:])
	clear(m.sealing[:])
	clear(m.blind[:])
}

func (v *Vault) keys(data []byte) *Keys {
	m := &material{}
	copy(m.data[:], data)
	copy(m.sealing[:], subkey(data, "seal"))
	copy(m.blind[:], subkey(data, "blind index"))
	k := &Keys{vault: v}
	k.open.Store(m)
	k.Touch()
	return k
}

func subkey(data []byte, info string) []byte {
	key, err := hkdf.Key(sha256.New, data, nil, "ironfeet data 1 "+info, keySize)
	if err != nil {
		panic(err)
	}
	return key
}

// ErrLocked means the keys were forgotten: somebody locked, or nobody touched the
// machine for a while.
var ErrLocked error = lockedError{errors.New("the vault is locked")}

type lockedError struct{ error }

func (lockedError) Code() string { return "vault.locked" }

// use takes the material for one operation; done gives it back.
func (k *Keys) use() (*material, error) {
	for {
		m := k.open.Load()
		if m == nil {
			return nil, ErrLocked
		}
		m.users.Add(1)
		if k.open.Load() == m {
			return m, nil
		}
		m.done()
	}
}

// Lock forgets the keys. What is being sealed or opened at this moment is finished
// first, and then they are wiped from memory.
func (k *Keys) Lock() {
	m := k.open.Swap(nil)
	if m == nil {
		return
	}
	m.users.Add(1)
	m.locked.Store(true)
	m.done()
}

// Locked says whether the keys were forgotten.
func (k *Keys) Locked() bool { return k.open.Load() == nil }

// Touch says that a person is at work.
func (k *Keys) Touch() { k.used.Store(k.vault.world.Now().UnixNano()) }

// LockIfIdle locks if nobody has touched for so long, and says whether it is locked
// now. A clock that was set back counts as a touch.
func (k *Keys) LockIfIdle(idle time.Duration) bool {
	since := k.vault.world.Now().Sub(time.Unix(0, k.used.Load()))
	switch {
	case since < 0:
		k.Touch()
	case since >= idle:
		k.Lock()
	}
	return k.Locked()
}

// Seal seals bytes for one place, "table/column/row": opened anywhere else they
// are damaged. The nonce is random; 40 bytes longer than the plain. Nothing may be
// sealed once the keys are locked: it panics, since a lost record is worse.
func (k *Keys) Seal(place string, plain []byte) []byte {
	sealed, err := k.AppendSeal(nil, place, plain)
	if err != nil {
		panic("sealed after locking: " + place)
	}
	return sealed
}

// AppendSeal seals like Seal behind what is in to; locked keys are ErrLocked.
func (k *Keys) AppendSeal(to []byte, place string, plain []byte) ([]byte, error) {
	m, err := k.use()
	if err != nil {
		return nil, err
	}
	defer m.done()
	aead, err := chacha20poly1305.NewX(m.sealing[:])
	if err != nil {
		panic(err) // the key's length is fixed
	}
	return sealWith(k.vault.world, aead, to, place, plain), nil
}

// ErrSealed means bytes were altered, moved from their place, or sealed under
// another key.
var ErrSealed = errors.New("altered, moved, or sealed under another key")

// Open opens what Seal sealed for the same place.
func (k *Keys) Open(place string, sealed []byte) ([]byte, error) {
	return k.AppendOpen(nil, place, sealed)
}

// AppendOpen opens like Open behind what is in to.
func (k *Keys) AppendOpen(to []byte, place string, sealed []byte) ([]byte, error) {
	m, err := k.use()
	if err != nil {
		return nil, err
	}
	defer m.done()
	aead, err := chacha20poly1305.NewX(m.sealing[:])
	if err != nil {
		panic(err)
	}
	return openWith(aead, to, place, sealed)
}

// BlindIndex is a keyed hash by which equal texts are found without being read. It
// is nil when the keys are locked.
func (k *Keys) BlindIndex(text string) []byte {
	m, err := k.use()
	if err != nil {
		return nil
	}
	defer m.done()
	h := hmac.New(sha256.New, m.blind[:])
	h.Write([]byte(text))
	return h.Sum(nil)
}

// PutSecret keeps a secret by name, durable when it returns.
func (k *Keys) PutSecret(name string, b []byte) error {
	v := k.vault
	v.mu.Lock()
	defer v.mu.Unlock()
	sealed, err := k.AppendSeal(nil, secretPlace(name), b)
	if err != nil {
		return err
	}
	v.f.Secrets[name] = sealed
	return v.save()
}

// DropSecret forgets a secret.
func (k *Keys) DropSecret(name string) error {
	v := k.vault
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.f.Secrets, name)
	return v.save()
}

func secretPlace(name string) string { return "secret/" + name }

// ErrNoSecret means nothing is kept under a name.
var ErrNoSecret error = noSecret{errors.New("this folder does not hold that key")}

type noSecret struct{ error }

func (noSecret) Code() string { return "vault.no_secret" }

// Secret returns a secret by name.
func (k *Keys) Secret(name string) ([]byte, error) {
	k.vault.mu.Lock()
	defer k.vault.mu.Unlock()
	sealed, ok := k.vault.f.Secrets[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, ErrNoSecret)
	}
	return k.Open(secretPlace(name), sealed)
}

func seal(w world.World, key []byte, place string, plain []byte) []byte {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err)
	}
	return sealWith(w, aead, nil, place, plain)
}

func open(key []byte, place string, sealed []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err)
	}
	return openWith(aead, nil, place, sealed)
}

const nonceSize = chacha20poly1305.NonceSizeX

func sealWith(w world.World, aead cipher.AEAD, to []byte, place string, plain []byte) []byte {
	at := len(to)
	if cap(to)-at < nonceSize+len(plain)+chacha20poly1305.Overhead {
		grown := make([]byte, at, at+nonceSize+len(plain)+chacha20poly1305.Overhead)
		copy(grown, to)
		to = grown
	}
	to = to[:at+nonceSize]
	if _, err := io.ReadFull(w.Rand, to[at:]); err != nil {
		panic("no randomness for a nonce: " + err.Error()) // a repeated nonce would lay everything open
	}
	return aead.Seal(to, to[at:], plain, []byte(place))
}

func openWith(aead cipher.AEAD, to []byte, place string, sealed []byte) ([]byte, error) {
	if len(sealed) < nonceSize {
		return nil, ErrSealed
	}
	plain, err := aead.Open(to, sealed[:nonceSize], sealed[nonceSize:], []byte(place))
	if err != nil {
		return nil, ErrSealed
	}
	if plain == nil {
		plain = []byte{}
	}
	return plain, nil
}
