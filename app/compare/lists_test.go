package compare_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/compare"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
)

// wages is a source with an amount and a day.
func wages() *alerts.Source {
	return &alerts.Source{Name: "w", Fields: []alerts.Field{
		{Name: "wage", Label: "工资", Type: alerts.Amount, Headings: []string{"月工资"}},
		{Name: "since", Label: "起始", Type: alerts.Date, Headings: []string{"开始日期"}},
	}}
}

// compareAll lays a file beside the registry of two people.
func compareAll(t *testing.T, f *compare.File) *compare.Report {
	t.Helper()
	rep, err := compare.Compare(kinds(t), wages(), f, people, today, nil, compare.About{})
	require.NoError(t, err)
	return rep
}

func book(t *testing.T, fill func(f *excelize.File)) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	fill(f)
	b, err := f.WriteToBuffer()
	require.NoError(t, err)
	return b.Bytes()
}

func set(t *testing.T, f *excelize.File, sheet string, rows ...[]any) {
	t.Helper()
	for i, row := range rows {
		require.NoError(t, f.SetSheetRow(sheet, fmt.Sprintf("A%d", i+1), &row))
	}
}

func TestWorkbooksAsDepartmentsSendThem(t *testing.T) {
	second := "459921196807070027"
	for _, c := range []struct {
		name  string
		fill  func(f *excelize.File)
		check func(t *testing.T, rep *compare.Report)
	}{
		{"a title over merged cells, a blank row, a total", func(f *excelize.File) {
			set(t, f, "Sheet1", []any{"云栖县名单"}, []any{}, []any{"姓名", "身份证号"}, []any{"韦大山", id}, []any{"合计", 1})
			require.NoError(t, f.MergeCell("Sheet1", "A1", "B1"))
		}, func(t *testing.T, rep *compare.Report) {
			assert.Equal(t, 1, rep.Matched)
			assert.Equal(t, 3, rep.Mapping.Header)
			assert.Equal(t, []int{1}, rep.Sheets[0].Skipped)
			assert.Equal(t, []int{5}, rep.Sheets[0].Totals)
		}},
		{"a name merged over the rows of two wages", func(f *excelize.File) {
			set(t, f, "Sheet1", []any{"姓名", "身份证号", "月工资"}, []any{"韦大山", id, 100}, []any{nil, nil, 200})
			require.NoError(t, f.MergeCell("Sheet1", "A2", "A3"))
			require.NoError(t, f.MergeCell("Sheet1", "B2", "B3"))
		}, func(t *testing.T, rep *compare.Report) {
			assert.Equal(t, 2, rep.Matched)
			assert.Equal(t, map[compare.Level]int{"A": 2}, rep.Levels)
		}},
		{"a heading of two rows", func(f *excelize.File) {
			set(t, f, "Sheet1", []any{"姓名", "身份证号", "收入"}, []any{nil, nil, "月工资", "开始日期"}, []any{"韦大山", id, "3千元", "2024.3.5"})
			require.NoError(t, f.MergeCell("Sheet1", "A1", "A2"))
			require.NoError(t, f.MergeCell("Sheet1", "B1", "B2"))
			require.NoError(t, f.MergeCell("Sheet1", "C1", "D1"))
		}, func(t *testing.T, rep *compare.Report) {
			assert.Equal(t, 1, rep.Read)
			assert.Equal(t, 2, rep.Mapping.Header)
			assert.Equal(t, "月工资", rep.Mapping.Fields["wage"])
		}},
		{"one sheet a township, and an explanation", func(f *excelize.File) {
			set(t, f, "Sheet1", []any{"填表说明"})
			for _, name := range []string{"云栖镇", "石桥镇"} {
				_, err := f.NewSheet(name)
				require.NoError(t, err)
			}
			set(t, f, "云栖镇", []any{"姓名", "身份证号"}, []any{"韦大山", id})
			set(t, f, "石桥镇", []any{"序号", "公民身份号码", "姓名"}, []any{1, second, "阿依·古丽"}, []any{2, "459921200002290048", "某人"})
		}, func(t *testing.T, rep *compare.Report) {
			assert.Equal(t, []int{3, 2, 1}, []int{rep.Read, rep.Matched, rep.Unmatched})
			require.Len(t, rep.Sheets, 3)
			assert.Equal(t, compare.SheetReport{Name: "Sheet1", Rows: 1}, rep.Sheets[0])
		}},
		{"a hidden sheet is told, not read", func(f *excelize.File) {
			set(t, f, "Sheet1", []any{"姓名", "身份证号"}, []any{"韦大山", id})
			_, err := f.NewSheet("旧表")
			require.NoError(t, err)
			set(t, f, "旧表", []any{"姓名", "身份证号"}, []any{"韦大山", id})
			require.NoError(t, f.SetSheetVisible("旧表", false))
		}, func(t *testing.T, rep *compare.Report) {
			assert.Equal(t, 1, rep.Read)
			assert.Equal(t, []compare.Note{{Code: "list.note.hidden_sheet", Sheet: "旧表"}}, rep.Notes)
		}},
		{"formulas: their results count, and one without is rejected", func(f *excelize.File) {
			set(t, f, "Sheet1", []any{"姓名", "身份证号"}, []any{"韦大山"}, []any{"某人"})
			require.NoError(t, f.SetCellFormula("Sheet1", "B3", "NOW()"))
			require.NoError(t, f.SetCellStr("Sheet1", "B2", id))
			require.NoError(t, f.SetCellFormula("Sheet1", "B2", `"459921195203150013"`))
		}, func(t *testing.T, rep *compare.Report) {
			assert.Equal(t, 2, rep.Read)
			require.NotEmpty(t, rep.Rejected)
			assert.Equal(t, "id.formula", rep.Rejected[len(rep.Rejected)-1].Why)
		}},
		{"a number in a numeric cell is damaged even when it looks whole", func(f *excelize.File) {
			set(t, f, "Sheet1", []any{"姓名", "身份证号"}, []any{"韦大山", 459921195203150013.0}, []any{"阿依·古丽", 1234.0})
		}, func(t *testing.T, rep *compare.Report) {
			require.Len(t, rep.Rejected, 2)
			assert.Equal(t, "id.damaged", rep.Rejected[0].Why)
			assert.Equal(t, compare.LevelD, rep.Rejected[0].Level)
			assert.Equal(t, "id.bad_length", rep.Rejected[1].Why)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep := compareAll(t, compare.FromBytes("x.xlsx", book(t, c.fill)))
			require.Equal(t, rep.Read, rep.Matched+rep.Unmatched+len(rep.Rejected))
			c.check(t, rep)
		})
	}
}

