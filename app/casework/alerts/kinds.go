// Package alerts is what the county is told to look at: hits of department lists
// (大数据比对), chances to help (政策找人), days that come (到期), double benefits.
//
// Which kinds there are, when one is raised, what is asked of the visit and by when
// are data of the county: a workbook that a clerk edits, since departments,
// thresholds and deadlines are local (domain.md §5, §8). A hit is a lead, not
// proof: nobody loses aid by data alone, a person confirms, visits and closes it
// with what was found.
package alerts

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// A Group says what an alert is about.
type Group string

// The groups.
const (
	Verify    Group = "verify"    // something the registry may not know: a car, a death
	Proactive Group = "proactive" // 政策找人: a bill, a job lost; nobody applied
	Clock     Group = "clock"     // a day of our own data comes: re-check, birthday, end of a period
	Overlap   Group = "overlap"   // the same person or benefit twice
)

// Sources of our own data; every other source is a department's list.
const (
	FromMembers        = "members"
	FromDeterminations = "determinations"
	FromOffers         = "offers"   // what persons have by the newest determination: its end, its follow-up
	FromRegistry       = "registry" // what the program finds by itself: package clocks
)

// A Kind is one kind of alert.
type Kind struct {
	Kind, Label, Source string
	Group               Group
	Condition           string // over ${field} and ${registry.…}; empty: every match
	Due                 string // for a clock: the day that comes, YYYY-MM-DD
	Lead                int    // days before that day from which the alert is raised
	Detail              string // for the worker, with {field} in braces
	Suggestion          string // 建议
	Form                string // form_id of the visit it asks for
	Days                int    // until the visit is due
	Period              Period
	Child               bool // about a child: restricted
	Basis               string

	condition, due *expr.Expr
}

// A Period is how long the same person and kind raise only one alert.
type Period string

// The periods; Once is for ever, as long as the facts stay the same.
const (
	Once    Period = ""
	Month   Period = "month"
	Quarter Period = "quarter"
	Half    Period = "half"
	Year    Period = "year"
)

// Of is the period a day lies in: 2026-03, 2026-Q1, 2026-H1, 2026.
func (p Period) Of(day time.Time) string {
	switch p {
	case Month:
		return day.Format("2006-01")
	case Quarter:
		return day.Format("2006") + "-Q" + strconv.Itoa(1+int(day.Month()-1)/3)
	case Half:
		return day.Format("2006") + "-H" + strconv.Itoa(1+int(day.Month()-1)/6)
	case Year:
		return day.Format("2006")
	}
	return ""
}

// A FieldType says how a column is read.
type FieldType string

// The types: an amount in yuan, a day, or a text as it stands.
const (
	Text   FieldType = "text"
	Amount FieldType = "amount"
	Date   FieldType = "date"
)

// A Field is a column of a department's list.
type Field struct {
	Name, Label string
	Type        FieldType
	Headings    []string
}

// A Source is one department's kind of list.
type Source struct {
	Name, Title, Department  string
	IDHeadings, NameHeadings []string
	BirthHeadings, Villages  []string // for rows without a number
	Fields                   []Field
	Kinds                    []*Kind
}

// An Outcome is what came of an alert.
type Outcome struct {
	Code, Label string
	Note        string
}

// Kinds is the county's workbook.
type Kinds struct {
	Version  string
	Sources  []*Source
	All      []*Kind
	Outcomes []Outcome
	// Headings that mean an identity number, a name, a birth and a village whatever
	// the department.
	IDHeadings, NameHeadings, BirthHeadings, Villages []string
}

