package probe

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// golden is testdata/directional_sharpness.json: numbers of an independent float64 implementation in Python.
type golden struct {
	Clip struct {
		Grads      []any
		ByFraction map[string]struct {
			Threshold float64
			Clipped   []any
		} `json:"by_fraction"`
	}
	Sharpness struct {
		X, W1, W2   [][]float64
		Y           []int
		B1, B2      []float64
		Loss        float64
		Grad        []float64
		LambdaMax   float64 `json:"lambda_max"`
		LambdaMin   float64 `json:"lambda_min"`
		Exact       map[string]float64
		Differences map[string]float64 `json:"central_difference_of_gradients_h=1e-4"`
	} `json:"directional_sharpness"`
	Traces map[string][]struct {
		Loss float64
		W    []float64
	}
}

func readGolden(t testing.TB) (g golden) {
	t.Helper()
	raw, err := os.ReadFile("testdata/directional_sharpness.json")
	if err == nil {
		err = json.Unmarshal(raw, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func matrix(rows [][]float64) *tensor.Tensor {
	return tensor.From(slices.Concat(rows...), len(rows), len(rows[0]))
}

// flat is the numbers of nested lists.
func flat(v any) []float64 {
	list, ok := v.([]any)
	if !ok {
		return []float64{v.(float64)}
	}
	var out []float64
	for _, x := range list {
		out = append(out, flat(x)...)
	}
	return out
}

// mlp is the network of the golden file, tanh(x·W1ᵀ + b1)·W2ᵀ + b2 in float64, with its coordinates in the order of the file.
func (g golden) mlp(t testing.TB, c Config) *Landscape {
	s := g.Sharpness
	m := model(t, testkit.Text{In: []string{"x float64[N,2]"}, Out: []string{"y float64[N,2]"}, Order: []string{"W1", "b1", "W2", "b2"},
		Init:  map[string]*tensor.Tensor{"W1": matrix(s.W1), "W2": matrix(s.W2), "b1": tensor.From(s.B1, 3), "b2": tensor.From(s.B2, 2)},
		Nodes: []string{"z = Gemm(x, W1, b1; transB=1)", "h = Tanh(z)", "y = Gemm(h, W2, b2; transB=1)"}}, 1)
	c.Params = []string{"W1", "b1", "W2", "b2"}
	return landscape(t, m, set{x: matrix(s.X), labels: s.Y}, 2, c) // 2, 2 and 1: the mean is over all five
}

var _ data.Dataset = set{}

func TestClipGolden(t *testing.T) {
	g := readGolden(t).Clip
	x := flat(g.Grads)
	for name, want := range g.ByFraction {
		c, err := strconv.ParseFloat(name, 64)
		if err != nil {
			t.Fatal(err)
		}
		s := &Space{at: []int{len(x)}}
		tau := s.limit(x, c)
		if tau != want.Threshold {
			t.Errorf("fraction %s: the limit is %v, want %v", name, tau, want.Threshold)
		}
		for i, v := range flat(want.Clipped) {
			if got := clipped(x[i], tau); got != v {
				t.Errorf("fraction %s: coordinate %d is %v, want %v", name, i, got, v)
			}
		}
	}
	s := &Space{at: []int{4}}
	if tau := s.limit([]float64{0, 0, 5, 0}, 0.5); !math.IsInf(tau, 1) {
		t.Errorf("the limit among zeros is %v, want none", tau)
	}
}

func TestSharpnessGolden(t *testing.T) {
	g := readGolden(t)
	names := map[string]string{"sgd": "sgd", "sgd_clip_0.1": "clip:0.1", "sgd_clip_0.5": "clip:0.5", "sign": "sign",
		"adam_first_step": "adam"}
	for _, how := range []Hessian{Exact, Differences} {
		l := g.mlp(t, Config{Hessian: how})
		want := g.Sharpness.Exact
		if how == Differences {
			want = g.Sharpness.Differences
		}
		if got, _ := l.Products(); got != how {
			t.Fatalf("products are made %s, want %s", got, how)
		}
		at := vector(t, l.Space)
		if err := l.Gradient(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		for i, w := range g.Sharpness.Grad {
			close(t, "gradient", at[i], w, 1e-12)
		}
		for key, name := range names {
			x, err := Follow(l.Space, name)
			if err != nil {
				t.Fatal(err)
			}
			p, err := l.Measure(t.Context(), x, Options{Flat: true})
			if err != nil {
				t.Fatal(err)
			}
			close(t, "loss", p.Loss, g.Sharpness.Loss, 1e-12)
			close(t, string(how)+" "+name, p.Directions[0].Sharpness, want[key], 1e-9)
		}
		tol := 1e-9
		if how == Differences {
			tol = 1e-6
		}
		s, err := l.Lanczos(t.Context(), LanczosOptions{Tolerance: 1e-12})
		if err != nil {
			t.Fatal(err)
		}
		close(t, "largest eigenvalue", s.Max.Value, g.Sharpness.LambdaMax, tol)
		close(t, "smallest eigenvalue", s.Min.Value, g.Sharpness.LambdaMin, tol)
		if how == Exact && s.Max.Residual > 1e-9 {
			t.Errorf("the residual is %g", s.Max.Residual)
		}
	}
}

// The code of the paper begins to count at two.
func TestAdamFirst(t *testing.T) {
	l := readGolden(t).mlp(t, Config{})
	x, err := Follow(l.Space, "adam:first=2")
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.Measure(t.Context(), x, Options{Flat: true})
	if err != nil {
		t.Fatal(err)
	}
	close(t, "adam:first=2", p.Directions[0].Sharpness, 1.0915183093918392, 1e-9) // by PyTorch's Hessian, float64
}

// The trajectories of clipped Adam, and of gradient descent with and without clipping and with PyTorch's momentum, buf ← 0.9·buf + g.
func TestTraces(t *testing.T) {
	g := readGolden(t)
	for name, x := range map[string]struct {
		along        string
		momentum, lr float64
	}{
		"adam_lr0.05_clip0.5":      {"adam-clip:0.5", 0, 0.05},
		"sgd_mom0.9_lr0.5_clip0.1": {"clip:0.1:momentum=0", 0.9, 0.5},
		"sgd_mom0.9_lr0.5_noclip":  {"sgd:momentum=0", 0.9, 0.5},
	} {
		l := g.mlp(t, Config{})
		s, err := Follow(l.Space, x.along)
		if err != nil {
			t.Fatal(err)
		}
		at, v, buf := vector(t, l.Space), vector(t, l.Space), vector(t, l.Space)
		for i, want := range g.Traces[name] {
			here, err := l.Here()
			if err != nil {
				t.Fatal(err)
			}
			if err := l.Gradient(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			s.dirs[0].Next(at, v)
			s.dirs[0].See(at)
			for k := range buf {
				buf[k] = x.momentum*buf[k] + v[k]
			}
			here.Go(x.lr, buf)
			loss, err := l.Loss(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			close(t, name+": loss after step "+strconv.Itoa(i+1), loss, want.Loss, 1e-9)
			w := vector(t, l.Space)
			l.Add(w, func(name string) *tensor.Tensor {
				p, _ := l.m.Param(name)
				return p.Value
			})
			for k := range w {
				close(t, name+": weight", w[k], want.W[k], 1e-9)
			}
		}
	}
}

// Directions that are rules of package optim too are their steps at learning rate 1.
func TestRules(t *testing.T) {
	for along, x := range map[string]struct {
		rule string
		c    optim.Config
	}{
		"sgd":                   {"sgd", optim.Config{Options: optim.Values{"momentum": 0.9, "dampening": 0.9}}},
		"sgd:momentum=0.5":      {"sgd", optim.Config{Options: optim.Values{"momentum": 0.5, "dampening": 0.5}}},
		"adam":                  {"adam", optim.Config{}},
		"adam:beta2=0.9:eps=.1": {"adam", optim.Config{Options: optim.Values{"beta2": 0.9, "eps": 0.1}}},
		"diffgrad":              {"diffgrad", optim.Config{}},
	} {
		s := &Space{at: []int{50}}
		shadows, err := Follow(s, along)
		if err != nil {
			t.Fatal(err)
		}
		o, err := optim.New(x.rule, x.c)
		if err != nil {
			t.Fatal(err)
		}
		for step := range 6 {
			g, err := testkit.RandN(uint64(step), 50).Convert(tensor.Float64)
			if err != nil {
				t.Fatal(err)
			}
			p := &optim.Param{Name: "w", W: tensor.New(tensor.Float64, 50), G: g}
			if err := o.Step(nil, optim.Step{N: step + 1, LR: 1}, []*optim.Param{p}); err != nil {
				t.Fatal(err)
			}
			v := make([]float64, 50)
			shadows.dirs[0].Next(tensor.Data[float64](g), v)
			shadows.dirs[0].See(tensor.Data[float64](g))
			for i, w := range tensor.Data[float64](p.W) {
				close(t, along+": step "+strconv.Itoa(step+1), v[i], w, 1e-12)
			}
		}
	}
}
