package present

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/store"
	"ironfeet/sync/link"
	"ironfeet/sync/trust"
)

// A valley is the road to a county's server: open, without signal, or so slow that
// nothing comes back until it is opened.
type valley struct {
	asked         atomic.Int64
	silent, stuck atomic.Bool
	waiting       chan struct{} // told when a request is stuck
	address       string
	standings     chan Standing
	tick          chan struct{}
}

func newValley(t *testing.T, c *practice.County) *valley {
	v := &valley{waiting: make(chan struct{}, 64), standings: make(chan Standing, 1024), tick: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.asked.Add(1)
		switch {
		case v.silent.Load():
			panic(http.ErrAbortHandler)
		case v.stuck.Load():
			_, _ = io.Copy(io.Discard, r.Body) // only then a client that leaves is noticed
			v.waiting <- struct{}{}
			<-r.Context().Done()
		default:
			c.Server.HTTP().Handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	v.address = server.URL
	return v
}

// wait lets short pauses pass at once and long rests until the test says so.
func (v *valley) wait(ctx context.Context, d time.Duration) error {
	if d < time.Minute {
		return ctx.Err()
	}
	select {
	case <-v.tick:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *valley) keep(s *Session) *Background {
	s.Office.Server = v.address
	return s.keep(ctx, func(n Standing) { v.standings <- n }, v.wait)
}

// until waits for a standing of a pace after which it rests for long.
func (v *valley) until(t *testing.T, pace Pace) Standing {
	t.Helper()
	end := time.After(30 * time.Second)
	for {
		select {
		case n := <-v.standings:
			if n.Pace == pace && (pace != Trying || n.Next.Sub(practiceNow) >= time.Minute) {
				return n
			}
		case <-end:
			require.Fail(t, "waited in vain", "for %s", pace)
		}
	}
}

var practiceNow = time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC) // where desk's clock stands

func signedVisit(t *testing.T, s *Session, c *practice.County, now time.Time) uuid.UUID {
	t.Helper()
	list, err := tasks.List(ctx, s.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	for _, h := range c.Sample.Households {
		if h.ID == list[0].Household {
			w, err := c.Nodes["tablet-a"].Walk(ctx, &publish.Shelf{}, list[0], h.Visit(now, false), 1)
			require.NoError(t, err)
			return w.Visit
		}
	}
	require.Fail(t, "no such household")
	return uuid.Nil
}

func atCounty(c *practice.County) int {
	list, err := c.Office.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	if err != nil {
		return -1
	}
	return len(list)
}

// A visit that was signed is at the county without anybody having asked for a sync,
// and what the county writes comes by itself.
func TestTheBackgroundBringsAVisitToTheCounty(t *testing.T) {
	s, c, now := desk(t)
	v := newValley(t, c)
	b := v.keep(s)
	defer b.Stop()
	n := v.until(t, Resting)
	require.Equal(t, *now, n.Last)
	require.NoError(t, n.Err)
	require.Equal(t, "上次和县里对齐：09:30。隔几分钟自动再对。", s.Said(n))

	signedVisit(t, s, c, *now)
	require.Zero(t, atCounty(c))
	s.Wake()
	seen := v.until(t, Talking)
	v.until(t, Resting)
	require.Equal(t, 1, atCounty(c))
	require.NotEmpty(t, seen.Stage)
	l, err := s.Link(ctx)
	require.NoError(t, err)
	require.Zero(t, l.Waiting(), "the county has signed for all of it")

	news := s.Standing().News
	list, err := tasks.List(ctx, c.Office.Replica, c.Sample.Villages[0].Code, tasks.Open)
	require.NoError(t, err)
	_, err = tasks.Issue(ctx, c.Office.Replica, c.Clerk, []tasks.Task{{
		ID: s.Office.World.NewID(), Household: list[0].Household, Division: list[0].Division, Form: practice.HomeVisit, Due: "2026-04-01", Reason: "举报核实"}})
	require.NoError(t, err)
	v.tick <- struct{}{} // five minutes pass
	v.until(t, Talking)
	require.Greater(t, v.until(t, Resting).News, news, "and it is said that something came")
}

// No signal is the usual case: it is said calmly, tried again by itself, and works
// when there is one. How long ago all was well survives the night.
func TestTheBackgroundWaitsForASignal(t *testing.T) { // domain.md §7 (1)
	s, c, now := desk(t)
	v := newValley(t, c)
	b := v.keep(s)
	v.until(t, Resting)
	b.Stop()

	v.silent.Store(true)
	*now = now.Add(26 * time.Hour)
	b = v.keep(s)
	n := v.until(t, Trying)
	require.ErrorAs(t, n.Err, new(*link.UnreachableError))
	require.False(t, n.NeedsPerson())
	for _, lang := range []string{"zh", "en"} {
		s.Say = words.In(lang)
		said := s.Said(n)
		require.Contains(t, said, "03-02 09:30")
		for _, word := range []string{"离线", "错误", "失败", "offline", "error", "fail"} {
			require.NotContains(t, strings.ToLower(said), word)
		}
	}
	v.silent.Store(false)
	b.Wake() // a network came up
	require.Equal(t, *now, v.until(t, Resting).Last)
	b.Stop()
}

// What a person does by hand goes alone, and what runs at that moment ends first.
func TestTheBackgroundWaitsForAPerson(t *testing.T) {
	s, c, now := desk(t)
	v := newValley(t, c)
	v.stuck.Store(true)
	b := v.keep(s)
	<-v.waiting // a sync hangs in the middle
	require.NoError(t, s.ByHand(func() error {
		require.Equal(t, Held, s.Standing().Pace)
		asked := v.asked.Load()
		b.Wake()
		v.stuck.Store(false)
		_, err := s.Office.WriteCarrier(ctx, t.TempDir()+"/a.ironfeet")
		require.Equal(t, asked, v.asked.Load(), "nothing goes over the network meanwhile")
		return err
	}))
	v.until(t, Resting)

	*now = now.Add(time.Minute)
	signedVisit(t, s, c, *now)
	report, err := s.Sync(ctx, nil)
	require.NoError(t, err)
	require.Positive(t, report.BundlesUp)
	require.Equal(t, 1, atCounty(c))
	n := s.Standing()
	require.Equal(t, Resting, n.Pace)
	require.Equal(t, *now, n.Last, "a sync by hand counts")
	require.Equal(t, link.KeepEvery, n.Next.Sub(*now), "and is not made twice")

	v.silent.Store(true)
	_, err = s.Sync(ctx, nil)
	require.Error(t, err)
	v.until(t, Trying)
	b.Stop()
}

// Locking ends the background before the keys are forgotten: after it nothing asks
// the county for anything, and no key is left.
func TestTheLockEndsTheBackground(t *testing.T) {
	for _, when := range []string{"while it rests", "in the middle of a sync", "while somebody syncs by hand"} {
		t.Run(when, func(t *testing.T) {
			s, c, _ := desk(t)
			v := newValley(t, c)
			v.stuck.Store(when != "while it rests")
			b := v.keep(s)
			hand, stop := context.WithCancel(ctx)
			done := make(chan struct{})
			close(done)
			if v.stuck.Load() {
				<-v.waiting
			} else {
				v.until(t, Resting)
			}
			if when == "while somebody syncs by hand" {
				done = make(chan struct{})
				go func() {
					defer close(done)
					_, err := s.Sync(hand, nil)
					require.ErrorIs(t, err, context.Canceled)
				}()
				<-v.waiting
			}
			stop() // as the screen does, which waits for it
			<-done
			require.NoError(t, s.Close())
			v.stuck.Store(false)
			asked := v.asked.Load()
			b.Wake()
			b.Hold() // a straggler
			b.Release()
			require.False(t, s.Keeps())
			require.True(t, s.Office.Keys.Locked())
			require.Zero(t, strings.Trim(string(s.Office.NodeKey), "\x00"), "the key is wiped")
			require.Equal(t, asked, v.asked.Load())
			require.Nil(t, b.stop, "nothing runs any more")
		})
	}
}

// A machine whose enrolment the county ended tries no further, and says whom to ask.
func TestTheBackgroundEndsWithTheEnrolment(t *testing.T) {
	s, c, _ := desk(t)
	v := newValley(t, c)
	own := s.Office.Replica.Identity().Node
	_, err := c.Office.Replica.Write(ctx, c.Office.Replica.Identity().Node, trust.RevokeEdit(own, c.Sample.Code, 0, "丢失"))
	require.NoError(t, err)
	_, err = c.Office.Merger.Seal(ctx, c.Office.NodeKey)
	require.NoError(t, err)
	b := v.keep(s)
	defer b.Stop()
	n := v.until(t, Ended)
	require.True(t, n.NeedsPerson())
	require.Contains(t, s.Said(n), "这台设备的登记已经停用或到期。 记录都还在本机。")
	asked := v.asked.Load()
	b.Wake()
	require.NoError(t, s.ByHand(func() error { return nil })) // and once more after somebody did something
	v.until(t, Ended)
	require.Greater(t, v.asked.Load(), asked)
}

// Where no server is known nothing is tried: such a machine lives by sticks.
func TestNoServerNoBackground(t *testing.T) {
	s, _, _ := desk(t)
	s.Office.Server = ""
	b := s.Keep(ctx, nil)
	require.Equal(t, Off, s.Standing().Pace)
	require.NoError(t, s.ByHand(func() error { return nil }))
	require.Equal(t, Off, s.Standing().Pace)
	b.Stop()
	_, err := os.Stat(s.Office.Dir)
	require.NoError(t, err)
}
