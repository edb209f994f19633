package store

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"modernc.org/sqlite"

	"ironfeet/store/vault"
	"ironfeet/store/world"
)

// A backup is one file: age v1 to the county's recipients around a tar of
//
//	about.json       what this is, of which node, when
//	keys             the vault's keys, CBOR (vault.Exported)
//	replica.db       and every other database of the folder, by SQLite's backup API
//	blobs/<digest>   every file as it lies in the folder, sealed
//	checksums        SHA-256 and name of every entry above, one a line
//
// It is taken while the folder is in use: the database is one moment's, and files
// cannot be collected while it is being written.
const (
	backupVersion   = 1
	entryAbout      = "about.json"
	entryKeys       = "keys"
	entryChecksums  = "checksums"
	maxAbout        = 64 << 10
	maxKeys         = 4 << 20
	maxChecksums    = 512 << 20
	maxBackupFiles  = 20_000_000
	backupDatabase  = "backup-" // a database that is being copied begins so
	restoringSuffix = ".restoring"
	restoredGap     = 1 << 32 // bundles that nobody will have pulled between a backup and its restoring
)

// BackupAbout says what a backup is.
type BackupAbout struct {
	Version int       `json:"version"`
	Node    Identity  `json:"node"`
	At      time.Time `json:"at"`
	Schema  int       `json:"schema"`
}

// A BackupSummary is what was written or read.
type BackupSummary struct {
	BackupAbout
	Blobs  int
	Bytes  int64  // of the file
	Digest Digest // SHA-256 of the file
}

// ErrNoRecipient means a backup would be encrypted to nobody.
var ErrNoRecipient error = noRecipient{errors.New("there is nobody to encrypt the backup to")}

type noRecipient struct{ error }

func (noRecipient) Code() string { return "backup.no_recipient" }

// Backup writes everything that this folder holds, for recipients who can restore
// it. Others may read and write meanwhile.
func (r *Replica) Backup(ctx context.Context, w io.Writer, to ...age.Recipient) (BackupSummary, error) {
	if len(to) == 0 {
		return BackupSummary{}, ErrNoRecipient
	}
	sum := BackupSummary{BackupAbout: BackupAbout{backupVersion, r.id, r.world.Now().UTC().Truncate(time.Second), len(migrations)}}
	r.sweeping.RLock() // no file leaves while it is on the list
	defer r.sweeping.RUnlock()
	all := &counting{w: w, h: sha256.New()}
	sealed, err := age.Encrypt(all, to...)
	if err != nil {
		return sum, fmt.Errorf("encrypt the backup: %w", err)
	}
	out := &archive{tar: tar.NewWriter(sealed), at: sum.At}
	if err := r.fillBackup(ctx, out, &sum); err != nil {
		return sum, diskError("write the backup", err)
	}
	if err := errors.Join(out.tar.Close(), sealed.Close()); err != nil {
		return sum, diskError("write the backup", err)
	}
	sum.Bytes, sum.Digest = all.n, Digest(all.h.Sum(nil))
	return sum, nil
}

func (r *Replica) fillBackup(ctx context.Context, out *archive, sum *BackupSummary) error {
	about, err := json.MarshalIndent(sum.BackupAbout, "", " ")
	if err != nil {
		return err
	}
	exported, err := r.keys.Export()
	if err != nil {
		return err
	}
	keys, err := encoder.Marshal(exported)
	if err != nil {
		return err
	}
	for _, e := range []struct {
		name    string
		content []byte
	}{{entryAbout, about}, {entryKeys, keys}} {
		if err := out.add(e.name, int64(len(e.content)), bytes.NewReader(e.content)); err != nil {
			return err
		}
	}
	names, err := r.world.Disk.List(r.dir)
	if err != nil {
		return err
	}
	var blobs []BlobRef
	for _, name := range names {
		if filepath.Ext(name) != ".db" || strings.HasPrefix(name, backupDatabase) {
			continue
		}
		copied := filepath.Join(r.dir, backupDatabase+r.world.NewID().String()+".db")
		err := r.copyDatabase(ctx, name, copied)
		if err == nil && name == databaseName {
			blobs, err = blobsOf(ctx, copied)
		}
		if err == nil {
			err = r.addFile(out, name, copied)
		}
		if err := errors.Join(err, r.forgetCopy(copied)); err != nil {
			return err
		}
	}
	for _, b := range blobs {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := r.addFile(out, blobFolder+"/"+b.Digest.String(), r.blobPath(b.Digest))
		if errors.Is(err, fs.ErrNotExist) {
			return &DamagedError{r.dir, "blob " + b.Digest.String(), err}
		}
		if err != nil {
			return err
		}
		sum.Blobs++
	}
	return out.add(entryChecksums, int64(len(out.sums)), bytes.NewReader(out.sums))
}

