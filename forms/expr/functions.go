package expr

import (
	"crypto/ed25519"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// A function of the language. Lazy ones evaluate their arguments themselves.
type function struct {
	min, max int // arguments; max -1: any number
	call     func(env *Env, args []Value) (Value, error)
	lazy     func(env *Env, c *Call) (Value, error)
}

// functions is filled in once here; the table is the documentation's list.
var functions map[string]function

func plain(f func(args []Value) Value) func(*Env, []Value) (Value, error) {
	return func(_ *Env, args []Value) (Value, error) { return f(args), nil }
}

func math1(f func(float64) float64) function {
	return function{1, 1, plain(func(a []Value) Value { return Num(f(a[0].Number())) }), nil}
}

func text(a []Value, i int) string {
	if i < len(a) {
		return a[i].String()
	}
	return ""
}

func init() {
	functions = map[string]function{
		// conditions
		"true":                {0, 0, plain(func([]Value) Value { return Boolean(true) }), nil},
		"false":               {0, 0, plain(func([]Value) Value { return Boolean(false) }), nil},
		"not":                 {1, 1, plain(func(a []Value) Value { return Boolean(!a[0].Bool()) }), nil},
		"boolean":             {1, 1, plain(func(a []Value) Value { return Boolean(a[0].Bool()) }), nil},
		"boolean-from-string": {1, 1, plain(func(a []Value) Value { s := a[0].String(); return Boolean(s == "true" || s == "1") }), nil},
		"if":                  {3, 3, nil, lazyIf},
		"coalesce":            {1, -1, nil, lazyCoalesce},
		"once":                {1, 1, nil, lazyOnce},
		"relevant":            {1, 1, plain(relevant), nil}, // SurveyCTO
		"empty":               {1, 1, plain(func(a []Value) Value { return Boolean(a[0].IsBlank()) }), nil},

		// numbers
		"number": {0, 1, func(env *Env, a []Value) (Value, error) {
			if len(a) == 0 {
				return Num(toNumber(env.Node.Text())), nil
			}
			return Num(a[0].Number()), nil
		}, nil},
		"int": {1, 1, plain(func(a []Value) Value { return Num(math.Trunc(a[0].Number())) }), nil},
		"round": {1, 2, plain(func(a []Value) Value {
			places := 0.0
			if len(a) > 1 {
				places = a[1].Number()
			}
			return Num(round(a[0].Number(), places))
		}), nil},
		"abs": math1(math.Abs), "floor": math1(math.Floor), "ceiling": math1(math.Ceil),
		"exp": math1(math.Exp), "exp10": math1(func(x float64) float64 { return math.Pow(10, x) }),
		"log": math1(math.Log), "log10": math1(math.Log10), "sqrt": math1(math.Sqrt),
		"sin": math1(math.Sin), "cos": math1(math.Cos), "tan": math1(math.Tan),
		"asin": math1(math.Asin), "acos": math1(math.Acos), "atan": math1(math.Atan),
		"atan2": {2, 2, plain(func(a []Value) Value { return Num(math.Atan2(a[0].Number(), a[1].Number())) }), nil},
		"pow":   {2, 2, plain(func(a []Value) Value { return Num(math.Pow(a[0].Number(), a[1].Number())) }), nil},
		"pi":    {0, 0, plain(func([]Value) Value { return Num(math.Pi) }), nil},
		"random": {0, 0, func(env *Env, _ []Value) (Value, error) {
			return Num(env.random()), nil
		}, nil},
		"sum":             {1, -1, plain(func(a []Value) Value { return fold(a, 0, func(x, y float64) float64 { return x + y }) }), nil},
		"min":             {1, -1, plain(func(a []Value) Value { return fold(a, math.NaN(), math.Min) }), nil},
		"max":             {1, -1, plain(func(a []Value) Value { return fold(a, math.NaN(), math.Max) }), nil},
		"count":           {1, 1, plain(func(a []Value) Value { return Num(float64(len(a[0].nodes))) }), nil},
		"count-non-empty": {1, 1, plain(func(a []Value) Value { return Num(float64(len(texts(a[0], false)))) }), nil},

		// text
		"string": {0, 1, func(env *Env, a []Value) (Value, error) {
			if len(a) == 0 {
				return Str(env.Node.Text()), nil
			}
			return Str(a[0].String()), nil
		}, nil},
		"concat":           {0, -1, func(env *Env, a []Value) (Value, error) { return env.join(all(a), "") }, nil},
		"join":             {1, -1, func(env *Env, a []Value) (Value, error) { return env.join(all(a[1:]), a[0].String()) }, nil},
		"substr":           {2, 3, plain(substr), nil},
		"substring":        {2, 3, plain(substring), nil},
		"substring-before": {2, 2, plain(func(a []Value) Value { s, _, ok := strings.Cut(text(a, 0), text(a, 1)); return Str(when(ok, s)) }), nil},
		"substring-after":  {2, 2, plain(func(a []Value) Value { _, s, ok := strings.Cut(text(a, 0), text(a, 1)); return Str(when(ok, s)) }), nil},
		"translate":        {3, 3, plain(translate), nil},
		"contains":         {2, 2, plain(func(a []Value) Value { return Boolean(strings.Contains(text(a, 0), text(a, 1))) }), nil},
		"starts-with":      {2, 2, plain(func(a []Value) Value { return Boolean(strings.HasPrefix(text(a, 0), text(a, 1))) }), nil},
		"ends-with":        {2, 2, plain(func(a []Value) Value { return Boolean(strings.HasSuffix(text(a, 0), text(a, 1))) }), nil},
		"string-length": {0, 1, func(env *Env, a []Value) (Value, error) {
			if len(a) == 0 {
				return Num(float64(utf8.RuneCountInString(env.Node.Text()))), nil
			}
			return Num(float64(utf8.RuneCountInString(text(a, 0)))), nil
		}, nil},
		"normalize-space": {0, 1, func(env *Env, a []Value) (Value, error) {
			s := text(a, 0)
			if len(a) == 0 {
				s = env.Node.Text()
			}
			return Str(strings.Join(strings.Fields(s), " ")), nil
		}, nil},
		"trim":       {1, 1, plain(func(a []Value) Value { return Str(strings.TrimSpace(text(a, 0))) }), nil},
		"upper-case": {1, 1, plain(func(a []Value) Value { return Str(strings.ToUpper(text(a, 0))) }), nil},
		"lower-case": {1, 1, plain(func(a []Value) Value { return Str(strings.ToLower(text(a, 0))) }), nil},
		"upper":      {1, 1, plain(func(a []Value) Value { return Str(strings.ToUpper(text(a, 0))) }), nil}, // SurveyCTO
		"lower":      {1, 1, plain(func(a []Value) Value { return Str(strings.ToLower(text(a, 0))) }), nil},
		"linebreak":  {0, 0, plain(func([]Value) Value { return Str("\n") }), nil},
		"regex":      {2, 2, func(_ *Env, a []Value) (Value, error) { return regex(text(a, 0), text(a, 1)) }, nil},

		// choices
		"selected": {2, 2, plain(func(a []Value) Value {
			return Boolean(slices.Contains(words(text(a, 0)), strings.TrimSpace(text(a, 1))))
		}), nil},
		"is-selected": {2, 2, plain(func(a []Value) Value {
			return Boolean(slices.Contains(words(text(a, 0)), strings.TrimSpace(text(a, 1))))
		}), nil},
		"selected-at":    {2, 2, plain(func(a []Value) Value { return orBlank(at(words(text(a, 0)), a[1].Number())) }), nil},
		"count-selected": {1, 1, plain(func(a []Value) Value { return Num(float64(len(words(text(a, 0))))) }), nil},
		"jr:choice-name": {2, 2, nil, lazyChoiceName},
		"choice-label":   {2, 2, nil, lazyChoiceLabel},
		"jr:itext":       {1, 1, plain(func(a []Value) Value { return Str(text(a, 0)) }), nil},
		"checklist":      {2, -1, plain(checklist), nil},
		"weighted-checklist": {2, -1, plain(func(a []Value) Value {
			total := 0.0
			for i := 2; i+1 < len(a); i += 2 {
				if a[i].Bool() {
					total += a[i+1].Number()
				}
			}
			return between(total, a[0].Number(), a[1].Number())
		}), nil},

		// repeats and lists
		"position":       {0, 1, position, nil},
		"last":           {0, 0, func(env *Env, _ []Value) (Value, error) { return Num(float64(max(env.size, 1))), nil }, nil},
		"indexed-repeat": {3, -1, nil, indexedRepeat},
		"instance":       {1, 1, instance, nil},
		"current":        {0, 0, func(env *Env, _ []Value) (Value, error) { return Nodes([]Node{env.from()}), nil }, nil},
		"pulldata":       {4, 4, pulldata, nil},
		"randomize":      {1, 2, func(env *Env, a []Value) (Value, error) { return env.randomize(a), nil }, nil},
		"item-at":        {3, 3, plain(func(a []Value) Value { return orBlank(at(split(text(a, 1), text(a, 0)), a[2].Number())) }), nil},
		"item-index":     {3, 3, plain(func(a []Value) Value { return Num(float64(slices.Index(split(text(a, 1), text(a, 0)), text(a, 2)))) }), nil},
		"item-present": {3, 3, plain(func(a []Value) Value {
			return Boolean(slices.Contains(split(text(a, 1), text(a, 0)), text(a, 2)))
		}), nil},
		"count-items": {2, 2, plain(func(a []Value) Value {
			if text(a, 1) == "" {
				return Num(0)
			}
			return Num(float64(len(split(text(a, 1), text(a, 0)))))
		}), nil},
		"index":        {0, 1, position, nil},
		"de-duplicate": {2, 2, plain(deDuplicate), nil},
		"rank-index":   {2, 2, plain(func(a []Value) Value { return Num(float64(rank(a))) }), nil},
		"count-if":     {2, 2, nil, aggregateIf(func(n []Value) Value { return Num(float64(len(n))) })},
		"sum-if":       {2, 2, nil, aggregateIf(func(n []Value) Value { return fold(n, 0, func(x, y float64) float64 { return x + y }) })},
		"min-if":       {2, 2, nil, aggregateIf(func(n []Value) Value { return fold(n, math.NaN(), math.Min) })},
		"max-if":       {2, 2, nil, aggregateIf(func(n []Value) Value { return fold(n, math.NaN(), math.Max) })},
		"join-if":      {3, 3, nil, joinIf},

		// dates
		"today": {0, 0, func(env *Env, _ []Value) (Value, error) {
			if env.Now == nil {
				return Value{}, nil
			}
			return Str(env.Now().Format("2006-01-02")), nil
		}, nil},
		"now": {0, 0, func(env *Env, _ []Value) (Value, error) {
			if env.Now == nil {
				return Value{}, nil
			}
			return Str(env.Now().Format("2006-01-02T15:04:05.000-07:00")), nil
		}, nil},
		"date": {1, 1, plain(func(a []Value) Value {
			d, ok := toDay(a[0])
			if !ok {
				return Value{}
			}
			return orBlank(dayText(d))
		}), nil},
		"date-time":         {1, 1, plain(dateTime), nil},
		"decimal-date-time": {1, 1, plain(func(a []Value) Value { return Num(toNumber(text(a, 0))) }), nil},
		"decimal-time": {1, 1, plain(func(a []Value) Value {
			s := text(a, 0)
			if _, clock, ok := strings.Cut(s, "T"); ok {
				s = clock
			}
			f, ok := parseClock(s)
			if !ok {
				return Value{}
			}
			return Num(f)
		}), nil},
		"format-date":      {2, 2, plain(format), nil},
		"format-date-time": {2, 2, plain(format), nil},
		"add-date":         {1, 6, plain(addDate), nil},
		"parse-timestamp-to-date": {1, 1, plain(func(a []Value) Value {
			ms := a[0].Number()
			if ms != ms || math.Abs(ms) > 1e14 {
				return Value{}
			}
			return Str(time.UnixMilli(int64(ms)).UTC().Format("2006-01-02T15:04:05.000Z07:00"))
		}), nil},
		"difference-in-months": {2, 2, plain(func(a []Value) Value {
			return Num(monthsBetween(a[0].Number(), a[1].Number()))
		}), nil},

		// the device and the form
		"uuid":     {0, 1, func(env *Env, _ []Value) (Value, error) { return Str(env.uuid()), nil }, nil},
		"property": {1, 1, func(env *Env, a []Value) (Value, error) { return env.property(text(a, 0)), nil }, nil},
		"version":  {0, 0, func(env *Env, _ []Value) (Value, error) { return env.property("version"), nil }, nil},
		"device-info": {0, 0, func(env *Env, _ []Value) (Value, error) {
			return env.property("device-info"), nil
		}, nil},
		"duration": {0, 0, func(env *Env, _ []Value) (Value, error) { return env.property("duration"), nil }, nil},
		"last-saved": {0, 1, func(env *Env, a []Value) (Value, error) {
			return env.property("last-saved#" + text(a, 0)), nil
		}, nil},
		"depend":         {1, -1, plain(func(a []Value) Value { return a[0] }), nil},
		"digest":         {2, 3, plain(digest), nil},
		"extract-signed": {2, 2, plain(extractSigned), nil},
		"base64-decode": {1, 1, plain(func(a []Value) Value {
			b, err := base64.StdEncoding.DecodeString(text(a, 0))
			return Str(when(err == nil && utf8.Valid(b), string(b)))
		}), nil},

		// geography
		"distance": {1, -1, plain(func(a []Value) Value { return Num(distance(points(a))) }), nil},
		"area":     {1, 1, plain(func(a []Value) Value { return Num(area(points(a))) }), nil},
		"geofence": {2, 2, plain(func(a []Value) Value { return Boolean(inside(points(a[:1]), points(a[1:]))) }), nil},
	}
}

// Functions lists the names of all functions, sorted.
func Functions() []string {
	names := make([]string, 0, len(functions))
	for name := range functions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Known says whether a function exists and may be called with n arguments; want
// says how many it takes.
func Known(name string, n int) (known, fits bool, want string) {
	f, ok := functions[name]
	if !ok {
		return false, false, ""
	}
	switch {
	case f.max < 0:
		want = fmt.Sprintf("%d or more", f.min)
	case f.min == f.max:
		want = strconv.Itoa(f.min)
	default:
		want = fmt.Sprintf("%d to %d", f.min, f.max)
	}
	return true, n >= f.min && (f.max < 0 || n <= f.max), want
}

func (env *Env) call(c *Call) (Value, error) {
	f, ok := functions[c.Name]
	if !ok {
		return Value{}, &EvalError{Why: "unknown_function", Name: c.Name}
	}
	if n := len(c.Args); n < f.min || f.max >= 0 && n > f.max {
		_, _, want := Known(c.Name, n)
		return Value{}, &EvalError{Why: "arity", Name: c.Name, Text: fmt.Sprintf("%s() takes %s arguments, not %d", c.Name, want, n)}
	}
	if f.lazy != nil {
		return f.lazy(env, c)
	}
	if c.folds && env.Memo != nil {
		if m := env.Memo(c, env.from()); m != nil {
			if m.Good {
				return m.Value, nil
			}
			v, err := env.apply(f, c)
			m.Value, m.Good = v, err == nil
			return v, err
		}
	}
	return env.apply(f, c)
}

// apply evaluates the arguments and calls.
func (env *Env) apply(f function, c *Call) (Value, error) {
	var few [4]Value
	args := few[:0]
	for _, a := range c.Args {
		v, err := env.eval(a)
		if err != nil {
			return v, err
		}
		args = append(args, v)
	}
	return f.call(env, args)
}

// orBlank is a text, blank where there is none.
func orBlank(s string) Value {
	if s == "" {
		return Value{}
	}
	return Str(s)
}

// relevant says whether a question is asked now.
func relevant(a []Value) Value {
	for _, n := range a[0].nodes {
		if r, ok := n.(interface{ Relevant() bool }); !ok || r.Relevant() {
			return Boolean(true)
		}
	}
	return Boolean(false)
}

// maxText bounds what one function may make of its arguments, in bytes.
const maxText = 1 << 20

// join puts texts together, as long as that stays within bounds: a chain of
// concatenations doubles with every link.
func (env *Env) join(list []string, separator string) (Value, error) {
	n := len(separator) * max(len(list)-1, 0)
	for _, s := range list {
		n += len(s)
	}
	if n > maxText {
		return Value{}, &EvalError{Why: "too_much"}
	}
	return Str(strings.Join(list, separator)), env.spend(n / 64)
}

func when(ok bool, s string) string {
	if ok {
		return s
	}
	return ""
}

func lazyIf(env *Env, c *Call) (Value, error) {
	v, err := env.eval(c.Args[0])
	if err != nil {
		return v, err
	}
	if v.Bool() {
		return env.eval(c.Args[1])
	}
	return env.eval(c.Args[2])
}

func lazyCoalesce(env *Env, c *Call) (Value, error) {
	for _, a := range c.Args {
		v, err := env.eval(a)
		if err != nil || !v.IsBlank() {
			return v, err
		}
	}
	return Value{}, nil
}

// lazyOnce keeps the first value that is not blank.
func lazyOnce(env *Env, c *Call) (Value, error) {
	if n := env.from(); n != nil {
		if s := n.Text(); s != "" {
			return Str(s), nil
		}
	}
	return env.eval(c.Args[0])
}

// round rounds half up on the decimal text: round(-2.5) -> -2, round(1.005, 2) ->
// 1.01, round(1234, -2) -> 1200.
func round(x, places float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) || math.IsNaN(places) || math.Abs(places) > 30 {
		return x
	}
	r, ok := new(big.Rat).SetString(strconv.FormatFloat(x, 'f', -1, 64))
	if !ok {
		return x
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(math.Abs(math.Trunc(places)))), nil))
	if places < 0 {
		scale.Inv(scale)
	}
	r.Mul(r, scale).Add(r, big.NewRat(1, 2))
	whole := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean: floor, since the denominator is positive
	out, _ := new(big.Rat).Quo(new(big.Rat).SetInt(whole), scale).Float64()
	return out
}

