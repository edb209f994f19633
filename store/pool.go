package store

import (
	"context"
	"database/sql"
	"slices"
	"sync"
)

// A pool is the connections that read, with the statements that were prepared on
// them: preparing one takes several times as long as reading the one row it is for.
type pool struct {
	*sql.DB

	mu   sync.Mutex
	made map[string]*sql.Stmt
}

// mostPrepared bounds the statements that are kept. Those of the program's own text
// are fewer; what is put together for a query of its own comes again or does not.
const mostPrepared = 100

func openPool(dsn string, size int) (*pool, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return &pool{DB: db, made: map[string]*sql.Stmt{}}, nil
}

// prepared returns the statement of a text, nil if it is not kept.
func (p *pool) prepared(ctx context.Context, text string) *sql.Stmt {
	p.mu.Lock()
	s, full := p.made[text], len(p.made) >= mostPrepared
	p.mu.Unlock()
	if s != nil || full {
		return s
	}
	s, err := p.PrepareContext(ctx, text)
	if err != nil {
		return nil // whoever asks hears it from the query itself
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.made[text]; other != nil {
		s.Close()
		return other
	}
	p.made[text] = s
	return s
}

// QueryContext reads rows.
func (p *pool) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	if s := p.prepared(ctx, text); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return p.DB.QueryContext(ctx, text, args...)
}

// QueryRowContext reads one row.
func (p *pool) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	if s := p.prepared(ctx, text); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return p.DB.QueryRowContext(ctx, text, args...)
}

// Statements are kept from one writing transaction to the next. The first time that
// one is wanted it serves its own transaction only: the one connection that writes is
// taken then, and what is to outlive the transaction must be prepared before it.
type statements struct {
	made   map[string]*sql.Stmt
	wanted []string
}

// prepare makes what was wanted in an earlier transaction. What cannot be made now, as
// where that transaction was to make its table and failed, is wanted again.
func (k *statements) prepare(ctx context.Context, on *sql.DB) {
	for _, text := range k.wanted {
		if s, err := on.PrepareContext(ctx, text); err == nil {
			k.made[text] = s
		}
	}
	k.wanted = nil
}

// in returns a statement for one transaction, which closes it at its end.
func (k *statements) in(ctx context.Context, tx *sql.Tx, text string) (*sql.Stmt, error) {
	if s := k.made[text]; s != nil {
		return tx.StmtContext(ctx, s), nil
	}
	s, err := tx.PrepareContext(ctx, text)
	if err == nil && !slices.Contains(k.wanted, text) {
		k.wanted = append(k.wanted, text)
	}
	return s, err
}
