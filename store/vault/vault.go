// Package vault keeps the keys of one data folder and seals what lies in it.
//
//	data key            random, made once; seals every record, blob and secret
//	  wrapped a person  under HKDF(Argon2id(PIN, salt), device secret)
//	  wrapped unattended under HKDF(device secret) alone, only where a machine must
//	                    start without a person (a server)
//	device secret       random, in a file of its own beside the data
//
// What a thief of the whole disk can still try: the device secret lies on the same
// disk, so a PIN is all that stands in his way. Argon2id with 64 MiB costs about
// 0.2 core-seconds a try; the million PINs of six digits fall in 2.3 core-days. A
// folder that runs unattended is open to whoever has the disk: put it on an
// encrypted one.
//
// This package knows neither changes nor people's work.
package vault

import (
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"ironfeet/store/world"
)

const (
	vaultFile  = "vault.json"
	deviceFile = "device.secret"
	keySize    = chacha20poly1305.KeySize
)

// Cost is what a PIN costs to try: RFC 9106 §4, second recommended option.
type Cost struct {
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memory"` // KiB
	Threads uint8  `json:"threads"`
}

var defaultCost = Cost{3, 64 << 10, 4}

// file is the vault on disk. Algorithms are named, so that another suite can be
// added without a new format.
type file struct {
	Version    int               `json:"version"`
	Suite      string            `json:"suite"`
	Unattended []byte            `json:"unattended,omitempty"` // data key, wrapped
	People     []person          `json:"people"`
	Secrets    map[string][]byte `json:"secrets"` // sealed under the data key
	Fails      map[string]fails  `json:"fails,omitempty"`
}

type person struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"` // shown before anybody unlocks: who are you?
	Salt []byte    `json:"salt"`
	Cost Cost      `json:"cost"`
	Wrap []byte    `json:"wrap"` // data key, and the person's own signing seed
}

type fails struct {
	Count int       `json:"count"`
	Until time.Time `json:"until"`
}

const suite = "argon2id+hkdf-sha256+xchacha20poly1305"

// A Vault is the closed box: it tells who may open it and opens for a PIN.
type Vault struct {
	world  world.World
	dir    string
	device []byte

	mu sync.Mutex
	f  file
}

// ErrNoVault means a folder holds no vault.
var ErrNoVault error = noVault{errors.New("this folder holds no data of ours")}

type noVault struct{ error }

func (noVault) Code() string { return "vault.none" }

// A DamagedError means the vault's file cannot be read.
type DamagedError struct {
	Dir string
	Err error
}

func (e *DamagedError) Error() string { return e.Dir + ": the vault is damaged: " + e.Err.Error() }
func (e *DamagedError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *DamagedError) Code() string { return "vault.damaged" }

// Create makes a vault in a folder that has none.
func Create(w world.World, dir string) (*Vault, error) {
	if _, err := w.Disk.Stat(filepath.Join(dir, vaultFile)); err == nil {
		return nil, &ExistsError{dir}
	}
	if err := w.Disk.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	v := &Vault{world: w, dir: dir, f: file{Version: 1, Suite: suite, Secrets: map[string][]byte{}}}
	var err error
	if v.device, err = v.random(keySize); err != nil {
		return nil, err
	}
	if err := world.WriteFile(w.Disk, filepath.Join(dir, deviceFile), v.device); err != nil {
		return nil, err
	}
	return v, nil
}

// An ExistsError means the folder has a vault already.
type ExistsError struct{ Dir string }

func (e *ExistsError) Error() string { return e.Dir + ": this folder already holds a node's data" }

// Code is the key of the sentence.
func (e *ExistsError) Code() string { return "store.exists" }

const maxFile = 4 << 20

// Open reads a vault; it stays closed.
func Open(w world.World, dir string) (*Vault, error) {
	v := &Vault{world: w, dir: dir}
	text, err := v.readFile(vaultFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoVault)
	}
	if err == nil {
		v.device, err = v.readFile(deviceFile)
	}
	if err == nil {
		err = json.Unmarshal(text, &v.f)
	}
	if err == nil && (v.f.Version != 1 || v.f.Suite != suite) {
		err = fmt.Errorf("version %d, %s", v.f.Version, v.f.Suite)
	}
	if err != nil {
		return nil, &DamagedError{dir, err}
	}
	return v, nil
}

func (v *Vault) readFile(name string) ([]byte, error) {
	f, err := v.world.Disk.Open(filepath.Join(v.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile))
}

func (v *Vault) save() error {
	text, err := json.MarshalIndent(v.f, "", " ")
	if err != nil {
		return err
	}
	return world.WriteFile(v.world.Disk, filepath.Join(v.dir, vaultFile), text)
}

func (v *Vault) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(v.world.Rand, b); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return b, nil
}

