package export

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ironfeet/app/casework/visit"
	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// A Template says what a receiving system wants to read: which columns in which
// order, from where, in which code. A county writes it as a workbook (or its
// Markdown twin):
//
//	设置 settings   名称 name, 值 value          title, status (verified | registered)
//	列   columns    工作表 sheet, 每行 row (household | member), 列名 head, 取值 source,
//	                代码表 codes, 类型 type (text | number)
//	代码 codes      代码表 list, 代码 code, 名称 label
//
// A source is a formula in the language of forms and standards: ${phone},
// ${visit.water}, count(/members[age >= 60]). The order of the rows is the order
// of the columns. A code that its list does not know is written as it stands and
// counted.
type Template struct {
	Name, Title, Status string
	Sheets              []Sheet
}

// A Sheet is one table of a template.
type Sheet struct {
	Name    string
	Members bool // a row a member; otherwise a row a household
	Columns []Column
}

// A Column is one column of a table.
type Column struct {
	Head   string
	Source string
	Number bool // written as a number where it is one
	codes  map[string]string
	plain  reader // a single name
	mask   func(string) string
	whole  *expr.Expr
	names  map[string]named
}

type named struct {
	read reader
	mask func(string) string
}

// MaxTemplate bounds a template's workbook.
const MaxTemplate = 4 << 20

// maxColumns is what a sheet of XLSX can hold at most, and more than any system asks.
const maxColumns = 400

//go:embed default.md
var defaultTemplate []byte

// Default is the template that is used when none is named: a table of households
// and one of adult members.
func Default() *Template {
	t, report := ReadTemplate("default.md", defaultTemplate, registryFields)
	if t == nil {
		panic(fmt.Sprintf("the default template: %v", report.Errors)) // embedded above
	}
	return t
}

// headings are the columns of a template's sheets under all their names.
var headings = map[string][]string{
	"settings": {"设置"}, "columns": {"列", "栏目"}, "codes": {"代码"},
	"name": {"名称"}, "value": {"值"}, "sheet": {"工作表"}, "row": {"每行"}, "head": {"列名"}, "source": {"取值"},
	"list": {"代码表"}, "code": {"代码"}, "label": {"名称", "标签"}, "type": {"类型"}, "note": {"说明"},
}

type templateReader struct {
	t      *Template
	fields Fields
	report xlsform.Report
	codes  map[string]map[string]string
}

// ReadTemplate reads a template. Every problem is reported at once with its cell;
// with errors the template is nil.
func ReadTemplate(name string, data []byte, fields Fields) (*Template, xlsform.Report) {
	r := &templateReader{t: &Template{Name: name, Status: OnlyVerified}, fields: fields, codes: map[string]map[string]string{}}
	if len(data) > MaxTemplate {
		r.wrong("template.too_large", "", "", 0, fmt.Sprint(MaxTemplate>>20), "", "the workbook is larger than 4 MB")
		return nil, r.report
	}
	tables, report := xlsform.ReadTables(name, data)
	r.report = report
	if tables == nil {
		return nil, report
	}
	if s := sheetNamed(tables, "codes"); s != nil {
		r.readCodes(s)
	}
	if s := sheetNamed(tables, "settings"); s != nil {
		r.readSettings(s)
	}
	if s := sheetNamed(tables, "columns"); s != nil {
		r.readColumns(s)
	} else {
		r.wrong("template.no_sheet", "columns", "", 0, "列 columns", "", "the sheet 列 (columns) is missing")
	}
	if len(r.report.Errors) == 0 && len(r.t.Sheets) == 0 {
		r.wrong("template.no_column", "columns", "", 0, "", "", "the sheet 列 (columns) names no column")
	}
	r.report.Sort()
	if !r.report.OK() {
		return nil, r.report
	}
	if r.t.Title == "" {
		r.t.Title = strings.TrimSuffix(strings.TrimSuffix(name, ".xlsx"), ".md")
	}
	return r.t, r.report
}

func sheetNamed(t *xlsform.Tables, name string) *xlsform.Table {
	for _, n := range append([]string{name}, headings[name]...) {
		if s := t.Sheet(n); s != nil {
			return s
		}
	}
	return nil
}

func (r *templateReader) wrong(code, sheet, cell string, row int, got, near, message string) {
	r.report.Error(xlsform.Problem{Sheet: sheet, Cell: cell, Row: row, Code: code, Got: got, Near: near, Message: message})
}

