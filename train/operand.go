package train

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// finder looks through the main graph of a model for what values are made of. It must be told, by index, when nodes change.
type finder struct {
	m      *onnx.Model
	makers map[string]*onnxpb.NodeProto
	inits  map[string]*onnxpb.TensorProto
	names  map[any]string             // of the weights, as the engine has them, by tensor or, of Constant nodes, attribute
	ranks  map[string]int             // of values, as far as they were asked for; 0 where it is not known
	own    map[*onnxpb.NodeProto]bool // nodes that are no part of a function
}

func newFinder(m *onnx.Model) *finder {
	f := &finder{m: m, names: map[any]string{}, own: map[*onnxpb.NodeProto]bool{}}
	for _, w := range m.Weights() {
		if w.Attr != nil {
			f.names[w.Attr] = w.Name
		} else {
			f.names[w.Proto] = w.Name
		}
	}
	for _, n := range m.Proto.GetGraph().GetNode() {
		f.own[n] = true
	}
	f.index()
	return f
}

func (f *finder) index() {
	f.makers, f.inits, f.ranks = map[string]*onnxpb.NodeProto{}, map[string]*onnxpb.TensorProto{}, map[string]int{}
	for _, n := range f.m.Proto.GetGraph().GetNode() {
		for _, o := range n.GetOutput() {
			f.makers[o] = n
		}
	}
	for _, t := range f.m.Proto.GetGraph().GetInitializer() {
		f.inits[t.GetName()] = t
	}
}

// role is what the operator of n is to those who look for layers; NoRole for a function and for operators that the engine does not have.
func (f *finder) role(n *onnxpb.NodeProto) graph.Role {
	if s := f.spec(n); s != nil {
		return s.Role
	}
	return graph.NoRole
}

func (f *finder) spec(n *onnxpb.NodeProto) *graph.Spec {
	domain := n.GetDomain()
	if domain == "ai.onnx" {
		domain = ""
	}
	s, _ := ops.Standard.Find(domain, n.GetOpType(), int(f.m.Opset(domain)))
	return s
}

// is reports whether n is of op, an operator of ONNX.
func (f *finder) is(n *onnxpb.NodeProto, op *graph.Spec) bool {
	return n != nil && (n.GetDomain() == "" || n.GetDomain() == "ai.onnx") && n.GetOpType() == op.Name
}

// made is the node of op that makes the value, else nil.
func (f *finder) made(name string, op *graph.Spec) *onnxpb.NodeProto {
	if n := f.makers[name]; f.is(n, op) && len(n.GetInput()) > 0 {
		return n
	}
	return nil
}

// operand is a constant that a node reads: an initializer or the value of a Constant node, perhaps seen through a chain of views.
type operand struct {
	reader *onnxpb.NodeProto
	input  int
	chain  []*onnxpb.NodeProto // views from the reader back to the root
	root   string              // the initializer, or the output of the Constant node, that is stored
	value  *tensor.Tensor      // as it is read
	stored string              // name of the weight of the file that it is, "" for integers
	param  string              // name of the parameter of the engine that it is
}

// name is that of the value that the node reads.
func (o *operand) name() string { return o.reader.GetInput()[o.input] }

// operand resolves input i of n; nil when it is absent or computed.
func (f *finder) operand(n *onnxpb.NodeProto, i int) *operand {
	if i >= len(n.GetInput()) || n.GetInput()[i] == "" {
		return nil
	}
	o := &operand{reader: n, input: i}
	if !f.resolve(o, n.GetInput()[i], 0) {
		return nil
	}
	return o
}

// resolve finds what name, of a constant, is made of; false when it is computed.
func (f *finder) resolve(o *operand, name string, depth int) bool {
	if tp := f.inits[name]; tp != nil {
		t, err := f.m.Tensor(tp)
		o.root, o.value, o.stored = name, t, f.names[tp]
		o.param = o.stored
		return err == nil
	}
	n := f.makers[name]
	if n == nil || depth > 64 {
		return false
	}
	if n.GetOpType() == "Constant" && len(n.GetAttribute()) == 1 {
		o.root, o.value, o.stored = name, f.constant(n.GetAttribute()[0]), f.names[n.GetAttribute()[0]]
		o.param = o.stored
		return o.value != nil
	}
	if f.role(n) != graph.View || len(n.GetInput()) == 0 || n.GetOutput()[0] != name {
		return false
	}
	o.chain = append(o.chain, n)
	if !f.resolve(o, n.GetInput()[0], depth+1) {
		return false
	}
	if f.is(n, ops.Identity) && f.own[n] && o.param == n.GetInput()[0] {
		o.param = name // the engine gives an Identity of a parameter a parameter of its own
	}
	o.value = f.view(n, o.value)
	return o.value != nil
}

