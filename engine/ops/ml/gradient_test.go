package ml_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/engine/ops/ml"
	"github.com/gtk-onnx/gtk/tensor"
)

// smooth are problems whose last output is differentiated by X [3,4].
var smooth = map[string]struct {
	op    *graph.Spec
	outs  int
	attrs graph.Attrs
}{
	"scaler": {ml.Scaler, 1, graph.Attrs{"offset": []float32{1, 2, 3, 4}, "scale": []float32{.5, 1, -2, 3}}},
	"max":    {ml.Normalizer, 1, graph.Attrs{"norm": "MAX"}},
	"l1":     {ml.Normalizer, 1, graph.Attrs{"norm": "L1"}},
	"l2":     {ml.Normalizer, 1, graph.Attrs{"norm": "L2"}},
	"impute": {ml.Imputer, 1, graph.Attrs{"imputed_value_floats": []float32{7}, "replaced_value_float": float32(.5)}},
	"linear": {ml.LinearRegressor, 1, graph.Attrs{"coefficients": []float32{1, -1, .5, .25, .3, 0, 1, 2}, "targets": int64(2),
		"intercepts": []float32{.5, -.5}}},
	"linear logistic": {ml.LinearRegressor, 1, graph.Attrs{"coefficients": []float32{1, -1, .5, .25}, "post_transform": "LOGISTIC"}},
	"classifier": {ml.LinearClassifier, 2, graph.Attrs{"coefficients": []float32{1, -1, .5, .25, .3, 0, 1, 2, -1, .5, 0, 1},
		"intercepts": []float32{0, .1, .2}, "classlabels_strings": []string{"a", "b", "c"}, "post_transform": "SOFTMAX"}},
	"classifier of two": {ml.LinearClassifier, 2, graph.Attrs{"coefficients": []float32{1, -1, .5, .25}, "intercepts": []float32{.5},
		"classlabels_ints": []int64{4, 5}, "post_transform": "LOGISTIC"}},
	"support vectors": {ml.SVMRegressor, 1, graph.Attrs{"coefficients": []float32{1, -.5},
		"support_vectors": []float32{1, 2, 0, 1, 0, -1, .5, 1}, "n_supports": int64(2), "rho": []float32{.5}, "kernel_type": "RBF",
		"kernel_params": []float32{.25, 0, 0}}},
}

// TestGradients compares the gradient by X with differences, in a random direction, and fails for operators that have none but should.
func TestGradients(t *testing.T) {
	for name, c := range smooth {
		t.Run(name, func(t *testing.T) {
			g := graph.New(name)
			x := g.AddInput("x", tensor.Float64, nil)
			a, err := c.op.DecodeAttrs(c.attrs)
			if err != nil {
				t.Fatal(err)
			}
			b := graph.NewBuilder(g)
			n := b.AddNode("node", c.op, a, []graph.Value{x}, slices.Repeat([]bool{true}, c.outs))
			if b.Err() != nil {
				t.Fatal(b.Err())
			}
			y := n.Out[c.outs-1]
			d := g.Info(y).DType
			shape, err := compute(g, 1, []graph.Value{y}, tensor.New(tensor.Float64, 3, 4))
			if err != nil {
				t.Fatal(err)
			}
			seed := g.AddInput("seed", d, nil)
			dx, err := grad.Reverse(g, []grad.Seed{{Y: y, DY: seed}}, []graph.Value{x}, grad.Options{})
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, 4))
			at, dir := make([]float64, 12), make([]float64, 12)
			for i := range at {
				at[i], dir[i] = r.NormFloat64(), r.NormFloat64()
			}
			at[5] = .5 // what the imputer replaces
			if name == "impute" {
				dir[5] = 0
			}
			moved := func(h float64) *tensor.Tensor {
				z := slices.Clone(at)
				for i := range z {
					z[i] += h * dir[i]
				}
				return tensor.From(z, 3, 4)
			}
			g.Outputs = []graph.Value{y, dx[0]}
			run := func(h float64, dy *tensor.Tensor) []*tensor.Tensor {
				out, err := compute(g, 1, g.Outputs, moved(h), dy)
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			v := make([]float64, shape[0].Len())
			for i := range v {
				v[i] = r.NormFloat64()
			}
			dy, err := tensor.From(v, shape[0].Shape()...).Convert(d)
			if err != nil {
				t.Fatal(err)
			}
			const h = 1.0 / 256
			want, got := 0.0, 0.0
			up, down := run(h, dy)[0].Float64s(), run(-h, dy)[0].Float64s()
			for i, w := range dy.Float64s() {
				want += w * (up[i] - down[i]) / (2 * h)
			}
			for i, v := range run(0, dy)[1].Float64s() {
				got += v * dir[i]
			}
			if math.Abs(got-want) > 1e-3*max(1, math.Abs(want)) {
				t.Errorf("directional derivative %v, differences %v", got, want)
			}
		})
	}
	for _, s := range ops.Standard.All() {
		tested := func() bool {
			for _, c := range smooth {
				if c.op == s {
					return true
				}
			}
			return s == ml.ArrayFeatureExtractor || s == ml.FeatureVectorizer // moves, whose lowering TestGoldens compares
		}
		if s.Domain == ml.Domain && s.HasGrad() && !tested() {
			t.Errorf("no gradient of %s is tested", s.Name)
		}
	}
}

// TestNoGradient: a forest and a decision refuse, by name.
func TestNoGradient(t *testing.T) {
	x := tensor.New(tensor.Float32, 2, 1)
	for _, op := range []string{"TreeEnsembleRegressor", "Binarizer"} {
		attrs := graph.Attrs{}
		if op != "Binarizer" {
			attrs = stump("target", []int64{1, 2}, []int64{0, 0}, []float32{1, 2}, nil)
		}
		g, n, err := node(op, 1, attrs, 1, x)
		if err != nil {
			t.Fatal(err)
		}
		_, err = grad.Reverse(g, []grad.Seed{grad.Ones(g, n.Out[0])}, g.Inputs, grad.Options{})
		if e, ok := errors.AsType[*grad.Error](err); !ok || !errors.Is(err, graph.ErrNoGradient) {
			t.Errorf("%s: %v (%v)", op, err, e)
		}
	}
}
