package compare

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/tasks"
	"ironfeet/forms/expr"
	"ironfeet/store"
	"ironfeet/store/world"
)

// A Report says what a comparison came to.
type Report struct {
	File, Encoding                     string
	Header                             int
	Titles, Totals                     int // rows above the heading, rows that add up
	Read, Matched, Unmatched, Rejected int
	Levels                             map[Level]int
	Candidates                         int // rejected rows with a level D hint
	Hits                               int // matched rows that fulfil the source's condition
	Alerts, Known                      int // raised now, and raised before by the same facts
	Undecided                          int // matched rows whose condition lacks a value
	Again                              bool
	Result                             *Result
}

// settingMapping is where the mapping of a source is remembered.
func settingMapping(source string) string { return "compare.mapping." + source }

// Preview reads and compares a list and writes nothing.
func Preview(ctx context.Context, r *store.Replica, w world.World, s Source, file string, data []byte) (*Report, error) {
	today := w.Now()
	tables, err := ReadTables(file, data)
	if err != nil {
		return nil, err
	}
	var remembered *Mapping
	if raw, err := r.Setting(ctx, settingMapping(s.Name)); err != nil {
		return nil, err
	} else if raw != nil {
		remembered = &Mapping{}
		if err := json.Unmarshal(raw, remembered); err != nil {
			remembered = nil // a mapping from another version: the headings decide
		}
	}
	l, err := Understand(tables, s, remembered, today)
	if err != nil {
		return nil, err
	}
	res, err := Compare(l, People(ctx, r, today))
	if err != nil {
		return nil, err
	}
	rep := &Report{
		File: l.File, Encoding: l.Encoding, Header: l.Mapping.Header, Titles: len(l.Skipped), Totals: len(l.Totals),
		Read: l.Read, Matched: len(res.Matched), Unmatched: len(res.Unmatched), Rejected: len(res.Rejected),
		Levels: map[Level]int{}, Result: res,
	}
	if rep.Matched+rep.Unmatched+rep.Rejected != rep.Read {
		panic("a row of the list stands in no group or in two")
	}
	for _, m := range res.Matched {
		rep.Levels[m.Level]++
	}
	for _, rej := range res.Rejected {
		if rej.Candidate != "" {
			rep.Candidates++
		}
	}
	return rep, nil
}

// Run compares a list and writes what follows: the list itself and one alert for
// each person and kind, in one transaction. The same facts a second time raise
// nothing; the same file a second time is said (Again).
func Run(ctx context.Context, r *store.Replica, w world.World, author uuid.UUID, s Source, file string, data []byte) (*Report, error) {
	rep, err := Preview(ctx, r, w, s, file, data)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(data)
	listID := uuid.NewSHA1(r.Identity().Node, append([]byte("list/"+s.Name+"/"), digest[:]...))
	if _, err := r.Entity(ctx, listID); err == nil {
		rep.Again = true
	}
	county := r.Identity().Division[:6]
	edits := []store.Edit{{Kind: store.List, Entity: listID, Division: county, Fields: map[string]store.Value{
		"source": store.Text(s.Name), "digest": store.Text(hex.EncodeToString(digest[:])), "name": store.Text(rep.File),
		"rows": store.Int(int64(rep.Read)), "matched": store.Int(int64(rep.Matched)),
		"unmatched": store.Int(int64(rep.Unmatched)), "rejected": store.Int(int64(rep.Rejected)),
	}}}
	// By village, so that a bundle holds one village's alerts.
	hits := slices.SortedStableFunc(slices.Values(rep.Result.Matched), func(a, b Match) int {
		return strings.Compare(a.Person.Division, b.Person.Division)
	})
	raised := map[uuid.UUID]bool{}
	for _, m := range hits {
		hit, decided, err := s.hits(m.Entry)
		if err != nil {
			return nil, err
		}
		if !decided {
			rep.Undecided++
			continue
		}
		if !hit {
			continue
		}
		rep.Hits++
		// One alert for a person, kind and the facts as they stand: a corrected
		// list with other facts raises a new one, the same facts do not.
		detail := s.says(m.Entry)
		id := uuid.NewSHA1(m.Person.ID, []byte("alert/"+s.AlertKind+"/"+detail))
		if raised[id] {
			continue
		}
		raised[id] = true
		if _, err := r.Entity(ctx, id); err == nil {
			rep.Known++
			continue
		}
		rep.Alerts++
		edits = append(edits, store.Edit{Kind: store.Alert, Entity: id, Division: m.Person.Division, Fields: map[string]store.Value{
			"parent": store.Text(m.Person.Household.String()), "state": store.Text(tasks.AlertOpen), "alert_kind": store.Text(s.AlertKind),
			"source": store.Text(s.Name), "level": store.Text(string(m.Level)), "member": store.Text(m.Person.ID.String()),
			"detail": store.Text(m.Person.Name + "：" + detail), "list": store.Text(listID.String()), "row": store.Int(int64(m.Entry.Row)),
			"due": store.Text(w.Now().AddDate(0, 0, s.Days).Format(time.DateOnly)),
		}})
	}
	if rep.Again && rep.Alerts == 0 {
		return rep, nil
	}
	if _, err := r.Write(ctx, author, edits...); err != nil {
		return nil, fmt.Errorf("write the alerts of %s: %w", rep.File, err)
	}
	m, err := json.Marshal(rep.Result.List.Mapping)
	if err != nil {
		return nil, err
	}
	return rep, r.SetSetting(ctx, settingMapping(s.Name), m)
}

// hits evaluates the source's condition over a row, in exact arithmetic: a value
// that is missing decides nothing.
func (s Source) hits(e Entry) (hit, decided bool, err error) {
	if s.condition == nil {
		return true, true, nil
	}
	values := map[string]expr.ExactValue{}
	for name, text := range e.Fields {
		values[name] = expr.ExactText(amount(text))
	}
	v, err := s.condition.Exact(values)
	if err != nil {
		return false, false, &SourceError{s.Name, "condition", err.Error()}
	}
	known, truth := v.Truth()
	return truth, known, nil
}

// amount reads what departments write for money: 12,345.60元, 1.2万元. Anything
// else is left as it stands.
func amount(s string) string {
	t := strings.NewReplacer(",", "", "，", "", " ", "", "￥", "", "¥", "", "元", "").Replace(s)
	if wan, ok := strings.CutSuffix(t, "万"); ok && wan != "" && strings.Trim(wan, "0123456789.") == "" {
		whole, part, _ := strings.Cut(wan, ".")
		if len(part) > 4 {
			return whole + part[:4] + "." + part[4:]
		}
		return whole + part + strings.Repeat("0", 4-len(part))
	}
	return t
}

// WriteRejected writes the rows that could not be compared as a workbook that
// goes back to the department.
func WriteRejected(w io.Writer, rep *Report, say func(code string) string) error {
	f := excelize.NewFile()
	defer f.Close()
	rows := [][]any{{"行号", "姓名", "证件号码（原样）", "问题"}}
	for _, rej := range rep.Result.Rejected {
		rows = append(rows, []any{rej.Row, rej.Name, rej.Got, say(rej.Why)})
	}
	for i, row := range rows {
		if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			return err
		}
	}
	if err := f.SetColWidth("Sheet1", "A", "D", 24); err != nil {
		return err
	}
	return f.Write(w)
}
