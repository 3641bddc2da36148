package train

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// Join is the model of site up to its features with chain, a state of n.Chain, behind it: one model of the model's inputs whose only output
// is that of the chain. What only led to other outputs is gone.
func (n *NoPropNet) Join(site *GBNNSite, chain *onnx.Model) (*onnx.Model, error) {
	m := site.Model.Clone()
	if v := m.Opset(""); v < NoPropLeastOpset {
		return nil, fmt.Errorf("train: noprop: the model is of operator set %d, and the blocks need %d", v, NoPropLeastOpset)
	}
	f := newFinder(m)
	g := m.Proto.GetGraph()
	unread := f.unread()
	b := &siteBuild{f: f, g: g}
	x := site.Features
	if n.In.Output == site.Output && f.makers[site.Output] != nil { // what makes it now may be read by others
		old := f.free(site.Output + ".old")
		m.Walk(func(_ *onnxpb.GraphProto, node *onnxpb.NodeProto) {
			for _, names := range [][]string{node.Input, node.Output} {
				for i, name := range names {
					if name == site.Output {
						names[i] = old
					}
				}
			}
		})
		f.index()
	}
	if site.dtype != tensor.Float32 {
		x = n.prefix + "features"
		g.Node = append(g.Node, onnx.NewNode("Cast", x, []string{site.Features}, []string{x}, onnx.AttrInt("to", int64(tensor.Float32))))
	}
	from := chain.Proto.GetGraph()
	for _, t := range from.GetInitializer() {
		v, err := chain.Tensor(t)
		if err != nil {
			return nil, fmt.Errorf("train: noprop: %w", err)
		}
		f.addInitializer(t.GetName(), v)
	}
	for _, node := range chain.Clone().Proto.GetGraph().GetNode() {
		for i, in := range node.Input {
			if in == n.In.Name {
				node.Input[i] = x
			}
		}
		g.Node = append(g.Node, node)
	}
	var batch any = "N"
	if outs := g.GetOutput(); len(outs) > 0 {
		if dims := outs[0].GetType().GetTensorType().GetShape().GetDim(); len(dims) > 0 && dims[0].GetDimParam() != "" {
			batch = dims[0].GetDimParam()
		} else if len(dims) > 0 && dims[0].GetDimValue() > 0 {
			batch = int(dims[0].GetDimValue())
		}
	}
	g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo(n.In.Output, tensor.Float32, batch, n.In.Classes)}
	f.index()
	f.dropUnread(unread)
	b.drop(unread)
	m.DropMetadata(task.MetadataKey) // what it was trained for is no more
	return m, nil
}

// Taken are the names that the model has already but that of the output that is replaced, for NoPropInput.
func (s *GBNNSite) Taken() func(name string) bool {
	f := newFinder(s.Model)
	return func(name string) bool { return name != s.Output && f.taken(name) }
}

// Input reports whether the features are an input of the model, as it is fed.
func (s *GBNNSite) Input() bool { return newFinder(s.Model).input(s.Features) }
