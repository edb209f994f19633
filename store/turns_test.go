package store_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
)

// Many write at once on the county's server: each change has a number of its own, and
// the look-up shows what was written last.
func TestManyWriteAtOnce(t *testing.T) {
	ctx := t.Context()
	r := node(t, 1)
	home := uuid.UUID{0: 1, 6: 0x70, 8: 0x80}
	var all sync.WaitGroup
	faults := make([]error, 8)
	for who := range faults {
		all.Go(func() {
			for n := range 25 {
				_, err := r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: home, Division: "459921100201", Fields: map[string]store.Value{"name": store.Text(fmt.Sprintf("户%d-%d", who, n))}})
				if err != nil {
					faults[who] = err
					return
				}
			}
		})
	}
	all.Wait()
	for _, err := range faults {
		require.NoError(t, err)
	}
	require.EqualValues(t, 200, r.Newest())
	history, err := r.History(ctx, home)
	require.NoError(t, err)
	require.Len(t, history, 200)
	now, err := r.Entity(ctx, home)
	require.NoError(t, err)
	found, err := r.Find(ctx, now.Text("name"), 10)
	require.NoError(t, err)
	require.Len(t, found, 1)
}

// A photo is found by its name whichever run of rows it stands in, once for each record
// that names it.
func TestAPhotoIsFoundInEveryRun(t *testing.T) {
	ctx := t.Context()
	r := node(t, 1)
	photo := func(n int) store.BlobRef {
		return store.BlobRef{Digest: store.DigestOf(fmt.Append(nil, n)), Size: int64(n + 1)}
	}
	const each, records = 4000, 5 // 20,000 rows
	var homes []uuid.UUID
	for i := range records {
		var blobs []store.BlobRef
		for n := range each {
			blobs = append(blobs, photo(i*each+n))
		}
		e := store.Edit{Kind: store.Visit, Division: fmt.Sprintf("45992110020%d", i), Fields: map[string]store.Value{"state": store.Text("signed")}, Blobs: append(blobs, photo(7))}
		changes, err := r.Write(ctx, uuid.Nil, e)
		require.NoError(t, err)
		homes = append(homes, changes[0].Entity)
		e.Entity, e.Blobs = changes[0].Entity, blobs[:3] // named again
		_, err = r.Write(ctx, uuid.Nil, e)
		require.NoError(t, err)
	}
	for _, n := range []int{0, 1, 4000, 8191, 8192, 12_345, each*records - 1} {
		size, missing, err := r.MissingBlob(ctx, photo(n).Digest)
		require.NoError(t, err)
		require.True(t, missing, n)
		require.EqualValues(t, n+1, size)
		places, err := r.NamedIn(ctx, photo(n).Digest)
		require.NoError(t, err)
		require.Equal(t, []string{fmt.Sprintf("45992110020%d", n/each)}, places)
	}
	places, err := r.NamedIn(ctx, photo(7).Digest)
	require.NoError(t, err)
	require.Len(t, places, records)
	_, missing, err := r.MissingBlob(ctx, photo(-1).Digest)
	require.NoError(t, err)
	require.False(t, missing)
	all, err := r.MissingBlobs(ctx)
	require.NoError(t, err)
	require.Len(t, all, each*records)
	here, err := r.BlobsOf(ctx, homes[0])
	require.NoError(t, err)
	require.Empty(t, here)
	findings, err := r.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, findings)
}
