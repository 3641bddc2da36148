package science

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	register(Recipe{
		Name: "groco", Title: "GroCo against NT-Xent, random features and labels", Paper: "https://arxiv.org/abs/2301.02009",
		Question: "Are features that were learned by ordering groups better than those of NT-Xent, and worth more than a few labels?",
		Seeds:    5, Run: groCo,
	})
}

const (
	groCoEpochs = 40 // of the runs that count; those that choose have a quarter
	groCoBatch  = 128
	fewLabels   = 10 // of each class
)

// groCoRates are the learning rates of every arm.
var groCoRates = []float64{2e-3, 6e-3, 2e-2}

// digitsLab is the data of the arms: digits, all with labels for the measure, or a few.
type digitsLab struct {
	*Lab
	train, test, few data.Dataset
	pre              data.Preprocess
	change           data.Augment
}

// encoder is a model whose features are measured.
type encoder struct {
	m        *engine.Model
	plan     *feed.Plan
	features string
}

func groCo(ctx context.Context, l *Lab) error {
	x := &digitsLab{Lab: l}
	if err := x.open(); err != nil {
		return err
	}
	arms := []struct {
		name, labels string
		options      []string // of the objective, from which one is chosen as the rate is; nil without a choice
		train        func(ctx context.Context, option string, lr float64, seed uint64, choose bool) (*encoder, error)
	}{
		{"random, not trained", "none", nil, x.random},
		{"GroCo", "none", []string{"groco:steepness=0.2", "groco:steepness=1", "groco:steepness=5", "groco:steepness=25"}, x.contrast},
		{"NT-Xent", "none", []string{"nt-xent:temperature=0.05", "nt-xent:temperature=0.1", "nt-xent:temperature=0.2",
			"nt-xent:temperature=0.5"}, x.contrast},
		{"supervised, few labels", fmt.Sprint(x.few.Len()), []string{""}, x.fewLabels},
		{"supervised, all labels", fmt.Sprint(x.train.Len()), []string{""}, x.allLabels},
	}
	t := Table{Title: fmt.Sprintf("resnet8 on digits (8×8): accuracy on the test data, %%, of neighbours and of a linear probe: of 20 "+
		"neighbours with all labels of the training data, of 5 with %d of them", x.few.Len()),
		Columns: []string{"arm", "labels seen in training", "chosen", "kNN, all", "probe, all", "kNN, few", "probe, few"}}
	got := map[string][4][]float64{}
	var edges []string // arms whose choice might go on beyond what was tried
	for _, arm := range arms {
		option, lr, chosen := "", 0.0, Word("")
		if arm.options != nil {
			best := math.Inf(-1)
			for _, o := range arm.options {
				for _, rate := range groCoRates {
					l.Progress("%s: choosing, %s rate %g", arm.name, o, rate)
					v, err := x.judge(ctx, func() (*encoder, error) { return arm.train(ctx, o, rate, 1000, true) })
					if err != nil {
						return err
					}
					if v > best {
						best, option, lr = v, o, rate
					}
				}
			}
			chosen = Word(strings.TrimSpace(fmt.Sprintf("%s rate %g", option, lr)))
			if n := len(arm.options); n > 1 && (option == arm.options[0] || option == arm.options[n-1]) || lr == groCoRates[0] ||
				lr == groCoRates[len(groCoRates)-1] {
				edges = append(edges, arm.name)
			}
		}
		var r [4][]float64
		for _, seed := range l.Seeds {
			l.Progress("%s, seed %d", arm.name, seed)
			e, err := arm.train(ctx, option, lr, seed, false)
			if err != nil {
				return err
			}
			for k, bank := range []data.Dataset{x.train, x.few} {
				knn, linear, err := x.measure(ctx, e, bank, x.test, []int{20, 5}[k])
				if err != nil {
					return err
				}
				r[2*k], r[2*k+1] = append(r[2*k], knn), append(r[2*k+1], linear)
			}
			e.m.Close()
		}
		got[arm.name] = r
		t.Row(Word(arm.name), Word(arm.labels), chosen, Percent(2, r[0]), Percent(2, r[1]), Percent(2, r[2]), Percent(2, r[3]))
	}
	l.Table(t)
	x.read(got, edges)
	return nil
}

