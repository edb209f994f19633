package store

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// A snapshot that was cut off or altered is an error and never a panic, neither when
// it is read nor when something is looked for in it.
func FuzzReadSnapshot(f *testing.F) {
	x := newIndex()
	for i := range byte(3) {
		home := uuid.UUID{0: 1, 15: i}
		x.put(entry{id: home, home: home, household: true, name: "韦大山", division: "459921100201", state: "edge", numbers: []string{"13800000000"}, places: []string{"上岭村"}, readings: readings("韦大山")})
		x.put(entry{id: uuid.UUID{0: 2, 15: i}, home: home, name: "覃英", readings: readings("覃英")})
	}
	f.Add(x.append(nil))
	f.Add([]byte{snapshotVersion})
	f.Add(newIndex().append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := newIndex()
		if x.read(b) != nil {
			return
		}
		r := &Replica{find: x}
		for _, typed := range []string{"韦", "w", "wei", "0", "上"} {
			_, err := r.Find(t.Context(), typed, 3)
			require.NoError(t, err)
		}
		x.put(entry{id: uuid.UUID{0: 9}, home: uuid.UUID{0: 9}, household: true, name: "新"})
		x.compact()
		again := newIndex()
		require.NoError(t, again.read(x.append(nil)))
	})
}
