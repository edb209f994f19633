package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
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

// BenchmarkFind is one keystroke over 5,000 households of four members.
func BenchmarkFind(b *testing.B) {
	ctx := context.Background()
	r := openBench(b, 1)
	registry(b, r, 0, 5000)
	for _, typed := range []string{"韦", "建国", "wj", "weijian", "0123", "没有"} {
		_, err := r.Find(ctx, typed, 20)
		require.NoError(b, err)
		b.Run(typed, func(b *testing.B) {
			for b.Loop() {
				_, err := r.Find(ctx, typed, 20)
				require.NoError(b, err)
			}
		})
	}
}
