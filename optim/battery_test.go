package optim

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// trial is how a rule is tested: with no options and with each of configs, and in the valley of Rosenbrock at its learning rate, or not at
// all for the reason given.
type trial struct {
	configs    []Config
	quadratic  float64 // learning rate on the quadratic; 0 is 0.1
	rosenbrock float64
	slow       string // why plain steps are not sent through the valley
	// far is the distance from the minima that is left, where it is more than 1e-6 and 1e-3: an average forgets its start as one over the
	// number of steps, and steps that do not shrink with the gradient end as far away as the last ones were long.
	far float64
}

// battery has a row for every registered rule; one without fails TestEveryRuleIsInTheBattery.
var battery = map[string]trial{
	"sgd": {configs: []Config{
		{Options: Values{"momentum": 0.9}},
		{WeightDecay: new(1e-3), Options: Values{"momentum": 0.9, "dampening": 0.2}},
		{WeightDecay: new(1e-3), DecoupledDecay: true, ClipNorm: new(1.0), Options: Values{"momentum": 0.9, "nesterov": true}},
		{ClipCoord: new(0.3), ClipNorm: new(2.0), Options: Values{"momentum": 0.9}},
		{AGC: new(10.0), ClipNorm: new(2.0), Options: Values{"momentum": 0.9}},
		{Lookahead: 5, LookaheadAlpha: new(0.8), EMA: new(0.9), Options: Values{"momentum": 0.9}},
	}, rosenbrock: 5e-4, slow: "plain gradient descent needs a hundred times as many steps in this valley"},
	"adam": {configs: []Config{
		{ClipNorm: new(0.5), WeightDecay: new(1e-3), Options: Values{"beta1": 0.8, "beta2": 0.99, "eps": 1e-6}},
		{Options: Values{"amsgrad": true}},
		{ClipCoord: new(0.5), WeightDecay: new(1e-3)}, {ClipValue: new(1.0), ClipNorm: new(5.0), Options: Values{"amsgrad": true}},
		{Lookahead: 6, EMA: new(0.99), ClipNorm: new(10.0)}, {AGC: new(0.5), ClipCoord: new(0.2)},
	}, rosenbrock: 0.02},
	"adamw": {configs: []Config{{WeightDecay: new(0.0)}, {WeightDecay: new(0.1), ClipNorm: new(2.0)}}, rosenbrock: 0.02},
	"diffgrad": {configs: []Config{
		{Options: Values{"diffgrad-dfc": "signed"}}, {Options: Values{"diffgrad-dfc": "wide"}}, {ClipCoord: new(0.5)},
		{WeightDecay: new(1e-3), DecoupledDecay: true, ClipNorm: new(0.5), Options: Values{"beta1": 0.95}},
	}, rosenbrock: 0.005},
	"adagrad": {configs: []Config{{Options: Values{"initial-sum": 0.1, "lr-decay": 1e-5}}, {WeightDecay: new(1e-3)}}, quadratic: 1,
		rosenbrock: 0.5},
	"adagradnorm": {configs: []Config{{Options: Values{"adagradnorm-form": "rows"}},
		{WeightDecay: new(1e-3), DecoupledDecay: true, ClipNorm: new(1.0)}}, quadratic: 10, rosenbrock: 1},
	"rmsprop": {configs: []Config{{Options: Values{"momentum": 0.9}}, {Options: Values{"centered": true, "momentum": 0.5}},
		{Options: Values{"centered": true}, WeightDecay: new(1e-3)}, {ClipCoord: new(0.3)}}, quadratic: 0.01, rosenbrock: 1e-3},
	"adadelta": {configs: []Config{{Options: Values{"beta2": 0.95, "eps": 1e-5}}}, quadratic: 1, rosenbrock: 1},
	"adamax":   {configs: []Config{{Options: Values{"beta1": 0.8, "beta2": 0.99}}, {ClipValue: new(1.0)}}, rosenbrock: 0.02},
	"nadam": {configs: []Config{{Options: Values{"momentum-decay": 0.1}, WeightDecay: new(1e-3)}, {ClipCoord: new(0.3)}},
		rosenbrock: 0.02},
	"radam": {configs: []Config{{Options: Values{"beta2": 0.9}}, {ClipCoord: new(0.3), WeightDecay: new(1e-3)}}, rosenbrock: 5e-4},
	"lion": {configs: []Config{{WeightDecay: new(0.1)}, {Options: Values{"beta1": 0.95, "beta2": 0.98}}}, quadratic: 0.01,
		rosenbrock: 1e-3},
	"signsgd": {configs: []Config{{Options: Values{"momentum": 0.9}}}, quadratic: 0.01, rosenbrock: 5e-4, far: 5e-3},
	"lamb":    {configs: []Config{{WeightDecay: new(0.0), ClipNorm: new(1.0)}, {EMA: new(0.9)}}, quadratic: 0.01, rosenbrock: 1e-2},
	"adafactor": {configs: []Config{{Options: Values{"relative-step": false}},
		{Options: Values{"beta1": 0.9, "decay-power": 0.5}, WeightDecay: new(1e-3)}}, rosenbrock: 1e-2},
	"schedulefree-sgd":   {configs: []Config{{WeightDecay: new(1e-3), ClipNorm: new(10.0)}}, quadratic: 0.15, rosenbrock: 1e-3, far: 5e-2},
	"schedulefree-adamw": {configs: []Config{{WeightDecay: new(0.1)}, {Options: Values{"beta2": 0.99}}}, rosenbrock: 0.02, far: 5e-3},
	"prodigy":            {configs: []Config{{WeightDecay: new(1e-3), DecoupledDecay: true}}, quadratic: 1, rosenbrock: 1},
	"rprop": {configs: []Config{{Options: Values{"rprop-grow": 1.1, "rprop-least": 0}}, {WeightDecay: new(1e-3)}},
		rosenbrock: 0.05},
	"asgd": {configs: []Config{{Options: Values{"asgd-start": 3000, "asgd-lambda": 0}}}, rosenbrock: 1e-3,
		slow: "as plain gradient descent"},
	"soap": {configs: []Config{{WeightDecay: new(0.0), Options: Values{"soap-every": 2}}, {Options: Values{"soap-largest": 17}},
		{ClipCoord: new(0.3), EMA: new(0.5)}}, rosenbrock: 0.02},
	"muon": {configs: []Config{{WeightDecay: new(0.0), ClipNorm: new(1.0), Options: Values{"nesterov": false}},
		{Lookahead: 5, ClipCoord: new(0.2)}}, quadratic: 0.04, rosenbrock: 0.02, far: 1e-5},
}

