package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Det is the determinant of each of the square matrices X [...,M,M].
//
// Source: https://onnx.ai/onnx/operators/onnx__Det.html
var Det = new(graph.Spec)

// Cofactor has, for each of the square matrices X, the derivatives of its determinant by its elements, also where X is singular.
var Cofactor = new(graph.Spec)

// CofactorAlong is the derivative of Cofactor at X in the direction G, which is linear and symmetric in G. Inputs X and G.
var CofactorAlong = new(graph.Spec)

func init() {
	doc := "https://onnx.ai/onnx/operators/onnx__Det.html"
	square := func(c *graph.InferCtx) (tensor.Shape, error) {
		s := c.Shape(0)
		if r := len(s); r < 2 || s[r-1] != s[r-2] {
			return nil, fmt.Errorf("input X has shape %v, want square matrices [...,M,M]", s)
		}
		return s, nil
	}
	define(Det, graph.Def[noAttrs]{
		Name: "Det", Since: []int{11, 22}, Doc: doc,
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s, err := square(c)
			if err == nil {
				c.Out(0, s[:len(s)-2]...)
			}
			return err
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			return eachMatrix(c, func(m int, in, out [][]float64) {
				f := eliminate(in[0], m)
				p := f.sign
				for _, d := range f.d {
					p *= d
				}
				out[0][0] = p
			})
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{mul(b, b.Add(Cofactor, nil, n.In[0]), b.Add(Unsqueeze, nil, dy[0], b.Ints(-1, -2)))}, nil
		},
	})
	same := func(_ *noAttrs, c *graph.InferCtx) error {
		s, err := square(c)
		if err == nil {
			c.Out(0, s...)
		}
		return err
	}
	define(Cofactor, graph.Def[noAttrs]{
		Domain: Private, Name: "Cofactor", Since: []int{1}, Doc: doc,
		In: []graph.Formal{{Name: "X", Types: floats}}, Out: []graph.Formal{{Name: "C"}}, Infer: same,
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			return eachMatrix(c, func(m int, in, out [][]float64) {
				f := eliminate(in[0], m)
				k := make([]float64, m*m)
				for i := range m {
					k[i*m+i] = f.without(i, i)
				}
				f.back(out[0], k)
			})
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			return []graph.Value{b.Add(CofactorAlong, nil, n.In[0], dy[0])}, nil
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			m := newMinors(b, n.In[0], 4)
			return []graph.Value{b.Add(Det, nil, m.unitRow(m.matrix(n.In[0])))}, nil
		},
	})
	define(CofactorAlong, graph.Def[noAttrs]{
		Domain: Private, Name: "CofactorAlong", Since: []int{1}, Doc: doc,
		In: []graph.Formal{{Name: "X", Types: floats}, {Name: "G", Types: floats}}, Out: []graph.Formal{{Name: "C"}}, Infer: same,
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			return eachMatrix(c, func(m int, in, out [][]float64) {
				f := eliminate(in[0], m)
				h := product3(f.left, in[1], f.right, m)
				k := make([]float64, m*m)
				for i := range m {
					for j := range m {
						if i == j {
							continue
						}
						w := f.without(i, j)
						k[i*m+i] += h[j*m+j] * w
						k[i*m+j] = -h[j*m+i] * w
					}
				}
				f.back(out[0], k)
			})
		},
		// Its gradient is that of its lowering: third derivatives are rare.
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			m := newMinors(b, n.In[0], 5)
			x := b.Add(Where, nil, m.same(2, 3), m.matrix(n.In[1]), m.matrix(n.In[0])) // row k is that of G
			other := b.Add(Cast, CastTo(b.DType(n.In[0])), b.Add(Not, nil, m.same(0, 2)))
			terms := mul(b, b.Add(Det, nil, m.unitRow(x)), b.Add(Squeeze, nil, other, b.Ints(-1, -2)))
			return []graph.Value{b.Add(ReduceSum, KeepDims(false), terms, b.Ints(-1))}, nil
		},
	})
	followRules["Det"] = (*follower).refuse
}

// minors writes cofactors as determinants: C[i,j] is that of X with row i replaced by the unit vector j. Its axes, counted from the first
// of the last, are i, j, for derivatives k, then the rows and columns of X.
type minors struct {
	b     *graph.Builder
	d     tensor.DType
	axes  int
	index graph.Value // 0, 1, … M-1
}

func newMinors(b *graph.Builder, x graph.Value, axes int) *minors {
	zero, one := b.Const(tensor.Scalar(int64(0))), b.Const(tensor.Scalar(int64(1)))
	size := b.Add(Gather, nil, b.Add(Shape, nil, x), b.Const(tensor.Scalar(int64(-1))))
	return &minors{b: b, d: b.DType(x), axes: axes, index: b.Add(Range, nil, zero, size, one)}
}

// along is the index along axis k.
func (m *minors) along(k int) graph.Value {
	shape := slices.Repeat([]int{1}, m.axes)
	shape[k] = -1
	return m.b.Add(Reshape, nil, m.index, m.b.Ints(shape...))
}

// same tells where axes k and l have one index.
func (m *minors) same(k, l int) graph.Value { return m.b.Add(Equal, nil, m.along(k), m.along(l)) }

