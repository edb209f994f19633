package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/office"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// CalendarCmd handles working days and deadlines, which are text files of one year
// and of the county.
type CalendarCmd struct {
	Check CalendarCheckCmd `cmd:"" help:"Read a year's holidays and make-up days, or deadlines, and count with them."`
	Load  CalendarLoadCmd  `cmd:"" help:"Put a year's calendar, or deadlines, in force: at the county for everybody, elsewhere at that machine."`
}

// maxCalendarFile is more than any year has.
const maxCalendarFile = 64 << 10

// CalendarCheckCmd tries a file without keeping it.
type CalendarCheckCmd struct {
	Files []string  `arg:"" optional:"" type:"existingfile" help:"Files as in assets/workdays: lines of day, 休 or 班, name."`
	From  time.Time `format:"2006-01-02" help:"Count working days after this day." placeholder:"DAY"`
	Days  int       `default:"10" help:"How many."`
	JSON  bool      `name:"json" help:"Print one JSON document."`
}

// Run reads the built-in years and the files, and counts.
func (c *CalendarCheckCmd) Run(o *Output) error {
	cal := calendar.BuiltIn()
	for _, file := range c.Files {
		data, err := world.ReadFile(world.OS{}, file, maxCalendarFile)
		if err != nil {
			return err
		}
		if cal, err = cal.Add(file, data); err != nil {
			return err
		}
	}
	out := struct {
		Years []int  `json:"years"`
		From  string `json:"from,omitempty"`
		Days  int    `json:"days,omitempty"`
		Due   string `json:"due,omitempty"`
		Sure  bool   `json:"sure"`
	}{Years: cal.Years(), Sure: true}
	if !c.From.IsZero() {
		due, sure := cal.After(c.From, c.Days)
		out.From, out.Days, out.Due, out.Sure = c.From.Format(time.DateOnly), c.Days, due.Format(time.DateOnly), sure
	}
	if c.JSON {
		return json.NewEncoder(o.Out).Encode(out)
	}
	fmt.Fprintf(o.Out, "years: %v\n", out.Years)
	if out.Due != "" {
		fmt.Fprintf(o.Out, "%d working days after %s: %s\n", out.Days, out.From, out.Due)
		if !out.Sure {
			fmt.Fprintln(o.Out, "not certain: the calendar of that year is not among them")
		}
	}
	return nil
}

// CalendarLoadCmd keeps a file at a machine.
type CalendarLoadCmd struct {
	UnlockFlag
	File      string `arg:"" type:"existingfile" help:"A year's calendar, or with --deadlines the county's deadlines."`
	Deadlines bool   `help:"The file holds deadlines."`
}

// Run reads the file and keeps it.
func (c *CalendarLoadCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		data, err := world.ReadFile(world.OS{}, c.File, maxCalendarFile)
		if err != nil {
			return nil, err
		}
		// The county's word holds for everybody; another machine keeps a file for itself.
		me := of.Replica.Identity()
		where := "here"
		county := me.Role == string(trust.County)
		if county {
			where = "in the whole county"
		}
		if c.Deadlines {
			var rules calendar.Rules
			if county {
				rules, err = calendar.PublishRules(ctx, of.Replica, me.Node, c.File, data)
			} else {
				rules, err = calendar.LoadRules(ctx, of.Replica, c.File, data)
			}
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(o.Out, "%s: %d deadlines are in force %s\n", filepath.Base(c.File), len(rules), where)
			return published("deadlines", c.File, data), nil
		}
		var year int
		if county {
			year, err = calendar.Publish(ctx, of.Replica, me.Node, c.File, data)
		} else {
			year, err = calendar.Load(ctx, of.Replica, c.File, data)
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s: the calendar of %d is in force %s\n", filepath.Base(c.File), year, where)
		return published("calendar", c.File, data), nil
	})
}
