package practice_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/carrier"
	"ironfeet/sync/exchange"
	"ironfeet/sync/relay"
	"ironfeet/sync/trust"
)

var ctx = context.Background()

func setUp(t *testing.T, folders ...string) *practice.County {
	t.Helper()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, folders...)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// walk fills and signs the first n open visits of a tablet.
func walk(t *testing.T, c *practice.County, folder string, n int) (visits []practice.Walked) {
	t.Helper()
	node := c.Nodes[folder]
	list, err := tasks.List(ctx, node.Office.Replica, "", tasks.Open)
	require.NoError(t, err)
	for i, task := range list[:n] {
		for _, h := range c.Sample.Households {
			if h.ID == task.Household {
				w, err := node.Walk(ctx, &publish.Shelf{}, task, h.Visit(time.Now(), false), uint64(h.Number*100+i*10))
				require.NoError(t, err)
				visits = append(visits, w)
			}
		}
	}
	return visits
}

// join tries an invitation with everybody's PIN.
func join(t *testing.T, w world.World, dir, code string) (*office.Office, error) {
	t.Helper()
	of, err := office.Join(ctx, w, dir, code, func(exchange.Guest) (string, error) { return practice.PIN, nil })
	if err == nil {
		t.Cleanup(func() { of.Close() })
	}
	return of, err
}

func TestInvitations(t *testing.T) {
	c := setUp(t, "township")
	other := setUp(t, "township")
	guest := practice.Guests(c.Sample)[1]
	code := func() string {
		s, err := guest.Invite(ctx, c.Server, c.Address)
		require.NoError(t, err)
		return s
	}
	why := func(err error) string {
		var refused *trust.InvitationError
		require.ErrorAs(t, err, &refused)
		return string(refused.Why)
	}
	good := code()
	_, err := join(t, world.Real(), filepath.Join(t.TempDir(), "a"), good)
	require.NoError(t, err)

	dir := filepath.Join(t.TempDir(), "b")
	_, err = join(t, world.Real(), dir, good)
	require.Equal(t, string(trust.Used), why(err), "an invitation counts once")
	require.NoDirExists(t, dir, "nothing is half made")

	late := code()
	_, err = join(t, world.Real(), dir, late[:len(late)-4]+"0000")
	require.Equal(t, string(trust.Mistyped), why(err))

	// The right words at the wrong county.
	foreign, err := guest.Invite(ctx, c.Server, other.Address)
	require.NoError(t, err)
	_, err = join(t, world.Real(), dir, foreign)
	require.Error(t, err)
	require.NoDirExists(t, dir)

	// A PIN that is too short is refused before anything is made.
	_, err = office.Join(ctx, world.Real(), dir, late, func(exchange.Guest) (string, error) { return "12", nil })
	var short *vault.PINError
	require.ErrorAs(t, err, &short)
	require.NoDirExists(t, dir)
	_, err = join(t, world.Real(), dir, late)
	require.NoError(t, err, "and the invitation can still be used")
}

func TestAnInvitationEnds(t *testing.T) {
	w := world.Real()
	var mu sync.Mutex
	shift := time.Duration(0)
	now := w.Now
	w.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now().Add(shift) }
	c, err := practice.SetUp(ctx, w, t.TempDir(), 24, "township")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	code, err := practice.Guests(c.Sample)[1].Invite(ctx, c.Server, c.Address)
	require.NoError(t, err)
	mu.Lock()
	shift = 73 * time.Hour
	mu.Unlock()
	_, err = join(t, w, filepath.Join(t.TempDir(), "late"), code)
	var refused *trust.InvitationError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, trust.PastDate, refused.Why)
}

func TestANodeGetsItsScopeAndNothingElse(t *testing.T) { // invariant 7
	c := setUp(t)
	for _, g := range practice.Guests(c.Sample) {
		r := c.Nodes[g.Folder].Office.Replica
		for _, kind := range []store.Kind{store.Household, store.Member, store.Task} {
			list, err := r.Entities(ctx, store.Query{Kind: kind})
			require.NoError(t, err)
			require.NotEmpty(t, list)
			for _, e := range list {
				inside := false
				for _, s := range g.Scope {
					inside = inside || store.Within(s, e.Division)
				}
				require.True(t, inside, "%s holds a %s of %s", g.Folder, kind, e.Division)
			}
		}
	}
	// Not in the files either: no foreign household's text is anywhere on the disk.
	// What is there is sealed, so this looks for what would be plain.
	foreign := c.Sample.In(c.Sample.Villages[7].Code)[0].Fields["address"]
	require.NoError(t, filepath.WalkDir(c.Nodes["tablet-a"].Office.Dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.False(t, bytes.Contains(data, []byte(foreign)), path)
		return nil
	}))
}

