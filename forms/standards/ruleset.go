// Package standards is a county's dated rule set for social assistance: a
// workbook that a clerk edits, read into rules that turn a household's record
// into a suggested category with every comparison shown.
//
// The arithmetic is exact (rationals, never floating point), a value that was not
// answered stays missing and makes 无法判定 with the list of what is missing, and
// the result is a suggestion: a named person decides (个人信息保护法 Art. 24).
//
// The workbook's sheets, all but the first four optional:
//
//	settings    name, value                     version, county, valid_from, valid_to, lists, near_percent
//	parameters  name, value | rural, urban      ${name} in every formula; rural and urban by the household's area
//	rows        list, name, formula             worked out for every row of a list, in order: members, incomes …
//	facts       name, label, formula, unit      worked out once, in order; ${name} from then on
//	required    label, list, formula            what must hold (of every row) before anything is decided
//	categories  category, label, condition …    the first that holds is suggested
//	offers      offer, label, list, condition … what is offered besides, to the household or to one row
//	checks      check, label, list, condition   what a person must look at: nothing is excluded by it
//	needs       need, label, condition, department
//	words       name, label                     how the record's own names are called in a trace
//
// Source: design.md §6; domain.md §3 (民发〔2021〕57号, 民发〔2021〕43号,
// 刚性支出困难家庭认定办法).
package standards

import (
	"fmt"
	"math/big"

	"ironfeet/forms/expr"
)

// Categories the program itself knows; all others are names of the workbook.
const (
	Undecided     = "undecided"      // 无法判定: something is missing
	NotApplicable = "not_applicable" // 不适用: nobody is left to count
)

// Fen is money: a hundredth of a yuan.
type Fen int64

// String is the amount in yuan: 576, 0.50.
func (f Fen) String() string {
	sign := ""
	if f < 0 {
		sign, f = "-", -f
	}
	if f%100 == 0 {
		return fmt.Sprintf("%s%d", sign, f/100)
	}
	return fmt.Sprintf("%s%d.%02d", sign, f/100, f%100)
}

// A RuleSet is one dated set of rules. It does not change once read.
type RuleSet struct {
	Version, County    string
	ValidFrom, ValidTo string // YYYY-MM-DD; ValidTo "" has no end
	Title, Basis       string

	lists      map[string]bool
	near       *big.Rat // a comparison this near to its limit, as a share, is pointed out
	parameters map[string]parameter
	order      []string // parameters in the order of the sheet
	rows       []rule
	room       map[string]int // rules a row of each list is given
	facts      []rule
	required   []rule
	categories []category
	offers     []offer
	checks     []rule
	needs      []need
	watched    map[*expr.Binary]bool   // comparisons whose limit it is worth a word to be near to
	texts      map[*expr.Binary]string // every comparison of the rules, written out
	words      map[*expr.Binary]string // the same with labels instead of names
}

type parameter struct {
	value, rural, urban string
	label, unit, basis  string
}

// A rule is a formula with its name, and where a list is named one of its rows.
type rule struct {
	list, name, label, unit, basis string
	formula                        *expr.Expr
}

type category struct {
	rule
	amount, valid, review, grace *expr.Expr
	explanation                  string
}

type offer struct {
	rule
	amount, level, until *expr.Expr
}

type need struct {
	rule
	department string
}

// Parameters lists the names and values of the rule set's parameters for an area.
func (rs *RuleSet) Parameters(area string) []Fact {
	list := make([]Fact, 0, len(rs.order))
	for _, name := range rs.order {
		p := rs.parameters[name]
		v, _ := p.in(area)
		list = append(list, Fact{Name: name, Label: p.label, Value: v.String(), Unit: p.unit})
	}
	return list
}

// in is the parameter's value in an area; where it depends on the area and that
// is not known, the area is missing.
func (p parameter) in(area string) (expr.ExactValue, bool) {
	text := p.value
	if p.rural != "" || p.urban != "" {
		switch area {
		case "rural":
			text = p.rural
		case "urban":
			text = p.urban
		default:
			return expr.ExactMissing("area"), true
		}
	}
	switch text {
	case "true", "TRUE":
		return expr.ExactTruth(true), true
	case "false", "FALSE":
		return expr.ExactTruth(false), true
	}
	return expr.ExactText(text), text != ""
}

