package carrier

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"io/fs"
	"slices"
	"sync"

	"ironfeet/store"
	"ironfeet/store/world"
	"ironfeet/sync/merge"
)

// An ImportReport says what a carrier brought.
type ImportReport struct {
	Summary
	Outcomes []merge.Outcome
	NewBlobs int     // photos that were not here before
	Unasked  int     // photos that nothing here names: not kept
	Refused  []error // receipts that were not believed
}

// Import reads a carrier into a replica, and the files that follow it as far as they
// lie beside it. What arrived before a torn end is kept, and reading the same carrier
// again changes nothing. With a *TornError the report says what came.
func Import(ctx context.Context, w world.World, m *merge.Merger, identity, path string) (ImportReport, error) {
	roll, err := m.Roll(ctx)
	if err != nil {
		return ImportReport{}, err
	}
	in := &importing{merger: m, replica: m.Replica(), roots: roll.Roots(), places: make(chan struct{}, max(w.AtOnce, 1))}
	first := 0
	for n := 1; ; n++ {
		name := PartName(path, n)
		if n > 1 {
			if _, err := w.Disk.Stat(name); errors.Is(err, fs.ErrNotExist) {
				return in.report, nil // Summary.More says that there should be another
			} else if err != nil {
				return in.report, err
			}
		}
		summary, err := Read(ctx, w, name, identity, in)
		if more := in.stored(); err == nil {
			err = more
		}
		if more := in.flush(ctx); err == nil {
			err = more
		}
		if n == 1 {
			first = summary.Parts
		}
		in.report.Summary = joined(in.report.Summary, summary)
		if err != nil || !summary.More || first > 1 {
			return in.report, err
		}
	}
}

// joined is the summary of several files: their sums, and the digest of the last.
func joined(a, b Summary) Summary {
	b.Bundles, b.Changes = a.Bundles+b.Bundles, a.Changes+b.Changes
	b.Receipts, b.Blobs, b.Bytes = a.Receipts+b.Receipts, a.Blobs+b.Blobs, a.Bytes+b.Bytes
	return b
}

// importing is the sink that feeds a replica.
type importing struct {
	merger  *merge.Merger
	replica *store.Replica
	roots   []ed25519.PublicKey
	report  ImportReport

	raws   [][]byte
	bytes  int
	wanted map[store.Digest]bool // nil until the first blob
	all    bool                  // something waits or is aside: any blob may be its

	storing sync.WaitGroup // photos that are being made durable, a few at once
	places  chan struct{}
	mu      sync.Mutex // guards fault and report.NewBlobs while any is
	fault   error
}

// A photo waits for the disk three times until it is durable. While it does, the
// next ones are read, as many as World.AtOnce allows, if they are small.
const storingBytes = 4 << 20

// stored waits for the photos that are being stored, and returns the first fault.
func (in *importing) stored() error {
	in.storing.Wait()
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.fault
}

// store stores a photo beside the reading. What was read is whole: its digest was
// checked at its end.
func (in *importing) store(ctx context.Context, content []byte) error {
	in.mu.Lock()
	fault := in.fault
	in.mu.Unlock()
	if fault != nil {
		return fault
	}
	put := func() {
		_, err := in.replica.PutBlob(ctx, bytes.NewReader(content), int64(len(content)))
		in.mu.Lock()
		defer in.mu.Unlock()
		if err == nil {
			in.report.NewBlobs++
		} else if in.fault == nil {
			in.fault = err
		}
	}
	if cap(in.places) == 1 {
		put()
		return nil
	}
	in.places <- struct{}{}
	in.storing.Add(1)
	go func() {
		defer func() { <-in.places; in.storing.Done() }()
		put()
	}()
	return nil
}

// Bundles are taken in groups, for one transaction each.
const (
	groupBundles = 64
	groupBytes   = 4 << 20
)

func (in *importing) County(root [32]byte) bool {
	return slices.ContainsFunc(in.roots, func(key ed25519.PublicKey) bool { return countyOf(key) == root })
}

func (in *importing) Bundle(ctx context.Context, raw []byte) error {
	in.raws = append(in.raws, raw)
	in.bytes += len(raw)
	in.wanted = nil
	if len(in.raws) < groupBundles && in.bytes < groupBytes {
		return nil
	}
	return in.flush(ctx)
}

func (in *importing) flush(ctx context.Context) error {
	if len(in.raws) == 0 {
		return nil
	}
	outcomes, err := in.merger.Take(ctx, in.raws...)
	in.report.Outcomes = append(in.report.Outcomes, outcomes...)
	in.raws, in.bytes = nil, 0
	return err
}

func (in *importing) Receipt(ctx context.Context, raw []byte) error {
	if err := in.flush(ctx); err != nil {
		return err
	}
	if _, err := in.merger.TakeReceipt(ctx, raw); err != nil {
		in.report.Refused = append(in.report.Refused, err)
	}
	return nil
}

func (in *importing) Blob(ctx context.Context, ref store.BlobRef, content io.Reader) error {
	if err := in.flush(ctx); err != nil {
		return err
	}
	if err := in.ask(ctx); err != nil {
		return err
	}
	has, err := in.replica.HasBlob(ctx, ref.Digest)
	if err != nil || has {
		return err
	}
	if !in.all && !in.wanted[ref.Digest] {
		in.report.Unasked++
		return nil
	}
	if ref.Size <= storingBytes {
		data, err := io.ReadAll(io.LimitReader(content, ref.Size+1)) // to its end, where the digest is checked
		if err != nil {
			return err
		}
		return in.store(ctx, data)
	}
	if err := in.stored(); err != nil {
		return err
	}
	if _, err := in.replica.PutBlob(ctx, content, ref.Size); err != nil {
		return err
	}
	in.report.NewBlobs++
	return nil
}

// ask finds out once, behind the bundles, which photos are missing.
func (in *importing) ask(ctx context.Context) error {
	if in.wanted != nil {
		return nil
	}
	missing, err := in.replica.MissingBlobs(ctx)
	if err != nil {
		return err
	}
	in.wanted = map[store.Digest]bool{}
	for _, ref := range missing {
		in.wanted[ref.Digest] = true
	}
	held, err := in.replica.HeldBundles(ctx)
	in.all = len(held) > 0
	return err
}
