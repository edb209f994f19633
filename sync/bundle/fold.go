package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/assets/dictionary"
	"ironfeet/store"
)

// Changes say many things twice, and much that no compressor can shrink: an id in
// sixteen bytes here and in thirty-six letters there, a photo's digest in the visit
// and behind it, the digest of a content that lies beside it, signatures. Folding is
// what happens to them before zstd: what a reader knows already is replaced by a
// reference to it, and bytes that are random are laid beside the rest (loose), where
// they do not spoil the statistics of the text. Unfolding gives back every byte, for
// the changes are what was signed.
//
// The result is CBOR again, with some initial bytes that deterministic CBOR without
// tags has no use for. Specified in sync/FORMAT.md, section 3.1.

// Marks that stand for themselves: unassigned simple values.
const (
	newID      = 0xe0 // a UUID: the next 16 loose bytes
	newIDText  = 0xe1 // the same as text
	newSum     = 0xe2 // 32 bytes: the next loose ones
	newKeyID   = 0xe3 // 8 bytes: the next loose ones
	signature  = 0xe4 // 64 bytes: the next loose ones
	contentSum = 0xe5 // SHA-256 of the byte string that was remembered last
	remembered = 0xe6 // the byte string that was remembered last
	again      = 0xe7 // the value before this one in the same map
	headPlace  = 0xe8 // the head's division
	nextSeq    = 0xe9 // the number that this change must have
	theClock   = 0xea // the change's clock
	nextClock  = 0xeb // says: the clock is the one before, plus 1
	birthday   = 0xec // the date in the identity number that was met last
	allBlobs   = 0xed // every digest with its size that was met in this change, as a change names them
	nextAsked  = 0xee // two texts: the question behind the one before, and its type
)

// Marks that items follow: tags. Those that say something are written nowhere; the
// item that they are about follows.
const (
	knownID    = 0xc0 // n: the UUID that was met as number n
	knownText  = 0xc1 // n: the same as text
	nearID     = 0xc2 // n: a UUID whose time is that of the last of version 7 plus n ms, and of the next 10 loose bytes
	nearText   = 0xc3 // n: the same as text
	nested     = 0xc4 // item: a byte string that holds the item
	instant    = 0xc5 // n: the milliseconds of the change's clock, plus n
	instantISO = 0xc6 // n, m: the same as text, at a place whose clocks show m minutes more than UTC
	table      = 0xc7 // rows, columns, items: an array of equal arrays; all but the last item of each, then the last ones
	knownSum   = 0xc8 // n: the 32 bytes that were met as number n
	knownKeyID = 0xc9 // n: the 8 bytes that were met as number n
	files      = 0xca // n, text, n items of 32 bytes: their digits, each with the text behind it, between spaces
	laterClock = 0xcb // n: says: the clock is n milliseconds after the one before, its counter 0
	anyClock   = 0xcc // n: says: the clock is n
	remember   = 0xcd // item: says: this byte string is remembered, and its SHA-256 was met
	asked      = 0xce // n: two texts: the question n behind the next one, and its type
	instance   = 0xcf // n: says: questions of a repeat are from now on of its number n
	recalled   = 0xd0 // n: the byte string of this change that was remembered as number n
	signed     = 0xd2 // tag 18 itself, of a signed message
)

// maxFold bounds nesting: what a change may have (32) and a message inside it.
const maxFold = 40

var errFold = errors.New("not in the folded form")

// memory is what both sides of a fold have met so far.
type memory struct {
	ids     []uuid.UUID
	young   int64 // the time of the last of them that has one (version 7)
	keyIDs  [][]byte
	sums    []sum
	earlier int    // how many of them earlier changes had
	asked   int    // number of the question that was met last
	nth     uint64 // of a repeat

	dictionary uint64
	person     string // the identity number that was met last
	seq        uint64
	clock      uint64
	place      string
	kept       [][]byte     // what this change remembers
	last       store.Digest // of what it remembered last
}

