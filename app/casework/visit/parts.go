package visit

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"ironfeet/forms"
	"ironfeet/store"
)

// What is protected within a visit is signed apart, so that a visit can be proved
// to somebody who may not read all of it.
const (
	Neighbours = "neighbours" // what neighbours said, and who they are: in no export at all (domain.md §1)
	Children   = "children"   // what concerns minors: only with the child-data approver's consent (未成年人网络保护条例 Art. 36)
)

// kinds in the order in which parts stand.
var kinds = []string{Neighbours, Children}

// Protected is what an answer is protected as by its path: Neighbours, Children or "".
func Protected(path string) string {
	kind := ""
	for segment := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		segment, _, _ = strings.Cut(segment, "[")
		switch {
		case strings.HasPrefix(segment, "neighbour"), strings.HasPrefix(segment, "nb_"):
			return Neighbours
		case segment == "children", strings.HasPrefix(segment, "child_"):
			kind = Children
		}
		switch segment {
		case "father", "mother", "father_since", "mother_since", "vaccinated", "hukou", "safety_sign":
			kind = Children
		}
	}
	return kind
}

// A Cover stands in the content for a part that is signed apart.
type Cover struct {
	_      struct{} `cbor:",toarray"`
	Kind   string
	Digest store.Digest // SHA-256 of the part's bytes
}

// A Part holds the answers of one kind. The salt keeps anybody who has the digest
// alone from trying out what was answered.
type Part struct {
	Kind    string         `cbor:"1,keyasint"`
	Salt    []byte         `cbor:"2,keyasint"` // 16 random bytes
	Answers []forms.Answer `cbor:"3,keyasint"`
	Places  []uint         `cbor:"4,keyasint"` // where they stand in the whole record: first place, how many, and so on
}

// place notes where the next answer stands.
func (p *Part) place(at uint) {
	if n := len(p.Places); n > 0 && p.Places[n-2]+p.Places[n-1] == at {
		p.Places[n-1]++
		return
	}
	p.Places = append(p.Places, at, 1)
}

// placed gives the answers by their places; false where the two do not fit.
func (p *Part) placed(at map[uint]forms.Answer) bool {
	left := p.Answers
	for i := 0; i+1 < len(p.Places); i += 2 {
		first, n := p.Places[i], p.Places[i+1]
		if n > uint(len(left)) || first > first+n {
			return false
		}
		for k := range n {
			if _, taken := at[first+k]; taken {
				return false
			}
			at[first+k] = left[k]
		}
		left = left[n:]
	}
	return len(left) == 0 && len(p.Places)%2 == 0
}

// split takes what is protected out of a record: what stays, and the parts,
// encoded, with their covers.
func split(whole forms.Record, day time.Time, random io.Reader) (open forms.Record, covers []Cover, parts [][]byte, err error) {
	young := minors(whole, day)
	taken := map[string]*Part{Neighbours: {Kind: Neighbours}, Children: {Kind: Children}}
	open = forms.Record{Form: whole.Form, Version: whole.Version}
	for i, a := range whole.Answers {
		kind := Protected(a.Path)
		if kind == "" && young[instance(a.Path)] {
			kind = Children
		}
		if kind == "" {
			open.Answers = append(open.Answers, a)
			continue
		}
		taken[kind].Answers = append(taken[kind].Answers, a)
		taken[kind].place(uint(i))
	}
	for _, kind := range kinds {
		p := taken[kind]
		if len(p.Answers) == 0 {
			continue
		}
		p.Salt = make([]byte, 16)
		if _, err := io.ReadFull(random, p.Salt); err != nil {
			return open, nil, nil, fmt.Errorf("salt a part of the visit: %w", err)
		}
		b, err := encode.Marshal(p)
		if err != nil {
			panic("a part is plain data: " + err.Error())
		}
		covers = append(covers, Cover{Kind: kind, Digest: sha256.Sum256(b)})
		parts = append(parts, b)
	}
	return open, covers, parts, nil
}

// Join puts the parts that are at hand back into a content's record. A part that
// the content does not name is refused; the kinds that are named and not at hand are
// returned.
func (c *Content) Join(parts [][]byte) (whole forms.Record, withheld []string, err error) {
	if whole, err = forms.DecodeRecord(c.Record); err != nil {
		return whole, nil, err
	}
	at := map[uint]forms.Answer{}
	here := map[store.Digest]bool{}
	for _, b := range parts {
		var p Part
		if err := decode.Unmarshal(b, &p); err != nil {
			return whole, nil, fmt.Errorf("a part: %w", err)
		}
		if kind := c.KindOf(b); kind == "" || kind != p.Kind {
			return whole, nil, fmt.Errorf("the part %q is not one of those that were signed", p.Kind)
		}
		here[sha256.Sum256(b)] = true
		if !p.placed(at) {
			return whole, nil, fmt.Errorf("the part %q does not say where its answers stand", p.Kind)
		}
	}
	for _, cover := range c.Covers {
		if !here[cover.Digest] {
			withheld = append(withheld, cover.Kind)
		}
	}
	open, all := whole.Answers, len(whole.Answers)+len(at)
	whole.Answers = make([]forms.Answer, 0, all)
	for i := uint(0); len(whole.Answers) < all; i++ {
		if a, ok := at[i]; ok {
			whole.Answers = append(whole.Answers, a)
			delete(at, i)
			continue
		}
		if len(open) > 0 {
			whole.Answers, open = append(whole.Answers, open[0]), open[1:]
			continue
		}
		if len(withheld) == 0 {
			return whole, nil, fmt.Errorf("answers of a part stand outside the record")
		}
		// What a withheld part leaves is no gap to be filled: the rest keeps its order.
		i = least(at) - 1
	}
	return whole, withheld, nil
}

func least(at map[uint]forms.Answer) uint { return slices.Min(slices.Collect(maps.Keys(at))) }

// KindOf is what a part is protected as, by the content that names it; "" if it does
// not.
func (c *Content) KindOf(part []byte) string {
	d := store.Digest(sha256.Sum256(part))
	for _, cover := range c.Covers {
		if cover.Digest == d {
			return cover.Kind
		}
	}
	return ""
}

// minors are the instances of repeats that are about somebody under eighteen by
// the date of birth answered in them.
func minors(r forms.Record, day time.Time) map[string]bool {
	young := map[string]bool{}
	for _, a := range r.Answers {
		if at := instance(a.Path); at != "" && forms.NameOf(a.Path) == "birth" && Minor(a.Value, day) {
			young[at] = true
		}
	}
	return young
}

// instance is the path of the repeat's instance an answer stands in: up to the first
// number in brackets, "" outside of repeats.
func instance(path string) string {
	if i := strings.IndexByte(path, ']'); i > 0 {
		return path[:i+1]
	}
	return ""
}

// Minor says whether somebody born on this date is under eighteen on a day; an
// unreadable date may be a child's.
func Minor(birth string, day time.Time) bool {
	at, err := time.Parse(time.DateOnly, birth)
	return err != nil || at.AddDate(18, 0, 0).After(day)
}
