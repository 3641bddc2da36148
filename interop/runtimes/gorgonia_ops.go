package runtimes

import (
	"fmt"
	"math"
	"slices"

	G "gorgonia.org/gorgonia"
	T "gorgonia.org/tensor"

	"github.com/gtk-onnx/gtk/tensor"
)

// translations say how operators of ONNX are made of gorgonia's.
var translations map[string]func(c *call) (arg, error)

func init() {
	translations = map[string]func(c *call) (arg, error){
		"Constant": constant, "Identity": identity, "Dropout": identity,
		"Add": binary(G.Add), "Sub": binary(G.Sub), "Mul": binary(G.HadamardProd), "Div": binary(G.HadamardDiv),
		"Relu": unary(G.Rectify), "Sigmoid": unary(G.Sigmoid), "Tanh": unary(G.Tanh), "Exp": unary(G.Exp), "Log": unary(G.Log),
		"Sqrt": unary(G.Sqrt), "Neg": unary(G.Neg), "Abs": unary(G.Abs), "Sign": unary(G.Sign), "Sin": unary(G.Sin), "Cos": unary(G.Cos),
		"Ceil": unary(G.Ceil), "Floor": unary(G.Floor), "Softplus": unary(G.Softplus), "Reciprocal": unary(G.Inverse),
		"Clip": clip, "LeakyRelu": leakyRelu,
		"Flatten": flatten, "Reshape": reshape, "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Transpose": transpose, "Concat": concat,
		"MatMul": matMul, "Gemm": gemm, "Softmax": softmax,
		"Conv": conv, "MaxPool": maxPool, "BatchNormalization": batchNorm, "GlobalAveragePool": globalAveragePool,
		"ReduceSum":  reduce(func(x *G.Node, axis int) (*G.Node, error) { return G.Sum(x, axis) }),
		"ReduceMean": reduce(func(x *G.Node, axis int) (*G.Node, error) { return G.Mean(x, axis) }),
		"ReduceMax":  reduce(func(x *G.Node, axis int) (*G.Node, error) { return G.Max(x, axis) }),
	}
}

func constant(c *call) (arg, error) {
	a, ok := c.attrs["value"]
	if !ok {
		return arg{}, fmt.Errorf("only tensors are read")
	}
	t, err := c.m.Tensor(a.GetT())
	return arg{known: t}, err
}

func identity(c *call) (arg, error) {
	if c.arg(2).known != nil {
		return arg{}, fmt.Errorf("training mode is not translated")
	}
	return c.arg(0), nil
}

func unary(f func(*G.Node) (*G.Node, error)) func(c *call) (arg, error) {
	return func(c *call) (arg, error) {
		x, err := c.node(0)
		if err != nil {
			return arg{}, err
		}
		return result(f(x))
	}
}

// binary spreads what is known before, and leaves the broadcasting of two nodes to gorgonia's repeat.
func binary(f func(a, b *G.Node) (*G.Node, error)) func(c *call) (arg, error) {
	return func(c *call) (arg, error) {
		a, b := c.arg(0), c.arg(1)
		if !a.given() || !b.given() {
			return arg{}, fmt.Errorf("takes 2 inputs")
		}
		shape, err := broadcast(a.shape(), b.shape())
		if err != nil {
			return arg{}, err
		}
		x, err := c.spread(0, shape)
		if err != nil {
			return arg{}, err
		}
		y, err := c.spread(1, shape)
		if err != nil {
			return arg{}, err
		}
		return result(f(x, y))
	}
}

// broadcast is the shape of two together.
func broadcast(a, b []int) ([]int, error) {
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i, d := range b {
		k := len(a) - len(b) + i
		switch {
		case out[k] == d || d == 1:
		case out[k] == 1:
			out[k] = d
		default:
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", tensor.Shape(a), tensor.Shape(b))
		}
	}
	return out, nil
}

