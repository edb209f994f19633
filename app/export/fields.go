package export

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"ironfeet/app/casework/visit"
	"ironfeet/forms"
	"ironfeet/forms/xlsform"
	"ironfeet/store"
)

// row is one line of a table in the making: what its formulas read.
type row struct {
	Record
	member *store.Entity // nil in a table of households
	o      *Options

	answers map[string]string // by question name, of the newest accepted visit; made when first asked for
	root    map[string]any    // the same, nested, for paths
}

// reader gives one named value of a row, "" for none.
type reader func(*row) string

// system are the fields that are worked out, in a table of households; in one of
// members they are called household.<name>.
var system = map[string]reader{
	"id":              func(r *row) string { return r.Household.ID.String() },
	"village":         func(r *row) string { return r.Household.Division },
	"township":        func(r *row) string { return r.Household.Division[:min(len(r.Household.Division), 9)] },
	"members_total":   func(r *row) string { return strconv.Itoa(len(r.Members)) },
	"members_counted": func(r *row) string { return strconv.Itoa(counted(r.Members)) },
	"minors":          func(r *row) string { return strconv.Itoa(minors(r.Members, r.o.Day)) },
	"head_name":       func(r *row) string { return head(r.Record).Text("name") },
	"head_id_no":      func(r *row) string { return head(r.Record).Text("id_no") },
	"visit_id":        func(r *row) string { return ofVisit(r, func() string { return r.Visit.ID.String() }) },
	"visit_outcome":   func(r *row) string { return ofVisit(r, func() string { return r.Visit.Content.Outcome }) },
	"visit_date": func(r *row) string {
		return ofVisit(r, func() string { return r.Visit.EndedAt().Format(time.DateOnly) })
	},
	"visit_time": func(r *row) string {
		return ofVisit(r, func() string { return r.Visit.EndedAt().Format(time.DateTime) })
	},
	"visit_digest": func(r *row) string { return ofVisit(r, func() string { return r.Visit.Digest.String() }) },
	"investigators": func(r *row) string {
		return ofVisit(r, func() string { return strconv.Itoa(len(r.Visit.Attestations)) })
	},
	"photos": func(r *row) string {
		return ofVisit(r, func() string { return strconv.Itoa(len(r.Visit.Content.Photos)) })
	},
	"signed_by": func(r *row) string { return ofVisit(r, func() string { return r.Visit.Content.Signature.Mode }) },
	"form": func(r *row) string {
		return ofVisit(r, func() string { return r.Visit.Record.Form + " " + r.Visit.Record.Version })
	},
	"longitude":        func(r *row) string { return point(r, 1) },
	"latitude":         func(r *row) string { return point(r, 0) },
	"category":         func(r *row) string { return decided(r, "category") },
	"category_reason":  func(r *row) string { return decided(r, "reason") },
	"suggested":        func(r *row) string { return decided(r, "suggested") },
	"standards":        func(r *row) string { return decided(r, "standards") },
	"determination_id": func(r *row) string { return ofDecision(r, func() string { return r.Determination.ID.String() }) },
	"decided_date": func(r *row) string {
		return ofDecision(r, func() string { return r.Determination.Updated.Time().Format(time.DateOnly) })
	},
	"amount": amount,
}

// ownOfMember are worked out in a table of members.
var ownOfMember = map[string]reader{
	"id": func(r *row) string { return r.member.ID.String() },
	"age": func(r *row) string {
		birth, err := time.Parse(time.DateOnly, r.member.Text("birth"))
		if err != nil {
			return ""
		}
		years := r.o.Day.Year() - birth.Year()
		if birth.AddDate(years, 0, 0).After(r.o.Day) {
			years--
		}
		return strconv.Itoa(years)
	},
}

func ofVisit(r *row, of func() string) string {
	if r.Visit == nil {
		return ""
	}
	return of()
}

func ofDecision(r *row, of func() string) string {
	if r.Determination == nil {
		return ""
	}
	return of()
}

func decided(r *row, field string) string {
	return ofDecision(r, func() string { return r.Determination.Text(field) })
}

func head(r Record) *store.Entity {
	for _, m := range r.Members {
		if isHead(m) {
			return m
		}
	}
	return &store.Entity{}
}

func counted(members []*store.Entity) (n int) {
	for _, m := range members {
		if m.Text("counted") != "no" {
			n++
		}
	}
	return n
}

func minors(members []*store.Entity, day time.Time) (n int) {
	for _, m := range members {
		if visit.Minor(m.Text("birth"), day) {
			n++
		}
	}
	return n
}

// amount is in yuan with two decimals, worked out from integer fen.
func amount(r *row) string {
	if r.Determination == nil {
		return ""
	}
	fen, ok := r.Determination.Fields["amount_fen"].Int()
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d.%02d", fen/100, fen%100)
}

// point is latitude (0) or longitude (1) of the visit's position, WGS-84.
func point(r *row, part int) string {
	return ofVisit(r, func() string {
		for _, a := range r.Visit.Record.Answers {
			if a.Type == "geopoint" {
				if f := strings.Fields(a.Value); len(f) > part {
					return f[part]
				}
			}
		}
		return ""
	})
}

