package store_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"ironfeet/store"
	"ironfeet/store/world"
)

type folder struct{ path string }

func tempDir() (folder, error) {
	path, err := os.MkdirTemp("", "ironfeet-store")
	return folder{path}, err
}

func (f folder) remove() { os.RemoveAll(f.path) }

// The child of the kill test: it saves answers and says each one only after it is
// durable.
func TestMain(m *testing.M) {
	if dir := os.Getenv("IRONFEET_TEST_SAVER"); dir != "" {
		saver(dir)
		return
	}
	if dir := os.Getenv("IRONFEET_TEST_UNLOCK"); dir != "" {
		unlocker(dir)
		return
	}
	status := m.Run()
	removeCounties()
	os.Exit(status)
}

var savedDraft = uuid.UUID{0: 7}

var savedEntity = uuid.UUID{0: 8}

// saver saves without end: answers, and among them changes and photos. It says each
// one when it is acknowledged.
func saver(dir string) {
	ctx := context.Background()
	r := reopen(exiting{}, dir)
	for n := 0; ; n++ {
		value := fmt.Sprintf("%d-%d", os.Getpid(), n)
		switch {
		case n%7 == 3:
			c, err := r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Visit, Entity: savedEntity, Division: village, Fields: map[string]store.Value{"note": store.Text(value)}})
			exitOn(err)
			fmt.Println("change", c[0].Seq, value)
		case n%7 == 5:
			ref, err := r.PutBlob(ctx, strings.NewReader(value), 1000)
			exitOn(err)
			fmt.Println("photo", ref.Digest, value)
		default:
			path := fmt.Sprintf("/data/q%d", n%50)
			exitOn(r.SaveAnswer(ctx, savedDraft, path, value))
			fmt.Println("answer", path, value)
		}
	}
}

// exiting ends the child where a test would fail.
type exiting struct{}

func (exiting) Errorf(format string, args ...any) { exitOn(fmt.Errorf(format, args...)) }
func (exiting) FailNow()                          { os.Exit(3) }

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

var (
	kills = flag.Int("kills", 25, "how often the saver is killed (make kills: 300)")
	seed  = flag.Uint64("seed", 0, "of the kill test; 0: a new one")
)

// What was acknowledged survives kill -9 at any moment (invariant 1).
func TestNothingAcknowledgedIsLostByKilling(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	require.NoError(t, r.StartDraft(ctx, store.Draft{ID: savedDraft, Form: "f"}))
	require.NoError(t, r.Close())
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	t.Logf("again: go test ./store -run ByKilling -kills %d -seed %d", *kills, *seed)
	answers, changes, photos := map[string]string{}, map[uint64]string{}, map[string]string{}
	for range *kills {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "IRONFEET_TEST_SAVER="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		// Some while after a line was read: in the midst of whatever comes next.
		kill, pause := 1+random.IntN(40), time.Duration(random.IntN(900))*time.Microsecond
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var kind, key, value string
			_, err := fmt.Sscan(lines.Text(), &kind, &key, &value)
			if err != nil {
				break // cut off by the kill: not acknowledged
			}
			switch kind {
			case "answer":
				answers[key] = value
			case "change":
				seq, err := strconv.ParseUint(key, 10, 64)
				require.NoError(t, err)
				changes[seq] = value
			case "photo":
				photos[key] = value
			}
			if n == kill {
				go func() { time.Sleep(pause); child.Process.Kill() }()
			}
		}
		child.Wait()
		r := reopen(t, dir)
		d, err := r.Draft(ctx, savedDraft)
		require.NoError(t, err)
		for path, value := range answers {
			// The child may have saved a later answer that it could not say any more.
			require.True(t, later(d.Answers[path], value), "%s: acknowledged %s, found %s", path, value, d.Answers[path])
		}
		own, err := r.Unsealed(ctx, 1<<20)
		require.NoError(t, err)
		for _, c := range own {
			if value, acknowledged := changes[c.Seq]; acknowledged {
				require.Equal(t, value, c.Fields[0].Value.Text())
			}
		}
		require.GreaterOrEqual(t, len(own), len(changes))
		for digest, value := range photos {
			d, err := store.ParseDigest(digest)
			require.NoError(t, err)
			require.Equal(t, value, string(readBlob(t, r, d)))
		}
		require.NoError(t, r.Close())
	}
	require.Greater(t, len(answers), 20)
	require.NotEmpty(t, changes)
	require.NotEmpty(t, photos)
	r = reopen(t, dir)
	defer r.Close()
	found, err := r.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
	t.Logf("%d kills: %d answers, %d changes and %d photos were acknowledged, all are there", *kills, len(answers), len(changes), len(photos))
}

