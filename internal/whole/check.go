package whole

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Check fails when the file path cannot be written: it is a folder, a device or a file that is read-only, its folder takes no files or
// cannot be made. Nothing is left behind, and a file that is there is not touched.
func Check(path string) error {
	switch st, err := os.Stat(path); {
	case err == nil && st.IsDir():
		return fail(path, errors.New("this is a folder"))
	case err == nil && !st.Mode().IsRegular():
		return fail(path, errors.New("this is not a regular file"))
	case err == nil && st.Mode().Perm()&0o222 == 0:
		return fail(path, errors.New("this file may only be read (chmod u+w lets it be replaced)"))
	case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR):
		return fail(path, err)
	}
	return try(path, filepath.Dir(path))
}

// CheckFolder is Check for the files of a folder.
func CheckFolder(dir string) error { return try(dir, dir) }

// Vacant reports whether there is nothing in the folder dir but what gtk has there while it writes. Errors are those of reading it.
func Vacant(dir string) (bool, error) {
	sweep(dir)
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if !temporaryName().MatchString(e.Name()) && !lockName().MatchString(e.Name()) {
			return false, nil
		}
	}
	return err == nil, err
}

// try makes a file in dir, and dir where it is missing, and takes all of it away; errors are of path.
func try(path, dir string) error {
	var made []string // the folders that are missing, the innermost first
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		st, err := os.Stat(d)
		if err == nil && !st.IsDir() {
			return &fs.PathError{Op: "write", Path: path, Err: errors.New(d + " is a file, not a folder")}
		}
		if err == nil || filepath.Dir(d) == d {
			break
		}
		if errors.Is(err, syscall.ENOTDIR) {
			continue // some way up is a file
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return fail(path, err)
		}
		if _, err := os.Lstat(d); err == nil {
			return &fs.PathError{Op: "write", Path: path, Err: errors.New(d + " is a symbolic link to nothing")}
		}
		made = append(made, d)
	}
	defer func() {
		for _, d := range made {
			os.Remove(d) // unless somebody has put something there
		}
	}()
	f, err := Create(filepath.Join(dir, "gtk"))
	if err != nil {
		p := fail(path, err)
		p.Err = fmt.Errorf("folder %s takes no files: %w", dir, p.Err)
		return p
	}
	f.Discard()
	return nil
}
