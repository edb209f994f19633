package practice_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/exchange"
	"ironfeet/sync/relay"
	"ironfeet/sync/trust"
)

// "Nothing new" is one request and no more than 400 bytes both ways.
func TestNothingNewCostsLittle(t *testing.T) {
	c := setUp(t, "township", "tablet-a")
	for _, folder := range []string{"township", "tablet-a"} {
		client := c.Nodes[folder].Office.Client()
		_, err := client.Sync(ctx, nil)
		require.NoError(t, err)
		rep, err := client.Sync(ctx, nil)
		require.NoError(t, err)
		require.Zero(t, rep.BundlesDown)
		require.LessOrEqual(t, rep.BytesUp+rep.BytesDown, int64(400), folder)
	}
}

// raw sends a request byte by byte as it is told, and returns the connection.
func raw(t *testing.T, of *office.Office, address, method, path string, body []byte, header map[string]string) (net.Conn, []byte) {
	t.Helper()
	proof, err := exchange.Sign(of.NodeKey, of.Replica.Identity().Node, method, path, body, time.Now(), world.Real().Rand)
	require.NoError(t, err)
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	require.NoError(t, err)
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: county\r\nContent-Length: %d\r\nAuthorization: %s\r\n", method, path, len(body), proof)
	for k, v := range header {
		fmt.Fprintf(&head, "%s: %s\r\n", k, v)
	}
	head.WriteString("\r\n")
	return conn, head.Bytes()
}

// A photo whose sending breaks off goes on at the byte that the county has.
func TestWhatArrivedOfAPhotoCounts(t *testing.T) { // invariant 1
	c := setUp(t, "tablet-a")
	of := c.Nodes["tablet-a"].Office
	photo := bytes.Repeat([]byte("照片"), 50_000)
	ref, err := of.Replica.PutBlob(ctx, bytes.NewReader(photo), 1<<20)
	require.NoError(t, err)
	list, err := of.Replica.Entities(ctx, store.Query{Kind: store.Task, Limit: 1})
	require.NoError(t, err)
	_, err = of.Replica.Write(ctx, c.Nodes["tablet-a"].People[0].ID, store.Edit{
		Kind: store.Task, Entity: list[0].ID, Division: list[0].Division, Fields: map[string]store.Value{"note": store.Text("x")}, Blobs: []store.BlobRef{ref},
	})
	require.NoError(t, err)
	req, _ := request(t, of, of.NodeKey, c.Address, "/v1/push", exchange.Encode(exchange.Push{Bundles: own(t, of)}))
	status, _, _ := do(t, req)
	require.Equal(t, http.StatusOK, status)

	tus := map[string]string{
		"Tus-Resumable": "1.0.0", "Upload-Length": strconv.Itoa(len(photo)), "Content-Type": "application/offset+octet-stream",
		"Upload-Metadata": "digest " + base64.StdEncoding.EncodeToString([]byte(ref.Digest.String())),
	}
	conn, head := raw(t, of, c.Address, http.MethodPost, "/v1/uploads/", photo, tus)
	_, err = conn.Write(append(head, photo[:123_456]...))
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	path := "/v1/uploads/" + ref.Digest.String()
	require.Eventually(t, func() bool {
		conn, head := raw(t, of, c.Address, http.MethodHead, path, nil, map[string]string{"Tus-Resumable": "1.0.0", "Connection": "close"})
		defer conn.Close()
		_, err := conn.Write(head)
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		return strings.Contains(string(answer), "Upload-Offset: 123456")
	}, 10*time.Second, 50*time.Millisecond)

	// One byte of the rest is another: the whole is not what its name says, and is
	// thrown away to be sent again.
	bad := bytes.Clone(photo[123_456:])
	bad[7] ^= 1
	status, _ = send(t, of, c.Address, http.MethodPatch, path, bad, map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "123456", "Content-Type": "application/offset+octet-stream"})
	require.Equal(t, http.StatusUnprocessableEntity, status)
	here, err := c.Office.Replica.HasBlob(ctx, ref.Digest)
	require.NoError(t, err)
	require.False(t, here)

	rep, err := of.Client().Sync(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 1, rep.PhotosUp)
	here, err = c.Office.Replica.HasBlob(ctx, ref.Digest)
	require.NoError(t, err)
	require.True(t, here)
}

func send(t *testing.T, of *office.Office, address, method, path string, body []byte, header map[string]string) (int, []byte) {
	t.Helper()
	header["Connection"] = "close"
	conn, head := raw(t, of, address, method, path, body, header)
	defer conn.Close()
	_, err := conn.Write(append(head, body...))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	var status int
	_, err = fmt.Sscanf(string(answer), "HTTP/1.1 %d", &status)
	require.NoError(t, err)
	return status, answer
}

