package console

import (
	"cmp"
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"
)

// Charts are drawn here as SVG: no script, no style attribute (the policy allows
// none), every number written beside its shape, no meaning by colour alone.

// A bar of a chart.
type bar struct {
	Label string
	Value int
	Class string // c1 … c6: pattern and shade by the style sheet
}

func chart(width, height int, title string, draw func(*strings.Builder)) template.HTML {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, html.EscapeString(title))
	draw(&b)
	b.WriteString("</svg>")
	return template.HTML(b.String()) // every text in it was escaped where it was written
}

// bars are horizontal bars with their numbers.
func bars(title string, list []bar) template.HTML {
	const width, row, label = 520, 30, 150
	most := 1
	for _, b := range list {
		most = max(most, b.Value)
	}
	return chart(width, max(row*len(list), row), title, func(out *strings.Builder) {
		for i, b := range list {
			y := i * row
			w := float64(b.Value) / float64(most) * float64(width-label-70)
			fmt.Fprintf(out, `<text class="label" x="%d" y="%d" text-anchor="end">%s</text>`, label-12, y+20, html.EscapeString(b.Label))
			fmt.Fprintf(out, `<rect class="%s" x="%d" y="%d" width="%.1f" height="18" rx="3"/>`, cmp.Or(b.Class, "c1"), label, y+6, max(w, 1.5))
			fmt.Fprintf(out, `<text class="number" x="%.1f" y="%d">%d</text>`, float64(label)+w+8, y+20, b.Value)
		}
	})
}

// progress shows of each village how many households are verified.
func progress(title string, list []Village) template.HTML {
	const width, row, label = 520, 30, 150
	return chart(width, max(row*len(list), row), title, func(out *strings.Builder) {
		for i, v := range list {
			y := i * row
			full := float64(width - label - 110)
			share := 0.0
			if v.Households > 0 {
				share = float64(v.Verified) / float64(v.Households)
			}
			fmt.Fprintf(out, `<text class="label" x="%d" y="%d" text-anchor="end">%s</text>`, label-12, y+20, html.EscapeString(v.Name))
			fmt.Fprintf(out, `<rect class="rest" x="%d" y="%d" width="%.1f" height="18" rx="3"/>`, label, y+6, full)
			if v.Verified > 0 {
				fmt.Fprintf(out, `<rect class="c1" x="%d" y="%d" width="%.1f" height="18" rx="3"/>`, label, y+6, max(full*share, 3))
			}
			fmt.Fprintf(out, `<text class="number" x="%.1f" y="%d">%d / %d</text>`, float64(label)+full+10, y+20, v.Verified, v.Households)
		}
	})
}

// days are columns: visits of the last thirty days.
func days(title string, perDay map[string]map[string]int, today time.Time) template.HTML {
	const width, height, n, foot = 520, 170, 30, 24
	counts := make([]int, n)
	most := 1
	for i := range n {
		for _, v := range perDay[today.AddDate(0, 0, i-n+1).Format(time.DateOnly)] {
			counts[i] += v
		}
		most = max(most, counts[i])
	}
	return chart(width, height, title, func(out *strings.Builder) {
		step := float64(width) / n
		fmt.Fprintf(out, `<line class="axis" x1="0" y1="%d" x2="%d" y2="%d"/>`, height-foot, width, height-foot)
		for i, c := range counts {
			h := float64(c) / float64(most) * float64(height-foot-22)
			x := float64(i) * step
			if c > 0 {
				fmt.Fprintf(out, `<rect class="c1" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"/>`, x+2, float64(height-foot)-h, step-4, h)
				fmt.Fprintf(out, `<text class="number small" x="%.1f" y="%.1f" text-anchor="middle">%d</text>`, x+step/2, float64(height-foot)-h-5, c)
			}
			if i%7 == n%7+1 || i == n-1 {
				fmt.Fprintf(out, `<text class="label small" x="%.1f" y="%d" text-anchor="middle">%s</text>`, min(x+step/2, width-18), height-6, today.AddDate(0, 0, i-n+1).Format("01-02"))
			}
		}
	})
}

