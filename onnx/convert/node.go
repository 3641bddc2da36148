package convert

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/onnx/schema"
	"github.com/gtk-onnx/gtk/onnx/typing"
	"github.com/gtk-onnx/gtk/tensor"
)

// conv is the conversion of one node of the file.
type conv struct {
	*converter
	s     *scope
	first *onnxpb.NodeProto // of the file
	where string
	set   int64 // the operator set that what a step returns is for
}

// bridge puts what version v of the operator of n changed right.
func (k *conv) bridge(n *onnxpb.NodeProto, v int, up bool) ([]*onnxpb.NodeProto, error) {
	r := rules[n.GetOpType()][v]
	if up {
		if k.set = int64(v); r.up != nil {
			return r.up(k, n)
		}
		drop(n, "consumed_inputs") // had no meaning, and went with version 6
		return []*onnxpb.NodeProto{n}, nil
	}
	k.set = int64(v - 1)
	if r.down != nil {
		nodes, err := r.down(k, n)
		if err != nil || len(nodes) != 1 || nodes[0] != n {
			return nodes, err
		}
		n = nodes[0]
	} else if v == schema.Versions("", n.GetOpType())[0] {
		return nil, fmt.Errorf("the operator came with operator set %d", v)
	} else if r.up != nil && v <= 7 {
		return nil, fmt.Errorf("the way back to what it was before operator set %d is not known", v)
	}
	return []*onnxpb.NodeProto{n}, k.narrow(n, v)
}

// narrow drops the attributes of n that came with version v and say what was so before.
func (k *conv) narrow(n *onnxpb.NodeProto, v int) error {
	now, _ := schema.Find("", n.GetOpType(), int64(v))
	before, _ := schema.Find("", n.GetOpType(), int64(v-1))
	if now == nil || before == nil || now.Unknown || before.Unknown {
		return nil
	}
	for _, a := range slices.Clone(n.GetAttribute()) {
		if now.Attr(a.GetName()) == nil || before.Attr(a.GetName()) != nil {
			continue
		}
		if !isDefault(a) {
			return fmt.Errorf("attribute %s has a value that means something, and came with operator set %d", a.GetName(), v)
		}
		drop(n, a.GetName())
	}
	if v == 11 {
		for _, name := range []string{"axis", "axes"} {
			a := attr(n, name)
			if a.GetI() < 0 || slices.ContainsFunc(a.GetInts(), func(i int64) bool { return i < 0 }) {
				return k.positive(n, a)
			}
		}
	}
	return nil
}

// positive counts negative axes, which came with operator set 11, from the front.
func (k *conv) positive(n *onnxpb.NodeProto, a *onnxpb.AttributeProto) error {
	dims, known := k.s.Shape(input(n, 0))
	if !known || n.GetOpType() == "Unsqueeze" {
		return fmt.Errorf("attribute %s is negative, and the rank of its input is not known", a.GetName())
	}
	r := int64(len(dims))
	if a.GetI() < 0 {
		a.I = new(a.GetI() + r)
	}
	for i, v := range a.Ints {
		if v < 0 {
			a.Ints[i] = v + r
		}
	}
	return nil
}

// isDefault reports whether an attribute that came later says what was so without it.
func isDefault(a *onnxpb.AttributeProto) bool {
	if a.GetRefAttrName() != "" {
		return false
	}
	switch a.GetName() {
	case "seed": // of what is not random here
		return true
	case "saturate", "largest", "sorted", "stash_type":
		return a.GetI() == 1
	case "round_mode":
		return string(a.GetS()) == "up"
	case "reduction":
		return string(a.GetS()) == "none"
	case "keep_aspect_ratio_policy":
		return string(a.GetS()) == "stretch"
	case "dilations":
		return !slices.ContainsFunc(a.GetInts(), func(i int64) bool { return i != 1 })
	case "axes", "axis", "coordinate_transformation_mode", "num_outputs", "start", "end":
		return false
	}
	return a.GetType() == onnxpb.AttributeProto_INT && a.GetI() == 0
}

