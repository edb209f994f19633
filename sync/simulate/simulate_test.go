package simulate

import (
	"errors"
	"flag"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	seeds = flag.Int("seeds", 2000, "how many lives to play")
	first = flag.Uint64("first", 1, "the first seed")
	most  = flag.Int64("failures", 3, "stop after so many failing seeds")
	one   = flag.Uint64("seed", 0, "play this seed alone and tell its story")
)

// TestSeeds plays lives. A failing seed says itself and its story, and plays the
// same again.
func TestSeeds(t *testing.T) { // invariants 1 to 5 and 7
	if *one != 0 {
		story, err := Play(*one, Options{})
		t.Log("\n" + story)
		require.NoError(t, err)
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // lives are short, and so is what they leave
	var next, failed atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for range runtime.GOMAXPROCS(0) {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				n := next.Add(1)
				if n > int64(*seeds) || failed.Load() >= *most {
					return
				}
				if _, err := Play(*first+uint64(n)-1, Options{}); err != nil {
					failed.Add(1)
					var f *Failure
					if !errors.As(err, &f) {
						t.Error(err)
					}
					t.Errorf("after %s and %d seeds: %v", time.Since(began).Round(time.Millisecond), n, err)
				}
			}
		}()
	}
	group.Wait()
	t.Logf("%d seeds in %s", min(next.Load(), int64(*seeds)), time.Since(began).Round(time.Millisecond))
}

// TestASeedPlaysTheSameAgain: otherwise a failure could not be looked at.
func TestASeedPlaysTheSameAgain(t *testing.T) {
	for seed := uint64(1); seed <= 10; seed++ {
		once, err := Play(seed, Options{})
		require.NoError(t, err)
		again, err := Play(seed, Options{})
		require.NoError(t, err)
		require.Equal(t, once, again)
	}
}

// Seeds that found something, played for ever after. Lives change when deeds are added,
// so each also has a test of its own where the mistake was.
func TestSeedsThatFoundSomething(t *testing.T) {
	for _, seed := range []uint64{5, 6, 21, 35, 88, 167, 419, 427, 690} {
		_, err := Play(seed, Options{})
		require.NoError(t, err)
	}
}
