package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/app/words"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// DoctorCmd checks every invariant of a folder.
type DoctorCmd struct {
	UnlockFlag
	Rebuild bool `help:"Make everything that follows from the log anew."`
	JSON    bool `name:"json" help:"Print one JSON document."`
}

// Help says what a finding means for the exit status.
func (DoctorCmd) Help() string {
	return "Exit status 1 means that an invariant is broken. A warning, such as a tablet's clock that runs ahead, is printed and is no fault.\n\n" +
		"  ironfeetd doctor --data county"
}

func (c *DoctorCmd) Run(o *Output) error {
	ctx := context.Background()
	of, err := c.open(ctx, o)
	if err != nil {
		return err
	}
	defer of.Close()
	if c.Rebuild {
		if err := of.Replica.Rebuild(ctx); err != nil {
			return err
		}
		if err := note(ctx, of, audit.Act{Actor: byHand, Action: audit.Administration, Object: "state", Detail: map[string]string{"do": "rebuild"}}); err != nil {
			return err
		}
		fmt.Fprintln(o.Err, "the state was made anew from the log")
	}
	findings, err := of.Replica.Check(ctx)
	if err != nil {
		return err
	}
	entries, faults, err := checkAudit(ctx, of)
	if err != nil {
		return err
	}
	sound := len(faults) == 0
	say := words.In(o.Lang)
	for _, f := range findings {
		sound = sound && !f.Grave
		if c.JSON {
			continue
		}
		label := "warning:"
		if f.Grave {
			label = "error:"
		}
		fmt.Fprintln(o.Err, label, say.Say(f.Code, f))
		if hint := f.Code + ".hint"; say.Has(hint) {
			fmt.Fprintln(o.Err, "hint:", say.Say(hint, f))
		}
	}
	for _, f := range faults {
		explain(o, f)
	}
	if c.JSON {
		doc := struct {
			Sound    bool            `json:"sound"`
			Findings []store.Finding `json:"findings"`
			Audit    int64           `json:"audit_entries"`
		}{sound, append([]store.Finding{}, findings...), entries}
		if err := json.NewEncoder(o.Out).Encode(doc); err != nil {
			return err
		}
	}
	switch {
	case !sound:
		return errFaulty
	case !c.JSON:
		fmt.Fprintln(o.Out, "sound: every invariant holds")
		fmt.Fprintf(o.Out, "audit log: %d entries, chained, and as every checkpoint given out has them\n", entries)
	}
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
	nodes, err := countyNodes(ctx, of)
	if err != nil {
		return 0, nil, err
	}
	var ids []uuid.UUID
	for _, n := range nodes {
		ids = append(ids, n.Subject)
	}
	witnessed, err := audit.Witnessed(ctx, of.Replica, ids...)
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
