package data

import (
	"strconv"

	"github.com/gtk-onnx/gtk/tensor"
)

// memory is a data set of equal-shaped examples held in one piece of memory.
type memory struct {
	path    string
	dtype   tensor.DType
	shape   tensor.Shape // of one example
	raw     []byte       // all examples, one after another
	n       int
	picture bool
	prefix  string   // of ids
	ids     []string // nil: prefix + index
	labels  []int32  // nil: none
	classes []string
	y       *tensor.Tensor // [n,…], or nil
	columns []string       // group columns
	groups  [][]string     // values per column
	suggest Preprocess
}

func (m *memory) Len() int               { return m.n }
func (m *memory) Classes() []string      { return m.classes }
func (m *memory) Suggest() Preprocess    { return m.suggest }
func (m *memory) GroupColumns() []string { return m.columns }

func (m *memory) ID(i int) string {
	if m.ids != nil {
		return m.ids[i]
	}
	return m.prefix + strconv.Itoa(i)
}

func (m *memory) Label(i int) int {
	if m.labels == nil {
		return -1
	}
	return int(m.labels[i])
}

func (m *memory) Group(i int, name string) string {
	for k, c := range m.columns {
		if c == name {
			return m.groups[k][i]
		}
	}
	return ""
}

func (m *memory) Example(i int) (Example, error) {
	e := Example{ID: m.ID(i), Picture: m.picture, Label: m.Label(i)}
	x, err := slab(m.dtype, m.shape, m.raw, i)
	if err != nil {
		return e, err
	}
	e.X = x
	if m.y != nil {
		if e.Y, err = slab(m.y.DType(), m.y.Shape()[1:], m.y.Bytes(), i); err != nil {
			return e, err
		}
	}
	if len(m.columns) > 0 {
		e.Groups = make(map[string]string, len(m.columns))
		for k, c := range m.columns {
			e.Groups[c] = m.groups[k][i]
		}
	}
	return e, nil
}

// slab is member i of a row of tensors of one shape; it shares the memory where alignment allows.
func slab(d tensor.DType, shape tensor.Shape, raw []byte, i int) (*tensor.Tensor, error) {
	size := d.Size(shape.Len())
	return tensor.FromBytes(d, shape, raw[i*size:(i+1)*size])
}
