package present

import (
	"fmt"
	"strings"

	"ironfeet/app/casework/visit"
	"ironfeet/forms"
)

// Words that a form's author writes into the column appearance, beyond those of
// ODK.
const (
	officeOnly = "office-only" // a group that the householder is not shown: what neighbours say
	sensitive  = "sensitive"   // a group that opens on need only: children, health (domain.md §7 (16))
)

// pageful is how many loose questions stand on one page, and up to how many a group
// keeps its sub-groups on its own page.
const pageful = 20

// A Page is one screen of a visit: a group of questions, some loose ones, or a
// repeat with its instances.
type Page struct {
	Path, Label string
	Repeat      bool
	CanAdd      bool
	Sensitive   bool
	Nodes       []forms.Node // what stands on it in order; of a repeat its instances and all below
	Count       int          // instances of a repeat
	Required    int          // required questions that are asked here
	Missing     int          // answers that are required or wrong here
	Answered    int
	Asked       int
}

// Done says whether nothing is left to do on the page.
func (p Page) Done() bool { return p.Missing == 0 && (p.Answered > 0 || p.Count > 0) }

// Holds says whether a path stands on the page.
func (p Page) Holds(path string) bool {
	if path == p.Path || p.Repeat && strings.HasPrefix(path, p.Path+"[") {
		return true
	}
	for _, n := range p.Nodes {
		if n.Path == path {
			return true
		}
	}
	return false
}

// Pages are the screens of a visit in order, as they stand now.
func Pages(v *visit.Visit) []Page {
	t := treeOf(v.Entry.Inside("/"))
	pages := parted(t, v.Entry.Form().Title(""), nil)
	problems := map[string]bool{}
	for _, p := range v.Problems() {
		problems[p.Path] = true
	}
	for i := range pages {
		p := &pages[i]
		for _, n := range p.Nodes {
			if problems[n.Path] {
				p.Missing++
			}
			switch {
			case n.Type == "instance":
				if strings.HasPrefix(n.Path, p.Path+"[") && !strings.Contains(n.Path[len(p.Path)+1:], "[") {
					p.Count++
				}
			case n.Group || n.Repeat || n.Calculated || n.Type == "note":
			default:
				p.Asked++
				if _, excused := v.Excused(n.Path); n.Value != "" || excused {
					p.Answered++
				}
				if n.Required {
					p.Required++
				}
			}
		}
		if problems[p.Path] {
			p.Missing++
		}
	}
	return pages
}

// A tree is a node of the entry with what stands below it.
type tree struct {
	node  forms.Node
	below []*tree
}

func treeOf(nodes []forms.Node) []*tree {
	var roots []*tree
	var open []*tree
	for _, n := range nodes {
		t := &tree{node: n}
		for len(open) > 0 && open[len(open)-1].node.Depth >= n.Depth {
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			roots = append(roots, t)
		} else {
			above := open[len(open)-1]
			above.below = append(above.below, t)
		}
		open = append(open, t)
	}
	return roots
}

// flat are all nodes of a tree in document order.
func (t *tree) flat(out []forms.Node) []forms.Node {
	out = append(out, t.node)
	for _, b := range t.below {
		out = b.flat(out)
	}
	return out
}

// asks says whether a person sees anything of it.
func (t *tree) asks() bool {
	if !t.node.Group {
		return t.node.Repeat || !t.node.Calculated || t.node.Type == "note"
	}
	for _, b := range t.below {
		if b.asks() {
			return true
		}
	}
	return false
}

// whole says whether a group fits one page: no repeat in it, and not too long.
func (t *tree) whole() bool {
	questions, nested := 0, false
	var look func(t *tree) bool
	look = func(t *tree) bool {
		if t.node.Repeat {
			return false
		}
		if !t.node.Group {
			questions++
		}
		for _, b := range t.below {
			nested = nested || b.node.Group
			if !look(b) {
				return false
			}
		}
		return true
	}
	return look(t) && (!nested || questions <= pageful)
}

// parted makes pages of what stands side by side. Loose questions between groups
// share a page, called as what holds them.
func parted(list []*tree, called string, above []string) []Page {
	var pages []Page
	var loose []forms.Node
	name := func(label string) string {
		return strings.Join(append(append([]string{}, above...), label), " › ")
	}
	parts := 0
	flush := func() {
		if len(loose) > 0 {
			parts++
			label := name(called)
			if len(above) > 0 {
				label = strings.Join(above, " › ")
			}
			if parts > 1 {
				label += fmt.Sprintf(" (%d)", parts)
			}
			pages = append(pages, Page{Path: loose[0].Path, Label: label, Nodes: loose})
			loose = nil
		}
	}
	for _, t := range list {
		n := t.node
		switch {
		case !t.asks():
		case n.Repeat:
			flush()
			p := Page{Path: n.Path, Label: name(fallback(n)), Repeat: true, CanAdd: n.CanAdd, Sensitive: has(n.Appearance, sensitive)}
			for _, b := range t.below {
				p.Nodes = b.flat(p.Nodes)
			}
			pages = append(pages, p)
		case n.Group && t.whole():
			flush()
			p := Page{Path: n.Path, Label: name(fallback(n)), Sensitive: has(n.Appearance, sensitive)}
			for _, b := range t.below {
				p.Nodes = b.flat(p.Nodes)
			}
			pages = append(pages, p)
		case n.Group:
			flush()
			pages = append(pages, parted(t.below, fallback(n), append(append([]string{}, above...), fallback(n)))...)
		default:
			if len(loose) >= pageful {
				flush()
			}
			loose = append(loose, n)
		}
	}
	flush()
	return pages
}

// fallback is a node's label, or its name where its author gave none.
func fallback(n forms.Node) string {
	if s := strings.TrimSpace(n.Label); s != "" {
		return s
	}
	return n.Name
}

// has says whether one of the words stands in an appearance.
func has(appearance string, words ...string) bool {
	for _, w := range strings.Fields(strings.ToLower(appearance)) {
		for _, want := range words {
			if w == want {
				return true
			}
		}
	}
	return false
}
