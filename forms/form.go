// Package forms fills forms: a Form is compiled once from its workbook and never
// changes; an Entry is one filling of it.
//
// Set answers one question and returns what changed with it: values, relevance
// and validity, worked out along the dependency graph, so that an answer costs
// what depends on it and not the size of the form. What becomes irrelevant counts
// as blank, keeps its value for undo, and is left out of the Record. What is known
// from before (Known) is shown as "last time" and never taken for an answer.
//
// The language of expressions and its semantics are those of package expr. This
// package knows neither storage nor screens.
package forms

import (
	"io"
	"io/fs"
	"time"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// A Form is compiled and immutable; any number of entries may share it.
type Form struct {
	def    *xlsform.Definition
	root   *field
	fields []*field
	byName map[string][]*field
	cells  []cell // by field index and role
	lists  map[string]*list
	folds  map[*expr.Call]fold
}

// Open reads a form (.xlsx, .md) and compiles it. Files it names are looked for
// in the folders given. The form is nil when the report has errors.
func Open(name string, data []byte, beside ...fs.FS) (*Form, xlsform.Report) {
	def, report := xlsform.ReadFile(name, data, beside...)
	if def == nil {
		return nil, report
	}
	form, more := Compile(def)
	report.Merge(more)
	report.Sort()
	if !report.OK() {
		return nil, report
	}
	return form, report
}

// Compile checks every expression of a definition and works out what depends on
// what. The form is nil when there are errors.
func Compile(def *xlsform.Definition) (*Form, xlsform.Report) {
	c := &compiler{form: &Form{def: def, byName: map[string][]*field{}, lists: map[string]*list{}, folds: map[*expr.Call]fold{}}}
	c.build(def.Root, nil)
	c.form.root = c.form.fields[0]
	for _, f := range c.form.fields {
		c.expressions(f)
	}
	for _, name := range c.form.instanceNames() {
		c.form.list(name) // all of them now: a Form does not change after this
	}
	c.instanceName()
	c.order()
	if !c.report.OK() {
		return nil, c.report
	}
	c.dryRun()
	if !c.report.OK() {
		return nil, c.report
	}
	return c.form, c.report
}

// ID is the form_id.
func (f *Form) ID() string { return f.def.Settings.ID }

// Version is the form's version, "" if its author gave none.
func (f *Form) Version() string { return f.def.Settings.Version }

// Title is the form's title; a form has one, whatever the language.
func (f *Form) Title(string) string { return f.def.Settings.Title }

// Languages are the names of the form's languages, the default first.
func (f *Form) Languages() []string {
	names := make([]string, len(f.def.Languages))
	for i, l := range f.def.Languages {
		names[i] = l.Name
	}
	return names
}

// DefaultLanguage is the name of the language an entry begins in.
func (f *Form) DefaultLanguage() string { return f.def.Languages[0].Name }

// Questions counts what a person can be asked: everything but groups, notes and
// what the form or the device answers itself.
func (f *Form) Questions() int {
	n := 0
	for _, x := range f.fields {
		if x.item.Kind == xlsform.Question && !x.silent && x.item.Type != "note" {
			n++
		}
	}
	return n
}

// Saved says under which registry property each question's answer is saved
// (save_to): question name -> property.
func (f *Form) Saved() map[string]string {
	out := map[string]string{}
	for _, x := range f.fields {
		if x.saveProperty != "" {
			out[x.item.Name] = x.saveProperty
		}
	}
	return out
}

// Options of a new entry.
type Options struct {
	Now      func() time.Time // nil: the zero time
	Rand     io.Reader        // nil: random() and uuid() repeat
	Language string           // name or code; "": the form's default
	Username string
	DeviceID string
	Known    *Known
}

// Known is what is known of the household before the visit.
type Known struct {
	Values  map[string]string   // entity property → value, for save_to questions of the household
	Members []map[string]string // one per known member, by property, "id" included
	Hidden  map[string]string   // fields set silently by question name: task_id, hh_id
}
