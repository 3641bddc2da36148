package train

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// GBNNSite is where units that are trained by gradient boosting go in a model: between the features that its last layer reads, or a value
// that is named, and an output.
type GBNNSite struct {
	Model    *onnx.Model // a copy in which Features has a name of its own; run it to see the shape of the features
	Features string      // value
	Output   string

	dtype tensor.DType // of the features in the file, Undefined where it is not known
	last  bool         // the axis of what is mixed is the last one, as a MatMul reads it; else the second
	flat  bool         // features are taken as they are, however many positions they have
}

// FindGBNNSite finds the features before the last layer of m, or takes the value called features; output "" means the first.
func FindGBNNSite(m *onnx.Model, output, features string) (*GBNNSite, error) {
	s := &GBNNSite{Model: m.Clone(), Output: output}
	f := newFinder(s.Model)
	if output == "" {
		outs := s.Model.Proto.GetGraph().GetOutput()
		if len(outs) == 0 {
			return nil, fmt.Errorf("train: gbnn: the model has no output")
		}
		s.Output = outs[0].GetName()
	}
	if features != "" {
		if f.makers[features] == nil && !f.input(features) {
			return nil, fmt.Errorf("train: gbnn: the model has no value %q; gtk inspect lists those of its layers", features)
		}
		s.Features, s.flat = features, true
		return s, nil
	}
	h, err := f.head(s.Output)
	if h == nil || h.reader == nil {
		return nil, err
	}
	n := h.reader // its weight may be quantised: it is not used
	if h.weight != nil {
		s.dtype = h.weight.value.DType()
	}
	s.Features, s.last = n.GetInput()[0], f.is(n, ops.MatMul)
	if f.is(n, ops.Gemm) && intAttr(n, "transA", 0) != 0 {
		return nil, fmt.Errorf("train: gbnn: %s reads its features transposed", label(n))
	}
	return s, nil
}

// GBNNUnits says what is put at a site.
type GBNNUnits struct {
	Units, Step int
	Outputs     int          // K
	Activation  string       // behind: "Softmax", "LogSoftmax", "Sigmoid", or ""
	Shape       tensor.Shape // of the features of one example
	DType       tensor.DType // of the features as the engine has them: float32 where the file has half precision
}

// Put is a copy of the model in which the last layer is Gemm, Sigmoid and Gemm with units whose weights are zero; what only the old layer
// read is gone. Features at several positions are averaged over them, but for those that were named, which are taken one by one. The
// output becomes [N,K].
func (s *GBNNSite) Put(u GBNNUnits) (*onnx.Model, *GBNN, error) {
	m := s.Model.Clone()
	f := newFinder(m)
	g := m.Proto.GetGraph()
	out := f.outputOf(s.Output)
	if out == nil {
		return nil, nil, fmt.Errorf("train: gbnn: the model has no output %q", s.Output)
	}
	d := tensor.DType(out.GetType().GetTensorType().GetElemType())
	if !u.DType.IsFloat() || !d.IsFloat() {
		return nil, nil, fmt.Errorf("train: gbnn: features %q are %v and output %q is %v, want real numbers", s.Features, u.DType, s.Output, d)
	}
	unread := f.unread()
	if n := f.makers[s.Output]; n != nil {
		n.Output[slices.Index(n.Output, s.Output)] = f.free(s.Output + ".old")
	}
	b := &siteBuild{f: f, g: g}
	x, width := b.rows(s, u)
	real := tensor.Float32
	if u.DType == tensor.Float64 {
		real = u.DType
	}
	if s.dtype != real {
		x = b.add("Cast", x, onnx.AttrInt("to", int64(real)))
	}
	r := &GBNN{Schema: GBNNKey + "/1", Units: u.Units, Step: u.Step, Features: x, Width: width}
	z := b.gemm(x, "hidden", u.Units, width, real, &r.Hidden)
	z = b.gemm(b.add("Sigmoid", z), "out", u.Outputs, u.Units, real, &r.Out)
	if d != real {
		z = b.add("Cast", z, onnx.AttrInt("to", int64(d)))
	}
	if u.Activation != "" {
		var attrs []*onnxpb.AttributeProto
		if u.Activation != "Sigmoid" {
			attrs = append(attrs, onnx.AttrInt("axis", 1))
		}
		b.add(u.Activation, z, attrs...)
	}
	g.Node[len(g.Node)-1].Output[0] = s.Output
	f.index()
	f.dropUnread(unread)
	b.drop(unread)
	dims := out.GetType().GetTensorType().GetShape().GetDim()
	var batch any = "N"
	if len(dims) > 0 && dims[0].GetDimParam() != "" {
		batch = dims[0].GetDimParam()
	} else if len(dims) > 0 && dims[0].GetDimValue() > 0 {
		batch = int(dims[0].GetDimValue())
	}
	out.Type = onnx.ValueInfo(s.Output, d, batch, u.Outputs).Type
	m.DropMetadata(task.MetadataKey) // what it was trained for is no more
	return m, r, nil
}

