package trust_test

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/cose"
	"ironfeet/sync/trust"
)

const (
	county   = "459921" // 云栖县, fictitious
	township = "459921100"
	village  = "459921100201"
)

var (
	from  = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	until = time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
)

func keyOf(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func pubOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func id(n byte) uuid.UUID { return uuid.UUID{0: 1, 6: 0x70, 8: 0x80, 15: n} }

func rootOf(t require.TestingT, b byte) trust.Root {
	root, err := trust.RootFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
	require.NoError(t, err)
	return root
}

func certify(t require.TestingT, what string, n byte, role trust.Role, scope ...string) trust.Certificate {
	c, err := rootOf(t, 9).Certify(trust.Certificate{
		Subject: id(n), What: what, Name: fmt.Sprintf("第%d号", n), Key: pubOf(keyOf(n)), Role: role, Scope: scope, From: from, Until: until,
	})
	require.NoError(t, err)
	return c
}

func TestACertificateIsReadBack(t *testing.T) {
	c := certify(t, trust.ForNode, 1, trust.Worker, village, "459921100202")
	got, err := trust.VerifyCertificate(c.Raw, rootOf(t, 9).Public())
	require.NoError(t, err)
	require.Equal(t, c, got)
	require.True(t, got.Covers(village))
	require.False(t, got.Covers(township))

	_, err = trust.VerifyCertificate(c.Raw, rootOf(t, 8).Public())
	var refused *trust.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, trust.BadCertificate, refused.Rule)
}

func TestEveryFlippedBitOfACertificateIsRefused(t *testing.T) { // invariant 3
	raw := certify(t, trust.ForNode, 1, trust.Worker, village).Raw
	for i := range raw {
		for bit := range 8 {
			bad := bytes.Clone(raw)
			bad[i] ^= 1 << bit
			_, err := trust.VerifyCertificate(bad, rootOf(t, 9).Public())
			require.Errorf(t, err, "byte %d bit %d", i, bit)
		}
	}
}

func TestWhatTheRootDoesNotSign(t *testing.T) {
	right := trust.Certificate{Subject: id(1), What: trust.ForNode, Name: "村1", Key: pubOf(keyOf(1)), Role: trust.Worker, Scope: []string{village}, From: from, Until: until}
	for _, test := range []struct {
		name  string
		alter func(*trust.Certificate)
	}{
		{"no subject", func(c *trust.Certificate) { c.Subject = uuid.Nil }},
		{"neither node nor person", func(c *trust.Certificate) { c.What = "house" }},
		{"no name", func(c *trust.Certificate) { c.Name = "" }},
		{"no key", func(c *trust.Certificate) { c.Key = nil }},
		{"no role", func(c *trust.Certificate) { c.Role = "king" }},
		{"a role for persons only", func(c *trust.Certificate) { c.Role = trust.Approver }},
		{"no scope", func(c *trust.Certificate) { c.Scope = nil }},
		{"the whole country", func(c *trust.Certificate) { c.Scope = []string{""} }},
		{"a scope of letters", func(c *trust.Certificate) { c.Scope = []string{"45992x"} }},
		{"no time", func(c *trust.Certificate) { c.Until = c.From }},
		{"a recipient that is none", func(c *trust.Certificate) { c.Recipient = "mailto:x" }},
		{"a recipient for a person", func(c *trust.Certificate) { c.What, c.Recipient = trust.ForPerson, "age1x" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := right
			test.alter(&c)
			_, err := rootOf(t, 9).Certify(c)
			require.Error(t, err)
		})
	}
	_, err := rootOf(t, 9).Certify(right)
	require.NoError(t, err)
}

// The table of roles and kinds, read out in the words of the work.
func TestWhoMayWriteWhat(t *testing.T) { // invariant 3
	all := []store.Kind{store.Household, store.Member, store.Task, store.Visit, store.Review, store.Alert, store.Determination,
		store.Need, store.Form, store.Standards, store.List, store.Person, store.Node}
	for role, may := range map[trust.Role]string{
		trust.Worker:        "task visit",
		trust.Township:      "household member task visit review need",
		trust.County:        "household member task visit review alert determination need form standards list person node",
		trust.Approver:      "household member task review determination need",
		trust.ChildApprover: "task determination need",
		trust.Auditor:       "",
		"nobody":            "",
	} {
		var got []string
		for _, kind := range all {
			if trust.MayWrite(role, kind) {
				got = append(got, string(kind))
			}
		}
		require.Equal(t, may, strings.Join(got, " "), role)
	}
	require.True(t, trust.MayWrite(trust.County, "something new"))
	require.False(t, trust.MayWrite(trust.Township, "something new"))
	require.Equal(t, trust.CountyOnly, trust.Audience("something new"))
	require.False(t, trust.KnownKind("something new"))
}

func TestWhoMayHoldWhat(t *testing.T) { // invariant 7
	for _, test := range []struct {
		name     string
		role     trust.Role
		scope    string
		division string
		audience uint8
		may      bool
	}{
		{"a worker the own village", trust.Worker, village, village, trust.Everyone, true},
		{"a worker not the next village", trust.Worker, village, "459921100202", trust.Everyone, false},
		{"a worker what the township publishes", trust.Worker, village, township, trust.Everyone, true},
		{"a worker what the county publishes", trust.Worker, village, county, trust.Everyone, true},
		{"a worker no alerts", trust.Worker, village, village, trust.TownshipUp, false},
		{"a township its villages", trust.Township, township, village, trust.TownshipUp, true},
		{"a township not another's", trust.Township, township, "459921101201", trust.Everyone, false},
		{"a township no lists", trust.Township, township, county, trust.CountyOnly, false},
		{"the county everything", trust.County, county, village, trust.CountyOnly, true},
		{"another county nothing", trust.County, "459922", village, trust.Everyone, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.may, trust.MayHold(certify(t, trust.ForNode, 1, test.role, test.scope), test.division, test.audience))
		})
	}
}

