package present

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"ironfeet/app/casework/publish"
	"ironfeet/store"
	"ironfeet/store/world"
)

// A Medium is something that a form shows or plays beside a question or a choice.
type Medium struct {
	Name   string
	Digest store.Digest
	Here   bool // it has arrived; until then the question is asked without it
}

// Medium finds what a form's cell names; false where the form came without it.
func (f *Filling) Medium(ctx context.Context, cell string) (Medium, bool) {
	if cell == "" {
		return Medium{}, false
	}
	d, ok := f.session.Shelf.Beside(f.Visit.Entry.Form(), cell)
	if !ok {
		return Medium{}, false
	}
	here, err := f.session.Office.Replica.HasBlob(ctx, d)
	return Medium{filepath.Base(cell), d, here && err == nil}, true
}

// IsPicture says whether it can be shown on the screen.
func (m Medium) IsPicture() bool { return publish.IsPicture(m.Name) }

// playPrefix begins the names of files that the system's player was given.
const playPrefix = "play-"

// Play writes a sound or film out for the system's player and says where. What goes
// with a form says nothing of anybody; it is removed at the lock all the same.
func (s *Session) Play(ctx context.Context, m Medium) (string, error) {
	path := filepath.Join(s.Office.Dir, playPrefix+m.Digest.String()[:16]+strings.ToLower(filepath.Ext(m.Name)))
	rd, _, err := s.Office.Replica.OpenBlob(ctx, m.Digest)
	if err != nil {
		return "", err
	}
	defer rd.Close()
	data, err := io.ReadAll(io.LimitReader(rd, publish.MaxBeside+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", m.Name, err)
	}
	return path, world.WriteFile(s.Office.World.Disk, path, data)
}

// unplay removes what Play wrote.
func (s *Session) unplay() {
	names, _ := s.Office.World.Disk.List(s.Office.Dir) // what cannot be listed is removed next time
	for _, name := range names {
		if strings.HasPrefix(name, playPrefix) {
			_ = s.Office.World.Disk.Remove(filepath.Join(s.Office.Dir, name))
		}
	}
}
