package probe

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// The loss of a linear regression is a parabola: its Hessian is 2·XᵀX/N, whatever the weights.
func TestQuadratic(t *testing.T) {
	x := tensor.From([]float64{1, 0, 2, 3, 1, 0, -1, 2, 1, 0, 1, 1}, 4, 3)
	y := tensor.From([]float64{1, 2.5, -1, 0.3}, 4, 1)
	m := model(t, testkit.Text{In: []string{"x float64[N,3]"}, Out: []string{"y float64[N,1]"}, Nodes: []string{"y = MatMul(x, w)"},
		Init: map[string]*tensor.Tensor{"w": tensor.From([]float64{0.3, -0.2, 0.5}, 3, 1)}}, 1)
	l := landscape(t, m, set{x: x, y: y}, 3, Config{Params: []string{"w"}, Hessian: Exact})
	rows := tensor.Data[float64](x)
	for k := range 3 {
		v, hv := vector(t, l.Space), vector(t, l.Space)
		v[k] = 1
		if err := l.Product(t.Context(), v, hv); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			want := 0.0
			for n := range 4 {
				want += rows[3*n+i] * rows[3*n+k] / 2
			}
			close(t, "second derivative", hv[i], want, 1e-12)
		}
	}
	before := bits(m)
	s, err := Follow(l.Space, "sgd", "sign")
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Measure(t.Context(), s, Options{Lanczos: LanczosOptions{Tolerance: 1e-12}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, bits(m)) {
		t.Error("the weights are not what they were")
	}
	for _, d := range p.Directions {
		close(t, d.Name+": measured decrease", d.Measured, d.Predicted, 1e-12)
		if n := len(d.Curve); n < 20 {
			t.Errorf("%s: %d points, want those up to twice the best step", d.Name, n)
		}
		for _, c := range d.Curve {
			close(t, d.Name+": curve", c.Loss, c.Quadratic, 1e-12)
		}
	}
	if d := p.Directions[0]; math.Abs(d.Cosine-1) > 1e-12 {
		t.Errorf("the first step of sgd has cosine %v with the steepest descent", d.Cosine)
	}
	close(t, "largest eigenvalue", p.Spectrum.Max.Value, 5.8660254037844384, 1e-9) // numpy.linalg.eigvalsh of 2·XᵀX/N
	close(t, "smallest eigenvalue", p.Spectrum.Min.Value, 1.5, 1e-9)
	if p.Spectrum.Products != 3 {
		t.Errorf("%d products in a space of three dimensions", p.Spectrum.Products)
	}
}

// normed is a convolution with batch normalisation in float64.
func normed(t testing.TB, threads int, c Config) *Landscape {
	r := rand.New(rand.NewPCG(1, 2))
	rand := func(shape ...int) *tensor.Tensor {
		v := make([]float64, tensor.Shape(shape).Len())
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return tensor.From(v, shape...)
	}
	positive := func(n int) *tensor.Tensor {
		x := rand(n)
		for i, v := range tensor.Data[float64](x) {
			tensor.Data[float64](x)[i] = 1 + v*v
		}
		return x
	}
	m := model(t, testkit.Text{In: []string{"x float64[N,2,4,4]"}, Out: []string{"y float64[N,3]"},
		Init: map[string]*tensor.Tensor{"k": rand(4, 2, 3, 3), "scale": rand(4), "shift": rand(4), "mean": rand(4), "var": positive(4),
			"w": rand(4, 3)},
		Nodes: []string{"c = Conv(x, k)", "n = BatchNormalization(c, scale, shift, mean, var)", "s = Softplus(n)",
			"g = GlobalAveragePool(s)", "f = Flatten(g)", "y = MatMul(f, w)"}}, threads)
	c.Params = []string{"k", "scale", "shift", "w"}
	return landscape(t, m, set{x: rand(7, 2, 4, 4), labels: []int{0, 1, 2, 0, 1, 2, 2}}, 4, c)
}

// Batch normalisation goes by its statistics, which stay; products by differentiating and by differences agree.
func TestBatchNorm(t *testing.T) {
	exact, apart := normed(t, 1, Config{Hessian: Exact}), normed(t, 1, Config{Hessian: Differences})
	before := bits(apart.m)
	v, a, b := vector(t, exact.Space), vector(t, exact.Space), vector(t, exact.Space)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range v {
		v[i] = r.NormFloat64()
	}
	scale(v, 1/length(v))
	if err := exact.Product(t.Context(), v, a); err != nil {
		t.Fatal(err)
	}
	if err := apart.Product(t.Context(), v, b); err != nil {
		t.Fatal(err)
	}
	for i := range a {
		close(t, "product", b[i], a[i], 1e-6)
	}
	if !bytes.Equal(before, bits(apart.m)) {
		t.Error("the weights are not what they were")
	}
}

