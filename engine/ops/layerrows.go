package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// LayerRows sees what a Conv, Gemm or MatMul does as a product of rows: what it reads as rows U [P,n], which its weights [m,n] take to the
// rows of what it gives, [P,m]. Of a convolution they are patches, one for each image and position, in that order. The examples are along
// the first axis of what it reads.
type LayerRows struct {
	N, M int // n and m
	Each int // rows of one example

	scale float64            // of U: the alpha of a Gemm
	conv  *kernel.ConvParams // of one image; nil for a dense layer
	size  int                // numbers of one example that the layer reads
}

// RowsOfLayer is how n sees x, with weights of shape w, in batches of so many examples. Convolutions in groups have no such rows.
func RowsOfLayer(n *graph.Node, x, w tensor.Shape, examples int) (*LayerRows, error) {
	if len(x) < 2 || examples < 1 || x[0]%examples != 0 {
		return nil, fmt.Errorf("%s reads %v for %d examples, which are not along its first axis", n.Label(), x, examples)
	}
	r := &LayerRows{scale: 1, size: x.Len() / examples}
	if n.Op == Conv {
		a, ok := n.Attrs.(*convAttrs)
		if !ok {
			return nil, fmt.Errorf("%s has other attributes than a convolution", n.Label())
		}
		cp, g, err := a.kernelParams(x, w)
		if err != nil {
			return nil, err
		}
		if g.group != 1 {
			return nil, fmt.Errorf("%s is a convolution in %d groups, which have no one matrix of patches", n.Label(), g.group)
		}
		cp.N = 1
		r.conv, r.N, r.M, r.Each = cp, g.c*product(g.k), g.m, product(g.out)*g.n/examples
		return r, nil
	}
	attrs := graph.EncodeAttrs(n.Attrs)
	if t := attrs["transA"]; t != nil && t != int64(0) {
		return nil, fmt.Errorf("%s reads its input transposed", n.Label())
	}
	if len(w) != 2 {
		return nil, fmt.Errorf("%s has weights of shape %v, want a matrix", n.Label(), w)
	}
	r.N, r.M = w[0], w[1]
	if attrs["transB"] == int64(1) {
		r.N, r.M = w[1], w[0]
	}
	if a, ok := attrs["alpha"].(float32); ok {
		r.scale = float64(a)
	}
	if x[len(x)-1] != r.N {
		return nil, fmt.Errorf("%s reads %v, and its weights take rows of %d", n.Label(), x, r.N)
	}
	r.Each = r.size / r.N
	return r, nil
}

// AddMoment adds UᵀU of the first so many examples of x to s [n,n].
func (r *LayerRows) AddMoment(p *parallel.Pool, x *tensor.Tensor, examples int, s []float64) {
	if x.DType() == tensor.Float64 {
		addMoment(r, p, tensor.Data[float64](x), examples, s, func(t bool, rows int, u, part []float64) {
			kernel.Dgemm(p, t, !t, r.N, r.N, rows, 1, u, ld(t, r.N, rows), u, ld(t, r.N, rows), 0, part, r.N)
		})
		return
	}
	addMoment(r, p, x.F32(), examples, s, func(t bool, rows int, u, part []float32) {
		kernel.Sgemm(p, t, !t, r.N, r.N, rows, 1, u, ld(t, r.N, rows), u, ld(t, r.N, rows), 0, part, r.N)
	})
}

// ld is the distance of rows of U [rows,n], or of its transpose.
func ld(t bool, n, rows int) int {
	if t {
		return n
	}
	return rows
}

// momentRows is how many rows of a dense layer are multiplied in single precision before they are added up in double.
const momentRows = 4096

func addMoment[T float32 | float64](r *LayerRows, p *parallel.Pool, x []T, examples int, s []float64, square func(t bool, rows int, u,
	part []T)) {
	part := make([]T, r.N*r.N)
	add := func() {
		c := r.scale * r.scale
		for k, v := range part {
			s[k] += c * float64(v)
		}
	}
	if r.conv == nil {
		rows := examples * r.Each
		for lo := 0; lo < rows; lo += momentRows {
			hi := min(lo+momentRows, rows)
			square(true, hi-lo, x[lo*r.N:hi*r.N], part)
			add()
		}
		return
	}
	t := product(r.conv.Out[:])
	u := make([]T, r.N*t)
	image := r.size * t / max(1, r.Each)
	for i := range examples * r.size / max(1, image) {
		kernel.Im2col(r.conv, x[i*image:][:image], u)
		square(false, t, u, part)
		add()
	}
}

// AppendRows appends the rows of the first so many examples of x to u.
func (r *LayerRows) AppendRows(x *tensor.Tensor, examples int, u []float64) []float64 {
	v := x.Float64s()[:examples*r.size]
	if r.conv == nil {
		for _, a := range v {
			u = append(u, r.scale*a)
		}
		return u
	}
	t := product(r.conv.Out[:])
	cols := make([]float64, r.N*t)
	image := r.size * t / max(1, r.Each)
	for i := range len(v) / max(1, image) {
		kernel.Im2col(r.conv, v[i*image:][:image], cols)
		u = appendTransposed(u, cols, r.N, t)
	}
	return u
}

// AppendGradients appends to g, as rows, the gradients z by what the layer gives of the first so many examples, times c.
func (r *LayerRows) AppendGradients(z *tensor.Tensor, examples int, c float64, g []float64) []float64 {
	v := z.Float64s()[:examples*r.Each*r.M]
	for i := range v {
		v[i] *= c
	}
	if r.conv == nil {
		return append(g, v...)
	}
	t := product(r.conv.Out[:])
	for i := range len(v) / max(1, r.M*t) {
		g = appendTransposed(g, v[i*r.M*t:][:r.M*t], r.M, t)
	}
	return g
}

// appendTransposed appends the transpose of a [rows,cols].
func appendTransposed(out, a []float64, rows, cols int) []float64 {
	for j := range cols {
		for i := range rows {
			out = append(out, a[i*cols+j])
		}
	}
	return out
}
