package simulate

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// 云栖县 is fictitious, and so is everybody in it.
const (
	countyCode = "459921"
	database   = "replica.db"
)

// A part is who plays a node: its number gives id and key.
type part struct {
	n        byte
	letter   string
	role     trust.Role
	scope    string
	people   []byte
	identity string // age: where carriers for it are sealed to
}

// The cast. The county comes first; observer is a county node that nobody talks to,
// which is told the same changes in another order.
var cast = []part{
	{7, "c", trust.County, countyCode, []byte{0x21, 0x22}, "AGE-SECRET-KEY-12DVWCUFWU06VYELG8UQ9KLCY3U6MWCFCJ4ZG45LHVZPQZHTEJP6S06P5D4"},
	{3, "s", trust.Township, "459921100", []byte{0x14}, "AGE-SECRET-KEY-14AZ878VNUY824Q6C3CFYYW48AUVGUL2PR33MG6TN53XYZSFFMMCQTYM98X"},
	{1, "a", trust.Worker, "459921100201", []byte{0x11, 0x12}, "AGE-SECRET-KEY-1N25XUK6MK8F5WKCWHYV9QHLVTC46WTDA99YWPDU6U7L99RRFEDDQVR7KUN"},
	{2, "b", trust.Worker, "459921100202", []byte{0x13, 0x15}, "AGE-SECRET-KEY-1KZ4TJ4ZLATR3PT0EQKMHWCZ9T7ADVX5DV3CMG4ET92YMYA3XXVWSCG0XX9"},
	{5, "e", trust.Worker, "459921100201", []byte{0x12, 0x11}, "AGE-SECRET-KEY-1XT988EYDDT8NFG4YVUFMEU8A0260KMNXP8984N08ZU6SKJRS53RQ92PY9R"},
	{4, "t", trust.Township, "459921101", []byte{0x16}, "AGE-SECRET-KEY-1J9WFGJC7VDJ2ZUDJG0E7J2SKCPKW9SZJ9APUJ50Z8803KG3GJ2WQYXTGRW"},
	{6, "d", trust.Worker, "459921101201", []byte{0x17, 0x18}, "AGE-SECRET-KEY-1VS8YMWN4ZRT857EK4JT8NAWMMPQF3V9SXM8S4VZZSZGY38D260FSYPPLUY"},
}

var observer = part{0x66, "x", trust.County, countyCode, nil, ""}

var staff = []struct {
	n     byte
	role  trust.Role
	scope string
}{
	{0x11, trust.Worker, "459921100201"}, {0x12, trust.Worker, "459921100201"}, {0x13, trust.Worker, "459921100202"}, {0x15, trust.Worker, "459921100202"},
	{0x17, trust.Worker, "459921101201"}, {0x18, trust.Worker, "459921101201"}, {0x14, trust.Township, "459921100"}, {0x16, trust.Township, "459921101"},
	{0x21, trust.County, countyCode}, {0x22, trust.County, countyCode},
}

var begin = time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)

func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func pubOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

func idOf(n byte) uuid.UUID { return uuid.UUID{0: 1, 6: 0x70, 8: 0x80, 15: n} }

func (p part) recipient() string {
	if p.identity == "" {
		return ""
	}
	id, err := age.ParseX25519Identity(p.identity)
	must(err)
	return id.Recipient().String()
}

// must is for what cannot fail unless this package is wrong.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("simulate: %v", err))
	}
}

// stages are the folders of a county on the evening before: made once, and copied
// for every seed, because a schema takes longer to make than a life takes to play.
type stage struct {
	db   []byte
	disk *Disk
}

var stages = sync.OnceValue(func() map[string]stage {
	out := map[string]stage{}
	for _, p := range append([]part{observer}, cast...) {
		out[p.letter] = setStage(p, nil)
	}
	// The day after: everybody has heard the county's first word.
	var word [][]byte
	word, out["c"] = firstWord(out["c"])
	for _, p := range cast[1:] {
		out[p.letter+" informed"] = setStage(p, word)
	}
	return out
})

