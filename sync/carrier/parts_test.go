package carrier

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/store/world"
)

// What does not fit into one file of FAT32 goes on in the next; the digits of the last
// stand for all.
func TestALargeCarrierIsWrittenIntoSeveralFiles(t *testing.T) {
	who := newIdentity(t)
	path := filepath.Join(t.TempDir(), "大.ironfeet")
	w := world.Real()
	c := contents([][]byte{[]byte("one"), []byte("two")}, [][]byte{[]byte("r")}, photo(200_000), photo(150_000), photo(90_000))
	wrote, err := writeParts(ctx, w, path, []string{who.Recipient().String()}, c, 250_000)
	require.NoError(t, err)
	require.Equal(t, 2, wrote.Parts)
	var all []string
	var last Summary
	for n := 1; n <= wrote.Parts; n++ {
		sink := &seen{county: rootOf(9)}
		last, err = Read(ctx, w, PartName(path, n), who.String(), sink)
		require.NoError(t, err)
		require.Equal(t, n, last.Parts)
		require.Equal(t, n < wrote.Parts, last.More)
		all = append(all, sink.log...)
	}
	require.Equal(t, "bundle one, bundle two, receipt r, photo 200000, photo 150000, photo 90000", strings.Join(all, ", "))
	require.Equal(t, wrote.Six, last.Six)
	require.Equal(t, 3, wrote.Blobs)
	require.FileExists(t, filepath.Join(filepath.Dir(path), "大.2.ironfeet"))
}

// A copy that is broken off goes on where it was, whatever stands there.
func TestATornCopyIsContinued(t *testing.T) {
	w := world.Real()
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a.ironfeet"), filepath.Join(dir, "b.ironfeet")
	whole := make([]byte, 3_500_000)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range whole {
		whole[i] = byte(random.Uint32())
	}
	require.NoError(t, os.WriteFile(from, whole, 0o600))
	require.NoError(t, os.WriteFile(PartName(from, 2), whole[:1000], 0o600))
	quiet := func(int64) {}
	for _, test := range []struct {
		name       string
		torn       []byte
		kept, rest int64
	}{
		{"nothing there", nil, 0, 3_501_000},
		{"torn after two million bytes", whole[:2_000_000], 2_000_000, 1_500_000},
		{"something else there", bytes.Repeat([]byte{1}, 2_000_000), 0, 3_500_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, os.RemoveAll(to))
			if test.torn != nil {
				require.NoError(t, os.WriteFile(to+".part", test.torn, 0o600))
				test.kept += 1000 // the second file is whole already
			}
			written, kept, err := Copy(ctx, w, from, to, quiet)
			require.NoError(t, err)
			require.Equal(t, test.kept, kept)
			require.Equal(t, test.rest, written)
			got, err := os.ReadFile(to)
			require.NoError(t, err)
			require.True(t, bytes.Equal(whole, got))
			require.NoFileExists(t, to+".part")
		})
	}
	written, kept, err := Copy(ctx, w, from, to, quiet)
	require.NoError(t, err)
	require.Zero(t, written)
	require.EqualValues(t, 3_501_000, kept)
}
