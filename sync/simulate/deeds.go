package simulate

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/carrier"
	"ironfeet/sync/cose"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// What may happen in a county, and how often.
var deeds = []struct {
	weight int
	do     func(*run)
}{
	{20, (*run).visit},
	{6, (*run).task},
	{10, (*run).registry},
	{4, (*run).decision},
	{5, (*run).settle},
	{24, (*run).sync},
	{3, (*run).badDay},
	{6, (*run).writeStick},
	{8, (*run).readStick},
	{5, (*run).rumour},
	{5, (*run).forge},
	{3, (*run).lie},
	{2, (*run).clone},
	{2, (*run).keepBackup},
	{1, (*run).setBack},
	{4, (*run).revoke},
	{1, (*run).reinstate},
	{2, (*run).dismiss},
	{2, (*run).accept},
	{3, (*run).mail},
	{2, (*run).weeks},
	{2, (*run).clockJumps},
	{2, (*run).powerCut},
}

// deed lets one thing happen; in one of seven somebody may die of it.
func (r *run) deed() {
	if r.random.IntN(7) == 0 {
		n := r.nodes[r.random.IntN(len(r.nodes))]
		n.fuse = 1 + r.random.IntN(90)
	}
	sum := 0
	for _, d := range deeds {
		sum += d.weight
	}
	at := r.random.IntN(sum)
	for _, d := range deeds {
		if at -= d.weight; at < 0 {
			d.do(r)
			break
		}
	}
	for _, n := range r.nodes {
		n.fuse = 0
	}
}

// place is a village a node works in.
func (r *run) villageOf(n *node) string {
	if len(n.scope) == 12 {
		return n.scope
	}
	var list []string
	for _, v := range []string{"459921100201", "459921100202", "459921101201"} {
		if strings.HasPrefix(v, n.scope) {
			list = append(list, v)
		}
	}
	return list[r.random.IntN(len(list))]
}

// pooled ids let different nodes meet at the same household or task.
func pooled(kind byte, village string, n int) uuid.UUID {
	sum := sha256.Sum256([]byte(village))
	return uuid.UUID{0: 2, 1: kind, 2: sum[0], 3: sum[1], 6: 0x70, 8: 0x80, 15: byte(n)}
}

func (r *run) visit() {
	if n := r.someone(); n.role == trust.Worker {
		r.visitBy(n, r.random.IntN(3))
	}
}

// badDay is a visit with many photos, and then tries to send them over a line that
// goes for good again and again.
func (r *run) badDay() {
	n := r.oneOf(func(n *node) bool { return n.role == trust.Worker })
	r.visitBy(n, 2+r.random.IntN(3))
	for range 2 + r.random.IntN(2) {
		r.syncBy(&road{from: n, ends: 3 + r.random.IntN(6)})
	}
}

func (r *run) visitBy(n *node, photos int) {
	var edit store.Edit
	content := fmt.Sprintf("visit %d of %s", r.count(), n.name)
	n.attempt(func() {
		edit = r.visitOf(n, []byte(content), n.people...)
		for range photos {
			ref, err := n.replica.PutBlob(r.ctx, bytes.NewReader(r.photo()), 1<<20)
			r.ok(n, "keep a photo", err)
			edit.Blobs = append(edit.Blobs, ref)
		}
	})
	if edit.Kind == "" || n.dead {
		return
	}
	if n.write(n.people[0], edit) {
		r.say("%s: %s, %d photos", n.name, content, len(edit.Blobs))
	}
}

// photo is small, seldom larger than a piece.
func (r *run) photo() []byte {
	size := 100 + r.random.IntN(1500)
	if r.random.IntN(12) == 0 {
		size = 60_000 + r.random.IntN(100_000)
	}
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.random.Uint32())
	}
	return b
}

func (r *run) visitOf(n *node, content []byte, who ...byte) store.Edit {
	w := n.world()
	entity, digest := w.NewID(), sha256.Sum256(content)
	var attestations [][]byte
	for _, p := range who {
		raw, err := trust.Attest(keyOf(p), trust.Attestation{Visit: entity, Digest: digest, Person: idOf(p), At: w.Now()})
		must(err)
		attestations = append(attestations, raw)
	}
	return store.Edit{Kind: store.Visit, Entity: entity, Division: r.villageOf(n), Fields: map[string]store.Value{
		"state": store.Text("signed"), "content": store.Bytes(content), "digest": store.Bytes(digest[:]), "attestations": store.Of(attestations),
	}}
}

