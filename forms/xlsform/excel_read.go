package xlsform

import (
	"bytes"
	"errors"
	"strings"

	"ironfeet/forms/excel"
)

// Limits of the reader. A workbook beyond them is refused with the limit named
// (invariant 10).
const (
	maxFile     = 64 << 20  // bytes of the file as it lies on disk
	maxUnzipped = 256 << 20 // bytes of all parts read, unpacked
	maxRows     = 200_000   // rows with content, a sheet
	maxSurvey   = 20_000    // rows with content of the survey sheet
	maxColumns  = 1_000
	maxCell     = 64 << 10 // bytes of one cell
)

// readExcel reads the wanted sheets of a workbook; with want nil, all.
func readExcel(data []byte, want func(sheet string) bool) (*Tables, Report) {
	var report Report
	stop := func(code, got string) (*Tables, Report) {
		report.Error(problem(Problem{Code: code, Got: got}))
		return nil, report
	}
	if len(data) > maxFile {
		return stop("form.too_large", "64 MB")
	}
	if bytes.HasPrefix(data, []byte("\xD0\xCF\x11\xE0")) { // the container of .xls, and of encrypted .xlsx
		if bytes.Contains(data, wideText("EncryptedPackage")) {
			return stop("form.password", "")
		}
		return stop("form.old_excel", "")
	}
	if !bytes.HasPrefix(data, []byte("PK")) {
		return stop("form.not_excel", firstLine(data))
	}
	x, err := excel.Open(data, maxUnzipped)
	if err != nil {
		if errors.Is(err, excel.ErrExpands) {
			return stop("form.expands", "256 MB")
		}
		return stop("form.damaged", err.Error())
	}
	if x.Has("xl/vbaProject.bin") {
		report.Warn(problem(Problem{Code: "form.macros"}))
	}
	tables := &Tables{}
	var others []string
	for i, s := range x.Sheets() {
		if want != nil && !want(s.Name) {
			others = append(others, s.Name)
			continue
		}
		if tables.Sheet(s.Name) != nil {
			report.Warn(problem(Problem{Sheet: s.Name, Code: "form.sheet_twice", Got: s.Name}))
			continue
		}
		g := &grid{name: strings.TrimSpace(s.Name), report: &report}
		merged, err := x.Merged(i)
		if err == nil {
			g.declared, err = x.Scan(i, func(c *excel.Cell) error { return g.cell(x, c) })
		}
		if errors.Is(err, errTooManyRows) {
			err = nil // the grid says so itself
		}
		g.merged = merged
		switch {
		case errors.Is(err, excel.ErrExpands):
			return stop("form.expands", "256 MB")
		case err != nil:
			report.Error(problem(Problem{Sheet: s.Name, Code: "form.damaged", Got: err.Error()}))
			continue
		}
		t := g.table()
		t.Hidden = s.Hidden
		if s.Hidden {
			report.Warn(problem(Problem{Sheet: s.Name, Code: "form.hidden_sheet"}))
		}
		tables.Sheets = append(tables.Sheets, t)
	}
	tables.NotRead = others
	return tables, report
}

func wideText(s string) []byte {
	b := make([]byte, 0, 2*len(s))
	for i := range len(s) {
		b = append(b, s[i], 0)
	}
	return b
}

func firstLine(data []byte) string {
	line, _, _ := bytes.Cut(data[:min(len(data), 200)], []byte("\n"))
	text := strings.ToValidUTF8(strings.TrimSpace(string(line)), "?")
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return '?'
		}
		return r
	}, clip(text))
}

// cell puts one cell into the grid as its author sees it.
func (g *grid) cell(x *excel.Book, c *excel.Cell) error {
	value := string(c.Value)
	switch c.Kind {
	case "b":
		if c.HasValue {
			value = map[bool]string{true: "TRUE", false: "FALSE"}[strings.TrimSpace(value) == "1"]
			g.booleans.note(c.Column, c.Row)
		}
	case "e":
		g.problem(c.Column, c.Row, "form.cell_error", value)
		value = ""
	case "", "n":
		if value = strings.TrimSpace(value); value != "" {
			value = x.Number(value, c.Style)
			g.numbers.note(c.Column, c.Row)
		}
	}
	if c.Formula {
		if !c.HasValue && c.Kind != "str" { // a text without a value is the empty one
			g.problem(c.Column, c.Row, "form.formula_no_value", "")
		} else {
			g.formulas.note(c.Column, c.Row)
		}
	}
	if value != "" {
		g.set(c.Column, c.Row, value)
	}
	return g.full
}
