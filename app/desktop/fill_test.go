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

// fill goes on with the visit that was begun on the screen.
func (h *hand) fill(task tasks.Task) *visit.Visit {
	h.t.Helper()
	page, err := h.app.session.Household(context.Background(), task.Household, false)
	require.NoError(h.t, err)
	v, err := h.app.session.Desk().Resume(context.Background(), page.Draft)
	require.NoError(h.t, err)
	require.Equal(h.t, "completed", v.Outcome(), "the answer tapped is durable")
	answer(h.t, h.app.session, v, task, false)
	return v
}