// task is opened by whoever may, ended at the door.
func (r *run) task() {
	n := r.nodes[r.random.IntN(len(r.nodes))]
	v, i := r.villageOf(n), r.random.IntN(4)
	state := []string{"open", "done", "put off"}[r.random.IntN(3)]
	if n.write(n.people[0], store.Edit{Kind: store.Task, Entity: pooled('t', v, i), Division: v, Fields: map[string]store.Value{"state": store.Text(state)}}) {
		r.say("%s: task %s/%d is %s", n.name, v, i, state)
	}
}

// registry is written by townships and the county, who know nothing of each other.
func (r *run) registry() {
	n := r.oneOf(func(n *node) bool { return n.role != trust.Worker })
	v, i := r.villageOf(n), r.random.IntN(3)
	field := []string{"phone", "address", "aid"}[r.random.IntN(3)]
	value := fmt.Sprintf("%s%d", n.name, r.count())
	if n.write(n.people[0], store.Edit{Kind: store.Household, Entity: pooled('h', v, i), Division: v, Fields: map[string]store.Value{field: store.Text(value)}}) {
		r.say("%s: household %s/%d has %s %s", n.name, v, i, field, value)
	}
}

// decision is what tablets must never hold.
func (r *run) decision() {
	n := r.county()
	v := r.villageOf(n)
	kind := []store.Kind{store.Determination, store.Alert, store.List}[r.random.IntN(3)]
	if n.write(n.people[0], store.Edit{Kind: kind, Division: v, Fields: map[string]store.Value{"note": store.Text(fmt.Sprintf("secret %d", r.count()))}}) {
		r.say("%s: a %s in %s", n.name, kind, v)
	}
}

func (r *run) settle() {
	n := r.oneOf(func(n *node) bool { return n.role != trust.Worker })
	list, err := n.replica.Conflicts(r.ctx, "")
	r.ok(n, "list conflicts", err)
	if len(list) == 0 {
		return
	}
	c := list[r.random.IntN(len(list))]
	e, err := n.replica.Entity(r.ctx, c.Entity)
	r.ok(n, "read a conflict", err)
	if e.Kind == store.Visit {
		return
	}
	value := fmt.Sprintf("settled %d", r.count())
	if n.write(n.people[0], store.Edit{Kind: e.Kind, Entity: c.Entity, Division: e.Division, Fields: map[string]store.Value{c.Field: store.Text(value)}}) {
		r.say("%s: the conflict about %s is %s", n.name, c.Field, value)
	}
}

// sync is one try; in one of four the line is gone for good after some requests, as
// often as not in the middle of the photos.
func (r *run) sync() {
	t := &road{from: r.someone(), trouble: []int{0, 10, 25, 50}[r.random.IntN(4)]}
	if r.random.IntN(4) == 0 {
		t.ends = 1 + r.random.IntN(8)
	}
	r.syncBy(t)
}

// syncOf is one try to reach the county.
func (r *run) syncOf(n *node, trouble int) (whole, moved bool) {
	return r.syncBy(&road{from: n, trouble: trouble})
}

func (r *run) syncBy(t *road) (whole, moved bool) {
	n := t.from
	n.attempt(func() {
		report, err := n.client(t).Sync(r.ctx, nil)
		said := "whole"
		if err != nil {
			said = err.Error()
		}
		whole, moved = err == nil, report.BundlesUp+report.BundlesDown+report.PhotosUp+report.PhotosDown > 0
		r.say("%s syncs: %d up, %d down, %d photos, resumed %d: %s", n.name, report.BundlesUp, report.BundlesDown, report.PhotosUp+report.PhotosDown, report.Resumed, said)
	})
	return whole, moved
}

// A stick is a file that somebody carries.
type stick struct {
	name string
	disk *Disk
	from *node
	torn bool
}

const stickFile = "/stick/x.ironfeet"

func (r *run) writeStick() {
	n := r.nodes[r.random.IntN(len(r.nodes))]
	s := &stick{name: fmt.Sprintf("stick %d", len(r.sticks)+1), disk: NewDisk(n.burn), from: n}
	n.attempt(func() {
		n.seal()
		roll, err := n.merger.Roll(r.ctx)
		r.ok(n, "read the roll", err)
		w := n.world()
		w.Disk = s.disk
		out, err := carrier.Export(r.ctx, w, n.replica, roll, carrier.ExportRequest{}, stickFile)
		var nobody *carrier.NoRecipientError
		if errors.As(err, &nobody) {
			return // it has heard of nobody yet
		}
		r.ok(n, "write a stick", err)
		r.say("%s writes %s: %d bundles, %d photos", n.name, s.name, out.Bundles, out.Blobs)
	})
	s.disk.burn = func() {}
	if s.disk.files[stickFile] != nil {
		s.disk.Crash(r.random) // pulled out at once
	}
	if c := s.disk.files[stickFile]; c != nil {
		r.sealed(c.now)
		if r.random.IntN(5) == 0 { // torn or damaged afterwards
			s.torn = true
			at := r.random.IntN(len(c.now))
			if r.random.IntN(2) == 0 {
				c.now = c.now[:at]
			} else {
				c.now[at] ^= 1 << r.random.IntN(8)
			}
		}
		r.sticks = append(r.sticks, s)
	}
}

