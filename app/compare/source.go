package compare

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"ironfeet/forms/expr"
)

// A Source is one department's kind of list: how its headings are called, which
// rows raise an alert, and what to ask of the visit. Sources are data of the
// county (a JSON file), since departments, thresholds and deadlines are local.
type Source struct {
	Name         string              `json:"name"`       // "vehicles"
	Title        string              `json:"title"`      // 名下车辆
	Department   string              `json:"department"` // 公安车管
	AlertKind    string              `json:"alert_kind"` // 名下有车
	IDHeadings   []string            `json:"id_headings,omitempty"`
	NameHeadings []string            `json:"name_headings,omitempty"`
	Fields       map[string][]string `json:"fields,omitempty"`    // field -> headings it may have
	Condition    string              `json:"condition,omitempty"` // over ${field}; empty: every match
	Detail       string              `json:"detail"`              // text/template over the fields, for the worker
	Form         string              `json:"form"`                // form_id of the visit it asks for
	Days         int                 `json:"days"`                // until the visit is due

	condition *expr.Expr
	detail    *template.Template
}

// A SourceError says what is wrong with a source's description.
type SourceError struct{ Source, Field, What string }

func (e *SourceError) Error() string {
	return fmt.Sprintf("source %q, %s: %s", e.Source, e.Field, e.What)
}

// Code is the key of the sentence.
func (e *SourceError) Code() string { return "compare.source" }

// ReadSources reads the county's description of its sources.
func ReadSources(data []byte) (map[string]Source, error) {
	var list []Source
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, &SourceError{Field: "file", What: err.Error()}
	}
	out := map[string]Source{}
	for _, s := range list {
		switch {
		case s.Name == "" || s.AlertKind == "":
			return nil, &SourceError{s.Name, "name", "a source needs a name and an alert_kind"}
		case s.Days <= 0:
			return nil, &SourceError{s.Name, "days", "a visit needs a deadline in days"}
		}
		var err error
		if s.Condition != "" {
			if s.condition, err = expr.Parse(s.Condition); err != nil {
				return nil, &SourceError{s.Name, "condition", err.Error()}
			}
		}
		if s.detail, err = template.New(s.Name).Option("missingkey=error").Parse(s.Detail); err != nil {
			return nil, &SourceError{s.Name, "detail", err.Error()}
		}
		empty := map[string]string{}
		for field := range s.Fields {
			empty[field] = ""
		}
		if err := s.detail.Execute(&strings.Builder{}, empty); err != nil {
			return nil, &SourceError{s.Name, "detail", err.Error()}
		}
		out[s.Name] = s
	}
	return out, nil
}

// says is the sentence that tells the worker why the visit is asked for.
func (s Source) says(e Entry) string {
	var b strings.Builder
	if err := s.detail.Execute(&b, e.Fields); err != nil {
		return s.AlertKind
	}
	return b.String()
}
