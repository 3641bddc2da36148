package graph

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/memory"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// Operand is what shape inference knows of one input: nothing (absent), its type and shape, or also its content.
type Operand struct {
	Present bool
	DType   tensor.DType
	Shape   tensor.Shape
	Value   *tensor.Tensor // nil when only the run will know it
}

// InferCtx is what a shape rule sees and sets.
type InferCtx struct {
	Node    *Node
	In      []Operand
	Threads int // of the pool that will run it

	shapes  []tensor.Shape
	values  []*tensor.Tensor
	scratch int
	same    bool
}

// NewInferCtx is the context for the shape rule of n with the given inputs.
func NewInferCtx(n *Node, in []Operand, threads int) *InferCtx {
	return &InferCtx{Node: n, In: in, Threads: threads, shapes: make([]tensor.Shape, len(n.Out)),
		values: make([]*tensor.Tensor, len(n.Out))}
}

// Has reports whether input i is present.
func (c *InferCtx) Has(i int) bool { return i < len(c.In) && c.In[i].Present }

// Shape is the shape of input i, which must be present.
func (c *InferCtx) Shape(i int) tensor.Shape { return c.In[i].Shape }

// DType is the element type of input i.
func (c *InferCtx) DType(i int) tensor.DType { return c.In[i].DType }

// Value is the content of input i, or ErrNeedsValue when only the run will know it.
func (c *InferCtx) Value(i int) (*tensor.Tensor, error) {
	if !c.Has(i) || c.In[i].Value == nil {
		return nil, ErrNeedsValue
	}
	return c.In[i].Value, nil
}

// Ints is the content of the integer input i, or ErrNeedsValue.
func (c *InferCtx) Ints(i int) ([]int, error) {
	t, err := c.Value(i)
	if err != nil {
		return nil, err
	}
	return IntsOf(t)
}

// IntsOf is the content of an integer tensor of type int64 or int32.
func IntsOf(t *tensor.Tensor) ([]int, error) {
	out := make([]int, t.Len())
	switch t.DType() {
	case tensor.Int64:
		for i, x := range t.I64() {
			out[i] = int(min(max(x, math.MinInt), math.MaxInt)) // "to the end" stays that where an int has 32 bits
		}
	case tensor.Int32:
		for i, x := range tensor.Data[int32](t) {
			out[i] = int(x)
		}
	default:
		return nil, fmt.Errorf("has type %v, want int64 or int32", t.DType())
	}
	return out, nil
}

// NumOut is the number of outputs of the node.
func (c *InferCtx) NumOut() int { return len(c.shapes) }

// WantOut reports whether output i exists and is wanted.
func (c *InferCtx) WantOut(i int) bool { return i < len(c.Node.Out) && c.Node.Out[i] != 0 }

// Out sets the shape of output i; an output that the node does not have is ignored.
func (c *InferCtx) Out(i int, shape ...int) {
	if i < len(c.shapes) {
		c.shapes[i] = slices.Clone(tensor.Shape(shape))
		if c.shapes[i] == nil {
			c.shapes[i] = tensor.Shape{}
		}
	}
}

// OutValue sets the shape and the content of output i, which is then not computed at run time.
func (c *InferCtx) OutValue(i int, t *tensor.Tensor) {
	c.Out(i, t.Shape()...)
	if i < len(c.values) {
		c.values[i] = t
	}
}

// Same says that for these shapes output 0 is the content of input 0: where that can share its storage nothing is run.
func (c *InferCtx) Same() { c.same = true }

// IsSame reports whether the rule called Same.
func (c *InferCtx) IsSame() bool { return c.same }

// Scratch asks for n bytes of working memory.
func (c *InferCtx) Scratch(n int) { c.scratch = max(c.scratch, n) }

// ScratchF32 asks for n float32 of working memory.
func (c *InferCtx) ScratchF32(n int) { c.Scratch(4 * n) }

// Result is what the rule set: shapes and contents of the outputs (nil where unset) and bytes of scratch.
func (c *InferCtx) Result() (shapes []tensor.Shape, values []*tensor.Tensor, scratch int) {
	return c.shapes, c.values, c.scratch
}

