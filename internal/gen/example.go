package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// exampleProgram is the function Example of the test file that the marker names, as a program.
func exampleProgram(c context) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	src, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(c.arg)))
	if err != nil {
		return "", err
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, c.arg, src, parser.ParseComments)
	if err != nil {
		return "", err
	}
	at := func(p token.Pos) int { return set.Position(p).Offset }
	var imports, body string
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				imports = string(src[at(d.Pos()):at(d.End())])
			}
		case *ast.FuncDecl:
			if d.Name.Name == "Example" {
				body, _, _ = strings.Cut(string(src[at(d.Body.Lbrace)+1:at(d.Body.Rbrace)]), "\t// Output:")
			}
		}
	}
	if body == "" {
		return "", fmt.Errorf("%s has no function Example", c.arg)
	}
	return "```go\npackage main\n\n" + imports + "\n\nfunc main() {" + body + "}\n```\n", nil
}
