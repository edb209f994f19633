package export_test

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/app/export"
	"ironfeet/store/audit"
	"ironfeet/store/world"
)

// A stopping disk stops the program at the first bytes of a file.
type stopping struct {
	world.Disk
	stop context.CancelFunc
}

func (d stopping) Create(name string) (world.File, error) {
	f, err := d.Disk.Create(name)
	return stopped{f, d.stop}, err
}

type stopped struct {
	world.File
	stop context.CancelFunc
}

func (f stopped) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.stop()
	return n, err
}

// A stopper stops the program at the first bytes of a command's file.
type stopper struct{ stop context.CancelFunc }

func (s stopper) Write(p []byte) (int, error) {
	s.stop()
	return 0, io.ErrClosedPipe
}

// again is the desk of the program started anew over the same folder.
func again(d *export.Desk) *export.Desk {
	return &export.Desk{World: d.World, Replica: d.Replica, Audit: d.Audit, NodeKey: d.NodeKey, Root: d.Root, Dir: d.Dir}
}

func TestAnExportWhileTheProgramStops(t *testing.T) {
	_, d := desk(t)
	q, err := d.Ask(ctx, export.Request{By: "clerk", ByName: "经办", Role: "county", Format: "csv"})
	require.NoError(t, err)
	whole := d.World.Disk
	running, stop := context.WithCancel(ctx)
	d.World.Disk = stopping{whole, stop}
	_, err = d.Run(running, q.ID)
	require.ErrorIs(t, err, context.Canceled)
	now, err := d.Get(ctx, q.ID)
	require.NoError(t, err)
	require.Equal(t, export.Running, now.State, "it did not fail: it was stopped")
	_, _, err = d.Fetch(ctx, q.ID, "clerk", "county", true)
	require.Error(t, err, "half a file is offered to nobody")

	// A kill leaves more behind than a stop.
	d.World.Disk = whole
	half := filepath.Join(d.Dir, "exports", q.ID.String())
	for _, name := range []string{half, filepath.Join(d.Dir, "exports", "excelize-123")} {
		f, err := whole.Create(name)
		require.NoError(t, err)
		_, err = f.Write([]byte("half"))
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	d = again(d)
	now, err = d.Get(ctx, q.ID)
	require.NoError(t, err)
	require.Equal(t, export.Running, now.State)
	ids, err := d.Resume(ctx)
	require.NoError(t, err)
	require.Equal(t, q.ID, ids[0])
	names, err := whole.List(filepath.Join(d.Dir, "exports"))
	require.NoError(t, err)
	require.Empty(t, names, "nothing of before stays")
	done, err := d.Run(ctx, q.ID)
	require.NoError(t, err)
	require.Equal(t, export.Ready, done.State)
	require.Equal(t, 2, done.Tries)
	f, _, err := d.Fetch(ctx, q.ID, "clerk", "county", true)
	require.NoError(t, err)
	text, err := io.ReadAll(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Len(t, text, int(done.Size))
	require.Equal(t, "export_asked export_again export download", actions(t, d))

	// What is ready outlives the next start; nothing is said of it.
	d = again(d)
	ids, err = d.Resume(ctx)
	require.NoError(t, err)
	require.Empty(t, ids)
	f, _, err = d.Fetch(ctx, q.ID, "clerk", "county", false)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, "export_asked export_again export download", actions(t, d))
}

// TestAnExportThatStopsTheProgram: what ended together with the program three times
// is not begun a fourth time by itself, and a person may ask for it again.
func TestAnExportThatStopsTheProgram(t *testing.T) {
	_, d := desk(t)
	q, err := d.Ask(ctx, export.Request{By: "clerk", Format: "csv"})
	require.NoError(t, err)
	whole := d.World.Disk
	for range 3 {
		running, stop := context.WithCancel(ctx)
		d.World.Disk = stopping{whole, stop}
		_, err = d.Run(running, q.ID)
		require.ErrorIs(t, err, context.Canceled)
		d.World.Disk = whole
		d = again(d)
		_, err = d.Resume(ctx)
		require.NoError(t, err)
	}
	now, err := d.Get(ctx, q.ID)
	require.NoError(t, err)
	require.Equal(t, export.Failed, now.State)
	require.Equal(t, "stopped", now.Failure)
	ids, err := d.Resume(ctx)
	require.NoError(t, err)
	require.Empty(t, ids)
	now, err = d.Run(ctx, q.ID)
	require.NoError(t, err)
	require.Equal(t, export.Ready, now.State)
	require.Equal(t, "export_asked"+strings.Repeat(" export_again", 3)+" export", actions(t, d))

	// A command's export went to a file of its own; the server makes none for it.
	q, err = d.Ask(ctx, export.Request{By: "command line", Format: "csv", Elsewhere: true})
	require.NoError(t, err)
	running, stop := context.WithCancel(ctx)
	_, err = d.RunTo(running, q.ID, stopper{stop})
	require.Error(t, err)
	d = again(d)
	ids, err = d.Resume(ctx)
	require.NoError(t, err)
	require.Empty(t, ids)
	list, err := d.Audit.Entries(ctx, audit.Query{Action: audit.ExportAgain})
	require.NoError(t, err)
	require.Len(t, list, 4)
}
