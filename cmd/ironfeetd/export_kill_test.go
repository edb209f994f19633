package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/console"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/app/practice"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// TestTheServerIsKilledDuringAnExport: the real process ends without warning while
// it makes a workbook. Started again it makes it anew by itself; the clerk, still
// signed in or not, finds it ready, whole, and once in the audit log; a download that
// the kill cut goes on at its byte.
func TestTheServerIsKilledDuringAnExport(t *testing.T) {
	ctx := context.Background()
	base := t.TempDir()
	dir := filepath.Join(base, "county")
	of, err := practice.Large(ctx, world.Real(), dir, 2500)
	require.NoError(t, err)
	_, err = accounts.Of(of).Add(ctx, accounts.Account{Login: "clerk", Name: "经办（虚构）", Role: trust.County}, longPassword)
	require.NoError(t, err)
	require.NoError(t, of.Close())
	listen, err := freeAddress()
	require.NoError(t, err)
	var server *serverProcess
	var client *http.Client
	start := func() {
		server, err = startServer(ctx, dir, listen, filepath.Join(base, "server.log"))
		require.NoError(t, err)
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		client = &http.Client{Jar: jar}
		resp, err := client.PostForm(server.Address+console.Base+"login", url.Values{"login": {"clerk"}, "password": {longPassword}})
		require.NoError(t, err)
		resp.Body.Close()
		require.Equal(t, http.StatusOK, resp.StatusCode)
	}
	get := func(path string, headers ...string) *http.Response {
		req, err := http.NewRequest(http.MethodGet, server.Address+path, nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Language", "zh")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		resp, err := client.Do(req)
		require.NoError(t, err)
		return resp
	}
	page := func() string {
		resp := get(console.Base + "exports")
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(body)
	}
	state := func() export.Request {
		of, err := office.Open(ctx, world.Real(), dir)
		require.NoError(t, err)
		defer of.Close()
		desk := &export.Desk{World: of.World, Replica: of.Replica, Dir: dir}
		list, err := desk.List(ctx)
		require.NoError(t, err)
		require.NotEmpty(t, list)
		if list[0].State != export.Ready {
			_, _, err := desk.Fetch(ctx, list[0].ID, "clerk", "county", true)
			require.Error(t, err, "half a file is offered to nobody")
		}
		return list[0]
	}

	start()
	var q export.Request
	for try := 0; ; try++ { // until the kill falls into the work
		require.Less(t, try, 10, "no kill met a running export")
		resp, err := client.PostForm(server.Address+console.Base+"exports", url.Values{"format": {"xlsx"}, "status": {"registered"}})
		require.NoError(t, err)
		resp.Body.Close()
		server.kill()
		<-server.done
		if q = state(); q.State == export.Running || q.State == export.Approved {
			break
		}
		start()
	}
	tried := q.State == export.Running
	start()
	require.Eventually(t, func() bool { return strings.Contains(page(), q.ID.String()+"/file") }, 30*time.Second, 20*time.Millisecond)

	// The download is cut by another kill, and goes on at the server started anew.
	file := console.Base + "exports/" + q.ID.String() + "/file"
	resp := get(file)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	got := make([]byte, 65_537)
	_, err = io.ReadFull(resp.Body, got)
	require.NoError(t, err)
	tag, size := resp.Header.Get("ETag"), resp.ContentLength
	server.kill()
	<-server.done
	resp.Body.Close()
	start()
	resp = get(file, "Range", fmt.Sprintf("bytes=%d-", len(got)), "If-Range", tag)
	require.Equal(t, http.StatusPartialContent, resp.StatusCode)
	rest, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	require.NoError(t, err)
	got = append(got, rest...)
	require.Len(t, got, int(size))
	sum := sha256.Sum256(got)
	require.Equal(t, tag, `"`+hex.EncodeToString(sum[:])+`"`)
	require.NoError(t, server.stop())

	q = state()
	require.Equal(t, export.Ready, q.State)
	require.Contains(t, q.Said, "2500 households")
	of, err = office.Open(ctx, world.Real(), dir)
	require.NoError(t, err)
	defer of.Close()
	log, err := openAudit(ctx, of)
	require.NoError(t, err)
	defer log.Close()
	list, err := log.Entries(ctx, audit.Query{Limit: 1000})
	require.NoError(t, err)
	times := map[string]int{}
	for _, e := range list {
		if e.Object == q.ID.String() {
			times[e.Action]++
		}
	}
	want := map[string]int{audit.ExportAsked: 1, audit.Export: 1, audit.Download: 1}
	if tried {
		want[audit.ExportAgain] = 1
	}
	require.Equal(t, want, times, "everything is said once")
	found, err := log.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
}
