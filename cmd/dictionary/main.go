// Command dictionary writes to stdout what visits of the sample county have in
// common, as content for a new file in assets/dictionary:
//
//	go run ./cmd/dictionary > assets/dictionary/2.bin
//
// It sets up the fictitious county, lets two tablets visit households of every kind,
// and takes the changes as they stand in their bundles before compression: first the
// county's, then the tablets' visits, since what stands at the end is nearest.
package main

import (
	"context"
	"fmt"
	"os"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
)

// Sizes: a dictionary larger than this costs more memory than it saves bytes.
const (
	countyBytes = 12 << 10
	visitBytes  = 52 << 10
	visits      = 10
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ironfeet-dictionary-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	w := world.Real()
	c, err := practice.SetUp(ctx, w, dir, 120, "tablet-a", "tablet-b")
	if err != nil {
		return err
	}
	defer c.Close()
	county, err := changes(ctx, c.Office.Replica, store.Household, store.Member, store.Task)
	if err != nil {
		return err
	}
	var all []byte
	for _, folder := range []string{"tablet-b", "tablet-a"} {
		node := c.Nodes[folder]
		open, err := tasks.List(ctx, node.Office.Replica, "", tasks.Open)
		if err != nil {
			return err
		}
		for i, task := range open {
			if i == visits {
				break
			}
			for _, h := range c.Sample.Households {
				if h.ID == task.Household {
					if _, err := node.Walk(ctx, &publish.Shelf{}, task, h.Visit(w.Now(), false), uint64(i)); err != nil {
						return err
					}
				}
			}
		}
		if _, err := node.Office.Merger.Seal(ctx, node.Office.NodeKey); err != nil {
			return err
		}
		list, err := changes(ctx, node.Office.Replica, store.Visit)
		if err != nil {
			return err
		}
		for _, raw := range list {
			all = append(all, raw...)
		}
	}
	var head []byte
	for _, raw := range county {
		if len(head)+len(raw) <= countyBytes {
			head = append(head, raw...)
		}
	}
	if len(all) > visitBytes {
		all = all[len(all)-visitBytes:]
	}
	_, err = os.Stdout.Write(append(head, all...))
	return err
}

// changes are those of some kinds, as they were written.
func changes(ctx context.Context, r *store.Replica, kinds ...store.Kind) (raws [][]byte, err error) {
	list, err := r.Bundles(ctx, store.BundleQuery{})
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := bundle.Decode(&list[i]); err != nil {
			return nil, err
		}
		for _, c := range list[i].Changes {
			for _, kind := range kinds {
				if c.Kind == kind {
					raws = append(raws, c.Raw)
				}
			}
		}
	}
	return raws, nil
}
