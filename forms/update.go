package forms

import (
	"strconv"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// marked is the bit of node.queued that says “already among the changed”.
const marked = 1 << 7

// A task of the queue: one role of one node. Tasks of one order are taken in
// document order, and what lies behind the present task waits for the next sweep,
// so that a running total down the members of a household is worked out in one.
type task struct {
	sweep int32
	order int32
	place int64
	role  role
	node  *node
}

func (t *task) before(o *task) bool {
	switch {
	case t.sweep != o.sweep:
		return t.sweep < o.sweep
	case t.order != o.order:
		return t.order < o.order
	}
	return t.place < o.place
}

// A queue is a binary heap of tasks by their order in the graph. It is written out
// here since container/heap would allocate for every task.
type queue []task

func (q *queue) add(t task) {
	*q = append(*q, t)
	list := *q
	for i := len(list) - 1; i > 0; {
		up := (i - 1) / 2
		if !list[i].before(&list[up]) {
			break
		}
		list[up], list[i] = list[i], list[up]
		i = up
	}
}

func (q *queue) take() task {
	list := *q
	first, last := list[0], len(list)-1
	list[0] = list[last]
	list[last] = task{}
	list = list[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(list) {
			break
		}
		if right := down + 1; right < len(list) && list[right].before(&list[down]) {
			down = right
		}
		if !list[down].before(&list[i]) {
			break
		}
		list[i], list[down] = list[down], list[i]
		i = down
	}
	*q = list
	return first
}

// push queues a role of a node, once.
func (e *Entry) push(n *node, r role) {
	if n.queued&(1<<r) != 0 {
		return
	}
	n.queued |= 1 << r
	place := int64(0)
	if len(n.field.repeats) > 0 {
		unit := int64(1)
		for p := n; p != nil; p = p.parent {
			if p.at > 0 {
				place += int64(p.at) * unit
				unit *= MaxInstances + 1
			}
		}
	}
	t := task{e.now.sweep, e.form.cell(n.field, r).order, place, r, n}
	if t.before(&e.now) {
		t.sweep++
	}
	e.queue.add(t)
}

// mark notes that something about a node changed.
func (e *Entry) mark(n *node) {
	if n.queued&marked == 0 {
		n.queued |= marked
		e.changed = append(e.changed, n)
	}
}

// touch queues everything that reads a node's value.
func (e *Entry) touch(n *node) {
	e.touchFrom(n, n.field)
}

// touchFrom queues what reads a field, as far as it stands under the same
// instances as n.
func (e *Entry) touchFrom(n *node, f *field) {
	e.versions[f.index]++
	readers := e.form.cell(f, roleValue).readers
	if len(readers) == 0 {
		return
	}
	have := len(n.instances())
	for _, reader := range readers {
		for _, x := range e.targets(n.under(min(reader.depth, have)), reader.field) {
			e.push(x, reader.role)
		}
	}
}

// touchAround queues what reads a field of a repeat from outside the instance it
// stands in: what comes and goes with other instances concerns nobody within one.
func (e *Entry) touchAround(repeat *node, f *field) {
	e.versions[f.index]++
	have := len(repeat.instances())
	for _, reader := range e.form.cell(f, roleValue).readers {
		if reader.depth > have {
			continue
		}
		for _, x := range e.targets(repeat.under(reader.depth), reader.field) {
			e.push(x, reader.role)
		}
	}
}

// targets are the nodes of a field below a node; of a repeat, the repeat itself.
func (e *Entry) targets(from *node, f *field) []*node {
	if !f.repeat() {
		return everywhere(from, f)
	}
	var out []*node
	for _, p := range everywhere(from, f.parent) {
		out = append(out, p.kids[f.parent.kidAt[f.item.Name]])
	}
	return out
}

// everywhere is collect that also enters repeats that are not relevant.
func everywhere(from *node, f *field) []*node {
	if f == from.field {
		return []*node{from}
	}
	var way []*field
	for x := f; x != from.field; x = x.parent {
		if x == nil {
			return nil
		}
		way = append(way, x)
	}
	now := []*node{from}
	for i := len(way) - 1; i >= 0; i-- {
		var next []*node
		for _, n := range now {
			k := n.kids[way[i].parent.kidAt[way[i].item.Name]]
			if way[i].repeat() {
				next = append(next, k.kids...)
			} else {
				next = append(next, k)
			}
		}
		now = next
	}
	return now
}

// freshen queues everything of a new part of the tree.
func (e *Entry) freshen(n *node) {
	e.each(n, func(x *node) {
		if x.at > 0 { // an instance has its repeat's relevance
			x.relevant = x.parent.relevant
			return
		}
		for r := range roles {
			e.push(x, r)
		}
	})
}

// reshaped queues what reads a repeat or anything in it, after instances came,
// went or moved.
func (e *Entry) reshaped(repeat *node) {
	e.touch(repeat)
	for _, i := range repeat.kids { // position(..) inside
		e.touchFrom(i, repeat.field)
	}
	var visit func(f *field)
	visit = func(f *field) {
		e.touchAround(repeat, f)
		for _, k := range f.kids {
			visit(k)
		}
	}
	for _, k := range repeat.field.kids {
		visit(k)
	}
}

// run works the queue off in the order of the graph.
func (e *Entry) run() {
	e.recounts = 0
	defer func() { e.now = task{} }()
	for tasks := 0; len(e.queue) > 0; tasks++ {
		t := e.queue.take()
		e.now = t
		t.node.queued &^= 1 << t.role
		// Every value is worked out a few times at most, unless instances of a repeat
		// chase each other.
		if tasks > 20*e.size+1_000_000 {
			e.fault(t.node.field, t.node.field.item.Calculation, errRestless)
			for _, t := range e.queue {
				t.node.queued &^= 1 << t.role
			}
			e.queue = e.queue[:0]
			return
		}
		if t.node.detached() {
			continue
		}
		switch t.role {
		case roleRelevant:
			e.workRelevant(t.node)
		case roleValue:
			e.workValue(t.node)
		case roleRequired:
			if v := e.condition(t.node, t.node.field.required, t.node.field.item.Required); v != t.node.required {
				t.node.required = v
				e.mark(t.node)
				e.push(t.node, roleValid)
			}
		case roleReadOnly:
			if v := e.condition(t.node, t.node.field.readOnly, t.node.field.item.ReadOnly); v != t.node.readOnly {
				t.node.readOnly = v
				e.mark(t.node)
			}
		case roleValid:
			e.workValid(t.node)
		}
	}
}

// detached says whether the node's instance has been taken out since.
func (n *node) detached() bool {
	for p := n; p != nil; p = p.parent {
		if p.at > 0 && (p.at > len(p.parent.kids) || p.parent.kids[p.at-1] != p) {
			return true
		}
	}
	return false
}

// eval evaluates an expression at a node. A fault is remembered and yields blank.
func (e *Entry) eval(n *node, x *expr.Expr, src xlsform.Source) expr.Value {
	e.env.Node, e.env.From = n, nil
	v, err := x.Eval(&e.env)
	if err != nil {
		e.fault(n.field, src, err)
		return expr.Value{}
	}
	return v
}

func (e *Entry) fault(f *field, src xlsform.Source, err error) {
	for _, old := range e.faults {
		if old.field == f && old.src == src {
			return
		}
	}
	if len(e.faults) < 1000 {
		e.faults = append(e.faults, fault{f, src, err})
	}
}

// condition is false where there is none.
func (e *Entry) condition(n *node, x *expr.Expr, src xlsform.Source) bool {
	return x != nil && e.eval(n, x, src).Bool()
}

func (e *Entry) workRelevant(n *node) {
	around := n.parent == nil || n.parent.relevant
	relevant := around && (n.field.relevant == nil || e.eval(n, n.field.relevant, n.field.item.Relevant).Bool())
	if relevant == n.relevant {
		return
	}
	n.relevant = relevant
	e.mark(n)
	if n.field.repeat() {
		for _, i := range n.kids {
			i.relevant = relevant
			for _, k := range i.kids {
				e.push(k, roleRelevant)
			}
		}
		e.reshaped(n)
		e.push(n, roleValue)
		return
	}
	for _, k := range n.kids {
		e.push(k, roleRelevant)
	}
	if !n.field.group() {
		if n.field.calc || n.fresh {
			e.push(n, roleValue)
		}
		e.touch(n)
		e.push(n, roleValid)
	}
}

func (e *Entry) workValue(n *node) {
	f := n.field
	switch {
	case f.repeat():
		e.recount(n)
		return
	case f.group() || !n.relevant:
		return
	}
	value := n.value
	switch {
	case f.calc:
		if f.item.Trigger.Text != "" && n.fresh && f.static == "" {
			n.fresh = false // waits for its trigger
			return
		}
		value = e.eval(n, f.calculation, f.item.Calculation).String()
	case !n.fresh:
		return
	case f.preset != nil:
		value = e.eval(n, f.preset, f.item.Default).String()
	case f.static != "":
		value = f.static
	case f.silent:
		value = e.metadata(f.item.Type)
	}
	n.fresh = false
	if value == n.value {
		return
	}
	n.value = value
	if !f.silent && !f.calc {
		n.given = true
	}
	e.mark(n)
	e.touch(n)
	e.push(n, roleValid)
}

// metadata is what the device answers.
func (e *Entry) metadata(typ string) string {
	const dateTime = "2006-01-02T15:04:05.000-07:00"
	switch typ {
	case "start":
		return e.begun.Format(dateTime)
	case "end":
		return e.opts.Now().Format(dateTime)
	case "today":
		return e.begun.Format("2006-01-02")
	case "deviceid":
		return e.opts.DeviceID
	case "username":
		return e.opts.Username
	}
	return ""
}

// recount gives a repeat as many instances as its count says. What is taken away
// is kept, so that a slip of the finger costs nothing.
func (e *Entry) recount(n *node) {
	if n.field.count == nil || !n.relevant {
		return
	}
	v := e.eval(n, n.field.count, n.field.item.RepeatCount)
	want := 0
	if !v.IsBlank() {
		f := v.Number()
		if f != f {
			e.fault(n.field, n.field.item.RepeatCount, errNotNumber)
			return
		}
		want = int(min(max(f, 0), MaxInstances))
	}
	had := len(n.kids)
	if want == had {
		return
	}
	// A repeat that grows by its own answers comes to rest, unless its count goes
	// to and fro.
	if e.recounts++; e.recounts > 4*MaxInstances {
		e.fault(n.field, n.field.item.RepeatCount, errRestless)
		return
	}
	for len(n.kids) > want {
		last := len(n.kids) - 1
		n.spare = append(n.spare, n.kids[last])
		n.kids = n.kids[:last]
	}
	for len(n.kids) < want {
		if k := len(n.spare); k > 0 {
			i := n.spare[k-1]
			n.spare = n.spare[:k-1]
			n.kids = append(n.kids, i)
			i.at = len(n.kids)
			e.each(i, func(x *node) {
				if x != i && x.at == 0 {
					e.push(x, roleRelevant)
					e.push(x, roleValue)
					e.push(x, roleValid)
				}
			})
			continue
		}
		if e.size >= maxNodes {
			e.fault(n.field, n.field.item.RepeatCount, errTooMany)
			break
		}
		e.freshen(e.instance(n))
	}
	if len(n.kids) == had {
		return
	}
	e.mark(n)
	e.reshaped(n)
}

func (e *Entry) workValid(n *node) {
	code := ""
	switch f := n.field; {
	case f.group() || !n.relevant:
	case n.value == "":
		if n.required && f.item.Type != "note" && !f.silent {
			code = "answer.required"
		}
	default:
		if code = fits(f.item, n.value); code != "" {
			break
		}
		if f.item.Type == "select_one" || f.item.Type == "select_multiple" || f.item.Type == "rank" {
			for _, w := range values(f, n.value) {
				if !e.offers(n, w) {
					code = "answer.choice"
				}
			}
		}
		if code == "" && f.constraint != nil {
			e.env.Node, e.env.From = n, nil
			v, err := f.constraint.Eval(&e.env)
			if err != nil {
				e.fault(f, f.item.Constraint, err)
			} else if !v.Bool() {
				code = "answer.constraint"
			}
		}
	}
	if code != n.code || (code == "") != n.valid {
		n.code, n.valid = code, code == ""
		e.mark(n)
	}
}

// fits says what is wrong with an answer by its type: "" or "answer.type".
func fits(it *xlsform.Item, v string) string {
	ok := true
	switch it.Type {
	case "integer":
		if len(v) > 18 {
			ok = false
		} else {
			_, err := strconv.ParseInt(v, 10, 64)
			ok = err == nil && v[0] != '+'
		}
	case "decimal", "range":
		ok = expr.IsNumber(v)
	case "date":
		ok = expr.IsDate(v) && len(v) == len("2006-01-02")
	case "dateTime":
		ok = expr.IsDate(v)
	case "time":
		ok = expr.IsTime(v)
	case "geopoint":
		ok = expr.IsPoint(v)
	}
	if !ok {
		return "answer.type"
	}
	return ""
}
