package simulate

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var breed = flag.Bool("mutants", false, "break the code in known ways and see that the simulation notices each (make mutants)")

// A mutant is the program with one mistake. Old must stand exactly once in the file.
var mutants = []struct{ name, file, old, new string }{
	{"a photo is not synced before it is renamed", "store/blobs.go", "		err = f.Sync()\n", "		err = nil\n"},
	{"a folder is not synced after a rename", "store/blobs.go", "if err := disk.SyncDir(filepath.Dir(path)); err != nil {", "if err := error(nil); err != nil {"},
	{"a gap is accepted", "sync/merge/merge.go", "case b.First != tip.Last+1:\n		return s.hold(ctx, o, raw, held, &GapError{Node: b.Node, Have: tip.Last, First: b.First})\n	case b.Prev != tip.Digest:",
		"case b.First == tip.Last+1 && b.Prev != tip.Digest:"},
	{"a bundle is applied before it is verified", "sync/merge/arrival.go", "a.forged = a.message.Verify(certificate.Key)", "a.forged, _ = nil, certificate"},
	{"another history is accepted", "sync/merge/merge.go", "case b.Prev != tip.Digest:", "case false:"},
	{"one investigator is enough", "sync/trust/allow.go", "if len(present) >= Investigators {", "if len(present) >= 1 {"},
	{"any role may write anything", "sync/trust/allow.go", "case !MayWrite(certificate.Role, c.Kind):", "case false:"},
	{"everybody is handed every body", "sync/county/county.go", "if !trust.MayHold(c.certificate, b.Division, b.Audience) {", "if false {"},
	{"the greatest clock wins in silence", "store/state.go", "if !bytes.Equal(heads[i].value, heads[0].value) {", "if _ = bytes.Equal; false {"},
	{"a change that comes after its successor becomes a head", "store/state.go", "if !late {", "if true {"},
	{"a revocation leaves what was taken before", "sync/merge/judge.go", "if judge(s.roll, b) != nil {", "if false {"},
	{"a crash between a revocation and its consequences forgets them", "sync/merge/roll.go", "if bytes.Equal(known, digest[:]) {", "if _ = known; true {"},
	{"what is misplaced depends on who came first", "sync/merge/place.go", "for len(s.unsettled) > 0 {", "for false {"},
	{"a node drops its own work for another's", "sync/merge/merge.go", "b.Digest && !own:", "b.Digest:"},
	{"what waits is not tried again", "sync/merge/merge.go", "	later, err := s.retry(ctx)\n", "	var later []Outcome\n"},
	{"a receipt for another history is believed", "sync/merge/roll.go", "if list[0].Last != receipt.UpTo || list[0].Digest != receipt.Tip {", "if false {"},
	{"photos count as delivered without a receipt", "sync/link/sync.go", "c.state.Photos = append(c.state.Photos, receipt.Blobs...)", "c.state.Photos = append(append(c.state.Photos, receipt.Blobs...), digests...)"},
}

// TestMutants is the trial of the simulation itself. It builds the test anew for
// each mutant (go build -overlay, so that no source is touched) and wants it to fail
// within some seconds of playing. The last results stand in MUTANTS.md.
func TestMutants(t *testing.T) {
	if !*breed {
		for _, m := range mutants { // at least they must still fit the code
			text, err := os.ReadFile(filepath.Join("../..", m.file))
			require.NoError(t, err)
			require.Equal(t, 1, strings.Count(string(text), m.old), "%s: %q in %s", m.name, m.old, m.file)
		}
		return
	}
	module, err := filepath.Abs("../..")
	require.NoError(t, err)
	seeds := regexp.MustCompile(`and (\d+) seeds: (seed \d+: .*)`)
	for _, m := range mutants {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			source := filepath.Join(module, m.file)
			text, err := os.ReadFile(source)
			require.NoError(t, err)
			mutant := filepath.Join(dir, "mutant.go")
			require.NoError(t, os.WriteFile(mutant, []byte(strings.Replace(string(text), m.old, m.new, 1)), 0o600))
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {source: mutant}})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
			program := filepath.Join(dir, "simulate.test")
			build := exec.Command("go", "test", "-c", "-tags", "ci", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "./sync/simulate")
			build.Dir = module
			out, err := build.CombinedOutput()
			require.NoError(t, err, string(out))
			began := time.Now()
			play := exec.Command(program, "-test.run", "TestSeeds", "-seeds", "2000", "-failures", "1", "-test.timeout", "3m")
			play.Dir = filepath.Join(module, "sync/simulate")
			out, err = play.CombinedOutput()
			require.Error(t, err, "nothing was noticed in 2,000 seeds")
			found := seeds.FindStringSubmatch(string(out))
			require.NotNil(t, found, string(out))
			t.Logf("| %s | %s | %.1f s | %s |", m.name, found[1], time.Since(began).Seconds(), found[2])
		})
	}
}
