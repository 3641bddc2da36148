package science

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	register(Recipe{
		Name: "gns", Title: "GNS against L-BFGS in gradient-equivalents", Paper: "https://arxiv.org/abs/2506.13710",
		Question: "Are the few steps of GNS cheaper than the many of L-BFGS and of tuned first-order rules, when products with the curvature " +
			"are paid for?",
		Seeds: 5, Run: gns,
	})
}

// descent is one way down the loss with weight decay over all training examples.
type descent struct {
	name, rule string
	options    optim.Values
	rates      []float64 // that are tried on the first seed; one is not tuned
	batch      int       // 0 for all examples
	steps      int
	cap        float64 // gradient-equivalents after which it ends; 0 for none
}

// path is what a descent did: after each of its steps what it had cost, in gradients of all examples, and where it was.
type path struct {
	cost, loss []float64 // loss with its weight decay
	products   float64
	gradient   float64 // norm at the end, as gns tells it; NaN where it is not told
	accuracy   float64
}

// reach is the cost at which the loss is within gap of best, NaN where it never is.
func (p path) reach(best, gap float64) float64 {
	for i, f := range p.loss {
		if f-best <= gap {
			return p.cost[i]
		}
	}
	return math.NaN()
}

// final is the lowest loss that was reached within the budget.
func (p path) final() float64 { return p.loss[len(p.loss)-1] }

const gnsDecay = 1e-4

func gns(ctx context.Context, l *Lab) error {
	l.Say("All arms lower the same function: the mean cross-entropy over the 1442 training images of digits plus half of %g times the "+
		"squared norm of what is trained. A gradient-equivalent is one gradient over all of them. A product with a curvature counts 1 on a "+
		"last layer, where it is "+
		"the same two matrix products as a gradient, and 5/3 in a network (one pass forward, two matrix products a layer for the Jacobian's "+
		"product and two for the way back, against three in all for a gradient). Rates of first-order rules were tuned on the first seed.",
		gnsDecay)
	if err := gnsHead(ctx, l); err != nil {
		return err
	}
	return gnsNetwork(ctx, l)
}

// gnsHead trains a random last layer behind the features of the shipped model.
func gnsHead(ctx context.Context, l *Lab) error {
	const most = 600
	arms := []descent{
		{name: "GNS, Gauss-Newton (the Hessian)", rule: "gns", steps: 40},
		{name: "GNS, residual 0.1", rule: "gns", options: optim.Values{"cg-tol": 0.1}, steps: 40},
		{name: "GNS, weighted Gauss-Newton", rule: "gns", options: optim.Values{"gns-hessian": "wgn"}, steps: 200, cap: most},
		{name: "GNS, Fisher", rule: "gns", options: optim.Values{"gns-hessian": "fisher"}, steps: 200, cap: most},
		{name: "GNS, no curvature", rule: "gns", options: optim.Values{"gns-hessian": "none"}, steps: 200, cap: most},
		{name: "L-BFGS", rule: "lbfgs", options: optim.Values{"lbfgs-iterations": 5}, steps: 120},
		{name: "momentum 0.9", rule: "sgd", options: optim.Values{"momentum": 0.9}, rates: []float64{0.03, 0.1, 0.3, 1}, steps: most},
		{name: "Adam", rule: "adam", rates: []float64{0.01, 0.03, 0.1, 0.3}, steps: most},
	}
	paths, err := l.descend(ctx, "the head", arms, 1, func(seed uint64) (*engine.Model, []string, error) {
		m, err := load(l, "digits-trained", 0)
		if err != nil {
			return nil, nil, err
		}
		m.Thaw()
		names, err := train.Select(m, nil, true)
		if err != nil {
			return nil, nil, err
		}
		r := rand.New(rand.NewPCG(seed, 1))
		for _, name := range names {
			p, err := m.Param(name)
			if err != nil {
				return nil, nil, err
			}
			for i := range p.Value.F32() {
				p.Value.F32()[i] = float32(0.1 * r.NormFloat64())
			}
		}
		m.Changed()
		return m, names, nil
	})
	if err != nil {
		return err
	}
	gaps := []float64{1e-2, 1e-4, 1e-6}
	t := Table{Title: "The last layer behind the features of the shipped digits model, from random weights",
		Columns: []string{"arm", "steps", "products", "gradient-equivalents to 1e-2 above the lowest loss", "to 1e-4", "to 1e-6",
			"log₁₀ above it at the end"}}
	best := lowest(paths)
	costs := map[string][]float64{}
	for a, arm := range arms {
		var steps, products, above []float64
		reach := make([][]float64, len(gaps))
		for s, p := range paths[a] {
			steps, products = append(steps, float64(len(p.loss))), append(products, p.products)
			above = append(above, math.Log10(max(p.final()-best[s], 1e-9)))
			for g, gap := range gaps {
				reach[g] = append(reach[g], p.reach(best[s], gap))
			}
		}
		costs[arm.name] = reach[2]
		t.Row(Word(arm.name), Mean(0, steps), Mean(0, products), reached(reach[0]), reached(reach[1]), reached(reach[2]), Mean(1, above))
	}
	l.Table(t)
	var outer, norm []float64
	for _, p := range paths[0] {
		outer, norm = append(outer, float64(len(p.loss))), append(norm, p.gradient)
	}
	steps, _ := Interval(outer)
	newton, _ := Interval(costs[arms[0].name])
	quasi, _ := Interval(costs[arms[5].name])
	l.Say("GNS with the Gauss-Newton matrix ends in %.1f steps on average, with a gradient of norm %.1g at most. To within 1e-6 of the "+
		"lowest loss it takes "+
		"%.0f gradient-equivalents, L-BFGS %.0f: %s", steps, maximum(norm), newton, quasi,
		verdict(Differs(costs[arms[0].name], costs[arms[5].name]),
			"the few steps are the dearer ones.", "the steps are fewer and cheaper.", "over these seeds the two do not differ."))
	var never []string
	for a, arm := range arms {
		if x := costs[arm.name]; !all(x) {
			never = append(never, fmt.Sprintf("%s (%d of %d seeds)", arms[a].name, missing(x), len(x)))
		}
	}
	if never != nil {
		l.Say("Not within 1e-6 in its budget: %s.", list(never))
	}
	return nil
}