func TestInvitations(t *testing.T) {
	root := rootOf(t, 9).Public()
	inv, err := trust.NewInvitation(world.World{Rand: bytes.NewReader(make([]byte, 64))}, "yunqi.example:8443", root)
	require.NoError(t, err)
	require.True(t, inv.Matches(root))
	require.False(t, inv.Matches(rootOf(t, 8).Public()))
	code := inv.Code()
	for _, test := range []struct{ name, typed string }{
		{"as it stands", code},
		{"in small letters", strings.ToLower(code)},
		{"with spaces at the ends and inside", "  " + strings.ReplaceAll(code, "-", " ") + "\n"},
		{"without groups", code[:strings.Index(code, "#")] + "#" + strings.ReplaceAll(code[strings.Index(code, "#"):], "-", "")[1:]},
		{"O for 0", code[:strings.Index(code, "#")] + strings.ReplaceAll(code[strings.Index(code, "#"):], "0", "O")},
		{"I for 1", code[:strings.Index(code, "#")] + strings.ReplaceAll(code[strings.Index(code, "#"):], "1", "i")},
		{"on a Chinese keyboard", strings.Map(func(r rune) rune {
			if r > ' ' && r <= '~' {
				return r - '!' + '！'
			}
			return r
		}, code)},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := trust.ParseCode(test.typed)
			require.NoError(t, err)
			require.Equal(t, inv, got)
		})
	}
}

func TestASlipInACodeIsNoticed(t *testing.T) {
	inv := trust.Invitation{Server: "yunqi.example", Root: trust.Fingerprint(rootOf(t, 9).Public()), Token: "0123-4567-89AB"}
	code := inv.Code()
	for i := range code {
		for _, r := range "0A7Z.x" {
			typed := code[:i] + string(r) + code[i+1:]
			got, err := trust.ParseCode(typed)
			if err == nil {
				require.Equalf(t, inv, got, "%s", typed) // only what reads the same
				continue
			}
			require.Equal(t, &trust.InvitationError{Why: trust.Mistyped}, err)
		}
		swapped := []byte(code)
		if i+1 < len(code) {
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			if got, err := trust.ParseCode(string(swapped)); err == nil {
				require.Equal(t, inv, got)
			}
		}
	}
	for _, typed := range []string{"", "#", "x#", "yunqi.example", strings.Repeat("9", 1000), "云栖#" + code[strings.Index(code, "#")+1:]} {
		_, err := trust.ParseCode(typed)
		require.Error(t, err, typed)
	}
	require.Equal(t, "trust.invitation_used", (&trust.InvitationError{Why: trust.Used}).Code())
}

func TestEveryInvitationSurvivesTheTelephone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "random")
		server := rapid.StringMatching(`(https?://)?[a-z0-9.]{1,30}(:[0-9]{2,5})?`).Draw(t, "server")
		inv, err := trust.NewInvitation(world.World{Rand: bytes.NewReader(seed)}, server, rootOf(t, 9).Public())
		require.NoError(t, err)
		got, err := trust.ParseCode(inv.Code())
		require.NoError(t, err)
		require.Equal(t, inv, got)
	})
}

func FuzzParseCode(f *testing.F) {
	f.Add(trust.Invitation{Server: "yunqi.example", Root: trust.Fingerprint(rootOf(f, 9).Public()), Token: "0123-4567-89AB"}.Code())
	f.Add("a#b")
	f.Add("＃")
	f.Fuzz(func(t *testing.T, code string) {
		inv, err := trust.ParseCode(code)
		if err != nil {
			return
		}
		if again, err := trust.ParseCode(inv.Code()); err != nil || again != inv {
			t.Fatalf("%q reads as %+v, written again as %q", code, inv, inv.Code())
		}
	})
}

func FuzzVerifyCertificate(f *testing.F) {
	f.Add(certify(f, trust.ForNode, 1, trust.Worker, village).Raw)
	f.Add(certify(f, trust.ForPerson, 2, trust.Auditor, county).Raw)
	f.Add([]byte{0xd2})
	root := rootOf(f, 9).Public()
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := trust.VerifyCertificate(raw, root); err == nil && len(c.Scope) == 0 {
			t.Fatal("a certificate without a scope")
		}
	})
}

// A message of a newer version is refused, not misread.
func TestANewerCertificateIsNotGuessed(t *testing.T) { // invariant 9
	c := certify(t, trust.ForNode, 1, trust.Worker, village)
	m, err := cose.Parse(c.Raw)
	require.NoError(t, err)
	var fields map[int]any
	require.NoError(t, cose.Decode(m.Payload, &fields))
	fields[1] = 2
	raw, err := cose.Sign(keyOf(9), m.KID, cose.Certificate, cose.Encode(fields))
	require.NoError(t, err)
	_, err = trust.VerifyCertificate(raw, rootOf(t, 9).Public())
	require.ErrorContains(t, err, "newer")
}
