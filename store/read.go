package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"github.com/google/uuid"
)

// An Entity is one thing as this node shows it: of every field the provisional
// value. Conflicts names the fields with more than one.
type Entity struct {
	ID        uuid.UUID
	Kind      Kind
	Division  string
	Fields    map[string]Value
	Conflicts []string
	Updated   Clock
}

// Text is a field's text, "" if it has none.
func (e *Entity) Text(field string) string { return e.Fields[field].Text() }

// Deleted says whether somebody took the entity away. That is a change like any
// other: it stays in the history, can conflict, and can be taken back.
func (e *Entity) Deleted() bool { return e.Fields[Deleted].Bool() }

// Deleted is the field that says so.
const Deleted = "deleted"

const entityColumns = `id, content`

// Entity reads one entity, or ErrNotFound.
func (r *Replica) Entity(ctx context.Context, id uuid.UUID) (*Entity, error) {
	list, err := r.entities(ctx, `SELECT `+entityColumns+` FROM entities WHERE id = $1 AND kind <> ''`, id[:])
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: %w", id, ErrNotFound)
	}
	return list[0], nil
}

// A Query selects entities; zero parts select all. Pages follow by After.
type Query struct {
	Kind          Kind
	Division      string // prefix
	State, Parent string
	After         uuid.UUID // only ids behind this one
	Limit         int       // 0: all
}

func (q Query) where() (string, []any) {
	var parts []string
	var args []any
	add := func(text string, arg any) {
		args = append(args, arg)
		parts = append(parts, fmt.Sprintf(text, len(args)))
	}
	if q.Kind != "" {
		add("kind = $%d", string(q.Kind))
	}
	if q.Division != "" {
		add("division >= $%d", q.Division)
		add("division < $%d", q.Division+":") // ':' follows '9'
	}
	if q.State != "" {
		add("state = $%d", q.State)
	}
	if q.Parent != "" {
		add("parent = $%d", q.Parent)
	}
	if q.After != uuid.Nil {
		add("id > $%d", q.After[:])
	}
	if q.Kind == "" { // of some nothing is known but that they were written to
		parts = append(parts, "kind <> ''")
	}
	return " WHERE " + strings.Join(parts, " AND "), args
}

// Entities returns the entities of a query by id.
func (r *Replica) Entities(ctx context.Context, q Query) ([]*Entity, error) {
	where, args := q.where()
	text := `SELECT ` + entityColumns + ` FROM entities` + where + ` ORDER BY id`
	if q.Limit > 0 {
		text += fmt.Sprintf(" LIMIT %d", q.Limit)
	}
	return r.entities(ctx, text, args...)
}

// Count counts the entities of a query.
func (r *Replica) Count(ctx context.Context, q Query) (n int, err error) {
	where, args := q.where()
	if err := r.read.QueryRowContext(ctx, `SELECT count(*) FROM entities`+where, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count %ss: %w", q.Kind, err)
	}
	return n, nil
}

const memberPage = 500

// Members yields every member, page by page, so that a writer is never kept out.
func (r *Replica) Members(ctx context.Context) iter.Seq2[*Entity, error] {
	return func(yield func(*Entity, error) bool) {
		q := Query{Kind: Member, Limit: memberPage}
		for {
			page, err := r.Entities(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
				q.After = e.ID
			}
			if len(page) < memberPage {
				return
			}
		}
	}
}

func (r *Replica) entities(ctx context.Context, query string, args ...any) (list []*Entity, err error) {
	err = r.eachEntity(ctx, query, func(e *Entity) error {
		list = append(list, e)
		return nil
	}, args...)
	return list, err
}

// eachEntity visits the entities whose columns a query selects.
func (r *Replica) eachEntity(ctx context.Context, query string, visit func(*Entity) error, args ...any) error {
	return r.eachRow(ctx, query, func(id uuid.UUID, sealed []byte) error {
		s, err := r.openState(id, sealed)
		if err != nil {
			return err
		}
		if e := s.entity(id); e != nil {
			return visit(e)
		}
		return nil
	}, args...)
}

// eachReadable is eachEntity without the rows that are damaged.
func (r *Replica) eachReadable(ctx context.Context, query string, visit func(*Entity) error, args ...any) error {
	return r.eachRow(ctx, query, func(id uuid.UUID, sealed []byte) error {
		if s, err := r.openState(id, sealed); err == nil {
			if e := s.entity(id); e != nil {
				return visit(e)
			}
		}
		return nil
	}, args...)
}

func (r *Replica) eachRow(ctx context.Context, query string, visit func(id uuid.UUID, sealed []byte) error, args ...any) error {
	rows, err := r.read.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read entities: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, sealed sql.RawBytes
		if err := rows.Scan(&id, &sealed); err != nil {
			return fmt.Errorf("read entities: %w", err)
		}
		if err := visit(uuid.UUID(id), sealed); err != nil {
			return err
		}
	}
	return rows.Err()
}

