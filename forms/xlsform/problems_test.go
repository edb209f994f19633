package xlsform_test

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/forms"
	"ironfeet/forms/xlsform"
)

const good = `## survey
| type | name | label | relevant | choice_filter | calculation | save_to |
|------|------|-------|----------|---------------|-------------|---------|
| text | name | Name | | | | household#name |
| select_one yes_no | ok | OK? | ${name} != '' | | | |
| begin repeat | members | Members | | | | |
| integer | age | Age | | | | |
| end repeat | | | | | | |
| calculate | ages | | | | sum(${age}) | |

## choices
| list_name | name | label |
|-----------|------|-------|
| yes_no | yes | Yes |
| yes_no | no | No |

## settings
| form_id | version | form_title |
|---------|---------|------------|
| t | 1 | Test |

## entities
| list_name | entity_id |
|-----------|-----------|
| household | ${name} |
`

// TestProblems changes one thing of a good form and looks for what is said of it.
func TestProblems(t *testing.T) {
	_, report := forms.Open("t.md", []byte(good))
	require.Empty(t, report.Errors)
	require.Empty(t, report.Warnings)
	for _, c := range []struct{ from, to, want string }{
		{"| text | name |", "| txt | name |", "form.unknown_type survey!A2"},
		{"| text | name |", "| | name |", "form.no_type survey!A2"},
		{"| integer | age |", "| integer | |", "form.no_name survey!B5"},
		{"| integer | age |", "| integer | 年龄 age |", "form.name_repaired survey!B5"},
		{"| integer | age |", "| integer | 1age |", "form.bad_name survey!B5"},
		{"| integer | age |", "| integer | name |", "form.name_elsewhere survey!B5"},
		{"| select_one yes_no | ok |", "| text | name |", "form.name_twice survey!B3"},
		{"select_one yes_no", "select_one yesno", "form.unknown_list survey!A3"},
		{"select_one yes_no", "select_one", "form.no_list survey!A3"},
		{"| end repeat | | | | | | |\n", "", "form.not_ended survey!A4"},
		{"| end repeat |", "| end group |", "form.end_mismatch survey!A6"},
		{"| begin repeat | members | Members | | | | |\n", "", "form.end_without_begin survey!A5"},
		{"sum(${age})", "sum(${agee})", "form.unknown_reference survey!F7"},
		{"sum(${age})", "sum(${age}", "form.syntax survey!F7"},
		{"sum(${age})", "summ(${age})", "form.unknown_function survey!F7"},
		{"sum(${age})", "round()", "form.wrong_arity survey!F7"},
		{"| text | name | Name | |", "| text | name | Name | ${ok} = 'yes' |", "form.cycle survey!"},
		{"sum(${age})", "", "form.no_calculation survey!F7"},
		{"| yes_no | no | No |", "| yes_no | yes | No |", "form.choice_twice choices!B3"},
		{"| yes_no | no | No |", "| | no | No |", "form.choice_no_list choices!A3"},
		{"| yes_no | no | No |", "| yes_no | | No |", "form.choice_no_name choices!B3"},
		{"household#name", "house#name", "form.save_to_unknown survey!G2"},
		{"| t | 1 | Test |", "| t | | Test |", "form.no_version"},
		{"## survey", "## surveys", "form.no_survey"},
		{"| type | name |", "| typ | name |", "form.no_column survey"},
		{"${name} != ''", "${name} != ‘’", "form.quotes"},
		{"${name} != ''", "${name} ＞ ''", "form.wide_signs"},
	} {
		t.Run(c.want, func(t *testing.T) {
			require.Contains(t, good, c.from)
			_, report := forms.Open("t.md", []byte(strings.Replace(good, c.from, c.to, 1)))
			var said []string
			for _, p := range append(report.Errors, report.Warnings...) {
				said = append(said, strings.TrimSpace(p.Code+" "+p.Place()))
				assert.NotEmpty(t, p.Message)
			}
			assert.True(t, strings.Contains(strings.Join(said, "\n"), c.want), "%q", said)
		})
	}
}

