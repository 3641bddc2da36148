package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/task"
	"github.com/gtk-onnx/gtk/tensor"
)

// FeaturesKey is the entry of a model's metadata that names the output with its features: the model is an encoder.
const FeaturesKey = "gtk.features"

// Names of the outputs of an encoder and its projection, where no value has them yet.
const (
	featuresName   = "features"
	projectionName = "projection"
)

// Features is where in a model its features are.
type Features struct {
	Value string // that holds them
	Why   string // how that was understood

	file *onnx.Model // in which Value is: a copy of the model whose last layer may be taken apart
}

// FindFeatures finds the features of m: the value called name; else the output that the metadata name; else what the last layer before the
// first output reads, where that is dense; else, where nothing is a last layer, the first output. Where the last layer is a convolution it
// is an error: its input or its own channels may be meant.
func FindFeatures(m *onnx.Model, name string) (*Features, error) {
	g := m.Proto.GetGraph()
	if len(g.GetOutput()) == 0 {
		return nil, fmt.Errorf("train: features: the model has no output")
	}
	f := newFinder(m.Clone())
	x := &Features{file: f.m}
	if name != "" {
		if f.makers[name] == nil && !slices.ContainsFunc(g.GetInput(), func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name }) {
			return nil, fmt.Errorf("train: features: no node of the model makes %q; gtk inspect --layers lists its values", name)
		}
		x.Value, x.Why = name, fmt.Sprintf("the features are %q, as was asked for", name)
		return x, nil
	}
	if out := encoderFeatures(m); out != "" {
		x.Value, x.Why = out, fmt.Sprintf("the model is an encoder: its metadata name %q its features", out)
		return x, nil
	}
	end := g.GetOutput()[0].GetName()
	if len(m.Proto.GetFunctions()) > 0 && f.inlineAll() != nil { // those on the way may do all the same
		f = newFinder(m.Clone())
	}
	h, err := f.head("")
	if err != nil {
		f = newFinder(m.Clone())
		x.file = f.m
		if n := f.quantisedLast(end); n != nil {
			x.Value, x.Why = n.GetInput()[0], fmt.Sprintf("the features are what the last layer, %s, whose output is quantised, reads", label(n))
			return x, nil
		}
		x.Value, x.Why = end, fmt.Sprintf("nothing before output %q is a last layer: the output is the features", end)
		return x, nil
	}
	n := h.weight.reader
	in := 0
	if h.weight.input == 0 {
		in = 1
	}
	x.file, x.Value = f.m, n.GetInput()[in]
	if !f.is(n, ops.Gemm) && !f.is(n, ops.MatMul) {
		return nil, fmt.Errorf("train: features: the last layer of the model is the convolution %s: whether it gives the features or reads "+
			"them is not known: give --features %s or --features %s", label(n), quoted(x.Value), quoted(end))
	}
	x.Why = fmt.Sprintf("the features are what the last layer, %s, reads", label(n))
	return x, nil
}

