package xlsform

import (
	"strconv"
)

// Tables are the sheets of a form as they stand: .xlsx, Markdown and a folder of
// CSVs all become this, so that a workbook and its Markdown twin can be compared.
type Tables struct {
	Sheets  []*Table
	NotRead []string // names of sheets that were passed over
}

// Sheet returns the sheet of a name, or nil. Case and surrounding spaces do not
// count.
func (t *Tables) Sheet(name string) *Table {
	for _, s := range t.Sheets {
		if fold(s.Name) == fold(name) {
			return s
		}
	}
	return nil
}

// A Table is one sheet. Header is its first row that is not blank.
type Table struct {
	Name      string
	Hidden    bool
	HeaderRow int // 1-based
	Header    []string
	Rows      []Row
}

// A Row of a sheet. Cells are aligned with the header and may be fewer; Number is
// the 1-based row of the sheet. Blank rows are left out.
type Row struct {
	Number int
	Cells  []string
}

// Cell returns a cell's text, "" beyond the row's end.
func (r Row) Cell(i int) string {
	if i < 0 || i >= len(r.Cells) {
		return ""
	}
	return r.Cells[i]
}

// CellName is the name of a cell as a spreadsheet writes it: column from 0, row
// from 1: CellName(3, 17) is "D17".
func CellName(column, row int) string {
	var buf [8]byte
	i := len(buf)
	for n := column + 1; n > 0 && i > 0; n = (n - 1) / 26 {
		i--
		buf[i] = byte('A' + (n-1)%26)
	}
	return string(buf[i:]) + strconv.Itoa(row)
}
