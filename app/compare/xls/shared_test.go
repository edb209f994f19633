package xls

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStringsThatRunOnOverRecords: where a record breaks inside a string, the next
// begins with a byte that says anew how wide its characters are; formatting runs and
// phonetic texts behind a string may break too.
func TestStringsThatRunOnOverRecords(t *testing.T) {
	head := func(n byte) []byte { return []byte{n, 0, 0, 0, n, 0, 0, 0} }
	cat := func(parts ...[]byte) (out []byte) {
		for _, p := range parts {
			out = append(out, p...)
		}
		return out
	}
	for _, c := range []struct {
		name  string
		parts [][]byte
		want  []string
	}{
		{"narrow, then wide", [][]byte{cat(head(1), []byte{4, 0, 0, 'a', 'b'}), {1, 'c', 0, 0xe6, 0x97}}, []string{"abc韦"}},
		{"wide, then narrow", [][]byte{cat(head(1), []byte{3, 0, 1, 0xe6, 0x97}), {0, 'b', 'c'}}, []string{"韦bc"}},
		{"a break between two strings", [][]byte{cat(head(2), []byte{1, 0, 0, 'a'}), {1, 0, 1, 0xe6, 0x97}}, []string{"a", "韦"}},
		{"formatting runs over the break", [][]byte{cat(head(2), []byte{1, 0, 8, 2, 0, 'a', 1, 2, 3}), {4, 5, 6, 7, 8, 1, 0, 0, 'b'}}, []string{"a", "b"}},
		{"a phonetic text over the break", [][]byte{cat(head(2), []byte{1, 0, 4, 3, 0, 0, 0, 'a', 9}), {9, 9, 1, 0, 0, 'b'}}, []string{"a", "b"}},
		{"an empty string", [][]byte{cat(head(2), []byte{0, 0, 0, 1, 0, 0, 'b'})}, []string{"", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b Book
			require.NoError(t, b.shared(c.parts))
			require.Equal(t, c.want, b.strings)
			last := c.parts[len(c.parts)-1]
			c.parts[len(c.parts)-1] = last[:len(last)-1]
			require.ErrorIs(t, (&Book{}).shared(c.parts), errBroken, "torn")
		})
	}
	require.Error(t, (&Book{}).shared([][]byte{{0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f}}), "more strings than any workbook has")
}

// TestNumbersInFourBytes are the four kinds of [MS-XLS] 2.5.217.
func TestNumbersInFourBytes(t *testing.T) {
	for v, want := range map[uint32]float64{0x3ff00000: 1, 0x3ff00001: 0.01, 5<<2 | 2: 5, 12345<<2 | 3: 123.45, 0xfffffffe: -1} {
		require.InDelta(t, want, rk(v), 1e-12)
	}
}
