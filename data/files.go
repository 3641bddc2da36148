package data

import (
	"path/filepath"
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// pictures reads picture files for a data set.
type pictures struct {
	limits  Limits
	alpha   string // "", drop, white or black
	remarks remarks
}

// newPictures takes the treatment of alpha from the specification, else from the options.
func newPictures(spec Spec, o Options) (*pictures, error) {
	p := &pictures{limits: o.Limits, alpha: o.Alpha}
	if spec.Query.Has("alpha") {
		p.alpha = spec.Query.Get("alpha")
	}
	return p, checkAlpha(spec.Path, p.alpha)
}

// read is the picture file of example i, uint8 or uint16 [C,H,W].
func (p *pictures) read(t *turn, i int, path string) (*tensor.Tensor, error) {
	r, seen, err := loadRaster(t, path, p.limits)
	if err != nil {
		return nil, err
	}
	p.remarks.add(i, r.x, seen)
	return r.flat(p.alpha), nil
}

// files is a data set of picture files below a root, decoded when asked for.
type files struct {
	*pictures
	root    string
	paths   []string // below root, with slashes; the ids
	labels  []int32  // nil: no classes
	classes []string
	left    []Omission
	said    []string // notes of opening
}

func (f *files) Len() int            { return len(f.paths) }
func (f *files) ID(i int) string     { return f.paths[i] }
func (f *files) Classes() []string   { return f.classes }
func (f *files) File(i int) string   { return filepath.Join(f.root, filepath.FromSlash(f.paths[i])) }
func (f *files) Omitted() []Omission { return f.left }
func (f *files) Suggest() Preprocess { return Preprocess{Alpha: f.alpha} }

func (f *files) Notes() []string {
	return slices.Concat(f.said, f.remarks.notes(f.alpha, f.ID))
}

func (f *files) Label(i int) int {
	if f.labels == nil {
		return -1
	}
	return int(f.labels[i])
}

func (f *files) Example(i int) (Example, error) { return inTurn(f, i) }

func (f *files) exampleIn(t *turn, i int) (Example, error) {
	x, err := f.read(t, i, f.File(i))
	return Example{ID: f.ID(i), X: x, Picture: true, Label: f.Label(i)}, err
}
