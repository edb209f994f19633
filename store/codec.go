package store

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
)

// Limits of one change (invariant 10). A form's workbook is the largest value.
const (
	MaxChange        = 16 << 20 // bytes
	maxFields        = 4096
	maxName          = 128 // bytes of a field's name
	maxKind          = 32
	maxBlobs         = 4096
	maxSuperseded    = 4096                                     // per field
	clockLast        = Clock(7258118400000) << clockCounterBits // the year 2200: beyond it a clock is broken, not early
	clockCounterBits = 16
)

// A MalformedError means that bytes are not a change. What says which rule they
// break.
type MalformedError struct {
	What string
	Err  error
}

func (e *MalformedError) Error() string {
	if e.Err != nil {
		return "change: " + e.What + ": " + e.Err.Error()
	}
	return "change: " + e.What
}
func (e *MalformedError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *MalformedError) Code() string { return "store.malformed_change" }

// On the wire a change is a CBOR map with small keys; an unset one costs nothing,
// and a key of a later version is passed on unread (design.md §4a).
type wireChange struct {
	Node     []byte      `cbor:"1,keyasint"`
	Seq      uint64      `cbor:"2,keyasint"`
	Clock    uint64      `cbor:"3,keyasint"`
	Author   []byte      `cbor:"4,keyasint"`
	Kind     string      `cbor:"5,keyasint"`
	Entity   []byte      `cbor:"6,keyasint"`
	Division string      `cbor:"7,keyasint"`
	Fields   []wireField `cbor:"8,keyasint,omitempty"`
	Blobs    []wireBlob  `cbor:"9,keyasint,omitempty"`
}

type wireField struct {
	Name       string          `cbor:"1,keyasint"`
	Value      cbor.RawMessage `cbor:"2,keyasint"`
	Supersedes []wireID        `cbor:"3,keyasint,omitempty"`
}

type wireID struct {
	_    struct{} `cbor:",toarray"`
	Node []byte
	Seq  uint64
}

type wireBlob struct {
	Digest []byte `cbor:"1,keyasint"`
	Size   int64  `cbor:"2,keyasint"`
}

// EncodeChange returns the deterministic bytes of a change: its Raw where it has
// one, for what was signed is never encoded again. It refuses what DecodeChange
// would refuse.
func EncodeChange(c *Change) ([]byte, error) {
	if c.Raw != nil {
		return c.Raw, nil
	}
	if err := c.valid(); err != nil {
		return nil, err
	}
	w := wireChange{
		Node: c.Node[:], Seq: c.Seq, Clock: uint64(c.Clock), Author: c.Author[:],
		Kind: string(c.Kind), Entity: c.Entity[:], Division: c.Division,
		Fields: make([]wireField, len(c.Fields)), Blobs: make([]wireBlob, len(c.Blobs)),
	}
	for i, f := range c.Fields {
		w.Fields[i] = wireField{Name: f.Name, Value: cbor.RawMessage(f.Value), Supersedes: make([]wireID, len(f.Supersedes))}
		for j := range f.Supersedes {
			w.Fields[i].Supersedes[j] = wireID{Node: f.Supersedes[j].Node[:], Seq: f.Supersedes[j].Seq}
		}
	}
	for i := range c.Blobs {
		w.Blobs[i] = wireBlob{c.Blobs[i].Digest[:], c.Blobs[i].Size}
	}
	raw, err := encoder.Marshal(&w)
	if err == nil && len(raw) > MaxChange {
		err = &MalformedError{What: fmt.Sprintf("%d bytes, the limit is %d", len(raw), MaxChange)}
	}
	return raw, err
}

