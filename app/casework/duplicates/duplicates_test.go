package duplicates_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/duplicates"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

var ctx = context.Background()

type county struct {
	*practice.County
	t  *testing.T
	rv *review.Reviewer
}

// with sets up a county, and loads what stands in its registry twice.
func with(t *testing.T, twice ...registry.Household) *county {
	t.Helper()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, registry.Load(ctx, c.Office.Replica, world.Real().NewID, c.Clerk, twice))
	town := c.Nodes["township"]
	x := &county{c, t, &review.Reviewer{Replica: town.Office.Replica, Shelf: &publish.Shelf{}, Person: town.People[0].ID, Role: trust.Township, Now: time.Now, NewID: world.Real().NewID, Roll: town.Office.Roll}}
	x.sync()
	return x
}

func (c *county) sync() {
	c.t.Helper()
	for range 2 {
		for _, folder := range []string{"township", "tablet-a", "tablet-b"} {
			_, err := c.Nodes[folder].Office.Client().Sync(ctx, nil)
			require.NoError(c.t, err)
		}
	}
}

func (c *county) pairs() []duplicates.Pair {
	c.t.Helper()
	list, err := duplicates.Find(ctx, c.rv.Replica, c.Sample.TownshipCode)
	require.NoError(c.t, err)
	return list
}

// state is everything a replica knows of households and members, conflicts too.
func state(t *testing.T, r *store.Replica) map[uuid.UUID]string {
	t.Helper()
	all := map[uuid.UUID]string{}
	for _, kind := range []store.Kind{store.Household, store.Member} {
		list, err := r.Entities(ctx, store.Query{Kind: kind})
		require.NoError(t, err)
		for _, e := range list {
			names := make([]string, 0, len(e.Fields))
			for name := range e.Fields {
				names = append(names, name)
			}
			slices.Sort(names)
			text := e.Division
			for _, name := range names {
				heads, err := r.Heads(ctx, e.ID, name)
				require.NoError(t, err)
				text += "|" + name
				for _, h := range heads {
					text += "=" + h.Value.Show()
				}
			}
			all[e.ID] = text
		}
	}
	return all
}

// double is a second record of a sample household, of the same persons and one
// more, in a village.
func double(c *practice.County, of, village int) registry.Household {
	h := c.Sample.Households[of]
	out := registry.Household{ID: world.Real().NewID(), Division: c.Sample.Villages[village].Code, Fields: map[string]string{
		"name": h.Fields["name"], "address": "圩上路3号", "phone": "18877770000", "village": c.Sample.Villages[village].Name}}
	for _, m := range h.Members {
		out.Members = append(out.Members, registry.Member{ID: world.Real().NewID(), Fields: map[string]string{"name": m.Fields["name"], "id_no": m.Fields["id_no"], "id_type": "idcard", "birth": m.Fields["birth"], "rel": m.Fields["rel"]}})
	}
	out.Members = append(out.Members, registry.Member{ID: world.Real().NewID(), Fields: map[string]string{"name": "韦新生", "birth": "2025-11-02", "id_type": "none", "rel": "20"}})
	return out
}

func TestWhatIsProposed(t *testing.T) {
	c := with(t)
	require.Empty(t, c.pairs(), "the sample has nobody twice")
	h := c.Sample.Households[2]
	first := h.Members[0]
	village := c.Sample.Villages[2].Code
	person := func(fields map[string]string) registry.Household {
		return registry.Household{Division: village, Fields: map[string]string{"name": fields["name"], "address": "另处" + fields["id_no"]}, Members: []registry.Member{{Fields: fields}}}
	}
	require.NoError(t, registry.Load(ctx, c.Office.Replica, world.Real().NewID, c.Clerk, []registry.Household{
		person(map[string]string{"name": "覃某", "birth": "1971-01-01", "id_no": first.Fields["id_no"], "id_type": "idcard"}),                          // the same number
		person(map[string]string{"name": first.Fields["name"], "birth": first.Fields["birth"], "id_type": "none"}),                                   // the same person, no number
		person(map[string]string{"name": first.Fields["name"], "birth": first.Fields["birth"], "id_no": "459921197001010019", "id_type": "idcard"}),  // another number: another person
		{Division: village, Fields: map[string]string{"name": h.Fields["name"], "address": h.Fields["address"][:6] + " " + h.Fields["address"][6:]}}, // the same house
		{Division: c.Sample.Villages[3].Code, Fields: map[string]string{"name": h.Fields["name"], "address": h.Fields["address"]}},                   // the same words in another village
	}))
	c.sync()
	var got []string
	for _, p := range c.pairs() {
		got = append(got, string(p.Kind)+" "+p.Why)
		require.LessOrEqual(t, p.A.String(), p.B.String(), "the older first")
	}
	require.Equal(t, []string{"household duplicate.shared", "member duplicate.same_number", "household duplicate.same_home", "member duplicate.same_birth", "member duplicate.same_birth"}, got,
		"the one without a number may be either of two with different numbers, who are not one")
	p := c.pairs()[1]
	require.ErrorIs(t, duplicates.Apart(ctx, c.rv, p, ""), review.ErrNoReason)
	require.NoError(t, duplicates.Apart(ctx, c.rv, p, "派出所确认重号"))
	require.Len(t, c.pairs(), 4, "what was decided is not proposed again")
	c.sync()
	there, err := duplicates.Find(ctx, c.Office.Replica, c.Sample.Code)
	require.NoError(t, err)
	require.Len(t, there, 4, "at the county neither")
}