func (r *run) readStick() {
	if len(r.sticks) == 0 {
		return
	}
	s := r.sticks[r.random.IntN(len(r.sticks))]
	n := r.nodes[r.random.IntN(len(r.nodes))]
	n.attempt(func() { r.carry(s, n) })
}

func (r *run) carry(s *stick, n *node) {
	w := n.world()
	w.Disk = s.disk
	s.disk.burn = n.burn
	defer func() { s.disk.burn = func() {} }()
	in, err := carrier.Import(r.ctx, w, n.merger, n.identity, stickFile)
	var foreign *carrier.NotForUsError
	var torn *carrier.TornError
	var damaged *carrier.DamagedError
	switch {
	case err == nil && s.torn && in.Torn, errors.As(err, &foreign):
	case s.torn && (errors.As(err, &torn) || errors.As(err, &damaged)):
	case err != nil:
		r.fail("%s cannot read %s: %v", n.name, s.name, err)
	}
	r.say("%s reads %s of %s: %d bundles, %d new photos (%v)", n.name, s.name, s.from.name, in.Bundles, in.NewBlobs, err)
}

// may is whether a node may hold a bundle's body.
func (r *run) may(n *node, b store.Bundle) bool {
	return trust.MayHold(trust.Certificate{Role: n.role, Scope: []string{n.scope}}, b.Division, b.Audience)
}

// rumour carries some bundles from one node to another, out of order and twice.
func (r *run) rumour() {
	var from, to *node
	var raws [][]byte
	for try := 0; try < 6 && len(raws) == 0; try++ {
		from, to = r.nodes[r.random.IntN(len(r.nodes))], r.nodes[r.random.IntN(len(r.nodes))]
		raws = r.raws(from, to)
	}
	r.random.Shuffle(len(raws), func(i, j int) { raws[i], raws[j] = raws[j], raws[i] })
	raws = raws[:min(len(raws), 1+r.random.IntN(8))]
	if len(raws) > 0 && r.random.IntN(2) == 0 {
		raws = append(raws, raws[0])
	}
	to.attempt(func() {
		outcomes, err := to.merger.Take(r.ctx, raws...)
		r.ok(to, "take", err)
		r.say("%s hears %d bundles of %s: %s", to.name, len(raws), from.name, tell(outcomes))
	})
}

func tell(outcomes []merge.Outcome) string {
	counts := map[string]int{}
	for _, o := range outcomes {
		what := string(o.Status)
		if o.Reason != nil {
			what += fmt.Sprintf(" (%T)", o.Reason)
		}
		counts[what]++
	}
	var said []string
	for what, n := range counts {
		said = append(said, fmt.Sprintf("%d %s", n, what))
	}
	slices.Sort(said)
	return strings.Join(said, ", ")
}

// raws are the bundles that one node would give another, as far as that has not
// got them.
func (r *run) raws(from, to *node) (raws [][]byte) {
	list, err := from.replica.Bundles(r.ctx, store.BundleQuery{})
	r.ok(from, "read the log", err)
	for _, b := range list {
		tip, err := to.replica.Tip(r.ctx, b.Node)
		r.ok(to, "read the tip", err)
		if b.Last <= tip.Last {
			continue
		}
		if !r.may(to, b) {
			b = bundle.Withhold(b)
		}
		raws = append(raws, bundle.Encode(b))
	}
	return raws
}

// forge changes what travels: a flipped bit, another's signature, another's number.
func (r *run) forge() {
	from, to := r.nodes[r.random.IntN(len(r.nodes))], r.nodes[r.random.IntN(len(r.nodes))]
	list, err := from.replica.Bundles(r.ctx, store.BundleQuery{})
	r.ok(from, "read the log", err)
	if len(list) == 0 {
		return
	}
	b := list[r.random.IntN(len(list))]
	if !r.may(to, b) {
		return
	}
	raw, how := bundle.Encode(b), "a flipped bit"
	if r.random.IntN(2) == 0 {
		raw[r.random.IntN(len(raw))] ^= 1 << r.random.IntN(8)
		r.damaged[sha256.Sum256(raw)] = true
	} else {
		how = "a stranger's signature"
		raw = r.forged(b)
	}
	to.attempt(func() {
		outcomes, err := to.merger.Take(r.ctx, raw)
		r.ok(to, "take", err)
		r.say("%s is brought bundle %s %d-%d with %s: %s", to.name, from.name, b.First, b.Last, how, tell(outcomes))
	})
}

