package ops

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// binaryKind names an elementwise kernel of two operands.
type binaryKind uint8

const (
	kindAdd binaryKind = iota
	kindSub
	kindMul
	kindDiv
	kindMod
	kindFMod
	kindMax
	kindMin
	kindLess
	kindLessEq
	kindGreater
	kindGreaterEq
	kindEqual
	kindAnd
	kindOr
	kindXor
)

// binary describes an operator Y = f(A, B) with broadcasting, which defineBinary completes.
type binary struct {
	name  string
	role  graph.Role
	since []int // versions that broadcast as NumPy does
	old   []int // versions with the attributes broadcast and axis
	kind  binaryKind
	types []tensor.DType
	// grad and perExample are as in graph.Def.
	grad       func(b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error)
	perExample func(b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error)
}

// alignAttrs are the attributes of the operators that broadcast before opset 7: with broadcast, B is aligned with the last axes of A or,
// with axis, with those from axis on.
type alignAttrs struct {
	Axis      *int `onnx:"axis"`
	Broadcast bool `onnx:"broadcast,default=0"`
}

// AlignAxis is B shaped so that it broadcasts over A from an axis on: inputs B and A; B gets trailing axes of extent 1.
var AlignAxis = new(graph.Spec)

func init() {
	define(AlignAxis, graph.Def[alignAttrs]{
		Domain: Private, Name: "AlignAxis", Since: []int{1}, Doc: "https://github.com/onnx/onnx/blob/v1.2.1/docs/Changelog.md#Add-6",
		View: true,
		In:   []graph.Formal{{Name: "B"}, {Name: "like", NoGrad: true, Shape: true}}, Out: []graph.Formal{{Name: "Y"}},
		Infer: func(a *alignAttrs, c *graph.InferCtx) error {
			s, err := a.align(c.Shape(1), c.Shape(0))
			if err != nil {
				return err
			}
			c.Out(0, s...)
			return nil
		},
		Run: runView[alignAttrs], Grad: gradReshape[alignAttrs],
		Lower: func(a *alignAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			if !a.Broadcast || a.Axis == nil {
				return []graph.Value{b.Add(Identity, nil, n.In[0])}, nil
			}
			// What is missing behind B: rank of A - axis - rank of B.
			missing := sub(b, b.Ints(-*a.Axis), rank(b, n.In[0]))
			if *a.Axis >= 0 {
				missing = add(b, missing, rank(b, n.In[1]))
			}
			s := b.Add(Concat, &concatAttrs{Axis: 0}, b.Add(Shape, nil, n.In[0]), onesOf(b, missing))
			return []graph.Value{inShape(b, n.In[0], s)}, nil
		},
	})
}

// rank is the number of axes of x, as a shape of rank 1.
func rank(b *graph.Builder, x graph.Value) graph.Value {
	return b.Add(Shape, nil, b.Add(Shape, nil, x))
}

// onesOf is a 1-D int64 tensor of n ones; n has rank 1.
func onesOf(b *graph.Builder, n graph.Value) graph.Value {
	return b.Add(ConstantOfShape, &constantOfShapeAttrs{Value: tensor.From([]int64{1}, 1)}, n)
}

// align is the shape of B, of shape b, as NumPy's rules broadcast it over A, of shape a.
func (a *alignAttrs) align(sa, sb tensor.Shape) (tensor.Shape, error) {
	if !a.Broadcast || a.Axis == nil {
		return sb, nil
	}
	k := *a.Axis
	if k < 0 {
		k += len(sa)
	}
	if k < 0 || k > len(sa)-len(sb) {
		return nil, fmt.Errorf("axis %d puts B of shape %v outside of A of shape %v", *a.Axis, sb, sa)
	}
	s := slices.Clone(sb)
	for range len(sa) - k - len(sb) {
		s = append(s, 1)
	}
	return s, nil
}

