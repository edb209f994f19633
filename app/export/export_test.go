package export_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/export"
	"ironfeet/app/practice"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

var ctx = context.Background()

// verified makes a county with three accepted, decided visits and returns its
// records.
func verified(t testing.TB) (*practice.County, []export.Record) {
	t.Helper()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, "township", "tablet-a")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	tablet, town := c.Nodes["tablet-a"], c.Nodes["township"]
	shelf := &publish.Shelf{}
	list, err := tasks.List(ctx, tablet.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	for i, task := range list[:3] {
		for _, h := range c.Sample.Households {
			if h.ID == task.Household {
				_, err := tablet.Walk(ctx, shelf, task, h.Visit(time.Now(), false), uint64(i*10))
				require.NoError(t, err)
			}
		}
	}
	for _, n := range []*practice.Node{tablet, town} {
		_, err = n.Office.Client().Sync(ctx, nil)
		require.NoError(t, err)
	}
	reviewer := &review.Reviewer{Replica: town.Office.Replica, Shelf: shelf, Person: town.People[0].ID, Role: trust.Township, Now: time.Now, NewID: world.Real().NewID}
	inbox, err := review.Inbox(ctx, town.Office.Replica, c.Sample.Code)
	require.NoError(t, err)
	require.Len(t, inbox, 3)
	for _, w := range inbox {
		open, err := reviewer.Open(ctx, w.Visit)
		require.NoError(t, err)
		require.NoError(t, reviewer.Accept(ctx, open, nil, ""))
	}
	_, err = town.Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	pending, err := determination.Pending(ctx, c.Office.Replica, c.Sample.Code)
	require.NoError(t, err)
	for _, v := range pending {
		rules, err := determination.Rules(ctx, c.Office.Replica, v)
		require.NoError(t, err)
		_, err = determination.Decide(ctx, c.Office.Replica, world.Real().NewID, c.Clerk, v, determination.Suggest(rules, v), "", "")
		require.NoError(t, err)
	}
	records, err := export.Verified(ctx, c.Office.Replica, "")
	require.NoError(t, err)
	require.Len(t, records, 3)
	return c, records
}

func TestEvidence(t *testing.T) { // invariant 3
	c, records := verified(t)
	signer := export.Signer{Node: c.Office.Replica.Identity().Node, Key: c.Office.NodeKey, Root: c.Office.Root, Now: time.Now}
	var b bytes.Buffer
	n, err := export.WriteEvidence(ctx, &b, c.Office.Replica, records, signer)
	require.NoError(t, err)
	require.Equal(t, 3, n.Visits)
	require.Equal(t, 6, n.Attestations)
	require.Zero(t, n.Missing)
	whole := b.Bytes()
	check := func(data []byte) []error {
		_, faults := export.Verify(bytes.NewReader(data), int64(len(data)), c.Office.Root)
		return faults
	}
	require.Empty(t, check(whole))

	// The same records make the same package but for its day.
	other, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, "township")
	require.NoError(t, err)
	defer other.Close()
	_, faults := export.Verify(bytes.NewReader(whole), int64(len(whole)), other.Office.Root)
	require.NotEmpty(t, faults, "another county's key")

	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	positions := []int{0, 1, 30, len(whole) - 1, len(whole) - 22, len(whole) / 2}
	for range 120 {
		positions = append(positions, random.IntN(len(whole)))
	}
	for _, at := range positions {
		bad := bytes.Clone(whole)
		bad[at] ^= byte(1 << random.IntN(8))
		faults := check(bad)
		require.NotEmpty(t, faults, "byte %d of %d altered", at, len(whole))
		for _, f := range faults {
			var tampered *export.Tampered
			require.ErrorAs(t, f, &tampered)
			require.NotEmpty(t, tampered.Part)
		}
	}
	require.NotEmpty(t, check(whole[:len(whole)-100]), "torn")
	require.NotEmpty(t, check(append(bytes.Clone(whole), 0)), "longer")

	// Entries left out, added or exchanged, in an otherwise sound archive.
	for name, alter := range map[string]func(name string, data []byte) (string, []byte, bool){
		"a photo is left out": func(n string, d []byte) (string, []byte, bool) { return n, d, !strings.HasPrefix(n, "blobs/") },
		"an attestation is missing": func(n string, d []byte) (string, []byte, bool) {
			return n, d, !strings.HasSuffix(n, "attestation-2.cose")
		},
		"a record reads otherwise": func(n string, d []byte) (string, []byte, bool) {
			return n, bytes.ReplaceAll(d, []byte("completed"), []byte("Completed")), true
		},
		"an entry is added": func(n string, d []byte) (string, []byte, bool) {
			if n == "manifest.cose" {
				return "extra.txt", d, true
			}
			return n, d, true
		},
	} {
		z, err := zip.NewReader(bytes.NewReader(whole), int64(len(whole)))
		require.NoError(t, err)
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for _, f := range z.File {
			r, err := f.Open()
			require.NoError(t, err)
			var data bytes.Buffer
			_, err = data.ReadFrom(r)
			require.NoError(t, err)
			as, content, keep := alter(f.Name, data.Bytes())
			if !keep {
				continue
			}
			e, err := w.CreateHeader(&zip.FileHeader{Name: as, Method: zip.Store})
			require.NoError(t, err)
			_, err = e.Write(content)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		require.NotEmpty(t, check(out.Bytes()), name)
	}
}

