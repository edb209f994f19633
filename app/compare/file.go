// Package compare reads the lists that departments send and lays them beside the
// registry (大数据比对, 国办发〔2023〕39号).
//
//	File -> tables of raw cells -> List (heading found, rows understood) -> Result -> alerts
//
// A list has no fixed layout: any encoding, title rows above the heading, a totals
// row below, several sheets, identity numbers that a spreadsheet has damaged.
// Nothing of it is dropped in silence: rows read = matched + unmatched + rejected,
// each rejected row with its reason. A hit is a lead, not proof: it becomes an
// alert, and only a person makes an alert a task.
//
// Text files are streamed, so that a million rows need no more memory than the
// registry they are compared with; workbooks are unpacked sheet by sheet.
package compare

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ironfeet/app/compare/xls"
	"ironfeet/forms/excel"
)

// Limits of a list (invariant 10).
const (
	MaxBytes   = 1 << 30   // a text file
	maxBook    = 256 << 20 // a workbook as it lies on the disk
	maxUnzip   = 1 << 30   // a workbook's parts, unpacked
	maxRows    = 5_000_000
	maxColumns = 500
	maxCell    = 32 << 10
)

// A Cell is what stands in one cell: the raw text, never the formatted one, and
// what a spreadsheet holds it as.
type Cell struct {
	Text    string
	Numeric bool // held as a number: an identity number in it is damaged
	Date    bool // a number shown as a day; Text is then 2006-01-02
	Formula bool
	Error   bool // #N/A
}

// A Row is one line of a list; Number counts from 1 as the spreadsheet does. Rows
// and their cells are good until the next row only.
type Row struct {
	Number int
	Cells  []Cell
}

// A table is one sheet, or one text file. rows yields every row that is not blank
// until yield returns an error.
type table struct {
	sheet  string
	hidden bool
	rows   func(yield func(*Row) error) error
}

// A ListError says why a file cannot be read as a list.
type ListError struct {
	File, Sheet string
	Why         string // no_workbook, password, older_xls, empty, too_large, expands, no_id_column, …
	Seen        string // the headings that were found
	Row         int
}

func (e *ListError) Error() string {
	s := e.File
	if e.Sheet != "" {
		s += ", sheet " + e.Sheet
	}
	if e.Row > 0 {
		s += fmt.Sprintf(", row %d", e.Row)
	}
	s += ": " + strings.ReplaceAll(e.Why, "_", " ")
	if e.Seen != "" {
		s += " (" + e.Seen + ")"
	}
	return s
}

// Code is the key of the sentence.
func (e *ListError) Code() string { return "list." + e.Why }

// A File is a department's list as it lies on the disk or in memory.
type File struct {
	Name   string
	Size   int64
	data   io.ReaderAt
	stamp  func() string // changes when the file does
	closer io.Closer
}

// FromBytes is a list in memory.
func FromBytes(name string, data []byte) *File {
	return &File{Name: filepath.Base(name), Size: int64(len(data)), data: bytes.NewReader(data), stamp: func() string { return "" }}
}

// OpenFile opens a list on the disk.
func OpenFile(path string) (*File, error) {
	name := filepath.Base(path)
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &ListError{File: name, Why: "missing"}
	}
	if err != nil {
		return nil, &ListError{File: name, Why: "unreadable", Seen: err.Error()}
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		f.Close()
		return nil, &ListError{File: name, Why: "unreadable", Seen: "not a file"}
	}
	stamp := func() string {
		info, err := os.Stat(path)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(info.Size(), info.ModTime().Format(time.RFC3339Nano))
	}
	return &File{Name: name, Size: info.Size(), data: f, stamp: stamp, closer: f}, nil
}

// Close lets go of the file.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

func (f *File) err(why, seen string) *ListError {
	return &ListError{File: f.Name, Why: why, Seen: seen}
}

func (f *File) reader() io.Reader { return io.NewSectionReader(f.data, 0, f.Size) }

// An opened list: its tables, and what it was written in.
type opened struct {
	tables    []table
	encoding  string // of a text file: utf-8, utf-8 bom, utf-16, gb18030
	digest    [sha256.Size]byte
	notes     []Note
	unchanged func() error // asked when everything was read
}

// A Note is something about a list that a person should know.
type Note struct {
	Code  string // list.note.hidden_sheet …
	Sheet string
	Count int
}

