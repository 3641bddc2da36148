package job_test

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/explain"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/models"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/prune"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
	"github.com/gtk-onnx/gtk/train"
)

// photos are as many random tensors of a picture's size, all of class 0 or 1.
type photos []*tensor.Tensor

func (p photos) Len() int          { return len(p) }
func (p photos) ID(i int) string   { return strconv.Itoa(i) }
func (p photos) Label(i int) int   { return i % 2 }
func (p photos) Classes() []string { return nil }
func (p photos) Example(i int) (data.Example, error) {
	return data.Example{ID: p.ID(i), X: p[i], Label: p.Label(i)}, nil
}

// BenchmarkBesideInference measures what is done with the backbone of a ResNet-18 as it is, against inference on the same examples:
// "inferences" is the median of the ratios of runs that take turns.
func BenchmarkBesideInference(b *testing.B) {
	const n, batch = 96, 16
	ctx := context.Background()
	file, err := models.New("resnet18", models.Options{})
	if err != nil {
		b.Fatal(err)
	}
	m, err := engine.Load(file)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Pool().Close()
	var ds photos
	for i := range n {
		ds = append(ds, testkit.RandN(uint64(i), 3, 224, 224))
	}
	plan, err := feed.For(m, ds, feed.Options{})
	if err != nil {
		b.Fatal(err)
	}
	what, err := task.Of(ctx, plan, ds, task.Options{})
	if err != nil {
		b.Fatal(err)
	}
	s, err := m.Session(engine.Query{Fetch: []string{what.Fetch()}})
	if err != nil {
		b.Fatal(err)
	}
	var batches []*data.Batch
	for x, err := range data.Batches(ctx, ds, data.Sequential(n), batch, data.BatchOptions{}) {
		if err != nil {
			b.Fatal(err)
		}
		batches = append(batches, x)
	}
	infer := func() error {
		for _, x := range batches {
			if err := plan.Run(ctx, s, x, feed.Rows{}, func(feed.Part) error { return nil }); err != nil {
				return err
			}
		}
		return nil
	}
	const epochs = 3
	for _, c := range []struct {
		name string
		n    int // passes over the data
		work func() error
	}{
		{"last-layer", epochs, func() error {
			last, err := train.Select(m, nil, true)
			if err != nil {
				return err
			}
			rule, err := optim.New("adam", optim.Config{})
			if err != nil {
				return err
			}
			_, err = train.Fit(ctx, m, ds, train.Config{Epochs: epochs, BatchSize: batch, Optimizer: rule, Schedule: optim.Constant(1e-3),
				Params: last, Task: what, Feed: plan})
			return err
		}},
		{"el2n", 1, func() error {
			_, err := prune.Score(ctx, m, prune.EL2N{}, ds, prune.ScoreConfig{Task: what, Feed: plan, BatchSize: batch})
			return err
		}},
		{"gradcam", 1, func() error {
			e, err := explain.New(m, explain.Config{Requests: []explain.Request{{Method: "gradcam"}}, Batch: batch})
			if err != nil {
				return err
			}
			for _, x := range batches {
				if _, err := e.Explain(ctx, map[string]*tensor.Tensor{m.Inputs()[0].Name: x.X}); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var ratios []float64
			for b.Loop() {
				var took [2]time.Duration
				for i, f := range []func() error{infer, c.work} {
					start := time.Now()
					if err := f(); err != nil {
						b.Fatal(err)
					}
					took[i] = time.Since(start)
				}
				ratios = append(ratios, float64(took[1])/float64(took[0])/float64(c.n))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "inferences")
		})
	}
}
