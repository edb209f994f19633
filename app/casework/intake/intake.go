// Package intake takes in what sticks and files bring, many at once: each file with
// its progress, what became of its bundles, and six digits to compare by voice.
//
// One bad file stops nothing: a torn one gives its readable part, another county's
// gives nothing and says so, an older one after a newer one changes nothing, and
// what is no carrier is not touched. Reading is idempotent (invariant 2).
package intake

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/carrier"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// Limits of looking through a stick (invariant 10).
const (
	maxEntries = 100_000
	maxDepth   = 4
	maxFiles   = 1000
)

// Gathered is what lies on a stick.
type Gathered struct {
	Files     []string // carriers, by name
	Unrelated int      // other files, which are not touched
	Limited   bool     // there was more than anybody looks through
}

// Gather finds the carriers among files and in folders, three folders deep.
func Gather(d world.Disk, paths ...string) Gathered {
	var g Gathered
	entries := 0
	var walk func(path string, depth int, named bool)
	walk = func(path string, depth int, named bool) {
		if entries++; entries > maxEntries || len(g.Files) >= maxFiles {
			g.Limited = true
			return
		}
		info, err := d.Stat(path)
		if err != nil {
			if named && strings.EqualFold(filepath.Ext(path), carrier.Extension) {
				g.Files = append(g.Files, path) // its error is told when it is read
			}
			return
		}
		switch {
		case info.IsDir() && depth < maxDepth:
			names, err := d.List(path)
			if err != nil {
				return
			}
			for _, name := range names {
				if !strings.HasPrefix(name, ".") {
					walk(filepath.Join(path, name), depth+1, false)
				}
			}
		case info.IsDir():
		case strings.EqualFold(filepath.Ext(path), carrier.Extension):
			g.Files = append(g.Files, path)
		default:
			g.Unrelated++
		}
	}
	for _, p := range paths {
		walk(p, 0, true)
	}
	slices.Sort(g.Files)
	g.Files = slices.Compact(g.Files)
	return g
}

// A File is one carrier and what became of it.
type File struct {
	Path    string
	Size    int64
	State   string // one of the states below
	Read    int64  // bytes so far
	Summary carrier.Summary
	New     int // bundles applied now
	Already int // were here before
	Waiting int // for an earlier bundle or an enrolment
	Aside   int // set aside: the reasons are in Bundles
	Photos  int // that were not here before
	Unasked int // photos that nothing here names
	Bundles []Bundle
	Err     error // why it was not read, or not to its end
}

// States of a file.
const (
	Queued  = "queued"
	Reading = "reading"
	Done    = "done"
	Torn    = "torn"    // the readable part was taken in
	Refused = "refused" // nothing of it was
)

// A Bundle of a file and what became of it.
type Bundle struct {
	From        string // the node's name, or the beginning of its id
	First, Last uint64
	Changes     int
	Status      merge.Status
	Code        string // why it waits or is aside: key of the sentence, and of its hint
}

// Take reads files one after the other. say is told of every step of the file at
// its place, from this goroutine; it may be nil.
func Take(ctx context.Context, of *office.Office, paths []string, say func(i int, f File)) ([]File, error) {
	if say == nil {
		say = func(int, File) {}
	}
	files := make([]File, len(paths))
	for i, p := range paths {
		files[i] = File{Path: p, State: Queued}
		if info, err := of.World.Disk.Stat(p); err == nil {
			files[i].Size = info.Size()
		}
	}
	for i := range files {
		if err := ctx.Err(); err != nil {
			return files, err
		}
		f := &files[i]
		f.State = Reading
		say(i, *f)
		w := of.World
		w.Disk = &watching{Disk: w.Disk, path: f.Path, every: max(f.Size/200, 256<<10), said: func(n int64) {
			f.Read = n
			say(i, *f)
		}}
		report, err := carrier.Import(ctx, w, of.Merger, of.Identity(), f.Path)
		if ctx.Err() != nil {
			return files, ctx.Err()
		}
		f.fill(ctx, of, report, err)
		say(i, *f)
	}
	return files, nil
}

