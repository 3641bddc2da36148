package probe

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/tensor"
)

// bent is a net of two layers in float64 whose logits bend with its weights, on examples of three classes.
func bent(t *testing.T) (*engine.Model, set) {
	r := rand.New(rand.NewPCG(5, 6))
	rand := func(shape ...int) *tensor.Tensor {
		v := make([]float64, tensor.Shape(shape).Len())
		for i := range v {
			v[i] = r.NormFloat64()
		}
		return tensor.From(v, shape...)
	}
	m := model(t, testkit.Text{In: []string{"x float64[N,3]"}, Out: []string{"y float64[N,3]"}, Order: strings.Fields("v a w b"),
		Init:  map[string]*tensor.Tensor{"v": rand(3, 4), "a": rand(4), "w": rand(4, 3), "b": rand(3)},
		Nodes: []string{"h = Gemm(x, v, a)", "s = Tanh(h)", "y = Gemm(s, w, b)"}}, 1)
	return m, set{x: rand(7, 3), labels: []int{0, 2, 1, 1, 0, 2, 2}}
}

// The matrices are what they are by definition, from differences of the logits.
func TestMatrices(t *testing.T) {
	m, ds := bent(t)
	names := []string{"v", "a", "w", "b"}
	s, err := NewSpace(m, names)
	if err != nil {
		t.Fatal(err)
	}
	logits, err := m.Session(engine.Query{})
	if err != nil {
		t.Fatal(err)
	}
	at := func() []float64 {
		out, err := logits.Run(t.Context(), map[string]*tensor.Tensor{"x": ds.x})
		if err != nil {
			t.Fatal(err)
		}
		return append([]float64{}, tensor.Data[float64](out.Value("y"))...)
	}
	n, k := ds.Len(), 3
	here, err := s.Here()
	if err != nil {
		t.Fatal(err)
	}
	var jac [][]float64 // by coordinate
	for i := range s.Len() {
		e := vector(t, s)
		e[i] = 1
		const h = 1e-5
		here.Go(h, e)
		hi := at()
		here.Go(-h, e)
		for j, lo := range at() {
			hi[j] = (hi[j] - lo) / (2 * h)
		}
		jac = append(jac, hi)
	}
	here.Back()
	p := at()
	for i := range n {
		sum := 0.0
		for j := range k {
			p[k*i+j] = math.Exp(p[k*i+j])
			sum += p[k*i+j]
		}
		for j := range k {
			p[k*i+j] /= sum
		}
	}
	v := vector(t, s)
	r := rand.New(rand.NewPCG(7, 8))
	jv := make([]float64, n*k)
	for i := range v {
		v[i] = r.NormFloat64()
		for j := range jv {
			jv[j] += jac[i][j] * v[i]
		}
	}
	for _, kind := range []Matrix{GaussNewton, WeightedGN, Fisher} {
		u := make([]float64, n*k)
		for i := range n {
			mean := 0.0
			for j := range k {
				mean += p[k*i+j] * jv[k*i+j]
			}
			for j := range k {
				at := k*i + j
				switch kind {
				case GaussNewton:
					u[at] = p[at] * (jv[at] - mean)
				case WeightedGN:
					u[at] = p[at] * jv[at]
				case Fisher:
					e := p[at]
					if j == ds.labels[i] {
						e--
					}
					u[at] = e * (mean - jv[k*i+ds.labels[i]])
				}
			}
		}
		for _, size := range []int{7, 3} {
			l := landscape(t, m, ds, size, Config{Params: names, Matrix: kind})
			hv := vector(t, l.Space)
			if err := l.Product(t.Context(), v, hv); err != nil {
				t.Fatal(err)
			}
			for i, got := range hv {
				want := 0.0
				for j := range u {
					want += jac[i][j] * u[j] / float64(n)
				}
				close(t, string(kind), got, want, 1e-7)
			}
			// in parts, the last one filled up
			l.c.Feed = l.c.Feed.InParts(2)
			parts := vector(t, l.Space)
			if err := l.Product(t.Context(), v, parts); err != nil {
				t.Fatal(err)
			}
			for i := range hv {
				close(t, string(kind)+" in parts", parts[i], hv[i], 1e-12)
			}
		}
	}
}

// Of a linear layer the Gauss-Newton matrix is the Hessian; elsewhere in the net it is not.
func TestGaussNewtonOfALinearLayer(t *testing.T) {
	m, ds := bent(t)
	for _, names := range [][]string{{"w", "b"}, {"v"}} {
		h := landscape(t, m, ds, 7, Config{Params: names, Hessian: Exact})
		g := landscape(t, m, ds, 7, Config{Params: names, Matrix: GaussNewton})
		v, hv, gv := vector(t, h.Space), vector(t, h.Space), vector(t, h.Space)
		for i := range v {
			v[i] = float64(i%3) - 0.7
		}
		for l, out := range map[*Landscape][]float64{h: hv, g: gv} {
			if err := l.Product(t.Context(), v, out); err != nil {
				t.Fatal(err)
			}
		}
		off := 0.0
		for i := range hv {
			off = max(off, math.Abs(hv[i]-gv[i]))
		}
		if linear := len(names) == 2; linear != (off < 1e-13) {
			t.Errorf("%v: the two are %v apart", names, off)
		}
	}
}

// After the weights moved, products are those of where they are.
func TestMatrixMoves(t *testing.T) {
	m, ds := bent(t)
	l := landscape(t, m, ds, 7, Config{Params: []string{"w"}, Matrix: GaussNewton})
	v, a, b := vector(t, l.Space), vector(t, l.Space), vector(t, l.Space)
	v[0] = 1
	x := vector(t, l.Space)
	for i := range x {
		x[i] = float64(i) / 3
	}
	if err := l.Product(t.Context(), v, a); err != nil {
		t.Fatal(err)
	}
	l.Set(x)
	if err := l.Product(t.Context(), v, b); err != nil {
		t.Fatal(err)
	}
	fresh := landscape(t, m, ds, 7, Config{Params: []string{"w"}, Hessian: Exact})
	if err := fresh.Product(t.Context(), v, x); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		close(t, "product", b[i], x[i], 1e-12)
		if i < 4 && a[i] == b[i] {
			t.Error("the product is still that of the weights before")
		}
	}
}

func TestMatrixRefuses(t *testing.T) {
	m, _ := bent(t)
	r := set{x: tensor.New(tensor.Float64, 4, 3), y: tensor.New(tensor.Float64, 4, 3)}
	l := landscape(t, m, r, 4, Config{Params: []string{"w"}, Matrix: GaussNewton})
	c := l.c
	c.Matrix = WeightedGN
	if _, err := New(m, c); err == nil || !strings.Contains(err.Error(), "take ggn") {
		t.Error(err)
	}
	c.Matrix = "krylov"
	if _, err := New(m, c); err == nil || !strings.Contains(err.Error(), "want ggn") {
		t.Error(err)
	}
}
