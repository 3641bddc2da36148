package microsoft

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Inverse is the inverse of each matrix of X […,M,M], computed in float64. The gradient is dX = -Yᵀ·dY·Yᵀ.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.Inverse. Deviation: a matrix without an
// inverse is an error.
var Inverse = new(graph.Spec)

func init() {
	define(Inverse, graph.Def[noAttrs]{
		Name: "Inverse", Since: []int{1}, Doc: contrib + "Inverse",
		In: []graph.Formal{real("X")}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s := c.Shape(0)
			if r := len(s); r < 2 || s[r-1] != s[r-2] {
				return fmt.Errorf("input of shape %v, want square matrices", s)
			}
			c.Out(0, s...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			if c.In[0].DType() == tensor.Float64 {
				return invertAll[float64](c)
			}
			return invertAll[float32](c)
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, _ []bool) ([]graph.Value, error) {
			t := arranged(b, n.Out[0], true, false)
			return []graph.Value{b.Add(ops.Neg, nil, matmul(b, t, matmul(b, dy[0], t)))}, nil
		},
	})
}

func invertAll[T float32 | float64](c *graph.RunCtx) error {
	s := c.In[0].Shape()
	m := s[len(s)-1]
	x, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.Out[0])
	a := make([]float64, 2*m*m)
	for k := 0; k < len(x); k += m * m {
		if err := c.Context.Err(); err != nil {
			return err
		}
		for i := range m * m {
			a[i], a[m*m+i] = float64(x[k+i]), 0
		}
		if !invert(a[:m*m], a[m*m:], m) {
			return fmt.Errorf("matrix %d has no inverse", k/(m*m))
		}
		for i := range m * m {
			y[k+i] = T(a[m*m+i])
		}
	}
	return nil
}

// invert makes y, of zeros, the inverse of a [m,m], which it overwrites: Gauss-Jordan elimination with the largest pivot of each column.
// It reports false where a column has none.
func invert(a, y []float64, m int) bool {
	for i := range m {
		y[i*m+i] = 1
	}
	for j := range m {
		p := j
		for i := j + 1; i < m; i++ {
			if math.Abs(a[i*m+j]) > math.Abs(a[p*m+j]) {
				p = i
			}
		}
		if !(math.Abs(a[p*m+j]) > 0) {
			return false
		}
		for k := range m {
			a[j*m+k], a[p*m+k] = a[p*m+k], a[j*m+k]
			y[j*m+k], y[p*m+k] = y[p*m+k], y[j*m+k]
		}
		f := 1 / a[j*m+j]
		for k := range m {
			a[j*m+k] *= f
			y[j*m+k] *= f
		}
		for i := range m {
			if f := a[i*m+j]; i != j && f != 0 {
				for k := range m {
					a[i*m+k] -= f * a[j*m+k]
					y[i*m+k] -= f * y[j*m+k]
				}
			}
		}
	}
	return true
}
