package console

import (
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"ironfeet/app/export"
	"ironfeet/app/words"
	"ironfeet/forms/xlsform"
	"ironfeet/store"
)

// functions are what templates may call.
func functions(say *words.Speaker) template.FuncMap {
	return template.FuncMap{
		"t":    func(key string, parts ...any) string { return say.Say(key, first(parts)) },
		"has":  say.Has,
		"day":  func(t time.Time) string { return shown(t, time.DateOnly) },
		"time": func(t time.Time) string { return shown(t, "2006-01-02 15:04") },
		"size": sizeText,
		"mask": maskName,
		// Names come from the field: what would turn the writing around is taken out.
		"plain":     export.Plain,
		"maskID":    export.MaskID,
		"maskPhone": export.MaskPhone,
		"hex":       func(b []byte) string { return fmt.Sprintf("%x", b[:min(len(b), 8)]) },
		"base":      func() string { return Base },
		"join":      strings.Join,
		"list":      func(items ...string) []string { return items },
		"percent": func(n, of int) string {
			if of == 0 {
				return "–"
			}
			return fmt.Sprintf("%d%%", n*100/of)
		},
		"yuan": func(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) },
	}
}

func first(parts []any) any {
	if len(parts) == 0 {
		return nil
	}
	return parts[0]
}

func shown(t time.Time, layout string) string {
	if t.IsZero() || t.Unix() <= 0 {
		return "–"
	}
	return t.Local().Format(layout)
}

func maskName(s string) string { return export.MaskName(export.Plain(s)) }

func sizeText(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprintf("%d B", n)
	case n < 10_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 10_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

// codes are the words for codes, list by list, as the published forms have them in
// a language.
type codes map[string]map[string]string

func (c codes) say(list, code string) string {
	if l := c[list][code]; l != "" {
		return l
	}
	return code
}

// codes reads the choices of every published form; the newest form's word counts.
func (c *Console) codes(ctx context.Context, lang string) codes {
	out := codes{}
	published, err := c.Office.Replica.Entities(ctx, store.Query{Kind: store.Form})
	if err != nil {
		return out // codes are shown as they stand
	}
	slices.SortFunc(published, func(a, b *store.Entity) int { return strings.Compare(a.Text("version"), b.Text("version")) })
	for _, e := range published {
		c.figures.mu.Lock()
		read, ok := c.figures.words[e.ID.String()+e.Text("version")+lang]
		c.figures.mu.Unlock()
		if !ok {
			read = choices(e, lang)
			c.figures.mu.Lock()
			c.figures.words[e.ID.String()+e.Text("version")+lang] = read
			c.figures.mu.Unlock()
		}
		for list, words := range read {
			if out[list] == nil {
				out[list] = map[string]string{}
			}
			for code, word := range words {
				out[list][code] = word
			}
		}
	}
	return out
}

func choices(form *store.Entity, lang string) codes {
	out := codes{}
	tables, _ := xlsform.ReadTables(form.Text("name"), form.Fields["workbook"].Bytes())
	if tables == nil || tables.Sheet("choices") == nil {
		return out
	}
	sheet := tables.Sheet("choices")
	list, name, label := -1, -1, -1
	for i, h := range sheet.Header {
		switch h = strings.ToLower(strings.ReplaceAll(h, " ", "_")); {
		case h == "list_name":
			list = i
		case h == "name" || h == "value":
			name = i
		case strings.HasPrefix(h, "label") && (label < 0 || strings.Contains(h, "("+lang+")")):
			label = i
		}
	}
	if list < 0 || name < 0 || label < 0 {
		return out
	}
	for _, r := range sheet.Rows {
		if out[r.Cell(list)] == nil {
			out[r.Cell(list)] = map[string]string{}
		}
		out[r.Cell(list)][r.Cell(name)] = r.Cell(label)
	}
	return out
}
