package expr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of one expression.
const (
	MaxBytes = 64 << 10
	maxDepth = 200
)

// An Expr is a parsed expression, immutable and safe to share.
type Expr struct {
	Src  string
	Root Ast
}

// A SyntaxError says where an expression stops making sense.
type SyntaxError struct {
	Why    string // unbalanced, unexpected, unended_text, unended_reference, bad_reference, empty, too_long, too_deep
	Offset int    // in bytes of the source
	Got    string // what stands there, or "" at the end
}

func (e *SyntaxError) Error() string {
	switch e.Why {
	case "empty":
		return "the expression is empty"
	case "too_long":
		return fmt.Sprintf("the expression is longer than %d KB", MaxBytes>>10)
	case "too_deep":
		return "the expression is nested too deep"
	case "unended_text":
		return fmt.Sprintf("the text that begins at character %d has no closing quote", e.Offset+1)
	case "unended_reference":
		return fmt.Sprintf("the reference that begins at character %d has no closing }", e.Offset+1)
	case "bad_reference":
		return fmt.Sprintf("%s is not a reference; write ${name}", e.Got)
	case "unbalanced":
		return fmt.Sprintf("a bracket is not closed before %s", e.got())
	}
	return fmt.Sprintf("%s is not expected at character %d", e.got(), e.Offset+1)
}

func (e *SyntaxError) got() string {
	if e.Got == "" {
		return "the end"
	}
	return "“" + e.Got + "”"
}

// Code is the key of the sentence.
func (e *SyntaxError) Code() string { return "expr." + e.Why }

type tokenKind uint8

const (
	tEnd tokenKind = iota
	tNumber
	tString
	tName // question, column or function name
	tRef
	tOp   // operators and punctuation
	tFunc // a name before (
)

type token struct {
	kind tokenKind
	text string
	at   int
}

// operators by length, longest first.
var symbols = []string{"//", "!=", "<=", ">=", "..", "::", "(", ")", "[", "]", ",", "/", "|", "+", "-", "=", "<", ">", "*", ".", "@"}

func isNameStart(r rune) bool { return r == '_' || unicode.IsLetter(r) }

func isNameRune(r rune) bool {
	return r == '_' || r == '-' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}

// scan cuts the source into tokens. By XPath 1.0 §3.7, * and the names and, or,
// div, mod are operators exactly when something that can be operated on stands
// before them.
func scan(src string) ([]token, error) {
	var out []token
	operand := func() bool { // does an operand stand before?
		if len(out) == 0 {
			return false
		}
		last := out[len(out)-1]
		switch last.kind {
		case tNumber, tString, tName, tRef:
			return true
		}
		return last.text == ")" || last.text == "]" || last.text == "." || last.text == ".." || last.kind == tName
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '\'' || c == '"':
			end := strings.IndexByte(src[i+1:], c)
			if end < 0 {
				return nil, &SyntaxError{"unended_text", i, clip(src[i:])}
			}
			out = append(out, token{tString, src[i+1 : i+1+end], i})
			i += end + 2
			continue
		case c == '$':
			if !strings.HasPrefix(src[i:], "${") {
				return nil, &SyntaxError{"bad_reference", i, clip(src[i:])}
			}
			end := strings.IndexByte(src[i:], '}')
			if end < 0 {
				return nil, &SyntaxError{"unended_reference", i, clip(src[i:])}
			}
			name := strings.TrimSpace(src[i+2 : i+end])
			if !IsName(strings.TrimPrefix(name, "last-saved#")) {
				return nil, &SyntaxError{"bad_reference", i, clip(src[i : i+end+1])}
			}
			out = append(out, token{tRef, name, i})
			i += end + 1
			continue
		case c >= '0' && c <= '9' || c == '.' && i+1 < len(src) && src[i+1] >= '0' && src[i+1] <= '9':
			j := i
			for j < len(src) && (src[j] >= '0' && src[j] <= '9') {
				j++
			}
			if j < len(src) && src[j] == '.' {
				for j++; j < len(src) && src[j] >= '0' && src[j] <= '9'; j++ {
				}
			}
			out = append(out, token{tNumber, src[i:j], i})
			i = j
			continue
		}
		if r, size := utf8.DecodeRuneInString(src[i:]); isNameStart(r) {
			j := i + size
			for j < len(src) {
				r, size := utf8.DecodeRuneInString(src[j:])
				if isNameRune(r) {
					j += size
				} else if r == ':' && j+1 < len(src) && src[j+1] != ':' && (j == 0 || src[j-1] != ':') {
					if next, _ := utf8.DecodeRuneInString(src[j+1:]); !isNameStart(next) {
						break
					}
					j++ // jr:choice-name
				} else {
					break
				}
			}
			for src[j-1] == '.' { // "a." at the end of a sentence is a name and a dot
				j--
			}
			name := src[i:j]
			switch {
			case operand() && (name == "and" || name == "or" || name == "div" || name == "mod"):
				out = append(out, token{tOp, name, i})
			case strings.HasPrefix(strings.TrimLeft(src[j:], " \t\r\n"), "("):
				out = append(out, token{tFunc, name, i})
			default:
				out = append(out, token{tName, name, i})
			}
			i = j
			continue
		}
		found := false
		for _, s := range symbols {
			if strings.HasPrefix(src[i:], s) {
				kind := tOp
				if s == "*" && !operand() {
					kind = tName
				}
				out = append(out, token{kind, s, i})
				i += len(s)
				found = true
				break
			}
		}
		if !found {
			_, size := utf8.DecodeRuneInString(src[i:])
			return nil, &SyntaxError{"unexpected", i, src[i : i+size]}
		}
	}
	return append(out, token{tEnd, "", len(src)}), nil
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// IsName says whether a text can be the name of a question.
func IsName(s string) bool {
	for i, r := range s {
		if i == 0 && !isNameStart(r) || i > 0 && !isNameRune(r) {
			return false
		}
	}
	return s != ""
}

