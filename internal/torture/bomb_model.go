//go:build linux

package torture

import (
	"fmt"
	"strings"

	"github.com/gtk-onnx/gtk/internal/testkit"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	"google.golang.org/protobuf/proto"
)

var (
	lookAt   = []string{"inspect model.onnx -q", "import model.onnx -q", "bench model.onnx --n 1 --warmup 0"}
	allVerbs = append(lookAt, "export model.onnx -o out.onnx -q", "verify model.onnx model.onnx --cases 1",
		"bench model.onnx --n 1 --warmup 0 --mode train")
)

func addModelBomb(b bomb) {
	if b.commands == nil {
		b.commands = lookAt
	}
	bombs["model-bomb"] = append(bombs["model-bomb"], b)
}

// sparse is a sparse tensor with one number.
func sparse(name string, dims ...int64) *onnxpb.SparseTensorProto {
	return &onnxpb.SparseTensorProto{Values: onnx.TensorToProto(name, tensor.From([]float32{1}, 1)),
		Indices: onnx.TensorToProto("", tensor.From([]int64{0}, 1)), Dims: dims}
}

// externalTensor is a tensor of rank 1 whose numbers are in a file beside the model.
func externalTensor(name, location string, dtype int32, n int64) *onnxpb.TensorProto {
	return &onnxpb.TensorProto{Name: &name, DataType: &dtype, Dims: []int64{n}, DataLocation: onnxpb.TensorProto_EXTERNAL.Enum(),
		ExternalData: []*onnxpb.StringStringEntryProto{{Key: proto.String("location"), Value: &location}}}
}

