package cose_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ironfeet/sync/cose"
)

func keyOf(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func pubOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func sign(t testing.TB, b byte, payload []byte) []byte {
	raw, err := cose.Sign(keyOf(b), cose.KeyID(pubOf(keyOf(b))), cose.Receipt, payload)
	require.NoError(t, err)
	return raw
}

func TestASignedMessageIsReadBack(t *testing.T) {
	raw := sign(t, 1, []byte("payload"))
	m, err := cose.Parse(raw)
	require.NoError(t, err)
	require.Equal(t, cose.Receipt, m.Type)
	require.Equal(t, []byte("payload"), m.Payload)
	require.Equal(t, cose.KeyID(pubOf(keyOf(1))), m.KID)
	require.NoError(t, m.Verify(pubOf(keyOf(1))))
	require.ErrorIs(t, m.Verify(pubOf(keyOf(2))), cose.ErrSignature)
	require.ErrorIs(t, m.Verify(nil), cose.ErrSignature)
}

func TestEveryFlippedBitIsNoticed(t *testing.T) { // invariant 3
	raw := sign(t, 1, []byte("payload"))
	for i := range raw {
		for bit := range 8 {
			bad := bytes.Clone(raw)
			bad[i] ^= 1 << bit
			m, err := cose.Parse(bad)
			if err == nil {
				err = m.Verify(pubOf(keyOf(1)))
			}
			require.Errorf(t, err, "byte %d bit %d", i, bit)
		}
	}
	for n := range raw {
		_, err := cose.Parse(raw[:n])
		require.Error(t, err)
	}
	_, err := cose.Parse(append(bytes.Clone(raw), 0))
	require.Error(t, err)
}

// other builds a message with headers of the caller's choice, signed rightly.
func other(t *testing.T, protected, unprotected any, payload []byte) []byte {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	require.NoError(t, err)
	head, err := enc.Marshal(protected)
	require.NoError(t, err)
	tbs, err := enc.Marshal([]any{"Signature1", head, []byte{}, payload})
	require.NoError(t, err)
	raw, err := enc.Marshal(cbor.Tag{Number: 18, Content: []any{head, unprotected, payload, ed25519.Sign(keyOf(1), tbs)}})
	require.NoError(t, err)
	return raw
}

func TestForeignMessages(t *testing.T) {
	kid := cose.KeyID(pubOf(keyOf(1)))
	empty := map[int]any{}
	for _, test := range []struct {
		name                   string
		protected, unprotected any
		accepted               bool
		says                   string
	}{
		{"the old number of Ed25519", map[int]any{1: -8, 3: string(cose.Bundle), 4: kid}, empty, true, ""},
		{"the new number of Ed25519", map[int]any{1: -19, 3: string(cose.Bundle), 4: kid}, empty, true, ""},
		{"an algorithm nobody knows here", map[int]any{1: -7, 3: string(cose.Bundle), 4: kid}, empty, false, "unknown algorithm -7"},
		{"a key id that is not signed", map[int]any{1: -8, 3: string(cose.Bundle)}, map[int]any{4: kid}, false, "missing"},
		{"something in the unsigned header", map[int]any{1: -8, 3: string(cose.Bundle), 4: kid}, map[int]any{99: 1}, false, "canonical"},
		{"a fourth signed header", map[int]any{1: -8, 3: string(cose.Bundle), 4: kid, 99: 1}, empty, false, "canonical"},
		{"a content type that is a number", map[int]any{1: -8, 3: 60, 4: kid}, empty, false, "missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := cose.Parse(other(t, test.protected, test.unprotected, []byte{1}))
			if err == nil {
				err = m.Verify(pubOf(keyOf(1)))
			}
			if test.accepted {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestNothingAndNoKeyAreNotSigned(t *testing.T) {
	_, err := cose.Sign(keyOf(1), nil, cose.Bundle, nil)
	require.Error(t, err)
	_, err = cose.Sign(nil, nil, cose.Bundle, []byte{1})
	require.Error(t, err)
	_, err = cose.Parse(make([]byte, cose.MaxMessage+1))
	require.ErrorIs(t, err, cose.ErrMalformed)
}

func TestPayloadsAreDeterministic(t *testing.T) { // invariant 2
	type plan struct {
		A uint64 `cbor:"1,keyasint"`
		B string `cbor:"2,keyasint,omitempty"`
	}
	for _, test := range []struct {
		name string
		raw  []byte
		ok   bool
	}{
		{"shortest and sorted", []byte{0xa2, 1, 5, 2, 0x61, 'x'}, true},
		{"a key of a newer version", []byte{0xa2, 1, 5, 9, 0x61, 'x'}, true},
		{"keys out of order", []byte{0xa2, 2, 0x61, 'x', 1, 5}, false},
		{"a number longer than needed", []byte{0xa1, 1, 0x18, 5}, false},
		{"a key twice", []byte{0xa2, 1, 5, 1, 5}, false},
		{"a string of unknown length", []byte{0xa1, 2, 0x7f, 0x61, 'x', 0xff}, false},
		{"something behind it", []byte{0xa1, 1, 5, 0}, false},
		{"text that is no text", []byte{0xa1, 2, 0x61, 0xff}, false},
		{"nothing", nil, false},
		{"too deep", append(bytes.Repeat([]byte{0x81}, 40), 0), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p plan
			err := cose.Decode(test.raw, &p)
			if test.ok {
				require.NoError(t, err)
				require.EqualValues(t, 5, p.A)
				return
			}
			require.ErrorIs(t, err, cose.ErrNotCanonical)
		})
	}
}

func TestByteStringHeads(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536, 70000} {
		want := cose.Encode(make([]byte, n))
		require.Equal(t, want[:len(want)-n], cose.BytesHead(n))
		var got []byte
		require.NoError(t, cose.DecodeBytes(want, &got))
		require.Len(t, got, n)
	}
	var got []byte
	require.Error(t, cose.DecodeBytes([]byte{0x58, 1, 0}, &got))
	require.Error(t, cose.DecodeBytes([]byte{0xf6}, &got))
	require.Error(t, cose.DecodeBytes([]byte{0x41, 0, 0}, &got))
}

func TestAHashNamesItsAlgorithm(t *testing.T) {
	h := cose.HashOf([32]byte{1})
	got, err := h.Digest()
	require.NoError(t, err)
	require.Equal(t, [32]byte{1}, got)
	_, err = cose.Hash{Algorithm: -44, Sum: make([]byte, 32)}.Digest()
	require.ErrorIs(t, err, cose.ErrAlgorithm)
	_, err = cose.Hash{Algorithm: cose.SHA256, Sum: make([]byte, 31)}.Digest()
	require.ErrorIs(t, err, cose.ErrAlgorithm)
}

func TestWhateverIsSignedComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOfN(rapid.Byte(), 1, 300).Draw(t, "payload")
		kid := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "kid")
		raw, err := cose.Sign(keyOf(3), kid, cose.Manifest, payload)
		require.NoError(t, err)
		m, err := cose.Parse(raw)
		require.NoError(t, err)
		require.Equal(t, kid, m.KID)
		require.Equal(t, payload, m.Payload)
		require.NoError(t, m.Verify(pubOf(keyOf(3))))
	})
}

func FuzzParse(f *testing.F) {
	f.Add(sign(f, 1, []byte("payload")))
	f.Add([]byte{0xd2, 0x84})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := cose.Parse(raw)
		if err != nil {
			return
		}
		if m.Verify(pubOf(keyOf(1))) == nil && !bytes.Equal(raw, sign(t, 1, m.Payload)) && m.Type == cose.Receipt && m.Algorithm == cose.EdDSA {
			t.Fatalf("two forms of one message: %x", raw)
		}
	})
}
