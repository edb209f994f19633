package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/chain"
	"ironfeet/app/casework/clocks"
	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/needs"
	"ironfeet/app/casework/office"
	"ironfeet/app/words"
	"ironfeet/assets/yunqi"
	"ironfeet/forms/standards"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// followUp does what the county owes after its decisions: departments hear what
// became of their lists, needs go to who can meet them, days that come are noticed,
// next year's standards are tried, and one family's whole chain is told.
func (s *story) followUp(ctx context.Context, of *office.Office, decided uuid.UUID) error {
	for _, part := range []func(context.Context, *office.Office) error{s.feedBack, s.refer, s.tick, s.draft} {
		if err := part(ctx, of); err != nil {
			return err
		}
	}
	entries, err := chain.Of(ctx, of.Replica, decided)
	if err != nil {
		return err
	}
	home, err := of.Replica.Entity(ctx, decided)
	if err != nil {
		return err
	}
	s.tell("the assistance chain of one family (一户一条救助链), %s:", home.Text("address"))
	kinds := map[string]bool{}
	for _, e := range entries {
		kind, _, _ := strings.Cut(e.What, "_")
		kinds[kind] = true
		s.tell("    %s", linked(e, words.In("zh")))
	}
	return check(kinds["alert"] && kinds["task"] && kinds["visit"] && kinds["review"] && kinds["decided"] && kinds["need"], "the chain has only %v", kinds)
}

// feedBack closes the alerts of families that were visited and tells the departments.
func (s *story) feedBack(ctx context.Context, of *office.Office) error {
	k, _ := alerts.Read(yunqi.AlertKinds())
	list, err := alerts.List(ctx, of.Replica, s.county.Code, alerts.Tasked)
	if err != nil {
		return err
	}
	closed := 0
	for _, a := range list {
		outcome, note := map[string]string{"car": "true_exempt", "wage": "true_changed", "medical": "included"}[a.Text("kind")], ""
		if outcome == "true_exempt" {
			note = "谋生用车，可豁免"
		}
		decisions, err := of.Replica.Count(ctx, store.Query{Kind: store.Determination, Parent: a.Text("parent")})
		if err != nil {
			return err
		}
		if outcome == "" || decisions == 0 {
			continue // not visited yet
		}
		if err := alerts.Close(ctx, of.Replica, s.clerk.id, s.world.Now(), k, a, outcome, note); err != nil {
			return err
		}
		closed++
	}
	told := 0
	for _, source := range []string{"vehicles", "wages", "medical"} {
		back, err := alerts.FeedbackFor(ctx, of.Replica, source, false)
		if err != nil || len(back) == 0 {
			if err != nil {
				return err
			}
			continue
		}
		var b bytes.Buffer
		if err := writeFeedback(&b, back, false); err != nil {
			return err
		}
		if err := writeNew(s.path("exports", "核查反馈_"+source+".xlsx"), b.Bytes()); err != nil {
			return err
		}
		if err := alerts.FedBack(ctx, of.Replica, s.clerk.id, s.world.Now(), back); err != nil {
			return err
		}
		told += len(back)
	}
	s.tell("%d alerts of visited families closed with their outcome; %d rows go back to the departments as 核查反馈_*.xlsx", closed, told)
	return check(closed > 0 && told == closed, "%d alerts closed, %d fed back", closed, told)
}

// refer sends needs to the medical insurance and takes its answer in.
func (s *story) refer(ctx context.Context, of *office.Office) error {
	found, err := needs.Collect(ctx, of.Replica, s.clerk.id, s.county.Code, s.world.Now())
	if err != nil {
		return err
	}
	const department = "医保"
	list, err := needs.List(ctx, of.Replica, s.county.Code, needs.Found, department)
	if err != nil {
		return err
	}
	if err := check(found > 0 && len(list) > 0, "%d needs found, %d for %s", found, len(list), department); err != nil {
		return err
	}
	file := s.path("exports", "需求清单_"+department+".xlsx")
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	err = needs.WriteReferral(f, department+"需求清单", list, true)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if err := needs.Move(ctx, of.Replica, s.clerk.id, trust.County, s.world.Now(), needs.Referred, "", list...); err != nil {
		return err
	}
	// The department fills its two columns and sends the list back.
	book, err := excelize.OpenFile(file)
	if err != nil {
		return err
	}
	defer book.Close()
	sheet := book.GetSheetList()[0]
	for at, text := range map[string]string{"I2": "已解决", "J2": "已办理医疗救助"} {
		if err := book.SetCellStr(sheet, at, text); err != nil {
			return err
		}
	}
	b, err := book.WriteToBuffer()
	if err != nil {
		return err
	}
	if err := writeNew(s.path("lists", "需求清单_"+department+"_回.xlsx"), b.Bytes()); err != nil {
		return err
	}
	answers, err := needs.Feedback(ctx, of.Replica, s.clerk.id, trust.County, s.world.Now(), "回.xlsx", b.Bytes())
	if err != nil {
		return err
	}
	s.tell("%d needs found in the visits; %d referred to %s as a list (names masked), which came back: %d answered, %d open", found, len(list), department, answers.Taken, answers.Blank)
	return check(answers.Taken == 1, "%d answers", answers.Taken)
}

// tick looks for the days that come within the next months.
func (s *story) tick(ctx context.Context, of *office.Office) error {
	k, _ := alerts.Read(yunqi.AlertKinds())
	now, err := clocks.Run(ctx, of.Replica, k, s.world.Now())
	if err != nil {
		return err
	}
	raised, err := alerts.Raise(ctx, of.Replica, s.clerk.id, s.world.Now(), now)
	if err != nil {
		return err
	}
	year, err := clocks.Run(ctx, of.Replica, k, s.world.Now().AddDate(0, 12, 0))
	if err != nil {
		return err
	}
	s.tell("clocks of our own data: %d alerts today; in a year %d would be due (re-checks, ends of 刚性支出困难, birthdays)", raised.Alerts, len(year))
	return check(len(year) > len(now), "%d and %d", len(now), len(year))
}

// draft tries next year's standards on every family before they are published.
func (s *story) draft(ctx context.Context, of *office.Office) error {
	text, err := yunqi.Files.ReadFile("standards/云栖县标准.md")
	if err != nil {
		return err
	}
	next := strings.NewReplacer("| version | 2026-03 |", "| version | 草案 |", "| std.dibao.month | | 600 | 850 |", "| std.dibao.month | | 660 | 900 |").Replace(string(text))
	rules, report := standards.Read("云栖县标准-草案.md", []byte(next))
	if rules == nil {
		return check(false, "the draft: %v", report.Errors)
	}
	if err := world.WriteFile(s.world.Disk, s.path("workbooks", "云栖县标准-草案.md"), []byte(next)); err != nil {
		return err
	}
	start := time.Now()
	effects, whose, err := determination.WhatIf(ctx, of.Replica, s.county.Code, rules, s.world.Now())
	if err != nil {
		return err
	}
	lines := told(effects, whose, rules.Version)
	s.tell("what if 低保 were 660 yuan: %s (%d ms)", lines[0], time.Since(start).Milliseconds())
	if err := check(len(effects.Changed) > 0 && effects.AfterFen > effects.BeforeFen, "nobody would change"); err != nil {
		return err
	}
	for _, l := range lines[1:min(len(lines), 4)] {
		s.tell("  %s", l)
	}
	return nil
}
