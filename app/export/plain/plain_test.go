package plain

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

func TestAListAsItStands(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, XLSX(&b, Sheet{"各村", []string{"村", "待审"}, [][]any{{"上岭村", 3}, {"=1+1", 0}}}, Sheet{Name: "走访员", Heads: []string{"姓名"}}))
	f, err := excelize.OpenReader(&b)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, []string{"各村", "走访员"}, f.GetSheetList())
	rows, err := f.GetRows("各村")
	require.NoError(t, err)
	require.Equal(t, [][]string{{"村", "待审"}, {"上岭村", "3"}, {"=1+1", "0"}}, rows)
	formula, err := f.GetCellFormula("各村", "A3")
	require.NoError(t, err)
	require.Empty(t, formula)
}
