package export

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"ironfeet/app/casework/visit"
	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

// A Tampered error names the part of a package that is not what was signed.
type Tampered struct {
	Part string // entry's name, or "package" for its frame
	What string // altered, missing, added, not_trusted, not_a_package, too_large
}

func (e *Tampered) Error() string {
	return fmt.Sprintf("%s: %s", e.Part, strings.ReplaceAll(e.What, "_", " "))
}

// Code is the key of the sentence.
func (e *Tampered) Code() string { return "export.evidence_" + e.What }

// Proof is what a sound package proves.
type Proof struct {
	County      string
	At          time.Time
	Signer      trust.Certificate
	Visits      []Proven
	Blobs       int
	Missing     int // photos that had not reached the county when it was written
	Withheld    int // parts and files that are protected and not in the package
	Bytes       int64
	Fingerprint string
}

// Proven is one visit: when, and who attested it.
type Proven struct {
	Visit, Household uuid.UUID
	Ended            time.Time
	By               []trust.Certificate
	Photos           int
	Digest           store.Digest // of what they signed: a dossier's code begins like it
}

var strict, _ = cbor.DecOptions{MaxArrayElements: maxEntries, MaxMapPairs: 100_000, MaxNestedLevels: 16, DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()

// Verify checks an evidence package with nothing but the file and the county's
// public root key. It returns every fault it can name, not only the first; a
// *Tampered each. With any fault there is no proof.
func Verify(file io.ReaderAt, size int64, root ed25519.PublicKey) (*Proof, []error) {
	z, err := zip.NewReader(file, size)
	if err != nil {
		return nil, []error{&Tampered{"package", "not_a_package"}}
	}
	if len(z.File) > maxEntries {
		return nil, []error{&Tampered{"package", "too_large"}}
	}
	v := &verifier{root: root, entries: map[string]*zip.File{}}
	for _, f := range z.File {
		if f.Method != zip.Store || v.entries[f.Name] != nil {
			return nil, []error{&Tampered{f.Name, "altered"}}
		}
		v.entries[f.Name] = f
	}
	v.run(z, file, size)
	if len(v.faults) > 0 {
		return nil, v.faults
	}
	v.proof.Bytes = size
	return &v.proof, nil
}

type verifier struct {
	root    ed25519.PublicKey
	entries map[string]*zip.File
	faults  []error
	proof   Proof
}

func (v *verifier) fault(part, what string) { v.faults = append(v.faults, &Tampered{part, what}) }

// read returns an entry's bytes; a wrong checksum is left to the manifest, which
// names the entry.
func (v *verifier) read(name string, limit int64) ([]byte, bool) {
	f := v.entries[name]
	if f == nil {
		v.fault(name, "missing")
		return nil, false
	}
	if f.UncompressedSize64 > uint64(limit) {
		v.fault(name, "too_large")
		return nil, false
	}
	rd, err := f.OpenRaw()
	if err != nil {
		v.fault(name, "altered")
		return nil, false
	}
	data, err := io.ReadAll(io.LimitReader(rd, limit+1))
	if err != nil {
		v.fault(name, "altered")
		return nil, false
	}
	return data, true
}

func (v *verifier) run(z *zip.Reader, file io.ReaderAt, size int64) {
	signed, ok := v.read(manifestName, maxManifest)
	if !ok {
		return
	}
	m, ok := v.manifest(signed)
	if !ok {
		return
	}
	v.proof.County, v.proof.At, v.proof.Missing = m.County, time.Unix(m.At, 0), len(m.Missing)
	v.proof.Withheld = len(m.Withheld)
	v.proof.Fingerprint = trust.Fingerprint(v.root)

	// Every entry is what the manifest says, none is missing, none was added.
	data := map[string][]byte{}
	listed := map[string]bool{manifestName: true}
	rebuilt := &comparer{file: file}
	out := zip.NewWriter(rebuilt)
	for _, e := range m.Entries {
		listed[e.Name] = true
		b, ok := v.read(e.Name, maxEntrySize)
		if !ok {
			continue
		}
		if int64(len(b)) != e.Size || sha256.Sum256(b) != e.Digest {
			v.fault(e.Name, "altered")
			continue
		}
		if strings.HasPrefix(e.Name, "blobs/") {
			v.proof.Blobs++
			if e.Name != "blobs/"+e.Digest.String() {
				v.fault(e.Name, "altered")
			}
		} else {
			data[e.Name] = b
		}
		rebuilt.part = e.Name
		if err := addEntry(out, e.Name, b); err != nil {
			v.fault(e.Name, "altered")
		}
	}
	for _, f := range z.File {
		if !listed[f.Name] {
			v.fault(f.Name, "added")
		}
	}
	if len(v.faults) > 0 {
		return
	}
	rebuilt.part = manifestName
	if err := addEntry(out, manifestName, signed); err != nil {
		v.fault(manifestName, "altered")
	}
	rebuilt.part = "package"
	if err := out.Close(); err != nil || rebuilt.at != size {
		rebuilt.differ("package")
	}
	for _, part := range rebuilt.parts {
		v.fault(part, "altered")
	}
	roll := v.certificates(data)
	v.heads(data, roll)
	for _, id := range m.Visits {
		v.visit(id, data, listed, m, roll)
	}
}

func (v *verifier) manifest(signed []byte) (m manifest, ok bool) {
	msg, err := cose.Parse(signed)
	if err != nil || msg.Type != cose.Manifest || strict.Unmarshal(msg.Payload, &m) != nil || m.Version < 1 || m.Version > manifestVersion {
		v.fault(manifestName, "altered")
		return m, false
	}
	if m.Root != trust.Fingerprint(v.root) {
		v.fault(manifestName, "other_county")
		return m, false
	}
	for name := range v.entries {
		if !strings.HasPrefix(name, "certificates/") {
			continue
		}
		raw, ok := v.read(name, 1<<16)
		if !ok {
			return m, false
		}
		c, err := trust.VerifyCertificate(raw, v.root)
		if err != nil {
			v.fault(name, "altered")
			return m, false
		}
		if c.What != trust.ForNode || c.Role != trust.County || !bytes.Equal(cose.KeyID(c.Key), msg.KID) {
			continue
		}
		if msg.Verify(c.Key) != nil {
			v.fault(manifestName, "altered")
			return m, false
		}
		v.proof.Signer = c
		return m, true
	}
	v.fault(manifestName, "not_trusted")
	return m, false
}

func (v *verifier) certificates(data map[string][]byte) *trust.Roll {
	var raws [][]byte
	for _, name := range sortedKeys(data) {
		if !strings.HasPrefix(name, "certificates/") {
			continue
		}
		if _, err := trust.VerifyCertificate(data[name], v.root); err != nil {
			v.fault(name, "not_trusted")
			continue
		}
		raws = append(raws, data[name])
	}
	return trust.RollOf(v.root, raws...)
}

// heads checks that every node's chain is signed and unbroken from its first
// change to the last one in the package.
func (v *verifier) heads(data map[string][]byte, roll *trust.Roll) {
	last := map[uuid.UUID]store.Tip{}
	for _, name := range sortedKeys(data) { // by node, then by first change: names are padded
		if !strings.HasPrefix(name, "heads/") {
			continue
		}
		b, msg, err := bundle.Parse(bundle.Encode(store.Bundle{Head: data[name]}))
		if err != nil {
			v.fault(name, "altered")
			continue
		}
		c, ok := roll.NodeKey(b.Node, msg.KID)
		if !ok || msg.Verify(c.Key) != nil {
			v.fault(name, "not_trusted")
			continue
		}
		before := last[b.Node]
		if headName(b) != name || b.First != before.Last+1 || b.Prev != before.Digest {
			v.fault(name, "altered")
		}
		last[b.Node] = store.Tip{Node: b.Node, Last: b.Last, Digest: b.Digest}
	}
}

func (v *verifier) visit(id uuid.UUID, data map[string][]byte, listed map[string]bool, m manifest, roll *trust.Roll) {
	folder := "visits/" + id.String() + "/"
	raw, ok := data[folder+"content.cbor"]
	if !ok {
		v.fault(folder+"content.cbor", "missing")
		return
	}
	var c visit.Content
	if err := strict.Unmarshal(raw, &c); err != nil || c.Visit != id {
		v.fault(folder+"content.cbor", "altered")
		return
	}
	var parts [][]byte
	if part, ok := data[folder+"children.cbor"]; ok {
		if parts = append(parts, part); c.KindOf(part) != visit.Children {
			v.fault(folder+"children.cbor", "altered")
			return
		}
	}
	record, withheld, err := c.Join(parts)
	if err != nil {
		v.fault(folder+"content.cbor", "altered")
		return
	}
	v.proof.Withheld += len(withheld)
	if plain, err := readableRecord(record); err != nil || !bytes.Equal(plain, data[folder+"record.json"]) {
		v.fault(folder+"record.json", "altered")
	}
	proven := Proven{Visit: id, Household: c.Household, Ended: time.UnixMilli(c.Ended), Photos: len(c.Photos), Digest: sha256.Sum256(raw)}
	digest := store.Digest(sha256.Sum256(raw))
	seen := map[uuid.UUID]bool{}
	for i := 1; ; i++ {
		name := fmt.Sprintf("%sattestation-%d.cose", folder, i)
		signed, ok := data[name]
		if !ok {
			break
		}
		a, by, err := roll.VerifyAttestation(signed)
		if err != nil || a.Visit != id || a.Digest != digest || seen[a.Person] {
			v.fault(name, "not_trusted")
			continue
		}
		seen[a.Person] = true
		proven.By = append(proven.By, by)
	}
	if len(proven.By) < 2 { // 57号 Art. 16(1): a group of at least two
		v.fault(folder, "too_few_investigators")
	}
	// Only what is protected may be withheld.
	_, closed := files(&c, false)
	for _, b := range c.Blobs() {
		name := "blobs/" + b.Digest.String()
		if !listed[name] && !slices.Contains(m.Missing, b.Digest) && !(slices.Contains(closed, b.Digest) && slices.Contains(m.Withheld, b.Digest)) {
			v.fault(name, "missing")
		}
	}
	v.proof.Visits = append(v.proof.Visits, proven)
}

// comparer is a writer that compares what is written with a file and remembers
// in which parts they differ.
type comparer struct {
	file  io.ReaderAt
	at    int64
	part  string
	parts []string
	buf   []byte
}

func (c *comparer) Write(b []byte) (int, error) {
	if cap(c.buf) < len(b) {
		c.buf = make([]byte, len(b))
	}
	got := c.buf[:len(b)]
	if n, _ := c.file.ReadAt(got, c.at); n < len(b) || !bytes.Equal(got, b) {
		c.differ(c.part)
	}
	c.at += int64(len(b))
	return len(b), nil
}

func (c *comparer) differ(part string) {
	if len(c.parts) == 0 || c.parts[len(c.parts)-1] != part {
		c.parts = append(c.parts, part)
	}
}
