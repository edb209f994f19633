package world

import (
	"errors"
	"io/fs"
	"path/filepath"
)

// WriteFile replaces a file so that after a crash either the old or the new
// content is there, whole: a temporary file, fsync, rename, fsync of the folder.
func WriteFile(d Disk, name string, content []byte) error {
	temp := name + ".new"
	if err := d.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := d.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, ignoreMissing(d.Remove(temp)))
	}
	return d.SyncDir(filepath.Dir(name))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
