package science

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	register(Recipe{
		Name: "gbnn", Title: "Boosted units against a perceptron of the same width", Paper: "https://arxiv.org/abs/1909.12098",
		Question: "Are the first units of a boosted hidden layer as good as a perceptron that was trained with so many, tuned as well?",
		Seeds:    5, Run: boostedUnits,
	})
}

// boostedUnits compares widths of one boosting with perceptrons that were trained for each width. Both are the same graph; the rate of the
// one and eta of the other are chosen on a part of the training data that is kept apart, and so is the epoch of the perceptron.
func boostedUnits(ctx context.Context, l *Lab) error {
	sets := []struct {
		name string
		data func(seed uint64) (train, val, test *rows, err error)
	}{{"digits", digitRows}, {"waveform", drawn(waveform)}, {"ringnorm", drawn(ringnorm)}, {"Friedman 1", drawn(friedman)}}
	widths := []int{10, 30, 60}
	t := Table{Title: "Hidden layers of sigmoid units on four tables: accuracy in %, of Friedman 1 the root mean squared error in " +
		"deviations of the " +
		"target, on test data",
		Columns: []string{"table", "units", "eta", "first units of the boosting", "rate", "perceptron of that width",
			"first units of the widest perceptron"}}
	var better, worse []string
	same, beaten := 0, 0
	for _, set := range sets {
		cut, eta, err := l.boostedArm(ctx, set.name, set.data, widths)
		if err != nil {
			return err
		}
		var cuts [][]float64 // of the widest perceptron
		arms := make([]perceptron, len(widths))
		for w := len(widths) - 1; w >= 0; w-- {
			if arms[w], err = l.perceptronArm(ctx, set.name, set.data, widths[:w+1]); err != nil {
				return err
			}
			if cuts == nil {
				cuts = arms[w].tests
			}
		}
		for w, n := range widths {
			whole, rate, lower := arms[w].tests[w], arms[w].rate, arms[w].lower
			cell := func(xs []float64) Cell {
				if lower {
					return Mean(3, xs)
				}
				return Percent(2, xs)
			}
			t.Row(Word(set.name), Word(fmt.Sprint(n)), Word(fmt.Sprint(eta)), cell(cut[w]), Word(fmt.Sprint(rate)), cell(whole), cell(cuts[w]))
			if s := Differs(cut[w], cuts[w]); w < len(widths)-1 && (s > 0) != lower && s != 0 {
				beaten++
			}
			sign := Differs(cut[w], whole)
			if lower {
				sign = -sign
			}
			switch what := fmt.Sprintf("%s with %d", set.name, n); sign {
			case 1:
				better = append(better, what)
			case -1:
				worse = append(worse, what)
			default:
				same++
			}
		}
	}
	l.Table(t)
	said := func(names []string) string {
		if len(names) == 0 {
			return "nowhere"
		}
		return "on " + list(names)
	}
	l.Say("Paired by seed, the first units of one boosting are better than a perceptron that was trained for their number %s, and worse %s; "+
		"in %d of %d cases the interval of the differences has 0 in it.", said(better), said(worse), same, len(sets)*len(widths))
	cases, seen := len(sets)*(len(widths)-1), "are"
	if 2*beaten < cases {
		seen = "are mostly not"
	}
	l.Say("One boosting gives the models of all widths, where each perceptron is a training of its own, with a rate to look for. Without "+
		"its last units the widest perceptron is worse than the boosting without them in %d of %d cases: the first units of a boosting %s "+
		"worth more than "+
		"those of a network that was trained at once.", beaten, cases, seen)
	return nil
}

// boostedArm boosts the largest width with each eta, and gives the test metric of the first units for each width with the best eta.
func (l *Lab) boostedArm(ctx context.Context, name string, open func(uint64) (a, b, c *rows, err error), widths []int) ([][]float64,
	float64,
	error) {
	etas := []float64{0.03, 0.1, 0.3, 1}
	most := widths[len(widths)-1]
	scores := make([][]float64, len(etas)) // on the validation data
	files := make([][]*onnx.Model, len(etas))
	lower := false
	for e, eta := range etas {
		for _, seed := range l.Seeds {
			l.Progress("%s, boosting with eta %g, seed %d", name, eta, seed)
			fit, val, test, err := open(seed)
			if err != nil {
				return nil, 0, err
			}
			standardise(fit, val, test)
			m, g, err := l.network(fit, most)
			if err != nil {
				return nil, 0, err
			}
			r, err := train.Boost(ctx, m, fit, train.Config{Val: val, Seed: seed}, train.BoostConfig{GBNN: g, Eta: eta, Share: 0.5, Iters: 200,
				Alpha: 1e-4})
			if err != nil {
				return nil, 0, fmt.Errorf("%s, eta %g, seed %d: %w", name, eta, seed, err)
			}
			file, err := m.Save()
			if err == nil {
				err = r.Finish(file)
			}
			if err != nil {
				return nil, 0, err
			}
			lower = r.After.Metrics[0].Lower
			scores[e] = append(scores[e], r.After.Metrics[0].Value)
			files[e] = append(files[e], file)
		}
	}
	e := best(scores, lower)
	out := make([][]float64, len(widths))
	for s, seed := range l.Seeds {
		fit, val, test, err := open(seed)
		if err != nil {
			return nil, 0, err
		}
		standardise(fit, val, test)
		for w, n := range widths {
			kept, _, err := train.KeepUnits(files[e][s], n)
			if err != nil {
				return nil, 0, err
			}
			m, err := engine.Load(kept, engine.WithThreads(l.Threads))
			if err != nil {
				return nil, 0, err
			}
			v, err := train.Evaluate(ctx, m, test, train.EvalConfig{})
			if err != nil {
				return nil, 0, err
			}
			out[w] = append(out[w], v.Metrics[0].Value)
		}
	}
	return out, etas[e], nil
}

