package county

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/cose"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// An InviteRequest says whom to invite.
type InviteRequest struct {
	Server string // where the node will reach the county
	Name   string // of the node
	Role   trust.Role
	Scope  []string
	People []exchange.Guest // who will work there; a zero ID is given a new one, no role or scope the node's
	Valid  time.Duration    // how long the invitation can be used
}

// invited is an invitation as the county keeps it, under the hash of its token.
type invited struct {
	exchange.Invited
	Until  int64  `cbor:"20,keyasint"`           // Unix seconds
	UsedBy []byte `cbor:"21,keyasint,omitempty"` // the node key that enrolled
}

// enrolment is how long a certificate counts.
const enrolment = 2 * 365 * 24 * time.Hour

func settingInvitation(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "invitation." + hex.EncodeToString(sum[:])
}

// Invite writes an invitation; its code is shown once and kept nowhere.
func (s *Server) Invite(ctx context.Context, q InviteRequest) (trust.Invitation, exchange.Invited, error) {
	inv, err := trust.NewInvitation(s.o.World, q.Server, s.o.Root.Public())
	if err != nil {
		return inv, exchange.Invited{}, err
	}
	id := s.o.Replica.Identity()
	in := invited{
		Invited: exchange.Invited{
			County: id.Name, Node: s.o.World.NewID(), Name: q.Name, Role: string(q.Role), Scope: q.Scope,
			People: slices.Clone(q.People), Root: s.o.Root.Public(),
		},
		Until: s.o.World.Now().Add(q.Valid).Unix(),
	}
	for i := range in.People {
		if in.People[i].ID == uuid.Nil {
			in.People[i].ID = s.o.World.NewID()
		}
		if in.People[i].Role == "" {
			in.People[i].Role = string(q.Role)
		}
		if len(in.People[i].Scope) == 0 {
			in.People[i].Scope = q.Scope
		}
	}
	return inv, in.Invited, s.o.Replica.SetSetting(ctx, settingInvitation(inv.Token), exchange.Encode(in))
}

// invitation finds an invitation that can still be used; the answer to anything
// else is written already.
func (s *Server) invitation(w http.ResponseWriter, r *http.Request, token string) (invited, bool) {
	var in invited
	raw, err := s.o.Replica.Setting(r.Context(), settingInvitation(token))
	if err == nil && raw != nil {
		err = exchange.Decode(raw, &in)
	}
	switch {
	case err != nil:
		s.broken(w, err)
	case raw == nil:
		s.refuse(w, http.StatusForbidden, "link.invitation_unknown")
	case s.o.World.Now().Unix() >= in.Until && in.UsedBy == nil:
		s.refuse(w, http.StatusForbidden, "trust.invitation_expired")
	default:
		return in, true
	}
	return in, false
}

func (s *Server) small(w http.ResponseWriter, r *http.Request, into any) bool {
	if !s.strangers.allow(address(r), s.o.World.Now()) {
		s.busy(w)
		return false
	}
	if r.ContentLength > exchange.MaxSmall {
		s.refuse(w, http.StatusRequestEntityTooLarge, "link.too_large")
		return false
	}
	body := new(bytes.Buffer)
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, exchange.MaxSmall))
	if err == nil {
		err = exchange.Decode(body.Bytes(), into)
	}
	if err != nil {
		s.refuse(w, http.StatusBadRequest, "link.malformed")
		return false
	}
	return true
}

func (s *Server) ask(w http.ResponseWriter, r *http.Request) {
	var q exchange.Ask
	if !s.small(w, r, &q) {
		return
	}
	in, ok := s.invitation(w, r, q.Token)
	if !ok {
		return
	}
	if in.UsedBy != nil {
		s.refuse(w, http.StatusForbidden, "trust.invitation_used")
		return
	}
	s.answer(w, in.Invited)
}

// enrolNode certifies a node and its people. The same keys may ask again: the first
// answer may have been lost on the way. Other keys find the invitation used.
func (s *Server) enrolNode(w http.ResponseWriter, r *http.Request) {
	var q exchange.Enrol
	if !s.small(w, r, &q) {
		return
	}
	s.enrol.Lock()
	defer s.enrol.Unlock()
	in, ok := s.invitation(w, r, q.Token)
	if !ok {
		return
	}
	if in.UsedBy != nil && !bytes.Equal(in.UsedBy, q.Key) {
		s.refuse(w, http.StatusForbidden, "trust.invitation_used")
		return
	}
	out, err := s.certify(context.WithoutCancel(r.Context()), q, in)
	var refused *trust.RefusedError
	switch {
	case errors.As(err, &refused):
		s.refuse(w, http.StatusBadRequest, "link.malformed")
	case err != nil:
		s.broken(w, err)
	default:
		s.answer(w, out)
	}
}

