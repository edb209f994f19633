package cmd_test

import (
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The rooms of the house from the top down. A room may import the rooms below
// it and its own, never one above.
var rooms = []string{
	"cmd",
	"app/desktop",
	"app/console",
	"app/export",
	"app/compare",
	"app/practice",
	"app/words",
	"app/casework",
	"sync",
	"store",
	"forms",
	"assets",
}

// forbidden lists imports that are wrong whatever the order of the rooms, each
// with the reason, so that a wrong import explains itself.
var forbidden = []struct {
	who, what string // package path prefixes, without the module's name
	except    string
	reason    string
}{
	{"", "ironfeet/app/desktop", "cmd/ironfeet", "only the Fyne program shows screens"},
	{"", "fyne.io/fyne/v2/app", "cmd/ironfeet", "whatever imports the driver needs cgo and a display to build"},
	{"app/casework", "fyne.io/", "", "a screen is one face of the work"},
	{"app/casework", "net/http", "", "the web is one face of the work"},
	{"app/export", "fyne.io/", "", "exports run on servers"},
	{"app/compare", "fyne.io/", "", "comparison runs on servers"},
	{"cmd/ironfeetd", "fyne.io/", "", "the server builds without cgo"},
	{"forms", "database/sql", "", "a form knows nothing of storage"},
	{"forms", "net/http", "", "a form is filled where no network is"},
	{"store", "net/http", "", "the replica does not know how changes travel"},
}

func room(pkg string) int {
	for i, name := range rooms {
		if pkg == name || strings.HasPrefix(pkg, name+"/") {
			return i
		}
	}
	return -1
}

// imports returns, for every package of the module, what it imports itself.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-tags", "ci", "-f", `{{.ImportPath}} {{join .Imports ","}}`, "ironfeet/...").Output()
	require.NoError(t, err)
	all := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		pkg, list, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[strings.TrimPrefix(pkg, "ironfeet/")] = strings.Split(list, ",")
	}
	return all
}

func TestArrowsPointDownwards(t *testing.T) {
	all := imports(t)
	require.NotEmpty(t, all)
	for _, fault := range wrongArrows(all) {
		t.Error(fault)
	}
}

// wrongArrows says every import that runs the wrong way.
func wrongArrows(all map[string][]string) (faults []string) {
	for pkg, list := range all {
		from := room(pkg)
		if from < 0 {
			faults = append(faults, pkg+" stands in no room of design.md §2")
			continue
		}
		for _, imported := range list {
			if own, ok := strings.CutPrefix(imported, "ironfeet/"); ok && room(own) < from {
				faults = append(faults, pkg+" imports "+own+": arrows run downwards only")
			}
			for _, rule := range forbidden {
				if !within(pkg, rule.who) || rule.except != "" && within(pkg, rule.except) {
					continue
				}
				if rule.what == "ironfeet/app/desktop" && within(pkg, "app/desktop") {
					continue
				}
				if strings.HasSuffix(rule.what, "/") && strings.HasPrefix(imported, rule.what) || within(imported, rule.what) {
					faults = append(faults, pkg+" imports "+imported+": "+rule.reason)
				}
			}
		}
	}
	return faults
}

func within(pkg, prefix string) bool {
	return prefix == "" || pkg == prefix || strings.HasPrefix(pkg, path.Clean(prefix)+"/")
}

func TestAWrongArrowIsNoticed(t *testing.T) {
	for _, test := range []struct{ name, pkg, imported, says string }{
		{"a lower room imports a higher one", "store", "ironfeet/sync/bundle", "arrows run downwards only"},
		{"the forms room imports storage", "forms", "database/sql", "knows nothing of storage"},
		{"a screen is imported by the work", "app/casework/visit", "fyne.io/fyne/v2/widget", "a screen is one face of the work"},
		{"the desktop is imported by the server", "cmd/ironfeetd", "ironfeet/app/desktop/screens", "only the Fyne program shows screens"},
		{"the driver is imported by a view", "app/desktop/screens", "fyne.io/fyne/v2/app", "needs cgo"},
		{"a package outside the rooms", "util", "fmt", "stands in no room"},
	} {
		t.Run(test.name, func(t *testing.T) {
			faults := wrongArrows(map[string][]string{test.pkg: {test.imported}})
			require.NotEmpty(t, faults)
			require.Contains(t, strings.Join(faults, "\n"), test.says)
		})
	}
	require.Empty(t, wrongArrows(map[string][]string{
		"cmd/ironfeet":  {"fyne.io/fyne/v2/app", "ironfeet/app/desktop"},
		"sync/merge":    {"ironfeet/store"},
		"app/desktop/x": {"ironfeet/app/desktop/theme"},
	}))
}
