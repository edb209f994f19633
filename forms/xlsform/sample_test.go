package xlsform_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/forms/xlsform"
)

var update = flag.Bool("update", false, "write the sample's workbooks anew from their Markdown twins")

// TestWorkbooksEqualTheirTwins: beside every workbook of the sample stands a
// Markdown file that says the same.
func TestWorkbooksEqualTheirTwins(t *testing.T) {
	twins, err := filepath.Glob(filepath.FromSlash("../../assets/yunqi/*/*.md"))
	require.NoError(t, err)
	require.Len(t, twins, 4)
	for _, twin := range twins {
		t.Run(filepath.Base(twin), func(t *testing.T) {
			text, err := os.ReadFile(twin)
			require.NoError(t, err)
			want, report := xlsform.ReadTables(twin, text)
			require.Empty(t, report.Errors)
			workbook := strings.TrimSuffix(twin, ".md") + ".xlsx"
			if *update {
				var b bytes.Buffer
				require.NoError(t, xlsform.WriteExcel(&b, want))
				require.NoError(t, os.WriteFile(workbook, b.Bytes(), 0o644))
			}
			data, err := os.ReadFile(workbook)
			require.NoError(t, err, "go test ./forms/xlsform -update writes it")
			got, report := xlsform.ReadTables(workbook, data)
			require.Empty(t, report.Errors)
			difference, same := xlsform.SameTables(want, got)
			require.True(t, same, difference)
		})
	}
}
