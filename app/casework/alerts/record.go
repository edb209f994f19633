package alerts

import (
	"time"

	"ironfeet/forms/expr"
	"ironfeet/store"
)

// Record is what a condition may ask of a person's record as ${registry.…}: the
// member's own fields, the household's aid and area. more answers other names.
func Record(member, household *store.Entity, today time.Time, more Values) Values {
	return func(name string) (expr.ExactValue, bool) {
		if len(name) < 9 || name[:9] != "registry." {
			if more == nil {
				return expr.ExactMissing(name), false
			}
			return more(name)
		}
		field := name[9:]
		text := ""
		switch {
		case (field == "aid" || field == "area") && household != nil:
			text = household.Text(field)
		case field == "aid" || field == "area":
		case field == "age" && member != nil:
			if birth, err := time.Parse(time.DateOnly, member.Text("birth")); err == nil {
				return expr.ExactInt(int64(Age(birth, today))), true
			}
		case member != nil:
			text = member.Text(field)
		}
		if text == "" {
			return expr.ExactMissing(name), true
		}
		return expr.ExactText(text), true
	}
}

// Age is full years on a day.
func Age(birth, on time.Time) int {
	years := on.Year() - birth.Year()
	if expr.AddMonths(birth, 12*years).After(on) {
		years--
	}
	return years
}
