package export_test

import (
	"bytes"
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

func TestANameThatNoFontHasIsSaid(t *testing.T) {
	c, records := verified(t)
	records[0].Household.Fields["name"] = store.Text("韦\U0002FA1D\U0001F600")
	n, err := export.Dossier(ctx, &bytes.Buffer{}, c.Office.Replica, each(records[:1]), export.Options{Unmasked: true, Reason: "归档", Day: time.Now()})
	require.NoError(t, err)
	require.Contains(t, n.NotDrawn, "\U0001F600", "a character that cannot be drawn is never left out in silence")
}
