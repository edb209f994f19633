// Command dictionary writes to stdout what visits of the sample county have in
// common, as content for a new file in assets/dictionary:
//
//	go run ./cmd/dictionary questions > assets/dictionary/3.questions
//	go run ./cmd/dictionary > assets/dictionary/3.bin
//
// It sets up the fictitious county, lets two tablets visit households of every kind,
// and takes the changes as zstd meets them in their bundles, folded: first the names
// of the sample form's choices, then the county's registry and tasks, then the
// tablets' visits, since what stands at the end is nearest. Of each only what none
// before it had is kept.
package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/forms/xlsform"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
)

// maxBytes: a larger one costs more memory than it saves bytes.
const maxBytes = 96 << 10

func main() {
	do := run
	if len(os.Args) == 2 && os.Args[1] == "questions" {
		do = questions
	}
	if err := do(context.Background()); err != nil {
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
	c, err := practice.SetUp(ctx, w, dir, 240, "tablet-a", "tablet-b")
	if err != nil {
		return err
	}
	defer c.Close()
	var parts [][]byte
	if parts, err = choices(); err != nil {
		return err
	}
	registry, err := folded(ctx, c.Office.Replica, store.Household, store.Member, store.Task)
	if err != nil {
		return err
	}
	parts = append(parts, registry...)
	for _, folder := range []string{"tablet-b", "tablet-a"} {
		node := c.Nodes[folder]
		if err := visitAll(ctx, c, node); err != nil {
			return err
		}
		list, err := folded(ctx, node.Office.Replica, store.Visit)
		if err != nil {
			return err
		}
		parts = append(parts, list...)
	}
	all := novel(parts)
	if len(all) > maxBytes {
		all = all[len(all)-maxBytes:]
	}
	_, err = os.Stdout.Write(all)
	return err
}

// visitAll visits every household of the tablet's villages, now and then finding
// nobody, and seals each visit by itself, as a tablet does that syncs in between.
func visitAll(ctx context.Context, c *practice.County, node *practice.Node) error {
	open, err := tasks.List(ctx, node.Office.Replica, "", tasks.Open)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(1, 1))
	byID := map[string]*yunqi.Household{}
	for _, h := range c.Sample.Households {
		byID[h.ID.String()] = h
	}
	for i, task := range open {
		h := byID[task.Household.String()]
		script := h.Visit(time.Now(), i%3 == 0)
		switch {
		case i%20 == 19:
			script = yunqi.Absent(time.Now())
		case i%2 == 1:
			if script, err = thinned(ctx, node, task, script, random); err != nil {
				return err
			}
		}
		if _, err := node.Walk(ctx, &publish.Shelf{}, task, script, uint64(i)); err != nil {
			return err
		}
		if _, err := node.Office.Merger.Seal(ctx, node.Office.NodeKey); err != nil {
			return err
		}
	}
	return nil
}

// thinned leaves out a part of what a form does not insist on: nobody answers all.
func thinned(ctx context.Context, node *practice.Node, task tasks.Task, s yunqi.Script, random *rand.Rand) (yunqi.Script, error) {
	v, err := node.Desk(&publish.Shelf{}).Start(ctx, task)
	if err != nil {
		return s, err
	}
	share := random.IntN(100)
	var kept []yunqi.Answer
	for _, a := range s.Answers {
		n, ok := v.Entry.Node(a.Path)
		if ok && !n.Relevant {
			continue
		}
		if _, err := v.Set(ctx, a.Path, a.Value); err != nil {
			return s, err
		}
	}
	for _, a := range s.Answers {
		n, ok := v.Entry.Node(a.Path)
		if !ok || n.Required || n.Name == "land_mu" || random.IntN(100) > share {
			kept = append(kept, a)
		}
	}
	s.Answers = kept
	return s, v.Drop(ctx)
}

// sampleForms are the sample's forms.
func sampleForms() (list []*xlsform.Definition, err error) {
	for _, name := range []string{"入户核查.xlsx", "补正回访.xlsx"} {
		data, err := yunqi.Files.ReadFile("forms/" + name)
		if err != nil {
			return nil, err
		}
		definition, report := xlsform.ReadFile(name, data)
		if definition == nil {
			return nil, fmt.Errorf("%s: %v", name, report)
		}
		list = append(list, definition)
	}
	return list, nil
}

// questions lists every question with its type, as a record has them.
func questions(context.Context) error {
	forms, err := sampleForms()
	if err != nil {
		return err
	}
	var walk func(at string, items []*xlsform.Item)
	walk = func(at string, items []*xlsform.Item) {
		for _, item := range items {
			path := at + "/" + item.Name
			switch item.Kind {
			case xlsform.Group:
				walk(path, item.Children)
			case xlsform.Repeat:
				walk(path+"[#]", item.Children)
			default:
				if item.Type != "note" {
					fmt.Println(path, item.Type)
				}
			}
		}
	}
	for _, f := range forms {
		walk("/data", f.Root.Children)
	}
	return nil
}

// choices are the names of everything that can be chosen in the sample's forms.
func choices() (parts [][]byte, err error) {
	forms, err := sampleForms()
	if err != nil {
		return nil, err
	}
	for _, definition := range forms {
		for _, list := range slices.Sorted(maps.Keys(definition.Lists)) {
			for _, choice := range definition.Lists[list].Choices {
				text, err := cbor.Marshal(choice.Name)
				if err != nil {
					return nil, err
				}
				parts = append(parts, text)
			}
		}
	}
	return parts, nil
}

// folded are the bundles that begin with a change of these kinds.
func folded(ctx context.Context, r *store.Replica, kinds ...store.Kind) (parts [][]byte, err error) {
	list, err := r.Bundles(ctx, store.BundleQuery{})
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := bundle.Decode(&list[i]); err != nil {
			return nil, err
		}
		for _, kind := range kinds {
			if len(list[i].Changes) > 0 && list[i].Changes[0].Kind == kind {
				parts = append(parts, bundle.Folded(&list[i]))
			}
		}
	}
	return parts, nil
}

// Pieces of this size are kept if most of what stands in them is new.
const piece, gram = 48, 6

// novel puts the parts one behind the other without what was there already.
func novel(parts [][]byte) (all []byte) {
	seen := map[string]bool{}
	for _, part := range parts {
		for at := 0; at < len(part); at += piece {
			p := part[at:min(at+piece, len(part))]
			fresh := 0
			for i := 0; i+gram <= len(p); i++ {
				if !seen[string(p[i:i+gram])] {
					fresh++
				}
			}
			if len(p) < gram || fresh > len(p)/4 {
				all = append(all, p...)
				from := max(0, len(all)-len(p)-gram)
				for i := from; i+gram <= len(all); i++ {
					seen[string(all[i:i+gram])] = true
				}
			}
		}
	}
	return all
}
