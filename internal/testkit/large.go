package testkit

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Large is a family of models with a count of something that files may have any number of. What is done with a model must take time in
// proportion to that count.
type Large struct {
	Name  string
	Model func(n int) *onnxpb.ModelProto
	Most  int // of the count; 0 means 100,000
}

// counted is prefix0, prefix1, …
func counted(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(prefix, i)
	}
	return out
}

// wideNode is a node with many inputs and outputs.
func wideNode(op string, in, out []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{Name: proto.String(op), OpType: &op, Input: in, Output: out, Attribute: attrs}
}

// axesList is from, from+1, …
func axesList(from, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(from + i)
	}
	return out
}

func same(v int64, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// row is a model of x float32[1,8] and y of whatever shape.
func row(inits []*onnxpb.TensorProto, nodes ...*onnxpb.NodeProto) *onnxpb.ModelProto {
	m := picture(inits, nodes...)
	m.Graph.Input[0] = value("x", 1, 1, 8)
	return m
}

// Larges are the families.
func Larges() []Large {
	type inits = []*onnxpb.TensorProto
	type nodes = []*onnxpb.NodeProto
	c := func(i int) string { return fmt.Sprint("c", i) }
	outputs := func(m *onnxpb.ModelProto, names []string) *onnxpb.ModelProto {
		m.Graph.Output = nil
		for _, name := range names {
			m.Graph.Output = append(m.Graph.Output, anyShape(name, 1))
		}
		return m
	}
	body := func(formals int, loop bool, outs []string, ns ...*onnxpb.NodeProto) *onnxpb.GraphProto {
		g := &onnxpb.GraphProto{Name: proto.String("b"), Node: ns}
		if loop {
			g.Input = append(g.Input, anyShape("trip", 7), anyShape("go", 9))
			g.Output = append(g.Output, anyShape("go", 9))
		}
		for i := range formals {
			g.Input = append(g.Input, anyShape(fmt.Sprint("f", i), 1))
		}
		for _, o := range outs {
			g.Output = append(g.Output, anyShape(o, 1))
		}
		return g
	}
	yes := &onnxpb.TensorProto{Name: proto.String("yes"), DataType: proto.Int32(9), RawData: []byte{1}}
	times := int64s("times", nil, 2)
	wider := func(m *onnxpb.ModelProto, k int, d int64) *onnxpb.ModelProto { // x has k axes
		m.Graph.Input[0] = value("x", 1, same(d, k)...)
		return m
	}
	function := func(name string, ins, outs []string, ns ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
		return &onnxpb.FunctionProto{
			Name: &name, Domain: proto.String("f"), Input: ins, Output: outs, Node: ns,
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}, {Domain: proto.String("f"), Version: proto.Int64(1)}},
		}
	}
	call := func(name, from, to string) *onnxpb.NodeProto {
		n := wideNode(name, strings.Split(from, ","), []string{to})
		n.Domain = proto.String("f")
		return n
	}
	with := func(m *onnxpb.ModelProto, fs ...*onnxpb.FunctionProto) *onnxpb.ModelProto {
		m.Functions = fs
		m.OpsetImport = append(m.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: proto.String("f"), Version: proto.Int64(1)})
		return m
	}
	weights := func(prefix string, n int) inits {
		var all inits
		for i := range n {
			all = append(all, reals(fmt.Sprint(prefix, i), 8))
		}
		return all
	}
	return append([]Large{
		{"chain", func(n int) *onnxpb.ModelProto { return row(nil, chain(n, c, op1("Neg"))...) }, 0},
		{"chain of views", func(n int) *onnxpb.ModelProto { return row(nil, chain(n, c, op1("Identity"))...) }, 0},
		{"chain of transposes", func(n int) *onnxpb.ModelProto { return row(nil, chain(n, c, op1("Transpose"))...) }, 0},
		{"chain of softmax", func(n int) *onnxpb.ModelProto { return row(nil, chain(n, c, op1("Softmax"))...) }, 0},
		{"chain of ladders", func(n int) *onnxpb.ModelProto {
			return row(nil, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return wideNode("Add", []string{from, from}, []string{to})
			})...)
		}, 0},
		{"fibonacci", func(n int) *onnxpb.ModelProto {
			before := "x"
			return row(nil, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				b := before
				before = from
				return wideNode("Max", []string{b, from}, []string{to})
			})...)
		}, 0},
		{"reversed chain", func(n int) *onnxpb.ModelProto {
			ns := chain(n, c, op1("Neg"))
			for i, j := 0, len(ns)-1; i < j; i, j = i+1, j-1 {
				ns[i], ns[j] = ns[j], ns[i]
			}
			return row(nil, ns...)
		}, 0},
		{"layers", func(n int) *onnxpb.ModelProto {
			return row(weights("w", n), chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return wideNode([]string{"Add", "Mul"}[i%2], []string{from, fmt.Sprint("w", i)}, []string{to})
			})...)
		}, 0},
		{"layers of one number", func(n int) *onnxpb.ModelProto {
			var all inits
			for i := range n {
				all = append(all, reals(fmt.Sprint("block.", i, ".gamma"), 1))
			}
			return row(all, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return wideNode("Mul", []string{from, fmt.Sprint("block.", i, ".gamma")}, []string{to})
			})...)
		}, 0},
		{"one weight in all layers", func(n int) *onnxpb.ModelProto {
			return row(inits{scalarRow("w")}, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return wideNode("Add", []string{from, "w"}, []string{to})
			})...)
		}, 0},
		{"one weight through views", func(n int) *onnxpb.ModelProto {
			ns := nodes{}
			from := "w"
			var names []string
			for i := range n {
				to := fmt.Sprint("v", i)
				ns = append(ns, wideNode("Identity", []string{from}, []string{to}))
				from = to
				names = append(names, to)
			}
			return row(inits{scalarRow("w")}, append(ns, wideNode("Sum", append(names, "x"), []string{"y"}))...)
		}, 0},
		{"constants", func(n int) *onnxpb.ModelProto {
			ns := nodes{}
			for i := range n {
				ns = append(ns, wideNode("Constant", nil, []string{fmt.Sprint("k", i)},
					&onnxpb.AttributeProto{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: reals("", 8)}))
			}
			return row(nil, append(ns, wideNode("Sum", append(counted("k", n), "x"), []string{"y"}))...)
		}, 0},
		{"wide", func(n int) *onnxpb.ModelProto {
			ns := nodes{}
			for i := range n {
				ns = append(ns, wideNode("Neg", []string{"x"}, []string{c(i)}))
			}
			return row(nil, append(ns, wideNode("Sum", counted("c", n), []string{"y"}))...)
		}, 0},
		{"graph outputs", func(n int) *onnxpb.ModelProto {
			ns := nodes{}
			for i := range n {
				ns = append(ns, wideNode("Neg", []string{"x"}, []string{c(i)}))
			}
			return outputs(row(nil, ns...), counted("c", n))
		}, 0},
		{"layers that are outputs", func(n int) *onnxpb.ModelProto {
			return outputs(row(weights("w", n), chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return wideNode("Mul", []string{from, fmt.Sprint("w", i)}, []string{c(i)})
			})...), counted("c", n))
		}, 0},
		{"weights that are outputs", func(n int) *onnxpb.ModelProto {
			return outputs(row(weights("w", n), node("Relu x -> y")), append(counted("w", n), "y"))
		}, 0},
		{"graph inputs", func(n int) *onnxpb.ModelProto {
			m := row(nil, wideNode("Sum", counted("x", n), []string{"y"}))
			m.Graph.Input = nil
			for i := range n {
				m.Graph.Input = append(m.Graph.Input, value(fmt.Sprint("x", i), 1, 1, 8))
			}
			return m
		}, 0},
		{"half inputs", func(n int) *onnxpb.ModelProto {
			m := row(nil, wideNode("Sum", counted("x", n), []string{"y"}))
			m.Graph.Input = nil
			for i := range n {
				m.Graph.Input = append(m.Graph.Input, value(fmt.Sprint("x", i), 10, 1, 8))
			}
			m.Graph.Output[0] = anyShape("y", 10)
			return m
		}, 0},
		{"split", func(n int) *onnxpb.ModelProto {
			m := row(nil, wideNode("Split", []string{"x"}, counted("s", n), intAttr("axis", 1)),
				wideNode("Concat", counted("s", n), []string{"y"}, intAttr("axis", 1)))
			m.Graph.Input[0] = value("x", 1, 1, int64(n))
			return m
		}, 0},
		{"split sizes", func(n int) *onnxpb.ModelProto {
			m := row(inits{vector("n", same(1, n)...)}, wideNode("Split", []string{"x", "n"}, counted("s", n), intAttr("axis", 1)))
			m.Graph.Input[0] = value("x", 1, 1, int64(n))
			return outputs(m, counted("s", n))
		}, 0},
		{"outputs of if", func(n int) *onnxpb.ModelProto {
			var in []string
			ns := nodes{}
			for i := range n {
				in = append(in, fmt.Sprint("t", i))
				ns = append(ns, wideNode("Neg", []string{"x"}, []string{in[i]}))
			}
			m := row(nil, node("ReduceSum x -> s"), node("Cast s -> q", intAttr("to", 9)),
				wideNode("If", []string{"q"}, counted("o", n), graphAttr("then_branch", body(0, false, in, ns...)),
					graphAttr("else_branch", body(0, false, in, ns...))))
			return outputs(m, counted("o", n))
		}, 0},
		{"states of loop", func(n int) *onnxpb.ModelProto {
			var in, outs []string
			for range n {
				in = append(in, "x")
			}
			outs = counted("f", n)
			m := row(inits{yes, times}, wideNode("Loop", append([]string{"times", "yes"}, in...), counted("o", n),
				graphAttr("body", body(n, true, outs))))
			return outputs(m, counted("o", n))
		}, 0},
		{"stacks of loop", func(n int) *onnxpb.ModelProto {
			ns, outs := nodes{}, counted("g", n)
			for i := range n {
				ns = append(ns, wideNode("Neg", []string{"x"}, []string{outs[i]}))
			}
			m := row(inits{yes, times}, wideNode("Loop", []string{"times", "yes"}, counted("o", n),
				graphAttr("body", body(0, true, outs, ns...))))
			return outputs(m, counted("o", n))
		}, 0},
		{"scans", func(n int) *onnxpb.ModelProto {
			var in []string
			for range n {
				in = append(in, "x")
			}
			m := row(nil, wideNode("Scan", in, counted("o", n), intAttr("num_scan_inputs", int64(n)),
				graphAttr("body", body(n, false, counted("f", n)))))
			return outputs(m, counted("o", n))
		}, 0},
		{"captured values", func(n int) *onnxpb.ModelProto {
			ns := nodes{}
			for i := range n {
				ns = append(ns, wideNode("Neg", []string{"x"}, []string{c(i)}))
			}
			sum := wideNode("Sum", counted("c", n), []string{"t"})
			ns = append(ns, node("ReduceSum x -> s"), node("Cast s -> q", intAttr("to", 9)), wideNode("If", []string{"q"}, []string{"y"},
				graphAttr("then_branch", body(0, false, []string{"t"}, sum)),
				graphAttr("else_branch", body(0, false, []string{"t"}, sum))))
			return row(nil, ns...)
		}, 0},
		{"captured weights", func(n int) *onnxpb.ModelProto {
			sum := wideNode("Sum", append(counted("w", n), "x"), []string{"t"})
			return row(weights("w", n), node("ReduceSum x -> s"), node("Cast s -> q", intAttr("to", 9)),
				wideNode("If", []string{"q"}, []string{"y"},
					graphAttr("then_branch", body(0, false, []string{"t"}, sum)),
					graphAttr("else_branch", body(0, false, []string{"t"}, sum))))
		}, 0},
		{"ifs", func(n int) *onnxpb.ModelProto {
			ns := nodes{node("ReduceSum x -> s"), node("Cast s -> q", intAttr("to", 9))}
			return row(nil, append(ns, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				b := func() *onnxpb.GraphProto {
					return body(0, false, []string{"t"}, wideNode("Neg", []string{from}, []string{"t"}))
				}
				return wideNode("If", []string{"q"}, []string{to}, graphAttr("then_branch", b()), graphAttr("else_branch", b()))
			})...)...)
		}, 20000},
		{"nested ifs", func(n int) *onnxpb.ModelProto { // 60 deep, with nodes between
			k := max(1, n/60)
			var make func(depth int) nodes
			make = func(depth int) nodes {
				p := fmt.Sprint("d", depth, "_")
				from := "x"
				var ns nodes
				for i := range k {
					ns = append(ns, wideNode("Neg", []string{from}, []string{fmt.Sprint(p, i)}))
					from = fmt.Sprint(p, i)
				}
				if depth == 0 {
					return append(ns, wideNode("Neg", []string{from}, []string{p + "t"}))
				}
				inner := body(0, false, []string{fmt.Sprint("d", depth-1, "_t")}, make(depth-1)...)
				other := body(0, false, []string{"e"}, wideNode("Neg", []string{from}, []string{"e"}))
				return append(ns, wideNode("If", []string{"q"}, []string{p + "t"}, graphAttr("then_branch", inner),
					graphAttr("else_branch", other)))
			}
			ns := append(nodes{node("ReduceSum x -> s"), node("Cast s -> q", intAttr("to", 9))}, make(50)...)
			return outputs(row(nil, ns...), []string{"d50_t"})
		}, 0},
		{"nodes of a body", func(n int) *onnxpb.ModelProto {
			b := chain(n, c, op1("Neg"))
			b[n-1].Output[0] = "t"
			return row(inits{yes, times}, wideNode("Loop", []string{"times", "yes"}, []string{"y"},
				graphAttr("body", body(0, true, []string{"t"}, b...))))
		}, 0},
		{"concat", func(n int) *onnxpb.ModelProto {
			in := make([]string, n)
			for i := range in {
				in[i] = "x"
			}
			return row(nil, wideNode("Concat", in, []string{"y"}, intAttr("axis", 0)))
		}, 0},
		{"concat of weights", func(n int) *onnxpb.ModelProto {
			return row(append(weights("w", n), vector("all", -1, 8)),
				wideNode("Concat", counted("w", n), []string{"k"}, intAttr("axis", 0)), node("ReduceSum k -> r"), node("Add x,r -> y"))
		}, 0},
		{"sum", func(n int) *onnxpb.ModelProto {
			in := make([]string, n)
			for i := range in {
				in[i] = "x"
			}
			return row(nil, wideNode("Sum", in, []string{"y"}))
		}, 0},
		{"max of weights", func(n int) *onnxpb.ModelProto {
			return row(weights("w", n), wideNode("Max", append(counted("w", n), "x"), []string{"y"}))
		}, 0},
		{"mean", func(n int) *onnxpb.ModelProto {
			in := make([]string, n)
			for i := range in {
				in[i] = "x"
			}
			return row(nil, wideNode("Mean", in, []string{"y"}))
		}, 0},
		{"axes of unsqueeze", func(n int) *onnxpb.ModelProto {
			return row(inits{vector("a", axesList(0, n)...)}, node("Unsqueeze x,a -> y"))
		}, 0},
		{"axes of squeeze", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{vector("a", axesList(0, n)...)}, node("Squeeze x,a -> y")), n+1, 1)
		}, 0},
		{"axes of reduce", func(n int) *onnxpb.ModelProto {
			return wider(row(nil, node("ReduceMax x -> y", intsAttr("axes", axesList(0, n)...))), n, 1)
		}, 0},
		{"axes of reduce sum", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{vector("a", axesList(0, n)...)}, node("ReduceSum x,a -> y", intAttr("keepdims", 0))), n, 1)
		}, 0},
		{"repeated axes of reduce", func(n int) *onnxpb.ModelProto {
			return row(inits{vector("a", same(1, n)...)}, node("ReduceSum x,a -> y"))
		}, 0},
		{"perm of transpose", func(n int) *onnxpb.ModelProto {
			p := axesList(0, n)
			p[0], p[n-1] = p[n-1], p[0]
			return wider(row(nil, node("Transpose x -> y", intsAttr("perm", p...))), n, 1)
		}, 0},
		{"axes of slice", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{vector("s", same(0, n)...), vector("e", same(1, n)...), vector("a", axesList(0, n)...)},
				node("Slice x,s,e,a -> y")), n, 1)
		}, 0},
		{"axes of reshape", func(n int) *onnxpb.ModelProto {
			return row(inits{vector("s", append(same(1, n), 8)...)}, node("Reshape x,s -> y"))
		}, 0},
		{"axes of expand", func(n int) *onnxpb.ModelProto {
			return row(inits{vector("s", append(same(1, n), 8)...)}, node("Expand x,s -> y"))
		}, 0},
		{"axes of tile", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{vector("s", same(1, n)...)}, node("Tile x,s -> y")), n, 1)
		}, 0},
		{"axes of pad", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{vector("s", same(0, 2*n)...)}, node("Pad x,s -> y")), n, 1)
		}, 0},
		{"axes of gather", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{vector("i", 0)}, node("Gather x,i -> y", intAttr("axis", int64(n/2)))), n, 1)
		}, 0},
		{"axes of addition", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{scalarRow("w")}, node("Add x,w -> y")), n, 1)
		}, 0},
		{"axes of concat", func(n int) *onnxpb.ModelProto {
			return wider(row(nil, node("Concat x,x -> y", intAttr("axis", int64(n-1)))), n, 1)
		}, 0},
		{"axes of a matrix product", func(n int) *onnxpb.ModelProto { return wider(row(nil, node("MatMul x,x -> y")), n, 1) }, 0},
		{"axes of softmax", func(n int) *onnxpb.ModelProto { return wider(row(nil, node("Softmax x -> y")), n, 1) }, 0},
		{"axes of a convolution", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{reals("w", same(1, n)...)}, node("Conv x,w -> y")), n, 1)
		}, 0},
		{"axes of a pool", func(n int) *onnxpb.ModelProto {
			return wider(row(nil, node("MaxPool x -> y", intsAttr("kernel_shape", same(1, n-2)...))), n, 1)
		}, 0},
		{"axes of resize", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{vector("s", same(1, n)...)}, node("Resize x,,,s -> y")), n, 1)
		}, 0},
		{"axes of gathernd", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{vector("i", same(0, n)...)}, node("GatherND x,i -> y")), n, 1)
		}, 0},
		{"axes of scatternd", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{vector("i", same(0, n)...), reals("u")}, node("ScatterND x,i,u -> y")), n, 1)
		}, 0},
		{"axes of normalisation", func(n int) *onnxpb.ModelProto {
			return wider(row(inits{reals("w", 1)}, node("LayerNormalization x,w -> y", intAttr("axis", 0))), n, 1)
		}, 0},
		{"axes of a weight", func(n int) *onnxpb.ModelProto {
			return row(inits{reals("w", same(1, n)...)}, node("ReduceMax w -> r", intAttr("keepdims", 0)), node("Add x,r -> y"))
		}, 0},
		{"unused initializers", func(n int) *onnxpb.ModelProto { return row(weights("w", n), node("Relu x -> y")) }, 0},
		{"equal initializers", func(n int) *onnxpb.ModelProto {
			var all inits
			for i := range n {
				all = append(all, vector(fmt.Sprint("i", i), 0))
			}
			return row(all, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return wideNode([]string{"Unsqueeze", "Squeeze"}[i%2], []string{from, fmt.Sprint("i", i)}, []string{to})
			})...)
		}, 0},
		{"initializers that are inputs", func(n int) *onnxpb.ModelProto {
			m := row(weights("w", n), wideNode("Sum", append(counted("w", n), "x"), []string{"y"}))
			for i := range n {
				m.Graph.Input = append(m.Graph.Input, value(fmt.Sprint("w", i), 1, 8))
			}
			return m
		}, 0},
		{"sparse initializers", func(n int) *onnxpb.ModelProto {
			m := row(nil, wideNode("Sum", append(counted("w", n), "x"), []string{"y"}))
			for i := range n {
				m.Graph.SparseInitializer = append(m.Graph.SparseInitializer,
					&onnxpb.SparseTensorProto{Values: reals(fmt.Sprint("w", i), 1), Indices: vector("", 3), Dims: []int64{8}})
			}
			return m
		}, 0},
		{"value infos", func(n int) *onnxpb.ModelProto {
			m := row(nil, chain(n, c, op1("Neg"))...)
			for i := range n {
				m.Graph.ValueInfo = append(m.Graph.ValueInfo, value(c(i), 1, 1, 8))
			}
			return m
		}, 0},
		{"quantisation annotations", func(n int) *onnxpb.ModelProto {
			m := row(nil, node("Relu x -> y"))
			for i := range n {
				m.Graph.QuantizationAnnotation = append(m.Graph.QuantizationAnnotation,
					&onnxpb.TensorAnnotation{TensorName: proto.String(c(i))})
			}
			return m
		}, 0},
		{"operator sets", func(n int) *onnxpb.ModelProto {
			m := row(nil, node("Relu x -> y"))
			for i := range n {
				m.OpsetImport = append(m.OpsetImport,
					&onnxpb.OperatorSetIdProto{Domain: proto.String(fmt.Sprint("d", i)), Version: proto.Int64(1)})
			}
			return m
		}, 0},
		{"operator sets and nodes", func(n int) *onnxpb.ModelProto {
			m := row(nil, chain(n/2, c, op1("Neg"))...)
			for i := range n / 2 {
				m.OpsetImport = append(m.OpsetImport,
					&onnxpb.OperatorSetIdProto{Domain: proto.String(fmt.Sprint("d", i)), Version: proto.Int64(1)})
			}
			m.OpsetImport = append(m.OpsetImport[1:], m.OpsetImport[0])
			return m
		}, 0},
		{"metadata", func(n int) *onnxpb.ModelProto {
			m := row(nil, node("Relu x -> y"))
			for i := range n {
				m.MetadataProps = append(m.MetadataProps,
					&onnxpb.StringStringEntryProto{Key: proto.String(fmt.Sprint("k", i)), Value: proto.String("v")})
			}
			return m
		}, 0},
		{"attributes", func(n int) *onnxpb.ModelProto {
			r := node("Relu x -> y")
			for i := range n {
				r.Attribute = append(r.Attribute, intAttr(fmt.Sprint("a", i), 1))
			}
			return row(nil, r)
		}, 0},
		{"functions", func(n int) *onnxpb.ModelProto {
			m := with(row(nil, call("f0", "x", "y")))
			for i := range n {
				m.Functions = append(m.Functions, function(fmt.Sprint("f", i), []string{"a"}, []string{"b"}, node("Neg a -> b")))
			}
			return m
		}, 0},
		{"functions that are called", func(n int) *onnxpb.ModelProto {
			m := with(row(nil, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto {
				return call(fmt.Sprint("f", i), from, to)
			})...))
			for i := range n {
				m.Functions = append(m.Functions, function(fmt.Sprint("f", i), []string{"a"}, []string{"b"}, node("Neg a -> b")))
			}
			return m
		}, 50000},
		{"calls", func(n int) *onnxpb.ModelProto {
			f := function("f0", []string{"a"}, []string{"b"}, node("Neg a -> c"), node("Neg c -> b"))
			return with(row(nil, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto { return call("f0", from, to) })...), f)
		}, 50000},
		{"calls of a function with weights", func(n int) *onnxpb.ModelProto {
			k := &onnxpb.AttributeProto{Name: proto.String("value"), Type: onnxpb.AttributeProto_TENSOR.Enum(), T: reals("", 8)}
			f := function("f0", []string{"a"}, []string{"b"}, wideNode("Constant", nil, []string{"w"}, k), node("Mul a,w -> b"))
			return with(row(nil, chain(n, c, func(from, to string, i int) *onnxpb.NodeProto { return call("f0", from, to) })...), f)
		}, 50000},
		{"chained functions", func(n int) *onnxpb.ModelProto {
			m := with(row(nil, call("f0", "x", "y")))
			for i := range n {
				inner := call(fmt.Sprint("f", i+1), "c", "b")
				if i == n-1 {
					inner = node("Neg c -> b")
				}
				m.Functions = append(m.Functions, function(fmt.Sprint("f", i), []string{"a"}, []string{"b"}, node("Neg a -> c"), inner))
			}
			return m
		}, 3000},
		{"nodes of a function", func(n int) *onnxpb.ModelProto {
			ns := chain(n, c, op1("Neg"))
			return with(row(nil, call("f0", "x", "y")), function("f0", []string{"x"}, []string{"y"}, ns...))
		}, 0},
		{"inputs of a function", func(n int) *onnxpb.ModelProto {
			ins := counted("a", n)
			cl := call("f0", strings.TrimSuffix(strings.Repeat("x,", n), ","), "y")
			return with(row(nil, cl), function("f0", ins, []string{"b"}, wideNode("Sum", ins, []string{"b"})))
		}, 0},
		{"outputs of a function", func(n int) *onnxpb.ModelProto {
			outs := counted("b", n)
			ns := nodes{}
			for i := range n {
				ns = append(ns, wideNode("Neg", []string{"a"}, []string{outs[i]}))
			}
			cl := call("f0", "x", "y")
			cl.Output = counted("c", n)
			return outputs(with(row(nil, cl), function("f0", []string{"a"}, outs, ns...)), cl.Output)
		}, 0},
		{"inputs and nodes of a function", func(n int) *onnxpb.ModelProto {
			k := n / 2
			ns := chain(k, c, op1("Neg"))
			cl := call("f0", "x"+strings.Repeat(",x", k), "y")
			return with(row(nil, cl), function("f0", append([]string{"x"}, counted("a", k)...), []string{"y"}, ns...))
		}, 0},
		{"absent inputs and nodes of a function", func(n int) *onnxpb.ModelProto {
			k := n / 2
			ns := chain(k, c, op1("Neg"))
			return with(row(nil, call("f0", "x", "y")), function("f0", append([]string{"x"}, counted("a", k)...), []string{"y"}, ns...))
		}, 0},
		{"attributes of a function", func(n int) *onnxpb.ModelProto {
			cl := call("f0", "x", "y")
			f := function("f0", []string{"a"}, []string{"b"}, node("Neg a -> b"))
			f.Attribute = counted("p", n)
			for i := range n {
				cl.Attribute = append(cl.Attribute, intAttr(fmt.Sprint("p", i), 1))
			}
			return with(row(nil, cl), f)
		}, 0},
	}, largeLayers()...)
}
