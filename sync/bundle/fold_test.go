package bundle

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ironfeet/store"
)

var (
	foldNode  = uuid.MustParse("0192f7a0-0000-7000-8000-00000000000a")
	foldVisit = uuid.MustParse("0192f7a0-1234-7000-8000-0000000000e1")
)

const foldClock = store.Clock(1_790_000_000_000) << clockCounterBits

// folds makes one bundle of changes with these fields and checks that every byte comes
// back; it gives the folded form and the loose bytes.
func folds(t require.TestingT, changes ...store.Change) (out, loose []byte) {
	var raws [][]byte
	size := 0
	for i := range changes {
		c := &changes[i]
		c.Node, c.Author, c.Seq, c.Division, c.Kind = foldNode, foldNode, uint64(i+1), "459921100201", store.Visit
		if c.Clock == 0 {
			c.Clock = foldClock + store.Clock(i)
		}
		raw, err := store.EncodeChange(c)
		require.NoError(t, err)
		raws, size = append(raws, raw), size+len(raw)
	}
	b := &store.Bundle{Node: foldNode, First: 1, Last: uint64(len(changes)), Division: "459921100201", Changes: changes}
	out, loose, ok := fold(b, raws)
	require.True(t, ok)
	back, err := unfold(b, newest, out, loose, size)
	require.NoError(t, err)
	require.Equal(t, bytes.Join(raws, nil), back)
	require.LessOrEqual(t, len(out), size+foldMore*len(changes))
	return out, loose
}

func field(name string, v any) store.Change {
	return store.Change{Entity: foldVisit, Fields: []store.Field{{Name: name, Value: store.Of(v)}}}
}

func TestWhatIsKnownIsNotSaidAgain(t *testing.T) {
	other := uuid.MustParse("0192f7a0-1235-7000-8000-0000000000e2")
	photo := sha256.Sum256([]byte("photo"))
	content := bytes.Repeat([]byte("内容"), 20)
	digest, second := sha256.Sum256(content), sha256.Sum256(content[3:])
	covers := []byte(store.Of([]any{"neighbours", digest[:], "children", second[:], "and more behind it, so that it is worth remembering"}))
	sum := sha256.Sum256(covers)
	for _, test := range []struct {
		name   string
		change store.Change
		marks  []byte // stand in the folded form
		loose  int    // beside the 10 bytes of the entity
	}{
		{"an id as bytes and as text", field("a", []any{other[:], other.String(), other.String()}), []byte{nearID, 1, knownText, 2, knownText, 2}, 10},
		{"an id that is far away in time", field("a", uuid.Max.String()), []byte{newIDText}, 16},
		{"an id in capitals is text", field("a", "0192F7A0-1235-7000-8000-0000000000E2"), []byte("0192F7A0"), 0},
		{"a digest", field("a", []any{photo[:], photo[:]}), []byte{newSum, knownSum, 0}, 32},
		{"names of files", field("a", store.Digest(photo).String()+".jpg "+store.Digest(photo).String()+".jpg"), []byte{files, 2, 0x64, '.', 'j', 'p', 'g', newSum, knownSum, 0}, 32},
		{"a signature and a key id", field("a", []any{make([]byte, 64), make([]byte, 8), make([]byte, 8)}), []byte{signature, newKeyID, knownKeyID, 0}, 72},
		{"times", field("a", []any{uint64(1_790_000_000_005), uint64(1_789_999_999_999), isoText(1_790_000_000_001, 480)}), []byte{instant, 5, instant, 0x20, instantISO, 1, 0x19, 1, 0xe0}, 0},
		{"an impossible time is text", field("a", "2026-13-25T20:05:01.283+00:00"), []byte("2026-13"), 0},
		{"a day of birth", field("a", []any{"459921198610260432", "1986-10-26", "1986-10-27"}), []byte{birthday, 0x6a, '1', '9', '8', '6'}, 0},
		{"the same value in a map", field("a", map[string]any{"x": "gleich", "y": "gleich"}), []byte{'x', 0x66, 'g', 'l', 'e', 'i', 'c', 'h', 0x61, 'y', again}, 0},
		{"a content and its digest", store.Change{Entity: foldVisit, Fields: []store.Field{
			{Name: "content", Value: store.Bytes(content)}, {Name: "digest", Value: store.Bytes(digest[:])},
		}}, []byte{contentSum}, 0},
		{"parts, their digests in the content, and its own", store.Change{Entity: foldVisit, Fields: []store.Field{
			{Name: "content", Value: store.Bytes(covers)}, {Name: "digest", Value: store.Bytes(sum[:])}, {Name: "parts", Value: store.Of([][]byte{content, content[3:]})},
		}}, []byte{'p', 'a', 'r', 't', 's', 2, 0x82, recalled, 0, recalled, 1}, 0},
		{"bytes that hold an item", field("a", []byte(store.Of([]any{1, 2, 3}))), []byte{nested, 0x83, 1, 2, 3}, 0},
		{"bytes that look like an item and are none", field("a", []byte{0x83, 1, 2}), []byte{0x43, 0x83, 1, 2}, 0},
		{"photos a change names", store.Change{Entity: foldVisit, Fields: []store.Field{
			{Name: "a", Value: store.Of(map[int]any{2: photo[:], 3: 70_000})},
		}, Blobs: []store.BlobRef{{Digest: photo, Size: 70_000}}}, []byte{allBlobs}, 32},
		{"answers", field("a", [][]string{
			{"/data/visit/outcome", "select_one", "completed"}, {"/data/visit/visit_kind", "select_one", "first"},
			{"/data/members[2]/name", "text", "甲"}, {"/data/strange", "text", "?"},
		}), []byte{table, 4, 3, asked, 4, nextAsked, instance, 2, asked}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, loose := folds(t, test.change)
			require.True(t, bytes.Contains(out, test.marks), "%x", out)
			require.Len(t, loose, 10+test.loose)
		})
	}
}

