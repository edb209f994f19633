// Package compare reads the lists that departments send and lays them beside the
// registry (大数据比对, 国办发〔2023〕39号).
//
// A list has no fixed layout: any encoding, title rows above the heading, a totals
// row below, identity numbers that a spreadsheet has damaged. Nothing of it is
// dropped in silence: rows read = matched + unmatched + rejected, each rejected row
// with its reason. A hit is a lead, not proof: it becomes an alert, and only a
// person makes an alert a task.
package compare

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Limits of a list.
const (
	MaxBytes   = 256 << 20
	maxUnzip   = 1 << 30
	maxRows    = 2_000_000
	maxColumns = 500
)

// A Cell is what stands in one cell: the raw text, never the formatted one, and
// whether a spreadsheet holds it as a number.
type Cell struct {
	Text    string
	Numeric bool
}

// A Row is one line of a list; Number counts from 1 as the spreadsheet does.
type Row struct {
	Number int
	Cells  []Cell
}

// A Table is one sheet, or one text file.
type Table struct {
	File, Sheet string
	Encoding    string // of a text file: utf-8, utf-8 bom, utf-16, gb18030
	Rows        []Row
}

// A ListError says why a file cannot be read as a list.
type ListError struct {
	File, Sheet string
	Why         string // no_workbook, legacy_xls, empty, too_large, no_header, no_id_column, …
	Seen        string // the headings that were found
}

func (e *ListError) Error() string {
	s := e.File
	if e.Sheet != "" {
		s += ", sheet " + e.Sheet
	}
	s += ": " + strings.ReplaceAll(e.Why, "_", " ")
	if e.Seen != "" {
		s += " among " + e.Seen
	}
	return s
}

// Code is the key of the sentence.
func (e *ListError) Code() string { return "list." + e.Why }

// ReadTables reads every sheet of an XLSX, or the one table of a CSV or TSV file.
func ReadTables(name string, data []byte) ([]Table, error) {
	name = filepath.Base(name)
	switch {
	case len(data) > MaxBytes:
		return nil, &ListError{File: name, Why: "too_large"}
	case len(bytes.TrimSpace(data)) == 0:
		return nil, &ListError{File: name, Why: "empty"}
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")):
		return nil, &ListError{File: name, Why: "legacy_xls"} // or an XLSX behind a password
	case bytes.HasPrefix(data, []byte("PK")):
		return readXLSX(name, data)
	case strings.EqualFold(filepath.Ext(name), ".xlsx") && bytes.ContainsRune(data[:min(len(data), 4096)], 0):
		return nil, &ListError{File: name, Why: "no_workbook"}
	}
	t, err := readText(name, data)
	if err != nil {
		return nil, err
	}
	return []Table{t}, nil
}

func readXLSX(name string, data []byte) ([]Table, error) {
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{RawCellValue: true, UnzipSizeLimit: maxUnzip, UnzipXMLSizeLimit: 16 << 20})
	if err != nil {
		return nil, &ListError{File: name, Why: "no_workbook"}
	}
	defer f.Close()
	var tables []Table
	for _, sheet := range f.GetSheetList() {
		t := Table{File: name, Sheet: sheet}
		rows, err := f.Rows(sheet)
		if err != nil {
			return nil, &ListError{File: name, Sheet: sheet, Why: "no_workbook"}
		}
		for n := 1; rows.Next(); n++ {
			if n > maxRows {
				return nil, &ListError{File: name, Sheet: sheet, Why: "too_large"}
			}
			values, err := rows.Columns()
			if err != nil {
				return nil, &ListError{File: name, Sheet: sheet, Why: "no_workbook"}
			}
			if len(values) > maxColumns {
				values = values[:maxColumns]
			}
			row := Row{Number: n, Cells: make([]Cell, len(values))}
			blank := true
			for i, v := range values {
				row.Cells[i].Text = v
				if v == "" {
					continue
				}
				blank = false
				// Only digits can be a damaged number; asking the type of every
				// cell would read the sheet a second time.
				if _, err := strconv.ParseFloat(v, 64); err == nil {
					at, err := excelize.CoordinatesToCellName(i+1, n)
					if err != nil {
						continue
					}
					kind, err := f.GetCellType(sheet, at)
					row.Cells[i].Numeric = err == nil && (kind == excelize.CellTypeNumber || kind == excelize.CellTypeUnset)
				}
			}
			if !blank {
				t.Rows = append(t.Rows, row)
			}
		}
		rows.Close()
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	if len(tables) == 0 {
		return nil, &ListError{File: name, Why: "empty"}
	}
	return tables, nil
}

func readText(name string, data []byte) (Table, error) {
	text, encoding, err := decodeText(data)
	if err != nil {
		return Table{}, &ListError{File: name, Why: "unknown_encoding"}
	}
	if strings.ContainsRune(text[:min(len(text), 4096)], 0) {
		return Table{}, &ListError{File: name, Why: "no_table"}
	}
	t := Table{File: name, Encoding: encoding}
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = separator(text), -1, true, true
	for {
		fields, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return Table{}, &ListError{File: name, Why: "no_table", Seen: err.Error()}
		}
		line, _ := r.FieldPos(0)
		row := Row{Number: line, Cells: make([]Cell, min(len(fields), maxColumns))}
		blank := true
		for i := range row.Cells {
			row.Cells[i].Text = strings.Clone(fields[i])
			blank = blank && strings.TrimSpace(fields[i]) == ""
		}
		if blank {
			continue
		}
		if t.Rows = append(t.Rows, row); len(t.Rows) > maxRows {
			return Table{}, &ListError{File: name, Why: "too_large"}
		}
	}
	if len(t.Rows) == 0 {
		return Table{}, &ListError{File: name, Why: "empty"}
	}
	return t, nil
}

// decodeText finds out the encoding: a byte order mark, the zero bytes of UTF-16,
// valid UTF-8, else GB18030, which holds GBK and GB 2312. Detectors that guess by
// frequency call short lists Cyrillic.
func decodeText(data []byte) (text, encoding string, err error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		if !utf8.Valid(data[3:]) {
			return "", "", fmt.Errorf("not UTF-8 behind its mark")
		}
		return string(data[3:]), "utf-8 bom", nil
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		out, _, err := transform.Bytes(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder(), data)
		return string(out), "utf-16", err
	case utf8.Valid(data):
		return string(data), "utf-8", nil
	}
	out, _, err := transform.Bytes(simplifiedchinese.GB18030.NewDecoder(), data)
	if err == nil && bytes.Count(out, []byte("\ufffd")) > len(out)/100 {
		err = fmt.Errorf("too many characters that are none")
	}
	return string(out), "gb18030", err
}

// separator is the most frequent of comma, tab and semicolon in the first lines.
func separator(text string) rune {
	head := text[:min(len(text), 8192)]
	best, most := ',', strings.Count(head, ",")+strings.Count(head, "，")/2
	for _, r := range "\t;" {
		if n := strings.Count(head, string(r)); n > most {
			best, most = r, n
		}
	}
	return best
}
