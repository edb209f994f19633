package xlsform

import (
	"cmp"
	"slices"
	"strings"
)

// surveyColumns are the columns of the survey sheet by every spelling in use;
// translated ones take a language.
var surveyColumns = columnNames(`
	type: command
	name: tag value
	label*: caption
	hint*:
	guidance_hint*:
	required:
	required_message*:
	relevant: relevance
	constraint: constraining
	constraint_message*: constraining_message
	calculation: calculate
	default:
	read_only: readonly
	appearance:
	parameters:
	choice_filter:
	repeat_count: count jr:count
	trigger:
	image*:
	big-image*:
	audio*:
	video*:
	autoplay*:
	rows:
	save_to: bind::entities:saveto
	intent:
	disabled:
	was:
	note: notes comment comments
	publishable:
	response_note:
	minimum_seconds:
	query:
	list_name: list
`)

var choiceColumns = columnNames(`
	list_name: list
	name: value
	label*: caption
	image*:
	big-image*:
	audio*:
	video*:
`)

var settingColumns = columnNames(`
	form_id: id_string
	form_title: title set_form_title
	version:
	default_language:
	instance_name:
	style:
	name: xml_root
	allow_choice_duplicates:
	public_key:
	submission_url:
	auto_send:
	auto_delete:
	clean_text_values:
	omit_instanceid:
	namespaces:
	client_editable:
	add_none_option:
	logging:
	path:
	sms_keyword:
`)

var entityColumns = columnNames(`
	list_name: dataset
	label:
	entity_id:
	create_if:
	update_if:
	repeat:
`)

// columnNames maps every spelling to its column; a translated column ends in *.
func columnNames(list string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(list) {
		column, spellings, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		m[strings.TrimSuffix(column, "*")] = column
		for _, s := range strings.Fields(spellings) {
			m[s] = column
		}
	}
	return m
}

// xformsColumns are columns by the names of the attributes they become (ODK
// XForms, “Bindings”).
var xformsColumns = map[string]string{
	"jr:constraintmsg": "constraint_message", "jr:requiredmsg": "required_message", "entities:saveto": "save_to",
}

// A heading is a column as it was understood.
type heading struct {
	column   string // canonical; "" when it is not known
	language string // as written, "" when none
	written  string
}

// readHeading understands a heading: label, Label::中文 (zh), label:English,
// media::image::中文 (zh), constraint message.
func readHeading(written string, known map[string]string) heading {
	h := heading{written: written}
	base, rest := written, ""
	if b, r, ok := strings.Cut(written, "::"); ok {
		base, rest = b, r
	} else if b, r, ok := strings.Cut(written, ":"); ok && known[plainColumn(written)] == "" {
		base, rest = b, r
	}
	switch plainColumn(base) {
	case "bind", "body", "control": // bind::relevant, body::appearance, bind::jr:constraintMsg
		if column := known[plainColumn(rest)]; column != "" && !strings.HasSuffix(column, "*") {
			h.column = column
			return h
		}
		if column := xformsColumns[plainColumn(rest)]; known[column] != "" {
			h.column = column
			return h
		}
	}
	if plainColumn(base) == "media" && rest != "" {
		base = rest
		rest = ""
		if b, r, ok := strings.Cut(base, "::"); ok {
			base, rest = b, r
		} else if b, r, ok := strings.Cut(base, ":"); ok {
			base, rest = b, r
		}
	}
	column := known[plainColumn(base)]
	if column == "" {
		column = known[plainColumn(written)]
		if column != "" {
			rest = ""
		}
	}
	if column == "" && strings.TrimSpace(rest) == "" {
		// “label English”, “label (en)”
		if b, r, ok := strings.Cut(base, " "); ok && strings.HasSuffix(known[plainColumn(b)], "*") {
			column, rest = known[plainColumn(b)], strings.Trim(strings.TrimSpace(r), "()")
		}
	}
	translated := strings.HasSuffix(column, "*")
	if rest = strings.TrimSpace(rest); rest != "" && !translated {
		return h // bind::type, instance::tag
	}
	h.column, h.language = strings.TrimSuffix(column, "*"), rest
	return h
}

func plainColumn(s string) string { return strings.Join(strings.Fields(fold(s)), "_") }

// A sheet is a table whose headings are understood.
type sheet struct {
	*Table
	columns map[string][]int // canonical column -> indexes: one, or one for each language
	heads   []heading
}

