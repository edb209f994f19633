package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/space"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/words"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

// StatusCmd says what a folder holds.
type StatusCmd struct {
	UnlockFlag
	Free bool `help:"Let go of what the county has confirmed and no task needs."`
	JSON bool `name:"json" help:"Print one JSON document."`
}

// UnlockFlag names a data folder of any machine.
type UnlockFlag struct {
	DataFlag
	Person string `help:"Unlock a tablet's or township's folder as this person; the PIN is read from standard input." placeholder:"NAME"`
}

// open opens a server's folder by itself, any other by a person's PIN.
func (f UnlockFlag) open(ctx context.Context, o *Output) (*office.Office, error) {
	if f.Person == "" {
		return f.DataFlag.open(ctx)
	}
	w := world.Real()
	v, err := vault.Open(w, f.Data)
	if err != nil {
		return nil, err
	}
	people := v.People()
	i := slices.IndexFunc(people, func(p vault.PersonInfo) bool { return p.Name == f.Person || p.ID.String() == f.Person })
	if i < 0 {
		return nil, &NobodyError{f.Person}
	}
	fmt.Fprintf(o.Err, "PIN for %s: ", people[i].Name)
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, 256)).ReadString('\n')
	if err != nil && line == "" {
		return nil, &FileError{File: "standard input", Why: "unreadable", Err: err}
	}
	return office.Unlock(ctx, w, f.Data, people[i].ID, strings.TrimSpace(line))
}

// A NobodyError means that nobody of this name unlocks a folder.
type NobodyError struct{ Name string }

func (e *NobodyError) Error() string {
	return fmt.Sprintf("nobody named %q unlocks this folder", e.Name)
}

// Code is the key of the sentence.
func (e *NobodyError) Code() string { return "vault.nobody" }

func (c *StatusCmd) Run(o *Output) error {
	ctx := context.Background()
	of, err := c.open(ctx, o)
	if err != nil {
		return err
	}
	defer of.Close()
	id := of.Replica.Identity()
	plan, err := space.Default.Look(ctx, of)
	if err != nil {
		return err
	}
	freed := int64(0)
	if c.Free {
		if freed, err = plan.Free(ctx, of); err != nil {
			return err
		}
		if err := note(ctx, of, audit.Act{Actor: byHand, Action: audit.Purge, Object: "copies that the county has", Detail: map[string]string{"bytes": fmt.Sprint(freed)}}); err != nil {
			return err
		}
		if plan, err = space.Default.Look(ctx, of); err != nil {
			return err
		}
	}
	kinds := []store.Kind{store.Household, store.Member, store.Task, store.Visit, store.Review, store.Alert, store.Determination, store.Form, store.Standards, store.List, store.Person, store.Node}
	counts := map[store.Kind]int{}
	for _, k := range kinds {
		if counts[k], err = of.Replica.Count(ctx, store.Query{Kind: k}); err != nil {
			return err
		}
	}
	open, err := of.Replica.Count(ctx, store.Query{Kind: store.Task, State: tasks.Open})
	if err != nil {
		return err
	}
	conflicts, err := of.Replica.Conflicts(ctx, "")
	if err != nil {
		return err
	}
	missing, err := of.Replica.MissingBlobs(ctx)
	if err != nil {
		return err
	}
	held, err := of.Replica.HeldBundles(ctx)
	if err != nil {
		return err
	}
	ahead, err := of.Replica.Ahead(ctx)
	if err != nil {
		return err
	}
	wrong := map[string]int{}
	for _, p := range of.Vault.People() {
		if n := of.Vault.WrongPINs(p.ID); n > 0 {
			wrong[p.Name] = n
		}
	}
	if c.JSON {
		return json.NewEncoder(o.Out).Encode(map[string]any{
			"node": id, "counts": counts, "open_tasks": open, "conflicts": len(conflicts), "photos_missing": len(missing), "held": len(held),
			"space": plan.Space, "freeable_bytes": plan.Bytes, "freed_bytes": freed, "dated_ahead": ahead, "wrong_pins": wrong,
			"recoverable": of.Vault.Recoverable(), "device_secret_in_keyring": of.Vault.InKeyring(),
		})
	}
	fmt.Fprintf(o.Out, "%s (%s, %s), node %s\n", id.Name, id.Role, id.Division, id.Node)
	for _, k := range kinds {
		fmt.Fprintf(o.Out, "%-14s %6d\n", k, counts[k])
	}
	if c.Free {
		fmt.Fprintf(o.Out, "freed %s\n", bytesText(freed))
	}
	s := plan.Space
	fmt.Fprintf(o.Out, "space: %s = database %s, photos %s, originals %s, thumbnails %s; could be freed: %s; free on the disk: %s\n",
		bytesText(s.Total()), bytesText(s.Database), bytesText(s.Photos), bytesText(s.Originals), bytesText(s.Thumbnails), bytesText(plan.Bytes), bytesText(s.DiskFree))
	if ahead > 0 {
		fmt.Fprintf(o.Out, "dated more than two days ahead: %d records; a tablet's clock is wrong (ironfeetd doctor names it)\n", ahead)
	}
	for name, n := range wrong {
		fmt.Fprintf(o.Out, "wrong PINs of %s: %d\n", name, n)
	}
	fmt.Fprintf(o.Out, "open tasks %d, conflicts %d, photos still to come %d, bundles waiting or set aside %d\n", open, len(conflicts), len(missing), len(held))
	for _, h := range held {
		fmt.Fprintf(o.Out, "  %s %d-%d since %s: %s %s\n", h.Node, h.First, h.Last, h.Since.Format(time.DateOnly), words.In(o.Lang).Say(h.Reason, h), h.Detail)
	}
	return nil
}
