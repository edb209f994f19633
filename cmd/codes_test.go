package cmd

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/assets"
	"ironfeet/forms/xlsform"
)

// TestEveryErrorCanBeSaid finds the code of every error that a user can meet (a
// method Code() string) in the sources and looks for its sentence in every
// language; of a code that is put together, for sentences with its beginning.
func TestEveryErrorCanBeSaid(t *testing.T) {
	codes := map[string]string{} // code, or prefix ending in . or _ -> where
	fset := token.NewFileSet()
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || f.Name.Name != "Code" {
				continue
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if r, ok := n.(*ast.ReturnStmt); ok {
					ast.Inspect(r, func(n ast.Node) bool {
						if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
							if code, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(code, ".") {
								codes[code] = path
							}
						}
						return true
					})
				}
				return true
			})
		}
		return nil
	}))
	require.Greater(t, len(codes), 30)
	for _, lang := range assets.Languages {
		catalogue := assets.Catalogue(lang)
		for code, where := range codes {
			if !strings.HasSuffix(code, ".") && !strings.HasSuffix(code, "_") {
				require.Contains(t, catalogue, code, "%s has no %s sentence", where, lang)
				continue
			}
			found := false
			for key := range catalogue {
				found = found || strings.HasPrefix(key, code)
			}
			require.True(t, found, "%s: no %s sentence begins with %s", where, lang, code)
		}
	}
	chinese := assets.Catalogue("zh")
	for _, code := range xlsform.Codes() {
		require.Contains(t, chinese, code)
	}
}
