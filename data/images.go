package data

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func init() {
	f := Format{
		Name: "images", Doc: "pictures without classes: one file, or all below a folder, in the order of the numbers in their names",
		Source: "https://pkg.go.dev/image",
		query:  []string{"recursive", "alpha"},
		is: func(path string, info fs.FileInfo) bool {
			return !info.IsDir() && kindByName(path) != nil || info.IsDir() && holdsImages(path)
		},
		open: openImages,
	}
	register(f)
	f.Name, f.Doc, f.is = "pictures", "another name of images", nil
	register(f)
}

// openImages reads one picture, or all pictures below a folder in natural order. Settings: ?recursive=false for those that lie in the
// folder itself, &alpha=drop|white|black.
func openImages(spec Spec, o Options, _ int) (Dataset, error) {
	info, err := os.Stat(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w", spec.Format, err)
	}
	p, err := newPictures(spec, o)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return &files{pictures: p, root: filepath.Dir(spec.Path), paths: []string{filepath.Base(spec.Path)}}, nil
	}
	deep := spec.Query.Get("recursive")
	if deep != "" && deep != "true" && deep != "false" {
		return nil, malformed(spec.Path, "", "need true or false", "recursive %q", deep)
	}
	f := newFolder(spec.Path, o)
	if err := f.walk(".", deep != "false"); err != nil {
		return nil, err
	}
	if len(f.paths) == 0 {
		return nil, f.nothing("no pictures in the folder", "readable are "+readable)
	}
	slices.SortFunc(f.paths, natural)
	return &files{pictures: p, root: spec.Path, paths: f.paths, left: f.omitted(), said: f.notes()}, nil
}

// natural compares paths as people count: runs of digits by their value, all else byte by byte.
func natural(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		m, n := digits(a[i:]), digits(b[j:])
		if m == 0 || n == 0 {
			if a[i] != b[j] {
				return cmp.Compare(a[i], b[j])
			}
			i, j = i+1, j+1
			continue
		}
		x, y := strings.TrimLeft(a[i:i+m], "0"), strings.TrimLeft(b[j:j+n], "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
			return c
		}
		i, j = i+m, j+n
	}
	return cmp.Or(cmp.Compare(len(a)-i, len(b)-j), cmp.Compare(a, b))
}

// digits is the number of digits that s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
