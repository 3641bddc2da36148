package job

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/whole"
)

// output is a file or folder that a command writes.
type output struct {
	flag   string // that names it
	path   string // "" for none
	folder bool   // of files
	model  bool   // it may take the place of the model that it is made of
	force  bool   // what is there may be replaced
	inner  bool   // it is in the folder of another output, and comes and goes with that
}

// read is a file or folder that a command reads.
type read struct {
	what, path string
	model      bool
}

// reads are the files that model and options name.
func reads(model string, o ModelOptions, specs ...string) []read {
	r := []read{{"the model", model, true}, {"--labels", o.Labels, false}}
	if strings.HasPrefix(model, BuiltinPrefix) {
		r[0].path = ""
	}
	for _, s := range specs {
		for _, p := range data.Paths(s) {
			r = append(r, read{"data", p, false})
		}
	}
	return r
}

// and adds files that are given one by one, as FILE or NAME=FILE.
func and(r []read, what string, paths ...string) []read {
	for _, p := range paths {
		if _, err := os.Lstat(p); err != nil {
			_, p, _ = strings.Cut(p, "=")
		}
		r = append(r, read{what, p, false})
	}
	return r
}

// claim checks before the work that every output can be written, that no two of them are one file and none is a file that is read, and
// takes the right to write them, which ends with release: another process that wants to write the same is told so at its start.
func claim(in []read, outs ...output) (release func(), err error) {
	if err := apart(in, outs); err != nil {
		return nil, err
	}
	for _, o := range outs {
		switch {
		case o.path == "":
		case o.folder:
			err = MayFill(o.path, o.force)
		default:
			err = MayWrite(o.path, o.force)
		}
		if err != nil {
			return nil, err
		}
	}
	return acquire(outs)
}

// acquire takes the right to write the outputs.
func acquire(outs []output) (release func(), err error) {
	var locks []*whole.Lock
	release = func() {
		for _, l := range locks {
			l.Release()
		}
	}
	taken := map[string]bool{}
	for _, o := range outs {
		if o.path == "" || o.inner || taken[place(o.path)] {
			continue
		}
		taken[place(o.path)] = true
		l, err := whole.Acquire(o.path)
		if err != nil {
			release()
			return nil, err
		}
		locks = append(locks, l)
	}
	return release, nil
}

// apart fails when an output is another one, or one of the files that are read.
func apart(in []read, outs []output) error {
	for i, o := range outs {
		if o.path == "" {
			continue
		}
		for _, p := range outs[:i] {
			if p.path == "" || o.folder && p.folder {
				continue
			}
			if one(o.path, p.path) {
				return usagef("%s and %s are both %s: give one of them another name", p.flag, o.flag, o.path)
			}
			for _, x := range [][2]output{{o, p}, {p, o}} {
				if file, below := x[0], x[1]; !file.folder && within(below.path, file.path) {
					return usagef("%s %s is below %s, which %s makes a file: give one of them another name", below.flag, below.path,
						file.path,
						file.flag)
				}
			}
		}
		for _, r := range in {
			if r.path == "" || o.model && r.model && !o.folder || !one(o.path, r.path) {
				continue
			}
			if st, err := os.Stat(r.path); o.folder && err == nil && !st.IsDir() {
				continue // a file is no folder: that is said anyway
			}
			return usagef("%s %s is read as %s: give it another name", o.flag, o.path, r.what)
		}
	}
	return nil
}

// place is path as it is found from anywhere, also where it is not there yet.
func place(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Clean(path)
	}
	for dir, rest := abs, ""; ; dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if filepath.Dir(dir) == dir {
			return abs
		}
	}
}

// one reports whether two paths are one file or folder.
func one(a, b string) bool {
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y) || place(a) == place(b)
}

// within reports whether path is below dir.
func within(path, dir string) bool {
	rel, err := filepath.Rel(place(dir), place(path))
	return err == nil && rel != "." && filepath.IsLocal(rel)
}
