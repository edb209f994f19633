package practice

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/assets/yunqi"
	"ironfeet/forms"
	"ironfeet/store"
	"ironfeet/store/world"
)

// Large is a county's folder with so many households and nothing else, to measure on.
func Large(ctx context.Context, w world.World, dir string, households int) (*office.Office, error) {
	c := yunqi.New(yunqi.Seed, households)
	of, err := office.Found(ctx, w, dir, c.Name, c.Code)
	if err != nil {
		return nil, err
	}
	author := of.Replica.Identity().Node
	const chunk = 5000
	for from := 0; from < len(c.Households); from += chunk {
		part := *c
		part.Households = c.Households[from:min(from+chunk, len(c.Households))]
		if _, err := Load(ctx, of, author, &part); err != nil {
			return of, err
		}
	}
	return of, nil
}

// BenchSize is how many households a bench has: IRONFEET_BENCH_HOUSEHOLDS=100000 is
// what the goals are about, a fifth of it what make bench does.
func BenchSize() int {
	if n, err := strconv.Atoi(os.Getenv("IRONFEET_BENCH_HOUSEHOLDS")); err == nil && n > 0 {
		return n
	}
	return 20_000
}

// Bench is Large in dir, of BenchSize. Making it takes minutes, so that
// IRONFEET_BENCH_DATA may name a folder in which it is kept; dir gets a copy.
func Bench(ctx context.Context, w world.World, dir string) (*office.Office, error) {
	shelf := os.Getenv("IRONFEET_BENCH_DATA")
	if shelf == "" {
		return Large(ctx, w, dir, BenchSize())
	}
	kept := filepath.Join(shelf, strconv.Itoa(BenchSize()))
	if _, err := os.Stat(filepath.Join(kept, "done")); err != nil {
		of, err := Large(ctx, w, kept, BenchSize())
		if err != nil {
			return nil, err
		}
		if err := errors.Join(of.Close(), os.WriteFile(filepath.Join(kept, "done"), nil, 0o600)); err != nil {
			return nil, err
		}
	}
	if err := os.CopyFS(dir, os.DirFS(kept)); err != nil {
		return nil, err
	}
	return office.Open(ctx, w, dir)
}

// Copies gives the first households of a county's folder each a copy of one signed
// visit, accepted, with files of its own. Nobody attested the copies: they are for
// measuring, and no package that verifies comes of them.
func Copies(ctx context.Context, of *office.Office, of1 *visit.Signed, visits int) error {
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return err
	}
	r := of.Replica
	var at store.Place
	for made := 0; made < visits; {
		page, err := r.PageByPlace(ctx, store.Household, "", "", at, min(500, visits-made))
		if err != nil || len(page) == 0 {
			return fmt.Errorf("%d of %d visits: too few households (%w)", made, visits, err)
		}
		var edits []store.Edit
		for _, h := range page {
			at = store.Place{Division: h.Division, ID: h.ID}
			content := of1.Content
			content.Visit, content.Household, content.Division = of.World.NewID(), h.ID, h.Division
			raw, err := enc.Marshal(content)
			if err != nil {
				return err
			}
			digest := sha256.Sum256(raw)
			edits = append(edits, store.Edit{Kind: store.Visit, Entity: content.Visit, Division: h.Division, Fields: map[string]store.Value{
				"parent": store.Text(h.ID.String()), "content": store.Bytes(raw), "digest": store.Bytes(digest[:]), "attestations": store.Of(of1.Attestations), "investigators": store.Of([]string{}), "parts": store.Of(of1.Parts),
			}}, store.Edit{Kind: store.Review, Entity: uuid.NewSHA1(content.Visit, []byte("review")), Division: h.Division, Fields: map[string]store.Value{
				"parent": store.Text(content.Visit.String()), "decision": store.Text(review.Accepted), "state": store.Text(review.Accepted),
			}})
			made++
		}
		if _, err := r.Write(ctx, r.Identity().Node, edits...); err != nil {
			return err
		}
	}
	return nil
}

