package microsoft

import (
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// MatMulNBits is A [.., K] times the transpose of a weight [N,K] of 2, 4 or 8 bits, plus a bias [N]: B holds N rows of blocks of block_size
// numbers along K, the first in the low bits; scales has one for each block, zero_points too, packed as B is, a row a whole number of
// bytes, or as numbers of the type of the scales. Without zero points, half the range is zero.
//
// Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
var MatMulNBits = new(graph.Spec)

type matmulNBitsAttrs struct {
	K        int `onnx:"K,required"`
	N        int `onnx:"N,required"`
	Bits     int `onnx:"bits,default=4"`
	Block    int `onnx:"block_size,required"`
	Accuracy int `onnx:"accuracy_level,default=0"` // how a runtime may round, not what is meant
}

func init() {
	define(MatMulNBits, graph.Def[matmulNBitsAttrs]{
		Name: "MatMulNBits", Since: []int{1}, Doc: contrib + "MatMulNBits",
		In: []graph.Formal{{Name: "A", Types: scaleOnly}, {Name: "B", Types: []tensor.DType{tensor.Uint8}, NoGrad: true},
			{Name: "scales", Types: scaleOnly},
			{Name: "zero_points", Types: []tensor.DType{tensor.Uint8, tensor.Float32}, NoGrad: true, Optional: true},
			{Name: "g_idx", Types: []tensor.DType{tensor.Int32}, NoGrad: true, Optional: true},
			{Name: "bias", Types: scaleOnly, Weight: true, Optional: true}},
		Out:   []graph.Formal{{Name: "Y"}},
		Types: firstIs[matmulNBitsAttrs](0),
		Lower: func(a *matmulNBitsAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			w, err := a.weight(b, n)
			if err != nil {
				return nil, err
			}
			y := b.Add(ops.MatMul, nil, n.In[0], w)
			if bias := input(n, 5); bias != 0 {
				y = b.Add(ops.Add, nil, y, bias)
			}
			return []graph.Value{y}, nil
		},
	})
}

// mostExtent is more than any axis of a weight has.
const mostExtent = min(1<<40, math.MaxInt)

// weight is the weight [K,N] in float32.
func (a *matmulNBitsAttrs) weight(b *graph.Builder, n *graph.Node) (graph.Value, error) {
	kind, ok := map[int]tensor.DType{2: tensor.Uint2, 4: tensor.Uint4, 8: tensor.Uint8}[a.Bits]
	switch {
	case !ok:
		return 0, fmt.Errorf("attribute bits has the value %d; 2, 4 and 8 are supported", a.Bits)
	case a.Block < 8 || a.Block*a.Bits%8 != 0 || a.Block > 1<<20 || a.K < 1 || a.N < 1 || a.K > mostExtent || a.N > mostExtent:
		return 0, fmt.Errorf("attributes K %d, N %d and block_size %d", a.K, a.N, a.Block)
	case input(n, 4) != 0:
		return 0, errors.New("input g_idx, an order of the rows, is not supported: export the model without it")
	}
	packed := b.G.Info(n.In[1]).Data
	if packed == nil {
		return 0, errors.New("input B is computed: only weights that the file holds are supported")
	}
	blocks := (a.K + a.Block - 1) / a.Block
	long := blocks * a.Block
	if packed.Len() != kind.Size(long)*a.N {
		return 0, fmt.Errorf("input B of shape %v for K %d, N %d, %d bits and blocks of %d", packed.Shape(), a.K, a.N, a.Bits, a.Block)
	}
	q, err := tensor.FromBytes(kind, []int{a.N, long}, packed.Bytes())
	if err != nil {
		return 0, err
	}
	grid := graph.Attrs{"axis": int64(1), "block_size": int64(a.Block)}
	scales := node(b, ops.Reshape, nil, n.In[2], b.Ints(a.N, blocks))
	zero, real, err := a.zeros(b, n, kind, blocks)
	if err != nil {
		return 0, err
	}
	w := dequantise(b, b.Const(q), scales, zero, grid)
	if real != 0 { // (q − z)·s = q·s − z·s
		ones := b.Add(ops.Expand, nil, b.Const(tensor.Scalar(int8(1))), b.Ints(a.N, long))
		shift := b.Add(ops.Mul, nil, scales, node(b, ops.Reshape, nil, real, b.Ints(a.N, blocks)))
		w = b.Add(ops.Sub, nil, w, dequantise(b, ones, shift, 0, grid))
	}
	if long != a.K {
		w = b.Add(ops.Slice, nil, w, b.Ints(0), b.Ints(a.K), b.Ints(1))
	}
	return node(b, ops.Transpose, graph.Attrs{"perm": []int64{1, 0}}, w), nil
}

// zeros are the zero points of the blocks, as numbers of the weight's type or, where they are stored so, real ones.
func (a *matmulNBitsAttrs) zeros(b *graph.Builder, n *graph.Node, kind tensor.DType, blocks int) (zero, real graph.Value, err error) {
	each := make([]uint8, a.N*blocks)
	for i := range each {
		each[i] = 1 << (a.Bits - 1)
	}
	if v := input(n, 3); v != 0 {
		if b.DType(v) == tensor.Float32 {
			return 0, v, nil
		}
		z := b.G.Info(v).Data
		row := kind.Size(blocks)
		if z == nil || z.Len() != row*a.N {
			return 0, 0, fmt.Errorf("input zero_points: want %d numbers that the file holds", row*a.N)
		}
		for i := range each {
			at := i % blocks * a.Bits
			each[i] = z.Bytes()[i/blocks*row+at/8] >> (at % 8) & (1<<a.Bits - 1)
		}
	}
	t, err := tensor.From(each, a.N, blocks).Convert(kind)
	return b.Const(t), 0, err
}
