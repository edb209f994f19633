// Package visit is one home visit from the first answer to the signed record
// (入户调查, 民发〔2021〕57号 Art. 16).
//
// A Desk is a worker's place on this machine. It starts visits, each a form
// entry filled with "last time" values; every answer is durable when Set
// returns; a signed visit cannot be changed. What is missing before the next
// step is always said, never guessed (Why).
package visit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	_ "image/jpeg" // photos
	_ "image/png"  // drawn signatures
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/registry"
	"ironfeet/app/casework/tasks"
	"ironfeet/forms"
	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// Limits of one photo.
const (
	MaxPhotoBytes  = 20 << 20
	MaxPhotoPixels = 100_000_000
)

// A Desk is where one worker works: a replica, and who sits before it.
type Desk struct {
	Replica *store.Replica
	World   world.World
	Shelf   *publish.Shelf
	Worker  uuid.UUID
	Name    string
}

// A Visit is being filled, or being signed. It belongs to one goroutine.
//
//	draft -> signed (Finish)
//
// What comes after, review knows: signed -> accepted or returned.
type Visit struct {
	ID    uuid.UUID
	Task  tasks.Task // zero if nobody asked for this visit
	Page  *registry.Page
	Entry *forms.Entry
	Lost  []string // answers of a resumed draft that no longer fit its form

	// Faults are why the last visit was returned, each with its question if it is
	// about one.
	Faults []Fault

	desk   *Desk
	draft  store.Draft
	extra  extra
	behind bool // what was answered is not durable yet
}

// extra is what a draft holds besides answers.
type extra struct {
	Photo        map[string]Photo                       `cbor:"1,keyasint,omitempty"` // of drafts begun when a question took one photo; taken into Photos
	Signature    Signature                              `cbor:"2,keyasint,omitempty"`
	Seen         map[string]map[string][]store.ChangeID `cbor:"3,keyasint,omitempty"`
	Content      []byte                                 `cbor:"4,keyasint,omitempty"` // frozen at the first attestation
	Attested     []uuid.UUID                            `cbor:"5,keyasint,omitempty"`
	Attestations [][]byte                               `cbor:"6,keyasint,omitempty"`
	Photos       map[string][]Photo                     `cbor:"7,keyasint,omitempty"`
	Excused      map[string]Excuse                      `cbor:"8,keyasint,omitempty"`
	Found        *Found                                 `cbor:"9,keyasint,omitempty"`
	Latest       int64                                  `cbor:"10,keyasint,omitempty"` // the latest time the device's clock showed, Unix ms
	ClockBack    int64                                  `cbor:"11,keyasint,omitempty"` // how far it was set back, ms
	Parts        [][]byte                               `cbor:"12,keyasint,omitempty"` // frozen with Content
}

// Start begins the visit a task asks for.
func (d *Desk) Start(ctx context.Context, task tasks.Task) (*Visit, error) {
	if task.State != "" {
		if err := tasks.LifeCycle.May(task.State, tasks.Done, trust.Worker); err != nil {
			return nil, err
		}
	}
	var err error
	if task.Household, err = registry.Standing(ctx, d.Replica, task.Household); err != nil {
		return nil, err
	}
	page, err := registry.Open(ctx, d.Replica, task.Household)
	if errors.Is(err, store.ErrNotFound) {
		if page, found, again := d.foundAgain(ctx, task); again {
			return d.start(ctx, task, page, found)
		}
	}
	if err != nil {
		return nil, err
	}
	return d.start(ctx, task, page, nil)
}

