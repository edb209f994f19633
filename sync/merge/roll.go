package merge

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"ironfeet/store"
	"ironfeet/sync/bundle"
	"ironfeet/sync/trust"
)

// refresh loads the roll if it may have changed, or if it must: only the node's own
// changes can change it unseen, others' come by Take.
func (m *Merger) refresh(ctx context.Context, must bool) error {
	age := m.replica.Newest()
	if !must && m.roll != nil && m.asked == age && m.roll.Knows() {
		return nil
	}
	old := m.roll
	if old == nil {
		old = m.known
	}
	roll, err := old.Reload(ctx, m.replica)
	if err != nil {
		return err
	}
	m.roll, m.asked = roll, age
	m.shown.Store(&dated{roll, age})
	return nil
}

// A dated roll is the one of a time: the node's newest change then.
type dated struct {
	roll  *trust.Roll
	asked uint64
}

// settingJudged keeps the digest of the roll under which everything here was last
// judged. A crash between a revocation and its consequences must not forget them.
const settingJudged = "merge.judged"

// settle brings what is here into line with the roll of today: what it takes back
// is judged anew, until nothing moves.
func (s *sitting) settle(ctx context.Context) error {
	for range maxRounds {
		if s.judged == s.roll {
			return nil
		}
		digest := s.roll.Digest()
		if s.judged == nil {
			known, err := s.replica.Setting(ctx, settingJudged)
			if err != nil {
				return err
			}
			if bytes.Equal(known, digest[:]) {
				s.judged = s.roll
				return nil
			}
		}
		moved, err := s.recheckAll(ctx)
		if err != nil {
			return err
		}
		if err := s.replica.SetSetting(ctx, settingJudged, digest[:]); err != nil {
			return err
		}
		s.judged, s.news = s.roll, true
		if !moved {
			return nil
		}
		if err := s.refresh(ctx, true); err != nil {
			return err
		}
	}
	return nil
}

// recheckAll judges anew what the roll may have taken back since it was judged.
func (s *sitting) recheckAll(ctx context.Context) (moved bool, err error) {
	var nodes []uuid.UUID
	everybody := s.judged == nil
	if !everybody {
		nodes, everybody = s.roll.Narrower(s.judged)
	}
	if everybody {
		tips, err := s.replica.Tips(ctx)
		if err != nil {
			return false, err
		}
		nodes = nil
		for _, tip := range tips {
			nodes = append(nodes, tip.Node)
		}
	}
	for _, node := range nodes {
		m, err := s.recheck(ctx, node)
		if err != nil {
			return moved, err
		}
		moved = moved || m
	}
	return moved, nil
}

// maxRounds bounds revocations that undo the revoker: more rounds than a county
// has nodes of its own.
const maxRounds = 16

// Roll returns who is believed now. It waits for nobody who is taking bundles, unless
// this node itself has written since.
func (m *Merger) Roll(ctx context.Context) (*trust.Roll, error) {
	if d := m.shown.Load(); d != nil && d.asked == m.replica.Newest() && d.roll.Knows() {
		return d.roll, nil
	}
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
	s, err := m.sit(ctx)
	if err != nil {
		return 0, err
	}
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
				if m.replica.Identity().Role != string(trust.Worker) {
					s.unsettled[run[i].Entity] = true // what tablets said of it before may be wrong now
				}
			}
			bundles++
			changes = changes[len(run):]
		}
	}
	if changed {
		if err := s.rollChanged(ctx); err != nil {
			return bundles, err
		}
	}
	if err := s.resettle(ctx); err != nil {
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
	if err != nil {
		return err
	}
	if tip.Last < receipt.UpTo {
		if receipt.Node == m.replica.Identity().Node {
			return &CloneError{Node: receipt.Node, First: tip.Last + 1, Last: receipt.UpTo}
		}
		return nil
	}
	list, err := m.replica.Bundles(ctx, store.BundleQuery{Node: &receipt.Node, FromSeq: receipt.UpTo, Limit: 1})
	if err != nil || len(list) == 0 {
		return err
	}
	// Where no bundle here ends there, the county's history has other bundles.
	if list[0].Last != receipt.UpTo || list[0].Digest != receipt.Tip {
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
