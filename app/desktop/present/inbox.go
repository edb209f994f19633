package present

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"ironfeet/app/casework/review"
	"ironfeet/store"
	"ironfeet/store/vault"
)

// A Letter is a line of the township's inbox.
type Letter struct {
	review.Waiting
	Village, Result string
	Days            int
	Dated           bool
}

// Inbox reads the visits that wait for a decision.
func (s *Session) Inbox(ctx context.Context) ([]Letter, error) {
	list, err := review.Inbox(ctx, s.Office.Replica, s.Office.Replica.Identity().Division)
	if err != nil {
		return nil, err
	}
	labels := s.labels(ctx)
	out := make([]Letter, len(list))
	for i, w := range list {
		out[i] = Letter{Waiting: w, Village: s.village(ctx, w.Division, w.Household), Result: labels.value("outcome", w.Outcome)}
		out[i].Days, out[i].Dated = s.DaysUntil(w.Due)
	}
	return out, nil
}

// Who says who a person is, by name.
func (s *Session) Who(ctx context.Context, person uuid.UUID) string {
	if roll, err := s.Office.Roll(ctx); err == nil {
		for _, c := range roll.Person(person) {
			return c.Name
		}
	}
	return person.String()[:8]
}

// Disputes are the open conflicts of this machine's villages.
func (s *Session) Disputes(ctx context.Context) ([]review.Dispute, error) {
	return s.Reviewer().Disputes(ctx, s.Office.Replica.Identity().Division)
}

// FieldName is what a registry field is called.
func (s *Session) FieldName(ctx context.Context, field string) string {
	return s.labels(ctx).label(field)
}

// FieldWords says a registry value in words.
func (s *Session) FieldWords(ctx context.Context, field string, v store.Value) string {
	return s.labels(ctx).value(field, v.Show())
}

// NotEnrolled says whether an error means that a folder holds nothing yet.
func NotEnrolled(err error) bool { return errors.Is(err, vault.ErrNoVault) }
