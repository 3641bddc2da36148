package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/exec"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/tensor"
)

// Layer is a tensor of a model at which maps can be made.
type Layer struct {
	Name  string       // of the tensor: the output of Node
	Node  string       // name of the node that computes it
	Op    string       // its operator
	Shape tensor.Shape // [N,C,h,w]
	Auto  bool         // the one that "auto" means
}

// ListLayers lists the 4-D tensors between the input and the class score, in order, for an input of the given shape.
func ListLayers(m *engine.Model, shape tensor.Shape) ([]Layer, error) {
	v, err := survey(m, shape)
	if err != nil {
		return nil, err
	}
	auto, _, err := v.auto()
	if err != nil {
		auto = 0
	}
	var out []Layer
	for _, n := range v.nodes {
		for _, o := range n.Out {
			if o != 0 && v.usable(o) && o != v.score {
				out = append(out, Layer{v.g.Info(o).Name, n.Name, n.Op.Name, v.shapes[o], o == auto})
			}
		}
	}
	return out, nil
}

// terrain is what lies between the input and the score of a model.
type terrain struct {
	g            *graph.Graph
	input, score graph.Value
	shapes       []tensor.Shape // by value, nil where only a run can tell
	nodes        []*graph.Node  // that depend on the input and that the score depends on, in order
	between      map[graph.Value]bool
}

// survey looks at m for an input of the given shape.
func survey(m *engine.Model, shape tensor.Shape) (*terrain, error) {
	if err := oneInput(m); err != nil {
		return nil, err
	}
	h, err := m.Head("")
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	g := m.Graph()
	t := &terrain{g: g, score: g.Lookup(h.Logits), between: map[graph.Value]bool{}}
	if t.score == 0 && len(g.Outputs) > 0 {
		t.score = g.Outputs[0] // an output whose value has another name inside
	}
	if t.input = g.Lookup(m.Inputs()[0].Name); t.input == 0 {
		return nil, fmt.Errorf("explain: input %q is not used by the model", m.Inputs()[0].Name)
	}
	var known []*tensor.Tensor // what follows from the shape of the input alone, such as the batch size that a class token is repeated by
	if t.shapes, known, err = exec.Shapes(g, []tensor.Shape{shape}); err != nil {
		return nil, fmt.Errorf("explain: input of shape %v: %w", shape, err)
	}
	after := map[graph.Value]bool{t.input: true}
	for _, n := range g.Nodes {
		if slices.ContainsFunc(n.In, func(v graph.Value) bool { return after[v] }) {
			for _, o := range n.Out {
				after[o] = o != 0 && known[o] == nil
			}
		}
	}
	before := map[graph.Value]bool{t.score: true}
	for _, n := range slices.Backward(g.Nodes) {
		if !slices.ContainsFunc(n.Out, func(v graph.Value) bool { return v != 0 && before[v] && known[v] == nil }) {
			continue
		}
		relevant := false
		for _, v := range n.In {
			if v != 0 {
				before[v] = true
				relevant = relevant || after[v]
			}
		}
		if relevant {
			t.nodes = append(t.nodes, n)
		}
	}
	slices.Reverse(t.nodes)
	for v := range before {
		t.between[v] = after[v]
	}
	return t, nil
}

// usable reports whether maps can be made at v: real numbers [N,C,h,w] on the way from the input to the score.
func (t *terrain) usable(v graph.Value) bool {
	d := t.g.Info(v).DType
	return t.between[v] && len(t.shapes[v]) == 4 && (d == tensor.Float32 || d == tensor.Float64)
}

// spread reports whether v is usable and has more than one position.
func (t *terrain) spread(v graph.Value) bool {
	return t.usable(v) && t.shapes[v][2]*t.shapes[v][3] > 1
}

