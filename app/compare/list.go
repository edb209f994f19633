package compare

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/idnumber"
)

// A Mapping says which column holds what, by its heading. It is remembered per
// source, and may be given by hand where headings are unknown.
type Mapping struct {
	Sheet   string            `json:"sheet,omitempty"`
	Header  int               `json:"header"` // row number of the heading
	ID      string            `json:"id"`     // heading of the identity number
	Name    string            `json:"name"`   // heading of the name; "" if there is none
	Birth   string            `json:"birth,omitempty"`
	Village string            `json:"village,omitempty"`
	Fields  map[string]string `json:"fields,omitempty"`
}

// An Entry is one row of a list as it was understood.
type Entry struct {
	Sheet          string
	Row            int // as the spreadsheet counts
	ID             idnumber.Number
	RawID          string
	Name           string
	Birth, Village string
	Fields         []Value // in the order of the source's fields; read by fill

	fill func()
}

// A Value is one field of a row: Text as rules can use it, Raw as it stood. A date
// is 2006-01-02, an amount a plain decimal in yuan.
type Value struct {
	Text, Raw string
	Unread    bool // something stands there, but it is no date or amount
}

// A Rejected row cannot be compared; Why is a stable code, Got what stood there.
type Rejected struct {
	Sheet     string
	Row       int
	Why, Got  string
	Name      string
	Level     Level  // D or E where somebody may be meant
	Candidate string // that person's id: 待核, a person confirms
}

// An Unread field of a row that could be compared all the same.
type Unread struct {
	Sheet      string
	Row        int
	Field, Got string
	Name       string
}

// A List is one department's file, as far as it was understood.
type List struct {
	File     string
	Encoding string
	Digest   [32]byte `json:"-"`
	Mapping  Mapping
	Headings []string
	Sheets   []SheetReport
	Notes    []Note
	Read     int // rows of persons
	Unread   []Unread
}

// A SheetReport says what became of one sheet.
type SheetReport struct {
	Name    string
	Header  int   // row of the heading; 0: none was found and the sheet was passed over
	Skipped []int // title rows above the heading
	Totals  []int // rows that add up others or sign the list
	Rows    int   // rows of persons, or rows passed over where there is no heading
}

// headerSearch is how many rows may stand above a heading.
const headerSearch = 30

// A reading goes through a list row by row.
type reading struct {
	kinds      *alerts.Kinds
	source     *alerts.Source
	remembered *Mapping
	today      time.Time
	list       *List
	visit      func(*Entry) error
}

// read understands every sheet of a list and hands each row of a person to visit.
// The entry is good until the next one only.
func (d *reading) read(f *File) error {
	o, err := f.open()
	if err != nil {
		return err
	}
	*d.list = List{File: f.Name, Encoding: o.encoding, Digest: o.digest, Notes: o.notes}
	var seen []string
	for _, t := range o.tables {
		if t.hidden {
			d.list.Notes = append(d.list.Notes, Note{Code: "list.note.hidden_sheet", Sheet: t.sheet})
			continue
		}
		s := &sheetReading{reading: d, report: SheetReport{Name: t.sheet}}
		if err := t.rows(s.row); err != nil {
			return err
		}
		if s.report.Header == 0 {
			if err := s.noHeader(); err != nil {
				return err
			}
			if len(s.headings) > len(seen) {
				seen = s.headings
			}
		}
		if s.report.Header > 0 || s.report.Rows > 0 {
			d.list.Sheets = append(d.list.Sheets, s.report)
		}
	}
	if err := o.unchanged(); err != nil {
		return err
	}
	if d.list.Mapping.Header == 0 {
		if len(d.list.Sheets) == 0 {
			return f.err("empty", "")
		}
		return f.err("no_id_column", strings.Join(seen, "、"))
	}
	return nil
}

// A sheetReading reads one sheet: first for its heading, then its rows.
type sheetReading struct {
	*reading
	report   SheetReport
	above    []Row // rows held until a heading is found
	headings []string
	mapping  Mapping
	columns  columns
	entry    Entry
	at       *Row
}

// columns are the places of what is wanted; -1: there is no such column.
type columns struct {
	id, name, birth, village int
	fields                   []int
}

func (s *sheetReading) row(r *Row) error {
	if s.report.Header > 0 {
		return s.person(r)
	}
	if len(s.above) >= headerSearch {
		s.report.Rows++
		return nil
	}
	s.above = append(s.above, Row{r.Number, slices.Clone(r.Cells)})
	for i := range s.above[len(s.above)-1].Cells {
		c := &s.above[len(s.above)-1].Cells[i]
		c.Text = strings.Clone(c.Text)
	}
	m, headings, ok := s.mapRow(r)
	if len(headings) > len(s.headings) {
		s.headings = headings
	}
	if ok {
		s.found(r, m, headings)
	}
	return nil
}

func (s *sheetReading) noHeader() error {
	s.report.Rows += len(s.above)
	return nil
}

func (s *sheetReading) found(r *Row, m Mapping, headings []string) {
	m.Sheet, m.Header = s.report.Name, r.Number
	s.mapping = m
	s.report.Header = r.Number
	for _, above := range s.above[:len(s.above)-1] {
		s.report.Skipped = append(s.report.Skipped, above.Number)
	}
	s.above = nil
	at := func(heading string) int {
		return slices.IndexFunc(r.Cells, func(c Cell) bool { return heading != "" && c.Text == heading })
	}
	s.columns = columns{at(m.ID), at(m.Name), at(m.Birth), at(m.Village), nil}
	for _, f := range s.source.Fields {
		s.columns.fields = append(s.columns.fields, at(m.Fields[f.Name]))
	}
	s.entry.Fields, s.entry.fill = make([]Value, len(s.source.Fields)), s.fill
	if s.list.Mapping.Header == 0 {
		s.list.Mapping, s.list.Headings = m, headings
	}
}

