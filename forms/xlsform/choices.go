package xlsform

import (
	"maps"
	"slices"
	"strings"
)

// lists reads a sheet of choices into the lists of a definition.
func (d *definer) lists(s *sheet, into map[string]*List) {
	if len(s.Rows) == 0 {
		return
	}
	for _, column := range []string{"list_name", "name"} {
		if !s.has(column) {
			d.report.Error(problem(Problem{Sheet: s.Name, Row: s.HeaderRow, Code: "form.no_column", Got: column, Near: Nearest(column, s.Header)}))
			return
		}
	}
	var extra []int
	var extraNames []string
	for i, h := range s.heads {
		if h.column == "" && h.written != "" {
			extra, extraNames = append(extra, i), append(extraNames, h.written)
		}
	}
	first := map[string]map[string]Choice{}
	legal := map[string]bool{} // lists of which choices under different filters were said
	for _, r := range s.Rows {
		listName, name := s.cell(r, "list_name"), s.cell(r, "name")
		c := Choice{Name: name, Row: r.Number, Label: d.langs.text(s, r, "label"), Image: d.langs.text(s, r, "image")}
		place := s.place(r, "name")
		c.Cell = place.Cell
		if listName == "" {
			if name != "" || !c.Label.Blank() {
				p := s.place(r, "list_name")
				p.Code = "form.choice_no_list"
				d.report.Warn(problem(p))
			}
			continue
		}
		if name == "" {
			place.Code = "form.choice_no_name"
			if c.Label.Blank() {
				d.report.Warn(problem(place)) // a heading inside the list
			} else {
				d.report.Error(problem(place))
			}
			continue
		}
		l := into[listName]
		if l == nil {
			l = &List{Name: listName, Columns: extraNames, Row: r.Number}
			into[listName] = l
			first[listName] = map[string]Choice{}
		}
		for _, i := range extra {
			c.Values = append(c.Values, r.Cell(i))
		}
		if strings.ContainsAny(name, " \t\n") {
			p := place
			p.Code, p.Got, p.Near = "form.choice_space", name, strings.Join(strings.Fields(name), "_")
			d.report.Warn(problem(p))
		}
		if before, twice := first[listName][name]; twice {
			p := place
			p.Got, p.Other, p.Code = name, listName, "form.choice_twice"
			if !slices.Equal(before.Values, c.Values) || d.def.Settings.AllowDuplicates {
				p.Code = "form.choice_twice_extra"
			}
			if p.Code == "form.choice_twice" || !legal[listName] { // what is legal is said once a list
				d.report.Warn(problem(p))
			}
			legal[listName] = legal[listName] || p.Code == "form.choice_twice_extra"
			if p.Code == "form.choice_twice" && slices.Equal(before.Label.In, c.Label.In) {
				continue // the same row again
			}
		} else {
			first[listName][name] = c
		}
		if c.Label.Blank() && c.Image.Blank() {
			p := place
			p.Got, p.Code = name, "form.choice_no_label"
			d.report.Warn(problem(p))
		}
		l.Choices = append(l.Choices, c)
	}
}

func (d *definer) choiceList(r Row, it *Item) {
	p := d.survey.place(r, "type")
	p.Got = it.Written
	switch {
	case it.List == "":
		if strings.Contains(it.Appearance, "search(") {
			return
		}
		p.Code = "form.no_list"
		d.report.Error(problem(p))
	case strings.HasPrefix(it.List, "${"):
		// choices from a repeat: the values of a question
	case it.File:
		d.file(it.List, p)
	default:
		lists := d.def.Lists
		if it.External {
			if it.External = len(d.def.External) > 0; it.External {
				lists = d.def.External
			}
		}
		l := lists[it.List]
		if l == nil {
			for name, other := range lists { // capitals do not count
				if strings.EqualFold(name, it.List) {
					l, it.List = other, name
				}
			}
		}
		if l == nil {
			p.Code, p.Got = "form.unknown_list", it.List
			p.Near = Nearest(it.List, slices.Sorted(maps.Keys(lists)))
			d.report.Error(problem(p))
			return
		}
		d.used[l.Name] = true
		if len(l.Choices) == 0 {
			p.Code, p.Got = "form.empty_list", it.List
			d.report.Error(problem(p))
		}
	}
}

func indexOf(header []string, name string) int {
	return slices.IndexFunc(header, func(h string) bool { return fold(h) == name })
}
