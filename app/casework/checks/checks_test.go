package checks

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/cards"
	"ironfeet/assets"
	"ironfeet/store"
)

var (
	zone = time.FixedZone("CST", 8*3600)
	noon = time.Date(2026, 3, 10, 12, 0, 0, 0, zone)
	jia  = id(1)
	yi   = id(2)
	bing = id(3)
)

func id(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, fmt.Append(nil, n)) }

func photo(n int) store.Digest { return store.DigestOf(fmt.Append(nil, n)) }

// visit is a card of household n, begun so many minutes after noon and half an
// hour long, at a place so many metres north of the village's middle.
func visit(n, minutes, north int, workers ...uuid.UUID) *cards.Card {
	if len(workers) == 0 {
		workers = []uuid.UUID{id(1000 + n), id(2000 + n)}
	}
	start := noon.Add(time.Duration(minutes) * time.Minute)
	return &cards.Card{
		Visit: id(100_000 + n*1000 + minutes), Household: id(10_000 + n), Task: id(20_000 + n*1000 + minutes), Division: "459921100201", Form: "f", Outcome: "completed",
		Started: start.UnixMilli(), Ended: start.Add(30 * time.Minute).UnixMilli(), Workers: workers,
		Placed: true, Lat: 231_000_000 + int64(north)*90, Lon: 1_060_000_000, Photos: []store.Digest{photo(n*10_000 + minutes)},
	}
}

func codes(hints []Hint) string {
	var list []string
	for _, h := range hints {
		list = append(list, strings.TrimPrefix(h.Code, "check."))
	}
	return strings.Join(list, " ")
}

func look(of *cards.Card, others ...*cards.Card) []Hint {
	all := append(others, of)
	c := Case{Cards: byTime(all), Params: Default, Now: noon.AddDate(0, 0, 30), Zone: zone, County: func(p uuid.UUID) bool { return p == bing }}
	return c.Look(of.Visit)[of.Visit]
}

func byTime(list []*cards.Card) []*cards.Card {
	for i := range list {
		for j := i; j > 0 && list[j].Ended < list[j-1].Ended; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}

func with(c *cards.Card, change func(*cards.Card)) *cards.Card {
	change(c)
	return c
}

func village() (list []*cards.Card) {
	for n := range 5 {
		list = append(list, visit(50+n, -3000+n*100, n*20))
	}
	return list
}

func TestWhatIsHinted(t *testing.T) {
	answers := func(n int) func(*cards.Card) {
		return func(c *cards.Card) {
			for i := range n {
				c.Answers = append(c.Answers, uint64(i))
			}
		}
	}
	same := visit(7, -60*24*200, 0)
	for _, test := range []struct {
		name   string
		of     *cards.Card
		others []*cards.Card
		want   string
	}{
		{"an ordinary visit", visit(1, 0, 0), village(), ""},
		{"the same photo in another household", with(visit(1, 0, 0), func(c *cards.Card) { c.Photos = []store.Digest{photo(9)} }),
			[]*cards.Card{with(visit(2, -300, 0), func(c *cards.Card) { c.Photos = []store.Digest{photo(8), photo(9)} })}, "same_photo"},
		{"the same photo in an earlier visit to the same household", with(visit(1, 0, 0), func(c *cards.Card) { c.Photos = []store.Digest{photo(9)} }),
			[]*cards.Card{with(visit(1, -300, 0), func(c *cards.Card) { c.Photos = []store.Digest{photo(9)} })}, "same_photo"},
		{"a correction takes the returned visit's photos over", with(visit(1, 0, 0), func(c *cards.Card) { c.Photos, c.Task = []store.Digest{photo(9)}, id(5) }),
			[]*cards.Card{with(visit(1, -300, 0), func(c *cards.Card) { c.Photos, c.Task = []store.Digest{photo(9)}, id(5) })}, ""},
		{"one photo for two questions", with(visit(1, 0, 0), func(c *cards.Card) { c.Photos = []store.Digest{photo(9), photo(9)} }), nil, "photo_twice"},
		{"three kilometres in a minute", visit(1, 0, 3000, jia, yi), []*cards.Card{visit(2, -31, 0, jia, bing)}, "too_fast"},
		{"three kilometres in ten minutes", visit(1, 0, 3000, jia, yi), []*cards.Card{visit(2, -40, 0, jia, bing)}, ""},
		{"the next door in a minute", visit(1, 0, 100, jia, yi), []*cards.Card{visit(2, -31, 0, jia, bing)}, ""},
		{"the later of two visits is looked at too", visit(2, -31, 0, jia, bing), []*cards.Card{visit(1, 0, 3000, jia, yi)}, "too_fast"},
		{"in two houses at once", visit(1, 0, 0, jia, yi), []*cards.Card{visit(2, -20, 0, jia, bing)}, "two_places"},
		{"a minute's overlap is a clock", visit(1, 0, 0, jia, yi), []*cards.Card{visit(2, -29, 0, jia, bing)}, ""},
		{"six kilometres from the village", visit(1, 0, 6000), village(), "far"},
		{"four kilometres from the village", visit(1, 0, 4000), village(), ""},
		{"six kilometres, with an accuracy of two", with(visit(1, 0, 6000), func(c *cards.Card) { c.Accuracy = 2000 }), village(), ""},
		{"far from a village that nobody has visited yet", visit(1, 0, 6000), village()[:3], ""},
		{"the house has moved", visit(1, 0, 600), []*cards.Card{visit(1, -9000, 0)}, "moved"},
		{"the house stands where it stood", visit(1, 0, 200), []*cards.Card{visit(1, -9000, 0)}, ""},
		{"no place", with(visit(1, 0, 0), func(c *cards.Card) { c.Placed = false }), nil, "no_place"},
		{"nobody at home needs no place", with(visit(1, 0, 0), func(c *cards.Card) { c.Placed, c.Outcome = false, "absent" }), nil, ""},
		{"ended before it began", with(visit(1, 0, 0), func(c *cards.Card) { c.Ended = c.Started - 600_000 }), nil, "backwards"},
		{"two minutes", with(visit(1, 0, 0), func(c *cards.Card) { c.Ended = c.Started + 120_000 }), nil, "short"},
		{"nobody at home after two minutes", with(visit(1, 0, 0), func(c *cards.Card) { c.Ended, c.Outcome = c.Started+120_000, "absent" }), nil, ""},
		{"nine hours", with(visit(1, -300, 0), func(c *cards.Card) { c.Ended = c.Started + 9*3_600_000 }), nil, "long"},
		{"at eleven at night", visit(1, 11*60, 0), nil, "night"},
		{"next month by the tablet's clock", visit(1, 60*24*31, 0), nil, "future"},
		{"the clock was set back meanwhile", with(visit(1, 0, 0), func(c *cards.Card) { c.ClockBack = 3_600_000 }), nil, "clock_back"},
		{"answers of half a year ago everywhere", with(visit(7, 0, 0), answers(30)), []*cards.Card{with(same, answers(30))}, "unchanged"},
		{"one answer is another", with(visit(7, 0, 0), func(c *cards.Card) { answers(30)(c); c.Answers[29] = 99 }), []*cards.Card{same}, ""},
		{"too few answers to say", with(visit(7, 0, 0), answers(10)), []*cards.Card{with(visit(7, -9000, 0), answers(10))}, ""},
		{"kin of staff, visited by the village", with(visit(1, 0, 0), func(c *cards.Card) { c.Kin, c.KinWho = true, "村主任" }), nil, "kin"},
		{"kin of staff, visited by the county", with(visit(1, 0, 0, jia, bing), func(c *cards.Card) { c.Kin = true }), nil, ""},
		{"a record that cannot be read", with(visit(1, 0, 0), func(c *cards.Card) { c.Damaged = true }), nil, "unreadable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, codes(look(test.of, test.others...)))
		})
	}
}

