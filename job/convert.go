package job

import (
	"context"
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/convert"
	"github.com/gtk-onnx/gtk/tensor"
)

// ConversionReport says how a model was taken to another operator set.
type ConversionReport struct {
	From    int64            `json:"from"`
	To      int64            `json:"to"`
	Changed []convert.Change `json:"changed"` // operators that are written otherwise
	Verify  *ExportVerify    `json:"verify"`  // of the outputs before and after
}

// converted is a copy of m in another operator set.
func converted(m *onnx.Model, to int64, threads int) (*onnx.Model, *ConversionReport, error) {
	if to < 1 || to > onnx.LatestOpset {
		return nil, nil, usagef("--opset %d: the operator sets are 1 to %d", to, onnx.LatestOpset)
	}
	types, _ := engine.Types(m, engine.WithThreads(threads)) // as far as they are known
	out, r, err := convert.To(m, to, convert.Options{Types: types})
	if err != nil {
		return nil, nil, err
	}
	return out, &ConversionReport{From: r.From, To: r.To, Changed: r.Changed}, nil
}

// draws is the label of a node of g, or of its bodies, whose results differ from run to run, "" where there is none. A Dropout that is not
// in training draws nothing.
func draws(g *graph.Graph) string {
	for _, n := range g.Nodes {
		if n.Op.Random && (n.Op != ops.Dropout || drops(g, n)) {
			return n.Label()
		}
		for _, b := range n.Bodies {
			if s := draws(b.G); s != "" {
				return s
			}
		}
	}
	return ""
}

// drops says whether the Dropout n has a training mode other than a constant false.
func drops(g *graph.Graph, n *graph.Node) bool {
	if n.NumIn < 3 || n.In[2] == 0 {
		return false
	}
	mode := g.Info(n.In[2]).Data
	return mode == nil || mode.DType() != tensor.Bool || mode.Len() != 1 || tensor.Data[bool](mode)[0]
}

// sameOutputs runs two forms of a model on the same made-up inputs. Numbers agree within 1e-6 and 1e-5 of each, those of models in half
// precision within a few of its roundings.
func sameOutputs(ctx context.Context, source, m *onnx.Model, c ImportConfig) (*ExportVerify, error) {
	half := false
	for t := range source.Tensors() {
		d := tensor.DType(t.Proto.GetDataType())
		half = half || d == tensor.Float16 || d == tensor.BFloat16
	}
	for _, v := range source.Inputs() {
		name := onnx.TypeString(v.GetType())
		half = half || strings.HasPrefix(name, "float16") || strings.HasPrefix(name, "bfloat16")
	}
	x := ExportConfig{Threads: c.Threads, Seed: c.Seed}
	em, want, err := runExported(ctx, x, source)
	if em != nil {
		if random := draws(em.Graph()); random != "" {
			return &ExportVerify{Note: random + " draws random numbers"}, nil
		}
	}
	if err != nil {
		return &ExportVerify{Note: err.Error()}, ctx.Err()
	}
	_, got, err := runExported(ctx, x, m)
	if err != nil {
		return nil, fmt.Errorf("the converted model does not run: %w", err)
	}
	rtol, atol := 1e-5, 1e-6
	if half {
		rtol, atol = 1e-2, 1e-3
	}
	v := &ExportVerify{Pass: true}
	for _, o := range em.Outputs() {
		ok, rep := tensor.AllClose(got.Value(o.Name), want.Value(o.Name), rtol, atol)
		v.Pass = v.Pass && ok
		v.MaxAbs = max(v.MaxAbs, Number(rep.MaxAbs))
	}
	return v, nil
}
