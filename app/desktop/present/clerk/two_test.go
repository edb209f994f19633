package clerk_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/desktop/present"
	"ironfeet/app/desktop/present/clerk"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// A town of two computers: the first has a second one beside it, with a clerk of its
// own.
func secondComputer(t *testing.T, c *practice.County, dir string) *clerk.Clerk {
	t.Helper()
	ctx := context.Background()
	guest := practice.Guest{Folder: "township-2", Name: "云栖镇第二台电脑（虚构）", Role: trust.Township, Scope: []string{c.Sample.TownshipCode}, People: []string{"乡镇协办（虚构）"}}
	code, err := guest.Invite(ctx, c.Server, c.Address)
	require.NoError(t, err)
	var people []exchange.Guest
	of, err := office.Join(ctx, world.Real(), filepath.Join(dir, guest.Folder), code, func(p exchange.Guest) (string, error) {
		people = append(people, p)
		return practice.PIN, nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { of.Close() })
	_, err = of.Client().Sync(ctx, nil)
	require.NoError(t, err)
	return sitDown(t, of, people[0])
}

func sitDown(t *testing.T, of *office.Office, who exchange.Guest) *clerk.Clerk {
	t.Helper()
	desk, err := clerk.Open(context.Background(), present.Start(of, who.ID, who.Name, words.In("zh")))
	require.NoError(t, err)
	return desk
}

func meet(t *testing.T, desks ...*clerk.Clerk) {
	t.Helper()
	for _, d := range append(desks, desks...) { // what the last brings reaches the first
		_, err := d.S.Office.Client().Sync(context.Background(), nil)
		require.NoError(t, err)
		require.NoError(t, d.Refresh(context.Background()))
	}
}

// Two clerks at two computers settle one conflict differently before they have heard
// of each other. Neither wins in silence: both see both settlements, with who and why,
// and the same provisional value, until one of them settles it again; then the county
// and both computers agree and all four values stand in the history (invariants 2, 4).
func TestTwoComputersSettleDifferently(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	c, err := practice.SetUp(ctx, world.Real(), dir, 24)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	list, err := tasks.List(ctx, c.Nodes["tablet-a"].Office.Replica, c.Sample.Villages[2].Code, tasks.Open)
	require.NoError(t, err)
	home := c.Sample.Households[slices.IndexFunc(c.Sample.Households, func(h *yunqi.Household) bool { return h.ID == list[0].Household })]
	for i, folder := range []string{"tablet-a", "tablet-b"} {
		n := c.Nodes[folder]
		clock := practice.NewClock(time.Now().AddDate(0, 0, -2+i), 12*time.Second)
		restore := clock.By(n)
		_, err := n.Walk(ctx, &publish.Shelf{}, list[0], home.Visit(clock.Now(), i == 1), uint64(i*100))
		require.NoError(t, err)
		restore()
		_, err = n.Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
	town := c.Nodes["township"]
	one := sitDown(t, town.Office, town.People[0])
	two := secondComputer(t, c, dir)
	desks := []*clerk.Clerk{one, two}
	meet(t, desks...)

	// One accepts both visits; both computers learn of the conflict.
	in, err := one.Inbox(ctx)
	require.NoError(t, err)
	require.Len(t, in.All, 2)
	for range 2 {
		page, err := one.Page(ctx, in.Current().Visit)
		require.NoError(t, err)
		require.NoError(t, page.Accept(ctx))
		require.NoError(t, in.Load(ctx))
	}
	meet(t, desks...)
	phone := func(d *clerk.Clerk) *clerk.Dispute {
		t.Helper()
		disputes, err := d.Disputes(ctx)
		require.NoError(t, err)
		for i := range disputes {
			if disputes[i].Household == home.ID && disputes[i].Field == "phone" {
				return &disputes[i]
			}
		}
		return nil
	}
	shown := func(r *store.Replica) string {
		t.Helper()
		e, err := r.Entity(ctx, home.ID)
		require.NoError(t, err)
		return e.Text("phone")
	}
	for _, d := range desks {
		require.NotNil(t, phone(d))
		require.Len(t, phone(d).Sides, 2)
	}
	values := []string{phone(one).Sides[0].Value, phone(one).Sides[1].Value}

	// Each settles it, each otherwise, with no line between them.
	require.NoError(t, one.Settle(ctx, *phone(one), phone(one).Sides[0].Raw, "打电话问过户主"))
	require.NoError(t, two.Settle(ctx, *phone(two), phone(two).Sides[1].Raw, "问过村支书"))
	require.Nil(t, phone(one), "each believes it is settled")
	require.Nil(t, phone(two))
	meet(t, desks...)
	for _, d := range desks {
		again := phone(d)
		require.NotNil(t, again, "no silent winner")
		require.Len(t, again.Sides, 2)
		var said, reasons []string
		for _, s := range again.Sides {
			said, reasons = append(said, s.Value), append(reasons, s.Under)
		}
		require.ElementsMatch(t, values, said)
		all := reasons[0] + reasons[1]
		for _, w := range []string{"乡镇专干（虚构）", "打电话问过户主", "乡镇协办（虚构）", "问过村支书"} {
			require.Contains(t, all, w)
		}
		require.Equal(t, shown(c.Office.Replica), shown(d.S.Office.Replica), "meanwhile all show the same")
	}
	overview, err := two.Overview(ctx)
	require.NoError(t, err)
	require.Positive(t, overview.Total.Accepted)

	// One of them has spoken with the other and settles it again.
	right := sideOf(t, phone(two), values[0])
	require.NoError(t, two.Settle(ctx, *phone(two), right.Raw, "两人核对过，以户主本人说的为准"))
	meet(t, desks...)
	for _, d := range desks {
		require.Nil(t, phone(d))
		require.Equal(t, values[0], d.Words("phone", shown(d.S.Office.Replica)))
		past, err := d.Reviewer().FieldHistory(ctx, home.ID, "phone")
		require.NoError(t, err)
		require.Len(t, past, 6, "what stood first, two visits, two settlements, the last")
		require.Equal(t, "两人核对过，以户主本人说的为准", past[len(past)-1].Reason)
		findings, err := d.S.Office.Replica.Check(ctx)
		require.NoError(t, err)
		require.Empty(t, findings)
	}
	require.Equal(t, shown(one.S.Office.Replica), shown(c.Office.Replica))
}

func sideOf(t *testing.T, d *clerk.Dispute, value string) clerk.Side {
	t.Helper()
	require.NotNil(t, d)
	for _, s := range d.Sides {
		if s.Value == value {
			return s
		}
	}
	require.Fail(t, "no such side", value)
	return clerk.Side{}
}
