package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
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

var update = flag.Bool("update", false, "write the golden files of the present version")

// goldenPhoto is the content of the golden folders' blob: two pieces and a bit.
func goldenPhoto() []byte { return bytes.Repeat([]byte("照片（虚构）"), 8_000) }

// fillGolden writes one of everything that a folder of this version can hold.
func fillGolden(t *testing.T, dir string) {
	ctx := context.Background()
	c := &clock{time.Date(2026, 5, 1, 8, 0, 0, 0, time.UTC)}
	a, _ := nodeIn(t, dir, 1, c)
	b, _ := nodeIn(t, t.TempDir(), 2, c)
	defer a.Close()
	defer b.Close()
	household, member := uuid.UUID{0: 1, 15: 1}, uuid.UUID{0: 2, 15: 1}
	ref, err := a.PutBlob(ctx, bytes.NewReader(goldenPhoto()), 1<<20)
	require.NoError(t, err)
	_, err = a.Write(ctx, uuid.Nil,
		store.Edit{Kind: store.Household, Entity: household, Division: village, Fields: map[string]store.Value{"name": store.Text("单志强"), "phone": store.Text("13800000001")}},
		store.Edit{Kind: store.Member, Entity: member, Division: village, Fields: map[string]store.Value{"parent": store.Text(household.String()), "name": store.Text("单志强"), "id_no": store.Text("459921195203150013")}},
		store.Edit{Kind: store.Visit, Entity: uuid.UUID{0: 3, 15: 1}, Division: village, Fields: map[string]store.Value{"parent": store.Text(household.String()), "state": store.Text("signed")}, Blobs: []store.BlobRef{ref}})
	require.NoError(t, err)
	require.NoError(t, a.Append(ctx, bundleOf(t, a, store.Tip{})))
	_, err = b.Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: household, Division: village, Fields: map[string]store.Value{"phone": store.Text("13900000002")}})
	require.NoError(t, err)
	theirs := bundleOf(t, b, store.Tip{})
	require.NoError(t, a.Apply(ctx, theirs))
	_, err = a.Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: household, Division: village, Fields: map[string]store.Value{"address": store.Text("石桥村三组")}})
	require.NoError(t, err)
	require.NoError(t, a.SetSetting(ctx, "server", []byte("https://county.example")))
	require.NoError(t, a.SaveDraft(ctx, store.Draft{ID: savedDraft, Household: household, Form: "visit", Started: c.now, Answers: map[string]string{"/data/phone": "13800000001"}}))
	require.NoError(t, a.Hold(ctx, store.Held{Digest: store.Digest{1}, Node: uuid.UUID{15: 9}, First: 1, Last: 1, Reason: "merge.gap", Detail: "虚构", Raw: []byte("bytes as received")}))
	require.NoError(t, a.SaveReceipt(ctx, uuid.UUID{15: 1}, 3, []byte("receipt")))
}

// goldenVersion is the newest version of a data folder.
const goldenVersion = 2

// Every version of a data folder that was ever written still opens, with all that
// was in it (invariant 9). A folder that shipped is never written again: -update
// writes the newest only.
func TestFoldersOfEveryVersionOpen(t *testing.T) {
	ctx := context.Background()
	golden := filepath.Join("testdata", "folders")
	state := filepath.Join(golden, "state.txt")
	if *update {
		newest := filepath.Join(golden, fmt.Sprint(goldenVersion))
		require.NoError(t, os.RemoveAll(newest))
		fillGolden(t, newest)
		require.NoError(t, os.Remove(filepath.Join(newest, "lock")))
	}
	want, err := os.ReadFile(state)
	require.NoError(t, err)
	for version := 1; version <= goldenVersion; version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(golden, fmt.Sprint(version)))))
			for round := range 2 { // once migrated, once as it stands then
				r := reopen(t, dir)
				require.Equal(t, string(want), dump(t, r), "round %d", round)
				conflicts, err := r.Conflicts(ctx, "459921")
				require.NoError(t, err)
				require.Len(t, conflicts, 1)
				d, err := r.Draft(ctx, savedDraft)
				require.NoError(t, err)
				require.Equal(t, map[string]string{"/data/phone": "13800000001"}, d.Answers)
				held, err := r.HeldBundles(ctx)
				require.NoError(t, err)
				require.Equal(t, "bytes as received", string(held[0].Raw))
				upTo, raw, err := r.Receipt(ctx, uuid.UUID{15: 1})
				require.NoError(t, err)
				require.Equal(t, uint64(3), upTo)
				require.Equal(t, "receipt", string(raw))
				server, err := r.Setting(ctx, "server")
				require.NoError(t, err)
				require.Equal(t, "https://county.example", string(server))
				own, err := r.Unsealed(ctx, 10)
				require.NoError(t, err)
				require.Len(t, own, 1)
				history, err := r.History(ctx, uuid.UUID{0: 1, 15: 1})
				require.NoError(t, err)
				require.Len(t, history, 3)
				rd, _, err := r.OpenBlob(ctx, store.DigestOf(goldenPhoto()))
				require.NoError(t, err)
				back, err := io.ReadAll(rd)
				require.NoError(t, err)
				require.NoError(t, rd.Close())
				require.Equal(t, goldenPhoto(), back)
				found, err := r.Check(ctx)
				require.NoError(t, err)
				require.Empty(t, found)
				require.NoError(t, r.Close())
			}
		})
	}
}

// reopen opens a folder that runs unattended.
func reopen(t require.TestingT, dir string) *store.Replica {
	w := world.Real()
	v, err := vault.Open(w, dir)
	require.NoError(t, err)
	keys, err := v.Unattended()
	require.NoError(t, err)
	r, err := store.Open(context.Background(), store.Options{World: w, Dir: dir, Keys: keys})
	require.NoError(t, err)
	return r
}

// A folder of a newer program is left alone, and said to be newer.
func TestAFolderOfANewerProgramIsRefused(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r, keys := nodeIn(t, dir, 1, &clock{time.Now()})
	require.NoError(t, r.Close())
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "replica.db"))
	require.NoError(t, err)
	_, err = db.Exec("PRAGMA user_version = 1000")
	require.NoError(t, err)
	require.NoError(t, db.Close())
	before, err := os.ReadFile(filepath.Join(dir, "replica.db"))
	require.NoError(t, err)
	_, err = store.Open(ctx, store.Options{World: world.Real(), Dir: dir, Keys: keys})
	var newer *store.NewerError
	require.ErrorAs(t, err, &newer)
	require.Equal(t, 1000, newer.Theirs)
	after, err := os.ReadFile(filepath.Join(dir, "replica.db"))
	require.NoError(t, err)
	require.Equal(t, before, after)
}