// answer is the first answer to a question of this name.
func (r *row) answer(name string) string {
	if r.answers == nil {
		r.answers = map[string]string{}
		if r.Visit != nil {
			for _, a := range r.Visit.Record.Answers {
				name := forms.NameOf(a.Path)
				if _, known := r.answers[name]; !known && !Never(a.Path, r.o.Children) && !strings.Contains(a.Path, "[") {
					r.answers[name] = r.o.Shown(name, a.Type, a.Value)
				}
			}
		}
	}
	return r.answers[name]
}

// nested is the visit's record by name, for paths: without neighbours, without
// minors and whatever is theirs, masked like everything else.
func (r *row) nested() map[string]any {
	if r.root != nil {
		return r.root
	}
	r.root = map[string]any{}
	if r.Visit == nil {
		return r.root
	}
	rec := r.Visit.Record
	rec.Answers = slices.Clone(rec.Answers)
	rec.Answers = slices.DeleteFunc(rec.Answers, func(a forms.Answer) bool { return Never(a.Path, r.o.Children) })
	whole := rec.Nested()
	young := map[string]bool{}
	if !r.o.Children {
		for _, m := range r.Members {
			if visit.Minor(m.Text("birth"), r.o.Day) {
				young[m.Text("name")], young[m.ID.String()] = true, true
			}
		}
		if list, ok := whole["members"].([]map[string]any); ok {
			for _, m := range list {
				if birth, _ := m["birth"].(string); visit.Minor(birth, r.o.Day) {
					for _, key := range []string{"name", "id"} {
						if v, _ := m[key].(string); v != "" {
							young[v] = true
						}
					}
				}
			}
		}
	}
	types := map[string]string{}
	for _, a := range rec.Answers {
		types[forms.NameOf(a.Path)] = a.Type
	}
	for name, v := range whole {
		switch v := v.(type) {
		case string:
			r.root[name] = r.o.Shown(name, types[name], v)
		case []map[string]any:
			var kept []map[string]any
			for _, item := range v {
				if slices.ContainsFunc(slices.Collect(maps.Values(item)), func(v any) bool { s, ok := v.(string); return ok && young[s] }) {
					continue
				}
				masked := map[string]any{}
				for key, v := range item {
					if s, ok := v.(string); ok {
						v = r.o.Shown(key, types[key], s)
					}
					masked[key] = v
				}
				kept = append(kept, masked)
			}
			r.root[name] = kept
		default:
			r.root[name] = v
		}
	}
	return r.root
}

// Shown is a value as this export may show it.
func (o *Options) Shown(name, kind, value string) string {
	if o.Unmasked || value == "" {
		return value
	}
	if m := maskOf(name); m != nil {
		return m(value)
	}
	if kind == "text" {
		return withhold(value)
	}
	return value
}

// Fields are the names that formulas may use: a template with another is refused.
type Fields struct {
	Household map[string]bool // of the registry
	Member    map[string]bool
	Visit     map[string]bool // questions of published forms
}

// registryFields are known without looking: domain.md §4.
var registryFields = Fields{
	Household: set("name", "phone", "address", "area", "aid", "village", "live_code", "reg_code", "house_structure", "house_safety", "water", "money_range", "veh_car_has", "last_visit", "cause"),
	Member: set("name", "id_type", "id_no", "sex", "birth", "rel", "ethnic", "marital", "edu", "counted", "why", "residence", "labour", "job", "health",
		"dis_kind", "dis_grade", "school", "insured", "major_ill"),
}

func set(names ...string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

// FieldsOf are the fields that a county has: those of the registry, and the
// questions of every form it published.
func FieldsOf(ctx context.Context, r *store.Replica) (Fields, error) {
	f := Fields{maps.Clone(registryFields.Household), maps.Clone(registryFields.Member), map[string]bool{}}
	for kind, into := range map[store.Kind]map[string]bool{store.Household: f.Household, store.Member: f.Member} {
		some, err := r.Entities(ctx, store.Query{Kind: kind, Limit: 200})
		if err != nil {
			return f, err
		}
		for _, e := range some {
			for name := range e.Fields {
				into[name] = true
			}
		}
		delete(into, "parent")
		delete(into, "deleted")
	}
	published, err := r.Entities(ctx, store.Query{Kind: store.Form})
	if err != nil {
		return f, err
	}
	for _, e := range published {
		tables, _ := xlsform.ReadTables(e.Text("name"), e.Fields["workbook"].Bytes())
		if tables == nil {
			continue // a form of a newer version: its questions cannot be named here
		}
		for name := range questions(tables) {
			f.Visit[name] = true
		}
	}
	return f, nil
}

// questions are the names that stand in a form's survey, without those that are
// in no export.
func questions(t *xlsform.Tables) map[string]bool {
	out := map[string]bool{}
	survey := t.Sheet("survey")
	if survey == nil {
		return out
	}
	kind, name := slices.Index(survey.Header, "type"), slices.Index(survey.Header, "name")
	if kind < 0 || name < 0 {
		return out
	}
	var path []string
	for _, r := range survey.Rows {
		switch t, n := strings.ReplaceAll(r.Cell(kind), "_", " "), r.Cell(name); {
		case strings.HasPrefix(t, "begin "):
			path = append(path, n)
		case strings.HasPrefix(t, "end "):
			path = path[:max(len(path)-1, 0)]
		case n != "" && !Never(strings.Join(append(slices.Clone(path), n), "/"), false):
			out[n] = true
		}
	}
	return out
}
