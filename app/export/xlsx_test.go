package export_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/export"
	"ironfeet/store"
)

// TestACellIsWhatItWas: what stands in a record stands in the cell, whatever it is
// made of; what no cell can hold is cut or marked, and the book opens.
func TestACellIsWhatItWas(t *testing.T) {
	_, records := verified(t)
	tpl, report := export.ReadTemplate("t.md", []byte("## columns\n\n| sheet | row | head | source | type |\n| --- | --- | --- | --- | --- |\n| 户 | household | 地址 & <址> | ${address} | |\n| 户 | household | 数 | ${area} | number |\n| 人 | member | 姓名 | ${name} | |\n"), mustFields(t))
	require.NotNil(t, tpl, "%v", report.Errors)
	for _, test := range []struct{ put, got string }{
		{"上岭村 3 组 <12> & \"甲\" '乙'", "上岭村 3 组 <12> & \"甲\" '乙'"},
		{"  前后有空格  ", "  前后有空格  "},
		{"_x0041_不是A", "_x0041_不是A"},
		{"𠮷野家\u0001\ufffe", "𠮷野家�"},
		{"坏\xff字", "坏�字"},
		{"=1+1", "'=1+1"},
		{strings.Repeat("字", 40_000), strings.Repeat("字", 32_767)},
		{strings.Repeat("𠮷", 20_000), strings.Repeat("𠮷", 16_383)},
	} {
		one := records[0]
		home := *one.Household
		home.Fields = map[string]store.Value{}
		for k, v := range one.Household.Fields {
			home.Fields[k] = v
		}
		home.Fields["address"], home.Fields["area"] = store.Text(test.put), store.Text("12.50")
		one.Household = &home
		var out bytes.Buffer
		n, err := export.Write(&out, "xlsx", each([]export.Record{one}), tpl, export.Options{Unmasked: true, Reason: "试", Day: time.Now(), TmpDir: t.TempDir()})
		require.NoError(t, err)
		require.Equal(t, 1, n.Households)
		f, err := excelize.OpenReader(&out)
		require.NoError(t, err)
		got, err := f.GetCellValue("户", "A2")
		require.NoError(t, err)
		require.Equal(t, test.got, got)
		head, err := f.GetCellValue("户", "A1")
		require.NoError(t, err)
		require.Equal(t, "地址 & <址>", head)
		kind, err := f.GetCellType("户", "A2")
		require.NoError(t, err)
		require.Equal(t, excelize.CellTypeInlineString, kind)
		people, err := f.GetRows("人")
		require.NoError(t, err)
		require.Len(t, people, 1+n.Members)
		require.NoError(t, f.Close())
	}
}

func mustFields(t *testing.T) export.Fields {
	t.Helper()
	c, err := practised()
	require.NoError(t, err)
	fields, err := export.FieldsOf(ctx, c.Office.Replica)
	require.NoError(t, err)
	return fields
}

// TestNoSheetLiesInPlain: the sheets that wait for the first one do so where nobody
// can read them, and are gone when the book is written or could not be.
func TestNoSheetLiesInPlain(t *testing.T) { // invariant 7
	_, records := verified(t)
	dir := t.TempDir()
	look := func(yield func(export.Record, error) bool) {
		for range 40 { // enough to fill every buffer
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
			}
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		require.NotEmpty(t, files, "the members wait")
		for _, name := range files {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NotContains(t, string(text), "inlineStr")
			_, err = zip.NewReader(bytes.NewReader(text), int64(len(text)))
			require.Error(t, err)
		}
	}
	_, err := export.Write(io.Discard, "xlsx", look, export.Default(), export.Options{Day: time.Now(), TmpDir: dir})
	require.NoError(t, err)
	broken := func(yield func(export.Record, error) bool) { yield(export.Record{}, io.ErrUnexpectedEOF) }
	_, err = export.Write(io.Discard, "xlsx", broken, export.Default(), export.Options{Day: time.Now(), TmpDir: dir})
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
