package county

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"time"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/exchange"
)

// uploads is where photos arrive: tusd speaks the protocol, this keeps the pieces.
// tusd's own file store neither syncs to disk nor checks hashes. Here a piece is
// durable before it is acknowledged, and a whole photo is what its name says.
//
// An upload is a folder of its own named after the photo's SHA-256, with one file a
// piece, named by its offset; content is not sealed until the photo is whole, so
// pieces are sealed under the vault too, by the replica that will hold the photo.
type uploads struct {
	dir     string
	disk    world.Disk
	replica *store.Replica
	wants   func(context.Context, store.Digest, int64) (bool, error)

	overhead int64 // of sealing one piece
	counted  func(bytes int)
}

func (s *Server) newUploads(dir string) (http.Handler, error) {
	u := &uploads{dir: dir, disk: s.o.World.Disk, replica: s.o.Replica, wants: s.wants, overhead: int64(len(s.o.Replica.Seal("", nil)))}
	u.counted = func(n int) { s.metrics.photos.WithLabelValues("in").Add(float64(n)) }
	if err := u.disk.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make room for photos: %w", err)
	}
	composer := handler.NewStoreComposer()
	composer.UseCore(u)
	memorylocker.New().UseIn(composer)
	h, err := handler.NewHandler(handler.Config{
		BasePath: "/v1/uploads/", StoreComposer: composer, MaxSize: exchange.MaxPhoto, Logger: slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1})),
		DisableDownload: true, DisableTermination: true, DisableConcatenation: true,
		GracefulRequestCompletionTimeout: time.Nanosecond, // tus would hold every body for ten seconds more
		Cors:                             &handler.CorsConfig{Disable: true},
	})
	if err != nil {
		return nil, fmt.Errorf("take photos: %w", err)
	}
	return http.StripPrefix("/v1/uploads/", h), nil
}

// upload hands a signed request to tusd. The body was read whole, since its digest
// is signed; a piece is small.
func (s *Server) upload(w http.ResponseWriter, r *http.Request, c *caller) {
	if len(c.body) == 0 && r.ContentLength > 0 {
		s.refuse(w, http.StatusBadRequest, "link.cut")
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
	w.Header()["Date"] = nil
	// What has come is kept, also if the caller has gone meanwhile.
	ctx, done := context.WithCancel(context.WithValue(context.WithoutCancel(r.Context()), bodyKey{}, c.hashed))
	defer done()
	s.uploads.ServeHTTP(w, r.WithContext(ctx))
}

// bodyKey is where a request's context holds its body as it was hashed.
type bodyKey struct{}

// Answers that the protocol has no words for.
var (
	errNotWanted = handler.NewError("link.not_wanted", "no visit here names this photo", http.StatusConflict)
	errDigest    = handler.NewError("link.photo_altered", "the photo is not what its name says", http.StatusUnprocessableEntity)
)

// NewUpload begins the upload of one photo; its digest is in the metadata.
func (u *uploads) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	d, err := store.ParseDigest(info.MetaData["digest"])
	if err != nil {
		return nil, errNotWanted
	}
	wanted, err := u.wants(ctx, d, info.Size)
	if err != nil {
		return nil, err
	}
	if !wanted {
		return nil, errNotWanted
	}
	// Who begins anew has forgotten how far it was.
	p := &pieces{uploads: u, digest: d, size: info.Size}
	return p, p.clear()
}

// GetUpload finds an upload by the photo's digest in hexadecimal.
func (u *uploads) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	d, err := store.ParseDigest(id)
	if err != nil {
		return nil, handler.ErrNotFound
	}
	size, missing, err := u.replica.MissingBlob(ctx, d)
	if err != nil {
		return nil, err
	}
	if !missing {
		return nil, handler.ErrNotFound
	}
	return &pieces{uploads: u, digest: d, size: size}, nil
}

// pieces are one photo as far as it has come.
type pieces struct {
	*uploads
	digest store.Digest
	size   int64
	whole  *store.Hashed // a photo that came in one piece
}

func (p *pieces) folder() string { return filepath.Join(p.dir, p.digest.String()) }

