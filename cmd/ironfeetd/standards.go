package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"ironfeet/app/casework/determination"
	"ironfeet/app/words"
	"ironfeet/forms/standards"
	"ironfeet/store/world"
)

// StandardsCmd is about the county's standards.
type StandardsCmd struct {
	Check   StandardsCheckCmd   `cmd:"" help:"List everything that is wrong with a standards workbook."`
	Decide  StandardsDecideCmd  `cmd:"" help:"Show what the standards say of one household, with every comparison."`
	Publish StandardsPublishCmd `cmd:"" help:"Publish a standards workbook."`
	List    StandardsListCmd    `cmd:"" help:"List the published versions and the days they hold."`
	WhatIf  StandardsWhatIfCmd  `cmd:"" name:"whatif" help:"Show who would change under a draft before it is published."`
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
	household, err := standards.ReadHousehold(data)
	if err != nil {
		return explainAll(o, err)
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
	for _, line := range determination.Trace(d, words.In(o.Lang).Say) {
		fmt.Fprintln(o.Out, line)
	}
	return nil
}

// explainAll explains every error of a joined one.
func explainAll(o *Output, err error) error {
	var several interface{ Unwrap() []error }
	if !errors.As(err, &several) {
		return err
	}
	for _, e := range several.Unwrap() {
		explain(o, e)
	}
	return errFaulty
}
