package compare

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"ironfeet/app/casework/idnumber"
)

// Headings that mean an identity number and a name, as departments write them.
// Spaces and brackets are taken out before comparing.
var (
	idHeadings   = []string{"公民身份号码", "身份证号码", "身份证号", "证件号码", "身份证件号", "身份证件号码", "证件号", "身份号码", "公民身份证号码", "idnumber", "idno"}
	nameHeadings = []string{"姓名", "人员姓名", "所有人", "机动车所有人", "参保人姓名", "逝者姓名", "死者姓名", "患者姓名", "名称", "name"}
)

// A Mapping says which column holds what. It is remembered per source, and may be
// given by hand where headings are unknown.
type Mapping struct {
	Sheet  string            `json:"sheet,omitempty"`
	Header int               `json:"header"` // row number of the heading
	ID     string            `json:"id"`     // heading of the identity number
	Name   string            `json:"name"`   // heading of the name; "" if there is none
	Fields map[string]string `json:"fields,omitempty"`
}

// An Entry is one row of a list as it was understood.
type Entry struct {
	Row    int // as the spreadsheet counts
	ID     idnumber.Number
	RawID  string
	Name   string
	Fields map[string]string // by the source's field name
}

// A Rejected row cannot be compared; Why is a stable code, Got what stood there.
type Rejected struct {
	Row       int
	Why, Got  string
	Name      string
	Candidate string // somebody whose first fifteen digits and name agree: 待核, a person confirms
}

// A List is one department's file, understood.
type List struct {
	File     string
	Encoding string
	Mapping  Mapping
	Headings []string
	Skipped  []int // title rows above the heading
	Totals   []int // rows that add up others
	Entries  []Entry
	Rejected []Rejected
	Read     int // rows of persons: len(Entries) + len(Rejected)
}

// headerSearch is how many rows may stand above a heading.
const headerSearch = 30

// Understand finds the heading row and reads every row below it. A remembered
// mapping is used where its headings stand; otherwise the headings decide.
func Understand(tables []Table, s Source, remembered *Mapping, today time.Time) (*List, error) {
	var seen []string
	for _, t := range tables {
		for i, row := range t.Rows[:min(len(t.Rows), headerSearch)] {
			m, headings, ok := mapping(row, s, remembered)
			if len(headings) > len(seen) {
				seen = headings
			}
			if !ok {
				continue
			}
			m.Sheet, m.Header = t.Sheet, row.Number
			l := &List{File: t.File, Encoding: t.Encoding, Mapping: m, Headings: headings}
			for _, above := range t.Rows[:i] {
				l.Skipped = append(l.Skipped, above.Number)
			}
			l.rows(t.Rows[i+1:], row, s, today)
			return l, nil
		}
	}
	file := ""
	if len(tables) > 0 {
		file = tables[0].File
	}
	return nil, &ListError{File: file, Why: "no_id_column", Seen: strings.Join(seen, "、")}
}

// mapping tries one row as the heading.
func mapping(row Row, s Source, remembered *Mapping) (Mapping, []string, bool) {
	var headings []string
	for _, c := range row.Cells {
		if h := heading(c.Text); h != "" {
			headings = append(headings, strings.TrimSpace(c.Text))
		}
	}
	find := func(wanted []string) string {
		for _, w := range wanted {
			for _, c := range row.Cells {
				if heading(c.Text) == heading(w) {
					return c.Text
				}
			}
		}
		return ""
	}
	m := Mapping{Fields: map[string]string{}}
	if remembered != nil {
		m.ID = find([]string{remembered.ID})
		m.Name = find([]string{remembered.Name})
	}
	if m.ID == "" {
		m.ID = find(append(slices.Clone(s.IDHeadings), idHeadings...))
	}
	if m.Name == "" {
		m.Name = find(append(slices.Clone(s.NameHeadings), nameHeadings...))
	}
	for name, synonyms := range s.Fields {
		m.Fields[name] = find(synonyms)
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

func (l *List) rows(rows []Row, head Row, s Source, today time.Time) {
	column := map[string]int{}
	for i, c := range head.Cells {
		if _, twice := column[c.Text]; !twice {
			column[c.Text] = i
		}
	}
	cell := func(r Row, heading string) Cell {
		if i, ok := column[heading]; ok && heading != "" && i < len(r.Cells) {
			return r.Cells[i]
		}
		return Cell{}
	}
	for _, r := range rows {
		id, name := cell(r, l.Mapping.ID), strings.TrimSpace(cell(r, l.Mapping.Name).Text)
		if totals(r, id) {
			l.Totals = append(l.Totals, r.Number)
			continue
		}
		l.Read++
		parse := idnumber.Parse
		if id.Numeric {
			parse = idnumber.FromNumber
		}
		e := Entry{Row: r.Number, ID: parse(id.Text, today), RawID: id.Text, Name: name, Fields: map[string]string{}}
		for field, heading := range l.Mapping.Fields {
			e.Fields[field] = strings.TrimSpace(cell(r, heading).Text)
		}
		if e.ID.Key() {
			l.Entries = append(l.Entries, e)
			continue
		}
		l.Rejected = append(l.Rejected, Rejected{Row: r.Number, Why: "id." + string(e.ID.Class), Got: id.Text, Name: name})
	}
}

// totals says whether a row adds up others or signs the list: nothing like an
// identity number (a count may stand there), and a word for it in the first cells.
func totals(r Row, id Cell) bool {
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
