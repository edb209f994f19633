package review_test

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

var ctx = context.Background()

// A hall is a practice county whose tablet A has visited some households, all of
// it here at the township.
type hall struct {
	t      *testing.T
	c      *practice.County
	shelf  *publish.Shelf
	tablet *practice.Node
	town   *practice.Node
	visits []practice.Walked
}

func open(t *testing.T, visits int, change func(*yunqi.Script)) *hall {
	t.Helper()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, "township", "tablet-a")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	h := &hall{t, c, &publish.Shelf{}, c.Nodes["tablet-a"], c.Nodes["township"], nil}
	list, err := tasks.List(ctx, h.tablet.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	for _, task := range list[:visits] {
		h.walk(task, change)
	}
	h.sync()
	return h
}

func (h *hall) walk(task tasks.Task, change func(*yunqi.Script)) {
	h.t.Helper()
	for _, s := range h.c.Sample.Households {
		if s.ID != task.Household {
			continue
		}
		script := s.Visit(time.Now(), false)
		if change != nil {
			change(&script)
		}
		w, err := h.tablet.Walk(ctx, h.shelf, task, script, uint64(len(h.visits)*100+7))
		require.NoError(h.t, err)
		h.visits = append(h.visits, w)
	}
}

// sync lets everybody hear of everything.
func (h *hall) sync() {
	h.t.Helper()
	for _, n := range []*practice.Node{h.tablet, h.town, h.tablet, h.town} {
		_, err := n.Office.Client().Sync(ctx, nil)
		require.NoError(h.t, err)
	}
}

func (h *hall) clerk() *review.Reviewer {
	return &review.Reviewer{Replica: h.town.Office.Replica, Shelf: h.shelf, Person: h.town.People[0].ID, Role: trust.Township, Now: time.Now, NewID: world.Real().NewID, Roll: h.town.Office.Roll}
}

// county is the county's clerk at the county's own replica.
func (h *hall) county() *review.Reviewer {
	rv := h.clerk()
	rv.Replica, rv.Person, rv.Role, rv.Roll = h.c.Office.Replica, h.c.Clerk, trust.County, h.c.Office.Roll
	return rv
}

func (h *hall) open(rv *review.Reviewer, i int) *review.Review {
	h.t.Helper()
	out, err := rv.Open(ctx, h.visits[i].Visit)
	require.NoError(h.t, err)
	return out
}

// fields are all of a household's and its members' fields, with every head.
func fields(t *testing.T, r *store.Replica, household uuid.UUID) map[string][]string {
	t.Helper()
	page, err := registry.Open(ctx, r, household)
	require.NoError(t, err)
	all := map[string][]string{}
	for _, e := range append([]*store.Entity{page.Household}, page.Members...) {
		for name := range e.Fields {
			heads, err := r.Heads(ctx, e.ID, name)
			require.NoError(t, err)
			var values []string
			for _, h := range heads {
				if !slices.Contains(values, h.Value.Show()) {
					values = append(values, h.Value.Show())
				}
			}
			slices.Sort(values)
			all[e.ID.String()+"/"+name] = values
		}
	}
	return all
}