func TestALegacyWorkbookIsReadLikeAnyOther(t *testing.T) {
	data, err := os.ReadFile("xls/testdata/sst.xls")
	require.NoError(t, err)
	rep := compareAll(t, compare.FromBytes("名单.xls", data))
	assert.Equal(t, 4, rep.Read)
	assert.Equal(t, 2, rep.Matched, "the text 459921195203150013 and the one of another name")
	assert.Equal(t, 2, rep.Mapping.Header)
	assert.Equal(t, map[compare.Level]int{"A": 1, "B": 1}, rep.Levels)
	require.Len(t, rep.Rejected, 1, "a number held as a double")
	assert.Equal(t, compare.LevelD, rep.Rejected[0].Level)
}

// TestHints: rows without a usable number say who may be meant, and raise nothing.
func TestHints(t *testing.T) {
	placed := compare.About{Place: func(compare.Person) string { return "上岭村 上岭村3组" }}
	for _, c := range []struct{ name, rows, want string }{
		{"name, birth and village", "姓名,身份证号,出生日期,村\n韦大山,,1952年3月15日,云栖镇上岭村", "rejected id.empty E"},
		{"another village", "姓名,身份证号,出生日期,村\n韦大山,,1952-03-15,石桥村", "rejected id.empty"},
		{"another birth", "姓名,身份证号,出生日期,村\n韦大山,,1952-03-16,上岭村", "rejected id.empty"},
		{"first fifteen digits and the name", "姓名,身份证号\n韦大山,459921195203150000", "rejected id.damaged D"},
		{"first fifteen digits, another name", "姓名,身份证号\n韦小山,459921195203150000", "rejected id.damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rep, err := compare.Compare(kinds(t), plain, compare.FromBytes("x.csv", []byte(c.rows)), people, today, nil, placed)
			require.NoError(t, err)
			require.Equal(t, c.want, outcome(rep))
			require.Empty(t, rep.Hits)
		})
	}
}

