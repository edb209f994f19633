package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Draft is a visit being filled. It lives on this machine only.
type Draft struct {
	ID        uuid.UUID         `cbor:"1,keyasint"`
	Household uuid.UUID         `cbor:"2,keyasint"`
	Task      uuid.UUID         `cbor:"3,keyasint"`
	Author    uuid.UUID         `cbor:"4,keyasint"`
	Form      string            `cbor:"5,keyasint"`
	Version   string            `cbor:"6,keyasint"`
	Started   time.Time         `cbor:"-"`
	StartedMs int64             `cbor:"7,keyasint"`
	Place     string            `cbor:"8,keyasint"` // path of the screen
	Extra     []byte            `cbor:"9,keyasint"` // casework's own
	Answers   map[string]string `cbor:"-"`          // path -> text
}

// StartDraft keeps a new draft.
func (r *Replica) StartDraft(ctx context.Context, d Draft) error { return r.SaveDraft(ctx, d) }

// SaveDraft writes a draft with all its answers; what it does not name is gone.
func (r *Replica) SaveDraft(ctx context.Context, d Draft) error {
	d.StartedMs = d.Started.UnixMilli()
	packed, err := encoder.Marshal(d)
	if err != nil {
		return fmt.Errorf("save draft %s: %w", d.ID, err)
	}
	return r.transact(ctx, func(tx *sql.Tx) error {
		const upsert = `INSERT INTO drafts (id, content) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET content = excluded.content`
		if _, err := tx.ExecContext(ctx, upsert, d.ID[:], r.keys.Seal("drafts/content/"+string(d.ID[:]), packed)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM answers WHERE draft = $1`, d.ID[:]); err != nil {
			return err
		}
		for _, path := range slices.Sorted(maps.Keys(d.Answers)) {
			if err := r.saveAnswer(ctx, tx, d.ID, path, d.Answers[path]); err != nil {
				return err
			}
		}
		return nil
	})
}

// SaveAnswer writes one answer. It is durable when SaveAnswer returns (invariant 1).
func (r *Replica) SaveAnswer(ctx context.Context, draft uuid.UUID, path, value string) error {
	return r.transact(ctx, func(tx *sql.Tx) error { return r.saveAnswer(ctx, tx, draft, path, value) })
}

func (r *Replica) saveAnswer(ctx context.Context, tx *sql.Tx, draft uuid.UUID, path, value string) error {
	const upsert = `INSERT INTO answers (draft, path, content) VALUES ($1, $2, $3) ON CONFLICT (draft, path) DO UPDATE SET content = excluded.content`
	blind := r.keys.BlindIndex("answer/" + path)
	packed, err := encoder.Marshal([2]string{path, value})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, upsert, draft[:], blind, r.keys.Seal(answerPlace(draft, blind), packed))
	return err
}

func answerPlace(draft uuid.UUID, blind []byte) string {
	return "answers/content/" + string(draft[:]) + string(blind)
}

// Draft reads one draft, or ErrNotFound.
func (r *Replica) Draft(ctx context.Context, id uuid.UUID) (*Draft, error) {
	var sealed []byte
	err := r.read.QueryRowContext(ctx, `SELECT content FROM drafts WHERE id = $1`, id[:]).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("draft %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read draft %s: %w", id, err)
	}
	return r.draft(ctx, id, sealed)
}

func (r *Replica) draft(ctx context.Context, id uuid.UUID, sealed []byte) (*Draft, error) {
	d := &Draft{Answers: map[string]string{}}
	packed, err := r.keys.Open("drafts/content/"+string(id[:]), sealed)
	if err == nil {
		err = decoder.Unmarshal(packed, d)
	}
	if err != nil {
		return nil, &DamagedError{r.dir, "draft " + id.String(), err}
	}
	d.Started = time.UnixMilli(d.StartedMs)
	rows, err := r.read.QueryContext(ctx, `SELECT path, content FROM answers WHERE draft = $1`, id[:])
	if err != nil {
		return nil, fmt.Errorf("read the answers of draft %s: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		var blind, sealed []byte
		var answer [2]string
		if err := rows.Scan(&blind, &sealed); err != nil {
			return nil, err
		}
		packed, err := r.keys.Open(answerPlace(id, blind), sealed)
		if err == nil {
			err = decoder.Unmarshal(packed, &answer)
		}
		if err != nil {
			return nil, &DamagedError{r.dir, "an answer of draft " + id.String(), err}
		}
		d.Answers[answer[0]] = answer[1]
	}
	return d, rows.Err()
}

// Drafts returns every draft by id, that is by the time it was started.
func (r *Replica) Drafts(ctx context.Context) ([]*Draft, error) {
	rows, err := r.read.QueryContext(ctx, `SELECT id, content FROM drafts ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read the drafts: %w", err)
	}
	defer rows.Close()
	var list []*Draft
	for rows.Next() {
		var id, sealed []byte
		if err := rows.Scan(&id, &sealed); err != nil {
			return nil, err
		}
		d, err := r.draft(ctx, uuid.UUID(id), sealed)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, rows.Err()
}

// DropDraft throws a draft away with its answers.
func (r *Replica) DropDraft(ctx context.Context, id uuid.UUID) error {
	return r.transact(ctx, func(tx *sql.Tx) error { return dropDraft(ctx, tx, id) })
}

func dropDraft(ctx context.Context, tx *sql.Tx, id uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM answers WHERE draft = $1`, id[:]); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM drafts WHERE id = $1`, id[:])
	return err
}
