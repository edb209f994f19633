package simulate

import (
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ironfeet/store/world"
)

// A Disk keeps files in memory as a disk with a volatile cache does: what was
// written is there at once, but survives a crash only after Sync, and a name only
// after SyncDir of its folder. What was not synced may survive in part: that is for
// the seed to decide.
type Disk struct {
	files map[string]*content // names as a program sees them
	names map[string]*content // names as they are after a crash
	dirs  map[string]bool
	burn  func() // called before every step; may end the process
}

type content struct {
	now, synced []byte
}

// NewDisk is an empty disk. Before every step it calls burn.
func NewDisk(burn func()) *Disk {
	return &Disk{files: map[string]*content{}, names: map[string]*content{}, dirs: map[string]bool{}, burn: burn}
}

// Crash forgets what was not synced. Of a file whose content was not, a part may
// have reached the disk; of a name that was not, the old or the new state.
func (d *Disk) Crash(random *rand.Rand) {
	after := map[string]*content{}
	for _, name := range sorted(d.files, d.names) {
		now, was := d.files[name], d.names[name]
		if now != was && random.IntN(2) == 0 {
			now = was
		} else if now != was && now == nil {
			continue // removed, and the removal reached the disk
		}
		if now == nil {
			continue
		}
		if !bytes.Equal(now.now, now.synced) {
			kept := len(now.synced)
			if len(now.now) > kept {
				kept += random.IntN(len(now.now) - kept + 1)
				now.now = now.now[:kept]
			} else {
				now.now = bytes.Clone(now.synced)
			}
		}
		now.synced = bytes.Clone(now.now)
		after[name] = now
	}
	d.files, d.names = after, map[string]*content{}
	for name, c := range after {
		d.names[name] = c
	}
}

// Clone is the disk copied file by file, as whoever clones a tablet copies it.
func (d *Disk) Clone(burn func()) *Disk {
	out := NewDisk(burn)
	for name, c := range d.files {
		copied := &content{bytes.Clone(c.now), bytes.Clone(c.now)}
		out.files[name], out.names[name] = copied, copied
	}
	for name := range d.dirs {
		out.dirs[name] = true
	}
	return out
}

// Move gives the files below one folder another place, as when a copy of a data
// folder is opened elsewhere.
func (d *Disk) Move(from, to string) {
	for _, list := range []map[string]*content{d.files, d.names} {
		for name, c := range list {
			if rest, ok := strings.CutPrefix(name, from); ok {
				delete(list, name)
				list[to+rest] = c
			}
		}
	}
}

func sorted(all ...map[string]*content) []string {
	var names []string
	for _, m := range all {
		for name := range m {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func missing(op, name string) error { return &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist} }

// Create makes a new file.
func (d *Disk) Create(name string) (world.File, error) {
	d.burn()
	if d.files[name] != nil {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	c := &content{}
	d.files[name] = c
	return &file{disk: d, content: c, name: name}, nil
}

// Open opens a file for reading.
func (d *Disk) Open(name string) (world.File, error) {
	d.burn()
	c := d.files[name]
	if c == nil {
		return nil, missing("open", name)
	}
	return &file{disk: d, content: c, name: name}, nil
}

// Append opens or creates a file for appending.
func (d *Disk) Append(name string) (world.File, error) {
	d.burn()
	c := d.files[name]
	if c == nil {
		c = &content{}
		d.files[name] = c
	}
	return &file{disk: d, content: c, name: name, at: int64(len(c.now))}, nil
}

// Rename moves a file over another.
func (d *Disk) Rename(from, to string) error {
	d.burn()
	c := d.files[from]
	if c == nil {
		return missing("rename", from)
	}
	delete(d.files, from)
	d.files[to] = c
	return nil
}

// Remove deletes a file or a folder.
func (d *Disk) Remove(name string) error {
	d.burn()
	if d.files[name] == nil && !d.dirs[name] {
		return missing("remove", name)
	}
	delete(d.files, name)
	delete(d.dirs, name)
	return nil
}

// MkdirAll makes a folder; folders survive a crash at once.
func (d *Disk) MkdirAll(dir string) error {
	d.burn()
	d.dirs[dir] = true
	return nil
}

// SyncDir makes the names in a folder durable.
func (d *Disk) SyncDir(dir string) error {
	d.burn()
	for _, name := range sorted(d.files, d.names) {
		if filepath.Dir(name) != dir {
			continue
		}
		if c := d.files[name]; c != nil {
			d.names[name] = c
		} else {
			delete(d.names, name)
		}
	}
	return nil
}

// Stat describes a file. The database is SQLite's own business and lies beside.
func (d *Disk) Stat(name string) (fs.FileInfo, error) {
	d.burn()
	if filepath.Base(name) == database {
		return os.Stat(name)
	}
	if c := d.files[name]; c != nil {
		return info{filepath.Base(name), int64(len(c.now)), false}, nil
	}
	if d.dirs[name] {
		return info{filepath.Base(name), 0, true}, nil
	}
	return nil, missing("stat", name)
}

// List returns the names in a folder, sorted.
func (d *Disk) List(dir string) ([]string, error) {
	d.burn()
	var names []string
	for _, name := range sorted(d.files) {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	if names == nil && !d.dirs[dir] {
		return nil, missing("list", dir)
	}
	return names, nil
}

type file struct {
	disk    *Disk
	content *content
	name    string
	at      int64
}

func (f *file) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

func (f *file) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(len(f.content.now)) {
		return 0, io.EOF
	}
	n := copy(p, f.content.now[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	f.disk.burn()
	if gap := f.at - int64(len(f.content.now)); gap > 0 {
		f.content.now = append(f.content.now, make([]byte, gap)...)
	}
	over := copy(f.content.now[f.at:], p) // what stood there, as far as there was anything
	f.content.now = append(f.content.now, p[over:]...)
	f.at += int64(len(p))
	return len(p), nil
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.at
	case io.SeekEnd:
		offset += int64(len(f.content.now))
	}
	f.at = offset
	return offset, nil
}

func (f *file) Sync() error {
	f.disk.burn()
	f.content.synced = bytes.Clone(f.content.now)
	return nil
}

func (f *file) Close() error { return nil }

type info struct {
	name string
	size int64
	dir  bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return 0o600 }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.dir }
func (i info) Sys() any           { return nil }
