package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/xuri/excelize/v2"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/clocks"
	"ironfeet/app/casework/office"
	"ironfeet/store"
	"ironfeet/store/audit"
)

// AlertCmd is about what the county is told to look at.
type AlertCmd struct {
	Check    AlertCheckCmd    `cmd:"" help:"List everything that is wrong with a workbook of alert kinds."`
	Adopt    AlertAdoptCmd    `cmd:"" help:"Take a workbook of alert kinds over as the county's own."`
	Clocks   AlertClocksCmd   `cmd:"" help:"Raise alerts for days that come (re-checks, birthdays, ends of periods) and for what is there twice."`
	List     AlertListCmd     `cmd:"" help:"List alerts."`
	Confirm  AlertConfirmCmd  `cmd:"" help:"Confirm alerts: a person looked at them and wants them visited."`
	Tasks    AlertTasksCmd    `cmd:"" help:"Make visit tasks of all confirmed alerts, one a household."`
	Close    AlertCloseCmd    `cmd:"" help:"Close an alert with what came of it."`
	Feedback AlertFeedbackCmd `cmd:"" help:"Write what came of a department's list, to go back to it."`
}

// AlertCheckCmd checks a workbook.
type AlertCheckCmd struct {
	File string `arg:"" type:"path" help:"The workbook: .xlsx or .md."`
}

func (c *AlertCheckCmd) Run(o *Output) error {
	k, err := (&KindsFlag{Kinds: c.File}).read(o, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "%s: %d sources, %d kinds of alert, %d outcomes\n", filepath.Base(c.File), len(k.Sources), len(k.All), len(k.Outcomes))
	return nil
}

// AlertAdoptCmd takes a workbook over.
type AlertAdoptCmd struct {
	workFlags
	File string `arg:"" type:"path" help:"The workbook: .xlsx or .md."`
}

func (c *AlertAdoptCmd) Run(o *Output) error {
	data, err := readInput(c.File, alerts.MaxWorkbook)
	if err != nil {
		return err
	}
	return c.work(o, func(ctx context.Context, of *office.Office, _ uuid.UUID) (*audit.Act, error) {
		k, problems, err := alerts.Keep(ctx, of.Replica, c.File, data)
		report(o, filepath.Base(c.File), problems)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s is the county's own now: %d sources, %d kinds of alert\n", filepath.Base(c.File), len(k.Sources), len(k.All))
		sum := sha256.Sum256(data)
		return &audit.Act{Action: audit.Publish, Object: "alert kinds", Count: 1, Detail: map[string]string{"file": filepath.Base(c.File), "sha256": hex.EncodeToString(sum[:])}}, nil
	})
}

// AlertClocksCmd looks at our own data.
type AlertClocksCmd struct {
	workFlags
	KindsFlag
}

func (c *AlertClocksCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, by uuid.UUID) (*audit.Act, error) {
		k, err := c.read(o, of)
		if err != nil {
			return nil, err
		}
		hits, err := clocks.Run(ctx, of.Replica, k, of.World.Now())
		if err != nil {
			return nil, err
		}
		raised, err := alerts.Raise(ctx, of.Replica, by, of.World.Now(), hits)
		if err != nil {
			return nil, err
		}
		per := map[string]int{}
		for _, h := range hits {
			per[h.Kind.Label]++
		}
		fmt.Fprintf(o.Out, "%d alerts raised, %d known before\n", raised.Alerts, raised.Known)
		for _, label := range slices.Sorted(maps.Keys(per)) {
			fmt.Fprintf(o.Out, "  %s: %d\n", label, per[label])
		}
		return &audit.Act{Action: audit.Compare, Object: "clocks", Count: int64(raised.Alerts)}, nil
	})
}

// AlertListCmd lists.
type AlertListCmd struct {
	workFlags
	State string `enum:"open,confirmed,task,closed," default:"" help:"open, confirmed, task or closed."`
	JSON  bool   `name:"json" help:"Print one JSON document."`
}

