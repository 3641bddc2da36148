package train

import (
	"math/rand/v2"
	"slices"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// fusedDomain is the domain of the layers that ONNX Runtime's optimiser makes of several nodes.
const fusedDomain = "com.microsoft"

// fusedLayers are those that unfuse takes apart, with the operator of ONNX that each is before what was fused into it.
var fusedLayers = map[string]string{"FusedConv": "Conv", "FusedGemm": "Gemm", "FusedMatMul": "MatMul", "TransposeMatMul": "MatMul"}

// hasFused reports whether m has nodes that unfuse may take apart.
func hasFused(m *onnx.Model) bool {
	return slices.ContainsFunc(m.Proto.GetGraph().GetNode(), func(n *onnxpb.NodeProto) bool {
		return n.GetDomain() == fusedDomain && fusedLayers[n.GetOpType()] != ""
	})
}

// unfuse puts what n, a fused layer of the main graph, was made of in its place, nodes of ONNX's own, and reports whether it could. A
// product of computed matrices that are transposed stays: their ranks are not known.
func (f *finder) unfuse(n *onnxpb.NodeProto) bool {
	layer := fusedLayers[n.GetOpType()]
	g := f.m.Proto.GetGraph()
	at := slices.Index(g.GetNode(), n)
	if n.GetDomain() != fusedDomain || layer == "" || at < 0 || len(n.GetInput()) < 2 || len(n.GetOutput()) != 1 {
		return false
	}
	u := unfused{f: f, name: n.GetName(), last: n.GetOutput()[0]}
	in, attrs := slices.Clone(n.GetInput()), map[string]*onnxpb.AttributeProto{}
	for _, a := range n.GetAttribute() {
		attrs[a.GetName()] = a
	}
	first := onnx.NewNode(layer, u.name, in, nil)
	z := ""
	switch layer {
	case "Conv":
		if len(in) > 3 {
			z, first.Input = in[3], in[:3]
		}
		first.Attribute = kept(n, "auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
	case "Gemm":
		first.Attribute = kept(n, "alpha", "beta", "transA", "transB")
	case "MatMul":
		for i, name := range []string{"transA", "transB"} {
			if attrs[name].GetI() == 0 {
				continue
			}
			if o := f.operand(n, i); o == nil || o.value.Rank() != 2 {
				return false
			}
			first.Input[i] = u.add("Transpose", []string{in[i]}, onnx.AttrInts("perm", 1, 0))
		}
		if attrs["transBatchA"].GetI() != 0 || attrs["transBatchB"].GetI() != 0 {
			return false
		}
	}
	for len(first.Input) > 0 && first.Input[len(first.Input)-1] == "" {
		first.Input = first.Input[:len(first.Input)-1]
	}
	w := f.operand(n, 1)
	d := tensor.Float32
	if w != nil {
		d = w.value.DType()
	}
	y := u.node(first)
	if z != "" {
		y = u.add("Add", []string{y, z})
	}
	if a := attrs["alpha"]; layer == "MatMul" && a != nil && a.GetF() != 1 {
		y = u.add("Mul", []string{y, u.constant(d, a.GetF())})
	}
	if act := string(attrs["activation"].GetS()); act != "" {
		if !u.activation(act, y, d, attrs) {
			return false
		}
	}
	u.nodes[len(u.nodes)-1].Output[0] = u.last
	g.Node = slices.Replace(g.GetNode(), at, at+1, u.nodes...)
	g.Initializer = append(g.Initializer, u.constants...)
	for _, u := range u.nodes {
		f.own[u] = true
	}
	f.index()
	return true
}

// unfuseAll is unfuse for all nodes of the main graph.
func (f *finder) unfuseAll() {
	for _, n := range slices.Clone(f.m.Proto.GetGraph().GetNode()) {
		f.unfuse(n)
	}
}

// kept are the attributes of n with those names.
func kept(n *onnxpb.NodeProto, names ...string) []*onnxpb.AttributeProto {
	var list []*onnxpb.AttributeProto
	for _, a := range n.GetAttribute() {
		if slices.Contains(names, a.GetName()) {
			list = append(list, a)
		}
	}
	return list
}

// unfused is what one node is made of.
type unfused struct {
	f          *finder
	name, last string // of the node, and of its output
	nodes      []*onnxpb.NodeProto
	constants  []*onnxpb.TensorProto
}

// free is a name that no value of the graph has.
func (u *unfused) free(suffix string) string {
	name := u.last + "/" + suffix
	for u.f.makers[name] != nil || u.f.inits[name] != nil {
		name += "~"
	}
	return name
}

func (u *unfused) node(n *onnxpb.NodeProto) string {
	n.Output = []string{u.free(n.GetOpType())}
	u.nodes = append(u.nodes, n)
	return n.Output[0]
}

func (u *unfused) add(op string, in []string, attrs ...*onnxpb.AttributeProto) string {
	name := ""
	if u.name != "" {
		name = u.name + "/" + op
	}
	return u.node(onnx.NewNode(op, name, in, nil, attrs...))
}

// constant is the name of a new initializer of one number.
func (u *unfused) constant(d tensor.DType, x float32) string {
	t, err := tensor.Scalar(x).Convert(d)
	if err != nil {
		t = tensor.Scalar(x)
	}
	name := u.free("constant")
	for slices.ContainsFunc(u.constants, func(t *onnxpb.TensorProto) bool { return t.GetName() == name }) {
		name += "~"
	}
	u.constants = append(u.constants, onnx.TensorToProto(name, t))
	return name
}

// activation adds the activation of y; false where it is none of ONNX's in the model's operator set.
func (u *unfused) activation(act, y string, d tensor.DType, attrs map[string]*onnxpb.AttributeProto) bool {
	opset := int(u.f.m.Opset(""))
	spec, _ := ops.Standard.Find("", act, opset)
	if spec == nil {
		return false
	}
	params := attrs["activation_params"].GetFloats()
	if act == "Clip" && opset >= 11 {
		if len(params) != 2 {
			return false
		}
		u.add(act, []string{y, u.constant(d, params[0]), u.constant(d, params[1])})
		return true
	}
	names := []string{"alpha", "beta", "gamma"}
	if act == "Clip" {
		names = []string{"min", "max"}
	}
	var list []*onnxpb.AttributeProto
	for i, name := range names {
		if a := attrs["activation_"+name]; a != nil {
			list = append(list, onnx.AttrFloat(name, a.GetF()))
		} else if i < len(params) {
			list = append(list, onnx.AttrFloat(name, params[i]))
		}
	}
	u.add(act, []string{y}, list...)
	return true
}

// freshFused is freshValue for operators of com.microsoft that are no layer with an activation: what a weight is tells the name that the
// operator gives it. Tables of embeddings stay, as everywhere.
func (f *finder) freshFused(n *onnxpb.NodeProto, i int, s tensor.Shape, r *rand.Rand) (draw func() float32, random bool) {
	spec := f.spec(n)
	if spec == nil {
		return nil, false
	}
	formal := spec.FormalIn(i)
	switch {
	case formal == nil || !formal.Weight:
		return nil, false
	case slices.Contains([]string{"gamma", "Scale", "scale"}, formal.Name):
		return func() float32 { return 1 }, false
	case slices.Contains([]string{"word_embedding", "position_embedding", "segment_embedding", "head_sink"}, formal.Name):
		return nil, false
	case len(s) < 2:
		return func() float32 { return 0 }, false
	}
	fanIn := s[len(s)-2]
	if len(s) > 2 { // of a convolution
		fanIn = s.Len() / max(1, s[0])
	}
	return he(r, fanIn), true
}
