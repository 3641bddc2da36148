//go:build linux

package torture

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"google.golang.org/protobuf/proto"
)

func init() {
	mutators = append(mutators,
		mutator{"arity", 6, changeArity}, mutator{"operator", 4, changeOperator}, mutator{"wiring", 4, changeWiring},
		mutator{"attribute", 6, changeAttribute}, mutator{"insert", 4, insertNode}, mutator{"axes", 3, changeAxes},
	)
}

func anyNode(r *rand.Rand, m *onnxpb.ModelProto) *onnxpb.NodeProto {
	n, _ := anyOf(r, nodes(m))
	return n
}

// changeArity gives a node another number of inputs or outputs.
func changeArity(r *rand.Rand, m *onnxpb.ModelProto) string {
	n := anyNode(r, m)
	if n == nil {
		return ""
	}
	list, word := &n.Input, "inputs"
	if r.IntN(3) == 0 {
		list, word = &n.Output, "outputs"
	}
	was := len(*list)
	switch r.IntN(6) {
	case 0:
		*list = nil
	case 1:
		*list = (*list)[:r.IntN(was+1)]
	case 2:
		for i := range *list {
			(*list)[i] = ""
		}
		return fmt.Sprintf("%s has no names of %s", n.GetOpType(), word)
	case 3:
		if was > 0 {
			(*list)[r.IntN(was)] = ""
			return fmt.Sprintf("%s lacks one of its %d %s", n.GetOpType(), was, word)
		}
	default:
		for i := range some(r, []int{1, 2, 5, 40}) {
			name := fmt.Sprintf("more%d", i)
			if word == "inputs" && was > 0 {
				name = (*list)[r.IntN(was)]
			}
			*list = append(*list, name)
		}
	}
	return fmt.Sprintf("%s has %d %s, not %d", n.GetOpType(), len(*list), word, was)
}

func changeOperator(r *rand.Rand, m *onnxpb.ModelProto) string {
	n := anyNode(r, m)
	if n == nil {
		return ""
	}
	was, op := n.GetOpType(), anyOperator(r, m)
	to := op.name
	n.Domain = nil
	if op.domain != "" {
		n.Domain = &op.domain
	}
	if r.IntN(10) == 0 {
		to, n.Domain = some(r, ops.Standard.Names(ops.Private)), proto.String(ops.Private)
	}
	n.OpType = &to
	if r.IntN(2) == 0 {
		n.Attribute = nil
	}
	return was + " is " + to
}

// changeWiring makes a node read or make another value: of another graph, its own, one that comes later, or one that is there already.
func changeWiring(r *rand.Rand, m *onnxpb.ModelProto) string {
	n := anyNode(r, m)
	var all []string
	for _, g := range graphs(m) {
		all = append(all, values(g)...)
	}
	v, ok := anyOf(r, all)
	if n == nil || !ok {
		return ""
	}
	switch {
	case r.IntN(4) == 0 && len(n.Output) > 0:
		n.Output[r.IntN(len(n.Output))] = v
		return fmt.Sprintf("%s makes %.40q", n.GetOpType(), v)
	case r.IntN(4) == 0:
		g := some(r, graphs(m))
		if len(g.Output) > 0 {
			some(r, g.Output).Name = &v
			return fmt.Sprintf("an output is %.40q", v)
		}
		fallthrough
	default:
		if len(n.Input) == 0 {
			n.Input = []string{v}
		}
		n.Input[r.IntN(len(n.Input))] = v
		return fmt.Sprintf("%s reads %.40q", n.GetOpType(), v)
	}
}

// attributeNames are names that many operators give a meaning to.
var attributeNames = []string{
	"axis", "axes", "kernel_shape", "pads", "strides", "dilations", "group", "auto_pad", "ceil_mode", "perm", "to", "mode", "epsilon",
	"alpha", "beta",
	"num_outputs", "split", "batch_dims", "direction", "hidden_size", "layout", "blocksize", "k", "keepdims", "noop_with_empty_axes",
	"start", "end",
	"num_scan_inputs", "scan_input_axes", "scan_output_directions", "value", "value_ints", "sparse_value", "equation", "allowzero",
	"output_shape",
	"output_padding", "p", "transA", "transB", "activations", "clip", "body", "then_branch", "else_branch", "num_heads", "q_num_heads",
	"kv_num_heads",
	"scale", "is_causal", "qk_matmul_output_mode", "num_groups", "normalized", "dtype", "exclusive", "reverse", "largest", "sorted",
	"coordinate_transformation_mode",
}

// words are those that attributes of many operators may have: modes, patterns and equations.
var words = strings.Fields("constant reflect edge wrap linear cubic nearest SAME_UPPER SAME_LOWER VALID forward reverse bidirectional " +
	"none mean sum add mul min max half_pixel align_corners DCR CRD stretch tanh Sigmoid Relu Affine floor ceil bilinear bicubic " +
	"zeros border reflection ij,jk->ik ...ij->...ji ii-> i,j,k,l->ijkl (a*)*b .{1000}{9} [ RGB BGR Grayscale LOWER UPPER TF " +
	"IDF TFIDF LOGISTIC SOFTMAX SOFTMAX_ZERO PROBIT BRANCH_LEQ BRANCH_EQ LEAF RBF POLY SIGMOID L1 L2 INT64S STRINGS DENSE " +
	"SPARSE avg exact")

