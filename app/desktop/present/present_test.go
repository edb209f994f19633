package present

import (
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bytes"
	"io"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/device"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/assets/yunqi"
	"ironfeet/forms"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

var ctx = context.Background()

// desk is a tablet of the practice county with the form of all question types.
func desk(t testing.TB) (*Session, *practice.County, *time.Time) {
	t.Helper()
	now := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	w := world.Real()
	w.Now = func() time.Time { return now }
	c, err := practice.SetUp(ctx, w, t.TempDir(), 24, "township", "tablet-a")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	form, err := os.ReadFile("../testdata/题型大全.md")
	require.NoError(t, err)
	_, _, err = publish.Form(ctx, c.Office.Replica, c.Clerk, "题型大全.md", form)
	require.NoError(t, err)
	n := c.Nodes["tablet-a"]
	_, err = n.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	return Start(n.Office, n.People[0].ID, n.People[0].Name, words.In("zh")), c, &now
}

func begin(t testing.TB, s *Session, form string) *Filling {
	t.Helper()
	list, err := tasks.List(ctx, s.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	task := list[0]
	if form != "" {
		task = tasks.Task{Household: task.Household, Form: form}
	}
	v, err := s.Desk().Start(ctx, task)
	require.NoError(t, err)
	f, err := s.Fill(ctx, v, "", false)
	require.NoError(t, err)
	return f
}

func TestAmountsAreReadBackInWords(t *testing.T) { // domain.md §7 (9)
	s, _, _ := desk(t)
	f := begin(t, s, "")
	set := func(path, value string) {
		_, err := f.Visit.Set(ctx, path, value)
		require.NoError(t, err, path)
	}
	set("/visit/outcome", "completed")
	set("/income/has_wage", "yes")
	for _, test := range []struct{ name, unit, amount, times, price, said string }{
		{"a month's pay for a year", "month", "2400", "12", "", "2,400 元/每月 · 一年约 28,800 元（二万八千八百元）"},
		{"a month's pay for ten months", "month", "2400", "10", "", "2,400 元/每月 · 一年约 24,000 元（二万四千元）"},
		{"by weight", "jin", "1400", "", "3.5", "1,400 斤 × 3.5 元 · 一年约 4,900 元（四千九百元）"},
		{"once a year", "year", "1200.50", "", "", "1,200.5 元/每年 · 一年约 1,200.5 元（一千二百元）"},
		{"no amount is not zero", "year", "", "", "", ""},
		{"what is no number says nothing", "year", "viel", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			set("/incomes[1]/unit", test.unit)
			set("/incomes[1]/amount", test.amount)
			set("/incomes[1]/times", test.times)
			set("/incomes[1]/price", test.price)
			n, _ := f.Visit.Entry.Node("/incomes[1]/amount")
			require.Equal(t, test.said, s.Reading(f.Visit, n))
		})
	}
	set("/spending/utilities", "45")
	n, _ := f.Visit.Entry.Node("/spending/utilities")
	require.Equal(t, "45 元 · 一年约 540 元（五百四十元）", s.Reading(f.Visit, n))
}

func TestNumerals(t *testing.T) {
	for n, want := range map[int64]string{
		0: "零", 7: "七", 10: "十", 18: "十八", 105: "一百零五", 110: "一百一十", 1001: "一千零一", 1010: "一千零一十", 10_000: "一万",
		10_005: "一万零五", 28_800: "二万八千八百", 105_000: "十万五千", 1_000_001: "一百万零一", 320_040_500: "三亿二千零四万零五百",
	} {
		require.Equal(t, want, numeral(n))
	}
}

func TestIdentityNumbersSayPreciselyWhatIsWrong(t *testing.T) {
	s, _, _ := desk(t)
	f := begin(t, s, "")
	for path, value := range map[string]string{"/visit/outcome": "completed", "/members[1]/id_type": "idcard", "/members[1]/sex": "", "/members[1]/birth": ""} {
		_, err := f.Visit.Set(ctx, path, value)
		require.NoError(t, err)
	}
	const path = "/data/members[1]/id_no"
	for _, test := range []struct {
		name, typed, says string
		wrong, soft       bool
	}{
		{"too short", "45992119560403", "14 位", true, false},
		{"one digit is wrong", "459921195604030051", "末位是 1，按前 17 位应为 5", true, false},
		{"no such day", "459921195602300015", "1956 年 02 月 30 日", true, false},
		{"a letter for a zero", "45992119560403O055", "字母 O", true, false},
		{"the thirty-first character", "45992119560403〇055", "只能是数字", true, false},
		{"right", "459921195604030055", "✓ 男 · 1956-04-03 · 69 岁", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, f.Answer(ctx, path, CleanIdentity(test.typed)))
			n, _ := f.Visit.Entry.Node(path)
			require.True(t, IsIdentity(f.Visit, n))
			id := s.Identity(f.Visit, n)
			require.Contains(t, id.Said, test.says)
			require.Equal(t, test.wrong, id.Wrong)
			require.Equal(t, test.soft, id.Soft)
		})
	}
	sex, _ := f.Visit.Entry.Node("/members[1]/sex")
	birth, _ := f.Visit.Entry.Node("/members[1]/birth")
	require.Equal(t, "1", sex.Value, "what the number says is not asked again")
	require.Equal(t, "1956-04-03", birth.Value)
	require.NoError(t, f.Answer(ctx, "/data/members[1]/sex", "2"))
	n, _ := f.Visit.Entry.Node(path)
	id := s.Identity(f.Visit, n)
	require.True(t, id.Soft, "a contradiction is said, not mended")
	require.Contains(t, id.Said, "性别")
}

