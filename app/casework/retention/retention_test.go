package retention_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/retention"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
)

func TestWhatIsTooOldGoesAndIsCertified(t *testing.T) {
	ctx := context.Background()
	c, err := practice.Visited(ctx, world.Real(), t.TempDir(), 24, 2, 0)
	require.NoError(t, err)
	defer c.Close()
	r := c.Office.Replica
	plan, err := retention.Plan(ctx, r, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Empty(t, plan, "nothing is old yet")
	plan, err = retention.Plan(ctx, r, time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.NotEmpty(t, plan)
	here, err := r.HasBlob(ctx, plan[0].Digest)
	require.NoError(t, err)
	require.True(t, here, "a plan touches nothing")

	gone, err := retention.Carry(ctx, r, plan)
	require.NoError(t, err)
	require.Equal(t, plan, gone)
	for _, i := range gone {
		_, _, err := r.OpenBlob(ctx, i.Digest)
		require.True(t, errors.Is(err, store.ErrNotFound), "%v", err)
		_, err = r.Thumbnail(ctx, i.Digest)
		require.Error(t, err, "the thumbnail goes too")
	}
	missing, err := r.MissingBlobs(ctx)
	require.NoError(t, err)
	require.Empty(t, missing, "what was let go is not asked for again")
	found, err := r.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
	again, err := retention.Plan(ctx, r, time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, again)

	roll, err := c.Office.Roll(ctx)
	require.NoError(t, err)
	node, ok := roll.Node(r.Identity().Node)
	require.True(t, ok)
	raw, err := retention.Sign(retention.Certificate{County: "459921", At: time.Now().Unix(), By: "甲", Approved: "乙", Reason: "保存期满", Items: gone, Node: node.Raw}, c.Office.NodeKey)
	require.NoError(t, err)
	read, err := retention.Verify(raw, c.Office.Root)
	require.NoError(t, err)
	require.Equal(t, gone, read.Items)
	for at := range raw {
		bad := append([]byte(nil), raw...)
		bad[at] ^= 1
		_, err := retention.Verify(bad, c.Office.Root)
		require.ErrorIs(t, err, retention.ErrCertificate, "byte %d", at)
		if at > 400 {
			break
		}
	}
	_, err = retention.Verify(raw, make([]byte, 32))
	require.ErrorIs(t, err, retention.ErrCertificate)
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte{0xd2, 0x84})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := retention.Verify(data, make([]byte, 32)); err == nil {
			t.Fatal("something was believed")
		}
	})
}