// firstWord is the county's first bundle, who is enrolled, and the county having
// said it.
func firstWord(s stage) (raws [][]byte, after stage) {
	dir, err := os.MkdirTemp(scratch(), "ironfeet-stage-")
	must(err)
	defer os.RemoveAll(dir)
	r := &run{ctx: context.Background(), dir: dir, random: rand.New(rand.NewPCG(0, 0)), now: begin, oracle: newOracle()}
	c := r.enterOn(cast[0], "c", s)
	defer c.close()
	c.seal()
	list, err := c.replica.Bundles(r.ctx, store.BundleQuery{})
	must(err)
	for _, b := range list {
		raws = append(raws, bundle.Encode(b))
	}
	b := c.copied()
	b.disk.Move(c.dir, stageDir)
	return raws, stage{b.db, b.disk}
}

// scratch is where SQLite keeps its files: in memory where the machine has such a
// folder.
func scratch() string {
	if s, err := os.Stat("/dev/shm"); err == nil && s.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}

const stageDir = "/node"

func setStage(p part, word [][]byte) stage {
	ctx := context.Background()
	dir, err := os.MkdirTemp(scratch(), "ironfeet-stage-")
	must(err)
	defer os.RemoveAll(dir)
	random := rand.NewChaCha8([32]byte{p.n})
	disk := NewDisk(func() {})
	w := world.World{Now: func() time.Time { return begin }, Rand: random, Disk: disk}
	v, err := vault.Create(w, dir)
	must(err)
	keys, err := v.First()
	must(err)
	must(v.AllowUnattended(keys))
	r, err := store.Create(ctx, store.Options{World: w, Dir: dir, Keys: keys, Unpack: bundle.Decode}, store.Identity{Node: idOf(p.n), Name: p.letter, Division: p.scope, Role: string(p.role)})
	must(err)
	root := rootOf()
	must(r.SetSetting(ctx, trust.CountyCertificate, certify(root, trust.ForNode, cast[0].n, cast[0].role, cast[0].scope, cast[0].recipient()).Raw))
	if p.n == cast[0].n {
		var edits []store.Edit
		for _, c := range certificates() {
			edits = append(edits, trust.CertificateEdit(c, countyCode))
		}
		_, err := r.Write(ctx, uuid.Nil, edits...)
		must(err)
	}
	_, err = merge.Knowing(r, enrolled()).Take(ctx, word...)
	must(err)
	must(r.Close())
	db, err := os.ReadFile(filepath.Join(dir, database))
	must(err)
	disk.Move(dir, stageDir)
	return stage{db, disk}
}

// certificates are everybody's.
var certificates = sync.OnceValue(func() (list []trust.Certificate) {
	root := rootOf()
	for _, q := range cast {
		list = append(list, certify(root, trust.ForNode, q.n, q.role, q.scope, q.recipient()))
	}
	for _, s := range staff {
		list = append(list, certify(root, trust.ForPerson, s.n, s.role, s.scope, ""))
	}
	return list
})

// enrolled is the roll of them all, verified once.
var enrolled = sync.OnceValue(func() *trust.Roll {
	var raws [][]byte
	for _, c := range certificates() {
		raws = append(raws, c.Raw)
	}
	return trust.RollOf(rootOf().Public(), raws...)
})

func rootOf() trust.Root {
	root, err := trust.RootFromSeed(bytes.Repeat([]byte{9}, ed25519.SeedSize))
	must(err)
	return root
}

func certify(root trust.Root, what string, n byte, role trust.Role, scope, recipient string) trust.Certificate {
	c, err := root.Certify(trust.Certificate{
		Subject: idOf(n), What: what, Name: fmt.Sprintf("%s %x", what, n), Key: pubOf(keyOf(n)), Recipient: recipient, Role: role, Scope: []string{scope},
		From: begin.AddDate(-1, 0, 0), Until: begin.AddDate(2, 0, 0),
	})
	must(err)
	return c
}