// read says what the table shows.
func (x *digitsLab) read(got map[string][4][]float64, edges []string) {
	x.Say("Rate and option of each arm were chosen alike, by 20 neighbours on a fifth of the training data with another seed after a quarter "+
		"of the epochs: %d rates for every arm, and four options for each objective. All arms have the network, the random changes (%s) and "+
		"Adam with half a cosine; the objectives have %d epochs in batches of %d.", len(groCoRates), x.change, groCoEpochs, groCoBatch)
	if len(edges) > 0 {
		x.Say("The choice of %s is the last of a row of what was tried, so that more of the same might be better.", list(edges))
	}
	measures := []string{"kNN with all labels", "the probe with all", "kNN with few", "the probe with few"}
	against := func(a, b string) string {
		var higher, lower, same []string
		for k, m := range measures {
			switch Differs(got[a][k], got[b][k]) {
			case 1:
				higher = append(higher, m)
			case -1:
				lower = append(lower, m)
			default:
				same = append(same, m)
			}
		}
		s := fmt.Sprintf("%s against %s:", a, b)
		for _, p := range []struct {
			what string
			in   []string
		}{{"higher by", higher}, {"lower by", lower}, {"not to be told apart by", same}} {
			if len(p.in) > 0 {
				s += " " + p.what + " " + list(p.in) + ";"
			}
		}
		return s[:len(s)-1] + "."
	}
	x.Say("Paired by seed (95 %% interval of the differences). %s %s %s %s", against("GroCo", "NT-Xent"),
		against("GroCo", "random, not trained"), against("GroCo", "supervised, few labels"), against("GroCo", "supervised, all labels"))
	x.Say("The paper compares on ImageNet, with large batches and hundreds of epochs; digits of 8×8 are a small world, and what is not told " +
		"apart here may be there.")
}

// open reads the data.
func (x *digitsLab) open() (err error) {
	if x.train, err = data.Open("digits#train", data.Options{}); err != nil {
		return err
	}
	if x.test, err = data.Open("digits#test", data.Options{}); err != nil {
		return err
	}
	x.pre = data.Suggested(x.train)
	have := map[int]int{}
	var first []int
	for i := range x.train.Len() {
		if y := x.train.Label(i); have[y] < fewLabels {
			have[y]++
			first = append(first, i)
		}
	}
	if x.few, err = data.Subset(x.train, first); err != nil {
		return err
	}
	x.change, err = data.ParseAugment("affine:degrees=15:translate=0.12:low=0.8:high=1.2")
	return err
}

// half are the training data to train on while an arm is chosen, and the rest to choose by.
func (x *digitsLab) half() (most, rest data.Dataset, err error) {
	return data.Split(x.train, 0.2, 1000)
}

// judge is what an arm is chosen by: the neighbours of the rest among those that were trained on.
func (x *digitsLab) judge(ctx context.Context, made func() (*encoder, error)) (float64, error) {
	e, err := made()
	if err != nil {
		return 0, err
	}
	defer e.m.Close()
	most, rest, err := x.half()
	if err != nil {
		return 0, err
	}
	knn, _, err := x.measure(ctx, e, most, rest, 20)
	return knn, err
}

// measure is what the features of e are good for on data, with the labels of bank.
func (x *digitsLab) measure(ctx context.Context, e *encoder, bank, on data.Dataset, nearest int) (knn, linear float64, err error) {
	ev, err := train.NewFeatureEvaluator(e.m, bank, on, train.FeatureConfig{Feed: e.plan, Preprocess: &x.pre, Neighbours: nearest,
		Task: task.ForObjective(nil, "", task.Views{}, e.features, "", true)})
	if err != nil {
		return 0, 0, err
	}
	v, err := ev.Run(ctx)
	if err != nil {
		return 0, 0, err
	}
	return v.Metric("knn"), v.Metric("linear_probe"), nil
}

// network is a fresh resnet8 and where its features are.
func (x *digitsLab) network(seed uint64) (*onnx.Model, *train.Features, error) {
	file, err := models.New("resnet8", models.Options{ImageSize: 8, Channels: 1, Classes: 10, Seed: seed})
	if err != nil {
		return nil, nil, err
	}
	found, err := train.FindFeatures(file, "")
	return file, found, err
}

