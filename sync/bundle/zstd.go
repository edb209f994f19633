package bundle

import (
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// newest is the dictionary that new bundles are written with; 0 is none.
const newest = 0

// known says whether this program has a dictionary.
func known(dictionary uint64) bool { return dictionary == 0 }

var encoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderCRC(false))
	if err != nil {
		panic("zstd options: " + err.Error())
	}
	return e
})

// One decoder for all: DecodeAll may be called by many at once. Its output never
// grows beyond the capacity of the slice it is given.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxPlain), zstd.WithDecoderMaxWindow(MaxPlain), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("zstd options: " + err.Error())
	}
	return d
})

func compress(plain []byte, dictionary uint64) []byte {
	return encoder().EncodeAll(plain, nil)
}

// expand returns exactly size bytes or an error.
func expand(body []byte, dictionary uint64, size int) ([]byte, error) {
	plain, err := decoder().DecodeAll(body, make([]byte, 0, size))
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	if len(plain) != size {
		return nil, errSize
	}
	return plain, nil
}
