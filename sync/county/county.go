// Package county is the county's server: it enrols nodes, takes bundles and photos
// in, hands out what lies in a node's scope, and signs for what it holds.
//
// An answer is given only for what is durable: a receipt that was read is a promise
// kept (invariant 1). Whoever is not enrolled learns nothing but that. This package
// decides nothing about the work; merge judges bundles, trust who may hold what.
package county

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/exchange"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// Options make a server.
type Options struct {
	World   world.World
	Replica *store.Replica
	Merger  *merge.Merger
	Root    trust.Root
	NodeKey ed25519.PrivateKey
	Dir     string       // for photos that arrive piece by piece
	Log     *slog.Logger // carries no personal data
}

// A Server answers one county's nodes.
type Server struct {
	o       Options
	nonces  exchange.Nonces
	mux     *http.ServeMux
	enrol   sync.Mutex // one enrolment at a time
	uploads http.Handler

	intake    *intake
	metrics   *metrics
	stopping  atomic.Bool
	nodes     limiters
	strangers limiters
	large     chan struct{} // a place for each large body being read
}

// New makes the server of an open county folder.
func New(o Options) (*Server, error) {
	s := &Server{
		o: o, mux: http.NewServeMux(), large: make(chan struct{}, largeBodies), intake: newIntake(o.Merger),
		nodes: limiters{rate: nodeRate, burst: nodeBurst}, strangers: limiters{rate: strangerRate, burst: strangerBurst},
	}
	s.metrics = newMetrics(s)
	var err error
	if s.uploads, err = s.newUploads(filepath.Join(o.Dir, "uploads")); err != nil {
		return nil, err
	}
	s.mux.HandleFunc("GET /healthz", s.healthy)
	s.mux.HandleFunc("GET /readyz", s.ready)
	s.mux.HandleFunc("POST /v1/ask", s.ask)
	s.mux.HandleFunc("POST /v1/enrol", s.enrolNode)
	s.mux.HandleFunc("POST /v1/push", s.signed(exchange.MaxPush, s.push))
	s.mux.HandleFunc("POST /v1/pull", s.signed(exchange.MaxSmall, s.pull))
	s.mux.HandleFunc("POST /v2/push", s.signed(exchange.MaxPush, s.pushBrief))
	s.mux.HandleFunc("POST /v2/pull", s.signed(exchange.MaxSmall, s.pull))
	s.mux.HandleFunc("POST /v1/renew", s.signed(exchange.MaxSmall, s.renew))
	s.mux.HandleFunc("POST /v1/photos", s.signed(exchange.MaxPush, s.photos))
	s.mux.HandleFunc("GET /v1/photos/{digest}", s.signed(0, s.photo))
	s.mux.HandleFunc("/v1/uploads/", s.judged(exchange.MaxPiece, true, s.upload))
	return s, nil
}

// Handler is the server as net/http takes it.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.o.World.Now()
		out := &status{ResponseWriter: w, code: http.StatusOK}
		s.mux.ServeHTTP(out, r)
		took := s.o.World.Now().Sub(began)
		s.metrics.answered(r.Pattern, out.code, took) // the pattern, never the path: it may name a photo
		s.o.Log.Debug("request", "method", r.Method, "route", r.Pattern, "status", out.code, "ms", took.Milliseconds())
	})
}

// A status hides the connection on purpose: tus would set deadlines of its own on it,
// and so keep whoever drips a photo. A body has been read when tus sees it.
type status struct {
	http.ResponseWriter
	code int
}

func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// caller is who made a request, and the body that was signed.
type caller struct {
	exchange.Signed
	certificate trust.Certificate
	body        []byte
	hashed      store.Hashed // body
}

// signed lets a request through if a node of this county made it. The header is
// judged before a byte of the body is read.
func (s *Server) signed(limit int64, handle func(http.ResponseWriter, *http.Request, *caller)) http.HandlerFunc {
	return s.judged(limit, false, handle)
}

