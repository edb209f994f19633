package link

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHowLongAKeeperWaits(t *testing.T) {
	for failures, want := range []time.Duration{KeepEvery, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 320 * time.Second, retryMost, retryMost} {
		require.Equal(t, want, next(failures), "after %d failures", failures)
	}
	require.Equal(t, retryMost, next(1000))
}

func TestAKeeperIsWokenAndStops(t *testing.T) {
	wake := make(chan struct{}, 1)
	k := &Keeper{Wake: wake}
	wake <- struct{}{}
	require.NoError(t, k.rest(t.Context(), pause, time.Hour), "woken long before the hour")

	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.ErrorIs(t, k.rest(ctx, pause, time.Hour), context.Canceled)
}

func TestWhatNoTryingMends(t *testing.T) {
	require.True(t, hopeless(&ServerError{403, "link.ended"}))
	require.False(t, hopeless(&ServerError{429, "link.busy"}))
	require.False(t, hopeless(&UnreachableError{"x", errors.New("no route")}))
}
