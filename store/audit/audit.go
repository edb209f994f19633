// Package audit is the record of who saw, printed, exported, decided, signed in
// and administered: append-only, each entry bound to the one before it, kept at
// least three years (数据安全法 Art. 27; 网络数据安全管理条例 Art. 12).
//
//	entry       who, when, what, of which object, how many, the digest of the result
//	detail      reason, recipient and words, sealed; the entry holds its digest
//	chain       entry n holds the SHA-256 of entry n-1
//	checkpoint  size and tree hash of the log, signed by the county's node (C2SP
//	            tlog-checkpoint), to be printed, put into exports, and written into
//	            the county's change log, which tablets and townships hold too
//
// Whoever owns the whole disk could write a new chain. He cannot make it agree
// with a checkpoint that has left the house: Check holds the log against every
// checkpoint it is given.
//
// An auditor reads entries, counts and digests; details need an approval, which is
// for app to ask. This package knows neither people nor screens.
package audit

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
	"golang.org/x/mod/sumdb/tlog"
	_ "modernc.org/sqlite" // the driver

	"ironfeet/store/world"
)

// What is recorded. A name never changes its meaning; new ones are added.
const (
	SignIn         = "sign_in"
	SignInRefused  = "sign_in_refused"
	SignOut        = "sign_out"
	Reveal         = "reveal"
	Print          = "print"
	ExportAsked    = "export_asked"
	ExportApproved = "export_approved"
	ExportRefused  = "export_refused"
	ExportAgain    = "export_again" // the program stopped while it was made; begun anew
	Export         = "export"
	Download       = "download"
	Decision       = "decision"
	Publish        = "publish"
	Compare        = "compare"
	Invite         = "invite"
	Revoke         = "revoke"
	Account        = "account"
	Backup         = "backup"
	Restore        = "restore"
	Purge          = "purge"
	Upgrade        = "upgrade"
	Administration = "administration"
)

// Actions in the order in which they are shown.
var Actions = []string{
	SignIn, SignInRefused, SignOut, Reveal, Print, ExportAsked, ExportApproved, ExportRefused, ExportAgain, Export, Download,
	Decision, Publish, Compare, Invite, Revoke, Account, Backup, Restore, Purge, Upgrade, Administration,
}

// DatabaseFile is the log's file in the data folder.
const DatabaseFile = "audit.db"

//go:embed schema.sql
var schema string

const schemaVersion = 1

// A Sealer keeps details under the folder's key; a store.Replica is one.
type Sealer interface {
	Seal(place string, plain []byte) []byte
	Unseal(place string, sealed []byte) ([]byte, error)
}

// Options open a log.
type Options struct {
	World  world.World
	Dir    string
	Sealer Sealer
	Key    ed25519.PrivateKey // of the county's node: signs checkpoints
	Name   string             // the log's name in checkpoints: ironfeet.audit/<division>

	// Known are the keys of nodes that the county had before this one, as after a
	// backup was restored: their checkpoints still count.
	Known []ed25519.PublicKey
}

// An Act is what is to be recorded.
type Act struct {
	Actor  string // a person's id, or "command line"
	Role   string
	Action string
	Object string // id or file name: never a name or number of a person
	Count  int64  // rows, records, whatever was counted
	Digest []byte // SHA-256 of what came out, nil for nothing
	Detail map[string]string
}

// An Entry is an act as it stands in the log.
type Entry struct {
	N      int64
	At     time.Time
	Actor  string
	Role   string
	Action string
	Object string
	Count  int64
	Digest []byte
	Hash   [32]byte // SHA-256 of the chained bytes
}

// chained is the layout of an entry's bytes.
type chained struct {
	N      int64  `cbor:"1,keyasint"`
	At     int64  `cbor:"2,keyasint"` // Unix milliseconds
	Actor  string `cbor:"3,keyasint,omitempty"`
	Role   string `cbor:"4,keyasint,omitempty"`
	Action string `cbor:"5,keyasint"`
	Object string `cbor:"6,keyasint,omitempty"`
	Count  int64  `cbor:"7,keyasint,omitempty"`
	Digest []byte `cbor:"8,keyasint,omitempty"`
	Detail []byte `cbor:"9,keyasint,omitempty"` // SHA-256 of the detail's JSON
	Before []byte `cbor:"10,keyasint"`          // SHA-256 of the entry before; 32 zero bytes for the first
}

