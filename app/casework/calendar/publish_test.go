package calendar_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
)

// A year that the county publishes is in force at every machine that heard of it, over
// what that machine had loaded itself; so are its deadlines.
func TestTheCountyPublishesItsCalendar(t *testing.T) {
	ctx := context.Background()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, "township", "tablet-a")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	town := c.Nodes["township"].Office.Replica
	day := func(r *store.Replica) bool {
		days, err := calendar.Of(ctx, r)
		require.NoError(t, err)
		works, _ := days.Works(time.Date(2027, 2, 8, 0, 0, 0, 0, time.UTC)) // a Monday
		return works
	}
	_, err = calendar.Load(ctx, town, "2027.txt", []byte("2027-02-09 休 春节\n"))
	require.NoError(t, err)
	require.True(t, day(town))

	county := c.Office.Replica
	node := county.Identity().Node
	_, err = calendar.Publish(ctx, county, node, "2027.txt", []byte("2027-02-30 休\n"))
	require.Error(t, err)
	year, err := calendar.Publish(ctx, county, node, "2027.txt", []byte("2027-02-08..2027-02-14 休 春节（样例）\n"))
	require.NoError(t, err)
	require.Equal(t, 2027, year)
	_, err = calendar.PublishRules(ctx, county, node, "期限.txt", []byte("* review township visited 3 工作日 样例\n"))
	require.NoError(t, err)
	_, err = calendar.Publish(ctx, county, node, "2027.txt", []byte("2027-02-08..2027-02-13 休 春节（更正）\n"))
	require.NoError(t, err, "put right later")
	for _, folder := range []string{"township", "tablet-a"} {
		r := c.Nodes[folder].Office
		_, err := r.Client().Sync(ctx, nil)
		require.NoError(t, err)
		require.False(t, day(r.Replica), folder)
		rules, err := calendar.RulesOf(ctx, r.Replica)
		require.NoError(t, err)
		rule, ok := rules.Find("*", "review")
		require.True(t, ok && rule.Days == 3, folder)
		days, err := calendar.Of(ctx, r.Replica)
		require.NoError(t, err)
		_, name := days.Works(time.Date(2027, 2, 14, 0, 0, 0, 0, time.UTC))
		require.Empty(t, name)
		require.True(t, days.Knows(2026) && days.Knows(2027))
	}
	// A township cannot publish: what it writes is refused.
	_, err = calendar.Publish(ctx, town, c.Nodes["township"].People[0].ID, "2027.txt", []byte("2027-02-08 班 x\n"))
	if err == nil {
		_, err = c.Nodes["township"].Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
	require.False(t, day(county), "the county's word holds")
}
