package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/words"
	"ironfeet/forms/xlsform"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

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
	if err := note(context.Background(), of, audit.Act{Actor: byHand, Action: audit.Administration, Object: c.Division, Count: 1, Detail: map[string]string{"do": "init", "name": c.Name, "root": trust.Fingerprint(of.Root)}}); err != nil {
		return err
	}
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
	File string `arg:"" type:"existingfile" help:"The form: .xlsx or .md. Lists, pictures and sounds that it names go with it from its folder."`
}

func (c *FormPublishCmd) Run(o *Output) error {
	data, err := readInput(c.File, publish.MaxWorkbook)
	if err != nil {
		return err
	}
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		f, problems, err := publish.Form(ctx, of.Replica, of.Replica.Identity().Node, c.File, data, os.DirFS(filepath.Dir(c.File)))
		report(o, filepath.Base(c.File), problems)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s %s is published: %d questions, %d warnings\n", f.ID(), f.Version(), f.Questions(), len(problems.Warnings))
		return published("form "+f.ID(), c.File, data), nil
	})
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
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		rs, problems, err := publish.Standards(ctx, of.Replica, of.Replica.Identity().Node, c.File, data)
		report(o, filepath.Base(c.File), problems)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "standards %s are published, in force from %s\n", rs.Version, rs.ValidFrom)
		return published("standards", c.File, data), nil
	})
}

// published is the entry of a file that is in force from now on.
func published(what, file string, data []byte) *audit.Act {
	digest := sha256.Sum256(data)
	return &audit.Act{Action: audit.Publish, Object: what, Count: 1, Digest: digest[:], Detail: map[string]string{"file": filepath.Base(file)}}
}