// A sum is 32 bytes that were met, and the whole number that stood behind them in a
// map: a photo's digest and size.
type sum struct {
	digest store.Digest
	size   uint64
	sized  bool
}

func memoryOf(b *store.Bundle, number uint64) memory {
	k := memory{seq: b.First, place: b.Division, asked: -1, dictionary: number}
	k.meet(b.Node)
	return k
}

func (k *memory) meet(id uuid.UUID) {
	k.ids = append(k.ids, id)
	if id.Version() == 7 {
		k.young = millis(id)
	}
}

// keep remembers a byte string.
func (k *memory) keep(b []byte) {
	k.kept, k.last = append(k.kept, b), sha256.Sum256(b)
	k.sums = append(k.sums, sum{digest: k.last})
}

// content is what was remembered last, nil if nothing was.
func (k *memory) content() []byte {
	if len(k.kept) == 0 {
		return nil
	}
	return k.kept[len(k.kept)-1]
}

const clockCounterBits = 16

func (k *memory) instant() uint64 { return k.clock >> clockCounterBits }

// next is between two changes.
func (k *memory) next() { k.seq, k.earlier, k.kept = k.seq+1, len(k.sums), nil }

// head is the first bytes of an item: its major type and argument, in the shortest
// form, as nothing else is written.
func head(b []byte) (major byte, n uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, errFold
	}
	major, info, rest := b[0]>>5, b[0]&31, b[1:]
	if info < 24 {
		return major, uint64(info), rest, nil
	}
	size := 1 << (info - 24)
	if info > 27 || len(rest) < size {
		return 0, 0, nil, errFold
	}
	switch size {
	case 1:
		n = uint64(rest[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(rest))
	case 4:
		n = uint64(binary.BigEndian.Uint32(rest))
	default:
		n = binary.BigEndian.Uint64(rest)
	}
	return major, n, rest[size:], nil
}

