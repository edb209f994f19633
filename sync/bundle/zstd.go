package bundle

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"ironfeet/assets/dictionary"
)

// newest is the dictionary that new bundles are written with; 0 is none.
const newest = dictionary.Newest

// known says whether this program has a dictionary.
func known(number uint64) bool { return number == 0 || dictionary.Content(number) != nil }

// Coders are made when they are first needed, one a dictionary. The frames carry no
// dictionary id (0 leaves it out): our head names it, and other programs' readers
// refuse a raw dictionary under any other id.
var coders sync.Map // number -> *coder

type coder struct {
	encode func() *zstd.Encoder
	decode func() *zstd.Decoder
}

func coderOf(number uint64) *coder {
	if c, ok := coders.Load(number); ok {
		return c.(*coder)
	}
	c, _ := coders.LoadOrStore(number, &coder{
		encode: sync.OnceValue(func() *zstd.Encoder { return newEncoder(number) }),
		decode: sync.OnceValue(func() *zstd.Decoder { return newDecoder(number) }),
	})
	return c.(*coder)
}

func newEncoder(number uint64) *zstd.Encoder {
	o := []zstd.EOption{zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderCRC(false)}
	if number != 0 {
		o = append(o, zstd.WithEncoderDictRaw(0, dictionary.Content(number)))
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

func compress(plain []byte, number uint64) []byte {
	return coderOf(number).encode().EncodeAll(plain, nil)
}

// expand returns exactly size bytes or an error.
func expand(body []byte, number uint64, size int) ([]byte, error) {
	plain, err := coderOf(number).decode().DecodeAll(body, make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	if len(plain) != size {
		return nil, errSize
	}
	return plain, nil
}
