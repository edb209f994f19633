// Package store is the replica: everything one node holds, in one data folder.
//
//	change   one person's or node's setting of fields of one entity
//	log      every change this node knows, own and others', with the signed
//	         bundles in which they travel; append-only
//	head     a change to a field that no other change supersedes
//	state    what follows from the log: entities with their provisional values,
//	         conflicts, look-up; dropped and rebuilt at will
//
// The state is a pure function of the set of changes (invariant 2): the order and
// the repetition of their arrival leave no trace in it, because a head is defined
// by what supersedes it and not by when it came. Clocks only choose which of
// several heads is shown until a person settles the conflict (invariant 4), so a
// tablet whose clock is days ahead wins nothing for ever: the next person's change
// supersedes it.
//
// What a person wrote is sealed under the vault's data key. Plain are the columns
// that route and sort: kind, division, state, due date, parent.
//
// This package knows neither signatures nor networks nor forms.
package store

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/google/uuid"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ironfeet/store/together"
	"ironfeet/store/vault"
	"ironfeet/store/world"
)

// ErrNotFound means there is no such thing here. It may still arrive.
var ErrNotFound error = notFound{}

type notFound struct{}

func (notFound) Error() string { return "not found in this data folder" }
func (notFound) Code() string  { return "store.not_found" }

// An Identity says which node a folder belongs to. It never changes.
type Identity struct {
	Node     uuid.UUID `json:"node"`
	Name     string    `json:"name"`
	Division string    `json:"division"`
	Role     string    `json:"role"` // worker, township, county
}

// Options open a folder.
type Options struct {
	World world.World
	Dir   string
	Keys  *vault.Keys

	// Unpack fills the changes of a bundle that was verified when it arrived, from
	// its body; sync knows how. Nil: a body is the changes, one behind the other.
	Unpack func(*Bundle) error
}

// A Replica is an open data folder. It may be used by many at once; writers take
// turns.
type Replica struct {
	world world.World
	dir   string
	keys  *vault.Keys
	id    Identity
	lock  *folderLock

	read   *pool
	write  *sql.DB
	turn   sync.Mutex    // held by whoever writes; guards last, kept and the writing of seq
	writes atomic.Uint64 // transactions that were begun
	last   Clock         // of the newest own change
	seq    atomic.Uint64 // of the newest own change
	kept   statements    // prepared on write
	find   *index

	open     func(*Bundle) error // Options.Unpack
	blobs    together.Queue[BlobRef]
	recent   recent
	sweeping sync.RWMutex // write: files are being removed; read: one is being put in its place
}

//go:embed schema/0001.sql
var schema1 string

//go:embed schema/0002.sql
var schema2 string

// migrations of what is true, each from the version before it. One that has
// shipped is never edited.
var migrations = []string{schema1, schema2}

//go:embed schema/derived.sql
var schemaDerived string

// derivedVersion counts what follows from the truth. A folder with another one is
// rebuilt when it is opened.
const derivedVersion = 3

const databaseName = "replica.db"

// Pages that a connection keeps, in KB. Those who read are several, and the operating
// system keeps the pages once for all of them.
const writeCache, readCache = 4000, 500

// Create makes the replica of a new node in a folder that has none.
func Create(ctx context.Context, o Options, id Identity) (*Replica, error) {
	if id.Node == uuid.Nil || !validDivision(id.Division) {
		return nil, fmt.Errorf("create a replica: node %s in division %q", id.Node, id.Division)
	}
	if _, err := o.World.Disk.Stat(filepath.Join(o.Dir, databaseName)); err == nil {
		return nil, &ExistsError{o.Dir}
	}
	if err := o.World.Disk.MkdirAll(o.Dir); err != nil {
		return nil, diskError("create the data folder", err)
	}
	r, err := open(o)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(id)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	err = r.transact(ctx, func(tx *sql.Tx) error {
		if err := migrate(ctx, tx, 0); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, schemaDerived); err != nil {
			return err
		}
		const insert = `INSERT INTO identity (name, value) VALUES ('identity', $1), ('derived', $2)`
		if _, err := tx.ExecContext(ctx, insert, string(text), fmt.Sprint(derivedVersion)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, upsertSetting, keySetting, r.keys.Seal(settingPlace(keySetting), nil))
		return err
	})
	if err == nil {
		err = o.World.Disk.SyncDir(o.Dir)
	}
	if err != nil {
		return nil, errors.Join(diskError("create the replica", err), r.Close())
	}
	r.id = id
	return r, nil
}

