// Package lifecycle is how a life cycle is written down: a table of moves, as
// data, from which code asks what may happen next and why not, and from which
// the drawing in a type's comment is checked.
package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	"ironfeet/sync/trust"
)

// A Move is one arrow of a life cycle.
type Move struct {
	From, To string
	By       []trust.Role // who may make it
}

// A Table is the life cycle of one kind of thing.
type Table struct {
	Name  string // "task": the prefix of its error codes
	Moves []Move
}

// A MoveError says that something cannot become what was asked for.
type MoveError struct {
	Thing, From, To string
	Role            trust.Role
	Next            []string // what it may become for this role
}

func (e *MoveError) Error() string {
	next := "nothing: this is its end"
	if len(e.Next) > 0 {
		next = strings.Join(e.Next, " or ")
	}
	return fmt.Sprintf("a %s that is %s cannot become %s by a %s; it may become %s", e.Thing, e.From, e.To, e.Role, next)
}

// Code is the key of the sentence.
func (e *MoveError) Code() string { return "casework.wrong_move" }

// May returns nil if the move is on the table for the role, else a *MoveError.
func (t Table) May(from, to string, role trust.Role) error {
	var next []string
	for _, m := range t.Moves {
		if m.From != from || !slices.Contains(m.By, role) {
			continue
		}
		if m.To == to {
			return nil
		}
		next = append(next, m.To)
	}
	return &MoveError{t.Name, from, to, role, next}
}

// Draw prints the table, one arrow a line, as it stands in the type's comment.
func (t Table) Draw() string {
	var b strings.Builder
	for _, m := range t.Moves {
		roles := make([]string, len(m.By))
		for i, r := range m.By {
			roles[i] = string(r)
		}
		fmt.Fprintf(&b, "%s -> %s (%s)\n", m.From, m.To, strings.Join(roles, ", "))
	}
	return b.String()
}
