package standards

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Limits of a household's record in JSON.
const (
	maxHousehold = 1 << 20
	maxDepth     = 6
	maxListRows  = 200
)

// A HouseholdError says what of a household's record cannot be read. Place is a
// path such as members[2].birth.
type HouseholdError struct {
	Place string
	Why   string // not_json, too_large, twice, no_list, too_many, no_day, no_number, nobody, bad_value
	Got   string
}

func (e *HouseholdError) Error() string {
	s := "the household's record"
	if e.Place != "" {
		s += ", " + e.Place
	}
	s += ": " + strings.ReplaceAll(e.Why, "_", " ")
	if e.Got != "" {
		s += " (" + e.Got + ")"
	}
	return s
}

// Code is the key of the sentence.
func (e *HouseholdError) Code() string { return "household." + e.Why }

// ReadHousehold reads a household's record as HOUSEHOLD.md specifies it: the keys
// of domain.md §4, numbers kept exactly as they are written. The answer has the
// shape of forms.Record.Nested. Every fault is told at once.
func ReadHousehold(data []byte) (map[string]any, error) {
	if len(data) > maxHousehold {
		return nil, &HouseholdError{Why: "too_large", Got: fmt.Sprintf("%d bytes, at most %d", len(data), maxHousehold)}
	}
	h := &householdReader{}
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	dec.UseNumber()
	v, err := h.read(dec, "", 0)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = &HouseholdError{Why: "not_json", Got: "more follows behind the end"}
		}
	}
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, &HouseholdError{Why: "not_json", Got: "no object"}
	}
	out := h.household(object)
	if len(h.faults) > 0 {
		return nil, errors.Join(h.faults...)
	}
	return out, nil
}

type householdReader struct{ faults []error }

func (h *householdReader) fault(place, why, got string) {
	if len(h.faults) < 50 {
		h.faults = append(h.faults, &HouseholdError{place, why, got})
	}
}

// read decodes one value and refuses what is written twice: of two incomes under
// one key the second would win in silence.
func (h *householdReader) read(dec *json.Decoder, place string, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, &HouseholdError{place, "not_json", err.Error()}
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth >= maxDepth {
		return nil, &HouseholdError{place, "too_large", fmt.Sprintf("deeper than %d levels", maxDepth)}
	}
	if delim == '[' {
		list := []any{}
		for dec.More() {
			if len(list) >= maxListRows {
				return nil, &HouseholdError{place, "too_many", fmt.Sprintf("at most %d", maxListRows)}
			}
			v, err := h.read(dec, fmt.Sprintf("%s[%d]", place, len(list)+1), depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = dec.Token()
		return list, err
	}
	object := map[string]any{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, &HouseholdError{place, "not_json", err.Error()}
		}
		name, _ := key.(string)
		at := join(place, name)
		if _, twice := object[name]; twice {
			return nil, &HouseholdError{at, "twice", ""}
		}
		if object[name], err = h.read(dec, at, depth+1); err != nil {
			return nil, err
		}
	}
	if _, err = dec.Token(); err != nil {
		return nil, &HouseholdError{place, "not_json", err.Error()}
	}
	return object, nil
}

func join(place, name string) string {
	if place == "" {
		return name
	}
	return place + "." + name
}

// lists are the parts with several rows.
var lists = []string{"members", "incomes", "expenses", "vehicles", "supporters"}

// Other ways to write a key, by where it stands.
var (
	groups      = []string{"visit", "home", "household", "income", "assets", "housing", "spending_group", "elders", "children", "needs_group", "conclusion"}
	topKeys     = map[string]string{"spending": "expenses", "houses": "houses", "property": "houses", "car": "veh_car"}
	incomeKeys  = map[string]string{"months": "times", "counted": "counts", "who": "person"}
	expenseKeys = map[string]string{"person": "spender", "kind": "spend", "whose": "spender"}
)

// Chinese answers to coded questions, as a person who writes a record by hand may
// give them.
var answers = map[string]map[string]string{
	"":        {"是": "yes", "否": "no", "有": "some", "无": "none", "不确定": "unsure", "不知道": "unknown", "拒答": "refused"},
	"area":    {"农村": "rural", "城镇": "urban", "城市": "urban"},
	"kind":    {"工资性收入": "wage", "工资性": "wage", "工资": "wage", "经营净收入": "business", "经营": "business", "财产净收入": "property", "财产": "property", "转移净收入": "transfer", "转移": "transfer"},
	"spend":   {"生活": "living", "医疗": "medical", "教育": "education", "残疾康复": "rehab", "其他": "other"},
	"labour":  {"有": "full", "部分": "partial", "无": "none"},
	"job":     {"无业": "none"},
	"support": {"无": "none", "没有": "none"},
	"unit":    {"月": "month", "季": "quarter", "年": "year", "次": "once", "斤": "jin"},
}

// The numbers and days of a record. A number under another key stays what it is.
var (
	amounts = words("amount times price cost self_paid total reimbursed public_rate houses_count houses_area veh_car_count veh_car_value money_exact business_turnover claims_amount income")
	days    = words("birth father_since mother_since aid_since")
)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		out[w] = true
	}
	return out
}