// quantisedLast is the dense layer before an output that is quantised and brought back, nil where there is none.
func (f *finder) quantisedLast(end string) *onnxpb.NodeProto {
	for v := end; ; {
		n := f.makers[v]
		switch {
		case n == nil || len(n.GetInput()) == 0:
			return nil
		case f.is(n, ops.QuantizeLinear), f.is(n, ops.DequantizeLinear):
			v = n.GetInput()[0]
		case v != end && (f.is(n, ops.Gemm) || f.is(n, ops.MatMul)):
			return n
		default:
			return nil
		}
	}
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// Encoder is the part of the model that makes the features, with the output "features", [N,F], alone; shape and d are those of
// Value for some examples, d as the file has it. Of features that have positions it is the mean: over the axes behind the second,
// [N,F,H,W], or over the one between, [N,T,F].
func (x *Features) Encoder(shape tensor.Shape, d tensor.DType) (file *onnx.Model, output string, err error) {
	if len(shape) < 2 || !d.IsFloat() {
		return nil, "", fmt.Errorf("train: features: %q is %v%v, and features are real numbers, [N,F]; name others with --features", x.Value,
			d, shape)
	}
	m := x.file.Clone()
	g := m.Proto.GetGraph()
	f := newFinder(m)
	output, v := x.Value, x.Value
	if f.outputOf(v) == nil || len(shape) > 2 {
		output = f.freshName(featuresName)
	}
	width := shape[1]
	add := func(op, out string, in []string, attrs ...*onnxpb.AttributeProto) {
		g.Node = append(g.Node, onnx.NewNode(op, f.freshName("gtk."+output+"."+op), in, []string{out}, attrs...))
	}
	if len(shape) == 3 {
		width = shape[2]
	}
	if width < 2 {
		return nil, "", fmt.Errorf("train: features: %q is one number for each example or position, and says too little to tell examples apart: "+
			"name others with --features", x.Value)
	}
	if len(shape) > 2 {
		if len(shape) == 3 {
			add("Transpose", output+".moved", []string{v}, onnx.AttrInts("perm", 0, 2, 1))
			v = output + ".moved"
		}
		add("GlobalAveragePool", output+".mean", []string{v})
		add("Flatten", output, []string{output + ".mean"}, onnx.AttrInt("axis", 1))
	} else if output != v {
		add("Identity", output, []string{v})
	}
	g.Output = []*onnxpb.ValueInfoProto{onnx.ValueInfo(output, d, batchDim(g), width)}
	keepReached(m)
	m.DropMetadata("gtk.labels")                                                                       // it has no classes
	(&task.Task{Kind: task.Regression, Head: engine.Head{Output: output, Logits: output}}).Remember(m) // they are values
	m.SetMetadata(FeaturesKey, output)
	return m, output, nil
}

// batchDim is the first dimension of the first input that has one, for the output of an encoder.
func batchDim(g *onnxpb.GraphProto) any {
	for _, in := range g.GetInput() {
		if dims := in.GetType().GetTensorType().GetShape().GetDim(); len(dims) > 0 {
			if n := dims[0].GetDimValue(); n > 0 {
				return int(n)
			}
			if s := dims[0].GetDimParam(); s != "" {
				return s
			}
			break
		}
	}
	return "N"
}

// freshName is name, longer where a value, a node or an initializer has it.
func (f *finder) freshName(name string) string {
	for f.taken(name) {
		name += "_"
	}
	return name
}

// keepReached drops nodes, initializers, inputs and declared values of the main graph that no output depends on.
func keepReached(m *onnx.Model) {
	g := m.Proto.GetGraph()
	makers := map[string]*onnxpb.NodeProto{}
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			makers[o] = n
		}
	}
	read, keep := map[string]bool{}, map[*onnxpb.NodeProto]bool{}
	var reach func(name string)
	var within func(n *onnxpb.NodeProto)
	within = func(n *onnxpb.NodeProto) {
		for _, x := range n.GetInput() {
			reach(x)
		}
		for _, a := range n.GetAttribute() { // bodies read values around them
			for _, body := range append([]*onnxpb.GraphProto{a.GetG()}, a.GetGraphs()...) {
				for _, inner := range body.GetNode() {
					within(inner)
				}
				for _, o := range body.GetOutput() {
					reach(o.GetName())
				}
			}
		}
	}
	var queue []*onnxpb.NodeProto
	reach = func(name string) {
		if name == "" || read[name] {
			return
		}
		read[name] = true
		if n := makers[name]; n != nil && !keep[n] {
			keep[n] = true
			queue = append(queue, n)
		}
	}
	for _, o := range g.GetOutput() {
		reach(o.GetName())
	}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		within(n)
		for _, o := range n.GetOutput() {
			read[o] = true
		}
	}
	g.Node = slices.DeleteFunc(g.Node, func(n *onnxpb.NodeProto) bool { return !keep[n] })
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return !read[t.GetName()] })
	g.SparseInitializer = slices.DeleteFunc(g.SparseInitializer,
		func(t *onnxpb.SparseTensorProto) bool { return !read[t.GetValues().GetName()] })
	g.Input = slices.DeleteFunc(g.Input, func(v *onnxpb.ValueInfoProto) bool { return !read[v.GetName()] })
	g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return !read[v.GetName()] })
	g.QuantizationAnnotation = slices.DeleteFunc(g.QuantizationAnnotation,
		func(q *onnxpb.TensorAnnotation) bool { return !read[q.GetTensorName()] })
}

