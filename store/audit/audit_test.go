package audit

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/store/world"
)

var ctx = context.Background()

// plain seals nothing: what is tested here is the chain.
type plain struct{}

func (plain) Seal(_ string, b []byte) []byte            { return append([]byte("sealed "), b...) }
func (plain) Unseal(_ string, b []byte) ([]byte, error) { return b[len("sealed "):], nil }

func begin(t testing.TB) (*Log, string) {
	t.Helper()
	dir := t.TempDir()
	return reopen(t, dir), dir
}

func reopen(t testing.TB, dir string) *Log {
	t.Helper()
	l, err := Open(ctx, Options{World: world.Real(), Dir: dir, Sealer: plain{}, Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Name: "ironfeet.audit/459921"})
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func fill(t testing.TB, l *Log, n int) {
	t.Helper()
	for i := range n {
		_, err := l.Append(ctx, Act{
			Actor: "clerk", Role: "county", Action: []string{SignIn, Reveal, Export}[i%3], Object: fmt.Sprint("object ", i), Count: int64(i),
			Detail: map[string]string{"reason": fmt.Sprint("because ", i)},
		})
		require.NoError(t, err)
	}
}

func TestWhatIsRecordedStays(t *testing.T) {
	l, dir := begin(t)
	fill(t, l, 10)
	require.NoError(t, l.Close())
	l = reopen(t, dir)
	list, err := l.Entries(ctx, Query{Limit: 4})
	require.NoError(t, err)
	require.Len(t, list, 4)
	require.Equal(t, int64(9), list[0].N, "the newest first")
	next, err := l.Entries(ctx, Query{Before: list[3].N, Limit: 4})
	require.NoError(t, err)
	require.Equal(t, int64(5), next[0].N, "a page goes on where the last ended")
	only, err := l.Entries(ctx, Query{Action: Export})
	require.NoError(t, err)
	require.Len(t, only, 3)
	detail, err := l.Detail(ctx, 7)
	require.NoError(t, err)
	require.Equal(t, "because 7", detail["reason"])
	counts, err := l.Counts(ctx, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Equal(t, map[string]int64{SignIn: 4, Reveal: 3, Export: 3}, counts)
	found, err := l.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)

	_, err = l.db.Exec(`UPDATE entries SET action = 'print' WHERE n = 3`)
	require.ErrorContains(t, err, "append-only")
	_, err = l.db.Exec(`DELETE FROM entries WHERE n = 9`)
	require.ErrorContains(t, err, "append-only")
}

// Whoever opens the file with another program can take the triggers away; the
// chain, the tree and the checkpoints that others hold say what he did.
func TestEveryAlterationIsFound(t *testing.T) {
	for _, test := range []struct{ name, sql, what string }{
		{"an entry's bytes are altered", `UPDATE entries SET raw = CAST(replace(raw, X'6f626a6563742033', X'6f626a6563742034') AS BLOB) WHERE n = 3`, "chain"},
		{"an entry is said to be of another day", `UPDATE entries SET at = at - 86400000 WHERE n = 3`, "chain"},
		{"an entry is said to be another act", `UPDATE entries SET action = 'print' WHERE n = 3`, "chain"},
		{"a reason is altered", `UPDATE entries SET detail = X'7365616c6564207b7d' WHERE n = 3`, "detail"},
		{"an entry in the middle is taken away", `DELETE FROM entries WHERE n = 3`, "gap"},
		{"the last entries are taken away", `DELETE FROM entries WHERE n >= 8`, "shortened"},
		{"everything is taken away", `DELETE FROM entries`, "shortened"},
		{"the tree is altered", `UPDATE hashes SET hash = zeroblob(32) WHERE i = (SELECT max(i) FROM hashes)`, "tree"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, dir := begin(t)
			fill(t, l, 10)
			given, err := l.Checkpoint(ctx)
			require.NoError(t, err)
			found, err := l.Check(ctx, given)
			require.NoError(t, err)
			require.Empty(t, found)

			other, err := sql.Open("sqlite", filepath.Join(dir, DatabaseFile))
			require.NoError(t, err)
			defer other.Close()
			for _, trigger := range []string{"entries_stay", "entries_last", "hashes_stay", "hashes_last"} {
				_, err = other.Exec(`DROP TRIGGER ` + trigger)
				require.NoError(t, err)
			}
			done, err := other.Exec(test.sql)
			require.NoError(t, err)
			rows, err := done.RowsAffected()
			require.NoError(t, err)
			require.NotZero(t, rows)
			found, err = l.Check(ctx, given)
			require.NoError(t, err)
			var what []string
			for _, f := range found {
				what = append(what, f.What)
				require.NotEmpty(t, f.Error())
			}
			require.Contains(t, what, test.what)
		})
	}
}

func TestALogWrittenAnewContradictsWhatOthersHold(t *testing.T) {
	l, _ := begin(t)
	fill(t, l, 10)
	given, err := l.Checkpoint(ctx)
	require.NoError(t, err)
	fill(t, l, 3)
	found, err := l.Check(ctx, given)
	require.NoError(t, err)
	require.Empty(t, found, "a longer log still holds the older checkpoint")

	anew, _ := begin(t) // sound in itself, as long as the old one, and another
	fill(t, anew, 12)
	found, err = anew.Check(ctx, given)
	require.NoError(t, err)
	require.Equal(t, []Finding{{"checkpoint", 10}}, found)
	found, err = anew.Check(ctx, []byte("not a checkpoint"))
	require.NoError(t, err)
	require.Len(t, found, 1)
}

func TestManyAtOnce(t *testing.T) {
	l, _ := begin(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 5 {
				if _, err := l.Append(ctx, Act{Action: Reveal}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	n, err := l.Size(ctx)
	require.NoError(t, err)
	require.Equal(t, int64(40), n)
	found, err := l.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
}
