package desktop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/sync/link"
	"ironfeet/sync/merge"
)

// A job runs beside the screen, with a bar and a way to stop it. What it calls goes
// through say.
type job struct {
	app    *App
	said   *widget.Label
	bar    *widget.ProgressBar
	stop   *widget.Button
	starts []*widget.Button // not while it runs
	cancel context.CancelFunc
	over   chan struct{} // closed when the work has ended
}

func (a *App) newJob(idle string) *job {
	j := &job{app: a, said: look.Text(idle), bar: widget.NewProgressBar()}
	j.stop = look.Big(a.t("stop"), theme.CancelIcon(), func() {
		if j.cancel != nil {
			j.cancel()
		}
	})
	j.bar.Hide()
	j.stop.Hide()
	return j
}

// run does work in a goroutine; done is called with its error on the screen's own,
// unless the session was locked meanwhile. What was stopped is said to be stopped, and
// never done.
func (j *job) run(text string, work func(ctx context.Context) error, done func(error)) {
	if j.cancel != nil {
		return
	}
	a, session := j.app, j.app.session
	ctx, cancel := context.WithCancel(a.ctx)
	over := make(chan struct{})
	j.cancel, j.over = cancel, over
	for _, b := range j.starts {
		b.Disable()
	}
	look.SetText(j.said, text)
	j.bar.SetValue(0)
	j.bar.Show()
	j.stop.Show()
	go func() {
		err := work(ctx)
		cancel()
		close(over)
		a.post(func() {
			j.cancel = nil
			if a.session != session {
				return
			}
			for _, b := range j.starts {
				b.Enable()
			}
			j.bar.Hide()
			j.stop.Hide()
			if errors.Is(err, context.Canceled) {
				look.SetText(j.said, a.t("stopped"))
				return
			}
			done(err)
		})
	}()
}

// running says whether it is at work: the machine must not lock itself then.
func (j *job) running() bool { return j.cancel != nil }

// end stops the work and waits until it has ended: another screen comes, or the
// folder is about to be locked.
func (j *job) end() {
	if j.cancel != nil {
		j.cancel()
		<-j.over
	}
}

// say reports from the work's goroutine.
func (j *job) say(text string, part float64) {
	j.app.post(func() {
		if text != "" {
			look.SetText(j.said, text)
		}
		if part >= 0 {
			j.bar.SetValue(part)
		}
		look.Touched()
	})
}

