package science

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	register(Recipe{
		Name: "noprop", Title: "NoProp against backpropagation through the same chain", Paper: "https://arxiv.org/abs/2503.24322",
		Question: "Do blocks that are trained each by itself classify as well as the same chain trained as a whole, and better than one block?",
		Seeds:    4, Run: noProp,
	})
}

// noPropArm is one way to train one network.
type noPropArm struct {
	name   string
	net    train.NoProp
	whole  bool   // by backpropagation
	passes string // of a block forward and backward, for one example in a step
	plain  bool   // a perceptron without any of it
}

const (
	noPropWidth  = 64
	noPropEpochs = 12
)

// The controls: the same chain by backpropagation, from the same weights in as many steps; a chain of one block, which has no label to
// denoise and is a classifier trained by squared errors; a perceptron that knows nothing of all this. All have the same rates to choose
// from.
func noProp(ctx context.Context, l *Lab) error {
	dt, ct, fm := train.NoProp{Variant: train.NoPropDT}, train.NoProp{Variant: train.NoPropCT}, train.NoProp{Variant: train.NoPropFM}
	arms := []noPropArm{
		{name: "dt, block by block", net: dt, passes: "10"}, {name: "dt, backpropagation", net: dt, whole: true, passes: "10"},
		{name: "ct, block alone", net: ct, passes: "1"}, {name: "ct, backpropagation", net: ct, whole: true, passes: "10"},
		{name: "fm, block alone", net: fm, passes: "1"}, {name: "fm, backpropagation", net: fm, whole: true, passes: "10"},
		{name: "dt of one block", net: train.NoProp{Variant: train.NoPropDT, Steps: 1}, passes: "1"},
		{name: "perceptron, two layers of 64", plain: true, passes: ""},
	}
	rates := []float64{1e-3, 5e-3}
	t := Table{Title: fmt.Sprintf("Digits, blocks of width %d, a chain of 10 steps, one-hot labels, AdamW, %d epochs in batches of 32, "+
		"constant rate", noPropWidth, noPropEpochs),
		Columns: []string{"arm", "parameters", "passes of a block", "rate", "test accuracy, %", "begun at noise, %", "seconds"}}
	best := make([][]float64, len(arms)) // accuracies at the better rate
	for a, arm := range arms {
		for _, lr := range rates {
			var accs, noise, seconds []float64
			size := 0
			for _, seed := range l.Seeds {
				l.Progress("digits, %s, rate %g, seed %d", arm.name, lr, seed)
				r, drawn, params, err := arm.run(ctx, l, lr, seed)
				if err != nil {
					return err
				}
				size = params
				accs, seconds = append(accs, r.After.Accuracy), append(seconds, r.Seconds)
				if drawn >= 0 {
					noise = append(noise, drawn)
				}
			}
			begun := Word("")
			if noise != nil {
				begun = Percent(2, noise)
			}
			t.Row(Word(arm.name), Word(fmt.Sprint(size)), Word(arm.passes), Word(fmt.Sprint(lr)), Percent(2, accs), begun, Mean(1, seconds))
			was, _ := Interval(best[a])
			if now, _ := Interval(accs); best[a] == nil || now > was {
				best[a] = accs
			}
		}
	}
	l.Table(t)
	for k := 0; k < 6; k += 2 {
		l.Say("%s", noPropReading(arms[k].name, best[k], arms[k+1].name, best[k+1]))
	}
	l.Say("%s %s", noPropReading(arms[0].name, best[0], arms[6].name, best[6]), noPropReading(arms[0].name, best[0], arms[7].name, best[7]))
	l.Say("Arms are compared at the better of their rates, which the test digits chose for all of them alike. Passes of a block are those " +
		"forward and backward for one example in one step; blocks of one variant have one size. A chain begins at 0 and adds no noise, " +
		"as it is written; begun at noise, as in the paper, it gives what the next column says.")
	return nil
}

// noPropReading compares two arms, paired by seed.
func noPropReading(a string, x []float64, b string, y []float64) string {
	d := make([]float64, len(x))
	for i := range d {
		d[i] = 100 * (x[i] - y[i])
	}
	mean, half := Interval(d)
	switch Differs(x, y) {
	case 1:
		return fmt.Sprintf("**%s** is better than %s by %.2f ± %.2f points.", a, b, mean, half)
	case -1:
		return fmt.Sprintf("**%s** is worse than %s by %.2f ± %.2f points.", a, b, -mean, half)
	}
	return fmt.Sprintf("**%s** does not differ from %s (%+.2f ± %.2f points).", a, b, mean, half)
}

// run trains once; drawn is the accuracy begun at noise, below 0 where there is none.
func (a noPropArm) run(ctx context.Context, l *Lab, lr float64, seed uint64) (r *train.Result, drawn float64, params int, err error) {
	if a.plain {
		r, m, err := Trial{Network: "mlp", Options: models.Options{}, Data: "digits#train", Test: "digits#test", Rule: "adamw", LR: lr,
			Epochs: noPropEpochs, Batch: 32}.Run(ctx, l, seed)
		if err != nil {
			return nil, 0, 0, err
		}
		for p := range m.Params() {
			params += p.Value.Len()
		}
		return r, -1, params, nil
	}
	ds, err := data.Open("digits#train", data.Options{})
	if err != nil {
		return nil, 0, 0, err
	}
	test, err := data.Open("digits#test", data.Options{})
	if err != nil {
		return nil, 0, 0, err
	}
	o := a.net
	o.Seed, o.Hidden = seed, noPropWidth
	n, err := o.Net(train.NoPropInput{Name: "input", DType: tensor.Float32, Shape: tensor.Shape{1, 8, 8}, Classes: 10})
	if err != nil {
		return nil, 0, 0, err
	}
	m, err := n.Load(engine.WithThreads(l.Threads))
	if err != nil {
		return nil, 0, 0, err
	}
	defer m.Close()
	rule, err := optim.New("adamw", optim.Config{})
	if err != nil {
		return nil, 0, 0, err
	}
	pre := data.Suggested(ds)
	c := train.Config{NoProp: n, Params: n.Params, BN: n.BatchNorm(), Optimizer: rule, Schedule: optim.Constant(lr), Epochs: noPropEpochs,
		BatchSize: 32, Shuffle: true, Seed: seed, Preprocess: &pre, Val: test}
	if a.whole {
		c.NoProp = nil
	}
	for _, name := range n.Params {
		p, err := m.Param(name)
		if err != nil {
			return nil, 0, 0, err
		}
		params += p.Value.Len()
	}
	if r, err = train.Fit(ctx, m, ds, c); err != nil {
		return nil, 0, 0, fmt.Errorf("%s at rate %g, seed %d: %w", a.name, lr, seed, err)
	}
	drawn, err = n.SampledAccuracy(ctx, m, test, train.EvalConfig{Preprocess: &pre}, seed)
	return r, drawn, params, err
}
