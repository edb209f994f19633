package xlsform

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// unroll makes of a loop (begin loop over a_list) one group for each choice of
// its list; %(name)s and %(label)s inside stand for the choice.
func (d *definer) unroll(loop *Item, list string) {
	place := Problem{Sheet: d.survey.Name, Cell: loop.TypeCell, Row: loop.Row, Got: list}
	l := d.def.Lists[list]
	if l == nil {
		place.Code, place.Near = "form.unknown_list", Nearest(list, slices.Sorted(maps.Keys(d.def.Lists)))
		d.report.Error(problem(place))
		return
	}
	d.used[list] = true
	inside := count(loop)
	if d.def.Rows += inside * max(len(l.Choices)-1, 0); d.def.Rows > maxQuestions {
		place.Code, place.Got = "form.too_many_rows", strconv.Itoa(maxQuestions)
		d.report.Error(problem(place))
		return
	}
	body := loop.Children
	loop.Children = nil
	for _, c := range l.Choices {
		words := make([]string, 0, 4+2*len(l.Columns))
		words = append(words, "%(name)s", c.Name)
		for i, column := range l.Columns {
			words = append(words, "%("+column+")s", c.Values[i])
		}
		group := *loop
		group.Name, group.Label = repairName(c.Name), c.Label
		group.Children = nil
		for _, kid := range body {
			group.Children = append(group.Children, fillIn(kid, words, c.Label))
		}
		loop.Children = append(loop.Children, &group)
	}
}

func count(it *Item) int {
	n := 1
	for _, kid := range it.Children {
		n += count(kid)
	}
	return n
}

// fillIn copies an item with the words of a choice put in.
func fillIn(it *Item, words []string, label Text) *Item {
	plain := strings.NewReplacer(append(words, "%(label)s", first(label.In))...)
	out := *it
	for _, t := range []*Text{&out.Label, &out.Hint, &out.Guidance, &out.RequiredMessage, &out.ConstraintMessage, &out.Image, &out.BigImage, &out.Audio, &out.Video} {
		in := make([]string, len(t.In))
		for i, s := range t.In {
			said := first(label.In)
			if i < len(label.In) && label.In[i] != "" {
				said = label.In[i]
			}
			in[i] = strings.NewReplacer(append(words, "%(label)s", said)...).Replace(s)
		}
		t.In = in
	}
	for _, s := range []*Source{&out.Relevant, &out.Constraint, &out.Required, &out.Calculation, &out.ReadOnly, &out.Default, &out.ChoiceFilter, &out.RepeatCount, &out.Trigger} {
		s.Text = plain.Replace(s.Text)
	}
	out.Children = nil
	for _, kid := range it.Children {
		out.Children = append(out.Children, fillIn(kid, words, label))
	}
	return &out
}

func first(list []string) string {
	for _, s := range list {
		if s != "" {
			return s
		}
	}
	return ""
}
