package expr

import (
	"math/big"
	"math/bits"
	"strings"
)

// A number is an exact rational. Almost all of a household's money fits n/d in 64
// bits, which costs nothing to make; whatever does not goes on in big.Rat, so no
// result depends on which of the two it was.
type number struct {
	n, d  int64    // d > 0, lowest terms; valid while large is nil
	large *big.Rat // set when 64 bits were too few
}

func whole(n int64) number { return number{n: n, d: 1} }

func (a number) rat() *big.Rat {
	if a.large != nil {
		return a.large
	}
	return new(big.Rat).SetFrac64(a.n, a.d)
}

// ofRat takes a rational in; one that fits 64 bits becomes small again.
func ofRat(r *big.Rat) number {
	if r.Num().IsInt64() && r.Denom().IsInt64() && r.Num().Int64() != -1<<63 {
		return number{n: r.Num().Int64(), d: r.Denom().Int64()}
	}
	return number{large: r}
}

func (a number) sign() int {
	switch {
	case a.large != nil:
		return a.large.Sign()
	case a.n < 0:
		return -1
	case a.n > 0:
		return 1
	}
	return 0
}

func (a number) isInt() bool {
	if a.large != nil {
		return a.large.IsInt()
	}
	return a.d == 1
}

// times is x*y, and whether it fits.
func times(x, y int64) (int64, bool) {
	if x == 0 || y == 0 {
		return 0, true
	}
	neg := (x < 0) != (y < 0)
	hi, lo := bits.Mul64(absolute(x), absolute(y))
	if hi != 0 || lo >= 1<<63 {
		return 0, false
	}
	if neg {
		return -int64(lo), true
	}
	return int64(lo), true
}

func absolute(x int64) uint64 {
	if x < 0 {
		return uint64(-(x + 1)) + 1
	}
	return uint64(x)
}

func plus(x, y int64) (int64, bool) {
	s := x + y
	return s, (s > x) == (y > 0) && s != -1<<63
}

func lowest(n, d int64) number {
	if d == 1 {
		return number{n: n, d: d}
	}
	a, b := absolute(n), uint64(d)
	for b != 0 {
		a, b = b, a%b
	}
	if a > 1 {
		n, d = n/int64(a), d/int64(a)
	}
	return number{n: n, d: d}
}

func (a number) add(b number) number {
	if a.large == nil && b.large == nil {
		if a.d == b.d {
			if s, ok := plus(a.n, b.n); ok {
				return lowest(s, a.d)
			}
		} else if x, ok := times(a.n, b.d); ok {
			if y, ok := times(b.n, a.d); ok {
				if s, ok := plus(x, y); ok {
					if d, ok := times(a.d, b.d); ok {
						return lowest(s, d)
					}
				}
			}
		}
	}
	return ofRat(new(big.Rat).Add(a.rat(), b.rat()))
}

func (a number) neg() number {
	if a.large == nil {
		return number{n: -a.n, d: a.d} // the least integer never stands here
	}
	return ofRat(new(big.Rat).Neg(a.large))
}

func (a number) mul(b number) number {
	if a.large == nil && b.large == nil {
		if n, ok := times(a.n, b.n); ok {
			if d, ok := times(a.d, b.d); ok {
				return lowest(n, d)
			}
		}
	}
	return ofRat(new(big.Rat).Mul(a.rat(), b.rat()))
}

// quo divides; b is not zero.
func (a number) quo(b number) number {
	if b.large == nil && b.n != 0 {
		turned := number{n: b.d, d: b.n}
		if b.n < 0 {
			turned = number{n: -b.d, d: -b.n}
		}
		return a.mul(turned)
	}
	return ofRat(new(big.Rat).Quo(a.rat(), b.rat()))
}

func (a number) cmp(b number) int {
	if a.large == nil && b.large == nil {
		if a.d == b.d {
			switch {
			case a.n < b.n:
				return -1
			case a.n > b.n:
				return 1
			}
			return 0
		}
		if x, ok := times(a.n, b.d); ok {
			if y, ok := times(b.n, a.d); ok {
				return whole(x).cmp(whole(y))
			}
		}
	}
	return a.rat().Cmp(b.rat())
}

// truncated is the whole part, rounded as big.Int.Quo does: towards zero. It is what
// XPath's mod subtracts.
func (a number) truncated() *big.Int {
	if a.large == nil {
		return big.NewInt(a.n / a.d)
	}
	return new(big.Int).Quo(a.large.Num(), a.large.Denom())
}

// maxDigits bounds a number written as text: longer is no amount of anything.
const maxDigits = 40

// parseExact reads a decimal: -12, 3.50, .5. Anything else is no number.
func parseExact(s string) (number, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > maxDigits {
		return number{}, false
	}
	if c := s[0]; c != '-' && c != '.' && (c < '0' || c > '9') {
		return number{}, false
	}
	if len(s) <= 17 {
		var n, d int64 = 0, 1
		digits, point := 0, false
		for i := range len(s) {
			switch c := s[i]; {
			case c >= '0' && c <= '9':
				n = n*10 + int64(c-'0')
				digits++
				if point {
					d *= 10
				}
			case c == '.' && !point:
				point = true
			case c == '-' && i == 0:
			default:
				return number{}, false
			}
		}
		if digits == 0 {
			return number{}, false
		}
		if s[0] == '-' {
			n = -n
		}
		return lowest(n, d), true
	}
	if _, ok := parseNumber(s); !ok {
		return number{}, false
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		return number{}, false
	}
	return ofRat(r), true
}
