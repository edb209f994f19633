package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ironfeet/forms"
	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
	"ironfeet/store/world"
)

// FormCmd is about survey forms.
type FormCmd struct {
	Check   FormCheckCmd   `cmd:"" help:"List everything that is wrong with a form, cell by cell."`
	Fill    FormFillCmd    `cmd:"" help:"Fill a form without a screen and show every question."`
	Eval    FormEvalCmd    `cmd:"" help:"Evaluate an expression."`
	Publish FormPublishCmd `cmd:"" help:"Publish a form to every tablet of the county."`
}

// openForm reads a form from a file or a folder of CSVs; files it names lie
// beside it.
func openForm(file string) (*forms.Form, xlsform.Report, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, xlsform.Report{}, &FileError{File: file, Why: "missing", Err: err}
	}
	if info.IsDir() {
		def, report := xlsform.ReadDir(os.DirFS(file))
		if def == nil {
			return nil, report, nil
		}
		f, more := forms.Compile(def)
		report.Merge(more)
		report.Sort()
		if !report.OK() {
			f = nil
		}
		return f, report, nil
	}
	data, err := readInput(file, 64<<20)
	if err != nil {
		return nil, xlsform.Report{}, err
	}
	var beside fs.FS = os.DirFS(filepath.Dir(file))
	f, report := forms.Open(filepath.Base(file), data, beside)
	return f, report, nil
}

