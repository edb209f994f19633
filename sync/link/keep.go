package link

import (
	"context"
	"errors"
	"time"

	"ironfeet/sync/trust"
)

// How often a node tries by itself: after a success every few minutes, after a failure
// twice as long each time, but never so long that a worker who walks into a valley with
// signal walks out of it unnoticed.
const (
	KeepEvery  = 5 * time.Minute // after a success
	retryFirst = 5 * time.Second
	retryMost  = 10 * time.Minute
)

// A Keeper syncs in the background until its context ends. What it did it says by
// events; it never asks anybody anything.
type Keeper struct {
	Client *Client
	Say    func(Event) // progress of a Sync that runs; may be nil

	// Done is called after each Sync with how long the Keeper rests now; 0: it ends,
	// see Run. May be nil.
	Done func(report Report, err error, rest time.Duration)

	// Wake is sent to, without waiting, when there is a reason to try at once: a visit
	// was signed, or a network came up. May be nil.
	Wake <-chan struct{}

	// Rest is how long it waits before the first Sync, where somebody else has just
	// made one.
	Rest time.Duration
}

// Run syncs at once, or after Rest, and again as time and luck have it. It returns when
// the context ends, or with the error that no trying mends: the county has ended this
// node's enrolment, or the server is not the county's.
func (k *Keeper) Run(ctx context.Context) error {
	wait := k.Client.Wait
	if wait == nil {
		wait = pause
	}
	if k.Rest > 0 {
		if err := k.rest(ctx, wait, k.Rest); err != nil {
			return err
		}
	}
	for failures := 0; ; {
		report, err := k.Client.Sync(ctx, k.Say)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err == nil:
			failures = 0
		case report.BundlesUp+report.BundlesDown+report.PhotosUp+report.PhotosDown > 0:
			failures = 1 // something got through: the link is worth trying soon
		default:
			failures++
		}
		again := next(failures)
		if hopeless(err) {
			again = 0
		}
		if k.Done != nil {
			k.Done(report, err, again)
		}
		if again == 0 {
			return err
		}
		if err := k.rest(ctx, wait, again); err != nil {
			return err
		}
	}
}

// next is how long to wait after so many failures in a row.
func next(failures int) time.Duration {
	if failures == 0 {
		return KeepEvery
	}
	return min(retryFirst<<min(failures-1, 16), retryMost)
}

func (k *Keeper) rest(ctx context.Context, wait func(context.Context, time.Duration) error, d time.Duration) error {
	resting, wake := context.WithCancel(ctx)
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		select {
		case <-k.Wake: // nil: never
			wake()
		case <-resting.Done():
		}
	}()
	err := wait(resting, d)
	wake()
	<-listening // a call that comes later is for the next rest
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, context.Canceled) {
		return nil // woken
	}
	return err
}

// hopeless says that trying again changes nothing until a person acts.
func hopeless(err error) bool {
	var refused *ServerError
	return errors.Is(err, trust.ErrServer) || errors.As(err, &refused) && refused.Fault == "link.ended"
}
