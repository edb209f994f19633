// Package publish puts forms and standards before everybody: read, checked as a
// whole, and only then written as a change. A workbook with one error is not
// published at all.
package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"github.com/google/uuid"

	"ironfeet/forms"
	"ironfeet/forms/standards"
	"ironfeet/forms/xlsform"
	"ironfeet/store"
)

// MaxWorkbook bounds a workbook that is published: it travels to every tablet.
const MaxWorkbook = 4 << 20

// A FaultyError means the workbook was not published because of its errors.
type FaultyError struct {
	File   string
	Report xlsform.Report
}

func (e *FaultyError) Error() string {
	return fmt.Sprintf("%s has %d errors and was not published", e.File, len(e.Report.Errors))
}

// Code is the key of the sentence.
func (e *FaultyError) Code() string { return "publish.faulty" }

// A TooLargeError means a workbook is larger than a tablet should be sent.
type TooLargeError struct {
	File       string
	Size, Most int
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s is %d bytes; at most %d can be published", e.File, e.Size, e.Most)
}

// Code is the key of the sentence.
func (e *TooLargeError) Code() string { return "publish.too_large" }

// Form publishes a form workbook for a county. It returns the warnings too. What lies
// beside the workbook and is named by it, lists as well as pictures and sounds, goes
// with it.
func Form(ctx context.Context, r *store.Replica, author uuid.UUID, file string, data []byte, beside ...fs.FS) (*forms.Form, xlsform.Report, error) {
	if len(data) > MaxWorkbook {
		return nil, xlsform.Report{}, &TooLargeError{file, len(data), MaxWorkbook}
	}
	f, report := forms.Open(filepath.Base(file), data, beside...)
	if f == nil || len(report.Errors) > 0 {
		return nil, report, &FaultyError{file, report}
	}
	along, err := gather(f, &report, beside)
	if err != nil {
		return nil, report, err
	}
	edit := store.Edit{
		Kind: store.Form, Division: county(r), Entity: uuid.NewSHA1(r.Identity().Node, []byte("form/"+f.ID()+"/"+f.Version())),
		Fields: map[string]store.Value{
			"form_id": store.Text(f.ID()), "version": store.Text(f.Version()), "title": store.Text(f.Title("")),
			"name": store.Text(filepath.Base(file)), "workbook": store.Bytes(data),
		},
	}
	if err := along.into(ctx, r, &edit); err != nil {
		return nil, report, err
	}
	_, err = r.Write(ctx, author, edit)
	return f, report, err
}

// An OverlapError means two rule sets would be in force on one day, so that nobody
// could say by which a household was decided.
type OverlapError struct {
	Version, From, To string // what was to be published
	Other, Since      string // what stands there
	Until             string
}

func (e *OverlapError) Error() string {
	return fmt.Sprintf("standards %s (%s to %s) overlap with %s (%s to %s)", e.Version, e.From, e.To, e.Other, e.Since, e.Until)
}

// Code is the key of the sentence.
func (e *OverlapError) Code() string { return "publish.overlap" }

// A VersionError means a version is published already, with other contents: what
// was decided by it must stay explainable.
type VersionError struct{ Version string }

func (e *VersionError) Error() string {
	return fmt.Sprintf("standards %s are published already, with other contents", e.Version)
}

// Code is the key of the sentence.
func (e *VersionError) Code() string { return "publish.version" }

// Standards publishes a standards workbook for a county. The same workbook again
// changes nothing. Versions stand side by side, each with its days: one without an
// end holds until the next begins; two that both name a day are refused.
func Standards(ctx context.Context, r *store.Replica, author uuid.UUID, file string, data []byte) (*standards.RuleSet, xlsform.Report, error) {
	if len(data) > MaxWorkbook {
		return nil, xlsform.Report{}, &TooLargeError{file, len(data), MaxWorkbook}
	}
	rs, report := standards.Read(filepath.Base(file), data)
	if rs == nil || len(report.Errors) > 0 {
		return nil, report, &FaultyError{file, report}
	}
	published, err := Versions(ctx, r)
	if err != nil {
		return nil, report, err
	}
	for _, v := range published {
		if v.Version == rs.Version {
			if bytes.Equal(v.workbook, data) {
				return rs, report, nil
			}
			return nil, report, &VersionError{rs.Version}
		}
		if overlap(rs.ValidFrom, rs.ValidTo, v.ValidFrom, v.ValidTo) {
			return nil, report, &OverlapError{rs.Version, rs.ValidFrom, rs.ValidTo, v.Version, v.ValidFrom, v.ValidTo}
		}
	}
	_, err = r.Write(ctx, author, store.Edit{
		Kind: store.Standards, Division: county(r), Entity: uuid.NewSHA1(r.Identity().Node, []byte("standards/"+rs.Version)),
		Fields: map[string]store.Value{
			"version": store.Text(rs.Version), "valid_from": store.Text(rs.ValidFrom), "valid_to": store.Text(rs.ValidTo),
			"name": store.Text(filepath.Base(file)), "workbook": store.Bytes(data),
		},
	})
	return rs, report, err
}

