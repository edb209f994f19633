package yunqi

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// A List is one department's file as it arrives, and what comparing it must come
// to: Rows = Matched + Unmatched + Rejected, of which Hits raise an alert.
type List struct {
	File, Source                       string
	Data                               []byte
	Rows, Matched, Unmatched, Rejected int
	Hits                               int
}

// person is somebody a list names.
type person struct{ name, id string }

// sheet collects a list's rows with what becomes of them.
type sheet struct {
	list    List
	rows    [][]string
	strange *maker // people who are in no registry
}

func (s *sheet) matched(hit bool, row ...string) {
	s.rows = append(s.rows, row)
	s.list.Rows++
	s.list.Matched++
	if hit {
		s.list.Hits++
	}
}

func (s *sheet) unmatched(row ...string) {
	s.rows = append(s.rows, row)
	s.list.Rows++
	s.list.Unmatched++
}

func (s *sheet) rejected(row ...string) {
	s.rows = append(s.rows, row)
	s.list.Rows++
	s.list.Rejected++
}

// stranger is a well-formed person whom the registry does not know.
func (s *sheet) stranger() person {
	s.strange.numbers++
	sex := strconv.Itoa(1 + s.strange.numbers%2)
	// Born in years in which nobody of the sample is.
	p := s.strange.person(surnames[s.strange.numbers%len(surnames)], sex, s.strange.birth(1964, 5), "")
	return person{p.Fields["name"], p.Fields["id_no"]}
}

func (c *County) sheet(file, source string) *sheet {
	return &sheet{list: List{File: file, Source: source}, strange: &maker{rand: rand.New(rand.NewPCG(c.seed, uint64(len(file))))}}
}

func (h *Household) member(i int) person {
	m := h.Members[i]
	return person{m.Fields["name"], m.Fields["id_no"]}
}

// Lists are three departments' files: cars in GBK with title rows and a total,
// wages in UTF-8 with its mark, medical bills in a workbook whose numeric cells
// have lost the end of some identity numbers.
func (c *County) Lists() []List { return []List{c.vehicles(), c.wages(), c.medical()} }

func (c *County) vehicles() List {
	s := c.sheet("车管_名下车辆.csv", "vehicles")
	brands := []string{"五菱宏光", "长安之星", "东风小康"}
	for i, h := range c.Households {
		value := fmt.Sprintf("%d.%d万元", 1+i%5, i%10)
		switch {
		case h.Kind == Car, h.Kind == Workers && i%4 == 1:
			p := h.member(0)
			s.matched(true, p.name, p.id, "小型汽车", brands[i%3], fmt.Sprintf("2019.%d.%d", 1+i%12, 1+i%28), value)
		case i%3 == 0:
			p := s.stranger()
			s.unmatched(p.name, p.id, "小型汽车", brands[i%3], "20200315", value)
		}
	}
	p := c.Households[0].member(0)
	s.rejected(p.name, "4"+p.id[1:16]+"O"+p.id[17:], "小型汽车", "五菱宏光", "2021年5月", "2万元") // the letter O for zero
	s.rejected("覃缺号", p.id[:17], "小型汽车", "长安之星", "2021-05-01", "2万元")                  // one digit lost
	var b bytes.Buffer
	fmt.Fprintf(&b, "云栖县机动车登记信息（虚构）,,,,,,\r\n制表单位：公安车管（虚构）,,,,,,\r\n")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	must(w.Write([]string{"序号", "所有人", "身份证号码", "车辆类型", "品牌", "登记日期", "估值"}))
	for i, row := range s.rows {
		must(w.Write(append([]string{strconv.Itoa(i + 1)}, row...)))
	}
	must(w.Write([]string{"合计", "", "", strconv.Itoa(len(s.rows)), "", "", ""}))
	w.Flush()
	data, err := simplifiedchinese.GBK.NewEncoder().Bytes(b.Bytes())
	must(err)
	s.list.Data = data
	return s.list
}

func (c *County) wages() List {
	s := c.sheet("人社_工资缴费.csv", "wages")
	for i, h := range c.Households {
		switch {
		case h.Kind == Workers || h.Kind == Sick:
			p := h.member(0)
			if i%2 == 0 {
				s.matched(true, p.name, p.id, "云栖水泥厂（虚构）", fmt.Sprintf("%d,%03d.00", 2+i%2, i%1000))
			} else {
				s.matched(false, p.name, "'"+p.id[:10]+" "+p.id[10:], "县环卫站（虚构）", "1200")
			}
		case i%4 == 0:
			p := s.stranger()
			s.unmatched(p.name, p.id, "云栖水泥厂（虚构）", "0.35万元")
		}
	}
	s.rejected("莫无号", "", "县环卫站（虚构）", "1800")
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	must(w.Write([]string{"姓名", "公民身份号码", "缴费单位", "月缴费工资"}))
	for _, row := range s.rows {
		must(w.Write(row))
	}
	w.Flush()
	s.list.Data = b.Bytes()
	return s.list
}

func (c *County) medical() List {
	s := c.sheet("医保_大额自付.xlsx", "medical")
	damaged := 0
	for i, h := range c.Households {
		switch {
		case h.Kind == Sick:
			p := h.member(1)
			amount := strconv.Itoa(9000 + i*37)
			if damaged < 8 && i%2 == 1 && p.id[17] != 'X' {
				damaged++
				s.rejected(p.name, "#"+p.id, amount) // # : written as a number below
				continue
			}
			s.matched(9000+i*37 > 10000, p.name, p.id, amount)
		case h.Kind == Elders && i%5 == 0:
			p := h.member(0)
			s.matched(false, p.name, p.id, "800.5")
		case i%6 == 0:
			p := s.stranger()
			s.unmatched(p.name, p.id, "15000")
		}
	}
	f := excelize.NewFile()
	defer f.Close()
	must(f.SetSheetName("Sheet1", "说明"))
	must(f.SetCellValue("说明", "A1", "本表由医保部门提供，仅供入户核查（虚构）"))
	_, err := f.NewSheet("大额自付")
	must(err)
	must(f.SetCellValue("大额自付", "A1", "云栖县近十二个月医疗自付超九千元人员（虚构）"))
	must(f.MergeCell("大额自付", "A1", "C1"))
	must(f.SetSheetRow("大额自付", "A2", &[]any{"参保人姓名", "身份证件号码", "个人自付金额"}))
	for i, row := range s.rows {
		cells := []any{row[0], row[1], row[2]}
		if row[1][0] == '#' {
			n, err := strconv.ParseFloat(row[1][1:], 64)
			must(err)
			cells[1] = n // a double keeps fifteen digits
		}
		must(f.SetSheetRow("大额自付", fmt.Sprintf("A%d", i+3), &cells))
	}
	must(f.SetSheetRow("大额自付", fmt.Sprintf("A%d", len(s.rows)+3), &[]any{"合计", "", len(s.rows)}))
	var b bytes.Buffer
	must(f.Write(&b))
	s.list.Data = b.Bytes()
	return s.list
}

// must is for making the sample: what it writes is its own, into memory.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
