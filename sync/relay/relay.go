// Package relay is a bad link: a TCP relay on loopback that is slow, answers late, and
// resets the line where it is told to. The demonstration and the tests send a tablet's
// traffic through it.
package relay

import (
	"io"
	"net"
	"sync"
	"time"
)

// A Relay passes connections on to a server.
type Relay struct {
	listener net.Listener
	target   string

	mu       sync.Mutex
	left     []int64 // bytes towards the server until each coming cut
	cuts     int
	up, down int64 // bytes that went through
	rate     int   // bytes a second in each direction; 0: as fast as it goes
	delay    time.Duration
	conns    map[net.Conn]net.Conn
}

// New listens on a free port of loopback for a server at target (host:port).
func New(target string) (*Relay, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{listener: l, target: target, conns: map[net.Conn]net.Conn{}}
	go r.accept()
	return r, nil
}

// Addr is where the relay listens, host:port.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// CutAfter cuts every connection once so many more bytes have gone to the server.
// Called again, it arms the next cut, counted from the one before.
func (r *Relay) CutAfter(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = append(r.left, bytes)
}

// Slow lets so many bytes a second pass in each direction, and each piece so much
// later. Connections made before keep their speed.
func (r *Relay) Slow(bytesPerSecond int, delay time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rate, r.delay = bytesPerSecond, delay
}

// Bytes are those that went through to the server and back.
func (r *Relay) Bytes() (up, down int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.up, r.down
}

// Cuts is how often the line was cut.
func (r *Relay) Cuts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cuts
}

// Close ends the relay and all connections.
func (r *Relay) Close() error {
	err := r.listener.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut()
	return err
}

func (r *Relay) accept() {
	for {
		near, err := r.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = near.Close() // as when the mast is out of reach
			continue
		}
		r.mu.Lock()
		r.conns[near] = far
		rate, delay := r.rate, r.delay
		r.mu.Unlock()
		go func() {
			_, _ = io.Copy(paced(&backwards{r, near}, rate, delay), far)
			r.drop(near)
		}()
		go func() {
			_, _ = io.Copy(paced(&counted{r, far}, rate, delay), near)
			r.drop(near)
		}()
	}
}

func (r *Relay) drop(near net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if far := r.conns[near]; far != nil {
		_, _ = near.Close(), far.Close()
		delete(r.conns, near)
	}
}

// cut ends every connection; the caller holds the lock.
func (r *Relay) cut() {
	for near, far := range r.conns {
		for _, c := range []net.Conn{near, far} {
			if tcp, ok := c.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // a reset, as a mast does it, and no goodbye
			}
			_ = c.Close()
		}
		delete(r.conns, near)
	}
}

// backwards counts what comes back.
type backwards struct {
	relay *Relay
	near  net.Conn
}

func (b *backwards) Write(p []byte) (int, error) {
	n, err := b.near.Write(p)
	b.relay.mu.Lock()
	defer b.relay.mu.Unlock()
	b.relay.down += int64(n)
	return n, err
}

// paced passes on in small pieces, each at its time.
func paced(to io.Writer, rate int, delay time.Duration) io.Writer {
	if rate == 0 && delay == 0 {
		return to
	}
	return &pacer{to: to, rate: rate, delay: delay, free: time.Now()}
}

type pacer struct {
	to    io.Writer
	rate  int
	delay time.Duration
	free  time.Time // when the line has passed on what it was given
}

const pacedPiece = 2 << 10

func (p *pacer) Write(b []byte) (written int, err error) {
	if now := time.Now(); p.free.Before(now) {
		p.free = now.Add(p.delay) // the first byte after a pause takes the whole way
	}
	for len(b) > 0 {
		piece := b[:min(len(b), pacedPiece)]
		if p.rate > 0 {
			p.free = p.free.Add(time.Duration(len(piece)) * time.Second / time.Duration(p.rate))
		}
		time.Sleep(time.Until(p.free))
		n, err := p.to.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
		b = b[n:]
	}
	return written, nil
}

// counted writes to the server until the next cut is due.
type counted struct {
	relay *Relay
	far   net.Conn
}

func (c *counted) Write(p []byte) (int, error) {
	r := c.relay
	r.mu.Lock()
	allowed := len(p)
	if len(r.left) > 0 {
		if int64(allowed) >= r.left[0] {
			allowed = int(r.left[0])
			defer func() {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.left = r.left[1:]
				r.cuts++
				r.cut()
			}()
		} else {
			r.left[0] -= int64(allowed)
		}
	}
	r.mu.Unlock()
	n, err := c.far.Write(p[:allowed])
	r.mu.Lock()
	r.up += int64(n)
	r.mu.Unlock()
	if err == nil && allowed < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}
