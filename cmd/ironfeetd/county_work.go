package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/app/export"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// A folder of the county's, and who works in it.
type workFlags struct {
	DataFlag
	Division string `help:"Only this township or village (code prefix)." placeholder:"CODE"`
	By       string `help:"Who does it: a person of the county's office. The PIN is read from standard input. Otherwise the county itself is the author." placeholder:"NAME"`

	pins io.Reader // nil: standard input
}

// work opens the folder, asks who it is, and lets do work; what it did is written
// into the audit log.
func (c *workFlags) work(o *Output, do func(ctx context.Context, of *office.Office, by uuid.UUID) (act *audit.Act, err error)) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		if c.By == "" {
			return do(ctx, of, of.Replica.Identity().Node)
		}
		in := c.pins
		if in == nil {
			in = os.Stdin
		}
		person, err := signs(ctx, o, of, bufio.NewReader(io.LimitReader(in, 1024)), c.By)
		if err != nil {
			return nil, err
		}
		act, err := do(ctx, of, person.Subject)
		if act != nil {
			act.Actor, act.Role = person.Subject.String(), string(person.Role)
		}
		return act, err
	})
}

// household finds one by its id, or by a text that leads to just one.
func household(ctx context.Context, of *office.Office, text string) (uuid.UUID, error) {
	if id, err := uuid.Parse(text); err == nil {
		return id, nil
	}
	found, err := of.Replica.Find(ctx, text, 20)
	if err != nil {
		return uuid.Nil, err
	}
	if len(found) == 1 {
		return found[0].Household, nil
	}
	e := &FindError{Text: text}
	for _, f := range found {
		e.Found = append(e.Found, f.Household.String()+" "+export.MaskName(f.Label)+" "+f.Division)
	}
	return uuid.Nil, e
}

// A FindError means a text does not lead to just one household.
type FindError struct {
	Text  string
	Found []string
}

func (e *FindError) Error() string {
	if len(e.Found) == 0 {
		return fmt.Sprintf("no household is found by %q", e.Text)
	}
	return fmt.Sprintf("%q leads to %d households: %s", e.Text, len(e.Found), strings.Join(e.Found, "; "))
}

// Code is the key of the sentence.
func (e *FindError) Code() string { return "find.household" }

// named reads one entity of a kind.
func named(ctx context.Context, of *office.Office, kind store.Kind, id uuid.UUID) (*store.Entity, error) {
	e, err := of.Replica.Entity(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && e.Kind != kind {
		return nil, &FindError{Text: id.String()}
	}
	return e, err
}
