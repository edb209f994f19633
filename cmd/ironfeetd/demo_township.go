package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/checks"
	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/duplicates"
	"ironfeet/app/casework/notice"
	"ironfeet/app/casework/office"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/review"
	"ironfeet/app/export/posting"
	"ironfeet/app/practice"
	"ironfeet/app/words"
	"ironfeet/assets/yunqi"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// reviewer is the township's clerk deciding.
func (s *story) reviewer() *review.Reviewer {
	return &review.Reviewer{Replica: s.town.Office.Replica, Shelf: s.shelf, Person: s.town.People[0].ID, Role: trust.Township,
		Now: s.tonight, NewID: s.world.NewID, Roll: s.town.Office.Merger.Roll}
}

// tonight is the evening of the day in the field, going on.
func (s *story) tonight() time.Time { return s.evening.Add(time.Since(s.began)) }

// review lets the township take in tablet A's visits over the network, look at what
// the checks found, and decide: most in one go, the others beside the registry.
func (s *story) review(ctx context.Context) error {
	rep, err := s.town.Office.Client().Sync(ctx, nil)
	if err != nil {
		return err
	}
	s.tell("township syncs: %d bundles and %d photos down, %d bundles and %d photos of the stick passed on to the county, %s in all",
		rep.BundlesDown, rep.PhotosDown, rep.BundlesUp, rep.PhotosUp, bytesText(rep.BytesUp+rep.BytesDown))
	inbox, err := s.inbox(ctx)
	if err != nil {
		return err
	}
	reviewer := s.reviewer()
	visits, accepted, changed, batch := len(s.tablets[0].visits)+len(s.tablets[1].visits), 0, 0, 0
	for i := range inbox {
		w := &inbox[i]
		open, err := reviewer.Open(ctx, w.Visit)
		if err != nil {
			return err
		}
		if err := check(open.Verified(), "the investigators' signatures under visit %s do not hold", w.Visit); err != nil {
			return err
		}
		_, byA := s.tablets[0].visits[w.Household]
		if s.returned == uuid.Nil && byA && w.Household != s.shared && w.Outcome == "completed" {
			s.returned = w.Household
			why := review.Fault{Path: "/data/housing/photo_room", Text: "居室照片看不清床铺，请补拍，并再问一次电话", Code: "return.photo_unclear"}
			if err := reviewer.Return(ctx, open, s.tonight().AddDate(0, 0, 10), why); err != nil {
				return err
			}
			s.tell("returned: %s, to the very question: %s", open.Page.Household.Text("address"), why.Text)
			continue
		}
		for _, l := range open.Lines {
			if l.Standing != review.Same {
				changed++
			}
		}
		if w.Clean() {
			batch++
			err = reviewer.AcceptClean(ctx, w)
		} else {
			err = reviewer.Accept(ctx, open, nil, "")
		}
		if err != nil {
			return err
		}
		accepted++
	}
	s.tell("accepted: %d visits, %d of them in one go because nothing spoke against them; %d registry fields are brought up to date", accepted, batch, changed)
	if err := check(accepted == visits-1 && batch > 0 && s.returned != uuid.Nil, "%d accepted of %d, %d in one go", accepted, visits, batch); err != nil {
		return err
	}
	if err := s.slip(ctx, reviewer); err != nil {
		return err
	}
	if err := s.settle(ctx, reviewer); err != nil {
		return err
	}
	if err := s.opine(ctx, reviewer); err != nil {
		return err
	}
	if err := s.post(ctx); err != nil {
		return err
	}
	up, err := s.town.Office.Client().Sync(ctx, nil)
	if err != nil {
		return err
	}
	s.tell("the township's decisions go to the county: %d bundles, %s; the county's receipt covers %d changes", up.BundlesUp, bytesText(up.BytesUp), up.Receipt)
	return check(up.Refused == 0 && up.Aside == 0, "%d bundles refused, %d set aside", up.Refused, up.Aside)
}

