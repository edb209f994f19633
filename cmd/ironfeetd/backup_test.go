package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

func TestACountyIsBackedUpAndRestored(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(args ...string) string {
		t.Helper()
		status, out, errs := command(args...)
		require.Equal(t, 0, status, "%v: %s", args, errs)
		return out
	}
	must("init", "--data", at("county"), "--name", "云栖县（虚构）", "--division", "459921")
	status, _, errs := command("backup", "--data", at("county"), "--out", at("county.backup"))
	require.Equal(t, 1, status, "nobody else could open it")
	require.Contains(t, errs, "recovery-key")
	require.NoFileExists(t, at("county.backup"))

	must("recovery-key", "--data", at("county"), "--out", at("recovery.key"))
	key, err := os.ReadFile(at("recovery.key"))
	require.NoError(t, err)
	require.Contains(t, string(key), "AGE-SECRET-KEY-1")
	status, _, errs = command("recovery-key", "--data", at("county"), "--out", at("recovery.key"))
	require.Equal(t, 1, status, errs)
	require.Contains(t, must("backup", "--data", at("county"), "--out", at("county.backup")), "SHA-256")

	require.Contains(t, must("restore", "--key", at("recovery.key"), "--data", at("second"), at("county.backup")), "takes the place of")
	require.Contains(t, must("doctor", "--data", at("second")), "sound")
	require.Contains(t, must("status", "--data", at("second")), "云栖县")
	one, err := os.ReadFile(at("county/county.pub"))
	require.NoError(t, err)
	two, err := os.ReadFile(at("second/county.pub"))
	require.NoError(t, err)
	require.Equal(t, one, two, "the root is the same")
	must("form", "publish", "--data", at("second"), "../../assets/yunqi/forms/入户核查.md")

	for name, args := range map[string][]string{
		"over a folder that is there": {"restore", "--key", at("recovery.key"), "--data", at("second"), at("county.backup")},
		"with no key at all":          {"restore", "--key", at("county.backup"), "--data", at("third"), at("county.backup")},
		"of no backup":                {"restore", "--key", at("recovery.key"), "--data", at("third"), at("recovery.key")},
		"of nothing":                  {"restore", "--key", at("recovery.key"), "--data", at("third"), at("nothing")},
	} {
		status, out, errs := command(args...)
		require.Equal(t, 1, status, name)
		require.Empty(t, out, name)
		require.Contains(t, errs, "hint:", name)
		require.NoDirExists(t, at("third"), name)
	}

	var doc struct {
		Sound    bool `json:"sound"`
		Findings []any
	}
	require.NoError(t, json.Unmarshal([]byte(must("doctor", "--json", "--data", at("second"))), &doc))
	require.True(t, doc.Sound)
	var state struct {
		Space struct {
			Database int64 `json:"database"`
		} `json:"space"`
	}
	require.NoError(t, json.Unmarshal([]byte(must("status", "--json", "--data", at("second"))), &state))
	require.Positive(t, state.Space.Database)

	// Nobody is ended by a slip in an id.
	for _, args := range [][]string{{"person", "disable"}, {"node", "revoke"}} {
		status, out, told := command(append(args, "--data", at("second"), "--reason", "遗失", "0192f7a0-0000-7000-8000-0000000000ff")...)
		require.Equal(t, 1, status)
		require.Empty(t, out)
		require.Contains(t, told, "is not enrolled in this county")
	}

	// A forgotten PIN, answered with the key from the safe and by the county itself,
	// which certifies the person's new key once.
	of, err := office.Open(t.Context(), world.Real(), at("second"))
	require.NoError(t, err)
	id, err := of.Enrol(t.Context(), "县局经办（虚构）", trust.County, []string{"459921"}, "135790")
	require.NoError(t, err)
	require.NoError(t, of.Close())
	v, err := vault.Open(world.Real(), at("second"))
	require.NoError(t, err)
	request, err := v.AskRecovery(id)
	require.NoError(t, err)
	who, err := vault.ReadRecovery(request)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(at("request.txt"), request, 0o600))
	for _, args := range [][]string{{"--key", at("recovery.key")}, {"--data", at("second")}, {"--data", at("second")}} {
		for _, digits := range []string{"", "000000"} { // nobody has called
			status, answer, told := command(append([]string{"recover", "--check", digits, at("request.txt")}, args...)...)
			require.Equal(t, 1, status)
			require.Empty(t, answer)
			require.NotContains(t, told, who.Check)
		}
		_, answer, told := command(append([]string{"recover", "--check", who.Check[:3] + " " + who.Check[3:], at("request.txt")}, args...)...)
		require.Contains(t, answer, "RECOVERY ANSWER")
		require.Contains(t, told, "县局经办（虚构）")
		require.Equal(t, args[0] == "--key", strings.Contains(told, "not certified yet"))
	}
	of, err = office.Open(t.Context(), world.Real(), at("second"))
	require.NoError(t, err)
	defer of.Close()
	roll, err := of.Roll(t.Context())
	require.NoError(t, err)
	require.Len(t, roll.Person(id), 2)
	require.True(t, roll.Person(id)[0].Key.Equal(who.Key))
}
