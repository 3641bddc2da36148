package nas

import (
	"context"
	"fmt"

	"github.com/gtk-onnx/gtk/data"
	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/feed"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// network is a path that is trained: a graph of nothing but what it computes, whose weights are copied in before a step.
type network struct {
	arch    []int
	m       *engine.Model
	s       *engine.Session
	plan    *feed.Plan
	weights []shared
	used    int // when it was used last
}

// shared is a weight of the supernet in a network.
type shared struct {
	name  string
	whole *tensor.Tensor // of the supernet
	here  *tensor.Tensor // its copy
}

// networks are the paths that were trained lately, so that a path that comes again is not compiled again: to compile one and to plan its
// memory takes as long as a few steps.
type networks struct {
	n    *Supernet
	t    *task.Task
	plan *feed.Plan // of any path
	pool *parallel.Pool
	most int // bytes of memory that they may keep

	list map[string]*network
	tick int
}

// keepBytes bounds the memory of networks that are kept.
const keepBytes = 512 << 20

// get is the network of a path with the weights as they are.
func (k *networks) get(arch []int) (*network, error) {
	key := Format(arch)
	w := k.list[key]
	if w == nil {
		var err error
		if w, err = k.make(arch); err != nil {
			return nil, fmt.Errorf("nas: path %s: %w", key, err)
		}
		k.room()
		k.list[key] = w
	}
	k.tick++
	w.used = k.tick
	for _, s := range w.weights {
		copy(s.here.Bytes(), s.whole.Bytes())
	}
	return w, nil
}

// room gives up the networks that were used longest ago, until there is room for one more.
func (k *networks) room() {
	for {
		bytes, oldest := 0, ""
		for key, w := range k.list {
			bytes += w.s.ArenaBytes() + networkBytes
			if oldest == "" || w.used < k.list[oldest].used {
				oldest = key
			}
		}
		if bytes < k.most {
			return
		}
		delete(k.list, oldest)
	}
}

// networkBytes is about what a network takes beside the memory of its values.
const networkBytes = 1 << 20

// make compiles a path.
func (k *networks) make(arch []int) (*network, error) {
	file, err := k.n.Path(arch, Running)
	if err != nil {
		return nil, err
	}
	w := &network{arch: arch}
	if w.m, err = engine.Load(file, engine.WithPool(k.pool)); err != nil {
		return nil, err
	}
	w.m.Thaw()
	var names []string
	for _, name := range k.n.names {
		if file.Initializer(name) == nil {
			continue
		}
		p, err := w.m.Param(name)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		w.weights = append(w.weights, shared{name, k.n.weight[name], p.Value})
	}
	if w.plan, err = k.plan.With(w.m); err != nil {
		return nil, err
	}
	w.s, err = w.m.Session(engine.Query{Loss: k.t.Total(), Grad: names, BN: engine.BNTrain, Fetch: []string{k.t.Fetch()}})
	return w, err
}

// run shows the network a batch, whose losses have these weights (nil: 1), gives the mean loss, and calls each with every example's place
// in the batch and what was decided, and grad with the gradient of each weight. A weight that the loss does not depend on has none.
func (w *network) run(ctx context.Context, t *task.Task, b *data.Batch, weights []float64, each func(i int, d *task.Decision),
	grad func(s shared, g *tensor.Tensor)) (loss float64, err error) {
	truth, err := t.Truth(b)
	if err != nil {
		return 0, err
	}
	mean := truth.Mean()
	for i, v := range weights {
		mean[i] *= v
	}
	err = w.plan.Run(ctx, w.s, b, truth.Rows(mean), func(p feed.Part) error {
		loss = p.Loss().Float64s()[0]
		for _, s := range w.weights {
			if g := p.Grad(s.name); g != nil && grad != nil {
				grad(s, g)
			}
		}
		if each == nil {
			return nil
		}
		return t.Decisions(p.Value(t.Fetch()), p.Hi-p.Lo, truth, each)
	})
	return loss, err
}