// cuts are the values that every path from the input to the score passes through, in order: with the nodes in order, those at whose
// making no other value is still to be read.
func (t *terrain) cuts() []graph.Value {
	uses := map[graph.Value]int{t.score: 1}
	for _, n := range t.nodes {
		for i, v := range n.In {
			if v != 0 && t.between[v] && !slices.Contains(n.In[:i], v) {
				uses[v]++
			}
		}
	}
	open := 1 // the input
	var out []graph.Value
	for _, n := range t.nodes {
		for i, v := range n.In {
			if v == 0 || !t.between[v] || slices.Contains(n.In[:i], v) {
				continue
			}
			if uses[v]--; uses[v] == 0 {
				open--
			}
		}
		made := graph.Value(0)
		for _, o := range n.Out {
			if o != 0 && t.between[o] && uses[o] > 0 {
				open++
				made = o
			}
		}
		if open == 1 && made != 0 {
			out = append(out, made)
		}
	}
	return out
}

// activations are the operators after which class activation maps are at home; Mul and Add end SiLU, HardSwish and residual blocks.
var activations = []string{"Relu", "LeakyRelu", "PRelu", "Clip", "Elu", "Selu", "Celu", "Gelu", "HardSwish", "Mish", "Softplus", "ThresholdedRelu", "Swish"}

// passive are the operators that auto looks through for an activation before them.
var passive = []string{"MaxPool", "AveragePool", "LpPool", "Dropout", "Identity", "Cast", "Pad", "Transpose", "LRN"}

// auto is the last tensor [N,C,h,w] with h·w > 1 that all paths to the score pass through, or the activation just before it when only
// pooling and the like lie between. early reports that most of the model comes after it, as in vision transformers.
//
// The rule is that of https://github.com/frgfm/torch-cam (locate_candidate_layer), made independent of module names.
func (t *terrain) auto() (v graph.Value, early bool, err error) {
	for _, c := range slices.Backward(t.cuts()) {
		if c == t.score || !t.spread(c) {
			continue
		}
		v = c
		break
	}
	if v == 0 {
		return 0, false, fmt.Errorf("explain: no layer can be chosen automatically: no 4-D tensor with more than one position lies on every path to the class score; name one, see the list of layers")
	}
	at := v
	for {
		n := t.g.Info(at).Def
		if n == nil || n.Op.Domain != "" {
			break
		}
		if slices.Contains(activations, n.Op.Name) {
			v = at
			break
		}
		if !slices.Contains(passive, n.Op.Name) || !t.spread(n.In[0]) || n.In[0] == t.input {
			break
		}
		at = n.In[0]
		if n.Op.Name == "Transpose" && at != t.input {
			v = at // the channels are on axis 1 before it, as everywhere else in such exports
		}
	}
	i := slices.IndexFunc(t.nodes, func(n *graph.Node) bool { return slices.Contains(n.Out, v) })
	return v, 4*(i+1) < len(t.nodes), nil
}

// layer is the value called name: a tensor, or the first output of a node.
func (t *terrain) layer(name string) (graph.Value, error) {
	v := t.g.Lookup(name)
	if v == 0 {
		for _, n := range t.g.Nodes {
			if n.Name == name && len(n.Out) > 0 {
				v = n.Out[0]
				break
			}
		}
	}
	var known []string
	for _, n := range t.nodes {
		for _, o := range n.Out {
			if o != 0 && t.usable(o) && o != t.score {
				known = append(known, t.g.Info(o).Name)
			}
		}
	}
	last := known[max(0, len(known)-5):]
	switch {
	case v == 0:
		for _, n := range t.nodes {
			known = append(known, n.Name)
		}
		return 0, fmt.Errorf("explain: the model has no layer %q%s; the last ones with 4-D outputs are %s", name, didYouMean(name, known), strings.Join(last, ", "))
	case !t.between[v]:
		return 0, fmt.Errorf("explain: layer %q is not between the input and the class score; the last ones are %s", name, strings.Join(last, ", "))
	case !t.usable(v):
		shape := "a shape that only a run can tell"
		if t.shapes[v] != nil {
			shape = fmt.Sprintf("%v%v", t.g.Info(v).DType, t.shapes[v])
		}
		return 0, fmt.Errorf("explain: layer %q has %s; maps need real numbers [N,C,h,w], as of %s", name, shape, strings.Join(last, ", "))
	case v == t.score || v == t.input:
		return 0, fmt.Errorf("explain: layer %q is the model's input or score itself; the last layers before it are %s", name, strings.Join(last, ", "))
	}
	return v, nil
}