// Source finds a source by name, nil if there is none.
func (k *Kinds) Source(name string) *Source {
	i := slices.IndexFunc(k.Sources, func(s *Source) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return k.Sources[i]
}

// Names lists the department sources.
func (k *Kinds) Names() []string {
	var out []string
	for _, s := range k.Sources {
		out = append(out, s.Name)
	}
	return out
}

// Kind finds a kind by its name.
func (k *Kinds) Kind(name string) *Kind {
	i := slices.IndexFunc(k.All, func(a *Kind) bool { return a.Kind == name })
	if i < 0 {
		return nil
	}
	return k.All[i]
}

// Outcome finds an outcome by its code.
func (k *Kinds) Outcome(code string) (Outcome, bool) {
	for _, o := range k.Outcomes {
		if o.Code == code {
			return o, true
		}
	}
	return Outcome{}, false
}

// Registry names what a condition may ask of the person's record: ${registry.aid}.
var Registry = []string{"aid", "age", "birth", "sex", "area", "counted", "dis_kind", "dis_grade", "job", "school", "residence", "child_aid"}

// determinationFields may be named by kinds over determinations.
var determinationFields = []string{"category", "valid_until", "review_by", "grace_until", "decided_on"}

// offerFields may be named by kinds over what persons have.
var offerFields = []string{"offer", "label", "level", "until", "category"}

var sheets = map[string][]string{
	"settings": {"name", "value", "note"},
	"headings": {"means", "headings", "note"},
	"sources":  {"source", "title", "department", "id_headings", "name_headings", "note"},
	"fields":   {"source", "field", "label", "type", "headings", "note"},
	"kinds":    {"kind", "label", "source", "group", "condition", "due", "lead_days", "detail", "suggestion", "form", "days", "period", "child", "basis", "note"},
	"outcomes": {"outcome", "label", "note"},
}

type reader struct {
	k      *Kinds
	report xlsform.Report
}

// A line is a row of a sheet, read by the names of its columns.
type line struct {
	r     *reader
	sheet string
	row   xlsform.Row
	at    map[string]int
}

func (l line) text(column string) string {
	if i, ok := l.at[column]; ok {
		return strings.TrimSpace(l.row.Cell(i))
	}
	return ""
}

func (l line) list(column string) []string {
	return strings.FieldsFunc(l.text(column), func(r rune) bool { return r == ' ' || r == '、' || r == ',' || r == '，' })
}

func (l line) wrong(column, code, got, near, message, hint string) {
	p := xlsform.Problem{Sheet: l.sheet, Row: l.row.Number, Column: column, Code: code, Got: got, Near: near, Message: message, Hint: hint}
	if i, ok := l.at[column]; ok {
		p.Cell = xlsform.CellName(i, l.row.Number)
	}
	l.r.report.Error(p)
}

// Read reads the workbook of alert kinds (.xlsx or its Markdown twin). Every
// problem is reported at once with its cell; with errors the answer is nil.
func Read(name string, data []byte) (*Kinds, xlsform.Report) {
	tables, report := xlsform.ReadTables(name, data)
	if tables == nil {
		return nil, report
	}
	r := &reader{k: &Kinds{}, report: report}
	for _, s := range []struct {
		name string
		must bool
		read func(line)
	}{
		{"settings", false, r.setting}, {"headings", false, r.heading}, {"sources", true, r.source},
		{"fields", false, r.field}, {"kinds", true, r.kind}, {"outcomes", true, r.outcome},
	} {
		t := tables.Sheet(s.name)
		if t == nil {
			if s.must {
				r.report.Error(xlsform.Problem{Sheet: s.name, Code: "kinds.no_sheet", Message: "the sheet " + s.name + " is missing", Hint: "add it, as in the sample county's workbook"})
			}
			continue
		}
		l := line{r: r, sheet: s.name, at: map[string]int{}}
		for i, h := range t.Header {
			h = strings.ToLower(strings.TrimSpace(h))
			if h != "" && !slices.Contains(sheets[s.name], h) {
				r.report.Warn(xlsform.Problem{Sheet: s.name, Cell: xlsform.CellName(i, t.HeaderRow), Row: t.HeaderRow, Column: h, Code: "kinds.unknown_column", Got: h,
					Near: xlsform.Nearest(h, sheets[s.name]), Message: "the column " + h + " is not known and was passed over", Hint: "columns of this sheet: " + strings.Join(sheets[s.name], ", ")})
				continue
			}
			l.at[h] = i
		}
		for _, l.row = range t.Rows {
			s.read(l)
		}
	}
	r.report.Sort()
	if !r.report.OK() {
		return nil, r.report
	}
	return r.k, r.report
}

func (r *reader) setting(l line) {
	if l.text("name") == "version" {
		r.k.Version = l.text("value")
	}
}

func (r *reader) heading(l line) {
	into := map[string]*[]string{"id": &r.k.IDHeadings, "name": &r.k.NameHeadings, "birth": &r.k.BirthHeadings, "village": &r.k.Villages}[l.text("means")]
	if into == nil {
		l.wrong("means", "kinds.unknown_meaning", l.text("means"), xlsform.Nearest(l.text("means"), []string{"id", "name", "birth", "village"}), "no such meaning", "write id, name, birth or village")
		return
	}
	*into = append(*into, l.list("headings")...)
}

func (r *reader) source(l line) {
	name := l.text("source")
	switch {
	case !expr.IsName(name):
		l.wrong("source", "kinds.bad_name", name, "", "this is no name", "a letter first, then letters, digits and _")
	case r.k.Source(name) != nil, name == FromMembers, name == FromDeterminations, name == FromOffers, name == FromRegistry:
		l.wrong("source", "kinds.twice", name, "", "this source is there already", "every source stands once")
	default:
		r.k.Sources = append(r.k.Sources, &Source{Name: name, Title: l.text("title"), Department: l.text("department"),
			IDHeadings: l.list("id_headings"), NameHeadings: l.list("name_headings")})
	}
}

func (l line) sourceOf() *Source {
	s := l.r.k.Source(l.text("source"))
	if s == nil {
		l.wrong("source", "kinds.unknown_source", l.text("source"), xlsform.Nearest(l.text("source"), l.r.k.Names()), "there is no such source", "name one of the sheet sources")
	}
	return s
}

func (r *reader) field(l line) {
	s := l.sourceOf()
	f := Field{Name: l.text("field"), Label: l.text("label"), Type: FieldType(l.text("type")), Headings: l.list("headings")}
	if f.Type == "" {
		f.Type = Text
	}
	switch {
	case s == nil:
		return
	case !expr.IsName(f.Name):
		l.wrong("field", "kinds.bad_name", f.Name, "", "this is no name", "a letter first, then letters, digits and _")
	case slices.ContainsFunc(s.Fields, func(o Field) bool { return o.Name == f.Name }):
		l.wrong("field", "kinds.twice", f.Name, "", "this field is there already", "every field of a source stands once")
	case f.Type != Text && f.Type != Amount && f.Type != Date:
		l.wrong("type", "kinds.unknown_type", string(f.Type), xlsform.Nearest(string(f.Type), []string{"text", "amount", "date"}), "no such type", "write text, amount or date")
	case len(f.Headings) == 0:
		l.wrong("headings", "kinds.blank", "", "", "headings is blank", "write how departments call this column")
	default:
		s.Fields = append(s.Fields, f)
	}
}

func (r *reader) kind(l line) {
	k := &Kind{
		Kind: l.text("kind"), Label: l.text("label"), Source: l.text("source"), Group: Group(l.text("group")), Condition: l.text("condition"),
		Due: l.text("due"), Detail: l.text("detail"), Suggestion: l.text("suggestion"), Form: l.text("form"), Period: Period(l.text("period")),
		Child: l.text("child") == "yes", Basis: l.text("basis"),
	}
	switch {
	case !expr.IsName(k.Kind):
		l.wrong("kind", "kinds.bad_name", k.Kind, "", "this is no name", "a letter first, then letters, digits and _")
		return
	case r.k.Kind(k.Kind) != nil:
		l.wrong("kind", "kinds.twice", k.Kind, "", "this kind is there already", "every kind stands once")
		return
	}
	if k.Label == "" {
		l.wrong("label", "kinds.blank", "", "", "label is blank", "say in words what was found")
	}
	if !slices.Contains([]Group{Verify, Proactive, Clock, Overlap}, k.Group) {
		l.wrong("group", "kinds.unknown_group", string(k.Group), xlsform.Nearest(string(k.Group), []string{"verify", "proactive", "clock", "overlap"}), "no such group", "write verify, proactive, clock or overlap")
	}
	if !slices.Contains([]Period{Once, Month, Quarter, Half, Year}, k.Period) {
		l.wrong("period", "kinds.unknown_period", string(k.Period), xlsform.Nearest(string(k.Period), []string{"month", "quarter", "half", "year"}), "no such period", "month, quarter, half, year, or blank for once")
	}
	k.Days = l.number("days", true)
	k.Lead = l.number("lead_days", false)
	names := map[string]bool{}
	for _, n := range Registry {
		names["registry."+n] = true
	}
	var source *Source
	switch k.Source {
	case FromMembers:
	case FromDeterminations:
		for _, n := range determinationFields {
			names[n] = true
		}
	case FromOffers:
		for _, n := range offerFields {
			names[n] = true
		}
	case FromRegistry:
	default:
		if source = l.sourceOf(); source == nil {
			return
		}
		for _, f := range source.Fields {
			names[f.Name] = true
		}
	}
	k.condition = l.formula("condition", names)
	k.due = l.formula("due", names)
	if k.Group == Clock && k.Due == "" && k.Source != FromRegistry {
		l.wrong("due", "kinds.blank", "", "", "due is blank", "a clock needs the day that comes, such as add-months(${registry.birth}, 720)")
	}
	for _, name := range placeholders(k.Detail) {
		if !names[name] && name != "due" {
			l.wrong("detail", "kinds.unknown_field", name, xlsform.Nearest(name, slices.Sorted(maps.Keys(names))), "{"+name+"} is no field of this source", "fields are: "+strings.Join(slices.Sorted(maps.Keys(names)), ", "))
		}
	}
	r.k.All = append(r.k.All, k)
	if source != nil {
		source.Kinds = append(source.Kinds, k)
	}
}

func (l line) number(column string, must bool) int {
	text := l.text(column)
	n, err := strconv.Atoi(text)
	if (text != "" || must) && (err != nil || n < 0 || n > 3660 || must && n == 0) {
		l.wrong(column, "kinds.bad_number", text, "", "this is no number of days", "write a whole number of days, such as 30")
	}
	return n
}

func (l line) formula(column string, names map[string]bool) *expr.Expr {
	src := l.text(column)
	if src == "" {
		return nil
	}
	e, err := expr.Parse(src)
	if err == nil {
		err = e.CheckExact()
	}
	if err != nil {
		l.wrong(column, "kinds.formula", src, "", err.Error(), "mend the formula in this cell")
		return nil
	}
	expr.Walk(e.Root, func(a expr.Ast) bool {
		if ref, ok := a.(*expr.Ref); ok && !names[ref.Name] {
			l.wrong(column, "kinds.unknown_field", ref.Name, xlsform.Nearest(ref.Name, slices.Sorted(maps.Keys(names))), "${"+ref.Name+"} is no field of this source",
				"fields are: "+strings.Join(slices.Sorted(maps.Keys(names)), ", "))
		}
		return true
	})
	return e
}

func (r *reader) outcome(l line) {
	o := Outcome{l.text("outcome"), l.text("label"), l.text("note")}
	if _, twice := r.k.Outcome(o.Code); twice || !expr.IsName(o.Code) || o.Label == "" {
		l.wrong("outcome", "kinds.bad_name", o.Code, "", "an outcome needs a name of its own and a label", "a letter first, then letters, digits and _; every outcome stands once")
		return
	}
	r.k.Outcomes = append(r.k.Outcomes, o)
}
