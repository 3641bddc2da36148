package data

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// follows says what to do about a symbolic link out of a folder of data.
const follows = "--follow-links follows it (in Go: Options.FollowLinks), or put what it names in its place"

// leads reports where the links in path, which is below root, lead, when that is out of root; "" when they stay in it or lead nowhere. The
// root may be a link itself.
func leads(root, path string) (out string) {
	r, err := filepath.EvalSymlinks(root)
	if err != nil {
		return ""
	}
	p, err := filepath.EvalSymlinks(path)
	if err != nil || within(r, p) {
		return "" // what leads nowhere is an error where it is read
	}
	return p
}

// within reports whether path is dir or lies below it; both are without links.
func within(dir, path string) bool {
	a, errA := filepath.Abs(dir)
	b, errB := filepath.Abs(path)
	if errA != nil || errB != nil {
		return false
	}
	rel, err := filepath.Rel(a, b)
	return err == nil && filepath.IsLocal(rel)
}

// outside is the error of a link out of a folder.
func outside(root, id, out string) error {
	return malformed(root, "", follows, "%s is a symbolic link out of the folder, to %s", clip(id), clip(out))
}

// checkFile refuses the file name of the folder dir, or name.gz, where it is a link out of it.
func (o Options) checkFile(dir, name string) error {
	if o.FollowLinks {
		return nil
	}
	for _, path := range []string{name, name + ".gz"} {
		if out := leads(dir, path); out != "" {
			return outside(dir, filepath.Base(path), out)
		}
	}
	return nil
}

// link takes the symbolic link path in as a file, walks through the folder that it names, or leaves it out.
func (f *folder) link(w walk, path, id string, e fs.DirEntry) error {
	out := leads(f.root, path)
	toFolder := isDir(path, e)
	switch {
	case out != "" && !f.follow && !f.skip:
		return outside(f.root, id, out)
	case out != "" && !f.follow:
		f.omit("link out of the folder", id, follows)
	case !toFolder:
		f.take(path, id)
	case !f.follow:
		f.omit("link to a folder", id, "--follow-links follows it, or put the folder itself in its place")
	case w.deep:
		return f.through(w, path, id)
	}
	return nil
}

// through walks through the folder that a link names: once, and not where the link lies in it.
func (f *folder) through(w walk, path, id string) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	again := w.seen[target]
	for _, dir := range append(w.inside, filepath.Dir(path)) {
		again = again || within(target, dir)
	}
	if again {
		f.omit("link to a folder that is read already", id, "")
		return nil
	}
	w.seen[target] = true
	w.inside = append(w.inside[:len(w.inside):len(w.inside)], filepath.Dir(path))
	return f.walkFrom(w, target, id)
}

// walk is how a folder is gone through.
type walk struct {
	deep   bool            // folders in it too
	seen   map[string]bool // folders that links named
	inside []string        // folders of the links that led here
}

// walkFrom adds what lies in start, whose path below the root is dir.
func (f *folder) walkFrom(w walk, start, dir string) error {
	return filepath.WalkDir(start, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == start:
			return nil
		case hidden(e.Name()) || e.IsDir() && !w.deep:
			if e.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case e.IsDir():
			return nil
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(path, start), string(os.PathSeparator))
		id := filepath.ToSlash(filepath.Join(dir, rel))
		if e.Type()&fs.ModeSymlink != 0 {
			return f.link(w, path, id, e)
		}
		f.take(path, id)
		return nil
	})
}