func (d *Desk) start(ctx context.Context, task tasks.Task, page *registry.Page, found *Found) (*Visit, error) {
	v := &Visit{ID: d.World.NewID(), Task: task, Page: page, desk: d}
	var err error
	if v.extra.Seen, err = page.Seen(ctx, d.Replica); err != nil {
		return nil, err
	}
	v.extra.Found = found
	v.draft = store.Draft{
		ID: v.ID, Household: task.Household, Task: task.ID, Author: d.Worker, Form: task.Form,
		Started: d.World.Now(),
	}
	if err := v.open(ctx); err != nil {
		return nil, err
	}
	v.draft.Answers = v.Entry.Answers() // with how many there are of each repeat
	v.draft.Version = v.Entry.Form().Version()
	if task.Returned != "" {
		if err := v.takeUp(ctx); err != nil {
			return nil, err
		}
		if v.Faults, err = v.returned(ctx); err != nil {
			return nil, err
		}
	}
	v.draft.Extra = v.packed()
	if err := d.Replica.StartDraft(ctx, v.draft); err != nil {
		return nil, err
	}
	return v, nil
}

// takeUp begins a correction where the returned visit ended: its answers, and the
// photos that are still here. All of it is signed anew; the returned visit stays as
// it was (domain.md §2, record states).
func (v *Visit) takeUp(ctx context.Context) error {
	for _, e := range v.Page.Visits { // newest first
		old, err := FromEntity(e)
		if err != nil || !v.corrects(old) || old.Record.Form != v.Entry.Form().ID() {
			continue
		}
		answers := map[string]string{}
		for _, a := range old.Record.Answers {
			answers[a.Path] = a.Value
		}
		photos := map[string][]Photo{}
		for _, p := range old.Content.Photos {
			has, err := v.desk.Replica.HasBlob(ctx, p.Digest)
			if err != nil {
				return err
			}
			if has {
				photos[p.Path] = append(photos[p.Path], p)
			}
			answers[p.Path] = named(photos[p.Path])
		}
		v.Lost = v.Entry.Restore(answers)
		v.extra.Photos = photos
		v.extra.Excused = map[string]Excuse{}
		for _, x := range old.Content.Excused {
			v.extra.Excused[x.Path] = x
		}
		v.draft.Answers = v.Entry.Answers()
		return nil
	}
	return nil
}

// Resume opens a draft where it was left; "last time" values are those of today's
// registry, the answers those that were given.
func (d *Desk) Resume(ctx context.Context, id uuid.UUID) (*Visit, error) {
	draft, err := d.Replica.Draft(ctx, id)
	if err != nil {
		return nil, err
	}
	v := &Visit{ID: id, desk: d, draft: *draft}
	if v.extra, err = unpacked(draft); err != nil {
		return nil, err
	}
	if place, ok := draft.Answers[placeKey]; ok {
		v.draft.Place = place
		delete(draft.Answers, placeKey)
	}
	v.Page, err = registry.Open(ctx, d.Replica, draft.Household)
	if errors.Is(err, store.ErrNotFound) && v.extra.Found != nil {
		v.Page, err = v.extra.Found.page(draft.Household), nil
	}
	if err != nil {
		return nil, err
	}
	if draft.Task != uuid.Nil {
		if v.Task, err = tasks.Get(ctx, d.Replica, draft.Task); err != nil {
			return nil, err
		}
	}
	if err := v.open(ctx); err != nil {
		return nil, err
	}
	if v.Faults, err = v.returned(ctx); err != nil {
		return nil, err
	}
	v.Lost = v.Entry.Restore(draft.Answers)
	return v, nil
}

func (v *Visit) open(ctx context.Context) error {
	form, err := v.desk.Shelf.Form(ctx, v.desk.Replica, v.draft.Form, v.draft.Version)
	if err != nil {
		return err
	}
	known := v.Page.Known()
	if v.Task.ID != uuid.Nil {
		known.Hidden["task_id"] = v.Task.ID.String()
	}
	v.Entry = form.New(forms.Options{
		Now: v.desk.World.Now, Rand: v.desk.World.Rand, Username: v.desk.Name,
		DeviceID: v.desk.Replica.Identity().Node.String(), Known: known,
	})
	return nil
}

