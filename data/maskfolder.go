package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

func init() {
	register(Format{
		Name: "masks",
		Doc: "segmentation: DIR/images/NAME.* with DIR/masks/NAME.png, the class of each pixel, 255 for none; DIR/classes.txt names " +
			"the classes",
		Source: "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html (section Segmentation)",
		query:  []string{"binary", "alpha"},
		is:     func(path string, info fs.FileInfo) bool { return info.IsDir() && isMaskFolder(path) },
		open:   openMaskFolder,
	})
}

func isMaskFolder(dir string) bool {
	return holdsImages(filepath.Join(dir, "images")) && holdsImages(filepath.Join(dir, "masks"))
}

// Masker is a Dataset whose labels are its masks: Classes names the classes of pixels.
type Masker interface{ Masked() bool }

// Masked reports whether the labels of ds are its masks; it looks through subsets.
func Masked(ds Dataset) bool {
	for ; ds != nil; ds = inner(ds) {
		if m, ok := ds.(Masker); ok {
			return m.Masked()
		}
	}
	return false
}

// maskFolder is pictures with a mask each.
type maskFolder struct {
	*files
	masks *masks
	to    []uint8 // class in the list that was given, by class in the files; nil: the same
}

// openMaskFolder pairs DIR/images/STEM.* with DIR/masks/STEM.*, or STEM_mask.*, at any depth, in path order. Where all masks have the
// values 0 and 255 only, 255 is class 1; ?binary=true|false decides. &alpha= as in imagefolder.
func openMaskFolder(spec Spec, o Options, _ int) (Dataset, error) {
	p, err := newPictures(spec, o)
	if err != nil {
		return nil, err
	}
	binary := spec.Query.Get("binary")
	if binary != "" && binary != "true" && binary != "false" {
		return nil, malformed(spec.Path, "", "need true or false", "binary %q", binary)
	}
	images, masks := newFolder(spec.Path, o), newFolder(spec.Path, o)
	for dir, f := range map[string]*folder{"images": images, "masks": masks} {
		if info, err := os.Stat(filepath.Join(spec.Path, dir)); err != nil || !info.IsDir() {
			return nil, malformed(spec.Path, "", "need DIR/images with pictures and DIR/masks with a mask of the same name for each",
				"no folder %s", dir)
		}
		if err := f.walk(dir, true); err != nil {
			return nil, err
		}
	}
	of := map[string]string{}
	stem := func(p, dir string) string { return strings.TrimSuffix(strings.TrimPrefix(p, dir+"/"), path.Ext(p)) }
	for _, m := range masks.paths {
		s := stem(m, "masks")
		if other, twice := of[s]; twice {
			return nil, malformed(spec.Path, "", "remove one of them", "two masks for one picture: %s and %s", other, m)
		}
		of[s] = m
	}
	ds := &maskFolder{files: &files{pictures: p, root: spec.Path}}
	var pairs []string
	used := map[string]bool{}
	for _, img := range images.paths {
		s := stem(img, "images")
		m, ok := of[s]
		if !ok {
			m, ok = of[s+"_mask"]
		}
		if !ok {
			images.omit("without a mask", img, "put a mask of the same name into masks")
			continue
		}
		if used[m] {
			return nil, malformed(spec.Path, "", "remove one of them", "two pictures for the mask %s", m)
		}
		used[m] = true
		ds.paths, pairs = append(ds.paths, img), append(pairs, filepath.Join(spec.Path, filepath.FromSlash(m)))
	}
	for _, m := range masks.paths {
		if !used[m] {
			images.omit("without a picture", m, "put a picture of the same name into images")
		}
	}
	for _, o := range masks.omitted() {
		for _, f := range o.Files {
			images.omit(o.Kind, f, o.Remedy)
		}
		images.left[o.Kind].Count += o.Count - len(o.Files)
	}
	if len(ds.paths) == 0 {
		return nil, images.nothing("no picture has a mask", "need DIR/images/NAME.* and DIR/masks/NAME.png")
	}
	ds.left, ds.said = images.omitted(), images.notes()
	if err := ds.nameClasses(o); err != nil {
		return nil, err
	}
	classes := len(ds.classes)
	if ds.to != nil {
		classes = len(ds.to)
	}
	ds.masks, err = openMasks(pairs, classes, binary, o.Limits)
	return ds, err
}

// nameClasses reads classes.txt; where a list of classes is given, its names are looked up there.
func (m *maskFolder) nameClasses(o Options) error {
	file := filepath.Join(m.root, "classes.txt")
	if err := o.checkFile(m.root, file); err != nil {
		return err
	}
	b, err := readList(file, 1<<20, o.Limits)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		m.classes = o.Classes
		return nil
	case err != nil:
		return err
	}
	var names []string
	for line := range strings.Lines(strings.TrimPrefix(string(b), "\uFEFF")) {
		names = append(names, strings.TrimSpace(line))
	}
	for len(names) > 0 && names[len(names)-1] == "" {
		names = names[:len(names)-1]
	}
	if name, i := repeated(names); i >= 0 {
		return malformed(file, fmt.Sprintf("line %d", i+1), "name every class once", "class %q comes twice", clip(name))
	}
	if len(names) == 0 || len(names) > Void {
		return malformed(file, "", "one name a line, class 0 first, at most 255", "%d classes", len(names))
	}
	m.classes = names
	if o.Classes == nil {
		return nil
	}
	for i, n := range names {
		c, err := classIndex(file, fmt.Sprintf("line %d", i+1), n, o.Classes)
		if err != nil {
			return err
		}
		if c >= Void {
			return malformed(file, fmt.Sprintf("line %d", i+1), "masks have at most 255 classes", "class %q is number %d", n, c)
		}
		m.to = append(m.to, uint8(c))
	}
	m.classes = o.Classes
	return nil
}

func (m *maskFolder) Masked() bool { return true }

func (m *maskFolder) Example(i int) (Example, error) { return inTurn(m, i) }

func (m *maskFolder) exampleIn(t *turn, i int) (Example, error) {
	e, err := m.files.exampleIn(t, i)
	if err != nil {
		return e, err
	}
	if e.Mask, err = m.masks.load(t, i); err != nil {
		return e, err
	}
	if h, w := e.X.Dim(1), e.X.Dim(2); e.Mask.Dim(0) != h || e.Mask.Dim(1) != w {
		return e, malformed(m.masks.name(i), "", "a mask has the size of its picture as it is seen, turned by its EXIF orientation",
			"mask of %d×%d pixels for a picture of %d×%d", e.Mask.Dim(1), e.Mask.Dim(0), w, h)
	}
	if m.to != nil {
		for p, v := range e.Mask.Bytes() {
			if v != Void {
				e.Mask.Bytes()[p] = m.to[v]
			}
		}
	}
	return e, nil
}