// FormCheckCmd checks a form.
type FormCheckCmd struct {
	File string `arg:"" type:"path" help:"The form: .xlsx, .md or a folder of CSVs."`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// checked is the documented answer of form check --json.
type checked struct {
	OK       bool              `json:"ok"`
	Errors   []xlsform.Problem `json:"errors"`
	Warnings []xlsform.Problem `json:"warnings"`
}

func printJSON(o *Output, v any) error {
	enc := json.NewEncoder(o.Out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func (c *FormCheckCmd) Run(o *Output) error {
	f, r, err := openForm(c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		out := checked{r.OK(), r.Errors, r.Warnings}
		if out.Errors == nil {
			out.Errors = []xlsform.Problem{}
		}
		if out.Warnings == nil {
			out.Warnings = []xlsform.Problem{}
		}
		if err := printJSON(o, out); err != nil {
			return err
		}
	} else {
		report(o, filepath.Base(c.File), r)
		if f != nil {
			fmt.Fprintf(o.Out, "%s: %s %s, %d questions, %d warnings\n", filepath.Base(c.File), f.ID(), f.Version(), f.Questions(), len(r.Warnings))
		}
	}
	if f == nil {
		return errFaulty
	}
	return nil
}

// FormFillCmd fills a form headless.
type FormFillCmd struct {
	File    string `arg:"" type:"path" help:"The form: .xlsx, .md or a folder of CSVs."`
	Answers string `type:"path" help:"JSON list of answers in order." placeholder:"FILE"`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// A step of an answers file: exactly one of them.
type fillStep struct {
	Path     string `json:"path"`
	Value    string `json:"value"`
	Add      string `json:"add"`
	Remove   string `json:"remove"`
	Language string `json:"language"`
}

// shownNode is a node as form fill --json prints it.
type shownNode struct {
	Path     string         `json:"path"`
	Type     string         `json:"type"`
	Value    string         `json:"value"`
	Label    string         `json:"label"`
	Relevant bool           `json:"relevant"`
	Valid    bool           `json:"valid"`
	Message  string         `json:"message"`
	Choices  []forms.Choice `json:"choices"`
}

func (c *FormFillCmd) Run(o *Output) error {
	f, r, err := openForm(c.File)
	if err != nil {
		return err
	}
	if f == nil {
		report(o, filepath.Base(c.File), r)
		return errFaulty
	}
	var steps []fillStep
	if c.Answers != "" {
		data, err := readInput(c.Answers, 16<<20)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(data, &steps); err != nil {
			return &FileError{File: c.Answers, Why: "unreadable", Err: err}
		}
	}
	w := world.Real()
	e := f.New(forms.Options{Now: w.Now, Rand: w.Rand})
	changed := []string{}
	for i, s := range steps {
		var paths []string
		switch {
		case s.Add != "":
			_, err = e.Add(s.Add)
			paths = e.Changed()
		case s.Remove != "":
			err = e.Remove(s.Remove)
			paths = e.Changed()
		case s.Language != "":
			if !e.SetLanguage(s.Language) {
				err = fmt.Errorf("the form has no language %q", s.Language)
			}
		default:
			paths, err = e.Set(s.Path, s.Value)
		}
		if err != nil {
			return fmt.Errorf("answer %d: %w", i+1, err)
		}
		for _, p := range paths {
			if !slices.Contains(changed, p) {
				changed = append(changed, p)
			}
		}
	}
	nodes := []shownNode{}
	for _, n := range e.Nodes() {
		if n.Choices == nil {
			n.Choices = []forms.Choice{}
		}
		nodes = append(nodes, shownNode{n.Path, n.Type, n.Value, n.Label, n.Relevant, n.Valid, n.Message, n.Choices})
	}
	if c.JSON {
		return printJSON(o, struct {
			Nodes   []shownNode `json:"nodes"`
			Changed []string    `json:"changed"`
		}{nodes, changed})
	}
	for _, n := range nodes {
		if n.Relevant {
			fmt.Fprintf(o.Out, "%-40s %-16s %s\n", n.Path, n.Value, n.Message)
		}
	}
	return nil
}

// FormEvalCmd evaluates an expression.
type FormEvalCmd struct {
	Expr    string `arg:"" optional:"" help:"The expression."`
	Context string `type:"path" help:"JSON: node, values by path, today." placeholder:"FILE"`
	Batch   string `type:"path" help:"JSON list of {expr, context}." placeholder:"FILE"`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// expressionArgs lets an expression begin with a minus: what no flag begins like
// is an argument.
func expressionArgs(args []string) []string {
	if len(args) < 2 || args[0] != "form" || args[1] != "eval" {
		return args
	}
	out := slices.Clone(args)
	for i, a := range out[2:] {
		if strings.HasPrefix(a, "-") && len(a) > 1 && !strings.HasPrefix(a, "--") && a != "-h" {
			out[i+2] = " " + a
		}
	}
	return out
}

// An evalContext is the little instance an expression is evaluated in.
type evalContext struct {
	Node   string            `json:"node"`
	Values map[string]string `json:"values"`
	Today  string            `json:"today"`
}

type evalResult struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
	Error string `json:"error,omitempty"`
}

func (c *FormEvalCmd) Run(o *Output) error {
	var jobs []struct {
		Expr    string      `json:"expr"`
		Context evalContext `json:"context"`
	}
	read := func(file string, into any) error {
		data, err := readInput(file, 16<<20)
		if err == nil {
			if err = json.Unmarshal(data, into); err != nil {
				err = &FileError{File: file, Why: "unreadable", Err: err}
			}
		}
		return err
	}
	if c.Batch != "" {
		if err := read(c.Batch, &jobs); err != nil {
			return err
		}
		out := make([]evalResult, len(jobs))
		for i, j := range jobs {
			out[i] = evaluate(j.Expr, j.Context)
		}
		return printJSON(o, out)
	}
	var ctx evalContext
	if c.Context != "" {
		if err := read(c.Context, &ctx); err != nil {
			return err
		}
	}
	r := evaluate(c.Expr, ctx)
	if c.JSON {
		if err := printJSON(o, r); err != nil {
			return err
		}
	} else if r.Error == "" {
		fmt.Fprintf(o.Out, "%s: %v\n", r.Type, r.Value)
	}
	if r.Error != "" {
		fmt.Fprintln(o.Err, "error:", r.Error)
		return errFaulty
	}
	return nil
}

func evaluate(src string, c evalContext) evalResult {
	e, err := expr.Parse(src)
	if err != nil {
		return evalResult{Type: "error", Error: err.Error()}
	}
	now := world.Real().Now
	if day, err := time.Parse(time.DateOnly, c.Today); err == nil {
		now = func() time.Time { return day }
	}
	v, err := e.Eval(expr.Values(c.Values, c.Node, now, world.Real().Rand))
	if err != nil {
		return evalResult{Type: "error", Error: err.Error()}
	}
	r := evalResult{Type: v.Type.String()}
	switch v.Type {
	case expr.NumberType:
		r.Value = json.Number(v.String())
		if math.IsInf(v.Number(), 0) { // JSON has no word for it
			r.Value = v.String()
		}
	case expr.BooleanType:
		r.Value = v.Bool()
	case expr.NodesType:
		texts := []string{}
		for _, n := range v.List() {
			texts = append(texts, n.Text())
		}
		r.Value = texts
	default:
		r.Value = v.String()
	}
	return r
}
