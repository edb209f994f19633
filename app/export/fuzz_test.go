package export_test

import (
	"testing"

	"ironfeet/app/export"
	"ironfeet/assets/yunqi"
)

// FuzzReadTemplate: whatever a county uploads is read or refused with its cells,
// never a panic, and a template that is taken writes.
func FuzzReadTemplate(f *testing.F) {
	f.Add(yunqi.Template())
	f.Add([]byte(template))
	f.Add([]byte("## 列\n\n| 列名 | 取值 |\n| --- | --- |\n| 甲 | count(/members[age > 5]) |\n"))
	f.Add([]byte("PK\x03\x04"))
	fields := export.Fields{Household: map[string]bool{"name": true}, Member: map[string]bool{"name": true}, Visit: map[string]bool{"water": true}}
	f.Fuzz(func(t *testing.T, data []byte) {
		tpl, report := export.ReadTemplate("x.md", data, fields)
		if (tpl == nil) == report.OK() {
			t.Fatal("taken with errors, or refused without one")
		}
	})
}
