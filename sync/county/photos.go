package county

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ironfeet/store"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// photos says which photos are still wanted, and signs for those that are held.
func (s *Server) photos(w http.ResponseWriter, r *http.Request, c *caller) {
	var in exchange.Photos
	if err := exchange.Decode(c.body, &in); err != nil || len(in.Digests) > trust.MaxReceiptBlobs {
		s.refuse(w, http.StatusBadRequest, "link.malformed")
		return
	}
	ctx := r.Context()
	var out exchange.PhotosKnown
	var held []store.Digest
	for _, d := range in.Digests {
		here, err := s.o.Replica.HasBlob(ctx, d)
		if err != nil {
			s.broken(w, err)
			return
		}
		if here {
			held = append(held, d)
			continue
		}
		_, missing, err := s.o.Replica.MissingBlob(ctx, d)
		if err != nil {
			s.broken(w, err)
			return
		}
		if missing {
			out.Wanted = append(out.Wanted, d)
		}
	}
	if len(held) > 0 {
		var err error
		if _, out.Receipt, err = s.receipt(ctx, c.Node, held); err != nil {
			s.broken(w, err)
			return
		}
	}
	s.answer(w, out)
}

// photo hands out one photo that a visit in the caller's scope names.
func (s *Server) photo(w http.ResponseWriter, r *http.Request, c *caller) {
	d, err := store.ParseDigest(r.PathValue("digest"))
	if err != nil {
		s.refuse(w, http.StatusNotFound, "link.no_photo")
		return
	}
	ctx := r.Context()
	places, err := s.o.Replica.NamedIn(ctx, d)
	if err != nil {
		s.broken(w, err)
		return
	}
	if !slices.ContainsFunc(places, func(division string) bool { return trust.MayHold(c.certificate, division, trust.Everyone) }) {
		s.refuse(w, http.StatusNotFound, "link.no_photo")
		return
	}
	rd, size, err := s.o.Replica.OpenBlob(ctx, d)
	if errors.Is(err, store.ErrNotFound) {
		s.refuse(w, http.StatusNotFound, "link.no_photo")
		return
	}
	if err != nil {
		s.broken(w, err)
		return
	}
	defer rd.Close()
	from := int64(0)
	if text, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		first, _, _ := strings.Cut(text, "-")
		if n, err := strconv.ParseInt(first, 10, 64); err == nil && n > 0 && n < size {
			from = n
		}
	}
	if _, err := io.CopyN(io.Discard, rd, from); err != nil {
		s.broken(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size-from, 10))
	if from > 0 {
		w.Header().Set("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(size-1, 10)+"/"+strconv.FormatInt(size, 10))
		w.WriteHeader(http.StatusPartialContent)
	}
	n, _ := io.Copy(w, rd)
	s.metrics.photos.WithLabelValues("out").Add(float64(n)) // the caller has gone: it will ask for the rest
}

// wants says whether a photo may be uploaded: a visit here names it, with this
// size, and it is not here yet.
func (s *Server) wants(ctx context.Context, d store.Digest, size int64) (bool, error) {
	named, missing, err := s.o.Replica.MissingBlob(ctx, d)
	return missing && named == size, err
}
