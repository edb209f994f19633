package simulate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// A road is the network between one node and the county: it loses, cuts at any
// byte, repeats and delays, and the county may die on the way.
type road struct {
	from    *node
	trouble int // per cent of requests that meet some
	ends    int // after so many requests the mast is gone for the day; 0: it stays
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
	if t.ends > 0 {
		t.ends--
		t.down = t.down || t.ends == 0
	}
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
	r.promised(l, out)
	return out
}

// promised remembers every word the county signed, whoever hears it: from then on
// it must be true.
func (r *run) promised(l letter, out *httptest.ResponseRecorder) {
	if out.Code != http.StatusOK {
		return
	}
	var receipts [][]byte
	switch path := l.path; {
	case path == "/v2/push":
		receipts = r.briefReceipts(l, out.Body.Bytes())
	case path == "/v1/push":
		var p exchange.Pushed
		if exchange.Decode(out.Body.Bytes(), &p) == nil {
			receipts = p.Receipts
		}
	case path == "/v1/pull" || path == "/v2/pull":
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

// briefReceipts makes whole what the county signed in brief; what it does not hold it
// must not sign for.
func (r *run) briefReceipts(l letter, body []byte) (raws [][]byte) {
	var in exchange.PushBrief
	var out exchange.PushedBrief
	signed, err := exchange.ParseBrief(l.body[:exchange.BriefProof])
	must(err)
	must(exchange.Decode(l.body[exchange.BriefProof:], &in))
	must(exchange.Decode(body, &out))
	c := r.county()
	roll, err := c.merger.Roll(r.ctx)
	r.ok(c, "read the roll", err)
	sender, _ := roll.NodeOfKey(signed.KID)
	for _, said := range out.Receipts {
		if said.Whole != nil {
			raws = append(raws, said.Whole)
			continue
		}
		var b bundle.Brief
		must(exchange.Decode(in[said.Which], &b))
		last := b.First + b.More
		here, err := c.replica.Bundles(r.ctx, store.BundleQuery{Node: &sender.Subject, FromSeq: last, Limit: 1})
		r.ok(c, "read the log", err)
		if len(here) == 0 || here[0].Last != last {
			r.fail("the county signs that it holds changes of %s up to %d, and does not (invariant 1)", sender.Name, last)
		}
		at := time.UnixMilli(signed.At.UnixMilli() + said.After)
		raw, known := roll.WholeReceipt(trust.Receipt{Node: sender.Subject, UpTo: last, Tip: here[0].Digest, At: at}, said.Signature)
		if !known {
			r.fail("a brief receipt for %s up to %d is nobody's word", sender.Name, last)
		}
		raws = append(raws, raw)
	}
	return raws
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
