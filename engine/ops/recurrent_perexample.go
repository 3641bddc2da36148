package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Recurrent layers give the gradient of each example by their weights beside those of the batch: the gradient operator has dz, the
// gradients of the gates before activation, and the weights' are sums over time of outer products of dz with what the weights are applied
// to.

// recurrentExamples are the outputs that a gradient operator of a recurrent layer has for each example, after those of the batch: gradients
// by W [N,directions,gates·H,I], R [N,directions,gates·H,H], B [N,directions,2·gates·H] and more, and the squared norms of the first two.
func recurrentExamples(more ...string) (f []graph.Formal) {
	for _, name := range slices.Concat([]string{"eW", "eR", "eB"}, more, []string{"nW", "nR"}) {
		f = append(f, graph.Formal{Name: name, Optional: true, NoGrad: true})
	}
	return f
}

// inferExamples sets the shapes of those outputs, from output at on, for m gates.
func (l *recurrent) inferExamples(c *graph.InferCtx, at, m int, more ...int) {
	c.Out(at, l.n, l.d, m*l.h, l.k)
	c.Out(at+1, l.n, l.d, m*l.h, l.h)
	c.Out(at+2, l.n, l.d, 2*m*l.h)
	at += 3
	for _, width := range more {
		c.Out(at, l.n, l.d, width)
		at++
	}
	c.Out(at, l.n)
	c.Out(at+1, l.n)
}

// recurrentPerExample is the per-example rule of a recurrent node n whose gradient operator op, with inputs in, has the outputs of
// recurrentExamples from output at on; k is 0 for W, 1 for R, 2 for B and so on, of which there are count.
func recurrentPerExample(b *graph.Builder, op *graph.Spec, a any, in []graph.Value, at, k, count int) (graph.PerExample, error) {
	g := sharedNode(b, op, a, in)
	if g == nil {
		return graph.PerExample{}, b.Err()
	}
	pe := graph.PerExample{Grad: b.ExtraOutput(g, at+k)}
	if k < 2 {
		pe.Norm2 = b.ExtraOutput(g, at+count+k)
	} else {
		pe.Norm2 = RowSumSquares(b, pe.Grad)
	}
	return pe, nil
}

// recentNodes is how far back a node is looked for that computes the same.
const recentNodes = 64

// sharedNode is a node of op on in, one that was added lately if there is one, so that the way back through time is gone once.
func sharedNode(b *graph.Builder, op *graph.Spec, a any, in []graph.Value) *graph.Node {
	nodes := b.G.Nodes
	for _, n := range slices.Backward(nodes[max(0, len(nodes)-recentNodes):]) {
		if n.Op == op && n.Attrs == a && slices.Equal(n.In, in) {
			return n
		}
	}
	want := make([]bool, len(op.Out))
	want[0] = true // of what nobody reads nothing is left
	return b.AddNode("", op, a, in, want)
}

// exampleGrads is where gradients of one weight go for each example, and their squared norms; either may be nil.
type exampleGrads[T real] struct {
	l    *recurrent
	grad []T // [N,directions,rows,cols]
	norm []T // [N]
	rows int
	cols int
}

func examplesOf[T real](c *graph.RunCtx, l *recurrent, grad, norm, rows, cols int) *exampleGrads[T] {
	e := &exampleGrads[T]{l: l, rows: rows, cols: cols, grad: outOf[T](c, grad)}
	if norm >= 0 {
		e.norm = outOf[T](c, norm)
	}
	clear(e.grad)
	clear(e.norm)
	return e
}

// wanted reports whether anybody asks for them.
func (e *exampleGrads[T]) wanted() bool { return e.grad != nil || e.norm != nil }

// outer adds, for direction dir, the sums over time of the outer products of rows of a [T,N,width], its first count columns, with those of
// b [T,N,cols], as rows from on of the gradient.
func (e *exampleGrads[T]) outer(c *graph.RunCtx, dir int, a []T, width, from, count int, b []T) {
	l := e.l
	if !e.wanted() || l.t == 0 {
		return
	}
	gemm, k := gemmOf[T](), e.cols
	gram := e.grad == nil && l.t*l.t*(count+k) < l.t*count*k
	c.Pool.For(l.n, 1, func(lo, hi int) {
		var own, g, h []T
		for n := lo; n < hi; n++ {
			an, bn := a[n*width:], b[n*k:]
			if gram {
				if g == nil {
					g, h = make([]T, l.t*l.t), make([]T, l.t*l.t)
				}
				gemm(nil, false, true, l.t, l.t, count, 1, an, l.n*width, an, l.n*width, 0, g, l.t)
				gemm(nil, false, true, l.t, l.t, k, 1, bn, l.n*k, bn, l.n*k, 0, h, l.t)
				e.norm[n] += T(max(0, dot(g, h)))
				continue
			}
			to := own
			if e.grad != nil {
				to = e.grad[((n*l.d+dir)*e.rows+from)*k:][:count*k]
			} else if own == nil {
				own = make([]T, count*k)
				to = own
			}
			gemm(nil, true, false, count, k, l.t, 1, an, l.n*width, bn, l.n*k, 0, to, k)
			if e.norm != nil {
				e.norm[n] += T(sumSquares(to))
			}
		}
	})
}

// sums adds, for direction dir, the sums over time of a [T,N,width], its first count columns, as elements from on of a gradient of rows
// elements.
func (e *exampleGrads[T]) sums(dir int, a []T, width, from, count int) {
	if e.grad == nil {
		return
	}
	l := e.l
	for n := range l.n {
		to := e.grad[(n*l.d+dir)*e.rows+from:][:count]
		for t := range l.t {
			for j, v := range a[(t*l.n+n)*width:][:count] {
				to[j] += v
			}
		}
	}
}