// openSheet understands a table's headings and says which it does not know.
func openSheet(t *Table, known map[string]string, freeColumns bool, report *Report) *sheet {
	s := &sheet{Table: t, columns: map[string][]int{}}
	if t == nil {
		s.Table = &Table{}
		return s
	}
	seen := map[string]bool{}
	for i, written := range t.Header {
		if written == "" {
			s.heads = append(s.heads, heading{})
			if slices.ContainsFunc(t.Rows, func(r Row) bool { return r.Cell(i) != "" }) {
				report.Warn(problem(Problem{Sheet: t.Name, Cell: CellName(i, t.HeaderRow), Row: t.HeaderRow, Code: "form.column_without_head"}))
			}
			continue
		}
		h := readHeading(written, known)
		s.heads = append(s.heads, h)
		place := Problem{Sheet: t.Name, Cell: CellName(i, t.HeaderRow), Row: t.HeaderRow, Column: written, Got: written}
		key := h.column + "\x00" + fold(h.language)
		if h.column == "" {
			key = "\x00\x00" + fold(written)
		}
		if seen[key] {
			place.Code = "form.column_twice"
			report.Warn(problem(place))
			s.heads[i] = heading{written: written}
			continue
		}
		seen[key] = true
		if h.column == "" {
			prefix, _, _ := strings.Cut(fold(written), "::")
			if !freeColumns && !slices.Contains([]string{"bind", "body", "instance", "control", "attribute", "media"}, prefix) {
				place.Code = "form.unknown_column"
				names := make([]string, 0, len(known))
				for _, c := range known {
					names = append(names, strings.TrimSuffix(c, "*"))
				}
				slices.Sort(names)
				place.Near = Nearest(written, slices.Compact(names))
				report.Warn(problem(place))
			}
			continue
		}
		s.columns[h.column] = append(s.columns[h.column], i)
	}
	return s
}

// has says whether the sheet has a column.
func (s *sheet) has(column string) bool { return len(s.columns[column]) > 0 }

// cell returns the text of a column that is not translated.
func (s *sheet) cell(r Row, column string) string {
	if at := s.columns[column]; len(at) > 0 {
		return r.Cell(at[0])
	}
	return ""
}

// place is where a column's cell stands in a row.
func (s *sheet) place(r Row, column string) Problem {
	p := Problem{Sheet: s.Name, Row: r.Number}
	if at := s.columns[column]; len(at) > 0 {
		p.Cell, p.Column = CellName(at[0], r.Number), s.heads[at[0]].written
	}
	return p
}

// source is an expression's cell.
func (s *sheet) source(r Row, column string) Source {
	at := s.columns[column]
	if len(at) == 0 || r.Cell(at[0]) == "" {
		return Source{}
	}
	return Source{Text: r.Cell(at[0]), Cell: CellName(at[0], r.Number), Column: s.heads[at[0]].written, Row: r.Number}
}

// languages are collected over both sheets, in the order of their columns.
type languages struct {
	list []Language
	keys []string // folded, as written
	bare bool     // a column without a language stands beside columns with one
}

func collectLanguages(def string, sheets ...*sheet) *languages {
	l := &languages{}
	for _, s := range sheets {
		for _, h := range s.heads {
			if h.column != "" && h.language != "" && !slices.Contains(l.keys, fold(h.language)) {
				l.keys = append(l.keys, fold(h.language))
				l.list = append(l.list, readLanguage(h.language))
			}
		}
	}
	if len(l.list) == 0 {
		l.list, l.keys = []Language{{}}, []string{""}
		return l
	}
	for _, s := range sheets {
		for _, h := range s.heads {
			if (h.column == "label" || h.column == "hint") && h.language == "" {
				l.bare = true
			}
		}
	}
	first := l.find(def)
	if l.bare && first < 0 {
		// The column without a language is a language of its own, and the default.
		l.list, l.keys = append([]Language{{Name: def}}, l.list...), append([]string{""}, l.keys...)
		return l
	}
	if first > 0 {
		lang, key := l.list[first], l.keys[first]
		l.list, l.keys = slices.Delete(l.list, first, first+1), slices.Delete(l.keys, first, first+1)
		l.list, l.keys = append([]Language{lang}, l.list...), append([]string{key}, l.keys...)
	}
	return l
}

// named is a language by its name; one without is known by its column.
func (l *languages) named(i int) string { return cmp.Or(l.list[i].Name, "label") }

// find looks a language up by what is written, by name or by code.
func (l *languages) find(written string) int {
	if written == "" {
		return -1
	}
	want := readLanguage(written)
	for i, lang := range l.list {
		if l.keys[i] == fold(written) || fold(lang.Name) == fold(want.Name) && want.Name != "" || lang.Code != "" && (lang.Code == fold(written) || lang.Code == want.Code) {
			return i
		}
	}
	return -1
}

// readLanguage parts “中文 (zh)”.
func readLanguage(s string) Language {
	name, rest, ok := strings.Cut(s, "(")
	if !ok {
		name, rest, ok = strings.Cut(s, "（")
	}
	if ok {
		code := strings.TrimSpace(strings.TrimRight(strings.TrimSpace(rest), ")）"))
		return Language{strings.TrimSpace(name), strings.ToLower(code)}
	}
	return Language{Name: strings.TrimSpace(s)}
}

// text reads a translated column.
func (l *languages) text(s *sheet, r Row, column string) Text {
	at := s.columns[column]
	if len(at) == 0 {
		return Text{}
	}
	t := Text{In: make([]string, len(l.list)), Cells: make([]string, len(l.list))}
	some := false
	for _, i := range at {
		v := r.Cell(i)
		if v == "" {
			continue
		}
		n := 0
		if lang := s.heads[i].language; lang != "" {
			n = slices.Index(l.keys, fold(lang))
		}
		if n >= 0 && t.In[n] == "" {
			t.In[n], t.Cells[n], some = v, CellName(i, r.Number), true
		}
	}
	if !some {
		return Text{}
	}
	return t
}
