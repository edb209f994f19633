package expr

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// An Env is the world an expression is evaluated in. All functions may be nil.
type Env struct {
	Node Node // the context node: what . and relative paths start from
	From Node // what current() is and ${name} is looked for from; nil: Node
	Root Node // what absolute paths start from

	Ref         func(name string, from Node) []Node                // ${name}
	Instance    func(id string) Node                               // instance('towns'): a node whose child "root" holds "item"s
	ChoiceLabel func(question Node, value string) (string, bool)   // jr:choice-name
	PullData    func(file, want, key, value string) (string, bool) // pulldata
	Property    func(name string) string                           // property('deviceid'), version
	Now         func() time.Time
	Rand        io.Reader

	// Memo returns where the value of a call that folds is kept, nil where it is
	// not: a sum over all members costs each member one look.
	Memo func(c *Call, from Node) *Memo
	// Nth finds indexed-repeat(${question}, ${repeat}, i, …) by its place; false
	// where it must be looked for.
	Nth func(c *Call, index []float64, from Node) ([]Node, bool)

	position, size int // in a predicate
	steps          int // nodes visited, to bound the work
}

// A Memo keeps the value of a call until what it was made of changes.
type Memo struct {
	Value Value
	Good  bool
}

// maxSteps bounds one evaluation.
const maxSteps = 5_000_000

// An EvalError says why an expression has no value: an unknown function, a
// reference that leads nowhere, work without end.
type EvalError struct {
	Why  string // unknown_function, arity, reference, instance, regex, too_much, argument
	Name string
	Text string
}

func (e *EvalError) Error() string {
	switch e.Why {
	case "unknown_function":
		return fmt.Sprintf("the function %s() is not known", e.Name)
	case "arity":
		return e.Text
	case "reference":
		return fmt.Sprintf("there is no question named %q", e.Name)
	case "instance":
		return fmt.Sprintf("there is no list or file named %q", e.Name)
	case "too_much":
		return "the expression takes too much work"
	}
	return fmt.Sprintf("%s(): %s", e.Name, e.Text)
}

// Code is the key of the sentence.
func (e *EvalError) Code() string { return "expr." + e.Why }

// Eval evaluates the expression. The error is an *EvalError.
func (e *Expr) Eval(env *Env) (v Value, err error) {
	env.steps = 0
	return env.eval(e.Root)
}

func (env *Env) from() Node {
	if env.From != nil {
		return env.From
	}
	return env.Node
}

func (env *Env) spend(n int) error {
	if env.steps += n; env.steps > maxSteps {
		return &EvalError{Why: "too_much"}
	}
	return nil
}

func (env *Env) eval(a Ast) (Value, error) {
	if err := env.spend(1); err != nil {
		return Value{}, err
	}
	switch a := a.(type) {
	case *Number:
		return Num(a.Value), nil
	case *String:
		return Str(a.Value), nil
	case *Ref:
		return env.ref(a)
	case *Path:
		return env.path(a)
	case *Filtered:
		v, err := env.eval(a.Of)
		if err != nil {
			return v, err
		}
		if v.Type != NodesType {
			return Value{}, nil
		}
		nodes := v.nodes
		for _, p := range a.Predicates {
			if nodes, err = env.filter(nodes, p); err != nil {
				return Value{}, err
			}
		}
		return Nodes(nodes), nil
	case *Call:
		return env.call(a)
	case *Minus:
		v, err := env.eval(a.Of)
		return Num(-v.Number()), err
	case *Binary:
		return env.binary(a)
	}
	return Value{}, nil
}

func (env *Env) ref(a *Ref) (Value, error) {
	if a.LastSaved {
		if env.Property != nil {
			return Str(env.Property("last-saved#" + a.Name)), nil
		}
		return Value{}, nil
	}
	if env.Ref == nil {
		return Value{}, &EvalError{Why: "reference", Name: a.Name}
	}
	nodes := env.Ref(a.Name, env.from())
	return Nodes(nodes), env.spend(len(nodes))
}

