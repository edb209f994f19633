// Package dictionary holds what most visits have in common, so that one compressed
// alone need not say it again: raw zstd dictionaries (RFC 8878 §6), by number.
//
// A number is for ever: bundles name it in their signed head, so no dictionary is
// ever changed or taken away. A new one is a new file and a new number; cmd/dictionary
// makes its content from the fictitious sample county. Number 1 is of changes as they
// are written, from 2 on of changes folded (sync/bundle).
package dictionary

import (
	_ "embed"
	"strings"
	"sync"
)

//go:embed 1.bin
var one []byte

//go:embed 2.bin
var two []byte

//go:embed 2.questions
var twoQuestions string

// Newest is the number that new bundles are written with.
const Newest = 2

// Content returns a dictionary; nil if this program does not know it. 0 is none.
func Content(number uint64) []byte {
	switch number {
	case 1:
		return one
	case 2:
		return two
	}
	return nil
}

// Questions are those of the sample's forms, in their order, as a record has them:
// path and type, with # for the number within a repeat.
func Questions(number uint64) []string {
	if number == 2 {
		return questions()
	}
	return nil
}

var questions = sync.OnceValue(func() []string { return strings.Split(strings.TrimSpace(twoQuestions), "\n") })

var numbers = sync.OnceValue(func() map[string]int {
	all := map[string]int{}
	for i, q := range questions() {
		if _, twice := all[q]; !twice {
			all[q] = i
		}
	}
	return all
})

// Number is where a question stands among Questions.
func Number(number uint64, question string) (int, bool) {
	if number != 2 {
		return 0, false
	}
	i, ok := numbers()[question]
	return i, ok
}
