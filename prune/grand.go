package prune

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// GraNd is the norm of the gradient of the cross-entropy of one example by all weights, normalisation included, with running
// statistics in batch normalisation. It is exact: computed for a whole batch from layer inputs and output gradients where
// every layer has a per-example rule, and one example at a time where one has none.
//
// Source: Paul, Ganguli, Dziugaite 2021 (arXiv 2107.07075), definition 2.1. At initialisation it says little more than the norm of
// the input: Kirsch 2023 (arXiv 2303.14753).
type GraNd struct {
	// Each forces the computation of one example at a time.
	Each bool
}

func init() {
	scorers.Register("grand", GraNd{}, "exact norm of each example's gradient by all weights", "https://arxiv.org/abs/2107.07075")
}

// labelInput feeds the classes to the loss.
const labelInput = "gtk.labels"

// Prepare compiles the per-example norms of m.
func (g GraNd) Prepare(m *engine.Model) (Scoring, error) {
	in, err := onlyInput(m)
	if err != nil {
		return nil, err
	}
	h, err := m.Head("")
	if err != nil {
		return nil, err
	}
	var params []string
	for p := range m.Params() {
		if p.Trainable {
			params = append(params, p.Name)
		}
	}
	if len(params) == 0 {
		return nil, errors.New("prune: grand: the model has no trainable parameter")
	}
	loss := func(b *engine.Build) (graph.Value, error) {
		z, err := b.Value(h.Logits)
		if err != nil {
			return 0, err
		}
		y := b.Input(labelInput, tensor.Int64, []graph.Dim{{Size: -1, Symbol: "N"}})
		return b.Add(ops.SoftmaxCrossEntropyLoss, ops.LossReduction("none"), b.Add(ops.Flatten, nil, z), y), nil
	}
	if !g.Each {
		s, err := m.Session(engine.Query{Loss: loss, PerExample: params})
		if err == nil {
			return &grand{s: s, in: in}, nil
		}
		if !errors.Is(err, graph.ErrNoGradient) && !errors.Is(err, errors.ErrUnsupported) {
			return nil, err
		}
	}
	s, err := m.Session(engine.Query{Loss: loss, Grad: params, Fixed: true})
	if err != nil {
		return nil, err
	}
	return &grand{s: s, in: in, each: params}, nil
}

type grand struct {
	s    *engine.Session
	in   string
	each []string // parameters, when examples are taken one at a time
}

func (g *grand) Score(ctx context.Context, x *tensor.Tensor, labels []int64, out []float64) error {
	if g.each != nil {
		return g.oneByOne(ctx, x, labels, out)
	}
	r, err := g.s.Run(ctx, map[string]*tensor.Tensor{g.in: x, labelInput: tensor.From(labels, len(labels))})
	if err != nil {
		return err
	}
	n := r.TotalNorm2().Float64s()
	if len(n) != len(out) {
		return fmt.Errorf("prune: grand: %d norms for a batch of %d", len(n), len(out))
	}
	for i, v := range n {
		out[i] = math.Sqrt(v)
	}
	return nil
}

// oneByOne runs each example alone.
func (g *grand) oneByOne(ctx context.Context, x *tensor.Tensor, labels []int64, out []float64) error {
	n := len(labels)
	size := len(x.Bytes()) / n
	shape := append([]int{1}, x.Shape()[1:]...)
	for i := range n {
		xi, err := tensor.FromBytes(x.DType(), shape, x.Bytes()[i*size:(i+1)*size])
		if err != nil {
			return err
		}
		r, err := g.s.Run(ctx, map[string]*tensor.Tensor{g.in: xi, labelInput: tensor.From(labels[i:i+1], 1)})
		if err != nil {
			return err
		}
		s := 0.0
		for _, p := range g.each {
			if d := r.Grad(p); d != nil {
				for _, v := range d.Float64s() {
					s += v * v
				}
			}
		}
		out[i] = math.Sqrt(s)
	}
	return nil
}
