package train

import (
	"fmt"

	"github.com/gtk-onnx/gtk/task"
)

// mayAugment refuses random changes that say nothing about the data or the task, and makes the task one of mixtures where examples are
// mixed.
func (f *fit) mayAugment() error {
	if f.c.Task.Kind == task.Contrastive || f.c.Contrast != nil {
		return f.mayContrast()
	}
	if f.c.Task.Kind == task.Restoration || f.c.Restore != nil {
		return f.mayRestore()
	}
	a := f.c.Augment
	if err := a.Fits(f.ds); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	mixes, whole := a.Mixes()
	if !mixes {
		return nil
	}
	t, err := f.c.Task.Mixed(whole)
	if err != nil {
		return fmt.Errorf("train: augmentation %s: %w", a, err)
	}
	f.c.Task = t
	return nil
}
