package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"ironfeet/app/casework/office"
	"ironfeet/app/words"
	"ironfeet/store/audit"
	"ironfeet/sync/bundle"
	"ironfeet/sync/merge"
)

// BundleCmd is about bundles and the files that carry them.
type BundleCmd struct {
	Inspect BundleInspectCmd `cmd:"" help:"Show what a bundle's signed head says."`
	Verify  BundleVerifyCmd  `cmd:"" help:"Verify bundles against the people and machines this folder knows."`
	Import  BundleImportCmd  `cmd:"" help:"Take in bundles (.bundle) and carrier files (.ironfeet)."`
	Copy    BundleCopyCmd    `cmd:"" help:"Copy a carrier onto a stick or off it; a copy that was broken off goes on."`
	Held    BundleHeldCmd    `cmd:"" help:"List what waits or was set aside, with the reason."`
	Accept  BundleAcceptCmd  `cmd:"" help:"Let one bundle count although a rule stands against it, or choose it among two histories."`
}

// maxBundleFile bounds a file that holds one bundle.
const maxBundleFile = 24 << 20

// BundleInspectCmd shows heads.
type BundleInspectCmd struct {
	Files []string `arg:"" type:"path" help:"Bundle files."`
}

func (c *BundleInspectCmd) Run(o *Output) error {
	for _, file := range c.Files {
		raw, err := readInput(file, maxBundleFile)
		if err != nil {
			return err
		}
		b, _, err := bundle.Parse(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		body := bytesText(int64(len(b.Body)))
		if b.Body == nil {
			body = "withheld"
		}
		fmt.Fprintf(o.Out, "%s: node %s, changes %d-%d, division %s, audience %d, body %s\n  digest   %s\n  previous %s\n",
			filepath.Base(file), b.Node, b.First, b.Last, b.Division, b.Audience, body, b.Digest, b.Prev)
	}
	return nil
}

// BundleVerifyCmd verifies signatures.
type BundleVerifyCmd struct {
	DataFlag
	Files []string `arg:"" type:"path" help:"Bundle files."`
}

func (c *BundleVerifyCmd) Run(o *Output) error {
	return c.look(func(ctx context.Context, of *office.Office) error {
		roll, err := of.Roll(ctx)
		if err != nil {
			return err
		}
		bad := 0
		for _, file := range c.Files {
			raw, err := readInput(file, maxBundleFile)
			if err != nil {
				return err
			}
			b, m, err := bundle.Parse(raw)
			if err == nil {
				certificate, known := roll.NodeKey(b.Node, m.KID)
				if !known {
					err = fmt.Errorf("machine %s is not enrolled in this county", b.Node)
				} else {
					err = bundle.Open(&b, certificate.Key)
				}
			}
			if err != nil {
				bad++
				explain(o, fmt.Errorf("%s: %w", filepath.Base(file), err))
				continue
			}
			fmt.Fprintf(o.Out, "%s: sound, %d changes of %s\n", filepath.Base(file), len(b.Changes), b.Node)
		}
		if bad > 0 {
			return errFaulty
		}
		return nil
	})
}

// BundleImportCmd takes files in.
type BundleImportCmd struct {
	DataFlag
	Files []string `arg:"" type:"path" help:"Bundles or carrier files."`
}

func (c *BundleImportCmd) Run(o *Output) error {
	return c.act(o, func(ctx context.Context, of *office.Office) (*audit.Act, error) {
		faulty := false
		act := &audit.Act{Action: audit.Administration, Object: "bundles taken in", Detail: map[string]string{}}
		for i, file := range c.Files {
			var outcomes []merge.Outcome
			act.Detail[fmt.Sprintf("file %d", i+1)] = filepath.Base(file)
			if strings.HasSuffix(file, ".ironfeet") {
				report, err := of.ReadCarrier(ctx, file)
				outcomes = report.Outcomes
				if err != nil {
					faulty = true
					explain(o, err)
				} else {
					fmt.Fprintf(o.Out, "%s: %d bundles, %d photos, six digits %s\n", filepath.Base(file), report.Bundles, report.Blobs, report.Six)
				}
			} else {
				raw, err := readInput(file, maxBundleFile)
				if err != nil {
					return act, err
				}
				if outcomes, err = of.Merger.Take(ctx, raw); err != nil {
					return act, err
				}
			}
			act.Count += int64(len(outcomes))
			for _, out := range outcomes {
				fmt.Fprintf(o.Out, "  %s %d-%d: %s", out.Node, out.First, out.Last, out.Status)
				if out.Reason != nil {
					said, hint := words.In(o.Lang).Error(out.Reason)
					fmt.Fprintf(o.Out, " (%s %s)", said, hint)
					faulty = faulty || out.Status == merge.StatusAside
				}
				fmt.Fprintln(o.Out)
			}
		}
		if faulty {
			return act, errFaulty
		}
		return act, nil
	})
}
