package compare

import (
	"slices"
	"strconv"
	"strings"

	"ironfeet/forms/excel"
)

// A builder makes rows of the cells of a workbook, and fills merged ranges with the
// one value that stands in them: a household's name over the rows of its members.
type builder struct {
	yield  func(*Row) error
	row    Row
	rows   int
	merged map[int][]*merged // by first row
	open   []*merged
}

type merged struct {
	c1, r1, c2, r2 int
	value          Cell
}

func newBuilder(yield func(*Row) error) *builder {
	return &builder{yield: yield, merged: map[int][]*merged{}}
}

func (b *builder) merge(c1, r1, c2, r2 int) {
	if c1 > c2 || r1 > r2 || c1 >= maxColumns || c1 == c2 && r1 == r2 {
		return
	}
	b.merged[r1] = append(b.merged[r1], &merged{c1: c1, r1: r1, c2: min(c2, maxColumns-1), r2: r2})
}

func (b *builder) put(column, row int, c Cell) error {
	if column < 0 || column >= maxColumns || len(c.Text) > maxCell {
		return nil
	}
	if row != b.row.Number {
		if err := b.finish(); err != nil {
			return err
		}
		b.row.Number = row
	}
	for len(b.row.Cells) <= column {
		b.row.Cells = append(b.row.Cells, Cell{})
	}
	b.row.Cells[column] = c
	return nil
}

// finish yields the row that was being built.
func (b *builder) finish() error {
	if b.row.Number == 0 {
		return nil
	}
	b.fill()
	blank := !slices.ContainsFunc(b.row.Cells, func(c Cell) bool { return c.Text != "" || c.Error || c.Formula })
	var err error
	if !blank {
		if b.rows++; b.rows > maxRows {
			return errTooManyRows
		}
		err = b.yield(&b.row)
	}
	b.row.Number, b.row.Cells = 0, b.row.Cells[:0]
	return err
}

func (b *builder) fill() {
	if len(b.merged) == 0 && len(b.open) == 0 {
		return
	}
	at := b.row.Number
	b.open = slices.DeleteFunc(b.open, func(m *merged) bool { return m.r2 < at })
	for _, m := range b.merged[at] {
		if m.c1 < len(b.row.Cells) {
			m.value = b.row.Cells[m.c1]
		}
		b.open = append(b.open, m)
	}
	delete(b.merged, at)
	for _, m := range b.open {
		if m.value.Text == "" {
			continue
		}
		for c := m.c1; c <= m.c2; c++ {
			for len(b.row.Cells) <= c {
				b.row.Cells = append(b.row.Cells, Cell{})
			}
			if b.row.Cells[c].Text == "" {
				b.row.Cells[c] = m.value
			}
		}
	}
}

// date turns a day number into the day it is shown as.
func (c *Cell) date(date1904 bool) {
	serial, err := strconv.ParseFloat(c.Text, 64)
	if err != nil {
		return
	}
	if day := excel.Day(serial, date1904); day != "" {
		c.Text, c.Date, c.Numeric = day, true, false
	}
}

// plainNumber writes a double as a workbook's XML does: the shortest text that
// reads back as the same.
func plainNumber(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if strings.ContainsAny(s, "e") && f < 1e21 && f > -1e21 && f == float64(int64(f)) {
		return strconv.FormatInt(int64(f), 10)
	}
	return s
}
