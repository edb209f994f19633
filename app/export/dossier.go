package export

import (
	"archive/zip"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	_ "image/png" // drawn signatures
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"rsc.io/qr"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/visit"
	"ironfeet/forms"
	"ironfeet/forms/standards"
	"ironfeet/store"
)

// Folder is what a dossier came to.
type Folder struct {
	Households, Pages, MinorsLeftOut int
	Volumes                          int    // more than one: a ZIP of PDFs
	NotDrawn                         string // characters that no font of ours can draw
}

// volume is how many households one PDF holds: it is made in memory, photos and all,
// and has to be held in a hand.
const volume = 300

// A DossierError means a selection makes no dossier.
type DossierError struct{}

func (*DossierError) Error() string { return "no household here has a record to print" }

// Code is the key of the sentence.
func (*DossierError) Code() string { return "export.dossier_none" }

// Dossier prints each household's file (一户一档): what is on record, members,
// photos, signatures, the decision with its whole trace, and a code by which the
// paper is held against the evidence. Masked, faces and signatures are left out.
// What fits into one volume is a PDF; what does not is a ZIP of volumes, of which one
// at a time is in memory.
func Dossier(ctx context.Context, w io.Writer, r *store.Replica, records iter.Seq2[Record, error], o Options) (Folder, error) {
	if err := o.check(); err != nil {
		return Folder{}, err
	}
	p := &printer{ctx: ctx, r: r, o: &o, shelf: &publish.Shelf{}}
	if err := p.start(); err != nil {
		return Folder{}, err
	}
	size := cmp.Or(o.Volume, volume)
	var shelf *zip.Writer
	for rec, err := range records {
		if err != nil {
			return p.n, err
		}
		if p.n.Households++; p.n.Households > 1 && p.n.Households%size == 1%size {
			if shelf == nil {
				shelf = zip.NewWriter(w)
			}
			if err := p.bindInto(shelf); err != nil {
				return p.n, err
			}
			if err := p.start(); err != nil {
				return p.n, err
			}
		}
		if err := p.household(rec); err != nil {
			return p.n, fmt.Errorf("household %s: %w", rec.Household.ID, err)
		}
		if o.Progress != nil {
			o.Progress(p.n.Households)
		}
	}
	if p.n.Households == 0 {
		return p.n, &DossierError{}
	}
	if shelf != nil {
		err := p.bindInto(shelf)
		return p.n, errors.Join(err, shelf.Close())
	}
	return p.n, p.bind(w)
}

// bind ends a volume.
func (p *printer) bind(w io.Writer) error {
	if p.missing != "" {
		p.section("字体缺字")
		p.text(9, false, "以下字符不在所附字体中，文中以 □ 代替，请对照原件：")
		for _, c := range p.missing {
			p.text(9, false, fmt.Sprintf("U+%04X", c))
			if !strings.ContainsRune(p.n.NotDrawn, c) {
				p.n.NotDrawn += string(c)
			}
		}
	}
	p.n.Volumes++
	p.n.Pages += p.pdf.GetNumberOfPages()
	return errors.Join(p.err, p.pdf.Write(w))
}

// bindInto puts a volume on the shelf; photos are packed already.
func (p *printer) bindInto(shelf *zip.Writer) error {
	w, err := shelf.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("dossier-%03d.pdf", p.n.Volumes+1), Method: zip.Store, Modified: p.o.Day})
	if err != nil {
		return err
	}
	return p.bind(w)
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
		if !o.Children && visit.Minor(m.Text("birth"), o.Day) {
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

// signatures prints who signed, and the householder's drawing.
func (p *printer) signatures(rec Record) error {
	if rec.Visit != nil && rec.Visit.Content.Signature.Digest != (store.Digest{}) && p.o.Unmasked {
		p.room(250) // the drawing stays with the names, not alone on the next page
	}
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
