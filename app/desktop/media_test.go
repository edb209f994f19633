package desktop

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/test"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/desktop/look"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/sync/link"
)

const picturedForm = `# survey

| type | name | label | media::image | media::audio |
|---|---|---|---|---|
| begin_group | water | 饮水和厕所 | | |
| select_one toilet | toilet | 家里的厕所像哪一种？ | privy.jpg | ask.mp3 |
| select_one_from_file wells.csv | well | 用哪口井？ | | |
| text | lost | 没有图的题 | nowhere.png | county.key |
| end_group | | | | |

# choices

| list_name | name | label | media::image |
|---|---|---|---|
| toilet | flush | 水冲 | flush.png |
| toilet | dry | 旱厕 | jr://images/dry.jpg |
| toilet | none | 没有 | |

# settings

| form_title | form_id | version |
|---|---|---|
| 有图有声 | pictured | 1 |
`

// besideForm is the folder of a form with pictures, a sound and a list.
func besideForm() fstest.MapFS {
	return fstest.MapFS{
		"privy.jpg": {Data: yunqi.Photo(21, 640, 480)}, "dry.jpg": {Data: yunqi.Photo(22, 320, 240)}, "flush.png": {Data: yunqi.Signature(5)},
		"ask.mp3": {Data: []byte(strings.Repeat("ID3 问一问", 50))}, "wells.csv": {Data: []byte("name,label\nold,老井\nnew,新井\n")},
		"county.key": {Data: []byte("named by the form and no sound: it stays at home")},
		"secret.jpg": {Data: yunqi.Photo(23, 64, 48)}, // not named by the form: it stays at home
	}
}

