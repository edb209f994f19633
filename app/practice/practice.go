// Package practice sets the fictitious Yunqi County up in a folder, for trying
// things out: the county with its registry, forms, standards and tasks, and nodes
// that enrol and pull over a real server on loopback.
package practice

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/tasks"
	"ironfeet/assets/yunqi"
	"ironfeet/store/world"
	"ironfeet/sync/county"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// Load writes the sample county's households and members into a county's registry.
func Load(ctx context.Context, of *office.Office, author uuid.UUID, c *yunqi.County) (members int, err error) {
	var list []registry.Household
	for _, h := range c.Households {
		entry := registry.Household{ID: h.ID, Division: h.Village.Code, Fields: h.Fields}
		for _, m := range h.Members {
			entry.Members = append(entry.Members, registry.Member{ID: m.ID, Fields: m.Fields})
			members++
		}
		list = append(list, entry)
	}
	return members, registry.Load(ctx, of.Replica, of.World.NewID, author, list)
}

// HomeVisit is the form_id of the sample's home visit (入户核查).
const HomeVisit = "household_visit"

// PIN is everybody's PIN in a practice county.
const PIN = "135790"

// A Guest is a node to enrol.
type Guest struct {
	Folder, Name string
	Role         trust.Role
	Scope        []string
	People       []string
}

// Guests are the township's computer and two tablets, whose villages overlap in
// one. The township enrols first: what a tablet writes onto a stick is sealed to
// the townships it has heard of.
func Guests(c *yunqi.County) []Guest {
	village := func(numbers ...int) (codes []string) {
		for _, n := range numbers {
			codes = append(codes, c.Villages[n].Code)
		}
		return codes
	}
	return []Guest{
		{"township", "云栖镇电脑（虚构）", trust.Township, []string{c.TownshipCode}, []string{"乡镇专干（虚构）"}},
		{"tablet-a", "平板A（虚构）", trust.Worker, village(0, 1, 2), []string{"走访员甲（虚构）", "走访员乙（虚构）"}},
		{"tablet-b", "平板B（虚构）", trust.Worker, village(2, 3, 4), []string{"走访员丙（虚构）", "走访员丁（虚构）"}},
	}
}

// Invite writes a guest's invitation.
func (g Guest) Invite(ctx context.Context, server *county.Server, address string) (string, error) {
	q := county.InviteRequest{Server: address, Name: g.Name, Role: g.Role, Scope: g.Scope, Valid: 72 * time.Hour}
	for _, p := range g.People {
		q.People = append(q.People, exchange.Guest{Name: p})
	}
	inv, _, err := server.Invite(ctx, q)
	return inv.Code(), err
}

// A County is a practice county at work: its office, its server, and the nodes
// that have enrolled and pulled, all open.
type County struct {
	Sample  *yunqi.County
	Office  *office.Office
	Clerk   uuid.UUID
	Server  *county.Server
	Address string // of the server, http://127.0.0.1:port
	Nodes   map[string]*Node

	http *http.Server
}

// A Node is one guest that enrolled.
type Node struct {
	Office *office.Office
	People []exchange.Guest

	mu   sync.Mutex
	keys map[uuid.UUID]ed25519.PrivateKey
}

// Close ends the server and closes every folder.
func (c *County) Close() error {
	err := c.http.Close()
	for _, n := range c.Nodes {
		if closed := n.Office.Close(); err == nil {
			err = closed
		}
	}
	if closed := c.Office.Close(); err == nil {
		err = closed
	}
	return err
}

// StopCounty ends the server and closes the county's folder, so that another
// process can have it.
func (c *County) StopCounty() error {
	if err := c.http.Close(); err != nil {
		return err
	}
	return c.Office.Close()
}

// SetUp makes a practice county below dir with so many households, each with a
// visit task, and lets the guests of these folders enrol (none: all three).
func SetUp(ctx context.Context, w world.World, dir string, households int, folders ...string) (c *County, err error) {
	c = &County{Sample: yunqi.New(yunqi.Seed, households), Nodes: map[string]*Node{}}
	if c.Office, err = office.Found(ctx, w, filepath.Join(dir, "county"), c.Sample.Name, c.Sample.Code); err != nil {
		return nil, err
	}
	if err := c.fill(ctx, w); err != nil {
		return nil, err
	}
	root, err := c.Office.RootKey()
	if err != nil {
		return nil, err
	}
	c.Server, err = county.New(county.Options{
		World: w, Replica: c.Office.Replica, Merger: c.Office.Merger, Root: root, NodeKey: c.Office.NodeKey,
		Dir: c.Office.Dir, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("practice county: %w", err)
	}
	c.Address = "http://" + listener.Addr().String()
	c.http = c.Server.HTTP()
	go c.http.Serve(listener) // ends with Close
	for _, g := range Guests(c.Sample) {
		if len(folders) > 0 && !slices.Contains(folders, g.Folder) {
			continue
		}
		if err := c.enrol(ctx, w, dir, g); err != nil {
			return nil, fmt.Errorf("%s: %w", g.Folder, err)
		}
	}
	return c, nil
}

// fill enrols a clerk, loads the registry, publishes the workbooks and asks for a
// visit to every household.
func (c *County) fill(ctx context.Context, w world.World) (err error) {
	r := c.Office.Replica
	if c.Clerk, err = c.Office.Enrol(ctx, "县局经办（虚构）", trust.County, []string{c.Sample.Code}, PIN); err != nil {
		return err
	}
	if _, err := Load(ctx, c.Office, c.Clerk, c.Sample); err != nil {
		return err
	}
	for _, name := range []string{"forms/入户核查.xlsx", "forms/补正回访.xlsx", "standards/云栖县标准.xlsx"} {
		data, err := yunqi.Files.ReadFile(name)
		if err != nil {
			return err
		}
		if name[0] == 'f' {
			_, _, err = publish.Form(ctx, r, c.Clerk, name, data)
		} else {
			_, _, err = publish.Standards(ctx, r, c.Clerk, name, data)
		}
		if err != nil {
			return err
		}
	}
	var list []tasks.Task
	for i, h := range c.Sample.Households {
		list = append(list, tasks.Task{
			ID: w.NewID(), Household: h.ID, Division: h.Village.Code, Form: HomeVisit,
			Due: w.Now().AddDate(0, 0, 3+i%40).Format(time.DateOnly), Reason: []string{"年度复核", "近十二个月医疗自付较大，请主动上门了解", "名下有小汽车，请看车在不在、做什么用"}[i%3],
		})
	}
	_, err = tasks.Issue(ctx, r, c.Clerk, list)
	return err
}

func (c *County) enrol(ctx context.Context, w world.World, dir string, g Guest) error {
	code, err := g.Invite(ctx, c.Server, c.Address)
	if err != nil {
		return err
	}
	n := &Node{}
	n.Office, err = office.Join(ctx, w, filepath.Join(dir, g.Folder), code, func(p exchange.Guest) (string, error) {
		n.People = append(n.People, p)
		return PIN, nil
	})
	if err != nil {
		return err
	}
	c.Nodes[g.Folder] = n
	_, err = n.Office.Client().Sync(ctx, nil)
	return err
}