// fold goes over all numbers given; blanks are passed over, and what is no number
// makes the result blank.
func fold(args []Value, start float64, f func(x, y float64) float64) Value {
	total, first := start, math.IsNaN(start)
	add := func(v Value) {
		if v.IsBlank() {
			return
		}
		if x := v.Number(); first {
			total, first = x, false
		} else {
			total = f(total, x)
		}
	}
	for _, a := range args {
		if a.Type != NodesType {
			add(a)
			continue
		}
		for _, n := range a.nodes {
			add(Str(n.Text()))
		}
	}
	return Num(total)
}

func texts(v Value, blanks bool) []string {
	var out []string
	for _, n := range v.nodes {
		if s := n.Text(); s != "" || blanks {
			out = append(out, s)
		}
	}
	return out
}

// all is every argument as text, node-sets node by node.
func all(args []Value) []string {
	var out []string
	for _, a := range args {
		if a.Type == NodesType {
			out = append(out, texts(a, true)...)
		} else {
			out = append(out, a.String())
		}
	}
	return out
}

// substr counts characters from 0, the end is exclusive, negative counts from
// the end: substr('hello', 1, 3) -> el, substr('hello', -2) -> lo.
func substr(a []Value) Value {
	r := []rune(text(a, 0))
	place := func(f float64) int {
		if math.IsNaN(f) {
			return 0
		}
		i := int(math.Max(-1e9, math.Min(1e9, f)))
		if i < 0 {
			i += len(r)
		}
		return min(max(i, 0), len(r))
	}
	from, to := place(a[1].Number()), len(r)
	if len(a) > 2 {
		to = place(a[2].Number())
	}
	if from >= to {
		return Str("")
	}
	return Str(string(r[from:to]))
}

