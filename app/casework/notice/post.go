package notice

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/review"
	"ironfeet/store"
)

// Last is the last day of a posting that begins on a day.
func Last(ctx context.Context, r *store.Replica, procedure string, from time.Time) (until time.Time, sure bool, err error) {
	params, err := ParamsOf(ctx, r)
	if err != nil {
		return until, false, err
	}
	rules, err := calendar.RulesOf(ctx, r)
	if err != nil {
		return until, false, err
	}
	days, err := calendar.Of(ctx, r)
	if err != nil {
		return until, false, err
	}
	rule, ok := rules.Find(procedure, "posting")
	if !ok {
		return until, false, &SheetError{Why: "never_posted"}
	}
	if params.FirstDayCounts {
		from = from.AddDate(0, 0, -1)
	}
	until, sure = rule.Due(days, from)
	sure = sure && days.Knows(until.Year())
	if works, _ := days.Works(until); params.EndsOnWorkingDay && !works {
		var known bool
		until, known = days.After(until, 0)
		sure = sure && known
	}
	return until, sure, nil
}

// Post puts a sheet up: from when, where, and the photograph of the first day.
func Post(ctx context.Context, rv *review.Reviewer, s *Sheet, from time.Time, place string, photo store.BlobRef) error {
	if err := LifeCycle.May(s.State, Posted, rv.Role); err != nil {
		return err
	}
	switch place = strings.TrimSpace(place); {
	case place == "":
		return &SheetError{Why: "no_place"}
	case photo.Size == 0:
		return &SheetError{Why: "no_first_photo"}
	}
	for _, row := range s.Rows {
		if row.Opinion == uuid.Nil {
			continue
		}
		e, err := rv.Replica.Entity(ctx, row.Opinion)
		if err != nil {
			return err
		}
		if e.Text("state") != opinion.Given {
			return &SheetError{Why: "withdrawn"}
		}
	}
	until, sure, err := Last(ctx, rv.Replica, s.Procedure, from)
	if err != nil {
		return err
	}
	return set(ctx, rv, s, map[string]store.Value{
		"state": store.Text(Posted), "from": store.Text(from.Format(time.DateOnly)), "until": store.Text(until.Format(time.DateOnly)),
		"sure": store.Bool(sure), "place": store.Text(place), "photo_first": store.Bytes(photo.Digest[:]),
	}, photo)
}

// Close takes a sheet down after its last day, with the photograph of that day.
// Rows with an open objection have not passed.
func Close(ctx context.Context, rv *review.Reviewer, s *Sheet, photo store.BlobRef) error {
	if err := LifeCycle.May(s.State, Closed, rv.Role); err != nil {
		return err
	}
	if photo.Size == 0 {
		return &SheetError{Why: "no_last_photo"}
	}
	if rv.Now().Format(time.DateOnly) < s.Until {
		return &SheetError{Why: "not_over", Until: s.Until}
	}
	return set(ctx, rv, s, map[string]store.Value{"state": store.Text(Closed), "photo_last": store.Bytes(photo.Digest[:])}, photo)
}

// Cancel gives a sheet up, with the reason; its households can be posted anew.
func Cancel(ctx context.Context, rv *review.Reviewer, s *Sheet, reason string) error {
	if err := LifeCycle.May(s.State, Cancelled, rv.Role); err != nil {
		return err
	}
	if reason = strings.TrimSpace(reason); reason == "" {
		return review.ErrNoReason
	}
	return set(ctx, rv, s, map[string]store.Value{"state": store.Text(Cancelled), "reason": store.Text(reason)})
}

func set(ctx context.Context, rv *review.Reviewer, s *Sheet, fields map[string]store.Value, blobs ...store.BlobRef) error {
	_, err := rv.Replica.Write(ctx, rv.Person, store.Edit{Kind: store.Notice, Entity: s.ID, Division: s.Division, Fields: fields, Blobs: blobs})
	if err != nil {
		return fmt.Errorf("notice of %s: %w", s.Village, err)
	}
	return nil
}
