package merge

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/trust"
)

// A GapError means that a bundle arrived before its predecessor. Nothing is wrong:
// it is kept until the missing part has come.
type GapError struct {
	Node        uuid.UUID
	Have, First uint64 // the last change that is here, the first of the bundle
}

func (e *GapError) Error() string {
	return fmt.Sprintf("changes %d to %d of node %s have not arrived yet", e.Have+1, e.First-1, e.Node)
}

// Code is the key of the sentence.
func (e *GapError) Code() string { return "bundle.gap" }

// A ForkError means that a node signed two different continuations: it was cloned,
// or restored from an old copy (invariant 5). The branch that was here first stays
// until the county chooses (trust.AcceptEdit).
type ForkError struct {
	Node         uuid.UUID
	First, Last  uint64
	Ours, Theirs store.Digest
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("node %s has two histories from change %d on: %s is here, %s arrived", e.Node, e.First, e.Ours, e.Theirs)
}

// Code is the key of the sentence.
func (e *ForkError) Code() string { return "bundle.fork" }

// A CloneError means that a bundle of this very node arrived which this node never
// wrote: the replica was restored from an old copy, or exists twice.
type CloneError struct {
	Node        uuid.UUID
	First, Last uint64
}

func (e *CloneError) Error() string {
	return fmt.Sprintf("changes %d to %d carry this node's own signature, but are not in its log", e.First, e.Last)
}

// Code is the key of the sentence.
func (e *CloneError) Code() string { return "bundle.clone" }

// rejudged is the reason of bundles that were taken out of the state to be judged
// again; it is seen only after a crash in between.
type rejudged struct{}

func (rejudged) Error() string { return "to be judged again after the county's decision" }
func (rejudged) Code() string  { return "bundle.rejudged" }

// waits says whether time may heal the reason.
func waits(reason error) bool {
	switch e := reason.(type) {
	case *GapError, rejudged:
		return true
	case *trust.RefusedError:
		return e.Rule.MayCome()
	}
	return false
}

func code(reason error) string {
	var coded interface{ Code() string }
	if errors.As(reason, &coded) {
		return coded.Code()
	}
	return "bundle.damaged"
}
