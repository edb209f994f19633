package desktop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/desktop/present"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store/world"
)

// Each benchmark is named after what somebody waits for; “limit” is its share of
// what the issue allows, at software painting.

func limit(b *testing.B, most time.Duration) {
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(most), "limit")
}

func stageFor(b *testing.B) (*hand, stage) {
	b.Helper()
	s := setStage(b)
	h := openWith(b, Options{World: s.w, Dir: folder(s.dir, "tablet-a"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	h.unlock("走访员甲（虚构）")
	return h, s
}

func BenchmarkStartToTheUnlockScreenWith5000Households(b *testing.B) {
	dir := b.TempDir()
	c, err := practice.SetUp(context.Background(), world.Real(), dir, 5000, "township")
	require.NoError(b, err)
	require.NoError(b, c.Close())
	for b.Loop() {
		a := New(test.NewApp(), Options{World: world.Real(), Dir: filepath.Join(dir, "township"), Lang: "zh", TextSize: 18})
		a.win.Resize(fyne.NewSize(1280, 800))
		a.win.Canvas().Capture()
	}
	limit(b, 1500*time.Millisecond)
}

func BenchmarkOpenAVisitOf173Questions(b *testing.B) {
	h, s := stageFor(b)
	for b.Loop() {
		h.at(s.filled, "/data/visit", false)
		h.app.win.Canvas().Capture()
	}
	limit(b, 300*time.Millisecond)
}

func BenchmarkNextGroup(b *testing.B) {
	h, s := stageFor(b)
	h.at(s.filled, "/data/visit", false)
	pages := []string{"/data/home", "/data/housing", "/data/assets", "/data/members[1]"}
	i := 0
	for b.Loop() {
		h.app.visiting.goTo(pages[i%len(pages)])
		h.app.win.Canvas().Capture()
		i++
	}
	limit(b, 100*time.Millisecond)
}

// The picture of the whole window by the software painter alone is measured beside
// it: on a tablet the graphics chip does that part.
func BenchmarkKeystrokeToPainted(b *testing.B) {
	h, s := stageFor(b)
	h.at(s.filled, "/data/home", false)
	e := h.entries(h.question("/data/home/cause_note"))[0]
	h.app.win.Canvas().Focus(e)
	var painting time.Duration
	for b.Loop() {
		if len(e.Text) > 60 {
			e.SetText("")
		}
		e.TypedRune('村')
		start := time.Now()
		h.app.win.Canvas().Capture()
		painting += time.Since(start)
	}
	b.ReportMetric(float64(painting)/float64(b.Elapsed()), "painting")
	b.ReportMetric(float64(b.Elapsed()-painting)/float64(b.N)/float64(32*time.Millisecond), "limit")
}

func BenchmarkJumpInAListOf10000Households(b *testing.B) {
	h, _ := stageFor(b)
	h.app.findScreen()
	lines := make([]present.HouseholdLine, 10_000)
	for i := range lines {
		lines[i] = present.HouseholdLine{ID: uuid.New(), Title: fmt.Sprintf("韦某某 %d", i), Under: "上岭村3组"}
	}
	var list *widget.List
	for _, o := range h.objects() {
		if l, ok := o.(*widget.List); ok {
			list = l
		}
	}
	require.NotNil(b, list)
	update := list.UpdateItem
	list.Length = func() int { return len(lines) }
	list.UpdateItem = func(i widget.ListItemID, o fyne.CanvasObject) { update(i%9, o) }
	list.Refresh()
	i := 0
	for b.Loop() {
		i = (i + 3331) % len(lines)
		list.ScrollTo(i)
	}
	limit(b, 10*time.Millisecond)
}

// Twelve photos of twelve megapixels come in beside the screen: how long the screen
// is kept from drawing at most, and how much memory it takes above rest.
func BenchmarkTwelvePhotos(b *testing.B) {
	h, s := stageFor(b)
	photos := make([][]byte, 12)
	base := yunqi.Photo(1, 4000, 3000)
	for i := range photos {
		photos[i] = append(append([]byte{}, base[:len(base)-2]...), byte(i), 0xff, 0xd9)
	}
	h.at(s.all, "/data/evidence", false)
	x := h.app.visiting
	rest := heap(true)
	var peak atomic.Int64
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				peak.Store(max(peak.Load(), heap(false)))
			}
		}
	}()
	var most time.Duration
	for b.Loop() {
		in := h.app.session.NewIntake(context.Background(), func(a present.Arrived) {
			require.NoError(b, a.Err)
			start := time.Now()
			x.shots.arrived(a)
			most = max(most, time.Since(start))
		})
		for _, p := range photos {
			require.True(b, in.Add(memory("/data/evidence/house", p)))
		}
		require.Eventually(b, func() bool { return in.Waiting("") == 0 }, 5*time.Minute, 10*time.Millisecond)
	}
	close(done)
	b.ReportMetric(float64(most)/float64(100*time.Millisecond), "limit-block")
	b.ReportMetric(float64(peak.Load()-rest)/float64(150<<20), "limit-memory")
}

