package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // pictures that go with a form
	_ "image/png"  // pictures that go with a form
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"ironfeet/forms"
	"ironfeet/forms/xlsform"
	"ironfeet/store"
)

// What may go with a form: all of it travels to every tablet.
const (
	MaxBeside    = 4 << 20  // bytes of one file
	MaxAlong     = 24 << 20 // bytes of all together
	maxPixels    = 16 << 20
	fieldBeside  = "beside" // JSON: file name -> digest
	mediaMissing = "publish.media_missing"
)

// A BesideError means that a file beside a form cannot go with it.
type BesideError struct {
	File string
	Why  string // too_large, too_much, no_picture, unreadable
	Most int
	Err  error
}

func (e *BesideError) Error() string {
	return fmt.Sprintf("%s cannot be published with the form: %s", e.File, strings.ReplaceAll(e.Why, "_", " "))
}

func (e *BesideError) Unwrap() error { return e.Err }

// Code is the key of the sentence.
func (e *BesideError) Code() string { return "publish.beside_" + e.Why }

// along is what goes with a form, by name.
type along map[string][]byte

// gather reads what a form names from what lies beside it. A picture or sound that is
// not there is a warning: the question can be asked without it.
func gather(f *forms.Form, report *xlsform.Report, beside []fs.FS) (along, error) {
	out, sum := along{}, 0
	if len(beside) == 0 {
		return out, nil
	}
	lists, media := f.Beside()
	for _, name := range append(slices.Clone(lists), media...) {
		data, err := []byte(nil), fs.ErrNotExist
		if slices.Contains(lists, name) || slices.Contains(kinds, strings.ToLower(path.Ext(name))) {
			data, err = readBeside(name, beside)
		}
		if errors.Is(err, fs.ErrNotExist) {
			if !slices.Contains(lists, name) { // a list that is missing was said to be already
				report.Warn(xlsform.Problem{Code: mediaMissing, Got: name, Message: fmt.Sprintf("%s is named in the form and does not lie beside it", name)})
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if sum += len(data); sum > MaxAlong {
			return nil, &BesideError{File: name, Why: "too_much", Most: MaxAlong >> 20}
		}
		out[name] = data
	}
	return out, nil
}

// kinds of pictures, sounds and films. Nothing else goes out to every tablet because
// some workbook names it.
var kinds = []string{".jpg", ".jpeg", ".png", ".mp3", ".wav", ".ogg", ".m4a", ".aac", ".amr", ".3gp", ".mp4", ".webm"}

func readBeside(name string, beside []fs.FS) ([]byte, error) {
	for _, fsys := range beside {
		file, err := fsys.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, &BesideError{File: name, Why: "unreadable", Err: err}
		}
		data, err := io.ReadAll(io.LimitReader(file, MaxBeside+1))
		file.Close()
		if err != nil {
			return nil, &BesideError{File: name, Why: "unreadable", Err: err}
		}
		if len(data) > MaxBeside {
			return nil, &BesideError{File: name, Why: "too_large", Most: MaxBeside >> 20}
		}
		if IsPicture(name) {
			c, _, err := image.DecodeConfig(bytes.NewReader(data))
			if err != nil || c.Width*c.Height > maxPixels {
				return nil, &BesideError{File: name, Why: "no_picture", Most: maxPixels >> 20, Err: err}
			}
		}
		return data, nil
	}
	return nil, fs.ErrNotExist
}

// IsPicture knows a picture that can be shown by its name.
func IsPicture(name string) bool {
	return slices.Contains([]string{".jpg", ".jpeg", ".png"}, strings.ToLower(path.Ext(name)))
}

// into stores the files and has the edit name them.
func (a along) into(ctx context.Context, r *store.Replica, edit *store.Edit) error {
	if len(a) == 0 {
		return nil
	}
	names := map[string]string{}
	for name, data := range a {
		ref, err := r.PutBlob(ctx, bytes.NewReader(data), MaxBeside)
		if err != nil {
			return err
		}
		names[name] = ref.Digest.String()
		if !slices.Contains(edit.Blobs, ref) { // two names for one picture
			edit.Blobs = append(edit.Blobs, ref)
		}
	}
	text, err := json.Marshal(names)
	edit.Fields[fieldBeside] = store.Text(string(text))
	return err
}

// alongside are the files that go with a published form, by name.
func alongside(form *store.Entity) map[string]store.Digest {
	var names map[string]string
	if json.Unmarshal([]byte(form.Text(fieldBeside)), &names) != nil {
		return nil // none, or said in a way of tomorrow
	}
	out := map[string]store.Digest{}
	for name, text := range names {
		if d, err := store.ParseDigest(text); err == nil {
			out[name] = d
		}
	}
	return out
}

// listsOf are the lists that go with a form. One that has not arrived yet means that
// the form has not: without it questions would have no choices.
func listsOf(ctx context.Context, r *store.Replica, files map[string]store.Digest) (fs.FS, error) {
	out := memory{}
	for name, d := range files {
		if !slices.Contains([]string{".csv", ".xml", ".geojson"}, strings.ToLower(path.Ext(name))) {
			continue
		}
		rd, _, err := r.OpenBlob(ctx, d)
		if errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("%s: %w", name, ErrNoForm)
		}
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(io.LimitReader(rd, MaxBeside))
		rd.Close()
		if err != nil {
			return nil, err
		}
		out[name] = data
	}
	return out, nil
}

// memory is a folder of a few files.
type memory map[string][]byte

// Open and the others make it one.
func (m memory) Open(name string) (fs.File, error) {
	data, ok := m[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &memoryFile{bytes.NewReader(data), name}, nil
}

type memoryFile struct {
	*bytes.Reader
	name string
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Name() string               { return f.name }
func (f *memoryFile) Mode() fs.FileMode          { return 0o400 }
func (f *memoryFile) ModTime() time.Time         { return time.Time{} }
func (f *memoryFile) IsDir() bool                { return false }
func (f *memoryFile) Sys() any                   { return nil }

// Beside is a file that goes with a form that this shelf has opened.
func (s *Shelf) Beside(f *forms.Form, name string) (store.Digest, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.beside[f][forms.MediaName(name)]
	return d, ok
}
