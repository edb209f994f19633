package calendar

import (
	"bytes"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"ironfeet/assets/workdays"
)

// A Rule is one deadline of one procedure.
type Rule struct {
	Procedure string // dibao 低保, edge 边缘, rigid 刚性, tekun 特困, child 事实无人抚养儿童; * for all
	Step      string // survey_start, posting, decision, …
	Role      string // whose it is
	From      string // the event it is counted from: accepted, visited, posted, …
	Days      int
	Unit      Unit
	Basis     string // law, document, article
}

// A Unit is how a deadline is counted.
type Unit string

// The units, as the files write them.
const (
	WorkingDays  Unit = "工作日"
	CalendarDays Unit = "自然日"
	Months       Unit = "月"
)

// Due is the last day of a rule that began on a day. The day itself is not
// counted (民法典 Art. 201). sure as in Calendar.After.
func (r Rule) Due(c *Calendar, from time.Time) (due time.Time, sure bool) {
	switch r.Unit {
	case CalendarDays:
		return date(from).AddDate(0, 0, r.Days), true
	case Months:
		return addMonths(date(from), r.Days), true
	}
	return c.After(from, r.Days)
}

// addMonths keeps the day, or takes the month's last where there is none: three
// months from November 30 is the end of February.
func addMonths(t time.Time, n int) time.Time {
	first := time.Date(t.Year(), t.Month()+time.Month(n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return first.AddDate(0, 0, min(t.Day(), last)-1)
}

// Rules are the deadlines of a county.
type Rules []Rule

// Deadlines are the rules of assets/workdays/deadlines.txt.
var Deadlines = sync.OnceValue(func() Rules {
	data, err := workdays.Files.ReadFile("deadlines.txt")
	if err != nil {
		panic(err)
	}
	rules, err := ReadRules("deadlines.txt", data)
	if err != nil {
		panic(err) // embedded, and read by a test
	}
	return rules
})

// maxDays bounds a deadline: ten years.
const maxDays = 3660

// ReadRules reads deadlines, one a line: procedure, step, role, event, number,
// unit, basis.
func ReadRules(file string, data []byte) (Rules, error) {
	file = path.Base(file)
	if len(data) > maxFile {
		return nil, &LineError{file, 0, "large", strconv.Itoa(len(data))}
	}
	var rules Rules
	for i, line := range strings.Split(string(bytes.TrimPrefix(data, []byte("\ufeff"))), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fault := func(why, got string) error { return &LineError{file, i + 1, why, clip(got)} }
		if i >= maxLines {
			return nil, fault("large", line)
		}
		parts := strings.Fields(line)
		if len(parts) < 7 {
			return nil, fault("fields", line)
		}
		n, err := strconv.Atoi(parts[4])
		if err != nil || n < 0 || n > maxDays {
			return nil, fault("number", parts[4])
		}
		r := Rule{parts[0], parts[1], parts[2], parts[3], n, Unit(parts[5]), strings.Join(parts[6:], " ")}
		if r.Unit != WorkingDays && r.Unit != CalendarDays && r.Unit != Months {
			return nil, fault("unit", parts[5])
		}
		for _, old := range rules {
			if old.Procedure == r.Procedure && old.Step == r.Step {
				return nil, fault("twice", r.Procedure+" "+r.Step)
			}
		}
		rules = append(rules, r)
	}
	if len(rules) == 0 {
		return nil, &LineError{file, 0, "empty", ""}
	}
	return rules, nil
}

// FromAcceptance is the first deadline that a procedure counts from the acceptance of
// the application (受理). Once the survey has begun, its beginning is none any more. 45
// days where the case is special and 20 where the county delegated the decision are
// other ways; a county that goes one edits the line "whole".
func (rs Rules) FromAcceptance(c *Calendar, procedure string, accepted time.Time, begun bool) (first Rule, due time.Time, sure, ok bool) {
	for _, r := range rs {
		if r.Procedure != procedure && r.Procedure != "*" || r.From != "accepted" || r.Step == "whole_special" || r.Step == "whole_delegated" || begun && r.Step == "survey_start" {
			continue
		}
		if d, s := r.Due(c, accepted); !ok || d.Before(due) {
			first, due, sure, ok = r, d, s, true
		}
	}
	return first, due, sure, ok
}

// Find returns the rule of a procedure's step, or the one for all procedures.
func (rs Rules) Find(procedure, step string) (Rule, bool) {
	for _, wanted := range []string{procedure, "*"} {
		for _, r := range rs {
			if r.Procedure == wanted && r.Step == step {
				return r, true
			}
		}
	}
	return Rule{}, false
}