// cells gives a sheet's rows by the names of the columns.
func cells(s *xlsform.Table, names ...string) func(xlsform.Row, string) (value, cell string) {
	at := map[string]int{}
	for _, name := range names {
		for i, h := range s.Header {
			h = strings.ToLower(strings.TrimSpace(h))
			if _, taken := at[name]; !taken && (h == name || slices.Contains(headings[name], h)) {
				at[name] = i
			}
		}
	}
	return func(row xlsform.Row, name string) (string, string) {
		i, ok := at[name]
		if !ok {
			return "", ""
		}
		return strings.TrimSpace(row.Cell(i)), xlsform.CellName(i, row.Number)
	}
}

func (r *templateReader) readCodes(s *xlsform.Table) {
	get := cells(s, "list", "code", "label")
	for _, row := range s.Rows {
		list, cell := get(row, "list")
		code, _ := get(row, "code")
		label, _ := get(row, "label")
		if list == "" || code == "" {
			r.wrong("template.code_incomplete", s.Name, cell, row.Number, "", "", "a code needs its list and the code itself")
			continue
		}
		if r.codes[list] == nil {
			r.codes[list] = map[string]string{}
		}
		if _, twice := r.codes[list][code]; twice {
			r.wrong("template.code_twice", s.Name, cell, row.Number, code, "", "the code "+code+" stands twice in the list "+list)
		}
		r.codes[list][code] = label
	}
}

func (r *templateReader) readSettings(s *xlsform.Table) {
	get := cells(s, "name", "value")
	for _, row := range s.Rows {
		name, cell := get(row, "name")
		value, _ := get(row, "value")
		switch strings.ToLower(name) {
		case "title", "标题":
			r.t.Title = value
		case "status", "范围":
			if value != OnlyVerified && value != Registered {
				r.wrong("template.status", s.Name, cell, row.Number, value, xlsform.Nearest(value, []string{OnlyVerified, Registered}), "the status is verified or registered, not "+value)
				continue
			}
			r.t.Status = value
		}
	}
}

func (r *templateReader) readColumns(s *xlsform.Table) {
	get := cells(s, "sheet", "row", "head", "source", "list", "codes", "type")
	for _, row := range s.Rows {
		head, headCell := get(row, "head")
		source, cell := get(row, "source")
		if head == "" || source == "" {
			r.wrong("template.column_incomplete", s.Name, headCell, row.Number, "", "", "a column needs a heading and a source")
			continue
		}
		sheet, _ := get(row, "sheet")
		of, ofCell := get(row, "row")
		if sheet == "" {
			sheet = "表"
			if n := len(r.t.Sheets); n > 0 {
				sheet = r.t.Sheets[n-1].Name
			}
		}
		i := slices.IndexFunc(r.t.Sheets, func(have Sheet) bool { return have.Name == sheet })
		if i < 0 {
			i = len(r.t.Sheets)
			r.t.Sheets = append(r.t.Sheets, Sheet{Name: sheet, Members: of == "member" || of == "成员"})
		}
		switch of {
		case "", "household", "户", "member", "成员":
		default:
			r.wrong("template.row", s.Name, ofCell, row.Number, of, xlsform.Nearest(of, []string{"household", "member"}), "a row is a household or a member, not "+of)
		}
		c := Column{Head: Plain(head), Source: source}
		kind, kindCell := get(row, "type")
		switch kind {
		case "number", "数字":
			c.Number = true
		case "", "text", "文本":
		default:
			r.wrong("template.type", s.Name, kindCell, row.Number, kind, xlsform.Nearest(kind, []string{"text", "number"}), "a type is text or number, not "+kind)
		}
		list, listCell := get(row, "list")
		if list == "" {
			list, listCell = get(row, "codes")
		}
		if list != "" {
			if c.codes = r.codes[list]; c.codes == nil {
				r.wrong("template.no_codes", s.Name, listCell, row.Number, list, xlsform.Nearest(list, slices.Sorted(maps.Keys(r.codes))), "there is no list of codes named "+list)
			}
		}
		r.compile(&c, r.t.Sheets[i].Members, s.Name, cell, row.Number)
		if r.t.Sheets[i].Columns = append(r.t.Sheets[i].Columns, c); len(r.t.Sheets[i].Columns) == maxColumns+1 {
			r.wrong("template.too_many", s.Name, cell, row.Number, fmt.Sprint(maxColumns), "", fmt.Sprintf("a sheet has at most %d columns", maxColumns))
		}
	}
}

