package excel_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"

	"ironfeet/forms/excel"
)

// ours reads every cell of a workbook that holds something.
func ours(data []byte) (map[string]string, error) {
	b, err := excel.Open(data, 64<<20)
	if err != nil {
		return nil, err
	}
	got := map[string]string{}
	for i, s := range b.Sheets() {
		if _, err := b.Scan(i, func(c *excel.Cell) error {
			if len(c.Value) == 0 {
				return nil
			}
			at, err := excelize.CoordinatesToCellName(c.Column+1, c.Row)
			got[s.Name+"!"+at] = string(c.Value)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// theirs reads the same with excelize, raw values.
func theirs(t require.TestingT, data []byte) map[string]string {
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{RawCellValue: true})
	require.NoError(t, err)
	defer f.Close()
	want := map[string]string{}
	for _, s := range f.GetSheetList() {
		rows, err := f.GetRows(s, excelize.Options{RawCellValue: true})
		require.NoError(t, err)
		for r, row := range rows {
			for c, v := range row {
				if v == "" {
					continue
				}
				at, err := excelize.CoordinatesToCellName(c+1, r+1)
				require.NoError(t, err)
				want[s+"!"+at] = v
			}
		}
	}
	return want
}

func TestWorkbooksAreReadAsExcelizeReadsThem(t *testing.T) {
	files, err := filepath.Glob("../../assets/yunqi/*/*.xlsx")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		got, err := ours(data)
		require.NoError(t, err)
		require.Equal(t, theirs(t, data), got, file)
	}
}

func TestAnyWorkbookIsReadAsExcelizeReadsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := excelize.NewFile()
		defer f.Close()
		for range rapid.IntRange(1, 30).Draw(t, "cells") {
			at, err := excelize.CoordinatesToCellName(rapid.IntRange(1, 60).Draw(t, "column"), rapid.IntRange(1, 200).Draw(t, "row"))
			require.NoError(t, err)
			var v any
			switch rapid.IntRange(0, 4).Draw(t, "kind") {
			case 0:
				v = rapid.Float64Range(-1e15, 1e15).Draw(t, "number")
			case 1:
				v = rapid.Int().Draw(t, "int")
			case 2:
				v = rapid.Bool().Draw(t, "bool")
			default:
				v = strings.Map(func(r rune) rune { // what XML 1.0 cannot hold is excelize's affair
					if r < ' ' && r != '\n' && r != '\t' || r == 0xfffe || r == 0xffff || r == '_' || r == 0xfffd {
						return 'x'
					}
					return r
				}, rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"459921195203150013", "𠮷<&>\"'", " 前后空格 ", "a\nb", "=1+1"})).Draw(t, "text"))
			}
			require.NoError(t, f.SetCellValue("Sheet1", at, v))
		}
		b, err := f.WriteToBuffer()
		require.NoError(t, err)
		got, err := ours(b.Bytes())
		require.NoError(t, err)
		require.Equal(t, theirs(t, b.Bytes()), got)
	})
}

