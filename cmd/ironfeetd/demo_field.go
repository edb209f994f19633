package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/practice"
	"ironfeet/assets/yunqi"
	"ironfeet/sync/carrier"
	"ironfeet/sync/merge"
	"ironfeet/sync/relay"
)

// visitsPerTablet is how many doors each team knocks at.
const visitsPerTablet = 11

// visitHouseholds fills visits on both tablets, without any network: each through
// the form engine, with photos, a drawn signature and two investigators' own
// signatures.
func (s *story) visitHouseholds(ctx context.Context) error {
	byID := map[uuid.UUID]*yunqi.Household{}
	for _, h := range s.county.Households {
		byID[h.ID] = h
	}
	// The household that both teams will visit: the first with a task in the
	// village that both tablets serve.
	both := s.tablets[0].villages[2]
	var shared uuid.UUID
	list, err := tasks.List(ctx, s.tablets[0].Office.Replica, both, tasks.Open)
	if err != nil {
		return err
	}
	for _, t := range list {
		if shared == uuid.Nil && byID[t.Household].Kind != yunqi.Car {
			shared = t.Household
		}
	}
	if err := check(shared != uuid.Nil, "no task in %s", both); err != nil {
		return err
	}
	s.shared = shared
	for _, t := range s.tablets {
		if err := s.round(ctx, t, byID); err != nil {
			return fmt.Errorf("tablet %s: %w", t.letter, err)
		}
	}
	return check(len(s.tablets[0].visits)+len(s.tablets[1].visits) >= 20, "only %d visits", len(s.tablets[0].visits)+len(s.tablets[1].visits))
}

// round is one tablet's days in the villages.
func (s *story) round(ctx context.Context, t *tablet, byID map[uuid.UUID]*yunqi.Household) error {
	began := time.Now()
	open, err := tasks.List(ctx, t.Office.Replica, "", tasks.Open)
	if err != nil {
		return err
	}
	// The village that both tablets serve is walked to for the shared household only.
	both := s.tablets[0].villages[2]
	todo := pick(open, func(t tasks.Task) (yunqi.Kind, bool) {
		return byID[t.Household].Kind, t.Division != both && t.Household != s.shared
	})
	for _, task := range open {
		if task.Household == s.shared {
			todo = append(todo, task)
		}
	}
	answers := 0
	// Yesterday in the village: the clock goes on as it does at the door.
	y, m, d := s.world.Now().AddDate(0, 0, -1).Date()
	clock := practice.NewClock(time.Date(y, m, d, 8, 30, 0, 0, time.Local), 12*time.Second)
	defer clock.By(t.Node)()
	seed := uint64(0)
	for i, task := range todo {
		h := byID[task.Household]
		script := h.Visit(s.world.Now(), t.letter == "B")
		if i == 3 && task.Household != s.shared { // nobody at home
			script = yunqi.Absent(s.world.Now())
		}
		if t.letter != "B" || i != 6 { // once somebody takes the last house's photos for this one's
			seed = uint64(h.Number)*1000 + uint64(t.letter[0])*10
		}
		w, err := t.Walk(ctx, s.shelf, task, script, seed)
		if err != nil {
			return fmt.Errorf("household %d: %w", h.Number, err)
		}
		t.visits[task.Household] = w.Visit
		answers += w.Answers
		t.bytes += w.Bytes
		clock.Pass(15 * time.Minute) // to the next door
	}
	s.evening = clock.Now().Add(2 * time.Hour)
	pictures, err := t.Office.Replica.NamedBlobs(ctx) // one that was used twice is there once
	if err != nil {
		return err
	}
	t.photos = len(pictures)
	left, err := t.Office.Replica.Drafts(ctx)
	if err != nil {
		return err
	}
	s.tell("tablet %s: %d visits, %d answers (each durable before the next), %d photos and drawings (%s), 2 investigators' signatures each, %.1f s",
		t.letter, len(t.visits), answers, t.photos, bytesText(t.bytes), time.Since(began).Seconds())
	return check(len(left) == 0 && len(t.visits) == len(todo), "%d drafts left", len(left))
}

