// Package fleet is a county's tablets as a load: machines that are only keys, whose
// signed visits and photos are made before the clock runs. The benchmarks of the
// server use it, in its own process and from another.
package fleet

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/bundle"
	"ironfeet/sync/exchange"
	"ironfeet/sync/trust"
)

// A Boat is one tablet with two investigators in a village of its own.
type Boat struct {
	ID      uuid.UUID
	Village string

	a, b            uuid.UUID
	key, keyA, keyB ed25519.PrivateKey
	client          http.Client
	seq             uint64
	tip             store.Tip
	random          *rand.Rand
}

// Enrol makes tablets known to a county, which must be open.
func Enrol(ctx context.Context, of *office.Office, size int) ([]*Boat, error) {
	w := of.World
	root, err := of.RootKey()
	if err != nil {
		return nil, err
	}
	var boats []*Boat
	var edits []store.Edit
	for i := range size {
		n := &Boat{ID: w.NewID(), a: w.NewID(), b: w.NewID(), Village: fmt.Sprintf("4599211002%02d", i), random: rand.New(rand.NewPCG(1, uint64(i)))}
		n.client.Transport = &http.Transport{MaxIdleConnsPerHost: 2, DisableCompression: true}
		for _, who := range []struct {
			id   uuid.UUID
			what string
			key  *ed25519.PrivateKey
		}{{n.ID, trust.ForNode, &n.key}, {n.a, trust.ForPerson, &n.keyA}, {n.b, trust.ForPerson, &n.keyB}} {
			public, key, err := ed25519.GenerateKey(w.Rand)
			if err != nil {
				return nil, err
			}
			*who.key = key
			c, err := root.Certify(trust.Certificate{
				Subject: who.id, What: who.what, Name: "虚构", Key: public, Role: trust.Worker, Scope: []string{n.Village},
				From: w.Now().Add(-time.Hour), Until: w.Now().AddDate(1, 0, 0),
			})
			if err != nil {
				return nil, err
			}
			edits = append(edits, trust.CertificateEdit(c, "459921"))
		}
		boats = append(boats, n)
	}
	if _, err := of.Replica.Write(ctx, of.Replica.Identity().Node, edits...); err != nil {
		return nil, err
	}
	_, err = of.Merger.Seal(ctx, of.NodeKey)
	return boats, err
}

var phrases = []string{
	"无劳动能力，常年卧床", "在外务工，每月寄回生活费", "种植水稻三亩，玉米一亩", "患有高血压，按月取药", "房屋为砖混结构，无裂缝",
	"长子在县城打工，收入不稳定", "低保金按月到账", "屋顶漏雨，去年修过一次", "孙女在镇中心小学读三年级", "邻居反映情况属实",
}

// typical is the content of a visit of 120 answers, a roster of five among them, and
// six photos.
func typical(random *rand.Rand, photos []store.BlobRef) ([]byte, error) {
	answers := map[string]any{}
	for i := range 84 {
		name := fmt.Sprintf("q%03d", i)
		switch i % 6 {
		case 0:
			answers[name] = phrases[random.IntN(len(phrases))]
		case 1, 2:
			answers[name] = random.IntN(60) * 100
		default:
			answers[name] = []string{"yes", "no", "unknown"}[random.IntN(3)]
		}
	}
	var roster []any
	for range 5 {
		roster = append(roster, map[string]any{
			"name":     string([]rune("韦覃黄莫罗")[random.IntN(5)]) + string([]rune("建国志强玉兰秀英")[random.IntN(8)]),
			"id_no":    fmt.Sprintf("45992119%02d%02d%02d%04d", 30+random.IntN(69), 1+random.IntN(12), 1+random.IntN(28), random.IntN(10000)),
			"relation": "child", "labour": []string{"full", "part", "none"}[random.IntN(3)], "health": "weak", "income": random.IntN(40) * 100,
		})
	}
	list := make([][]byte, len(photos))
	for i, p := range photos {
		list[i] = p.Digest[:]
	}
	return cbor.Marshal(map[string]any{"answers": answers, "members": roster, "photos": list})
}

// Named is a photo of which only the name exists.
func (n *Boat) Named() store.BlobRef {
	return store.BlobRef{Digest: store.DigestOf(fmt.Append(nil, n.random.Uint64(), n.random.Uint64())), Size: 200_000}
}

// Photo makes a photo of so many bytes, which does not compress.
func (n *Boat) Photo(size int) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(n.random.Uint32())
	}
	return p
}

