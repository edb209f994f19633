// Package excel reads the cells of an XLSX workbook as the file holds them: raw
// values with their kinds, formulas known as such, merged ranges, hidden sheets.
//
// It is a scanner of our own over the archive: a general reader takes twenty times
// as long, and shows a number as it is displayed, which is how identity numbers are
// lost. It works nothing out, follows no link to another file and refuses document
// types; every part is bounded while it is unpacked (invariant 10). excelize is what
// we write with, and a test reads the same workbooks with both.
package excel

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
)

// ErrExpands means the parts of a workbook unpack to more than they may.
var ErrExpands = errors.New("unpacked too large")

// maxText bounds one shared string of several runs.
const maxText = 64 << 10

// A Book is a workbook being read. Only the sheets that are asked for are ever
// unpacked.
type Book struct {
	parts    map[string]*zip.File
	left     int64 // bytes that may still be unpacked
	most     int64
	strings  []string
	formats  []cellFormat // by style index
	date1904 bool
	sheets   []sheet
	open     int    // the sheet whose XML is at hand, from 1
	raw      []byte // its XML
}

type sheet struct {
	name, part string
	hidden     bool
}

// A Sheet is named as its tab is.
type Sheet struct {
	Name   string
	Hidden bool
}

// Sheets lists the sheets in the order of their tabs.
func (x *Book) Sheets() []Sheet {
	list := make([]Sheet, len(x.sheets))
	for i, s := range x.sheets {
		list[i] = Sheet{s.name, s.hidden}
	}
	return list
}

