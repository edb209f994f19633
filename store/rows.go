package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// A Row is what of an entity stands in plain: what routes and sorts. Thousands are
// read in the time in which a few entities are unsealed.
type Row struct {
	ID                 uuid.UUID
	Kind               Kind
	Division           string
	State, Due, Parent string
	Updated            Clock
	Conflicts          bool
}

// Rows returns the rows of a query's entities by id.
func (r *Replica) Rows(ctx context.Context, q Query) ([]Row, error) {
	where, args := q.where()
	text := `SELECT id, kind, division, state, due, parent, updated, conflicts <> '' FROM entities` + where + ` ORDER BY id`
	if q.Limit > 0 {
		text += fmt.Sprintf(" LIMIT %d", q.Limit)
	}
	rows, err := r.read.QueryContext(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("read the rows of %ss: %w", q.Kind, err)
	}
	defer rows.Close()
	var list []Row
	for rows.Next() {
		var (
			row     Row
			id      []byte
			updated int64
		)
		if err := rows.Scan(&id, &row.Kind, &row.Division, &row.State, &row.Due, &row.Parent, &updated, &row.Conflicts); err != nil {
			return nil, fmt.Errorf("read the rows of %ss: %w", q.Kind, err)
		}
		row.ID, row.Updated = uuid.UUID(id), Clock(updated)
		list = append(list, row)
	}
	return list, rows.Err()
}