func TestFilesThatAreNoLists(t *testing.T) {
	xlsx := book(t, func(f *excelize.File) { set(t, f, "Sheet1", []any{"姓名", "身份证号"}, []any{"韦大山", id}) })
	older, err := os.ReadFile("xls/testdata/biff5.xls")
	require.NoError(t, err)
	for _, c := range []struct {
		name string
		data []byte
		why  string
	}{
		{"a web page called .xls", []byte("<html><table><tr><td>姓名</td></tr></table></html>"), "html"},
		{"an XML spreadsheet", []byte("<?xml version=\"1.0\"?><Workbook/>"), "html"},
		{"a PDF", []byte("%PDF-1.7 …"), "no_table"},
		{"an older workbook", older, "older_xls"},
		{"a workbook with a password", encrypted(t), "password"},
		{"a torn workbook", xlsx[:len(xlsx)/2], "no_workbook"},
		{"a quotation mark without its end", []byte("姓名,身份证号\n\"韦大山," + id + "\n" + strings.Repeat("某人,1\n", 10000)), "open_quote"},
		{"an unknown encoding", append([]byte("姓名,"), bytes.Repeat([]byte{0xff, 0x80, 0x0a}, 400)...), "unknown_encoding"},
		{"a workbook that unpacks without end", bomb(t, xlsx), "expands"},
		{"a workbook with a document type", doctype(t, xlsx), "no_workbook"},
		{"a workbook without an identity column", book(t, func(f *excelize.File) { set(t, f, "Sheet1", []any{"姓名", "车牌"}, []any{"韦大山", 1}) }), "no_id_column"},
		{"an empty workbook", book(t, func(*excelize.File) {}), "empty"},
		{"nothing", nil, "empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := compare.Compare(kinds(t), plain, compare.FromBytes("x", c.data), people, today, nil, compare.About{})
			var why *compare.ListError
			require.ErrorAs(t, err, &why)
			require.Equal(t, c.why, why.Why, err)
		})
	}
	_, err = compare.OpenFile(filepath.Join(t.TempDir(), "none.csv"))
	var why *compare.ListError
	require.ErrorAs(t, err, &why)
	require.Equal(t, "missing", why.Why)
}

func wide(s string) []byte {
	out := make([]byte, 2*len(s))
	for i := range len(s) {
		out[2*i] = s[i]
	}
	return out
}

// encrypted is a container with the stream of an encrypted package, as Excel writes
// an .xlsx behind a password.
func encrypted(t *testing.T) []byte {
	data, err := os.ReadFile("xls/testdata/labels.xls")
	require.NoError(t, err)
	at := bytes.Index(data, append(wide("Workbook"), 0, 0))
	require.Positive(t, at)
	out := bytes.Clone(data)
	copy(out[at:], append(wide("EncryptedPackage"), 0, 0))
	out[at+64] = byte(2 * (len("EncryptedPackage") + 1))
	return out
}

