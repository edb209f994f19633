package simulate

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/county"
	"ironfeet/sync/link"
	"ironfeet/sync/merge"
)

// A run is one seed being played.
type run struct {
	ctx    context.Context
	seed   uint64
	random *rand.Rand
	now    time.Time
	dir    string
	nodes  []*node // the county first
	sticks []*stick
	quiet  bool     // nobody dies any more
	late   []letter // requests that are still on their way
	said   strings.Builder
	oracle
}

// A Failure is an invariant that a seed broke.
type Failure struct {
	Seed  uint64
	What  string
	Story string // everything that happened, step by step
}

func (f *Failure) Error() string {
	return fmt.Sprintf("seed %d: %s\n\nwhat happened:\n%s\nagain: go test ./sync/simulate -run TestSeeds -seed %d", f.Seed, f.What, f.Story, f.Seed)
}

// Options say how long a life is.
type Options struct {
	Deeds int // how many things happen; 0: the seed decides, 6 to 21
	Nodes int // how many nodes take part; 0: the seed decides, 3, 4 or all 7
}

// Play plays one seed to its quiet end and checks the invariants. It returns what
// happened, and a *Failure if one does not hold.
func Play(seed uint64, o Options) (story string, err error) {
	dir, err := os.MkdirTemp(scratch(), "ironfeet-run-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	r := &run{ctx: context.Background(), seed: seed, random: rand.New(rand.NewPCG(seed, 0x1f00)), now: begin.Add(time.Hour), dir: dir, oracle: newOracle()}
	defer func() {
		for _, n := range r.nodes {
			n.close()
		}
		story = r.said.String()
		if p := recover(); p != nil {
			broken, ok := p.(broken)
			if !ok {
				panic(fmt.Sprintf("seed %d: %v\n%s", seed, p, story))
			}
			err = &Failure{seed, string(broken), story}
		}
	}()
	if o.Nodes == 0 {
		o.Nodes = 3 + r.random.IntN(2)
		if r.random.IntN(10) == 0 {
			o.Nodes = len(cast)
		}
	}
	if o.Deeds == 0 {
		o.Deeds = 6 + r.random.IntN(16)
	}
	for i, p := range cast[:o.Nodes] {
		n := r.enter(p, p.letter)
		if i > 0 {
			n.skew = r.wrongClock()
		}
	}
	for range o.Deeds {
		r.now = r.now.Add(time.Duration(r.random.Int64N(int64(40 * time.Minute))))
		r.deed()
	}
	r.quieten()
	r.check()
	return r.said.String(), nil
}

// say writes one line of the story.
func (r *run) say(format string, args ...any) {
	fmt.Fprintf(&r.said, "%s  %s\n", r.now.Format("01-02 15:04"), fmt.Sprintf(format, args...))
}

// broken ends a run: an invariant does not hold.
type broken string

func (r *run) fail(format string, args ...any) { panic(broken(fmt.Sprintf(format, args...))) }

// wrongClock is how far a machine's clock is off: most little, some by days, one in
// twenty by years.
func (r *run) wrongClock() time.Duration {
	switch r.random.IntN(20) {
	case 0:
		return time.Duration(r.random.IntN(20)-10) * 365 * 24 * time.Hour
	case 1, 2, 3:
		return time.Duration(r.random.IntN(14)-7) * 24 * time.Hour
	}
	return time.Duration(r.random.IntN(600)-300) * time.Second
}

// A node is one machine with its folder, alive or just dead.
type node struct {
	part
	r       *run
	name    string // "a", or "a'" for a clone
	dir     string
	skew    time.Duration
	random  *rand.ChaCha8
	disk    *Disk
	fuse    int // so many steps into the outside until it dies; 0: it lives
	dead    bool
	cloned  bool // exists twice, or was set back to an old copy
	revoked bool
	liar    bool // signed what it must not

	replica *store.Replica
	merger  *merge.Merger
	server  *county.Server
	backup  *backup
	acked   []store.Change // what was written and said to be saved
}

// crash is what unwinds a process that dies.
type crash struct{ node *node }

// burn is one step into the outside: the process may die in it.
func (n *node) burn() {
	if n.dead {
		panic(crash{n})
	}
	if n.fuse > 0 {
		if n.fuse--; n.fuse == 0 {
			n.dead = true
			panic(crash{n})
		}
	}
}

// Read is the node's randomness.
func (n *node) Read(p []byte) (int, error) {
	n.burn()
	return n.random.Read(p)
}

func (n *node) world() world.World {
	return world.World{Now: func() time.Time { n.burn(); return n.r.now.Add(n.skew) }, Rand: n, Disk: n.disk}
}

// enter puts a node on its stage.
func (r *run) enter(p part, name string) *node {
	s := stages()[p.letter]
	if informed, ok := stages()[p.letter+" informed"]; ok && r.random.IntN(4) > 0 {
		s = informed
	}
	return r.enterOn(p, name, s)
}

func (r *run) enterOn(p part, name string, s stage) *node {
	n := r.place(p, name)
	n.disk = s.disk.Clone(n.burn)
	n.disk.Move(stageDir, n.dir)
	must(os.WriteFile(filepath.Join(n.dir, database), s.db, 0o600))
	n.start()
	return n
}

func (r *run) place(p part, name string) *node {
	n := &node{part: p, r: r, name: name, dir: filepath.Join(r.dir, fmt.Sprint(len(r.nodes)))}
	n.random = rand.NewChaCha8([32]byte{p.n, byte(r.seed), byte(r.seed >> 8), byte(r.seed >> 16), byte(r.seed >> 24), byte(len(r.nodes))})
	must(os.MkdirAll(n.dir, 0o700))
	r.nodes = append(r.nodes, n)
	return n
}

// start opens the folder, as a program that is started does.
func (n *node) start() {
	n.dead, n.fuse = false, 0
	w := n.world()
	v, err := vault.Open(w, n.dir)
	n.r.ok(n, "open the vault", err)
	keys, err := v.Unattended()
	n.r.ok(n, "open the vault", err)
	n.replica, err = store.Open(n.r.ctx, store.Options{World: w, Dir: n.dir, Keys: keys, Unpack: bundle.Decode})
	n.r.ok(n, "open the replica", err)
	n.merger = merge.Knowing(n.replica, enrolled())
	if n.role != "county" || n.n != cast[0].n {
		return
	}
	n.server, err = county.New(county.Options{
		World: w, Replica: n.replica, Merger: n.merger, Root: rootOf(), NodeKey: keyOf(n.n), Dir: n.dir, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	n.r.ok(n, "start the server", err)
}

// ok ends the run where something failed that has no reason to.
func (r *run) ok(n *node, doing string, err error) {
	if err != nil {
		r.fail("%s: %s: %v", n.name, doing, err)
	}
}

func (n *node) close() {
	if n.replica != nil {
		_ = n.replica.Close() // a dead process closes nothing either
		n.replica = nil
	}
}

// restart is the power coming back.
func (n *node) restart() {
	n.close()
	n.fuse, n.dead = 0, false
	n.disk.Crash(n.r.random)
	n.start()
	n.r.say("%s is started again", n.name)
	n.r.promisesHold()
}

// attempt lets a node do something that may end with its death; then it is started
// again. It says whether the node lived.
func (n *node) attempt(do func()) (lived bool) {
	defer func() {
		if p := recover(); p != nil {
			c, ok := p.(crash)
			if !ok {
				panic(p)
			}
			n.r.say("%s dies", c.node.name)
			c.node.restart()
			lived = false
		}
	}()
	do()
	n.fuse = 0
	return true
}

// write writes and remembers what was acknowledged.
func (n *node) write(author byte, edits ...store.Edit) bool {
	by := uuid.Nil
	if author != 0 {
		by = idOf(author)
	}
	return n.attempt(func() {
		changes, err := n.replica.Write(n.r.ctx, by, edits...)
		n.r.ok(n, "write", err)
		n.acked = append(n.acked, changes...)
		if n.r.random.IntN(2) == 0 {
			n.seal()
		}
	})
}

func (n *node) seal() {
	_, err := n.merger.Seal(n.r.ctx, keyOf(n.n))
	n.r.ok(n, "seal", err)
}

func (n *node) client(t *road) *link.Client {
	return &link.Client{
		World: n.world(), Server: "http://localhost", Replica: n.replica, Merger: n.merger, NodeID: idOf(n.n), Key: keyOf(n.n), Transport: t,
		Wait: func(_ context.Context, d time.Duration) error { n.r.now = n.r.now.Add(d); return nil },
	}
}

func (r *run) county() *node { return r.nodes[0] }

// someone is any node but the county's.
func (r *run) someone() *node { return r.nodes[1+r.random.IntN(len(r.nodes)-1)] }

// one of those that satisfy.
func (r *run) oneOf(fits func(*node) bool) *node {
	var list []*node
	for _, n := range r.nodes {
		if fits(n) {
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[r.random.IntN(len(list))]
}
