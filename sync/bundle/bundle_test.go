package bundle_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
)

const village = "459921100201" // 云栖镇, fictitious

var (
	tablet = uuid.MustParse("0192f7a0-0000-7000-8000-00000000000a")
	worker = uuid.MustParse("0192f7a0-0000-7000-8000-0000000000f1")
)

func keyOf(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func pubOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// change is one small change, encoded as a replica would.
func change(t require.TestingT, seq uint64, text string) store.Change {
	c := store.Change{
		ChangeID: store.ChangeID{Node: tablet, Seq: seq}, Clock: store.Clock(1_790_000_000_000+seq) << 16, Author: worker,
		Kind: store.Household, Entity: uuid.MustParse("0192f7a0-0000-7000-8000-0000000000e1"), Division: village,
		Fields: []store.Field{{Name: "note", Value: store.Text(text)}},
	}
	raw, err := store.EncodeChange(&c)
	require.NoError(t, err)
	c.Raw = raw
	return c
}

func changes(t require.TestingT, first, last uint64) (list []store.Change) {
	for seq := first; seq <= last; seq++ {
		list = append(list, change(t, seq, fmt.Sprintf("第%d次入户", seq)))
	}
	return list
}

func seal(t require.TestingT, prev store.Tip, list []store.Change) store.Bundle {
	b, err := bundle.Seal(keyOf(1), prev, village, 0, list)
	require.NoError(t, err)
	return b
}

func tipOf(b store.Bundle) store.Tip { return store.Tip{Node: b.Node, Last: b.Last, Digest: b.Digest} }

func TestABundleIsReadBack(t *testing.T) {
	one := seal(t, store.Tip{}, changes(t, 1, 3))
	two := seal(t, tipOf(one), changes(t, 4, 4))
	for _, b := range []store.Bundle{one, two} {
		raw := bundle.Encode(b)
		got, _, err := bundle.Parse(raw)
		require.NoError(t, err)
		require.NoError(t, bundle.Open(&got, pubOf(keyOf(1))))
		require.Equal(t, raw, bundle.Encode(got)) // what was signed is never encoded again
		require.Equal(t, b.Digest, got.Digest)
		require.Equal(t, b.Prev, got.Prev)
		require.Equal(t, village, got.Division)
		require.Len(t, got.Changes, len(b.Changes))
		for i := range got.Changes {
			require.Equal(t, b.Changes[i].Raw, got.Changes[i].Raw)
		}
	}
	require.Equal(t, one.Digest, two.Prev)
	require.Equal(t, store.Digest(sha256.Sum256(one.Head)), one.Digest)
}

func TestAWithheldBodyLeavesTheChainWhole(t *testing.T) { // invariants 5 and 7
	one := seal(t, store.Tip{}, changes(t, 1, 3))
	raw := bundle.Encode(bundle.Withhold(one))
	require.NotContains(t, string(raw), "入户")
	got, _, err := bundle.Parse(raw)
	require.NoError(t, err)
	require.NoError(t, bundle.Open(&got, pubOf(keyOf(1))))
	require.Nil(t, got.Body)
	require.Empty(t, got.Changes)
	require.Equal(t, one.Digest, got.Digest)
	require.Equal(t, seal(t, tipOf(one), changes(t, 4, 4)).Prev, got.Digest)
}

func TestEveryFlippedBitIsRefused(t *testing.T) { // invariant 3
	raw := bundle.Encode(seal(t, store.Tip{}, changes(t, 1, 2)))
	for i := range raw {
		for bit := range 8 {
			bad := bytes.Clone(raw)
			bad[i] ^= 1 << bit
			b, _, err := bundle.Parse(bad)
			if err == nil {
				err = bundle.Open(&b, pubOf(keyOf(1)))
			}
			require.Errorf(t, err, "byte %d bit %d", i, bit)
		}
	}
	for n := range raw {
		_, _, err := bundle.Parse(raw[:n])
		require.Errorf(t, err, "the first %d bytes", n)
	}
	_, _, err := bundle.Parse(append(bytes.Clone(raw), 0))
	require.Error(t, err)
}

func TestAnotherKeyIsRefused(t *testing.T) { // invariant 3
	b := seal(t, store.Tip{}, changes(t, 1, 2))
	var damaged *bundle.DamagedError
	require.ErrorAs(t, bundle.Open(&b, pubOf(keyOf(2))), &damaged)
	require.ErrorIs(t, damaged, cose.ErrSignature)
	require.Equal(t, tablet, damaged.Node)
	require.Equal(t, "bundle.damaged", damaged.Code())
}

func TestWhatDoesNotFitIsNotSealed(t *testing.T) {
	elsewhere := change(t, 2, "x")
	elsewhere.Division = "459921100202"
	for _, test := range []struct {
		name string
		prev store.Tip
		list []store.Change
		says string
	}{
		{"nothing", store.Tip{}, nil, "0 changes"},
		{"a gap to the bundle before", store.Tip{}, changes(t, 2, 3), "does not follow"},
		{"a gap inside", store.Tip{}, append(changes(t, 1, 1), change(t, 3, "x")), "stands where change 2 belongs"},
		{"another village inside", store.Tip{}, append(changes(t, 1, 1), elsewhere), "another division"},
		{"another node's tip", store.Tip{Node: worker, Last: 3}, changes(t, 4, 4), "does not follow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := bundle.Seal(keyOf(1), test.prev, village, 0, test.list)
			require.ErrorContains(t, err, test.says)
		})
	}
	_, err := bundle.Seal(nil, store.Tip{}, village, 0, changes(t, 1, 1))
	require.Error(t, err)
}

