package excel

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// serialDate writes a spreadsheet's day number as a date, a time or both.
// ECMA-376 part 1, 18.17.4: day 60 of the 1900 system is a 29 February that
// never was.
func serialDate(v float64, f cellFormat, date1904 bool) string {
	day := int(v)
	seconds := int((v-float64(day))*86400 + 0.5)
	start := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case date1904:
		start = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case day < 60:
		start = time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	t := start.AddDate(0, 0, day).Add(time.Duration(seconds) * time.Second)
	switch {
	case f.date && f.clock && seconds != 0:
		return t.Format("2006-01-02T15:04:05")
	case f.date:
		return t.Format("2006-01-02")
	}
	return t.Format("15:04:05")
}

// errBroken means the XML of a part does not hold together.
var errBroken = errors.New("its XML is broken")

// An xmlScanner walks through the tags of a part without building anything. It
// knows as much XML as spreadsheets write: elements, attributes, text, CDATA,
// comments and the five entities and character references. Names are compared
// without their prefix.
type xmlScanner struct {
	b     []byte
	pos   int
	name  []byte // of the tag just read, without prefix
	attrs []byte
	end   bool // it is an end tag
	empty bool // it ends itself
}

// next moves to the next tag; text before it is passed over.
func (s *xmlScanner) next() (bool, error) {
	for {
		i := bytes.IndexByte(s.b[s.pos:], '<')
		if i < 0 {
			return false, nil
		}
		s.pos += i
		rest := s.b[s.pos:]
		var skip string
		switch {
		case bytes.HasPrefix(rest, []byte("<!--")):
			skip = "-->"
		case bytes.HasPrefix(rest, []byte("<![CDATA[")):
			skip = "]]>"
		case bytes.HasPrefix(rest, []byte("<?")):
			skip = "?>"
		case bytes.HasPrefix(rest, []byte("<!")):
			return false, errors.New("it holds a document type, which no spreadsheet writes")
		}
		if skip != "" {
			j := bytes.Index(rest, []byte(skip))
			if j < 0 {
				return false, errBroken
			}
			s.pos += j + len(skip)
			continue
		}
		break
	}
	tag := s.b[s.pos+1:]
	n, quote := -1, byte(0)
	for i, c := range tag {
		if quote != 0 {
			if c == quote {
				quote = 0
			}
		} else if c == '"' || c == '\'' {
			quote = c
		} else if c == '>' {
			n = i
			break
		}
	}
	if n < 0 {
		return false, errBroken
	}
	s.pos += n + 2
	tag = tag[:n]
	s.end, s.empty = false, false
	if len(tag) > 0 && tag[0] == '/' {
		s.end, tag = true, tag[1:]
	}
	if len(tag) > 0 && tag[len(tag)-1] == '/' {
		s.empty, tag = true, tag[:len(tag)-1]
	}
	i := bytes.IndexAny(tag, " \t\r\n")
	if i < 0 {
		i = len(tag)
	}
	s.name, s.attrs = tag[:i], tag[i:]
	if j := bytes.IndexByte(s.name, ':'); j >= 0 {
		s.name = s.name[j+1:]
	}
	return true, nil
}

// is says whether the tag opens an element of that name.
func (s *xmlScanner) is(name string) bool { return !s.end && string(s.name) == name }

// ends says whether the tag closes an element of that name.
func (s *xmlScanner) ends(name string) bool {
	return (s.end || s.empty) && string(s.name) == name
}

// attr returns an attribute's raw value; names are matched with their prefix.
func (s *xmlScanner) attr(name string) []byte {
	rest := s.attrs
	for len(rest) > 0 {
		rest = bytes.TrimLeft(rest, " \t\r\n")
		eq := bytes.IndexByte(rest, '=')
		if eq < 0 {
			return nil
		}
		key := bytes.TrimRight(rest[:eq], " \t\r\n")
		rest = bytes.TrimLeft(rest[eq+1:], " \t\r\n")
		if len(rest) < 2 || rest[0] != '"' && rest[0] != '\'' {
			return nil
		}
		end := bytes.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return nil
		}
		if string(key) == name {
			return rest[1 : 1+end]
		}
		rest = rest[end+2:]
	}
	return nil
}

