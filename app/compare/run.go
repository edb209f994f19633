package compare

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/alerts"
	"ironfeet/forms/expr"
	"ironfeet/store"
	"ironfeet/store/world"
)

// A Report says what a comparison came to. Read = Matched + Unmatched + Rejected,
// always: each row stands in exactly one of them.
type Report struct {
	*List
	Matched, Unmatched int
	Rejected           []Rejected
	Levels             map[Level]int
	Candidates         int            // rejected rows with a hint of level D or E
	Twice              int            // rows about a number that two people of the registry have
	ByKind             map[string]int // hits by kind
	Hits               []alerts.Hit   // matched rows that fulfil a kind's condition
	Undecided          int            // matched rows whose condition lacks a value
	Raised             alerts.Raised
	Again              bool // this very file was compared before
	Withdrawn          int  // open alerts of earlier lists of the source that this list no longer names
}

// Options of a comparison.
type Options struct {
	Mapping *Mapping // by hand; nil: as remembered, else by the headings
	// Corrects says that the list replaces an earlier one of its source: alerts that
	// it no longer names are marked so. Nobody closes them but a person.
	Corrects bool
}

// settingMapping is where the mapping of a source is remembered.
func settingMapping(source string) string { return "compare.mapping." + source }

// About answers what is asked of single people only: reading it for everybody would
// take longer than the comparison. Its functions may be nil and then know nothing.
type About struct {
	Record func(Person, alerts.Values) alerts.Values // ${registry.…}
	Place  func(Person) string                       // village and address, for rows without a number
}

// Compare lays a list beside people: the comparison itself, without a replica.
func Compare(k *alerts.Kinds, s *alerts.Source, f *File, people iter.Seq2[Person, error], today time.Time, mapping *Mapping,
	about About) (*Report, error) {
	g, err := newRegistry(people)
	if err != nil {
		return nil, err
	}
	rep := &Report{List: &List{}, Levels: map[Level]int{}, ByKind: map[string]int{}}
	m := matcher{g: g, today: today, place: about.Place}
	var row *Entry
	index := map[string]int{}
	for i, f := range s.Fields {
		index[f.Name] = i
	}
	fields := func(name string) (expr.ExactValue, bool) {
		i, ok := index[name]
		if !ok {
			return expr.ExactMissing(name), false
		}
		if v := row.Fields[i]; !v.Unread && v.Text != "" {
			return expr.ExactText(v.Text), true
		}
		return expr.ExactMissing(name), true
	}
	d := reading{kinds: k, source: s, remembered: mapping, today: today, list: rep.List}
	d.visit = func(e *Entry) error {
		match, ok, rejected := m.match(e)
		switch {
		case rejected != nil:
			rep.Rejected = append(rep.Rejected, *rejected)
			if rejected.Candidate != "" {
				rep.Candidates++
			}
			return nil
		case !ok:
			rep.Unmatched++
			return nil
		}
		rep.Matched++
		rep.Levels[match.Level]++
		if match.Twice {
			rep.Twice++
		}
		row = e
		e.fill()
		values := alerts.Values(fields)
		if about.Record != nil {
			values = about.Record(match.Person, fields)
		}
		undecided := false
		for _, kind := range s.Kinds {
			holds, decided := kind.Holds(values, today)
			if !decided {
				undecided = true
				continue
			}
			if !holds {
				continue
			}
			rep.ByKind[kind.Kind]++
			rep.Hits = append(rep.Hits, alerts.Hit{
				Kind: kind, Member: match.Person.ID, Household: match.Person.Household, Division: match.Person.Division, Name: match.Person.Name,
				Detail: kind.Says(values), Source: s.Name, Level: string(match.Level), Row: e.Row, Period: kind.Period.Of(today),
				Due: today.AddDate(0, 0, kind.Days).Format(time.DateOnly),
			})
		}
		if undecided {
			rep.Undecided++
		}
		return nil
	}
	if err := d.read(f); err != nil {
		return nil, err
	}
	if rep.Matched+rep.Unmatched+len(rep.Rejected) != rep.Read {
		panic("a row of the list stands in no group or in two")
	}
	return rep, nil
}

// Preview reads and compares a list and writes nothing.
func Preview(ctx context.Context, r *store.Replica, w world.World, k *alerts.Kinds, s *alerts.Source, f *File, o Options) (*Report, error) {
	if s == nil {
		return nil, errNoSource
	}
	today := w.Now()
	mapping := o.Mapping
	if mapping == nil {
		raw, err := r.Setting(ctx, settingMapping(s.Name))
		if err != nil {
			return nil, err
		}
		if raw != nil {
			mapping = &Mapping{}
			if err := json.Unmarshal(raw, mapping); err != nil {
				mapping = nil // a mapping from another version: the headings decide
			}
		}
	}
	record := func(p Person, more alerts.Values) alerts.Values {
		var member, household *store.Entity
		return func(name string) (expr.ExactValue, bool) {
			if !strings.HasPrefix(name, "registry.") {
				return more(name)
			}
			if member == nil { // read only where a condition asks
				member, _ = r.Entity(ctx, p.ID)
				household, _ = r.Entity(ctx, p.Household)
			}
			return alerts.Record(member, household, today, more)(name)
		}
	}
	place := func(p Person) string {
		h, err := r.Entity(ctx, p.Household)
		if err != nil {
			return ""
		}
		return h.Text("village") + " " + h.Text("address")
	}
	rep, err := Compare(k, s, f, People(ctx, r, today), today, mapping, About{record, place})
	if err != nil {
		return nil, err
	}
	id := rep.listID(r, s)
	for i := range rep.Hits {
		rep.Hits[i].List = id
	}
	if _, err := r.Entity(ctx, id); err == nil {
		rep.Again = true
	}
	rep.Raised, _, err = alerts.Plan(ctx, r, today, rep.Hits)
	return rep, err
}