// forged is a bundle whose head says what the caller wants, signed rightly: what a
// node of the county with bad intentions can make.
func forged(t require.TestingT, body []byte, alter func(head map[int]any)) []byte {
	sum := sha256.Sum256(body)
	head := map[int]any{1: 1, 2: tablet[:], 3: 1, 4: 2, 6: village, 8: 1, 10: 1000, 11: len(body), 12: []any{-16, sum[:]}}
	alter(head)
	signed, err := cose.Sign(keyOf(1), cose.KeyID(pubOf(keyOf(1))), cose.Bundle, cose.Encode(head))
	require.NoError(t, err)
	return cose.Encode([]any{signed, body})
}

func pack(t require.TestingT, plain []byte) []byte {
	w, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	return w.EncodeAll(plain, nil)
}

func TestForgedHeads(t *testing.T) { // invariants 3 and 10
	var plain []byte
	for _, c := range changes(t, 1, 2) {
		plain = append(plain, c.Raw...)
	}
	third := change(t, 3, "x").Raw
	bomb := pack(t, make([]byte, 200<<20))
	body := pack(t, plain)
	size := func(n int) func(map[int]any) { return func(h map[int]any) { h[10] = n } }
	for _, test := range []struct {
		name  string
		body  []byte
		alter func(map[int]any)
		says  string
	}{
		{"right", body, size(len(plain)), ""},
		{"a bomb of 200 MB that says it is one", bomb, size(200 << 20), "impossible sizes"},
		{"a bomb of 200 MB that says it is small", bomb, size(1000), "zstd"},
		{"a bomb of 200 MB at the limit", bomb, size(bundle.MaxPlain), "zstd"},
		{"smaller than it says", body, size(len(plain) + 1), "expanded size"},
		{"larger than it says", body, size(len(plain) - 1), "zstd"},
		{"no zstd", []byte("nothing of the kind"), size(100), "zstd"},
		{"nothing inside", pack(t, []byte{0xf6}), size(1), "the changes"},
		{"half a change", pack(t, plain[:len(plain)-1]), size(len(plain) - 1), "the changes"},
		{"one change more", pack(t, append(bytes.Clone(plain), third...)), size(len(plain) + len(third)), "more changes"},
		{"one change less", body, func(h map[int]any) { h[10] = len(plain); h[4] = 3 }, "2 changes where 3"},
		{"another node's changes", body, func(h map[int]any) { h[10] = len(plain); h[2] = worker[:] }, "stands where"},
		{"other numbers", body, func(h map[int]any) { h[10] = len(plain); h[3], h[4], h[5] = 2, 3, []any{-16, make([]byte, 32)} }, "stands where"},
		{"another division", body, func(h map[int]any) { h[10] = len(plain); h[6] = "459921100202" }, "another division"},
		{"a division that is none", body, func(h map[int]any) { h[6] = "云栖" }, "no code"},
		{"an audience that is none", body, func(h map[int]any) { h[7] = 258 }, "unknown audience"},
		{"a first bundle with something before", body, func(h map[int]any) { h[5] = []any{-16, make([]byte, 32)} }, "nothing before"},
		{"a later bundle with nothing before", body, func(h map[int]any) { h[3] = 2 }, "nothing before"},
		{"backwards", body, func(h map[int]any) { h[4] = 0 }, "impossible sequence"},
		{"too many changes", body, func(h map[int]any) { h[4] = bundle.MaxChanges + 1 }, "impossible sequence"},
		{"a newer format", body, func(h map[int]any) { h[1] = 2 }, "newer program"},
		{"a newer dictionary", body, func(h map[int]any) { h[9] = 77 }, "newer program"},
		{"a newer compressor", body, func(h map[int]any) { h[8] = 3 }, "newer program"},
		{"another hash", body, func(h map[int]any) { h[12] = []any{-44, make([]byte, 64)} }, "unknown algorithm"},
		{"a later key nobody knows yet", body, func(h map[int]any) { h[10] = len(plain); h[99] = "x" }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b, _, err := bundle.Parse(forged(t, test.body, test.alter))
			if err == nil {
				err = bundle.Open(&b, pubOf(keyOf(1)))
			}
			if test.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.says)
			require.Empty(t, b.Changes) // never half
		})
	}
}

