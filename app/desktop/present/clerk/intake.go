package clerk

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/intake"
	"ironfeet/store/world"
	"ironfeet/sync/merge"
)

// An Arrival is a file that was read, in words.
type Arrival struct {
	intake.File
	Name, State, Tone string
	Said, Hint        string // what went wrong and what to do
	Lines             []string
	Share             float64 // read so far, 0 to 1
}

// Arrival puts a file in words.
func (c *Clerk) Arrival(f intake.File) Arrival {
	a := Arrival{File: f, Name: filepath.Base(f.Path), State: c.T("file_" + f.State)}
	if f.Size > 0 {
		a.Share = min(1, float64(f.Read)/float64(f.Size))
	}
	switch f.State {
	case intake.Done:
		a.Tone = "done"
		if f.Aside > 0 {
			a.Tone = "notice"
		}
	case intake.Torn:
		a.Tone = "notice"
	case intake.Refused:
		a.Tone = "urgent"
	default:
		a.Tone = "plain"
	}
	if f.Err != nil {
		a.Said, a.Hint = c.S.Say.Error(f.Err)
	}
	if f.State != intake.Done && f.State != intake.Torn {
		return a
	}
	add := func(n int, key string) {
		if n > 0 {
			a.Lines = append(a.Lines, c.T(key, n))
		}
	}
	add(f.New, "bundles_new")
	add(f.Already, "bundles_already")
	add(f.Waiting, "bundles_waiting")
	add(f.Aside, "bundles_aside")
	add(f.Photos, "photos_new")
	add(f.Unasked, "photos_unasked")
	if len(a.Lines) == 0 {
		a.Lines = []string{c.T("bundles_none")}
	}
	return a
}

// Bundles are what became of a file's bundles that were not simply taken in.
func (c *Clerk) Bundles(f intake.File) (lines []string) {
	for _, b := range f.Bundles {
		if b.Status == merge.StatusWaiting || b.Status == merge.StatusAside {
			lines = append(lines, fmt.Sprintf("%s %d–%d　%s", b.From, b.First, b.Last, c.S.Say.Say(b.Code, nil)))
		}
	}
	return lines
}

// Gather finds what can be read among files and folders.
func (c *Clerk) Gather(paths ...string) intake.Gathered {
	return intake.Gather(c.S.Office.World.Disk, paths...)
}

// Take reads files; say hears of each step from another goroutine than the
// screen's, if Take is called from one.
func (c *Clerk) Take(ctx context.Context, paths []string, say func(i int, f intake.File)) ([]intake.File, error) {
	files, err := intake.Take(ctx, c.S.Office, paths, say)
	if err != nil {
		return files, err
	}
	return files, c.Refresh(ctx)
}

// Held is what waits or was set aside, in words.
type Held struct {
	Title, Said, Hint string
	Waits             bool
}

// Aside lists what waits or was set aside, with what to do.
func (c *Clerk) Aside(ctx context.Context) ([]Held, error) {
	list, err := intake.Aside(ctx, c.S.Office)
	if err != nil {
		return nil, err
	}
	out := make([]Held, len(list))
	for i, h := range list {
		out[i] = Held{Title: c.T("held_line", h.From, h.First, h.Last, c.at(h.Since, "01-02 15:04")), Said: c.S.Say.Say(h.Code, h), Waits: h.Waits}
		if c.S.Say.Has(h.Code + ".hint") {
			out[i].Hint = c.S.Say.Say(h.Code+".hint", h)
		}
	}
	return out, nil
}

const settingWatched = "desk.watched"

// Watched is the folder that is looked into by itself, "" if there is none.
func (c *Clerk) Watched(ctx context.Context) (string, error) {
	raw, err := c.S.Office.Replica.Setting(ctx, settingWatched)
	return string(raw), err
}

// SetWatched names the folder to be looked into; "" ends it.
func (c *Clerk) SetWatched(ctx context.Context, dir string) error {
	return c.S.Office.Replica.SetSetting(ctx, settingWatched, []byte(dir))
}

// maxCalendar bounds a calendar or deadline file.
const maxCalendar = 64 << 10

// LoadCalendar takes a year's holidays and make-up days from a file.
func (c *Clerk) LoadCalendar(ctx context.Context, path string) (year int, err error) {
	data, err := world.ReadFile(c.S.Office.World.Disk, path, maxCalendar)
	if err != nil {
		return 0, err
	}
	if year, err = calendar.Load(ctx, c.S.Office.Replica, path, data); err != nil {
		return 0, err
	}
	return year, c.Refresh(ctx)
}

// CalendarKnown says whether this year's and the next deadline's calendar are here.
func (c *Clerk) CalendarKnown() (years []int, ahead bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.days.Years(), c.days.Knows(c.S.Office.World.Now().AddDate(0, 0, 60).Year())
}

// LookEvery is how often a watched folder is looked into.
const LookEvery = 5 * time.Second