// defineBinary defines the operator of d, in s, and its forms before opset 7.
func defineBinary(s *graph.Spec, d binary) {
	logical := d.kind >= kindLess
	doc := "https://onnx.ai/onnx/operators/onnx__" + d.name + ".html"
	def := graph.Def[noAttrs]{
		Name: d.name, Role: d.role, Since: d.since, Doc: doc,
		In: []graph.Formal{{Name: "A", Types: d.types}, {Name: "B", Types: d.types}}, Out: []graph.Formal{{Name: "C"}},
		Types: sameOperands[noAttrs],
		Infer: inferBinary[noAttrs],
		Run:   func(_ *noAttrs, c *graph.RunCtx) error { return runBinary(d.kind, c, c.In[1].Shape()) },
	}
	if logical {
		def.Types = logicalOperands[noAttrs]
		for i := range def.In {
			def.In[i].NoGrad = true
		}
	} else {
		def.InPlace = [][2]int{{0, 0}, {1, 0}}
	}
	if d.grad != nil {
		def.Grad = func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			return d.grad(b, n, dy, need)
		}
	}
	if d.perExample != nil {
		def.PerExample = func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			return d.perExample(b, n, dy, in)
		}
	}
	define(s, def)
	if len(d.old) == 0 {
		return
	}
	old := graph.Def[alignAttrs]{
		Name: d.name, Role: d.role, Since: d.old, Doc: doc, In: def.In, Out: def.Out, InPlace: def.InPlace,
		Types: sameOperands[alignAttrs],
		Infer: inferAligned,
		Run: func(a *alignAttrs, c *graph.RunCtx) error {
			sb, err := a.align(c.In[0].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			return runBinary(d.kind, c, sb)
		},
		Lower: func(a *alignAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(s, nil, n.In[0], a.aligned(b, n))}, nil
		},
	}
	if logical {
		old.Types = logicalOperands[alignAttrs]
		old.Lower = nil
	}
	if d.perExample != nil {
		old.PerExample = func(a *alignAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			m := *n
			m.In = slices.Clone(n.In)
			m.In[1] = a.aligned(b, n)
			pe, err := d.perExample(b, &m, dy, in)
			if m.In[1] != n.In[1] && in == 1 {
				pe.Grad = 0 // its shape is not the parameter's
			}
			return pe, err
		}
	}
	define(new(graph.Spec), old)
}

// inferBinary is the shape rule of operators of two inputs that broadcast.
func inferBinary[A any](_ *A, c *graph.InferCtx) error {
	out, err := broadcast(c.Shape(0), c.Shape(1))
	if err != nil {
		return err
	}
	c.Out(0, out...)
	return nil
}

func inferAligned(a *alignAttrs, c *graph.InferCtx) error {
	sb, err := a.align(c.Shape(0), c.Shape(1))
	if err != nil {
		return err
	}
	out, err := broadcast(c.Shape(0), sb)
	if err != nil {
		return err
	}
	c.Out(0, out...)
	return nil
}

// aligned is input 1 of n in the shape that NumPy's rules broadcast.
func (a *alignAttrs) aligned(b *graph.Builder, n *graph.Node) graph.Value {
	if !a.Broadcast || a.Axis == nil {
		return n.In[1]
	}
	return b.Add(AlignAxis, a, n.In[1], n.In[0])
}

// sameOperands is a Types rule: all inputs have one type, which is that of the outputs.
func sameOperands[A any](_ *A, in, out []tensor.DType) error {
	if err := oneType(in); err != nil {
		return err
	}
	for i := range out {
		out[i] = in[0]
	}
	return nil
}

// logicalOperands is a Types rule: all inputs have one type, the outputs are truth values.
func logicalOperands[A any](_ *A, in, out []tensor.DType) error {
	if err := oneType(in); err != nil {
		return err
	}
	for i := range out {
		out[i] = tensor.Bool
	}
	return nil
}

func oneType(in []tensor.DType) error {
	for _, d := range in[1:] {
		if d != in[0] && d != tensor.Undefined && in[0] != tensor.Undefined {
			return fmt.Errorf("operands have types %v and %v", in[0], d)
		}
	}
	return nil
}

