package compress

import (
	"fmt"
	"slices"

	"github.com/gtk-onnx/gtk/onnx/onnxpb"
)

// axisRules say by operator how places go through it.
var axisRules map[string]func(a *axes, x *onnxpb.NodeProto)

func init() {
	axisRules = map[string]func(a *axes, x *onnxpb.NodeProto){
		"Conv": convAxes, "ConvTranspose": convTransposeAxes, "Gemm": gemmAxes, "MatMul": matMulAxes,
		"BatchNormalization": normAxes, "InstanceNormalization": normAxes,
		"Concat": concatAxes, "Split": splitAxes, "Slice": sliceAxes, "Gather": gatherAxes, "Pad": padAxes,
		"Reshape": reshapeAxes, "Flatten": flattenAxes, "Transpose": transposeAxes, "Squeeze": squeezeAxes, "Unsqueeze": unsqueezeAxes,
		"Resize": resizeAxes, "Upsample": resizeAxes,
		"Softmax": alongAxes, "LogSoftmax": alongAxes, "Hardmax": alongAxes, "LayerNormalization": trailingAxes, "RMSNormalization": trailingAxes,
		"Shape": func(*axes, *onnxpb.NodeProto) {}, "Constant": func(*axes, *onnxpb.NodeProto) {},
	}
	for _, op := range []string{"Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Softplus",
		"Softsign",
		"Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Neg", "Abs", "Ceil", "Floor", "Round", "Sign", "Sin", "Cos", "Clip", "Cast", "Identity",
		"Dropout",
		"Gelu", "Mish", "Swish", "ThresholdedRelu", "Shrink", "Not"} {
		axisRules[op] = sameAxes
	}
	for _, op := range []string{"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean", "Where", "PRelu", "Mod", "Equal", "Less",
		"Greater",
		"LessOrEqual", "GreaterOrEqual", "And", "Or", "Xor"} {
		axisRules[op] = broadcastAxes
	}
	for _, op := range []string{"MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"} {
		axisRules[op] = poolAxes
	}
	for _, op := range []string{"ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceProd",
		"ReduceLogSum", "ReduceLogSumExp"} {
		axisRules[op] = reduceAxes
	}
}

// sameAxes: each number alone.
func sameAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	if n >= 0 {
		a.give(x, slices.Clone(es))
	}
}

// poolAxes: channels stay, positions are combined.
func poolAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	if n < 2 {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	out := make([][]int32, n)
	out[0], out[1] = es[0], es[1]
	for k := 2; k < n; k++ {
		a.pin(es[k], fmt.Sprintf("%s (%s) pools along it", label(x), x.GetOpType()))
	}
	a.give(x, out)
}

// convAxes: inputs are the second axis of the weights, in groups, and outputs the first.
func convAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	w := a.constant(in(x, 1))
	if n < 3 || w == nil || w.Rank() != n {
		a.stuck(x, "has weights that are computed")
		return
	}
	ws, _ := a.at(in(x, 1))
	group := int(number(x, "group", 1))
	outs := a.full(ws, in(x, 1), 0)
	perIn, perOut := w.Dim(1), w.Dim(0)/max(1, group)
	switch {
	case group == 1:
		a.tie(x, es[1], a.full(ws, in(x, 1), 1))
	case es[1] == nil:
		a.pin(outs, fmt.Sprintf("%s works in groups of channels that stay", label(x)))
	case perIn == 1: // depthwise: a channel goes with what is made of it
		for g := range group {
			for t := range perOut {
				a.join(es[1][g], outs[g*perOut+t])
			}
		}
		ch := es[1]
		a.fixes = append(a.fixes, func(kept func([]int32) []int) { setNumber(x, "group", int64(len(kept(ch)))) })
	default: // the same of each group
		inner := a.full(ws, in(x, 1), 1)
		for g := range group {
			for t := range perIn {
				a.join(inner[t], es[1][g*perIn+t])
			}
			for t := range perOut {
				a.join(outs[t], outs[g*perOut+t])
			}
		}
	}
	a.convolved(x, es, ws, outs, 0)
}

