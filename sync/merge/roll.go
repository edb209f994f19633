package merge

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/trust"
)

// rollAge says which of the node's own changes the roll has seen: others' come by
// Take, which knows.
type rollAge struct {
	tip      store.Tip
	unsealed bool
}

// refresh loads the roll if it may have changed, or if it must.
func (m *Merger) refresh(ctx context.Context, must bool) error {
	tip, err := m.replica.Tip(ctx, m.replica.Identity().Node)
	if err != nil {
		return err
	}
	journal, err := m.replica.Unsealed(ctx, 1)
	if err != nil {
		return err
	}
	age := rollAge{tip, len(journal) > 0}
	county := m.replica.Identity().Role == string(trust.County)
	if !must && m.roll != nil && m.asked == age && !(county && age.unsealed) && len(m.roll.Nodes()) > 0 {
		return nil
	}
	old := m.roll
	if old == nil {
		old = trust.RollOf(m.root)
	}
	roll, err := old.Reload(ctx, m.replica)
	if err != nil {
		return err
	}
	m.roll, m.asked = roll, age
	return nil
}

// Roll returns who is believed now.
func (m *Merger) Roll(ctx context.Context) (*trust.Roll, error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	if err := m.refresh(ctx, false); err != nil {
		return nil, err
	}
	return m.roll, nil
}

// Runs are cut here, so that a weak link has something to finish.
const (
	maxRunChanges = 2_000
	maxRunBytes   = 1 << 20
)

// Seal packs the node's own changes that are in no bundle yet and says how many
// bundles that made. A bundle holds one run of changes of one division and one
// audience; work that is written village by village gives few bundles.
func (m *Merger) Seal(ctx context.Context, key ed25519.PrivateKey) (bundles int, err error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	own := m.replica.Identity().Node
	changed := false
	for {
		changes, err := m.replica.Unsealed(ctx, maxRunChanges)
		if err != nil {
			return bundles, err
		}
		if len(changes) == 0 {
			break
		}
		for len(changes) > 0 {
			run := firstRun(changes)
			tip, err := m.replica.Tip(ctx, own)
			if err != nil {
				return bundles, err
			}
			b, err := bundle.Seal(key, tip, run[0].Division, trust.Audience(run[0].Kind), run)
			if err != nil {
				return bundles, err
			}
			if err := m.replica.Append(ctx, b); err != nil {
				return bundles, fmt.Errorf("append bundle %d-%d: %w", b.First, b.Last, err)
			}
			for i := range run {
				changed = changed || run[i].Kind == store.Person || run[i].Kind == store.Node
			}
			bundles++
			changes = changes[len(run):]
		}
	}
	if !changed {
		return bundles, nil
	}
	s := newSitting(m)
	if err := s.rollChanged(ctx); err != nil {
		return bundles, err
	}
	_, err = s.retry(ctx)
	return bundles, err
}

// firstRun is the longest beginning with one division and audience.
func firstRun(changes []store.Change) []store.Change {
	bytes := 0
	for i := range changes {
		bytes += len(changes[i].Raw)
		if i > 0 && (changes[i].Division != changes[0].Division || bytes > maxRunBytes ||
			trust.Audience(changes[i].Kind) != trust.Audience(changes[0].Kind)) {
			return changes[:i]
		}
	}
	return changes
}

// TakeReceipt believes a receipt of the county and keeps it, whoever it is for, so
// that a township can carry it to the tablet. It says how far it reaches.
func (m *Merger) TakeReceipt(ctx context.Context, raw []byte) (trust.Receipt, error) {
	roll, err := m.Roll(ctx)
	if err != nil {
		return trust.Receipt{}, err
	}
	receipt, _, err := roll.VerifyReceipt(raw)
	if err != nil {
		return receipt, err
	}
	if receipt.UpTo > 0 {
		if err := m.sameHistory(ctx, receipt); err != nil {
			return receipt, err
		}
	}
	if len(receipt.Blobs) > 0 {
		if err := m.replica.Confirm(ctx, receipt.Blobs); err != nil {
			return receipt, err
		}
	}
	had, _, err := m.replica.Receipt(ctx, receipt.Node)
	if err != nil || had > receipt.UpTo {
		return receipt, err
	}
	return receipt, m.replica.SaveReceipt(ctx, receipt.Node, receipt.UpTo, raw)
}

// sameHistory refuses a receipt for another history than the one that is here: the
// county holds the work of a clone, not this (invariants 1 and 5).
func (m *Merger) sameHistory(ctx context.Context, receipt trust.Receipt) error {
	tip, err := m.replica.Tip(ctx, receipt.Node)
	if err != nil || tip.Last < receipt.UpTo {
		return err
	}
	list, err := m.replica.Bundles(ctx, store.BundleQuery{Node: &receipt.Node, FromSeq: receipt.UpTo, Limit: 1})
	if err != nil || len(list) == 0 || list[0].Last != receipt.UpTo {
		return err
	}
	if list[0].Digest != receipt.Tip {
		return &ForkError{Node: receipt.Node, First: list[0].First, Last: list[0].Last, Ours: list[0].Digest, Theirs: receipt.Tip}
	}
	return nil
}

func sortHeld(list []store.Held) {
	slices.SortFunc(list, func(a, b store.Held) int {
		return cmp.Or(bytes.Compare(a.Node[:], b.Node[:]), cmp.Compare(a.First, b.First),
			cmp.Compare(len(b.Raw), len(a.Raw)), bytes.Compare(a.Digest[:], b.Digest[:]))
	})
}
