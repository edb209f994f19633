package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/county"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

var kills = flag.Int("kills", 12, "how often the server is killed in the middle of pushes (make kills: 300)")

// TestNoAcknowledgedChangeIsLostByKilling kills the real process without warning at
// any moment of a stream of pushes. What the county's receipt covered before is there
// after every start (invariant 1).
func TestNoAcknowledgedChangeIsLostByKilling(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	c, err := practice.SetUp(ctx, world.Real(), dir, 24, "tablet-a")
	require.NoError(t, err)
	tablet := c.Nodes["tablet-a"]
	r, own := tablet.Office.Replica, tablet.Office.Replica.Identity().Node
	list, err := r.Entities(ctx, store.Query{Kind: store.Task, Limit: 1})
	require.NoError(t, err)
	task := list[0]
	listen, err := freeAddress()
	require.NoError(t, err)
	require.NoError(t, c.StopCounty())
	t.Cleanup(func() { tablet.Office.Close() })
	log := filepath.Join(dir, "server.log")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	client := tablet.Office.Client()
	client.Server = "http://" + listen
	client.Wait = func(ctx context.Context, _ time.Duration) error { return context.Canceled } // one try, as the line is dead
	acknowledged := uint64(0)
	for n := range *kills {
		server, err := startServer(ctx, filepath.Join(dir, "county"), listen, log)
		require.NoError(t, err)
		if acknowledged > 0 {
			require.Equal(t, "already", statusOf(t, tablet.Office, "http://"+listen, acknowledged), "kill %d: change %d was acknowledged", n, acknowledged)
		}
		left, after := 1+random.IntN(6), time.Duration(random.IntN(12_000))*time.Microsecond
		for {
			if left--; left == 0 {
				go func() {
					time.Sleep(after) // the moment is what is being tried
					server.kill()
				}()
			}
			_, err := r.Write(ctx, tablet.People[0].ID, store.Edit{
				Kind: store.Task, Entity: task.ID, Division: task.Division, Fields: map[string]store.Value{"note": store.Text(fmt.Sprint(random.Uint64()))},
			})
			require.NoError(t, err)
			report, err := client.Sync(ctx, nil)
			if err != nil {
				break
			}
			acknowledged = report.Receipt
		}
		<-server.done
	}
	require.Positive(t, acknowledged)
	server, err := startServer(ctx, filepath.Join(dir, "county"), listen, log)
	require.NoError(t, err)
	client.Wait = nil
	report, err := client.Sync(ctx, nil)
	require.NoError(t, err)
	require.NoError(t, server.stop())
	of, err := office.Open(ctx, world.Real(), filepath.Join(dir, "county"))
	require.NoError(t, err)
	defer of.Close()
	there, err := of.Replica.Tip(ctx, own)
	require.NoError(t, err)
	here, err := r.Tip(ctx, own)
	require.NoError(t, err)
	require.Equal(t, here, there)
	require.Equal(t, here.Last, report.Receipt)
	findings, err := of.Replica.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, findings)
}

