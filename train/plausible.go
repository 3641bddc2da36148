package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// CheckpointError is a checkpoint that no training of this program can have written as it is: a damaged file, one that was changed, or a
// file of something else.
type CheckpointError struct{ Text string }

// Error says what is wrong.
func (e *CheckpointError) Error() string { return "train: checkpoint: " + e.Text }

func implausible(format string, args ...any) error {
	return &CheckpointError{fmt.Sprintf(format, args...)}
}

// plausible looks at what can be known of a checkpoint without the training that it is of.
func (c *Checkpoint) plausible() error {
	if c.Step > math.MaxInt32 {
		return implausible("it claims %d steps", c.Step)
	}
	for _, n := range c.Tensors {
		if !slices.ContainsFunc([]string{paramPrefix, optimPrefix, bestPrefix, methodPrefix}, func(prefix string) bool {
			return strings.HasPrefix(n.Name, prefix)
		}) {
			return implausible("it has an array %q, which is no part of one", n.Name)
		}
	}
	r := c.record
	if r == nil {
		return nil
	}
	if r.Begun > c.Step || r.Epochs > c.Step || r.Examples < c.Step {
		return implausible("its counts contradict each other: %d steps, %d epochs, the last of them begun at step %d, %d examples", c.Step,
			r.Epochs, r.Begun, r.Examples)
	}
	if len(r.History) != r.Epochs {
		return implausible("it tells of %d epochs, and counts %d", len(r.History), r.Epochs)
	}
	last := 0
	for i, e := range r.History {
		if e.Epoch != i+1 || e.Step <= last || e.Step > c.Step {
			return implausible("its epoch %d is number %d, ending at step %d", i+1, e.Epoch, e.Step)
		}
		last = e.Step
	}
	if g := r.Growth; g != nil && (g.Size < 1 || g.Last < 0 || len(g.Changes) == 0) {
		return implausible("it tells of batches of %d examples after %d, in %d changes", g.Size, g.Last, len(g.Changes))
	}
	if last != r.Begun {
		return implausible("its last epoch ended at step %d, and the next began at %d", last, r.Begun)
	}
	return nil
}

// fits looks at whether a checkpoint with the traits of this training stands at a place in its schedule.
func (f *fit) fits(c *Checkpoint) error {
	if c.Step > f.steps() && f.growth == nil {
		return implausible("it stands at step %d of %d", c.Step, f.steps())
	}
	r := c.record
	if r == nil {
		return nil
	}
	if n := f.ds.Len(); r.place() < 0 || r.place() > n {
		return implausible("it has seen %d examples of its epoch, and there are %d", r.place(), n)
	}
	if f.growth != nil {
		return f.growth.fits(f, r, c.Step)
	}
	ends := func(epochs int) int { return min(epochs*f.batches, f.steps()) }
	if r.Epochs > f.c.Epochs || r.Begun != ends(r.Epochs) || c.Step > ends(r.Epochs+1) {
		return implausible("it stands at step %d, in epoch %d begun at step %d, which this schedule of %d epochs of %d steps does not pass",
			c.Step, r.Epochs+1, r.Begun, f.c.Epochs, f.batches)
	}
	if most := (r.Epochs + 1) * f.ds.Len(); r.Examples > most {
		return implausible("it has seen %d examples by step %d, and there are %d until then", r.Examples, c.Step, most)
	}
	return nil
}

// whole fails when c lacks something that training has changed, or has numbers that are not finite where this training had finite ones.
func (f *fit) whole(c *Checkpoint) error {
	have := map[string]*tensor.Tensor{}
	for _, n := range c.Tensors {
		if have[n.Name] != nil {
			return implausible("it has %q twice", n.Name)
		}
		have[n.Name] = n.Tensor
	}
	for _, p := range f.changed {
		n := paramPrefix + p.Name
		if have[n] == nil && !f.c.Anyway {
			return implausible("%q is missing", n)
		}
		if !finite(p.Value) {
			delete(have, n) // as in the model
			delete(have, bestPrefix+p.Name)
		}
	}
	for _, n := range c.Tensors {
		if have[n.Name] != nil && !finite(n.Tensor) {
			return implausible("%q has NaN or infinity", n.Name)
		}
		if t := n.Tensor; strings.HasPrefix(n.Name, optimPrefix) && strings.HasSuffix(n.Name, "/t") && t.DType() == tensor.Int64 &&
			t.Len() == 1 && !f.c.Anyway && (t.I64()[0] < 0 || t.I64()[0] > int64(c.Step)) {
			return implausible("%q counts %d steps of %d", n.Name, t.I64()[0], c.Step)
		}
	}
	return nil
}

// finite reports whether all numbers of t are.
func finite(t *tensor.Tensor) bool {
	switch {
	case t.DType() == tensor.Float32:
		for _, v := range t.F32() {
			if v-v != 0 {
				return false
			}
		}
	case t.DType().IsFloat():
		for _, v := range t.Float64s() {
			if v-v != 0 {
				return false
			}
		}
	}
	return true
}
