package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/feed"
)

// statistics are copies of the running statistics that training changes.
func (f *fit) statistics() (all [][]byte) {
	for _, p := range f.changed[len(f.params):] {
		all = append(all, slices.Clone(p.Value.Bytes()))
	}
	return all
}

func (f *fit) setStatistics(all [][]byte) {
	for i, p := range f.changed[len(f.params):] {
		copy(p.Value.Bytes(), all[i])
	}
}

// again makes the gradients of the batch whose last part is b anew, at the weights as they are, with the dropout masks of the first pass.
// Running statistics of batch normalisation are then those that the first pass left: they describe the weights that are kept, not those
// that optim.SAM looks at. Where it fails the step is abandoned.
func (f *fit) again(ctx context.Context, b *data.Batch) error {
	left := f.statistics()
	f.m.Changed(f.c.Params...)
	alone, first := f.now.alone(b), true
	err := f.repeat(ctx, b, func(b *data.Batch, rows feed.Rows, terms float64) error {
		mean, err := f.backward(ctx, f.s, b, rows, func(feed.Part) error { return nil })
		if err != nil {
			return err
		}
		if math.IsNaN(mean) || math.IsInf(mean, 0) {
			return f.diverged(f.step+1, fmt.Sprintf("the loss at the weights that sam looks at is not finite (%v): a smaller --sam may help",
				mean), nil)
		}
		if !alone {
			f.accumulate(first, terms)
			first = false
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !alone {
		f.average(f.now.terms)
	}
	f.setStatistics(left)
	return nil
}
