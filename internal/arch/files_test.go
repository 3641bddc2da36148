package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// changing are the functions of package os that change files.
var changing = []string{
	"Create", "CreateTemp", "WriteFile", "OpenFile", "Rename", "Remove", "RemoveAll", "Mkdir", "MkdirAll", "MkdirTemp", "Link", "Symlink",
	"Truncate", "Chmod", "Chtimes", "CopyFS",
}

// mayChange are the folders that may call them, each with the reason.
var mayChange = map[string]string{
	"internal/whole":     "the writer",
	"internal/failpoint": "appends to the log of a test",
	"internal/testkit":   "of tests",
	"internal/torture":   "its own inputs, and outputs that it breaks",
	"internal/gen":       "writes this repository",
}

// reading are files that call os.OpenFile to read only.
var reading = []string{"internal/regular/regular.go"}

// Files are written by one package, so that everything appears whole, is swept and has failpoints.
func TestOneWriter(t *testing.T) {
	for _, f := range goFiles(t, false) {
		if mayChange[filepath.ToSlash(filepath.Dir(f))] != "" {
			continue
		}
		set := token.NewFileSet()
		src, err := parser.ParseFile(set, filepath.Join(root(t), f), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(src, func(n ast.Node) bool {
			x, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := x.X.(*ast.Ident)
			if !ok || pkg.Name != "os" || !slices.Contains(changing, x.Sel.Name) || x.Sel.Name == "OpenFile" &&
				slices.Contains(reading, f) {
				return true
			}
			t.Errorf("%s: os.%s: files are changed by package whole", strings.TrimPrefix(set.Position(n.Pos()).String(), root(t)+"/"),
				x.Sel.Name)
			return true
		})
	}
}