// DecodeChange reads one change and keeps its bytes in Raw. It refuses with a
// *MalformedError what is not in deterministic form, too large, or not a change;
// keys it does not know stay in Raw unread.
func DecodeChange(raw []byte) (Change, error) {
	if len(raw) > MaxChange {
		return Change{}, &MalformedError{What: fmt.Sprintf("%d bytes, the limit is %d", len(raw), MaxChange)}
	}
	if err := whole(raw); err != nil {
		return Change{}, &MalformedError{"not readable", err}
	}
	var w wireChange
	if err := decoder.Unmarshal(raw, &w); err != nil {
		return Change{}, &MalformedError{"not readable", err}
	}
	c := Change{
		ChangeID: ChangeID{Seq: w.Seq}, Clock: Clock(w.Clock), Kind: Kind(w.Kind),
		Division: w.Division, Raw: bytes.Clone(raw),
	}
	var err error
	c.Node = id16(w.Node, &err)
	c.Author = id16(w.Author, &err)
	c.Entity = id16(w.Entity, &err)
	if len(w.Fields) > 0 {
		c.Fields = make([]Field, len(w.Fields))
	}
	for i, f := range w.Fields {
		c.Fields[i] = Field{Name: f.Name, Value: Value(f.Value)}
		for _, s := range f.Supersedes {
			c.Fields[i].Supersedes = append(c.Fields[i].Supersedes, ChangeID{id16(s.Node, &err), s.Seq})
		}
	}
	for _, b := range w.Blobs {
		if len(b.Digest) != len(Digest{}) {
			err = errors.New("a digest has 32 bytes")
			break
		}
		c.Blobs = append(c.Blobs, BlobRef{Digest(b.Digest), b.Size})
	}
	if err != nil {
		return Change{}, &MalformedError{"not a change", err}
	}
	return c, c.valid()
}

func id16(b []byte, err *error) (id uuid.UUID) {
	if len(b) != len(id) {
		*err = errors.New("an id has 16 bytes")
		return id
	}
	return uuid.UUID(b)
}

// valid checks what holds of every change, written or received.
func (c *Change) valid() error {
	bad := func(format string, args ...any) error { return &MalformedError{What: fmt.Sprintf(format, args...)} }
	switch {
	case c.Seq == 0:
		return bad("numbers count from 1")
	case c.Seq > 1<<62:
		return bad("its number is out of range")
	case c.Clock > clockLast:
		return bad("its clock is beyond the year 2200")
	case c.Entity == uuid.Nil:
		return bad("it names no entity")
	case c.Kind == "" || len(c.Kind) > maxKind:
		return bad("a kind has 1 to %d bytes", maxKind)
	case !validDivision(c.Division):
		return bad("division %.20q is not 6, 9 or 12 digits", c.Division)
	case len(c.Fields) > maxFields:
		return bad("%d fields, the limit is %d", len(c.Fields), maxFields)
	case len(c.Blobs) > maxBlobs:
		return bad("%d files, the limit is %d", len(c.Blobs), maxBlobs)
	}
	for i, f := range c.Fields {
		switch {
		case f.Name == "" || len(f.Name) > maxName || strings.ToValidUTF8(f.Name, "") != f.Name:
			return bad("field %.20q: a name has 1 to %d bytes of UTF-8", f.Name, maxName)
		case i > 0 && c.Fields[i-1].Name >= f.Name:
			return bad("field %q is not in order", f.Name)
		case len(f.Supersedes) > maxSuperseded:
			return bad("field %q replaces %d changes, the limit is %d", f.Name, len(f.Supersedes), maxSuperseded)
		case !ascending(f.Supersedes):
			return bad("field %q: what it replaces is not in order", f.Name)
		}
		if err := whole(f.Value); err != nil {
			return &MalformedError{fmt.Sprintf("field %q", f.Name), err}
		}
	}
	for i, b := range c.Blobs {
		if b.Size < 0 || i > 0 && bytes.Compare(c.Blobs[i-1].Digest[:], b.Digest[:]) >= 0 {
			return bad("its files are not in order")
		}
	}
	return nil
}

func ascending(ids []ChangeID) bool {
	for i := 1; i < len(ids); i++ {
		if ids[i-1].compare(ids[i]) >= 0 {
			return false
		}
	}
	return true
}

func sortIDs(ids []ChangeID) []ChangeID {
	slices.SortFunc(ids, ChangeID.compare)
	return slices.Compact(ids)
}
