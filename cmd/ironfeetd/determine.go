package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/chain"
	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/office"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/visit"
	"ironfeet/app/words"
	"ironfeet/forms/standards"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// DeterminationCmd is about who receives what.
type DeterminationCmd struct {
	Pending DeterminationPendingCmd `cmd:"" help:"List accepted visits that wait for a decision, with what the standards suggest."`
	Show    DeterminationShowCmd    `cmd:"" help:"Print the whole trace of a visit's suggestion, or of a decision as it was made."`
	Decide  DeterminationDecideCmd  `cmd:"" help:"Decide a case as a named person."`
	List    DeterminationListCmd    `cmd:"" help:"List decisions and how they stand today."`
}

// DeterminationPendingCmd lists what waits.
type DeterminationPendingCmd struct {
	workFlags
	JSON bool `name:"json" help:"Print one JSON document."`
}

func (c *DeterminationPendingCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, _ uuid.UUID) (*audit.Act, error) {
		list, err := determination.Pending(ctx, of.Replica, c.Division)
		if err != nil {
			return nil, err
		}
		type line struct {
			Visit     uuid.UUID    `json:"visit"`
			Household uuid.UUID    `json:"household"`
			Division  string       `json:"division"`
			Category  string       `json:"category"`
			Label     string       `json:"label"`
			Amount    string       `json:"amount"`
			Near      bool         `json:"near"`
			Missing   []string     `json:"missing,omitempty"`
			Opinion   *opinionJSON `json:"opinion,omitempty"` // of the township
		}
		lines := []line{}
		for _, s := range list {
			d, err := suggested(ctx, of, s)
			if err != nil {
				return nil, err
			}
			o, err := opinion.On(ctx, of.Replica, s.ID)
			if err != nil {
				return nil, err
			}
			lines = append(lines, line{s.ID, s.Content.Household, s.Division, d.Category, d.Label, d.Yuan, d.Near, d.Missing, opinionOf(o)})
		}
		if c.JSON {
			return nil, printJSON(o, lines)
		}
		for _, l := range lines {
			fmt.Fprintf(o.Out, "%s %s %s %s", l.Visit, l.Division, l.Label, l.Amount)
			if l.Near {
				fmt.Fprint(o.Out, " near a limit")
			}
			for _, m := range l.Missing {
				fmt.Fprintf(o.Out, " missing: %s", m)
			}
			if l.Opinion != nil {
				fmt.Fprintf(o.Out, " township: %s %s", l.Opinion.Label, l.Opinion.Amount)
			}
			fmt.Fprintln(o.Out)
		}
		fmt.Fprintf(o.Err, "%d visits wait\n", len(lines))
		return nil, nil
	})
}

// opinionJSON is the township's opinion on a case that waits.
type opinionJSON struct {
	Category string `json:"category"`
	Label    string `json:"label"`
	Amount   string `json:"amount"`
	Reason   string `json:"reason,omitempty"`
	On       string `json:"on"`
}

func opinionOf(o *opinion.Opinion) *opinionJSON {
	if o == nil || o.State != opinion.Given {
		return nil
	}
	return &opinionJSON{o.Category, o.Label, o.Amount.String(), o.Reason, o.On}
}

func suggested(ctx context.Context, of *office.Office, s *visit.Signed) (standards.Decision, error) {
	rules, err := determination.Rules(ctx, of.Replica, s)
	if err != nil {
		return standards.Decision{}, err
	}
	return determination.Suggest(rules, s), nil
}

// DeterminationShowCmd prints a trace.
type DeterminationShowCmd struct {
	workFlags
	ID   uuid.UUID `arg:"" help:"A visit, or a determination."`
	Out  string    `type:"path" help:"Write it to this file instead, to print." placeholder:"FILE"`
	JSON bool      `name:"json" help:"Print one JSON document."`
}

func (c *DeterminationShowCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, _ uuid.UUID) (*audit.Act, error) {
		e, err := of.Replica.Entity(ctx, c.ID)
		if err != nil {
			return nil, &FindError{Text: c.ID.String()}
		}
		var d standards.Decision
		var head []string
		switch e.Kind {
		case store.Determination:
			if err := json.Unmarshal([]byte(e.Text("trace")), &d); err != nil {
				return nil, err
			}
			fen, _ := e.Fields["amount_fen"].Int()
			head = []string{words.In(o.Lang).Say("trace.decided", map[string]string{"Label": e.Text("label"), "Category": e.Text("category"), "Yuan": standards.Fen(fen).String(), "On": e.Text("decided_on"), "Reason": e.Text("reason"), "PayFrom": e.Text("pay_from"), "Suggested": e.Text("suggested")})}
		case store.Visit:
			s, err := visit.FromEntity(e)
			if err != nil {
				return nil, err
			}
			if d, err = suggested(ctx, of, s); err != nil {
				return nil, err
			}
			given, err := opinion.On(ctx, of.Replica, s.ID)
			if err != nil {
				return nil, err
			}
			if x := opinionOf(given); x != nil {
				head = []string{words.In(o.Lang).Say("trace.opinion", x)}
			}
		default:
			return nil, &FindError{Text: c.ID.String()}
		}
		act := shown(c.ID.String(), 1)
		if c.JSON {
			return act, printJSON(o, d)
		}
		lines := append(head, determination.Trace(d, words.In(o.Lang).Say)...)
		if c.Out == "" {
			for _, l := range lines {
				fmt.Fprintln(o.Out, l)
			}
			return act, nil
		}
		act.Action = audit.Print
		_, err = writeOutput(of.World, c.Out, func(w io.Writer) error {
			for _, l := range lines {
				if _, err := fmt.Fprintln(w, l); err != nil {
					return err
				}
			}
			return nil
		})
		return act, err
	})
}

