package notice_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/notice"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

var ctx = context.Background()

type hall struct {
	c    *practice.County
	rv   *review.Reviewer
	day  time.Time
	home map[yunqi.Kind]*yunqi.Household
}

// decided is a county that has decided about one household of each kind in two
// villages, all known at the township.
func decided(t *testing.T) *hall {
	t.Helper()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, "township", "tablet-a")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	town := c.Nodes["township"]
	h := &hall{c: c, day: time.Date(2026, 9, 21, 9, 0, 0, 0, time.UTC), home: map[yunqi.Kind]*yunqi.Household{}}
	h.rv = &review.Reviewer{Replica: town.Office.Replica, Person: town.People[0].ID, Role: trust.Township, Now: func() time.Time { return h.day }, NewID: world.Real().NewID}
	category := map[yunqi.Kind]string{yunqi.Elders: "dibao", yunqi.Alone: "tekun", yunqi.Sick: "rigid", yunqi.Workers: "edge", yunqi.Left: "dibao"}
	for i, s := range c.Sample.Households {
		if category[s.Kind] == "" {
			continue
		}
		h.home[s.Kind] = s
		_, err := c.Office.Replica.Write(ctx, c.Clerk, store.Edit{Kind: store.Determination, Division: s.Village.Code, Fields: map[string]store.Value{
			"parent": store.Text(s.ID.String()), "state": store.Text("decided"), "category": store.Text(category[s.Kind]), "amount_fen": store.Int(int64(40_000 + i))}})
		require.NoError(t, err)
	}
	h.sync(t)
	return h
}

func (h *hall) sync(t *testing.T) {
	t.Helper()
	for _, n := range []string{"township", "tablet-a", "township"} {
		_, err := h.c.Nodes[n].Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
}

func (h *hall) photo(t *testing.T, seed uint64) store.BlobRef {
	t.Helper()
	data := yunqi.Photo(seed, 320, 240)
	ref, err := h.rv.Replica.PutBlob(ctx, bytes.NewReader(data), 1<<20)
	require.NoError(t, err)
	return ref
}

func (h *hall) sheet(t *testing.T, id uuid.UUID) *notice.Sheet {
	t.Helper()
	s, err := notice.Get(ctx, h.rv.Replica, id)
	require.NoError(t, err)
	return s
}

func TestOnlyWhatIsPostedIsPosted(t *testing.T) {
	h := decided(t)
	list, err := notice.Pending(ctx, h.rv.Replica, h.c.Sample.TownshipCode, h.day)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	for _, d := range list {
		require.Contains(t, []string{"dibao", "tekun"}, d.Procedure, "谁救助谁公示: the others' posting is the county's choice")
		for _, row := range d.Rows {
			require.NotEmpty(t, row.Name)
			require.Positive(t, row.Members)
			require.Equal(t, d.Village, row.Village)
		}
	}
	require.NoError(t, notice.SetParams(ctx, h.rv.Replica, notice.Params{Posted: []string{"rigid"}}))
	list, err = notice.Pending(ctx, h.rv.Replica, h.c.Sample.TownshipCode, h.day)
	require.NoError(t, err)
	for _, d := range list {
		require.Equal(t, "rigid", d.Procedure)
	}
	var refused *notice.SheetError
	_, err = notice.Make(ctx, h.rv, notice.Draftable{Division: h.c.Sample.Villages[0].Code, Procedure: "child", Rows: make([]notice.Row, 1)})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "never_posted", refused.Why, "民发〔2019〕62号 §2(2)")

	// An applicant who is a minor is left out.
	require.NoError(t, notice.SetParams(ctx, h.rv.Replica, notice.Default))
	elders := h.home[yunqi.Elders]
	_, err = h.rv.Replica.Write(ctx, h.rv.Person, store.Edit{Kind: store.Member, Entity: elders.Members[0].ID, Division: elders.Village.Code, Fields: map[string]store.Value{"birth": store.Text("2012-01-01")}})
	require.NoError(t, err)
	list, err = notice.Pending(ctx, h.rv.Replica, elders.Village.Code, h.day)
	require.NoError(t, err)
	left := 0
	for _, d := range list {
		left += d.MinorsLeftOut
		for _, row := range d.Rows {
			require.NotEqual(t, elders.ID, row.Household)
		}
	}
	require.Equal(t, 1, left)
}

func TestTheDaysOfAPosting(t *testing.T) { // 民法典 Art. 201, 203
	h := decided(t)
	for _, test := range []struct {
		name, from, until string
		params            notice.Params
	}{
		{"seven days after the day it was put up", "2026-03-02", "2026-03-09", notice.Params{EndsOnWorkingDay: true}},
		{"the first day counts here", "2026-03-02", "2026-03-08", notice.Params{FirstDayCounts: true}},
		{"a Sunday moves to Monday", "2026-03-02", "2026-03-09", notice.Params{FirstDayCounts: true, EndsOnWorkingDay: true}},
		{"the Mid-Autumn holiday moves to the next working day", "2026-09-18", "2026-09-28", notice.Params{EndsOnWorkingDay: true}},
		{"or does not, where the county says so", "2026-09-18", "2026-09-25", notice.Params{}},
		{"a make-up Sunday is a working day", "2026-09-13", "2026-09-20", notice.Params{EndsOnWorkingDay: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, notice.SetParams(ctx, h.rv.Replica, test.params))
			from, err := time.Parse(time.DateOnly, test.from)
			require.NoError(t, err)
			until, sure, err := notice.Last(ctx, h.rv.Replica, "dibao", from)
			require.NoError(t, err)
			require.True(t, sure)
			require.Equal(t, test.until, until.Format(time.DateOnly))
		})
	}
	_, sure, err := notice.Last(ctx, h.rv.Replica, "dibao", time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC))
	require.NoError(t, err)
	require.False(t, sure, "nobody has loaded that year")
}

