package testkit

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// Text is a model written down for a test.
type Text struct {
	Opset   int64                     // 17 when 0
	In, Out []string                  // for example "x float32[N,3,8,8]"; the type is float32 when left out
	Init    map[string]*tensor.Tensor // initializers, in the order of Order
	Order   []string                  // names in Init; any order when nil
	// for example "y, z = Split(x, s; axis=1, mode='a', perm=[0,1])"; "pkg:f(x)" calls a function of domain pkg
	Nodes  []string
	Consts []string // names in Init that become Constant nodes in front of the others
}

// Model is the model that s describes.
func (s Text) Model(t testing.TB) *onnxpb.ModelProto {
	t.Helper()
	opset := s.Opset
	if opset == 0 {
		opset = 17
	}
	m := &onnxpb.ModelProto{IrVersion: new(int64(8)), OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: new(""), Version: &opset}},
		Graph: s.Graph(t)}
	return m
}

// Graph is the graph that s describes.
func (s Text) Graph(t testing.TB) *onnxpb.GraphProto {
	t.Helper()
	g := &onnxpb.GraphProto{Name: new("test")}
	for _, x := range s.In {
		g.Input = append(g.Input, textInfo(t, x))
	}
	for _, x := range s.Out {
		g.Output = append(g.Output, textInfo(t, x))
	}
	order := s.Order
	if order == nil {
		for name := range s.Init {
			order = append(order, name)
		}
	}
	constant := map[string]bool{}
	for _, c := range s.Consts {
		constant[c] = true
	}
	for _, name := range order {
		p := TensorProto(name, s.Init[name])
		if constant[name] {
			g.Node = append(g.Node, &onnxpb.NodeProto{Name: new("const " + name), OpType: new("Constant"), Output: []string{name},
				Attribute: []*onnxpb.AttributeProto{
					{Name: new("value"), Type: new(onnxpb.AttributeProto_TENSOR), T: p}}})
			continue
		}
		g.Initializer = append(g.Initializer, p)
	}
	for _, line := range s.Nodes {
		g.Node = append(g.Node, Node(t, line))
	}
	return g
}

// TensorProto is x as an initializer.
func TensorProto(name string, x *tensor.Tensor) *onnxpb.TensorProto {
	p := &onnxpb.TensorProto{Name: &name, DataType: new(int32(x.DType())), Dims: []int64{}, RawData: append([]byte{}, x.Bytes()...)}
	for _, d := range x.Shape() {
		p.Dims = append(p.Dims, int64(d))
	}
	return p
}

// textInfo reads "x float32[N,3]", "x[2,3]" or "x" (no shape).
func textInfo(t testing.TB, s string) *onnxpb.ValueInfoProto {
	name, dims, shaped := strings.Cut(strings.TrimSuffix(s, "]"), "[")
	name, kind, _ := strings.Cut(strings.TrimSpace(name), " ")
	d := tensor.Float32
	if kind != "" {
		var err error
		if d, err = tensor.ParseDType(strings.TrimSpace(kind)); err != nil {
			t.Fatal(err)
		}
	}
	tt := &onnxpb.TypeProto_Tensor{ElemType: new(int32(d))}
	if shaped {
		tt.Shape = &onnxpb.TensorShapeProto{}
		for _, x := range strings.Split(dims, ",") {
			if x = strings.TrimSpace(x); x == "" {
				continue
			}
			dim := &onnxpb.TensorShapeProto_Dimension{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: x}}
			if n, err := strconv.Atoi(x); err == nil {
				dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(n)}
			}
			tt.Shape.Dim = append(tt.Shape.Dim, dim)
		}
	}
	return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: tt}}}
}

// Node reads "y = Op(a, b; axis=1)". The node is named after its first output, with "/node" behind it.
func Node(t testing.TB, line string) *onnxpb.NodeProto {
	t.Helper()
	left, right, ok := strings.Cut(line, "=")
	op, args, ok2 := strings.Cut(strings.TrimSuffix(strings.TrimSpace(right), ")"), "(")
	if !ok || !ok2 {
		t.Fatalf("node %q: want outputs = Op(inputs; attributes)", line)
	}
	n := &onnxpb.NodeProto{OpType: new(strings.TrimSpace(op))}
	if domain, name, ok := strings.Cut(n.GetOpType(), ":"); ok {
		n.Domain, n.OpType = &domain, &name
	}
	n.Output = list(left)
	n.Name = new(n.Output[0] + "/node")
	ins, attrs, _ := strings.Cut(args, ";")
	n.Input = list(ins)
	for _, a := range splitOutside(attrs) {
		key, val, ok := strings.Cut(a, "=")
		if !ok {
			t.Fatalf("node %q: attribute %q", line, a)
		}
		n.Attribute = append(n.Attribute, attribute(t, strings.TrimSpace(key), strings.TrimSpace(val)))
	}
	return n
}

func attribute(t testing.TB, key, val string) *onnxpb.AttributeProto {
	t.Helper()
	a := &onnxpb.AttributeProto{Name: &key}
	number := func(s string) (int64, float32, bool) {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, float32(i), true
		}
		f, err := strconv.ParseFloat(s, 32)
		if err != nil {
			t.Fatalf("attribute %s=%s: %v", key, val, err)
		}
		return 0, float32(f), false
	}
	switch {
	case strings.HasPrefix(val, "'"):
		a.Type, a.S = new(onnxpb.AttributeProto_STRING), []byte(strings.Trim(val, "'"))
	case strings.HasPrefix(val, "@"): // of the call of a function
		kind, name, _ := strings.Cut(val[1:], ":")
		a.Type, a.RefAttrName = new(onnxpb.AttributeProto_AttributeType(onnxpb.AttributeProto_AttributeType_value[strings.ToUpper(kind)])), &name
	case strings.HasPrefix(val, "["):
		a.Type = new(onnxpb.AttributeProto_INTS)
		for _, x := range list(strings.Trim(val, "[]")) {
			i, f, whole := number(x)
			if !whole {
				a.Type = new(onnxpb.AttributeProto_FLOATS)
			}
			a.Ints, a.Floats = append(a.Ints, i), append(a.Floats, f)
		}
		if a.GetType() == onnxpb.AttributeProto_INTS {
			a.Floats = nil
		} else {
			a.Ints = nil
		}
	default:
		if i, f, whole := number(val); whole {
			a.Type, a.I = new(onnxpb.AttributeProto_INT), &i
		} else {
			a.Type, a.F = new(onnxpb.AttributeProto_FLOAT), &f
		}
	}
	return a
}

// list splits at commas; "" between two commas is an absent input.
func list(s string) []string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	out := strings.Split(s, ",")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}

// splitOutside splits at commas that are not inside brackets.
func splitOutside(s string) []string {
	var out []string
	depth, begin := 0, 0
	for i, c := range s + "," {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth == 0 {
				if part := strings.TrimSpace(s[begin:i]); part != "" {
					out = append(out, part)
				}
				begin = i + 1
			}
		}
	}
	return out
}

// String is the nodes of s, for messages.
func (s Text) String() string { return fmt.Sprint(s.Nodes) }
