package export

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"ironfeet/app/casework/visit"
	"ironfeet/forms"
	"ironfeet/store"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

// The evidence package is a ZIP of stored (never deflated) entries:
//
//	audit/checkpoint.txt                size and tree hash of the county's audit log
//	certificates/<subject>-<key>.cose   enrolments, signed by the county's root
//	heads/<node>/<first>-<last>.cose    signed bundle heads: each node's unbroken chain
//	visits/<visit>/content.cbor         what the investigators attested; what is protected stands there as a digest
//	visits/<visit>/children.cbor        what concerns children, which the content names by digest; only with consent
//	visits/<visit>/attestation-<n>.cose their signatures over its SHA-256
//	visits/<visit>/record.json          the same content, readable
//	visits/<visit>/review.json, determination.json   what people decided
//	blobs/<sha-256>                     photos and signature drawings
//	manifest.cose                       every entry with size and SHA-256, signed by a county node
//
// Entries stand in that order, by name within each, with no times and no extra
// fields: a package has one form, so that Verify can rebuild it and see any byte
// that was altered, wherever it stands.
const manifestName = "manifest.cose"

// Limits of a package that Verify reads.
const (
	maxEntries   = 2_000_000
	maxManifest  = 512 << 20
	maxEntrySize = 64 << 20
)

var canonical, _ = cbor.CoreDetEncOptions().EncMode()

type manifest struct {
	Version int            `cbor:"1,keyasint"`
	County  string         `cbor:"2,keyasint"` // division code
	Root    string         `cbor:"3,keyasint"` // fingerprint of the root key
	At      int64          `cbor:"4,keyasint"` // Unix seconds
	Visits  []uuid.UUID    `cbor:"5,keyasint"` // every visit of the package: one left out is missed
	Entries []entry        `cbor:"6,keyasint"`
	Missing []store.Digest `cbor:"7,keyasint,omitempty"` // photos that had not arrived at the county

	Withheld []store.Digest `cbor:"8,keyasint,omitempty"` // files that belong to what is protected
}

type entry struct {
	Name   string       `cbor:"1,keyasint"`
	Size   int64        `cbor:"2,keyasint"`
	Digest store.Digest `cbor:"3,keyasint"`
}

const manifestVersion = 2

// A Signer is the county node that vouches for a package.
type Signer struct {
	Node uuid.UUID
	Key  ed25519.PrivateKey
	Root ed25519.PublicKey
	Now  func() time.Time

	Checkpoint []byte // of the audit log, to be witnessed by whoever gets the package; may be nil
}

// Evidence is what a package came to.
type Evidence struct {
	Visits, Attestations, Blobs, Missing, Certificates, Heads int
	Withheld                                                  int // parts and files that are protected
	Bytes                                                     int64
}

// A HeldError means a visit was signed before what is protected was signed apart:
// it can only be shown whole, neighbours' words and children's data included.
type HeldError struct{ Visit uuid.UUID }

func (e *HeldError) Error() string {
	return fmt.Sprintf("visit %s can only be shown whole, with what is protected in it: that needs the child-data approver's consent", e.Visit)
}

// Code is the key of the sentence.
func (e *HeldError) Code() string { return "export.evidence_held" }