// An ExistsError means a folder already belongs to a node.
type ExistsError struct{ Dir string }

func (e *ExistsError) Error() string { return e.Dir + ": this folder already holds a node's data" }

// Code is the key of the sentence.
func (e *ExistsError) Code() string { return "store.exists" }

// A DamagedError means a folder's database is none of ours, or was altered.
type DamagedError struct {
	Dir, What string
	Err       error
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s: %s: %v", e.Dir, e.What, e.Err) }
func (e *DamagedError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *DamagedError) Code() string { return "store.damaged" }

// A NewerError means a folder was written by a newer version of the program.
type NewerError struct {
	Dir         string
	Theirs, Our int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s: written by a newer version (schema %d, this program knows %d)", e.Dir, e.Theirs, e.Our)
}

// Code is the key of the sentence.
func (e *NewerError) Code() string { return "store.newer" }

// Open opens a folder. A second process is refused with an *InUseError.
func Open(ctx context.Context, o Options) (*Replica, error) {
	if _, err := o.World.Disk.Stat(filepath.Join(o.Dir, databaseName)); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Dir, ErrNotFound)
	}
	r, err := open(o)
	if err != nil {
		return nil, err
	}
	if err := r.start(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func open(o Options) (*Replica, error) {
	lock, err := lockFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	r := &Replica{world: o.World, dir: o.Dir, keys: o.Keys, lock: lock, find: newIndex(), open: o.Unpack, kept: statements{made: map[string]*sql.Stmt{}}, blobs: together.Queue[BlobRef]{Most: maxBlobsATurn}}
	if r.open == nil {
		r.open = plainBodies
	}
	dsn := func(cache int) string {
		q := url.Values{
			"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", fmt.Sprintf("cache_size(-%d)", cache)},
			"_txlock": {"immediate"},
		}
		// A plain path silently loses what follows the question mark.
		return "file:" + (&url.URL{Path: filepath.Join(o.Dir, databaseName)}).EscapedPath() + "?" + q.Encode()
	}
	if r.write, err = sql.Open("sqlite", dsn(writeCache)); err == nil {
		r.write.SetMaxOpenConns(1)
		r.read, err = openPool(dsn(readCache), max(4, runtime.NumCPU()))
	}
	if err != nil {
		lock.release()
		return nil, fmt.Errorf("open the replica: %w", err)
	}
	return r, nil
}

// migrate brings what is true from a version to the newest, in one transaction.
func migrate(ctx context.Context, tx *sql.Tx, from int) error {
	for _, part := range migrations[from:] {
		if _, err := tx.ExecContext(ctx, part); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations)))
	return err
}

