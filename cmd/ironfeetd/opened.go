package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"

	"ironfeet/app/casework/office"
	"ironfeet/store/audit"
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

// look opens the folder and lets a command read in it.
func (d DataFlag) look(do func(ctx context.Context, of *office.Office) error) error {
	ctx := context.Background()
	of, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer of.Close()
	return do(ctx, of)
}

// A deed is what a command does in an open folder. What it changed or showed it
// returns as an act, also beside an error if it was half done; nil if it did neither.
type deed func(ctx context.Context, of *office.Office) (*audit.Act, error)

// act opens the folder, lets a command do its work, and writes what that was into
// the audit log.
func (d DataFlag) act(o *Output, do deed) error {
	return d.look(func(ctx context.Context, of *office.Office) error { return recorded(ctx, o, of, do) })
}

// act is the same in the folder of any machine.
func (f UnlockFlag) act(o *Output, do deed) error {
	ctx := context.Background()
	of, err := f.open(ctx, o)
	if err != nil {
		return err
	}
	defer of.Close()
	return recorded(ctx, o, of, do)
}

// byHand is who acted when nobody signed in: whoever has the machine.
const byHand = "command line"

// recorded does a deed and holds back what it says until the audit log has it:
// nothing is shown that is not on record.
func recorded(ctx context.Context, o *Output, of *office.Office, do deed) error {
	var said bytes.Buffer
	out := o.Out
	o.Out = &said
	act, err := do(ctx, of)
	o.Out = out
	if act != nil {
		if act.Actor == "" {
			act.Actor = byHand
		}
		if noted := note(ctx, of, *act); noted != nil {
			return errors.Join(noted, err)
		}
	}
	if _, saying := said.WriteTo(o.Out); err == nil {
		err = saying
	}
	return err
}

// shown is the entry of a command that shows what is said of persons; of nobody
// there is none.
func shown(what string, of int) *audit.Act {
	if of == 0 {
		return nil
	}
	return &audit.Act{Action: audit.Reveal, Object: what, Count: int64(of)}
}

// note writes one act into a folder's audit log.
func note(ctx context.Context, of *office.Office, act audit.Act) error {
	log, err := openAudit(ctx, of)
	if err != nil {
		return err
	}
	defer log.Close()
	_, err = log.Append(ctx, act)
	return err
}

// openAudit opens the folder's audit log.
func openAudit(ctx context.Context, of *office.Office) (*audit.Log, error) {
	nodes, err := countyNodes(ctx, of)
	if err != nil {
		return nil, err
	}
	var known []ed25519.PublicKey
	for _, n := range nodes {
		known = append(known, n.Key)
	}
	return audit.Open(ctx, audit.Options{
		World: of.World, Dir: of.Dir, Sealer: of.Replica, Key: of.NodeKey, Name: "ironfeet.audit/" + of.Replica.Identity().Division, Known: known,
	})
}

// countyNodes are the nodes that the county has and had: one more after each restore.
func countyNodes(ctx context.Context, of *office.Office) ([]trust.Certificate, error) {
	roll, err := of.Roll(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(roll.Nodes(), func(c trust.Certificate) bool { return c.Role != trust.County }), nil
}
