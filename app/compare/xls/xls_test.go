package xls_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/app/compare/xls"
	"ironfeet/forms/excel"
)

// The workbooks of testdata were written by SheetJS 0.18.5, a program that is not
// ours: sst.xls with a table of strings over several records, labels.xls without
// one, biff5.xls in the format before Excel 97.
func cells(t *testing.T, file string) (*xls.Book, map[string]string, [][4]int) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	b, err := xls.Open(bytes.NewReader(data))
	require.NoError(t, err)
	got := map[string]string{}
	var merged [][4]int
	for i := range b.Sheets {
		ranges, err := b.Scan(i, func(c *xls.Cell) error {
			value := c.Text
			if c.Numeric {
				value = fmt.Sprint(c.Number)
				if c.Date {
					value = excel.Day(c.Number, b.Date1904)
				}
			}
			got[fmt.Sprintf("%d!%c%d", i+1, 'A'+c.Column, c.Row)] = value
			return nil
		})
		require.NoError(t, err)
		merged = append(merged, ranges...)
	}
	return b, got, merged
}

func TestWorkbooksOfAnotherProgram(t *testing.T) {
	for _, file := range []string{"sst.xls", "labels.xls"} {
		t.Run(file, func(t *testing.T) {
			b, got, merged := cells(t, file)
			require.Equal(t, "名单", b.Sheets[0].Name)
			require.False(t, b.Sheets[0].Hidden)
			require.True(t, b.Sheets[1].Hidden)
			for place, want := range map[string]string{
				"1!A1": "云栖县名单（虚构）", "1!B3": "459921195203150013", "1!B4": "4.5992119680707e+17", "1!C3": "12000.5",
				"1!C4": "0.30000000000000004", "1!C5": "-3", "1!C6": "1e-07", "1!D3": "2026-03-05", "1!D4": "2024年3月",
				"1!A5": "𠮷野（罕见字）", "1!E4": "TRUE", "1!E5": "3", "1!E6": strings.Repeat("x", 200), "2!A601": "599",
			} {
				if want == "4.5992119680707e+17" {
					require.Equal(t, fmt.Sprint(float64(459921196807070027)), got[place], place)
					continue
				}
				require.Equal(t, want, got[place], place)
			}
			for i := range 600 { // every string, whichever record it lies in
				want := fmt.Sprintf("row %d with latin text only%d", i, i%7)
				if i%3 == 0 {
					want = fmt.Sprintf("第%d行文字，长一点，跨越记录边界%d", i, i%7)
				}
				require.Equal(t, want, got[fmt.Sprintf("2!B%d", i+2)])
			}
			require.Equal(t, [][4]int{{0, 1, 4, 1}, {4, 3, 4, 4}}, merged)
		})
	}
}

func TestWhatIsNoSuchWorkbook(t *testing.T) {
	old, err := os.ReadFile(filepath.Join("testdata", "biff5.xls"))
	require.NoError(t, err)
	_, err = xls.Open(bytes.NewReader(old))
	require.ErrorIs(t, err, xls.ErrOlder)

	good, err := os.ReadFile(filepath.Join("testdata", "labels.xls"))
	require.NoError(t, err)
	for name, text := range map[string]struct {
		from, to string
		want     error
	}{
		"an encrypted package": {"Workbook", "EncryptedPackage", xls.ErrPassword},
		"no workbook":          {"Workbook", "Document", xls.ErrNoBook},
	} {
		data := rename(t, good, text.from, text.to)
		_, err = xls.Open(bytes.NewReader(data))
		require.ErrorIs(t, err, text.want, name)
	}
	// A FILEPASS record where a harmless one stood.
	at := bytes.Index(good, []byte{0x09, 0x08, 0x10, 0x00, 0x00, 0x06})
	require.Positive(t, at)
	locked := bytes.Clone(good)
	next := at + 4 + int(locked[at+2])
	locked[next], locked[next+1] = 0x2f, 0x00
	_, err = xls.Open(bytes.NewReader(locked))
	require.ErrorIs(t, err, xls.ErrPassword)

	for _, n := range []int{0, 8, 512, 600, 1024, 3000, len(good) / 2} {
		_, err := xls.Open(bytes.NewReader(good[:n]))
		require.Error(t, err, "torn after %d bytes", n)
	}
}

// rename gives a stream of the container another name.
func rename(t *testing.T, data []byte, from, to string) []byte {
	t.Helper()
	wide := func(s string) []byte {
		out := make([]byte, 64)
		for i := range len(s) {
			out[2*i] = s[i]
		}
		return out
	}
	at := bytes.Index(data, wide(from))
	require.GreaterOrEqual(t, at, 0)
	out := bytes.Clone(data)
	copy(out[at:], wide(to))
	out[at+64] = byte(2 * (len(to) + 1))
	return out
}

func FuzzOpen(f *testing.F) {
	for _, name := range []string{"sst.xls", "labels.xls", "biff5.xls"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		if name == "biff5.xls" {
			f.Add(data)
			continue
		}
		// Shortened: a small input is tried more often.
		f.Add(data[:min(len(data), 20_000)])
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := xls.Open(bytes.NewReader(data))
		if err != nil {
			return
		}
		n := 0
		for i := range min(len(b.Sheets), 20) {
			_, _ = b.Scan(i, func(*xls.Cell) error {
				if n++; n > 100_000 {
					return fmt.Errorf("enough")
				}
				return nil
			})
		}
	})
}
