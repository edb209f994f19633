// Package carrier writes and reads the file that travels on a USB stick when no
// network reaches the village.
//
// A carrier is an age-encrypted sequence of records: a header that names the
// county, every bundle, the receipts, then the photos, in the order in which a
// township would miss them most, so that the readable part of a torn file is always
// its most valuable part. Importing one twice changes nothing. Both sides see the
// same six digits, taken from the digest of all records, and can compare them by
// voice.
//
// The encryption keeps strangers out and says nothing about who wrote the file:
// what counts is signed by itself, bundles and receipts, or named by what is
// signed, photos. The format is specified in sync/FORMAT.md, section 8.
//
// This package knows neither households nor forms.
package carrier

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
)

// Extension ends the name of every carrier.
const Extension = ".ironfeet"

// Limits of reading (invariant 10).
const (
	maxRecord  = bundle.MaxBody + 8<<10
	maxReceipt = cose.MaxMessage
	chunkBytes = 64 << 10
	MaxBlob    = 64 << 20
	maxRecords = 20_000_000
)

// Kinds of record. A reader skips kinds it does not know.
const (
	kindHeader  = 0
	kindBundle  = 1
	kindReceipt = 2
	kindBlob    = 3
	kindChunk   = 4
	kindEnd     = 9
)

// A record stands in the file as a CBOR byte string that holds [kind, content].
type record struct {
	_       struct{} `cbor:",toarray"`
	Kind    uint64
	Content any
}

// header is the content of the first record.
type header struct {
	Version uint64    `cbor:"1,keyasint"`
	County  cose.Hash `cbor:"2,keyasint"` // of the root's public key
	From    uuid.UUID `cbor:"3,keyasint"`
	Name    string    `cbor:"4,keyasint,omitempty"`
	Made    int64     `cbor:"5,keyasint"` // Unix milliseconds

	// Of the second file on: its number, and the digest of the file before, so that the
	// digest of the last stands for all.
	Part   uint64     `cbor:"6,keyasint,omitempty"`
	Before *cose.Hash `cbor:"7,keyasint,omitempty"`
}

type blobHeader struct {
	_    struct{} `cbor:",toarray"`
	Hash cose.Hash
	Size uint64
}

// end is the content of the last record.
type end struct {
	Bundles  uint64    `cbor:"1,keyasint"`
	Receipts uint64    `cbor:"2,keyasint"`
	Blobs    uint64    `cbor:"3,keyasint"`
	Digest   cose.Hash `cbor:"4,keyasint"`           // of every byte before this record
	More     bool      `cbor:"5,keyasint,omitempty"` // another file follows
}

const version = 1

// A Header is what a carrier says about itself. Nobody signs it.
type Header struct {
	County [32]byte // SHA-256 of the root's public key
	From   uuid.UUID
	Name   string
	Made   time.Time
	Part   int
}

// Contents are what goes into a carrier, in this order.
type Contents struct {
	County   ed25519.PublicKey // the root
	From     uuid.UUID         // the node that writes
	Name     string            // its name, for people
	Bundles  iter.Seq2[[]byte, error]
	Receipts [][]byte
	Blobs    []store.BlobRef
	OpenBlob func(context.Context, store.Digest) (io.ReadCloser, int64, error)
}

// A Summary is what both sides show.
type Summary struct {
	County, From                      string // fingerprint of the root; name or id of the writer, as the file says
	Made                              time.Time
	Bundles, Changes, Receipts, Blobs int
	Bytes                             int64        // of the file, as far as it was written or read
	Digest                            store.Digest // of all records before the last
	Six                               string       // six digits to compare by voice
	Torn                              bool
	Parts                             int  // files; the number of this one where one was read
	More                              bool // another file follows that has not been read
}

// six takes six digits from a digest: its first eight bytes as a number, modulo a
// million.
func six(d store.Digest) string {
	return fmt.Sprintf("%06d", binary.BigEndian.Uint64(d[:8])%1_000_000)
}

// countyOf is what the header says of the county.
func countyOf(root ed25519.PublicKey) [32]byte { return sha256.Sum256(root) }

// A NotForUsError means that the carrier is in order, but not meant for this node.
// Nothing was read from it.
type NotForUsError struct {
	Path string
	Why  string // OtherCounty or NotRecipient
	From string // who wrote it, where that could be read
}

// Why a carrier is not for us.
const (
	OtherCounty  = "other_county"
	NotRecipient = "not_recipient"
)

func (e *NotForUsError) Error() string {
	if e.Why == OtherCounty {
		return fmt.Sprintf("%s: written for another county, by %s", e.Path, e.From)
	}
	return e.Path + ": not sealed to this machine"
}

// Code is the key of the sentence.
func (e *NotForUsError) Code() string { return "carrier." + e.Why }

// A TornError means that the file ends early or is damaged from some place on. All
// that stood before was delivered; the rest can be fetched again from the writer.
type TornError struct {
	Path    string
	Summary Summary // of the part that was read
	Damaged bool    // changed bytes, rather than missing ones
	Cause   error
}

func (e *TornError) Error() string {
	what := "ends early or is damaged at its end"
	if e.Damaged {
		what = "is damaged"
	}
	return fmt.Sprintf("%s: %s after %d bundles and %d photos: %v", e.Path, what, e.Summary.Bundles, e.Summary.Blobs, e.Cause)
}

func (e *TornError) Unwrap() error { return e.Cause }

// Code is the key of the sentence.
func (e *TornError) Code() string {
	if e.Damaged {
		return "carrier.damaged_from_here"
	}
	return "carrier.torn"
}

// A DamagedError means that the file is no carrier at all, or its beginning is
// damaged. Nothing was read from it.
type DamagedError struct {
	Path  string
	Cause error
}

func (e *DamagedError) Error() string { return e.Path + ": not a readable carrier: " + e.Cause.Error() }

func (e *DamagedError) Unwrap() error { return e.Cause }

// Code is the key of the sentence.
func (e *DamagedError) Code() string { return "carrier.damaged" }

// A NewerError means that a newer program wrote the carrier.
type NewerError struct {
	Path    string
	Version uint64
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s: format %d needs a newer program", e.Path, e.Version)
}

// Code is the key of the sentence.
func (e *NewerError) Code() string { return "carrier.newer" }

// A NoRecipientError means that nobody is known to whom a carrier could be sealed.
type NoRecipientError struct{}

func (*NoRecipientError) Error() string {
	return "no county or township machine is known that could open a carrier"
}

// Code is the key of the sentence.
func (*NoRecipientError) Code() string { return "carrier.no_recipient" }