// TestCutLinks cuts the link after every so many bytes; whatever arrives arrives
// once, and in the end everything is there.
func TestCutLinks(t *testing.T) { // invariants 1 and 2
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	c := setUp(t, "township", "tablet-a")
	tablet := c.Nodes["tablet-a"].Office
	total := 0
	for round := range 4 {
		for _, w := range walk(t, c, "tablet-a", 1) {
			total += w.Photos
		}
		link, err := relay.New(strings.TrimPrefix(c.Address, "http://"))
		require.NoError(t, err)
		for range round + 1 {
			link.CutAfter(random.Int64N(150_000))
		}
		client := tablet.Client()
		client.World.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, link.Addr())
		}
		rep, err := client.Sync(ctx, nil)
		require.NoError(t, err)
		tip, err := tablet.Replica.Tip(ctx, tablet.Replica.Identity().Node)
		require.NoError(t, err)
		require.Equal(t, tip.Last, rep.Receipt)
		require.NoError(t, link.Close())

		there, err := c.Office.Replica.Tip(ctx, tablet.Replica.Identity().Node)
		require.NoError(t, err)
		require.Equal(t, tip, there)
		missing, err := c.Office.Replica.MissingBlobs(ctx)
		require.NoError(t, err)
		require.Empty(t, missing)
	}
	n, err := c.Office.Replica.Count(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Equal(t, 4, n)
	findings, err := c.Office.Replica.Check(ctx)
	require.NoError(t, err)
	require.Empty(t, findings)

	// The township pulls the visits with every photo.
	rep, err := c.Nodes["township"].Office.Client().Sync(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, total, rep.PhotosDown)
}

// request makes a signed request as a node would.
func request(t *testing.T, of *office.Office, key ed25519.PrivateKey, address, path string, body []byte) (*http.Request, string) {
	t.Helper()
	head, err := exchange.Sign(key, of.Replica.Identity().Node, http.MethodPost, path, body, time.Now(), world.Real().Rand)
	require.NoError(t, err)
	r, err := http.NewRequest(http.MethodPost, address+path, bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", head)
	return r, head
}

func do(t *testing.T, r *http.Request) (int, string, []byte) {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	var f exchange.Fault
	_ = exchange.Decode(body, &f) // empty where it is no fault
	return resp.StatusCode, f.Code, body
}

// own returns the bundles a node has written, sealed.
func own(t *testing.T, of *office.Office) (raws [][]byte) {
	t.Helper()
	_, err := of.Merger.Seal(ctx, of.NodeKey)
	require.NoError(t, err)
	node := of.Replica.Identity().Node
	list, err := of.Replica.Bundles(ctx, store.BundleQuery{Node: &node})
	require.NoError(t, err)
	for _, b := range list {
		raws = append(raws, bundle.Encode(b))
	}
	return raws
}

func TestWhatTheServerRefuses(t *testing.T) { // invariants 3 and 10
	c := setUp(t, "township", "tablet-a")
	of := c.Nodes["tablet-a"].Office
	walk(t, c, "tablet-a", 1)
	raws := own(t, of)
	require.NotEmpty(t, raws)
	_, stranger, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	visits := func() int {
		n, err := c.Office.Replica.Count(ctx, store.Query{Kind: store.Visit})
		require.NoError(t, err)
		return n
	}

	r, err := http.Get(c.Address + "/healthz")
	require.NoError(t, err)
	r.Body.Close()
	require.Equal(t, http.StatusOK, r.StatusCode)

	// A stranger's request, whatever it says, is answered alike.
	push := exchange.Encode(exchange.Push{Bundles: raws})
	req, _ := request(t, of, stranger, c.Address, "/v1/push", push)
	status, code, _ := do(t, req)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Equal(t, "link.unknown", code)

	// A signature for another body.
	req, head := request(t, of, of.NodeKey, c.Address, "/v1/push", push)
	req.Body = io.NopCloser(bytes.NewReader(push[:len(push)-1]))
	req.ContentLength = int64(len(push) - 1)
	status, _, _ = do(t, req)
	require.Equal(t, http.StatusUnauthorized, status)

	// And the same header again.
	req, _ = request(t, of, of.NodeKey, c.Address, "/v1/push", push)
	req.Header.Set("Authorization", head)
	status, _, _ = do(t, req)
	require.Equal(t, http.StatusUnauthorized, status, "a replayed request")

	// Too large a body is refused before it is read.
	req, _ = request(t, of, of.NodeKey, c.Address, "/v1/push", nil)
	req.Body = io.NopCloser(strings.NewReader(""))
	req.ContentLength = exchange.MaxPush + 1
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
		resp.Body.Close()
	}

	// A bundle with a flipped byte is not applied, and says so; the same bundle
	// whole is taken afterwards.
	for _, at := range []int{len(raws[0]) / 2, len(raws[0]) - 1} {
		bad := bytes.Clone(raws[0])
		bad[at] ^= 0x10
		req, _ = request(t, of, of.NodeKey, c.Address, "/v1/push", exchange.Encode(exchange.Push{Bundles: [][]byte{bad}}))
		status, _, body := do(t, req)
		require.Equal(t, http.StatusOK, status)
		var out exchange.Pushed
		require.NoError(t, exchange.Decode(body, &out))
		require.Equal(t, "aside", out.Outcomes[0].Status)
		require.NotEmpty(t, out.Outcomes[0].Code)
	}
	require.Zero(t, visits())

	// What is no request at all.
	req, _ = request(t, of, of.NodeKey, c.Address, "/v1/push", []byte("hello"))
	status, code, _ = do(t, req)
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, "link.malformed", code)

	_, err = of.Client().Sync(ctx, nil)
	require.NoError(t, err)
	require.Equal(t, 1, visits())

	// A revoked tablet is answered no more.
	tip, err := c.Office.Replica.Tip(ctx, of.Replica.Identity().Node)
	require.NoError(t, err)
	_, err = c.Office.Replica.Write(ctx, c.Office.Replica.Identity().Node, trust.RevokeEdit(of.Replica.Identity().Node, c.Sample.Code, tip.Last, "丢失"))
	require.NoError(t, err)
	_, err = c.Office.Merger.Reconsider(ctx)
	require.NoError(t, err)
	walk(t, c, "tablet-a", 1)
	_, err = of.Client().Sync(ctx, nil)
	require.Error(t, err)
	require.Equal(t, 1, visits())
}

