package vault

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"filippo.io/age"
	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
)

// Recovery of a forgotten PIN, or of a lost device secret:
//
//	tablet  AskRecovery     -> request: the data key as the county can open it, a
//	                           recipient made for the answer, and the public half of
//	                           a new signing key for the person who forgot the PIN
//	county  ReadRecovery    -> who asks, and six digits to compare over the telephone
//	county  AnswerRecovery  -> answer: the data key for that recipient
//	tablet  Recover         -> the keys, to give that person a new PIN
//
// Both texts are safe on paper, on a stick and over a messenger: the request opens
// for the county alone, the answer for this folder alone. The county learns the data
// key and no person's signing key: who is recovered has a new one, which the county
// certifies when it answers.
const (
	requestType = "IRONFEET RECOVERY REQUEST"
	answerType  = "IRONFEET RECOVERY ANSWER"
	maxRecovery = 64 << 10
)

// SetRecovery wraps the data key to the county's age recipients. Doing it again for
// the same ones changes nothing.
func (v *Vault) SetRecovery(k *Keys, recipients ...string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	slices.Sort(recipients)
	recipients = slices.Compact(recipients)
	if len(recipients) == 0 || v.f.Recovery != nil && slices.Equal(recipients, v.f.Recoverers) {
		return nil
	}
	m, err := k.use()
	if err != nil {
		return err
	}
	defer m.done()
	var to []age.Recipient
	for _, text := range recipients {
		r, err := age.ParseX25519Recipient(text)
		if err != nil {
			return fmt.Errorf("recovery for %.80q: %w", text, err)
		}
		to = append(to, r)
	}
	wrapped, err := ageSeal(m.data[:], to...)
	if err != nil {
		return err
	}
	v.f.Recovery, v.f.Recoverers = wrapped, recipients
	return v.save()
}

// Recoverable says whether the county could open this vault.
func (v *Vault) Recoverable() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.f.Recovery != nil
}

func ageSeal(plain []byte, to ...age.Recipient) ([]byte, error) {
	var b bytes.Buffer
	w, err := age.Encrypt(&b, to...)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = w.Close()
	}
	return b.Bytes(), err
}

func ageOpen(sealed []byte, identities ...age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), identities...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(r, maxRecovery))
}

type recoveryRequest struct {
	Wrapped []byte `cbor:"1,keyasint"`
	ReplyTo string `cbor:"2,keyasint"`
	Person  []byte `cbor:"3,keyasint,omitempty"`
	Name    string `cbor:"4,keyasint,omitempty"`
	Key     []byte `cbor:"5,keyasint,omitempty"` // public
	Proof   []byte `cbor:"6,keyasint,omitempty"` // by that key, over all before it
}

// asked is what a folder keeps until the answer comes, sealed.
type asked struct {
	Identity string `cbor:"1,keyasint"` // opens the answer
	Seed     []byte `cbor:"2,keyasint"` // of the person's new signing key
}

// A RecoveryError means a recovery's text cannot be used.
type RecoveryError struct {
	Why string // none, malformed, not_ours, not_asked
	Err error
}

func (e *RecoveryError) Error() string {
	said := map[string]string{
		"none":      "this folder was never wrapped to a county",
		"malformed": "not a recovery text of ours",
		"not_ours":  "meant for another county, or for another folder",
		"not_asked": "this folder has not asked for a recovery",
		"forged":    "what it says of the person is not signed by the key that it brings",
	}[e.Why]
	if e.Err != nil {
		said += ": " + e.Err.Error()
	}
	return said
}

func (e *RecoveryError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *RecoveryError) Code() string { return "vault.recovery_" + e.Why }