// rezip writes a workbook anew with one part changed.
func rezip(t *testing.T, data []byte, part string, write func(w io.Writer, old []byte)) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		old, err := io.ReadAll(r)
		require.NoError(t, err)
		p, err := w.Create(f.Name)
		require.NoError(t, err)
		if f.Name == part {
			write(p, old)
		} else {
			_, err = p.Write(old)
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

// bomb says of its sheet that it unpacks to two gigabytes. That a sheet which lies
// about its size is stopped too is tested in package excel.
func bomb(t *testing.T, data []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		header := f.FileHeader
		if f.Name == "xl/worksheets/sheet1.xml" {
			header.UncompressedSize64 = 2 << 30
		}
		p, err := w.CreateRaw(&header)
		require.NoError(t, err)
		r, err := f.OpenRaw()
		require.NoError(t, err)
		_, err = io.Copy(p, r)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return out.Bytes()
}

func doctype(t *testing.T, data []byte) []byte {
	return rezip(t, data, "xl/worksheets/sheet1.xml", func(w io.Writer, old []byte) {
		_, err := w.Write(bytes.Replace(old, []byte("<worksheet"), []byte("<!DOCTYPE x [<!ENTITY a \"b\">]><worksheet"), 1))
		require.NoError(t, err)
	})
}

// A program that writes all eighteen digits into a numeric cell: who opens the list
// and saves it loses the last three, so that it is never a key.
func TestEighteenDigitsInANumericCell(t *testing.T) {
	data := book(t, func(f *excelize.File) { set(t, f, "Sheet1", []any{"姓名", "身份证号"}, []any{"韦大山", 7}) })
	for _, digits := range []string{id, "459921520315001"} {
		rep := compareAll(t, compare.FromBytes("x.xlsx", rezip(t, data, "xl/worksheets/sheet1.xml", func(w io.Writer, old []byte) {
			_, err := w.Write(bytes.Replace(old, []byte("<v>7</v>"), []byte("<v>"+digits+"</v>"), 1))
			require.NoError(t, err)
		})))
		require.Zero(t, rep.Matched, digits)
		require.Equal(t, "id.damaged", rep.Rejected[0].Why)
		require.Equal(t, compare.LevelD, rep.Rejected[0].Level)
	}
}

// What lies in other files is not followed, and said.
func TestAWorkbookThatRefersToOthers(t *testing.T) {
	data := book(t, func(f *excelize.File) { set(t, f, "Sheet1", []any{"姓名", "身份证号"}, []any{"韦大山", id}) })
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	require.NoError(t, err)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		require.NoError(t, w.Copy(f))
	}
	for _, part := range []string{"xl/externalLinks/externalLink1.xml", "xl/vbaProject.bin"} {
		p, err := w.Create(part)
		require.NoError(t, err)
		_, err = p.Write([]byte("<externalLink/>"))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	rep := compareAll(t, compare.FromBytes("x.xlsx", out.Bytes()))
	require.Equal(t, 1, rep.Matched)
	require.Equal(t, []compare.Note{{Code: "list.note.external_links"}, {Code: "list.note.macros"}}, rep.Notes)
}

// Two people of the registry under one number: the row is about the one whose name
// agrees, and that the number is there twice is said.
func TestANumberThatTwoPeopleHave(t *testing.T) {
	both := func(yield func(compare.Person, error) bool) {
		people(func(p compare.Person, err error) bool {
			p.Number = id
			return yield(p, err)
		})
	}
	rep, err := compare.Compare(kinds(t), plain, compare.FromBytes("x.csv", []byte("姓名,身份证号\n阿依·古丽,"+id+"\n某人,"+id+"\n")), both, today, nil, compare.About{})
	require.NoError(t, err)
	require.Equal(t, []int{2, 2}, []int{rep.Matched, rep.Twice})
	require.Equal(t, map[compare.Level]int{"A": 1, "B": 1}, rep.Levels)
}

// A list that changes under our eyes is refused whole: nothing of it is written.
func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.csv")
	require.NoError(t, os.WriteFile(file, []byte("姓名,身份证号\n韦大山,"+id+"\n"), 0o600))
	f, err := compare.OpenFile(file)
	require.NoError(t, err)
	defer f.Close()
	changing := func(yield func(compare.Person, error) bool) {
		people(yield)
		require.NoError(t, os.WriteFile(file, []byte("姓名,身份证号\n韦小山,"+id+"\n"), 0o600))
		require.NoError(t, os.Chtimes(file, today, today))
	}
	opened := &alerts.Source{Name: "x"}
	_, err = compare.Compare(kinds(t), opened, f, changing, today, nil, compare.About{})
	require.NoError(t, err, "it changed before it was read: what stands there now is read whole")

	grown := &alerts.Source{Name: "x", Fields: []alerts.Field{{Name: "a", Headings: []string{"姓名"}}}, Kinds: kinds(t).Source("vehicles").Kinds}
	_, err = compare.Compare(kinds(t), grown, f, people, today, nil, compare.About{Record: func(p compare.Person, more alerts.Values) alerts.Values {
		require.NoError(t, os.Chtimes(file, today.AddDate(0, 0, 1), today.AddDate(0, 0, 1)))
		return more
	}})
	var why *compare.ListError
	require.ErrorAs(t, err, &why)
	require.Equal(t, "changed", why.Why)

	// Even where neither size nor time tell it: what was read is what was looked at
	// before, byte for byte.
	long := "姓名,身份证号\n韦大山," + id + "\n" + strings.Repeat("某人,459921200002290048\n", 20_000)
	require.NoError(t, os.WriteFile(file, []byte(long), 0o600))
	require.NoError(t, os.Chtimes(file, today, today))
	quiet, err := compare.OpenFile(file)
	require.NoError(t, err)
	defer quiet.Close()
	_, err = compare.Compare(kinds(t), grown, quiet, people, today, nil, compare.About{Record: func(p compare.Person, more alerts.Values) alerts.Values {
		changed := []byte(long)
		changed[len(changed)-2] = '9'
		require.NoError(t, os.WriteFile(file, changed, 0o600))
		require.NoError(t, os.Chtimes(file, today, today))
		return more
	}})
	require.ErrorAs(t, err, &why)
	require.Equal(t, "changed", why.Why)
}

