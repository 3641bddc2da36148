package whole

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gtk-onnx/gtk/internal/failpoint"
)

// The steps by which files change, each with its failpoint.

func openNew(name string, flag int) (*os.File, error) {
	if err := failpoint.At(failpoint.Create, name); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.OpenFile(name, flag|os.O_CREATE, 0o666)
}

func rename(from, to string) error {
	if err := failpoint.At(failpoint.Rename, to); err != nil {
		return &fs.PathError{Op: "rename", Path: to, Err: err}
	}
	return os.Rename(from, to)
}

func remove(path string) error {
	if err := failpoint.At(failpoint.Remove, path); err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	return os.Remove(path)
}

func removeAll(path string) error {
	if err := failpoint.At(failpoint.Remove, path); err != nil {
		return &fs.PathError{Op: "remove", Path: path, Err: err}
	}
	return os.RemoveAll(path)
}

func mkdir(path string) error {
	if err := failpoint.At(failpoint.Mkdir, path); err != nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: err}
	}
	return os.Mkdir(path, 0o777)
}

// MakeFolder makes a folder and those above it that are missing.
func MakeFolder(dir string) error {
	if st, err := os.Stat(dir); err == nil && st.IsDir() {
		return nil
	}
	if err := failpoint.At(failpoint.Mkdir, dir); err != nil {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return os.MkdirAll(dir, 0o777)
}

// Link makes the file to another name of the file from, which must not be there.
func Link(from, to string) error {
	if err := failpoint.At(failpoint.Link, to); err != nil {
		return &fs.PathError{Op: "link", Path: to, Err: err}
	}
	return os.Link(from, to)
}

// Remove takes the file path away.
func Remove(path string) error { return remove(path) }

// RemoveFolder takes the folder dir away with all that is in it.
func RemoveFolder(dir string) error { return removeAll(dir) }

// syncDir makes the names in a folder survive a crash; not all systems can.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// same reports whether path is the open file f.
func same(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}

// missing are the folders that are not there yet of dir and those above it, the innermost first.
func missing(dir string) (out []string) {
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); err == nil || filepath.Dir(d) == d {
			return out
		}
		out = append(out, d)
	}
}
