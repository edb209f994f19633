package practice_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/store/world"
	"ironfeet/sync/county"
	"ironfeet/sync/exchange"
)

// A pipeline is a network in memory, whose deadlines follow the test's clock.
type pipeline chan net.Conn

func (p pipeline) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	p <- there
	return here, nil
}

func (p pipeline) Accept() (net.Conn, error) {
	if conn, open := <-p; open {
		return conn, nil
	}
	return nil, net.ErrClosed
}

func (p pipeline) Close() error { close(p); return nil }
func (pipeline) Addr() net.Addr { return &net.TCPAddr{} }

// Who sends his header or his body byte by byte is cut off, a stranger within seconds
// and an enrolled tablet within two minutes; everybody else is served all the while
// (invariant 10).
func TestWhoDripsIsCut(t *testing.T) {
	c := setUp(t, "tablet-a")
	root, err := c.Office.RootKey()
	require.NoError(t, err)
	server, err := county.New(county.Options{
		World: world.Real(), Replica: c.Office.Replica, Merger: c.Office.Merger, Root: root, NodeKey: c.Office.NodeKey,
		Dir: filepath.Join(t.TempDir(), "county"), Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	of := c.Nodes["tablet-a"].Office
	body := exchange.Encode(exchange.Pull{Since: 1 << 40})
	signedHead := func(path string, length int) string {
		proof, err := exchange.Sign(of.NodeKey, of.Replica.Identity().Node, http.MethodPost, path, body, time.Now(), world.Real().Rand)
		require.NoError(t, err)
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n", path, proof, length)
	}
	for _, test := range []struct {
		name string
		head func() string // sent at once; then a byte a second
		cut  time.Duration // at the latest
	}{
		{"a stranger's header", func() string { return "POST /v1/push HTTP/1.1\r\nHost: x\r\nX-Slow: " }, 15 * time.Second},
		{"a stranger's header that never ends its first line", func() string { return "POST /" }, 15 * time.Second},
		{"a stranger's body", func() string { return "POST /v1/ask HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" }, 125 * time.Second},
		{"a small body of a tablet", func() string { return signedHead("/v1/pull", 1000) }, 125 * time.Second},
		{"a large body of a tablet", func() string { return signedHead("/v1/push", exchange.MaxPush) }, 125 * time.Second},
		{"a photo of a tablet", func() string { return signedHead("/v1/uploads/", exchange.MaxPiece) }, 125 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wire := make(pipeline)
				h := server.HTTP()
				go h.Serve(wire) // ends with Close
				conn, err := wire.dial(t.Context(), "", "")
				require.NoError(t, err)
				go io.Copy(io.Discard, conn) // whatever is answered, he goes on
				began := time.Now()
				cut := make(chan time.Duration, 1)
				go func() {
					_, err := conn.Write([]byte(test.head()))
					for err == nil {
						time.Sleep(time.Second)
						_, err = conn.Write([]byte("x"))
					}
					cut <- time.Since(began)
				}()

				client := http.Client{Transport: &http.Transport{DialContext: wire.dial}, Timeout: 5 * time.Second}
				defer client.CloseIdleConnections()
				served := 0
				for dripped := time.Duration(0); dripped == 0; {
					time.Sleep(7 * time.Second)
					req, err := http.NewRequest(http.MethodPost, "http://county/v1/pull", bytes.NewReader(body))
					require.NoError(t, err)
					proof, err := exchange.Sign(of.NodeKey, of.Replica.Identity().Node, http.MethodPost, "/v1/pull", body, time.Now(), world.Real().Rand)
					require.NoError(t, err)
					req.Header.Set("Authorization", proof)
					resp, err := client.Do(req)
					require.NoError(t, err, "another tablet meanwhile")
					resp.Body.Close()
					require.Equal(t, http.StatusNoContent, resp.StatusCode)
					served++
					select {
					case dripped = <-cut:
						require.LessOrEqual(t, dripped, test.cut)
					default:
						require.Less(t, time.Since(began), test.cut+8*time.Second, "never cut")
					}
				}
				require.Positive(t, served)
				client.CloseIdleConnections()
				require.NoError(t, h.Close())
				require.NoError(t, conn.Close())
				time.Sleep(time.Second) // what tus leaves behind
			})
		})
	}
}