// inbox lets the checks look at everything that came, photos among it, and tells
// what the clerk sees.
func (s *story) inbox(ctx context.Context) ([]review.Waiting, error) {
	r := s.town.Office.Replica
	desk, err := review.OpenDesk(ctx, r, trust.Township, s.tonight)
	if err != nil {
		return nil, err
	}
	desk.Roll = s.town.Office.Merger.Roll
	if _, err := desk.Album.Refresh(ctx, 0); err != nil {
		return nil, err
	}
	if err := desk.Look(ctx, s.county.TownshipCode); err != nil {
		return nil, err
	}
	list, err := desk.Inbox(ctx, s.county.TownshipCode)
	if err != nil {
		return nil, err
	}
	days, err := calendar.Of(ctx, r)
	if err != nil {
		return nil, err
	}
	n := review.Count(list, s.tonight().Format(time.DateOnly))
	visits, missing := len(s.tablets[0].visits)+len(s.tablets[1].visits), 0
	for i := range list {
		missing += list[i].Missing
	}
	if err := check(len(list) == visits && missing == 0, "%d of %d visits in the inbox, %d photos missing", len(list), visits, missing); err != nil {
		return nil, err
	}
	due, err := time.Parse(time.DateOnly, list[0].Due)
	if err != nil {
		return nil, err
	}
	s.tell("inbox: %d visits from both tablets, none of their %d photos missing; the most pressing until %s, %d working days (%s)",
		len(list), desk.Album.Size(), list[0].Due, days.Until(s.tonight(), due), list[0].Basis)
	s.tell("checks: %d visits have nothing to look at twice, %d wait beside another team's, %d have hints:", n.Clean, n.Alerts[review.AlertTwice], n.Warned)
	say := words.In("en")
	told := map[string]bool{}
	for i := range list {
		for _, h := range list[i].Hints {
			if h.Grave && !told[h.Code] {
				told[h.Code] = true
				s.tell("    %s: %s", list[i].Name, say.Say(h.Code, h))
			}
		}
	}
	return list, check(n.Alerts[checks.SamePhoto] == 2 && n.Clean > 0 && n.Overdue == 0 && n.Alerts[checks.TooFast] == 0,
		"%d visits with a photo used before, %d clean, %d too fast", n.Alerts[checks.SamePhoto], n.Clean, n.Alerts[checks.TooFast])
}

// slip takes the last decision back before it is sent, and takes it again.
func (s *story) slip(ctx context.Context, reviewer *review.Reviewer) error {
	done, err := reviewer.Undoable(ctx)
	if err != nil {
		return err
	}
	if err := check(len(done) > 0, "nothing can be undone"); err != nil {
		return err
	}
	if err := reviewer.Undo(ctx, done[0].Review, "按错了"); err != nil {
		return err
	}
	open, err := reviewer.Open(ctx, done[0].About)
	if err != nil {
		return err
	}
	if err := check(open.State == review.Signed, "an undone decision leaves the visit %s", open.State); err != nil {
		return err
	}
	s.tell("a slip of the finger: %s's decision is undone before it is sent, with its reason, and taken again", open.Page.Household.Text("name"))
	return reviewer.Accept(ctx, open, nil, "")
}

// settle shows the conflicts of the household that both tablets visited, and
// decides them.
func (s *story) settle(ctx context.Context, reviewer *review.Reviewer) error {
	disputes, err := reviewer.Disputes(ctx, s.county.TownshipCode)
	if err != nil {
		return err
	}
	team := map[uuid.UUID]string{}
	for _, t := range s.tablets {
		for _, v := range t.visits {
			team[v] = "tablet " + t.letter
		}
	}
	for _, d := range disputes {
		if err := check(d.Household == s.shared && len(d.Says) == 2, "a conflict at household %s that only one team visited", d.Household); err != nil {
			return err
		}
		var says []string
		for _, side := range d.Says {
			says = append(says, fmt.Sprintf("%s says %s", team[side.Visit], side.Value))
		}
		s.tell("conflict at the household that both teams visited, %s: %s", d.Field, strings.Join(says, ", "))
		if err := reviewer.SettleWhy(ctx, d, d.Heads[1].Value, "打电话问过户主"); err != nil {
			return err
		}
		history, err := reviewer.FieldHistory(ctx, d.Entity, d.Field)
		if err != nil {
			return err
		}
		s.tell("settled by %s: %s (打电话问过户主); the field's history has %d values", s.town.People[0].Name, d.Heads[1].Value.Show(), len(history))
	}
	left, err := s.town.Office.Replica.Conflicts(ctx, s.county.TownshipCode)
	if err != nil {
		return err
	}
	return check(len(disputes) >= 1 && len(left) == 0, "%d conflicts found, %d left", len(disputes), len(left))
}

