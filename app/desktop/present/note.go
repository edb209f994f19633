package present

import (
	"context"

	"github.com/google/uuid"

	"ironfeet/store/audit"
)

// Revealed is what is noted when a person looks at what is covered: numbers in full,
// a page about children or health (个人信息保护法 Art. 51, 54; domain.md §1).
const Revealed = audit.Reveal

// audit opens this machine's log when it is first needed.
func (s *Session) audit(ctx context.Context) (*audit.Log, error) {
	if s.log != nil {
		return s.log, nil
	}
	log, err := audit.Open(ctx, audit.Options{
		World: s.Office.World, Dir: s.Office.Dir, Sealer: s.Office.Replica, Key: s.Office.NodeKey,
		Name: "ironfeet.audit/" + s.Office.Replica.Identity().Division,
	})
	if err == nil {
		s.log = log
	}
	return log, err
}

// Note writes down that this person looked at something that is covered. Where it
// cannot be written, nothing is to be shown.
func (s *Session) Note(ctx context.Context, what string, household uuid.UUID, of string) error {
	log, err := s.audit(ctx)
	if err != nil {
		return err
	}
	_, err = log.Append(ctx, audit.Act{
		Actor: s.Person.String(), Role: string(s.Role), Action: what, Object: household.String(), Count: 1, Detail: map[string]string{"of": of},
	})
	return err
}

// Looks counts what this machine's log holds of such looks.
func (s *Session) Looks(ctx context.Context) (int64, error) {
	log, err := s.audit(ctx)
	if err != nil {
		return 0, err
	}
	return log.Size(ctx)
}
