package task

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// Focal is (1-p)^gamma · -log p with p the probability of the true class: what is classified well counts little. With real targets, p is
// that of each output's sigmoid, and the term is multiplied by alpha for a positive and 1-alpha for a negative target unless alpha is
// negative.
//
// Source: Lin et al. 2017, "Focal Loss for Dense Object Detection" (arXiv 1708.02002), equations 4 and 5;
// torchvision.ops.sigmoid_focal_loss.
type Focal struct {
	Gamma float64 `opt:"gamma" doc:"how fast well classified examples lose weight; 0 is the cross-entropy"`
	Alpha float64 `opt:"alpha" doc:"weight of positive targets in binary and multilabel tasks; negative for none"`

	classes bool
}

func init() {
	losses.Register("focal", func() Loss { return &Focal{Gamma: 2, Alpha: 0.25} },
		"cross-entropy that gives little weight to what is classified well", "https://arxiv.org/abs/1708.02002")
}

// Classes reports whether one class of several is true.
func (l *Focal) Classes() bool { return l.classes }

// Logits is true.
func (*Focal) Logits() bool { return true }

func (l *Focal) prepare(t *Task) error {
	l.classes = t.Kind == Multiclass && !t.sigmoids() || t.Kind == Dense && t.K > 1
	if !(l.Gamma >= 0) || l.Alpha > 1 {
		return fmt.Errorf("loss focal: gamma=%v, alpha=%v: want gamma of at least 0 and alpha of at most 1", l.Gamma, l.Alpha)
	}
	return nil
}

// Each implements Loss.
func (l *Focal) Each(b *engine.Build, _ *Task, z, y graph.Value) graph.Value {
	d := b.DType(z)
	one, gamma := b.Scalar(d, 1), b.Scalar(d, l.Gamma)
	weigh := func(ce graph.Value) graph.Value { // (1 - e^-ce)^gamma · ce
		p := b.Add(ops.Exp, nil, b.Add(ops.Neg, nil, ce))
		if l.Gamma == 0 {
			return ce
		}
		return b.Add(ops.Mul, nil, b.Add(ops.Pow, nil, b.Add(ops.Sub, nil, one, p), gamma), ce)
	}
	if l.classes {
		return sumTerms(b, weigh(b.Add(ops.SoftmaxCrossEntropyLoss, ops.ClassLoss("none", Ignored), z, y)))
	}
	has := known(b, y, z)
	y = b.Add(ops.Mul, nil, y, has)
	e := weigh(b.Add(ops.Sub, nil, b.Add(ops.Softplus, nil, z), b.Add(ops.Mul, nil, y, z)))
	if l.Alpha >= 0 {
		w := b.Add(ops.Add, nil, b.Add(ops.Mul, nil, y, b.Scalar(d, 2*l.Alpha-1)), b.Scalar(d, 1-l.Alpha))
		e = b.Add(ops.Mul, nil, e, w)
	}
	return sumTerms(b, b.Add(ops.Mul, nil, e, has))
}

// Terms is the number of labels or targets.
func (l *Focal) Terms(_ *Task, labels []int64, target []float64) float64 {
	if !l.classes {
		return knownTerms(target)
	}
	n := 0.0
	for _, y := range labels {
		if y != Ignored {
			n++
		}
	}
	return n
}
