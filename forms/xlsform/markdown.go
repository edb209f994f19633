package xlsform

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// readMarkdown reads tables written in Markdown, in either of two ways:
//
//	## survey
//	| type | name | label |            | survey | type | name | label |
//	|------|------|-------|     or     |        | text | q1   | Name  |
//	| text | q1   | Name  |            | choices | list_name | name | label |
//
// On the left, a heading names the sheet; on the right, as pyxform's tests are
// written, the first cell of a row does. In a cell, \| is a bar and <br> a line
// break. Rows are numbered as a spreadsheet would: the header is row 1.
func readMarkdown(data []byte, want func(string) bool) (*Tables, Report) {
	var report Report
	if len(data) > maxFile {
		report.Error(problem(Problem{Code: "form.too_large", Got: "64 MB"}))
		return nil, report
	}
	tables := &Tables{}
	var g *grid
	row, indent := 0, 0 // indent: 1 where the first cell is kept for the sheet's name
	loose, title := false, false
	finish := func() {
		// A heading of the first level without a table is the document's title.
		if g != nil && !(title && row == 0) {
			tables.add(g, want, &report)
		}
	}
	begin := func(name string, first int) {
		finish()
		g, row, indent = &grid{name: name, report: &report}, 0, first
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if heading, ok := headingOf(line); ok {
			begin(heading, 0)
			title = strings.HasPrefix(line, "# ")
			continue
		}
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := splitRow(line)
		if isRule(cells) {
			continue
		}
		if len(cells) > 0 && cells[0] != "" && (g == nil || indent == 1) {
			// | survey | type | … or | survey |, the header on the next line.
			begin(cells[0], 1)
			title = false
			cells[0] = ""
			if strings.Join(cells, "") == "" {
				continue
			}
		}
		if g == nil {
			if !loose {
				report.Error(problem(Problem{Code: "form.markdown_loose"}))
			}
			loose = true
			continue
		}
		row++
		for i, cell := range cells[min(indent, len(cells)):] {
			g.set(i, row, cell)
		}
		if g.full != nil {
			break
		}
	}
	finish()
	return tables, report
}

// add ends a grid and keeps its table unless it is not wanted or stands twice.
func (t *Tables) add(g *grid, want func(string) bool, report *Report) {
	g.name = strings.TrimSpace(g.name)
	switch {
	case want != nil && !want(g.name):
		t.NotRead = append(t.NotRead, g.name)
	case t.Sheet(g.name) != nil:
		report.Warn(problem(Problem{Sheet: g.name, Code: "form.sheet_twice", Got: g.name}))
	default:
		t.Sheets = append(t.Sheets, g.table())
	}
}

func headingOf(line string) (string, bool) {
	name := strings.TrimLeft(line, "#")
	if n := len(line) - len(name); n == 0 || n > 6 || name == "" || name[0] != ' ' {
		return "", false
	}
	return strings.Trim(strings.TrimSpace(strings.TrimRight(name, "# ")), "`*"), true
}

// isRule is the line of dashes under a header.
func isRule(cells []string) bool {
	dashes := 0
	for _, c := range cells {
		inner := strings.Trim(c, ":")
		if inner == "" && c == "" {
			continue
		}
		if strings.Trim(inner, "-") != "" || len(inner) < 2 {
			return false
		}
		dashes++
	}
	return dashes > 0
}

var unescapeCell = strings.NewReplacer(`<br\>`, "<br>", "<br>", "\n", "<br/>", "\n", "<br />", "\n")

func splitRow(line string) []string {
	line = strings.TrimPrefix(line, "|")
	var cells []string
	var cell strings.Builder
	flush := func() {
		text := strings.TrimSpace(cell.String())
		if strings.Contains(text, "<br") {
			text = unescapeCell.Replace(text)
		}
		cells = append(cells, text)
		cell.Reset()
	}
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line) && line[i+1] == '|':
			cell.WriteByte('|')
			i++
		case line[i] == '|':
			flush()
		default:
			cell.WriteByte(line[i])
		}
	}
	if strings.TrimSpace(cell.String()) != "" {
		flush()
	}
	return cells
}

var escapeCell = strings.NewReplacer("|", `\|`, "<br>", `<br\>`, "\r\n", "<br>", "\n", "<br>", "\r", "<br>")

// WriteMarkdown writes tables as readMarkdown reads them: a heading for each
// sheet, the columns aligned, so that a difference between two versions reads
// well.
func WriteMarkdown(w io.Writer, t *Tables) error {
	out := bufio.NewWriter(w)
	for i, sheet := range t.Sheets {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "## %s\n\n", sheet.Name)
		widths := make([]int, len(sheet.Header))
		rows := make([][]string, 0, len(sheet.Rows)+1)
		line := func(cells []string) {
			escaped := make([]string, len(widths))
			for i := range widths {
				if i < len(cells) {
					escaped[i] = escapeCell.Replace(cells[i])
				}
				widths[i] = min(max(widths[i], width(escaped[i]), 2), 40)
			}
			rows = append(rows, escaped)
		}
		line(sheet.Header)
		for _, r := range sheet.Rows {
			line(r.Cells)
		}
		for i, cells := range rows {
			for j, c := range cells {
				fmt.Fprintf(out, "| %s%s ", c, strings.Repeat(" ", max(0, widths[j]-width(c))))
			}
			fmt.Fprintln(out, "|")
			if i == 0 {
				for _, n := range widths {
					fmt.Fprintf(out, "|%s", strings.Repeat("-", n+2))
				}
				fmt.Fprintln(out, "|")
			}
		}
	}
	return out.Flush()
}

// width is how many columns a text takes on a terminal or in a sheet: a Chinese
// character takes two.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff ||
			r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x20000 && r <= 0x3fffd) {
			n++
		}
	}
	return n
}

// SameTables says whether two sets of tables hold the same sheets, headings and
// cells, wherever blank rows and blank cells at the end stand; else the first
// difference: "survey row 7 label: “a”, “b”".
func SameTables(a, b *Tables) (difference string, same bool) {
	for _, s := range a.Sheets {
		o := b.Sheet(s.Name)
		if o == nil {
			return s.Name + ": missing in the second", false
		}
		if d := compareTable(s, o); d != "" {
			return s.Name + " " + d, false
		}
	}
	for _, s := range b.Sheets {
		if a.Sheet(s.Name) == nil {
			return s.Name + ": missing in the first", false
		}
	}
	return "", true
}

func compareTable(a, b *Table) string {
	if x, y := strings.Join(a.Header, "|"), strings.Join(b.Header, "|"); x != y {
		return fmt.Sprintf("headings: “%s”, “%s”", x, y)
	}
	for i := range max(len(a.Rows), len(b.Rows)) {
		if i >= len(a.Rows) || i >= len(b.Rows) {
			return "row counts: " + strconv.Itoa(len(a.Rows)) + ", " + strconv.Itoa(len(b.Rows))
		}
		for j, h := range a.Header {
			if x, y := a.Rows[i].Cell(j), b.Rows[i].Cell(j); x != y {
				return fmt.Sprintf("row %d %s: “%s”, “%s”", a.Rows[i].Number, h, x, y)
			}
		}
	}
	return ""
}
