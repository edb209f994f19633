package present

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"ironfeet/app/casework/tasks"
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
		if d.Task != uuid.Nil {
			begun[d.Task] = d.ID
		}
		line := Draft{ID: d.ID, Household: d.Household, Answers: len(d.Answers)}
		if h, err := r.Entity(ctx, d.Household); err == nil {
			line.Name, line.Address = h.Text("name"), h.Text("address")
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
