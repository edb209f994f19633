package xlsform

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

// errExpands means the parts of a workbook unpack to more than maxUnzipped.
var errExpands = errors.New("unpacked too large")

// An excel is a workbook being read. Only the sheets that are wanted are ever
// unpacked. Cells are read by a scanner of our own: a form is opened while
// somebody waits, and excelize, which we write with, needs ten times as long.
type excel struct {
	parts    map[string]*zip.File
	left     int64 // bytes that may still be unpacked
	strings  []string
	formats  []cellFormat // by style index
	date1904 bool
	sheets   []excelSheet
}

type excelSheet struct {
	name, part string
	hidden     bool
}

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
	x, err := openExcel(data)
	if err != nil {
		if errors.Is(err, errExpands) {
			return stop("form.expands", "256 MB")
		}
		return stop("form.damaged", err.Error())
	}
	if x.has("xl/vbaProject.bin") {
		report.Warn(problem(Problem{Code: "form.macros"}))
	}
	tables := &Tables{}
	var others []string
	for _, s := range x.sheets {
		if want != nil && !want(s.name) {
			others = append(others, s.name)
			continue
		}
		if tables.Sheet(s.name) != nil {
			report.Warn(problem(Problem{Sheet: s.name, Code: "form.sheet_twice", Got: s.name}))
			continue
		}
		g := &grid{name: strings.TrimSpace(s.name), report: &report}
		raw, err := x.part(s.part)
		if err == nil {
			err = x.scanSheet(raw, g)
		}
		switch {
		case errors.Is(err, errExpands):
			return stop("form.expands", "256 MB")
		case err != nil:
			report.Error(problem(Problem{Sheet: s.name, Code: "form.damaged", Got: err.Error()}))
			continue
		}
		t := g.table()
		t.Hidden = s.hidden
		if s.hidden {
			report.Warn(problem(Problem{Sheet: s.name, Code: "form.hidden_sheet"}))
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

func openExcel(data []byte) (*excel, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	x := &excel{parts: make(map[string]*zip.File, len(z.File)), left: maxUnzipped}
	for _, f := range z.File {
		x.parts[strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(f.Name, "\\", "/"), "/"))] = f
	}
	if !x.has("xl/workbook.xml") {
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
			if a.Name.Local == "id" && x.has(target[a.Value]) {
				x.sheets = append(x.sheets, excelSheet{s.Name, target[a.Value], s.State == "hidden" || s.State == "veryHidden"})
			}
		}
	}
	if len(x.sheets) == 0 {
		return nil, errors.New("it has no sheets")
	}
	if x.has("xl/styles.xml") {
		if err := x.readFormats(); err != nil {
			return nil, err
		}
	}
	if x.has("xl/sharedStrings.xml") {
		raw, err := x.part("xl/sharedStrings.xml")
		if err != nil {
			return nil, err
		}
		if x.strings, err = scanStrings(raw); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (x *excel) has(part string) bool { return x.parts[strings.ToLower(part)] != nil }

// part unpacks one part, within what is left of the bound.
func (x *excel) part(name string) ([]byte, error) {
	f := x.parts[strings.ToLower(name)]
	if f == nil {
		return nil, fmt.Errorf("it has no %s", name)
	}
	if int64(f.UncompressedSize64) > x.left || f.UncompressedSize64 > maxUnzipped {
		return nil, errExpands
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
		return nil, errExpands
	}
	x.left -= n
	b := buf.Bytes()
	if bytes.HasPrefix(b, []byte("\xFF\xFE")) || bytes.HasPrefix(b, []byte("\xFE\xFF")) {
		return nil, fmt.Errorf("%s is not UTF-8", name)
	}
	return b, nil
}

func (x *excel) unmarshal(part string, into any) error {
	raw, err := x.part(part)
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

func (x *excel) readFormats() error {
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

// number writes a number cell as its author sees it: fifteen significant digits
// without exponent, dates as 2026-03-01.
func (x *excel) number(raw string, style int) string {
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
