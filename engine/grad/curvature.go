package grad

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// GaussNewton adds to g the product of the generalised Gauss-Newton matrix z'ᵀ·∇²y·z' of the scalar y, a function of the value z, whose
// Jacobian by wrt is z', with the vectors v, one for each of wrt and of its shape. It is the Hessian where z is linear in wrt, and positive
// semidefinite where y is convex in z. A result of 0 is a zero block.
//
// Source: Schraudolph 2002, "Fast Curvature Matrix-Vector Products for Second-Order Gradient Descent",
// https://doi.org/10.1162/08997660260028683
func GaussNewton(g *graph.Graph, y, z graph.Value, wrt, v []graph.Value, o Options) ([]graph.Value, error) {
	return outer(g, z, wrt, v, o, func(_ *graph.Builder, jv graph.Value) (graph.Value, error) {
		h, err := HVP(g, y, []graph.Value{z}, []graph.Value{jv}, o)
		if err != nil {
			return 0, err
		}
		return h[0], nil
	})
}

// Weighted is GaussNewton with diag(w) in the place of ∇²y: w is of the shape of z.
func Weighted(g *graph.Graph, z, w graph.Value, wrt, v []graph.Value, o Options) ([]graph.Value, error) {
	return outer(g, z, wrt, v, o, func(b *graph.Builder, jv graph.Value) (graph.Value, error) {
		return b.Add(ops.Mul, nil, jv, w), b.Err()
	})
}

// OuterProducts adds the product of the sum of gᵢ·gᵢᵀ with v, where gᵢ is the gradient of entry i of y [N].
func OuterProducts(g *graph.Graph, y graph.Value, wrt, v []graph.Value, o Options) ([]graph.Value, error) {
	return outer(g, y, wrt, v, o, func(_ *graph.Builder, jv graph.Value) (graph.Value, error) { return jv, nil })
}

// outer is z'ᵀ·middle(z'·v).
func outer(g *graph.Graph, z graph.Value, wrt, v []graph.Value, o Options,
	middle func(b *graph.Builder, jv graph.Value) (graph.Value, error)) ([]graph.Value, error) {
	jv, err := JVP(g, []graph.Value{z}, wrt, v, o)
	if err != nil {
		return nil, err
	}
	zero := make([]graph.Value, len(wrt))
	if jv[0] == 0 {
		return zero, nil
	}
	u, err := middle(graph.NewBuilder(g), jv[0])
	if err != nil || u == 0 {
		return zero, err
	}
	return Reverse(g, []Seed{{Y: z, DY: u}}, wrt, o)
}
