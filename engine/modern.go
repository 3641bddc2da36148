package engine

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/onnx/convert"
)

// exportOpset is the oldest operator set in which gradients can be written: their reductions take axes as inputs.
const exportOpset = 18

// modern is m, or where m has operators that exportOpset writes otherwise, such as reductions with axes as an attribute, the same model in
// that operator set, with the same numbers in its parameters under the same names. It is m too where the conversion fails: what cannot be
// written then is found when it is.
func (m *Model) modern() (*Model, error) {
	if !old(m.g) {
		return m, nil
	}
	file, err := m.Save()
	if err != nil {
		return nil, err
	}
	types, _ := Types(file, WithOps(m.set), WithThreads(1)) // as far as they are known
	file, _, err = convert.To(file, exportOpset, convert.Options{Types: types})
	if err != nil {
		return m, nil
	}
	out, err := Load(file, WithOps(m.set), WithThreads(m.threads), WithTrainable(m.wanted...), func(n *Model) { n.forward = m.forward })
	if err != nil {
		return m, nil
	}
	for _, p := range m.params {
		q := out.byName[p.Name]
		if q == nil || !q.Value.Shape().Equal(p.Value.Shape()) || q.Value.DType() != p.Value.DType() {
			out.Close()
			return m, nil
		}
	}
	out.Thaw()
	for _, p := range m.params { // which files in half precision round
		copy(out.byName[p.Name].Value.Bytes(), p.Value.Bytes())
	}
	return out, nil
}

// old reports whether g has a node of ONNX's that is written otherwise in exportOpset, but not one that is newer.
func old(g *graph.Graph) bool {
	return !everyNode(g, func(n *graph.Node) bool {
		since := n.Op.Since
		return n.Op.Domain != "" || since[len(since)-1] > exportOpset ||
			slices.Contains(since, graph.SinceAt("", n.Op.Name, exportOpset))
	})
}
