package carrier

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/cose"
)

var (
	ctx    = context.Background()
	tablet = uuid.MustParse("0192f7a0-0000-7000-8000-00000000000a")
	at     = world.World{Now: func() time.Time { return time.UnixMilli(1_790_000_000_000) }}
)

func rootOf(b byte) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
}

func newIdentity(t require.TestingT) *age.X25519Identity {
	i, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return i
}

// contents of bundles that are only bytes here, and photos.
func contents(bundles, receipts [][]byte, photos ...[]byte) Contents {
	c := Contents{County: rootOf(9), From: tablet, Name: "云栖村平板", Receipts: receipts}
	c.Bundles = func(yield func([]byte, error) bool) {
		for _, raw := range bundles {
			if !yield(raw, nil) {
				return
			}
		}
	}
	all := map[store.Digest][]byte{}
	for _, p := range photos {
		digest := store.Digest(sha256.Sum256(p))
		all[digest] = p
		c.Blobs = append(c.Blobs, store.BlobRef{Digest: digest, Size: int64(len(p))})
	}
	c.OpenBlob = func(_ context.Context, d store.Digest) (io.ReadCloser, int64, error) {
		return io.NopCloser(bytes.NewReader(all[d])), int64(len(all[d])), nil
	}
	return c
}

// seen is what a sink was given, in order.
type seen struct {
	county ed25519.PublicKey
	log    []string
	fail   error
}

func (s *seen) County(root [32]byte) bool { return root == countyOf(s.county) }

func (s *seen) Bundle(_ context.Context, raw []byte) error {
	s.log = append(s.log, "bundle "+string(raw[:min(20, len(raw))]))
	return s.fail
}

func (s *seen) Receipt(_ context.Context, raw []byte) error {
	s.log = append(s.log, "receipt "+string(raw))
	return nil
}

func (s *seen) Blob(_ context.Context, ref store.BlobRef, content io.Reader) error {
	b, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	if sha256.Sum256(b) != [32]byte(ref.Digest) {
		return errors.New("another photo was delivered than was announced")
	}
	s.log = append(s.log, fmt.Sprintf("photo %d", len(b)))
	return nil
}

func write(t require.TestingT, c Contents, to ...age.Recipient) ([]byte, Summary) {
	var file bytes.Buffer
	s, err := writeTo(ctx, at, &file, to, c)
	require.NoError(t, err)
	return file.Bytes(), s
}

func read(file []byte, who age.Identity, sink Sink) (Summary, error) {
	return readFrom(ctx, "stick.ironfeet", bytes.NewReader(file), who, sink)
}

// writeTo writes one file's encrypted sequence.
func writeTo(ctx context.Context, w world.World, file io.Writer, to []age.Recipient, c Contents) (Summary, error) {
	p := newParts(ctx, w, "x", to, c, maxPart)
	p.sum.Parts = 1
	if err := p.seal(file); err != nil {
		return p.sum, err
	}
	if err := p.records(); err != nil {
		return p.sum, err
	}
	return p.sum, errors.Join(p.end(false), p.flush())
}

// writeRecords writes the sequence in the clear.
func writeRecords(ctx context.Context, w world.World, out *writer, c Contents) (Summary, error) {
	p := newParts(ctx, w, "x", nil, c, maxPart)
	p.sum.Parts, p.out = 1, out
	if err := out.record(kindHeader, p.header()); err != nil {
		return p.sum, err
	}
	if err := p.records(); err != nil {
		return p.sum, err
	}
	return p.sum, p.end(false)
}

func photo(n int) []byte { return bytes.Repeat([]byte{byte(n), 7, 3}, n/3+1)[:n] }

func TestACarrierIsReadByEachRecipient(t *testing.T) {
	county, township, stranger := newIdentity(t), newIdentity(t), newIdentity(t)
	file, wrote := write(t, contents([][]byte{[]byte("one"), []byte("two")}, [][]byte{[]byte("r")}, photo(200_000), photo(1), photo(0)),
		county.Recipient(), township.Recipient())
	for _, who := range []age.Identity{county, township} {
		sink := &seen{county: rootOf(9)}
		got, err := read(file, who, sink)
		require.NoError(t, err)
		require.Equal(t, "bundle one, bundle two, receipt r, photo 200000, photo 1, photo 0", strings.Join(sink.log, ", "))
		require.Equal(t, wrote, got) // both sides see the same figures
		require.Regexp(t, `^\d{6}$`, got.Six)
		require.Equal(t, "云栖村平板", got.From)
	}
	sink := &seen{county: rootOf(9)}
	_, err := read(file, stranger, sink)
	var notForUs *NotForUsError
	require.ErrorAs(t, err, &notForUs)
	require.Equal(t, NotRecipient, notForUs.Why)
	require.Empty(t, sink.log)
	require.NotContains(t, string(file), "云栖") // invariant 7
}

