package vault

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"

	"filippo.io/age"
	"github.com/fxamacker/cbor/v2"
)

// Recovery of a forgotten PIN, or of a lost device secret:
//
//	tablet  AskRecovery     -> request: the data key as the county can open it, and
//	                           a recipient made for the answer
//	county  AnswerRecovery  -> answer: the data key for that recipient
//	tablet  Recover         -> the keys, to give somebody a new PIN
//
// Both texts are safe on paper, on a stick and over a messenger: the request opens
// for the county alone, the answer for this folder alone. The county learns the data
// key and no person's signing key: who is recovered gets a new one, to be certified
// anew.
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
	}[e.Why]
	if e.Err != nil {
		said += ": " + e.Err.Error()
	}
	return said
}

func (e *RecoveryError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *RecoveryError) Code() string { return "vault.recovery_" + e.Why }

// AskRecovery returns a text for the county. Asking again makes the answer to the
// earlier one worthless.
func (v *Vault) AskRecovery() ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.f.Recovery == nil {
		return nil, &RecoveryError{Why: "none"}
	}
	if v.device == nil { // carried to a new machine: it gets a secret of its own
		if err := v.newDevice(); err != nil {
			return nil, err
		}
	}
	reply, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("ask for recovery: %w", err)
	}
	v.f.Asked = seal(v.world, v.derive(nil, "recovery"), "recovery", []byte(reply.String()))
	if err := v.save(); err != nil {
		return nil, err
	}
	body, err := cbor.Marshal(recoveryRequest{v.f.Recovery, reply.Recipient().String()})
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: requestType, Bytes: body}), nil
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
	body, err := unpem(request, requestType)
	if err != nil {
		return nil, err
	}
	var q recoveryRequest
	if err := strictCBOR.Unmarshal(body, &q); err != nil {
		return nil, &RecoveryError{Why: "malformed", Err: err}
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

// Recover opens the vault with the county's answer. The keys are good for
// AddPerson; the folder's content proves by itself that they are the right ones.
func (v *Vault) Recover(answer []byte) (*Keys, error) {
	sealed, err := unpem(answer, answerType)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.f.Asked == nil || v.device == nil {
		return nil, &RecoveryError{Why: "not_asked"}
	}
	text, err := open(v.derive(nil, "recovery"), "recovery", v.f.Asked)
	if err != nil {
		return nil, &DamagedError{v.dir, err}
	}
	identity, err := age.ParseX25519Identity(string(text))
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
			return nil, &RecoveryError{Why: "not_ours", Err: err}
		}
		break
	}
	v.f.Asked = nil
	return k, v.save()
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
