package export_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/visit"
	"ironfeet/app/export"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
)

// wide is a template of 60 columns.
func wide(b *testing.B) *export.Template {
	b.Helper()
	text := "## columns\n\n| sheet | row | head | source | type |\n| --- | --- | --- | --- | --- |\n"
	fields := []string{"id", "village", "name", "head_id_no", "phone", "address", "area", "aid", "members_total", "members_counted", "minors", "head_name"}
	for i := range 60 {
		kind := ""
		if i%12 >= 8 && i%12 <= 10 {
			kind = "number"
		}
		text += fmt.Sprintf("| 户 | household | 列%d | ${%s} | %s |\n", i, fields[i%len(fields)], kind)
	}
	fields2, err := export.FieldsOf(ctx, mustCounty(b).Replica)
	require.NoError(b, err)
	t, report := export.ReadTemplate("wide.md", []byte(text), fields2)
	require.NotNil(b, t, "%v", report.Errors)
	return t
}

func mustCounty(b *testing.B) *office.Office {
	b.Helper()
	c, err := practised()
	require.NoError(b, err)
	return c.Office
}

// BenchmarkExportRegistryXLSX: every household with 60 columns, against excelize's
// stream writer alone on the same number of cells.
func BenchmarkExportRegistryXLSX(b *testing.B) {
	n, t := practice.BenchSize(), wide(b)
	of, err := practice.Bench(ctx, world.Real(), filepath.Join(b.TempDir(), "county"))
	require.NoError(b, err)
	defer of.Close()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop := make(chan struct{})
	go func() {
		var m runtime.MemStats
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&m)
				most.Store(max(most.Load(), m.HeapInuse))
			}
		}
	}()
	b.ResetTimer()
	for b.Loop() {
		records := export.Records(ctx, of.Replica, export.Selection{Status: export.Registered})
		count, err := export.Write(io.Discard, "xlsx", records, t, export.Options{Day: time.Now(), TmpDir: b.TempDir()})
		require.NoError(b, err)
		require.Equal(b, n, count.Rows)
	}
	b.StopTimer()
	close(stop)
	each := b.Elapsed().Seconds() / float64(b.N)
	began := time.Now()
	alone(b, n, 60)
	b.ReportMetric(each/time.Since(began).Seconds(), "×writer-alone")
	b.ReportMetric(each*100_000/float64(n), "s/100k")
	b.ReportMetric(float64(most.Load()-before.HeapInuse)/1e6, "heap-MB-more")
}

// alone writes so many cells with the library and nothing else.
func alone(b *testing.B, rows, columns int) {
	f := excelize.NewFile()
	defer f.Close()
	s, err := f.NewStreamWriter("Sheet1")
	require.NoError(b, err)
	line := make([]any, columns)
	for i := range rows {
		for j := range line {
			line[j] = excelize.Cell{Value: "459921********0013"}
		}
		require.NoError(b, s.SetRow("A"+strconv.Itoa(i+1), line))
	}
	require.NoError(b, s.Flush())
	require.NoError(b, f.Write(io.Discard))
}

// oneVisit is a signed visit to be copied.
func oneVisit(b *testing.B) *visit.Signed {
	b.Helper()
	records, err := export.Verified(ctx, mustCounty(b).Replica, "")
	require.NoError(b, err)
	return records[0].Visit
}

type firstByte struct {
	at    time.Time
	bytes int
	first time.Duration
}

func (f *firstByte) Write(p []byte) (int, error) {
	if f.bytes == 0 {
		f.first = time.Since(f.at)
	}
	f.bytes += len(p)
	return len(p), nil
}

// BenchmarkExport2000VisitsCSV: whole, and until the first byte; against reading and
// decoding the same visits and nothing else.
func BenchmarkExport2000VisitsCSV(b *testing.B) {
	of, err := practice.Large(ctx, world.Real(), filepath.Join(b.TempDir(), "county"), 2_000)
	require.NoError(b, err)
	defer of.Close()
	require.NoError(b, practice.Copies(ctx, of, oneVisit(b), 2_000))
	var first time.Duration
	b.ResetTimer()
	for b.Loop() {
		w := &firstByte{at: time.Now()}
		n, err := export.Write(w, "csv", export.Records(ctx, of.Replica, export.Selection{}), export.Default(), export.Options{Day: time.Now()})
		require.NoError(b, err)
		require.Equal(b, 2_000, n.Rows)
		first = max(first, w.first)
	}
	each := b.Elapsed().Seconds() / float64(b.N)
	b.StopTimer()
	began := time.Now()
	list, err := of.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(b, err)
	for _, e := range list {
		_, err := visit.FromEntity(e)
		require.NoError(b, err)
	}
	b.ReportMetric(each/time.Since(began).Seconds(), "×reading-visits")
	b.ReportMetric(float64(first.Microseconds())/1e3, "first-byte-ms")
}

// BenchmarkEvidenceWithPhotos: MB/s of a package to the disk, against writing the
// same bytes to the same disk with nothing but a SHA-256.
func BenchmarkEvidenceWithPhotos(b *testing.B) {
	c, err := practised()
	require.NoError(b, err)
	records, err := export.Verified(ctx, c.Office.Replica, "")
	require.NoError(b, err)
	random := rand.NewChaCha8([32]byte{1})
	one := records[0]
	signed := *one.Visit
	signed.Content.Photos = nil
	for range 40 {
		data := make([]byte, 2<<20)
		_, _ = random.Read(data)
		ref, err := c.Office.Replica.PutBlob(ctx, bytes.NewReader(data), 4<<20)
		require.NoError(b, err)
		signed.Content.Photos = append(signed.Content.Photos, visit.Photo{Path: "/visit/photo", Digest: ref.Digest, Size: ref.Size})
	}
	one.Visit = &signed
	signer := export.Signer{Node: c.Office.Replica.Identity().Node, Key: c.Office.NodeKey, Root: c.Office.Root, Now: time.Now}
	dir := b.TempDir()
	var written int64
	b.ResetTimer()
	for b.Loop() {
		f, err := os.Create(filepath.Join(dir, "evidence.zip"))
		require.NoError(b, err)
		n, err := export.WriteEvidence(ctx, f, c.Office.Replica, export.ByVisit([]export.Record{one}), signer, true)
		require.NoError(b, err)
		require.NoError(b, f.Sync())
		require.NoError(b, f.Close())
		written = n.Bytes
	}
	b.StopTimer()
	each := b.Elapsed().Seconds() / float64(b.N)
	data := make([]byte, written)
	_, _ = random.Read(data)
	began := time.Now()
	f, err := os.Create(filepath.Join(dir, "plain"))
	require.NoError(b, err)
	_ = sha256.Sum256(data)
	_, err = f.Write(data)
	require.NoError(b, err)
	require.NoError(b, f.Sync())
	require.NoError(b, f.Close())
	b.ReportMetric(float64(written)/1e6/each, "MB/s")
	b.ReportMetric(each/time.Since(began).Seconds(), "×disk")
}
