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

// PageByPlace returns the entities of a kind in a division (prefix) by division and
// id, behind a place. It reads the index from there on and nothing before it, so
// the last page of 100,000 costs what the first one does.
func (r *Replica) PageByPlace(ctx context.Context, kind Kind, division string, after Place, limit int) ([]*Entity, error) {
	const query = `
		SELECT ` + entityColumns + ` FROM entities
		WHERE kind = $1 AND division >= $2 AND division < $3 AND (division, id) > ($4, $5)
		ORDER BY division, id LIMIT $6`
	from := max(division, after.Division)
	return r.entities(ctx, query, string(kind), from, division+":", after.Division, after.ID[:], limit)
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
	rows, err := r.read.QueryContext(ctx, `SELECT division, count(*) FROM entities`+where+` GROUP BY division`, args...)
	if err != nil {
		return nil, fmt.Errorf("count %ss: %w", kind, err)
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
