package task

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// KL is T²·Σ_k q[k]·(log q[k] - log p[k]), the divergence of the model's softmax(z/T) from a teacher's distribution q; the mean over
// examples. The targets are the teacher's probabilities at temperature T (rows that sum to one); with from=logits they are its logits.
//
// Source: Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531), section 2.
type KL struct {
	Temperature float64 `opt:"temperature" doc:"softens both distributions"`
	From        string  `opt:"from" doc:"what the targets are: probabilities or logits"`
}

func init() {
	losses.Register("kl", func() Loss { return &KL{Temperature: 1, From: "probabilities"} },
		"divergence from a teacher's distribution over the classes, the targets [N,K]", "https://arxiv.org/abs/1503.02531")
}

// Classes is false.
func (*KL) Classes() bool { return false }

// Logits is true.
func (*KL) Logits() bool { return true }

func (l *KL) prepare(t *Task) error {
	if !(l.Temperature > 0) {
		return fmt.Errorf("loss kl: temperature=%v: want a positive number", l.Temperature)
	}
	if l.From != "probabilities" && l.From != "logits" {
		return fmt.Errorf("loss kl: from=%q: want probabilities or logits", l.From)
	}
	if t.positions || t.K < 2 {
		return fmt.Errorf("loss kl: needs an output [N,K] with a score for each of K classes")
	}
	return nil
}

// Each implements Loss.
func (l *KL) Each(b *engine.Build, _ *Task, z, y graph.Value) graph.Value {
	d := b.DType(z)
	soft := func(v graph.Value) graph.Value {
		if l.Temperature != 1 {
			v = b.Add(ops.Mul, nil, v, b.Scalar(d, 1/l.Temperature))
		}
		return b.Add(ops.LogSoftmax, ops.AlongAxis(1), v)
	}
	q, logq := y, graph.Value(0)
	if l.From == "logits" {
		logq = soft(y)
		q = b.Add(ops.Exp, nil, logq)
	} else { // 0·log 0 is 0
		logq = b.Add(ops.Log, nil, b.Add(ops.Max, nil, q, b.Scalar(d, 1e-30)))
	}
	e := b.Add(ops.Mul, nil, q, b.Add(ops.Sub, nil, logq, soft(z)))
	return sumTerms(b, b.Add(ops.Mul, nil, e, b.Scalar(d, l.Temperature*l.Temperature)))
}

// Terms is one for each example.
func (*KL) Terms(*Task, []int64, []float64) float64 { return 1 }
