package forms

import (
	"strconv"

	"ironfeet/forms/expr"
)

// A node is one place of an entry. Questions hold a value; groups and instances
// hold one kid for each field inside; a repeat holds its instances.
type node struct {
	field  *field
	parent *node // of an instance: its repeat
	kids   []*node
	at     int     // of an instance: 1-based place; 0 for everything else
	spare  []*node // of a repeat: instances that its count took away, kept for undo

	value string
	last  string // the value of last time
	fresh bool   // its default has not been given yet
	given bool   // the value was given, not calculated

	relevant, required, readOnly, valid bool
	code                                string // why it is not valid
	queued                              uint8  // roles waiting to be worked out
}

// plant makes a field's node with everything below it.
func (e *Entry) plant(f *field, parent *node) *node {
	n := &node{field: f, parent: parent, valid: true, fresh: true, relevant: true}
	e.size++
	if f.repeat() {
		if f.count == nil {
			e.instance(n) // the first is there, as ODK has it
		}
		return n
	}
	e.fillIn(n)
	return n
}

func (e *Entry) fillIn(n *node) {
	if len(n.field.kids) == 0 {
		return
	}
	n.kids = make([]*node, len(n.field.kids))
	for i, k := range n.field.kids {
		n.kids[i] = e.plant(k, n)
	}
}

// instance appends an instance to a repeat.
func (e *Entry) instance(repeat *node) *node {
	n := &node{field: repeat.field, parent: repeat, at: len(repeat.kids) + 1, valid: true, relevant: true}
	e.size++
	e.fillIn(n)
	repeat.kids = append(repeat.kids, n)
	return n
}

// count counts a node with everything below it.
func (n *node) count() int {
	total := 1
	for _, k := range n.kids {
		total += k.count()
	}
	return total
}

// The node as expressions see it: instances stand directly in the group around
// their repeat.

// Name is the question's, group's or repeat's name.
func (n *node) Name() string { return n.field.item.Name }

// Parent is the group or instance around it.
func (n *node) Parent() expr.Node {
	p := n.parent
	if n.at > 0 {
		p = p.parent
	}
	if p == nil {
		return nil
	}
	return p
}

// Named returns the kids of a name; of a repeat, its instances.
func (n *node) Named(name string) []expr.Node {
	if n.field.repeat() && n.at == 0 {
		return nil
	}
	if name == "*" {
		var all []expr.Node
		for _, k := range n.kids {
			all = append(all, k.asSeen()...)
		}
		return all
	}
	i, ok := n.field.kidAt[name]
	if !ok {
		return nil
	}
	return n.kids[i].asSeen()
}

func (n *node) asSeen() []expr.Node {
	if !n.field.repeat() || n.at > 0 {
		return []expr.Node{n}
	}
	if !n.relevant {
		return nil
	}
	all := make([]expr.Node, len(n.kids))
	for i, k := range n.kids {
		all[i] = k
	}
	return all
}

// Text is the value, blank while it is not relevant.
func (n *node) Text() string {
	if !n.relevant {
		return ""
	}
	return n.value
}

// Position is an instance's place, from 1.
func (n *node) Position() int { return max(n.at, 1) }

// Repeated says whether the node is an instance.
func (n *node) Repeated() bool { return n.at > 0 }

// Relevant says whether the question is asked now.
func (n *node) Relevant() bool { return n.relevant }

// Numeric says whether answers are numbers by their type.
func (n *node) Numeric() bool { return n.field.numeric }

// path is the instance path.
func (n *node) path() string {
	if len(n.field.repeats) == 0 && n.at == 0 {
		return n.field.fixed
	}
	if n.at > 0 {
		return n.parent.path() + "[" + strconv.Itoa(n.at) + "]"
	}
	return n.parent.path() + "/" + n.field.item.Name
}

// instances are the instances around a node, outermost first; an instance counts
// itself.
func (n *node) instances() []*node {
	var list []*node
	for p := n; p != nil; p = p.parent {
		if p.at > 0 {
			list = append(list, p)
		}
	}
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// under is the deepest node that holds everything of the first depth instances
// around n.
func (n *node) under(depth int) *node {
	if depth == 0 {
		for n.parent != nil {
			n = n.parent
		}
		return n
	}
	return n.instances()[depth-1]
}

// reach finds the nodes a reference means from n.
func (e *Entry) reach(n *node, r ref) []*node {
	if r.field == nil {
		return nil
	}
	return collect(n.under(r.depth), r.field, nil)
}

// collect gathers the nodes of a field below a node. Of a repeat, it gathers
// the instances.
func collect(from *node, f *field, out []*node) []*node {
	if f == from.field && (from.at > 0 || !f.repeat()) {
		return append(out, from)
	}
	// the way from f up to from
	var few [16]*field
	way := few[:0]
	for x := f; x != from.field; x = x.parent {
		if x == nil {
			return out
		}
		way = append(way, x)
	}
	return walk(from, way, out)
}

func walk(n *node, way []*field, out []*node) []*node {
	if len(way) == 0 {
		return append(out, n)
	}
	next := way[len(way)-1]
	kid := n.kids[next.parent.kidAt[next.item.Name]]
	if !next.repeat() {
		return walk(kid, way[:len(way)-1], out)
	}
	if !kid.relevant {
		return out
	}
	for _, k := range kid.kids {
		out = walk(k, way[:len(way)-1], out)
	}
	return out
}