func putHead(out []byte, major byte, n uint64) []byte {
	m := major << 5
	switch {
	case n < 24:
		return append(out, m|byte(n))
	case n <= math.MaxUint8:
		return append(out, m|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(out, m|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(out, m|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(out, m|27), n)
}

func putInt(out []byte, n int64) []byte {
	if n < 0 {
		return putHead(out, 1, uint64(-1-n))
	}
	return putHead(out, 0, uint64(n))
}

func putBytes(out, b []byte) []byte { return append(putHead(out, 2, uint64(len(b))), b...) }

func putText(out []byte, s string) []byte { return append(putHead(out, 3, uint64(len(s))), s...) }

// A folder writes the folded form.
type folder struct {
	memory
	idAt       map[uuid.UUID]int
	sumAt      map[store.Digest]int
	out, loose []byte
}

// fold gives the folded form of a bundle's changes, as they were written, and the
// loose bytes. ok is false where they have something that folding has no form for.
func fold(b *store.Bundle, raws [][]byte) (out, loose []byte, ok bool) {
	f := &folder{memory: memoryOf(b, newest), idAt: map[uuid.UUID]int{b.Node: 0}, sumAt: map[store.Digest]int{}}
	for i, raw := range raws {
		if f.change(raw, &b.Changes[i]) != nil {
			return nil, nil, false
		}
		f.next()
	}
	return f.out, f.loose, true
}

func (f *folder) change(raw []byte, c *store.Change) error {
	f.clockOf(uint64(c.Clock))
	// First what others name by its digest: the parts, then the content.
	for _, name := range []string{"parts", "content"} {
		i := slices.IndexFunc(c.Fields, func(v store.Field) bool { return v.Name == name })
		if i < 0 {
			continue
		}
		if err := f.remember(c.Fields[i].Value); err != nil {
			return err
		}
	}
	rest, err := f.changeMap(raw)
	if err == nil && len(rest) > 0 {
		err = errFold
	}
	return err
}

// remember has a byte string remembered, or each of an array of them.
func (f *folder) remember(value []byte) error {
	major, n, rest, err := head(value)
	switch {
	case err != nil:
		return err
	case major == 2 && n == uint64(len(rest)) && n > 64 && len(f.kept) < maxKept && f.which(rest) < 0:
		f.out = append(f.out, remember)
		if _, err := f.item(value, 0); err != nil {
			return err
		}
		f.keep(rest)
		f.sumAt[f.sums[len(f.sums)-1].digest] = len(f.sums) - 1
	case major == 4:
		for range n {
			after, err := skip(rest, 0)
			if err != nil {
				return err
			}
			if head := rest[:len(rest)-len(after)]; head[0]>>5 == 2 {
				if err := f.remember(head); err != nil {
					return err
				}
			}
			rest = after
		}
	}
	return nil
}

// maxKept bounds a search.
const maxKept = 16

func (f *folder) clockOf(clock uint64) {
	before := f.clock
	f.clock = clock
	switch at := f.instant(); {
	case clock == before+1:
		f.out = append(f.out, nextClock)
	case clock > before && clock == at<<clockCounterBits:
		f.out = putHead(append(f.out, laterClock), 0, at-before>>clockCounterBits)
	default:
		f.out = putHead(append(f.out, anyClock), 0, clock)
	}
}

// changeMap is the change itself: a map whose keys 2 and 3 are its number and clock.
func (f *folder) changeMap(b []byte) (rest []byte, err error) {
	major, n, rest, err := head(b)
	if err != nil || major != 5 {
		return nil, errFold
	}
	f.out = putHead(f.out, 5, n)
	for range n {
		if len(rest) == 0 {
			return nil, errFold
		}
		key := rest[0]
		if rest, err = f.item(rest, 1); err != nil {
			return nil, err
		}
		major, value, after, err := head(rest)
		switch {
		case err != nil:
			return nil, err
		case key == 2 && major == 0 && value == f.seq:
			f.out, rest = append(f.out, nextSeq), after
		case key == 3 && major == 0 && value == f.clock:
			f.out, rest = append(f.out, theClock), after
		case key == 9 && f.allBlobs(rest):
			f.out, rest = append(f.out, allBlobs), nil
		default:
			if rest, err = f.item(rest, 1); err != nil {
				return nil, err
			}
		}
	}
	return rest, nil
}

// item folds the item with which b begins, and gives what follows it.
func (f *folder) item(b []byte, depth int) (rest []byte, err error) {
	major, n, rest, err := head(b)
	if err != nil || depth > maxFold {
		return nil, errFold
	}
	size := len(b) - len(rest)
	switch major {
	case 0:
		at, base := int64(n), int64(f.instant())
		if d := at - base; n > 1<<40 && n < 1<<62 && -1<<31 < d && d < 1<<31 {
			f.out = putInt(append(f.out, instant), d)
			return rest, nil
		}
	case 2, 3:
		if n > uint64(len(rest)) {
			return nil, errFold
		}
		size += int(n)
		content, after := rest[:n], rest[n:]
		if major == 2 && f.bytes(content, depth) || major == 3 && f.text(string(content)) {
			return after, nil
		}
		rest = after
	case 4:
		return f.array(rest, n, depth)
	case 5:
		return f.pairs(rest, n, depth)
	case 6:
		if b[0] != signed {
			return nil, errFold
		}
		f.out = append(f.out, signed)
		return f.item(rest, depth+1)
	}
	f.out = append(f.out, b[:size]...)
	return rest, nil
}

// bytes folds a byte string; false: it is written as it stands.
func (f *folder) bytes(b []byte, depth int) bool {
	switch {
	case len(b) > 64 && f.known(b):
	case len(b) == 8:
		f.keyID(b)
	case len(b) == 64:
		f.out, f.loose = append(f.out, signature), append(f.loose, b...)
	case len(b) == 16:
		f.id(uuid.UUID(b), knownID, nearID, newID)
	case len(b) == 32:
		f.sum(store.Digest(b))
	default:
		return f.nested(b, depth)
	}
	return true
}

// which is the number under which a byte string is remembered, -1 if it is not.
func (f *folder) which(b []byte) int {
	return slices.IndexFunc(f.kept, func(k []byte) bool { return bytes.Equal(k, b) })
}

// known folds a byte string if it is remembered.
func (f *folder) known(b []byte) bool {
	switch i := f.which(b); i {
	case -1:
		return false
	case len(f.kept) - 1:
		f.out = append(f.out, remembered)
	default:
		f.out = putHead(append(f.out, recalled), 0, uint64(i))
	}
	return true
}

func (f *folder) keyID(b []byte) {
	if i := slices.IndexFunc(f.keyIDs, func(k []byte) bool { return bytes.Equal(k, b) }); i >= 0 {
		f.out = putHead(append(f.out, knownKeyID), 0, uint64(i))
		return
	}
	f.out, f.loose = append(f.out, newKeyID), append(f.loose, b...)
	if len(f.keyIDs) < maxKeyIDs {
		f.keyIDs = append(f.keyIDs, b)
	}
}

// maxKeyIDs bounds a search; there are as many as people who sign.
const maxKeyIDs = 64

func (f *folder) sum(digest store.Digest) {
	switch i, met := f.sumAt[digest]; {
	case met && len(f.kept) > 0 && digest == f.last:
		f.out = append(f.out, contentSum)
	case met:
		f.out = putHead(append(f.out, knownSum), 0, uint64(i))
	default:
		f.out, f.loose = append(f.out, newSum), append(f.loose, digest[:]...)
		f.sumAt[digest] = len(f.sums)
		f.sums = append(f.sums, sum{digest: digest})
	}
}

func (f *folder) id(id uuid.UUID, old, near, young byte) {
	if i, met := f.idAt[id]; met {
		f.out = putHead(append(f.out, old), 0, uint64(i))
		return
	}
	if d := millis(id) - f.young; -1<<31 < d && d < 1<<31 {
		f.out, f.loose = putInt(append(f.out, near), d), append(f.loose, id[6:]...)
	} else {
		f.out, f.loose = append(f.out, young), append(f.loose, id[:]...)
	}
	f.idAt[id] = len(f.ids)
	f.meet(id)
}

// millis are the first six bytes of a UUID: in version 7 its time.
func millis(id uuid.UUID) int64 {
	return int64(binary.BigEndian.Uint16(id[:]))<<32 | int64(binary.BigEndian.Uint32(id[2:]))
}

// nested folds a byte string that holds one item in the deterministic form; what was
// tried in vain leaves nothing behind.
func (f *folder) nested(b []byte, depth int) bool {
	if len(b) < 2 {
		return false
	}
	was, out, loose := f.memory, len(f.out), len(f.loose)
	f.out = append(f.out, nested)
	if rest, err := f.item(b, depth+1); err == nil && len(rest) == 0 {
		return true
	}
	for _, id := range f.ids[len(was.ids):] {
		delete(f.idAt, id)
	}
	for _, s := range f.sums[len(was.sums):] {
		delete(f.sumAt, s.digest)
	}
	f.memory, f.out, f.loose = was, f.out[:out], f.loose[:loose]
	return false
}

// text folds a text; false: it is written as it stands.
func (f *folder) text(s string) bool {
	switch {
	case s == f.place:
		f.out = append(f.out, headPlace)
		return true
	case len(s) == 10 && s == birthdayIn(f.person):
		f.out = append(f.out, birthday)
		return true
	case len(s) == 36:
		id, err := uuid.Parse(s)
		if err != nil || id.String() != s {
			return false
		}
		f.id(id, knownText, nearText, newIDText)
		return true
	case len(s) > 64:
		return f.files(s)
	case len(s) == len(iso):
		return f.iso(s)
	}
	f.met(s)
	return false
}

// met remembers an identity number.
func (k *memory) met(s string) {
	if len(s) == 18 && birthdayIn(s) != "" {
		k.person = s
	}
}

// birthdayIn is the date in an identity number (GB 11643-1999), "" where there is none.
func birthdayIn(number string) string {
	if len(number) != 18 || strings.Trim(number[:17], "0123456789") != "" {
		return ""
	}
	return number[6:10] + "-" + number[10:12] + "-" + number[12:14]
}

// iso is how a form writes the moment (XLSForm's start and end).
const iso = "2006-01-02T15:04:05.000-07:00"

func (f *folder) iso(s string) bool {
	t, err := time.Parse(iso, s)
	if err != nil {
		return false
	}
	_, offset := t.Zone()
	d := t.UnixMilli() - int64(f.instant())
	if offset%60 != 0 || d <= -1<<31 || d >= 1<<31 || isoText(t.UnixMilli(), offset/60) != s {
		return false
	}
	f.out = putInt(putInt(append(f.out, instantISO), d), int64(offset/60))
	return true
}

func isoText(ms int64, minutes int) string {
	return time.UnixMilli(ms).In(time.FixedZone("", minutes*60)).Format(iso)
}

// files folds the names of files that are named by their digest.
func (f *folder) files(s string) bool {
	names := strings.Split(s, " ")
	suffix := names[0][min(64, len(names[0])):]
	var digests []store.Digest
	for _, name := range names {
		hex, ok := strings.CutSuffix(name, suffix)
		digest, err := store.ParseDigest(hex)
		if !ok || err != nil || digest.String() != hex || len(names) > maxFiles || len(suffix) > 8 {
			return false
		}
		digests = append(digests, digest)
	}
	f.out = putText(putHead(append(f.out, files), 0, uint64(len(digests))), suffix)
	for _, d := range digests {
		f.sum(d)
	}
	return true
}

const maxFiles = 256 // of one question, and to search through

// Arrays of equal arrays, as answers are, are written with what stands last in each
// behind the rest: all questions, which are as in any visit, and then all values.
const minRows, maxColumns = 1, 8

func (f *folder) array(b []byte, n uint64, depth int) (rest []byte, err error) {
	if all, rest := rows(b, n); all != nil {
		f.out = putHead(putHead(append(f.out, table), 0, n), 0, uint64(len(all[0])))
		last := len(all[0]) - 1
		for _, row := range all {
			front := row[:last]
			if len(front) > 1 && f.ask(front[0], front[1]) {
				front = front[2:]
			}
			for _, cell := range front {
				if _, err := f.item(cell, depth+2); err != nil {
					return nil, err
				}
			}
		}
		for _, row := range all {
			if _, err := f.item(row[last], depth+2); err != nil {
				return nil, err
			}
		}
		return rest, nil
	}
	f.out = putHead(f.out, 4, n)
	for range n {
		if b, err = f.item(b, depth+1); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// rows takes an array of equal arrays apart; nil: it is none.
func rows(b []byte, n uint64) (all [][][]byte, rest []byte) {
	if n < minRows || n > uint64(len(b)) {
		return nil, nil
	}
	for range n {
		major, k, row, err := head(b)
		if err != nil || major != 4 || k < 2 || k > maxColumns || len(all) > 0 && int(k) != len(all[0]) {
			return nil, nil
		}
		var cells [][]byte
		for range k {
			after, err := skip(row, 0)
			if err != nil {
				return nil, nil
			}
			cells, row = append(cells, row[:len(row)-len(after)]), after
		}
		all, b = append(all, cells), row
	}
	return all, b
}

// ask folds a path and the type beside it, if the dictionary has that question.
func (f *folder) ask(path, kind []byte) bool {
	question, nth, ok := questionOf(path, kind)
	if !ok {
		return false
	}
	number, met := dictionary.Number(f.dictionary, question)
	if !met {
		return false
	}
	if nth > 0 && nth != f.nth {
		f.out, f.nth = putHead(append(f.out, instance), 0, nth), nth
	}
	if d := number - f.asked - 1; d == 0 {
		f.out = append(f.out, nextAsked)
	} else {
		f.out = putInt(append(f.out, asked), int64(d))
	}
	f.asked = number
	return true
}

// questionOf is a question as the dictionary lists it, "/data/members[#]/name text",
// and of which number of a repeat it is, 0 where it is in none or in two.
func questionOf(path, kind []byte) (question string, nth uint64, ok bool) {
	p, ok := textOf(path)
	k, ok2 := textOf(kind)
	if !ok || !ok2 {
		return "", 0, false
	}
	before, rest, repeated := strings.Cut(p, "[")
	if !repeated {
		return p + " " + k, 0, true
	}
	digits, after, _ := strings.Cut(rest, "]")
	nth, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || nth == 0 || strconv.FormatUint(nth, 10) != digits {
		return "", 0, false
	}
	return before + "[#]" + after + " " + k, nth, true
}

func textOf(b []byte) (string, bool) {
	major, n, rest, err := head(b)
	return string(rest), err == nil && major == 3 && n == uint64(len(rest))
}

// skip gives what follows the item with which b begins.
func skip(b []byte, depth int) (rest []byte, err error) {
	major, n, rest, err := head(b)
	if err != nil || depth > maxFold {
		return nil, errFold
	}
	switch major {
	case 2, 3:
		if n > uint64(len(rest)) {
			return nil, errFold
		}
		return rest[n:], nil
	case 4, 5, 6:
		items := n
		if major == 5 {
			items *= 2
		}
		if major == 6 {
			items = 1
		}
		if n > uint64(len(rest)) {
			return nil, errFold
		}
		for range items {
			if rest, err = skip(rest, depth+1); err != nil {
				return nil, err
			}
		}
	}
	return rest, nil
}

func (f *folder) pairs(b []byte, n uint64, depth int) (rest []byte, err error) {
	f.out = putHead(f.out, 5, n)
	var before []byte
	for range n {
		if b, err = f.item(b, depth+1); err != nil {
			return nil, err
		}
		after, err := skip(b, depth)
		if err != nil {
			return nil, err
		}
		value := b[:len(b)-len(after)]
		if len(value) > 1 && bytes.Equal(value, before) {
			f.out = append(f.out, again)
		} else if _, err := f.item(value, depth+1); err != nil {
			return nil, err
		}
		f.sized(before, value)
		before, b = value, after
	}
	return b, nil
}

// sized remembers the number behind a digest that was met in this change.
func (k *memory) sized(before, value []byte) {
	if len(before) != 34 {
		return
	}
	major, n, _, err := head(value)
	if err != nil || major != 0 {
		return
	}
	for i := len(k.sums) - 1; i >= max(k.earlier, len(k.sums)-maxFiles); i-- {
		if s := &k.sums[i]; s.digest == store.Digest(before[2:]) {
			if !s.sized {
				s.size, s.sized = n, true
			}
			return
		}
	}
}

// allBlobs says whether a change ends with an array of exactly the digests that were
// met in it with a size.
func (f *folder) allBlobs(rest []byte) bool { return bytes.Equal(rest, f.blobs(nil)) }

// blobs are the digests that were met in this change with a size, as a change names
// them.
func (k *memory) blobs(out []byte) []byte {
	var list []sum
	for _, s := range k.sums[k.earlier:] {
		if s.sized {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b sum) int { return bytes.Compare(a.digest[:], b.digest[:]) })
	out = putHead(out, 4, uint64(len(list)))
	for _, s := range list {
		out = append(putBytes(append(out, 0xa2, 1), s.digest[:]), 2)
		out = putHead(out, 0, s.size)
	}
	return out
}
