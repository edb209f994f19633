package calendar

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/google/uuid"

	"ironfeet/store"
)

// Settings a node keeps its own files under.
const (
	settingYear      = "calendar/year/"
	settingDeadlines = "calendar/deadlines"
)

// Years a node looks for among its own files.
const firstYear, lastYear = 2020, 2100

// Of is a node's calendar: the built-in years, those it was given, and over them those
// that the county has published.
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
	files, err := published(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.what == deadlines {
			continue
		}
		if with, err := c.Add(f.name, f.data); err == nil { // one that this version cannot read changes nothing
			c = with
		}
	}
	return c, nil
}

// deadlines is what a published file of deadlines is called; a year's is called by the
// year.
const deadlines = "deadlines"

type file struct {
	what, name string
	data       []byte
}

// published are the county's files, the years in order.
func published(ctx context.Context, r *store.Replica) ([]file, error) {
	list, err := r.Entities(ctx, store.Query{Kind: store.Calendar})
	if err != nil {
		return nil, fmt.Errorf("read the published calendars: %w", err)
	}
	files := make([]file, len(list))
	for i, e := range list {
		files[i] = file{e.Text("what"), e.Text("name"), e.Fields["file"].Bytes()}
	}
	slices.SortFunc(files, func(a, b file) int { return cmp.Compare(a.what, b.what) })
	return files, nil
}

// Publish gives a year's file to every node of the county, in place of the one that was
// published before.
func Publish(ctx context.Context, r *store.Replica, author uuid.UUID, name string, data []byte) (year int, err error) {
	alone, err := (&Calendar{}).Add(name, data)
	if err != nil {
		return 0, err
	}
	if year = alone.Years()[0]; year < firstYear || year > lastYear {
		return 0, &LineError{name, 0, "year", fmt.Sprint(year)}
	}
	return year, publish(ctx, r, author, fmt.Sprint(year), name, data)
}

// PublishRules gives the county's deadlines to every node.
func PublishRules(ctx context.Context, r *store.Replica, author uuid.UUID, name string, data []byte) (Rules, error) {
	rules, err := ReadRules(name, data)
	if err != nil {
		return nil, err
	}
	return rules, publish(ctx, r, author, deadlines, name, data)
}

func publish(ctx context.Context, r *store.Replica, author uuid.UUID, what, name string, data []byte) error {
	_, err := r.Write(ctx, author, store.Edit{Kind: store.Calendar, Entity: uuid.NewSHA1(uuid.NameSpaceOID, []byte("ironfeet/calendar/"+what)), Division: r.Identity().Division,
		Fields: map[string]store.Value{"what": store.Text(what), "name": store.Text(path.Base(name)), "file": store.Bytes(data)}})
	if err != nil {
		return fmt.Errorf("publish the calendar %s: %w", what, err)
	}
	return nil
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

// RulesOf are a node's deadlines: those that the county has published, its own, or the
// built-in ones.
func RulesOf(ctx context.Context, r *store.Replica) (Rules, error) {
	files, err := published(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if f.what != deadlines {
			continue
		}
		if rules, err := ReadRules(f.name, f.data); err == nil {
			return rules, nil
		}
	}
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
