package data

import (
	"errors"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// linked is a data set of classes a and b of a picture each, beside a folder with other pictures, and a function that links.
func linked(t *testing.T) (set, other string, link func(to, at string)) {
	dir := t.TempDir()
	set, other = filepath.Join(dir, "set"), filepath.Join(dir, "other")
	picture := pngOf(image.NewGray(image.Rect(0, 0, 2, 2)))
	for _, p := range []string{filepath.Join(set, "a", "1.png"), filepath.Join(set, "b", "1.png"), filepath.Join(other, "x.png"),
		filepath.Join(other, "deep", "y.png")} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o777), os.WriteFile(p, picture, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	return set, other, func(to, at string) {
		if err := os.Symlink(to, filepath.Join(set, at)); err != nil {
			t.Skip(err)
		}
	}
}

func idsIn(t *testing.T, spec string, o Options) []string {
	ds, err := Open(spec, o)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for i := range ds.Len() {
		if _, err := ds.Example(i); err != nil {
			t.Error(err)
		}
		ids = append(ids, ds.ID(i))
	}
	return ids
}

// Links out of a folder of data are followed when that is asked for; links inside are, and the folder itself may be a link.
func TestLinksOut(t *testing.T) {
	for name, to := range map[string]func(other string) string{
		"a/2.png": func(o string) string { return filepath.Join(o, "x.png") },
		"a/dir":   func(o string) string { return o },
		"c":       func(o string) string { return o },
		"a/rel":   func(string) string { return "../../other" },
		"a/3.png": func(string) string { return "../../other/x.png" },
	} {
		t.Run(name, func(t *testing.T) {
			set, other, link := linked(t)
			link(to(other), name)
			for _, spec := range []string{"imagefolder:" + set, "images:" + set} {
				_, err := Open(spec, Options{})
				var f *FormatError
				if !errors.As(err, &f) || !strings.Contains(err.Error(), "--follow-links") || !strings.Contains(err.Error(), name) {
					t.Errorf("%s: %v", spec, err)
				}
				ids := idsIn(t, spec, Options{FollowLinks: true})
				if len(ids) < 3 || !slices.Contains(ids, "a/1.png") || !slices.IsSorted(ids) && strings.HasPrefix(spec, "imagefolder") {
					t.Errorf("%s: %q", spec, ids)
				}
			}
			if name != "c" { // a class that is not there would change the numbers of the others
				if ids := idsIn(t, "imagefolder:"+set, Options{OnBadSample: "skip"}); len(ids) != 2 {
					t.Errorf("%q", ids)
				}
			}
		})
	}
}

func TestLinksInside(t *testing.T) {
	set, _, link := linked(t)
	link("../a/1.png", "b/2.png")
	link("a", "c")
	root := filepath.Join(filepath.Dir(set), "root")
	if err := os.Symlink(set, root); err != nil {
		t.Skip(err)
	}
	for _, dir := range []string{set, root} {
		if ids := idsIn(t, "imagefolder:"+dir, Options{}); !slices.Equal(ids, []string{"a/1.png", "b/1.png", "b/2.png", "c/1.png"}) {
			t.Errorf("%s: %q", dir, ids)
		}
	}
}

// Loops end, and a chain of folders with two links each to the next one is no 2^n folders.
func TestLinkLoops(t *testing.T) {
	set, _, link := linked(t)
	link("..", "a/up")
	link(".", "b/here")
	link("../b", "a/b")
	link("../a", "b/a")
	link("self.png", "b/self.png")
	for i := range 30 {
		dir := filepath.Join(set, "a", "chain"+string(rune('A'+i)))
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"p", "q"} {
			link("../chain"+string(rune('A'+i+1)), filepath.Join("a", filepath.Base(dir), name))
		}
	}
	ds, err := Open("imagefolder:"+set, Options{FollowLinks: true})
	if err != nil {
		t.Fatal(err)
	}
	if ds.Len() > 20 {
		t.Errorf("%d pictures", ds.Len())
	}
	if _, err := Open("imagefolder:"+set, Options{}); err != nil { // all stay inside
		t.Error(err)
	}
}

// The files of a set of a fixed form are looked at too.
func TestLinkedFiles(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "secret")
	if err := errors.Join(os.WriteFile(out, []byte("\x00\x00\x08\x01\x00\x00\x00\x00"), 0o666), os.Mkdir(filepath.Join(dir, "idx"), 0o777),
		os.Mkdir(filepath.Join(dir, "cifar"), 0o777)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"idx/train-images-idx3-ubyte", "idx/train-labels-idx1-ubyte.gz", "cifar/data_batch_1.bin"} {
		if err := os.Symlink(out, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	for _, spec := range []string{"idx:" + filepath.Join(dir, "idx"), "cifar10:" + filepath.Join(dir, "cifar")} {
		if _, err := Open(spec, Options{}); err == nil || !strings.Contains(err.Error(), "--follow-links") {
			t.Errorf("%s: %v", spec, err)
		}
		if _, err := Open(spec, Options{FollowLinks: true}); err == nil || strings.Contains(err.Error(), "--follow-links") {
			t.Errorf("%s: %v", spec, err)
		}
	}
}
