package clerk

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/notice"
	"ironfeet/app/casework/overview"
	"ironfeet/app/casework/visit"
	"ironfeet/app/export/plain"
	"ironfeet/app/export/posting"
	"ironfeet/store"
	"ironfeet/store/world"
)

// A Sheet is a notice in words.
type Sheet struct {
	notice.Sheet
	Title, State, Days, Tone string
}

// Sheets lists the notices, the newest first, and what is to be posted yet.
func (c *Clerk) Sheets(ctx context.Context) (sheets []Sheet, pending []notice.Draftable, err error) {
	r := c.S.Office.Replica
	list, err := notice.List(ctx, r, c.division())
	if err != nil {
		return nil, nil, err
	}
	for _, s := range list {
		x := Sheet{Sheet: s, Title: posting.Title(&s), State: c.T("sheet_" + s.State), Tone: "plain"}
		if s.From != "" {
			x.Days = c.T("sheet_days", s.From, s.Until)
			if !s.Sure {
				x.Days += c.T("not_sure")
			}
		}
		switch {
		case s.State == notice.Posted && c.Today() >= s.Until:
			x.State, x.Tone = c.T("sheet_over"), "notice"
		case s.State == notice.Posted:
			x.Tone = "done"
		}
		sheets = append(sheets, x)
	}
	pending, err = notice.Pending(ctx, r, c.division(), c.S.Office.World.Now())
	return sheets, pending, err
}

// DraftTitle is what a sheet that is not made yet will be called.
func (c *Clerk) DraftTitle(d notice.Draftable) string {
	return posting.Title(&notice.Sheet{Village: d.Village, Procedure: d.Procedure, Opinions: d.Opinions})
}

// MakeSheet makes a draft.
func (c *Clerk) MakeSheet(ctx context.Context, d notice.Draftable) (uuid.UUID, error) {
	return notice.Make(ctx, c.Reviewer(), d)
}

// Sheet reads one notice.
func (c *Clerk) Sheet(ctx context.Context, id uuid.UUID) (Sheet, error) {
	list, _, err := c.Sheets(ctx)
	if err != nil {
		return Sheet{}, err
	}
	for _, s := range list {
		if s.ID == id {
			return s, nil
		}
	}
	return Sheet{}, store.ErrNotFound
}

// PostingEnds is the last day of a posting that begins today.
func (c *Clerk) PostingEnds(ctx context.Context, procedure string) (string, error) {
	until, sure, err := notice.Last(ctx, c.S.Office.Replica, procedure, c.S.Office.World.Now())
	text := until.Format(time.DateOnly)
	if !sure {
		text += c.T("not_sure")
	}
	return text, err
}

// photo stores a photograph from a file.
func (c *Clerk) photo(ctx context.Context, path string) (store.BlobRef, error) {
	data, err := world.ReadFile(c.S.Office.World.Disk, path, visit.MaxPhotoBytes)
	if err != nil {
		return store.BlobRef{}, err
	}
	if !isPicture(data) {
		return store.BlobRef{}, &visit.PhotoError{Why: "no_photo", Size: int64(len(data))}
	}
	return c.S.Office.Replica.PutBlob(ctx, bytes.NewReader(data), visit.MaxPhotoBytes)
}

func isPicture(data []byte) bool {
	return bytes.HasPrefix(data, []byte("\xff\xd8\xff")) || bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n"))
}

// Post puts a sheet up today, with the photograph in a file.
func (c *Clerk) Post(ctx context.Context, s Sheet, place, photo string) error {
	ref, err := c.photo(ctx, photo)
	if err != nil {
		return err
	}
	return notice.Post(ctx, c.Reviewer(), &s.Sheet, c.S.Office.World.Now(), place, ref)
}

// CloseSheet takes a sheet down, with the photograph of its last day.
func (c *Clerk) CloseSheet(ctx context.Context, s Sheet, photo string) error {
	ref, err := c.photo(ctx, photo)
	if err != nil {
		return err
	}
	return notice.Close(ctx, c.Reviewer(), &s.Sheet, ref)
}

// CancelSheet gives a sheet up.
func (c *Clerk) CancelSheet(ctx context.Context, s Sheet, reason string) error {
	return notice.Cancel(ctx, c.Reviewer(), &s.Sheet, reason)
}

// Object records an objection; its new survey uses the form of the household's last
// visit.
func (c *Clerk) Object(ctx context.Context, s Sheet, household uuid.UUID, who, text string) error {
	form := ""
	for _, card := range c.Desk.Box.All() {
		if card.Household == household {
			form = card.Form
		}
	}
	if form == "" {
		if forms, err := c.S.Forms(ctx); err == nil && len(forms) > 0 {
			form = forms[0].ID
		}
	}
	_, err := notice.Object(ctx, c.Reviewer(), &s.Sheet, household, who, text, form)
	return err
}

// AnswerObjection ends an objection.
func (c *Clerk) AnswerObjection(ctx context.Context, s Sheet, o notice.Objection, outcome, answer string) error {
	return notice.Answer(ctx, c.Reviewer(), &o, s.Division, outcome, answer)
}