// matrix is x with the axes before its rows.
func (m *minors) matrix(x graph.Value) graph.Value {
	var at []int
	for k := 3; k <= m.axes; k++ {
		at = append(at, -k)
	}
	return m.b.Add(Unsqueeze, nil, x, m.b.Ints(at...))
}

// unitRow is x with row i replaced by the unit vector j.
func (m *minors) unitRow(x graph.Value) graph.Value {
	unit := m.b.Add(Cast, CastTo(m.d), m.same(1, m.axes-1))
	return m.b.Add(Where, nil, m.same(0, m.axes-2), unit, x)
}

// eachMatrix calls f for each matrix of the inputs, of m rows, with the part of the outputs that belongs to it, all in float64.
func eachMatrix(c *graph.RunCtx, f func(m int, in, out [][]float64)) error {
	s := c.In[0].Shape()
	m := s[len(s)-1]
	n := product(s[:len(s)-2])
	if n == 0 {
		return nil
	}
	in := make([][]float64, len(c.In))
	for i, x := range c.In {
		in[i] = x.Float64s()
	}
	return writeFloats(c, func(y []float64) {
		c.Pool.For(n, max(1, 1<<14/max(1, m*m*m)), func(lo, hi int) {
			for b := lo; b < hi && (c.Context == nil || c.Context.Err() == nil); b++ {
				part := make([][]float64, len(in))
				for i, x := range in {
					part[i] = x[b*m*m : (b+1)*m*m]
				}
				f(m, part, [][]float64{y[b*len(y)/n : (b+1)*len(y)/n]})
			}
		})
	})
}

// factors are those of a matrix X: sign·L·diag(d)·R, where the determinants of left = L⁻¹ and right = R⁻¹ are 1 but for the sign.
type factors struct {
	m           int
	sign        float64
	d           []float64
	left, right []float64
}

// eliminate factors x by Gaussian elimination with complete pivoting, so that the pivots of a singular matrix that are 0 come last.
func eliminate(x []float64, m int) *factors {
	f := &factors{m: m, sign: 1, d: make([]float64, m), left: eye(m), right: eye(m)}
	u := append([]float64(nil), x...)
	for k := range m {
		p, q, most := k, k, -1.0
		for i := k; i < m; i++ {
			for j := k; j < m; j++ {
				if a := math.Abs(u[i*m+j]); a > most {
					p, q, most = i, j, a
				}
			}
		}
		if p != k {
			swapRows(u, m, p, k)
			swapRows(f.left, m, p, k)
			f.sign = -f.sign
		}
		if q != k {
			swapColumns(u, m, q, k)
			swapColumns(f.right, m, q, k)
			f.sign = -f.sign
		}
		d := u[k*m+k]
		f.d[k] = d
		if d == 0 {
			continue // and so is all that is left
		}
		for i := k + 1; i < m; i++ {
			if w := u[i*m+k] / d; w != 0 {
				for j := k + 1; j < m; j++ {
					u[i*m+j] -= w * u[k*m+j]
				}
				for j := range m {
					f.left[i*m+j] -= w * f.left[k*m+j]
				}
			}
		}
	}
	for k := m - 1; k >= 0; k-- { // right becomes its product with the inverse of the unit triangle
		if f.d[k] == 0 {
			continue
		}
		for j := k + 1; j < m; j++ {
			u[k*m+j] /= f.d[k]
		}
	}
	for j := range m {
		for k := range j {
			if f.d[k] == 0 || u[k*m+j] == 0 {
				continue
			}
			for i := range m {
				f.right[i*m+j] -= u[k*m+j] * f.right[i*m+k]
			}
		}
	}
	return f
}

// without is the product of the pivots but i and j, with the sign of the exchanges.
func (f *factors) without(i, j int) float64 {
	p := f.sign
	for k, d := range f.d {
		if k != i && k != j {
			p *= d
		}
	}
	return p
}

// back is out = leftᵀ·k·rightᵀ.
func (f *factors) back(out, k []float64) {
	m := f.m
	t := make([]float64, m*m) // k·rightᵀ
	for i := range m {
		for j := range m {
			for l := range m {
				t[i*m+j] += k[i*m+l] * f.right[j*m+l]
			}
		}
	}
	for i := range m {
		for j := range m {
			s := 0.0
			for l := range m {
				s += f.left[l*m+i] * t[l*m+j]
			}
			out[i*m+j] = s
		}
	}
}

// product3 is a·b·c of matrices of m rows and columns.
func product3(a, b, c []float64, m int) []float64 {
	mul := func(a, b []float64) []float64 {
		y := make([]float64, m*m)
		for i := range m {
			for k := range m {
				for j := range m {
					y[i*m+j] += a[i*m+k] * b[k*m+j]
				}
			}
		}
		return y
	}
	return mul(mul(a, b), c)
}

func eye(m int) []float64 {
	x := make([]float64, m*m)
	for i := range m {
		x[i*m+i] = 1
	}
	return x
}

func swapRows(x []float64, m, p, q int) {
	for j := range m {
		x[p*m+j], x[q*m+j] = x[q*m+j], x[p*m+j]
	}
}

func swapColumns(x []float64, m, p, q int) {
	for i := range m {
		x[i*m+p], x[i*m+q] = x[i*m+q], x[i*m+p]
	}
}
