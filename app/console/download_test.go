package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/export"
	"ironfeet/store/audit"
)

// ready asks for an export in the console, has the guardian agree, and waits for it.
func (h *house) ready(t testing.TB, form url.Values) export.Request {
	t.Helper()
	status, _, _ := h.in(t, "clerk").post("exports", form)
	require.Equal(t, http.StatusSeeOther, status)
	list, err := h.console.Desk.List(ctx)
	require.NoError(t, err)
	q := list[0]
	if q.State == export.Waiting {
		status, _, _ = h.in(t, "guardian").post("exports/"+q.ID.String()+"/answer", url.Values{"answer": {"approve"}, "words": {"同意"}})
		require.Equal(t, http.StatusSeeOther, status)
	}
	require.Eventually(t, func() bool {
		q, err = h.console.Desk.Get(ctx, q.ID)
		return err == nil && q.State == export.Ready
	}, 20*time.Second, 10*time.Millisecond)
	return q
}

// downloads are the entries of who began to download an export.
func (h *house) downloads(t testing.TB, id uuid.UUID) (n int) {
	t.Helper()
	list, err := h.audit.Entries(ctx, audit.Query{Action: audit.Download, Limit: 1000})
	require.NoError(t, err)
	for _, e := range list {
		if e.Object == id.String() {
			n++
		}
	}
	return n
}

// asked is one request for a file with headers, as a download manager makes it.
func (v *visitor) asked(path string, headers ...string) *http.Response {
	v.t.Helper()
	req, err := http.NewRequest(http.MethodGet, v.url(path), nil)
	require.NoError(v.t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := v.client.Do(req)
	require.NoError(v.t, err)
	return resp
}

// TestALineThatIsCutInADownload: the connection is torn again and again; asked for
// the rest of what it has (Range, If-Range), the server goes on, and the pieces are
// the file byte for byte.
func TestALineThatIsCutInADownload(t *testing.T) {
	h := open(t)
	q := h.ready(t, url.Values{"format": {"evidence"}, "reason": {"复议"}, "recipient": {"法院"}})
	require.Greater(t, q.Size, int64(500_000))
	clerk, file := h.in(t, "clerk"), "exports/"+q.ID.String()+"/file"
	resp := clerk.asked(file)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "bytes", resp.Header.Get("Accept-Ranges"))
	require.Equal(t, q.Size, resp.ContentLength, "how much there is to come is said at once")
	tag := resp.Header.Get("ETag")
	require.Equal(t, `"`+q.Digest+`"`, tag)
	got := make([]byte, 100_001)
	_, err := io.ReadFull(resp.Body, got)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close()) // cut
	for cuts := 0; int64(len(got)) < q.Size; cuts++ {
		require.Less(t, cuts, 20)
		clerk.client.CloseIdleConnections()
		resp := clerk.asked(file, "Range", fmt.Sprintf("bytes=%d-", len(got)), "If-Range", tag)
		require.Equal(t, http.StatusPartialContent, resp.StatusCode)
		require.Equal(t, fmt.Sprintf("bytes %d-%d/%d", len(got), q.Size-1, q.Size), resp.Header.Get("Content-Range"))
		more, err := io.ReadAll(io.LimitReader(resp.Body, 150_000))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		got = append(got, more...)
	}
	sum := sha256.Sum256(got)
	require.Equal(t, q.Digest, hex.EncodeToString(sum[:]))
	require.Equal(t, 1, h.downloads(t, q.ID), "cut and gone on with, it is one download")

	// Of another file no rest is sent: it begins anew, and that is said.
	resp = clerk.asked(file, "Range", "bytes=100001-", "If-Range", `"another"`)
	whole, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, got, whole)
	for _, bad := range []string{fmt.Sprintf("bytes=%d-", q.Size), "bytes=9-1", "bytes=abc"} {
		resp = clerk.asked(file, "Range", bad)
		resp.Body.Close()
		require.Equal(t, http.StatusRequestedRangeNotSatisfiable, resp.StatusCode, bad)
	}

	// Nobody gets the larger part of a file unseen by asking for it from its second byte.
	guardian := h.in(t, "guardian")
	resp = guardian.asked(file, "Range", "bytes=1-")
	resp.Body.Close()
	require.Equal(t, http.StatusPartialContent, resp.StatusCode)
	require.Equal(t, 2, h.downloads(t, q.ID))
}

