package store_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/iotest"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/store/photo"
	"ironfeet/store/world"
)

func jpegOf(t testing.TB, w, h int, shade uint8) []byte {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range img.Pix {
		img.Pix[i] = shade + uint8(i/(w*h/20+1))
	}
	img.SetRGBA(1, 1, color.RGBA{A: 255})
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, img, nil))
	return b.Bytes()
}

func readBlob(t testing.TB, r *store.Replica, d store.Digest) []byte {
	t.Helper()
	rd, size, err := r.OpenBlob(context.Background(), d)
	require.NoError(t, err)
	defer rd.Close()
	b, err := io.ReadAll(rd)
	require.NoError(t, err)
	require.Len(t, b, int(size))
	require.Equal(t, d, store.DigestOf(b))
	return b
}

func TestBlobsOfEverySizeComeBack(t *testing.T) {
	r := node(t, 1)
	const piece = 64 << 10
	for _, size := range []int{0, 1, piece - 1, piece, piece + 1, 2 * piece, 3*piece + 5} {
		content := bytes.Repeat([]byte{byte(size), 7}, size)[:size]
		ref, err := r.PutBlob(context.Background(), iotest.OneByteReader(bytes.NewReader(content)), int64(size))
		require.NoError(t, err)
		require.Equal(t, content, readBlob(t, r, ref.Digest))
		if size > 0 {
			var large *store.BlobTooLargeError
			_, err = r.PutBlob(context.Background(), bytes.NewReader(append([]byte("x"), content...)), int64(size))
			require.ErrorAs(t, err, &large)
		}
	}
	broken := errors.New("the card was pulled out")
	_, err := r.PutBlob(context.Background(), io.MultiReader(bytes.NewReader(make([]byte, 100_000)), iotest.ErrReader(broken)), 1<<20)
	require.ErrorIs(t, err, broken)
	named := store.BlobRef{Digest: store.DigestOf([]byte("one")), Size: 5}
	var wrong *store.WrongBlobError
	require.ErrorAs(t, r.PutNamedBlob(context.Background(), named, bytes.NewReader([]byte("other"))), &wrong)
	here, err := r.HasBlob(context.Background(), wrong.Got)
	require.NoError(t, err)
	require.False(t, here)
}

// zeros is a file of any size that is nowhere in memory.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A video of 200 MB passes through a tablet of 2 GB without being in its memory.
func TestAFileIsNeverInMemoryAsAWhole(t *testing.T) {
	r := node(t, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const size = 200 << 20
	ref, err := r.PutBlob(context.Background(), io.LimitReader(zeros{}, size), size)
	require.NoError(t, err)
	rd, _, err := r.OpenBlob(context.Background(), ref.Digest)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, rd)
	require.NoError(t, err)
	require.NoError(t, rd.Close())
	require.EqualValues(t, size, n)
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapSys)-int64(before.HeapSys), int64(64<<20))
}

// Two files of the same shape, one put in the other's place.
func TestASwappedBlobIsNoticed(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	defer r.Close()
	var paths []string
	var refs []store.BlobRef
	for _, text := range []string{"the house of one family", "the house of the others"} {
		ref, err := r.PutBlob(ctx, bytes.NewReader([]byte(text)), 100)
		require.NoError(t, err)
		refs = append(refs, ref)
		paths = append(paths, filepath.Join(dir, "blobs", ref.Digest.String()[:2], ref.Digest.String()))
	}
	require.Equal(t, refs[0].Size, refs[1].Size)
	one, err := os.ReadFile(paths[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(paths[1], one, 0o600))
	_, _, err = r.OpenBlob(ctx, refs[1].Digest)
	var damaged *store.DamagedError
	require.ErrorAs(t, err, &damaged)
	// The other's header before the own pieces.
	require.NoError(t, os.WriteFile(paths[1], append(one[:56:56], one[56:]...), 0o600))
	_, _, err = r.OpenBlob(ctx, refs[1].Digest)
	require.ErrorAs(t, err, &damaged)
}

func TestAPhotoIsTakenIn(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	defer r.Close()
	camera := jpegOf(t, 3000, 2000, 90)
	p, err := r.PutPhoto(ctx, bytes.NewReader(camera), 20<<20)
	require.NoError(t, err)
	require.Equal(t, [2]int{2048, 1365}, [2]int{p.Width, p.Height})
	require.Equal(t, camera, readBlob(t, r, p.Original.Digest))
	require.LessOrEqual(t, p.Size, int64(photo.CopyBytes))
	copied, err := jpeg.DecodeConfig(bytes.NewReader(readBlob(t, r, p.Digest)))
	require.NoError(t, err)
	require.Equal(t, 2048, copied.Width)

	small, err := r.Thumbnail(ctx, p.Digest)
	require.NoError(t, err)
	shown, err := jpeg.DecodeConfig(bytes.NewReader(small))
	require.NoError(t, err)
	require.Equal(t, [2]int{240, 160}, [2]int{shown.Width, shown.Height})
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "thumbs")))
	again, err := r.Thumbnail(ctx, p.Digest)
	require.NoError(t, err)
	remade, err := jpeg.DecodeConfig(bytes.NewReader(again))
	require.NoError(t, err)
	require.Equal(t, shown, remade)

	_, err = r.PutPhoto(ctx, bytes.NewReader([]byte("not a photo")), 1000)
	var fault *photo.Error
	require.ErrorAs(t, err, &fault)
}