// Print writes a sheet as PDF and XLSX into a folder and says where. Nothing that is
// there is overwritten.
func (c *Clerk) Print(ctx context.Context, s Sheet, dir string) ([]string, error) {
	head := posting.Letterhead{Office: c.S.Office.Replica.Identity().Name}
	if raw, err := c.S.Office.Replica.Setting(ctx, settingOffice); err == nil && len(raw) > 0 {
		head.Office = string(raw)
	}
	var pdf, xlsx bytes.Buffer
	if _, err := posting.PDF(&pdf, &s.Sheet, head); err != nil {
		return nil, err
	}
	if err := posting.XLSX(&xlsx, &s.Sheet, head); err != nil {
		return nil, err
	}
	var paths []string
	for _, f := range []struct {
		ext  string
		data []byte
	}{{".pdf", pdf.Bytes()}, {".xlsx", xlsx.Bytes()}} {
		path, err := c.write(filepath.Join(dir, safe(s.Title)+"-"+strings.ReplaceAll(c.Today(), "-", "")), f.ext, f.data)
		if err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// settingOffice is whose name stands under a notice.
const settingOffice = "desk.office"

// write puts a new file beside those that are there.
func (c *Clerk) write(name, ext string, data []byte) (string, error) {
	path := name + ext
	for n := 2; ; n++ {
		if _, err := c.S.Office.World.Disk.Stat(path); err != nil {
			return path, world.WriteFile(c.S.Office.World.Disk, path, data)
		}
		path = fmt.Sprintf("%s-%d%s", name, n, ext)
	}
}

// safe keeps a name fit for a file's name.
func safe(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>| （）()`, r) {
			return -1
		}
		return r
	}, name)
}

// Overview counts the township's work.
func (c *Clerk) Overview(ctx context.Context) (overview.Overview, error) {
	return overview.Of(ctx, c.S.Office.Replica, c.Desk.Box, c.division(), c.S.Office.World.Now(), c.Who)
}

// OverviewHeads are the columns of the overview's villages.
func (c *Clerk) OverviewHeads() []string {
	return []string{c.T("col_village"), c.T("col_households"), c.T("col_open"), c.T("col_overdue"), c.T("col_visited"), c.T("col_waiting"), c.T("col_returned"), c.T("col_accepted"), c.T("col_escalated"), c.T("col_unconfirmed")}
}

// OverviewRow is a village's row.
func (c *Clerk) OverviewRow(v overview.Village) []int {
	return []int{v.Households, v.Open, v.Overdue, v.Visited, v.Waiting, v.Returned, v.Accepted, v.Escalated, v.Unconfirmed}
}

// ExportOverview writes the overview as a workbook into a folder.
func (c *Clerk) ExportOverview(ctx context.Context, dir string) (string, error) {
	o, err := c.Overview(ctx)
	if err != nil {
		return "", err
	}
	villages := plain.Sheet{Name: c.T("by_village"), Heads: c.OverviewHeads()}
	row := func(v overview.Village) []any {
		line := []any{v.Name}
		for _, n := range c.OverviewRow(v) {
			line = append(line, n)
		}
		return line
	}
	for _, v := range o.Villages {
		villages.Rows = append(villages.Rows, row(v))
	}
	o.Total.Name = c.T("total")
	villages.Rows = append(villages.Rows, row(o.Total))
	workers := plain.Sheet{Name: c.T("by_worker"), Heads: []string{c.T("col_worker"), c.T("col_visited"), c.T("col_waiting"), c.T("col_returned"), c.T("col_accepted"), c.T("col_last")}}
	for _, w := range o.Workers {
		workers.Rows = append(workers.Rows, []any{w.Name, w.Visited, w.Waiting, w.Returned, w.Accepted, c.at(w.Last, time.DateOnly)})
	}
	var b bytes.Buffer
	if err := plain.XLSX(&b, villages, workers); err != nil {
		return "", err
	}
	return c.write(filepath.Join(dir, safe(c.T("overview")+"-"+strings.ReplaceAll(o.Day, "-", ""))), ".xlsx", b.Bytes())
}

// Export writes the shown lines of the inbox as a workbook into a folder.
func (in *Inbox) Export(ctx context.Context, dir string) (string, error) {
	c := in.c
	sheet := plain.Sheet{Name: c.T("inbox"), Heads: []string{c.T("col_deadline"), c.T("col_village"), c.T("col_name"), c.T("col_ended"), c.T("col_worker"), c.T("col_marks")}}
	for i, at := range in.Shown {
		w, l := &in.All[at], in.Line(ctx, i)
		var marks []string
		for _, m := range l.Marks {
			marks = append(marks, m.Text)
		}
		sheet.Rows = append(sheet.Rows, []any{w.Due, l.Village, l.Name, c.at(w.Ended, "2006-01-02 15:04"), c.Whos(w.Workers), strings.Join(marks, "；")})
	}
	var b bytes.Buffer
	if err := plain.XLSX(&b, sheet); err != nil {
		return "", err
	}
	return c.write(filepath.Join(dir, safe(c.T("inbox")+"-"+strings.ReplaceAll(c.Today(), "-", ""))), ".xlsx", b.Bytes())
}