func TestTables(t *testing.T) {
	_, records := verified(t)
	day := export.Options{Day: time.Now()}
	var b bytes.Buffer
	n, err := export.CSV(&b, records, day)
	require.NoError(t, err)
	require.Equal(t, 3, n.Households)
	text := b.String()
	require.True(t, strings.HasPrefix(text, "\ufeff"), "spreadsheets need the mark")
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff"))).ReadAll()
	require.NoError(t, err)
	require.Greater(t, len(rows), 3)
	for _, r := range records {
		for _, m := range r.Members {
			require.NotContains(t, text, m.Text("id_no"), "masked unless asked for")
		}
		require.NotContains(t, text, r.Household.Text("phone"))
	}
	require.NotContains(t, text, "说的和家里讲的差不多", "a neighbour's words are never exported")

	_, err = export.CSV(&bytes.Buffer{}, records, export.Options{Unmasked: true, Day: time.Now()})
	require.Error(t, err, "without a reason nothing is unmasked")
	b.Reset()
	_, err = export.CSV(&b, records, export.Options{Unmasked: true, Reason: "年度核查，报州民政局", Day: time.Now()})
	require.NoError(t, err)
	require.Contains(t, b.String(), records[0].Household.Text("phone"))

	b.Reset()
	_, err = export.XLSX(&b, records, day)
	require.NoError(t, err)
	f, err := excelize.OpenReader(&b)
	require.NoError(t, err)
	defer f.Close()
	require.NotEmpty(t, f.GetSheetList())
	b.Reset()
	n, err = export.JSONLines(&b, records, day)
	require.NoError(t, err)
	require.Equal(t, n.Households, strings.Count(b.String(), "\n"))
}

func TestMasks(t *testing.T) {
	require.Equal(t, "459921********0013", export.MaskID("459921195203150013"))
	require.Equal(t, "138****5678", export.MaskPhone("13812345678"))
	require.Equal(t, "韦**", export.MaskName("韦大山"))
	require.NotContains(t, export.MaskID("12345"), "345")
}

var small = sync.OnceValue(func() []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	e, _ := w.CreateHeader(&zip.FileHeader{Name: "manifest.cose", Method: zip.Store})
	_, _ = e.Write([]byte("x"))
	_ = w.Close()
	return out.Bytes()
})

func FuzzVerify(f *testing.F) {
	f.Add(small())
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if proof, faults := export.Verify(bytes.NewReader(data), int64(len(data)), make([]byte, 32)); proof != nil || len(faults) == 0 {
			t.Fatal("something was believed")
		}
	})
}