func TestOnlyWhatNothingNamesIsGarbage(t *testing.T) {
	ctx := context.Background()
	c := &clock{time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, c)
	defer r.Close()
	put := func(text string) store.BlobRef {
		ref, err := r.PutBlob(ctx, bytes.NewReader([]byte(text)), 1000)
		require.NoError(t, err)
		return ref
	}
	inVisit, inDraft, inAnswer, inSetting, nowhere := put("in a visit"), put("in a draft"), put("in an answer"), put("in a setting"), put("nowhere")
	taken, err := r.PutPhoto(ctx, bytes.NewReader(jpegOf(t, 300, 200, 1)), 1<<20)
	require.NoError(t, err)
	_, err = r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Visit, Division: village, Fields: map[string]store.Value{"state": store.Text("signed")}, Blobs: []store.BlobRef{inVisit, taken.BlobRef}})
	require.NoError(t, err)
	extra, err := cbor.Marshal(map[string]any{"photos": []store.Digest{inDraft.Digest}})
	require.NoError(t, err)
	require.NoError(t, r.SaveDraft(ctx, store.Draft{ID: savedDraft, Extra: extra, Answers: map[string]string{"/data/photo": "photo:" + inAnswer.Digest.String()}}))
	require.NoError(t, r.SetSetting(ctx, "logo", inSetting.Digest[:]))

	collect := func() (names []store.Digest) {
		t.Helper()
		gone, err := r.CollectGarbage(ctx)
		require.NoError(t, err)
		for _, g := range gone {
			names = append(names, g.Digest)
			_, _, err := r.OpenBlob(ctx, g.Digest)
			require.ErrorIs(t, err, store.ErrNotFound)
			require.NoFileExists(t, filepath.Join(dir, "blobs", g.Digest.String()[:2], g.Digest.String()))
		}
		for _, kept := range []store.Digest{inVisit.Digest, taken.Digest} {
			readBlob(t, r, kept)
		}
		return names
	}
	require.Empty(t, collect(), "a photo that was just taken in has not been named yet")
	c.now = c.now.Add(8 * 24 * time.Hour)
	require.Equal(t, []store.Digest{nowhere.Digest}, collect(), "and the original waits for the county's word")
	require.NoError(t, r.Confirm(ctx, []store.Digest{taken.Digest}))
	require.Equal(t, []store.Digest{taken.Original.Digest}, collect())
	require.NoError(t, r.DropDraft(ctx, savedDraft))
	require.ElementsMatch(t, []store.Digest{inDraft.Digest, inAnswer.Digest}, collect())

	// What a bundle names that waits nobody can know.
	again := put("nowhere")
	c.now = c.now.Add(8 * 24 * time.Hour)
	require.NoError(t, r.Hold(ctx, store.Held{Digest: store.Digest{1}, Reason: "merge.gap", Raw: []byte("x")}))
	require.Empty(t, collect())
	require.NoError(t, r.Release(ctx, store.Digest{1}))
	require.Equal(t, []store.Digest{again.Digest}, collect())

	// Files that a crash left.
	stray := filepath.Join(dir, "blobs", "00", store.Digest{}.String())
	require.NoError(t, os.MkdirAll(filepath.Dir(stray), 0o700))
	require.NoError(t, os.WriteFile(stray, []byte("x"), 0o600))
	half := filepath.Join(dir, "blobs", "new-123")
	require.NoError(t, os.WriteFile(half, []byte("x"), 0o600))
	require.Empty(t, collect())
	require.NoFileExists(t, stray)
	require.FileExists(t, half, "it may be being written")
	require.NoError(t, r.Close())
	r = reopen(t, dir)
	require.NoFileExists(t, half)
	found, err := r.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
}

