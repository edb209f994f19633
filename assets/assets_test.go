package assets_test

import (
	"maps"
	"slices"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"ironfeet/assets"
)

func TestEveryLanguageSaysTheSameThings(t *testing.T) {
	want := slices.Sorted(maps.Keys(assets.Catalogue(assets.Languages[0])))
	require.NotEmpty(t, want)
	for _, lang := range assets.Languages {
		catalogue := assets.Catalogue(lang)
		require.Equal(t, want, slices.Sorted(maps.Keys(catalogue)), lang)
		for key, text := range catalogue {
			_, err := template.New(key).Parse(text)
			require.NoError(t, err, "%s: %s", lang, key)
			require.NotEmpty(t, text, "%s: %s", lang, key)
		}
	}
	require.Nil(t, assets.Catalogue("xx"))
}
