package carrier

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

var update = flag.Bool("update", false, "write sync/testdata/vectors.json anew; read it before it is committed")

const vectorFile = "../testdata/vectors.json"

// A vector is bytes that a reader in any language can try itself on.
type vector struct {
	Name       string `json:"name"`
	What       string `json:"what"`
	Seed       string `json:"seed,omitempty"` // of the Ed25519 key that signs, hexadecimal
	Public     string `json:"public,omitempty"`
	Hex        string `json:"hex"`
	Diagnostic string `json:"diagnostic"`
	Expanded   string `json:"expanded,omitempty"` // diagnostic notation of a body's changes
	Digest     string `json:"digest,omitempty"`   // as the kind defines it
	Dictionary uint64 `json:"dictionary,omitempty"`
	Identity   string `json:"identity,omitempty"` // age: who can open a carrier
	About      string `json:"about,omitempty"`    // diagnostic notation of the external_aad
	Body       string `json:"body,omitempty"`     // of a request, hexadecimal
	Text       string `json:"text,omitempty"`     // what stands in a header, or is typed
}

type refusal struct {
	Name string `json:"name"`
	What string `json:"what"`
	Hex  string `json:"hex"`
	Why  string `json:"why"`
}

type vectors struct {
	Note    string    `json:"note"`
	Vectors []vector  `json:"vectors"`
	Refused []refusal `json:"refused"`
}

func seedOf(b byte) []byte { return bytes.Repeat([]byte{b}, ed25519.SeedSize) }

func signer(b byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seedOf(b)) }

func public(b byte) ed25519.PublicKey { return signer(b).Public().(ed25519.PublicKey) }

func diagnose(t *testing.T, raw []byte) string {
	t.Helper()
	mode, err := cbor.DiagOptions{ByteStringEmbeddedCBOR: true}.DiagMode()
	require.NoError(t, err)
	s, err := mode.Diagnose(raw)
	require.NoError(t, err)
	return s
}

// expanded shows the changes of a bundle.
func expanded(t *testing.T, b store.Bundle) string {
	var plain []byte
	for _, c := range b.Changes {
		plain = append(plain, c.Raw...)
	}
	return diagnose(t, cose.Encode(plain))
}

// vectorBundles are two bundles of a tablet that follow each other.
func vectorBundles(t *testing.T) []store.Bundle {
	household := uuid.MustParse("0192f7a0-0000-7000-8000-0000000000e1")
	worker := uuid.MustParse("0192f7a0-0000-7000-8000-000000000011")
	change := func(seq uint64, field string, value store.Value, supersedes ...store.ChangeID) store.Change {
		c := store.Change{
			ChangeID: store.ChangeID{Node: tablet, Seq: seq}, Clock: store.Clock(1_790_000_000_000+seq) << 16, Author: worker, Kind: store.Task,
			Entity: household, Division: "459921100201", Fields: []store.Field{{Name: field, Value: value, Supersedes: supersedes}},
		}
		raw, err := store.EncodeChange(&c)
		require.NoError(t, err)
		c.Raw = raw
		return c
	}
	one, err := bundle.Seal(signer(1), store.Tip{}, "459921100201", 0, []store.Change{
		change(1, "state", store.Text("open")), change(2, "due", store.Text("2026-10-01")),
		change(3, "state", store.Text("done"), store.ChangeID{Node: tablet, Seq: 1}),
	})
	require.NoError(t, err)
	two, err := bundle.Seal(signer(1), store.Tip{Node: tablet, Last: 3, Digest: one.Digest}, "459921100201", 1, []store.Change{change(4, "note", store.Text("云栖镇，虚构"))})
	require.NoError(t, err)
	return []store.Bundle{one, two}
}

