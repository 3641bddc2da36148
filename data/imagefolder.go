package data

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Format{
		Name: "imagefolder", Doc: "pictures in one sub-folder per class",
		Source: "https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html",
		is:     func(path string, info fs.FileInfo) bool { return info.IsDir() && hasClassFolders(path) },
		open:   openImageFolder,
	})
	register(Format{
		Name: "images", Doc: "pictures without classes: one file, or all below a folder",
		Source: "https://pkg.go.dev/image",
		is: func(path string, info fs.FileInfo) bool {
			return !info.IsDir() && isImage(path) || info.IsDir() && holdsImages(path)
		},
		open: openImages,
	})
}

// files is a data set of picture files below a root, decoded when asked for.
type files struct {
	root    string
	paths   []string // below root, with slashes; the ids
	labels  []int32  // nil: no classes
	classes []string
	limits  Limits
}

func (f *files) Len() int          { return len(f.paths) }
func (f *files) ID(i int) string   { return f.paths[i] }
func (f *files) Classes() []string { return f.classes }
func (f *files) File(i int) string { return filepath.Join(f.root, filepath.FromSlash(f.paths[i])) }

func (f *files) Label(i int) int {
	if f.labels == nil {
		return -1
	}
	return int(f.labels[i])
}

func (f *files) Example(i int) (Example, error) {
	x, err := loadPicture(f.File(i), f.limits)
	return Example{ID: f.ID(i), X: x, Picture: true, Label: f.Label(i)}, err
}

// loadPicture is a picture file as uint8 [C,H,W].
func loadPicture(path string, l Limits) (*tensor.Tensor, error) {
	img, err := LoadImage(path, l)
	if err != nil {
		return nil, err
	}
	return FromImage(img), nil
}

// openImageFolder reads the tree DIR/CLASS/…/FILE. Classes are the sub-folders in byte order; files are taken by extension, at
// any depth, in path order. Names that begin with a dot are skipped, symbolic links are followed to files only.
func openImageFolder(spec Spec, o Options, _ int) (Dataset, error) {
	entries, err := os.ReadDir(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("data: imagefolder: %w", err)
	}
	f := &files{root: spec.Path, limits: o.Limits, labels: []int32{}}
	var counts []int
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !isDir(filepath.Join(spec.Path, e.Name()), e) {
			continue
		}
		paths, err := walkImages(spec.Path, e.Name())
		if err != nil {
			return nil, err
		}
		for range paths {
			f.labels = append(f.labels, int32(len(f.classes)))
		}
		f.classes, f.paths, counts = append(f.classes, e.Name()), append(f.paths, paths...), append(counts, len(paths))
	}
	if len(f.paths) == 0 {
		if holdsImages(spec.Path) {
			return nil, malformed(spec.Path, "", "put the pictures into one sub-folder per class, or read them without classes as images:"+spec.Path, "no class folders")
		}
		return nil, malformed(spec.Path, "", "need DIR/CLASS/picture.{png,jpg,webp,bmp,tiff,gif}", "no pictures in %d sub-folders", len(f.classes))
	}
	if o.Classes == nil { // folders without pictures are not classes
		var keep []string
		to := make([]int32, len(f.classes))
		for c, n := range counts {
			to[c] = int32(len(keep))
			if n > 0 {
				keep = append(keep, f.classes[c])
			}
		}
		for i, l := range f.labels {
			f.labels[i] = to[l]
		}
		f.classes = keep
		return f, nil
	}
	for i, l := range f.labels {
		c, err := classIndex(spec.Path, f.paths[i], f.classes[l], o.Classes)
		if err != nil {
			return nil, err
		}
		f.labels[i] = int32(c)
	}
	f.classes = o.Classes
	return f, nil
}

// classIndex finds a class name in a given list: the name itself, or the first word of an entry ("n01440764 tench, Tinca").
func classIndex(path, place, name string, classes []string) (int, error) {
	if i := slices.Index(classes, name); i >= 0 {
		return i, nil
	}
	found := -1
	for i, c := range classes {
		first, _, _ := strings.Cut(c, " ")
		if strings.TrimSuffix(first, ",") == name {
			if found >= 0 {
				return 0, malformed(path, place, "give the whole name of the class", "class %q stands for several of the %d given classes", name, len(classes))
			}
			found = i
		}
	}
	if found < 0 {
		return 0, malformed(path, place, didYouMean(name, classes), "class %q is not among the %d given classes", name, len(classes))
	}
	return found, nil
}

// openImages reads one picture, or all pictures below a folder in path order.
func openImages(spec Spec, o Options, _ int) (Dataset, error) {
	info, err := os.Stat(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("data: images: %w", err)
	}
	if !info.IsDir() {
		return &files{root: filepath.Dir(spec.Path), paths: []string{filepath.Base(spec.Path)}, limits: o.Limits}, nil
	}
	paths, err := walkImages(spec.Path, ".")
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, malformed(spec.Path, "", "readable are png, jpeg, webp, bmp, tiff and gif", "no pictures in the folder")
	}
	return &files{root: spec.Path, paths: paths, limits: o.Limits}, nil
}

// walkImages lists the picture files below root/dir, relative to root, with slashes, in path order.
func walkImages(root, dir string) ([]string, error) {
	var paths []string
	start := filepath.Join(root, dir)
	if p, err := filepath.EvalSymlinks(start); err == nil {
		start = p
	}
	err := filepath.WalkDir(start, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(e.Name(), ".") && path != start {
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if e.IsDir() || !isImage(path) {
			return nil
		}
		rel, err := filepath.Rel(start, path)
		if err != nil {
			return err
		}
		paths = append(paths, filepath.ToSlash(filepath.Join(dir, rel)))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	return paths, nil
}

func isDir(path string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink != 0 {
		info, err := os.Stat(path)
		return err == nil && info.IsDir()
	}
	return e.IsDir()
}

// hasClassFolders reports whether a sub-folder of dir has a picture directly in it.
func hasClassFolders(dir string) bool {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if !strings.HasPrefix(e.Name(), ".") && isDir(sub, e) && holdsImages(sub) {
			return true
		}
	}
	return false
}

func holdsImages(dir string) bool {
	entries, _ := os.ReadDir(dir)
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && isImage(e.Name()) })
}
