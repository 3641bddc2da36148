package train

import (
	"errors"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/task"
)

// balance has an epoch show each class equally often.
func (f *fit) balance() error {
	if k := f.c.Task.Kind; k != task.Multiclass && k != task.Binary {
		return fmt.Errorf("train: classes are balanced where each example has one, and this is a %s task", k)
	}
	if !f.c.Shuffle {
		return errors.New("train: balanced classes come in an order of their own, not in that of the data")
	}
	s := data.Balanced(f.ds, f.c.Seed)
	if s == nil {
		return errors.New("train: classes are balanced by class numbers of the examples, and these have distributions as targets")
	}
	f.sampler = s
	return nil
}
