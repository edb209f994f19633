package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"ironfeet/app/casework/office"
	"ironfeet/app/compare"
	"ironfeet/app/words"
	"ironfeet/assets/yunqi"
)

// maxList bounds a department's list.
const maxList = 256 << 20

// CompareCmd compares department lists.
type CompareCmd struct {
	Preview ComparePreviewCmd `cmd:"" help:"Show how a list would be read and matched; write nothing."`
	Run     CompareRunCmd     `cmd:"" help:"Compare a list and raise alerts."`
}

type compareFlags struct {
	DataFlag
	File     string `arg:"" type:"path" help:"The list: .xlsx, .csv or .tsv."`
	Source   string `required:"" help:"Which source the list comes from, such as vehicles." placeholder:"NAME"`
	Sources  string `type:"path" help:"The county's description of its sources (JSON); the sample county's if not given." placeholder:"FILE"`
	Rejected string `type:"path" help:"Write the rows that could not be compared to this workbook." placeholder:"FILE"`
}

// An UnknownSourceError means the name given is no source's.
type UnknownSourceError struct {
	Name  string
	Known []string
}

func (e *UnknownSourceError) Error() string {
	return fmt.Sprintf("there is no source %q; known are %s", e.Name, strings.Join(e.Known, ", "))
}

// Code is the key of the sentence.
func (e *UnknownSourceError) Code() string { return "compare.unknown_source" }

func (c *compareFlags) source() (compare.Source, error) {
	data := yunqi.Sources()
	if c.Sources != "" {
		var err error
		if data, err = readInput(c.Sources, 1<<20); err != nil {
			return compare.Source{}, err
		}
	}
	sources, err := compare.ReadSources(data)
	if err != nil {
		return compare.Source{}, err
	}
	s, ok := sources[c.Source]
	if !ok {
		return s, &UnknownSourceError{c.Source, slices.Sorted(maps.Keys(sources))}
	}
	return s, nil
}

func (c *compareFlags) run(o *Output, work func(context.Context, *office.Office, compare.Source, []byte) (*compare.Report, error)) error {
	s, err := c.source()
	if err != nil {
		return err
	}
	data, err := readInput(c.File, maxList)
	if err != nil {
		return err
	}
	ctx := context.Background()
	of, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer of.Close()
	rep, err := work(ctx, of, s, data)
	if err != nil {
		return err
	}
	for _, line := range compared(rep) {
		fmt.Fprintln(o.Out, line)
	}
	if c.Rejected == "" || rep.Rejected == 0 {
		return nil
	}
	say := words.In(o.Lang)
	_, err = writeOutput(of.World, c.Rejected, func(w io.Writer) error {
		return compare.WriteRejected(w, rep, func(code string) string { return say.Say(code, nil) })
	})
	return err
}

// compared tells a comparison in two lines.
func compared(rep *compare.Report) []string {
	levels := ""
	for _, l := range slices.Sorted(maps.Keys(rep.Levels)) {
		levels += fmt.Sprintf(" %s %d", l, rep.Levels[l])
	}
	encoding := rep.Encoding
	if encoding == "" {
		encoding = "workbook"
	}
	lines := []string{
		fmt.Sprintf("%s (%s, heading in row %d): %d rows read = %d matched + %d unmatched + %d rejected",
			filepath.Base(rep.File), encoding, rep.Header, rep.Read, rep.Matched, rep.Unmatched, rep.Rejected),
		fmt.Sprintf("levels%s; %d meet the condition, %d new alerts, %d known before, %d lack a value", levels, rep.Hits, rep.Alerts, rep.Known, rep.Undecided),
	}
	if rep.Again {
		lines = append(lines, "this very file was compared before")
	}
	return lines
}

// ComparePreviewCmd previews.
type ComparePreviewCmd struct{ compareFlags }

func (c *ComparePreviewCmd) Run(o *Output) error {
	return c.run(o, func(ctx context.Context, of *office.Office, s compare.Source, data []byte) (*compare.Report, error) {
		return compare.Preview(ctx, of.Replica, of.World, s, c.File, data)
	})
}

// CompareRunCmd compares.
type CompareRunCmd struct{ compareFlags }

func (c *CompareRunCmd) Run(o *Output) error {
	return c.run(o, func(ctx context.Context, of *office.Office, s compare.Source, data []byte) (*compare.Report, error) {
		return compare.Run(ctx, of.Replica, of.World, of.Replica.Identity().Node, s, c.File, data)
	})
}
