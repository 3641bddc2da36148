package data

import (
	"slices"

	"github.com/gtk-onnx/gtk/tensor"
)

// Mix says that the examples of a batch are mixed with others of it: example i is Share[i] of itself, at least a half, and the rest
// of another one, of which Labels and Y are. What a mixture of labels or targets means is for who compares them to say.
type Mix struct {
	Share  []float64
	Labels []int64        // class indices of the others, -1 for none
	Y      *tensor.Tensor // targets of the others, or nil
}

// Slice is the mixtures of the examples lo to hi.
func (m *Mix) Slice(lo, hi int) *Mix {
	if m == nil {
		return nil
	}
	c := &Mix{Share: part(m.Share, lo, hi), Labels: part(m.Labels, lo, hi)}
	if m.Y != nil {
		c.Y = tensor.New(m.Y.DType(), append(tensor.Shape{hi - lo}, m.Y.Shape()[1:]...)...)
		tensor.CopyRows(c.Y, 0, m.Y, lo, hi, m.Y.Dim(0))
	}
	return c
}

// mixed notes that each example of b is a share of itself and else of the one before it, the first of the last one. Of the two, the one
// of which there is more is the example, and the other the other.
func (b *Batch) mixed(share float64) {
	n := b.Len()
	m := &Mix{Share: make([]float64, n), Labels: make([]int64, n)}
	for i := range n {
		m.Share[i], m.Labels[i] = share, b.Labels[(i+n-1)%n]
	}
	if b.Y != nil {
		m.Y = tensor.New(b.Y.DType(), b.Y.Shape()...)
		tensor.CopyRows(m.Y, 0, b.Y, n-1, n, n)
		tensor.CopyRows(m.Y, 1, b.Y, 0, n-1, n)
	}
	if share < 0.5 {
		for i := range m.Share {
			m.Share[i] = 1 - share
		}
		own := slices.Clone(b.Labels)
		copy(b.Labels, m.Labels)
		m.Labels = own
		if b.Y != nil {
			y := b.Y.Clone()
			tensor.CopyRows(b.Y, 0, m.Y, 0, n, n)
			m.Y = y
		}
	}
	b.Mix = m
}
