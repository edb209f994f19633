package merge_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// What was looked at before its turn is judged by what holds in its turn: whoever was
// revoked, or became known, between the two (invariant 3).
func TestWhatWasLookedAtIsJudgedInItsTurn(t *testing.T) {
	f := newField(t, "csa")
	f.play("a visits | a visits")
	own := raws(t, f.nodes["a"].replica)
	s := f.nodes["s"] // has not heard of the tablet yet
	early := s.merger.Look(ctx, own...)
	f.play("c -> s")
	outcomes, err := s.merger.TakeLooked(ctx, early...)
	require.NoError(t, err)
	require.Equal(t, merge.StatusNew, outcomes[0].Status)
	require.Equal(t, merge.StatusNew, outcomes[1].Status)

	c := f.nodes["c"]
	early = c.merger.Look(ctx, own...)
	f.write(c, uuid.Nil, trust.RevokeEdit(id(machines["a"].n), county, 1, "lost"))
	outcomes, err = c.merger.TakeLooked(ctx, early...)
	require.NoError(t, err)
	require.Equal(t, merge.StatusNew, outcomes[0].Status)
	require.Equal(t, merge.StatusAside, outcomes[1].Status)
	require.Equal(t, "visit 1, 1 trust.revoked", f.state("c"))
}

// A forged bundle is refused whether it was looked at before or not, and its content
// is not read.
func TestAForgedBundleLookedAtBefore(t *testing.T) { // invariant 3
	f := newField(t, "ca")
	f.play("a visits")
	raw := raws(t, f.nodes["a"].replica)[0]
	for _, flip := range []int{len(raw) - 1, len(raw) / 2, 40} {
		forged := append([]byte(nil), raw...)
		forged[flip] ^= 1
		outcomes, err := f.nodes["c"].merger.TakeLooked(ctx, f.nodes["c"].merger.Look(ctx, forged)...)
		require.NoError(t, err)
		require.NotEqual(t, merge.StatusNew, outcomes[0].Status, "byte %d", flip)
	}
	require.NotContains(t, f.state("c"), "visit")
}