// convolved is what Conv and ConvTranspose have in common, once inputs and outputs are tied to the weights ws: the bias, the axes that the
// kernel goes along, and the result. Outputs are the given axis of the weights.
func (a *axes) convolved(x *onnxpb.NodeProto, es, ws [][]int32, outs []int32, axis int) {
	if b := in(x, 2); b != "" {
		bs, bn := a.at(b)
		if bn != 1 {
			a.stuck(x, "has a bias that is computed")
			return
		}
		a.tie(x, outs, bs[0])
	}
	for k := 2; k < len(ws); k++ {
		a.pin(es[k], fmt.Sprintf("%s (%s) goes along it", label(x), x.GetOpType()))
		a.pin(ws[k], fmt.Sprintf("it is the kernel of %s", label(x)))
	}
	out := make([][]int32, len(ws))
	out[0], out[1] = es[0], outs
	a.give(x, out)
	a.makes = append(a.makes, maker{layer: x, weight: in(x, 1), axis: axis, norm: a.normAfter(x)})
}

// normAfter is the batch normalisation that alone reads what x gives.
func (a *axes) normAfter(x *onnxpb.NodeProto) *onnxpb.NodeProto {
	if bn := a.alone(x.GetOutput()[0]); is(bn, "BatchNormalization") {
		return bn
	}
	return nil
}

// full are the places of a weight along an axis, also of one of extent 1, which are made there.
func (a *axes) full(ws [][]int32, name string, k int) []int32 {
	if ws[k] == nil {
		ws[k] = a.fresh(a.constant(name).Dim(k))
	}
	return ws[k]
}

// convTransposeAxes: inputs are the first axis of the weights and outputs the second.
func convTransposeAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	w := a.constant(in(x, 1))
	if n < 3 || w == nil || w.Rank() != n || number(x, "group", 1) != 1 {
		a.stuck(x, "has weights that are computed, or in groups")
		return
	}
	ws, _ := a.at(in(x, 1))
	outs := a.full(ws, in(x, 1), 1)
	a.tie(x, es[1], a.full(ws, in(x, 1), 0))
	a.convolved(x, es, ws, outs, 1)
}

// gemmAxes: inputs and outputs are the axes of the weights.
func gemmAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	w := a.constant(in(x, 1))
	if n != 2 || w == nil || w.Rank() != 2 || number(x, "transA", 0) != 0 {
		a.stuck(x, "has weights that are computed, or an input that is transposed")
		return
	}
	ws, _ := a.at(in(x, 1))
	from, to := 0, 1
	if number(x, "transB", 0) != 0 {
		from, to = 1, 0
	}
	a.tie(x, es[1], a.full(ws, in(x, 1), from))
	outs := a.full(ws, in(x, 1), to)
	if c := in(x, 2); c != "" {
		cs, cn := a.at(c)
		if cn < 0 || cn > 2 {
			a.stuck(x, "has a bias that is computed")
			return
		}
		if cn > 0 && a.extent(c, cn-1) != 1 {
			a.tie(x, outs, cs[cn-1])
		}
	}
	a.give(x, [][]int32{es[0], outs})
	a.makes = append(a.makes, maker{layer: x, weight: in(x, 1), axis: to})
}

// matMulAxes: the last axis of the first factor and the one before the last of the second are summed over.
func matMulAxes(a *axes, x *onnxpb.NodeProto) {
	l, ln := a.at(in(x, 0))
	r, rn := a.at(in(x, 1))
	if ln < 2 || rn < 2 {
		a.stuck(x, "multiplies by a vector, or by something whose axes are not known")
		return
	}
	stored := a.weight[in(x, 1)] && rn == 2
	if stored {
		a.tie(x, l[ln-1], a.full(r, in(x, 1), 0))
		a.full(r, in(x, 1), 1)
	} else {
		a.tie(x, l[ln-1], r[rn-2])
	}
	n := max(ln, rn)
	out := make([][]int32, n)
	out[n-2], out[n-1] = l[ln-2], r[rn-1]
	for k := range n - 2 {
		out[k] = a.meet(x, []string{in(x, 0), in(x, 1)}, []int{ln, rn}, n, k)
	}
	a.give(x, out)
	if stored {
		a.makes = append(a.makes, maker{layer: x, weight: in(x, 1), axis: 1})
	}
}

