package testkit

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// A Lie is a model that is well formed as a file and says something impossible, enormous or contradictory.
type Lie struct {
	Name  string
	Model *onnxpb.ModelProto
}

// Bytes is the model as a file.
func (l Lie) Bytes() []byte {
	b, err := proto.Marshal(l.Model)
	if err != nil {
		panic(err)
	}
	return b
}

// Truncated is b cut off at n lengths, and Flipped b with one bit changed at n places.
func Truncated(b []byte, n int) [][]byte {
	var out [][]byte
	for i := range n {
		out = append(out, b[:len(b)*i/n])
	}
	return out
}

// Flipped is b with a bit changed, in n ways: half of them anywhere, half in the first and last 2 KiB, where the structure is.
func Flipped(b []byte, n int, seed uint64) [][]byte {
	r := rand.New(rand.NewPCG(seed, 0x666c6970))
	var out [][]byte
	for i := range n {
		c := append([]byte(nil), b...)
		at := r.IntN(len(c))
		if edge := min(len(c), 2048); i%2 == 0 {
			if at = r.IntN(edge); r.IntN(2) == 0 {
				at = len(c) - edge + at
			}
		}
		c[at] ^= 1 << r.IntN(8)
		out = append(out, c)
	}
	return out
}

func intAttr(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), I: &v}
}

func intsAttr(name string, v ...int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INTS.Enum(), Ints: v}
}

func graphAttr(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

// node is written `OP in,in -> out,out`.
func node(s string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	head, outs, _ := strings.Cut(s, " -> ")
	op, ins, _ := strings.Cut(head, " ")
	n := &onnxpb.NodeProto{OpType: &op, Attribute: attrs}
	if ins != "" {
		n.Input = strings.Split(ins, ",")
	}
	if outs != "" {
		n.Output = strings.Split(outs, ",")
	}
	name := op + "_" + strings.ReplaceAll(outs, ",", "_")
	n.Name = &name
	return n
}

func int64s(name string, dims []int64, v ...int64) *onnxpb.TensorProto {
	raw := []byte{}
	for _, x := range v {
		raw = binary.LittleEndian.AppendUint64(raw, uint64(x))
	}
	return &onnxpb.TensorProto{Name: &name, Dims: dims, DataType: proto.Int32(7), RawData: raw}
}

// vector is a constant of rank 1.
func vector(name string, v ...int64) *onnxpb.TensorProto {
	return int64s(name, []int64{int64(len(v))}, v...)
}

// reals is a float32 tensor of 0.1, 0.2, ….
func reals(name string, dims ...int64) *onnxpb.TensorProto {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	raw := []byte{}
	for i := range n {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(i%7+1)/10))
	}
	return &onnxpb.TensorProto{Name: &name, Dims: dims, DataType: proto.Int32(1), RawData: raw}
}

// value declares a tensor; an extent of -1 is not declared.
func value(name string, elem int32, dims ...int64) *onnxpb.ValueInfoProto {
	shape := &onnxpb.TensorShapeProto{}
	for _, d := range dims {
		x := &onnxpb.TensorShapeProto_Dimension{}
		if d != -1 {
			x.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: d}
		}
		shape.Dim = append(shape.Dim, x)
	}
	return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: &elem, Shape: shape}}}}
}

func anyShape(name string, elem int32) *onnxpb.ValueInfoProto {
	v := value(name, elem)
	v.GetType().GetTensorType().Shape = nil
	return v
}

// picture is a model of x float32[1,1,8,8] and y of whatever shape.
func picture(inits []*onnxpb.TensorProto, nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	return &onnxpb.ModelProto{
		IrVersion: proto.Int64(8), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Name: proto.String("g"), Node: nodes, Initializer: inits,
			Input: []*onnxpb.ValueInfoProto{value("x", 1, 1, 1, 8, 8)}, Output: []*onnxpb.ValueInfoProto{anyShape("y", 1)},
		},
	}
}

