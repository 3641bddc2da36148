package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gtk-onnx/gtk/tensor"
)

// Builder adds nodes to a graph. Its error is sticky: after the first one it adds nothing and returns 0, so
// rules read like formulas and check Err once.
type Builder struct {
	G   *Graph
	For *Node // recorded in each node that is added: the forward node of a gradient
	// Prefix is put before the names of new values.
	Prefix string
	// Reverse adds to the graph g, a body, the gradients by wrt of a scalar whose gradients by ys are dys; 0 where it does not depend on
	// one. Package grad sets it in the builders that it gives to the gradient rules of operators with bodies.
	Reverse func(g *Graph, ys, dys, wrt []Value) ([]Value, error)

	err error
}

// NewBuilder is a builder for g.
func NewBuilder(g *Graph) *Builder { return &Builder{G: g} }

// Err is the first error.
func (b *Builder) Err() error { return b.err }

// Fail makes err the builder's error unless it has one.
func (b *Builder) Fail(err error) {
	if b.err == nil && err != nil {
		b.err = err
	}
}

// Add adds a node with one output and returns it. A nil attrs means the defaults.
func (b *Builder) Add(op *Spec, attrs any, in ...Value) Value {
	out := b.AddN(op, attrs, 1, in...)
	return out[0]
}

// AddN adds a node with n outputs.
func (b *Builder) AddN(op *Spec, attrs any, n int, in ...Value) []Value {
	out := make([]Value, n)
	want := make([]bool, n)
	for i := range want {
		want[i] = true
	}
	node := b.AddNode("", op, attrs, in, want)
	if node != nil {
		copy(out, node.Out)
	}
	return out
}

// AddNode adds a node called name whose outputs are those with want[i] and returns it, or nil after an error.
// It checks inputs, outputs and bodies (see Spec.Arity) and the element types of the inputs against the operator.
func (b *Builder) AddNode(name string, op *Spec, attrs any, in []Value, want []bool, bodies ...*Body) *Node {
	if b.err != nil {
		return nil
	}
	if attrs == nil {
		attrs = op.NewAttrs()
	}
	g := b.G
	n := &Node{ID: g.nextID, Name: name, Op: op, Attrs: attrs, In: append([]Value(nil), in...), NumIn: len(in), For: b.For, Bodies: bodies}
	g.nextID++
	there, held := make([]bool, len(in)), make([]string, len(bodies))
	for i, v := range in {
		there[i] = v != 0
	}
	for i, body := range bodies {
		held[i] = body.Attr
	}
	if err := op.Arity(there, want, held, false); err != nil {
		b.Fail(fmt.Errorf("%s: %w", n.Label(), err))
		return nil
	}
	ins, outs := make([]tensor.DType, len(in)), make([]tensor.DType, len(want))
	for i, v := range in {
		if v == 0 {
			continue
		}
		f := op.FormalIn(i)
		ins[i] = g.info[v].DType
		if err := f.accepts(ins[i]); err != nil {
			b.Fail(fmt.Errorf("%s: input %d (%s) %w", n.Label(), i, f.Name, err))
			return nil
		}
	}
	if len(bodies) > 0 {
		bodyTypes(n, outs)
	} else if err := op.Types(attrs, ins, outs); err != nil {
		b.Fail(fmt.Errorf("%s: %w", n.Label(), err))
		return nil
	}
	for i := range want {
		var v Value
		if want[i] {
			v = g.NewValue(Info{Name: b.valueName(n, i), DType: outs[i], Kind: Computed, Def: n, Index: i})
		}
		n.Out = append(n.Out, v)
	}
	if err := op.Check(n); err != nil {
		b.Fail(fmt.Errorf("%s: %w", n.Label(), err))
		return nil
	}
	g.Nodes = append(g.Nodes, n)
	return n
}

func (b *Builder) valueName(n *Node, i int) string {
	base := n.Name
	if base == "" && n.For != nil {
		base = n.For.Name + "/" + n.Op.Name
	}
	if base == "" {
		base = n.Op.Name
	}
	if i > 0 {
		base = fmt.Sprintf("%s:%d", base, i)
	}
	return b.Prefix + base
}

var tensorsOnly = []tensor.Kind{tensor.Plain}

func (f *Formal) accepts(d tensor.DType) error {
	kinds := f.Kinds
	if kinds == nil {
		kinds = tensorsOnly
	}
	switch {
	case d == tensor.Undefined:
		return nil
	case !slices.Contains(kinds, d.Kind()):
		names := make([]string, len(kinds))
		for i, k := range kinds {
			names[i] = k.String()
		}
		return fmt.Errorf("is a %v; it takes a %s", d, strings.Join(names, " or "))
	case f.Types == nil || d.IsContainer():
		return nil
	}
	for _, t := range f.Types {
		if t == d {
			return nil
		}
	}
	return fmt.Errorf("has type %v; supported are %v", d, f.Types)
}

// ExtraOutput makes output i of n exist and returns it: gradient rules ask so for indices or saved statistics
// that the model itself does not use.
func (b *Builder) ExtraOutput(n *Node, i int) Value {
	if b.err != nil {
		return 0
	}
	if i < len(n.Out) && n.Out[i] != 0 {
		return n.Out[i]
	}
	f := n.Op.FormalOut(i)
	if f == nil {
		b.Fail(fmt.Errorf("%s: has no output %d", n.Label(), i))
		return 0
	}
	for len(n.Out) <= i {
		n.Out = append(n.Out, 0)
	}
	ins, outs := make([]tensor.DType, n.NumIn), make([]tensor.DType, len(n.Out))
	for k, v := range n.In[:n.NumIn] {
		if v != 0 {
			ins[k] = b.G.info[v].DType
		}
	}
	if err := n.Op.Types(n.Attrs, ins, outs); err != nil {
		b.Fail(fmt.Errorf("%s: %w", n.Label(), err))
		return 0
	}
	name := n.Name
	if name == "" {
		name = n.Op.Name
	}
	n.Out[i] = b.G.NewValue(Info{Name: fmt.Sprintf("%s:%s", name, f.Name), DType: outs[i], Kind: Computed, Def: n, Index: i})
	return n.Out[i]
}

// Const adds a constant tensor.
func (b *Builder) Const(t *tensor.Tensor) Value {
	if b.err != nil {
		return 0
	}
	return b.G.AddConst("const", t)
}

// Scalar adds a rank-0 constant x of type d, which must be float32 or float64.
func (b *Builder) Scalar(d tensor.DType, x float64) Value {
	switch d {
	case tensor.Float64:
		return b.Const(tensor.Scalar(x))
	default:
		return b.Const(tensor.Scalar(float32(x)))
	}
}

// Ints adds a 1-D int64 constant.
func (b *Builder) Ints(x ...int) Value {
	s := make([]int64, len(x))
	for i, n := range x {
		s[i] = int64(n)
	}
	return b.Const(tensor.From(s, len(s)))
}

// DType is the element type of v.
func (b *Builder) DType(v Value) tensor.DType {
	if v == 0 {
		return tensor.Undefined
	}
	return b.G.info[v].DType
}

// TakeID is a node number that no node of g has.
func (g *Graph) TakeID() int {
	g.nextID++
	return g.nextID - 1
}
