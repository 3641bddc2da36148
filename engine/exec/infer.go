package exec

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Inference infers the shapes of a graph node by node, for a rewrite that changes the graph as it goes. The graph may get nodes and values
// meanwhile.
type Inference struct{ inf *inference }

// NewInference begins with the shapes of the inputs of g, in their order.
func NewInference(g *graph.Graph, inputs []tensor.Shape) *Inference {
	inf := newInference(g, 1)
	inf.fold = true
	for i, v := range g.Inputs {
		inf.shape[v] = known(inputs[i])
	}
	return &Inference{inf}
}

// Node infers the outputs of n, whose inputs were inferred before. It may be called again after n was changed.
func (i *Inference) Node(n *graph.Node) error {
	inf := i.inf
	i.grow()
	for _, v := range n.Out {
		inf.shape[v], inf.value[v], inf.constant[v] = nil, nil, false
	}
	if _, err := inf.node(n); err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	return nil
}

// grow makes room for values that the graph got since.
func (i *Inference) grow() {
	inf := i.inf
	for v := graph.Value(len(inf.shape)); int(v) < inf.g.NumValues(); v++ {
		inf.shape, inf.value, inf.constant = append(inf.shape, nil), append(inf.value, nil), append(inf.constant, false)
		if in := inf.g.Info(v); in.Data != nil {
			inf.shape[v], inf.value[v], inf.constant[v] = known(in.Data.Shape()), in.Data, in.Kind == graph.Constant
		}
	}
}

// Shape is the shape of v, nil where only a run can tell or it was not inferred yet.
func (i *Inference) Shape(v graph.Value) tensor.Shape {
	i.grow()
	return i.inf.shape[v]
}

// Value is the content of v where it follows from shapes and constants, else nil.
func (i *Inference) Value(v graph.Value) *tensor.Tensor {
	if i.grow(); !i.inf.constant[v] {
		return nil
	}
	return i.inf.value[v]
}