// Lies are the models of lies about sizes, structure and types.
func Lies() []Lie {
	var all []Lie
	add := func(name string, m *onnxpb.ModelProto) { all = append(all, Lie{name, m}) }
	type inits = []*onnxpb.TensorProto
	sizeLies(add)
	structureLies(add)
	controlLies(add)
	memoryLies(add)
	alone := picture(inits{reals("w", 4)}, node("Relu w -> y"))
	alone.Graph.Input = nil
	add("no-inputs", alone)
	// A chain whose every node doubles its constant input.
	chain := inits{reals("c0", 1024)}
	nodes := []*onnxpb.NodeProto{}
	for i := range 40 {
		nodes = append(nodes, node(fmt.Sprintf("Concat c%d,c%d -> c%d", i, i, i+1), intAttr("axis", 0)))
	}
	add("doubling-constants", picture(chain, append(nodes, node("ReduceSum c40 -> s"), node("Add x,s -> y"))...))
	nodes = []*onnxpb.NodeProto{node("Relu x -> c0")}
	for i := range 40 {
		nodes = append(nodes, node(fmt.Sprintf("Concat c%d,c%d -> c%d", i, i, i+1), intAttr("axis", 0)))
	}
	add("doubling", picture(nil, append(nodes, node("ReduceSum c40 -> y"))...))
	nodes = []*onnxpb.NodeProto{}
	for i := range 300 {
		nodes = append(nodes, node(fmt.Sprintf("ConstantOfShape n -> c%d", i)), node(fmt.Sprintf("ReduceMax c%d -> m%d", i, i)))
	}
	for i := range 300 {
		from := "x"
		if i > 0 {
			from = fmt.Sprintf("y%d", i-1)
		}
		nodes = append(nodes, node(fmt.Sprintf("Add %s,m%d -> y%d", from, i, i)))
	}
	add("many-constants", picture(inits{vector("n", 1<<20)}, append(nodes, node("Relu y299 -> y"))...))
	nodes = []*onnxpb.NodeProto{node("Relu x -> c0")}
	for i := range 1000 {
		nodes = append(nodes, node(fmt.Sprintf("Tanh c%d -> c%d", i, i+1)))
	}
	add("deep", picture(nil, append(nodes, node("Relu c1000 -> y"))...))
	nodes = []*onnxpb.NodeProto{node("Relu x -> c0")}
	for i := range 100000 {
		nodes = append(nodes, node(fmt.Sprintf("Neg c%d -> c%d", i, i+1)))
	}
	add("long", picture(nil, append(nodes, node("Relu c100000 -> y"))...))
	return all
}

