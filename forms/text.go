package forms

import (
	"strings"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// A template is a text with ${references} in it, in every language.
type template struct {
	in [][]piece // by language; nil where the text holds no reference
	is xlsform.Text
}

// A piece is literal text, or a reference.
type piece struct {
	text string
	ref  string
}

// template reads a label or hint and checks the references in it.
func (c *compiler) template(f *field, t xlsform.Text) template {
	out := template{is: t}
	for i, text := range t.In {
		if !strings.Contains(text, "${") {
			continue
		}
		if out.in == nil {
			out.in = make([][]piece, len(t.In))
		}
		var pieces []piece
		for rest := text; rest != ""; {
			before, after, found := strings.Cut(rest, "${")
			if before != "" {
				pieces = append(pieces, piece{text: before})
			}
			if !found {
				break
			}
			name, tail, closed := strings.Cut(after, "}")
			if !closed {
				pieces = append(pieces, piece{text: "${" + after})
				break
			}
			rest = tail
			name = strings.TrimSpace(name)
			src := xlsform.Source{Row: f.item.Row, Column: "label"}
			if i < len(t.Cells) {
				src.Cell = t.Cells[i]
			}
			if strings.HasPrefix(name, "last-saved#") {
				continue
			}
			if r := c.resolve(f, name, src); r.field == nil {
				if expr.IsName(name) {
					c.problem(src, "form.unknown_reference", name, xlsform.Nearest(name, c.names()), "", true)
				} else {
					c.problem(src, "form.bad_reference", "${"+name+"}", "", "", true)
				}
				continue
			}
			pieces = append(pieces, piece{ref: name})
		}
		out.in[i] = pieces
	}
	return out
}

// fill is a template's text in the entry's language, references replaced by the
// answers as a person reads them.
func (e *Entry) fill(n *node, t template) string {
	lang := e.lang
	if lang >= len(t.is.In) || t.is.In[lang] == "" {
		lang = 0 // a missing text falls back to the default language
		for i, s := range t.is.In {
			if s != "" {
				lang = i
				break
			}
		}
	}
	if lang >= len(t.is.In) {
		return ""
	}
	if t.in == nil || t.in[lang] == nil {
		return t.is.In[lang]
	}
	var b strings.Builder
	for _, p := range t.in[lang] {
		if p.ref == "" {
			b.WriteString(p.text)
			continue
		}
		for i, x := range e.reach(n, n.field.refs[p.ref]) {
			if i > 0 {
				b.WriteString("、")
			}
			b.WriteString(e.shown(x))
		}
	}
	return b.String()
}

// shown is an answer as a person reads it: the choice's label.
func (e *Entry) shown(n *node) string {
	v := n.Text()
	if f := n.field; v != "" && f.list != nil {
		var labels []string
		for _, w := range values(f, v) {
			label := w
			if l, ok := e.labelOf(f, w); ok {
				label = l
			}
			labels = append(labels, label)
		}
		return strings.Join(labels, "、")
	}
	return v
}

// values parts a select_multiple or rank.
func values(f *field, v string) []string {
	if f.item.Type == "select_one" {
		return []string{v}
	}
	return strings.Fields(v)
}

// text is what stands in the entry's language, or in the first that has it.
func (e *Entry) text(t xlsform.Text) string {
	if e.lang < len(t.In) && t.In[e.lang] != "" {
		return t.In[e.lang]
	}
	for _, s := range t.In {
		if s != "" {
			return s
		}
	}
	return ""
}
