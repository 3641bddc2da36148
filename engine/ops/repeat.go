package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// repeat is a node that runs its body again and again: Loop or Scan. Input i of the node, but for shift, is formal input i of the body,
// or is scanned for it; output o of the node is body output lead+o, the last one or all of them stacked.
type repeat struct {
	n      *graph.Node
	k      int       // index of the body
	lead   int       // body outputs before the states: the condition of a Loop
	first  int       // index of the first state among the inputs of the body
	shift  int       // inputs of the node before those of the body
	states int       // how many there are
	scan   scanAttrs // how the rest is scanned and stacked
}

// loops reports whether the node is a Loop: its body also takes the number of the trip and the condition, and returns the condition.
func (r *repeat) loops() bool { return r.lead > 0 }

func (r *repeat) body() *graph.Body { return r.n.Bodies[r.k] }

// outs are the body outputs that are outputs of the node.
func (r *repeat) outs() []graph.Value { return r.body().G.Outputs[r.lead:] }

// input is the index, among the inputs of the node, of what body input i holds or begins with.
func (r *repeat) input(i int) int {
	if f := r.body().Formals; i >= f {
		return r.n.FirstCaptured(r.k) + i - f
	}
	return i + r.shift
}

// carries tells for each of the outputs of the body on which of its inputs it depends within one trip.
func (r *repeat) carries() [][]bool { return graph.Carries(r.body().G, r.body().G.Inputs, r.outs()) }

// flow tells for each of the outputs of the body on which of the node's inputs it depends, following the states from trip to trip.
func (r *repeat) flow() [][]bool {
	step := r.carries()
	all := make([][]bool, len(step))
	for o := range all {
		all[o] = make([]bool, len(r.n.In))
		if o < r.states {
			all[o][r.input(r.first+o)] = true // when there is no trip
		}
	}
	for changed := true; changed; {
		changed = false
		for o, row := range step {
			for i, on := range row {
				if !on {
					continue
				}
				if s := i - r.first; s >= 0 && s < r.states {
					changed = graph.Unite(all[o], all[s]) || changed
				} else if at := r.input(i); !all[o][at] {
					all[o][at], changed = true, true
				}
			}
		}
	}
	return all
}

// active are the states through which a gradient by one of the inputs that need one goes, given the gradients of the outputs.
func (r *repeat) active(dy []graph.Value, need []bool) []bool {
	step, flow := r.carries(), r.flow()
	back := make([]bool, len(step)) // outputs of the body that some gradient comes back to
	for o, d := range dy {
		back[o] = d != 0
	}
	for changed := true; changed; {
		changed = false
		for o, row := range step {
			if back[o] {
				changed = graph.Unite(back[:r.states], row[r.first:r.first+r.states]) || changed
			}
		}
	}
	on := make([]bool, r.states)
	for s := range on {
		for i, x := range flow[s] {
			on[s] = on[s] || back[s] && x && need[i]
		}
	}
	return on
}

// keep makes the node return the value v of its body for each trip, stacked, and returns that.
func (r *repeat) keep(b *graph.Builder, v graph.Value) graph.Value {
	outs := r.outs()
	at := -1
	for o := r.states; o < len(outs); o++ {
		if m := o - r.states; outs[o] == v && nth(r.scan.OutAxes, m) == 0 && nth(r.scan.OutDirections, m) == 0 {
			at = o
		}
	}
	if at < 0 {
		at = len(outs)
		body := r.body().Clone() // the builder's graph owns the node; others may have the body
		body.G.Outputs = append(body.G.Outputs, v)
		r.n.Bodies = slices.Clone(r.n.Bodies)
		r.n.Bodies[r.k] = body
		r.restack(at + 1 - r.states)
	}
	return r.output(b, at)
}

// restack gives the attributes of a Scan an entry for each of m stacked outputs.
func (r *repeat) restack(m int) {
	a, ok := r.n.Attrs.(*scanAttrs)
	if !ok {
		return
	}
	c := *a
	for _, list := range []*[]int{&c.OutAxes, &c.OutDirections} {
		if len(*list) > 0 {
			*list = append(slices.Clone((*list)[:min(len(*list), m-1)]), make([]int, max(1, m-len(*list)))...)
		}
	}
	r.n.Attrs, r.scan = &c, c
}

// output makes output o of the node exist and returns it.
func (r *repeat) output(b *graph.Builder, o int) graph.Value {
	n := r.n
	for len(n.Out) < len(r.outs()) {
		n.Out = append(n.Out, 0)
	}
	if n.Out[o] == 0 {
		d := r.body().G.Info(r.outs()[o]).DType
		n.Out[o] = b.G.NewValue(graph.Info{Name: n.Name + ":kept", DType: d, Kind: graph.Computed, Def: n, Index: o})
	}
	return n.Out[o]
}

// keptHint explains why the value v of a body cannot be stacked when it is a state at the beginning of a trip, which only a gradient
// asks for.
func keptHint(body *graph.Graph, v graph.Value) string {
	if body.Info(v).Kind != graph.Input {
		return ""
	}
	return fmt.Sprintf(": the gradient needs the carried value %q in one shape; freeze the parameters that act through the node, "+
		"or export the model with the loop unrolled", body.Info(v).Name)
}