// villageMap sets the villages where their visits were: north is up, size is
// households, the filled part of a disc is what is verified.
func villageMap(title string, list []Village) template.HTML {
	const width, height, margin = 520, 360, 60
	list = slices.DeleteFunc(slices.Clone(list), func(v Village) bool { return v.Points == 0 })
	slices.SortFunc(list, func(a, b Village) int { return cmp.Compare(b.Households, a.Households) })
	if len(list) == 0 {
		return ""
	}
	south, north, west, east := 90.0, -90.0, 180.0, -180.0
	most := 1
	for _, v := range list {
		lat, lon := v.Lat/float64(v.Points), v.Lon/float64(v.Points)
		south, north, west, east = min(south, lat), max(north, lat), min(west, lon), max(east, lon)
		most = max(most, v.Households)
	}
	narrow := math.Cos((south + north) / 2 * math.Pi / 180)                                                // a degree of longitude is shorter here
	scale := min((width-2*margin)/max((east-west)*narrow, 0.01), (height-2*margin)/max(north-south, 0.01)) // at least a kilometre wide
	left := (width - (east-west)*narrow*scale) / 2
	top := (height - (north-south)*scale) / 2
	return chart(width, height, title, func(out *strings.Builder) {
		fmt.Fprintf(out, `<rect class="land" x="0.5" y="0.5" width="%d" height="%d" rx="8"/>`, width-1, height-1)
		kilometre := scale / 111.32
		for _, km := range []float64{0.2, 0.5, 1, 2, 5, 10, 20, 50} {
			if l := km * kilometre; l >= 50 || km == 50 {
				fmt.Fprintf(out, `<path class="axis" d="M16 %d v6 h%.1f v-6"/><text class="label small" x="%.1f" y="%d">%g km</text>`, height-26, l, 22+l, height-18, km)
				break
			}
		}
		discs := make([]disc, len(list))
		for i, v := range list {
			discs[i] = disc{left + (v.Lon/float64(v.Points)-west)*narrow*scale, top + (north-v.Lat/float64(v.Points))*scale, 8 + 16*math.Sqrt(float64(v.Households)/float64(most))}
		}
		var used []box
		var labels strings.Builder // above every disc
		for i, v := range list {
			x, y, r := discs[i].x, discs[i].y, discs[i].r
			share := 0.0
			if v.Households > 0 {
				share = float64(v.Verified) / float64(v.Households)
			}
			fmt.Fprintf(out, `<g><title>%s %d / %d</title><circle class="disc" cx="%.1f" cy="%.1f" r="%.1f"/>`, html.EscapeString(v.Name), v.Verified, v.Households, x, y, r)
			if share >= 1 {
				fmt.Fprintf(out, `<circle class="c1" cx="%.1f" cy="%.1f" r="%.1f"/>`, x, y, r-2)
			} else if share > 0 {
				a := 2 * math.Pi * share
				large := 0
				if share > 0.5 {
					large = 1
				}
				fmt.Fprintf(out, `<path class="c1" d="M%.1f %.1f L%.1f %.1f A%.1f %.1f 0 %d 1 %.1f %.1f Z"/>`, x, y, x, y-r+2, r-2, r-2, large, x+(r-2)*math.Sin(a), y-(r-2)*math.Cos(a))
			}
			out.WriteString("</g>")
			at := label(discs[i], float64(len([]rune(v.Name)))*11.5, discs, used)
			used = append(used, at)
			fmt.Fprintf(&labels, `<text class="label small" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, at.x+at.width/2, at.y+11, html.EscapeString(v.Name))
		}
		out.WriteString(labels.String())
	})
}

type disc struct{ x, y, r float64 }

// A box is where a label stands, 14 high.
type box struct{ x, y, width float64 }

const labelHigh = 14

// label finds a place beside a disc that no other disc or label has: below, above,
// right, left, or as far below as it takes.
func label(d disc, width float64, discs []disc, used []box) box {
	free := func(b box) bool {
		for _, o := range discs {
			dx, dy := o.x-min(max(o.x, b.x), b.x+b.width), o.y-min(max(o.y, b.y), b.y+labelHigh)
			if math.Hypot(dx, dy) < o.r+1 {
				return false
			}
		}
		return !slices.ContainsFunc(used, func(u box) bool {
			return b.x < u.x+u.width+4 && u.x < b.x+b.width+4 && math.Abs(b.y-u.y) < labelHigh
		})
	}
	for _, at := range []box{
		{d.x - width/2, d.y + d.r + 3, width}, {d.x - width/2, d.y - d.r - 3 - labelHigh, width},
		{d.x + d.r + 5, d.y - labelHigh/2, width}, {d.x - d.r - 5 - width, d.y - labelHigh/2, width},
	} {
		if free(at) {
			return at
		}
	}
	at := box{d.x - width/2, d.y + d.r + 3, width}
	for range 12 {
		if free(at) {
			break
		}
		at.y += labelHigh
	}
	return at
}
