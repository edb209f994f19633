package clerk

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/cards"
	"ironfeet/app/casework/checks"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/present"
	"ironfeet/forms"
	"ironfeet/store"
)

// A Page is one visit laid beside the registry and beside the other visits to its
// household. It belongs to one goroutine.
type Page struct {
	c      *Clerk
	Open   *review.Review
	Keep   map[string]string // lines that the reviewer keeps, with why
	Hints  []Hint
	Lines  []LineView
	Same   int // lines in which nothing changes
	Photos []Photo
	Signed []Signed
	Groups []Group
	Blank  []present.Pair // required questions that nobody could answer, and why
	Others []Other
	Map    Map
	Title  string // household
	Under  string // village, address
	When   string // from when to when, how long
	State  string
	Reason string // of the decision that stands
}

// A Hint in words.
type Hint struct {
	checks.Hint
	Text string
}

// A LineView is a difference in words.
type LineView struct {
	review.Line
	Name                   string
	Was, Now, Says, Beside string // before, in the registry, this visit, the other visit
	Keeps                  bool
	Why                    string
	Alarm                  bool // somebody else changed it meanwhile
}

// A Photo with what is known of it.
type Photo struct {
	Digest      store.Digest
	Label, When string
	Hint        string       // why to look at it
	Like        store.Digest // to compare with; zero: none
	Of          string       // whose that one is
	Signature   bool
	NoPicture   bool // a recording or a document
}

// Signed is one investigator's signature, verified.
type Signed struct {
	Name, When string
	OK         bool
	Why        string
}

// A Group of answers.
type Group struct {
	Title  string
	Lines  []present.Pair
	Office bool // not for the household's eyes
}

// An Other visit to the household.
type Other struct {
	Visit   uuid.UUID
	Text    string
	Waiting bool
}

// A Map is the places of a village's visits around this one, in metres east and
// north of it.
type Map struct {
	Known    bool
	Text     string // distances
	Points   []Point
	Accuracy int
}

// A Point of a map.
type Point struct {
	East, North int
	Kind        string // this, home (earlier visits here), other, middle
}

// Page opens a visit.
func (c *Clerk) Page(ctx context.Context, id uuid.UUID) (*Page, error) {
	open, err := c.Reviewer().Open(ctx, id)
	if err != nil {
		return nil, err
	}
	p := &Page{c: c, Open: open, Keep: map[string]string{}}
	h := open.Page.Household
	p.Title, p.Under = cmp.Or(h.Text("name"), "—"), strings.TrimSpace(c.Village(ctx, h.Division)+"　"+h.Text("address"))
	from, to := time.UnixMilli(open.Visit.Content.Started), open.Visit.EndedAt()
	p.When = c.T("visited_from_to", c.at(from, "2006-01-02 15:04"), c.at(to, "15:04"), int(to.Sub(from).Minutes()))
	p.State = c.Decision(open.State)
	if open.Decision != nil {
		p.Reason = open.Decision.Text("reason")
	}
	found, err := c.Desk.HintsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, x := range found {
		text := c.S.Say.Say(x.Code, x)
		if x.Person != uuid.Nil {
			people := []uuid.UUID{x.Person}
			if x.Partner != uuid.Nil {
				people = append(people, x.Partner)
			}
			text += "（" + c.Whos(people) + "）"
		}
		if name := c.home(x.Other); name != "" && x.Other != id {
			text += " · " + name
		}
		p.Hints = append(p.Hints, Hint{x, text})
	}
	for _, w := range open.Warnings {
		p.Hints = append(p.Hints, Hint{checks.Hint{Code: "form", Grave: true}, w.Label})
	}
	for _, w := range open.Problems {
		label := w.Path
		if n, ok := open.Entry.Node(w.Path); ok {
			label = n.Label
		}
		p.Hints = append(p.Hints, Hint{checks.Hint{Code: "form", Grave: true}, c.T("form_problem", label, w.Message)})
	}
	if n := len(open.Lost); n > 0 {
		p.Hints = append(p.Hints, Hint{checks.Hint{Code: "form", Grave: true}, c.T("form_lost", n)})
	}
	p.differences(ctx)
	p.pictures(found)
	p.signatures()
	p.answers()
	p.others(ctx)
	p.places(ctx)
	return p, nil
}

