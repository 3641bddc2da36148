package graphgen

import (
	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/engine/ops"
	"github.com/gtk-onnx/gtk/tensor"
)

// steps are what step chooses from, each as often as its weight says; they return false when there is no value that they can be applied
// to.
var steps []func(*maker) bool

func init() { // since bodies have steps in turn
	for _, s := range []struct {
		weight int
		f      func(*maker) bool
	}{
		{2, (*maker).unary}, {2, (*maker).binary}, {1, (*maker).broadcast}, {1, (*maker).constant}, {1, (*maker).view},
		{1, (*maker).transpose},
		{1, (*maker).concat}, {1, (*maker).split}, {1, (*maker).slice}, {4, (*maker).layer}, {1, (*maker).pool}, {1, (*maker).dense},
		{1, (*maker).attention}, {2, (*maker).recurrent}, {1, (*maker).normalise}, {1, (*maker).reduce}, {1, (*maker).choose},
		{1, (*maker).branch}, {1, (*maker).loop}, {1, (*maker).computedShape}, {1, (*maker).mixExamples},
	} {
		for range s.weight {
			steps = append(steps, s.f)
		}
	}
}

// maxLen is the size of an example's value above which it does not grow further.
const maxLen = 600

func size(s []int) int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// step adds one step that there is a value for.
func (m *maker) step() {
	if m.o.Exported && m.r.IntN(4) == 0 && m.exported() {
		return
	}
	for !steps[m.r.IntN(len(steps))](m) {
	}
}

func (m *maker) unary() bool {
	x, _ := m.pick(anyShape)
	list := []*graph.Spec{ops.Tanh, ops.Sigmoid, ops.Neg, ops.Softplus, ops.Identity, ops.Gelu, ops.Softsign}
	if !m.o.Smooth {
		list = append(list, ops.Relu, ops.Relu, ops.LeakyRelu, ops.Abs, ops.HardSigmoid, ops.Elu)
	}
	m.push(m.add(list[m.r.IntN(len(list))], nil, x.v), x.shape...)
	return true
}

// binary takes two values of one shape, or one value twice.
func (m *maker) binary() bool {
	x, _ := m.pick(anyShape)
	y, _ := m.pick(like(x.shape))
	list := []*graph.Spec{ops.Add, ops.Sub, ops.Mul}
	if !m.o.Smooth {
		list = append(list, ops.Max, ops.Min)
	}
	op := list[m.r.IntN(len(list))]
	if op == ops.Mul { // products of products grow without a bound
		x.v = m.add(ops.Tanh, nil, x.v)
	}
	m.push(m.add(op, nil, x.v, y.v), x.shape...)
	return true
}

// broadcast takes a parameter of the last axes, or one number.
func (m *maker) broadcast() bool {
	x, _ := m.pick(anyShape)
	shape := x.shape[m.r.IntN(len(x.shape)+1):]
	op := []*graph.Spec{ops.Add, ops.Sub, ops.Mul}[m.r.IntN(3)]
	in := []graph.Value{x.v, m.param(0.7, shape...)}
	if m.r.IntN(2) == 0 {
		in[0], in[1] = in[1], in[0]
	}
	m.push(m.add(op, nil, in...), x.shape...)
	return true
}

// constant adds what is computed from constants alone.
func (m *maker) constant() bool {
	x, _ := m.pick(anyShape)
	c := m.b.Add(ops.Mul, nil, m.b.Const(normal(m.r, 1, x.shape...)), m.b.Scalar(tensor.Float32, 0.5))
	m.push(m.add(ops.Add, nil, x.v, m.add(ops.Tanh, nil, c)), x.shape...)
	return true
}

// view gives the same numbers another shape.
func (m *maker) view() bool {
	x, _ := m.pick(anyShape)
	s := x.shape
	switch m.r.IntN(4) {
	case 0:
		m.push(m.add(ops.Flatten, graph.Attrs{"axis": int64(1)}, x.v), size(s))
	case 1:
		if len(s) == 3 {
			m.push(m.b.Add(ops.Reshape, nil, x.v, m.b.Ints(-m.r.IntN(2), s[0], s[1]*s[2])), s[0], s[1]*s[2])
			return true
		}
		if s[len(s)-1]%2 != 0 || len(s) > 2 {
			return false
		}
		to := append(append([]int{0}, s[:len(s)-1]...), s[len(s)-1]/2, 2)
		m.push(m.b.Add(ops.Reshape, nil, x.v, m.b.Ints(to...)), to[1:]...)
	case 2:
		if len(s) != 2 {
			return false
		}
		m.push(m.b.Add(ops.Squeeze, nil, m.b.Add(ops.Unsqueeze, nil, x.v, m.b.Ints(1)), m.b.Ints(1)), s...)
	default:
		// The shape is computed from that of the value.
		m.push(m.b.Add(ops.Reshape, nil, x.v, m.b.Add(ops.Shape, nil, x.v)), s...)
	}
	return true
}