// meet are the places of axis k of n of what values with so many axes give by broadcasting.
func (a *axes) meet(x *onnxpb.NodeProto, names []string, ranks []int, n, k int) []int32 {
	var all [][]int32
	for i, name := range names {
		j := k - (n - ranks[i])
		if j < 0 || a.extent(name, j) == 1 {
			continue
		}
		es, _ := a.at(name)
		all = append(all, es[j])
	}
	return a.tie(x, all...)
}

// broadcastAxes: numbers at the same place, counted from the last axis.
func broadcastAxes(a *axes, x *onnxpb.NodeProto) {
	var names []string
	var ranks []int
	n := 0
	for _, name := range x.GetInput() {
		_, r := a.at(name)
		if r < 0 {
			a.stuck(x, "reads a value whose axes are not known")
			return
		}
		names, ranks, n = append(names, name), append(ranks, r), max(n, r)
	}
	out := make([][]int32, n)
	for k := range n {
		out[k] = a.meet(x, names, ranks, n, k)
	}
	a.give(x, out)
}

// normAxes: one number for each channel, the second axis.
func normAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	if n < 2 {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	all := [][]int32{es[1]}
	for _, name := range x.GetInput()[1:] {
		ps, pn := a.at(name)
		if pn != 1 {
			a.stuck(x, "has numbers that are computed")
			return
		}
		all = append(all, ps[0])
	}
	out := slices.Clone(es)
	out[1] = a.tie(x, all...)
	a.give(x, out)
}

// alongAxes: what is along the axis is normalised together.
func alongAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	k := axis(number(x, "axis", -1), n)
	if n < 0 || k < 0 {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	a.pin(es[k], fmt.Sprintf("%s (%s) goes along it", label(x), x.GetOpType()))
	a.give(x, slices.Clone(es))
}

// trailingAxes: what is along the axis and all after it is normalised together.
func trailingAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	k := axis(number(x, "axis", -1), n)
	if n < 0 || k < 0 {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	why := fmt.Sprintf("%s (%s) takes mean and deviation along it", label(x), x.GetOpType())
	for ; k < n; k++ {
		a.pin(es[k], why)
	}
	for _, name := range x.GetInput()[1:] {
		a.pinValue(name, why)
	}
	a.give(x, slices.Clone(es))
}

// reduceAxes: axes become one number.
func reduceAxes(a *axes, x *onnxpb.NodeProto) {
	es, n := a.at(in(x, 0))
	list := a.ints(x, 1, "axes")
	if n < 0 || in(x, 1) != "" && list == nil {
		a.stuck(x, "reads a value whose axes are not known")
		return
	}
	gone := make([]bool, n)
	for _, k := range list {
		if i := axis(k, n); i >= 0 {
			gone[i] = true
		}
	}
	if len(list) == 0 && number(x, "noop_with_empty_axes", 0) == 0 {
		for i := range gone {
			gone[i] = true
		}
	}
	var out [][]int32
	for k, g := range gone {
		switch {
		case !g:
			out = append(out, es[k])
			continue
		case number(x, "keepdims", 1) != 0:
			out = append(out, nil)
		}
		a.pin(es[k], fmt.Sprintf("%s (%s) goes over it", label(x), x.GetOpType()))
	}
	a.give(x, out)
}

// setNumber sets a whole-number attribute of x.
func setNumber(x *onnxpb.NodeProto, name string, v int64) {
	if p := attribute(x, name); p != nil {
		p.I = new(v)
	}
}