// home is the name of the household that a visit was to.
func (c *Clerk) home(visit uuid.UUID) string {
	card := c.Desk.Box.Get(visit)
	if card == nil {
		return ""
	}
	name, _, _ := c.S.Office.Replica.Label(card.Household)
	return cmp.Or(name, card.Name)
}

// differences puts every difference in words: before, now, this visit, the other.
func (p *Page) differences(ctx context.Context) {
	var beside map[string]string
	if len(p.Open.Others) > 0 {
		beside = p.c.says(ctx, p.Open.Others[0])
	}
	for _, l := range p.Open.Lines {
		other := ""
		if beside != nil {
			other = beside[l.Key()]
		}
		if l.Standing == review.Same && (other == "" || other == l.Visit) {
			p.Same++
			continue
		}
		v := LineView{Line: l, Name: l.Label, Was: p.c.Words(l.Field, l.Before), Now: p.c.Words(l.Field, l.Registry), Says: cmp.Or(l.Shown, "—"), Alarm: l.Standing == review.Diverged}
		if l.Whose != "" {
			v.Name = l.Whose + "　" + l.Label
		}
		if l.New {
			v.Now = p.c.T("new_member")
		}
		if other != "" {
			v.Beside = p.c.Words(l.Field, other)
			v.Alarm = v.Alarm || other != l.Visit
		}
		p.Lines = append(p.Lines, v)
	}
	slices.SortStableFunc(p.Lines, func(a, b LineView) int { return btoi(b.Alarm) - btoi(a.Alarm) })
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// says is what another visit would set, by line.
func (c *Clerk) says(ctx context.Context, id uuid.UUID) map[string]string {
	open, err := c.Reviewer().Open(ctx, id)
	if err != nil {
		return nil
	}
	out := map[string]string{}
	for _, l := range open.Lines {
		out[l.Key()] = l.Visit
	}
	return out
}

func (p *Page) pictures(hints []checks.Hint) {
	label := func(path string) string {
		if n, ok := p.Open.Entry.Node(path); ok {
			return n.Label
		}
		return forms.NameOf(path)
	}
	for _, x := range p.Open.Visit.Content.Photos {
		photo := Photo{Digest: x.Digest, Label: label(x.Path), When: p.c.at(time.UnixMilli(x.Taken), "15:04"), NoPicture: x.Kind != ""}
		for _, h := range hints {
			if h.Photo == x.Digest && h.Code != "" {
				photo.Hint, photo.Like, photo.Of = p.c.S.Say.Say(h.Code, h), h.Like, p.c.home(h.Other)
			}
		}
		p.Photos = append(p.Photos, photo)
	}
	if s := p.Open.Visit.Content.Signature; s.Size > 0 {
		p.Photos = append(p.Photos, Photo{Digest: s.Digest, Label: p.c.T("signature_of", cmp.Or(s.Signer, "—")), Signature: true})
	}
}

func (p *Page) signatures() {
	for _, a := range p.Open.Attested {
		s := Signed{Name: cmp.Or(a.Name, p.c.Who(a.Person)), When: p.c.at(a.At, "01-02 15:04"), OK: a.Err == nil}
		if a.Err != nil {
			s.Why, _ = p.c.S.Say.Error(a.Err)
		}
		p.Signed = append(p.Signed, s)
	}
	if s := p.Open.Visit.Content.Signature; s.Mode == visit.Refused {
		p.Signed = append(p.Signed, Signed{Name: p.c.T("household_refused"), Why: s.Reason})
	}
}

func (p *Page) answers() {
	excused := map[string]string{}
	for _, x := range p.Open.Visit.Content.Excused {
		excused[x.Path] = p.c.T("colon", p.c.S.T("excuse_"+x.Why), x.Reason)
	}
	for _, g := range p.Open.Entry.Groups() {
		group := Group{Title: g.Label, Office: strings.Contains(g.Appearance, "office-only")}
		flush := func() {
			if len(group.Lines) > 0 {
				p.Groups = append(p.Groups, group)
			}
		}
		whose := ""
		for _, n := range p.Open.Entry.Inside(g.Path) {
			switch {
			case n.Type == "instance":
				flush()
				whose = n.RepeatLabel
				group = Group{Title: g.Label + "　" + n.RepeatLabel, Office: group.Office}
			case n.Value == "" && excused[n.Path] != "":
				line := present.Pair{Label: n.Label, Value: p.c.T("excused", excused[n.Path])}
				group.Lines = append(group.Lines, line)
				p.Blank = append(p.Blank, present.Pair{Label: strings.TrimSpace(whose + "　" + n.Label), Value: excused[n.Path]})
			case n.Group || n.Repeat || n.Calculated || n.Type == "image" || n.Type == "note" || n.Value == "":
			default:
				group.Lines = append(group.Lines, present.Pair{Label: n.Label, Value: present.Words(n, n.Value)})
			}
		}
		flush()
	}
}

func (p *Page) others(ctx context.Context) {
	add := func(id uuid.UUID, waiting bool) {
		card := p.c.Desk.Box.Get(id)
		if card == nil {
			return
		}
		state, _, err := review.StateOf(ctx, p.c.S.Office.Replica, id)
		if err != nil {
			return
		}
		p.Others = append(p.Others, Other{id, p.c.T("other_line", p.c.at(card.EndedAt(), time.DateOnly), p.c.Decision(state), p.c.Whos(card.Workers)), waiting})
	}
	for _, id := range p.Open.Others {
		add(id, true)
	}
	for _, id := range p.Open.Earlier {
		add(id, false)
	}
}

// mapReach is how far a map looks, and mapMost how much it shows.
const (
	mapReach = 20_000 // metres
	mapMost  = 400
)

func (p *Page) places(ctx context.Context) {
	here := p.c.Desk.Box.Get(p.Open.Visit.ID)
	if here == nil || !here.Placed {
		p.Map.Text = p.c.T("no_place")
		return
	}
	p.Map.Known, p.Map.Accuracy = true, int(here.Accuracy)
	params, err := checks.ParamsOf(ctx, p.c.S.Office.Replica)
	if err != nil {
		params = checks.Default
	}
	look := checks.Case{Cards: p.c.Desk.Box.All(), Params: params}
	var texts []string
	if lat, lon, ok := look.Middle(here.Division); ok {
		middle := &cards.Card{Placed: true, Lat: lat, Lon: lon}
		if m, ok := checks.Metres(here, middle); ok {
			texts = append(texts, p.c.T("from_village", distance(m)))
		}
		p.Map.add(here, middle, "middle")
	}
	var last *cards.Card
	for _, o := range look.Cards {
		if o.Visit == here.Visit || !o.Placed || o.Division != here.Division {
			continue
		}
		kind := "other"
		if o.Household == here.Household {
			kind = "home"
			if o.Ended < here.Ended {
				last = o
			}
		}
		p.Map.add(here, o, kind)
	}
	if m, ok := checks.Metres(here, last); ok {
		texts = append(texts, p.c.T("from_last", distance(m)))
	}
	if here.Accuracy > 0 {
		texts = append(texts, p.c.T("accuracy", here.Accuracy))
	}
	p.Map.Points = append(p.Map.Points, Point{0, 0, "this"})
	p.Map.Text = strings.Join(texts, "　")
}

func (m *Map) add(here, o *cards.Card, kind string) {
	east, north := checks.Offset(here, o)
	if len(m.Points) < mapMost && abs(east) < mapReach && abs(north) < mapReach {
		m.Points = append(m.Points, Point{east, north, kind})
	}
}

func abs(n int) int { return max(n, -n) }

// Toggle keeps the registry's value of a line, or takes the visit's again.
func (p *Page) Toggle(i int, why string) {
	l := &p.Lines[i]
	if l.Keeps = !l.Keeps; l.Keeps {
		l.Why = why
		p.Keep[l.Key()] = why
	} else {
		delete(p.Keep, l.Key())
	}
}

// Accept takes the visit over, but for what is kept.
func (p *Page) Accept(ctx context.Context) error {
	return p.c.Reviewer().Accept(ctx, p.Open, p.Keep, "")
}

// WhyNotAccept is why the visit cannot be accepted here and now; "" if it can.
func (p *Page) WhyNotAccept() string {
	to := review.Accepted
	if p.Open.Kin && p.Open.State != review.Seconded {
		to = review.Seconded
	}
	err := review.LifeCycle.May(p.Open.State, to, p.c.S.Role)
	if err == nil && p.Open.State == review.Seconded && p.Open.First == p.c.S.Person {
		err = &review.SecondReviewerError{First: p.Open.First}
	}
	if err == nil {
		return ""
	}
	said, _ := p.c.S.Say.Error(err)
	return said
}

// ReturnReasons are what visits are returned for, in the order in which they are
// offered. Each is a code whose words are the desk's.
var ReturnReasons = []string{"photo_unclear", "photo_missing", "answer_missing", "answer_doubtful", "amount_unclear", "member_missing", "differs", "signature", "neighbour", "place"}

// A Remark is one thing to be put right: a reason from the list or words of one's
// own, and the question it is about.
type Remark struct {
	Reason string // one of ReturnReasons, "" for own words
	Path   string // of the question, "" for the whole visit
	Text   string
}

// Questions are those a remark can be about, in the order of the form, photos among
// them.
func (p *Page) Questions() []present.Pair {
	var list []present.Pair
	for _, n := range p.Open.Entry.Nodes() {
		if !n.Group && !n.Repeat && !n.Calculated && n.Relevant && n.Type != "note" && n.Type != "instance" && n.Label != "" {
			list = append(list, present.Pair{Label: n.Path, Value: n.Label})
		}
	}
	return list
}

// Return sends the visit back with remarks.
func (p *Page) Return(ctx context.Context, remarks ...Remark) error {
	var faults []review.Fault
	for _, r := range remarks {
		text := strings.TrimSpace(r.Text)
		code := ""
		if r.Reason != "" {
			code = "return." + r.Reason
			words := p.c.T("return_" + r.Reason)
			if text != "" {
				words = p.c.T("colon", words, text)
			}
			text = words
		}
		if text == "" {
			continue
		}
		if n, ok := p.Open.Entry.Node(r.Path); ok && r.Path != "" && r.Reason != "" {
			text = p.c.T("colon", n.Label, text)
		}
		faults = append(faults, review.Fault{Path: r.Path, Text: text, Code: code})
	}
	due, err := p.c.due(ctx, "correction", 10)
	if err != nil {
		return err
	}
	return p.c.Reviewer().Return(ctx, p.Open, due, faults...)
}

// AskAgain asks for a second visit by others.
func (p *Page) AskAgain(ctx context.Context, reason string) error {
	due, err := p.c.due(ctx, "correction", 10)
	if err != nil {
		return err
	}
	return p.c.Reviewer().AskAgain(ctx, p.Open, due, reason)
}

// Escalate hands the decision to the county.
func (p *Page) Escalate(ctx context.Context, reason string) error {
	return p.c.Reviewer().Escalate(ctx, p.Open, reason)
}
