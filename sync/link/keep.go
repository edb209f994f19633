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
	keepEvery  = 5 * time.Minute
	retryFirst = 5 * time.Second
	retryMost  = 10 * time.Minute
)

// A Keeper syncs in the background until its context ends. What it did it says by
// events; it never asks anybody anything.
type Keeper struct {
	Client *Client
	Say    func(Event)         // progress of a Sync that runs; may be nil
	Done   func(Report, error) // after each Sync; may be nil

	// Wake is sent to, without waiting, when there is a reason to try at once: a visit
	// was signed, or a network came up. May be nil.
	Wake <-chan struct{}
}

// Run syncs at once, and again as time and luck have it. It returns when the context
// ends, or with the error that no trying mends: the county has ended this node's
// enrolment, or the server is not the county's.
func (k *Keeper) Run(ctx context.Context) error {
	wait := k.Client.Wait
	if wait == nil {
		wait = pause
	}
	for failures := 0; ; {
		report, err := k.Client.Sync(ctx, k.Say)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if k.Done != nil {
			k.Done(report, err)
		}
		switch {
		case err == nil:
			failures = 0
		case hopeless(err):
			return err
		case report.BundlesUp+report.BundlesDown+report.PhotosUp+report.PhotosDown > 0:
			failures = 1 // something got through: the link is worth trying soon
		default:
			failures++
		}
		if err := k.rest(ctx, wait, next(failures)); err != nil {
			return err
		}
	}
}

// next is how long to wait after so many failures in a row.
func next(failures int) time.Duration {
	if failures == 0 {
		return keepEvery
	}
	return min(retryFirst<<min(failures-1, 16), retryMost)
}

func (k *Keeper) rest(ctx context.Context, wait func(context.Context, time.Duration) error, d time.Duration) error {
	resting, wake := context.WithCancel(ctx)
	defer wake()
	if k.Wake != nil {
		go func() {
			select {
			case <-k.Wake:
				wake()
			case <-resting.Done():
			}
		}()
	}
	err := wait(resting, d)
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