// pick chooses a tablet's tasks by turns from every kind of family, as far as
// there are any, and leaves a place for the shared one.
func pick(open []tasks.Task, kind func(tasks.Task) (yunqi.Kind, bool)) []tasks.Task {
	byKind := map[yunqi.Kind][]tasks.Task{}
	for _, t := range open {
		if k, ok := kind(t); ok {
			byKind[k] = append(byKind[k], t)
		}
	}
	var todo []tasks.Task
	for len(todo) < visitsPerTablet-1 && len(byKind) > 0 {
		for k := yunqi.Elders; k <= yunqi.Left && len(todo) < visitsPerTablet-1; k++ {
			if list := byKind[k]; len(list) > 0 {
				todo, byKind[k] = append(todo, list[0]), list[1:]
			} else {
				delete(byKind, k)
			}
		}
	}
	return todo
}

// bringHome lets tablet A sync over a link that breaks twice, and tablet B write a
// stick.
func (s *story) bringHome(ctx context.Context) error {
	a, b := s.tablets[0], s.tablets[1]
	bad, err := relay.New(strings.TrimPrefix(s.server.Address, "http://"))
	if err != nil {
		return err
	}
	defer bad.Close()
	client := a.Office.Client()
	client.World.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, bad.Addr())
	}
	bad.CutAfter(40_000)  // among the changes
	bad.CutAfter(700_000) // among the photos
	rep, err := client.Sync(ctx, nil)
	if err != nil {
		return err
	}
	s.tell("tablet A: %d bundles and %d photos up, %s in %.1f s; the link was cut %d times and taken up again %d times",
		rep.BundlesUp, rep.PhotosUp, bytesText(rep.BytesUp), rep.Took.Seconds(), bad.Cuts(), rep.Resumed)
	tip, err := a.Office.Replica.Tip(ctx, a.Office.Replica.Identity().Node)
	if err != nil {
		return err
	}
	s.tell("the county's receipt covers all %d changes of tablet A", tip.Last)
	if err := check(bad.Cuts() == 2 && rep.Resumed >= 2, "the link was cut %d times, taken up %d times", bad.Cuts(), rep.Resumed); err != nil {
		return err
	}
	if err := check(rep.Receipt == tip.Last && rep.PhotosUp == a.photos && rep.Refused == 0, "receipt %d of %d, photos %d of %d", rep.Receipt, tip.Last, rep.PhotosUp, a.photos); err != nil {
		return err
	}
	again, err := a.Office.Client().Sync(ctx, nil)
	if err != nil {
		return err
	}
	s.tell("once more at once: %d bundles, %d photos, %s (nothing is sent twice)", again.BundlesUp, again.PhotosUp, bytesText(again.BytesUp+again.BytesDown))
	if err := check(again.BundlesUp == 0 && again.PhotosUp == 0, "something was sent twice"); err != nil {
		return err
	}
	if err := a.Office.Renew(ctx); err != nil {
		return err
	}
	s.tell("tablet A takes its next key; the county's root certifies it")

	if err := os.MkdirAll(s.path("stick"), 0o700); err != nil {
		return err
	}
	s.stick = s.path("stick", "平板B.ironfeet")
	out, err := b.Office.WriteCarrier(ctx, s.stick)
	if err != nil {
		return err
	}
	s.tell("tablet B, never on a network: %s, %d bundles, %d changes, %d photos, %s, sealed and encrypted; control number %s",
		"平板B.ironfeet", out.Bundles, out.Changes, out.Blobs, bytesText(out.Bytes), out.Six)
	in, err := s.town.Office.ReadCarrier(ctx, s.stick)
	if err != nil {
		return err
	}
	s.tell("township reads the stick: %d bundles, %d new photos; control number %s", in.Bundles, in.NewBlobs, in.Six)
	if err := check(in.Six == out.Six && in.NewBlobs == b.photos && taken(in, merge.StatusAside) == 0, "%d photos of %d, %d bundles set aside", in.NewBlobs, b.photos, taken(in, merge.StatusAside)); err != nil {
		return err
	}
	twice, err := s.town.Office.ReadCarrier(ctx, s.stick)
	if err != nil {
		return err
	}
	return check(taken(twice, merge.StatusNew) == 0 && twice.NewBlobs == 0, "the same stick a second time changed something")
}

func taken(in carrier.ImportReport, status merge.Status) int {
	n := 0
	for _, o := range in.Outcomes {
		if o.Status == status {
			n++
		}
	}
	return n
}
