package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// What formals of containers take.
var (
	sequences = []tensor.Kind{tensor.Sequence}
	optionals = []tensor.Kind{tensor.Optional}
	anyKind   = []tensor.Kind{tensor.Plain, tensor.Sequence, tensor.Optional, tensor.Map}
)

// atRun is the shape rule of operators that make containers.
func atRun[A any](*A, *graph.InferCtx) error { return graph.ErrAtRun }

// containing is a Types rule: the output is what input i contains.
func containing[A any](i int) func(*A, []tensor.DType, []tensor.DType) error {
	return func(_ *A, in, out []tensor.DType) error {
		out[0] = in[i].Inner()
		return nil
	}
}

// sequenceType is the type of sequences of values of type d.
func sequenceType(d tensor.DType) (tensor.DType, error) {
	s := tensor.SequenceOf(d)
	if s == tensor.Undefined {
		return s, fmt.Errorf("there are no sequences of %v", d)
	}
	return s, nil
}

// position is the place that input i, one integer, names among n, counted from the end when it is negative; without that input it is the
// last. A place behind the last is one where more is true.
func position(c *graph.RunCtx, i, n int, more bool) (int, error) {
	end := n
	if !more {
		end--
	}
	if !c.Has(i) {
		return max(end, 0), nil
	}
	list, err := graph.IntsOf(c.In[i])
	if err != nil {
		return 0, fmt.Errorf("position %w", err)
	}
	if len(list) != 1 {
		return 0, fmt.Errorf("the position has %d elements, want 1", len(list))
	}
	at := list[0]
	if at < 0 {
		at += n
	}
	if at < 0 || at > end {
		return 0, fmt.Errorf("position %d is outside a sequence of %d", list[0], n)
	}
	return at, nil
}

// setSequence makes output 0 the sequence of items, which nobody may change.
func setSequence(c *graph.RunCtx, inner tensor.DType, items []*tensor.Tensor) error {
	s, err := tensor.NewSequence(inner, items...)
	if err != nil {
		return err
	}
	return setGrown(c, s)
}

// setGrown makes output 0 the sequence s, if the run has room for it.
func setGrown(c *graph.RunCtx, s *tensor.Tensor) error {
	if err := c.Budget(s.StorageBytes()); err != nil {
		return err
	}
	c.SetOut(0, s)
	return nil
}

// own is a copy of t that no run changes, in the element type that inner has.
func own(t *tensor.Tensor, inner tensor.DType) (*tensor.Tensor, error) {
	if t.DType() != inner {
		return nil, fmt.Errorf("an element is %v, want %v", t, inner)
	}
	return t.Clone(), nil
}

// zerosLike is a tensor of zeros of the type and shape of t.
func zerosLike(c *graph.RunCtx, t *tensor.Tensor) (*tensor.Tensor, error) {
	return tensor.Make("the gradient by an element of a sequence", t.DType(), t.Shape()...)
}

// placeOf is the position in a sequence of the length of seq that input i of n names, counted from the front; of a sequence that is one
// longer where more is true and there is no such input.
func placeOf(b *graph.Builder, n *graph.Node, seq graph.Value, i int) graph.Value {
	length := b.Add(SequenceLength, nil, seq)
	p := input(n, i)
	if p == 0 {
		return length
	}
	if b.DType(p) != tensor.Int64 {
		p = b.Add(Cast, CastTo(tensor.Int64), p)
	}
	zero := b.Const(tensor.Scalar(int64(0)))
	return b.Add(Where, nil, b.Add(Less, nil, p, zero), b.Add(Add, nil, p, length), p)
}
