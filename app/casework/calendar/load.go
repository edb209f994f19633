package calendar

import (
	"context"
	"fmt"

	"ironfeet/store"
)

// Settings a node keeps its own files under.
const (
	settingYear      = "calendar/year/"
	settingDeadlines = "calendar/deadlines"
)

// Years a node looks for among its own files.
const firstYear, lastYear = 2020, 2100

// Of is a node's calendar: the built-in years, and those it was given.
func Of(ctx context.Context, r *store.Replica) (*Calendar, error) {
	c := BuiltIn()
	index, err := r.Setting(ctx, settingYear)
	if err != nil {
		return nil, err
	}
	for _, b := range index {
		year := firstYear + int(b)
		data, err := r.Setting(ctx, fmt.Sprint(settingYear, year))
		if err != nil {
			return nil, err
		}
		if c, err = c.Add(fmt.Sprintf("%d.txt", year), data); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Load keeps a year's file at this node and returns which year it was. It
// replaces the built-in one of that year.
func Load(ctx context.Context, r *store.Replica, file string, data []byte) (year int, err error) {
	alone, err := (&Calendar{}).Add(file, data)
	if err != nil {
		return 0, err
	}
	year = alone.Years()[0]
	if year < firstYear || year > lastYear {
		return 0, &LineError{file, 0, "year", fmt.Sprint(year)}
	}
	if err := r.SetSetting(ctx, fmt.Sprint(settingYear, year), data); err != nil {
		return 0, err
	}
	index, err := r.Setting(ctx, settingYear)
	if err != nil {
		return 0, err
	}
	for _, b := range index {
		if int(b) == year-firstYear {
			return year, nil
		}
	}
	return year, r.SetSetting(ctx, settingYear, append(index, byte(year-firstYear)))
}

// RulesOf are a node's deadlines: its own, or the built-in ones.
func RulesOf(ctx context.Context, r *store.Replica) (Rules, error) {
	data, err := r.Setting(ctx, settingDeadlines)
	if err != nil || len(data) == 0 {
		return Deadlines(), err
	}
	return ReadRules("deadlines.txt", data)
}

// LoadRules keeps a file of deadlines at this node, in place of the built-in ones.
func LoadRules(ctx context.Context, r *store.Replica, file string, data []byte) (Rules, error) {
	rules, err := ReadRules(file, data)
	if err != nil {
		return nil, err
	}
	return rules, r.SetSetting(ctx, settingDeadlines, data)
}