// compile reads a column's formula and finds what each of its names means.
func (r *templateReader) compile(c *Column, members bool, sheet, cell string, at int) {
	parsed, err := expr.Parse(c.Source)
	if err == nil {
		err = parsed.CheckExact()
	}
	if err != nil {
		r.wrong("template.formula", sheet, cell, at, c.Source, "", "the source cannot be read: "+err.Error())
		return
	}
	c.names = map[string]named{}
	expr.Walk(parsed.Root, func(a expr.Ast) bool {
		ref, ok := a.(*expr.Ref)
		if !ok {
			return true
		}
		if Never(strings.ReplaceAll(ref.Name, ".", "/"), false) {
			r.wrong("template.never", sheet, cell, at, ref.Name, "", ref.Name+" is in no export: what neighbours said, or what concerns children")
			return false
		}
		n, ok := r.fields.find(ref.Name, members)
		if !ok {
			r.wrong("template.unknown_field", sheet, cell, at, ref.Name, xlsform.Nearest(ref.Name, r.fields.all(members)), "there is no field named "+ref.Name)
			return false
		}
		c.names[ref.Name] = n
		return true
	})
	if ref, ok := parsed.Root.(*expr.Ref); ok {
		c.plain, c.mask = c.names[ref.Name].read, c.names[ref.Name].mask
		return
	}
	c.whole = parsed
}

// find says what a name means in a table of households or of members.
func (f Fields) find(name string, members bool) (named, bool) {
	if question, ok := strings.CutPrefix(name, "visit."); ok {
		return named{read: func(r *row) string { return r.answer(question) }}, f.Visit[question]
	}
	if members {
		if of, ok := strings.CutPrefix(name, "household."); ok {
			return f.find(of, false)
		}
		if read := ownOfMember[name]; read != nil {
			return named{read: read}, true
		}
		return named{func(r *row) string { return r.member.Text(name) }, maskOf(name)}, f.Member[name]
	}
	if read := system[name]; read != nil {
		return named{read, maskOf(name)}, true
	}
	return named{func(r *row) string { return r.Household.Text(name) }, maskOf(name)}, f.Household[name]
}

// all are the names that a formula may use.
func (f Fields) all(members bool) []string {
	var list []string
	for q := range f.Visit {
		list = append(list, "visit."+q)
	}
	household := append(slices.Collect(maps.Keys(system)), slices.Collect(maps.Keys(f.Household))...)
	if members {
		list = append(list, slices.Collect(maps.Keys(ownOfMember))...)
		list = append(list, slices.Collect(maps.Keys(f.Member))...)
		for _, n := range household {
			list = append(list, "household."+n)
		}
	} else {
		list = append(list, household...)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// value is what stands in a column for a row.
func (c *Column) value(r *row, n *Count) string {
	v := ""
	switch {
	case c.plain != nil:
		v = c.plain(r)
		if c.mask != nil && !r.o.Unmasked {
			v = c.mask(v)
		}
	case c.whole != nil:
		out, err := c.whole.ExactIn(&expr.ExactEnv{
			Value: func(name string) (expr.ExactValue, bool) {
				of, ok := c.names[name]
				if !ok {
					return expr.ExactValue{}, false
				}
				v := of.read(r)
				if of.mask != nil && !r.o.Unmasked {
					v = of.mask(v)
				}
				if v == "" {
					return expr.ExactMissing(name), true
				}
				return expr.ExactText(v), true
			},
			Root: r.nested(), Lists: map[string]bool{"members": true, "incomes": true, "expenses": true, "vehicles": true}, Today: r.o.Day,
		})
		if err != nil {
			n.Failed++
		} else if !out.IsMissing() {
			v = out.String()
		}
	}
	if c.codes != nil && v != "" {
		if label, ok := c.codes[v]; ok {
			v = label
		} else {
			n.Unmapped++
		}
	}
	return Plain(v)
}

// rows calls write with every line of the template's sheets, in the order of the
// records. The values are valid until write returns.
func (t *Template) rows(rec Record, o *Options, n *Count, write func(sheet int, values []string) error) error {
	line := &row{Record: rec, o: o}
	n.Households++
	young := minors(rec.Members, o.Day)
	if !o.Children {
		n.MinorsLeftOut += young
	}
	for i := range t.Sheets {
		s := &t.Sheets[i]
		values := o.buffer(i, len(s.Columns))
		put := func() error {
			for j := range s.Columns {
				values[j] = s.Columns[j].value(line, n)
			}
			n.Rows++
			return write(i, values)
		}
		if !s.Members {
			line.member = nil
			if err := put(); err != nil {
				return err
			}
			continue
		}
		for _, m := range rec.Members {
			if !o.Children && visit.Minor(m.Text("birth"), o.Day) {
				continue
			}
			line.member = m
			if err := put(); err != nil {
				return err
			}
		}
	}
	n.Members += len(rec.Members)
	if !o.Children {
		n.Members -= young
	}
	return nil
}
