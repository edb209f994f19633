package desktop

import (
	"fmt"
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"ironfeet/app/desktop/look"
	"ironfeet/sync/link"
	"ironfeet/sync/merge"
)

// syncScreen says what waits, and sends it by network or by stick.
func (a *App) syncScreen() {
	l, err := a.session.Link(a.ctx)
	if a.fail(err) {
		return
	}
	said := look.Text(a.t("sync_idle", l.Server))
	bar := widget.NewProgressBar()
	bar.Hide()
	var network *widget.Button
	network = look.Primary(a.t("sync_network"), theme.ViewRefreshIcon(), func() {
		network.Disable()
		bar.Show()
		said.SetText(a.t("sync_busy"))
		session := a.session
		go func() {
			rep, err := session.Office.Client().Sync(a.ctx, func(e link.Event) {
				fyne.Do(func() {
					said.SetText(a.t("stage_" + e.Stage))
					if e.Total > 0 {
						bar.SetValue(float64(e.Done) / float64(e.Total))
					}
				})
			})
			fyne.Do(func() {
				network.Enable()
				bar.Hide()
				if a.fail(err) {
					said.SetText(a.t("sync_failed"))
					return
				}
				said.SetText(a.t("sync_done", rep.BundlesUp, rep.PhotosUp, rep.BundlesDown, rep.PhotosDown, rep.Resumed))
			})
		}()
	})
	out := look.Big(a.t("stick_out"), theme.UploadIcon(), func() {
		a.folder(func(dir string) {
			name := filepath.Join(dir, a.t("stick_name", strings.Map(plainName, a.session.Office.Replica.Identity().Name), a.options.World.Now().Format("20060102-150405")))
			s, err := a.session.Office.WriteCarrier(a.ctx, name)
			if !a.fail(err) {
				a.tell(a.t("stick_out_done"), a.t("stick_out_text", filepath.Base(name), s.Changes, s.Blobs, s.Six))
			}
		})
	})
	in := look.Big(a.t("stick_in"), theme.DownloadIcon(), func() {
		open := dialog.NewFileOpen(func(f fyne.URIReadCloser, err error) {
			if a.fail(err) || f == nil {
				return
			}
			f.Close()
			rep, err := a.session.Office.ReadCarrier(a.ctx, f.URI().Path())
			if a.fail(err) {
				return
			}
			aside := 0
			for _, o := range rep.Outcomes {
				if o.Status == merge.StatusAside {
					aside++
				}
			}
			a.tell(a.t("stick_in_done"), a.t("stick_in_text", rep.From, rep.Changes, rep.NewBlobs, aside, rep.Six))
		}, a.win)
		open.SetFilter(storage.NewExtensionFileFilter([]string{".ironfeet"}))
		open.Show()
	})
	waiting, tone := a.t("all_confirmed"), look.Done
	if n := l.Waiting(); n > 0 {
		waiting, tone = a.t("n_waiting", n), look.Notice
	}
	about := container.NewVBox(look.Banner(waiting, tone), pair(a.t("own_changes"), fmt.Sprint(l.Written)), pair(a.t("confirmed"), fmt.Sprint(l.Receipted)))
	if l.Drafts > 0 {
		about.Add(look.Caption(a.t("drafts_stay", l.Drafts)))
	}
	if l.PhotosMissing > 0 {
		about.Add(look.Caption(a.t("photos_missing", l.PhotosMissing)))
	}
	a.show(header{title: a.t("sync"), back: a.home}, look.Middle(760, scroll(container.NewVBox(
		look.Box(about), look.Box(look.Bold(a.t("by_network")), said, bar, network), look.Box(look.Bold(a.t("by_stick")), look.Text(a.t("by_stick_hint")), container.NewGridWithColumns(2, out, in))))))
}

// plainName keeps a name fit for a file's name.
func plainName(r rune) rune {
	if strings.ContainsRune(`/\:*?"<>| （）()`, r) {
		return -1
	}
	return r
}

// folder asks for a folder, such as the stick.
func (a *App) folder(then func(dir string)) {
	dialog.NewFolderOpen(func(d fyne.ListableURI, err error) {
		if a.fail(err) || d == nil {
			return
		}
		then(d.Path())
	}, a.win).Show()
}
