package present

import (
	"slices"
	"strings"
	"unicode"

	"github.com/mozillazg/go-pinyin"

	"ironfeet/forms"
)

// Toggled is a question's answer after a tap on one of its choices: a second tap
// takes it back.
func Toggled(n forms.Node, name string) string {
	if n.Type == "select_one" {
		if n.Value == name {
			return ""
		}
		return name
	}
	return Ranked(n, name)
}

// Ranked adds a choice at the end of an answer of several, or takes it out; the
// order is that of the taps.
func Ranked(n forms.Node, name string) string {
	list := strings.Fields(n.Value)
	if i := slices.Index(list, name); i >= 0 {
		return strings.Join(slices.Delete(list, i, i+1), " ")
	}
	list = append(list, name)
	if n.Type == "select_multiple" { // in the order of the form, so that equal answers are equal texts
		order := map[string]int{}
		for i, c := range n.Choices {
			order[c.Name] = i
		}
		slices.SortStableFunc(list, func(a, b string) int { return order[a] - order[b] })
	}
	return strings.Join(list, " ")
}

// Search finds the choices whose words hold a text, begin with its pinyin initials,
// or whose code begins with it. An empty text finds all.
func Search(choices []forms.Choice, text string) []forms.Choice {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return choices
	}
	ascii := !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
	var found []forms.Choice
	for _, c := range choices {
		if strings.Contains(strings.ToLower(c.Label), text) || strings.HasPrefix(strings.ToLower(c.Name), text) || ascii && strings.HasPrefix(initials(c.Label), text) {
			found = append(found, c)
		}
	}
	return found
}

var pinyinArgs = pinyin.Args{Style: pinyin.FirstLetter}

func initials(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r <= unicode.MaxASCII {
			if r != ' ' {
				b.WriteRune(unicode.ToLower(r))
			}
			continue
		}
		if p := pinyin.SinglePinyin(r, pinyinArgs); len(p) > 0 {
			b.WriteString(p[0])
		}
	}
	return b.String()
}
