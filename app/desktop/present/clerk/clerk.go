// Package clerk prepares what the township's screens show and does what they ask:
// the inbox, a visit laid beside the registry, conflicts, duplicates, what sticks
// bring, notices, the overview. Plain values in, plain values out, no toolkit; what
// decides is in package casework.
package clerk

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/calendar"
	"ironfeet/app/casework/review"
	"ironfeet/app/desktop/present"
	"ironfeet/store"
)

// A Clerk is one reviewer at this machine's desk.
type Clerk struct {
	S    *present.Session
	Desk *review.Desk

	mu       sync.Mutex
	names    map[uuid.UUID]string
	villages map[string]string
	labels   *present.Labels
	days     *calendar.Calendar
}

// Open sits down at the desk.
func Open(ctx context.Context, s *present.Session) (*Clerk, error) {
	desk, err := review.OpenDesk(ctx, s.Office.Replica, s.Role, s.Office.World.Now)
	if err != nil {
		return nil, err
	}
	desk.Roll = s.Office.Merger.Roll
	c := &Clerk{S: s, Desk: desk}
	return c, c.Refresh(ctx)
}

// Refresh reads names, labels and the calendar anew: after something came in.
func (c *Clerk) Refresh(ctx context.Context) error {
	roll, err := c.S.Office.Merger.Roll(ctx)
	if err != nil {
		return err
	}
	names := map[uuid.UUID]string{}
	for _, p := range roll.People() {
		names[p.Subject] = p.Name
	}
	days, err := calendar.Of(ctx, c.S.Office.Replica)
	if err != nil {
		return err
	}
	labels := c.S.Labels(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names, c.labels, c.days, c.villages = names, labels, days, map[string]string{}
	return nil
}

// Reviewer decides as this person.
func (c *Clerk) Reviewer() *review.Reviewer {
	rv := c.S.Reviewer()
	rv.Roll, rv.Language = c.S.Office.Merger.Roll, c.S.Say.Language()
	return rv
}

// T says a sentence of the desk; parts stand for %s and %d in it.
func (c *Clerk) T(key string, parts ...any) string {
	text := c.S.Say.Say("desk."+key, nil)
	if len(parts) == 0 || !strings.Contains(text, "%") {
		return text
	}
	return fmt.Sprintf(text, parts...)
}

// Who is a person's name.
func (c *Clerk) Who(person uuid.UUID) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name := c.names[person]; name != "" {
		return name
	}
	return person.String()[:8]
}

// Whos are several persons' names.
func (c *Clerk) Whos(people []uuid.UUID) string {
	names := make([]string, len(people))
	for i, p := range people {
		names[i] = c.Who(p)
	}
	return c.List(names)
}

// List puts names behind each other.
func (c *Clerk) List(names []string) string { return strings.Join(names, c.T("comma")) }

// Village is a village's name, as its households have it, or its code.
func (c *Clerk) Village(ctx context.Context, code string) string {
	c.mu.Lock()
	name, known := c.villages[code]
	c.mu.Unlock()
	if known {
		return name
	}
	name = code
	if list, err := c.S.Office.Replica.Entities(ctx, store.Query{Kind: store.Household, Division: code, Limit: 1}); err == nil && len(list) > 0 && list[0].Text("village") != "" {
		name = list[0].Text("village")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.villages[code] = name
	return name
}

// Field is what a registry field is called.
func (c *Clerk) Field(name string) string {
	switch name {
	case "last_visit", "parent", "deleted", "state", "merged_into", "village":
		return c.T("field_" + name)
	}
	return c.labels.Label(name)
}

// Words are a value in words; what is nothing is a dash.
func (c *Clerk) Words(field, value string) string {
	if value == "" {
		return "—"
	}
	return c.labels.Value(field, value)
}

// at writes a moment in the zone of this machine's clock.
func (c *Clerk) at(t time.Time, layout string) string {
	return t.In(c.S.Office.World.Now().Location()).Format(layout)
}

// Today is today's date.
func (c *Clerk) Today() string { return c.S.Office.World.Now().Format(time.DateOnly) }

// division is whose visits lie on this desk.
func (c *Clerk) division() string { return c.S.Office.Replica.Identity().Division }

// Left says how many working days a deadline leaves, in words, and whether it has
// passed or is near.
func (c *Clerk) Left(due string, sure bool) (text string, overdue, near bool) {
	day, err := time.Parse(time.DateOnly, due)
	if err != nil {
		return c.T("no_deadline"), false, false
	}
	now := c.S.Office.World.Now()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	c.mu.Lock()
	n := c.days.Until(today, day)
	c.mu.Unlock()
	mark := ""
	if !sure {
		mark = c.T("not_sure")
	}
	switch {
	case day.Before(today):
		return c.T("overdue_days", max(-n, 1)) + mark, true, false
	case day.Equal(today):
		return c.T("due_today") + mark, false, true
	case n == 0:
		return c.T("due_next") + mark, false, true
	}
	return c.T("due_days", n) + mark, false, n <= 2
}
