package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// ClassifierHead is the last layer of a classifier: a Gemm, a MatMul with or without an Add, or a Conv whose output is pooled;
// a BatchNormalization may follow it.
type ClassifierHead struct {
	Node    string   // name of the node, or of its output
	Op      string   // Gemm, MatMul or Conv
	Classes int      // extent of its output
	Params  []string // initializers that belong to it: weight, then bias, then scale and bias of a normalisation behind it

	weight *operand
	axis   int // of the classes in the weight
	bias   *operand
	norm   []*operand          // scale, bias, mean and variance of a BatchNormalization behind the layer
	after  []*onnxpb.NodeProto // nodes between the layer and the output, from the layer on
	output *onnxpb.ValueInfoProto
}

// operand is an initializer, or a chain of nodes that only changes the shape of one.
type operand struct {
	name  string // as the layer reads it
	init  string // the initializer at its root
	value *tensor.Tensor
}

// passive are the operators that may follow the last layer: they keep the classes apart.
var passive = map[string]bool{
	"Softmax": true, "LogSoftmax": true, "Sigmoid": true, "Identity": true, "Cast": true, "Reshape": true, "Squeeze": true, "Unsqueeze": true, "Flatten": true,
	"Dropout": true, "Relu": true, "GlobalAveragePool": true, "AveragePool": true, "GlobalMaxPool": true, "ReduceMean": true, "Transpose": true,
}

// FindHead finds the last layer before the named output, or before the first one when output is "".
func FindHead(m *onnx.Model, output string) (*ClassifierHead, error) {
	g := m.Proto.GetGraph()
	makers := map[string]*onnxpb.NodeProto{}
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			makers[o] = n
		}
	}
	h := &ClassifierHead{}
	for _, o := range g.GetOutput() {
		if output == "" || o.GetName() == output {
			h.output = o
			break
		}
	}
	if h.output == nil {
		return nil, fmt.Errorf("train: head: the model has no output %q", output)
	}
	f := finder{m, makers}
	name := h.output.GetName()
	for {
		n := makers[name]
		if n == nil {
			return nil, fmt.Errorf("train: head: walking back from output %q ends at %q, with no layer that could be replaced", h.output.GetName(), name)
		}
		switch op := n.GetOpType(); {
		case op == "Gemm" || op == "MatMul" || op == "Conv":
			return h, f.layer(h, n)
		case op == "Add":
			x, b, ok := f.biased(n)
			if !ok {
				return nil, fmt.Errorf("train: head: %s before output %q adds two computed values; the last layer is not a classifier's", label(n), h.output.GetName())
			}
			h.bias = b
			h.after = append([]*onnxpb.NodeProto{n}, h.after...)
			name = x
		case op == "Div" && f.softmax(n) != "":
			name = f.softmax(n)
		case op == "BatchNormalization" && h.norm == nil && f.normal(h, n):
			h.after = append([]*onnxpb.NodeProto{n}, h.after...)
			name = n.GetInput()[0]
		case passive[op] && len(n.GetInput()) > 0:
			h.after = append([]*onnxpb.NodeProto{n}, h.after...)
			name = n.GetInput()[0]
		default:
			return nil, fmt.Errorf("train: head: %s before output %q is not a layer that could be replaced (Gemm, MatMul+Add or Conv)", label(n), h.output.GetName())
		}
	}
}

// softmax is z when n computes e/Σe of e = exp(z - c): the softmax that some exporters write out. "" otherwise.
func (f finder) softmax(n *onnxpb.NodeProto) string {
	made := func(name, op string) *onnxpb.NodeProto {
		if m := f.makers[name]; m.GetOpType() == op && len(m.GetInput()) > 0 {
			return m
		}
		return nil
	}
	in := n.GetInput()
	if len(in) != 2 {
		return ""
	}
	total := in[1] // of the last axis, perhaps spread over it again
	for range 4 {
		m := f.makers[total]
		if op := m.GetOpType(); len(m.GetInput()) == 0 || op != "Reshape" && op != "Expand" && op != "Unsqueeze" {
			break
		}
		total = m.Input[0]
	}
	exp, sum := made(in[0], "Exp"), made(total, "ReduceSum")
	if exp == nil || sum == nil || sum.Input[0] != in[0] {
		return ""
	}
	if sub := made(exp.Input[0], "Sub"); sub != nil {
		return sub.Input[0]
	}
	return exp.Input[0]
}

