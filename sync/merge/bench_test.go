package merge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// typical is about what a visit of 120 answers, five people and six photos holds.
func typical(random *rand.Rand) []byte {
	phrases := []string{"无劳动能力，常年卧床", "在外务工，每月寄回生活费", "种植水稻三亩，玉米一亩", "患有高血压，按月取药", "房屋为砖混结构，无裂缝"}
	answers := map[string]any{}
	for i := range 120 {
		switch i % 4 {
		case 0:
			answers[fmt.Sprintf("q%03d", i)] = phrases[random.IntN(len(phrases))]
		case 1:
			answers[fmt.Sprintf("q%03d", i)] = random.IntN(5000)
		default:
			answers[fmt.Sprintf("q%03d", i)] = []string{"yes", "no", "unknown"}[random.IntN(3)]
		}
	}
	b, err := json.Marshal(answers)
	if err != nil {
		panic(err)
	}
	return b
}

// BenchmarkTakeVisits is what a township waits for: signed visits, both
// attestations checked, durable when Take returns. size is the visits of a bundle.
func BenchmarkTakeVisits(b *testing.B) {
	for _, size := range []int{1, 20} {
		b.Run(fmt.Sprintf("in bundles of %d", size), func(b *testing.B) {
			f := newField(b, "ca")
			random := rand.New(rand.NewPCG(1, 1))
			var prev store.Tip
			var raws [][]byte
			bytesAll, seq := 0, uint64(0)
			for range b.N {
				var list []store.Change
				for range size {
					seq++
					e := f.visitOf(typical(random), village, 0x11, 0x12)
					c := store.Change{ChangeID: store.ChangeID{Node: id(1), Seq: seq}, Clock: store.Clock(f.now.UnixMilli()) << 16, Author: id(0x11), Kind: e.Kind, Entity: e.Entity, Division: e.Division}
					for _, name := range []string{"attestations", "content", "digest", "state"} {
						c.Fields = append(c.Fields, store.Field{Name: name, Value: e.Fields[name]})
					}
					for p := range 6 {
						c.Blobs = append(c.Blobs, store.BlobRef{Digest: store.DigestOf(fmt.Append(nil, seq, p)), Size: 200_000})
					}
					slices.SortFunc(c.Blobs, func(a, b store.BlobRef) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
					raw, err := store.EncodeChange(&c)
					require.NoError(b, err)
					c.Raw = raw
					list = append(list, c)
				}
				sealed, err := bundle.Seal(keyOf(1), prev, village, 0, list)
				require.NoError(b, err)
				prev = store.Tip{Node: sealed.Node, Last: sealed.Last, Digest: sealed.Digest}
				raws = append(raws, bundle.Encode(sealed))
				bytesAll += len(raws[len(raws)-1])
			}
			b.ResetTimer()
			for group := range (len(raws) + 7) / 8 { // as eight tablets that push at once
				outcomes, err := f.nodes["c"].merger.Take(ctx, raws[group*8:min(len(raws), group*8+8)]...)
				require.NoError(b, err)
				require.Equal(b, merge.StatusNew, outcomes[0].Status)
			}
			b.StopTimer()
			visits := float64(b.N * size)
			b.ReportMetric(visits/b.Elapsed().Seconds(), "visits/s")
			b.ReportMetric(float64(bytesAll)/visits, "B/visit")
		})
	}
}

// BenchmarkReloadRoll2000People is what a county pays after each enrolment.
func BenchmarkReloadRoll2000People(b *testing.B) {
	f := newField(b, "c")
	var edits []store.Edit
	for i := range 2000 {
		p := party{0x11, "甲", trust.Worker, village}
		c, err := f.root.Certify(trust.Certificate{
			Subject: uuid.UUID{0: 3, 6: 0x70, 8: 0x80, 14: byte(i >> 8), 15: byte(i)}, What: trust.ForPerson, Name: p.name, Key: pubOf(keyOf(byte(i))),
			Role: p.role, Scope: []string{p.scope}, From: start, Until: start.AddDate(1, 0, 0),
		})
		require.NoError(b, err)
		edits = append(edits, trust.CertificateEdit(c, county))
	}
	f.write(f.nodes["c"], uuid.Nil, edits...)
	roll, err := trust.Load(ctx, f.nodes["c"].replica, f.root.Public())
	require.NoError(b, err)
	b.ResetTimer()
	for range b.N {
		_, err := roll.Reload(ctx, f.nodes["c"].replica)
		require.NoError(b, err)
	}
}

// The content of a visit is not read by merge: any bytes are its content.
func TestContentIsNotMergesBusiness(t *testing.T) {
	f := newField(t, "ca")
	f.write(f.nodes["a"], id(0x11), f.visitOf(bytes.Repeat([]byte{0xff}, 10), village, 0x11, 0x12))
	require.Equal(t, merge.StatusNew, f.take(f.nodes["c"], raws(t, f.nodes["a"].replica)...)[0].Status)
}
