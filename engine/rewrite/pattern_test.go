package rewrite_test

import (
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/rewrite"
)

// fused checks that fuse leaves of each example what it wants, with weights that are trained and with constants.
func fused(t *testing.T, fuse func(*graph.Graph, []graph.Value, func(*graph.Node) bool) error, examples []example) {
	for _, e := range examples {
		e.check(t, func(t *testing.T, g *graph.Graph, keep []graph.Value) {
			if !e.plain {
				rewrite.Freeze(g, nil)
			}
			g.Outputs = nil
			for range 2 { // a second time there is nothing to do
				if err := fuse(g, keep, func(n *graph.Node) bool { return n.Name == "skip/node" }); err != nil {
					t.Fatal(err)
				}
				rewrite.Dead(g, keep)
			}
		})
	}
}

func TestFuseLayerNorm(t *testing.T) {
	const (
		centred = "m1 = ReduceMean(r; axes=[-1]) | d = Sub(r, m1) | "
		power   = "q = Pow(d, 2) | m2 = ReduceMean(q; axes=[-1]) | "
		div     = "p = Add(m2, eps) | e = Sqrt(p) | "
	)
	fused(t, rewrite.FuseLayerNorm, []example{
		{name: "torch", nodes: centred + power + div + "f = Div(d, e) | h = Mul(f, u) | y = Add(h, u)", want: "LayerNormalization"},
		{name: "trained", plain: true, nodes: centred + power + div + "f = Div(d, e) | h = Mul(f, u) | y = Add(h, u)",
			want: "LayerNormalization"},
		{name: "turned round", nodes: centred +
			"q = Mul(d, d) | m2 = ReduceMean(q; axes=[-1]) | p = Add(eps, m2) | e = Sqrt(p) | f = Div(d, e) | " +
			"h = Mul(u, f) | y = Add(u, h)", want: "LayerNormalization"},
		{name: "reciprocal", nodes: centred + power + div + "i = Reciprocal(e) | f = Mul(i, d) | y = Mul(f, u)", want: "LayerNormalization"},
		{name: "one divided", nodes: centred + power + div + "i = Div(1, e) | f = Mul(d, i) | y = Mul(f, u)", want: "LayerNormalization"},
		{name: "power", nodes: centred + power + "p = Add(m2, eps) | i = Pow(p, minushalf) | f = Mul(d, i) | y = Mul(f, u)",
			want: "LayerNormalization"},
		{name: "centred twice", nodes: centred + "d2 = Sub(r, m1) | q = Pow(d2, 2) | m2 = ReduceMean(q; axes=[-1]) | " + div + "y = Div(d, e)",
			want: "LayerNormalization"},
		{name: "without scale", nodes: centred + power + div + "y = Div(d, e)", want: "LayerNormalization"},
		{name: "bias without scale", nodes: centred + power + div + "f = Div(d, e) | y = Add(f, u)", want: "LayerNormalization"},
		{name: "two axes", nodes: "m1 = ReduceMean(x; axes=[-1,-2]) | d = Sub(x, m1) | q = Pow(d, 2) | m2 = ReduceMean(q; axes=[-1,-2]) | " +
			div +
			"f = Div(d, e) | h = Mul(f, square) | y = Add(h, u)", want: "LayerNormalization"},
		{name: "root mean square", nodes: "q = Pow(r, 2) | m2 = ReduceMean(q; axes=[-1]) | " + div +
			"i = Reciprocal(e) | f = Mul(r, i) | y = Mul(u, f)",
			want: "RMSNormalization"},
		{name: "root mean square and bias", nodes: "q = Pow(r, 2) | m2 = ReduceMean(q; axes=[-1]) | " + div + "f = Div(r, e) | h = Mul(f, u) | " +
			"y = Add(h, u)", want: "RMSNormalization Add"},
		{name: "a scale that is read twice", nodes: centred + power + div + "f = Div(d, e) | h = Mul(f, u) | y = Add(h, u) | z = Tanh(h)",
			want: "LayerNormalization Add Tanh"},

		{name: "other axes", nodes: "m1 = ReduceMean(r; axes=[0]) | d = Sub(r, m1) | " + power + div + "y = Div(d, e)",
			want: "ReduceMean Sub RMSNormalization"},
		{name: "an axis from the front", nodes: "q = Pow(r, 2) | m2 = ReduceMean(q; axes=[1]) | " + div + "y = Div(r, e)",
			want: "RMSNormalization"},
		{name: "an axis from the front of an unknown rank", nodes: "b1 = Squeeze(x) | q = Pow(b1, 2) | m2 = ReduceMean(q; axes=[1]) | " + div +
			"y = Div(b1, e)", want: "Squeeze Pow ReduceMean Add Sqrt Div"},
		{name: "not the last axis", nodes: "q = Pow(x, 2) | m2 = ReduceMean(q; axes=[1]) | " + div + "y = Div(x, e)",
			want: "Pow ReduceMean Add Sqrt Div"},
		{name: "another power", nodes: centred +
			"q = Pow(d, 3) | m2 = ReduceMean(q; axes=[-1]) | q2 = Mul(m2, m2) | p = Add(q2, eps) | e = Sqrt(p) | " +
			"y = Div(d, e)", want: "ReduceMean Sub Pow ReduceMean Mul Add Sqrt Div"},
		{name: "of another value", nodes: "o2 = Tanh(r) | q = Pow(o2, 2) | m2 = ReduceMean(q; axes=[-1]) | " + div + "y = Div(r, e)",
			want: "Tanh Pow ReduceMean Add Sqrt Div"},
		{name: "variance is an output", nodes: centred + power + div + "y = Div(d, e) | z = Identity(m2)",
			want: "ReduceMean Sub Pow ReduceMean Add Sqrt Div Identity"},
		{name: "kept", keep: "d", nodes: centred + power + div + "y = Div(d, e)", want: "ReduceMean Sub Pow ReduceMean Add Sqrt Div"},
		{name: "mean read by others", nodes: centred + power + div + "y = Div(d, e) | z = Tanh(m1)",
			want: "ReduceMean Sub Pow ReduceMean Add Sqrt Div Tanh"},
		{name: "a rule of its own", nodes: "m1 = ReduceMean(r; axes=[-1]) | skip = Sub(r, m1) | q = Pow(skip, 2) | " +
			"m2 = ReduceMean(q; axes=[-1]) | " + div + "y = Div(skip, e)", want: "ReduceMean Sub Pow ReduceMean Add Sqrt Div"},
		{name: "a wide scale", nodes: "m1 = ReduceMean(x; axes=[-1]) | d = Sub(x, m1) | " + power + div +
			"f = Div(d, e) | y = Mul(f, square)", want: "LayerNormalization Mul"},
	})
}

