package compare_test

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"encoding/csv"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/idnumber"
	"ironfeet/app/compare"
	"ironfeet/forms/excel"
)

// number is the identity number of the i-th person of the bench.
func number(i int) string {
	day := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i%30000).Format("20060102")
	s := fmt.Sprintf("459921%s%03d", day, 1+i/30000)
	return s + string(idnumber.Check(s))
}

func crowd(n int) iter.Seq2[compare.Person, error] {
	return func(yield func(compare.Person, error) bool) {
		for i := range n {
			var id, household uuid.UUID
			id[0], id[1], id[2], household[3] = byte(i), byte(i>>8), byte(i>>16), byte(i)
			if !yield(compare.Person{ID: id, Household: household, Name: "韦某人" + string(rune('甲'+i%40)), Number: number(i), Division: "459921100201"}, nil) {
				return
			}
		}
	}
}

// bigCSV is a list of wages: 300,000 of its million rows are about people of the
// registry, a tenth of them meets the condition, one row in a thousand is damaged.
func bigCSV(tb testing.TB, rows, people int) string {
	file := filepath.Join(tb.TempDir(), "big.csv")
	f, err := os.Create(file)
	require.NoError(tb, err)
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "云栖县工资缴费（虚构）,,,,,")
	fmt.Fprintln(w, "序号,姓名,公民身份号码,缴费单位,月缴费工资,地址,备注")
	for i := range rows {
		j := i
		if i%10 >= 3 {
			j = people + i // nobody we know
		} else {
			j = i / 10 * 3 % people
			j += i % 10
		}
		id, wage := number(j), 1000+i%520
		if i%1000 == 999 {
			id = "4.59921E+17"
		}
		fmt.Fprintf(w, "%d,韦某人%c,%s,云栖水泥厂第%d分厂（虚构）,%d.50,云栖镇第%d村%d组某某路某某号附近,正常缴费\n", i+1, '甲'+j%40, id, i%50, wage, i%20, i%9)
	}
	require.NoError(tb, w.Flush())
	require.NoError(tb, f.Close())
	return file
}

// peak samples the heap while something runs.
func peak(run func()) (most uint64) {
	done, gone := make(chan bool), make(chan uint64)
	go func() {
		var top uint64
		for {
			select {
			case <-done:
				gone <- top
				return
			case <-time.After(5 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				top = max(top, m.HeapInuse+m.StackInuse)
			}
		}
	}()
	run()
	close(done)
	return <-gone
}

// BenchmarkCompareAMillionRows is what a clerk waits for: a CSV of a million rows
// laid beside 300,000 people, to alerts. join is the ratio to reading the file with
// encoding/csv and looking every number up in a map of texts.
func BenchmarkCompareAMillionRows(b *testing.B) {
	const rows, people = 1_000_000, 300_000
	file := bigCSV(b, rows, people)
	info, err := os.Stat(file)
	require.NoError(b, err)
	b.SetBytes(info.Size())
	k := kinds(b)
	var ours, bare time.Duration
	var most uint64
	for b.Loop() {
		runtime.GC()
		start := time.Now()
		var rep *compare.Report
		most = max(most, peak(func() {
			f, err := compare.OpenFile(file)
			require.NoError(b, err)
			rep, err = compare.Compare(k, k.Source("wages"), f, crowd(people), today, nil, compare.About{})
			require.NoError(b, err)
			require.NoError(b, f.Close())
		}))
		ours += time.Since(start)
		require.Equal(b, rows, rep.Read)
		require.Equal(b, rows, rep.Matched+rep.Unmatched+len(rep.Rejected))
		require.Len(b, rep.Rejected, rows/1000)
		require.NotEmpty(b, rep.Hits)
		rep = nil
		runtime.GC()

		start = time.Now()
		known := make(map[string]int32, people)
		for i := range people {
			known[number(i)] = int32(i)
		}
		f, err := os.Open(file)
		require.NoError(b, err)
		r := csv.NewReader(f)
		r.ReuseRecord, r.FieldsPerRecord = true, -1
		found := 0
		for {
			row, err := r.Read()
			if err == io.EOF {
				break
			}
			require.NoError(b, err)
			if len(row) > 2 {
				if _, ok := known[row[2]]; ok {
					found++
				}
			}
		}
		require.NoError(b, f.Close())
		bare += time.Since(start)
		require.Positive(b, found)
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "s/list")
	b.ReportMetric(float64(ours)/float64(bare), "x-join")
	b.ReportMetric(float64(most)/(1<<20), "MB")
}

// BenchmarkReadAWorkbookOf100000Rows reads a department's XLSX of 100,000 rows and
// 20 columns to rows; unzip is the ratio to unpacking its sheet and looking at every
// byte once.
func BenchmarkReadAWorkbookOf100000Rows(b *testing.B) {
	data := bigBook(b, 100_000, 20)
	b.SetBytes(int64(len(data)))
	k := kinds(b)
	var ours, bare time.Duration
	for b.Loop() {
		start := time.Now()
		rep, err := compare.Compare(k, k.Source("wages"), compare.FromBytes("big.xlsx", data), crowd(1000), today, nil, compare.About{})
		require.NoError(b, err)
		ours += time.Since(start)
		require.Equal(b, 100_000, rep.Read)

		start = time.Now()
		book, err := excel.Open(data, 1<<30)
		require.NoError(b, err)
		raw, err := book.Part("xl/worksheets/sheet1.xml")
		require.NoError(b, err)
		n := 0
		for _, c := range raw {
			if c == '<' {
				n++
			}
		}
		require.Positive(b, n)
		bare += time.Since(start)
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "s/list")
	b.ReportMetric(float64(ours)/float64(bare), "x-unzip")
}

func bigBook(tb testing.TB, rows, columns int) []byte {
	f := excelize.NewFile()
	defer f.Close()
	sw, err := f.NewStreamWriter("Sheet1")
	require.NoError(tb, err)
	head := []any{"姓名", "公民身份号码", "缴费单位", "月缴费工资"}
	for i := len(head); i < columns; i++ {
		head = append(head, fmt.Sprintf("列%d", i))
	}
	require.NoError(tb, sw.SetRow("A1", head))
	for i := range rows {
		row := []any{"韦某人", number(i), fmt.Sprintf("云栖水泥厂第%d分厂", i%50), 1000 + i%900}
		for c := len(row); c < columns; c++ {
			if c%2 == 0 {
				row = append(row, i*c)
			} else {
				row = append(row, fmt.Sprintf("第%d行第%d列", i, c))
			}
		}
		require.NoError(tb, sw.SetRow(fmt.Sprintf("A%d", i+2), row))
	}
	require.NoError(tb, sw.Flush())
	b, err := f.WriteToBuffer()
	require.NoError(tb, err)
	return b.Bytes()
}
