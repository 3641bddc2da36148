package train

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/gtk-onnx/gtk/internal/whole"
	"github.com/gtk-onnx/gtk/tensor"
)

// Checkpoint is everything that continuing a training needs: the step, what training has changed of the model, the optimiser's state, the
// best epoch, and the record of what happened. Order of data, augmentation and dropout follow from seed and step.
type Checkpoint struct {
	Step    int
	Tensors []tensor.Named // "param/NAME", "optim/NAME", "method/NAME", and "best/NAME" of a best epoch that is over

	record *record // nil in a file that does not say of which run it is
}

// History is the epochs that were finished, nil in a file that does not say.
func (c *Checkpoint) History() []EpochReport {
	if c.record == nil {
		return nil
	}
	return c.record.history()
}

// Prefixes of Checkpoint.Tensors.
const (
	paramPrefix = "param/"
	optimPrefix = "optim/"
	bestPrefix  = "best/"

	methodPrefix = "method/" // what a way of training remembers beside parameters
)

// checkpoint is the present state. Its tensors are those that training goes on changing.
func (f *fit) checkpoint() *Checkpoint {
	c := &Checkpoint{Step: f.step, record: f.makeRecord()}
	for _, p := range f.changed {
		c.Tensors = append(c.Tensors, tensor.Named{Name: paramPrefix + p.Name, Tensor: p.Value})
	}
	for name, t := range f.c.Optimizer.State() {
		c.Tensors = append(c.Tensors, tensor.Named{Name: optimPrefix + name, Tensor: t})
	}
	if f.state != nil {
		c.Tensors = append(c.Tensors, f.state()...)
	}
	if f.judge != nil && f.judge.best != nil && f.judge.best.Step != f.step {
		for _, k := range f.judge.best.kept {
			c.Tensors = append(c.Tensors, tensor.Named{Name: bestPrefix + k.Name, Tensor: k.Tensor})
		}
	}
	return c
}

// restore puts the model and the optimiser in the state of c, and f at its place.
func (f *fit) restore(c *Checkpoint) error {
	if err := f.related(c); err != nil {
		return err
	}
	if err := f.whole(c); err != nil {
		return err
	}
	if c.record != nil && !f.c.Anyway {
		if err := f.fits(c); err != nil {
			return err
		}
	}
	if err := f.restoreParams(c); err != nil {
		return err
	}
	if err := f.importance.restore(c); err != nil {
		return err
	}
	err := f.c.Optimizer.Restore(f.joined(c), func(yield func(string, *tensor.Tensor) bool) {
		for _, n := range c.Tensors {
			if name, ok := strings.CutPrefix(n.Name, optimPrefix); ok && !yield(name, n.Tensor) {
				return
			}
		}
	})
	switch {
	case err != nil && f.c.Anyway:
		f.note("the optimiser begins afresh: what the checkpoint has of it does not fit")
	case err != nil:
		return err
	}
	f.step = c.Step
	if c.record == nil {
		f.epochs = f.step / f.batches
		f.begun, f.examples = f.epochs*f.batches, f.step*f.c.BatchSize
		f.place = (f.step - f.begun) * f.c.BatchSize
		return nil
	}
	c.record.restore(f)
	return f.restoreBest(c)
}

// related fails unless c is a checkpoint of this very training, or it is to be taken anyway.
func (f *fit) related(c *Checkpoint) error {
	e := &ResumeError{}
	if c.record != nil {
		if e.Differ = compare(c.record.Traits, f.traits); e.Differ == nil {
			return nil
		}
	}
	if !f.c.Anyway {
		return e
	}
	f.note("%s; it is continued all the same, and the result is that of no single run", strings.TrimPrefix(e.Error(), "train: "))
	return nil
}

