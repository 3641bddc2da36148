package data

import (
	"cmp"
	"errors"
	"fmt"
	"github.com/gtk-onnx/gtk/internal/shown"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Omission is the files of one kind that a data set leaves out.
type Omission struct {
	Kind   string   `json:"kind"` // an extension such as .heic, "other" for files that are no pictures, or what is wrong with their place
	Count  int      `json:"count"`
	Files  []string `json:"files"`            // the first three, below the folder
	Remedy string   `json:"remedy,omitempty"` // "" where nothing is lost
}

// Omitter is a Dataset of files that has left some out.
type Omitter interface {
	// Omitted is the files that are left out, by kind, sorted.
	Omitted() []Omission
}

// Omitted is the files that ds has left out, nil when it does not know; it looks through subsets.
func Omitted(ds Dataset) []Omission {
	for ; ds != nil; ds = inner(ds) {
		if o, ok := ds.(Omitter); ok {
			return o.Omitted()
		}
	}
	return nil
}

// folder is what lies below a root: pictures that can be read, and what is left out.
type folder struct {
	root   string
	follow bool     // links out of it
	skip   bool     // leave such links out, where they are not followed
	paths  []string // of pictures, below root, with slashes
	left   map[string]*Omission
}

func newFolder(root string, o Options) *folder {
	return &folder{root: root, follow: o.FollowLinks, skip: o.OnBadSample == "skip"}
}

// omit counts a file that is left out.
func (f *folder) omit(kind, path, remedy string) {
	if f.left == nil {
		f.left = map[string]*Omission{}
	}
	o := f.left[kind]
	if o == nil {
		o = &Omission{Kind: kind, Remedy: remedy}
		f.left[kind] = o
	}
	if o.Count++; len(o.Files) < 3 {
		o.Files = append(o.Files, path)
	}
}

// omitted is what was left out, pictures first.
func (f *folder) omitted() []Omission {
	var list []Omission
	for o := range maps.Values(f.left) {
		list = append(list, *o)
	}
	slices.SortFunc(list, func(a, b Omission) int {
		lossA, lossB := a.Remedy == "", b.Remedy == ""
		if lossA != lossB {
			return map[bool]int{false: -1, true: 1}[lossA]
		}
		return cmp.Compare(a.Kind, b.Kind)
	})
	return list
}

// notes are the sentences about pictures that were left out.
func (f *folder) notes() []string {
	var notes []string
	for _, o := range f.omitted() {
		if o.Remedy == "" {
			continue
		}
		verb := "files were"
		if o.Count == 1 {
			verb = "file was"
		}
		notes = append(notes, fmt.Sprintf("%d %s %s left out (%s): %s", o.Count, o.Kind, verb, some(o.Files, o.Count), o.Remedy))
	}
	return notes
}

// some is names, and that there are more.
func some(names []string, count int) string {
	s := shown.Names(names, 12)
	if count > len(names) {
		s += ", …"
	}
	return s
}

// nothing is the error of a folder without readable pictures.
func (f *folder) nothing(problem, remedy string) error {
	var parts []string
	for _, o := range f.omitted() {
		parts = append(parts, fmt.Sprintf("%d %s", o.Count, o.Kind))
		if o.Remedy != "" {
			remedy = o.Remedy
		}
	}
	if len(parts) > 0 {
		problem += "; there are files that are not read: " + strings.Join(parts, ", ")
	}
	return malformed(f.root, "", remedy, "%s", problem)
}

// litter is names that file managers and cameras leave behind, in lower case. Names that begin with a dot are passed over too.
var litter = []string{"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir", "$recycle.bin",
	"system volume information"}

func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || slices.Contains(litter, strings.ToLower(name))
}

// walk adds what lies below root/dir, in path order; without deep, what lies in it. Links are followed as Options.FollowLinks says.
func (f *folder) walk(dir string, deep bool) error {
	start := filepath.Join(f.root, dir)
	if out := leads(f.root, start); out != "" && !f.follow {
		return outside(f.root, dir, out)
	}
	if p, err := filepath.EvalSymlinks(start); err == nil {
		start = p
	}
	if err := f.walkFrom(walk{deep: deep, seen: map[string]bool{}}, start, dir); err != nil {
		var known *FormatError
		if errors.As(err, &known) {
			return err
		}
		return fmt.Errorf("data: %w", err)
	}
	return nil
}

// take adds one file. Its extension decides where it is that of a picture we read; else its content is looked at.
func (f *folder) take(path, id string) {
	const convert = "convert to png or jpeg"
	k, ext := kindByName(path), strings.ToLower(filepath.Ext(path))
	if k != nil && k.read {
		f.paths = append(f.paths, id)
		return
	}
	content := sniffFile(path)
	switch {
	case k != nil && k.name == "camera raw":
		f.omit(ext, id, convert)
	case content != nil && content.read && (k != nil || ext == ""):
		f.paths = append(f.paths, id)
	case k != nil:
		f.omit(ext, id, convert)
	case content != nil && content.read:
		f.omit(ext, id, "pictures: give them the extension ."+content.exts[0][1:])
	case content != nil:
		f.omit(content.exts[0], id, convert)
	default:
		f.omit("other", id, "")
	}
}

func isDir(path string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink != 0 {
		info, err := os.Stat(path)
		return err == nil && info.IsDir()
	}
	return e.IsDir()
}

// hasClassFolders reports whether a sub-folder of dir has a picture directly in it.
func hasClassFolders(dir string) bool {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		sub := filepath.Join(dir, e.Name())
		if !hidden(e.Name()) && isDir(sub, e) && holdsImages(sub) {
			return true
		}
	}
	return false
}

// holdsImages reports whether a file in dir has the extension of a picture, be it one that is not read.
func holdsImages(dir string) bool {
	entries, _ := os.ReadDir(dir)
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !e.IsDir() && !hidden(e.Name()) && kindByName(e.Name()) != nil })
}