// statusOf pushes the bundle that ends with a change once more.
func statusOf(t *testing.T, of *office.Office, server string, last uint64) string {
	t.Helper()
	ctx := context.Background()
	own := of.Replica.Identity().Node
	list, err := of.Replica.Bundles(ctx, store.BundleQuery{Node: &own, FromSeq: last, Limit: 1})
	require.NoError(t, err)
	body := exchange.Encode(exchange.Push{Bundles: [][]byte{bundle.Encode(list[0])}})
	head, err := exchange.Sign(of.NodeKey, own, http.MethodPost, "/v1/push", body, time.Now(), world.Real().Rand)
	require.NoError(t, err)
	req, err := http.NewRequest(http.MethodPost, server+"/v1/push", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", head)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var out exchange.Pushed
	require.NoError(t, exchange.Decode(answer, &out))
	return out.Outcomes[0].Status
}

// TestTheCountysOwnEncryption: a server without any public certificate is reached by
// whoever holds an invitation, and by nobody who expects another county.
func TestTheCountysOwnEncryption(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	data := filepath.Join(dir, "county")
	of, err := office.Found(ctx, world.Real(), data, "云栖县", "459921")
	require.NoError(t, err)
	listen, err := freeAddress()
	require.NoError(t, err)
	monitor, err := freeAddress()
	require.NoError(t, err)
	root, err := of.RootKey()
	require.NoError(t, err)
	invitations, err := newServer(of, ServeCmd{}.log(&Output{Err: io.Discard}))
	require.NoError(t, err)
	inv, _, err := invitations.Invite(ctx, county.InviteRequest{
		Server: "https://" + listen, Name: "平板（虚构）", Role: trust.Worker, Scope: []string{"459921100201"}, Valid: time.Hour,
		People: []exchange.Guest{{Name: "甲（虚构）"}},
	})
	require.NoError(t, err)
	require.NoError(t, of.Close())
	log := filepath.Join(dir, "server.log")
	server, err := startServer(ctx, data, listen, log, "--tls-root", "--verbose", "--monitor", monitor)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(server.Address, "https://"))

	// Another county's invitation to the same address.
	other, err := trust.NewRoot(world.Real())
	require.NoError(t, err)
	wrong := inv
	wrong.Root = trust.Fingerprint(other.Public())
	_, err = office.Look(ctx, world.Real(), wrong.Code())
	require.ErrorIs(t, err, trust.ErrServer)
	_, err = http.Get("https://" + listen + "/healthz")
	require.Error(t, err, "no public authority knows it")

	pin := func(exchange.Guest) (string, error) { return practice.PIN, nil }
	joined, err := office.Join(ctx, world.Real(), filepath.Join(dir, "tablet"), inv.Code(), pin)
	require.NoError(t, err)
	defer joined.Close()
	require.True(t, joined.Root.Equal(root.Public()))
	_, err = joined.Client().Sync(ctx, nil)
	require.NoError(t, err)

	for path, says := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": `ironfeet_requests_total{route="POST /v1/enrol",status="200"} 1`} {
		resp, err := http.Get("http://" + monitor + path)
		require.NoError(t, err)
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		resp.Body.Close()
		require.Contains(t, string(text), says)
		for _, secret := range []string{"虚构", uuid.UUID(joined.Replica.Identity().Node).String(), "459921100201"} {
			require.NotContains(t, string(text), secret, path)
		}
	}
	require.NoError(t, server.stop())

	// The county takes another root. Who enrolled under the old one follows, over the
	// same encryption; who comes new knows only the new one, and believes both.
	of, err = office.Open(ctx, world.Real(), data)
	require.NoError(t, err)
	next, err := of.RotateRoot(ctx)
	require.NoError(t, err)
	require.False(t, next.Equal(root.Public()))
	require.NoError(t, of.Close())
	of, err = office.Open(ctx, world.Real(), data)
	require.NoError(t, err)
	invitations, err = newServer(of, ServeCmd{}.log(&Output{Err: io.Discard}))
	require.NoError(t, err)
	inv, _, err = invitations.Invite(ctx, county.InviteRequest{
		Server: "https://" + listen, Name: "乡镇（虚构）", Role: trust.Township, Scope: []string{"459921100"}, Valid: time.Hour,
		People: []exchange.Guest{{Name: "乙（虚构）"}},
	})
	require.NoError(t, err)
	require.NoError(t, of.Close())
	server, err = startServer(ctx, data, listen, log, "--tls-root", "--verbose")
	require.NoError(t, err)
	_, err = joined.Client().Sync(ctx, nil)
	require.NoError(t, err)
	roll, err := joined.Merger.Roll(ctx)
	require.NoError(t, err)
	require.True(t, roll.IsRoot(next))
	require.Empty(t, roll.Faults())
	town, err := office.Join(ctx, world.Real(), filepath.Join(dir, "town"), inv.Code(), pin)
	require.NoError(t, err)
	defer town.Close()
	_, err = town.Client().Sync(ctx, nil)
	require.NoError(t, err)
	_, err = joined.Client().Sync(ctx, nil)
	require.NoError(t, err)
	for _, n := range []*office.Office{town, joined} {
		roll, err := n.Merger.Roll(ctx)
		require.NoError(t, err)
		require.Empty(t, roll.Faults())
		require.Len(t, roll.Nodes(), 3, "each knows the county and both machines")
		require.Len(t, roll.Roots(), 2)
	}
	held, err := town.Replica.HeldBundles(ctx)
	require.NoError(t, err)
	require.Empty(t, held)
	require.NoError(t, server.stop())

	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Contains(t, string(text), "route=\"POST /v1/enrol\"")
	for _, secret := range []string{"虚构", joined.Replica.Identity().Node.String(), "459921100201", inv.Token} {
		require.NotContains(t, string(text), secret)
	}
}
