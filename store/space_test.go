package store_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
)

// writeOn writes edits and puts them into a bundle of their own.
func writeOn(t *testing.T, r *store.Replica, edits ...store.Edit) {
	t.Helper()
	ctx := context.Background()
	tip, err := r.Tip(ctx, r.Identity().Node)
	require.NoError(t, err)
	_, err = r.Write(ctx, uuid.Nil, edits...)
	require.NoError(t, err)
	require.NoError(t, r.Append(ctx, bundleOf(t, r, tip)))
}

func TestSpaceIsMeasured(t *testing.T) {
	ctx := context.Background()
	c := &clock{time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	r, _ := nodeIn(t, t.TempDir(), 1, c)
	defer r.Close()
	p, err := r.PutPhoto(ctx, bytes.NewReader(jpegOf(t, 900, 700, 1)), 1<<20)
	require.NoError(t, err)
	s, err := r.Space(ctx)
	require.NoError(t, err)
	require.Equal(t, p.Size, s.Photos)
	require.Equal(t, p.Original.Size, s.Originals)
	require.Positive(t, s.Thumbnails)
	require.Positive(t, s.Database)
	require.Zero(t, s.Garbage)
	require.Positive(t, s.DiskFree)
	require.NoError(t, r.Confirm(ctx, []store.Digest{p.Digest}))
	c.now = c.now.Add(8 * 24 * time.Hour)
	s, err = r.Space(ctx)
	require.NoError(t, err)
	require.Equal(t, p.Original.Size+p.Size, s.Garbage, "no visit names it")
}

// Old visits leave with their bundles, whole or not at all, and only when the county
// has them.
func TestOldVisitsLeave(t *testing.T) { // invariants 1 and 5
	ctx := context.Background()
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)})
	defer func() { r.Close() }()
	visit := func(n byte) uuid.UUID { return uuid.UUID{0: 3, 15: n} }
	state := func(id uuid.UUID, kind store.Kind, value string, blobs ...store.BlobRef) store.Edit {
		return store.Edit{Kind: kind, Entity: id, Division: village, Fields: map[string]store.Value{"state": store.Text(value)}, Blobs: blobs}
	}
	photo, err := r.PutBlob(ctx, bytes.NewReader([]byte("a photo")), 100)
	require.NoError(t, err)
	household := store.Edit{Kind: store.Household, Entity: uuid.UUID{0: 1}, Division: village, Fields: map[string]store.Value{"name": store.Text("单志强")}}
	writeOn(t, r, state(visit(1), store.Visit, "signed"), state(uuid.UUID{0: 4, 15: 1}, store.Task, "done")) // 1–2
	writeOn(t, r, state(visit(2), store.Visit, "signed"), household)                                         // 3–4: beside what stays
	writeOn(t, r, state(visit(3), store.Visit, "signed", photo))                                             // 5: its photo is not confirmed
	writeOn(t, r, state(visit(4), store.Visit, "signed"))                                                    // 6
	writeOn(t, r, state(visit(4), store.Visit, "withdrawn"), state(visit(5), store.Visit, "signed"))         // 7–8: 5 is young
	writeOn(t, r, state(visit(6), store.Visit, "signed"))                                                    // 9: the newest
	upTo := uint64(0)
	what := store.Shedding{
		Old: func(row store.Row) bool {
			return (row.Kind == store.Visit || row.Kind == store.Task) && row.ID != visit(5)
		},
		AtCounty: func(_ uuid.UUID, last uint64) bool { return last <= upTo },
	}
	left := func() (ids []string) {
		rows, err := r.Rows(ctx, store.Query{Kind: store.Visit})
		require.NoError(t, err)
		for _, row := range rows {
			ids = append(ids, fmt.Sprint(row.ID[15]))
		}
		return ids
	}
	n, size, err := r.Shed(ctx, what, false)
	require.NoError(t, err)
	require.Zero(t, n+int(size), "the county has nothing yet")
	upTo = 100
	n, size, err = r.Shed(ctx, what, true)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Positive(t, size)
	require.Equal(t, []string{"1", "2", "3", "4", "5", "6"}, left(), "looking changes nothing")
	n, again, err := r.Shed(ctx, what, false)
	require.NoError(t, err)
	require.Equal(t, 2, n, "visit 1 and its task")
	require.Equal(t, size, again)
	require.Equal(t, []string{"2", "3", "4", "5", "6"}, left())
	require.NoError(t, r.Confirm(ctx, []store.Digest{photo.Digest}))
	_, _, err = r.Shed(ctx, what, false)
	require.NoError(t, err)
	require.Equal(t, []string{"2", "4", "5", "6"}, left(), "4 shares a bundle with 5, which stays")

	for range 2 {
		found, err := r.Check(ctx)
		require.NoError(t, err)
		require.Empty(t, found)
		require.NoError(t, r.Rebuild(ctx))
		require.Equal(t, []string{"2", "4", "5", "6"}, left())
		require.NoError(t, r.Close())
		r = reopen(t, dir)
	}
	writeOn(t, r, household) // and the log goes on
	tip, err := r.Tip(ctx, r.Identity().Node)
	require.NoError(t, err)
	require.Equal(t, uint64(10), tip.Last)
}
