package practice_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
)

// strangers are families of five that the dictionary has never met: another seed than
// that of the sample county, another mix, and what people say is said in words of this
// file.
func strangers(w world.World, village yunqi.Village, count int) []*yunqi.Household {
	var out []*yunqi.Household
	all := yunqi.New(99, 8*6*count).Households
	for i, h := range all {
		if h.Kind != yunqi.Workers || len(out) == count {
			continue
		}
		// The grandparents and a brother of the next families live with them.
		for _, other := range all[i+1:] {
			if len(h.Members) == 5 {
				break
			}
			m := &yunqi.Member{ID: w.NewID(), Fields: maps.Clone(other.Members[0].Fields)}
			if slices.ContainsFunc(h.Members, func(o *yunqi.Member) bool { return o.Fields["name"] == m.Fields["name"] }) || other.Kind != yunqi.Elders && other.Kind != yunqi.Car {
				continue
			}
			m.Fields["rel"] = []string{"50", "70"}[len(h.Members)%2]
			h.Members = append(h.Members, m)
		}
		h.Village, h.Fields["live_code"] = village, village.Code
		out = append(out, h)
	}
	return out
}

var said = []string{
	"去年冬天起就下不了床，吃饭要人喂", "大儿子在佛山的家具厂，过年才回来", "自己种了三亩水稻，够一家人吃", "高血压十来年了，每个月去卫生室拿药",
	"砖混的平房，西边墙脚有点返潮", "在县城工地打零工，下雨就没活", "低保金每月都按时到折子上", "厨房屋顶漏雨，自己用塑料布盖着",
	"孙女成绩不错，想继续读高中", "隔壁说这家人老实，没听说有存款", "老人耳朵背，说话要大声", "媳妇前年走了，没有再联系",
}

// typicalVisit is a visit as two investigators fill it with the sample form, with five
// photos and the householder's signature.
func typicalVisit(h *yunqi.Household, random *rand.Rand) yunqi.Script {
	s := h.Visit(time.Now(), false)
	s.Photos = append(s.Photos[:2], "/housing/photo_room", "/housing/photo_kitchen", "/housing/photo_kitchen")
	s.Answers = append(s.Answers, yunqi.Answer{Path: "/elders/elder_alone", Value: "couple"})
	name := func(a yunqi.Answer) string { return a.Path[strings.LastIndexByte(a.Path, '/')+1:] }
	for i, a := range s.Answers {
		switch name(a) {
		case "interpreter", "support_who", "carer", "nb_says", "summary", "opinion_why", "not_met_note":
			s.Answers[i].Value = said[random.IntN(len(said))]
		}
	}
	return s
}

// thin leaves out answers that the form does not ask for, here and there, until there
// are so many, or no more than the form asks for.
func thin(b *testing.B, desk *visit.Desk, task tasks.Task, s yunqi.Script, many int, random *rand.Rand) yunqi.Script {
	v, err := desk.Start(ctx, task)
	require.NoError(b, err)
	asked := func(a yunqi.Answer) bool { n, ok := v.Entry.Node(a.Path); return !ok || n.Relevant }
	s.Answers = slices.DeleteFunc(s.Answers, func(a yunqi.Answer) bool {
		if !asked(a) {
			return true
		}
		_, err := v.Set(ctx, a.Path, a.Value)
		require.NoError(b, err)
		return false
	})
	for _, i := range random.Perm(len(s.Answers)) {
		a := &s.Answers[i]
		if n, ok := v.Entry.Node(a.Path); len(s.Answers)-left(s) > many && ok && !n.Required && n.Name != "land_mu" {
			a.Path = "" // the others keep their places
		}
	}
	s.Answers = slices.DeleteFunc(s.Answers, func(a yunqi.Answer) bool { return a.Path == "" })
	require.NoError(b, v.Drop(ctx))
	return s
}

// left are how many answers of a script were left out.
func left(s yunqi.Script) (n int) {
	for _, a := range s.Answers {
		if a.Path == "" {
			n++
		}
	}
	return n
}

// A ledger counts what every path costs, in both directions and with every header.
type ledger struct {
	mu       sync.Mutex
	up, down map[string]int
	sent     map[string][]byte
}

type counted struct {
	net.Conn
	ledger *ledger
	path   string
}