func TestHowQuestionsAreDrawn(t *testing.T) {
	many := make([]forms.Choice, 60)
	for _, test := range []struct {
		kind, appearance string
		choices          []forms.Choice
		want             Kind
	}{
		{"text", "", nil, KindText}, {"text", "multiline", nil, KindLong}, {"text", "numbers", nil, KindDigits},
		{"integer", "", nil, KindInteger}, {"decimal", "thousands-sep", nil, KindDecimal}, {"range", "", nil, KindRange},
		{"select_one", "", nil, KindChoices}, {"select_one", "w3 minimal", nil, KindSearch}, {"select_one", "autocomplete", nil, KindSearch},
		{"select_one", "", many, KindSearch}, {"select_one", "likert", nil, KindLikert}, {"select_one", "label", nil, KindHeadings},
		{"select_multiple", "list-nolabel", nil, KindRow}, {"select_one", "search('villages')", nil, KindSearch}, {"rank", "", nil, KindRank},
		{"date", "", nil, KindDate}, {"date", "month-year", nil, KindMonth}, {"date", "year", nil, KindYear}, {"time", "", nil, KindTime},
		{"dateTime", "", nil, KindDateTime}, {"image", "", nil, KindPhotos}, {"image", "signature", nil, KindDrawing}, {"image", "new", nil, KindPhotos},
		{"audio", "", nil, KindFile}, {"video", "", nil, KindFile}, {"file", "", nil, KindFile}, {"barcode", "", nil, KindCode},
		{"geopoint", "maps", nil, KindPlace}, {"geotrace", "", nil, KindTrace}, {"geoshape", "", nil, KindTrace},
		{"acknowledge", "", nil, KindConfirmed}, {"note", "", nil, KindNote}, {"a type of tomorrow", "", nil, KindText},
	} {
		require.Equal(t, test.want, KindOf(forms.Node{Type: test.kind, Appearance: test.appearance, Choices: test.choices}), "%s %s", test.kind, test.appearance)
	}
	require.Equal(t, 3, Columns(forms.Node{Appearance: "w2 columns-3"}))
	require.Equal(t, Scale{0, 10, 1}, ScaleOf(forms.Node{}))
	require.Equal(t, Scale{-5, 5, 0.5}, ScaleOf(forms.Node{Parameters: map[string]string{"start": "5", "end": "-5", "step": "0.5"}}))
	require.Equal(t, "2.5", Scale{Step: 0.5}.Format(2.5))
	require.Equal(t, []string{"1", "0", "0", ""}, []string{Step("", 1), Step("1", -1), Step("0", -1), Step("", -1)})
}

func TestDaysAreTypedInParts(t *testing.T) {
	for _, test := range []struct {
		kind  Kind
		texts []string
		value string
		whole bool
	}{
		{KindDate, []string{"1956", "4", "3"}, "1956-04-03", true},
		{KindDate, []string{"1956", "4", ""}, "", false},
		{KindDate, []string{"195", "4", "3"}, "", false},
		{KindDate, []string{"", "", ""}, "", true},
		{KindMonth, []string{"2024", "7"}, "2024-07-01", true},
		{KindYear, []string{"1998"}, "1998-01-01", true},
		{KindTime, []string{"9", "5"}, "09:05", true},
		{KindDateTime, []string{"2026", "03", "01", "9", "30"}, "2026-03-01T09:30", true},
	} {
		value, whole := Assemble(test.kind, test.texts)
		require.Equal(t, test.value, value, "%s %v", test.kind, test.texts)
		require.Equal(t, test.whole, whole, "%s %v", test.kind, test.texts)
		if whole && value != "" {
			again, _ := Assemble(test.kind, Disassemble(test.kind, value))
			require.Equal(t, value, again)
		}
	}
	require.Equal(t, "12345.6", CleanNumber(" １2，345．6 元"))
}

