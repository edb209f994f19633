// Package expr is the language of forms and standards: XPath 1.0 as ODK XForms
// uses it, over an instance tree (Node) that the caller supplies. Parse reads an
// expression once; Eval evaluates it in floating point over node-sets, as forms
// need it; EvalExact (exact.go) reads the same syntax in exact rationals and
// three-valued logic, as money needs it.
//
// # What expressions mean
//
// Engines differ on blanks, dates, many nodes and rounding. These are our
// decisions; the test of this package evaluates every line below. a is 3, b is
// blank, d is 2024-03-01, w is 中文; the repeat r has three instances, whose x is
// 1, blank and 3.
//
// A blank stays blank in arithmetic, is neither less nor greater than anything, and
// equals nothing but the empty text. A question that is not asked is blank.
//
//	${b} + 1 -> blank
//	${b} < 1 -> false
//	${b} > -1 -> false
//	${b} = 0 -> false
//	${b} = '' -> true
//	${b} != 5 -> true
//	number('1,234') -> blank
//	number('12 ') -> 12
//
// A node is true by its value, not by its existence: blank and 0 are false (XPath
// 1.0 §4.3 would count the node).
//
//	boolean(${b}) -> false
//	not(${b}) -> true
//	boolean(${a}) -> true
//	if(${b}, 'y', 'n') -> n
//	boolean('0') -> true
//
// Aggregates pass blanks over; a comparison with a node-set holds when it holds for
// one of its nodes (§3.4).
//
//	sum(/data/r/x) -> 4
//	min(/data/r/x) -> 1
//	max(-5, -3) -> -3
//	max(${b}) -> blank
//	count(/data/r/x) -> 3
//	count-non-empty(/data/r/x) -> 2
//	count(${a} | ${b}) -> 2
//	join(',', /data/r/x) -> 1,,3
//	/data/r/x = 3 -> true
//	/data/r[2]/x = '' -> true
//	/data/r[x = 3]/x -> 3
//	indexed-repeat(/data/r/x, /data/r, 3) -> 3
//	indexed-repeat(/data/r/x, /data/r, 0) -> blank
//	indexed-repeat(/data/r/x, /data/r, 9) -> blank
//
// Text against text compares text; where a number takes part, numbers are compared
// (§3.4). Only numbers and dates have an order.
//
//	'01' = 1 -> true
//	'01' = '1' -> false
//	'a' < 'b' -> false
//	'10' > '9' -> true
//
// Numbers print as decimals that read back the same, without exponent (ODK XForms,
// “Data types”); rounding is on the decimal text, halves towards positive infinity
// (§4.4).
//
//	1.0 -> 1
//	0.1 + 0.2 -> 0.30000000000000004
//	10000000000 * 100000000000 -> 1000000000000000000000
//	1 div 0 -> Infinity
//	0 div 0 -> blank
//	7 mod 3 -> 1
//	-7 mod 3 -> -1
//	round(-2.5) -> -2
//	round(2.5) -> 3
//	round(1.005, 2) -> 1.01
//	round(2.675, 2) -> 2.68
//	round(1234, -2) -> 1200
//	int(-2.9) -> -2
//
// A date is a whole day since 1970-01-01, wherever the tablet is; date() drops the
// time; a day that does not exist is blank.
//
//	${d} + 1 -> 19784
//	date('2024-03-01') + 1 -> 19784
//	date('2024-03-31') - ${d} -> 30
//	date('2024-02-30') -> blank
//	date('2024-02-29T23:30:00') -> 2024-02-29
//	date(19784) -> 2024-03-02
//	decimal-date-time('1970-01-01') -> 0
//	format-date(${d}, '%Y年%n月%e日') -> 2024年3月1日
//	format-date(${b}, '%Y') -> blank
//	today() > ${d} -> true
//
// Text is characters, not UTF-16 units; substr counts from 0, its end is exclusive
// and negative places count from the end (ODK); substring counts from 1 (§4.2);
// regex searches, so authors anchor with ^ and $.
//
//	string-length('𠮷野') -> 2
//	string-length(${w}) -> 2
//	substr('hello', 1, 3) -> el
//	substr('hello', -3) -> llo
//	substring('hello', 2, 3) -> ell
//	regex('abc', 'b') -> true
//	regex('abc', '^b$') -> false
//	concat(${w}, '／', ${a}) -> 中文／3
//	translate('abc', 'ab', 'xy') -> xyc
//	normalize-space('  a   b ') -> a b
//
// A multiple choice is names parted by spaces, its places count from 0.
//
//	selected('a b c', 'b') -> true
//	selected-at('a b c', 2) -> c
//	selected-at('a b c', 5) -> blank
//	count-selected('a b c') -> 3
//
// once(x) keeps the first value that is not blank; coalesce takes the first of its
// arguments that is not.
//
//	coalesce(${b}, ${a}) -> 3
//	once(7) -> 7
//
// ${name} means the question of that name nearest to where the expression stands:
// inside a repeat, the sibling in the same instance. From outside it means many
// values, which package forms refuses when the form is read unless a function takes
// them all.
//
// # Limits
//
// An expression has at most 64 KiB and 200 levels; one evaluation visits at most
// five million nodes, and no text that it makes is longer than 1 MiB. What goes
// beyond is an *EvalError, never a panic.
package expr