// TestAMergeIsUndone: two households of two villages that two tablets serve become
// one, and two again, with nothing lost and nobody told of what is not his.
func TestAMergeIsUndone(t *testing.T) { // invariants 4 and 7
	c := with(t)
	twice := double(c.County, 0, 3) // household 0 lives in village 0 (tablet A); village 3 is tablet B's
	require.NoError(t, registry.Load(ctx, c.Office.Replica, world.Real().NewID, c.Clerk, []registry.Household{twice}))
	c.sync()
	a, b := c.Nodes["tablet-a"].Office.Replica, c.Nodes["tablet-b"].Office.Replica
	before, beforeA, beforeB := state(t, c.rv.Replica), state(t, a), state(t, b)
	stays := c.Sample.Households[0]
	same := map[uuid.UUID]uuid.UUID{}
	for i, m := range stays.Members {
		same[twice.Members[i].ID] = m.ID
	}
	newborn := twice.Members[len(twice.Members)-1].ID
	merge := duplicates.Merge{Stays: stays.ID, Goes: twice.ID, Take: []string{"phone", "parent", "nothing"}, Same: same, Reason: "同一家人，搬到圩上"}
	require.NoError(t, duplicates.Do(ctx, c.rv, merge))
	var refused *duplicates.MergeError
	require.ErrorAs(t, duplicates.Do(ctx, c.rv, merge), &refused, "once")
	require.Empty(t, c.pairs())

	page, err := registry.Open(ctx, c.rv.Replica, stays.ID)
	require.NoError(t, err)
	require.Len(t, page.Members, len(stays.Members)+1)
	require.Equal(t, "18877770000", page.Household.Text("phone"))
	hits, err := c.rv.Replica.Find(ctx, "韦新生", 9)
	require.NoError(t, err)
	require.Len(t, hits, 1)
	require.Equal(t, stays.ID, hits[0].Household, "found where he is now")
	for _, id := range []uuid.UUID{twice.ID, twice.Members[0].ID} {
		to, err := registry.Standing(ctx, c.rv.Replica, id)
		require.NoError(t, err)
		require.Contains(t, []uuid.UUID{stays.ID, stays.Members[0].ID}, to)
	}

	c.sync()
	require.Equal(t, state(t, c.rv.Replica), state(t, c.Office.Replica), "the county agrees (invariant 2)")
	e, err := a.Entity(ctx, newborn)
	require.NoError(t, err, "tablet A hears of its village's new member, all of it")
	require.Equal(t, "韦新生", e.Text("name"))
	require.False(t, e.Fields["deleted"].Bool())
	_, err = a.Entity(ctx, twice.ID)
	require.ErrorIs(t, err, store.ErrNotFound, "and nothing of another village")
	e, err = b.Entity(ctx, newborn)
	require.NoError(t, err)
	require.True(t, e.Fields["deleted"].Bool(), "tablet B hears that he is gone")

	// Meanwhile somebody corrects the address; the phone nobody touches.
	_, err = c.rv.Replica.Write(ctx, c.rv.Person, store.Edit{Kind: store.Household, Entity: stays.ID, Division: stays.Village.Code, Fields: map[string]store.Value{"address": store.Text("新屋")}})
	require.NoError(t, err)
	list, err := duplicates.List(ctx, c.rv.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []string{"同一家人，搬到圩上", twice.Fields["name"]}, []string{list[0].Reason, list[0].Name})
	require.ErrorIs(t, duplicates.Unmerge(ctx, c.rv, list[0].Review, " "), review.ErrNoReason)
	require.NoError(t, duplicates.Unmerge(ctx, c.rv, list[0].Review, "其实是两兄弟分户"))
	require.Error(t, duplicates.Unmerge(ctx, c.rv, list[0].Review, "再来"), "once")
	c.sync()

	after := state(t, c.rv.Replica)
	require.Equal(t, after, state(t, c.Office.Replica))
	for id, was := range before {
		if id != stays.ID {
			require.Equal(t, was, after[id], "as it was")
		}
	}
	e, err = c.rv.Replica.Entity(ctx, stays.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"新屋", stays.Fields["phone"]}, []string{e.Text("address"), e.Text("phone")}, "what was set since stays, what was taken over goes back")
	for id, was := range beforeB {
		require.Equal(t, was, state(t, b)[id], "tablet B has its household again, without a conflict")
	}
	nowA := state(t, a)
	for id, was := range beforeA {
		if id != stays.ID {
			require.Equal(t, was, nowA[id])
		}
	}
	e, err = a.Entity(ctx, newborn)
	require.NoError(t, err)
	require.True(t, e.Fields["deleted"].Bool())
	require.Len(t, c.pairs(), 1+len(stays.Members), "and the pair is proposed again")
	for _, r := range []*store.Replica{c.rv.Replica, c.Office.Replica, a, b} {
		findings, err := r.Check(ctx)
		require.NoError(t, err)
		require.Empty(t, findings)
	}
}

