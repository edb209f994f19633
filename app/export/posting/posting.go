// Package posting prints a notice (公示) as the sheet that hangs in the village, as
// PDF and as XLSX, with what the regulations allow and nothing else: name, number
// of members, amount, village (民发〔2021〕57号 Art. 24).
package posting

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/signintech/gopdf"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/notice"
	"ironfeet/assets/font"
)

// A Letterhead is what a sheet says besides its rows.
type Letterhead struct {
	Office string // whose sheet it is: 云栖镇人民政府
	Phone  string // where to object; "" leaves the line out
}

// titles of the sheets by procedure.
var titles = map[string]string{
	"dibao": "最低生活保障", "tekun": "特困人员救助供养", "edge": "最低生活保障边缘家庭认定", "rigid": "刚性支出困难家庭认定",
}

// Title is a sheet's title.
func Title(s *notice.Sheet) string {
	what, ok := titles[s.Procedure]
	if !ok {
		what = "社会救助"
	}
	if s.Opinions {
		what += "初审"
	}
	return s.Village + what + "公示"
}

// Heads are the columns of a sheet. There are no others.
var Heads = []string{"序号", "申请人姓名", "家庭人口", "月救助金额（元）", "村（社区）"}

// Rows are a sheet's rows as they are printed.
func Rows(s *notice.Sheet) [][]string {
	rows := make([][]string, len(s.Rows))
	for i, r := range s.Rows {
		rows[i] = []string{fmt.Sprint(i + 1), r.Name, fmt.Sprint(r.Members), yuan(r.Amount), r.Village}
	}
	return rows
}

// yuan writes fen exactly.
func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

// day writes a date as a sheet does.
func day(text string) string {
	d, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return "　　年　月　日"
	}
	return d.Format("2006年1月2日")
}

// words are the sentences under the title.
func words(s *notice.Sheet, l Letterhead) []string {
	list := []string{
		"　　经入户调查、信息核对和审核，下列家庭的救助情况予以公示，接受群众监督。",
		fmt.Sprintf("　　公示期：%s至%s。公示期内对公示内容有异议的，可向%s反映，反映人的情况依法保密。", day(s.From), day(s.Until), l.Office),
	}
	if l.Phone != "" {
		list = append(list, "　　监督电话："+l.Phone)
	}
	return list
}

// A GlyphError means that the font has no shape for some characters: a sheet with a
// gap in a name is not printed in silence.
type GlyphError struct{ Missing string }

func (e *GlyphError) Error() string { return "the font cannot draw " + e.Missing }

// Code is the key of the sentence.
func (e *GlyphError) Code() string { return "posting.glyph" }

// A4 in points.
const (
	width, height = 595.28, 841.89
	margin        = 56
	rowHeight     = 30
)

// columns' widths, in points; together the paper without its margins.
var columns = []float64{46, 120, 82, 130, width - 2*margin - 46 - 120 - 82 - 130}

// PDF prints a sheet on A4, as many pages as it needs, in letters that can be read
// from a step away.
func PDF(w io.Writer, s *notice.Sheet, l Letterhead) (pages int, err error) {
	var all strings.Builder
	for _, row := range Rows(s) {
		all.WriteString(strings.Join(row, ""))
	}
	all.WriteString(Title(s) + l.Office + l.Phone)
	if missing := font.Missing(all.String()); missing != "" {
		return 0, &GlyphError{missing}
	}
	p := &gopdf.GoPdf{}
	p.Start(gopdf.Config{PageSize: *gopdf.PageSizeA4})
	p.SetInfo(gopdf.PdfInfo{Title: Title(s), Author: l.Office})
	lost := ""
	option := gopdf.TtfOption{OnGlyphNotFound: func(r rune) { lost += string(r) }}
	if err := errors.Join(p.AddTTFFontDataWithOption("body", font.Regular, option), p.AddTTFFontDataWithOption("bold", font.Bold, option)); err != nil {
		return 0, fmt.Errorf("print %s: %w", Title(s), err)
	}
	d := &drawing{p: p}
	d.first(s, l)
	for i, row := range Rows(s) {
		if d.y+rowHeight > height-margin-70 {
			d.page()
			d.heads()
		}
		d.row(row, i%2 == 1)
	}
	d.foot(s, l)
	if d.err == nil && lost != "" {
		d.err = &GlyphError{lost}
	}
	if d.err != nil {
		return 0, fmt.Errorf("print %s: %w", Title(s), d.err)
	}
	_, err = p.WriteTo(w)
	return d.pages, err
}

