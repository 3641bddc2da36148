package train

import (
	"math"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/optim"
	"github.com/gtk-onnx/gtk/tensor"
)

// algebra writes the expressions of an optimiser into a graph. What depends on the step alone is computed in double precision, as
// optimisers do, since 1 − βᵗ of a β near one keeps few digits of a float32; it takes the type of the parameter that it meets.
type algebra struct {
	b  *graph.Builder
	of []term
}

// term is what an expression stands for: a constant (v is 0), a number in the graph, or a tensor of the size of a parameter.
type term struct {
	v      graph.Value
	c      float64
	number bool
}

func (a *algebra) put(o term) optim.Expr {
	a.of = append(a.of, o)
	return optim.Expr(len(a.of) - 1)
}

// tensor is v, of the size of a parameter.
func (a *algebra) tensor(v graph.Value) optim.Expr { return a.put(term{v: v}) }

// number is v, a scalar.
func (a *algebra) number(v graph.Value) optim.Expr { return a.put(term{v: v, number: true}) }

// value is x in the graph, in type d where it is a number.
func (a *algebra) value(x optim.Expr, d tensor.DType) graph.Value {
	o := a.of[x]
	switch {
	case o.v == 0:
		return a.b.Scalar(d, o.c)
	case !o.number || a.b.DType(o.v) == d:
		return o.v
	}
	return a.b.Add(ops.Cast, ops.CastTo(d), o.v)
}

// pair adds an operator of two operands, or computes it where both are constants.
func (a *algebra) pair(op *graph.Spec, f func(x, y float64) float64, x, y optim.Expr) optim.Expr {
	p, q := a.of[x], a.of[y]
	if p.v == 0 && q.v == 0 {
		return a.Const(f(p.c, q.c))
	}
	d := tensor.Float64
	switch {
	case !p.number:
		d = a.b.DType(p.v)
	case !q.number:
		d = a.b.DType(q.v)
	}
	return a.put(term{v: a.b.Add(op, nil, a.value(x, d), a.value(y, d)), number: p.number && q.number})
}

func (a *algebra) single(op *graph.Spec, f func(x float64) float64, x optim.Expr) optim.Expr {
	o := a.of[x]
	if o.v == 0 {
		return a.Const(f(o.c))
	}
	v := o.v
	if o.number {
		v = a.value(x, tensor.Float64)
	}
	return a.put(term{v: a.b.Add(op, nil, v), number: o.number})
}

func (a *algebra) Const(v float64) optim.Expr { return a.put(term{c: v, number: true}) }

func (a *algebra) Add(x, y optim.Expr) optim.Expr {
	return a.pair(ops.Add, func(x, y float64) float64 { return x + y }, x, y)
}

func (a *algebra) Sub(x, y optim.Expr) optim.Expr {
	return a.pair(ops.Sub, func(x, y float64) float64 { return x - y }, x, y)
}

func (a *algebra) Mul(x, y optim.Expr) optim.Expr {
	if o := a.of[x]; o.v == 0 && o.c == 1 {
		return y
	}
	return a.pair(ops.Mul, func(x, y float64) float64 { return x * y }, x, y)
}

func (a *algebra) Div(x, y optim.Expr) optim.Expr {
	return a.pair(ops.Div, func(x, y float64) float64 { return x / y }, x, y)
}

func (a *algebra) Pow(x, y optim.Expr) optim.Expr { return a.pair(ops.Pow, math.Pow, x, y) }
func (a *algebra) Min(x, y optim.Expr) optim.Expr { return a.pair(ops.Min, math.Min, x, y) }
func (a *algebra) Max(x, y optim.Expr) optim.Expr { return a.pair(ops.Max, math.Max, x, y) }
func (a *algebra) Abs(x optim.Expr) optim.Expr    { return a.single(ops.Abs, math.Abs, x) }
func (a *algebra) Sqrt(x optim.Expr) optim.Expr   { return a.single(ops.Sqrt, math.Sqrt, x) }

func (a *algebra) Sigmoid(x optim.Expr) optim.Expr {
	return a.single(ops.Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, x)
}

// SumSquares is a sum in double precision: squares of float32 may be too large for one.
func (a *algebra) SumSquares(x optim.Expr) optim.Expr {
	v := a.of[x].v
	if a.b.DType(v) != tensor.Float64 {
		v = a.b.Add(ops.Cast, ops.CastTo(tensor.Float64), v)
	}
	return a.number(a.b.Add(ops.ReduceSumSquare, ops.KeepDims(false), v))
}

func (a *algebra) First(t, x, y optim.Expr) optim.Expr {
	return a.where(a.b.Add(ops.Equal, nil, a.value(t, tensor.Float64), a.b.Scalar(tensor.Float64, 1)), x, y, a.of[x].number && a.of[y].number)
}

func (a *algebra) Sign(x optim.Expr) optim.Expr {
	return a.single(ops.Sign, func(x float64) float64 {
		switch {
		case x > 0:
			return 1
		case x < 0:
			return -1
		}
		return 0
	}, x)
}

func (a *algebra) Positive(c, x, y optim.Expr) optim.Expr {
	o := a.of[c]
	if o.v == 0 {
		if o.c > 0 {
			return x
		}
		return y
	}
	d := tensor.Float64
	if !o.number {
		d = a.b.DType(o.v)
	}
	return a.where(a.b.Add(ops.Greater, nil, a.value(c, d), a.b.Scalar(d, 0)), x, y, o.number && a.of[x].number && a.of[y].number)
}

// where is x where cond holds and y elsewhere, a number where number is set.
func (a *algebra) where(cond graph.Value, x, y optim.Expr, number bool) optim.Expr {
	d := tensor.Float64
	switch {
	case !a.of[x].number:
		d = a.b.DType(a.of[x].v)
	case !a.of[y].number:
		d = a.b.DType(a.of[y].v)
	}
	return a.put(term{v: a.b.Add(ops.Where, nil, cond, a.value(x, d), a.value(y, d)), number: number})
}
