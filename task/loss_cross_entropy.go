package task

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// CrossEntropy is -w[y]·log softmax(z)[y] of the logits z, with label smoothing s
//
//	(1-s)·(-w[y]·log p[y]) + s/K·Σ_k (-w[k]·log p[k]);
//
// its mean is divided by the sum of w[y]. Labels of Ignored count nothing. A distribution q over the classes as target gives Σ_k
// -q[k]·log p[k].
//
// Source: https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
type CrossEntropy struct {
	Smoothing float64 `opt:"smoothing" doc:"share of the truth that is spread over all classes, from 0 to below 1"`
	Weights   string  `opt:"weights" doc:"weight of each class, as in 1,2,0.5, or balanced: by one over its number of examples, 1 on average"`

	w    []float64
	soft bool
}

func init() {
	losses.Register("cross-entropy", func() Loss { return &CrossEntropy{} },
		"softmax cross-entropy of the logits with class numbers",
		"https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html")
}

// Classes reports whether the targets are class numbers, not distributions.
func (l *CrossEntropy) Classes() bool { return !l.soft }

// Logits is true.
func (*CrossEntropy) Logits() bool { return true }

func (l *CrossEntropy) prepare(t *Task) error {
	if !(l.Smoothing >= 0 && l.Smoothing < 1) {
		return fmt.Errorf("loss cross-entropy: smoothing=%v: want a number from 0 to below 1", l.Smoothing)
	}
	if l.soft = t.soft; l.soft && (l.Smoothing != 0 || l.Weights != "") {
		return fmt.Errorf("loss cross-entropy: the targets are distributions; smoothing and weights are for class numbers")
	}
	if l.Weights == "" {
		return nil
	}
	if l.Weights == "balanced" {
		if t.counts == nil && !t.positions {
			return fmt.Errorf("loss cross-entropy: weights=balanced counts the class numbers of examples, and these data have none")
		}
		if t.counts == nil {
			return fmt.Errorf("loss cross-entropy: weights=balanced counts the labels of examples, and these data have a class for each " +
				"position: give weights=1,2,…")
		}
		l.w = balanced(t.counts, t.K)
		return nil
	}
	parts := strings.Split(l.Weights, ",")
	if len(parts) != t.K {
		return fmt.Errorf("loss cross-entropy: %d weights for %d classes", len(parts), t.K)
	}
	l.w = make([]float64, t.K)
	for i, s := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil || !(v >= 0) || v-v != 0 {
			return fmt.Errorf("loss cross-entropy: weight %q of class %d: want a number of at least 0", s, i)
		}
		l.w[i] = v
	}
	return nil
}

// balanced is n/(K·n_k) for classes that have examples, 0 for others.
//
// Source: https://scikit-learn.org/stable/modules/generated/sklearn.utils.class_weight.compute_class_weight.html
func balanced(counts []int, k int) []float64 {
	w, n, some := make([]float64, k), 0, 0
	for _, c := range counts {
		n += c
		some += b2i(c > 0)
	}
	for i := range w {
		if i < len(counts) && counts[i] > 0 {
			w[i] = float64(n) / (float64(some) * float64(counts[i]))
		}
	}
	return w
}

// Each implements Loss.
func (l *CrossEntropy) Each(b *engine.Build, t *Task, z, y graph.Value) graph.Value {
	d := b.DType(z)
	if l.soft {
		return sumTerms(b, b.Add(ops.Mul, nil, b.Add(ops.Neg, nil, y), b.Add(ops.LogSoftmax, ops.AlongAxis(1), z)))
	}
	in := []graph.Value{z, y}
	var w graph.Value
	if l.w != nil {
		v, _ := tensor.From(l.w, t.K).Convert(d) // real numbers convert
		w = b.Const(v)
		in = append(in, w)
	}
	sum := sumTerms(b, b.Add(ops.SoftmaxCrossEntropyLoss, ops.ClassLoss("none", Ignored), in...))
	if l.Smoothing == 0 {
		return sum
	}
	logp := b.Add(ops.LogSoftmax, ops.AlongAxis(1), z)
	if w != 0 {
		shape := []int{1, t.K}
		if t.positions {
			shape = append(shape, 1)
		}
		logp = b.Add(ops.Mul, nil, logp, b.Add(ops.Reshape, nil, w, b.Ints(shape...)))
	}
	all := b.Add(ops.Neg, nil, b.Add(ops.ReduceSum, ops.KeepDims(false), logp, b.Ints(1))) // [N] or [N,P]
	labelled := b.Add(ops.Greater, nil, y, b.Const(tensor.Scalar(int64(Ignored))))
	spread := sumTerms(b, b.Add(ops.Mul, nil, all, b.Add(ops.Cast, ops.CastTo(d), labelled)))
	return b.Add(ops.Add, nil,
		b.Add(ops.Mul, nil, sum, b.Scalar(d, 1-l.Smoothing)),
		b.Add(ops.Mul, nil, spread, b.Scalar(d, l.Smoothing/float64(t.K))))
}

// Terms is the weight of the labels.
func (l *CrossEntropy) Terms(_ *Task, labels []int64, _ []float64) float64 {
	n := 0.0
	if l.soft {
		return 1
	}
	for _, y := range labels {
		switch {
		case y == Ignored:
		case l.w != nil:
			n += l.w[y]
		default:
			n++
		}
	}
	return n
}
