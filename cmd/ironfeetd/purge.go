package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/retention"
	"ironfeet/store/audit"
)

// PurgeCmd removes what need not be kept any longer.
type PurgeCmd struct {
	DataFlag
	PhotosBefore string `required:"" help:"Photos and drawings of visits that ended before this day go, unless a newer visit names them." placeholder:"YYYY-MM-DD"`
	Really       bool   `help:"Remove; without it only the plan is told."`
	Policy       string `help:"Which rule of the county's this follows; stands in the certificate." placeholder:"TEXT"`
	Reason       string `help:"Why now; stands in the certificate." placeholder:"TEXT"`
	Out          string `type:"path" help:"The certificate of what was removed; it must not exist." placeholder:"FILE"`
	By           string `help:"Who removes. The PIN is read from standard input." placeholder:"NAME"`
	Approved     string `name:"approved-by" help:"Who agrees: another person. The PIN is the second line." placeholder:"NAME"`

	pins io.Reader
}

// Help ends with an example that runs.
func (PurgeCmd) Help() string {
	return "What is kept how long is local law; there is no default. The signed records stay, with the digests of what they named.\n\n" +
		"  ironfeetd purge --data county --photos-before 2021-01-01"
}

// A PurgeError says what is missing before anything can be removed.
type PurgeError struct{ Why string } // day, who, same

func (e *PurgeError) Error() string {
	switch e.Why {
	case "day":
		return "the day is not a date of the form 2021-01-01, or lies in the future"
	case "same":
		return "the second person must be another one"
	}
	return "removing for good needs --reason, --policy, --out, --by and --approved-by"
}

// Code is the key of the sentence.
func (e *PurgeError) Code() string { return "purge." + e.Why }

func (c *PurgeCmd) Run(o *Output) error {
	return c.look(func(ctx context.Context, of *office.Office) error { return c.purge(ctx, o, of) })
}

func (c *PurgeCmd) purge(ctx context.Context, o *Output, of *office.Office) error {
	before, err := time.ParseInLocation(time.DateOnly, c.PhotosBefore, time.Local)
	if err != nil || before.After(of.World.Now()) {
		return &PurgeError{"day"}
	}
	plan, err := retention.Plan(ctx, of.Replica, before)
	if err != nil {
		return err
	}
	var size int64
	why := map[string]int{}
	for _, i := range plan {
		size += i.Size
		why[i.Why]++
	}
	fmt.Fprintf(o.Out, "%d photos and drawings of visits before %s and %d files that nothing names: %s\n", why[retention.TooOld], c.PhotosBefore, why[retention.Unnamed], bytesText(size))
	if !c.Really {
		fmt.Fprintln(o.Out, "nothing was removed; --really removes")
		return nil
	}
	if strings.TrimSpace(c.Reason) == "" || c.Policy == "" || c.Out == "" || c.By == "" || c.Approved == "" {
		return &PurgeError{"who"}
	}
	if c.By == c.Approved {
		return &PurgeError{"same"}
	}
	in := c.pins
	if in == nil {
		in = os.Stdin
	}
	pins := bufio.NewReader(io.LimitReader(in, 1024))
	by, err := signs(ctx, o, of, pins, c.By)
	if err != nil {
		return err
	}
	second, err := signs(ctx, o, of, pins, c.Approved)
	if err != nil {
		return err
	}
	if by.Subject == second.Subject {
		return &PurgeError{"same"}
	}
	log, err := openAudit(ctx, of)
	if err != nil {
		return err
	}
	defer log.Close()
	act := audit.Act{Actor: by.Subject.String(), Role: string(by.Role), Action: audit.Purge, Object: "before " + c.PhotosBefore, Count: int64(len(plan)), Detail: map[string]string{"reason": c.Reason, "policy": c.Policy, "approved_by": second.Subject.String(), "step": "begun"}}
	if _, err := log.Append(ctx, act); err != nil {
		return err
	}
	roll, err := of.Roll(ctx)
	if err != nil {
		return err
	}
	node, _ := roll.Node(of.Replica.Identity().Node)
	gone, err := retention.Carry(ctx, of.Replica, plan)
	if err != nil {
		return fmt.Errorf("%d of %d files are gone: %w", len(gone), len(plan), err)
	}
	checkpoint, err := log.Checkpoint(ctx)
	if err != nil {
		return err
	}
	raw, err := retention.Sign(retention.Certificate{
		County: of.Replica.Identity().Division, At: of.World.Now().Unix(), By: by.Name, Approved: second.Name, Policy: c.Policy, Reason: c.Reason,
		Items: gone, Node: node.Raw, Checkpoint: checkpoint,
	}, of.NodeKey)
	if err != nil {
		return err
	}
	if _, err := writeOutput(of.World, c.Out, func(w io.Writer) error { _, err := w.Write(raw); return err }); err != nil {
		return err
	}
	digest := sha256.Sum256(raw)
	act.Count, act.Digest, act.Detail["step"] = int64(len(gone)), digest[:], "done"
	if _, err := log.Append(ctx, act); err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "%d files are gone; the certificate is %s (ironfeetd verify reads it)\n", len(gone), c.Out)
	return log.Witness(ctx, of.Replica)
}

// verifyRemoval tells a certificate of removal.
func verifyRemoval(o *Output, raw []byte, root []byte) error {
	c, err := retention.Verify(raw, root)
	if err != nil {
		return err
	}
	var size int64
	for _, i := range c.Items {
		size += i.Size
	}
	fmt.Fprintf(o.Out, "sound: county %s removed %d files (%s) on %s by %s, agreed to by %s\npolicy: %s\nreason: %s\n",
		c.County, len(c.Items), bytesText(size), time.Unix(c.At, 0).Format(time.DateOnly), c.By, c.Approved, c.Policy, c.Reason)
	return nil
}
