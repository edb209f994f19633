package bundle

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"ironfeet/assets/dictionary"
	"ironfeet/store"
)

// An unfolder gives back what was folded.
type unfolder struct {
	memory
	in, loose []byte
	limit     int
}

// unfold gives back the changes of a bundle, at most limit bytes.
func unfold(b *store.Bundle, number uint64, in, loose []byte, limit int) ([]byte, error) {
	u := &unfolder{memory: memoryOf(b, number), in: in, loose: loose, limit: limit}
	out := make([]byte, 0, limit)
	var err error
	for len(u.in) > 0 {
		if out, err = u.item(out, 0); err != nil {
			return nil, err
		}
		u.next()
	}
	if len(u.loose) > 0 {
		return nil, errFold
	}
	return out, nil
}

// number reads the whole number behind a mark.
func (u *unfolder) number() (uint64, error) {
	major, n, rest, err := head(u.in)
	if err != nil || major != 0 {
		return 0, errFold
	}
	u.in = rest
	return n, nil
}

// signed reads a number that may be negative, of at most 31 bits.
func (u *unfolder) signed() (int64, error) {
	major, n, rest, err := head(u.in)
	if err != nil || major > 1 || n > math.MaxInt32 {
		return 0, errFold
	}
	u.in = rest
	if major == 1 {
		return -1 - int64(n), nil
	}
	return int64(n), nil
}

// take takes loose bytes; nil: there are not so many.
func (u *unfolder) take(n int) []byte {
	if n > len(u.loose) {
		return nil
	}
	b := u.loose[:n]
	u.loose = u.loose[n:]
	return b
}

// item appends the next item as it was. What only says something is followed by the
// item it is about.
func (u *unfolder) item(out []byte, depth int) ([]byte, error) {
	if depth > maxFold || len(u.in) == 0 {
		return nil, errFold
	}
	out, err := u.plain(out, depth)
	if err == nil && len(out) > u.limit {
		err = errSize
	}
	return out, err
}

