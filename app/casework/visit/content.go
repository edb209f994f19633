package visit

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"ironfeet/forms"
	"ironfeet/store"
)

// Content is what the investigators attest and nobody ever changes: the bytes of
// field "content" of a visit. Its SHA-256 is what every attestation signs.
type Content struct {
	Version   int       `cbor:"1,keyasint"`
	Visit     uuid.UUID `cbor:"2,keyasint"`
	Household uuid.UUID `cbor:"3,keyasint"`
	Task      uuid.UUID `cbor:"4,keyasint,omitempty"`
	Division  string    `cbor:"5,keyasint"` // the village, 12 digits
	Started   int64     `cbor:"6,keyasint"` // Unix milliseconds of the device's clock
	Ended     int64     `cbor:"7,keyasint"`
	Outcome   string    `cbor:"8,keyasint"` // domain.md §4.1: completed, absent, …
	Record    []byte    `cbor:"9,keyasint"` // forms.Record, encoded: the answers that no part holds
	Photos    []Photo   `cbor:"10,keyasint,omitempty"`
	Signature Signature `cbor:"11,keyasint"`

	// Seen is every registry value the investigators had before their eyes, as
	// the changes that set them: entity -> field -> heads.
	Seen map[string]map[string][]store.ChangeID `cbor:"12,keyasint,omitempty"`

	Excused   []Excuse `cbor:"13,keyasint,omitempty"` // required questions that nobody could answer, each with its reason
	Found     *Found   `cbor:"14,keyasint,omitempty"` // a household that the registry does not know yet
	ClockBack int64    `cbor:"15,keyasint,omitempty"` // ms by which the device's clock was set back during the visit

	Covers []Cover `cbor:"16,keyasint,omitempty"` // since version 2: what is signed apart
}

// A Photo is a picture taken for one question.
type Photo struct {
	Path   string       `cbor:"1,keyasint"` // of the question
	Digest store.Digest `cbor:"2,keyasint"`
	Size   int64        `cbor:"3,keyasint"`
	Taken  int64        `cbor:"4,keyasint"` // Unix milliseconds: when it was added to the visit

	Kind     string `cbor:"5,keyasint,omitempty"`  // "" a picture; Audio, Video, Document
	Name     string `cbor:"6,keyasint,omitempty"`  // of the file it came from, where it is no picture
	Shot     string `cbor:"7,keyasint,omitempty"`  // when the camera says it was taken, ISO 8601
	Place    string `cbor:"8,keyasint,omitempty"`  // "latitude longitude altitude accuracy", WGS 84
	PlaceBy  string `cbor:"9,keyasint,omitempty"`  // who knew the place: exif, gpsd, hand
	Original int64  `cbor:"10,keyasint,omitempty"` // bytes before it was made smaller

	Protected string `cbor:"11,keyasint,omitempty"` // Neighbours or Children, where it belongs to such a part
}

// How the householder signed (domain.md §4.9).
const (
	Drawn      = "drawn"      // 手写签名
	Thumbprint = "thumbprint" // 手印照片, with a witness
	Refused    = "refused"    // 拒签, with the reason
	Proxy      = "proxy"      // 代签, with the mandate
)

// A Signature is the householder's word under the summary that was read aloud.
type Signature struct {
	Mode    string       `cbor:"1,keyasint,omitempty"` // "" where nobody was met
	Digest  store.Digest `cbor:"2,keyasint,omitempty"` // drawing or photo
	Size    int64        `cbor:"3,keyasint,omitempty"`
	Signer  string       `cbor:"4,keyasint,omitempty"`
	Witness string       `cbor:"5,keyasint,omitempty"`
	Reason  string       `cbor:"6,keyasint,omitempty"`
	Strokes [][]int      `cbor:"7,keyasint,omitempty"` // of a drawn one: x, y, x, y … of each stroke, in thousandths of the pad's width
}

// contentVersion is 2 since parts are signed apart.
const contentVersion = 2

