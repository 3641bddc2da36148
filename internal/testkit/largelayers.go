package testkit

import (
	"fmt"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// chain is n nodes from x to y, each by f; name is that of the value between two.
func chain(n int, name func(i int) string, f func(from, to string, i int) *onnxpb.NodeProto) []*onnxpb.NodeProto {
	var all []*onnxpb.NodeProto
	from := "x"
	for i := range n {
		to := name(i)
		if i == n-1 {
			to = "y"
		}
		all = append(all, f(from, to, i))
		from = to
	}
	return all
}

// op1 makes nodes of one input and one output, for chain.
func op1(op string, attrs ...*onnxpb.AttributeProto) func(from, to string, i int) *onnxpb.NodeProto {
	return func(from, to string, i int) *onnxpb.NodeProto {
		return wideNode(op, []string{from}, []string{to}, attrs...)
	}
}

func scalarRow(name string) *onnxpb.TensorProto { return reals(name, 8) }

// largeLayers are the families of chains of layers.
func largeLayers() []Large {
	type inits = []*onnxpb.TensorProto
	type nodes = []*onnxpb.NodeProto
	c := func(i int) string { return fmt.Sprint("c", i) }
	return []Large{
		{"one name for all nodes", func(n int) *onnxpb.ModelProto {
			m := row(nil, chain(n, c, op1("Neg"))...)
			for _, x := range m.Graph.Node {
				x.Name = proto.String("c0")
			}
			return m
		}, 0},
		{"fixed batch of views", func(n int) *onnxpb.ModelProto {
			m := row(inits{vector("s", 4, 8), vector("t", 1, 4, 8)}, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return wideNode("Reshape", []string{from, []string{"t", "s"}[i%2]}, []string{to})
			})...)
			m.Graph.Input[0] = value("x", 1, 4, 8)
			return m
		}, 0},
		{"dense layers", func(n int) *onnxpb.ModelProto {
			m := row(inits{reals("w", 8, 8), scalarRow("b")}, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return wideNode("Gemm", []string{from, "w", "b"}, []string{to})
			})...)
			m.Graph.Input[0] = value("x", 1, -1, 8)
			return m
		}, 0},
		{"normalised convolutions", func(n int) *onnxpb.ModelProto {
			m := row(inits{reals("w", 1, 1, 1, 1), reals("s", 1), reals("b", 1), reals("m", 1), reals("v", 1)},
				chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
					switch i % 3 {
					case 0:
						return wideNode("Conv", []string{from, "w"}, []string{to})
					case 1:
						return wideNode("BatchNormalization", []string{from, "s", "b", "m", "v"}, []string{to})
					}
					return wideNode("Relu", []string{from}, []string{to})
				})...)
			m.Graph.Input[0] = value("x", 1, -1, 1, 4, 4)
			return m
		}, 0},
		{"shape arithmetic", func(n int) *onnxpb.ModelProto {
			ns := nodes{node("Shape x -> s")}
			ns = append(ns, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return wideNode("Reshape", []string{from, "s"}, []string{to})
			})...)
			m := row(nil, ns...)
			m.Graph.Input[0] = value("x", 1, -1, 8)
			return m
		}, 0},
	}
}
