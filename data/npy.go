package data

import (
	"errors"
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
		Name: "npy",
		Doc: "a NumPy array, x, or a folder of them: x.npy, y.npy and the like, as the arrays of an npz; rows of large ones are read from " +
			"the file when they are asked for",
		Source: "https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html",
		splits: npzSplits,
		query:  []string{"as", "task", "y"},
		is: func(path string, info fs.FileInfo) bool {
			return !info.IsDir() && strings.EqualFold(filepath.Ext(path), ".npy") || info.IsDir() && holdsNPY(path)
		},
		open: openNPY,
	})
}

// maxArrays is how many arrays a folder may have.
const maxArrays = 1 << 10

// holdsNPY reports whether dir has an array that is called x or as one would be.
func holdsNPY(dir string) bool {
	entries, _ := os.ReadDir(dir)
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		name, ok := strings.CutSuffix(e.Name(), ".npy")
		base, _ := ofSplit(name)
		return ok && !e.IsDir() && (strings.EqualFold(base, "x") || slices.Contains(usualX, strings.ToLower(base)))
	})
}

// openNPY reads FILE.npy as x, with ?y=FILE.npy for the labels, below its folder; or all arrays of a folder by the names of their files, as
// those of an archive, see openNPZ. Settings: ?as= &task= as there.
func openNPY(spec Spec, o Options, _ int) (Dataset, error) {
	if spec.Query.Has("task") {
		o.Task = spec.Query.Get("task")
	}
	if err := o.checkTask(spec.Path); err != nil {
		return nil, err
	}
	names := map[string]string{} // of arrays, by file
	var files []string
	if !isFolder(spec.Path) {
		files = []string{spec.Path}
		names[spec.Path] = "x"
		if spec.Split != "" {
			return nil, malformed(spec.Path, "", "leave #"+spec.Split+" out, or name the folder of the arrays", "one array has no parts")
		}
		if y := spec.Query.Get("y"); y != "" {
			if !filepath.IsLocal(filepath.FromSlash(y)) {
				return nil, malformed(spec.Path, "", "the file of the labels lies beside that of x", "path %q leaves the folder", clip(y))
			}
			y = filepath.Join(filepath.Dir(spec.Path), filepath.FromSlash(y))
			files, names[y] = append(files, y), "y"
		}
	} else {
		if spec.Query.Has("y") {
			return nil, malformed(spec.Path, "", "name the file x, as in npy:FOLDER/x.npy?y=labels.npy", "?y= beside a folder")
		}
		entries, err := os.ReadDir(spec.Path)
		if err != nil {
			return nil, fmt.Errorf("data: npy: %w", err)
		}
		for _, e := range entries {
			name, ok := strings.CutSuffix(e.Name(), ".npy")
			if !ok || e.IsDir() || hidden(e.Name()) {
				continue
			}
			path := filepath.Join(spec.Path, e.Name())
			if files, names[path] = append(files, path), name; len(files) > maxArrays {
				return nil, malformed(spec.Path, "", "write examples into one array x [N,…]", "more than %d arrays", maxArrays)
			}
		}
		if files == nil {
			return nil, malformed(spec.Path, "", "need x.npy and y.npy", "no .npy files in the folder")
		}
	}
	var arrays []tensor.Named
	late := map[*tensor.Tensor]*stored{}
	for _, f := range files {
		t, s, err := readNPYFile(f, names[f], o)
		if errors.Is(err, tensor.ErrNPY) || errors.Is(err, tensor.ErrShape) {
			return nil, &FormatError{Path: f, Problem: "cannot read the array", Err: err, Remedy: "write it with numpy.save(file, x)"}
		}
		if err != nil {
			return nil, err
		}
		if arrays = append(arrays, tensor.Named{Name: names[f], Tensor: t}); s != nil {
			late[t] = s
		}
	}
	return arraySet(spec, arrays, late, o)
}

// readNPYFile is the array of a file, or what stands for it where its rows are read when they are asked for.
func readNPYFile(path, name string, o Options) (*tensor.Tensor, *stored, error) {
	disk, err := newOnDisk(path)
	if err != nil {
		return nil, nil, err
	}
	s, stands, err := leftInPlace(disk, name, 0, disk.size)
	if s != nil || err != nil {
		return stands, s, err
	}
	if disk.size > o.Limits.bytes() {
		return nil, nil, overLimit(path, "", fmt.Sprintf("a file of %d bytes", disk.size), o.Limits)
	}
	arrays, err := tensor.ReadFileLimited(path, tensor.Limits{MaxBytes: o.Limits.bytes()})
	if err != nil {
		return nil, nil, fmt.Errorf("data: npy: %w", err)
	}
	return arrays[0].Tensor, nil, nil
}