func TestAStickForAnotherCounty(t *testing.T) {
	c, other := setUp(t, "township", "tablet-a"), setUp(t, "township")
	walk(t, c, "tablet-a", 1)
	path := filepath.Join(t.TempDir(), "a.ironfeet")
	_, err := c.Nodes["tablet-a"].Office.WriteCarrier(ctx, path)
	require.NoError(t, err)
	_, err = other.Nodes["township"].Office.ReadCarrier(ctx, path)
	var foreign *carrier.NotForUsError
	require.ErrorAs(t, err, &foreign)
	n, err := other.Nodes["township"].Office.Replica.Count(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	require.Zero(t, n)
	rep, err := c.Nodes["township"].Office.ReadCarrier(ctx, path)
	require.NoError(t, err)
	require.Positive(t, rep.NewBlobs)
}

// TestAFullDiskWhileSaving: an answer that could not be made durable is never shown
// as saved, and when there is room again the visit goes on.
func TestAFullDiskWhileSaving(t *testing.T) { // invariant 1
	w := world.Real()
	full := &world.FaultyDisk{Disk: w.Disk}
	w.Disk = full
	c, err := practice.SetUp(ctx, w, t.TempDir(), 24, "tablet-a")
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	of := c.Nodes["tablet-a"].Office
	list, err := tasks.List(ctx, of.Replica, "", tasks.Open)
	require.NoError(t, err)
	desk := c.Nodes["tablet-a"].Desk(&publish.Shelf{})
	v, err := desk.Start(ctx, list[0])
	require.NoError(t, err)
	_, err = v.Set(ctx, "/visit/outcome", "completed")
	require.NoError(t, err)

	full.Limit(10_000)
	_, err = v.AddPhoto(ctx, "/visit/photo_door", bytes.NewReader(yunqi.Photo(1, 1280, 960)))
	var out *store.FullDiskError
	require.ErrorAs(t, err, &out)
	n, ok := v.Entry.Node("/visit/photo_door")
	require.True(t, ok)
	require.Empty(t, n.Value, "a photo that was not kept is no answer")

	full.Heal()
	_, err = v.AddPhoto(ctx, "/visit/photo_door", bytes.NewReader(yunqi.Photo(1, 1280, 960)))
	require.NoError(t, err)
	again, err := desk.Resume(ctx, v.ID)
	require.NoError(t, err)
	n, _ = again.Entry.Node("/visit/outcome")
	require.Equal(t, "completed", n.Value)
	require.Len(t, again.Photos(), 1)
}

var fuzzed = sync.OnceValues(func() (*practice.County, error) {
	dir, err := os.MkdirTemp("", "ironfeet-fuzz-")
	if err != nil {
		return nil, err
	}
	return practice.SetUp(context.Background(), world.Real(), dir, 24, "tablet-a")
})

// FuzzServer sends signed nonsense to every address: never a panic, never a fault
// of the server's own.
func FuzzServer(f *testing.F) {
	f.Add("/v1/push", exchange.Encode(exchange.Push{Bundles: [][]byte{{1, 2, 3}}}))
	f.Add("/v1/pull", exchange.Encode(exchange.Pull{Since: 1 << 60}))
	f.Add("/v1/photos", exchange.Encode(exchange.Photos{}))
	f.Add("/v1/uploads/", []byte{})
	f.Add("/v1/ask", exchange.Encode(exchange.Ask{Token: "x"}))
	f.Add("/v1/enrol", exchange.Encode(exchange.Enrol{Token: "x"}))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		c, err := fuzzed()
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodPost, "http://county/"+strings.TrimPrefix(path, "/"), bytes.NewReader(body))
		if err != nil {
			return
		}
		of := c.Nodes["tablet-a"].Office
		head, err := exchange.Sign(of.NodeKey, of.Replica.Identity().Node, http.MethodPost, r.URL.Path, body, time.Now(), world.Real().Rand)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", head)
		out := httptest.NewRecorder()
		c.Server.Handler().ServeHTTP(out, r)
		if out.Code >= 500 {
			t.Fatal(fmt.Sprintf("%s: status %d", path, out.Code))
		}
	})
}