func label(n *onnxpb.NodeProto) string {
	name := n.GetName()
	if name == "" && len(n.GetOutput()) > 0 {
		name = n.GetOutput()[0]
	}
	return fmt.Sprintf("node %q (%s)", name, n.GetOpType())
}

type finder struct {
	m      *onnx.Model
	makers map[string]*onnxpb.NodeProto
}

// constant resolves a name to an initializer, through nodes that only change its shape or share it.
func (f finder) constant(name string) *operand {
	o := &operand{name: name}
	for {
		if tp := f.m.Initializer(name); tp != nil {
			t, err := f.m.Tensor(tp)
			if err != nil {
				return nil
			}
			o.init = name
			if o.value == nil {
				o.value = t
			}
			return o
		}
		n := f.makers[name]
		if n == nil || len(n.GetInput()) == 0 {
			return nil
		}
		switch n.GetOpType() {
		case "Identity":
		case "Reshape":
			if len(n.GetInput()) != 2 {
				return nil
			}
			s := f.constant(n.GetInput()[1])
			in := f.constant(n.GetInput()[0])
			if s == nil || in == nil {
				return nil
			}
			dims, err := s.value.Ints()
			if err != nil || tensor.Shape(dims).Len() != in.value.Len() || slices.Contains(dims, 0) {
				return nil
			}
			return &operand{name: o.name, init: in.init, value: in.value.Reshape(dims...)}
		default:
			return nil
		}
		name = n.GetInput()[0]
	}
}

// biased splits an Add into its computed and its constant operand.
func (f finder) biased(n *onnxpb.NodeProto) (x string, b *operand, ok bool) {
	in := n.GetInput()
	if len(in) != 2 {
		return "", nil, false
	}
	for i := range 2 {
		if b := f.constant(in[i]); b != nil {
			return in[1-i], b, true
		}
	}
	return "", nil, false
}

// normal notes the parameters of the BatchNormalization n in h; false when one of them is computed.
func (f finder) normal(h *ClassifierHead, n *onnxpb.NodeProto) bool {
	if len(n.GetInput()) != 5 {
		return false
	}
	for _, name := range n.GetInput()[1:] {
		o := f.constant(name)
		if o == nil {
			return false
		}
		h.norm = append(h.norm, o)
	}
	return true
}

func intAttr(n *onnxpb.NodeProto, name string, def int64) int64 {
	for _, a := range n.GetAttribute() {
		if a.GetName() == name {
			return a.GetI()
		}
	}
	return def
}

