package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
)

// family writes a household and its members, who are names with ID numbers.
func family(t require.TestingT, r *store.Replica, n byte, division, state, address string, people ...string) {
	h := uuid.UUID{0: 1, 15: n}
	name, _, _ := strings.Cut(people[0], " ")
	edits := []store.Edit{{Kind: store.Household, Entity: h, Division: division, Fields: map[string]store.Value{
		"name": store.Text(name), "address": store.Text(address), "state": store.Text(state), "phone": store.Text(fmt.Sprintf("1380000%04d", n))}}}
	for i, p := range people {
		name, id, _ := strings.Cut(p, " ")
		edits = append(edits, store.Edit{Kind: store.Member, Entity: uuid.UUID{0: 2, 14: byte(i), 15: n}, Division: division, Fields: map[string]store.Value{
			"parent": store.Text(h.String()), "name": store.Text(name), "id_no": store.Text(id)}})
	}
	_, err := r.Write(context.Background(), uuid.Nil, edits...)
	require.NoError(t, err)
}

func names(found []store.Found) string {
	var list []string
	for _, f := range found {
		list = append(list, f.Label)
	}
	return strings.Join(list, " ")
}

func TestWhatALookUpFinds(t *testing.T) {
	ctx := context.Background()
	r := node(t, 1)
	const next = "459921100202"
	family(t, r, 1, village, "dibao", "上岭村3组", "韦大山 459921195203150013", "覃秀英 459921195408120021")
	family(t, r, 2, village, "edge", "上岭村5组", "韦大 459921196807070027")
	family(t, r, 3, next, "dibao", "下岭村1组", "小韦大 45992119770815019X", "乐重阳 459921200101010018")
	family(t, r, 4, next, "", "下岭村2组", "单志强 459921195001010011")
	family(t, r, 5, next, "", "下岭村3组", "曾玉兰 459921195001010038", "吕布 459921195001010054")
	for _, test := range []struct{ typed, found, why string }{
		{"韦大", "韦大 韦大山 小韦大", "the whole name, then its beginning, then within"},
		{"weida", "韦大 韦大山 小韦大", "full pinyin ranks like the name"},
		{"wds", "韦大山", "initials"},
		{"wd", "韦大 韦大山 小韦大", "initials rank too"},
		{"wei da shan", "韦大山", "spaces between syllables"},
		{"WDS", "韦大山", "capital letters"},
		{"ｗｄｓ", "韦大山", "full-width letters"},
		{"dan", "单志强", "the dictionary's reading of 单"},
		{"shanzhiqiang", "单志强", "the family's reading of 单"},
		{"dzq", "单志强", "and its initials"},
		{"ceng", "曾玉兰", "the dictionary's reading of 曾"},
		{"zengyulan", "曾玉兰", "the family's"},
		{"yuechongyang", "小韦大", "乐 as a surname; a member leads to the household"},
		{"lezhongyang", "小韦大", "both characters in their other reading"},
		{"lvbu", "曾玉兰", "ü as it is typed"},
		{"lyubu", "曾玉兰", "ü as in a passport"},
		{"0013", "韦大山", "last digits of an ID number"},
		{"019x", "小韦大", "with its X"},
		{"０１９Ｘ", "小韦大", "in full width"},
		{"0004", "单志强", "last digits of a phone"},
		{"459921195203150013", "韦大山", "a whole number"},
		{"45992119", "", "first digits are everybody's"},
		{"秀英", "韦大山", "a given name of a member"},
		{"上岭", "韦大 韦大山", "a village, by name"},
		{"下岭村 韦", "小韦大", "a village and a surname"},
		{"韦 覃", "韦大山", "two people of one household"},
		{"韦 0013", "韦大山", "a surname and last digits"},
		{"没有", "", "nothing"},
		{"  ", "", "blanks"},
		{"\n", "", "a line feed"},
		{"%", "", "signs mean nothing"},
	} {
		found, err := r.Find(ctx, test.typed, 5)
		require.NoError(t, err)
		require.Equal(t, test.found, names(found), "%q: %s", test.typed, test.why)
	}
	for _, test := range []struct {
		search store.Search
		found  string
	}{
		{store.Search{Text: "韦", Division: next}, "小韦大"},
		{store.Search{Text: "韦", State: "dibao"}, "韦大山 小韦大"},
		{store.Search{Division: village}, "韦大 韦大山"},
		{store.Search{Division: next, State: "dibao"}, "小韦大"},
		{store.Search{State: "dibao", Limit: 1}, "韦大山"},
		{store.Search{Text: "韦大", Limit: 2}, "韦大 韦大山"},
		{store.Search{}, ""},
	} {
		found, err := r.Search(ctx, test.search)
		require.NoError(t, err)
		require.Equal(t, test.found, names(found), "%+v", test.search)
	}
	found, err := r.Find(ctx, "秀英", 1)
	require.NoError(t, err)
	require.Equal(t, "覃秀英", found[0].Matched)
	people, err := r.FindID(ctx, "459921196807070027")
	require.NoError(t, err)
	require.Len(t, people, 1)
}