func (c *counted) Write(p []byte) (int, error) {
	if line, _, found := bytes.Cut(p, []byte(" HTTP/1.1\r\n")); found && len(line) < 200 {
		_, path, _ := strings.Cut(string(line), " ")
		c.path = path
	}
	c.ledger.mu.Lock()
	c.ledger.up[c.path] += len(p)
	c.ledger.sent[c.path] = append(c.ledger.sent[c.path], p...)
	c.ledger.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.ledger.mu.Lock()
	c.ledger.down[c.path] += n
	c.ledger.mu.Unlock()
	return n, err
}

// BenchmarkATypicalVisitOnTheWire counts, before encryption and with every header in
// both directions, what a tablet's visits cost until it has the county's receipt for
// them: 120 answers, a family of five, two attestations, six pictures.
func BenchmarkATypicalVisitOnTheWire(b *testing.B) {
	for _, each := range []int{1, 20} {
		b.Run(fmt.Sprintf("in bundles of %d", each), func(b *testing.B) {
			w := world.Real()
			c, err := practice.SetUp(ctx, w, b.TempDir(), 8, "tablet-a")
			require.NoError(b, err)
			defer c.Close()
			node := c.Nodes["tablet-a"]
			families := strangers(w, c.Sample.Villages[0], each+1)
			_, err = practice.Load(ctx, c.Office, c.Clerk, &yunqi.County{Households: families})
			require.NoError(b, err)
			var list []tasks.Task
			for i, h := range families {
				list = append(list, tasks.Task{
					ID: w.NewID(), Household: h.ID, Division: h.Village.Code, Form: practice.HomeVisit, Due: time.Now().AddDate(0, 0, i).Format(time.DateOnly), Reason: "年度复核",
				})
			}
			_, err = tasks.Issue(ctx, c.Office.Replica, c.Clerk, list)
			require.NoError(b, err)
			_, err = node.Office.Client().Sync(ctx, nil)
			require.NoError(b, err)
			random, shelf := rand.New(rand.NewPCG(5, 5)), &publish.Shelf{}
			answers := 0
			visits := func(families []*yunqi.Household, list []tasks.Task) {
				for i, h := range families {
					task, err := tasks.Get(ctx, node.Office.Replica, list[i].ID)
					require.NoError(b, err)
					script := thin(b, node.Desk(shelf), task, typicalVisit(h, random), 120, random)
					walked, err := node.Walk(ctx, shelf, task, script, uint64(10*i))
					require.NoError(b, err)
					s, err := visit.Read(ctx, node.Office.Replica, walked.Visit)
					require.NoError(b, err)
					require.Len(b, s.Content.Blobs(), 6)
					require.Len(b, s.Attestations, 2)
					require.GreaterOrEqual(b, walked.Answers, 120)
					answers = walked.Answers
				}
			}
			visits(families[:1], list[:1]) // so that there is a bundle before the one that is measured
			_, err = node.Office.Client().Sync(ctx, nil)
			require.NoError(b, err)
			visits(families[1:], list[1:])
			for b.Loop() {
			}
			books := &ledger{up: map[string]int{}, down: map[string]int{}, sent: map[string][]byte{}}
			client := node.Office.Client()
			client.World.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return &counted{Conn: conn, ledger: books}, err
			}
			report, err := client.Sync(ctx, nil)
			require.NoError(b, err)
			require.Equal(b, 1, report.BundlesUp)
			for path, up := range books.up {
				if strings.HasSuffix(path, "/push") {
					b.ReportMetric(float64(up+books.down[path])/float64(each), "B/visit")
					b.ReportMetric(float64(up)/float64(each), "B-up/visit")
					b.ReportMetric(float64(bytes.Index(books.sent[path], []byte("\r\n\r\n"))+4), "B-header")
				}
			}
			tip, err := node.Office.Replica.Tip(ctx, node.Office.Replica.Identity().Node)
			require.NoError(b, err)
			own, err := node.Office.Replica.Bundles(ctx, store.BundleQuery{Node: &tip.Node, FromSeq: tip.Last})
			require.NoError(b, err)
			b.ReportMetric(float64(len(own[len(own)-1].Head)+len(own[len(own)-1].Body))/float64(each), "B-bundle/visit")
			b.ReportMetric(float64(answers), "answers")
			b.ReportMetric(0, "ns/op")
		})
	}
}
