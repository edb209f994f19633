package practice_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/forms/standards"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// filled starts and fills the first open visit of tablet A.
func filled(t *testing.T, c *practice.County) (*practice.Node, *visit.Visit, tasks.Task) {
	t.Helper()
	n := c.Nodes["tablet-a"]
	list, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	v, err := n.Desk(&publish.Shelf{}).Start(ctx, list[0])
	require.NoError(t, err)
	for _, h := range c.Sample.Households {
		if h.ID == list[0].Household {
			_, err = practice.Fill(ctx, v, h.Visit(time.Now(), false), 7)
			require.NoError(t, err)
		}
	}
	return n, v, list[0]
}

func codes(reasons []visit.Reason) string {
	var out []string
	for _, r := range reasons {
		out = append(out, r.Code)
	}
	return strings.Join(out, " ")
}

func TestSigningAVisit(t *testing.T) { // 民发〔2021〕57号 Art. 16(1)
	c := setUp(t, "township", "tablet-a")
	n, v, task := filled(t, c)
	require.Equal(t, "visit.signature_missing visit.investigators_missing", codes(v.WhyNotFinish()))

	// The householder's word, in four ways; each says what it needs.
	var signature *visit.SignatureError
	require.ErrorAs(t, v.Sign(ctx, visit.Signature{Mode: visit.Refused}, nil), &signature)
	require.ErrorAs(t, v.Sign(ctx, visit.Signature{Mode: visit.Drawn}, nil), &signature)
	require.ErrorAs(t, v.Sign(ctx, visit.Signature{Mode: visit.Thumbprint}, bytes.NewReader(yunqi.Photo(1, 64, 48))), &signature)
	require.ErrorAs(t, v.Sign(ctx, visit.Signature{Mode: "x"}, nil), &signature)
	require.NoError(t, v.Sign(ctx, visit.Signature{Mode: visit.Refused, Reason: "不识字，也不按手印"}, nil))
	require.Equal(t, "visit.investigators_missing", codes(v.WhyNotFinish()))

	first, err := n.Office.Vault.PersonKey(n.People[0].ID, practice.PIN)
	require.NoError(t, err)
	second, err := n.Office.Vault.PersonKey(n.People[1].ID, practice.PIN)
	require.NoError(t, err)
	require.NoError(t, v.Attest(ctx, n.People[0].ID, first))
	require.ErrorIs(t, v.Attest(ctx, n.People[0].ID, first), visit.ErrSameInvestigator, "one person is not two")
	require.Equal(t, "visit.second_investigator_missing", codes(v.WhyNotFinish()))
	var notYet *visit.NotYetError
	require.ErrorAs(t, v.Finish(ctx), &notYet)

	// An answer that changes takes the signatures with it: they were for others.
	_, err = v.Set(ctx, "/housing/house_safety", "D")
	require.NoError(t, err)
	require.Empty(t, v.Attested())
	require.NoError(t, v.Attest(ctx, n.People[0].ID, first))

	// The power fails between the two signatures.
	v, err = n.Desk(&publish.Shelf{}).Resume(ctx, v.ID)
	require.NoError(t, err)
	require.Len(t, v.Attested(), 1)
	require.Empty(t, v.Lost)
	require.NoError(t, v.Attest(ctx, n.People[1].ID, second))
	require.NoError(t, v.Finish(ctx))

	signed, err := visit.Read(ctx, n.Office.Replica, v.ID)
	require.NoError(t, err)
	require.Equal(t, "D", signed.Answer("house_safety"))
	require.Equal(t, task.ID, signed.Content.Task)
	done, err := tasks.Get(ctx, n.Office.Replica, task.ID)
	require.NoError(t, err)
	require.Equal(t, tasks.Done, done.State)
	_, err = n.Desk(&publish.Shelf{}).Resume(ctx, v.ID)
	require.Error(t, err, "a signed visit is no draft")
	_, err = n.Desk(&publish.Shelf{}).Start(ctx, done)
	require.Error(t, err, "a task that is done is not begun again")
}

func TestPicturesThatAreNone(t *testing.T) {
	c := setUp(t, "tablet-a")
	_, v, _ := filled(t, c)
	before := len(v.Photos())
	for name, data := range map[string][]byte{
		"no_photo": []byte("this is no picture"), "empty": nil, "too_large": make([]byte, visit.MaxPhotoBytes+1),
	} {
		_, err := v.AddPhoto(ctx, "/visit/photo_door", bytes.NewReader(data))
		var photo *visit.PhotoError
		require.ErrorAs(t, err, &photo, name)
	}
	require.Len(t, v.Photos(), before)
	n, _ := v.Entry.Node("/visit/photo_door")
	require.NotEmpty(t, n.Value, "the good one is still there")
}

