package gorgonia

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/chewxy/hm"
	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Op makes a model one operator of a gorgonia graph: its forward pass is a run of gtk's engine, and so is its gradient by inputs and
// parameters, which gtk derives. Batch normalisation is by the running statistics, and there is no dropout.
//
// The gradient runs the model forward once more, because gorgonia says what it is asked for only after the loss is known. It cannot be
// differentiated again.
type Op struct {
	m      *engine.Model
	output string
	dtype  tensor.DType // of the output
	params []*engine.Param
}

// NewOp is the operator that computes an output or inner value of m, by name; "" is the only output. Its parameters are those that gtk
// trains, of m itself: what a solver of gorgonia does to them is done to m.
func NewOp(m *engine.Model, output string) (*Op, error) {
	if outs := m.Outputs(); output == "" {
		if len(outs) != 1 {
			return nil, fmt.Errorf("gorgonia: the model has %d outputs; name one", len(outs))
		}
		output = outs[0].Name
	}
	d, err := m.DType(output)
	if err != nil {
		return nil, fmt.Errorf("gorgonia: %w", err)
	}
	if _, err := dtypeOf(d); err != nil {
		return nil, fmt.Errorf("gorgonia: output %q: %w", output, err)
	}
	o := &Op{m: m, output: output, dtype: d}
	m.Thaw()
	for p := range m.Params() {
		if !p.Trainable {
			continue
		}
		if _, err := dtypeOf(p.Value.DType()); err != nil {
			return nil, fmt.Errorf("gorgonia: parameter %q: %w", p.Name, err)
		}
		o.params = append(o.params, p)
	}
	return o, nil
}

// Params are nodes of g for the parameters, which share their memory, named as in the file. A number is a vector of one element.
func (o *Op) Params(g *G.ExprGraph) G.Nodes {
	nodes := make(G.Nodes, len(o.params))
	for i, p := range o.params {
		nodes[i] = G.NodeFromAny(g, denseOf(p.Value), G.WithName(p.Name))
	}
	return nodes
}

// Apply adds the operator to the graph of its arguments: a node for each input of the model, in its order, then what Params gave. The
// result has the output's shape for inputs of the shapes of these nodes.
func (o *Op) Apply(args ...*G.Node) (*G.Node, error) {
	ins := o.m.Inputs()
	if len(args) != len(ins)+len(o.params) {
		return nil, fmt.Errorf("gorgonia: %d arguments, want %d inputs and %d parameters", len(args), len(ins), len(o.params))
	}
	c := &call{Op: o, id: calls.Add(1)}
	var shapes []tensor.Shape
	for i, in := range ins {
		if n := args[i]; n.Dtype() != dtypes[in.DType] {
			return nil, fmt.Errorf("gorgonia: input %v is given %v", in, n.Dtype())
		}
		c.names = append(c.names, in.Name)
		shapes = append(shapes, tensor.Shape(args[i].Shape()))
		c.differentiable = append(c.differentiable, in.DType.IsFloat())
	}
	for i, p := range o.params {
		if n := args[len(ins)+i]; n.Dtype() != dtypes[p.Value.DType()] || n.Shape().TotalSize() != p.Value.Len() {
			return nil, fmt.Errorf("gorgonia: parameter %q %v is given %v%v", p.Name, p.Value, n.Dtype(), n.Shape())
		}
		c.names = append(c.names, p.Name)
		c.differentiable = append(c.differentiable, true)
	}
	for _, n := range args {
		c.types = append(c.types, n.Type())
	}
	got, err := o.m.Shapes(shapes, o.output)
	if err != nil {
		return nil, fmt.Errorf("gorgonia: %w", err)
	}
	if got[0] == nil {
		return nil, fmt.Errorf("gorgonia: the shape of output %q depends on data, which gorgonia cannot express", o.output)
	}
	c.shape = T.Shape(slices.Clone(got[0]))
	q := engine.Query{Fetch: []string{o.output}}
	for _, p := range o.params {
		q.Grad = append(q.Grad, p.Name) // they change between runs
	}
	if c.session, err = o.m.Session(q); err != nil {
		return nil, fmt.Errorf("gorgonia: %w", err)
	}
	return G.ApplyOp(c, args...)
}

