package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Gemm is Y = alpha·A'·B' + beta·C for matrices A' [M,K] and B' [K,N], transposed on request, and C that broadcasts to [M,N].
// C may be absent.
//
// Source: https://onnx.ai/onnx/operators/onnx__Gemm.html. Deviation: versions before 7 required the attribute broadcast for a C
// that is not [M,N]; it is accepted and not needed.
var Gemm = new(graph.Spec)

type gemmAttrs struct {
	Alpha     float32 `onnx:"alpha,default=1"`
	Beta      float32 `onnx:"beta,default=1"`
	TransA    bool    `onnx:"transA,default=0"`
	TransB    bool    `onnx:"transB,default=0"`
	Broadcast bool    `onnx:"broadcast,default=0"`

	// Set by fusion: what follows, and that of an operand of any rank all axes but the last count as one, and are those of Y.
	act  *Activation
	wide bool
}

// Dense are the attributes of a Gemm that takes an A of any rank as MatMul does, and multiplies it by B, or by its transpose.
func Dense(transB bool) any { return &gemmAttrs{Alpha: 1, Beta: 1, TransB: transB, wide: true} }

func init() {
	define(Gemm, graph.Def[gemmAttrs]{
		Name: "Gemm", Role: graph.Linear, Since: []int{1, 6, 7, 9, 11, 13}, Doc: "https://onnx.ai/onnx/operators/onnx__Gemm.html",
		In: []graph.Formal{{Name: "A", Types: factorTypes}, {Name: "B", Types: factorTypes, Weight: true},
			{Name: "C", Types: factorTypes, Optional: true, Weight: true}},
		Out: []graph.Formal{{Name: "Y"}}, Types: sameOperands[gemmAttrs],
		Infer: func(a *gemmAttrs, c *graph.InferCtx) error {
			sa, sb := a.matrix(c.Shape(0)), a.matrix(c.Shape(1))
			m, n, _, err := a.dims(sa, sb)
			if err != nil {
				return err
			}
			if c.Has(2) {
				s, err := broadcast(c.Shape(2), tensor.Shape{m, n})
				if err != nil || !s.Equal(tensor.Shape{m, n}) {
					return fmt.Errorf("input C of shape %v does not broadcast to [%d,%d]", c.Shape(2), m, n)
				}
			}
			if a.wide && !a.TransA {
				c.Out(0, append(slices.Clone(c.Shape(0)[:len(c.Shape(0))-1]), n)...)
			} else {
				c.Out(0, m, n)
			}
			return nil
		},
		Run: runGemm,
		Grad: func(a *gemmAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, n.NumIn)
			A, B := n.In[0], n.In[1]
			if need[0] {
				if a.TransA {
					dx[0] = b.Add(Gemm, &gemmAttrs{Alpha: a.Alpha, Beta: 1, TransA: a.TransB, TransB: true, wide: a.wide}, B, dy[0])
				} else {
					dx[0] = b.Add(Gemm, &gemmAttrs{Alpha: a.Alpha, Beta: 1, TransB: !a.TransB, wide: a.wide}, dy[0], B)
				}
			}
			if need[1] {
				if a.TransB {
					dx[1] = b.Add(Gemm, &gemmAttrs{Alpha: a.Alpha, Beta: 1, TransA: true, TransB: a.TransA, wide: a.wide}, dy[0], A)
				} else {
					dx[1] = b.Add(Gemm, &gemmAttrs{Alpha: a.Alpha, Beta: 1, TransA: !a.TransA, wide: a.wide}, A, dy[0])
				}
			}
			if len(need) > 2 && need[2] {
				dx[2] = sumLike(b, scaled(b, dy[0], a.Beta), n.In[2])
			}
			return dx, nil
		},
		PerExample: func(a *gemmAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			switch {
			case a.TransA:
				return graph.PerExample{}, fmt.Errorf("the examples are columns of A: %w", graph.ErrNoGradient)
			case in == 2:
				g := b.Add(PerExampleSumLike, nil, scaled(b, dy[0], a.Beta), n.In[2])
				return graph.PerExample{Grad: g, Norm2: RowSumSquares(b, g)}, nil
			case in == 1:
				d := scaled(b, dy[0], a.Alpha)
				x, y := n.In[0], d
				if a.TransB {
					x, y = d, n.In[0]
				}
				return perExampleLinear(b, x, y, n.In[1]), nil
			}
			return graph.PerExample{}, graph.ErrNoGradient
		},
	})
}

// scaled is x times k, or x itself when k is 1.
func scaled(b *graph.Builder, x graph.Value, k float32) graph.Value {
	if k == 1 {
		return x
	}
	return scale(b, x, float64(k))
}

