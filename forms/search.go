package forms

import (
	"strings"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// A search is the appearance search('file', 'contains', 'column', ${text}, 'filter
// column', ${value}) of SurveyCTO and ODK Collect: choices out of a file. In the
// question's own list, a choice whose name is a column of the file stands for the
// file's rows (its label names the columns to show); the others are offered before
// them as they are.
type search struct {
	file         *list
	own          []*row // choices of the question's list that are no columns
	value        string // column of the stored value
	labels       []string
	mode         string // contains, matches, startswith, endswith; "": every row
	column       string
	text         *expr.Expr
	filterColumn string
	filterValue  *expr.Expr
}

// search compiles the appearance. The file's absence has been reported.
func (c *compiler) search(f *field) {
	it := f.item
	at := strings.Index(it.Appearance, "search(")
	if at < 0 {
		return
	}
	src := xlsform.Source{Text: it.Appearance[at:], Cell: it.AppearanceCell, Column: "appearance", Row: it.Row}
	if end := strings.LastIndexByte(src.Text, ')'); end > 0 {
		src.Text = src.Text[:end+1]
	}
	fault := func(got string) { c.problem(src, "form.search", got, "", "", true) }
	e, err := expr.Parse(src.Text)
	if err != nil {
		fault(err.Error())
		return
	}
	call, ok := e.Root.(*expr.Call)
	if n := 0; !ok || call.Name != "search" {
		fault(src.Text)
		return
	} else if n = len(call.Args); n != 1 && n != 4 && n != 6 {
		fault("search() takes 1, 4 or 6 arguments")
		return
	}
	literal := func(i int) string {
		if i < len(call.Args) {
			if s, ok := call.Args[i].(*expr.String); ok {
				return s.Value
			}
			fault(src.Text)
		}
		return ""
	}
	file := c.form.list(literal(0))
	if file == nil || f.list == nil {
		return
	}
	s := &search{file: file, mode: strings.ToLower(literal(1)), column: literal(2), filterColumn: literal(4)}
	value := func(i int) *expr.Expr {
		if i >= len(call.Args) {
			return nil
		}
		w := &reader{c: c, f: f, src: src}
		w.read(call.Args[i], f, false)
		c.reads[f][roleValid] = append(c.reads[f][roleValid], w.found...)
		return &expr.Expr{Src: src.Text, Root: call.Args[i]}
	}
	s.text, s.filterValue = value(3), value(5)
	switch s.mode {
	case "", "contains", "matches", "startswith", "endswith":
	default:
		fault(s.mode)
		return
	}
	for _, column := range []string{s.column, s.filterColumn} {
		if column != "" && !file.hasColumn(column) && len(file.rows) > 0 {
			c.problem(src, "form.unknown_filter", column, xlsform.Nearest(column, file.src.Columns), file.src.Name, true)
		}
	}
	for _, r := range f.list.rows {
		name := r.choice().Name
		if !file.hasColumn(name) {
			s.own = append(s.own, r)
			continue
		}
		s.value = name
		for _, label := range strings.FieldsFunc(r.cell("label"), func(r rune) bool { return r == ',' || r == ' ' }) {
			if file.hasColumn(label) {
				s.labels = append(s.labels, label)
			}
		}
	}
	if s.value != "" {
		f.search = s
	}
}

// label is what is shown for a row of the file.
func (s *search) label(r *row) string {
	parts := make([]string, 0, len(s.labels))
	for _, column := range s.labels {
		parts = append(parts, r.cell(column))
	}
	if len(parts) == 0 {
		return r.cell(s.value)
	}
	return strings.Join(parts, " ")
}

// found lists the rows of the file that are offered at a node now.
func (e *Entry) found(n *node) []*row {
	s := n.field.search
	ask := func(x *expr.Expr) string {
		if x == nil {
			return ""
		}
		return e.eval(n, x, xlsform.Source{Cell: n.field.item.AppearanceCell, Row: n.field.item.Row}).String()
	}
	text, filter := ask(s.text), ask(s.filterValue)
	rows := s.file.rows
	if s.mode == "matches" {
		rows = s.file.equal(s.column, text)
	} else if s.filterColumn != "" {
		rows = s.file.equal(s.filterColumn, filter)
	}
	var out []*row
	for _, r := range rows {
		cell, ok := r.cell(s.column), true
		switch s.mode {
		case "contains":
			ok = strings.Contains(strings.ToLower(cell), strings.ToLower(text))
		case "matches":
			ok = cell == text
		case "startswith":
			ok = strings.HasPrefix(strings.ToLower(cell), strings.ToLower(text))
		case "endswith":
			ok = strings.HasSuffix(strings.ToLower(cell), strings.ToLower(text))
		}
		if ok && (s.filterColumn == "" || r.cell(s.filterColumn) == filter) {
			out = append(out, r)
		}
	}
	return out
}

// searched are the choices of a question that searches a file.
func (e *Entry) searched(n *node) []Choice {
	s := n.field.search
	var out []Choice
	for _, r := range s.own {
		out = append(out, e.choice(n.field, r))
	}
	for _, r := range e.found(n) {
		out = append(out, Choice{Name: r.cell(s.value), Label: s.label(r)})
	}
	return out
}
