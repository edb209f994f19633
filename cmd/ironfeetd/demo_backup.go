package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"

	"filippo.io/age"

	"ironfeet/app/casework/office"
	"ironfeet/app/casework/space"
	"ironfeet/store"
)

// backUp backs the county up while its folder is in use, restores the backup as
// another node, and compares. Then tablet A makes room.
func (s *story) backUp(ctx context.Context) error {
	var hall *office.Office
	for _, o := range s.offices {
		if o.Dir == s.path("county") {
			hall = o
		}
	}
	if err := check(hall != nil, "the county's folder is not open"); err != nil {
		return err
	}
	secret, err := hall.NewRecoveryKey(ctx)
	if err != nil {
		return err
	}
	with, err := age.ParseIdentities(strings.NewReader(secret))
	if err != nil {
		return err
	}
	var sum store.BackupSummary
	file := s.path("county.backup")
	if _, err := writeOutput(s.world, file, func(w io.Writer) error { sum, err = hall.Backup(ctx, w); return err }); err != nil {
		return err
	}
	s.tell("county.backup: %s with %d photos and files, encrypted to the recovery key in the safe; SHA-256 %.16s…", bytesText(sum.Bytes), sum.Blobs, sum.Digest)
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := office.RestoreCounty(ctx, s.world, s.path("county-restored"), f, with...)
	if err != nil {
		return err
	}
	second, err := office.Open(ctx, s.world, s.path("county-restored"))
	if err != nil {
		return err
	}
	s.keep(second)
	findings, err := second.Replica.Check(ctx)
	if err != nil {
		return err
	}
	if err := check(len(findings) == 0, "the restored folder: %v", findings); err != nil {
		return err
	}
	compared := 0
	for _, kind := range []store.Kind{store.Household, store.Member, store.Visit, store.Determination} {
		list, err := hall.Replica.Entities(ctx, store.Query{Kind: kind})
		if err != nil {
			return err
		}
		for _, e := range list {
			other, err := second.Replica.Entity(ctx, e.ID)
			if err != nil {
				return err
			}
			one, _ := json.Marshal(e.Fields)
			two, _ := json.Marshal(other.Fields)
			if err := check(string(one) == string(two), "%s %s was restored differently", kind, e.ID); err != nil {
				return err
			}
			compared++
		}
	}
	s.tell("restored as another node (%.8s… in place of %.8s…), so that no log forks: %d records are the same, every invariant holds", got.Is.Node, got.Was.Node, compared)
	return s.makeRoom(ctx)
}

// makeRoom lets tablet A's photos go that the county has confirmed.
func (s *story) makeRoom(ctx context.Context) error {
	a := s.tablets[0].Office
	policy := space.Policy{} // at once, for the story; a tablet waits a month and half a year
	plan, err := policy.Look(ctx, a)
	if err != nil {
		return err
	}
	freed, err := plan.Free(ctx, a)
	if err != nil {
		return err
	}
	findings, err := a.Replica.Check(ctx)
	if err != nil {
		return err
	}
	s.tell("tablet A makes room: %d photos that the county has confirmed and no task needs leave it, %s; their thumbnails stay", len(plan.Photos), bytesText(freed))
	return check(len(plan.Photos) > 0 && freed > 0 && len(findings) == 0, "nothing could leave: %d photos, %d bytes, %v", len(plan.Photos), freed, findings)
}
