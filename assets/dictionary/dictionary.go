// Package dictionary holds what most visits have in common, so that one compressed
// alone need not say it again: raw zstd dictionaries (RFC 8878 §6), by number.
//
// A number is for ever: bundles name it in their signed head, so no dictionary is
// ever changed or taken away. A new one is a new file and a new number; cmd/dictionary
// makes its content from the fictitious sample county.
package dictionary

import _ "embed"

//go:embed 1.bin
var one []byte

// Newest is the number that new bundles are written with.
const Newest = 1

// Content returns a dictionary; nil if this program does not know it. 0 is none.
func Content(number uint64) []byte {
	if number == 1 {
		return one
	}
	return nil
}