func TestAnotherCountysCarrierIsRefusedBeforeAnythingIsDelivered(t *testing.T) {
	who := newIdentity(t)
	file, _ := write(t, contents([][]byte{[]byte("one")}, nil), who.Recipient())
	sink := &seen{county: rootOf(8)}
	_, err := read(file, who, sink)
	var notForUs *NotForUsError
	require.ErrorAs(t, err, &notForUs)
	require.Equal(t, OtherCounty, notForUs.Why)
	require.Equal(t, "carrier.other_county", notForUs.Code())
	require.Empty(t, sink.log)
}

func TestEveryFlippedByteIsRefused(t *testing.T) { // invariant 3
	who := newIdentity(t)
	file, _ := write(t, contents([][]byte{[]byte("one")}, nil, photo(100)), who.Recipient())
	for i := range file {
		bad := bytes.Clone(file)
		bad[i] ^= 0x01
		sink := &seen{county: rootOf(9)}
		_, err := read(bad, who, sink)
		require.Errorf(t, err, "byte %d", i)
		require.Emptyf(t, sink.log, "byte %d", i)
	}
	_, err := read(append(bytes.Clone(file), 0), who, &seen{county: rootOf(9)})
	require.Error(t, err)
}

func TestATornCarrierGivesItsLeadingPart(t *testing.T) { // invariant 1: order of value
	who := newIdentity(t)
	var bundles [][]byte
	for i := range 40 {
		bundles = append(bundles, append(fmt.Appendf(nil, "bundle %02d ", i), bytes.Repeat([]byte{byte(i)}, 10_000)...))
	}
	file, whole := write(t, contents(bundles, nil, photo(300_000), photo(200_000)), who.Recipient())
	last := -1
	for n := 0; n < len(file); n += 7919 {
		sink := &seen{county: rootOf(9)}
		s, err := read(file[:n], who, sink)
		require.Error(t, err)
		require.GreaterOrEqual(t, len(sink.log), last) // more of the file is never less of its content
		last = len(sink.log)
		var torn *TornError
		if last > 0 {
			require.ErrorAs(t, err, &torn)
			require.False(t, torn.Damaged)
			require.True(t, s.Torn)
			require.Equal(t, s, torn.Summary)
			require.Equal(t, last, s.Bundles+s.Blobs)
			require.NotEqual(t, whole.Six, s.Six)
		}
		for i, line := range sink.log[:min(last, 40)] {
			require.Contains(t, line, fmt.Sprintf("bundle %02d", i))
		}
	}
	require.Greater(t, last, 40)
}

func TestDamageInTheMiddleKeepsWhatStoodBefore(t *testing.T) {
	who := newIdentity(t)
	file, _ := write(t, contents([][]byte{make([]byte, 400_000), make([]byte, 400_000), make([]byte, 400_000)}, nil), who.Recipient())
	file[len(file)/2] ^= 1
	sink := &seen{county: rootOf(9)}
	_, err := read(file, who, sink)
	var torn *TornError
	require.ErrorAs(t, err, &torn)
	require.True(t, torn.Damaged)
	require.Len(t, sink.log, 1)
}

// sealed is a carrier whose inside the caller writes: what anybody can make who
// knows a recipient's address.
func sealed(t require.TestingT, who *age.X25519Identity, inside []byte) []byte {
	var file bytes.Buffer
	w, err := age.Encrypt(&file, who.Recipient())
	require.NoError(t, err)
	_, err = w.Write(inside)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return file.Bytes()
}

func rec(kind uint64, content any) []byte {
	return cose.Encode(cose.Encode(record{Kind: kind, Content: content}))
}

