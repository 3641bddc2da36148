package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocs checks that every package and every exported name that it declares has a doc comment.
func TestDocs(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range goFiles(t, false) {
		if strings.HasSuffix(f, ".pb.go") || strings.Contains(f, "zz_") || strings.Contains(f, "_stubs_") {
			documented[path.Dir(f)] = true
			continue
		}
		fset := token.NewFileSet()
		src, err := parser.ParseFile(fset, filepath.Join(root(t), f), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if src.Doc != nil {
			documented[path.Dir(f)] = true
		} else if !documented[path.Dir(f)] {
			documented[path.Dir(f)] = false
		}
		at := func(n ast.Node) string { return fset.Position(n.Pos()).String() }
		for _, d := range src.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
					t.Errorf("%s: %s has no doc comment", at(d), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
							t.Errorf("%s: type %s has no doc comment", at(s), s.Name.Name)
						}
					case *ast.ValueSpec:
						for _, n := range s.Names {
							if n.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
								t.Errorf("%s: %s has no doc comment", at(s), n.Name)
							}
						}
					}
				}
			}
		}
	}
	for pkg, ok := range documented {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

// exportedReceiver reports whether d is a function, or a method that an interface of the standard library does not document already, of an
// exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	x := d.Recv.List[0].Type
	for {
		switch e := x.(type) {
		case *ast.StarExpr:
			x = e.X
			continue
		case *ast.IndexExpr:
			x = e.X
			continue
		case *ast.Ident:
			return e.IsExported()
		}
		return false
	}
}

// maxLines is the size above which a file must explain itself in ARCHITECTURE.md.
const maxLines = 600

func TestFileSize(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join(root(t), "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range goFiles(t, true) {
		if strings.HasSuffix(f, ".pb.go") || strings.Contains(f, "zz_") || strings.Contains(f, "_stubs_") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root(t), f))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(b), "\n"); n > maxLines && !strings.Contains(string(doc), f) {
			t.Errorf("%s has %d lines; split it, or say in ARCHITECTURE.md why it is long", f, n)
		}
	}
}

// TestPrivacy checks that the project names no path of a machine.
func TestPrivacy(t *testing.T) {
	bad := regexp.MustCompile(`(^|[^a-zA-Z0-9._])/(work|root|home|tmp)/[a-z]`)
	for _, f := range goFiles(t, true) {
		if strings.HasPrefix(f, "internal/arch/") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root(t), f))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(b), "\n") {
			if bad.MatchString(line) {
				t.Errorf("%s:%d names a path of a machine: %s", f, i+1, strings.TrimSpace(line))
			}
		}
	}
}
