package task

import (
	"fmt"
	"maps"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/tensor"
)

// Truth is what is true of the examples of a batch, in the form that the loss and the metrics take.
type Truth struct {
	N      int
	Labels []int64   // [N·P] class numbers, Ignored for none; nil where real numbers are compared
	Target []float64 // [N·F]; with the loss of class numbers nil
	Terms  []float64 // [N]: what the loss of each example is divided by for its mean

	t     *Task
	input string
	value *tensor.Tensor
	other []int64   // class numbers of what the examples are mixed with; nil where no labels are mixed
	share []float64 // of the example itself, where labels are mixed
}

// Truth is that of b. It fails for labels that the model has no class for, naming the example.
func (t *Task) Truth(b *data.Batch) (*Truth, error) {
	if t.contrast != nil {
		return t.viewed(b.Len()), nil
	}
	if t.restores != nil {
		return t.compared(b)
	}
	tr := &Truth{N: b.Len(), t: t}
	var err error
	if t.HasClasses() && !t.soft {
		if tr.Labels, err = t.labels(b); err != nil {
			return nil, err
		}
	}
	if t.Loss != nil && t.Loss.Classes() {
		tr.input = LabelInput
		shape := []int{tr.N}
		if t.positions {
			shape = append(shape, len(tr.Labels)/max(1, tr.N))
		}
		tr.value = tensor.From(tr.Labels, shape...)
		if t.mixedLabels() {
			if err := tr.mix(b); err != nil {
				return nil, err
			}
		}
	} else {
		if tr.Target, err = t.targets(b, tr.Labels); err != nil {
			return nil, err
		}
		if tr.Target, err = t.mixedTargets(b, tr.Target, tr.Labels); err != nil {
			return nil, err
		}
		f := len(tr.Target) / max(1, tr.N)
		tr.input = TargetInput
		v := tensor.From(tr.Target, tr.N, f)
		if t.real == tensor.Float64 {
			tr.value = v
		} else if tr.value, err = v.Convert(tensor.Float32); err != nil {
			return nil, err
		}
	}
	tr.Terms = make([]float64, tr.N)
	if t.Loss == nil {
		return tr, nil
	}
	for i := range tr.Terms {
		tr.Terms[i] = t.Loss.Terms(t, row(tr.Labels, i, tr.N), row(tr.Target, i, tr.N))
		if tr.other != nil {
			tr.Terms[i] = tr.share[i]*tr.Terms[i] + (1-tr.share[i])*t.Loss.Terms(t, row(tr.other, i, tr.N), nil)
		}
	}
	return tr, nil
}

// row is the part of x that belongs to example i of n.
func row[T any](x []T, i, n int) []T {
	k := len(x) / max(1, n)
	return x[i*k : (i+1)*k]
}

// Total is the number of terms of the batch.
func (tr *Truth) Total() float64 {
	s := 0.0
	for _, v := range tr.Terms {
		s += v
	}
	return s
}

// Rows are what a session with the loss takes: the truth, and with weights (not nil) what each example's loss is multiplied by.
func (tr *Truth) Rows(weights []float64) feed.Rows {
	if tr.t.contrast != nil {
		return feed.Rows{}
	}
	r := feed.Rows{Same: map[string]*tensor.Tensor{tr.input: tr.value}}
	if weights == nil {
		return r
	}
	r.Weight = map[string]*tensor.Tensor{}
	if tr.other != nil {
		var same map[string]*tensor.Tensor
		same, r.Weight, weights = tr.mixedRows(weights)
		maps.Copy(r.Same, same)
	}
	r.Weight[WeightInput] = tr.real(weights)
	return r
}

// Mean are the weights with which Task.Total is the mean over all terms of the batch.
func (tr *Truth) Mean() []float64 {
	w := make([]float64, tr.N)
	if total := tr.Total(); total > 0 {
		for i := range w {
			w[i] = 1 / total
		}
	}
	return w
}

// Own are the weights with which Task.PerTerm is the mean over the terms of each example.
func (tr *Truth) Own() []float64 {
	w := make([]float64, tr.N)
	for i, n := range tr.Terms {
		if n > 0 {
			w[i] = 1 / n
		}
	}
	return w
}

