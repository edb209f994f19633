package export

import (
	"archive/zip"
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"iter"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
	"github.com/xuri/excelize/v2"
)

// A workbook is made by excelize, with its styles, widths and headings, and filled
// row by row on its way out. Its own stream writer keeps the sheets in files of plain
// text beside the data, 16 MB of each in memory, and packs them in a second pass; here
// nothing grows with the rows, and nothing lies in plain on a disk.

// lastRow of a sheet of XLSX, below its heading.
const lastRow = 1_048_575

// longest text of a cell, in UTF-16 units.
const longestCell = 32_767

func writeXLSX(w io.Writer, records iter.Seq2[Record, error], t *Template, o *Options) (n Count, err error) {
	book, err := newBook(t)
	if err != nil {
		return n, err
	}
	out := zip.NewWriter(w)
	out.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, packing) })
	if err := book.frame(out); err != nil {
		return n, err
	}
	defer func() { err = errors.Join(err, book.close()) }()
	// An archive takes one sheet at a time: the first goes out at once, the others wait
	// packed until it is whole.
	for i := range book.sheets {
		s := &book.sheets[i]
		if i == 0 {
			entry, err := out.Create(s.name)
			if err != nil {
				return n, err
			}
			s.begin(entry)
		} else if s.spool, err = newSpool(o.TmpDir); err != nil {
			return n, err
		} else {
			s.begin(s.spool)
		}
	}
	err = t.each(records, o, &n, func(sheet int, values []string) error { return book.sheets[sheet].row(values) }, nil)
	if err != nil {
		return n, err
	}
	for i := range book.sheets {
		s := &book.sheets[i]
		if err := s.end(); err != nil {
			return n, err
		}
		if s.spool != nil {
			if err := s.spool.into(out, s.name); err != nil {
				return n, err
			}
		}
	}
	return n, out.Close()
}

// packing is how hard a sheet is pressed: twice as fast as zlib's default, and a
// seventh larger.
const packing = 3

// A book is an empty workbook as excelize makes it, its sheets open before their
// first row.
type book struct {
	parts  *zip.Reader
	sheets []sheet
}

type sheet struct {
	name         string // in the archive
	head, tail   []byte // of its XML
	columns      []string
	numbers      []bool
	text, number string // styles
	at           int    // the row that was written last
	out          *bufio.Writer
	line         []byte
	spool        *spool
}

var dimension = regexp.MustCompile(`<dimension [^>]*?(/>|></dimension>)`)

func newBook(t *Template) (*book, error) {
	f := excelize.NewFile()
	defer f.Close() // nothing of it lies on a disk
	bold, err := f.NewStyle(&excelize.Style{
		Font: &excelize.Font{Bold: true}, NumFmt: 49,
		Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E3EEE8"}},
	})
	if err != nil {
		return nil, err
	}
	text, err := f.NewStyle(&excelize.Style{NumFmt: 49})
	if err != nil {
		return nil, err
	}
	number, err := f.NewStyle(&excelize.Style{NumFmt: 0})
	if err != nil {
		return nil, err
	}
	b := &book{sheets: make([]sheet, len(t.Sheets))}
	for i, s := range t.Sheets {
		one := &b.sheets[i]
		*one = sheet{name: fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), at: 1, text: strconv.Itoa(text), number: strconv.Itoa(number)}
		if i == 0 {
			err = f.SetSheetName("Sheet1", s.Name)
		} else {
			_, err = f.NewSheet(s.Name)
		}
		if err != nil {
			return nil, err
		}
		for j, c := range s.Columns {
			letters, err := excelize.ColumnNumberToName(j + 1)
			if err != nil {
				return nil, err
			}
			one.columns, one.numbers = append(one.columns, letters), append(one.numbers, c.Number)
			if err := f.SetColWidth(s.Name, letters, letters, min(max(float64(2*len([]rune(c.Head))+4), 12), 40)); err != nil {
				return nil, err
			}
			if err := f.SetCellStr(s.Name, letters+"1", harmless(c.Head)); err != nil {
				return nil, err
			}
			if err := f.SetCellStyle(s.Name, letters+"1", letters+"1", bold); err != nil {
				return nil, err
			}
		}
		if err := f.SetPanes(s.Name, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
			return nil, err
		}
	}
	whole, err := f.WriteToBuffer()
	if err != nil {
		return nil, err
	}
	b.parts, err = zip.NewReader(bytes.NewReader(whole.Bytes()), int64(whole.Len()))
	return b, err
}

// frame copies everything but the sheets, which it opens before their first row.
func (b *book) frame(out *zip.Writer) error {
	for _, part := range b.parts.File {
		var of *sheet
		for i := range b.sheets {
			if b.sheets[i].name == part.Name {
				of = &b.sheets[i]
			}
		}
		if of == nil {
			if err := out.Copy(part); err != nil {
				return err
			}
			continue
		}
		r, err := part.Open()
		if err != nil {
			return err
		}
		xml, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		end := []byte("</sheetData>")
		head, tail, found := bytes.Cut(xml, end)
		if !found {
			return fmt.Errorf("%s has no place for rows", part.Name)
		}
		of.head, of.tail = dimension.ReplaceAll(head, nil), append(end, tail...)
	}
	return nil
}

