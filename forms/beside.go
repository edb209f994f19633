package forms

import (
	"path"
	"slices"
	"strings"

	"ironfeet/forms/xlsform"
)

// Beside are the files that the form names and that lie beside its workbook: lists
// (towns.csv) and what is shown or heard with questions and choices, by base name,
// each once.
func (f *Form) Beside() (lists, media []string) {
	take := func(t xlsform.Text) {
		for _, s := range t.In {
			if s = MediaName(s); s != "" {
				media = append(media, s)
			}
		}
	}
	var walk func(it *xlsform.Item)
	walk = func(it *xlsform.Item) {
		for _, t := range []xlsform.Text{it.Image, it.BigImage, it.Audio, it.Video} {
			take(t)
		}
		for _, child := range it.Children {
			walk(child)
		}
	}
	walk(f.def.Root)
	for _, l := range f.def.Lists {
		for _, c := range l.Choices {
			take(c.Image)
		}
	}
	for name := range f.def.Files {
		lists = append(lists, path.Base(name))
	}
	for _, all := range []*[]string{&lists, &media} {
		slices.Sort(*all)
		*all = slices.Compact(*all)
	}
	return lists, media
}

// MediaName is the file's own name in a media cell: “jr://images/door.jpg”, as an
// expression may have it, is door.jpg.
func MediaName(cell string) string {
	if cell = strings.TrimSpace(cell); cell == "" {
		return ""
	}
	return path.Base(cell)
}
