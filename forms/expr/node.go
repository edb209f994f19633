package expr

// A Node is one place of an instance tree: a question, a group, one instance of a
// repeat, or a row of a choice list with its columns as children.
type Node interface {
	Name() string
	Parent() Node             // nil at the root
	Named(name string) []Node // children of that name in document order; "*": all
	Text() string             // "" where blank or not relevant
	Position() int            // 1-based among the siblings of the same name
}