// flat lays groups and objects flat: {"assets": {"veh_car": {"count": 1}}} is
// veh_car_count.
func (h *householdReader) flat(into map[string]any, prefix string, object map[string]any, keys map[string]string, place string) {
	for name, v := range object {
		if other, ok := keys[name]; ok && prefix == "" {
			name = other
		}
		at := join(place, name)
		inner, nested := v.(map[string]any)
		nested = nested && !(prefix == "" && slices.Contains(lists, name))
		switch {
		case nested && prefix == "" && name == "self_care":
			into[name] = unable(inner)
		case nested && prefix == "" && slices.Contains(groups, name):
			h.flat(into, "", inner, keys, at)
		case nested:
			h.flat(into, prefix+name+"_", inner, nil, at)
		default:
			full := prefix + name
			if full == "father_state" || full == "mother_state" { // "father": {"state": "dead", "since": …}
				full = prefix[:len(prefix)-1]
			}
			if _, twice := into[full]; twice {
				h.fault(at, "twice", full)
			}
			into[full] = v
		}
	}
}

// unable turns {"eat": true, "walk": false} (can, cannot) into what cannot be done
// alone. An item without an answer makes the whole unknown.
func unable(items map[string]any) any {
	failed := []any{}
	for _, name := range []string{"eat", "dress", "bed", "toilet", "walk", "wash"} {
		switch v := items[name]; v {
		case true, "able", "yes", "能":
		case false, "unable", "no", "不能":
			failed = append(failed, name)
		default:
			return nil
		}
	}
	if len(failed) == 0 {
		return []any{"none"}
	}
	return failed
}

func (h *householdReader) household(object map[string]any) map[string]any {
	top := map[string]any{}
	h.flat(top, "", object, topKeys, "")
	out := map[string]any{}
	for name, v := range top {
		if slices.Contains(lists, name) {
			continue
		}
		h.put(out, asset(name, v), v, name)
	}
	members := h.rows(top, "members", nil)
	incomes := h.rows(top, "incomes", incomeKeys)
	expenses := h.rows(top, "expenses", expenseKeys)
	out["members"], out["incomes"], out["expenses"] = members, incomes, expenses
	if _, given := top["vehicles"]; given {
		out["vehicles"] = h.rows(top, "vehicles", nil)
	}
	out["supporters"] = append(h.rows(top, "supporters", nil), h.supporters(members)...)
	people := h.people(members)
	for i, row := range incomes {
		h.owner(row, "person", people, members, fmt.Sprintf("incomes[%d].person", i+1))
		if kind, _ := row["kind"].(string); kind != "" && out["has_"+kind] == nil {
			out["has_"+kind] = "yes"
		}
	}
	for i, row := range expenses {
		h.owner(row, "spender", people, members, fmt.Sprintf("expenses[%d].spender", i+1))
		selfPaid(row)
	}
	if list, ok := out["current_aid"].([]string); ok && len(list) == 1 {
		out["current_aid"] = list[0]
	}
	return out
}