// start reads what an open replica keeps in memory.
func (r *Replica) start(ctx context.Context) error {
	var version int
	if err := r.write.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		switch said := diskError("open the database", err).(type) {
		case *FullDiskError, *NotWritableError, *FailingDiskError:
			return said
		}
		return &DamagedError{r.dir, "the database cannot be read", err}
	}
	switch {
	case version > len(migrations):
		return &NewerError{r.dir, version, len(migrations)}
	case version < 1:
		return &DamagedError{r.dir, "the database", fmt.Errorf("schema %d is none of ours", version)}
	case version < len(migrations):
		if err := r.transact(ctx, func(tx *sql.Tx) error { return migrate(ctx, tx, version) }); err != nil {
			return fmt.Errorf("bring the data folder from schema %d to %d: %w", version, len(migrations), err)
		}
	}
	if err := r.checkKey(ctx); err != nil {
		return err
	}
	if err := errors.Join(r.tidyBlobs(), r.tidyBackups()); err != nil {
		return diskError("tidy the data folder", err)
	}
	var text, derived string
	const identity = `SELECT value FROM identity WHERE name = $1`
	if err := r.write.QueryRowContext(ctx, identity, "identity").Scan(&text); err != nil {
		return &DamagedError{r.dir, "the node's identity is missing", err}
	}
	if err := json.Unmarshal([]byte(text), &r.id); err != nil {
		return &DamagedError{r.dir, "the node's identity", err}
	}
	if err := r.write.QueryRowContext(ctx, identity, "derived").Scan(&derived); err != nil {
		return &DamagedError{r.dir, "the state's version is missing", err}
	}
	var seq uint64
	const newest = `SELECT coalesce(max(seq), 0) FROM (SELECT max(seq) AS seq FROM journal UNION ALL SELECT max(last) FROM bundles WHERE node = $1)`
	if err := r.write.QueryRowContext(ctx, newest, r.id.Node[:]).Scan(&seq); err != nil {
		return fmt.Errorf("read the node's last change: %w", err)
	}
	r.seq.Store(seq)
	if seq > 0 {
		c, err := r.change(ctx, r.write, ChangeID{r.id.Node, seq})
		var damaged *DamagedError
		switch {
		case err == nil:
			r.last = c.Clock
		case !errors.As(err, &damaged): // doctor must be able to open what is damaged
			return fmt.Errorf("read the node's last change: %w", err)
		}
	}
	if derived != fmt.Sprint(derivedVersion) {
		return r.Rebuild(ctx)
	}
	return r.index(ctx)
}

// Close closes the folder and lets others open it.
func (r *Replica) Close() error {
	if r.id.Node != uuid.Nil && !r.keys.Locked() {
		r.keepSnapshot(context.Background())
	}
	err := errors.Join(r.read.Close(), r.write.Close())
	r.lock.release()
	return err
}

// Dir is the data folder.
func (r *Replica) Dir() string { return r.dir }

// Identity says whose folder this is.
func (r *Replica) Identity() Identity { return r.id }

// Newest is the number of the node's own newest change; 0: it has written nothing.
func (r *Replica) Newest() uint64 { return r.seq.Load() }

// Writes counts the transactions that were begun: long reading jobs look whether
// somebody is writing, and make way.
func (r *Replica) Writes() uint64 { return r.writes.Load() }

// transact runs one writing transaction; nothing of it stays if it fails. then is
// done behind the commit, before anybody else writes.
func (r *Replica) transact(ctx context.Context, do func(*sql.Tx) error, then ...func()) error {
	r.writes.Add(1)
	r.turn.Lock()
	defer r.turn.Unlock()
	if r.keys.Locked() {
		return vault.ErrLocked
	}
	r.kept.prepare(ctx, r.write)
	tx, err := r.write.BeginTx(ctx, nil)
	if err != nil {
		return diskError("begin to write", err)
	}
	defer tx.Rollback() // nothing after a commit; also where do panics, so that nobody waits for ever
	if err := do(tx); err != nil {
		return diskError("write", err)
	}
	if err := tx.Commit(); err != nil {
		return diskError("commit", err)
	}
	for _, f := range then {
		f()
	}
	return nil
}

// A FullDiskError means nothing more can be written; nothing that was
// acknowledged is lost.
type FullDiskError struct {
	Doing string
	Err   error
}

func (e *FullDiskError) Error() string { return e.Doing + ": the disk is full" }
func (e *FullDiskError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *FullDiskError) Code() string { return "store.disk_full" }

// A NotWritableError means the data folder cannot be written to: a card's write
// protection, or somebody else's folder.
type NotWritableError struct {
	Doing string
	Err   error
}

