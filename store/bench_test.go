package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

// openBench makes a replica with the real random source.
func openBench(b *testing.B, n byte) *store.Replica {
	b.Helper()
	w, dir := world.Real(), b.TempDir()
	v, err := vault.Create(w, dir)
	require.NoError(b, err)
	keys, err := v.First()
	require.NoError(b, err)
	r, err := store.Create(context.Background(), store.Options{World: w, Dir: dir, Keys: keys}, store.Identity{Node: uuid.UUID{15: n}, Division: village, Role: "county"})
	require.NoError(b, err)
	b.Cleanup(func() { r.Close() })
	return r
}

// BenchmarkSaveOneAnswer is what a worker waits for after each tap. The limit is
// appending 4 KB to a file on the same disk and syncing it.
func BenchmarkSaveOneAnswer(b *testing.B) {
	ctx := context.Background()
	r := openBench(b, 1)
	draft := uuid.UUID{0: 1}
	require.NoError(b, r.StartDraft(ctx, store.Draft{ID: draft}))
	raw, err := os.Create(filepath.Join(b.TempDir(), "raw"))
	require.NoError(b, err)
	defer raw.Close()
	page := make([]byte, 4096)
	var ours, limit []time.Duration
	for n := 0; b.Loop(); n++ {
		begun := time.Now()
		require.NoError(b, r.SaveAnswer(ctx, draft, fmt.Sprintf("/data/q%d", n%120), "3200"))
		ours = append(ours, time.Since(begun))
		begun = time.Now()
		_, err := raw.Write(page)
		require.NoError(b, err)
		require.NoError(b, raw.Sync())
		limit = append(limit, time.Since(begun))
	}
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		b.ReportMetric(quantile(ours, q.at)/quantile(limit, q.at), "×append-"+q.name)
	}
	b.ReportMetric(quantile(ours, 0.5)/1e3, "µs-p50")
}

func quantile(list []time.Duration, at float64) float64 {
	slices.Sort(list)
	return float64(list[int(at*float64(len(list)-1))])
}

// visits are bundles of one visit each, by one node.
func visits(b *testing.B, n int) []store.Bundle {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	record := make([]byte, 2500)
	var list []store.Bundle
	node, tip := uuid.UUID{0: 9}, store.Digest{}
	for i := range n {
		for j := range record {
			record[j] = byte(random.Uint32())
		}
		id := uuid.UUID{0: 1, 6: 0x70, 8: 0x80, 12: byte(i >> 24), 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}
		c := store.Change{
			ChangeID: store.ChangeID{Node: node, Seq: uint64(i + 1)}, Clock: store.Clock(i + 1), Kind: store.Visit, Entity: id, Division: village,
			Fields: []store.Field{
				{Name: "attestations", Value: store.Of([][]byte{record[:150], record[150:300]})},
				{Name: "digest", Value: store.Bytes(record[:32])}, {Name: "ended", Value: store.Text("2026-05-01T09:00:00+08:00")},
				{Name: "form", Value: store.Text("visit")}, {Name: "outcome", Value: store.Text("completed")},
				{Name: "parent", Value: store.Text(uuid.UUID{0: 2, 15: byte(i)}.String())}, {Name: "record", Value: store.Bytes(record)},
				{Name: "state", Value: store.Text("signed")}, {Name: "version", Value: store.Text("2026.1")},
			},
		}
		raw, err := store.EncodeChange(&c)
		require.NoError(b, err)
		c.Raw = raw
		head := fmt.Appendf(nil, "head %d %x", i, tip)
		bundle := store.Bundle{Node: node, First: c.Seq, Last: c.Seq, Prev: tip, Digest: store.DigestOf(head), Division: village, Head: head, Body: raw[:len(raw)/3], Changes: []store.Change{c}}
		tip = bundle.Digest
		list = append(list, bundle)
	}
	return list
}

// BenchmarkApplyVisits merges 1,000 visits in one batch. The limit is inserting
// the same bytes plainly, in one transaction, with the same library.
func BenchmarkApplyVisits(b *testing.B) {
	ctx := context.Background()
	list := visits(b, 1000)
	var ours, limit time.Duration
	for b.Loop() {
		b.StopTimer()
		r := openBench(b, 1)
		db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "raw.db")+"?_pragma=busy_timeout(1000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
		require.NoError(b, err)
		_, err = db.ExecContext(ctx, `CREATE TABLE raw (id BLOB PRIMARY KEY, content BLOB NOT NULL) STRICT`)
		require.NoError(b, err)
		b.StartTimer()
		begun := time.Now()
		require.NoError(b, r.Apply(ctx, list...))
		ours += time.Since(begun)
		b.StopTimer()
		begun = time.Now()
		tx, err := db.BeginTx(ctx, nil)
		require.NoError(b, err)
		insert, err := tx.PrepareContext(ctx, `INSERT INTO raw VALUES ($1, $2)`)
		require.NoError(b, err)
		for i := range list {
			c := &list[i].Changes[0]
			_, err := insert.ExecContext(ctx, c.Entity[:], c.Raw)
			require.NoError(b, err)
		}
		require.NoError(b, tx.Commit())
		limit += time.Since(begun)
		require.NoError(b, db.Close())
		require.NoError(b, r.Close())
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)*1000/ours.Seconds(), "visits/s")
	b.ReportMetric(limit.Seconds()/ours.Seconds(), "of-raw-rate")
}