func (env *Env) binary(a *Binary) (Value, error) {
	l, err := env.eval(a.L)
	if err != nil {
		return l, err
	}
	switch a.Op { // the right side only where it matters
	case "or":
		if l.Bool() {
			return Boolean(true), nil
		}
		r, err := env.eval(a.R)
		return Boolean(r.Bool()), err
	case "and":
		if !l.Bool() {
			return Boolean(false), nil
		}
		r, err := env.eval(a.R)
		return Boolean(r.Bool()), err
	}
	r, err := env.eval(a.R)
	if err != nil {
		return r, err
	}
	switch a.Op {
	case "|":
		return Nodes(union(l.nodes, r.nodes)), nil
	case "=":
		return Boolean(equal(l, r)), nil
	case "!=":
		return Boolean(unequal(l, r)), nil
	case "<", "<=", ">", ">=":
		return Boolean(ordered(a.Op, l, r)), nil
	}
	x, y := l.Number(), r.Number()
	switch a.Op {
	case "+":
		return Num(x + y), nil
	case "-":
		return Num(x - y), nil
	case "*":
		return Num(x * y), nil
	case "div":
		return Num(x / y), nil
	case "mod":
		return Num(math.Mod(x, y)), nil
	}
	return Value{}, nil
}

func union(a, b []Node) []Node {
	out := append([]Node(nil), a...)
	seen := make(map[Node]bool, len(a))
	for _, n := range a {
		seen[n] = true
	}
	for _, n := range b {
		if !seen[n] {
			out = append(out, n)
		}
	}
	return out
}

// numeric says whether a node holds numbers by its type, so that 5 = 5.0.
type numeric interface{ Numeric() bool }

func nodeValue(n Node) Value {
	text := n.Text()
	if t, ok := n.(numeric); ok && t.Numeric() {
		if f, ok := parseNumber(text); ok {
			return Num(f)
		}
	}
	return Str(text)
}

// equal compares as XPath 1.0 §3.4: a node-set equals a value when one of its
// nodes does; text against text compares text; '01' = 1 compares numbers. A
// blank equals only the empty text.
func equal(l, r Value) bool {
	if l.Type == NodesType && l.Type != r.Type {
		return anyNode(l, func(v Value) bool { return equal(v, r) })
	}
	if r.Type == NodesType && l.Type != r.Type {
		return anyNode(r, func(v Value) bool { return equal(l, v) })
	}
	if l.Type == NodesType {
		return anyNode(l, func(a Value) bool { return anyNode(r, func(b Value) bool { return equal(a, b) }) })
	}
	switch {
	case l.Type == BooleanType || r.Type == BooleanType:
		return truth(l) == truth(r)
	case l.Type == NumberType || r.Type == NumberType:
		return l.Number() == r.Number()
	}
	return l.String() == r.String()
}

// truth is a value against true(): a node's text "false" is false, since that is
// how a boolean is stored.
func truth(v Value) bool {
	if v.Type == StringType {
		switch v.str {
		case "false", "0":
			return false
		}
	}
	return v.Bool()
}

func unequal(l, r Value) bool {
	if l.Type == NodesType && len(l.nodes) > 1 {
		return anyNode(l, func(v Value) bool { return unequal(v, r) })
	}
	if r.Type == NodesType && len(r.nodes) > 1 {
		return anyNode(r, func(v Value) bool { return unequal(l, v) })
	}
	return !equal(l, r)
}

func anyNode(v Value, ok func(Value) bool) bool {
	if len(v.nodes) == 0 {
		return ok(Str("")) // what is not there is blank
	}
	for _, n := range v.nodes {
		if ok(nodeValue(n)) {
			return true
		}
	}
	return false
}

