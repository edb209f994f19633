//go:build unix

package clerk_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/review"
	"ironfeet/app/desktop/present"
	"ironfeet/app/desktop/present/clerk"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/store/world"
)

// flood is a township's session with so many visits waiting.
func flood(tb testing.TB, n int) *present.Session {
	tb.Helper()
	ctx := context.Background()
	c, err := practice.SetUp(ctx, world.Real(), tb.TempDir(), 96, "township")
	require.NoError(tb, err)
	tb.Cleanup(func() { c.Close() })
	require.NoError(tb, c.Flood(ctx, n))
	town := c.Nodes["township"]
	return present.Start(town.Office, town.People[0].ID, town.People[0].Name, words.In("zh"))
}

// BenchmarkOpenInboxOf5000 opens the desk as a clerk does in the morning, the cards
// being there since the visits came: the limit is 300 ms.
func BenchmarkOpenInboxOf5000(b *testing.B) {
	ctx := context.Background()
	s := flood(b, 5000)
	began := time.Now()
	first, err := clerk.Open(ctx, s)
	require.NoError(b, err)
	_, err = first.Inbox(ctx)
	require.NoError(b, err)
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms_after_import")
	began = time.Now()
	require.NoError(b, first.Look(ctx))
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms_checks")
	spent := cpu()
	for b.Loop() {
		c, err := clerk.Open(ctx, s)
		require.NoError(b, err)
		in, err := c.Inbox(ctx)
		require.NoError(b, err)
		require.Len(b, in.All, 5000)
		for i := range 12 { // what fits on the screen
			in.Line(ctx, i)
		}
	}
	b.ReportMetric(float64((cpu()-spent).Milliseconds())/float64(b.N), "cpu_ms") // what it takes on a machine that nobody shares
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/300e6, "of_300ms")
}

// cpu is the time this process has computed.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMoveInInboxOf5000 is one key: the line left and the line reached are made
// anew. The limit is 16 ms.
func BenchmarkMoveInInboxOf5000(b *testing.B) {
	ctx := context.Background()
	s := flood(b, 5000)
	c, err := clerk.Open(ctx, s)
	require.NoError(b, err)
	in, err := c.Inbox(ctx)
	require.NoError(b, err)
	b.ResetTimer()
	for i := range b.N {
		if !in.Move(1) {
			in.Move(-len(in.Shown))
		}
		in.Line(ctx, in.At)
		in.Line(ctx, max(0, in.At-1))
		if i%50 == 49 {
			in.Narrow(review.Filter{Text: "韦"})
			in.Narrow(review.Filter{})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16e6, "of_16ms")
}
