package export_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/duplicates"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/export"
	"ironfeet/app/practice"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// A household whose visit was made to a record that was merged into another, and that
// one into a third, is exported with its visit and its determination under the one that
// stands.
func TestAMergedHouseholdKeepsItsVisit(t *testing.T) {
	c, err := practice.Visited(ctx, world.Real(), t.TempDir(), 24, 1, 1)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	before, err := export.Verified(ctx, c.Office.Replica, "")
	require.NoError(t, err)
	require.Len(t, before, 1)
	require.NotNil(t, before[0].Determination)
	visited := before[0].Household.ID
	var others []uuid.UUID
	for _, h := range c.Sample.Households {
		if h.ID != visited && h.Village.Code == before[0].Household.Division {
			others = append(others, h.ID)
		}
	}
	clerk := &review.Reviewer{Replica: c.Office.Replica, Shelf: &publish.Shelf{}, Person: c.Clerk, Role: trust.County, Now: time.Now, NewID: world.Real().NewID}
	require.NoError(t, duplicates.Do(ctx, clerk, duplicates.Merge{Stays: others[0], Goes: visited, Reason: "同一家"}))
	require.NoError(t, duplicates.Do(ctx, clerk, duplicates.Merge{Stays: others[1], Goes: others[0], Reason: "还是同一家"}))
	after, err := export.Verified(ctx, c.Office.Replica, "")
	require.NoError(t, err)
	require.Len(t, after, 1)
	require.Equal(t, others[1], after[0].Household.ID)
	require.Equal(t, before[0].Visit.ID, after[0].Visit.ID)
	require.Equal(t, before[0].Determination.ID, after[0].Determination.ID)
}
