package train

import (
	"cmp"
	"context"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// prepareEval makes the evaluation of what the units say of the validation data, by a model of nothing but the output.
func (b *boosting) prepareEval(ctx context.Context) error {
	f, t := b.f, b.f.c.Task
	b.logits = &logitSet{Dataset: f.c.Val, k: t.K, z: make([]float64, f.c.Val.Len()*t.K), y: make([]*tensor.Tensor, f.c.Val.Len())}
	if ex, err := f.c.Val.Example(0); err != nil {
		return err
	} else if ex.Y != nil {
		for i := range b.logits.y {
			ex, err := f.c.Val.Example(i)
			if err != nil {
				return err
			}
			b.logits.y[i] = ex.Y
		}
	}
	b.refresh()
	name := "gbnn.evaluation"
	g := &onnxpb.GraphProto{Name: &name, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("z", tensor.Float32, "N", t.K)},
		Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo(t.Head.Output, tensor.Float32, "N", t.K)}}
	g.Node = append(g.Node, onnx.NewNode("Identity", "z", []string{"z"}, []string{t.Head.Logits}))
	if t.Head.Logits != t.Head.Output { // without an activation there is a Cast between them
		op := cmp.Or(t.Head.Activation, "Identity")
		n := onnx.NewNode(op, "activation", []string{t.Head.Logits}, []string{t.Head.Output})
		if op == "Softmax" || op == "LogSoftmax" {
			n.Attribute = append(n.Attribute, onnx.AttrInt("axis", 1))
		}
		g.Node = append(g.Node, n)
	}
	m, err := engine.Load(onnx.NewModel(g, 17), engine.WithThreads(b.m.Pool().Threads()))
	if err != nil {
		return err
	}
	plan, err := feed.For(m, b.logits, feed.Options{})
	if err != nil {
		return err
	}
	f.eval, err = NewEvaluator(ctx, m, b.logits, EvalConfig{Task: t, Feed: plan, BatchSize: 1024})
	return err
}

// logitSet is a data set whose examples are what the units say of those of another one: as many numbers as the model has outputs.
type logitSet struct {
	data.Dataset
	z []float64 // [N,K]
	k int
	y []*tensor.Tensor // targets of the examples, nil entries for none
}

// Example is the numbers with the truth of the example.
func (s *logitSet) Example(i int) (data.Example, error) {
	x := tensor.New(tensor.Float32, s.k)
	for j := range s.k {
		x.F32()[j] = float32(s.z[i*s.k+j])
	}
	return data.Example{ID: s.ID(i), X: x, Label: s.Label(i), Y: s.y[i]}, nil
}