func (f *File) fill(ctx context.Context, of *office.Office, report carrier.ImportReport, err error) {
	f.Summary, f.Photos, f.Unasked, f.Err = report.Summary, report.NewBlobs, report.Unasked, err
	var torn *carrier.TornError
	switch {
	case err == nil:
		f.State, f.Read = Done, f.Size
	case errors.As(err, &torn):
		f.State = Torn
	default:
		f.State = Refused
	}
	roll, rollErr := of.Roll(ctx)
	for _, o := range report.Outcomes {
		switch o.Status {
		case merge.StatusNew, merge.StatusWithheld:
			f.New++
		case merge.StatusAlready:
			f.Already++
		case merge.StatusWaiting:
			f.Waiting++
		case merge.StatusAside:
			f.Aside++
		}
		b := Bundle{From: o.Node.String()[:8], First: o.First, Last: o.Last, Changes: o.Changes, Status: o.Status, Code: codeOf(o.Reason)}
		if rollErr == nil {
			b.From = nameOf(roll, o.Node)
		}
		f.Bundles = append(f.Bundles, b)
	}
}

func codeOf(err error) string {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return ""
}

func nameOf(roll *trust.Roll, node uuid.UUID) string {
	if c, ok := roll.Node(node); ok && c.Name != "" {
		return c.Name
	}
	return node.String()[:8]
}

// watching is a disk that says how far one file has been read.
type watching struct {
	world.Disk
	path  string
	every int64
	said  func(int64)
}

func (w *watching) Open(name string) (world.File, error) {
	f, err := w.Disk.Open(name)
	if err != nil || name != w.path {
		return f, err
	}
	return &watchedFile{File: f, w: w}, nil
}

type watchedFile struct {
	world.File
	w       *watching
	n, told int64
}

func (f *watchedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if f.n += int64(n); f.n-f.told >= f.w.every {
		f.told = f.n
		f.w.said(f.n)
	}
	return n, err
}

// Held is a bundle that waits or was set aside, and where it came from. What to do
// about it is the hint of its code.
type Held struct {
	From        string
	First, Last uint64
	Code        string
	Since       time.Time
	Waits       bool // nothing is wrong with it: what it needs has not come
	Digest      store.Digest
}

// Aside lists everything that waits or was set aside, the oldest first.
func Aside(ctx context.Context, of *office.Office) ([]Held, error) {
	held, err := of.Replica.HeldBundles(ctx)
	if err != nil || len(held) == 0 {
		return nil, err
	}
	roll, err := of.Roll(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Held, len(held))
	for i, h := range held {
		list[i] = Held{From: nameOf(roll, h.Node), First: h.First, Last: h.Last, Code: h.Reason, Since: h.Since, Digest: h.Digest,
			Waits: h.Reason == "bundle.gap" || h.Reason == string(trust.UnknownNode) || h.Reason == string(trust.UnknownPerson)}
	}
	slices.SortStableFunc(list, func(a, b Held) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.First, b.First)) })
	return list, nil
}

// A Watch looks at one folder for carriers that were put there. A file counts when
// it has stood still between two looks: one that is still being copied is not read.
type Watch struct {
	Dir  string
	seen map[string]mark // as of the last look
	took map[string]mark
}

type mark struct {
	size int64
	at   int64
}

// Look returns the files that have come and are whole. Those it returned before it
// returns again only if they have changed.
func (w *Watch) Look(d world.Disk) []string {
	if w.took == nil {
		w.took = map[string]mark{}
	}
	now := map[string]mark{}
	var ready []string
	for _, path := range Gather(d, w.Dir).Files {
		info, err := d.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || err != nil {
			continue
		}
		m := mark{info.Size(), info.ModTime().UnixNano()}
		now[path] = m
		if before, there := w.seen[path]; there && before == m && w.took[path] != m {
			w.took[path] = m
			ready = append(ready, path)
		}
	}
	w.seen = now
	return ready
}
