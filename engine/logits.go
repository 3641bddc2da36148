package engine

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Head describes how a model ends.
type Head struct {
	Output     string // the model's output
	Logits     string // value before the final activation, of which the output shows a view; Output itself when there is none
	Activation string // "Softmax", "LogSoftmax", "Sigmoid", or ""

	// Axis is the axis of Logits that a Softmax or LogSoftmax runs over: 1 of [N,K,H,W] for a segmentation, 2 of [N,T,K] for tokens. It
	// counts from the front where the rank of Logits can be inferred, else it is as in the file. It means nothing for other activations.
	Axis int
	// Flat says that the softmax runs over Axis and all axes behind it together, of more than one element, as before opset 13.
	Flat bool
}

// Head finds the logits of the named output ("" means the first): the input of a final Softmax, LogSoftmax or Sigmoid, one node or
// written out, looking through views, which do not change the numbers. Of an output in half precision without one they are the value
// before it is narrowed.
func (m *Model) Head(output string) (Head, error) {
	if err := m.gate.enter(); err != nil {
		return Head{}, err
	}
	defer m.gate.leave()
	if len(m.outputs) == 0 {
		return Head{}, fmt.Errorf("engine: the model has no output")
	}
	i := 0
	l := m.look()
	defer l.mu.Unlock()
	if output != "" {
		var ok bool
		if i, ok = l.output[output]; !ok {
			var names []string
			for _, o := range m.outputs {
				names = append(names, o.Name)
			}
			return Head{}, fmt.Errorf("engine: the model has no output %q%s", output, hint(output, names))
		}
	}
	h := Head{Output: m.outputs[i].Name, Logits: m.outputs[i].Name}
	a, ok := l.read.finalActivation(m.g, l.taken(m, m.g.Outputs[i]))
	if !ok {
		// Numbers are compared and differentiated before they are narrowed to half precision.
		if n := made(m.g, m.g.Outputs[i], ops.Cast); n != nil && half(m.g.Info(m.g.Outputs[i]).DType) {
			h.Logits = m.g.Info(n.In[0]).Name
		}
		return h, nil
	}
	h.Activation, h.Axis, h.Flat, h.Logits = a.name, a.axis, a.flat, m.g.Info(a.z).Name
	l.normalise(m, &h, a.z)
	return h, nil
}

// taken is what v was before an axis of extent one was indexed away, as p[:, 0] of p [N,1] does: the same numbers.
func (l *looks) taken(m *Model, v graph.Value) graph.Value {
	if was, known := l.before[v]; known {
		return was
	}
	was := v
	at := l.read.source(m.g, v)
	if n := made(m.g, at, ops.Gather); n != nil {
		if from, to := l.inferred(m)[n.In[0]], l.inferred(m)[at]; from != nil && to != nil {
			if axis := ops.GatherAxis(n, len(from)); axis > 0 && from[axis] == 1 && to.Len() == from.Len() {
				was = l.taken(m, n.In[0])
			}
		}
	}
	l.before[v] = was
	return was
}

// normalise counts the axis of h from the front and forgets Flat where only one axis has more than one element.
func (l *looks) normalise(m *Model, h *Head, z graph.Value) {
	if h.Activation == "Sigmoid" {
		return
	}
	shapes := l.inferred(m) // as far as it comes
	if shapes[z] == nil {
		return
	}
	s := shapes[z]
	if h.Axis < 0 {
		h.Axis += len(s)
	}
	if h.Axis < 0 || h.Axis >= len(s) {
		return
	}
	if h.Flat {
		behind := s[h.Axis+1:].Len()
		if h.Axis+1 == len(s) || behind == 1 {
			h.Flat = false
		} else if s[h.Axis] == 1 { // [N,1,1,K] flattened from axis 1
			for k := h.Axis + 1; k < len(s); k++ {
				if s[k] == behind {
					h.Axis, h.Flat = k, false
					break
				}
			}
		}
	}
}

// activation is a softmax or sigmoid of z.
type activation struct {
	name string
	z    graph.Value
	axis int
	flat bool
}

// finalActivation is the activation that v shows through views; ok is false when there is none.
func (r *readers) finalActivation(g *graph.Graph, v graph.Value) (a activation, ok bool) {
	v = r.source(g, v)
	if v == 0 {
		return a, false
	}
	n := g.Info(v).Def
	if n == nil || len(n.In) == 0 {
		return a, false
	}
	if n.Op.Role == graph.Probability {
		axis, flat := ops.SoftmaxAxis(n)
		return activation{n.Op.Name, n.In[0], axis, flat}, true
	}
	if is(n, ops.Log) { // of a softmax
		if before := g.Info(r.source(g, n.In[0])).Def; before == nil || is(before, ops.Log) {
			return activation{}, false
		}
		if a, ok = r.finalActivation(g, n.In[0]); ok && a.name == "Softmax" {
			a.name = "LogSoftmax"
			return a, true
		}
		return activation{}, false
	}
	name, z, reduced := ops.Written(makers{g, r}, v)
	if reduced == 0 {
		return activation{name: name, z: z}, name != ""
	}
	axis, flat, ok := r.reducedAxis(g, g.Info(reduced).Def)
	return activation{name, z, axis, flat}, ok
}

// makers is how a graph says what its values are made of.
type makers struct {
	g    *graph.Graph
	read *readers
}

func (c makers) Maker(v graph.Value) (*graph.Spec, []graph.Value) {
	if n := c.g.Info(v).Def; n != nil {
		return n.Op, n.In[:n.NumIn]
	}
	return nil, nil
}

func (c makers) Constant(v graph.Value) *tensor.Tensor {
	if in := c.g.Info(c.read.source(c.g, v)); in.Kind == graph.Constant {
		return in.Data
	}
	return nil
}

// is reports whether n is of op, in any version.
func is(n *graph.Node, op *graph.Spec) bool { return n.Op.Domain == op.Domain && n.Op.Name == op.Name }

// made is the node that computes v when it is of op, else nil.
func made(g *graph.Graph, v graph.Value, op *graph.Spec) *graph.Node {
	if d := g.Info(v).Def; d != nil && is(d, op) {
		return d
	}
	return nil
}

// reducedAxis is the axis that a Reduce node reduces; of several the first, with flat true. ok is false when they are computed.
func (r *readers) reducedAxis(g *graph.Graph, n *graph.Node) (axis int, flat, ok bool) {
	var given *tensor.Tensor
	if n.NumIn > 1 {
		given = makers{g, r}.Constant(n.In[1])
	}
	axes, ok := ops.ReduceAxes(n, given)
	if len(axes) == 0 { // all
		return 0, true, ok
	}
	return axes[0], len(axes) > 1, ok
}

// NodeOf is the node that computes the value called name, nil for inputs, parameters and constants.
func (m *Model) NodeOf(name string) (*graph.Node, error) {
	if err := m.gate.enter(); err != nil {
		return nil, err
	}
	defer m.gate.leave()
	v, err := m.value(name)
	if err != nil {
		return nil, err
	}
	return m.g.Info(v).Def, nil
}

// ClassAxis is the axis of logits of the given rank that holds the classes because the model's softmax runs along it, -1 when that is not
// known.
func (h Head) ClassAxis(rank int) int {
	if h.Activation != "Softmax" && h.Activation != "LogSoftmax" || h.Flat || h.Axis < 0 || h.Axis >= rank {
		return -1
	}
	return h.Axis
}