// fits checks n, that is as it will be, against the signature of the target.
func (k *conv) fits(n *onnxpb.NodeProto) error {
	op, _ := schema.Find("", n.GetOpType(), k.to)
	switch {
	case op == nil || op.Deprecated:
		return fmt.Errorf("operator set %d has no such operator", k.to)
	case op.Unknown:
		return nil
	}
	var errs []error
	if have := len(n.GetInput()); have > 0 && op.Input(have-1) == nil {
		errs = append(errs, fmt.Errorf("it has %d inputs, and in operator set %d at most %d", have, k.to, len(op.In)))
	}
	if have := len(n.GetOutput()); have > 0 && op.Output(have-1) == nil {
		errs = append(errs, fmt.Errorf("it has %d outputs, and in operator set %d at most %d", have, k.to, len(op.Out)))
	}
	for _, a := range n.GetAttribute() {
		if op.Attr(a.GetName()) == nil && !strings.HasPrefix(a.GetName(), "__") {
			errs = append(errs, fmt.Errorf("operator set %d knows no attribute %s of it", k.to, a.GetName()))
		}
	}
	_, wrong := typing.Outputs(op, n, k.s.Scope)
	errs = append(errs, wrong...)
	for _, name := range slices.Concat(n.GetInput(), n.GetOutput()) {
		t := schema.TypeName(k.s.Lookup(name))
		if v := typeSince(t); int64(v) > k.to {
			errs = append(errs, fmt.Errorf("%q is %s, a type that came with operator set %d", name, t, v))
		}
	}
	return errors.Join(errs...)
}

// refuse notes why n, met on the way from the node of the file, cannot be converted. v is the version that stands in the way.
func (k *conv) refuse(n *onnxpb.NodeProto, v int, why error) {
	from := k.m.Opset("")
	what := ""
	if n.GetOpType() != k.first.GetOpType() {
		what = " (as " + shown.Name(n.GetOpType()) + ")"
	}
	at := ""
	if v > 0 {
		at = fmt.Sprintf(", at version %d", v)
	}
	msg := strings.ReplaceAll(why.Error(), "\n", "; ")
	k.errs = append(k.errs, &onnx.UnsupportedError{File: k.m.Path, Where: k.where + label(k.first), Feature: fmt.Sprintf(
		"conversion from operator set %d to %d%s%s: %s", from, k.to, at, what, msg)})
}

// label is how messages name a node.
func label(n *onnxpb.NodeProto) string {
	if n.GetName() == "" && len(n.GetOutput()) > 0 {
		return fmt.Sprintf("node of output %s (%s)", shown.Quote(n.GetOutput()[0]), shown.Name(n.GetOpType()))
	}
	return fmt.Sprintf("node %s (%s)", shown.Quote(n.GetName()), cmp.Or(shown.Name(n.GetOpType()), "no operator"))
}

