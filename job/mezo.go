package job

import (
	"math"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/train"
)

// MeZO is the TrainOptions.Optimizer that descends along gradients estimated from two forward passes (train.MeZO).
const MeZO = "mezo"

// MeZORate is its usual learning rate: far below that of a true gradient, for the estimate is longer by about the root of the number of
// trained parameters.
const MeZORate = 1e-4

// mezo is how gradients are estimated, nil for true ones.
func (o TrainOptions) mezo(cfg *train.Config) (*train.MeZO, error) {
	switch {
	case o.Optimizer != MeZO && o.MeZOEps != 0:
		return nil, usagef("--mezo-eps belongs to --optimizer mezo")
	case o.Optimizer != MeZO:
		return nil, nil
	case o.MeZOEps < 0 || math.IsNaN(o.MeZOEps) || math.IsInf(o.MeZOEps, 0):
		return nil, usagef("--mezo-eps %v: want a positive number", o.MeZOEps)
	case cfg.BN == engine.BNTrain:
		return nil, usagef("--optimizer mezo: statistics of the batch cannot be trained, for both passes would change them: give --bn frozen")
	}
	return &train.MeZO{Eps: o.MeZOEps}, nil
}

// trainable says what may be trained: with MeZO, what no gradient reaches too.
func (o TrainOptions) trainable() []engine.Option {
	list := []engine.Option{engine.WithTrainable(o.Trainable...)}
	if o.Optimizer == MeZO {
		list = append(list, engine.ForwardOnly())
	}
	return list
}
