package xlsform

import (
	"errors"
	"strconv"
	"strings"

	"ironfeet/forms/excel"
)

// errTooManyRows stops the reading of a sheet without end.
var errTooManyRows = errors.New("more than " + strconv.Itoa(maxRows) + " rows")

// A grid collects the cells of one sheet as they are read, cleans them, and
// remembers what was cleaned, so that it is reported once a sheet and not once a
// cell.
type grid struct {
	name     string
	report   *Report
	rows     []Row
	declared int // the last row the file speaks of
	merged   []string
	full     error // set when a limit stops the reading

	numbers, booleans, formulas, nbsp, invisible tally
	wide                                         bool
}

// A tally counts what was cleaned and remembers the first place.
type tally struct {
	count       int
	column, row int
}

func (t *tally) note(column, row int) {
	if t.count == 0 {
		t.column, t.row = column, row
	}
	t.count++
}

func (g *grid) problem(column, row int, code, got string) {
	if len(g.report.Errors) < maxProblems {
		g.report.Error(problem(Problem{Sheet: g.name, Cell: CellName(column, row), Row: row, Code: code, Got: got}))
	}
}

// set puts a cleaned value at column (from 0) and row (from 1). Rows come in order.
func (g *grid) set(column, row int, value string) {
	if column < 0 || column >= maxColumns {
		g.wide = true
		return
	}
	if len(value) > maxCell {
		g.problem(column, row, "form.cell_too_long", strconv.Itoa(maxCell))
		return
	}
	value, nbsp, invisible := cleanCell(value)
	if nbsp {
		g.nbsp.note(column, row)
	}
	if invisible {
		g.invisible.note(column, row)
	}
	if value == "" {
		return
	}
	if n := len(g.rows); n == 0 || g.rows[n-1].Number != row {
		if n >= maxRows {
			g.full = errTooManyRows
			return
		}
		width := 8
		if n > 0 {
			width = len(g.rows[0].Cells)
		}
		g.rows = append(g.rows, Row{Number: row, Cells: make([]string, 0, max(width, column+1))})
	}
	r := &g.rows[len(g.rows)-1]
	for len(r.Cells) <= column {
		r.Cells = append(r.Cells, "")
	}
	r.Cells[column] = value
}

// cleanCell removes what no author means: no-break spaces, zero-width
// characters, byte-order marks, spaces around, Windows line ends.
func cleanCell(s string) (clean string, nbsp, invisible bool) {
	plain := true
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || c < ' ' {
			plain = false
			break
		}
	}
	if plain {
		return strings.TrimSpace(s), false, false
	}
	clean = strings.Map(func(r rune) rune {
		switch r {
		case '\u00a0', '\u2007', '\u202f':
			nbsp = true
			return ' '
		case '\u200b', '\u2060', '\ufeff', '\u00ad', '\u200e', '\u200f':
			invisible = true
			return -1
		case '\r', 0:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	return strings.TrimSpace(clean), nbsp, invisible
}

// table ends the reading of a sheet: the first row becomes the header, and what
// was cleaned is reported.
func (g *grid) table() *Table {
	t := &Table{Name: g.name}
	said := func(n tally, code string) {
		if n.count > 0 {
			g.report.Warn(problem(Problem{Sheet: g.name, Cell: CellName(n.column, n.row), Row: n.row, Code: code, Got: strconv.Itoa(n.count)}))
		}
	}
	said(g.numbers, "form.numbers")
	said(g.booleans, "form.booleans")
	said(g.formulas, "form.formulas")
	said(g.nbsp, "form.nbsp")
	said(g.invisible, "form.zero_width")
	if g.wide {
		g.report.Warn(problem(Problem{Sheet: g.name, Code: "form.too_many_columns", Got: strconv.Itoa(maxColumns)}))
	}
	if g.full != nil {
		g.report.Error(problem(Problem{Sheet: g.name, Code: "form.too_many_rows", Got: strconv.Itoa(maxRows)}))
	}
	if len(g.rows) == 0 {
		return t
	}
	t.HeaderRow, t.Header, t.Rows = g.rows[0].Number, g.rows[0].Cells, g.rows[1:]
	last := g.rows[len(g.rows)-1].Number
	var blank tally
	for i, r := range t.Rows {
		before := g.rows[i].Number
		for n := before + 1; n < r.Number && n-before < 1000; n++ {
			blank.note(0, n)
		}
	}
	said(blank, "form.blank_rows")
	if g.declared > last+10_000 {
		g.report.Warn(problem(Problem{Sheet: g.name, Code: "form.declared_rows", Got: strconv.Itoa(g.declared)}))
	}
	for _, ref := range g.merged {
		c1, r1, c2, r2, err := excel.Range(ref)
		if err != nil || r1 > last || c1 >= len(t.Header) || c1 == c2 && r1 == r2 || r1 <= t.HeaderRow && r2 < t.HeaderRow {
			continue
		}
		g.report.Warn(problem(Problem{Sheet: g.name, Cell: CellName(c1, r1), Row: r1, Code: "form.merged", Got: ref}))
	}
	return t
}
