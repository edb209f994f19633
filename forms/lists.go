package forms

import (
	"path"
	"slices"
	"strings"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// A list is a choice list as expressions and screens see it: rows with columns.
type list struct {
	src     *xlsform.List
	columns map[string]int // column -> index in Choice.Values; name and label are apart
	rows    []*row
	byName  map[string]int                    // name -> first row
	index   map[string]map[string][]expr.Node // column -> value -> rows, made when first asked for
	file    bool
}

func newList(src *xlsform.List, file bool) *list {
	l := &list{src: src, columns: map[string]int{}, byName: make(map[string]int, len(src.Choices)), index: map[string]map[string][]expr.Node{}, file: file}
	for i, c := range src.Columns {
		l.columns[c] = i
	}
	l.rows = make([]*row, len(src.Choices))
	for i := range src.Choices {
		l.rows[i] = &row{list: l, at: i}
		if _, ok := l.byName[src.Choices[i].Name]; !ok {
			l.byName[src.Choices[i].Name] = i
		}
	}
	// Every column that an index may be asked for is known now; the index itself
	// is built here, since a Form is shared and never changes after Compile.
	for _, column := range append([]string{"name"}, src.Columns...) {
		m := make(map[string][]expr.Node, len(l.rows))
		for _, r := range l.rows {
			v := r.cell(column)
			m[v] = append(m[v], r)
		}
		l.index[column] = m
	}
	return l
}

// list returns the list of a name, or a file's.
func (form *Form) list(name string) *list {
	if l, ok := form.lists[name]; ok {
		return l
	}
	if src := form.def.Lists[name]; src != nil {
		form.lists[name] = newList(src, false)
	} else if src := form.file(name); src != nil {
		form.lists[name] = newList(src, true)
	}
	return form.lists[name]
}

// external returns a list of the sheet external_choices.
func (form *Form) external(name string) *list {
	key := "external_choices!" + name // no list's name holds a “!” and is found by instance()
	if src := form.def.External[name]; src != nil && form.lists[key] == nil {
		form.lists[key] = newList(src, false)
	}
	return form.lists[key]
}

func (form *Form) file(name string) *xlsform.List {
	for _, n := range []string{name, name + ".csv", name + ".geojson", name + ".xml"} {
		if l := form.def.Files[n]; l != nil {
			return l
		}
	}
	return nil
}

func (form *Form) hasInstance(name string) bool {
	return form.def.Lists[name] != nil || form.file(name) != nil
}

func (form *Form) instanceNames() []string {
	var names []string
	for n := range form.def.Lists {
		names = append(names, n)
	}
	for n := range form.def.Files {
		names = append(names, strings.TrimSuffix(n, path.Ext(n)))
	}
	slices.Sort(names)
	return names
}

// A row of a list is a node whose children are its columns; instance('x')/root
// holds them as “item”.
type row struct {
	list *list
	at   int
}

// columnNames are the names by which a row's cells are found.
func (l *list) columnNames() []string { return append([]string{"name", "label"}, l.src.Columns...) }

func (l *list) hasColumn(name string) bool {
	_, known := l.columns[name]
	return known || name == "name" || name == "label"
}

func (r *row) choice() *xlsform.Choice { return &r.list.src.Choices[r.at] }

func (r *row) cell(column string) string {
	c := r.choice()
	if i, ok := r.list.columns[column]; ok && i < len(c.Values) {
		return c.Values[i]
	}
	switch column {
	case "name":
		return c.Name
	case "label":
		if len(c.Label.In) > 0 {
			return c.Label.In[0]
		}
	}
	return ""
}

func (r *row) Name() string      { return "item" }
func (r *row) Parent() expr.Node { return &listRoot{r.list} }
func (r *row) Text() string      { return "" }
func (r *row) Position() int     { return r.at + 1 }

func (r *row) Named(name string) []expr.Node {
	if r.list.hasColumn(name) {
		return []expr.Node{&column{r, name}}
	}
	if name == "*" {
		var all []expr.Node
		for _, n := range r.list.columnNames() {
			all = append(all, &column{r, n})
		}
		return all
	}
	return nil
}

// A column of a row.
type column struct {
	row  *row
	name string
}

func (c *column) Name() string             { return c.name }
func (c *column) Parent() expr.Node        { return c.row }
func (c *column) Named(string) []expr.Node { return nil }
func (c *column) Text() string             { return c.row.cell(c.name) }
func (c *column) Position() int            { return 1 }

// A listRoot is instance('x')/root; a listDoc what instance('x') yields.
type (
	listRoot struct{ list *list }
	listDoc  struct{ list *list }
)

func (l *listRoot) Name() string      { return "root" }
func (l *listRoot) Parent() expr.Node { return &listDoc{l.list} }
func (l *listRoot) Text() string      { return "" }
func (l *listRoot) Position() int     { return 1 }
func (l *listRoot) Named(name string) []expr.Node {
	if name != "item" && name != "*" {
		return nil
	}
	all := make([]expr.Node, len(l.list.rows))
	for i, r := range l.list.rows {
		all[i] = r
	}
	return all
}

// Lookup finds rows by the value of a column without walking over the list.
func (l *listRoot) Lookup(child, column, value string) ([]expr.Node, bool) {
	m, ok := l.list.index[column]
	if child != "item" || !ok {
		return nil, false
	}
	return m[value], true
}

func (l *listDoc) Name() string      { return "" }
func (l *listDoc) Parent() expr.Node { return nil }
func (l *listDoc) Text() string      { return "" }
func (l *listDoc) Position() int     { return 1 }
func (l *listDoc) Named(name string) []expr.Node {
	if name == "root" || name == "*" {
		return []expr.Node{&listRoot{l.list}}
	}
	return nil
}

// choices compiles where a question's choices come from, and its filter.
func (c *compiler) choices(f *field) {
	it := f.item
	if it.Type != "select_one" && it.Type != "select_multiple" && it.Type != "rank" {
		return
	}
	if name, ok := strings.CutPrefix(it.List, "${"); ok {
		src := xlsform.Source{Text: it.List, Cell: it.TypeCell, Column: "type", Row: it.Row}
		r := c.resolve(f, strings.TrimSuffix(name, "}"), src)
		if r.field == nil {
			c.problem(src, "form.unknown_reference", name, xlsform.Nearest(name, c.names()), "", true)
			return
		}
		f.source = r.field
		c.reads[f][roleValid] = append(c.reads[f][roleValid], dependency{on: r.field, wide: true})
		return
	}
	if it.External {
		f.list = c.form.external(it.List)
	} else {
		f.list = c.form.list(it.List)
	}
	if src := it.ChoiceFilter; src.Text != "" && f.list != nil {
		f.filter = c.filter(f, src)
	}
	c.search(f)
	c.seed(f)
}

// seed reads the parameters randomize and seed (ODK XForms, randomize()).
func (c *compiler) seed(f *field) {
	if !strings.EqualFold(f.item.Parameters["randomize"], "true") {
		return
	}
	f.randomize = true
	if text := f.item.Parameters["seed"]; text != "" {
		f.seed = c.parse(f, xlsform.Source{Text: text, Cell: f.item.ParametersCell, Column: "parameters", Row: f.item.Row}, roleValid)
	}
}

// shuffle puts choices in an order that stays the same for the entry: by the
// author's seed, or else by the entry's own and the question.
func (e *Entry) shuffle(n *node, choices []Choice) {
	seed := int64(e.seed>>1) + int64(n.field.index) + int64(n.at)
	if n.field.seed != nil {
		seed = expr.Seed(e.eval(n, n.field.seed, n.field.item.ChoiceFilter))
	}
	expr.Shuffle(len(choices), seed, func(i, j int) { choices[i], choices[j] = choices[j], choices[i] })
}

// filter parses a choice filter: bare names are columns of the list.
func (c *compiler) filter(f *field, src xlsform.Source) *expr.Expr {
	e, err := expr.Parse(src.Text)
	if err != nil {
		c.problem(src, "form.syntax", err.Error(), "", "", true)
		return nil
	}
	c.bareWords(f, e, src)
	ok := true
	expr.Walk(e.Root, func(a expr.Ast) bool {
		name := bareName(a)
		if name == "" || f.list.hasColumn(name) || len(f.list.rows) == 0 || name == "*" {
			return true
		}
		ok = false
		c.problem(src, "form.unknown_filter", name, xlsform.Nearest(name, f.list.columnNames()), f.list.src.Name, true)
		return true
	})
	w := &reader{c: c, f: f, src: src}
	w.read(e.Root, nil, false)
	c.reads[f][roleValid] = append(c.reads[f][roleValid], w.found...)
	if !ok || !w.ok() {
		return nil
	}
	f.lookup = lookupOf(e.Root, f.list)
	return e
}

// bareName is the column that a path into a row begins with, "" for anything else.
func bareName(a expr.Ast) string {
	p, ok := a.(*expr.Path)
	if !ok || p.From != nil || p.Absolute || len(p.Steps) == 0 || p.Steps[0].Axis != expr.Child {
		return ""
	}
	return p.Steps[0].Name
}

// bareWords mends what authors write into filters: a column in other capitals,
// and a word without quotes that is compared with a column (pastel = yes).
func (c *compiler) bareWords(f *field, e *expr.Expr, src xlsform.Source) {
	word := func(a, beside expr.Ast) expr.Ast {
		name := bareName(a)
		if name == "" || f.list.hasColumn(name) {
			return a
		}
		p := a.(*expr.Path)
		for _, known := range f.list.columnNames() {
			if strings.EqualFold(known, name) {
				c.problem(src, "form.word_as", name, known, "", false)
				p.Steps[0].Name = known
				return a
			}
		}
		if len(p.Steps) > 1 || !f.list.hasColumn(bareName(beside)) || xlsform.Nearest(name, append(f.list.columnNames(), c.names()...)) != "" {
			return a
		}
		c.problem(src, "form.word_as", name, "'"+name+"'", "", false)
		return &expr.String{Value: name}
	}
	expr.Walk(e.Root, func(a expr.Ast) bool {
		if b, ok := a.(*expr.Binary); ok {
			b.L = word(b.L, b.R)
			b.R = word(b.R, b.L)
		}
		return true
	})
}

// A lookup finds a filter's rows by a hash index: those whose column is what key
// yields. The filter still judges each of them.
type lookup struct {
	column string
	key    *expr.Expr
}

// lookupOf finds, among the terms that must all hold, one that compares a column
// with something that is the same for every row. Nil if there is none.
func lookupOf(a expr.Ast, l *list) *lookup {
	b, ok := a.(*expr.Binary)
	if !ok {
		return nil
	}
	if b.Op == "and" {
		if found := lookupOf(b.L, l); found != nil {
			return found
		}
		return lookupOf(b.R, l)
	}
	if b.Op != "=" {
		return nil
	}
	for _, side := range [][2]expr.Ast{{b.L, b.R}, {b.R, b.L}} {
		p, ok := side[0].(*expr.Path)
		if !ok || p.From != nil || p.Absolute || len(p.Steps) != 1 || p.Steps[0].Axis != expr.Child || len(p.Steps[0].Predicates) > 0 {
			continue
		}
		if _, indexed := l.index[p.Steps[0].Name]; indexed && everyRow(side[1]) {
			return &lookup{p.Steps[0].Name, &expr.Expr{Root: side[1]}}
		}
	}
	return nil
}

// everyRow says whether an expression yields the same for every row of a list:
// questions and literals, nothing of the row itself.
func everyRow(a expr.Ast) bool {
	same := true
	expr.Walk(a, func(x expr.Ast) bool {
		switch x := x.(type) {
		case *expr.Path:
			same = same && (x.Absolute || x.From != nil)
		case *expr.Call:
			same = same && x.Name == "current"
		}
		return same
	})
	return same
}

// candidates are the rows that a filter may let through. Text is compared with
// text; a number may be written in more than one way, so it finds no index.
func (e *Entry) candidates(n *node) []*row {
	f := n.field
	if f.lookup == nil {
		return f.list.rows
	}
	e.env.Node, e.env.From = n, nil
	v, err := f.lookup.key.Eval(&e.env)
	if err != nil || v.Type != expr.StringType && v.Type != expr.NodesType || len(v.List()) > 1 {
		return f.list.rows
	}
	return f.list.equal(f.lookup.column, v.String())
}

// choices lists what a question offers now.
func (e *Entry) choices(n *node) []Choice {
	f := n.field
	if f.source != nil {
		return e.repeatChoices(n)
	}
	if f.list == nil {
		return nil
	}
	var out []Choice
	if f.search != nil {
		out = e.searched(n)
	} else {
		rows := e.candidates(n)
		out = make([]Choice, 0, len(rows))
		for _, r := range rows {
			if f.filter == nil || e.offered(n, r) {
				out = append(out, e.choice(f, r))
			}
		}
	}
	if f.randomize {
		e.shuffle(n, out)
	}
	return out
}

func (e *Entry) choice(f *field, r *row) Choice {
	src := r.choice()
	c := Choice{Name: src.Name, Label: e.text(src.Label), Image: e.text(src.Image)}
	if r.list.file {
		if v := f.item.Parameters["value"]; v != "" {
			c.Name = r.cell(v)
		}
		if v := f.item.Parameters["label"]; v != "" {
			c.Label = r.cell(v)
		}
	}
	if c.Label == "" {
		c.Label = c.Name
	}
	return c
}

// offered says whether the filter lets a row through.
func (e *Entry) offered(n *node, r *row) bool {
	e.env.Node, e.env.From = r, n
	v, err := n.field.filter.Eval(&e.env)
	if err != nil {
		e.fault(n.field, n.field.item.ChoiceFilter, err)
		return false
	}
	return v.Bool()
}

// repeatChoices are the answers to a question of a repeat.
func (e *Entry) repeatChoices(n *node) []Choice {
	var out []Choice
	for _, x := range e.reach(n, ref{n.field.source, sharedRepeats(n.field, n.field.source)}) {
		if v := x.Text(); v != "" && !slices.ContainsFunc(out, func(c Choice) bool { return c.Name == v }) {
			out = append(out, Choice{Name: v, Label: v})
		}
	}
	return out
}

// offers says whether a value is among the choices, without making them all.
func (e *Entry) offers(n *node, value string) bool {
	f := n.field
	switch {
	case f.source != nil:
		return slices.ContainsFunc(e.repeatChoices(n), func(c Choice) bool { return c.Name == value })
	case f.list == nil:
		return true
	}
	if s := f.search; s != nil {
		isIt := func(name string) bool { return name == value }
		return slices.ContainsFunc(s.own, func(r *row) bool { return isIt(r.choice().Name) }) ||
			slices.ContainsFunc(e.found(n), func(r *row) bool { return isIt(r.cell(s.value)) })
	}
	for _, x := range f.list.rowsOf(f, value) {
		if f.filter == nil || e.offered(n, x) {
			return true
		}
	}
	return false
}

// labelOf is what a value of a question's choices is called, whether it is offered
// now or not.
func (e *Entry) labelOf(f *field, value string) (string, bool) {
	if s := f.search; s != nil {
		for _, r := range s.own {
			if r.choice().Name == value {
				return e.choice(f, r).Label, true
			}
		}
		for _, r := range s.file.equal(s.value, value) {
			return s.label(r), true
		}
		return "", false
	}
	for _, r := range f.list.rowsOf(f, value) {
		return e.choice(f, r).Label, true
	}
	return "", false
}

// rowsOf finds the rows whose stored value it is.
func (l *list) rowsOf(f *field, value string) []*row {
	column := "name"
	if l.file {
		if v := f.item.Parameters["value"]; v != "" {
			column = v
		} else if l.src.ValueAt >= 0 && l.src.ValueAt < len(l.src.Columns) {
			column = l.src.Columns[l.src.ValueAt]
		}
	}
	return l.equal(column, value)
}

// equal finds the rows of which a column has a value.
func (l *list) equal(column, value string) []*row {
	found := l.index[column][value]
	rows := make([]*row, 0, len(found))
	for _, n := range found {
		if r, ok := n.(*row); ok {
			rows = append(rows, r)
		}
	}
	return rows
}
