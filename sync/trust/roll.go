package trust

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
)

// Fields by which the county speaks about nodes and persons, beside "cert.…".
const (
	// RevokedAfter of a node is the last sequence number that counts. Of a person
	// it does not exist: a person has no sequence, see RevokedFrom.
	RevokedAfter  = "revoked.after"
	RevokedReason = "revoked.reason"

	// RevokedFrom of a person is the moment, in Unix milliseconds, from which the
	// person's signatures no longer count.
	RevokedFrom = "revoked.from"

	// acceptedPrefix and a sequence number, of a node: the digest of the head that
	// the county accepts there although a rule stands against it, or that it chose
	// among two branches.
	acceptedPrefix = "accepted."
)

// CountyCertificate is the setting of a replica that holds the certificate of the
// county's own node, as enrolment delivered it: with it the first bundle of the
// county can be judged, which brings everybody else's.
const CountyCertificate = "county.cert"

// A Roll is who is believed: the certificates under one root, and what the county
// revoked or accepted. It never changes; Load it again when changes of kind person
// or node arrived.
type Roll struct {
	root          ed25519.PublicKey
	roots         []ed25519.PublicKey // and those that it leads to
	vouches       [][]byte
	pending       []pending                   // certificates met while it is being loaded
	nodes         map[uuid.UUID][]Certificate // newest first
	people        map[uuid.UUID][]Certificate
	revoked       map[uuid.UUID]Revocation
	personRevoked map[uuid.UUID]time.Time
	accepted      map[acceptedAt]store.Digest
	faults        []error

	verified map[string]Certificate // by their bytes, while it is being loaded
}

type acceptedAt struct {
	node  uuid.UUID
	first uint64
}

// pending is a certificate as an entity holds it: whether it counts can be said when
// every root is known.
type pending struct {
	entity uuid.UUID
	raw    []byte
}

// A Revocation ends a node: its changes beyond After do not count.
type Revocation struct {
	After  uint64
	Reason string
}

const pageSize = 500

// Load reads the roll from the changes of a replica. A certificate that does not
// verify is left out and listed by Faults.
func Load(ctx context.Context, r *store.Replica, root ed25519.PublicKey) (*Roll, error) {
	return RollOf(root).Reload(ctx, r)
}

// Reload is Load under the same root. Certificates that this roll has verified are
// not verified again: their signatures are most of the cost.
func (r *Roll) Reload(ctx context.Context, replica *store.Replica) (*Roll, error) {
	roll := emptyRoll(r.root)
	roll.verified = map[string]Certificate{}
	for _, all := range []map[uuid.UUID][]Certificate{r.nodes, r.people} {
		for _, list := range all {
			for _, c := range list {
				roll.verified[string(c.Raw)] = c
			}
		}
	}
	defer func() { roll.verified = nil }()
	county, err := replica.Setting(ctx, CountyCertificate)
	if err != nil {
		return nil, fmt.Errorf("load the roll: %w", err)
	}
	if county != nil {
		roll.pending = append(roll.pending, pending{uuid.Nil, county})
	}
	for _, kind := range []store.Kind{store.Node, store.Person} {
		var after uuid.UUID
		for {
			page, err := replica.Entities(ctx, store.Query{Kind: kind, After: after, Limit: pageSize})
			if err != nil {
				return nil, fmt.Errorf("load the roll: %w", err)
			}
			for _, e := range page {
				if err := roll.read(ctx, replica, e); err != nil {
					return nil, fmt.Errorf("load the roll: %w", err)
				}
				after = e.ID
			}
			if len(page) < pageSize {
				break
			}
		}
	}
	roll.settle()
	return roll, nil
}

// settle works out what was met: first the roots, then what they certify.
func (r *Roll) settle() {
	r.follow()
	for _, p := range r.pending {
		r.add(p.entity, p.raw)
	}
	r.pending = nil
	r.sort()
}

// sort puts every subject's newest certificate first, each once.
func (r *Roll) sort() {
	for _, all := range []map[uuid.UUID][]Certificate{r.nodes, r.people} {
		for id, list := range all {
			slices.SortFunc(list, newestFirst)
			all[id] = slices.CompactFunc(list, func(a, b Certificate) bool { return bytes.Equal(a.Raw, b.Raw) })
		}
	}
}

func newestFirst(a, b Certificate) int {
	return cmp.Or(b.From.Compare(a.From), b.Until.Compare(a.Until), bytes.Compare(a.Raw, b.Raw))
}