func TestFuseGelu(t *testing.T) {
	const erf = "d = Div(r, root2) | e = Erf(d) | a = Add(e, 1) | "
	fused(t, rewrite.FuseGelu, []example{
		{name: "torch", nodes: erf + "m1 = Mul(r, a) | y = Mul(m1, half)", want: "Gelu"},
		{name: "times first", nodes: "d = Mul(invroot2, r) | e = Erf(d) | a = Add(1, e) | h = Mul(half, r) | y = Mul(a, h)", want: "Gelu"},
		{name: "the half within", nodes: erf + "h = Mul(a, half) | y = Mul(r, h)", want: "Gelu"},
		{name: "divided by two", nodes: erf + "m1 = Mul(r, a) | y = Div(m1, 2)", want: "Gelu"},
		{name: "of a product", nodes: "x1 = Mul(r, u) | d = Div(x1, root2) | e = Erf(d) | a = Add(e, 1) | m1 = Mul(x1, a) | y = Mul(m1, half)",
			want: "Mul Gelu"},

		{name: "another scale", nodes: "d = Div(r, 2) | e = Erf(d) | a = Add(e, 1) | m1 = Mul(r, a) | y = Mul(m1, half)",
			want: "Div Erf Add Mul Mul"},
		{name: "another factor", nodes: erf + "m1 = Mul(r, a) | y = Mul(m1, root2)", want: "Div Erf Add Mul Mul"},
		{name: "of another value", nodes: "t = Tanh(r) | " + erf + "m1 = Mul(t, a) | y = Mul(m1, half)", want: "Tanh Div Erf Add Mul Mul"},
		{name: "kept", keep: "e", nodes: erf + "m1 = Mul(r, a) | y = Mul(m1, half)", want: "Div Erf Add Mul Mul"},
		{name: "read by others", nodes: erf + "m1 = Mul(r, a) | y = Mul(m1, half) | z = Neg(m1)", want: "Div Erf Add Mul Mul Neg"},
	})
}

func TestFuseDense(t *testing.T) {
	fused(t, rewrite.FuseDense, []example{
		{name: "bias", plain: true, nodes: "p = MatMul(x, square) | y = Add(p, u)", want: "Gemm"},
		{name: "bias in front", plain: true, nodes: "p = MatMul(r, g) | y = Add(gb, p)", want: "Gemm"},
		{name: "transposed", plain: true, nodes: "w1 = Transpose(square; perm=[1,0]) | y = MatMul(x, w1)", want: "Gemm"},
		{name: "transposed, bias", plain: true, nodes: "w1 = Transpose(square) | p = MatMul(x, w1) | y = Add(u, p)", want: "Gemm"},
		{name: "transposed for two", plain: true, nodes: "w1 = Transpose(square) | y = MatMul(x, w1) | z = MatMul(r, w1)", want: "Gemm Gemm"},
		{name: "transposed for others too", plain: true, nodes: "w1 = Transpose(square) | y = MatMul(x, w1) | z = Tanh(w1)",
			want: "Transpose Gemm Tanh"},

		{name: "no bias", nodes: "y = MatMul(x, square)", want: "MatMul"},
		{name: "a bias of one number", nodes: "p = MatMul(x, square) | y = Add(p, one)", want: "MatMul Add"},
		{name: "a wide bias", nodes: "p = MatMul(x, square) | y = Add(p, square)", want: "MatMul Add"},
		{name: "kept", keep: "p", nodes: "p = MatMul(x, square) | y = Add(p, u)", want: "MatMul Add"},
		{name: "the product of weights", nodes: "t1 = Tanh(square) | p = MatMul(t1, square) | q = Add(p, u) | y = MatMul(x, q)",
			want: "Tanh MatMul Add MatMul"},
		{name: "computed weights", nodes: "t1 = MatMul(x, x) | y = MatMul(x, t1)", want: "MatMul MatMul"},
	})
}

