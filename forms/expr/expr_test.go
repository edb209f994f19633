package expr_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ironfeet/forms/expr"
)

// eval evaluates over named texts, on 10 March 2026 at 08:30 in UTC+8.
func eval(t testing.TB, src string, values map[string]string) (string, error) {
	t.Helper()
	v, err := value(src, values)
	return v.String(), err
}

func value(src string, values map[string]string) (expr.Value, error) {
	e, err := expr.Parse(src)
	if err != nil {
		return expr.Value{}, err
	}
	now := time.Date(2026, 3, 10, 8, 30, 0, 0, time.FixedZone("", 8*3600))
	return e.Eval(expr.Values(paths(values), "", func() time.Time { return now }, strings.NewReader(strings.Repeat("r", 1000))))
}

// paths puts values under the root, as an instance has them.
func paths(in map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range in {
		out["/data/"+k] = v
	}
	return out
}

// TestWhatExpressionsMean: XPath 1.0 as ODK XForms has it.
func TestWhatExpressionsMean(t *testing.T) {
	values := map[string]string{"a": "3", "b": "", "name": "韦大山", "d": "2024-02-29", "many": "x y z", "big": "9007199254740993"}
	for _, c := range []struct{ src, want string }{
		{"1 + 2 * 3", "7"}, {"(1 + 2) * 3", "9"}, {"-2 - -3", "1"}, {"7 mod 3", "1"}, {"-7 mod 3", "-1"}, {"7 div 2", "3.5"}, {"1 div 0", "Infinity"},
		{"0.1 + 0.2 > 0.3", "true"}, {"1 = 1.0", "true"}, {"'1' = 1", "true"}, {"'a' < 'b'", "false"}, {"true() and false()", "false"}, {"true() or false()", "true"},
		{"not(1 = 2)", "true"}, {"${a} + 1", "4"}, {"${b} + 1", ""}, {"${b} = ''", "true"}, {"${b} = 0", "false"}, {"coalesce(${b}, 'x')", "x"},
		{"if(${a} > 2, 'more', 'less')", "more"}, {"concat(${name}, '！')", "韦大山！"}, {"string-length(${name})", "3"}, {"substr('abcdef', 1, 3)", "bc"},
		{"contains(${name}, '大')", "true"}, {"starts-with('ab', 'a')", "true"}, {"ends-with('ab', 'b')", "true"}, {"normalize-space('  a   b ')", "a b"},
		{"selected(${many}, 'y')", "true"}, {"selected(${many}, 'w')", "false"}, {"count-selected(${many})", "3"}, {"selected-at(${many}, 1)", "y"},
		{"round(2.5)", "3"}, {"round(1.234, 2)", "1.23"}, {"int(2.9)", "2"}, {"int(-2.9)", "-2"}, {"number('12')", "12"}, {"number('x')", ""}, {"abs(-3)", "3"}, {"pow(2, 10)", "1024"},
		{"min(3, 1, 2)", "1"}, {"max(3, 1, 2)", "3"}, {"regex('13812345678', '^1[0-9]{10}$')", "true"},
		{"date('2024-03-01') - date(${d})", "1"}, {"format-date(${d}, '%Y/%m/%d')", "2024/02/29"}, {"today() > ${d}", "true"}, {"format-date(today(), '%Y-%m-%d')", "2026-03-10"},
		{"decimal-date-time('1970-01-02')", "1"}, {"string(true())", "true"}, {"boolean('')", "false"}, {"boolean(${a})", "true"}, {"translate('abc', 'ab', 'xy')", "xyc"},
		{"once('x')", "x"}, {"pi() > 3.14 and pi() < 3.15", "true"}, {"count-items('|', 'a|b|c')", "3"}, {"count-items(',', '')", "0"}, {"item-index('|', 'a|b|c', 'b')", "1"}, {"item-present('|', 'a|b', 'c')", "false"}, {"item-at('|', 'a|b|c', 2)", "c"},
		{"lower-case('AbC')", "abc"}, {"upper-case('AbC')", "ABC"},
	} {
		t.Run(c.src, func(t *testing.T) {
			got, err := eval(t, c.src, values)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

// TestThePackageCommentHolds evaluates every line “expression -> value” of doc.go.
func TestThePackageCommentHolds(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	values := map[string]string{"a": "3", "b": "", "d": "2024-03-01", "w": "中文", "r[1]/x": "1", "r[2]/x": "", "r[3]/x": "3"}
	lines := 0
	for line := range strings.Lines(string(doc)) {
		line, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "//\t")
		if !ok {
			continue
		}
		src, want, ok := strings.Cut(line, " -> ")
		require.True(t, ok, line)
		lines++
		v, err := value(src, values)
		require.NoError(t, err, src)
		got := v.String()
		if v.Type == expr.Blank {
			got = "blank"
		}
		assert.Equal(t, want, got, src)
	}
	require.GreaterOrEqual(t, lines, 70)
}

// TestExtractSigned: the message is read only if the key signed it.
func TestExtractSigned(t *testing.T) {
	public, private, err := ed25519.GenerateKey(strings.NewReader(strings.Repeat("k", 64)))
	require.NoError(t, err)
	message := []byte("韦大山")
	signed := base64.StdEncoding.EncodeToString(append(ed25519.Sign(private, message), message...))
	key := base64.StdEncoding.EncodeToString(public)
	got, err := eval(t, "extract-signed(${s}, ${k})", map[string]string{"s": signed, "k": key})
	require.NoError(t, err)
	require.Equal(t, "韦大山", got)
	for _, other := range []map[string]string{{"s": signed[4:], "k": key}, {"s": signed, "k": "AAAA"}, {"s": "AAAA", "k": key}, {"s": "!", "k": key}} {
		got, err := eval(t, "extract-signed(${s}, ${k})", other)
		require.NoError(t, err)
		require.Empty(t, got)
	}
}

// TestRandomizeAsODKDoes: the orders that ODK's own engines give.
func TestRandomizeAsODKDoes(t *testing.T) {
	for _, c := range []struct {
		seed expr.Value
		want string
	}{
		{expr.Num(42), "AFCBDE"}, {expr.Str("42"), "AFCBDE"}, {expr.Num(-42), "EDAFBC"}, {expr.Num(1), "BFEACD"}, {expr.Num(1.1), "BFEACD"},
		{expr.Num(11111111), "ACDBFE"}, {expr.Num(0), "CBEAFD"}, {expr.Value{}, "CBEAFD"}, {expr.Str("mirror"), "ACBEDF"},
	} {
		got := []byte("ABCDEF")
		expr.Shuffle(len(got), expr.Seed(c.seed), func(i, j int) { got[i], got[j] = got[j], got[i] })
		assert.Equal(t, c.want, string(got), "seed %v", c.seed)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	for _, src := range []string{"", "1 +", "(1", "'open", "${open", "${}", "1 2", ")", "f(", "f(1,)", "a[", "a[1", "//", "1 ! 2", strings.Repeat("(", 5000), strings.Repeat("a or ", 60_000) + "b"} {
		_, err := expr.Parse(src)
		var why *expr.SyntaxError
		require.ErrorAs(t, err, &why, "%.40q", src)
		require.NotEmpty(t, why.Error())
	}
	for _, src := range []string{"nothing(1)", "round()", "instance('x')/root/item"} {
		_, err := eval(t, src, map[string]string{"a": "1"})
		require.Error(t, err, src)
	}
}

// TestExact: rationals, and three values of truth.
func TestExact(t *testing.T) {
	values := map[string]expr.ExactValue{
		"third": expr.ExactNumber(big.NewRat(1, 3)), "a": expr.ExactText("0.1"), "b": expr.ExactText("0.2"), "none": expr.ExactText(""), "yes": expr.ExactTruth(true),
	}
	for _, c := range []struct{ src, want, missing string }{
		{"${a} + ${b} = 0.3", "true", ""},
		{"${third} * 3 = 1", "true", ""},
		{"2 div 3 * 3 = 2", "true", ""},
		{"${none} + 1", "?", "none"},
		{"${none} = 0", "?", "none"},
		{"${none} = ''", "?", "none"},
		{"${none} > 1 and false()", "false", ""},
		{"false() and ${none} > 1", "false", ""},
		{"${none} > 1 or true()", "true", ""},
		{"${none} > 1 and true()", "?", "none"},
		{"not(${none} > 1)", "?", "none"},
		{"if(${none} > 1, 1, 2)", "?", "none"},
		{"if(${yes}, 1, ${none})", "1", ""},
		{"coalesce(${none}, 5)", "5", ""},
		{"known(${none})", "false", ""},
		{"round-up(0.083333, 1)", "1", ""}, {"round-up(5, 1)", "5", ""}, {"round-up(-0.5, 1)", "0", ""}, {"round-up(12, 10)", "20", ""},
		{"min(1, ${none})", "?", "none"}, {"max(1, 2.5)", "2.5", ""},
		{"unknown('存款')", "?", "存款"},
		{"'2026-01-02' > '2025-12-31'", "true", ""},
		{"add-months('2024-01-31', 1)", "2024-02-29", ""},
	} {
		t.Run(c.src, func(t *testing.T) {
			e, err := expr.Parse(c.src)
			require.NoError(t, err)
			require.NoError(t, e.CheckExact())
			v, err := e.Exact(values)
			require.NoError(t, err)
			assert.Equal(t, c.want, v.String())
			assert.Equal(t, c.missing, strings.Join(v.Missing(), " "))
		})
	}
	for _, bad := range []string{"1 div 0", "'a' < 'b'", "'a' + 1", "${nobody}"} {
		e, err := expr.Parse(bad)
		require.NoError(t, err)
		_, err = e.Exact(values)
		require.Error(t, err, bad)
	}
}

func TestExactRows(t *testing.T) {
	var root map[string]any
	require.NoError(t, json.Unmarshal([]byte(`{"members":[{"name":"甲","counted":"yes","age":66},{"name":"乙","counted":"no","age":30},{"name":"丙","age":8}],
		"incomes":[{"who":"甲","amount":"100.10"},{"who":"乙","amount":"0.05"}]}`), &root))
	env := &expr.ExactEnv{Root: root, Lists: map[string]bool{"members": true, "incomes": true, "expenses": true},
		Said: func(r map[string]any) string { s, _ := r["name"].(string); return s }}
	for src, want := range map[string]string{
		"count(members)": "3", "count(members[age > 20])": "2", "count(members[counted = 'yes'])": "? 丙/counted", "sum(incomes/amount)": "100.15",
		"count(expenses)": "0", "sum(expenses/amount)": "0", "sum(incomes[who = '甲']/amount) * 12": "1201.2", "count(members[age < 18 and counted = 'yes'])": "? 丙/counted",
		"count(members[age > 60 and counted = 'yes'])": "1",
	} {
		e, err := expr.Parse(src)
		require.NoError(t, err)
		v, err := e.ExactIn(env)
		require.NoError(t, err, src)
		got := v.String()
		if v.IsMissing() {
			got += " " + strings.Join(v.Missing(), " ")
		}
		assert.Equal(t, want, got, src)
	}
}

// TestSourceReadsBack: what is written out means the same.
func TestSourceReadsBack(t *testing.T) {
	for _, src := range []string{"1+2*3", "(1+2)*3", "a/b[c='x']/d", "/a/b", "not(${x}>1 or ${y}=2) and 1<2", "-(1)", "current()/id", ".", "sum(incomes[kind='wage']/net)", "1 - (2 - 3)", "(1 = 1) = true()"} {
		e, err := expr.Parse(src)
		require.NoError(t, err, src)
		once := expr.Source(e.Root)
		again, err := expr.Parse(once)
		require.NoError(t, err, once)
		require.Equal(t, once, expr.Source(again.Root))
		want, err := eval(t, src, map[string]string{"x": "1", "y": "2"})
		require.NoError(t, err)
		got, err := eval(t, once, map[string]string{"x": "1", "y": "2"})
		require.NoError(t, err)
		require.Equal(t, want, got, once)
	}
}

func FuzzExpression(f *testing.F) {
	for _, s := range []string{"1 + ${a}", "if(selected(${m}, 'x'), count(/data/r[. > 1]), -1)", "regex(., '(a+)+$')", "substr('x', -1, 99)", "format-date(today(), '%e')", "x[y[z]]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, err := expr.Parse(src)
		if err != nil {
			return
		}
		_, _ = eval(t, src, map[string]string{"a": "1", "m": "x y"})
		_, _ = e.Exact(map[string]expr.ExactValue{"a": expr.ExactText("1")})
	})
}
