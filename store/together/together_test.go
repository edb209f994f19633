package together_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"ironfeet/store/together"
)

// What comes while a turn is being taken is taken together in the next, in the order
// of its coming, and each is answered only then.
func TestWhoWaitsIsTakenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := together.Queue[int]{Most: 3}
		hold := make(chan struct{})
		var turns [][]int
		take := func(items []int) error {
			turns = append(turns, slices.Clone(items))
			<-hold
			if slices.Contains(items, 3) {
				return errors.New("no room for three")
			}
			return nil
		}
		answers := make([]error, 6)
		done := 0
		var mu sync.Mutex
		for i := range answers {
			go func() {
				err := q.Do(i, take)
				mu.Lock()
				defer mu.Unlock()
				answers[i] = err
				done++
			}()
			synctest.Wait()
		}
		require.Equal(t, [][]int{{0}}, turns)
		require.Zero(t, done, "nobody is answered before")
		hold <- struct{}{}
		synctest.Wait()
		require.Equal(t, 1, done)
		require.Equal(t, []int{1, 2, 3}, turns[1])
		hold <- struct{}{}
		synctest.Wait()
		require.Equal(t, 4, done)
		hold <- struct{}{}
		synctest.Wait()
		require.Equal(t, [][]int{{0}, {1, 2, 3}, {4, 5}}, turns)
		for i, err := range answers {
			require.Equal(t, i >= 1 && i <= 3, err != nil, "%d: %v", i, err)
		}
	})
}

// A leader who panics leaves nobody waiting, and claims nothing.
func TestALeaderBreaksDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := together.Queue[int]{Most: 10, Size: 100, Large: func(n int) int { return n }}
		hold := make(chan struct{})
		take := func(items []int) error {
			<-hold
			if slices.Contains(items, 90) {
				panic("broken")
			}
			return nil
		}
		answers := map[int]error{}
		var mu sync.Mutex
		for _, n := range []int{1, 90, 20, 30} { // 30 no longer fits beside the two
			go func() {
				defer func() { _ = recover() }()
				err := q.Do(n, take)
				mu.Lock()
				defer mu.Unlock()
				answers[n] = err
			}()
			synctest.Wait()
		}
		for range 3 {
			hold <- struct{}{}
			synctest.Wait()
		}
		require.Equal(t, map[int]error{1: nil, 20: together.ErrLeader, 30: nil}, answers)
	})
}
