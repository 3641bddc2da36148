package tokens

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/compress"
)

func init() {
	compress.Register("diffrate", func() compress.Method {
		return &DiffRate{Search: "learn", Steps: 150, Rate: 0.1, Examples: 256, Tries: 120}
	},
		"vision transformers: how many tokens each layer leaves out and merges is learned, with frozen weights",
		"https://arxiv.org/abs/2305.17997")
}

// DiffRate orders the patches after each layer by the attention that they get, leaves the last out and merges those before them into the
// most similar of the others. How many is learned for each layer, by gradient through masks, or searched for.
//
// Source: Chen et al. 2023 (arXiv 2305.17997). What differs: the penalty counts shares of the operations, scaled to the size of DeiT-S, so
// that it is as strong for any model, and has a price beside it that rises until the target is met; learning begins at the same number in
// each layer, not at half of the tokens; what was learned is scaled by one factor to meet the target, and the best of the second half of
// the steps is taken; in attention while learning, masked tokens count as the largest of the others at most; sizes are at least one; with a
// head that reads the mean over the patches those are important that all tokens attend to.
type DiffRate struct {
	Search   string  `opt:"search" doc:"learn by gradient, greedy in rounds, evolve, or random, a control" choices:"learn|greedy|evolve|random"`
	Steps    int     `opt:"steps" doc:"steps of learning, where --epochs does not say" range:"[1, 1000000]"`
	Rate     float64 `opt:"rate" doc:"learning rate at the beginning; a tenth of it at the end" range:"(0, 10]"`
	Examples int     `opt:"examples" doc:"examples on which schedules are compared" range:"[1, 1000000]"`
	Tries    int     `opt:"tries" doc:"schedules that greedy and evolve may compare, about" range:"[1, 1000000]"`
}

// Needs are data and the target.
func (*DiffRate) Needs() compress.Needs { return compress.Needs{Data: true, MACs: true, Epochs: true} }

// Plan says what was found in the model.
func (d *DiffRate) Plan(_ context.Context, s *compress.Subject) ([]string, error) {
	if s.Epochs > 0 && d.Search != "learn" {
		return nil, compress.Ask("--epochs %d: search=%s has no passes over the data", s.Epochs, d.Search)
	}
	how := map[string]string{"learn": fmt.Sprintf("numbers for each layer, learned in %d steps", d.Steps),
		"greedy": fmt.Sprintf("numbers for each layer, greedily, on %d examples", d.Examples),
		"random": "numbers for each layer, at random",
		"evolve": fmt.Sprintf("numbers for each layer, by evolution, on %d examples", d.Examples)}[d.Search]
	if s.Epochs > 0 {
		how = fmt.Sprintf("numbers for each layer, learned in %d epochs", s.Epochs)
	}
	return plan(s, how)
}

// Compress chooses the numbers and rewrites the model.
func (d *DiffRate) Compress(ctx context.Context, s *compress.Subject) (*compress.Result, error) {
	choose := learned(s.Epochs, d.Steps, d.Rate, d.Examples)
	switch {
	case s.Epochs > 0 && d.Search != "learn":
		return nil, compress.Ask("--epochs %d: search=%s has no passes over the data", s.Epochs, d.Search)
	case d.Search == "greedy":
		choose = func(ctx context.Context, w *work) (Schedule, error) {
			return greedy(max(1, d.Tries/(2*max(1, w.t.Layers-w.t.first))), d.Examples)(ctx, w)
		}
	case d.Search == "random":
		choose = func(_ context.Context, w *work) (Schedule, error) { return w.t.random(w.whole, w.target, s.Seed), nil }
	case d.Search == "evolve":
		choose = evolved(d.Tries, d.Examples)
	}
	return compressTokens(ctx, s, ByRank, d.Search, choose)
}
