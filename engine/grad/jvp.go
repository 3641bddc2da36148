package grad

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// JVP adds to g the products of the Jacobian of the values y by the values x with the vectors v, one for each of x and of its shape: how y
// changes when x moves along v. A result of 0 means that a value of y does not depend on x.
//
// It differentiates twice backwards: the gradient by x of <y, u> is linear in u, and its own gradient by u, along v, is the product. So
// every operator whose gradient can be differentiated has it, and the numbers that u would have are never computed.
//
// Source: J. Townsend, "A new trick for calculating Jacobian vector products" (2017), https://j-towns.github.io/2017/06/12/A-new-trick.html
func JVP(g *graph.Graph, y, x, v []graph.Value, o Options) ([]graph.Value, error) {
	o = Twice(o)
	b := graph.NewBuilder(g)
	u := make([]graph.Value, len(y))
	seeds := make([]Seed, len(y))
	for i := range y {
		u[i] = ops.Fill(b, y[i], 0)
		seeds[i] = Seed{Y: y[i], DY: u[i]}
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	dx, err := Reverse(g, seeds, x, o)
	if err != nil {
		return nil, err
	}
	seeds = nil
	for i, d := range dx {
		if d != 0 {
			seeds = append(seeds, Seed{Y: d, DY: b.Add(ops.Identity, nil, v[i])})
		}
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	return Reverse(g, seeds, u, o)
}