func (rep *Report) listID(r *store.Replica, s *alerts.Source) uuid.UUID {
	return uuid.NewSHA1(r.Identity().Node, append([]byte("list/"+s.Name+"/"), rep.Digest[:]...))
}

// Run compares a list and writes what follows, in one transaction: the list itself
// and one alert for each person, kind and period. The same facts a second time
// raise nothing; the same file a second time is said (Again).
func Run(ctx context.Context, r *store.Replica, w world.World, author uuid.UUID, k *alerts.Kinds, s *alerts.Source, f *File, o Options) (*Report, error) {
	rep, err := Preview(ctx, r, w, k, s, f, o)
	if err != nil {
		return nil, err
	}
	_, edits, err := alerts.Plan(ctx, r, w.Now(), rep.Hits)
	if err != nil {
		return nil, err
	}
	id := rep.listID(r, s)
	if o.Corrects {
		withdrawn, err := rep.withdraw(ctx, r, s, id)
		if err != nil {
			return nil, err
		}
		rep.Withdrawn = len(withdrawn)
		edits = append(edits, withdrawn...)
	}
	if rep.Again && len(edits) == 0 {
		return rep, nil
	}
	list := store.Edit{Kind: store.List, Entity: id, Division: r.Identity().Division[:6], Fields: map[string]store.Value{
		"source": store.Text(s.Name), "digest": store.Text(hex.EncodeToString(rep.Digest[:])), "name": store.Text(rep.File),
		"rows": store.Int(int64(rep.Read)), "matched": store.Int(int64(rep.Matched)), "compared_on": store.Text(w.Now().Format(time.DateOnly)),
		"unmatched": store.Int(int64(rep.Unmatched)), "rejected": store.Int(int64(len(rep.Rejected))), "kinds": store.Text(k.Version),
	}}
	if _, err := r.Write(ctx, author, append([]store.Edit{list}, edits...)...); err != nil {
		return nil, fmt.Errorf("write the alerts of %s: %w", rep.File, err)
	}
	m, err := json.Marshal(rep.List.Mapping)
	if err != nil {
		return nil, err
	}
	return rep, r.SetSetting(ctx, settingMapping(s.Name), m)
}

// withdraw marks what earlier lists of the source said and this one does not.
func (rep *Report) withdraw(ctx context.Context, r *store.Replica, s *alerts.Source, list uuid.UUID) ([]store.Edit, error) {
	named := map[uuid.UUID]bool{}
	for _, h := range rep.Hits {
		named[h.ID()] = true
	}
	all, err := alerts.List(ctx, r, "", "")
	if err != nil {
		return nil, err
	}
	var edits []store.Edit
	for _, a := range all {
		if a.Text("source") != s.Name || a.Text("state") == alerts.Closed || named[a.ID] || a.Text("list") == list.String() || a.Text("withdrawn") != "" {
			continue
		}
		edits = append(edits, store.Edit{Kind: store.Alert, Entity: a.ID, Division: a.Division, Fields: map[string]store.Value{"withdrawn": store.Text(list.String())}})
	}
	return edits, nil
}

// WriteRejected writes the rows that could not be compared, and on a second sheet
// the fields that could not be read, as a workbook that goes back to the department.
func WriteRejected(w io.Writer, rep *Report, say func(code string) string) error {
	f := excelize.NewFile()
	defer f.Close()
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return err
	}
	sheet := func(name string, widths []float64, heading []any, rows iter.Seq[[]any]) error {
		sw, err := f.NewStreamWriter(name)
		if err != nil {
			return err
		}
		for i, width := range widths {
			if err := sw.SetColWidth(i+1, i+1, width); err != nil {
				return err
			}
		}
		for i, h := range heading {
			heading[i] = excelize.Cell{StyleID: bold, Value: h}
		}
		if err := sw.SetRow("A1", heading); err != nil {
			return err
		}
		n := 1
		for row := range rows {
			n++
			at, err := excelize.CoordinatesToCellName(1, n)
			if err != nil {
				return err
			}
			if err := sw.SetRow(at, row); err != nil {
				return err
			}
		}
		return sw.Flush()
	}
	if err := f.SetSheetName("Sheet1", "不能比对"); err != nil {
		return err
	}
	err = sheet("不能比对", []float64{14, 8, 14, 26, 44, 30}, []any{"工作表", "行号", "姓名", "证件号码（原样）", "问题", "可能是谁"}, func(yield func([]any) bool) {
		for _, r := range rep.Rejected {
			hint := ""
			if r.Candidate != "" {
				hint = say("compare.candidate_" + string(r.Level))
			}
			if !yield([]any{r.Sheet, r.Row, r.Name, r.Got, say(r.Why), hint}) {
				return
			}
		}
	})
	if err != nil || len(rep.Unread) == 0 {
		if err == nil {
			err = f.Write(w)
		}
		return err
	}
	if _, err := f.NewSheet("看不懂的数"); err != nil {
		return err
	}
	err = sheet("看不懂的数", []float64{14, 8, 14, 20, 30}, []any{"工作表", "行号", "姓名", "列", "原样"}, func(yield func([]any) bool) {
		for _, u := range rep.Unread {
			if !yield([]any{u.Sheet, u.Row, u.Name, u.Field, u.Got}) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return f.Write(w)
}
