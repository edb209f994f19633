package export

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
)

// Options say who is meant to read what is written.
type Options struct {
	Unmasked bool   // needs a Reason
	Children bool   // minors too: only what a child-data approver agreed to
	Reason   string // why personal data leave in full
	Day      time.Time
	TmpDir   string         // where large workbooks grow; "" is the system's
	Progress func(rows int) // told now and then; may be nil
	Volume   int            // households in one PDF; 0: 300

	buffers [][]string
}

// ErrNoReason means an unmasked export was asked for without saying why.
var ErrNoReason error = noReason{}

type noReason struct{}

func (noReason) Error() string {
	return "an unmasked export needs a reason, which is kept with the export"
}
func (noReason) Code() string { return "export.no_reason" }

// Count is what a table came to.
type Count struct {
	Households, Members, MinorsLeftOut int
	Rows                               int
	Unmapped                           int // values that their list of codes does not know
	Failed                             int // formulas that came to nothing
}

func (o *Options) check() error {
	if (o.Unmasked || o.Children) && strings.TrimSpace(o.Reason) == "" {
		return ErrNoReason
	}
	return nil
}

// buffer is a line of a sheet, used again and again.
func (o *Options) buffer(sheet, columns int) []string {
	for len(o.buffers) <= sheet {
		o.buffers = append(o.buffers, nil)
	}
	if len(o.buffers[sheet]) != columns {
		o.buffers[sheet] = make([]string, columns)
	}
	return o.buffers[sheet]
}

// Formats that Write knows.
var Formats = []string{"xlsx", "csv", "jsonl", "geojson"}

// A FormatError means a table cannot be written so.
type FormatError struct {
	Format string
	Why    string // unknown, rows
}

func (e *FormatError) Error() string {
	if e.Why == "rows" {
		return "a sheet of XLSX holds at most 1,048,575 rows: export a township at a time, or as CSV"
	}
	return fmt.Sprintf("%q is no format of tables: %s", e.Format, strings.Join(Formats, ", "))
}

// Code is the key of the sentence.
func (e *FormatError) Code() string { return "export.format_" + e.Why }

// Write writes the records as a table of one of the Formats. Nothing is kept but
// what is being written.
func Write(w io.Writer, format string, records iter.Seq2[Record, error], t *Template, o Options) (Count, error) {
	if err := o.check(); err != nil {
		return Count{}, err
	}
	switch format {
	case "xlsx":
		return writeXLSX(w, records, t, &o)
	case "csv":
		return writeCSV(w, records, t, &o)
	case "jsonl":
		return writeLines(w, records, t, &o)
	case "geojson":
		return writeGeoJSON(w, records, t, &o)
	}
	return Count{}, &FormatError{format, "unknown"}
}

// each puts every record through the template.
func (t *Template) each(records iter.Seq2[Record, error], o *Options, n *Count, write func(sheet int, values []string) error, after func(Record) error) error {
	for rec, err := range records {
		if err != nil {
			return err
		}
		if err := t.rows(rec, o, n, write); err != nil {
			return err
		}
		if after != nil {
			if err := after(rec); err != nil {
				return err
			}
		}
		if o.Progress != nil && n.Households%200 == 0 {
			o.Progress(n.Households)
		}
	}
	return nil
}

// harmless keeps a spreadsheet from reading a text as a formula (CSV injection,
// OWASP): an apostrophe before = + - @ and their full-width forms, tab and return.
// A plain number may begin with its sign.
func harmless(v string) string {
	if v == "" {
		return v
	}
	switch first := []rune(v)[0]; {
	case first == '-' || first == '+':
		if _, err := strconv.ParseFloat(v, 64); err == nil && len(v) < 16 {
			return v
		}
	case !strings.ContainsRune("=@\t\r＝＋－＠", first):
		return v
	}
	return "'" + v
}

// writeCSV writes the template's first sheet in UTF-8 with a byte order mark,
// which Excel and WPS need to read Chinese.
func writeCSV(w io.Writer, records iter.Seq2[Record, error], t *Template, o *Options) (n Count, err error) {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return n, err
	}
	one := &Template{t.Name, t.Title, t.Status, t.Sheets[:1]}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	line := make([]string, len(one.Sheets[0].Columns))
	for i, c := range one.Sheets[0].Columns {
		line[i] = harmless(c.Head)
	}
	if err := out.Write(line); err != nil {
		return n, err
	}
	out.Flush() // whoever waits sees at once that it has begun
	err = one.each(records, o, &n, func(_ int, values []string) error {
		for i, v := range values {
			line[i] = harmless(v)
			if isLongNumber(v) {
				line[i] = "\t" + v // a tab keeps a spreadsheet from rounding it
			}
		}
		return out.Write(line)
	}, nil)
	out.Flush()
	return n, errors.Join(err, out.Error())
}