// selfPaid: what was not reimbursed, where it is not written down itself.
func selfPaid(row map[string]any) {
	if row["self_paid"] != nil {
		return
	}
	total, ok1 := row["total"].(string)
	back, ok2 := row["reimbursed"].(string)
	if v, ok := minus(total, back); ok1 && ok2 && ok {
		row["self_paid"] = v
	}
}

// rows reads one list of rows.
func (h *householdReader) rows(top map[string]any, name string, keys map[string]string) []map[string]any {
	out := []map[string]any{}
	if top[name] == nil {
		return out
	}
	list, ok := top[name].([]any)
	if !ok {
		h.fault(name, "no_list", "")
		return out
	}
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", name, i+1)
		object, ok := v.(map[string]any)
		if !ok {
			h.fault(at, "bad_value", "no object")
			continue
		}
		laid, row := map[string]any{}, map[string]any{}
		h.flat(laid, "", object, keys, at)
		for key, v := range laid {
			if key == "supporters" {
				row[key] = v
				continue
			}
			h.put(row, key, v, join(at, key))
		}
		out = append(out, row)
	}
	return out
}

// put writes one answer; null and "" are no answer (invariant 6).
func (h *householdReader) put(into map[string]any, name string, v any, place string) {
	switch v := v.(type) {
	case nil:
	case bool:
		into[name] = stated(name, map[bool]string{true: "yes", false: "no"}[v])
	case json.Number:
		into[name] = h.number(v.String(), place)
	case string:
		text := strings.TrimSpace(v)
		if other, ok := answers[name][text]; ok {
			text = other
		} else if other, ok := answers[""][text]; ok {
			text = other
		}
		text = stated(name, text)
		switch {
		case text == "":
		case days[name]:
			if _, err := time.Parse(time.DateOnly, text); err != nil {
				h.fault(place, "no_day", text)
			}
			into[name] = text
		case amounts[name]:
			into[name] = h.number(text, place)
		default:
			into[name] = text
		}
	case []any:
		var list []string
		for i, e := range v {
			switch e := e.(type) {
			case string:
				list = append(list, strings.TrimSpace(e))
			case map[string]any: // {"category": "dibao", "amount": 300, "since": "2024-07-01"}
				if s, ok := e["category"].(string); ok {
					list = append(list, s)
				}
			default:
				h.fault(fmt.Sprintf("%s[%d]", place, i+1), "bad_value", fmt.Sprint(e))
			}
		}
		if len(list) > 0 {
			into[name] = list
		}
	default:
		h.fault(place, "bad_value", fmt.Sprintf("%T", v))
	}
}

// stated: whether there is something is some or none for a thing (veh_car_has), yes
// or no for an income (has_wage).
func stated(name, answer string) string {
	pairs := map[string]string{}
	switch {
	case strings.HasSuffix(name, "_has"):
		pairs = map[string]string{"yes": "some", "no": "none"}
	case strings.HasPrefix(name, "has_"):
		pairs = map[string]string{"some": "yes", "none": "no"}
	}
	if other, ok := pairs[answer]; ok {
		return other
	}
	return answer
}

// asset names a thing that is told in one word or number: "money": 20000 is
// money_exact, "veh_car": "none" is veh_car_has, "houses": 1 is houses_count.
func asset(name string, v any) string {
	_, number := v.(json.Number)
	switch {
	case name == "money" && number:
		return "money_exact"
	case name == "money":
		return "money_range"
	case name == "houses":
		return "houses_count"
	case name == "veh_car" && !number, name == "business", name == "claims", name == "luxury":
		return name + "_has"
	}
	return name
}

// number keeps a number as it is written. One in scientific notation, or longer
// than any amount of money, is no number a clerk can answer for.
func (h *householdReader) number(text, place string) string {
	if strings.Trim(text, "-.0123456789") != "" || len(text) > 40 {
		h.fault(place, "no_number", text)
	}
	return text
}
