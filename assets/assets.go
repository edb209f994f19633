// Package assets is what the programs carry inside: sentences in every language
// here, and in its folders the font, the icon and the fictitious Yunqi County
// (云栖县).
package assets

import (
	"embed"
	"encoding/json"
	"path"
)

//go:embed i18n
var i18n embed.FS

// Languages are those that have sentences, the first being the one to fall back
// to.
var Languages = []string{"zh", "en"}

// Catalogue returns every sentence of a language by key, from the files of
// i18n/<language>; nil for a language that has none. A file that cannot be read is
// our own mistake and panics; a test reads them all.
func Catalogue(lang string) map[string]string {
	files, err := i18n.ReadDir(path.Join("i18n", path.Base(lang)))
	if err != nil {
		return nil
	}
	all := map[string]string{}
	for _, f := range files {
		name := path.Join("i18n", lang, f.Name())
		data, err := i18n.ReadFile(name)
		if err != nil {
			panic(err)
		}
		var part map[string]string
		if err := json.Unmarshal(data, &part); err != nil {
			panic(name + ": " + err.Error())
		}
		for key, text := range part {
			if _, twice := all[key]; twice {
				panic(name + ": the key " + key + " stands in another file too")
			}
			all[key] = text
		}
	}
	return all
}