// AskRecovery returns a text for the county, for a person of this folder who forgot
// the PIN. Asking again for the same person returns the same text; for another, or
// after the device secret was lost, it makes the answer to the earlier one worthless.
func (v *Vault) AskRecovery(id uuid.UUID) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := slices.IndexFunc(v.f.People, func(p person) bool { return p.ID == id })
	if v.f.Recovery == nil || i < 0 {
		return nil, &RecoveryError{Why: "none"}
	}
	if v.device == nil { // carried to a new machine: it gets a secret of its own
		if err := v.newDevice(); err != nil {
			return nil, err
		}
	}
	if v.f.AskedFor == id {
		if _, err := v.asked(); err == nil {
			return v.f.Request, nil
		}
	}
	reply, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("ask for recovery: %w", err)
	}
	seed, err := v.random(ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	key := ed25519.NewKeyFromSeed(seed)
	q := recoveryRequest{
		Wrapped: v.f.Recovery, ReplyTo: reply.Recipient().String(), Person: id[:], Name: v.f.People[i].Name, Key: key.Public().(ed25519.PublicKey),
	}
	claim, err := cbor.Marshal(q)
	if err != nil {
		return nil, err
	}
	q.Proof = ed25519.Sign(key, claim)
	body, err := cbor.Marshal(q)
	if err != nil {
		return nil, err
	}
	plain, err := cbor.Marshal(asked{reply.String(), seed})
	if err != nil {
		return nil, err
	}
	v.f.Asked = seal(v.world, v.derive(nil, "recovery"), "recovery", plain)
	v.f.AskedFor, v.f.Request = id, pem.EncodeToMemory(&pem.Block{Type: requestType, Bytes: body})
	return v.f.Request, v.save()
}

// asked opens what an answer is expected for.
func (v *Vault) asked() (a asked, err error) {
	if v.f.Asked == nil || v.device == nil {
		return a, &RecoveryError{Why: "not_asked"}
	}
	plain, err := open(v.derive(nil, "recovery"), "recovery", v.f.Asked)
	if err == nil {
		err = strictCBOR.Unmarshal(plain, &a)
	}
	if err == nil && len(a.Seed) != ed25519.SeedSize {
		err = errors.New("the new signing key is cut off")
	}
	if err != nil {
		return a, &DamagedError{v.dir, err}
	}
	return a, nil
}

// A RecoveryAsked is who asks for a recovery.
type RecoveryAsked struct {
	Person uuid.UUID
	Name   string            // as the machine calls that person: compare it with the county's own roll
	Key    ed25519.PublicKey // of the person from now on
	Check  string            // six digits, the same on the machine that asks
}

// ReadRecovery reads who asks. It proves that whoever asks has the new key, and
// nothing about who that is.
func ReadRecovery(request []byte) (RecoveryAsked, error) {
	q, body, err := readRequest(request)
	if err != nil {
		return RecoveryAsked{}, err
	}
	id, err := uuid.FromBytes(q.Person)
	if err != nil || len(q.Key) != ed25519.PublicKeySize {
		return RecoveryAsked{}, &RecoveryError{Why: "malformed", Err: err}
	}
	claimed := q
	claimed.Proof = nil
	claim, err := cbor.Marshal(claimed)
	if err != nil || !ed25519.Verify(q.Key, claim, q.Proof) {
		return RecoveryAsked{}, &RecoveryError{Why: "forged", Err: err}
	}
	digest := sha256.Sum256(body)
	return RecoveryAsked{id, q.Name, q.Key, fmt.Sprintf("%06d", binary.BigEndian.Uint64(digest[:])%1_000_000)}, nil
}

func readRequest(request []byte) (q recoveryRequest, body []byte, err error) {
	if body, err = unpem(request, requestType); err != nil {
		return q, nil, err
	}
	if err := strictCBOR.Unmarshal(body, &q); err != nil {
		return q, nil, &RecoveryError{Why: "malformed", Err: err}
	}
	return q, body, nil
}

func unpem(text []byte, kind string) ([]byte, error) {
	if len(text) > maxRecovery {
		return nil, &RecoveryError{Why: "malformed", Err: fmt.Errorf("longer than %d bytes", maxRecovery)}
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != kind {
		return nil, &RecoveryError{Why: "malformed"}
	}
	return block.Bytes, nil
}

// AnswerRecovery is the county's side: it opens a request with the county's age
// identities and wraps the data key to whoever asked.
func AnswerRecovery(request []byte, identities ...age.Identity) ([]byte, error) {
	q, _, err := readRequest(request)
	if err != nil {
		return nil, err
	}
	to, err := age.ParseX25519Recipient(q.ReplyTo)
	if err != nil {
		return nil, &RecoveryError{Why: "malformed", Err: err}
	}
	data, err := ageOpen(q.Wrapped, identities...)
	if err != nil {
		return nil, &RecoveryError{Why: "not_ours", Err: err}
	}
	if len(data) != keySize {
		return nil, &RecoveryError{Why: "malformed"}
	}
	sealed, err := ageSeal(data, to)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: answerType, Bytes: sealed}), nil
}

