// Package onnxgo lets programs written for onnx-go (github.com/owulveryck/onnx-go) run on gtk's engine: Backend takes the place of
// gorgonnx.NewGraph() and runs every operator that gtk has.
//
// The limits of onnx-go's decoder stay. It drops the operator-set version, which Backend finds by trying (or is told, see Backend.Opset),
// and it refuses models with subgraphs, half precision, external data or 8-bit types.
package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/gtk-onnx/gtk/engine"
	"github.com/gtk-onnx/gtk/onnx"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
	"github.com/gtk-onnx/gtk/tensor"
	onnxgo "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	dense "gorgonia.org/tensor"
)

// Backend is a computation graph of onnx-go that runs on gtk. The zero value is ready.
type Backend struct {
	// Opset is the operator-set version of the model; 0 tries those of tried until the model loads.
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
var tried = []int{9, 13, 11, 17, 7, 15, 18, 20}

// Node is a value of the graph.
type Node struct {
	b     *Backend
	id    int64
	name  string
	t     dense.Tensor
	fixed bool // content known when the model was decoded, and not set since
}

// ID is the number of the node.
func (n *Node) ID() int64 { return n.id }

// SetName names the node; onnx-go calls it.
func (n *Node) SetName(s string) { n.name = s }

// GetName is the name of the node.
func (n *Node) GetName() string { return n.name }

// SetTensor gives the node a content: an initializer while the model is decoded, an input afterwards.
func (n *Node) SetTensor(t dense.Tensor) error {
	n.t = t
	fixed := len(n.b.ops) == 0
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
	if b.model == nil {
		if err := b.load(); err != nil {
			return err
		}
	}
	feeds := map[string]*tensor.Tensor{}
	for _, n := range b.inputs {
		t, err := fromDense(n.t)
		if err != nil {
			return fmt.Errorf("onnxgo: input %q: %w", n.name, err)
		}
		feeds[n.label()] = t
	}
	r, err := b.session.Run(ctx, feeds)
	if err != nil {
		return fmt.Errorf("onnxgo: %w", err)
	}
	for _, n := range b.outputs {
		t, err := toDense(r.Value(n.label()))
		if err != nil {
			return fmt.Errorf("onnxgo: output %q: %w", n.name, err)
		}
		n.t = t
	}
	return nil
}

// load builds an ONNX model of the recorded operations and loads it into the engine.
func (b *Backend) load() error {
	g, err := b.graph()
	if err != nil {
		return err
	}
	opsets := tried
	if b.Opset > 0 {
		opsets = []int{b.Opset}
	}
	var errs []error
	for _, v := range opsets {
		m, err := engine.Load(onnx.NewModel(g, int64(v)), engine.WithThreads(b.Threads))
		if err != nil {
			errs = append(errs, fmt.Errorf("operator set %d: %w", v, err))
			continue
		}
		s, err := m.Session(engine.Query{})
		if err != nil {
			errs = append(errs, fmt.Errorf("operator set %d: %w", v, err))
			continue
		}
		b.model, b.session = m, s
		return nil
	}
	return fmt.Errorf("onnxgo: the model does not load: %w", errors.Join(errs...))
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
			t, err := fromDense(n.t)
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
			t, err := fromDense(x)
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