// zipped makes an archive of parts, with sizes in its directory that may lie.
func zipped(t testing.TB, parts map[string]string, lie bool) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range parts {
		p, err := w.Create(name)
		require.NoError(t, err)
		_, err = p.Write([]byte(text))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	if !lie {
		return out.Bytes()
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	var again bytes.Buffer
	w = zip.NewWriter(&again)
	for _, f := range z.File {
		header := f.FileHeader
		header.UncompressedSize64 = 10
		p, err := w.CreateRaw(&header)
		require.NoError(t, err)
		r, err := f.OpenRaw()
		require.NoError(t, err)
		var raw bytes.Buffer
		_, err = raw.ReadFrom(r)
		require.NoError(t, err)
		_, err = p.Write(raw.Bytes())
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return again.Bytes()
}

func parts(sheet string) map[string]string {
	return map[string]string{
		"xl/workbook.xml":            `<workbook xmlns:r="r"><sheets><sheet name="S" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>`,
		"xl/worksheets/sheet1.xml":   sheet,
	}
}

func TestWorkbooksThatAreBadOrHostile(t *testing.T) {
	big := "<worksheet><sheetData>" + strings.Repeat(" ", 1<<20) + "</sheetData></worksheet>"
	b, err := excel.Open(zipped(t, parts(big), false), 512<<10)
	require.NoError(t, err)
	_, err = b.Scan(0, func(*excel.Cell) error { return nil })
	require.ErrorIs(t, err, excel.ErrExpands, "a sheet beyond the bound")

	b, err = excel.Open(zipped(t, parts(big), true), 512<<10)
	if err == nil {
		_, err = b.Scan(0, func(*excel.Cell) error { return nil })
	}
	require.Error(t, err, "a sheet that lies about its size")

	for name, sheet := range map[string]string{
		"a document type": `<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet/>`,
		"an open tag":     `<worksheet><sheetData><row><c r="A1"><v>1</v`,
		"an open comment": `<worksheet><!-- `,
	} {
		b, err := excel.Open(zipped(t, parts(sheet), false), 1<<20)
		require.NoError(t, err, name)
		_, err = b.Scan(0, func(*excel.Cell) error { return nil })
		require.Error(t, err, name)
	}
	for name, p := range map[string]map[string]string{"no workbook": {"a.txt": "x"}, "no sheets": {"xl/workbook.xml": "<workbook/>", "xl/_rels/workbook.xml.rels": "<a/>"}} {
		_, err := excel.Open(zipped(t, p, false), 1<<20)
		require.Error(t, err, name)
	}
}

func TestCellsAsProgramsWriteThem(t *testing.T) {
	b, err := excel.Open(zipped(t, parts(`<x:worksheet><x:sheetData>
		<x:row r="3"><x:c r="B3" t="inlineStr"><x:is><x:t>a&amp;</x:t><x:r><x:t>&#x97e6;</x:t></x:r></x:is></x:c><x:c><x:v>2</x:v></x:c></x:row>
		<x:row><x:c t="str"><x:f>"a"</x:f><x:v>a_x000D_b</x:v></x:c><x:c r="D4"><x:f>NOW()</x:f></x:c><x:c r="E4" t="e"><x:v>#N/A</x:v></x:c><x:c r="F4" t="b"><x:v>1</x:v></x:c></x:row>
		</x:sheetData><x:mergeCells><x:mergeCell ref="B3:C3"/></x:mergeCells></x:worksheet>`), false), 1<<20)
	require.NoError(t, err)
	merged, err := b.Merged(0)
	require.NoError(t, err)
	require.Equal(t, []string{"B3:C3"}, merged)
	var got []string
	declared, err := b.Scan(0, func(c *excel.Cell) error {
		got = append(got, fmt.Sprintf("%d,%d %s %q %v %v", c.Row, c.Column, c.Kind, c.Value, c.HasValue, c.Formula))
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 4, declared)
	require.Equal(t, []string{
		`3,1 inlineStr "a&韦" true false`, `3,2  "2" true false`, `4,0 str "a\rb" true true`, `4,3  "" false true`, `4,4 e "#N/A" true false`, `4,5 b "1" true false`,
	}, got)
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(`<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c></row></sheetData><mergeCells><mergeCell ref="A1:B2"/></mergeCells></worksheet>`))
	f.Add([]byte(`<worksheet><c t="inlineStr"><is><t><![CDATA[a]]></t></is></c><row r="99999999999"/></worksheet>`))
	f.Add([]byte("<a b='>'><!-- x --><?y?>&#0;&lt"))
	f.Fuzz(func(t *testing.T, sheet []byte) {
		p := parts(string(sheet))
		p["xl/sharedStrings.xml"] = string(sheet)
		b, err := excel.Open(zipped(t, p, false), 1<<20)
		if err != nil {
			return
		}
		if _, err := b.Merged(0); err != nil {
			return
		}
		_, _ = b.Scan(0, func(c *excel.Cell) error {
			if c.Row > 1<<20 || c.Column > 1<<16 {
				t.Fatalf("%d %d", c.Row, c.Column)
			}
			return nil
		})
	})
}