// vectorVisit is a bundle of a visit, and of a task's end, behind another bundle.
func vectorVisit(t *testing.T, behind store.Bundle) store.Bundle {
	entity, at := uuid.MustParse("0192f7a0-4321-7000-8000-0000000000a1"), int64(1_790_000_100_000)
	household, people := "0192f7a0-0000-7000-8000-0000000000e1", []byte{0x11, 0x12}
	one, two := sha256.Sum256([]byte("one")), sha256.Sum256([]byte("two"))
	record := store.Of(map[int]any{1: "household_visit", 3: [][]string{
		{"/data/t_start", "start", "2026-09-21T22:13:40.250+08:00"}, {"/data/hh_id", "hidden", household}, {"/data/visit/outcome", "select_one", "completed"},
		{"/data/members[1]/name", "text", "韦大山（虚构）"}, {"/data/members[1]/id_no", "text", "459921198610260432"}, {"/data/members[1]/birth", "date", "1986-10-26"},
		{"/data/members[2]/name", "text", "乙（虚构）"}, {"/data/home/live_code", "text", "459921100201"}, {"/data/own_question", "text", "?"},
		{"/data/housing/photo_room", "image", store.Digest(one).String() + ".jpg " + store.Digest(two).String() + ".jpg"},
	}})
	neighbours := []byte(store.Of(map[int]any{1: "neighbours", 2: bytes.Repeat([]byte{7}, 16), 3: [][]string{{"/data/neighbour/nb_asked", "select_one", "yes"}, {"/data/neighbour/nb_says", "text", "说的和家里讲的差不多"}}, 4: []int{9, 2}}))
	children := []byte(store.Of(map[int]any{1: "children", 2: bytes.Repeat([]byte{8}, 16), 3: [][]string{{"/data/members[3]/name", "text", "丙（虚构）"}, {"/data/members[3]/birth", "date", "2019-06-01"}}, 4: []int{5, 2}}))
	said, young := sha256.Sum256(neighbours), sha256.Sum256(children)
	content := store.Of(map[int]any{
		2: entity[:], 6: at - 90_000, 9: []byte(record), 10: []any{map[int]any{2: one[:], 3: 70_001, 4: at - 5}, map[int]any{2: two[:], 3: 70_002, 4: at + 5}},
		16: []any{[]any{"neighbours", said[:]}, []any{"children", young[:]}},
		12: map[string]any{household: map[string]any{"aid": []any{map[string]any{"Seq": 7, "Node": tablet[:]}}, "phone": []any{map[string]any{"Seq": 7, "Node": tablet[:]}}}},
	})
	digest := sha256.Sum256(content)
	var attestations [][]byte
	for _, p := range people {
		raw, err := trust.Attest(signer(p), trust.Attestation{Visit: entity, Digest: digest, Person: uuid.UUID{0: 1, 15: p}, At: time.UnixMilli(at + int64(p))})
		require.NoError(t, err)
		attestations = append(attestations, raw)
	}
	blobs := []store.BlobRef{{Digest: one, Size: 70_001}, {Digest: two, Size: 70_002}}
	slices.SortFunc(blobs, func(a, b store.BlobRef) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	changes := []store.Change{
		{Kind: store.Visit, Entity: entity, Clock: store.Clock(at) << 16, Blobs: blobs, Fields: []store.Field{
			{Name: "attestations", Value: store.Of(attestations)}, {Name: "content", Value: store.Bytes(content)}, {Name: "digest", Value: store.Bytes(digest[:])}, {Name: "parent", Value: store.Text(household)},
			{Name: "parts", Value: store.Of([][]byte{neighbours, children})},
		}},
		{Kind: store.Task, Entity: uuid.MustParse("0192f7a0-0000-7000-8000-0000000000e2"), Clock: store.Clock(at)<<16 + 1, Fields: []store.Field{{Name: "state", Value: store.Text("done")}}},
		{Kind: store.Task, Entity: uuid.MustParse("0192f7a0-0000-7000-8000-0000000000e3"), Clock: store.Clock(at+60_000) << 16, Fields: []store.Field{{Name: "state", Value: store.Text("done")}}},
	}
	for i := range changes {
		c := &changes[i]
		c.Node, c.Seq, c.Author, c.Division = tablet, behind.Last+uint64(i)+1, uuid.UUID{0: 1, 15: 0x11}, "459921100201"
		raw, err := store.EncodeChange(c)
		require.NoError(t, err)
		c.Raw = raw
	}
	b, err := bundle.Seal(signer(1), store.Tip{Node: tablet, Last: behind.Last, Digest: behind.Digest}, "459921100201", 0, changes)
	require.NoError(t, err)
	return b
}

func makeVectors(t *testing.T) vectors {
	all := vectors{Note: "Test vectors of sync/FORMAT.md, format 1. Every name and place is fictitious."}
	add := func(name, what string, seed byte, raw []byte, digest string) {
		v := vector{Name: name, What: what, Hex: hex.EncodeToString(raw), Diagnostic: diagnose(t, raw), Digest: digest}
		if seed != 0 {
			v.Seed, v.Public = hex.EncodeToString(seedOf(seed)), hex.EncodeToString(public(seed))
		}
		all.Vectors = append(all.Vectors, v)
	}
	root, err := trust.RootFromSeed(seedOf(9))
	require.NoError(t, err)
	node, err := root.Certify(trust.Certificate{
		Subject: tablet, What: trust.ForNode, Name: "云栖村平板", Key: public(1), Role: trust.Worker, Scope: []string{"459921100201"},
		Recipient: "age140yndm2z4pftejkvtxzdkasrne6jzz5p2ww7afe5rt9x7yyycuvsacary2", From: time.Unix(1_780_000_000, 0), Until: time.Unix(1_820_000_000, 0),
	})
	require.NoError(t, err)
	add("certificate of a tablet", "certificate", 9, node.Raw, "")
	person, err := root.Certify(trust.Certificate{
		Subject: uuid.MustParse("0192f7a0-0000-7000-8000-000000000011"), What: trust.ForPerson, Name: "甲（虚构）", Key: public(0x11), Role: trust.Worker,
		Scope: []string{"459921100201", "459921100202"}, From: time.Unix(1_780_000_000, 0), Until: time.Unix(1_820_000_000, 0),
	})
	require.NoError(t, err)
	add("certificate of a person", "certificate", 9, person.Raw, "")
	attestation, err := trust.Attest(signer(0x11), trust.Attestation{
		Visit: uuid.MustParse("0192f7a0-0000-7000-8000-0000000000a1"), Digest: sha256.Sum256([]byte("content")), Person: person.Subject,
		At: time.UnixMilli(1_790_000_000_123), Place: "云栖村",
	})
	require.NoError(t, err)
	add("attestation of a visit whose content is the seven bytes of the word content", "attestation", 0x11, attestation, "")

	bundles := vectorBundles(t)
	for i, name := range []string{"the first bundle of a tablet", "the next bundle, for townships and the county"} {
		b := bundles[i]
		add(name, "bundle", 1, bundle.Encode(b), b.Digest.String())
		last := &all.Vectors[len(all.Vectors)-1]
		last.Expanded, last.Dictionary = expanded(t, b), 2
	}
	visit := vectorVisit(t, bundles[1])
	add("a visit behind them, with most of what can be folded", "bundle", 1, bundle.Encode(visit), visit.Digest.String())
	last := &all.Vectors[len(all.Vectors)-1]
	last.Expanded, last.Dictionary = expanded(t, visit), 2
	brief, ok := bundle.Shorten(visit, public(1), []string{"459921100", "459921100201"})
	require.True(t, ok)
	item := exchange.Encode(exchange.PushBrief{exchange.Encode(brief)})
	before, err := exchange.SignBrief(signer(1), http.MethodPost, "/v2/push", item, time.UnixMilli(1_790_000_200_000), bytes.NewReader(bytes.Repeat([]byte{0x5a}, 4)))
	require.NoError(t, err)
	all.Vectors = append(all.Vectors, vector{
		Name: "the visit in a brief push of a node whose scope is 459921100 and 459921100201", What: "brief", Seed: hex.EncodeToString(seedOf(1)), Public: hex.EncodeToString(public(1)),
		Hex: hex.EncodeToString(append(before, item...)), Diagnostic: diagnose(t, item), Body: hex.EncodeToString(bundle.Encode(visit)), About: diagnose(t, cose.Encode([]string{string(cose.Request), http.MethodPost, "/v2/push"})),
	})
	withheld := bundle.Encode(bundle.Withhold(bundles[0]))
	add("the first bundle with its body withheld", "bundle", 1, withheld, bundles[0].Digest.String())
	receipt, err := trust.SignReceipt(signer(7), trust.Receipt{
		Node: tablet, UpTo: 4, Tip: bundles[1].Digest, Blobs: []store.Digest{sha256.Sum256(photo(50))}, At: time.UnixMilli(1_790_000_100_000),
	})
	require.NoError(t, err)
	add("receipt for both bundles and a photo", "receipt", 7, receipt, "")

	var inside bytes.Buffer
	s, err := writeRecords(ctx, at, &writer{w: &inside, digest: sha256.New()},
		contents([][]byte{bundle.Encode(bundles[0]), bundle.Encode(bundles[1])}, [][]byte{receipt}, photo(50)))
	require.NoError(t, err)
	mode, err := cbor.DiagOptions{ByteStringEmbeddedCBOR: true, CBORSequence: true}.DiagMode()
	require.NoError(t, err)
	records, err := mode.Diagnose(inside.Bytes())
	require.NoError(t, err)
	all.Vectors = append(all.Vectors, vector{
		Name: "a carrier as it is inside the encryption; six digits " + s.Six, What: "carrier", Hex: hex.EncodeToString(inside.Bytes()),
		Diagnostic: records, Digest: s.Digest.String(),
	})

	body := exchange.Encode(exchange.Pull{Since: 7})
	header, err := exchange.Sign(signer(1), tablet, http.MethodPost, "/v1/pull", body, time.UnixMilli(1_790_000_200_000), bytes.NewReader(bytes.Repeat([]byte{0x5a}, 8)))
	require.NoError(t, err)
	proof, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(header, "Ironfeet "))
	require.NoError(t, err)
	add("request for what has come since 7", "request", 1, proof, "")
	last = &all.Vectors[len(all.Vectors)-1]
	last.Text, last.Body = header, hex.EncodeToString(body)
	last.About = diagnose(t, cose.Encode([]string{string(cose.Request), http.MethodPost, "/v1/pull"}))

	enrol := exchange.Encode(exchange.Enrol{
		Token: "0123-4567-89AB", Key: public(1), Recipient: "age140yndm2z4pftejkvtxzdkasrne6jzz5p2ww7afe5rt9x7yyycuvsacary2",
		People: []exchange.PersonKey{{ID: person.Subject, Key: public(0x11)}},
	})
	add("body of the enrolment of that tablet and person", "enrol", 0, enrol, "")
	add("answer to it", "enrolled", 0, exchange.Encode(exchange.Enrolled{County: node.Raw, Certificates: [][]byte{node.Raw, person.Raw}}), "")
	inv := trust.Invitation{Server: "county.example:8642", Root: trust.Fingerprint(public(9)), Token: "0123-4567-89AB"}
	all.Vectors = append(all.Vectors, vector{Name: "invitation code", What: "invitation", Public: hex.EncodeToString(public(9)), Text: inv.Code()})

	refuse := func(name, what, why string, raw []byte) {
		all.Refused = append(all.Refused, refusal{Name: name, What: what, Hex: hex.EncodeToString(raw), Why: why})
	}
	flip := func(raw []byte, i int) []byte {
		raw = bytes.Clone(raw)
		raw[i] ^= 1
		return raw
	}
	whole := bundle.Encode(bundles[0])
	refuse("the last byte of the body is another", "bundle", "the body is not the one that was signed", flip(whole, len(whole)-1))
	refuse("the last byte of the signature is another", "bundle", "the signature does not fit", flip(withheld, len(withheld)-2))
	refuse("the array head is longer than needed", "bundle", "not in canonical form", append([]byte{0x98, 2}, whole[1:]...))
	refuse("a byte too many", "bundle", "not a bundle", append(bytes.Clone(whole), 0))
	refuse("signed for another purpose", "bundle", "the head is a receipt", cose.Encode([]any{receipt, nil}))
	refuse("signed by the tablet, not the root", "certificate", "the signature does not fit", func() []byte {
		m, err := cose.Parse(node.Raw)
		require.NoError(t, err)
		raw, err := cose.Sign(signer(1), m.KID, cose.Certificate, m.Payload)
		require.NoError(t, err)
		return raw
	}())
	refuse("signed by a tablet, not the county", "receipt", "no county node has this key", func() []byte {
		raw, err := trust.SignReceipt(signer(1), trust.Receipt{Node: tablet, UpTo: 4, Tip: bundles[1].Digest})
		require.NoError(t, err)
		return raw
	}())
	return all
}

