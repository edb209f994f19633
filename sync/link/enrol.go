package link

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"slices"

	"ironfeet/store/world"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// Ask shows an invitation to the county and returns what it is for. The county
// must prove the root that the invitation names.
func Ask(ctx context.Context, w world.World, inv trust.Invitation) (exchange.Invited, error) {
	var out exchange.Invited
	if err := invited(ctx, w, inv, "/v1/ask", exchange.Ask{Token: inv.Token}, &out); err != nil {
		return out, err
	}
	if len(out.Root) != ed25519.PublicKeySize || !inv.Matches(out.Root) {
		return out, &trust.InvitationError{Why: trust.OtherCounty}
	}
	return out, nil
}

// Enrol hands in the public keys that were made here and returns the
// certificates for them, each checked: signed by the root, for these keys.
func Enrol(ctx context.Context, w world.World, inv trust.Invitation, root ed25519.PublicKey, keys exchange.Enrol) (exchange.Enrolled, error) {
	var out exchange.Enrolled
	if !inv.Matches(root) {
		return out, &trust.InvitationError{Why: trust.OtherCounty}
	}
	keys.Token = inv.Token
	if err := invited(ctx, w, inv, "/v1/enrol", keys, &out); err != nil {
		return out, err
	}
	if _, err := trust.VerifyCertificate(out.County, root); err != nil {
		return out, err
	}
	given := [][]byte{keys.Key}
	for _, p := range keys.People {
		given = append(given, p.Key)
	}
	for _, raw := range out.Certificates {
		c, err := trust.VerifyCertificate(raw, root)
		if err != nil {
			return out, err
		}
		i := slices.IndexFunc(given, func(k []byte) bool { return string(k) == string(c.Key) })
		if i < 0 {
			return out, &trust.RefusedError{Rule: trust.BadCertificate}
		}
		given = slices.Delete(given, i, i+1)
	}
	if len(given) > 0 {
		return out, &trust.RefusedError{Rule: trust.BadCertificate}
	}
	return out, nil
}

func invited(ctx context.Context, w world.World, inv trust.Invitation, path string, in, out any) error {
	x, err := newWire(w, inv.Server, inv.Matches)
	if err != nil {
		return err
	}
	defer x.close()
	r, err := x.do(ctx, ask{method: http.MethodPost, path: path, body: exchange.Encode(in), limit: exchange.MaxSmall})
	if err != nil {
		return err
	}
	if r.status != http.StatusOK {
		switch code := fault(r.body); code {
		case "trust.invitation_used":
			return &trust.InvitationError{Why: trust.Used}
		case "trust.invitation_expired":
			return &trust.InvitationError{Why: trust.PastDate}
		default:
			return &ServerError{r.status, code}
		}
	}
	if exchange.Decode(r.body, out) != nil {
		return &UnreachableError{x.base, errors.New("its answer makes no sense")}
	}
	return nil
}
