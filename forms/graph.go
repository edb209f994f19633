package forms

import (
	"slices"
	"strconv"
	"strings"

	"ironfeet/forms/xlsform"
)

// A role is one of the things that are worked out for a field.
type role uint8

const (
	roleRelevant role = iota
	roleValue
	roleRequired
	roleReadOnly
	roleValid
	roles
)

// A cell is one role of one field: its place in the order of evaluation, and
// which cells read the field's value.
type cell struct {
	order   int32
	readers []edge // of roleValue only
}

// An edge leads to a cell that reads this one.
type edge struct {
	field *field
	role  role
	depth int // repeats both have in common: only instances under the same one are concerned
}

func (form *Form) cell(f *field, r role) *cell { return &form.cells[f.index*int(roles)+int(r)] }

// order sorts all cells so that whatever is read comes before its readers, and
// reports rings. A value is read as blank while its field is irrelevant, so it
// comes after its relevance; relevance comes after that of the group around it,
// and what stands in a repeat after the repeat's count.
func (c *compiler) order() {
	form := c.form
	n := len(form.fields) * int(roles)
	form.cells = make([]cell, n)
	after := make([][]int32, n)
	waits := make([]int, n)
	counts := map[[2]int]bool{} // links into a repeat's count
	id := func(f *field, r role) int { return f.index*int(roles) + int(r) }
	link := func(from, to int) {
		after[from] = append(after[from], int32(to))
		waits[to]++
	}
	for _, f := range form.fields {
		link(id(f, roleRelevant), id(f, roleValue))
		for _, r := range []role{roleRequired, roleReadOnly} {
			link(id(f, roleRelevant), id(f, r))
			link(id(f, r), id(f, roleValid))
		}
		link(id(f, roleValue), id(f, roleValid))
		if f.parent != nil {
			link(id(f.parent, roleRelevant), id(f, roleRelevant))
			if f.parent.repeat() {
				link(id(f.parent, roleValue), id(f, roleRelevant))
			}
		}
		for r := range roles {
			for _, d := range c.reads[f][r] {
				own := d.on == f && (r == roleValue || r == roleValid)
				if own && !d.wide {
					continue // . is the value so far
				}
				if d.on.group() && !d.on.repeat() {
					continue
				}
				// A group that is relevant by an answer inside it, or a question by its
				// own: decided by the value so far.
				if inside := d.on == f || d.on.under(f); inside && r == roleRelevant {
					c.problem(f.item.Relevant, "form.own_relevance", f.item.Name, "", d.on.item.Name, false)
				} else if !own { // an instance reads its own question in others: a running total
					link(id(d.on, roleValue), id(f, r))
				}
				if f.repeat() && r == roleValue {
					counts[[2]int{id(d.on, roleValue), id(f, r)}] = true
				}
				depth := 0
				if !d.wide {
					depth = sharedRepeats(f, d.on)
				}
				v := form.cell(d.on, roleValue)
				e := edge{f, r, depth}
				if i := slices.IndexFunc(v.readers, func(o edge) bool { return o.field == f && o.role == r }); i >= 0 {
					v.readers[i].depth = min(v.readers[i].depth, depth)
				} else {
					v.readers = append(v.readers, e)
				}
			}
		}
	}
	c.growing(after, waits, counts)
	var ready []int
	for i := range n {
		if waits[i] == 0 {
			ready = append(ready, i)
		}
	}
	place := int32(0)
	for len(ready) > 0 {
		i := ready[0]
		ready = ready[1:]
		form.cells[i].order = place
		place++
		for _, j := range after[i] {
			if waits[j]--; waits[j] == 0 {
				ready = append(ready, int(j))
			}
		}
	}
	if int(place) < n {
		c.ring(after, waits)
	}
}

// growing takes the count out of the order where a repeat grows by the answers
// inside it (“is there another member?” and a count of the yeses): it is worked
// out again whenever those answers change, and each new instance begins blank, so
// it comes to rest.
func (c *compiler) growing(after [][]int32, waits []int, counts map[[2]int]bool) {
	for link := range counts {
		if !reaches(after, link[1], link[0]) {
			continue
		}
		from, to := link[0], link[1]
		if i := slices.Index(after[from], int32(to)); i >= 0 {
			after[from] = slices.Delete(after[from], i, i+1)
			waits[to]--
			f := c.form.fields[to/int(roles)]
			c.problem(f.item.RepeatCount, "form.growing_repeat", f.item.Name, "", "", false)
		}
	}
}

// reaches says whether a way leads from one cell to another.
func reaches(after [][]int32, from, to int) bool {
	seen := map[int]bool{from: true}
	for todo := []int{from}; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if i == to {
			return true
		}
		for _, j := range after[i] {
			if !seen[int(j)] {
				seen[int(j)] = true
				todo = append(todo, int(j))
			}
		}
	}
	return false
}

// ring finds one cycle among the cells that could not be ordered and prints it.
func (c *compiler) ring(after [][]int32, waits []int) {
	state := make([]uint8, len(waits)) // 1: on the way, 2: done
	var way []int
	var visit func(i int) []int
	visit = func(i int) []int {
		state[i] = 1
		way = append(way, i)
		for _, j := range after[i] {
			if waits[j] == 0 || state[j] == 2 {
				continue
			}
			if state[j] == 1 {
				return way[slices.Index(way, int(j)):]
			}
			if found := visit(int(j)); found != nil {
				return found
			}
		}
		way = way[:len(way)-1]
		state[i] = 2
		return nil
	}
	for i := range waits {
		if waits[i] == 0 || state[i] != 0 {
			continue
		}
		way = way[:0]
		found := visit(i)
		if found == nil {
			continue
		}
		var names []string
		var first *field
		for _, k := range found {
			f := c.form.fields[k/int(roles)]
			name := f.item.Name + " (row " + strconv.Itoa(f.item.Row) + ")"
			if len(names) == 0 || names[len(names)-1] != name {
				names = append(names, name)
			}
			if first == nil && !f.group() {
				first = f
			}
		}
		if first == nil {
			first = c.form.fields[found[0]/int(roles)]
		}
		if len(names) > 1 && names[0] == names[len(names)-1] {
			names = names[1:]
		}
		names = append(names, names[0])
		src := first.item.Calculation
		if src.Text == "" {
			src = first.item.Relevant
		}
		if src.Cell == "" {
			src = xlsform.Source{Cell: first.item.NameCell, Row: first.item.Row}
		}
		c.problem(src, "form.cycle", strings.Join(names, " → "), "", "", true)
		return
	}
}