func (s *Server) certify(ctx context.Context, q exchange.Enrol, in invited) (exchange.Enrolled, error) {
	now := s.o.World.Now()
	malformed := &trust.RefusedError{Rule: trust.BadCertificate}
	list := []trust.Certificate{{
		Subject: in.Node, What: trust.ForNode, Name: in.Name, Key: q.Key, Recipient: q.Recipient,
		Role: trust.Role(in.Role), Scope: in.Scope, From: now, Until: now.Add(enrolment),
	}}
	for _, p := range q.People {
		i := slices.IndexFunc(in.People, func(g exchange.Guest) bool { return g.ID == p.ID })
		if i < 0 {
			return exchange.Enrolled{}, malformed
		}
		g := in.People[i]
		list = append(list, trust.Certificate{
			Subject: g.ID, What: trust.ForPerson, Name: g.Name, Key: p.Key, Role: trust.Role(g.Role), Scope: g.Scope, From: now, Until: now.Add(enrolment),
		})
	}
	if len(q.People) != len(in.People) {
		return exchange.Enrolled{}, malformed
	}
	roll, err := s.o.Merger.Roll(ctx)
	if err != nil {
		return exchange.Enrolled{}, err
	}
	var out exchange.Enrolled
	if own, ok := roll.Node(s.o.Replica.Identity().Node); ok {
		out.County = own.Raw
	}
	var edits []store.Edit
	for _, c := range list {
		if len(c.Key) != ed25519.PublicKeySize {
			return exchange.Enrolled{}, malformed
		}
		if known, ok := certified(roll, c); ok { // the answer was lost the first time
			out.Certificates = append(out.Certificates, known.Raw)
			continue
		}
		signed, err := s.o.Root.Certify(c)
		if err != nil {
			return exchange.Enrolled{}, errors.Join(malformed, err)
		}
		out.Certificates = append(out.Certificates, signed.Raw)
		edits = append(edits, trust.CertificateEdit(signed, s.o.Replica.Identity().Division))
	}
	in.UsedBy = q.Key
	if err := s.o.Replica.SetSetting(ctx, settingInvitation(q.Token), exchange.Encode(in)); err != nil {
		return out, err
	}
	if len(edits) == 0 {
		return out, nil
	}
	if _, err := s.o.Replica.Write(ctx, s.o.Replica.Identity().Node, edits...); err != nil {
		return out, err
	}
	_, err = s.o.Merger.Reconsider(ctx)
	return out, err
}

// certified finds a certificate that was issued for the same key before.
func certified(roll *trust.Roll, c trust.Certificate) (trust.Certificate, bool) {
	var list []trust.Certificate
	if c.What == trust.ForPerson {
		list = roll.Person(c.Subject)
	} else if known, ok := roll.Node(c.Subject); ok {
		list = append(list, known)
	}
	for _, known := range list {
		if bytes.Equal(known.Key, c.Key) {
			return known, true
		}
	}
	return trust.Certificate{}, false
}

// renew certifies a node's next key; the one it asks with ends when the next is used.
func (s *Server) renew(w http.ResponseWriter, r *http.Request, c *caller) {
	var q exchange.Renew
	if exchange.Decode(c.body, &q) != nil || len(q.Key) != ed25519.PublicKeySize || trust.VerifyKey(q.Proof, q.Key, c.Node, c.KID) != nil {
		s.refuse(w, http.StatusBadRequest, "link.malformed")
		return
	}
	s.enrol.Lock()
	defer s.enrol.Unlock()
	ctx := context.WithoutCancel(r.Context())
	roll, err := s.o.Merger.Roll(ctx)
	if err != nil {
		s.broken(w, err)
		return
	}
	next := c.certificate
	next.Key, next.Recipient, next.Raw = q.Key, q.Recipient, nil
	next.From, next.Until = s.o.World.Now(), s.o.World.Now().Add(enrolment)
	if known, ok := roll.NodeKey(c.Node, cose.KeyID(q.Key)); ok { // the answer was lost the first time
		s.answer(w, exchange.Renewed{Certificate: known.Raw})
		return
	}
	if newest, _ := roll.Node(c.Node); !newest.Key.Equal(c.certificate.Key) {
		s.refuse(w, http.StatusForbidden, "link.ended") // an older key asks
		return
	}
	// Strictly later than the one before: their order says which follows which.
	if !next.From.Truncate(time.Second).After(c.certificate.From) {
		next.From = c.certificate.From.Add(time.Second)
		next.Until = next.From.Add(enrolment)
	}
	signed, err := s.o.Root.Certify(next)
	if err != nil {
		s.refuse(w, http.StatusBadRequest, "link.malformed")
		return
	}
	id := s.o.Replica.Identity()
	if _, err := s.o.Replica.Write(ctx, id.Node, trust.CertificateEdit(signed, id.Division)); err != nil {
		s.broken(w, err)
		return
	}
	if _, err := s.o.Merger.Reconsider(ctx); err != nil {
		s.broken(w, err)
		return
	}
	s.answer(w, exchange.Renewed{Certificate: signed.Raw})
}
