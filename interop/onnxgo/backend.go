// Package onnxgo lets programs written for onnx-go (github.com/owulveryck/onnx-go) run on gtk's engine: Backend takes the place of
// gorgonnx.NewGraph() and runs every operator that gtk has.
//
// The limits of onnx-go's decoder stay. It drops the operator-set version, which Backend finds by trying (or is told, see Backend.Opset),
// and it refuses models with subgraphs, half precision, external data or 8-bit types. What passes of onnx-go's own suite of backend
// tests, and what does not and why, is in testdata/suite.txt.
package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/gtk-onnx/gtk/engine"
	ours "github.com/gtk-onnx/gtk/interop/internal/dense"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	onnxgo "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	dense "gorgonia.org/tensor"
)

// Backend is a computation graph of onnx-go that runs on gtk. The zero value is ready.
type Backend struct {
	// Opset is the operator-set version of the model; 0 tries those of tried until the model loads and runs.
	Opset int
	// Threads is the number of threads; 0 means all processors.
	Threads int

	nodes   []*Node
	args    map[int64][]*Node // inputs of the operation that a node is the output of, nil where absent
	ops     []operation
	model   *engine.Model
	session *engine.Session
	inputs  []*Node
	outputs []*Node
}

// NewBackend is an empty Backend.
func NewBackend() *Backend { return &Backend{} }

var _ onnxgo.Backend = (*Backend)(nil)

type operation struct {
	onnxgo.Operation
	in, out []*Node
}

// tried are the operator sets to try, the likeliest for models that onnx-go can decode first.
var tried = []int{9, 13, 11, 17, 7, 15, 18, 20, 10}

// Node is a value of the graph.
type Node struct {
	b     *Backend
	id    int64
	name  string
	t     dense.Tensor
	dtype dense.Dtype // as the model declares it, when the decoder said so
	fixed bool        // content known when the model was decoded, and not set since
}

// ID is the number of the node.
func (n *Node) ID() int64 { return n.id }

// SetName names the node; onnx-go calls it.
func (n *Node) SetName(s string) { n.name = s }

// GetName is the name of the node.
func (n *Node) GetName() string { return n.name }

// SetTensor gives the node a content: an initializer while the model is decoded, an input afterwards. An input of another element type
// than the model declares is converted when it is fed, if every number stays what it is.
func (n *Node) SetTensor(t dense.Tensor) error {
	n.t = t
	fixed := len(n.b.ops) == 0
	if fixed && t != nil {
		n.dtype = t.Dtype()
	}
	if n.fixed && !fixed {
		n.b.model = nil // what was taken for a constant is an input
	}
	n.fixed = fixed
	return nil
}

// GetTensor is the content of the node: after Run, of an output.
func (n *Node) GetTensor() dense.Tensor { return n.t }

// label is the node's name in the model that is built; "" stands for an absent argument.
func (n *Node) label() string {
	if n == nil || n.name == "" {
		return ""
	}
	return n.name + "#" + strconv.FormatInt(n.id, 10)
}

// ApplyOperation records that outs are the outputs of o applied to the nodes that edges connect them to.
func (b *Backend) ApplyOperation(o onnxgo.Operation, outs ...graph.Node) error {
	if len(outs) == 0 {
		return fmt.Errorf("onnxgo: operation %s has no output", o.Name)
	}
	op := operation{Operation: o}
	for _, x := range outs {
		n, ok := x.(*Node)
		if !ok {
			return fmt.Errorf("onnxgo: operation %s: node %d is not one of this backend", o.Name, x.ID())
		}
		op.out = append(op.out, n)
	}
	op.in = b.args[op.out[0].id]
	b.ops = append(b.ops, op)
	b.model = nil
	return nil
}

// Run computes the outputs from the contents of the inputs.
func (b *Backend) Run() error { return b.RunContext(context.Background()) }

// RunContext is Run, ended early when ctx is.
func (b *Backend) RunContext(ctx context.Context) error {
	run := b.again
	if b.model == nil {
		run = b.first
	}
	r, err := run(ctx)
	if err != nil {
		return err
	}
	for _, n := range b.outputs {
		t, err := ours.To(r.Value(n.label()))
		if err != nil {
			return fmt.Errorf("onnxgo: output %q: %w", n.name, err)
		}
		n.t = t
	}
	return nil
}

// again runs the model that is loaded.
func (b *Backend) again(ctx context.Context) (*engine.Result, error) {
	feeds, err := b.feeds()
	if err != nil {
		return nil, err
	}
	r, err := b.session.Run(ctx, feeds)
	if err != nil {
		return nil, fmt.Errorf("onnxgo: %w", err)
	}
	return r, nil
}