// TestTheSameFormInThreeKinds: a workbook, Markdown and a folder of CSVs mean the
// same.
func TestTheSameFormInThreeKinds(t *testing.T) {
	want, report := xlsform.ReadTables("t.md", []byte(good))
	require.Empty(t, report.Errors)
	var book, text bytes.Buffer
	require.NoError(t, xlsform.WriteExcel(&book, want))
	got, report := xlsform.ReadTables("t.xlsx", book.Bytes())
	require.Empty(t, report.Errors)
	difference, same := xlsform.SameTables(want, got)
	require.True(t, same, difference)
	require.NoError(t, xlsform.WriteMarkdown(&text, got))
	got, _ = xlsform.ReadTables("t.md", text.Bytes())
	difference, same = xlsform.SameTables(want, got)
	require.True(t, same, difference)

	folder := fstest.MapFS{}
	for _, s := range want.Sheets {
		var b strings.Builder
		for _, row := range append([]xlsform.Row{{Cells: s.Header}}, s.Rows...) {
			for i := range s.Header {
				if i > 0 {
					b.WriteByte(',')
				}
				b.WriteString(`"` + strings.ReplaceAll(row.Cell(i), `"`, `""`) + `"`)
			}
			b.WriteByte('\n')
		}
		folder[s.Name+".csv"] = &fstest.MapFile{Data: []byte(b.String())}
	}
	got, report = xlsform.ReadDirTables(folder)
	require.Empty(t, report.Errors)
	difference, same = xlsform.SameTables(want, got)
	require.True(t, same, difference)

	changed, _ := xlsform.ReadTables("t.md", []byte(strings.Replace(good, "Age", "Alter", 1)))
	_, same = xlsform.SameTables(want, changed)
	require.False(t, same)
}

