package runtimes

import (
	"context"
	"fmt"
	"slices"

	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	"github.com/gtk-onnx/gtk/interop/internal/dense"
	"github.com/gtk-onnx/gtk/job"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
)

func init() {
	job.Runtimes.Register("gorgonia", newGorgonia, "operators of gorgonia v0.9.18, the file read by gtk",
		"https://github.com/gorgonia/gorgonia")
}

// viaGorgonia runs a model with operators of gorgonia, in a graph that is built for each run, because gorgonia's graphs have one shape.
// What is known to be wrong in gorgonia is left alone: a reduction goes over one axis at a time, and an output is read while the graph
// runs, before an operator that works in place overwrites it.
type viaGorgonia struct {
	m      *onnx.Model
	opset  int64
	stored map[string]*tensor.Tensor // initializers
}

func newGorgonia(m *onnx.Model) (job.Runner, error) {
	r := &viaGorgonia{m: m, opset: m.Opset(""), stored: map[string]*tensor.Tensor{}}
	for _, p := range m.Proto.GetGraph().GetInitializer() {
		t, err := m.Tensor(p)
		if err != nil {
			return nil, err
		}
		r.stored[p.GetName()] = t
	}
	for _, n := range m.Proto.GetGraph().GetNode() {
		if _, ok := translations[n.GetOpType()]; !ok || !standard(n) {
			return nil, fmt.Errorf("operator %s is missing", n.GetOpType())
		}
	}
	return r, nil
}

func standard(n *onnxpb.NodeProto) bool { return n.GetDomain() == "" || n.GetDomain() == "ai.onnx" }

// Run is as job.Runner says. gorgonia cannot be stopped, so ctx is looked at before.
func (r *viaGorgonia) Run(ctx context.Context, feeds map[string]*tensor.Tensor) (map[string]*tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := &translator{g: G.NewGraph(), opset: r.opset, values: map[string]arg{}}
	for name, x := range r.stored {
		t.values[name] = arg{known: x}
	}
	for name, x := range feeds {
		if x.DType().IsFloat() {
			n, err := t.constant(x)
			if err != nil {
				return nil, fmt.Errorf("input %q: %w", name, err)
			}
			t.values[name] = arg{node: n}
		} else {
			t.values[name] = arg{known: x} // what is computed with integers is shapes and places, which gorgonia wants to know
		}
	}
	for _, n := range r.m.Proto.GetGraph().GetNode() {
		if err := t.add(r.m, n); err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.GetName(), n.GetOpType(), err)
		}
	}
	outs := map[string]*G.Value{}
	for _, o := range r.m.Proto.GetGraph().GetOutput() {
		if a := t.values[o.GetName()]; a.node != nil {
			v := new(G.Value)
			G.Read(a.node, v)
			outs[o.GetName()] = v
		}
	}
	vm := G.NewTapeMachine(t.g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		return nil, err
	}
	out := map[string]*tensor.Tensor{}
	for name, v := range outs {
		x, err := number(*v)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", name, err)
		}
		out[name] = x
	}
	return out, nil
}

// number is a copy of a result.
func number(v G.Value) (*tensor.Tensor, error) {
	switch v := v.(type) {
	case *G.F32:
		return tensor.Scalar(float32(*v)), nil
	case *G.F64:
		return tensor.Scalar(float64(*v)), nil
	case *T.Dense:
		x, err := dense.From(v)
		if err != nil {
			return nil, err
		}
		return x.Clone(), nil
	}
	return nil, fmt.Errorf("gorgonia gives %T", v)
}

// arg is a value of the model: a node of gorgonia's graph, or a tensor that is known.
type arg struct {
	node  *G.Node
	known *tensor.Tensor
}

func (a arg) given() bool { return a.node != nil || a.known != nil }

func (a arg) shape() []int {
	if a.node != nil {
		return a.node.Shape()
	}
	return a.known.Shape()
}

// translator builds gorgonia's graph.
type translator struct {
	g      *G.ExprGraph
	opset  int64
	values map[string]arg
	names  int
}