// attr is the attribute of that name, nil if n has none.
func attr(n *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range n.GetAttribute() {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

// number is an integer attribute; one that is taken from the call of a function has no number.
func number(n *onnxpb.NodeProto, name string, given int64) (v int64, known bool) {
	switch a := attr(n, name); {
	case a == nil:
		return given, true
	case a.GetRefAttrName() != "":
		return 0, false
	default:
		return a.GetI(), true
	}
}

// is reports whether an integer attribute is known to be v.
func is(n *onnxpb.NodeProto, name string, given, v int64) bool {
	have, known := number(n, name, given)
	return known && have == v
}

func drop(n *onnxpb.NodeProto, names ...string) {
	n.Attribute = slices.DeleteFunc(n.Attribute, func(a *onnxpb.AttributeProto) bool { return slices.Contains(names, a.GetName()) })
}

func put(n *onnxpb.NodeProto, a *onnxpb.AttributeProto) {
	drop(n, a.GetName())
	n.Attribute = append(n.Attribute, a)
}

// input is the name of input i, "" when there is none.
func input(n *onnxpb.NodeProto, i int) string {
	if i < len(n.GetInput()) {
		return n.GetInput()[i]
	}
	return ""
}

func output(n *onnxpb.NodeProto, i int) string {
	if i < len(n.GetOutput()) {
		return n.GetOutput()[i]
	}
	return ""
}

// setInput sets input i, with left-out ones before it; trailing left-out ones go.
func setInput(n *onnxpb.NodeProto, i int, name string) {
	for len(n.Input) <= i {
		n.Input = append(n.Input, "")
	}
	n.Input[i] = name
	for len(n.Input) > 0 && n.Input[len(n.Input)-1] == "" {
		n.Input = n.Input[:len(n.Input)-1]
	}
}

// name is a new one, for something of n.
func (k *conv) name(n *onnxpb.NodeProto, what string) string {
	base := cmp.Or(n.GetName(), output(n, 0), n.GetOpType()) + "/" + what
	name := base
	for i := 2; k.names[name]; i++ {
		name = fmt.Sprintf("%s~%d", base, i)
	}
	k.names[name] = true
	return name
}

// constant is the content of a value that is the same in every run, nil for others.
func (k *conv) constant(name string) *tensor.Tensor {
	for s := k.s; s != nil && name != ""; s = s.outer {
		if p := s.constants[name]; p != nil {
			if t, err := k.m.Tensor(p); err == nil {
				return t
			}
			return nil
		}
		if _, own := s.Of[name]; own {
			return nil
		}
	}
	return nil
}

// ints are the integers of a constant.
func (k *conv) ints(name string) (v []int64, ok bool) {
	t := k.constant(name)
	if t == nil || t.Rank() > 1 || !t.DType().IsInt() || t.Len() > 1<<16 {
		return nil, false
	}
	list, err := t.Ints()
	if err != nil {
		return nil, false
	}
	v = []int64{}
	for _, x := range list {
		v = append(v, int64(x))
	}
	return v, true
}

// release notes that a node does not read a constant any more.
func (k *conv) release(name string) {
	if name != "" {
		k.released[name] = true
	}
}

// add makes a constant of n: an initializer of its graph, or a node in a function, which is returned too.
func (k *conv) add(n *onnxpb.NodeProto, what string, t *tensor.Tensor) (name string, nodes []*onnxpb.NodeProto) {
	name = k.name(n, what)
	if k.bytes -= len(t.Bytes()); k.bytes < 0 {
		return name, nil // an error when all is done
	}
	p := onnx.TensorToProto(name, t)
	k.s.Of[name] = typing.Tensor(p.GetDataType(), append([]int64{}, p.GetDims()...))
	k.s.constants[name] = p
	if k.s.graph != nil {
		k.s.graph.Initializer = append(k.s.graph.Initializer, p)
		return name, nil
	}
	return name, []*onnxpb.NodeProto{onnx.NewNode("Constant", name, nil, []string{name}, onnx.AttrTensor("value", t))}
}

// fromAttribute makes an input of the integers of an attribute: a list, or one number as a list or a scalar.
func (k *conv) fromAttribute(n *onnxpb.NodeProto, what string, scalar bool) (name string, nodes []*onnxpb.NodeProto, err error) {
	a := attr(n, what)
	if a.GetRefAttrName() != "" {
		if k.set < 12 {
			return "", nil, fmt.Errorf("attribute %s is taken from the call of the function, and becomes an input", what)
		}
		value := "value_ints"
		if scalar {
			value = "value_int"
		}
		name = k.name(n, what)
		ref := &onnxpb.AttributeProto{Name: &value, Type: a.Type, RefAttrName: a.RefAttrName}
		return name, []*onnxpb.NodeProto{onnx.NewNode("Constant", name, nil, []string{name}, ref)}, nil
	}
	switch {
	case scalar:
		name, nodes = k.add(n, what, tensor.Scalar(a.GetI()))
	case a.GetType() == onnxpb.AttributeProto_INT:
		name, nodes = k.add(n, what, tensor.From([]int64{a.GetI()}, 1))
	default:
		name, nodes = k.add(n, what, tensor.From(slices.Clone(a.GetInts()), len(a.GetInts())))
	}
	return name, nodes, nil
}

// keep is a step's result when n stays, behind nodes.
func keep(n *onnxpb.NodeProto, nodes ...*onnxpb.NodeProto) []*onnxpb.NodeProto {
	return append(nodes, n)
}

// part is a new node on the way to what n computes; its output gets the type of like.
func (k *conv) part(n *onnxpb.NodeProto, op, what string, d tensor.DType, ins []string,
	attrs ...*onnxpb.AttributeProto) (*onnxpb.NodeProto, string) {
	name := k.name(n, what)
	if d != tensor.Undefined {
		k.s.Of[name] = typing.Tensor(int32(d), nil)
	}
	return onnx.NewNode(op, name, ins, []string{name}, attrs...), name
}

// becomes makes n another operator on other inputs; its name, output and documentation stay.
func becomes(n *onnxpb.NodeProto, op string, ins []string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	n.OpType, n.Input, n.Attribute, n.Output = &op, ins, attrs, n.GetOutput()[:1]
	return n
}

// constantOf is the tensor of a Constant node, nil for those that are no tensor of the node itself.
func constantOf(n *onnxpb.NodeProto) *onnxpb.TensorProto {
	if len(n.GetAttribute()) != 1 || n.GetAttribute()[0].GetRefAttrName() != "" {
		return nil
	}
	switch a := n.GetAttribute()[0]; a.GetName() {
	case "value":
		return a.GetT()
	case "value_int":
		return onnx.TensorToProto("", tensor.Scalar(a.GetI()))
	case "value_ints":
		return onnx.TensorToProto("", tensor.From(slices.Clone(a.GetInts()), len(a.GetInts())))
	case "value_float":
		return onnx.TensorToProto("", tensor.Scalar(a.GetF()))
	case "value_floats":
		return onnx.TensorToProto("", tensor.From(slices.Clone(a.GetFloats()), len(a.GetFloats())))
	case "value_string":
		return onnx.TensorToProto("", tensor.FromStrings([]string{string(a.GetS())}))
	case "value_strings":
		var s []string
		for _, b := range a.GetStrings() {
			s = append(s, string(b))
		}
		return onnx.TensorToProto("", tensor.FromStrings(s, len(s)))
	}
	return nil
}