func TestATypeSignedForSomethingElseIsNoBundle(t *testing.T) {
	b := seal(t, store.Tip{}, changes(t, 1, 1))
	m, err := cose.Parse(b.Head)
	require.NoError(t, err)
	b.Head, err = cose.Sign(keyOf(1), m.KID, cose.Receipt, m.Payload)
	require.NoError(t, err)
	_, _, err = bundle.Parse(bundle.Encode(b))
	require.ErrorContains(t, err, "something else")
}

func TestTooLargeIsNotRead(t *testing.T) { // invariant 10
	_, _, err := bundle.Parse(make([]byte, bundle.MaxRaw+1))
	var limit *bundle.LimitError
	require.ErrorAs(t, err, &limit)
	require.EqualValues(t, bundle.MaxRaw, limit.Limit)
}

func TestOtherFormsOfTheSameAreRefused(t *testing.T) { // invariant 2: one bundle, one digest
	b := seal(t, store.Tip{}, changes(t, 1, 1))
	enc, err := cbor.EncOptions{IndefLength: cbor.IndefLengthAllowed}.EncMode()
	require.NoError(t, err)
	long := append([]byte{0x98, 2}, bundle.Encode(b)[1:]...) // an array head longer than needed
	_, _, err = bundle.Parse(long)
	require.ErrorContains(t, err, "canonical")
	three, err := enc.Marshal([]any{b.Head, b.Body, nil})
	require.NoError(t, err)
	_, _, err = bundle.Parse(three)
	require.Error(t, err)
}

func TestWhateverIsSealedComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tip store.Tip
		for range rapid.IntRange(1, 4).Draw(t, "bundles") {
			n := rapid.Uint64Range(1, 20).Draw(t, "changes")
			var list []store.Change
			for seq := tip.Last + 1; seq <= tip.Last+n; seq++ {
				list = append(list, change(t, seq, rapid.String().Draw(t, "text")))
			}
			b := seal(t, tip, list)
			got, _, err := bundle.Parse(bundle.Encode(b))
			require.NoError(t, err)
			require.NoError(t, bundle.Open(&got, pubOf(keyOf(1))))
			require.Equal(t, tip.Digest, got.Prev)
			require.Len(t, got.Changes, int(n))
			tip = tipOf(b)
		}
	})
}

func FuzzParseOpen(f *testing.F) {
	b := seal(f, store.Tip{}, changes(f, 1, 2))
	f.Add(bundle.Encode(b))
	f.Add(bundle.Encode(bundle.Withhold(b)))
	f.Add(forged(f, pack(f, make([]byte, 1<<20)), func(h map[int]any) { h[10] = 1 << 20 }))
	f.Add([]byte{0x82, 0x40, 0xf6})
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, _, err := bundle.Parse(raw)
		if err != nil {
			return
		}
		if !bytes.Equal(bundle.Encode(b), raw) {
			t.Fatal("read back otherwise than it was written")
		}
		if bundle.Decode(&b) != nil && len(b.Changes) > 0 {
			t.Fatal("half a bundle was delivered")
		}
	})
}
