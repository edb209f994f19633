package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"slices"
	"strings"

	"github.com/signintech/gopdf"
	"golang.org/x/image/draw"
	"rsc.io/qr"

	"ironfeet/app/casework/publish"
	"ironfeet/assets/font"
	"ironfeet/store"
)

// The page: A4 in points, and its rhythm.
const (
	pageWidth, pageHeight = 595.28, 841.89
	left, right           = 54, 541
	top, bottom           = 56, 786
	lineHeight            = 15.0
)

// Colours of the page: ink, quiet ink, rule, tint, and one accent.
var (
	ink    = [3]uint8{28, 36, 33}
	quiet  = [3]uint8{96, 108, 103}
	rule   = [3]uint8{205, 214, 209}
	tint   = [3]uint8{241, 246, 243}
	accent = [3]uint8{19, 94, 70}
)

type printer struct {
	ctx   context.Context
	r     *store.Replica
	o     *Options
	shelf *publish.Shelf
	pdf   *gopdf.GoPdf
	y     float64
	head  string // of every page of a household
	foot  string
	page  int
	n     Folder
	err   error

	missing string // characters of this volume that cannot be drawn
}

func (p *printer) fail(err error) {
	if p.err == nil && err != nil {
		p.err = err
	}
}

func (p *printer) start() error {
	p.pdf, p.missing = &gopdf.GoPdf{}, ""
	p.pdf.Start(gopdf.Config{PageSize: gopdf.Rect{W: pageWidth, H: pageHeight}})
	p.pdf.SetInfo(gopdf.PdfInfo{Title: "入户核查档案", Creator: "Ironfeet 铁脚板", CreationDate: p.o.Day})
	for _, f := range []struct {
		name string
		data []byte
	}{{"body", font.Regular}, {"bold", font.Bold}} {
		err := p.pdf.AddTTFFontDataWithOption(f.name, f.data, gopdf.TtfOption{
			// A name that cannot be drawn must not vanish in silence.
			OnGlyphNotFound: func(c rune) {
				if !strings.ContainsRune(p.missing, c) {
					p.missing += string(c)
				}
			},
			OnGlyphNotFoundSubstitute: func(rune) rune { return '□' },
		})
		if err != nil {
			return fmt.Errorf("load the font: %w", err)
		}
	}
	return nil
}

func (p *printer) colour(c [3]uint8) { p.pdf.SetTextColor(c[0], c[1], c[2]) }

func (p *printer) font(size float64, bold bool) {
	name := "body"
	if bold {
		name = "bold"
	}
	p.fail(p.pdf.SetFont(name, "", size))
}

// newPage begins a page with the household's head and foot.
func (p *printer) newPage() {
	p.pdf.AddPage()
	p.page++
	p.colour(quiet)
	p.font(8, false)
	p.at(left, 30, p.head)
	p.at(left, bottom+22, p.foot)
	p.right(right, bottom+22, fmt.Sprintf("第 %d 页", p.page))
	p.line(left, bottom+14, right)
	p.y = top
	p.colour(ink)
}

// room makes sure that so much fits on the page.
func (p *printer) room(height float64) {
	if p.y+height > bottom {
		p.newPage()
	}
}

func (p *printer) at(x, y float64, text string) {
	p.pdf.SetXY(x, y)
	p.fail(p.pdf.Cell(nil, Plain(text)))
}

func (p *printer) right(x, y float64, text string) {
	w, err := p.pdf.MeasureTextWidth(text)
	p.fail(err)
	p.at(x-w, y, text)
}

func (p *printer) line(x1, y, x2 float64) {
	p.pdf.SetStrokeColor(rule[0], rule[1], rule[2])
	p.pdf.SetLineWidth(0.6)
	p.pdf.Line(x1, y, x2, y)
}

// wrap breaks a text into lines of a width: between any two Chinese characters,
// never before closing punctuation.
func (p *printer) wrap(text string, width float64) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		paragraph = Plain(paragraph)
		line, wide := []rune{}, 0.0
		for _, c := range paragraph {
			w, err := p.pdf.MeasureTextWidth(string(c))
			p.fail(err)
			if wide+w > width && len(line) > 0 && !strings.ContainsRune("，。、；：！？）》】”’,.;:!?)", c) {
				cut := len(line)
				if isWord(c) { // a word or number stays whole if it can
					for cut > 0 && isWord(line[cut-1]) {
						cut--
					}
					if cut == 0 {
						cut = len(line)
					}
				}
				lines = append(lines, string(line[:cut]))
				line = slices.Clone(line[cut:])
				wide, err = p.pdf.MeasureTextWidth(string(line))
				p.fail(err)
			}
			line = append(line, c)
			wide += w
		}
		lines = append(lines, string(line))
	}
	return lines
}

func isWord(c rune) bool {
	return c < 0x80 && c > ' ' && !strings.ContainsRune(",;:!?()/", c)
}

// text writes a paragraph.
func (p *printer) text(size float64, bold bool, text string) {
	p.font(size, bold)
	for _, l := range p.wrap(text, right-left) {
		p.room(size * 1.6)
		p.font(size, bold)
		p.at(left, p.y, l)
		p.y += size * 1.6
	}
}