// ordered compares numbers and dates; anything else, a blank first of all, is
// neither less nor greater.
func ordered(op string, l, r Value) bool {
	if l.Type == NodesType && len(l.nodes) > 1 {
		return anyNode(l, func(v Value) bool { return ordered(op, v, r) })
	}
	if r.Type == NodesType && len(r.nodes) > 1 {
		return anyNode(r, func(v Value) bool { return ordered(op, l, v) })
	}
	x, y := l.Number(), r.Number()
	switch op {
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

// path walks. A node is yielded once, in document order of the first visit.
func (env *Env) path(a *Path) (Value, error) {
	var at []Node
	switch {
	case a.From != nil:
		v, err := env.eval(a.From)
		if err != nil {
			return v, err
		}
		if v.Type != NodesType {
			return Nodes(nil), nil
		}
		at = v.nodes
	case a.Absolute:
		if env.Root == nil {
			return Nodes(nil), nil
		}
		at = []Node{env.Root}
	default:
		if env.Node == nil {
			return Nodes(nil), nil
		}
		at = []Node{env.Node}
	}
	for i, s := range a.Steps {
		if a.Absolute && i == 0 && s.Axis == Child && len(s.Predicates) == 0 && (env.Root.Name() == s.Name || s.Name == "*") {
			continue // /data is the root itself
		}
		var next []Node
		for _, n := range at {
			found, err := env.step(n, s)
			if err != nil {
				return Value{}, err
			}
			if len(at) == 1 {
				next = found
			} else {
				next = append(next, found...)
			}
		}
		if s.Axis == Parent && len(next) > 1 {
			next = distinct(next)
		}
		at = next
	}
	return Nodes(at), nil
}

func distinct(nodes []Node) []Node {
	seen := make(map[Node]bool, len(nodes))
	out := nodes[:0:0]
	for _, n := range nodes {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

// indexed is a node that finds its children by the value of one of their
// columns without walking over them.
type indexed interface {
	Lookup(child, column, value string) (nodes []Node, ok bool)
}

func (env *Env) step(n Node, s Step) ([]Node, error) {
	var found []Node
	predicates := s.Predicates
	switch s.Axis {
	case Self:
		found = []Node{n}
	case Parent:
		if p := n.Parent(); p != nil {
			found = []Node{p}
		}
	case Descendant:
		var err error
		if found, err = env.descendants(n, s.Name, nil); err != nil {
			return nil, err
		}
	default:
		if list, ok := n.(indexed); ok && len(predicates) > 0 {
			if column, other, ok := columnEquals(predicates[0]); ok {
				v, err := env.eval(other)
				if err != nil {
					return nil, err
				}
				if v.Type != NumberType && v.Type != BooleanType && len(v.nodes) <= 1 {
					if found, ok = list.Lookup(s.Name, column, v.String()); ok {
						predicates = predicates[1:]
						break
					}
				}
			}
		}
		found = n.Named(s.Name)
		if err := env.spend(len(found)); err != nil {
			return nil, err
		}
	}
	var err error
	for _, p := range predicates {
		if found, err = env.filter(found, p); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// columnEquals recognises [column = something that does not depend on the row].
func columnEquals(a Ast) (column string, other Ast, ok bool) {
	b, isBinary := a.(*Binary)
	if !isBinary || b.Op != "=" {
		return "", nil, false
	}
	for _, side := range [][2]Ast{{b.L, b.R}, {b.R, b.L}} {
		path, isPath := side[0].(*Path)
		if !isPath || path.From != nil || path.Absolute || len(path.Steps) != 1 || path.Steps[0].Axis != Child || len(path.Steps[0].Predicates) > 0 {
			continue
		}
		free := true
		Walk(side[1], func(x Ast) bool {
			if p, ok := x.(*Path); ok && p.From == nil && !p.Absolute {
				free = false
			}
			if c, ok := x.(*Call); ok && (c.Name == "position" || c.Name == "last") {
				free = false
			}
			return free
		})
		if free {
			return path.Steps[0].Name, side[1], true
		}
	}
	return "", nil, false
}

func (env *Env) descendants(n Node, name string, out []Node) ([]Node, error) {
	for _, c := range n.Named("*") {
		if err := env.spend(1); err != nil {
			return nil, err
		}
		if name == "*" || c.Name() == name {
			out = append(out, c)
		}
		var err error
		if out, err = env.descendants(c, name, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// filter keeps the nodes for which a predicate holds; a number is a position.
func (env *Env) filter(nodes []Node, predicate Ast) ([]Node, error) {
	if n, ok := predicate.(*Number); ok {
		if i := int(n.Value); float64(i) == n.Value && i >= 1 && i <= len(nodes) {
			return nodes[i-1 : i : i], nil
		}
		return nil, nil
	}
	inner := *env
	inner.From = env.from()
	inner.size = len(nodes)
	var out []Node
	for i, n := range nodes {
		inner.Node, inner.position = n, i+1
		v, err := inner.eval(predicate)
		env.steps = inner.steps
		if err != nil {
			return nil, err
		}
		keep := v.Bool()
		if v.Type == NumberType {
			keep = v.num == float64(i+1)
		} else if v.Type == NodesType {
			// a position worked out in another question: [${i}] is a number
			if f, ok := parseNumber(v.String()); ok {
				keep = f == float64(i+1)
			}
		}
		if keep {
			out = append(out, n)
		}
	}
	return out, nil
}

// words are the names of a select_multiple.
func words(s string) []string { return strings.Fields(s) }