// substring counts characters from 1, as XPath 1.0 §4.2 does.
func substring(a []Value) Value {
	r := []rune(text(a, 0))
	from := round(a[1].Number(), 0)
	to := math.Inf(1)
	if len(a) > 2 {
		to = from + round(a[2].Number(), 0)
	}
	var b strings.Builder
	for i, c := range r {
		if p := float64(i + 1); p >= from && p < to {
			b.WriteRune(c)
		}
	}
	return Str(b.String())
}

func translate(a []Value) Value {
	from, to := []rune(text(a, 1)), []rune(text(a, 2))
	return Str(strings.Map(func(r rune) rune {
		i := slices.Index(from, r)
		switch {
		case i < 0:
			return r
		case i < len(to):
			return to[i]
		}
		return -1
	}, text(a, 0)))
}

// compiled keeps the patterns of regex() that were read; patterns that are put
// together from answers could be without number, so it begins anew at times.
var compiled struct {
	sync.RWMutex
	patterns map[string]*regexp.Regexp
}

// regex searches; whoever means the whole text anchors the pattern with ^ and $.
func regex(s, pattern string) (Value, error) {
	if len(pattern) > 1000 {
		return Value{}, &EvalError{Why: "regex", Name: "regex", Text: "the pattern is too long"}
	}
	compiled.RLock()
	re, ok := compiled.patterns[pattern]
	compiled.RUnlock()
	if !ok {
		var err error
		if re, err = regexp.Compile(pattern); err != nil {
			return Value{}, &EvalError{Why: "regex", Name: "regex", Text: "the pattern " + strconv.Quote(pattern) + " cannot be read: " + err.Error()}
		}
		compiled.Lock()
		if compiled.patterns == nil || len(compiled.patterns) >= 1000 {
			compiled.patterns = map[string]*regexp.Regexp{}
		}
		compiled.patterns[pattern] = re
		compiled.Unlock()
	}
	return Boolean(re.MatchString(s)), nil
}

