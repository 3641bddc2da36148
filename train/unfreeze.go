package train

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/optim"
)

// Unfreeze trains the last layers at first, and more of those before them as epochs pass.
//
// Source: Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text Classification" (arXiv 1801.06146), section 3.3.
type Unfreeze struct {
	Every  int // epochs until more layers are trained
	Layers int // that are trained in the first epochs, and that join each time; 0: 1
}

// open is how many layers are trained in an epoch, counted from 0.
func (u *Unfreeze) open(epoch int) int { return max(1, u.Layers) * (1 + epoch/u.Every) }

// layersOf sorts the parameters of those names into layers, in the order in which the model computes: a tensor of two or more axes begins
// a layer, and vectors behind it, such as biases and normalisations, belong to it, as do both parts of an adapter.
func layersOf(m *engine.Model, names []string) [][]string {
	g := m.Graph()
	wanted := in(names)
	of := map[graph.Value]string{} // parameters, and views of them
	for v, x := range g.Values {
		if x.Kind == graph.Parameter && wanted(x.Name) {
			of[graph.Value(v)] = x.Name
		}
	}
	var order []string
	seen := map[string]bool{}
	for _, n := range g.Nodes {
		for i, v := range n.In {
			name := of[v]
			if name == "" {
				continue
			}
			if i == 0 && n.Op.Role == graph.View {
				for _, o := range n.Out {
					of[o] = name
				}
				continue
			}
			if !seen[name] {
				seen[name] = true
				order = append(order, name)
			}
		}
	}
	for _, name := range names { // read by none that is known
		if !seen[name] {
			order = append(order, name)
		}
	}
	var layers [][]string
	for _, name := range order {
		p, err := m.Param(name)
		k := len(layers) - 1
		switch {
		case k < 0, err == nil && p.Value.Rank() > 1 && !slices.ContainsFunc(layers[k], func(x string) bool { return oneAdapter(x, name) }):
			if k == 0 && !hasMatrix(m, layers[0]) { // vectors before the first layer are of it
				layers[0] = append(layers[0], name)
				continue
			}
			layers = append(layers, []string{name})
		default:
			layers[k] = append(layers[k], name)
		}
	}
	return layers
}

func hasMatrix(m *engine.Model, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		p, err := m.Param(name)
		return err == nil && p.Value.Rank() > 1
	})
}

// oneAdapter reports whether a and b are A and B of one adapter.
func oneAdapter(a, b string) bool {
	x, isA := strings.CutSuffix(a, loraA)
	y, isB := strings.CutSuffix(b, loraB)
	return isA && isB && x == y
}

// prepareUnfreezing sorts the layers, and says so where some are never trained.
func (f *fit) prepareUnfreezing() error {
	u := f.c.Unfreeze
	if u.Every < 1 || u.Layers < 0 {
		return fmt.Errorf("train: unfreezing %d layers every %d epochs: want positive numbers", u.Layers, u.Every)
	}
	f.layers = layersOf(f.m, f.c.Params)
	if last := u.open(f.c.Epochs - 1); last < len(f.layers) {
		rounds := 1 + (f.c.Epochs-1)/u.Every
		f.note("%d of %d layers are trained in the last epoch; all are with %d at a time, or in %d epochs", last, len(f.layers),
			(len(f.layers)+rounds-1)/rounds, 1+u.Every*((len(f.layers)-1)/max(1, u.Layers)))
	}
	return nil
}

// trainedIn are the parameters that are trained in an epoch, counted from 0, in the order of Config.Params.
func (f *fit) trainedIn(epoch int) []string {
	if f.c.Unfreeze == nil {
		return f.c.Params
	}
	k := min(f.c.Unfreeze.open(epoch), len(f.layers))
	open := in(slices.Concat(f.layers[len(f.layers)-k:]...))
	return slices.DeleteFunc(slices.Clone(f.c.Params), func(name string) bool { return !open(name) })
}

// joined are the parameters that had been trained, all of them without Unfreeze, when c was made.
func (f *fit) joined(c *Checkpoint) []*optim.Param {
	if f.c.Unfreeze == nil {
		return f.params
	}
	epoch := max(0, c.Step-1) / f.batches
	if r := c.record; r != nil {
		if epoch = r.Epochs; c.Step == r.Begun {
			epoch-- // none of it was done
		}
	}
	if epoch < 0 {
		return nil
	}
	open := in(f.trainedIn(epoch))
	return slices.DeleteFunc(slices.Clone(f.params), func(p *optim.Param) bool { return !open(p.Name) })
}

// unfreeze makes the session of the epoch that begins where it differs from that of the one before.
func (f *fit) unfreeze() error {
	names := f.trainedIn(f.epochs)
	if f.c.Unfreeze == nil || len(names) == len(f.q.Grad) {
		return nil
	}
	f.m.Changed(f.q.Grad...)
	f.q.Grad = names
	s, err := f.m.Session(f.importance.ask(f.tract.ask(f.q)))
	if err != nil {
		return err
	}
	f.s = s
	if f.growth != nil {
		return f.growth.compile(f)
	}
	return nil
}
