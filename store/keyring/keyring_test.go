package keyring

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zalando/go-keyring"

	"ironfeet/store/world"
)

// The library's own mock stands for the service; what this package adds is checked.
func TestSecretsAreKept(t *testing.T) {
	keyring.MockInit()
	k := System()
	_, err := k.Get("device")
	require.ErrorIs(t, err, world.ErrNoSecret)
	require.NoError(t, k.Set("device", "secret"))
	got, err := k.Get("device")
	require.NoError(t, err)
	require.Equal(t, "secret", got)
	require.NoError(t, k.Delete("device"))
	_, err = k.Get("device")
	require.ErrorIs(t, err, world.ErrNoSecret)
}

// Without a session every call fails, and none hangs.
func TestNoServiceIsNoSecret(t *testing.T) {
	keyring.MockInitWithError(keyring.ErrSetDataTooBig)
	_, err := System().Get("device")
	require.Error(t, err)
	require.Error(t, System().Set("device", "secret"))
}
