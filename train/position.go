package train

import (
	"github.com/gtk-onnx/gtk/data"
)

// left is how many batches of the present size are left in the present epoch.
func (f *fit) left() int { return data.NumBatches(f.ds.Len()-f.place, f.size, f.c.batching(0)) }

// steps is the number of steps of the whole training; where batches grow, if they stayed as they are now.
func (f *fit) steps() int {
	if f.growth == nil {
		return f.c.Steps(f.ds.Len())
	}
	n := f.step + f.left() + (f.c.Epochs-f.epochs-1)*data.NumBatches(f.ds.Len(), f.size, f.c.batching(0))
	if f.c.MaxSteps > 0 {
		n = min(n, f.c.MaxSteps)
	}
	return n
}

// batching says how the rest of the present epoch is cut, after so many examples.
func (f *fit) batching(place int) data.BatchOptions {
	o := f.c.batching(f.epochs)
	o.Start, o.Part, o.Masks = place, f.c.MicroBatch, f.c.Task.Masks()
	return o
}

// next is the learning rate of the next step, on a batch of n examples. Where batches grow the schedule counts examples, and a step has
// the rate of the one in its middle.
func (f *fit) next(n int) float64 {
	if f.growth == nil {
		return f.c.Schedule.LR(f.step+1, f.steps())
	}
	return f.c.Schedule.LR(f.examples+(n+1)/2, f.c.Epochs*f.ds.Len())
}

// lr is the learning rate of the last step.
func (f *fit) lr() float64 {
	if f.growth == nil {
		return f.c.Schedule.LR(max(1, f.step), f.steps())
	}
	return f.rate
}
