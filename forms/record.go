package forms

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// A Record is what remains of an entry: the relevant answers in document order.
type Record struct {
	Form    string   `cbor:"1,keyasint"`
	Version string   `cbor:"2,keyasint"`
	Answers []Answer `cbor:"3,keyasint"`
}

// An Answer of a record.
type Answer struct {
	_     struct{} `cbor:",toarray"`
	Path  string
	Type  string
	Value string
}

// Record returns the relevant answers, calculated ones among them.
func (e *Entry) Record() Record {
	r := Record{Form: e.form.ID(), Version: e.form.Version()}
	e.each(e.root, func(n *node) {
		f := n.field
		if f.group() || !n.relevant || f.item.Type == "note" {
			return
		}
		value := n.value
		if f.item.Type == "end" {
			value = e.metadata("end")
		}
		if value != "" {
			r.Answers = append(r.Answers, Answer{Path: n.path(), Type: f.item.Type, Value: value})
		}
	})
	return r
}

var (
	encoding, _ = cbor.CoreDetEncOptions().EncMode()
	decoding, _ = cbor.DecOptions{MaxArrayElements: 200_000, MaxNestedLevels: 8, DupMapKey: cbor.DupMapKeyEnforcedAPF}.DecMode()
)

// maxRecord bounds an encoded record.
const maxRecord = 8 << 20

// ErrRecord means bytes are not a record.
var ErrRecord = errors.New("this is not the record of a visit")

// Encode is the record as deterministic CBOR (RFC 8949 §4.2): the bytes that are
// signed.
func (r Record) Encode() []byte {
	b, err := encoding.Marshal(r)
	if err != nil {
		panic("a record is plain data: " + err.Error())
	}
	return b
}

// DecodeRecord reads what Encode wrote.
func DecodeRecord(b []byte) (Record, error) {
	var r Record
	if len(b) > maxRecord {
		return r, fmt.Errorf("%w: it is larger than %d MB", ErrRecord, maxRecord>>20)
	}
	if err := decoding.Unmarshal(b, &r); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return r, nil
}

// NameOf is the question's name in a path: /data/members[2]/age -> age.
func NameOf(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	name, _, _ = strings.Cut(name, "[")
	return name
}

// Nested is the record by name: groups are flattened, repeats are lists of
// maps, select_multiple answers lists of names. What standards and exports read.
// Of two questions of one name in one place the later is shown.
func (r Record) Nested() map[string]any {
	root := map[string]any{}
	for _, a := range r.Answers {
		at := root
		segments := strings.Split(strings.TrimPrefix(a.Path, "/"), "/")
		for i, s := range segments {
			if i == len(segments)-1 {
				break
			}
			name, index, ok := strings.Cut(s, "[")
			if !ok {
				continue
			}
			n, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
			if err != nil || n < 1 || n > MaxInstances {
				continue
			}
			list, _ := at[name].([]map[string]any)
			for len(list) < n {
				list = append(list, map[string]any{})
			}
			at[name] = list
			at = list[n-1]
		}
		name := segments[len(segments)-1]
		if a.Type == "select_multiple" || a.Type == "rank" {
			at[name] = strings.Fields(a.Value)
		} else {
			at[name] = a.Value
		}
	}
	return root
}

// Proposal is what the entry would set in the registry: every relevant answer
// with a save_to. A blank answer proposes nothing: nobody knows it to be empty.
func (e *Entry) Proposal() []Proposed {
	var out []Proposed
	e.each(e.root, func(n *node) {
		f := n.field
		if f.saveProperty == "" || f.group() || !n.relevant || n.value == "" {
			return
		}
		p := Proposed{List: f.saveList, Property: f.saveProperty, Value: n.value, Path: n.path()}
		at := e.root
		if list := n.instances(); len(list) > 0 {
			at = list[len(list)-1]
			p.EntityPath = at.path()
		}
		p.EntityID = e.entityID(f.saveList, at)
		out = append(out, p)
	})
	return out
}

// entityID is the entity's id as the entities sheet says, seen from the
// household or from one instance of a repeat.
func (e *Entry) entityID(list string, at *node) string {
	for _, d := range e.form.def.Entities {
		if d.List != list {
			continue
		}
		name, ok := strings.CutPrefix(d.ID.Text, "${")
		if !ok {
			return ""
		}
		for _, n := range e.reach(at, e.form.find(at.field, strings.TrimSuffix(name, "}"))) {
			if v := n.Text(); v != "" {
				return v
			}
		}
	}
	return ""
}
