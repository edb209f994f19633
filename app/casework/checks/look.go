package checks

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/cards"
	"ironfeet/store"
)

type looking struct {
	*Case
	found   map[uuid.UUID][]Hint
	byID    map[uuid.UUID]*cards.Card
	owners  map[store.Digest][]*cards.Card // of each photo
	homes   map[uuid.UUID][]*cards.Card    // visits of each household, by time
	workers map[uuid.UUID][]*cards.Card    // visits of each investigator, by time
	middles map[string]place
}

func (l *looking) hint(visit uuid.UUID, h Hint) { l.found[visit] = append(l.found[visit], h) }

func (l *looking) stands(c *cards.Card) bool { return l.Stands == nil || l.Stands(c.Visit) }

func (l *looking) gather() {
	l.workers = map[uuid.UUID][]*cards.Card{}
	villages := map[string][]place{}
	for _, c := range l.Cards {
		if c.Damaged {
			continue
		}
		l.byID[c.Visit] = c
		for _, d := range c.Photos {
			l.owners[d] = append(l.owners[d], c)
		}
		l.homes[c.Household] = append(l.homes[c.Household], c)
		for _, w := range c.Workers {
			l.workers[w] = append(l.workers[w], c)
		}
		if c.Placed {
			villages[c.Division] = append(villages[c.Division], placeOf(c))
		}
	}
	l.middles = map[string]place{}
	for code, places := range villages {
		if len(places) >= max(l.Params.VillageVisits, 1) {
			l.middles[code] = middle(places)
		}
	}
}

func met(c *cards.Card) bool { return c.Outcome == "completed" || c.Outcome == "partial" }

// card looks at what one visit says by itself and beside others of its photos and
// its household.
func (l *looking) card(c *cards.Card) {
	if c.Damaged {
		l.hint(c.Visit, Hint{Code: Unreadable, Grave: true})
		return
	}
	l.photos(c)
	l.times(c)
	if c.Excused > 0 { // the reasons are for a person to read
		l.hint(c.Visit, Hint{Code: Excused, Grave: true, Count: c.Excused})
	}
	l.places(c)
	if c.Kin && !slices.ContainsFunc(c.Workers, func(p uuid.UUID) bool { return l.County != nil && l.County(p) }) {
		l.hint(c.Visit, Hint{Code: Kin, Grave: true, Text: c.KinWho})
	}
	if before := l.before(c); before != nil && met(c) && met(before) && len(c.Answers) >= l.Params.UnchangedLeast && before.Form == c.Form && before.Task != c.Task {
		if n := same(before.Answers, c.Answers); n == len(c.Answers) {
			l.hint(c.Visit, Hint{Code: Unchanged, Grave: true, Count: n, Of: len(c.Answers), Other: before.Visit})
		}
	}
}

// before is the household's last visit before this one that still stands.
func (l *looking) before(c *cards.Card) (last *cards.Card) {
	for _, o := range l.homes[c.Household] {
		if o.Ended < c.Ended && o.Visit != c.Visit && l.stands(o) {
			last = o
		}
	}
	return last
}

// same counts what two sorted lists have in common.
func same(a, b []uint64) (n int) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			i, j, n = i+1, j+1, n+1
		}
	}
	return n
}

// corrects says whether two visits are a returned one and its correction, which
// takes its photos over.
func corrects(a, b *cards.Card) bool {
	return a.Household == b.Household && a.Task == b.Task && a.Task != uuid.Nil
}

func (l *looking) photos(c *cards.Card) {
	seen := map[store.Digest]bool{}
	for _, d := range c.Photos {
		if seen[d] {
			l.hint(c.Visit, Hint{Code: PhotoTwice, Grave: true, Photo: d, Like: d, Other: c.Visit})
			continue
		}
		seen[d] = true
		for _, o := range l.owners[d] {
			if o != c && !corrects(o, c) {
				l.hint(c.Visit, Hint{Code: SamePhoto, Grave: true, Photo: d, Like: d, Other: o.Visit})
				break
			}
		}
		if l.Album == nil {
			continue
		}
	likes:
		for _, like := range l.Album.Likes(d) {
			if like.Bits > l.Params.LikeBits {
				break
			}
			for _, o := range l.owners[like.Photo] {
				// The same door looks the same each time; another household's does not.
				if o.Household != c.Household {
					l.hint(c.Visit, Hint{Code: LikePhoto, Grave: true, Photo: d, Like: like.Photo, Count: like.Bits, Of: 64, Other: o.Visit})
					break likes
				}
			}
		}
	}
}

func (l *looking) times(c *cards.Card) {
	zone := l.Zone
	if zone == nil {
		zone = time.Local
	}
	minutes := int((c.Ended - c.Started) / 60_000)
	switch {
	case c.Ended < c.Started:
		l.hint(c.Visit, Hint{Code: Backwards, Grave: true, Minutes: int((c.Started - c.Ended) / 60_000)})
	case met(c) && minutes < l.Params.ShortMinutes:
		l.hint(c.Visit, Hint{Code: Short, Minutes: minutes, Limit: l.Params.ShortMinutes})
	case met(c) && minutes > l.Params.LongMinutes:
		l.hint(c.Visit, Hint{Code: Long, Minutes: minutes, Limit: l.Params.LongMinutes})
	}
	if ahead := int(c.EndedAt().Sub(l.Now).Minutes()); ahead > l.Params.FutureMinutes {
		l.hint(c.Visit, Hint{Code: Future, Grave: true, Minutes: ahead})
	}
	if back := int(c.ClockBack / 60_000); back > 0 {
		l.hint(c.Visit, Hint{Code: ClockBack, Grave: true, Minutes: back})
	}
	if hour := c.StartedAt().In(zone).Hour(); hour >= l.Params.NightFrom || hour < l.Params.NightTo {
		l.hint(c.Visit, Hint{Code: Night, Text: c.StartedAt().In(zone).Format("15:04")})
	}
}

