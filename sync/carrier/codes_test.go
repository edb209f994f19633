package carrier

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"ironfeet/sync/bundle"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// Every fault of these rooms has its sentence and its hint in both languages, and
// the template fits the error's parts.
func TestEveryCodeHasItsSentence(t *testing.T) {
	type coded interface {
		error
		Code() string
	}
	faults := []coded{
		&bundle.LimitError{}, &bundle.DamagedError{}, &bundle.NewerError{}, &merge.GapError{}, &merge.ForkError{}, &merge.CloneError{},
		&NotForUsError{Why: OtherCounty, From: "甲"}, &NotForUsError{Why: NotRecipient}, &TornError{}, &TornError{Damaged: true},
		&DamagedError{}, &NewerError{}, &NoRecipientError{},
	}
	for _, rule := range []trust.Rule{trust.UnknownNode, trust.UnknownPerson, trust.BadCertificate, trust.BadSignature, trust.Expired, trust.Revoked,
		trust.WrongRole, trust.OutOfScope, trust.WrongKind, trust.WrongDivision, trust.WrongAudience, trust.TooFewInvestigators, trust.BadAttestation,
		trust.BadReceipt, trust.DifferentVisitDigest} {
		faults = append(faults, &trust.RefusedError{Rule: rule})
	}
	for _, why := range []trust.Why{trust.Mistyped, trust.Used, trust.PastDate, trust.OtherCounty} {
		faults = append(faults, &trust.InvitationError{Why: why})
	}
	for _, language := range []string{"zh", "en"} {
		file, err := os.ReadFile("../../assets/i18n/" + language + "/sync.json")
		require.NoError(t, err)
		var sentences map[string]string
		require.NoError(t, json.Unmarshal(file, &sentences))
		for _, fault := range faults {
			for _, key := range []string{fault.Code(), fault.Code() + ".hint"} {
				text, ok := sentences[key]
				require.Truef(t, ok, "%s: %s", language, key)
				parsed, err := template.New(key).Option("missingkey=error").Parse(text)
				require.NoError(t, err, key)
				require.NoError(t, parsed.Execute(&strings.Builder{}, fault), key)
			}
		}
	}
}
