package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	_ "image/png" // drawn signatures
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/signintech/gopdf"
	"golang.org/x/image/draw"
	"rsc.io/qr"

	"ironfeet/app/casework/publish"
	"ironfeet/assets/font"
	"ironfeet/forms"
	"ironfeet/forms/standards"
	"ironfeet/store"
)

// Folder is what a dossier came to.
type Folder struct {
	Households, Pages, MinorsLeftOut int
	NotDrawn                         string // characters that no font of ours can draw
}

// maxDossier bounds one file: a PDF is made in memory.
const maxDossier = 300

// A DossierError means a selection makes no dossier.
type DossierError struct {
	Why  string // too_many, none
	Most int
}

func (e *DossierError) Error() string {
	if e.Why == "none" {
		return "no household here has a record to print"
	}
	return fmt.Sprintf("more than %d households: print a village at a time", e.Most)
}

// Code is the key of the sentence.
func (e *DossierError) Code() string { return "export.dossier_" + e.Why }

// Dossier prints each household's file (一户一档): what is on record, members,
// photos, signatures, the decision with its whole trace, and a code by which the
// paper is held against the evidence. Masked, faces and signatures are left out.
func Dossier(ctx context.Context, w io.Writer, r *store.Replica, records iter.Seq2[Record, error], o Options) (Folder, error) {
	if err := o.check(); err != nil {
		return Folder{}, err
	}
	p := &printer{ctx: ctx, r: r, o: &o, shelf: &publish.Shelf{}}
	if err := p.start(); err != nil {
		return Folder{}, err
	}
	for rec, err := range records {
		if err != nil {
			return p.n, err
		}
		if p.n.Households++; p.n.Households > maxDossier {
			return p.n, &DossierError{"too_many", maxDossier}
		}
		if err := p.household(rec); err != nil {
			return p.n, fmt.Errorf("household %s: %w", rec.Household.ID, err)
		}
		if o.Progress != nil {
			o.Progress(p.n.Households)
		}
	}
	if p.n.Households == 0 {
		return p.n, &DossierError{Why: "none"}
	}
	if p.n.NotDrawn != "" {
		p.section("字体缺字")
		p.text(9, false, "以下字符不在所附字体中，文中以 □ 代替，请对照原件：")
		for _, c := range p.n.NotDrawn {
			p.text(9, false, fmt.Sprintf("U+%04X", c))
		}
	}
	p.n.Pages = p.pdf.GetNumberOfPages()
	return p.n, errors.Join(p.err, p.pdf.Write(w))
}

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
}

func (p *printer) fail(err error) {
	if p.err == nil && err != nil {
		p.err = err
	}
}

