package data

import (
	"strconv"

	"github.com/gtk-onnx/gtk/tensor"
)

// memory is a data set of equal-shaped examples held in one piece of memory.
type memory struct {
	path    string
	dtype   tensor.DType // 0: no X
	shape   tensor.Shape // of one example
	raw     []byte       // all examples, one after another
	late    *stored      // X in the place of raw; nil: none
	n       int
	picture bool
	fields  map[string]*tensor.Tensor // [n,…] each

	lateFields []*stored // fields that are read row by row
	prefix     string    // of ids
	ids        []string  // nil: prefix + index
	labels     []int32   // nil: none
	small      []uint8   // in their place where each is a byte of the file
	classes    []string
	y          *tensor.Tensor // [n,…], or nil
	yType      tensor.DType   // of the targets of examples; 0: as stored
	masks      *tensor.Tensor // uint8 [n,H,W], or nil
	columns    []string       // group columns
	groups     []*words       // values per column
	features   []string       // names of the values of X, or nil
	targets    []string       // names of the values of Y, or nil
	suggest    Preprocess
	notes      []string
}

func (m *memory) Len() int               { return m.n }
func (m *memory) Classes() []string      { return m.classes }
func (m *memory) Suggest() Preprocess    { return m.suggest }
func (m *memory) GroupColumns() []string { return m.columns }
func (m *memory) Notes() []string        { return m.notes }
func (m *memory) FeatureNames() []string { return m.features }
func (m *memory) TargetNames() []string  { return m.targets }

// Masked reports whether the masks are what is to be learned: there are no other labels.
func (m *memory) Masked() bool {
	return m.masks != nil && m.labels == nil && m.small == nil && m.y == nil
}

func (m *memory) ID(i int) string {
	if m.ids != nil {
		return m.ids[i]
	}
	return m.prefix + strconv.Itoa(i)
}

func (m *memory) Label(i int) int {
	switch {
	case m.small != nil:
		return int(m.small[i])
	case m.labels == nil:
		return -1
	}
	return int(m.labels[i])
}

func (m *memory) Group(i int, name string) string {
	for k, c := range m.columns {
		if c == name {
			return m.groups[k].at(i)
		}
	}
	return ""
}

// setField adds an array [n,…] with a name of its own.
func (m *memory) setField(name string, t *tensor.Tensor) {
	if m.fields == nil {
		m.fields = map[string]*tensor.Tensor{}
	}
	m.fields[name] = t
}

func (m *memory) Example(i int) (e Example, err error) {
	e = Example{ID: m.ID(i), Picture: m.picture, Label: m.Label(i)}
	if m.late != nil {
		if e.X, err = m.late.row(i); err != nil {
			return e, err
		}
	} else if m.dtype != 0 {
		if e.X, err = slab(m.dtype, m.shape, m.raw, i); err != nil {
			return e, err
		}
	}
	if m.fields != nil || m.lateFields != nil {
		e.Fields = make(map[string]*tensor.Tensor, len(m.fields))
		for name, t := range m.fields {
			if e.Fields[name], err = member(t, i); err != nil {
				return e, err
			}
		}
	}
	for _, s := range m.lateFields {
		if e.Fields[s.name], err = s.row(i); err != nil {
			return e, err
		}
	}
	if m.y != nil {
		if e.Y, err = member(m.y, i); err != nil {
			return e, err
		}
		if m.yType != 0 && m.yType != m.y.DType() {
			if e.Y, err = e.Y.Convert(m.yType); err != nil {
				return e, err
			}
		}
	}
	if m.masks != nil {
		if e.Mask, err = member(m.masks, i); err != nil {
			return e, err
		}
	}
	if len(m.columns) > 0 {
		e.Groups = make(map[string]string, len(m.columns))
		for k, c := range m.columns {
			e.Groups[c] = m.groups[k].at(i)
		}
	}
	return e, nil
}

// member is member i of t [n,…].
func member(t *tensor.Tensor, i int) (*tensor.Tensor, error) {
	if shape := t.Shape()[1:]; t.DType() == tensor.String {
		n := shape.Len()
		return tensor.FromStrings(t.Strings()[i*n:(i+1)*n], shape...), nil
	}
	return slab(t.DType(), t.Shape()[1:], t.Bytes(), i)
}

// slab is member i of a row of tensors of one shape; it shares the memory where alignment allows.
func slab(d tensor.DType, shape tensor.Shape, raw []byte, i int) (*tensor.Tensor, error) {
	size := d.Size(shape.Len())
	return tensor.FromBytes(d, shape, raw[i*size:(i+1)*size])
}
