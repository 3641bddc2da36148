package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// MatMul is the matrix product of NumPy: the last two axes are matrices, the axes before them broadcast, a 1-D operand is a row (A)
// or column (B) whose axis disappears from the result.
//
// Source: https://onnx.ai/onnx/operators/onnx__MatMul.html
var MatMul = new(graph.Spec)

// MatMulDA is the gradient of MatMul by A: inputs dY, B, and A for its shape.
var MatMulDA = new(graph.Spec)

// MatMulDB is the gradient of MatMul by B: inputs A, dY, and B for its shape.
var MatMulDB = new(graph.Spec)

func init() {
	two := func(x, y string) []graph.Formal {
		return []graph.Formal{{Name: x, Types: floats}, {Name: y, Types: floats, Weight: true}}
	}
	define(MatMul, graph.Def[noAttrs]{
		Name: "MatMul", Role: graph.Linear, Since: []int{1, 9, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__MatMul.html",
		In:  []graph.Formal{{Name: "A", Types: factorTypes}, {Name: "B", Types: factorTypes, Weight: true}},
		Out: []graph.Formal{{Name: "Y"}}, Types: sameOperands[noAttrs],
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			p, err := matmulPlan(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			c.Out(0, p.out...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			p, err := matmulPlan(c.In[0].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			if !c.In[0].DType().IsFloat() {
				return matmulInts(p, c)
			}
			if c.In[0].DType() == tensor.Float64 {
				matmulForward(p, kernel.Dgemm, c, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]),
					tensor.Data[float64](c.Out[0]))
			} else if r := keptRights(c, 1, p.nb, false, p.n, p.k, p.n); r != nil {
				p.right(c, r, p.k, p.n, p.a, c.In[0].F32(), c.Out[0].F32())
			} else {
				matmulForward(p, kernel.Sgemm, c, c.In[0].F32(), c.In[1].F32(), c.Out[0].F32())
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 2)
			if need[0] {
				dx[0] = b.Add(MatMulDA, nil, dy[0], n.In[1], n.In[0])
			}
			if need[1] {
				dx[1] = b.Add(MatMulDB, nil, n.In[0], dy[0], n.In[1])
			}
			return dx, nil
		},
		PerExample: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			if in == 0 { // the columns of what is multiplied are its positions
				return perExampleLinear(b, b.Add(Columns, nil, dy[0]), b.Add(Columns, nil, n.In[1]), n.In[0]), nil
			}
			return perExampleLinear(b, n.In[0], dy[0], n.In[1]), nil
		},
	})
	like := graph.Formal{Name: "like", NoGrad: true, Shape: true}
	define(MatMulDA, graph.Def[noAttrs]{
		Domain: Private, Name: "MatMulDA", Since: []int{1}, Doc: "gradient of MatMul",
		In: append(two("dY", "B"), like), Out: []graph.Formal{{Name: "dA"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			p, err := matmulPlan(c.In[2].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				matmulDA(p, kernel.Dgemm, c, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]), tensor.Data[float64](c.Out[0]))
			} else if r := keptRights(c, 1, p.nb, true, p.k, p.n, p.n); r != nil && (p.sharedB || p.na == p.nc) {
				p.right(c, r, p.n, p.k, nil, c.In[0].F32(), c.Out[0].F32())
			} else {
				matmulDA(p, kernel.Sgemm, c, c.In[0].F32(), c.In[1].F32(), c.Out[0].F32())
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 3)
			if need[0] {
				dx[0] = b.Add(MatMul, nil, dy[0], n.In[1])
			}
			if need[1] {
				dx[1] = b.Add(MatMulDB, nil, dy[0], n.In[0], n.In[1])
			}
			return dx, nil
		},
		Lower: lowerMatMulDA,
	})
	define(MatMulDB, graph.Def[noAttrs]{
		Domain: Private, Name: "MatMulDB", Since: []int{1}, Doc: "gradient of MatMul",
		In: append(two("A", "dY"), like), Out: []graph.Formal{{Name: "dB"}},
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			c.Out(0, c.Shape(2)...)
			return nil
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			p, err := matmulPlan(c.In[0].Shape(), c.In[2].Shape())
			if err != nil {
				return err
			}
			if c.In[0].DType() == tensor.Float64 {
				matmulDB(p, kernel.Dgemm, c, tensor.Data[float64](c.In[0]), tensor.Data[float64](c.In[1]), tensor.Data[float64](c.Out[0]))
			} else {
				matmulDB(p, kernel.Sgemm, c, c.In[0].F32(), c.In[1].F32(), c.Out[0].F32())
			}
			return nil
		},
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 3)
			if need[0] {
				dx[0] = b.Add(MatMulDA, nil, n.In[1], dy[0], n.In[0])
			}
			if need[1] {
				dx[1] = b.Add(MatMul, nil, n.In[0], dy[0])
			}
			return dx, nil
		},
		Lower: lowerMatMulDB,
	})
}