// TestAVisitToWhatWasMerged: a tablet had gone to the door before it heard.
func TestAVisitToWhatWasMerged(t *testing.T) {
	c := with(t)
	goes, stays := c.Sample.Households[0], c.Sample.Households[8] // one village
	require.Equal(t, goes.Village, stays.Village)
	tablet := c.Nodes["tablet-a"]
	list, err := tasks.List(ctx, tablet.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	at := slices.IndexFunc(list, func(t tasks.Task) bool { return t.Household == goes.ID })
	w, err := tablet.Walk(ctx, &publish.Shelf{}, list[at], goes.Visit(time.Now(), false), 3)
	require.NoError(t, err)
	require.NoError(t, duplicates.Do(ctx, c.rv, duplicates.Merge{Stays: stays.ID, Goes: goes.ID, Reason: "一家人"}))
	c.sync()
	out, err := c.rv.Open(ctx, w.Visit)
	require.NoError(t, err)
	require.Equal(t, stays.ID, out.Page.Household.ID, "it is laid beside the household that stands")
	require.NotEmpty(t, out.Diverged(), "whose values nobody had seen at the door")
	require.NoError(t, c.rv.Accept(ctx, out, nil, ""))
	page, err := registry.Open(ctx, c.rv.Replica, stays.ID)
	require.NoError(t, err)
	require.Len(t, page.Visits, 1)
	require.Len(t, page.Tasks, 2, "both households' tasks")
	conflicts, err := c.rv.Replica.Conflicts(ctx, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.NotEmpty(t, conflicts, "and a person settles them")
	c.sync()
	task, err := tasks.Get(ctx, tablet.Office.Replica, list[slices.IndexFunc(list, func(t tasks.Task) bool { return t.Household == stays.ID })].ID)
	require.NoError(t, err)
	v, err := tablet.Desk(&publish.Shelf{}).Start(ctx, task)
	require.NoError(t, err)
	require.Equal(t, stays.ID, v.Page.Household.ID)
}

func TestMergesThatAreNone(t *testing.T) {
	c := with(t)
	a, b := c.Sample.Households[0], c.Sample.Households[1]
	for _, test := range []struct {
		name, why string
		merge     duplicates.Merge
	}{
		{"with itself", "itself", duplicates.Merge{Stays: a.ID, Goes: a.ID}},
		{"a person with a household", "kind", duplicates.Merge{Stays: a.ID, Goes: a.Members[0].ID}},
		{"a member chosen who is of neither", "chosen", duplicates.Merge{Stays: a.ID, Goes: b.ID, Same: map[uuid.UUID]uuid.UUID{c.Sample.Households[2].Members[0].ID: a.Members[0].ID}}},
		{"a twin who is of neither", "chosen", duplicates.Merge{Stays: a.ID, Goes: b.ID, Same: map[uuid.UUID]uuid.UUID{b.Members[0].ID: b.Members[0].ID}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := state(t, c.rv.Replica)
			test.merge.Reason = "x"
			var refused *duplicates.MergeError
			require.ErrorAs(t, duplicates.Do(ctx, c.rv, test.merge), &refused)
			require.Equal(t, test.why, refused.Why)
			require.Equal(t, before, state(t, c.rv.Replica))
		})
	}
}