// first builds an ONNX model of the recorded operations, loads it into the engine and runs it. Of several operator sets to try, the first
// with which that works is taken.
func (b *Backend) first(ctx context.Context) (*engine.Result, error) {
	g, err := b.graph()
	if err != nil {
		return nil, err
	}
	feeds, err := b.feeds()
	if err != nil {
		return nil, err
	}
	opsets := tried
	if b.Opset > 0 {
		opsets = []int{b.Opset}
	}
	var errs []error
	for _, v := range opsets {
		r, err := b.load(ctx, onnx.NewModel(g, int64(v)), feeds)
		if err == nil {
			return r, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("onnxgo: %w", err)
		}
		errs = append(errs, fmt.Errorf("operator set %d: %w", v, err))
	}
	return nil, fmt.Errorf("onnxgo: the model does not run: %w", errors.Join(errs...))
}

// load makes m the model of b and runs it.
func (b *Backend) load(ctx context.Context, m *onnx.Model, feeds map[string]*tensor.Tensor) (*engine.Result, error) {
	em, err := engine.Load(m, engine.WithThreads(b.Threads))
	if err != nil {
		return nil, err
	}
	s, err := em.Session(engine.Query{})
	if err == nil {
		var r *engine.Result
		if r, err = s.Run(ctx, feeds); err == nil {
			b.model, b.session = em, s
			return r, nil
		}
	}
	em.Close()
	return nil, err
}

// feeds are the contents of the inputs, of the types that the model declares.
func (b *Backend) feeds() (map[string]*tensor.Tensor, error) {
	feeds := map[string]*tensor.Tensor{}
	for _, n := range b.inputs {
		t, err := n.content()
		if err != nil {
			return nil, fmt.Errorf("onnxgo: input %q: %w", n.name, err)
		}
		feeds[n.label()] = t
	}
	return feeds, nil
}

// content is what the node was given, of the element type that the model declares.
func (n *Node) content() (*tensor.Tensor, error) {
	t, err := ours.From(n.t)
	if err != nil || n.dtype.Type == nil || n.t.Dtype() == n.dtype {
		return t, err
	}
	return exactly(t, n.dtype)
}

func (b *Backend) graph() (*onnxpb.GraphProto, error) {
	g := &onnxpb.GraphProto{Name: new("onnxgo")}
	made, read := map[*Node]bool{}, map[*Node]bool{}
	for _, op := range b.ops {
		for _, n := range op.out {
			made[n] = true
		}
		for _, n := range op.in {
			read[n] = true
		}
	}
	b.inputs, b.outputs = nil, nil
	for _, n := range b.nodes {
		switch {
		case made[n] && n.label() != "" && (!read[n] || n.t != nil):
			b.outputs = append(b.outputs, n)
			g.Output = append(g.Output, onnx.ValueInfo(n.label(), tensor.Float32))
			g.Output[len(g.Output)-1].Type = nil
		case made[n] || !read[n] || n.t == nil || n.label() == "":
		default:
			t, err := n.content()
			if err != nil {
				return nil, fmt.Errorf("onnxgo: %q: %w", n.name, err)
			}
			if n.fixed {
				g.Initializer = append(g.Initializer, onnx.TensorToProto(n.label(), t))
				continue
			}
			b.inputs = append(b.inputs, n)
			vi := onnx.ValueInfo(n.label(), t.DType())
			vi.GetType().GetTensorType().Shape = nil // any shape: the decoder loses which axes are free
			g.Input = append(g.Input, vi)
		}
	}
	for i, op := range b.ops {
		n, err := op.proto(i)
		if err != nil {
			return nil, err
		}
		g.Node = append(g.Node, n)
	}
	return g, nil
}

// proto is the operation as an ONNX node.
func (op operation) proto(i int) (*onnxpb.NodeProto, error) {
	var in, out []string
	if op.Name != "Constant" { // onnx-go gives operations without inputs a made-up one
		for _, n := range op.in {
			if n != nil && n.t == nil && n.name != "" && len(n.b.args[n.id]) == 0 && !n.produced() {
				in = append(in, "")
				continue
			}
			in = append(in, n.label())
		}
	}
	for _, n := range op.out {
		out = append(out, n.label())
	}
	var attrs []*onnxpb.AttributeProto
	for name, v := range op.Attributes {
		switch x := v.(type) {
		case int64:
			attrs = append(attrs, onnx.AttrInt(name, x))
		case float32:
			attrs = append(attrs, onnx.AttrFloat(name, x))
		case string:
			attrs = append(attrs, onnx.AttrString(name, x))
		case []int64:
			attrs = append(attrs, onnx.AttrInts(name, x...))
		case []float32:
			attrs = append(attrs, onnx.AttrFloats(name, x...))
		case []string:
			attrs = append(attrs, onnx.AttrStrings(name, x...))
		case dense.Tensor:
			t, err := ours.From(x)
			if err != nil {
				return nil, fmt.Errorf("onnxgo: %s: attribute %s: %w", op.Name, name, err)
			}
			attrs = append(attrs, onnx.AttrTensor(name, t))
		default:
			return nil, fmt.Errorf("onnxgo: %s: attribute %s of type %T is not supported", op.Name, name, v)
		}
	}
	return onnx.NewNode(op.Name, fmt.Sprintf("%s_%d", op.Name, i), in, out, attrs...), nil
}

func (n *Node) produced() bool {
	for _, op := range n.b.ops {
		for _, o := range op.out {
			if o == n {
				return true
			}
		}
	}
	return false
}
