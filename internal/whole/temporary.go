package whole

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gtk-onnx/gtk/internal/failpoint"
	"github.com/gtk-onnx/gtk/internal/lazy"
)

// Temporary names are .NAME.PID.16HEX.gtk.tmp, and those of locks .NAME.gtk.lock.
var (
	temporaryName = lazy.Regexp(`^\..*\.([0-9]+)\.[0-9a-f]{16}\.gtk\.tmp$`)
	lockName      = lazy.Regexp(`^\..*\.gtk\.lock$`)
)

const (
	stale   = time.Hour        // after which what cannot be locked here is nobody's, although a process of that number runs
	between = 10 * time.Second // sweeps of one folder
)

// mine are the temporary files and folders of this process, and its locks that have no Note.
var mine sync.Map

// nameFor is a temporary name for base, which is cut to what a name can hold.
func nameFor(base string) string {
	return fmt.Sprintf(".%s.%d.%016x.gtk.tmp", base[:min(len(base), 160)], os.Getpid(), rand.Uint64())
}

// temporary makes a temporary file in dir and locks it for as long as it is open.
func temporary(dir, base string) (*os.File, error) {
	for range 100 {
		f, err := openNew(filepath.Join(dir, nameFor(base)), os.O_RDWR|os.O_EXCL)
		if err != nil {
			return nil, err
		}
		// A sweep may have been faster than the lock: then the file is gone, and another is made.
		if err := flock(f, true); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			f.Close()
			os.Remove(f.Name())
			return nil, err
		}
		if same(f, f.Name()) {
			mine.Store(f.Name(), true)
			return f, nil
		}
		f.Close()
	}
	return nil, errors.New("temporary files are taken away as soon as they are made")
}

// temporaryFolder is temporary for a folder.
func temporaryFolder(dir, base string) (string, *os.File, error) {
	for range 100 {
		name := filepath.Join(dir, nameFor(base))
		if err := mkdir(name); err != nil {
			return "", nil, err
		}
		f, err := os.Open(name)
		if err != nil {
			if os.IsNotExist(err) {
				continue
			}
			os.Remove(name)
			return "", nil, err
		}
		if err := flock(f, true); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			f.Close()
			os.Remove(name)
			return "", nil, err
		}
		if same(f, name) {
			mine.Store(name, true)
			return name, f, nil
		}
		f.Close()
	}
	return "", nil, errors.New("temporary folders are taken away as soon as they are made")
}

var (
	sweeping sync.Mutex
	swept    = map[string]time.Time{} // when each folder was
)

// Sweep takes away what processes that are gone have left in dir, as everything that writes there does.
func Sweep(dir string) { sweep(dir) }

// sweep takes away what processes that are gone have left in dir: files and folders in the making, whatever they were to be, and locks.
func sweep(dir string) {
	sweeping.Lock()
	defer sweeping.Unlock()
	at, err := filepath.Abs(dir)
	if err != nil || time.Since(swept[at]) < between {
		return
	}
	swept[at] = time.Now()
	entries, _ := os.ReadDir(dir) // those that could be read; what is no folder, such as a pipe, is not opened
	for _, e := range entries {
		n := e.Name()
		if m := temporaryName().FindStringSubmatch(n); m != nil {
			pid, _ := strconv.Atoi(m[1]) // of 0, which is no process, when it is too large
			sweepOne(filepath.Join(dir, n), pid)
		} else if lockName().MatchString(n) {
			sweepOne(filepath.Join(dir, n), 0)
		}
	}
}

// sweepOne takes a temporary file or folder away, unless somebody holds it. Where nothing can be locked it must be old, or its process
// gone.
func sweepOne(name string, pid int) {
	st, err := os.Lstat(name)
	if err != nil || !st.Mode().IsRegular() && !st.IsDir() {
		return
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if st.IsDir() {
		f, err = os.Open(name)
	}
	if err != nil {
		return // another user's, or open elsewhere on a system where that locks
	}
	defer f.Close()
	switch err := flock(f, false); {
	case errors.Is(err, errors.ErrUnsupported):
		if lockName().MatchString(st.Name()) && alive(holder(f)) {
			return
		}
		if (pid == 0 || alive(pid)) && time.Since(st.ModTime()) < stale {
			return
		}
		f.Close() // or it could not be removed
	case err != nil:
		return // it is held
	case !same(f, name):
		return // another has swept it
	}
	if lockName().MatchString(st.Name()) {
		recoverFrom(f)
	}
	if failpoint.At(failpoint.Remove, name) == nil {
		_ = os.RemoveAll(name) // what cannot be removed stays until the next time
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