// Projection is the layers between the features and an objective: Layers dense ones, the last of Width numbers, the others as wide as the
// features, with Relu between them. With Norm a batch normalisation follows each; it learns from the batch, so that it takes BNTrain.
//
// Source: arXiv 2301.02009, section 4, which has three layers. Deviation: the last normalisation has a scale and a shift too.
type Projection struct {
	Layers, Width int
	Norm          bool
	Seed          uint64
}

// Add is a copy of the encoder m, of which output [N,width] of type d is the features, with the projection as a second output.
func (p Projection) Add(m *onnx.Model, output string, width int, d tensor.DType) (file *onnx.Model, projection string, err error) {
	if p.Layers < 1 || p.Width < 1 {
		return nil, "", fmt.Errorf("train: a projection of %d layers to %d numbers: want at least one of each", p.Layers, p.Width)
	}
	if m.Opset("") < 7 {
		return nil, "", fmt.Errorf("train: a projection is written for operator sets from 7 on, and the model imports %d: gtk import --opset 13 "+
			"converts it", m.Opset(""))
	}
	m = m.Clone()
	g := m.Proto.GetGraph()
	f := newFinder(m)
	projection = f.freshName(projectionName)
	kind := d
	x := output
	node := func(op, out string, in []string, attrs ...*onnxpb.AttributeProto) {
		g.Node = append(g.Node, onnx.NewNode(op, out, in, []string{out}, attrs...))
		x = out
	}
	if d != tensor.Float32 && d != tensor.Float64 { // half precision: the projection is in single
		kind = tensor.Float32
		node("Cast", projection+".wide", []string{x}, onnx.AttrInt("to", int64(kind)))
	}
	rnd := rand.New(rand.NewPCG(p.Seed, 0x70726f6a656374))
	param := func(name string, fill func() float64, shape ...int) string {
		v := make([]float64, tensor.Shape(shape).Len())
		for i := range v {
			v[i] = fill()
		}
		t, _ := tensor.From(v, shape...).Convert(kind) // real numbers convert
		f.addInitializer(name, t)
		return name
	}
	is := func(v float64) func() float64 { return func() float64 { return v } }
	in := width
	for k := range p.Layers {
		out, last := width, k == p.Layers-1
		if last {
			out = p.Width
		}
		at := fmt.Sprintf("%s.%d", projection, k)
		bound := math.Sqrt(1 / float64(in))
		draw := func() float64 { return (2*rnd.Float64() - 1) * bound }
		to := func(name string, end bool) string {
			if end {
				return projection
			}
			return at + name
		}
		node("Gemm", to(".dense", last && !p.Norm), []string{x, param(at+".weight", draw, out, in), param(at+".bias", is(0), out)},
			onnx.AttrInt("transB", 1))
		if p.Norm {
			node("BatchNormalization", to(".norm", last), []string{x, param(at+".norm.weight", is(1), out), param(at+".norm.bias", is(0), out),
				param(at+".norm.running_mean", is(0), out), param(at+".norm.running_var", is(1), out)}, onnx.AttrFloat("epsilon", 1e-5))
		}
		if !last {
			node("Relu", at+".relu", []string{x})
		}
		in = out
	}
	g.Output = append(g.Output, onnx.ValueInfo(projection, kind, batchDim(g), p.Width))
	return m, projection, nil
}
