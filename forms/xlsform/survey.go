package xlsform

import (
	"slices"
	"strconv"
	"strings"
)

// questions reads the survey sheet's rows and nests them.
func (d *definer) questions() {
	root := &Item{Kind: Group, Name: d.def.Settings.Name, Type: "group"}
	d.def.Root = root
	d.stack = []open{{item: root}}
	disabled := 0 // rows inside a group that is switched off
	for _, r := range d.survey.Rows {
		written := d.survey.cell(r, "type")
		t := readType(written)
		if disabled > 0 {
			if t.begin {
				disabled++
			}
			if t.end {
				disabled--
			}
			continue
		}
		if yes(d.survey.cell(r, "disabled")) {
			if t.begin {
				disabled = 1
			}
			continue
		}
		d.def.Rows++
		if d.def.Rows > maxQuestions {
			d.report.Error(problem(Problem{Sheet: d.survey.Name, Row: r.Number, Code: "form.too_many_rows", Got: strconv.Itoa(maxQuestions)}))
			return
		}
		switch {
		case written == "":
			d.noType(r)
		case t.end:
			d.end(r, t)
		default:
			d.item(r, written, t)
		}
	}
	for i := len(d.stack) - 1; i > 0; i-- {
		o := d.stack[i].item
		d.report.Error(problem(Problem{Sheet: d.survey.Name, Cell: o.TypeCell, Row: o.Row, Code: "form.not_ended", Got: o.Name}))
	}
}

// noType is a row without a type: an error if it looks like a question, a remark
// otherwise.
func (d *definer) noType(r Row) {
	p := d.survey.place(r, "type")
	p.Code = "form.no_type"
	if d.survey.cell(r, "name") != "" {
		d.report.Error(problem(p))
	} else {
		d.report.Warn(problem(p))
	}
}

func (d *definer) top() *open { return &d.stack[len(d.stack)-1] }

func (d *definer) end(r Row, t typed) {
	p := d.survey.place(r, "type")
	p.Got = "end " + t.name
	if len(d.stack) == 1 {
		p.Code = "form.end_without_begin"
		d.report.Error(problem(p))
		return
	}
	o := d.top()
	if o.typ.kind != t.kind {
		p.Code, p.Other = "form.end_mismatch", o.typ.name+" "+o.item.Name
		d.report.Error(problem(p))
	}
	if name := d.survey.cell(r, "name"); name != "" && name != o.item.Name {
		p := d.survey.place(r, "name")
		p.Code, p.Got, p.Other = "form.end_name", name, o.item.Name
		d.report.Warn(problem(p))
	}
	if len(o.item.Children) == 0 {
		d.report.Warn(problem(Problem{Sheet: d.survey.Name, Cell: o.item.NameCell, Row: o.item.Row, Code: "form.empty_group", Got: o.item.Name}))
	}
	d.stack = d.stack[:len(d.stack)-1]
	if o.typ.loop {
		d.unroll(o.item, o.typ.list)
	}
}

func (d *definer) item(r Row, written string, t typed) {
	s := d.survey
	place := s.place(r, "type")
	place.Got = written
	it := &Item{Row: r.Number, TypeCell: place.Cell, NameCell: s.place(r, "name").Cell, Written: written, Type: t.name, List: t.list, File: t.file, External: t.external}
	switch {
	case t.begin && t.kind == Repeat:
		it.Kind, it.Type = Repeat, "repeat"
	case t.begin:
		it.Kind, it.Type = Group, "group"
	case !t.known:
		p := place
		p.Code = "form.unknown_type"
		names := make([]string, 0, len(typeNames))
		for _, n := range typeNames {
			names = append(names, n)
		}
		slices.Sort(names)
		p.Near = Nearest(strings.Fields(written)[0], slices.Compact(append(names, "begin group", "begin repeat", "end group", "end repeat")))
		d.report.Warn(problem(p))
		it.Type = "text"
	case t.foreign:
		p := place
		p.Code = "form.foreign_type"
		d.report.Warn(problem(p))
	case unsupported[t.name]:
		p := place
		p.Code = "form.unsupported_type"
		if t.name != "audit" {
			d.report.Warn(problem(p))
			it.Type = "text"
		}
	}
	d.name(r, it)
	l := d.langs
	it.Label, it.Hint, it.Guidance = l.text(s, r, "label"), l.text(s, r, "hint"), l.text(s, r, "guidance_hint")
	it.RequiredMessage, it.ConstraintMessage = l.text(s, r, "required_message"), l.text(s, r, "constraint_message")
	it.Image, it.BigImage, it.Audio, it.Video = l.text(s, r, "image"), l.text(s, r, "big-image"), l.text(s, r, "audio"), l.text(s, r, "video")
	it.Relevant, it.Constraint = d.expression(s, r, "relevant"), d.expression(s, r, "constraint")
	it.Calculation, it.Default = d.expression(s, r, "calculation"), d.expression(s, r, "default")
	it.ChoiceFilter, it.RepeatCount = d.expression(s, r, "choice_filter"), d.expression(s, r, "repeat_count")
	it.Trigger = d.expression(s, r, "trigger")
	it.Required, it.ReadOnly = d.yesNo(r, "required"), d.yesNo(r, "read_only")
	it.SaveTo = s.source(r, "save_to")
	appearance := d.expression(s, r, "appearance")
	it.Appearance, it.AppearanceCell, it.Was = appearance.Text, appearance.Cell, s.cell(r, "was")
	it.Parameters = d.parameters(r, it)
	for i, h := range s.heads {
		if v := r.Cell(i); v != "" && (h.column == "" && h.written != "" || h.column == "rows" || h.column == "intent" || h.column == "query") {
			if it.Extra == nil {
				it.Extra = map[string]string{}
			}
			it.Extra[h.written] = v
		}
	}
	d.check(r, it, t)
	if len(d.stack) > maxNesting {
		p := place
		p.Code, p.Got = "form.too_deep", strconv.Itoa(maxNesting)
		d.report.Error(problem(p))
	}
	parent := d.top().item
	parent.Children = append(parent.Children, it)
	if t.begin {
		d.stack = append(d.stack, open{it, t})
		return
	}
	if t.orOther {
		d.orOther(it, parent)
	}
}

