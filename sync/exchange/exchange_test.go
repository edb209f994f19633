package exchange

import (
	"bytes"
	"crypto/ed25519"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
)

var (
	key  = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	pub  = key.Public().(ed25519.PublicKey)
	node = uuid.UUID{0: 1, 15: 1}
	now  = time.UnixMilli(1_790_000_000_000)
)

func signed(t require.TestingT, method, path string, body []byte) *Signed {
	header, err := Sign(key, node, method, path, body, now, rand.NewChaCha8([32]byte{1}))
	require.NoError(t, err)
	require.LessOrEqual(t, len(header), 240, "every request pays for it")
	s, err := ParseHeader(header)
	require.NoError(t, err)
	return s
}

func TestWhatAProofProves(t *testing.T) { // invariant 3
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	for _, test := range []struct {
		name         string
		key          ed25519.PublicKey
		method, path string
		at           time.Time
		want         error
	}{
		{"the request itself", pub, "POST", "/v1/push", now, nil},
		{"a clock a little off", pub, "POST", "/v1/push", now.Add(9 * time.Minute), nil},
		{"another's key", other, "POST", "/v1/push", now, ErrUnsigned},
		{"another method", pub, "PUT", "/v1/push", now, ErrUnsigned},
		{"another path", pub, "POST", "/v1/pull", now, ErrUnsigned},
		{"an hour later", pub, "POST", "/v1/push", now.Add(time.Hour), ErrStale},
		{"an hour earlier", pub, "POST", "/v1/push", now.Add(-time.Hour), ErrStale},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := signed(t, "POST", "/v1/push", []byte("body"))
			require.ErrorIs(t, s.Verify(test.key, test.method, test.path, test.at, new(Nonces)), test.want)
		})
	}
	s := signed(t, "POST", "/v1/push", []byte("body"))
	require.True(t, s.Holds(store.Hash([]byte("body"))))
	require.False(t, s.Holds(store.Hash([]byte("bodY"))))
	require.False(t, s.Holds(store.Hash(nil)))
}

func TestARequestIsMadeOnce(t *testing.T) {
	var seen Nonces
	s := signed(t, "POST", "/v1/push", nil)
	require.NoError(t, s.Verify(pub, "POST", "/v1/push", now, &seen))
	require.ErrorIs(t, s.Verify(pub, "POST", "/v1/push", now, &seen), ErrReplayed)
	// Also after the memory of nonces has turned once; later its time refuses it.
	for i := range 3 {
		later := now.Add(time.Duration(i) * Window)
		require.Error(t, s.Verify(pub, "POST", "/v1/push", later, &seen))
	}
}

// A proof is no signed message, and a signed message no proof.
func TestNothingElsePassesForAProof(t *testing.T) {
	raw, err := cose.Sign(key, cose.KeyID(pub), cose.Request, Encode(claim{Node: node, Time: now.UnixMilli(), Nonce: make([]byte, nonceSize), Body: cose.HashOf([32]byte{})}))
	require.NoError(t, err)
	_, err = cose.ParseProof(raw)
	require.Error(t, err)
	proof, err := cose.Prove(key, about("POST", "/v1/push"), []byte{0x80})
	require.NoError(t, err)
	_, err = cose.Parse(proof)
	require.Error(t, err)
}

func FuzzParseBrief(f *testing.F) {
	proof, err := SignBrief(key, "POST", "/v2/pull", nil, now, rand.NewChaCha8([32]byte{1}))
	require.NoError(f, err)
	f.Add(proof)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := ParseBrief(raw)
		if err == nil && s.Verify(pub, "POST", "/v2/pull", now, new(Nonces)) == nil && !bytes.Equal(raw, proof) {
			t.Fatalf("%x passes as well", raw)
		}
	})
}

func FuzzParseHeader(f *testing.F) {
	header, err := Sign(key, node, "POST", "/v1/pull", nil, now, rand.NewChaCha8([32]byte{1}))
	require.NoError(f, err)
	f.Add(header)
	f.Add("Ironfeet ")
	f.Add("Bearer x")
	f.Fuzz(func(t *testing.T, header string) {
		s, err := ParseHeader(header)
		if err != nil {
			return
		}
		if s.Verify(pub, "POST", "/v1/pull", now, new(Nonces)) == nil && header[len(scheme):] != "" && s.Node != node {
			t.Fatalf("%q passes for another node", header)
		}
	})
}

// FuzzBodies reads every body there is: never a panic, and what is accepted is what
// would have been written.
func FuzzBodies(f *testing.F) {
	for i, body := range []any{
		Ask{"x"}, Enrol{Token: "x", Key: make([]byte, 32), People: []PersonKey{{node, make([]byte, 32)}}}, Push{[][]byte{{1}, {2, 3}}}, Pull{7}, Photos{},
		Pushed{[]Outcome{{"new", "", 3}}, [][]byte{{1}}}, Pulled{Cursor: 9, More: true}, PhotosKnown{Receipt: []byte{1}}, Invited{County: "云栖县", Node: node}, Fault{"link.busy"},
		PushBrief{Encode(1)}, PushedBrief{Outcomes: []BriefOutcome{{Last: 3}}, Receipts: []BriefReceipt{{Signature: make([]byte, 64)}}}, bundle.Brief{First: 2, Place: uint64(1), Prev: []byte{1, 2, 3, 4}, Signature: make([]byte, 64), Body: []byte{1}},
	} {
		f.Add(uint8(i), Encode(body))
	}
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		into := []any{new(Ask), new(Enrol), new(Push), new(Pull), new(Photos), new(Pushed), new(Pulled), new(PhotosKnown), new(Invited), new(Fault), new(PushBrief), new(PushedBrief), new(bundle.Brief)}[kind%13]
		err := Decode(raw, into) // an error is as good an answer as any
		if b, brief := into.(*bundle.Brief); brief && err == nil {
			_, _ = b.Whole(node, make([]byte, 8), []string{"459921100201"}, store.Digest{1, 2, 3, 4})
		}
	})
}
