// Package needs carries what a family needs to whoever can meet it (因需推送,
// 物质+服务; 国办发〔2023〕39号): needs found at the door become referrals to a
// department, go out as a list, and come back with what became of them.
package needs

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/lifecycle"
	"ironfeet/forms/standards"
	"ironfeet/forms/xlsform"
	"ironfeet/store"
	"ironfeet/sync/trust"
)

// States of a need.
const (
	Found    = "found"
	Referred = "referred" // 已推送
	Received = "received" // 已接收
	Resolved = "resolved" // 已解决
	Unfit    = "unfit"    // 不符合
	Dropped  = "dropped"  // the family no longer needs it
)

// LifeCycle is the life of a need:
//
//	found -> referred (township, county)
//	found -> dropped (township, county)
//	referred -> received (township, county)
//	referred -> resolved (township, county)
//	referred -> unfit (township, county)
//	referred -> dropped (township, county)
//	received -> resolved (township, county)
//	received -> unfit (township, county)
//	received -> dropped (township, county)
//	unfit -> referred (township, county)
var LifeCycle = lifecycle.Table{Name: "need", Moves: []lifecycle.Move{
	{From: Found, To: Referred, By: offices}, {From: Found, To: Dropped, By: offices},
	{From: Referred, To: Received, By: offices}, {From: Referred, To: Resolved, By: offices}, {From: Referred, To: Unfit, By: offices}, {From: Referred, To: Dropped, By: offices},
	{From: Received, To: Resolved, By: offices}, {From: Received, To: Unfit, By: offices}, {From: Received, To: Dropped, By: offices},
	{From: Unfit, To: Referred, By: offices},
}}

var offices = []trust.Role{trust.Township, trust.County}

// statuses are the words a department writes, and the state they mean.
var statuses = map[string]string{"已接收": Received, "已解决": Resolved, "不符合": Unfit, "received": Received, "resolved": Resolved, "unfit": Unfit}

// A Need is one need of one household.
type Need struct {
	ID, Household, Visit uuid.UUID
	Division             string
	Need, Label          string
	Department           string
	State                string
	Note                 string // what the family said, then what the department answered
	FoundOn, ReferredOn  string
	Answer, AnsweredOn   string
	Name, Address, Phone string // of the household
}

// Collect makes needs out of the newest accepted visits: what the county's rules
// find in the record, and what the investigators ticked. A need that is open
// already is not found again; it returns how many are new.
func Collect(ctx context.Context, r *store.Replica, author uuid.UUID, division string, now time.Time) (int, error) {
	visits, err := determination.Newest(ctx, r, division)
	if err != nil {
		return 0, err
	}
	rules := map[string]*standards.RuleSet{}
	var edits []store.Edit
	for _, s := range visits {
		day := s.EndedAt().Format(time.DateOnly)
		rs := rules[day]
		if rs == nil {
			if rs, err = determination.Rules(ctx, r, s); err != nil {
				return 0, err
			}
			rules[day] = rs
		}
		household := s.Content.Household
		open, err := r.Entities(ctx, store.Query{Kind: store.Need, Parent: household.String()})
		if err != nil {
			return 0, err
		}
		for _, n := range rs.Outcome(s.Record.Nested(), s.EndedAt()).Needs {
			id := uuid.NewSHA1(s.ID, []byte("need/"+n.Need))
			if slices.ContainsFunc(open, func(e *store.Entity) bool {
				return e.ID == id || e.Text("need") == n.Need && (e.Text("state") == Found || e.Text("state") == Referred || e.Text("state") == Received)
			}) {
				continue
			}
			fields := map[string]store.Value{
				"parent": store.Text(household.String()), "visit": store.Text(s.ID.String()), "state": store.Text(Found), "need": store.Text(n.Need),
				"label": store.Text(n.Label), "department": store.Text(n.Department), "found_on": store.Text(now.Format(time.DateOnly)),
			}
			if note := s.Answer("needs_note"); note != "" {
				fields["note"] = store.Text(note)
			}
			edits = append(edits, store.Edit{Kind: store.Need, Entity: id, Division: s.Division, Fields: fields})
		}
	}
	if len(edits) == 0 {
		return 0, nil
	}
	if _, err := r.Write(ctx, author, edits...); err != nil {
		return 0, fmt.Errorf("write %d needs: %w", len(edits), err)
	}
	return len(edits), nil
}

