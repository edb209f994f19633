// Package words turns the parts that lower rooms return into sentences.
//
// An error of a lower room carries a stable code and its parts as fields; the
// translation files of assets/i18n hold, per language, a template for the code
// and one for its hint ("what to do next"). This package knows no domain: only
// codes, templates and languages.
package words

import (
	"errors"
	"strings"
	"sync"
	"text/template"

	"ironfeet/assets"
)

// A Coded error can be said in any language: Code is the key of its sentence,
// its exported fields are the parts.
type Coded interface {
	error
	Code() string
}

// Speaker says things in one language.
type Speaker struct {
	lang      string
	catalogue map[string]string
}

var (
	mu       sync.Mutex
	speakers = map[string]*Speaker{}
)

// In returns the speaker of a language; an unknown one speaks Chinese.
func In(lang string) *Speaker {
	mu.Lock()
	defer mu.Unlock()
	if s := speakers[lang]; s != nil {
		return s
	}
	s := &Speaker{lang, assets.Catalogue(lang)}
	if len(s.catalogue) == 0 && lang != "zh" {
		s = &Speaker{"zh", assets.Catalogue("zh")}
	}
	speakers[lang] = s
	return s
}

// Say returns the sentence of a key, filled with the parts. A missing key is
// returned as it stands, so that nothing is ever silently dropped.
func (s *Speaker) Say(key string, parts any) string {
	text, ok := s.catalogue[key]
	if !ok {
		return key
	}
	if !strings.Contains(text, "{{") {
		return text
	}
	t, err := template.New(key).Option("missingkey=zero").Parse(text)
	if err != nil {
		return text
	}
	var b strings.Builder
	if err := t.Execute(&b, parts); err != nil {
		return text
	}
	return b.String()
}

// Has reports whether a sentence is known.
func (s *Speaker) Has(key string) bool { _, ok := s.catalogue[key]; return ok }

// Error says an error and what to do next. The outermost coded error of the
// chain decides; one without a sentence is given as it stands.
func (s *Speaker) Error(err error) (said, hint string) {
	var coded Coded
	if !errors.As(err, &coded) {
		return err.Error(), ""
	}
	code := coded.Code()
	if !s.Has(code) {
		return err.Error(), ""
	}
	said = s.Say(code, coded)
	if s.Has(code + ".hint") {
		hint = s.Say(code+".hint", coded)
	}
	return said, hint
}

// Language is the speaker's language: zh, en.
func (s *Speaker) Language() string { return s.lang }