// An alertLine is one alert of the list, as --json prints it.
type alertLine struct {
	ID         uuid.UUID `json:"id"`
	State      string    `json:"state"`
	Kind       string    `json:"kind"`
	Label      string    `json:"label"`
	Household  string    `json:"household"`
	Division   string    `json:"division"`
	Level      string    `json:"level,omitempty"`
	Detail     string    `json:"detail"`
	Suggestion string    `json:"suggestion,omitempty"`
	Due        string    `json:"due,omitempty"`
	Outcome    string    `json:"outcome,omitempty"`
	Withdrawn  bool      `json:"withdrawn,omitempty"`
}

func (c *AlertListCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, _ uuid.UUID) (*audit.Act, error) {
		list, err := alerts.List(ctx, of.Replica, c.Division, c.State)
		if err != nil {
			return nil, err
		}
		lines := make([]alertLine, 0, len(list))
		for _, a := range list {
			lines = append(lines, alertLine{a.ID, a.Text("state"), a.Text("kind"), a.Text("alert_kind"), a.Text("parent"), a.Division, a.Text("level"), a.Text("detail"), a.Text("suggestion"), a.Text("due"), a.Text("outcome"), a.Text("withdrawn") != ""})
		}
		act := shown("alerts", len(lines))
		if c.JSON {
			return act, printJSON(o, lines)
		}
		for _, l := range lines {
			fmt.Fprintf(o.Out, "%s %s %s %s %s", l.ID, l.Division, l.State, l.Due, l.Detail)
			if l.Outcome != "" {
				fmt.Fprintf(o.Out, " [%s]", l.Outcome)
			}
			if l.Withdrawn {
				fmt.Fprint(o.Out, " (not in the corrected list)")
			}
			fmt.Fprintln(o.Out)
		}
		fmt.Fprintf(o.Err, "%d alerts\n", len(lines))
		return act, nil
	})
}

// AlertConfirmCmd confirms.
type AlertConfirmCmd struct {
	workFlags
	IDs  []uuid.UUID `arg:"" optional:"" name:"id" help:"Alerts to confirm."`
	All  bool        `help:"All open alerts of the division."`
	Kind string      `help:"With --all: only of this kind." placeholder:"KIND"`
}

func (c *AlertConfirmCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, by uuid.UUID) (*audit.Act, error) {
		var list []*store.Entity
		if c.All {
			open, err := alerts.List(ctx, of.Replica, c.Division, alerts.Open)
			if err != nil {
				return nil, err
			}
			list = slices.DeleteFunc(open, func(a *store.Entity) bool { return c.Kind != "" && a.Text("kind") != c.Kind })
		}
		for _, id := range c.IDs {
			a, err := named(ctx, of, store.Alert, id)
			if err != nil {
				return nil, err
			}
			list = append(list, a)
		}
		if err := alerts.Confirm(ctx, of.Replica, by, list...); err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%d alerts confirmed\n", len(list))
		return &audit.Act{Action: audit.Decision, Object: "alerts confirmed", Count: int64(len(list)), Detail: map[string]string{"division": c.Division, "kind": c.Kind, "all": strconv.FormatBool(c.All)}}, nil
	})
}

// AlertTasksCmd makes tasks.
type AlertTasksCmd struct{ workFlags }

func (c *AlertTasksCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, by uuid.UUID) (*audit.Act, error) {
		made, err := alerts.ToTasks(ctx, of.Replica, of.World.NewID, by, c.Division)
		if err != nil {
			return nil, err
		}
		per := map[string]int{}
		for _, t := range made {
			per[t.Division]++
		}
		fmt.Fprintf(o.Out, "%d visit tasks\n", len(made))
		for _, d := range slices.Sorted(maps.Keys(per)) {
			fmt.Fprintf(o.Out, "  %s: %d\n", d, per[d])
		}
		return &audit.Act{Action: audit.Decision, Object: "visit tasks", Count: int64(len(made)), Detail: map[string]string{"division": c.Division}}, nil
	})
}

// AlertCloseCmd closes.
type AlertCloseCmd struct {
	workFlags
	KindsFlag
	ID      uuid.UUID `arg:"" help:"The alert."`
	Outcome string    `required:"" help:"What came of it: a code of the workbook's sheet outcomes." placeholder:"CODE"`
	Note    string    `help:"In words." placeholder:"TEXT"`
}