// layer fills h from the node of the last layer.
func (f finder) layer(h *ClassifierHead, n *onnxpb.NodeProto) error {
	in := n.GetInput()
	if len(in) < 2 {
		return fmt.Errorf("train: head: %s has no weight", label(n))
	}
	w := f.constant(in[1])
	if w == nil {
		return fmt.Errorf("train: head: the weight %q of %s is computed, not an initializer", in[1], label(n))
	}
	h.Node, h.Op, h.weight = n.GetName(), n.GetOpType(), w
	if h.Node == "" {
		h.Node = n.GetOutput()[0]
	}
	switch h.Op {
	case "Conv":
		if w.value.Rank() < 3 || intAttr(n, "group", 1) != 1 {
			return fmt.Errorf("train: head: %s is not a convolution over all channels", label(n))
		}
		h.axis = 0
	case "Gemm":
		h.axis = 1
		if intAttr(n, "transB", 0) != 0 {
			h.axis = 0
		}
	case "MatMul":
		h.axis = 1
	}
	if h.Op != "Conv" && w.value.Rank() != 2 {
		return fmt.Errorf("train: head: the weight of %s has shape %v, want a matrix", label(n), w.value.Shape())
	}
	h.Classes = w.value.Dim(h.axis)
	if len(in) > 2 && in[2] != "" {
		if h.bias = f.constant(in[2]); h.bias == nil {
			return fmt.Errorf("train: head: the bias %q of %s is computed, not an initializer", in[2], label(n))
		}
	}
	if h.bias != nil && h.bias.value.Len() != h.Classes {
		if h.bias.value.Len() != 1 {
			return fmt.Errorf("train: head: the bias of %s has shape %v for %d classes", label(n), h.bias.value.Shape(), h.Classes)
		}
		h.bias = nil
	}
	h.Params = []string{paramName(f.m, w)}
	if h.bias != nil {
		h.Params = append(h.Params, paramName(f.m, h.bias))
	}
	for i, o := range h.norm {
		if o.value.Len() != h.Classes {
			return fmt.Errorf("train: head: the BatchNormalization behind %s has %v parameters for %d classes", label(n), o.value.Shape(), h.Classes)
		}
		if i < 2 {
			h.Params = append(h.Params, paramName(f.m, o))
		}
	}
	return nil
}

// paramName is the name under which the engine knows an operand: that of the value read when it is an Identity's.
func paramName(m *onnx.Model, o *operand) string {
	if o.name == o.init {
		return o.name
	}
	for _, n := range m.Proto.GetGraph().GetNode() {
		if slices.Contains(n.GetOutput(), o.name) && n.GetOpType() == "Identity" {
			return o.name
		}
	}
	return o.init
}

// ReplaceHead is a copy of m whose last layer has classes outputs, freshly initialised from seed: weights uniform in ±sqrt(1/fan-in), as
// PyTorch's Linear and Conv2d, biases zero. Shapes that name the old number of classes behind the layer are changed with it.
func ReplaceHead(m *onnx.Model, classes int, seed uint64) (*onnx.Model, *ClassifierHead, error) {
	if classes < 2 {
		return nil, nil, fmt.Errorf("train: head: %d classes; a classifier needs at least 2", classes)
	}
	out := m.Clone()
	h, err := FindHead(out, "")
	if err != nil {
		return nil, nil, err
	}
	for _, o := range append([]*operand{h.weight, h.bias}, h.norm...) {
		if o != nil && readers(out, o.name) > 1 {
			return nil, nil, fmt.Errorf("train: head: %q of layer %q is read elsewhere too and cannot be replaced", o.name, h.Node)
		}
	}
	shape := slices.Clone(h.weight.value.Shape())
	shape[h.axis] = classes
	fanIn := max(1, h.weight.value.Len()/max(1, h.Classes))
	w := tensor.New(tensor.Float32, shape...)
	r := rand.New(rand.NewPCG(seed, 0x6865616421))
	bound := float32(math.Sqrt(1 / float64(fanIn)))
	for i := range w.F32() {
		w.F32()[i] = (2*r.Float32() - 1) * bound
	}
	if err := replaceOperand(out, h.weight, w); err != nil {
		return nil, nil, err
	}
	if h.bias != nil {
		s := slices.Clone(h.bias.value.Shape())
		for i := len(s) - 1; i >= 0; i-- {
			if s[i] == h.Classes {
				s[i] = classes
				break
			}
		}
		if err := replaceOperand(out, h.bias, tensor.New(tensor.Float32, s...)); err != nil {
			return nil, nil, err
		}
	}
	for i, o := range h.norm {
		t := tensor.New(tensor.Float32, classes)
		for k := range t.F32() {
			t.F32()[k] = []float32{1, 0, 0, 1}[i]
		}
		if err := replaceOperand(out, o, t); err != nil {
			return nil, nil, err
		}
	}
	old := h.Classes
	if err := resizeAfter(out, h, old, classes); err != nil {
		return nil, nil, err
	}
	fresh, err := FindHead(out, "")
	if err != nil {
		return nil, nil, err
	}
	return out, fresh, nil
}

