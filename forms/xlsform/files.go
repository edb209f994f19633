package xlsform

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// fileKinds are the kinds of files that select_one_from_file, pulldata and
// instance() may name, each with its reader and the columns that are a choice's
// value and label unless the parameters value and label say otherwise (ODK,
// “Selects from files”).
var fileKinds = map[string]struct {
	read         func(data []byte, g *grid) error
	value, label string
}{
	".csv":     {readCSV, "name", "label"},
	".xml":     {readXMLList, "name", "label"},
	".geojson": {readGeoJSON, "id", "title"},
}

// file reads a list that lies beside the form, or in the workbook as a sheet.
func (d *definer) file(name string, p Problem) *List {
	if l := d.def.Files[name]; l != nil {
		return l
	}
	l := &List{Name: name}
	d.def.Files[name] = l
	p.Got = name
	kind, known := fileKinds[strings.ToLower(path.Ext(name))]
	table := d.tables.Sheet(name)
	if table == nil {
		if !known {
			p.Code = "form.file_kind"
			d.report.Warn(problem(p))
			return l
		}
		for _, fsys := range d.beside {
			data, err := readLimited(fsys, path.Base(name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			g := &grid{name: name, report: &d.report}
			if err == nil {
				err = kind.read(data, g)
			}
			if err != nil {
				p.Code, p.Got, p.Other = "form.bad_file", name, err.Error()
				d.report.Warn(problem(p))
			}
			table = g.table()
			break
		}
	}
	if table == nil {
		p.Code = "form.file_missing"
		d.report.Warn(problem(p))
		return l
	}
	l.Columns = table.Header
	l.ValueAt, l.LabelAt = indexOf(table.Header, kind.value), indexOf(table.Header, kind.label)
	if l.ValueAt < 0 {
		l.ValueAt = indexOf(table.Header, "name")
	}
	if l.LabelAt < 0 {
		l.LabelAt = max(l.ValueAt, 0)
	}
	for _, r := range table.Rows {
		c := Choice{Row: r.Number, Values: make([]string, len(table.Header))}
		for i := range table.Header {
			c.Values[i] = r.Cell(i)
		}
		if l.ValueAt >= 0 {
			c.Name = r.Cell(l.ValueAt)
		}
		c.Label = Text{In: make([]string, len(d.langs.list))}
		c.Label.In[0] = r.Cell(l.LabelAt)
		l.Choices = append(l.Choices, c)
	}
	return l
}

// has says whether a file lies beside the form, or in the workbook.
func (d *definer) has(name string) bool {
	if d.tables.Sheet(name) != nil || d.def.Files[name] != nil {
		return true
	}
	return slices.ContainsFunc(d.beside, func(fsys fs.FS) bool {
		_, err := fs.Stat(fsys, path.Base(name))
		return err == nil
	})
}

// A filler puts records with named columns into a grid: a column is added where a
// name is first met.
type filler struct {
	g       *grid
	columns map[string]int
	rows    [][]string
}

func (f *filler) set(row int, column, value string) {
	at, ok := f.columns[column]
	if !ok {
		at = len(f.columns)
		f.columns[column] = at
	}
	for len(f.rows[row]) <= at {
		f.rows[row] = append(f.rows[row], "")
	}
	f.rows[row][at] = value
}

func (f *filler) add() (row int, err error) {
	if len(f.rows) >= maxRows {
		return 0, errTooManyRows
	}
	f.rows = append(f.rows, nil)
	return len(f.rows) - 1, nil
}

// finish hands everything over, the heading first.
func (f *filler) finish() {
	head := make([]string, len(f.columns))
	for name, i := range f.columns {
		head[i] = name
	}
	for i, r := range append([][]string{head}, f.rows...) {
		for j, cell := range r {
			f.g.set(j, i+1, cell)
		}
	}
}

// readGeoJSON reads a FeatureCollection (RFC 7946 §3.3): the properties are
// columns, id is the feature's own or its property, and geometry is a point, trace
// or shape as ODK writes one.
func readGeoJSON(data []byte, g *grid) error {
	var in struct {
		Type     string `json:"type"`
		Features []struct {
			ID         any            `json:"id"`
			Properties map[string]any `json:"properties"`
			Geometry   struct {
				Type        string          `json:"type"`
				Coordinates json.RawMessage `json:"coordinates"`
			} `json:"geometry"`
		} `json:"features"`
	}
	text, err := decodeText(data)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&in); err != nil {
		return err
	}
	if in.Type != "FeatureCollection" {
		return fmt.Errorf("it is a %q, not a FeatureCollection", in.Type)
	}
	f := filler{g: g, columns: map[string]int{}}
	for _, x := range in.Features {
		row, err := f.add()
		if err != nil {
			return err
		}
		if x.ID != nil {
			f.set(row, "id", fmt.Sprint(x.ID))
		}
		names := make([]string, 0, len(x.Properties))
		for name := range x.Properties {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			switch v := x.Properties[name].(type) {
			case nil, map[string]any, []any:
			default:
				f.set(row, name, fmt.Sprint(v))
			}
		}
		f.set(row, "geometry", odkGeometry(x.Geometry.Type, x.Geometry.Coordinates))
	}
	f.finish()
	return nil
}

// odkGeometry writes coordinates as ODK does: "lat lon alt accuracy", points
// parted by ";". GeoJSON has longitude first.
func odkGeometry(kind string, raw json.RawMessage) string {
	var points [][]float64
	switch kind {
	case "Point":
		var p []float64
		if json.Unmarshal(raw, &p) == nil {
			points = [][]float64{p}
		}
	case "LineString":
		_ = json.Unmarshal(raw, &points)
	case "Polygon":
		var rings [][][]float64
		if json.Unmarshal(raw, &rings) == nil && len(rings) > 0 {
			points = rings[0]
		}
	}
	var out []string
	for _, p := range points {
		if len(p) < 2 {
			return ""
		}
		alt := 0.0
		if len(p) > 2 {
			alt = p[2]
		}
		number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
		out = append(out, number(p[1])+" "+number(p[0])+" "+number(alt)+" 0")
	}
	return strings.Join(out, ";")
}

// maxXMLDepth bounds how deep an XML list may be nested: root, item, column.
const maxXMLDepth = 32

// readXMLList reads a secondary instance (ODK XForms, “Secondary Instances -
// External”): the elements below the root are rows, their elements columns.
func readXMLList(data []byte, g *grid) error {
	text, err := decodeText(data)
	if err != nil {
		return err
	}
	dec := xml.NewDecoder(bytes.NewReader([]byte(text)))
	dec.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // it is UTF-8 by now
	f := filler{g: g, columns: map[string]int{}}
	depth, row := 0, -1
	var column string
	var value strings.Builder
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > maxXMLDepth {
				return fmt.Errorf("elements are nested more than %d deep", maxXMLDepth)
			}
			switch depth {
			case 2:
				if row, err = f.add(); err != nil {
					return err
				}
			case 3:
				column = t.Name.Local
				value.Reset()
			}
		case xml.EndElement:
			if depth == 3 {
				f.set(row, column, value.String())
			}
			depth--
		case xml.CharData:
			if depth == 3 && value.Len() <= maxCell {
				value.Write(t)
			}
		}
	}
	if len(f.rows) == 0 {
		return errors.New("no rows below the root element")
	}
	f.finish()
	return nil
}