// drawing is a sheet in the making; the first error stops it.
type drawing struct {
	p     *gopdf.GoPdf
	y     float64
	pages int
	err   error
}

func (d *drawing) do(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *drawing) page() {
	d.p.AddPage()
	d.pages++
	d.y = margin
}

func (d *drawing) write(face string, size, x, y, w float64, text string, align int) {
	if d.err != nil {
		return
	}
	d.do(d.p.SetFont(face, "", size))
	d.p.SetXY(x, y)
	d.do(d.p.CellWithOption(&gopdf.Rect{W: w, H: size * 1.3}, text, gopdf.CellOption{Align: align}))
}

func (d *drawing) first(s *notice.Sheet, l Letterhead) {
	d.page()
	d.p.SetTextColor(0, 0, 0)
	d.write("bold", 24, margin, d.y, width-2*margin, Title(s), gopdf.Center|gopdf.Top)
	d.y += 52
	for _, paragraph := range words(s, l) {
		for _, line := range d.wrap(paragraph, 14, width-2*margin) {
			d.write("body", 14, margin, d.y, width-2*margin, line, gopdf.Left|gopdf.Top)
			d.y += 24
		}
	}
	d.y += 12
	d.heads()
}

// wrap breaks a paragraph at any character but before a closing mark.
func (d *drawing) wrap(text string, size, w float64) (lines []string) {
	d.do(d.p.SetFont("body", "", size))
	line := ""
	for _, r := range text {
		next := line + string(r)
		if n, err := d.p.MeasureTextWidth(next); err == nil && n > w && line != "" && !strings.ContainsRune("，。、；：）》”", r) {
			lines = append(lines, line)
			next = string(r)
		}
		line = next
	}
	return append(lines, line)
}

func (d *drawing) heads() {
	d.p.SetFillColor(226, 236, 231)
	d.p.RectFromUpperLeftWithStyle(margin, d.y, width-2*margin, rowHeight, "F")
	d.cells("bold", 13, Heads)
}

func (d *drawing) row(cells []string, shaded bool) {
	if shaded {
		d.p.SetFillColor(247, 247, 245)
		d.p.RectFromUpperLeftWithStyle(margin, d.y, width-2*margin, rowHeight, "F")
	}
	d.cells("body", 15, cells)
}

func (d *drawing) cells(face string, size float64, cells []string) {
	d.p.SetStrokeColor(120, 120, 120)
	d.p.SetLineWidth(0.6)
	x := float64(margin)
	for i, text := range cells {
		fit := size
		d.do(d.p.SetFont(face, "", fit))
		d.p.RectFromUpperLeftWithStyle(x, d.y, columns[i], rowHeight, "D")
		lines := []string{text}
		if n, err := d.p.MeasureTextWidth(text); err == nil && n > columns[i]-8 {
			// A long name stands on two lines, and smaller if it must; it is never cut.
			lines = halves(text)
			fit = min(11, fit*(columns[i]-8)/n*1.7)
		}
		for j, line := range lines {
			d.write(face, fit, x, d.y+(rowHeight-float64(len(lines))*fit*1.25)/2+float64(j)*fit*1.25, columns[i], line, gopdf.Center|gopdf.Top)
		}
		x += columns[i]
	}
	d.y += rowHeight
}

// halves cuts a text in two, behind the dot of a long name where there is one near
// the middle.
func halves(text string) []string {
	runes := []rune(text)
	cut := (len(runes) + 1) / 2
	for off := range len(runes) / 4 {
		for _, at := range []int{cut + off, cut - off} {
			if at > 0 && at < len(runes) && runes[at-1] == '·' {
				return []string{string(runes[:at]), string(runes[at:])}
			}
		}
	}
	return []string{string(runes[:cut]), string(runes[cut:])}
}

