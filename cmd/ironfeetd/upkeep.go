package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"ironfeet/app/casework/office"
	"ironfeet/app/export"
	"ironfeet/app/words"
	"ironfeet/store"
	"ironfeet/store/audit"
	"ironfeet/store/world"
)

// UpkeepFlags are what a running server does by itself.
type UpkeepFlags struct {
	BackupDir   string        `type:"path" help:"Write backups here, best another disk; none without it." placeholder:"DIR"`
	BackupEvery time.Duration `default:"24h" help:"How often."`
	BackupKeep  int           `default:"14" help:"How many backups are kept."`
	ExportDays  int           `default:"30" help:"Days after which the files of exports are removed; their records stay."`
}

// upkeep is the work of the house: backups by schedule, files of exports that
// expire. What it does is in the audit log.
type upkeep struct {
	UpkeepFlags
	office *office.Office
	audit  *audit.Log
	desk   *export.Desk
	log    *slog.Logger
}

// look is how often the clock is looked at.
const look = 10 * time.Minute

// run goes on until it is told to stop; a failure is logged and tried again.
func (u *upkeep) run(ctx context.Context) {
	for {
		if err := u.once(ctx); err != nil && ctx.Err() == nil {
			u.log.Error("upkeep", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
	}
}

// once does what is due.
func (u *upkeep) once(ctx context.Context) error {
	var failed error
	if u.BackupDir != "" {
		failed = u.backup(ctx)
	}
	files, size, err := u.desk.Expire(ctx, u.office.World.Now().AddDate(0, 0, -u.ExportDays))
	if err == nil && files > 0 {
		_, err = u.audit.Append(ctx, audit.Act{Actor: "server", Action: audit.Purge, Object: "files of exports", Count: int64(files), Detail: map[string]string{"bytes": fmt.Sprint(size), "policy": fmt.Sprintf("%d days", u.ExportDays)}})
	}
	return errors.Join(failed, err)
}

const (
	backupPrefix = "county-"
	backupSuffix = ".backup"
)

// backups are the names in the folder, the oldest first.
func backups(disk world.Disk, dir string) ([]string, error) {
	names, err := disk.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, backupPrefix) || !strings.HasSuffix(n, backupSuffix) })
	slices.Sort(names)
	return names, err
}

// backup writes one if the newest is old enough, and lets the oldest go.
func (u *upkeep) backup(ctx context.Context) error {
	w := u.office.World
	if err := w.Disk.MkdirAll(u.BackupDir); err != nil {
		return err
	}
	have, err := backups(w.Disk, u.BackupDir)
	if err != nil {
		return err
	}
	const stamp = "20060102-150405"
	if n := len(have); n > 0 {
		last, err := time.ParseInLocation(stamp, strings.TrimSuffix(strings.TrimPrefix(have[n-1], backupPrefix), backupSuffix), time.UTC)
		// A clock that was set back must not stop backups.
		if age := w.Now().Sub(last); err == nil && age >= 0 && age < u.BackupEvery {
			return nil
		}
	}
	name := backupPrefix + w.Now().UTC().Format(stamp) + backupSuffix
	var sum store.BackupSummary
	size, err := writeOutput(w, filepath.Join(u.BackupDir, name), func(out io.Writer) error {
		sum, err = u.office.Backup(ctx, out)
		return err
	})
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if _, err := u.audit.Append(ctx, audit.Act{Actor: "server", Action: audit.Backup, Object: name, Count: int64(sum.Blobs), Digest: sum.Digest[:], Detail: map[string]string{"bytes": fmt.Sprint(size)}}); err != nil {
		return err
	}
	u.log.Info("backup", "file", name, "bytes", size)
	have = append(have, name)
	for len(have) > max(u.BackupKeep, 1) {
		if err := w.Disk.Remove(filepath.Join(u.BackupDir, have[0])); err != nil {
			return err
		}
		have = have[1:]
	}
	return w.Disk.SyncDir(u.BackupDir)
}

// DrillCmd restores a backup into a folder that is thrown away, and checks it: a
// backup that was never restored is a hope.
type DrillCmd struct {
	File   string `arg:"" type:"path" help:"The backup, or the folder of backups: then its newest."`
	Key    string `type:"path" help:"The recovery key's file." placeholder:"FILE" xor:"key" required:""`
	County string `type:"path" help:"The data folder of the county whose key opens the backup." placeholder:"DIR" xor:"key" required:""`
}

// Help ends with an example that runs.
func (DrillCmd) Help() string {
	return "The drill needs room for a second copy beside the backup, for a while.\n\n  ironfeetd restore-drill --key recovery.key /mnt/backup"
}

