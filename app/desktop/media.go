package desktop

import (
	"bytes"
	"io"
	"net/url"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"ironfeet/app/casework/publish"
	"ironfeet/app/desktop/look"
	"ironfeet/app/desktop/present"
	"ironfeet/forms"
)

// media are the picture, sound and film that a form has beside a question; nil where
// it has none.
func (q *question) media(n forms.Node) fyne.CanvasObject {
	a := q.view.app
	row := container.New(rowWrap())
	if m, ok := q.view.fill.Medium(a.ctx, n.Image); ok {
		row.Add(a.medium(m, 240, 180))
	}
	for _, cell := range []string{n.Audio, n.Video} {
		m, ok := q.view.fill.Medium(a.ctx, cell)
		if !ok {
			continue
		}
		label, icon := a.t("media_listen"), theme.VolumeUpIcon()
		if cell == n.Video {
			label, icon = a.t("media_watch"), theme.MediaPlayIcon()
		}
		play := look.Big(label, icon, func() { a.play(m) })
		if !m.Here {
			play.SetText(a.t("media_coming"))
			play.Disable()
		}
		row.Add(container.NewCenter(play))
	}
	if len(row.Objects) == 0 {
		return nil
	}
	return row
}

// medium is a form's picture, small; a tap shows all of it.
func (a *App) medium(m present.Medium, w, h float32) fyne.CanvasObject {
	if !m.Here || !m.IsPicture() {
		return look.Least(w, h/2, look.Banner(a.t("media_coming"), look.Plain))
	}
	tile := look.NewTile(a.thumb(m.Digest, w, h), func() { a.showMedium(m) })
	tile.Bare = true
	return tile
}

func (a *App) showMedium(m present.Medium) {
	rd, _, err := a.session.Office.Replica.OpenBlob(a.ctx, m.Digest)
	if a.fail(err) {
		return
	}
	defer rd.Close()
	data, err := io.ReadAll(io.LimitReader(rd, publish.MaxBeside))
	if a.fail(err) {
		return
	}
	picture := canvas.NewImageFromReader(bytes.NewReader(data), m.Name)
	picture.FillMode = canvas.ImageFillContain
	size := a.size()
	picture.SetMinSize(fyne.NewSize(min(560, size.Width-80), min(520, size.Height-240)))
	a.sheet("", picture)
}

// play gives a sound or film to the system's own player.
func (a *App) play(m present.Medium) {
	path, err := a.session.Play(a.ctx, m)
	if a.fail(err) {
		return
	}
	if path, err = filepath.Abs(path); err == nil {
		err = a.openURL(&url.URL{Scheme: "file", Path: filepath.ToSlash(path)})
	}
	if err != nil {
		a.tell(a.t("sorry"), a.t("media_no_player", m.Name))
	}
}

// choiceTile is a choice with its picture above its words, where the form has one.
func (q *question) choiceTile(c forms.Choice, chosen bool, width float32) *look.Tile {
	a := q.view.app
	act := func() { q.choose(c.Name) }
	m, ok := q.view.fill.Medium(a.ctx, c.Image)
	if !ok {
		return look.ChoiceWithin(c.Label, chosen, width, act)
	}
	words := look.ChoiceWithin(c.Label, chosen, width, nil).Content
	picture := look.Least(120, 45, look.Banner(a.t("media_coming"), look.Plain))
	if m.Here && m.IsPicture() {
		picture = a.thumb(m.Digest, min(140, width-24), 105)
	}
	tile := look.NewTile(container.NewVBox(picture, words), act)
	tile.Chosen = chosen
	return tile
}
