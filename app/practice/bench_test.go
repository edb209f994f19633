package practice_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/export"
	"ironfeet/app/practice"
	"ironfeet/app/practice/fleet"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/county"
	"ironfeet/sync/relay"
)

// serveFleet opens a county's server in this process and enrols so many tablets.
func serveFleet(b *testing.B, size int) (address string, boats []*fleet.Boat) {
	of, err := office.Found(ctx, world.Real(), filepath.Join(b.TempDir(), "county"), "云栖县", "459921")
	require.NoError(b, err)
	return fleetOf(b, of, size)
}

// fleetOf does so for a county that is there, and closes it in the end.
func fleetOf(b *testing.B, of *office.Office, size int) (address string, boats []*fleet.Boat) {
	boats, err := fleet.Enrol(ctx, of, size)
	require.NoError(b, err)
	root, err := of.RootKey()
	require.NoError(b, err)
	server, err := county.New(county.Options{World: of.World, Replica: of.Replica, Merger: of.Merger, Root: root, NodeKey: of.NodeKey, Dir: of.Dir, Log: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	h := server.HTTP()
	go h.Serve(l) // ends with Close
	b.Cleanup(func() { h.Close(); of.Close() })
	return "http://" + l.Addr().String(), boats
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
			address, boats := serveFleet(b, nodes)
			work := make([][][]byte, nodes)
			size := 0
			for i, n := range boats {
				var err error
				work[i], err = n.Visits((b.N+nodes-1)/nodes, each, n.Named)
				require.NoError(b, err)
				for _, raw := range work[i] {
					size += len(raw)
				}
			}
			sync := appends(b, 200)
			before := cpu()
			b.ResetTimer()
			require.NoError(b, fleet.Together(boats, func(i int, n *fleet.Boat) error {
				for _, raw := range work[i] {
					if err := n.Push(address, raw); err != nil {
						return err
					}
				}
				return nil
			}))
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

// BenchmarkPushDuringExport is how many bundles of visits a large county takes in
// from eight tablets while an export of everything runs, as a share of what it takes
// in alone.
func BenchmarkPushDuringExport(b *testing.B) {
	const nodes, each = 8, 60
	of, err := practice.Bench(ctx, world.Real(), filepath.Join(b.TempDir(), "county"))
	require.NoError(b, err)
	address, boats := fleetOf(b, of, nodes)
	intake := func() float64 {
		work := make([][][]byte, nodes)
		for i, n := range boats {
			var err error
			work[i], err = n.Visits(each, 1, n.Named)
			require.NoError(b, err)
		}
		began := time.Now()
		require.NoError(b, fleet.Together(boats, func(i int, n *fleet.Boat) error {
			for _, raw := range work[i] {
				if err := n.Push(address, raw); err != nil {
					return err
				}
			}
			return nil
		}))
		return nodes * each / time.Since(began).Seconds()
	}
	var alone, during float64
	intake() // warm
	for b.Loop() {
		alone = intake()
		exporting, stop := context.WithCancel(ctx)
		var wait sync.WaitGroup
		wait.Go(func() {
			for exporting.Err() == nil {
				_, err := export.Write(io.Discard, "xlsx", export.Records(exporting, of.Replica, export.Selection{Status: export.Registered}), export.Default(), export.Options{Day: time.Now(), TmpDir: b.TempDir()})
				if err != nil && exporting.Err() == nil {
					b.Error(err)
				}
			}
		})
		time.Sleep(300 * time.Millisecond) // until it is at work
		during = intake()
		stop()
		wait.Wait()
	}
	b.ReportMetric(alone, "bundles/s-alone")
	b.ReportMetric(during, "bundles/s-during")
	b.ReportMetric(during/alone, "of-alone")
}

// BenchmarkPushOneVisit is what one tablet waits for, over the disk's own sync.
func BenchmarkPushOneVisit(b *testing.B) {
	address, boats := serveFleet(b, 1)
	raws, err := boats[0].Visits(b.N, 1, boats[0].Named)
	require.NoError(b, err)
	disk := appends(b, 500)
	var took []time.Duration
	b.ResetTimer()
	for _, raw := range raws {
		began := time.Now()
		require.NoError(b, boats[0].Push(address, raw))
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
	address, boats := serveFleet(b, nodes)
	each := (b.N + nodes*6 - 1) / (nodes * 6) // visits a node, of six photos
	work, names := make([][][]byte, nodes), make([][]store.Digest, nodes)
	for i, n := range boats {
		raws, err := n.Visits(each, 1, func() store.BlobRef {
			p := n.Photo(size)
			ref := store.BlobRef{Digest: store.DigestOf(p), Size: size}
			work[i], names[i] = append(work[i], p), append(names[i], ref.Digest)
			return ref
		})
		require.NoError(b, err)
		for _, raw := range raws {
			require.NoError(b, n.Push(address, raw))
		}
	}
	dir := b.TempDir()
	began := time.Now()
	require.NoError(b, fleet.Together(boats, func(i int, _ *fleet.Boat) error {
		for j, p := range work[i] {
			if err := world.WriteFile(world.OS{}, filepath.Join(dir, fmt.Sprint(i, "-", j)), p); err != nil {
				return err
			}
		}
		return nil
	}))
	limit := time.Since(began)
	before := cpu()
	b.ResetTimer()
	require.NoError(b, fleet.Together(boats, func(i int, n *fleet.Boat) error {
		for j, p := range work[i] {
			if err := n.Upload(address, p, names[i][j]); err != nil {
				return err
			}
		}
		return nil
	}))
	b.StopTimer()
	b.ReportMetric((cpu()-before).Seconds()*1e3/float64(nodes*len(work[0])), "ms-cpu/photo")
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
