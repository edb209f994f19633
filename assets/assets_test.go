package assets_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"ironfeet/assets"
)

func TestEveryLanguageSaysTheSameThings(t *testing.T) {
	// The English of what is wrong with a workbook stands beside the code that finds
	// it (forms/xlsform, forms/standards, app/casework/alerts).
	keys := func(catalogue map[string]string) []string {
		return slices.DeleteFunc(slices.Sorted(maps.Keys(catalogue)), func(key string) bool {
			return strings.HasPrefix(key, "standards.") || strings.HasPrefix(key, "form.") || strings.HasPrefix(key, "kinds.")
		})
	}
	want := keys(assets.Catalogue(assets.Languages[0]))
	require.NotEmpty(t, want)
	for _, lang := range assets.Languages {
		catalogue := assets.Catalogue(lang)
		require.Equal(t, want, keys(catalogue), lang)
		for key, text := range catalogue {
			_, err := template.New(key).Parse(text)
			require.NoError(t, err, "%s: %s", lang, key)
			require.NotEmpty(t, text, "%s: %s", lang, key)
		}
	}
	require.Nil(t, assets.Catalogue("xx"))
}
