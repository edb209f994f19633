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
	"time"

	"ironfeet/store/world"
)

// ServerCertificate makes a TLS certificate for the county's server without any
// authority but the county's own root: a key that lives as long as the process,
// certified by the root. A node that knows the root, by its fingerprint from the
// invitation or by its key since it enrolled, needs to trust nobody else.
func (r Root) ServerCertificate(w world.World, name string) (tls.Certificate, error) {
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
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ironfeet county root"}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootRaw, err := x509.CreateCertificate(w.Rand, authority, authority, r.Public(), r.key)
	if err != nil {
		return fail(err)
	}
	leaf := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(number), Subject: pkix.Name{CommonName: name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(2, 0, 0),
		DNSNames: []string{serverName}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	raw, err := x509.CreateCertificate(w.Rand, leaf, authority, key.Public(), r.key)
	if err != nil {
		return fail(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw, rootRaw}, PrivateKey: key}, nil
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
	if last := chain[len(chain)-1]; len(chain) == 2 {
		if root, ok := last.PublicKey.(ed25519.PublicKey); ok && isRoot(root) {
			leaf := chain[0]
			if !ed25519.Verify(root, leaf.RawTBSCertificate, leaf.Signature) || leaf.SignatureAlgorithm != x509.PureEd25519 || leaf.VerifyHostname(serverName) != nil {
				return ErrServer
			}
			return nil
		}
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