func isLongNumber(s string) bool {
	if len(s) < 12 {
		return false
	}
	return strings.Trim(s[:len(s)-1], "0123456789") == ""
}

// writeLines writes one household a line: the values of the template's tables of
// households by heading, and each table of members as a list under its name.
func writeLines(w io.Writer, records iter.Seq2[Record, error], t *Template, o *Options) (n Count, err error) {
	buffered := bufio.NewWriterSize(w, 32<<10)
	var line []byte
	lists := make([][]byte, len(t.Sheets))
	object := func(to []byte, sheet int, values []string) []byte {
		for i, v := range values {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendString(to, t.Sheets[sheet].Columns[i].Head)
			to = append(to, ':')
			to = appendString(to, v)
		}
		return to
	}
	err = t.each(records, o, &n, func(sheet int, values []string) error {
		if !t.Sheets[sheet].Members {
			if len(line) > 0 {
				line = append(line, ',')
			}
			line = object(line, sheet, values)
			return nil
		}
		if len(lists[sheet]) > 0 {
			lists[sheet] = append(lists[sheet], ',')
		}
		lists[sheet] = append(object(append(lists[sheet], '{'), sheet, values), '}')
		return nil
	}, func(Record) error {
		for i := range t.Sheets {
			if !t.Sheets[i].Members {
				continue
			}
			if len(line) > 0 {
				line = append(line, ',')
			}
			line = append(append(append(appendString(line, t.Sheets[i].Name), ":["...), lists[i]...), ']')
			lists[i] = lists[i][:0]
		}
		buffered.WriteByte('{')
		buffered.Write(line)
		_, err := buffered.WriteString("}\n") // an error before stays
		line = line[:0]
		return err
	})
	return n, errors.Join(err, buffered.Flush())
}

// writeGeoJSON writes the households with a position as points (RFC 7946), the
// first table's columns as their properties. Masked, a point is a kilometre wide.
func writeGeoJSON(w io.Writer, records iter.Seq2[Record, error], t *Template, o *Options) (n Count, err error) {
	buffered := bufio.NewWriterSize(w, 32<<10)
	buffered.WriteString(`{"type":"FeatureCollection","features":[`)
	one := &Template{t.Name, t.Title, t.Status, nil}
	for _, s := range t.Sheets {
		if !s.Members {
			one.Sheets = append(one.Sheets, s)
			break
		}
	}
	if one.Sheets == nil {
		return n, &FormatError{"geojson", "unknown"}
	}
	var properties []byte
	points := 0
	err = one.each(records, o, &n, func(_ int, values []string) error {
		properties = append(properties[:0], '{')
		for i, v := range values {
			if i > 0 {
				properties = append(properties, ',')
			}
			properties = append(appendString(properties, one.Sheets[0].Columns[i].Head), ':')
			properties = appendString(properties, v)
		}
		properties = append(properties, '}')
		return nil
	}, func(rec Record) error {
		r := &row{Record: rec, o: o}
		lon, lat := point(r, 1), point(r, 0)
		if !o.Unmasked {
			lon, lat = maskPoint(lon), maskPoint(lat)
		}
		x, errX := strconv.ParseFloat(lon, 64)
		y, errY := strconv.ParseFloat(lat, 64)
		if errX != nil || errY != nil || x < -180 || x > 180 || y < -90 || y > 90 {
			return nil
		}
		if points++; points > 1 {
			buffered.WriteByte(',')
		}
		_, err := fmt.Fprintf(buffered, "\n{\"type\":\"Feature\",\"geometry\":{\"type\":\"Point\",\"coordinates\":[%s,%s]},\"properties\":%s}",
			strconv.FormatFloat(x, 'f', -1, 64), strconv.FormatFloat(y, 'f', -1, 64), properties)
		return err
	})
	n.Rows = points
	_, last := buffered.WriteString("\n]}\n")
	return n, errors.Join(err, last, buffered.Flush())
}

// appendString is a text as JSON.
func appendString(to []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			b, _ := json.Marshal(s) // a text always can
			return append(to, b...)
		}
	}
	to = append(to, '"')
	to = append(to, s...)
	return append(to, '"')
}
