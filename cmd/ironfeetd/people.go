package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/cose"
	"ironfeet/sync/county"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// PersonCmd is about people.
type PersonCmd struct {
	Add     PersonAddCmd     `cmd:"" help:"Enrol a person of the county's own office."`
	List    PersonListCmd    `cmd:"" help:"List everybody enrolled."`
	Disable PersonDisableCmd `cmd:"" help:"End a person's enrolment from now on."`
}

// PersonAddCmd enrols a person at the county's folder. The PIN is read from
// standard input, never from the command line, which other people can read.
type PersonAddCmd struct {
	DataFlag
	Name string     `required:"" help:"The person's name."`
	Role trust.Role `required:"" help:"county, approver, child_approver or auditor."`
}

func (c *PersonAddCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		fmt.Fprintf(o.Err, "PIN for %s (at least 6 digits): ", c.Name)
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, 256)).ReadString('\n')
		if err != nil && line == "" {
			return nil, &FileError{File: "standard input", Why: "unreadable", Err: err}
		}
		id, err := of.Enrol(ctx, c.Name, c.Role, []string{of.Replica.Identity().Division}, strings.TrimSpace(line))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s  %s  %s\n", id, c.Role, c.Name)
		return &audit.Act{Action: audit.Account, Object: id.String(), Count: 1, Detail: map[string]string{"do": "enrol", "role": string(c.Role), "name": c.Name}}, nil
	})
}

// PersonListCmd lists people.
type PersonListCmd struct{ DataFlag }

func (c *PersonListCmd) Run(o *Output) error {
	return c.look(func(ctx context.Context, of *office.Office) error {
		roll, err := of.Roll(ctx)
		if err != nil {
			return err
		}
		for _, p := range roll.People() {
			state := "until " + p.Until.Format(time.DateOnly)
			if at, gone := roll.PersonRevoked(p.Subject); gone {
				state = "ended " + at.Format(time.DateOnly)
			}
			fmt.Fprintf(o.Out, "%s  %-10s %s  %s  %s\n", p.Subject, p.Role, strings.Join(p.Scope, ","), state, p.Name)
		}
		return nil
	})
}

// PersonDisableCmd ends an enrolment.
type PersonDisableCmd struct {
	DataFlag
	Person uuid.UUID `arg:"" help:"The person's id, as person list shows it."`
	Reason string    `required:"" help:"Why; kept with the record."`
}

func (c *PersonDisableCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		roll, err := of.Roll(ctx)
		if err != nil {
			return nil, err
		}
		if len(roll.Person(c.Person)) == 0 {
			return nil, &office.StrangerError{Name: c.Person.String()}
		}
		edit := trust.RevokePersonEdit(c.Person, of.Replica.Identity().Division, of.World.Now(), c.Reason)
		if _, err := of.Replica.Write(ctx, of.Replica.Identity().Node, edit); err != nil {
			return nil, err
		}
		_, err = of.Merger.Reconsider(ctx)
		fmt.Fprintf(o.Out, "%s is disabled\n", c.Person)
		return &audit.Act{Action: audit.Account, Object: c.Person.String(), Count: 1, Detail: map[string]string{"do": "end", "reason": c.Reason}}, err
	})
}

// NodeCmd is about machines.
type NodeCmd struct {
	Invite NodeInviteCmd `cmd:"" help:"Invite a tablet or a township computer."`
	List   NodeListCmd   `cmd:"" help:"List every machine enrolled."`
	Revoke NodeRevokeCmd `cmd:"" help:"Revoke a lost or stolen machine."`
	Renew  NodeRenewCmd  `cmd:"" help:"Give this tablet or township computer its next key, certified by the county's server."`
}

// NodeInviteCmd writes an invitation and prints its code.
type NodeInviteCmd struct {
	DataFlag
	Name   string        `required:"" help:"What the machine is called, such as 云栖镇平板A."`
	Role   trust.Role    `default:"worker" help:"worker or township."`
	Scope  []string      `required:"" help:"Division codes it works for." placeholder:"CODE"`
	Person []string      `required:"" help:"Names of the people who will work at it."`
	Server string        `required:"" help:"Where it will reach the county, such as https://county.example:8642." placeholder:"URL"`
	Valid  time.Duration `default:"72h" help:"How long the invitation can be used."`
	QR     string        `name:"qr" type:"path" help:"Write the code as a QR picture (PNG); - draws it on the terminal." placeholder:"FILE"`
}

