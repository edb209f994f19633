package forms

import "ironfeet/forms/expr"

// A fold is a call that makes one value of all the answers to a question, as
// sum(${x}) does, and where it looks for them: below the instance of the depth-th
// repeat around the reader. Its value is kept until one of the answers changes,
// so that it is worked out once a change and not once for every member who reads
// it.
type fold struct {
	reader, of *field
	depth      int
}

// fold notes a call that folds, if the set it folds is one field's.
func (w *reader) fold(c *expr.Call, at *field) {
	switch set := c.Folded().(type) {
	case *expr.Ref:
		if r := w.c.resolve(w.f, set.Name, w.src); r.field != nil && !set.LastSaved {
			w.c.form.folds[c] = fold{w.f, r.field, r.depth}
		}
	case *expr.Path:
		top := w.c.form.root
		if !set.Absolute {
			top = at
		}
		if set.From != nil || top == nil || at != w.f {
			return
		}
		target := top
		for i, s := range set.Steps {
			if len(s.Predicates) > 0 {
				return
			}
			switch s.Axis {
			case expr.Parent:
				if target != top || top.parent == nil {
					return
				}
				top = top.parent
				target = top
			case expr.Child:
				if set.Absolute && i == 0 && s.Name == target.item.Name {
					break
				}
				k, ok := target.kidAt[s.Name]
				if !ok {
					return
				}
				target = target.kids[k]
			default:
				return
			}
		}
		w.c.form.folds[c] = fold{w.f, target, len(top.inside())}
	}
}

// A memoKey is a fold and the node below which it looks.
type memoKey struct {
	call  *expr.Call
	below *node
}

// A memo is a fold's value and the version of the answers it was made of.
type memo struct {
	expr.Memo
	version uint32
}

func (e *Entry) memo(c *expr.Call, from expr.Node) *expr.Memo {
	n, ok := from.(*node)
	if !ok {
		return nil
	}
	f, ok := e.form.folds[c]
	if !ok || n.field != f.reader {
		return nil
	}
	key := memoKey{c, n.under(f.depth)}
	m := e.memos[key]
	if m == nil {
		if e.memos == nil {
			e.memos = map[memoKey]*memo{}
		}
		m = &memo{}
		e.memos[key] = m
	}
	if v := e.versions[f.of.index]; m.version != v {
		m.version, m.Good = v, false
	}
	return &m.Memo
}

// nth finds the nodes of indexed-repeat(${question}, ${repeat}, i, …) without
// looking through the instances.
func (e *Entry) nth(c *expr.Call, index []float64, from expr.Node) ([]expr.Node, bool) {
	n, ok := from.(*node)
	if !ok {
		return nil, false
	}
	fieldOf := func(a expr.Ast) *field {
		if r, ok := a.(*expr.Ref); ok && !r.LastSaved {
			return n.field.refs[r.Name].field
		}
		return nil
	}
	target := fieldOf(c.Args[0])
	if target == nil {
		return nil, false
	}
	at := make(map[*field]float64, len(index))
	for i, x := range index {
		repeat := fieldOf(c.Args[1+2*i])
		if repeat == nil || !repeat.repeat() {
			return nil, false
		}
		at[repeat] = x
	}
	var out []expr.Node
	var walk func(n *node, way []*field)
	walk = func(n *node, way []*field) {
		if len(way) == 0 {
			out = append(out, n)
			return
		}
		kid := n.kids[way[0].parent.kidAt[way[0].item.Name]]
		if !way[0].repeat() {
			walk(kid, way[1:])
			return
		}
		if !kid.relevant {
			return
		}
		if x, ok := at[way[0]]; ok {
			if x >= 1 && x <= float64(len(kid.kids)) && x == float64(int(x)) {
				walk(kid.kids[int(x)-1], way[1:])
			}
			return
		}
		for _, k := range kid.kids {
			walk(k, way[1:])
		}
	}
	walk(e.root, target.line()[1:])
	return out, true
}