// Flood writes so many signed visits into the township's folder, each with 120 answers
// and 12 photos named, as a year of campaigns leaves them to be reviewed. Nobody
// attested them: they are for measuring.
func (c *County) Flood(ctx context.Context, visits int) error {
	town := c.Nodes["township"]
	enc, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return err
	}
	now := town.Office.World.Now()
	var edits []store.Edit
	for i := range visits {
		h := c.Sample.Households[i%len(c.Sample.Households)]
		record := forms.Record{Form: HomeVisit, Version: "1"}
		for q := range 120 {
			record.Answers = append(record.Answers, forms.Answer{Path: fmt.Sprintf("/data/group%d/question%d", q/12, q), Type: "text", Value: fmt.Sprintf("第 %d 项的回答，第 %d 户", q, i)})
		}
		record.Answers = append(record.Answers, forms.Answer{Path: "/data/visit/location", Type: "geopoint", Value: fmt.Sprintf("23.%04d 106.%04d 310 8", 1000+i%300, 2000+i%200)})
		began := now.Add(-time.Duration(visits-i) * time.Hour)
		content := visit.Content{Version: 1, Visit: town.Office.World.NewID(), Household: h.ID, Division: h.Village.Code, Outcome: "completed", Record: record.Encode(),
			Started: began.UnixMilli(), Ended: began.Add(40 * time.Minute).UnixMilli(), Seen: map[string]map[string][]store.ChangeID{}}
		for p := range 12 {
			content.Photos = append(content.Photos, visit.Photo{Path: fmt.Sprintf("/data/photo%d", p), Digest: store.DigestOf(fmt.Append(nil, i, p)), Size: 300_000})
		}
		raw, err := enc.Marshal(content)
		if err != nil {
			return err
		}
		digest := sha256.Sum256(raw)
		edits = append(edits, store.Edit{Kind: store.Visit, Entity: content.Visit, Division: h.Village.Code, Blobs: content.Blobs(), Fields: map[string]store.Value{
			"parent": store.Text(h.ID.String()), "state": store.Text("signed"), "form": store.Text(record.Form), "version": store.Text("1"), "outcome": store.Text("completed"),
			"content": store.Bytes(raw), "digest": store.Bytes(digest[:]), "attestations": store.Of([][]byte{}),
			"investigators": store.Of([]string{uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i%9)).String(), uuid.NewSHA1(uuid.Nil, fmt.Append(nil, 10+i%7)).String()}),
		}})
		if len(edits) == 500 || i == visits-1 {
			if _, err := town.Office.Replica.Write(ctx, town.People[0].ID, edits...); err != nil {
				return err
			}
			edits = edits[:0]
		}
	}
	return nil
}

// Campaign makes so many visits at a node, each with so many photos of about 375 kB as
// a camera takes them: noise, which nothing makes smaller. It returns their bytes.
func (n *Node) Campaign(ctx context.Context, visits, photos int) (size int64, err error) {
	list, err := tasks.List(ctx, n.Office.Replica, "", tasks.Open)
	if err != nil {
		return 0, err
	}
	if len(list) < visits {
		return 0, fmt.Errorf("%d of %d visits: too few tasks", len(list), visits)
	}
	shelf := &publish.Shelf{}
	for i, task := range list[:visits] {
		v, err := n.Desk(shelf).Start(ctx, task)
		if err != nil {
			return size, err
		}
		script := yunqi.Absent(n.Office.World.Now())
		script.Photos = nil
		for p := range photos {
			data, err := noise(uint64(i*1000 + p))
			if err != nil {
				return size, err
			}
			if _, err := v.AddPhoto(ctx, "/visit/photo_door", data); err != nil {
				return size, err
			}
			size += data.Size()
		}
		w, err := Fill(ctx, v, script, 1)
		if err != nil {
			return size, err
		}
		if err := n.SignOff(ctx, v, "", 1, &w); err != nil {
			return size, err
		}
	}
	return size, nil
}

func noise(seed uint64) (*bytes.Reader, error) {
	r := rand.New(rand.NewPCG(seed, 9))
	img := image.NewGray(image.Rect(0, 0, 960, 700))
	for i := range img.Pix {
		img.Pix[i] = uint8(r.IntN(256))
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 75})
	return bytes.NewReader(b.Bytes()), err
}
