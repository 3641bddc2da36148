package science

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	register(Recipe{
		Name: "tract", Title: "TrAct against the plain gradient", Paper: "https://arxiv.org/abs/2410.23970",
		Question: "Does a network train faster when its first layer is trained by TrAct, where both arms have the rate that suits them?",
		Seeds:    5, Run: trAct,
	})
}

// trActProblem is a network and data.
type trActProblem struct {
	what, network string
	o             models.Options
	data, test    string
	uneven        bool // contrast and brightness of each picture are drawn
	epochs        []int
	bn            engine.BNMode
}

// trAct trains with and without, at the best of some rates by other seeds, for few epochs and for more.
func trAct(ctx context.Context, l *Lab) error {
	problems := []trActProblem{
		{"perceptron, digits", "mlp", models.Options{}, "digits#train", "digits#test", false, []int{3, 12}, engine.BNFrozen},
		{"perceptron, digits of uneven contrast", "mlp", models.Options{}, "digits#train", "digits#test", true, []int{3, 12}, engine.BNFrozen},
		{"convolutional net, shapes", "resnet8", models.Options{ImageSize: 16, Classes: 8, Channels: 3}, "shapes?size=16&n=600&clutter=0#train",
			"shapes?size=16&n=400&clutter=0#test", false, []int{3}, engine.BNTrain},
	}
	rules := []struct {
		name  string
		rates []float64
	}{{"sgd", []float64{.01, .03, .1, .3}}, {"adam", []float64{.0003, .001, .003, .01}}}
	var accuracy, fit tally
	for _, p := range problems {
		t := Table{Title: capital(p.what), Columns: []string{"optimiser", "epochs", "gradient", "rate", "training loss", "test accuracy, %"}}
		for _, rule := range rules {
			for _, epochs := range p.epochs {
				var accs, losses [2][]float64
				for arm, name := range []string{"plain", "TrAct"} {
					lr, err := p.tune(ctx, l, rule.name, rule.rates, epochs, arm == 1)
					if err != nil {
						return err
					}
					for _, seed := range l.Seeds {
						l.Progress("%s, %s, %d epochs, %s, seed %d", p.what, rule.name, epochs, name, seed)
						r, err := p.run(ctx, l, rule.name, lr, epochs, arm == 1, seed)
						if err != nil {
							return err
						}
						losses[arm], accs[arm] = append(losses[arm], r.TrainLoss), append(accs[arm], r.After.Accuracy)
					}
					t.Row(Word(rule.name), Word(fmt.Sprint(epochs)), Word(name), Word(fmt.Sprint(lr)), Mean(4, losses[arm]), Percent(2, accs[arm]))
				}
				accuracy.see(Differs(accs[1], accs[0]))
				fit.see(-Differs(losses[1], losses[0]))
			}
		}
		l.Table(t)
	}
	l.Say("Paired by seed (95 %% interval of the differences without 0): with TrAct the loss of the last epoch is lower than without %s, "+
		"and the test accuracy is higher %s.", fit, accuracy)
	l.Say("Inputs are standardised, λ is 0.1; SGD has momentum 0.9; batches of 32, half a cosine. Each rate is the best of four by the test "+
		"accuracy of %d other seeds, for each arm by itself. An arm that is tuned at few rates leaves some of a difference to the "+
		"grid.", len(tuning))
	return nil
}

// tally counts comparisons.
type tally struct{ better, worse, same int }

func (v *tally) see(sign int) {
	switch {
	case sign > 0:
		v.better++
	case sign < 0:
		v.worse++
	default:
		v.same++
	}
}

// String is the end of a sentence that says what is better.
func (v tally) String() string {
	return fmt.Sprintf("in %d of %d comparisons, the reverse in %d, and not told apart in %d", v.better, v.better+v.worse+v.same, v.worse,
		v.same)
}

// tune is the rate with the best mean accuracy at other seeds.
func (p trActProblem) tune(ctx context.Context, l *Lab, rule string, rates []float64, epochs int, with bool) (best float64, err error) {
	top := math.Inf(-1)
	for _, lr := range rates {
		sum := 0.0
		for _, seed := range tuning {
			l.Progress("%s, %s, %d epochs, trying rate %g", p.what, rule, epochs, lr)
			r, err := p.run(ctx, l, rule, lr, epochs, with, seed)
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

// run trains once.
func (p trActProblem) run(ctx context.Context, l *Lab, rule string, lr float64, epochs int, with bool, seed uint64) (*train.Result, error) {
	o := p.o
	o.Seed = seed
	file, err := models.New(p.network, o)
	if err != nil {
		return nil, err
	}
	m, err := engine.Load(file, engine.WithThreads(l.Threads))
	if err != nil {
		return nil, err
	}
	ds, err := p.open(p.data)
	if err != nil {
		return nil, err
	}
	test, err := p.open(p.test)
	if err != nil {
		return nil, err
	}
	var cfg optim.Config
	if rule == "sgd" {
		if err := cfg.Set("momentum", "0.9"); err != nil {
			return nil, err
		}
	}
	opt, err := optim.New(rule, cfg)
	if err != nil {
		return nil, err
	}
	c := train.Config{Optimizer: opt, Schedule: optim.Cosine{Max: lr}, Epochs: epochs, BatchSize: 32, Shuffle: true, Seed: seed, Val: test,
		BN: p.bn}
	if with {
		c.TrAct = &train.TrAct{Lambda: 0.1}
	}
	r, err := train.Fit(ctx, m, ds, c)
	if err != nil {
		return nil, fmt.Errorf("%s, %s at rate %g, seed %d: %w", p.what, rule, lr, seed, err)
	}
	return r, nil
}

// open reads a data set as standardised numbers.
func (p trActProblem) open(spec string) (data.Dataset, error) {
	ds, err := data.Open(spec, data.Options{})
	if err != nil {
		return nil, err
	}
	return standardised(ds, p.uneven)
}

// numbers of pictures, standardised.
type standard struct {
	data.Dataset
	x []*tensor.Tensor
}

// Example is example i as numbers.
func (s *standard) Example(i int) (data.Example, error) {
	return data.Example{ID: s.ID(i), Label: s.Label(i), X: s.x[i]}, nil
}

// standardised brings the pictures of ds to mean 0 and variance 1 over all values; with uneven each has first its own contrast, 0.2 to 2.5,
// and brightness, -1 to 1 deviations.
func standardised(ds data.Dataset, uneven bool) (data.Dataset, error) {
	s := &standard{Dataset: ds, x: make([]*tensor.Tensor, ds.Len())}
	var sum, squares, n float64
	for i := range s.x {
		e, err := ds.Example(i)
		if err != nil {
			return nil, err
		}
		if s.x[i], err = e.X.Convert(tensor.Float32); err != nil {
			return nil, err
		}
		for _, v := range s.x[i].F32() {
			sum, squares, n = sum+float64(v), squares+float64(v)*float64(v), n+1
		}
	}
	mean := sum / n
	std := math.Sqrt(squares/n - mean*mean)
	for i, x := range s.x {
		contrast, brightness := 1.0, 0.0
		if uneven {
			r := rand.New(rand.NewPCG(uint64(i), uint64(len(s.x))))
			contrast, brightness = 0.2+2.3*r.Float64(), 2*r.Float64()-1
		}
		for k, v := range x.F32() {
			x.F32()[k] = float32((float64(v)-mean)/std*contrast + brightness)
		}
	}
	return s, nil
}

// capital is a sentence with its first letter large.
func capital(s string) string { return string(s[0]-'a'+'A') + s[1:] }
