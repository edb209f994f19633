package present

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/store"
)

// Today is what a worker sees first.
type Today struct {
	Open, Overdue, Returned int
	Drafts                  []Draft
	Villages                []Village
}

// A Village and what is to be done there.
type Village struct {
	Code, Name string
	Tasks      []Task
}

// A Task as a line of the list.
type Task struct {
	tasks.Task
	Days     int // until it is due; negative when overdue
	Dated    bool
	Draft    uuid.UUID // begun already
	Conflict bool
}

// A Draft is a visit that was begun.
type Draft struct {
	ID, Household uuid.UUID
	Name, Address string
	Answers       int
	Found         bool // of a household that the registry does not know yet
}

// Today reads the open tasks by village and due date, the begun visits first.
func (s *Session) Today(ctx context.Context) (Today, error) {
	var t Today
	r := s.Office.Replica
	list, err := tasks.List(ctx, r, "", tasks.Open)
	if err != nil {
		return t, err
	}
	drafts, err := r.Drafts(ctx)
	if err != nil {
		return t, err
	}
	begun := map[uuid.UUID]uuid.UUID{}
	for _, d := range drafts {
		if d.Author != s.Person { // a tablet is shared: each sees the own work
			continue
		}
		if d.Task != uuid.Nil {
			begun[d.Task] = d.ID
		}
		line := Draft{ID: d.ID, Household: d.Household}
		for path, value := range d.Answers {
			if value != "" && strings.HasPrefix(path, "/") && !strings.HasSuffix(path, "[]") {
				line.Answers++
			}
		}
		if h, err := r.Entity(ctx, d.Household); err == nil {
			line.Name, line.Address = h.Text("name"), h.Text("address")
		} else if f := visit.FoundIn(d); f != nil {
			line.Name, line.Address, line.Found = f.Name, strings.TrimSpace(f.Village+" "+f.Address), true
		}
		t.Drafts = append(t.Drafts, line)
	}
	at := map[string]int{}
	for _, task := range list {
		line := Task{Task: task, Draft: begun[task.ID]}
		line.Days, line.Dated = s.DaysUntil(task.Due)
		t.Open++
		if line.Dated && line.Days < 0 {
			t.Overdue++
		}
		if task.Returned != "" {
			t.Returned++
		}
		i, ok := at[task.Division]
		if !ok {
			i = len(t.Villages)
			at[task.Division] = i
			t.Villages = append(t.Villages, Village{Code: task.Division, Name: s.village(ctx, task.Division, task.Household)})
		}
		t.Villages[i].Tasks = append(t.Villages[i].Tasks, line)
	}
	for _, v := range t.Villages {
		slices.SortStableFunc(v.Tasks, func(a, b Task) int {
			return cmp.Or(cmp.Compare(btoi(a.Returned == ""), btoi(b.Returned == "")), cmp.Compare(a.Due, b.Due))
		})
	}
	return t, nil
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// village is a village's name, as its households have it, or its code.
func (s *Session) village(ctx context.Context, code string, household uuid.UUID) string {
	if h, err := s.Office.Replica.Entity(ctx, household); err == nil && h.Text("village") != "" {
		return h.Text("village")
	}
	return code
}

// Places are the villages of this machine's households, by code.
func (s *Session) Places(ctx context.Context) ([]Village, error) {
	list, err := s.Office.Replica.Entities(ctx, store.Query{Kind: store.Household})
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, e := range list {
		if names[e.Division] == "" {
			names[e.Division] = e.Text("village")
		}
	}
	var out []Village
	for code, name := range names {
		if len(code) == 12 {
			out = append(out, Village{Code: code, Name: cmp.Or(name, code)})
		}
	}
	slices.SortFunc(out, func(a, b Village) int { return cmp.Compare(a.Code, b.Code) })
	return out, nil
}

// Next is the open task that comes after a household's: in its village, else the
// first of all.
func (s *Session) Next(ctx context.Context, after uuid.UUID) (Task, bool, error) {
	today, err := s.Today(ctx)
	if err != nil {
		return Task{}, false, err
	}
	village := ""
	if e, err := s.Office.Replica.Entity(ctx, after); err == nil {
		village = e.Division
	}
	var first *Task
	for _, v := range today.Villages {
		for i, t := range v.Tasks {
			if t.Household == after || t.Dated && t.Days > 60 {
				continue
			}
			if v.Code == village {
				return v.Tasks[i], true, nil
			}
			if first == nil {
				first = &v.Tasks[i]
			}
		}
	}
	if first == nil {
		return Task{}, false, nil
	}
	return *first, true, nil
}

// A Found is a line of the search.
type Found struct {
	Household      uuid.UUID
	Name, Address  string
	Matched        string // who it was, if not the head
	Division, Task string
}

// Find looks a household up by name, pinyin, initials, or last digits.
func (s *Session) Find(ctx context.Context, text string) ([]Found, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	hits, err := s.Office.Replica.Find(ctx, text, 30)
	if err != nil {
		return nil, err
	}
	var out []Found
	for _, f := range hits {
		line := Found{Household: f.Household, Name: f.Label, Division: f.Division}
		if f.Matched != f.Label {
			line.Matched = f.Matched
		}
		if h, err := s.Office.Replica.Entity(ctx, f.Household); err == nil {
			line.Address = h.Text("address")
		}
		out = append(out, line)
	}
	return out, nil
}

// OpenTask is the household's open task, if somebody asked for a visit.
func (s *Session) OpenTask(ctx context.Context, household uuid.UUID) (tasks.Task, bool, error) {
	list, err := s.Office.Replica.Entities(ctx, store.Query{Kind: store.Task, Parent: household.String(), State: tasks.Open})
	if err != nil || len(list) == 0 {
		return tasks.Task{}, false, err
	}
	t, err := tasks.Get(ctx, s.Office.Replica, list[0].ID)
	return t, err == nil, err
}

// A Form that can be filled.
type Form struct{ ID, Title string }

// Forms are the published forms, one line each.
func (s *Session) Forms(ctx context.Context) ([]Form, error) {
	list, err := s.Office.Replica.Entities(ctx, store.Query{Kind: store.Form})
	if err != nil {
		return nil, err
	}
	var out []Form
	for _, e := range list {
		f := Form{e.Text("form_id"), e.Text("title")}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b Form) int { return cmp.Compare(a.Title, b.Title) })
	return out, nil
}

