package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/assets/yunqi"
	"ironfeet/store/world"
)

// What a form names goes with it from its folder, nothing else does, and what is named
// and missing is a warning.
func TestAFormIsPublishedWithWhatLiesBesideIt(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	status, _, errs := command("init", "--data", at("county"), "--name", "云栖县（虚构）", "--division", "459921")
	require.Zero(t, status, errs)
	form := "# survey\n\n| type | name | label | media::image |\n|---|---|---|---|\n| text | a | 看图 | door.jpg |\n| text | b | 没有图 | gone.jpg |\n\n# settings\n\n| form_title | form_id | version |\n|---|---|---|\n| 看图 | look | 1 |\n"
	require.NoError(t, os.MkdirAll(at("forms"), 0o700))
	for name, data := range map[string][]byte{"看图.md": []byte(form), "door.jpg": yunqi.Photo(1, 320, 240), "other.jpg": yunqi.Photo(2, 320, 240)} {
		require.NoError(t, os.WriteFile(at("forms/"+name), data, 0o600))
	}
	status, out, errs := command("--lang", "zh", "form", "publish", "--data", at("county"), at("forms/看图.md"))
	require.Zero(t, status, errs)
	require.Contains(t, out, "look 1")
	require.Contains(t, errs, "gone.jpg")
	require.NotContains(t, errs, "door.jpg")

	of, err := office.Open(t.Context(), world.Real(), at("county"))
	require.NoError(t, err)
	named, err := of.Replica.NamedBlobs(t.Context())
	require.NoError(t, err)
	require.NoError(t, of.Close())
	require.Len(t, named, 1)

	require.NoError(t, os.WriteFile(at("forms/door.jpg"), []byte("不是图"), 0o600))
	status, _, errs = command("--lang", "zh", "form", "publish", "--data", at("county"), at("forms/看图.md"))
	require.Equal(t, 1, status)
	require.Contains(t, errs, "表没有发布")
}
