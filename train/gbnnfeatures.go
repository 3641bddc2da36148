package train

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/gbnn"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// boosted is what boosting knows of a data set: its features, which the frozen part of the model gave once, and its truth.
type boosted struct {
	features gbnn.Features
	y        []float64 // [N,D], as the loss takes it
	sum      []float64 // Σ of the units so far, [N,D]
}

// featurePass runs the frozen part of the model over ds once and keeps what the units read.
func (b *boosting) featurePass(ctx context.Context, ds data.Dataset) (*boosted, error) {
	s, err := b.m.Session(engine.Query{Fetch: []string{b.g.Features}})
	if err != nil {
		return nil, err
	}
	b.f.s = s
	n := ds.Len()
	what := fmt.Sprintf("keeping the features of %d examples", n)
	rows, err := tensor.Make(what, tensor.Float32, n, b.g.Width)
	if err != nil {
		return nil, fmt.Errorf("train: gbnn: %w", err)
	}
	held, err := tensor.Make("keeping what is true of them", tensor.Float64, 4, n, b.d) // truth and sum here, values and residuals in a step
	if err != nil {
		return nil, fmt.Errorf("train: gbnn: %w", err)
	}
	numbers := tensor.Data[float64](held)
	x := &boosted{features: gbnn.Features{X: rows.F32(), N: n, F: b.g.Width}, y: numbers[: 0 : n*b.d], sum: numbers[n*b.d : 2*n*b.d]}
	t := b.f.c.Task
	o := data.BatchOptions{Preprocess: b.f.c.Preprocess, Masks: t.Masks()}
	size := b.f.c.ValBatch
	if size == 0 {
		size = 64
	}
	done := 0
	for batch, err := range data.Batches(ctx, ds, data.Sequential(n), size, o) {
		if err != nil {
			return nil, err
		}
		truth, err := t.Truth(batch)
		if err != nil {
			return nil, fmt.Errorf("train: gbnn: %w", err)
		}
		if x.y, err = b.truths(x.y, truth, batch); err != nil {
			return nil, err
		}
		err = b.f.c.Feed.Run(ctx, s, batch, feed.Rows{}, func(p feed.Part) error {
			v := p.Value(b.g.Features)
			if v.Rank() == 0 || v.Len() != p.Size*b.g.Width {
				return fmt.Errorf("train: gbnn: features %q are %v for %d examples, want %d of each", b.g.Features, v, p.Size, b.g.Width)
			}
			real, err := v.Convert(tensor.Float32)
			if err != nil {
				return err
			}
			copy(rows.F32()[(done+p.Lo)*b.g.Width:(done+p.Hi)*b.g.Width], real.F32())
			return nil
		})
		if err != nil {
			return nil, err
		}
		done += batch.Len()
		if b.c.Progress != nil {
			b.c.Progress(batch.Len())
		}
	}
	for i, v := range x.features.X {
		if v-v != 0 {
			return nil, fmt.Errorf("train: gbnn: feature %d of example %q is %v: look at the data, and at the model, whose features these are",
				i%b.g.Width, ds.ID(i/b.g.Width), v)
		}
	}
	return x, nil
}

// truths appends the truth of a batch as the loss takes it: ±1, one-hot rows or values.
func (b *boosting) truths(y []float64, truth *task.Truth, batch *data.Batch) ([]float64, error) {
	_, binary := b.loss.(gbnn.Binary)
	if truth.Labels == nil { // values, any number of which is one, or distributions
		return append(y, truth.Target...), nil
	}
	for i, label := range truth.Labels {
		if label == task.Ignored {
			return nil, fmt.Errorf("train: gbnn: example %q has no class: leave it out of the data", batch.IDs[i])
		}
		if binary {
			y = append(y, float64(2*label-1))
			continue
		}
		for k := range b.d {
			y = append(y, float64(b2i(int(label) == k)))
		}
	}
	return y, nil
}
