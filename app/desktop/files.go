package desktop

import (
	"io"
	"path/filepath"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/dialog"
	"fyne.io/fyne/v2/storage"

	"ironfeet/store/world"
)

// pickers ask a person for a file or a folder: by Fyne's own dialogs on a desktop,
// by the system's on Android, where there are addresses and no paths. Tests answer
// in their place.
type pickers struct {
	file   func(ends []string, then func(name string, open func() (io.ReadCloser, error)))
	folder func(then func(place))
}

// openFile asks for a file.
func (a *App) openFile(ends []string, then func(name string, open func() (io.ReadCloser, error))) {
	if a.pickers.file != nil {
		a.pickers.file(ends, then)
		return
	}
	open := dialog.NewFileOpen(func(f fyne.URIReadCloser, err error) {
		if a.fail(err) || f == nil {
			return
		}
		uri := f.URI()
		f.Close()
		name := uri.Name()
		if uri.Scheme() == "file" {
			name = uri.Path()
		}
		then(name, func() (io.ReadCloser, error) { return storage.Reader(uri) })
	}, a.win)
	if len(ends) > 0 {
		both := ends
		for _, e := range ends {
			both = append(both, strings.ToUpper(e))
		}
		open.SetFilter(storage.NewExtensionFileFilter(both))
	}
	if size := a.size(); size.Width > 60 {
		open.Resize(fyne.NewSize(size.Width-24, size.Height-48))
	}
	open.Show()
}

// folder asks for a folder, such as the stick.
func (a *App) folder(then func(place)) {
	if a.pickers.folder != nil {
		a.pickers.folder(then)
		return
	}
	open := dialog.NewFolderOpen(func(d fyne.ListableURI, err error) {
		if a.fail(err) || d == nil {
			return
		}
		if d.Scheme() == "file" {
			then(place{dir: d.Path()})
		} else {
			then(place{uri: d})
		}
	}, a.win)
	if size := a.size(); size.Width > 60 {
		open.Resize(fyne.NewSize(size.Width-24, size.Height-48))
	}
	open.Show()
}

// A place is a folder that somebody chose: one with a path, or one that only the
// system can write into.
type place struct {
	dir string
	uri fyne.ListableURI
}

// put writes a file there. Where there is no path it is written beside the data
// first, which is not more than it will be: sealed to its readers.
func (p place) put(o Options, name string, write func(path string) error) error {
	if p.uri == nil {
		return write(filepath.Join(p.dir, name))
	}
	path := filepath.Join(o.Dir, "leaving-"+name)
	_ = o.World.Disk.Remove(path) // of a time before that was cut off
	defer o.World.Disk.Remove(path)
	if err := write(path); err != nil {
		return err
	}
	child, err := storage.Child(p.uri, name)
	if err != nil {
		return err
	}
	from, err := o.World.Disk.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := storage.Writer(child)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		_ = storage.Delete(child) // what is not whole is nothing
		return err
	}
	return to.Close()
}

// local reads a file that may have no path.
func local(o Options, name string, open func() (io.ReadCloser, error), read func(path string) error) error {
	if filepath.IsAbs(name) {
		return read(name)
	}
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	path := filepath.Join(o.Dir, "arriving.ironfeet")
	_ = o.World.Disk.Remove(path)
	defer o.World.Disk.Remove(path)
	if err := copied(o.World.Disk, path, r); err != nil {
		return err
	}
	return read(path)
}

func copied(disk world.Disk, path string, r io.Reader) error {
	to, err := disk.Create(path)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, r); err != nil {
		to.Close()
		return err
	}
	return to.Close()
}
