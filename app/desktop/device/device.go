// Package device is what a tablet or laptop has besides a screen: a camera, a
// position, a battery, space on its disk, a folder into which another camera
// writes, and pictures of codes. Nothing of it is needed to work: what is absent
// is said with what to do instead, and never stops a visit (domain.md §7 (13)).
package device

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Power is how a machine is powered.
type Power struct {
	Percent  int
	Charging bool
	Known    bool
}

// Battery reads the battery's state below a folder such as /sys; not known where
// the system does not tell.
func Battery(sys string) Power {
	names, _ := filepath.Glob(filepath.Join(sys, "class/power_supply/*/capacity"))
	for _, name := range names {
		percent, err := strconv.Atoi(word(name))
		if err != nil || percent < 0 || percent > 100 {
			continue
		}
		state := word(filepath.Join(filepath.Dir(name), "status"))
		return Power{percent, state == "Charging" || state == "Full", true}
	}
	return Power{}
}

func word(name string) string {
	b, err := os.ReadFile(name)
	if err != nil || len(b) > 4096 {
		return ""
	}
	return strings.TrimSpace(string(b))
}
