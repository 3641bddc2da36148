package train

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// written reads n as the last node of an activation that is written out, and returns what it is of and its name; "" when n is none.
func (f *finder) written(n *onnxpb.NodeProto) (z, activation string) {
	if z := f.softmax(n); z != "" {
		return z, "Softmax"
	}
	if z := f.logSoftmax(n); z != "" {
		return z, "LogSoftmax"
	}
	if z := f.sigmoid(n); z != "" {
		return z, "Sigmoid"
	}
	return "", ""
}

// made is the node of op that makes the value, else nil.
func (f *finder) made(name string, op *graph.Spec) *onnxpb.NodeProto {
	if n := f.makers[name]; f.is(n, op) && len(n.GetInput()) > 0 {
		return n
	}
	return nil
}

// reduced looks back through what only spreads a reduced value over its axes again.
func (f *finder) reduced(name string) string {
	for range 4 {
		n := f.makers[name]
		if n == nil || len(n.GetInput()) == 0 || f.role(n) != graph.View && !f.is(n, ops.Expand) {
			break
		}
		name = n.Input[0]
	}
	return name
}

// softmax is z when n computes e/Σe of e = exp(z - c); else "".
func (f *finder) softmax(n *onnxpb.NodeProto) string {
	in := n.GetInput()
	if !f.is(n, ops.Div) || len(in) != 2 {
		return ""
	}
	exp, sum := f.made(in[0], ops.Exp), f.made(f.reduced(in[1]), ops.ReduceSum)
	if exp == nil || sum == nil || sum.Input[0] != in[0] {
		return ""
	}
	return f.shifted(exp.Input[0])
}

// logSoftmax is z when n computes d - log Σ exp d of d = z - c; else "".
func (f *finder) logSoftmax(n *onnxpb.NodeProto) string {
	in := n.GetInput()
	if !f.is(n, ops.Sub) || len(in) != 2 {
		return ""
	}
	if r := f.made(f.reduced(in[1]), ops.ReduceLogSumExp); r != nil && r.Input[0] == in[0] {
		return f.shifted(in[0])
	}
	log := f.made(f.reduced(in[1]), ops.Log)
	if log == nil {
		return ""
	}
	sum := f.made(f.reduced(log.Input[0]), ops.ReduceSum)
	if sum == nil {
		return ""
	}
	if exp := f.made(sum.Input[0], ops.Exp); exp != nil && exp.Input[0] == in[0] {
		return f.shifted(in[0])
	}
	return ""
}

// shifted is z when the value is z - c of a computed c, else the value itself.
func (f *finder) shifted(name string) string {
	if sub := f.made(name, ops.Sub); sub != nil && len(sub.GetInput()) == 2 && f.operand(sub, 0) == nil && f.operand(sub, 1) == nil {
		return sub.Input[0]
	}
	return name
}

// sigmoid is z when n computes 1/(1 + exp(-z)) or exp(z)/(1 + exp(z)); else "".
func (f *finder) sigmoid(n *onnxpb.NodeProto) string {
	in := n.GetInput()
	bottom, one := "", false
	switch {
	case f.is(n, ops.Div) && len(in) == 2:
		bottom, one = in[1], f.number(n, 0, 1)
	case f.is(n, ops.Reciprocal) && len(in) == 1:
		bottom, one = in[0], true
	}
	sum := f.made(bottom, ops.Add)
	if sum == nil || len(sum.GetInput()) != 2 {
		return ""
	}
	for i := range 2 {
		exp := f.made(sum.Input[i], ops.Exp)
		if exp == nil || !f.number(sum, 1-i, 1) {
			continue
		}
		if !one && in[0] == sum.Input[i] {
			return exp.Input[0]
		}
		if neg := f.made(exp.Input[0], ops.Neg); neg != nil && one {
			return neg.Input[0]
		}
		if mul := f.made(exp.Input[0], ops.Mul); mul != nil && one && len(mul.GetInput()) == 2 {
			for k := range 2 {
				if f.number(mul, k, -1) {
					return mul.Input[1-k]
				}
			}
		}
	}
	return ""
}

// number reports whether input i of n is a constant of the one number x.
func (f *finder) number(n *onnxpb.NodeProto, i int, x float64) bool {
	o := f.operand(n, i)
	return o != nil && o.value.Len() == 1 && o.value.DType().IsFloat() && o.value.Float64s()[0] == x
}