func TestAmountsAndDays(t *testing.T) {
	for _, c := range []struct {
		wage, since string
		numeric     bool
		unread      int
		says        string
	}{
		{"12,345.60元", "2024.3.5", false, 0, "12345.60 2024-03-05"},
		{"1.2万元", "20240305", false, 0, "12000 2024-03-05"},
		{"１２３", "2024年3月", false, 0, "123 2024-03-01"},
		{"¥800", "2024/3/5", false, 0, "800 2024-03-05"},
		{"0.35万", "2024-03-05 08:30:00", false, 0, "3500 2024-03-05"},
		{"1.23456万元", "45356", false, 0, "12345.6 2024-03-05"},
		{"-20", "2024年3月5日", false, 0, "-20 2024-03-05"},
		{"2千", "202403", false, 0, "2000 2024-03-01"},
		{"约三千", "去年", false, 2, "? ?"},
		{"1e5", "2024-13-01", false, 2, "? ?"},
		{"", "", false, 0, "? ?"},
		{strings.Repeat("9", 40), "2024-02-30", false, 2, "? ?"},
	} {
		t.Run(c.wage+" "+c.since, func(t *testing.T) {
			k, report := alerts.Read("k.md", []byte("## sources\n| source |\n| w |\n## fields\n| source | field | label | type | headings |\n| w | wage | 工资 | amount | 月工资 |\n| w | since | 起 | date | 开始日期 |\n"+
				"## kinds\n| kind | label | source | group | detail | days |\n| k | K | w | verify | {wage} {since} | 30 |\n## outcomes\n| outcome | label |\n| a | A |\n## headings\n| means | headings |\n| id | 身份证号 |\n| name | 姓名 |\n"))
			require.Empty(t, report.Errors)
			rep, err := compare.Compare(k, k.Source("w"), compare.FromBytes("x.csv", []byte("姓名,身份证号,月工资,开始日期\n韦大山,"+id+",\""+c.wage+"\","+c.since+"\n")), people, today, nil, compare.About{})
			require.NoError(t, err)
			require.Len(t, rep.Hits, 1)
			assert.Equal(t, c.says, rep.Hits[0].Detail)
			assert.Len(t, rep.Unread, c.unread)
		})
	}
	// Held as a number: what is shown counts, not the noise of its last bits; a day
	// number with a day's format is a day.
	rep := compareAll(t, compare.FromBytes("x.xlsx", book(t, func(f *excelize.File) {
		set(t, f, "Sheet1", []any{"姓名", "身份证号", "月工资", "开始日期"}, []any{"韦大山", id, 0.1 + 0.2, 45356})
		style, err := f.NewStyle(&excelize.Style{NumFmt: 14})
		require.NoError(t, err)
		require.NoError(t, f.SetCellStyle("Sheet1", "D2", "D2", style))
	})))
	assert.Empty(t, rep.Unread)
}

