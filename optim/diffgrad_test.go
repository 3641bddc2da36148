package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/tensor"
)

// diffGradVectors are traces of the authors' code on a quadratic, in float64. The traces of an
// implementation that keeps the gradient buffer (zero_grad_in_place) are there to be missed.
type diffGradVectors struct {
	A       [][]float64 `json:"A"`
	B       []float64   `json:"b"`
	X0      []float64   `json:"x0"`
	LR      float64     `json:"lr"`
	V2      traceX      `json:"official_v2"`
	DFC     [][]float64 `json:"dfc_v2"`
	Aliased [][]float64 `json:"official_v1_zero_grad_in_place"`
	ToNone  [][]float64 `json:"official_v1_set_to_none"`
	L2      [][]float64 `json:"official_v2_L2_wd_0.01"`
	Decoup  [][]float64 `json:"decoupled_wd_0.01"`
	Signed  traceX      `json:"variant_dfc_signed"`
	Wide    traceX      `json:"variant_dfc_wide"`
	Adam    [][]float64 `json:"adam_reference"`
	Fixed   struct {
		Grads, X [][]float64
		LR       float64
	} `json:"fixed_gradient_sequence"`
	Functions map[string]map[string]map[string]json.RawMessage `json:"analytical_F1_F2_F3"`
}

type traceX struct {
	X   [][]float64
	DFC [][]float64
}

func TestDiffGradVectors(t *testing.T) {
	v := readJSON[diffGradVectors](t, "diffgrad.json")
	cases := []struct {
		name, rule string
		c          Config
		want, dfc  [][]float64
	}{
		{"v2", "diffgrad", Config{}, v.V2.X, v.DFC},
		{"set to none", "diffgrad", Config{}, v.ToNone, v.DFC},
		{"L2", "diffgrad", Config{WeightDecay: new(0.01)}, v.L2, nil},
		{"decoupled", "diffgrad", Config{WeightDecay: new(0.01), DecoupledDecay: true}, v.Decoup, nil},
		{"abs", "diffgrad", Config{Options: Values{"diffgrad-dfc": "abs"}}, v.V2.X, v.DFC},
		{"signed", "diffgrad", Config{Options: Values{"diffgrad-dfc": "signed"}}, v.Signed.X, v.Signed.DFC},
		{"wide", "diffgrad", Config{Options: Values{"diffgrad-dfc": "wide"}}, v.Wide.X, v.Wide.DFC},
	}
	for _, c := range cases {
		t.Run(c.name+"/float64", func(t *testing.T) { quadratic[float64](t, v, c.rule, c.c, c.want, c.dfc, 1e-12) })
		t.Run(c.name+"/float32", func(t *testing.T) { quadratic[float32](t, v, c.rule, c.c, c.want, c.dfc, 1e-5) })
	}
}

// gradient writes that of ½xᵀAx − bᵀx, always into the same buffer.
func (v *diffGradVectors) gradient(p *Param) {
	if p.W.DType() == tensor.Float32 {
		copy(p.G.F32(), cast[float32](v.at(cast[float64](p.W.F32()))))
		return
	}
	copy(tensor.Data[float64](p.G), v.at(tensor.Data[float64](p.W)))
}

func (v *diffGradVectors) at(x []float64) []float64 {
	g := make([]float64, len(x))
	for i, row := range v.A {
		g[i] = -v.B[i]
		for j, a := range row {
			g[i] += a * x[j]
		}
	}
	return g
}

// quadratic follows one trace.
func quadratic[T Float](t *testing.T, v diffGradVectors, rule string, c Config, want, dfc [][]float64, tol float64) {
	o := mustNew(t, rule, c)
	p := param("x", cast[T](v.X0))
	x := tensor.Data[T](p.W)
	for k, w := range want {
		v.gradient(p)
		mustStep(t, o, nil, Step{k + 1, v.LR}, p)
		near(t, fmt.Sprint("x after step ", k+1), x, w, tol)
		if dfc != nil {
			mean := 0.0
			for _, xi := range dfc[k] {
				mean += xi / float64(len(x))
			}
			near(t, fmt.Sprint("mean xi of step ", k+1), []float64{report(o)["diffgrad.xi"]}, []float64{mean}, tol)
		}
	}
}

func TestDiffGradIsNotTheAliasedOne(t *testing.T) {
	v := readJSON[diffGradVectors](t, "diffgrad.json")
	if math.Abs(v.Aliased[4][0]-v.V2.X[4][0]) < 1e-2 {
		t.Fatal("the vectors do not tell the aliased form from the right one")
	}
}

