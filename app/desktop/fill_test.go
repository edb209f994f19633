package desktop

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/present"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
)

// fill answers the whole form of a visit as the sample's script has it.
func fill(t *testing.T, s *present.Session, task tasks.Task, another bool) *visit.Visit {
	t.Helper()
	v, err := s.Desk().Start(context.Background(), task)
	require.NoError(t, err)
	answer(t, s, v, task, another)
	return v
}

func answer(t *testing.T, s *present.Session, v *visit.Visit, task tasks.Task, another bool) {
	t.Helper()
	_, err := practice.Fill(context.Background(), v, sample(t, task).Visit(s.Office.World.Now(), another), 1)
	require.NoError(t, err)
}

// signOff signs a visit as everybody together.
func signOff(t *testing.T, s *present.Session, v *visit.Visit) {
	t.Helper()
	ctx := context.Background()
	require.NoError(t, v.Sign(ctx, visit.Signature{Mode: visit.Drawn, Signer: "户主"}, bytes.NewReader(yunqi.Signature(1))))
	for _, p := range s.Colleagues() {
		key, err := s.Key(p.ID, practice.PIN)
		require.NoError(t, err)
		require.NoError(t, v.Attest(ctx, p.ID, key))
	}
	require.NoError(t, v.Finish(ctx))
}