// Visits makes bundles of so many signed visits each, as they travel. Each visit
// names six photos.
func (n *Boat) Visits(bundles, each int, photo func() store.BlobRef) (raws [][]byte, err error) {
	for range bundles {
		var changes []store.Change
		for range each {
			c, err := n.visit(photo)
			if err != nil {
				return nil, err
			}
			changes = append(changes, c)
		}
		sealed, err := bundle.Seal(n.key, n.tip, n.Village, 0, changes)
		if err != nil {
			return nil, err
		}
		n.tip = store.Tip{Node: n.ID, Last: sealed.Last, Digest: sealed.Digest}
		raws = append(raws, bundle.Encode(sealed))
	}
	return raws, nil
}

func (n *Boat) visit(photo func() store.BlobRef) (store.Change, error) {
	n.seq++
	entity := world.Real().NewID()
	var photos []store.BlobRef
	for range 6 {
		photos = append(photos, photo())
	}
	slices.SortFunc(photos, func(a, b store.BlobRef) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	content, err := typical(n.random, photos)
	if err != nil {
		return store.Change{}, err
	}
	digest := sha256.Sum256(content)
	var attestations [][]byte
	for _, who := range []struct {
		id  uuid.UUID
		key ed25519.PrivateKey
	}{{n.a, n.keyA}, {n.b, n.keyB}} {
		raw, err := trust.Attest(who.key, trust.Attestation{Visit: entity, Digest: digest, Person: who.id, At: time.Now()})
		if err != nil {
			return store.Change{}, err
		}
		attestations = append(attestations, raw)
	}
	c := store.Change{
		ChangeID: store.ChangeID{Node: n.ID, Seq: n.seq}, Clock: store.Clock(time.Now().UnixMilli()) << 16, Author: n.a, Kind: store.Visit, Entity: entity, Division: n.Village,
		Fields: []store.Field{
			{Name: "attestations", Value: store.Of(attestations)}, {Name: "content", Value: store.Bytes(content)},
			{Name: "digest", Value: store.Bytes(digest[:])}, {Name: "state", Value: store.Text("signed")},
		}, Blobs: photos,
	}
	c.Raw, err = store.EncodeChange(&c)
	return c, err
}

// Ask makes a signed request and returns status and body.
func (n *Boat) Ask(address, method, path string, body []byte, header map[string]string) (int, []byte, error) {
	proof, err := exchange.Sign(n.key, n.ID, method, path, body, time.Now(), world.Real().Rand)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, address+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header["User-Agent"] = nil
	req.Header.Set("Authorization", proof)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// Stream makes a signed request whose body may be larger than anything allowed; of
// a length below zero nothing is said. The signature covers another body.
func (n *Boat) Stream(address, path string, body io.Reader, length int64, header map[string]string) (int, error) {
	proof, err := exchange.Sign(n.key, n.ID, http.MethodPost, path, nil, time.Now(), world.Real().Rand)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequest(http.MethodPost, address+path, io.NopCloser(body))
	if err != nil {
		return 0, err
	}
	req.ContentLength = length
	req.Header.Set("Authorization", proof)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// Push brings one bundle, which must be new and receipted.
func (n *Boat) Push(address string, raw []byte) error {
	status, answer, err := n.Ask(address, http.MethodPost, "/v1/push", exchange.Encode(exchange.Push{Bundles: [][]byte{raw}}), nil)
	if err != nil {
		return err
	}
	var out exchange.Pushed
	if err := exchange.Decode(answer, &out); err != nil || status != http.StatusOK {
		return fmt.Errorf("%d: %w", status, err)
	}
	if out.Outcomes[0].Status != "new" || len(out.Receipts) != 1 {
		return fmt.Errorf("%+v", out.Outcomes)
	}
	return nil
}

// Upload brings one photo of a name, in one piece.
func (n *Boat) Upload(address string, photo []byte, name store.Digest) error {
	status, answer, err := n.Ask(address, http.MethodPost, "/v1/uploads/", photo, map[string]string{
		"Tus-Resumable": "1.0.0", "Upload-Length": strconv.Itoa(len(photo)), "Content-Type": "application/offset+octet-stream",
		"Upload-Metadata": "digest " + base64.StdEncoding.EncodeToString([]byte(name.String())),
	})
	if err == nil && status != http.StatusCreated {
		err = fmt.Errorf("%d %s", status, answer)
	}
	return err
}

// Together lets every boat do something at the same time.
func Together(boats []*Boat, do func(i int, n *Boat) error) error {
	faults := make([]error, len(boats))
	var group sync.WaitGroup
	for i, n := range boats {
		group.Go(func() { faults[i] = do(i, n) })
	}
	group.Wait()
	return errors.Join(faults...)
}