// The Adam trace of the vectors adds ε to the uncorrected √v, as diffGrad does: that is ε/√(1−β2ᵗ) in Adam's own form.
func TestAdamIsDiffGradWithoutFriction(t *testing.T) {
	v := readJSON[diffGradVectors](t, "diffgrad.json")
	a := newAdam("adam")
	o, err := Chain(a)
	if err != nil {
		t.Fatal(err)
	}
	p := param("x", v.X0)
	for k, w := range v.Adam {
		v.gradient(p)
		a.Eps = 1e-8 / math.Sqrt(1-math.Pow(0.999, float64(k+1)))
		mustStep(t, o, nil, Step{k + 1, v.LR}, p)
		near(t, fmt.Sprint("x after step ", k+1), tensor.Data[float64](p.W), w, 1e-12)
	}
}

func TestDiffGradFixedGradients(t *testing.T) {
	v := readJSON[diffGradVectors](t, "diffgrad.json")
	o, p := mustNew(t, "diffgrad", Config{}), param("x", v.X0)
	x, g := data[float64](p)
	for k, gs := range v.Fixed.Grads {
		copy(g, gs)
		mustStep(t, o, nil, Step{k + 1, v.Fixed.LR}, p)
		near(t, fmt.Sprint("step ", k+1), x, v.Fixed.X[k], 1e-12)
	}
}

// The three one-dimensional functions of the paper's section 4, by their gradients: diffGrad and Adam end in different minima.
var paperFunctions = map[string]func(x float64) float64{
	"F1": func(x float64) float64 {
		if x <= 0 {
			return 2*x + 0.6
		}
		return 2*x - 0.4
	},
	"F2": func(x float64) float64 {
		if x <= -0.9 {
			return -40
		}
		return x*math.Cos(8*x) + math.Sin(8*x) + 3*x*x
	},
	"F3": func(x float64) float64 {
		switch {
		case x <= -0.5:
			return 2 * x
		case x <= -0.4:
			return 1
		case x <= 0:
			return -7. / 8
		case x <= 0.4:
			return 7. / 8
		case x <= 0.5:
			return -1
		}
		return 2 * x
	},
}

func TestPaperFunctions(t *testing.T) {
	v := readJSON[diffGradVectors](t, "diffgrad.json")
	for name, f := range paperFunctions {
		for rule, want := range v.Functions[name] {
			t.Run(name+"/"+rule, func(t *testing.T) {
				lower := map[string]string{"adam": "adam", "diffGrad": "diffgrad"}[rule]
				o, p := mustNew(t, lower, Config{Options: Values{"beta1": 0.95}}), param("x", []float64{-1})
				x, g := data[float64](p)
				trace := make([]float64, 301)
				for n := 1; n <= 300; n++ {
					g[0] = f(x[0])
					mustStep(t, o, nil, Step{n, 0.1}, p)
					trace[n] = x[0]
				}
				// The vectors have ε inside the root of v̂; that changes nothing above 1e-7.
				var first []float64
				unmarshal(t, want["x_1_to_5"], &first)
				near(t, "x 1 to 5", trace[1:6], first, 1e-7)
				for key, n := range map[string]int{"x_49": 49, "x_99": 99, "x_299": 299} {
					var end float64
					unmarshal(t, want[key], &end)
					near(t, key, trace[n:n+1], []float64{end}, 1e-7)
				}
			})
		}
	}
}

func unmarshal(t *testing.T, raw json.RawMessage, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatal(err)
	}
}

func report(o *Optimizer) map[string]float64 {
	m := map[string]float64{}
	for k, v := range o.Report() {
		m[k] = v
	}
	return m
}

// TestFriction compares the vector kernels with the formulas.
func TestFriction(t *testing.T) {
	d := []float32{0, 1e-30, -1e-9, 0.34, -0.35, 1, -20, 88, -699, 1e30}
	for _, form := range []string{absDFC, signedDFC, wideDFC} {
		f32, f64 := slices.Clone(d), make([]float64, len(d))
		for i, x := range d {
			f64[i] = float64(x)
		}
		got, want := friction(form, f32), friction(form, f64)
		if math.Abs(got-want) > 1e-6*math.Abs(want) {
			t.Errorf("form %v: sum %v, want %v", form, got, want)
		}
		for i := range d {
			if math.Abs(float64(f32[i])-f64[i]) > 1e-6 {
				t.Errorf("form %v: friction of %v is %v, want %v", form, d[i], f32[i], f64[i])
			}
		}
	}
}
