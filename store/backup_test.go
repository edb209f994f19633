package store_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

func identity(t testing.TB) *age.X25519Identity {
	i, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return i
}

var newNode = uuid.UUID{15: 77}

// another is the plan of a restored folder.
func another(without ...string) store.RestorePlan {
	return store.RestorePlan{As: func(was store.Identity) store.Identity { was.Node = newNode; return was }, Without: without}
}

func TestABackupIsRestoredAsAnotherNode(t *testing.T) { // invariant 5
	ctx := context.Background()
	county, dir := identity(t), t.TempDir()
	fillGolden(t, dir)
	r := reopen(t, dir)
	defer r.Close()
	var file bytes.Buffer
	sum, err := r.Backup(ctx, &file, county.Recipient())
	require.NoError(t, err)
	require.Equal(t, 1, sum.Blobs)
	require.EqualValues(t, file.Len(), sum.Bytes)
	require.Equal(t, store.DigestOf(file.Bytes()), sum.Digest)

	to := filepath.Join(t.TempDir(), "restored")
	plan := another()
	plan.Finish = func(_ *vault.Vault, _ *vault.Keys, r *store.Replica) error {
		c, err := r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Task, Division: village, Fields: map[string]store.Value{"state": store.Text("open")}})
		require.NoError(t, err)
		require.Equal(t, store.ChangeID{Node: newNode, Seq: 2}, c[0].ChangeID, "the new node's log begins anew")
		return nil
	}
	got, err := store.Restore(ctx, store.Options{World: world.Real(), Dir: to}, bytes.NewReader(file.Bytes()), plan, identity(t), county)
	require.NoError(t, err)
	require.Equal(t, sum, got.BackupSummary)
	require.Equal(t, r.Identity().Node, got.Was.Node)
	require.Equal(t, 1, got.Rewritten)
	back := reopen(t, to)
	defer back.Close()
	require.Equal(t, newNode, back.Identity().Node)
	own, err := back.Unsealed(ctx, 10)
	require.NoError(t, err)
	require.Len(t, own, 2)
	require.Equal(t, store.ChangeID{Node: newNode, Seq: 1}, own[0].ChangeID, "what had not been sent is the new node's")
	require.Equal(t, goldenPhoto(), readBlob(t, back, store.DigestOf(goldenPhoto())))
	d, err := back.Draft(ctx, savedDraft)
	require.NoError(t, err)
	require.Equal(t, "13800000001", d.Answers["/data/phone"])
	household, err := back.Entity(ctx, uuid.UUID{0: 1, 15: 1})
	require.NoError(t, err)
	require.Equal(t, "石桥村三组", household.Text("address"))
	require.Equal(t, []string{"phone"}, household.Conflicts)
	found, err := back.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)

	// The old machine turns up: its later bundle joins the log that it began, and
	// both say the same.
	tip, err := back.Tip(ctx, r.Identity().Node)
	require.NoError(t, err)
	require.NoError(t, back.Apply(ctx, bundleOf(t, r, tip)))
	household, err = back.Entity(ctx, uuid.UUID{0: 1, 15: 1})
	require.NoError(t, err)
	require.Equal(t, []string{"phone"}, household.Conflicts)

	// It is not restored over anything.
	_, err = store.Restore(ctx, store.Options{World: world.Real(), Dir: to}, bytes.NewReader(file.Bytes()), another(), county)
	var there *store.ExistsError
	require.ErrorAs(t, err, &there)
}

