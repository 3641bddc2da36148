package compress

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/internal/shown"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/convert"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

// net is the main graph of a copy of a model, to be changed. It must be told, by index, when nodes change.
type net struct {
	m       *onnx.Model
	g       *onnxpb.GraphProto
	maker   map[string]*onnxpb.NodeProto
	readers map[string][]*onnxpb.NodeProto // in order; one that reads a value twice is there twice; bodies read too
	outputs map[string]bool
	taken   map[string]bool // names of values
	known   map[string]*tensor.Tensor
	inits   map[string]*onnxpb.TensorProto
}

// openNet makes a net of a copy of m, with functions in the place of their calls, in an operator set of at least that number.
func openNet(m *onnx.Model, opset int64) (*net, error) {
	const most = 1 << 17 // nodes
	c := m.Clone()
	if c.Opset("") < opset {
		types, err := engine.Types(m)
		if err != nil {
			types = nil // as far as the file declares them
		}
		if c, _, err = convert.To(m, opset, convert.Options{Types: types}); err != nil {
			return nil, fmt.Errorf("compress: operator set %d is needed: %w", opset, err)
		}
	}
	if err := c.InlineAll(most); err != nil {
		return nil, err
	}
	c.Proto.Functions = nil
	n := &net{m: c, g: c.Proto.GetGraph(), known: map[string]*tensor.Tensor{}}
	n.index()
	// Weights are no inputs any more: those that are not read any more shall go.
	n.g.Input = slices.DeleteFunc(n.g.Input, func(v *onnxpb.ValueInfoProto) bool { return n.inits[v.GetName()] != nil })
	if v := c.Proto.GetIrVersion(); v < 7 {
		c.Proto.IrVersion = new(int64(7)) // of operator set 13
	}
	return n, nil
}

// index finds makers and readers again.
func (n *net) index() {
	n.maker, n.readers, n.outputs, n.taken = map[string]*onnxpb.NodeProto{}, map[string][]*onnxpb.NodeProto{}, map[string]bool{},
		map[string]bool{}
	n.inits = map[string]*onnxpb.TensorProto{}
	for _, t := range n.g.Initializer {
		n.inits[t.GetName()], n.taken[t.GetName()] = t, true
	}
	for _, v := range n.g.Input {
		n.taken[v.GetName()] = true
	}
	for _, x := range n.g.Node {
		for _, o := range x.GetOutput() {
			if o != "" {
				n.maker[o], n.taken[o] = x, true
			}
		}
		for _, i := range x.GetInput() {
			if i != "" {
				n.readers[i] = append(n.readers[i], x)
			}
		}
		bodies(x, func(name string) { n.readers[name] = append(n.readers[name], x) }, func(name string) { n.taken[name] = true })
	}
	for _, v := range n.g.Output {
		n.outputs[v.GetName()] = true
	}
}

// bodies tells the names that the bodies of x read, their own among them, and those that they make.
func bodies(x *onnxpb.NodeProto, reads, makes func(name string)) {
	for _, a := range x.GetAttribute() {
		for _, g := range append(a.GetGraphs(), a.GetG()) {
			for _, y := range g.GetNode() {
				for _, i := range y.GetInput() {
					reads(i)
				}
				for _, o := range y.GetOutput() {
					makes(o)
				}
				bodies(y, reads, makes)
			}
			for _, o := range g.GetOutput() {
				reads(o.GetName())
			}
		}
	}
}

// within yields the nodes in the bodies of x, at any depth.
func within(x *onnxpb.NodeProto, yield func(*onnxpb.NodeProto)) {
	for _, a := range x.GetAttribute() {
		for _, g := range append(a.GetGraphs(), a.GetG()) {
			for _, y := range g.GetNode() {
				yield(y)
				within(y, yield)
			}
		}
	}
}

// free is a name for a value that nothing has yet.
func (n *net) free(name string) string {
	for k, try := 2, name; ; k++ {
		if !n.taken[try] {
			n.taken[try] = true
			return try
		}
		try = fmt.Sprintf("%s_%d", name, k)
	}
}

// constant is the content of a value that the file stores, or that evaluate found; nil for others.
func (n *net) constant(name string) *tensor.Tensor {
	if t := n.known[name]; t != nil {
		return t
	}
	p := n.inits[name]
	if x := n.maker[name]; p == nil && x != nil && x.GetOpType() == "Constant" && x.GetDomain() == "" {
		for _, a := range x.GetAttribute() {
			if a.GetName() == "value" {
				p = a.GetT()
			}
		}
	}
	if p == nil {
		return nil
	}
	t, err := n.m.Tensor(p)
	if err != nil {
		return nil
	}
	n.known[name] = t
	return t
}

