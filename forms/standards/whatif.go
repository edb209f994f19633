package standards

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"ironfeet/forms/expr"
)

// A Home is a household's record to be decided on, under a key of the caller's.
type Home struct {
	Key    string
	Record map[string]any
	On     time.Time
}

// An Effect is what a draft would change for one household.
type Effect struct {
	Key          string   `json:"key"`
	Before       string   `json:"before"` // category under the rules of today
	After        string   `json:"after"`
	BeforeLabel  string   `json:"before_label"`
	AfterLabel   string   `json:"after_label"`
	BeforeAmount Fen      `json:"before_fen"`
	AfterAmount  Fen      `json:"after_fen"`
	Missing      []string `json:"missing,omitempty"` // what the draft asks and nobody answered
	Persons      []string `json:"persons,omitempty"` // offers that come (+) or go (-): "+single 莫春林"
}

// Changed says whether the household would notice.
func (e Effect) Changed() bool {
	return e.Before != e.After || e.BeforeAmount != e.AfterAmount || len(e.Persons) > 0
}

// Effects is a draft against the rules of today, over many households.
type Effects struct {
	Households int                       `json:"households"`
	Changed    []Effect                  `json:"changed"`    // in the order of the households
	Moves      map[string]map[string]int `json:"moves"`      // before -> after -> households, those that stay among them
	BeforeFen  Fen                       `json:"before_fen"` // a month, all together
	AfterFen   Fen                       `json:"after_fen"`  //
	Undecided  int                       `json:"undecided"`  // households the draft could not decide and today's rules can
	Skipped    int                       `json:"skipped"`    // no rule set was in force
}

// WhatIf decides every household by the rules of its day and by a draft, and says
// who would change. today may be nil for a home: then no rules were in force and it
// is skipped. All processors work on it; the answer does not depend on how.
func WhatIf(today func(Home) *RuleSet, draft *RuleSet, homes []Home) Effects {
	list := make([]*Effect, len(homes))
	known := &sameAs{}
	each(len(homes), func(i int) {
		h := homes[i]
		rules := today(h)
		if rules == nil {
			return
		}
		a, run := rules.decideFrom(nil, nil, h.Record, h.On, result)
		b, _ := draft.decideFrom(run, known.of(rules, draft), h.Record, h.On, result)
		list[i] = &Effect{Key: h.Key, Before: a.Category, After: b.Category, BeforeLabel: a.Label, AfterLabel: b.Label,
			BeforeAmount: a.Amount, AfterAmount: b.Amount, Missing: b.Missing, Persons: moved(a.Offers, b.Offers)}
	})
	out := Effects{Households: len(homes), Moves: map[string]map[string]int{}}
	for _, e := range list {
		if e == nil {
			out.Skipped++
			continue
		}
		if out.Moves[e.Before] == nil {
			out.Moves[e.Before] = map[string]int{}
		}
		out.Moves[e.Before][e.After]++
		out.BeforeFen += e.BeforeAmount
		out.AfterFen += e.AfterAmount
		if e.After == Undecided && e.Before != Undecided {
			out.Undecided++
		}
		if e.Changed() {
			out.Changed = append(out.Changed, *e)
		}
	}
	return out
}

// A sameness says which rows and facts of a draft are worked out from the same
// values in the same way as in another rule set, so that one run serves both.
type sameness struct{ rows, facts []bool }

// sameAs remembers the sameness of each rule set with the draft.
type sameAs struct {
	mu   sync.Mutex
	with map[*RuleSet]*sameness
}

func (s *sameAs) of(rs, draft *RuleSet) *sameness {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.with == nil {
		s.with = map[*RuleSet]*sameness{}
	}
	if _, known := s.with[rs]; !known {
		s.with[rs] = same(rs, draft)
	}
	return s.with[rs]
}

// same is nil where the two are built differently: then nothing is taken over.
func same(rs, draft *RuleSet) *sameness {
	list := func(rules []rule) (out []string) {
		for _, r := range rules {
			out = append(out, r.list+"/"+r.name)
		}
		return out
	}
	if !slices.Equal(list(rs.rows), list(draft.rows)) || !slices.Equal(list(rs.facts), list(draft.facts)) || !maps.Equal(rs.lists, draft.lists) {
		return nil
	}
	changed := map[string]bool{} // names whose value may be another: of rows, and ${…} of parameters and facts
	for name := range maps.Keys(draft.parameters) {
		a, b := rs.parameters[name], draft.parameters[name]
		if a.value != b.value || a.rural != b.rural || a.urban != b.urban {
			changed["${"+name+"}"] = true
		}
	}
	touched := func(e *expr.Expr) (yes bool) {
		expr.Walk(e.Root, func(a expr.Ast) bool {
			switch a := a.(type) {
			case *expr.Ref:
				yes = yes || changed["${"+a.Name+"}"]
			case *expr.Path:
				for _, s := range a.Steps {
					yes = yes || changed[s.Name]
				}
			}
			return !yes
		})
		return yes
	}
	out := &sameness{make([]bool, len(draft.rows)), make([]bool, len(draft.facts))}
	// A row may name one that stands below it, of another list: until nothing more
	// changes.
	for before := -1; before != len(changed); {
		before = len(changed)
		for i, r := range draft.rows {
			if expr.Source(r.formula.Root) != expr.Source(rs.rows[i].formula.Root) || touched(r.formula) {
				changed[r.name] = true
			}
		}
	}
	for i, r := range draft.rows {
		out.rows[i] = !changed[r.name]
	}
	for i, f := range draft.facts {
		if out.facts[i] = expr.Source(f.formula.Root) == expr.Source(rs.facts[i].formula.Root) && !touched(f.formula); !out.facts[i] {
			changed["${"+f.name+"}"] = true
		}
	}
	return out
}

// moved lists what persons gain and lose.
func moved(before, after []Offer) []string {
	name := func(o Offer) string { return o.Offer + " " + o.Name + " " + o.Amount.String() + " " + o.Level }
	has := func(list []Offer, o Offer) bool {
		return slices.ContainsFunc(list, func(p Offer) bool { return name(p) == name(o) && p.Row == o.Row })
	}
	var out []string
	for _, o := range before {
		if !has(after, o) {
			out = append(out, "-"+name(o))
		}
	}
	for _, o := range after {
		if !has(before, o) {
			out = append(out, "+"+name(o))
		}
	}
	return out
}

// each runs do for 0 to n-1 on all processors.
func each(n int, do func(i int)) {
	const stride = 64
	var next sync.Mutex
	at := 0
	var all sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n/stride+1) {
		all.Go(func() {
			for {
				next.Lock()
				from := at
				at += stride
				next.Unlock()
				if from >= n {
					return
				}
				for i := from; i < min(from+stride, n); i++ {
					do(i)
				}
			}
		})
	}
	all.Wait()
}

// DecideAll decides every home on all processors. take is called once for each, in
// any order and from several goroutines.
func DecideAll(rs *RuleSet, homes []Home, take func(i int, d Decision)) {
	each(len(homes), func(i int) { take(i, rs.Decide(homes[i].Record, homes[i].On)) })
}