func TestTooManyInAnHour(t *testing.T) {
	var list []*cards.Card
	for n := range 6 { // every ten minutes, five minutes long, next door
		list = append(list, with(visit(n, n*10, 0, jia, id(3000+n)), func(c *cards.Card) { c.Ended = c.Started + 300_000 }))
	}
	hints := look(list[5], list[:5]...)
	require.Equal(t, "too_many", codes(hints))
	require.Equal(t, 6, hints[0].Count)
	require.Equal(t, 50, hints[0].Minutes)
	require.Equal(t, jia, hints[0].Person)
	require.Empty(t, look(list[3], list[:3]...), "four are possible")
}

func TestAlwaysTheSameTwo(t *testing.T) {
	var list []*cards.Card
	for n := range 40 {
		partner := yi
		if n%20 == 0 {
			partner = bing
		}
		list = append(list, visit(n, n*120%600+n/5*1440, 0, jia, partner))
	}
	list = byTime(list)
	c := Case{Cards: list, Params: Default, Now: noon.AddDate(0, 0, 9), Zone: zone}
	found := c.Look(list[3].Visit, list[39].Visit, list[38].Visit)
	hint := found[list[39].Visit]
	require.Equal(t, "pair", codes(hint))
	require.Equal(t, []int{38, 38}, []int{hint[0].Count, hint[0].Of}, "yi has signed with nobody else")
	require.Equal(t, []uuid.UUID{yi, jia}, []uuid.UUID{hint[0].Person, hint[0].Partner})
	require.False(t, hint[0].Grave, "one team does one village: that keeps nothing from being accepted")
	require.Empty(t, found[list[38].Visit], "it is said once")
}

func TestEveryHintCanBeSaid(t *testing.T) {
	for _, lang := range assets.Languages {
		for _, code := range Codes {
			require.Contains(t, assets.Catalogue(lang), code)
		}
	}
}

// BenchmarkLookAt5000 looks at a township's whole inbox among 20,000 visits.
func BenchmarkLookAt5000(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var list []*cards.Card
	for n := range 20_000 {
		c := visit(n, n*17%500+n/12*1440-1440*1700, r.IntN(3000), id(r.IntN(40)), id(100+r.IntN(40)))
		c.Household, c.Division = id(10_000+r.IntN(7000)), fmt.Sprintf("4599211002%02d", n%20)
		for i := range 12 {
			c.Photos = append(c.Photos, photo(n*12+i))
		}
		for i := range 120 {
			c.Answers = append(c.Answers, uint64(i*7))
		}
		list = append(list, c)
	}
	var wanted []uuid.UUID
	for _, c := range list[15_000:] {
		wanted = append(wanted, c.Visit)
	}
	c := Case{Cards: list, Params: Default, Now: noon, Zone: zone}
	for b.Loop() {
		c.Look(wanted...)
	}
}
