package standards

import (
	"cmp"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// columns of every sheet; a column that is not here is passed over with a note.
var columns = map[string][]string{
	"settings":   {"name", "value", "note"},
	"parameters": {"name", "value", "rural", "urban", "label", "unit", "basis", "note"},
	"rows":       {"list", "name", "formula", "label", "note"},
	"facts":      {"name", "label", "formula", "unit", "basis", "note"},
	"required":   {"label", "list", "formula", "note"},
	"categories": {"category", "label", "condition", "amount", "explanation", "basis", "valid_months", "review_months", "grace_months", "note"},
	"offers":     {"offer", "label", "list", "condition", "amount", "level", "until", "basis", "note"},
	"checks":     {"check", "label", "list", "condition", "basis", "note"},
	"needs":      {"need", "label", "condition", "department", "note"},
	"words":      {"name", "label", "note"},
}

var mustHave = []string{"settings", "parameters", "facts", "categories"}

// reader collects a rule set and everything that is wrong with it.
type reader struct {
	rs     *RuleSet
	report xlsform.Report
	names  map[string]bool // what ${…} may name, as far as read

	labels    map[string]string // of the record's own names
	nearUnits []string          // units whose limits are watched; none: every limit is
	units     map[string]string
}

// Read reads a standards workbook (.xlsx or its Markdown twin). Every problem is
// reported at once with its cell; with errors the rule set is nil.
func Read(name string, data []byte) (*RuleSet, xlsform.Report) {
	tables, report := xlsform.ReadTables(name, data)
	if tables == nil {
		return nil, report
	}
	r := &reader{
		rs: &RuleSet{lists: map[string]bool{"members": true, "incomes": true, "expenses": true}, near: new(big.Rat),
			room: map[string]int{}, parameters: map[string]parameter{}, texts: map[*expr.Binary]string{}, words: map[*expr.Binary]string{}, watched: map[*expr.Binary]bool{}},
		report: report, names: map[string]bool{"category": true}, units: map[string]string{}, labels: map[string]string{},
	}
	for _, sheet := range mustHave {
		if tables.Sheet(sheet) == nil {
			r.wrong("standards.no_sheet", sheet, "", 0, "", "", "the sheet "+sheet+" is missing", "add it, as in the sample standards")
		}
	}
	for _, t := range tables.Sheets {
		if _, ok := columns[strings.ToLower(strings.TrimSpace(t.Name))]; !ok {
			r.report.Warn(xlsform.Problem{Sheet: t.Name, Code: "standards.unknown_sheet", Got: t.Name,
				Near:    xlsform.Nearest(t.Name, slices.Sorted(maps.Keys(columns))),
				Message: "the sheet " + t.Name + " belongs to no standards and was passed over", Hint: "remove it, or mend its name"})
		}
	}
	for _, sheet := range []struct {
		name string
		read func(line)
	}{
		{"settings", r.setting}, {"parameters", r.parameter}, {"rows", r.row}, {"facts", r.fact},
		{"required", r.require}, {"categories", r.category}, {"offers", r.offer}, {"checks", r.check}, {"needs", r.need}, {"words", r.word},
	} {
		r.sheet(tables.Sheet(sheet.name), columns[sheet.name], sheet.read)
	}
	r.finish()
	r.report.Sort()
	if !r.report.OK() {
		return nil, r.report
	}
	return r.rs, r.report
}

func (r *reader) wrong(code, sheet, column string, row int, got, near, message, hint string) {
	p := xlsform.Problem{Sheet: sheet, Row: row, Column: column, Code: code, Got: got, Near: near, Message: message, Hint: hint}
	r.report.Error(p)
}

// A line is a row of a sheet, read by the names of its columns.
type line struct {
	r      *reader
	sheet  string
	row    int
	at     map[string]int
	values xlsform.Row
}

func (l line) text(column string) string {
	i, ok := l.at[column]
	if !ok {
		return ""
	}
	return strings.TrimSpace(l.values.Cell(i))
}

func (l line) wrong(column, code, got, near, message, hint string) {
	p := xlsform.Problem{Sheet: l.sheet, Row: l.row, Column: column, Code: code, Got: got, Near: near, Message: message, Hint: hint}
	if i, ok := l.at[column]; ok {
		p.Cell = xlsform.CellName(i, l.row)
	}
	l.r.report.Error(p)
}

func (r *reader) sheet(t *xlsform.Table, known []string, read func(line)) {
	if t == nil {
		return
	}
	at := map[string]int{}
	for i, heading := range t.Header {
		h := strings.ToLower(strings.TrimSpace(heading))
		switch {
		case h == "":
		case !slices.Contains(known, h):
			r.report.Warn(xlsform.Problem{Sheet: t.Name, Cell: xlsform.CellName(i, t.HeaderRow), Row: t.HeaderRow, Column: heading,
				Code: "standards.unknown_column", Got: heading, Near: xlsform.Nearest(h, known),
				Message: "the column " + heading + " is not known and was passed over", Hint: "columns of this sheet: " + strings.Join(known, ", ")})
		default:
			at[h] = i
		}
	}
	if _, ok := at[known[0]]; !ok && len(t.Rows) > 0 {
		r.wrong("standards.no_column", t.Name, known[0], t.HeaderRow, "", "", "the column "+known[0]+" is missing", "columns of this sheet: "+strings.Join(known, ", "))
		return
	}
	for _, row := range t.Rows {
		read(line{r: r, sheet: t.Name, row: row.Number, at: at, values: row})
	}
}

// name reads a name that formulas can use and that is new.
func (l line) name(column string, in map[string]bool) (string, bool) {
	name := l.text(column)
	switch {
	case !expr.IsName(name):
		l.wrong(column, "standards.bad_name", name, "", "this is no name", "a letter first, then letters, digits, _ - and dots; no spaces")
	case in[name]:
		l.wrong(column, "standards.twice", name, "", "the name "+name+" is there twice", "every name stands once; rename or remove one")
	default:
		return name, true
	}
	return "", false
}

// formula reads an expression and checks it: grammar, functions, and that every
// ${name} is a parameter or a fact that stands above.
func (l line) formula(column string) *expr.Expr {
	src := l.text(column)
	if src == "" {
		return nil
	}
	e, err := expr.Parse(src)
	if err == nil {
		err = e.CheckExact()
	}
	if err != nil {
		l.wrong(column, "standards.formula", src, "", err.Error(), "mend the formula in this cell")
		return nil
	}
	expr.Walk(e.Root, func(a expr.Ast) bool {
		if b, ok := a.(*expr.Binary); ok {
			l.r.rs.texts[b] = expr.Source(b)
			l.r.rs.watched[b] = l.r.watched(b)
		}
		if ref, ok := a.(*expr.Ref); ok && !l.r.names[ref.Name] {
			near := xlsform.Nearest(ref.Name, slices.Sorted(maps.Keys(l.r.names)))
			hint := "name a parameter, or a fact that stands above this row"
			if near != "" {
				hint = "did you mean ${" + near + "}?"
			}
			l.wrong(column, "standards.unknown_reference", ref.Name, near, "${"+ref.Name+"} is neither a parameter nor a fact above", hint)
		}
		return true
	})
	return e
}

// watched says whether a comparison's limit is one of which coming near is worth
// a word: money, not "houses <= 1", which every home would be near to.
func (r *reader) watched(b *expr.Binary) bool {
	if b.Op != "<" && b.Op != "<=" && b.Op != ">" && b.Op != ">=" {
		return false
	}
	watched := len(r.nearUnits) == 0
	expr.Walk(b, func(a expr.Ast) bool {
		if ref, ok := a.(*expr.Ref); ok {
			for _, u := range r.nearUnits {
				watched = watched || strings.Contains(r.units[ref.Name], u)
			}
		}
		return !watched
	})
	return watched
}

func (l line) needFormula(column string) *expr.Expr {
	if l.text(column) == "" {
		l.wrong(column, "standards.blank", "", "", column+" is blank", "write the formula, or remove the row")
		return nil
	}
	return l.formula(column)
}

func (r *reader) setting(l line) {
	value := l.text("value")
	switch name := l.text("name"); name {
	case "version":
		r.rs.Version = value
	case "county":
		r.rs.County = value
	case "title":
		r.rs.Title = value
	case "basis":
		r.rs.Basis = value
	case "valid_from", "valid_to":
		if _, err := time.Parse(time.DateOnly, value); err != nil && (value != "" || name == "valid_from") {
			l.wrong("value", "standards.bad_date", value, "", "this is no date", "write it as 2026-03-01")
		}
		if name == "valid_from" {
			r.rs.ValidFrom = value
		} else {
			r.rs.ValidTo = value
		}
	case "lists":
		for name := range strings.FieldsSeq(value) {
			r.rs.lists[name] = true
		}
	case "near_percent":
		percent, ok := expr.ExactText(value).Rat()
		if !ok || percent.Sign() < 0 {
			l.wrong("value", "standards.bad_number", value, "", "this is no number", "write a percentage such as 5")
			return
		}
		r.rs.near.Quo(percent, big.NewRat(100, 1))
	case "near_units":
		r.nearUnits = strings.Fields(value)
	default:
		r.report.Warn(xlsform.Problem{Sheet: l.sheet, Row: l.row, Code: "standards.unknown_setting", Got: name,
			Message: "the setting " + name + " is not known and was passed over", Hint: "mend its name or remove it"})
	}
}

func (r *reader) parameter(l line) {
	name, ok := l.name("name", r.names)
	if !ok {
		return
	}
	p := parameter{value: l.text("value"), rural: l.text("rural"), urban: l.text("urban"), label: l.text("label"), unit: l.text("unit"), basis: l.text("basis")}
	switch {
	case p.value == "" && (p.rural == "" || p.urban == ""):
		l.wrong("value", "standards.no_value", name, "", "the parameter "+name+" has no value", "fill value, or both rural and urban")
	case p.value != "" && (p.rural != "" || p.urban != ""):
		l.wrong("value", "standards.two_values", name, "", "the parameter "+name+" has a value and one by area", "keep value, or rural and urban, not both")
	}
	r.names[name] = true
	r.units[name] = p.unit
	r.rs.parameters[name] = p
	r.rs.order = append(r.rs.order, name)
}

func (r *reader) rule(l line, name, formula string) rule {
	return rule{list: l.text("list"), name: l.text(name), label: l.text("label"), unit: l.text("unit"), basis: l.text("basis"), formula: l.needFormula(formula)}
}

func (l line) knownList(must bool) {
	if list := l.text("list"); list == "" && must || list != "" && !l.r.rs.lists[list] {
		l.wrong("list", "standards.unknown_list", list, xlsform.Nearest(list, slices.Sorted(maps.Keys(l.r.rs.lists))), "there is no list named "+list,
			"lists are: "+strings.Join(slices.Sorted(maps.Keys(l.r.rs.lists)), ", ")+"; add others in settings, lists")
	}
}

func (r *reader) row(l line) {
	l.knownList(true)
	// Facts are worked out after the rows: a row may use parameters only.
	if _, ok := l.name("name", nil); ok {
		r.rs.rows = append(r.rs.rows, r.rule(l, "name", "formula"))
		r.rs.room[l.text("list")]++
	}
}

func (r *reader) fact(l line) {
	if name, ok := l.name("name", r.names); ok {
		r.rs.facts = append(r.rs.facts, r.rule(l, "name", "formula"))
		r.names[name], r.units[name] = true, l.text("unit")
	}
}

func (r *reader) require(l line) {
	l.knownList(false)
	if l.text("label") == "" {
		l.wrong("label", "standards.blank", "", "", "label is blank", "say in words what is missing when this does not hold")
	}
	r.rs.required = append(r.rs.required, r.rule(l, "label", "formula"))
}

func (r *reader) category(l line) {
	seen := map[string]bool{Undecided: true}
	for _, c := range r.rs.categories {
		seen[c.name] = true
	}
	if _, ok := l.name("category", seen); !ok {
		return
	}
	r.rs.categories = append(r.rs.categories, category{
		rule: r.rule(l, "category", "condition"), amount: l.formula("amount"), explanation: l.text("explanation"),
		valid: l.formula("valid_months"), review: l.formula("review_months"), grace: l.formula("grace_months"),
	})
}

func (r *reader) offer(l line) {
	l.knownList(false)
	if _, ok := l.name("offer", nil); ok {
		r.rs.offers = append(r.rs.offers, offer{rule: r.rule(l, "offer", "condition"), amount: l.formula("amount"), level: l.formula("level"), until: l.formula("until")})
	}
}

func (r *reader) check(l line) {
	l.knownList(false)
	if _, ok := l.name("check", nil); ok {
		r.rs.checks = append(r.rs.checks, r.rule(l, "check", "condition"))
	}
}

func (r *reader) need(l line) {
	if _, ok := l.name("need", nil); ok {
		r.rs.needs = append(r.rs.needs, need{rule: r.rule(l, "need", "condition"), department: l.text("department")})
	}
}

var (
	quoted    = regexp.MustCompile(`'[^']*'`)
	nameOrRef = regexp.MustCompile(`\$\{[^}]*\}|[A-Za-z_][A-Za-z0-9_.-]*`)
	signs     = strings.NewReplacer(" * ", " × ", " div ", " ÷ ", " <= ", " ≤ ", " >= ", " ≥ ", " != ", " ≠ ")
)

// inWords writes every comparison as a clerk would say it: labels for the names of
// parameters, facts and rows.
func (r *reader) inWords() {
	labels := r.labels
	for name, p := range r.rs.parameters {
		labels["${"+name+"}"] = p.label
	}
	for _, f := range r.rs.facts {
		labels["${"+f.name+"}"] = f.label
	}
	for _, row := range r.rs.rows {
		labels[row.name] = row.label
	}
	for b, text := range r.rs.texts {
		var out strings.Builder
		last := 0
		for _, q := range append(quoted.FindAllStringIndex(text, -1), []int{len(text), len(text)}) {
			out.WriteString(nameOrRef.ReplaceAllStringFunc(signs.Replace(text[last:q[0]]), func(name string) string {
				return cmp.Or(labels[name], name)
			}))
			out.WriteString(text[q[0]:q[1]])
			last = q[1]
		}
		r.rs.words[b] = out.String()
	}
}

func (r *reader) word(l line) { r.labels[l.text("name")] = l.text("label") }

func (r *reader) finish() {
	if !r.report.OK() {
		return
	}
	if r.rs.Version == "" || r.rs.ValidFrom == "" {
		r.wrong("standards.no_version", "settings", "name", 0, "", "", "version and valid_from are missing", "standards need a version and the day from which they hold")
	}
	if r.rs.ValidTo != "" && r.rs.ValidTo < r.rs.ValidFrom {
		r.wrong("standards.bad_period", "settings", "name", 0, r.rs.ValidTo, "", "valid_to is before valid_from", "mend one of the two days")
	}
	r.inWords()
	if len(r.rs.categories) == 0 {
		r.wrong("standards.no_category", "categories", "category", 0, "", "", "there is no category", "add at least one")
	}
}
