package trust

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"time"

	"ironfeet/store/world"
)

// ServerCertificate makes a TLS certificate for the county's server without any
// authority but the county's own root: a key that lives as long as the process,
// certified by the root. A node that knows the root, by its fingerprint from the
// invitation or by its key since it enrolled, needs to trust nobody else. crosses lead
// back to earlier roots, for nodes that have not heard of this one yet, see Cross.
func (r Root) ServerCertificate(w world.World, name string, crosses ...[]byte) (tls.Certificate, error) {
	fail := func(err error) (tls.Certificate, error) {
		return tls.Certificate{}, fmt.Errorf("make the server's certificate: %w", err)
	}
	seed, number := make([]byte, ed25519.SeedSize), make([]byte, 16)
	for _, b := range [][]byte{seed, number} {
		if _, err := io.ReadFull(w.Rand, b); err != nil {
			return fail(err)
		}
	}
	number[0] &= 0x7f // a serial number is positive
	key := ed25519.NewKeyFromSeed(seed)
	now := w.Now()
	rootRaw, err := r.cross(w, r.Public())
	if err != nil {
		return fail(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(number), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(2, 0, 0),
		DNSNames: []string{serverName}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(w.Rand, leaf, authority(now), key.Public(), r.key)
	if err != nil {
		return fail(err)
	}
	return tls.Certificate{Certificate: append([][]byte{raw, rootRaw}, crosses...), PrivateKey: key}, nil
}

func authority(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ironfeet county root"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

func (r Root) cross(w world.World, key ed25519.PublicKey) ([]byte, error) {
	a := authority(w.Now())
	return x509.CreateCertificate(w.Rand, a, a, key, r.key)
}

// Cross certifies the root that follows for TLS: what the server shows besides, so that
// a node that knows only this root finds the way.
func (r Root) Cross(w world.World, next ed25519.PublicKey) ([][]byte, error) {
	var list [][]byte
	for _, key := range []ed25519.PublicKey{next, r.Public()} {
		raw, err := r.cross(w, key)
		if err != nil {
			return nil, fmt.Errorf("certify the next root: %w", err)
		}
		list = append(list, raw)
	}
	return list, nil
}

// serverName marks a leaf as the server's: the root certifies no other for TLS.
const serverName = "county.ironfeet.invalid"

// ErrServer means that a TLS server is neither certified by the county's root nor by
// an authority that this machine trusts.
var ErrServer = errors.New("the server's certificate is not the county's")

// VerifyServer looks at the chain a TLS server shows: one certified by the county's
// root counts whatever its name and the time; any other as this machine's own
// authorities say. The time is not asked of the first kind, because a tablet whose
// clock stands wrong must still reach its county.
func VerifyServer(state tls.ConnectionState, isRoot func(ed25519.PublicKey) bool, now time.Time) error {
	chain := state.PeerCertificates
	if len(chain) == 0 {
		return ErrServer
	}
	if leaf := chain[0]; len(chain) > 1 && len(chain) <= maxChain && leaf.VerifyHostname(serverName) == nil {
		if leads(leaf, chain[1:], isRoot) {
			return nil
		}
		return ErrServer
	}
	options := x509.VerifyOptions{DNSName: state.ServerName, CurrentTime: now, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(options); err != nil {
		return fmt.Errorf("%w: %w", ErrServer, err)
	}
	return nil
}

// maxChain bounds what a server may show: a leaf and two certificates a root.
const maxChain = 1 + 2*maxRoots

// leads says whether a certificate was signed by the root, or by a key that such a
// certificate was given to.
func leads(leaf *x509.Certificate, others []*x509.Certificate, isRoot func(ed25519.PublicKey) bool) bool {
	reached := []*x509.Certificate{leaf}
	for i := 0; i < len(reached); i++ {
		for _, above := range others {
			key, ok := above.PublicKey.(ed25519.PublicKey)
			if !ok || reached[i].SignatureAlgorithm != x509.PureEd25519 || !ed25519.Verify(key, reached[i].RawTBSCertificate, reached[i].Signature) {
				continue
			}
			if isRoot(key) {
				return true
			}
			if !slices.Contains(reached, above) {
				reached = append(reached, above)
			}
		}
	}
	return false
}
