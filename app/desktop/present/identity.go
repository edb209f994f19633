package present

import (
	"context"
	"strings"
	"time"

	"ironfeet/app/casework/idnumber"
	"ironfeet/app/casework/visit"
	"ironfeet/forms"
)

// An identity number is asked for wherever a form saves to the property id_no; what
// kind of paper it is, stands beside it under id_type (domain.md §4.2).

// IsIdentity says whether a question takes a citizen identity number.
func IsIdentity(v *visit.Visit, n forms.Node) bool {
	if v.Entry.Form().Saved()[n.Name] != "id_no" && !has(n.Appearance, "identity") {
		return false
	}
	at := strings.LastIndexByte(n.Path, '/')
	kind, ok := v.Entry.Node(n.Path[:at+1] + "id_type")
	return !ok || kind.Value == "idcard" || kind.Value == "" && kind.Last == "idcard"
}

// An Identity is what a number says.
type Identity struct {
	Said  string // one line: whose it may be, or precisely what is wrong
	Wrong bool
	Soft  bool // looks odd, may still be right
}

// Identity reads a number as far as it is typed.
func (s *Session) Identity(v *visit.Visit, n forms.Node) Identity {
	if n.Value == "" {
		return Identity{}
	}
	today := s.Office.World.Now()
	id := idnumber.Parse(n.Value, today)
	sex := func() string {
		if id.Male {
			return s.T("male")
		}
		return s.T("female")
	}
	describe := func() string {
		return sex() + " · " + id.Birth.Format(time.DateOnly) + " · " + s.T("years", Age(id.Birth, today))
	}
	switch id.Class {
	case idnumber.Valid, idnumber.Suspect:
		out := Identity{Said: "✓ " + describe()}
		if id.Class == idnumber.Suspect {
			out.Said, out.Soft = "⚠ "+describe()+" · "+s.T("id_suspect"), true
		}
		if clash := s.clash(v, n, id); clash != "" {
			out.Said, out.Soft = "⚠ "+describe()+" · "+clash, true
		}
		return out
	case idnumber.Old:
		return Identity{Said: s.T("id_old", id.Text), Soft: true}
	case idnumber.BadLength:
		return Identity{Said: s.T("id_length", len([]rune(id.Text))), Wrong: true}
	case idnumber.BadCheck:
		return Identity{Said: s.T("id_check", string(id.Text[17]), string(id.Expect)), Wrong: true}
	case idnumber.BadBirth:
		return Identity{Said: s.T("id_birth", id.Text[6:10], id.Text[10:12], id.Text[12:14]), Wrong: true}
	case idnumber.LetterO:
		return Identity{Said: s.T("id_letter"), Wrong: true}
	case idnumber.Damaged:
		return Identity{Said: s.T("id_damaged"), Wrong: true}
	}
	return Identity{Said: s.T("id_symbols"), Wrong: true}
}

// clash says where sex or birth beside a number contradict it.
func (s *Session) clash(v *visit.Visit, n forms.Node, id idnumber.Number) string {
	for property, want := range derived(id) {
		if b, ok := siblingSaving(v, n, property); ok && b.Value != "" && b.Value != want {
			return s.T("id_clash", b.Label)
		}
	}
	return ""
}

func derived(id idnumber.Number) map[string]string {
	sex := "2"
	if id.Male {
		sex = "1"
	}
	return map[string]string{"sex": sex, "birth": id.Birth.Format(time.DateOnly)} // GB/T 2261.1
}

// siblingSaving is the question beside n that saves to a property.
func siblingSaving(v *visit.Visit, n forms.Node, property string) (forms.Node, bool) {
	at := strings.LastIndexByte(n.Path, '/')
	for name, p := range v.Entry.Form().Saved() {
		if p == property {
			if b, ok := v.Entry.Node(n.Path[:at+1] + name); ok && !b.Group {
				return b, true
			}
		}
	}
	return forms.Node{}, false
}

// FillFromIdentity answers sex and birth from a number that is right, where nobody
// has answered them: what a number says is asked only once (domain.md §7 (6)).
func (s *Session) FillFromIdentity(ctx context.Context, v *visit.Visit, n forms.Node) error {
	id := idnumber.Parse(n.Value, s.Office.World.Now())
	if !id.Key() && id.Class != idnumber.Suspect {
		return nil
	}
	for property, value := range derived(id) {
		b, ok := siblingSaving(v, n, property)
		if !ok || b.Value != "" || b.ReadOnly || !b.Relevant || !offers(b, value) {
			continue
		}
		if _, err := v.Set(ctx, b.Path, value); err != nil {
			return err
		}
	}
	return nil
}

// offers says whether a question can take a value at all.
func offers(n forms.Node, value string) bool {
	for _, c := range n.Choices {
		if c.Name == value {
			return true
		}
	}
	return len(n.Choices) == 0
}

// Age is how many years somebody has completed.
func Age(born, today time.Time) int {
	years := today.Year() - born.Year()
	if today.Month() < born.Month() || today.Month() == born.Month() && today.Day() < born.Day() {
		years--
	}
	return years
}