func init() {
	// Sparse tensors that are used, are not, are attributes, are many.
	for _, use := range []string{"used", "unused", "constant", "many"} {
		addModelBomb(bomb{name: "sparse-" + use, sizes: counts(1<<20, 1<<26, 1<<29, 1<<33, 1<<50), commands: allVerbs,
			make: func(t *trial, n int) {
				b := newBuild()
				switch use {
				case "used":
					b.g.SparseInitializer = append(b.g.SparseInitializer, sparse("s", int64(n)))
					b.node("ReduceSum s -> r").node("Add x,r -> y")
				case "unused":
					b.g.SparseInitializer = append(b.g.SparseInitializer, sparse("s", int64(n)))
					b.node("Relu x -> y")
				case "constant":
					a := &onnxpb.AttributeProto{Name: proto.String("sparse_value"), Type: onnxpb.AttributeProto_SPARSE_TENSOR.Enum(),
						SparseTensor: sparse("", int64(n))}
					b.node("Constant -> s", a).node("ReduceSum s -> r").node("Add x,r -> y")
				case "many":
					last := "x"
					for i := range 40 {
						b.g.SparseInitializer = append(b.g.SparseInitializer, sparse(fmt.Sprint("s", i), int64(n)/8))
						b.nodef("ReduceSum s%d -> r%d", i, i).nodef("Add %s,r%d -> a%d", last, i, i)
						last = fmt.Sprint("a", i)
					}
					b.nodef("Relu %s -> y", last)
				}
				b.save(t)
			}})
	}
	// Constants that grow when they are folded: by doubling, by broadcasting, by many of a middle size.
	addModelBomb(bomb{name: "fold-double", sizes: []int{8, 16, 20, 30, 60}, commands: allVerbs, make: func(t *trial, n int) {
		b := newBuild().ones("c0", 1024)
		for i := range n {
			b.node(fmt.Sprintf("Concat c%d,c%d -> c%d", i, i, i+1), onnx.AttrInt("axis", 0))
		}
		b.nodef("ReduceSum c%d -> s", n).node("Add x,s -> y").save(t)
	}})
	addModelBomb(bomb{name: "fold-outer", sizes: []int{1 << 10, 1 << 14, 1 << 18}, commands: allVerbs, make: func(t *trial, n int) {
		newBuild().ones("a", n, 1).ones("b", 1, n).node("Mul a,b -> c").node("ReduceSum c -> s").node("Add x,s -> y").save(t)
	}})
	addModelBomb(bomb{name: "fold-many", sizes: []int{10, 100, 1000, 5000}, commands: allVerbs, make: func(t *trial, n int) {
		b, last := newBuild().ints("n", 1<<20), "x"
		for i := range n {
			b.nodef("ConstantOfShape n -> c%d", i).nodef("Exp c%d -> e%d", i, i).nodef("ReduceMax e%d -> m%d", i,
				i).nodef("Add %s,m%d -> a%d",
				last, i, i)
			last = fmt.Sprint("a", i)
		}
		b.nodef("Relu %s -> y", last).save(t)
	}})
	addModelBomb(bomb{name: "fold-kept", sizes: []int{4, 40, 400}, commands: allVerbs, make: func(t *trial, n int) { // all needed at once
		b, outs := newBuild().ints("n", 1<<22), []string{}
		for i := range n {
			b.nodef("ConstantOfShape n -> c%d", i).nodef("Exp c%d -> e%d", i, i)
			outs = append(outs, fmt.Sprint("e", i))
		}
		b.node("Sum " + strings.Join(outs, ",") + " -> s").node("ReduceMax s -> m").node("Add x,m -> y").save(t)
	}})
	// Many names for the same bytes beside the model.
	for _, use := range []string{"used", "unused"} {
		addModelBomb(bomb{name: "external-names-" + use, sizes: []int{4, 30, 200, 1000}, commands: allVerbs, make: func(t *trial, n int) {
			b := newBuild()
			const size = 50 << 20
			t.hole("w.bin", size)
			last := "x"
			for i := range n {
				b.g.Initializer = append(b.g.Initializer, externalTensor(fmt.Sprint("w", i), "w.bin", 1, size/4))
				if use == "used" {
					b.nodef("ReduceMax w%d -> m%d", i, i).nodef("Add %s,m%d -> a%d", last, i, i)
					last = fmt.Sprint("a", i)
				}
			}
			b.nodef("Relu %s -> y", last).save(t)
		}})
	}
	addModelBomb(bomb{name: "external-large", sizes: counts(1<<24, 1<<36, 1<<40), commands: allVerbs, make: func(t *trial, n int) {
		t.hole("w.bin", int64(n))
		b := newBuild()
		for _, d := range []int32{1, 10, 16, 7} { // float32, float16, bfloat16, int64
			size := map[int32]int64{1: 4, 10: 2, 16: 2, 7: 8}[d]
			b.g.Initializer = append(b.g.Initializer, externalTensor(fmt.Sprint("w", d), "w.bin", d, int64(n)/size))
			b.nodef("ReduceMax w%d -> m%d", d, d).node(fmt.Sprintf("Cast m%d -> f%d", d, d), onnx.AttrInt("to", 1))
		}
		b.node("Sum x,f1,f10,f16,f7 -> y").save(t)
	}})
	runBombs()
	controlBombs()
	widthBombs()
	for i, l := range testkit.Lies() {
		if l.Name == "long" {
			continue // that is nodes-chain
		}
		verb := allVerbs[i%len(allVerbs)]
		addModelBomb(bomb{name: "lie-" + strings.ReplaceAll(l.Name, " ", "-"), sizes: []int{1}, commands: []string{verb}, endless: true,
			make: func(t *trial, _ int) { t.write("model.onnx", l.Bytes()) }})
	}
}