// List reads the needs of a division, by department, village and household; state
// and department "" mean all.
func List(ctx context.Context, r *store.Replica, division, state, department string) ([]Need, error) {
	found, err := r.Entities(ctx, store.Query{Kind: store.Need, Division: division, State: state})
	if err != nil {
		return nil, fmt.Errorf("read the needs of %s: %w", division, err)
	}
	var list []Need
	for _, e := range found {
		if department != "" && e.Text("department") != department {
			continue
		}
		n := FromEntity(e)
		if h, err := r.Entity(ctx, n.Household); err == nil {
			n.Name, n.Address, n.Phone = h.Text("name"), h.Text("address"), h.Text("phone")
		}
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b Need) int {
		return cmp.Or(cmp.Compare(a.Department, b.Department), cmp.Compare(a.Division, b.Division), cmp.Compare(a.Household.String(), b.Household.String()), cmp.Compare(a.Need, b.Need), cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return list, nil
}

// FromEntity reads one need, without what is known of its household.
func FromEntity(e *store.Entity) Need {
	n := Need{ID: e.ID, Division: e.Division, Need: e.Text("need"), Label: e.Text("label"), Department: e.Text("department"), State: e.Text("state"),
		Note: e.Text("note"), FoundOn: e.Text("found_on"), ReferredOn: e.Text("referred_on"), Answer: e.Text("answer"), AnsweredOn: e.Text("answered_on")}
	n.Household, _ = uuid.Parse(e.Text("parent"))
	n.Visit, _ = uuid.Parse(e.Text("visit"))
	return n
}

// Move sets needs to a state, all or none.
func Move(ctx context.Context, r *store.Replica, author uuid.UUID, by trust.Role, now time.Time, to, answer string, list ...Need) error {
	var edits []store.Edit
	for _, n := range list {
		e, err := move(n, to, answer, by, now)
		if err != nil {
			return err
		}
		edits = append(edits, e)
	}
	_, err := r.Write(ctx, author, edits...)
	return err
}

func move(n Need, to, answer string, by trust.Role, now time.Time) (store.Edit, error) {
	if err := LifeCycle.May(n.State, to, by); err != nil {
		return store.Edit{}, err
	}
	day := "answered_on"
	if to == Referred {
		day = "referred_on"
	}
	fields := map[string]store.Value{"state": store.Text(to), day: store.Text(now.Format(time.DateOnly))}
	if answer != "" {
		fields["answer"] = store.Text(answer)
	}
	return store.Edit{Kind: store.Need, Entity: n.ID, Division: n.Division, Fields: fields}, nil
}

// The columns of a referral list; a department fills the last two.
var columns = []string{"编号", "村", "户主", "地址", "电话", "需要", "说明", "发现日期", "办理情况", "答复"}

// WriteReferral writes the list that goes to a department. Names, phones and
// addresses are what it needs to come to the door; identity numbers are not on it.
func WriteReferral(w io.Writer, title string, list []Need, masked bool) error {
	f := excelize.NewFile()
	defer f.Close()
	const sheet = "需求清单"
	if err := f.SetSheetName("Sheet1", sheet); err != nil {
		return err
	}
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"DCE6F1"}}})
	if err != nil {
		return err
	}
	for i, width := range []float64{38, 14, 12, 28, 16, 20, 30, 12, 12, 30} {
		name, err := excelize.ColumnNumberToName(i + 1)
		if err != nil {
			return err
		}
		if err := f.SetColWidth(sheet, name, name, width); err != nil {
			return err
		}
	}
	head := make([]any, len(columns))
	for i, c := range columns {
		head[i] = c
	}
	if err := f.SetSheetRow(sheet, "A1", &head); err != nil {
		return err
	}
	if err := f.SetCellStyle(sheet, "A1", "J1", bold); err != nil {
		return err
	}
	for i, n := range list {
		name, phone := n.Name, n.Phone
		if masked {
			name, phone = mask(name, 1, 0), mask(phone, 3, 4)
		}
		row := []any{n.ID.String(), n.Division, name, n.Address, phone, n.Label, n.Note, n.FoundOn, "", ""}
		if err := f.SetSheetRow(sheet, fmt.Sprintf("A%d", i+2), &row); err != nil {
			return err
		}
	}
	choice := excelize.NewDataValidation(true)
	choice.Sqref = fmt.Sprintf("I2:I%d", len(list)+1)
	if err := choice.SetDropList([]string{"已接收", "已解决", "不符合"}); err != nil {
		return err
	}
	if len(list) > 0 {
		if err := f.AddDataValidation(sheet, choice); err != nil {
			return err
		}
	}
	if err := f.SetPanes(sheet, &excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
		return err
	}
	if err := f.SetDocProps(&excelize.DocProperties{Title: title}); err != nil {
		return err
	}
	return f.Write(w)
}