// WriteEvidence writes the evidence package of verified records, with what concerns
// children only if that was consented to, and never with what neighbours said. The
// records are asked for twice and must come in the order of their visits' ids
// (ByVisit, EvidenceOf), so that none is kept in memory.
func WriteEvidence(ctx context.Context, w io.Writer, r *store.Replica, records func() iter.Seq2[Record, error], s Signer, children bool) (Evidence, error) {
	roll, err := trust.Load(ctx, r, s.Root)
	if err != nil {
		return Evidence{}, err
	}
	p := &packer{zip: zip.NewWriter(w), sums: manifest{
		Version: manifestVersion, County: r.Identity().Division, Root: trust.Fingerprint(s.Root), At: s.Now().Unix(),
	}}
	var n Evidence

	people, nodes := map[uuid.UUID]bool{}, map[uuid.UUID]bool{s.Node: true}
	for rec, err := range records() {
		if err != nil {
			return n, err
		}
		for _, raw := range rec.Visit.Attestations {
			a, _, err := roll.VerifyAttestation(raw)
			if err != nil {
				return n, fmt.Errorf("visit %s: %w", rec.Visit.ID, err)
			}
			people[a.Person] = true
		}
		history, err := r.History(ctx, rec.Visit.ID)
		if err != nil {
			return n, err
		}
		for _, c := range history {
			nodes[c.Node] = true
		}
	}
	certificates := map[string][]byte{}
	for id := range people {
		for _, c := range roll.Person(id) {
			certificates[certificateName(c)] = c.Raw
		}
	}
	for id := range nodes {
		for _, c := range roll.NodeCertificates(id) {
			certificates[certificateName(c)] = c.Raw
		}
	}
	if s.Checkpoint != nil {
		if err := p.add("audit/checkpoint.txt", s.Checkpoint); err != nil {
			return n, err
		}
	}
	for _, name := range sortedKeys(certificates) {
		n.Certificates++
		if err := p.add(name, certificates[name]); err != nil {
			return n, err
		}
	}
	for _, id := range sortedIDs(nodes) {
		for from := uint64(1); ; { // their bodies are read with them: some at a time
			bundles, err := r.Bundles(ctx, store.BundleQuery{Node: &id, FromSeq: from, Limit: pageOf})
			if err != nil {
				return n, err
			}
			for _, b := range bundles {
				n.Heads++
				from = b.Last + 1
				if err := p.add(headName(b), b.Head); err != nil {
					return n, err
				}
			}
			if len(bundles) < pageOf {
				break
			}
		}
	}
	blobs, closedFiles := map[string]store.Digest{}, map[store.Digest]bool{}
	for rec, err := range records() {
		if err != nil {
			return n, err
		}
		n.Visits++
		p.sums.Visits = append(p.sums.Visits, rec.Visit.ID)
		folder := "visits/" + rec.Visit.ID.String() + "/"
		for i, raw := range rec.Visit.Attestations {
			n.Attestations++
			if err := p.add(fmt.Sprintf("%sattestation-%d.cose", folder, i+1), raw); err != nil {
				return n, err
			}
		}
		if err := p.add(folder+"content.cbor", rec.Visit.Bytes); err != nil {
			return n, err
		}
		parts, err := shown(rec.Visit, children)
		if err != nil {
			return n, err
		}
		for _, part := range parts {
			if err := p.add(folder+"children.cbor", part); err != nil {
				return n, err
			}
		}
		record, withheld, err := rec.Visit.Content.Join(parts)
		if err != nil {
			return n, fmt.Errorf("visit %s: %w", rec.Visit.ID, err)
		}
		n.Withheld += len(withheld)
		for _, part := range []struct {
			name string
			e    *store.Entity
		}{{"determination.json", rec.Determination}, {"review.json", rec.Review}} {
			if part.e == nil {
				continue
			}
			if err := p.add(folder+part.name, readable(part.e)); err != nil {
				return n, err
			}
		}
		plain, err := readableRecord(record)
		if err != nil {
			return n, err
		}
		if err := p.add(folder+"record.json", plain); err != nil {
			return n, err
		}
		open, closed := files(&rec.Visit.Content, children)
		for _, d := range open {
			blobs["blobs/"+d.String()] = d
		}
		for _, d := range closed {
			closedFiles[d] = true
		}
	}
	for d := range closedFiles {
		if _, open := blobs["blobs/"+d.String()]; !open {
			p.sums.Withheld = append(p.sums.Withheld, d)
			n.Withheld++
		}
	}
	slices.SortFunc(p.sums.Withheld, func(a, b store.Digest) int { return bytes.Compare(a[:], b[:]) })
	for _, name := range sortedKeys(blobs) {
		rd, size, err := r.OpenBlob(ctx, blobs[name])
		if errors.Is(err, store.ErrNotFound) {
			p.sums.Missing = append(p.sums.Missing, blobs[name])
			n.Missing++
			continue
		}
		if err != nil {
			return n, err
		}
		data, err := io.ReadAll(io.LimitReader(rd, size+1))
		rd.Close()
		if err != nil {
			return n, fmt.Errorf("read %s: %w", name, err)
		}
		n.Blobs++
		if err := p.add(name, data); err != nil {
			return n, err
		}
	}
	payload, err := canonical.Marshal(p.sums)
	if err != nil {
		return n, err
	}
	signed, err := cose.Sign(s.Key, cose.KeyID(s.Key.Public().(ed25519.PublicKey)), cose.Manifest, payload)
	if err != nil {
		return n, fmt.Errorf("sign the manifest: %w", err)
	}
	if err := addEntry(p.zip, manifestName, signed); err != nil {
		return n, err
	}
	n.Bytes = p.bytes + int64(len(signed))
	return n, p.zip.Close()
}