var (
	encode, _ = cbor.CoreDetEncOptions().EncMode()
	decode, _ = cbor.DecOptions{MaxArrayElements: 100_000, MaxMapPairs: 100_000, MaxNestedLevels: 16, DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
)

// A Signed visit is one that left its tablet: what was attested, and by whom.
type Signed struct {
	ID           uuid.UUID
	Division     string
	Bytes        []byte // of the content, as signed
	Content      Content
	Parts        [][]byte     // what is signed apart, as far as it is at hand
	Withheld     []string     // kinds of parts that are not
	Record       forms.Record // whole, but for what is withheld
	Digest       store.Digest // SHA-256 of Bytes
	Attestations [][]byte
	Investigator []uuid.UUID // who attested, as the visit says; verify with trust
	Author       uuid.UUID   // whose tablet session wrote it
	At           store.Clock
}

// ErrDamaged means that a visit's content cannot be read or is not what its
// digest says.
var ErrDamaged = errors.New("the visit's content is damaged")

// ErrNewer means that a later version of the program wrote the visit: it is kept
// and handed on as it is, and read after an update.
var ErrNewer = errors.New("the visit was written by a newer version of the program; update to read it")

// Read reads a signed visit and checks its content against its digest.
func Read(ctx context.Context, r *store.Replica, id uuid.UUID) (*Signed, error) {
	e, err := r.Entity(ctx, id)
	if err != nil {
		return nil, err
	}
	return FromEntity(e)
}

// FromEntity reads a signed visit from its entity.
func FromEntity(e *store.Entity) (*Signed, error) {
	s := &Signed{ID: e.ID, Division: e.Division, Bytes: e.Fields["content"].Bytes(), At: e.Updated}
	s.Digest = sha256.Sum256(s.Bytes)
	if string(e.Fields["digest"].Bytes()) != string(s.Digest[:]) {
		return nil, fmt.Errorf("visit %s: %w: the digest is another", e.ID, ErrDamaged)
	}
	if err := decode.Unmarshal(s.Bytes, &s.Content); err != nil {
		return nil, fmt.Errorf("visit %s: %w: %w", e.ID, ErrDamaged, err)
	}
	if s.Content.Version > contentVersion {
		return nil, fmt.Errorf("visit %s: %w", e.ID, ErrNewer)
	}
	if v, ok := e.Fields["parts"]; ok && !v.IsNull() {
		if err := v.Into(&s.Parts); err != nil {
			return nil, fmt.Errorf("visit %s: %w: %w", e.ID, ErrDamaged, err)
		}
	}
	var err error
	if s.Record, s.Withheld, err = s.Content.Join(s.Parts); err != nil {
		return nil, fmt.Errorf("visit %s: %w: %w", e.ID, ErrDamaged, err)
	}
	if err := e.Fields["attestations"].Into(&s.Attestations); err != nil {
		return nil, fmt.Errorf("visit %s: %w: %w", e.ID, ErrDamaged, err)
	}
	var people []string
	if v, ok := e.Fields["investigators"]; ok {
		if err := v.Into(&people); err != nil {
			return nil, fmt.Errorf("visit %s: %w: %w", e.ID, ErrDamaged, err)
		}
	}
	for _, p := range people {
		if id, err := uuid.Parse(p); err == nil {
			s.Investigator = append(s.Investigator, id)
		}
	}
	return s, nil
}

// Answer returns one answer of the record by the question's name, the first of
// that name; "" if there is none.
func (s *Signed) Answer(name string) string {
	for _, a := range s.Record.Answers {
		if forms.NameOf(a.Path) == name {
			return a.Value
		}
	}
	return ""
}

// EndedAt is when the visit was signed, by the tablet's clock.
func (s *Signed) EndedAt() time.Time { return time.UnixMilli(s.Content.Ended) }

// Blobs are the files the visit names.
func (c *Content) Blobs() []store.BlobRef {
	var refs []store.BlobRef
	for _, p := range c.Photos {
		refs = append(refs, store.BlobRef{Digest: p.Digest, Size: p.Size})
	}
	if c.Signature.Digest != (store.Digest{}) {
		refs = append(refs, store.BlobRef{Digest: c.Signature.Digest, Size: c.Signature.Size})
	}
	return refs
}
