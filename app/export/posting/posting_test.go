package posting

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/notice"
)

func sample(n int) *notice.Sheet {
	s := &notice.Sheet{ID: uuid.New(), Village: "上岭村", Procedure: "dibao", State: notice.Posted, From: "2026-03-02", Until: "2026-03-09"}
	names := []string{"韦大山", "覃凤娇", "黄文堃", "农喆", "陆玥", "䶮𠮷", "买买提·吾斯曼江·阿不都热合曼"}
	for i := range n {
		s.Rows = append(s.Rows, notice.Row{Household: uuid.New(), Name: names[i%len(names)], Members: 1 + i%5, Amount: int64(38050 + i*12345), Village: s.Village})
	}
	return s
}

var office = Letterhead{Office: "云栖镇人民政府（虚构）", Phone: "0999-0000000"}

func TestASheetHoldsFiveColumnsAndNoMore(t *testing.T) { // 民发〔2021〕57号 Art. 24
	s := sample(3)
	s.Objections = []notice.Objection{{Who: "邻居甲", Text: "他家有车", Household: s.Rows[0].Household}}
	s.Place = "村委会公示栏"
	var b bytes.Buffer
	require.NoError(t, XLSX(&b, s, office))
	f, err := excelize.OpenReader(&b)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, []string{"公示"}, f.GetSheetList())
	rows, err := f.GetRows("公示")
	require.NoError(t, err)
	all := fmt.Sprint(rows)
	for _, row := range rows {
		require.LessOrEqual(t, len(row), 5)
	}
	require.Contains(t, all, "上岭村最低生活保障公示")
	require.Contains(t, all, "2026年3月2日至2026年3月9日")
	require.Contains(t, all, "[1 韦大山 1 380.50 上岭村]")
	for _, secret := range []string{"邻居甲", "有车", s.Rows[0].Household.String()} {
		require.NotContains(t, all, secret)
	}
	amount, err := f.GetCellValue("公示", "D6", excelize.Options{RawCellValue: true})
	require.NoError(t, err)
	require.Equal(t, "380.5", amount, "a number, to be added up")
}

func TestANameIsNoFormula(t *testing.T) {
	s := sample(1)
	s.Rows[0].Name = "=HYPERLINK(1)"
	var b bytes.Buffer
	require.NoError(t, XLSX(&b, s, office))
	f, err := excelize.OpenReader(&b)
	require.NoError(t, err)
	defer f.Close()
	formula, err := f.GetCellFormula("公示", "B6")
	require.NoError(t, err)
	require.Empty(t, formula)
}

func TestPDF(t *testing.T) {
	for _, test := range []struct{ rows, pages int }{{0, 1}, {3, 1}, {60, 4}} {
		var b bytes.Buffer
		pages, err := PDF(&b, sample(test.rows), office)
		require.NoError(t, err)
		require.Equal(t, test.pages, pages)
		require.True(t, strings.HasPrefix(b.String(), "%PDF-"))
		if dir := os.Getenv("IRONFEET_PICTURES"); dir != "" {
			require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("posting-%d.pdf", test.rows)), b.Bytes(), 0o600))
		}
	}
	var glyph *GlyphError
	s := sample(1)
	s.Rows[0].Name = "韦\U0001F600"
	_, err := PDF(&bytes.Buffer{}, s, office)
	require.ErrorAs(t, err, &glyph, "a name with a gap is not printed in silence")
}
