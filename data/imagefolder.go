package data

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/internal/units"
)

func init() {
	register(Format{
		Name: "imagefolder",
		Doc: "pictures in one sub-folder per class, or listed by metadata.csv or metadata.jsonl; #train, #validation and #test are folders " +
			"of parts",
		Source: "https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html",
		splits: hfSplits,
		query:  []string{"order", "alpha"},
		flags: func(path string) []string {
			if metadataOf(path) == "" && !isSplitTree(path) {
				return nil
			}
			return []string{"label", "mask", "header", "decimal"}
		},
		is: func(path string, info fs.FileInfo) bool {
			return info.IsDir() && (hasClassFolders(path) && !isMaskFolder(path) || metadataOf(path) != "" || isSplitTree(path))
		},
		open: openImageFolder,
	})
}

// openImageFolder reads the tree DIR/CLASS/…/FILE. Classes are the sub-folders in the order of classOrder; pictures are found at any
// depth, in path order. Where DIR has metadata.csv or metadata.jsonl, this lists the pictures, see openMetadata. #train, #validation and
// #test read the folder of that name in DIR, as datasets does. Settings: ?order=text|number &alpha=drop|white|black.
func openImageFolder(spec Spec, o Options, _ int) (Dataset, error) {
	if spec.Split != "" {
		part, err := splitFolder(spec)
		if err != nil {
			return nil, err
		}
		spec.Path, spec.Split = part, ""
	}
	if list := metadataOf(spec.Path); list != "" {
		return openMetadata(list, spec, o)
	}
	entries, err := os.ReadDir(spec.Path)
	if err != nil {
		return nil, fmt.Errorf("data: imagefolder: %w", err)
	}
	f := &files{root: spec.Path, labels: []int32{}}
	if f.pictures, err = newPictures(spec, o); err != nil {
		return nil, err
	}
	var names []string
	tree := newFolder(spec.Path, o)
	for _, e := range entries {
		path := filepath.Join(spec.Path, e.Name())
		switch {
		case hidden(e.Name()):
		case isDir(path, e):
			names = append(names, e.Name())
		case kindByName(path) != nil:
			tree.omit("in no class folder", e.Name(), "put pictures into the sub-folder of their class")
		default:
			tree.omit("other", e.Name(), "")
		}
	}
	names, note, err := classOrder(spec, names, o.Classes != nil)
	if err != nil {
		return nil, err
	}
	var empty []string
	deeper := true // all pictures lie in folders of class folders
	for _, name := range names {
		before := len(tree.paths)
		if err := tree.walk(name, true); err != nil {
			return nil, err
		}
		found := tree.paths[before:]
		if len(found) == 0 {
			empty = append(empty, name)
			if o.Classes == nil {
				continue // folders without pictures are not classes
			}
		}
		for _, p := range found {
			f.labels = append(f.labels, int32(len(f.classes)))
			deeper = deeper && strings.Count(p, "/") > 1
		}
		f.classes = append(f.classes, name)
	}
	f.paths, f.left = tree.paths, tree.omitted()
	if len(f.paths) == 0 {
		if len(names) == 0 && holdsImages(spec.Path) {
			return nil, malformed(spec.Path, "", "put the pictures into one sub-folder per class, or read them without classes as images:"+
				spec.Path, "no class folders")
		}
		where := units.Plural(len(names), "sub-folder")
		if len(names) == 0 {
			where = "it, and no folders"
		}
		return nil, tree.nothing("no pictures in "+where, "need DIR/CLASS/picture; readable are "+readable)
	}
	if o.Classes != nil {
		if err := f.lookUp(o.Classes); err != nil {
			return nil, err
		}
	} else if slices.Equal(f.classes, []string{"images", "masks"}) {
		return nil, malformed(spec.Path, "", "read it as masks:"+spec.Path, "the folders are pictures and their masks, not classes")
	} else if areSplits(f.classes) && (deeper || isSplitTree(spec.Path)) {
		return nil, malformed(spec.Path, "", "name one of them, as in imagefolder:"+spec.Path+"#"+splitOf(f.classes[0]),
			"the folders %s are parts of the data, not classes", shown.Names(f.classes, 12))
	}
	f.said = tree.notes()
	if len(empty) > 0 && o.Classes == nil {
		f.said = append(f.said, fmt.Sprintf("no readable pictures in %s: not a class", some(empty[:min(5, len(empty))], len(empty))))
	}
	if note != "" && o.Classes == nil {
		f.said = append(f.said, note)
	}
	return f, nil
}