// text appends the text up to the next tag that is not a comment or CDATA.
func (s *xmlScanner) text(out []byte) []byte {
	for {
		i := bytes.IndexByte(s.b[s.pos:], '<')
		if i < 0 {
			i = len(s.b) - s.pos
		}
		piece := s.b[s.pos : s.pos+i]
		s.pos += i
		if bytes.IndexByte(piece, '&') < 0 && bytes.IndexByte(piece, '_') < 0 && bytes.IndexByte(piece, '\r') < 0 {
			out = append(out, piece...)
		} else {
			out = append(out, unescape(piece)...)
		}
		rest := s.b[s.pos:]
		if !bytes.HasPrefix(rest, []byte("<![CDATA[")) {
			return out
		}
		j := bytes.Index(rest, []byte("]]>"))
		if j < 0 {
			return out
		}
		out = append(out, rest[len("<![CDATA["):j]...)
		s.pos += j + 3
	}
}

// unescape resolves entities and _xHHHH_ escapes (ECMA-376 part 1, 22.9.2.19 ST_Xstring).
func unescape(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '&':
			j := bytes.IndexByte(b[i:min(len(b), i+12)], ';')
			if j < 0 {
				out = append(out, c)
				continue
			}
			name := string(b[i+1 : i+j])
			switch name {
			case "lt":
				out = append(out, '<')
			case "gt":
				out = append(out, '>')
			case "amp":
				out = append(out, '&')
			case "quot":
				out = append(out, '"')
			case "apos":
				out = append(out, '\'')
			default:
				n, err := uint64(0), errBroken
				if strings.HasPrefix(name, "#x") || strings.HasPrefix(name, "#X") {
					n, err = strconv.ParseUint(name[2:], 16, 32)
				} else if strings.HasPrefix(name, "#") {
					n, err = strconv.ParseUint(name[1:], 10, 32)
				}
				if err != nil || n == 0 || n > utf8.MaxRune {
					out = append(out, c)
					continue
				}
				out = utf8.AppendRune(out, rune(n))
			}
			i += j
		case c == '_' && i+6 < len(b) && b[i+1] == 'x' && b[i+6] == '_':
			n, err := strconv.ParseUint(string(b[i+2:i+6]), 16, 32)
			if err != nil || n == 0 {
				out = append(out, c)
				continue
			}
			out = utf8.AppendRune(out, rune(n))
			i += 6
		case c == '\r':
			if i+1 < len(b) && b[i+1] == '\n' {
				continue
			}
			out = append(out, '\n')
		default:
			out = append(out, c)
		}
	}
	return out
}

// scanStrings reads the shared strings: one text for each <si>, of all its runs,
// without the phonetic ones.
func scanStrings(raw []byte) ([]string, error) {
	s := xmlScanner{b: raw}
	var list []string
	var cur string
	var buf []byte
	phonetic := false
	for {
		ok, err := s.next()
		if !ok {
			return list, err
		}
		switch {
		case s.is("si"):
			cur = ""
			if s.empty {
				list = append(list, "")
			}
		case s.ends("si"):
			list = append(list, cur)
		case s.is("rPh"):
			phonetic = !s.empty
		case s.ends("rPh"):
			phonetic = false
		case s.is("t") && !s.empty && !phonetic:
			if buf = s.text(buf[:0]); cur == "" {
				cur = string(buf)
			} else if len(cur) <= maxText {
				cur += string(buf)
			}
		}
	}
}

// A Cell is one cell as the file holds it.
type Cell struct {
	Column, Row int    // column from 0, row from 1
	Kind        string // "s", "str", "inlineStr", "b", "e", "d", "n" or "" for a number
	Style       int    // -1: none
	Value       []byte // raw; of a shared string the text. Good until the next cell only
	HasValue    bool   // false: nothing stands there, or a formula was never worked out
	Formula     bool
}

// sheetXML unpacks a sheet, once for Merged and Scan together.
func (x *Book) sheetXML(sheet int) ([]byte, error) {
	if x.open == sheet+1 {
		return x.raw, nil
	}
	raw, err := x.Part(x.sheets[sheet].part)
	if err == nil {
		x.open, x.raw = sheet+1, raw
	}
	return raw, err
}

