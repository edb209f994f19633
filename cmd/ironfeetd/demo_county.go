package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/compare"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// A person of the story.
type person struct {
	id   uuid.UUID
	name string
}

// A tablet of the story, with the two investigators who carry it.
type tablet struct {
	*practice.Node
	letter   string
	villages []string
	visits   map[uuid.UUID]uuid.UUID // household -> visit
	photos   int
	bytes    int64
}

// foundCounty sets up the county's folder, its clerk and its registry.
func (s *story) foundCounty(ctx context.Context) error {
	c := s.county
	before := s.world // the lists came and the tasks went out two days ago
	before.Now = func() time.Time { return s.world.Now().AddDate(0, 0, -2) }
	of, err := office.Found(ctx, before, s.path("county"), c.Name, c.Code)
	if err != nil {
		return err
	}
	s.hall = s.keep(of)
	s.clerk.name = "县局经办（虚构）"
	if s.clerk.id, err = of.Enrol(ctx, s.clerk.name, trust.County, []string{c.Code}, practice.PIN); err != nil {
		return err
	}
	members, err := practice.Load(ctx, of, s.clerk.id, c)
	if err != nil {
		return err
	}
	n, err := of.Replica.Count(ctx, store.Query{Kind: store.Household})
	if err != nil {
		return err
	}
	s.tell("%s %s, fictitious: township %s, %d villages, %d households, %d members", c.Name, c.Code, c.TownshipName, len(c.Villages), n, members)
	s.tell("root key %s, public part in %s", trust.Fingerprint(of.Root), filepath.Join("county", office.PublicKeyFile))
	return check(n == len(c.Households) && len(c.Villages) >= 6, "%d of %d households are in the registry", n, len(c.Households))
}

// publishWorkbooks writes the sample's workbooks beside the data, where a clerk
// can open them, and publishes what stands in them.
func (s *story) publishWorkbooks(ctx context.Context) error {
	for _, name := range []string{"forms/入户核查.xlsx", "forms/补正回访.xlsx", "standards/云栖县标准.xlsx"} {
		data, err := yunqi.Files.ReadFile(name)
		if err != nil {
			return err
		}
		file := s.path("workbooks", filepath.Base(name))
		if err := writeNew(file, data); err != nil {
			return err
		}
		if strings.HasPrefix(name, "standards/") {
			rules, report, err := publish.Standards(ctx, s.hall.Replica, s.clerk.id, file, data)
			if err != nil {
				return err
			}
			s.tell("%s (%s): version %s, in force from %s, %d parameters", filepath.Base(name), bytesText(int64(len(data))), rules.Version, rules.ValidFrom, len(rules.Parameters("rural")))
			if err := check(len(report.Warnings) == 0, "%s has warnings: %v", name, report.Warnings); err != nil {
				return err
			}
			continue
		}
		form, report, err := publish.Form(ctx, s.hall.Replica, s.clerk.id, file, data)
		if err != nil {
			return err
		}
		s.tell("%s (%s): form %s, version %s, %d questions, in %s", filepath.Base(name), bytesText(int64(len(data))),
			form.ID(), form.Version(), form.Questions(), strings.Join(form.Languages(), " and "))
		if err := check(len(report.Warnings) == 0, "%s has warnings: %v", name, report.Warnings); err != nil {
			return err
		}
		if form.ID() == practice.HomeVisit {
			if err := check(form.Questions() >= 120, "the home-visit form has only %d questions", form.Questions()); err != nil {
				return err
			}
		}
	}
	return nil
}

// compareLists lays three departments' files beside the registry and turns what
// they show into visit tasks.
func (s *story) compareLists(ctx context.Context) error {
	kinds, problems := alerts.Read(yunqi.AlertKinds())
	if kinds == nil {
		return check(false, "the workbook of alert kinds: %v", problems.Errors)
	}
	raised, want := 0, 0
	for _, l := range s.county.Lists() {
		file := s.path("lists", l.File)
		if err := writeNew(file, l.Data); err != nil {
			return err
		}
		f, err := compare.OpenFile(file)
		if err != nil {
			return err
		}
		rep, err := compare.Run(ctx, s.hall.Replica, s.hall.World, s.clerk.id, kinds, kinds.Source(l.Source), f, compare.Options{})
		if closing := f.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
		for _, line := range compared(rep) {
			s.tell("%s", line)
		}
		raised += rep.Raised.Alerts
		want += l.Hits
		for _, c := range []struct {
			what      string
			got, want int
		}{
			{"rows", rep.Read, l.Rows}, {"matched", rep.Matched, l.Matched}, {"unmatched", rep.Unmatched, l.Unmatched},
			{"rejected", len(rep.Rejected), l.Rejected}, {"the sum", rep.Matched + rep.Unmatched + len(rep.Rejected), rep.Read}, {"hits", len(rep.Hits), l.Hits},
		} {
			if err := check(c.got == c.want, "%s: %s %d, want %d", l.File, c.what, c.got, c.want); err != nil {
				return err
			}
		}
	}
	open, err := alerts.List(ctx, s.hall.Replica, s.county.Code, alerts.Open)
	if err != nil {
		return err
	}
	if err := alerts.Confirm(ctx, s.hall.Replica, s.clerk.id, open...); err != nil {
		return err
	}
	made, err := alerts.ToTasks(ctx, s.hall.Replica, s.world.NewID, s.clerk.id, s.county.Code)
	if err != nil {
		return err
	}
	perVillage := map[string]int{}
	asked := map[uuid.UUID]bool{}
	for _, t := range made {
		perVillage[t.Division]++
		asked[t.Household] = true
	}
	// Besides: families on aid whose yearly re-check has come (57号 Art. 31).
	var checks []tasks.Task
	for _, h := range s.county.Households {
		if !asked[h.ID] && h.Fields["aid"] != "none" {
			checks = append(checks, tasks.Task{
				ID: s.world.NewID(), Household: h.ID, Division: h.Village.Code, Form: practice.HomeVisit,
				Due: s.world.Now().AddDate(0, 0, 45).Format(time.DateOnly), Reason: "年度复核",
			})
		}
	}
	if _, err := tasks.Issue(ctx, s.hall.Replica, s.clerk.id, checks); err != nil {
		return err
	}
	var villages []string
	for _, v := range s.county.Villages {
		villages = append(villages, fmt.Sprintf("%s %d", v.Name, perVillage[v.Code]))
	}
	s.tell("%d alerts, confirmed by %s, became %d visit tasks: %s; %d yearly re-checks besides", raised, s.clerk.name, len(made), strings.Join(villages, ", "), len(checks))
	return check(raised == want && len(made) > 0, "%d alerts, want %d", raised, want)
}