// spread is input i in the given shape.
func (c *call) spread(i int, shape []int) (*G.Node, error) {
	a := c.arg(i)
	if a.node == nil && a.known.DType().IsFloat() {
		return c.like(a.known, shape)
	}
	x, err := c.node(i)
	if err != nil || slices.Equal(x.Shape(), shape) {
		return x, err
	}
	if lead := len(shape) - len(x.Shape()); lead > 0 {
		if x, err = G.Reshape(x, append(slices.Repeat([]int{1}, lead), x.Shape()...)); err != nil {
			return nil, err
		}
	}
	for k, d := range shape {
		if x.Shape()[k] == d {
			continue
		}
		if x, err = G.Concat(k, slices.Repeat([]*G.Node{x}, d)...); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func clip(c *call) (arg, error) {
	x, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	bound := func(name string, i int) (*G.Node, error) {
		k := c.arg(i).known
		if a, ok := c.attrs[name]; ok {
			k = tensor.Scalar(a.GetF())
		}
		if k == nil {
			if c.arg(i).node != nil {
				return nil, fmt.Errorf("bounds that are computed are not translated")
			}
			return nil, nil
		}
		return c.like(k, x.Shape())
	}
	// max(x,lo) = lo + relu(x-lo), min(x,hi) = hi - relu(hi-x)
	if lo, err := bound("min", 1); err != nil {
		return arg{}, err
	} else if lo != nil {
		if x, err = chain(G.Sub, x, lo, G.Rectify, G.Add, lo); err != nil {
			return arg{}, err
		}
	}
	if hi, err := bound("max", 2); err != nil {
		return arg{}, err
	} else if hi != nil {
		if x, err = chain(G.Sub, hi, x, G.Rectify, func(d, hi *G.Node) (*G.Node, error) { return G.Sub(hi, d) }, hi); err != nil {
			return arg{}, err
		}
	}
	return arg{node: x}, nil
}

type two = func(a, b *G.Node) (*G.Node, error)

// chain is last(mid(first(a, b)), c).
func chain(first two, a, b *G.Node, mid func(*G.Node) (*G.Node, error), last two, c *G.Node) (*G.Node, error) {
	x, err := first(a, b)
	if err != nil {
		return nil, err
	}
	if x, err = mid(x); err != nil {
		return nil, err
	}
	return last(x, c)
}

func leakyRelu(c *call) (arg, error) {
	x, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	return result(G.LeakyRelu(x, float64(c.float("alpha", 0.01))))
}

func matMul(c *call) (arg, error) {
	a, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	b, err := c.node(1)
	if err != nil {
		return arg{}, err
	}
	switch x, y := len(a.Shape()), len(b.Shape()); {
	case x == 2 && y == 2:
		return result(G.Mul(a, b))
	case x == y && x > 2 && slices.Equal(a.Shape()[:x-2], b.Shape()[:y-2]):
		return result(G.BatchedMatMul(a, b))
	}
	return arg{}, fmt.Errorf("shapes %v and %v are not multiplied", a.Shape(), b.Shape())
}

func gemm(c *call) (arg, error) {
	a, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	b, err := c.node(1)
	if err != nil {
		return arg{}, err
	}
	if c.int("transA", 0) != 0 {
		if a, err = G.Transpose(a, 1, 0); err != nil {
			return arg{}, err
		}
	}
	if c.int("transB", 0) != 0 {
		if b, err = G.Transpose(b, 1, 0); err != nil {
			return arg{}, err
		}
	}
	y, err := G.Mul(a, b)
	if err != nil {
		return arg{}, err
	}
	if y, err = c.times(y, c.float("alpha", 1)); err != nil || !c.arg(2).given() {
		return arg{node: y}, err
	}
	z, err := c.spread(2, y.Shape())
	if err != nil {
		return arg{}, err
	}
	if z, err = c.times(z, c.float("beta", 1)); err != nil {
		return arg{}, err
	}
	return result(G.Add(y, z))
}

func (c *call) times(x *G.Node, f float32) (*G.Node, error) {
	if f == 1 {
		return x, nil
	}
	k, err := tensor.Scalar(f).Convert(dtype(x))
	if err != nil {
		return nil, err
	}
	n, err := c.like(k, x.Shape())
	if err != nil {
		return nil, err
	}
	return G.HadamardProd(x, n)
}

func dtype(x *G.Node) tensor.DType {
	if x.Dtype() == T.Float64 {
		return tensor.Float64
	}
	return tensor.Float32
}

func softmax(c *call) (arg, error) {
	x, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	s, otherwise := slices.Clone(x.Shape()), -1
	if c.t.opset < 13 {
		otherwise = 1
	}
	k, err := axis(c.int("axis", otherwise), len(s))
	if err != nil {
		return arg{}, err
	}
	if c.t.opset >= 13 && k != len(s)-1 {
		return arg{}, fmt.Errorf("only the last axis is translated")
	}
	rows := tensor.Shape(s[:k]).Len()
	if x, err = G.Reshape(x, T.Shape{rows, tensor.Shape(s[k:]).Len()}); err != nil {
		return arg{}, err
	}
	if x, err = G.SoftMax(x, 1); err != nil {
		return arg{}, err
	}
	return result(G.Reshape(x, s))
}

// batchNorm is by the running statistics, which must be known.
func batchNorm(c *call) (arg, error) {
	x, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	s := x.Shape()
	var stats [4][]float32
	for i := range stats {
		k := c.arg(i + 1).known
		if k == nil || k.DType() != tensor.Float32 || len(s) < 2 || k.Len() != s[1] || c.int("training_mode", 0) != 0 {
			return arg{}, fmt.Errorf("only known float32 statistics are translated")
		}
		stats[i] = k.F32()
	}
	scale, shift := make([]float32, s[1]), make([]float32, s[1])
	for i := range scale {
		scale[i] = stats[0][i] / float32(math.Sqrt(float64(stats[3][i]+c.float("epsilon", 1e-5))))
		shift[i] = stats[1][i] - stats[2][i]*scale[i]
	}
	along := slices.Repeat([]int{1}, len(s))
	along[1] = s[1]
	a, err := c.like(tensor.From(scale, along...), s)
	if err != nil {
		return arg{}, err
	}
	b, err := c.like(tensor.From(shift, along...), s)
	if err != nil {
		return arg{}, err
	}
	if x, err = G.HadamardProd(x, a); err != nil {
		return arg{}, err
	}
	return result(G.Add(x, b))
}

func globalAveragePool(c *call) (arg, error) {
	x, err := c.node(0)
	if err != nil {
		return arg{}, err
	}
	s := slices.Clone(x.Shape())
	if len(s) < 3 {
		return arg{}, fmt.Errorf("shape %v has no spatial axes", s)
	}
	for k := len(s) - 1; k > 1; k-- {
		if x, err = G.Mean(x, k); err != nil {
			return arg{}, err
		}
		s[k] = 1
	}
	return result(G.Reshape(x, s))
}

// reduce goes over one axis after the other, from the last: several at once come out in a wrong order.
func reduce(f func(x *G.Node, axis int) (*G.Node, error)) func(c *call) (arg, error) {
	return func(c *call) (arg, error) {
		x, err := c.node(0)
		if err != nil {
			return arg{}, err
		}
		s := slices.Clone(x.Shape())
		axes, ok, err := c.ints("axes", 1)
		if err != nil {
			return arg{}, err
		}
		if !ok || len(axes) == 0 {
			if c.int("noop_with_empty_axes", 0) != 0 {
				return arg{node: x}, nil
			}
			axes = nil
			for i := range s {
				axes = append(axes, i)
			}
		}
		for i, a := range axes {
			if axes[i], err = axis(a, len(s)); err != nil {
				return arg{}, err
			}
		}
		slices.Sort(axes)
		for _, a := range slices.Backward(axes) {
			if x, err = f(x, a); err != nil {
				return arg{}, err
			}
			s[a] = 1
		}
		if c.int("keepdims", 1) != 0 {
			return result(G.Reshape(x, s))
		}
		return arg{node: x}, nil
	}
}
