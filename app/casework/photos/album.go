package photos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"ironfeet/app/casework/visit"
	"ironfeet/store"
)

// An Album holds the hash of every photo that is here. It follows from the photos
// and is made little by little: a stick of 1,200 photos takes a minute or two
// beside other work. It may be used by many at once.
type Album struct {
	r *store.Replica

	mu     sync.Mutex
	hashes map[store.Digest]Hash
	bands  [bands][1 << bandBits][]picture // made when first asked
	banded bool
	dirty  map[byte]bool
}

// A picture stands in each band's drawer whole, so that a search reads straight on.
type picture struct {
	hash   Hash
	digest store.Digest
}

// To find everything within maxBits, the hash is cut into one band more: two
// hashes that differ in at most maxBits places agree in at least one band.
const (
	bands    = 8
	bandBits = 64 / bands
	// MaxBits is how many bits apart two pictures may be and still be shown.
	MaxBits = bands - 1
)

const settingHashes = "photos/hashes/"

var (
	encode, _ = cbor.CoreDetEncOptions().EncMode()
	decode, _ = cbor.DecOptions{MaxArrayElements: 1 << 20, MaxMapPairs: 1 << 20, MaxNestedLevels: 4}.DecMode()
)

// Open opens the album as it was left.
func Open(ctx context.Context, r *store.Replica) (*Album, error) {
	a := &Album{r: r, hashes: map[store.Digest]Hash{}, dirty: map[byte]bool{}}
	for i := range 256 {
		raw, err := r.Setting(ctx, fmt.Sprint(settingHashes, i))
		if err != nil {
			return nil, err
		}
		var shard []byte
		if len(raw) == 0 || decode.Unmarshal(raw, &shard) != nil || len(shard)%40 != 0 {
			continue
		}
		for ; len(shard) > 0; shard = shard[40:] {
			a.hashes[store.Digest(shard)] = Hash(uint64From(shard[32:40]))
		}
	}
	return a, nil
}

func uint64From(b []byte) (n uint64) {
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}

// Add puts a photo's hash in.
func (a *Album) Add(d store.Digest, h Hash) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, here := a.hashes[d]; here {
		return
	}
	a.hashes[d] = h
	a.dirty[d[0]] = true
	if a.banded {
		a.put(d, h)
	}
}

func (a *Album) put(d store.Digest, h Hash) {
	if h == 0 {
		return
	}
	for i := range bands {
		drawer := &a.bands[i][h>>(i*bandBits)&(1<<bandBits-1)]
		*drawer = append(*drawer, picture{h, d})
	}
}

// Size is how many photos the album knows.
func (a *Album) Size() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.hashes)
}

// Refresh looks at photos that are here and not yet in the album, at most so many
// (0: all), and keeps what it found. It says how many are left. A photo that
// cannot be read gets the hash that resembles nothing.
func (a *Album) Refresh(ctx context.Context, most int) (left int, err error) {
	named, err := a.r.NamedBlobs(ctx)
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	todo := slices.DeleteFunc(named, func(b store.BlobRef) bool { _, here := a.hashes[b.Digest]; return here })
	a.mu.Unlock()
	for i, b := range todo {
		if most > 0 && i == most {
			left = len(todo) - i
			break
		}
		if err := ctx.Err(); err != nil {
			return len(todo) - i, errors.Join(err, a.save(context.WithoutCancel(ctx)))
		}
		h, err := a.look(ctx, b)
		if err != nil {
			return len(todo) - i, err
		}
		a.Add(b.Digest, h)
	}
	return left, a.save(ctx)
}

func (a *Album) look(ctx context.Context, b store.BlobRef) (Hash, error) {
	rd, _, err := a.r.OpenBlob(ctx, b.Digest)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	var damaged *store.DamagedError
	if errors.As(err, &damaged) {
		return 0, nil // doctor says so; here it resembles nothing
	}
	if err != nil {
		return 0, err
	}
	defer rd.Close()
	data, err := io.ReadAll(io.LimitReader(rd, visit.MaxPhotoBytes))
	if err != nil {
		return 0, nil
	}
	h, err := HashOf(data)
	if err != nil {
		return 0, nil
	}
	return h, nil
}

func (a *Album) save(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.dirty) == 0 {
		return nil
	}
	shards := map[byte][]byte{}
	sorted := make([]store.Digest, 0, len(a.hashes))
	for d := range a.hashes {
		if a.dirty[d[0]] {
			sorted = append(sorted, d)
		}
	}
	slices.SortFunc(sorted, func(x, y store.Digest) int { return slices.Compare(x[:], y[:]) })
	for _, d := range sorted {
		h := a.hashes[d]
		s := append(shards[d[0]], d[:]...)
		for i := 56; i >= 0; i -= 8 {
			s = append(s, byte(h>>i))
		}
		shards[d[0]] = s
	}
	for n, s := range shards {
		raw, err := encode.Marshal(s)
		if err != nil {
			return fmt.Errorf("keep the photos' hashes: %w", err)
		}
		if err := a.r.SetSetting(ctx, fmt.Sprint(settingHashes, n), raw); err != nil {
			return err
		}
	}
	clear(a.dirty)
	return nil
}

// A Like is a photo that resembles another.
type Like struct {
	Photo store.Digest
	Bits  int // of 64 in which they differ
}

// Likes returns the photos within MaxBits of one, itself excepted, the nearest
// first. A photo that shows nothing resembles nothing.
func (a *Album) Likes(d store.Digest) []Like {
	a.mu.Lock()
	defer a.mu.Unlock()
	h, known := a.hashes[d]
	if !known || h == 0 {
		return nil
	}
	return a.near(h, d)
}

// near finds by bands; the caller holds the lock.
func (a *Album) near(h Hash, but store.Digest) []Like {
	if !a.banded {
		a.banded = true
		for d, h := range a.hashes {
			a.put(d, h)
		}
	}
	var list []Like
	for i := range bands {
		drawer := a.bands[i][h>>(i*bandBits)&(1<<bandBits-1)]
		for j := range drawer {
			n := h.Distance(drawer[j].hash)
			if n > MaxBits || drawer[j].digest == but || firstBand(h, drawer[j].hash) != i {
				continue
			}
			list = append(list, Like{drawer[j].digest, n})
		}
	}
	slices.SortFunc(list, func(x, y Like) int {
		if x.Bits != y.Bits {
			return x.Bits - y.Bits
		}
		return slices.Compare(x.Photo[:], y.Photo[:])
	})
	return list
}

// firstBand is the first band in which two hashes agree: each pair is found once.
func firstBand(h, o Hash) int {
	for i := range bands {
		if (h^o)>>(i*bandBits)&(1<<bandBits-1) == 0 {
			return i
		}
	}
	return -1
}