// runBinary computes Out[0] from In[0] and In[1], the latter read as one of shape sb. Out[0] may share storage with an operand of as many
// elements.
func runBinary(k binaryKind, c *graph.RunCtx, sb tensor.Shape) error {
	return binaryInto(k, c, c.Out[0], c.In[0], c.In[0].Shape(), c.In[1], sb)
}

func binaryInto(k binaryKind, c *graph.RunCtx, out, a *tensor.Tensor, sa tensor.Shape, b *tensor.Tensor, sb tensor.Shape) error {
	switch a.DType() {
	case tensor.Float32:
		return binaryAs[float32](k, c, out, a, sa, b, sb)
	case tensor.Float64:
		return binaryAs[float64](k, c, out, a, sa, b, sb)
	case tensor.Int8:
		return binaryAs[int8](k, c, out, a, sa, b, sb)
	case tensor.Int16:
		return binaryAs[int16](k, c, out, a, sa, b, sb)
	case tensor.Int32:
		return binaryAs[int32](k, c, out, a, sa, b, sb)
	case tensor.Int64:
		return binaryAs[int64](k, c, out, a, sa, b, sb)
	case tensor.Uint8:
		return binaryAs[uint8](k, c, out, a, sa, b, sb)
	case tensor.Uint16:
		return binaryAs[uint16](k, c, out, a, sa, b, sb)
	case tensor.Uint32:
		return binaryAs[uint32](k, c, out, a, sa, b, sb)
	case tensor.Uint64:
		return binaryAs[uint64](k, c, out, a, sa, b, sb)
	case tensor.Bool:
		var op kernel.BinaryOp[bool, bool]
		switch k {
		case kindAnd:
			op = kernel.AndOp()
		case kindOr:
			op = kernel.OrOp()
		case kindXor:
			op = kernel.XorOp()
		case kindEqual:
			op = kernel.EqualOp[bool]()
		default:
			return errType(a)
		}
		kernel.Binary(c.Pool, op, tensor.Data[bool](out), out.Shape(), tensor.Data[bool](a), sa, tensor.Data[bool](b), sb)
		return nil
	case tensor.String:
		if k != kindEqual {
			return errType(a)
		}
		kernel.Binary(c.Pool, kernel.EqualOp[string](), tensor.Data[bool](out), out.Shape(), a.Strings(), sa, b.Strings(), sb)
		return nil
	}
	return errType(a)
}

// errType is the error of a kernel that does not take t's type.
func errType(t *tensor.Tensor) error {
	return fmt.Errorf("element type %v is not supported", t.DType())
}

func binaryAs[T interface {
	kernel.Number
	tensor.Elem
}](k binaryKind, c *graph.RunCtx, out, a *tensor.Tensor, sa tensor.Shape, b *tensor.Tensor, sb tensor.Shape) error {
	if k >= kindLess {
		var op kernel.BinaryOp[T, bool]
		switch k {
		case kindLess:
			op = kernel.LessOp[T]()
		case kindLessEq:
			op = kernel.LessEqOp[T]()
		case kindGreater:
			op = kernel.GreaterOp[T]()
		case kindGreaterEq:
			op = kernel.GreaterEqOp[T]()
		case kindEqual:
			op = kernel.EqualOp[T]()
		default:
			return errType(a)
		}
		kernel.Binary(c.Pool, op, tensor.Data[bool](out), out.Shape(), tensor.Data[T](a), sa, tensor.Data[T](b), sb)
		return nil
	}
	var op kernel.BinaryOp[T, T]
	switch k {
	case kindAdd:
		op = kernel.AddOp[T]()
	case kindSub:
		op = kernel.SubOp[T]()
	case kindMul:
		op = kernel.MulOp[T]()
	case kindDiv:
		op = kernel.DivOp[T]()
	case kindMod:
		op = kernel.ModOp[T]()
	case kindFMod:
		op = kernel.FModOp[T]()
	case kindMax:
		op = kernel.MaxOp[T]()
	case kindMin:
		op = kernel.MinOp[T]()
	}
	kernel.Binary(c.Pool, op, tensor.Data[T](out), out.Shape(), tensor.Data[T](a), sa, tensor.Data[T](b), sb)
	return nil
}