// judged is signed; partly: a body that breaks off is handed on as far as it came.
func (s *Server) judged(limit int64, partly bool, handle func(http.ResponseWriter, *http.Request, *caller)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > limit {
			s.refuse(w, http.StatusRequestEntityTooLarge, "link.too_large")
			return
		}
		signed, err := s.proof(w, r)
		if err != nil || r.ContentLength < 0 {
			s.refuse(w, http.StatusUnauthorized, "link.unknown")
			return
		}
		roll, err := s.o.Merger.Roll(r.Context())
		if err != nil {
			s.broken(w, err)
			return
		}
		certificate, known := roll.NodeKey(signed.Node, signed.KID)
		if exchange.Brief(r.URL.Path) {
			certificate, known = roll.NodeOfKey(signed.KID)
			signed.Node = certificate.Subject
		}
		if !known {
			s.refuse(w, http.StatusUnauthorized, "link.unknown")
			return
		}
		switch err := signed.Verify(certificate.Key, r.Method, r.URL.Path, s.o.World.Now(), &s.nonces); {
		case errors.Is(err, exchange.ErrStale):
			w.Header().Set("Date", s.o.World.Now().UTC().Format(http.TimeFormat))
			s.refuse(w, http.StatusUnauthorized, "link.clock")
			return
		case err != nil:
			s.refuse(w, http.StatusUnauthorized, "link.unknown")
			return
		}
		if _, revoked := roll.Revoked(signed.Node); revoked || !s.o.World.Now().Before(certificate.Until) {
			s.refuse(w, http.StatusForbidden, "link.ended")
			return
		}
		if !s.nodes.allow(string(signed.Node[:]), s.o.World.Now()) {
			s.busy(w)
			return
		}
		if r.ContentLength > largeBody {
			select {
			case s.large <- struct{}{}:
				defer func() { <-s.large }()
			default:
				s.busy(w)
				return
			}
		}
		body, err := readBody(http.MaxBytesReader(w, r.Body, limit), r.ContentLength)
		defer recycle(body)
		hashed := store.Hash(body)
		var large *http.MaxBytesError
		switch {
		case errors.As(err, &large):
			s.refuse(w, http.StatusRequestEntityTooLarge, "link.too_large")
			return
		case err != nil && partly:
			// What came before the line broke is kept: the photo's own digest is checked
			// when it is whole.
		case err != nil:
			s.refuse(w, http.StatusBadRequest, "link.cut")
			return
		case !signed.Holds(hashed):
			s.refuse(w, http.StatusUnauthorized, "link.unknown")
			return
		}
		handle(w, r, &caller{*signed, certificate, body, hashed})
	}
}

// readBody reads a body of a length that is claimed. What is set aside for it grows
// with what has come, in few steps: whoever claims much and sends nothing costs
// little, and a photo is copied twice at most.
func readBody(rd io.Reader, length int64) ([]byte, error) {
	body := make([]byte, 0, min(length, firstRead)+1) // one more, to see the end
	for {
		n, err := rd.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return body, err
		}
		if int64(len(body)) > length {
			return body, nil // more than was claimed: its digest will not fit
		}
		if len(body) == cap(body) {
			var larger []byte
			if len(body) <= firstRead+1 && length < sparedBody {
				larger = spared.Get().(*[sparedBody]byte)[:length+1]
			} else {
				larger = make([]byte, min(length+1, int64(cap(body))*8))
			}
			body = larger[:copy(larger, body)]
		}
	}
}

// Room for bodies of up to a photo's size is used again. A body must not be kept
// beyond its request.
const (
	firstRead  = 32 << 10
	sparedBody = 256 << 10
)

var spared = sync.Pool{New: func() any { return new([sparedBody]byte) }}

func recycle(body []byte) {
	if cap(body) == sparedBody {
		spared.Put((*[sparedBody]byte)(body[:sparedBody]))
	}
}

// proof reads who makes a request: from its header, or before its body. A body's first
// bytes may not take longer than a header.
func (s *Server) proof(w http.ResponseWriter, r *http.Request) (*exchange.Signed, error) {
	if !exchange.Brief(r.URL.Path) {
		return exchange.ParseHeader(r.Header.Get("Authorization"))
	}
	wait := func(d time.Duration) { // a simulated connection knows no time
		_ = http.NewResponseController(w).SetReadDeadline(s.o.World.Now().Add(d))
	}
	wait(headerTimeout)
	defer wait(bodyTimeout)
	b := make([]byte, exchange.BriefProof)
	if _, err := io.ReadFull(r.Body, b); err != nil {
		return nil, err
	}
	return exchange.ParseBrief(b)
}

// busy asks a caller to come again in a moment.
func (s *Server) busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	s.refuse(w, http.StatusTooManyRequests, "link.busy")
}

// refuse answers a stable code and nothing else.
func (s *Server) refuse(w http.ResponseWriter, status int, code string) {
	s.metrics.refused.WithLabelValues(code).Inc()
	w.Header().Set("Content-Type", exchange.MediaType)
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	_, _ = w.Write(exchange.Encode(exchange.Fault{Code: code})) // the caller has gone: nothing to do
}

// broken answers for a fault of our own; the caller keeps what it has and tries
// again.
func (s *Server) broken(w http.ResponseWriter, err error) {
	s.o.Log.Error("request failed", "error", err.Error())
	code := "link.server"
	var full *store.FullDiskError
	if errors.As(err, &full) {
		code = "link.server_full"
	}
	s.refuse(w, http.StatusInternalServerError, code)
}

// bare leaves out of an answer what no node of ours reads: on a bad link every
// byte is waited for.
func bare(w http.ResponseWriter, status int) {
	w.Header()["Date"], w.Header()["Content-Type"] = nil, nil
	w.WriteHeader(status)
}

func (s *Server) answer(w http.ResponseWriter, v any) {
	bare(w, http.StatusOK)
	_, _ = w.Write(exchange.Encode(v)) // the caller has gone: it will ask again
}

