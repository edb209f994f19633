package present

import (
	"bufio"
	"context"
	"errors"
	"image"
	_ "image/jpeg" // copies
	"io"
	"math"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/google/uuid"

	"ironfeet/app/casework/visit"
	"ironfeet/store"
)

// An Intake takes pictures in beside the screen, one after the other: a picture of
// twelve megapixels takes half a second of work and 30 MB while it is made smaller,
// so that never two are at it at once, and the screen is not asked to wait.
type Intake struct {
	replica *store.Replica
	done    func(Arrived) // called from the intake's goroutine

	mu      sync.Mutex
	waiting map[string]int // by question
	queue   []Incoming
	running bool // until done has heard of the last picture
	stopped bool
	ctx     context.Context
	cancel  context.CancelFunc
}

// Incoming is a picture on its way into a question.
type Incoming struct {
	Path string // of the question
	Name string // of the file, to speak of it
	Open func() (io.ReadCloser, error)
	From visit.Origin
}

// Arrived is a picture that is durable, or why it is none.
type Arrived struct {
	Incoming
	Photo   store.Photo
	Blurred bool // a hint, never a refusal
	Err     error
}

// intakeMost bounds what may wait.
const intakeMost = 200

// NewIntake begins to take in; done is called from another goroutine.
func (s *Session) NewIntake(ctx context.Context, done func(Arrived)) *Intake {
	ctx, cancel := context.WithCancel(ctx)
	return &Intake{replica: s.Office.Replica, done: done, waiting: map[string]int{}, ctx: ctx, cancel: cancel}
}

// Add puts a picture into the queue; false when the queue is full or closed.
func (i *Intake) Add(in Incoming) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.stopped || len(i.queue) >= intakeMost {
		return false
	}
	i.queue = append(i.queue, in)
	i.waiting[in.Path]++
	if !i.running {
		i.running = true
		go i.work()
	}
	return true
}

// Waiting is how many pictures are on their way into a question; "" into any.
func (i *Intake) Waiting(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if path != "" {
		return i.waiting[path]
	}
	sum := 0
	for _, n := range i.waiting {
		sum += n
	}
	return sum
}

// Idle says whether done has heard of every picture.
func (i *Intake) Idle() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !i.running
}

// Stop drops what waits. A picture that is being taken in is finished: it is
// durable, and garbage if no visit comes to name it.
func (i *Intake) Stop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stopped, i.queue = true, nil
	i.cancel()
}

func (i *Intake) work() {
	for {
		i.mu.Lock()
		if len(i.queue) == 0 {
			i.running = false
			i.mu.Unlock()
			return
		}
		in := i.queue[0]
		i.queue = i.queue[1:]
		i.mu.Unlock()
		out := i.take(in)
		// The planes of one picture are twenty to forty MB of garbage, and the collector
		// would wait until the heap has doubled: on a tablet of 2 GB that is too late.
		runtime.GC()
		i.mu.Lock()
		i.waiting[in.Path]--
		stopped := i.stopped
		i.mu.Unlock()
		if !stopped {
			i.done(out)
		}
	}
}

func (i *Intake) take(in Incoming) Arrived {
	out := Arrived{Incoming: in}
	f, err := in.Open()
	if err != nil {
		out.Err = err
		return out
	}
	defer f.Close()
	r := bufio.NewReader(f)
	head, _ := r.Peek(12)
	if visit.IsHEIC(head) {
		out.Err = &visit.PhotoError{Why: "heic"}
		return out
	}
	if out.Photo, out.Err = i.replica.PutPhoto(i.ctx, r, visit.MaxPhotoBytes); out.Err != nil {
		var large *store.BlobTooLargeError
		if errors.As(out.Err, &large) {
			out.Err = &visit.PhotoError{Why: "too_large"}
		}
		return out
	}
	out.Blurred = i.blurred(out.Photo.Digest)
	return out
}

// blurred looks at the copy that was kept.
func (i *Intake) blurred(d store.Digest) bool {
	r, _, err := i.replica.OpenBlob(i.ctx, d)
	if err != nil {
		return false
	}
	defer r.Close()
	img, _, err := image.Decode(r)
	if err != nil {
		return false
	}
	return Sharpness(img) < leastSharp
}

// leastSharp is the sharpness below which a picture is said to be blurred. A sharp
// photo of a room has 0.1 and more, the same out of focus by 8 pixels under 0.01.
const leastSharp = 0.018

