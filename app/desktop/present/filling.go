package present

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/visit"
	"ironfeet/forms"
)

// A Filling is a visit on the screen: which page, which instance of a repeat, what
// was touched, what is shown of what is wrong. Every answer is durable when Answer
// returns, and the place with it.
type Filling struct {
	Visit *visit.Visit
	Page  Page
	At    int // of Page among Pages
	Pages []Page

	// Instance is the instance of a repeat that is being filled, "" for the cards.
	Instance string
	// Question is the one last answered: where the visit is taken up again.
	Question string
	// Strict shows what is missing everywhere: somebody wanted to go on.
	Strict bool

	session *Session
	touched map[string]bool
	opened  map[string]bool // sensitive pages that were opened
}

// Fill opens a visit where it was left.
func (s *Session) Fill(ctx context.Context, v *visit.Visit, place string, strict bool) (*Filling, error) {
	v.Entry.SetLanguage(s.Say.Language())
	f := &Filling{Visit: v, Strict: strict, session: s, touched: map[string]bool{}, opened: map[string]bool{}}
	return f, f.GoTo(ctx, place)
}

// GoTo shows the page that holds a path; an unknown one the first. A path inside an
// instance opens that instance.
func (f *Filling) GoTo(ctx context.Context, place string) error {
	f.Pages = Pages(f.Visit)
	f.Instance, f.Question, f.At = "", "", 0
	for i, p := range f.Pages {
		if !p.Holds(place) && !(p.Repeat && strings.HasPrefix(place, p.Path+"[")) {
			continue
		}
		f.At = i
		if rest, ok := strings.CutPrefix(place, p.Path); ok && p.Repeat && strings.HasPrefix(rest, "[") {
			f.Instance = p.Path + rest[:strings.Index(rest, "]")+1]
			if n, ok := f.Visit.Entry.Node(f.Instance); !ok || n.Type != "instance" {
				f.Instance = ""
			}
		}
		break
	}
	if len(f.Pages) > 0 {
		f.Page = f.Pages[f.At]
	}
	if f.Page.Path != place {
		f.Question = place
	}
	if place == "" {
		place = f.Page.Path
	}
	return f.Visit.GoTo(ctx, place)
}

// refresh reads the pages anew; the page stays the one that it was.
func (f *Filling) refresh() {
	at := f.Page.Path
	f.Pages = Pages(f.Visit)
	if len(f.Pages) == 0 {
		f.Page = Page{}
		return
	}
	for i, p := range f.Pages { // pages before it may have come or gone
		if p.Path == at {
			f.At = i
		}
	}
	f.At = min(f.At, len(f.Pages)-1)
	f.Page = f.Pages[f.At]
}

// Step goes to the page before or after; false behind the last and before the
// first. Out of an instance it goes on to the next one, and then to the cards.
func (f *Filling) Step(ctx context.Context, by int) (bool, error) {
	if f.Instance != "" {
		cards := f.Cards()
		at := slices.IndexFunc(cards, func(c Card) bool { return c.Path == f.Instance })
		if next := at + by; at >= 0 && next >= 0 && next < len(cards) {
			return true, f.GoTo(ctx, cards[next].Path)
		}
		if by < 0 {
			return true, f.GoTo(ctx, f.Page.Path)
		}
	}
	next := f.At + by
	if next < 0 || next >= len(f.Pages) {
		return false, nil
	}
	return true, f.GoTo(ctx, f.Pages[next].Path)
}

// Questions are what is drawn on the page as it stands: of a group everything, of a
// repeat what stands in the open instance.
func (f *Filling) Questions() []forms.Node {
	nodes := f.Page.Nodes
	if f.Page.Repeat {
		if f.Instance == "" {
			return nil
		}
		nodes = f.Visit.Entry.Inside(f.Instance)
	}
	return slices.DeleteFunc(slices.Clone(nodes), func(n forms.Node) bool {
		return n.Calculated && n.Type != "note" || n.Group && n.Type != "instance" && strings.TrimSpace(n.Label) == ""
	})
}

// Answer sets an answer and says what the page must show now. A number that says
// sex and birth answers those too.
func (f *Filling) Answer(ctx context.Context, path, value string) error {
	f.touched[path] = true
	n, _ := f.Visit.Entry.Node(path)
	if n.Value == value {
		return nil
	}
	if _, err := f.Visit.Set(ctx, path, value); err != nil {
		f.refresh() // the answer stands on the screen, and the screen says that it is not saved
		return err
	}
	if f.Question != path {
		f.Question = path
		if err := f.Visit.GoTo(ctx, path); err != nil {
			return err
		}
	}
	if n, ok := f.Visit.Entry.Node(path); ok && IsIdentity(f.Visit, n) {
		if err := f.session.FillFromIdentity(ctx, f.Visit, n); err != nil {
			return err
		}
	}
	f.refresh()
	return nil
}

