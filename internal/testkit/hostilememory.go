package testkit

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// sparse is a sparse tensor of n zeros and a one.
func sparse(name string, n int64) *onnxpb.SparseTensorProto {
	return &onnxpb.SparseTensorProto{Values: reals(name, 1), Indices: vector("", 0), Dims: []int64{n}}
}

// sparseConstant is a Constant node with such a tensor.
func sparseConstant(name string, n int64) *onnxpb.NodeProto {
	return node("Constant -> "+name, &onnxpb.AttributeProto{Name: proto.String("sparse_value"),
		Type: onnxpb.AttributeProto_SPARSE_TENSOR.Enum(), SparseTensor: sparse(name, n)})
}

// function is a function of the domain "f" from a to o.
func function(name string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
	return &onnxpb.FunctionProto{Name: &name, Domain: proto.String("f"), Input: []string{"a"}, Output: []string{"o"}, Node: nodes,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}, {Domain: proto.String("f"), Version: proto.Int64(1)}}}
}

// call is a node that calls such a function.
func call(s string) *onnxpb.NodeProto {
	n := node(s)
	n.Domain = proto.String("f")
	return n
}

// calling is picture with functions.
func calling(fs []*onnxpb.FunctionProto, nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	m := picture(nil, nodes...)
	m.Functions = fs
	m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("f"), Version: proto.Int64(1)})
	return m
}

// memoryLies are models in which each thing is below every limit and all of them together are not.
func memoryLies(add func(string, *onnxpb.ModelProto)) {
	yes := &onnxpb.TensorProto{Name: proto.String("t"), DataType: proto.Int32(9), RawData: []byte{1}}
	sum := func(n int, nodes []*onnxpb.NodeProto) []*onnxpb.NodeProto {
		names := []string{"x"}
		for i := range n {
			names = append(names, fmt.Sprint("r", i))
		}
		return append(nodes, node("Sum "+strings.Join(names, ",")+" -> y"))
	}
	var nodes []*onnxpb.NodeProto
	m := picture(nil)
	for i := range 60 {
		m.Graph.SparseInitializer = append(m.Graph.SparseInitializer, sparse(fmt.Sprint("s", i), 8<<20))
		nodes = append(nodes, node(fmt.Sprintf("ReduceSum s%d -> r%d", i, i), intAttr("keepdims", 0)))
	}
	m.Graph.Node = sum(60, nodes)
	add("sparse-many", m)
	nodes = nil
	for i := range 60 {
		b := &onnxpb.GraphProto{Name: proto.String("b"), Node: []*onnxpb.NodeProto{sparseConstant(fmt.Sprint("s", i), 8<<20),
			node(fmt.Sprintf("ReduceSum s%d -> q", i), intAttr("keepdims", 0))}, Output: []*onnxpb.ValueInfoProto{anyShape("q", 1)}}
		nodes = append(nodes, node(fmt.Sprintf("If t -> r%d", i), graphAttr("then_branch", b), graphAttr("else_branch", b)))
	}
	add("sparse-bodies", picture([]*onnxpb.TensorProto{yes}, sum(60, nodes)...))
	// A sparse tensor of a function that is called often is dense once.
	nodes = nil
	for i := range 100 {
		nodes = append(nodes, call(fmt.Sprintf("F x -> r%d", i)))
	}
	add("sparse-calls", calling([]*onnxpb.FunctionProto{function("F", sparseConstant("s", 4<<20),
		node("ReduceMax s -> m", intAttr("keepdims", 0)), node("Add a,m -> o"))}, sum(100, nodes)...))
	// Each branch of many has an arena.
	nodes = []*onnxpb.NodeProto{node("ReduceMax x -> m"), node("Cast m -> q", intAttr("to", 9)), node("Squeeze q -> p")}
	for i := range 60 {
		b := &onnxpb.GraphProto{Name: proto.String("b"), Node: []*onnxpb.NodeProto{node("Squeeze x -> q"), node("Expand q,n -> e"),
			node("Exp e -> f"), node("ReduceSum f -> g", intAttr("keepdims", 0))}, Output: []*onnxpb.ValueInfoProto{anyShape("g", 1)}}
		nodes = append(nodes, node(fmt.Sprintf("If p -> r%d", i), graphAttr("then_branch", b), graphAttr("else_branch", b)))
	}
	add("many-arenas", picture([]*onnxpb.TensorProto{vector("n", 100000, 8, 8)}, sum(60, nodes)...))
	// What functions copy with each call: numbers, and names.
	floats := node("Constant -> c", &onnxpb.AttributeProto{Name: proto.String("value_floats"), Type: onnxpb.AttributeProto_FLOATS.Enum(),
		Floats: make([]float32, 50000)})
	fs := []*onnxpb.FunctionProto{function("F0", floats, node("ReduceSum c -> r", intAttr("keepdims", 0)), node("Add a,r -> o"))}
	for i := range 14 {
		fs = append(fs, function(fmt.Sprint("F", i+1), call(fmt.Sprintf("F%d a -> b", i)), call(fmt.Sprintf("F%d b -> o", i))))
	}
	add("function-numbers", calling(fs, call("F14 x -> y")))
	long := call("G x -> y")
	long.Name = proto.String(strings.Repeat("n", 500000))
	nodes = nil
	for i := range 3000 {
		nodes = append(nodes, node(fmt.Sprintf("Neg %s -> %s", map[bool]string{true: "a"}[i == 0]+strings.Repeat("v", i),
			strings.Repeat("v", i+1))))
	}
	nodes = append(nodes, node(fmt.Sprintf("Neg %s -> o", strings.Repeat("v", 3000))))
	add("function-names", calling([]*onnxpb.FunctionProto{function("G", nodes...)}, long))
}