// matmul is a product of batches of matrices: for each batch index, C [m,n] = A [m,k]·B [k,n].
type matmul struct {
	m, n, k    int
	batch      tensor.Shape // broadcast extents of the leading axes
	a, b       []int        // index of the matrix of A and of B for each batch index
	out        tensor.Shape
	sharedB    bool // one B for all: the batch folds into m
	na, nb, nc int  // matrices in each
}

func matmulPlan(sa, sb tensor.Shape) (*matmul, error) {
	if len(sa) == 0 || len(sb) == 0 {
		return nil, fmt.Errorf("operands of shapes %v and %v: a scalar has no matrix product", sa, sb)
	}
	a, b := slices.Clone(sa), slices.Clone(sb)
	if len(a) == 1 {
		a = tensor.Shape{1, a[0]}
	}
	if len(b) == 1 {
		b = tensor.Shape{b[0], 1}
	}
	p := &matmul{m: a[len(a)-2], k: a[len(a)-1], n: b[len(b)-1]}
	if b[len(b)-2] != p.k {
		return nil, fmt.Errorf("shapes %v and %v: inner extents %d and %d differ", sa, sb, p.k, b[len(b)-2])
	}
	ba, bb := a[:len(a)-2], b[:len(b)-2]
	var err error
	if p.batch, err = broadcast(ba, bb); err != nil {
		return nil, err
	}
	p.na, p.nb, p.nc = product(ba), product(bb), product(p.batch)
	p.out = slices.Clone(p.batch)
	if len(sa) > 1 {
		p.out = append(p.out, p.m)
	}
	if len(sb) > 1 {
		p.out = append(p.out, p.n)
	}
	if p.nb == 1 && p.na == p.nc {
		p.sharedB = true
		return p, nil
	}
	p.a, p.b = batchIndex(ba, p.batch), batchIndex(bb, p.batch)
	return p, nil
}

// batchIndex is, for each index of the broadcast shape out in row-major order, the index in s.
func batchIndex(s, out tensor.Shape) []int {
	idx := make([]int, product(out))
	stride := make([]int, len(out))
	at := 1
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] != 1 {
			stride[i+len(out)-len(s)] = at
		}
		at *= s[i]
	}
	pos := make([]int, len(out))
	for i := range idx {
		k := 0
		for d, x := range pos {
			k += x * stride[d]
		}
		idx[i] = k
		for d := len(out) - 1; d >= 0; d-- {
			if pos[d]++; pos[d] < out[d] {
				break
			}
			pos[d] = 0
		}
	}
	return idx
}

// Of count products those run one per thread that have fewer multiplications than smallProduct, and where there are many, than someProduct.
const (
	smallProduct = 1 << 21
	someProduct  = 1 << 24
	manyProducts = 8
)

