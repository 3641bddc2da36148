package task

import "fmt"

// setLoss makes the loss called spec, or the usual one of the kind.
func (t *Task) setLoss(spec string) error {
	if spec == "" || spec == "auto" {
		switch {
		case t.Kind == Binary, t.Kind == Multilabel, t.Kind == Dense && t.K == 1, t.Kind == Multiclass && t.sigmoids() && !t.soft:
			spec = "bce"
		case t.Kind == Regression:
			spec = "mse"
		default:
			spec = "cross-entropy"
		}
	}
	name, l, err := NewLoss(spec)
	if err != nil {
		return err
	}
	if _, ok := l.(*CrossEntropy); ok && (t.Kind == Binary || t.Kind == Dense && t.K == 1) {
		// Of one number the cross-entropy is the binary one.
		if spec != name && spec != "ce" {
			return fmt.Errorf("loss cross-entropy: its options are for models with a score for each class, and this one gives one " +
				"number; use bce")
		}
		spec, l = "bce", &BCE{Positive: 1}
	}
	if p, ok := l.(preparer); ok {
		if err := p.prepare(t); err != nil {
			return err
		}
	}
	if err := t.admits(spec, l); err != nil {
		return err
	}
	t.Loss, t.Name = l, spec
	return nil
}

// admits refuses a loss that says nothing about the task.
func (t *Task) admits(spec string, l Loss) error {
	_, kl := l.(*KL)
	switch {
	case l.Classes() && (t.Kind == Multilabel || t.Kind == Regression):
		usual := "bce"
		if t.Kind == Regression {
			usual = "mse, mae or huber"
		}
		return fmt.Errorf("loss %s compares scores with class numbers, and this is a %s task: use %s", spec, t.Kind, usual)
	case kl && !t.soft && t.Kind != Regression:
		return fmt.Errorf("loss %s needs a teacher's distribution as target (npz: y [N,%d]), and the labels are class numbers", spec, t.K)
	case t.Kind == Dense && !l.Classes() && (t.K > 1 || !l.Logits()):
		return fmt.Errorf("loss %s compares numbers, and the labels are classes of positions: use cross-entropy or focal", spec)
	case t.Kind == Regression && l.Logits() && !t.sigmoids() && !kl:
		return fmt.Errorf("loss %s is for labels of 0 and 1, and this is a regression: use mse, mae or huber, or --task multilabel", spec)
	}
	return nil
}
