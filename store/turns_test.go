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
