package train

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/grad"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// TrAct trains the pre-activations of the first layer: the gradient of its weights is replaced by the least-squares change of weights
// that makes a gradient step on its outputs,
//
//	dW_tract = dW·(UᵀU/P + lambda·I)⁻¹
//
// with dW the plain gradient as [M,n] and U [P,n] the inputs of the layer, for a convolution its patches. Bias and
// input gradients are unchanged, and so is the learning rate.
//
// Source: Petersen, Borgelt, Ermon 2024, "TrAct: Making First-layer Pre-Activations Trainable" (arXiv 2410.23970). Deviation: always the
// direct form with a Cholesky factor, never the dual, which gives the same numbers.
type TrAct struct {
	Lambda float32 // of the ridge; 0.1 in the paper, for inputs of unit variance
	Layer  string  // node name; "" finds the first layer
}

// TrActLayer is the layer that TrAct changes and its sizes.
type TrActLayer struct {
	Node   *graph.Node
	Weight string // parameter
	TransB bool   // a Gemm whose weight is [M,n]
}

// between reports whether n may stand between the input and the first layer: it moves, scales or normalises the input.
func between(n *graph.Node) bool {
	switch n.Op.Role {
	case graph.View, graph.Move, graph.Arithmetic, graph.Normalisation:
		return true
	}
	return false
}

// Find resolves the layer in m. trainable tells which parameters are trained.
func (t *TrAct) Find(m *engine.Model, trainable func(name string) bool) (*TrActLayer, error) {
	g := m.Graph()
	from := map[graph.Value]bool{}
	for _, v := range g.Inputs {
		from[v] = true
	}
	for _, n := range g.Nodes {
		layer := n.Op == ops.Conv || n.Op == ops.Gemm || n.Op == ops.MatMul
		if t.Layer != "" {
			if n.Name != t.Layer && !(layer && n.Name == t.Layer+"/"+n.Op.Name) { // one of the nodes that a fused layer is made of
				continue
			}
			if !layer {
				return nil, fmt.Errorf("train: TrAct: layer %q is a %s; it must be a Conv, Gemm or MatMul", t.Layer, n.Op.Name)
			}
		} else {
			if len(n.In) == 0 || !from[n.In[0]] {
				continue
			}
			if !layer {
				if between(n) {
					for _, v := range n.Out {
						from[v] = true
					}
				}
				continue
			}
		}
		w := g.Info(n.In[1])
		if w.Kind != graph.Parameter {
			return nil, fmt.Errorf("train: TrAct: %s has no parameter as its weight", n.Label())
		}
		if !trainable(w.Name) {
			return nil, fmt.Errorf("train: TrAct: the weight %q of the first layer, %s, is frozen, so there is nothing to change: drop "+
				"--tract or train that layer", w.Name, n.Label())
		}
		if n.Op == ops.Conv {
			if a := graph.EncodeAttrs(n.Attrs); a["group"] != nil && a["group"] != int64(1) {
				return nil, fmt.Errorf("train: TrAct: %s is a convolution in %v groups; only one group is supported", n.Label(),
					a["group"])
			}
		}
		transB := n.Op == ops.Gemm && graph.EncodeAttrs(n.Attrs)["transB"] == int64(1)
		return &TrActLayer{n, w.Name, transB}, nil
	}
	if t.Layer != "" {
		return nil, fmt.Errorf("train: TrAct: the model has no node %q", t.Layer)
	}
	return nil, fmt.Errorf("train: TrAct: no Conv, Gemm or MatMul reads the input directly; name the layer with --tract-layer")
}

// Override is the gradient rule of l, for engine.Query.Override.
func (t *TrAct) Override(l *TrActLayer) func(n *graph.Node) grad.Rule {
	return func(n *graph.Node) grad.Rule {
		if n.ID != l.Node.ID || n.Name != l.Node.Name || n.Op != l.Node.Op { // nodes of bodies are numbered by themselves
			return nil
		}
		return func(b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx, err := n.Op.Grad(b, n, dy, need)
			if err != nil || dx[1] == 0 {
				return dx, err
			}
			dx[1], err = t.solve(b, n, dx[1])
			return dx, err
		}
	}
}

// solve is dW·(S + lambda·I)⁻¹ in the layout of the layer's weight.
func (t *TrAct) solve(b *graph.Builder, n *graph.Node, dw graph.Value) (graph.Value, error) {
	ridge := ops.Ridge(t.Lambda)
	x := n.In[0]
	if n.Op == ops.Conv {
		return b.Add(ops.RidgeSolve, ridge, dw, b.Add(ops.PatchGram, n.Attrs, x, n.In[1])), nil
	}
	transB := false
	if n.Op == ops.Gemm {
		a := graph.EncodeAttrs(n.Attrs)
		if a["transA"] != nil && a["transA"] != int64(0) {
			return 0, fmt.Errorf("TrAct: %s reads its input transposed", n.Label())
		}
		transB = a["transB"] == int64(1)
	}
	s := b.Add(ops.RowGram, nil, x)
	if transB { // dW [M,n]
		return b.Add(ops.RidgeSolve, ridge, dw, s), nil
	}
	t1 := b.Add(ops.RidgeSolve, ridge, b.Add(ops.Transpose, nil, dw), s) // dW [n,M]
	return b.Add(ops.Transpose, nil, t1), nil
}
