package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Reinit is a copy of m whose layers have fresh weights drawn from seed: those of Conv, ConvTranspose, Gemm and MatMul normal with variance 2/fan-in,
// those of LSTM, GRU and RNN uniform in ±1/sqrt(hidden), their biases 0, normalisations at scale 1, bias 0, mean 0 and variance 1.
// All else, such as positional embeddings, keeps its values. It fails when it finds nothing to draw.
//
// Source: He et al. 2015 (https://arxiv.org/abs/1502.01852), equation 10.
func Reinit(m *onnx.Model, seed uint64) (*onnx.Model, error) {
	out := m.Clone()
	f := finder{out, map[string]*onnxpb.NodeProto{}}
	for _, n := range out.Proto.GetGraph().GetNode() {
		for _, o := range n.GetOutput() {
			f.makers[o] = n
		}
	}
	r := rand.New(rand.NewPCG(seed, 0x7265696e6974))
	drawn := 0
	done := map[string]bool{}
	for _, n := range out.Proto.GetGraph().GetNode() {
		for i, name := range n.GetInput() {
			o := f.constant(name)
			if o == nil || done[o.init] || !o.value.DType().IsFloat() {
				continue
			}
			if n.GetOpType() == "Add" && !f.isLayer(n.GetInput()[1-i%2]) {
				continue
			}
			draw, random := freshValue(n, i, o.value.Shape(), r)
			if draw == nil {
				continue
			}
			done[o.init] = true
			if random {
				drawn++
			}
			if err := refill(out, o.init, draw); err != nil {
				return nil, err
			}
		}
	}
	if drawn == 0 {
		return nil, fmt.Errorf("train: reinit: the model has no layer whose weights could be drawn anew")
	}
	return out, nil
}

// isLayer reports whether name is the output of a layer that leaves its bias to an Add.
func (f finder) isLayer(name string) bool {
	n := f.makers[name]
	return n != nil && (n.GetOpType() == "MatMul" || n.GetOpType() == "Conv")
}

// refill sets every element of an initializer.
func refill(m *onnx.Model, name string, draw func() float32) error {
	old, err := m.Tensor(m.Initializer(name))
	if err != nil {
		return fmt.Errorf("train: reinit: %w", err)
	}
	t := tensor.New(tensor.Float32, old.Shape()...)
	for i := range t.F32() {
		t.F32()[i] = draw()
	}
	if t, err = t.Convert(old.DType()); err != nil {
		return fmt.Errorf("train: reinit: %w", err)
	}
	if err := m.SetInitializer(name, t); err != nil {
		return fmt.Errorf("train: reinit: %w", err)
	}
	return nil
}

// freshValue draws elements for input i of n, an initializer of shape s; nil when they are to stay. random tells weights from constants.
func freshValue(n *onnxpb.NodeProto, i int, s tensor.Shape, r *rand.Rand) (draw func() float32, random bool) {
	same := func(v float32) func() float32 { return func() float32 { return v } }
	he := func(fanIn int) func() float32 {
		sigma := math.Sqrt(2 / float64(max(1, fanIn)))
		return func() float32 { return float32(r.NormFloat64() * sigma) }
	}
	switch op := n.GetOpType(); op {
	case "Conv", "ConvTranspose", "Gemm", "MatMul":
		switch {
		case i == 2 && op != "MatMul":
			return same(0), false
		case i != 1 || len(s) < 2:
			return nil, false
		}
		fanIn := s[len(s)-2] // MatMul and plain Gemm: [n,M]
		if op == "Conv" || op == "Gemm" && intAttr(n, "transB", 0) != 0 {
			fanIn = s.Len() / max(1, s[0])
		} else if op == "ConvTranspose" {
			fanIn = s.Len() / max(1, s[1])
		}
		return he(fanIn), true
	case "Add":
		if len(slices.DeleteFunc(slices.Clone(s), func(d int) bool { return d == 1 })) == 1 {
			return same(0), false
		}
	case "BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization":
		if i >= 1 && i <= 4 {
			return same([]float32{0, 1, 0, 0, 1}[i]), false
		}
	case "LSTM", "GRU", "RNN":
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
