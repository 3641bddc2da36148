package job

import (
	"cmp"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/train"
)

// MeZO is the TrainOptions.Optimizer that descends along gradients estimated from two forward passes (optim.MeZO).
const MeZO = "mezo"

// trainable says what may be trained: with MeZO, what no gradient reaches too.
func (o TrainOptions) trainable() []engine.Option {
	list := []engine.Option{engine.WithTrainable(o.Trainable...)}
	if o.Optimizer == MeZO {
		list = append(list, engine.ForwardOnly())
	}
	return list
}

// evaluates reports whether the optimiser evaluates the loss itself, and says how it is called.
func (o TrainOptions) evaluates() (name string, does bool) {
	name = cmp.Or(o.Optimizer, "adam")
	if info, err := optim.Lookup(name); err == nil && info.Evaluates != "" {
		return "--optimizer " + name, true
	}
	return "--sam", o.Rule["sam"] != ""
}

// fullBatch reports whether the optimiser wants all examples in each step.
func (o TrainOptions) fullBatch() bool {
	info, err := optim.Lookup(cmp.Or(o.Optimizer, "adam"))
	return err == nil && info.FullBatch
}

// movesAll refuses, for an optimiser that evaluates the loss itself, what changes a gradient or leaves parameters behind.
func (c FinetuneConfig) movesAll() error {
	name, does := c.evaluates()
	switch {
	case does && c.TrAct != nil:
		return usagef("--tract: TrAct changes a gradient that %s evaluates itself: leave one of the two out", name)
	case c.Distill != nil && (c.Rule["gns-hessian"] == "wgn" || c.Rule["gns-hessian"] == "fisher"):
		return usagef("--gns-hessian %s is of the loss of the task, without a teacher: take ggn with --distill", c.Rule["gns-hessian"])
	case c.ClassWeights != "" && c.Rule["gns-hessian"] == "wgn":
		return usagef("--gns-hessian wgn is of the cross-entropy without weights of classes: take ggn with --class-weights")
	case does && c.Growth != nil && c.fullBatch():
		return usagef("--batch-adapt: %s takes all examples in each step, so that no batch is left to grow: leave one of the two out", name)
	case does && c.Contrast != nil && c.fullBatch():
		return usagef("--objective: %s compares steps with each other, and views are drawn anew in each epoch: take an optimiser such as adam",
			name)
	case does && c.UnfreezeEvery > 0 && name != "--sam":
		return usagef("%s moves all parameters together: leave out --unfreeze-every, or say what is trained by --freeze", name)
	}
	return nil
}

// mayWeigh refuses the weighted Gauss-Newton matrix of another loss than it is of.
func (c FinetuneConfig) mayWeigh(t *task.Task) error {
	if name := cmp.Or(c.Optimizer, "adam"); name != "gns" || c.Rule["gns-hessian"] != "wgn" {
		return nil
	}
	if _, ok := t.Loss.(*task.CrossEntropy); ok && t.Kind == task.Multiclass {
		return nil
	}
	return usagef("--gns-hessian wgn is of the cross-entropy of one class of several an example, and this is a %s task with the loss %s: "+
		"take ggn",
		t.Kind, t.Name)
}

// mayEvaluate refuses what an optimiser that evaluates the loss itself cannot be given, by the names of the flags.
func (o TrainOptions) mayEvaluate(cfg *train.Config) error {
	name := cmp.Or(o.Optimizer, "adam")
	info, err := optim.Lookup(name)
	if err != nil || info.Evaluates == "" {
		return nil
	}
	switch {
	case cfg.BN == engine.BNTrain:
		return usagef("--optimizer %s: statistics of the batch cannot be trained, for they change with each evaluation: give --bn frozen", name)
	case info.FullBatch && cfg.BatchSize != All:
		return usagef("--optimizer %s: it compares the loss before and after a step over the same examples, all of them: give --batch-size "+
			"ALL, or leave it out", name)
	case info.FullBatch && !cfg.Augment.None():
		return usagef("--optimizer %s: random changes of the examples change the loss from step to step: leave out --augment", name)
	case info.FullBatch && cfg.Balanced:
		return usagef("--optimizer %s: an epoch of --sampler balanced has other examples than the one before: leave it out, or give "+
			"--class-weights balanced", name)
	case info.FullBatch && o.Dropout:
		return usagef("--optimizer %s: the masks of --dropout change the loss from step to step: leave it out", name)
	}
	return nil
}
