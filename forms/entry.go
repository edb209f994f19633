package forms

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// MaxInstances bounds one repeat.
const MaxInstances = 2000

// maxNodes bounds an entry: repeats in repeats multiply.
const maxNodes = 100_000

// An Entry is one filling of a form. It belongs to one goroutine.
type Entry struct {
	form  *Form
	opts  Options
	root  *node
	lang  int
	env   expr.Env
	begun time.Time

	versions []uint32 // by field: counts the changes of its answers
	memos    map[memoKey]*memo
	size     int    // nodes
	seed     uint64 // of the order of randomized choices

	queue    queue
	now      task    // being worked on
	recounts int     // in the present run
	changed  []*node // since the last Set, each once
	said     []string
	faults   []fault // expressions that failed; the first of each
}

// A fault is an expression that failed while it was evaluated.
type fault struct {
	field *field
	src   xlsform.Source
	err   error
}

// A PathError means that no question stands at a path, or that it cannot be
// answered.
type PathError struct {
	Path string
	Why  string // unknown, group, calculated, read_only, too_many, counted, too_long
}

func (e *PathError) Error() string {
	switch e.Why {
	case "group":
		return e.Path + " is a group; only questions are answered"
	case "calculated":
		return e.Path + " is answered by the form itself"
	case "too_many":
		return fmt.Sprintf("%s: at most %d of these can be recorded", e.Path, MaxInstances)
	case "counted":
		return e.Path + ": how many there are follows from another answer"
	case "too_long":
		return e.Path + ": the answer is too long"
	}
	return e.Path + " is not a question of this form"
}

// Code is the key of the sentence.
func (e *PathError) Code() string { return "entry." + e.Why }

// maxAnswer bounds one answer, in bytes.
const maxAnswer = 64 << 10

// New begins an entry.
func (form *Form) New(o Options) *Entry {
	e := &Entry{form: form, opts: o}
	if o.Now == nil {
		e.opts.Now = func() time.Time { return time.Time{} }
	}
	e.begun = e.opts.Now()
	e.versions = make([]uint32, len(form.fields))
	e.env = expr.Env{
		Ref: e.ref, ChoiceLabel: e.choiceLabel, PullData: e.pullData, Property: e.property, Memo: e.memo, Nth: e.nth,
		Now: e.opts.Now, Rand: o.Rand,
		Instance: func(id string) expr.Node {
			if l := form.lists[id]; l != nil {
				return &listDoc{l}
			}
			return nil
		},
	}
	if o.Rand != nil {
		var b [8]byte
		if _, err := io.ReadFull(o.Rand, b[:]); err == nil {
			e.seed = binary.LittleEndian.Uint64(b[:])
		}
	}
	e.SetLanguage(o.Language)
	e.root = e.plant(form.root, nil)
	e.env.Root = e.root
	e.freshen(e.root)
	e.known(o.Known)
	e.run()
	e.forget()
	return e
}

// Form is the entry's form.
func (e *Entry) Form() *Form { return e.form }

func (e *Entry) ref(name string, from expr.Node) []expr.Node {
	n, ok := from.(*node)
	if !ok {
		return nil
	}
	r, ok := n.field.refs[name]
	if !ok {
		r = e.form.find(n.field, name)
	}
	found := e.reach(n, r)
	out := make([]expr.Node, len(found))
	for i, x := range found {
		out[i] = x
	}
	return out
}

func (e *Entry) choiceLabel(question expr.Node, value string) (string, bool) {
	n, ok := question.(*node)
	if !ok || n.field.list == nil {
		return "", false
	}
	return e.labelOf(n.field, value)
}

func (e *Entry) pullData(file, want, key, value string) (string, bool) {
	l := e.form.lists[file]
	if l == nil {
		return "", true // the reader has said that the file is missing
	}
	for _, n := range l.index[key][value] {
		return n.(*row).cell(want), true
	}
	return "", true
}

func (e *Entry) property(name string) string {
	switch name {
	case "deviceid", "device-info":
		return e.opts.DeviceID
	case "username":
		return e.opts.Username
	case "version":
		return e.form.Version()
	case "duration":
		return strconv.Itoa(int(e.opts.Now().Sub(e.begun) / time.Second))
	}
	return ""
}

