// Package plain writes a list as a workbook, as it stands on a screen: headings and
// rows of texts and numbers. What may stand in it is decided by whoever made the
// list.
package plain

import (
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"
)

// A Sheet is one table.
type Sheet struct {
	Name  string
	Heads []string
	Rows  [][]any // texts and whole numbers
}

// XLSX writes sheets into one workbook.
func XLSX(w io.Writer, sheets ...Sheet) error {
	f := excelize.NewFile()
	defer f.Close()
	head, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Color: []string{"E2ECE7"}, Pattern: 1}})
	if err != nil {
		return err
	}
	for i, s := range sheets {
		if i == 0 {
			err = f.SetSheetName("Sheet1", s.Name)
		} else {
			_, err = f.NewSheet(s.Name)
		}
		if err == nil {
			err = fill(f, s, head)
		}
		if err != nil {
			return fmt.Errorf("write sheet %s: %w", s.Name, err)
		}
	}
	_, err = f.WriteTo(w)
	return err
}

func fill(f *excelize.File, s Sheet, head int) error {
	for i, h := range s.Heads {
		a, err := excelize.CoordinatesToCellName(i+1, 1)
		if err != nil {
			return err
		}
		if err := f.SetCellStr(s.Name, a, h); err != nil {
			return err
		}
		if err := f.SetCellStyle(s.Name, a, a, head); err != nil {
			return err
		}
		col, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if err := f.SetColWidth(s.Name, col, col, 14); err != nil {
			return err
		}
	}
	for y, row := range s.Rows {
		for x, v := range row {
			a, err := excelize.CoordinatesToCellName(x+1, y+2)
			if err != nil {
				return err
			}
			if text, ok := v.(string); ok {
				err = f.SetCellStr(s.Name, a, text) // never a formula
			} else {
				err = f.SetCellValue(s.Name, a, v)
			}
			if err != nil {
				return err
			}
		}
	}
	return f.SetPanes(s.Name, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"})
}
