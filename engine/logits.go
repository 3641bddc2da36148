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

// NodeOf is the node that computes the value called name, nil for inputs, parameters and constants.
func (m *Model) NodeOf(name string) (*graph.Node, error) {
	v, err := m.value(name)
	if err != nil {
		return nil, err
	}
	return m.g.Info(v).Def, nil
}
