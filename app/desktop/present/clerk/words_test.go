package clerk

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/checks"
	"ironfeet/assets"
)

// Every key that the desk's code names has its sentence in every language, with the
// same places for parts.
func TestEverySentenceIsThere(t *testing.T) {
	keys := map[string]bool{}
	call := regexp.MustCompile(`\.T\("([a-z_]+)"|(?:say|sayd)\("([a-z_]+)"`)
	for _, pattern := range []string{"*.go", "../../township_*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			for _, m := range call.FindAllStringSubmatch(string(source), -1) {
				if key := m[1] + m[2]; !strings.HasSuffix(key, "_") {
					keys[key] = true
				}
			}
		}
	}
	for _, r := range ReturnReasons {
		keys["return_"+r] = true
	}
	for _, c := range checks.Codes {
		keys["alert_"+strings.TrimPrefix(c, "check.")] = true
	}
	require.Greater(t, len(keys), 60)
	verbs := regexp.MustCompile(`%[sd]`)
	chinese := assets.Catalogue("zh")
	for key := range keys {
		for _, lang := range assets.Languages {
			text, ok := assets.Catalogue(lang)["desk."+key]
			require.True(t, ok, "%s: %s", lang, key)
			require.Equal(t, verbs.FindAllString(chinese["desk."+key], -1), verbs.FindAllString(text, -1), key)
		}
	}
}
