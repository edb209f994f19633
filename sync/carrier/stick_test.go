package carrier_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/carrier"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

const (
	village  = "459921100201" // 云栖县 is fictitious
	nextDoor = "459921100202"
)

// machine is one node of a small county.
type machine struct {
	n        byte
	replica  *store.Replica
	merger   *merge.Merger
	identity *age.X25519Identity
}

func id(n byte) uuid.UUID { return uuid.UUID{0: 1, 6: 0x70, 8: 0x80, 15: n} }

func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

// county makes a server (7), a township (3), two tablets (1, 2) and two people.
func county(t *testing.T, w world.World) (trust.Root, map[byte]*machine) {
	root, err := trust.RootFromSeed(bytes.Repeat([]byte{9}, 32))
	require.NoError(t, err)
	all := map[byte]*machine{}
	var edits []store.Edit
	for _, p := range []struct {
		n     byte
		what  string
		role  trust.Role
		scope string
	}{
		{7, trust.ForNode, trust.County, "459921"}, {3, trust.ForNode, trust.Township, "459921100"}, {1, trust.ForNode, trust.Worker, village},
		{2, trust.ForNode, trust.Worker, nextDoor}, {0x11, trust.ForPerson, trust.Worker, village}, {0x12, trust.ForPerson, trust.Worker, village},
	} {
		c := trust.Certificate{
			Subject: id(p.n), What: p.what, Name: "甲", Key: keyOf(p.n).Public().(ed25519.PublicKey), Role: p.role, Scope: []string{p.scope},
			From: time.Unix(0, 0), Until: time.Unix(1<<33, 0),
		}
		if p.what == trust.ForNode {
			identity, err := age.GenerateX25519Identity()
			require.NoError(t, err)
			c.Recipient = identity.Recipient().String()
			dir := t.TempDir()
			v, err := vault.Create(w, dir)
			require.NoError(t, err)
			keys, err := v.First()
			require.NoError(t, err)
			r, err := store.Create(t.Context(), store.Options{World: w, Dir: dir, Keys: keys, Unpack: bundle.Decode}, store.Identity{Node: id(p.n), Name: "机器", Division: p.scope, Role: string(p.role)})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.Close()) })
			all[p.n] = &machine{n: p.n, replica: r, merger: merge.New(r, root.Public()), identity: identity}
		}
		if c, err = root.Certify(c); err != nil {
			t.Fatal(err)
		}
		edits = append(edits, trust.CertificateEdit(c, "459921"))
		if p.n == 7 {
			defer func() {
				for _, m := range all {
					require.NoError(t, m.replica.SetSetting(t.Context(), trust.CountyCertificate, c.Raw))
				}
			}()
		}
	}
	_, err = all[7].replica.Write(t.Context(), uuid.Nil, edits...)
	require.NoError(t, err)
	return root, all
}

// visit writes a visit with a photo on the tablet.
func (m *machine) visit(t *testing.T, photo []byte) uuid.UUID {
	ref, err := m.replica.PutBlob(t.Context(), bytes.NewReader(photo), int64(len(photo)))
	require.NoError(t, err)
	entity, content := id(byte(0x80+len(photo)%16)), []byte("留守儿童一名")
	digest := sha256.Sum256(content)
	var attestations [][]byte
	for _, n := range []byte{0x11, 0x12} {
		raw, err := trust.Attest(keyOf(n), trust.Attestation{Visit: entity, Digest: digest, Person: id(n), At: time.Unix(1_790_000_000, 0)})
		require.NoError(t, err)
		attestations = append(attestations, raw)
	}
	_, err = m.replica.Write(t.Context(), id(0x11), store.Edit{Kind: store.Visit, Entity: entity, Division: village, Blobs: []store.BlobRef{ref}, Fields: map[string]store.Value{
		"content": store.Bytes(content), "digest": store.Bytes(digest[:]), "attestations": store.Of(attestations),
	}})
	require.NoError(t, err)
	_, err = m.merger.Seal(t.Context(), keyOf(m.n))
	require.NoError(t, err)
	return entity
}

// stick writes what one machine holds for the given others.
func (m *machine) stick(t *testing.T, w world.World, to ...byte) (string, carrier.Summary) {
	_, err := m.merger.Seal(t.Context(), keyOf(m.n))
	require.NoError(t, err)
	roll, err := m.merger.Roll(t.Context())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "stick"+carrier.Extension)
	request := carrier.ExportRequest{}
	for _, n := range to {
		request.To = append(request.To, id(n))
	}
	s, err := carrier.Export(t.Context(), w, m.replica, roll, request, path)
	require.NoError(t, err)
	return path, s
}

func (m *machine) read(t *testing.T, w world.World, path string) (carrier.ImportReport, error) {
	return carrier.Import(t.Context(), w, m.merger, m.identity.String(), path)
}