// DeterminationDecideCmd decides.
type DeterminationDecideCmd struct {
	workFlags
	Visit    uuid.UUID `arg:"" help:"The accepted visit."`
	Category string    `help:"Another category than suggested; needs --reason." placeholder:"CODE"`
	Amount   string    `help:"Another amount a month in yuan; needs --reason." placeholder:"YUAN"`
	Reason   string    `help:"Why the decision differs." placeholder:"TEXT"`
	Revise   bool      `help:"Change a decision that stands; needs --reason. Both stay on the record."`
}

func (c *DeterminationDecideCmd) Run(o *Output) error {
	if c.By == "" {
		return &SignError{Why: "decide"}
	}
	choice := determination.Choice{Category: c.Category, Reason: c.Reason, Revise: c.Revise}
	if c.Amount != "" {
		yuan, ok := new(big.Rat).SetString(c.Amount)
		if ok {
			yuan.Mul(yuan, big.NewRat(100, 1))
		}
		if !ok || !yuan.IsInt() || !yuan.Num().IsInt64() {
			return &FileError{File: "--amount " + c.Amount, Why: "unreadable", Err: fmt.Errorf("not an amount in yuan")}
		}
		fen := standards.Fen(yuan.Num().Int64())
		choice.Amount = &fen
	}
	return c.work(o, func(ctx context.Context, of *office.Office, by uuid.UUID) (*audit.Act, error) {
		pending, err := determination.Newest(ctx, of.Replica, "")
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(pending, func(s *visit.Signed) bool { return s.ID == c.Visit })
		if i < 0 {
			return nil, &FindError{Text: c.Visit.String()}
		}
		d, err := suggested(ctx, of, pending[i])
		if err != nil {
			return nil, err
		}
		id, err := determination.Decide(ctx, of.Replica, by, of.World.Now(), pending[i], d, choice)
		if err != nil {
			return nil, err
		}
		e, err := of.Replica.Entity(ctx, id)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s: %s decided by %s (suggested: %s), standards %s\n", id, e.Text("label"), c.By, d.Label, d.Version)
		return &audit.Act{Action: audit.Decision, Object: c.Visit.String(), Count: 1, Detail: map[string]string{"category": e.Text("category"), "suggested": d.Category, "standards": d.Version, "reason": c.Reason}}, nil
	})
}

// DeterminationListCmd lists decisions.
type DeterminationListCmd struct {
	workFlags
	On   string `help:"As they stand on this day, YYYY-MM-DD; today if not given." placeholder:"DAY"`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

func (c *DeterminationListCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, _ uuid.UUID) (*audit.Act, error) {
		day := of.World.Now()
		if c.On != "" {
			var err error
			if day, err = time.Parse(time.DateOnly, c.On); err != nil {
				return nil, &FileError{File: "--on " + c.On, Why: "unreadable", Err: err}
			}
		}
		list, err := of.Replica.Entities(ctx, store.Query{Kind: store.Determination, Division: c.Division})
		if err != nil {
			return nil, err
		}
		byHousehold := map[string][]*store.Entity{}
		for _, e := range list {
			byHousehold[e.Text("parent")] = append(byHousehold[e.Text("parent")], e)
		}
		type line struct {
			ID         uuid.UUID `json:"id"`
			Household  string    `json:"household"`
			Division   string    `json:"division"`
			Category   string    `json:"category"`
			Label      string    `json:"label"`
			Amount     string    `json:"amount"`
			Standing   string    `json:"standing"`
			DecidedOn  string    `json:"decided_on"`
			PayFrom    string    `json:"pay_from"`
			ReviewBy   string    `json:"review_by,omitempty"`
			GraceUntil string    `json:"grace_until,omitempty"`
			ValidUntil string    `json:"valid_until,omitempty"`
			Standards  string    `json:"standards"`
		}
		lines := []line{}
		for _, e := range list {
			fen, _ := e.Fields["amount_fen"].Int()
			lines = append(lines, line{e.ID, e.Text("parent"), e.Division, e.Text("category"), e.Text("label"), standards.Fen(fen).String(),
				string(determination.On(e, determination.Latest(byHousehold[e.Text("parent")]), day)), e.Text("decided_on"), e.Text("pay_from"), e.Text("review_by"), e.Text("grace_until"), e.Text("valid_until"), e.Text("standards")})
		}
		if c.JSON {
			return nil, printJSON(o, lines)
		}
		for _, l := range lines {
			fmt.Fprintf(o.Out, "%s %s %s %s %s %s\n", l.ID, l.Division, l.Label, l.Amount, l.Standing, l.DecidedOn)
		}
		return nil, nil
	})
}

