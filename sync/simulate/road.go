package simulate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"ironfeet/store"
	"ironfeet/sync/exchange"
)

// A road is the network between one node and the county: it loses, cuts at any
// byte, repeats and delays, and the county may die on the way.
type road struct {
	from    *node
	trouble int // per cent of requests that meet some
	down    bool
}

// A letter is a request on its way.
type letter struct {
	method, path string
	header       http.Header
	body         []byte
}

var errRoad = errors.New("the line is cut")

// RoundTrip carries one request, or what is left of it.
func (t *road) RoundTrip(req *http.Request) (*http.Response, error) {
	r := t.from.r
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.now = r.now.Add(1 + 200e6)
	l := letter{req.Method, req.URL.Path, req.Header.Clone(), body}
	if t.down {
		return nil, errRoad
	}
	if r.random.IntN(100) >= t.trouble {
		return t.answer(l, len(body), -1)
	}
	switch r.random.IntN(8) {
	case 0: // lost before it arrives, and the rest of the day with it
		t.down = r.random.IntN(2) == 0
		return nil, errRoad
	case 1: // cut at any byte
		return t.answer(l, r.random.IntN(len(body)+1), -1)
	case 2: // the answer is lost or cut
		return t.answer(l, len(body), r.random.IntN(400))
	case 3: // arrives twice
		if _, err := t.answer(l, len(body), -1); err != nil {
			return nil, err
		}
		return t.answer(l, len(body), -1)
	case 4: // arrives weeks later
		r.late = append(r.late, l)
		return nil, errRoad
	case 5: // and again weeks later
		r.late = append(r.late, l)
		return t.answer(l, len(body), -1)
	default: // the county dies in the middle of it
		r.county().fuse = 1 + r.random.IntN(120)
		return t.answer(l, len(body), -1)
	}
}

// answer lets so many bytes of the request arrive and so many of the answer come
// back; -1: all.
func (t *road) answer(l letter, arrive, back int) (*http.Response, error) {
	out := t.from.r.arrives(l, arrive)
	if out == nil {
		return nil, errRoad
	}
	if back == 0 {
		return nil, errRoad
	}
	resp := out.Result()
	if back > 0 && back < out.Body.Len() {
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(out.Body.Bytes()[:back]), cut{}))
	}
	return resp, nil
}

type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// arrives hands a request to the county; nil if it died.
func (r *run) arrives(l letter, bytesOf int) *httptest.ResponseRecorder {
	c := r.county()
	var rd io.Reader = bytes.NewReader(l.body[:bytesOf])
	if bytesOf < len(l.body) {
		rd = io.MultiReader(rd, cut{})
	}
	ctx, gone := context.WithCancel(r.ctx) // as net/http does when the answer is out
	defer gone()
	req := httptest.NewRequestWithContext(ctx, l.method, "http://localhost"+l.path, rd)
	req.ContentLength = int64(len(l.body))
	req.Header = l.header.Clone()
	out := httptest.NewRecorder()
	if !c.attempt(func() { c.server.Handler().ServeHTTP(out, req) }) {
		return nil
	}
	if out.Code >= 500 {
		r.fail("the county's server failed at %s %s: %d", l.method, l.path, out.Code)
	}
	r.promised(l.path, out)
	return out
}

// promised remembers every word the county signed, whoever hears it: from then on
// it must be true.
func (r *run) promised(path string, out *httptest.ResponseRecorder) {
	if out.Code != http.StatusOK {
		return
	}
	var receipts [][]byte
	switch {
	case path == "/v1/push":
		var p exchange.Pushed
		if exchange.Decode(out.Body.Bytes(), &p) == nil {
			receipts = p.Receipts
		}
	case path == "/v1/pull":
		var p exchange.Pulled
		if exchange.Decode(out.Body.Bytes(), &p) == nil {
			receipts = p.Receipts
		}
	case path == "/v1/photos":
		var p exchange.PhotosKnown
		if exchange.Decode(out.Body.Bytes(), &p) == nil && p.Receipt != nil {
			receipts = [][]byte{p.Receipt}
		}
	case strings.HasPrefix(path, "/v1/photos/"):
		return
	}
	for _, raw := range receipts {
		r.promise(raw)
	}
}

// promisesHold looks whether the county still has what it signed for.
func (r *run) promisesHold() {
	c := r.county()
	if c.replica == nil || c.dead {
		return
	}
	held := map[store.Digest]bool{}
	list, err := c.replica.HeldBundles(r.ctx)
	r.ok(c, "read what is held", err)
	for _, h := range list {
		held[headDigest(h.Raw)] = true
	}
	for tip := range r.tips {
		if held[tip.Digest] {
			continue
		}
		here, err := c.replica.Bundles(r.ctx, store.BundleQuery{Node: &tip.Node, FromSeq: tip.Last, Limit: 1})
		r.ok(c, "read the log", err)
		if len(here) == 0 || here[0].Digest != tip.Digest {
			r.fail("the county signed that it holds changes of %s up to %d, and does not (invariant 1)", tip.Node, tip.Last)
		}
	}
	for d := range r.photos {
		rd, _, err := c.replica.OpenBlob(r.ctx, d)
		if err == nil {
			_, err = io.Copy(io.Discard, rd)
			rd.Close()
		}
		if err != nil {
			r.fail("the county signed that it holds photo %s: %v (invariant 1)", d, err)
		}
	}
}