// later says whether an answer is the acknowledged one or one saved after it by
// the same process.
func later(found, acknowledged string) bool {
	var pid, n, ackPID, ackN int
	fmt.Sscanf(found, "%d-%d", &pid, &n)
	fmt.Sscanf(acknowledged, "%d-%d", &ackPID, &ackN)
	return pid != ackPID && pid != 0 || n >= ackN && pid == ackPID
}

// A full disk is said as such; what was acknowledged stays, and the folder opens.
func TestAFullDiskLosesNothing(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r, keys := nodeIn(t, dir, 1, &clock{time.Now()})
	require.NoError(t, r.StartDraft(ctx, store.Draft{ID: savedDraft, Form: "f"}))
	require.NoError(t, r.LimitPages(ctx, 80))
	saved := 0
	var full *store.FullDiskError
	for n := range 10_000 {
		err := r.SaveAnswer(ctx, savedDraft, fmt.Sprintf("/data/q%d", n), strings.Repeat("字", 200))
		if err != nil {
			require.ErrorAs(t, err, &full)
			break
		}
		saved++
	}
	require.NotNil(t, full, "the disk never filled")
	require.Equal(t, "store.disk_full", full.Code())
	_, err := r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Division: village, Fields: map[string]store.Value{"note": store.Text(strings.Repeat("字", 50_000))}})
	require.ErrorAs(t, err, &full)
	require.NoError(t, r.Close())

	r, err = store.Open(ctx, store.Options{World: world.Real(), Dir: dir, Keys: keys})
	require.NoError(t, err)
	defer r.Close()
	d, err := r.Draft(ctx, savedDraft)
	require.NoError(t, err)
	require.Len(t, d.Answers, saved)
	n, err := r.Count(ctx, store.Query{Kind: store.Household})
	require.NoError(t, err)
	require.Zero(t, n, "half a write stayed")
	found, err := r.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
}

// fullDisk has room for some bytes.
type fullDisk struct {
	world.Disk
	left int
	sync bool // fsync fails instead
}

type fullFile struct {
	world.File
	disk *fullDisk
}

func (d *fullDisk) Create(name string) (world.File, error) {
	f, err := d.Disk.Create(name)
	return fullFile{f, d}, err
}

func (f fullFile) Write(b []byte) (int, error) {
	if f.disk.left -= len(b); f.disk.left < 0 {
		n, _ := f.File.Write(b[:len(b)/2])
		return n, &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	}
	return f.File.Write(b)
}

func (f fullFile) Sync() error {
	if f.disk.sync {
		return &fs.PathError{Op: "sync", Path: "x", Err: syscall.EIO}
	}
	return f.File.Sync()
}