// copyDatabase copies a database of the folder as of one moment.
func (r *Replica) copyDatabase(ctx context.Context, name, to string) error {
	db := r.read.DB
	if name != databaseName {
		other, err := sql.Open("sqlite", "file:"+(&url.URL{Path: filepath.Join(r.dir, name)}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(10000)")
		if err != nil {
			return err
		}
		defer other.Close()
		db = other
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Raw(func(raw any) error {
		source, ok := raw.(interface {
			NewBackup(string) (*sqlite.Backup, error)
		})
		if !ok {
			return errors.New("the database driver makes no backups")
		}
		b, err := source.NewBackup("file:" + (&url.URL{Path: to}).EscapedPath())
		if err != nil {
			return err
		}
		// All pages in one step: a reader's snapshot, which no writer disturbs.
		_, err = b.Step(-1)
		return errors.Join(err, b.Finish())
	})
}

// blobsOf lists the files that a copied database names.
func blobsOf(ctx context.Context, path string) ([]BlobRef, error) {
	db, err := openPool("file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=journal_mode(DELETE)", 1)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	r := &Replica{read: db}
	return r.refs(ctx, `SELECT digest, size FROM blobs ORDER BY digest`)
}

func (r *Replica) addFile(out *archive, name, path string) error {
	f, err := r.world.Disk.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	return out.add(name, size, f)
}

func (r *Replica) forgetCopy(path string) error {
	var err error
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if e := r.world.Disk.Remove(path + suffix); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// tidyBackups removes copies that a crash left.
func (r *Replica) tidyBackups() error {
	names, err := r.world.Disk.List(r.dir)
	for _, name := range names {
		if strings.HasPrefix(name, backupDatabase) {
			err = errors.Join(err, r.world.Disk.Remove(filepath.Join(r.dir, name)))
		}
	}
	return err
}

// An archive is the tar within a backup.
type archive struct {
	tar  *tar.Writer
	at   time.Time
	sums []byte
}

func (a *archive) add(name string, size int64, content io.Reader) error {
	h := &tar.Header{Name: name, Size: size, Mode: 0o600, ModTime: a.at, Format: tar.FormatPAX}
	if err := a.tar.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(a.tar, sum), io.LimitReader(content, size))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	a.sums = fmt.Appendf(a.sums, "%x  %s\n", sum.Sum(nil), name)
	return err
}

type counting struct {
	w io.Writer
	h hash.Hash
	n int64
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.h.Write(b[:n])
	c.n += int64(n)
	return n, err
}

// A BackupError means a file is no backup that can be restored.
type BackupError struct {
	Why   string // not_ours, damaged, newer, no_key, too_large
	Entry string
	Err   error
}

func (e *BackupError) Error() string {
	said := map[string]string{
		"not_ours":  "not a backup of ours",
		"damaged":   "the backup is damaged or cut off",
		"newer":     "the backup was written by a newer version",
		"no_key":    "this key does not open the backup",
		"too_large": "the backup holds more than one may",
	}[e.Why]
	if e.Entry != "" {
		said += " at " + e.Entry
	}
	if e.Err != nil {
		said += ": " + e.Err.Error()
	}
	return said
}

func (e *BackupError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *BackupError) Code() string { return "backup." + e.Why }

// A RestorePlan is what whoever restores decides.
type RestorePlan struct {
	As      func(was Identity) Identity // who the new node is
	Without []string                    // secrets that stay behind, such as the old node's signing key
	// Finish works with the new folder before it appears under its name. If it
	// fails, nothing appears.
	Finish func(*vault.Vault, *vault.Keys, *Replica) error
}

// A Restored folder is closed; whoever opens it finds a new node.
type Restored struct {
	BackupSummary
	Was, Is   Identity
	Rewritten int // changes that were in no bundle yet and are the new node's now
}

// Restore makes a data folder of a backup, in a folder that is not there yet or is
// empty. The backup is checked as a whole before the folder appears under its name.
//
// The new folder is another node (invariant 5): the old one may be alive somewhere,
// and what it wrote after the backup is not here, so nothing may be added to its
// log. Changes that were in no bundle yet are written anew as the new node's, by the
// same authors.
func Restore(ctx context.Context, o Options, rd io.Reader, plan RestorePlan, with ...age.Identity) (Restored, error) {
	disk := o.World.Disk
	if names, err := disk.List(o.Dir); err == nil && len(names) > 0 {
		return Restored{}, &ExistsError{o.Dir}
	}
	temp := strings.TrimRight(o.Dir, string(filepath.Separator)) + restoringSuffix
	if _, err := disk.Stat(temp); err == nil {
		return Restored{}, &ExistsError{temp}
	}
	if err := disk.MkdirAll(temp); err != nil {
		return Restored{}, diskError("make the data folder", err)
	}
	out, err := restoreInto(ctx, o, temp, rd, plan, with)
	if err == nil {
		if gone := disk.Remove(o.Dir); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = gone
		} else if err = disk.Rename(temp, o.Dir); err == nil {
			err = disk.SyncDir(filepath.Dir(o.Dir))
		}
	}
	if err != nil {
		return Restored{}, errors.Join(diskError("restore", err), removeTree(disk, temp))
	}
	return out, nil
}

func restoreInto(ctx context.Context, o Options, dir string, rd io.Reader, plan RestorePlan, with []age.Identity) (Restored, error) {
	var out Restored
	all := &counting{w: io.Discard, h: sha256.New()}
	in := io.TeeReader(rd, all)
	plain, err := age.Decrypt(in, with...)
	var wrong *age.NoIdentityMatchError
	switch {
	case errors.As(err, &wrong):
		return out, &BackupError{Why: "no_key", Err: err}
	case err != nil:
		return out, &BackupError{Why: "not_ours", Err: err}
	}
	x := &extraction{disk: o.World.Disk, dir: dir}
	if err := x.run(ctx, tar.NewReader(plain)); err != nil {
		return out, err
	}
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return out, &BackupError{Why: "damaged", Err: err}
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return out, err
	}
	out.BackupSummary = BackupSummary{x.about, x.blobs, all.n, Digest(all.h.Sum(nil))}
	v, err := vault.Create(o.World, dir)
	if err != nil {
		return out, err
	}
	for _, name := range plan.Without {
		delete(x.keys.Secrets, name)
	}
	keys, err := v.Import(x.keys)
	if err != nil {
		return out, err
	}
	defer keys.Lock()
	o.Dir, o.Keys = dir, keys
	r, err := Open(ctx, o)
	if err != nil {
		return out, err
	}
	out.Was, out.Is = r.id, plan.As(r.id)
	if out.Rewritten, err = r.become(ctx, out.Is); err != nil {
		return out, errors.Join(err, r.Close())
	}
	if plan.Finish != nil {
		if err := plan.Finish(v, keys, r); err != nil {
			return out, errors.Join(err, r.Close())
		}
	}
	return out, r.Close()
}

// extraction reads the tar of a backup into a folder.
type extraction struct {
	disk  world.Disk
	dir   string
	about BackupAbout
	keys  vault.Exported
	blobs int
}

func (x *extraction) run(ctx context.Context, in *tar.Reader) error {
	damaged := func(entry string, err error) error { return &BackupError{Why: "damaged", Entry: entry, Err: err} }
	var sums []byte
	listed := ""
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return damaged("", err)
		}
		switch {
		case n > maxBackupFiles:
			return &BackupError{Why: "too_large", Entry: h.Name}
		case listed != "":
			return damaged(h.Name, errors.New("an entry behind the checksums"))
		case n == 0 && h.Name != entryAbout:
			return &BackupError{Why: "not_ours", Entry: h.Name}
		case h.Name == entryChecksums:
			b, err := readEntry(in, h, maxChecksums)
			if err != nil {
				return err
			}
			listed = string(b)
			continue
		}
		sum := sha256.New()
		if err := x.entry(h, io.TeeReader(in, sum)); err != nil {
			return err
		}
		sums = fmt.Appendf(sums, "%x  %s\n", sum.Sum(nil), h.Name)
	}
	switch {
	case listed == "":
		return damaged("", io.ErrUnexpectedEOF)
	case listed != string(sums):
		return damaged(entryChecksums, errors.New("an entry is not what its checksum says"))
	case x.keys.Data == nil:
		return damaged(entryKeys, errors.New("missing"))
	}
	return x.syncFolders()
}

