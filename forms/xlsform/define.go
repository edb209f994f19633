package xlsform

import (
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Limits of a form.
const (
	maxQuestions = 20_000
	maxNesting   = 50
)

// A definer turns tables into a Definition and finds all that is wrong with them.
type definer struct {
	report Report
	def    *Definition
	langs  *languages
	survey *sheet
	beside []fs.FS
	tables *Tables

	stack    []open
	names    map[string]map[string]int // path of the group -> name -> row
	rows     map[string]int            // name -> first row, over the whole form
	used     map[string]bool           // lists
	quotes   tally
	escaped  tally
	wide     tally
	external map[string]bool
}

// open is a group that is not ended yet.
type open struct {
	item *Item
	typ  typed
}

func define(t *Tables, name string, beside []fs.FS) (*Definition, Report) {
	d := &definer{tables: t, beside: beside, names: map[string]map[string]int{}, rows: map[string]int{}, used: map[string]bool{}, external: map[string]bool{}}
	table := t.Sheet("survey")
	if table == nil {
		var names []string
		for _, s := range t.Sheets {
			names = append(names, s.Name)
		}
		d.report.Error(problem(Problem{Code: "form.no_survey", Near: Nearest("survey", append(names, t.NotRead...))}))
		return nil, d.report
	}
	for _, other := range t.NotRead {
		if near := Nearest(other, sheetNames); near != "" {
			d.report.Warn(problem(Problem{Sheet: other, Code: "form.sheet_name", Got: other, Near: near}))
		}
	}
	d.survey = openSheet(table, surveyColumns, false, &d.report)
	for _, column := range []string{"type", "name"} {
		if !d.survey.has(column) && len(table.Header) > 0 {
			d.report.Error(problem(Problem{Sheet: table.Name, Row: table.HeaderRow, Code: "form.no_column", Got: column, Near: Nearest(column, table.Header)}))
		}
	}
	if len(table.Rows) == 0 {
		d.report.Error(problem(Problem{Sheet: table.Name, Code: "form.no_questions"}))
	}
	if !d.survey.has("type") || !d.survey.has("name") || len(table.Rows) == 0 {
		return nil, d.report
	}
	choices := openSheet(t.Sheet("choices"), choiceColumns, true, &d.report)
	external := openSheet(t.Sheet("external_choices"), choiceColumns, true, &d.report)
	d.def = &Definition{Lists: map[string]*List{}, External: map[string]*List{}, Files: map[string]*List{}}
	d.settings(name)
	d.langs = collectLanguages(d.def.Settings.DefaultLanguage, d.survey, choices)
	d.def.Languages = d.langs.list
	if def := d.def.Settings.DefaultLanguage; def != "" && d.langs.find(def) < 0 && len(d.langs.list) > 1 {
		d.report.Warn(problem(Problem{Sheet: "settings", Code: "form.unknown_language", Got: def, Near: Nearest(def, d.langs.keys)}))
	}
	d.lists(choices, d.def.Lists)
	d.lists(external, d.def.External)
	d.entities()
	d.questions()
	d.said()
	return d.def, d.report
}

// said reports what was repaired in expressions, once for all.
func (d *definer) said() {
	for _, r := range []struct {
		n    tally
		code string
	}{{d.quotes, "form.quotes"}, {d.escaped, "form.entity_text"}, {d.wide, "form.wide_signs"}} {
		if r.n.count > 0 {
			d.report.Warn(problem(Problem{Sheet: "survey", Cell: CellName(r.n.column, r.n.row), Row: r.n.row, Code: r.code, Got: strconv.Itoa(r.n.count)}))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.def.Lists)) {
		if l := d.def.Lists[name]; !d.used[name] && !d.mentioned(name) {
			d.report.Warn(problem(Problem{Sheet: "choices", Row: l.Row, Code: "form.list_not_used", Got: name}))
		}
	}
}

// mentioned says whether a list is named in some expression: instance('towns').
func (d *definer) mentioned(list string) bool {
	for _, r := range d.survey.Rows {
		for _, c := range r.Cells {
			if strings.Contains(c, "'"+list+"'") || strings.Contains(c, `"`+list+`"`) {
				return true
			}
		}
	}
	return false
}

func (d *definer) settings(name string) {
	s := &d.def.Settings
	s.Extra = map[string]string{}
	table := d.tables.Sheet("settings")
	if table != nil && len(table.Rows) > 0 {
		sheet := openSheet(table, settingColumns, true, &d.report)
		row := table.Rows[0]
		for i, h := range sheet.heads {
			v := row.Cell(i)
			switch h.column {
			case "form_id":
				s.ID = v
			case "form_title":
				s.Title = v
			case "version":
				s.Version = v
			case "default_language":
				s.DefaultLanguage = v
			case "instance_name":
				s.InstanceName = v
				s.InstanceNameCell = sheet.source(row, "instance_name")
			case "style":
				s.Style = v
			case "name":
				s.Name = v
			case "allow_choice_duplicates":
				s.AllowDuplicates = yes(v)
			default:
				if v != "" && h.written != "" {
					s.Extra[h.written] = v
				}
			}
		}
	}
	if s.ID == "" {
		s.ID = repairName(name)
		d.report.Warn(problem(Problem{Sheet: "settings", Code: "form.no_id", Got: s.ID}))
	} else if strings.ContainsAny(s.ID, " \t\n/\\\"'<>") {
		d.report.Warn(problem(Problem{Sheet: "settings", Code: "form.bad_id", Got: s.ID, Near: repairName(s.ID)}))
		s.ID = repairName(s.ID)
	}
	if s.Version == "" {
		d.report.Warn(problem(Problem{Sheet: "settings", Code: "form.no_version"}))
	}
	if s.Title == "" {
		s.Title = s.ID
	}
	if s.Name == "" || repairName(s.Name) != s.Name {
		s.Name = "data"
	}
}

func yes(s string) bool {
	switch fold(s) {
	case "yes", "true", "true()", "1", "y", "是":
		return true
	}
	return false
}

func no(s string) bool {
	switch fold(s) {
	case "", "no", "false", "false()", "0", "n", "否":
		return true
	}
	return false
}

// repairName makes a name of a text: spaces become underscores, what cannot stand
// in a name goes.
func repairName(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(strings.Fields(s), "_") {
		if r == '_' || unicode.IsLetter(r) || b.Len() > 0 && (r == '-' || r == '.' || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)) {
			b.WriteRune(r)
		} else if unicode.IsDigit(r) {
			b.WriteByte('_')
			b.WriteRune(r)
		}
	}
	if b.Len() == 0 {
		return "form"
	}
	return b.String()
}

