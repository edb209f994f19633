package expr

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestSmallNumbersAreBigRationals: whatever fits 64 bits and whatever does not,
// every operation gives what big.Rat gives.
func TestSmallNumbersAreBigRationals(t *testing.T) {
	draw := rapid.Custom(func(t *rapid.T) number {
		edge := rapid.SampledFrom([]int64{0, 1, -1, 100, math.MaxInt64, -math.MaxInt64, math.MaxInt32, 1 << 40})
		n := rapid.OneOf(rapid.Int64Range(-math.MaxInt64, math.MaxInt64), rapid.Int64Range(-1000, 1000), edge).Draw(t, "n")
		d := rapid.OneOf(rapid.Int64Range(1, math.MaxInt64), rapid.Int64Range(1, 100)).Draw(t, "d")
		return ofRat(new(big.Rat).SetFrac64(n, d))
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw.Draw(t, "a"), draw.Draw(t, "b")
		x, y := a.rat(), b.rat()
		same := func(what string, got number, want *big.Rat) {
			if got.rat().Cmp(want) != 0 {
				t.Fatalf("%s of %s and %s: %s, want %s", what, x, y, got.rat(), want)
			}
			if got.large == nil && new(big.Rat).SetFrac64(got.n, got.d).Denom().Int64() != got.d {
				t.Fatalf("%s: %d/%d is not in lowest terms", what, got.n, got.d)
			}
		}
		same("sum", a.add(b), new(big.Rat).Add(x, y))
		same("product", a.mul(b), new(big.Rat).Mul(x, y))
		same("opposite", a.neg(), new(big.Rat).Neg(x))
		if y.Sign() != 0 {
			same("quotient", a.quo(b), new(big.Rat).Quo(x, y))
		}
		if a.cmp(b) != x.Cmp(y) || a.sign() != x.Sign() || a.isInt() != x.IsInt() {
			t.Fatalf("order of %s and %s", x, y)
		}
	})
}

func TestExactTexts(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-12": "-12", "3.50": "3.5", ".5": "0.5", "5.": "5", "0.1234567890123456": "0.1235", " 7 ": "7",
		"99999999999999999999": "99999999999999999999", "0.00": "0", "-0": "0",
	} {
		n, ok := parseExact(text)
		require.True(t, ok, text)
		require.Equal(t, want, showNumber(n), text)
	}
	for _, text := range []string{"", ".", "-", "1e9", "1.2.3", "--1", "1-", "十", "1,000", "0x10", "NaN", "12345678901234567890123456789012345678901"} {
		_, ok := parseExact(text)
		require.False(t, ok, text)
	}
}
