package store_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
)

func TestPagesByPlace(t *testing.T) {
	r := node(t, 1)
	author := r.Identity().Node
	var all []uuid.UUID
	for i := range 7 {
		for _, village := range []string{"459921100203", "459921100201", "459921101201"} {
			c, err := r.Write(t.Context(), author, store.Edit{Kind: store.Household, Division: village, Fields: map[string]store.Value{"name": store.Text(fmt.Sprint(village, i))}})
			require.NoError(t, err)
			all = append(all, c[0].Entity)
			_, err = r.Write(t.Context(), author, store.Edit{Kind: store.Member, Division: village, Fields: map[string]store.Value{"parent": store.Text(c[0].Entity.String())}})
			require.NoError(t, err)
		}
	}
	read := func(division string) (names []string) {
		var at store.Place
		for {
			page, err := r.PageByPlace(t.Context(), store.Household, division, "", at, 4)
			require.NoError(t, err)
			for _, e := range page {
				names = append(names, e.Text("name"))
				at = store.Place{e.Division, e.ID}
			}
			if len(page) < 4 {
				return names
			}
		}
	}
	names := read("459921")
	require.Len(t, names, 21)
	require.Contains(t, names[0], "459921100201", "by village, then by id")
	require.Contains(t, names[20], "459921101201")
	require.Len(t, read("459921100"), 14, "one township only")
	require.Empty(t, read("459922"))

	members, err := r.Children(t.Context(), store.Member, all[:5]...)
	require.NoError(t, err)
	require.Len(t, members, 5)
	many := append(make([]uuid.UUID, 1200), all...)
	members, err = r.Children(t.Context(), store.Member, many...)
	require.NoError(t, err)
	require.Len(t, members, 21, "more parents than one statement takes")
	counts, err := r.CountByDivision(t.Context(), store.Household, "459921100", "")
	require.NoError(t, err)
	require.Equal(t, map[string]int{"459921100201": 7, "459921100203": 7}, counts)
}
