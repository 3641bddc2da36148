package data

import "path/filepath"

// imageList is a csv that names picture files, and perhaps files of their masks.
type imageList struct {
	*memory
	*pictures
	root  string
	paths []string
	masks *masks // nil: none
}

// newImageList reads no picture, but some of the masks, to see what 255 means in them.
func newImageList(m *memory, root string, paths, maskPaths []string, o Options) (*imageList, error) {
	l := &imageList{memory: m, root: root, paths: paths}
	var err error
	if l.pictures, err = newPictures(Spec{Path: m.path}, o); err != nil || maskPaths == nil {
		return l, err
	}
	files := make([]string, len(maskPaths))
	for i, p := range maskPaths {
		files[i] = filepath.Join(root, filepath.FromSlash(p))
	}
	l.masks, err = openMasks(files, len(m.classes), "", o.Limits)
	return l, err
}

func (l *imageList) File(i int) string   { return filepath.Join(l.root, filepath.FromSlash(l.paths[i])) }
func (l *imageList) Suggest() Preprocess { return Preprocess{Alpha: l.alpha} }

// Masked reports whether the masks are what is to be learned: there are no other labels.
func (l *imageList) Masked() bool { return l.masks != nil && l.labels == nil && l.y == nil }

// Notes is what the table had to say, and what was seen in the pictures.
func (l *imageList) Notes() []string {
	return append(append([]string{}, l.memory.Notes()...), l.remarks.notes(l.alpha, l.ID)...)
}

func (l *imageList) Example(i int) (Example, error) { return inTurn(l, i) }

func (l *imageList) exampleIn(t *turn, i int) (Example, error) {
	e, err := l.memory.Example(i)
	if err != nil {
		return e, err
	}
	e.Picture = true
	if e.X, err = l.read(t, i, l.File(i)); err != nil || l.masks == nil {
		return e, err
	}
	if e.Mask, err = l.masks.load(t, i); err != nil {
		return e, err
	}
	if !e.Mask.Shape().Equal(e.X.Shape()[1:]) {
		return e, malformed(l.masks.name(i), "", "a mask has the size of its picture", "the mask is %v, the picture %v", e.Mask, e.X)
	}
	return e, nil
}
