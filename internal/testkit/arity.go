package testkit

import (
	"fmt"
	"iter"
	"strings"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

// Call describes an operator to those who call it wrongly.
type Call struct {
	Domain, Op  string
	Opset       int64
	In, Out     int // formal inputs and outputs
	Attrs       []*onnxpb.AttributeProto
	Bodies      []string // attributes that hold graphs
	BodyFormals int
	Layer       bool // a layer with weights comes before the node, and gives its first input
}

// filling is a tensor that stands where an operator expects one of another kind.
type filling struct {
	name string
	elem int32
	dims []int64
}

var fillings = []filling{
	{"float32[]", 1, nil}, {"float32[2]", 1, []int64{2}}, {"float32[1,4,4]", 1, []int64{1, 4, 4}},
	{"float32[2,4,6,6]", 1, []int64{2, 4, 6, 6}}, {"float32[0,4]", 1, []int64{0, 4}}, {"float32[2,0,3,3]", 1, []int64{2, 0, 3, 3}},
	{"float32[1,1,2,1,2,1,1,1,2]", 1, []int64{1, 1, 2, 1, 2, 1, 1, 1, 2}},
	{"int64[]", 7, nil}, {"int64[0]", 7, []int64{0}}, {"int64[2]", 7, []int64{2}}, {"int64[2,2]", 7, []int64{2, 2}},
	{"int32[1]", 6, []int64{1}}, {"bool[]", 9, nil}, {"bool[2,3]", 9, []int64{2, 3}}, {"uint8[2,3]", 2, []int64{2, 3}},
	{"float64[2,3]", 11, []int64{2, 3}}, {"float16[2,3]", 10, []int64{2, 3}}, {"string[2]", 8, []int64{2}},
}

// Calls are models of one node that calls c: with every number of inputs and outputs up to two too many, each one left out, bodies and
// attributes missing or too many, and inputs of every rank and type, fed and stored.
func (c Call) Calls() iter.Seq2[string, *onnxpb.ModelProto] {
	return func(yield func(string, *onnxpb.ModelProto) bool) {
		square := filling{"", 1, []int64{2, 4, 6, 6}}
		names := func(prefix string, n, without int) []string {
			out := make([]string, n)
			for i := range out {
				if i != without {
					out[i] = fmt.Sprintf("%s%d", prefix, i)
				}
			}
			return out
		}
		for _, stored := range []bool{false, true} {
			where := map[bool]string{false: "fed", true: "stored"}[stored]
			for n := range c.In + 3 {
				for without := -1; without < n; without++ {
					if !yield(fmt.Sprintf("%s, %d inputs without %d", where, n, without),
						c.model(names("x", n, without), names("y", max(1, c.Out), -1), c.Bodies, c.Attrs, stored, square)) {
						return
					}
				}
			}
			for n := range c.Out + 3 {
				for without := -1; without < n; without++ {
					if !yield(fmt.Sprintf("%s, %d outputs without %d", where, n, without),
						c.model(names("x", c.In, -1), names("y", n, without), c.Bodies, c.Attrs, stored, square)) {
						return
					}
				}
			}
			for _, f := range fillings {
				for at := -1; at < max(1, c.In); at++ { // all, or one among others
					in := []filling{f}
					if at >= 0 {
						in = make([]filling, at+1)
						for i := range in {
							in[i] = square
						}
						in[at] = f
						in = append(in, square)
					}
					if !yield(fmt.Sprintf("%s, %s at %d", where, f.name, at),
						c.model(names("x", max(1, c.In), -1), names("y", max(1, c.Out), -1), c.Bodies, c.Attrs, stored, in...)) {
						return
					}
				}
			}
		}
		in, out := names("x", max(1, c.In), -1), names("y", max(1, c.Out), -1)
		for i := range c.Attrs {
			attrs := append(c.Attrs[:i:i], c.Attrs[i+1:]...)
			if !yield("without attribute "+c.Attrs[i].GetName(), c.model(in, out, c.Bodies, attrs, false, square)) {
				return
			}
		}
		more := append(c.Bodies[:len(c.Bodies):len(c.Bodies)], "more")
		for _, bodies := range [][]string{nil, {"body"}, {"then_branch"}, {"then_branch", "then_branch"}, {"a", "b", "c"}, more} {
			if !yield("bodies "+strings.Join(bodies, " "), c.model(in, out, bodies, c.Attrs, false, square)) {
				return
			}
		}
		for formals := range 5 {
			d := c
			d.BodyFormals = formals
			if !yield(fmt.Sprintf("%d inputs of the body", formals), d.model(in, out, c.Bodies, c.Attrs, false, square)) {
				return
			}
		}
	}
}

// model is the model of one node; the inputs are filled in turn, the last filling repeats.
func (c Call) model(in, out, bodies []string, attrs []*onnxpb.AttributeProto, stored bool, fill ...filling) *onnxpb.ModelProto {
	n := &onnxpb.NodeProto{Name: proto.String("n"), OpType: &c.Op, Domain: &c.Domain, Input: in, Output: out}
	n.Attribute = append(n.Attribute, attrs...)
	for _, name := range bodies {
		n.Attribute = append(n.Attribute, graphAttr(name, c.body(len(out))))
	}
	g := &onnxpb.GraphProto{Name: proto.String("g"), Node: []*onnxpb.NodeProto{n}}
	for i, name := range in {
		if name == "" {
			continue
		}
		if i == 0 && c.Layer {
			name = "x"
			g.Initializer = append(g.Initializer, reals("w", 6, 6))
			g.Node = []*onnxpb.NodeProto{node("MatMul x,w -> x0"), n}
		}
		f := fill[min(i, len(fill)-1)]
		if stored && i > 0 {
			g.Initializer = append(g.Initializer, f.tensor(name))
		} else {
			g.Input = append(g.Input, value(name, f.elem, f.dims...))
		}
	}
	for _, name := range out {
		if name != "" {
			g.Output = append(g.Output, anyShape(name, 1))
		}
	}
	sets := []*onnxpb.OperatorSetIdProto{{Domain: &c.Domain, Version: &c.Opset}}
	return &onnxpb.ModelProto{IrVersion: proto.Int64(8), OpsetImport: sets, Graph: g}
}

// body is a graph with as many formal inputs as c says and outputs enough for n outputs of its node.
func (c Call) body(n int) *onnxpb.GraphProto {
	on := &onnxpb.TensorProto{Name: proto.String("k"), DataType: proto.Int32(9), RawData: []byte{1}}
	g := &onnxpb.GraphProto{Name: proto.String("b"), Initializer: []*onnxpb.TensorProto{on, reals("r", 2)}}
	for i := range c.BodyFormals {
		v := anyShape(fmt.Sprintf("b%d", i), 1)
		if c.Op == "Loop" && i < 2 {
			v = anyShape(fmt.Sprintf("b%d", i), []int32{7, 9}[i])
		}
		g.Input = append(g.Input, v)
	}
	if c.Op == "Loop" {
		g.Output = append(g.Output, anyShape("k", 9))
	}
	g.Node = append(g.Node, node("Add r,r -> s"))
	for range n {
		g.Output = append(g.Output, anyShape("s", 1))
	}
	return g
}

// tensor is a stored tensor of small numbers.
func (f filling) tensor(name string) *onnxpb.TensorProto {
	n := int64(1)
	for _, d := range f.dims {
		n *= d
	}
	if f.elem == 1 {
		return reals(name, f.dims...)
	}
	t := &onnxpb.TensorProto{Name: &name, Dims: f.dims, DataType: &f.elem}
	size := map[int32]int{2: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8}[f.elem]
	if size == 0 {
		for range n {
			t.StringData = append(t.StringData, []byte("a"))
		}
		return t
	}
	t.RawData = make([]byte, int(n)*size)
	for i := 0; i < len(t.RawData); i += size {
		t.RawData[i] = 1
	}
	return t
}
