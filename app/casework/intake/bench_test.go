package intake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/intake"
	"ironfeet/app/practice"
	"ironfeet/store/world"
)

// sizeOf is how large a campaign is measured: a tenth of the goal's (10 visits with 120
// photos, 45 MB), or as many visits as IRONFEET_STICK says; 100 are the goal's 1,200
// photos, and take half a minute to make.
func sizeOf(b *testing.B) (visits, photos int) {
	visits = 10
	if n, err := strconv.Atoi(os.Getenv("IRONFEET_STICK")); err == nil {
		visits = n
	}
	return visits, 12
}

// BenchmarkImportStick reads a campaign's stick. The goal is 60 MB/s, or half of what
// the disk does with as many files, each synced and renamed; of_half_the_disk is 1
// there and more where it is faster.
func BenchmarkImportStick(b *testing.B) {
	visits, photos := sizeOf(b)
	c, err := practice.SetUp(ctx, world.Real(), b.TempDir(), 96+3*visits)
	require.NoError(b, err)
	b.Cleanup(func() { c.Close() })
	tablet := c.Nodes["tablet-a"]
	size, err := tablet.Campaign(ctx, visits, photos)
	require.NoError(b, err)
	stick := filepath.Join(b.TempDir(), "a.ironfeet")
	_, err = tablet.Office.WriteCarrier(ctx, stick)
	require.NoError(b, err)

	// A stick is new once only, whatever b.N says.
	town := c.Nodes["township"]
	longest, began := time.Duration(0), time.Now()
	last := began
	files, err := intake.Take(ctx, town.Office, []string{stick}, func(int, intake.File) {
		longest = max(longest, time.Since(last))
		last = time.Now()
	})
	took := time.Since(began)
	require.NoError(b, err)
	require.Equal(b, visits*photos, files[0].Photos)

	plain, data := b.TempDir(), make([]byte, size/int64(visits*photos))
	began = time.Now()
	for p := range visits * photos {
		require.NoError(b, world.WriteFile(world.OS{}, filepath.Join(plain, fmt.Sprint(p)), data))
	}
	disk := time.Since(began)
	mb := float64(size) / 1e6
	b.ReportMetric(mb, "MB")
	b.ReportMetric(mb/took.Seconds(), "MB/s")
	b.ReportMetric(mb/disk.Seconds(), "disk_MB/s")
	b.ReportMetric(2*disk.Seconds()/took.Seconds(), "of_half_the_disk")
	b.ReportMetric(float64(longest.Milliseconds()), "ms_without_a_word")
}