// matrix is the shape of the matrix that an operand of shape s is.
func (a *gemmAttrs) matrix(s tensor.Shape) tensor.Shape {
	if !a.wide || len(s) == 2 || len(s) == 0 {
		return s
	}
	return tensor.Shape{product(s[:len(s)-1]), s[len(s)-1]}
}

func (a *gemmAttrs) dims(sa, sb tensor.Shape) (m, n, k int, err error) {
	if len(sa) != 2 || len(sb) != 2 {
		return 0, 0, 0, fmt.Errorf("inputs A and B must be matrices, have shapes %v and %v", sa, sb)
	}
	m, k = sa[0], sa[1]
	if a.TransA {
		m, k = k, m
	}
	kb, n := sb[0], sb[1]
	if a.TransB {
		kb, n = n, kb
	}
	if k != kb {
		return 0, 0, 0, fmt.Errorf("inner extents differ: A' has %d columns, B' has %d rows", k, kb)
	}
	return m, n, k, nil
}

func runGemm(a *gemmAttrs, c *graph.RunCtx) error {
	sa, sb := a.matrix(c.In[0].Shape()), a.matrix(c.In[1].Shape())
	m, n, k, err := a.dims(sa, sb)
	if err != nil {
		return err
	}
	if !c.In[0].DType().IsFloat() {
		return gemmInts(a, c, m, n, k)
	}
	if c.In[0].DType() == tensor.Float64 {
		gemmC(tensor.Data[float64](c.Out[0]), m, n, float64(a.Beta), bias64(c))
		kernel.Dgemm(c.Pool, a.TransA, a.TransB, m, n, k, float64(a.Alpha), tensor.Data[float64](c.In[0]), sa[1],
			tensor.Data[float64](c.In[1]), sb[1], 1, tensor.Data[float64](c.Out[0]), n)
		return nil
	}
	y := c.Out[0].F32()
	var epi kernel.Epilogue
	if act := a.act; act != nil {
		epi.Clip, epi.Lo, epi.Hi = true, act.Lo, act.Hi
	}
	beta := float32(0)
	if c.Has(2) && c.In[2].Len() == n && a.Beta == 1 && c.In[2].Dim(-1) == n {
		epi.ColBias = c.In[2].F32()
	} else if c.Has(2) {
		gemmC(y, m, n, a.Beta, operandOf[float32](c.In[2]))
		beta = 1
	}
	if r := keptRights(c, 1, 1, a.TransB, n, k, sb[1]); r != nil {
		kernel.SgemmRight(c.Pool, a.TransA, m, a.Alpha, c.In[0].F32(), sa[1], r[0], beta, y, n, &epi)
		return nil
	}
	kernel.SgemmEx(c.Pool, a.TransA, a.TransB, m, n, k, a.Alpha, c.In[0].F32(), sa[1], c.In[1].F32(), sb[1], beta, y, n, &epi)
	return nil
}

// rightForm is the form in which products read their right operand.
type rightForm struct{ t bool }

// keptRights is input i, count matrices of float32 with rows of distance ld, as right operands op(B) [k,n], op the transpose if t; nil
// when it may change.
func keptRights(c *graph.RunCtx, i, count int, t bool, n, k, ld int) []*kernel.Right {
	return graph.Keep(c, i, rightForm{t}, func() []*kernel.Right {
		b := c.In[i].F32()
		out := make([]*kernel.Right, count)
		for j := range out {
			out[j] = kernel.NewRight(t, n, k, b[j*n*k:][:n*k], ld)
		}
		return out
	})
}

func bias64(c *graph.RunCtx) *matrixOperand[float64] {
	if !c.Has(2) {
		return nil
	}
	return operandOf[float64](c.In[2])
}

// matrixOperand is a tensor of rank 0 to 2 that broadcasts over a matrix.
type matrixOperand[T float32 | float64] struct {
	data     []T
	row, col int // strides, 0 where it is broadcast
}

func operandOf[T float32 | float64](t *tensor.Tensor) *matrixOperand[T] {
	o := &matrixOperand[T]{data: tensor.Data[T](t)}
	s := t.Shape()
	if len(s) > 0 && s[len(s)-1] != 1 {
		o.col = 1
	}
	if len(s) > 1 && s[0] != 1 {
		o.row = s[1]
	}
	return o
}

// gemmC sets y [m,n] to beta·C, or zero without C.
func gemmC[T float32 | float64](y []T, m, n int, beta T, c *matrixOperand[T]) {
	for i := range m {
		row := y[i*n : (i+1)*n]
		for j := range row {
			row[j] = 0
			if c != nil {
				row[j] = beta * c.data[i*c.row+j*c.col]
			}
		}
	}
}