// perceptron is the arm of one width with its best rate.
type perceptron struct {
	rate  float64
	lower bool        // the metric is better when lower
	tests [][]float64 // of its first units, for each of the widths, by seed
}

// perceptronArm trains the same graph, as wide as the last of the widths, by Adam with each rate, and measures the best epoch with the best
// rate: with its first units alone for each of the widths.
func (l *Lab) perceptronArm(ctx context.Context, name string, open func(uint64) (a, b, c *rows, err error), widths []int) (perceptron,
	error) {
	rates, units := []float64{3e-3, 1e-2, 3e-2, 1e-1}, widths[len(widths)-1]
	scores, arms := make([][]float64, len(rates)), make([]perceptron, len(rates))
	for i, lr := range rates {
		arms[i] = perceptron{rate: lr, tests: make([][]float64, len(widths))}
		for _, seed := range l.Seeds {
			l.Progress("%s, perceptron of %d at rate %g, seed %d", name, units, lr, seed)
			best, lower, tests, err := l.perceptron(ctx, open, widths, lr, seed)
			if err != nil {
				return perceptron{}, fmt.Errorf("%s, rate %g, seed %d: %w", name, lr, seed, err)
			}
			arms[i].lower = lower
			scores[i] = append(scores[i], best)
			for w, v := range tests {
				arms[i].tests[w] = append(arms[i].tests[w], v)
			}
		}
	}
	return arms[best(scores, arms[0].lower)], nil
}

// perceptron trains once, and gives the metric of the best epoch on the validation data, and on test data with the first units.
func (l *Lab) perceptron(ctx context.Context, open func(uint64) (a, b, c *rows, err error), widths []int, lr float64,
	seed uint64) (score float64,
	lower bool, tests []float64, err error) {
	fail := func(err error) (float64, bool, []float64, error) { return 0, false, nil, err }
	fit, val, test, err := open(seed)
	if err != nil {
		return fail(err)
	}
	standardise(fit, val, test)
	units := widths[len(widths)-1]
	m, g, err := l.network(fit, units)
	if err != nil {
		return fail(err)
	}
	if err := glorot(m, g, seed); err != nil {
		return fail(err)
	}
	rule, err := optim.New("adam", optim.Config{})
	if err != nil {
		return fail(err)
	}
	r, err := train.Fit(ctx, m, fit, train.Config{Optimizer: rule, Schedule: optim.Cosine{Max: lr}, Epochs: 60, BatchSize: 32, Shuffle: true,
		Seed: seed, Val: val})
	if err != nil {
		return fail(err)
	}
	if err := r.Best.Restore(m); err != nil {
		return fail(err)
	}
	p, err := m.Param(g.Out.Weight)
	if err != nil {
		return fail(err)
	}
	tests = make([]float64, len(widths))
	for w := len(widths) - 1; w >= 0; w-- {
		for i := range p.Value.F32() {
			if i%units >= widths[w] {
				p.Value.F32()[i] = 0
			}
		}
		m.Changed()
		v, err := train.Evaluate(ctx, m, test, train.EvalConfig{})
		if err != nil {
			return fail(err)
		}
		tests[w] = v.Metrics[0].Value
	}
	return r.Best.Value, r.Best.Lower, tests, nil
}

// best is the arm with the best mean.
func best(scores [][]float64, lower bool) int {
	at := 0
	for i := range scores {
		a, _ := Interval(scores[i])
		b, _ := Interval(scores[at])
		if lower && a < b || !lower && a > b {
			at = i
		}
	}
	return at
}

// network is Gemm, Sigmoid and Gemm on the features of t, with weights of zero.
func (l *Lab) network(t *rows, units int) (*engine.Model, *train.GBNN, error) {
	k, name := max(1, t.classes), "perceptron"
	g := &onnxpb.GraphProto{Name: &name, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("x", tensor.Float32, "N", t.width)},
		Output:      []*onnxpb.ValueInfoProto{onnx.ValueInfo("y", tensor.Float32, "N", k)},
		Initializer: []*onnxpb.TensorProto{onnx.TensorToProto("w", tensor.New(tensor.Float32, t.width, k))},
		Node:        []*onnxpb.NodeProto{onnx.NewNode("Gemm", "last", []string{"x", "w"}, []string{"y"})}}
	site, err := train.FindGBNNSite(onnx.NewModel(g, 17), "", "")
	if err != nil {
		return nil, nil, err
	}
	file, u, err := site.Put(train.GBNNUnits{Units: units, Step: 2, Outputs: k, Shape: tensor.Shape{t.width}, DType: tensor.Float32})
	if err != nil {
		return nil, nil, err
	}
	m, err := engine.Load(file, engine.WithThreads(l.Threads))
	return m, u, err
}

// glorot draws the weights of both layers from ±√(6/(inputs+outputs)).
func glorot(m *engine.Model, g *train.GBNN, seed uint64) error {
	m.Thaw()
	r := rand.New(rand.NewPCG(seed, 0x676c6f726f74))
	for _, name := range []string{g.Hidden.Weight, g.Out.Weight} {
		p, err := m.Param(name)
		if err != nil {
			return err
		}
		bound := math.Sqrt(6 / float64(p.Value.Dim(0)+p.Value.Dim(1)))
		for i := range p.Value.F32() {
			p.Value.F32()[i] = float32((2*r.Float64() - 1) * bound)
		}
	}
	m.Changed()
	return nil
}
