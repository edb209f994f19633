package present

import (
	"strconv"
	"strings"
	"time"

	"ironfeet/app/casework/visit"
	"ironfeet/forms"
)

// A Card is one instance of a repeat with what tells it from the others: “3 韦某某 ·
// 女 · 41”.
type Card struct {
	Path     string
	Number   int
	Title    string // name · sex · age, else the first answers
	Missing  int
	Answered int
	Last     bool // known from last time
}

// Cards are the instances of the page's repeat.
func (f *Filling) Cards() []Card {
	var cards []Card
	for _, n := range f.Page.Nodes {
		if n.Type != "instance" || !isDirect(n.Path, f.Page.Path) {
			continue
		}
		if c, ok := f.session.card(f.Visit, n.Path); ok {
			cards = append(cards, c)
		}
	}
	return cards
}

// isDirect says whether a path is an instance of the repeat itself.
func isDirect(path, repeat string) bool {
	rest, ok := strings.CutPrefix(path, repeat+"[")
	return ok && strings.IndexByte(rest, ']') == len(rest)-1
}

// card describes an instance.
func (s *Session) card(v *visit.Visit, path string) (Card, bool) {
	instance, ok := v.Entry.Node(path)
	if !ok || instance.Type != "instance" {
		return Card{}, false
	}
	c := Card{Path: path}
	c.Number, _ = strconv.Atoi(strings.TrimSuffix(path[strings.LastIndexByte(path, '[')+1:], "]"))
	problems := map[string]bool{}
	for _, p := range v.Problems() {
		problems[p.Path] = true
	}
	var first []string
	for _, n := range v.Entry.Inside(path) {
		if problems[n.Path] {
			c.Missing++
		}
		if n.Group || n.Repeat || n.Type == "note" || n.Value == "" {
			continue
		}
		c.Answered++
		if len(first) < 3 && !n.Calculated && len([]rune(n.Value)) < 40 && n.Type != "image" {
			first = append(first, s.shownMasked(v, n))
		}
	}
	if name := answerOf(v, path, "name"); name.Value != "" {
		first = []string{name.Value}
		if sex := answerOf(v, path, "sex"); sex.Value != "" {
			first = append(first, Words(sex, sex.Value))
		}
		born := answerOf(v, path, "birth")
		if day, err := time.Parse(time.DateOnly, firstOf(born.Value, born.Last)); err == nil {
			first = append(first, s.T("years", Age(day, s.Office.World.Now())))
		} else if age := answerOf(v, path, "age"); age.Value != "" {
			first = append(first, age.Value)
		}
		if rel := answerOf(v, path, "rel"); rel.Value != "" {
			first = append(first, Words(rel, rel.Value))
		}
	}
	c.Title = strings.Join(first, " · ")
	return c, true
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// answerOf is the question of that name straight below an instance.
func answerOf(v *visit.Visit, instance, name string) forms.Node {
	n, _ := v.Entry.Node(instance + "/" + name)
	return n
}

// A Table is all instances of a repeat side by side, for wide screens.
type Table struct {
	Columns []string
	Rows    []Row
}

// A Row of a table: an instance and its answers in words.
type Row struct {
	Card
	Cells []string
	Wrong []bool // what is missing or wrong in the column
}

// columnsMost is how many questions a table shows.
const columnsMost = 7

// Table lays the page's instances out. The columns are the first questions that are
// required or saved, without long texts and pictures.
func (f *Filling) Table() Table {
	cards := f.Cards()
	if len(cards) == 0 {
		return Table{}
	}
	v := f.Visit
	saved := v.Entry.Form().Saved()
	var names []string
	var t Table
	for _, n := range v.Entry.Inside(cards[0].Path) {
		short := n.Type == "text" || n.Type == "integer" || n.Type == "decimal" || n.Type == "date" || n.Type == "select_one"
		if len(names) < columnsMost && short && !n.Calculated && strings.Count(n.Path, "/") == strings.Count(cards[0].Path, "/")+1 &&
			(n.Required || saved[n.Name] != "") && saved[n.Name] != "id_type" {
			names = append(names, n.Name)
			t.Columns = append(t.Columns, n.Label)
		}
	}
	problems := map[string]bool{}
	for _, p := range v.Problems() {
		problems[p.Path] = true
	}
	for _, c := range cards {
		row := Row{Card: c}
		for _, name := range names {
			n := answerOf(v, c.Path, name)
			text := ""
			if n.Relevant {
				text = f.session.shownMasked(v, n)
			}
			if x, excused := v.Excused(n.Path); excused {
				text = f.session.T("excuse_" + x.Why)
			}
			row.Cells = append(row.Cells, text)
			row.Wrong = append(row.Wrong, problems[n.Path])
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
