package xlsform

import (
	"fmt"
	"io"

	"github.com/xuri/excelize/v2"
)

// WriteExcel writes tables as a workbook that is pleasant to edit: headings bold
// and kept in sight, columns as wide as their texts, long texts wrapped, every
// cell text (so that 007 stays 007).
func WriteExcel(w io.Writer, t *Tables) error {
	x := excelize.NewFile()
	defer x.Close()
	head, err := x.NewStyle(&excelize.Style{
		Font:      &excelize.Font{Bold: true, Color: "FFFFFF"},
		Fill:      excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"2F5D50"}},
		Alignment: &excelize.Alignment{Vertical: "center"},
		NumFmt:    49, // text
	})
	if err != nil {
		return err
	}
	body, err := x.NewStyle(&excelize.Style{NumFmt: 49, Alignment: &excelize.Alignment{Vertical: "top", WrapText: true}})
	if err != nil {
		return err
	}
	block, err := x.NewStyle(&excelize.Style{
		NumFmt: 49, Alignment: &excelize.Alignment{Vertical: "top", WrapText: true},
		Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E3EEEA"}},
	})
	if err != nil {
		return err
	}
	for i, sheet := range t.Sheets {
		name := sheet.Name
		if i == 0 {
			err = x.SetSheetName("Sheet1", name)
		} else {
			_, err = x.NewSheet(name)
		}
		if err != nil {
			return fmt.Errorf("sheet %q: %w", name, err)
		}
		if err := writeSheet(x, sheet, head, body, block); err != nil {
			return fmt.Errorf("sheet %q: %w", name, err)
		}
	}
	return x.Write(w)
}

func writeSheet(x *excelize.File, t *Table, head, body, block int) error {
	out, err := x.NewStreamWriter(t.Name)
	if err != nil {
		return err
	}
	for i := range t.Header {
		widest := width(t.Header[i]) + 2
		for _, r := range t.Rows {
			widest = max(widest, width(r.Cell(i)))
		}
		if err := out.SetColWidth(i+1, i+1, float64(min(max(widest+2, 8), 48))); err != nil {
			return err
		}
		if err := out.SetColStyle(i+1, i+1, body); err != nil {
			return err
		}
	}
	if err := out.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	write := func(number int, cells []string, style int) error {
		values := make([]any, len(t.Header))
		for i := range values {
			c := excelize.Cell{StyleID: style}
			if i < len(cells) && cells[i] != "" {
				c.Value = cells[i]
			}
			values[i] = c
		}
		return out.SetRow(CellName(0, number), values)
	}
	if err := write(1, t.Header, head); err != nil {
		return err
	}
	for i, r := range t.Rows {
		style := body
		if t.Name == "survey" && isBlockRow(r.Cell(0)) {
			style = block
		}
		if err := write(i+2, r.Cells, style); err != nil {
			return err
		}
	}
	return out.Flush()
}

// isBlockRow is a row that begins or ends a group: it is shaded.
func isBlockRow(kind string) bool {
	kind = fold(kind)
	return len(kind) > 4 && (kind[:3] == "end" || kind[:5] == "begin") && (kind[3] == ' ' || kind[3] == '_' || len(kind) > 5 && (kind[5] == ' ' || kind[5] == '_'))
}
