package ops

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// The gradients of a matrix product in ONNX's own operators, for the export of derived graphs. The ranks of the operands decide what is
// transposed and summed over, and a graph knows those of constants and inputs only: where both are open, shapes are computed.

// rankOf is the rank of v where the graph tells, else -1.
func rankOf(b *graph.Builder, v graph.Value) int {
	switch info := b.G.Info(v); {
	case info.Data != nil:
		return info.Data.Rank()
	case info.Dims != nil:
		return len(info.Dims)
	}
	return -1
}

// shapePart is Shape(v)[from:to]; a to of 0 means the end.
func shapePart(b *graph.Builder, v graph.Value, from, to int) graph.Value {
	if to == 0 {
		to = 1 << 30
	}
	return b.Add(Slice, nil, b.Add(Shape, nil, v), b.Ints(from), b.Ints(to))
}

func joined(b *graph.Builder, shapes ...graph.Value) graph.Value {
	return b.Add(Concat, &concatAttrs{Axis: 0}, shapes...)
}

// inShape is v in the shape that the parts make together; a 0 in it is an extent of 0, not that of v.
func inShape(b *graph.Builder, v graph.Value, shapes ...graph.Value) graph.Value {
	s := shapes[0]
	if len(shapes) > 1 {
		s = joined(b, shapes...)
	}
	return b.Add(Reshape, &reshapeAttrs{AllowZero: true}, v, s)
}

// rowsOf is v [..., n] as [rows, n].
func rowsOf(b *graph.Builder, v graph.Value) graph.Value {
	rows := b.Add(ReduceProd, &reduceAttrs{KeepDims: true}, shapePart(b, v, 0, -1))
	return inShape(b, v, rows, shapePart(b, v, -1, 0))
}

// lowerMatMulDA is dY·Bᵀ, summed over the axes along which A was broadcast.
func lowerMatMulDA(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	dy, right, a := n.In[0], n.In[1], n.In[2]
	if rankOf(b, right) == 2 {
		da := b.Add(MatMul, nil, rowsOf(b, dy), b.Add(Transpose, Perm(1, 0), right))
		return []graph.Value{inShape(b, da, b.Add(Shape, nil, a))}, nil
	}
	p := matrices(b, a, right, dy)
	return []graph.Value{b.Add(ReduceSumLike, nil, b.Add(MatMul, nil, p.dy, swapped(b, p.b)), a)}, nil
}

// lowerMatMulDB is Aᵀ·dY, summed over the axes along which B was broadcast.
func lowerMatMulDB(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	a, dy, right := n.In[0], n.In[1], n.In[2]
	if rankOf(b, right) == 2 {
		return []graph.Value{b.Add(MatMul, nil, b.Add(Transpose, Perm(1, 0), rowsOf(b, a)), rowsOf(b, dy))}, nil
	}
	p := matrices(b, a, right, dy)
	db := b.Add(MatMul, nil, swapped(b, p.a), p.dy)
	if rankOf(b, right) < 2 { // a column loses its last axis again
		db = inShape(b, db, shapePart(b, db, 0, -1), b.Add(Slice, nil, b.Add(Shape, nil, p.b), b.Ints(-1), p.past))
	}
	return []graph.Value{b.Add(ReduceSumLike, nil, db, right)}, nil
}

// operandMatrices are the operands of a matrix product and the gradient of its result, each with a matrix in its last two axes.
type operandMatrices struct {
	a, b, dy graph.Value
	past     graph.Value // [1]: 0 where B is a column, else past the end of its shape
}

// matrices puts the axes back that a matrix product drops: the row of an A of one axis, the column of a B of one axis.
func matrices(b *graph.Builder, a, right, dy graph.Value) operandMatrices {
	ra, rb := rankOf(b, a), rankOf(b, right)
	if ra >= 2 && rb >= 2 {
		return operandMatrices{a: a, b: right, dy: dy}
	}
	one := b.Ints(1)
	sa, sb, sy := b.Add(Shape, nil, a), b.Add(Shape, nil, right), b.Add(Shape, nil, dy)
	matrix := func(shape graph.Value) graph.Value { // [1]: 1 where there are two axes or more, else 0
		return b.Add(Min, nil, one, b.Add(Sub, nil, b.Add(Shape, nil, shape), one))
	}
	ma, mb := matrix(sa), matrix(sb)
	rows := joined(b, one, sa) // of A, with an axis in front, which broadcasts
	ones := b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: tensor.From([]int64{1}, 1)}, b.Add(Sub, nil, one, mb))
	columns := joined(b, sb, ones)
	lead := b.Add(Slice, nil, sy, b.Ints(0), b.Add(Sub, nil, b.Add(Sub, nil, b.Add(Shape, nil, sy), ma), mb))
	part := func(shape graph.Value, from, to int) graph.Value {
		return b.Add(Slice, nil, shape, b.Ints(from), b.Ints(to))
	}
	return operandMatrices{
		a: inShape(b, a, rows), b: inShape(b, right, columns), past: b.Add(Mul, nil, mb, b.Ints(1<<30)),
		dy: inShape(b, dy, lead, part(rows, -2, -1), part(columns, -1, 1<<30)),
	}
}

// swapped is v with its last two axes exchanged.
func swapped(b *graph.Builder, v graph.Value) graph.Value {
	if r := rankOf(b, v); r >= 2 {
		perm := make([]int, r)
		for i := range perm {
			perm[i] = i
		}
		perm[r-2], perm[r-1] = r-1, r-2
		return b.Add(Transpose, Perm(perm...), v)
	}
	lead, i, j := shapePart(b, v, 0, -2), shapePart(b, v, -2, -1), shapePart(b, v, -1, 0)
	flat := inShape(b, v, b.Add(ReduceProd, &reduceAttrs{KeepDims: true}, lead), i, j)
	return inShape(b, b.Add(Transpose, Perm(0, 2, 1), flat), lead, j, i)
}
