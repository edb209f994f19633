package bundle

import (
	"bytes"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"ironfeet/assets/dictionary"
	"ironfeet/store"
)

// newest is the dictionary that new bundles are written with; 0 is none.
const newest = dictionary.Newest

// known says whether this program has a dictionary.
func known(number uint64) bool { return number == 0 || dictionary.Content(number) != nil }

// A coderKind names a coder: fast ones are not as small, and need a tenth of the memory
// and the time.
type coderKind struct {
	dictionary uint64
	fast       bool
}

// Coders are made when they are first needed, one a dictionary. The frames carry no
// dictionary id (0 leaves it out): our head names it, and other programs' readers
// refuse a raw dictionary under any other id.
var coders sync.Map // coderKind -> *coder

type coder struct {
	encode func() *zstd.Encoder
	decode func() *zstd.Decoder
}

func coderOf(kind coderKind) *coder {
	if c, ok := coders.Load(kind); ok {
		return c.(*coder)
	}
	c, _ := coders.LoadOrStore(kind, &coder{
		encode: sync.OnceValue(func() *zstd.Encoder { return newEncoder(kind) }),
		decode: sync.OnceValue(func() *zstd.Decoder { return newDecoder(kind.dictionary) }),
	})
	return c.(*coder)
}

func newEncoder(kind coderKind) *zstd.Encoder {
	level := zstd.SpeedBestCompression
	if kind.fast {
		level = zstd.SpeedBetterCompression
	}
	o := []zstd.EOption{zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(level), zstd.WithEncoderCRC(false)}
	if kind.dictionary != 0 {
		o = append(o, zstd.WithEncoderDictRaw(0, dictionary.Content(kind.dictionary)))
	}
	e, err := zstd.NewWriter(nil, o...)
	if err != nil {
		panic("zstd options: " + err.Error())
	}
	return e
}

// newDecoder makes one decoder for all: DecodeAll may be called by many at once. Its
// output never grows beyond the capacity of the slice it is given.
func newDecoder(number uint64) *zstd.Decoder {
	o := []zstd.DOption{zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxPlain), zstd.WithDecoderMaxWindow(MaxPlain), zstd.WithDecodeAllCapLimit(true)}
	if number != 0 {
		o = append(o, zstd.WithDecoderDictRaw(0, dictionary.Content(number)))
	}
	d, err := zstd.NewReader(nil, o...)
	if err != nil {
		panic("zstd options: " + err.Error())
	}
	return d
}

// pack makes a body of changes as they were written: folded, if they have a folded
// form. What a tablet waits for on a slow line, a visit, is made as small as can be.
func pack(b *store.Bundle, raws [][]byte) (body []byte, compressor uint64) {
	kind := coderKind{newest, !slices.ContainsFunc(b.Changes, func(c store.Change) bool { return c.Kind == store.Visit })}
	plain := bytes.Join(raws, nil)
	folded, loose, ok := fold(b, raws)
	if ok { // a mistake of ours costs bytes, and no change
		back, err := unfold(b, newest, folded, loose, len(plain))
		ok = err == nil && bytes.Equal(back, plain)
	}
	if !ok {
		return coderOf(kind).encode().EncodeAll(plain, nil), zstd1
	}
	kind.fast = kind.fast || len(folded) < littleToGain
	frame := coderOf(kind).encode().EncodeAll(folded, nil)[len(magic):]
	return append(putBytes(nil, frame), loose...), foldedZstd
}

const littleToGain = 1 << 10

// magic begins every zstd frame (RFC 8878 §3.1.1); in a folded body it is left out.
var magic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// unpack gives back exactly size bytes, or an error.
func unpack(b *store.Bundle, h headBody) ([]byte, error) {
	size := int(h.Plain)
	decoder := coderOf(coderKind{dictionary: h.Dictionary}).decode()
	plain := make([]byte, 0, size)
	var err error
	if h.Compressor == zstd1 {
		plain, err = decoder.DecodeAll(b.Body, plain)
	} else if major, n, rest, broken := head(b.Body); broken != nil || major != 2 || n > uint64(len(rest)) {
		err = errFold
	} else if plain, err = decoder.DecodeAll(append(slices.Clip(magic), rest[:n]...), make([]byte, 0, size+foldMore*int(h.Last-h.First+1))); err == nil {
		plain, err = unfold(b, h.Dictionary, plain, rest[n:], size)
	}
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	if len(plain) != size {
		return nil, errSize
	}
	return plain, nil
}

// foldMore is how many bytes a change may have more in the folded form: what says its
// clock.
const foldMore = 16

// Folded is what zstd sees of a bundle's changes: what dictionaries are made of.
func Folded(b *store.Bundle) []byte {
	raws := make([][]byte, len(b.Changes))
	for i := range raws {
		raws[i] = b.Changes[i].Raw
	}
	out, _, _ := fold(b, raws)
	return out
}