// Merged returns the ranges of a sheet that are shown as one cell. The file names
// them behind its cells.
func (x *Book) Merged(sheet int) ([]string, error) {
	raw, err := x.sheetXML(sheet)
	if err != nil {
		return nil, err
	}
	var merged []string
	s := xmlScanner{b: raw, pos: max(0, bytes.LastIndex(raw, []byte("sheetData>")))}
	for {
		ok, err := s.next()
		if err != nil || !ok {
			return merged, err
		}
		if s.is("mergeCell") && len(merged) < maxMerged {
			if ref := string(s.attr("ref")); ref != "" {
				merged = append(merged, ref)
			}
		}
	}
}

// Scan calls visit for every cell of a sheet, in the file's order, until visit
// returns an error. declared is the last row the file speaks of.
func (x *Book) Scan(sheet int, visit func(*Cell) error) (declared int, err error) {
	raw, err := x.sheetXML(sheet)
	if err != nil {
		return 0, err
	}
	s := xmlScanner{b: raw}
	row, col := 0, 0
	var c Cell
	in, inline := false, false
	finish := func() error {
		if !in {
			return nil
		}
		in = false
		if c.Kind == "s" {
			i, err := strconv.Atoi(string(c.Value))
			c.Value = c.Value[:0]
			if err == nil && i >= 0 && i < len(x.strings) {
				c.Value = append(c.Value, x.strings[i]...)
			}
		}
		return visit(&c)
	}
	for {
		ok, err := s.next()
		if err == nil && !ok {
			return declared, finish()
		}
		if err != nil {
			return declared, err
		}
		if len(s.name) == 1 { // c, v, f, t: nearly every tag
			switch name := s.name[0]; {
			case name == 'c':
				if err := finish(); err != nil {
					return declared, err
				}
				if s.end {
					continue
				}
				col++
				if r := s.attr("r"); len(r) > 0 {
					if n, ok := ColumnOf(r); ok {
						col = n
					}
				}
				c = Cell{Column: col, Row: row, Kind: kindOf(s.attr("t")), Style: -1, Value: c.Value[:0]}
				if st := s.attr("s"); st != nil {
					if n, err := strconv.Atoi(string(st)); err == nil {
						c.Style = n
					}
				}
				in, inline = !s.empty, false
			case s.end || !in:
			case name == 'f':
				c.Formula = true
			case name == 'v' && !s.empty:
				c.Value, c.HasValue = s.text(c.Value[:0]), true
			case name == 't' && inline && !s.empty:
				c.Value, c.HasValue = s.text(c.Value), true
			}
			continue
		}
		switch {
		case s.is("row"):
			row++
			if r, err := strconv.Atoi(string(s.attr("r"))); err == nil && r >= row && r <= 1<<20 {
				row = r
			}
			declared = max(declared, row)
			col = -1
		case s.is("is") && in:
			inline = true
		}
	}
}

// maxMerged bounds how many merged ranges are kept; more are no table.
const maxMerged = 200_000

func kindOf(t []byte) string {
	switch string(t) {
	case "":
		return ""
	case "s":
		return "s"
	case "n":
		return "n"
	case "str":
		return "str"
	}
	return string(t)
}

// ColumnOf reads the column of a cell reference: D17 is 3.
func ColumnOf(ref []byte) (int, bool) {
	n := 0
	for i, c := range ref {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c < 'A' || c > 'Z' {
			return n - 1, i > 0
		}
		if n = n*26 + int(c-'A') + 1; n > 1<<15 {
			return 0, false
		}
	}
	return n - 1, n > 0
}

// Range reads A1:B2 as columns from 0 and rows from 1.
func Range(ref string) (c1, r1, c2, r2 int, err error) {
	from, to, two := strings.Cut(strings.ReplaceAll(ref, "$", ""), ":")
	if !two {
		to = from
	}
	read := func(s string) (int, int, error) {
		c, ok := ColumnOf([]byte(s))
		r, err := strconv.Atoi(strings.TrimLeft(strings.ToUpper(s), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		if !ok || err != nil {
			return 0, 0, fmt.Errorf("no range: %q", ref)
		}
		return c, r, nil
	}
	if c1, r1, err = read(from); err == nil {
		c2, r2, err = read(to)
	}
	return
}