func (e *NotWritableError) Error() string {
	return e.Doing + ": cannot be written to: " + e.Err.Error()
}
func (e *NotWritableError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *NotWritableError) Code() string { return "store.not_writable" }

// A FailingDiskError means the disk did not keep what it was told to keep: a card
// that wears out or sits loose. What was acknowledged before is not touched.
type FailingDiskError struct {
	Doing string
	Err   error
}

func (e *FailingDiskError) Error() string {
	return e.Doing + ": the disk does not keep what is written"
}
func (e *FailingDiskError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *FailingDiskError) Code() string { return "store.disk_failing" }

// diskError tells a full, closed or failing disk from everything else.
func diskError(doing string, err error) error {
	var full *FullDiskError
	var failing *FailingDiskError
	if err == nil || errors.As(err, &full) || errors.As(err, &failing) {
		return err
	}
	var e *sqlite.Error
	if errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_FULL || e.Code() == sqlite3.SQLITE_IOERR_SHMSIZE) || isNoSpace(err) || strings.Contains(err.Error(), "no space left on device") {
		return &FullDiskError{doing, err}
	}
	var locked *NotWritableError
	if errors.As(err, &locked) {
		return err
	}
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_READONLY || errors.Is(err, fs.ErrPermission) || isReadOnly(err) {
		return &NotWritableError{doing, err}
	}
	if errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_NOTADB || e.Code()&0xff == sqlite3.SQLITE_CORRUPT) {
		return &DamagedError{What: doing, Err: err}
	}
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_IOERR || errors.Is(err, syscall.EIO) {
		return &FailingDiskError{doing, err}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Setting reads a local setting, nil if it was never set.
func (r *Replica) Setting(ctx context.Context, name string) ([]byte, error) {
	var sealed []byte
	err := r.read.QueryRowContext(ctx, `SELECT value FROM settings WHERE name = $1`, name).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read setting %s: %w", name, err)
	}
	return r.keys.Open(settingPlace(name), sealed)
}

// SetSetting writes a local setting. It is durable when SetSetting returns.
func (r *Replica) SetSetting(ctx context.Context, name string, value []byte) error {
	return r.transact(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, upsertSetting, name, r.keys.Seal(settingPlace(name), value))
		return err
	})
}

const upsertSetting = `INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`

func settingPlace(name string) string { return "settings/value/" + name }

// keySetting holds nothing: that it opens shows that the key is the folder's.
const keySetting = "store.key"

// A WrongKeyError means a folder was sealed under another key.
type WrongKeyError struct{ Dir string }

func (e *WrongKeyError) Error() string { return e.Dir + ": sealed under another key" }

// Code is the key of the sentence.
func (e *WrongKeyError) Code() string { return "store.wrong_key" }

// checkKey looks whether anything opens. One setting that does not may have been
// altered; all of them mean another key.
func (r *Replica) checkKey(ctx context.Context) error {
	rows, err := r.write.QueryContext(ctx, `SELECT name, value FROM settings`)
	if err != nil {
		return &DamagedError{r.dir, "the settings", err}
	}
	defer rows.Close()
	some := false
	for rows.Next() {
		var name string
		var sealed []byte
		if err := rows.Scan(&name, &sealed); err != nil {
			return err
		}
		if _, err := r.keys.Open(settingPlace(name), sealed); err == nil {
			return nil
		}
		some = true
	}
	if some {
		return &WrongKeyError{r.dir}
	}
	return rows.Err()
}

// An InUseError means another process has the folder open.
type InUseError struct {
	Dir string
	PID int // 0 if it cannot be told
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return e.Dir + ": the data folder is in use by another program"
	}
	return fmt.Sprintf("%s: the data folder is in use by process %d", e.Dir, e.PID)
}

// Code is the key of the sentence.
func (e *InUseError) Code() string { return "store.in_use" }