func TestEveryRuleIsInTheBattery(t *testing.T) {
	for _, r := range handed() {
		if b, ok := battery[r.Name]; !ok || len(b.configs) == 0 || b.rosenbrock == 0 {
			t.Errorf("rule %s has no row in the battery", r.Name)
		}
		if r.Doc == "" || r.Source == "" || !(r.LR > 0) {
			t.Errorf("rule %s lacks a line, a source or a learning rate", r.Name)
		}
	}
	for name := range battery {
		if _, err := Lookup(name); err != nil {
			t.Error(err)
		}
	}
}

// each runs f for every rule with every set of options of the battery.
func each(t *testing.T, f func(t *testing.T, rule string, c Config)) {
	for _, r := range handed() {
		for i, c := range append([]Config{{}}, battery[r.Name].configs...) {
			t.Run(fmt.Sprint(r.Name, "/", i), func(t *testing.T) { f(t, r.Name, c) })
		}
	}
}

// minimise takes n steps from start with the gradient, of a parameter of the given shape, and returns what is to be kept.
func minimise(t *testing.T, o *Optimizer, lr float64, n int, start []float64, shape []int, gradient func(x, g []float64)) []float64 {
	p := &Param{Name: "x", W: tensor.From(slices.Clone(start), shape...), G: tensor.New(tensor.Float64, shape...)}
	x, g := data[float64](p)
	var rate Schedule = Cosine{lr, 0}
	if slices.ContainsFunc(o.rules, func(r Rule) bool { _, ok := r.(*scheduleFree); return ok }) {
		rate = Constant(lr)
	}
	for k := 1; k <= n; k++ {
		gradient(x, g)
		mustStep(t, o, nil, Step{k, rate.LR(k, n)}, p)
	}
	if err := o.Swap([]*Param{p}); err != nil {
		t.Fatal(err)
	}
	return x
}

