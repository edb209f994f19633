package console

import (
	"crypto/sha256"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"ironfeet/app/export"
	"ironfeet/app/words"
)

// say speaks the browser's language.
func (c *Console) say(r *http.Request) *words.Speaker { return words.In(language(r)) }

func sum(data []byte) []byte {
	s := sha256.Sum256(data)
	return s[:]
}

func itoa(n int) string { return strconv.Itoa(n) }

func yuan(fen int64) string {
	return strconv.FormatInt(fen/100, 10) + "." + strconv.Itoa(int(fen%100) + 100)[1:]
}

func readFull(rd io.Reader, into []byte) (int, error) { return io.ReadFull(rd, into) }

// cutText keeps a text to so many characters.
func cutText(s string, most int) string {
	r := []rune(export.Plain(s))
	return string(r[:min(len(r), most)])
}

// fileName is the last part of a name that a browser gave, without anything that
// leads elsewhere: it is shown and kept, never opened.
func fileName(name string) string {
	name = filepath.Base(strings.ReplaceAll(strings.ReplaceAll(name, "\\", "/"), "\x00", ""))
	name = export.Plain(name)
	if name == "" || strings.Trim(name, ".") == "" || name == "/" {
		return "file"
	}
	r := []rune(name)
	return string(r[max(0, len(r)-100):])
}