func (c *NodeInviteCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		server, err := newServer(of, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, err
		}
		q := county.InviteRequest{Server: c.Server, Name: c.Name, Role: c.Role, Scope: c.Scope, Valid: c.Valid}
		for _, name := range c.Person {
			q.People = append(q.People, exchange.Guest{Name: name, Role: string(c.Role), Scope: c.Scope})
		}
		inv, _, err := server.Invite(ctx, q)
		if err != nil {
			return nil, err
		}
		act := &audit.Act{Action: audit.Invite, Object: c.Name, Count: int64(len(q.People)), Detail: map[string]string{"role": string(c.Role), "scope": strings.Join(c.Scope, " "), "people": strings.Join(c.Person, " ")}}
		fmt.Fprintln(o.Out, inv.Code())
		if err := c.draw(o, inv); err != nil {
			return act, err
		}
		fmt.Fprintf(o.Err, "shown once and kept nowhere; can be used until %s\n", of.World.Now().Add(c.Valid).Format("2006-01-02 15:04"))
		return act, nil
	})
}

// draw shows the code as a picture where that is asked for.
func (c *NodeInviteCmd) draw(o *Output, inv trust.Invitation) error {
	switch c.QR {
	case "":
		return nil
	case "-":
		blocks, err := inv.Blocks()
		fmt.Fprint(o.Err, blocks)
		return err
	}
	picture, err := inv.QR()
	if err != nil {
		return err
	}
	return world.WriteFile(world.OS{}, c.QR, picture)
}

// NodeListCmd lists machines.
type NodeListCmd struct{ DataFlag }

func (c *NodeListCmd) Run(o *Output) error {
	return c.look(func(ctx context.Context, of *office.Office) error {
		roll, err := of.Roll(ctx)
		if err != nil {
			return err
		}
		for _, n := range roll.Nodes() {
			tip, err := of.Replica.Tip(ctx, n.Subject)
			if err != nil {
				return err
			}
			state := "until " + n.Until.Format(time.DateOnly)
			if r, gone := roll.Revoked(n.Subject); gone {
				state = fmt.Sprintf("revoked after change %d", r.After)
			}
			fmt.Fprintf(o.Out, "%s  %-9s %s  %s  %d changes  %s\n", n.Subject, n.Role, strings.Join(n.Scope, ","), state, tip.Last, n.Name)
		}
		return nil
	})
}

// NodeRevokeCmd revokes a machine: what the county holds of it stays, whatever
// turns up later is set aside.
type NodeRevokeCmd struct {
	DataFlag
	Node   uuid.UUID `arg:"" help:"The machine's id, as node list shows it."`
	Reason string    `required:"" help:"Why; kept with the record."`
}

func (c *NodeRevokeCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		roll, err := of.Roll(ctx)
		if err != nil {
			return nil, err
		}
		if _, known := roll.Node(c.Node); !known {
			return nil, &office.StrangerError{Name: c.Node.String()}
		}
		tip, err := of.Replica.Tip(ctx, c.Node)
		if err != nil {
			return nil, err
		}
		edits := []store.Edit{trust.RevokeEdit(c.Node, of.Replica.Identity().Division, tip.Last, c.Reason)}
		if _, err := of.Replica.Write(ctx, of.Replica.Identity().Node, edits...); err != nil {
			return nil, err
		}
		act := &audit.Act{Action: audit.Revoke, Object: c.Node.String(), Count: 1, Detail: map[string]string{"reason": c.Reason, "after": fmt.Sprint(tip.Last)}}
		if _, err := of.Merger.Reconsider(ctx); err != nil {
			return act, err
		}
		fmt.Fprintf(o.Out, "%s is revoked; its changes up to %d stay\n", c.Node, tip.Last)
		return act, nil
	})
}

// NodeRenewCmd changes the key of the machine that it runs on. If it breaks off, either
// key counts, and the next try goes on with the same.
type NodeRenewCmd struct {
	UnlockFlag
}

func (c *NodeRenewCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		id := of.Replica.Identity()
		if of.Server == "" {
			return nil, ErrOwnServer
		}
		if err := of.Renew(ctx); err != nil {
			return nil, err
		}
		key := hex.EncodeToString(cose.KeyID(of.NodeKey.Public().(ed25519.PublicKey)))
		fmt.Fprintf(o.Out, "%s  %s signs with its next key, %s\n", id.Node, id.Name, key)
		return &audit.Act{Action: audit.Administration, Object: id.Node.String(), Count: 1, Detail: map[string]string{"do": "renew", "key": key}}, nil
	})
}

// ErrOwnServer means that the county's own folder was to ask the county's server.
var ErrOwnServer error = ownServer{errors.New("this is the county's own folder: only tablets and township computers ask the county for their next key")}

type ownServer struct{ error }

func (ownServer) Code() string { return "node.own_server" }