func heap(collect bool) int64 {
	if collect {
		runtime.GC()
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A day of eight visits, each opened page by page: what stays in memory.
func BenchmarkADaysWork(b *testing.B) {
	h, _ := stageFor(b)
	list, err := tasks.List(context.Background(), h.app.session.Office.Replica, "", tasks.Open)
	require.NoError(b, err)
	day := func() {
		for _, task := range list[:8] {
			v, err := h.app.session.Desk().Start(context.Background(), task)
			require.NoError(b, err)
			h.app.visitScreen(v)
			h.app.visiting.answer("/data/visit/outcome", "completed")
			for range 12 {
				if h.app.visiting != nil { // behind the last page stands the summary
					h.app.visiting.step(1)
				}
			}
			require.NoError(b, v.Drop(context.Background()))
			h.app.home()
		}
	}
	day() // caches are warm
	before := heap(true)
	for b.Loop() {
		day()
	}
	b.ReportMetric(float64(heap(true)-before)/float64(b.N)/float64(20<<20), "limit-growth")
}

// A key in the inbox with 5,000 waiting: what it takes until the two lines are drawn
// anew, whole window or not. Painting the window by the software painter alone is
// measured beside it; on a desk the graphics chip does that part.
func BenchmarkKeyInAnInboxOf5000(b *testing.B) {
	was := background
	background = func(f func()) { f() }
	defer func() { background = was }()
	dir := b.TempDir()
	c, err := practice.SetUp(context.Background(), world.Real(), dir, 96, "township")
	require.NoError(b, err)
	require.NoError(b, c.Flood(context.Background(), 5000))
	require.NoError(b, c.Close())
	h := openWith(b, Options{World: world.Real(), Dir: folder(dir, "township"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	h.unlock("乡镇专干（虚构）")
	require.Len(b, h.app.town.inbox.Shown, 5000)
	h.app.win.Canvas().Capture()
	var painting, longest time.Duration
	for b.Loop() {
		key := fyne.KeyJ
		if at := h.app.town.inbox.At; at == 4999 || at > 0 && b.N%7 == 3 {
			key = fyne.KeyHome
		}
		start := time.Now()
		h.press(key)
		pressed := time.Now()
		h.app.win.Canvas().Capture()
		painting += time.Since(pressed)
		longest = max(longest, pressed.Sub(start))
	}
	b.ReportMetric(float64(painting.Microseconds())/float64(b.N)/1000, "ms_painting")
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms_longest_key")
	b.ReportMetric(float64(b.Elapsed()-painting)/float64(b.N)/float64(16*time.Millisecond), "of_16ms")
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(16*time.Millisecond), "of_16ms_painted")
}

// A stick is read beside the screen: how long it keeps the screen from doing anything
// else, at most, and what one drawing of the import screen takes the software painter.
// IRONFEET_STICK says how many visits with 12 photos each; 100 are the goal's.
func BenchmarkImportAStickBesideTheScreen(b *testing.B) {
	visits := 10
	if n, err := strconv.Atoi(os.Getenv("IRONFEET_STICK")); err == nil {
		visits = n
	}
	ctx := context.Background()
	dir := b.TempDir()
	c, err := practice.SetUp(ctx, world.Real(), dir, 96+3*visits)
	require.NoError(b, err)
	size, err := c.Nodes["tablet-a"].Campaign(ctx, visits, 12)
	require.NoError(b, err)
	stick := filepath.Join(dir, "a.ironfeet")
	_, err = c.Nodes["tablet-a"].Office.WriteCarrier(ctx, stick)
	require.NoError(b, err)
	require.NoError(b, c.Close())
	h := openWith(b, Options{World: world.Real(), Dir: folder(dir, "township"), Lang: "zh", TextSize: 18}, fyne.NewSize(1280, 800))
	h.unlock("乡镇专干（虚构）")
	require.Eventually(b, func() bool { return !h.app.town.busy }, time.Minute, 5*time.Millisecond)
	was, wasTook := background, onScreenTook
	var longest, all time.Duration
	turns := 0
	onScreenTook = func(d time.Duration) { longest, all, turns = max(longest, d), all+d, turns+1 }
	var beside []func() // what the app does beside the screen, here one after the other
	background = func(f func()) { beside = append(beside, f) }
	defer func() { background, onScreenTook = was, wasTook }()
	h.app.town.importScreen()
	h.app.town.take(stick) // once: a stick is new once only
	began := time.Now()
	beside[0]()
	took := time.Since(began)
	require.Equal(b, visits*12, h.app.town.intake.files[0].Photos)
	b.ReportMetric(float64(size)/1e6/took.Seconds(), "MB/s")
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms_longest_block")
	b.ReportMetric(float64(turns), "turns")
	b.ReportMetric(float64(all)/float64(took), "of_the_time")
	// Then the checks and the photos' likeness, with the inbox on the screen.
	h.app.inboxScreen()
	longest = 0
	began = time.Now()
	for i := 1; i < len(beside); i++ {
		beside[i]()
	}
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms_longest_block_in_checks")
	b.ReportMetric(time.Since(began).Seconds(), "s_checks")
}
