package rewrite_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/rewrite"
)

const conv = "a = Conv(x, w, b; pads=[1,1,1,1]) | "

// TestFuse lists what is fused with what, and what must not be.
func TestFuse(t *testing.T) {
	for _, e := range []example{
		{name: "normalisation", nodes: conv + "y = BatchNormalization(a, s, o, m, v)", want: "Conv"},
		{name: "normalisation without a bias", nodes: "a = Conv(x, w; pads=[1,1,1,1]) | y = BatchNormalization(a, s, o, m, v)",
			want: "Conv"},
		{name: "normalisation and activation", nodes: conv + "n = BatchNormalization(a, s, o, m, v) | y = Relu(n)", want: "Conv"},
		{name: "a chain", nodes: conv + "n = Add(a, c) | p = Mul(c, n) | q = Sub(c, p) | u = Div(q, c) | d = Sub(u, c) | y = Relu(d)",
			want: "Conv"},
		{name: "one number", nodes: conv + "n = Mul(a, one) | y = Add(one, n)", want: "Conv"},
		{name: "a constant of every position", nodes: conv + "y = Add(a, wide)", want: "Conv Add"},
		{name: "a division by zero", nodes: conv + "y = Div(a, zero)", want: "Conv Div"},
		{name: "a constant divided", nodes: conv + "y = Div(c, a)", want: "Conv Div"},
		{name: "transposed", nodes: "a = ConvTranspose(x, wt, b) | n = BatchNormalization(a, s, o, m, v) | y = Mul(n, c)",
			want: "ConvTranspose"},
		{name: "a dense layer", nodes: "a = Gemm(r, g, gb; alpha=2.5, beta=0.5) | n = Add(a, k) | p = Mul(k, n) | y = Relu(p)",
			want: "Gemm"},
		{name: "a dense layer without a bias", nodes: "a = Gemm(r, g; alpha=2.5, beta=0.5) | y = Sub(k, a)", want: "Gemm"},
		{name: "a clamp", nodes: conv + "y = Clip(a, lo, hi)", want: "Conv"},
		{name: "a clamp of a dense layer", nodes: "a = Gemm(r, g) | y = Clip(a, lo, hi)", want: "Gemm"},
		{name: "two activations", nodes: conv + "n = Relu(a) | y = Clip(n, lo, hi)", want: "Conv Clip"},
		{name: "an activation before a constant", nodes: conv + "n = Relu(a) | y = Add(n, c)", want: "Conv Add"},
		{name: "a residual", nodes: conv + "n = Add(a, x) | y = Relu(n)", want: "Conv"},
		{name: "a residual from the left", nodes: conv + "y = Add(x, a)", want: "Conv"},
		{name: "a residual that comes later", nodes: conv + "n = Tanh(x) | p = Sigmoid(n) | y = Add(a, p)", want: "Tanh Sigmoid Conv"},
		{name: "two layers", nodes: conv + "n = Conv(x, w; pads=[1,1,1,1]) | y = Add(a, n)", want: "Conv Conv"},
		{name: "a residual of itself", nodes: conv + "y = Add(a, a)", want: "Conv Add"},
		{name: "an activation before a residual", nodes: conv + "n = Relu(a) | y = Add(n, x)", want: "Conv Add"},
		{name: "two residuals", nodes: conv + "n = Add(a, x) | p = Tanh(x) | y = Add(n, p)", want: "Conv Tanh Add"},

		{name: "read twice", nodes: conv + "y = BatchNormalization(a, s, o, m, v) | z = Tanh(a)", want: "Conv BatchNormalization Tanh"},
		{name: "read twice by one", nodes: conv + "y = Mul(a, a)", want: "Conv Mul"},
		{name: "an output", nodes: conv + "y = Relu(a) | z = Identity(a)", want: "Conv Relu Identity"},
		{name: "kept", nodes: conv + "y = Relu(a)", keep: "a", want: "Conv Relu"},
		{name: "kept later", nodes: conv + "n = BatchNormalization(a, s, o, m, v) | y = Relu(n)", keep: "n", want: "Conv Relu"},
		{name: "kept weights", nodes: conv + "y = BatchNormalization(a, s, o, m, v)", keep: "w", want: "Conv BatchNormalization"},
		{name: "kept scale", nodes: conv + "n = BatchNormalization(a, s, o, m, v) | y = Relu(n)", keep: "s",
			want: "Conv BatchNormalization"},
		{name: "trained weights", plain: true, nodes: conv + "n = BatchNormalization(a, s, o, m, v) | y = Relu(n)",
			want: "Conv BatchNormalization"},
		{name: "an activation of trained weights", plain: true, nodes: conv + "y = Relu(a)", want: "Conv"},
	} {
		e.check(t, func(t *testing.T, g *graph.Graph, keep []graph.Value) {
			if !e.plain {
				rewrite.Freeze(g, nil)
			}
			g.Outputs = nil
			for range 2 { // a second time there is nothing to do
				if err := rewrite.Fuse(g, keep); err != nil {
					t.Fatal(err)
				}
			}
			rewrite.Dead(g, keep)
		})
	}
}

// TestFuseFrozen leaves alone the nodes that a rewrite has marked.
func TestFuseFrozen(t *testing.T) {
	example{name: "frozen", nodes: conv + "n = BatchNormalization(a, s, o, m, v) | y = Relu(n)",
		want: "Conv BatchNormalization Relu"}.check(t,
		func(t *testing.T, g *graph.Graph, keep []graph.Value) {
			rewrite.Freeze(g, nil)
			for _, n := range g.Nodes {
				n.Frozen = true
			}
			if err := rewrite.Fuse(g, keep); err != nil {
				t.Fatal(err)
			}
		})
}

// TestFoldAffineSkips leaves alone what has a gradient rule of its own.
func TestFoldAffineSkips(t *testing.T) {
	for _, op := range []string{"Conv", "BatchNormalization"} {
		example{name: op, nodes: conv + "y = BatchNormalization(a, s, o, m, v)", want: "Conv BatchNormalization"}.check(t,
			func(t *testing.T, g *graph.Graph, keep []graph.Value) {
				rewrite.Freeze(g, nil)
				rewrite.FoldAffine(g, keep, func(n *graph.Node) bool { return n.Op.Name == op })
			})
	}
}