// A Head is a value of a field that no change supersedes.
type Head struct {
	ChangeID
	Clock  Clock
	Author uuid.UUID
	Value  Value
}

// Heads returns the values of one field that no change supersedes, the provisional
// one first. None: never set. Several different ones: a conflict.
func (r *Replica) Heads(ctx context.Context, id uuid.UUID, field string) ([]Head, error) {
	s, err := r.stateOf(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read field %s of %s: %w", field, id, err)
	}
	return exported(s.of(field)), nil
}

// stateOf reads an entity's state, an empty one if nothing is known of it.
func (r *Replica) stateOf(ctx context.Context, id uuid.UUID) (*state, error) {
	var sealed []byte
	err := r.read.QueryRowContext(ctx, `SELECT content FROM entities WHERE id = $1`, id[:]).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return &state{}, nil
	}
	if err != nil {
		return nil, err
	}
	return r.openState(id, sealed)
}

// A Conflict is a field with several different heads.
type Conflict struct {
	Entity   uuid.UUID
	Kind     Kind
	Division string
	Field    string
	Heads    []Head // the provisional value first
}

// Conflicts returns every open conflict of a division, by entity and field.
func (r *Replica) Conflicts(ctx context.Context, division string) ([]Conflict, error) {
	const query = `SELECT id, content FROM entities WHERE conflicts <> '' AND division >= $1 AND division < $2 ORDER BY id`
	rows, err := r.read.QueryContext(ctx, query, division, division+":")
	if err != nil {
		return nil, fmt.Errorf("read the conflicts: %w", err)
	}
	defer rows.Close()
	var list []Conflict
	for rows.Next() {
		var id, sealed []byte
		if err := rows.Scan(&id, &sealed); err != nil {
			return nil, err
		}
		s, err := r.openState(uuid.UUID(id), sealed)
		if err != nil {
			return nil, err
		}
		e := s.entity(uuid.UUID(id))
		if e == nil {
			continue
		}
		for _, field := range e.Conflicts {
			list = append(list, Conflict{e.ID, e.Kind, e.Division, field, exported(s.of(field))})
		}
	}
	return list, rows.Err()
}

// History returns every change of one entity, by clock, node and place in its log.
func (r *Replica) History(ctx context.Context, entity uuid.UUID) ([]Change, error) {
	s, err := r.stateOf(ctx, entity)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", entity, err)
	}
	list, err := r.changes(ctx, r.read, s.seen)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", entity, err)
	}
	sortChanges(list)
	return list, nil
}

// FindID returns the members with exactly this identity number, through the blind
// index: the number itself stands nowhere in plain.
func (r *Replica) FindID(ctx context.Context, number string) ([]*Entity, error) {
	const query = `SELECT ` + entityColumns + ` FROM entities WHERE id IN (SELECT entity FROM idnumbers WHERE blind = $1) ORDER BY id`
	found, err := r.entities(ctx, query, r.keys.BlindIndex(number))
	if err != nil {
		return nil, err
	}
	same := found[:0]
	for _, e := range found {
		if e.Text("id_no") == number { // the index may lag behind a taken-away number
			same = append(same, e)
		}
	}
	return same, nil
}

// A Tip is the end of a node's log as far as it is here in bundles.
type Tip struct {
	Node   uuid.UUID
	Last   uint64
	Digest Digest // of the last bundle's head
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

const selectTip = `SELECT last, digest FROM bundles WHERE node = $1 ORDER BY first DESC LIMIT 1`

func tipOf(ctx context.Context, q queryer, node uuid.UUID) (Tip, error) {
	return scanTip(node, q.QueryRowContext(ctx, selectTip, node[:]))
}

func scanTip(node uuid.UUID, row *sql.Row) (Tip, error) {
	var last int64
	var digest []byte
	err := row.Scan(&last, &digest)
	if errors.Is(err, sql.ErrNoRows) {
		return Tip{}, nil
	}
	if err != nil {
		return Tip{}, fmt.Errorf("read the last bundle of %s: %w", node, err)
	}
	return Tip{node, uint64(last), Digest(digest)}, nil
}

// Tip is the end of a node's log here, zero if nothing of it is.
func (r *Replica) Tip(ctx context.Context, node uuid.UUID) (Tip, error) {
	return tipOf(ctx, r.read, node)
}

// Tips are the ends of all logs, by node.
func (r *Replica) Tips(ctx context.Context) ([]Tip, error) {
	const query = `SELECT node, last, digest FROM bundles b WHERE first = (SELECT max(first) FROM bundles WHERE node = b.node) ORDER BY node`
	rows, err := r.read.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read the last bundles: %w", err)
	}
	defer rows.Close()
	var list []Tip
	for rows.Next() {
		var node, digest []byte
		var last int64
		if err := rows.Scan(&node, &last, &digest); err != nil {
			return nil, err
		}
		list = append(list, Tip{uuid.UUID(node), uint64(last), Digest(bytes.Clone(digest))})
	}
	return list, rows.Err()
}
