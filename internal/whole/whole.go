// Package whole writes files that appear whole or not at all: under a temporary name beside the target, synced and renamed. A program
// that is killed while it writes leaves that temporary file behind; whoever writes the same target next takes it away.
package whole

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// File is a file in the making. It ends with Commit or Discard.
type File struct {
	*os.File
	path string // that it gets
}

// Create begins the file path; missing folders are made. Errors name path.
func Create(path string) (*File, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fail(path, err)
	}
	sweep(path)
	name := filepath.Join(dir, fmt.Sprintf("%s%d.%016x%s", prefix(path), os.Getpid(), rand.Uint64(), suffix))
	open.Store(name, true)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		open.Delete(name)
		return nil, fail(path, err)
	}
	return &File{f, path}, nil
}

// Commit syncs f and gives it its name. Whatever fails, the temporary file is gone.
func (f *File) Commit() error {
	defer open.Delete(f.Name())
	err := f.Sync()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fail(f.path, err)
	}
	if d, err := os.Open(filepath.Dir(f.path)); err == nil { // so that the name survives a crash; not all systems can
		_ = d.Sync()
		d.Close()
	}
	return nil
}

// Discard takes f away.
func (f *File) Discard() {
	f.Close()
	os.Remove(f.Name())
	open.Delete(f.Name())
}

// Write writes the file path by write. After an error nothing of it is there.
func Write(path string, write func(f *os.File) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	if err := write(f.File); err != nil {
		f.Discard()
		var p *fs.PathError
		if errors.As(err, &p) && p.Path == f.Name() {
			p.Path = path
		}
		return err
	}
	return f.Commit()
}

// fail is err as one of writing path.
func fail(path string, err error) *fs.PathError {
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

const (
	suffix = ".tmp"
	stale  = time.Hour // after which a temporary file is nobody's, although a process of that number runs
)

// open are the temporary files of this process.
var open sync.Map

// prefix begins the names of temporary files of path: ".NAME.", with long names cut to what a name can hold.
func prefix(path string) string {
	base := filepath.Base(path)
	return "." + base[:min(len(base), 160)] + "."
}

// sweep takes away what processes that are gone have left of path.
func sweep(path string) {
	dir, pre := filepath.Dir(path), prefix(path)
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	names, _ := d.Readdirnames(-1) // those that could be read
	d.Close()
	for _, n := range names {
		rest, ours := strings.CutPrefix(n, pre)
		rest, temporary := strings.CutSuffix(rest, suffix)
		pid, tail, whole := strings.Cut(rest, ".")
		id, err := strconv.Atoi(pid)
		if !ours || !temporary || !whole || len(tail) != 16 || err != nil {
			continue
		}
		name := filepath.Join(dir, n)
		if _, mine := open.Load(name); mine {
			continue
		}
		st, err := os.Lstat(name)
		if err != nil || !st.Mode().IsRegular() {
			continue
		}
		if id == os.Getpid() || !alive(id) || time.Since(st.ModTime()) > stale {
			os.Remove(name)
		}
	}
}

// alive reports whether a process of that number runs.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	return !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
