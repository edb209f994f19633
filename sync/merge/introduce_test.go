package merge_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// A county's server that was restored as another node introduces itself: its first
// bundle brings the root's word for it. Nobody else can.
func TestARestoredCountyIntroducesItself(t *testing.T) {
	for _, test := range []struct {
		name    string
		role    trust.Role
		subject byte // who is certified
		key     byte // who signs
		status  merge.Status
	}{
		{"the root's word for a county node", trust.County, 0x77, 0x77, merge.StatusNew},
		{"a tablet's own word for itself", trust.Worker, 0x77, 0x77, merge.StatusWaiting},
		{"another's certificate", trust.County, 0x78, 0x77, merge.StatusWaiting},
		{"signed by somebody else", trust.County, 0x77, 0x78, merge.StatusWaiting},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newField(t, "ca")
			f.play("c -> a")
			cert, err := f.root.Certify(trust.Certificate{
				Subject: id(test.subject), What: trust.ForNode, Name: "县服务器（恢复）", Key: pubOf(keyOf(0x77)), Role: test.role,
				Scope: []string{county}, From: start.AddDate(-1, 0, 0), Until: start.AddDate(1, 0, 0),
			})
			require.NoError(t, err)
			e := trust.CertificateEdit(cert, county)
			e.Entity = id(0x77)
			var changes []store.Change
			for seq := uint64(1); seq <= 2; seq++ { // and a word of its own behind it
				c := store.Change{ChangeID: store.ChangeID{Node: id(0x77), Seq: seq}, Clock: store.Clock(f.now.UnixMilli()) << 16, Author: id(0x77), Kind: e.Kind, Entity: e.Entity, Division: county}
				for name, v := range e.Fields {
					c.Fields = append(c.Fields, store.Field{Name: name, Value: v})
				}
				if seq == 2 {
					c.Kind, c.Entity, c.Fields = store.Task, uuid.UUID{0: 5}, []store.Field{{Name: "state", Value: store.Text("open")}}
				}
				slices.SortFunc(c.Fields, func(a, b store.Field) int { return strings.Compare(a.Name, b.Name) })
				if c.Raw, err = store.EncodeChange(&c); err != nil {
					t.Fatal(err)
				}
				changes = append(changes, c)
			}
			b, err := bundle.Seal(keyOf(test.key), store.Tip{}, county, trust.Audience(store.Node), changes)
			require.NoError(t, err)
			outcome := f.take(f.nodes["a"], bundle.Encode(b))[0]
			require.Equal(t, test.status, outcome.Status, "%v", outcome.Reason)
			roll, err := f.nodes["a"].merger.Roll(ctx)
			require.NoError(t, err)
			_, known := roll.Node(id(0x77))
			require.Equal(t, test.status == merge.StatusNew, known)
		})
	}
}