func sizeLies(add func(string, *onnxpb.ModelProto)) {
	type inits = []*onnxpb.TensorProto
	const min64, max64 = math.MinInt64, math.MaxInt64
	for _, n := range []int64{1 << 14, 1 << 20, 1 << 30, 1 << 40, 1 << 60, max64, -1, min64} {
		s := fmt.Sprint(n)
		add("constantofshape-"+s, picture(inits{vector("n", n, n)}, node("ConstantOfShape n -> c"), node("ReduceMax c -> m"),
			node("Add x,m -> y")))
		add("constantofshape-fetched-"+s, picture(inits{vector("n", n, n)}, node("ConstantOfShape n -> y")))
		add("expand-"+s, picture(inits{vector("n", n, n, 1, 1)}, node("Expand x,n -> e"), node("ReduceMax e -> y")))
		add("tile-"+s, picture(inits{vector("n", n, 1, n, 1)}, node("Tile x,n -> y")))
		add("range-"+s, picture(inits{int64s("z", nil, 0), int64s("n", nil, n), int64s("o", nil, 1)}, node("Range z,n,o -> r"),
			node("Cast r -> f", intAttr("to", 1)), node("ReduceMax f -> m"), node("Add x,m -> y")))
		add("pad-"+s, picture(inits{vector("n", 0, 0, n, 0, 0, 0, 0, n)}, node("Pad x,n -> y")))
		add("resize-"+s, picture(inits{vector("n", 1, 1, n, 8)}, node("Resize x,,,n -> y")))
		add("reshape-"+s, picture(inits{vector("n", n, -1)}, node("Reshape x,n -> y")))
		add("reshape-empty-"+s, picture(inits{vector("n", 0, n), vector("z", 0)}, node("Slice x,z,z,z -> e"),
			node("Reshape e,n -> y", intAttr("allowzero", 1))))
		add("conv-pads-"+s, picture(inits{reals("w", 1, 1, 3, 3)}, node("Conv x,w -> y", intsAttr("pads", n, n, n, n))))
		add("conv-dilations-"+s, picture(inits{reals("w", 1, 1, 3, 3)},
			node("Conv x,w -> y", intsAttr("dilations", n, n), intsAttr("pads", 1<<30, 1<<30, 1<<30, 1<<30))))
		add("conv-strides-"+s, picture(inits{reals("w", 1, 1, 3, 3)}, node("Conv x,w -> y", intsAttr("strides", n, n))))
		add("conv-group-"+s, picture(inits{reals("w", 1, 1, 3, 3)}, node("Conv x,w -> y", intAttr("group", n))))
		add("conv-kernel-"+s, picture(inits{reals("w", 1, 1, 3, 3)}, node("Conv x,w -> y", intsAttr("kernel_shape", n, n))))
		add("convtranspose-strides-"+s, picture(inits{reals("w", 1, 1, 3, 3)}, node("ConvTranspose x,w -> y", intsAttr("strides", n, n))))
		add("convtranspose-output-"+s, picture(inits{reals("w", 1, 1, 3, 3)},
			node("ConvTranspose x,w -> y", intsAttr("output_shape", n, n))))
		for _, op := range []string{"MaxPool", "AveragePool", "LpPool"} {
			add(op+"-kernel-"+s, picture(nil, node(op+" x -> y", intsAttr("kernel_shape", n, n), intsAttr("pads", n/2, n/2, n/2, n/2))))
			add(op+"-pads-"+s, picture(nil, node(op+" x -> y", intsAttr("kernel_shape", 2, 2), intsAttr("pads", n, n, n, n))))
			add(op+"-strides-"+s, picture(nil, node(op+" x -> y", intsAttr("kernel_shape", 2, 2), intsAttr("strides", n, n))))
		}
		add("slice-"+s, picture(inits{vector("a", n), vector("b", max64), vector("k", 3), vector("t", min64)},
			node("Slice x,a,b,k,t -> y")))
		add("slice-step-"+s, picture(inits{vector("a", 0), vector("b", max64), vector("k", 3), vector("t", n)},
			node("Slice x,a,b,k,t -> y")))
		add("split-"+s, picture(inits{vector("n", n, 8)}, node("Split x,n -> y,z", intAttr("axis", 3))))
		add("gather-"+s, picture(inits{vector("n", n)}, node("Gather x,n -> y", intAttr("axis", 2))))
		add("gather-axis-"+s, picture(inits{vector("n", 0)}, node("Gather x,n -> y", intAttr("axis", n))))
		add("softmax-axis-"+s, picture(nil, node("Softmax x -> y", intAttr("axis", n))))
		add("flatten-axis-"+s, picture(nil, node("Flatten x -> y", intAttr("axis", n))))
		add("onehot-"+s, picture(inits{vector("i", 0, 1), int64s("n", nil, n), reals("v", 2)}, node("OneHot i,n,v -> h"),
			node("ReduceMax h -> m"), node("Add x,m -> y")))
		add("topk-"+s, picture(inits{vector("n", n)}, node("TopK x,n -> y,i")))
		add("depthtospace-"+s, picture(nil, node("DepthToSpace x -> y", intAttr("blocksize", n))))
		add("spacetodepth-"+s, picture(nil, node("SpaceToDepth x -> y", intAttr("blocksize", n))))
		add("transpose-"+s, picture(nil, node("Transpose x -> y", intsAttr("perm", n, 1, 2, 3))))
		add("unsqueeze-"+s, picture(inits{vector("n", n)}, node("Unsqueeze x,n -> y")))
		add("eyelike-"+s, picture(nil, node("EyeLike x -> y", intAttr("k", n))))
		add("cumsum-"+s, picture(inits{int64s("n", nil, n)}, node("CumSum x,n -> y")))
		add("trilu-"+s, picture(inits{int64s("n", nil, n)}, node("Trilu x,n -> y")))
		add("lstm-hidden-"+s, picture(inits{reals("w", 1, 16, 8), reals("r", 1, 16, 4), vector("s", 8, 1, 8)}, node("Reshape x,s -> u"),
			node("LSTM u,w,r -> y", intAttr("hidden_size", n))))
		claimed := reals("w", 2)
		claimed.Dims = []int64{n, n}
		add("claim-"+s, picture(inits{claimed}, node("Add x,w -> y")))
		m := picture(nil, node("Relu x -> y"))
		m.Graph.Input[0] = value("x", 1, n, n)
		add("input-"+s, m)
	}
	lstm := func(w, r, b *onnxpb.TensorProto) *onnxpb.ModelProto {
		return picture(inits{w, r, b, vector("s", 8, 1, 8)}, node("Reshape x,s -> u"),
			node("LSTM u,w,r,b -> y", intAttr("hidden_size", 4)))
	}
	add("lstm-w", lstm(reals("w", 1, 15, 8), reals("r", 1, 16, 4), reals("b", 1, 32)))
	add("lstm-r", lstm(reals("w", 1, 16, 8), reals("r", 1, 16, 5), reals("b", 1, 32)))
	add("lstm-b", lstm(reals("w", 1, 16, 8), reals("r", 1, 16, 4), reals("b", 1, 31)))
	add("lstm-rank", lstm(reals("w", 16, 8), reals("r", 16, 4), reals("b", 32)))
	add("matmul", picture(inits{reals("w", 7, 3)}, node("MatMul x,w -> y")))
	add("gemm-rank", picture(inits{reals("w", 8, 3)}, node("Gemm x,w -> y")))
	add("concat-rank", picture(inits{reals("w", 8, 3)}, node("Concat x,w -> y", intAttr("axis", 1))))
	add("bn-shapes", picture(inits{reals("w", 3)}, node("BatchNormalization x,w,w,w,w -> y")))
}

