package store_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/store"
)

// TestAFailingFsyncLosesNothing: from some moment on the disk no longer keeps what
// it is told to keep; strace says so to the child in the disk's place, SQLite's own
// files included. The child ends with a clear error, the folder opens again, and
// what was acknowledged is there (invariant 1).
func TestAFailingFsyncLosesNothing(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: make test installs it where it may")
	}
	ctx := context.Background()
	for _, after := range []int{4, 9, 25} {
		t.Run(fmt.Sprintf("after %d", after), func(t *testing.T) {
			dir := t.TempDir()
			r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
			require.NoError(t, r.StartDraft(ctx, store.Draft{ID: savedDraft, Form: "f"}))
			require.NoError(t, r.Close())
			child := exec.Command(strace, "-f", "-o", os.DevNull, "-e", "trace=fsync,fdatasync", "-e", fmt.Sprintf("inject=fsync,fdatasync:error=EIO:when=%d+", after), os.Args[0])
			child.Env = append(os.Environ(), "IRONFEET_TEST_SAVER="+dir)
			var said bytes.Buffer
			child.Stderr = &said
			out, err := child.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, child.Start())
			answers := map[string]string{}
			photos := map[string]string{}
			for lines := bufio.NewScanner(out); lines.Scan(); {
				var kind, key, value string
				_, err := fmt.Sscan(lines.Text(), &kind, &key, &value)
				require.NoError(t, err)
				switch kind {
				case "answer":
					answers[key] = value
				case "photo":
					photos[key] = value
				}
			}
			require.Error(t, child.Wait(), "the child finds that the disk keeps nothing")
			require.Contains(t, said.String(), "the disk does not keep what is written")
			t.Logf("%d answers and %d photos were acknowledged; then: %s", len(answers), len(photos), strings.TrimSpace(said.String()))
			r = reopen(t, dir)
			defer r.Close()
			d, err := r.Draft(ctx, savedDraft)
			require.NoError(t, err)
			for path, value := range answers {
				require.True(t, later(d.Answers[path], value), "%s: acknowledged %s, found %s", path, value, d.Answers[path])
			}
			for digest, value := range photos {
				d, err := store.ParseDigest(digest)
				require.NoError(t, err)
				require.Equal(t, value, string(readBlob(t, r, d)))
			}
			found, err := r.Check(ctx)
			require.NoError(t, err)
			require.Empty(t, found)
		})
	}
}