func TestAPostingFromFirstToLastDay(t *testing.T) {
	h := decided(t)
	village := h.home[yunqi.Alone].Village.Code
	pending := func() []notice.Draftable {
		list, err := notice.Pending(ctx, h.rv.Replica, village, h.day)
		require.NoError(t, err)
		return list
	}
	before := pending()
	at := 0
	for i := range before {
		if before[i].Procedure == "tekun" {
			at = i
		}
	}
	draft := before[at]
	id, err := notice.Make(ctx, h.rv, draft)
	require.NoError(t, err)
	require.Len(t, pending(), len(before)-1, "what stands on a sheet is not proposed again")
	s := h.sheet(t, id)
	require.Equal(t, draft.Rows, s.Rows)

	var refused *notice.SheetError
	first := h.photo(t, 1)
	require.ErrorAs(t, notice.Post(ctx, h.rv, s, h.day, " ", first), &refused)
	require.Equal(t, "no_place", refused.Why)
	require.ErrorAs(t, notice.Post(ctx, h.rv, s, h.day, "村委会", store.BlobRef{}), &refused)
	require.Equal(t, "no_first_photo", refused.Why)
	_, err = notice.Object(ctx, h.rv, s, s.Rows[0].Household, "", "不该有", practice.HomeVisit)
	require.ErrorAs(t, err, &refused, "a draft hangs nowhere")
	require.NoError(t, notice.Post(ctx, h.rv, s, h.day, "村委会公示栏", first))
	s = h.sheet(t, id)
	require.Equal(t, []string{notice.Posted, "2026-09-21", "2026-09-28"}, []string{s.State, s.From, s.Until})
	require.Equal(t, first.Digest, s.First)
	require.Error(t, notice.Post(ctx, h.rv, s, h.day, "x", first), "once")

	_, err = notice.Object(ctx, h.rv, s, uuid.New(), "", "x", practice.HomeVisit)
	require.ErrorAs(t, err, &refused)
	o, err := notice.Object(ctx, h.rv, s, s.Rows[0].Household, "邻居乙", "他在县城有房", practice.HomeVisit)
	require.NoError(t, err)
	require.Equal(t, "2026-10-19", o.Due, "特困: fifteen working days over two holidays (民发〔2021〕43号 Art. 15)")
	h.sync(t)
	task, err := tasks.Get(ctx, h.c.Nodes["tablet-a"].Office.Replica, o.Task)
	require.NoError(t, err, "somebody is sent there")
	require.Equal(t, tasks.Open, task.State)
	require.NotContains(t, task.Reason, "邻居乙")
	_, err = h.c.Nodes["tablet-a"].Office.Replica.Entity(ctx, o.ID)
	require.ErrorIs(t, err, store.ErrNotFound, "who objected does not reach the village (invariant 7)")
	require.NotContains(t, task.Reason, "县城")

	last := h.photo(t, 2)
	require.ErrorAs(t, notice.Close(ctx, h.rv, s, last), &refused)
	require.Equal(t, "2026-09-28", refused.Until, "it says until when")
	h.day = h.day.AddDate(0, 0, 7)
	require.ErrorAs(t, notice.Close(ctx, h.rv, s, store.BlobRef{}), &refused)
	require.NoError(t, notice.Close(ctx, h.rv, s, last))
	s = h.sheet(t, id)
	require.Equal(t, last.Digest, s.Last)
	require.Len(t, s.Passed(), len(s.Rows)-1, "the contested one has not passed")

	require.NoError(t, notice.Answer(ctx, h.rv, &s.Objections[0], s.Division, notice.Dismissed, "房屋系其弟所有，有产权证"))
	s = h.sheet(t, id)
	require.Len(t, s.Passed(), len(s.Rows))
	require.ErrorAs(t, notice.Answer(ctx, h.rv, &s.Objections[0], s.Division, notice.Upheld, "x"), &refused)
	var again []uuid.UUID
	for _, d := range pending() {
		for _, row := range d.Rows {
			again = append(again, row.Household)
		}
	}
	require.Contains(t, again, o.Household, "特困: a new posting after the answer")

	h.sync(t)
	there, err := notice.Get(ctx, h.c.Office.Replica, id)
	require.NoError(t, err)
	require.Equal(t, s, there, "the county sees the same sheet")
}

func TestATornSheetIsPostedAnew(t *testing.T) {
	h := decided(t)
	list, err := notice.Pending(ctx, h.rv.Replica, h.c.Sample.TownshipCode, h.day)
	require.NoError(t, err)
	id, err := notice.Make(ctx, h.rv, list[0])
	require.NoError(t, err)
	s := h.sheet(t, id)
	require.NoError(t, notice.Post(ctx, h.rv, s, h.day, "公示栏", h.photo(t, 1)))
	s = h.sheet(t, id)
	require.ErrorIs(t, notice.Cancel(ctx, h.rv, s, ""), review.ErrNoReason)
	require.NoError(t, notice.Cancel(ctx, h.rv, s, "第三天被雨淋坏"))
	again, err := notice.Pending(ctx, h.rv.Replica, h.c.Sample.TownshipCode, h.day)
	require.NoError(t, err)
	require.Equal(t, list, again)
}
