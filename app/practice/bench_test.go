package practice_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/county"
	"ironfeet/sync/exchange"
	"ironfeet/sync/relay"
	"ironfeet/sync/trust"
)

// A fleet is a county's server and eight tablets that are only keys: what they send
// was made before the clock runs.
type fleet struct {
	office  *office.Office
	address string
	nodes   []*boat
}

type boat struct {
	id, a, b        uuid.UUID
	key, keyA, keyB ed25519.PrivateKey
	village         string
	client          http.Client
	seq             uint64
	tip             store.Tip
}

func newFleet(b *testing.B, size int) *fleet {
	w := world.Real()
	of, err := office.Found(ctx, w, filepath.Join(b.TempDir(), "county"), "云栖县", "459921")
	require.NoError(b, err)
	root, err := of.RootKey()
	require.NoError(b, err)
	f := &fleet{office: of}
	var edits []store.Edit
	certify := func(id uuid.UUID, what string, key ed25519.PrivateKey, village string) {
		c, err := root.Certify(trust.Certificate{
			Subject: id, What: what, Name: "虚构", Key: key.Public().(ed25519.PublicKey), Role: trust.Worker, Scope: []string{village},
			From: w.Now().Add(-time.Hour), Until: w.Now().AddDate(1, 0, 0),
		})
		require.NoError(b, err)
		edits = append(edits, trust.CertificateEdit(c, "459921"))
	}
	for i := range size {
		n := &boat{id: w.NewID(), a: w.NewID(), b: w.NewID(), village: fmt.Sprintf("4599211002%02d", i)}
		for _, key := range []*ed25519.PrivateKey{&n.key, &n.keyA, &n.keyB} {
			_, *key, err = ed25519.GenerateKey(nil)
			require.NoError(b, err)
		}
		certify(n.id, trust.ForNode, n.key, n.village)
		certify(n.a, trust.ForPerson, n.keyA, n.village)
		certify(n.b, trust.ForPerson, n.keyB, n.village)
		n.client.Transport = &http.Transport{MaxIdleConnsPerHost: 2, DisableCompression: true}
		f.nodes = append(f.nodes, n)
	}
	_, err = of.Replica.Write(ctx, of.Replica.Identity().Node, edits...)
	require.NoError(b, err)
	_, err = of.Merger.Seal(ctx, of.NodeKey)
	require.NoError(b, err)
	server, err := county.New(county.Options{World: w, Replica: of.Replica, Merger: of.Merger, Root: root, NodeKey: of.NodeKey, Dir: of.Dir, Log: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	h := server.HTTP()
	go h.Serve(l) // ends with Close
	f.address = "http://" + l.Addr().String()
	b.Cleanup(func() { h.Close(); of.Close() })
	return f
}

var phrases = []string{
	"无劳动能力，常年卧床", "在外务工，每月寄回生活费", "种植水稻三亩，玉米一亩", "患有高血压，按月取药", "房屋为砖混结构，无裂缝",
	"长子在县城打工，收入不稳定", "低保金按月到账", "屋顶漏雨，去年修过一次", "孙女在镇中心小学读三年级", "邻居反映情况属实",
}

// typical is the content of a visit of 120 answers, a roster of five among them, and
// six photos.
func typical(random *rand.Rand, photos []store.BlobRef) []byte {
	answers := map[string]any{}
	for i := range 84 {
		name := fmt.Sprintf("q%03d", i)
		switch i % 6 {
		case 0:
			answers[name] = phrases[random.IntN(len(phrases))]
		case 1, 2:
			answers[name] = random.IntN(60) * 100
		default:
			answers[name] = []string{"yes", "no", "unknown"}[random.IntN(3)]
		}
	}
	var roster []any
	for range 5 {
		roster = append(roster, map[string]any{
			"name": string([]rune("韦覃黄莫罗")[random.IntN(5)]) + string([]rune("建国志强玉兰秀英")[random.IntN(8)]), "id_no": fmt.Sprintf("45992119%02d%02d%02d%04d", 30+random.IntN(69), 1+random.IntN(12), 1+random.IntN(28), random.IntN(10000)),
			"relation": "child", "labour": []string{"full", "part", "none"}[random.IntN(3)], "health": "weak", "income": random.IntN(40) * 100,
		})
	}
	list := make([][]byte, len(photos))
	for i, p := range photos {
		list[i] = p.Digest[:]
	}
	b, err := cbor.Marshal(map[string]any{"answers": answers, "members": roster, "photos": list})
	if err != nil {
		panic(err)
	}
	return b
}

// visits makes bundles of so many signed visits each.
func (n *boat) visits(b *testing.B, random *rand.Rand, bundles, each int, photo func() store.BlobRef) (raws [][]byte) {
	for range bundles {
		var changes []store.Change
		for range each {
			n.seq++
			entity := world.Real().NewID()
			var photos []store.BlobRef
			for range 6 {
				photos = append(photos, photo())
			}
			slices.SortFunc(photos, func(a, b store.BlobRef) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
			content := typical(random, photos)
			digest := sha256.Sum256(content)
			var attestations [][]byte
			for _, who := range []struct {
				id  uuid.UUID
				key ed25519.PrivateKey
			}{{n.a, n.keyA}, {n.b, n.keyB}} {
				raw, err := trust.Attest(who.key, trust.Attestation{Visit: entity, Digest: digest, Person: who.id, At: time.Now()})
				require.NoError(b, err)
				attestations = append(attestations, raw)
			}
			c := store.Change{
				ChangeID: store.ChangeID{Node: n.id, Seq: n.seq}, Clock: store.Clock(time.Now().UnixMilli()) << 16, Author: n.a, Kind: store.Visit, Entity: entity, Division: n.village,
				Fields: []store.Field{
					{Name: "attestations", Value: store.Of(attestations)}, {Name: "content", Value: store.Bytes(content)},
					{Name: "digest", Value: store.Bytes(digest[:])}, {Name: "state", Value: store.Text("signed")},
				}, Blobs: photos,
			}
			var err error
			c.Raw, err = store.EncodeChange(&c)
			require.NoError(b, err)
			changes = append(changes, c)
		}
		sealed, err := bundle.Seal(n.key, n.tip, n.village, 0, changes)
		require.NoError(b, err)
		n.tip = store.Tip{Node: n.id, Last: sealed.Last, Digest: sealed.Digest}
		raws = append(raws, bundle.Encode(sealed))
	}
	return raws
}

// ask makes a signed request and returns status and body.
func (n *boat) ask(address, method, path string, body []byte, header map[string]string) (int, []byte, error) {
	proof, err := exchange.Sign(n.key, n.id, method, path, body, time.Now(), world.Real().Rand)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, address+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header["User-Agent"] = nil
	req.Header.Set("Authorization", proof)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

func (n *boat) push(address string, raw []byte) error {
	status, answer, err := n.ask(address, http.MethodPost, "/v1/push", exchange.Encode(exchange.Push{Bundles: [][]byte{raw}}), nil)
	if err != nil {
		return err
	}
	var out exchange.Pushed
	if err := exchange.Decode(answer, &out); err != nil || status != http.StatusOK {
		return fmt.Errorf("%d: %w", status, err)
	}
	if out.Outcomes[0].Status != "new" || len(out.Receipts) != 1 {
		return fmt.Errorf("%+v", out.Outcomes)
	}
	return nil
}

// cpu is the time this process has computed, clients and server together.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// resident is the memory of this process in MB.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return float64(pages*os.Getpagesize()) / 1e6
}

// appends measures the disk: 4 KB appended and synced, so many times, in order of
// time taken.
func appends(b *testing.B, times int) []time.Duration {
	raw, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	require.NoError(b, err)
	defer raw.Close()
	page := make([]byte, 4096)
	list := make([]time.Duration, times)
	for i := range list {
		began := time.Now()
		_, err := raw.Write(page)
		require.NoError(b, err)
		require.NoError(b, raw.Sync())
		list[i] = time.Since(began)
	}
	slices.Sort(list)
	return list
}

// BenchmarkPushVisits is eight tablets that come home at once: every visit's bundle
// and both attestations verified, durable and receipted when it is answered.
func BenchmarkPushVisits(b *testing.B) {
	for _, each := range []int{1, 20} {
		b.Run(fmt.Sprintf("in bundles of %d", each), func(b *testing.B) {
			const nodes = 8
			f := newFleet(b, nodes)
			random := rand.New(rand.NewPCG(1, 1))
			none := func() store.BlobRef { return store.BlobRef{Digest: store.DigestOf(binary(random)), Size: 200_000} }
			work := make([][][]byte, nodes)
			size := 0
			for i := range work {
				work[i] = f.nodes[i].visits(b, random, (b.N+nodes-1)/nodes, each, none)
				for _, raw := range work[i] {
					size += len(raw)
				}
			}
			sync := appends(b, 200)
			before := cpu()
			b.ResetTimer()
			var group errgroup
			for i, n := range f.nodes {
				group.Go(func() error {
					for _, raw := range work[i] {
						if err := n.push(f.address, raw); err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(b, group.Wait())
			b.StopTimer()
			visits := float64(len(work) * len(work[0]) * each)
			b.ReportMetric(visits/b.Elapsed().Seconds(), "visits/s")
			b.ReportMetric((cpu()-before).Seconds()*1e3/visits, "ms-cpu/visit")
			b.ReportMetric(visits/b.Elapsed().Seconds()*sync[len(sync)/2].Seconds(), "×append-rate")
			b.ReportMetric(float64(size)/visits, "B/visit")
			b.ReportMetric(resident(), "MB-resident")
		})
	}
}

func binary(random *rand.Rand) []byte {
	return fmt.Append(nil, random.Uint64(), random.Uint64())
}

type errgroup struct {
	sync.WaitGroup
	once  sync.Once
	first error
}

func (g *errgroup) Go(do func() error) {
	g.Add(1)
	go func() {
		defer g.Done()
		if err := do(); err != nil {
			g.once.Do(func() { g.first = err })
		}
	}()
}

func (g *errgroup) Wait() error { g.WaitGroup.Wait(); return g.first }

// BenchmarkPushOneVisit is what one tablet waits for, over the disk's own sync.
func BenchmarkPushOneVisit(b *testing.B) {
	f := newFleet(b, 1)
	random := rand.New(rand.NewPCG(1, 1))
	raws := f.nodes[0].visits(b, random, b.N, 1, func() store.BlobRef { return store.BlobRef{Digest: store.DigestOf(binary(random)), Size: 1} })
	disk := appends(b, 500)
	var took []time.Duration
	b.ResetTimer()
	for _, raw := range raws {
		began := time.Now()
		require.NoError(b, f.nodes[0].push(f.address, raw))
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", .5}, {"p99", .99}} {
		b.ReportMetric(took[int(q.at*float64(len(took)-1))].Seconds()*1e3, "ms-"+q.name)
		b.ReportMetric((took[int(q.at*float64(len(took)-1))]-disk[int(q.at*float64(len(disk)-1))]).Seconds()*1e3, "ms-over-sync-"+q.name)
	}
}

// BenchmarkUploadPhotos is eight tablets sending photos of 200 KB: durable and checked
// against their digest. The limit is eight writers of the same files on the same disk.
func BenchmarkUploadPhotos(b *testing.B) {
	const nodes, size = 8, 200_000
	f := newFleet(b, nodes)
	random := rand.New(rand.NewPCG(1, 1))
	each := (b.N + nodes*6 - 1) / (nodes * 6) // visits a node, of six photos
	work := make([][][]byte, nodes)
	for i, n := range f.nodes {
		raws := n.visits(b, random, each, 1, func() store.BlobRef {
			p := make([]byte, size)
			for j := 0; j < size; j += 8 {
				p[j], p[j+1], p[j+3] = byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())
			}
			work[i] = append(work[i], p)
			return store.BlobRef{Digest: store.DigestOf(p), Size: size}
		})
		for _, raw := range raws {
			require.NoError(b, n.push(f.address, raw))
		}
	}
	dir := b.TempDir()
	began := time.Now()
	var raw errgroup
	for i := range nodes {
		raw.Go(func() error {
			for j, p := range work[i] {
				if err := world.WriteFile(world.OS{}, filepath.Join(dir, fmt.Sprint(i, "-", j)), p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(b, raw.Wait())
	limit := time.Since(began)
	b.ResetTimer()
	var group errgroup
	for i, n := range f.nodes {
		group.Go(func() error {
			for _, p := range work[i] {
				status, answer, err := n.ask(f.address, http.MethodPost, "/v1/uploads/", p, map[string]string{
					"Tus-Resumable": "1.0.0", "Upload-Length": strconv.Itoa(size), "Content-Type": "application/offset+octet-stream",
					"Upload-Metadata": "digest " + base64.StdEncoding.EncodeToString([]byte(store.DigestOf(p).String())),
				})
				if err != nil || status != http.StatusCreated {
					return fmt.Errorf("%d %s: %w", status, answer, err)
				}
			}
			return nil
		})
	}
	require.NoError(b, group.Wait())
	b.StopTimer()
	total := float64(nodes * len(work[0]) * size)
	b.ReportMetric(total/1e6/b.Elapsed().Seconds(), "MB/s")
	b.ReportMetric(limit.Seconds()/b.Elapsed().Seconds(), "of-disk-rate")
	b.ReportMetric(resident(), "MB-resident")
}

// BenchmarkBytesOnTheWire counts, before encryption and with every header in both
// directions, what a real tablet pays on a slow link.
func BenchmarkBytesOnTheWire(b *testing.B) {
	c, err := practice.SetUp(ctx, world.Real(), b.TempDir(), 120, "tablet-a")
	require.NoError(b, err)
	defer c.Close()
	node := c.Nodes["tablet-a"]
	sync := func() (up, down int64) {
		rep, err := node.Office.Client().Sync(ctx, nil)
		require.NoError(b, err)
		return rep.BytesUp, rep.BytesDown
	}
	sync()
	list, err := tasks.List(ctx, node.Office.Replica, "", tasks.Open)
	require.NoError(b, err)
	for b.Loop() {
	}
	up, down := sync()
	b.ReportMetric(float64(up+down), "B-nothing-new")

	// Photos through a line that resets every 400 KB.
	photos := int64(0)
	for i, task := range list[:2] {
		for _, h := range c.Sample.Households {
			if h.ID == task.Household {
				w, err := node.Walk(ctx, &publish.Shelf{}, task, h.Visit(time.Now(), false), uint64(i*10))
				require.NoError(b, err)
				photos += w.Bytes
			}
		}
	}
	for range 6 {
		big := make([]byte, 200_000)
		random := rand.New(rand.NewPCG(3, uint64(photos)))
		for i := range big {
			big[i] = byte(random.Uint32())
		}
		ref, err := node.Office.Replica.PutBlob(ctx, bytes.NewReader(big), 1<<20)
		require.NoError(b, err)
		_, err = node.Office.Replica.Write(ctx, node.People[0].ID, store.Edit{
			Kind: store.Task, Entity: list[5].ID, Division: list[5].Division, Fields: map[string]store.Value{"note": store.Text(fmt.Sprint(photos))}, Blobs: []store.BlobRef{ref},
		})
		require.NoError(b, err)
		photos += 200_000
	}
	bad, err := relay.New(strings.TrimPrefix(c.Address, "http://"))
	require.NoError(b, err)
	defer bad.Close()
	for range 20 {
		bad.CutAfter(400_000)
	}
	client := node.Office.Client()
	client.World.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, bad.Addr())
	}
	_, err = client.Sync(ctx, nil)
	require.NoError(b, err)
	up, _ = bad.Bytes()
	b.ReportMetric(float64(up)/float64(photos), "×bytes-with-resets")
	b.ReportMetric(float64(bad.Cuts()), "resets")
	b.ReportMetric(0, "ns/op")
}