// orOther adds the text question that goes with the choice “other”.
func (d *definer) orOther(it, parent *Item) {
	if l := d.def.Lists[it.List]; l != nil && !slices.ContainsFunc(l.Choices, func(c Choice) bool { return c.Name == "other" }) {
		label := Text{In: make([]string, len(d.langs.list)), Cells: make([]string, len(d.langs.list))}
		for i, lang := range d.langs.list {
			label.In[i] = "Other"
			if strings.HasPrefix(lang.Code, "zh") || strings.Contains(lang.Name, "中文") {
				label.In[i] = "其他"
			}
		}
		l.Choices = append(l.Choices, Choice{Name: "other", Label: label, Values: make([]string, len(l.Columns))})
	}
	if it.ChoiceFilter.Text != "" {
		d.report.Warn(problem(Problem{Sheet: d.survey.Name, Cell: it.TypeCell, Row: it.Row, Code: "form.or_other_filter", Got: it.Name}))
	}
	label := Text{In: make([]string, len(d.langs.list)), Cells: make([]string, len(d.langs.list))}
	for i, lang := range d.langs.list {
		label.In[i] = "Specify other."
		if strings.HasPrefix(lang.Code, "zh") || strings.Contains(lang.Name, "中文") {
			label.In[i] = "请说明。"
		}
	}
	parent.Children = append(parent.Children, &Item{
		Row: it.Row, TypeCell: it.TypeCell, NameCell: it.NameCell, Name: it.Name + "_other", Type: "text", Written: "text", OrOther: true, Label: label,
		Relevant: Source{Text: "selected(../" + it.Name + ", 'other')", Cell: it.TypeCell, Row: it.Row},
	})
}

// name checks a question's name. A row whose name cannot be used gets one that
// nothing refers to, so that whatever else is wrong with it is said in the same
// pass.
func (d *definer) name(r Row, it *Item) {
	s := d.survey
	fault := func(p Problem) {
		d.report.Error(problem(p))
		it.Name = "row" + strconv.Itoa(r.Number)
	}
	name := s.cell(r, "name")
	p := s.place(r, "name")
	if name == "" {
		switch {
		case it.Type == "note" && it.Kind == Question, it.Kind == Group, metadata[it.Type]:
			name = it.Type + "_row" + strconv.Itoa(r.Number)
			if metadata[it.Type] {
				name = it.Type
			}
		default:
			p.Code = "form.no_name"
			fault(p)
			return
		}
	}
	it.Name = name
	if fixed := repairName(name); fixed != name {
		p.Got, p.Near = name, fixed
		p.Code = "form.bad_name"
		if strings.Join(strings.Fields(name), "_") == fixed {
			p.Code = "form.name_repaired"
			it.Name = fixed
			d.report.Warn(problem(p))
		} else {
			fault(p)
			return
		}
	}
	if len(it.Name) > 200 {
		p.Code, p.Got = "form.bad_name", it.Name
		fault(p)
		return
	}
	group := d.groupPath()
	if d.names[group] == nil {
		d.names[group] = map[string]int{}
	}
	if row, twice := d.names[group][strings.ToLower(it.Name)]; twice {
		p.Code, p.Got, p.Other = "form.name_twice", it.Name, strconv.Itoa(row)
		fault(p)
		return
	}
	d.names[group][strings.ToLower(it.Name)] = r.Number
	if row, twice := d.rows[it.Name]; twice {
		if it.Kind == Question && it.Type != "note" {
			p.Code, p.Got, p.Other = "form.name_elsewhere", it.Name, strconv.Itoa(row)
			d.report.Warn(problem(p))
		}
	} else {
		d.rows[it.Name] = r.Number
	}
}