var (
	encode, _ = cbor.CoreDetEncOptions().EncMode()
	decode, _ = cbor.DecOptions{MaxNestedLevels: 4, MaxArrayElements: 64, MaxMapPairs: 64, DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden}.DecMode()
)

// A Log is an open audit log. It may be used by many at once.
type Log struct {
	o    Options
	db   *sql.DB
	turn sync.Mutex
}

// Open opens a folder's log, or begins one.
func Open(ctx context.Context, o Options) (*Log, error) {
	q := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-2000)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.Join(o.Dir, DatabaseFile)}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open the audit log: %w", err)
	}
	db.SetMaxOpenConns(4)
	l := &Log{o: o, db: db}
	var version int
	err = db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version)
	if err == nil && version == 0 {
		_, err = db.ExecContext(ctx, fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; COMMIT;", schema, schemaVersion))
		if err == nil {
			err = o.World.Disk.SyncDir(o.Dir)
		}
	} else if err == nil && version != schemaVersion {
		err = fmt.Errorf("schema %d, this program knows %d", version, schemaVersion)
	}
	if err != nil {
		return nil, errors.Join(&DamagedError{o.Dir, err}, db.Close())
	}
	return l, nil
}

// A DamagedError means the log's file cannot be used.
type DamagedError struct {
	Dir string
	Err error
}

func (e *DamagedError) Error() string {
	return e.Dir + ": the audit log cannot be used: " + e.Err.Error()
}
func (e *DamagedError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *DamagedError) Code() string { return "audit.damaged" }

// Close closes the log.
func (l *Log) Close() error { return l.db.Close() }

func place(n int64) string { return fmt.Sprintf("audit/detail/%d", n) }

// Append records an act. What it records may only happen, or be shown, once
// Append has returned: it is durable then.
func (l *Log) Append(ctx context.Context, a Act) (Entry, error) {
	l.turn.Lock()
	defer l.turn.Unlock()
	detail, err := json.Marshal(a.Detail) // keys in order: one form
	if err != nil {
		return Entry{}, fmt.Errorf("record %s: %w", a.Action, err)
	}
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return Entry{}, fmt.Errorf("record %s: %w", a.Action, err)
	}
	defer tx.Rollback() // does nothing once committed
	c := chained{
		At: l.o.World.Now().UnixMilli(), Actor: clean(a.Actor), Role: clean(a.Role), Action: a.Action, Object: clean(a.Object), Count: a.Count, Digest: a.Digest,
		Before: make([]byte, sha256.Size),
	}
	if len(a.Detail) > 0 {
		sum := sha256.Sum256(detail)
		c.Detail = sum[:]
	} else {
		detail = nil
	}
	var last []byte
	err = tx.QueryRowContext(ctx, `SELECT n, raw FROM entries ORDER BY n DESC LIMIT 1`).Scan(&c.N, &last)
	switch {
	case err == nil:
		c.N++
		sum := sha256.Sum256(last)
		c.Before = sum[:]
	case !errors.Is(err, sql.ErrNoRows):
		return Entry{}, fmt.Errorf("record %s: %w", a.Action, err)
	}
	raw, err := encode.Marshal(c)
	if err != nil {
		return Entry{}, fmt.Errorf("record %s: %w", a.Action, err)
	}
	hashes, err := tlog.StoredHashes(c.N, raw, reader(ctx, tx))
	if err != nil {
		return Entry{}, fmt.Errorf("record %s: %w", a.Action, err)
	}
	const insert = `INSERT INTO entries (n, at, action, raw, detail) VALUES ($1, $2, $3, $4, $5)`
	if _, err := tx.ExecContext(ctx, insert, c.N, c.At, c.Action, raw, l.o.Sealer.Seal(place(c.N), detail)); err != nil {
		return Entry{}, fmt.Errorf("record %s: %w", a.Action, err)
	}
	first := tlog.StoredHashIndex(0, c.N)
	for i, h := range hashes {
		if _, err := tx.ExecContext(ctx, `INSERT INTO hashes (i, hash) VALUES ($1, $2)`, first+int64(i), h[:]); err != nil {
			return Entry{}, fmt.Errorf("record %s: %w", a.Action, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return Entry{}, fmt.Errorf("record %s: %w", a.Action, err)
	}
	return entry(c, raw), nil
}

// clean keeps line breaks and control characters out of what is shown in lists.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

func entry(c chained, raw []byte) Entry {
	return Entry{c.N, time.UnixMilli(c.At), c.Actor, c.Role, c.Action, c.Object, c.Count, c.Digest, sha256.Sum256(raw)}
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// reader gives tlog the hashes it asks for.
func reader(ctx context.Context, q queryer) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, at := range indexes {
			var h []byte
			if err := q.QueryRowContext(ctx, `SELECT hash FROM hashes WHERE i = $1`, at).Scan(&h); err != nil {
				return nil, fmt.Errorf("hash %d of the audit log: %w", at, err)
			}
			if len(h) != tlog.HashSize {
				return nil, fmt.Errorf("hash %d of the audit log has %d bytes", at, len(h))
			}
			out[i] = tlog.Hash(h)
		}
		return out, nil
	}
}