// syncScreen says what waits, and sends it by network or by stick.
func (a *App) syncScreen() {
	l, err := a.session.Link(a.ctx)
	if a.fail(err) {
		return
	}
	a.class = a.widthNow()
	session := a.session
	idle := a.t("sync_idle", l.Server)
	if l.Server == "" {
		idle = a.t("sync_nowhere")
	}
	j := a.newJob(idle)
	var fill func() // says anew what the county has
	network := look.Primary(a.t("sync_network"), theme.ViewRefreshIcon(), func() {
		var rep link.Report
		j.run(a.t("sync_busy"), func(ctx context.Context) (err error) {
			rep, err = session.Sync(ctx, func(e link.Event) {
				part := -1.0
				if e.Total > 0 {
					part = float64(e.Done) / float64(e.Total)
				}
				j.say(a.t("stage_"+e.Stage), part)
			})
			return err
		}, func(err error) {
			fill()
			if a.fail(err) {
				look.SetText(j.said, a.t("sync_failed"))
				return
			}
			look.SetText(j.said, a.t("sync_done", rep.BundlesUp, rep.PhotosUp, rep.BundlesDown, rep.PhotosDown, rep.Resumed))
		})
	})
	out := look.Big(a.t("stick_out"), theme.UploadIcon(), func() { a.folder(func(to place) { a.writeStick(j, to, idle) }) })
	in := look.Big(a.t("stick_in"), theme.DownloadIcon(), func() {
		a.openFile([]string{".ironfeet"}, func(name string, open func() (io.ReadCloser, error)) { a.readStick(j, name, open, idle) })
	})
	room, err := session.Room(a.ctx)
	if a.fail(err) {
		return
	}
	free := look.Big(a.t("room_free"), theme.DeleteIcon(), func() {
		var freed float64
		j.run(a.t("room_busy"), func(ctx context.Context) error {
			return session.ByHand(func() (err error) {
				freed, err = session.MakeRoom(ctx)
				return err
			})
		}, func(err error) {
			if !a.fail(err) {
				a.syncScreen()
				a.tell(a.t("room_done"), a.t("room_freed", freed))
			}
		})
	})
	spare := a.t("room_none")
	if room.Spare > 0 {
		spare = a.t("room_spare", room.Photos, room.Spare)
	}
	j.starts = []*widget.Button{network, out, in}
	if room.Spare > 0 {
		j.starts = append(j.starts, free)
	} else {
		free.Disable()
	}
	if l.Server == "" {
		network.Disable()
	}
	about := container.NewVBox()
	fill = func() {
		about.Objects = a.linkLines()
		if l, err := session.Link(a.ctx); err == nil {
			about.Add(container.New(look.Tight(), pair(a.t("own_changes"), fmt.Sprint(l.Written)), pair(a.t("confirmed"), fmt.Sprint(l.Receipted))))
			if l.Drafts > 0 {
				about.Add(look.Caption(a.t("drafts_stay", l.Drafts)))
			}
		}
		about.Refresh()
	}
	fill()
	line, say := a.keptLine()
	kept := func(n present.Standing) {
		say(n)
		if n.Pace != present.Talking {
			fill()
		}
	}
	a.show(header{title: a.t("sync"), back: a.home, leave: j.end, busy: j.running, kept: kept}, look.Middle(760, scroll(container.NewVBox(
		look.Box(about), look.Box(look.Bold(a.t("by_network")), line, j.said, j.bar, j.stop, network),
		look.Box(look.Bold(a.t("by_stick")), look.Text(a.t("by_stick_hint")), container.New(rowWrap(), out, in)),
		look.Box(look.Bold(a.t("room")), look.Text(a.t("room_taken", room.Taken)), look.Caption(spare), free)))))
}

// writeStick writes everything into one file on the stick. It is said to be there
// when it is, whole and on the disk, and not a moment before.
func (a *App) writeStick(j *job, to place, idle string) {
	session := a.session
	name := a.t("stick_name", strings.Map(plainName, session.Office.Replica.Identity().Name), a.options.World.Now().Format("20060102-150405"))
	var text string
	j.run(a.t("stick_out_busy"), func(ctx context.Context) error {
		return session.ByHand(func() error {
			return present.OfStick(to.put(a.options, name, func(path string) error {
				s, err := session.Office.WriteCarrier(ctx, path)
				text = a.t("stick_out_text", name, s.Changes, s.Blobs, s.Six)
				return err
			}), true)
		})
	}, func(err error) {
		look.SetText(j.said, idle)
		if !a.fail(err) {
			a.tell(a.t("stick_out_done"), text)
		}
	})
}

// readStick takes in what a stick brought.
func (a *App) readStick(j *job, name string, open func() (io.ReadCloser, error), idle string) {
	session := a.session
	var text string
	j.run(a.t("stick_in_busy"), func(ctx context.Context) error {
		return session.ByHand(func() error {
			return present.OfStick(local(a.options, name, open, func(path string) error {
				rep, err := session.Office.ReadCarrier(ctx, path)
				aside := 0
				for _, o := range rep.Outcomes {
					if o.Status == merge.StatusAside {
						aside++
					}
				}
				text = a.t("stick_in_text", rep.From, rep.Changes, rep.NewBlobs, aside, rep.Six)
				return err
			}), false)
		})
	}, func(err error) {
		look.SetText(j.said, idle)
		if !a.fail(err) {
			a.tell(a.t("stick_in_done"), text)
		}
	})
}

// plainName keeps a name fit for a file's name.
func plainName(r rune) rune {
	if strings.ContainsRune(`/\:*?"<>| （）()`, r) {
		return -1
	}
	return r
}
