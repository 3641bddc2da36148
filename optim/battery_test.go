package optim

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// battery lists the options under which every registered rule is tested, besides none; a rule that is
// registered without a row fails TestEveryRuleIsInTheBattery.
var battery = map[string][]Config{
	"sgd": {
		{Options: Values{"momentum": 0.9}},
		{WeightDecay: new(1e-3), Options: Values{"momentum": 0.9, "dampening": 0.2}},
		{WeightDecay: new(1e-3), DecoupledDecay: true, ClipNorm: new(1.0), Options: Values{"momentum": 0.9, "nesterov": true}},
	},
	"adam":  {{ClipNorm: new(0.5), WeightDecay: new(1e-3), Options: Values{"beta1": 0.8, "beta2": 0.99, "eps": 1e-6}}},
	"adamw": {{WeightDecay: new(0.0)}, {WeightDecay: new(0.1), ClipNorm: new(2.0)}},
	"diffgrad": {
		{Options: Values{"diffgrad-dfc": "signed"}}, {Options: Values{"diffgrad-dfc": "wide"}},
		{WeightDecay: new(1e-3), DecoupledDecay: true, ClipNorm: new(0.5), Options: Values{"beta1": 0.95}},
	},
}

func TestEveryRuleIsInTheBattery(t *testing.T) {
	for _, r := range Rules() {
		if _, ok := battery[r.Name]; !ok {
			t.Errorf("rule %s has no row in the battery", r.Name)
		}
		if r.Doc == "" || r.Source == "" || !(r.LR > 0) {
			t.Errorf("rule %s lacks a line, a source or a learning rate", r.Name)
		}
	}
}

// each runs f for every rule with every set of options of the battery.
func each(t *testing.T, f func(t *testing.T, rule string, c Config)) {
	for _, r := range Rules() {
		for i, c := range append([]Config{{}}, battery[r.Name]...) {
			t.Run(fmt.Sprint(r.Name, "/", i), func(t *testing.T) { f(t, r.Name, c) })
		}
	}
}

func TestConvergesOnAQuadratic(t *testing.T) {
	each(t, func(t *testing.T, rule string, c Config) {
		// ½Σ aᵢ(xᵢ−1)², curvatures 0.1 to 10
		a := []float64{0.1, 0.3, 1, 3, 10}
		p := param("x", []float64{-3, 2, 4, -1, 0})
		p.Decay = false
		x, g := data[float64](p)
		o := mustNew(t, rule, c)
		const n = 4000
		for k := 1; k <= n; k++ {
			for i := range x {
				g[i] = a[i] * (x[i] - 1)
			}
			mustStep(t, o, nil, Step{k, Cosine{0.1, 0}.LR(k, n)}, p)
		}
		near(t, "minimum", x, []float64{1, 1, 1, 1, 1}, 1e-6)
	})
}

func TestConvergesOnRosenbrock(t *testing.T) {
	each(t, func(t *testing.T, rule string, c Config) {
		if rule == "sgd" && c.Options["momentum"] == nil {
			t.Skip("plain gradient descent needs a hundred times as many steps in this valley")
		}
		lr := map[string]float64{"sgd": 5e-4, "adam": 0.02, "adamw": 0.02, "diffgrad": 0.005}[rule]
		p := param("x", []float64{-1.2, 1})
		p.Decay = false
		x, g := data[float64](p)
		o := mustNew(t, rule, c)
		const n = 30000
		for k := 1; k <= n; k++ {
			g[0] = -400*x[0]*(x[1]-x[0]*x[0]) - 2*(1-x[0])
			g[1] = 200 * (x[1] - x[0]*x[0])
			mustStep(t, o, nil, Step{k, Cosine{lr, 0}.LR(k, n)}, p)
		}
		near(t, "minimum", x, []float64{1, 1}, 1e-3)
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

// model is three parameters whose lengths are not multiples of anything, one of them empty, one float64.
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
	return []*Param{param("weight", cast[float32](draw(3*blockLen*blocksPerTask+11))), bias, param("empty", []float32{}),
		param("double", draw(blockLen+1))}
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
func plain(t *testing.T, o *Optimizer, ps []*Param, state map[string][][]float32, gs [][][]float64) {
	t.Helper()
	for n := 1; n <= len(gs); n++ {
		setGrads(ps, gs[n-1])
		u := make([]Pending, len(ps))
		for i, p := range ps {
			u[i] = Pending{p, p.G.Clone()}
		}
		for r := range o.Rules() {
			if g, ok := r.(Global); ok {
				if err := g.Begin(nil, Step{n, 0.01}, u); err != nil {
					t.Fatal(err)
				}
			}
			e, ok := r.(Elementwise)
			if !ok {
				continue
			}
			for i, p := range ps {
				key := r.Name() + "/" + p.Name
				if state[key] == nil {
					for range e.Slots() {
						state[key] = append(state[key], make([]float32, p.W.Len()))
					}
				}
				e.Update32(Step{n, 0.01}, &Block[float32]{Param: p, T: n, W: p.W.F32(), G: p.G.F32(), U: u[i].U.F32(), Slot: state[key],
					Sum: make([]float64, 1)})
			}
		}
		for i, p := range ps {
			apply(0.01, p.W.F32(), u[i].U.F32())
		}
	}
}

func TestBlockedIsThePlainChain(t *testing.T) {
	each(t, func(t *testing.T, rule string, c Config) {
		a, b := model()[:3], model()[:3]
		gs := gradients(4, lens(a)...)
		train(t, mustNew(t, rule, c), nil, a, gs, 1, 4)
		plain(t, mustNew(t, rule, c), b, map[string][][]float32{}, gs)
		same(t, "blocked and plain", a, b)
	})
}
