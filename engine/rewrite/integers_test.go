package rewrite_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/rewrite"
	"github.com/gtk-onnx/gtk/tensor"
)

// quantisedNet is a small network between QuantizeLinear and DequantizeLinear: two convolutions, a Relu, MaxPool, a flattening.
type quantisedNet struct {
	g     *graph.Graph
	x     graph.Value
	inner graph.Value // the first convolution's result, in float32
	out   graph.Value
	step  float32 // of the last quantisation
}

func newQuantisedNet(t *testing.T, d tensor.DType, perChannel bool) *quantisedNet {
	t.Helper()
	r := rand.New(rand.NewPCG(3, uint64(d)))
	g := graph.New("")
	net := &quantisedNet{g: g, x: g.AddInput("x", tensor.Float32, nil)}
	b := graph.NewBuilder(g)
	zero := func(low bool) graph.Value {
		if d == tensor.Int8 {
			return b.Const(tensor.Scalar(map[bool]int8{true: -128, false: 3}[low]))
		}
		return b.Const(tensor.Scalar(map[bool]uint8{true: 0, false: 120}[low]))
	}
	qdq := func(v graph.Value, scale float32, z graph.Value) graph.Value {
		net.step = scale
		s := b.Const(tensor.Scalar(scale))
		return b.Add(ops.DequantizeLinear, nil, b.Add(ops.QuantizeLinear, nil, v, s, z), s, z)
	}
	decode := func(op *graph.Spec, a graph.Attrs) any {
		x, err := op.DecodeAttrs(a)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	conv := func(v graph.Value, in, out, k int, sx float32, a graph.Attrs) graph.Value {
		w, bias := make([]int8, out*in*k*k), make([]int32, out)
		for i := range w {
			w[i] = int8(r.IntN(255) - 127)
		}
		scales := make([]float32, out)
		for i := range bias {
			bias[i], scales[i] = int32(r.IntN(4000)-2000), 0.004+0.001*float32(i%3)
		}
		if !perChannel {
			scales = []float32{0.005}
		}
		both := make([]float32, len(scales))
		for i, s := range scales {
			both[i] = s * sx
		}
		axis := decode(ops.DequantizeLinear, graph.Attrs{"axis": int64(0)})
		shape := []int{len(scales)}
		if !perChannel {
			shape = nil
		}
		wv := b.Add(ops.DequantizeLinear, axis, b.Const(tensor.From(w, out, in, k, k)), b.Const(tensor.From(scales, shape...)))
		bv := b.Add(ops.DequantizeLinear, axis, b.Const(tensor.From(bias, out)), b.Const(tensor.From(both, shape...)))
		return b.Add(ops.Conv, decode(ops.Conv, a), v, wv, bv)
	}
	v := qdq(net.x, 0.02, zero(false))
	net.inner = conv(v, 3, 8, 3, 0.02, graph.Attrs{"pads": []int64{1, 1, 1, 1}})
	v = qdq(b.Add(ops.Relu, nil, net.inner), 0.05, zero(true))
	v = b.Add(ops.MaxPool, decode(ops.MaxPool, graph.Attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}), v)
	v = qdq(v, 0.05, zero(true))
	v = qdq(conv(v, 8, 6, 3, 0.05, graph.Attrs{"strides": []int64{2, 2}}), 0.1, zero(false))
	v = qdq(b.Add(ops.Flatten, nil, v), 0.1, zero(false))
	net.out = v
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	return net
}

func counts(g *graph.Graph) map[string]int {
	n := map[string]int{}
	for _, m := range g.Nodes {
		n[m.Op.Name]++
	}
	return n
}

// TestIntegers computes a quantised network in float32 and in integers: the results are a step apart at most, and all layers are integers.
func TestIntegers(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Uint8, tensor.Int8} {
		for _, perChannel := range []bool{false, true} {
			net := newQuantisedNet(t, d, perChannel)
			r := rand.New(rand.NewPCG(9, 9))
			x := tensor.New(tensor.Float32, 2, 3, 12, 12)
			for i := range x.F32() {
				x.F32()[i] = float32(r.NormFloat64())
			}
			feeds, fetch := []*tensor.Tensor{x}, []graph.Value{net.out}
			want, err := run(net.g.Clone(), fetch, feeds)
			if err != nil {
				t.Fatal(err)
			}
			g := net.g.Clone()
			if err := rewrite.Integers(g, fetch); err != nil {
				t.Fatal(err)
			}
			n := counts(g)
			if n["QLinearConv"] != 2 || n["Conv"]+n["Relu"] != 0 || n["MaxPool"] != 1 || n["QuantizeLinear"] != 1 || n["DequantizeLinear"] != 1 {
				t.Errorf("%v, per channel %v: %v", d, perChannel, n)
			}
			got, err := run(g, fetch, feeds)
			if err != nil {
				t.Fatal(err)
			}
			apart := 0
			for i, v := range got[0].F32() {
				if diff := math.Abs(float64(v - want[0].F32()[i])); diff > 1.01*float64(net.step) {
					t.Errorf("%v, per channel %v: element %d is %v, want %v", d, perChannel, i, v, want[0].F32()[i])
				} else if diff > 0.5*float64(net.step) {
					apart++
				}
			}
			if apart > got[0].Len()/10 {
				t.Errorf("%v, per channel %v: %d of %d are a step apart", d, perChannel, apart, got[0].Len())
			}
			// What is fetched, or read by something else, stays in float32.
			kept := net.g.Clone()
			if err := rewrite.Integers(kept, []graph.Value{net.out, net.inner}); err != nil {
				t.Fatal(err)
			}
			if n := counts(kept); n["Conv"] != 1 || n["QLinearConv"] != 1 || !slices.ContainsFunc(kept.Nodes, func(m *graph.Node) bool {
				return slices.Contains(m.Out, net.inner)
			}) {
				t.Errorf("%v: with an inner value fetched: %v", d, n)
			}
		}
	}
}