// forBatch runs f for each matrix product, in parallel when they are many and small, with one thread each then. f must not
// write what another index writes.
func (p *matmul) forBatch(c *graph.RunCtx, count int, f func(c *graph.RunCtx, i int)) {
	if size := p.m * p.n * p.k; count >= 2 && size < smallProduct || count >= manyProducts && size < someProduct {
		serial := *c
		serial.Pool = nil
		c.Pool.For(count, max(1, 1<<15/max(1, size)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				f(&serial, i)
			}
		})
		return
	}
	for i := range count {
		f(c, i)
	}
}

// right is y [m,n] = x [m,k]·op(B) for each batch index, with the operands op(B) [k,n] in r; at is the index of x for each, nil for its
// own.
func (p *matmul) right(c *graph.RunCtx, r []*kernel.Right, k, n int, at []int, x, y []float32) {
	m := p.m
	if p.sharedB {
		kernel.SgemmRight(c.Pool, false, p.nc*m, 1, x, k, r[0], 0, y, n, nil)
		return
	}
	p.forBatch(c, p.nc, func(c *graph.RunCtx, i int) {
		j := i
		if at != nil {
			j = at[i]
		}
		kernel.SgemmRight(c.Pool, false, m, 1, x[j*m*k:][:m*k], k, r[p.b[i]], 0, y[i*m*n:][:m*n], n, nil)
	})
}

func matmulForward[T float32 | float64](p *matmul, gemm gemmFunc[T], c *graph.RunCtx, a, b, y []T) {
	m, n, k := p.m, p.n, p.k
	if p.sharedB {
		gemm(c.Pool, false, false, p.nc*m, n, k, 1, a, k, b, n, 0, y, n)
		return
	}
	p.forBatch(c, p.nc, func(c *graph.RunCtx, i int) {
		gemm(c.Pool, false, false, m, n, k, 1, a[p.a[i]*m*k:][:m*k], k, b[p.b[i]*k*n:][:k*n], n, 0, y[i*m*n:][:m*n], n)
	})
}

func matmulDA[T float32 | float64](p *matmul, gemm gemmFunc[T], c *graph.RunCtx, dy, b, da []T) {
	m, n, k := p.m, p.n, p.k
	if p.sharedB {
		gemm(c.Pool, false, true, p.nc*m, k, n, 1, dy, n, b, n, 0, da, k)
		return
	}
	if p.na == p.nc {
		p.forBatch(c, p.nc, func(c *graph.RunCtx, i int) {
			gemm(c.Pool, false, true, m, k, n, 1, dy[i*m*n:][:m*n], n, b[p.b[i]*k*n:][:k*n], n, 0, da[i*m*k:][:m*k], k)
		})
		return
	}
	clear(da)
	for i := range p.nc {
		gemm(c.Pool, false, true, m, k, n, 1, dy[i*m*n:][:m*n], n, b[p.b[i]*k*n:][:k*n], n, 1, da[p.a[i]*m*k:][:m*k], k)
	}
}

func matmulDB[T float32 | float64](p *matmul, gemm gemmFunc[T], c *graph.RunCtx, a, dy, db []T) {
	m, n, k := p.m, p.n, p.k
	if p.sharedB {
		gemm(c.Pool, true, false, k, n, p.nc*m, 1, a, k, dy, n, 0, db, n)
		return
	}
	if p.nb == p.nc {
		p.forBatch(c, p.nc, func(c *graph.RunCtx, i int) {
			gemm(c.Pool, true, false, k, n, m, 1, a[p.a[i]*m*k:][:m*k], k, dy[i*m*n:][:m*n], n, 0, db[i*k*n:][:k*n], n)
		})
		return
	}
	clear(db)
	for i := range p.nc {
		gemm(c.Pool, true, false, k, n, m, 1, a[p.a[i]*m*k:][:m*k], k, dy[i*m*n:][:m*n], n, 1, db[p.b[i]*k*n:][:k*n], n)
	}
}