// loadTwice brings one family into the county's registry a second time, as another
// office's list does, in another village and with a newborn.
func (s *story) loadTwice(ctx context.Context, of *office.Office) error {
	h := s.county.Households[5]
	village := s.county.Villages[6]
	twice := registry.Household{Division: village.Code, Fields: map[string]string{"name": h.Fields["name"], "address": village.Name + "圩上3号", "village": village.Name}}
	for _, m := range h.Members {
		twice.Members = append(twice.Members, registry.Member{Fields: map[string]string{"name": m.Fields["name"], "id_no": m.Fields["id_no"], "id_type": "idcard", "birth": m.Fields["birth"], "rel": m.Fields["rel"]}})
	}
	twice.Members = append(twice.Members, registry.Member{Fields: map[string]string{"name": h.Fields["name"][:3] + "新生", "id_type": "none", "birth": "2026-02-01", "rel": "20"}})
	s.tell("another office's list brings one family a second time: %s, in %s", h.Fields["name"], village.Name)
	return registry.Load(ctx, of.Replica, s.world.NewID, s.clerk.id, []registry.Household{twice})
}

// tidy finds the family that stands twice, merges it, takes that back with nothing
// lost, and merges it for good.
func (s *story) tidy(ctx context.Context) error {
	r, reviewer := s.town.Office.Replica, s.reviewer()
	pairs, err := duplicates.Find(ctx, r, s.county.TownshipCode)
	if err != nil {
		return err
	}
	say := words.In("en")
	at := -1
	for i, p := range pairs {
		s.tell("may stand twice: %s %s, %s", p.Kind, p.Name, say.Say(p.Why, p))
		if p.Kind == store.Household && at < 0 {
			at = i
		}
	}
	if err := check(at >= 0, "the family that stands twice was not found"); err != nil {
		return err
	}
	p := pairs[at]
	stays, err := registry.Open(ctx, r, p.A)
	if err != nil {
		return err
	}
	goes, err := registry.Open(ctx, r, p.B)
	if err != nil {
		return err
	}
	merge := duplicates.Merge{Stays: p.A, Goes: p.B, Same: map[uuid.UUID]uuid.UUID{}, Reason: "同一家人，子女在圩上另有住处（虚构）"}
	for _, a := range goes.Members {
		for _, b := range stays.Members {
			if a.Text("id_no") != "" && a.Text("id_no") == b.Text("id_no") {
				merge.Same[a.ID] = b.ID
			}
		}
	}
	if err := duplicates.Do(ctx, reviewer, merge); err != nil {
		return err
	}
	one, err := registry.Open(ctx, r, p.A)
	if err != nil {
		return err
	}
	merges, err := duplicates.List(ctx, r, s.county.TownshipCode)
	if err != nil {
		return err
	}
	if err := duplicates.Unmerge(ctx, reviewer, merges[0].Review, "先核实再合并"); err != nil {
		return err
	}
	a, err := registry.Open(ctx, r, p.A)
	if err != nil {
		return err
	}
	b, err := registry.Open(ctx, r, p.B)
	if err != nil {
		return err
	}
	if err := check(len(one.Members) == len(stays.Members)+1 && len(a.Members) == len(stays.Members) && len(b.Members) == len(goes.Members),
		"merged %d members, taken back %d and %d", len(one.Members), len(a.Members), len(b.Members)); err != nil {
		return err
	}
	if err := duplicates.Do(ctx, reviewer, merge); err != nil {
		return err
	}
	left, err := duplicates.Find(ctx, r, s.county.TownshipCode)
	if err != nil {
		return err
	}
	s.tell("merged: %d and %d members are %d; the merge was taken back with nothing lost, and decided again", len(stays.Members), len(goes.Members), len(one.Members))
	return check(len(left) == 0, "%d pairs are left", len(left))
}