// labels are the class numbers of the examples or positions of b.
func (t *Task) labels(b *data.Batch) ([]int64, error) {
	k := int64(t.NumClasses())
	var out []int64
	switch {
	case t.masks:
		if b.Mask == nil {
			return nil, fmt.Errorf("task: the batch has no masks")
		}
		out = make([]int64, b.Mask.Len())
		for i, v := range b.Mask.Bytes() {
			if out[i] = int64(v); v == data.Void {
				out[i] = Ignored
			}
		}
	case t.positions || t.flatY:
		if b.Y == nil {
			return nil, fmt.Errorf("task: the data have no labels")
		}
		out = make([]int64, b.Y.Len())
		for i, v := range b.Y.Float64s() {
			switch out[i] = int64(v); {
			case v != float64(out[i]):
				return nil, fmt.Errorf("example %q has the label %v, which is no class number; --task regression takes such labels for "+
					"numbers", b.IDs[i*b.Len()/len(out)], v)
			case t.binary255 && v == data.Void:
				out[i] = 1
			case t.void && v == data.Void:
				out[i] = Ignored
			}
		}
	default:
		out = append([]int64(nil), b.Labels...)
	}
	per := max(1, len(out)/max(1, b.Len()))
	for i, y := range out {
		switch {
		case y == Ignored, y >= 0 && y < k:
		case y == -1 && !t.positions && !t.flatY:
			return nil, fmt.Errorf("example %q has no label: leave it out of the data", b.IDs[i/per])
		default:
			where := ""
			if per > 1 {
				where = fmt.Sprintf(" at position %d", i%per)
			}
			return nil, fmt.Errorf("example %q has label %d%s, the model has %d classes (%d stands for none)", b.IDs[i/per], y, where, k,
				Ignored)
		}
	}
	return out, nil
}

// targets are the real numbers that the outputs are compared with: those of the data, or 0 and 1 for class numbers.
func (t *Task) targets(b *data.Batch, labels []int64) ([]float64, error) {
	if labels == nil {
		if b.Y == nil {
			return nil, fmt.Errorf("task: the data have no targets for a %s task", t.Kind)
		}
		y := b.Y.Float64s()
		if len(y) != b.Len()*t.K {
			return nil, fmt.Errorf("task: targets %v for %d outputs of each example", b.Y, t.K)
		}
		if err := t.checkTargets(b, y); err != nil {
			return nil, err
		}
		return t.standardised(y), nil
	}
	if t.K == 1 {
		out := make([]float64, len(labels))
		for i, y := range labels {
			out[i] = float64(y)
		}
		return out, nil
	}
	out := make([]float64, len(labels)*t.K)
	for i, y := range labels {
		if y == Ignored {
			for k := range t.K {
				out[i*t.K+k] = Ignored
			}
			continue
		}
		out[i*t.K+int(y)] = 1
	}
	return out, nil
}

// Slice is the truth of the examples lo to hi.
func (tr *Truth) Slice(lo, hi int) *Truth {
	cut := *tr
	cut.N, cut.Terms = hi-lo, tr.Terms[lo:hi]
	if k := len(tr.Labels) / max(1, tr.N); tr.Labels != nil {
		cut.Labels = tr.Labels[lo*k : hi*k]
	}
	if k := len(tr.Target) / max(1, tr.N); tr.Target != nil {
		cut.Target = tr.Target[lo*k : hi*k]
	}
	cut.value, cut.other, cut.share = nil, nil, nil
	return &cut
}

// checkTargets refuses real targets that say nothing to the task or its loss, naming the example.
func (t *Task) checkTargets(b *data.Batch, y []float64) error {
	kl, isKL := t.Loss.(*KL)
	teacher := isKL && kl.From == "logits"
	chosen := t.Kind == Regression && t.Loss != nil && t.Loss.Logits() // a loss of probabilities that was asked for
	shares := t.Kind == Multilabel || t.soft || chosen && !teacher
	whole := t.soft || chosen && isKL && !teacher // a distribution
	for i := range b.Len() {
		sum := 0.0
		for _, v := range row(y, i, b.Len()) {
			if shares && !(v >= 0 && v <= 1 || v == Ignored && t.Kind == Multilabel) {
				return fmt.Errorf("example %q has the target %v; loss %s of a %s task takes 0 to 1", b.IDs[i], v, t.Name, t.Kind)
			}
			sum += v
		}
		if whole && math.Abs(sum-1) > 1e-3 {
			return fmt.Errorf("example %q has targets that sum to %.4g; a distribution over the classes sums to 1 (logits of a "+
				"teacher: --loss kl:from=logits)", b.IDs[i], sum)
		}
	}
	return nil
}
