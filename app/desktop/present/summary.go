package present

import (
	"math/big"
	"slices"
	"strings"

	"ironfeet/app/casework/visit"
	"ironfeet/app/export"
	"ironfeet/forms"
)

// A Section of the summary that is read aloud.
type Section struct {
	Title string
	Lines []Pair
}

// Summary is what the householder hears and signs: every answer in words, without
// what is for the office alone, without pictures' names, and with numbers of papers
// and phones masked: others stand in the room (domain.md §7 (10), (16)).
func (s *Session) Summary(v *visit.Visit) []Section {
	var out []Section
	for _, g := range v.Entry.Groups() {
		if has(g.Appearance, officeOnly) {
			continue
		}
		section := Section{Title: fallback(g)}
		flush := func() {
			if len(section.Lines) > 0 {
				out = append(out, section)
			}
		}
		hidden := ""
		nodes := v.Entry.Inside(g.Path)
		if !g.Group && !g.Repeat {
			nodes = []forms.Node{g}
		}
		for _, n := range nodes {
			if hidden != "" && strings.HasPrefix(n.Path, hidden+"/") {
				continue
			}
			excuse, excused := v.Excused(n.Path)
			switch {
			case n.Group && has(n.Appearance, officeOnly):
				hidden = n.Path
			case n.Type == "instance":
				flush()
				section = Section{Title: fallback(g) + " " + n.RepeatLabel}
				if c, ok := s.card(v, n.Path); ok && c.Title != "" {
					section.Title = fallback(g) + " " + strings.Join([]string{intText(c.Number), c.Title}, "　")
				}
			case excused && n.Value == "":
				section.Lines = append(section.Lines, Pair{n.Label, s.T("excuse_"+excuse.Why) + "（" + excuse.Reason + "）"})
			case n.Group || n.Repeat || n.Calculated || n.Value == "" || slices.Contains([]string{"note", "image", "geopoint", "geotrace", "geoshape", "audio", "video", "file"}, n.Type):
			default:
				section.Lines = append(section.Lines, Pair{n.Label, s.shownMasked(v, n)})
			}
		}
		flush()
	}
	return out
}

func intText(n int) string { return new(big.Int).SetInt64(int64(n)).String() }

// shownMasked is an answer as it may stand on a screen that others see: words for
// codes, amounts grouped, numbers of papers, phones and plates masked.
func (s *Session) shownMasked(v *visit.Visit, n forms.Node) string {
	switch property := v.Entry.Form().Saved()[n.Name]; {
	case property == "id_no":
		return export.MaskID(n.Value)
	case property == "phone":
		return export.MaskPhone(n.Value)
	case Masked(n):
		return strings.Repeat("•", min(8, len([]rune(n.Value))))
	}
	if n.Type == "decimal" && len(n.Value) < 18 {
		if r, ok := new(big.Rat).SetString(n.Value); ok && isMoney(n) && !s.byWeight(v, n) {
			return s.T("money", grouped(r))
		}
	}
	return Words(n, n.Value)
}

// LastTime is last time's value as it is offered to be confirmed, numbers masked.
func (s *Session) LastTime(v *visit.Visit, n forms.Node) string {
	n.Value = n.Last
	return s.shownMasked(v, n)
}

// byWeight says whether an amount counts jin and not yuan.
func (s *Session) byWeight(v *visit.Visit, n forms.Node) bool {
	unit, ok := v.Entry.Node(n.Path[:strings.LastIndexByte(n.Path, '/')+1] + "unit")
	return ok && n.Name == "amount" && unit.Value == "jin"
}