// Place is the screen the worker was on; it survives with the draft.
func (v *Visit) Place() string { return v.draft.Place }

// GoTo remembers the question or screen the worker is on. It is kept as an answer
// of a name that no form can have, so that it costs one row and not the whole draft.
func (v *Visit) GoTo(ctx context.Context, place string) error {
	if v.draft.Place == place {
		return nil
	}
	v.draft.Place = place
	return v.desk.Replica.SaveAnswer(ctx, v.ID, placeKey, place)
}

const placeKey = "@place"

// Set answers a question and returns the paths that changed with it. The answer
// is durable when Set returns. Attestations given before are dropped: they were
// given for other answers.
func (v *Visit) Set(ctx context.Context, path, value string) ([]string, error) {
	changed, err := v.Entry.Set(path, value)
	if err != nil {
		return nil, err
	}
	if n, ok := v.Entry.Node(path); ok {
		path = n.Path
	}
	if _, excused := v.extra.Excused[path]; excused && value != "" || v.watchClock() || v.behind {
		delete(v.extra.Excused, path)
		v.unseal()
		return changed, v.save(ctx)
	}
	if err := v.thaw(ctx); err != nil {
		return changed, err
	}
	return changed, v.kept(v.desk.Replica.SaveAnswer(ctx, v.ID, path, value))
}

// Confirm takes over the value of last time.
func (v *Visit) Confirm(ctx context.Context, path string) ([]string, error) {
	n, ok := v.Entry.Node(path)
	if !ok || n.Last == "" {
		return nil, &NoLastError{path}
	}
	return v.Set(ctx, path, n.Last)
}

// Add appends an instance to a repeat and returns its path.
func (v *Visit) Add(ctx context.Context, repeat string) (string, error) {
	path, err := v.Entry.Add(repeat)
	if err != nil {
		return "", err
	}
	if err := v.thaw(ctx); err != nil {
		return path, err
	}
	return path, v.save(ctx)
}

// Remove takes an instance out of a repeat; the later ones are renumbered.
func (v *Visit) Remove(ctx context.Context, instance string) error {
	if err := v.Entry.Remove(instance); err != nil {
		return err
	}
	v.extra.Photos = moveUp(v.extra.Photos, instance)
	v.extra.Excused = moveUp(v.extra.Excused, instance)
	if err := v.thaw(ctx); err != nil {
		return err
	}
	return v.save(ctx)
}

// save writes the whole draft: after anything but a single answer.
func (v *Visit) save(ctx context.Context) error {
	v.draft.Answers = v.Entry.Answers()
	v.draft.Answers[placeKey] = v.draft.Place
	v.draft.Extra = v.packed()
	return v.kept(v.desk.Replica.SaveDraft(ctx, v.draft))
}

// kept remembers whether everything that was answered is durable. Where the disk was
// full for a moment, the next answer writes the whole draft and not only itself.
func (v *Visit) kept(err error) error {
	v.behind = err != nil
	return err
}

// Behind says that something that was answered could not be written yet: no screen
// may call it saved (invariant 1).
func (v *Visit) Behind() bool { return v.behind }

// Save writes the whole draft once more, after there is room again.
func (v *Visit) Save(ctx context.Context) error { return v.save(ctx) }

func (v *Visit) packed() []byte {
	b, err := encode.Marshal(v.extra)
	if err != nil {
		panic("a draft's extra is plain data: " + err.Error())
	}
	return b
}

// thaw forgets attestations and the content they were given for.
func (v *Visit) thaw(ctx context.Context) error {
	if v.extra.Content == nil {
		return nil
	}
	v.unseal()
	return v.save(ctx)
}

func (v *Visit) unseal() {
	v.extra.Content, v.extra.Parts, v.extra.Attested, v.extra.Attestations = nil, nil, nil, nil
}

// Signature is the householder's signature so far.
func (v *Visit) Signature() Signature { return v.extra.Signature }

