package microsoft

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// scores says how queries and keys are compared: softmax(softcap(scale·q·kᵀ) + plus), where keep allows.
type scores struct {
	scale   float32       // 0 means 1/√H
	softcap float32       // c·tanh(x/c), unless it is 0
	plus    []graph.Value // what broadcasts to the scores [B,N,S,T]; 0 is none
	keep    graph.Value   // bool, broadcasts to the scores; 0 means everything
	sink    graph.Value   // [B,N,S,1]: a further score, of a key without a value; 0 is none
	n       int           // heads of queries, a multiple of those of keys
	kv      int           // heads of keys and values
}

// masked is the score of a pair that must not meet.
const masked = -math.MaxFloat32

// attend is the mean [B,N,S,V] of values v [B,K,T,V], weighted by how the queries q [B,N,S,H] meet the keys k [B,K,T,H]. The queries
// that share a head of keys are rows of one product.
func (a scores) attend(b *graph.Builder, q, k, v graph.Value) graph.Value {
	d := b.DType(q)
	if a.scale != 0 {
		q = scaled(b, q, float64(a.scale))
	} else {
		size := cast(b, extent(b, q, -1), d)
		q = mul(b, q, b.Add(ops.Reciprocal, nil, b.Add(ops.Sqrt, nil, size)))
	}
	batch, rows, keys, size := extents(b, q, 0, 1), extents(b, q, 2, 3), extents(b, k, 2, 3), extent(b, q, -1)
	grouped := a.n != a.kv
	group := times(b, b.Ints(a.n/a.kv), rows)
	if grouped {
		q = reshape(b, q, batch, b.Ints(a.kv), group, size)
	}
	x := matmul(b, q, transpose(b, k, 0, 1, 3, 2))
	if grouped {
		x = reshape(b, x, batch, b.Ints(a.n), rows, keys)
	}
	if c := float64(a.softcap); c != 0 {
		x = scaled(b, b.Add(ops.Tanh, nil, scaled(b, x, 1/c)), c)
	}
	for _, p := range a.plus {
		x = add(b, x, p)
	}
	if a.keep != 0 {
		x = choose(b, a.keep, x, b.Scalar(d, masked))
	}
	if a.sink != 0 {
		x = concat(b, -1, x, a.sink)
	}
	x = b.Add(ops.Softmax, ops.AlongAxis(-1), x)
	if a.sink != 0 {
		x = slice(b, x, b.Ints(0), keys, -1)
	}
	if grouped {
		x = reshape(b, x, batch, b.Ints(a.kv), group, keys)
	}
	y := matmul(b, x, v)
	if grouped {
		y = reshape(b, y, batch, b.Ints(a.n), rows, extent(b, v, -1))
	}
	return y
}

// causal lets each of the rows, the last of as many places as there are keys, meet itself and what is before it.
func causal(b *graph.Builder, rows, keys graph.Value) graph.Value {
	at := add(b, count(b, rows), sub(b, keys, rows))
	return b.Add(ops.LessOrEqual, nil, count(b, keys), unsqueeze(b, at, 1))
}

// padding is what a mask of integers adds to scores [B,N,S,keys] of type d: nothing where a key is to be seen, else filter. A vector has
// the number of keys of each example, or where they end and then where they begin; a matrix [B,keys] or [B,S,keys] has zeros at those
// that are not seen.
func padding(b *graph.Builder, mask, batch, keys graph.Value, filter float32, d tensor.DType) graph.Value {
	var keep graph.Value
	switch dims := b.Add(ops.Shape, nil, mask); rankOf(b, mask) {
	case 1:
		keep = lengths(b, mask, dims, batch, keys)
	case 2:
		keep = seen(b, unsqueeze(b, mask, 1, 2))
	case 3:
		keep = seen(b, unsqueeze(b, mask, 1))
	default:
		vector, one := hasRank(b, mask, 1), b.Ints(1)
		n := choose(b, vector, one, product(b, dims)) // a vector is looked at as lengths, and its first number is in place of a matrix
		flat := slice(b, reshape(b, mask, product(b, dims)), b.Ints(0), n, 0)
		rows := over(b, n, atLeast(b, times(b, batch, keys), 1))
		matrix := reshape(b, flat, choose(b, vector, b.Ints(1, 1, 1, 1), concat(b, 0, batch, one, rows, keys)))
		keep = choose(b, vector, lengths(b, mask, dims, batch, keys), seen(b, matrix))
	}
	return choose(b, keep, b.Scalar(d, 0), b.Scalar(d, float64(filter)))
}

// seen tells where a mask is above zero.
func seen(b *graph.Builder, mask graph.Value) graph.Value {
	return b.Add(ops.Greater, nil, whole64(b, mask), b.Const(tensor.Scalar(int64(0))))
}

// lengths tells which keys are before the ends, the first numbers of the mask, and not before the starts, the others, if there are any.
func lengths(b *graph.Builder, mask, dims, batch, keys graph.Value) graph.Value {
	rows := reshape(b, whole64(b, mask), over(b, product(b, dims), atLeast(b, batch, 1)), batch)
	row := func(i int) graph.Value { // zeros where there is none
		r := slice(b, rows, b.Ints(i), b.Ints(i+1), 0)
		return reshape(b, node(b, ops.ReduceSum, graph.Attrs{"keepdims": int64(0)}, r, b.Ints(0)), batch, b.Ints(1, 1, 1))
	}
	at := count(b, keys)
	return b.Add(ops.And, nil, b.Add(ops.Less, nil, at, row(0)), b.Add(ops.GreaterOrEqual, nil, at, row(1)))
}