func TestChangesBehindEachOther(t *testing.T) {
	out, _ := folds(t, field("a", 1), field("a", 1), store.Change{Entity: foldVisit, Clock: foldClock + 1000<<clockCounterBits}, store.Change{Entity: foldVisit, Clock: 7})
	require.Equal(t, 1, bytes.Count(out, []byte{nextClock}))
	require.Equal(t, 1, bytes.Count(out, []byte{laterClock, 0x19, 0x03, 0xe8}))
	require.Equal(t, 1, bytes.Count(out, []byte{anyClock, 7}))
}

// Whatever a change holds, every byte of it comes back.
func TestWhateverIsFoldedComesBack(t *testing.T) { // invariant 2
	var item func(depth int) *rapid.Generator[any]
	item = func(depth int) *rapid.Generator[any] {
		leaves := []*rapid.Generator[any]{
			rapid.Uint64().AsAny(), rapid.Int64().AsAny(), rapid.Bool().AsAny(), rapid.String().AsAny(), rapid.SliceOfN(rapid.Byte(), 0, 70).AsAny(),
			rapid.Uint64Range(1_789_000_000_000, 1_791_000_000_000).AsAny(),
			rapid.SampledFrom([]any{foldNode[:], foldVisit.String(), make([]byte, 32), make([]byte, 8), "459921100201", "459921198610260432", "1986-10-26", "/data/visit/outcome", "select_one", nil}),
			rapid.Custom(func(t *rapid.T) any {
				return isoText(rapid.Int64Range(0, 1<<42).Draw(t, "ms"), rapid.IntRange(-900, 900).Draw(t, "minutes"))
			}),
			rapid.Custom(func(t *rapid.T) any {
				d := store.DigestOf(rapid.SliceOfN(rapid.Byte(), 0, 2).Draw(t, "photo"))
				return d.String() + rapid.SampledFrom([]string{".jpg", "", " " + d.String() + ".jpg"}).Draw(t, "suffix")
			}),
		}
		if depth == 0 {
			return rapid.OneOf(leaves...)
		}
		below := item(depth - 1)
		return rapid.OneOf(append(leaves,
			rapid.SliceOfN(below, 0, 5).AsAny(), rapid.MapOfN(rapid.StringN(0, 6, 20), below, 0, 5).AsAny(),
			rapid.Custom(func(t *rapid.T) any { return []byte(store.Of(below.Draw(t, "inside"))) }),
			rapid.Custom(func(t *rapid.T) any {
				var rows []any
				for range rapid.IntRange(3, 7).Draw(t, "rows") {
					rows = append(rows, []any{below.Draw(t, "a"), below.Draw(t, "b"), below.Draw(t, "c")})
				}
				return rows
			}))...)
	}
	rapid.Check(t, func(t *rapid.T) {
		var list []store.Change
		for range rapid.IntRange(1, 4).Draw(t, "changes") {
			c := field(rapid.SampledFrom([]string{"a", "content", "parts"}).Draw(t, "name"), item(3).Draw(t, "value"))
			c.Clock = store.Clock(rapid.SampledFrom([]uint64{0, 5, uint64(foldClock) + 1<<20, uint64(foldClock) + 7<<16}).Draw(t, "clock"))
			list = append(list, c)
		}
		folds(t, list...)
	})
}