// Sharpness is how much of a picture's contrast lies between neighbouring pixels:
// the mean square of the Laplacian over the variance of brightness, in the middle of
// the picture. A single even surface has no contrast and is not called blurred.
func Sharpness(img image.Image) float64 {
	light := lightOf(img)
	b := img.Bounds()
	x0, x1 := b.Dx()/6, b.Dx()-b.Dx()/6
	y0, y1 := b.Dy()/6, b.Dy()-b.Dy()/6
	if x1-x0 < 16 || y1-y0 < 16 {
		return 1
	}
	var sum, squares, edges float64
	n := 0.0
	for y := y0 + 1; y < y1-1; y += 2 {
		for x := x0 + 1; x < x1-1; x += 2 {
			v := light(x, y)
			l := 4*v - light(x-1, y) - light(x+1, y) - light(x, y-1) - light(x, y+1)
			sum, squares, edges = sum+v, squares+v*v, edges+l*l
			n++
		}
	}
	mean := sum / n
	variance := squares/n - mean*mean
	if variance < 9 {
		return 1
	}
	return edges / n / variance
}

func lightOf(img image.Image) func(x, y int) float64 {
	b := img.Bounds()
	if y, ok := img.(*image.YCbCr); ok {
		return func(px, py int) float64 { return float64(y.Y[y.YOffset(b.Min.X+px, b.Min.Y+py)]) }
	}
	return func(px, py int) float64 {
		r, g, bl, _ := img.At(b.Min.X+px, b.Min.Y+py).RGBA()
		return math.Round((0.299*float64(r) + 0.587*float64(g) + 0.114*float64(bl)) / 257)
	}
}

// A Slot is one picture that the visit wants, in the order of the form: the
// checklist of evidence (domain.md §4.10).
type Slot struct {
	Path, Label string
	Required    bool
	Photos      []visit.Photo
	Excused     bool
}

// Slots is the checklist of a visit's pictures, those of each instance among them.
func Slots(v *visit.Visit) []Slot {
	var out []Slot
	for _, p := range Pages(v) {
		for _, n := range p.Nodes {
			if n.Type != "image" || n.Calculated {
				continue
			}
			s := Slot{Path: n.Path, Label: fallback(n), Required: n.Required, Photos: v.Photos()[n.Path]}
			if p.Repeat {
				s.Label = p.Label + " " + n.Path[len(p.Path):][1:max(1, indexOr(n.Path[len(p.Path):], ']'))] + " · " + s.Label
			}
			_, s.Excused = v.Excused(n.Path)
			out = append(out, s)
		}
	}
	return out
}

func indexOr(s string, b byte) int {
	for i := range len(s) {
		if s[i] == b {
			return i
		}
	}
	return len(s)
}

// Keep makes a picture that has arrived the answer of its question.
func (f *Filling) Keep(ctx context.Context, a Arrived) error {
	f.touched[a.Path] = true
	if _, err := f.Visit.AddTaken(ctx, a.Path, a.Photo, a.From); err != nil {
		return err
	}
	f.Question = a.Path
	f.refresh()
	return nil
}

// KeepFile stores a sound, a film or a document as the answer.
func (f *Filling) KeepFile(ctx context.Context, path, name string, r io.Reader) error {
	f.touched[path] = true
	if _, err := f.Visit.AddFile(ctx, path, filepath.Base(name), r); err != nil {
		return err
	}
	f.refresh()
	return nil
}

// KeepDrawing stores a drawing as the answer of a question that asks for one.
func (f *Filling) KeepDrawing(ctx context.Context, path string, png io.Reader) error {
	f.touched[path] = true
	for _, old := range f.Visit.Photos()[path] { // a drawing is drawn anew, not added
		if err := f.Visit.RemovePhoto(ctx, path, old.Digest); err != nil {
			return err
		}
	}
	if _, err := f.Visit.AddPhoto(ctx, path, png); err != nil {
		return err
	}
	f.refresh()
	return nil
}

// Drop takes a picture out of the visit.
func (f *Filling) Drop(ctx context.Context, path string, d store.Digest) error {
	err := f.Visit.RemovePhoto(ctx, path, d)
	f.refresh()
	return err
}

// PlaceOfPhotos is the place that a picture of the visit carries, if one does: what
// a receiver could not say, the camera may have known.
func (f *Filling) PlaceOfPhotos() string {
	for _, s := range Slots(f.Visit) {
		for _, p := range s.Photos {
			if p.Place != "" {
				return p.Place
			}
		}
	}
	return ""
}

// Target is the question that a picture without a place of its own goes to: the
// one that was last at hand if it takes pictures, else the first on the page that
// still wants one.
func (f *Filling) Target() string {
	first := ""
	for _, n := range f.Questions() {
		if n.Type != "image" || n.ReadOnly {
			continue
		}
		if n.Path == f.Question {
			return n.Path
		}
		if first == "" && len(f.Visit.Photos()[n.Path]) == 0 {
			first = n.Path
		}
	}
	if first != "" {
		return first
	}
	for _, s := range Slots(f.Visit) {
		if s.Required && len(s.Photos) == 0 && !s.Excused {
			return s.Path
		}
	}
	return ""
}

// VisitID is the visit's id.
func (f *Filling) VisitID() uuid.UUID { return f.Visit.ID }
