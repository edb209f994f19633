// Package link is a node's side of the network: it enrols by an invitation, brings
// the node's bundles and photos to the county and fetches what lies in its scope.
//
// A link may break anywhere. Bundles go in small runs and are asked for from a
// cursor; photos go in pieces, and go on where the server has them. What was done
// is remembered in the replica, so that the next Sync begins where this one ended.
// A change counts as delivered only by the county's signed receipt (invariant 1).
package link

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/cose"
	"ironfeet/sync/exchange"
	"ironfeet/sync/merge"
	"ironfeet/sync/trust"
)

// A Client is one node's link to its county.
type Client struct {
	World   world.World
	Server  string
	Replica *store.Replica
	Merger  *merge.Merger
	NodeID  uuid.UUID
	Key     ed25519.PrivateKey

	// Transport and Wait stand for the real network and the real passing of time
	// where they are given: the simulation gives its own.
	Transport http.RoundTripper
	Wait      func(ctx context.Context, d time.Duration) error

	wire  *wire
	state state
	asked time.Time // of the last request, by the server's clock
	old   bool      // the server does not know brief requests
}

// An Event tells how far a Sync has come.
type Event struct {
	Stage       string // push, pull, photos, fetch
	Done, Total int64  // bundles, or bytes of photos; Total 0: not known
}

// A Report is what one Sync did.
type Report struct {
	BytesUp, BytesDown     int64 // on the wire, headers included
	BundlesUp, BundlesDown int
	Changes                int // taken in
	PhotosUp, PhotosDown   int
	Waiting, Aside         int    // bundles that came and could not be applied yet, or were set aside
	Refused                int    // bundles of this node the county set aside
	Cloned                 bool   // the county has other changes under this node's name: it was cloned, or restored from an old copy
	Resumed                int    // how often the link broke and was taken up again
	Receipt                uint64 // up to which of its own changes the node has the county's word
	Took                   time.Duration
}

// state is what a node remembers of its county between two Syncs.
type state struct {
	Cursor uint64               `json:"cursor"`
	Skew   int64                `json:"skew_ms,omitempty"` // the server's clock minus this one
	Have   map[uuid.UUID]uint64 `json:"have,omitempty"`    // what the county has of each node
	Told   map[uuid.UUID]uint64 `json:"told,omitempty"`    // what it keeps beyond that and cannot use, or set aside
	Photos []store.Digest       `json:"photos,omitempty"`  // photos the county signed for
	Begun  *store.Digest        `json:"begun,omitempty"`   // the photo that was being sent
}

const settingState = "link.state"

// runBytes is how much goes into one push: what breaks costs no more than this.
const runBytes = 64 << 10

// Sync brings everything up and down once. On an error the report says what was
// done before it; nothing of that is undone.
func (c *Client) Sync(ctx context.Context, say func(Event)) (report Report, err error) {
	began := c.World.Now()
	if say == nil {
		say = func(Event) {}
	}
	if c.wire, err = newWire(c.World, c.Server, c.isRoot); err != nil {
		return report, err
	}
	defer c.wire.close()
	if c.Transport != nil {
		c.wire.http.Transport = c.Transport
	}
	if c.Wait != nil {
		c.wire.wait = c.Wait
	}
	defer func() {
		report.BytesUp, report.BytesDown, report.Resumed = c.wire.up.Load(), c.wire.down.Load(), c.wire.resumed
		report.Took = c.World.Now().Sub(began)
	}()
	if err := c.load(ctx); err != nil {
		return report, err
	}
	for _, step := range []func(context.Context, func(Event), *Report) error{c.push, c.pull, c.sendPhotos, c.fetchPhotos} {
		if err := step(ctx, say, &report); err != nil {
			return report, err
		}
	}
	report.Receipt, _, err = c.Replica.Receipt(ctx, c.NodeID)
	return report, err
}