// section writes a heading.
func (p *printer) section(title string) {
	p.room(60)
	p.y += 12
	p.pdf.SetFillColor(accent[0], accent[1], accent[2])
	p.pdf.RectFromUpperLeftWithStyle(left, p.y+1.5, 3.2, 12, "F")
	p.colour(accent)
	p.font(12, true)
	p.at(left+10, p.y, title)
	p.colour(ink)
	p.y += 22
}

// pairs writes labels and values in two columns; long ones take the whole width.
func (p *printer) pairs(list [][2]string) {
	const gap, labelWidth = 14, 106
	half := (right - left - gap) / 2.0
	column, rowTop, rowHeight := 0, p.y, 0.0
	flush := func() {
		if column > 0 {
			p.y = rowTop + rowHeight
		}
		column, rowTop, rowHeight = 0, p.y, 0
	}
	for _, pair := range list {
		p.font(9.5, false)
		labels := p.wrap(pair[0], labelWidth-8)
		values := p.wrap(pair[1], half-labelWidth)
		wide := len(values) > 3
		if wide {
			flush()
			values = p.wrap(pair[1], right-left-labelWidth)
		}
		height := float64(max(len(labels), len(values)))*lineHeight + 3
		if column == 0 {
			p.room(height)
			rowTop = p.y
		} else if rowTop+height > bottom {
			flush()
			p.room(height)
			rowTop = p.y
		}
		x := left + float64(column)*(half+gap)
		p.font(9.5, false)
		p.colour(quiet)
		for i, l := range labels {
			p.at(x, rowTop+float64(i)*lineHeight, l)
		}
		p.colour(ink)
		for i, l := range values {
			p.at(x+labelWidth, rowTop+float64(i)*lineHeight, l)
		}
		rowHeight = max(rowHeight, height)
		if column++; column == 2 || wide {
			flush()
		}
	}
	flush()
}

// table writes rows under headings; widths are shares of the line.
func (p *printer) table(heads []string, widths []float64, rows [][]string) {
	total := 0.0
	for _, w := range widths {
		total += w
	}
	xs := []float64{left}
	for _, w := range widths {
		xs = append(xs, xs[len(xs)-1]+w/total*(right-left))
	}
	heading := func() {
		p.room(40)
		p.pdf.SetFillColor(tint[0], tint[1], tint[2])
		p.pdf.RectFromUpperLeftWithStyle(left, p.y, right-left, 18, "F")
		p.font(8.8, true)
		p.colour(quiet)
		for i, h := range heads {
			p.at(xs[i]+4, p.y+4, h)
		}
		p.colour(ink)
		p.y += 21
	}
	heading()
	for _, row := range rows {
		p.font(9.2, false)
		var cells [][]string
		most := 1
		for i, v := range row {
			lines := p.wrap(v, xs[i+1]-xs[i]-8)
			most = max(most, len(lines))
			cells = append(cells, lines)
		}
		height := float64(most)*13.5 + 5
		if p.y+height > bottom {
			p.newPage()
			heading()
			p.font(9.2, false)
		}
		for i, lines := range cells {
			for j, l := range lines {
				p.at(xs[i]+4, p.y+float64(j)*13.5, l)
			}
		}
		p.y += height
		p.line(left, p.y-2, right)
	}
	p.y += 4
}

// photoWidth is how many pixels a photo has on paper; the original is in the
// evidence package.
const photoWidth = 640

// image draws a picture whole inside a box.
func (p *printer) image(data []byte, x, y, width, height float64) error {
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	b := img.Bounds()
	if b.Dx() < 1 || b.Dy() < 1 || b.Dx()*b.Dy() > 60_000_000 {
		return errors.New("no picture")
	}
	size := b.Size()
	if size.X > photoWidth {
		size = image.Pt(photoWidth, max(1, size.Y*photoWidth/size.X))
	}
	page := image.NewRGBA(image.Rectangle{Max: size})
	draw.Draw(page, page.Bounds(), image.White, image.Point{}, draw.Src) // a drawing may be transparent
	draw.ApproxBiLinear.Scale(page, page.Bounds(), img, b, draw.Over, nil)
	img, b = page, page.Bounds()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 78}); err != nil {
		return err
	}
	holder, err := gopdf.ImageHolderByBytes(out.Bytes())
	if err != nil {
		return err
	}
	scale := min(width/float64(b.Dx()), height/float64(b.Dy()))
	w, h := float64(b.Dx())*scale, float64(b.Dy())*scale
	return p.pdf.ImageByHolder(holder, x+(width-w)/2, y+(height-h)/2, &gopdf.Rect{W: w, H: h})
}

// squares draws a QR code as squares of ink: sharp at every size.
func (p *printer) squares(code *qr.Code, x, y, side float64) {
	p.pdf.SetFillColor(ink[0], ink[1], ink[2])
	dot := side / float64(code.Size)
	for row := range code.Size {
		for column := 0; column < code.Size; column++ {
			run := 0
			for column+run < code.Size && code.Black(column+run, row) {
				run++
			}
			if run > 0 {
				p.pdf.RectFromUpperLeftWithStyle(x+float64(column)*dot, y+float64(row)*dot, dot*float64(run)+0.05, dot+0.05, "F")
				column += run
			}
		}
	}
}
