package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	ucli "github.com/urfave/cli/v2"
)

func init() {
	register(command(&ucli.Command{
		Name: "inspect", Usage: "list the layers of a model with shapes, parameters, work and memory", ArgsUsage: "MODEL.onnx",
		Flags: []ucli.Flag{
			&ucli.StringSliceFlag{Name: "input", Usage: "`NAME=SHAPE` to work the costs out for, as in input=8x3x224x224"},
			&ucli.IntFlag{Name: "batch", Value: 1, Usage: "batch size to work the costs out for"},
			&ucli.StringFlag{Name: "dot", Usage: "write the graph as a Graphviz `FILE`"},
			&ucli.BoolFlag{Name: "force", Usage: "replace the file if it is there"},
		},
	}, inspectCommand))
}

type inspectReport struct {
	*description
	Layers []layerReport `json:"layers"`
	Dot    string        `json:"dot,omitempty"`
}

type layerReport struct {
	Name       string `json:"name"`
	Op         string `json:"op"`
	Output     string `json:"output"`
	DType      string `json:"dtype"`
	Shape      []any  `json:"shape"` // null when only a run can tell
	Parameters int    `json:"parameters"`
	MACs       int64  `json:"macs"`
	Bytes      int64  `json:"bytes"`
}

func inspectCommand(_ context.Context, e *env, c *ucli.Context) error {
	path, err := oneArg(c, "MODEL.onnx")
	if err != nil {
		return err
	}
	dot := c.String("dot")
	if dot != "" {
		if err := mayWrite(dot, c.Bool("force")); err != nil {
			return err
		}
	}
	m, err := readModel(path)
	if err != nil {
		return err
	}
	shapes, err := inspectShapes(e, c, m)
	if err != nil {
		return err
	}
	d, err := describe(m, e.Threads, shapes)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	d.Schema = "gtk.inspect/1"
	r := inspectReport{description: d, Layers: []layerReport{}, Dot: dot}
	if err := d.print(e); err != nil {
		return err
	}
	if d.loadErr != nil {
		for _, n := range m.Proto.GetGraph().GetNode() {
			l := layerReport{Name: n.GetName(), Op: n.GetOpType()}
			if len(n.GetOutput()) > 0 {
				l.Output = n.GetOutput()[0]
			}
			r.Layers = append(r.Layers, l)
		}
		e.printf("\n%v\n", d.loadErr)
	} else if err := r.layers(e, d.inspection); err != nil {
		return err
	}
	if dot != "" {
		if err := writeFile(dot, func(f *os.File) error { return writeDot(f, m) }); err != nil {
			return err
		}
		e.printf("\ngraph written to %s; draw it with: dot -Tsvg %s\n", dot, dot)
	}
	return e.emit(r)
}

// layers lists the layers and prints them.
func (r *inspectReport) layers(e *env, in *engine.Inspection) error {
	e.printf("\nlayers\n")
	t := e.newTable(3, 4, 5)
	t.row("operator", "output", "shape", "parameters", "MACs", "memory")
	dash := func(zero bool, s string) string {
		if zero {
			return ""
		}
		return s
	}
	for _, l := range in.Layers {
		r.Layers = append(r.Layers, layerReport{l.Name, opName(l.Domain, l.Op), l.Output, l.DType.String(), dimsJSON(l.Shape), l.Parameters, l.MACs, l.Bytes})
		t.row(opName(l.Domain, l.Op), clip(l.Output, 48), dimsText(l.Shape), dash(l.Parameters == 0, count(l.Parameters)), dash(l.MACs == 0, count(l.MACs)), dash(l.Bytes == 0, size(l.Bytes)))
	}
	return t.flush()
}

func opName(domain, op string) string {
	if domain == "" {
		return op
	}
	return domain + "." + op
}

// inspectShapes are the input shapes by the flags, nil for the model's own.
func inspectShapes(e *env, c *ucli.Context, m *onnx.Model) (out shapes, err error) {
	if !c.IsSet("input") && !c.IsSet("batch") {
		return nil, nil
	}
	em, err := engine.Load(m, engine.WithThreads(e.Threads))
	if err != nil {
		return nil, badInput(err)
	}
	defer em.Pool().Close()
	ins, err := synthetic(em, c.StringSlice("input"), c.Int("batch"))
	if err != nil {
		return nil, err
	}
	for _, in := range ins {
		out = append(out, in.shape)
	}
	return out, nil
}

// writeDot writes the nodes of the main graph in Graphviz's language.
func writeDot(f *os.File, m *onnx.Model) error {
	var b strings.Builder
	g := m.Proto.GetGraph()
	fmt.Fprintf(&b, "digraph %q {\n  rankdir=TB; node [shape=box, style=rounded, fontname=\"Helvetica\", fontsize=10]; edge [fontname=\"Helvetica\", fontsize=8];\n", g.GetName())
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
	_, err := f.WriteString(b.String())
	return err
}