// SetLanguage changes the language of labels, choices and messages; false when
// the form has no such language.
func (e *Entry) SetLanguage(lang string) bool {
	if lang == "" {
		return true
	}
	for i, l := range e.form.def.Languages {
		if strings.EqualFold(l.Name, lang) || l.Code != "" && strings.EqualFold(l.Code, lang) {
			e.lang = i
			return true
		}
	}
	return false
}

// Language is the name of the entry's language.
func (e *Entry) Language() string { return e.form.def.Languages[e.lang].Name }

// find follows an instance path. The root's name may be left out. make: a path
// to the instance after the last one adds it.
func (e *Entry) find(path string, grow bool) (*node, error) {
	rest := strings.Trim(path, "/")
	if r := e.root.Name(); rest == r {
		rest = ""
	} else if after, ok := strings.CutPrefix(rest, r+"/"); ok {
		if _, own := e.root.field.kidAt[r]; !own {
			rest = after
		}
	}
	n := e.root
	for rest != "" {
		var seg string
		seg, rest, _ = strings.Cut(rest, "/")
		name, index := seg, 0
		if i := strings.IndexByte(seg, '['); i > 0 && strings.HasSuffix(seg, "]") {
			v, err := strconv.Atoi(seg[i+1 : len(seg)-1])
			if err != nil || v < 1 {
				return nil, &PathError{path, "unknown"}
			}
			name, index = seg[:i], v
		}
		i, ok := n.field.kidAt[name]
		if !ok || i >= len(n.kids) {
			return nil, &PathError{path, "unknown"}
		}
		n = n.kids[i]
		if !n.field.repeat() {
			if index > 1 {
				return nil, &PathError{path, "unknown"}
			}
			continue
		}
		if index == 0 && rest == "" {
			return n, nil
		}
		index = max(index, 1)
		if grow && index == len(n.kids)+1 && n.field.count == nil {
			if err := e.add(n); err != nil {
				return nil, err
			}
		}
		if index > len(n.kids) {
			return nil, &PathError{path, "unknown"}
		}
		n = n.kids[index-1]
	}
	return n, nil
}

// Set answers a question, or clears it with "", and returns the paths of what
// changed with it: values, relevance, validity; the slice is good until the next
// change. An answer that does not fit its
// type is kept and shown as wrong. Answering in the instance after the last one
// of a repeat adds that instance.
func (e *Entry) Set(path, value string) ([]string, error) {
	e.forget()
	n, err := e.find(path, true)
	switch {
	case err != nil:
		return nil, err
	case n.field.group():
		return nil, &PathError{path, "group"}
	case n.field.calc && n.field.silent || n.field.item.Type == "note":
		return nil, &PathError{path, "calculated"}
	case len(value) > maxAnswer:
		return nil, &PathError{path, "too_long"}
	}
	if value != n.value || !n.given {
		n.value, n.given, n.fresh = value, value != "", false
		e.mark(n)
		e.touch(n)
		e.push(n, roleValid)
	}
	e.run()
	return e.paths(), nil
}

// Changed lists what the last answer, addition or removal changed, as Set does.
func (e *Entry) Changed() []string { return e.paths() }

// Add appends an instance to a repeat and returns its path.
func (e *Entry) Add(repeat string) (string, error) {
	e.forget()
	n, err := e.find(repeat, false)
	if err != nil {
		return "", err
	}
	if !n.field.repeat() || n.at > 0 {
		return "", &PathError{repeat, "unknown"}
	}
	if n.field.count != nil {
		return "", &PathError{repeat, "counted"}
	}
	if err := e.add(n); err != nil {
		return "", err
	}
	e.run()
	return n.kids[len(n.kids)-1].path(), nil
}

func (e *Entry) add(repeat *node) error {
	if len(repeat.kids) >= MaxInstances || e.size >= maxNodes {
		return &PathError{repeat.path(), "too_many"}
	}
	i := e.instance(repeat)
	e.mark(repeat)
	e.freshen(i)
	e.reshaped(repeat)
	return nil
}

// Remove takes an instance out of a repeat; the later ones move up.
func (e *Entry) Remove(instance string) error {
	e.forget()
	n, err := e.find(instance, false)
	if err != nil {
		return err
	}
	if n.at == 0 {
		return &PathError{instance, "unknown"}
	}
	repeat := n.parent
	if repeat.field.count != nil {
		return &PathError{instance, "counted"}
	}
	repeat.kids = slices.Delete(repeat.kids, n.at-1, n.at)
	e.memos = nil // what was kept for its own sake goes with it
	e.size -= n.count()
	for i, k := range repeat.kids {
		k.at = i + 1
	}
	e.mark(repeat)
	e.reshaped(repeat)
	e.run()
	return nil
}

