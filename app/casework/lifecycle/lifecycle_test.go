package lifecycle_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/alerts"
	"ironfeet/app/casework/lifecycle"
	"ironfeet/app/casework/needs"
	"ironfeet/app/casework/notice"
	"ironfeet/app/casework/opinion"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/sync/trust"
)

// Every life cycle is drawn where a reader meets it, and the drawing is the
// table: a move that is added, dropped or given to another role shows here.
func TestDrawingsAreTheTables(t *testing.T) {
	for _, test := range []struct {
		file  string
		table lifecycle.Table
	}{
		{"../tasks/tasks.go", tasks.LifeCycle},
		{"../review/states.go", review.LifeCycle},
		{"../notice/notice.go", notice.LifeCycle},
		{"../opinion/opinion.go", opinion.LifeCycle},
		{"../alerts/alerts.go", alerts.LifeCycle},
		{"../needs/needs.go", needs.LifeCycle},
	} {
		t.Run(test.table.Name, func(t *testing.T) {
			source, err := os.ReadFile(test.file)
			require.NoError(t, err)
			var drawn strings.Builder
			for line := range strings.Lines(string(source)) {
				if arrow, ok := strings.CutPrefix(line, "//\t"); ok && strings.Contains(arrow, " -> ") {
					drawn.WriteString(arrow)
				}
			}
			require.Equal(t, test.table.Draw(), drawn.String())
		})
	}
}

func TestAMoveIsRefusedWithWhatIsPossible(t *testing.T) {
	for _, test := range []struct {
		name, from, to string
		by             trust.Role
		next           []string // nil: the move is allowed
	}{
		{"a worker finishes an open task", tasks.Open, tasks.Done, trust.Worker, nil},
		{"a worker cannot cancel", tasks.Open, tasks.Cancelled, trust.Worker, []string{tasks.Done}},
		{"a township opens a finished task again", tasks.Done, tasks.Open, trust.Township, nil},
		{"a worker cannot open a finished task again", tasks.Done, tasks.Open, trust.Worker, []string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := tasks.LifeCycle.May(test.from, test.to, test.by)
			if test.next == nil {
				require.NoError(t, err)
				return
			}
			var refused *lifecycle.MoveError
			require.ErrorAs(t, err, &refused)
			require.ElementsMatch(t, test.next, refused.Next)
		})
	}
}