func TestForgedCarriers(t *testing.T) { // invariants 3 and 10
	who := newIdentity(t)
	head := rec(kindHeader, header{Version: 1, County: cose.HashOf(countyOf(rootOf(9))), From: tablet, Made: 1})
	digest := sha256.Sum256(photo(9))
	finish := func(b []byte, e end) []byte {
		e.Digest = cose.HashOf(sha256.Sum256(b))
		return append(b, rec(kindEnd, e)...)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, test := range []struct {
		name   string
		inside []byte
		says   string
		log    string
	}{
		{"empty", nil, "not a readable carrier", ""},
		{"only a head", head, "ends early", ""},
		{"no header first", rec(kindBundle, []byte("x")), "not a record", ""},
		{"a newer format", rec(kindHeader, map[int]any{1: 2, 2: cose.HashOf([32]byte{}), 3: tablet[:], 5: 1}), "newer program", ""},
		{"whole and empty", finish(bytes.Clone(head), end{}), "", ""},
		{"a record nobody knows yet", finish(join(head, rec(77, "later")), end{}), "", ""},
		{"a record that claims four gigabytes", join(head, []byte{0x5a, 0xff, 0xff, 0xff, 0xff}), "at most", ""},
		{"a record of unknown length", join(head, []byte{0x5f}), "not a record", ""},
		{"a length longer than needed", join(head, []byte{0x59, 0, 1, 0}), "not a record", ""},
		{"a record with something behind its content", join(head, cose.Encode([]byte{0x82, 1, 0x40, 0})), "not a record", ""},
		{"a photo with another content", join(head, rec(kindBlob, blobHeader{Hash: cose.HashOf(digest), Size: 3}), rec(kindChunk, []byte("abc"))), "another content", ""},
		{"a photo cut off by a bundle", join(head, rec(kindBlob, blobHeader{Hash: cose.HashOf(digest), Size: 3}), rec(kindBundle, []byte("abc"))), "not a record", ""},
		{"a chunk too much", join(head, rec(kindBlob, blobHeader{Hash: cose.HashOf(digest), Size: 3}), rec(kindChunk, []byte("abcd"))), "not a record", ""},
		{"an empty chunk without end", join(head, rec(kindBlob, blobHeader{Hash: cose.HashOf(digest), Size: 3}), rec(kindChunk, []byte{})), "not a record", ""},
		{"a photo too large", join(head, rec(kindBlob, blobHeader{Hash: cose.HashOf(digest), Size: MaxBlob + 1})), "not a record", ""},
		{"a bundle that is no bytes", join(head, rec(kindBundle, "text")), "deterministic", ""},
		{"fewer than the end says", finish(join(head, rec(kindBundle, []byte("x"))), end{Bundles: 2}), "counts otherwise", "bundle x"},
		{"something behind the end", append(finish(bytes.Clone(head), end{}), 0), "behind the last", ""},
		{"another digest at the end", join(head, rec(kindEnd, end{Digest: cose.HashOf([32]byte{1})})), "counts otherwise", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			sink := &seen{county: rootOf(9)}
			_, err := read(sealed(t, who, test.inside), who, sink)
			require.Equal(t, test.log, strings.Join(sink.log, ", "))
			if test.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestTheSinksOwnErrorIsNotTheFilesFault(t *testing.T) {
	who := newIdentity(t)
	file, _ := write(t, contents([][]byte{[]byte("one"), []byte("two")}, nil), who.Recipient())
	full := errors.New("no space left")
	sink := &seen{county: rootOf(9), fail: full}
	_, err := read(file, who, sink)
	require.ErrorIs(t, err, full)
	var torn *TornError
	require.False(t, errors.As(err, &torn))
	require.Len(t, sink.log, 1)
}

func TestAFailingLogIsNotWrittenAsAnEnd(t *testing.T) {
	who := newIdentity(t)
	c := contents(nil, nil)
	broken := errors.New("log is broken")
	c.Bundles = iter.Seq2[[]byte, error](func(yield func([]byte, error) bool) { yield(nil, broken) })
	_, err := writeTo(ctx, at, io.Discard, []age.Recipient{who.Recipient()}, c)
	require.ErrorIs(t, err, broken)
}

func TestWhateverIsWrittenComesBack(t *testing.T) {
	who := newIdentity(t)
	rapid.Check(t, func(t *rapid.T) {
		bundles := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 100_000), 0, 4).Draw(t, "bundles")
		photos := rapid.SliceOfNDistinct(rapid.SliceOfN(rapid.Byte(), 0, 90_000), 0, 3, func(b []byte) string { return string(b) }).Draw(t, "photos")
		file, wrote := write(t, contents(bundles, nil, photos...), who.Recipient())
		sink := &seen{county: rootOf(9)}
		got, err := read(file, who, sink)
		require.NoError(t, err)
		require.Equal(t, wrote, got)
		require.Len(t, sink.log, len(bundles)+len(photos))
	})
}

func FuzzRecords(f *testing.F) {
	var inside bytes.Buffer
	out := &writer{w: &inside, digest: sha256.New()}
	_, err := writeRecords(ctx, at, out, contents([][]byte{[]byte("one")}, [][]byte{[]byte("r")}, photo(50)))
	require.NoError(f, err)
	f.Add(inside.Bytes())
	f.Add(inside.Bytes()[:60])
	f.Add([]byte{0x5a, 0, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newReader(bytes.NewReader(b))
		s, err := r.all(ctx, "stick", &seen{county: rootOf(9)})
		if err == nil && s.Six == "" {
			t.Fatal("a whole carrier without its digits")
		}
	})
}

func FuzzOpen(f *testing.F) {
	who, err := age.ParseX25519Identity("AGE-SECRET-KEY-15RJXNYPSQM92GFMST5MVG92AGUZ6PCL0U50HUM6V00A8G7NJDL4QW7Y3XG")
	require.NoError(f, err)
	file, _ := write(f, contents([][]byte{[]byte("one")}, nil), who.Recipient())
	f.Add(file)
	f.Add([]byte("age-encryption.org/v1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		sink := &seen{county: rootOf(9)}
		if s, err := read(b, who, sink); err == nil && s.Bundles+s.Receipts+s.Blobs != len(sink.log) {
			t.Fatal("the summary counts what was not delivered")
		}
	})
}