func (d *definer) entities() {
	table := d.tables.Sheet("entities")
	if table == nil {
		return
	}
	s := openSheet(table, entityColumns, false, &d.report)
	for _, r := range s.Rows {
		e := Entity{
			List: s.cell(r, "list_name"), Row: r.Number, ID: d.expression(s, r, "entity_id"), Label: d.expression(s, r, "label"),
			Create: d.expression(s, r, "create_if"), Update: d.expression(s, r, "update_if"),
			Repeat: strings.TrimSuffix(strings.TrimPrefix(s.cell(r, "repeat"), "${"), "}"),
		}
		p := s.place(r, "list_name")
		switch {
		case e.List == "":
			p.Code = "form.entity_no_list"
			d.report.Error(problem(p))
			continue
		case slices.ContainsFunc(d.def.Entities, func(o Entity) bool { return o.List == e.List }):
			p.Code, p.Got = "form.entity_twice", e.List
			d.report.Error(problem(p))
			continue
		}
		d.def.Entities = append(d.def.Entities, e)
	}
}

// expression reads a cell that holds an expression and repairs what spreadsheets
// and input methods do to one.
func (d *definer) expression(s *sheet, r Row, column string) Source {
	src := s.source(r, column)
	if src.Text == "" {
		return src
	}
	at := s.columns[column][0]
	src.Text = d.repair(src.Text, at, r.Number)
	place := Problem{Sheet: s.Name, Cell: src.Cell, Row: src.Row, Column: src.Column}
	for _, m := range namesFile.FindAllStringSubmatch(src.Text, -1) {
		name := strings.TrimSuffix(m[2], ".csv") + ".csv"
		if m[1] != "instance" || d.def.Lists[m[2]] == nil && d.has(name) {
			d.file(name, place)
		}
	}
	return src
}

// namesFile finds the files that expressions and appearances read:
// pulldata('people', …), instance('people') and search('people').
var namesFile = regexp.MustCompile(`\b(pulldata|instance|search)\(\s*['"]([^'"]{1,200})['"]`)

var (
	typographic = strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'", "‚", "'", "″", `"`)
	escapes     = strings.NewReplacer("&gt;", ">", "&lt;", "<", "&quot;", `"`, "&apos;", "'", "&amp;", "&")
	wideSigns   = strings.NewReplacer("（", "(", "）", ")", "＞", ">", "＜", "<", "＝", "=", "，", ",", "＋", "+", "－", "-", "＄", "$", "｛", "{", "｝", "}", "！＝", "!=", "≥", ">=", "≤", "<=", "≠", "!=", "–", "-")
)

func (d *definer) repair(text string, column, row int) string {
	if fixed := typographic.Replace(text); fixed != text {
		d.quotes.note(column, row)
		text = fixed
	}
	if strings.Contains(text, "&") {
		if fixed := escapes.Replace(text); fixed != text {
			d.escaped.note(column, row)
			text = fixed
		}
	}
	fixed := outsideQuotes(text, wideSigns.Replace)
	if fixed != text {
		d.wide.note(column, row)
	}
	return fixed
}

// outsideQuotes changes what is not quoted text.
func outsideQuotes(s string, change func(string) string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r > 127 }) < 0 {
		return s
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, `'"`)
		if i < 0 {
			b.WriteString(change(s))
			break
		}
		b.WriteString(change(s[:i]))
		end := strings.IndexByte(s[i+1:], s[i])
		if end < 0 {
			b.WriteString(s[i:])
			break
		}
		b.WriteString(s[i : i+1+end+1])
		s = s[i+1+end+1:]
	}
	return b.String()
}
