package science

import (
	"context"
	"fmt"
	"math"
	"path/filepath"

	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/train"
)

func init() {
	register(Recipe{
		Name: "sharpness", Title: "Directional sharpness, and clipping by coordinates", Paper: "https://arxiv.org/abs/2306.00204",
		Question: "Does the loss curve more along the steps of SGD than along Adam's, and does clipping the largest tenth of the coordinates " +
			"bring SGD nearer to Adam?",
		Seeds: 3, Run: sharpness,
	})
}

// network is a network with data that fit it.
type network struct {
	what, name string
	o          models.Options
	data, test string
}

// sharpness measures along the steps of four rules on one trajectory, then trains by each at the best of five rates.
func sharpness(ctx context.Context, l *Lab) error {
	nets := []network{
		{"perceptron, digits", "mlp", models.Options{}, "digits#train", "digits#test"},
		{"transformer of two layers, shapes", "vit_tiny", models.Options{Channels: 3, ImageSize: 16, Classes: 8, Layers: 2},
			"shapes?size=16&n=1200&clutter=0#train", "shapes?size=16&n=400&clutter=0#test"},
		{"transformer of two layers, digits", "vit_tiny", models.Options{Channels: 1, ImageSize: 8, Classes: 10, Layers: 2}, "digits#train",
			"digits#test"},
	}
	if err := measureSharpness(ctx, l, nets); err != nil {
		return err
	}
	return trainClipped(ctx, l, nets[2])
}

func measureSharpness(ctx context.Context, l *Lab, nets []network) error {
	dir, done, err := whole.Temporary("gtk-science")
	if err != nil {
		return err
	}
	defer done()
	along := []string{"sgd", "clip:0.1", "sign", "adam"}
	t := Table{Title: "vᵀHv/‖v‖² along the next step of each rule, on one trajectory of Adam in batches of 32 at rate 0.001",
		Columns: append([]string{"network", "step"}, append(along, "sgd : adam", "clip : sgd")...)}
	for _, n := range nets {
		points := map[int]map[string][]float64{}
		warm := []int{20, 100}
		for _, seed := range l.Seeds {
			l.Progress("%s, seed %d", n.what, seed)
			o := n.o
			o.Seed = seed
			file, err := models.New(n.name, o)
			if err != nil {
				return err
			}
			path := filepath.Join(dir, fmt.Sprintf("%s-%d.onnx", n.name, seed))
			if err := file.WriteFile(path, onnx.WriteOptions{Force: true}); err != nil {
				return err
			}
			r, err := job.Sharpness(ctx, job.SharpnessConfig{Model: path, ModelOptions: job.ModelOptions{Threads: l.Threads}, Data: n.data,
				TrainOptions: job.TrainOptions{Optimizer: "adam", LR: 1e-3}, Along: along, Warm: warm, Lanczos: -1, Seed: seed}, nil)
			if err != nil {
				return err
			}
			for _, p := range r.Points {
				if points[p.Step] == nil {
					points[p.Step] = map[string][]float64{}
				}
				for _, d := range p.Directions {
					points[p.Step][d.Name] = append(points[p.Step][d.Name], d.Sharpness)
				}
			}
		}
		for _, step := range warm {
			p := points[step]
			row := []Cell{Word(n.what), Word(fmt.Sprint(step))}
			for _, a := range along {
				row = append(row, Mean(3, p[a]))
			}
			t.Row(append(row, ratio(1, p["sgd"], p["adam"]), ratio(2, p["clip:0.1"], p["sgd"]))...)
		}
	}
	l.Table(t)
	sharper, flatter := 0, 0
	for _, r := range t.Rows {
		if m, half := Interval(r[6].Values); r[6].Values != nil && m-half > 1 {
			sharper++
		}
		if m, half := Interval(r[7].Values); r[7].Values != nil && m+half < 1 {
			flatter++
		}
	}
	l.Say("The loss curves more along SGD's step than along Adam's at %d of the %d points, and less along the clipped step than along SGD's "+
		"at %d (95 %% intervals of the ratios on one side of 1; a dash is where it curves downwards).", sharper, len(t.Rows), flatter)
	return nil
}

// ratio is the cell of a[i]/b[i], or a dash where the loss curves downwards along one of them.
func ratio(digits int, a, b []float64) Cell {
	out := make([]float64, len(a))
	for i := range a {
		if a[i] <= 0 || b[i] <= 0 {
			return Word("–")
		}
		out[i] = a[i] / b[i]
	}
	return Mean(digits, out)
}

// trainClipped trains n by SGD and Adam, with and without clipping, each at the rate that was best from another seed.
func trainClipped(ctx context.Context, l *Lab, n network) error {
	tenth, half := 0.1, 0.5
	arms := []struct {
		name, rule string
		c          optim.Config
		rates      []float64
	}{
		{"SGD, momentum 0.9", "sgd", optim.Config{Options: optim.Values{"momentum": 0.9}}, []float64{.003, .01, .03, .1, .3}},
		{"SGD, momentum 0.9, a tenth clipped", "sgd", optim.Config{ClipCoord: &tenth, Options: optim.Values{"momentum": 0.9}},
			[]float64{.003, .01, .03, .1, .3}},
		{"Adam", "adam", optim.Config{}, []float64{3e-4, 1e-3, 3e-3}},
		{"Adam, half clipped", "adam", optim.Config{ClipCoord: &half}, []float64{3e-4, 1e-3, 3e-3}},
	}
	t := Table{Title: "The " + n.what + ", 6 epochs in batches of 32, constant rate, the best of the grid from another seed",
		Columns: []string{"arm", "rate", "training loss of the last epoch", "test accuracy, %"}}
	losses := make([][]float64, len(arms))
	for a, arm := range arms {
		trial := func(lr float64, seed uint64) (*train.Result, error) {
			r, _, err := Trial{Network: n.name, Options: n.o, Data: n.data, Test: n.test, Rule: arm.rule, Config: arm.c, LR: lr, Epochs: 6,
				Batch: 32}.Run(ctx, l, seed)
			return r, err
		}
		best, least := 0.0, math.Inf(1)
		for _, lr := range arm.rates {
			l.Progress("%s, rate %g", arm.name, lr)
			r, err := trial(lr, 1000)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil && r.TrainLoss < least { // one that diverges is no choice
				best, least = lr, r.TrainLoss
			}
		}
		if best == 0 {
			return fmt.Errorf("%s diverges at every rate", arm.name)
		}
		var accs []float64
		for _, seed := range l.Seeds {
			l.Progress("%s, rate %g, seed %d", arm.name, best, seed)
			r, err := trial(best, seed)
			if err != nil {
				return err
			}
			losses[a], accs = append(losses[a], r.TrainLoss), append(accs, r.After.Accuracy)
		}
		t.Row(Word(arm.name), Word(fmt.Sprint(best)), Mean(3, losses[a]), Percent(1, accs))
	}
	l.Table(t)
	says := map[int]string{-1: "is lower with clipping", 0: "does not differ with clipping", 1: "is higher with clipping"}
	l.Say("Paired by seed, the training loss of SGD %s, and that of Adam %s.", says[Differs(losses[1], losses[0])],
		says[Differs(losses[3], losses[2])])
	return nil
}
