package opinion_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/lifecycle"
	"ironfeet/app/casework/notice"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/practice"
	"ironfeet/forms/standards"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

var ctx = context.Background()

// visited is a county with some accepted visits, and the township's clerk.
func visited(t *testing.T, visits int) (*practice.County, *review.Reviewer) {
	t.Helper()
	c, err := practice.Visited(ctx, world.Real(), t.TempDir(), 24, visits, 0)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	town := c.Nodes["township"]
	return c, &review.Reviewer{Replica: town.Office.Replica, Shelf: &publish.Shelf{}, Person: town.People[0].ID, Role: trust.Township, Now: time.Now, NewID: world.Real().NewID}
}

func suggested(t *testing.T, r *store.Replica, s *visit.Signed) standards.Decision {
	t.Helper()
	rules, err := determination.Rules(ctx, r, s)
	require.NoError(t, err)
	return determination.Suggest(rules, s)
}

func sync(t *testing.T, c *practice.County, folders ...string) {
	t.Helper()
	for _, f := range folders {
		_, err := c.Nodes[f].Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
}

func TestAnOpinionIsAPersons(t *testing.T) { // invariant 6; 个人信息保护法 Art. 24
	c, rv := visited(t, 3)
	cases, err := opinion.Pending(ctx, rv.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, cases, 3)
	s := cases[0].Visit
	d := suggested(t, rv.Replica, s)

	missing := d
	missing.Category, missing.Missing = standards.Undecided, []string{"存款"}
	_, err = opinion.Give(ctx, rv, s, missing, determination.Choice{})
	require.ErrorIs(t, err, determination.ErrUndecidable, "blank is never zero")
	other := standards.Fen(12_345)
	_, err = opinion.Give(ctx, rv, s, d, determination.Choice{Amount: &other})
	require.ErrorIs(t, err, determination.ErrNoReason)
	much := standards.Fen(1 << 40)
	_, err = opinion.Give(ctx, rv, s, d, determination.Choice{Amount: &much, Reason: "x"})
	var amount *determination.AmountError
	require.ErrorAs(t, err, &amount)
	worker := *rv
	worker.Role = trust.Worker
	var wrong *lifecycle.MoveError
	_, err = opinion.Give(ctx, &worker, s, d, determination.Choice{})
	require.ErrorAs(t, err, &wrong)
	unknown := *s
	unknown.ID = uuid.New()
	_, err = opinion.Give(ctx, rv, &unknown, d, determination.Choice{})
	require.ErrorIs(t, err, opinion.ErrNotAccepted)
	none, err := opinion.List(ctx, rv.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Empty(t, none, "nothing of all that was written")

	id, err := opinion.Give(ctx, rv, s, d, determination.Choice{})
	require.NoError(t, err)
	_, err = opinion.Give(ctx, rv, s, d, determination.Choice{})
	require.ErrorAs(t, err, &wrong, "once")
	o, err := opinion.On(ctx, rv.Replica, s.ID)
	require.NoError(t, err)
	require.Equal(t, opinion.Opinion{ID: id, Household: s.Content.Household, Visit: s.ID, Division: s.Division, State: opinion.Given, Suggested: d.Category, Category: d.Category,
		Label: d.Label, Amount: d.Amount, On: time.Now().Format(time.DateOnly), By: rv.Person, Standards: d.Version, Updated: o.Updated}, *o)
	cases, err = opinion.Pending(ctx, rv.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, cases, 2)

	// It was wrong: both stay on the record.
	require.ErrorIs(t, opinion.Withdraw(ctx, rv, o, " "), review.ErrNoReason)
	require.NoError(t, opinion.Withdraw(ctx, rv, o, "漏算了一笔工资"))
	cases, err = opinion.Pending(ctx, rv.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, cases, 3)
	_, err = opinion.Give(ctx, rv, s, d, determination.Choice{Category: "none", Label: "不符合", Reason: "补算后超过标准"})
	require.NoError(t, err)
	o, err = opinion.On(ctx, rv.Replica, s.ID)
	require.NoError(t, err)
	require.Equal(t, "none", o.Category)
	require.Zero(t, o.Amount)
	history, err := rv.Replica.History(ctx, id)
	require.NoError(t, err)
	require.Len(t, history, 3)

	// The county sees it; the village's tablet does not (invariant 7).
	sync(t, c, "township", "tablet-a")
	there, err := opinion.On(ctx, c.Office.Replica, s.ID)
	require.NoError(t, err)
	require.Equal(t, o, there)
	_, err = c.Nodes["tablet-a"].Office.Replica.Entity(ctx, id)
	require.ErrorIs(t, err, store.ErrNotFound)
	// Where the county has decided, nobody waits for the township any more.
	_, err = determination.Decide(ctx, c.Office.Replica, c.Clerk, time.Now(), cases[1].Visit, suggested(t, c.Office.Replica, cases[1].Visit), determination.Choice{})
	require.NoError(t, err)
	sync(t, c, "township")
	cases, err = opinion.Pending(ctx, rv.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, cases, 1)
}

func TestAnOpinionIsPostedBeforeTheDecision(t *testing.T) { // domain.md §2, steps 10 to 12
	c, rv := visited(t, 6)
	require.NoError(t, notice.SetParams(ctx, rv.Replica, notice.Params{EndsOnWorkingDay: true, Posted: []string{"dibao", "tekun", "edge", "rigid", "none"}}))
	cases, err := opinion.Pending(ctx, rv.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	for _, w := range cases {
		d := suggested(t, rv.Replica, w.Visit)
		_, err := opinion.Give(ctx, rv, w.Visit, d, determination.Choice{Category: "dibao", Label: "低保", Reason: "样例"})
		require.NoError(t, err)
	}
	pending := func() (list []notice.Draftable) {
		t.Helper()
		list, err := notice.Pending(ctx, rv.Replica, c.Sample.TownshipCode, time.Now())
		require.NoError(t, err)
		return list
	}
	posted := map[uuid.UUID]bool{}
	var sheets []uuid.UUID
	for _, d := range pending() {
		require.True(t, d.Opinions)
		id, err := notice.Make(ctx, rv, d)
		require.NoError(t, err)
		sheets = append(sheets, id)
		for _, row := range d.Rows {
			posted[row.Opinion] = true
			require.Zero(t, row.Determination)
		}
	}
	require.NotEmpty(t, posted)
	require.Empty(t, pending())

	// The county decides: the same as the township on all but one.
	sync(t, c, "township")
	list, err := determination.Pending(ctx, c.Office.Replica, c.Sample.Code)
	require.NoError(t, err)
	var differs uuid.UUID
	for _, s := range list {
		o, err := opinion.On(ctx, c.Office.Replica, s.ID)
		require.NoError(t, err)
		if !posted[o.ID] {
			continue // a minor is never posted
		}
		choice := determination.Choice{Category: "dibao", Label: "低保", Amount: &o.Amount, Reason: "同意乡镇意见"}
		if differs == uuid.Nil {
			differs = s.Content.Household
			more := o.Amount + 100
			choice.Amount = &more
		}
		_, err = determination.Decide(ctx, c.Office.Replica, c.Clerk, time.Now(), s, suggested(t, c.Office.Replica, s), choice)
		require.NoError(t, err)
	}
	sync(t, c, "township")
	again := pending()
	require.Len(t, again, 1, "only what the county decided otherwise is posted anew")
	require.False(t, again[0].Opinions)
	require.Equal(t, differs, again[0].Rows[0].Household)
	sheet, err := notice.Of(ctx, c.Office.Replica, again[0].Division, again[0].Rows[0].Determination)
	require.NoError(t, err)
	require.Nil(t, sheet)

	// An opinion that was withdrawn is not put up.
	first, err := notice.Get(ctx, rv.Replica, sheets[0])
	require.NoError(t, err)
	require.True(t, first.Opinions)
	e, err := rv.Replica.Entity(ctx, first.Rows[0].Opinion)
	require.NoError(t, err)
	visitID, err := uuid.Parse(e.Text("visit"))
	require.NoError(t, err)
	o, err := opinion.On(ctx, rv.Replica, visitID)
	require.NoError(t, err)
	require.NoError(t, opinion.Withdraw(ctx, rv, o, "金额算错"))
	ref := store.BlobRef{Digest: store.DigestOf([]byte("x")), Size: 1}
	var refused *notice.SheetError
	require.ErrorAs(t, notice.Post(ctx, rv, first, time.Now(), "公示栏", ref), &refused)
	require.Equal(t, "withdrawn", refused.Why)
}

func TestDeadlinesRunFromTheAcceptance(t *testing.T) { // domain.md §2: 57号 Art. 15, 43号 Art. 13, 62号 §2
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, "township", "tablet-a")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	town := c.Nodes["township"]
	today := time.Date(2026, 2, 12, 10, 0, 0, 0, time.UTC)
	rv := &review.Reviewer{Replica: town.Office.Replica, Shelf: &publish.Shelf{}, Person: town.People[0].ID, Role: trust.Township, Now: func() time.Time { return today }, NewID: world.Real().NewID}
	home := func(i int) *store.Entity {
		e, err := rv.Replica.Entity(ctx, c.Sample.Households[i].ID)
		require.NoError(t, err)
		return e
	}
	for _, test := range []struct{ name, procedure, due string }{
		{"the survey begins three working days after it, over the Spring Festival", "dibao", "2026-02-24"},
		{"the opinion on 特困 is due in fifteen", "tekun", "2026-03-11"},
		{"a child's case too", "child", "2026-03-11"},
		{"a whole case in thirty", "rigid", "2026-04-01"},
	} {
		t.Run(test.name, func(t *testing.T) {
			task, err := opinion.Accept(ctx, rv, home(0), test.procedure, "2026-02-12", practice.HomeVisit, "受理申请")
			require.NoError(t, err)
			require.Equal(t, test.due, task.Due)
		})
	}
	for _, test := range []struct{ why, procedure, day string }{
		{"day", "dibao", "12.2.2026"}, {"procedure", "aid", "2026-02-12"}, {"future", "dibao", "2026-02-13"}, {"open", "dibao", "2026-02-12"},
	} {
		var refused *opinion.AcceptError
		_, err := opinion.Accept(ctx, rv, home(0), test.procedure, test.day, practice.HomeVisit, "受理申请")
		require.ErrorAs(t, err, &refused)
		require.Equal(t, test.why, refused.Why)
	}

	// The tablet is sent there in time, the visit comes back, the inbox and the cases
	// that wait for an opinion are sorted by the acceptance.
	today = time.Now()
	day := today.Format(time.DateOnly)
	var accepted tasks.Task
	for _, h := range c.Sample.Households { // one of the tablet's villages
		if h.Village.Code == c.Sample.Villages[0].Code && h.ID != c.Sample.Households[0].ID && accepted.ID == uuid.Nil {
			e, err := rv.Replica.Entity(ctx, h.ID)
			require.NoError(t, err)
			accepted, err = opinion.Accept(ctx, rv, e, "tekun", day, practice.HomeVisit, "受理申请：特困人员")
			require.NoError(t, err)
		}
	}
	sync(t, c, "township", "tablet-a")
	tablet := c.Nodes["tablet-a"]
	task, err := tasks.Get(ctx, tablet.Office.Replica, accepted.ID)
	require.NoError(t, err)
	require.Equal(t, accepted.Due, task.Due)
	require.Equal(t, []string{day, "tekun", "受理申请：特困人员"}, []string{task.Accepted, task.Procedure, task.Reason})
	for _, h := range c.Sample.Households {
		if h.ID == task.Household {
			_, err = tablet.Walk(ctx, &publish.Shelf{}, task, h.Visit(time.Now(), false), 7)
			require.NoError(t, err)
		}
	}
	sync(t, c, "tablet-a", "township")
	desk, err := review.OpenDesk(ctx, rv.Replica, trust.Township, time.Now)
	require.NoError(t, err)
	require.NoError(t, desk.Look(ctx, c.Sample.TownshipCode))
	inbox, err := desk.Inbox(ctx, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, inbox, 1)
	require.Equal(t, "review", inbox[0].DueBy, "five working days after the visit come before fifteen after the acceptance")
	_, err = calendar.LoadRules(ctx, rv.Replica, "期限.txt", []byte("* review township visited 60 工作日 样例\ntekun opinion township accepted 15 工作日 民发〔2021〕43号第十三条\n"))
	require.NoError(t, err)
	inbox, err = desk.Inbox(ctx, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Equal(t, []string{accepted.Due, "accepted", "民发〔2021〕43号第十三条"}, []string{inbox[0].Due, inbox[0].DueBy, inbox[0].Basis})
	open, err := rv.Open(ctx, inbox[0].Visit)
	require.NoError(t, err)
	require.NoError(t, rv.Accept(ctx, open, nil, ""))
	cases, err := opinion.Pending(ctx, rv.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, cases, 1)
	require.Equal(t, []string{day, "tekun", accepted.Due}, []string{cases[0].Accepted, cases[0].Procedure, cases[0].DueOn})
	require.Contains(t, cases[0].Basis, "43号")
}

// Two clerks of one town give different opinions at once: neither wins in silence.
func TestTwoOpinionsAtOnce(t *testing.T) { // invariants 2 and 4
	c, rv := visited(t, 1)
	sync(t, c, "township")
	cases, err := opinion.Pending(ctx, rv.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	s := cases[0].Visit
	d := suggested(t, rv.Replica, s)
	// What another computer of the town would write, having seen none.
	id, err := opinion.Give(ctx, rv, s, d, determination.Choice{})
	require.NoError(t, err)
	_, err = rv.Replica.Write(ctx, rv.Person, store.Edit{Kind: store.Opinion, Entity: id, Division: s.Division,
		Fields: map[string]store.Value{"category": store.Text("none"), "label": store.Text("不符合")}, Seen: map[string][]store.ChangeID{"category": nil, "label": nil}})
	require.NoError(t, err)
	disputes, err := rv.Disputes(ctx, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, disputes, 2)
	for _, x := range disputes {
		require.Equal(t, s.Content.Household, x.Household)
		require.NotEmpty(t, x.Whose, "whose case it is")
		require.NoError(t, rv.SettleWhy(ctx, x, x.Says[0].Raw, "两人商量过"))
	}
	disputes, err = rv.Disputes(ctx, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Empty(t, disputes)
}
