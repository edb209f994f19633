// Package notice is the public posting of who is to receive what (公示): a sheet a
// village, put up where everybody passes, with its first and last day photographed,
// and what was said against it.
//
// A sheet carries the applicant's name, the number of members, the amount and the
// village, and nothing else (民发〔2021〕57号 Art. 24; 社会救助暂行办法 Art. 61).
// Children are never posted (民发〔2019〕62号 §2(2)): a household whose applicant is a
// minor is left out, and counted.
package notice

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/lifecycle"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// States of a sheet.
const (
	Draft     = "draft"
	Posted    = "posted"
	Closed    = "closed"
	Cancelled = "cancelled"
)

// LifeCycle is the life of a sheet:
//
//	draft -> posted (township, county)
//	draft -> cancelled (township, county)
//	posted -> closed (township, county)
//	posted -> cancelled (township, county)
//
// A sheet is closed when its last day has passed and its photograph is there. One
// that was torn down early is cancelled, and another is posted.
var LifeCycle = lifecycle.Table{Name: "notice", Moves: []lifecycle.Move{
	{From: Draft, To: Posted, By: both},
	{From: Draft, To: Cancelled, By: both},
	{From: Posted, To: Closed, By: both},
	{From: Posted, To: Cancelled, By: both},
}}

var both = []trust.Role{trust.Township, trust.County}

// A Row is what the village reads about one household, and where it comes from,
// which it does not read.
type Row struct {
	Household     uuid.UUID `cbor:"1,keyasint"`
	Determination uuid.UUID `cbor:"2,keyasint"`
	Name          string    `cbor:"3,keyasint"` // of the applicant
	Members       int       `cbor:"4,keyasint"` // counted ones
	Amount        int64     `cbor:"5,keyasint"` // fen a month
	Village       string    `cbor:"6,keyasint"`
	Opinion       uuid.UUID `cbor:"7,keyasint,omitempty"` // the township's, where no determination stands behind the row yet
}

// source is what a row was made from.
func (r Row) source() uuid.UUID {
	if r.Opinion != uuid.Nil {
		return r.Opinion
	}
	return r.Determination
}

// A Sheet is one posting in one village.
type Sheet struct {
	ID          uuid.UUID
	Division    string // the village, 12 digits
	Village     string
	Procedure   string // dibao, tekun, …
	Opinions    bool   // what is posted are the township's opinions (初审公示), not the county's decisions
	State       string
	Rows        []Row
	From, Until string       // first and last day, YYYY-MM-DD; "" while a draft
	Sure        bool         // the calendar of those days is known
	Place       string       // where it hangs
	First, Last store.Digest // the photographs
	Objections  []Objection
	Reason      string // why it was cancelled
}

// An Objection is what somebody said against a household's posting. Who said it is
// protected: it is shown to nobody but the offices (domain.md §4.8).
type Objection struct {
	ID, Sheet, Household uuid.UUID
	Name                 string // of the household's row
	Who                  string
	Text                 string
	On                   string    // the day
	Task                 uuid.UUID // the new survey that it led to
	Due                  string
	Outcome              string // "" while the survey runs: upheld, dismissed
	Answer               string
}

// Outcomes of an objection.
const (
	Upheld    = "upheld"    // 异议成立
	Dismissed = "dismissed" // 异议不成立
)

// Params are what the law leaves open [?]: which days of a posting count, and which
// categories are posted.
type Params struct {
	FirstDayCounts   bool     `json:"first_day_counts"`    // false: the day it is put up is not counted (民法典 Art. 201)
	EndsOnWorkingDay bool     `json:"ends_on_working_day"` // true: a last day on which nobody works moves to the next working day (民法典 Art. 203)
	Posted           []string `json:"posted"`              // categories that are posted: 谁救助谁公示, 救助谁公示谁
}

// Default posts 低保 and 特困, the two whose posting the regulations order.
var Default = Params{EndsOnWorkingDay: true, Posted: []string{"dibao", "tekun"}}

const settingParams = "notice/params"

// ParamsOf are a node's own parameters, or the default ones.
func ParamsOf(ctx context.Context, r *store.Replica) (Params, error) {
	raw, err := r.Setting(ctx, settingParams)
	if err != nil || len(raw) == 0 {
		return Default, err
	}
	p := Default
	p.Posted = slices.Clone(p.Posted) // or reading would write into the default's
	if err := json.Unmarshal(raw, &p); err != nil {
		return Default, fmt.Errorf("read the parameters of notices: %w", err)
	}
	return p, nil
}

