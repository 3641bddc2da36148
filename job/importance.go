package job

import (
	"cmp"
	"strconv"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/train"
)

// Importance says how examples are drawn by their gradients (train.Importance).
type Importance struct {
	Floor     float64 // share of all examples alike; 0 means 0.1, negative none
	Unbiased  bool    // weight the losses so that the mean gradient stays that of all examples alike
	MaxWeight float64 // most of these weights; 0 means 10
}

// config is what package train takes.
func (i *Importance) config() *train.Importance {
	if i == nil {
		i = &Importance{}
	}
	return &train.Importance{Floor: max(0, cmp.Or(i.Floor, 0.1)), Unbiased: i.Unbiased, MaxWeight: cmp.Or(i.MaxWeight, 10)}
}

// mayChoose refuses drawing by importance where it does not fit the rest of the training.
func (t *trainee) mayChoose(o TrainOptions) error {
	a, err := data.ParseAugment(o.Augment)
	if err != nil {
		return usagef("--augment: %v", err)
	}
	mixes, _ := a.Mixes()
	name, evaluates := o.evaluates()
	x := o.Importance.config()
	switch {
	case o.KeepOrder:
		return usagef("--sampler importance has an order of its own: it goes without --shuffle=false")
	case evaluates:
		return usagef("--sampler importance goes by the gradients of single examples, and %s evaluates the loss itself: take another rule",
			name)
	case mixes:
		return usagef("--sampler importance --augment %s: a gradient of examples that are mixed is that of none of them: leave one out",
			o.Augment)
	case !(x.Floor <= 1):
		return usagef("--importance-floor %v: want a share of 0 to 1", x.Floor)
	case !(x.MaxWeight > 0):
		return usagef("--max-weight %v: want a positive number", x.MaxWeight)
	case t.train.Len() < 2:
		return usagef("--sampler importance: there is nothing to choose among fewer than two examples")
	}
	return nil
}

// traits are the options that the result depends on, by the names of their flags.
func (i *Importance) traits(add func(name, value string)) {
	x := i.config()
	add("importance-floor", strconv.FormatFloat(x.Floor, 'g', -1, 64))
	add("unbiased", strconv.FormatBool(x.Unbiased))
	add("max-weight", strconv.FormatFloat(x.MaxWeight, 'g', -1, 64))
}
