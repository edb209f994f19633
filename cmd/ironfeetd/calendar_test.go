package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCalendarCommand(t *testing.T) {
	say := func(args ...string) (string, int) {
		var out bytes.Buffer
		status := run(append([]string{"--lang", "en", "calendar"}, args...), &out, &out)
		return out.String(), status
	}
	said, status := say("check", "--from", "2026-02-12", "--days", "3")
	require.Zero(t, status, said)
	require.Contains(t, said, "2026-02-24")
	said, _ = say("check", "--from", "2026-12-30", "--days", "3")
	require.Contains(t, said, "not certain")
	file := filepath.Join(t.TempDir(), "2027.txt")
	require.NoError(t, os.WriteFile(file, []byte("2027-01-01..2027-01-03 休 元旦\n"), 0o600))
	said, status = say("check", file, "--from", "2026-12-30", "--days", "3", "--json")
	require.Zero(t, status)
	require.JSONEq(t, `{"years":[2025,2026,2027],"from":"2026-12-30","days":3,"due":"2027-01-05","sure":true}`, said)
	require.NoError(t, os.WriteFile(file, []byte("2027-02-30 休\n"), 0o600))
	said, status = say("check", file)
	require.Equal(t, 1, status)
	require.Contains(t, said, "line 1")
}
