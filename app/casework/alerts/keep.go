package alerts

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/fxamacker/cbor/v2"

	"ironfeet/forms/xlsform"
	"ironfeet/store"
)

// settingKinds is where the county keeps its own workbook: it belongs to whoever
// compares lists, and travels nowhere.
const settingKinds = "alerts.kinds"

// MaxWorkbook bounds a workbook of kinds.
const MaxWorkbook = 4 << 20

type kept struct {
	Name string `cbor:"1,keyasint"`
	Data []byte `cbor:"2,keyasint"`
}

// A FaultyError means a workbook of kinds was not taken over because of its errors.
type FaultyError struct {
	File   string
	Report xlsform.Report
}

func (e *FaultyError) Error() string {
	return fmt.Sprintf("%s has %d errors and was not taken over", e.File, len(e.Report.Errors))
}

// Code is the key of the sentence.
func (e *FaultyError) Code() string { return "alerts.faulty" }

// Keep takes a workbook over as the county's own, whole or not at all.
func Keep(ctx context.Context, r *store.Replica, file string, data []byte) (*Kinds, xlsform.Report, error) {
	k, report := Read(filepath.Base(file), data)
	if k == nil || len(data) > MaxWorkbook {
		return nil, report, &FaultyError{filepath.Base(file), report}
	}
	raw, err := cbor.Marshal(kept{filepath.Base(file), data})
	if err != nil {
		return nil, report, err
	}
	return k, report, r.SetSetting(ctx, settingKinds, raw)
}

// Kept is the county's own workbook, nil if it took none over yet.
func Kept(ctx context.Context, r *store.Replica) (*Kinds, error) {
	raw, err := r.Setting(ctx, settingKinds)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	var own kept
	if err := cbor.Unmarshal(raw, &own); err != nil {
		return nil, fmt.Errorf("read the county's kinds of alert: %w", err)
	}
	k, report := Read(own.Name, own.Data)
	if k == nil {
		return nil, &FaultyError{own.Name, report}
	}
	return k, nil
}