func TestAPhotoIsHereWholeOrNotAtAll(t *testing.T) {
	ctx := context.Background()
	photo := bytes.Repeat([]byte("photo "), 50_000)
	for _, test := range []struct {
		name string
		disk fullDisk
	}{
		{"the disk fills up", fullDisk{left: 100_000}},
		{"the sync fails", fullDisk{left: 1 << 30, sync: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			r, keys := nodeIn(t, dir, 1, &clock{time.Now()})
			require.NoError(t, r.Close())
			w := world.Real()
			test.disk.Disk = w.Disk
			w.Disk = &test.disk
			r, err := store.Open(ctx, store.Options{World: w, Dir: dir, Keys: keys})
			require.NoError(t, err)
			_, err = r.PutBlob(ctx, bytes.NewReader(photo), 1<<20)
			require.Error(t, err)
			here, err := r.HasBlob(ctx, store.DigestOf(photo))
			require.NoError(t, err)
			require.False(t, here)
			require.NoError(t, r.Close())

			r, err = store.Open(ctx, store.Options{World: world.Real(), Dir: dir, Keys: keys})
			require.NoError(t, err)
			defer r.Close()
			ref, err := r.PutBlob(ctx, bytes.NewReader(photo), 1<<20)
			require.NoError(t, err)
			rd, size, err := r.OpenBlob(ctx, ref.Digest)
			require.NoError(t, err)
			require.Equal(t, int64(len(photo)), size)
			back, err := io.ReadAll(rd)
			require.NoError(t, err)
			require.Equal(t, photo, back)
			require.NoError(t, rd.Close())
		})
	}
}

func TestAnAlteredPhotoIsNoticed(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	defer r.Close()
	ref, err := r.PutBlob(ctx, bytes.NewReader(bytes.Repeat([]byte("photo "), 50_000)), 1<<20)
	require.NoError(t, err)
	path := filepath.Join(dir, "blobs", ref.Digest.String()[:2], ref.Digest.String())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, damaged := range map[string][]byte{
		"a byte flipped": append(append([]byte{}, whole[:70_000]...), append([]byte{whole[70_000] ^ 1}, whole[70_001:]...)...),
		"cut off":        whole[:len(whole)-70_000],
		"a piece moved":  append(append([]byte{}, whole[65_576:131_152]...), whole[65_576:]...),
	} {
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		found, err := r.Check(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, found, name)
		require.Equal(t, "check.blob", found[0].Code, name)
	}
}

func TestASecondProcessIsRefusedAndToldWho(t *testing.T) {
	dir := t.TempDir()
	r, keys := nodeIn(t, dir, 1, &clock{time.Now()})
	defer r.Close()
	_, err := store.Open(context.Background(), store.Options{World: world.Real(), Dir: dir, Keys: keys})
	var inUse *store.InUseError
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, os.Getpid(), inUse.PID)
}

func TestForeignAndDamagedFolders(t *testing.T) {
	ctx := context.Background()
	for name, content := range map[string][]byte{
		"no database at all": []byte("this is a shopping list, not a database, and it is long enough to have a header of its own for the reader"),
		"an empty file":      {},
		"half a database":    nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r, keys := nodeIn(t, dir, 1, &clock{time.Now()})
			require.NoError(t, r.Close())
			path := filepath.Join(dir, "replica.db")
			if content == nil {
				whole, err := os.ReadFile(path)
				require.NoError(t, err)
				content = whole[:len(whole)/2]
			}
			for _, beside := range []string{"-wal", "-shm"} {
				os.Remove(path + beside)
			}
			require.NoError(t, os.WriteFile(path, content, 0o600))
			_, err := store.Open(ctx, store.Options{World: world.Real(), Dir: dir, Keys: keys})
			require.Error(t, err)
		})
	}
	_, err := store.Open(ctx, store.Options{World: world.Real(), Dir: t.TempDir()})
	require.ErrorIs(t, err, store.ErrNotFound)
}

