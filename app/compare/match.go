package compare

import (
	"context"
	"iter"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"

	"ironfeet/app/casework/idnumber"
	"ironfeet/store"
)

// A Level says how well a row and a person agree (domain.md §5).
type Level string

// The levels. A to C may raise an alert; D and E are hints that a person confirms.
const (
	LevelA Level = "A" // exact 18-digit number, same name
	LevelB Level = "B" // exact number, the name differs: review
	LevelC Level = "C" // an old 15-digit number, converted, and the same name
	LevelD Level = "D" // damaged number: first 15 digits and the same name
)

// A Person is somebody in the registry.
type Person struct {
	ID, Household uuid.UUID
	Name          string
	Number        string // normalised identity number
	Division      string
}

// A Match is a row that is about somebody in the registry.
type Match struct {
	Entry  Entry
	Person Person
	Level  Level
}

// A Result is a whole comparison. Read = len(Matched) + len(Unmatched) +
// len(Rejected), always: each row stands in exactly one of them.
type Result struct {
	List      *List
	Matched   []Match
	Unmatched []Entry
	Rejected  []Rejected // Candidate names a level D hint
	Twice     []Match    // rows about a person of whom a number stands in two households
}

// People reads every person of the registry that has an identity number.
func People(ctx context.Context, r *store.Replica, today time.Time) iter.Seq2[Person, error] {
	return func(yield func(Person, error) bool) {
		for e, err := range r.Members(ctx) {
			if err != nil {
				yield(Person{}, err)
				return
			}
			n := idnumber.Parse(e.Text("id_no"), today)
			if !n.Key() || e.Fields["deleted"].Bool() {
				continue
			}
			household, err := uuid.Parse(e.Text("parent"))
			if err != nil {
				continue
			}
			if !yield(Person{e.ID, household, e.Text("name"), n.Text, e.Division}, nil) {
				return
			}
		}
	}
}

// Compare lays a list beside the registry.
func Compare(l *List, people iter.Seq2[Person, error]) (*Result, error) {
	byNumber := map[string][]Person{}
	byPrefix := map[string][]Person{}
	for p, err := range people {
		if err != nil {
			return nil, err
		}
		byNumber[p.Number] = append(byNumber[p.Number], p)
		byPrefix[p.Number[:15]] = append(byPrefix[p.Number[:15]], p)
	}
	out := &Result{List: l}
	for _, e := range l.Entries {
		found := byNumber[e.ID.Text]
		if len(found) == 0 {
			out.Unmatched = append(out.Unmatched, e)
			continue
		}
		best := Match{Entry: e, Person: found[0], Level: LevelB}
		for _, p := range found {
			if sameName(e.Name, p.Name) {
				best.Person, best.Level = p, LevelA
				break
			}
		}
		if e.ID.Class == idnumber.Old {
			if best.Level != LevelA { // an old number under another name is nobody we know
				out.Unmatched = append(out.Unmatched, e)
				continue
			}
			best.Level = LevelC
		}
		out.Matched = append(out.Matched, best)
		if len(found) > 1 {
			out.Twice = append(out.Twice, best)
		}
	}
	for _, rej := range l.Rejected {
		// What a spreadsheet damaged keeps its first fifteen digits: with the same
		// name that is a hint for a person, never a match.
		if prefix := idnumber.FromNumber(rej.Got, time.Time{}).Prefix(); prefix != "" {
			for _, p := range byPrefix[prefix] {
				if sameName(rej.Name, p.Name) {
					rej.Candidate = p.ID.String()
				}
			}
		}
		out.Rejected = append(out.Rejected, rej)
	}
	return out, nil
}

// sameName compares names without spaces and with one form of the middle dot. An
// absent name agrees with none.
func sameName(a, b string) bool {
	a, b = plainName(a), plainName(b)
	return a != "" && a == b
}

func plainName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || r == '\u200b' || r == '\ufeff':
			return -1
		case strings.ContainsRune("·•・‧∙⋅．.", r):
			return '·'
		}
		return r
	}, s)
}
