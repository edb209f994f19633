package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/practice/fleet"
	"ironfeet/store"
	"ironfeet/store/world"
)

// BenchmarkServer loads the real server process from this one: eight tablets at once,
// everything durable when it is answered. What is counted of computing time and
// memory is the server's alone; the tablets use the same processors.
func BenchmarkServer(b *testing.B) {
	program := filepath.Join(b.TempDir(), "ironfeetd") // not this test, which is larger
	build := exec.Command("go", "build", "-trimpath", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(b, err, string(out))
	thisProgram = func() (string, error) { return program, nil }
	defer func() { thisProgram = os.Executable }()
	for _, each := range []int{1, 20} {
		b.Run(fmt.Sprintf("visits in bundles of %d", each), func(b *testing.B) {
			p, boats := serveFleet(b)
			work := make([][][]byte, len(boats))
			for i, n := range boats {
				var err error
				work[i], err = n.Visits((b.N+len(boats)-1)/len(boats), each, n.Named)
				require.NoError(b, err)
			}
			visits := float64(len(boats) * len(work[0]) * each)
			measured(b, p, visits, "visit", func() error {
				return fleet.Together(boats, func(i int, n *fleet.Boat) error { return pushAll(n, p.Address, work[i]) })
			})
		})
	}
	b.Run("photos of 200 KB", func(b *testing.B) {
		const size = 200_000
		p, boats := serveFleet(b)
		work, names := make([][][]byte, len(boats)), make([][]store.Digest, len(boats))
		require.NoError(b, fleet.Together(boats, func(i int, n *fleet.Boat) error {
			raws, err := n.Visits((b.N+len(boats)*6-1)/(len(boats)*6), 1, func() store.BlobRef {
				photo := n.Photo(size)
				ref := store.BlobRef{Digest: store.DigestOf(photo), Size: size}
				work[i], names[i] = append(work[i], photo), append(names[i], ref.Digest)
				return ref
			})
			if err != nil {
				return err
			}
			return pushAll(n, p.Address, raws)
		}))
		limit := writeAlone(b, work)
		photos := float64(len(boats) * len(work[0]))
		measured(b, p, photos, "photo", func() error {
			return fleet.Together(boats, func(i int, n *fleet.Boat) error {
				for j, photo := range work[i] {
					if err := n.Upload(p.Address, photo, names[i][j]); err != nil {
						return err
					}
				}
				return nil
			})
		})
		b.ReportMetric(photos*size/1e6/b.Elapsed().Seconds(), "MB/s")
		b.ReportMetric(limit.Seconds()/b.Elapsed().Seconds(), "of-disk-rate")
	})
	b.Run("120 MB that nobody asked for", func(b *testing.B) {
		p, boats := serveFleet(b)
		require.NoError(b, reach(boats[0], p.Address))
		large := boats[0].Photo(120_000_000)
		measured(b, p, float64(b.N), "attempt", func() error {
			for range b.N {
				if err := force(boats, p.Address, large); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func serveFleet(b *testing.B) (*serverProcess, []*fleet.Boat) {
	ctx := context.Background()
	data := filepath.Join(b.TempDir(), "county")
	of, err := office.Found(ctx, world.Real(), data, "云栖县", "459921")
	require.NoError(b, err)
	boats, err := fleet.Enrol(ctx, of, 8)
	require.NoError(b, err)
	require.NoError(b, of.Close())
	p, err := startServer(ctx, data, "127.0.0.1:0", filepath.Join(b.TempDir(), "server.log"))
	require.NoError(b, err)
	b.Cleanup(func() { _ = p.stop() })
	return p, boats
}

// measured runs the load and reports what the server needed for it.
func measured(b *testing.B, p *serverProcess, items float64, item string, load func() error) {
	require.NoError(b, os.WriteFile(p.proc("clear_refs"), []byte("5"), 0), "the peak begins here")
	before, idle := p.computed(b), p.memory(b, "VmRSS")
	b.ResetTimer()
	require.NoError(b, load())
	b.StopTimer()
	b.ReportMetric(items/b.Elapsed().Seconds(), item+"s/s")
	b.ReportMetric((p.computed(b)-before).Seconds()*1e3/items, "ms-server/"+item)
	b.ReportMetric(idle, "MB-before")
	b.ReportMetric(p.memory(b, "VmHWM"), "MB-peak")
}

func (p *serverProcess) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), name)
}

// computed is the processor time that the server has used.
func (p *serverProcess) computed(b *testing.B) time.Duration {
	text, err := os.ReadFile(p.proc("stat"))
	require.NoError(b, err)
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	ticks := 0
	for _, field := range fields[11:13] { // utime, stime: proc_pid_stat(5)
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// memory is a line of the server's status in MB.
func (p *serverProcess) memory(b *testing.B, line string) float64 {
	text, err := os.ReadFile(p.proc("status"))
	require.NoError(b, err)
	_, rest, found := strings.Cut(string(text), line+":")
	require.True(b, found)
	kilobytes, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	require.NoError(b, err)
	return kilobytes * 1024 / 1e6
}

func pushAll(n *fleet.Boat, address string, raws [][]byte) error {
	for _, raw := range raws {
		if err := n.Push(address, raw); err != nil {
			return err
		}
	}
	return nil
}

// writeAlone writes the same files durably to the same disk, as many at a time.
func writeAlone(b *testing.B, work [][][]byte) time.Duration {
	dir := b.TempDir()
	began := time.Now()
	require.NoError(b, fleet.Together(make([]*fleet.Boat, len(work)), func(i int, _ *fleet.Boat) error {
		for j, photo := range work[i] {
			if err := world.WriteFile(world.OS{}, filepath.Join(dir, fmt.Sprint(i, "-", j)), photo); err != nil {
				return err
			}
		}
		return nil
	}))
	return time.Since(began)
}

// reach makes sure that a tablet is served.
func reach(n *fleet.Boat, address string) error {
	raws, err := n.Visits(1, 1, n.Named)
	if err != nil {
		return err
	}
	return pushAll(n, address, raws)
}

// force tries to bring far more than is allowed, in each way there is, from every
// tablet at once. Nothing of it may be taken; whoever is cut off meanwhile was refused.
func force(boats []*fleet.Boat, address string, large []byte) error {
	return fleet.Together(boats, func(i int, n *fleet.Boat) error {
		for _, way := range []struct {
			path   string
			body   io.Reader
			length int64
			header map[string]string
		}{
			{"/v1/push", bytes.NewReader(large), int64(len(large)), nil},
			{"/v1/uploads/", bytes.NewReader(large), int64(len(large)), nil},
			{"/v1/push", bytes.NewReader(large), -1, nil}, // in chunks, its length unsaid
			{"/v1/enrol", bytes.NewReader(large), -1, nil},
			{"/v1/uploads/", bytes.NewReader(large[:1<<20]), 1 << 20, map[string]string{
				"Tus-Resumable": "1.0.0", "Upload-Length": strconv.Itoa(len(large)), "Content-Type": "application/offset+octet-stream",
				"Upload-Metadata": "digest " + base64.StdEncoding.EncodeToString([]byte(store.DigestOf(large).String())),
			}},
		} {
			status, err := n.Stream(address, way.path, way.body, way.length, way.header)
			if err == nil && (status < 400 || status >= 500) {
				return fmt.Errorf("%s of %d bytes was answered %d", way.path, way.length, status)
			}
		}
		return nil
	})
}
