package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"

	"ironfeet/app/casework/office"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/exchange"
)

// RestoreCmd makes a data folder of a backup.
type RestoreCmd struct {
	File       string `arg:"" type:"path" help:"The backup."`
	Data       string `required:"" type:"path" help:"The new data folder; it must not be there yet, or be empty." placeholder:"DIR"`
	Key        string `type:"path" help:"The recovery key's file." placeholder:"FILE" xor:"key" required:""`
	County     string `type:"path" help:"The data folder of the county whose key opens the backup, for a tablet's or township's." placeholder:"DIR" xor:"key" required:""`
	Invitation string `help:"For a tablet's or township's backup: an invitation from the county. PINs are read from standard input, one a line." placeholder:"CODE"`
}

// Help ends with an example that runs.
func (RestoreCmd) Help() string {
	return "The restored folder is a new node: the old machine may still be alive, and a log must not fork.\n\n" +
		"  ironfeetd restore --key recovery.key --data county-2 county.backup"
}

func (c *RestoreCmd) Run(o *Output) error {
	ctx, w := context.Background(), world.Real()
	with, err := identities(ctx, c.Key, c.County)
	if err != nil {
		return err
	}
	f, err := os.Open(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return &FileError{File: c.File, Why: "missing", Err: err}
	}
	if err != nil {
		return &FileError{File: c.File, Why: "unreadable", Err: err}
	}
	defer f.Close()
	var got store.Restored
	if c.Invitation == "" {
		got, err = office.RestoreCounty(ctx, w, c.Data, bufio.NewReader(f), with...)
	} else {
		pins := bufio.NewReader(io.LimitReader(os.Stdin, 4096))
		got, err = office.RestoreInvited(ctx, w, c.Data, c.Invitation, bufio.NewReader(f), func(g exchange.Guest) (string, error) {
			fmt.Fprintf(o.Err, "PIN for %s (at least 6 digits): ", g.Name)
			line, err := pins.ReadString('\n')
			if err != nil && line == "" {
				return "", &FileError{File: "standard input", Why: "unreadable", Err: err}
			}
			return strings.TrimSpace(line), nil
		}, with...)
	}
	if err != nil {
		return err
	}
	if c.Invitation == "" {
		restored := audit.Act{Action: audit.Restore, Object: filepath.Base(c.File), Count: int64(got.Blobs), Detail: map[string]string{"was": got.Was.Node.String(), "is": got.Is.Node.String(), "as_of": got.At.Format(time.RFC3339)}}
		if err := (DataFlag{c.Data}).act(o, func(context.Context, *office.Office) (*audit.Act, error) { return &restored, nil }); err != nil {
			return err
		}
	}
	fmt.Fprintf(o.Out, "restored: %s (%s) as of %s, %d photos and files\n", got.Is.Name, got.Is.Role, got.At.Local().Format("2006-01-02 15:04"), got.Blobs)
	fmt.Fprintf(o.Out, "node %s takes the place of node %s; %d changes that had not been sent are its own now\n", got.Is.Node, got.Was.Node, got.Rewritten)
	if c.Invitation == "" {
		fmt.Fprintln(o.Out, "the county's people need new PINs: ironfeetd person add")
	}
	return nil
}

// identities are those of a key file, or of a county's folder.
func identities(ctx context.Context, key, county string) ([]age.Identity, error) {
	if key != "" {
		return readIdentities(key)
	}
	of, err := DataFlag{county}.open(ctx)
	if err != nil {
		return nil, err
	}
	defer of.Close()
	return of.Identities()
}

// RecoverCmd answers a machine on which somebody forgot the PIN.
type RecoverCmd struct {
	Request string `arg:"" type:"path" help:"The request that the machine showed or wrote, a text file."`
	Key     string `type:"path" help:"A recovery key's file: opens the folder only." placeholder:"FILE" xor:"key" required:""`
	Data    string `type:"path" help:"The county's data folder: certifies the person's new key too." placeholder:"DIR" xor:"key" required:""`
	Check   string `help:"The six digits on the screen of the machine that asks, as the person reads them out over the telephone." placeholder:"DIGITS"`
}

// Help says what to do before and after.
func (c *RecoverCmd) Help() string {
	return "Call the person first, and have the six digits read out: whoever answers a stranger's request makes the stranger an investigator.\n\n" +
		"  ironfeetd recover --data county --check 123456 request.txt > answer.txt"
}

// A CallFirstError means that nobody has compared a request with the machine it came
// from: its six digits are missing or others. They are not told here.
type CallFirstError struct{ Name string }

func (e *CallFirstError) Error() string {
	return fmt.Sprintf("the request is made in the name of %s: call that person, and give the six digits that are read out with --check", e.Name)
}

// Code is the key of the sentence.
func (e *CallFirstError) Code() string { return "recover.call_first" }

func (c *RecoverCmd) Run(o *Output) error {
	request, err := readInput(c.Request, 64<<10)
	if err != nil {
		return err
	}
	who, err := vault.ReadRecovery(request)
	if err != nil {
		return err
	}
	if strings.ReplaceAll(c.Check, " ", "") != who.Check {
		return &CallFirstError{who.Name}
	}
	give := func(answer []byte) error {
		fmt.Fprintf(o.Err, "asked by: %s\n", who.Name)
		fmt.Fprintln(o.Err, "give this text to the machine that asked; it opens for that machine alone")
		_, err := o.Out.Write(answer)
		return err
	}
	if c.Key != "" { // from the safe: no folder is at hand to note it in
		with, err := readIdentities(c.Key)
		if err != nil {
			return err
		}
		answer, err := vault.AnswerRecovery(request, with...)
		if err != nil {
			return err
		}
		fmt.Fprintln(o.Err, "the person's new key is not certified yet: do the same with --data at the county, or what is signed with it will not count")
		return give(answer)
	}
	return DataFlag{c.Data}.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		answer, err := of.Recovering(ctx, request)
		if err != nil {
			return nil, err
		}
		digest := sha256.Sum256(request)
		return &audit.Act{Action: audit.Administration, Object: "recovery of a PIN", Count: 1, Digest: digest[:], Detail: map[string]string{"name": who.Name}}, give(answer)
	})
}