func TestReviewing(t *testing.T) { // design.md §3, invariant 4
	c := setUp(t, "township", "tablet-a")
	n, v, task := filled(t, c)
	require.NoError(t, n.SignOff(ctx, v, "户主", 3, &practice.Walked{}))
	town := c.Nodes["township"]
	for _, node := range []*practice.Node{n, town} {
		_, err := node.Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
	rv := &review.Reviewer{Replica: town.Office.Replica, Shelf: &publish.Shelf{}, Person: town.People[0].ID, Role: trust.Township, Now: time.Now, NewID: world.Real().NewID}
	open, err := rv.Open(ctx, v.ID)
	require.NoError(t, err)
	require.Equal(t, review.Signed, open.State)

	// Somebody else changed a field after the investigators had seen it.
	_, err = town.Office.Replica.Write(ctx, town.People[0].ID, store.Edit{Kind: store.Household, Entity: task.Household, Division: task.Division,
		Fields: map[string]store.Value{"phone": store.Text("19900099999")}})
	require.NoError(t, err)
	open, err = rv.Open(ctx, v.ID)
	require.NoError(t, err)
	standing := map[string]review.Standing{}
	var kept review.Line
	for _, l := range open.Lines {
		if l.Entity == task.Household {
			standing[l.Field] = l.Standing
			if l.Field == "address" {
				kept = l
			}
		}
	}
	require.Equal(t, review.Diverged, standing["phone"])
	require.Equal(t, review.Changed, standing["address"])
	require.Equal(t, review.Same, standing["water"])

	require.ErrorIs(t, rv.Return(ctx, open, time.Now(), review.Fault{Text: "  "}), review.ErrNoReason)
	worker := *rv
	worker.Role = trust.Worker
	require.Error(t, worker.Accept(ctx, open, nil, ""), "a worker does not decide")

	require.NoError(t, rv.Accept(ctx, open, map[string]string{kept.Key(): "地址不改"}, ""))
	page, err := registry.Open(ctx, town.Office.Replica, task.Household)
	require.NoError(t, err)
	require.NotContains(t, page.Household.Text("address"), "路口", "what the reviewer keeps stays")
	disputes, err := rv.Disputes(ctx, c.Sample.Code)
	require.NoError(t, err)
	require.Len(t, disputes, 1)
	require.Equal(t, "phone", disputes[0].Field)
	require.NoError(t, rv.Settle(ctx, disputes[0], store.Text("19900099999")))
	disputes, err = rv.Disputes(ctx, c.Sample.Code)
	require.NoError(t, err)
	require.Empty(t, disputes)
	heads, err := town.Office.Replica.Heads(ctx, task.Household, "phone")
	require.NoError(t, err)
	require.Len(t, heads, 1)

	open, err = rv.Open(ctx, v.ID)
	require.NoError(t, err)
	require.Equal(t, review.Accepted, open.State)
	require.Error(t, rv.Accept(ctx, open, nil, ""), "what is accepted is accepted once")
	require.Error(t, rv.Return(ctx, open, time.Now(), review.Fault{Text: "x"}), "and not taken back")
}

// TestAReturnedVisitIsTakenUpWhereItEnded: the worker corrects what was asked for,
// and signs anew.
func TestAReturnedVisitIsTakenUpWhereItEnded(t *testing.T) {
	c := setUp(t, "township", "tablet-a")
	n, v, task := filled(t, c)
	require.NoError(t, n.SignOff(ctx, v, "户主", 3, &practice.Walked{}))
	town := c.Nodes["township"]
	both := func() {
		for _, node := range []*practice.Node{n, town, n} {
			_, err := node.Office.Client().Sync(ctx, nil)
			require.NoError(t, err)
		}
	}
	both()
	rv := &review.Reviewer{Replica: town.Office.Replica, Shelf: &publish.Shelf{}, Person: town.People[0].ID, Role: trust.Township, Now: time.Now, NewID: world.Real().NewID}
	open, err := rv.Open(ctx, v.ID)
	require.NoError(t, err)
	require.NoError(t, rv.Return(ctx, open, time.Now().AddDate(0, 0, 5), review.Fault{Text: "请补拍"}))
	both()
	again, err := tasks.Get(ctx, n.Office.Replica, task.ID)
	require.NoError(t, err)
	require.Equal(t, tasks.Open, again.State)
	require.Equal(t, "请补拍", again.Returned)

	fresh, err := n.Desk(&publish.Shelf{}).Start(ctx, again)
	require.NoError(t, err)
	require.Empty(t, fresh.Lost)
	require.Empty(t, fresh.Entry.Problems(), "every answer is there again")
	require.Equal(t, len(v.Photos()), len(fresh.Photos()))
	require.Empty(t, fresh.Attested())
	require.Equal(t, "visit.signature_missing visit.investigators_missing", codes(fresh.WhyNotFinish()))
	resumed, err := n.Desk(&publish.Shelf{}).Resume(ctx, fresh.ID)
	require.NoError(t, err)
	require.Empty(t, resumed.Entry.Problems(), "and durable")
	_, err = resumed.AddPhoto(ctx, "/housing/photo_room", bytes.NewReader(yunqi.Photo(99, 640, 480)))
	require.NoError(t, err)
	require.NoError(t, n.SignOff(ctx, resumed, "户主", 4, &practice.Walked{}))
	both()
	inbox, err := review.Inbox(ctx, town.Office.Replica, c.Sample.Code)
	require.NoError(t, err)
	require.Len(t, inbox, 1)
	require.Equal(t, resumed.ID, inbox[0].Visit)
	state, _, err := review.StateOf(ctx, town.Office.Replica, v.ID)
	require.NoError(t, err)
	require.Equal(t, review.Returned, state, "the returned one stays as it was")
}

func TestDetermining(t *testing.T) { // invariant 6
	c := setUp(t, "township", "tablet-a")
	n, v, _ := filled(t, c)
	require.NoError(t, n.SignOff(ctx, v, "户主", 3, &practice.Walked{}))
	_, err := n.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	county := c.Office.Replica
	pending, err := determination.Pending(ctx, county, c.Sample.Code)
	require.NoError(t, err)
	require.Empty(t, pending, "nothing is determined on a visit that nobody accepted")
	rv := &review.Reviewer{Replica: county, Shelf: &publish.Shelf{}, Person: c.Clerk, Role: trust.County, Now: time.Now, NewID: world.Real().NewID}
	open, err := rv.Open(ctx, v.ID)
	require.NoError(t, err)
	require.NoError(t, rv.Accept(ctx, open, nil, ""))
	pending, err = determination.Pending(ctx, county, c.Sample.Code)
	require.NoError(t, err)
	require.Len(t, pending, 1)
	rules, err := determination.Rules(ctx, county, pending[0])
	require.NoError(t, err)
	d := determination.Suggest(rules, pending[0])
	require.NotEqual(t, standards.Undecided, d.Category, d.Missing)

	_, err = determination.Decide(ctx, county, c.Clerk, time.Now(), pending[0], d, determination.Choice{Category: "none"})
	require.ErrorIs(t, err, determination.ErrNoReason, "another category needs a reason")
	blank := d
	blank.Category, blank.Missing = standards.Undecided, []string{"工资性收入未填"}
	_, err = determination.Decide(ctx, county, c.Clerk, time.Now(), pending[0], blank, determination.Choice{})
	require.ErrorIs(t, err, determination.ErrUndecidable)

	id, err := determination.Decide(ctx, county, c.Clerk, time.Now(), pending[0], d, determination.Choice{})
	require.NoError(t, err)
	e, err := county.Entity(ctx, id)
	require.NoError(t, err)
	require.Equal(t, d.Category, e.Text("category"))
	require.Contains(t, e.Text("trace"), `"steps"`)
	require.Equal(t, "2026-03", e.Text("standards"))
	pending, err = determination.Pending(ctx, county, c.Sample.Code)
	require.NoError(t, err)
	require.Empty(t, pending)
}

func TestPublishingIsWholeOrNotAtAll(t *testing.T) {
	c := setUp(t, "township")
	before, err := c.Office.Replica.Count(ctx, store.Query{Kind: store.Form})
	require.NoError(t, err)
	_, report, err := publish.Form(ctx, c.Office.Replica, c.Clerk, "x.md", []byte("## survey\n| type | name | label |\n| integer | a | A |\n| note | b | ${c} |\n"))
	var faulty *publish.FaultyError
	require.ErrorAs(t, err, &faulty)
	require.NotEmpty(t, report.Errors)
	var large *publish.TooLargeError
	_, _, err = publish.Form(ctx, c.Office.Replica, c.Clerk, "x.md", make([]byte, publish.MaxWorkbook+1))
	require.ErrorAs(t, err, &large)
	after, err := c.Office.Replica.Count(ctx, store.Query{Kind: store.Form})
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, err = publish.InForce(ctx, c.Office.Replica, "2020-01-01")
	require.True(t, errors.Is(err, publish.ErrNoStandards))
	_, err = (&publish.Shelf{}).Form(ctx, c.Office.Replica, "nothing", "")
	require.ErrorIs(t, err, publish.ErrNoForm)
	require.NotEqual(t, uuid.Nil, c.Clerk)
}