// ConfirmLast takes over the value of last time as the answer.
func (e *Entry) ConfirmLast(path string) ([]string, error) {
	n, err := e.find(path, false)
	if err != nil {
		return nil, err
	}
	if n.last == "" {
		return nil, &PathError{path, "unknown"}
	}
	return e.Set(path, n.last)
}

// forget begins a new account of what changes.
func (e *Entry) forget() {
	for _, n := range e.changed {
		n.queued &^= marked
	}
	e.changed = e.changed[:0]
}

// paths lists what changed, in the order of the change. The slice is used again.
func (e *Entry) paths() []string {
	if len(e.changed) == 0 {
		return nil
	}
	e.said = e.said[:0]
	for _, n := range e.changed {
		e.said = append(e.said, n.path())
	}
	return e.said
}

// known fills in what is known of the household: "last time" values, the members
// as instances, and the hidden fields.
func (e *Entry) known(k *Known) {
	if k == nil {
		return
	}
	for name, value := range k.Hidden {
		for _, f := range e.form.byName[name] {
			if len(f.repeats) == 0 && !f.group() {
				for _, n := range collect(e.root, f, nil) {
					n.value, n.given, n.fresh = value, true, false
				}
			}
		}
	}
	members := e.form.memberRepeat()
	for _, f := range e.form.fields {
		if f.saveProperty == "" || len(f.repeats) > 0 {
			continue
		}
		if v := k.Values[f.saveProperty]; v != "" {
			for _, n := range collect(e.root, f, nil) {
				n.last = v
			}
		}
	}
	if members == nil {
		return
	}
	for _, repeat := range e.containers(members) {
		if len(k.Members) > 0 {
			repeat.kids = nil
		}
		for _, m := range k.Members {
			if len(repeat.kids) >= MaxInstances {
				break
			}
			i := e.instance(repeat)
			e.freshen(i)
			for _, name := range []string{"id", "name"} {
				if at, ok := members.kidAt[name]; ok && m[name] != "" {
					q := i.kids[at]
					q.value, q.given, q.fresh = m[name], true, false
				}
			}
			e.remember(i, m)
		}
	}
}

// remember puts a member's last values at the questions of an instance.
func (e *Entry) remember(instance *node, known map[string]string) {
	var visit func(n *node)
	visit = func(n *node) {
		if p := n.field.saveProperty; p != "" {
			n.last = known[p]
		}
		if n.field.repeat() && n.at == 0 {
			return
		}
		for _, k := range n.kids {
			visit(k)
		}
	}
	visit(instance)
}

// memberRepeat is the repeat whose questions save to the list of members.
func (form *Form) memberRepeat() *field {
	var first *field
	for _, f := range form.fields {
		if f.saveProperty == "" || len(f.repeats) == 0 {
			continue
		}
		if r := f.repeats[len(f.repeats)-1]; f.saveList == "member" {
			return r
		} else if first == nil {
			first = r
		}
	}
	return first
}

// containers are the repeat nodes of a repeat field.
func (e *Entry) containers(f *field) []*node {
	var out []*node
	for _, p := range collect(e.root, f.parent, nil) {
		out = append(out, p.kids[f.parent.kidAt[f.item.Name]])
	}
	return out
}

// Answers are all answers given so far, by path, irrelevant ones too, so that a
// draft comes back whole. “/data/members[]” tells how many instances a repeat
// has that grows by hand.
func (e *Entry) Answers() map[string]string {
	out := map[string]string{}
	e.each(e.root, func(n *node) {
		switch {
		case n.field.repeat() && n.at == 0:
			if n.field.count == nil {
				out[n.path()+"[]"] = strconv.Itoa(len(n.kids))
			}
		case !n.field.group() && n.given:
			out[n.path()] = n.value
		}
	})
	return out
}

// each visits every node in document order.
func (e *Entry) each(n *node, visit func(*node)) {
	visit(n)
	for _, k := range n.kids {
		e.each(k, visit)
	}
}

