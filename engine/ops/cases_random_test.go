package ops_test

import (
	"math"
	"testing"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// drawn runs a random operator twice in one program.
func drawn(t *testing.T, c opCase) (first, second []float64) {
	t.Helper()
	p, err := c.build(tensor.Float32, false)
	if err != nil {
		t.Fatal(err)
	}
	prog, in, err := p.compile(pool2(), p.feeds, p.node.Out)
	if err != nil {
		t.Fatal(err)
	}
	a, err := runCopied(prog, in)
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	b, err := runCopied(prog, in)
	if err != nil {
		t.Fatal(err)
	}
	return a[0].Float64s(), b[0].Float64s()
}

// Random operators have the moments and the range of their distribution, other numbers in each run, and the same again in another program;
// with another seed others.
func TestRandomOperators(t *testing.T) {
	shape := func(kv ...any) graph.Attrs { return is(append(kv, "shape", ints(100, 201))...) }
	like := []arg{x(100, 201).noGrad()}
	half := given(tensor.From(constant(20100, 0.3), 100, 201))
	rows := given(tensor.From([]float32{0, float32(math.Log(3)), 0, float32(math.Log(3))}, 2, 2))
	for _, tc := range []struct {
		c         opCase
		mean, dev float64
		lo, hi    float64
	}{
		{opCase{op: "RandomUniform", attrs: shape()}, 0.5, math.Sqrt(1. / 12), 0, 1},
		{opCase{op: "RandomUniform", name: "range", attrs: shape("low", -2.0, "high", 6.0, "seed", 3.0)}, 2, 8 * math.Sqrt(1./12), -2, 6},
		{opCase{op: "RandomUniformLike", in: like}, 0.5, math.Sqrt(1. / 12), 0, 1},
		{opCase{op: "RandomNormal", attrs: shape("mean", 4.0, "scale", 2.0)}, 4, 2, -8, 16},
		{opCase{op: "RandomNormalLike", attrs: is("seed", 1.5), in: like}, 0, 1, -6, 6},
		{opCase{op: "Bernoulli", in: []arg{half}}, 0.3, math.Sqrt(0.21), 0, 1.001},
		{opCase{op: "Multinomial", attrs: is("sample_size", 10000), in: []arg{rows}}, 0.75, math.Sqrt(0.1875), 0, 1.001},
	} {
		a, b := drawn(t, tc.c)
		again, _ := drawn(t, tc.c)
		other := tc.c
		other.attrs = graph.Attrs{"seed": float32(99)}
		for k, v := range tc.c.attrs {
			if k != "seed" {
				other.attrs[k] = v
			}
		}
		c, _ := drawn(t, other)
		sum, square, differ, seeded := 0.0, 0.0, 0, 0
		for i, v := range a {
			sum += v
			square += (v - tc.mean) * (v - tc.mean)
			if v < tc.lo || v >= tc.hi {
				t.Errorf("%s: element %d is %g", tc.c, i, v)
				break
			}
			if v != again[i] {
				t.Errorf("%s: element %d is %g, then %g", tc.c, i, v, again[i])
				break
			}
			if v != b[i] {
				differ++
			}
			if v != c[i] {
				seeded++
			}
		}
		n := float64(len(a))
		if e := math.Abs(sum/n - tc.mean); e > 4*tc.dev/math.Sqrt(n) {
			t.Errorf("%s: mean %g, want %g", tc.c, sum/n, tc.mean)
		}
		if dev := math.Sqrt(square / n); math.Abs(dev/tc.dev-1) > 0.03 {
			t.Errorf("%s: deviation %g, want %g", tc.c, dev, tc.dev)
		}
		if differ < len(a)/4 || seeded < len(a)/4 {
			t.Errorf("%s: %d of %d numbers differ in another run, %d with another seed", tc.c, differ, len(a), seeded)
		}
	}
}

func constant(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}