// calls numbers the calls, because gorgonia takes operators of one hash for the same.
var calls atomic.Int64

// call is an Op at one place of a graph.
type call struct {
	*Op
	id             int64
	names          []string // of the arguments: inputs, then parameters
	types          []hm.Type
	differentiable []bool
	shape          T.Shape // of the output
	session        *engine.Session
	lisp           *backward // of DoDiff
	runs           atomic.Int64
}

var _ G.SDOp = (*call)(nil)

func (c *call) Arity() int { return len(c.names) }

func (c *call) Type() hm.Type { return signature(c.types, dtypes[c.Op.dtype], len(c.shape)) }

// signature is the type of a function to a tensor of the given element type and rank.
func signature(args []hm.Type, d T.Dtype, rank int) hm.Type {
	var out hm.Type = d
	if rank > 0 {
		out = G.TensorType{Dims: rank, Of: d}
	}
	return hm.NewFnType(append(slices.Clone(args), out)...)
}

func (c *call) InferShape(...G.DimSizer) (T.Shape, error) { return c.shape.Clone(), nil }
func (c *call) ReturnsPtr() bool                          { return true }
func (c *call) CallsExtern() bool                         { return false }
func (c *call) OverwritesInput() int                      { return -1 }
func (c *call) WriteHash(h hash.Hash)                     { fmt.Fprintf(h, "gtk model %d", c.id) }
func (c *call) Hashcode() uint32                          { return hashcode(c) }
func (c *call) String() string                            { return fmt.Sprintf("gtk(%s)", c.output) }
func (c *call) DiffWRT(int) []bool                        { return slices.Clone(c.differentiable) }

func hashcode(o G.Op) uint32 {
	h := fnv.New32a()
	o.WriteHash(h)
	return h.Sum32()
}

// Do runs the model.
func (c *call) Do(vs ...G.Value) (G.Value, error) {
	c.runs.Add(1)
	feeds, err := c.feeds(vs)
	if err != nil {
		return nil, err
	}
	r, err := c.session.Run(context.Background(), feeds)
	if err != nil {
		return nil, fmt.Errorf("gorgonia: %w", err)
	}
	return value(r.Value(c.output), c.shape), nil
}

// feeds are the inputs among the arguments. Parameters go into the model, where they do not lie in its memory already.
func (c *call) feeds(vs []G.Value) (map[string]*tensor.Tensor, error) {
	if len(vs) < len(c.names) {
		return nil, fmt.Errorf("gorgonia: %d values, want %d", len(vs), len(c.names))
	}
	feeds := map[string]*tensor.Tensor{}
	for i, name := range c.names[:len(c.names)-len(c.params)] {
		t, err := fed(vs[i])
		if err != nil {
			return nil, fmt.Errorf("gorgonia: input %q: %w", name, err)
		}
		feeds[name] = t
	}
	for i, p := range c.params {
		w, err := fed(vs[len(feeds)+i])
		if err != nil {
			return nil, fmt.Errorf("gorgonia: parameter %q: %w", p.Name, err)
		}
		if w.DType() != p.Value.DType() || w.Len() != p.Value.Len() {
			return nil, fmt.Errorf("gorgonia: parameter %q %v is given %v", p.Name, p.Value, w)
		}
		from, to := w.Bytes(), p.Value.Bytes()
		if len(to) > 0 && &from[0] != &to[0] {
			copy(to, from)
		}
	}
	return feeds, nil
}

// backward derives the gradient by all arguments.
func (c *call) backward() (*backward, error) {
	b := &backward{call: c, id: calls.Add(1), has: make([]bool, len(c.names))}
	q := engine.Query{Loss: func(x *engine.Build) (graph.Value, error) {
		y, err := x.Value(c.output)
		if err != nil {
			return 0, err
		}
		// The gradient of <y, dy> by an argument is what a loss with gradient dy by y has.
		dy := x.Input(seed, c.dtype, nil)
		return x.Add(ops.ReduceSum, ops.KeepDims(false), x.Add(ops.Mul, nil, y, dy)), nil
	}}
	for i, name := range c.names {
		if c.differentiable[i] {
			q.Grad = append(q.Grad, name)
		}
	}
	var err error
	if b.session, err = c.m.Session(q); err != nil {
		return nil, fmt.Errorf("gorgonia: %w", err)
	}
	return b, nil
}

