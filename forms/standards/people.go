package standards

import (
	"fmt"
	"math/big"
	"time"

	"ironfeet/forms/expr"
)

// people knows every member by id and by name, and gives ids to those without.
func (h *householdReader) people(members []map[string]any) map[string]string {
	out, twice := map[string]string{}, map[string]bool{}
	for i, row := range members {
		id, _ := row["id"].(string)
		if id == "" {
			id = fmt.Sprintf("m%d", i+1)
			row["id"] = id
		}
		if _, ok := out[id]; ok {
			h.fault(fmt.Sprintf("members[%d].id", i+1), "twice", id)
		}
		out[id] = id
		if number, ok := row["id_no"].(string); ok && row["birth"] == nil && len(number) == 18 {
			if day, err := time.Parse("20060102", number[6:14]); err == nil {
				row["birth"] = day.Format(time.DateOnly)
			}
		}
	}
	for i, row := range members {
		name, _ := row["name"].(string)
		if name == "" || out[name] == name {
			continue
		}
		if out[name] != "" {
			twice[name] = true
		}
		out[name] = members[i]["id"].(string)
	}
	for name := range twice { // a name of two people names nobody
		delete(out, name)
	}
	return out
}

// owner writes whose a row is by the member's id.
func (h *householdReader) owner(row map[string]any, key string, people map[string]string, members []map[string]any, place string) {
	who, _ := row[key].(string)
	switch id, known := people[who]; {
	case known:
		row[key] = id
	case who != "":
		h.fault(place, "nobody", who)
	case len(members) == 1:
		row[key] = members[0]["id"]
	}
}

// supporters moves members' lists of those who must support them into one list.
// An empty list is an answer: there is nobody.
func (h *householdReader) supporters(members []map[string]any) []map[string]any {
	var out []map[string]any
	for i, row := range members {
		list, given := row["supporters"].([]any)
		delete(row, "supporters")
		if !given {
			continue
		}
		if len(list) == 0 && row["support"] == nil {
			row["support"] = "none"
		}
		if id, _ := row["id"].(string); id == "" {
			row["id"] = fmt.Sprintf("m%d", i+1)
		}
		rows := h.rows(map[string]any{"supporters": list}, "supporters", nil)
		for _, s := range rows {
			s["of"] = row["id"]
			out = append(out, s)
		}
	}
	return out
}

// minus subtracts exactly.
func minus(a, b string) (string, bool) {
	x, ok1 := expr.ExactText(a).Rat()
	y, ok2 := expr.ExactText(b).Rat()
	if !ok1 || !ok2 {
		return "", false
	}
	d := new(big.Rat).Sub(x, y)
	if places, exact := d.FloatPrec(); exact {
		return d.FloatString(places), true
	}
	return "", false
}
