package main

import (
	"context"
	"fmt"
	"time"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/words"
	"ironfeet/store"
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
	if len(findings) > 0 {
		return errFaulty
	}
	fmt.Fprintln(o.Out, "sound: every invariant holds")
	return nil
}
