package graph

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/tensor"
)

// Evaluate computes n alone from the contents of its inputs (nil where absent), without a pool or plan: for folding constants.
// Nodes with bodies are refused.
func Evaluate(g *Graph, n *Node, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	if len(n.Bodies) > 0 {
		return nil, fmt.Errorf("%s: has a body", n.Label())
	}
	ops := make([]Operand, len(in))
	for i, t := range in {
		if t != nil {
			ops[i] = Operand{Present: true, DType: t.DType(), Shape: t.Shape(), Value: t}
		}
	}
	ic := NewInferCtx(n, ops, 1)
	atRun := false
	if err := n.Op.Infer(n.Attrs, ic); err == ErrAtRun {
		atRun = true
	} else if err != nil {
		return nil, err
	}
	shapes, values, scratch := ic.Result()
	if n.Op.View && !atRun {
		return []*tensor.Tensor{in[0].Reshape(shapes[0]...)}, nil
	}
	rc := RunCtx{Context: context.Background(), Node: n, In: in, Out: make([]*tensor.Tensor, len(n.Out)), Cache: new(any)}
	if scratch > 0 {
		t, err := tensor.Make(n.Label()+": its working memory", tensor.Uint64, (scratch+7)/8)
		if err != nil {
			return nil, err
		}
		rc.Scratch = t.Bytes()[:scratch]
	}
	known, empty := !atRun, !atRun
	if !atRun {
		for i, v := range n.Out {
			switch {
			case v == 0:
			case values[i] != nil:
				rc.Out[i] = values[i]
			default:
				known = false
				if shapes[i] == nil {
					return nil, fmt.Errorf("shape rule gave no shape for output %d", i)
				}
				t, err := tensor.Make(fmt.Sprintf("%s: its output of shape %v", n.Label(), shapes[i]), g.info[v].DType, shapes[i]...)
				if err != nil {
					return nil, err
				}
				rc.Out[i] = t
				empty = empty && rc.Out[i].Len() == 0
			}
		}
	}
	if known || empty {
		return rc.Out, nil
	}
	if err := n.Op.Run(n.Attrs, &rc); err != nil {
		return nil, err
	}
	return rc.Out, nil
}
