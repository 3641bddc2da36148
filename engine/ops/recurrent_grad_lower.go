package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// lowerRecurrentGrad writes the gradient operator n of the recurrent operator op as that of the layer's Scans, from which the states before
// each step are computed again: so the gradient can be differentiated, and written in ONNX's operators. in are the inputs of the layer, dy
// the gradients by its outputs, and at[i] is the output of n that is the gradient by input i, -1 for none. What n gives for each example
// has no such form.
func lowerRecurrentGrad(op *graph.Spec, a *recurrentAttrs, b *graph.Builder, n *graph.Node, in, dy []graph.Value,
	at []int) ([]graph.Value, error) {
	if b.Reverse == nil {
		return nil, fmt.Errorf("nothing goes back through the steps: %w", graph.ErrNoGradient)
	}
	layer := &graph.Node{Op: op, Attrs: a, In: in, NumIn: len(in)}
	var wrt []graph.Value
	var to []int
	for i, k := range at {
		if in[i] != 0 && k >= 0 && k < len(n.Out) && n.Out[k] != 0 {
			in[i] = b.Add(Identity, nil, in[i]) // a value that is read twice, or elsewhere too, counts once
			wrt, to = append(wrt, in[i]), append(to, k)
		}
	}
	out, err := op.Lower(b, layer)
	if err != nil {
		return nil, err
	}
	var ys, dys []graph.Value
	for i, d := range dy {
		if d != 0 {
			ys, dys = append(ys, out[i]), append(dys, d)
		}
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	ds, err := b.Reverse(b.G, ys, dys, wrt)
	if err != nil {
		return nil, err
	}
	result := make([]graph.Value, len(n.Out))
	for i, d := range ds {
		if d == 0 {
			d = Fill(b, wrt[i], 0)
		}
		result[to[i]] = d
	}
	return result, b.Err()
}