// Photos that a withdrawn bundle names may be asked for again.
func TestWithdrawnPhotosStay(t *testing.T) {
	ctx := context.Background()
	c := &clock{time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	a := node(t, 1)
	b, _ := nodeIn(t, t.TempDir(), 2, c)
	defer b.Close()
	ref, err := b.PutBlob(ctx, bytes.NewReader([]byte("a photo")), 100)
	require.NoError(t, err)
	_, err = a.Write(ctx, uuid.Nil, store.Edit{Kind: store.Visit, Division: village, Fields: map[string]store.Value{"state": store.Text("signed")}, Blobs: []store.BlobRef{ref}})
	require.NoError(t, err)
	require.NoError(t, b.Apply(ctx, bundleOf(t, a, store.Tip{})))
	_, err = b.Withdraw(ctx, a.Identity().Node, 0)
	require.NoError(t, err)
	c.now = c.now.Add(30 * 24 * time.Hour)
	gone, err := b.CollectGarbage(ctx)
	require.NoError(t, err)
	require.Empty(t, gone)
	readBlob(t, b, ref.Digest)
}

// A photo leaves a tablet only after the county's word, and is not asked for again.
func TestAPhotoDepartsAfterTheCountysWord(t *testing.T) { // invariant 1
	ctx := context.Background()
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	defer r.Close()
	p, err := r.PutPhoto(ctx, bytes.NewReader(jpegOf(t, 800, 600, 3)), 1<<20)
	require.NoError(t, err)
	_, err = r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Visit, Division: village, Fields: map[string]store.Value{"state": store.Text("signed")}, Blobs: []store.BlobRef{p.BlobRef}})
	require.NoError(t, err)
	gone, err := r.Depart(ctx, []store.Digest{p.Digest})
	require.NoError(t, err)
	require.Empty(t, gone)
	readBlob(t, r, p.Digest)
	require.NoError(t, r.Confirm(ctx, []store.Digest{p.Digest}))
	gone, err = r.Depart(ctx, []store.Digest{p.Digest})
	require.NoError(t, err)
	require.Equal(t, []store.BlobRef{p.BlobRef}, gone)
	_, _, err = r.OpenBlob(ctx, p.Digest)
	var departed *store.DepartedError
	require.ErrorAs(t, err, &departed)
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = r.Thumbnail(ctx, p.Digest)
	require.NoError(t, err)
	missing, err := r.MissingBlobs(ctx)
	require.NoError(t, err)
	require.Empty(t, missing)
	found, err := r.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
}

// A disk that fails at any step of taking in a photo leaves the folder sound.
func TestTakingInAPhotoMayFailAnywhere(t *testing.T) {
	ctx := context.Background()
	camera := jpegOf(t, 640, 480, 5)
	for room := int64(0); room < 120_000; room += 7_001 {
		dir := t.TempDir()
		r, keys := nodeIn(t, dir, 1, &clock{time.Now()})
		require.NoError(t, r.Close())
		disk := &world.FaultyDisk{Disk: world.OS{}}
		w := world.Real()
		w.Disk = disk
		r, err := store.Open(ctx, store.Options{World: w, Dir: dir, Keys: keys})
		require.NoError(t, err)
		disk.Limit(room)
		p, err := r.PutPhoto(ctx, bytes.NewReader(camera), 1<<20)
		if err != nil {
			var full *store.FullDiskError
			require.ErrorAs(t, err, &full, "%d bytes of room", room)
			disk.Heal()
			p, err = r.PutPhoto(ctx, bytes.NewReader(camera), 1<<20)
		}
		require.NoError(t, err)
		require.Equal(t, camera, readBlob(t, r, p.Original.Digest))
		_, err = r.Thumbnail(ctx, p.Digest)
		require.NoError(t, err)
		found, err := r.Check(ctx)
		require.NoError(t, err)
		require.Empty(t, found)
		names, err := os.ReadDir(filepath.Join(dir, "blobs"))
		require.NoError(t, err)
		for _, n := range names {
			require.NotContains(t, n.Name(), "new-")
		}
		require.NoError(t, r.Close())
	}
}

// A file that was hashed on its way in lies on the disk as one that was read as a
// stream, also at the edges of a piece; under another name or size it does not.
func TestAHashedFileIsLikeAnyOther(t *testing.T) {
	ctx := context.Background()
	r := node(t, 1)
	for _, size := range []int{0, 1, 65535, 65536, 65537, 131072, 200_000} {
		content := bytes.Repeat([]byte{byte(size), 7, 9}, size/3+1)[:size]
		ref := store.BlobRef{Digest: store.DigestOf(content), Size: int64(size)}
		var wrong *store.WrongBlobError
		other := ref
		other.Digest[0] ^= 1
		require.ErrorAs(t, r.PutHashed(ctx, other, store.Hash(content)), &wrong)
		other = ref
		other.Size++
		require.ErrorAs(t, r.PutHashed(ctx, other, store.Hash(content)), &wrong)
		here, err := r.HasBlob(ctx, ref.Digest)
		require.NoError(t, err)
		require.False(t, here)

		require.NoError(t, r.PutHashed(ctx, ref, store.Hash(content)))
		require.NoError(t, r.PutHashed(ctx, ref, store.Hash(content)), "again")
		rd, length, err := r.OpenBlob(ctx, ref.Digest)
		require.NoError(t, err)
		got, err := io.ReadAll(rd)
		require.NoError(t, err)
		require.NoError(t, rd.Close())
		require.EqualValues(t, size, length)
		require.Equal(t, len(content), len(got))
		require.True(t, bytes.Equal(content, got))
	}
	findings, err := r.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, findings)
}
