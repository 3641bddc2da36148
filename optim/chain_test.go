package optim

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

func TestStepRefuses(t *testing.T) {
	w := func() *Param { return param("w", []float32{1, 2}) }
	bad := func(f func(*Param)) []*Param { p := w(); f(p); return []*Param{p} }
	cases := []struct {
		name string
		lr   float64
		ps   []*Param
		want string
	}{
		{"nil", 1, []*Param{nil}, "no weights"},
		{"no gradient", 1, bad(func(p *Param) { p.G = nil }), "no gradient"},
		{"no name", 1, bad(func(p *Param) { p.Name = "" }), "no name"},
		{"integers", 1, bad(func(p *Param) { p.W = tensor.New(tensor.Int64, 2); p.G = p.W }), "int64"},
		{"shape", 1, bad(func(p *Param) { p.G = tensor.New(tensor.Float32, 3) }), "its gradient is float32[3]"},
		{"type", 1, bad(func(p *Param) { p.G = tensor.New(tensor.Float64, 2) }), "its gradient is float64[2]"},
		{"twice", 1, []*Param{w(), w()}, "twice"},
		{"other shape than before", 1, []*Param{param("old", []float32{1})}, "its state is float32[2]"},
		{"learning rate", math.NaN(), []*Param{w()}, "learning rate"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := mustNew(t, "adam", Config{})
			mustStep(t, o, nil, Step{1, 0.1}, param("old", []float32{1, 2}))
			if err := o.Step(nil, Step{2, c.lr}, c.ps); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestChainRefuses(t *testing.T) {
	for name, rules := range map[string][]Rule{
		"at least one": {},
		"twice":        {WeightDecay(1), WeightDecay(2)},
		"neither":      {named("idle")},
	} {
		if _, err := Chain(rules...); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

type named string

func (n named) Name() string { return string(n) }

func TestNotFiniteNamesTheParameterAndChangesNothing(t *testing.T) {
	for _, c := range []Config{{}, {ClipNorm: new(1.0)}} {
		for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			ps, want := model(), model()
			o := mustNew(t, "diffgrad", c)
			ps[1].G.F32()[5] = float32(v)
			err := o.Step(nil, Step{3, 0.1}, ps)
			if !errors.Is(err, ErrNotFinite) || !strings.Contains(err.Error(), `step 3`) ||
				!strings.Contains(err.Error(), `parameter "bias", element 5`) {
				t.Errorf("%v: got %v", v, err)
			}
			same(t, "weights", ps, want)
			for k, s := range o.State() {
				if slices.ContainsFunc(s.Bytes(), func(b byte) bool { return b != 0 }) {
					t.Errorf("state %s changed", k)
				}
			}
			ps[1].G.F32()[5], tensor.Data[float64](ps[3].G)[1] = 0, v
			if err := o.Step(nil, Step{3, 0.1}, ps); err == nil || !strings.Contains(err.Error(), `parameter "double", element 1`) {
				t.Errorf("%v: got %v", v, err)
			}
		}
	}
}

func TestLargeFiniteGradients(t *testing.T) {
	p := param("w", []float32{0, 0})
	copy(p.G.F32(), []float32{math.MaxFloat32, -math.MaxFloat32})
	mustStep(t, mustNew(t, "sgd", Config{ClipNorm: new(1.0)}), nil, Step{1, 1}, p)
	near(t, "clipped", p.W.F32(), []float64{-math.Sqrt2 / 2, math.Sqrt2 / 2}, 1e-6)

	d := param("w", []float64{0, 0})
	copy(tensor.Data[float64](d.G), []float64{1e200, 1e200})
	if err := mustNew(t, "sgd", Config{ClipNorm: new(1.0)}).Step(nil, Step{1, 1}, []*Param{d}); !errors.Is(err, ErrNotFinite) {
		t.Errorf("a norm that overflows: got %v", err)
	}
	mustStep(t, mustNew(t, "sgd", Config{}), nil, Step{1, 1e-200}, d)
	near(t, "not clipped", tensor.Data[float64](d.W), []float64{-1, -1}, 1e-12)
}

func TestClipNormIsGlobal(t *testing.T) {
	a, b := param("a", []float32{0}), param("b", []float32{0})
	a.G.F32()[0], b.G.F32()[0] = 3, 4
	o := mustNew(t, "sgd", Config{ClipNorm: new(1.0)})
	mustStep(t, o, nil, Step{1, 1}, a, b)
	near(t, "a", a.W.F32(), []float64{-0.6}, 1e-6)
	near(t, "b", b.W.F32(), []float64{-0.8}, 1e-6)
	near(t, "norm", []float64{report(o)["clip-norm.norm"]}, []float64{5}, 1e-12)
}

// A rule after the elementwise ones sees the finished update of all parameters: here the step of
// the whole model has the given length.
func TestGlobalRuleAfterOthers(t *testing.T) {
	o, err := Chain(Finite(), newAdam("adam"), ClipNorm(0.5), WeightDecay(0.1))
	if err != nil {
		t.Fatal(err)
	}
	pool := parallel.New(2)
	defer pool.Close()
	ps, before := model(), model()
	for n, gs := range gradients(3, lens(ps)...) {
		for i, p := range ps {
			before[i].W = p.W.Clone()
		}
		setGrads(ps, gs)
		mustStep(t, o, pool, Step{n + 1, 1}, ps...)
		sum := 0.0
		for i, p := range ps {
			x, y := cast[float64](wide(before[i].W)), cast[float64](wide(p.W))
			for j := range x {
				u := x[j] - y[j]
				if p.Decay {
					u -= 0.1 * x[j]
				}
				sum += u * u
			}
		}
		near(t, "length of the step", []float64{math.Sqrt(sum)}, []float64{0.5}, 1e-5)
	}
}

func wide(t *tensor.Tensor) []float64 {
	if t.DType() == tensor.Float32 {
		return cast[float64](t.F32())
	}
	return tensor.Data[float64](t)
}

// A parameter that joins late starts its own count, so that its first steps are corrected as first steps are.
func TestLateParameter(t *testing.T) {
	for _, r := range handed() {
		o := mustNew(t, r.Name, Config{})
		if slices.ContainsFunc(o.rules, func(r Rule) bool { _, ok := r.(Remembering); return ok }) {
			continue // it remembers numbers of all parameters together
		}
		early, late := param("early", []float64{1}), param("late", []float64{1})
		early.G, late.G = tensor.From([]float64{2}, 1), tensor.From([]float64{2}, 1)
		mustStep(t, o, nil, Step{1, 0.1}, early)
		first := tensor.Data[float64](early.W)[0]
		mustStep(t, o, nil, Step{2, 0.1}, early, late)
		near(t, r.Name, tensor.Data[float64](late.W), []float64{first}, 0)
	}
}

func TestDecayOnlyWhereAsked(t *testing.T) {
	for _, r := range handed() {
		for _, decoupled := range []bool{false, true} {
			o := mustNew(t, r.Name, Config{WeightDecay: new(0.5), DecoupledDecay: decoupled})
			yes, no := param("yes", []float64{2}), param("no", []float64{2})
			no.Decay = false
			mustStep(t, o, nil, Step{1, 0.1}, yes, no)
			if w := tensor.Data[float64](no.W)[0]; w != 2 {
				t.Errorf("%s: weight without decay went to %v", r.Name, w)
			}
			if w := tensor.Data[float64](yes.W)[0]; !(w < 2) {
				t.Errorf("%s: weight with decay stays at %v", r.Name, w)
			}
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	o := mustNew(t, "diffgrad", Config{})
	ps := []*Param{param("a", []float32{1, 2}), param("b", []float64{3})}
	mustStep(t, o, nil, Step{1, 0.1}, ps...)
	cases := []struct {
		name string
		edit func(map[string]*tensor.Tensor)
		want string
	}{
		{"missing", func(m map[string]*tensor.Tensor) { delete(m, "a/diffgrad.prev") }, `"a/diffgrad.prev" is missing`},
		{"missing count", func(m map[string]*tensor.Tensor) { delete(m, "b/t") }, `"b/t" is missing`},
		{"unknown", func(m map[string]*tensor.Tensor) { m["a/adam.m"] = tensor.New(tensor.Float32, 2) }, `"a/adam.m" belongs to no`},
		{"shape", func(m map[string]*tensor.Tensor) { m["a/diffgrad.m"] = tensor.New(tensor.Float32, 3) },
			`"a/diffgrad.m" is float32[3], want float32[2]`},
		{"type", func(m map[string]*tensor.Tensor) { m["b/diffgrad.m"] = tensor.New(tensor.Float32, 1) },
			`"b/diffgrad.m" is float32[1], want float64[1]`},
		{"count", func(m map[string]*tensor.Tensor) { m["a/t"] = tensor.Scalar[int64](-1) }, `"a/t" is -1`},
		{"nil", func(m map[string]*tensor.Tensor) { m["a/t"] = nil }, `"a/t" is missing`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := collect(o.State())
			c.edit(m)
			fresh := mustNew(t, "diffgrad", Config{})
			seq := func(yield func(string, *tensor.Tensor) bool) {
				for k, v := range m {
					if !yield(k, v) {
						return
					}
				}
			}
			if err := fresh.Restore(ps, seq); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if len(collect(fresh.State())) != 0 {
				t.Error("the optimiser was changed")
			}
		})
	}
	if err := o.Restore([]*Param{ps[0], ps[0]}, o.State()); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("parameter twice: got %v", err)
	}
}

func TestStepDoesNotAllocate(t *testing.T) {
	ps := model()
	o := mustNew(t, "diffgrad", Config{ClipNorm: new(1.0), WeightDecay: new(0.1)})
	mustStep(t, o, nil, Step{1, 0.1}, ps...)
	if n := testing.AllocsPerRun(10, func() { mustStep(t, o, nil, Step{2, 0.1}, ps...) }); n > 8+forgotten {
		t.Errorf("%v allocations a step, however large the model", n)
	}
}
