package export

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// A Request is one export, from the wish to the file:
//
//	waiting -> approved -> running -> ready -> expired
//	waiting -> refused             -> failed -> running (asked again)
//	                      running -> running (the program stopped, and was started again)
//
// A masked table needs no second person and begins approved. What shows personal
// data in full waits for an approver other than whoever asked; what shows children
// for the child-data approver (未成年人网络保护条例 Art. 36).
type Request struct {
	ID        uuid.UUID `json:"id"`
	Asked     time.Time `json:"asked"`
	By        string    `json:"by"` // person's id, or "command line"
	ByName    string    `json:"by_name"`
	Role      string    `json:"role"`
	Format    string    `json:"format"` // xlsx, csv, jsonl, geojson, pdf, evidence
	Template  string    `json:"template,omitempty"`
	Division  string    `json:"division,omitempty"`
	Household uuid.UUID `json:"household"`
	Status    string    `json:"status,omitempty"` // of the records; "": as the template says
	Unmasked  bool      `json:"unmasked,omitempty"`
	Children  bool      `json:"children,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Recipient string    `json:"recipient,omitempty"`

	State     string    `json:"state"`
	Answerer  string    `json:"answerer,omitempty"` // who approved or refused
	Answer    string    `json:"answer,omitempty"`   // his or her words
	Answered  time.Time `json:"answered"`
	Done      time.Time `json:"done"`
	Rows      int       `json:"rows"`
	Of        int       `json:"of"` // households there are, to show progress
	Size      int64     `json:"size"`
	Digest    string    `json:"digest,omitempty"` // SHA-256 of the file, hex
	Said      string    `json:"said,omitempty"`   // what it came to
	Failure   string    `json:"failure,omitempty"`
	Volumes   int       `json:"volumes,omitempty"` // of a dossier: more than one are a ZIP
	Unmapped  int       `json:"unmapped,omitempty"`
	MinorsOut int       `json:"minors_out,omitempty"`
	Tries     int       `json:"tries,omitempty"`     // how often it was begun since it was last asked for
	Elsewhere bool      `json:"elsewhere,omitempty"` // goes to a file of the caller's; none is kept at the desk
	Fetched   []string  `json:"fetched,omitempty"`   // who has begun to download it
}

// mostTries is how often an export may end together with the program before it is
// held to be the reason.
const mostTries = 3

// States of a request.
const (
	Waiting  = "waiting"
	Approved = "approved"
	Refused  = "refused"
	Running  = "running"
	Ready    = "ready"
	Failed   = "failed"
	Expired  = "expired"
)

// Sensitive says whether a second person must agree.
func (q *Request) Sensitive() bool { return q.Unmasked || q.Children || q.Format == "evidence" }

// MayAnswer says whether a person of this role may approve the request.
func (q *Request) MayAnswer(person string, role trust.Role) bool {
	if person == q.By {
		return false // two persons, not one twice
	}
	if q.Children {
		return role == trust.ChildApprover
	}
	return role == trust.Approver || role == trust.ChildApprover
}

// FileName is what the file is called when it leaves.
func (q *Request) FileName() string {
	end := q.Format
	if q.Format == "evidence" || q.Volumes > 1 {
		end = "zip"
	}
	return fmt.Sprintf("%s-%s.%s", q.Format, q.Asked.Format("20060102-150405"), end)
}

// A RequestError says why an export is not made.
type RequestError struct {
	Why   string // no_reason, no_recipient, not_yours, state, gone, format, template
	State string
}

func (e *RequestError) Error() string {
	switch e.Why {
	case "no_recipient":
		return "an export with personal data needs its recipient, which is kept with the export"
	case "not_yours":
		return "this export must be approved by another person with the right to do so"
	case "state":
		return "this export is " + e.State
	case "gone":
		return "the file of this export is no longer kept"
	case "format":
		return "this format is not known"
	case "template":
		return "there is no such template"
	}
	return ErrNoReason.Error()
}

// Code is the key of the sentence.
func (e *RequestError) Code() string { return "export.request_" + e.Why }

// A Desk is where exports are asked for, approved, made and fetched. Files lie
// sealed in the data folder until they expire.
type Desk struct {
	World   world.World
	Replica *store.Replica
	Audit   *audit.Log
	NodeKey ed25519.PrivateKey
	Root    ed25519.PublicKey
	Dir     string // the data folder

	mu   sync.Mutex
	list []*Request // as in the setting, the oldest first
	read bool
}

const (
	settingRequests  = "export.requests"
	settingTemplates = "export.templates"
	mostRequests     = 500
)

func (d *Desk) folder() string { return filepath.Join(d.Dir, "exports") }

// load reads the requests once.
func (d *Desk) load(ctx context.Context) error {
	if d.read {
		return nil
	}
	text, err := d.Replica.Setting(ctx, settingRequests)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &d.list)
	}
	if err != nil {
		return fmt.Errorf("read the exports: %w", err)
	}
	d.read = true
	return nil
}

// Resume takes up what a stopped program left. An export that was being made is
// begun anew, since the records may be others by now: its half file is removed and
// the audit log is told. It returns what is to be Run.
func (d *Desk) Resume(ctx context.Context) (again []uuid.UUID, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.load(ctx); err != nil {
		return nil, err
	}
	changed := false
	for _, q := range d.list {
		if q.State == Running {
			changed = true
			if err := d.record(ctx, audit.ExportAgain, q, "server", "", map[string]string{"tries": fmt.Sprint(q.Tries)}); err != nil {
				return nil, err
			}
			if q.State = Approved; q.Elsewhere || q.Tries >= mostTries {
				q.State, q.Failure = Failed, "stopped"
			}
		}
		if q.State == Approved && !q.Elsewhere {
			again = append(again, q.ID)
		}
	}
	if err := d.sweep(); err != nil {
		return nil, err
	}
	if changed {
		err = d.save(ctx)
	}
	return again, err
}

// sweep removes from the folder whatever is no ready export's file: halves of files,
// and what a workbook needed while it grew.
func (d *Desk) sweep() error {
	names, err := d.World.Disk.List(d.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, name := range names {
		if !slices.ContainsFunc(d.list, func(q *Request) bool { return q.State == Ready && q.ID.String() == name }) {
			err = errors.Join(err, d.World.Disk.Remove(filepath.Join(d.folder(), name)))
		}
	}
	return err
}

func (d *Desk) save(ctx context.Context) error {
	if len(d.list) > mostRequests {
		d.list = slices.Delete(d.list, 0, len(d.list)-mostRequests)
	}
	text, err := json.Marshal(d.list)
	if err != nil {
		return fmt.Errorf("keep the exports: %w", err)
	}
	return d.Replica.SetSetting(ctx, settingRequests, text)
}

func (d *Desk) find(id uuid.UUID) (*Request, error) {
	for _, q := range d.list {
		if q.ID == id {
			return q, nil
		}
	}
	return nil, fmt.Errorf("export %s: %w", id, store.ErrNotFound)
}

// List returns the requests, the newest first.
func (d *Desk) List(ctx context.Context) ([]Request, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.load(ctx); err != nil {
		return nil, err
	}
	out := make([]Request, 0, len(d.list))
	for i := len(d.list) - 1; i >= 0; i-- {
		out = append(out, *d.list[i])
	}
	return out, nil
}

// Get returns one request as it stands.
func (d *Desk) Get(ctx context.Context, id uuid.UUID) (Request, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.load(ctx); err != nil {
		return Request{}, err
	}
	q, err := d.find(id)
	if err != nil {
		return Request{}, err
	}
	return *q, nil
}

// Ask writes a request down. What needs no second person is approved at once.
func (d *Desk) Ask(ctx context.Context, q Request) (Request, error) {
	if q.Format == "evidence" { // what was signed cannot be masked
		q.Unmasked = true
	}
	switch {
	case !slices.Contains(append(slices.Clone(Formats), "pdf", "evidence"), q.Format):
		return q, &RequestError{Why: "format"}
	case q.Sensitive() && strings.TrimSpace(q.Reason) == "":
		return q, &RequestError{Why: "no_reason"}
	case q.Sensitive() && strings.TrimSpace(q.Recipient) == "":
		return q, &RequestError{Why: "no_recipient"}
	}
	if _, err := d.Template(ctx, q.Template); err != nil {
		return q, err
	}
	q.ID, q.Asked, q.State = d.World.NewID(), d.World.Now(), Approved
	if q.Sensitive() {
		q.State = Waiting
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.load(ctx); err != nil {
		return q, err
	}
	if err := d.record(ctx, audit.ExportAsked, &q, q.By, q.Role, nil); err != nil {
		return q, err
	}
	kept := q
	d.list = append(d.list, &kept)
	return q, d.save(ctx)
}

// record writes a request's step into the audit log (domain.md §1: who, when,
// purpose, recipient, template, filter, row count, file hash).
func (d *Desk) record(ctx context.Context, action string, q *Request, who, role string, more map[string]string) error {
	detail := map[string]string{
		"format": q.Format, "template": q.Template, "division": q.Division, "status": q.Status, "reason": q.Reason, "recipient": q.Recipient,
		"unmasked": fmt.Sprint(q.Unmasked), "children": fmt.Sprint(q.Children), "asked_by": q.ByName,
	}
	if q.Household != uuid.Nil {
		detail["household"] = q.Household.String()
	}
	for k, v := range more {
		detail[k] = v
	}
	for k, v := range detail {
		if v == "" {
			delete(detail, k)
		}
	}
	digest, _ := hex.DecodeString(q.Digest)
	_, err := d.Audit.Append(ctx, audit.Act{Actor: who, Role: role, Action: action, Object: q.ID.String(), Count: int64(q.Rows), Digest: digest, Detail: detail})
	return err
}

// Answer approves or refuses a waiting request.
func (d *Desk) Answer(ctx context.Context, id uuid.UUID, person string, role trust.Role, approve bool, words string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.load(ctx); err != nil {
		return err
	}
	q, err := d.find(id)
	switch {
	case err != nil:
		return err
	case q.State != Waiting:
		return &RequestError{Why: "state", State: q.State}
	case !q.MayAnswer(person, role):
		return &RequestError{Why: "not_yours"}
	}
	state, action := Approved, audit.ExportApproved
	if !approve {
		state, action = Refused, audit.ExportRefused
	}
	if err := d.record(ctx, action, q, person, string(role), map[string]string{"words": words}); err != nil {
		return err
	}
	q.State, q.Answerer, q.Answer, q.Answered = state, person, words, d.World.Now()
	return d.save(ctx)
}

// begin takes an approved request, or one that failed, into work.
func (d *Desk) begin(ctx context.Context, id uuid.UUID) (Request, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.load(ctx); err != nil {
		return Request{}, err
	}
	q, err := d.find(id)
	switch {
	case err != nil:
		return Request{}, err
	case q.State != Approved && q.State != Failed:
		return Request{}, &RequestError{Why: "state", State: q.State}
	}
	before := *q
	if q.State == Failed {
		q.Tries = 0
	}
	q.State, q.Failure, q.Rows, q.Of, q.Tries = Running, "", 0, 0, q.Tries+1
	if n, err := d.Replica.Count(ctx, store.Query{Kind: store.Household, Division: q.Division}); err == nil && q.Household == uuid.Nil {
		q.Of = n
	}
	if err := d.save(ctx); err != nil {
		*q = before
		return Request{}, err
	}
	return *q, nil
}

// Run makes an approved export. It may be called in the background: Get shows how
// far it has come.
func (d *Desk) Run(ctx context.Context, id uuid.UUID) (Request, error) {
	return d.run(ctx, id, Ready, func(q *Request) error { return d.make(ctx, q) })
}

// RunTo makes an approved export into a writer of the caller's; no file is kept
// here.
func (d *Desk) RunTo(ctx context.Context, id uuid.UUID, w io.Writer) (Request, error) {
	return d.run(ctx, id, Expired, func(q *Request) error {
		if err := d.World.Disk.MkdirAll(d.folder()); err != nil {
			return err
		}
		out := &summed{to: w, sum: sha256.New()}
		err := d.WriteTo(ctx, out, q, nil)
		q.Size, q.Digest = out.size, hex.EncodeToString(out.sum.Sum(nil))
		return err
	})
}

func (d *Desk) run(ctx context.Context, id uuid.UUID, state string, make func(*Request) error) (Request, error) {
	q, err := d.begin(ctx, id)
	if err != nil {
		return q, err
	}
	err = make(&q)
	d.mu.Lock()
	defer d.mu.Unlock()
	kept, found := d.find(id)
	if found != nil {
		return q, found
	}
	q.Done = d.World.Now()
	if err != nil && ctx.Err() != nil {
		return q, err // the program stops: Resume finds it running
	}
	if err != nil {
		q.State, q.Failure = Failed, err.Error()
		*kept = q
		return q, errors.Join(err, d.save(context.WithoutCancel(ctx)))
	}
	// The log first: what it does not hold is not handed out.
	if err := d.record(ctx, audit.Export, &q, q.By, q.Role, map[string]string{"came_to": q.Said, "approved_by": q.Answerer}); err != nil {
		return q, err
	}
	q.State = state
	*kept = q
	return q, d.save(ctx)
}

// make writes the file, sealed piece by piece as it grows.
func (d *Desk) make(ctx context.Context, q *Request) error {
	if err := d.World.Disk.MkdirAll(d.folder()); err != nil {
		return err
	}
	path := filepath.Join(d.folder(), q.ID.String())
	if err := d.World.Disk.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // of a try before
	}
	f, err := d.World.Disk.Create(path)
	if err != nil {
		return err
	}
	w := &sealedWriter{to: f, seal: d.Replica.Seal, id: q.ID, sum: sha256.New()}
	err = d.WriteTo(ctx, w, q, func(rows int) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if kept, err := d.find(q.ID); err == nil {
			kept.Rows = rows
		}
	})
	err = errors.Join(err, w.Close(), ctx.Err())
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return errors.Join(err, d.World.Disk.Remove(path))
	}
	q.Size, q.Digest = w.size, hex.EncodeToString(w.sum.Sum(nil))
	return d.World.Disk.SyncDir(d.folder())
}

// WriteTo writes what a request asks for, and notes in it what it came to.
func (d *Desk) WriteTo(ctx context.Context, w io.Writer, q *Request, progress func(int)) error {
	t, err := d.Template(ctx, q.Template)
	if err != nil {
		return err
	}
	s := Selection{Division: q.Division, Status: cmp.Or(q.Status, t.Status), Household: q.Household}
	o := Options{Unmasked: q.Unmasked, Children: q.Children, Reason: q.Reason, Day: d.World.Now(), Progress: progress, TmpDir: d.folder()}
	switch q.Format {
	case "evidence":
		s.Status = OnlyVerified
		records, err := EvidenceOf(ctx, d.Replica, s)
		if err != nil {
			return err
		}
		checkpoint, err := d.Audit.Checkpoint(ctx)
		if err != nil {
			return err
		}
		n, err := WriteEvidence(ctx, w, d.Replica, records, Signer{
			Node: d.Replica.Identity().Node, Key: d.NodeKey, Root: d.Root, Now: d.World.Now, Checkpoint: checkpoint,
		}, q.Children)
		q.Rows = n.Visits
		q.Said = fmt.Sprintf("%d visits, %d attestations, %d photos and drawings (%d not arrived yet), %d protected parts withheld, %d certificates, %d bundle heads",
			n.Visits, n.Attestations, n.Blobs, n.Missing, n.Withheld, n.Certificates, n.Heads)
		return err
	case "pdf":
		n, err := Dossier(ctx, w, d.Replica, Records(ctx, d.Replica, s), o)
		q.Rows, q.MinorsOut, q.Volumes = n.Households, n.MinorsLeftOut, n.Volumes
		q.Said = fmt.Sprintf("%d households, %d pages (%d minors left out)", n.Households, n.Pages, n.MinorsLeftOut)
		if n.Volumes > 1 {
			q.Said += fmt.Sprintf(", a ZIP of %d volumes", n.Volumes)
		}
		return err
	}
	n, err := Write(w, q.Format, Records(ctx, d.Replica, s), t, o)
	q.Rows, q.Unmapped, q.MinorsOut = n.Rows, n.Unmapped, n.MinorsLeftOut
	q.Said = fmt.Sprintf("%d households, %d adult members (%d minors left out)", n.Households, n.Members, n.MinorsLeftOut)
	if o.Children {
		q.Said = fmt.Sprintf("%d households, %d members", n.Households, n.Members)
	}
	return err
}

// Fetch opens a ready file to be read from any place. Whoever fetches it from the
// beginning is written down, and whoever has not done so yet: a download that only
// goes on is none of its own.
func (d *Desk) Fetch(ctx context.Context, id uuid.UUID, who, role string, begins bool) (io.ReadSeekCloser, Request, error) {
	q, err := d.Get(ctx, id)
	if err != nil {
		return nil, q, err
	}
	if q.State == Expired {
		return nil, q, &RequestError{Why: "gone"}
	}
	if q.State != Ready {
		return nil, q, &RequestError{Why: "state", State: q.State}
	}
	f, err := d.World.Disk.Open(filepath.Join(d.folder(), id.String()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, q, &RequestError{Why: "gone"}
	}
	if err != nil {
		return nil, q, err
	}
	if begins || !slices.Contains(q.Fetched, who) {
		if err := d.begun(ctx, id, who, role); err != nil {
			return nil, q, errors.Join(err, f.Close())
		}
	}
	return &sealedReader{from: f, open: d.Replica.Unseal, id: id, size: q.Size, have: -1}, q, nil
}

// begun writes down that somebody fetches a file.
func (d *Desk) begun(ctx context.Context, id uuid.UUID, who, role string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	q, err := d.find(id)
	if err != nil {
		return err
	}
	if err := d.record(ctx, audit.Download, q, who, role, nil); err != nil {
		return err
	}
	if !slices.Contains(q.Fetched, who) {
		q.Fetched = append(q.Fetched, who)
	}
	return d.save(ctx)
}

// Expire removes the files of requests that were done before a moment, and says
// how many.
func (d *Desk) Expire(ctx context.Context, before time.Time) (files int, size int64, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.load(ctx); err != nil {
		return 0, 0, err
	}
	for _, q := range d.list {
		if q.State != Ready || !q.Done.Before(before) {
			continue
		}
		if err := d.World.Disk.Remove(filepath.Join(d.folder(), q.ID.String())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return files, size, err
		}
		q.State = Expired
		files++
		size += q.Size
	}
	if files == 0 {
		return 0, 0, nil
	}
	return files, size, d.save(ctx)
}