func (c *DrillCmd) Run(o *Output) error {
	ctx, w := context.Background(), world.Real()
	file := c.File
	if info, err := w.Disk.Stat(file); err == nil && info.IsDir() {
		names, err := backups(w.Disk, file)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return &FileError{File: filepath.Join(file, backupPrefix+"*"+backupSuffix), Why: "missing"}
		}
		file = filepath.Join(file, names[len(names)-1])
	}
	with, err := identities(ctx, c.Key, c.County)
	if err != nil {
		return err
	}
	f, err := w.Disk.Open(file)
	if err != nil {
		return &FileError{File: file, Why: "missing", Err: err}
	}
	defer f.Close()
	dir := filepath.Join(filepath.Dir(file), ".drill-"+w.NewID().String())
	defer removeAll(dir)
	began := w.Now()
	got, err := office.RestoreCounty(ctx, w, dir, f, with...)
	if err != nil {
		return err
	}
	of, err := office.Open(ctx, w, dir)
	if err != nil {
		return err
	}
	defer of.Close()
	findings, err := of.Replica.Check(ctx)
	if err != nil {
		return err
	}
	sound := true
	for _, x := range findings {
		fmt.Fprintln(o.Err, words.In(o.Lang).Say(x.Code, x))
		sound = sound && !x.Grave
	}
	entries, faults, err := checkAudit(ctx, of)
	if err != nil {
		return err
	}
	for _, x := range faults {
		explain(o, x)
	}
	if !sound || len(faults) > 0 {
		return errFaulty
	}
	households, err := of.Replica.Count(ctx, store.Query{Kind: store.Household})
	if err != nil {
		return err
	}
	visits, err := of.Replica.Count(ctx, store.Query{Kind: store.Visit})
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "the drill held: %s of %s restores in %.1f s: %d households, %d visits, %d photos and files, %d audit entries; every invariant holds\n",
		filepath.Base(file), got.At.Local().Format("2006-01-02 15:04"), w.Now().Sub(began).Seconds(), households, visits, got.Blobs, entries)
	return nil
}

// versionFile says in plain which program last had a folder.
const versionFile = "program.version"

// upgradeFolder holds the copies that were made before upgrades, the newest few.
const (
	upgradeFolder = "before-upgrade"
	keptUpgrades  = 3
)

// beforeUpgrade keeps a copy of a folder's databases and keys when another version
// of the program opens it for the first time, before anything is migrated. It
// returns the copy's folder, "" if none was needed. Photos are not copied: no
// version ever changes them.
func beforeUpgrade(w world.World, dir, version string) (string, error) {
	const most = 4096
	if _, err := w.Disk.Stat(filepath.Join(dir, "vault.json")); err != nil {
		return "", nil // no folder of ours: whoever opens it says so
	}
	old, err := world.ReadFile(w.Disk, filepath.Join(dir, versionFile), most)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if version == "" || string(old) == version {
		return "", nil
	}
	to := ""
	if len(old) > 0 {
		all := filepath.Join(dir, upgradeFolder)
		to = filepath.Join(all, w.Now().UTC().Format("20060102-150405"))
		if err := copyFolder(w.Disk, dir, to); err != nil {
			return "", fmt.Errorf("copy the folder before the upgrade: %w", err)
		}
		names, err := w.Disk.List(all)
		if err != nil {
			return "", err
		}
		for ; len(names) > keptUpgrades; names = names[1:] {
			removeAll(filepath.Join(all, names[0]))
		}
	}
	return to, world.WriteFile(w.Disk, filepath.Join(dir, versionFile), []byte(version))
}

// copyFolder copies the databases (with what SQLite keeps beside them) and the keys
// of a folder that nobody has open.
func copyFolder(disk world.Disk, dir, to string) error {
	names, err := disk.List(dir)
	if err != nil {
		return err
	}
	if err := disk.MkdirAll(to); err != nil {
		return err
	}
	for _, name := range names {
		if !strings.Contains(name, ".db") && name != "vault.json" && name != "device.secret" && !strings.HasSuffix(name, ".pub") {
			continue
		}
		from, err := disk.Open(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		out, err := disk.Create(filepath.Join(to, name))
		if err == nil {
			_, err = io.Copy(out, from)
			if err == nil {
				err = out.Sync()
			}
			err = errors.Join(err, out.Close())
		}
		if err = errors.Join(err, from.Close()); err != nil {
			return err
		}
	}
	return disk.SyncDir(to)
}

// programVersion names this build by the revision it was built from; where that is
// not known, or not all there is to it, by the digest of the program itself. "" only
// where the program cannot read itself.
func programVersion() string {
	version, modified := "", false
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				version = s.Value
			case "vcs.modified":
				modified = s.Value == "true"
			}
		}
	}
	if version != "" && !modified {
		return version
	}
	name, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return ""
	}
	return fmt.Sprintf("%s+%x", version, sum.Sum(nil)[:8])
}

// removeAll removes a folder of ours; what cannot be removed is said by the system's
// own means.
func removeAll(dir string) { _ = os.RemoveAll(dir) }