func at(list []string, i float64) string {
	if i >= 0 && i < float64(len(list)) {
		return list[int(i)]
	}
	return ""
}

func split(s, sep string) []string {
	if strings.TrimSpace(sep) == "" {
		return words(s)
	}
	return strings.Split(s, sep)
}

func deDuplicate(a []Value) Value {
	sep := text(a, 0)
	var out []string
	for _, w := range split(text(a, 1), sep) {
		if !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return Str(strings.Join(out, sep))
}

func rank(a []Value) int {
	n := a[0].Number()
	values := append([]Node(nil), a[1].nodes...)
	place := 1
	for _, v := range values {
		if toNumber(v.Text()) > n {
			place++
		}
	}
	return place
}

func checklist(a []Value) Value {
	n := 0.0
	for _, v := range a[2:] {
		if v.Bool() {
			n++
		}
	}
	return between(n, a[0].Number(), a[1].Number())
}

func between(n, low, high float64) Value {
	return Boolean((low < 0 || n >= low) && (high < 0 || n <= high))
}

func position(env *Env, a []Value) (Value, error) {
	if len(a) > 0 {
		if len(a[0].nodes) == 0 {
			return Value{}, nil
		}
		return Num(float64(a[0].nodes[0].Position())), nil
	}
	if env.position > 0 {
		return Num(float64(env.position)), nil
	}
	for n := env.Node; n != nil; n = n.Parent() { // index(): in which instance the question stands
		if r, ok := n.(interface{ Repeated() bool }); ok && r.Repeated() {
			return Num(float64(n.Position())), nil
		}
	}
	return Num(1), nil
}

// indexedRepeat is indexed-repeat(${question}, ${repeat}, i [, ${inner}, j …]).
func indexedRepeat(env *Env, c *Call) (Value, error) {
	if len(c.Args)%2 == 0 {
		return Value{}, &EvalError{Why: "arity", Name: c.Name, Text: "indexed-repeat() takes a question and then pairs of repeat and number"}
	}
	if env.Nth != nil {
		var few [4]float64
		index := few[:0]
		for i := 2; i < len(c.Args); i += 2 {
			v, err := env.eval(c.Args[i])
			if err != nil {
				return v, err
			}
			index = append(index, v.Number())
		}
		if nodes, ok := env.Nth(c, index, env.from()); ok {
			if len(nodes) == 0 {
				return Value{}, nil
			}
			return Nodes(nodes), env.spend(len(nodes))
		}
	}
	outer := *env
	outer.From = env.Root // every instance, not only the one where the question stands
	want, err := outer.eval(c.Args[0])
	env.steps = outer.steps
	if err != nil {
		return want, err
	}
	nodes := want.nodes
	for i := 1; i+1 < len(c.Args); i += 2 {
		group, err := outer.eval(c.Args[i])
		if err != nil {
			return group, err
		}
		index, err := env.eval(c.Args[i+1])
		if err != nil {
			return index, err
		}
		instances := map[Node]bool{}
		for _, n := range group.nodes {
			if float64(n.Position()) == index.Number() {
				instances[n] = true
			}
		}
		nodes = slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool {
			for p := n; p != nil; p = p.Parent() {
				if instances[p] {
					return false
				}
			}
			return true
		})
	}
	if len(nodes) == 0 {
		return Value{}, nil
	}
	return Nodes(nodes), env.spend(len(nodes))
}