// clips skips what converges at its own pace: where the second moment is of the gradient that is not clipped, steps are as small as the
// part of it that is left.
func clips(t *testing.T, rule string, c Config) {
	t.Helper()
	if (c.ClipCoord != nil || c.ClipValue != nil) && rule != "sgd" {
		t.Skip("clipped coordinates with the second moment of those that are not: too slow to end at the minimum")
	}
}

// ½Σ aᵢ(xᵢ−1)², curvatures 0.1 to 10, as a vector and as a matrix.
func TestConvergesOnAQuadratic(t *testing.T) {
	each(t, func(t *testing.T, rule string, c Config) {
		clips(t, rule, c)
		lr := battery[rule].quadratic
		if lr == 0 {
			lr = 0.1
		}
		a := []float64{0.1, 0.3, 1, 3, 10, 5}
		for _, shape := range [][]int{{6}, {3, 2}} {
			x := minimise(t, mustNew(t, rule, c), lr, 4000, []float64{-3, 2, 4, -1, 0, 2}, shape, func(x, g []float64) {
				for i := range x {
					g[i] = a[i] * (x[i] - 1)
				}
			})
			near(t, fmt.Sprint("minimum ", shape), x, []float64{1, 1, 1, 1, 1, 1}, cmp.Or(battery[rule].far, 1e-6))
		}
	})
}

func TestConvergesOnRosenbrock(t *testing.T) {
	each(t, func(t *testing.T, rule string, c Config) {
		clips(t, rule, c)
		b := battery[rule]
		if b.slow != "" && c.Options["momentum"] == nil {
			t.Skip(b.slow)
		}
		x := minimise(t, mustNew(t, rule, c), b.rosenbrock, 30000, []float64{-1.2, 1}, []int{2}, func(x, g []float64) {
			g[0] = -400*x[0]*(x[1]-x[0]*x[0]) - 2*(1-x[0])
			g[1] = 200 * (x[1] - x[0]*x[0])
		})
		near(t, "minimum", x, []float64{1, 1}, max(b.far, 1e-3))
	})
}

// gradients is n steps of made-up gradients for parameters of the given lengths; some elements are exactly zero.
func gradients(n int, lens ...int) [][][]float64 {
	r := rand.New(rand.NewPCG(5, uint64(n)))
	all := make([][][]float64, n)
	for k := range all {
		for _, l := range lens {
			g := make([]float64, l)
			for i := range g {
				if r.IntN(10) > 0 {
					g[i] = r.NormFloat64() * math.Pow(10, float64(k%3-1))
				}
			}
			all[k] = append(all[k], g)
		}
	}
	return all
}

// model is parameters whose lengths are not multiples of anything, one of them empty, one float64, and two that are matrices.
func model() []*Param {
	r := rand.New(rand.NewPCG(6, 0))
	draw := func(n int) []float64 {
		w := make([]float64, n)
		for i := range w {
			w[i] = r.NormFloat64()
		}
		return w
	}
	bias := param("bias", cast[float32](draw(17)))
	bias.Decay = false
	ps := []*Param{param("weight", cast[float32](draw(3*blockLen*blocksPerTask+11))), bias, param("empty", []float32{}),
		param("double", draw(blockLen+1)), param("matrix", cast[float32](draw(17*6*7))), param("tall", draw(70*12))}
	for i, shape := range [][]int{{17, 6, 7}, {70, 12}} {
		p := ps[4+i]
		p.W, p.G = p.W.Reshape(shape...), p.G.Reshape(shape...)
	}
	return ps
}

func lens(ps []*Param) (n []int) {
	for _, p := range ps {
		n = append(n, p.W.Len())
	}
	return n
}

