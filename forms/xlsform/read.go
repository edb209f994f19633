// Package xlsform reads forms as they are written in spreadsheets: XLSForm, the
// language of ODK, Kobo, SurveyCTO and CHT.
//
// A .xlsx workbook, a Markdown file and a folder of CSV files all become the same
// Tables: sheets of cleaned text. Define reads Tables as a form and returns a
// Definition together with a Report: every fault and every repair at once, each
// with its sheet, cell, value and the nearest name that would be right. What is
// safe to repair is repaired and said; what is not supported is kept as text with
// a note; only what cannot be understood is an error.
//
// Everything read is bounded (file 64 MB, unpacked 256 MB, 20,000 questions, 50
// levels, 200,000 rows a list, 64 KB a cell) and bad input never panics.
//
// This package knows the sheets, not the expressions in them: package forms
// compiles those.
package xlsform

import (
	"bytes"
	"io/fs"
	"path"
	"strings"

	"ironfeet/forms/excel"
)

// fold makes names of sheets, columns and types comparable: lower case, spaces
// trimmed.
func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// sheetNames are the sheets of a form.
var sheetNames = []string{"survey", "choices", "settings", "external_choices", "entities"}

// isFormSheet says whether a sheet belongs to a form: one of the five, or a file
// kept in the workbook (a sheet named towns.csv).
func isFormSheet(name string) bool {
	name = fold(name)
	for _, s := range sheetNames {
		if name == s {
			return true
		}
	}
	return strings.HasSuffix(name, ".csv")
}

// ReadTables reads every sheet of a .xlsx or Markdown file. The kind of file is
// told by its content, the name is for messages. Nil when nothing can be read.
func ReadTables(name string, data []byte) (*Tables, Report) { return readTables(name, data, nil) }

func readTables(name string, data []byte, want func(string) bool) (*Tables, Report) {
	ext := strings.ToLower(path.Ext(name))
	switch {
	case len(bytes.TrimSpace(data)) == 0:
		var r Report
		r.Error(problem(Problem{Code: "form.empty_file"}))
		return nil, r
	case ext == ".xlsx", ext == ".xls", ext == ".xlsm", bytes.HasPrefix(data, []byte("PK\x03\x04")), bytes.HasPrefix(data, []byte("\xD0\xCF\x11\xE0")):
		return readExcel(data, want)
	case ext == ".md", ext == ".markdown", ext == ".txt", ext == "":
		return readMarkdown(data, want)
	}
	var r Report
	r.Error(problem(Problem{Code: "form.unknown_file", Got: path.Base(name)}))
	return nil, r
}

// ReadFile reads a form from .xlsx or Markdown. The files it names (towns.csv)
// are looked for among its sheets, then in the folders given. The Definition is
// nil only when there is no survey to speak of; with errors in the report it must
// not be filled.
func ReadFile(name string, data []byte, beside ...fs.FS) (*Definition, Report) {
	tables, report := readTables(name, data, isFormSheet)
	if tables == nil {
		return nil, report
	}
	base := path.Base(strings.ReplaceAll(name, "\\", "/"))
	def, more := define(tables, strings.TrimSuffix(base, path.Ext(base)), beside)
	report.excuse(tables)
	report.Merge(more)
	report.Sort()
	return def, report
}

// ReadDir reads a form from a folder of CSV files: survey.csv, choices.csv,
// settings.csv, and the files it names.
func ReadDir(fsys fs.FS) (*Definition, Report) {
	tables, report := readFolder(fsys, func(name string) bool { return isFormSheet(name) })
	if tables == nil {
		return nil, report
	}
	def, more := define(tables, "form", []fs.FS{fsys})
	report.excuse(tables)
	report.Merge(more)
	report.Sort()
	return def, report
}

// excuse makes warnings of faulty cells in columns that no form reads: authors
// keep formulas of their own beside the questions.
func (r *Report) excuse(tables *Tables) {
	kept := r.Errors[:0]
	for _, p := range r.Errors {
		if p.Code == "form.cell_error" || p.Code == "form.formula_no_value" {
			t := tables.Sheet(p.Sheet)
			column, ok := excel.ColumnOf([]byte(p.Cell))
			known := map[string]map[string]string{"survey": surveyColumns, "settings": settingColumns}[fold(p.Sheet)]
			if t != nil && ok && known != nil && (column >= len(t.Header) || readHeading(t.Header[column], known).column == "") {
				r.Warn(p)
				continue
			}
		}
		kept = append(kept, p)
	}
	r.Errors = kept
}

// ReadDirTables reads every CSV of a folder as a sheet.
func ReadDirTables(fsys fs.FS) (*Tables, Report) { return readFolder(fsys, nil) }

// Define reads tables as a form.
func Define(t *Tables, beside ...fs.FS) (*Definition, Report) {
	def, report := define(t, "form", beside)
	report.Sort()
	return def, report
}
