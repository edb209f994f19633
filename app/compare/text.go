package compare

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// openText reads the file once for its digest and encoding; its rows are streamed
// from a second reading, whose digest must be the same.
func (f *File) openText() (*opened, error) {
	o := &opened{}
	hash := sha256.New()
	check := &utf8Check{}
	if _, err := io.CopyBuffer(io.MultiWriter(hash, check), f.reader(), make([]byte, 1<<20)); err != nil {
		return nil, f.err("unreadable", err.Error())
	}
	hash.Sum(o.digest[:0])
	head := make([]byte, min(f.Size, 1<<20))
	if _, err := io.ReadFull(f.reader(), head); err != nil {
		return nil, f.err("changed", err.Error())
	}
	decode, mark, err := o.encode(head, check.valid())
	if err != nil {
		return nil, f.err("unknown_encoding", err.Error())
	}
	start := head[mark:]
	if decode != nil {
		if int64(len(head)) < f.Size { // its end may lie within a character
			start = start[:len(start)-len(start)%2-4]
		}
		start, _, _ = transform.Bytes(decode.NewDecoder(), start)
	}
	if bytes.IndexByte(start[:min(len(start), 4096)], 0) >= 0 {
		return nil, f.err("no_table", "")
	}
	comma := separator(string(start[:min(len(start), 8192)]))
	o.tables = []table{{rows: func(yield func(*Row) error) error {
		again := sha256.New()
		raw := io.TeeReader(f.reader(), again)
		if _, err := io.CopyN(io.Discard, raw, int64(mark)); err != nil {
			return f.err("changed", err.Error())
		}
		in := raw
		if decode != nil {
			in = transform.NewReader(raw, decode.NewDecoder())
		}
		if err := f.readCSV(in, comma, yield); err != nil {
			return err
		}
		if !bytes.Equal(again.Sum(nil), o.digest[:]) {
			return f.err("changed", "")
		}
		return nil
	}}}
	return o, nil
}

func (f *File) readCSV(in io.Reader, comma rune, yield func(*Row) error) error {
	r := csv.NewReader(in)
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = comma, -1, true, true
	var row Row
	for n := 0; ; {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return f.err("no_table", err.Error())
		}
		row.Number, _ = r.FieldPos(0)
		row.Cells = row.Cells[:0]
		blank := true
		for _, text := range fields[:min(len(fields), maxColumns)] {
			if len(text) > maxCell {
				// A quotation mark without its end swallows everything behind it.
				return &ListError{File: f.Name, Why: "open_quote", Row: row.Number}
			}
			blank = blank && strings.TrimSpace(text) == ""
			row.Cells = append(row.Cells, Cell{Text: text})
		}
		if blank {
			continue
		}
		if n++; n > maxRows {
			return f.err("too_large", errTooManyRows.Error())
		}
		if err := yield(&row); err != nil {
			return err
		}
	}
}

// encode finds out the encoding: a byte order mark, the zero bytes of UTF-16, valid
// UTF-8, else GB18030, which holds GBK and GB 2312. Detectors that guess by
// frequency call short lists Cyrillic. nil means UTF-8; mark is how many bytes of a
// mark stand in front.
func (o *opened) encode(head []byte, valid bool) (decode encoding.Encoding, mark int, err error) {
	zeros := [2]int{}
	for i, c := range head[:min(len(head), 4096)] {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		o.encoding = "utf-8 bom"
		if !valid {
			return nil, 0, errors.New("not UTF-8 behind its mark")
		}
		return nil, 3, nil
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		o.encoding = "utf-16"
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), 2, nil
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		o.encoding = "utf-16"
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), 2, nil
	case zeros[1] > 8 && zeros[0]*8 < zeros[1]:
		o.encoding = "utf-16"
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), 0, nil
	case zeros[0] > 8 && zeros[1]*8 < zeros[0]:
		o.encoding = "utf-16"
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), 0, nil
	case valid:
		o.encoding = "utf-8"
		return nil, 0, nil
	}
	o.encoding = "gb18030"
	text, _, _ := transform.Bytes(simplifiedchinese.GB18030.NewDecoder(), head)
	if n := bytes.Count(text, []byte("\ufffd")); n > len(text)/100+1 {
		return nil, 0, fmt.Errorf("%d characters that are none", n)
	}
	return simplifiedchinese.GB18030, 0, nil
}

// A utf8Check says of a stream whether all of it is UTF-8.
type utf8Check struct {
	rest [utf8.UTFMax]byte // the beginning of a character
	n    int
	bad  bool
}

func (c *utf8Check) Write(p []byte) (int, error) {
	all := len(p)
	for c.n > 0 && len(p) > 0 && !c.bad {
		c.rest[c.n] = p[0]
		c.n, p = c.n+1, p[1:]
		if utf8.FullRune(c.rest[:c.n]) {
			c.bad = !utf8.Valid(c.rest[:c.n])
			c.n = 0
		}
	}
	if c.bad {
		return all, nil
	}
	end := len(p)
	for back := 1; back < utf8.UTFMax && back <= len(p); back++ {
		if r := p[len(p)-back]; utf8.RuneStart(r) {
			if !utf8.FullRune(p[len(p)-back:]) {
				end = len(p) - back
			}
			break
		}
	}
	c.bad = !utf8.Valid(p[:end])
	c.n = copy(c.rest[:], p[end:])
	return all, nil
}

func (c *utf8Check) valid() bool { return !c.bad && c.n == 0 }

// separator is what most of the first lines agree on: commas in a title above a list
// with tabs say nothing.
func separator(head string) rune {
	best, most := ',', 0
	for _, r := range ",\t;|" {
		counts := map[int]int{} // how many lines have it so often
		for line := range strings.Lines(head) {
			if n := strings.Count(line, string(r)); n > 0 {
				counts[n]++
			}
		}
		for n, lines := range counts {
			if lines*n > most || lines*n == most && r == ',' {
				best, most = r, lines*n
			}
		}
	}
	return best
}