func TestAStickCarriesAVillageToTheCountyAndBack(t *testing.T) { // invariants 1, 2, 5 and 7
	w := world.Real()
	_, all := county(t, w)
	c, township, tablet, neighbour := all[7], all[3], all[1], all[2]
	out, _ := c.stick(t, w, 1, 2, 3)
	for _, m := range []*machine{township, tablet, neighbour} {
		_, err := m.read(t, w, out)
		require.NoError(t, err)
	}
	photo := bytes.Repeat([]byte("照片"), 40_000)
	entity := tablet.visit(t, photo)
	path, wrote := tablet.stick(t, w) // to the county and the township, by itself

	for _, m := range []*machine{c, township} {
		for range 2 { // carried twice
			report, err := m.read(t, w, path)
			require.NoError(t, err)
			require.Equal(t, wrote.Six, report.Six)
			require.Equal(t, wrote.Blobs, report.Blobs)
		}
		_, err := m.replica.Entity(t.Context(), entity)
		require.NoError(t, err)
		missing, err := m.replica.MissingBlobs(t.Context())
		require.NoError(t, err)
		require.Empty(t, missing)
	}
	var a, b bytes.Buffer
	require.NoError(t, c.replica.Dump(t.Context(), &a))
	require.NoError(t, township.replica.Dump(t.Context(), &b))
	require.Equal(t, a.String(), b.String())

	// The neighbour cannot open that one; the one written for it holds the heads only.
	_, err := neighbour.read(t, w, path)
	var notForUs *carrier.NotForUsError
	require.ErrorAs(t, err, &notForUs)
	path, _ = c.stick(t, w, 2)
	report, err := neighbour.read(t, w, path)
	require.NoError(t, err)
	require.Zero(t, report.Blobs)
	_, err = neighbour.replica.Entity(t.Context(), entity)
	require.ErrorIs(t, err, store.ErrNotFound)
	tip, err := neighbour.replica.Tip(t.Context(), id(1))
	require.NoError(t, err)
	require.EqualValues(t, 1, tip.Last)
}

func TestATornStickIsContinuedByAnother(t *testing.T) { // invariant 1
	w := world.Real()
	_, all := county(t, w)
	out, _ := all[7].stick(t, w, 1)
	_, err := all[1].read(t, w, out)
	require.NoError(t, err)
	entity := all[1].visit(t, bytes.Repeat([]byte{1}, 300_001))
	path, _ := all[1].stick(t, w)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	torn := filepath.Join(t.TempDir(), "torn.ironfeet")
	require.NoError(t, os.WriteFile(torn, whole[:len(whole)-100_000], 0o600))

	report, err := all[7].read(t, w, torn)
	var fault *carrier.TornError
	require.ErrorAs(t, err, &fault)
	require.True(t, report.Torn)
	_, err = all[7].replica.Entity(t.Context(), entity)
	require.NoError(t, err) // the visit is there before its photo
	missing, err := all[7].replica.MissingBlobs(t.Context())
	require.NoError(t, err)
	require.Len(t, missing, 1)

	report, err = all[7].read(t, w, path)
	require.NoError(t, err)
	require.Equal(t, 1, report.NewBlobs)
	for _, o := range report.Outcomes {
		require.Equal(t, merge.StatusAlready, o.Status)
	}
}

// fullDisk refuses to write more than a little.
type fullDisk struct {
	world.Disk
	left int
}

type fullFile struct {
	world.File
	disk *fullDisk
}

var errFull = errors.New("no space left on device")

func (d *fullDisk) Create(name string) (world.File, error) {
	f, err := d.Disk.Create(name)
	return &fullFile{f, d}, err
}

func (f *fullFile) Write(p []byte) (int, error) {
	if f.disk.left -= len(p); f.disk.left < 0 {
		return 0, errFull
	}
	return f.File.Write(p)
}

func TestAFullStickLeavesNoHalfCarrier(t *testing.T) {
	w := world.Real()
	_, all := county(t, w)
	out, _ := all[7].stick(t, w, 1)
	_, err := all[1].read(t, w, out)
	require.NoError(t, err)
	all[1].visit(t, bytes.Repeat([]byte{1}, 900_000))
	roll, err := all[1].merger.Roll(t.Context())
	require.NoError(t, err)
	dir := t.TempDir()
	small := w
	small.Disk = &fullDisk{Disk: w.Disk, left: 300_000}
	_, err = carrier.Export(t.Context(), small, all[1].replica, roll, carrier.ExportRequest{}, filepath.Join(dir, "a.ironfeet"))
	require.ErrorIs(t, err, errFull)
	names, err := w.Disk.List(dir)
	require.NoError(t, err)
	require.Empty(t, names)
}

func TestAPhotoNobodyNamesIsNotKept(t *testing.T) { // invariants 3 and 10
	w := world.Real()
	root, all := county(t, w)
	junk := []byte("anything")
	ref := store.BlobRef{Digest: sha256.Sum256(junk), Size: int64(len(junk))}
	path := filepath.Join(t.TempDir(), "x.ironfeet")
	_, err := carrier.Write(t.Context(), w, path, []string{all[7].identity.Recipient().String()}, carrier.Contents{
		County: root.Public(), From: id(1), Blobs: []store.BlobRef{ref},
		OpenBlob: func(_ context.Context, _ store.Digest) (io.ReadCloser, int64, error) {
			return io.NopCloser(bytes.NewReader(junk)), int64(len(junk)), nil
		},
	})
	require.NoError(t, err)
	report, err := all[7].read(t, w, path)
	require.NoError(t, err)
	require.Equal(t, 1, report.Unasked)
	has, err := all[7].replica.HasBlob(t.Context(), ref.Digest)
	require.NoError(t, err)
	require.False(t, has)
}

func TestWithoutTheCountysWordNobodyIsARecipient(t *testing.T) {
	w := world.Real()
	_, all := county(t, w)
	_, err := carrier.Export(t.Context(), w, all[1].replica, trust.RollOf(nil), carrier.ExportRequest{}, filepath.Join(t.TempDir(), "x"))
	var nobody *carrier.NoRecipientError
	require.ErrorAs(t, err, &nobody)
}
