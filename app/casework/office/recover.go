package office

import (
	"context"
	"fmt"
	"time"

	"ironfeet/store/vault"
	"ironfeet/sync/trust"
)

// Recovering answers a machine on which somebody forgot the PIN, and certifies that
// person's new key under the same role and scope, so that visits signed with it
// count. Compare the name and the six digits of vault.ReadRecovery with the person
// over the telephone first: the county's word is what makes the key that person's.
func (o *Office) Recovering(ctx context.Context, request []byte) ([]byte, error) {
	who, err := vault.ReadRecovery(request)
	if err != nil {
		return nil, err
	}
	roll, err := o.Roll(ctx)
	if err != nil {
		return nil, err
	}
	list := roll.Person(who.Person)
	if _, ended := roll.PersonRevoked(who.Person); ended || len(list) == 0 {
		return nil, &StrangerError{Name: who.Name}
	}
	identities, err := o.Identities()
	if err != nil {
		return nil, err
	}
	answer, err := vault.AnswerRecovery(request, identities...)
	if err != nil {
		return nil, err
	}
	next := list[0]
	if next.Key.Equal(who.Key) { // answered before
		return answer, nil
	}
	root, err := o.RootKey()
	if err != nil {
		return nil, err
	}
	now := o.World.Now()
	if !now.Truncate(time.Second).After(list[0].From) { // their order says which follows which
		now = list[0].From.Add(time.Second)
	}
	next.Key, next.From, next.Until, next.Raw = who.Key, now, now.Add(list[0].Until.Sub(list[0].From)), nil
	if next, err = root.Certify(next); err != nil {
		return nil, fmt.Errorf("certify the new key of %s: %w", who.Name, err)
	}
	own := o.Replica.Identity()
	if _, err := o.Replica.Write(ctx, own.Node, trust.CertificateEdit(next, own.Division)); err != nil {
		return nil, err
	}
	_, err = o.Merger.Reconsider(ctx)
	return answer, err
}

// A StrangerError means that the county knows no such person or machine, or has ended
// that person's enrolment.
type StrangerError struct{ Name string } // or id

func (e *StrangerError) Error() string {
	return fmt.Sprintf("%q is not enrolled in this county, or no more", e.Name)
}

// Code is the key of the sentence.
func (e *StrangerError) Code() string { return "office.stranger" }
