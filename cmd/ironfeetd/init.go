package main

import (
	"context"
	"fmt"
	"path/filepath"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/words"
	"ironfeet/forms/xlsform"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// DataFlag names a county's data folder.
type DataFlag struct {
	Data string `required:"" type:"path" help:"The county's data folder." placeholder:"DIR"`
}

// open opens the folder of a county server that is not running.
func (d DataFlag) open(ctx context.Context) (*office.Office, error) {
	return office.Open(ctx, world.Real(), d.Data)
}

// InitCmd sets up a county.
type InitCmd struct {
	DataFlag
	Name     string `required:"" help:"The county's name."`
	Division string `required:"" help:"The county's six-digit code (GB/T 2260)." placeholder:"CODE"`
}

func (c *InitCmd) Run(o *Output) error {
	of, err := office.Found(context.Background(), world.Real(), c.Data, c.Name, c.Division)
	if err != nil {
		return err
	}
	defer of.Close()
	fmt.Fprintf(o.Out, "%s (%s) is set up in %s\n", c.Name, c.Division, c.Data)
	fmt.Fprintf(o.Out, "root fingerprint: %s\n", trust.Fingerprint(of.Root))
	fmt.Fprintf(o.Out, "public key: %s\n", filepath.Join(c.Data, office.PublicKeyFile))
	return nil
}

// report prints what is wrong with a workbook, cell by cell.
func report(o *Output, file string, r xlsform.Report) {
	for _, p := range r.Errors {
		fmt.Fprintf(o.Err, "%s: error: %s\n", file, said(o, p))
	}
	for _, p := range r.Warnings {
		fmt.Fprintf(o.Err, "%s: warning: %s\n", file, said(o, p))
	}
}

// said is one problem of a workbook: where, what, and what to do next.
func said(o *Output, p xlsform.Problem) string {
	message, hint := p.Message, p.Hint
	if say := words.In(o.Lang); say.Has(p.Code) {
		message, hint = say.Say(p.Code, p), ""
		if say.Has(p.Code + ".hint") {
			hint = say.Say(p.Code+".hint", p)
		}
	}
	if place := p.Place(); place != "" {
		message = place + ": " + message
	}
	if hint != "" {
		message += " (" + hint + ")"
	}
	return message
}

// FormPublishCmd publishes a form to every tablet of the county.
type FormPublishCmd struct {
	DataFlag
	File string `arg:"" type:"existingfile" help:"The form: .xlsx or .md."`
}

func (c *FormPublishCmd) Run(o *Output) error {
	data, err := readInput(c.File, publish.MaxWorkbook)
	if err != nil {
		return err
	}
	ctx := context.Background()
	of, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer of.Close()
	f, problems, err := publish.Form(ctx, of.Replica, of.Replica.Identity().Node, c.File, data)
	report(o, filepath.Base(c.File), problems)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "%s %s is published: %d questions, %d warnings\n", f.ID(), f.Version(), f.Questions(), len(problems.Warnings))
	return nil
}

// StandardsPublishCmd publishes a rule set.
type StandardsPublishCmd struct {
	DataFlag
	File string `arg:"" type:"existingfile" help:"The standards: .xlsx or .md."`
}

func (c *StandardsPublishCmd) Run(o *Output) error {
	data, err := readInput(c.File, publish.MaxWorkbook)
	if err != nil {
		return err
	}
	ctx := context.Background()
	of, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer of.Close()
	rs, problems, err := publish.Standards(ctx, of.Replica, of.Replica.Identity().Node, c.File, data)
	report(o, filepath.Base(c.File), problems)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "standards %s are published, in force from %s\n", rs.Version, rs.ValidFrom)
	return nil
}
