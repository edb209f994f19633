package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/office"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/forms/standards"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// determine stops the server and lets the county decide, export and prove.
func (s *story) determine(ctx context.Context) error {
	if err := s.server.stop(); err != nil {
		return err
	}
	s.server = nil
	of, err := office.Open(ctx, s.world, s.path("county"))
	if err != nil {
		return err
	}
	s.hall = s.keep(of)
	s.tell("the server ended on SIGTERM; the county's folder is open again")
	pending, err := determination.Pending(ctx, of.Replica, s.county.Code)
	if err != nil {
		return err
	}
	perLabel, agree := map[string]int{}, 0
	var shown bool
	var told uuid.UUID
	for _, v := range pending {
		rules, err := determination.Rules(ctx, of.Replica, v)
		if err != nil {
			return err
		}
		d := determination.Suggest(rules, v)
		if err := check(d.Category != standards.Undecided, "household %s: undecided, missing %v", v.Content.Household, d.Missing); err != nil {
			return err
		}
		if _, err := determination.Decide(ctx, of.Replica, s.clerk.id, s.world.Now(), v, d, determination.Choice{}); err != nil {
			return err
		}
		perLabel[d.Label]++
		o, err := opinion.On(ctx, of.Replica, v.ID)
		if err != nil {
			return err
		}
		if o != nil && o.Category == d.Category && o.Amount == d.Amount {
			agree++
		}
		if !shown && d.Category == "rigid" {
			shown, told = true, v.Content.Household
			s.showTrace(d)
		}
	}
	var labels []string
	for _, l := range slices.Sorted(maps.Keys(perLabel)) {
		labels = append(labels, fmt.Sprintf("%s %d", l, perLabel[l]))
	}
	s.tell("%d households decided by %s, each with its whole trace: %s; %d as the township thought", len(pending), s.clerk.name, strings.Join(labels, ", "), agree)
	if err := check(agree == len(pending)-1, "%d of %d opinions are the county's", agree, len(pending)); err != nil {
		return err
	}
	if err := check(len(perLabel) >= 4 && shown, "only %v", labels); err != nil {
		return err
	}
	if err := s.followUp(ctx, of, told); err != nil {
		return err
	}
	if err := s.loadTwice(ctx, of); err != nil {
		return err
	}
	if err := s.openAccounts(ctx, of); err != nil {
		return err
	}
	return s.prove(ctx, of)
}

// showTrace prints how one category came about.
func (s *story) showTrace(d standards.Decision) {
	s.tell("one trace, standards %s: %s (%s)", d.Version, d.Label, d.Reason)
	for _, c := range d.Steps {
		if slices.Contains([]string{"低保", "低保边缘家庭", "刚性支出困难家庭"}, c.Rule) {
			s.tell("    %s", c)
		}
	}
}