// TestListsThatComeAgain: the same list twice, a corrected one after it, a column
// told by hand and remembered.
func TestListsThatComeAgain(t *testing.T) {
	ctx := context.Background()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 24, "township")
	require.NoError(t, err)
	defer c.Close()
	r, k := c.Office.Replica, kinds(t)
	s := k.Source("vehicles")
	a, b := c.Sample.Households[0].Members[0].Fields, c.Sample.Households[1].Members[0].Fields
	run := func(text string, o compare.Options) *compare.Report {
		t.Helper()
		rep, err := compare.Run(ctx, r, world.Real(), c.Clerk, k, s, compare.FromBytes("车.csv", []byte(text)), o)
		require.NoError(t, err)
		return rep
	}
	row := func(f map[string]string, value string) string {
		return f["name"] + "," + f["id_no"] + "," + value + "\n"
	}
	_, err = compare.Run(ctx, r, world.Real(), c.Clerk, k, s, compare.FromBytes("车.csv", []byte("车主姓甚,号,估值\n"+row(a, "1"))), compare.Options{})
	require.Error(t, err, "headings nobody knows")
	first := run("车主姓甚,号,估值\n"+row(a, "1万")+row(b, "2万"), compare.Options{Mapping: &compare.Mapping{ID: "号", Name: "车主姓甚"}})
	require.Equal(t, alerts.Raised{Alerts: 2}, first.Raised)
	again := run("车主姓甚,号,估值\n"+row(a, "1万")+row(b, "2万"), compare.Options{}) // the columns are remembered
	require.Equal(t, alerts.Raised{Known: 2}, again.Raised)
	require.True(t, again.Again)
	require.Equal(t, map[compare.Level]int{"A": 2}, again.Levels)

	corrected := run("车主姓甚,号,估值\n"+row(a, "3万"), compare.Options{Corrects: true})
	require.Equal(t, alerts.Raised{Updated: 1}, corrected.Raised)
	require.False(t, corrected.Again)
	require.Equal(t, 1, corrected.Withdrawn, "the second car is not in the corrected list")
	list, err := alerts.List(ctx, r, "", "")
	require.NoError(t, err)
	require.Len(t, list, 2, "nothing is raised twice")
	said := map[string]string{}
	for _, e := range list {
		said[e.Text("name")] = e.Text("detail") + " " + e.Text("state")
		require.Equal(t, e.Text("name") == b["name"], e.Text("withdrawn") != "")
	}
	require.Contains(t, said[a["name"]], "30000")
	require.Contains(t, said[b["name"]], "20000", "what an earlier list said stays until a person closes it")

	two := run("车主姓甚,号,估值\n"+row(a, "3万")+row(a, "5万"), compare.Options{})
	require.Equal(t, alerts.Raised{Updated: 1, Merged: 1}, two.Raised, "two cars of one person are one alert")

	n, err := r.Count(ctx, store.Query{Kind: store.Alert})
	require.NoError(t, err)
	require.Equal(t, 2, n)
}