// Sign records how the householder signed; picture is the drawing (PNG) or the
// thumbprint's photo, nil where the mode has none.
func (v *Visit) Sign(ctx context.Context, s Signature, picture io.Reader) error {
	switch s.Mode {
	case Drawn, Thumbprint, Proxy:
		if picture == nil {
			return &SignatureError{Mode: s.Mode, Why: "no_picture"}
		}
		if s.Mode == Thumbprint && s.Witness == "" {
			return &SignatureError{Mode: s.Mode, Why: "no_witness"}
		}
		ref, err := v.picture(ctx, picture)
		if err != nil {
			return err
		}
		s.Digest, s.Size = ref.Digest, ref.Size
	case Refused:
		if strings.TrimSpace(s.Reason) == "" {
			return &SignatureError{Mode: s.Mode, Why: "no_reason"}
		}
	default:
		return &SignatureError{Mode: s.Mode, Why: "unknown"}
	}
	if err := v.thaw(ctx); err != nil {
		return err
	}
	v.extra.Signature = s
	return v.save(ctx)
}

// Outcome is the answer to 入户结果; "completed" if the form does not ask.
func (v *Visit) Outcome() string {
	for _, n := range v.Entry.Nodes() {
		if n.Name == "outcome" {
			return n.Value
		}
	}
	return "completed"
}

// met says whether somebody was there who can sign.
func (v *Visit) met() bool {
	return slices.Contains([]string{"completed", "partial"}, v.Outcome())
}

// A Reason says, by its code, why a step cannot be taken yet.
type Reason struct {
	Code  string // "visit.answers_missing", …: key of the sentence
	Count int
	Paths []string // where to go
}

// WhyNotAttest lists what is missing before an investigator can confirm.
func (v *Visit) WhyNotAttest() []Reason {
	var reasons []Reason
	if problems := v.Problems(); len(problems) > 0 {
		r := Reason{Code: "visit.answers_missing", Count: len(problems)}
		for _, p := range problems {
			r.Paths = append(r.Paths, p.Path)
		}
		reasons = append(reasons, r)
	}
	if v.met() && v.extra.Signature.Mode == "" {
		reasons = append(reasons, Reason{Code: "visit.signature_missing"})
	}
	return reasons
}

// WhyNotFinish lists what is missing before the visit can be signed off.
func (v *Visit) WhyNotFinish() []Reason {
	reasons := v.WhyNotAttest()
	switch len(v.extra.Attested) {
	case 0:
		reasons = append(reasons, Reason{Code: "visit.investigators_missing", Count: 2})
	case 1:
		reasons = append(reasons, Reason{Code: "visit.second_investigator_missing", Count: 1})
	}
	return reasons
}

// Attested are the investigators who have confirmed.
func (v *Visit) Attested() []uuid.UUID { return slices.Clone(v.extra.Attested) }

// Attest is one investigator's own signature over the visit as it stands.
func (v *Visit) Attest(ctx context.Context, person uuid.UUID, key ed25519.PrivateKey) error {
	if reasons := v.WhyNotAttest(); len(reasons) > 0 {
		return &NotYetError{reasons}
	}
	if slices.Contains(v.extra.Attested, person) {
		return ErrSameInvestigator
	}
	if v.extra.Content == nil {
		content, parts, err := v.content()
		if err != nil {
			return err
		}
		v.extra.Content, v.extra.Parts = content, parts
	}
	raw, err := trust.Attest(key, trust.Attestation{
		Visit: v.ID, Digest: sha256.Sum256(v.extra.Content), Person: person, At: v.desk.World.Now(),
	})
	if err != nil {
		return fmt.Errorf("attest visit %s: %w", v.ID, err)
	}
	v.extra.Attested = append(v.extra.Attested, person)
	v.extra.Attestations = append(v.extra.Attestations, raw)
	return v.save(ctx)
}

