package graph

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/gtk-onnx/gtk/tensor"
)

// Formal describes one input or output of an operator.
type Formal struct {
	Name     string
	Optional bool           // may be absent; a variadic one, of none at all
	Variadic bool           // repeats, at least once unless it is optional; only the last formal
	NoGrad   bool           // not differentiable: indices, shapes, running statistics
	Shape    bool           // only its shape is read, so that its content need not be there when the operator runs
	Weight   bool           // where trained models keep their weights; even a single element there is a parameter
	State    bool           // running statistics: kept in the model, changed by training without a gradient
	Private  bool           // beyond ONNX's, for fusion or the gradient: not in files; after those of ONNX
	Types    []tensor.DType // element types the kernel takes; nil means any
	Kinds    []tensor.Kind  // what it takes: tensors, which is what nil means, or containers
}

// Def describes an operator. A is its attribute struct, whose fields carry tags such as
// `onnx:"group,default=1"` (see DecodeAttrs).
type Def[A any] struct {
	Domain string // "" for ai.onnx, "gtk" for private operators
	Name   string
	Doc    string // URL of the ONNX page
	Role   Role   // what it is to those who look for layers
	Since  []int  // the versions of ONNX's definition that this one implements, ascending

	In, Out []Formal
	InPlace [][2]int // (input, output) pairs that may share storage when shapes and types agree
	View    bool     // output 0 is input 0 with another shape: no computation
	Random  bool     // differs between runs: never folded or merged
	Bodies  []string // attributes that hold its bodies
	Loose   bool     // any of its bodies may be left out
	Lead    int      // how many outputs its bodies have before those that are outputs of the node
	Listed  bool     // its outputs are sequences of what its body gives

	// Types sets the element types of the outputs from those of the inputs (Undefined where absent).
	// nil: every output has the type of the first input that is present.
	Types func(a *A, in, out []tensor.DType) error
	// FormalTypes are the element types of the formal inputs of the bodies, for those of the node's inputs; nil: its bodies have none.
	FormalTypes func(in []tensor.DType) []tensor.DType
	// Infer sets the shape of every output, and may set scratch and values known without running.
	Infer func(a *A, c *InferCtx) error
	// Run computes the outputs, which are allocated already unless Infer returned ErrAtRun.
	Run func(a *A, c *RunCtx) error
	// Grad returns, for each input, the gradient of a scalar through n, given dy, the gradients by its outputs
	// (0 where an output does not matter). need[i] tells whether input i wants one; 0 in the result is zero.
	Grad func(a *A, b *Builder, n *Node, dy []Value, need []bool) ([]Value, error)
	// Flow tells, for each output of n, on which inputs it depends differentiably, captured ones included; only for operators with
	// bodies.
	Flow func(a *A, n *Node) [][]bool
	// PerExample returns the gradient by input in for each example (axis 0), its squared norm, or both.
	PerExample func(a *A, b *Builder, n *Node, dy []Value, in int) (PerExample, error)
	// Lower is the same computation in simpler operators: the oracle, the export of private operators, and
	// the gradient of an operator without Grad. An operator without Run is lowered when a file is read, and no graph that runs has it.
	Lower func(a *A, b *Builder, n *Node) ([]Value, error)
	// Const is called at load with the constant inputs known, to accept or refuse a node early; may be nil.
	Check func(a *A, n *Node) error
}

// PerExample is the gradient of one parameter for each example of the batch.
type PerExample struct {
	Grad  Value // [N, shape of the parameter], or 0
	Norm2 Value // [N], or 0 when only Grad is given
	// Left [N,…,K] and Right [N,…,M] are what a gradient [K,M] is made of: the sum over the axes between of the outer products of their
	// rows. Either may be integers [N,…], of which k stands for the row that is 1 at k. 0 where the gradient is not of that form.
	Left, Right Value
}

// ErrNoGradient is the error of differentiating through an operator that has no gradient.
var ErrNoGradient = errors.New("no gradient")

// ErrNeedsValue is returned by an Infer that needs the content of an input which only the run will know.
var ErrNeedsValue = errors.New("graph: output shape depends on the value of an input")

// ErrAtRun is returned by an Infer when only computing the outputs tells their shapes. Run then makes them with
// RunCtx.SetOut or RunCtx.Alloc.
var ErrAtRun = errors.New("graph: output shape is known only after running")

// Spec is a Def with its attribute type erased.
type Spec struct {
	Domain, Name, Doc string
	Role              Role
	Since             []int
	In, Out           []Formal
	InPlace           [][2]int
	View, Random      bool
	Bodies            []string
	Loose             bool
	Lead              int
	Listed            bool
	FormalTypes       func(in []tensor.DType) []tensor.DType

	attrs      reflect.Type // struct type A
	types      func(a any, in, out []tensor.DType) error
	infer      func(a any, c *InferCtx) error
	run        func(a any, c *RunCtx) error
	grad       func(a any, b *Builder, n *Node, dy []Value, need []bool) ([]Value, error)
	flow       func(a any, n *Node) [][]bool
	perExample func(a any, b *Builder, n *Node, dy []Value, in int) (PerExample, error)
	lower      func(a any, b *Builder, n *Node) ([]Value, error)
	check      func(a any, n *Node) error
}