func (l *looking) places(c *cards.Card) {
	if !c.Placed {
		if met(c) {
			l.hint(c.Visit, Hint{Code: NoPlace}) // a note, not a stop (domain.md §7)
		}
		return
	}
	here := placeOf(c)
	if m, ok := l.middles[c.Division]; ok {
		if far := here.metres(m); far-int(c.Accuracy) > l.Params.FarMetres {
			l.hint(c.Visit, Hint{Code: Far, Grave: true, Metres: far, Limit: l.Params.FarMetres})
		}
	}
	for _, o := range slices.Backward(l.homes[c.Household]) {
		if o.Ended >= c.Ended || !o.Placed || o == c || !met(o) || !met(c) {
			continue
		}
		if far := here.metres(placeOf(o)); far-int(c.Accuracy)-int(o.Accuracy) > l.Params.MovedMetres {
			l.hint(c.Visit, Hint{Code: Moved, Metres: far, Limit: l.Params.MovedMetres, Other: o.Visit})
		}
		break
	}
}

// paces follows each investigator from door to door.
func (l *looking) paces(wanted map[uuid.UUID]bool) {
	told := map[[2]uuid.UUID]bool{} // both investigators of a pair walk the same way: it is said once
	for _, person := range sortedKeys(l.workers) {
		list := l.workers[person]
		for i := 1; i < len(list); i++ {
			a, b := list[i-1], list[i]
			if corrects(a, b) || a.Ended < a.Started || b.Ended < b.Started || told[[2]uuid.UUID{a.Visit, b.Visit}] {
				continue
			}
			gap := int((b.Started - a.Ended) / 60_000)
			var h Hint
			switch {
			case b.Started < a.Ended && b.Started >= a.Started && a.Household != b.Household && gap < -1:
				h = Hint{Code: TwoPlaces, Grave: true, Minutes: -gap, Person: person}
			case a.Placed && b.Placed && a.Household != b.Household:
				far := placeOf(a).metres(placeOf(b)) - int(a.Accuracy) - int(b.Accuracy)
				if far <= l.Params.LeastMetres || far*60 <= l.Params.KmPerHour*1000*max(gap, 0) {
					continue
				}
				h = Hint{Code: TooFast, Grave: true, Metres: far, Minutes: max(gap, 0), Limit: l.Params.KmPerHour, Person: person}
			default:
				continue
			}
			told[[2]uuid.UUID{a.Visit, b.Visit}] = true
			if wanted[b.Visit] {
				h.Other = a.Visit
				l.hint(b.Visit, h)
			}
			if wanted[a.Visit] {
				h.Other = b.Visit
				l.hint(a.Visit, h)
			}
		}
		l.many(person, list, wanted)
	}
}

// many finds hours with more completed visits than one can make.
func (l *looking) many(person uuid.UUID, list []*cards.Card, wanted map[uuid.UUID]bool) {
	list = slices.DeleteFunc(slices.Clone(list), func(c *cards.Card) bool { return !met(c) })
	from := 0
	for i, c := range list {
		for c.Ended-list[from].Ended > 60*60_000 {
			from++
		}
		if n := i - from + 1; n > l.Params.PerHour && wanted[c.Visit] &&
			!slices.ContainsFunc(l.found[c.Visit], func(h Hint) bool { return h.Code == TooMany }) {
			l.hint(c.Visit, Hint{Code: TooMany, Grave: true, Count: n, Minutes: int((c.Ended - list[from].Ended) / 60_000), Limit: l.Params.PerHour, Person: person})
		}
	}
}

// pairs says who signs nearly always with the same partner. It is said of the
// newest of the wanted visits only: it is about the two, not about a household.
func (l *looking) pairs(wanted map[uuid.UUID]bool) {
	since := l.Now.AddDate(0, 0, -l.Params.PairDays).UnixMilli()
	told := map[[2]uuid.UUID]bool{}
	for _, person := range sortedKeys(l.workers) {
		with := map[uuid.UUID]int{}
		n := 0
		var newest *cards.Card
		for _, c := range l.workers[person] {
			if c.Ended < since {
				continue
			}
			n++
			for _, other := range c.Workers {
				if other != person {
					with[other]++
				}
			}
			if wanted[c.Visit] {
				newest = c
			}
		}
		if n < l.Params.PairVisits || newest == nil {
			continue
		}
		for _, other := range sortedKeys(with) {
			if with[other]*100 < n*l.Params.PairPercent || told[[2]uuid.UUID{other, person}] {
				continue
			}
			told[[2]uuid.UUID{person, other}] = true
			l.hint(newest.Visit, Hint{Code: Pair, Count: with[other], Of: n, Limit: l.Params.PairPercent, Person: person, Partner: other})
		}
	}
}

func sortedKeys[V any](m map[uuid.UUID]V) []uuid.UUID {
	list := make([]uuid.UUID, 0, len(m))
	for id := range m {
		list = append(list, id)
	}
	slices.SortFunc(list, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	return list
}