// Through a line that is slow, late and resets, everything arrives, and little is
// carried twice.
func TestALineThatResets(t *testing.T) { // invariant 1
	c := setUp(t, "tablet-a")
	of := c.Nodes["tablet-a"].Office
	list, err := of.Replica.Entities(ctx, store.Query{Kind: store.Task, Limit: 1})
	require.NoError(t, err)
	total := 0
	var refs []store.BlobRef
	for i := range 4 {
		photo := bytes.Repeat([]byte{byte(i), 7}, 90_000)
		ref, err := of.Replica.PutBlob(ctx, bytes.NewReader(photo), 1<<20)
		require.NoError(t, err)
		refs, total = append(refs, ref), total+len(photo)
	}
	_, err = of.Replica.Write(ctx, c.Nodes["tablet-a"].People[0].ID, store.Edit{
		Kind: store.Task, Entity: list[0].ID, Division: list[0].Division, Fields: map[string]store.Value{"note": store.Text("x")}, Blobs: refs,
	})
	require.NoError(t, err)
	link, err := relay.New(strings.TrimPrefix(c.Address, "http://"))
	require.NoError(t, err)
	defer link.Close()
	link.Slow(4<<20, 2*time.Millisecond)
	for range 4 {
		link.CutAfter(150_000)
	}
	client := of.Client()
	client.World.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, link.Addr())
	}
	states := func() (said []string) {
		list, err := client.PhotoStates(ctx)
		require.NoError(t, err)
		for _, p := range list {
			said = append(said, p.State)
		}
		return said
	}
	require.Equal(t, []string{"waiting", "waiting", "waiting", "waiting"}, states())
	rep, err := client.Sync(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"delivered", "delivered", "delivered", "delivered"}, states())
	require.Equal(t, 4, rep.PhotosUp)
	require.Equal(t, 4, link.Cuts())
	up, _ := link.Bytes()
	require.Less(t, float64(up), 1.10*float64(total), "bytes through the line")
}

// A stranger, whatever he sends, and however slowly, gets nothing and holds up
// nobody.
func TestStrangersHoldUpNobody(t *testing.T) { // invariant 10
	c := setUp(t, "tablet-a")
	of := c.Nodes["tablet-a"].Office
	address := strings.TrimPrefix(c.Address, "http://")

	// Hundreds of connections that say nothing, or half a header.
	for i := range 200 {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST /v1/push HTTP/1.1\r\nHost: x\r\nX-Slow: %d", i)
		require.NoError(t, err)
	}
	// A body of a gigabyte that is announced and never asked for.
	for _, path := range []string{"/v1/push", "/v1/pull", "/v1/ask", "/v1/enrol", "/v1/uploads/", "/v1/photos"} {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		defer conn.Close()
		_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n", path)
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
		answer, err := io.ReadAll(conn)
		require.NoError(t, err, "the answer comes before the body, and the line is closed")
		require.Contains(t, string(answer), "HTTP/1.1 413", path)
		for _, said := range []string{"云栖", "459921", "link.unknown"} {
			require.NotContains(t, string(answer), said)
		}
	}
	// Who is enrolled is served meanwhile.
	_, err := of.Client().Sync(ctx, nil)
	require.NoError(t, err)

	// Guessing at invitations is slow.
	busy := 0
	for range 60 {
		resp, err := http.Post(c.Address+"/v1/ask", exchange.MediaType, bytes.NewReader(exchange.Encode(exchange.Ask{Token: "0000-0000-0000"})))
		require.NoError(t, err)
		resp.Body.Close()
		if resp.StatusCode == http.StatusTooManyRequests {
			busy++
		}
	}
	require.Positive(t, busy)
}

// A machine's next key is certified; what the old one signs behind the new one's first
// bundle is set aside, and the machine itself goes on as before.
func TestAMachineTakesANewKey(t *testing.T) { // invariants 1 and 3
	c := setUp(t, "tablet-a")
	of := c.Nodes["tablet-a"].Office
	old := of.NodeKey
	list, err := of.Replica.Entities(ctx, store.Query{Kind: store.Task, Limit: 1})
	require.NoError(t, err)
	write := func(note string) {
		_, err := of.Replica.Write(ctx, c.Nodes["tablet-a"].People[0].ID, store.Edit{
			Kind: store.Task, Entity: list[0].ID, Division: list[0].Division, Fields: map[string]store.Value{"note": store.Text(note)},
		})
		require.NoError(t, err)
	}
	note := func() string {
		e, err := c.Office.Replica.Entity(ctx, list[0].ID)
		require.NoError(t, err)
		return e.Text("note")
	}
	write("with the old key")
	require.NoError(t, of.Renew(ctx))
	require.NotEqual(t, old, of.NodeKey)
	_, err = of.Client().Sync(ctx, nil)
	require.NoError(t, err)
	write("with the new key")
	rep, err := of.Client().Sync(ctx, nil)
	require.NoError(t, err)
	require.Zero(t, rep.Refused)
	require.Equal(t, "with the new key", note())

	// Who has a copy of the old key.
	write("by a thief")
	_, err = of.Merger.Seal(ctx, old)
	require.NoError(t, err)
	rep, err = of.Client().Sync(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 1, rep.Refused)
	require.Equal(t, "with the new key", note())
	held, err := c.Office.Replica.HeldBundles(ctx)
	require.NoError(t, err)
	require.Len(t, held, 1)
	require.Equal(t, string(trust.OldKey), held[0].Reason)
}