func (m *maker) transpose() bool {
	x, ok := m.pick(func(s []int) bool { return len(s) == 2 || len(s) == 3 })
	if !ok {
		return false
	}
	perm := m.r.Perm(len(x.shape))
	full, shape := []int64{0}, []int{}
	for _, p := range perm {
		full, shape = append(full, int64(p)+1), append(shape, x.shape[p])
	}
	m.push(m.add(ops.Transpose, graph.Attrs{"perm": full}, x.v), shape...)
	return true
}

func (m *maker) concat() bool {
	x, ok := m.pick(func(s []int) bool { return size(s) <= maxLen/2 })
	if !ok {
		return false
	}
	y, _ := m.pick(like(x.shape))
	k := m.r.IntN(len(x.shape))
	shape := append([]int{}, x.shape...)
	shape[k] *= 2
	m.push(m.add(ops.Concat, graph.Attrs{"axis": int64(k + 1)}, x.v, y.v), shape...)
	return true
}

func (m *maker) split() bool {
	x, ok := m.pick(func(s []int) bool { return s[0]%2 == 0 })
	if !ok {
		return false
	}
	shape := append([]int{}, x.shape...)
	shape[0] /= 2
	for _, v := range m.addN(ops.Split, graph.Attrs{"axis": int64(1), "num_outputs": int64(2)}, 2, x.v) {
		m.push(v, shape...)
	}
	return true
}

func (m *maker) slice() bool {
	x, ok := m.pick(func(s []int) bool { return s[len(s)-1] > 3 })
	if !ok {
		return false
	}
	k := len(x.shape) - 1
	shape := append([]int{}, x.shape...)
	shape[k] -= 2
	m.push(m.b.Add(ops.Slice, nil, x.v, m.b.Ints(1), m.b.Ints(x.shape[k]-1), m.b.Ints(k+1)), shape...)
	return true
}

// layer is a convolution, often with what follows one in networks: normalisation, a residual, an activation.
func (m *maker) layer() bool {
	x, ok := m.pick(func(s []int) bool { return len(s) == 3 && s[0] <= 6 && s[1] >= 3 && s[2] >= 3 })
	if !ok {
		return false
	}
	cin, cout := x.shape[0], x.shape[0]
	attrs := graph.Attrs{"pads": []int64{1, 1, 1, 1}, "kernel_shape": []int64{3, 3}}
	in := []graph.Value{x.v}
	if m.r.IntN(4) == 0 {
		attrs["group"] = int64(cin)
		in = append(in, m.param(0.4, cin, 1, 3, 3))
	} else {
		in = append(in, m.param(0.3, cout, cin, 3, 3))
	}
	if m.r.IntN(2) == 0 {
		in = append(in, m.param(0.3, cout))
	}
	y := m.add(ops.Conv, attrs, in...)
	between := func() { // sometimes a value between two of these is read by others too
		if m.r.IntN(5) == 0 {
			m.push(y, x.shape...)
		}
	}
	between()
	switch m.r.IntN(6) {
	case 0: // what is constant in each channel
		op := []*graph.Spec{ops.Add, ops.Sub, ops.Mul, ops.Div}[m.r.IntN(4)]
		c := m.b.Const(m.positives(cout).Reshape(cout, 1, 1))
		if op != ops.Div && m.r.IntN(2) == 0 {
			y = m.add(op, nil, c, y)
		} else {
			y = m.add(op, nil, y, c)
		}
	case 1, 2, 3:
		mean, variance := m.statistics(normal(m.r, 0.3, cout)), m.statistics(m.positives(cout))
		y = m.add(ops.BatchNormalization, nil, y, m.positive(cout), m.param(0.3, cout), mean, variance)
	}
	between()
	if m.r.IntN(3) == 0 {
		y = m.add(ops.Add, nil, y, x.v)
	}
	between()
	switch act := m.r.IntN(4); {
	case act == 0 && !m.o.Smooth:
		y = m.add(ops.Relu, nil, y)
	case act == 1 && !m.o.Smooth:
		y = m.add(ops.Clip, nil, y, m.b.Scalar(tensor.Float32, 0), m.b.Scalar(tensor.Float32, 1))
	case act == 2:
		y = m.add(ops.Sigmoid, nil, y)
	}
	m.push(y, x.shape...)
	return true
}

func (m *maker) pool() bool {
	x, ok := m.pick(func(s []int) bool { return len(s) == 3 && s[1] >= 4 && s[2] >= 4 })
	if !ok {
		return false
	}
	attrs := graph.Attrs{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}
	switch k := m.r.IntN(3); {
	case k == 0:
		m.push(m.add(ops.GlobalAveragePool, nil, x.v), x.shape[0], 1, 1)
	case k == 1 || m.o.Smooth:
		m.push(m.add(ops.AveragePool, attrs, x.v), x.shape[0], x.shape[1]/2, x.shape[2]/2)
	default:
		m.push(m.add(ops.MaxPool, attrs, x.v), x.shape[0], x.shape[1]/2, x.shape[2]/2)
	}
	return true
}

