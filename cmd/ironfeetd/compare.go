package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/office"
	"ironfeet/app/compare"
	"ironfeet/app/words"
	"ironfeet/assets/yunqi"
	"ironfeet/store/audit"
)

// CompareCmd compares department lists.
type CompareCmd struct {
	Preview ComparePreviewCmd `cmd:"" help:"Show how a list would be read and matched; write nothing."`
	Run     CompareRunCmd     `cmd:"" help:"Compare a list and raise alerts."`
}

type compareFlags struct {
	DataFlag
	KindsFlag
	File     string            `arg:"" type:"path" help:"The list: .xlsx, .xls, .csv or .tsv."`
	Source   string            `required:"" help:"Which source the list comes from, such as vehicles." placeholder:"NAME"`
	Rejected string            `type:"path" help:"Write the rows that could not be compared to this workbook." placeholder:"FILE"`
	ID       string            `name:"id-column" help:"The heading of the identity numbers, where it is not found." placeholder:"HEADING"`
	Name     string            `name:"name-column" help:"The heading of the names." placeholder:"HEADING"`
	Column   map[string]string `help:"The heading of a field of the source, as FIELD=HEADING." placeholder:"FIELD=HEADING"`
	JSON     bool              `name:"json" help:"Print one JSON document."`
}

// KindsFlag names the county's workbook of alert kinds.
type KindsFlag struct {
	Kinds string `type:"path" help:"A workbook of sources and alert kinds; otherwise the folder's own (alert adopt), or the sample county's." placeholder:"FILE"`
}

func (c *KindsFlag) read(o *Output, of *office.Office) (*alerts.Kinds, error) {
	if c.Kinds == "" && of != nil {
		if own, err := alerts.Kept(context.Background(), of.Replica); own != nil || err != nil {
			return own, err
		}
	}
	name, data := yunqi.AlertKinds()
	if c.Kinds != "" {
		var err error
		if data, err = readInput(c.Kinds, maxWorkbook); err != nil {
			return nil, err
		}
		name = c.Kinds
	}
	k, problems := alerts.Read(filepath.Base(name), data)
	report(o, filepath.Base(name), problems)
	if k == nil {
		return nil, errFaulty
	}
	return k, nil
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

// mapping is what was said by hand about the columns, nil if nothing was.
func (c *compareFlags) mapping() *compare.Mapping {
	if c.ID == "" && c.Name == "" && len(c.Column) == 0 {
		return nil
	}
	return &compare.Mapping{ID: c.ID, Name: c.Name, Fields: c.Column}
}

// run reads the list, lets work compare it, and tells what came of it. Of a look
// there is no entry: it shows counts and headings.
func (c *compareFlags) run(o *Output, writes bool, work func(context.Context, *office.Office, *alerts.Kinds, *alerts.Source, *compare.File) (*compare.Report, error)) error {
	f, err := compare.OpenFile(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		k, err := c.read(o, of)
		if err != nil {
			return nil, err
		}
		s := k.Source(c.Source)
		if s == nil {
			return nil, &UnknownSourceError{c.Source, k.Names()}
		}
		rep, err := work(ctx, of, k, s, f)
		if err != nil {
			return nil, err
		}
		var act *audit.Act
		if writes {
			act = &audit.Act{Action: audit.Compare, Object: s.Name, Count: int64(rep.Read), Detail: map[string]string{
				"file": rep.File, "sha256": hex.EncodeToString(rep.Digest[:]), "alerts": strconv.Itoa(rep.Raised.Alerts)}}
		}
		return act, c.tell(o, of, rep)
	})
}

