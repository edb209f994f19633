package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ironfeet/app/casework/office"
	"ironfeet/app/words"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/carrier"
	"ironfeet/sync/trust"
)

// BundleCopyCmd copies a carrier with all its files.
type BundleCopyCmd struct {
	From string `arg:"" type:"existingfile" help:"The carrier."`
	To   string `arg:"" type:"path" help:"Where to, a file or a folder."`
}

func (c *BundleCopyCmd) Run(o *Output) error {
	if s, err := os.Stat(c.To); err == nil && s.IsDir() {
		c.To = filepath.Join(c.To, filepath.Base(c.From))
	}
	written, kept, err := carrier.Copy(context.Background(), world.Real(), c.From, c.To, func(int64) {})
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "%s: %s written, %s were there already\n", c.To, bytesText(written), bytesText(kept))
	return nil
}

// BundleHeldCmd lists what waits or was set aside.
type BundleHeldCmd struct {
	DataFlag
	JSON bool `name:"json" help:"Print one JSON document."`
}

// A heldLine is one bundle as --json shows it.
type heldLine struct {
	Digest string `json:"digest"`
	Node   string `json:"node"`
	Name   string `json:"name,omitempty"`
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
	Reason string `json:"reason"`
	Said   string `json:"said"`
	Since  string `json:"since"`
}

func (c *BundleHeldCmd) Run(o *Output) error {
	return c.look(func(ctx context.Context, of *office.Office) error {
		roll, err := of.Roll(ctx)
		if err != nil {
			return err
		}
		list, err := of.Replica.HeldBundles(ctx)
		if err != nil {
			return err
		}
		lines := make([]heldLine, 0, len(list))
		for _, h := range list {
			l := heldLine{Digest: h.Digest.String(), Node: h.Node.String(), First: h.First, Last: h.Last, Reason: h.Reason,
				Said: words.In(o.Lang).Say(h.Reason, h), Since: h.Since.Format(time.DateOnly)}
			if node, known := roll.Node(h.Node); known {
				l.Name = node.Name
			}
			lines = append(lines, l)
		}
		if c.JSON {
			return json.NewEncoder(o.Out).Encode(lines)
		}
		for _, l := range lines {
			fmt.Fprintf(o.Out, "%s  %s  %d-%d  since %s  %s: %s\n", l.Digest[:12], l.Name, l.First, l.Last, l.Since, l.Reason, l.Said)
		}
		return nil
	})
}

// BundleAcceptCmd is a person's decision about one bundle.
type BundleAcceptCmd struct {
	DataFlag
	Digest string `arg:"" help:"The bundle, as bundle held shows it; its beginning is enough."`
	Reason string `required:"" help:"Why; kept with the record."`
}

// A HeldError means that no single held bundle is meant.
type HeldError struct {
	Digest string
	Why    string // none, several, unsigned
}

func (e *HeldError) Error() string {
	switch e.Why {
	case "several":
		return e.Digest + ": more than one bundle begins so"
	case "unsigned":
		return e.Digest + ": nobody can accept what its machine has not signed"
	}
	return e.Digest + ": no such bundle waits or was set aside"
}

// Code is the key of the sentence.
func (e *HeldError) Code() string { return "bundle.held_" + e.Why }

func (c *BundleAcceptCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		list, err := of.Replica.HeldBundles(ctx)
		if err != nil {
			return nil, err
		}
		var found *store.Held
		for i := range list {
			if !strings.HasPrefix(list[i].Digest.String(), strings.ToLower(c.Digest)) {
				continue
			}
			if found != nil {
				return nil, &HeldError{c.Digest, "several"}
			}
			found = &list[i]
		}
		if found == nil {
			return nil, &HeldError{c.Digest, "none"}
		}
		b, m, err := bundle.Parse(found.Raw)
		if err != nil {
			return nil, errors.Join(&HeldError{c.Digest, "unsigned"}, err)
		}
		roll, err := of.Roll(ctx)
		if err != nil {
			return nil, err
		}
		certificate, known := roll.NodeKey(b.Node, m.KID)
		if !known || m.Verify(certificate.Key) != nil {
			return nil, &HeldError{c.Digest, "unsigned"}
		}
		edit := trust.AcceptEdit(b.Node, of.Replica.Identity().Division, b.First, b.Digest)
		edit.Fields["accepted.reason"] = store.Text(c.Reason)
		if _, err := of.Replica.Write(ctx, of.Replica.Identity().Node, edit); err != nil {
			return nil, err
		}
		act := &audit.Act{Action: audit.Decision, Object: "bundle " + b.Digest.String(), Count: int64(b.Last - b.First + 1), Digest: b.Digest[:], Detail: map[string]string{"node": b.Node.String(), "reason": c.Reason}}
		if _, err := of.Merger.Reconsider(ctx); err != nil {
			return act, err
		}
		fmt.Fprintf(o.Out, "changes %d-%d of %s count now\n", b.First, b.Last, certificate.Name)
		return act, nil
	})
}