// content freezes the visit's content, and the parts that are signed apart.
func (v *Visit) content() ([]byte, [][]byte, error) {
	ended := v.desk.World.Now()
	whole := v.Entry.Record()
	open, covers, parts, err := split(whole, ended, v.desk.World.Rand)
	if err != nil {
		return nil, nil, fmt.Errorf("visit %s: %w", v.ID, err)
	}
	young := minors(whole, ended)
	c := Content{
		Version: contentVersion, Visit: v.ID, Household: v.draft.Household, Task: v.draft.Task,
		Division: v.Page.Household.Division,
		Started:  v.draft.Started.UnixMilli(), Ended: ended.UnixMilli(), Outcome: v.Outcome(),
		Record: open.Encode(), Covers: covers, Signature: v.extra.Signature, Seen: v.extra.Seen,
		Found: v.extra.Found, ClockBack: v.extra.ClockBack,
	}
	for _, n := range v.Entry.Nodes() { // document order, relevant ones only
		if !n.Relevant {
			continue
		}
		for _, p := range v.extra.Photos[n.Path] {
			p.Path = n.Path // an instance may have moved up
			if p.Protected = Protected(n.Path); p.Protected == "" && young[instance(n.Path)] {
				p.Protected = Children
			}
			c.Photos = append(c.Photos, p)
		}
		if x, ok := v.extra.Excused[n.Path]; ok && n.Value == "" {
			x.Path = n.Path
			c.Excused = append(c.Excused, x)
		}
	}
	b, err := encode.Marshal(c)
	if err != nil {
		panic("a visit's content is plain data: " + err.Error())
	}
	return b, parts, nil
}

// Finish signs the visit off: it is written with its task's end in one
// transaction, and the draft is gone.
func (v *Visit) Finish(ctx context.Context) error {
	if reasons := v.WhyNotFinish(); len(reasons) > 0 {
		return &NotYetError{reasons}
	}
	var c Content
	if err := decode.Unmarshal(v.extra.Content, &c); err != nil {
		return fmt.Errorf("visit %s: %w", v.ID, err)
	}
	digest := sha256.Sum256(v.extra.Content)
	people := make([]string, len(v.extra.Attested))
	for i, id := range v.extra.Attested {
		people[i] = id.String()
	}
	record := v.Entry.Form()
	fields := map[string]store.Value{
		"parent": store.Text(c.Household.String()), "state": store.Text("signed"),
		"form": store.Text(record.ID()), "version": store.Text(record.Version()), "outcome": store.Text(c.Outcome),
		"content": store.Bytes(v.extra.Content), "digest": store.Bytes(digest[:]),
		"attestations": store.Of(v.extra.Attestations), "investigators": store.Of(people),
	}
	if len(v.extra.Parts) > 0 {
		fields["parts"] = store.Of(v.extra.Parts)
	}
	edits := []store.Edit{{Kind: store.Visit, Entity: v.ID, Division: c.Division, Blobs: c.Blobs(), Fields: fields}}
	if v.Task.ID != uuid.Nil {
		done, err := tasks.Finish(v.Task, trust.Worker)
		if err != nil {
			return err
		}
		edits = append(edits, done)
	}
	edits = append(edits, v.again()...)
	_, err := v.desk.Replica.Finish(ctx, v.desk.Worker, v.ID, edits...)
	return err
}

// Drop throws a draft away; nothing of it was ever signed.
func (v *Visit) Drop(ctx context.Context) error { return v.desk.Replica.DropDraft(ctx, v.ID) }

// Started is when the first screen of the visit was opened.
func (v *Visit) Started() time.Time { return v.draft.Started }

// ErrSameInvestigator means one person tried to stand for two: at least two
// investigators visit together (民发〔2021〕57号 Art. 16(1)).
var ErrSameInvestigator error = sameInvestigator{errors.New("this investigator has already confirmed; a second person must confirm")}

type sameInvestigator struct{ error }

func (sameInvestigator) Code() string { return "visit.same_investigator" }
