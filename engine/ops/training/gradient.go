package training

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/tensor"
)

// Gradient is the gradient of the sum of the elements of y by each of xs, tensors of the graph around it that the attributes name. Its
// inputs are the values of xs, then of zs, at which it is taken: where they are the named tensors themselves, what computed y is used
// again, else the part of the graph between them and y is computed anew. xs and zs count as independent of each other. It is replaced by
// the nodes that compute it, so that it may be differentiated again.
//
// Source: https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Gradient.html
var Gradient = new(graph.Spec)

type gradientAttrs struct {
	Xs []string `onnx:"xs,required"`
	Y  string   `onnx:"y,required"`
	Zs []string `onnx:"zs"`

	named []graph.Value // xs, then zs
	y     graph.Value
}

func init() {
	define(Gradient, graph.Def[gradientAttrs]{
		Name: "Gradient",
		In:   []graph.Formal{{Name: "Inputs", Variadic: true}}, Out: []graph.Formal{{Name: "Outputs", Variadic: true}},
		Types: func(a *gradientAttrs, in, out []tensor.DType) error {
			if len(in) != len(a.Xs)+len(a.Zs) || len(out) > len(a.Xs) {
				return fmt.Errorf("%d inputs and %d outputs for %d xs and %d zs", len(in), len(out), len(a.Xs), len(a.Zs))
			}
			for i := range out {
				if out[i] = in[i]; !slices.Contains(floats, in[i]) {
					return fmt.Errorf("there is no gradient by %s, of type %v", shown.Name(a.Xs[i]), in[i])
				}
			}
			return nil
		},
		Lower: lowerGradient,
	})
}

// Resolve finds the tensors that the attributes name.
func (a *gradientAttrs) Resolve(lookup func(name string) (graph.Value, bool)) error {
	find := func(name string) (graph.Value, error) {
		v, ok := lookup(name)
		if !ok {
			return 0, fmt.Errorf("the graph has no tensor %s before this node", shown.Name(name))
		}
		return v, nil
	}
	a.named = nil
	for _, name := range slices.Concat(a.Xs, a.Zs) {
		v, err := find(name)
		if err != nil {
			return err
		}
		a.named = append(a.named, v)
	}
	var err error
	a.y, err = find(a.Y)
	return err
}

func lowerGradient(a *gradientAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
	if b.Reverse == nil || a.y == 0 {
		return nil, fmt.Errorf("the graph around it is not known: %w", graph.ErrNoGradient)
	}
	if !slices.Contains(floats, b.DType(a.y)) {
		return nil, fmt.Errorf("there is no gradient of %s, of type %v", shown.Name(a.Y), b.DType(a.y))
	}
	by, y := n.In[:n.NumIn], a.y
	again := !slices.Equal(by, a.named)
	for i, v := range a.named {
		if d := b.DType(v); d != b.DType(by[i]) {
			return nil, fmt.Errorf("input %d is %v, the tensor that it stands for is %v", i, b.DType(by[i]), d)
		}
		again = again || b.G.Info(v).Def != nil // which another may be computed from
	}
	if again {
		to := map[graph.Value]graph.Value{}
		by = make([]graph.Value, len(a.named))
		for i, v := range a.named {
			by[i] = b.Add(ops.Identity, nil, n.In[i])
			to[v] = by[i]
		}
		y = copied(b, y, to)
	}
	wrt := by[:len(a.Xs)]
	dx, err := b.Reverse(b.G, []graph.Value{y}, []graph.Value{ops.Fill(b, y, 1)}, wrt)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(dx, func(v graph.Value) bool { return v != 0 }) {
		return nil, fmt.Errorf("%s does not depend on any of %s", shown.Name(a.Y), shown.Names(a.Xs, 12))
	}
	for i, v := range dx {
		if v == 0 {
			dx[i] = ops.Fill(b, wrt[i], 0)
		}
	}
	return dx, b.Err()
}

// copied computes y with other values in the place of some, and adds those in between to to.
func copied(b *graph.Builder, y graph.Value, to map[graph.Value]graph.Value) graph.Value {
	var order []*graph.Node // that y is computed from
	needed := map[graph.Value]bool{y: true}
	for _, n := range slices.Backward(b.G.Nodes) {
		if !slices.ContainsFunc(n.Out, func(v graph.Value) bool { return needed[v] && to[v] == 0 }) {
			continue
		}
		order = append(order, n)
		for _, v := range n.In {
			needed[v] = v != 0
		}
	}
	for _, n := range slices.Backward(order) {
		if !slices.ContainsFunc(n.In, func(v graph.Value) bool { return to[v] != 0 }) {
			continue
		}
		in, want := slices.Clone(n.In), make([]bool, len(n.Out))
		for i, v := range in {
			if w := to[v]; w != 0 {
				in[i] = w
			}
		}
		for i, v := range n.Out {
			want[i] = v != 0
		}
		var bodies []*graph.Body
		for _, body := range n.Bodies {
			bodies = append(bodies, body.Clone())
		}
		m := b.AddControl(n.Name, n.Op, n.Attrs, in[:n.NumIn], want, bodies, in[n.NumIn:])
		if m == nil {
			return 0
		}
		for i, v := range n.Out {
			if v != 0 && to[v] == 0 {
				to[v] = m.Out[i]
			}
		}
	}
	if w := to[y]; w != 0 {
		return w
	}
	return y
}