// mapRow tries one row as the heading.
func (s *sheetReading) mapRow(row *Row) (Mapping, []string, bool) {
	var headings, plain []string
	for _, c := range row.Cells {
		plain = append(plain, heading(c.Text))
		if plain[len(plain)-1] != "" {
			headings = append(headings, strings.TrimSpace(c.Text))
		}
	}
	find := func(lists ...[]string) string {
		for _, list := range lists {
			for _, w := range list {
				if i := slices.Index(plain, heading(w)); i >= 0 && plain[i] != "" {
					return strings.Clone(row.Cells[i].Text)
				}
			}
		}
		return ""
	}
	var old Mapping
	if s.remembered != nil {
		old = *s.remembered
	}
	m := Mapping{
		ID:    find([]string{old.ID}, s.source.IDHeadings, s.kinds.IDHeadings),
		Name:  find([]string{old.Name}, s.source.NameHeadings, s.kinds.NameHeadings),
		Birth: find([]string{old.Birth}, s.kinds.BirthHeadings), Village: find([]string{old.Village}, s.kinds.Villages),
		Fields: map[string]string{},
	}
	for _, f := range s.source.Fields {
		m.Fields[f.Name] = find([]string{old.Fields[f.Name]}, f.Headings)
	}
	return m, headings, m.ID != ""
}

// heading is a heading without spaces, brackets and what stands in them.
func heading(s string) string {
	if i := strings.IndexAny(s, "(（"); i > 0 {
		s = s[:i]
	}
	return strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPunct(r) || r == '\u00a0' || r == '\ufeff' {
			return -1
		}
		return r
	}, s))
}

// person reads one row below the heading.
func (s *sheetReading) person(r *Row) error {
	cell := func(i int) Cell {
		if i < 0 || i >= len(r.Cells) {
			return Cell{}
		}
		return r.Cells[i]
	}
	id := cell(s.columns.id)
	switch {
	case r.Number == s.report.Header+1 && heading(id.Text) == heading(s.mapping.ID):
		// A heading of two rows, merged downwards: the lower one says more.
		if m, headings, ok := s.mapRow(r); ok {
			skipped := append(s.report.Skipped, s.report.Header)
			if s.list.Mapping.Header == s.report.Header && s.list.Mapping.Sheet == s.report.Name {
				s.list.Mapping = Mapping{}
			}
			s.above = []Row{{}}
			s.found(r, m, headings)
			s.report.Skipped = skipped
			return nil
		}
	case totals(r, id):
		s.report.Totals = append(s.report.Totals, r.Number)
		return nil
	}
	s.report.Rows++
	s.list.Read++
	e := &s.entry
	e.Sheet, e.Row, e.RawID, e.Name = s.report.Name, r.Number, id.Text, strings.TrimSpace(cell(s.columns.name).Text)
	e.Birth, _ = day(cell(s.columns.birth))
	e.Village = strings.TrimSpace(cell(s.columns.village).Text)
	switch {
	case id.Error:
		e.ID = idnumber.Number{Class: "error"}
	case id.Formula && id.Text == "":
		e.ID = idnumber.Number{Class: "formula"}
	case id.Numeric:
		e.ID = idnumber.FromNumber(id.Text, s.today)
	default:
		e.ID = idnumber.Number{Class: "unread"} // matched by its text; parsed where it is nobody's
	}
	s.at = r
	return s.visit(e)
}

// fill reads the other fields of the row at hand: of rows about nobody we know they
// are not looked at (个人信息保护法 Art. 6).
func (s *sheetReading) fill() {
	e := &s.entry
	for i, f := range s.source.Fields {
		var c Cell
		if at := s.columns.fields[i]; at >= 0 && at < len(s.at.Cells) {
			c = s.at.Cells[at]
		}
		e.Fields[i] = read(c, f.Type)
		if e.Fields[i].Unread && len(s.list.Unread) < maxUnread {
			s.list.Unread = append(s.list.Unread, Unread{e.Sheet, e.Row, f.Label, strings.Clone(c.Text), strings.Clone(e.Name)})
		}
	}
}

// maxUnread bounds the notes about fields, not the rows.
const maxUnread = 100_000

// read reads a cell as its type.
func read(c Cell, t alerts.FieldType) Value {
	raw := strings.TrimSpace(c.Text)
	v := Value{Text: raw, Raw: raw}
	if raw == "" {
		return Value{Unread: c.Error}
	}
	switch t {
	case alerts.Amount:
		text, ok := amount(c)
		v.Text, v.Unread = text, !ok
	case alerts.Date:
		text, ok := day(c)
		v.Text, v.Unread = text, !ok
	}
	return v
}

// totals says whether a row adds up others or signs the list: nothing like an
// identity number (a count may stand there), and a word for it in the first cells.
func totals(r *Row, id Cell) bool {
	digits := 0
	for _, c := range id.Text {
		if unicode.IsDigit(c) {
			digits++
		}
	}
	if digits >= 10 {
		return false
	}
	for _, c := range r.Cells[:min(len(r.Cells), 3)] {
		h := heading(c.Text)
		for _, word := range []string{"合计", "总计", "小计", "共计", "制表人", "填表人", "制表", "审核人", "备注", "说明", "total"} {
			if strings.HasPrefix(h, word) {
				return true
			}
		}
	}
	return false
}

var errNoSource = errors.New("a list needs a source")