func (x *extraction) entry(h *tar.Header, content io.Reader) error {
	switch name, isBlob := strings.CutPrefix(h.Name, blobFolder+"/"); {
	case h.Name == entryAbout:
		b, err := readEntry(content, h, maxAbout)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, &x.about); err != nil {
			return &BackupError{Why: "not_ours", Entry: h.Name, Err: err}
		}
		if x.about.Version != backupVersion || x.about.Schema > len(migrations) {
			return &BackupError{Why: "newer", Entry: h.Name, Err: fmt.Errorf("version %d, schema %d", x.about.Version, x.about.Schema)}
		}
		return nil
	case h.Name == entryKeys:
		b, err := readEntry(content, h, maxKeys)
		if err != nil {
			return err
		}
		if err := decoder.Unmarshal(b, &x.keys); err != nil {
			return &BackupError{Why: "damaged", Entry: h.Name, Err: err}
		}
		return nil
	case isBlob:
		d, err := ParseDigest(name)
		if err != nil {
			return &BackupError{Why: "damaged", Entry: h.Name, Err: err}
		}
		x.blobs++
		folder := filepath.Join(x.dir, blobFolder, d.String()[:2])
		if err := x.disk.MkdirAll(folder); err != nil {
			return err
		}
		return x.file(filepath.Join(folder, d.String()), content)
	case filepath.Ext(h.Name) == ".db" && h.Name == filepath.Base(h.Name):
		return x.file(filepath.Join(x.dir, h.Name), content)
	}
	return &BackupError{Why: "damaged", Entry: fmt.Sprintf("%.80q", h.Name), Err: errors.New("nothing of ours")}
}

