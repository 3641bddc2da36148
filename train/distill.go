package train

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// Teacher is a model whose classes are learned from beside the truth. It is given each batch as the model is, after random changes, and
// is not trained.
type Teacher struct {
	Model *engine.Model
	Feed  *feed.Plan // of Model, for the same examples
	Task  *task.Task // of Model
	task.Distil

	s *engine.Session
}

// check compiles the teacher and refuses one that does not fit the task t of the model that learns.
func (x *Teacher) check(t *task.Task) error {
	switch {
	case !(x.Temperature > 0) || math.IsInf(x.Temperature, 0):
		return fmt.Errorf("train: distillation: temperature %v: want a positive number", x.Temperature)
	case !(x.Weight > 0 && x.Weight <= 1):
		return fmt.Errorf("train: distillation: weight %v: want a number above 0, at most 1", x.Weight)
	}
	if err := x.Task.Teaches(t); err != nil {
		return fmt.Errorf("train: distillation: %w", err)
	}
	var err error
	x.s, err = x.Model.Session(engine.Query{Fetch: []string{x.Task.Fetch()}, Derive: x.Task.Scores()})
	return err
}

// rows adds what the teacher says of b to what the session of the model takes.
func (x *Teacher) rows(ctx context.Context, b *data.Batch, truth *task.Truth, r feed.Rows) (feed.Rows, error) {
	var all *tensor.Tensor
	err := x.Feed.Run(ctx, x.s, b, feed.Rows{}, func(p feed.Part) (err error) {
		all, err = feed.Gather(all, task.TeacherInput, p.Value(task.TeacherInput), p, b.Len())
		return err
	})
	if err != nil {
		return r, fmt.Errorf("train: the teacher: %w", err)
	}
	w := truth.TeacherWeights()
	if all, err = all.Convert(w.DType()); err != nil {
		return r, err
	}
	if all.Rank() == 3 && all.Dim(2) != w.Dim(1) {
		return r, fmt.Errorf("train: the teacher scores %d positions of an example, and %d have labels", all.Dim(2), w.Dim(1))
	}
	r.Same[task.TeacherInput], r.Weight[task.TeacherWeightInput] = all, w
	return r, nil
}

// trait knows the teacher by its content.
func (x *Teacher) trait() Trait {
	h := sha256.New()
	digestModel(h, x.Model)
	return Trait{"distill", fmt.Sprintf("a teacher of %d nodes, temperature %g, weight %g",
		len(x.Model.File().Proto.GetGraph().GetNode()), x.Temperature, x.Weight), hex.EncodeToString(fmt.Appendf(h.Sum(nil), " %g %g",
		x.Temperature, x.Weight))}
}