func TestUndoneUntilItIsSent(t *testing.T) {
	newcomer := func(s *yunqi.Script) { // somebody whom the registry does not know
		n := 0
		for _, a := range s.Answers {
			if len(a.Path) > 9 && a.Path[:9] == "/members[" {
				n = max(n, int(a.Path[9]-'0'))
			}
		}
		at := "/members[" + string(rune('1'+n)) + "]"
		for _, pair := range [][2]string{{"name", "韦新来"}, {"id_type", "none"}, {"no_id_reason", "遗失"}, {"sex", "1"}, {"birth", "1990-01-05"}, {"rel", "20"}, {"counted", "yes"},
			{"residence", "home"}, {"labour", "full"}, {"job", "casual"}, {"health", "10"}, {"dis_kind", "0"}, {"insured", "resident"}} {
			s.Answers = append(s.Answers, yunqi.Answer{Path: at + "/" + pair[0], Value: pair[1]})
		}
	}
	h := open(t, 1, newcomer)
	rv := h.clerk()
	out := h.open(rv, 0)
	household := out.Visit.Content.Household
	// The clerk had corrected the phone by telephone: the visit did not see it.
	_, err := rv.Replica.Write(ctx, rv.Person, store.Edit{Kind: store.Household, Entity: household, Division: out.Visit.Division,
		Fields: map[string]store.Value{"phone": store.Text("19900099999")}})
	require.NoError(t, err)
	before := fields(t, rv.Replica, household)

	out = h.open(rv, 0)
	require.Len(t, out.Diverged(), 1)
	require.NoError(t, rv.Accept(ctx, out, nil, ""))
	after := fields(t, rv.Replica, household)
	require.NotEqual(t, before, after)
	require.Len(t, after[household.String()+"/phone"], 2, "both phones stay until somebody settles")

	list, err := rv.Undoable(ctx)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, review.Accepted, list[0].Decision)
	require.Equal(t, out.Visit.ID, list[0].About)
	require.ErrorIs(t, rv.Undo(ctx, list[0].Review, " "), review.ErrNoReason)
	require.NoError(t, rv.Undo(ctx, list[0].Review, "按错了"))
	require.Equal(t, before, fields(t, rv.Replica, household), "everything stands as before, the new member is gone")
	out = h.open(rv, 0)
	require.Equal(t, review.Signed, out.State)
	list, err = rv.Undoable(ctx)
	require.NoError(t, err)
	require.Empty(t, list)

	// And again, for good: the same state as if nothing had been undone.
	require.NoError(t, rv.Accept(ctx, out, nil, ""))
	require.Equal(t, after, fields(t, rv.Replica, household))
	list, err = rv.Undoable(ctx)
	require.NoError(t, err)
	h.sync()
	var sent *review.SentError
	require.ErrorAs(t, rv.Undo(ctx, list[0].Review, "晚了"), &sent)
	require.Equal(t, fields(t, rv.Replica, household), fields(t, h.c.Office.Replica, household), "the county agrees (invariant 2)")
	findings, err := rv.Replica.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, findings)
}

func TestALaterDecisionOutlivesAnUndo(t *testing.T) {
	h := open(t, 1, nil)
	rv := h.clerk()
	out := h.open(rv, 0)
	require.NoError(t, rv.Accept(ctx, out, nil, ""))
	list, err := rv.Undoable(ctx)
	require.NoError(t, err)
	household := out.Page.Household
	_, err = rv.Replica.Write(ctx, rv.Person, store.Edit{Kind: store.Household, Entity: household.ID, Division: household.Division,
		Fields: map[string]store.Value{"phone": store.Text("18800000000")}})
	require.NoError(t, err)
	require.NoError(t, rv.Undo(ctx, list[0].Review, "按错了"))
	e, err := rv.Replica.Entity(ctx, household.ID)
	require.NoError(t, err)
	require.Equal(t, "18800000000", e.Text("phone"))
	require.Equal(t, household.Text("address"), e.Text("address"))
	require.Empty(t, e.Conflicts)
}

func TestKinOfStaffNeedTwoReviewers(t *testing.T) { // 民发〔2021〕57号 Art. 11, 20
	kin := func(s *yunqi.Script) {
		for i, a := range s.Answers {
			if a.Path == "/visit/kin_staff" {
				s.Answers[i].Value = "yes"
			}
		}
		s.Answers = append(s.Answers, yunqi.Answer{Path: "/visit/kin_who", Value: "村主任的弟弟"})
	}
	h := open(t, 1, kin)
	rv := h.clerk()
	out := h.open(rv, 0)
	require.True(t, out.Kin)
	before := fields(t, rv.Replica, out.Page.Household.ID)
	require.NoError(t, rv.Accept(ctx, out, nil, "看过"))
	require.Equal(t, before, fields(t, rv.Replica, out.Page.Household.ID), "nothing enters the registry yet")
	out = h.open(rv, 0)
	require.Equal(t, review.Seconded, out.State)
	require.Equal(t, rv.Person, out.First)
	var second *review.SecondReviewerError
	require.ErrorAs(t, rv.Accept(ctx, out, nil, ""), &second, "one person is not two")

	h.sync()
	county := h.county()
	require.NoError(t, county.Accept(ctx, h.open(county, 0), nil, "县里去看过"))
	h.sync()
	require.Equal(t, review.Accepted, h.open(rv, 0).State)
	require.NotEqual(t, before, fields(t, rv.Replica, out.Page.Household.ID))
}

