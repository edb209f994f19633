package trust

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
)

// Investigators is how many people must have been at the door: at least two
// (民发〔2021〕57号 Art. 16(1)).
const Investigators = 2

// Allow says whether a node may bring this change (invariant 3): its certificate
// and its author's both give the kind and the division, none has ended, and what
// the change carries, certificates or attestations, holds. It answers nil or a
// *RefusedError. Whether the node is revoked at this sequence number is part of it.
//
// From is not held against a change: a device whose clock runs behind proves
// nothing by it and harms nobody.
func (r *Roll) Allow(node uuid.UUID, c store.Change) error {
	refused := func(rule Rule) *RefusedError {
		return &RefusedError{Rule: rule, Node: node, Change: c.ChangeID, Kind: c.Kind, Division: c.Division}
	}
	machine := r.nodes[node]
	if len(machine) == 0 {
		return refused(UnknownNode)
	}
	if revocation, revoked := r.revoked[node]; revoked && c.Seq > revocation.After {
		return refused(Revoked)
	}
	at := c.Clock.Time()
	if rule, role := judge(machine, c, at); rule != "" {
		err := refused(rule)
		err.Role = role
		return err
	}
	if !r.writesItself(node, c.Author) {
		if len(r.people[c.Author]) == 0 {
			err := refused(UnknownPerson)
			err.Person = c.Author
			return err
		}
		if from, revoked := r.personRevoked[c.Author]; revoked && !at.Before(from) {
			err := refused(Revoked)
			err.Person = c.Author
			return err
		}
		if rule, role := judge(r.people[c.Author], c, at); rule != "" {
			err := refused(rule)
			err.Person, err.Role = c.Author, role
			return err
		}
	}
	switch c.Kind {
	case store.Person, store.Node:
		return r.allowCertificates(node, c)
	case store.Visit:
		return r.allowVisit(node, c)
	}
	return nil
}

// writesItself says that the county's own node may write without a person: it
// enrols, imports and publishes by itself.
func (r *Roll) writesItself(node, author uuid.UUID) bool {
	if author != uuid.Nil && author != node {
		return false
	}
	return slices.ContainsFunc(r.nodes[node], func(c Certificate) bool { return c.Role == County })
}

// judge finds one certificate under which the change is right; if there is none,
// the rule that came nearest.
func judge(list []Certificate, c store.Change, at time.Time) (Rule, Role) {
	nearest, role := WrongRole, list[0].Role
	for _, certificate := range list {
		switch {
		case !MayWrite(certificate.Role, c.Kind):
		case !certificate.Covers(c.Division):
			if nearest == WrongRole {
				nearest, role = OutOfScope, certificate.Role
			}
		case !at.Before(certificate.Until):
			nearest, role = Expired, certificate.Role
		default:
			return "", ""
		}
	}
	return nearest, role
}

// allowCertificates: what a node or person entity says about keys must be the
// root's word about that same entity.
func (r *Roll) allowCertificates(node uuid.UUID, c store.Change) error {
	for _, f := range c.Fields {
		if !strings.HasPrefix(f.Name, certPrefix) || f.Value.IsNull() {
			continue
		}
		certificate, err := r.Verify(f.Value.Bytes())
		what := ForPerson
		if c.Kind == store.Node {
			what = ForNode
		}
		if err != nil || certificate.Subject != c.Entity || certificate.What != what || f.Name != CertField(certificate.Key) {
			return &RefusedError{Rule: BadCertificate, Node: node, Change: c.ChangeID, Kind: c.Kind, Cause: err}
		}
	}
	return nil
}