func (d *definer) groupPath() string {
	var b strings.Builder
	for _, o := range d.stack {
		b.WriteString(o.item.Name)
		b.WriteByte('/')
	}
	return b.String()
}

// yesNo reads a column that holds yes, no, or an expression.
func (d *definer) yesNo(r Row, column string) Source {
	src := d.expression(d.survey, r, column)
	switch {
	case no(src.Text):
		return Source{}
	case yes(src.Text):
		src.Text = "true()"
	case !strings.ContainsAny(src.Text, "(${<>=./"):
		p := d.survey.place(r, column)
		p.Code, p.Got = "form.bad_yes_no", src.Text
		d.report.Warn(problem(p))
		return Source{}
	}
	return src
}

func (d *definer) parameters(r Row, it *Item) map[string]string {
	text := d.survey.cell(r, "parameters")
	if text == "" {
		return nil
	}
	p := d.survey.place(r, "parameters")
	it.ParametersCell = p.Cell
	m := map[string]string{}
	for _, pair := range strings.FieldsFunc(strings.NewReplacer(" = ", "=", "= ", "=", " =", "=").Replace(text), func(r rune) bool { return r == ' ' || r == ',' || r == ';' || r == '\n' }) {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" || value == "" {
			p := p
			p.Code, p.Got = "form.bad_parameter", pair
			d.report.Warn(problem(p))
			continue
		}
		name = fold(name)
		if known := parameterNames[it.Type]; it.Kind == Question && !slices.Contains(known, name) {
			p := p
			p.Code, p.Got, p.Near = "form.unknown_parameter", name, Nearest(name, known)
			d.report.Warn(problem(p))
		}
		m[name] = value
	}
	return m
}

// check looks at what belongs together in one row.
func (d *definer) check(r Row, it *Item, t typed) {
	warn := func(column, code, got string) {
		p := d.survey.place(r, column)
		p.Code, p.Got = code, got
		d.report.Warn(problem(p))
	}
	if it.Kind == Question && it.Label.Blank() && it.Image.Blank() && it.Hint.Blank() && !Silent(it.Type) && it.Calculation.Text == "" {
		warn("name", "form.no_label", it.Name)
	}
	if !it.Label.Blank() && len(d.langs.list) > 1 {
		for i, s := range it.Label.In {
			if s == "" {
				p := d.survey.place(r, "label")
				p.Code, p.Other, p.Near = "form.no_translation", d.langs.named(i), d.langs.named(0)
				d.report.Warn(problem(p))
				break
			}
		}
	}
	if it.Type == "calculate" && it.Kind == Question && it.Calculation.Text == "" && it.Default.Text == "" {
		warn("calculation", "form.no_calculation", it.Name)
	}
	if !it.ConstraintMessage.Blank() && it.Constraint.Text == "" {
		warn("constraint_message", "form.no_message_for", "constraint_message")
	}
	choice := it.Type == "select_one" || it.Type == "select_multiple" || it.Type == "rank"
	if choice && it.Kind == Question {
		d.choiceList(r, it)
	}
	if it.SaveTo.Text != "" {
		d.saveTo(r, it)
	}
}

// SaveToOf parts a save_to cell: list#property, or the property alone where one
// list is declared.
func (def *Definition) SaveToOf(it *Item) (list, property string) {
	text := it.SaveTo.Text
	if text == "" {
		return "", ""
	}
	if l, p, ok := strings.Cut(text, "#"); ok {
		return strings.TrimSpace(l), strings.TrimSpace(p)
	}
	if len(def.Entities) == 1 {
		return def.Entities[0].List, text
	}
	return "", ""
}

func (d *definer) saveTo(r Row, it *Item) {
	p := d.survey.place(r, "save_to")
	p.Got = it.SaveTo.Text
	list, property := d.def.SaveToOf(it)
	var names []string
	for _, e := range d.def.Entities {
		names = append(names, e.List)
	}
	switch {
	case it.Kind != Question:
		p.Code = "form.save_to_group"
		d.report.Warn(problem(p))
	case list == "" && len(names) > 1:
		p.Code = "form.save_to_many"
		d.report.Error(problem(p))
	case !slices.Contains(names, list):
		p.Code, p.Got, p.Near = "form.save_to_unknown", list, Nearest(list, names)
		d.report.Error(problem(p))
	case repairName(property) != property:
		p.Code = "form.save_to_bad"
		d.report.Error(problem(p))
	}
}