// If this fails, the change is wrong, not the file (invariant 9).
func TestVectorsAreWrittenTheSameWay(t *testing.T) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(makeVectors(t)))
	if *update {
		require.NoError(t, os.WriteFile(vectorFile, text.Bytes(), 0o644))
	}
	file, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	require.Equal(t, string(file), text.String())
}

// A whole carrier as it lies on a stick, written once: age draws its own randomness.
// The identity that opens it is b's of sync/simulate, and of nobody real.
const (
	carrierFile     = "../testdata/carrier.ironfeet"
	carrierIdentity = "AGE-SECRET-KEY-1KZ4TJ4ZLATR3PT0EQKMHWCZ9T7ADVX5DV3CMG4ET92YMYA3XXVWSCG0XX9"
)

func TestACarrierWrittenLongAgoIsRead(t *testing.T) { // invariant 9
	if _, err := os.Stat(carrierFile); *update && os.IsNotExist(err) {
		own, err := age.ParseX25519Identity(carrierIdentity)
		require.NoError(t, err)
		bundles := vectorBundles(t)
		_, err = Write(ctx, world.Real(), carrierFile, []string{own.Recipient().String()},
			contents([][]byte{bundle.Encode(bundles[0]), bundle.Encode(bundles[1])}, nil, photo(50)))
		require.NoError(t, err)
	}
	s, err := Read(ctx, world.Real(), carrierFile, carrierIdentity, &seen{county: rootOf(9)})
	require.NoError(t, err)
	require.Equal(t, 2, s.Bundles)
	require.Equal(t, 1, s.Blobs)
}