// What lies beside a form travels with it, over the network and on a stick, and
// stands beside its questions and choices; a sound is given to the system's player.
func TestPicturesAndSoundsOfAForm(t *testing.T) {
	ctx := context.Background()
	dir, c := openCounty(t, "township", "tablet-a", "tablet-b")
	_, report, err := publish.Form(ctx, c.Office.Replica, c.Clerk, "有图有声.md", []byte(picturedForm), besideForm())
	require.NoError(t, err)
	require.Len(t, report.Warnings, 2)
	require.Equal(t, "county.key", report.Warnings[0].Got)
	require.Equal(t, "nowhere.png", report.Warnings[1].Got)
	named, err := c.Office.Replica.NamedBlobs(ctx)
	require.NoError(t, err)
	require.Len(t, named, 5)

	a := c.Nodes["tablet-a"].Office
	report2, err := a.Client().Sync(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 5, report2.PhotosDown)
	missing, err := a.Replica.MissingBlobsOf(ctx, store.Form)
	require.NoError(t, err)
	require.Empty(t, missing)

	// The other tablet has no network: the county writes a stick for it.
	b := c.Nodes["tablet-b"].Office
	stick := filepath.Join(t.TempDir(), "b.ironfeet")
	sum, err := c.Office.WriteCarrier(ctx, stick, b.Replica.Identity().Node)
	require.NoError(t, err)
	require.Equal(t, 5, sum.Blobs)
	_, err = b.ReadCarrier(ctx, stick)
	require.NoError(t, err)
	missing, err = b.Replica.MissingBlobsOf(ctx, store.Form)
	require.NoError(t, err)
	require.Empty(t, missing)

	list, err := tasks.List(ctx, a.Replica, "", tasks.Open)
	require.NoError(t, err)
	free(t, c, "tablet-a")
	h := open(t, folder(dir, "tablet-a"), fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	v, err := h.app.session.Desk().Start(ctx, tasks.Task{Household: list[0].Household, Form: "pictured"})
	require.NoError(t, err)
	h.app.visitScreen(v)
	pictures := func(o fyne.CanvasObject) int {
		seen := map[*canvas.Image]bool{}
		for _, in := range test.LaidOutObjects(o) {
			if img, ok := in.(*canvas.Image); ok && strings.HasSuffix(img.Resource.Name(), ".jpg") { // no icon
				seen[img] = true
			}
		}
		return len(seen)
	}
	toilet := h.question("/data/water/toilet")
	require.Equal(t, 1, pictures(toilet.beside))
	require.Equal(t, 2, pictures(toilet.input))
	require.Zero(t, pictures(h.question("/data/water/lost").beside), "asked without its picture")
	h.sees("老井", "新井", "没有图的题")
	h.answer("/data/water/toilet", "dry")
	require.Equal(t, 2, pictures(h.question("/data/water/toilet").input))

	var played *url.URL
	h.app.openURL = func(u *url.URL) error { played = u; return nil }
	h.tap("听一听")
	require.NotNil(t, played)
	sound, err := os.ReadFile(played.Path)
	require.NoError(t, err)
	require.Contains(t, string(sound), "问一问")
	for _, o := range test.LaidOutObjects(toilet.beside) {
		if tile, ok := o.(*look.Tile); ok {
			tile.Tapped(nil)
		}
	}
	require.NotNil(t, h.app.win.Canvas().Overlays().Top(), "the whole picture at a tap")
	h.close()
	h.app.lock()
	require.NoFileExists(t, played.Path, "nothing stays unsealed")
}

// The golden pictures of such a form.
func TestPicturesOfAFormThatHasSome(t *testing.T) {
	ctx := context.Background()
	at := morning
	dir := t.TempDir()
	c, err := practice.SetUp(ctx, still(&at), dir, 24, "tablet-a")
	require.NoError(t, err)
	_, _, err = publish.Form(ctx, c.Office.Replica, c.Clerk, "有图有声.md", []byte(picturedForm), besideForm())
	require.NoError(t, err)
	a := c.Nodes["tablet-a"]
	_, err = a.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	list, err := tasks.List(ctx, a.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	v, err := a.Desk(&publish.Shelf{}).Start(ctx, tasks.Task{Household: list[0].Household, Form: "pictured"})
	require.NoError(t, err)
	require.NoError(t, c.Close())
	for _, lang := range []string{"zh", "en"} {
		for _, size := range pictured {
			h := openWith(t, Options{World: still(&at), Dir: folder(dir, "tablet-a"), Lang: lang, TextSize: 18}, size)
			h.unlock("走访员甲（虚构）")
			h.at(v.ID, "/data/water", false)
			h.app.visiting.answer("/data/water/toilet", "dry")
			h.golden(lang + "/kinds-media")
			h.nothingCut("kinds-media", size)
			h.app.lock()
		}
	}
}

// A form whose pictures have not arrived yet is asked without them; one whose list
// has not is not here yet, and that is said.
func TestWhatGoesWithAFormIsStillOnItsWay(t *testing.T) {
	ctx := context.Background()
	dir, c := openCounty(t, "tablet-a")
	_, _, err := publish.Form(ctx, c.Office.Replica, c.Clerk, "有图有声.md", []byte(picturedForm), besideForm())
	require.NoError(t, err)
	a := c.Nodes["tablet-a"].Office
	halfway, stop := context.WithCancel(ctx)
	_, err = a.Client().Sync(halfway, func(e link.Event) {
		if e.Stage == "fetch" {
			stop() // the valley ends here
		}
	})
	require.Error(t, err)
	list, err := tasks.List(ctx, a.Replica, "", tasks.Open)
	require.NoError(t, err)
	free(t, c, "tablet-a")
	h := open(t, folder(dir, "tablet-a"), fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	_, err = h.app.session.Desk().Start(ctx, tasks.Task{Household: list[0].Household, Form: "pictured"})
	said, _ := h.app.say.Error(err)
	require.Contains(t, said, "这张表还没有到本机")
	_, err = h.app.session.Sync(ctx, nil)
	require.NoError(t, err)
	_, err = h.app.session.Desk().Start(ctx, tasks.Task{Household: list[0].Household, Form: "pictured"})
	require.NoError(t, err)
}

// What cannot go with a form keeps it from being published, whole or not at all.
func TestFilesThatCannotGoWithAForm(t *testing.T) {
	ctx := context.Background()
	_, c := openCounty(t, "township")
	for why, data := range map[string][]byte{"no_picture": []byte("不是图"), "too_large": append(yunqi.Photo(1, 64, 48), make([]byte, publish.MaxBeside)...)} {
		folder := besideForm()
		folder["privy.jpg"] = &fstest.MapFile{Data: data}
		_, _, err := publish.Form(ctx, c.Office.Replica, c.Clerk, "有图有声.md", []byte(picturedForm), folder)
		var fault *publish.BesideError
		require.ErrorAs(t, err, &fault, why)
		require.Equal(t, why, fault.Why)
		require.Equal(t, "privy.jpg", fault.File)
	}
	list, err := c.Office.Replica.Entities(ctx, store.Query{Kind: store.Form})
	require.NoError(t, err)
	for _, e := range list {
		require.NotEqual(t, "pictured", e.Text("form_id"))
	}
}
