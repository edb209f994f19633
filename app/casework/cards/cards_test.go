package cards_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/cards"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// TestCardsFollowTheVisits: a card is there for every visit, survives a restart, can
// be thrown away, and goes when its visit is taken back.
func TestCardsFollowTheVisits(t *testing.T) { // design.md §4a
	ctx := context.Background()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, "township", "tablet-a")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	tablet, town := c.Nodes["tablet-a"], c.Nodes["township"].Office
	list, err := tasks.List(ctx, tablet.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	for _, h := range c.Sample.Households {
		if h.ID == list[0].Household {
			_, err = tablet.Walk(ctx, &publish.Shelf{}, list[0], h.Visit(time.Now(), false), 1)
			require.NoError(t, err)
		}
	}
	sync := func() {
		_, err := tablet.Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
		_, err = town.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
	sync()
	box, err := cards.Open(ctx, town.Replica)
	require.NoError(t, err)
	made, err := box.Refresh(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, made)
	card := box.All()[0]
	require.Equal(t, list[0].Household, card.Household)
	require.True(t, card.Placed)
	require.Equal(t, int64(8), card.Accuracy)
	require.Len(t, card.Workers, 2)
	require.Greater(t, len(card.Answers), 60)
	require.Positive(t, card.Seq)

	again, err := cards.Open(ctx, town.Replica)
	require.NoError(t, err)
	require.Equal(t, card, again.Get(card.Visit), "as it was left")
	made, err = again.Refresh(ctx)
	require.NoError(t, err)
	require.Zero(t, made, "what was signed never changes")

	// A shard that another version wrote, or that was damaged, is made anew.
	for i := range 64 {
		require.NoError(t, town.Replica.SetSetting(ctx, "cards/"+string(rune('0'+i/10))+string(rune('0'+i%10)), []byte("?")))
		if i < 10 {
			require.NoError(t, town.Replica.SetSetting(ctx, "cards/"+string(rune('0'+i)), []byte("?")))
		}
	}
	fresh, err := cards.Open(ctx, town.Replica)
	require.NoError(t, err)
	require.Empty(t, fresh.All())
	_, err = fresh.Refresh(ctx)
	require.NoError(t, err)
	require.Equal(t, card, fresh.Get(card.Visit))

	// The tablet turns out to have been stolen before the visit.
	_, err = c.Office.Replica.Write(ctx, c.Office.Replica.Identity().Node, trust.RevokeEdit(tablet.Office.Replica.Identity().Node, c.Sample.Code, 0, "丢失"))
	require.NoError(t, err)
	_, err = town.Client().Sync(ctx, nil)
	require.NoError(t, err)
	n, err := town.Replica.Count(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Zero(t, n)
	_, err = fresh.Refresh(ctx)
	require.NoError(t, err)
	require.Empty(t, fresh.All())
}
