// Package whole writes files, and folders of files, that appear whole or not at all: under a temporary name beside the target, which the
// writing process keeps locked, then synced and renamed. A program that is killed while it writes leaves its temporary files behind;
// whoever writes in that folder next takes them away. Nothing else in gtk changes files.
package whole

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/gtk-onnx/gtk/internal/failpoint"
)

// File is a file in the making. It ends with Commit or Discard.
type File struct {
	f    *os.File
	path string // that it gets
	open bool   // it ends in zeros that are not there yet
}

// Create begins the file path; missing folders are made. Errors name path.
func Create(path string) (*File, error) {
	dir := filepath.Dir(path)
	if err := MakeFolder(dir); err != nil {
		return nil, fail(path, err)
	}
	sweep(dir)
	f, err := temporary(dir, filepath.Base(path))
	if err != nil {
		return nil, fail(path, err)
	}
	return &File{f: f, path: path}, nil
}

// Write appends b.
func (f *File) Write(b []byte) (int, error) {
	half := func() { _, _ = f.f.Write(b[:len(b)/2]) }
	if err := failpoint.Writing(f.path, half); err != nil {
		return 0, fail(f.path, err)
	}
	n, err := f.f.Write(b)
	if err != nil {
		err = fail(f.path, err)
	}
	f.open = f.open && n == 0
	return n, err
}

// Skip appends n zeros, which take no room on the disk where the file system can do that.
func (f *File) Skip(n int64) error {
	if _, err := f.f.Seek(n, io.SeekCurrent); err != nil {
		return fail(f.path, err)
	}
	f.open = f.open || n > 0
	return nil
}

// Done says that all has been written; what is in the file can be read then.
func (f *File) Done() error {
	if !f.open {
		return nil
	}
	size, err := f.f.Seek(0, io.SeekCurrent)
	if err == nil {
		err = f.f.Truncate(size)
	}
	f.open = false
	if err != nil {
		return fail(f.path, err)
	}
	return nil
}

// Name is the temporary name of f.
func (f *File) Name() string { return f.f.Name() }

// To changes the name that f gets, in the same folder.
func (f *File) To(path string) { f.path = path }

// Commit syncs f and gives it its name. Whatever fails, the temporary file is gone.
func (f *File) Commit() error {
	name := f.f.Name()
	defer mine.Delete(name)
	err := failpoint.At(failpoint.Sync, f.path)
	if err == nil {
		err = f.Done()
	}
	if err == nil {
		err = f.f.Sync()
	}
	if runtime.GOOS == "windows" { // where what is open cannot be renamed
		err = errors.Join(err, f.f.Close())
	}
	if err == nil {
		err = rename(name, f.path) // while it is locked: nobody sweeps it away
	}
	if err != nil {
		f.f.Close()
		os.Remove(name)
		return fail(f.path, err)
	}
	f.f.Close() // synced before
	syncDir(filepath.Dir(f.path))
	return nil
}

// Discard takes f away.
func (f *File) Discard() {
	name := f.f.Name()
	defer mine.Delete(name)
	if runtime.GOOS == "windows" {
		f.f.Close()
	}
	os.Remove(name)
	f.f.Close()
}

// Write writes the file path by write. After an error nothing of it is there.
func Write(path string, write func(w io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Discard()
		return err
	}
	return f.Commit()
}

// WriteNew writes a file that must not be there yet, for a folder that is itself in the making: it gets its name at once, and is not
// synced.
func WriteNew(path string, r io.Reader) error {
	f, err := openNew(path, os.O_WRONLY|os.O_EXCL)
	if err != nil {
		return fail(path, err)
	}
	_, err = io.Copy(&File{f: f, path: path}, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return fail(path, err)
	}
	return nil
}

// fail is err as one of writing path, as it will be called where it is in a folder in the making.
func fail(path string, err error) *fs.PathError {
	path = called(path)
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		err = p.Err
	case errors.As(err, &l):
		err = l.Err
	}
	return &fs.PathError{Op: "write", Path: path, Err: err}
}
