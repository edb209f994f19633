package present

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"ironfeet/store/vault"
)

// Labels are what fields, questions and codes are called, for whoever needs many of
// them.
type Labels struct{ of labels }

// Labels reads the published forms once.
func (s *Session) Labels(ctx context.Context) *Labels { return &Labels{s.labels(ctx)} }

// Label is what a registry field or question is called.
func (l *Labels) Label(name string) string { return l.of.label(name) }

// Value is a field's value in words.
func (l *Labels) Value(name, value string) string { return l.of.value(name, value) }

// Who says who a person is, by name.
func (s *Session) Who(ctx context.Context, person uuid.UUID) string {
	if roll, err := s.Office.Roll(ctx); err == nil {
		for _, c := range roll.Person(person) {
			return c.Name
		}
	}
	return person.String()[:8]
}

// NotEnrolled says whether an error means that a folder holds nothing yet.
func NotEnrolled(err error) bool { return errors.Is(err, vault.ErrNoVault) }