// registry writes households of four members each in one Write.
func registry(t require.TestingT, r *store.Replica, from, households int) {
	given := []rune("建国志强玉兰秀英桂花明华海燕文军小平晓红永福春梅")
	var edits []store.Edit
	for i := from; i < from+households; i++ {
		h := uuid.UUID{0: 1, 12: byte(i >> 24), 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}
		name := string([]rune("韦覃黄莫罗单曾蓝潘陆")[i%10]) + string(given[i*7%len(given)]) + string(given[i*13%len(given)])
		edits = append(edits, store.Edit{Kind: store.Household, Entity: h, Division: village, Fields: map[string]store.Value{
			"name": store.Text(name), "address": store.Text("云栖镇一村三组"), "phone": store.Text(fmt.Sprintf("138%08d", i)), "area": store.Text("rural"), "aid": store.Text("dibao"), "water": store.Text("tap")}})
		for m := range 4 {
			id := h
			id[0], id[1] = 2, byte(m)
			edits = append(edits, store.Edit{Kind: store.Member, Entity: id, Division: village, Fields: map[string]store.Value{
				"parent": store.Text(h.String()), "name": store.Text(name[:3] + string(given[(i+m)%len(given)])), "id_no": store.Text(fmt.Sprintf("4599211952%08d", i*4+m)),
				"sex": store.Text("male"), "birth": store.Text("1952-03-15"), "rel": store.Text("self"), "labour": store.Text("none"), "job": store.Text("farm"), "health": store.Text("weak")}})
		}
	}
	_, err := r.Write(context.Background(), uuid.Nil, edits...)
	require.NoError(t, err)
}

// BenchmarkRegister300Households is the sample county's registry in one Write.
func BenchmarkRegister300Households(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		r := openBench(b, 1)
		b.StartTimer()
		registry(b, r, 0, 300)
		b.StopTimer()
		require.NoError(b, r.Close())
		b.StartTimer()
	}
}

// A county is a folder of so many households of four members, made once a run: the
// folder lies in dir and is closed.
type county struct {
	once sync.Once
	dir  string
}

var counties = map[int]*county{5_000: {}, 20_000: {}, 100_000: {}}

// countyOf copies the folder of a county, whose PIN is 135790, into a new one.
func countyOf(b *testing.B, households int) string {
	b.Helper()
	c := counties[households]
	c.once.Do(func() {
		dir, err := os.MkdirTemp("", "ironfeet-county")
		require.NoError(b, err)
		w := world.Real()
		v, err := vault.Create(w, dir)
		require.NoError(b, err)
		keys, err := v.First()
		require.NoError(b, err)
		require.NoError(b, v.AllowUnattended(keys))
		_, err = v.AddPerson(keys, uuid.UUID{0: 1}, "走访员甲", "135790")
		require.NoError(b, err)
		r, err := store.Create(context.Background(), store.Options{World: w, Dir: dir, Keys: keys}, store.Identity{Node: uuid.UUID{15: 1}, Division: "459921", Role: "county"})
		require.NoError(b, err)
		for from := 0; from < households; from += 2500 {
			registry(b, r, from, 2500)
		}
		require.NoError(b, r.Close())
		c.dir = dir
	})
	if c.dir == "" {
		b.Fatal("the county could not be made")
	}
	return c.dir
}

func removeCounties() {
	for _, c := range counties {
		if c.dir != "" {
			os.RemoveAll(c.dir)
		}
	}
}

// BenchmarkFind is one keystroke over households of four members, with what a
// worker types: one character, two, initials, pinyin, last digits, nothing that
// is there.
func BenchmarkFind(b *testing.B) {
	ctx := context.Background()
	for _, households := range []int{5_000, 100_000} {
		if households > 5_000 && testing.Short() {
			continue
		}
		r := reopen(b, countyOf(b, households))
		for _, typed := range []string{"韦", "韦建", "w", "wj", "weijian", "0123", "没有"} {
			found, err := r.Find(ctx, typed, 20)
			require.NoError(b, err)
			require.Equal(b, typed == "没有", len(found) == 0)
			b.Run(fmt.Sprintf("%d/%s", households, typed), func(b *testing.B) {
				for b.Loop() {
					_, err := r.Find(ctx, typed, 20)
					require.NoError(b, err)
				}
				b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/1000, "ms/key")
			})
		}
		require.NoError(b, r.Close())
	}
}