// gnsNetwork trains a perceptron from random weights, all arms at the same cost.
func gnsNetwork(ctx context.Context, l *Lab) error {
	const budget = 400
	arms := []descent{
		{name: "GNS, Gauss-Newton", rule: "gns", steps: budget, cap: budget},
		{name: "GNS, residual 0.3", rule: "gns", options: optim.Values{"cg-tol": 0.3}, steps: budget, cap: budget},
		{name: "L-BFGS", rule: "lbfgs", options: optim.Values{"lbfgs-iterations": 5}, steps: budget, cap: budget},
		{name: "Adam, full batch", rule: "adam", rates: []float64{0.003, 0.01, 0.03, 0.1}, steps: budget},
		{name: "Adam, batches of 32", rule: "adam", rates: []float64{3e-4, 1e-3, 3e-3, 1e-2}, batch: 32, steps: 60},
	}
	paths, err := l.descend(ctx, "the network", arms, 5./3, func(seed uint64) (*engine.Model, []string, error) {
		m, err := load(l, "mlp", seed)
		return m, nil, err
	})
	if err != nil {
		return err
	}
	t := Table{Title: fmt.Sprintf("A perceptron (two hidden layers of 64) from random weights, up to %d gradient-equivalents", budget),
		Columns: []string{"arm", "steps", "loss after 60", fmt.Sprintf("loss after %d", budget), "test accuracy, %"}}
	early := make([][]float64, len(arms))
	for a, arm := range arms {
		var steps, late, acc []float64
		for _, p := range paths[a] {
			steps, acc, late = append(steps, float64(len(p.loss))), append(acc, p.accuracy), append(late, p.at(budget))
			early[a] = append(early[a], p.at(60))
		}
		end := Mean(5, late)
		if arm.batch > 0 {
			end = Word("(60 epochs only)")
		}
		t.Row(Word(arm.name), Mean(0, steps), Mean(5, early[a]), end, Percent(2, acc))
	}
	l.Table(t)
	var low []string
	for a := range arms[:4] {
		if Differs(early[4], early[a]) < 0 {
			low = append(low, arms[a].name)
		}
	}
	if low != nil {
		l.Say("After the cost of 60 gradients, which are 60 epochs, Adam in small batches is lower than %s: on data of which a part tells the "+
			"direction, no rule of full batches is the cheaper one.", list(low))
	} else {
		l.Say("After the cost of 60 gradients, which are 60 epochs, Adam in small batches is lower than none of the rules of full batches.")
	}
	return nil
}

// at is the loss when so much had been paid, the first where nothing had.
func (p path) at(cost float64) float64 {
	f := p.loss[0]
	for i, c := range p.cost {
		if c <= cost {
			f = p.loss[i]
		}
	}
	return f
}