// TestFoldAfterFuseDense folds into a dense layer what keeps the rank of its result.
func TestFoldAfterFuseDense(t *testing.T) {
	fused(t, func(g *graph.Graph, keep []graph.Value, skip func(*graph.Node) bool) error {
		if err := rewrite.FuseDense(g, keep, skip); err != nil {
			return err
		}
		rewrite.FoldAffine(g, keep, skip)
		return nil
	}, []example{
		{name: "of each column", nodes: "p = MatMul(x, square) | q = Add(p, u) | y = Mul(q, u)", want: "Gemm"},
		{name: "of more axes", nodes: "p = MatMul(r, g) | q = Add(p, gb) | y = Mul(q, row)", want: "Gemm Mul"},
	})
}

func TestFuseAttention(t *testing.T) {
	const (
		// Of x [N,2,4,4], whose rows are the tokens of two heads.
		qk = "q = Mul(x, half) | k = Tanh(x) | kt = Transpose(k; perm=[0,1,3,2]) | "
		v  = "v = Sigmoid(x) | "
	)
	fused(t, rewrite.FuseAttention, []example{
		{name: "plain", nodes: qk + v + "s1 = MatMul(q, kt) | p = Softmax(s1) | y = MatMul(p, v)", want: "Tanh Sigmoid FusedAttention"},
		{name: "the scores scaled", nodes: qk + v + "s1 = MatMul(x, kt) | s2 = Div(s1, 2) | p = Softmax(s2; axis=3) | y = MatMul(p, v)",
			want: "Tanh Sigmoid FusedAttention"},
		{name: "tokens before heads", nodes: "q = Transpose(x; perm=[0,2,1,3]) | k = Tanh(x) | kt = Transpose(k; perm=[0,2,3,1]) | " +
			"k2 = Mul(kt, half) | w1 = Neg(x) | v = Transpose(w1; perm=[0,2,1,3]) | s1 = MatMul(q, k2) | p = Softmax(s1) | o1 = MatMul(p, v) | " +
			"y = Transpose(o1; perm=[0,2,1,3])", want: "Tanh Neg FusedAttention"},
		{name: "transposed twice", nodes: "k = Tanh(x) | k2 = Transpose(k; perm=[0,2,1,3]) | kt = Transpose(k2; perm=[0,2,3,1]) | " + v +
			"s1 = MatMul(x, kt) | p = Softmax(s1) | y = MatMul(p, v)", want: "Tanh Sigmoid FusedAttention"},
		{name: "mask", nodes: qk + v + "s1 = MatMul(q, kt) | s2 = Add(s1, wide) | p = Softmax(s2) | y = MatMul(p, v)",
			want: "Tanh Sigmoid FusedAttention"},
		{name: "guarded", nodes: qk + v +
			"s1 = MatMul(q, kt) | s2 = Add(square, s1) | p = Softmax(s2) | n1 = IsNaN(p) | w1 = Where(n1, 0, p) | " +
			"y = MatMul(w1, v)", want: "Tanh Sigmoid FusedAttention"},

		{name: "read by others", nodes: qk + v + "s1 = MatMul(q, kt) | p = Softmax(s1) | y = MatMul(p, v) | z = Neg(p)",
			want: "Mul Tanh Transpose Sigmoid MatMul Softmax MatMul Neg"},
		{name: "another axis", nodes: qk + v + "s1 = MatMul(q, kt) | p = Softmax(s1; axis=2) | y = MatMul(p, v)",
			want: "Mul Tanh Transpose Sigmoid MatMul Softmax MatMul"},
		{name: "weights as keys", plain: true, nodes: v + "s1 = MatMul(x, square) | p = Softmax(s1) | y = MatMul(p, v)",
			want: "Sigmoid MatMul Softmax MatMul"},
		{name: "a kept key", keep: "kt", nodes: qk + v + "s1 = MatMul(q, kt) | p = Softmax(s1) | y = MatMul(p, v)",
			want: "Tanh Transpose Sigmoid FusedAttention"},
		{name: "a mask that is learned", keep: "wide",
			nodes: qk + v + "s1 = MatMul(q, kt) | s2 = Add(s1, wide) | p = Softmax(s2) | y = MatMul(p, v)",
			want:  "Mul Tanh Transpose Sigmoid MatMul Add Softmax MatMul"},
	})
}