// What was written once stays readable, whatever this version writes (invariant 9).
func TestVectorsAreRead(t *testing.T) {
	var all vectors
	for _, name := range []string{vectorFile, "../testdata/kept.json", "../testdata/kept2.json"} {
		file, err := os.ReadFile(name)
		require.NoError(t, err)
		var some vectors
		require.NoError(t, json.Unmarshal(file, &some))
		require.NotEmpty(t, some.Vectors)
		all.Vectors, all.Refused = append(all.Vectors, some.Vectors...), append(all.Refused, some.Refused...)
	}
	var certificates [][]byte
	county, err := (func() (trust.Certificate, error) {
		root, err := trust.RootFromSeed(seedOf(9))
		require.NoError(t, err)
		return root.Certify(trust.Certificate{
			Subject: uuid.MustParse("0192f7a0-0000-7000-8000-00000000000c"), What: trust.ForNode, Name: "县服务器", Key: public(7), Role: trust.County,
			Scope: []string{"459921"}, From: time.Unix(1, 0), Until: time.Unix(2, 0),
		})
	})()
	require.NoError(t, err)
	certificates = append(certificates, county.Raw)
	read := func(what string, raw []byte) (digest string, err error) {
		switch what {
		case "certificate":
			_, err = trust.VerifyCertificate(raw, public(9))
		case "attestation":
			_, _, err = trust.RollOf(public(9), certificates...).VerifyAttestation(raw)
		case "receipt":
			_, _, err = trust.RollOf(public(9), certificates...).VerifyReceipt(raw)
		case "bundle":
			var b store.Bundle
			if b, _, err = bundle.Parse(raw); err == nil {
				err = bundle.Open(&b, public(1))
			}
			digest = b.Digest.String()
		case "request":
			_, err = cose.ParseProof(raw)
		case "brief":
			_, err = exchange.ParseBrief(raw[:exchange.BriefProof])
		case "enrol":
			err = exchange.Decode(raw, new(exchange.Enrol))
		case "enrolled":
			err = exchange.Decode(raw, new(exchange.Enrolled))
		case "invitation":
		case "carrier":
			var s Summary
			s, err = newReader(bytes.NewReader(raw)).all(ctx, "vector", &seen{county: rootOf(9)})
			digest = s.Digest.String()
		default:
			t.Fatalf("no such vector: %s", what)
		}
		return digest, err
	}
	for _, v := range all.Vectors {
		raw, err := hex.DecodeString(v.Hex)
		require.NoError(t, err)
		digest, err := read(v.What, raw)
		require.NoError(t, err, v.Name)
		if v.Digest != "" {
			require.Equal(t, v.Digest, digest, v.Name)
		}
		switch v.What {
		case "request":
			body, err := hex.DecodeString(v.Body)
			require.NoError(t, err)
			signed, err := exchange.ParseHeader(v.Text)
			require.NoError(t, err)
			require.NoError(t, signed.Verify(public(1), http.MethodPost, "/v1/pull", time.UnixMilli(1_790_000_200_000), new(exchange.Nonces)))
			require.True(t, signed.Holds(store.Hash(body)))
		case "brief":
			signed, err := exchange.ParseBrief(raw[:exchange.BriefProof])
			require.NoError(t, err)
			require.NoError(t, signed.Verify(public(1), http.MethodPost, "/v2/push", time.UnixMilli(1_790_000_200_000), new(exchange.Nonces)))
			require.True(t, signed.Holds(store.Hash(raw[exchange.BriefProof:])))
			var in exchange.PushBrief
			require.NoError(t, exchange.Decode(raw[exchange.BriefProof:], &in))
			var b bundle.Brief
			require.NoError(t, exchange.Decode(in[0], &b))
			want, err := hex.DecodeString(v.Body)
			require.NoError(t, err)
			whole, _, err := bundle.Parse(want)
			require.NoError(t, err)
			got, err := b.Whole(tablet, signed.KID, []string{"459921100", "459921100201"}, whole.Prev)
			require.NoError(t, err)
			require.Equal(t, want, bundle.Encode(got))
			_, err = b.Whole(tablet, signed.KID, nil, whole.Prev)
			require.Error(t, err)
			_, err = b.Whole(tablet, signed.KID, []string{"459921100", "459921100201"}, store.Digest{})
			require.ErrorIs(t, err, bundle.ErrBefore)
		case "invitation":
			inv, err := trust.ParseCode(v.Text)
			require.NoError(t, err)
			require.True(t, inv.Matches(public(9)))
		}
		if v.What == "certificate" {
			certificates = append(certificates, raw)
		}
	}
	for _, r := range all.Refused {
		raw, err := hex.DecodeString(r.Hex)
		require.NoError(t, err)
		_, err = read(r.What, raw)
		require.Error(t, err, r.Name)
	}
}
