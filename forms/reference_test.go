package forms

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ironfeet/forms/expr"
	"ironfeet/forms/xlsform"
)

// TestTheReferenceNamesEverything: whoever writes forms finds every function and
// type in XLSFORM.md.
func TestTheReferenceNamesEverything(t *testing.T) {
	page, err := os.ReadFile("XLSFORM.md")
	require.NoError(t, err)
	for _, name := range expr.Functions() {
		assert.Contains(t, string(page), "`"+name+"`", "the function %s", name)
	}
	for _, name := range xlsform.Types() {
		assert.True(t, strings.Contains(string(page), "`"+name+"`") || strings.Contains(string(page), "`"+name+" "), "the type %s", name)
	}
}
