package audit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"ironfeet/store"
)

// A Finding is something that is not as it must be.
type Finding struct {
	What string // chain, gap, detail, tree, checkpoint, shortened
	N    int64  // the entry concerned
}

func (f Finding) Error() string {
	switch f.What {
	case "gap":
		return fmt.Sprintf("audit log: entry %d is missing", f.N)
	case "detail":
		return fmt.Sprintf("audit log: the detail of entry %d is not what was recorded", f.N)
	case "tree":
		return fmt.Sprintf("audit log: the hash tree does not hold entry %d as it stands", f.N)
	case "checkpoint":
		return fmt.Sprintf("audit log: the first %d entries are not those of a checkpoint that was given out", f.N)
	case "shortened":
		return fmt.Sprintf("audit log: a checkpoint that was given out counts %d entries, more than there are", f.N)
	}
	return fmt.Sprintf("audit log: entry %d does not follow from the one before it", f.N)
}

// Code is the key of the sentence.
func (f Finding) Code() string { return "audit." + f.What }

// Check reads the whole log and returns everything that does not fit: entries
// altered, missing or exchanged, details altered, the tree, and each checkpoint
// that was given out before.
func (l *Log) Check(ctx context.Context, checkpoints ...[]byte) ([]Finding, error) {
	rows, err := l.db.QueryContext(ctx, `SELECT n, at, action, raw, detail FROM entries ORDER BY n`)
	if err != nil {
		return nil, fmt.Errorf("check the audit log: %w", err)
	}
	defer rows.Close()
	var (
		found  []Finding
		want   int64
		before = make([]byte, sha256.Size)
		stored []tlog.Hash // the tree, made anew from the entries as they stand
	)
	memory := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			if at >= int64(len(stored)) {
				return nil, errors.New("beyond the log")
			}
			out[i] = stored[at]
		}
		return out, nil
	})
	for rows.Next() {
		var n, at int64
		var action string
		var raw, sealed []byte
		if err := rows.Scan(&n, &at, &action, &raw, &sealed); err != nil {
			return nil, fmt.Errorf("check the audit log: %w", err)
		}
		for ; want < n; want++ {
			found = append(found, Finding{"gap", want})
		}
		want = n + 1
		var c chained
		err := decode.Unmarshal(raw, &c)
		again, _ := encode.Marshal(c)
		if err != nil || c.N != n || c.At != at || c.Action != action || !bytes.Equal(c.Before, before) || !bytes.Equal(again, raw) {
			found = append(found, Finding{"chain", n})
		} else if _, err := l.detail(n, raw, sealed); err != nil {
			found = append(found, Finding{"detail", n})
		}
		sum := sha256.Sum256(raw)
		before = sum[:]
		if next := tlog.StoredHashCount(n); int64(len(stored)) == next {
			hashes, err := tlog.StoredHashes(n, raw, memory)
			if err != nil {
				return nil, fmt.Errorf("check the audit log: %w", err)
			}
			stored = append(stored, hashes...)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("check the audit log: %w", err)
	}
	if want > 0 && len(found) == 0 {
		mine, err := tlog.TreeHash(want, memory)
		if err != nil {
			return nil, fmt.Errorf("check the audit log: %w", err)
		}
		kept, err := tlog.TreeHash(want, reader(ctx, l.db))
		if err != nil || kept != mine {
			found = append(found, Finding{"tree", want - 1})
		}
	}
	for _, text := range checkpoints {
		tree, err := l.OpenCheckpoint(text)
		switch {
		case err != nil:
			found = append(found, Finding{"checkpoint", 0})
		case tree.N > want:
			found = append(found, Finding{"shortened", tree.N})
		case tree.N > 0 && tlog.StoredHashCount(tree.N) <= int64(len(stored)):
			if h, err := tlog.TreeHash(tree.N, memory); err != nil || h != tree.Hash {
				found = append(found, Finding{"checkpoint", tree.N})
			}
		}
	}
	return found, nil
}

// Checkpoint is the log's size and tree hash, signed by the county's node: a text
// of a few lines that anybody may keep (C2SP tlog-checkpoint, signed note).
func (l *Log) Checkpoint(ctx context.Context) ([]byte, error) {
	n, err := l.Size(ctx)
	if err != nil {
		return nil, err
	}
	h, err := tlog.TreeHash(n, reader(ctx, l.db))
	if err != nil {
		return nil, fmt.Errorf("sum the audit log up: %w", err)
	}
	vkey, err := note.NewEd25519VerifierKey(l.o.Name, l.o.Key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, fmt.Errorf("sign the audit log: %w", err)
	}
	parts := strings.SplitN(vkey, "+", 3) // name, key hash, algorithm and key
	signer, err := note.NewSigner("PRIVATE+KEY+" + parts[0] + "+" + parts[1] + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, l.o.Key.Seed()...)))
	if err != nil {
		return nil, fmt.Errorf("sign the audit log: %w", err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", l.o.Name, n, base64.StdEncoding.EncodeToString(h[:]))
	return note.Sign(&note.Note{Text: text}, signer)
}

// OpenCheckpoint reads a checkpoint that a node of this county signed.
func (l *Log) OpenCheckpoint(text []byte) (tlog.Tree, error) {
	var verifiers []note.Verifier
	for _, key := range append([]ed25519.PublicKey{l.o.Key.Public().(ed25519.PublicKey)}, l.o.Known...) {
		vkey, err := note.NewEd25519VerifierKey(l.o.Name, key)
		if err != nil {
			return tlog.Tree{}, err
		}
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return tlog.Tree{}, err
		}
		if !slices.ContainsFunc(verifiers, func(have note.Verifier) bool { return have.KeyHash() == v.KeyHash() }) {
			verifiers = append(verifiers, v)
		}
	}
	n, err := note.Open(text, note.VerifierList(verifiers...))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("the checkpoint: %w", err)
	}
	var tree tlog.Tree
	var sum string
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 3 || lines[0] != l.o.Name {
		return tree, errors.New("the checkpoint is another log's")
	}
	if _, err := fmt.Sscanf(lines[1], "%d", &tree.N); err != nil || tree.N < 0 {
		return tree, errors.New("the checkpoint has no size")
	}
	sum = lines[2]
	tree.Hash, err = tlog.ParseHash(sum)
	return tree, err
}

// fieldCheckpoint of the county's own node holds the newest checkpoint.
const fieldCheckpoint = "audit_checkpoint"

// Witness writes the checkpoint into the county's change log: signed, chained, and
// held by every tablet and township that syncs, so that a shortened or rewritten
// audit log contradicts what others hold.
func (l *Log) Witness(ctx context.Context, r *store.Replica) error {
	text, err := l.Checkpoint(ctx)
	if err != nil {
		return err
	}
	own := r.Identity()
	_, err = r.Write(ctx, own.Node, store.Edit{Kind: store.Node, Entity: own.Node, Division: own.Division, Fields: map[string]store.Value{
		fieldCheckpoint: store.Text(string(text)),
	}})
	return err
}

// Witnessed returns every checkpoint that these nodes of the county ever wrote into
// the change log.
func Witnessed(ctx context.Context, r *store.Replica, nodes ...uuid.UUID) ([][]byte, error) {
	var list [][]byte
	for _, node := range nodes {
		history, err := r.History(ctx, node)
		if err != nil {
			return nil, err
		}
		for _, c := range history {
			for _, f := range c.Fields {
				if f.Name == fieldCheckpoint {
					list = append(list, []byte(f.Value.Text()))
				}
			}
		}
	}
	return list, nil
}
