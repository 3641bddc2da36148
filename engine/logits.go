package engine

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
)

// Head describes how a model ends.
type Head struct {
	Output     string // the model's output
	Logits     string // value before the final activation; Output itself when there is none
	Activation string // "Softmax", "LogSoftmax", "Sigmoid", or ""
}

// skipped are the operators between an activation and the output that do not change the numbers.
var skipped = map[string]bool{"Identity": true, "Cast": true, "Reshape": true, "Squeeze": true, "Unsqueeze": true, "Flatten": true, "Dropout": true}

// Head finds the logits of the named output ("" means the first): the input of a final Softmax, LogSoftmax or Sigmoid, looking through operators
// that do not change the numbers.
func (m *Model) Head(output string) (Head, error) {
	if len(m.outputs) == 0 {
		return Head{}, fmt.Errorf("engine: the model has no output")
	}
	i := 0
	if output != "" {
		for i = range m.outputs {
			if m.outputs[i].Name == output {
				break
			}
		}
		if m.outputs[i].Name != output {
			var names []string
			for _, o := range m.outputs {
				names = append(names, o.Name)
			}
			return Head{}, fmt.Errorf("engine: the model has no output %q%s", output, hint(output, names))
		}
	}
	h := Head{Output: m.outputs[i].Name, Logits: m.outputs[i].Name}
	v := m.g.Outputs[i]
	for v != 0 {
		n := m.g.Info(v).Def
		if n == nil || n.Op.Domain != "" || len(n.In) == 0 {
			break
		}
		if z := softmaxParts(m.g, n); z != 0 {
			h.Activation, h.Logits = "Softmax", m.g.Info(z).Name
			return h, nil
		}
		switch name := n.Op.Name; {
		case name == "Softmax" || name == "LogSoftmax" || name == "Sigmoid":
			h.Activation, h.Logits = name, m.g.Info(n.In[0]).Name
			return h, nil
		case !skipped[name]:
			return h, nil
		}
		v = n.In[0]
	}
	return h, nil
}

// softmaxParts is z when n computes e/Σe of e = exp(z - c), c made of z alone: the softmax that some exporters write out. 0 otherwise.
func softmaxParts(g *graph.Graph, n *graph.Node) graph.Value {
	def := func(v graph.Value, op string) *graph.Node {
		if d := g.Info(v).Def; d != nil && d.Op.Domain == "" && d.Op.Name == op {
			return d
		}
		return nil
	}
	if n.Op.Name != "Div" || n.NumIn != 2 {
		return 0
	}
	total := n.In[1] // of the last axis, perhaps spread over it again
	for range 4 {
		d := g.Info(total).Def
		if d == nil || (d.Op.Name != "Reshape" && d.Op.Name != "Expand" && d.Op.Name != "Unsqueeze") {
			break
		}
		total = d.In[0]
	}
	exp, sum := def(n.In[0], "Exp"), def(total, "ReduceSum")
	if exp == nil || sum == nil || sum.In[0] != n.In[0] {
		return 0
	}
	z := exp.In[0]
	if d := def(z, "Sub"); d != nil && onlyFrom(g, d.In[1], d.In[0]) {
		z = d.In[0]
	}
	return z
}

// onlyFrom reports whether v is computed from z and constants alone by a few reductions and comparisons.
func onlyFrom(g *graph.Graph, v, z graph.Value) bool {
	for range 8 {
		if v == z {
			return true
		}
		d := g.Info(v).Def
		if d == nil || d.NumIn == 0 || d.Op.Domain != "" {
			return false
		}
		switch d.Op.Name {
		case "Identity", "Reshape", "Expand", "Unsqueeze", "Squeeze":
			v = d.In[0]
			continue
		case "ReduceMax", "Max", "Cast":
		default:
			return false
		}
		next := graph.Value(0)
		for _, in := range d.In[:d.NumIn] {
			if in != 0 && g.Info(in).Kind != graph.Constant {
				if next != 0 {
					return false
				}
				next = in
			}
		}
		v = next
		if v == 0 {
			return false
		}
	}
	return false
}

// NodeOf is the node that computes the value called name, nil for inputs, parameters and constants.
func (m *Model) NodeOf(name string) (*graph.Node, error) {
	v, err := m.value(name)
	if err != nil {
		return nil, err
	}
	return m.g.Info(v).Def, nil
}
