// Package vault keeps the keys of one data folder and seals what lies in it.
//
//	data key            random, made once; seals every record, blob and secret
//	  wrapped a person  under HKDF(Argon2id(PIN, salt), device secret)
//	  wrapped recovery  to the county's age recipients, for a forgotten PIN
//	  wrapped unattended under HKDF(device secret) alone, only where a machine must
//	                    start without a person (a server)
//	device secret       random, in the system's keyring where there is one, else in
//	                    a file of its own beside the data
//
// What whoever takes the disk can still try is worked out in store/AT-REST.md.
//
// This package knows neither changes nor people's work.
package vault

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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
	"golang.org/x/crypto/chacha20poly1305"

	"ironfeet/store/world"
)

const (
	vaultFile  = "vault.json"
	deviceFile = "device.secret"
	keySize    = chacha20poly1305.KeySize
)

// file is the vault on disk. Algorithms are named, so that another suite can be
// added without a new format.
type file struct {
	Version    int               `json:"version"`
	Suite      string            `json:"suite"`
	Device     string            `json:"device,omitempty"` // name of the device secret in the keyring; "": in deviceFile
	Unattended []byte            `json:"unattended,omitempty"`
	People     []person          `json:"people"`
	Secrets    map[string][]byte `json:"secrets"` // sealed under the data key
	Fails      map[string]fails  `json:"fails,omitempty"`
	Recovery   []byte            `json:"recovery,omitempty"` // data key, age-encrypted
	Recoverers []string          `json:"recoverers,omitempty"`
	Asked      []byte            `json:"asked,omitempty"`     // what an answer is expected for, sealed
	AskedFor   uuid.UUID         `json:"asked_for,omitzero"`  // the person who forgot the PIN
	Request    []byte            `json:"asked_with,omitzero"` // the text that was made for the county
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
	device []byte // nil: lost

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

// ErrDeviceLost means the device secret is gone: the folder was carried to another
// machine, or the keyring was emptied. No PIN opens it any more; the county's
// recovery does.
var ErrDeviceLost error = deviceLost{errors.New("the device secret of this folder is not on this machine")}

type deviceLost struct{ error }

func (deviceLost) Code() string { return "vault.device_lost" }

// Create makes a vault in a folder that has none.
func Create(w world.World, dir string) (*Vault, error) {
	if _, err := w.Disk.Stat(filepath.Join(dir, vaultFile)); err == nil {
		return nil, &ExistsError{dir}
	}
	if err := w.Disk.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("create the data folder: %w", err)
	}
	v := &Vault{world: w, dir: dir, f: file{Version: 1, Suite: suite, Secrets: map[string][]byte{}}}
	return v, v.newDevice()
}

// newDevice makes a device secret and puts it where it is hardest to take.
func (v *Vault) newDevice() (err error) {
	if v.device, err = v.random(keySize); err != nil {
		return err
	}
	if v.world.Keyring != nil {
		name, err := v.random(16)
		if err != nil {
			return err
		}
		v.f.Device = "device-" + hex.EncodeToString(name)
		text := base64.StdEncoding.EncodeToString(v.device)
		if v.world.Keyring.Set(v.f.Device, text) == nil {
			if got, err := v.world.Keyring.Get(v.f.Device); err == nil && got == text {
				return nil
			}
		} // a keyring that keeps nothing is as good as none
	}
	v.f.Device = ""
	return world.WriteFile(v.world.Disk, filepath.Join(v.dir, deviceFile), v.device)
}

// InKeyring says whether the device secret lies in the system's keyring, and not
// beside the data.
func (v *Vault) InKeyring() bool { return v.f.Device != "" }

// An ExistsError means the folder has a vault already.
type ExistsError struct{ Dir string }

func (e *ExistsError) Error() string { return e.Dir + ": this folder already holds a node's data" }

// Code is the key of the sentence.
func (e *ExistsError) Code() string { return "store.exists" }

const maxFile = 4 << 20

// Open reads a vault; it stays closed. A lost device secret is noticed when
// somebody tries to open it.
func Open(w world.World, dir string) (*Vault, error) {
	v := &Vault{world: w, dir: dir}
	text, err := world.ReadFile(w.Disk, filepath.Join(dir, vaultFile), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoVault)
	}
	if err == nil {
		err = json.Unmarshal(text, &v.f)
	}
	if err == nil && (v.f.Version != 1 || v.f.Suite != suite) {
		err = fmt.Errorf("version %d, %s", v.f.Version, v.f.Suite)
	}
	if err == nil {
		err = v.f.check()
	}
	if err == nil {
		v.device, err = v.findDevice()
	}
	if err != nil {
		return nil, &DamagedError{dir, err}
	}
	return v, nil
}

func (v *Vault) findDevice() ([]byte, error) {
	if v.f.Device == "" {
		b, err := world.ReadFile(v.world.Disk, filepath.Join(v.dir, deviceFile), keySize)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err == nil && len(b) != keySize {
			err = errors.New("the device secret is cut off")
		}
		return b, err
	}
	if v.world.Keyring == nil {
		return nil, nil
	}
	text, err := v.world.Keyring.Get(v.f.Device)
	if err != nil {
		return nil, nil // not there, or not to be had: recovery can help
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != keySize {
		return nil, errors.New("the keyring holds something else than the device secret")
	}
	return b, nil
}

// check refuses costs that would keep the machine busy for hours or fill its memory
// (invariant 10).
func (f *file) check() error {
	for _, p := range f.People {
		c := p.Cost
		if c.Time < 1 || c.Time > 100 || c.Memory < 8 || c.Memory > 1<<20 || c.Threads < 1 || c.Threads > 64 {
			return fmt.Errorf("the cost of %s's PIN is out of range", p.ID)
		}
	}
	if f.Secrets == nil {
		f.Secrets = map[string][]byte{}
	}
	return nil
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
	wrap, err := v.wrap(k, nil, "unattended", "unattended", nil)
	if err != nil {
		return err
	}
	v.f.Unattended = wrap
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
	if v.device == nil {
		return nil, fmt.Errorf("%s: %w", v.dir, ErrDeviceLost)
	}
	data, err := open(v.derive(nil, "unattended"), "unattended", v.f.Unattended)
	if err != nil {
		return nil, &DamagedError{v.dir, err}
	}
	return v.keys(data), nil
}

// wrap seals the data key, and what belongs to it, under what is known.
func (v *Vault) wrap(k *Keys, known []byte, info, place string, extra []byte) ([]byte, error) {
	if v.device == nil {
		return nil, fmt.Errorf("%s: %w", v.dir, ErrDeviceLost)
	}
	m, err := k.use()
	if err != nil {
		return nil, err
	}
	defer m.done()
	return seal(v.world, v.derive(known, info), place, append(slices.Clone(m.data[:]), extra...)), nil
}

// derive makes a key from the device secret and what else is known.
func (v *Vault) derive(known []byte, info string) []byte {
	key, err := hkdf.Key(sha256.New, append(slices.Clone(known), v.device...), nil, "ironfeet vault 1 "+info, keySize)
	if err != nil {
		panic(err) // the length is fixed and allowed
	}
	return key
}
