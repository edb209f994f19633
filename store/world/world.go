// Package world is everything a node cannot decide for itself: what time it is,
// what is random, what the disk does, who answers the telephone.
//
// cmd hands in Real; tests and the simulation hand in one that runs from a seed
// and fails on purpose. Nothing below cmd reads the process's clock or its random
// source, so that whatever happened once can be made to happen again.
package world

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/google/uuid"
)

// World is handed to whatever needs the outside.
type World struct {
	Now  func() time.Time // the wall clock: may stand still or jump back
	Rand io.Reader        // ids, keys, nonces; must be safe for use by many at once, see Shared
	Disk Disk             // photos, keys and carriers: any step may fail or stop half-way
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// AtOnce is how many files may be written side by side; below two they are
	// written one after the other, so that what happened once can happen again.
	AtOnce int

	// Keyring is nil where the machine has none, or nobody's session to open it.
	Keyring Keyring
}

// Real is the process's own clock, randomness, disk and network. Only cmd calls it.
func Real() World {
	var dialer net.Dialer
	return World{Now: time.Now, Rand: rand.Reader, Disk: OS{}, AtOnce: 6, Dial: dialer.DialContext}
}

// NewID returns a UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then
// random bits. It panics if the random source ends, as crypto/rand does: an id
// that is not random is worse than none.
func (w World) NewID() uuid.UUID {
	var id uuid.UUID
	if _, err := io.ReadFull(w.Rand, id[6:]); err != nil {
		panic(fmt.Sprintf("world: the random source failed: %v", err))
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(w.Now().UnixMilli(), 0)))
	copy(id[:6], ms[2:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Shared makes a reader safe for many at once: a seeded source usually is not.
func Shared(r io.Reader) io.Reader { return &shared{r: r} }

type shared struct {
	mu sync.Mutex
	r  io.Reader
}

func (s *shared) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.r.Read(p)
}