// Every form of the house and of the corpus beside it becomes pages on which every
// question that is asked stands exactly once.
func TestEveryQuestionStandsOnOnePage(t *testing.T) {
	s, c, _ := desk(t)
	ids := []string{"", "all_types"}
	files, _ := filepath.Glob("../../../../shared/corpus/*.xlsx")
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		form, _, err := publish.Form(ctx, c.Office.Replica, c.Clerk, filepath.Base(file), data)
		if err == nil {
			ids = append(ids, form.ID())
		}
	}
	_, err := s.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	for _, id := range ids {
		f := begin(t, s, id)
		seen := map[string]int{}
		for _, p := range f.Pages {
			require.NotEmpty(t, p.Label, id)
			for _, n := range p.Nodes {
				seen[n.Path]++
			}
		}
		for _, n := range f.Visit.Entry.Inside("/") {
			if !n.Group && !n.Repeat && !n.Calculated {
				require.Equal(t, 1, seen[n.Path], "%s: %s", id, n.Path)
			}
		}
		for range f.Pages { // and one can walk through all of them
			_, err := f.Step(ctx, 1)
			require.NoError(t, err)
		}
	}
}

func TestProblemsLeadToTheirQuestions(t *testing.T) {
	s, _, _ := desk(t)
	f := begin(t, s, "")
	_, err := f.Visit.Set(ctx, "/visit/outcome", "completed")
	require.NoError(t, err)
	require.NoError(t, f.GoTo(ctx, "/data/visit"))
	list := f.Problems()
	require.NotEmpty(t, list)
	require.Equal(t, f.Left(), len(list))
	for _, p := range list {
		require.NotEmpty(t, p.Where, p.Path)
		require.NoError(t, f.GoTo(ctx, p.Path))
		found := false
		for _, n := range f.Questions() {
			found = found || n.Path == p.Path
		}
		require.True(t, found, "%s does not lead to its question", p.Path)
	}
	member := list[len(list)-1]
	for _, p := range list {
		if strings.Contains(p.Path, "members[2]") {
			member = p
		}
	}
	require.Contains(t, member.Where, "家庭成员 · ")
}

// What was known last time is offered, taken only by a tap, and the place survives.
func TestLastTimeIsConfirmedNeverAssumed(t *testing.T) { // domain.md §7 (6)
	s, _, _ := desk(t)
	f := begin(t, s, "")
	require.NoError(t, f.Answer(ctx, "/data/visit/outcome", "completed"))
	require.NoError(t, f.GoTo(ctx, "/data/home"))
	waiting := f.WaitingLast()
	require.Greater(t, waiting, 1)
	address, _ := f.Visit.Entry.Node("/data/home/address")
	require.Empty(t, address.Value)
	require.NoError(t, f.Confirm(ctx, address.Path))
	require.Equal(t, waiting-1, f.WaitingLast())
	n, err := f.ConfirmAll(ctx)
	require.NoError(t, err)
	require.GreaterOrEqual(t, n, waiting-1)
	require.Zero(t, f.WaitingLast())
	var none *visit.NoLastError
	require.ErrorAs(t, f.Confirm(ctx, "/data/home/respondent"), &none)

	require.NoError(t, f.Answer(ctx, "/data/home/respondent", "韦"))
	v, err := s.Desk().Resume(ctx, f.Visit.ID) // the power fails
	require.NoError(t, err)
	require.Equal(t, "/data/home/respondent", v.Place())
	again, err := s.Fill(ctx, v, v.Place(), false)
	require.NoError(t, err)
	require.Equal(t, "/data/home", again.Page.Path)
	require.Equal(t, "/data/home/respondent", again.Question)
}