// A Decision is what a rule set says of a household on a day.
type Decision struct {
	Category   string       `json:"category"` // tekun, dibao, edge, rigid, none … or undecided, not_applicable
	Label      string       `json:"label"`
	Amount     Fen          `json:"amount_fen"` // a month
	Yuan       string       `json:"amount"`     // the same in yuan: "576", "0.50"
	Advice     string       `json:"advice"`     // 建议，须人工审核
	Missing    []string     `json:"missing,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	Steps      []Comparison `json:"steps"`
	Facts      []Fact       `json:"facts"`
	Persons    []Person     `json:"persons"`
	Offers     []Offer      `json:"offers,omitempty"`
	Checks     []Check      `json:"checks,omitempty"`
	Needs      []Need       `json:"needs,omitempty"`
	Near       bool         `json:"near"` // a comparison came near its limit
	Grace      *Grace       `json:"grace,omitempty"`
	Version    string       `json:"version"`
	Basis      string       `json:"basis,omitempty"`
	ValidUntil string       `json:"valid_until,omitempty"` // YYYY-MM-DD
	ReviewBy   string       `json:"review_by,omitempty"`
	On         string       `json:"on"`
}

// A Comparison is one step of a decision, with both numbers.
type Comparison struct {
	Rule   string `json:"rule"`  // the category's or fact's label
	Text   string `json:"text"`  // ${Y} < ${S} * ${n}
	Words  string `json:"words"` // 计入的家庭年收入 < 年低保标准 × 家庭人数
	Left   string `json:"left"`
	Op     string `json:"op"`
	Right  string `json:"right"`
	Result string `json:"result"` // true, false, missing
	Near   bool   `json:"near,omitempty"`
}

// String is the comparison on one line.
func (c Comparison) String() string {
	s := fmt.Sprintf("%s: %s: %s %s %s → %s", c.Rule, c.Text, c.Left, c.Op, c.Right, c.Result)
	if c.Near {
		s += " (near)"
	}
	return s
}

// A Fact is something the rules worked out on the way.
type Fact struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Value string `json:"value"` // "?" when it is missing
	Unit  string `json:"unit,omitempty"`
}

// A Person is what the rules say of one member, whatever the household's result:
// 特困 with the level of care, 事实无人抚养儿童, 单人户, and what was compared.
type Person struct {
	Row     string       `json:"id,omitempty"`
	Name    string       `json:"name,omitempty"`
	Counted string       `json:"counted,omitempty"` // yes, no
	Offers  []Offer      `json:"results,omitempty"`
	Steps   []Comparison `json:"steps,omitempty"` // comparisons of numbers
}

// A Check asks a person to look at something; nobody is excluded by it.
type Check struct {
	Check string `json:"check"`
	Label string `json:"label"`
	Row   string `json:"row,omitempty"`
	Name  string `json:"name,omitempty"`
	Basis string `json:"basis,omitempty"`
}

// An Offer is something the household, or one person, may have besides.
type Offer struct {
	Offer  string `json:"offer"`
	Label  string `json:"label"`
	Row    string `json:"row,omitempty"` // the member's id
	Name   string `json:"name,omitempty"`
	Amount Fen    `json:"amount_fen,omitempty"`
	Yuan   string `json:"amount,omitempty"`
	Level  string `json:"level,omitempty"` // 全护理, 半护理, 全自理
	Until  string `json:"until,omitempty"`
	Basis  string `json:"basis,omitempty"`

	Missing []string `json:"missing,omitempty"` // what its amount, level or day lacks
}

// A Need is pushed to the department that meets it.
type Need struct {
	Need       string `json:"need"`
	Label      string `json:"label"`
	Department string `json:"department"`
}

// A Grace keeps a category that no longer applies until a day (渐退期).
type Grace struct {
	Category string `json:"category"`
	Label    string `json:"label"`
	Until    string `json:"until"`
}
