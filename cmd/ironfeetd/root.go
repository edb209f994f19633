package main

import (
	"context"
	"fmt"
	"path/filepath"

	"ironfeet/app/casework/office"
	"ironfeet/store/audit"
	"ironfeet/sync/trust"
)

// RootCmd is about the county's root key.
type RootCmd struct {
	Show   RootShowCmd   `cmd:"" help:"Show the root's fingerprint, to be compared by voice."`
	Rotate RootRotateCmd `cmd:"" help:"Give the county another root key: the old one signs the new, everybody is certified again."`
}

// RootShowCmd shows the fingerprint.
type RootShowCmd struct{ DataFlag }

func (c *RootShowCmd) Run(o *Output) error {
	return c.look(func(ctx context.Context, of *office.Office) error {
		fmt.Fprintln(o.Out, trust.Fingerprint(of.Root))
		return nil
	})
}

// RootRotateCmd changes the root.
type RootRotateCmd struct{ DataFlag }

func (c *RootRotateCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		root, err := of.RotateRoot(ctx)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "root fingerprint: %s\n", trust.Fingerprint(root))
		fmt.Fprintf(o.Out, "public key: %s\n", filepath.Join(c.Data, office.PublicKeyFile))
		fmt.Fprintln(o.Err, "machines follow at their next sync; hand out the new public key to whoever verifies, and write invitations anew")
		return &audit.Act{Action: audit.Administration, Object: "root", Count: 1, Detail: map[string]string{"do": "rotate", "root": trust.Fingerprint(root)}}, nil
	})
}
