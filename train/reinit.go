package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Reinit is a copy of m whose layers have fresh weights drawn from seed: those of Conv, ConvTranspose, Gemm and MatMul normal with
// variance 2/fan-in, those of LSTM, GRU and RNN uniform in ±1/sqrt(hidden), their biases 0, normalisations at scale 1, bias 0, mean 0 and
// variance 1. All else, such as positional embeddings, keeps its values. Weights are found in initializers and Constant nodes, through
// views and in functions, but not inside bodies. It fails when it finds nothing to draw.
//
// Source: He et al. 2015 (https://arxiv.org/abs/1502.01852), equation 10.
func Reinit(m *onnx.Model, seed uint64) (*onnx.Model, error) {
	flat := m.Clone()
	f := newFinder(flat)
	if err := f.inlineAll(); err != nil {
		return nil, fmt.Errorf("train: reinit: %w", err)
	}
	f.unfuseAll()
	r := rand.New(rand.NewPCG(seed, 0x7265696e6974))
	fresh := map[string]func() float32{}
	drawn := 0
	var order []string
	for _, n := range flat.Proto.GetGraph().GetNode() {
		for i := range n.GetInput() {
			o := f.operand(n, i)
			if o == nil || o.stored == "" || fresh[o.stored] != nil {
				continue
			}
			if f.is(n, ops.Add) && !f.isBias(n, i, o) {
				continue
			}
			draw, random := f.freshValue(n, i, o.value.Shape(), r)
			if draw == nil {
				continue
			}
			fresh[o.stored] = draw
			order = append(order, o.stored)
			if random {
				drawn++
			}
		}
	}
	if drawn == 0 {
		return nil, fmt.Errorf("train: reinit: the model has no layer whose weights could be drawn anew")
	}
	return refilled(m, order, fresh)
}

// inlineAll puts functions in the place of their calls.
func (f *finder) inlineAll() error {
	if err := f.m.InlineAll(maxInlined); err != nil {
		return err
	}
	f.index()
	return nil
}

// refilled is a copy of m in which the weights named in order have elements drawn by fresh.
func refilled(m *onnx.Model, order []string, fresh map[string]func() float32) (*onnx.Model, error) {
	out := m.Clone()
	known := map[string]*onnx.Weight{}
	for _, w := range out.Weights() {
		known[w.Name] = w
	}
	values := map[string]*tensor.Tensor{}
	for _, name := range order {
		old, err := out.WeightTensor(known[name])
		if err != nil {
			return nil, fmt.Errorf("train: reinit: %w", err)
		}
		t := tensor.New(tensor.Float32, old.Shape()...)
		for i := range t.F32() {
			t.F32()[i] = fresh[name]()
		}
		if values[name], err = t.Convert(old.DType()); err != nil {
			return nil, fmt.Errorf("train: reinit: %w", err)
		}
	}
	if err := out.SetWeights(values); err != nil {
		return nil, fmt.Errorf("train: reinit: %w", err)
	}
	return out, nil
}

// isBias reports whether o, input i of the Add n, is the bias of a layer that leaves it to an Add: one number for each of its outputs.
func (f *finder) isBias(n *onnxpb.NodeProto, i int, o *operand) bool {
	if i > 1 || len(n.GetInput()) != 2 || o.value.Rank() == 0 {
		return false
	}
	layer := f.makers[n.GetInput()[1-i]]
	if layer == nil || f.role(layer) != graph.Linear {
		return false
	}
	w := f.operand(layer, 1)
	return w != nil && w.value.Rank() >= 2 && w.value.Dim(f.outAxis(layer, w.value.Rank())) == o.value.Len()
}

// freshValue draws elements for input i of n, a constant read with shape s; nil when they are to stay. random tells weights from
// constants.
func (f *finder) freshValue(n *onnxpb.NodeProto, i int, s tensor.Shape, r *rand.Rand) (draw func() float32, random bool) {
	same := func(v float32) func() float32 { return func() float32 { return v } }
	if n.GetDomain() == fusedDomain {
		return f.freshFused(n, i, s, r)
	}
	switch f.role(n) {
	case graph.Linear:
		switch {
		case i == 2:
			return same(0), false
		case i != 1 || len(s) < 2:
			return nil, false
		}
		fanIn := s[len(s)-2] // MatMul and plain Gemm: [n,M]
		if f.is(n, ops.Conv) || f.is(n, ops.Gemm) && intAttr(n, "transB", 0) != 0 {
			fanIn = s.Len() / max(1, s[0])
		} else if f.is(n, ops.ConvTranspose) {
			fanIn = s.Len() / max(1, s[1])
		}
		return he(r, fanIn), true
	case graph.Arithmetic:
		if f.is(n, ops.Add) {
			return same(0), false
		}
	case graph.Normalisation:
		if i >= 1 && i <= 4 {
			return same([]float32{0, 1, 0, 0, 1}[i]), false
		}
	case graph.Recurrent:
		if i == 1 || i == 2 {
			bound := 1 / math.Sqrt(float64(max(1, intAttr(n, "hidden_size", 1))))
			return func() float32 { return float32((2*r.Float64() - 1) * bound) }, true
		}
		if i == 3 {
			return same(0), false
		}
	}
	return nil, false
}

// he draws weights of a layer with fanIn inputs for each output.
func he(r *rand.Rand, fanIn int) func() float32 {
	sigma := math.Sqrt(2 / float64(max(1, fanIn)))
	return func() float32 { return float32(r.NormFloat64() * sigma) }
}