func setGrads(ps []*Param, gs [][]float64) {
	for i, p := range ps {
		if p.W.DType() == tensor.Float32 {
			copy(p.G.F32(), cast[float32](gs[i]))
		} else {
			copy(tensor.Data[float64](p.G), gs[i])
		}
	}
}

// same fails unless the weights of a and b are equal bit for bit.
func same(t *testing.T, what string, a, b []*Param) {
	t.Helper()
	for i := range a {
		if !slices.Equal(a[i].W.Bytes(), b[i].W.Bytes()) {
			t.Errorf("%s: parameter %s differs", what, a[i].Name)
		}
	}
}

// train takes steps from..to with the gradients.
func train(t *testing.T, o *Optimizer, pool *parallel.Pool, ps []*Param, gs [][][]float64, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		setGrads(ps, gs[n-1])
		mustStep(t, o, pool, Step{n, 0.01}, ps...)
	}
}

func TestThreadsDoNotMatter(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	each(t, func(t *testing.T, rule string, c Config) {
		one, two := model(), model()
		gs := gradients(3, lens(one)...)
		o1, o2 := mustNew(t, rule, c), mustNew(t, rule, c)
		train(t, o1, nil, one, gs, 1, 3)
		train(t, o2, pool, two, gs, 1, 3)
		same(t, "1 and 2 threads", one, two)
		if r1, r2 := report(o1), report(o2); !maps.Equal(r1, r2) {
			t.Errorf("reports differ: %v and %v", r1, r2)
		}
	})
}

func TestResumeIsBitEqual(t *testing.T) {
	each(t, func(t *testing.T, rule string, c Config) {
		straight := model()
		gs := gradients(5, lens(straight)...)
		o := mustNew(t, rule, c)
		train(t, o, nil, straight, gs, 1, 2)
		resumed := model()
		for i, p := range resumed {
			p.W = straight[i].W.Clone()
		}
		o2 := mustNew(t, rule, c)
		if err := o2.Restore(resumed, o.State()); err != nil {
			t.Fatal(err)
		}
		train(t, o, nil, straight, gs, 3, 5)
		train(t, o2, nil, resumed, gs, 3, 5)
		same(t, "resumed", straight, resumed)
		a, b := collect(o.State()), collect(o2.State())
		if len(a) != len(b) || len(a) == 0 {
			t.Fatalf("%d and %d slots", len(a), len(b))
		}
		for k := range a {
			if !slices.Equal(a[k].Bytes(), b[k].Bytes()) {
				t.Errorf("slot %s differs", k)
			}
		}
	})
}

func collect(s iter.Seq2[string, *tensor.Tensor]) map[string]*tensor.Tensor { return maps.Collect(s) }

// A gradient buffer may be reused, cleared or replaced between steps: nothing may keep it.
func TestGradientIsNotKept(t *testing.T) {
	each(t, func(t *testing.T, rule string, c Config) {
		reused, fresh := model(), model()
		gs := gradients(4, lens(reused)...)
		o1, o2 := mustNew(t, rule, c), mustNew(t, rule, c)
		for n := 1; n <= 4; n++ {
			setGrads(reused, gs[n-1])
			for _, p := range fresh {
				p.G = tensor.New(p.W.DType(), p.W.Shape()...)
			}
			setGrads(fresh, gs[n-1])
			var before [][]byte
			for _, p := range reused {
				before = append(before, slices.Clone(p.G.Bytes()))
			}
			mustStep(t, o1, nil, Step{n, 0.01}, reused...)
			mustStep(t, o2, nil, Step{n, 0.01}, fresh...)
			for i, p := range reused {
				if !slices.Equal(before[i], p.G.Bytes()) {
					t.Fatalf("gradient of %s was changed", p.Name)
				}
				clear(p.G.Bytes())
			}
		}
		same(t, "reused and fresh buffers", reused, fresh)
	})
}