// RunCtx is what a kernel call sees. In[i] is nil for an absent input, Out[i] for an unwanted output.
type RunCtx struct {
	Context context.Context
	Pool    *parallel.Pool
	Node    *Node
	In      []*tensor.Tensor
	Out     []*tensor.Tensor
	Scratch []byte
	// Limit is how many bytes the kernel may allocate for results of its own; 0 means any.
	Limit int
	// Holds notes that the kernel holds so many more bytes, of results that it makes by itself, and gives what the whole run holds.
	Holds func(more int) (all int)
	held  int // bytes that Budget last heard of
	// Body runs the i-th body with its formal inputs and returns its outputs, valid until that body runs again.
	Body func(i int, in []*tensor.Tensor) ([]*tensor.Tensor, error)
	// Cache is kept for this node between runs of one plan: geometry, index tables.
	Cache *any
	// Constant is the place for what is made of the content of input i alone, nil when that may differ from run to run.
	Constant func(i int) *Kept
	// Reserve asks for n bytes that are kept with Constant; nil gives any.
	Reserve func(n int) bool
}

// Kept holds what kernels made of one constant, such as weights in the order in which they read them, by the form that it has.
type Kept struct {
	forms map[any]any
	full  bool // there was no memory for one
}

// Forms is the number of forms that are held.
func (k *Kept) Forms() int { return len(k.forms) }

// Keep is what make gives for the content of input i in a form, any comparable value: it is made once for all runs of a program. It is
// the zero value, and make is not called, when the content may differ from run to run, or when there is no memory for it.
func Keep[T any](c *RunCtx, i int, form any, make func() T) T {
	return KeepBytes(c, i, form, StorageBytes(c.In[i].DType(), c.In[i].Len()), make)
}

// KeepBytes is Keep for a form that takes n bytes, not about as many as the input.
func KeepBytes[T any](c *RunCtx, i int, form any, n int, make func() T) T {
	var none T
	if c.Constant == nil {
		return none
	}
	k := c.Constant(i)
	if k == nil {
		return none
	}
	if v, ok := k.forms[form]; ok {
		return v.(T)
	}
	if k.full || n >= memory.Small && c.Reserve != nil && !c.Reserve(n) {
		k.full = true // asking again and again takes time
		return none
	}
	v := make()
	if k.forms == nil {
		k.forms = map[any]any{}
	}
	k.forms[form] = v
	return v
}

// Has reports whether input i is present.
func (c *RunCtx) Has(i int) bool { return i < len(c.In) && c.In[i] != nil }

// Want reports whether output i is wanted.
func (c *RunCtx) Want(i int) bool { return i < len(c.Node.Out) && c.Node.Out[i] != 0 }

// ScratchF32 is the working memory as float32.
func (c *RunCtx) ScratchF32() []float32 {
	if len(c.Scratch) < 4 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&c.Scratch[0])), len(c.Scratch)/4)
}

// Budget refuses to hold n bytes, in all, of results that the kernel makes by itself.
func (c *RunCtx) Budget(n int) error {
	all := n
	if c.Holds != nil {
		all = c.Holds(n - c.held)
	}
	const piece, tidy = 16 << 20, 64 << 20
	grown, much := n/piece > c.held/piece, n/tidy > c.held/tidy
	c.held = n
	if c.Limit > 0 && all > c.Limit {
		return &MemoryError{What: "what the run holds", Need: all, Limit: c.Limit}
	}
	if grown { // what is held is measured
		g, err := memory.Take(piece, "what is kept of the results")
		if err != nil {
			return err
		}
		g.Release()
	}
	if much { // what was made on the way is as large
		runtime.GC()
	}
	return nil
}

// Done says that the kernel holds nothing any more by itself: what it made are the outputs of its node.
func (c *RunCtx) Done() {
	if c.Holds != nil {
		c.Holds(-c.held)
	}
	c.held = 0
}

// SetOut gives output i a tensor that the kernel made; for operators whose Infer returned ErrAtRun.
func (c *RunCtx) SetOut(i int, t *tensor.Tensor) {
	if i < len(c.Out) {
		c.Out[i] = t
	}
}

// Alloc makes output i, for operators whose Infer returned ErrAtRun.
func (c *RunCtx) Alloc(i int, d tensor.DType, shape ...int) (*tensor.Tensor, error) {
	n, err := tensor.Shape(shape).CheckedLen(d)
	if err == nil {
		err = c.Budget(StorageBytes(d, n))
	}
	if err != nil {
		return nil, err
	}
	t, err := tensor.Make(fmt.Sprintf("its output of shape %v", tensor.Shape(shape)), d, shape...)
	if err != nil {
		return nil, err
	}
	c.SetOut(i, t)
	return t, nil
}
