package science

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	register(Recipe{
		Name: "importance", Title: "Examples drawn by their gradients against each example once", Paper: "https://arxiv.org/abs/1803.00942",
		Question: "Does a training learn more from as many examples when those with large gradients are drawn more often, and what if " +
			"some labels are wrong?",
		Seeds: 20, Run: importance,
	})
}

const importanceEpochs = 8

// importanceRates are the learning rates of every arm.
var importanceRates = []float64{1e-3, 3e-3, 1e-2, 3e-2}

// importanceArms are ways to draw examples; nil is each once in an epoch.
var importanceArms = []struct {
	name string
	way  *train.Importance
}{
	{"each once", nil},
	{"by importance", &train.Importance{Floor: 0.1}},
	{"by importance, half alike", &train.Importance{Floor: 0.5}},
	{"by importance, unbiased", &train.Importance{Floor: 0.1, Unbiased: true}},
}

// mislabelled are rows of which some have a wrong label, and how often those were read.
type mislabelled struct {
	*rows
	wrong      map[int]bool
	bad, shown atomic.Int64
}

// mislabel gives a share of the rows another label.
func mislabel(r *rows, share float64, seed uint64) *mislabelled {
	m := &mislabelled{rows: r, wrong: map[int]bool{}}
	g := rand.New(rand.NewPCG(seed, 0x77726f6e67))
	for _, i := range g.Perm(r.Len())[:int(share*float64(r.Len()))] {
		m.wrong[i] = true
		r.label[i] = (r.label[i] + 1 + g.IntN(r.classes-1)) % r.classes
	}
	return m
}

// Example counts.
func (m *mislabelled) Example(i int) (data.Example, error) {
	m.shown.Add(1)
	if m.wrong[i] {
		m.bad.Add(1)
	}
	return m.rows.Example(i)
}

func importance(ctx context.Context, l *Lab) error {
	t := Table{Title: fmt.Sprintf("A perceptron with two hidden layers on digits, %d epochs: accuracy on test data in %%, and the share "+
		"of wrong labels "+
		"among what was shown", importanceEpochs),
		Columns: []string{"wrong labels", "examples", "rate", "accuracy, %", "loss", "wrong among the shown, %"}}
	var says []string
	for _, share := range []float64{0, 0.2} {
		var base []float64
		for _, arm := range importanceArms {
			rate, best := 0.0, math.Inf(-1)
			for _, lr := range importanceRates {
				l.Progress("%s, %.0f %% wrong: choosing, rate %g", arm.name, 100*share, lr)
				v := 0.0
				for seed := range uint64(3) {
					r, err := l.important(ctx, arm.way, share, lr, 1000+seed, true)
					if err != nil {
						return err
					}
					v += r.accuracy
				}
				if v > best {
					rate, best = lr, v
				}
			}
			var accuracy, loss, shown []float64
			for _, seed := range l.Seeds {
				l.Progress("%s, %.0f %% wrong, seed %d", arm.name, 100*share, seed)
				r, err := l.important(ctx, arm.way, share, rate, seed, false)
				if err != nil {
					return err
				}
				accuracy, loss, shown = append(accuracy, r.accuracy), append(loss, r.loss), append(shown, r.wrong)
			}
			if arm.way == nil {
				base = accuracy
			} else {
				how := map[int]string{1: "more accurate than", 0: "not to be told from", -1: "less accurate than"}[Differs(accuracy, base)]
				says = append(says, fmt.Sprintf("“%s” is %s it", arm.name, how))
			}
			t.Row(Word(fmt.Sprintf("%.0f %%", 100*share)), Word(arm.name), Word(fmt.Sprint(rate)), Percent(2, accuracy), Mean(3, loss),
				Percent(1, shown))
		}
	}
	l.Table(t)
	k := len(importanceArms) - 1
	l.Say("Against each example once, paired by seed: with right labels %s. With a fifth of them wrong %s.", strings.Join(says[:k], "; "),
		strings.Join(says[k:], "; "))
	l.Say("Rates were chosen alike for each arm, of four, on a fifth of the training data with other seeds. All arms are shown as many " +
		"examples.")
	return nil
}

// important is what a training gave.
type important struct{ accuracy, loss, wrong float64 }

// important trains once. Labels of the data that are measured on are right; choose has the part of the training data that is kept apart.
func (l *Lab) important(ctx context.Context, way *train.Importance, share, lr float64, seed uint64, choose bool) (important, error) {
	fit, val, test, err := digitRows(seed)
	if err != nil {
		return important{}, err
	}
	standardise(fit, val, test)
	ds := mislabel(fit, share, seed)
	file, err := models.New("mlp", models.Options{Features: fit.width, Classes: fit.classes, Seed: seed})
	if err != nil {
		return important{}, err
	}
	m, err := engine.Load(file, engine.WithThreads(l.Threads))
	if err != nil {
		return important{}, err
	}
	defer m.Close()
	rule, err := optim.New("adam", optim.Config{})
	if err != nil {
		return important{}, err
	}
	if choose {
		test = val
	}
	c := train.Config{Optimizer: rule, Schedule: optim.Cosine{Max: lr}, Epochs: importanceEpochs, BatchSize: 32, Shuffle: true, Seed: seed,
		Importance: way}
	if _, err := train.Fit(ctx, m, ds, c); err != nil {
		return important{}, err
	}
	r, err := train.Evaluate(ctx, m, test, train.EvalConfig{})
	if err != nil {
		return important{}, err
	}
	return important{r.Accuracy, r.Loss, float64(ds.bad.Load()) / float64(ds.shown.Load())}, nil
}
