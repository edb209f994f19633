//go:build unix

package clerk_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/review"
	"ironfeet/app/casework/visit"
	"ironfeet/app/desktop/present"
	"ironfeet/app/desktop/present/clerk"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/forms"
	"ironfeet/store"
	"ironfeet/store/world"
)

// flood writes so many signed visits into a township's replica, each with 120 answers
// and 12 photos named, as a year of campaigns leaves them; the photos have arrived as
// far as the inbox can tell.
func flood(tb testing.TB, n int) (*present.Session, *practice.County) {
	tb.Helper()
	ctx := context.Background()
	c, err := practice.SetUp(ctx, world.Real(), tb.TempDir(), 96, "township")
	require.NoError(tb, err)
	tb.Cleanup(func() { c.Close() })
	town := c.Nodes["township"]
	encode, err := cbor.CoreDetEncOptions().EncMode()
	require.NoError(tb, err)
	now := time.Now()
	var edits []store.Edit
	for i := range n {
		h := c.Sample.Households[i%len(c.Sample.Households)]
		record := forms.Record{Form: practice.HomeVisit, Version: "1"}
		for q := range 120 {
			record.Answers = append(record.Answers, forms.Answer{Path: fmt.Sprintf("/data/group%d/question%d", q/12, q), Type: "text", Value: fmt.Sprintf("第 %d 项的回答，第 %d 户", q, i)})
		}
		record.Answers = append(record.Answers, forms.Answer{Path: "/data/visit/location", Type: "geopoint", Value: fmt.Sprintf("23.%04d 106.%04d 310 8", 1000+i%300, 2000+i%200)})
		id := world.Real().NewID()
		content := visit.Content{Version: 1, Visit: id, Household: h.ID, Division: h.Village.Code, Outcome: "completed", Record: record.Encode(),
			Started: now.Add(-time.Duration(n-i) * time.Hour).UnixMilli(), Ended: now.Add(-time.Duration(n-i)*time.Hour + 40*time.Minute).UnixMilli(),
			Seen: map[string]map[string][]store.ChangeID{}}
		for p := range 12 {
			content.Photos = append(content.Photos, visit.Photo{Path: fmt.Sprintf("/data/photo%d", p), Digest: store.DigestOf(fmt.Append(nil, i, p)), Size: 300_000})
		}
		raw, err := encode.Marshal(content)
		require.NoError(tb, err)
		digest := sha256.Sum256(raw)
		edits = append(edits, store.Edit{Kind: store.Visit, Entity: id, Division: h.Village.Code, Blobs: content.Blobs(), Fields: map[string]store.Value{
			"parent": store.Text(h.ID.String()), "state": store.Text("signed"), "form": store.Text(record.Form), "version": store.Text("1"), "outcome": store.Text("completed"),
			"content": store.Bytes(raw), "digest": store.Bytes(digest[:]), "attestations": store.Of([][]byte{}),
			"investigators": store.Of([]string{uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i%9)).String(), uuid.NewSHA1(uuid.Nil, fmt.Append(nil, 10+i%7)).String()}),
		}})
		if len(edits) == 500 || i == n-1 {
			_, err := town.Office.Replica.Write(ctx, town.People[0].ID, edits...)
			require.NoError(tb, err)
			edits = edits[:0]
		}
	}
	return present.Start(town.Office, town.People[0].ID, town.People[0].Name, words.In("zh")), c
}

// BenchmarkOpenInboxOf5000 opens the desk as a clerk does in the morning, the cards
// being there since the visits came: the limit is 300 ms.
func BenchmarkOpenInboxOf5000(b *testing.B) {
	ctx := context.Background()
	s, _ := flood(b, 5000)
	began := time.Now()
	first, err := clerk.Open(ctx, s)
	require.NoError(b, err)
	_, err = first.Inbox(ctx)
	require.NoError(b, err)
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms_after_import")
	began = time.Now()
	require.NoError(b, first.Look(ctx))
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms_checks")
	spent := cpu()
	for b.Loop() {
		c, err := clerk.Open(ctx, s)
		require.NoError(b, err)
		in, err := c.Inbox(ctx)
		require.NoError(b, err)
		require.Len(b, in.All, 5000)
		for i := range 12 { // what fits on the screen
			in.Line(ctx, i)
		}
	}
	b.ReportMetric(float64((cpu()-spent).Milliseconds())/float64(b.N), "cpu_ms") // what it takes on a machine that nobody shares
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/300e6, "of_300ms")
}

// cpu is the time this process has computed.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkMoveInInboxOf5000 is one key: the line left and the line reached are made
// anew. The limit is 16 ms.
func BenchmarkMoveInInboxOf5000(b *testing.B) {
	ctx := context.Background()
	s, _ := flood(b, 5000)
	c, err := clerk.Open(ctx, s)
	require.NoError(b, err)
	in, err := c.Inbox(ctx)
	require.NoError(b, err)
	b.ResetTimer()
	for i := range b.N {
		if !in.Move(1) {
			in.Move(-len(in.Shown))
		}
		in.Line(ctx, in.At)
		in.Line(ctx, max(0, in.At-1))
		if i%50 == 49 {
			in.Narrow(review.Filter{Text: "韦"})
			in.Narrow(review.Filter{})
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16e6, "of_16ms")
}
