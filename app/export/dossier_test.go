package export_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/export"
	"ironfeet/store"
)

// TestDossier writes the pages it made to IRONFEET_PICTURES, to be looked at.
func TestDossier(t *testing.T) {
	c, records := verified(t)
	for name, o := range map[string]export.Options{
		"masked": {}, "full": {Unmasked: true, Reason: "归档"}, "children": {Unmasked: true, Children: true, Reason: "未保归档"},
	} {
		var b bytes.Buffer
		o.Day = time.Now()
		n, err := export.Dossier(ctx, &b, c.Office.Replica, each(records), o)
		require.NoError(t, err)
		require.Equal(t, 3, n.Households)
		require.GreaterOrEqual(t, n.Pages, 6)
		require.Empty(t, n.NotDrawn)
		require.True(t, strings.HasPrefix(b.String(), "%PDF-"))
		if o.Children {
			require.Zero(t, n.MinorsLeftOut)
		} else {
			require.NotZero(t, n.MinorsLeftOut)
		}
		if dir := os.Getenv("IRONFEET_PICTURES"); dir != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "dossier-"+name+".pdf"), b.Bytes(), 0o600))
		}
	}
	_, err := export.Dossier(ctx, &bytes.Buffer{}, c.Office.Replica, each(nil), export.Options{Day: time.Now()})
	require.ErrorContains(t, err, "no household")
	_, err = export.Dossier(ctx, &bytes.Buffer{}, c.Office.Replica, each(records), export.Options{Unmasked: true, Day: time.Now()})
	require.ErrorIs(t, err, export.ErrNoReason)
}

// TestADossierInVolumes: what does not fit into one PDF is several, in one ZIP, each
// whole by itself and no household twice.
func TestADossierInVolumes(t *testing.T) {
	c, records := verified(t)
	var five []export.Record
	for i := range 5 {
		five = append(five, records[i%len(records)])
	}
	five[4].Household.Fields["name"] = store.Text("韦\U0001F600")
	t.Cleanup(func() { five[4].Household.Fields["name"] = store.Text("韦某") })
	for _, test := range []struct{ size, volumes int }{{2, 3}, {4, 2}, {5, 1}, {1, 5}} {
		var out bytes.Buffer
		n, err := export.Dossier(ctx, &out, c.Office.Replica, each(five), export.Options{Unmasked: true, Reason: "归档", Day: time.Now(), Volume: test.size})
		require.NoError(t, err)
		require.Equal(t, 5, n.Households)
		require.Equal(t, test.volumes, n.Volumes)
		require.NotEmpty(t, n.NotDrawn)
		if test.volumes == 1 {
			require.True(t, strings.HasPrefix(out.String(), "%PDF-"))
			continue
		}
		shelf, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
		require.NoError(t, err)
		require.Len(t, shelf.File, test.volumes)
		for i, f := range shelf.File {
			require.Equal(t, fmt.Sprintf("dossier-%03d.pdf", i+1), f.Name)
			r, err := f.Open()
			require.NoError(t, err)
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(text), "%PDF-"))
			require.Contains(t, string(text[len(text)-32:]), "%%EOF")
		}
	}
}

func TestANameThatNoFontHasIsSaid(t *testing.T) {
	c, records := verified(t)
	records[0].Household.Fields["name"] = store.Text("韦\U0002FA1D\U0001F600")
	n, err := export.Dossier(ctx, &bytes.Buffer{}, c.Office.Replica, each(records[:1]), export.Options{Unmasked: true, Reason: "归档", Day: time.Now()})
	require.NoError(t, err)
	require.Contains(t, n.NotDrawn, "\U0001F600", "a character that cannot be drawn is never left out in silence")
}
