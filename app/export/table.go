package export

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"ironfeet/store"
)

// Options say who is meant to read a table.
type Options struct {
	Unmasked bool   // needs a Reason
	Reason   string // why personal data leave in full
	Day      time.Time
}

// ErrNoReason means an unmasked export was asked for without saying why.
var ErrNoReason error = noReason{}

type noReason struct{}

func (noReason) Error() string {
	return "an unmasked export needs a reason, which is kept with the export"
}
func (noReason) Code() string { return "export.no_reason" }

// Count is what a table came to.
type Count struct{ Households, Members, MinorsLeftOut int }

func (o Options) check() error {
	if o.Unmasked && strings.TrimSpace(o.Reason) == "" {
		return ErrNoReason
	}
	return nil
}

func (o Options) value(c Column, r Record, m *store.Entity) string {
	v := c.Of(r, m)
	if c.Mask != nil && !o.Unmasked {
		v = c.Mask(v)
	}
	return v
}

// harmless keeps a spreadsheet from reading a name as a formula (CSV injection).
func harmless(v string) string {
	if v != "" && strings.ContainsRune("=+-@\t\r", rune(v[0])) {
		return "'" + v
	}
	return v
}

// rows calls household for every record and member for every adult of it.
func rows(records []Record, o Options, household func(Record) error, member func(Record, *store.Entity) error) (n Count, err error) {
	if err := o.check(); err != nil {
		return n, err
	}
	for _, r := range records {
		n.Households++
		if err := household(r); err != nil {
			return n, err
		}
		for _, m := range r.Members {
			if minor(m, o.Day) {
				n.MinorsLeftOut++
				continue
			}
			n.Members++
			if err := member(r, m); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// XLSX writes a workbook with the sheets 户 and 成员. Every cell is text, so that
// an 18-digit number stays what it is in Excel and WPS.
func XLSX(w io.Writer, records []Record, o Options) (Count, error) {
	f := excelize.NewFile()
	defer f.Close()
	if err := f.SetSheetName("Sheet1", "户"); err != nil {
		return Count{}, err
	}
	if _, err := f.NewSheet("成员"); err != nil {
		return Count{}, err
	}
	bold, err := f.NewStyle(&excelize.Style{
		Font: &excelize.Font{Bold: true}, NumFmt: 49,
		Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"E3EEE8"}},
	})
	if err != nil {
		return Count{}, err
	}
	text, err := f.NewStyle(&excelize.Style{NumFmt: 49})
	if err != nil {
		return Count{}, err
	}
	sheet := func(name string, columns []Column) (func(Record, *store.Entity) error, *excelize.StreamWriter, error) {
		s, err := f.NewStreamWriter(name)
		if err != nil {
			return nil, nil, err
		}
		if err := s.SetColWidth(1, len(columns), 20); err != nil {
			return nil, nil, err
		}
		if err := s.SetPanes(&excelize.Panes{Freeze: true, YSplit: 1, TopLeftCell: "A2", ActivePane: "bottomLeft"}); err != nil {
			return nil, nil, err
		}
		head := make([]any, len(columns))
		for i, c := range columns {
			head[i] = excelize.Cell{StyleID: bold, Value: c.Head}
		}
		if err := s.SetRow("A1", head); err != nil {
			return nil, nil, err
		}
		at := 1
		return func(r Record, m *store.Entity) error {
			at++
			cells := make([]any, len(columns))
			for i, c := range columns {
				cells[i] = excelize.Cell{StyleID: text, Value: harmless(o.value(c, r, m))}
			}
			return s.SetRow(fmt.Sprintf("A%d", at), cells)
		}, s, nil
	}
	household, s1, err := sheet("户", Households)
	if err != nil {
		return Count{}, err
	}
	member, s2, err := sheet("成员", Members)
	if err != nil {
		return Count{}, err
	}
	n, err := rows(records, o, func(r Record) error { return household(r, nil) }, member)
	if err != nil {
		return n, err
	}
	for _, s := range []*excelize.StreamWriter{s1, s2} {
		if err := s.Flush(); err != nil {
			return n, err
		}
	}
	return n, f.Write(w)
}

// CSV writes the table of households in UTF-8 with a byte order mark, which Excel
// and WPS need to read Chinese. Members are in XLSX and JSON Lines.
func CSV(w io.Writer, records []Record, o Options) (Count, error) {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return Count{}, err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	line := make([]string, len(Households))
	for i, c := range Households {
		line[i] = c.Head
	}
	if err := out.Write(line); err != nil {
		return Count{}, err
	}
	n, err := rows(records, o, func(r Record) error {
		for i, c := range Households {
			line[i] = harmless(o.value(c, r, nil))
			if o.Unmasked && isLongNumber(line[i]) {
				line[i] = "\t" + line[i] // a tab keeps a spreadsheet from rounding it
			}
		}
		return out.Write(line)
	}, func(Record, *store.Entity) error { return nil })
	if err != nil {
		return n, err
	}
	out.Flush()
	return n, out.Error()
}

func isLongNumber(s string) bool {
	if len(s) < 12 {
		return false
	}
	return strings.Trim(s[:len(s)-1], "0123456789") == ""
}

// JSONLines writes one household a line, its adult members inside.
func JSONLines(w io.Writer, records []Record, o Options) (Count, error) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	object := func(columns []Column, r Record, m *store.Entity) map[string]any {
		out := map[string]any{}
		for _, c := range columns {
			out[c.Head] = o.value(c, r, m)
		}
		return out
	}
	var (
		current map[string]any
		people  []any
	)
	flush := func() error {
		if current == nil {
			return nil
		}
		current["成员"] = people
		return enc.Encode(current)
	}
	n, err := rows(records, o, func(r Record) error {
		if err := flush(); err != nil {
			return err
		}
		current, people = object(Households, r, nil), []any{}
		return nil
	}, func(r Record, m *store.Entity) error {
		people = append(people, object(Members, r, m))
		return nil
	})
	if err != nil {
		return n, err
	}
	return n, flush()
}
