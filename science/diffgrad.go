package science

import (
	"context"
	"fmt"
	"math"
)

func init() {
	register(Recipe{
		Name: "diffgrad", Title: "diffGrad against Adam at half the rate", Paper: "https://arxiv.org/abs/1909.11015",
		Question: "Does diffGrad do more than Adam with half of its learning rate does?",
		Seeds:    5, Run: diffGrad,
	})
}

// diffGrad's friction is a sigmoid of |g' - g|, which is 0.5 where gradients are small: the control is Adam at half the rate.
func diffGrad(ctx context.Context, l *Lab) error {
	arms := []struct {
		name, rule string
		share      float64 // of the rate
	}{{"Adam", "adam", 1}, {"Adam, half the rate", "adam", 0.5}, {"diffGrad", "diffgrad", 1}}
	t := Table{Title: "A perceptron (two hidden layers of 64) on digits, 15 epochs in batches of 32, constant rate",
		Columns: []string{"rate", "arm", "training loss", "test accuracy, %", "mean ξ"}}
	var same, differs int
	var xis []float64
	for _, lr := range []float64{1e-3, 3e-3, 1e-2} {
		losses := make([][]float64, len(arms))
		for a, arm := range arms {
			var accs, xi []float64
			for _, seed := range l.Seeds {
				l.Progress("digits, rate %g, %s, seed %d", lr, arm.name, seed)
				r, _, err := Trial{Network: "mlp", Data: "digits#train", Test: "digits#test", Rule: arm.rule, LR: lr * arm.share,
					Epochs: 15, Batch: 32}.Run(ctx, l, seed)
				if err != nil {
					return err
				}
				losses[a] = append(losses[a], r.TrainLoss)
				accs = append(accs, r.After.Accuracy)
				if x, ok := r.History[len(r.History)-1].Measures["diffgrad.xi"]; ok {
					xi = append(xi, x)
				}
			}
			friction := Word("")
			if xi != nil {
				friction = Mean(4, xi)
				xis = append(xis, xi...)
			}
			t.Row(Word(fmt.Sprint(lr)), Word(arm.name), Mean(4, losses[a]), Percent(2, accs), friction)
		}
		if Differs(losses[1], losses[2]) == 0 {
			same++
		} else {
			differs++
		}
	}
	l.Table(t)
	xi, _ := Interval(xis)
	l.Say("On this network the friction ξ is %.4f on average. Paired by seed, the training loss of diffGrad differs from that of Adam at "+
		"half the rate at %d of %d rates (95 %% interval of the differences without 0).", xi, differs, same+differs)

	walk := Table{Title: "The paper's three functions of one number, from x = -1, rate 0.1, β₁ 0.95, 300 steps",
		Columns: []string{"function", "arm", "x at the end", "f there"}}
	var better []string
	for _, f := range valleys {
		ends := map[string]float64{}
		for _, arm := range arms {
			x := f.walk(arm.rule == "diffgrad", 0.1*arm.share, 300)
			ends[arm.name] = f.f(x)
			walk.Row(Word(f.name), Word(arm.name), Word(fmt.Sprintf("%.5f", x)), Word(fmt.Sprintf("%.5f", f.f(x))))
		}
		if ends["diffGrad"] < math.Min(ends["Adam"], ends["Adam, half the rate"])-1e-3 {
			better = append(better, f.name)
		}
	}
	l.Table(walk)
	if len(better) == 0 {
		l.Say("diffGrad ends lower than both arms of Adam on none of the three functions.")
	} else {
		l.Say("diffGrad ends lower than both arms of Adam on %s, where gradients change by much from step to step.", list(better))
	}
	return nil
}

// valley is a function of one number with more than one way down, in the paper's notebook: gradients as there, f up to a constant.
type valley struct {
	name string
	f, g func(x float64) float64
}

var valleys = []valley{
	{"F1",
		func(x float64) float64 {
			if x <= 0 {
				return x*x + .6*x
			}
			return x*x - .4*x
		},
		func(x float64) float64 {
			if x <= 0 {
				return 2*x + .6
			}
			return 2*x - .4
		}},
	{"F2",
		func(x float64) float64 {
			low := func(x float64) float64 { return x*math.Sin(8*x)/8 + math.Cos(8*x)/64 - math.Cos(8*x)/8 + x*x*x }
			if x <= -.9 {
				return -40*(x+.9) + low(-.9)
			}
			return low(x)
		},
		func(x float64) float64 {
			if x <= -.9 {
				return -40
			}
			return x*math.Cos(8*x) + math.Sin(8*x) + 3*x*x
		}},
	{"F3",
		func(x float64) float64 {
			switch {
			case x <= -.5:
				return x * x
			case x <= -.4:
				return x + .75
			case x <= 0:
				return -7. / 8 * x
			case x <= .4:
				return 7. / 8 * x
			case x <= .5:
				return .75 - x
			}
			return x * x
		},
		func(x float64) float64 {
			switch {
			case x <= -.5:
				return 2 * x
			case x <= -.4:
				return 1
			case x <= 0:
				return -7. / 8
			case x <= .4:
				return 7. / 8
			case x <= .5:
				return -1
			}
			return 2 * x
		}},
}

// walk goes so many steps from -1 as the notebook does: both moments corrected, ε outside of the root with friction and inside of it
// without.
func (v valley) walk(friction bool, lr float64, steps int) float64 {
	const b1, b2, eps = .95, .999, 1e-8
	x, m, s, last := -1., 0., 0., 0.
	for t := 1; t <= steps; t++ {
		g := v.g(x)
		m, s = b1*m+(1-b1)*g, b2*s+(1-b2)*g*g
		xi := 1 / (1 + math.Exp(-math.Abs(last-g)))
		last = g
		mean, square := m/(1-math.Pow(b1, float64(t))), s/(1-math.Pow(b2, float64(t)))
		if friction {
			x -= lr * xi * mean / (math.Sqrt(square) + eps)
		} else {
			x -= lr * mean / math.Sqrt(square+eps)
		}
	}
	return x
}
