package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// openers are the packages that open files themselves: all others read through internal/regular, which refuses what is no regular file and
// never waits for one. What they open is named.
var openers = map[string]string{
	"internal/regular": "what others read",
	"internal/whole":   "the folders of what is written, to make it durable",
	"internal/memory":  "/proc and /sys",
	"internal/testkit": "files of tests",
	"internal/torture": "its own inputs, pipes and the outputs of what it runs",
	"internal/gen":     "the sources of this module",
}

// TestOpen checks that files are opened to be read in the packages that own it only.
func TestOpen(t *testing.T) {
	opening := []string{"Open", "ReadFile", "DirFS", "CopyFS"}
	for _, f := range goFiles(t, false) {
		if openers[path.Dir(f)] != "" {
			continue
		}
		fset := token.NewFileSet()
		src, err := parser.ParseFile(fset, filepath.Join(root(t), f), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, im := range src.Imports {
			if p, err := strconv.Unquote(im.Path.Value); err == nil && p == "io/ioutil" {
				t.Errorf("%s imports io/ioutil", f)
			}
		}
		ast.Inspect(src, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "os" && slices.Contains(opening, s.Sel.Name) {
				t.Errorf("%s: os.%s: read files with internal/regular", fset.Position(s.Pos()), s.Sel.Name)
			}
			return true
		})
	}
}
