package forms

import (
	"strconv"

	"ironfeet/forms/xlsform"
)

// Node returns what stands at a path.
func (e *Entry) Node(path string) (Node, bool) {
	n, err := e.find(path, false)
	if err != nil {
		return Node{}, false
	}
	return e.show(n, 0), true
}

// Nodes lists everything of the entry in document order, groups, repeats and
// their instances included, irrelevant ones too.
func (e *Entry) Nodes() []Node {
	var out []Node
	var visit func(n *node, depth int)
	visit = func(n *node, depth int) {
		if n != e.root {
			out = append(out, e.show(n, depth))
		}
		for _, k := range n.kids {
			visit(k, depth+1)
		}
	}
	visit(e.root, 0)
	return out
}

// Groups are the screens of the form: what stands at the top level and has
// something to show.
func (e *Entry) Groups() []Node {
	var out []Node
	for _, k := range e.root.kids {
		if k.relevant && !k.field.silent && e.shows(k) {
			out = append(out, e.show(k, 1))
		}
	}
	return out
}

// Inside lists what stands in a group, repeat or instance and below, in document
// order, relevant and not silent: one screen.
func (e *Entry) Inside(path string) []Node {
	n, err := e.find(path, false)
	if err != nil {
		return nil
	}
	if !n.field.group() {
		return []Node{e.show(n, 1)}
	}
	var out []Node
	var visit func(n *node, depth int)
	visit = func(n *node, depth int) {
		for _, k := range n.kids {
			if k.relevant && !k.field.silent {
				out = append(out, e.show(k, depth))
				visit(k, depth+1)
			}
		}
	}
	visit(n, 1)
	return out
}

// shows says whether a group holds anything a person sees.
func (e *Entry) shows(n *node) bool {
	if !n.field.group() {
		return true
	}
	if n.field.repeat() {
		return true
	}
	for _, k := range n.kids {
		if !k.field.silent && e.shows(k) {
			return true
		}
	}
	return false
}

func (e *Entry) show(n *node, depth int) Node {
	f := n.field
	it := f.item
	s := Node{
		Path: n.path(), Name: it.Name, Type: it.Type, Appearance: it.Appearance, Value: n.value, Last: n.last, Depth: depth,
		Label: e.fill(n, f.label), Hint: e.fill(n, f.hint), Guidance: e.text(it.Guidance),
		Relevant: n.relevant, Required: n.required, ReadOnly: n.readOnly || f.calc, Valid: n.valid, Calculated: f.silent || f.calc,
		Group: f.group() && (!f.repeat() || n.at > 0), Repeat: f.repeat() && n.at == 0, Parameters: it.Parameters,
		Image: e.text(it.Image), Audio: e.text(it.Audio), Video: e.text(it.Video),
	}
	if n.at > 0 {
		s.Type, s.RepeatLabel = "instance", e.instanceLabel(n)
		s.Relevant = n.parent.relevant
	}
	s.CanAdd = s.Repeat && f.count == nil
	if !n.valid {
		s.Code, s.Message = n.code, e.message(n)
	}
	if f.list != nil || f.source != nil {
		s.Choices = e.choices(n)
	}
	return s
}

// message is the author's sentence for what is wrong, or a plain one.
func (e *Entry) message(n *node) string {
	var t xlsform.Text
	plain := ""
	switch n.code {
	case "answer.required":
		t, plain = n.field.item.RequiredMessage, "an answer is needed"
	case "answer.constraint":
		t, plain = n.field.item.ConstraintMessage, "this answer is not possible"
	case "answer.choice":
		plain = "this is not one of the choices"
	case "answer.type":
		plain = "this is not a " + n.field.item.Type
	}
	if s := e.text(t); s != "" {
		return s
	}
	return plain
}

// instanceLabel is "3 · 韦某某": the number and the first answer a person gave.
func (e *Entry) instanceLabel(n *node) string {
	label := strconv.Itoa(n.at)
	var visit func(n *node) string
	visit = func(n *node) string {
		for _, k := range n.kids {
			switch f := k.field; {
			case f.repeat():
			case f.group():
				if s := visit(k); s != "" {
					return s
				}
			case !f.silent && k.relevant && k.value != "":
				return e.shown(k)
			}
		}
		return ""
	}
	if s := visit(n); s != "" {
		label += " · " + s
	}
	return label
}

// Problems lists what stands in the way of signing, in document order.
func (e *Entry) Problems() []Problem {
	var out []Problem
	e.each(e.root, func(n *node) {
		if n.relevant && !n.valid {
			out = append(out, Problem{n.path(), n.code, e.message(n)})
		}
	})
	return out
}

// Ready says whether every required answer is given and none is impossible.
func (e *Entry) Ready() bool { return len(e.Problems()) == 0 }
