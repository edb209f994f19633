package link

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"ironfeet/store/world"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// stall is how long a connection may be silent before it is given up: a village
// mast may hold a dead connection open for many minutes.
const stall = 12 * time.Second

// patience is how often a request is repeated without any progress between.
const patience = 8

// An UnreachableError means that the county's server did not answer, however
// often it was asked. Nothing is lost: what was not sent is sent next time.
type UnreachableError struct {
	Server string
	Cause  error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the county's server %s does not answer: %v", e.Server, e.Cause)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Cause }

// Code is the key of the sentence.
func (e *UnreachableError) Code() string { return "link.unreachable" }

// A ServerError is the server's refusal.
type ServerError struct {
	Status int
	Fault  string // its stable code: link.unknown, link.ended, trust.invitation_used, …
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("the county's server refused (%d %s)", e.Status, e.Fault)
}

// Code is the key of the sentence.
func (e *ServerError) Code() string {
	if e.Fault != "" {
		return e.Fault
	}
	return "link.refused"
}

// An AddressError means a server's address cannot be used.
type AddressError struct{ Server, Why string } // malformed, not_secure

func (e *AddressError) Error() string {
	if e.Why == "not_secure" {
		return fmt.Sprintf("%s would be reached without encryption; use https://", e.Server)
	}
	return fmt.Sprintf("%q is not a server's address", e.Server)
}

// Code is the key of the sentence.
func (e *AddressError) Code() string { return "link.address_" + e.Why }

// base is a server's address as a URL. Plain HTTP is for this machine only.
func base(server string) (string, error) {
	text := server
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", &AddressError{server, "malformed"}
	}
	if u.Scheme == "http" {
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return "", &AddressError{server, "not_secure"}
		}
	}
	return strings.TrimRight(u.Scheme+"://"+u.Host, "/"), nil
}

// A wire is the connection to one server: it counts bytes, notices silence, and
// repeats what failed.
type wire struct {
	world   world.World
	base    string
	http    *http.Client
	up      atomic.Int64
	down    atomic.Int64
	resumed int
	piece   int64 // of a photo, by how the link has been
	wait    func(ctx context.Context, d time.Duration) error
}

// newWire makes the wire to a server. isRoot knows the county's root, which may
// stand for the server in place of any public authority.
func newWire(w world.World, server string, isRoot func(ed25519.PublicKey) bool) (*wire, error) {
	b, err := base(server)
	if err != nil {
		return nil, err
	}
	x := &wire{world: w, base: b, piece: 4 * exchange.BadPiece, wait: pause}
	dial := w.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	x.http = &http.Client{
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dial(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return x.watch(c), nil
			},
			// Verified by VerifyServer instead: under the county's root, or as usual.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, VerifyConnection: func(state tls.ConnectionState) error {
				return trust.VerifyServer(state, isRoot, w.Now())
			}},
			DisableCompression: true, MaxIdleConns: 2, IdleConnTimeout: 20 * time.Second, ResponseHeaderTimeout: 2 * time.Minute, TLSHandshakeTimeout: stall,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return x, nil
}

func (x *wire) close() { x.http.CloseIdleConnections() }

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watched is a connection that ends itself when nothing moves.
type watched struct {
	net.Conn
	wire  *wire
	timer *time.Timer
}

func (x *wire) watch(c net.Conn) net.Conn {
	return &watched{c, x, time.AfterFunc(4*stall, func() { _ = c.Close() })}
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.wire.down.Add(int64(n))
		w.timer.Reset(stall)
	}
	return n, err
}

func (w *watched) Write(p []byte) (int, error) {
	w.timer.Reset(stall)
	n, err := w.Conn.Write(p)
	w.wire.up.Add(int64(n))
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	return w.Conn.Close()
}

// An ask is one request; header and sign may be nil.
type ask struct {
	method, path string
	body         []byte
	header       map[string]string
	limit        int64 // of the answer
	sign         func(a *ask) (header string, before []byte, err error)
	once         bool // a broken line is the caller's to mend
}

// A reply is an answer with its body read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request until it is answered. Every repetition is signed anew.
func (x *wire) do(ctx context.Context, a ask) (*reply, error) {
	var last error
	for try := range patience {
		if try > 0 {
			x.resumed++
			if err := x.wait(ctx, min(50*time.Millisecond<<try, 5*time.Second)); err != nil {
				return nil, err
			}
		}
		r, err := x.once(ctx, a)
		if err == nil && r.cutShort() {
			err = &ServerError{r.status, "link.cut"}
		}
		if err == nil && r.status < 500 && r.status != http.StatusTooManyRequests {
			return r, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if last = err; err == nil {
			last = &ServerError{r.status, fault(r.body)}
		} else if errors.Is(err, trust.ErrServer) {
			return nil, &UnreachableError{x.base, err} // asking again does not make it the county
		} else if a.once {
			x.resumed++
			return nil, err
		}
	}
	var refused *ServerError
	if errors.As(last, &refused) {
		return nil, refused
	}
	return nil, &UnreachableError{x.base, last}
}

func (x *wire) once(ctx context.Context, a ask) (*reply, error) {
	var header string
	if a.sign != nil {
		var before []byte
		var err error
		if header, before, err = a.sign(&a); err != nil {
			return nil, err
		}
		a.body = append(before, a.body...)
	}
	req, err := http.NewRequestWithContext(ctx, a.method, x.base+a.path, bytes.NewReader(a.body))
	if err != nil {
		return nil, err
	}
	if len(a.body) == 0 {
		req.Body = http.NoBody
	}
	req.Header["User-Agent"] = nil // every byte is waited for
	for k, v := range a.header {
		req.Header.Set(k, v)
	}
	if header != "" {
		req.Header.Set("Authorization", header)
	}
	resp, err := x.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, a.limit+1))
	if int64(len(body)) > a.limit {
		return nil, fmt.Errorf("the answer is larger than %d bytes", a.limit)
	}
	if err != nil && len(body) == 0 || err != nil && a.method != http.MethodGet {
		return nil, err
	}
	// Of a photo, what came before the connection broke is kept.
	return &reply{resp.StatusCode, resp.Header, body}, nil
}

// cutShort says whether the server saw only half of the request: it says so
// itself, or, where not even the header came whole, net/http answers for it in
// words of its own.
func (r *reply) cutShort() bool {
	if r.status != http.StatusBadRequest {
		return false
	}
	code := fault(r.body)
	return code == "link.cut" || code == "" && r.header.Get("Content-Type") != exchange.MediaType
}

func fault(body []byte) string {
	var f exchange.Fault
	if exchange.Decode(body, &f) != nil || len(f.Code) > 64 {
		return ""
	}
	return f.Code
}

// length of a header that holds a number.
func number(h http.Header, name string) (int64, bool) {
	n, err := strconv.ParseInt(h.Get(name), 10, 64)
	return n, err == nil && n >= 0
}