func readers(m *onnx.Model, name string) int {
	k := 0
	for _, n := range m.Proto.GetGraph().GetNode() {
		for _, in := range n.GetInput() {
			if in == name {
				k++
			}
		}
	}
	return k
}

// replaceOperand puts t, converted to the operand's element type, in the place of o.
func replaceOperand(m *onnx.Model, o *operand, t *tensor.Tensor) error {
	t, err := t.Convert(o.value.DType())
	if err != nil {
		return fmt.Errorf("train: head: %w", err)
	}
	if o.name != o.init {
		if err := m.ReplaceNodeByInitializer(o.name, t); err != nil {
			return fmt.Errorf("train: head: %w", err)
		}
		if readers(m, o.init) == 0 {
			dropInitializer(m, o.init)
		}
		return nil
	}
	g := m.Proto.GetGraph()
	for i, tp := range g.GetInitializer() {
		if tp.GetName() == o.name {
			fresh := onnx.TensorToProto(o.name, t)
			fresh.DocString = tp.DocString
			g.Initializer[i] = fresh
		}
	}
	for _, vi := range g.GetInput() {
		if vi.GetName() == o.name {
			setDims(vi, t.Shape())
		}
	}
	return nil
}

func dropInitializer(m *onnx.Model, name string) {
	g := m.Proto.GetGraph()
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == name })
	g.Input = slices.DeleteFunc(g.Input, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name })
}

func setDims(vi *onnxpb.ValueInfoProto, s tensor.Shape) {
	dims := make([]any, len(s))
	for i, d := range s {
		dims[i] = d
	}
	vi.Type = onnx.ValueInfo(vi.GetName(), tensor.DType(vi.GetType().GetTensorType().GetElemType()), dims...).Type
}

// resizeAfter changes the shapes behind the layer that name the number of classes: constant targets of Reshape, the declared shape of the output,
// and recorded shapes of the values between.
func resizeAfter(m *onnx.Model, h *ClassifierHead, old, classes int) error {
	g := m.Proto.GetGraph()
	behind := map[string]bool{}
	f := finder{m, map[string]*onnxpb.NodeProto{}}
	for _, n := range g.GetNode() {
		for _, o := range n.GetOutput() {
			f.makers[o] = n
		}
	}
	for _, n := range h.after {
		for _, o := range n.GetOutput() {
			behind[o] = true
		}
		if len(n.GetInput()) > 0 {
			behind[n.GetInput()[0]] = true
		}
		if n.GetOpType() != "Reshape" || len(n.GetInput()) < 2 {
			continue
		}
		s := f.constant(n.GetInput()[1])
		if s == nil || s.value.DType() != tensor.Int64 {
			continue
		}
		dims := slices.Clone(s.value.I64())
		i := slices.Index(dims, int64(old))
		if i < 0 {
			continue
		}
		dims[i] = int64(classes)
		name := n.GetOutput()[0] + "_shape"
		for m.Initializer(name) != nil {
			name += "_"
		}
		t := tensor.From(dims, len(dims))
		g.Initializer = append(g.Initializer, onnx.TensorToProto(name, t))
		if m.Proto.GetIrVersion() < 4 {
			g.Input = append(g.Input, onnx.ValueInfo(name, tensor.Int64, len(dims)))
		}
		n.Input[1] = name
		if s.name == s.init && readers(m, s.name) == 0 {
			dropInitializer(m, s.name)
		}
	}
	change := func(vi *onnxpb.ValueInfoProto) {
		dims := vi.GetType().GetTensorType().GetShape().GetDim()
		for i := len(dims) - 1; i >= 0; i-- {
			if v, ok := dims[i].GetValue().(*onnxpb.TensorShapeProto_Dimension_DimValue); ok && v.DimValue == int64(old) {
				dims[i].Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(classes)}
				return
			}
		}
	}
	change(h.output)
	g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool {
		return behind[v.GetName()] || v.GetName() == h.Node || strings.HasPrefix(v.GetName(), h.weight.name)
	})
	return nil
}