// NotMet are the outcomes of a visit that met nobody, in the order in which they
// are offered (domain.md §4.1).
var NotMet = []string{"absent", "refused", "moved", "not_found", "deceased"}

// revisitDays is after how many days somebody goes again, where nothing else is
// said.
const revisitDays = 7

// Nobody records in one step that nobody was met: it begins the visit the task asks
// for, or takes up the one that was begun, answers what came of it, and proposes a
// day to come again.
func (s *Session) Nobody(ctx context.Context, t tasks.Task, outcome string) (*visit.Visit, error) {
	v, err := s.beginOrResume(ctx, t)
	if err != nil {
		return nil, err
	}
	set := func(name, value string, only bool) error {
		for _, n := range v.Entry.Nodes() {
			if n.Name != name || n.Group || n.Repeat || n.Calculated || only && n.Value != "" {
				continue
			}
			if !offers(n, value) {
				return nil
			}
			_, err := v.Set(ctx, n.Path, value)
			return err
		}
		return nil
	}
	if err := set("outcome", outcome, false); err != nil {
		return nil, err
	}
	return v, set("revisit", s.Office.World.Now().AddDate(0, 0, revisitDays).Format(time.DateOnly), true)
}

func (s *Session) beginOrResume(ctx context.Context, t tasks.Task) (*visit.Visit, error) {
	drafts, err := s.Office.Replica.Drafts(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range drafts {
		if d.Author == s.Person && d.Household == t.Household && (t.ID == uuid.Nil || d.Task == t.ID) {
			return s.Desk().Resume(ctx, d.ID)
		}
	}
	return s.Desk().Start(ctx, t)
}

// LeaveNote is the note to leave at the door: who was here, when they come again,
// and whom to call. It holds nothing about the family's affairs.
func (s *Session) LeaveNote(v *visit.Visit) string {
	day := s.Office.World.Now().AddDate(0, 0, revisitDays).Format(time.DateOnly)
	for _, n := range v.Entry.Nodes() {
		if n.Name == "revisit" && n.Value != "" {
			day = n.Value
		}
	}
	return s.T("leave_note", v.Page.Household.Text("name"), s.Office.World.Now().Format("2006-01-02 15:04"), day, s.Name)
}
