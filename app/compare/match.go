package compare

import (
	"cmp"
	"context"
	"iter"
	"slices"
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
	LevelE Level = "E" // no number: name, birth and village
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
	Entry  *Entry
	Person Person
	Level  Level
	Twice  bool // another person of the registry has the number too
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

// A registry is everybody who may be meant, found by number.
type registry struct {
	chunks [][]Person // in pieces: one that grows is there twice while it does
	n      int32
	first  map[uint64]int32 // by the first 17 digits: the check character follows from them
	next   map[int32]int32  // another person of the same number
	sorted []int32          // by number, made when a damaged one comes
	byName map[string][]int32
}

func newRegistry(people iter.Seq2[Person, error]) (*registry, error) {
	g := &registry{first: map[uint64]int32{}, next: map[int32]int32{}}
	for p, err := range people {
		if err != nil {
			return nil, err
		}
		k, ok := key17(p.Number)
		if !ok {
			continue
		}
		i := g.n
		if i%chunk == 0 {
			g.chunks = append(g.chunks, make([]Person, 0, chunk))
		}
		last := &g.chunks[len(g.chunks)-1]
		*last = append(*last, p)
		g.n++
		if old, ok := g.first[k]; ok {
			g.next[i] = old
		}
		g.first[k] = i
	}
	return g, nil
}

const chunk = 4096

func (g *registry) person(i int32) *Person { return &g.chunks[i/chunk][i%chunk] }

// key17 is the first 17 digits of an 18-character number.
func key17(s string) (uint64, bool) {
	if len(s) != 18 {
		return 0, false
	}
	var k uint64
	for i := range 17 {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		k = k*10 + uint64(c)
	}
	return k, true
}

// find returns the people with a well-formed number.
func (g *registry) find(number string, buf []int32) []int32 {
	k, ok := key17(number)
	if !ok {
		return buf[:0]
	}
	buf = buf[:0]
	i, ok := g.first[k]
	if !ok || g.person(i).Number[17] != number[17] {
		return buf
	}
	for ok {
		buf = append(buf, i)
		i, ok = g.next[i]
	}
	return buf
}

// A matcher lays rows beside the registry, one by one.
type matcher struct {
	g     *registry
	today time.Time
	place func(Person) string
	buf   []int32
}

// match says what a row is about: a match, or nil with the row's number parsed. A
// row that cannot be compared at all is rejected.
func (m *matcher) match(e *Entry) (match Match, ok bool, rejected *Rejected) {
	if e.ID.Class == "unread" {
		// The usual row: eighteen plain characters of somebody we know. That the
		// registry has it says that it is well formed.
		m.buf = m.g.find(e.RawID, m.buf)
		if len(m.buf) > 0 {
			e.ID = idnumber.Number{Text: e.RawID, Class: idnumber.Valid}
			if !strings.HasSuffix(e.RawID, "000") {
				return m.best(e), true, nil
			}
		}
		e.ID = idnumber.Parse(e.RawID, m.today)
	}
	if !e.ID.Key() {
		return Match{}, false, m.reject(e)
	}
	m.buf = m.g.find(e.ID.Text, m.buf)
	if len(m.buf) == 0 {
		return Match{}, false, nil
	}
	best := m.best(e)
	if e.ID.Class == idnumber.Old {
		if best.Level != LevelA { // an old number under another name is nobody we know
			return Match{}, false, nil
		}
		best.Level = LevelC
	}
	return best, true, nil
}

func (m *matcher) best(e *Entry) Match {
	best := Match{Entry: e, Person: *m.g.person(m.buf[len(m.buf)-1]), Level: LevelB, Twice: len(m.buf) > 1}
	for i := len(m.buf) - 1; i >= 0; i-- {
		if p := m.g.person(m.buf[i]); sameName(e.Name, p.Name) {
			best.Person, best.Level = *p, LevelA
			break
		}
	}
	return best
}

// reject says why a row cannot be compared, and who may be meant by it.
func (m *matcher) reject(e *Entry) *Rejected {
	out := &Rejected{Sheet: e.Sheet, Row: e.Row, Why: "id." + string(e.ID.Class), Got: strings.Clone(e.RawID), Name: strings.Clone(e.Name)}
	// What a spreadsheet damaged keeps its first fifteen digits: with the same name
	// that is a hint for a person, never a match.
	if prefix := idnumber.FromNumber(e.RawID, time.Time{}).Prefix(); prefix != "" {
		for _, i := range m.g.prefix(prefix) {
			if sameName(e.Name, m.g.person(i).Name) {
				out.Level, out.Candidate = LevelD, m.g.person(i).ID.String()
				return out
			}
		}
	}
	if e.ID.Class == idnumber.Empty && e.Birth != "" && e.Village != "" && e.Name != "" && m.place != nil {
		for _, i := range m.g.named(e.Name) {
			p := m.g.person(i)
			if p.Number[6:14] == strings.ReplaceAll(e.Birth, "-", "") && samePlace(m.place(*p), e.Village) {
				out.Level, out.Candidate = LevelE, p.ID.String()
				return out
			}
		}
	}
	return out
}

// prefix returns the people whose numbers begin so.
func (g *registry) prefix(prefix string) []int32 {
	if g.sorted == nil {
		g.sorted = make([]int32, g.n)
		for i := range g.sorted {
			g.sorted[i] = int32(i)
		}
		slices.SortFunc(g.sorted, func(a, b int32) int { return cmp.Compare(g.person(a).Number, g.person(b).Number) })
	}
	from, _ := slices.BinarySearchFunc(g.sorted, prefix, func(i int32, p string) int { return cmp.Compare(g.person(i).Number[:len(p)], p) })
	to := from
	for to < len(g.sorted) && strings.HasPrefix(g.person(g.sorted[to]).Number, prefix) {
		to++
	}
	return g.sorted[from:to]
}

func (g *registry) named(name string) []int32 {
	if g.byName == nil {
		g.byName = map[string][]int32{}
		for i := range g.n {
			n := plainName(g.person(i).Name)
			g.byName[n] = append(g.byName[n], i)
		}
	}
	return g.byName[plainName(name)]
}

// samePlace says whether a list's village or address and a household's overlap:
// 上岭村 and 云栖镇上岭村3组.
func samePlace(ours, theirs string) bool {
	theirs = plainName(theirs)
	for part := range strings.FieldsSeq(ours) {
		part = plainName(part)
		if part != "" && (strings.Contains(theirs, part) || strings.Contains(part, theirs)) {
			return true
		}
	}
	return false
}

// sameName compares names without spaces and with one form of the middle dot. An
// absent name agrees with none.
func sameName(a, b string) bool {
	if a == b {
		return a != ""
	}
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