// constant is the tensor of an attribute of a Constant node, nil when it has none of numbers.
func (f *finder) constant(a *onnxpb.AttributeProto) *tensor.Tensor {
	switch {
	case a.GetT() != nil:
		t, err := f.m.Tensor(a.GetT())
		if err != nil {
			return nil
		}
		return t
	case onnx.AttrType(a) == onnxpb.AttributeProto_INT:
		return tensor.Scalar(a.GetI())
	case onnx.AttrType(a) == onnxpb.AttributeProto_INTS:
		return tensor.From(a.GetInts(), len(a.GetInts()))
	case onnx.AttrType(a) == onnxpb.AttributeProto_FLOAT:
		return tensor.Scalar(a.GetF())
	case onnx.AttrType(a) == onnxpb.AttributeProto_FLOATS:
		return tensor.From(a.GetFloats(), len(a.GetFloats()))
	}
	return nil
}

// view is what the view n makes of t; nil when it cannot be told.
func (f *finder) view(n *onnxpb.NodeProto, t *tensor.Tensor) *tensor.Tensor {
	switch {
	case f.is(n, ops.Identity), f.is(n, ops.Dropout):
		return t
	case f.is(n, ops.Cast):
		c, err := t.Convert(tensor.DType(intAttr(n, "to", 0)))
		if err != nil {
			return nil
		}
		return c
	case f.is(n, ops.Transpose):
		return transposed(t, permOf(n, t.Rank()))
	case f.is(n, ops.Reshape):
		dims, ok := f.target(n)
		if !ok || tensor.Shape(dims).Len() != t.Len() || slices.Contains(dims, 0) {
			return nil
		}
		return t.Reshape(dims...)
	case f.is(n, ops.Squeeze), f.is(n, ops.Unsqueeze):
		axes, ok := f.axes(n)
		if !ok {
			return nil
		}
		s := unsqueezed(t.Shape(), axes)
		if f.is(n, ops.Squeeze) {
			s = squeezed(t.Shape(), axes)
		}
		if s == nil {
			return nil
		}
		return t.Reshape(s...)
	}
	return nil
}

// target is the constant shape that the Reshape n makes.
func (f *finder) target(n *onnxpb.NodeProto) ([]int, bool) {
	if len(n.GetInput()) < 2 {
		for _, a := range n.GetAttribute() {
			if a.GetName() == "shape" {
				dims, err := tensor.From(a.GetInts(), len(a.GetInts())).Ints()
				return dims, err == nil
			}
		}
		return nil, false
	}
	o := f.operand(n, 1)
	if o == nil {
		return nil, false
	}
	dims, err := o.value.Ints()
	return dims, err == nil
}

// free is an extent of a computed target that only a run tells.
const free = -2

// joined is the Concat that computes the target of the Reshape n out of single extents, and those extents, free where they are computed.
func (f *finder) joined(n *onnxpb.NodeProto) (concat *onnxpb.NodeProto, extents []int) {
	if len(n.GetInput()) < 2 {
		return nil, nil
	}
	name := n.GetInput()[1]
	for range 4 {
		if c := f.made(name, ops.Cast); c != nil {
			name = c.GetInput()[0]
		}
	}
	concat = f.made(name, ops.Concat)
	if concat == nil {
		return nil, nil
	}
	for i := range concat.GetInput() {
		o := f.operand(concat, i)
		if o == nil {
			extents = append(extents, free) // one, as exporters write it
			continue
		}
		x, err := o.value.Ints()
		if err != nil || len(x) != 1 {
			return nil, nil
		}
		extents = append(extents, x...)
	}
	return concat, extents
}

// axes are those of a Squeeze, Unsqueeze or Reduce operator, an attribute or an input; none and true when it has none, false when they are
// computed.
func (f *finder) axes(n *onnxpb.NodeProto) ([]int, bool) {
	for _, a := range n.GetAttribute() {
		if a.GetName() == "axes" {
			axes, err := tensor.From(a.GetInts(), len(a.GetInts())).Ints()
			return axes, err == nil
		}
	}
	if len(n.GetInput()) < 2 || n.GetInput()[1] == "" {
		return nil, true
	}
	o := f.operand(n, 1)
	if o == nil {
		return nil, false
	}
	axes, err := o.value.Ints()
	return axes, err == nil
}