// prove exports the verified records and has the evidence package verified, whole
// and altered.
func (s *story) prove(ctx context.Context, of *office.Office) error {
	if err := os.MkdirAll(s.path("exports"), 0o700); err != nil {
		return err
	}
	clerk, child := s.clerk.name, "未保审批（虚构）"
	if _, err := of.Enrol(ctx, child, trust.ChildApprover, []string{s.county.Code}, practice.PIN); err != nil {
		return err
	}
	template := s.path("workbooks", "国家平台导入模板.md")
	if err := writeNew(template, yunqi.Template()); err != nil {
		return err
	}
	pack, dossier := s.path("exports", "证据包.zip"), s.path("exports", "一户一档.pdf")
	for _, e := range []ExportCmd{
		{Format: "xlsx", Out: s.path("exports", "核查结果.xlsx")},
		{Format: "csv", Out: s.path("exports", "国家平台导入.csv"), Template: template},
		{Format: "geojson", Out: s.path("exports", "分布.geojson")},
		{Format: "pdf", Out: dossier, Unmasked: true, Reason: "年度归档", Recipient: "县档案室（虚构）", By: clerk, Approved: child},
		{Format: "evidence", Out: pack, Reason: "州里抽查", Recipient: "州民政局（虚构）", By: clerk, Approved: child},
	} {
		e.pins = strings.NewReader(practice.PIN + "\n" + practice.PIN + "\n")
		said, err := e.export(ctx, &Output{Out: s.out, Err: io.Discard, Lang: s.lang}, of)
		if err != nil {
			return err
		}
		s.tell("%s", said)
	}
	e := ExportCmd{Format: "csv", Out: s.path("exports", "全部.csv"), Unmasked: true, Reason: "报送", Recipient: "某单位", By: clerk, Approved: clerk}
	e.pins = strings.NewReader(practice.PIN + "\n" + practice.PIN + "\n")
	_, err := e.export(ctx, &Output{Out: s.out, Err: io.Discard, Lang: s.lang}, of)
	s.tell("the clerk alone asks for everybody's ID numbers: refused (%v)", err)
	if err := check(err != nil, "an unmasked export went out without a second person"); err != nil {
		return err
	}
	if missing, err := of.Replica.MissingBlobs(ctx); err != nil || len(missing) > 0 {
		return check(false, "%d photos have not arrived at the county (%v)", len(missing), err)
	}
	key := s.path("county", office.PublicKeyFile)
	said, status := s.command("verify", "--key", key, pack)
	s.tell("ironfeetd verify: %s", firstLine(said))
	if err := check(status == 0, "the evidence package is not accepted: %s", said); err != nil {
		return err
	}
	data, err := os.ReadFile(pack)
	if err != nil {
		return err
	}
	data[len(data)/2] ^= 1 // a single bit, in the middle of some photo
	altered := s.path("exports", "证据包-改动一字节.zip")
	if err := writeNew(altered, data); err != nil {
		return err
	}
	said, status = s.command("verify", "--key", key, altered)
	s.tell("a copy with one byte changed: %s", firstLine(said))
	return check(status == 1 && strings.Contains(said, "blobs/"), "the altered package: status %d, %s", status, said)
}