// loaded is a model ready to be fed.
func (x *digitsLab) loaded(file *onnx.Model, features string) (*encoder, error) {
	m, err := engine.Load(file, engine.WithThreads(x.Threads))
	if err != nil {
		return nil, err
	}
	plan, err := feed.For(m, x.train, feed.Options{})
	return &encoder{m, plan, features}, err
}

// config is the training that all arms share.
func (x *digitsLab) config(lr float64, seed uint64, epochs, batch int) (train.Config, error) {
	rule, err := optim.New("adam", optim.Config{})
	return train.Config{Optimizer: rule, Schedule: optim.Cosine{Max: lr}, Epochs: epochs, BatchSize: batch, Shuffle: true, Seed: seed,
		Preprocess: &x.pre, BN: engine.BNTrain}, err
}

// random is a network that is not trained, but for the statistics of its normalisations.
func (x *digitsLab) random(ctx context.Context, _ string, _ float64, seed uint64, _ bool) (*encoder, error) {
	file, found, err := x.network(seed)
	if err != nil {
		return nil, err
	}
	e, err := x.loaded(file, found.Value)
	if err != nil {
		return nil, err
	}
	return e, train.EstimateBatchNorm(ctx, e.m, x.train, e.plan, groCoBatch, &x.pre, seed)
}

// contrast trains by an objective.
func (x *digitsLab) contrast(ctx context.Context, objective string, lr float64, seed uint64, choose bool) (*encoder, error) {
	file, found, err := x.network(seed)
	if err != nil {
		return nil, err
	}
	e, err := x.loaded(file, found.Value)
	if err != nil {
		return nil, err
	}
	shape, d, err := found.Form(ctx, e.plan, x.train, &x.pre)
	e.m.Close()
	if err != nil {
		return nil, err
	}
	alone, features, err := found.Encoder(shape, d)
	if err != nil {
		return nil, err
	}
	file, projection, err := train.Projection{Layers: 3, Width: 128, Norm: true, Seed: seed}.Add(alone, features, shape[1], d)
	if err != nil {
		return nil, err
	}
	if e, err = x.loaded(file, features); err != nil {
		return nil, err
	}
	_, o, err := task.NewObjective(objective)
	if err != nil {
		return nil, err
	}
	c, err := x.config(lr, seed, groCoEpochs, groCoBatch)
	if err != nil {
		return nil, err
	}
	on := x.train
	if choose {
		c.Epochs /= 4
		if on, _, err = x.half(); err != nil {
			return nil, err
		}
	}
	c.Task, c.Feed = task.ForObjective(o, objective, task.Views{N: 2, Global: 2}, features, projection, false), e.plan
	c.Contrast = &train.Contrast{Views: []data.Augment{x.change, x.change}}
	_, err = train.Fit(ctx, e.m, on, c)
	return e, err
}

func (x *digitsLab) fewLabels(ctx context.Context, _ string, lr float64, seed uint64, choose bool) (*encoder, error) {
	return x.supervised(ctx, x.few, lr, seed, 200, 32, choose)
}

func (x *digitsLab) allLabels(ctx context.Context, _ string, lr float64, seed uint64, choose bool) (*encoder, error) {
	on := x.train
	if choose {
		var err error
		if on, _, err = x.half(); err != nil {
			return nil, err
		}
	}
	return x.supervised(ctx, on, lr, seed, groCoEpochs, groCoBatch, choose)
}

// supervised trains by the labels of data.
func (x *digitsLab) supervised(ctx context.Context, on data.Dataset, lr float64, seed uint64, epochs, batch int, choose bool) (*encoder,
	error) {
	file, found, err := x.network(seed)
	if err != nil {
		return nil, err
	}
	e, err := x.loaded(file, found.Value)
	if err != nil {
		return nil, err
	}
	c, err := x.config(lr, seed, epochs, batch)
	if err != nil {
		return nil, err
	}
	if c.Augment = x.change; choose {
		c.Epochs /= 4
	}
	_, err = train.Fit(ctx, e.m, on, c)
	return e, err
}