// evaluate finds what follows from stored numbers alone, such as a transposed weight, of the inputs of nodes for which want says so.
func (n *net) evaluate(ctx context.Context, want func(*onnxpb.NodeProto) bool) error {
	fixed := map[string]bool{}
	var ask []string
	for _, x := range n.g.Node {
		all := len(x.GetInput()) > 0 && len(x.GetOutput()) == 1 && !draws[x.GetOpType()] && !is(x, "DequantizeLinear")
		bodies(x, func(string) { all = false }, func(string) {})
		for _, i := range x.GetInput() {
			all = all && (i == "" || fixed[i] || n.constant(i) != nil)
		}
		if all {
			fixed[x.GetOutput()[0]] = true
		}
		if !want(x) {
			continue
		}
		for _, i := range x.GetInput() {
			if fixed[i] && !slices.Contains(ask, i) {
				ask = append(ask, i)
			}
		}
	}
	if len(ask) == 0 {
		return nil
	}
	m, err := engine.Load(n.m.Clone())
	if err != nil {
		return err
	}
	s, err := m.Session(engine.Query{Fetch: ask})
	if err != nil {
		return err
	}
	feeds := map[string]*tensor.Tensor{} // which none of it reads
	sizes := m.Sizes(1)
	for k, in := range m.Inputs() {
		feeds[in.Name] = tensor.New(in.DType, sizes[k]...)
	}
	r, err := s.Run(ctx, feeds)
	if err != nil {
		return fmt.Errorf("compress: what the weights are made of: %w", err)
	}
	for _, name := range ask {
		n.known[name] = r.Value(name).Clone()
	}
	return nil
}

// draws are operators whose results are not a function of their inputs.
var draws = map[string]bool{"RandomNormal": true, "RandomUniform": true, "RandomNormalLike": true, "RandomUniformLike": true,
	"Bernoulli":   true,
	"Multinomial": true, "Dropout": true}

// store adds an initializer and gives its name, near to the one that is wanted.
func (n *net) store(name string, t *tensor.Tensor) string {
	name = n.free(name)
	p := onnx.TensorToProto(name, t)
	n.g.Initializer = append(n.g.Initializer, p)
	n.inits[name], n.known[name] = p, t
	return name
}

// replace puts nodes in the place of x.
func (n *net) replace(x *onnxpb.NodeProto, by ...*onnxpb.NodeProto) {
	at := slices.Index(n.g.Node, x)
	n.g.Node = slices.Replace(n.g.Node, at, at+1, by...)
}

// sweep takes away nodes and stored numbers that nothing reads any more, and declarations of values that are gone.
func (n *net) sweep() {
	n.index()
	live := map[*onnxpb.NodeProto]bool{}
	var mark func(name string)
	read := map[string]bool{}
	mark = func(name string) {
		read[name] = true
		x := n.maker[name]
		if x == nil || live[x] {
			return
		}
		live[x] = true
		for _, i := range x.GetInput() {
			mark(i)
		}
		bodies(x, mark, func(string) {})
	}
	for o := range n.outputs {
		mark(o)
	}
	n.g.Node = slices.DeleteFunc(n.g.Node, func(x *onnxpb.NodeProto) bool { return !live[x] })
	n.g.Initializer = slices.DeleteFunc(n.g.Initializer, func(t *onnxpb.TensorProto) bool { return !read[t.GetName()] })
	n.index()
	n.g.ValueInfo = slices.DeleteFunc(n.g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return n.maker[v.GetName()] == nil })
}

// alone is the one node that reads a value, nil where there are more, or it is an output of the model.
func (n *net) alone(name string) *onnxpb.NodeProto {
	if r := n.readers[name]; len(r) == 1 && !n.outputs[name] {
		return r[0]
	}
	return nil
}

// attribute is one of x, nil where it is left out.
func attribute(x *onnxpb.NodeProto, name string) *onnxpb.AttributeProto {
	for _, a := range x.GetAttribute() {
		if a.GetName() == name {
			return a
		}
	}
	return nil
}

// number is the whole-number attribute of x, or what stands for one that is left out.
func number(x *onnxpb.NodeProto, name string, without int64) int64 {
	if a := attribute(x, name); a != nil {
		return a.GetI()
	}
	return without
}

// float is the real attribute of x, or what stands for one that is left out.
func float(x *onnxpb.NodeProto, name string, without float32) float32 {
	if a := attribute(x, name); a != nil {
		return a.GetF()
	}
	return without
}

// is reports whether x is an operator of ONNX of one of those names.
func is(x *onnxpb.NodeProto, ops ...string) bool {
	return x != nil && (x.GetDomain() == "" || x.GetDomain() == "ai.onnx") && slices.Contains(ops, x.GetOpType())
}

// in is input i of x, "" where it is left out.
func in(x *onnxpb.NodeProto, i int) string {
	if i < len(x.GetInput()) {
		return x.GetInput()[i]
	}
	return ""
}

// label names x in messages.
func label(x *onnxpb.NodeProto) string {
	name := x.GetName()
	if name == "" && len(x.GetOutput()) > 0 {
		name = x.GetOutput()[0]
	}
	return shown.Name(name)
}

// errNone is what a method says of a model in which it finds nothing to do.
var errNone = errors.New("compress: there is nothing to make smaller")