func TestPicturesComeInBesideTheScreen(t *testing.T) {
	s, _, _ := desk(t)
	f := begin(t, s, "all_types")
	arrived := make(chan Arrived, 8)
	in := s.NewIntake(ctx, func(a Arrived) { arrived <- a })
	const path = "/data/evidence/house"
	add := func(name string, data []byte) Arrived {
		require.True(t, in.Add(Incoming{Path: path, Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}))
		return <-arrived
	}
	good := add("good.jpg", yunqi.Photo(1, 1600, 1200))
	require.NoError(t, good.Err)
	require.False(t, good.Blurred)
	require.NoError(t, f.Keep(ctx, good))
	require.True(t, add("blurred.jpg", blurred(t)).Blurred)

	for name, test := range map[string]struct {
		data []byte
		says string
	}{
		"no photo":  {[]byte("no photo at all"), "photo"},
		"empty":     {nil, "photo"},
		"heic":      {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), "heic"},
		"torn":      {yunqi.Photo(1, 640, 480)[:2000], "photo"},
		"200 mega":  {huge(), "too_many_pixels"},
		"too large": {make([]byte, visit.MaxPhotoBytes+10), ""},
	} {
		out := add(name, test.data)
		require.Error(t, out.Err, name)
		said, _ := s.Say.Error(out.Err)
		require.NotEqual(t, out.Err.Error(), said, "%s is said in Chinese", name)
		var coded words.Coded
		require.ErrorAs(t, out.Err, &coded, name)
		require.Contains(t, coded.Code(), test.says, name)
	}
	require.Len(t, f.Visit.Photos()[path], 1, "what is no photo changed nothing")
	in.Stop()
	require.False(t, in.Add(Incoming{Path: path}))
}

// blurred is a JPEG of large soft shapes.
func blurred(t *testing.T) []byte {
	img := image.NewGray(image.Rect(0, 0, 800, 600))
	for y := range 600 {
		for x := range 800 {
			img.SetGray(x, y, color.Gray{uint8(60 + 60*(x+y)/1400 + (x/2)%200/4*0 + 40*((x*x/400+y*y/300)%512)/512)})
		}
	}
	soft := image.NewGray(img.Bounds())
	for y := 12; y < 588; y++ {
		for x := 12; x < 788; x++ {
			sum := 0
			for d := -12; d <= 12; d++ {
				sum += int(img.GrayAt(x+d, y).Y) + int(img.GrayAt(x, y+d).Y)
			}
			soft.SetGray(x, y, color.Gray{uint8(sum / 50)})
		}
	}
	var b bytes.Buffer
	require.NoError(t, jpeg.Encode(&b, soft.SubImage(image.Rect(20, 20, 780, 580)), nil))
	return b.Bytes()
}

// huge is the head of a JPEG that says it has 200 megapixels.
func huge() []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16)), nil)
	data := b.Bytes()
	i := bytes.Index(data, []byte{0xff, 0xc0})
	copy(data[i+5:], []byte{0x2e, 0xe0, 0x41, 0x00}) // 12000 × 16640
	return data
}

func TestAClockSetBackIsNoted(t *testing.T) { // domain.md §7 (13)
	s, _, now := desk(t)
	f := begin(t, s, "all_types")
	require.NoError(t, f.Answer(ctx, "/data/loose", "早上"))
	*now = now.Add(20 * time.Minute)
	require.NoError(t, f.Answer(ctx, "/data/loose", "中午"))
	*now = now.Add(-3 * time.Hour)
	require.NoError(t, f.Answer(ctx, "/data/loose", "晚上"))
	require.Equal(t, 3*time.Hour, f.Visit.ClockBack())
	v, err := s.Desk().Resume(ctx, f.Visit.ID)
	require.NoError(t, err)
	require.Equal(t, 3*time.Hour, v.ClockBack(), "it stays noted")
}

func TestInvitationsFromFiles(t *testing.T) {
	_, c, _ := desk(t)
	code, err := practice.Guests(c.Sample)[2].Invite(ctx, c.Server, c.Address)
	require.NoError(t, err)
	from := func(name string, data []byte) (string, error) {
		return InvitationFrom(name, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	}
	got, err := from("邀请.txt", []byte("\ufeff云栖县民政局\r\n"+code+"\r\n"))
	require.NoError(t, err)
	require.Equal(t, code, got)
	var mistyped *trust.InvitationError
	_, err = from("x.txt", []byte(strings.Replace(code, "-", "-Z", 1)))
	require.ErrorAs(t, err, &mistyped)
	_, err = from("x.txt", make([]byte, 1<<20))
	require.ErrorAs(t, err, &mistyped)
	var noCode *device.CodeError
	_, err = from("x.png", []byte("no picture"))
	require.ErrorAs(t, err, &noCode)
}

func TestSettingsAlwaysOpen(t *testing.T) {
	w, dir := world.Real(), filepath.Join(t.TempDir(), "new")
	require.Equal(t, UsualSettings, ReadSettings(w, dir))
	s := UsualSettings
	s.Lang, s.Text, s.Mode = "en", 24, "daylight"
	require.NoError(t, WriteSettings(w, dir, s))
	require.Equal(t, s, ReadSettings(w, dir))
	for _, broken := range []string{"", "{", `{"text": 400, "mode": "pink", "lang": "xx", "lock_minutes": -1}`, strings.Repeat("x", maxSettings+1)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, settingsFile), []byte(broken), 0o600))
		got := ReadSettings(w, dir)
		require.Equal(t, "zh", got.Lang)
		require.LessOrEqual(t, got.Text, float32(28))
	}
}

