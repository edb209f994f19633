package visit

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"ironfeet/forms"
)

// An Excuse is why a question has no answer: that somebody does not know, will not
// say or has no paper is an answer too (domain.md §7 (8)), and not a blank. The
// question counts as asked, its value stays blank, so that nothing is ever
// calculated from it (invariant 6).
type Excuse struct {
	Path   string `cbor:"1,keyasint"`
	Why    string `cbor:"2,keyasint"`
	Reason string `cbor:"3,keyasint,omitempty"`
}

// Why a question has no answer.
const (
	Unknown    = "unknown"     // 不清楚
	Unwilling  = "refused"     // 不愿说
	NoDocument = "no_document" // 没有证明
	NotThere   = "absent"      // 本人不在场
	Impossible = "impossible"  // 拍不了、量不了
)

// Excuses in the order in which they are offered.
var Excuses = []string{Unknown, Unwilling, NoDocument, NotThere, Impossible}

// An ExcuseError means an excuse was not taken.
type ExcuseError struct{ Path, Why string } // no_reason, unknown, no_question

func (e *ExcuseError) Error() string {
	return e.Path + ": no excuse: " + strings.ReplaceAll(e.Why, "_", " ")
}

// Code is the key of the sentence.
func (e *ExcuseError) Code() string { return "visit.excuse_" + e.Why }

// Excuse records why a question has no answer; its answer, if it had one, is
// cleared. The reason is required. It is durable when Excuse returns.
func (v *Visit) Excuse(ctx context.Context, path, why, reason string) error {
	n, ok := v.Entry.Node(path)
	switch {
	case !ok || n.Group || n.Repeat || n.Calculated || n.Type == "note":
		return &ExcuseError{path, "no_question"}
	case !slices.Contains(Excuses, why):
		return &ExcuseError{path, "unknown"}
	case strings.TrimSpace(reason) == "":
		return &ExcuseError{path, "no_reason"}
	}
	if n.Value != "" {
		if _, err := v.Entry.Set(n.Path, ""); err != nil {
			return err
		}
		delete(v.extra.Photos, n.Path)
	}
	if v.extra.Excused == nil {
		v.extra.Excused = map[string]Excuse{}
	}
	v.extra.Excused[n.Path] = Excuse{Path: n.Path, Why: why, Reason: strings.TrimSpace(reason)}
	v.unseal()
	return v.save(ctx)
}

// Unexcuse takes an excuse back: the question is asked again.
func (v *Visit) Unexcuse(ctx context.Context, path string) error {
	if _, ok := v.extra.Excused[path]; !ok {
		return nil
	}
	delete(v.extra.Excused, path)
	v.unseal()
	return v.save(ctx)
}

// Excused is why the question at a path has no answer, if somebody said so.
func (v *Visit) Excused(path string) (Excuse, bool) {
	x, ok := v.extra.Excused[path]
	return x, ok
}

// Problems lists what stands in the way of signing, in document order: the
// entry's, but for questions that nobody can answer.
func (v *Visit) Problems() []forms.Problem {
	return slices.DeleteFunc(v.Entry.Problems(), func(p forms.Problem) bool {
		_, excused := v.extra.Excused[p.Path]
		return excused && p.Code == "answer.required"
	})
}

// moveUp follows the removal of an instance: what hung below it is gone, what hung
// below later ones is now below the one before.
func moveUp[T any](of map[string]T, instance string) map[string]T {
	open := strings.LastIndexByte(instance, '[')
	if open < 0 {
		return of
	}
	repeat := instance[:open+1] // "/data/members["
	gone, err := strconv.Atoi(strings.TrimSuffix(instance[open+1:], "]"))
	if err != nil {
		return of
	}
	out := make(map[string]T, len(of))
	for path, x := range of {
		if rest, below := strings.CutPrefix(path, repeat); below {
			number, tail, _ := strings.Cut(rest, "]")
			switch at, err := strconv.Atoi(number); {
			case err != nil:
			case at == gone:
				continue
			case at > gone:
				path = repeat + strconv.Itoa(at-1) + "]" + tail
			}
		}
		out[path] = x
	}
	return out
}