// Whoever takes a locked folder away reads no name, number, answer or photo in it.
func TestNothingPersonalLiesPlain(t *testing.T) { // invariant 7
	ctx := context.Background()
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	secrets := []string{"韦鸿翔测试", "459921195203150013", "13800138000", "腿部骨折无法劳动", "weihongxiang", "石桥村三组九号"}
	photo := []byte("JFIF photo of a poor family's kitchen, never to be seen")
	camera := jpegOf(t, 900, 600, 77)
	h := uuid.UUID{0: 1}
	_, err := r.Write(ctx, uuid.Nil,
		store.Edit{Kind: store.Household, Entity: h, Division: village, Fields: map[string]store.Value{"name": store.Text(secrets[0]), "phone": store.Text(secrets[2]), "address": store.Text(secrets[5])}},
		store.Edit{Kind: store.Member, Division: village, Fields: map[string]store.Value{"parent": store.Text(h.String()), "name": store.Text(secrets[0]), "id_no": store.Text(secrets[1])}})
	require.NoError(t, err)
	registry(t, r, 1, 130) // enough for a snapshot of the look-up
	require.NoError(t, r.SetSetting(ctx, "note", []byte(secrets[3])))
	require.NoError(t, r.SaveDraft(ctx, store.Draft{ID: savedDraft, Answers: map[string]string{"/data/health": secrets[3]}, Extra: []byte(secrets[0])}))
	require.NoError(t, r.SaveAnswer(ctx, savedDraft, "/data/address", secrets[5]))
	require.NoError(t, r.Hold(ctx, store.Held{Digest: store.Digest{1}, Detail: secrets[0], Raw: []byte(secrets[1])}))
	require.NoError(t, r.Append(ctx, bundleOf(t, r, store.Tip{})))
	_, err = r.PutBlob(ctx, bytes.NewReader(photo), 1<<20)
	require.NoError(t, err)
	taken, err := r.PutPhoto(ctx, bytes.NewReader(camera), 1<<20)
	require.NoError(t, err)
	copied := readBlob(t, r, taken.Digest)
	small, err := r.Thumbnail(ctx, taken.Digest)
	require.NoError(t, err)
	_, err = r.Find(ctx, "whx", 5)
	require.NoError(t, err)

	forms := map[string][]byte{"the photo": photo, "the camera's photo": camera[2000:2100], "the copy": copied[2000:2100], "the thumbnail": small[700:760]}
	for _, s := range secrets {
		gbk, err := simplifiedchinese.GBK.NewEncoder().String(s)
		require.NoError(t, err)
		forms[s+" in UTF-8"], forms[s+" in GBK"] = []byte(s), []byte(gbk)
		forms[s+" in UTF-16LE"] = utf16le(s)
		forms[s+" in UTF-16BE"] = utf16be(s)
	}
	for _, moment := range []string{"in use, with its journal", "closed"} {
		if moment == "closed" {
			require.NoError(t, r.Close())
		}
		read, files := 0, 0
		require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			read += len(content)
			files++
			for name, form := range forms {
				require.False(t, bytes.Contains(content, form), "%s: %s holds %s", moment, filepath.Base(path), name)
			}
			return nil
		}))
		require.Greater(t, read, 300_000)
		require.GreaterOrEqual(t, files, 7)
	}
}

func utf16be(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.BigEndian.AppendUint16(out, u)
	}
	return out
}

func utf16le(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, u)
	}
	return out
}

func FuzzDecodeChange(f *testing.F) {
	c := store.Change{ChangeID: store.ChangeID{Node: uuid.UUID{0: 1}, Seq: 1}, Kind: store.Household, Entity: uuid.UUID{0: 2}, Division: village, Fields: []store.Field{{Name: "phone", Value: store.Text("1")}}}
	raw, err := store.EncodeChange(&c)
	require.NoError(f, err)
	f.Add(raw)
	f.Add([]byte{0xa0})
	f.Add([]byte{0xbf, 0xff})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := store.DecodeChange(raw)
		if err != nil {
			return
		}
		again, err := store.EncodeChange(&c)
		if err == nil && len(again) == len(raw) && !bytes.Equal(again, raw) {
			t.Fatalf("%x was read and written as %x", raw, again)
		}
	})
}