// overlap says whether two periods name a day both. An open end gives way to what
// begins later.
func overlap(from, to, otherFrom, otherTo string) bool {
	if from > otherFrom {
		from, to, otherFrom, otherTo = otherFrom, otherTo, from, to
	}
	return from == otherFrom || to != "" && to >= otherFrom
}

// A Version is one published rule set.
type Version struct {
	Version, ValidFrom, ValidTo string
	Name                        string // of its file
	workbook                    []byte
}

// Versions lists what is published, by the day from which it holds.
func Versions(ctx context.Context, r *store.Replica) ([]Version, error) {
	list, err := r.Entities(ctx, store.Query{Kind: store.Standards})
	if err != nil {
		return nil, err
	}
	out := make([]Version, 0, len(list))
	for _, e := range list {
		out = append(out, Version{e.Text("version"), e.Text("valid_from"), e.Text("valid_to"), e.Text("name"), e.Fields["workbook"].Bytes()})
	}
	slices.SortFunc(out, func(a, b Version) int {
		return cmp.Or(cmp.Compare(a.ValidFrom, b.ValidFrom), cmp.Compare(a.Version, b.Version))
	})
	return out, nil
}

// Open reads the rule set.
func (v Version) Open() (*standards.RuleSet, error) {
	rs, report := standards.Read(v.Name, v.workbook)
	if rs == nil {
		return nil, &FaultyError{v.Name, report}
	}
	return rs, nil
}

// county is the division of everything that concerns all villages.
func county(r *store.Replica) string {
	d := r.Identity().Division
	return d[:min(len(d), 6)]
}

// ErrNoForm means that no such form has been published, or has not arrived yet.
var ErrNoForm error = coded{errors.New("the form is not here: it has not been published, or has not arrived yet"), "publish.no_form"}

// ErrNoStandards means that no standards are in force on that day.
var ErrNoStandards error = coded{errors.New("no standards are in force on that day"), "publish.no_standards"}

type coded struct {
	error
	code string
}

func (e coded) Code() string { return e.code }

// A NewerError means that a form was published by a newer program and this one cannot
// open it. What was filled with it, and what others fill, is kept and passed on as it
// is.
type NewerError struct {
	Title, Version string
	Report         xlsform.Report
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("form %s %s cannot be opened by this program: %d things in it are not known here", e.Title, e.Version, len(e.Report.Errors))
}

// Code is the key of the sentence.
func (e *NewerError) Code() string { return "publish.newer" }

// A Shelf keeps compiled forms, since a form is immutable and opening one costs
// more than filling it.
type Shelf struct {
	mu     sync.Mutex
	opened map[string]*forms.Form
	beside map[*forms.Form]map[string]store.Digest
}

// Form returns a published form; version "" means the newest.
func (s *Shelf) Form(ctx context.Context, r *store.Replica, id, version string) (*forms.Form, error) {
	list, err := r.Entities(ctx, store.Query{Kind: store.Form})
	if err != nil {
		return nil, err
	}
	var best *store.Entity
	for _, e := range list {
		if e.Text("form_id") != id || version != "" && e.Text("version") != version {
			continue
		}
		if best == nil || e.Text("version") > best.Text("version") {
			best = e
		}
	}
	if best == nil {
		return nil, fmt.Errorf("form %s %s: %w", id, version, ErrNoForm)
	}
	key := best.ID.String() + best.Text("version")
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.opened[key]; f != nil {
		return f, nil
	}
	along := alongside(best)
	fsys, err := listsOf(ctx, r, along)
	if err != nil {
		return nil, fmt.Errorf("form %s %s: %w", id, version, err)
	}
	f, report := forms.Open(best.Text("name"), best.Fields["workbook"].Bytes(), fsys)
	if f == nil { // it was sound where it was published
		return nil, &NewerError{cmp.Or(best.Text("title"), id), best.Text("version"), report}
	}
	if s.opened == nil {
		s.opened, s.beside = map[string]*forms.Form{}, map[*forms.Form]map[string]store.Digest{}
	}
	s.opened[key], s.beside[f] = f, along
	return f, nil
}

// InForce returns the rule set in force on a day (YYYY-MM-DD): of several, the
// one that begins last.
func InForce(ctx context.Context, r *store.Replica, day string) (*standards.RuleSet, error) {
	list, err := Versions(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, v := range slices.Backward(list) {
		if v.ValidFrom <= day && (v.ValidTo == "" || v.ValidTo >= day) {
			return v.Open()
		}
	}
	return nil, fmt.Errorf("%s: %w", day, ErrNoStandards)
}
