package present

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"ironfeet/store/world"
)

// Settings are how a machine's screens are; they are read before anybody unlocks
// it, so they say nothing of anybody.
type Settings struct {
	Lang        string  `json:"lang"`         // zh, en
	Text        float32 `json:"text"`         // size of ordinary text, 18 to 28
	Mode        string  `json:"mode"`         // light, daylight, dark
	LockMinutes int     `json:"lock_minutes"` // without a touch until the machine locks itself
	Camera      string  `json:"camera"`       // device file of the camera, "" for the first
	Watch       string  `json:"watch"`        // folder into which a camera writes, "" for none
	GPSD        string  `json:"gpsd"`         // address of gpsd
	ByHand      bool    `json:"sync_by_hand"` // nothing goes over the network unless somebody asks for it
}

// UsualSettings are those of a new machine. Chinese, whatever the system says.
var UsualSettings = Settings{Lang: "zh", Text: 18, Mode: "light", LockMinutes: 5, GPSD: "127.0.0.1:2947"}

// LockChoices are after how many minutes a machine can lock itself.
var LockChoices = []int{1, 2, 5, 10, 30}

const (
	settingsFile = "screen.json"
	maxSettings  = 64 << 10
)

// ReadSettings reads a folder's settings. What is missing, broken or out of bounds
// is as usual: a machine must always open.
func ReadSettings(w world.World, dir string) Settings {
	s := UsualSettings
	f, err := w.Disk.Open(filepath.Join(dir, settingsFile))
	if err != nil {
		return s
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSettings))
	if err != nil || json.Unmarshal(data, &s) != nil {
		return UsualSettings
	}
	return s.bounded()
}

func (s Settings) bounded() Settings {
	if s.Lang != "zh" && s.Lang != "en" {
		s.Lang = UsualSettings.Lang
	}
	if !slices.Contains([]string{"light", "daylight", "dark"}, s.Mode) {
		s.Mode = UsualSettings.Mode
	}
	if s.Text < 18 || s.Text > 28 {
		s.Text = max(18, min(28, s.Text))
	}
	if s.LockMinutes < 1 || s.LockMinutes > 60 {
		s.LockMinutes = UsualSettings.LockMinutes
	}
	if s.GPSD == "" {
		s.GPSD = UsualSettings.GPSD
	}
	return s
}

// WriteSettings keeps a folder's settings.
func WriteSettings(w world.World, dir string, s Settings) error {
	data, err := json.MarshalIndent(s.bounded(), "", "  ")
	if err != nil {
		return err
	}
	if _, err := w.Disk.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		if err := w.Disk.MkdirAll(dir); err != nil {
			return fmt.Errorf("keep the settings: %w", err)
		}
	}
	if err := world.WriteFile(w.Disk, filepath.Join(dir, settingsFile), append(data, '\n')); err != nil {
		return fmt.Errorf("keep the settings: %w", err)
	}
	return nil
}
