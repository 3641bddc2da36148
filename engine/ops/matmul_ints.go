package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// factorTypes are the element types of products of matrices.
var factorTypes = []tensor.DType{tensor.Float32, tensor.Float64, tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64}

// matmulInts is MatMul of integers, which wrap around.
func matmulInts(p *matmul, c *graph.RunCtx) error {
	switch c.In[0].DType() {
	case tensor.Int32:
		matmulIntsOf[int32](p, c)
	case tensor.Int64:
		matmulIntsOf[int64](p, c)
	case tensor.Uint32:
		matmulIntsOf[uint32](p, c)
	case tensor.Uint64:
		matmulIntsOf[uint64](p, c)
	default:
		return errType(c.In[0])
	}
	return nil
}

func matmulIntsOf[T einsumElem](p *matmul, c *graph.RunCtx) {
	a, b, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.In[1]), tensor.Data[T](c.Out[0])
	m, n, k := p.m, p.n, p.k
	c.Pool.For(p.nc*m, max(1, 1<<14/max(1, n*k)), func(lo, hi int) {
		for r := lo; r < hi; r++ {
			i, j := r/m, 0
			row := r
			if !p.sharedB {
				row, j = p.a[i]*m+r%m, p.b[i]
			}
			multiply(y[r*n:(r+1)*n], a[row*k:(row+1)*k], b[j*k*n:(j+1)*k*n], 1, k, n)
		}
	})
}

// gemmInts is Gemm of integers: the product and C wrap around, what alpha and beta scale loses its fraction.
func gemmInts(a *gemmAttrs, c *graph.RunCtx, m, n, k int) error {
	switch c.In[0].DType() {
	case tensor.Int32:
		gemmIntsOf[int32](a, c, m, n, k)
	case tensor.Int64:
		gemmIntsOf[int64](a, c, m, n, k)
	case tensor.Uint32:
		gemmIntsOf[uint32](a, c, m, n, k)
	case tensor.Uint64:
		gemmIntsOf[uint64](a, c, m, n, k)
	default:
		return errType(c.In[0])
	}
	return nil
}

func gemmIntsOf[T einsumElem](a *gemmAttrs, c *graph.RunCtx, m, n, k int) {
	x, w, y := tensor.Data[T](c.In[0]), tensor.Data[T](c.In[1]), tensor.Data[T](c.Out[0])
	xr, xc, wr, wc := k, 1, n, 1
	if a.TransA {
		xr, xc = 1, m
	}
	if a.TransB {
		wr, wc = 1, k
	}
	var bias []T
	var br, bc int
	if c.Has(2) {
		st := kernel.BroadcastStrides([]int{m, n}, c.In[2].Shape())
		bias, br, bc = tensor.Data[T](c.In[2]), st[0], st[1]
	}
	times := func(f float32, v T) T {
		if f == 1 {
			return v
		}
		return T(float64(f) * float64(v))
	}
	c.Pool.For(m, max(1, 1<<14/max(1, n*k)), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			for j := range n {
				s := T(0)
				for l := range k {
					s += x[i*xr+l*xc] * w[l*wr+j*wc]
				}
				s = times(a.Alpha, s)
				if bias != nil {
					s += times(a.Beta, bias[i*br+j*bc])
				}
				y[i*n+j] = s
			}
		}
	})
}
