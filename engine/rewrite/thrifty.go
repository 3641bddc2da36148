package rewrite

import (
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// thriftyGain is the least gain that is taken, as one part of so many of the arena.
const thriftyGain = 10

// passes are the operators that take as long as memory takes to be read and written, whose time is known, therefore.
var passes = map[*graph.Spec]bool{ops.BatchNormalization: true, ops.Relu: true, ops.Clip: true, ops.LeakyRelu: true, ops.Add: true,
	ops.Sub: true, ops.Mul: true, ops.Transpose: true, ops.Concat: true}

// Thrifty makes plans of training steps smaller where it costs next to no time: as WithinMemory does it, values of the forward pass are
// computed again for the backward pass, but by passes over memory alone, what frees most for its time first, and as long as all of that is
// estimated at that share of the time of a step or less. Plans of less than from bytes, and those of which that frees less than a tenth,
// stay as they are.
func Thrifty(from int, share float64) exec.Specialize {
	return func(d *exec.Draft, try func(g *graph.Graph) (int, error)) (*graph.Graph, error) {
		if d.Bytes < from {
			return nil, nil
		}
		r := newRecomputing(d)
		if r.back == len(d.Steps) {
			return nil, nil
		}
		budget := 0.0
		for i, c := range r.cost {
			budget += c * share
			r.may[i] = r.may[i] && passes[d.Steps[i].Node.Op]
		}
		_, first, _ := r.measure(make([]bool, len(r.may)))
		r.spend(budget)
		if r.best == nil || r.least > first-first/thriftyGain {
			return nil, nil
		}
		r.prune(r.best, r.least)
		g := r.build(r.best)
		size, err := try(g)
		if err != nil || size > d.Bytes-d.Bytes/thriftyGain {
			return nil, err
		}
		return g, nil
	}
}

// spend drops steps as greedy does, until they would cost more than budget seconds.
func (r *recomputing) spend(budget float64) {
	dropped := make([]bool, len(r.may))
	for spent := 0.0; ; {
		all, _, at := r.measure(dropped)
		pick := r.pick(dropped, all, at)
		if pick < 0 || spent+r.cost[pick] > budget {
			return
		}
		dropped[pick] = true
		spent += r.cost[pick]
	}
}