// dense is a product with a weight: Gemm of rows, MatMul of more.
func (m *maker) dense() bool {
	x, ok := m.pick(func(s []int) bool { return len(s) <= 2 && s[len(s)-1] <= 64 })
	if !ok {
		return false
	}
	k := len(x.shape) - 1
	in, out := x.shape[k], 2+2*m.r.IntN(5)
	shape := append([]int{}, x.shape...)
	shape[k] = out
	scale := 1 / float64(in)
	if len(shape) == 1 && m.r.IntN(2) == 0 {
		attrs := graph.Attrs{"transB": int64(1), "alpha": float32(1.5), "beta": 0.5 * float32(m.r.IntN(3))}
		m.push(m.add(ops.Gemm, attrs, x.v, m.param(scale, out, in), m.param(0.5, out)), shape...)
		return true
	}
	y := m.add(ops.MatMul, nil, x.v, m.param(scale, in, out))
	if m.r.IntN(2) == 0 {
		y = m.add(ops.Add, nil, y, m.param(0.5, out))
	}
	m.push(y, shape...)
	return true
}

// attention multiplies a value by itself transposed.
func (m *maker) attention() bool {
	x, ok := m.pick(rank(2))
	if !ok || x.shape[0] > 16 {
		return false
	}
	y := m.add(ops.MatMul, nil, x.v, m.add(ops.Transpose, graph.Attrs{"perm": []int64{0, 2, 1}}, x.v))
	y = m.add(ops.Softmax, nil, m.add(ops.Mul, nil, y, m.b.Scalar(tensor.Float32, 0.3)))
	m.push(m.add(ops.MatMul, nil, y, x.v), x.shape...)
	return true
}

// recurrent is a GRU or LSTM over the first axis of an example.
func (m *maker) recurrent() bool {
	if !m.o.Memory {
		return false
	}
	x, ok := m.pick(func(s []int) bool { return len(s) == 2 && s[1] <= 16 })
	if !ok {
		return false
	}
	op, gates := ops.GRU, 3
	if m.r.IntN(2) == 0 {
		op, gates = ops.LSTM, 4
	}
	e, h := x.shape[1], 2+m.r.IntN(4)
	time := m.add(ops.Transpose, graph.Attrs{"perm": []int64{1, 0, 2}}, x.v)
	y := m.add(op, graph.Attrs{"hidden_size": int64(h)}, time, m.param(0.5, 1, gates*h, e), m.param(0.5, 1, gates*h, h), m.param(0.5, 1,
		2*gates*h))
	y = m.b.Add(ops.Squeeze, nil, y, m.b.Ints(1))
	m.push(m.add(ops.Transpose, graph.Attrs{"perm": []int64{1, 0, 2}}, y), x.shape[0], h)
	return true
}

func (m *maker) normalise() bool {
	x, ok := m.pick(func(s []int) bool { return s[len(s)-1] >= 4 && len(s) <= 2 })
	if !ok {
		return false
	}
	n := x.shape[len(x.shape)-1]
	switch m.r.IntN(3) {
	case 0:
		m.push(m.add(ops.Softmax, nil, x.v), x.shape...)
	case 1:
		m.push(m.add(ops.LogSoftmax, nil, x.v), x.shape...)
	default:
		m.push(m.add(ops.LayerNormalization, graph.Attrs{"epsilon": float32(0.1)}, x.v, m.positive(n), m.param(0.3, n)), x.shape...)
	}
	return true
}

func (m *maker) reduce() bool {
	x, ok := m.pick(func(s []int) bool { return len(s) >= 2 })
	if !ok {
		return false
	}
	op := []*graph.Spec{ops.ReduceMean, ops.ReduceSum, ops.ReduceL2}[m.r.IntN(3)]
	if op == ops.ReduceL2 {
		x.v = m.add(ops.Softplus, nil, x.v) // its root has no derivative at zero
	}
	if m.r.IntN(2) == 0 {
		shape := append([]int{}, x.shape...)
		shape[0] = 1
		m.push(m.add(op, nil, x.v, m.b.Ints(1)), shape...)
		return true
	}
	m.push(m.add(op, graph.Attrs{"keepdims": int64(0)}, x.v, m.b.Ints(1)), x.shape[1:]...)
	return true
}

// choose takes one of two numbers by their order, through booleans.
func (m *maker) choose() bool {
	if m.o.Smooth {
		return false
	}
	x, _ := m.pick(anyShape)
	y, _ := m.pick(like(x.shape))
	z, _ := m.pick(like(x.shape))
	m.push(m.add(ops.Where, nil, m.add(ops.Greater, nil, x.v, y.v), z.v, m.add(ops.Neg, nil, x.v)), x.shape...)
	return true
}

// mixExamples takes something of the whole batch from every example.
func (m *maker) mixExamples() bool {
	if m.o.Apart || m.r.IntN(3) > 0 {
		return false
	}
	x, _ := m.pick(anyShape)
	m.push(m.add(ops.Sub, nil, x.v, m.add(ops.ReduceMean, nil, x.v, m.b.Ints(0))), x.shape...)
	return true
}