// SymDiff adds a node for the gradient by each argument. They share one run of the model.
func (c *call) SymDiff(inputs G.Nodes, output, grad *G.Node) (G.Nodes, error) {
	b, err := c.backward()
	if err != nil {
		return nil, err
	}
	out := make(G.Nodes, len(c.names))
	for i := range c.names {
		if !c.differentiable[i] {
			continue
		}
		// The output is an argument so that it is computed before: its run is what tells one from the next.
		args := append(slices.Clone(inputs), output, grad)
		p := &part{backward: b, k: i, dtype: inputs[i].Dtype(), shape: inputs[i].Shape().Clone()}
		for _, n := range args {
			p.types = append(p.types, n.Type())
		}
		if out[i], err = G.ApplyOp(p, args...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// seed is the input of the backward session for the gradient by the output.
const seed = "gtk: gradient by the output"

// backward is the gradient of a call by all its arguments at once.
type backward struct {
	*call
	id      int64
	session *engine.Session

	mu    sync.Mutex
	run   int64 // of the forward pass, that grads belong to
	has   []bool
	grads []*tensor.Tensor
}

// take is the gradient by argument k. It runs the model unless that is done for this run of the forward pass.
func (b *backward) take(k int, vs []G.Value) (*tensor.Tensor, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if run := b.runs.Load(); b.run != run || !b.has[k] {
		if err := b.compute(vs); err != nil {
			return nil, err
		}
		b.run = run
	}
	b.has[k] = false // taken
	return b.grads[k], nil
}

func (b *backward) compute(vs []G.Value) error {
	feeds, err := b.feeds(vs)
	if err != nil {
		return err
	}
	if len(vs) != len(b.names)+2 {
		return fmt.Errorf("gorgonia: %d values, want %d", len(vs), len(b.names)+2)
	}
	if feeds[seed], err = fed(vs[len(vs)-1]); err != nil {
		return fmt.Errorf("gorgonia: gradient by output %q: %w", b.output, err)
	}
	feeds[seed] = feeds[seed].Reshape(b.shape...)
	r, err := b.session.Run(context.Background(), feeds)
	if err != nil {
		return fmt.Errorf("gorgonia: %w", err)
	}
	b.grads = make([]*tensor.Tensor, len(b.names))
	for i, name := range b.names {
		if !b.differentiable[i] {
			continue
		}
		if g := r.Grad(name); g != nil {
			b.grads[i] = g.Clone()
		}
		b.has[i] = true
	}
	return nil
}

// part is the gradient by one argument: backward has one result for each, an operator of gorgonia one in all.
type part struct {
	*backward
	k     int
	dtype T.Dtype
	shape T.Shape
	types []hm.Type // of its arguments
}

var _ G.Op = (*part)(nil)

func (p *part) Arity() int    { return len(p.types) }
func (p *part) Type() hm.Type { return signature(p.types, p.dtype, len(p.shape)) }

func (p *part) InferShape(...G.DimSizer) (T.Shape, error) { return p.shape.Clone(), nil }
func (p *part) WriteHash(h hash.Hash)                     { fmt.Fprintf(h, "gtk gradient %d of %d", p.k, p.backward.id) }
func (p *part) Hashcode() uint32                          { return hashcode(p) }
func (p *part) String() string                            { return fmt.Sprintf("gtk(%s)/d%s", p.output, p.names[p.k]) }

// DiffWRT says that there is no second gradient.
func (p *part) DiffWRT(n int) []bool { return make([]bool, n) }

// SymDiff is an error.
func (p *part) SymDiff(G.Nodes, *G.Node, *G.Node) (G.Nodes, error) {
	return nil, errors.New("gorgonia: the gradient of a gtk model cannot be differentiated again here; use grad.HVP")
}

// Do computes the gradient.
func (p *part) Do(vs ...G.Value) (G.Value, error) {
	g, err := p.take(p.k, vs)
	if err != nil {
		return nil, err
	}
	if g == nil { // the output does not depend on it
		w, err := fed(vs[p.k])
		if err != nil {
			return nil, fmt.Errorf("gorgonia: %q: %w", p.names[p.k], err)
		}
		g = tensor.New(w.DType(), w.Shape()...)
	}
	return value(g, p.shape), nil
}