// First makes the data key of a new vault. It can be asked for once.
func (v *Vault) First() (*Keys, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.f.People) > 0 || v.f.Unattended != nil {
		return nil, &ExistsError{v.dir}
	}
	data, err := v.random(keySize)
	if err != nil {
		return nil, err
	}
	return v.keys(data), v.save()
}

// AllowUnattended lets this machine open the vault without a person.
func (v *Vault) AllowUnattended(k *Keys) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.f.Unattended = seal(v.world, v.derive(nil, "unattended"), "unattended", k.data)
	return v.save()
}

// ErrNeedsPIN means only a person can open this vault.
var ErrNeedsPIN error = needsPIN{errors.New("this folder opens only with a person's PIN")}

type needsPIN struct{ error }

func (needsPIN) Code() string { return "vault.needs_pin" }

// Unattended opens the vault of a machine that starts by itself.
func (v *Vault) Unattended() (*Keys, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.f.Unattended == nil {
		return nil, fmt.Errorf("%s: %w", v.dir, ErrNeedsPIN)
	}
	data, err := open(v.derive(nil, "unattended"), "unattended", v.f.Unattended)
	if err != nil {
		return nil, &DamagedError{v.dir, err}
	}
	return v.keys(data), nil
}

// derive makes a key from the device secret and what else is known.
func (v *Vault) derive(known []byte, info string) []byte {
	key, err := hkdf.Key(sha256.New, append(slices.Clone(known), v.device...), nil, "ironfeet vault 1 "+info, keySize)
	if err != nil {
		panic(err) // the length is fixed and allowed
	}
	return key
}

// PersonInfo is who may unlock.
type PersonInfo struct {
	ID   uuid.UUID
	Name string
}

// People are those with a PIN here, in the order in which they were added.
func (v *Vault) People() []PersonInfo {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := make([]PersonInfo, len(v.f.People))
	for i, p := range v.f.People {
		list[i] = PersonInfo{p.ID, p.Name}
	}
	return list
}

// A PINError means a PIN is none that can be taken.
type PINError struct{ Least int }

func (e *PINError) Error() string { return fmt.Sprintf("a PIN has at least %d digits", e.Least) }

// Code is the key of the sentence.
func (e *PINError) Code() string { return "vault.pin_short" }

const leastPIN = 6

// CheckPIN says whether a PIN can be taken, before anything is made.
func CheckPIN(pin string) error {
	if len([]rune(pin)) < leastPIN {
		return &PINError{leastPIN}
	}
	return nil
}

// AddPerson gives a person a PIN and a signing key of his own, and returns the
// public half. A person who is here already gets a new PIN and a new key.
func (v *Vault) AddPerson(k *Keys, id uuid.UUID, name, pin string) (ed25519.PublicKey, error) {
	if err := CheckPIN(pin); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	salt, err := v.random(16)
	if err != nil {
		return nil, err
	}
	seed, err := v.random(ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	p := person{ID: id, Name: name, Salt: salt, Cost: defaultCost}
	p.Wrap = seal(v.world, v.pinKey(p, pin), "person/"+id.String(), append(slices.Clone(k.data), seed...))
	v.f.People = slices.DeleteFunc(v.f.People, func(q person) bool { return q.ID == id })
	v.f.People = append(v.f.People, p)
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey), v.save()
}

func (v *Vault) pinKey(p person, pin string) []byte {
	stretched := argon2.IDKey([]byte(pin), p.Salt, p.Cost.Time, p.Cost.Memory, p.Cost.Threads, keySize)
	return v.derive(stretched, "person")
}

// A WrongPINError counts: after five wrong PINs each further one waits longer.
type WrongPINError struct {
	Fails int
	Wait  time.Duration // before the next try is looked at
}

func (e *WrongPINError) Error() string {
	if e.Wait > 0 {
		return fmt.Sprintf("wrong PIN, %d times; wait %s", e.Fails, e.Wait.Round(time.Second))
	}
	return "wrong PIN"
}

// Code is the key of the sentence.
func (e *WrongPINError) Code() string { return "vault.wrong_pin" }

const freeTries = 5