// A Query selects entries, the newest first. Pages follow by Before.
type Query struct {
	Action string
	Before int64 // only entries before this one; 0: from the newest
	Limit  int   // 0: 100
}

// Entries returns entries, the newest first.
func (l *Log) Entries(ctx context.Context, q Query) ([]Entry, error) {
	query, args := `SELECT raw FROM entries WHERE n < $1`, []any{q.Before}
	if q.Before <= 0 {
		args[0] = int64(1) << 62
	}
	if q.Action != "" {
		query += ` AND action = $2`
		args = append(args, q.Action)
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	rows, err := l.db.QueryContext(ctx, query+fmt.Sprintf(` ORDER BY n DESC LIMIT %d`, q.Limit), args...)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	defer rows.Close()
	var list []Entry
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, fmt.Errorf("read the audit log: %w", err)
		}
		var c chained
		if err := decode.Unmarshal(raw, &c); err != nil {
			return nil, &DamagedError{l.o.Dir, err}
		}
		list = append(list, entry(c, raw))
	}
	return list, rows.Err()
}

// Detail opens the words of one entry, and checks them against its digest.
func (l *Log) Detail(ctx context.Context, n int64) (map[string]string, error) {
	var raw, sealed []byte
	if err := l.db.QueryRowContext(ctx, `SELECT raw, detail FROM entries WHERE n = $1`, n).Scan(&raw, &sealed); err != nil {
		return nil, fmt.Errorf("entry %d of the audit log: %w", n, err)
	}
	return l.detail(n, raw, sealed)
}

func (l *Log) detail(n int64, raw, sealed []byte) (map[string]string, error) {
	var c chained
	if err := decode.Unmarshal(raw, &c); err != nil {
		return nil, &DamagedError{l.o.Dir, err}
	}
	plain, err := l.o.Sealer.Unseal(place(n), sealed)
	if err != nil {
		return nil, &DamagedError{l.o.Dir, fmt.Errorf("entry %d: %w", n, err)}
	}
	if len(plain) == 0 && c.Detail == nil {
		return nil, nil
	}
	if sum := sha256.Sum256(plain); string(sum[:]) != string(c.Detail) {
		return nil, &DamagedError{l.o.Dir, fmt.Errorf("entry %d: its detail is not what was recorded", n)}
	}
	var out map[string]string
	return out, json.Unmarshal(plain, &out)
}

// Counts returns how often each action was recorded since a moment.
func (l *Log) Counts(ctx context.Context, since time.Time) (map[string]int64, error) {
	rows, err := l.db.QueryContext(ctx, `SELECT action, count(*) FROM entries WHERE at >= $1 GROUP BY action`, since.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("count the audit log: %w", err)
	}
	defer rows.Close()
	out := map[string]int64{}
	for rows.Next() {
		var action string
		var n int64
		if err := rows.Scan(&action, &n); err != nil {
			return nil, err
		}
		out[action] = n
	}
	return out, rows.Err()
}

// Size is how many entries the log has.
func (l *Log) Size(ctx context.Context) (n int64, err error) {
	err = l.db.QueryRowContext(ctx, `SELECT coalesce(max(n) + 1, 0) FROM entries`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read the audit log: %w", err)
	}
	return n, nil
}