// forged is a bundle in a node's name that somebody else signed, behind the node's
// last or in its place.
func (r *run) forged(b store.Bundle) []byte {
	marker := r.marker()
	tip := store.Tip{Node: b.Node, Last: b.Last, Digest: b.Digest}
	change := store.Change{
		ChangeID: store.ChangeID{Node: b.Node, Seq: b.Last + 1}, Clock: store.Clock(r.now.UnixMilli()) << 16, Author: idOf(0x21), Kind: store.Household,
		Entity: pooled('h', "459921100201", 0), Division: b.Division, Fields: []store.Field{{Name: "phone", Value: store.Text(marker)}},
	}
	sealed, err := bundle.Seal(keyOf(0xee), tip, b.Division, 0, []store.Change{change})
	must(err)
	if r.random.IntN(2) == 0 { // under the key id of the node itself
		m, err := cose.Parse(sealed.Head)
		must(err)
		sealed.Head = bytes.Replace(sealed.Head, m.KID, cose.KeyID(pubOf(keyOf(b.Node[15]))), 1)
	}
	return bundle.Encode(sealed)
}

// lie lets a node sign what it must not say; the node itself believes it.
func (r *run) lie() {
	n := r.oneOf(func(n *node) bool { return n.role == trust.Worker })
	marker := r.marker()
	v := n.scope
	edits := []store.Edit{
		{Kind: store.Household, Entity: pooled('h', v, 0), Division: v, Fields: map[string]store.Value{"phone": store.Text(marker)}},
		{Kind: store.Task, Entity: pooled('h', v, r.random.IntN(3)), Division: v, Fields: map[string]store.Value{"phone": store.Text(marker)}},
		{Kind: store.Determination, Division: v, Fields: map[string]store.Value{"category": store.Text(marker)}},
		trust.RevokeEdit(idOf(cast[1].n), countyCode, 0, marker),
	}
	edit := edits[r.random.IntN(len(edits))]
	if edit.Kind == store.Task {
		r.markers[marker] = edit.Entity
	}
	if r.random.IntN(3) == 0 {
		r.markers[marker] = uuid.Nil
		n.attempt(func() { edit = r.visitOf(n, []byte(marker), n.people[0]) })
	}
	if n.write(n.people[0], edit) {
		n.liar = true
		r.say("%s signs a %s that it must not: %s", n.name, edit.Kind, marker)
	}
}

// A backup is a copy of a node's folder.
type backup struct {
	db   []byte
	disk *Disk
	at   time.Time
}

func (n *node) copied() *backup {
	n.close()
	db, err := os.ReadFile(filepath.Join(n.dir, database))
	must(err)
	b := &backup{db, n.disk.Clone(func() {}), n.r.now}
	n.start()
	return b
}

func (r *run) keepBackup() {
	if n := r.someone(); n.backup == nil {
		n.backup = n.copied()
		r.say("%s is copied", n.name)
	}
}

// setBack puts an old copy back: what was written since is gone from the machine.
func (r *run) setBack() {
	n := r.oneOf(func(n *node) bool { return n.backup != nil && n.role == trust.Worker })
	if n == nil {
		return
	}
	n.close()
	for _, beside := range []string{"-wal", "-shm"} {
		_ = os.Remove(filepath.Join(n.dir, database+beside)) // there may be none
	}
	must(os.WriteFile(filepath.Join(n.dir, database), n.backup.db, 0o600))
	n.disk = n.backup.disk.Clone(n.burn)
	n.backup, n.cloned, n.acked = nil, true, nil
	n.start()
	r.say("%s is set back to an old copy", n.name)
}

// clone copies a tablet with its key; both go on.
func (r *run) clone() {
	n := r.oneOf(func(n *node) bool { return n.role == trust.Worker && !n.cloned })
	if n == nil || len(r.nodes) > len(cast) {
		return
	}
	b := n.copied()
	twin := r.place(n.part, n.name+"'")
	twin.disk = b.disk.Clone(twin.burn)
	twin.disk.Move(n.dir, twin.dir)
	must(os.WriteFile(filepath.Join(twin.dir, database), b.db, 0o600))
	n.cloned, twin.cloned = true, true
	twin.start()
	r.say("%s is cloned", n.name)
}

