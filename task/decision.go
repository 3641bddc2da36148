package task

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/tensor"
)

// Fetch is the name of the value that decisions are read from: the logits, in a regression the output.
func (t *Task) Fetch() string {
	if t.Kind == Regression && t.Head.Activation != "" {
		return t.Head.Output
	}
	return t.Head.Logits
}

// Decision is what a model says of an example, or of one position of it, and what is true.
type Decision struct {
	// logits of the classes or labels; the values of a regression. One number that tells two classes apart is two: 0 and it
	Z      []float64
	Label  int       // true class, -1 when there is none
	Target []float64 // true values or labels; nil with one class of several

	Shape []int // of the positions of an example, or of its values in a regression; nil for others
	At    int   // which of the positions this is

	t    *Task
	best int
	prob []float64
}

// Decisions goes over what v, the value called Fetch, says of n examples, position by position, and calls see with a decision that is
// valid until see returns. truth may be nil. Positions without a class are left out when there is a truth.
func (t *Task) Decisions(v *tensor.Tensor, n int, truth *Truth, see func(i int, d *Decision)) error {
	if v.Rank() == 0 || v.Dim(0) < n {
		return fmt.Errorf("task: the model gives %v for %d examples", v, n)
	}
	all := v.Float64s()
	if v.Dim(0) > n {
		all = all[:len(all)/v.Dim(0)*n]
	}
	k, outer, inner := t.K, 1, 1
	if t.positions {
		if t.axis >= v.Rank() || v.Dim(t.axis) != t.K {
			return fmt.Errorf("task: the model gives %v, not %d classes along axis %d", v, t.K, t.axis)
		}
		outer, inner = v.Shape()[1:t.axis].Len(), v.Shape()[t.axis+1:].Len()
	} else if len(all) != n*k {
		return fmt.Errorf("task: the model gives %v for %d examples of %d numbers", v, n, k)
	}
	p := outer * inner
	if truth != nil && truth.Labels != nil && len(truth.Labels) != n*p {
		return fmt.Errorf("task: %d labels for %d examples of %d positions", len(truth.Labels), n, p)
	}
	pair := k == 1 && t.HasClasses()
	link := t.link
	if t.Kind == Regression {
		link = linkNone
	}
	var shape []int
	switch {
	case t.positions:
		shape = append(append(shape, v.Shape()[1:t.axis]...), v.Shape()[t.axis+1:]...)
	case t.Kind == Regression:
		shape = append(shape, v.Shape()[1:]...)
	}
	d := Decision{t: t, Shape: shape, Z: make([]float64, k+b2i(pair))}
	for i := range n {
		for q := range p {
			d.At, d.Label, d.best, d.prob, d.Target = q, -1, -1, nil, nil
			if truth != nil && truth.Labels != nil {
				y := truth.Labels[i*p+q]
				if y == Ignored {
					continue
				}
				d.Label = int(y)
			} else if truth != nil && truth.Target != nil {
				d.Target = row(truth.Target, i, n)
				if t.soft {
					d.Label = argmax(d.Target)
				}
			}
			at := (i*outer+q/inner)*k*inner + q%inner
			for c := range k {
				d.Z[c+b2i(pair)] = link.logit(all[at+c*inner])
			}
			if t.unit != nil {
				t.unit.undo(d.Z)
				d.Target = t.unit.undone(d.Target)
			}
			see(i, &d)
		}
	}
	return nil
}

func argmax(x []float64) int {
	best := 0
	for j, v := range x {
		if v > x[best] {
			best = j
		}
	}
	return best
}

// Best is the class that the model chooses, the first of equal ones.
func (d *Decision) Best() int {
	if d.best < 0 {
		d.best = argmax(d.Z)
	}
	return d.best
}

// Rank is how many classes the model prefers to class k.
func (d *Decision) Rank(k int) int {
	r := 0
	for j, v := range d.Z {
		if v > d.Z[k] || v == d.Z[k] && j < k {
			r++
		}
	}
	return r
}

// Finite reports whether all numbers are.
func (d *Decision) Finite() bool {
	for _, v := range d.Z {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// Prob are the probabilities of the classes or labels; the values themselves in a regression. Valid as long as d is; not to be changed.
func (d *Decision) Prob() []float64 {
	if d.prob == nil {
		d.prob = d.t.Probabilities(d.Z)
	}
	return d.prob
}

// Probabilities are those of the logits z of one decision: their softmax, or the sigmoid of each for labels and for classes that the
// model gives behind a Sigmoid. Values are kept.
func (t *Task) Probabilities(z []float64) []float64 {
	p := make([]float64, len(z))
	switch {
	case t.Kind == Regression:
		copy(p, z)
	case t.Kind == Multilabel, t.Kind == Multiclass && t.sigmoids():
		for i, v := range z {
			p[i] = 1 / (1 + math.Exp(-v))
		}
	default:
		lse := logSumExp(z)
		for i, v := range z {
			p[i] = math.Exp(v - lse)
		}
	}
	return p
}

func logSumExp(x []float64) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = max(m, v)
	}
	if math.IsInf(m, 0) {
		return m
	}
	s := 0.0
	for _, v := range x {
		s += math.Exp(v - m)
	}
	return m + math.Log(s)
}

// Error2 is the squared norm of the error vector of a decision: probabilities less the truth, in a regression values less targets.
func (d *Decision) Error2() float64 {
	s := 0.0
	p := d.Prob()
	if d.t.K == 1 && d.t.HasClasses() { // sigmoid(z) - y
		e := p[1] - float64(d.Label)
		return e * e
	}
	for i, v := range p {
		switch {
		case d.Target != nil:
			v -= d.Target[i]
		case i == d.Label:
			v--
		}
		s += v * v
	}
	return s
}
