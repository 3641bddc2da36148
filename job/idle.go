package job

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/optim"
)

// idle notes the flags that have nothing in this model or training to change.
func (f *finetuning) idle() (notes []string) {
	has := func(op string) bool {
		return slices.ContainsFunc(f.Graph().Nodes, func(n *graph.Node) bool { return n.Op.Name == op })
	}
	if f.cfg.Dropout && !has(ops.Dropout.Name) {
		notes = append(notes, "--dropout changes nothing: the model has no Dropout")
	}
	if f.c.BN == "train" && f.cfg.BN == engine.BNTrain && !f.normalises() && !has(ops.BatchNormalization.Name) {
		notes = append(notes, "--bn train changes nothing: the model has no batch normalisation with statistics")
	}
	if (f.c.NoDecay1D || f.c.Rule["decoupled-decay"] == "true") && !f.c.decays() {
		flag := "--no-decay-1d"
		if !f.c.NoDecay1D {
			flag = "--decoupled-decay"
		}
		notes = append(notes, flag+" changes nothing: there is no weight decay; --weight-decay gives one")
	}
	return notes
}

// decays reports whether weights decay.
func (o TrainOptions) decays() bool {
	if s, given := o.Rule["weight-decay"]; given {
		v, err := strconv.ParseFloat(s, 64)
		return err != nil || v != 0
	}
	info, err := optim.Lookup(cmp.Or(o.Optimizer, "adam"))
	return err != nil || info.Decay != 0
}
