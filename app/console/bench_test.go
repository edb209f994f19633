package console_test

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/office"
	"ironfeet/app/console"
	"ironfeet/app/console/accounts"
	"ironfeet/app/export"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

func largeOffice(b *testing.B) *office.Office {
	b.Helper()
	of, err := practice.Bench(ctx, world.Real(), filepath.Join(b.TempDir(), "county"))
	require.NoError(b, err)
	b.Cleanup(func() { of.Close() })
	return of
}

// BenchmarkPageWith20Users: twenty people at once leaf through households, search,
// open cases and look at the figures; the slowest of twenty pages (p95), against an
// answer without any content over the same road.
func BenchmarkPageWith20Users(b *testing.B) {
	of := largeOffice(b)
	log, err := audit.Open(ctx, audit.Options{World: of.World, Dir: of.Dir, Sealer: of.Replica, Key: of.NodeKey, Name: "ironfeet.audit/459921"})
	require.NoError(b, err)
	defer log.Close()
	_, err = accounts.Of(of).Add(ctx, accounts.Account{Login: "clerk", Name: "经办（虚构）", Role: trust.County}, password)
	require.NoError(b, err)
	kinds, _ := alerts.Read(yunqi.AlertKinds())
	c, err := console.New(console.Options{Office: of, Audit: log, Kinds: kinds, Log: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	defer c.Close()
	s := httptest.NewServer(c.Beside(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })))
	defer s.Close()
	jar, err := cookiejar.New(nil)
	require.NoError(b, err)
	client := &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	resp, err := client.PostForm(s.URL+console.Base+"login", url.Values{"login": {"clerk"}, "password": {password}})
	require.NoError(b, err)
	resp.Body.Close()
	// A month's comparison has raised 2,000 alerts, and 1,000 needs were referred.
	page, err := of.Replica.PageByPlace(ctx, store.Household, "", "", store.Place{}, 2000)
	require.NoError(b, err)
	var hits []alerts.Hit
	var referred []store.Edit
	for i, e := range page {
		hits = append(hits, alerts.Hit{Kind: kinds.All[i%len(kinds.All)], Household: e.ID, Division: e.Division, Name: "某", Detail: "名下有车", Source: "vehicles", Due: "2027-01-01"})
		if i%2 == 0 {
			referred = append(referred, store.Edit{Kind: store.Need, Entity: of.World.NewID(), Division: e.Division, Fields: map[string]store.Value{
				"parent": store.Text(e.ID.String()), "state": store.Text("referred"), "label": store.Text("医疗救助"), "department": store.Text("医保"), "found_on": store.Text("2026-10-01"), "referred_on": store.Text("2026-10-08"),
			}})
		}
	}
	_, err = alerts.Raise(ctx, of.Replica, of.Replica.Identity().Node, time.Now(), hits)
	require.NoError(b, err)
	_, err = of.Replica.Write(ctx, of.Replica.Identity().Node, referred...)
	require.NoError(b, err)
	page, err = of.Replica.PageByPlace(ctx, store.Household, "", "", store.Place{Division: "459921100205"}, 200)
	require.NoError(b, err)
	paths := []string{"", "households", "households?q=wd", "households?q=" + url.QueryEscape("韦"), "tasks", "visits", "determinations", "exports", "devices", "alerts", "needs"}
	for _, e := range page[:40] {
		paths = append(paths, "households/"+e.ID.String(), "households?after="+e.Division+"~"+e.ID.String())
	}
	ask := func(path string) time.Duration {
		began := time.Now()
		resp, err := client.Get(s.URL + path)
		if err != nil {
			b.Error(err)
			return 0
		}
		defer resp.Body.Close()
		if resp.StatusCode >= 300 {
			b.Errorf("%s: %d", path, resp.StatusCode)
		}
		var buf [32 << 10]byte
		for {
			if _, err := resp.Body.Read(buf[:]); err != nil {
				return time.Since(began)
			}
		}
	}
	p95 := func(path func(*rand.Rand) string) time.Duration {
		var mu sync.Mutex
		var all []time.Duration
		var wait sync.WaitGroup
		for user := range 20 {
			wait.Go(func() {
				random := rand.New(rand.NewPCG(uint64(user), 1))
				for range 15 {
					d := ask(path(random))
					mu.Lock()
					all = append(all, d)
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		slices.Sort(all)
		return all[len(all)*95/100]
	}
	ask(console.Base) // the figures are counted once
	b.ResetTimer()
	var slow time.Duration
	for b.Loop() {
		slow = p95(func(r *rand.Rand) string { return console.Base + paths[r.IntN(len(paths))] })
	}
	b.StopTimer()
	empty := p95(func(*rand.Rand) string { return "/v1/nothing" })
	one := ask(console.Base + "households")
	for _, path := range []string{"alerts", "needs"} {
		b.ReportMetric(float64(ask(console.Base+path).Microseconds())/1e3, path+"-ms")
	}
	b.ReportMetric(float64(slow.Microseconds())/1e3, "p95-ms")
	b.ReportMetric(float64(one.Microseconds())/1e3, "one-user-ms")
	b.ReportMetric(float64(slow)/float64(max(empty, time.Microsecond)), "×empty-answer")
}

// BenchmarkIntakeDuringExport: how many changes a second the county takes in while
// an export runs, as a share of what it takes in alone.
func BenchmarkIntakeDuringExport(b *testing.B) {
	of := largeOffice(b)
	author := of.Replica.Identity().Node
	intake := func(d time.Duration) float64 {
		n := 0
		began := time.Now()
		for time.Since(began) < d {
			var edits []store.Edit
			for range 20 { // about a bundle
				edits = append(edits, store.Edit{Kind: store.Task, Division: "459921100201", Fields: map[string]store.Value{"state": store.Text("open"), "reason": store.Text(strings.Repeat("字", 200))}})
			}
			_, err := of.Replica.Write(ctx, author, edits...)
			require.NoError(b, err)
			n += len(edits)
		}
		return float64(n) / time.Since(began).Seconds()
	}
	share := 0.0
	for b.Loop() {
		alone := intake(2 * time.Second)
		stop := make(chan struct{})
		var wait sync.WaitGroup
		wait.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := export.Write(&discard{}, "csv", export.Records(ctx, of.Replica, export.Selection{Status: export.Registered}), export.Default(), export.Options{Day: time.Now()})
				if err != nil {
					b.Error(err)
				}
			}
		})
		share = intake(2*time.Second) / alone
		close(stop)
		wait.Wait()
	}
	b.ReportMetric(share, "of-alone")
}

type discard struct{}

func (*discard) Write(p []byte) (int, error) { return len(p), nil }