func structureLies(add func(string, *onnxpb.ModelProto)) {
	type inits = []*onnxpb.TensorProto
	plain := func(change func(m *onnxpb.ModelProto)) *onnxpb.ModelProto {
		m := picture(inits{reals("w", 8, 8)}, node("MatMul x,w -> h"), node("Relu h -> y"))
		change(m)
		return m
	}
	for _, v := range []int64{0, -1, 999, math.MaxInt64, math.MinInt64} {
		add(fmt.Sprintf("ir-%d", v), plain(func(m *onnxpb.ModelProto) { m.IrVersion = &v }))
		add(fmt.Sprintf("opset-%d", v), plain(func(m *onnxpb.ModelProto) { m.OpsetImport[0].Version = &v }))
	}
	add("opset-none", plain(func(m *onnxpb.ModelProto) { m.OpsetImport = nil }))
	add("graph-none", plain(func(m *onnxpb.ModelProto) { m.Graph = nil }))
	add("graph-empty", plain(func(m *onnxpb.ModelProto) { m.Graph = &onnxpb.GraphProto{} }))
	add("outputs-none", plain(func(m *onnxpb.ModelProto) { m.Graph.Output = nil }))
	add("inputs-none", plain(func(m *onnxpb.ModelProto) { m.Graph.Input = nil }))
	add("nodes-none", plain(func(m *onnxpb.ModelProto) { m.Graph.Node = nil }))
	add("weights-none", plain(func(m *onnxpb.ModelProto) { m.Graph.Initializer = nil }))
	add("output-is-input", plain(func(m *onnxpb.ModelProto) { m.Graph.Output[0] = anyShape("x", 1) }))
	add("output-is-weight", plain(func(m *onnxpb.ModelProto) { m.Graph.Output[0] = anyShape("w", 1) }))
	add("output-twice", plain(func(m *onnxpb.ModelProto) { m.Graph.Output = append(m.Graph.Output, m.Graph.Output[0]) }))
	add("input-twice", plain(func(m *onnxpb.ModelProto) { m.Graph.Input = append(m.Graph.Input, m.Graph.Input[0]) }))
	add("input-is-weight", plain(func(m *onnxpb.ModelProto) { m.Graph.Input = append(m.Graph.Input, value("w", 1, 3)) }))
	add("weight-shadowed", plain(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Output[0] = "w" }))
	add("name-twice", plain(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Output[0] = "y" }))
	add("cycle", plain(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Input[0] = "y" }))
	add("self", plain(func(m *onnxpb.ModelProto) { m.Graph.Node[0].Input[0] = "h" }))
	add("node-no-output", plain(func(m *onnxpb.ModelProto) { m.Graph.Node[1].Output = nil }))
	add("node-no-input", plain(func(m *onnxpb.ModelProto) { m.Graph.Node[1].Input = nil }))
	add("node-no-op", plain(func(m *onnxpb.ModelProto) { m.Graph.Node[1].OpType = nil }))
	add("constant-no-output", plain(func(m *onnxpb.ModelProto) {
		m.Graph.Node = append(m.Graph.Node, node("Constant", intAttr("value_int", 1)))
	}))
	add("constant-empty", plain(func(m *onnxpb.ModelProto) { m.Graph.Node = append(m.Graph.Node, node("Constant -> c")) }))
	add("private-domain", plain(func(m *onnxpb.ModelProto) {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("gtk"), Version: proto.Int64(1)})
		m.Graph.Node[1] = node("ReluGrad h,h -> y")
		m.Graph.Node[1].Domain = proto.String("gtk")
	}))
	for _, e := range []int32{-1, 0, 8, 10, 16, 99, math.MaxInt32} {
		add(fmt.Sprintf("input-type-%d", e), plain(func(m *onnxpb.ModelProto) { m.Graph.Input[0] = value("x", e, 1, 1, 8, 8) }))
		add(fmt.Sprintf("weight-type-%d", e), plain(func(m *onnxpb.ModelProto) { m.Graph.Initializer[0].DataType = &e }))
		add(fmt.Sprintf("cast-%d", e), plain(func(m *onnxpb.ModelProto) {
			m.Graph.Node[1] = node("Cast h -> y", intAttr("to", int64(e)))
		}))
	}
	for _, e := range []int32{10, 16} {
		add(fmt.Sprintf("half-everywhere-%d", e), plain(func(m *onnxpb.ModelProto) {
			m.Graph.Input[0], m.Graph.Output[0] = value("x", e, 1, 1, 8, 8), anyShape("y", e)
			w := m.Graph.Initializer[0]
			w.DataType, w.RawData = &e, w.RawData[:128]
		}))
	}
	function := func(op string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
		return &onnxpb.FunctionProto{
			Name: &op, Domain: proto.String("f"), Input: []string{"a"}, Output: []string{"b"}, Node: nodes,
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}, {Domain: proto.String("f"), Version: proto.Int64(1)}},
		}
	}
	in := func(n *onnxpb.NodeProto) *onnxpb.NodeProto { n.Domain = proto.String("f"); return n }
	add("recursion", plain(func(m *onnxpb.ModelProto) {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("f"), Version: proto.Int64(1)})
		m.Functions = []*onnxpb.FunctionProto{function("F", in(node("F a -> b")))}
		m.Graph.Node[1] = in(node("F h -> y"))
	}))
	add("function-bomb", plain(func(m *onnxpb.ModelProto) {
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("f"), Version: proto.Int64(1)})
		for i := range 40 {
			next := fmt.Sprintf("F%d", i+1)
			m.Functions = append(m.Functions, function(fmt.Sprintf("F%d", i), in(node(next+" a -> t")), in(node(next+" t -> b"))))
		}
		m.Functions = append(m.Functions, function("F40", node("Neg a -> b")))
		m.Graph.Node[1] = in(node("F0 h -> y"))
	}))
	for _, loc := range []string{"../../../../etc/passwd", "/etc/passwd", "", ".", "none.bin", "/dev/zero", "a/../../b"} {
		for _, length := range []string{"", "-1", "256", "9223372036854775807", "x"} {
			add("external-"+strings.ReplaceAll(loc, "/", "_")+"-"+length, plain(func(m *onnxpb.ModelProto) {
				w := m.Graph.Initializer[0]
				w.RawData, w.DataLocation = nil, onnxpb.TensorProto_EXTERNAL.Enum()
				w.ExternalData = []*onnxpb.StringStringEntryProto{{Key: proto.String("location"), Value: &loc}}
				if length != "" {
					w.ExternalData = append(w.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String("length"), Value: &length},
						&onnxpb.StringStringEntryProto{Key: proto.String("offset"), Value: &length})
				}
			}))
		}
	}
}