// changeAttribute sets an attribute of a node to something else, of any type.
func changeAttribute(r *rand.Rand, m *onnxpb.ModelProto) string {
	n := anyNode(r, m)
	if n == nil {
		return ""
	}
	name := some(r, attributeNames)
	if own := attributesOf(n); len(own) > 0 && r.IntN(2) == 0 {
		name = some(r, own)
	}
	at := -1
	if len(n.Attribute) > 0 && r.IntN(4) > 0 {
		at = r.IntN(len(n.Attribute))
		name = n.Attribute[at].GetName()
	}
	var a *onnxpb.AttributeProto
	v := some(r, extremes)
	switch r.IntN(8) {
	case 0, 1:
		a = onnx.AttrInt(name, v)
	case 2, 3:
		list := make([]int64, some(r, []int{0, 1, 2, 3, 4, 8, 1000}))
		for i := range list {
			list[i] = some(r, extremes)
			if r.IntN(2) == 0 {
				list[i] = int64(r.IntN(4))
			}
		}
		a = onnx.AttrInts(name, list...)
	case 4:
		a = onnx.AttrFloat(name, float32(v))
	case 5:
		if a = onnx.AttrString(name, some(r, names)); r.IntN(2) == 0 {
			a = onnx.AttrString(name, some(r, words))
		}
	case 6:
		other := anyNode(r, m)
		if len(other.Attribute) == 0 {
			return ""
		}
		o := some(r, other.Attribute)
		if proto.Size(o) > 1<<18 {
			return ""
		}
		a = proto.Clone(o).(*onnxpb.AttributeProto)
		a.Name = &name
	default:
		a = onnx.AttrInt(name, v)
		a.Type = onnxpb.AttributeProto_AttributeType(r.IntN(16)).Enum()
	}
	if at < 0 {
		n.Attribute = append(n.Attribute, a)
	} else {
		n.Attribute[at] = a
	}
	s := a.String()
	return fmt.Sprintf("%s: %s", n.GetOpType(), short(s, 80))
}

// insertNode puts an operator with values of the graph as inputs somewhere, and has its output used.
func insertNode(r *rand.Rand, m *onnxpb.ModelProto) string {
	g := some(r, graphs(m))
	vs := values(g)
	if len(vs) == 0 {
		return ""
	}
	op, name := anyOperator(r, m), fmt.Sprintf("inserted%d", r.IntN(1000))
	n := &onnxpb.NodeProto{OpType: &op.name, Output: []string{name}}
	if op.domain != "" {
		n.Domain = &op.domain
	}
	for i := range op.outputs - 1 {
		n.Output = append(n.Output, fmt.Sprintf("%s.%d", name, i))
	}
	inputs := op.needed + r.IntN(max(op.most-op.needed, 0)+1)
	if r.IntN(4) == 0 {
		inputs = r.IntN(4)
	}
	for range inputs {
		n.Input = append(n.Input, some(r, vs))
	}
	for _, a := range op.attributes {
		switch r.IntN(8) {
		case 0, 1:
			n.Attribute = append(n.Attribute, onnx.AttrInt(a, int64(r.IntN(4))))
		case 2:
			n.Attribute = append(n.Attribute, onnx.AttrInts(a, int64(r.IntN(3)), some(r, extremes)))
		case 3:
			n.Attribute = append(n.Attribute, onnx.AttrString(a, some(r, words)))
		}
	}
	at := r.IntN(len(g.Node) + 1)
	if at < len(g.Node) && len(g.Node[at].Input) > 0 {
		next := g.Node[at]
		next.Input[r.IntN(len(next.Input))] = name
	} else if len(g.Output) > 0 {
		some(r, g.Output).Name = &name
	}
	g.Node = append(g.Node[:at:at], append([]*onnxpb.NodeProto{n}, g.Node[at:]...)...)
	return fmt.Sprintf("%s of %d inputs at %d", op.name, len(n.Input), at)
}

// changeAxes changes the numbers of an integer constant: shapes, axes, bounds, trip counts.
func changeAxes(r *rand.Rand, m *onnxpb.ModelProto) string {
	var all []*onnxpb.TensorProto
	for _, g := range graphs(m) {
		all = append(all, g.Initializer...)
		for _, n := range g.Node {
			for _, a := range n.Attribute {
				if a.T != nil {
					all = append(all, a.T)
				}
			}
		}
	}
	for range 10 {
		t, ok := anyOf(r, all)
		if !ok {
			return ""
		}
		if k := t.GetDataType(); k != int32(onnxpb.TensorProto_INT64) && k != int32(onnxpb.TensorProto_INT32) {
			continue
		}
		size := 8
		if t.GetDataType() == int32(onnxpb.TensorProto_INT32) {
			size = 4
		}
		x := some(r, extremes)
		switch {
		case len(t.RawData) >= size:
			i := r.IntN(len(t.RawData) / size)
			for k := range size {
				t.RawData[i*size+k] = byte(uint64(x) >> (8 * k))
			}
		case len(t.Int64Data) > 0:
			t.Int64Data[r.IntN(len(t.Int64Data))] = x
		case len(t.Int32Data) > 0:
			t.Int32Data[r.IntN(len(t.Int32Data))] = int32(x)
		default:
			continue
		}
		return fmt.Sprintf("a number of %.40q is %d", t.GetName(), x)
	}
	return ""
}
