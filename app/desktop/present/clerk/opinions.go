package clerk

import (
	"cmp"
	"context"
	"math/big"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/tasks"
	"ironfeet/forms/standards"
)

// A Case waits for the township's opinion, in words.
type Case struct {
	opinion.Waiting
	D            standards.Decision
	Title, Under string
	Suggested    string // 低保　每月 576 元
	Deadline     Mark
	Missing      string // facts without which nobody can say anything
}

// Cases are the accepted visits on which the township has no opinion yet, the
// pressing ones first.
func (c *Clerk) Cases(ctx context.Context) ([]Case, error) {
	list, err := opinion.Pending(ctx, c.S.Office.Replica, c.division())
	if err != nil {
		return nil, err
	}
	rules := map[string]*standards.RuleSet{} // in force on a day
	out := make([]Case, 0, len(list))
	for _, w := range list {
		day := w.Visit.EndedAt().Format(time.DateOnly)
		if rules[day] == nil {
			if rules[day], err = determination.Rules(ctx, c.S.Office.Replica, w.Visit); err != nil {
				return nil, err
			}
		}
		x := Case{Waiting: w, D: determination.Suggest(rules[day], w.Visit)}
		x.Title = cmp.Or(c.home(w.Visit.ID), "—")
		x.Under = c.Village(ctx, w.Visit.Division) + "　" + c.T("case_visited", c.at(w.Visit.EndedAt(), time.DateOnly))
		if w.Accepted != "" {
			x.Under += "　" + c.T("case_accepted", w.Accepted, c.Category(w.Procedure))
			text, overdue, near := c.Left(w.DueOn, w.Sure)
			x.Deadline = Mark{text, "plain"}
			switch {
			case overdue:
				x.Deadline.Tone = "urgent"
			case near:
				x.Deadline.Tone = "notice"
			}
		}
		x.Suggested = c.Aid(x.D.Label, x.D.Amount)
		if x.D.Category == standards.Undecided {
			x.Missing = c.List(x.D.Missing)
		}
		out = append(out, x)
	}
	return out, nil
}

// Aid is a category and what it gives a month.
func (c *Clerk) Aid(label string, amount standards.Fen) string {
	if amount == 0 {
		return label
	}
	return c.T("aid_month", label, amount.String())
}

// Category is what a category is called.
func (c *Clerk) Category(code string) string {
	if key := "category." + code; c.S.Say.Has(key) {
		return c.S.Say.Say(key, nil)
	}
	return code
}

// Categories are those that an opinion can name.
var Categories = []string{"dibao", "tekun", "edge", "rigid", "none"}

// Trace is how the rules come to what they suggest, line by line.
func (c *Clerk) Trace(x Case) []string { return determination.Trace(x.D, c.S.Say.Say) }

// Opine gives the opinion: category "" takes the suggestion over; yuan "" the amount
// that the rules worked out.
func (c *Clerk) Opine(ctx context.Context, x Case, category, yuan, reason string) error {
	choice := determination.Choice{Category: category, Reason: strings.TrimSpace(reason)}
	if category != "" {
		choice.Label = c.Category(category)
		if category == x.D.Category {
			choice.Label = x.D.Label
		}
	}
	if yuan = strings.TrimSpace(yuan); yuan != "" {
		amount, ok := fen(yuan)
		if !ok {
			return &determination.AmountError{Amount: -1}
		}
		choice.Amount = &amount
	}
	_, err := opinion.Give(ctx, c.Reviewer(), x.Visit, x.D, choice)
	return err
}

// fen reads an amount in yuan exactly; it has no more than two places.
func fen(yuan string) (standards.Fen, bool) {
	if len(yuan) > 20 || strings.ContainsAny(yuan, "eE/xX_") {
		return 0, false
	}
	x, ok := new(big.Rat).SetString(yuan)
	if !ok {
		return 0, false
	}
	x.Mul(x, big.NewRat(100, 1))
	if !x.IsInt() || !x.Num().IsInt64() {
		return 0, false
	}
	return standards.Fen(x.Num().Int64()), true
}

// A GivenOpinion in words.
type GivenOpinion struct {
	opinion.Opinion
	Title, Text, Under string
}

// Opinions are those that were given, the newest first.
func (c *Clerk) Opinions(ctx context.Context) ([]GivenOpinion, error) {
	list, err := opinion.List(ctx, c.S.Office.Replica, c.division())
	if err != nil {
		return nil, err
	}
	var out []GivenOpinion
	for _, o := range list {
		if o.State != opinion.Given {
			continue
		}
		x := GivenOpinion{Opinion: o, Title: cmp.Or(c.home(o.Visit), "—"), Text: c.Aid(o.Label, o.Amount), Under: c.T("said_by", c.Who(o.By), o.On)}
		if o.Reason != "" {
			x.Under += "　" + o.Reason
		}
		out = append(out, x)
	}
	return out, nil
}

// Withdraw takes an opinion back, with the reason.
func (c *Clerk) Withdraw(ctx context.Context, o GivenOpinion, reason string) error {
	return opinion.Withdraw(ctx, c.Reviewer(), &o.Opinion, reason)
}

// AcceptApplication records that a household's application was accepted (受理) and
// sends somebody to its door in time.
func (c *Clerk) AcceptApplication(ctx context.Context, household uuid.UUID, procedure, day, form string) (tasks.Task, error) {
	e, err := c.S.Office.Replica.Entity(ctx, household)
	if err != nil {
		return tasks.Task{}, err
	}
	return opinion.Accept(ctx, c.Reviewer(), e, procedure, day, form, c.T("applied_for", c.Category(procedure)))
}
