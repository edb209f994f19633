package console

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEveryVillageCanBeRead: villages that lie close together keep their names apart
// from each other's, and off every disc. IRONFEET_PICTURES keeps the map.
func TestEveryVillageCanBeRead(t *testing.T) {
	names := []string{"上岭村", "下岭村", "石桥村", "板楞村", "那佰村", "弄怀村", "百朗村", "六花村"}
	var list []Village
	for i, name := range names {
		a := float64(i) * 2 * math.Pi / float64(len(names))
		list = append(list, Village{Code: name, Name: name, Households: 15 + i, Verified: i, Points: 1, Lat: 23.1 + 0.006*math.Sin(a), Lon: 106.2 + 0.006*math.Cos(a)})
	}
	list = append(list, Village{Code: "far", Name: "远村", Households: 3, Points: 1, Lat: 23.16, Lon: 106.26})
	svg := string(villageMap("地图", list))
	if dir := os.Getenv("IRONFEET_PICTURES"); dir != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "map.svg"), []byte(svg), 0o600))
	}
	number := func(s string) float64 {
		f, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		return f
	}
	var boxes []box
	for _, m := range regexp.MustCompile(`<text class="label small" x="([0-9.]+)" y="([0-9.]+)" text-anchor="middle">([^<]+)<`).FindAllStringSubmatch(svg, -1) {
		width := float64(len([]rune(m[3]))) * 11.5
		boxes = append(boxes, box{number(m[1]) - width/2, number(m[2]) - 11, width})
	}
	require.Len(t, boxes, len(list))
	for i, a := range boxes {
		for _, b := range boxes[i+1:] {
			require.False(t, a.x < b.x+b.width && b.x < a.x+a.width && math.Abs(a.y-b.y) < labelHigh-0.2, "%v over %v", a, b)
		}
		for _, m := range regexp.MustCompile(`class="disc" cx="([0-9.]+)" cy="([0-9.]+)" r="([0-9.]+)"`).FindAllStringSubmatch(svg, -1) {
			x, y := number(m[1]), number(m[2])
			dx, dy := x-min(max(x, a.x), a.x+a.width), y-min(max(y, a.y), a.y+labelHigh)
			require.GreaterOrEqual(t, math.Hypot(dx, dy), number(m[3])-0.2, "%v on a disc", a)
		}
	}
}