func (c *AlertCloseCmd) Run(o *Output) error {
	return c.work(o, func(ctx context.Context, of *office.Office, by uuid.UUID) (*audit.Act, error) {
		k, err := c.read(o, of)
		if err != nil {
			return nil, err
		}
		a, err := named(ctx, of, store.Alert, c.ID)
		if err != nil {
			return nil, err
		}
		if err := alerts.Close(ctx, of.Replica, by, of.World.Now(), k, a, c.Outcome, c.Note); err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s is closed: %s\n", c.ID, c.Outcome)
		return &audit.Act{Action: audit.Decision, Object: c.ID.String(), Count: 1, Detail: map[string]string{"outcome": c.Outcome, "note": c.Note}}, nil
	})
}

// AlertFeedbackCmd writes a department's feedback.
type AlertFeedbackCmd struct {
	workFlags
	Source    string `required:"" help:"The source whose alerts are closed." placeholder:"NAME"`
	Out       string `required:"" type:"path" help:"The workbook to write; it must not exist." placeholder:"FILE"`
	Again     bool   `help:"What the department has been told already too."`
	Unmasked  bool   `help:"Identity numbers in full; needs --by and --reason."`
	Reason    string `help:"Why; kept in the audit log." placeholder:"TEXT"`
	Recipient string `help:"Who gets it; kept in the audit log." placeholder:"TEXT"`
}

func (c *AlertFeedbackCmd) Run(o *Output) error {
	if c.Unmasked && (c.By == "" || c.Reason == "") {
		return &SignError{Why: "by"}
	}
	return c.work(o, func(ctx context.Context, of *office.Office, by uuid.UUID) (*audit.Act, error) {
		list, err := alerts.FeedbackFor(ctx, of.Replica, c.Source, c.Again)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			fmt.Fprintf(o.Out, "nothing to tell: no closed alerts of %s that the department does not know\n", c.Source)
			return nil, nil
		}
		digest := sha256.New()
		if _, err := writeOutput(of.World, c.Out, func(w io.Writer) error { return writeFeedback(io.MultiWriter(w, digest), list, c.Unmasked) }); err != nil {
			return nil, err
		}
		if err := alerts.FedBack(ctx, of.Replica, by, of.World.Now(), list); err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Out, "%s: %d rows for %s\n", filepath.Base(c.Out), len(list), c.Source)
		act := &audit.Act{Action: audit.Export, Object: "feedback/" + c.Source, Count: int64(len(list)), Detail: map[string]string{"reason": c.Reason, "recipient": c.Recipient, "sha256": hex.EncodeToString(digest.Sum(nil))}}
		return act, nil
	})
}

// writeFeedback names the row of the department's own list, so that it finds the
// case even where the number is masked.
func writeFeedback(w io.Writer, list []alerts.Feedback, unmasked bool) error {
	f := excelize.NewFile()
	defer f.Close()
	if err := f.SetSheetName("Sheet1", "核查反馈"); err != nil {
		return err
	}
	rows := [][]any{{"来源文件", "行号", "姓名", "证件号码", "事项", "核查结果", "说明", "办结日期"}}
	for _, l := range list {
		number := l.Number
		if !unmasked && len(number) == 18 {
			number = number[:6] + "********" + number[14:]
		}
		rows = append(rows, []any{l.List, l.Row, l.Name, number, l.Kind, l.Outcome, l.Note, l.Date})
	}
	for i, row := range rows {
		if err := f.SetSheetRow("核查反馈", fmt.Sprintf("A%d", i+1), &row); err != nil {
			return err
		}
	}
	for column, width := range map[string]float64{"A": 28, "B": 8, "C": 12, "D": 22, "E": 20, "F": 24, "G": 32, "H": 12} {
		if err := f.SetColWidth("核查反馈", column, column, width); err != nil {
			return err
		}
	}
	bold, err := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	if err != nil {
		return err
	}
	if err := f.SetCellStyle("核查反馈", "A1", "H1", bold); err != nil {
		return err
	}
	return f.Write(w)
}