func (c *Client) load(ctx context.Context) error {
	raw, err := c.Replica.Setting(ctx, settingState)
	if err != nil {
		return err
	}
	c.state = state{}
	if raw != nil {
		if err := json.Unmarshal(raw, &c.state); err != nil {
			return fmt.Errorf("read where the last sync ended: %w", err)
		}
	}
	if c.state.Have == nil {
		c.state.Have = map[uuid.UUID]uint64{}
	}
	if c.state.Told == nil {
		c.state.Told = map[uuid.UUID]uint64{}
	}
	return nil
}

// sent is up to where a node's changes need not be sent again. That is not where
// this node's care for them ends: only a receipt ends that.
func (c *Client) sent(node uuid.UUID) uint64 { return max(c.state.Have[node], c.state.Told[node]) }

// believe takes receipts. One for another history than this node's says that it was
// cloned; that is reported, and does not keep the rest from coming.
func (c *Client) believe(ctx context.Context, receipts [][]byte, report *Report) error {
	for _, raw := range receipts {
		_, err := c.Merger.TakeReceipt(ctx, raw)
		var fork *merge.ForkError
		var clone *merge.CloneError
		if errors.As(err, &fork) || errors.As(err, &clone) {
			report.Cloned, err = true, nil
		}
		var refused *trust.RefusedError
		if errors.As(err, &refused) && errors.As(refused.Cause, &refused) && refused.Rule == trust.UnknownNode {
			err = nil // a county node that it has not heard of yet: its word comes again
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) save(ctx context.Context) error {
	raw, err := json.Marshal(c.state)
	if err != nil {
		return err
	}
	return c.Replica.SetSetting(ctx, settingState, raw)
}

// sign signs a request with the node's key, by the server's clock.
func (c *Client) sign(a *ask) (header string, before []byte, err error) {
	c.asked = c.World.Now().Add(time.Duration(c.state.Skew) * time.Millisecond)
	if exchange.Brief(a.path) {
		before, err = exchange.SignBrief(c.Key, a.method, a.path, a.body, c.asked, c.World.Rand)
		return "", before, err
	}
	header, err = exchange.Sign(c.Key, c.NodeID, a.method, a.path, a.body, c.asked, c.World.Rand)
	return header, nil, err
}

// call makes a signed request. A server that finds the clock wrong says what time
// it is; the request is made again by that.
func (c *Client) call(ctx context.Context, a ask) (*reply, error) {
	a.sign = c.sign
	for again := range 2 {
		r, err := c.wire.do(ctx, a)
		if err != nil {
			return nil, err
		}
		if again == 0 && r.status == http.StatusUnauthorized && fault(r.body) == "link.clock" {
			if at, err := http.ParseTime(r.header.Get("Date")); err == nil {
				c.state.Skew = at.Sub(c.World.Now()).Milliseconds()
				if err := c.save(ctx); err != nil {
					return nil, err
				}
				continue
			}
		}
		return r, nil
	}
	return nil, &ServerError{http.StatusUnauthorized, "link.clock"}
}

// talk sends CBOR and reads CBOR.
func (c *Client) talk(ctx context.Context, path string, in, out any, limit int64) error {
	r, err := c.call(ctx, ask{method: http.MethodPost, path: path, body: exchange.Encode(in), limit: limit})
	if err != nil || r.status == http.StatusNoContent { // nothing new
		return err
	}
	if r.status != http.StatusOK {
		return &ServerError{r.status, fault(r.body)}
	}
	if exchange.Decode(r.body, out) != nil {
		return &UnreachableError{c.wire.base, errors.New("its answer makes no sense")}
	}
	return nil
}

// push brings the node's own bundles, and those it carries for others.
func (c *Client) push(ctx context.Context, say func(Event), report *Report) error {
	if _, err := c.Merger.Seal(ctx, c.Key); err != nil {
		return err
	}
	tips, err := c.Replica.Tips(ctx)
	if err != nil {
		return err
	}
	total := int64(0)
	for _, t := range tips {
		if t.Last > c.sent(t.Node) {
			total++
		}
	}
	for i, t := range tips {
		say(Event{"push", int64(i), total})
		for c.sent(t.Node) < t.Last {
			before := c.sent(t.Node)
			if err := c.pushRun(ctx, t.Node, report); err != nil {
				return err
			}
			if c.sent(t.Node) <= before {
				break // the county has less than it had, and will say more next time
			}
		}
	}
	return nil
}

func (c *Client) pushRun(ctx context.Context, node uuid.UUID, report *Report) error {
	list, err := c.Replica.Bundles(ctx, store.BundleQuery{Node: &node, FromSeq: c.sent(node) + 1, Limit: exchange.MaxBundles})
	if err != nil {
		return err
	}
	var in exchange.Push
	size, last := 0, uint64(0)
	for _, b := range list {
		raw := bundle.Encode(b)
		if len(in.Bundles) > 0 && size+len(raw) > runBytes {
			break
		}
		in.Bundles, size = append(in.Bundles, raw), size+len(raw)
		last = b.Last
	}
	if len(in.Bundles) == 0 {
		c.state.Have[node] = ^uint64(0) >> 1
		return nil
	}
	out, err := c.send(ctx, list[:len(in.Bundles)], in)
	if err != nil {
		return err
	}
	report.BundlesUp += len(in.Bundles)
	had := c.state.Have[node]
	for _, o := range out.Outcomes {
		c.state.Have[node] = o.Last
		if o.Status == string(merge.StatusAside) {
			report.Refused++
		}
	}
	if c.state.Told[node] = last; c.state.Have[node] < had {
		delete(c.state.Told, node) // it lacks what it had before: everything from there again
	}
	if err := c.believe(ctx, out.Receipts, report); err != nil {
		return err
	}
	return c.save(ctx)
}

// unknown says whether a server does not know a request: it is of a version that has
// no brief ones.
func unknown(err error) bool {
	var refused *ServerError
	return errors.As(err, &refused) && refused.Status == http.StatusNotFound && refused.Fault == ""
}

// ask asks for what is new since the cursor.
func (c *Client) ask(ctx context.Context, out *exchange.Pulled) error {
	in := exchange.Pull{Since: c.state.Cursor}
	if !c.old {
		err := c.talk(ctx, "/v2/pull", in, out, exchange.MaxPull)
		if !unknown(err) {
			return err
		}
		c.old = true
	}
	return c.talk(ctx, "/v1/pull", in, out, exchange.MaxPull)
}

// send brings bundles, brief where they can be.
func (c *Client) send(ctx context.Context, list []store.Bundle, whole exchange.Push) (out exchange.Pushed, err error) {
	if !c.old {
		out, again, err := c.sendBrief(ctx, list, whole)
		if err == nil && !again {
			return out, nil
		}
		if c.old = unknown(err); err != nil && !c.old {
			return out, err
		}
	}
	return out, c.talk(ctx, "/v1/push", whole, &out, exchange.MaxSmall*4)
}

// sendBrief is again where the county wants them whole.
func (c *Client) sendBrief(ctx context.Context, list []store.Bundle, whole exchange.Push) (out exchange.Pushed, again bool, err error) {
	roll, err := c.Merger.Roll(ctx)
	if err != nil {
		return out, false, err
	}
	public := c.Key.Public().(ed25519.PublicKey)
	var scope []string
	if certificate, found := roll.NodeKey(c.NodeID, cose.KeyID(public)); found {
		scope = certificate.Scope
	}
	in := exchange.PushBrief{}
	for i, b := range list {
		item := exchange.Encode(whole.Bundles[i])
		if brief, ok := bundle.Shorten(b, public, scope); ok && b.Node == c.NodeID {
			item = exchange.Encode(brief)
		}
		in = append(in, item)
	}
	var said exchange.PushedBrief
	if err := c.talk(ctx, "/v2/push", in, &said, exchange.MaxSmall*4); err != nil {
		return out, false, err
	}
	for _, o := range said.Outcomes {
		if o.Status >= uint64(len(exchange.Statuses)) {
			return out, false, &UnreachableError{c.wire.base, errors.New("its answer makes no sense")}
		}
		status := exchange.Statuses[o.Status]
		again = again || status == exchange.Again
		out.Outcomes = append(out.Outcomes, exchange.Outcome{Status: status, Last: o.Last, Code: o.Code})
	}
	for _, r := range said.Receipts {
		if r.Whole == nil && r.Which < uint64(len(list)) {
			b := list[r.Which]
			at := time.UnixMilli(c.asked.UnixMilli() + r.After)
			r.Whole, _ = roll.WholeReceipt(trust.Receipt{Node: b.Node, UpTo: b.Last, Tip: b.Digest, At: at}, r.Signature)
		}
		if r.Whole != nil { // otherwise nobody signed it whom this node knows yet
			out.Receipts = append(out.Receipts, r.Whole)
		}
	}
	return out, again, nil
}

// pull fetches what is new since the cursor, page by page. The cursor moves only
// after a page is durable here.
func (c *Client) pull(ctx context.Context, say func(Event), report *Report) error {
	for {
		var out exchange.Pulled
		if err := c.ask(ctx, &out); err != nil {
			return err
		}
		outcomes, err := c.Merger.Take(ctx, out.Bundles...)
		if err != nil {
			return err
		}
		for _, o := range outcomes {
			switch o.Status {
			case merge.StatusWaiting:
				report.Waiting++
			case merge.StatusAside:
				report.Aside++
			default:
				report.Changes += o.Changes
			}
			c.state.Have[o.Node] = max(c.state.Have[o.Node], o.Last)
		}
		report.BundlesDown += len(out.Bundles)
		if err := c.believe(ctx, out.Receipts, report); err != nil {
			return err
		}
		moved := out.Cursor > c.state.Cursor
		if !moved {
			return nil
		}
		c.state.Cursor = out.Cursor
		if err := c.save(ctx); err != nil {
			return err
		}
		say(Event{"pull", int64(report.BundlesDown), 0})
		if !out.More {
			return nil
		}
	}
}

// sendPhotos uploads what visits name and the county has not signed for.
func (c *Client) sendPhotos(ctx context.Context, say func(Event), report *Report) error {
	named, err := c.Replica.NamedBlobs(ctx)
	if err != nil {
		return err
	}
	signed := make(map[store.Digest]bool, len(c.state.Photos))
	for _, d := range c.state.Photos {
		signed[d] = true
	}
	size := map[store.Digest]int64{}
	var ask []store.Digest
	for _, b := range named {
		if signed[b.Digest] {
			continue
		}
		here, err := c.Replica.HasBlob(ctx, b.Digest)
		if err != nil {
			return err
		}
		if here && size[b.Digest] == 0 {
			size[b.Digest] = b.Size
			ask = append(ask, b.Digest)
		}
	}
	for part := range slices.Chunk(ask, trust.MaxReceiptBlobs) {
		known, err := c.knownPhotos(ctx, part)
		if err != nil {
			return err
		}
		total, done := int64(0), int64(0)
		for _, d := range known.Wanted {
			total += size[d]
		}
		for _, d := range known.Wanted {
			if size[d] == 0 {
				continue
			}
			if err := c.upload(ctx, d, size[d], func(n int64) { say(Event{"photos", done + n, total}) }); err != nil {
				return err
			}
			done += size[d]
			report.PhotosUp++
		}
		if len(known.Wanted) > 0 {
			if _, err := c.knownPhotos(ctx, known.Wanted); err != nil {
				return err
			}
		}
	}
	return nil
}

// knownPhotos asks which photos are wanted, and believes the receipt for those
// that are held.
func (c *Client) knownPhotos(ctx context.Context, digests []store.Digest) (exchange.PhotosKnown, error) {
	var out exchange.PhotosKnown
	if err := c.talk(ctx, "/v1/photos", exchange.Photos{Digests: digests}, &out, exchange.MaxPush); err != nil {
		return out, err
	}
	if out.Receipt == nil {
		return out, nil
	}
	receipt, err := c.Merger.TakeReceipt(ctx, out.Receipt)
	if err != nil {
		return out, err
	}
	c.state.Photos = append(c.state.Photos, receipt.Blobs...)
	return out, c.save(ctx)
}

var tus = map[string]string{"Tus-Resumable": "1.0.0"}

// upload brings one photo by tus 1.0: as a whole where the link is good, and where
// it broke from the byte on that the server has.
func (c *Client) upload(ctx context.Context, d store.Digest, size int64, say func(int64)) error {
	rd, _, err := c.Replica.OpenBlob(ctx, d)
	if err != nil {
		return err
	}
	whole, err := io.ReadAll(io.LimitReader(rd, exchange.MaxPhoto+1))
	rd.Close()
	if err != nil {
		return err
	}
	path := "/v1/uploads/" + d.String()
	offset := int64(-1)
	if c.state.Begun != nil && *c.state.Begun == d {
		if offset, err = c.offset(ctx, path); err != nil {
			return err
		}
	} else {
		c.state.Begun = &d
		if err := c.save(ctx); err != nil {
			return err
		}
	}
	idle := 0
	for first := offset < 0; first || offset < int64(len(whole)); first = false {
		say(max(offset, 0))
		next, err := c.piece(ctx, path, d, whole, offset)
		if err != nil {
			return err
		}
		if next < 0 {
			return nil // it is whole and was taken in
		}
		if next <= offset {
			if idle++; idle == patience {
				return &UnreachableError{c.wire.base, errors.New("a photo does not get on")}
			}
		} else {
			idle = 0
		}
		offset = next
	}
	return nil
}

// piece sends the next piece of a photo, or begins it, and says how far the server
// has it then; -1: the server knows nothing of it, or has it whole.
func (c *Client) piece(ctx context.Context, path string, d store.Digest, whole []byte, offset int64) (int64, error) {
	at := max(offset, 0)
	a := ask{method: http.MethodPatch, path: path, limit: exchange.MaxSmall, once: true, header: map[string]string{
		"Tus-Resumable": "1.0.0", "Upload-Offset": strconv.FormatInt(at, 10), "Content-Type": "application/offset+octet-stream",
	}}
	if offset < 0 {
		a.method, a.path = http.MethodPost, "/v1/uploads/"
		delete(a.header, "Upload-Offset")
		a.header["Upload-Length"] = strconv.Itoa(len(whole))
		a.header["Upload-Metadata"] = "digest " + base64.StdEncoding.EncodeToString([]byte(d.String()))
	}
	a.body = whole[at:min(at+c.wire.piece, int64(len(whole)))]
	began := c.World.Now()
	r, err := c.call(ctx, a)
	if err != nil {
		if ctx.Err() != nil {
			return 0, err
		}
		// The line broke. How far the server has it, and from now on in small pieces.
		c.wire.piece = exchange.BadPiece
		return c.offset(ctx, path)
	}
	if took := c.World.Now().Sub(began); took > slow {
		c.wire.piece = exchange.BadPiece
	} else if took < slow/8 {
		c.wire.piece = min(2*c.wire.piece, exchange.MaxPiece)
	}
	next, ok := number(r.header, "Upload-Offset")
	switch {
	case r.status == http.StatusConflict && fault(r.body) == "", r.status == http.StatusNotFound, r.status == http.StatusLocked, r.status < 300 && !ok:
		// A piece whose answer was lost is there already: ask how far it is.
		return c.offset(ctx, path)
	case r.status >= 300:
		return 0, &ServerError{r.status, fault(r.body)}
	}
	return next, nil
}

// slow is how long a piece may take before smaller ones are sent.
const slow = 4 * time.Second

// offset is how far the server has a photo, -1 when it knows of none.
func (c *Client) offset(ctx context.Context, path string) (int64, error) {
	r, err := c.call(ctx, ask{method: http.MethodHead, path: path, header: tus, limit: exchange.MaxSmall})
	if err != nil {
		return 0, err
	}
	if n, ok := number(r.header, "Upload-Offset"); ok && r.status < 300 {
		return n, nil
	}
	if r.status == http.StatusNotFound || r.status == http.StatusGone {
		return -1, nil
	}
	return 0, &ServerError{r.status, fault(r.body)}
}

// fetchPhotos brings photos of others to those who review them; a tablet needs
// only its own, and what goes with the forms.
func (c *Client) fetchPhotos(ctx context.Context, say func(Event), report *Report) error {
	missing, err := c.missing(ctx)
	if err != nil || len(missing) == 0 {
		return err
	}
	// One question for all: those that the county has not either are not asked for
	// one by one.
	signed := len(c.state.Photos)
	for part := range slices.Chunk(missing, trust.MaxReceiptBlobs) {
		var digests []store.Digest
		for _, b := range part {
			digests = append(digests, b.Digest)
		}
		if _, err := c.knownPhotos(ctx, digests); err != nil {
			return err
		}
	}
	there := map[store.Digest]bool{}
	for _, d := range c.state.Photos[signed:] {
		there[d] = true
	}
	for i, b := range missing {
		if !there[b.Digest] {
			continue
		}
		say(Event{"fetch", int64(i), int64(len(missing))})
		got, err := c.fetch(ctx, b)
		if err != nil {
			return err
		}
		if got {
			report.PhotosDown++
		}
	}
	return c.save(ctx)
}

func (c *Client) missing(ctx context.Context) ([]store.BlobRef, error) {
	if c.Replica.Identity().Role == string(trust.Worker) {
		return c.Replica.MissingBlobsOf(ctx, store.Form)
	}
	return c.Replica.MissingBlobs(ctx)
}

func (c *Client) fetch(ctx context.Context, b store.BlobRef) (bool, error) {
	var have []byte
	for idle := 0; int64(len(have)) < b.Size; {
		a := ask{method: http.MethodGet, path: "/v1/photos/" + b.Digest.String(), limit: exchange.MaxPhoto}
		if len(have) > 0 {
			a.header = map[string]string{"Range": "bytes=" + strconv.Itoa(len(have)) + "-"}
		}
		r, err := c.call(ctx, a)
		switch {
		case err != nil:
			return false, err
		case r.status == http.StatusNotFound:
			return false, nil // the county waits for it too
		case r.status == http.StatusOK:
			have = r.body
		case r.status == http.StatusPartialContent:
			have = append(have, r.body...)
		default:
			return false, &ServerError{r.status, fault(r.body)}
		}
		if len(r.body) == 0 {
			if idle++; idle == patience {
				return false, &UnreachableError{c.wire.base, errors.New("a photo does not come")}
			}
		}
	}
	if store.DigestOf(have) != b.Digest {
		return false, nil // not what was asked for: asked again next time
	}
	_, err := c.Replica.PutBlob(ctx, bytes.NewReader(have), exchange.MaxPhoto)
	return err == nil, err
}

// Renew has the node's next key certified. On success the caller keeps key in the old
// one's place; until then the old one counts. It may be called again with the same key
// if the answer was lost.
func (c *Client) Renew(ctx context.Context, key ed25519.PrivateKey, recipient string) (trust.Certificate, error) {
	if err := c.load(ctx); err != nil { // how far the clock is off
		return trust.Certificate{}, err
	}
	var err error
	if c.wire, err = newWire(c.World, c.Server, c.isRoot); err != nil {
		return trust.Certificate{}, err
	}
	defer c.wire.close()
	if c.Transport != nil {
		c.wire.http.Transport = c.Transport
	}
	proof, err := trust.ProveKey(key, c.NodeID, c.Key.Public().(ed25519.PublicKey))
	if err != nil {
		return trust.Certificate{}, err
	}
	public := key.Public().(ed25519.PublicKey)
	var out exchange.Renewed
	in := exchange.Renew{Key: public, Recipient: recipient, Proof: proof}
	if err := c.talk(ctx, "/v1/renew", in, &out, exchange.MaxSmall); err != nil {
		return trust.Certificate{}, err
	}
	roll, err := c.Merger.Roll(ctx)
	if err != nil {
		return trust.Certificate{}, err
	}
	certificate, err := roll.Verify(out.Certificate)
	if err == nil && (certificate.Subject != c.NodeID || !certificate.Key.Equal(public)) {
		err = &trust.RefusedError{Rule: trust.BadCertificate, Node: c.NodeID}
	}
	return certificate, err
}

// isRoot says whether a key is the county's root, or one that has followed it as far as
// this node has heard.
func (c *Client) isRoot(key ed25519.PublicKey) bool {
	roll, err := c.Merger.Roll(context.Background())
	return err == nil && roll.IsRoot(key)
}