type parser struct {
	tokens []token
	at     int
	depth  int
}

// Parse reads an expression. The error is a *SyntaxError.
func Parse(src string) (*Expr, error) {
	if len(src) > MaxBytes {
		return nil, &SyntaxError{Why: "too_long"}
	}
	if strings.TrimSpace(src) == "" {
		return nil, &SyntaxError{Why: "empty"}
	}
	tokens, err := scan(src)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	root, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tEnd {
		return nil, &SyntaxError{"unexpected", t.at, t.text}
	}
	return &Expr{src, root}, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tEnd {
		p.at++
	}
	return t
}

func (p *parser) is(op string) bool {
	t := p.peek()
	return t.kind == tOp && t.text == op
}

func (p *parser) unexpected() error {
	t := p.peek()
	open := 0
	for _, before := range p.tokens[:p.at] {
		switch before.text {
		case "(", "[":
			open++
		case ")", "]":
			open--
		}
	}
	if t.kind == tEnd && open > 0 {
		return &SyntaxError{"unbalanced", t.at, ""}
	}
	text := t.text
	if t.kind == tString {
		text = "'" + clip(text) + "'"
	}
	return &SyntaxError{"unexpected", t.at, text}
}

// levels of binary operators, weakest first (XPath 1.0 §3.5).
var levels = [][]string{{"or"}, {"and"}, {"=", "!="}, {"<", "<=", ">", ">="}, {"+", "-"}, {"*", "div", "mod"}}

