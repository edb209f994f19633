package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// AT-REST.md lists every column of every table: sealed, or plain with the reason.
// One that is added without a word there is found here.
func TestEveryPlainColumnIsListedWithItsReason(t *testing.T) { // invariant 7
	text, err := os.ReadFile("AT-REST.md")
	require.NoError(t, err)
	listed := map[string]string{} // table.column -> reason or "sealed"
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || !strings.HasPrefix(line, "| `") {
			continue
		}
		table := strings.Trim(cells[0], " `")
		for name := range strings.SplitSeq(cells[1], ",") {
			listed[table+"."+strings.Trim(name, " `")] = strings.TrimSpace(cells[2])
		}
	}
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	require.NoError(t, r.Close())
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "replica.db"))
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.Query(`SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`)
	require.NoError(t, err)
	defer rows.Close()
	found := 0
	for rows.Next() {
		var table, column string
		require.NoError(t, rows.Scan(&table, &column))
		name := table + "." + column
		require.NotEmpty(t, listed[name], "%s is not in AT-REST.md", name)
		delete(listed, name)
		found++
	}
	require.NoError(t, rows.Err())
	require.Greater(t, found, 40)
	require.Empty(t, listed, "AT-REST.md lists what is not there")
}