type packer struct {
	zip   *zip.Writer
	sums  manifest
	bytes int64
}

func (p *packer) add(name string, data []byte) error {
	p.sums.Entries = append(p.sums.Entries, entry{name, int64(len(data)), sha256.Sum256(data)})
	p.bytes += int64(len(data))
	return addEntry(p.zip, name, data)
}

// addEntry writes one entry in the only form a package knows: stored, no time, its
// checksum before its bytes.
func addEntry(z *zip.Writer, name string, data []byte) error {
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data),
		CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
	})
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	return z.Flush()
}

func certificateName(c trust.Certificate) string {
	return fmt.Sprintf("certificates/%s-%s.cose", c.Subject, hex.EncodeToString(cose.KeyID(c.Key)[:4]))
}

func headName(b store.Bundle) string {
	return fmt.Sprintf("heads/%s/%012d-%012d.cose", b.Node, b.First, b.Last)
}

// shown are the parts of a visit that the package holds.
func shown(s *visit.Signed, children bool) (parts [][]byte, err error) {
	if !children && slices.ContainsFunc(s.Record.Answers, func(a forms.Answer) bool { return Never(a.Path, false) }) && len(s.Content.Covers) == 0 {
		return nil, &HeldError{s.ID}
	}
	for _, part := range s.Parts {
		if s.Content.KindOf(part) == visit.Children && children {
			parts = append(parts, part)
		}
	}
	return parts, nil
}

// files are those the content names, and those of them that are protected.
func files(c *visit.Content, children bool) (open, closed []store.Digest) {
	hidden := map[store.Digest]bool{}
	for _, p := range c.Photos {
		hidden[p.Digest] = p.Protected == visit.Neighbours || p.Protected == visit.Children && !children
	}
	for _, b := range c.Blobs() {
		if hidden[b.Digest] {
			closed = append(closed, b.Digest)
		} else {
			open = append(open, b.Digest)
		}
	}
	return open, closed
}

// readableRecord is a visit's answers as JSON, without what neighbours said, should
// the content be of a time when that was signed with everything else.
func readableRecord(r forms.Record) ([]byte, error) {
	r.Answers = slices.DeleteFunc(slices.Clone(r.Answers), func(a forms.Answer) bool { return Never(a.Path, true) })
	return json.MarshalIndent(r.Nested(), "", "  ")
}

// readable is an entity as JSON for a person's eyes.
func readable(e *store.Entity) []byte {
	out := map[string]any{"id": e.ID.String(), "kind": string(e.Kind), "division": e.Division, "written": e.Updated.Time().UTC().Format(time.RFC3339)}
	for name, v := range e.Fields {
		switch {
		case json.Valid([]byte(v.Text())) && name == "trace":
			out[name] = json.RawMessage(v.Text())
		default:
			out[name] = v.Show()
		}
	}
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Appendf(nil, "%q", err.Error())
	}
	return b
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func sortedIDs(m map[uuid.UUID]bool) []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}