// allowVisit: every change of a visit is the whole signed visit, attested by two
// different people whose certificates cover the village.
func (r *Roll) allowVisit(node uuid.UUID, c store.Change) error {
	refused := &RefusedError{Node: node, Change: c.ChangeID, Kind: c.Kind, Division: c.Division}
	digest, ok := fieldBytes(c, "digest")
	if !ok || len(digest) != len(store.Digest{}) {
		refused.Rule = TooFewInvestigators
		return refused
	}
	content, ok := fieldBytes(c, "content")
	if ok && store.Digest(digest) != digestOf(content) || !coversParts(content, c) {
		refused.Rule = DifferentVisitDigest
		return refused
	}
	var raws [][]byte
	for _, f := range c.Fields {
		if f.Name == "attestations" {
			if err := f.Value.Into(&raws); err != nil {
				refused.Rule, refused.Cause = BadAttestation, err
				return refused
			}
		}
	}
	if len(raws) > maxAttestations {
		refused.Rule, refused.Count = BadAttestation, len(raws)
		return refused
	}
	present := map[uuid.UUID]bool{}
	var fault error
	mayCome := false
	for _, raw := range raws {
		a, certificate, err := r.VerifyAttestation(raw)
		switch {
		case err != nil:
			if e := err.(*RefusedError); e.Rule.MayCome() {
				mayCome = true
				refused.Person = e.Person
			}
			fault = err
		case a.Visit != c.Entity || a.Digest != store.Digest(digest):
			fault = &RefusedError{Rule: BadAttestation, Person: a.Person}
		case !slices.ContainsFunc(r.people[a.Person], func(p Certificate) bool { return investigates(p.Role) && p.Covers(c.Division) }):
			fault = &RefusedError{Rule: OutOfScope, Person: a.Person, Role: certificate.Role, Division: c.Division}
		default:
			present[a.Person] = true
		}
	}
	if len(present) >= Investigators {
		return nil
	}
	refused.Rule, refused.Count, refused.Cause = TooFewInvestigators, len(present), fault
	if mayCome {
		refused.Rule = UnknownPerson
	}
	return refused
}

// maxParts is more than there are kinds of what is signed apart.
const maxParts = 16

// coversParts says whether the content names every part that comes with it: parts
// are signed through their digests there.
func coversParts(content []byte, c store.Change) bool {
	i := slices.IndexFunc(c.Fields, func(f store.Field) bool { return f.Name == "parts" && !f.Value.IsNull() })
	if i < 0 {
		return true
	}
	var parts [][]byte
	var named struct {
		Covers []cover `cbor:"16,keyasint"`
	}
	if c.Fields[i].Value.Into(&parts) != nil || len(parts) > maxParts || store.Value(content).Into(&named) != nil {
		return false
	}
	for _, part := range parts {
		d := digestOf(part)
		if !slices.ContainsFunc(named.Covers, func(k cover) bool { return bytes.Equal(k.Digest, d[:]) }) {
			return false
		}
	}
	return true
}

// A cover is the content's word for a part.
type cover struct {
	_      struct{} `cbor:",toarray"`
	Kind   string
	Digest []byte
}

// maxAttestations is more than any visit has people.
const maxAttestations = 16

// investigates says who counts as an investigator: those who may write visits.
func investigates(role Role) bool { return MayWrite(role, store.Visit) }

func fieldBytes(c store.Change, name string) ([]byte, bool) {
	for _, f := range c.Fields {
		if f.Name == name {
			return f.Value.Bytes(), len(f.Value) > 0 && !f.Value.IsNull()
		}
	}
	return nil, false
}

// RevokeEdit is the county's word that a node ends after a sequence number: what
// the county had received stays, what turns up later is set aside (invariant 3).
func RevokeEdit(node uuid.UUID, division string, after uint64, reason string) store.Edit {
	return store.Edit{Kind: store.Node, Entity: node, Division: division, Fields: map[string]store.Value{
		RevokedAfter: store.Int(int64(after)), RevokedReason: store.Text(reason),
	}}
}

// ReinstateEdit takes a revocation of a node back.
func ReinstateEdit(node uuid.UUID, division string) store.Edit {
	return store.Edit{Kind: store.Node, Entity: node, Division: division, Fields: map[string]store.Value{
		RevokedAfter: store.Null(), RevokedReason: store.Null(),
	}}
}

// RevokePersonEdit is the county's word that a person's signatures no longer count
// from a moment on.
func RevokePersonEdit(person uuid.UUID, division string, from time.Time, reason string) store.Edit {
	return store.Edit{Kind: store.Person, Entity: person, Division: division, Fields: map[string]store.Value{
		RevokedFrom: store.Int(from.UnixMilli()), RevokedReason: store.Text(reason),
	}}
}

// AcceptEdit is the county's word that one bundle counts although a rule stands
// against it, or that it is the branch to keep where a node forked. A person of
// the county decides; every replica that holds this change agrees.
func AcceptEdit(node uuid.UUID, division string, first uint64, head store.Digest) store.Edit {
	return store.Edit{Kind: store.Node, Entity: node, Division: division, Fields: map[string]store.Value{
		acceptedPrefix + strconv.FormatUint(first, 10): store.Bytes(head[:]),
	}}
}