func (u *unfolder) plain(out []byte, depth int) ([]byte, error) {
	mark := u.in[0]
	switch mark >> 5 {
	case 6:
		u.in = u.in[1:]
		return u.tagged(out, mark, depth)
	case 7:
		if mark < 0xf4 {
			u.in = u.in[1:]
			return u.marked(out, mark, depth)
		}
	}
	major, n, rest, err := head(u.in)
	if err != nil {
		return nil, err
	}
	size := len(u.in) - len(rest)
	switch major {
	case 2, 3:
		if n > uint64(len(rest)) {
			return nil, errFold
		}
		size += int(n)
	case 4, 5:
		if n > uint64(len(rest)) {
			return nil, errFold
		}
		out, u.in = append(out, u.in[:size]...), rest
		if major == 5 {
			return u.pairs(out, n, depth)
		}
		for range n {
			if out, err = u.item(out, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	if major == 3 {
		u.met(string(u.in[size-int(n) : size]))
	}
	out, u.in = append(out, u.in[:size]...), u.in[size:]
	return out, nil
}

func (u *unfolder) pairs(out []byte, n uint64, depth int) ([]byte, error) {
	var err error
	from, to := 0, 0 // the value before
	for range n {
		if out, err = u.item(out, depth+1); err != nil {
			return nil, err
		}
		if len(u.in) > 0 && u.in[0] == again && to > from {
			u.in = u.in[1:]
			from, to, out = len(out), len(out)+to-from, append(out, out[from:to]...)
			if to > u.limit {
				return nil, errSize
			}
			continue
		}
		start := len(out)
		if out, err = u.item(out, depth+1); err != nil {
			return nil, err
		}
		u.sized(out[from:to], out[start:])
		from, to = start, len(out)
	}
	return out, nil
}

// marked is a mark that stands for itself.
func (u *unfolder) marked(out []byte, mark byte, depth int) ([]byte, error) {
	switch mark {
	case newID, newIDText:
		return u.id(out, u.take(16), mark == newIDText)
	case newSum:
		if b := u.take(32); b != nil {
			u.sums = append(u.sums, sum{digest: store.Digest(b)})
			return putBytes(out, b), nil
		}
	case newKeyID:
		if b := u.take(8); b != nil {
			u.keyIDs = append(u.keyIDs, b)
			return putBytes(out, b), nil
		}
	case signature:
		if b := u.take(64); b != nil {
			return putBytes(out, b), nil
		}
	case contentSum:
		if len(u.kept) > 0 {
			return putBytes(out, u.last[:]), nil
		}
	case remembered:
		if len(u.kept) > 0 {
			return putBytes(out, u.content()), nil
		}
	case headPlace:
		return putText(out, u.place), nil
	case nextSeq:
		return putHead(out, 0, u.seq), nil
	case theClock:
		return putHead(out, 0, u.clock), nil
	case nextClock:
		u.clock++
		return u.item(out, depth+1)
	case birthday:
		if u.person != "" {
			return putText(out, birthdayIn(u.person)), nil
		}
	case allBlobs:
		return u.blobs(out), nil
	}
	return nil, errFold
}

func (u *unfolder) id(out, b []byte, text bool) ([]byte, error) {
	if len(b) != 16 {
		return nil, errFold
	}
	id := uuid.UUID(b)
	u.meet(id)
	return putID(out, id, text), nil
}

func putID(out []byte, id uuid.UUID, text bool) []byte {
	if text {
		return putText(out, id.String())
	}
	return putBytes(out, id[:])
}

// tagged is a mark that something follows.
func (u *unfolder) tagged(out []byte, mark byte, depth int) ([]byte, error) {
	switch mark {
	case signed:
		return u.item(append(out, signed), depth+1)
	case nested:
		inner, err := u.item(nil, depth+1)
		if err != nil {
			return nil, err
		}
		return putBytes(out, inner), nil
	case remember:
		before := len(out)
		out, err := u.item(out, depth+1)
		if err != nil {
			return nil, err
		}
		major, n, content, err := head(out[before:])
		if err != nil || major != 2 || n != uint64(len(content)) || len(u.kept) == maxKept {
			return nil, errFold
		}
		u.keep(bytes.Clone(content))
		return u.item(out[:before], depth+1)
	case table:
		return u.table(out, depth)
	case files:
		return u.files(out)
	case instant:
		d, err := u.signed()
		if err != nil {
			return nil, err
		}
		return putHead(out, 0, u.instant()+uint64(d)), nil
	case instantISO:
		d, err := u.signed()
		minutes, err2 := u.signed()
		if err != nil || err2 != nil || minutes < -24*60 || minutes > 24*60 {
			return nil, errFold
		}
		return putText(out, isoText(int64(u.instant())+d, int(minutes))), nil
	case nearID, nearText:
		d, err := u.signed()
		if b := u.take(10); err == nil && b != nil {
			at := uint64(u.young+d) << 16
			return u.id(out, append(binary.BigEndian.AppendUint64(nil, at)[:6], b...), mark == nearText)
		}
		return nil, errFold
	}
	n, err := u.number()
	if err != nil {
		return nil, err
	}
	switch {
	case mark == anyClock:
		u.clock = n
		return u.item(out, depth+1)
	case mark == laterClock && n < 1<<47:
		u.clock = (u.instant() + n) << clockCounterBits
		return u.item(out, depth+1)
	case mark == knownID || mark == knownText:
		if n < uint64(len(u.ids)) {
			return putID(out, u.ids[n], mark == knownText), nil
		}
	case mark == recalled && n < uint64(len(u.kept)):
		return putBytes(out, u.kept[n]), nil
	case mark == knownSum && n < uint64(len(u.sums)):
		return putBytes(out, u.sums[n].digest[:]), nil
	case mark == knownKeyID && n < uint64(len(u.keyIDs)):
		return putBytes(out, u.keyIDs[n]), nil
	}
	return nil, errFold
}

// files writes the names of files that are named by their digest.
func (u *unfolder) files(out []byte) ([]byte, error) {
	n, err := u.number()
	if err != nil || n == 0 || n > maxFiles {
		return nil, errFold
	}
	suffix, err := u.item(nil, maxFold) // a text
	if err != nil || len(suffix) == 0 || len(suffix) > 9 || suffix[0]>>5 != 3 {
		return nil, errFold
	}
	var names []byte
	for i := range n {
		if i > 0 {
			names = append(names, ' ')
		}
		digest, err := u.item(nil, maxFold)
		if err != nil || len(digest) != 34 {
			return nil, errFold
		}
		names = append(hex.AppendEncode(names, digest[2:]), suffix[1:]...)
	}
	return putText(out, string(names)), nil
}

// table writes a table row by row.
func (u *unfolder) table(out []byte, depth int) ([]byte, error) {
	rows, err := u.number()
	if err != nil || rows < minRows || rows > uint64(len(u.in)) {
		return nil, errFold
	}
	wide, err := u.number()
	if err != nil || wide < 2 || wide > maxColumns {
		return nil, errFold
	}
	var front, last []byte
	ends := make([]int, 0, 2*rows)
	for range rows {
		for i := uint64(0); i < wide-1; i++ {
			before := len(front)
			if front, err = u.asks(front); err != nil {
				return nil, err
			}
			if len(front) > before {
				if i++; i >= wide-1 {
					return nil, errFold
				}
			} else if front, err = u.item(front, depth+2); err != nil {
				return nil, err
			}
		}
		ends = append(ends, len(front))
	}
	for range rows {
		if last, err = u.item(last, depth+2); err != nil {
			return nil, err
		}
		ends = append(ends, len(last))
	}
	out = putHead(out, 4, rows)
	from, lastFrom := 0, 0
	for i := range rows {
		out = putHead(out, 4, wide)
		out = append(out, front[from:ends[i]]...)
		out = append(out, last[lastFrom:ends[rows+i]]...)
		from, lastFrom = ends[i], ends[rows+i]
	}
	return out, nil
}

// asks writes a question and its type, if that is what comes; it writes nothing
// otherwise.
func (u *unfolder) asks(out []byte) ([]byte, error) {
	if len(u.in) > 0 && u.in[0] == instance {
		u.in = u.in[1:]
		n, err := u.number()
		if err != nil || n == 0 || n > math.MaxUint16 || len(u.in) == 0 || u.in[0] != asked && u.in[0] != nextAsked {
			return nil, errFold
		}
		u.nth = n
	}
	var d int64
	switch {
	case len(u.in) > 0 && u.in[0] == nextAsked:
		u.in = u.in[1:]
	case len(u.in) > 0 && u.in[0] == asked:
		u.in = u.in[1:]
		var err error
		if d, err = u.signed(); err != nil {
			return nil, err
		}
	default:
		return out, nil
	}
	list := dictionary.Questions(u.dictionary)
	u.asked += 1 + int(d)
	if u.asked < 0 || u.asked >= len(list) {
		return nil, errFold
	}
	path, kind, _ := strings.Cut(list[u.asked], " ")
	if before, after, repeated := strings.Cut(path, "#"); repeated {
		if u.nth == 0 {
			return nil, errFold
		}
		path = before + strconv.FormatUint(u.nth, 10) + after
	}
	if len(out) > u.limit {
		return nil, errSize
	}
	return putText(putText(out, path), kind), nil
}