// plain applies the rules of o one after the other to whole parameters, as their definition says.
func plain(t *testing.T, o *Optimizer, ps []*Param, gs [][][]float64) {
	t.Helper()
	blocks := map[string]*Block[float32]{} // by rule and parameter
	for n := 1; n <= len(gs); n++ {
		s := Step{n, 0.01}
		setGrads(ps, gs[n-1])
		u, raw := make([]Pending, len(ps)), make([][]float32, len(ps))
		for i, p := range ps {
			u[i] = Pending{p, p.G.Clone()}
			if o.raw {
				raw[i] = slices.Clone(p.G.F32())
			}
		}
		block := func(r Rule, i int, slots int, shape func(k int) tensor.Shape) *Block[float32] {
			p := ps[i]
			key := r.Name() + "/" + p.Name
			b := blocks[key]
			if b == nil {
				b = &Block[float32]{Param: p}
				for k := range slots {
					b.Slot = append(b.Slot, make([]float32, tensor.New(tensor.Float32, shape(k)...).Len()))
				}
				blocks[key] = b
			}
			b.T, b.W, b.G, b.U, b.Raw = n, p.W.F32(), p.G.F32(), u[i].U.F32(), raw[i]
			return b
		}
		totals := map[string][]float64{}
		for r := range o.Rules() {
			if g, ok := r.(Global); ok {
				if err := g.Begin(nil, s, u); err != nil {
					t.Fatal(err)
				}
			}
			for i, p := range ps {
				if w, ok := r.(Whole); ok {
					w.Rewrite32(nil, s, block(r, i, len(w.Slots()), func(k int) tensor.Shape { return w.SlotShape(k, p.W.Shape()) }))
				}
				if e, ok := r.(Elementwise); ok {
					b := block(r, i, len(e.Slots()), func(int) tensor.Shape { return p.W.Shape() })
					b.Sum = make([]float64, 2)
					e.Update32(s, b)
					sum := append(totals[r.Name()], 0, 0)[:2]
					totals[r.Name()] = []float64{sum[0] + b.Sum[0], sum[1] + b.Sum[1]}
				}
			}
		}
		for i, p := range ps {
			apply(0.01, p.W.F32(), u[i].U.F32())
			for r := range o.Rules() {
				if f, ok := r.(Finisher); ok {
					f.Finish32(s, blocks[r.Name()+"/"+p.Name])
				}
			}
		}
		for r := range o.Rules() {
			if f, ok := r.(Totaller); ok {
				f.Total(s, totals[r.Name()][:len(f.Means())])
			}
		}
	}
}

func TestBlockedIsThePlainChain(t *testing.T) {
	each(t, func(t *testing.T, rule string, c Config) {
		all := func() []*Param { ps := model(); return append(ps[:3:3], ps[4]) }
		a, b := all(), all()
		gs := gradients(4, lens(a)...)
		train(t, mustNew(t, rule, c), nil, a, gs, 1, 4)
		plain(t, mustNew(t, rule, c), b, gs)
		if rule != "prodigy" { // its sums are those of blocks, in another order
			same(t, "blocked and plain", a, b)
			return
		}
		for i := range a {
			near(t, a[i].Name, a[i].W.F32(), cast[float64](b[i].W.F32()), 1e-6)
		}
	})
}

// The average that is kept is exchanged with the weights and back, and a restored optimiser has the same.
func TestSwap(t *testing.T) {
	o, ps := mustNew(t, "schedulefree-adamw", Config{}), model()
	gs := gradients(3, lens(ps)...)
	train(t, o, nil, ps, gs, 1, 3)
	if !o.Averages() || mustNew(t, "sgd", Config{}).Averages() || !mustNew(t, "sgd", Config{EMA: new(0.5)}).Averages() {
		t.Error("what averages and what does not")
	}
	before := model()
	for i, p := range ps {
		before[i].W = p.W.Clone()
	}
	for k := range 2 {
		if err := o.Swap(ps); err != nil {
			t.Fatal(err)
		}
		for i, p := range ps {
			if same := slices.Equal(p.W.Bytes(), before[i].W.Bytes()); same != (k == 1 || p.W.Len() == 0) {
				t.Errorf("after %d exchanges %s is as before: %v", k+1, p.Name, same)
			}
		}
	}
	if _, err := New("schedulefree-sgd", Config{EMA: new(0.9)}); err == nil || !strings.Contains(err.Error(), "averaged weights") {
		t.Errorf("two averages: %v", err)
	}
}
