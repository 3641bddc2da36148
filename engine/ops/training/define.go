// Package training holds the operators of the domain ai.onnx.preview.training: steps of optimisers, which are lowered to ONNX's own
// operators, and Gradient. Importing it adds them to ops.Standard.
package training

import (
	"fmt"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// Domain is ONNX's domain of training.
const Domain = "ai.onnx.preview.training"

func define[A any](s *graph.Spec, d graph.Def[A]) {
	d.Domain, d.Since = Domain, []int{1}
	d.Doc = "https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_" + d.Name + ".html"
	*s = *d.Spec()
	ops.Standard.Add(s)
}

var floats = []tensor.DType{tensor.Float32, tensor.Float64}

// rule is a step of an optimiser. Its inputs are the rate R and the count T, then the tensors that it changes, their gradients, and so
// on: lists of one length, one for each kind. Its outputs are such lists too.
type rule[A any] struct {
	name      string
	ins, outs int // lists
	check     func(a *A) error
	// step is what becomes of one tensor, x by list. It calls s for numbers in the type of the tensors; r is the rate, t the count, as int64.
	step func(a *A, s *step, r, t graph.Value, x []graph.Value) []graph.Value
}

// defineRule makes the operator of a rule.
func defineRule[A any](s *graph.Spec, u rule[A]) {
	define(s, graph.Def[A]{
		Name: u.name,
		In: []graph.Formal{{Name: "R", Types: floats}, {Name: "T", NoGrad: true, Types: []tensor.DType{tensor.Int64}},
			{Name: "inputs", Variadic: true, Types: floats}},
		Out: []graph.Formal{{Name: "outputs", Variadic: true}},
		Types: func(_ *A, in, out []tensor.DType) error {
			n := (len(in) - 2) / u.ins
			if (len(in)-2)%u.ins != 0 || len(out) > n*u.outs {
				return fmt.Errorf("%d inputs after R and T, and %d outputs: want %d and %d for each tensor", len(in)-2, len(out), u.ins, u.outs)
			}
			for i := range out {
				out[i] = in[2+i%n]
				for k := range u.ins {
					if d := in[2+k*n+i%n]; d != out[i] {
						return fmt.Errorf("tensors of types %v and %v belong together", out[i], d)
					}
				}
			}
			return nil
		},
		Check: func(a *A, _ *graph.Node) error {
			if u.check == nil {
				return nil
			}
			return u.check(a)
		},
		Lower: func(a *A, b *graph.Builder, n *graph.Node) ([]graph.Value, error) {
			count := (n.NumIn - 2) / u.ins
			out := make([]graph.Value, count*u.outs)
			for i := range count {
				x := make([]graph.Value, u.ins)
				for k := range x {
					x[k] = n.In[2+k*count+i]
				}
				s := &step{b, b.DType(x[0])}
				for k, y := range u.step(a, s, s.cast(n.In[0]), n.In[1], x) {
					out[k*count+i] = y
				}
			}
			return out, nil
		},
	})
}

// step writes formulas for tensors of type d.
type step struct {
	b *graph.Builder
	d tensor.DType
}

func (s *step) number(x float32) graph.Value               { return s.b.Scalar(s.d, float64(x)) }
func (s *step) add(x, y graph.Value) graph.Value           { return s.b.Add(ops.Add, nil, x, y) }
func (s *step) sub(x, y graph.Value) graph.Value           { return s.b.Add(ops.Sub, nil, x, y) }
func (s *step) mul(x, y graph.Value) graph.Value           { return s.b.Add(ops.Mul, nil, x, y) }
func (s *step) div(x, y graph.Value) graph.Value           { return s.b.Add(ops.Div, nil, x, y) }
func (s *step) sqrt(x graph.Value) graph.Value             { return s.b.Add(ops.Sqrt, nil, x) }
func (s *step) scale(k float32, x graph.Value) graph.Value { return s.mul(x, s.number(k)) }

// cast is a number in the type of the tensors.
func (s *step) cast(x graph.Value) graph.Value {
	if s.b.DType(x) == s.d {
		return x
	}
	return s.b.Add(ops.Cast, ops.CastTo(s.d), x)
}

// later is yes after the first step, t > 0, else no.
func (s *step) later(t, yes, no graph.Value) graph.Value {
	return s.b.Add(ops.Where, nil, s.b.Add(ops.Greater, nil, t, s.b.Const(tensor.Scalar(int64(0)))), yes, no)
}

// decayed is the gradient g of x with that of k/2·‖x‖² added.
func (s *step) decayed(k float32, x, g graph.Value) graph.Value {
	if k == 0 {
		return g
	}
	return s.add(s.scale(k, x), g)
}

// oneLess is 1-k, in the precision of the tensors.
func (s *step) oneLess(k float32) graph.Value { return s.sub(s.number(1), s.number(k)) }

// pow is k to the power of the integer t.
func (s *step) pow(k float32, t graph.Value) graph.Value {
	return s.b.Add(ops.Pow, nil, s.number(k), s.cast(t))
}