// command runs one command line of this program as a user would, and returns what
// it said and its exit status.
func (s *story) command(args ...string) (string, int) {
	var said bytes.Buffer
	status := run(append([]string{"--lang", "en"}, args...), &said, &said)
	return said.String(), status
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// comeBack starts the server again and lets the decisions travel back to those
// who walked: to tablet A by network, to tablet B by stick.
func (s *story) comeBack(ctx context.Context) error {
	if err := s.leave(s.hall); err != nil {
		return err
	}
	var err error
	if s.server, err = startServer(ctx, s.path("county"), s.listen, s.path("county-server.log")); err != nil {
		return err
	}
	if err := s.browse(ctx); err != nil {
		return err
	}
	a, b := s.tablets[0], s.tablets[1]
	rep, err := a.Office.Client().Sync(ctx, nil)
	if err != nil {
		return err
	}
	list, err := tasks.List(ctx, a.Office.Replica, "", tasks.Open)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(list, func(t tasks.Task) bool { return t.Household == s.returned && t.Returned != "" })
	if err := check(at >= 0, "the returned visit did not come back to tablet A"); err != nil {
		return err
	}
	s.tell("tablet A pulls %d bundles: %s is to be visited again until %s: %s", rep.BundlesDown, list[at].Address, list[at].Due, list[at].Returned)

	if err := s.correct(ctx, a, list[at]); err != nil {
		return err
	}
	if _, err := s.town.Office.Client().Sync(ctx, nil); err != nil {
		return err
	}
	again, err := review.Inbox(ctx, s.town.Office.Replica, s.county.TownshipCode)
	if err != nil {
		return err
	}
	if err := check(len(again) == 1 && again[0].Household == s.returned, "%d visits wait, want the corrected one", len(again)); err != nil {
		return err
	}
	if err := s.tidy(ctx); err != nil {
		return err
	}
	if _, err := s.town.Office.Client().Sync(ctx, nil); err != nil {
		return err
	}
	way := s.path("stick", "回程.ironfeet")
	out, err := s.town.Office.WriteCarrier(ctx, way, b.Office.Replica.Identity().Node)
	if err != nil {
		return err
	}
	in, err := b.Office.ReadCarrier(ctx, way)
	if err != nil {
		return err
	}
	own := b.Office.Replica.Identity().Node
	tip, err := b.Office.Replica.Tip(ctx, own)
	if err != nil {
		return err
	}
	covered, _, err := b.Office.Replica.Receipt(ctx, own)
	if err != nil {
		return err
	}
	accepted := 0
	for _, v := range b.visits {
		if state, _, err := review.StateOf(ctx, b.Office.Replica, v); err == nil && state == review.Accepted {
			accepted++
		}
	}
	s.tell("the stick goes back to tablet B (%s, control number %s): %d of its %d visits accepted; the county's receipt covers all %d changes",
		bytesText(out.Bytes), in.Six, accepted, len(b.visits), covered)
	if err := check(accepted == len(b.visits) && covered == tip.Last, "%d accepted, receipt %d of %d", accepted, covered, tip.Last); err != nil {
		return err
	}
	if err := s.server.stop(); err != nil {
		return err
	}
	s.server = nil
	return s.sameEverywhere(ctx)
}

// correct goes back to the door: the returned visit is taken up where it ended, the
// photo taken again, everything signed anew, and sent.
func (s *story) correct(ctx context.Context, a *tablet, task tasks.Task) error {
	v, err := a.Desk(s.shelf).Start(ctx, task)
	if err != nil {
		return err
	}
	kept := len(v.Entry.Answers())
	if err := check(len(v.Lost) == 0 && len(v.Entry.Problems()) == 0, "the returned visit's answers are not all there: %v", v.Lost); err != nil {
		return err
	}
	if _, err := v.AddPhoto(ctx, "/housing/photo_room", bytes.NewReader(yunqi.Photo(uint64(kept), 1280, 960))); err != nil {
		return err
	}
	if err := a.SignOff(ctx, v, v.Page.Household.Text("name"), uint64(kept), &practice.Walked{}); err != nil {
		return err
	}
	rep, err := a.Office.Client().Sync(ctx, nil)
	if err != nil {
		return err
	}
	s.tell("tablet A goes again: its %d answers are there, one photo is taken anew, both sign; %d bundle and %d pictures go to the county, and wait in the township's inbox",
		kept, rep.BundlesUp, rep.PhotosUp)
	return check(rep.PhotosUp == 2, "%d pictures went up, want the photo and the signature", rep.PhotosUp)
}

// sameEverywhere compares, field by field, what the township and the county know
// of every household, and checks the invariants of all four folders.
func (s *story) sameEverywhere(ctx context.Context) error {
	of, err := office.Open(ctx, s.world, s.path("county"))
	if err != nil {
		return err
	}
	s.keep(of)
	findings := 0
	for _, o := range []*office.Office{of, s.town.Office, s.tablets[0].Office, s.tablets[1].Office} {
		list, err := o.Replica.Check(ctx)
		if err != nil {
			return err
		}
		for _, f := range list {
			s.tell("%s: %v", filepath.Base(o.Dir), f)
		}
		findings += len(list)
	}
	if err := s.browsed(ctx, of); err != nil {
		return err
	}
	entries, faults, err := checkAudit(ctx, of)
	if err != nil {
		return err
	}
	s.tell("the county's audit log: %d entries, each bound to the one before, as every checkpoint that travelled has them", entries)
	if err := check(entries > 0 && len(faults) == 0, "the audit log: %v", faults); err != nil {
		return err
	}
	compared := 0
	for _, kind := range []store.Kind{store.Household, store.Member, store.Visit, store.Review, store.Task} {
		list, err := of.Replica.Entities(ctx, store.Query{Kind: kind})
		if err != nil {
			return err
		}
		for _, e := range list {
			other, err := s.town.Office.Replica.Entity(ctx, e.ID)
			if err != nil {
				return err
			}
			one, _ := json.Marshal(e)
			two, _ := json.Marshal(other)
			if err := check(bytes.Equal(one, two), "%s %s differs between county and township", kind, e.ID); err != nil {
				return err
			}
			compared++
		}
	}
	s.tell("county and township agree on every field of %d records; the invariants of all four folders hold", compared)
	return check(findings == 0, "%d findings", findings)
}
