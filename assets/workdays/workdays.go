// Package workdays is the calendar that working days are counted by, one file a
// year as the State Council's office orders it, and the deadlines of the
// procedures. Both are plain text that a clerk can edit; package calendar reads
// them.
package workdays

import "embed"

// Files are 2025.txt, 2026.txt, … and deadlines.txt.
//
//go:embed *.txt
var Files embed.FS
