package expr

import (
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values makes the world of an expression from plain values by instance path:
// {"/data/a": "1", "/data/r[2]/x": "3"}. node is the path of the context node,
// "" for the root. ${name} means the node of that name that shares most of its
// path with the context.
func Values(values map[string]string, node string, now func() time.Time, random io.Reader) *Env {
	root := &plainNode{name: "data", position: 1}
	paths := make([]string, 0, len(values)+1)
	for p := range values {
		paths = append(paths, p)
	}
	slices.SortFunc(paths, func(a, b string) int { return strings.Compare(sortKey(a), sortKey(b)) })
	if node != "" {
		paths = append(paths, node)
	}
	context := root
	for _, p := range paths {
		n := root.reach(p)
		if v, ok := values[p]; ok {
			n.text = v
		}
		if p == node {
			context = n
		}
	}
	return &Env{Node: context, Root: root, Now: now, Rand: random, Ref: func(name string, from Node) []Node {
		f, ok := from.(*plainNode)
		if !ok {
			return nil
		}
		for a := f; a != nil; a = a.parent { // the nearest ancestor that has one below
			if found := a.below(name, nil); len(found) > 0 {
				return found
			}
		}
		return nil
	}}
}

// sortKey makes r[2] come before r[10].
func sortKey(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '[' {
			b.WriteByte(path[i])
			continue
		}
		end := strings.IndexByte(path[i:], ']')
		if end < 0 {
			b.WriteString(path[i:])
			break
		}
		n := path[i+1 : i+end]
		b.WriteString("[" + strings.Repeat("0", max(0, 8-len(n))) + n)
		i += end
	}
	return b.String()
}

type plainNode struct {
	name     string
	parent   *plainNode
	kids     []*plainNode
	text     string
	position int
}

// reach finds or makes the node at a path.
func (n *plainNode) reach(path string) *plainNode {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i, s := range segments {
		name, index, _ := strings.Cut(strings.TrimSuffix(s, "]"), "[")
		if i == 0 && n.parent == nil && index == "" && (len(n.kids) == 0 || n.name == name) && len(segments) > 1 {
			n.name = name
			continue
		}
		if name == "" {
			continue
		}
		want := 1
		if v, err := strconv.Atoi(index); err == nil && v > 0 && v <= 10_000 {
			want = v
		}
		var found *plainNode
		have := 0
		for _, k := range n.kids {
			if k.name == name {
				if have++; have == want {
					found = k
				}
			}
		}
		for ; have < want; have++ {
			found = &plainNode{name: name, parent: n, position: have + 1}
			n.kids = append(n.kids, found)
		}
		n = found
	}
	return n
}

func (n *plainNode) below(name string, out []Node) []Node {
	for _, k := range n.kids {
		if k.name == name {
			out = append(out, k)
		}
		out = k.below(name, out)
	}
	return out
}

func (n *plainNode) Name() string { return n.name }

func (n *plainNode) Parent() Node {
	if n.parent == nil {
		return nil
	}
	return n.parent
}

func (n *plainNode) Named(name string) []Node {
	var out []Node
	for _, k := range n.kids {
		if name == "*" || k.name == name {
			out = append(out, k)
		}
	}
	return out
}

func (n *plainNode) Text() string  { return n.text }
func (n *plainNode) Position() int { return n.position }
