// Package calendar counts working days (工作日) and the deadlines of the
// procedures (domain.md §2).
//
//	holiday      a weekday on which nobody works
//	make-up day  a Saturday or Sunday on which everybody does (调休上班)
//
// Both are ordered anew each year, so they are data: one text file a year, those
// of assets/workdays built in, others loaded by whoever has them. In a year that
// nobody loaded, weekends alone are free, and whatever is counted through it says
// that it is not sure.
//
// A day is a time.Time of which only the date counts.
package calendar

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"ironfeet/assets/workdays"
)

// A Calendar knows the holidays and make-up days of some years. It is safe for
// many readers; Add makes a new one.
type Calendar struct {
	years map[int]bool
	days  map[string]day // by date
}

type day struct {
	works bool
	name  string
}

// Limits of a file (invariant 10).
const (
	maxFile  = 64 << 10
	maxLines = 1000
	maxRange = 60 // days that one line may span
)

// A LineError says which line of a calendar or deadline file is wrong.
type LineError struct {
	File string
	Line int    // from 1; 0 for the whole file
	Why  string // date, order, range, mark, year, twice, empty, large, fields, number, unit
	Got  string
}

func (e *LineError) Error() string {
	return fmt.Sprintf("%s:%d: %s: %q", e.File, e.Line, strings.ReplaceAll(e.Why, "_", " "), e.Got)
}

// Code is the key of the sentence.
func (e *LineError) Code() string { return "calendar." + e.Why }

// BuiltIn is the calendar of the years in assets/workdays.
var BuiltIn = sync.OnceValue(func() *Calendar {
	c := &Calendar{years: map[int]bool{}, days: map[string]day{}}
	files, err := fs.Glob(workdays.Files, "2*.txt")
	if err != nil {
		panic(err)
	}
	for _, name := range files {
		data, err := workdays.Files.ReadFile(name)
		if err == nil {
			c, err = c.Add(name, data)
		}
		if err != nil {
			panic(err) // embedded, and read by a test
		}
	}
	return c
})

// Add returns the calendar with one more year, or that year read anew. The file
// holds one year; a fault leaves the calendar as it was.
//
//	# a remark
//	2026-02-15..2026-02-23 休 春节
//	2026-02-14 班 春节调休
func (c *Calendar) Add(file string, data []byte) (*Calendar, error) {
	file = path.Base(file)
	if len(data) > maxFile {
		return nil, &LineError{file, 0, "large", strconv.Itoa(len(data))}
	}
	year, read := 0, map[string]day{}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		fault := func(why, got string) error { return &LineError{file, i + 1, why, clip(got)} }
		if i >= maxLines {
			return nil, fault("large", line)
		}
		parts := strings.Fields(line)
		if len(parts) < 2 {
			return nil, fault("fields", line)
		}
		from, to, ranged := strings.Cut(parts[0], "..")
		if !ranged {
			to = from
		}
		first, err := time.Parse(time.DateOnly, from)
		if err != nil {
			return nil, fault("date", from)
		}
		last, err := time.Parse(time.DateOnly, to)
		if err != nil {
			return nil, fault("date", to)
		}
		if last.Before(first) {
			return nil, fault("order", parts[0])
		}
		if last.Sub(first) >= maxRange*24*time.Hour {
			return nil, fault("range", parts[0])
		}
		d := day{name: strings.Join(parts[2:], " ")}
		switch parts[1] {
		case "休", "off":
		case "班", "work":
			d.works = true
		default:
			return nil, fault("mark", parts[1])
		}
		for ; !first.After(last); first = first.AddDate(0, 0, 1) {
			if year == 0 {
				year = first.Year()
			}
			if first.Year() != year {
				return nil, fault("year", first.Format(time.DateOnly))
			}
			key := first.Format(time.DateOnly)
			if old, ok := read[key]; ok && old.works != d.works {
				return nil, fault("twice", key)
			}
			read[key] = d
		}
	}
	if year == 0 {
		return nil, &LineError{file, 0, "empty", ""}
	}
	out := &Calendar{years: map[int]bool{year: true}, days: map[string]day{}}
	maps.Copy(out.years, c.years)
	for key, d := range c.days {
		if !strings.HasPrefix(key, strconv.Itoa(year)+"-") {
			out.days[key] = d
		}
	}
	maps.Copy(out.days, read)
	return out, nil
}

func clip(s string) string {
	if len(s) > 60 {
		for s = s[:60]; !utf8.ValidString(s); s = s[:len(s)-1] {
		}
	}
	return s
}

// Years are the years it knows, in order.
func (c *Calendar) Years() []int { return slices.Sorted(maps.Keys(c.years)) }

// Knows says whether a year was loaded.
func (c *Calendar) Knows(year int) bool { return c.years[year] }

// Works says whether people work on a day, and the holiday's or make-up day's
// name if it is one.
func (c *Calendar) Works(on time.Time) (works bool, name string) {
	if d, ok := c.days[on.Format(time.DateOnly)]; ok {
		return d.works, d.name
	}
	return on.Weekday() != time.Saturday && on.Weekday() != time.Sunday, ""
}

// After is the n-th working day after a day, which is not counted itself (民法典
// Art. 201). n 0 is the day, or the next working day if nobody works on it. sure
// is false if a year on the way was not loaded.
func (c *Calendar) After(from time.Time, n int) (due time.Time, sure bool) {
	due, sure = date(from), true
	if works, _ := c.Works(due); n == 0 && !works {
		n = 1
	}
	for n > 0 {
		due = due.AddDate(0, 0, 1)
		sure = sure && c.years[due.Year()]
		if works, _ := c.Works(due); works {
			n--
		}
	}
	return due, sure
}

// Until counts the working days after one day up to and with another: what is
// left. Negative when the other day has passed: the working days it is late.
func (c *Calendar) Until(from, to time.Time) int {
	from, to = date(from), date(to)
	if to.Before(from) {
		return -c.Until(to, from)
	}
	n := 0
	for d := from.AddDate(0, 0, 1); !d.After(to); d = d.AddDate(0, 0, 1) {
		if works, _ := c.Works(d); works {
			n++
		}
	}
	return n
}

func date(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}
