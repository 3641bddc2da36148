package whole

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var errHeld = errors.New("held by another")

// BusyError is that somebody else writes the same file or folder.
type BusyError struct{ PID int } // 0 when it is not known

// Error says who, where that is known, and what to do.
func (e *BusyError) Error() string {
	who := "another gtk"
	switch e.PID {
	case 0:
	case os.Getpid():
		who = "this process"
	default:
		who = fmt.Sprintf("another gtk (process %d)", e.PID)
	}
	return who + " is writing it; wait until that is done, or give another name"
}

// Lock is the right to write a file or folder, for as long as a process lives. It is advisory: it keeps runs of gtk apart.
type Lock struct {
	f    *os.File
	made []string // folders that were missing, the innermost first
}

// Note writes a word into the lock, which Recover's function is given when the process dies before Release.
func (l *Lock) Note(word string) {
	mine.Delete(l.f.Name())
	_, _ = l.f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"+word+"\n"), 0)
}

// recovery is what Recover was given.
var recovery func(path, word string)

// Recover sets what finishes the work of a process that died while it held the Lock of path with a Note. It is called once, by the next
// that writes in that folder, while nobody else can have the lock. It is meant for init.
func Recover(f func(path, word string)) { recovery = f }

// Acquire takes the right to write path, a file or a folder, by a file beside it. It fails with a BusyError when another has it, also in
// this process. Missing folders are made, and taken away by Release when they are still empty.
func Acquire(path string) (*Lock, error) {
	l, err := acquire(path)
	if errors.Is(err, errHeld) {
		err = &BusyError{}
	}
	var busy *BusyError
	if err != nil && !errors.As(err, &busy) {
		return nil, fail(path, err)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "write", Path: path, Err: err}
	}
	return l, nil
}

// Wait is Acquire that waits for others, for what is done in a moment.
func Wait(path string) (*Lock, error) {
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		l, err := Acquire(path)
		var busy *BusyError
		if err == nil || !errors.As(err, &busy) {
			return l, err
		}
		time.Sleep(pause)
	}
}

func acquire(path string) (*Lock, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir := filepath.Dir(abs)
	l := &Lock{made: missing(dir)}
	if err := MakeFolder(dir); err != nil {
		return nil, err
	}
	base := filepath.Base(abs)
	name := filepath.Join(dir, "."+base[:min(len(base), 200)]+".gtk.lock")
	if l.f, err = lockFile(name); errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		if st, serr := os.Stat(abs); serr == nil && st.IsDir() { // a folder that may be written in one that may not
			l.f, err = lockFile(filepath.Join(abs, ".gtk.lock"))
		}
	}
	if err != nil {
		l.unmake()
		return nil, err
	}
	mine.Store(l.f.Name(), true)
	return l, nil
}

// lockFile opens and locks the file name, with the number of this process in it.
func lockFile(name string) (*os.File, error) {
	for range 100 {
		f, err := openNew(name, os.O_RDWR)
		if err != nil {
			return nil, err
		}
		switch err := flock(f, false); {
		case errors.Is(err, errors.ErrUnsupported):
			f.Close()
			if f, err = lockByName(name); err != nil {
				return nil, err
			}
		case errors.Is(err, errHeld):
			pid := holder(f)
			f.Close()
			return nil, &BusyError{pid}
		case err != nil:
			f.Close()
			return nil, err
		case !same(f, name): // it was released in this moment
			f.Close()
			continue
		}
		recoverFrom(f)
		if err := f.Truncate(0); err == nil {
			_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for others to be told
		}
		return f, nil
	}
	return nil, &BusyError{}
}

// lockByName is for where nothing can be locked: the file is there while its process lives.
func lockByName(name string) (*os.File, error) {
	if f, err := os.Open(name); err == nil {
		pid := holder(f)
		f.Close()
		if pid != 0 && alive(pid) {
			return nil, &BusyError{pid}
		}
		if err := os.Remove(name); err != nil {
			return nil, &BusyError{pid} // it is open elsewhere
		}
	}
	f, err := openNew(name, os.O_RDWR|os.O_EXCL)
	if errors.Is(err, fs.ErrExist) {
		return nil, &BusyError{}
	}
	return f, err
}

// holder is the number of the process in a lock.
func holder(f *os.File) int {
	b := make([]byte, 20)
	n, _ := f.ReadAt(b, 0)
	line, _, _ := strings.Cut(string(b[:n]), "\n")
	pid, _ := strconv.Atoi(line)
	return pid
}

// recoverFrom finishes what the process that has left the lock f had begun.
func recoverFrom(f *os.File) {
	b, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, 0, 1<<16), 1<<16))
	_, word, _ := strings.Cut(string(b), "\n")
	if word = strings.TrimSuffix(word, "\n"); err != nil || word == "" || recovery == nil {
		return
	}
	dir, name := filepath.Split(f.Name())
	recovery(filepath.Join(dir, strings.TrimSuffix(strings.TrimPrefix(name, "."), ".gtk.lock")), word)
}

// Release gives the right back. It may be called on nil and more than once.
func (l *Lock) Release() {
	if l == nil || l.f == nil {
		return
	}
	name := l.f.Name()
	mine.Delete(name)
	if runtime.GOOS == "windows" { // where what is open stays
		l.f.Close()
	}
	_ = remove(name) // the next run takes it away
	l.f.Close()      // after the name: whoever has opened the file finds that it is no more
	l.f = nil
	l.unmake()
}

func (l *Lock) unmake() {
	for _, d := range l.made {
		if os.Remove(d) != nil { // it has something in it
			return
		}
	}
}