// runBombs are small inputs that make large values, so that no look at the model tells.
func runBombs() {
	sizes := counts(1<<16, 1<<28, 1<<31, 1<<40, 1<<63-1, -1)
	for name, make := range map[string]func(b *build){
		"constantofshape": func(b *build) { b.node("ConstantOfShape n -> c").node("ReduceMax c -> m").node("Add x,m -> y") },
		"range": func(b *build) {
			b.number("zero", 0).number("one", 1).node("Squeeze n -> k").node("Range zero,k,one -> r").node("Cast r -> f",
				onnx.AttrInt("to", 1)).
				node("ReduceMax f -> m").node("Add x,m -> y")
		},
		"tile": func(b *build) {
			b.ints("one3", 1, 1, 1).node("Concat one3,n -> reps", onnx.AttrInt("axis", 0)).node("Tile x,reps -> y")
		},
		"expand": func(b *build) {
			b.ints("one3", 1, 1, 8).node("Concat n,one3 -> s", onnx.AttrInt("axis", 0)).node("Expand x,s -> y")
		},
		"resize": func(b *build) {
			b.ints("rest", 1, 1, 8).node("Concat rest,n -> s", onnx.AttrInt("axis", 0)).node("Resize x,,,s -> y")
		},
		"pad": func(b *build) {
			b.ints("z7", 0, 0, 0, 0, 0, 0, 0).node("Concat z7,n -> p", onnx.AttrInt("axis", 0)).node("Pad x,p -> y")
		},
		"eye": func(b *build) {
			b.node("Concat n,n -> s", onnx.AttrInt("axis",
				0)).node("ConstantOfShape s -> c").node("EyeLike c -> e").node("ReduceMax e -> m").
				node("Add x,m -> y")
		},
		"onehot": func(b *build) {
			b.node("Squeeze n -> k").ints("i", 0, 1).ones("v", 2).node("OneHot i,k,v -> h").node("ReduceMax h -> m").node("Add x,m -> y")
		},
		"chain": func(b *build) { // each small enough, all together not
			b.node("ConstantOfShape n -> c0")
			for i := range 40 {
				b.node(fmt.Sprintf("Concat c%d,c%d -> c%d", i, i, i+1), onnx.AttrInt("axis", 0))
			}
			b.node("ReduceMax c40 -> m").node("Add x,m -> y")
		},
		"nonzero": func(b *build) {
			b.node("ConstantOfShape n -> c", onnx.AttrTensor("value",
				tensor.From([]float32{1}, 1))).node("NonZero c -> z").node("Cast z -> f",
				onnx.AttrInt("to", 1)).
				node("ReduceMax f -> m").node("Add x,m -> y")
		},
	} {
		addModelBomb(bomb{name: "run-" + name, sizes: sizes, commands: []string{"run model.onnx --input x=x.npy --input n=n.npy -o out",
			"run model.onnx --input x=x.npy --input n=n.npy --json"},
			make: func(t *trial, n int) {
				b := newBuild().input("n", tensor.Int64, 1)
				make(b)
				b.save(t)
				t.tensorFile("x.npy", tensor.New(tensor.Float32, 1, 1, 8, 8))
				t.tensorFile("n.npy", tensor.From([]int64{int64(n)}, 1))
			}})
	}
}

// controlBombs are bodies and functions: endless, deep, chained, recursive.
func controlBombs() {
	body := func(nodes ...*onnxpb.NodeProto) *onnxpb.GraphProto {
		return &onnxpb.GraphProto{Name: proto.String("b"), Node: nodes, Input: []*onnxpb.ValueInfoProto{onnx.ValueInfo("i", tensor.Int64),
			onnx.ValueInfo("on", tensor.Bool), {Name: proto.String("s")}},
			Output: []*onnxpb.ValueInfoProto{onnx.ValueInfo("still", tensor.Bool), {Name: proto.String("t")}}}
	}
	for _, op := range []string{"Identity s -> t", "Add s,s -> t", "Concat s,s -> t"} {
		name := strings.ToLower(op[:strings.Index(op, " ")])
		addModelBomb(bomb{name: "loop-" + name, sizes: counts(1<<10, 1<<31, 1<<62), endless: true,
			commands: []string{"run model.onnx --input x.npy -o out", "inspect model.onnx -q",
				"bench model.onnx --n 1 --warmup 0 --mode train"},
			make: func(t *trial, n int) {
				step := node(op)
				if name == "concat" {
					step.Attribute = []*onnxpb.AttributeProto{onnx.AttrInt("axis", 0)}
				}
				g := body(node("Identity on -> still"), step)
				g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: proto.String("t")}) // all of them are kept
				newBuild().number("n", int64(n)).node("Loop n,,x -> last,y", onnx.AttrGraph("body", g)).save(t)
				t.tensorFile("x.npy", tensor.New(tensor.Float32, 1, 1, 8, 8))
			}})
	}
	addModelBomb(bomb{name: "if-deep", sizes: []int{10, 100, 1000, 5000}, make: func(t *trial, n int) {
		g := &onnxpb.GraphProto{Name: proto.String("b"), Node: []*onnxpb.NodeProto{node("Relu x -> y0")},
			Output: []*onnxpb.ValueInfoProto{{Name: proto.String("y0")}}}
		for i := range n {
			out := fmt.Sprint("y", i+1)
			other := &onnxpb.GraphProto{Name: proto.String("b"), Node: []*onnxpb.NodeProto{node("Neg x -> z")},
				Output: []*onnxpb.ValueInfoProto{{Name: proto.String("z")}}}
			g = &onnxpb.GraphProto{Name: proto.String("b"),
				Node: []*onnxpb.NodeProto{node("If c -> "+out, onnx.AttrGraph("then_branch", g),
					onnx.AttrGraph("else_branch", other))},
				Output: []*onnxpb.ValueInfoProto{{Name: &out}}}
		}
		b := newBuild().constant("c", tensor.From([]bool{true}))
		b.node("If c -> y", onnx.AttrGraph("then_branch", g), onnx.AttrGraph("else_branch", g))
		b.save(t)
	}})
	function := func(name string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
		return &onnxpb.FunctionProto{Name: &name, Domain: proto.String("f"), Input: []string{"a"}, Output: []string{"b"}, Node: nodes,
			OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(17)}, {Domain: proto.String("f"),
				Version: proto.Int64(1)}}}
	}
	call := func(name, io string) *onnxpb.NodeProto {
		n := node(name + io)
		n.Domain = proto.String("f")
		return n
	}
	functions := func(t *trial, fs []*onnxpb.FunctionProto, first string) {
		b := newBuild()
		b.m.Functions = fs
		b.m.OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: proto.String("f"), Version: proto.Int64(1)}}
		b.g.Node = append(b.g.Node, call(first, " x -> y"))
		b.save(t)
	}
	addModelBomb(bomb{name: "function-chain", sizes: []int{100, 1000, 3000, 20000}, make: func(t *trial, n int) {
		fs := []*onnxpb.FunctionProto{function("F0", node("Relu a -> b"))}
		for i := range n {
			fs = append(fs, function(fmt.Sprint("F", i+1), call(fmt.Sprint("F", i), " a -> b")))
		}
		functions(t, fs, fmt.Sprint("F", n))
	}})
	addModelBomb(bomb{name: "function-double", sizes: []int{8, 20, 40, 100}, make: func(t *trial, n int) { // 2^n nodes
		fs := []*onnxpb.FunctionProto{function("F0", node("Relu a -> b"))}
		for i := range n {
			f := fmt.Sprint("F", i)
			fs = append(fs, function(fmt.Sprint("F", i+1), call(f, " a -> c"), call(f, " c -> b")))
		}
		functions(t, fs, fmt.Sprint("F", n))
	}})
	addModelBomb(bomb{name: "function-circle", sizes: []int{1, 2, 1000}, make: func(t *trial, n int) {
		var fs []*onnxpb.FunctionProto
		for i := range n {
			fs = append(fs, function(fmt.Sprint("F", i), call(fmt.Sprint("F", (i+1)%n), " a -> b")))
		}
		functions(t, fs, "F0")
	}})
}