func instance(env *Env, a []Value) (Value, error) {
	if env.Instance != nil {
		if n := env.Instance(text(a, 0)); n != nil {
			return Nodes([]Node{n}), nil
		}
	}
	return Value{}, &EvalError{Why: "instance", Name: text(a, 0)}
}

func pulldata(env *Env, a []Value) (Value, error) {
	if env.PullData == nil {
		return Value{}, nil
	}
	s, ok := env.PullData(text(a, 0), text(a, 1), text(a, 2), text(a, 3))
	if !ok {
		return Value{}, &EvalError{Why: "instance", Name: text(a, 0)}
	}
	return Str(s), nil
}

// lazyChoiceName is jr:choice-name(value, '${question}'): the second argument is
// the text of a reference.
func lazyChoiceName(env *Env, c *Call) (Value, error) {
	value, err := env.eval(c.Args[0])
	if err != nil {
		return value, err
	}
	question := c.Args[1]
	if s, ok := question.(*String); ok {
		inner, err := Parse(s.Value)
		if err != nil {
			return Value{}, &EvalError{Why: "argument", Name: c.Name, Text: "the second argument must be a question in quotes, as in '${village}'"}
		}
		question = inner.Root
	}
	return env.choice(question, value)
}

func lazyChoiceLabel(env *Env, c *Call) (Value, error) {
	value, err := env.eval(c.Args[1])
	if err != nil {
		return value, err
	}
	return env.choice(c.Args[0], value)
}

