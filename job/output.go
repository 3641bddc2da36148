package job

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
)

// Number is a float that is null in JSON when it is not finite.
type Number float64

// MarshalJSON is the number, or null.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// MayWrite fails when path exists and force is not given.
func MayWrite(path string, force bool) error {
	if force {
		return nil
	}
	if _, err := os.Lstat(path); err == nil {
		return usagef("%s exists already; give --force to replace it", path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// OutDir makes the output folder of a command. A folder that is not empty needs force.
func OutDir(dir string, force bool) error {
	if dir == "" {
		return usagef("the output folder is missing: give -o DIR")
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.MkdirAll(dir, 0o777)
	case err != nil:
		return err
	case len(entries) > 0 && !force:
		return usagef("folder %s is not empty; give --force to write into it", dir)
	}
	return nil
}

// WriteFile writes a file by way of a temporary one that is synced and renamed, so that no reader sees half of it.
func WriteFile(path string, write func(f *os.File) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".gtk-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err = write(f); err != nil {
		f.Close()
		return err
	}
	if err = f.Chmod(0o666 &^ umask()); err != nil {
		f.Close()
		return err
	}
	if err = f.Sync(); err != nil {
		f.Close()
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// umask is the usual mask of permissions; files are never written executable.
func umask() os.FileMode { return 0o022 }

// WriteTo is WriteFile for writers.
func WriteTo(path string, write func(w io.Writer) error) error {
	return WriteFile(path, func(f *os.File) error { return write(f) })
}