func TestAFoldedFormThatLiesIsRefused(t *testing.T) { // invariant 10
	b := &store.Bundle{Node: foldNode, First: 1, Last: 1, Division: "459921100201"}
	for _, test := range []struct {
		name      string
		in, loose []byte
	}{
		{"an id that nobody met", []byte{knownID, 9}, nil},
		{"a digest that nobody met", []byte{knownSum, 0}, nil},
		{"loose bytes that are missing", []byte{newSum}, make([]byte, 31)},
		{"loose bytes too many", []byte{0x01}, []byte{1}},
		{"nothing was remembered", []byte{remembered}, nil},
		{"a content that is no bytes", []byte{remember, 0x01, 0x02}, nil},
		{"again before anything", []byte{0xa1, 0x01, again}, nil},
		{"a table that is too large", []byte{table, 0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 3}, nil},
		{"a table without columns", []byte{table, 4, 0}, nil},
		{"a question behind the last", []byte{table, 4, 3, asked, 0x19, 0xff, 0xff}, nil},
		{"a question of a repeat without its number", []byte{table, 4, 3, asked, 0x18, 30, 1, 1, 1, 1}, nil},
		{"nested without end", bytes.Repeat([]byte{nested}, 100), nil},
		{"clocks without end", bytes.Repeat([]byte{nextClock}, 100), nil},
		{"an unknown mark", []byte{0xf3}, nil},
		{"an unknown tag", []byte{0xd1, 1}, nil},
		{"more than was signed", append([]byte{remember, 0x58, 200}, append(make([]byte, 200), 0x98, 200, remembered, remembered)...), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := unfold(b, newest, test.in, test.loose, 256)
			require.Error(t, err)
		})
	}
}

func FuzzUnfold(f *testing.F) {
	out, loose := folds(f, field("a", []any{foldVisit.String(), time.UnixMilli(1_790_000_000_000).UTC().Format(iso)}))
	f.Add(out, loose)
	f.Add([]byte{table, 4, 3, asked, 4, nextAsked, instance, 2, asked}, []byte{})
	f.Fuzz(func(t *testing.T, in, loose []byte) {
		b := &store.Bundle{Node: foldNode, First: 1, Last: 1, Division: "459921100201"}
		got, err := unfold(b, newest, in, loose, 1<<16)
		if err == nil && len(got) > 1<<16 {
			t.Fatalf("%d bytes", len(got))
		}
	})
}

// What a tablet wrote with any dictionary is read (invariant 9).
func TestEveryDictionaryAndCompressorIsRead(t *testing.T) {
	c := field("a", "云栖镇，虚构")
	c.Node, c.Seq, c.Division, c.Kind, c.Clock = foldNode, 1, "459921100201", store.Task, foldClock
	raw, err := store.EncodeChange(&c)
	require.NoError(t, err)
	for number := range uint64(newest + 1) {
		body := coderOf(coderKind{dictionary: number}).encode().EncodeAll(raw, nil)
		got, err := unpack(&store.Bundle{Node: foldNode, First: 1, Last: 1, Division: c.Division, Body: body}, headBody{First: 1, Last: 1, Compressor: zstd1, Dictionary: number, Plain: uint64(len(raw))})
		require.NoError(t, err)
		require.Equal(t, raw, got)
	}
}
