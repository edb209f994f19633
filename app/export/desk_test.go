package export_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/export"
	"ironfeet/app/practice"
	"ironfeet/store/audit"
	"ironfeet/sync/trust"
)

func desk(t *testing.T) (*practice.County, *export.Desk) {
	t.Helper()
	c, _ := verified(t)
	log, err := audit.Open(ctx, audit.Options{World: c.Office.World, Dir: t.TempDir(), Sealer: c.Office.Replica, Key: c.Office.NodeKey, Name: "ironfeet.audit/459921"})
	require.NoError(t, err)
	t.Cleanup(func() { log.Close() })
	require.NoError(t, c.Office.Replica.SetSetting(ctx, "export.requests", []byte("[]")))
	return c, &export.Desk{World: c.Office.World, Replica: c.Office.Replica, Audit: log, NodeKey: c.Office.NodeKey, Root: c.Office.Root, Dir: t.TempDir()}
}

func actions(t *testing.T, d *export.Desk) string {
	t.Helper()
	list, err := d.Audit.Entries(ctx, audit.Query{})
	require.NoError(t, err)
	var out []string
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, list[i].Action)
	}
	return strings.Join(out, " ")
}

func TestAnExportFromTheWishToTheFile(t *testing.T) {
	_, d := desk(t)
	q, err := d.Ask(ctx, export.Request{By: "clerk", ByName: "经办", Role: "county", Format: "csv"})
	require.NoError(t, err)
	require.Equal(t, export.Approved, q.State, "a masked table needs nobody's leave")
	q, err = d.Run(ctx, q.ID)
	require.NoError(t, err)
	require.Equal(t, export.Ready, q.State)
	require.Equal(t, 3, q.Rows)
	f, q, err := d.Fetch(ctx, q.ID, "clerk", "county", true)
	require.NoError(t, err)
	defer f.Close()
	whole, err := io.ReadAll(f)
	require.NoError(t, err)
	require.Len(t, whole, int(q.Size))
	sum := sha256.Sum256(whole)
	require.Equal(t, hex.EncodeToString(sum[:]), q.Digest)
	require.Equal(t, "export_asked export download", actions(t, d))
	list, err := d.Audit.Entries(ctx, audit.Query{Action: audit.Export})
	require.NoError(t, err)
	require.Equal(t, sum[:], list[0].Digest, "the log holds the digest of what left")
	require.Equal(t, int64(3), list[0].Count)

	// Nothing personal lies plain in the folder, masked or not.
	raw, err := os.ReadFile(filepath.Join(d.Dir, "exports", q.ID.String()))
	require.NoError(t, err)
	require.NotContains(t, string(raw), "村（居）代码")

	_, _, err = d.Expire(ctx, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	files, size, err := d.Expire(ctx, time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1, files)
	require.Equal(t, q.Size, size)
	_, _, err = d.Fetch(ctx, q.ID, "clerk", "county", true)
	require.ErrorContains(t, err, "no longer kept")
}

func TestAnInterruptedDownloadGoesOn(t *testing.T) {
	_, d := desk(t)
	q, err := d.Ask(ctx, export.Request{By: "clerk", Format: "evidence", Reason: "复议", Recipient: "州民政局"})
	require.NoError(t, err)
	require.NoError(t, d.Answer(ctx, q.ID, "guardian", trust.ChildApprover, true, "同意"))
	q, err = d.Run(ctx, q.ID)
	require.NoError(t, err)
	require.Greater(t, q.Size, int64(200_000), "several pieces")
	f, _, err := d.Fetch(ctx, q.ID, "clerk", "county", true)
	require.NoError(t, err)
	first := make([]byte, 100_000)
	_, err = io.ReadFull(f, first)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	f, _, err = d.Fetch(ctx, q.ID, "clerk", "county", false)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Seek(100_000, io.SeekStart)
	require.NoError(t, err)
	rest, err := io.ReadAll(f)
	require.NoError(t, err)
	whole := append(first, rest...)
	sum := sha256.Sum256(whole)
	require.Equal(t, q.Digest, hex.EncodeToString(sum[:]))
	_, faults := export.Verify(bytes.NewReader(whole), int64(len(whole)), d.Root)
	require.Empty(t, faults)
	require.Equal(t, "export_asked export_approved export download", actions(t, d), "going on is no second download")
}

func TestTwoPersonsForPersonalData(t *testing.T) {
	for _, test := range []struct {
		name   string
		q      export.Request
		who    string
		role   trust.Role
		yes    bool
		asked  string // error of asking
		answer string // error of answering
	}{
		{"no reason", export.Request{Format: "csv", Unmasked: true, Recipient: "州"}, "", "", true, "reason", ""},
		{"no recipient", export.Request{Format: "csv", Unmasked: true, Reason: "报送"}, "", "", true, "recipient", ""},
		{"whoever asked agrees", export.Request{Format: "csv", Unmasked: true, Reason: "报送", Recipient: "州"}, "clerk", trust.Approver, true, "", "another person"},
		{"a clerk agrees", export.Request{Format: "csv", Unmasked: true, Reason: "报送", Recipient: "州"}, "other", trust.County, true, "", "another person"},
		{"an approver agrees", export.Request{Format: "csv", Unmasked: true, Reason: "报送", Recipient: "州"}, "boss", trust.Approver, true, "", ""},
		{"an approver agrees to children's data", export.Request{Format: "csv", Children: true, Reason: "报送", Recipient: "州"}, "boss", trust.Approver, true, "", "another person"},
		{"the child-data approver does", export.Request{Format: "csv", Children: true, Reason: "报送", Recipient: "州"}, "guardian", trust.ChildApprover, true, "", ""},
		{"an approver refuses", export.Request{Format: "pdf", Unmasked: true, Reason: "报送", Recipient: "州"}, "boss", trust.Approver, false, "", ""},
		{"a format that is none", export.Request{Format: "exe"}, "", "", true, "format", ""},
		{"a template that is none", export.Request{Format: "csv", Template: "../../etc/passwd"}, "", "", true, "template", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, d := desk(t)
			test.q.By = "clerk"
			q, err := d.Ask(ctx, test.q)
			if test.asked != "" {
				require.ErrorContains(t, err, test.asked)
				require.Empty(t, actions(t, d))
				return
			}
			require.NoError(t, err)
			require.Equal(t, export.Waiting, q.State)
			_, err = d.Run(ctx, q.ID)
			require.ErrorContains(t, err, "waiting", "nothing is made before the answer")
			err = d.Answer(ctx, q.ID, test.who, test.role, test.yes, "")
			if test.answer != "" {
				require.ErrorContains(t, err, test.answer)
				return
			}
			require.NoError(t, err)
			_, err = d.Run(ctx, q.ID)
			if !test.yes {
				require.ErrorContains(t, err, "refused")
				return
			}
			require.NoError(t, err)
			require.Error(t, d.Answer(ctx, q.ID, test.who, test.role, false, ""), "answered once")
		})
	}
}
