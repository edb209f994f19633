package present

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"ironfeet/sync/link"
	"ironfeet/sync/trust"
)

// A Pace is what the background is doing.
type Pace string

const (
	Off     Pace = ""        // nothing happens by itself: no server, or the settings say so
	Talking Pace = "talking" // a sync runs
	Resting Pace = "resting" // all is brought; the next time comes by itself
	Trying  Pace = "trying"  // no way to the county now; tried again by itself
	Held    Pace = "held"    // a person syncs by hand, or works with a stick
	Ended   Pace = "ended"   // no trying mends it: a person must act
)

// A Standing is how the talk with the county goes by itself.
type Standing struct {
	Pace  Pace
	Stage string    // of the sync that runs: push, pull, photos, fetch
	Part  float64   // how much of the stage is done; negative: not known
	Last  time.Time // when everything was brought up and down last; zero: never yet
	Next  time.Time // when it tries again
	Err   error     // of the last try
	News  int       // how much has come in since the session began: changes and photos
}

// A Background keeps a machine in step with its county while its person is at work.
// It lives between unlocking and locking, as the keys do; it waits while somebody
// syncs by hand, and asks nobody anything.
type Background struct {
	session *Session
	ctx     context.Context
	tell    func(Standing)
	wait    func(context.Context, time.Duration) error // nil: the real passing of time
	wake    chan struct{}

	turn  sync.Mutex // one holds, lets go or stops at a time
	held  int
	ended bool
	stop  context.CancelFunc // of the Keeper that runs; nil: none does
	done  chan struct{}      // closed when it has ended

	mu  sync.Mutex
	now Standing
}

// settingSynced is where a machine keeps when it last brought everything.
const settingSynced = "app.synced"

// Keep begins to sync in the background, at once. tell hears of every change, from
// the background's goroutine; it must not wait for whoever might be closing the
// session.
func (s *Session) Keep(ctx context.Context, tell func(Standing)) *Background {
	return s.keep(ctx, tell, nil)
}

func (s *Session) keep(ctx context.Context, tell func(Standing), wait func(context.Context, time.Duration) error) *Background {
	b := &Background{session: s, ctx: ctx, tell: tell, wait: wait, wake: make(chan struct{}, 1)}
	b.now.Part = -1
	b.now.Last = s.lastSynced(ctx)
	s.background = b
	if s.Office.Server != "" {
		b.begin(0)
	}
	return b
}

