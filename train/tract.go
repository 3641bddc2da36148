package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
)

// TrAct trains the pre-activations of the first layer: the gradient of its weights is replaced by the least-squares change of weights
// that makes a gradient step on its outputs,
//
//	dW_tract = dW·(UᵀU/P + lambda·I)⁻¹ = Gᵀ·(UUᵀ/P + lambda·I)⁻¹·U
//
// with dW = GᵀU the plain gradient as [M,n], U [P,n] the rows that the weights multiply, for a convolution its patches, and G [P,M] the
// gradients by what the layer gives. The second form is taken where a step has fewer rows than n. Of a batch that comes in parts dW and
// UᵀU are added up, or U and G put together, and the system is solved once, as for the whole batch. Bias and input gradients are unchanged,
// and so is the learning rate; what comes after, clipping first, sees the new gradient.
//
// Source: Petersen, Borgelt, Ermon 2024, "TrAct: Making First-layer Pre-Activations Trainable" (arXiv 2410.23970). Deviations: Cholesky
// factors, where the authors' code inverts; one system for all parts of a batch, where it has one for each device.
type TrAct struct {
	Lambda float64 // of the ridge; 0.1 in the paper, for inputs of unit variance
	Layer  string  // node name; "" finds the first layer
}

// TrActLayer is the layer that TrAct changes and its sizes.
type TrActLayer struct {
	Node   *graph.Node
	Weight string // parameter
	TransB bool   // a Gemm whose weight is [M,n]

	// What the first step found.
	Inputs, Rows int     // n and P
	Dual         bool    // the system has P equations, not n
	Square       float64 // mean square of the inputs, NaN before
	Condition    float64 // of UᵀU/P + lambda·I, likewise
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
		if a := graph.EncodeAttrs(n.Attrs); n.Op == ops.Gemm && a["transA"] != nil && a["transA"] != int64(0) {
			return nil, fmt.Errorf("train: TrAct: %s reads its input transposed", n.Label())
		}
		if other := user(g, n.In[1], n); other != nil {
			return nil, fmt.Errorf("train: TrAct: the weight %q of %s is that of %s too, so that its gradient is not that of one layer",
				w.Name, n.Label(), other.Label())
		}
		transB := n.Op == ops.Gemm && graph.EncodeAttrs(n.Attrs)["transB"] == int64(1)
		return &TrActLayer{Node: n, Weight: w.Name, TransB: transB, Square: math.NaN(), Condition: math.NaN()}, nil
	}
	if t.Layer != "" {
		return nil, fmt.Errorf("train: TrAct: the model has no node %q", t.Layer)
	}
	return nil, fmt.Errorf("train: TrAct: no Conv, Gemm or MatMul reads the input directly; name the layer with --tract-layer")
}

// user is a node beside n that reads w, nil for none.
func user(g *graph.Graph, w graph.Value, n *graph.Node) *graph.Node {
	for _, other := range g.Nodes {
		if other != n && slices.Contains(other.In, w) {
			return other
		}
	}
	return nil
}