// Endless is a legal model that runs for ever: a loop of 2^60 iterations without results.
func Endless() Lie {
	b := &onnxpb.GraphProto{
		Name: proto.String("b"), Node: []*onnxpb.NodeProto{node("Identity c -> d"), node("Relu s -> r")},
		Input:  []*onnxpb.ValueInfoProto{value("i", 7), value("c", 9), anyShape("s", 1)},
		Output: []*onnxpb.ValueInfoProto{value("d", 9), anyShape("r", 1)},
	}
	yes := &onnxpb.TensorProto{Name: proto.String("t"), DataType: proto.Int32(9), RawData: []byte{1}}
	return Lie{"endless", picture([]*onnxpb.TensorProto{int64s("n", nil, 1<<60), yes}, node("Loop n,t,x -> y", graphAttr("body", b)))}
}

func controlLies(add func(string, *onnxpb.ModelProto)) {
	type inits = []*onnxpb.TensorProto
	yes := &onnxpb.TensorProto{Name: proto.String("t"), DataType: proto.Int32(9), RawData: []byte{1}}
	body := func(ins, outs []*onnxpb.ValueInfoProto, nodes ...*onnxpb.NodeProto) *onnxpb.GraphProto {
		return &onnxpb.GraphProto{Name: proto.String("b"), Input: ins, Output: outs, Node: nodes}
	}
	type values = []*onnxpb.ValueInfoProto
	formals := values{value("i", 7), value("c", 9), anyShape("s", 1)}
	loop := func(trips int64, b *onnxpb.GraphProto, outs string) *onnxpb.ModelProto {
		return picture(inits{int64s("n", nil, trips), yes}, node("Loop n,t,x -> "+outs, graphAttr("body", b)))
	}
	keep := node("Identity c -> d")
	add("loop-growing", loop(1<<60, body(formals, values{value("d", 9), anyShape("r", 1)}, keep,
		node("Concat s,s -> r", intAttr("axis", 0))), "y"))
	add("loop-stack", loop(1<<60, body(formals, values{value("d", 9), anyShape("r", 1), anyShape("o", 1)}, keep, node("Relu s -> r"),
		node("Relu s -> o")), "z,y"))
	add("loop-no-body", picture(inits{int64s("n", nil, 3), yes}, node("Loop n,t,x -> y")))
	add("loop-few-inputs", loop(3, body(formals[:2], values{value("d", 9), anyShape("r", 1)}, keep, node("Relu x -> r")), "y"))
	add("loop-few-outputs", loop(3, body(formals, values{value("d", 9)}, keep), "y"))
	add("loop-many-outputs", loop(3, body(formals, values{value("d", 9), anyShape("r", 1)}, keep, node("Relu s -> r")), "y,z,u"))
	add("loop-condition-type", loop(3, body(formals, values{anyShape("r", 1), anyShape("r", 1)}, node("Relu s -> r")), "y"))
	add("loop-body-cycle", loop(3, body(formals, values{value("d", 9), anyShape("r", 1)}, keep, node("Relu r -> r")), "y"))
	add("loop-body-sees-later", loop(3, body(formals, values{value("d", 9), anyShape("r", 1)}, keep, node("Add s,y -> r")), "y"))
	cond := func(attrs ...*onnxpb.AttributeProto) *onnxpb.ModelProto {
		m := picture(inits{yes}, node("ReduceMax x -> m"), node("Cast m -> q", intAttr("to", 9)), node("Squeeze q -> p"),
			node("If p -> y", attrs...))
		return m
	}
	relu := body(nil, values{anyShape("r", 1)}, node("Relu x -> r"))
	add("if-no-branches", cond())
	add("if-one-branch", cond(graphAttr("then_branch", relu)))
	add("if-branch-empty", cond(graphAttr("then_branch", relu), graphAttr("else_branch", &onnxpb.GraphProto{})))
	add("if-branch-formals", cond(graphAttr("then_branch", relu),
		graphAttr("else_branch", body(formals, values{anyShape("r", 1)}, node("Relu s -> r")))))
	add("if-types", cond(graphAttr("then_branch", relu),
		graphAttr("else_branch", body(nil, values{anyShape("r", 7)}, node("Shape x -> r")))))
	add("if-constant-one-branch", picture(inits{yes}, node("If t -> y", graphAttr("else_branch", relu))))
	add("if-constant-empty-branch", picture(inits{yes},
		node("If t -> y", graphAttr("then_branch", &onnxpb.GraphProto{}), graphAttr("else_branch", relu))))
	add("if-constant-input", picture(inits{yes}, node("If t -> y", graphAttr("then_branch", body(formals, values{anyShape("s", 1)})),
		graphAttr("else_branch", relu))))
	for _, k := range []int64{0, -1, 1, 2, 3, math.MaxInt64, math.MinInt64} {
		b := body(values{anyShape("s", 1), anyShape("e", 1)}, values{anyShape("r", 1), anyShape("o", 1)}, node("Relu s -> r"),
			node("Relu e -> o"))
		add(fmt.Sprintf("scan-%d", k), picture(nil, node("Scan x,x -> y,z", graphAttr("body", b), intAttr("num_scan_inputs", k))))
		add(fmt.Sprintf("scan-axes-%d", k), picture(nil,
			node("Scan x,x -> y,z", graphAttr("body", b), intAttr("num_scan_inputs", 1), intsAttr("scan_input_axes", k),
				intsAttr("scan_output_axes", k), intsAttr("scan_output_directions", k))))
	}
	nested := relu
	for range 100 {
		nested = body(nil, values{anyShape("r", 1)}, node("If p -> r", graphAttr("then_branch", nested), graphAttr("else_branch", nested)))
		if proto.Size(nested) > 1<<17 {
			break
		}
	}
	add("if-nested", cond(graphAttr("then_branch", nested), graphAttr("else_branch", relu)))
}