func (b *book) close() (err error) {
	for i := range b.sheets {
		if s := b.sheets[i].spool; s != nil {
			err = errors.Join(err, s.close())
		}
	}
	return err
}

func (s *sheet) begin(w io.Writer) {
	s.out = bufio.NewWriterSize(w, 64<<10)
	s.out.Write(s.head) // an error stays and comes with the next
}

func (s *sheet) end() error {
	s.out.Write(s.tail)
	return s.out.Flush()
}

// row writes one row: text as text, so that an 18-digit number stays what it is in
// Excel and WPS.
func (s *sheet) row(values []string) error {
	if s.at++; s.at > lastRow+1 {
		return &FormatError{"xlsx", "rows"}
	}
	b := append(s.line[:0], `<row r="`...)
	b = strconv.AppendInt(b, int64(s.at), 10)
	b = append(b, `">`...)
	for j, v := range values {
		if v == "" {
			continue
		}
		b = append(append(b, `<c r="`...), s.columns[j]...)
		b = strconv.AppendInt(b, int64(s.at), 10)
		if s.numbers[j] && len(v) < 16 {
			if f, err := strconv.ParseFloat(v, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
				b = append(append(append(b, `" s="`...), s.number...), `"><v>`...)
				b = append(strconv.AppendFloat(b, f, 'f', -1, 64), `</v></c>`...)
				continue
			}
		}
		b = append(append(append(b, `" s="`...), s.text...), `" t="inlineStr"><is><t xml:space="preserve">`...)
		b = append(appendCell(b, harmless(v)), `</t></is></c>`...)
	}
	s.line = append(b, `</row>`...)
	_, err := s.out.Write(s.line)
	return err
}

// escaped is a text that a spreadsheet would take for a character's number.
var escaped = regexp.MustCompile(`_(x[0-9A-Fa-f]{4}_)`)

// appendCell appends a cell's text as XML has it.
func appendCell(b []byte, v string) []byte {
	if strings.Contains(v, "_x") {
		v = escaped.ReplaceAllString(v, "_x005F_$1")
	}
	if len(v) > longestCell {
		v = shortened(v)
	}
	from := 0
	for i := 0; i < len(v); {
		if c := v[i]; c >= ' ' && c < utf8.RuneSelf && c != '&' && c != '<' && c != '>' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(v[i:])
		instead := ""
		switch {
		case r == '&':
			instead = "&amp;"
		case r == '<':
			instead = "&lt;"
		case r == '>':
			instead = "&gt;"
		case r == '\t':
			instead = "&#9;"
		case r == '\n':
			instead = "&#10;"
		case r == '\r':
			instead = "&#13;"
		case r == utf8.RuneError && size == 1, r < ' ', r == 0xfffe, r == 0xffff: // no XML has these
			instead = "\ufffd"
		default:
			i += size
			continue
		}
		b = append(append(b, v[from:i]...), instead...)
		i += size
		from = i
	}
	return append(b, v[from:]...)
}

// shortened is as much of a text as a cell holds.
func shortened(v string) string {
	units := 0
	for i, r := range v {
		if units++; r > 0xffff {
			units++
		}
		if units > longestCell {
			return v[:i]
		}
	}
	return v
}

// A spool holds a sheet that must wait: packed, and on the disk only under a key
// that is nowhere but in memory.
type spool struct {
	file   *os.File
	stream cipher.Stream
	unlock func() cipher.Stream // the same from its beginning
	pack   *flate.Writer
	sum    hash.Hash32
	plain  uint64
	packed uint64
}

func newSpool(dir string) (*spool, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil { // nothing that is written depends on it
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	s := &spool{sum: crc32.NewIEEE(), unlock: func() cipher.Stream { return cipher.NewCTR(block, make([]byte, aes.BlockSize)) }}
	s.stream = s.unlock()
	if s.file, err = os.CreateTemp(dir, "sheet-"); err != nil {
		return nil, err
	}
	s.pack, err = flate.NewWriter(sealing{s}, packing)
	return s, err
}

// sealing is what the packer writes to.
type sealing struct{ *spool }

func (s sealing) Write(p []byte) (int, error) {
	s.packed += uint64(len(p))
	return cipher.StreamWriter{S: s.stream, W: s.file}.Write(p)
}

func (s *spool) Write(p []byte) (int, error) {
	s.plain += uint64(len(p))
	s.sum.Write(p) // never fails
	return s.pack.Write(p)
}

// into puts what was spooled into an archive.
func (s *spool) into(out *zip.Writer, name string) error {
	if err := s.pack.Close(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	w, err := out.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Deflate, CRC32: s.sum.Sum32(), CompressedSize64: s.packed, UncompressedSize64: s.plain})
	if err != nil {
		return err
	}
	_, err = io.Copy(w, cipher.StreamReader{S: s.unlock(), R: s.file})
	return err
}

func (s *spool) close() error { return errors.Join(s.file.Close(), os.Remove(s.file.Name())) }
