package whole

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Folder is a folder of files in the making. It ends with Commit or Discard.
//
// A folder that is new, or empty, appears whole: it is renamed. In one that has something in it already, everything is written first, and
// then takes its place name by name; Commit's head, which stands for the whole, goes first and comes last, so that a folder with its head
// is all old or all new. Folders in it are replaced at once.
type Folder struct {
	Path string // where its files are written

	dir   string   // that it gets
	held  *os.File // its lock
	empty bool     // dir is there, with nothing in it, and is replaced
}

// CreateFolder begins the folder dir. Errors name dir.
func CreateFolder(dir string) (*Folder, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fail(dir, err)
	}
	f := &Folder{dir: dir}
	parent, base := filepath.Dir(abs), filepath.Base(abs)
	st, err := os.Lstat(dir)
	if err == nil && st.IsDir() && vacant(dir) && !here(abs) {
		sweep(parent)
		if f.Path, f.held, err = temporaryFolder(parent, base); err == nil {
			f.empty = true
			_ = os.Chmod(f.Path, st.Mode().Perm())
			making.Store(f.Path, dir)
			return f, nil
		}
	}
	if _, err := os.Stat(dir); err == nil {
		parent, base = abs, "gtk"
	} else if err := MakeFolder(parent); err != nil {
		return nil, fail(dir, err)
	}
	sweep(parent)
	if f.Path, f.held, err = temporaryFolder(parent, base); err != nil {
		return nil, fail(dir, err)
	}
	making.Store(f.Path, dir)
	return f, nil
}

// making are the folders of this process that are in the making, by where they are now, with what they will be.
var making sync.Map

// called is path as it will be called.
func called(path string) string {
	for dir := filepath.Dir(path); filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if to, ok := making.Load(dir); ok {
			rel, err := filepath.Rel(dir, path)
			if err != nil {
				return path
			}
			return called(filepath.Join(to.(string), rel))
		}
	}
	return path
}

// vacant reports whether there is nothing in dir but what was left behind or is in the making.
func vacant(dir string) bool {
	sweep(dir)
	entries, err := os.ReadDir(dir)
	return err == nil && len(entries) == 0
}

// here reports whether dir is the folder that this process runs in, which stays where it is.
func here(dir string) bool {
	a, errA := os.Stat(".")
	b, errB := os.Stat(dir)
	return errA != nil || errB != nil || os.SameFile(a, b)
}

// Commit gives the files their names. Heads are names in the folder that stand for the whole of it. After an error what has not got its
// name is gone.
func (f *Folder) Commit(heads ...string) error {
	defer f.Discard()
	if f.empty {
		_ = os.Remove(f.dir) // a folder with something in it stays
	}
	if _, err := os.Lstat(f.dir); errors.Is(err, fs.ErrNotExist) {
		err := rename(f.Path, f.dir)
		if err == nil {
			syncDir(filepath.Dir(f.dir))
			return nil
		}
		if f.empty {
			_ = os.Mkdir(f.dir, 0o777)
		}
		if _, serr := os.Lstat(f.dir); serr != nil {
			return fail(f.dir, err)
		}
	}
	return f.into(heads)
}

// into gives the files their names in a folder that is there.
func (f *Folder) into(heads []string) error {
	entries, err := os.ReadDir(f.Path)
	if err != nil {
		return fail(f.dir, err)
	}
	var names, last []string
	for _, e := range entries {
		if !slices.Contains(heads, e.Name()) {
			names = append(names, e.Name())
		}
	}
	for _, h := range heads {
		if slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == h }) {
			last = append(last, h)
		}
	}
	for _, h := range slices.Backward(last) {
		if len(names) == 0 && len(last) == 1 {
			break // it takes the place of the old one at once
		}
		if err := remove(filepath.Join(f.dir, h)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(filepath.Join(f.dir, h), err)
		}
	}
	for _, n := range append(names, last...) {
		if err := f.place(n); err != nil {
			return fail(filepath.Join(f.dir, n), err)
		}
	}
	syncDir(f.dir)
	return nil
}

// place moves one entry to where it belongs. An old folder of that name goes away with f.
func (f *Folder) place(name string) error {
	from, to := filepath.Join(f.Path, name), filepath.Join(f.dir, name)
	st, err := os.Lstat(to)
	if err != nil || !st.IsDir() {
		return rename(from, to)
	}
	if err := swap(from, to); err == nil || !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := rename(to, from+".old"); err != nil {
		return err
	}
	return rename(from, to)
}

// Discard takes f away. After Commit it does nothing.
func (f *Folder) Discard() {
	if f.held == nil {
		return
	}
	if same(f.held, f.Path) {
		f.release()
		_ = removeAll(f.Path) // what cannot be removed is swept by the next run
	}
	f.release()
}

func (f *Folder) release() {
	making.Delete(f.Path)
	mine.Delete(f.Path)
	if f.held != nil {
		f.held.Close()
		f.held = nil
	}
}

// Temporary is a folder for files that nobody else is to see, beside those of other programs. done takes it away.
func Temporary(name string) (dir string, done func(), err error) {
	sweep(os.TempDir())
	path, held, err := temporaryFolder(os.TempDir(), name)
	if err != nil {
		return "", nil, err
	}
	f := &Folder{Path: path, held: held}
	return path, f.Discard, nil
}