func (env *Env) choice(question Ast, value Value) (Value, error) {
	q, err := env.eval(question)
	if err != nil || len(q.nodes) == 0 || env.ChoiceLabel == nil {
		return Str(value.String()), err
	}
	if label, ok := env.ChoiceLabel(q.nodes[0], value.String()); ok {
		return Str(label), nil
	}
	return Str(""), nil
}

// aggregateIf is SurveyCTO's count-if, sum-if…
func aggregateIf(f func(kept []Value) Value) func(*Env, *Call) (Value, error) {
	return func(env *Env, c *Call) (Value, error) {
		kept, err := env.where(c.Args[0], c.Args[1])
		return f(kept), err
	}
}

// joinIf is SurveyCTO's join-if(separator, ${question}, condition).
func joinIf(env *Env, c *Call) (Value, error) {
	separator, err := env.eval(c.Args[0])
	if err != nil {
		return separator, err
	}
	kept, err := env.where(c.Args[1], c.Args[2])
	if err != nil {
		return Value{}, err
	}
	return env.join(all(kept), separator.String())
}

// where keeps those of the nodes at which a condition holds.
func (env *Env) where(nodes, condition Ast) (kept []Value, err error) {
	set, err := env.eval(nodes)
	if err != nil {
		return nil, err
	}
	for _, n := range set.nodes {
		inner := *env
		inner.Node, inner.From = n, n
		v, err := inner.eval(condition)
		env.steps = inner.steps
		if err != nil {
			return nil, err
		}
		if v.Bool() {
			kept = append(kept, Nodes([]Node{n}))
		}
	}
	return kept, nil
}