// Spec erases the attribute type of d.
func (d Def[A]) Spec() *Spec {
	s := &Spec{
		Domain: d.Domain, Name: d.Name, Doc: d.Doc, Role: d.Role, Since: d.Since, In: d.In, Out: d.Out,
		InPlace: d.InPlace, View: d.View, Random: d.Random, Bodies: d.Bodies, Loose: d.Loose, Lead: d.Lead, Listed: d.Listed,
		FormalTypes: d.FormalTypes,
		attrs:       reflect.TypeFor[A](),
	}
	if d.Types != nil {
		s.types = func(a any, in, out []tensor.DType) error { return d.Types(a.(*A), in, out) }
	}
	if d.Infer != nil {
		s.infer = func(a any, c *InferCtx) error { return d.Infer(a.(*A), c) }
	}
	if d.Run != nil {
		s.run = func(a any, c *RunCtx) error { return d.Run(a.(*A), c) }
	}
	if d.Grad != nil {
		s.grad = func(a any, b *Builder, n *Node, dy []Value, need []bool) ([]Value, error) {
			return d.Grad(a.(*A), b, n, dy, need)
		}
	}
	if d.Flow != nil {
		s.flow = func(a any, n *Node) [][]bool { return d.Flow(a.(*A), n) }
	}
	if d.PerExample != nil {
		s.perExample = func(a any, b *Builder, n *Node, dy []Value, in int) (PerExample, error) {
			return d.PerExample(a.(*A), b, n, dy, in)
		}
	}
	if d.Lower != nil {
		s.lower = func(a any, b *Builder, n *Node) ([]Value, error) { return d.Lower(a.(*A), b, n) }
	}
	if d.Check != nil {
		s.check = func(a any, n *Node) error { return d.Check(a.(*A), n) }
	}
	return s
}

// NewAttrs is a pointer to a zero attribute struct with its defaults set.
func (s *Spec) NewAttrs() any {
	p := reflect.New(s.attrs)
	setDefaults(p.Elem())
	return p.Interface()
}

// HasGrad reports whether s can be differentiated, by a rule of its own or through Lower.
func (s *Spec) HasGrad() bool { return s.grad != nil || s.lower != nil }

// HasRule reports whether s has a gradient rule of its own.
func (s *Spec) HasRule() bool { return s.grad != nil }

// Control reports whether s runs bodies: If, Loop, Scan.
func (s *Spec) Control() bool { return s.flow != nil }

// HasPerExample reports whether s has a per-example rule.
func (s *Spec) HasPerExample() bool { return s.perExample != nil }

// HasLower reports whether s can be written in simpler operators.
func (s *Spec) HasLower() bool { return s.lower != nil }

// HasRun reports whether s has a kernel.
func (s *Spec) HasRun() bool { return s.run != nil }

// FormalIn is the formal of input i, which the last, variadic, one repeats; nil when there is none.
func (s *Spec) FormalIn(i int) *Formal { return formal(s.In, i) }

// Reads reports whether the content of input i is read, not only its shape.
func (s *Spec) Reads(i int) bool {
	f := s.FormalIn(i)
	return f == nil || !f.Shape
}

// FormalOut is the formal of output i.
func (s *Spec) FormalOut(i int) *Formal { return formal(s.Out, i) }

func formal(f []Formal, i int) *Formal {
	switch {
	case i < len(f):
		return &f[i]
	case len(f) > 0 && f[len(f)-1].Variadic:
		return &f[len(f)-1]
	}
	return nil
}

// Types sets the element types of out from those of in.
func (s *Spec) Types(attrs any, in, out []tensor.DType) error {
	if s.types != nil {
		return s.types(attrs, in, out)
	}
	first := tensor.Undefined
	for i, d := range in {
		if f := s.FormalIn(i); d == tensor.Undefined || first != tensor.Undefined && (f == nil || f.NoGrad) {
			continue
		}
		if first == tensor.Undefined {
			first = d
		} else if d != first && d.IsFloat() && first.IsFloat() {
			return fmt.Errorf("inputs of types %v and %v: want one type; put a Cast before the node", first, d)
		}
	}
	for i := range out {
		out[i] = first
	}
	if first != tensor.Undefined {
		return nil
	}
	return fmt.Errorf("no input to take the element type from")
}

// Infer runs the shape rule.
func (s *Spec) Infer(attrs any, c *InferCtx) error {
	if s.infer == nil {
		return fmt.Errorf("operator %s has no shape rule", s.Name)
	}
	return s.infer(attrs, c)
}

// Run runs the kernel.
func (s *Spec) Run(attrs any, c *RunCtx) error {
	if s.run == nil {
		return fmt.Errorf("operator %s has no kernel", s.Name)
	}
	return s.run(attrs, c)
}

// Grad adds the gradient of n to the builder's graph.
func (s *Spec) Grad(b *Builder, n *Node, dy []Value, need []bool) ([]Value, error) {
	if s.grad == nil {
		return nil, ErrNoGradient
	}
	return s.grad(n.Attrs, b, n, dy, need)
}

// PerExample adds the per-example gradient of n by input in.
func (s *Spec) PerExample(b *Builder, n *Node, dy []Value, in int) (PerExample, error) {
	if s.perExample == nil {
		return PerExample{}, ErrNoGradient
	}
	return s.perExample(n.Attrs, b, n, dy, in)
}

// Lower adds the same computation as n in simpler operators.
func (s *Spec) Lower(b *Builder, n *Node) ([]Value, error) {
	if s.lower == nil {
		return nil, fmt.Errorf("operator %s has no lowering", s.Name)
	}
	return s.lower(n.Attrs, b, n)
}

// Check runs the early check of a node, if the operator has one.
func (s *Spec) Check(n *Node) error {
	if s.check == nil {
		return nil
	}
	return s.check(n.Attrs, n)
}
