package practice

import (
	"sync"
	"time"
)

// A Clock goes on by itself whenever it is looked at, as time
// does while somebody fills a form, so that what is made in a second looks as it
// does in the field. It may be looked at by many at once.
type Clock struct {
	mu   sync.Mutex
	now  time.Time
	tick time.Duration
}

// NewClock stands at a time and goes on by tick each time it is looked at.
func NewClock(at time.Time, tick time.Duration) *Clock { return &Clock{now: at, tick: tick} }

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(c.tick)
	return c.now
}

// Pass lets time pass: the way to the next door.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// By lets a node's people work by this clock; what it returns gives theirs back.
func (c *Clock) By(n *Node) (restore func()) {
	was := n.Office.World.Now
	n.Office.World.Now = c.Now
	return func() { n.Office.World.Now = was }
}