// lookUp turns the labels into indices of a given list of classes.
func (f *files) lookUp(classes []string) error {
	for i, l := range f.labels {
		c, err := classIndex(f.root, f.paths[i], f.classes[l], classes)
		if err != nil {
			return err
		}
		f.labels[i] = int32(c)
	}
	f.classes = classes
	return nil
}

// classOrder sorts the names of class folders as text, byte by byte, as torchvision does: a model that was trained there counts its
// classes so. Names that are the numbers 0 to K−1 or 1 to K come in the order of the numbers. Where the two orders differ, note says
// which it is; ?order= decides. It does not matter when the list of classes is given.
func classOrder(spec Spec, names []string, given bool) (sorted []string, note string, err error) {
	order := spec.Query.Get("order")
	if order != "" && order != "text" && order != "number" {
		return nil, "", malformed(spec.Path, "", "need text or number", "order %q", order)
	}
	text := slices.Sorted(slices.Values(names))
	values := make(map[string]int, len(names))
	low, high := 0, 0
	for i, n := range names {
		v, err := strconv.Atoi(n)
		if err != nil {
			if order == "number" && !given {
				return nil, "", malformed(spec.Path, "", "leave ?order=number out", "folder %q is not a number", n)
			}
			return text, "", nil
		}
		if values[n] = v; i == 0 {
			low, high = v, v
		}
		low, high = min(low, v), max(high, v)
	}
	numeric := slices.Clone(text)
	slices.SortStableFunc(numeric, func(a, b string) int { return values[a] - values[b] })
	if slices.Equal(text, numeric) {
		return text, "", nil
	}
	list := func(s []string) string { return some(s[:min(5, len(s))], len(s)) }
	distinct := map[int]bool{}
	for _, v := range values {
		distinct[v] = true
	}
	counting := (low == 0 || low == 1) && high-low == len(names)-1 && len(distinct) == len(names)
	switch {
	case order == "number" || order == "" && counting:
		if order == "" {
			note = fmt.Sprintf("classes are in the order of their numbers (%s); torchvision counts them as text (%s): for a model "+
				"trained there, "+
				"?order=text behind the folder", list(numeric), list(text))
		}
		return numeric, note, nil
	case order == "":
		note = fmt.Sprintf("classes are in the order of text (%s), as in torchvision; ?order=number behind the folder orders them by value",
			list(text))
	}
	return text, note, nil
}

// areSplits reports whether all names are those of parts of a data set.
func areSplits(names []string) bool {
	return !slices.ContainsFunc(names, func(n string) bool {
		return !slices.Contains([]string{"train", "training", "val", "valid", "validation", "test", "testing", "dev", "eval"},
			strings.ToLower(n))
	})
}

// classIndex finds a class name in a given list: the name itself, or the first word of an entry ("n01440764 tench, Tinca").
func classIndex(path, place, name string, classes []string) (int, error) {
	if i := slices.Index(classes, name); i >= 0 {
		return i, nil
	}
	found := -1
	for i, c := range classes {
		first, _, _ := strings.Cut(c, " ")
		if strings.TrimSuffix(first, ",") == name {
			if found >= 0 {
				return 0, malformed(path, place, "give the whole name of the class",
					"class %q stands for several of the %d given classes", name,
					len(classes))
			}
			found = i
		}
	}
	if found < 0 {
		return 0, malformed(path, place, didYouMean(name, classes), "class %q is not among the %d given classes", name, len(classes))
	}
	return found, nil
}
