package expr

// An Ast is one node of a parsed expression. Its types are exported, so that the
// rooms above can look for references, check them and evaluate in their own
// arithmetic.
type Ast interface{ ast() }

// A Number literal; Text keeps its decimal digits for exact arithmetic.
type Number struct {
	Text  string
	Value float64
}

// A String literal.
type String struct{ Value string }

// A Ref is ${name}: the question of that name nearest to where the expression
// stands; LastSaved is ${last-saved#name}.
type Ref struct {
	Name      string
	LastSaved bool
	At        int // byte offset of ${ in the source
}

// A Path walks the instance tree from the context node, from the root
// (Absolute), or from what From yields: instance('towns')/root/item[…]/label.
type Path struct {
	From     Ast
	Absolute bool
	Steps    []Step
	At       int
}

// Axis says in which direction a step of a path goes.
type Axis uint8

// Axes.
const (
	Child Axis = iota
	Self
	Parent
	Descendant // descendant-or-self: what // means before a name
)

// A Step of a path; Name "*" matches every name.
type Step struct {
	Axis       Axis
	Name       string
	Predicates []Ast
}

// A Call of a function.
type Call struct {
	Name string
	Args []Ast
	At   int

	folds bool // see Folded
}

// Folded is the argument of a call that makes one value of all the answers to a
// question, as sum(${x}) and join(', ', ${x}) do; nil for any other call. Who
// evaluates the same call at many places may keep its value: see Env.Memo.
func (c *Call) Folded() Ast {
	var set Ast
	switch c.Name {
	case "sum", "min", "max", "count", "count-non-empty", "join":
	default:
		return nil
	}
	for _, a := range c.Args {
		switch a.(type) {
		case *Ref, *Path:
			if set != nil {
				return nil
			}
			set = a
		case *String, *Number:
		default:
			return nil
		}
	}
	return set
}

// A Binary operation: or and = != < <= > >= + - * div mod |
type Binary struct {
	Op   string
	L, R Ast
	At   int
}

// A Minus is the unary minus.
type Minus struct{ Of Ast }

// A Filtered is a primary expression with predicates: ${x}[. > 1].
type Filtered struct {
	Of         Ast
	Predicates []Ast
}

func (*Number) ast()   {}
func (*String) ast()   {}
func (*Ref) ast()      {}
func (*Path) ast()     {}
func (*Call) ast()     {}
func (*Binary) ast()   {}
func (*Minus) ast()    {}
func (*Filtered) ast() {}

// Replace puts another node in the place of every node for which f returns one.
func (e *Expr) Replace(f func(Ast) Ast) {
	var in func(a Ast) Ast
	list := func(args []Ast) {
		for i := range args {
			args[i] = in(args[i])
		}
	}
	in = func(a Ast) Ast {
		if a == nil {
			return nil
		}
		if other := f(a); other != nil {
			return other
		}
		switch a := a.(type) {
		case *Path:
			a.From = in(a.From)
			for _, s := range a.Steps {
				list(s.Predicates)
			}
		case *Call:
			list(a.Args)
		case *Binary:
			a.L, a.R = in(a.L), in(a.R)
		case *Minus:
			a.Of = in(a.Of)
		case *Filtered:
			a.Of = in(a.Of)
			list(a.Predicates)
		}
		return a
	}
	e.Root = in(e.Root)
}

// Walk calls visit for every node of the tree, parents first. Where visit
// returns false, what lies below is passed over.
func Walk(a Ast, visit func(Ast) bool) {
	if a == nil || !visit(a) {
		return
	}
	each := func(list []Ast) {
		for _, x := range list {
			Walk(x, visit)
		}
	}
	switch a := a.(type) {
	case *Path:
		Walk(a.From, visit)
		for _, s := range a.Steps {
			each(s.Predicates)
		}
	case *Call:
		each(a.Args)
	case *Binary:
		Walk(a.L, visit)
		Walk(a.R, visit)
	case *Minus:
		Walk(a.Of, visit)
	case *Filtered:
		Walk(a.Of, visit)
		each(a.Predicates)
	}
}
