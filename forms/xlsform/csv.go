package xlsform

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// decodeText reads the text of a file made by Excel, WPS or an editor: UTF-8 with
// or without a mark, UTF-16 with one, else GB18030, which is what a Chinese
// spreadsheet writes when asked for CSV.
func decodeText(b []byte) (string, error) {
	switch {
	case bytes.HasPrefix(b, []byte("\xEF\xBB\xBF")):
		return string(b[3:]), nil
	case bytes.HasPrefix(b, []byte("\xFF\xFE")), bytes.HasPrefix(b, []byte("\xFE\xFF")):
		var order binary.ByteOrder = binary.LittleEndian
		if b[0] == 0xFE {
			order = binary.BigEndian
		}
		units := make([]uint16, 0, len(b)/2)
		for i := 2; i+1 < len(b); i += 2 {
			units = append(units, order.Uint16(b[i:]))
		}
		return string(utf16.Decode(units)), nil
	case utf8.Valid(b):
		return string(b), nil
	}
	out, err := simplifiedchinese.GB18030.NewDecoder().Bytes(b)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) {
		return "", errors.New("the text is neither UTF-8 nor GB18030")
	}
	return string(out), nil
}

// readCSV reads one CSV file into a grid. Comma, semicolon or tab part the
// fields, whichever the first line has most of.
func readCSV(data []byte, g *grid) error {
	text, err := decodeText(data)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(text, "\n")
	comma, most := ',', 0
	for _, c := range ",;\t" {
		if n := strings.Count(first, string(c)); n > most {
			comma, most = c, n
		}
	}
	rd := csv.NewReader(strings.NewReader(text))
	rd.Comma, rd.FieldsPerRecord, rd.LazyQuotes, rd.ReuseRecord = comma, -1, true, true
	for {
		record, err := rd.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		// Rows are counted as a spreadsheet counts them: a blank line is a row, a
		// line break inside quotes is not.
		row, _ := rd.FieldPos(0)
		for i, cell := range record {
			g.set(i, row, cell)
		}
		if g.full != nil {
			return g.full
		}
	}
}

// readFolder reads every CSV at the top of a folder as a sheet of that name.
func readFolder(fsys fs.FS, want func(string) bool) (*Tables, Report) {
	var report Report
	tables := &Tables{}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		report.Error(problem(Problem{Code: "form.damaged", Got: err.Error()}))
		return nil, report
	}
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() || !strings.EqualFold(path.Ext(name), ".csv") {
			continue
		}
		sheet := name[:len(name)-len(path.Ext(name))]
		if want != nil && !want(sheet) {
			continue // it may be a file the form names: towns.csv
		}
		g := &grid{name: sheet, report: &report}
		data, err := readLimited(fsys, name)
		if err == nil {
			err = readCSV(data, g)
		}
		if err != nil && g.full == nil {
			report.Error(problem(Problem{Sheet: sheet, Code: "form.bad_csv", Got: err.Error()}))
			continue
		}
		tables.add(g, nil, &report)
	}
	return tables, report
}

// readLimited reads a whole file of at most maxFile bytes.
func readLimited(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = errors.New("larger than 64 MB")
	}
	return b, err
}
