//go:build linux

package store_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/store/world"
)

// small mounts a real file system of so many kilobytes, which needs root.
func small(t *testing.T, kilobytes int) string {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kilobytes)); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// A real disk that fills up while answers, changes and photos are being saved.
func TestARealDiskFillsUp(t *testing.T) {
	ctx := context.Background()
	dir := small(t, 3000)
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	require.NoError(t, r.StartDraft(ctx, store.Draft{ID: savedDraft, Form: "f"}))
	answers, changes := map[string]string{}, 0
	var photos []store.Digest
	fullFor := map[string]bool{}
	var full *store.FullDiskError
	for n := 0; len(fullFor) < 3; n++ {
		require.Less(t, n, 20_000, "the disk never filled")
		path, value := fmt.Sprintf("/data/q%d", n), strings.Repeat("字", 60)+fmt.Sprint(n)
		if err := r.SaveAnswer(ctx, savedDraft, path, value); err == nil {
			answers[path] = value
		} else {
			require.ErrorAs(t, err, &full)
			fullFor["answer"] = true
		}
		if _, err := r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Visit, Division: village, Fields: map[string]store.Value{"note": store.Text(value)}}); err == nil {
			changes++
		} else {
			require.ErrorAs(t, err, &full)
			fullFor["change"] = true
		}
		if ref, err := r.PutBlob(ctx, strings.NewReader(strings.Repeat(value, 100)), 1<<20); err == nil {
			photos = append(photos, ref.Digest)
		} else {
			require.ErrorAs(t, err, &full)
			fullFor["photo"] = true
		}
	}
	look := func(r *store.Replica) {
		t.Helper()
		d, err := r.Draft(ctx, savedDraft)
		require.NoError(t, err)
		require.Equal(t, answers, d.Answers)
		n, err := r.Count(ctx, store.Query{Kind: store.Visit})
		require.NoError(t, err)
		require.Equal(t, changes, n)
		for _, d := range photos {
			readBlob(t, r, d)
		}
	}
	look(r)
	// Like a process that ends there, without closing; and then in good order.
	child := exec.Command(os.Args[0])
	require.NoError(t, r.Close())
	child.Env = append(os.Environ(), "IRONFEET_TEST_SAVER="+dir)
	require.Error(t, child.Run(), "the child finds the disk full")
	r = reopen(t, dir)
	d, err := r.Draft(ctx, savedDraft)
	require.NoError(t, err)
	for path, value := range answers {
		if d.Answers[path] != value {
			require.NotContains(t, d.Answers[path], "字", "only the child may have written over it") // by its own
		}
	}
	require.NoError(t, r.Close())

	// Room again.
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=20m"))
	r = reopen(t, dir)
	defer r.Close()
	_, err = r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Visit, Division: village, Fields: map[string]store.Value{"note": store.Text("after")}})
	require.NoError(t, err)
	found, err := r.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestAReadOnlyDiskIsSaidAsSuch(t *testing.T) {
	dir := small(t, 8000)
	r, keys := nodeIn(t, dir, 1, &clock{time.Now()})
	require.NoError(t, r.Close())
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	_, err := store.Open(context.Background(), store.Options{World: world.Real(), Dir: dir, Keys: keys})
	var locked *store.NotWritableError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, "store.not_writable", locked.Code())
}
