package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store/world"
)

// DemoCmd runs the main job from end to end on the fictitious Yunqi County, on
// real files, with a real server process on loopback. Every step checks its own
// result; the first that is not as it should be ends the demonstration with
// status 1.
type DemoCmd struct {
	Dir        string `type:"path" help:"Keep everything in this new folder; without it a temporary one is used and named." placeholder:"DIR"`
	Households int    `default:"120" help:"Households of the sample county, at least 120."`
}

// A DemoFolderError means the folder named cannot take a demonstration.
type DemoFolderError struct {
	Dir string
	Why string // finished, unfinished, foreign
}

func (e *DemoFolderError) Error() string {
	switch e.Why {
	case "finished":
		return e.Dir + ": holds a finished demonstration; nothing was touched"
	case "unfinished":
		return e.Dir + ": is in use by a demonstration that is running, or holds one that was broken off; nothing was touched"
	}
	return e.Dir + ": is not empty and holds no demonstration; nothing was touched"
}

// Code is the key of the sentence.
func (e *DemoFolderError) Code() string { return "demo." + e.Why }

// Marks in the demonstration's folder.
const (
	demoBegun = "begun"
	demoDone  = "done"
)

func (c *DemoCmd) Run(o *Output) error {
	if c.Households < 120 {
		return &DemoSizeError{c.Households}
	}
	dir, err := demoFolder(c.Dir)
	if err != nil {
		return err
	}
	s := &story{
		out: o.Out, lang: o.Lang, dir: dir, world: world.Real(), began: time.Now(),
		county: yunqi.New(yunqi.Seed, c.Households), shelf: &publish.Shelf{},
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for _, chapter := range []struct {
		title string
		tell  func(context.Context) error
	}{
		{"The county 云栖县 is set up", s.foundCounty},
		{"Form and standards are published", s.publishWorkbooks},
		{"Three department lists are compared (大数据比对)", s.compareLists},
		{"Two tablets and a township computer enrol", s.enrolNodes},
		{"Visits, without any network (铁脚板)", s.visitHouseholds},
		{"Tablet A syncs over a bad link; tablet B goes by stick", s.bringHome},
		{"The township merges and reviews", s.review},
		{"The county determines, exports and proves", s.determine},
		{"What came back", s.comeBack},
		{"The county is backed up; a tablet makes room", s.backUp},
	} {
		s.chapter(chapter.title)
		if err := chapter.tell(ctx); err != nil {
			return fmt.Errorf("step %d, %s: %w", s.step, chapter.title, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, demoDone), []byte("done\n"), 0o600); err != nil {
		return err
	}
	s.end()
	return nil
}

// A DemoSizeError means too few households for the story.
type DemoSizeError struct{ Households int }

func (e *DemoSizeError) Error() string {
	return fmt.Sprintf("%d households are too few for the story; at least 120 are needed", e.Households)
}

// Code is the key of the sentence.
func (e *DemoSizeError) Code() string { return "demo.size" }

// demoFolder takes a new or empty folder for this demonstration alone.
func demoFolder(dir string) (string, error) {
	if dir == "" {
		dir, err := os.MkdirTemp("", "ironfeet-demo-")
		if err != nil {
			return "", err
		}
		return dir, os.WriteFile(filepath.Join(dir, demoBegun), nil, 0o600)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, demoDone)); err == nil {
		return "", &DemoFolderError{dir, "finished"}
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	// Only one of two that start at the same moment can make the mark.
	mark, err := os.OpenFile(filepath.Join(dir, demoBegun), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return "", &DemoFolderError{dir, "unfinished"}
	}
	if err != nil {
		return "", err
	}
	if len(list) > 0 {
		return "", errors.Join(&DemoFolderError{dir, "foreign"}, mark.Close(), os.Remove(mark.Name()))
	}
	return dir, mark.Close()
}

// story is the demonstration as it goes on.
type story struct {
	out     io.Writer
	lang    string
	dir     string
	world   world.World
	began   time.Time
	step    int
	county  *yunqi.County
	shelf   *publish.Shelf
	server  *serverProcess
	offices []*office.Office

	hall     *office.Office // the county's folder, while no server has it
	clerk    person
	listen   string // host:port of the county's server
	tablets  [2]*tablet
	town     *practice.Node
	shared   uuid.UUID // the household both tablets visit
	returned uuid.UUID // a household of tablet A's whose visit is returned
	stick    string
	evening  time.Time // of the day in the field: when the township reviews
}

func (s *story) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *story) chapter(title string) {
	s.step++
	fmt.Fprintf(s.out, "\n%d. %s\n", s.step, title)
}

// tell prints one line of the story.
func (s *story) tell(format string, args ...any) {
	fmt.Fprintf(s.out, "   "+format+"\n", args...)
}

// check is a result that must hold; what names it.
func check(ok bool, what string, args ...any) error {
	if ok {
		return nil
	}
	return &CheckError{fmt.Sprintf(what, args...)}
}

// A CheckError means a step's result is not what it should be.
type CheckError struct{ What string }

func (e *CheckError) Error() string { return "not as it should be: " + e.What }

// Code is the key of the sentence.
func (e *CheckError) Code() string { return "demo.check" }

// keep remembers an office to be closed at the end.
func (s *story) keep(o *office.Office) *office.Office {
	s.offices = append(s.offices, o)
	return o
}

// leave closes an office now.
func (s *story) leave(o *office.Office) error {
	for i, kept := range s.offices {
		if kept == o {
			s.offices = append(s.offices[:i], s.offices[i+1:]...)
			return o.Close()
		}
	}
	return nil
}

func (s *story) close() {
	if s.server != nil {
		s.server.kill()
	}
	for _, o := range s.offices {
		o.Close()
	}
}

func (s *story) end() {
	fmt.Fprintf(s.out, "\nDone in %.1f s. Everything is in %s\n", time.Since(s.began).Seconds(), s.dir)
	s.tell("county    %s   (%s is the key to verify with)", s.path("county"), filepath.Join("county", office.PublicKeyFile))
	s.tell("township  %s", s.path("township"))
	s.tell("tablets   %s, %s", s.path("tablet-a"), s.path("tablet-b"))
	s.tell("exports   %s", s.path("exports"))
	s.tell("open the app on tablet A:   make app DATA=%s      or: ironfeet --demo --data %s   (PIN %s)", s.dir, s.path("tablet-a"), practice.PIN)
	s.tell("start the county's server:  make serve DATA=%s    or: ironfeetd serve --data %s --listen 127.0.0.1:8642", s.dir, s.path("county"))
	s.tell("then open the console:      http://127.0.0.1:8642      clerk, approver, guardian, auditor or admin (password %s)", demoPassword)
}