// Restore gives the answers of a draft again and returns the paths that the form
// no longer has, with their values untouched. A question that was renamed is
// found by its column “was”.
func (e *Entry) Restore(answers map[string]string) (lost []string) {
	paths := make([]string, 0, len(answers))
	for p := range answers {
		paths = append(paths, p)
	}
	slices.SortFunc(paths, comparePaths)
	members := e.form.memberRepeat()
	e.clearUnanswered(e.root, answers)
	for _, p := range paths {
		base, ok := strings.CutSuffix(p, "[]")
		if !ok {
			continue
		}
		count, err := strconv.Atoi(answers[p])
		n, err2 := e.find(e.renamed(base), false)
		if err != nil || err2 != nil || !n.field.repeat() || n.field.count != nil {
			if err != nil || count > 0 {
				lost = append(lost, p)
			}
			continue
		}
		for len(n.kids) > max(count, 0) {
			e.size -= n.kids[len(n.kids)-1].count()
			n.kids = n.kids[:len(n.kids)-1]
		}
		for len(n.kids) < min(count, MaxInstances) && e.size < maxNodes {
			e.freshen(e.instance(n))
		}
		e.reshaped(n)
	}
	e.run()
	// Answers that others depend on come first, or a repeat that they count
	// would not be there yet: so the answers are given until no more fit.
	for left := paths; ; {
		var again []string
		for _, p := range left {
			if strings.HasSuffix(p, "[]") {
				continue
			}
			n, err := e.find(e.renamed(p), true)
			if err != nil || n.field.group() {
				again = append(again, p)
				continue
			}
			n.value, n.given, n.fresh = answers[p], answers[p] != "", false
			e.touch(n)
			e.push(n, roleValid)
		}
		e.run()
		if len(again) == 0 || len(again) == len(left) {
			lost = append(lost, again...)
			break
		}
		left = again
	}
	if k := e.opts.Known; k != nil && members != nil {
		for _, repeat := range e.containers(members) {
			for _, i := range repeat.kids {
				known := map[string]string{}
				if at, ok := members.kidAt["id"]; ok {
					for _, m := range k.Members {
						if m["id"] != "" && m["id"] == i.kids[at].value {
							known = m
						}
					}
				}
				e.remember(i, known)
			}
		}
	}
	e.forget()
	return lost
}

// clearUnanswered takes the first instance away from every repeat of which the
// answers say nothing: they are the whole picture.
func (e *Entry) clearUnanswered(n *node, answers map[string]string) {
	if n.field.repeat() && n.at == 0 && n.field.count == nil {
		path := n.path()
		said := false
		for p := range answers {
			said = said || strings.HasPrefix(e.renamed(p), path+"[")
		}
		if !said {
			n.kids = nil
			e.reshaped(n)
			return
		}
	}
	for _, k := range n.kids {
		e.clearUnanswered(k, answers)
	}
}

// comparePaths puts /m[2] before /m[10].
func comparePaths(a, b string) int {
	for a != "" && b != "" {
		x, restA, _ := strings.Cut(a, "[")
		y, restB, _ := strings.Cut(b, "[")
		if x != y {
			return strings.Compare(x, y)
		}
		i, tailA, _ := strings.Cut(restA, "]")
		j, tailB, _ := strings.Cut(restB, "]")
		m, _ := strconv.Atoi(i)
		n, _ := strconv.Atoi(j)
		if m != n {
			return m - n
		}
		a, b = tailA, tailB
	}
	return len(a) - len(b)
}

// renamed follows the column “was” of a newer form: the last segment of the path
// may be the name a question had before.
func (e *Entry) renamed(path string) string {
	i := strings.LastIndexByte(path, '/')
	name := path[i+1:]
	if len(e.form.byName[name]) > 0 {
		return path
	}
	for _, f := range e.form.fields {
		for _, was := range strings.Fields(f.item.Was) {
			if was == name {
				return path[:i+1] + f.item.Name
			}
		}
	}
	return path
}

// errNotNumber is the reason inside a fault of a repeat's count.
var errNotNumber = errors.New("the number of repetitions is not a number")

// errTooMany is the reason inside a fault of a count that goes beyond all bounds.
var errTooMany = fmt.Errorf("the repetitions hold more than %d questions in all", maxNodes)

// errRestless is the reason inside a fault of what does not come to rest.
var errRestless = errors.New("it does not come to rest: it depends on itself")