// Open reads what a workbook says of itself: sheets, shared strings, formats. All
// its parts together may unpack to most bytes.
func Open(data []byte, most int64) (*Book, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	x := &Book{parts: make(map[string]*zip.File, len(z.File)), left: most, most: most}
	for _, f := range z.File {
		x.parts[strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, "\\", "/"), "/"))] = f
	}
	if !x.Has("xl/workbook.xml") {
		return nil, errors.New("it has no xl/workbook.xml")
	}
	var book struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []struct {
			Name  string     `xml:"name,attr"`
			State string     `xml:"state,attr"`
			Attrs []xml.Attr `xml:",any,attr"`
		} `xml:"sheets>sheet"`
	}
	if err := x.unmarshal("xl/workbook.xml", &book); err != nil {
		return nil, err
	}
	var links struct {
		Links []struct {
			ID     string `xml:"Id,attr"`
			Target string `xml:"Target,attr"`
		} `xml:"Relationship"`
	}
	if err := x.unmarshal("xl/_rels/workbook.xml.rels", &links); err != nil {
		return nil, err
	}
	target := map[string]string{}
	for _, l := range links.Links {
		part := strings.TrimPrefix(l.Target, "/")
		if part == l.Target {
			part = path.Join("xl", part)
		}
		target[l.ID] = part
	}
	x.date1904 = book.Properties.Date1904 == "1" || book.Properties.Date1904 == "true"
	for _, s := range book.Sheets {
		for _, a := range s.Attrs {
			if a.Name.Local == "id" && x.Has(target[a.Value]) {
				x.sheets = append(x.sheets, sheet{s.Name, target[a.Value], s.State == "hidden" || s.State == "veryHidden"})
			}
		}
	}
	if len(x.sheets) == 0 {
		return nil, errors.New("it has no sheets")
	}
	if x.Has("xl/styles.xml") {
		if err := x.readFormats(); err != nil {
			return nil, err
		}
	}
	if x.Has("xl/sharedStrings.xml") {
		raw, err := x.Part("xl/sharedStrings.xml")
		if err != nil {
			return nil, err
		}
		if x.strings, err = scanStrings(raw); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// Has says whether the workbook has a part.
func (x *Book) Has(part string) bool { return x.parts[strings.ToLower(part)] != nil }

// Part unpacks one part, within what is left of the bound.
func (x *Book) Part(name string) ([]byte, error) {
	f := x.parts[strings.ToLower(name)]
	if f == nil {
		return nil, fmt.Errorf("it has no %s", name)
	}
	if int64(f.UncompressedSize64) > x.left || f.UncompressedSize64 > uint64(x.most) {
		return nil, ErrExpands
	}
	rd, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer rd.Close()
	// The size in the directory may lie, so the bound is kept while reading too.
	var buf bytes.Buffer
	buf.Grow(int(min(f.UncompressedSize64, uint64(len(name))+1<<20)))
	n, err := io.Copy(&buf, io.LimitReader(rd, x.left+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if n > x.left {
		return nil, ErrExpands
	}
	x.left -= n
	b := buf.Bytes()
	if bytes.HasPrefix(b, []byte("\xFF\xFE")) || bytes.HasPrefix(b, []byte("\xFE\xFF")) {
		return nil, fmt.Errorf("%s is not UTF-8", name)
	}
	return b, nil
}

func (x *Book) unmarshal(part string, into any) error {
	raw, err := x.Part(part)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	return nil
}

// A cellFormat says how a number is meant.
type cellFormat struct {
	date, clock bool
	zeros       int // at least so many digits: 000000000000 for a village's code
	percent     bool
}

func (x *Book) readFormats() error {
	var styles struct {
		Formats []struct {
			ID   int    `xml:"numFmtId,attr"`
			Code string `xml:"formatCode,attr"`
		} `xml:"numFmts>numFmt"`
		Cells []struct {
			ID int `xml:"numFmtId,attr"`
		} `xml:"cellXfs>xf"`
	}
	if err := x.unmarshal("xl/styles.xml", &styles); err != nil {
		return err
	}
	codes := map[int]string{}
	for _, f := range styles.Formats {
		codes[f.ID] = f.Code
	}
	for _, c := range styles.Cells {
		x.formats = append(x.formats, formatOf(c.ID, codes[c.ID]))
	}
	return nil
}

// formatOf reads a number format (ECMA-376 part 1, 18.8.30 numFmt).
func formatOf(id int, code string) cellFormat {
	switch {
	case id >= 14 && id <= 17 || id >= 27 && id <= 31 || id == 36 || id >= 50 && id <= 54 || id == 57 || id == 58:
		return cellFormat{date: true}
	case id >= 18 && id <= 21 || id >= 32 && id <= 35 || id >= 45 && id <= 47 || id == 55 || id == 56:
		return cellFormat{clock: true}
	case id == 22:
		return cellFormat{date: true, clock: true}
	}
	if strings.Trim(code, "0") == "" && len(code) > 1 {
		return cellFormat{zeros: len(code)}
	}
	var f cellFormat
	quoted, bracket := false, false
	for _, r := range strings.ToLower(code) {
		switch {
		case r == '"':
			quoted = !quoted
		case quoted:
		case r == '[':
			bracket = true
		case r == ']':
			bracket = false
		case bracket:
		case r == ';':
			return f
		case r == 'y' || r == 'd':
			f.date = true
		case r == 'h' || r == 's':
			f.clock = true
		}
	}
	return f
}

// Date1904 says that days are counted from 1904.
func (x *Book) Date1904() bool { return x.date1904 }

// Day writes a day number as 2006-01-02; "" where it is none.
func Day(serial float64, date1904 bool) string {
	if serial < 0 || serial >= 2_958_466 || serial != serial {
		return ""
	}
	return serialDate(float64(int(serial)), cellFormat{date: true}, date1904)
}

// IsDateFormat says whether a number format shows a day; id is its number, code its
// text where it has one of its own.
func IsDateFormat(id int, code string) bool { return formatOf(id, code).date }

// IsDate says whether a number of this style is shown as a day.
func (x *Book) IsDate(style int) bool {
	return style >= 0 && style < len(x.formats) && x.formats[style].date
}

// Number writes a number cell as its author sees it: fifteen significant digits
// without exponent, dates as 2026-03-01.
func (x *Book) Number(raw string, style int) string {
	v, err := strconv.ParseFloat(raw, 64)
	if err != nil {
		return raw
	}
	var f cellFormat
	if style >= 0 && style < len(x.formats) {
		f = x.formats[style]
	}
	if (f.date || f.clock) && v >= 0 && v < 2_958_466 {
		return serialDate(v, f, x.date1904)
	}
	if v == 0 {
		v = 0 // not "-0"
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 14, 64), 64)
	if err != nil {
		short = v
	}
	if short > 1e21 || short < -1e21 {
		return raw
	}
	s := strconv.FormatFloat(short, 'f', -1, 64)
	for f.zeros > len(s) && !strings.ContainsAny(s, "-.") {
		s = "0" + s
	}
	return s
}
