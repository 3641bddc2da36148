package train

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/optim"
)

// keepStatistics copies the running statistics of batch normalisation before the first of two passes, for a step that comes to nothing.
func (f *fit) keepStatistics() {
	if _, ok := f.c.Optimizer.Evaluation().(*optim.SAM); ok {
		f.before = f.statistics()
	}
}

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

// again makes the gradients of a batch anew, at the weights as they are, with the dropout masks of the first pass. Running statistics of
// batch normalisation are then those that the first pass left: they describe the weights that are kept, not those that optim.SAM looks at.
// Where it fails they are those from before the step.
func (f *fit) again(ctx context.Context, b *data.Batch, rows feed.Rows) error {
	first := f.statistics()
	f.m.Changed(f.c.Params...)
	mean, err := f.backward(ctx, b, rows, func(feed.Part) error { return nil })
	if err != nil {
		f.setStatistics(f.before)
		return err
	}
	f.setStatistics(first)
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return f.diverged(f.step+1, fmt.Sprintf("the loss at the weights that sam looks at is not finite (%v): a smaller --sam may help", mean),
			nil)
	}
	return nil
}
