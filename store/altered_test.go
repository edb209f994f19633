package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

// byHand changes a closed folder's database as somebody with an editor would.
func byHand(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "replica.db"))
	require.NoError(t, err)
	defer db.Close()
	for _, s := range statements {
		_, err := db.Exec(s)
		require.NoError(t, err, s)
	}
}

// What was altered by hand is noticed, named, and where it follows from the log put
// right by a rebuild.
func TestRowsAlteredByHandAreNoticed(t *testing.T) {
	ctx := context.Background()
	const swapTwo = ` = (SELECT x.content FROM entities x WHERE x.id <> entities.id AND x.kind <> entities.kind LIMIT 1)`
	for _, test := range []struct {
		name, by string
		finding  string // code
		mends    bool   // Rebuild puts it right
	}{
		{"a bundle's body", `UPDATE bundles SET body = zeroblob(length(body))`, "check.damaged", false},
		{"a bundle's body in another's place", `UPDATE bundles SET body = (SELECT b.body FROM bundles b WHERE b.pos <> bundles.pos)`, "check.damaged", false},
		{"a bundle's head", `UPDATE bundles SET head = x'00' WHERE pos = 1`, "check.chain", false},
		{"a bundle taken out", `DELETE FROM bundles WHERE first = 1 AND node = x'00000000000000000000000000000001'`, "check.journal", false},
		{"a change waiting to be sent", `UPDATE journal SET content = zeroblob(80)`, "check.damaged", false},
		{"a change that was not sent taken out", `DELETE FROM journal WHERE seq = 4`, "check.journal", false},
		{"a household's content", `UPDATE entities SET content = zeroblob(200) WHERE kind = 'household'`, "check.damaged", true},
		{"two rows swapped", `UPDATE entities SET content` + swapTwo, "check.damaged", true},
		{"a visit's state", `UPDATE entities SET state = 'accepted' WHERE kind = 'visit'`, "check.state", true},
		{"a household moved to another village", `UPDATE entities SET division = '459921100999' WHERE kind = 'household'`, "check.state", true},
		{"a conflict hidden", `UPDATE entities SET conflicts = ''`, "check.state", true},
		{"a household taken out", `DELETE FROM entities WHERE kind = 'household'`, "check.state", true},
		{"an ID number for another person", `UPDATE idnumbers SET blind = zeroblob(32)`, "check.state", true},
		{"a photo that nobody names any more", `DELETE FROM blobrefs`, "check.state", true},
		{"an answer", `UPDATE answers SET content = zeroblob(80)`, "check.damaged", false},
		{"a draft", `UPDATE drafts SET content = zeroblob(80)`, "check.damaged", false},
		{"a setting", `UPDATE settings SET value = zeroblob(60) WHERE name = 'server'`, "check.damaged", false},
		{"what is held", `UPDATE held SET raw = zeroblob(60)`, "check.damaged", false},
		{"a photo's size", `UPDATE blobs SET size = size - 1`, "check.blob", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			fillGolden(t, dir)
			r := reopen(t, dir)
			// A second change waits, so that taking one out leaves a gap.
			_, err := r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Task, Division: village, Fields: map[string]store.Value{"state": store.Text("open")}})
			require.NoError(t, err)
			want := dump(t, r)
			require.NoError(t, r.Close())
			byHand(t, dir, test.by)

			r = reopen(t, dir)
			defer r.Close()
			found, err := r.Check(ctx)
			require.NoError(t, err)
			require.NotEmpty(t, found)
			var codes []string
			for _, f := range found {
				codes = append(codes, f.Code)
				require.NotEmpty(t, f.Detail)
				require.True(t, f.Grave)
			}
			require.Contains(t, codes, test.finding, "%v", found)
			err = r.Rebuild(ctx)
			if !test.mends {
				return
			}
			require.NoError(t, err)
			found, err = r.Check(ctx)
			require.NoError(t, err)
			require.Empty(t, found)
			require.Equal(t, want, dump(t, r))
		})
	}
}

// A rebuild that cannot read the whole log leaves the state as it was.
func TestARebuildOfADamagedLogChangesNothing(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	fillGolden(t, dir)
	byHand(t, dir, `UPDATE bundles SET body = zeroblob(length(body)) WHERE pos = 2`)
	r := reopen(t, dir)
	defer r.Close()
	before := dump(t, r)
	var damaged *store.DamagedError
	require.ErrorAs(t, r.Rebuild(ctx), &damaged)
	require.Equal(t, before, dump(t, r))
}

func TestAnotherFoldersKeyIsRefused(t *testing.T) {
	ctx := context.Background()
	dir, other := t.TempDir(), t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	require.NoError(t, r.Close())
	r, keys := nodeIn(t, other, 2, &clock{time.Now()})
	require.NoError(t, r.Close())
	_, err := store.Open(ctx, store.Options{World: world.Real(), Dir: dir, Keys: keys})
	var wrong *store.WrongKeyError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "store.wrong_key", wrong.Code())

	// The whole vault of another folder.
	for _, name := range []string{"vault.json", "device.secret"} {
		b, err := os.ReadFile(filepath.Join(other, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	v, err := vault.Open(world.Real(), dir)
	require.NoError(t, err)
	keys, err = v.Unattended()
	require.NoError(t, err)
	_, err = store.Open(ctx, store.Options{World: world.Real(), Dir: dir, Keys: keys})
	require.ErrorAs(t, err, &wrong)
}