func TestABackupIsTakenWhileTheFolderIsInUse(t *testing.T) {
	ctx := context.Background()
	county := identity(t)
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	defer r.Close()
	require.NoError(t, r.StartDraft(ctx, store.Draft{ID: savedDraft}))
	stop, wg := make(chan struct{}), sync.WaitGroup{}
	wg.Go(func() {
		for n := byte(0); ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			ref, err := r.PutBlob(ctx, bytes.NewReader([]byte{n}), 10)
			if err == nil {
				_, err = r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Visit, Division: village, Fields: map[string]store.Value{"state": store.Int(int64(n))}, Blobs: []store.BlobRef{ref}})
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 3 {
		var file bytes.Buffer
		_, err := r.Backup(ctx, &file, county.Recipient())
		require.NoError(t, err)
		to := filepath.Join(t.TempDir(), "restored")
		_, err = store.Restore(ctx, store.Options{World: world.Real(), Dir: to}, &file, another(), county)
		require.NoError(t, err)
		back := reopen(t, to)
		missing, err := back.MissingBlobs(ctx)
		require.NoError(t, err)
		require.Empty(t, missing)
		found, err := back.Check(ctx)
		require.NoError(t, err)
		require.Empty(t, found)
		require.NoError(t, back.Close())
	}
	close(stop)
	wg.Wait()
	left, err := filepath.Glob(filepath.Join(dir, "backup-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	_, err = r.Backup(ctx, io.Discard)
	require.ErrorIs(t, err, store.ErrNoRecipient)
	full := errors.New("the stick is full")
	_, err = r.Backup(ctx, failing{full}, county.Recipient())
	require.ErrorIs(t, err, full)
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestADamagedBackupRestoresNothing(t *testing.T) {
	ctx := context.Background()
	county, dir := identity(t), t.TempDir()
	fillGolden(t, dir)
	r := reopen(t, dir)
	var file bytes.Buffer
	_, err := r.Backup(ctx, &file, county.Recipient())
	require.NoError(t, err)
	require.NoError(t, r.Close())
	whole := file.Bytes()
	flip := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 1
		return b
	}
	// Everything within can be right but one thing.
	inner := func(change func(*tar.Header, []byte) (*tar.Header, []byte)) []byte {
		plain, err := age.Decrypt(bytes.NewReader(whole), county)
		require.NoError(t, err)
		var out bytes.Buffer
		sealed, err := age.Encrypt(&out, county.Recipient())
		require.NoError(t, err)
		w, in := tar.NewWriter(sealed), tar.NewReader(plain)
		for {
			h, err := in.Next()
			if err != nil {
				break
			}
			b, err := io.ReadAll(in)
			require.NoError(t, err)
			if h, b = change(h, b); h == nil {
				continue
			}
			h.Size = int64(len(b))
			require.NoError(t, w.WriteHeader(h))
			_, err = w.Write(b)
			require.NoError(t, err)
		}
		require.NoError(t, errors.Join(w.Close(), sealed.Close()))
		return out.Bytes()
	}
	only := func(name string, change func(*tar.Header, []byte) (*tar.Header, []byte)) []byte {
		return inner(func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			if h.Name != name {
				return h, b
			}
			return change(h, b)
		})
	}
	gone := func(*tar.Header, []byte) (*tar.Header, []byte) { return nil, nil }
	for name, test := range map[string]struct {
		file io.Reader
		with age.Identity
		why  string
	}{
		"another's key":      {bytes.NewReader(whole), identity(t), "no_key"},
		"a text":             {bytes.NewReader([]byte("a shopping list")), county, "not_ours"},
		"nothing":            {bytes.NewReader(nil), county, "not_ours"},
		"a byte near by":     {bytes.NewReader(flip(400)), county, "damaged"},
		"a byte in between":  {bytes.NewReader(flip(len(whole) / 2)), county, "damaged"},
		"the last byte":      {bytes.NewReader(flip(len(whole) - 1)), county, "damaged"},
		"cut in the middle":  {bytes.NewReader(whole[:len(whole)/2]), county, "damaged"},
		"cut at the end":     {bytes.NewReader(whole[:len(whole)-1]), county, "damaged"},
		"a stick pulled out": {io.MultiReader(bytes.NewReader(whole[:len(whole)/2]), iotest.ErrReader(io.ErrClosedPipe)), county, "damaged"},
		"no checksums":       {bytes.NewReader(only("checksums", gone)), county, "damaged"},
		"no database":        {bytes.NewReader(only("replica.db", gone)), county, "damaged"},
		"no keys":            {bytes.NewReader(only("keys", gone)), county, "damaged"},
		"no heading":         {bytes.NewReader(only("about.json", gone)), county, "not_ours"},
		"a newer form": {bytes.NewReader(only("about.json", func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			return h, bytes.Replace(b, []byte(`"version": 1`), []byte(`"version": 9`), 1)
		})), county, "newer"},
		"an altered photo": {bytes.NewReader(inner(func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			if filepath.Dir(h.Name) == "blobs" {
				b[0] ^= 1
			}
			return h, b
		})), county, "damaged"},
		"a name that climbs out": {bytes.NewReader(only("replica.db", func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			h.Name = "../replica.db"
			return h, b
		})), county, "damaged"},
		"a heading without end": {bytes.NewReader(only("about.json", func(h *tar.Header, b []byte) (*tar.Header, []byte) {
			return h, bytes.Repeat([]byte(" "), 1<<20)
		})), county, "too_large"},
	} {
		parent := t.TempDir()
		_, err := store.Restore(ctx, store.Options{World: world.Real(), Dir: filepath.Join(parent, "restored")}, test.file, another(), test.with)
		var e *store.BackupError
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, test.why, e.Why, "%s: %v", name, err)
		left, err := os.ReadDir(parent)
		require.NoError(t, err)
		require.Empty(t, left, name)
	}
	// What the plan refuses appears nowhere either; nor what has no room.
	parent := t.TempDir()
	refused := errors.New("the county does not answer")
	plan := another()
	plan.Finish = func(*vault.Vault, *vault.Keys, *store.Replica) error { return refused }
	_, err = store.Restore(ctx, store.Options{World: world.Real(), Dir: filepath.Join(parent, "restored")}, bytes.NewReader(whole), plan, county)
	require.ErrorIs(t, err, refused)
	disk := &world.FaultyDisk{Disk: world.OS{}}
	disk.Limit(100_000)
	w := world.Real()
	w.Disk = disk
	_, err = store.Restore(ctx, store.Options{World: w, Dir: filepath.Join(parent, "restored")}, bytes.NewReader(whole), another(), county)
	var full *store.FullDiskError
	require.ErrorAs(t, err, &full)
	left, err := os.ReadDir(parent)
	require.NoError(t, err)
	require.Empty(t, left)
}

func FuzzRestore(f *testing.F) {
	county := identity(f)
	var seed bytes.Buffer
	w := tar.NewWriter(&seed)
	for _, e := range [][2]string{{"about.json", `{"version":1}`}, {"keys", "\xa0"}, {"replica.db", "x"}, {"checksums", ""}} {
		require.NoError(f, w.WriteHeader(&tar.Header{Name: e[0], Size: int64(len(e[1])), Mode: 0o600}))
		_, err := w.Write([]byte(e[1]))
		require.NoError(f, err)
	}
	require.NoError(f, w.Close())
	f.Add(seed.Bytes())
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, plain []byte) {
		var out bytes.Buffer
		sealed, err := age.Encrypt(&out, county.Recipient())
		require.NoError(t, err)
		_, err = sealed.Write(plain)
		require.NoError(t, errors.Join(err, sealed.Close()))
		dir := filepath.Join(t.TempDir(), "restored")
		if _, err := store.Restore(context.Background(), store.Options{World: world.Real(), Dir: dir}, &out, another(), county); err == nil {
			t.Fatal("restored what nobody backed up")
		}
		require.NoDirExists(t, dir)
	})
}