// open finds out what a file is, by its content and not by the end of its name.
func (f *File) open() (*opened, error) {
	if f.Size > MaxBytes {
		return nil, f.err("too_large", fmt.Sprintf("%d MB", MaxBytes>>20))
	}
	before := f.stamp()
	head := make([]byte, min(f.Size, 64<<10))
	if _, err := io.ReadFull(f.reader(), head); err != nil {
		return nil, f.err("changed", err.Error())
	}
	trimmed := bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\ufeff")))
	lower := bytes.ToLower(trimmed[:min(len(trimmed), 512)])
	var o *opened
	var err error
	switch {
	case len(trimmed) == 0 && f.Size <= int64(len(head)):
		return nil, f.err("empty", "")
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")), bytes.HasPrefix(head, []byte("PK")):
		o, err = f.openBook(bytes.HasPrefix(head, []byte("PK")))
	case bytes.HasPrefix(lower, []byte("<html")), bytes.HasPrefix(lower, []byte("<!doctype html")), bytes.HasPrefix(lower, []byte("<table")),
		bytes.HasPrefix(lower, []byte("<?xml")), bytes.HasPrefix(lower, []byte("mime-version:")):
		return nil, f.err("html", "") // many a system writes a web page and calls it .xls
	case bytes.HasPrefix(head, []byte("%PDF")), bytes.HasPrefix(head, []byte("\xff\xd8\xff")), bytes.HasPrefix(head, []byte("\x89PNG")), bytes.HasPrefix(head, []byte("Rar!")), bytes.HasPrefix(head, []byte("7z\xbc\xaf")):
		return nil, f.err("no_table", "")
	default:
		o, err = f.openText()
	}
	if err != nil {
		return nil, err
	}
	o.unchanged = func() error {
		if f.stamp() != before {
			return f.err("changed", "")
		}
		return nil
	}
	return o, nil
}

// openBook reads a workbook at once: what is read is one moment of it.
func (f *File) openBook(zipped bool) (*opened, error) {
	if f.Size > maxBook {
		return nil, f.err("too_large", fmt.Sprintf("%d MB", maxBook>>20))
	}
	data := make([]byte, f.Size)
	if _, err := io.ReadFull(f.reader(), data); err != nil {
		return nil, f.err("changed", err.Error())
	}
	o := &opened{digest: sha256.Sum256(data)}
	if zipped {
		return o, f.openXLSX(o, data)
	}
	return o, f.openXLS(o, data)
}

func (f *File) openXLSX(o *opened, data []byte) error {
	book, err := excel.Open(data, maxUnzip)
	if err != nil {
		return f.bookError("", err)
	}
	if book.Has("xl/externalLinks/externalLink1.xml") {
		o.notes = append(o.notes, Note{Code: "list.note.external_links"})
	}
	if book.Has("xl/vbaProject.bin") {
		o.notes = append(o.notes, Note{Code: "list.note.macros"})
	}
	for i, s := range book.Sheets() {
		o.tables = append(o.tables, table{s.Name, s.Hidden, func(yield func(*Row) error) error {
			ranges, err := book.Merged(i)
			if err != nil {
				return f.bookError(s.Name, err)
			}
			b := newBuilder(yield)
			for _, ref := range ranges {
				if c1, r1, c2, r2, err := excel.Range(ref); err == nil {
					b.merge(c1, r1, c2, r2)
				}
			}
			_, err = book.Scan(i, func(c *excel.Cell) error {
				cell := Cell{Formula: c.Formula}
				switch c.Kind {
				case "e":
					cell.Error = true
				case "", "n":
					if cell.Text = strings.TrimSpace(string(c.Value)); cell.Text == "" {
						break
					}
					cell.Numeric = true
					if book.IsDate(c.Style) {
						cell.date(book.Date1904())
					}
				default:
					cell.Text = string(c.Value)
				}
				return b.put(c.Column, c.Row, cell)
			})
			if err == nil {
				err = b.finish()
			}
			return f.bookError(s.Name, err)
		}})
	}
	return nil
}

func (f *File) openXLS(o *opened, data []byte) error {
	book, err := xls.Open(bytes.NewReader(data))
	if err != nil {
		return f.bookError("", err)
	}
	for i, s := range book.Sheets {
		o.tables = append(o.tables, table{s.Name, s.Hidden, func(yield func(*Row) error) error {
			ranges, err := book.Scan(i, func(*xls.Cell) error { return nil })
			if err != nil {
				return f.bookError(s.Name, err)
			}
			b := newBuilder(yield)
			for _, m := range ranges {
				b.merge(m[0], m[1], m[2], m[3])
			}
			_, err = book.Scan(i, func(c *xls.Cell) error {
				cell := Cell{Text: c.Text, Numeric: c.Numeric, Formula: c.Formula, Error: c.Error}
				if c.Numeric {
					cell.Text = plainNumber(c.Number)
					if c.Date {
						cell.date(book.Date1904)
					}
				}
				return b.put(c.Column, c.Row, cell)
			})
			if err == nil {
				err = b.finish()
			}
			return f.bookError(s.Name, err)
		}})
	}
	return nil
}

// bookError says in the list's words what a reader of workbooks found.
func (f *File) bookError(sheet string, err error) error {
	var ours *ListError
	why := "no_workbook"
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours), errors.Is(err, errEnough):
		return err
	case errors.Is(err, xls.ErrPassword):
		why = "password"
	case errors.Is(err, xls.ErrOlder):
		why = "older_xls"
	case errors.Is(err, excel.ErrExpands):
		why = "expands"
	case errors.Is(err, errTooManyRows):
		why = "too_large"
	}
	return &ListError{File: f.Name, Sheet: sheet, Why: why, Seen: err.Error()}
}

var (
	errEnough      = errors.New("enough was read")
	errTooManyRows = fmt.Errorf("more than %d rows", maxRows)
)