func readEntry(r io.Reader, h *tar.Header, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, &BackupError{Why: "damaged", Entry: h.Name, Err: err}
	}
	if int64(len(b)) > limit {
		return nil, &BackupError{Why: "too_large", Entry: h.Name}
	}
	return b, nil
}

func (x *extraction) file(path string, content io.Reader) error {
	f, err := x.disk.Create(path)
	if errors.Is(err, fs.ErrExist) {
		return &BackupError{Why: "damaged", Entry: filepath.Base(path), Err: errors.New("it is there twice")}
	}
	if err != nil {
		return err
	}
	source := &reading{r: content}
	_, err = io.Copy(f, source)
	if source.err != nil {
		err = &BackupError{Why: "damaged", Entry: filepath.Base(path), Err: source.err}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// reading remembers the reader's own failure, which is not the disk's.
type reading struct {
	r   io.Reader
	err error
}

func (s *reading) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (x *extraction) syncFolders() error {
	folders := []string{x.dir}
	names, err := x.disk.List(filepath.Join(x.dir, blobFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		folders = append(folders, filepath.Join(x.dir, blobFolder))
	}
	for _, name := range names {
		folders = append(folders, filepath.Join(x.dir, blobFolder, name))
	}
	for _, folder := range slices.Backward(folders) {
		if err := x.disk.SyncDir(folder); err != nil {
			return err
		}
	}
	return nil
}

// removeTree removes a folder that a failed restore left. Names are removed until
// none is left; a folder cannot hold one that is not listed.
func removeTree(disk world.Disk, path string) error {
	names, err := disk.List(path)
	if err == nil {
		for _, name := range names {
			err = errors.Join(err, removeTree(disk, filepath.Join(path, name)))
		}
	}
	if gone := disk.Remove(path); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		return errors.Join(err, gone)
	}
	return nil
}

// become makes the folder another node's.
func (r *Replica) become(ctx context.Context, id Identity) (rewritten int, err error) {
	if id.Node == r.id.Node || !validDivision(id.Division) {
		return 0, fmt.Errorf("restore as node %s in %q: a restored folder must be another node", id.Node, id.Division)
	}
	was := r.id
	unsent, err := r.Unsealed(ctx, 1<<30)
	if err != nil {
		return 0, err
	}
	text, err := json.Marshal(id)
	if err != nil {
		return 0, err
	}
	renamed := map[ChangeID]ChangeID{}
	for i, c := range unsent {
		renamed[c.ChangeID] = ChangeID{id.Node, uint64(i + 1)}
	}
	err = r.transact(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE identity SET value = $1 WHERE name = 'identity'`, string(text)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM journal`); err != nil {
			return err
		}
		// Whoever pulled from the old node knows bundles by its counting, also some that
		// came after the backup: the new ones stand far behind all of them.
		if _, err := tx.ExecContext(ctx, `UPDATE sqlite_sequence SET seq = seq + $1 WHERE name = 'bundles'`, int64(restoredGap)); err != nil {
			return err
		}
		// The county has not confirmed anything of the new node yet.
		if _, err := tx.ExecContext(ctx, `DELETE FROM receipts WHERE node = $1`, id.Node[:]); err != nil {
			return err
		}
		r.id = id
		if _, err := r.rebuild(ctx, tx, nil); err != nil {
			return err
		}
		a, err := r.applier(ctx, tx)
		if err != nil {
			return err
		}
		for _, c := range unsent {
			c.ChangeID, c.Raw = renamed[c.ChangeID], nil
			if c.Author == was.Node {
				c.Author = id.Node
			}
			for i := range c.Fields {
				for j, s := range c.Fields[i].Supersedes {
					if to, mine := renamed[s]; mine {
						c.Fields[i].Supersedes[j] = to
					}
				}
				c.Fields[i].Supersedes = sortIDs(c.Fields[i].Supersedes)
			}
			if c.Raw, err = EncodeChange(&c); err != nil {
				return err
			}
			if err := r.insertJournal(ctx, tx, &c); err != nil {
				return err
			}
			if err := a.apply(&c); err != nil {
				return err
			}
		}
		return a.finish()
	}, func() { r.seq.Store(uint64(len(unsent))) }) // its log begins anew; the clock goes on
	if err != nil {
		r.id = was
		return 0, err
	}
	return len(unsent), r.index(ctx)
}
