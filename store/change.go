package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Kind is what an entity is.
type Kind string

// The kinds of entities (design.md §3). A kind this version does not know is kept
// and forwarded like any other.
const (
	Household     Kind = "household"
	Member        Kind = "member"
	Task          Kind = "task"
	Visit         Kind = "visit"
	Review        Kind = "review"
	Alert         Kind = "alert"
	Determination Kind = "determination"
	Need          Kind = "need"
	Form          Kind = "form"
	Standards     Kind = "standards"
	List          Kind = "list"
	Person        Kind = "person" // a worker
	Node          Kind = "node"
	Notice        Kind = "notice"   // 公示: a sheet posted in a village, and what was said against it
	Calendar      Kind = "calendar" // a year's holidays and make-up days, or the county's deadlines
	Opinion       Kind = "opinion"  // 初审意见: what the township thinks of a case before the county decides
)

// Clock is a hybrid logical clock: Unix milliseconds << 16 | counter. It orders
// for the eye, never for the truth: what replaces what is said by Supersedes, so a
// tablet whose clock runs days ahead cannot outvote anybody; see nextClock.
type Clock uint64

// Time is the clock's wall time.
func (c Clock) Time() time.Time { return time.UnixMilli(int64(c >> clockCounterBits)) }

// ChangeID names a change for ever: the node that wrote it, and its number there,
// counted from 1.
type ChangeID struct {
	Node uuid.UUID
	Seq  uint64
}

func (id ChangeID) compare(other ChangeID) int {
	if c := bytes.Compare(id.Node[:], other.Node[:]); c != 0 {
		return c
	}
	switch {
	case id.Seq < other.Seq:
		return -1
	case id.Seq > other.Seq:
		return 1
	}
	return 0
}

// String is the first of the node's random digits and the number.
func (id ChangeID) String() string { return fmt.Sprintf("%s:%d", id.Node, id.Seq) }

// A Change sets fields of one entity. It is written once and never altered.
type Change struct {
	ChangeID
	Clock    Clock
	Author   uuid.UUID // the person, or the node where no person decided
	Kind     Kind
	Entity   uuid.UUID
	Division string    // 6, 9 or 12 digits: where it belongs; routing, plain
	Fields   []Field   // sorted by name, unique
	Blobs    []BlobRef // photos and files this change names, sorted, unique
	Raw      []byte    // exactly as written or received
}

// A Field is one value set, and the earlier changes to the same field of the same
// entity that it replaces.
type Field struct {
	Name       string
	Value      Value
	Supersedes []ChangeID // sorted, unique
}

// Digest is a SHA-256.
type Digest [sha256.Size]byte

// String is 64 lower-case hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// DigestOf is the SHA-256 of bytes.
func DigestOf(b []byte) Digest { return sha256.Sum256(b) }

// ParseDigest reads what String wrote.
func ParseDigest(s string) (Digest, error) {
	var d Digest
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(d) {
		return d, fmt.Errorf("%.80q is not a digest of 64 hexadecimal digits", s)
	}
	copy(d[:], b)
	return d, nil
}

// BlobRef names a photo or file.
type BlobRef struct {
	Digest Digest
	Size   int64 // bytes, before sealing
}

// Within reports whether a division lies in a scope: "459921100" holds
// "459921100201" and itself. The empty scope holds everything.
func Within(scope, division string) bool { return strings.HasPrefix(division, scope) }

// validDivision: a county (6 digits, GB/T 2260), a township (9) or a village (12).
func validDivision(s string) bool {
	return (len(s) == 6 || len(s) == 9 || len(s) == 12) && strings.Trim(s, "0123456789") == ""
}
