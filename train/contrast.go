package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/task"
)

// Contrast is how the views of a contrastive task are made. A batch of B examples becomes one of len(Views)·B rows, which go through the
// model together; a last batch that is not full is left out.
type Contrast struct {
	Views      []data.Augment // random changes of each view, drawn apart: task.Views.N of them, the global ones first
	Neighbours int            // that have a vote where features are measured by classes; 0: 20
}

func (x *Contrast) neighbours() int {
	if x.Neighbours == 0 {
		return 20
	}
	return x.Neighbours
}

// mayContrast refuses views and batches that the objective cannot compare.
func (f *fit) mayContrast() error {
	x, t := f.c.Contrast, f.c.Task
	switch {
	case x == nil:
		return errors.New("train: a contrastive task needs views (Config.Contrast)")
	case t.Kind != task.Contrastive:
		return fmt.Errorf("train: views are for a contrastive task (task.ForObjective), and this is a %s task", t.Kind)
	case len(x.Views) != t.Views().N:
		return fmt.Errorf("train: the task compares %d views, and %d are given", t.Views().N, len(x.Views))
	case f.c.MicroBatch > 0 || f.c.Growth != nil:
		return fmt.Errorf("train: %s compares all examples of a batch with each other: its batches do not go in parts, nor do they grow", t.Name)
	case x.Neighbours < 0:
		return fmt.Errorf("train: %d neighbours: want at least one", x.Neighbours)
	case f.c.BatchSize < t.Least():
		return fmt.Errorf("train: %s compares each example with others of its batch: it needs at least %d, and there are %d; give a larger "+
			"--batch-size, more data, or less to compare with (groco:topk=…)", t.Name, t.Least(), f.c.BatchSize)
	}
	same := !f.c.Dropout || !slices.ContainsFunc(f.m.Graph().Nodes, func(n *graph.Node) bool { return n.Op.Name == ops.Dropout.Name })
	for _, a := range x.Views {
		if err := a.Fits(f.ds); err != nil {
			return fmt.Errorf("train: %w", err)
		}
		if mixes, _ := a.Mixes(); mixes {
			return fmt.Errorf("train: augmentation %s mixes examples, and a view is of one", a)
		}
		same = same && a.None()
	}
	if same {
		return errors.New("train: both views of an example are the same: give --augment what changes the data at random, or --dropout " +
			"where the model has it")
	}
	if fixed := f.m.Batch(); fixed > 0 && fixed != len(x.Views)*f.c.BatchSize {
		return fmt.Errorf("train: %s compares all examples of a batch at once, and the model takes %d rows at a time only: give a --batch-size "+
			"that with %d views comes to that, or export the model with a free batch axis", t.Name, fixed, len(x.Views))
	}
	return nil
}

// read is the batches of an epoch.
func (f *fit) read(ctx context.Context, size int, o data.BatchOptions) iter.Seq2[*data.Batch, error] {
	if f.c.Contrast != nil {
		return data.Views(ctx, f.ds, f.sampler, size, o, f.c.Contrast.Views)
	}
	if f.c.Restore != nil {
		return f.patches(ctx, size, o)
	}
	return data.Batches(ctx, f.ds, f.sampler, size, o)
}

// examplesIn is how many examples b has, however many views of each.
func (f *fit) examplesIn(b *data.Batch) int {
	if f.c.Contrast != nil {
		return b.Len() / len(f.c.Contrast.Views)
	}
	if f.c.Restore != nil {
		return b.Len() / f.c.Restore.Patches.Objective.Rows()
	}
	return b.Len()
}

// evaluator measures a model, again and again.
type evaluator interface {
	Run(context.Context) (*Evaluation, error)
}

// evaluator is that of the validation data.
func (f *fit) evaluator(ctx context.Context) (evaluator, error) {
	c := f.c
	if c.Restore != nil {
		return NewRestoreEvaluator(f.m, c)
	}
	if c.Contrast != nil {
		return NewFeatureEvaluator(f.m, f.ds, c.Val, FeatureConfig{Task: c.Task, Feed: c.Feed, Contrast: c.Contrast, Preprocess: c.Preprocess,
			BatchSize: c.BatchSize, EvalBatch: c.ValBatch, Seed: c.Seed})
	}
	return NewEvaluator(ctx, f.m, c.Val, EvalConfig{Task: c.Task, Feed: c.Feed, BatchSize: c.ValBatch, Preprocess: c.Preprocess})
}

// trait knows the views by what they change.
func (x *Contrast) trait() Trait {
	h := sha256.New()
	names := ""
	for _, a := range x.Views {
		fmt.Fprintf(h, "%q", a)
		names += " [" + a.String() + "]"
	}
	return Trait{"changes of views", fmt.Sprintf("%d:%s", len(x.Views), names), hex.EncodeToString(h.Sum(nil))}
}