// opine gives the township's opinion on every accepted case: as the rules suggest, but
// for one on which it thinks otherwise and says why.
func (s *story) opine(ctx context.Context, reviewer *review.Reviewer) error {
	cases, err := opinion.Pending(ctx, reviewer.Replica, s.county.TownshipCode)
	if err != nil {
		return err
	}
	otherwise := ""
	for _, w := range cases {
		d, err := suggested(ctx, s.town.Office, w.Visit)
		if err != nil {
			return err
		}
		choice := determination.Choice{}
		if otherwise == "" && d.Category == "edge" {
			choice = determination.Choice{Category: "none", Label: "不符合", Reason: "邻里反映有一笔收入没有申报，建议核实后再定"}
			otherwise = fmt.Sprintf("%s instead of %s (%s)", choice.Label, d.Label, choice.Reason)
		}
		if _, err := opinion.Give(ctx, reviewer, w.Visit, d, choice); err != nil {
			return err
		}
	}
	s.tell("the township's opinion (初审意见) on %d cases, by %s: as the rules suggest, but one: %s", len(cases), s.town.People[0].Name, otherwise)
	return check(len(cases) > 0 && otherwise != "", "%d cases", len(cases))
}

// post makes the notices of the township's opinions, prints one, hangs it, hears
// an objection, and takes it down after its last day.
func (s *story) post(ctx context.Context) error {
	r, reviewer := s.town.Office.Replica, s.reviewer()
	pending, err := notice.Pending(ctx, r, s.county.TownshipCode, s.tonight())
	if err != nil {
		return err
	}
	if err := check(len(pending) > 0, "nothing is to be posted"); err != nil {
		return err
	}
	d := slices.MaxFunc(pending, func(a, b notice.Draftable) int { return len(a.Rows) - len(b.Rows) })
	id, err := notice.Make(ctx, reviewer, d)
	if err != nil {
		return err
	}
	photo := func(seed uint64) (store.BlobRef, error) {
		return r.PutBlob(ctx, bytes.NewReader(yunqi.Photo(seed, 640, 480)), 1<<20)
	}
	first, err := photo(71)
	if err != nil {
		return err
	}
	sheet, err := notice.Get(ctx, r, id)
	if err != nil {
		return err
	}
	if err := notice.Post(ctx, reviewer, sheet, s.tonight(), "村委会公示栏", first); err != nil {
		return err
	}
	if sheet, err = notice.Get(ctx, r, id); err != nil {
		return err
	}
	head := posting.Letterhead{Office: s.county.TownshipName + "人民政府（虚构）"}
	if err := os.MkdirAll(s.path("exports"), 0o700); err != nil {
		return err
	}
	pdf, err := os.Create(s.path("exports", "公示.pdf"))
	if err != nil {
		return err
	}
	defer pdf.Close()
	if _, err := posting.PDF(pdf, sheet, head); err != nil {
		return err
	}
	xlsx, err := os.Create(s.path("exports", "公示.xlsx"))
	if err != nil {
		return err
	}
	defer xlsx.Close()
	if err := posting.XLSX(xlsx, sheet, head); err != nil {
		return err
	}
	sure := ""
	if !sheet.Sure {
		sure = ", not certain: that year's calendar is not loaded"
	}
	s.tell("posted: %s, %d rows of name, members, amount and village, %s to %s%s (公示.pdf, 公示.xlsx); %d more sheets to make",
		posting.Title(sheet), len(sheet.Rows), sheet.From, sheet.Until, sure, len(pending)-1)
	o, err := notice.Object(ctx, reviewer, sheet, sheet.Rows[0].Household, "邻居甲（虚构）", "听说在县城有房", practice.HomeVisit)
	if err != nil {
		return err
	}
	s.tell("an objection against %s: a new survey until %s; who said it stays with the offices", o.Name, o.Due)
	until, err := time.Parse(time.DateOnly, sheet.Until)
	if err != nil {
		return err
	}
	if sheet, err = notice.Get(ctx, r, id); err != nil {
		return err
	}
	early := notice.Close(ctx, reviewer, sheet, first)
	last, err := photo(72)
	if err != nil {
		return err
	}
	reviewer.Now = func() time.Time { return until.Add(20 * time.Hour) }
	if err := notice.Close(ctx, reviewer, sheet, last); err != nil {
		return err
	}
	if sheet, err = notice.Get(ctx, r, id); err != nil {
		return err
	}
	s.tell("taken down too early: refused (%v); on its last day: %d of %d rows have passed, one is contested", early, len(sheet.Passed()), len(sheet.Rows))
	return check(early != nil && len(sheet.Passed()) == len(sheet.Rows)-1, "%d rows have passed", len(sheet.Passed()))
}
