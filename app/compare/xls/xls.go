// Package xls reads the cells of an Excel 97–2003 workbook (.xls, BIFF8), since
// departments still send them.
//
// It is a subset of [MS-XLS]: texts, numbers, truth values, the last results of
// formulas, which numbers are days, merged ranges, hidden sheets. Nothing is worked
// out and no link is followed. Older versions (BIFF5) and encrypted workbooks are
// refused by name. Libraries that exist end the process on a damaged file or hang
// on it; this one reads bytes within bounds and answers with an error.
package xls

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf16"

	"github.com/richardlehane/mscfb"

	"ironfeet/forms/excel"
)

// What a container turned out to be instead.
var (
	ErrPassword = errors.New("the workbook is encrypted")
	ErrOlder    = errors.New("the workbook is older than Excel 97")
	ErrNoBook   = errors.New("there is no workbook in the container")
	errBroken   = errors.New("the workbook is damaged")
)

// Limits of a workbook (invariant 10).
const (
	maxStream  = 256 << 20
	maxStrings = 4_000_000
	maxSheets  = 1_000
	maxMerged  = 200_000
	maxText    = 64 << 10
)

// A Cell is one cell as the file holds it.
type Cell struct {
	Column, Row int // column from 0, row from 1
	Text        string
	Number      float64
	Numeric     bool // Number holds, not Text
	Date        bool // the number is shown as a day
	Error       bool // #N/A and its like
	Formula     bool
}

// A Sheet is named as its tab is.
type Sheet struct {
	Name   string
	Hidden bool
	offset int
}

// A Book is a workbook being read.
type Book struct {
	data     []byte
	strings  []string
	dates    []bool // by format index of a cell (XF)
	Date1904 bool
	Sheets   []Sheet
}

// Records of [MS-XLS] 2.3.
const (
	recFormula     = 0x0006
	recEOF         = 0x000a
	recDate1904    = 0x0022
	recFilePass    = 0x002f
	recContinue    = 0x003c
	recBoundSheet  = 0x0085
	recMulRK       = 0x00bd
	recXF          = 0x00e0
	recMergedCells = 0x00e5
	recSST         = 0x00fc
	recLabelSST    = 0x00fd
	recNumber      = 0x0203
	recLabel       = 0x0204
	recBoolErr     = 0x0205
	recString      = 0x0207
	recRK          = 0x027e
	recFormat      = 0x041e
	recBOF         = 0x0809
)