func TestHandingOver(t *testing.T) { // domain.md §7 (15)
	s, c, _ := desk(t)
	f := begin(t, s, "all_types")
	require.NoError(t, f.Answer(ctx, "/data/loose", "一半"))
	n := c.Nodes["tablet-a"]
	other := Start(n.Office, n.People[1].ID, n.People[1].Name, words.In("zh"))
	theirs, err := other.Today(ctx)
	require.NoError(t, err)
	require.Empty(t, theirs.Drafts, "others' visits are not seen")
	require.Error(t, other.HandOver(ctx, f.Visit.ID, other.Person), "nobody takes what was not given")
	require.NoError(t, s.HandOver(ctx, f.Visit.ID, other.Person))
	theirs, err = other.Today(ctx)
	require.NoError(t, err)
	require.Len(t, theirs.Drafts, 1)
	v, err := other.Desk().Resume(ctx, f.Visit.ID)
	require.NoError(t, err)
	loose, _ := v.Entry.Node("/loose")
	require.Equal(t, "一半", loose.Value)
	require.Equal(t, "/data/loose", v.Place())
}

func TestLooksAreLogged(t *testing.T) { // domain.md §1: every reveal
	s, _, _ := desk(t)
	f := begin(t, s, "all_types")
	require.NoError(t, f.GoTo(ctx, "/data/private"))
	require.True(t, f.Covered())
	before, err := s.Looks(ctx)
	require.NoError(t, err)
	require.NoError(t, f.Uncover(ctx))
	require.False(t, f.Covered())
	after, err := s.Looks(ctx)
	require.NoError(t, err)
	require.Equal(t, before+1, after)
}

// The disk is full in the middle of a visit: what was not written is not called
// saved, and is written with the next answer that can be.
func TestAFullDiskInTheMiddleOfAVisit(t *testing.T) { // invariant 1
	s, _, _ := desk(t)
	f := begin(t, s, "all_types")
	require.NoError(t, f.Answer(ctx, "/data/loose", "存下了"))
	full, cancel := context.WithCancel(ctx)
	cancel() // no statement reaches the disk
	require.Error(t, f.Answer(full, "/data/choices/plain", "yes"))
	require.Error(t, f.Answer(full, "/data/numbers/heads", "7"))
	require.True(t, f.Visit.Behind())
	require.NoError(t, f.Answer(ctx, "/data/numbers/phone", "199"))
	require.False(t, f.Visit.Behind())
	v, err := s.Desk().Resume(ctx, f.Visit.ID)
	require.NoError(t, err)
	for path, want := range map[string]string{"/loose": "存下了", "/numbers/heads": "7", "/numbers/phone": "199"} {
		n, _ := v.Entry.Node(path)
		require.Equal(t, want, n.Value, path)
	}
}

// TestRoomIsMadeOfWhatTheCountyHas: a month after a visit, and not before the
// county has its photos, they may leave the tablet.
func TestRoomIsMadeOfWhatTheCountyHas(t *testing.T) {
	s, c, now := desk(t)
	n := c.Nodes["tablet-a"]
	list, err := tasks.List(ctx, s.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	for _, h := range c.Sample.Households {
		if h.ID == list[0].Household {
			_, err := n.Walk(ctx, &publish.Shelf{}, list[0], h.Visit(*now, false), 1)
			require.NoError(t, err)
		}
	}
	later := func() Room {
		*now = now.Add(40 * 24 * time.Hour)
		room, err := s.Room(ctx)
		require.NoError(t, err)
		return room
	}
	require.Zero(t, later().Photos, "the county has none of them yet")
	_, err = s.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	room := later()
	require.Positive(t, room.Photos)
	freed, err := s.MakeRoom(ctx)
	require.NoError(t, err)
	require.InDelta(t, room.Spare, freed, room.Spare/10)
	require.Zero(t, later().Photos)
}
