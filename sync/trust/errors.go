package trust

import (
	"fmt"

	"github.com/google/uuid"

	"ironfeet/store"
)

// A Rule names the rule that a change, certificate, attestation or receipt broke.
// It is stable and the key of its sentence.
type Rule string

// The rules. The first group is waiting for a certificate that may still arrive;
// the others are refused until the county decides otherwise.
const (
	UnknownNode   Rule = "trust.unknown_node"
	UnknownPerson Rule = "trust.unknown_person"

	BadCertificate       Rule = "trust.bad_certificate"
	BadSignature         Rule = "trust.bad_signature"
	Expired              Rule = "trust.expired"
	Revoked              Rule = "trust.revoked"
	OldKey               Rule = "trust.old_key"
	WrongRole            Rule = "trust.wrong_role"
	OutOfScope           Rule = "trust.out_of_scope"
	WrongKind            Rule = "trust.wrong_kind"
	WrongDivision        Rule = "trust.wrong_division"
	WrongAudience        Rule = "trust.wrong_audience"
	TooFewInvestigators  Rule = "trust.too_few_investigators"
	BadAttestation       Rule = "trust.bad_attestation"
	BadReceipt           Rule = "trust.bad_receipt"
	DifferentVisitDigest Rule = "trust.visit_altered"
)

// MayCome says whether a change that breaks the rule today may keep it tomorrow,
// because a certificate is still on its way.
func (r Rule) MayCome() bool { return r == UnknownNode || r == UnknownPerson }

// A RefusedError says which rule stands against something, and where.
type RefusedError struct {
	Rule     Rule
	Node     uuid.UUID
	Person   uuid.UUID // the author or investigator, where the rule is about one
	Change   store.ChangeID
	Kind     store.Kind
	Division string
	Role     Role
	Count    int   // investigators that counted
	Cause    error // may be nil
}

func (e *RefusedError) Error() string {
	s := string(e.Rule)
	if e.Node != uuid.Nil {
		s += ": node " + e.Node.String()
	}
	if e.Change.Seq != 0 {
		s += fmt.Sprintf(", change %d", e.Change.Seq)
	}
	if e.Kind != "" {
		s += ", " + string(e.Kind)
	}
	if e.Division != "" {
		s += " in " + e.Division
	}
	if e.Role != "" {
		s += " by " + string(e.Role)
	}
	if e.Person != uuid.Nil {
		s += ", person " + e.Person.String()
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Code is the key of the sentence.
func (e *RefusedError) Code() string { return string(e.Rule) }

func (e *RefusedError) Unwrap() error { return e.Cause }

// Why says what is wrong with an invitation.
type Why string

// The reasons.
const (
	Mistyped    Why = "mistyped"
	Used        Why = "used"
	PastDate    Why = "expired"
	OtherCounty Why = "other_county"
)

// An InvitationError means that an invitation cannot be used.
type InvitationError struct{ Why Why }

func (e *InvitationError) Error() string {
	switch e.Why {
	case Used:
		return "the invitation has been used already"
	case PastDate:
		return "the invitation has expired"
	case OtherCounty:
		return "the server is not the county that the invitation names"
	}
	return "the invitation code is mistyped"
}

// Code is the key of the sentence.
func (e *InvitationError) Code() string { return "trust.invitation_" + string(e.Why) }