// add translates a node.
func (t *translator) add(m *onnx.Model, n *onnxpb.NodeProto) error {
	x := &call{t: t, attrs: map[string]*onnxpb.AttributeProto{}, m: m}
	for _, a := range n.GetAttribute() {
		x.attrs[a.GetName()] = a
	}
	for _, name := range n.GetInput() {
		a, ok := t.values[name]
		if !ok && name != "" {
			return fmt.Errorf("input %q was not computed", name)
		}
		x.in = append(x.in, a)
	}
	y, err := translations[n.GetOpType()](x)
	if err != nil {
		return err
	}
	for i, name := range n.GetOutput() {
		if i == 0 {
			t.values[name] = y
		} else if name != "" {
			return fmt.Errorf("output %q: operators of gorgonia have one", name)
		}
	}
	return nil
}

// constant is a node with the content of x.
func (t *translator) constant(x *tensor.Tensor) (*G.Node, error) {
	d, err := dense.To(x)
	if err != nil {
		return nil, err
	}
	t.names++
	return G.NodeFromAny(t.g, d, G.WithName(fmt.Sprint("c", t.names))), nil
}

// call is a node of the model that is being translated.
type call struct {
	t     *translator
	m     *onnx.Model
	in    []arg
	attrs map[string]*onnxpb.AttributeProto
}

func (c *call) arg(i int) arg {
	if i < len(c.in) {
		return c.in[i]
	}
	return arg{}
}

// node is input i as a node of floating-point numbers.
func (c *call) node(i int) (*G.Node, error) {
	a := c.arg(i)
	switch {
	case a.node != nil:
		return a.node, nil
	case a.known == nil:
		return nil, fmt.Errorf("input %d is not given", i)
	case !a.known.DType().IsFloat():
		return nil, fmt.Errorf("input %d has type %v; only floating-point numbers are computed with", i, a.known.DType())
	}
	return c.t.constant(a.known)
}

// ints are the integers of attribute name, or of input i.
func (c *call) ints(name string, i int) ([]int, bool, error) {
	if a, ok := c.attrs[name]; ok {
		if a.GetType() == onnxpb.AttributeProto_INT {
			return []int{int(a.GetI())}, true, nil
		}
		out := make([]int, len(a.GetInts()))
		for k, v := range a.GetInts() {
			out[k] = int(v)
		}
		return out, true, nil
	}
	if i < 0 || !c.arg(i).given() {
		return nil, false, nil
	}
	k := c.arg(i).known
	if k == nil {
		return nil, false, fmt.Errorf("input %d is computed; gorgonia's graphs have fixed shapes", i)
	}
	k, err := k.Convert(tensor.Int64)
	if err != nil {
		return nil, false, err
	}
	out := make([]int, k.Len())
	for j, v := range k.I64() {
		out[j] = int(v)
	}
	return out, true, nil
}

func (c *call) int(name string, otherwise int) int {
	if a, ok := c.attrs[name]; ok {
		return int(a.GetI())
	}
	return otherwise
}

func (c *call) float(name string, otherwise float32) float32 {
	if a, ok := c.attrs[name]; ok {
		return a.GetF()
	}
	return otherwise
}

// axis is v counted from the front.
func axis(v, rank int) (int, error) {
	if v < -rank || v >= rank {
		return 0, fmt.Errorf("axis %d of rank %d", v, rank)
	}
	return (v + rank) % max(rank, 1), nil
}

// result is a node that was made, or the error of making it.
func result(n *G.Node, err error) (arg, error) { return arg{node: n}, err }

// like is a known tensor spread to a shape as ONNX broadcasts, of n's element type.
func (c *call) like(k *tensor.Tensor, shape []int) (*G.Node, error) {
	from := k.Shape()
	if len(from) > len(shape) {
		return nil, fmt.Errorf("shape %v does not broadcast to %v", from, tensor.Shape(shape))
	}
	from = append(slices.Repeat([]int{1}, len(shape)-len(from)), from...)
	out, err := tensor.Make("gorgonia", k.DType(), shape...)
	if err != nil {
		return nil, err
	}
	step, at := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		if from[i] != 1 {
			if from[i] != shape[i] {
				return nil, fmt.Errorf("shape %v does not broadcast to %v", from, tensor.Shape(shape))
			}
			step[i] = at
		}
		at *= from[i]
	}
	size := k.DType().Size(1)
	src, dst := k.Bytes(), out.Bytes()
	for e := range out.Len() {
		at, rest := 0, e
		for i := len(shape) - 1; i >= 0; i-- {
			at += rest % shape[i] * step[i]
			rest /= shape[i]
		}
		copy(dst[e*size:(e+1)*size], src[at*size:])
	}
	return c.t.constant(out)
}