// BenchmarkOpenFolder opens a closed folder of a county, its look-up included. The
// limit is reading the same file once.
func BenchmarkOpenFolder(b *testing.B) {
	for _, households := range []int{5_000, 100_000} {
		if households > 5_000 && testing.Short() {
			continue
		}
		dir := countyOf(b, households)
		b.Run(fmt.Sprint(households), func(b *testing.B) {
			var limit time.Duration
			for b.Loop() {
				r := reopen(b, dir)
				b.StopTimer()
				require.NoError(b, r.Close())
				begun := time.Now()
				f, err := os.Open(filepath.Join(dir, "replica.db"))
				require.NoError(b, err)
				_, err = io.Copy(io.Discard, f)
				require.NoError(b, err)
				require.NoError(b, f.Close())
				limit += time.Since(begun)
				b.StartTimer()
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/open")
			b.ReportMetric(b.Elapsed().Seconds()/limit.Seconds(), "×reading-the-file")
		})
	}
}

// BenchmarkUnlock20000Households is what a worker waits for behind the PIN on two
// cores, in a process of its own, beyond what the PIN itself costs, and how much
// memory that process has then.
func BenchmarkUnlock20000Households(b *testing.B) {
	dir := countyOf(b, 20_000)
	var beyond, memory, peak float64
	for b.Loop() {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "IRONFEET_TEST_UNLOCK="+dir, "GOMAXPROCS=2")
		out, err := child.Output()
		require.NoError(b, err)
		var s, m, p float64
		_, err = fmt.Sscan(string(out), &s, &m, &p)
		require.NoError(b, err)
		beyond, memory, peak = beyond+s, memory+m, peak+p
	}
	b.ReportMetric(beyond/float64(b.N), "s-beyond-Argon2id")
	b.ReportMetric(memory/float64(b.N), "MB-RSS")
	b.ReportMetric(peak/float64(b.N), "MB-RSS-peak")
}

// unlocker is the child of that benchmark.
func unlocker(dir string) {
	w := world.Real()
	v, err := vault.Open(w, dir)
	exitOn(err)
	keys, err := v.Unlock(uuid.UUID{0: 1}, "135790")
	exitOn(err)
	begun := time.Now()
	r, err := store.Open(context.Background(), store.Options{World: w, Dir: dir, Keys: keys})
	exitOn(err)
	found, err := r.Find(context.Background(), "wj", 5)
	exitOn(err)
	if len(found) == 0 {
		exitOn(errors.New("nothing was found"))
	}
	took := time.Since(begun)
	status, err := os.ReadFile("/proc/self/status")
	exitOn(err)
	fmt.Println(took.Seconds(), megabytes(status, "VmRSS:"), megabytes(status, "VmHWM:"))
	exitOn(r.Close())
}

func megabytes(status []byte, name string) float64 {
	var kb float64
	_, rest, _ := strings.Cut(string(status), name)
	fmt.Sscan(rest, &kb)
	return kb / 1024
}

// BenchmarkRebuild works the state out anew from logs of three sizes; what a change
// costs must not grow with their number.
func BenchmarkRebuild(b *testing.B) {
	ctx := context.Background()
	sizes := []int{100_000, 300_000, 1_000_000}
	if testing.Short() {
		sizes = []int{10_000, 30_000}
	}
	for _, changes := range sizes {
		b.Run(fmt.Sprint(changes), func(b *testing.B) {
			r := openBench(b, 1)
			fillLog(b, r, changes)
			for b.Loop() {
				require.NoError(b, r.Rebuild(ctx))
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/float64(changes), "µs/change")
		})
	}
}

// fillLog applies bundles of 1,000 changes: half of them make an entity, half
// correct an earlier one.
func fillLog(b *testing.B, r *store.Replica, changes int) {
	random := rand.New(rand.NewPCG(7, 7))
	node, tip := uuid.UUID{0: 9}, store.Digest{}
	var made []store.ChangeID
	entity := func(i int) uuid.UUID {
		return uuid.UUID{0: 1, 6: 0x70, 8: 0x80, 12: byte(i >> 24), 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}
	}
	for first := 1; first <= changes; first += 1000 {
		bundle := store.Bundle{Node: node, First: uint64(first), Prev: tip, Division: village}
		for seq := first; seq < first+1000; seq++ {
			at, before := len(made), []store.ChangeID(nil)
			if len(made) > 0 && seq%2 == 0 {
				at = random.IntN(len(made))
				before = []store.ChangeID{made[at]}
			}
			c := store.Change{ChangeID: store.ChangeID{Node: node, Seq: uint64(seq)}, Clock: store.Clock(seq) << 16, Kind: store.Task, Entity: entity(at), Division: village,
				Fields: []store.Field{
					{Name: "due", Value: store.Text("2026-06-30"), Supersedes: before},
					{Name: "reason", Value: store.Text("车管比对：名下有车辆（虚构）"), Supersedes: before},
					{Name: "state", Value: store.Text("open"), Supersedes: before},
				}}
			if before == nil {
				made = append(made, c.ChangeID)
			} else {
				made[at] = c.ChangeID
			}
			raw, err := store.EncodeChange(&c)
			require.NoError(b, err)
			c.Raw = raw
			bundle.Changes, bundle.Body, bundle.Last = append(bundle.Changes, c), append(bundle.Body, raw...), c.Seq
		}
		bundle.Head = fmt.Appendf(nil, "head %d %x", first, tip)
		bundle.Digest = store.DigestOf(bundle.Head)
		tip = bundle.Digest
		require.NoError(b, r.Apply(context.Background(), bundle))
	}
}