var strictCBOR = func() cbor.DecMode {
	mode, err := cbor.DecOptions{DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, TagsMd: cbor.TagsForbidden, MaxNestedLevels: 4}.DecMode()
	if err != nil {
		panic(err)
	}
	return mode
}()

// Recover opens the vault with the county's answer and gives the person it was asked
// for a new PIN, and the signing key that the county certified. All of it or nothing:
// a PIN that is none leaves the answer good. The folder's content proves by itself
// that the keys are the right ones.
func (v *Vault) Recover(answer []byte, pin string) (*Keys, error) {
	if err := CheckPIN(pin); err != nil {
		return nil, err
	}
	sealed, err := unpem(answer, answerType)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	a, err := v.asked()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(v.f.People, func(p person) bool { return p.ID == v.f.AskedFor })
	if i < 0 {
		return nil, &RecoveryError{Why: "not_asked"}
	}
	identity, err := age.ParseX25519Identity(a.Identity)
	if err != nil {
		return nil, &DamagedError{v.dir, err}
	}
	data, err := ageOpen(sealed, identity)
	if err != nil || len(data) != keySize {
		return nil, &RecoveryError{Why: "not_ours", Err: err}
	}
	k := v.keys(data)
	for name, sealed := range v.f.Secrets { // another folder's key opens none
		if _, err := k.Open(secretPlace(name), sealed); err != nil {
			k.Lock()
			return nil, &RecoveryError{Why: "not_ours", Err: err}
		}
		break
	}
	p, err := v.person(k, v.f.AskedFor, v.f.People[i].Name, pin, a.Seed)
	if err != nil {
		k.Lock()
		return nil, err
	}
	before := v.f
	v.f.People = slices.Clone(v.f.People)
	v.f.People[i] = p
	v.f.Fails = maps.Clone(v.f.Fails)
	delete(v.f.Fails, p.ID.String())
	v.f.Asked, v.f.AskedFor, v.f.Request = nil, uuid.Nil, nil
	if err := v.save(); err != nil {
		v.f = before
		k.Lock()
		return nil, err
	}
	return k, nil
}

// Exported is what a backup carries of a vault: whoever reads it reads everything.
type Exported struct {
	Data       []byte            `cbor:"1,keyasint"`
	Secrets    map[string][]byte `cbor:"2,keyasint,omitempty"` // opened
	Unattended bool              `cbor:"3,keyasint,omitempty"`
}

// Export takes the keys out, for a backup that is encrypted to the county.
func (k *Keys) Export() (Exported, error) {
	k.vault.mu.Lock()
	defer k.vault.mu.Unlock()
	m, err := k.use()
	if err != nil {
		return Exported{}, err
	}
	defer m.done()
	e := Exported{Data: slices.Clone(m.data[:]), Secrets: map[string][]byte{}, Unattended: k.vault.f.Unattended != nil}
	for name, sealed := range k.vault.f.Secrets {
		if e.Secrets[name], err = k.Open(secretPlace(name), sealed); err != nil {
			return Exported{}, &DamagedError{k.vault.dir, fmt.Errorf("secret %s: %w", name, err)}
		}
	}
	return e, nil
}

// Import makes the vault of a restored folder: the same data key and secrets under
// a device secret of this machine, and nobody's PIN.
func (v *Vault) Import(e Exported) (*Keys, error) {
	if len(e.Data) != keySize {
		return nil, errors.New("the backup's key has the wrong length")
	}
	v.mu.Lock()
	if len(v.f.People) > 0 || v.f.Unattended != nil {
		v.mu.Unlock()
		return nil, &ExistsError{v.dir}
	}
	k := v.keys(e.Data)
	for name, secret := range e.Secrets {
		v.f.Secrets[name] = k.Seal(secretPlace(name), secret)
	}
	err := v.save()
	v.mu.Unlock()
	if err == nil && e.Unattended {
		err = v.AllowUnattended(k)
	}
	return k, err
}
