package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/store/audit"
	"ironfeet/store/world"
)

// TestTheServerKeepsItsHouse: the real process, started as another version of the
// program, copies databases and keys before it touches them, writes a backup by its
// schedule, says both in the audit log once, and the backup stands a drill.
func TestTheServerKeepsItsHouse(t *testing.T) {
	ctx := context.Background()
	base := t.TempDir()
	dir, kept, key := filepath.Join(base, "county"), filepath.Join(base, "backups"), filepath.Join(base, "recovery.key")
	must := func(args ...string) string {
		t.Helper()
		status, out, errs := command(args...)
		require.Equal(t, 0, status, "%v: %s", args, errs)
		return out
	}
	must("init", "--data", dir, "--name", "云栖县（虚构）", "--division", "459921")
	must("recovery-key", "--data", dir, "--out", key)
	serve := func() {
		t.Helper()
		server, err := startServer(ctx, dir, "127.0.0.1:0", filepath.Join(base, "server.log"), "--backup-dir", kept)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			names, err := backups(world.OS{}, kept)
			return err == nil && len(names) == 1
		}, 20*time.Second, 10*time.Millisecond)
		require.NoError(t, server.stop())
	}
	counts := func() map[string]int64 {
		t.Helper()
		of, err := office.Open(ctx, world.Real(), dir)
		require.NoError(t, err)
		defer of.Close()
		log, err := openAudit(ctx, of)
		require.NoError(t, err)
		defer log.Close()
		n, err := log.Counts(ctx, time.Time{})
		require.NoError(t, err)
		return n
	}
	copies := filepath.Join(dir, upgradeFolder)
	serve()
	version, err := os.ReadFile(filepath.Join(dir, versionFile))
	require.NoError(t, err)
	require.NotEmpty(t, version, "every build knows which it is")
	require.NoDirExists(t, copies, "the first time there is nothing to come from")
	serve()
	require.NoDirExists(t, copies, "the same program again")
	require.Equal(t, int64(1), counts()[audit.Backup], "one a day, however often the server starts")
	require.Zero(t, counts()[audit.Upgrade])

	require.NoError(t, os.WriteFile(filepath.Join(dir, versionFile), []byte("an older one"), 0o600))
	serve()
	names := listing(t, copies)
	require.Contains(t, strings.Join(names, " "), "replica.db")
	require.Contains(t, strings.Join(names, " "), "vault.json")
	require.Equal(t, int64(1), counts()[audit.Upgrade])
	serve()
	require.Equal(t, int64(1), counts()[audit.Upgrade], "said once")

	require.Contains(t, must("restore-drill", "--key", key, kept), "the drill held")
	require.Contains(t, must("doctor", "--data", dir), "audit log")
}
