package grad

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// HVP adds to g the product of the Hessian of the scalar y by wrt with the vectors v, one for each of wrt and of its shape,
// by differentiating the gradient once more: H v = d/dw <dy/dw, v>. A result of 0 is a zero block. Recurrent layers are taken through
// their lowering, see Twice.
func HVP(g *graph.Graph, y graph.Value, wrt, v []graph.Value, o Options) ([]graph.Value, error) {
	o = Twice(o)
	dw, err := Reverse(g, []Seed{Ones(g, y)}, wrt, o)
	if err != nil {
		return nil, err
	}
	b := graph.NewBuilder(g)
	var seeds []Seed
	for i, d := range dw {
		if d != 0 {
			// The gradient of <d, v> by d is v.
			seeds = append(seeds, Seed{Y: d, DY: b.Add(ops.Identity, nil, v[i])})
		}
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	return Reverse(g, seeds, wrt, o)
}

// Twice is o for a gradient that is to be differentiated again: unless o says otherwise, recurrent layers go through their lowering, since
// the operators of their own gradients, which run through the steps at once, have none.
func Twice(o Options) Options {
	if o.Lowered == nil {
		o.Lowered = func(n *graph.Node) bool { return n.Op.Role == graph.Recurrent }
	}
	return o
}
