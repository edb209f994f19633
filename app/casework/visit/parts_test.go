package visit

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ironfeet/forms"
)

var day = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)

func sealed(t require.TestingT, whole forms.Record) (*Content, [][]byte) {
	open, covers, parts, err := split(whole, day, rand.Reader)
	require.NoError(t, err)
	return &Content{Version: contentVersion, Record: open.Encode(), Covers: covers}, parts
}

func TestPartsTogetherAreTheRecord(t *testing.T) {
	paths := []string{"/house/wall", "/neighbour/nb_says", "/children/child_with", "/members[1]/name", "/members[1]/birth", "/members[2]/name", "/members[2]/birth", "/members[2]/father", "/phone"}
	rapid.Check(t, func(t *rapid.T) {
		whole := forms.Record{Form: "f", Version: "1", Answers: []forms.Answer{}}
		for _, path := range rapid.SliceOfDistinct(rapid.SampledFrom(paths), func(s string) string { return s }).Draw(t, "paths") {
			value := rapid.SampledFrom([]string{"1950-01-01", "2015-01-01", "x"}).Draw(t, "value")
			whole.Answers = append(whole.Answers, forms.Answer{Path: path, Type: "text", Value: value})
		}
		c, parts := sealed(t, whole)
		joined, withheld, err := c.Join(parts)
		require.NoError(t, err)
		require.Empty(t, withheld)
		require.Equal(t, whole, joined)
		// Without its parts: everything else, in its order, and a word for each part.
		open, withheld, err := c.Join(nil)
		require.NoError(t, err)
		require.Len(t, withheld, len(parts))
		for _, a := range open.Answers {
			require.Empty(t, Protected(a.Path))
		}
		for _, one := range parts {
			some, withheld, err := c.Join([][]byte{one})
			require.NoError(t, err)
			require.Len(t, withheld, len(parts)-1)
			require.Greater(t, len(some.Answers), len(open.Answers))
		}
	})
}

func TestWhatIsSignedApart(t *testing.T) {
	whole := forms.Record{Form: "f", Version: "1", Answers: []forms.Answer{
		{Path: "/members[1]/name", Value: "韦一"}, {Path: "/members[1]/birth", Value: "1950-01-01"},
		{Path: "/members[2]/name", Value: "韦二"}, {Path: "/members[2]/birth", Value: "2015-01-01"}, {Path: "/members[2]/school", Value: "primary"},
		{Path: "/members[3]/name", Value: "韦三"}, {Path: "/members[3]/birth", Value: "2008-07-01"}, // eighteen today
		{Path: "/children/safety_sign", Value: "no"}, {Path: "/neighbour/nb_says", Value: "话"}, {Path: "/house", Value: "brick"},
	}}
	c, parts := sealed(t, whole)
	require.Len(t, parts, 2)
	require.Equal(t, []string{Neighbours, Children}, []string{c.Covers[0].Kind, c.Covers[1].Kind})
	require.NotContains(t, string(c.Record), "话")
	require.NotContains(t, string(c.Record), "韦二")
	require.NotContains(t, string(c.Record), "primary")
	require.Contains(t, string(c.Record), "韦一")
	require.Contains(t, string(c.Record), "韦三")

	// The same words are signed by another digest each time: nobody can guess them.
	again, _ := sealed(t, whole)
	require.NotEqual(t, c.Covers[0].Digest, again.Covers[0].Digest)

	altered := bytes.Replace(parts[0], []byte("话"), []byte("语"), 1)
	_, _, err := c.Join([][]byte{altered})
	require.Error(t, err, "altered")
	_, other := sealed(t, whole)
	_, _, err = c.Join(other)
	require.Error(t, err, "of another visit")
	c.Covers[0].Kind, c.Covers[1].Kind = c.Covers[1].Kind, c.Covers[0].Kind
	_, _, err = c.Join(parts)
	require.Error(t, err, "passed off as another kind")
}

// A part may name any place: nothing is lost, nothing loops, nothing panics.
func FuzzJoin(f *testing.F) {
	c, parts := sealed(f, forms.Record{Form: "f", Version: "1", Answers: []forms.Answer{{Path: "/nb_says", Value: "话"}, {Path: "/house", Value: "brick"}}})
	f.Add(c.Record, parts[0], true)
	far, _ := encode.Marshal(Part{Kind: Children, Answers: []forms.Answer{{Path: "/a"}, {Path: "/b"}}, Places: []uint{1 << 40, 1, 1<<64 - 1, 1}})
	f.Add(c.Record, far, false)
	f.Fuzz(func(t *testing.T, record, part []byte, all bool) {
		c := &Content{Record: record, Covers: []Cover{{Kind: Neighbours, Digest: sha256.Sum256(part)}, {Kind: Children, Digest: sha256.Sum256(part)}}}
		if all {
			c.Covers = c.Covers[:1]
		}
		_, _, _ = c.Join([][]byte{part})
	})
}