func (s *Server) push(w http.ResponseWriter, r *http.Request, c *caller) {
	var in exchange.Push
	if err := exchange.Decode(c.body, &in); err != nil || len(in.Bundles) > exchange.MaxBundles {
		s.refuse(w, http.StatusBadRequest, "link.malformed")
		return
	}
	// What was begun is finished, also if the caller has gone meanwhile.
	out, _, err := s.takeIn(context.WithoutCancel(r.Context()), in.Bundles)
	if err != nil {
		s.broken(w, err)
		return
	}
	s.answer(w, out)
}

// takeIn takes bundles, and says what became of each and what is signed for: receipts
// are what the receipts of out say.
func (s *Server) takeIn(ctx context.Context, raws [][]byte) (out exchange.Pushed, receipts []trust.Receipt, err error) {
	outcomes, err := s.intake.take(ctx, raws)
	if err != nil {
		return out, nil, err
	}
	tips := map[uuid.UUID]store.Tip{}
	for _, o := range outcomes {
		s.metrics.bundles.WithLabelValues(string(o.Status)).Inc()
		if o.Status == merge.StatusNew {
			s.metrics.changes.Add(float64(o.Changes))
		}
		said := exchange.Outcome{Status: string(o.Status)}
		var coded interface{ Code() string }
		if errors.As(o.Reason, &coded) {
			said.Code = coded.Code()
		}
		tip, known := tips[o.Node]
		if !known {
			if tip, err = s.o.Replica.Tip(ctx, o.Node); err != nil {
				return out, nil, err
			}
			tips[o.Node] = tip
		}
		said.Last = tip.Last
		out.Outcomes = append(out.Outcomes, said)
	}
	for _, node := range byID(tips) {
		said, receipt, err := s.sign(node, tips[node], nil)
		if err != nil {
			return out, nil, err
		}
		if receipt != nil {
			out.Receipts, receipts = append(out.Receipts, receipt), append(receipts, said)
		}
	}
	return out, receipts, nil
}

// receipt signs for what is durable here of a node; nil if nothing is.
func (s *Server) receipt(ctx context.Context, node uuid.UUID, blobs []store.Digest) (said trust.Receipt, raw []byte, err error) {
	tip, err := s.o.Replica.Tip(ctx, node)
	if err != nil {
		return said, nil, err
	}
	return s.sign(node, tip, blobs)
}

func (s *Server) sign(node uuid.UUID, tip store.Tip, blobs []store.Digest) (said trust.Receipt, raw []byte, err error) {
	if tip.Last == 0 && len(blobs) == 0 {
		return said, nil, nil
	}
	said = trust.Receipt{Node: node, UpTo: tip.Last, Tip: tip.Digest, Blobs: blobs, At: s.o.World.Now()}
	raw, err = trust.SignReceipt(s.o.NodeKey, said)
	return said, raw, err
}

func (s *Server) pull(w http.ResponseWriter, r *http.Request, c *caller) {
	var in exchange.Pull
	if err := exchange.Decode(c.body, &in); err != nil {
		s.refuse(w, http.StatusBadRequest, "link.malformed")
		return
	}
	ctx := r.Context()
	if _, err := s.o.Merger.Seal(ctx, s.o.NodeKey); err != nil {
		s.broken(w, err)
		return
	}
	list, err := s.o.Replica.Bundles(ctx, store.BundleQuery{AfterPos: in.Since, Limit: exchange.MaxBundles})
	if err != nil {
		s.broken(w, err)
		return
	}
	if len(list) == 0 { // the usual case, as cheap as it can be
		bare(w, http.StatusNoContent)
		return
	}
	out := exchange.Pulled{Cursor: in.Since, More: len(list) == exchange.MaxBundles}
	size := 0
	nodes := map[uuid.UUID]bool{}
	for _, b := range list {
		if size > exchange.PageBytes {
			out.More = true
			break
		}
		out.Cursor = b.Pos
		nodes[b.Node] = true
		if b.Node == c.Node {
			continue
		}
		// Out of scope or above its rank: the head alone keeps the chain (invariant 7).
		if !trust.MayHold(c.certificate, b.Division, b.Audience) {
			b = bundle.Withhold(b)
		}
		raw := bundle.Encode(b)
		size += len(raw)
		out.Bundles = append(out.Bundles, raw)
	}
	// A tablet needs the county's word for its own work; a township also carries it to
	// tablets that come by no network.
	for _, node := range byID(nodes) {
		if node != c.Node && c.certificate.Role == trust.Worker {
			continue
		}
		_, receipt, err := s.receipt(ctx, node, nil)
		if err != nil {
			s.broken(w, err)
			return
		}
		if receipt != nil {
			out.Receipts = append(out.Receipts, receipt)
		}
	}
	s.answer(w, out)
}

func byID[V any](nodes map[uuid.UUID]V) []uuid.UUID {
	return slices.SortedFunc(maps.Keys(nodes), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
}

const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 2 * time.Minute
)

// HTTP is a server that cuts whoever sends headers or bodies too slowly; what was
// begun is resumed.
func (s *Server) HTTP() *http.Server {
	return &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: 5 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn),
	}
}