// Open reads what a workbook says of itself: sheets, strings, formats.
func Open(r io.ReaderAt) (*Book, error) {
	container, err := mscfb.New(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	var book *mscfb.File
	for entry, err := container.Next(); err == nil; entry, err = container.Next() {
		switch entry.Name {
		case "Workbook":
			book = entry
		case "Book":
			return nil, ErrOlder
		case "EncryptedPackage":
			return nil, ErrPassword
		}
	}
	if book == nil {
		return nil, ErrNoBook
	}
	data, err := io.ReadAll(io.LimitReader(book, maxStream+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBroken, err)
	}
	if len(data) > maxStream {
		return nil, excel.ErrExpands
	}
	b := &Book{data: data}
	return b, b.globals()
}

// record returns the record at a place and the place of the next.
func (b *Book) record(at int) (kind int, body []byte, next int, err error) {
	if at < 0 || at+4 > len(b.data) {
		return 0, nil, 0, io.EOF
	}
	kind = int(binary.LittleEndian.Uint16(b.data[at:]))
	n := int(binary.LittleEndian.Uint16(b.data[at+2:]))
	next = at + 4 + n
	if next > len(b.data) {
		return 0, nil, 0, errBroken
	}
	return kind, b.data[at+4 : next], next, nil
}

func (b *Book) globals() error {
	formats := map[int]string{}
	var cells []int // the format id of every XF
	for at, first := 0, true; ; first = false {
		kind, body, next, err := b.record(at)
		if err != nil {
			return errBroken
		}
		at = next
		if first {
			if kind != recBOF || len(body) < 4 {
				return errBroken
			}
			if binary.LittleEndian.Uint16(body) != 0x0600 {
				return ErrOlder
			}
			continue
		}
		switch kind {
		case recFilePass:
			return ErrPassword
		case recDate1904:
			b.Date1904 = len(body) >= 2 && binary.LittleEndian.Uint16(body) == 1
		case recBoundSheet:
			if len(body) < 8 || len(b.Sheets) >= maxSheets {
				return errBroken
			}
			name, _, ok := text(body[6:], 1)
			if !ok {
				return errBroken
			}
			if body[5] == 0 { // a worksheet, no chart or macro
				b.Sheets = append(b.Sheets, Sheet{name, body[4]&3 != 0, int(binary.LittleEndian.Uint32(body))})
			}
		case recFormat:
			if len(body) >= 2 {
				if code, _, ok := text(body[2:], 2); ok {
					formats[int(binary.LittleEndian.Uint16(body))] = code
				}
			}
		case recXF:
			if len(body) >= 4 {
				cells = append(cells, int(binary.LittleEndian.Uint16(body[2:])))
			}
		case recSST:
			parts := [][]byte{body}
			for {
				kind, body, next, err := b.record(at)
				if err != nil || kind != recContinue {
					break
				}
				parts, at = append(parts, body), next
			}
			if err := b.shared(parts); err != nil {
				return err
			}
		case recEOF:
			for _, id := range cells {
				b.dates = append(b.dates, excel.IsDateFormat(id, formats[id]))
			}
			return nil
		}
	}
}

// text reads a string whose length takes one or two bytes, within one record.
func text(p []byte, size int) (s string, rest []byte, ok bool) {
	if len(p) < size+1 {
		return "", nil, false
	}
	n := int(p[0])
	if size == 2 {
		n = int(binary.LittleEndian.Uint16(p))
	}
	wide := p[size]&1 != 0
	p = p[size+1:]
	if wide {
		if len(p) < 2*n {
			return "", nil, false
		}
		return wideText(p[:2*n]), p[2*n:], true
	}
	if len(p) < n {
		return "", nil, false
	}
	return narrowText(p[:n]), p[n:], true
}

func wideText(p []byte) string {
	u := make([]uint16, len(p)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(p[2*i:])
	}
	return string(utf16.Decode(u))
}

// narrowText: one byte a character is the low byte of UTF-16.
func narrowText(p []byte) string {
	r := make([]rune, len(p))
	for i, c := range p {
		r[i] = rune(c)
	}
	return string(r)
}

// shared reads the table of strings, which runs on over CONTINUE records. Where one
// breaks inside a string's characters, the next begins with a byte that says anew
// whether they are wide ([MS-XLS] 2.5.293).
func (b *Book) shared(parts [][]byte) error {
	if len(parts[0]) < 8 {
		return errBroken
	}
	count := int(binary.LittleEndian.Uint32(parts[0][4:]))
	if count < 0 || count > maxStrings {
		return excel.ErrExpands
	}
	i, p := 0, parts[0][8:]
	more := func() bool { // the next part, when this one is used up
		for len(p) == 0 {
			if i++; i >= len(parts) {
				return false
			}
			p = parts[i]
		}
		return true
	}
	skip := func(n int) bool {
		for n > 0 {
			if !more() {
				return false
			}
			k := min(n, len(p))
			p, n = p[k:], n-k
		}
		return true
	}
	for len(b.strings) < count {
		if !more() {
			return errBroken
		}
		if len(p) < 3 {
			return errBroken
		}
		n, flags := int(binary.LittleEndian.Uint16(p)), p[2]
		p = p[3:]
		runs, extra := 0, 0
		if flags&8 != 0 {
			if len(p) < 2 {
				return errBroken
			}
			runs, p = int(binary.LittleEndian.Uint16(p)), p[2:]
		}
		if flags&4 != 0 {
			if len(p) < 4 {
				return errBroken
			}
			extra, p = int(binary.LittleEndian.Uint32(p)), p[4:]
		}
		wide := flags&1 != 0
		var units []uint16
		for len(units) < n {
			if len(p) == 0 {
				if !more() {
					return errBroken
				}
				wide, p = p[0]&1 != 0, p[1:]
				continue
			}
			if !wide {
				units = append(units, uint16(p[0]))
				p = p[1:]
				continue
			}
			if len(p) < 2 {
				return errBroken
			}
			units = append(units, binary.LittleEndian.Uint16(p))
			p = p[2:]
		}
		b.strings = append(b.strings, string(utf16.Decode(units)))
		if extra < 0 || !skip(4*runs) || !skip(extra) {
			return errBroken
		}
	}
	return nil
}

// Scan calls visit for every cell of a sheet that holds something, in the file's
// order, until visit returns an error. merged are ranges of columns from 0 and rows
// from 1: first column, first row, last column, last row.
func (b *Book) Scan(sheet int, visit func(*Cell) error) (merged [][4]int, err error) {
	at, first := b.Sheets[sheet].offset, true
	var c, waiting Cell // waiting: a formula whose text comes in the next record
	isWaiting := false
	for {
		kind, body, next, err := b.record(at)
		if err != nil {
			return merged, errBroken
		}
		if first && kind != recBOF {
			return merged, errBroken
		}
		at, first = next, false
		u16 := func(i int) int { return int(binary.LittleEndian.Uint16(body[i:])) }
		cell := func(least int) bool {
			if len(body) < least {
				return false
			}
			c = Cell{Row: u16(0) + 1, Column: u16(2)}
			return true
		}
		show := func(style int) error {
			if c.Numeric {
				c.Date = style < len(b.dates) && b.dates[style]
			}
			return visit(&c)
		}
		ok := true
		switch kind {
		case recEOF:
			return merged, nil
		case recLabelSST:
			if ok = cell(10); ok {
				if i := int(binary.LittleEndian.Uint32(body[6:])); i >= 0 && i < len(b.strings) {
					c.Text = b.strings[i]
				}
				err = visit(&c)
			}
		case recLabel:
			if ok = cell(9); ok {
				if c.Text, _, ok = text(body[6:], 2); ok {
					err = visit(&c)
				}
			}
		case recNumber:
			if ok = cell(14); ok {
				c.Number, c.Numeric = math.Float64frombits(binary.LittleEndian.Uint64(body[6:])), true
				err = show(u16(4))
			}
		case recRK:
			if ok = cell(10); ok {
				c.Number, c.Numeric = rk(binary.LittleEndian.Uint32(body[6:])), true
				err = show(u16(4))
			}
		case recMulRK:
			if ok = len(body) >= 6; ok {
				row, column := u16(0)+1, u16(2)
				for p := 4; p+6 <= len(body)-2 && err == nil; p += 6 {
					c = Cell{Row: row, Column: column, Number: rk(binary.LittleEndian.Uint32(body[p+2:])), Numeric: true}
					err = show(u16(p))
					column++
				}
			}
		case recBoolErr:
			if ok = cell(8); ok {
				if c.Error = body[7] != 0; !c.Error {
					c.Text = map[bool]string{true: "TRUE", false: "FALSE"}[body[6] != 0]
				}
				err = visit(&c)
			}
		case recFormula:
			if ok = cell(20); ok {
				c.Formula = true
				if body[12] != 0xff || body[13] != 0xff {
					c.Number, c.Numeric = math.Float64frombits(binary.LittleEndian.Uint64(body[6:])), true
					err = show(u16(4))
					break
				}
				switch body[6] {
				case 0:
					waiting, isWaiting = c, true
				case 1:
					c.Text = map[bool]string{true: "TRUE", false: "FALSE"}[body[8] != 0]
					err = visit(&c)
				default:
					c.Error = body[6] == 2
					err = visit(&c)
				}
			}
		case recString:
			if isWaiting {
				isWaiting = false
				if c = waiting; len(body) <= maxText {
					c.Text, _, _ = text(body, 2)
				}
				err = visit(&c)
			}
		case recMergedCells:
			if len(body) < 2 {
				break
			}
			for p := 2; p+8 <= len(body) && len(merged) < maxMerged; p += 8 {
				merged = append(merged, [4]int{u16(p + 4), u16(p) + 1, u16(p + 6), u16(p+2) + 1})
			}
		}
		if !ok {
			return merged, errBroken
		}
		if err != nil {
			return merged, err
		}
	}
}

// rk is a number in four bytes: an integer or the upper half of a double, perhaps a
// hundred times too large ([MS-XLS] 2.5.217 RkNumber).
func rk(v uint32) float64 {
	var f float64
	if v&2 != 0 {
		f = float64(int32(v) >> 2)
	} else {
		f = math.Float64frombits(uint64(v&^3) << 32)
	}
	if v&1 != 0 {
		f /= 100
	}
	return f
}