func TestFilesThatAreNoForms(t *testing.T) {
	var bomb bytes.Buffer
	z := zip.NewWriter(&bomb)
	for name, text := range map[string]string{
		"xl/workbook.xml":            `<workbook xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="survey" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`,
	} {
		w, err := z.Create(name)
		require.NoError(t, err)
		_, err = w.Write([]byte(text))
		require.NoError(t, err)
	}
	w, err := z.Create("xl/worksheets/sheet1.xml")
	require.NoError(t, err)
	for range 300 {
		_, err = w.Write(make([]byte, 1<<20))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	book := excelize.NewFile()
	require.NoError(t, book.SetSheetName("Sheet1", "survey"))
	require.NoError(t, book.SetSheetRow("survey", "A1", &[]string{"type", "name", "label"}))
	require.NoError(t, book.SetSheetRow("survey", "A2", &[]string{"text", "a", "A"}))
	var locked, old bytes.Buffer
	require.NoError(t, book.Write(&locked, excelize.Options{Password: "secret"}))
	old.WriteString("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")
	old.Write(make([]byte, 4096))
	for name, c := range map[string]struct {
		data []byte
		code string
	}{
		"empty.xlsx":    {nil, "form.empty_file"},
		"old.xls":       {old.Bytes(), "form.old_excel"},
		"locked.xlsx":   {locked.Bytes(), "form.password"},
		"torn.xlsx":     {[]byte("PK\x03\x04torn"), "form.damaged"},
		"text.xlsx":     {[]byte("name,label\n"), "form.not_excel"},
		"bomb.xlsx":     {bomb.Bytes(), "form.expands"},
		"picture.jpg":   {[]byte{0xff, 0xd8, 0xff}, "form.unknown_file"},
		"nothing.md":    {[]byte("just a text"), "form.no_survey"},
		"noquestion.md": {[]byte("## survey\n| type | name |\n|---|---|\n"), "form.no_questions"},
	} {
		t.Run(name, func(t *testing.T) {
			f, report := forms.Open(name, c.data)
			require.Nil(t, f)
			require.NotEmpty(t, report.Errors)
			var codes []string
			for _, p := range report.Errors {
				codes = append(codes, p.Code)
			}
			require.Contains(t, strings.Join(codes, " "), c.code)
		})
	}
}

// TestMacrosAreNotRun: a workbook with macros opens, and says that they are not run.
func TestMacrosAreNotRun(t *testing.T) {
	book := excelize.NewFile()
	require.NoError(t, book.SetSheetName("Sheet1", "survey"))
	require.NoError(t, book.SetSheetRow("survey", "A1", &[]string{"type", "name", "label"}))
	require.NoError(t, book.SetSheetRow("survey", "A2", &[]string{"text", "a", "A"}))
	require.NoError(t, book.AddVBAProject([]byte("\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1")))
	var b bytes.Buffer
	require.NoError(t, book.Write(&b))
	f, report := forms.Open("form.xlsm", b.Bytes())
	require.NotNil(t, f, report.Errors)
	var codes []string
	for _, p := range report.Warnings {
		codes = append(codes, p.Code)
	}
	require.Contains(t, codes, "form.macros")
}

// TestCellsAsSpreadsheetsKeepThem: numbers, merged cells and hidden characters are
// read as a person sees them, and it is said.
func TestCellsAsSpreadsheetsKeepThem(t *testing.T) {
	f := excelize.NewFile()
	defer f.Close()
	require.NoError(t, f.SetSheetName("Sheet1", "survey"))
	rows := [][]any{{"type", "name", "label"}, {"select_one c", "q", "问\u00a0题\u200b"}, {"integer", "n", "数"}}
	for i := range rows {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		require.NoError(t, err)
		require.NoError(t, f.SetSheetRow("survey", cell, &rows[i]))
	}
	_, err := f.NewSheet("choices")
	require.NoError(t, err)
	for i, row := range [][]any{{"list_name", "name", "label"}, {"c", 1, "一"}, {"c", 2.5, "二"}} {
		cell, err := excelize.CoordinatesToCellName(1, i+1)
		require.NoError(t, err)
		require.NoError(t, f.SetSheetRow("choices", cell, &row))
	}
	var b bytes.Buffer
	require.NoError(t, f.Write(&b))
	def, report := xlsform.ReadFile("x.xlsx", b.Bytes())
	require.Empty(t, report.Errors)
	require.Equal(t, "1", def.Lists["c"].Choices[0].Name)
	require.Equal(t, "2.5", def.Lists["c"].Choices[1].Name)
	var codes []string
	for _, p := range report.Warnings {
		codes = append(codes, p.Code)
	}
	require.Contains(t, codes, "form.numbers")
	require.Contains(t, codes, "form.nbsp")
	require.Contains(t, codes, "form.zero_width")
}

func FuzzMarkdown(f *testing.F) {
	f.Add(good)
	if data, err := os.ReadFile(filepath.FromSlash("../../assets/yunqi/forms/补正回访.md")); err == nil {
		f.Add(string(data))
	}
	f.Add("| survey | type | name |\n| | integer | a |\n| choices | list_name | name |\n")
	f.Fuzz(func(t *testing.T, text string) { open(t, "x.md", []byte(text)) })
}

func FuzzExcel(f *testing.F) {
	data, err := os.ReadFile(filepath.FromSlash("../../assets/yunqi/forms/补正回访.xlsx"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) { open(t, "x.xlsx", data) })
}

// open opens a form and fills what it asks, whatever it is.
func open(t *testing.T, name string, data []byte) {
	form, report := forms.Open(name, data)
	if (form == nil) == report.OK() {
		t.Fatal("a form with errors, or none without")
	}
	if form == nil {
		return
	}
	e := form.New(forms.Options{})
	for i, n := range e.Nodes() {
		if i > 50 {
			break
		}
		if !n.Group && !n.Repeat && !n.Calculated {
			_, _ = e.Set(n.Path, "1")
		}
	}
	r := e.Record()
	if again, err := forms.DecodeRecord(r.Encode()); err != nil || len(again.Answers) != len(r.Answers) {
		t.Fatal("a record does not read back", err)
	}
}

// FuzzFile: what lies beside a form comes from anywhere.
func FuzzFile(f *testing.F) {
	f.Add(".geojson", []byte(`{"type":"FeatureCollection","features":[{"id":1,"properties":{"a":"b"},"geometry":{"type":"Polygon","coordinates":[[[1,2],[3,4,5]]]}}]}`))
	f.Add(".xml", []byte(`<root><item><name>a</name><label>b</label></item></root>`))
	f.Add(".csv", []byte("name,label\na,b\n"))
	f.Fuzz(func(t *testing.T, ext string, data []byte) {
		name := "list" + ext
		form := "| survey | type | name | label |\n| | select_one_from_file " + name + " | a | A |\n"
		_, _ = xlsform.ReadFile("f.md", []byte(form), fstest.MapFS{name: {Data: data}})
	})
}
