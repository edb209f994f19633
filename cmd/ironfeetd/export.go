package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/retention"
	"ironfeet/app/export"
	"ironfeet/sync/trust"
)

// ExportCmd exports records. Every export is written into the audit log.
type ExportCmd struct {
	DataFlag
	Format    string    `required:"" enum:"xlsx,csv,jsonl,geojson,pdf,evidence" help:"xlsx, csv, jsonl, geojson, pdf (a dossier of each household) or evidence."`
	Out       string    `required:"" type:"path" help:"The file to write; it must not exist." placeholder:"FILE"`
	Template  string    `type:"existingfile" help:"A workbook that says which columns, from where, in which code." placeholder:"FILE"`
	Division  string    `help:"Only this township or village (code prefix)." placeholder:"CODE"`
	Household uuid.UUID `help:"Only this household." placeholder:"ID"`
	Status    string    `enum:"verified,registered," default:"" help:"Which records: verified (accepted by the township) or registered (every household); otherwise as the template says."`
	Unmasked  bool      `help:"Names, ID numbers and phones in full; needs --reason, --recipient, --by and --approved-by."`
	Children  bool      `help:"Children's data too; the child-data approver must agree."`
	Reason    string    `help:"What an export with personal data is for; kept with it." placeholder:"TEXT"`
	Recipient string    `help:"Who gets it; kept with it." placeholder:"TEXT"`
	By        string    `help:"Who asks: a person of the county's office. The PIN is read from standard input." placeholder:"NAME"`
	Approved  string    `name:"approved-by" help:"Who agrees: another person, an approver. The PIN is the second line of standard input." placeholder:"NAME"`

	pins io.Reader // nil: standard input
}

func (c *ExportCmd) Run(o *Output) error {
	return c.look(func(ctx context.Context, of *office.Office) error { // the desk keeps the record
		said, err := c.export(ctx, o, of)
		if err != nil {
			return err
		}
		fmt.Fprintln(o.Out, said)
		return nil
	})
}

func (c *ExportCmd) export(ctx context.Context, o *Output, of *office.Office) (said string, err error) {
	log, err := openAudit(ctx, of)
	if err != nil {
		return "", err
	}
	defer log.Close()
	desk := &export.Desk{World: of.World, Replica: of.Replica, Audit: log, NodeKey: of.NodeKey, Root: of.Root, Dir: of.Dir}
	q := export.Request{
		By: byHand, ByName: byHand, Format: c.Format, Division: c.Division, Household: c.Household, Status: c.Status,
		Unmasked: c.Unmasked || c.Children, Children: c.Children, Reason: c.Reason, Recipient: c.Recipient, Elsewhere: true,
	}
	if c.Template != "" {
		if q.Template, err = c.template(ctx, o, of, desk); err != nil {
			return "", err
		}
	}
	pins := bufio.NewReader(io.LimitReader(c.input(), 1024))
	if c.By != "" {
		by, err := signs(ctx, o, of, pins, c.By)
		if err != nil {
			return "", err
		}
		q.By, q.ByName, q.Role = by.Subject.String(), by.Name, string(by.Role)
	} else if q.Sensitive() {
		return "", &SignError{Why: "by"}
	}
	if q, err = desk.Ask(ctx, q); err != nil {
		return "", err
	}
	if q.State == export.Waiting {
		if c.Approved == "" {
			return "", &SignError{Why: "approved"}
		}
		second, err := signs(ctx, o, of, pins, c.Approved)
		if err != nil {
			return "", err
		}
		if err := desk.Answer(ctx, q.ID, second.Subject.String(), second.Role, true, ""); err != nil {
			return "", err
		}
	}
	size, err := writeOutput(of.World, c.Out, func(w io.Writer) error {
		q, err = desk.RunTo(ctx, q.ID, w)
		return err
	})
	if err != nil {
		return "", err
	}
	if q.Volumes > 1 && strings.EqualFold(filepath.Ext(c.Out), ".pdf") {
		// A ZIP that is called a PDF opens nowhere.
		as := strings.TrimSuffix(c.Out, filepath.Ext(c.Out)) + ".zip"
		if _, err := of.World.Disk.Stat(as); err == nil {
			return "", &FileError{File: as, Why: "exists"}
		}
		if err := of.World.Disk.Rename(c.Out, as); err != nil {
			return "", err
		}
		c.Out = as
	}
	said = fmt.Sprintf("%s: %s, %s", filepath.Base(c.Out), q.Said, bytesText(size))
	if q.Unmapped > 0 {
		said += fmt.Sprintf("; %d values stand as they are, since their list does not know them", q.Unmapped)
	}
	return said, log.Witness(ctx, of.Replica)
}

