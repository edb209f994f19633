package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"ironfeet/app/casework/office"
	"ironfeet/app/export"
)

// ExportCmd exports verified records.
type ExportCmd struct {
	DataFlag
	Format   string `required:"" enum:"xlsx,csv,jsonl,evidence" help:"xlsx, csv, jsonl or evidence."`
	Out      string `required:"" type:"path" help:"The file to write; it must not exist." placeholder:"FILE"`
	Division string `help:"Only this township or village (code prefix)." placeholder:"CODE"`
	Status   string `enum:"verified" default:"verified" help:"Which records: verified (accepted by the township)."`
	Unmasked bool   `help:"Names, ID numbers and phones in full; needs --reason."`
	Reason   string `help:"Purpose and recipient of an unmasked export; kept with it." placeholder:"TEXT"`
}

func (c *ExportCmd) Run(o *Output) error {
	ctx := context.Background()
	of, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer of.Close()
	said, err := c.export(ctx, of)
	if err != nil {
		return err
	}
	fmt.Fprintln(o.Out, said)
	return nil
}

func (c *ExportCmd) export(ctx context.Context, of *office.Office) (string, error) {
	records, err := export.Verified(ctx, of.Replica, c.Division)
	if err != nil {
		return "", err
	}
	options := export.Options{Unmasked: c.Unmasked, Reason: c.Reason, Day: of.World.Now()}
	tables := map[string]func(io.Writer, []export.Record, export.Options) (export.Count, error){
		"xlsx": export.XLSX, "csv": export.CSV, "jsonl": export.JSONLines,
	}
	var said string
	size, err := writeOutput(of.World, c.Out, func(w io.Writer) error {
		if c.Format == "evidence" {
			n, err := export.WriteEvidence(ctx, w, of.Replica, records, export.Signer{
				Node: of.Replica.Identity().Node, Key: of.NodeKey, Root: of.Root, Now: of.World.Now,
			})
			said = fmt.Sprintf("%d visits, %d attestations, %d photos and drawings (%d not arrived yet), %d certificates, %d bundle heads",
				n.Visits, n.Attestations, n.Blobs, n.Missing, n.Certificates, n.Heads)
			return err
		}
		n, err := tables[c.Format](w, records, options)
		said = fmt.Sprintf("%d households, %d adult members (%d minors left out)", n.Households, n.Members, n.MinorsLeftOut)
		return err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s: %s, %s", filepath.Base(c.Out), said, bytesText(size)), nil
}

// VerifyCmd verifies an evidence package.
type VerifyCmd struct {
	File string `arg:"" type:"path" help:"The evidence package."`
	Key  string `type:"path" help:"The county's public key (county.pub); looked for beside the package if not given." placeholder:"FILE"`
}

func (c *VerifyCmd) Run(o *Output) error {
	keyFile := c.Key
	if keyFile == "" {
		keyFile = filepath.Join(filepath.Dir(c.File), office.PublicKeyFile)
	}
	text, err := readInput(keyFile, 4096)
	if err != nil {
		return err
	}
	root, err := office.ParsePublicKey(text)
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if err != nil {
		return &FileError{File: c.File, Why: "missing", Err: err}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return &FileError{File: c.File, Why: "unreadable", Err: err}
	}
	proof, faults := export.Verify(f, info.Size(), root)
	if len(faults) > 0 {
		for _, fault := range faults {
			explain(o, fault)
		}
		return errFaulty
	}
	attested := 0
	for _, v := range proof.Visits {
		attested += len(v.By)
	}
	fmt.Fprintf(o.Out, "sound: %d visits with %d investigators' signatures and %d photos and drawings, nothing altered, nothing left out\n", len(proof.Visits), attested, proof.Blobs)
	fmt.Fprintf(o.Out, "county %s, root %s, signed by %s on %s\n", proof.County, proof.Fingerprint, proof.Signer.Name, proof.At.Format(time.DateOnly))
	return nil
}

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

func shortHash(b []byte) string { return hex.EncodeToString(b[:min(len(b), 4)]) }
