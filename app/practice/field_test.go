package practice_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

func TestNobodyKnowsIsAnAnswer(t *testing.T) { // domain.md §7 (8)
	c := setUp(t, "township", "tablet-a")
	n, v, _ := filled(t, c)
	_, err := v.Set(ctx, "/housing/water", "")
	require.NoError(t, err)
	require.Len(t, v.Problems(), 1)

	var excuse *visit.ExcuseError
	require.ErrorAs(t, v.Excuse(ctx, "/housing/water", visit.Unknown, " "), &excuse, "without a reason it is a blank")
	require.ErrorAs(t, v.Excuse(ctx, "/housing/water", "lazy", "x"), &excuse)
	require.ErrorAs(t, v.Excuse(ctx, "/housing", visit.Unknown, "x"), &excuse)
	require.NoError(t, v.Excuse(ctx, "/housing/water", visit.Unwilling, "不愿说"))
	require.Empty(t, v.Problems())
	node, _ := v.Entry.Node("/housing/water")
	require.Empty(t, node.Value, "nothing is calculated from what nobody knows (invariant 6)")

	// It survives the power cut, an answer takes it back, and it is signed.
	v, err = n.Desk(&publish.Shelf{}).Resume(ctx, v.ID)
	require.NoError(t, err)
	require.Empty(t, v.Problems())
	_, err = v.Set(ctx, "/housing/water", "tap")
	require.NoError(t, err)
	_, excused := v.Excused("/data/housing/water")
	require.False(t, excused)
	require.NoError(t, v.Excuse(ctx, "/housing/water", visit.Unwilling, "不愿说"))
	require.NoError(t, n.SignOff(ctx, v, "户主", 3, &practice.Walked{}))
	signed, err := visit.Read(ctx, n.Office.Replica, v.ID)
	require.NoError(t, err)
	require.Equal(t, []visit.Excuse{{Path: "/data/housing/water", Why: visit.Unwilling, Reason: "不愿说"}}, signed.Content.Excused)
	require.Empty(t, signed.Answer("water"))
}

func TestWhatHangsOnAMemberMovesUpWithIt(t *testing.T) {
	c := setUp(t, "tablet-a")
	_, v, _ := filled(t, c)
	path, err := v.Add(ctx, "/members")
	require.NoError(t, err)
	require.NoError(t, v.Excuse(ctx, path+"/birth", visit.Unknown, "户口没上"))
	_, excused := v.Excused(path + "/birth")
	require.True(t, excused)
	require.NoError(t, v.Remove(ctx, "/data/members[1]"))
	_, excused = v.Excused(path + "/birth")
	require.False(t, excused, "nobody stands there any more")
	count := 0
	for _, n := range v.Entry.Inside("/members") {
		if _, excused := v.Excused(n.Path); excused {
			count++
			require.Equal(t, "birth", n.Name)
		}
	}
	require.Equal(t, 1, count)
}

func TestSeveralPhotosOfOneThing(t *testing.T) {
	c := setUp(t, "tablet-a")
	n, v, _ := filled(t, c)
	path := "/data/visit/photo_door"
	before := len(v.Photos()[path])
	second, err := v.AddPhotoFrom(ctx, path, bytes.NewReader(yunqi.Photo(901, 320, 240)), visit.Origin{Place: "23.1 106.2 310 8", PlaceBy: "exif", Shot: "2026-03-01T09:00:00"})
	require.NoError(t, err)
	_, err = v.AddPhoto(ctx, path, bytes.NewReader(yunqi.Photo(901, 320, 240)))
	require.NoError(t, err, "the same again is no further photo")
	require.Len(t, v.Photos()[path], before+1)
	require.NoError(t, n.SignOff(ctx, v, "户主", 3, &practice.Walked{}))
	signed, err := visit.Read(ctx, n.Office.Replica, v.ID)
	require.NoError(t, err)
	var here []visit.Photo
	for _, p := range signed.Content.Photos {
		if p.Path == path {
			here = append(here, p)
		}
	}
	require.Len(t, here, before+1)
	require.Equal(t, second.Digest, here[before].Digest)
	require.Equal(t, "exif", here[before].PlaceBy)

	var photo *visit.PhotoError
	require.ErrorAs(t, visit.CheckPicture([]byte("\x00\x00\x00\x18ftypheic and so on")), &photo)
	require.Equal(t, "heic", photo.Why)
}

func TestNobodyAtHomeComesBack(t *testing.T) { // domain.md §7 (14)
	c := setUp(t, "tablet-a")
	n := c.Nodes["tablet-a"]
	list, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	day := time.Now()
	w, err := n.Walk(ctx, &publish.Shelf{}, list[0], yunqi.Absent(day), 5)
	require.NoError(t, err)
	after, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	require.Len(t, after, len(list), "one is done, one is new")
	var again tasks.Task
	for _, x := range after {
		if x.Household == list[0].Household {
			again = x
		}
	}
	require.NotEqual(t, list[0].ID, again.ID)
	require.Equal(t, day.AddDate(0, 0, 7).Format(time.DateOnly), again.Due)
	require.True(t, strings.HasPrefix(again.Reason, "无人在家"), again.Reason)
	_, err = visit.Read(ctx, n.Office.Replica, w.Visit)
	require.NoError(t, err)
}

func TestAHouseholdThatNobodyHadOnAList(t *testing.T) { // 主动发现, domain.md §2, step 1
	c := setUp(t, "township", "tablet-a")
	n, town := c.Nodes["tablet-a"], c.Nodes["township"]
	desk := n.Desk(&publish.Shelf{})
	var wrong *visit.FoundError
	_, err := desk.Found(ctx, visit.Found{Division: c.Sample.Villages[0].Code}, practice.HomeVisit)
	require.ErrorAs(t, err, &wrong)
	_, err = desk.Found(ctx, visit.Found{Name: "农新（虚构）", Division: "459921"}, practice.HomeVisit)
	require.ErrorAs(t, err, &wrong)
	v, err := desk.Found(ctx, visit.Found{Name: "农新（虚构）", Address: "上岭村9组", Village: "上岭村", Division: c.Sample.Villages[0].Code}, practice.HomeVisit)
	require.NoError(t, err)
	v, err = desk.Resume(ctx, v.ID) // the power fails
	require.NoError(t, err)
	require.Equal(t, "农新（虚构）", v.Page.Household.Text("name"))
	_, err = practice.Fill(ctx, v, c.Sample.Households[0].Visit(time.Now(), false), 9)
	require.NoError(t, err)
	require.NoError(t, n.SignOff(ctx, v, "农新（虚构）", 3, &practice.Walked{}))

	_, err = n.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	_, err = town.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	waiting, err := review.Inbox(ctx, town.Office.Replica, c.Sample.TownshipCode)
	require.NoError(t, err)
	require.Len(t, waiting, 1)
	require.Equal(t, "农新（虚构）", waiting[0].Name)
	r := &review.Reviewer{Replica: town.Office.Replica, Shelf: &publish.Shelf{}, Person: town.People[0].ID, Role: trust.Township, Now: time.Now, NewID: world.Real().NewID}
	open, err := r.Open(ctx, v.ID)
	require.NoError(t, err)
	require.NoError(t, r.Accept(ctx, open, nil, ""))
	page, err := registry.Open(ctx, town.Office.Replica, v.Page.Household.ID)
	require.NoError(t, err)
	require.Equal(t, "农新（虚构）", page.Household.Text("name"))
	require.Equal(t, "上岭村", page.Household.Text("village"))
	require.NotEmpty(t, page.Members)
}