func TestFieldByField(t *testing.T) {
	h := open(t, 1, nil)
	rv := h.clerk()
	out := h.open(rv, 0)
	require.Len(t, out.Attested, 2)
	require.True(t, out.Verified())
	var line review.Line
	for _, l := range out.Lines {
		if l.Field == "address" {
			line = l
		}
	}
	require.ErrorIs(t, rv.Accept(ctx, out, map[string]string{line.Key(): " "}, ""), review.ErrNoReason)
	require.NoError(t, rv.Accept(ctx, out, map[string]string{line.Key(): "门牌未变"}, ""))
	out = h.open(rv, 0)
	require.Equal(t, line.Registry, out.Page.Household.Text("address"))
	var kept []review.Kept
	require.NoError(t, out.Decision.Fields["kept"].Into(&kept))
	require.Equal(t, []review.Kept{{Entity: line.Entity, Field: "address", Visit: line.Visit, Reason: "门牌未变"}}, kept)
}

func TestAReturnReachesTheVeryQuestions(t *testing.T) {
	h := open(t, 1, nil)
	rv := h.clerk()
	out := h.open(rv, 0)
	faults := []review.Fault{{Path: "/housing/photo_room", Text: "居室照片看不清", Code: "return.photo_unclear"}, {Text: "再问一次电话"}}
	require.NoError(t, rv.Return(ctx, out, time.Now().AddDate(0, 0, 7), faults...))
	h.sync()
	task, err := tasks.Get(ctx, h.tablet.Office.Replica, out.Visit.Content.Task)
	require.NoError(t, err)
	require.Equal(t, tasks.Open, task.State)
	require.Equal(t, "居室照片看不清；再问一次电话", task.Returned)
	desk := h.tablet.Desk(h.shelf)
	v, err := desk.Start(ctx, task)
	require.NoError(t, err)
	require.Equal(t, faults, v.Faults)
	n, ok := v.Entry.Node("/housing/photo_room")
	require.True(t, ok)
	require.Len(t, v.FaultsAt(n.Path), 1, "where the question is")
	v, err = desk.Resume(ctx, v.ID)
	require.NoError(t, err)
	require.Equal(t, faults, v.Faults, "and after a restart too")
}