// measured is all numbers of a point.
func measured(t *testing.T, l *Landscape) []float64 {
	s, err := Follow(l.Space, "sgd", "nsgd", "sign", "clip:0.1", "clip-update:0.1", "adam", "adam-clip", "diffgrad")
	if err != nil {
		t.Fatal(err)
	}
	var g []*tensor.Tensor
	for range 3 {
		for _, p := range l.params {
			x := testkit.RandN(uint64(len(g)), p.Value.Shape()...)
			if x, err = x.Convert(p.Value.DType()); err != nil {
				t.Fatal(err)
			}
			g = append(g, x)
		}
		last := g[len(g)-len(l.params):]
		s.See(func(name string) *tensor.Tensor {
			for i, p := range l.params {
				if p.Name == name {
					return last[i]
				}
			}
			return nil
		})
	}
	p, err := l.Measure(t.Context(), s, Options{Lanczos: LanczosOptions{Most: 5}})
	if err != nil {
		t.Fatal(err)
	}
	out := []float64{p.Loss, p.Gradient, p.Weights, p.Spectrum.Max.Value, p.Spectrum.Max.Residual, p.Spectrum.Min.Value}
	for _, d := range p.Directions {
		out = append(out, d.Norm, d.Slope, d.Cosine, d.Sharpness, d.BestStep, d.Predicted, d.Measured, d.Top1, d.Top10)
		for _, c := range d.Curve {
			out = append(out, c.Distance, c.Loss)
		}
	}
	return out
}

// The same bits come out again, and on any number of threads.
func TestThreads(t *testing.T) {
	want := measured(t, normed(t, 1, Config{}))
	for _, threads := range []int{1, 2, 3} {
		for i, v := range measured(t, normed(t, threads, Config{})) {
			if math.Float64bits(v) != math.Float64bits(want[i]) {
				t.Fatalf("%d threads: number %d is %v, was %v", threads, i, v, want[i])
			}
		}
	}
}

func TestNamesOfDirections(t *testing.T) {
	l := normed(t, 1, Config{})
	for spec, want := range map[string]string{
		"adma":               `did you mean "adam"`,
		"clip:1":             "fraction 1: want a share above 0 and below 1, as in clip:0.1: all coordinates clipped",
		"clip:0":             "fraction 0: want a share",
		"clip:x":             `option fraction="x": want a number`,
		"adam-clip:1.5":      "fraction 1.5",
		"sgd:0.5":            "options are written NAME:KEY=VALUE",
		"sgd:momentum=1":     "momentum 1: want a number from 0 and below 1",
		"adam:first=3":       "first 3",
		"clip:0.1:fracton=1": `did you mean "fraction"`,
	} {
		if _, err := Follow(l.Space, spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}

func TestDescending(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{1, 2, 33, 1000} {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(r.IntN(max(2, n/3))) - 20 // with many that are equal
		}
		sorted := make([]float64, n)
		for i, v := range x {
			sorted[i] = math.Abs(v)
		}
		for i := range sorted {
			for j := i + 1; j < n; j++ {
				if sorted[j] > sorted[i] {
					sorted[i], sorted[j] = sorted[j], sorted[i]
				}
			}
		}
		for k := range n {
			if got := descending(x, k, make([]float64, n)); got != sorted[k] {
				t.Fatalf("of %d numbers the one at %d is %v, want %v", n, k, got, sorted[k])
			}
		}
	}
}

func TestShare(t *testing.T) {
	s := &Space{at: []int{10}}
	v := []float64{3, -3, 1, 0, 0, 0, 0, 0, 0, 0}
	close(t, "share of one of ten", s.share(v, 0.01), 9.0/19, 1e-15)
	close(t, "share of two of ten", s.share(v, 0.2), 18.0/19, 1e-15)
}

// Where the gradient has no derivative, products are made from differences, and the node is named; who asks for exact ones is refused.
func TestFallback(t *testing.T) {
	l := normed(t, 1, Config{})
	v, a, b := vector(t, l.Space), vector(t, l.Space), vector(t, l.Space)
	v[3], v[40] = 0.6, 0.8
	if err := l.Product(t.Context(), v, a); err != nil {
		t.Fatal(err)
	}
	q := engine.Query{Loss: l.c.Task.Total(), Grad: l.names, Derive: func(b *engine.Build) (engine.Outputs, error) {
		return nil, &grad.Error{Nodes: []grad.NodeError{{Node: b.G.Nodes[0], Err: graph.ErrNoGradient}}}
	}}
	if err := l.second(q); err != nil {
		t.Fatal(err)
	}
	if how, why := l.Products(); how != Differences || !strings.Contains(why, "Conv") {
		t.Fatalf("products are made %s because %q", how, why)
	}
	if err := l.Product(t.Context(), v, b); err != nil {
		t.Fatal(err)
	}
	for i := range a {
		close(t, "product", b[i], a[i], 1e-6)
	}
	l.c.Hessian = Exact
	if err := l.second(q); !errors.Is(err, graph.ErrNoGradient) {
		t.Errorf("exact products: %v", err)
	}
}