func (p *printer) start() error {
	p.pdf = &gopdf.GoPdf{}
	p.pdf.Start(gopdf.Config{PageSize: gopdf.Rect{W: pageWidth, H: pageHeight}})
	p.pdf.SetInfo(gopdf.PdfInfo{Title: "入户核查档案", Creator: "Ironfeet 铁脚板", CreationDate: p.o.Day})
	for _, f := range []struct {
		name string
		data []byte
	}{{"body", font.Regular}, {"bold", font.Bold}} {
		err := p.pdf.AddTTFFontDataWithOption(f.name, f.data, gopdf.TtfOption{
			// A name that cannot be drawn must not vanish in silence.
			OnGlyphNotFound: func(c rune) {
				if !strings.ContainsRune(p.n.NotDrawn, c) {
					p.n.NotDrawn += string(c)
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

// VerificationCode is what stands in a dossier's QR code: which record, and the
// digest that its investigators signed. ironfeetd verify names the same.
func VerificationCode(visit uuid.UUID, digest store.Digest) string {
	return "IRONFEET:1:" + strings.ToUpper(strings.ReplaceAll(visit.String(), "-", "")) + ":" + strings.ToUpper(hex.EncodeToString(digest[:]))
}

// ShortCode is the beginning of a digest in groups of four, to be read out.
func ShortCode(digest store.Digest) string {
	s := strings.ToUpper(hex.EncodeToString(digest[:8]))
	return s[:4] + " " + s[4:8] + " " + s[8:12] + " " + s[12:]
}

func (p *printer) household(rec Record) error {
	o, h := p.o, rec.Household
	line := &row{Record: rec, o: o}
	show := func(name string) string { return o.Shown(name, "", h.Text(name)) }
	county := p.r.Identity().Name
	p.page = 0
	p.head = county + " · 低收入人口入户核查档案"
	p.foot = "打印 " + o.Day.Format("2006-01-02 15:04") + " · 户编号 " + h.ID.String()
	if !o.Unmasked {
		p.foot += " · 已脱敏"
	}
	p.newPage()
	p.pdf.AddOutline(show("name"))

	// The title, and the code at its right.
	p.font(20, true)
	p.at(left, p.y, "入户核查档案")
	p.font(11, false)
	p.colour(quiet)
	p.at(left, p.y+30, "一户一档  "+county)
	p.colour(ink)
	if rec.Visit != nil {
		code, err := qr.Encode(VerificationCode(rec.Visit.ID, rec.Visit.Digest), qr.M)
		if err != nil {
			return err
		}
		const side = 74.0
		p.squares(code, right-side, p.y-8, side)
		p.font(8, false)
		p.colour(quiet)
		p.right(right-side-10, p.y+36, "核验码")
		p.font(10, true)
		p.colour(ink)
		p.right(right-side-10, p.y+48, ShortCode(rec.Visit.Digest))
	}
	p.y += 76
	p.line(left, p.y, right)

	labels := codeLabels()
	said := func(list, code string) string {
		if l := labels[list][code]; l != "" {
			return l
		}
		return code
	}
	p.section("登记情况")
	facts := [][2]string{
		{"户主", show("name")}, {"联系电话", show("phone")}, {"住址", show("address")}, {"行政区划", h.Division},
		{"户类型", said("area", h.Text("area"))}, {"现享救助", said("category", h.Text("aid"))},
		{"家庭人口", fmt.Sprintf("%d 人，计入 %d 人", len(rec.Members), counted(rec.Members))},
	}
	if rec.Visit != nil {
		facts = append(facts, [2]string{"入户时间", rec.Visit.EndedAt().Format("2006-01-02 15:04")}, [2]string{"入户结果", said("outcome", rec.Visit.Content.Outcome)})
	}
	p.pairs(slices.DeleteFunc(facts, func(f [2]string) bool { return f[1] == "" }))

	p.section("家庭成员")
	var people [][]string
	young := 0
	for _, m := range rec.Members {
		if !o.Children && minor(m.Text("birth"), o.Day) {
			young++
			continue
		}
		line.member = m
		people = append(people, []string{
			o.Shown("name", "", m.Text("name")), said("rel", m.Text("rel")), said("sex", m.Text("sex")), ownOfMember["age"](line),
			o.Shown("id_no", "", m.Text("id_no")), said("labour", m.Text("labour")), said("yes_no", m.Text("counted")),
		})
	}
	p.table([]string{"姓名", "与户主关系", "性别", "年龄", "证件号码", "劳动能力", "计入"}, []float64{13, 14, 8, 8, 30, 15, 9}, people)
	if young > 0 {
		p.n.MinorsLeftOut += young
		p.colour(quiet)
		p.text(8.5, false, fmt.Sprintf("另有未成年人 %d 人，依法不在一般档案中列出。", young))
		p.colour(ink)
	}
	if rec.Visit != nil {
		if err := p.record(rec); err != nil {
			return err
		}
	}
	p.decision(rec, said)
	if rec.Visit != nil && o.Unmasked {
		if err := p.pictures(rec); err != nil {
			return err
		}
	}
	if err := p.signatures(rec); err != nil {
		return err
	}
	return p.err
}

// record prints the visit's answers, group by group, as the form asked.
func (p *printer) record(rec Record) error {
	v := rec.Visit
	form, err := p.shelf.Form(p.ctx, p.r, v.Record.Form, v.Record.Version)
	if err != nil {
		return err
	}
	for _, part := range Reading(form, v.Record, "zh", v.EndedAt(), p.o.Children) {
		var list [][2]string
		for _, a := range part.Answers {
			if a.Type == "image" || a.Type == "geopoint" && !p.o.Unmasked || a.Label == "" {
				continue
			}
			list = append(list, [2]string{a.Label, p.o.Shown(a.Name, a.Type, a.Value)})
		}
		if len(list)+len(part.Rows) == 0 {
			continue
		}
		p.section(part.Title)
		p.pairs(list)
		for _, r := range part.Rows {
			list = list[:0]
			title := r.Title
			for _, a := range r.Answers {
				if a.Type == "image" || a.Label == "" {
					continue
				}
				list = append(list, [2]string{a.Label, p.o.Shown(a.Name, a.Type, a.Value)})
			}
			if len(list) == 0 {
				continue
			}
			if !p.o.Unmasked {
				title = "" // it repeats a name
			}
			if title != "" {
				p.room(50)
				p.y += 3
				p.text(10, true, title)
				p.y += 3
			} else {
				p.room(20)
				p.line(left, p.y, right)
				p.y += 5
			}
			p.pairs(list)
			p.y += 2
		}
	}
	return nil
}

// decision prints the determination with both numbers of every comparison.
func (p *printer) decision(rec Record, said func(list, code string) string) {
	p.section("认定")
	d := rec.Determination
	if d == nil {
		p.text(9.5, false, "尚未作出认定。")
		return
	}
	var trace standards.Decision
	_ = json.Unmarshal([]byte(d.Text("trace")), &trace) // an unreadable trace prints as none
	line := &row{Record: rec, o: p.o}
	label := said("category", d.Text("category"))
	if trace.Label != "" && trace.Category == d.Text("category") {
		label = trace.Label
	}
	facts := [][2]string{{"认定类别", label}, {"月救助金额", amount(line) + " 元"}, {"依据标准", d.Text("standards")},
		{"认定日期", d.Updated.Time().Format(time.DateOnly)}, {"政策依据", trace.Basis}, {"复核期限", trace.ReviewBy}, {"有效期至", trace.ValidUntil}, {"与建议不同的理由", d.Text("reason")}}
	p.pairs(slices.DeleteFunc(facts, func(f [2]string) bool { return f[1] == "" }))
	if !p.o.Unmasked && !p.o.Children {
		// The trace is numbers and rules; names of rows could stand in it.
		trace.Offers = nil
	}
	var rows [][]string
	for _, s := range trace.Steps {
		result := map[string]string{"true": "成立", "false": "不成立", "missing": "缺少事实"}[s.Result]
		rows = append(rows, []string{s.Rule, s.Text, s.Left + " " + s.Op + " " + s.Right, result})
	}
	if len(rows) > 0 {
		p.y += 4
		p.table([]string{"项目", "条件", "两边的数", "结果"}, []float64{20, 44, 24, 12}, rows)
	}
	var worked [][2]string
	for _, f := range trace.Facts {
		value := strings.TrimSpace(f.Value + " " + f.Unit)
		if said, ok := map[string]string{"true": "是", "false": "否", "?": "缺少事实"}[value]; ok {
			value = said
		}
		worked = append(worked, [2]string{f.Label, value})
	}
	if len(worked) > 0 {
		p.room(40)
		p.y += 6
		p.text(9.5, true, "推算的事实")
		p.y += 3
		p.pairs(worked)
	}
}

// photoWidth is how many pixels a photo has on paper; the original is in the
// evidence package.
const photoWidth = 640

func (p *printer) blob(d store.Digest) ([]byte, error) {
	rd, size, err := p.r.OpenBlob(p.ctx, d)
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	return io.ReadAll(io.LimitReader(rd, size+1))
}

// pictures prints the photos, three in a row.
func (p *printer) pictures(rec Record) error {
	if len(rec.Visit.Content.Photos) == 0 {
		return nil
	}
	form, err := p.shelf.Form(p.ctx, p.r, rec.Visit.Record.Form, rec.Visit.Record.Version)
	if err != nil {
		return err
	}
	names := map[string]string{}
	for _, part := range Reading(form, rec.Visit.Record, "zh", rec.Visit.EndedAt(), p.o.Children) {
		for _, a := range part.Answers {
			names[a.Path] = a.Label
		}
	}
	p.section("照片")
	const gap, across = 12.0, 3
	width := (right - left - gap*(across-1)) / across
	height := width * 3 / 4
	column := 0
	for _, photo := range rec.Visit.Content.Photos {
		if Never(photo.Path, p.o.Children) {
			continue
		}
		if column == 0 {
			p.room(height + 34)
		}
		x := left + float64(column)*(width+gap)
		data, err := p.blob(photo.Digest)
		p.pdf.SetFillColor(tint[0], tint[1], tint[2])
		p.pdf.RectFromUpperLeftWithStyle(x, p.y, width, height, "F")
		caption := names[photo.Path]
		if caption == "" {
			caption = forms.NameOf(photo.Path)
		}
		switch {
		case errors.Is(err, store.ErrNotFound):
			p.font(9, false)
			p.at(x+8, p.y+8, "照片尚未到达县里")
		case err != nil:
			return err
		default:
			if err := p.image(data, x, p.y, width, height); err != nil {
				p.font(9, false)
				p.at(x+8, p.y+8, "照片无法打开")
			}
		}
		p.font(8, false)
		p.colour(quiet)
		p.at(x, p.y+height+4, caption)
		p.at(x, p.y+height+15, time.UnixMilli(photo.Taken).Format("2006-01-02 15:04")+"  "+strings.ToUpper(hex.EncodeToString(photo.Digest[:4])))
		p.colour(ink)
		if column++; column == across {
			column = 0
			p.y += height + 34
		}
	}
	if column > 0 {
		p.y += height + 34
	}
	return nil
}

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

// signatures prints who signed, and the householder's drawing.
func (p *printer) signatures(rec Record) error {
	p.section("签名")
	if rec.Visit == nil {
		p.text(9.5, false, "没有经乡镇采纳的入户记录。")
		return nil
	}
	v := rec.Visit
	var list [][2]string
	for i, id := range v.Investigator {
		name := id.String()
		if e, err := p.r.Entity(p.ctx, id); err == nil && e.Text("name") != "" {
			name = e.Text("name")
		}
		list = append(list, [2]string{fmt.Sprintf("调查人 %d", i+1), p.o.Shown("witness", "", name) + "（数字签名）"})
	}
	s := v.Content.Signature
	mode := map[string]string{"drawn": "手写签名", "thumbprint": "手印照片", "refused": "拒签", "proxy": "代签", "": "未遇到家庭成员"}[s.Mode]
	list = append(list, [2]string{"家庭成员", mode + "  " + p.o.Shown("signer", "", s.Signer)})
	if s.Reason != "" {
		list = append(list, [2]string{"说明", p.o.Shown("reason", "text", s.Reason)})
	}
	if s.Witness != "" {
		list = append(list, [2]string{"见证人", p.o.Shown("witness", "", s.Witness)})
	}
	digest := sha256.Sum256(v.Bytes)
	list = append(list, [2]string{"签名内容摘要", hex.EncodeToString(digest[:])})
	p.pairs(list)
	if s.Digest == (store.Digest{}) || !p.o.Unmasked {
		return nil
	}
	data, err := p.blob(s.Digest)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p.room(110)
	p.pdf.SetStrokeColor(rule[0], rule[1], rule[2])
	p.pdf.RectFromUpperLeftWithStyle(left, p.y+4, 220, 96, "D")
	if err := p.image(data, left+4, p.y+8, 212, 88); err != nil {
		p.font(9, false)
		p.at(left+8, p.y+12, "签名图片无法打开")
	}
	p.y += 108
	return nil
}

// codeLabels are the words for codes that the default template knows.
func codeLabels() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, s := range Default().Sheets {
		for _, c := range s.Columns {
			if c.codes == nil {
				continue
			}
			for name := range c.names {
				name = strings.TrimPrefix(name, "household.")
				switch name {
				case "area", "rel", "sex", "labour", "category":
					out[name] = c.codes
				case "visit_outcome":
					out["outcome"] = c.codes
				case "counted":
					out["yes_no"] = c.codes
				}
			}
		}
	}
	return out
}