func dateTime(a []Value) Value {
	if a[0].Type != NumberType {
		if _, ok := parseDateTime(text(a, 0)); ok {
			return Str(text(a, 0))
		}
	}
	d, ok := toDay(a[0])
	if !ok {
		return Value{}
	}
	return Str(formatDate(d, "%Y-%m-%dT%H:%M:%S"))
}

func format(a []Value) Value {
	d, ok := toDay(a[0])
	if !ok {
		return Value{}
	}
	return orBlank(formatDate(d, text(a, 1)))
}

func (env *Env) property(name string) Value {
	if env.Property == nil {
		return Value{}
	}
	return Str(env.Property(name))
}

func (env *Env) random() float64 {
	var b [8]byte
	if env.Rand != nil {
		if _, err := env.Rand.Read(b[:]); err != nil {
			return 0
		}
	}
	return float64(binary.LittleEndian.Uint64(b[:])>>11) / (1 << 53)
}

// uuid is a random one (RFC 9562 §5.4), from the world's randomness.
func (env *Env) uuid() string {
	if env.Rand == nil {
		return uuid.Nil.String()
	}
	id, err := uuid.NewRandomFromReader(env.Rand)
	if err != nil {
		return uuid.Nil.String()
	}
	return id.String()
}

// randomize shuffles; with a seed, always in the same way.
func (env *Env) randomize(a []Value) Value {
	nodes := slices.Clone(a[0].nodes)
	swap := func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] }
	if len(a) > 1 {
		Shuffle(len(nodes), Seed(a[1]), swap)
	} else {
		shuffle(len(nodes), env.random, swap)
	}
	return Nodes(nodes)
}