// StandardsListCmd lists versions.
type StandardsListCmd struct{ DataFlag }

func (c *StandardsListCmd) Run(o *Output) error {
	return c.look(func(ctx context.Context, of *office.Office) error {
		list, err := publish.Versions(ctx, of.Replica)
		if err != nil {
			return err
		}
		for i, v := range list {
			until := v.ValidTo
			if i+1 < len(list) && until == "" {
				until = "the next"
			}
			fmt.Fprintf(o.Out, "%s: from %s to %s (%s)\n", v.Version, v.ValidFrom, until, v.Name)
		}
		return nil
	})
}

// StandardsWhatIfCmd tries a draft on everybody.
type StandardsWhatIfCmd struct {
	workFlags
	File string `arg:"" type:"path" help:"The draft: .xlsx or .md."`
	On   string `help:"The day of the decisions, YYYY-MM-DD; today if not given." placeholder:"DAY"`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

func (c *StandardsWhatIfCmd) Run(o *Output) error {
	draft, err := openStandards(o, c.File)
	if err != nil {
		return err
	}
	return c.work(o, func(ctx context.Context, of *office.Office, _ uuid.UUID) (*audit.Act, error) {
		on := of.World.Now()
		if c.On != "" {
			if on, err = time.Parse(time.DateOnly, c.On); err != nil {
				return nil, &FileError{File: "--on " + c.On, Why: "unreadable", Err: err}
			}
		}
		effects, whose, err := determination.WhatIf(ctx, of.Replica, c.Division, draft, on)
		if err != nil {
			return nil, err
		}
		if c.JSON {
			return nil, printJSON(o, effects)
		}
		for _, line := range told(effects, whose, draft.Version) {
			fmt.Fprintln(o.Out, line)
		}
		return shown("what a draft would change", len(effects.Changed)), nil
	})
}

// told says what a draft would change.
func told(e standards.Effects, whose map[string]determination.Home, draft string) []string {
	labels := map[string]string{}
	for _, c := range e.Changed {
		labels[c.Before], labels[c.After] = c.BeforeLabel, c.AfterLabel
	}
	lines := []string{fmt.Sprintf("draft %s, nothing published: %d households, %d would change; a month %s yuan instead of %s", draft, e.Households, len(e.Changed), e.AfterFen, e.BeforeFen)}
	for _, from := range slices.Sorted(maps.Keys(e.Moves)) {
		for _, to := range slices.Sorted(maps.Keys(e.Moves[from])) {
			if from != to {
				lines = append(lines, fmt.Sprintf("  %s → %s: %d", labels[from], labels[to], e.Moves[from][to]))
			}
		}
	}
	for _, c := range e.Changed {
		h := whose[c.Key]
		lines = append(lines, fmt.Sprintf("  %s %s: %s %s → %s %s", h.Address, h.Name, c.BeforeLabel, c.BeforeAmount, c.AfterLabel, c.AfterAmount))
	}
	if e.Undecided > 0 {
		lines = append(lines, fmt.Sprintf("%d households could not be decided by the draft: it asks what nobody answered", e.Undecided))
	}
	return lines
}

// HouseholdCmd is about one household.
type HouseholdCmd struct {
	Chain HouseholdChainCmd `cmd:"" help:"Print a household's assistance chain (一户一条救助链): all that was found, asked, seen, decided, given and answered."`
}

// HouseholdChainCmd prints the chain.
type HouseholdChainCmd struct {
	workFlags
	Household string `arg:"" help:"The household's id, or a name, pinyin initials or last digits that lead to just one."`
	JSON      bool   `name:"json" help:"Print one JSON document."`
}

func (c *HouseholdChainCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, _ uuid.UUID) (*audit.Act, error) {
		id, err := household(ctx, of, c.Household)
		if err != nil {
			return nil, err
		}
		entries, err := chain.Of(ctx, of.Replica, id)
		if err != nil {
			return nil, err
		}
		act := shown(id.String(), 1)
		if c.JSON {
			return act, printJSON(o, entries)
		}
		for _, e := range entries {
			fmt.Fprintln(o.Out, linked(e, words.In(o.Lang)))
		}
		return act, nil
	})
}

// linked is one link of a chain on one line.
func linked(e chain.Entry, say *words.Speaker) string {
	line := e.At.Local().Format("2006-01-02 15:04") + "  " + say.Say("chain."+e.What, e.Parts)
	if e.Who != "" {
		line += "  (" + e.Who + ")"
	}
	return line
}