func (d *drawing) foot(s *notice.Sheet, l Letterhead) {
	d.y += 28
	d.write("body", 14, margin, d.y, width-2*margin, l.Office, gopdf.Right|gopdf.Top)
	d.y += 24
	d.write("body", 14, margin, d.y, width-2*margin, day(s.From), gopdf.Right|gopdf.Top)
}

// XLSX writes the same sheet as a workbook.
func XLSX(w io.Writer, s *notice.Sheet, l Letterhead) error {
	f := excelize.NewFile()
	defer f.Close()
	const sheet = "公示"
	err := f.SetSheetName("Sheet1", sheet)
	set := func(e error) {
		if err == nil {
			err = e
		}
	}
	last := string(rune('A' + len(Heads) - 1))
	border := []excelize.Border{{Type: "left", Color: "808080", Style: 1}, {Type: "right", Color: "808080", Style: 1}, {Type: "top", Color: "808080", Style: 1}, {Type: "bottom", Color: "808080", Style: 1}}
	title, e := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true, Size: 20}, Alignment: &excelize.Alignment{Horizontal: "center", Vertical: "center"}})
	set(e)
	text, e := f.NewStyle(&excelize.Style{Font: &excelize.Font{Size: 12}, Alignment: &excelize.Alignment{WrapText: true, Vertical: "top"}})
	set(e)
	head, e := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true, Size: 12}, Border: border, Alignment: &excelize.Alignment{Horizontal: "center"}, Fill: excelize.Fill{Type: "pattern", Color: []string{"E2ECE7"}, Pattern: 1}})
	set(e)
	cell, e := f.NewStyle(&excelize.Style{Font: &excelize.Font{Size: 12}, Border: border, Alignment: &excelize.Alignment{Horizontal: "center"}})
	set(e)
	money, e := f.NewStyle(&excelize.Style{Font: &excelize.Font{Size: 12}, Border: border, NumFmt: 4, Alignment: &excelize.Alignment{Horizontal: "center"}})
	set(e)
	for i, w := range []float64{8, 20, 12, 20, 22} {
		col := string(rune('A' + i))
		set(f.SetColWidth(sheet, col, col, w))
	}
	at := 1
	line := func(value string, style int, high float64) {
		a := fmt.Sprintf("A%d", at)
		set(f.MergeCell(sheet, a, fmt.Sprintf("%s%d", last, at)))
		set(f.SetCellStr(sheet, a, value))
		set(f.SetCellStyle(sheet, a, a, style))
		set(f.SetRowHeight(sheet, at, high))
		at++
	}
	line(Title(s), title, 36)
	for _, paragraph := range words(s, l) {
		line(paragraph, text, 34)
	}
	put := func(i int, value any, style int) {
		a := fmt.Sprintf("%c%d", 'A'+i, at)
		if t, ok := value.(string); ok {
			set(f.SetCellStr(sheet, a, t)) // a name is never read as a formula
		} else {
			set(f.SetCellValue(sheet, a, value))
		}
		set(f.SetCellStyle(sheet, a, a, style))
	}
	for i, h := range Heads {
		put(i, h, head)
	}
	at++
	for i, r := range s.Rows {
		put(0, i+1, cell)
		put(1, r.Name, cell)
		put(2, r.Members, cell)
		put(3, float64(r.Amount)/100, money) // a workbook has no other number; fen are exact in it up to 2^53
		put(4, r.Village, cell)
		at++
	}
	line(l.Office+"　"+day(s.From), text, 24)
	set(f.SetPageLayout(sheet, &excelize.PageLayoutOptions{Size: intp(9), FitToWidth: intp(1), FitToHeight: intp(0)}))
	if err != nil {
		return fmt.Errorf("write the workbook of %s: %w", Title(s), err)
	}
	_, err = f.WriteTo(w)
	return err
}

func intp(n int) *int { return &n }