// enrolNodes invites two tablets and the township's computer, starts the county's
// server as a process of its own, and lets the three enrol and pull.
func (s *story) enrolNodes(ctx context.Context) error {
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	server, err := newServer(s.hall, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	guests := practice.Guests(s.county)
	codes := make([]string, len(guests))
	for i, g := range guests {
		if codes[i], err = g.Invite(ctx, server, "http://"+listen); err != nil {
			return err
		}
	}
	s.tell("three invitations written, such as %s…", codes[0][:24])
	if err := s.leave(s.hall); err != nil { // a folder has one owner: now the server
		return err
	}
	s.listen = listen
	if s.server, err = startServer(ctx, s.path("county"), listen, s.path("county-server.log")); err != nil {
		return err
	}
	s.tell("county server: process %d on %s", s.server.cmd.Process.Pid, s.server.Address)
	for i, g := range guests {
		n := &practice.Node{}
		of, err := office.Join(ctx, s.world, s.path(g.Folder), codes[i], func(guest exchange.Guest) (string, error) {
			n.People = append(n.People, guest)
			return practice.PIN, nil
		})
		if err != nil {
			return err
		}
		n.Office = s.keep(of)
		rep, err := of.Client().Sync(ctx, nil)
		if err != nil {
			return err
		}
		if err := s.onlyScope(ctx, of, g.Name, g.Scope, rep.BytesDown); err != nil {
			return err
		}
		if g.Role == trust.Township {
			s.town = n
		} else {
			s.tablets[i-1] = &tablet{Node: n, letter: string(rune('A' + i - 1)), villages: g.Scope, visits: map[uuid.UUID]uuid.UUID{}}
		}
	}
	_, err = office.Join(ctx, s.world, s.path("thief"), codes[0], func(exchange.Guest) (string, error) { return practice.PIN, nil })
	said := fmt.Sprint(err)
	if rest := os.RemoveAll(s.path("thief")); rest != nil {
		return rest
	}
	s.tell("the first invitation a second time: refused (%s)", said)
	return check(err != nil, "an invitation was used twice")
}

// onlyScope checks that a node holds the households of its villages, all of them
// and no others.
func (s *story) onlyScope(ctx context.Context, of *office.Office, name string, scope []string, down int64) error {
	within := func(division string) bool {
		return slices.ContainsFunc(scope, func(s string) bool { return store.Within(s, division) })
	}
	want := 0
	for _, h := range s.county.Households {
		if within(h.Village.Code) {
			want++
		}
	}
	counts := map[store.Kind]int{}
	for _, kind := range []store.Kind{store.Household, store.Member, store.Task, store.Alert, store.Form, store.Standards} {
		list, err := of.Replica.Entities(ctx, store.Query{Kind: kind})
		if err != nil {
			return err
		}
		counts[kind] = len(list)
		for _, e := range list {
			if err := check(within(e.Division) || store.Within(e.Division, scope[0]), "%s holds a %s of %s", name, kind, e.Division); err != nil {
				return err
			}
		}
	}
	s.tell("%s enrolled for %s and pulled %d households, %d members, %d tasks, %d forms in %s: its scope, nothing else",
		name, strings.Join(scope, " "), counts[store.Household], counts[store.Member], counts[store.Task], counts[store.Form], bytesText(down))
	return check(counts[store.Household] == want && counts[store.Form] == 2, "%s has %v, want %d households", name, slices.Sorted(maps.Values(counts)), want)
}

// freeAddress is a loopback address on which nobody listens at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// writeNew writes a file and its folder.
func writeNew(file string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return world.WriteFile(world.Real().Disk, file, data)
}