// The look-up follows every change at once: a new name, another household, a
// deletion, and a deletion taken back.
func TestTheLookUpFollowsChanges(t *testing.T) {
	ctx := context.Background()
	r := node(t, 1)
	family(t, r, 1, village, "", "上岭村", "韦大山 459921195203150013", "覃秀英 459921195408120021")
	family(t, r, 2, village, "", "上岭村", "黄三 459921196807070027")
	home, member := uuid.UUID{0: 1, 15: 1}, uuid.UUID{0: 2, 14: 1, 15: 1}
	set := func(kind store.Kind, id uuid.UUID, field string, v store.Value) {
		_, err := r.Write(ctx, uuid.Nil, store.Edit{Kind: kind, Entity: id, Division: village, Fields: map[string]store.Value{field: v}})
		require.NoError(t, err)
	}
	find := func(text string) string {
		found, err := r.Find(ctx, text, 5)
		require.NoError(t, err)
		return names(found)
	}
	set(store.Household, home, "name", store.Text("韦大海"))
	require.Equal(t, "韦大海", find("wdh"))
	require.Empty(t, find("韦大海山"))
	set(store.Member, member, "parent", store.Text(uuid.UUID{0: 1, 15: 2}.String()))
	require.Equal(t, "黄三", find("覃秀英"), "moved to another household")
	set(store.Member, member, "id_no", store.Text("459921195408120099"))
	require.Empty(t, find("120021"))
	people, err := r.FindID(ctx, "459921195408120021")
	require.NoError(t, err)
	require.Empty(t, people)
	label, _, ok := r.Label(home)
	require.True(t, ok)
	require.Equal(t, "韦大海", label)
	set(store.Household, home, store.Deleted, store.Bool(true))
	require.Empty(t, find("韦大海"))
	_, _, ok = r.Label(home)
	require.False(t, ok)
	set(store.Household, home, store.Deleted, store.Null())
	require.Equal(t, "韦大海", find("韦大海"))
	for n := range 1100 { // buffers are made anew on the way
		set(store.Household, home, "phone", store.Text(fmt.Sprintf("139%08d", n)))
	}
	require.Equal(t, "韦大海", find("00001099"))
	require.Empty(t, find("00001098"))
	require.Equal(t, "黄三", find("覃秀英"))
}

// Deletion is a change like any other: it can conflict, stays in the history, and is
// settled by a person.
func TestADeletionIsAChange(t *testing.T) { // invariant 4
	ctx := context.Background()
	nodes := map[string]*store.Replica{"a": node(t, 1), "b": node(t, 2)}
	entity := uuid.UUID{0: 9}
	play(t, nodes, entity, "a: phone=1 | a -> b")
	for name, deleted := range map[string]bool{"a": true, "b": false} {
		_, err := nodes[name].Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: entity, Division: village, Fields: map[string]store.Value{store.Deleted: store.Bool(deleted)}})
		require.NoError(t, err)
	}
	play(t, nodes, entity, "a <-> b")
	for _, r := range nodes {
		conflicts, err := r.Conflicts(ctx, "459921")
		require.NoError(t, err)
		require.Len(t, conflicts, 1)
		require.Equal(t, store.Deleted, conflicts[0].Field)
		history, err := r.History(ctx, entity)
		require.NoError(t, err)
		require.Len(t, history, 3)
	}
	require.NoError(t, nodes["b"].Settle(ctx, uuid.UUID{0: 5}, entity, store.Deleted, store.Bool(true)))
	e, err := nodes["b"].Entity(ctx, entity)
	require.NoError(t, err)
	require.True(t, e.Deleted())
	require.Equal(t, "1", e.Text("phone"), "what it was is still there")
}

// A folder that was closed finds the same again: by its snapshot, by what changed
// since, and without a snapshot where that was altered.
func TestTheLookUpIsKept(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	r, _ := nodeIn(t, dir, 1, &clock{time.Now()})
	defer func() { r.Close() }()
	registry(t, r, 1, 150)
	family(t, r, 200, village, "edge", "上岭村", "牛老五 459921195203159999")
	look := func() string {
		var out []string
		for _, typed := range []string{"wj", "韦", "nlw", "9999", "0123", "上岭"} {
			found, err := r.Find(ctx, typed, 0)
			require.NoError(t, err)
			out = append(out, fmt.Sprint(found))
		}
		return strings.Join(out, "\n")
	}
	want := look()
	again := func(by ...string) {
		t.Helper()
		require.NoError(t, r.Close())
		byHand(t, dir, by...)
		r = reopen(t, dir)
		require.Equal(t, want, look())
	}
	again()
	family(t, r, 201, village, "edge", "上岭村", "牛老六 459921195203158888", "牛八 459921195203157777")
	_, err := r.Write(ctx, uuid.Nil, store.Edit{Kind: store.Household, Entity: uuid.UUID{0: 1, 15: 200}, Division: village, Fields: map[string]store.Value{"name": store.Text("牛老七")}})
	require.NoError(t, err)
	want = look()
	require.Contains(t, want, "牛老七")
	again()
	again(`UPDATE snapshot SET content = zeroblob(length(content))`)
	again(`DELETE FROM snapshot`)
	require.NoError(t, r.Rebuild(ctx))
	require.Equal(t, want, look())
	again()
}