// mask keeps the first and last characters: 韦**, 138****5678.
func mask(s string, first, last int) string {
	r := []rune(s)
	if len(r) <= first+last {
		return s
	}
	return string(r[:first]) + strings.Repeat("*", len(r)-first-last) + string(r[len(r)-last:])
}

// A FeedbackError says what of a department's answers cannot be taken in; nothing
// was.
type FeedbackError struct {
	File   string
	Faults []Fault
}

// A Fault is one row that is wrong.
type Fault struct {
	Row  int
	Why  string // no_columns, unknown_need, unknown_status, wrong_move, twice
	Got  string
	Near string
}

func (e *FeedbackError) Error() string {
	return fmt.Sprintf("%s: %d rows cannot be taken in, the first: row %d, %s %q", e.File, len(e.Faults), e.Faults[0].Row, e.Faults[0].Why, e.Faults[0].Got)
}

// Code is the key of the sentence.
func (e *FeedbackError) Code() string { return "needs.feedback" }

// Answers says what a feedback list came to.
type Answers struct{ Taken, Blank, Same int }

// Feedback takes in a referral list that a department filled, whole or not at all.
// Rows without a status wait on; the same list again changes nothing.
func Feedback(ctx context.Context, r *store.Replica, author uuid.UUID, by trust.Role, now time.Time, file string, data []byte) (Answers, error) {
	var out Answers
	bad := &FeedbackError{File: file}
	tables, report := xlsform.ReadTables(file, data)
	if tables == nil || len(tables.Sheets) == 0 || !report.OK() {
		got := ""
		if len(report.Errors) > 0 {
			got = report.Errors[0].Message
		}
		bad.Faults = append(bad.Faults, Fault{Why: "no_table", Got: got})
		return out, bad
	}
	t := tables.Sheets[0]
	at := map[string]int{}
	for i, h := range t.Header {
		at[strings.TrimSpace(h)] = i
	}
	for _, c := range []string{"编号", "办理情况"} {
		if _, ok := at[c]; !ok {
			bad.Faults = append(bad.Faults, Fault{Row: t.HeaderRow, Why: "no_column", Got: c})
		}
	}
	if len(bad.Faults) > 0 {
		return out, bad
	}
	cell := func(row xlsform.Row, name string) string {
		if i, ok := at[name]; ok {
			return strings.TrimSpace(row.Cell(i))
		}
		return ""
	}
	var edits []store.Edit
	seen := map[uuid.UUID]bool{}
	for _, row := range t.Rows {
		status := cell(row, "办理情况")
		if status == "" {
			out.Blank++
			continue
		}
		fault := func(why, got string) { bad.Faults = append(bad.Faults, Fault{Row: row.Number, Why: why, Got: got}) }
		id, err := uuid.Parse(cell(row, "编号"))
		var e *store.Entity
		if err == nil {
			e, err = r.Entity(ctx, id)
		}
		to, known := statuses[status]
		switch {
		case err != nil || e.Kind != store.Need:
			fault("unknown_need", cell(row, "编号"))
			continue
		case !known:
			fault("unknown_status", status)
			continue
		case seen[id]:
			fault("twice", id.String())
			continue
		}
		seen[id] = true
		n := FromEntity(e)
		if n.State == to && n.Answer == cell(row, "答复") {
			out.Same++
			continue
		}
		edit, err := move(n, to, cell(row, "答复"), by, now)
		if err != nil {
			fault("wrong_move", n.State+" → "+to)
			continue
		}
		out.Taken++
		edits = append(edits, edit)
	}
	if len(bad.Faults) > 0 {
		return Answers{}, bad
	}
	if len(edits) == 0 {
		return out, nil
	}
	if _, err := r.Write(ctx, author, edits...); err != nil {
		return Answers{}, fmt.Errorf("write %d answers: %w", len(edits), err)
	}
	return out, nil
}
