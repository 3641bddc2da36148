package microsoft

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// The operators of this package have roles only where those who look at the nodes of a file may take them for operators of ONNX with that
// role; graphs have what they are made of.

// noAttrs is the attribute struct of operators that have none.
type noAttrs struct{}

// contrib is where the operators of this domain are described.
const contrib = "https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft."

var (
	floats  = []tensor.DType{tensor.Float32, tensor.Float64}
	indexes = []tensor.DType{tensor.Int32, tensor.Int64}
	int32s  = []tensor.DType{tensor.Int32}
	int64s  = []tensor.DType{tensor.Int64}
)

// Elsewhere are the operators that ONNX Runtime writes into the domain ai.onnx, which does not have them.
var Elsewhere []*graph.Spec

func defineElsewhere[A any](d graph.Def[A]) {
	s := d.Spec()
	ops.Standard.Add(s)
	Elsewhere = append(Elsewhere, s)
}

// real is a required input of real numbers, option one that may be absent, weight one where models keep their weights.
func real(name string) graph.Formal   { return graph.Formal{Name: name, Types: floats} }
func option(name string) graph.Formal { return graph.Formal{Name: name, Types: floats, Optional: true} }
func weight(name string) graph.Formal { return graph.Formal{Name: name, Types: floats, Weight: true} }
func bias(name string) graph.Formal {
	return graph.Formal{Name: name, Types: floats, Weight: true, Optional: true}
}

// whole is an input of integers, through which no gradient goes.
func whole(name string, optional bool, types []tensor.DType) graph.Formal {
	return graph.Formal{Name: name, Types: types, Optional: optional, NoGrad: true}
}

// input is input i of n, 0 where it is absent.
func input(n *graph.Node, i int) graph.Value {
	if i >= n.NumIn {
		return 0
	}
	return n.In[i]
}

// wants reports whether output i of n is read or may be.
func wants(n *graph.Node, i int) bool { return i < len(n.Out) && n.Out[i] != 0 }

// node adds a node of op, whose attributes a are named as in a file, and is its output.
func node(b *graph.Builder, op *graph.Spec, a graph.Attrs, in ...graph.Value) graph.Value {
	return nodes(b, op, a, 1, in...)[0]
}

// nodes is node with n outputs.
func nodes(b *graph.Builder, op *graph.Spec, a graph.Attrs, n int, in ...graph.Value) []graph.Value {
	attrs, err := op.DecodeAttrs(a)
	if err != nil {
		b.Fail(fmt.Errorf("%s: %w", op.Name, err))
		return make([]graph.Value, n)
	}
	for len(in) > 0 && in[len(in)-1] == 0 {
		in = in[:len(in)-1]
	}
	return b.AddN(op, attrs, n, in...)
}

func add(b *graph.Builder, x, y graph.Value) graph.Value {
	switch {
	case x == 0:
		return y
	case y == 0:
		return x
	}
	return b.Add(ops.Add, nil, x, y)
}
func sub(b *graph.Builder, x, y graph.Value) graph.Value    { return b.Add(ops.Sub, nil, x, y) }
func mul(b *graph.Builder, x, y graph.Value) graph.Value    { return b.Add(ops.Mul, nil, x, y) }
func matmul(b *graph.Builder, x, y graph.Value) graph.Value { return b.Add(ops.MatMul, nil, x, y) }
func transpose(b *graph.Builder, x graph.Value, perm ...int) graph.Value {
	return b.Add(ops.Transpose, ops.Perm(perm...), x)
}

// scaled is x times k.
func scaled(b *graph.Builder, x graph.Value, k float64) graph.Value {
	if k == 1 {
		return x
	}
	return mul(b, x, b.Scalar(b.DType(x), k))
}

// cast is x as type d.
func cast(b *graph.Builder, x graph.Value, d tensor.DType) graph.Value {
	if b.DType(x) == d {
		return x
	}
	return b.Add(ops.Cast, ops.CastTo(d), x)
}

// concat joins along an axis.
func concat(b *graph.Builder, axis int, x ...graph.Value) graph.Value {
	return node(b, ops.Concat, graph.Attrs{"axis": int64(axis)}, x...)
}

// rankOf is the rank of v where it is known before the run, else -1.
func rankOf(b *graph.Builder, v graph.Value) int {
	switch in := b.G.Info(v); {
	case in.Data != nil:
		return in.Data.Rank()
	case in.Dims != nil:
		return len(in.Dims)
	}
	return -1
}

// extents are those of x from axis from up to axis to, as an int64 vector; to may be end.
func extents(b *graph.Builder, x graph.Value, from, to int) graph.Value {
	a := graph.Attrs{"start": int64(from)}
	if to != end {
		a["end"] = int64(to)
	}
	return node(b, ops.Shape, a, x)
}

const end = math.MaxInt

// extent is the vector of the one extent of x along an axis, counted from the end when negative.
func extent(b *graph.Builder, x graph.Value, axis int) graph.Value {
	if axis == -1 {
		return extents(b, x, -1, end)
	}
	return extents(b, x, axis, axis+1)
}

// product is the vector of the one product of an int64 vector, 1 of an empty one.
func product(b *graph.Builder, v graph.Value) graph.Value {
	return node(b, ops.ReduceProd, graph.Attrs{"keepdims": int64(1)}, v)
}

// reshape gives x the extents that the vectors in shape have together, all of them true extents.
func reshape(b *graph.Builder, x graph.Value, shape ...graph.Value) graph.Value {
	to := shape[0]
	if len(shape) > 1 {
		to = concat(b, 0, shape...)
	}
	return node(b, ops.Reshape, graph.Attrs{"allowzero": int64(1)}, x, to)
}

// view is a Reshape in which 0 keeps an extent and -1 is what remains.
func view(b *graph.Builder, x graph.Value, shape ...int) graph.Value {
	return b.Add(ops.Reshape, nil, x, b.Ints(shape...))
}

// slice is x from start up to stop along an axis; both are vectors of one number.
func slice(b *graph.Builder, x, start, stop graph.Value, axis int) graph.Value {
	return b.Add(ops.Slice, nil, x, start, stop, b.Ints(axis))
}

// split cuts x along an axis into parts of the extents in sizes, a vector.
func split(b *graph.Builder, x graph.Value, axis, n int, sizes graph.Value) []graph.Value {
	return nodes(b, ops.Split, graph.Attrs{"axis": int64(axis)}, n, x, sizes)
}

// equalParts cuts x along an axis into n equal parts.
func equalParts(b *graph.Builder, x graph.Value, axis, n int) []graph.Value {
	return nodes(b, ops.Split, graph.Attrs{"axis": int64(axis), "num_outputs": int64(n)}, n, x)
}

// count is the vector 0, 1, … of as many numbers as the vector n says.
func count(b *graph.Builder, n graph.Value) graph.Value {
	scalar := b.Add(ops.Squeeze, nil, n, b.Ints(0))
	zero, one := b.Const(tensor.Scalar(int64(0))), b.Const(tensor.Scalar(int64(1)))
	return b.Add(ops.Range, nil, zero, scalar, one)
}
