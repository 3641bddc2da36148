package science

import (
	"context"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	register(Recipe{
		Name: "adadagrad", Title: "Batches that grow against batches of one size", Paper: "https://arxiv.org/abs/2402.11215",
		Question: "Over the same examples, does a batch that grows by the tests of AdAdaGrad reach what a batch of the best fixed size " +
			"reaches, and in fewer steps?",
		Seeds: 5, Run: adaDaGrad,
	})
}

// sized is an arm: batches of one size, or growing from it.
type sized struct {
	name   string
	batch  int
	growth *train.BatchGrowth
}

// tuning are the seeds at which rates are chosen: none of those that are reported.
var tuning = []uint64{1001, 1002}

// adaDaGrad trains over the same examples in each arm, at the best of some rates by other seeds.
func adaDaGrad(ctx context.Context, l *Lab) error {
	arms := []sized{
		{"16", 16, nil}, {"64", 64, nil}, {"256", 256, nil}, {"512", 512, nil}, {"1024", 1024, nil},
		{"norm, η 0.5, from 16", 16, &train.BatchGrowth{Test: train.NormTest, Eta: 0.5}},
		{"norm, η 0.5, doubling at most", 16, &train.BatchGrowth{Test: train.NormTest, Eta: 0.5, Factor: 2}},
		{"ip+orth, θ 0.5, ν 1, from 16", 16, &train.BatchGrowth{Test: train.BothTests, Theta: 0.5, Nu: 1}},
	}
	for _, rule := range []struct {
		name  string
		rates []float64
	}{{"adagrad", []float64{.01, .03, .1, .3}}, {"adagradnorm", []float64{.3, 1, 3, 10}}} {
		t := Table{Title: fmt.Sprintf("A perceptron (two hidden layers of 64) on digits with `%s`, 20 epochs, constant rate", rule.name),
			Columns: []string{"batch", "rate", "steps", "mean batch", "training loss", "test accuracy, %"}}
		accs, steps := map[string][]float64{}, map[string][]float64{}
		for _, arm := range arms {
			lr, err := arm.tune(ctx, l, rule.name, rule.rates)
			if err != nil {
				return err
			}
			var loss, size []float64
			for _, seed := range l.Seeds {
				l.Progress("%s, batch %s, seed %d", rule.name, arm.name, seed)
				r, err := arm.run(ctx, l, rule.name, lr, seed)
				if err != nil {
					return err
				}
				loss, size = append(loss, r.TrainLoss), append(size, float64(r.Examples)/float64(r.Steps))
				accs[arm.name], steps[arm.name] = append(accs[arm.name], r.After.Accuracy), append(steps[arm.name], float64(r.Steps))
			}
			t.Row(Word(arm.name), Word(fmt.Sprint(lr)), Mean(0, steps[arm.name]), Mean(0, size), Mean(4, loss), Percent(2, accs[arm.name]))
		}
		l.Table(t)
		compareSizes(l, rule.name, arms, accs, steps)
	}
	l.Say("The steps are not the cost on a processor: every arm sees as many examples, and a step that is tested takes about one pass more "+
		"for the norm, three for the products. Each rate is the best of four by the test accuracy of %d other seeds.", len(tuning))
	return nil
}

// run trains once.
func (s sized) run(ctx context.Context, l *Lab, rule string, lr float64, seed uint64) (*train.Result, error) {
	r, _, err := Trial{Network: "mlp", Data: "digits#train", Test: "digits#test", Rule: rule, LR: lr, Epochs: 20, Batch: s.batch,
		Change: func(c *train.Config) { c.BN, c.Growth = engine.BNFrozen, s.growth }}.Run(ctx, l, seed)
	return r, err
}

// tune is the rate with the best mean accuracy at other seeds.
func (s sized) tune(ctx context.Context, l *Lab, rule string, rates []float64) (best float64, err error) {
	top := math.Inf(-1)
	for _, lr := range rates {
		sum := 0.0
		for _, seed := range tuning {
			l.Progress("%s, batch %s, trying rate %g", rule, s.name, lr)
			r, err := s.run(ctx, l, rule, lr, seed)
			if err != nil {
				return 0, err
			}
			sum += r.After.Accuracy
		}
		if sum > top {
			top, best = sum, lr
		}
	}
	return best, nil
}

// compareSizes says how each arm that grows stands beside the best fixed size, and which fixed sizes take fewer steps and are no worse.
func compareSizes(l *Lab, rule string, arms []sized, accs, steps map[string][]float64) {
	mean := func(xs []float64) float64 { m, _ := Interval(xs); return m }
	best := ""
	for _, a := range arms {
		if a.growth == nil && (best == "" || mean(accs[a.name]) > mean(accs[best])) {
			best = a.name
		}
	}
	for _, a := range arms {
		if a.growth == nil {
			continue
		}
		how := map[int]string{-1: "below", 0: "not told apart from", 1: "above"}[Differs(accs[a.name], accs[best])]
		var dominate []string
		for _, b := range arms {
			if b.growth == nil && mean(steps[b.name]) <= 1.05*mean(steps[a.name]) && mean(accs[b.name]) >= mean(accs[a.name]) {
				dominate = append(dominate, b.name)
			}
		}
		text := fmt.Sprintf("With %s, “%s” takes %.1f times fewer steps than batches of %s, the best fixed size, and its accuracy, %.2f %% "+
			"against %.2f %%, is %s that (paired by seed).", rule, a.name, mean(steps[best])/mean(steps[a.name]), best, 100*mean(accs[a.name]),
			100*mean(accs[best]), how)
		if len(dominate) > 0 {
			text += fmt.Sprintf(" Fixed batches of %s take no more steps and are at least as accurate on average.", list(dominate))
		} else {
			text += " No fixed size takes as few steps and is as accurate."
		}
		l.Say("%s", text)
	}
}
