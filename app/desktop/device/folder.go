package device

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// PictureNames are how files of pictures end. A HEIC is among them so that whoever
// offers one is told, and does not wonder.
var PictureNames = []string{".jpg", ".jpeg", ".png", ".heic", ".heif"}

// IsPicture says whether a file is called as a picture is.
func IsPicture(name string) bool {
	return slices.Contains(PictureNames, strings.ToLower(filepath.Ext(name)))
}

// A Folder is one into which a camera or a phone writes pictures.
type Folder struct {
	dir  string
	seen map[string]int64 // name -> size as of the last look
	done map[string]bool
}

// WatchFolder begins to watch; what lies there already is not new.
func WatchFolder(dir string) (*Folder, error) {
	f := &Folder{dir: dir, seen: map[string]int64{}, done: map[string]bool{}}
	names, err := f.list()
	for name := range names {
		f.done[name] = true
	}
	return f, err
}

// maxListed bounds the files that are looked at.
const maxListed = 20_000

func (f *Folder) list() (map[string]int64, error) {
	d, err := os.Open(f.dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(maxListed)
	if len(entries) == 0 {
		return nil, nil // an empty folder says io.EOF
	}
	found := map[string]int64{}
	for _, e := range entries {
		if e.IsDir() || !IsPicture(e.Name()) || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if info, err := e.Info(); err == nil {
			found[e.Name()] = info.Size()
		}
	}
	return found, err
}

// Look returns the pictures that have come and are whole: as large as they were at
// the last look.
func (f *Folder) Look() ([]string, error) {
	names, err := f.list()
	var come []string
	for name, size := range names {
		if f.done[name] {
			continue
		}
		if before, ok := f.seen[name]; ok && before == size && size > 0 {
			f.done[name] = true
			come = append(come, filepath.Join(f.dir, name))
		}
		f.seen[name] = size
	}
	slices.Sort(come)
	return come, err
}

// Follow looks again and again until the context ends, and hands over what came.
func (f *Folder) Follow(ctx context.Context, every time.Duration, come func([]string)) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if names, err := f.Look(); err == nil && len(names) > 0 {
				come(names)
			}
		}
	}
}
