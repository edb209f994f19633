package checks

import (
	"math"
	"slices"

	"ironfeet/app/casework/cards"
)

// A place is on the sphere; nothing kept or compared between nodes depends on it.
type place struct{ lat, lon float64 }

func placeOf(c *cards.Card) place { return place{float64(c.Lat) / 1e7, float64(c.Lon) / 1e7} }

const earth = 6_371_000 // metres, mean radius

// metres between two places, by the haversine formula.
func (p place) metres(q place) int {
	const deg = math.Pi / 180
	dlat, dlon := (q.lat-p.lat)*deg/2, (q.lon-p.lon)*deg/2
	h := math.Sin(dlat)*math.Sin(dlat) + math.Cos(p.lat*deg)*math.Cos(q.lat*deg)*math.Sin(dlon)*math.Sin(dlon)
	return int(2*earth*math.Asin(math.Sqrt(min(1, h))) + 0.5)
}

// Metres is the distance between two visits' places, false where one has none.
func Metres(a, b *cards.Card) (int, bool) {
	if a == nil || b == nil || !a.Placed || !b.Placed {
		return 0, false
	}
	return placeOf(a).metres(placeOf(b)), true
}

// middle is the median in each direction: one wrong place does not move it.
func middle(places []place) place {
	lat, lon := make([]float64, len(places)), make([]float64, len(places))
	for i, p := range places {
		lat[i], lon[i] = p.lat, p.lon
	}
	slices.Sort(lat)
	slices.Sort(lon)
	return place{lat[len(lat)/2], lon[len(lon)/2]}
}

// Middle is the middle of a village's visits in 1e-7 degrees, false where there
// are too few.
func (c *Case) Middle(division string) (lat, lon int64, ok bool) {
	var places []place
	for _, card := range c.Cards {
		if card.Placed && card.Division == division {
			places = append(places, placeOf(card))
		}
	}
	if len(places) < max(c.Params.VillageVisits, 1) {
		return 0, 0, false
	}
	m := middle(places)
	return int64(m.lat * 1e7), int64(m.lon * 1e7), true
}

// Offset is how far east and north of one visit's place another's lies, in metres.
func Offset(from, to *cards.Card) (east, north int) {
	const perDegree = earth * math.Pi / 180
	a, b := placeOf(from), placeOf(to)
	return int((b.lon - a.lon) * perDegree * math.Cos(a.lat*math.Pi/180)), int((b.lat - a.lat) * perDegree)
}
