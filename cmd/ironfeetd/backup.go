package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"filippo.io/age"

	"ironfeet/app/casework/office"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// RecoveryKeyCmd makes the key that opens backups when the machine is gone.
type RecoveryKeyCmd struct {
	DataFlag
	Out string `required:"" type:"path" help:"The new key's file. Keep it away from every machine: on a stick in the safe." placeholder:"FILE"`
}

func (c *RecoveryKeyCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		identity, err := of.NewRecoveryKey(ctx)
		if err != nil {
			return nil, err
		}
		act := &audit.Act{Action: audit.Administration, Object: "recovery key", Count: 1}
		text := fmt.Sprintf("# ironfeet recovery key of %s: opens its backups and recovers forgotten PINs\n%s\n", of.Replica.Identity().Name, identity)
		if _, err := writeOutput(of.World, c.Out, func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
			return act, err
		}
		fmt.Fprintf(o.Out, "recovery key: %s\nfrom now on every backup can be opened with it\n", c.Out)
		return act, nil
	})
}

// BackupCmd writes a backup.
type BackupCmd struct {
	DataFlag
	Out string   `required:"" type:"path" help:"The backup file to write." placeholder:"FILE"`
	To  []string `help:"Further age recipients (age1…) that can open it." placeholder:"RECIPIENT"`
}

// Help ends with an example that runs.
func (BackupCmd) Help() string {
	return "The backup is encrypted to the county and to its recovery keys. Make one first, and keep it in the safe:\n\n" +
		"  ironfeetd recovery-key --data county --out recovery.key\n  ironfeetd backup --data county --out county.backup"
}

func (c *BackupCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		var sum store.BackupSummary
		if _, err := writeOutput(of.World, c.Out, func(w io.Writer) (err error) {
			sum, err = of.Backup(ctx, w, c.To...)
			return err
		}); err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s: %s, %d photos and files, SHA-256 %s\n", c.Out, bytesText(sum.Bytes), sum.Blobs, sum.Digest)
		return &audit.Act{Action: audit.Backup, Object: filepath.Base(c.Out), Count: int64(sum.Blobs), Digest: sum.Digest[:], Detail: map[string]string{"bytes": fmt.Sprint(sum.Bytes), "also_to": strings.Join(c.To, " ")}}, nil
	})
}

// readIdentities reads a file of age identities, one a line.
func readIdentities(file string) ([]age.Identity, error) {
	text, err := readInput(file, 64<<10)
	if err != nil {
		return nil, err
	}
	list, err := age.ParseIdentities(strings.NewReader(string(text)))
	if err != nil {
		return nil, &FileError{File: file, Why: "no_key", Err: errors.New("it holds no age identity")}
	}
	return list, nil
}