func (p *parser) binary(level int) (Ast, error) {
	if level == len(levels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for {
		t := p.peek()
		if t.kind != tOp || !contains(levels[level], t.text) {
			return left, nil
		}
		p.next()
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = &Binary{t.text, left, right, t.at}
	}
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (p *parser) unary() (Ast, error) {
	minus := false
	for p.is("-") {
		p.next()
		minus = !minus
		if p.depth++; p.depth > maxDepth {
			return nil, &SyntaxError{Why: "too_deep"}
		}
		defer func() { p.depth-- }()
	}
	a, err := p.union()
	if err == nil && minus {
		a = &Minus{a}
	}
	return a, err
}

func (p *parser) union() (Ast, error) {
	left, err := p.path()
	for err == nil && p.is("|") {
		t := p.next()
		var right Ast
		if right, err = p.path(); err == nil {
			left = &Binary{"|", left, right, t.at}
		}
	}
	return left, err
}

// path reads a location path, or a primary expression with predicates and steps
// behind it.
func (p *parser) path() (Ast, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, &SyntaxError{Why: "too_deep"}
	}
	defer func() { p.depth-- }()
	t := p.peek()
	switch {
	case t.kind == tOp && (t.text == "/" || t.text == "//"):
		path := &Path{Absolute: true, At: t.at}
		if t.text == "/" && !p.stepAfter(1) {
			p.next()
			return path, nil
		}
		return path, p.steps(path)
	case t.kind == tName, t.kind == tOp && (t.text == "." || t.text == ".." || t.text == "@"):
		path := &Path{At: t.at}
		if err := p.step(path, Child); err != nil {
			return nil, err
		}
		return path, p.steps(path)
	}
	primary, err := p.primary()
	if err != nil {
		return nil, err
	}
	predicates, err := p.predicates()
	if err != nil {
		return nil, err
	}
	if predicates != nil {
		primary = &Filtered{primary, predicates}
	}
	if p.is("/") || p.is("//") {
		path := &Path{From: primary, At: t.at}
		return path, p.steps(path)
	}
	return primary, nil
}

func (p *parser) stepAfter(n int) bool {
	if p.at+n >= len(p.tokens) {
		return false
	}
	t := p.tokens[p.at+n]
	return t.kind == tName || t.kind == tOp && (t.text == "." || t.text == "..")
}

func (p *parser) steps(path *Path) error {
	for {
		switch {
		case p.is("/"):
			p.next()
			if err := p.step(path, Child); err != nil {
				return err
			}
		case p.is("//"):
			p.next()
			if err := p.step(path, Descendant); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

func (p *parser) step(path *Path, axis Axis) error {
	t := p.peek()
	s := Step{Axis: axis}
	switch {
	case t.kind == tName:
		p.next()
		s.Name = t.text
		if p.is("::") { // child::x, self::node(), parent::node()
			p.next()
			switch s.Name {
			case "child":
			case "self":
				s.Axis = Self
			case "parent":
				s.Axis = Parent
			case "descendant", "descendant-or-self":
				s.Axis = Descendant
			default:
				return &SyntaxError{"unexpected", t.at, s.Name + "::"}
			}
			if n := p.next(); n.kind == tName {
				s.Name = n.text
			} else if n.kind == tFunc && n.text == "node" && p.is("(") {
				p.next()
				if !p.is(")") {
					return p.unexpected()
				}
				p.next()
				s.Name = "*"
			} else {
				p.at--
				return p.unexpected()
			}
		}
	case t.kind == tOp && t.text == "." && axis == Child:
		p.next()
		s.Axis, s.Name = Self, "*"
	case t.kind == tOp && t.text == "..":
		p.next()
		s.Axis, s.Name = Parent, "*"
	case t.kind == tFunc && t.text == "node" || t.kind == tFunc && t.text == "text":
		p.next()
		p.next()
		if !p.is(")") {
			return p.unexpected()
		}
		p.next()
		s.Name = "*"
		if t.text == "text" {
			s.Axis = Self
		}
	default:
		return p.unexpected()
	}
	var err error
	if s.Predicates, err = p.predicates(); err != nil {
		return err
	}
	path.Steps = append(path.Steps, s)
	return nil
}

func (p *parser) predicates() ([]Ast, error) {
	var list []Ast
	for p.is("[") {
		p.next()
		p.depth++
		a, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		if !p.is("]") {
			return nil, p.unexpected()
		}
		p.depth--
		p.next()
		list = append(list, a)
	}
	return list, nil
}

func (p *parser) primary() (Ast, error) {
	t := p.peek()
	switch t.kind {
	case tNumber:
		p.next()
		v, err := strconv.ParseFloat(t.text, 64)
		if err != nil && v == 0 {
			return nil, &SyntaxError{"unexpected", t.at, clip(t.text)}
		}
		return &Number{t.text, v}, nil
	case tString:
		p.next()
		return &String{t.text}, nil
	case tRef:
		p.next()
		name, last := strings.CutPrefix(t.text, "last-saved#")
		return &Ref{name, last, t.at}, nil
	case tFunc:
		p.next()
		p.next() // (
		call := &Call{Name: t.text, At: t.at}
		p.depth++
		for !p.is(")") {
			if len(call.Args) > 0 {
				if !p.is(",") {
					return nil, p.unexpected()
				}
				p.next()
			}
			arg, err := p.binary(0)
			if err != nil {
				return nil, err
			}
			call.Args = append(call.Args, arg)
		}
		p.depth--
		p.next()
		call.folds = call.Folded() != nil
		return call, nil
	}
	if t.kind == tOp && t.text == "(" {
		p.next()
		p.depth++
		a, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		if !p.is(")") {
			return nil, p.unexpected()
		}
		p.depth--
		p.next()
		return a, nil
	}
	return nil, p.unexpected()
}