// SetParams keeps a node's own parameters.
func SetParams(ctx context.Context, r *store.Replica, p Params) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return r.SetSetting(ctx, settingParams, raw)
}

// A SheetError says why a sheet cannot be made, posted or closed.
type SheetError struct {
	Why   string // never_posted, nobody, no_place, no_first_photo, no_last_photo, not_over, not_posted, unknown_household, answered, withdrawn
	Until string
}

func (e *SheetError) Error() string {
	if e.Why == "not_over" {
		return "the posting runs until the end of " + e.Until
	}
	return "notice: " + strings.ReplaceAll(e.Why, "_", " ")
}

// Code is the key of the sentence.
func (e *SheetError) Code() string { return "notice." + e.Why }

// List returns the sheets of a division, the newest first.
func List(ctx context.Context, r *store.Replica, division string) ([]Sheet, error) {
	all, err := r.Entities(ctx, store.Query{Kind: store.Notice, Division: division})
	if err != nil {
		return nil, fmt.Errorf("read the notices of %s: %w", division, err)
	}
	var sheets []Sheet
	objections := map[uuid.UUID][]Objection{}
	for _, e := range all {
		if parent := e.Text("parent"); parent != "" {
			o := Objection{ID: e.ID, Who: e.Text("who"), Text: e.Text("text"), On: e.Text("on"), Due: e.Text("due"), Outcome: e.Text("outcome"), Answer: e.Text("answer")}
			o.Sheet, _ = uuid.Parse(parent) // uuid.Nil belongs to no sheet
			o.Household, _ = uuid.Parse(e.Text("household"))
			o.Task, _ = uuid.Parse(e.Text("task"))
			objections[o.Sheet] = append(objections[o.Sheet], o)
			continue
		}
		s := Sheet{ID: e.ID, Division: e.Division, Village: e.Text("village"), Procedure: e.Text("procedure"), Opinions: e.Fields["opinions"].Bool(), State: e.Text("state"), From: e.Text("from"),
			Until: e.Text("until"), Sure: e.Fields["sure"].Bool(), Place: e.Text("place"), Reason: e.Text("reason")}
		if err := e.Fields["rows"].Into(&s.Rows); err != nil {
			return nil, fmt.Errorf("notice %s: %w", e.ID, err)
		}
		copy(s.First[:], e.Fields["photo_first"].Bytes())
		copy(s.Last[:], e.Fields["photo_last"].Bytes())
		sheets = append(sheets, s)
	}
	for i := range sheets {
		s := &sheets[i]
		s.Objections = objections[s.ID]
		for j := range s.Objections {
			for _, row := range s.Rows {
				if row.Household == s.Objections[j].Household {
					s.Objections[j].Name = row.Name
				}
			}
		}
	}
	slices.SortFunc(sheets, func(a, b Sheet) int { return slices.Compare(b.ID[:], a.ID[:]) }) // UUIDv7: by the time they were made
	return sheets, nil
}

// Get reads one sheet.
func Get(ctx context.Context, r *store.Replica, id uuid.UUID) (*Sheet, error) {
	e, err := r.Entity(ctx, id)
	if err != nil {
		return nil, err
	}
	list, err := List(ctx, r, e.Division)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].ID == id {
			return &list[i], nil
		}
	}
	return nil, fmt.Errorf("notice %s: %w", id, store.ErrNotFound)
}

// Of is the newest sheet on which an opinion or a determination stands and that was
// not cancelled, nil if there is none.
func Of(ctx context.Context, r *store.Replica, division string, source uuid.UUID) (*Sheet, error) {
	sheets, err := List(ctx, r, division)
	if err != nil {
		return nil, err
	}
	for i := range sheets {
		if sheets[i].State != Cancelled && slices.ContainsFunc(sheets[i].Rows, func(row Row) bool { return row.source() == source }) {
			return &sheets[i], nil
		}
	}
	return nil, nil
}

// Passed are the rows of a closed sheet against which nothing stands: nobody
// objected, or the objection was dismissed.
func (s *Sheet) Passed() (rows []Row) {
	if s.State != Closed {
		return nil
	}
	for _, row := range s.Rows {
		if !slices.ContainsFunc(s.Objections, func(o Objection) bool { return o.Household == row.Household && o.Outcome != Dismissed }) {
			rows = append(rows, row)
		}
	}
	return rows
}