// TestAFoundHouseholdIsReturned: the registry does not know it yet, and the worker
// is sent there again all the same.
func TestAFoundHouseholdIsReturned(t *testing.T) {
	h := open(t, 0, nil)
	s := h.c.Sample.Households[0]
	v, err := h.tablet.Desk(h.shelf).Found(ctx, visit.Found{Division: s.Village.Code, Village: s.Village.Name, Name: "覃新户"}, practice.HomeVisit)
	require.NoError(t, err)
	w, err := practice.Fill(ctx, v, s.Visit(time.Now(), false), 5)
	require.NoError(t, err)
	require.NoError(t, h.tablet.SignOff(ctx, v, "覃新户", 5, &w))
	h.sync()
	rv := h.clerk()
	inbox, err := review.Inbox(ctx, rv.Replica, h.c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, inbox, 1)
	require.Equal(t, "覃新户", inbox[0].Name)
	out, err := rv.Open(ctx, w.Visit)
	require.NoError(t, err)
	require.NoError(t, rv.Return(ctx, out, time.Now().AddDate(0, 0, 7), review.Fault{Path: "/home/phone", Text: "电话打不通"}))
	h.sync()
	list, err := tasks.List(ctx, h.tablet.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	at := slices.IndexFunc(list, func(t tasks.Task) bool { return t.Household == out.Visit.Content.Household })
	require.GreaterOrEqual(t, at, 0)
	again, err := h.tablet.Desk(h.shelf).Start(ctx, list[at])
	require.NoError(t, err)
	require.Len(t, again.Faults, 1)
	require.Empty(t, again.Problems(), "what was answered is there")
	require.NoError(t, h.tablet.SignOff(ctx, again, "覃新户", 6, &w))
	h.sync()
	out, err = rv.Open(ctx, again.ID)
	require.NoError(t, err)
	require.NoError(t, rv.Accept(ctx, out, nil, ""))
	e, err := rv.Replica.Entity(ctx, out.Visit.Content.Household)
	require.NoError(t, err)
	require.Equal(t, "覃新户", e.Text("name"))
}

// TestAReturnMeetsAnAcceptance: the township returns a visit, the county accepts it
// before it hears of that, and the tablet corrects it.
func TestAReturnMeetsAnAcceptance(t *testing.T) {
	h := open(t, 1, nil)
	rv, county := h.clerk(), h.county()
	out := h.open(rv, 0)
	require.NoError(t, rv.Return(ctx, out, time.Now().AddDate(0, 0, 7), review.Fault{Text: "请补拍"}))
	require.NoError(t, county.Accept(ctx, h.open(county, 0), nil, ""))
	h.sync()
	for _, r := range []*store.Replica{rv.Replica, county.Replica, h.tablet.Office.Replica} {
		state, _, err := review.StateOf(ctx, r, out.Visit.ID)
		require.NoError(t, err)
		require.Equal(t, review.Accepted, state, "its values are in the registry")
	}
	reviews, err := rv.Replica.Rows(ctx, store.Query{Kind: store.Review, Parent: out.Visit.ID.String()})
	require.NoError(t, err)
	require.Len(t, reviews, 2, "both decisions stay on the record")
	// The worker was told to correct it, and does.
	task, err := tasks.Get(ctx, h.tablet.Office.Replica, out.Visit.Content.Task)
	require.NoError(t, err)
	require.Equal(t, tasks.Open, task.State)
	v, err := h.tablet.Desk(h.shelf).Start(ctx, task)
	require.NoError(t, err)
	_, err = v.Set(ctx, "/home/phone", "13800000001")
	require.NoError(t, err)
	_, err = v.AddPhoto(ctx, "/housing/photo_room", bytes.NewReader(yunqi.Photo(99, 640, 480)))
	require.NoError(t, err)
	require.NoError(t, h.tablet.SignOff(ctx, v, "户主", 4, &practice.Walked{}))
	h.sync()
	inbox, err := review.Inbox(ctx, rv.Replica, h.c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, inbox, 1)
	require.Equal(t, v.ID, inbox[0].Visit)
	again, err := rv.Open(ctx, v.ID)
	require.NoError(t, err)
	require.Equal(t, []uuid.UUID{out.Visit.ID}, again.Earlier)
	require.NoError(t, rv.Accept(ctx, again, nil, ""))
	e, err := rv.Replica.Entity(ctx, out.Visit.Content.Household)
	require.NoError(t, err)
	require.Equal(t, "13800000001", e.Text("phone"))
	require.Empty(t, e.Conflicts, "the correction had the accepted values before its eyes")
}

// A returned visit is being corrected at the door while somebody else accepts what was
// signed first: the tablet hears of it only afterwards. Nothing is lost and nothing wins
// in silence: the acceptance stands, the correction lies beside it with what both say.
func TestACorrectionMeetsAnAcceptance(t *testing.T) { // invariants 1 and 4
	h := open(t, 1, nil)
	rv, county := h.clerk(), h.county()
	out := h.open(rv, 0)
	home := out.Visit.Content.Household
	require.NoError(t, rv.Return(ctx, out, time.Now().AddDate(0, 0, 7), review.Fault{Text: "电话再问一次"}))
	for _, n := range []*practice.Node{h.town, h.tablet} {
		_, err := n.Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
	task, err := tasks.Get(ctx, h.tablet.Office.Replica, out.Visit.Content.Task)
	require.NoError(t, err)
	v, err := h.tablet.Desk(h.shelf).Start(ctx, task) // without a network from here on
	require.NoError(t, err)
	_, err = v.Set(ctx, "/home/phone", "13800000002")
	require.NoError(t, err)
	require.NoError(t, county.Accept(ctx, h.open(county, 0), nil, ""))
	first, err := county.Replica.Entity(ctx, home)
	require.NoError(t, err)
	require.NoError(t, h.tablet.SignOff(ctx, v, "户主", 5, &practice.Walked{}))
	h.sync()

	state, _, err := review.StateOf(ctx, rv.Replica, out.Visit.ID)
	require.NoError(t, err)
	require.Equal(t, review.Accepted, state)
	again, err := rv.Open(ctx, v.ID)
	require.NoError(t, err)
	var phone *review.Line
	for _, l := range again.Diverged() {
		if l.Field == "phone" {
			phone = &l
		}
	}
	require.NotNil(t, phone, "a person must look")
	require.Equal(t, []string{first.Text("phone"), "13800000002"}, []string{phone.Registry, phone.Visit})
	desk, err := review.OpenDesk(ctx, rv.Replica, trust.Township, time.Now)
	require.NoError(t, err)
	require.NoError(t, desk.Look(ctx, h.c.Sample.TownshipCode))
	inbox, err := desk.Inbox(ctx, h.c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, inbox, 1)
	var left *review.NotCleanError
	require.ErrorAs(t, rv.AcceptClean(ctx, &inbox[0]), &left)
	require.Contains(t, left.Why, review.IsDiverged)
	require.NoError(t, rv.Accept(ctx, again, nil, ""))
	disputes, err := rv.Disputes(ctx, h.c.Sample.TownshipCode)
	require.NoError(t, err)
	require.NotEmpty(t, disputes, "both values stay until somebody settles it")
	for _, d := range disputes {
		require.NoError(t, rv.SettleWhy(ctx, d, d.Says[0].Raw, "电话核实"))
	}
	h.sync()
	require.Equal(t, fields(t, rv.Replica, home), fields(t, county.Replica, home))
	require.Equal(t, fields(t, rv.Replica, home), fields(t, h.tablet.Office.Replica, home))
}

func TestASecondVisitAndTheCounty(t *testing.T) {
	h := open(t, 2, nil)
	rv, county := h.clerk(), h.county()
	out := h.open(rv, 0)
	require.ErrorIs(t, rv.AskAgain(ctx, out, time.Now(), ""), review.ErrNoReason)
	require.NoError(t, rv.AskAgain(ctx, out, time.Now().AddDate(0, 0, 9), "邻居说法不一，请另两人再去"))
	require.ErrorIs(t, rv.Escalate(ctx, h.open(rv, 1), ""), review.ErrNoReason)
	require.NoError(t, rv.Escalate(ctx, h.open(rv, 1), "土地权属有争议"))
	require.Error(t, rv.Accept(ctx, h.open(rv, 1), nil, ""), "what the county decides the township does not")
	inbox, err := review.Inbox(ctx, rv.Replica, h.c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Empty(t, inbox, "one waits for others, one for the county")
	h.sync()

	desk, err := review.OpenDesk(ctx, county.Replica, trust.County, time.Now)
	require.NoError(t, err)
	up, err := desk.Inbox(ctx, h.c.Sample.Code)
	require.NoError(t, err)
	require.Len(t, up, 1)
	require.Equal(t, review.Escalated, up[0].State)
	require.NoError(t, county.Accept(ctx, h.open(county, 1), nil, ""))

	list, err := tasks.List(ctx, h.tablet.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	at := slices.IndexFunc(list, func(t tasks.Task) bool { return t.Household == out.Visit.Content.Household })
	require.GreaterOrEqual(t, at, 0, "somebody is asked to go")
	require.Equal(t, "邻居说法不一，请另两人再去", list[at].Reason)
	h.walk(list[at], nil)
	h.sync()
	inbox, err = review.Inbox(ctx, rv.Replica, h.c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, inbox, 2, "both lie side by side now")
	require.Equal(t, []int{1, 1}, []int{inbox[0].Others, inbox[1].Others})
}

func TestOnlyCleanVisitsPassInABatch(t *testing.T) {
	h := open(t, 3, nil)
	rv := h.clerk()
	desk, err := review.OpenDesk(ctx, rv.Replica, trust.Township, time.Now)
	require.NoError(t, err)
	desk.Roll = h.town.Office.Roll
	list, err := desk.Inbox(ctx, h.c.Sample.TownshipCode)
	require.NoError(t, err)
	var dirty *review.NotCleanError
	require.ErrorAs(t, rv.AcceptClean(ctx, &list[0]), &dirty)
	require.Equal(t, []string{review.NotLooked}, dirty.Why, "what nobody has looked at is not clean")

	require.NoError(t, desk.Look(ctx, h.c.Sample.TownshipCode))
	list, err = desk.Inbox(ctx, h.c.Sample.TownshipCode)
	require.NoError(t, err)
	// Meanwhile a value of the first one's household changes elsewhere.
	_, err = rv.Replica.Write(ctx, rv.Person, store.Edit{Kind: store.Household, Entity: list[0].Household, Division: list[0].Division,
		Fields: map[string]store.Value{"phone": store.Text("18800000000")}})
	require.NoError(t, err)
	require.ErrorAs(t, rv.AcceptClean(ctx, &list[0]), &dirty)
	require.Contains(t, dirty.Why, review.IsDiverged)
	require.NoError(t, rv.AcceptClean(ctx, &list[1]))
	require.ErrorAs(t, rv.AcceptClean(ctx, &list[1]), &dirty, "once")
}

// TestTwoClerksSettleDifferently: each on its own computer, before they hear of
// each other. Nobody wins in silence.
func TestTwoClerksSettleDifferently(t *testing.T) { // invariant 4
	h := open(t, 1, nil)
	rv, county := h.clerk(), h.county()
	out := h.open(rv, 0)
	_, err := rv.Replica.Write(ctx, rv.Person, store.Edit{Kind: store.Household, Entity: out.Page.Household.ID, Division: out.Visit.Division,
		Fields: map[string]store.Value{"phone": store.Text("18800000000")}})
	require.NoError(t, err)
	require.NoError(t, rv.Accept(ctx, h.open(rv, 0), nil, ""))
	h.sync()
	dispute := func(rv *review.Reviewer) review.Dispute {
		list, err := rv.Disputes(ctx, h.c.Sample.TownshipCode)
		require.NoError(t, err)
		require.Len(t, list, 1)
		return list[0]
	}
	here, there := dispute(rv), dispute(county)
	require.Equal(t, h.visits[0].Visit, here.Says[0].Visit, "where the value came from")
	require.NoError(t, rv.SettleWhy(ctx, here, here.Heads[0].Value, "打电话问过"))
	require.NoError(t, county.SettleWhy(ctx, there, there.Heads[1].Value, "户主来电"))
	var changed *review.SettledError
	require.ErrorAs(t, rv.SettleWhy(ctx, here, here.Heads[1].Value, "x"), &changed, "what is shown is not what stands")
	h.sync()
	again := dispute(rv)
	require.Equal(t, dispute(county).Says, again.Says, "both see the same (invariant 2)")
	require.ElementsMatch(t, []string{"打电话问过", "户主来电"}, []string{again.Says[0].Reason, again.Says[1].Reason})
	require.NoError(t, rv.SettleWhy(ctx, again, again.Heads[0].Value, "两人商定"))
	h.sync()
	list, err := county.Disputes(ctx, h.c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Empty(t, list)
	history, err := county.FieldHistory(ctx, out.Page.Household.ID, "phone")
	require.NoError(t, err)
	require.Len(t, history, 6, "loaded, corrected, accepted, settled twice, settled")
	standing := 0
	for _, s := range history {
		if s.Stands {
			standing++
		}
	}
	require.Equal(t, 1, standing)
}

func TestSortedFilteredAndCounted(t *testing.T) {
	day := func(s string) time.Time { d, _ := time.Parse(time.DateOnly, s); return d }
	w := func(name, due string, change func(*review.Waiting)) review.Waiting {
		x := review.Waiting{Visit: uuid.NewSHA1(uuid.Nil, []byte(name)), Name: name, Due: due, Ended: day("2026-03-01"), Division: "459921100201", Form: "f", State: review.Signed, Looked: true}
		if change != nil {
			change(&x)
		}
		return x
	}
	jia := uuid.NewSHA1(uuid.Nil, []byte("jia"))
	list := []review.Waiting{
		w("late", "2026-02-01", nil),
		w("torn", "2026-04-01", func(w *review.Waiting) { w.Conflicts = 2; w.Division = "459921100202" }),
		w("twice", "2026-04-01", func(w *review.Waiting) { w.Others = 1; w.Workers = []uuid.UUID{jia} }),
		w("photos", "2026-04-01", func(w *review.Waiting) { w.Missing = 1 }),
		w("kin", "2026-04-01", func(w *review.Waiting) { w.Kin = true; w.Form = "g" }),
		w("clean", "2026-04-01", nil),
	}
	n := review.Count(list, "2026-03-02")
	require.Equal(t, []int{6, 1, 2, 0, 2}, []int{n.Waiting, n.Overdue, n.Conflicts, n.Warned, n.Clean})
	require.Equal(t, map[string]int{"459921100201": 5, "459921100202": 1}, n.Villages)
	require.Equal(t, map[string]int{"f": 5, "g": 1}, n.Forms)
	require.Equal(t, 1, n.Workers[jia])
	for _, test := range []struct {
		name   string
		filter review.Filter
		want   []string
	}{
		{"none", review.Filter{}, []string{"late", "torn", "twice", "photos", "kin", "clean"}},
		{"a village", review.Filter{Division: "459921100202"}, []string{"torn"}},
		{"a worker", review.Filter{Worker: jia}, []string{"twice"}},
		{"a form", review.Filter{Form: "g"}, []string{"kin"}},
		{"overdue", review.Filter{Alert: review.AlertOverdue}, []string{"late"}},
		{"conflicts", review.Filter{Alert: review.AlertConflict}, []string{"torn"}},
		{"clean", review.Filter{Alert: review.AlertClean}, []string{"late", "clean"}},
		{"by name", review.Filter{Text: "oto"}, []string{"photos"}},
		{"two at once", review.Filter{Text: "oto", Form: "g"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for i := range list {
				if test.filter.Keep(&list[i], "2026-03-02") {
					got = append(got, list[i].Name)
				}
			}
			require.Equal(t, test.want, got)
		})
	}
}