// TestWhatRulesAnEvidencePackage: it cannot be masked and so leaves with a reason, a
// recipient and a second person; with what concerns children and what neighbours said
// only by the child-data approver, and all of it is on record.
func TestWhatRulesAnEvidencePackage(t *testing.T) { // domain.md §1
	h := open(t)
	clerk := h.in(t, "clerk")
	for _, short := range []url.Values{
		{"format": {"evidence"}, "recipient": {"法院"}}, {"format": {"evidence"}, "reason": {"复议"}}, {"format": {"evidence"}, "reason": {" "}, "recipient": {"法院"}},
	} {
		status, _, _ := clerk.post("exports", short)
		require.Equal(t, http.StatusUnprocessableEntity, status, "%v", short)
	}
	for _, login := range []string{"auditor", "admin", "town"} {
		status, _, _ := h.in(t, login).post("exports", url.Values{"format": {"evidence"}, "reason": {"复议"}, "recipient": {"法院"}})
		require.Equal(t, http.StatusForbidden, status, login)
	}
	// Asked for by the guardian herself, nobody else may agree, and she neither.
	guardian := h.in(t, "guardian")
	status, _, _ := guardian.post("exports", url.Values{"format": {"evidence"}, "children": {"yes"}, "reason": {"复议"}, "recipient": {"法院"}})
	require.Equal(t, http.StatusSeeOther, status)
	list, err := h.console.Desk.List(ctx)
	require.NoError(t, err)
	own := "exports/" + list[0].ID.String()
	for _, login := range []string{"guardian", "boss"} {
		status, _, _ = h.in(t, login).post(own+"/answer", url.Values{"answer": {"approve"}})
		require.Equal(t, http.StatusUnprocessableEntity, status, login)
	}
	status, _ = guardian.get(own + "/file")
	require.Equal(t, http.StatusUnprocessableEntity, status, "there is no file before somebody agreed")

	// Without the protected parts an approver's word is enough, and they are not in it.
	status, _, _ = clerk.post("exports", url.Values{"format": {"evidence"}, "reason": {"抽查"}, "recipient": {"州民政局"}})
	require.Equal(t, http.StatusSeeOther, status)
	list, err = h.console.Desk.List(ctx)
	require.NoError(t, err)
	plain := list[0].ID
	require.False(t, list[0].Children)
	status, _, _ = h.in(t, "boss").post("exports/"+plain.String()+"/answer", url.Values{"answer": {"approve"}})
	require.Equal(t, http.StatusSeeOther, status)
	require.Eventually(t, func() bool {
		got, err := h.console.Desk.Get(ctx, plain)
		return err == nil && got.State == export.Ready
	}, 20*time.Second, 10*time.Millisecond)
	got, err := h.console.Desk.Get(ctx, plain)
	require.NoError(t, err)
	require.NotContains(t, got.Said, " 0 protected parts withheld")

	q := h.ready(t, url.Values{"format": {"evidence"}, "children": {"yes"}, "reason": {"行政复议第三号"}, "recipient": {"县法院"}})
	for login, want := range map[string]int{"clerk": http.StatusOK, "guardian": http.StatusOK, "boss": http.StatusOK, "auditor": http.StatusForbidden, "admin": http.StatusForbidden, "town": http.StatusForbidden} {
		status, _ := h.in(t, login).get("exports/" + q.ID.String() + "/file")
		require.Equal(t, want, status, login)
	}
	require.Equal(t, 3, h.downloads(t, q.ID), "each of them is on record, those who may not have left none")
	entry := h.newest(t, audit.Export)
	require.Equal(t, q.ID.String(), entry.Object)
	require.Equal(t, q.Digest, hex.EncodeToString(entry.Digest))
	require.Equal(t, int64(q.Rows), entry.Count)
	detail, err := h.audit.Detail(ctx, entry.N)
	require.NoError(t, err)
	guard, err := h.book.List(ctx)
	require.NoError(t, err)
	for _, a := range guard {
		if a.Login == "guardian" {
			require.Equal(t, a.Person.String(), detail["approved_by"])
		}
	}
	require.Equal(t, "行政复议第三号", detail["reason"])
	require.Equal(t, "县法院", detail["recipient"])
	require.Equal(t, "true", detail["children"])
	_, body := clerk.get("exports")
	require.Contains(t, body, "含儿童信息", "the list says what it holds")
}