// Seed reads the seed of randomize() as ODK does: whole numbers, 0 where there is
// nothing, and a digest of any other text.
func Seed(v Value) int64 {
	switch f := v.Number(); {
	case !math.IsNaN(f) && math.Abs(f) < 1<<63:
		return int64(f)
	case v.String() == "":
		return 0
	}
	sum := sha256.Sum256([]byte(v.String()))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// Shuffle shuffles n things as randomize() of ODK does for a seed: Fisher-Yates
// from the front, with the generator of Park and Miller. ABCDEF by 42 -> AFCBDE.
func Shuffle(n int, seed int64, swap func(i, j int)) {
	const modulus = 1<<31 - 1
	s := seed % modulus
	if s <= 0 {
		s += modulus - 1
	}
	shuffle(n, func() float64 {
		s = s * 16807 % modulus
		return float64(s-1) / (modulus - 1)
	}, swap)
}

func shuffle(n int, next func() float64, swap func(i, j int)) {
	for i := range n {
		if j := min(int(next()*float64(i+1)), i); j != i {
			swap(i, j)
		}
	}
}

// extractSigned reads what a QR code holds: base64 of an Ed25519 signature and the
// message it signs; blank unless the key (base64) made it.
func extractSigned(a []Value) Value {
	signed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text(a, 0)))
	key, err2 := base64.StdEncoding.DecodeString(strings.TrimSpace(text(a, 1)))
	if err != nil || err2 != nil || len(key) != ed25519.PublicKeySize || len(signed) < ed25519.SignatureSize {
		return Value{}
	}
	message := signed[ed25519.SignatureSize:]
	if !ed25519.Verify(key, message, signed[:ed25519.SignatureSize]) || !utf8.Valid(message) {
		return Value{}
	}
	return orBlank(string(message))
}

func digest(a []Value) Value {
	var h hash.Hash
	switch text(a, 1) {
	case "MD5":
		h = md5.New()
	case "SHA-1":
		h = sha1.New()
	case "SHA-256":
		h = sha256.New()
	case "SHA-384":
		h = sha512.New384()
	case "SHA-512":
		h = sha512.New()
	default:
		return Value{}
	}
	h.Write([]byte(text(a, 0)))
	if text(a, 2) == "hex" {
		return Str(hex.EncodeToString(h.Sum(nil)))
	}
	return Str(base64.StdEncoding.EncodeToString(h.Sum(nil)))
}

// earthRadius in metres, as ODK XForms uses it.
const earthRadius = 6378100

type point struct{ lat, lon float64 }

// points reads geopoints, or a geotrace (points parted by ;).
func points(args []Value) []point {
	var out []point
	for _, s := range all(args) {
		for _, p := range strings.Split(s, ";") {
			f := strings.Fields(p)
			if len(f) < 2 {
				continue
			}
			lat, ok1 := parseNumber(f[0])
			lon, ok2 := parseNumber(f[1])
			if ok1 && ok2 {
				out = append(out, point{lat * math.Pi / 180, lon * math.Pi / 180})
			}
		}
	}
	return out
}

func distance(p []point) float64 {
	if len(p) < 2 {
		return 0
	}
	total := 0.0
	for i := 1; i < len(p); i++ {
		a, b := p[i-1], p[i]
		h := math.Pow(math.Sin((b.lat-a.lat)/2), 2) + math.Cos(a.lat)*math.Cos(b.lat)*math.Pow(math.Sin((b.lon-a.lon)/2), 2)
		total += 2 * earthRadius * math.Asin(math.Min(1, math.Sqrt(h)))
	}
	return round(total, 2)
}

func area(p []point) float64 {
	if len(p) < 3 {
		return 0
	}
	total := 0.0
	for i := range p {
		a, b := p[i], p[(i+1)%len(p)]
		total += (b.lon - a.lon) * (2 + math.Sin(a.lat) + math.Sin(b.lat))
	}
	return round(math.Abs(total*earthRadius*earthRadius/2), 2)
}

func inside(at, ring []point) bool {
	if len(at) == 0 || len(ring) < 3 {
		return false
	}
	in, x := false, at[0]
	for i, j := 0, len(ring)-1; i < len(ring); j, i = i, i+1 {
		a, b := ring[i], ring[j]
		if (a.lat > x.lat) != (b.lat > x.lat) && x.lon < (b.lon-a.lon)*(x.lat-a.lat)/(b.lat-a.lat)+a.lon {
			in = !in
		}
	}
	return in
}