func (f *fit) restoreParams(c *Checkpoint) error {
	for _, n := range c.Tensors {
		name, ok := strings.CutPrefix(n.Name, paramPrefix)
		if !ok {
			continue
		}
		p, err := f.m.Param(name)
		if err != nil {
			return fmt.Errorf("train: checkpoint: %w", err)
		}
		if p.Value.DType() != n.Tensor.DType() || !p.Value.Shape().Equal(n.Tensor.Shape()) {
			return implausible("parameter %q is %v, the model has %v", name, n.Tensor, p.Value)
		}
		copy(p.Value.Bytes(), n.Tensor.Bytes())
	}
	f.m.Changed()
	return nil
}

// restoreBest finds the best epoch again, by the history and the tensors that were kept of it.
func (f *fit) restoreBest(c *Checkpoint) error {
	if f.judge == nil {
		return nil
	}
	for i, r := range f.res.History {
		if r.Val != nil {
			f.res.History[i].Best = f.judge.see(r)
		}
	}
	b := f.judge.best
	if b == nil {
		return nil
	}
	err := f.averaged(func() error {
		b.keep(f.changed)
		return nil
	})
	if err != nil {
		return err
	}
	if b.Step == f.step {
		return nil
	}
	for _, k := range b.kept {
		i := slices.IndexFunc(c.Tensors, func(n tensor.Named) bool { return n.Name == bestPrefix+k.Name })
		if i < 0 || c.Tensors[i].Tensor.DType() != k.Tensor.DType() || !c.Tensors[i].Tensor.Shape().Equal(k.Tensor.Shape()) {
			if f.c.Anyway {
				f.note("the best epoch so far, %d, is forgotten: what the checkpoint has of it does not fit", b.Epoch)
				f.judge.best = nil
				return nil
			}
			return fmt.Errorf("train: checkpoint: nothing that fits is kept of %q in the best epoch", k.Name)
		}
		copy(k.Tensor.Bytes(), c.Tensors[i].Tensor.Bytes())
	}
	return nil
}

// names of the parts of a file that are no tensors of a Checkpoint.
const (
	stepName   = "step"   // int64
	recordName = "record" // uint8 [N]: JSON
)

// Write stores c as an NPZ file, which appears whole or not at all.
func (c *Checkpoint) Write(path string) error {
	all := []tensor.Named{{Name: stepName, Tensor: tensor.Scalar(int64(c.Step))}}
	if c.record != nil {
		b, err := c.record.encode()
		if err != nil {
			return fmt.Errorf("train: checkpoint: %w", err)
		}
		all = append(all, tensor.Named{Name: recordName, Tensor: tensor.From(b, len(b))})
	}
	all = append(all, c.Tensors...)
	if err := whole.Write(path, func(f io.Writer) error { return tensor.WriteNPZ(f, all) }); err != nil {
		return fmt.Errorf("train: checkpoint: %w", err)
	}
	return nil
}

// ReadCheckpoint reads what Write wrote. A file that Write cannot have written is a *CheckpointError, or the error of reading an npz.
func ReadCheckpoint(path string) (*Checkpoint, error) {
	ts, err := tensor.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("train: checkpoint: %w", err)
	}
	quoted := strconv.Quote(path)
	c := &Checkpoint{Step: -1}
	for _, n := range ts {
		switch {
		case n.Name == stepName && n.Tensor.Len() == 1 && n.Tensor.DType() == tensor.Int64:
			c.Step = int(n.Tensor.I64()[0])
		case n.Name == recordName && n.Tensor.DType() == tensor.Uint8:
			if c.record, err = decodeRecord(n.Tensor.Bytes()); err != nil {
				return nil, implausible("%s: %v", quoted, err)
			}
		default:
			c.Tensors = append(c.Tensors, n)
		}
	}
	if c.Step < 0 {
		return nil, implausible("%s has no step: it is not a checkpoint, or not a whole one", quoted)
	}
	if err := c.plausible(); err != nil {
		return nil, implausible("%s: %s", quoted, strings.TrimPrefix(err.Error(), "train: checkpoint: "))
	}
	return c, nil
}
