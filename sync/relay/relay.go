// Package relay is a bad link: a TCP relay on loopback that cuts the line where it
// is told to. The demonstration and the tests send a tablet's traffic through it.
package relay

import (
	"io"
	"net"
	"sync"
)

// A Relay passes connections on to a server.
type Relay struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	left  []int64 // bytes towards the server until each coming cut
	cuts  int
	conns map[net.Conn]net.Conn
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
		r.mu.Unlock()
		go func() {
			_, _ = io.Copy(near, far)
			r.drop(near)
		}()
		go func() {
			_, _ = io.Copy(&counted{r, far}, near)
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
		_, _ = near.Close(), far.Close()
		delete(r.conns, near)
	}
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
	if err == nil && allowed < len(p) {
		err = io.ErrShortWrite
	}
	return n, err
}
