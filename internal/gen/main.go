// Command gen writes what is derived from the registries: the version table of the operators (engine/graph/zz_versions.go) and the
// tables between <!-- generated:NAME --> and <!-- /generated --> in the Markdown files.
//
//	go run ./internal/gen          write what changed
//	go run ./internal/gen -check   fail, naming the first difference of each file, when something would change
package main

//go:generate go run github.com/gtk-onnx/gtk/internal/gen

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail when a file is not up to date")
	flag.Parse()
	root, err := moduleRoot()
	if err == nil {
		err = update(root, *check, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// moduleRoot is the folder of go.mod, here or above.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod here or above")
		}
		dir = up
	}
}

// update brings the generated files below root up to date, or with check reports all that are not in one error.
func update(root string, check bool, log io.Writer) error {
	files, err := generate(root)
	if err != nil {
		return err
	}
	var stale []error
	for _, f := range files {
		path := filepath.Join(root, filepath.FromSlash(f.path))
		have, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		switch {
		case bytes.Equal(have, f.content):
		case check:
			stale = append(stale, fmt.Errorf("%s is not up to date: %s", f.path, firstDifference(have, f.content)))
		default:
			if err := os.WriteFile(path, f.content, 0o644); err != nil {
				return err
			}
			fmt.Fprintln(log, "wrote", f.path)
		}
	}
	if len(stale) > 0 {
		return fmt.Errorf("%w\nrun: go run ./internal/gen", errors.Join(stale...))
	}
	return nil
}

// generated is a file as it should be.
type generated struct {
	path    string // from the root, with slashes
	content []byte
}

// generate makes all generated files.
func generate(root string) ([]generated, error) {
	table, err := versionTable()
	if err != nil {
		return nil, err
	}
	files := []generated{{"engine/graph/zz_versions.go", table}}
	pages, err := markdown(root)
	if err != nil {
		return nil, err
	}
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(page)))
		if err != nil {
			return nil, err
		}
		filled, err := fill(page, string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", page, err)
		}
		files = append(files, generated{page, []byte(filled)})
	}
	return files, nil
}

// markdown lists the Markdown files of the root and of docs.
func markdown(root string) ([]string, error) {
	pages, err := filepath.Glob(filepath.Join(root, "*.md"))
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(p, ".md") {
			pages = append(pages, p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for i, p := range pages {
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return nil, err
		}
		pages[i] = filepath.ToSlash(rel)
	}
	return pages, nil
}

// firstDifference says where two texts first differ, and how.
func firstDifference(have, want []byte) string {
	if len(have) == 0 {
		return "it does not exist"
	}
	h, w := strings.Split(string(have), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(h), len(w)) {
		if h[i] != w[i] {
			return fmt.Sprintf("line %d is %q, should be %q", i+1, h[i], w[i])
		}
	}
	return fmt.Sprintf("it has %d lines, should have %d", len(h), len(w))
}