// tell says what a comparison came to, and writes the rows that go back.
func (c *compareFlags) tell(o *Output, of *office.Office, rep *compare.Report) error {
	say := words.In(o.Lang)
	if c.JSON {
		if err := printJSON(o, rep); err != nil {
			return err
		}
	} else {
		for _, line := range compared(rep) {
			fmt.Fprintln(o.Out, line)
		}
		for _, n := range rep.Notes {
			fmt.Fprintln(o.Err, "note:", say.Say(n.Code, n))
		}
	}
	if c.Rejected == "" || len(rep.Rejected)+len(rep.Unread) == 0 {
		return nil
	}
	_, err := writeOutput(of.World, c.Rejected, func(w io.Writer) error {
		return compare.WriteRejected(w, rep, func(code string) string { return say.Say(code, nil) })
	})
	return err
}

// compared tells a comparison in a few lines.
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
			filepath.Base(rep.File), encoding, rep.Mapping.Header, rep.Read, rep.Matched, rep.Unmatched, len(rep.Rejected)),
		fmt.Sprintf("levels%s; %d meet a condition: %d new alerts, %d known before, %d with new facts, %d rows about the same; %d lack a value; %d rejected rows may mean somebody",
			levels, len(rep.Hits), rep.Raised.Alerts, rep.Raised.Known, rep.Raised.Updated, rep.Raised.Merged, rep.Undecided, rep.Candidates),
	}
	for _, s := range rep.Sheets {
		if s.Header == 0 {
			lines = append(lines, fmt.Sprintf("sheet %s has no heading with an identity number: its %d rows were passed over", s.Name, s.Rows))
		}
	}
	if rep.Twice > 0 {
		lines = append(lines, fmt.Sprintf("%d rows are about a number that two people of the registry have", rep.Twice))
	}
	if len(rep.Unread) > 0 {
		lines = append(lines, fmt.Sprintf("%d amounts or days could not be read; --rejected writes them down", len(rep.Unread)))
	}
	if rep.Withdrawn > 0 {
		lines = append(lines, fmt.Sprintf("%d open alerts of earlier lists are not in this one and were marked", rep.Withdrawn))
	}
	if rep.Again {
		lines = append(lines, "this very file was compared before")
	}
	return lines
}

// ComparePreviewCmd previews.
type ComparePreviewCmd struct{ compareFlags }

func (c *ComparePreviewCmd) Run(o *Output) error {
	return c.run(o, false, func(ctx context.Context, of *office.Office, k *alerts.Kinds, s *alerts.Source, f *compare.File) (*compare.Report, error) {
		rep, err := compare.Preview(ctx, of.Replica, of.World, k, s, f, compare.Options{Mapping: c.mapping()})
		if err == nil && !c.JSON {
			for _, line := range columnsOf(rep, s) {
				fmt.Fprintln(o.Out, line)
			}
		}
		return rep, err
	})
}

// columnsOf tells which column was taken for what, and which were left.
func columnsOf(rep *compare.Report, s *alerts.Source) []string {
	used := map[string]bool{}
	line := func(what, heading string) string {
		if heading == "" {
			return "  " + what + ": no column"
		}
		used[strings.TrimSpace(heading)] = true
		return "  " + what + ": " + heading
	}
	m := rep.Mapping
	lines := []string{"columns:", line("identity number", m.ID), line("name", m.Name)}
	for _, f := range s.Fields {
		lines = append(lines, line(f.Label, m.Fields[f.Name]))
	}
	var rest []string
	for _, h := range rep.Headings {
		if !used[h] {
			rest = append(rest, h)
		}
	}
	if len(rest) > 0 {
		lines = append(lines, "  not looked at: "+strings.Join(rest, ", "))
	}
	return lines
}

// CompareRunCmd compares.
type CompareRunCmd struct {
	compareFlags
	Corrects bool `help:"The list replaces an earlier one of its source: what it no longer names is marked."`
}

func (c *CompareRunCmd) Run(o *Output) error {
	return c.run(o, true, func(ctx context.Context, of *office.Office, k *alerts.Kinds, s *alerts.Source, f *compare.File) (*compare.Report, error) {
		return compare.Run(ctx, of.Replica, of.World, of.Replica.Identity().Node, k, s, f, compare.Options{Mapping: c.mapping(), Corrects: c.Corrects})
	})
}
