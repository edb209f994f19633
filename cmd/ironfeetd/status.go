package main

import (
	"context"
	"fmt"
	"time"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/words"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// StatusCmd says what a folder holds.
type StatusCmd struct{ DataFlag }

func (c *StatusCmd) Run(o *Output) error {
	ctx := context.Background()
	of, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer of.Close()
	id := of.Replica.Identity()
	fmt.Fprintf(o.Out, "%s (%s, %s), node %s\n", id.Name, id.Role, id.Division, id.Node)
	for _, k := range []store.Kind{store.Household, store.Member, store.Task, store.Visit, store.Review, store.Alert, store.Determination, store.Form, store.Standards, store.List, store.Person, store.Node} {
		n, err := of.Replica.Count(ctx, store.Query{Kind: k})
		if err != nil {
			return err
		}
		fmt.Fprintf(o.Out, "%-14s %6d\n", k, n)
	}
	open, err := of.Replica.Count(ctx, store.Query{Kind: store.Task, State: tasks.Open})
	if err != nil {
		return err
	}
	conflicts, err := of.Replica.Conflicts(ctx, "")
	if err != nil {
		return err
	}
	missing, err := of.Replica.MissingBlobs(ctx)
	if err != nil {
		return err
	}
	held, err := of.Replica.HeldBundles(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "open tasks %d, conflicts %d, photos still to come %d, bundles waiting or set aside %d\n", open, len(conflicts), len(missing), len(held))
	for _, h := range held {
		fmt.Fprintf(o.Out, "  %s %d-%d since %s: %s %s\n", h.Node, h.First, h.Last, h.Since.Format(time.DateOnly), words.In(o.Lang).Say(h.Reason, h), h.Detail)
	}
	return nil
}

// DoctorCmd checks every invariant of a folder.
type DoctorCmd struct {
	DataFlag
	Rebuild bool `help:"Make everything that follows from the log anew."`
}

func (c *DoctorCmd) Run(o *Output) error {
	ctx := context.Background()
	of, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer of.Close()
	if c.Rebuild {
		if err := of.Replica.Rebuild(ctx); err != nil {
			return err
		}
		fmt.Fprintln(o.Out, "the state was made anew from the log")
	}
	findings, err := of.Replica.Check(ctx)
	if err != nil {
		return err
	}
	for _, f := range findings {
		fmt.Fprintf(o.Err, "%v\n", f)
	}
	entries, faults, err := checkAudit(ctx, of)
	if err != nil {
		return err
	}
	for _, f := range faults {
		explain(o, f)
	}
	if len(findings)+len(faults) > 0 {
		return errFaulty
	}
	fmt.Fprintln(o.Out, "sound: every invariant holds")
	fmt.Fprintf(o.Out, "audit log: %d entries, chained, and as every checkpoint given out has them\n", entries)
	return nil
}

// checkAudit holds the audit log against itself and against every checkpoint that
// travelled with the county's changes.
func checkAudit(ctx context.Context, of *office.Office) (int64, []audit.Finding, error) {
	log, err := openAudit(ctx, of)
	if err != nil {
		return 0, nil, err
	}
	defer log.Close()
	witnessed, err := audit.Witnessed(ctx, of.Replica, of.Replica.Identity().Node)
	if err != nil {
		return 0, nil, err
	}
	found, err := log.Check(ctx, witnessed...)
	if err != nil {
		return 0, nil, err
	}
	n, err := log.Size(ctx)
	return n, found, err
}
