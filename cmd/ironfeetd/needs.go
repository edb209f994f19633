package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/needs"
	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/store/audit"
	"ironfeet/sync/trust"
)

// NeedCmd is about what families need and who meets it.
type NeedCmd struct {
	Collect  NeedCollectCmd  `cmd:"" help:"Find the needs in accepted visits."`
	List     NeedListCmd     `cmd:"" help:"List needs and how they stand."`
	Refer    NeedReferCmd    `cmd:"" help:"Write the list of found needs that goes to a department, and mark them as referred."`
	Feedback NeedFeedbackCmd `cmd:"" help:"Take in the list that a department filled."`
}

// NeedCollectCmd collects.
type NeedCollectCmd struct{ workFlags }

func (c *NeedCollectCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, by uuid.UUID) (*audit.Act, error) {
		n, err := needs.Collect(ctx, of.Replica, by, c.Division, of.World.Now())
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%d needs found\n", n)
		return &audit.Act{Action: audit.Decision, Object: "needs found", Count: int64(n), Detail: map[string]string{"division": c.Division}}, nil
	})
}

// NeedListCmd lists.
type NeedListCmd struct {
	workFlags
	Department string `help:"Only for this department." placeholder:"NAME"`
	State      string `enum:"found,referred,received,resolved,unfit,dropped," default:"" help:"found, referred, received, resolved, unfit or dropped."`
	JSON       bool   `name:"json" help:"Print one JSON document."`
}

func (c *NeedListCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, _ uuid.UUID) (*audit.Act, error) {
		list, err := needs.List(ctx, of.Replica, c.Division, c.State, c.Department)
		if err != nil {
			return nil, err
		}
		if c.JSON {
			if list == nil {
				list = []needs.Need{}
			}
			return shown("needs", len(list)), printJSON(o, list)
		}
		for _, n := range list {
			fmt.Fprintln(o.Out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s %s %s %s", n.ID, n.Department, n.State, n.Label, n.Address, n.Name, n.Answer)))
		}
		fmt.Fprintf(o.Err, "%d needs\n", len(list))
		return shown("needs", len(list)), nil
	})
}

// NeedReferCmd refers.
type NeedReferCmd struct {
	workFlags
	Department string `required:"" help:"The department." placeholder:"NAME"`
	Out        string `required:"" type:"path" help:"The workbook to write; it must not exist." placeholder:"FILE"`
	Unmasked   bool   `help:"Names and phones in full, for whoever is to come to the door; needs --by and --reason."`
	Reason     string `help:"Why; kept in the audit log." placeholder:"TEXT"`
}

func (c *NeedReferCmd) Run(o *Output) error {
	if c.Unmasked && (c.By == "" || c.Reason == "") {
		return &SignError{Why: "by"}
	}
	return c.work(o, func(ctx context.Context, of *office.Office, by uuid.UUID) (*audit.Act, error) {
		list, err := needs.List(ctx, of.Replica, c.Division, needs.Found, c.Department)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			fmt.Fprintf(o.Out, "no needs wait for %s\n", c.Department)
			return nil, nil
		}
		digest := sha256.New()
		if _, err := writeOutput(of.World, c.Out, func(w io.Writer) error {
			return needs.WriteReferral(io.MultiWriter(w, digest), c.Department+"需求清单", list, !c.Unmasked)
		}); err != nil {
			return nil, err
		}
		if err := needs.Move(ctx, of.Replica, by, trust.County, of.World.Now(), needs.Referred, "", list...); err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s: %d needs referred to %s\n", filepath.Base(c.Out), len(list), c.Department)
		return &audit.Act{Action: audit.Export, Object: "needs/" + c.Department, Count: int64(len(list)), Detail: map[string]string{"reason": c.Reason, "sha256": hex.EncodeToString(digest.Sum(nil))}}, nil
	})
}

// NeedFeedbackCmd takes answers in.
type NeedFeedbackCmd struct {
	workFlags
	File string `arg:"" type:"path" help:"The list, filled."`
}

func (c *NeedFeedbackCmd) Run(o *Output) error {
	data, err := readInput(c.File, publish.MaxWorkbook)
	if err != nil {
		return err
	}
	return c.work(o, func(ctx context.Context, of *office.Office, by uuid.UUID) (*audit.Act, error) {
		a, err := needs.Feedback(ctx, of.Replica, by, trust.County, of.World.Now(), filepath.Base(c.File), data)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%d answers taken in, %d known before, %d rows not answered yet\n", a.Taken, a.Same, a.Blank)
		digest := sha256.Sum256(data)
		return &audit.Act{Action: audit.Decision, Object: "needs answered", Count: int64(a.Taken), Digest: digest[:], Detail: map[string]string{"file": filepath.Base(c.File)}}, nil
	})
}
