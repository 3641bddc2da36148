package gbnn

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

type vector struct {
	Binary struct {
		Y         []float64
		F0        float64
		Residuals []float64
		Pred      []float64 `json:"base_pred"`
		Rho       float64
		F1        []float64
		Loss0     float64
		Loss1     float64
		Prob      []float64 `json:"prob_pos"`
	}
	Multiclass struct {
		Y         [][]float64
		Residuals [][]float64
		Pred      [][]float64 `json:"base_pred"`
		Rho       float64
		F1        [][]float64
		Loss0     float64 `json:"loss0_sum_over_n"`
		Loss1     float64 `json:"loss1_sum_over_n"`
	}
	Regression struct {
		Y         []float64
		F0        float64
		Residuals []float64
	}
	Assembly struct {
		Intercept float64
		Rho       []float64
		Learners  []struct {
			V, W [][]float64
			C, D []float64
		}
		X [][]float64
		F []float64
	}
}

// vectors are testdata/gbnn.json: pieces of the authors' program, in float64.
func vectors(t *testing.T) (v vector) {
	t.Helper()
	b, err := os.ReadFile("testdata/gbnn.json")
	if err == nil {
		err = json.Unmarshal(b, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range got {
		if d := math.Abs(got[i] - want[i]); !(d <= 1e-9) {
			t.Errorf("%s[%d] = %.12g, want %.12g", what, i, got[i], want[i])
		}
	}
}

func flat(x [][]float64) []float64 { return slices.Concat(x...) }

// step goes through one step of boosting with the prediction p.
func step(l Loss, f, y, p []float64, k int) (r []float64, rho float64, next []float64) {
	r = make([]float64, len(y))
	l.Residuals(r, f, y, k)
	rho = l.Rate(p, f, r, y, k, 1)
	next = slices.Clone(f)
	for i, v := range p {
		next[i] += rho * v
	}
	return r, rho, next
}

func TestVectors(t *testing.T) {
	v := vectors(t)
	b := v.Binary
	start, err := Binary{}.Start(b.Y, 1)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "binary F0", start, []float64{b.F0})
	f := slices.Repeat(start, len(b.Y))
	r, rho, next := step(Binary{}, f, b.Y, b.Pred, 1)
	near(t, "binary residuals", r, b.Residuals)
	near(t, "binary rho", []float64{rho}, []float64{b.Rho})
	near(t, "binary F1", next, b.F1)
	near(t, "binary loss", []float64{Binary{}.Mean(f, b.Y, 1), Binary{}.Mean(next, b.Y, 1)}, []float64{b.Loss0, b.Loss1})
	for i, x := range next {
		near(t, "probability", []float64{sigmoid(2 * x)}, b.Prob[i:i+1])
	}

	m := v.Multiclass
	y, n := flat(m.Y), float64(len(m.Y))
	f = make([]float64, len(y))
	r, rho, next = step(Multiclass{}, f, y, flat(m.Pred), 3)
	near(t, "multiclass residuals", r, flat(m.Residuals))
	near(t, "multiclass rho", []float64{rho}, []float64{m.Rho})
	near(t, "multiclass F1", next, flat(m.F1))
	near(t, "multiclass loss", []float64{n * Multiclass{}.Mean(f, y, 3), n * Multiclass{}.Mean(next, y, 3)}, []float64{m.Loss0, m.Loss1})

	g := v.Regression
	start, _ = Regression{}.Start(g.Y, 1)
	near(t, "regression F0", start, []float64{g.F0})
	r, rho, _ = step(Regression{}, slices.Repeat(start, len(g.Y)), g.Y, make([]float64, len(g.Y)), 1)
	near(t, "regression residuals", r, g.Residuals)
	near(t, "regression rho", []float64{rho}, []float64{1})
}

// The learners of the vector, one after the other, are what it says that they are together.
func TestAssembly(t *testing.T) {
	v := vectors(t).Assembly
	x := &Features{N: len(v.X), F: 2}
	for _, u := range flat(v.X) {
		x.X = append(x.X, float32(u))
	}
	f := slices.Repeat([]float64{v.Intercept}, x.N)
	for i, s := range v.Learners {
		l := &Learner{V: flat(s.V), C: s.C, W: flat(s.W), D: s.D}
		h, p := make([]float64, x.N), make([]float64, x.N)
		l.Hidden(nil, x, h)
		l.Outputs(h, p)
		for j, x := range p {
			f[j] += v.Rho[i] * x
		}
	}
	near(t, "F", f, v.F)
}

func TestOneClass(t *testing.T) {
	if _, err := (Binary{}).Start([]float64{1, 1, 1}, 1); err != ErrOneClass {
		t.Errorf("got %v, want ErrOneClass", err)
	}
}

// A denominator of nothing leaves a step out.
func TestRateOfNothing(t *testing.T) {
	for _, l := range []Loss{Binary{}, Multiclass{}} {
		y, f := []float64{1, -1, 1, 1}, make([]float64, 4)
		if rho := l.Rate(make([]float64, 4), f, make([]float64, 4), y, 2, 1); rho != 0 {
			t.Errorf("%T: rate %v along nothing, want 0", l, rho)
		}
	}
}

// toy are rows with constant, far and ordinary features.
func toy(n int) (*Features, []float64) {
	r := rand.New(rand.NewPCG(1, 2))
	x := &Features{N: n, F: 4}
	var y []float64
	for range n {
		a, b := r.NormFloat64(), r.NormFloat64()
		x.X = append(x.X, float32(a), 7, float32(1000+b), float32(r.NormFloat64()))
		y = append(y, math.Sin(2*a)+b*a, b)
	}
	return x, y
}

// The gradient of the base network against central differences.
func TestBaseGradient(t *testing.T) {
	x, y := toy(150)
	if err := x.Standardise(); err != nil {
		t.Fatal(err)
	}
	if x.Inv[1] != 0 {
		t.Errorf("the constant feature is multiplied by %v, want 0", x.Inv[1])
	}
	b := &base{n: 120, f: 4, j: 3, k: 2, alpha: 0.3}
	r := rand.New(rand.NewPCG(3, 4))
	if err := b.take(x, y, sample(r, x.N, b.n)); err != nil {
		t.Fatal(err)
	}
	defer b.grant.Release()
	at := make([]float64, b.len())
	b.begin(at, r)
	g, unused := make([]float64, len(at)), make([]float64, len(at))
	b.eval(at, g)
	for i := range at {
		const h = 1e-5
		old := at[i]
		at[i] = old + h
		up := b.eval(at, unused)
		at[i] = old - h
		down := b.eval(at, unused)
		at[i] = old
		if d := (up - down) / (2 * h); math.Abs(d-g[i]) > 1e-8 {
			t.Errorf("derivative %d is %.10g, differences give %.10g", i, g[i], d)
		}
	}
}

// A base network learns what it is fitted to, the same for any number of threads, and draws other rows at another step.
func TestFit(t *testing.T) {
	x, y := toy(600)
	if err := x.Standardise(); err != nil {
		t.Fatal(err)
	}
	o := Options{Step: 6, Eta: 1, Subsample: 0.5, Iters: 200, Alpha: 1e-4, Seed: 5}
	fit := func(p *parallel.Pool, step int) *Learner {
		l, err := Fit(context.Background(), p, x, y, 2, step, o)
		if err != nil {
			t.Fatal(err)
		}
		l.Shift(x)
		return l
	}
	pool := parallel.New(3)
	defer pool.Close()
	one, three, other := fit(nil, 0), fit(pool, 0), fit(nil, 1)
	if !slices.Equal(one.V, three.V) || !slices.Equal(one.C, three.C) || !slices.Equal(one.W, three.W) || !slices.Equal(one.D, three.D) {
		t.Error("three threads give another network than one")
	}
	if slices.Equal(one.V, other.V) {
		t.Error("two steps give the same network")
	}
	h, p := make([]float64, x.N*o.Step), make([]float64, x.N*2)
	one.Hidden(pool, x, h)
	one.Outputs(h, p)
	start, _ := Regression{}.Start(y, 2)
	before := Regression{}.Mean(slices.Repeat(start, x.N), y, 2)
	if after := (Regression{}).Mean(p, y, 2); !(after < before/5) {
		t.Errorf("mean squared error %.4g, of a constant %.4g", after, before)
	}
	for _, bad := range []Options{{}, {Step: 1, Eta: 1, Subsample: 2, Iters: 1}, {Step: 1, Eta: 1, Subsample: 1},
		{Step: 1, Eta: -1, Subsample: 1, Iters: 1}} {
		if _, err := Fit(context.Background(), nil, x, y, 2, 0, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