// Confirm takes over the value of last time, by the person's own tap.
func (f *Filling) Confirm(ctx context.Context, path string) error {
	n, ok := f.Visit.Entry.Node(path)
	if !ok || n.Last == "" {
		return &visit.NoLastError{Path: path}
	}
	return f.Answer(ctx, path, n.Last)
}

// ConfirmAll takes over every value of last time on the open page or instance, and
// returns how many; it is offered, and asks before it does.
func (f *Filling) ConfirmAll(ctx context.Context) (int, error) {
	count := 0
	for again := true; again; { // one answer may bring further questions up
		again = false
		for _, n := range f.Questions() {
			if f.Unconfirmed(n) {
				if err := f.Answer(ctx, n.Path, n.Last); err != nil {
					return count, err
				}
				count, again = count+1, true
				break
			}
		}
	}
	return count, nil
}

// Unconfirmed says whether a value of last time waits to be confirmed.
func (f *Filling) Unconfirmed(n forms.Node) bool {
	_, excused := f.Visit.Excused(n.Path)
	return n.Last != "" && n.Value == "" && !n.ReadOnly && !n.Group && !excused
}

// WaitingLast counts the values of last time on the open page.
func (f *Filling) WaitingLast() (n int) {
	for _, q := range f.Questions() {
		if f.Unconfirmed(q) {
			n++
		}
	}
	return n
}

// Excuse records why a question has no answer, Unexcuse takes that back.
func (f *Filling) Excuse(ctx context.Context, path, why, reason string) error {
	if err := f.Visit.Excuse(ctx, path, why, reason); err != nil {
		return err
	}
	f.Question = path
	f.refresh()
	return f.Visit.GoTo(ctx, path)
}

// Unexcuse asks the question again.
func (f *Filling) Unexcuse(ctx context.Context, path string) error {
	err := f.Visit.Unexcuse(ctx, path)
	f.refresh()
	return err
}

// Add appends an instance and opens it; Remove takes one out.
func (f *Filling) Add(ctx context.Context, repeat string) error {
	path, err := f.Visit.Add(ctx, repeat)
	if err != nil {
		return err
	}
	if repeat == f.Page.Path {
		return f.GoTo(ctx, path)
	}
	f.refresh()
	return nil
}

// Remove takes an instance out of its repeat.
func (f *Filling) Remove(ctx context.Context, instance string) error {
	if err := f.Visit.Remove(ctx, instance); err != nil {
		return err
	}
	if strings.HasPrefix(f.Instance, instance) {
		return f.GoTo(ctx, f.Page.Path)
	}
	f.refresh()
	return nil
}

// Wrong is the message at a question, "" while there is nothing to say: what is
// wrong is said once it was touched, what is missing once somebody wanted to go on.
func (f *Filling) Wrong(n forms.Node) string {
	if _, excused := f.Visit.Excused(n.Path); n.Valid || excused || !(f.Strict || f.touched[n.Path]) {
		return ""
	}
	return f.session.Complaint(n)
}

// Complaint says what is the matter with an answer: the author's words, else ours.
func (s *Session) Complaint(n forms.Node) string {
	if n.Code == "answer.constraint" && n.Message != "" {
		return n.Message
	}
	if n.Code != "" && s.Say.Has("app."+n.Code) {
		return s.T(n.Code)
	}
	return n.Message
}

// Covered says whether the page opens on need only and was not opened yet.
func (f *Filling) Covered() bool { return f.Page.Sensitive && !f.opened[f.Page.Path] }

// Uncover opens such a page; that it was opened is noted.
func (f *Filling) Uncover(ctx context.Context) error {
	f.opened[f.Page.Path] = true
	return f.session.Note(ctx, Revealed, f.Visit.Page.Household.ID, f.Page.Path)
}

// An Open is an open problem with the way to it.
type Open struct {
	Path, Where, Label, Says string
}

// Problems lists what stands in the way of signing, each with its page, question
// and message.
func (f *Filling) Problems() []Open { return f.session.Problems(f.Visit) }

// Problems lists what stands in the way of signing a visit.
func (s *Session) Problems(v *visit.Visit) []Open {
	pages := Pages(v)
	var out []Open
	for _, p := range v.Problems() {
		n, ok := v.Entry.Node(p.Path)
		if !ok {
			continue
		}
		o := Open{Path: p.Path, Label: fallback(n), Says: s.Complaint(n)}
		for _, page := range pages {
			if !page.Holds(p.Path) {
				continue
			}
			o.Where = page.Label
			if page.Repeat {
				at := p.Path[:strings.Index(p.Path[len(page.Path):]+"]", "]")+len(page.Path)+1]
				if c, ok := s.card(v, at); ok {
					o.Where += " · " + c.Title
				}
			}
			break
		}
		out = append(out, o)
	}
	return out
}

// Left counts what is still required or wrong in the whole visit.
func (f *Filling) Left() (n int) {
	for _, p := range f.Pages {
		n += p.Missing
	}
	return n
}

// Household is whom the visit is about.
func (f *Filling) Household() uuid.UUID { return f.Visit.Page.Household.ID }