// siteBuild adds nodes behind the others of a graph.
type siteBuild struct {
	f *finder
	g *onnxpb.GraphProto
}

// free is name, or one like it that no value has.
func (f *finder) free(name string) string {
	for f.taken(name) {
		name += "_"
	}
	return name
}

// add adds a node and gives its output.
func (b *siteBuild) add(op, x string, attrs ...*onnxpb.AttributeProto) string {
	out := b.f.free("gbnn." + op)
	b.g.Node = append(b.g.Node, onnx.NewNode(op, out, []string{x}, []string{out}, attrs...))
	return out
}

// rows makes [N,F] of the features.
func (b *siteBuild) rows(s *GBNNSite, u GBNNUnits) (x string, width int) {
	x, width = s.Features, u.Shape.Len()
	switch rank := len(u.Shape) + 1; {
	case rank == 2:
		return x, width
	case rank > 2 && !s.flat:
		channels := u.Shape[0]
		if s.last {
			channels = u.Shape[len(u.Shape)-1]
		}
		if channels == width {
			break
		}
		if s.last {
			perm := []int64{0, int64(rank - 1)}
			for i := 1; i < rank-1; i++ {
				perm = append(perm, int64(i))
			}
			x = b.add("Transpose", x, onnx.AttrInts("perm", perm...))
		}
		x, width = b.add("GlobalAveragePool", x), channels
	}
	return b.add("Flatten", x, onnx.AttrInt("axis", 1)), width
}

// gemm adds x·Wᵀ + b with weights [out,in] of zeros, and notes their names.
func (b *siteBuild) gemm(x, name string, out, in int, d tensor.DType, l *GBNNLayer) string {
	l.Weight, l.Bias = b.f.free("gbnn."+name+".weight"), b.f.free("gbnn."+name+".bias")
	b.f.addInitializer(l.Weight, tensor.New(d, out, in))
	b.f.addInitializer(l.Bias, tensor.New(d, out))
	attrs := []*onnxpb.AttributeProto{onnx.AttrInt("transB", 1)}
	if b.f.m.Opset("") < 7 {
		attrs = append(attrs, onnx.AttrInt("broadcast", 1))
	}
	y := b.f.free("gbnn." + name)
	b.g.Node = append(b.g.Node, onnx.NewNode("Gemm", y, []string{x, l.Weight, l.Bias}, []string{y}, attrs...))
	return y
}

// drop takes away initializers that only dropped nodes read, and what was declared of values that are gone.
func (b *siteBuild) drop(before map[*onnxpb.NodeProto]bool) {
	was := map[string]bool{}
	for n := range before {
		for _, x := range n.GetInput() {
			was[x] = true
		}
	}
	read := map[string]bool{}
	b.f.m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		for _, x := range n.GetInput() {
			read[x] = true
		}
	})
	for x := range was {
		if b.f.inits[x] != nil && !read[x] && b.f.outputOf(x) == nil {
			b.f.dropInitializer(x)
		}
	}
	b.f.index()
	b.g.ValueInfo = slices.DeleteFunc(b.g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool {
		return b.f.makers[v.GetName()] == nil && b.f.inits[v.GetName()] == nil && !b.f.input(v.GetName())
	})
}

// Positions says what becomes of features of that shape, "" where there is nothing to say.
func (s *GBNNSite) Positions(shape tensor.Shape) string {
	if len(shape) < 2 || shape.Len() == 0 {
		return ""
	}
	channels := shape[0]
	if s.last {
		channels = shape[len(shape)-1]
	}
	switch {
	case channels == shape.Len():
		return ""
	case s.flat:
		return fmt.Sprintf("the features %v of an example are taken as %d numbers", shape, shape.Len())
	}
	return fmt.Sprintf("the last layer works at %d positions of %q: the features are the means over them", shape.Len()/channels, s.Features)
}