// read takes what one entity of kind node or person says.
func (r *Roll) read(ctx context.Context, replica *store.Replica, e *store.Entity) error {
	for _, name := range sortedNames(e.Fields) {
		value := e.Fields[name]
		if strings.HasPrefix(name, certPrefix) && !value.IsNull() {
			r.pending = append(r.pending, pending{e.ID, value.Bytes()})
		}
		if strings.HasPrefix(name, vouchPrefix) && e.Kind == store.Node && len(value.Bytes()) > 0 {
			r.vouches = append(r.vouches, value.Bytes())
		}
		first, isAccepted := strings.CutPrefix(name, acceptedPrefix)
		if seq, err := strconv.ParseUint(first, 10, 64); isAccepted && err == nil && e.Kind == store.Node && len(value.Bytes()) == len(store.Digest{}) {
			r.accepted[acceptedAt{e.ID, seq}] = store.Digest(value.Bytes())
		}
	}
	field := RevokedAfter
	if e.Kind == store.Person {
		field = RevokedFrom
	}
	values := []store.Value{e.Fields[field]}
	if slices.Contains(e.Conflicts, field) { // two clerks at once: the narrower word counts
		heads, err := replica.Heads(ctx, e.ID, field)
		if err != nil {
			return err
		}
		for _, head := range heads {
			values = append(values, head.Value)
		}
	}
	for _, value := range values {
		n, ok := value.Int()
		if len(value) == 0 || value.IsNull() || !ok || n < 0 {
			continue
		}
		if e.Kind == store.Person {
			if at, known := r.personRevoked[e.ID]; !known || time.UnixMilli(n).Before(at) {
				r.personRevoked[e.ID] = time.UnixMilli(n)
			}
		} else if old, known := r.revoked[e.ID]; !known || uint64(n) < old.After {
			r.revoked[e.ID] = Revocation{After: uint64(n), Reason: e.Text(RevokedReason)}
		}
	}
	return nil
}

func sortedNames(fields map[string]store.Value) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// add takes a certificate if the root signed it for this entity.
func (r *Roll) add(entity uuid.UUID, raw []byte) {
	c, known := r.verified[string(raw)]
	var err error
	if !known {
		c, err = r.Verify(raw)
	}
	if err == nil && entity != uuid.Nil && c.Subject != entity {
		err = &RefusedError{Rule: BadCertificate, Node: entity}
	}
	switch {
	case err != nil:
		r.faults = append(r.faults, err)
	case c.What == ForNode:
		r.nodes[c.Subject] = append(r.nodes[c.Subject], c)
	default:
		r.people[c.Subject] = append(r.people[c.Subject], c)
	}
}

// Root is the key under which the roll stands.
func (r *Roll) Root() ed25519.PublicKey { return r.root }

// Faults are certificates in the replica that the root did not sign.
func (r *Roll) Faults() []error { return r.faults }

// Node returns a node's newest certificate.
func (r *Roll) Node(id uuid.UUID) (Certificate, bool) {
	if list := r.nodes[id]; len(list) > 0 {
		return list[0], true
	}
	return Certificate{}, false
}

// NodeKey returns the certificate of the node's key with this key id.
func (r *Roll) NodeKey(id uuid.UUID, kid []byte) (Certificate, bool) { return find(r.nodes[id], kid) }

// NodeOfKey finds whose key an id is: the certificate's subject.
func (r *Roll) NodeOfKey(kid []byte) (Certificate, bool) {
	for _, list := range r.nodes {
		if c, found := find(list, kid); found {
			return c, true
		}
	}
	return Certificate{}, false
}

func find(list []Certificate, kid []byte) (Certificate, bool) {
	for _, c := range list {
		if bytes.Equal(cose.KeyID(c.Key), kid) {
			return c, true
		}
	}
	return Certificate{}, false
}

// Person returns all certificates of a person, the newest first.
func (r *Roll) Person(id uuid.UUID) []Certificate { return slices.Clone(r.people[id]) }

// PersonRevoked says from when a person's signatures no longer count.
func (r *Roll) PersonRevoked(id uuid.UUID) (time.Time, bool) {
	at, ok := r.personRevoked[id]
	return at, ok
}

// Revoked says where a node ends.
func (r *Roll) Revoked(node uuid.UUID) (Revocation, bool) {
	revocation, ok := r.revoked[node]
	return revocation, ok
}

// NodeCertificates are all certificates of a node, the newest first: what it signed
// with an earlier key is proven by the earlier one.
func (r *Roll) NodeCertificates(id uuid.UUID) []Certificate { return slices.Clone(r.nodes[id]) }

