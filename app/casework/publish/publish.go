// Package publish puts forms and standards before everybody: read, checked as a
// whole, and only then written as a change. A workbook with one error is not
// published at all.
package publish

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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

// Form publishes a form workbook for a county. It returns the warnings too.
func Form(ctx context.Context, r *store.Replica, author uuid.UUID, file string, data []byte) (*forms.Form, xlsform.Report, error) {
	if len(data) > MaxWorkbook {
		return nil, xlsform.Report{}, &TooLargeError{file, len(data), MaxWorkbook}
	}
	f, report := forms.Open(filepath.Base(file), data)
	if f == nil || len(report.Errors) > 0 {
		return nil, report, &FaultyError{file, report}
	}
	_, err := r.Write(ctx, author, store.Edit{
		Kind: store.Form, Division: county(r), Entity: uuid.NewSHA1(r.Identity().Node, []byte("form/"+f.ID()+"/"+f.Version())),
		Fields: map[string]store.Value{
			"form_id": store.Text(f.ID()), "version": store.Text(f.Version()), "title": store.Text(f.Title("")),
			"name": store.Text(filepath.Base(file)), "workbook": store.Bytes(data),
		},
	})
	return f, report, err
}

// Standards publishes a standards workbook for a county.
func Standards(ctx context.Context, r *store.Replica, author uuid.UUID, file string, data []byte) (*standards.RuleSet, xlsform.Report, error) {
	if len(data) > MaxWorkbook {
		return nil, xlsform.Report{}, &TooLargeError{file, len(data), MaxWorkbook}
	}
	rs, report := standards.Read(filepath.Base(file), data)
	if rs == nil || len(report.Errors) > 0 {
		return nil, report, &FaultyError{file, report}
	}
	_, err := r.Write(ctx, author, store.Edit{
		Kind: store.Standards, Division: county(r), Entity: uuid.NewSHA1(r.Identity().Node, []byte("standards/"+rs.Version)),
		Fields: map[string]store.Value{
			"version": store.Text(rs.Version), "valid_from": store.Text(rs.ValidFrom), "valid_to": store.Text(rs.ValidTo),
			"name": store.Text(filepath.Base(file)), "workbook": store.Bytes(data),
		},
	})
	return rs, report, err
}

// county is the division of everything that concerns all villages.
func county(r *store.Replica) string {
	d := r.Identity().Division
	return d[:min(len(d), 6)]
}

// ErrNoForm means that no such form has been published, or has not arrived yet.
var ErrNoForm = errors.New("the form is not here: it has not been published, or has not arrived yet")

// ErrNoStandards means that no standards are in force on that day.
var ErrNoStandards = errors.New("no standards are in force on that day")

// A Shelf keeps compiled forms, since a form is immutable and opening one costs
// more than filling it.
type Shelf struct {
	mu     sync.Mutex
	opened map[string]*forms.Form
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
	f, report := forms.Open(best.Text("name"), best.Fields["workbook"].Bytes())
	if f == nil {
		return nil, &FaultyError{best.Text("name"), report}
	}
	if s.opened == nil {
		s.opened = map[string]*forms.Form{}
	}
	s.opened[key] = f
	return f, nil
}

// InForce returns the rule set in force on a day (YYYY-MM-DD): of several, the
// one that begins last.
func InForce(ctx context.Context, r *store.Replica, day string) (*standards.RuleSet, error) {
	list, err := r.Entities(ctx, store.Query{Kind: store.Standards})
	if err != nil {
		return nil, err
	}
	var best *store.Entity
	for _, e := range list {
		if e.Text("valid_from") > day || e.Text("valid_to") != "" && e.Text("valid_to") < day {
			continue
		}
		if best == nil || e.Text("valid_from") > best.Text("valid_from") {
			best = e
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%s: %w", day, ErrNoStandards)
	}
	rs, report := standards.Read(best.Text("name"), best.Fields["workbook"].Bytes())
	if rs == nil {
		return nil, &FaultyError{best.Text("name"), report}
	}
	return rs, nil
}
