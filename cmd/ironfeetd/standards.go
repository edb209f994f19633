package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"ironfeet/forms/standards"
	"ironfeet/store/world"
)

// StandardsCmd is about the county's standards.
type StandardsCmd struct {
	Check   StandardsCheckCmd   `cmd:"" help:"List everything that is wrong with a standards workbook."`
	Decide  StandardsDecideCmd  `cmd:"" help:"Show what the standards say of one household, with every comparison."`
	Publish StandardsPublishCmd `cmd:"" help:"Publish a standards workbook."`
}

const maxWorkbook = 16 << 20

// StandardsCheckCmd checks a workbook.
type StandardsCheckCmd struct {
	File string `arg:"" type:"path" help:"The standards: .xlsx or .md."`
}

func (c *StandardsCheckCmd) Run(o *Output) error {
	rs, err := openStandards(o, c.File)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "%s: standards %s, in force from %s\n", filepath.Base(c.File), rs.Version, rs.ValidFrom)
	return nil
}

func openStandards(o *Output, file string) (*standards.RuleSet, error) {
	data, err := readInput(file, maxWorkbook)
	if err != nil {
		return nil, err
	}
	rs, r := standards.Read(filepath.Base(file), data)
	report(o, filepath.Base(file), r)
	if rs == nil || !r.OK() {
		return nil, errFaulty
	}
	return rs, nil
}

// StandardsDecideCmd tries a household.
type StandardsDecideCmd struct {
	File      string `arg:"" type:"path" help:"The standards: .xlsx or .md."`
	Household string `required:"" type:"path" help:"A household's record (JSON)." placeholder:"FILE"`
	On        string `help:"The day of the decision, YYYY-MM-DD; today if not given." placeholder:"DAY"`
	JSON      bool   `name:"json" help:"Print one JSON document."`
}

func (c *StandardsDecideCmd) Run(o *Output) error {
	rs, err := openStandards(o, c.File)
	if err != nil {
		return err
	}
	data, err := readInput(c.Household, maxWorkbook)
	if err != nil {
		return err
	}
	var household map[string]any
	if err := json.Unmarshal(data, &household); err != nil {
		return &FileError{File: c.Household, Why: "unreadable", Err: err}
	}
	on := world.Real().Now()
	if c.On != "" {
		if on, err = time.Parse(time.DateOnly, c.On); err != nil {
			return &FileError{File: "--on " + c.On, Why: "unreadable", Err: err}
		}
	}
	d := rs.Decide(household, on)
	if c.JSON {
		return printJSON(o, d)
	}
	fmt.Fprintf(o.Out, "%s %s", d.Category, d.Label)
	if d.Amount > 0 {
		fmt.Fprintf(o.Out, ", %s yuan a month", d.Amount)
	}
	fmt.Fprintf(o.Out, " (standards %s; a suggestion, a person decides)\n", d.Version)
	for _, s := range d.Steps {
		fmt.Fprintf(o.Out, "  %s\n", s)
	}
	for _, m := range d.Missing {
		fmt.Fprintf(o.Out, "  missing: %s\n", m)
	}
	return nil
}