func permOf(n *onnxpb.NodeProto, rank int) []int {
	for _, a := range n.GetAttribute() {
		if a.GetName() == "perm" {
			p := make([]int, len(a.GetInts()))
			for i, x := range a.GetInts() {
				p[i] = int(x)
			}
			return p
		}
	}
	p := make([]int, rank)
	for i := range p {
		p[i] = rank - 1 - i
	}
	return p
}

// transposed is t with its axes in the order of perm; nil when perm is none.
func transposed(t *tensor.Tensor, perm []int) *tensor.Tensor {
	s := t.Shape()
	sorted := slices.Sorted(slices.Values(perm))
	for i, p := range sorted {
		if p != i {
			return nil
		}
	}
	if len(perm) != len(s) || t.Bytes() == nil || t.DType().Bits()%8 != 0 {
		return nil
	}
	shape, stride := make([]int, len(s)), make([]int, len(s)) // of the result, and of its axes in t
	for i, p := range perm {
		shape[i], stride[i] = s[p], s[p+1:].Len()
	}
	out := tensor.New(t.DType(), shape...)
	size := t.DType().Bits() / 8
	at := make([]int, len(s)) // in the result
	for k := range out.Len() {
		from := 0
		for i, x := range at {
			from += x * stride[i]
		}
		copy(out.Bytes()[k*size:(k+1)*size], t.Bytes()[from*size:])
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < shape[i] {
				break
			}
			at[i] = 0
		}
	}
	return out
}

// squeezed is s without the axes, or without all of extent one when there are none; nil when one is longer.
func squeezed(s tensor.Shape, axes []int) tensor.Shape {
	drop := make([]bool, len(s))
	for _, a := range axes {
		if a < 0 {
			a += len(s)
		}
		if a < 0 || a >= len(s) || s[a] != 1 {
			return nil
		}
		drop[a] = true
	}
	out := tensor.Shape{}
	for i, d := range s {
		if !drop[i] && (len(axes) > 0 || d != 1) {
			out = append(out, d)
		}
	}
	return out
}

// unsqueezed is s with axes of extent one at the given places of the result; nil when they are impossible.
func unsqueezed(s tensor.Shape, axes []int) tensor.Shape {
	out := make(tensor.Shape, len(s)+len(axes))
	for _, a := range axes {
		if a < 0 {
			a += len(out)
		}
		if a < 0 || a >= len(out) || out[a] != 0 {
			return nil
		}
		out[a] = 1
	}
	k := 0
	for i := range out {
		if out[i] == 0 {
			out[i] = s[k]
			k++
		}
	}
	return out
}

// readers is how often a value is read, by nodes, in bodies and as an output.
func readers(m *onnx.Model, name string) int {
	k := 0
	m.Walk(func(_ *onnxpb.GraphProto, n *onnxpb.NodeProto) {
		for _, in := range n.GetInput() {
			if in == name {
				k++
			}
		}
	})
	for g := range m.Graphs() {
		for _, o := range g.GetOutput() {
			if o.GetName() == name {
				k++
			}
		}
	}
	return k
}

// replace stores t in the place of o. What else reads the old numbers keeps them.
func (f *finder) replace(o *operand, t *tensor.Tensor) error {
	kind := tensor.Float32
	if r := f.rootTensor(o); r != nil {
		kind = r.DType()
	}
	alone := readers(f.m, o.root) == 1
	for _, n := range o.chain {
		alone = alone && readers(f.m, n.GetOutput()[0]) == 1
	}
	if root, ok := f.back(o, t); ok && alone {
		root, err := root.Convert(kind)
		if err != nil {
			return fmt.Errorf("train: head: %w", err)
		}
		f.store(o, root)
		f.index()
		return nil
	}
	// A tensor of its own beside the old one.
	t, err := t.Convert(o.value.DType())
	if err != nil {
		return fmt.Errorf("train: head: %w", err)
	}
	old := o.name()
	o.reader.Input[o.input] = ""
	f.prune(o)
	name := old
	for k := 2; f.taken(name); k++ {
		name = fmt.Sprintf("%s~%d", old, k)
	}
	o.reader.Input[o.input] = name
	f.addInitializer(name, t)
	f.index()
	return nil
}

// rootTensor is what is stored at the root of o.
func (f *finder) rootTensor(o *operand) *tensor.Tensor {
	r := &operand{}
	if !f.resolve(r, o.root, 0) {
		return nil
	}
	return r.value
}