// Keys is how many keys a node has been certified for.
func (r *Roll) Keys(node uuid.UUID) int { return len(r.nodes[node]) }

// Followed says whether the key with one id was followed by the key with the other:
// its certificate is the older. A node's log never goes back to an older key.
func (r *Roll) Followed(node uuid.UUID, old, by []byte) bool {
	place := func(kid []byte) int {
		return slices.IndexFunc(r.nodes[node], func(c Certificate) bool { return bytes.Equal(cose.KeyID(c.Key), kid) })
	}
	older, newer := place(old), place(by)
	return newer >= 0 && older > newer // newest first
}

// Accepted is the head that the county accepts for a node at a sequence number,
// whatever else stands against it.
func (r *Roll) Accepted(node uuid.UUID, first uint64) (store.Digest, bool) {
	digest, ok := r.accepted[acceptedAt{node, first}]
	return digest, ok
}

// Knows says whether any node is believed.
func (r *Roll) Knows() bool { return len(r.nodes) > 0 }

// Nodes returns the newest certificate of every node, by id.
func (r *Roll) Nodes() []Certificate { return newest(r.nodes) }

// People returns the newest certificate of every person, by id.
func (r *Roll) People() []Certificate { return newest(r.people) }

// County returns every certificate of a county node that is not revoked.
func (r *Roll) County() []Certificate {
	var list []Certificate
	for id, all := range r.nodes {
		if _, revoked := r.revoked[id]; revoked {
			continue
		}
		for _, c := range all {
			if c.Role == County {
				list = append(list, c)
			}
		}
	}
	slices.SortFunc(list, bySubject)
	return list
}

func newest(all map[uuid.UUID][]Certificate) []Certificate {
	list := make([]Certificate, 0, len(all))
	for _, certificates := range all {
		list = append(list, certificates[0])
	}
	slices.SortFunc(list, bySubject)
	return list
}

func bySubject(a, b Certificate) int {
	return cmp.Or(bytes.Compare(a.Subject[:], b.Subject[:]), bytes.Compare(a.Raw, b.Raw))
}

// Digest names everything this roll says: two rolls with one digest judge alike.
func (r *Roll) Digest() store.Digest {
	h := sha256.New()
	var lines []string
	for _, all := range []map[uuid.UUID][]Certificate{r.nodes, r.people} {
		for _, list := range all {
			for _, c := range list {
				lines = append(lines, "certificate "+string(c.Raw))
			}
		}
	}
	for id, revocation := range r.revoked {
		lines = append(lines, fmt.Sprintf("revoked %s %d", id, revocation.After))
	}
	for id, at := range r.personRevoked {
		lines = append(lines, fmt.Sprintf("ended %s %d", id, at.UnixMilli()))
	}
	for at, digest := range r.accepted {
		lines = append(lines, fmt.Sprintf("accepted %s %d %s", at.node, at.first, digest))
	}
	for _, root := range r.roots {
		lines = append(lines, "root "+string(root))
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Fprintf(h, "%d %s\n", len(line), line)
	}
	return store.Digest(h.Sum(nil))
}

// Narrower says what this roll takes back, or decides anew, against an older one:
// the nodes whose bundles must be judged again, or everybody's, because a person no
// longer counts. What only came in addition makes nothing wrong that was right.
func (r *Roll) Narrower(old *Roll) (nodes []uuid.UUID, everybody bool) {
	for id, at := range r.personRevoked {
		if before, known := old.personRevoked[id]; !known || at.Before(before) {
			everybody = true
		}
	}
	for id, list := range old.people {
		everybody = everybody || !holdsAll(r.people[id], list)
	}
	touched := map[uuid.UUID]bool{}
	for id, revocation := range r.revoked {
		if before, known := old.revoked[id]; !known || revocation.After < before.After {
			touched[id] = true
		}
	}
	for id, list := range old.nodes {
		if !holdsAll(r.nodes[id], list) {
			touched[id] = true
		}
	}
	for _, pair := range [][2]map[acceptedAt]store.Digest{{r.accepted, old.accepted}, {old.accepted, r.accepted}} {
		for at, digest := range pair[0] {
			if pair[1][at] != digest {
				touched[at.node] = true
			}
		}
	}
	for id := range touched {
		nodes = append(nodes, id)
	}
	slices.SortFunc(nodes, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return nodes, everybody
}

func holdsAll(list, wanted []Certificate) bool {
	for _, w := range wanted {
		if !slices.ContainsFunc(list, func(c Certificate) bool { return bytes.Equal(c.Raw, w.Raw) }) {
			return false
		}
	}
	return true
}
