package forms

import (
	"slices"
	"strconv"
	"strings"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// A field is a row of the form, compiled. Its instances are the nodes of an Entry.
type field struct {
	item    *xlsform.Item
	index   int
	parent  *field
	kids    []*field
	kidAt   map[string]int
	repeats []*field // enclosing repeats, outermost first
	silent  bool     // answered by the form or the device
	numeric bool
	calc    bool // has a calculation

	relevant, constraint, required, readOnly, calculation, preset, filter, count *expr.Expr

	fixed  string // its path without instance numbers
	static string // default that is no expression
	label  template
	hint   template
	list   *list
	lookup *lookup // of the filter: how its rows are found
	source *field  // of select_one ${question}: where the choices come from
	search *search // of the appearance search(…): the file they come from

	randomize bool
	seed      *expr.Expr

	saveList, saveProperty string
	refs                   map[string]ref // ${name} as seen from here
}

// A ref is where ${name} leads from a field.
type ref struct {
	field *field
	depth int // enclosing repeats that both have in common
}

func (f *field) repeat() bool { return f.item.Kind == xlsform.Repeat }
func (f *field) group() bool  { return f.item.Kind != xlsform.Question }

// inside are the repeats around what stands in f: its own instance counts when f
// is a repeat.
func (f *field) inside() []*field {
	if f.repeat() {
		return append(slices.Clip(f.repeats), f)
	}
	return f.repeats
}

type compiler struct {
	form   *Form
	report xlsform.Report
	reads  map[*field]*[roles][]dependency // what each cell's expressions read
}

// A dependency is a field that an expression reads. A wide one may be read in
// other instances than the reader's own; of all, in every one of them.
type dependency struct {
	on   *field
	wide bool
	all  bool
}

func (c *compiler) build(it *xlsform.Item, parent *field) *field {
	f := &field{item: it, index: len(c.form.fields), parent: parent, kidAt: map[string]int{}, refs: map[string]ref{}}
	c.form.fields = append(c.form.fields, f)
	f.fixed = "/" + it.Name
	if parent != nil {
		f.fixed = parent.fixed + f.fixed
		f.repeats = parent.inside()
		c.form.byName[it.Name] = append(c.form.byName[it.Name], f)
	}
	f.silent = it.Kind == xlsform.Question && xlsform.Silent(it.Type)
	f.numeric = it.Type == "integer" || it.Type == "decimal" || it.Type == "range"
	f.saveList, f.saveProperty = c.form.def.SaveToOf(it)
	for _, kid := range it.Children {
		f.kidAt[kid.Name] = len(f.kids)
		f.kids = append(f.kids, c.build(kid, f))
	}
	return f
}

// problem reports one that belongs to a cell of the survey sheet.
func (c *compiler) problem(src xlsform.Source, code, got, near, other string, grave bool) {
	p := xlsform.Explain(xlsform.Problem{Sheet: "survey", Cell: src.Cell, Row: src.Row, Column: src.Column, Code: code, Got: got, Near: near, Other: other})
	if grave {
		c.report.Error(p)
	} else {
		c.report.Warn(p)
	}
}

// expressions parses all expressions of a row and notes what they read.
func (c *compiler) expressions(f *field) {
	it := f.item
	if c.reads == nil {
		c.reads = map[*field]*[roles][]dependency{}
	}
	c.reads[f] = &[roles][]dependency{}
	f.relevant = c.parse(f, it.Relevant, roleRelevant)
	f.constraint = c.parse(f, it.Constraint, roleValid)
	f.required = c.parse(f, it.Required, roleRequired)
	f.readOnly = c.parse(f, it.ReadOnly, roleReadOnly)
	if it.Kind == xlsform.Question {
		f.calculation = c.parse(f, it.Calculation, roleValue)
		f.calc = f.calculation != nil
		c.preset(f)
		c.triggers(f)
		c.choices(f)
	}
	if f.repeat() && it.RepeatCount.Text != "" {
		src := it.RepeatCount
		if expr.IsName(src.Text) && len(c.form.byName[src.Text]) > 0 {
			src.Text = "${" + src.Text + "}"
		}
		f.count = c.parse(f, src, roleValue)
	}
	f.label = c.template(f, it.Label)
	f.hint = c.template(f, it.Hint)
}

// preset reads the default: text as it stands, or an expression.
func (c *compiler) preset(f *field) {
	text := f.item.Default.Text
	if text == "" {
		return
	}
	if strings.Contains(text, "${") || strings.Contains(text, "(") && strings.HasSuffix(text, ")") {
		if e, err := expr.Parse(text); err == nil {
			known := true
			expr.Walk(e.Root, func(a expr.Ast) bool {
				if call, ok := a.(*expr.Call); ok {
					exists, _, _ := expr.Known(call.Name, len(call.Args))
					known = known && exists
				}
				return true
			})
			if known {
				f.preset = c.parse(f, f.item.Default, roleValue)
				return
			}
		}
	}
	f.static = text
}

// triggers makes a calculation wait for the questions named.
func (c *compiler) triggers(f *field) {
	src := f.item.Trigger
	if src.Text == "" {
		return
	}
	c.reads[f][roleValue] = nil // the calculation's own references do not count
	for _, part := range strings.FieldsFunc(src.Text, func(r rune) bool { return r == ',' || r == ' ' }) {
		name, ok := strings.CutPrefix(part, "${")
		name, ok2 := strings.CutSuffix(name, "}")
		if !ok || !ok2 || len(c.form.byName[name]) == 0 {
			c.problem(src, "form.trigger", part, xlsform.Nearest(name, c.names()), "", true)
			continue
		}
		c.reads[f][roleValue] = append(c.reads[f][roleValue], dependency{on: c.resolve(f, name, src).field})
	}
}

func (c *compiler) names() []string {
	names := make([]string, 0, len(c.form.byName))
	for n := range c.form.byName {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// parse reads an expression, checks it and notes what it reads. Nil when there is
// none or it is wrong.
func (c *compiler) parse(f *field, src xlsform.Source, r role) *expr.Expr {
	if src.Text == "" {
		return nil
	}
	e, err := expr.Parse(src.Text)
	if err != nil {
		if r == roleValid && !strings.ContainsAny(src.Text, "${}()=<>.'\"") {
			c.problem(src, "form.constant_text", src.Text, "", "", false)
			return nil
		}
		c.problem(src, "form.syntax", err.Error(), "", "", true)
		return nil
	}
	if p, ok := e.Root.(*expr.Path); ok && r == roleValid && p.From == nil && !p.Absolute && len(p.Steps) == 1 && p.Steps[0].Axis == expr.Child {
		c.problem(src, "form.constant_text", src.Text, "", "", false)
		return nil
	}
	c.words(f, e, src)
	w := &reader{c: c, f: f, src: src}
	w.read(e.Root, f, false)
	if !f.repeat() || r != roleValue { // a count may be a node-set's, read by its first
		w.one(e.Root)
	}
	if w.foreign {
		return instead(r)
	}
	c.reads[f][r] = append(c.reads[f][r], w.found...)
	if r == roleValue && f.item.Calculation == src {
		if slices.ContainsFunc(w.found, func(d dependency) bool { return d.on == f && d.all }) {
			w.fault("form.cycle", f.item.Name+" → "+f.item.Name, "", "")
		}
		switch reads, alone := ownValue(f, e.Root); {
		case reads && !alone:
			w.fault("form.cycle", f.item.Name+" → "+f.item.Name, "", "")
		case reads:
			c.problem(src, "form.own_value", f.item.Name, "", "", false)
		}
	}
	if !w.ok() {
		return nil
	}
	return e
}

// words reads TRUE, FALSE and null, which spreadsheets and authors write, as what
// they mean, and a calculation that is one bare word as that text.
func (c *compiler) words(f *field, e *expr.Expr, src xlsform.Source) {
	e.Replace(func(a expr.Ast) expr.Ast {
		p, ok := a.(*expr.Path)
		if !ok || p.From != nil || p.Absolute || len(p.Steps) != 1 || p.Steps[0].Axis != expr.Child || len(p.Steps[0].Predicates) > 0 {
			return nil
		}
		word := p.Steps[0].Name
		if _, child := f.kidAt[word]; child || src == f.item.ChoiceFilter {
			return nil
		}
		var meant expr.Ast
		var near string
		switch strings.ToLower(word) {
		case "true", "false":
			near = strings.ToLower(word) + "()"
			meant = &expr.Call{Name: strings.ToLower(word)}
		case "null":
			near = "''"
			meant = &expr.String{}
		default:
			if a != e.Root || src != f.item.Calculation || len(c.form.byName[word]) > 0 || xlsform.Nearest(word, c.names()) != "" {
				return nil
			}
			near = "'" + word + "'"
			meant = &expr.String{Value: word}
		}
		c.problem(src, "form.word_as", word, near, "", false)
		return meant
	})
}

// instead is what stands in for an expression that only another platform can
// evaluate: no condition, a blank value.
func instead(r role) *expr.Expr {
	if r != roleValue {
		return nil
	}
	return &expr.Expr{Src: "''", Root: &expr.String{}}
}

// ownValue says whether a calculation reads its own value by name, and if so
// whether only as what it falls back to: once(${x}), coalesce(…, ${x}) and if(…)
// keep the value so far, while ${x} + 1 would never come to rest.
func ownValue(f *field, root expr.Ast) (reads, alone bool) {
	alone = true
	var visit func(a expr.Ast, kept bool)
	visit = func(a expr.Ast, kept bool) {
		switch a := a.(type) {
		case *expr.Ref:
			if !a.LastSaved && f.refs[a.Name].field == f {
				reads, alone = true, alone && kept
			}
		case *expr.Call:
			if a.Name == "indexed-repeat" {
				return
			}
			for i, x := range a.Args {
				visit(x, a.Name == "once" || a.Name == "coalesce" || a.Name == "if" && (i > 0 || kept))
			}
		case *expr.Binary:
			visit(a.L, false)
			visit(a.R, false)
		case *expr.Minus:
			visit(a.Of, false)
		case *expr.Filtered:
			visit(a.Of, false)
		}
	}
	visit(root, false)
	return reads, alone
}

// foreign are functions that only another platform's app can answer.
var foreign = map[string]bool{
	"phone-call-log": true, "phone-call-duration": true, "collect-is-phone-app": true, "plug-in-metadata": true, "short-geopoint": true,
	"sms-log": true, "rank-value": true, "enumerator": true, "bearing": true, "pedometer": true,
}

// foreignInstances are documents that only another platform's app supplies.
var foreignInstances = map[string]bool{"contact-summary": true, "user-contact-summary": true, "casedb": true, "commcaresession": true}

func isForeign(name string) bool {
	return foreign[name] || strings.HasPrefix(name, "cht:") || strings.HasPrefix(name, "oc:")
}

// resolve finds the field ${name} means from f: the nearest, where several have
// the name.
func (c *compiler) resolve(f *field, name string, src xlsform.Source) ref {
	if r, ok := f.refs[name]; ok {
		return r
	}
	r := c.form.find(f, name)
	if r.field == nil {
		return r
	}
	if all := c.form.byName[name]; len(all) > 1 {
		same := 0
		for _, other := range all {
			if common(f, other) == common(f, r.field) {
				same++
			}
		}
		if same > 1 {
			rows := make([]string, len(all))
			for i, x := range all {
				rows[i] = strconv.Itoa(x.item.Row)
			}
			c.problem(src, "form.ambiguous_reference", name, "", strings.Join(rows, ", "), false)
		}
	}
	f.refs[name] = r
	return r
}

// find is the field of a name that is nearest to f.
func (form *Form) find(f *field, name string) ref {
	var best *field
	most := -1
	for _, other := range form.byName[name] {
		if n := common(f, other); n > most {
			best, most = other, n
		}
	}
	if best == nil {
		if name == form.root.item.Name {
			return ref{form.root, 0}
		}
		return ref{}
	}
	return ref{best, sharedRepeats(f, best)}
}

// common counts the groups two fields share, from the root.
func common(a, b *field) int {
	x, y := a.line(), b.line()
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	return n
}

// line is the field with its ancestors, the root first.
func (f *field) line() []*field {
	var l []*field
	for ; f != nil; f = f.parent {
		l = append(l, f)
	}
	slices.Reverse(l)
	return l
}

// sharedRepeats counts the repeats around both the reader and what it reads.
func sharedRepeats(reader, target *field) int {
	a, b := reader.inside(), target.repeats
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// A reader walks an expression, checks names and functions, and collects what is
// read.
type reader struct {
	c     *compiler
	f     *field
	src   xlsform.Source
	found []dependency
	bad   bool

	foreign bool // a function of another platform: the expression is not used
}

func (w *reader) ok() bool { return !w.bad }

func (w *reader) fault(code, got, near, other string) {
	w.bad = true
	w.c.problem(w.src, code, got, near, other, true)
}

// read visits a; at is the field that relative paths start from, nil where they
// walk through a choice list. wide: other instances may be meant.
func (w *reader) read(a expr.Ast, at *field, wide bool) {
	switch a := a.(type) {
	case *expr.Ref:
		if a.LastSaved {
			return
		}
		r := w.c.resolve(w.f, a.Name, w.src)
		if r.field == nil {
			w.fault("form.unknown_reference", a.Name, xlsform.Nearest(a.Name, w.c.names()), "")
			return
		}
		w.found = append(w.found, dependency{on: r.field, wide: wide})
	case *expr.Path:
		w.path(a, at)
	case *expr.Call:
		w.call(a, at, wide)
	case *expr.Binary:
		w.ordered(a)
		w.read(a.L, at, wide)
		w.read(a.R, at, wide)
	case *expr.Minus:
		w.read(a.Of, at, wide)
	case *expr.Filtered:
		w.read(a.Of, at, wide)
		inner := at
		if r, ok := a.Of.(*expr.Ref); ok {
			inner = w.c.resolve(w.f, r.Name, w.src).field
		}
		for _, p := range a.Predicates {
			w.read(p, inner, true)
		}
	}
}

// ordered warns of < and > with a text that is neither number nor date: that never
// holds.
func (w *reader) ordered(a *expr.Binary) {
	if !strings.ContainsAny(a.Op, "<>") {
		return
	}
	for _, side := range []expr.Ast{a.L, a.R} {
		if s, ok := side.(*expr.String); ok && !expr.IsNumber(s.Value) && !expr.IsDate(s.Value) {
			w.c.problem(w.src, "form.text_order", s.Value, "", a.Op, false)
		}
	}
}

// manyValues are the functions that take all the answers to a question of a
// repeat; everywhere else one value is meant.
var manyValues = map[string]bool{
	"sum": true, "min": true, "max": true, "count": true, "count-non-empty": true, "join": true, "concat": true, "indexed-repeat": true,
	"position": true, "index": true, "randomize": true, "area": true, "distance": true, "geofence": true, "depend": true,
	"count-if": true, "sum-if": true, "min-if": true, "max-if": true, "join-if": true, "rank-index": true, "rank-index-if": true,
	"checklist": true, "weighted-checklist": true, "jr:choice-name": true, "de-duplicate": true, "is-selected": true, "relevant": true,
}

// one says where a question of a repeat is used from outside it as if it had one
// value: which of the answers is meant, nobody can say.
func (w *reader) one(a expr.Ast) {
	switch a := a.(type) {
	case *expr.Ref:
		if a.LastSaved {
			return
		}
		r := w.c.resolve(w.f, a.Name, w.src)
		if r.field == nil || len(r.field.repeats) <= r.depth {
			return
		}
		around := r.field.repeats[len(r.field.repeats)-1]
		w.fault("form.many_values", a.Name, "", around.item.Name)
	case *expr.Binary:
		if a.Op != "|" {
			w.one(a.L)
			w.one(a.R)
		}
	case *expr.Minus:
		w.one(a.Of)
	case *expr.Call:
		if manyValues[a.Name] {
			return
		}
		for _, x := range a.Args {
			w.one(x)
		}
	}
}

func (w *reader) call(a *expr.Call, at *field, wide bool) {
	known, fits, want := expr.Known(a.Name, len(a.Args))
	switch {
	case !known && isForeign(a.Name):
		w.foreign = true
		w.c.problem(w.src, "form.foreign_function", a.Name+"()", "", "", false)
	case !known:
		w.fault("form.unknown_function", a.Name+"()", xlsform.Nearest(a.Name, expr.Functions()), "")
	case !fits:
		w.fault("form.wrong_arity", a.Name+"() takes "+want+" arguments, not "+strconv.Itoa(len(a.Args)), "", "")
	}
	switch a.Name {
	case "indexed-repeat":
		wide = true
	case "count-if", "sum-if", "min-if", "max-if", "join-if":
		wide = true
	case "position", "index":
		for f := w.f; f != nil; f = f.parent {
			if f.repeat() {
				w.found = append(w.found, dependency{on: f})
				break
			}
		}
	case "jr:choice-name":
		if len(a.Args) == 2 {
			if s, ok := a.Args[1].(*expr.String); ok {
				if e, err := expr.Parse(s.Value); err == nil {
					w.read(e.Root, at, wide)
				}
			}
		}
	case "instance":
		if len(a.Args) == 1 {
			if s, ok := a.Args[0].(*expr.String); ok && foreignInstances[s.Value] {
				w.foreign = true
				w.c.problem(w.src, "form.foreign_function", "instance('"+s.Value+"')", "", "", false)
			} else if ok && !w.c.form.hasInstance(s.Value) {
				w.fault("form.unknown_instance", s.Value, xlsform.Nearest(s.Value, w.c.form.instanceNames()), "")
			}
		}
	}
	for _, x := range a.Args {
		w.read(x, at, wide)
	}
	if !wide {
		w.fold(a, at)
	}
}

// path resolves a location path over the fields of the form.
func (w *reader) path(a *expr.Path, at *field) {
	wide := false
	var now []*field
	switch from := a.From.(type) {
	case nil:
		if a.Absolute {
			now, wide = []*field{w.c.form.root}, true
		} else if at != nil {
			now = []*field{at}
		}
	case *expr.Ref:
		w.read(from, at, false)
		if r := w.c.resolve(w.f, from.Name, w.src); r.field != nil {
			now = []*field{r.field}
		}
	case *expr.Call:
		if from.Name == "current" {
			now = []*field{w.f}
		} else {
			w.read(from, at, false) // instance(…): its columns are not fields
		}
	default:
		w.read(from, at, false)
	}
	outside := now == nil
	top := len(w.f.inside()) // repeats around the highest place on the way
	for i, s := range a.Steps {
		var next []*field
		for _, f := range now {
			switch s.Axis {
			case expr.Self:
				next = append(next, f)
			case expr.Parent:
				if f.parent != nil {
					next = append(next, f.parent)
				}
			case expr.Descendant:
				wide = true
				for _, x := range w.c.form.fields {
					if (s.Name == "*" || x.item.Name == s.Name) && x.under(f) {
						next = append(next, x)
					}
				}
			default:
				if a.Absolute && i == 0 && (s.Name == f.item.Name || s.Name == "*") {
					next = append(next, f)
					break
				}
				if s.Name == "*" {
					next = append(next, f.kids...)
				} else if k, ok := f.kidAt[s.Name]; ok {
					next = append(next, f.kids[k])
				}
			}
		}
		if len(next) == 0 && !outside && len(now) > 0 {
			w.nowhere(a, s, now[0])
			return
		}
		now = next
		for _, f := range now {
			top = min(top, len(f.inside()))
		}
		for _, p := range s.Predicates {
			var inner *field
			if len(now) > 0 {
				inner = now[0]
			}
			w.read(p, inner, true)
		}
	}
	chosen := slices.ContainsFunc(a.Steps, func(s expr.Step) bool { return len(s.Predicates) > 0 })
	for _, f := range now {
		if f != w.f || len(a.Steps) > 1 {
			// ../../members/age leaves the own instance and meets the others too
			d := dependency{on: f, wide: wide || top < sharedRepeats(w.f, f) || len(f.repeats) > len(w.f.inside())}
			d.all = d.wide && !chosen
			w.found = append(w.found, d)
		} else if len(a.Steps) == 1 && a.Steps[0].Axis == expr.Self {
			w.found = append(w.found, dependency{on: f})
		}
	}
}

func (w *reader) nowhere(a *expr.Path, s expr.Step, f *field) {
	if s.Axis != expr.Child {
		return // above the root: blank
	}
	if w.f.item.ChoiceFilter.Text == w.src.Text { // a column of the list
		return
	}
	var names []string
	for _, k := range f.kids {
		names = append(names, k.item.Name)
	}
	if s.Name == "meta" || s.Name == "inputs" || s.Name == "instanceID" {
		return
	}
	if a.From == nil && !a.Absolute && len(a.Steps) == 1 {
		w.c.problem(w.src, "form.path_nowhere", s.Name, xlsform.Nearest(s.Name, w.c.names()), "", true)
		w.bad = true
		return
	}
	w.c.problem(w.src, "form.path_nowhere", s.Name, xlsform.Nearest(s.Name, append(names, w.c.names()...)), "", false)
}

func (f *field) under(a *field) bool {
	for p := f.parent; p != nil; p = p.parent {
		if p == a {
			return true
		}
	}
	return false
}

func (c *compiler) instanceName() {
	src := c.form.def.Settings.InstanceNameCell
	if src.Text == "" {
		return
	}
	e, err := expr.Parse(src.Text)
	if err != nil {
		c.report.Warn(xlsform.Explain(xlsform.Problem{Sheet: "settings", Cell: src.Cell, Row: src.Row, Column: src.Column, Code: "form.syntax", Got: err.Error()}))
		return
	}
	expr.Walk(e.Root, func(a expr.Ast) bool {
		if r, ok := a.(*expr.Ref); ok && len(c.form.byName[r.Name]) == 0 {
			c.report.Error(xlsform.Explain(xlsform.Problem{Sheet: "settings", Cell: src.Cell, Row: src.Row, Column: src.Column, Code: "form.unknown_reference", Got: r.Name, Near: xlsform.Nearest(r.Name, c.names())}))
		}
		return true
	})
}

// dryRun evaluates everything once with blank answers, so that nothing fails in
// the village.
func (c *compiler) dryRun() {
	e := c.form.New(Options{})
	for _, fault := range e.faults {
		src := fault.src
		if src.Cell == "" {
			src = xlsform.Source{Cell: fault.field.item.NameCell, Row: fault.field.item.Row}
		}
		c.problem(src, "form.dry_run", fault.err.Error(), "", "", true)
	}
}
