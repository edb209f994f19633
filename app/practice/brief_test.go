package practice_test

import (
	"bytes"
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/exchange"
)

// A seam lets a test see and answer a client's requests.
type seam func(*http.Request) (*http.Response, error)

func (s seam) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

// wrote makes a change at a tablet.
func wrote(t *testing.T, node *practice.Node, note string) {
	t.Helper()
	list, err := node.Office.Replica.Entities(ctx, store.Query{Kind: store.Task, Limit: 1})
	require.NoError(t, err)
	_, err = node.Office.Replica.Write(ctx, node.People[0].ID, store.Edit{
		Kind: store.Task, Entity: list[0].ID, Division: list[0].Division, Fields: map[string]store.Value{"note": store.Text(note)},
	})
	require.NoError(t, err)
}

// Tablets are updated before their county now and then.
func TestAServerWithoutBriefRequestsIsAskedAsBefore(t *testing.T) { // invariant 9
	c := setUp(t, "tablet-a")
	node := c.Nodes["tablet-a"]
	wrote(t, node, "x")
	var asked []string
	client := node.Office.Client()
	client.Transport = seam(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.Path)
		if exchange.Brief(r.URL.Path) {
			out := httptest.NewRecorder()
			http.NotFound(out, r)
			return out.Result(), nil
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	report, err := client.Sync(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 1, report.BundlesUp)
	require.Equal(t, []string{"/v2/push", "/v1/push", "/v1/pull"}, asked[:3], "it is tried once")
	tip, err := node.Office.Replica.Tip(ctx, node.Office.Replica.Identity().Node)
	require.NoError(t, err)
	require.Equal(t, tip.Last, report.Receipt)
}

// What a brief bundle leaves out is what the county has. Where it has something else,
// the bundle is sent whole and nothing is lost.
func TestABriefBundleThatDoesNotFitIsSentWhole(t *testing.T) { // invariants 1 and 5
	c := setUp(t, "tablet-a")
	node := c.Nodes["tablet-a"]
	for _, note := range []string{"x", "y"} {
		wrote(t, node, note)
		_, err := node.Office.Merger.Seal(ctx, node.Office.NodeKey)
		require.NoError(t, err)
	}
	var asked []string
	client := node.Office.Client()
	client.Transport = seam(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.Path)
		if r.URL.Path == "/v2/push" { // the first bundle gets lost: the second follows nothing
			id := node.Office.Replica.Identity().Node
			own, err := node.Office.Replica.Bundles(ctx, store.BundleQuery{Node: &id})
			require.NoError(t, err)
			brief, ok := bundle.Shorten(own[len(own)-1], client.Key.Public().(ed25519.PublicKey), []string{own[0].Division})
			require.True(t, ok)
			body := exchange.Encode(exchange.PushBrief{exchange.Encode(brief)})
			proof, err := exchange.SignBrief(client.Key, r.Method, r.URL.Path, body, time.Now(), world.Real().Rand)
			require.NoError(t, err)
			again, err := http.NewRequest(r.Method, r.URL.String(), bytes.NewReader(append(proof, body...)))
			require.NoError(t, err)
			return http.DefaultTransport.RoundTrip(again)
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	report, err := client.Sync(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"/v2/push", "/v1/push"}, asked[:2])
	tip, err := node.Office.Replica.Tip(ctx, node.Office.Replica.Identity().Node)
	require.NoError(t, err)
	require.Equal(t, tip.Last, report.Receipt)
}

// A brief request proves itself as any other does.
func TestBriefRequestsAreProved(t *testing.T) { // invariant 3
	c := setUp(t, "tablet-a")
	of := c.Nodes["tablet-a"].Office
	body := exchange.Encode(exchange.Pull{Since: 1 << 40})
	proof := func(path string, at time.Time) []byte {
		p, err := exchange.SignBrief(of.NodeKey, http.MethodPost, path, body, at, world.Real().Rand)
		require.NoError(t, err)
		return append(p, body...)
	}
	ask := func(raw []byte) (int, string) {
		resp, err := http.Post(c.Address+"/v2/pull", "", bytes.NewReader(raw))
		require.NoError(t, err)
		defer resp.Body.Close()
		var said bytes.Buffer
		_, err = said.ReadFrom(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, said.String()
	}
	right := proof("/v2/pull", time.Now())
	status, _ := ask(right)
	require.Equal(t, http.StatusNoContent, status)
	for name, raw := range map[string][]byte{
		"replayed": right, "of another path": proof("/v2/push", time.Now()), "another body": append(proof("/v2/pull", time.Now())[:exchange.BriefProof], exchange.Encode(exchange.Pull{})...),
		"half a proof": right[:50], "another key": append(bytes.Repeat([]byte{7}, 8), proof("/v2/pull", time.Now())[8:]...), "nothing": nil,
	} {
		status, said := ask(raw)
		require.Equal(t, http.StatusUnauthorized, status, name)
		require.Contains(t, said, "link.unknown", name)
	}
	status, said := ask(proof("/v2/pull", time.Now().Add(-time.Hour)))
	require.Equal(t, http.StatusUnauthorized, status)
	require.True(t, strings.Contains(said, "link.clock"), said)
}