// widthBombs are many of one thing, and long names.
func widthBombs() {
	sizes := []int{1000, 10000, 100000}
	many := func(prefix string, n int) string {
		var s []string
		for i := range n {
			s = append(s, fmt.Sprint(prefix, i))
		}
		return strings.Join(s, ",")
	}
	addModelBomb(bomb{name: "split-outputs", sizes: sizes, make: func(t *trial, n int) {
		b := newBuild().ones("c", n)
		b.node("Split c -> "+many("o", n), onnx.AttrInt("axis", 0)).node("Add x,o0 -> y").save(t)
	}})
	addModelBomb(bomb{name: "sum-inputs", sizes: sizes, commands: allVerbs, make: func(t *trial, n int) {
		newBuild().node("Sum x" + strings.Repeat(",x", n) + " -> y").save(t)
	}})
	addModelBomb(bomb{name: "concat-inputs", sizes: sizes, commands: allVerbs, make: func(t *trial, n int) {
		newBuild().node("Concat x"+strings.Repeat(",x", n)+" -> y", onnx.AttrInt("axis", 0)).save(t)
	}})
	addModelBomb(bomb{name: "nodes-chain", sizes: sizes, limits: func(l *limits) { l.bytes *= 2 }, make: func(t *trial, n int) {
		b := newBuild().node("Relu x -> c0")
		for i := range n {
			b.nodef("Neg c%d -> c%d", i, i+1)
		}
		b.nodef("Relu c%d -> y", n).save(t)
	}})
	addModelBomb(bomb{name: "nodes-wide", sizes: sizes, limits: func(l *limits) { l.bytes *= 2 }, make: func(t *trial, n int) {
		b := newBuild()
		for i := range n {
			b.nodef("Neg x -> c%d", i)
		}
		b.node("Sum " + many("c", n) + " -> y").save(t)
	}})
	addModelBomb(bomb{name: "outputs", sizes: sizes, commands: append(lookAt, "run model.onnx --input x.npy --json"),
		make: func(t *trial, n int) {
			b := newBuild().node("Relu x -> y")
			for i := range n {
				b.nodef("Identity y -> o%d", i)
				b.g.Output = append(b.g.Output, onnx.ValueInfo(fmt.Sprint("o", i), tensor.Float32, 1, 1, 8, 8))
			}
			b.save(t)
			t.tensorFile("x.npy", tensor.New(tensor.Float32, 1, 1, 8, 8))
		}})
	addModelBomb(bomb{name: "outputs-same", sizes: sizes, make: func(t *trial, n int) {
		b := newBuild().node("Relu x -> y")
		for range n {
			b.g.Output = append(b.g.Output, b.g.Output[0])
		}
		b.save(t)
	}})
	addModelBomb(bomb{name: "inputs", sizes: []int{1000, 10000}, make: func(t *trial, n int) {
		b := newBuild()
		for i := range n {
			b.input(fmt.Sprint("i", i), tensor.Float32, 1)
		}
		b.node("Sum x," + many("i", n) + " -> y").save(t)
	}})
	addModelBomb(bomb{name: "initializers", sizes: sizes, make: func(t *trial, n int) {
		b := newBuild()
		for i := range n {
			b.ones(fmt.Sprint("w", i), 1)
		}
		b.node("Sum x," + many("w", n) + " -> y").save(t)
	}})
	for _, op := range []string{"Unsqueeze", "Squeeze", "ReduceSum", "Transpose", "Slice", "Reshape"} {
		addModelBomb(bomb{name: "axes-" + strings.ToLower(op), sizes: sizes, make: func(t *trial, n int) {
			b := newBuild()
			v := make([]int64, n)
			for i := range v {
				v[i] = int64(i)
			}
			switch op {
			case "Transpose":
				b.node("Transpose x -> y", onnx.AttrInts("perm", v...))
			case "Slice":
				b.ints("a", v...).node("Slice x,a,a,a -> y")
			case "Reshape":
				for i := range v {
					v[i] = 1
				}
				b.ints("a", v...).node("Reshape x,a -> y")
			default:
				b.ints("a", v...).node(op + " x,a -> y")
			}
			b.save(t)
		}})
	}
	addModelBomb(bomb{name: "rank", sizes: sizes, make: func(t *trial, n int) {
		b := newBuild().node("Relu x -> y")
		dims := make([]any, n)
		for i := range dims {
			dims[i] = 1
		}
		b.g.Input[0] = onnx.ValueInfo("x", tensor.Float32, dims...)
		b.save(t)
	}})
	addModelBomb(bomb{name: "name-long", sizes: []int{1 << 10, 1 << 16, 1 << 20, 1 << 24}, commands: append(allVerbs,
		"run model.onnx --input nosuch=x.npy", "explain model.onnx --list-layers"),
		make: func(t *trial, n int) {
			long := strings.Repeat("n", n)
			newBuild().node("Relu x -> " + long).node("Tanh " + long + " -> y").save(t)
			t.tensorFile("x.npy", tensor.New(tensor.Float32, 1, 1, 8, 8))
		}})
	addModelBomb(bomb{name: "names-many-long", sizes: []int{100, 1000}, commands: allVerbs, make: func(t *trial, n int) {
		b, last := newBuild(), "x"
		for i := range n {
			next := strings.Repeat("n", 5000) + fmt.Sprint(i)
			b.node("Neg " + last + " -> " + next)
			last = next
		}
		b.node("NoSuchOperator " + last + " -> y").save(t)
	}})
	addModelBomb(bomb{name: "metadata", sizes: sizes, make: func(t *trial, n int) {
		b := newBuild().node("Relu x -> y")
		for i := range n {
			b.m.MetadataProps = append(b.m.MetadataProps, &onnxpb.StringStringEntryProto{Key: proto.String(fmt.Sprint("k", i)),
				Value: proto.String("v")})
		}
		b.save(t)
	}})
	addModelBomb(bomb{name: "einsum", sizes: []int{4, 26, 52, 5000}, make: func(t *trial, n int) {
		letters := strings.Repeat("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", n/52+1)[:n]
		newBuild().node("Einsum x,x -> y", onnx.AttrString("equation", "abcd,"+letters+"->"+letters)).save(t)
	}})
	addModelBomb(bomb{name: "unknown-operators", sizes: sizes, commands: lookAt, make: func(t *trial, n int) {
		b, last := newBuild(), "x"
		for i := range n {
			b.nodef("NoSuch%d %s -> u%d", i, last, i)
			last = fmt.Sprint("u", i)
		}
		b.nodef("Relu %s -> y", last).save(t)
	}})
}
