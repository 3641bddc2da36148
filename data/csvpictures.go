package data

import (
	"path/filepath"

	"github.com/gtk-onnx/gtk/tensor"
)

// imageList is a csv that names picture files, and perhaps files of their masks.
type imageList struct {
	*memory
	root   string
	paths  []string
	masks  []string // nil: none
	limits Limits
}

// readMask reads a file of the class of each pixel, uint8 [H,W]; nil where this build has none.
var readMask func(path string, l Limits) (*tensor.Tensor, error)

func (l *imageList) File(i int) string { return filepath.Join(l.root, filepath.FromSlash(l.paths[i])) }

// Masked reports whether the masks are what is to be learned: there are no other labels.
func (l *imageList) Masked() bool { return l.masks != nil && l.labels == nil && l.y == nil }

func (l *imageList) Example(i int) (Example, error) {
	e, err := l.memory.Example(i)
	if err != nil {
		return e, err
	}
	e.Picture = true
	if e.X, err = loadPicture(l.File(i), l.limits); err != nil || l.masks == nil {
		return e, err
	}
	path := filepath.Join(l.root, filepath.FromSlash(l.masks[i]))
	if readMask == nil {
		return e, &FormatError{Path: path, Problem: "masks in files", Err: ErrUnsupported, Remedy: "leave the column of masks out"}
	}
	if e.Mask, err = readMask(path, l.limits); err != nil {
		return e, err
	}
	if !e.Mask.Shape().Equal(e.X.Shape()[1:]) {
		return e, malformed(path, "", "a mask has the size of its picture", "the mask is %v, the picture %v", e.Mask, e.X)
	}
	return e, nil
}
