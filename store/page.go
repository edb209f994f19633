package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// A Place is where a page by place ends: the next begins behind it. The zero Place
// is the beginning.
type Place struct {
	Division string
	ID       uuid.UUID
}

// PageByPlace returns the entities of a kind in a division (prefix) and a state ("" for all) by division and
// id, behind a place. It reads the index from there on and nothing before it, so
// the last page of 100,000 costs what the first one does.
func (r *Replica) PageByPlace(ctx context.Context, kind Kind, division, state string, after Place, limit int) ([]*Entity, error) {
	const query = `
		SELECT ` + entityColumns + ` FROM entities
		WHERE kind = $1 AND division >= $2 AND division < $3 AND (division, id) > ($4, $5) AND ($7 = '' OR state = $7)
		ORDER BY division, id LIMIT $6`
	from := max(division, after.Division)
	return r.entities(ctx, query, string(kind), from, division+":", after.Division, after.ID[:], limit, state)
}

// Children returns the entities of a kind that belong to any of these, in no
// promised order of parents.
func (r *Replica) Children(ctx context.Context, kind Kind, parents ...uuid.UUID) ([]*Entity, error) {
	const most = 500 // placeholders of one statement
	var list []*Entity
	for len(parents) > 0 {
		some := parents[:min(len(parents), most)]
		parents = parents[len(some):]
		args, marks := []any{string(kind)}, make([]string, len(some))
		for i, p := range some {
			args = append(args, p.String())
			marks[i] = fmt.Sprintf("$%d", i+2)
		}
		part, err := r.entities(ctx, `SELECT `+entityColumns+` FROM entities WHERE kind = $1 AND parent IN (`+strings.Join(marks, ", ")+`)`, args...)
		if err != nil {
			return nil, err
		}
		list = append(list, part...)
	}
	return list, nil
}

// CountByDivision counts a kind's entities of a state ("" for all), by division.
func (r *Replica) CountByDivision(ctx context.Context, kind Kind, division, state string) (map[string]int, error) {
	q := Query{Kind: kind, Division: division, State: state}
	where, args := q.where()
	return r.counts(ctx, `SELECT division, count(*) FROM entities`+where+` GROUP BY division`, args...)
}

// CountDue counts a kind's entities of a state whose due date lies before a day
// (YYYY-MM-DD), by division.
func (r *Replica) CountDue(ctx context.Context, kind Kind, state, before string) (map[string]int, error) {
	const query = `SELECT division, count(*) FROM entities WHERE kind = $1 AND state = $2 AND due <> '' AND due < $3 GROUP BY division`
	return r.counts(ctx, query, string(kind), state, before)
}

func (r *Replica) counts(ctx context.Context, query string, args ...any) (map[string]int, error) {
	rows, err := r.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("count by division: %w", err)
	}
	defer rows.Close()
	out := map[string]int{}
	for rows.Next() {
		var d string
		var n int
		if err := rows.Scan(&d, &n); err != nil {
			return nil, err
		}
		out[d] = n
	}
	return out, rows.Err()
}