func (c *ExportCmd) input() io.Reader {
	if c.pins != nil {
		return c.pins
	}
	return os.Stdin
}

// template reads a template from a file and keeps it at the desk under its name.
func (c *ExportCmd) template(ctx context.Context, o *Output, of *office.Office, desk *export.Desk) (string, error) {
	data, err := readInput(c.Template, export.MaxTemplate)
	if err != nil {
		return "", err
	}
	fields, err := export.FieldsOf(ctx, of.Replica)
	if err != nil {
		return "", err
	}
	name := filepath.Base(c.Template)
	t, problems := export.ReadTemplate(name, data, fields)
	report(o, name, problems)
	if t == nil {
		return "", &export.TemplateError{File: name, Report: problems}
	}
	return name, desk.Keep(ctx, name, data)
}

// A SignError means somebody must say who he is, and has not.
type SignError struct {
	Name string
	Why  string // by, approved, decide, unknown
}

func (e *SignError) Error() string {
	switch e.Why {
	case "by":
		return "an export with personal data needs --by: who asks for it"
	case "decide":
		return "a decision needs --by: the person who decides"
	case "approved":
		return "an export with personal data needs --approved-by: another person who agrees"
	}
	return fmt.Sprintf("%s: nobody of this name is enrolled at this folder", e.Name)
}

// Code is the key of the sentence.
func (e *SignError) Code() string { return "sign." + e.Why }

// signs lets a person of the county's office prove who he is by his PIN.
func signs(ctx context.Context, o *Output, of *office.Office, pins *bufio.Reader, name string) (trust.Certificate, error) {
	roll, err := of.Roll(ctx)
	if err != nil {
		return trust.Certificate{}, err
	}
	here := map[uuid.UUID]bool{}
	for _, p := range of.Vault.People() {
		here[p.ID] = true
	}
	for _, p := range roll.People() {
		if _, ended := roll.PersonRevoked(p.Subject); p.Name != name || ended || !here[p.Subject] || !of.World.Now().Before(p.Until) {
			continue
		}
		fmt.Fprintf(o.Err, "PIN of %s: ", name)
		line, err := pins.ReadString('\n')
		if err != nil && line == "" {
			return p, &FileError{File: "standard input", Why: "unreadable", Err: err}
		}
		_, err = of.Vault.PersonKey(p.Subject, strings.TrimSpace(line))
		return p, err
	}
	return trust.Certificate{}, &SignError{name, "unknown"}
}

// VerifyCmd verifies an evidence package.
type VerifyCmd struct {
	File string `arg:"" type:"path" help:"The evidence package, or a certificate of what was removed."`
	Key  string `type:"path" help:"The county's public key (county.pub); looked for beside the package if not given." placeholder:"FILE"`
	List bool   `help:"Say of every record who attested it, and when."`
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
	if head := make([]byte, 1); info.Size() <= retention.MaxCertificate {
		if _, err := f.ReadAt(head, 0); err == nil && head[0] == 0xd2 { // a COSE_Sign1, not a package
			raw, err := io.ReadAll(f)
			if err != nil {
				return &FileError{File: c.File, Why: "unreadable", Err: err}
			}
			return verifyRemoval(o, raw, root)
		}
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
	if proof.Withheld > 0 || proof.Missing > 0 {
		fmt.Fprintf(o.Out, "not in it, but signed for: %d parts and files that are protected, %d photos that had not arrived\n", proof.Withheld, proof.Missing)
	}
	fmt.Fprintf(o.Out, "county %s, root %s, signed by %s on %s\n", proof.County, proof.Fingerprint, proof.Signer.Name, proof.At.Format(time.DateOnly))
	if c.List {
		for _, v := range proof.Visits {
			var who []string
			for _, by := range v.By {
				who = append(who, by.Name)
			}
			fmt.Fprintf(o.Out, "%s  %s  %s  %d photos  %s\n", v.Visit, v.Ended.Format("2006-01-02 15:04"), strings.Join(who, ", "), v.Photos, export.ShortCode(v.Digest))
		}
	}
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