// name of the piece at an offset; names sort as offsets do.
func (p *pieces) name(offset int64) string {
	return filepath.Join(p.folder(), fmt.Sprintf("%012d", offset))
}

func (p *pieces) place(offset int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(offset))
	return "upload/" + p.digest.String() + "/" + string(b[:])
}

// content returns what has come so far, in one piece.
func (p *pieces) content() ([]byte, error) {
	names, err := p.disk.List(p.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, handler.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for range names {
		f, err := p.disk.Open(p.name(int64(out.Len())))
		if errors.Is(err, fs.ErrNotExist) {
			break // a temporary file of a crash; what comes before it counts
		}
		if err != nil {
			return nil, err
		}
		sealed, err := io.ReadAll(io.LimitReader(f, exchange.MaxPhoto+64))
		f.Close()
		if err != nil {
			return nil, err
		}
		plain, err := p.replica.Unseal(p.place(int64(out.Len())), sealed)
		if err != nil {
			break // damaged: the sender goes on from here
		}
		out.Write(plain)
	}
	return out.Bytes(), nil
}

// offset is how far the photo has come, by the sizes of its pieces.
func (p *pieces) offset() (offset int64, err error) {
	for offset < p.size {
		info, err := p.disk.Stat(p.name(offset))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return 0, err
		}
		if info.Size() <= p.overhead {
			break
		}
		offset += info.Size() - p.overhead
	}
	return offset, nil
}

// GetInfo says how far the photo has come.
func (p *pieces) GetInfo(context.Context) (handler.FileInfo, error) {
	offset := p.size
	if p.whole == nil {
		var err error
		if offset, err = p.offset(); err != nil {
			return handler.FileInfo{}, err
		}
	}
	return handler.FileInfo{ID: p.digest.String(), Size: p.size, Offset: offset, MetaData: handler.MetaData{"digest": p.digest.String()}}, nil
}

// WriteChunk keeps a piece: sealed, synced and renamed before it is acknowledged. A
// photo that comes in one piece goes straight to its place.
func (p *pieces) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	if h, ok := ctx.Value(bodyKey{}).(store.Hashed); ok && offset == 0 && h.Size() == p.size {
		p.whole = &h
		return p.size, nil
	}
	most := min(p.size-offset, exchange.MaxPiece)
	piece, err := readBody(io.LimitReader(src, most), most)
	if len(piece) == 0 || err != nil {
		return 0, err
	}
	if err := p.disk.MkdirAll(p.folder()); err != nil {
		return 0, err
	}
	if err := p.disk.SyncDir(p.dir); err != nil {
		return 0, err
	}
	if err := world.WriteFile(p.disk, p.name(offset), p.replica.Seal(p.place(offset), piece)); err != nil {
		return 0, err
	}
	return int64(len(piece)), nil
}

// FinishUpload checks the photo against its name and gives it to the replica. One
// that is not what its name says is thrown away, to be sent again.
func (p *pieces) FinishUpload(ctx context.Context) error {
	ref, err := store.BlobRef{Digest: p.digest, Size: p.size}, error(nil)
	if p.whole != nil {
		err = p.replica.PutHashed(ctx, ref, *p.whole)
	} else if whole, reading := p.content(); reading != nil {
		err = reading
	} else {
		err = p.replica.PutNamedBlob(ctx, ref, bytes.NewReader(whole))
	}
	var wrong *store.WrongBlobError
	if errors.As(err, &wrong) {
		return errors.Join(errDigest, p.clear())
	}
	if err != nil {
		return err
	}
	p.counted(int(p.size))
	if p.whole != nil {
		return nil
	}
	return p.clear()
}

func (p *pieces) clear() error {
	names, err := p.disk.List(p.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range names {
		err = errors.Join(err, p.disk.Remove(filepath.Join(p.folder(), name)))
	}
	return errors.Join(err, p.disk.Remove(p.folder()))
}

// GetReader is part of the protocol's store; photos are handed out elsewhere.
func (p *pieces) GetReader(context.Context) (io.ReadCloser, error) {
	have, err := p.content()
	return io.NopCloser(bytes.NewReader(have)), err
}
