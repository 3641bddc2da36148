package science

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	register(Recipe{
		Name: "diffrate", Title: "DiffRate against uniform merging, uniform pruning and random rates", Paper: "https://arxiv.org/abs/2305.17997",
		Question: "With as many operations left, is a vision transformer better when it learned how many tokens each layer leaves out and " +
			"merges?",
		Seeds: 3, Run: diffRate,
	})
}

// tokenShares are the shares of the operations that are left.
var tokenShares = []float64{0.6, 0.45}

// diffRate compresses transformers that were trained from different seeds.
func diffRate(ctx context.Context, l *Lab) error {
	b, err := openBench(l, "digits#train", "digits#test")
	if err != nil {
		return err
	}
	b.pre.ImageSize = [2]int{64, 64} // 16 patches, each of which has 2×2 pixels of a digit
	arms := []struct{ name, spec string }{
		{"pruned, the same number in each layer", "prune"}, {"merged, the same number in each layer (ToMe)", "tome"},
		{"random numbers", "diffrate:search=random"}, {"learned (DiffRate)", "diffrate:steps=120"},
		{"greedy", "diffrate:search=greedy:examples=128:tries=48"}, {"evolution", "diffrate:search=evolve:examples=128:tries=48"},
	}
	type row struct{ macs, accuracy, loss, faster, seconds []float64 }
	dense, got := row{}, make([][]row, len(tokenShares))
	for k := range got {
		got[k] = make([]row, len(arms))
	}
	for _, seed := range l.Seeds {
		l.Progress("training, seed %d", seed)
		fresh, err := models.New("vit_tiny", models.Options{ImageSize: 64, Channels: 1, Classes: 10, Layers: 6, Seed: seed})
		if err != nil {
			return err
		}
		file, err := b.fit(ctx, fresh, 5e-4, 15, seed, nil)
		if err != nil {
			return err
		}
		j, err := b.judge(ctx, file)
		if err != nil {
			return err
		}
		whole := float64(j.macs)
		dense.accuracy, dense.loss = append(dense.accuracy, j.accuracy), append(dense.loss, j.loss)
		for k, share := range tokenShares {
			for i, arm := range arms {
				l.Progress("%g of the operations, %s, seed %d", share, arm.name, seed)
				start := time.Now()
				res, err := b.compress(ctx, file, arm.spec, share, seed)
				if err != nil {
					return fmt.Errorf("%s: %w", arm.name, err)
				}
				r := &got[k][i]
				r.seconds = append(r.seconds, time.Since(start).Seconds())
				j, err := b.judge(ctx, res.File)
				if err != nil {
					return err
				}
				faster, err := l.faster(ctx, file, res.File, 8)
				if err != nil {
					return err
				}
				r.macs, r.accuracy, r.loss = append(r.macs, float64(j.macs)/whole), append(r.accuracy, j.accuracy), append(r.loss, j.loss)
				r.faster = append(r.faster, faster)
			}
		}
	}
	t := Table{Title: "vit_tiny of 6 layers on digits at 64×64 (17 tokens), on the test data", Columns: []string{"to be left", "arm",
		"operations left, %", "accuracy, %", "loss", "times faster, 8 at a time", "seconds to choose"}}
	t.Row(Word("1"), Word("as it is"), Word("100"), Percent(2, dense.accuracy), Mean(4, dense.loss), Word("1"), Word(""))
	for k, share := range tokenShares {
		for i, arm := range arms {
			r := got[k][i]
			t.Row(Word(fmt.Sprint(share)), Word(arm.name), Percent(1, r.macs), Percent(2, r.accuracy), Mean(4, r.loss), Mean(2, r.faster),
				Mean(1, r.seconds))
		}
	}
	l.Table(t)
	const learned = 3
	for k, share := range tokenShares {
		said := fmt.Sprintf("With %g of the operations, paired by seed (95 %% interval of the differences), the learned numbers", share)
		for n, i := range []int{0, 1, 2, 4, 5} {
			a, c := got[k][learned], got[k][i]
			verdict := map[int]string{1: "have a higher loss than", -1: "have a lower loss than",
				0: "are not told apart by loss from"}[Differs(a.loss, c.loss)]
			said += []string{" ", "; they ", "; they ", "; they ", "; they "}[n] + verdict + " those that are " + arms[i].name
		}
		l.Say("%s.", said)
	}
	l.Say("Weights are as they were trained; nothing is fine-tuned. Learning has 120 steps on batches of 32, greedy and evolution compare " +
		"about 48 schedules on 128 examples, all of the training data. ToMe halves the patches of a layer at most. Times are gtk's own, the " +
		"best of 15 runs " +
		"of each in turn. The paper's claim is about ImageNet, where patches are many and most of them background; here there are 16.")
	return nil
}

// faster is how many times faster the file b runs than a, n examples at a time: best times, run in turn.
func (l *Lab) faster(ctx context.Context, a, b *onnx.Model, n int) (float64, error) {
	var runs [2]*engine.Session
	var feeds [2]map[string]*tensor.Tensor
	for i, f := range []*onnx.Model{a, b} {
		m, err := engine.Load(f, engine.WithThreads(l.Threads))
		if err != nil {
			return 0, err
		}
		defer m.Close()
		if runs[i], err = m.Session(engine.Query{}); err != nil {
			return 0, err
		}
		feeds[i] = map[string]*tensor.Tensor{}
		for k, in := range m.Inputs() {
			feeds[i][in.Name] = tensor.New(in.DType, m.Sizes(n)[k]...)
		}
	}
	best := [2]time.Duration{math.MaxInt64, math.MaxInt64}
	for range 15 {
		for i := range runs {
			start := time.Now()
			if _, err := runs[i].Run(ctx, feeds[i]); err != nil {
				return 0, err
			}
			best[i] = min(best[i], time.Since(start))
		}
	}
	return float64(best[0]) / float64(best[1]), nil
}