// unwrap opens a person's wrap, counting what fails.
func (v *Vault) unwrap(id uuid.UUID, pin string) (data, seed []byte, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.f.People, func(p person) bool { return p.ID == id })
	if i < 0 {
		return nil, nil, &WrongPINError{}
	}
	f := v.f.Fails[id.String()]
	if wait := f.Until.Sub(v.world.Now()); wait > 0 {
		// A clock set back must not lock anybody out for days.
		return nil, nil, &WrongPINError{f.Count, min(wait, backOff(f.Count))}
	}
	p := v.f.People[i]
	plain, err := open(v.pinKey(p, pin), "person/"+id.String(), p.Wrap)
	if err != nil || len(plain) != keySize+ed25519.SeedSize {
		f.Count++
		f.Until = v.world.Now().Add(backOff(f.Count))
		if v.f.Fails == nil {
			v.f.Fails = map[string]fails{}
		}
		v.f.Fails[id.String()] = f
		return nil, nil, errors.Join(&WrongPINError{f.Count, backOff(f.Count)}, v.save())
	}
	if f.Count > 0 {
		delete(v.f.Fails, id.String())
		if err := v.save(); err != nil {
			return nil, nil, err
		}
	}
	return plain[:keySize], plain[keySize:], nil
}

// backOff doubles from ten seconds to a quarter of an hour.
func backOff(count int) time.Duration {
	if count < freeTries {
		return 0
	}
	return min(10*time.Second<<min(count-freeTries, 10), 15*time.Minute)
}

// Unlock opens the vault with a person's PIN.
func (v *Vault) Unlock(person uuid.UUID, pin string) (*Keys, error) {
	data, _, err := v.unwrap(person, pin)
	if err != nil {
		return nil, err
	}
	return v.keys(data), nil
}

// PersonKey is a person's own signing key, for one signature: whoever knows the
// PIN signs, nobody else.
func (v *Vault) PersonKey(person uuid.UUID, pin string) (ed25519.PrivateKey, error) {
	_, seed, err := v.unwrap(person, pin)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// Keys are an open vault.
type Keys struct {
	vault *Vault
	data  []byte
	aead  cipher.AEAD
	blind []byte
}

func (v *Vault) keys(data []byte) *Keys {
	aead, err := chacha20poly1305.NewX(subkey(data, "seal"))
	if err != nil {
		panic(err) // the key's length is fixed
	}
	return &Keys{vault: v, data: data, aead: aead, blind: subkey(data, "blind index")}
}

func subkey(data []byte, info string) []byte {
	key, err := hkdf.Key(sha256.New, data, nil, "ironfeet data 1 "+info, keySize)
	if err != nil {
		panic(err)
	}
	return key
}

// Lock forgets the data key.
func (k *Keys) Lock() {
	clear(k.data)
	clear(k.blind)
	k.aead = nil
}

// Seal seals bytes for one place, "table/column/row": opened anywhere else they
// are damaged. The nonce is random; 40 bytes longer than the plain.
func (k *Keys) Seal(place string, plain []byte) []byte {
	return sealWith(k.vault.world, k.aead, place, plain)
}

// ErrSealed means bytes were altered, moved from their place, or sealed under
// another key.
var ErrSealed = errors.New("altered, moved, or sealed under another key")

// Open opens what Seal sealed for the same place.
func (k *Keys) Open(place string, sealed []byte) ([]byte, error) {
	if k.aead == nil {
		return nil, fmt.Errorf("the vault is locked: %w", ErrSealed)
	}
	return openWith(k.aead, place, sealed)
}

// BlindIndex is a keyed hash by which equal texts are found without being read.
func (k *Keys) BlindIndex(text string) []byte {
	h := hmac.New(sha256.New, k.blind)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// PutSecret keeps a secret by name, durable when it returns.
func (k *Keys) PutSecret(name string, b []byte) error {
	v := k.vault
	v.mu.Lock()
	defer v.mu.Unlock()
	v.f.Secrets[name] = k.Seal("secret/"+name, b)
	return v.save()
}

// ErrNoSecret means nothing is kept under a name.
var ErrNoSecret = errors.New("this folder does not hold that key")

// Secret returns a secret by name.
func (k *Keys) Secret(name string) ([]byte, error) {
	k.vault.mu.Lock()
	defer k.vault.mu.Unlock()
	sealed, ok := k.vault.f.Secrets[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, ErrNoSecret)
	}
	return k.Open("secret/"+name, sealed)
}

func seal(w world.World, key []byte, place string, plain []byte) []byte {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err)
	}
	return sealWith(w, aead, place, plain)
}

func open(key []byte, place string, sealed []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		panic(err)
	}
	return openWith(aead, place, sealed)
}

func sealWith(w world.World, aead cipher.AEAD, place string, plain []byte) []byte {
	out := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	if _, err := io.ReadFull(w.Rand, out); err != nil {
		panic("no randomness for a nonce: " + err.Error()) // a repeated nonce would lay everything open
	}
	return aead.Seal(out, out, plain, []byte(place))
}

func openWith(aead cipher.AEAD, place string, sealed []byte) ([]byte, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, ErrSealed
	}
	plain, err := aead.Open(nil, sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:], []byte(place))
	if err != nil {
		return nil, ErrSealed
	}
	if plain == nil {
		plain = []byte{}
	}
	return plain, nil
}
