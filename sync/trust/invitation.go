package trust

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"unicode"

	"ironfeet/store/world"
)

// An Invitation lets one new node enrol: where the county's server is, which root
// it must prove to have, and a token that works once.
type Invitation struct {
	Server string // host, host:port or http(s)://host:port, ASCII
	Root   string // Fingerprint of the county's root
	Token  string // twelve characters of Crockford's base 32, in groups of four
}

// The code has the form server#FFFF-FFFF-FFFF-FFFF-FFFF-TTTT-TTTT-TTTT-CCCC:
// fingerprint, token, checksum over everything before it.
const (
	crockford        = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	fingerprintChars = 20 // 100 bits
	tokenChars       = 12 // 60 bits, tried against a server that counts
	checksumChars    = 4  // 20 bits: one wrong code in a million passes
	maxCode          = 512
)

// NewInvitation draws the token.
func NewInvitation(w world.World, server string, root ed25519.PublicKey) (Invitation, error) {
	random := make([]byte, 8)
	if _, err := io.ReadFull(w.Rand, random); err != nil {
		return Invitation{}, fmt.Errorf("draw an invitation: %w", err)
	}
	return Invitation{Server: server, Root: Fingerprint(root), Token: group(base32Text(random, tokenChars))}, nil
}

// Matches says whether a key is the root the invitation names.
func (i Invitation) Matches(root ed25519.PublicKey) bool {
	return plain(i.Root) == plain(Fingerprint(root))
}

// Code is the invitation in one line, to be typed, read out or put in a QR code.
func (i Invitation) Code() string {
	server, secret := strings.ToLower(strings.TrimSpace(i.Server)), plain(i.Root)+plain(i.Token)
	return server + "#" + group(secret+checksum(server, secret))
}

// ParseCode reads a code as people type it: small letters, spaces or none, the
// full-width characters of a Chinese keyboard, O for 0, I and L for 1. A slip is
// an *InvitationError with Why Mistyped.
func ParseCode(code string) (Invitation, error) {
	mistyped := &InvitationError{Why: Mistyped}
	if len(code) > maxCode {
		return Invitation{}, mistyped
	}
	server, secret, found := strings.Cut(strings.Map(narrow, code), "#")
	server, secret = strings.ToLower(server), plain(secret)
	if !found || server == "" || len(secret) != fingerprintChars+tokenChars+checksumChars {
		return Invitation{}, mistyped
	}
	if strings.Trim(secret, crockford) != "" || strings.ContainsFunc(server, func(r rune) bool { return r > '~' }) {
		return Invitation{}, mistyped
	}
	body := secret[:fingerprintChars+tokenChars]
	if checksum(server, body) != secret[len(body):] {
		return Invitation{}, mistyped
	}
	return Invitation{Server: server, Root: group(body[:fingerprintChars]), Token: group(body[fingerprintChars:])}, nil
}

// narrow turns full-width characters into ASCII and drops white space.
func narrow(r rune) rune {
	switch {
	case unicode.IsSpace(r), unicode.IsControl(r), r == '\u200b', r == '\ufeff':
		return -1
	case r >= '！' && r <= '～':
		return r - '！' + '!'
	case r == '。':
		return '.'
	case r == '—', r == '–', r == '―':
		return '-'
	}
	return r
}

// plain is a group of characters as Crockford reads them.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch r = unicode.ToUpper(r); r {
		case '-', ' ':
			return -1
		case 'O':
			return '0'
		case 'I', 'L':
			return '1'
		}
		return r
	}, s)
}

func checksum(server, secret string) string {
	sum := sha256.Sum256([]byte("ironfeet invitation 1\n" + server + "\n" + secret))
	return base32Text(sum[:], checksumChars)
}

// base32Text writes the first 5n bits, most significant first.
func base32Text(bits []byte, n int) string {
	out := make([]byte, n)
	for i := range out {
		v := 0
		for bit := i * 5; bit < i*5+5; bit++ {
			v = v<<1 | int(bits[bit/8]>>(7-bit%8))&1
		}
		out[i] = crockford[v]
	}
	return string(out)
}

func group(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i > 0 && i%4 == 0 {
			b.WriteByte('-')
		}
		b.WriteRune(r)
	}
	return b.String()
}