// descend runs all arms from the models of all seeds. A product costs so many gradients.
func (l *Lab) descend(ctx context.Context, what string, arms []descent, product float64,
	start func(seed uint64) (*engine.Model, []string, error)) ([][]path, error) {
	out := make([][]path, len(arms))
	for a, arm := range arms {
		rate := 1.0
		if arm.rates != nil {
			low := math.Inf(1)
			for _, r := range arm.rates {
				l.Progress("%s, %s, rate %g", what, arm.name, r)
				p, err := l.down(ctx, arm, r, product, l.Seeds[0], start)
				if err != nil && ctx.Err() != nil {
					return nil, err
				}
				if err == nil && p.final() < low {
					rate, low = r, p.final()
				}
			}
			arms[a].name = fmt.Sprintf("%s, rate %g", arm.name, rate)
		}
		for _, seed := range l.Seeds {
			l.Progress("%s, %s, seed %d", what, arm.name, seed)
			p, err := l.down(ctx, arm, rate, product, seed, start)
			if err != nil {
				return nil, err
			}
			out[a] = append(out[a], p)
		}
	}
	return out, nil
}

// down runs one arm from the model of one seed.
func (l *Lab) down(ctx context.Context, arm descent, rate, product float64, seed uint64,
	start func(seed uint64) (*engine.Model, []string, error)) (p path, err error) {
	m, names, err := start(seed)
	if err != nil {
		return p, err
	}
	ds, err := data.Open("digits#train", data.Options{})
	if err != nil {
		return p, err
	}
	test, err := data.Open("digits#test", data.Options{})
	if err != nil {
		return p, err
	}
	if names == nil {
		if names, err = train.Select(m, nil, false); err != nil {
			return p, err
		}
	}
	rule, err := optim.New(arm.rule, optim.Config{WeightDecay: new(gnsDecay), Options: arm.options})
	if err != nil {
		return p, err
	}
	pre := data.Suggested(ds)
	ec := train.EvalConfig{Preprocess: &pre}
	c := train.Config{Params: names, Optimizer: rule, Schedule: optim.Constant(rate), Epochs: arm.steps, BatchSize: -1, Seed: seed,
		Preprocess: &pre}
	if arm.batch > 0 {
		c.BatchSize, c.Shuffle = arm.batch, true
	}
	over := fmt.Errorf("the budget is spent")
	c.Epoch = func(r train.EpochReport) error {
		v, err := train.Evaluate(ctx, m, ds, ec)
		if err != nil {
			return err
		}
		square := 0.0
		for _, name := range names {
			w, err := m.Param(name)
			if err != nil {
				return err
			}
			for _, x := range w.Value.F32() {
				square += float64(x) * float64(x)
			}
		}
		cost := float64(r.Epoch)
		if arm.rule == "gns" || arm.rule == "lbfgs" { // the gradient at the beginning of a step is that at the end of the one before
			p.products, p.gradient = r.Measures["gns.products"], math.NaN()
			cost = r.Measures[arm.rule+".gradients"] - float64(r.Epoch-1) + product*p.products
			if g, ok := r.Measures["gns.gradient"]; ok {
				p.gradient = g
			}
		}
		p.cost, p.loss = append(p.cost, cost), append(p.loss, v.Loss+gnsDecay/2*square)
		if arm.cap > 0 && cost >= arm.cap {
			return over
		}
		return nil
	}
	if _, err := train.Fit(ctx, m, ds, c); err != nil && !strings.Contains(err.Error(), over.Error()) {
		return p, err
	}
	v, err := train.Evaluate(ctx, m, test, ec)
	if err != nil {
		return p, err
	}
	p.accuracy = v.Accuracy
	return p, nil
}

// load is a network of package models.
func load(l *Lab, name string, seed uint64) (*engine.Model, error) {
	file, err := models.New(name, models.Options{Seed: seed})
	if err != nil {
		return nil, err
	}
	return engine.Load(file, engine.WithThreads(l.Threads))
}

// lowest is the lowest loss of each seed.
func lowest(paths [][]path) []float64 {
	var best []float64
	for s := range paths[0] {
		low := math.Inf(1)
		for a := range paths {
			for _, f := range paths[a][s].loss {
				low = min(low, f)
			}
		}
		best = append(best, low)
	}
	return best
}

// reached is a cell with the mean cost, or how many seeds never got there.
func reached(costs []float64) Cell {
	if n := missing(costs); n > 0 {
		return Word(fmt.Sprintf("not in %d of %d", n, len(costs)))
	}
	return Mean(0, costs)
}

func missing(xs []float64) (n int) {
	for _, x := range xs {
		if math.IsNaN(x) {
			n++
		}
	}
	return n
}

func all(xs []float64) bool { return missing(xs) == 0 }

func maximum(xs []float64) float64 {
	m := math.Inf(-1)
	for _, x := range xs {
		m = max(m, x)
	}
	return m
}

// verdict chooses by a sign.
func verdict(sign int, more, less, same string) string {
	switch {
	case sign > 0:
		return more
	case sign < 0:
		return less
	}
	return same
}
