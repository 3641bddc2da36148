package task

import (
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Names of the inputs that Distilled adds to a model.
const (
	TeacherInput       = "gtk.teacher"        // real [N,K] or [N,K,P]: the teacher's logits
	TeacherWeightInput = "gtk.teacher.weight" // real [N] or [N,P]: what the divergence of each is multiplied by
)

// Distil learns from a teacher beside the truth.
type Distil struct {
	Temperature float64 // softens both distributions, more than 0
	Weight      float64 // of the divergence, 0 to 1; the loss of the task has the rest
}

// Distilled is (1-w)·Total + w·T²·KL, a scalar: KL is the mean divergence of softmax(z/T) from the teacher's softmax(z'/T) over examples,
// or over their positions; of classes that each have a probability of their own, over each of those. Weights go to TeacherWeightInput, see
// Truth.TeacherWeights.
//
// Source: Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531), section 2: the factor T² keeps
// the gradients of both parts at one scale.
func (t *Task) Distilled(d Distil) engine.Loss {
	return func(b *engine.Build) (graph.Value, error) {
		total, err := t.Total()(b)
		if err != nil {
			return 0, err
		}
		z, err := t.scores(b)
		if err != nil {
			return 0, err
		}
		kind := b.DType(z)
		rank := 2 + b2i(t.positions)
		teacher := b.Input(TeacherInput, kind, batchDims(rank))
		w := b.Input(TeacherWeightInput, kind, batchDims(rank-1))
		soft := func(v graph.Value) graph.Value {
			if d.Temperature == 1 {
				return v
			}
			return b.Add(ops.Mul, nil, v, b.Scalar(kind, 1/d.Temperature))
		}
		each := t.divergence(b, soft(teacher), soft(z))
		kl := b.Add(ops.ReduceSum, ops.KeepDims(false), b.Add(ops.Mul, nil, each, w))
		kl = b.Add(ops.Mul, nil, kl, b.Scalar(kind, d.Weight*d.Temperature*d.Temperature))
		if b.DType(total) != kind {
			kl = b.Add(ops.Cast, ops.CastTo(b.DType(total)), kl)
		}
		return b.Add(ops.Add, nil, b.Add(ops.Mul, nil, total, b.Scalar(b.DType(total), 1-d.Weight)), kl), b.Err()
	}
}

// divergence is that of the logits z from those of the teacher, q: [N] of [N,K], [N,P] of [N,K,P].
func (t *Task) divergence(b *engine.Build, q, z graph.Value) graph.Value {
	d := b.DType(z)
	sum := func(v graph.Value) graph.Value { return b.Add(ops.ReduceSum, ops.KeepDims(false), v, b.Ints(1)) }
	times := func(p, x, y graph.Value) graph.Value { return b.Add(ops.Mul, nil, p, b.Add(ops.Sub, nil, x, y)) }
	if t.apart() { // log σ(x) = -softplus(-x), log(1 - σ(x)) = -softplus(x)
		soft := func(v graph.Value) graph.Value { return b.Add(ops.Softplus, nil, v) }
		neg := func(v graph.Value) graph.Value { return b.Add(ops.Neg, nil, v) }
		p := b.Add(ops.Sigmoid, nil, q)
		yes := times(p, soft(neg(z)), soft(neg(q)))
		no := times(b.Add(ops.Sub, nil, b.Scalar(d, 1), p), soft(z), soft(q))
		return sum(b.Add(ops.Add, nil, yes, no))
	}
	logq, logp := b.Add(ops.LogSoftmax, ops.AlongAxis(1), q), b.Add(ops.LogSoftmax, ops.AlongAxis(1), z)
	return sum(times(b.Add(ops.Exp, nil, logq), logq, logp))
}

// apart reports whether each output is a class of its own.
func (t *Task) apart() bool { return t.Kind == Multilabel || t.K == 1 }

// scores are the logits, classes first: [N,K], or [N,K,P] where positions are classified, in float32 or float64.
func (t *Task) scores(b *engine.Build) (graph.Value, error) {
	z, err := b.Value(t.Head.Logits)
	if err != nil {
		return 0, err
	}
	if d := b.DType(z); d != tensor.Float64 && d != tensor.Float32 {
		z = b.Add(ops.Cast, ops.CastTo(tensor.Float32), z)
	}
	return t.classesFirst(b, t.logits(b, z)), nil
}

// Scores gives the logits as TeacherInput takes them, under that name, for engine.Query.Derive of a teacher.
func (t *Task) Scores() func(b *engine.Build) (engine.Outputs, error) {
	return func(b *engine.Build) (engine.Outputs, error) {
		z, err := t.scores(b)
		return engine.Outputs{TeacherInput: z}, err
	}
}

// Teaches says why a model that is used for t cannot teach one that is used for student, nil when it can.
func (t *Task) Teaches(student *Task) error {
	switch {
	case student.Kind == Regression:
		return fmt.Errorf("a teacher's classes are learned from, and the task is a %s, which learns from the teacher's values as the "+
			"targets of its data (gtk run TEACHER --data SPEC -o FILE.npz)", student.Kind)
	case t.Kind != student.Kind || t.positions != student.positions || t.apart() != student.apart():
		return fmt.Errorf("the teacher's task is %s and that of the model %s", t.Kind, student.Kind)
	case t.K != student.K:
		return fmt.Errorf("the teacher has %d outputs and the model %d", t.K, student.K)
	}
	for k := range min(len(t.Classes), len(student.Classes)) {
		if a, b := t.Classes[k], student.Classes[k]; a != b {
			return fmt.Errorf("class %d is %q to the teacher and %q to the model", k, a, b)
		}
	}
	return nil
}

// TeacherWeights are those with which Distilled takes the mean over examples, or over their positions that have a label.
func (tr *Truth) TeacherWeights() *tensor.Tensor {
	t := tr.t
	n, shape := tr.N, []int{tr.N}
	if t.positions {
		n = len(tr.Labels)
		shape = []int{tr.N, n / max(1, tr.N)}
	}
	w := make([]float64, n)
	count := 0.0
	for i := range w {
		if tr.Labels == nil || tr.Labels[min(i, len(tr.Labels)-1)] != Ignored {
			w[i] = 1
			count++
		}
	}
	if t.apart() {
		count *= float64(t.K)
	}
	for i := range w {
		w[i] /= math.Max(1, count)
	}
	x := tensor.From(w, shape...)
	if t.real != tensor.Float64 {
		x, _ = x.Convert(tensor.Float32) // real numbers convert
	}
	return x
}