// Standing is how it goes now.
func (b *Background) Standing() Standing {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// Wake has it try at once: a visit was signed, a network came up.
func (b *Background) Wake() {
	select {
	case b.wake <- struct{}{}:
	default: // it is about to try anyway
	}
}

// Hold stops it and returns when it has stopped: what a person does by hand goes
// alone. Every Hold is followed by one Release.
func (b *Background) Hold() {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.held++
	b.end()
	if b.session.Office.Server != "" {
		b.change(func(n *Standing) { n.Pace, n.Stage, n.Part = Held, "", -1 })
	}
}

// Release lets it go on after a Hold.
func (b *Background) Release() { b.release(0) }

// ReleaseAfter lets it go on after a sync that was made by hand.
func (b *Background) ReleaseAfter(report link.Report, err error) {
	if err != nil {
		b.release(0)
		return
	}
	b.synced(report)
	b.release(link.KeepEvery)
}

func (b *Background) release(rest time.Duration) {
	b.turn.Lock()
	defer b.turn.Unlock()
	if b.held--; b.held == 0 && !b.ended && b.session.Office.Server != "" {
		b.begin(rest)
	}
}

// Stop ends it and returns when it has ended: nothing uses the session's keys any
// more.
func (b *Background) Stop() {
	b.turn.Lock()
	defer b.turn.Unlock()
	b.end()
	b.ended = true
}

// end stops the Keeper that runs and waits for it.
func (b *Background) end() {
	if b.stop == nil {
		return
	}
	b.stop()
	<-b.done
	b.stop, b.done = nil, nil
}

// begin starts a Keeper that rests for so long first.
func (b *Background) begin(rest time.Duration) {
	ctx, stop := context.WithCancel(b.ctx)
	done := make(chan struct{})
	b.stop, b.done = stop, done
	client := b.session.Office.Client()
	client.Wait = b.wait
	k := &link.Keeper{Client: client, Wake: b.wake, Rest: rest, Say: b.heard, Done: b.finished}
	b.change(func(n *Standing) {
		n.Pace, n.Part = Resting, -1
		if n.Next = b.session.Office.World.Now().Add(rest); rest == 0 {
			n.Pace = Talking
		}
	})
	go func() {
		defer close(done)
		_ = k.Run(ctx) // finished has heard of what it ends with
	}()
}

func (b *Background) heard(e link.Event) {
	b.change(func(n *Standing) {
		n.Pace, n.Stage, n.Part = Talking, e.Stage, -1
		if e.Total > 0 {
			n.Part = float64(e.Done) / float64(e.Total)
		}
	})
}

func (b *Background) finished(report link.Report, err error, rest time.Duration) {
	if err == nil {
		b.synced(report)
	}
	b.change(func(n *Standing) {
		n.Pace, n.Stage, n.Part, n.Err = Resting, "", -1, err
		n.Next = b.session.Office.World.Now().Add(rest)
		switch {
		case err == nil:
			return
		case rest == 0:
			n.Pace = Ended
		default:
			n.Pace = Trying
		}
		n.News += report.Changes + report.PhotosDown
	})
}

// synced notes that everything was brought.
func (b *Background) synced(report link.Report) {
	at := b.session.noteSynced(b.ctx)
	b.change(func(n *Standing) { n.Last, n.Err, n.News = at, nil, n.News+report.Changes+report.PhotosDown })
}

// noteSynced keeps when everything was brought, for the days after.
func (s *Session) noteSynced(ctx context.Context) time.Time {
	at := s.Office.World.Now()
	_ = s.Office.Replica.SetSetting(ctx, settingSynced, []byte(at.Format(time.RFC3339))) // said again next time
	return at
}

func (b *Background) change(how func(*Standing)) {
	b.mu.Lock()
	how(&b.now)
	now := b.now
	b.mu.Unlock()
	if b.tell != nil {
		b.tell(now)
	}
}

// Keeps says whether something is synced by itself.
func (s *Session) Keeps() bool { return s.background != nil }

// LeaveOff ends what syncs by itself, and returns when it has ended.
func (s *Session) LeaveOff() {
	if s.background != nil {
		s.background.Stop()
		s.background = nil
	}
}

// Standing is how the talk with the county goes by itself.
func (s *Session) Standing() Standing {
	if s.background == nil {
		return Standing{Part: -1, Last: s.lastSynced(context.Background())}
	}
	return s.background.Standing()
}

// Wake has the background try at once, where there is one.
func (s *Session) Wake() {
	if s.background != nil {
		s.background.Wake()
	}
}

// ByHand does something with the county or a stick while the background waits.
func (s *Session) ByHand(do func() error) error {
	if b := s.background; b != nil {
		b.Hold()
		defer b.Release()
	}
	return do()
}

// Sync brings everything up and down once, by hand.
func (s *Session) Sync(ctx context.Context, say func(link.Event)) (link.Report, error) {
	b := s.background
	if b == nil {
		report, err := s.Office.Client().Sync(ctx, say)
		if err == nil {
			s.noteSynced(ctx)
		}
		return report, err
	}
	b.Hold()
	client := s.Office.Client()
	client.Wait = b.wait
	report, err := client.Sync(ctx, say)
	b.ReleaseAfter(report, err)
	return report, err
}

// Said is a Standing in one calm sentence. No signal is the usual case in a valley
// and no error; what a person must act upon is said with what to do.
func (s *Session) Said(n Standing) string {
	last := s.T("kept_never")
	if !n.Last.IsZero() {
		last = s.T("kept_last", s.moment(n.Last))
	}
	switch n.Pace {
	case Talking:
		if n.Stage == "" {
			return s.T("kept_talking")
		}
		if n.Part >= 0 {
			return s.T("stage_"+n.Stage) + s.T("kept_part", int(n.Part*100))
		}
		return s.T("stage_" + n.Stage)
	case Resting:
		return last + s.T("kept_resting")
	case Trying:
		var away *link.UnreachableError
		if errors.As(n.Err, &away) {
			return s.T("kept_no_signal") + last
		}
		said, _ := s.Error(n.Err)
		return said + s.T("kept_again", s.moment(n.Next))
	case Held:
		return s.T("kept_held")
	case Ended:
		said, hint := s.Error(n.Err)
		return strings.TrimSpace(said + " " + hint)
	}
	return last + s.T("kept_off")
}

// moment is a time of day, with its day unless that is today.
func (s *Session) moment(at time.Time) string {
	now := s.Office.World.Now()
	at = at.In(now.Location())
	if at.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return at.Format("15:04")
	}
	return at.Format("01-02 15:04")
}

// NeedsPerson says whether a Standing is one that a person must act upon.
func (n Standing) NeedsPerson() bool {
	return n.Pace == Ended || n.Pace == Trying && !errors.As(n.Err, new(*link.UnreachableError)) || errors.Is(n.Err, trust.ErrServer)
}
