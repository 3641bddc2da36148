package ops

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// PRelu is Y = X where X >= 0, else slope·X, elementwise; slope broadcasts to X. The gradient by X at 0 is slope·dY.
//
// Source: https://onnx.ai/onnx/operators/onnx__PRelu.html. In versions before 7 slope [C] belongs to the channels, axis 1.
var PRelu = new(graph.Spec)

// channelAxis aligns the slope of the old versions.
var channelAxis = func() *alignAttrs {
	k := 1
	return &alignAttrs{Axis: &k, Broadcast: true}
}()

func init() {
	in := []graph.Formal{{Name: "X", Types: numeric}, {Name: "slope", Types: numeric, Weight: true}}
	out := []graph.Formal{{Name: "Y"}}
	doc := "https://onnx.ai/onnx/operators/onnx__PRelu.html"
	define(PRelu, graph.Def[noAttrs]{
		Name: "PRelu", Role: graph.Activation, Since: []int{7, 9, 16}, Doc: doc, In: in, Out: out, InPlace: [][2]int{{0, 0}},
		Types: sameOperands[noAttrs],
		Infer: func(_ *noAttrs, c *graph.InferCtx) error { return inferPRelu(c, c.Shape(1)) },
		Run:   func(_ *noAttrs, c *graph.RunCtx) error { return runPRelu(c, c.In[1].Shape()) },
		Grad: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, need []bool) ([]graph.Value, error) {
			dx := make([]graph.Value, 2)
			if need[0] {
				dx[0] = b.Add(Where, nil, positive(b, n.In[0]), dy[0], mul(b, dy[0], n.In[1]))
			}
			if need[1] {
				dx[1] = sumLike(b, preluSlope(b, n.In[0], dy[0]), n.In[1])
			}
			return dx, nil
		},
		PerExample: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			if in != 1 {
				return graph.PerExample{}, fmt.Errorf("the parameter is X: %w", graph.ErrNoGradient)
			}
			return perExampleBroadcast(b, preluSlope(b, n.In[0], dy[0]), n.In[1]), nil
		},
	})
	define(new(graph.Spec), graph.Def[noAttrs]{
		Name: "PRelu", Role: graph.Activation, Since: []int{1, 6}, Doc: doc, In: in, Out: out, InPlace: [][2]int{{0, 0}},
		Types: sameOperands[noAttrs],
		Infer: func(_ *noAttrs, c *graph.InferCtx) error {
			s, err := channelAxis.align(c.Shape(0), c.Shape(1))
			if err != nil {
				return err
			}
			return inferPRelu(c, s)
		},
		Run: func(_ *noAttrs, c *graph.RunCtx) error {
			s, err := channelAxis.align(c.In[0].Shape(), c.In[1].Shape())
			if err != nil {
				return err
			}
			return runPRelu(c, s)
		},
		Lower: func(_ *noAttrs, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			return []graph.Value{b.Add(PRelu, nil, n.In[0], channelAxis.aligned(b, n))}, nil
		},
		PerExample: func(_ *noAttrs, b *graph.Builder, n *graph.Node, dy []graph.Value, in int) (graph.PerExample, error) {
			if in != 1 {
				return graph.PerExample{}, fmt.Errorf("the parameter is X: %w", graph.ErrNoGradient)
			}
			pe := perExampleBroadcast(b, preluSlope(b, n.In[0], dy[0]), channelAxis.aligned(b, n))
			pe.Grad = 0 // its shape is not the parameter's
			return pe, nil
		},
	})
}

// preluSlope is the gradient by the slope before it is summed: dY·X where X < 0, else 0.
func preluSlope(b *graph.Builder, x, dy graph.Value) graph.Value {
	return mul(b, dy, b.Add(Min, nil, x, b.Scalar(b.DType(x), 0)))
}

func inferPRelu(c *graph.InferCtx, slope tensor.Shape) error {
	s, err := broadcast(c.Shape(0), slope)
	if err != nil || !s.Equal(c.Shape(0)) {
		return fmt.Errorf("slope of shape %v does not broadcast to X of shape %v", c.Shape(1), c.Shape(0))
	}
	c.Out(0, s...)
	return nil
}

func runPRelu(c *graph.RunCtx, slope tensor.Shape) error {
	switch c.In[0].DType() {
	case tensor.Float32:
		preluAs[float32](c, slope)
	case tensor.Float64:
		preluAs[float64](c, slope)
	case tensor.Int32:
		preluAs[int32](c, slope)
	case tensor.Int64:
		preluAs[int64](c, slope)
	case tensor.Uint32:
		preluAs[uint32](c, slope)
	case tensor.Uint64:
		preluAs[uint64](c, slope)
	default:
		return errType(c.In[0])
	}
	return nil
}

func preluAs[T interface {
	kernel.Number
	tensor.Elem
}](c *graph.RunCtx, slope tensor.Shape) {
	op := kernel.BinaryFunc(func(x, s T) T {
		if x < 0 {
			return s * x
		}
		return x
	})
	if f, ok := any(op).(kernel.BinaryOp[float32, float32]); ok {
		f.VS = func(out, x []float32, s float32) { kernel.LeakyReluF32(nil, out, x, s) }
		op = any(f).(kernel.BinaryOp[T, T])
	}
	s := c.Out[0].Shape()
	kernel.Binary(c.Pool, op, tensor.Data[T](c.Out[0]), s, tensor.Data[T](c.In[0]), s, tensor.Data[T](c.In[1]), slope)
}