// back is t, which is to be read where o is, as it must be stored at the root; false when the chain has a Reshape, which names the old
// extents.
func (f *finder) back(o *operand, t *tensor.Tensor) (*tensor.Tensor, bool) {
	for _, n := range o.chain {
		switch {
		case f.is(n, ops.Identity), f.is(n, ops.Cast), f.is(n, ops.Dropout):
		case f.is(n, ops.Transpose):
			perm := permOf(n, t.Rank())
			inverse := make([]int, len(perm))
			for i, p := range perm {
				if p < 0 || p >= len(perm) {
					return nil, false
				}
				inverse[p] = i
			}
			if t = transposed(t, inverse); t == nil {
				return nil, false
			}
		case f.is(n, ops.Squeeze), f.is(n, ops.Unsqueeze):
			axes, ok := f.axes(n)
			if !ok || len(axes) == 0 {
				return nil, false
			}
			s := squeezed(t.Shape(), axes)
			if f.is(n, ops.Squeeze) {
				s = unsqueezed(t.Shape(), axes)
			}
			if s == nil { // the axis of classes was one and is dropped
				return nil, false
			}
			t = t.Reshape(s...)
		default:
			return nil, false
		}
	}
	return t, true
}

// store puts t at the root of o.
func (f *finder) store(o *operand, t *tensor.Tensor) {
	g := f.m.Proto.GetGraph()
	if n := f.makers[o.root]; n != nil { // a Constant node, whose attribute a function may share
		a := onnx.AttrTensor("value", t)
		f.names[a] = o.param
		n.Attribute = []*onnxpb.AttributeProto{a}
		return
	}
	for i, tp := range g.GetInitializer() {
		if tp.GetName() == o.root {
			fresh := onnx.TensorToProto(o.root, t)
			fresh.DocString = tp.DocString
			g.Initializer[i] = fresh
			f.names[fresh] = f.names[tp]
		}
	}
	for _, vi := range g.GetInput() {
		if vi.GetName() == o.root {
			setDims(vi, t.Shape())
		}
	}
}

// prune takes away the chain and the root of o as far as nobody reads them any more.
func (f *finder) prune(o *operand) {
	g := f.m.Proto.GetGraph()
	for _, n := range append(slices.Clone(o.chain), f.makers[o.root]) {
		if n == nil {
			continue
		}
		if readers(f.m, n.GetOutput()[0]) > 0 {
			return
		}
		g.Node = slices.DeleteFunc(g.Node, func(x *onnxpb.NodeProto) bool { return x == n })
	}
	if f.inits[o.root] != nil && readers(f.m, o.root) == 0 {
		f.dropInitializer(o.root)
	}
}

// taken reports whether the main graph has a value of that name.
func (f *finder) taken(name string) bool {
	g := f.m.Proto.GetGraph()
	return slices.ContainsFunc(g.GetInitializer(), func(t *onnxpb.TensorProto) bool { return t.GetName() == name }) ||
		slices.ContainsFunc(g.GetInput(), func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name }) ||
		slices.ContainsFunc(g.GetNode(), func(n *onnxpb.NodeProto) bool { return slices.Contains(n.GetOutput(), name) })
}

// addInitializer adds an initializer, which is an input too before IR version 4.
func (f *finder) addInitializer(name string, t *tensor.Tensor) {
	g := f.m.Proto.GetGraph()
	p := onnx.TensorToProto(name, t)
	g.Initializer = append(g.Initializer, p)
	f.names[p] = name
	if f.m.Proto.GetIrVersion() < 4 {
		dims := make([]any, t.Rank())
		for i, d := range t.Shape() {
			dims[i] = d
		}
		g.Input = append(g.Input, onnx.ValueInfo(name, t.DType(), dims...))
	}
}

func (f *finder) dropInitializer(name string) {
	g := f.m.Proto.GetGraph()
	g.Initializer = slices.DeleteFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == name })
	g.Input = slices.DeleteFunc(g.Input, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() == name })
}

func setDims(vi *onnxpb.ValueInfoProto, s tensor.Shape) {
	dims := make([]any, len(s))
	for i, d := range s {
		dims[i] = d
	}
	vi.Type = onnx.ValueInfo(vi.GetName(), tensor.DType(vi.GetType().GetTensorType().GetElemType()), dims...).Type
}

func intAttr(n *onnxpb.NodeProto, name string, def int64) int64 {
	for _, a := range n.GetAttribute() {
		if a.GetName() == name {
			return a.GetI()
		}
	}
	return def
}
