package job

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
)

// InspectConfig says what is listed of a model.
type InspectConfig struct {
	Model   string   // file, or builtin:NAME; required
	Threads int      // 0 means all processors
	Inputs  []string // NAME=SHAPE to work the costs out for
	Batch   int      // batch size to work them out for; with 0 and no Inputs, sizes of gtk's choice
	Dot     string   // file for the graph in Graphviz's language; "" writes none
	Force   bool     // replace Dot
}

// InspectReport is a model layer by layer.
type InspectReport struct {
	*Description
	Layers []LayerReport `json:"layers"`
	Dot    string        `json:"dot,omitempty"`
}

// LayerReport is one node.
type LayerReport struct {
	Name       string `json:"name"`
	Op         string `json:"op"`
	Output     string `json:"output"`
	DType      string `json:"dtype"`
	Shape      []any  `json:"shape"` // null when only a run can tell
	Parameters int    `json:"parameters"`
	MACs       int64  `json:"macs"`
	Bytes      int64  `json:"bytes"`
}

// Inspect lists the layers of a model with shapes, parameters, work and memory. A model that the engine cannot load is listed as far as
// possible, with LoadErr set.
func Inspect(c InspectConfig) (*InspectReport, error) {
	release, err := claim(reads(c.Model, ModelOptions{}), output{flag: "--dot", path: c.Dot, force: c.Force})
	if err != nil {
		return nil, err
	}
	defer release()
	m, err := ReadModel(c.Model)
	if err != nil {
		return nil, err
	}
	shapes, err := inspectShapes(c, m)
	if err != nil {
		return nil, err
	}
	d, err := describe(m, c.Threads, shapes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	d.Schema = "gtk.inspect/1"
	r := &InspectReport{Description: d, Layers: []LayerReport{}, Dot: c.Dot}
	if d.LoadErr != nil {
		for _, n := range m.Proto.GetGraph().GetNode() {
			l := LayerReport{Name: n.GetName(), Op: n.GetOpType()}
			if len(n.GetOutput()) > 0 {
				l.Output = n.GetOutput()[0]
			}
			r.Layers = append(r.Layers, l)
		}
	} else {
		for _, l := range d.inspection.Layers {
			r.Layers = append(r.Layers, LayerReport{l.Name, opName(l.Domain, l.Op), l.Output, l.DType.String(), dimsOf(l.Shape),
				l.Parameters, l.MACs, l.Bytes})
		}
	}
	if c.Dot != "" {
		if err := WriteFile(c.Dot, func(f io.Writer) error { return writeDot(f, m) }); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// inspectShapes are the input shapes that are asked for, nil for the model's own.
func inspectShapes(c InspectConfig, m *onnx.Model) (out shapes, err error) {
	if len(c.Inputs) == 0 && c.Batch == 0 {
		return nil, nil
	}
	em, err := engine.Load(m, engine.WithThreads(c.Threads))
	if err != nil {
		return nil, badInput(err)
	}
	defer em.Close()
	ins, err := synthetic(em, c.Inputs, cmp.Or(c.Batch, 1))
	if err != nil {
		return nil, err
	}
	for _, in := range ins {
		out = append(out, in.shape)
	}
	return out, nil
}

// writeDot writes the nodes of the main graph in Graphviz's language.
func writeDot(w io.Writer, m *onnx.Model) error {
	var b strings.Builder
	g := m.Proto.GetGraph()
	fmt.Fprintf(&b, "digraph %q {\n  rankdir=TB; node [shape=box, style=rounded, fontname=\"Helvetica\", fontsize=10]; edge "+
		"[fontname=\"Helvetica\", fontsize=8];\n", g.GetName())
	from := map[string]string{}
	for i, v := range m.Inputs() {
		id := fmt.Sprintf("in%d", i)
		from[v.GetName()] = id
		fmt.Fprintf(&b, "  %s [label=%q, shape=ellipse];\n", id, v.GetName()+"\n"+onnx.TypeString(v.GetType()))
	}
	for i, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			from[o] = fmt.Sprintf("n%d", i)
		}
	}
	for i, n := range g.GetNode() {
		label := n.GetOpType()
		if n.GetName() != "" {
			label += "\n" + n.GetName()
		}
		fmt.Fprintf(&b, "  n%d [label=%q];\n", i, label)
		for _, x := range n.GetInput() {
			if id, ok := from[x]; ok && x != "" {
				fmt.Fprintf(&b, "  %s -> n%d [label=%q];\n", id, i, x)
			}
		}
	}
	for i, v := range m.Outputs() {
		fmt.Fprintf(&b, "  out%d [label=%q, shape=ellipse];\n", i, v.GetName()+"\n"+onnx.TypeString(v.GetType()))
		if id, ok := from[v.GetName()]; ok {
			fmt.Fprintf(&b, "  %s -> out%d;\n", id, i)
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}