func (r *run) revoke() {
	n := r.oneOf(func(n *node) bool { return n.role == trust.Worker && !n.revoked })
	if n == nil {
		return
	}
	c := r.county()
	tip, err := c.replica.Tip(r.ctx, idOf(n.n))
	r.ok(c, "read the tip", err)
	after := tip.Last
	if after > 0 && r.random.IntN(2) == 0 {
		after -= uint64(r.random.Int64N(int64(after)))
	}
	if c.write(0, trust.RevokeEdit(idOf(n.n), countyCode, after, "lost")) {
		r.each(n, func(n *node) { n.revoked = true })
		r.say("%s revokes %s after %d", c.name, n.name, after)
	}
	r.reconsider()
}

// each does the same to a node and its clones.
func (r *run) each(n *node, do func(*node)) {
	for _, m := range r.nodes {
		if m.n == n.n {
			do(m)
		}
	}
}

// reconsider draws the consequences of the county's word; in one of two the county
// dies between the two.
func (r *run) reconsider() {
	c := r.county()
	if !r.quiet && r.random.IntN(2) == 0 {
		c.fuse = 1 + r.random.IntN(12)
	}
	c.attempt(func() {
		_, err := c.merger.Reconsider(r.ctx)
		r.ok(c, "reconsider", err)
	})
}

func (r *run) reinstate() {
	n := r.oneOf(func(n *node) bool { return n.revoked })
	if n == nil {
		return
	}
	c := r.county()
	if c.write(0, trust.ReinstateEdit(idOf(n.n), countyCode)) {
		r.each(n, func(n *node) { n.revoked = false })
		r.say("%s takes %s back", c.name, n.name)
	}
	r.reconsider()
}

// dismiss ends a person's signatures, from some moment on.
func (r *run) dismiss() {
	p := staff[r.random.IntN(8)].n
	c := r.county()
	from := r.now.Add(-time.Duration(r.random.IntN(200)) * time.Hour)
	if c.write(0, trust.RevokePersonEdit(idOf(p), countyCode, from, "left")) {
		r.say("%s ends person %x from %s", c.name, p, from.Format("01-02"))
	}
	r.reconsider()
}

// accept is a person of the county who decides about what was set aside.
func (r *run) accept() {
	c := r.county()
	list, err := c.replica.HeldBundles(r.ctx)
	r.ok(c, "read what is held", err)
	if len(list) == 0 {
		return
	}
	h := list[r.random.IntN(len(list))]
	b, m, err := bundle.Parse(h.Raw)
	if err != nil || m.Verify(pubOf(keyOf(b.Node[15]))) != nil || b.Body == nil {
		return // nobody can accept what nobody signed
	}
	r.decide(c, b)
}

func (r *run) decide(c *node, b store.Bundle) {
	must(bundle.Decode(&b))
	if slices.ContainsFunc(b.Changes, func(c store.Change) bool { return c.Kind == store.Node }) {
		return // no clerk lets a tablet revoke a township
	}
	if c.write(0, trust.AcceptEdit(b.Node, countyCode, b.First, b.Digest)) {
		for i := range b.Changes {
			for _, f := range b.Changes[i].Fields {
				delete(r.markers, f.Value.Text())
				delete(r.markers, string(f.Value.Bytes()))
			}
		}
		r.say("%s accepts bundle %s %d-%d", c.name, r.nameOf(b.Node), b.First, b.Last)
	}
	r.reconsider()
}

func (r *run) nameOf(id uuid.UUID) string {
	for _, p := range cast {
		if idOf(p.n) == id {
			return p.letter
		}
	}
	return id.String()
}

// mail lets a request arrive that was on its way for long.
func (r *run) mail() {
	if len(r.late) == 0 {
		return
	}
	i := r.random.IntN(len(r.late))
	l := r.late[i]
	r.late = slices.Delete(r.late, i, i+1)
	out := r.arrives(l, len(l.body))
	code := 0
	if out != nil {
		code = out.Code
	}
	r.say("a late request arrives: %s %s: %d", l.method, l.path, code)
}

func (r *run) weeks() {
	r.now = r.now.Add(time.Duration(r.random.IntN(21*24)) * time.Hour)
	r.say("time passes")
}

func (r *run) clockJumps() {
	n := r.someone()
	n.skew = r.wrongClock()
	r.say("the clock of %s is off by %s", n.name, n.skew)
}

func (r *run) powerCut() {
	n := r.nodes[r.random.IntN(len(r.nodes))]
	r.say("the power of %s is cut", n.name)
	n.restart()
}
