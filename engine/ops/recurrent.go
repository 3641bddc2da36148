package ops

import (
	"fmt"
	"unsafe"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/kernel"
	"github.com/gtk-onnx/gtk/tensor"
)

// recurrentAttrs are the attributes of RNN, GRU and LSTM.
type recurrentAttrs struct {
	Activations       []string  `onnx:"activations"`
	Alpha             []float32 `onnx:"activation_alpha"`
	Beta              []float32 `onnx:"activation_beta"`
	Clip              *float32  `onnx:"clip"`
	Direction         string    `onnx:"direction,default=forward"`
	HiddenSize        *int      `onnx:"hidden_size"`
	Layout            int       `onnx:"layout,default=0"`
	InputForget       bool      `onnx:"input_forget,default=0"`        // LSTM
	LinearBeforeReset bool      `onnx:"linear_before_reset,default=0"` // GRU
	OutputSequence    bool      `onnx:"output_sequence,default=0"`     // version 1; the outputs that are named tell the same
}

// recurrent are the extents of a recurrent layer: t steps of n sequences of k inputs, h hidden units, d directions.
type recurrent struct {
	t, n, k, h, d int
	layout        int
	backward      bool // the only direction is reverse
}

// recurrentDims reads the extents and checks the shapes of X, W and R, for a layer with the given number of gates.
func recurrentDims(a *recurrentAttrs, gates int, x, w, r tensor.Shape) (recurrent, error) {
	l := recurrent{d: 1, layout: a.Layout, backward: a.Direction == "reverse"}
	switch a.Direction {
	case "forward", "reverse":
	case "bidirectional":
		l.d = 2
	default:
		return l, fmt.Errorf("direction is %q, want forward, reverse or bidirectional", a.Direction)
	}
	if a.Layout != 0 && a.Layout != 1 {
		return l, fmt.Errorf("layout is %d, want 0 or 1", a.Layout)
	}
	if len(x) != 3 || len(w) != 3 || len(r) != 3 {
		return l, fmt.Errorf("inputs X, W and R have shapes %v, %v and %v, want three axes each", x, w, r)
	}
	l.t, l.n, l.k = x[0], x[1], x[2]
	if a.Layout == 1 {
		l.t, l.n = l.n, l.t
	}
	l.h = r[2]
	if want := (tensor.Shape{l.d, gates * l.h, l.k}); !w.Equal(want) {
		return l, fmt.Errorf("input W has shape %v, want %v", w, want)
	}
	if want := (tensor.Shape{l.d, gates * l.h, l.h}); !r.Equal(want) {
		return l, fmt.Errorf("input R has shape %v, want %v", r, want)
	}
	if a.HiddenSize != nil && *a.HiddenSize != l.h {
		return l, fmt.Errorf("hidden_size is %d, R has %d units", *a.HiddenSize, l.h)
	}
	return l, nil
}

// yShape is the shape of the outputs of all steps.
func (l *recurrent) yShape() tensor.Shape {
	if l.layout == 1 {
		return tensor.Shape{l.n, l.t, l.d, l.h}
	}
	return tensor.Shape{l.t, l.d, l.n, l.h}
}

// stateShape is the shape of an initial or final state.
func (l *recurrent) stateShape() tensor.Shape {
	if l.layout == 1 {
		return tensor.Shape{l.n, l.d, l.h}
	}
	return tensor.Shape{l.d, l.n, l.h}
}

// check checks the shapes of optional inputs: B, sequence lengths at i+1, then n states. It is given the input number of B.
func (l *recurrent) check(c *graph.InferCtx, gates, b, states int) error {
	want := func(i int, s tensor.Shape) error {
		if c.Has(i) && !c.Shape(i).Equal(s) {
			return fmt.Errorf("%s has shape %v, want %v", c.Node.Op.FormalIn(i).Name, c.Shape(i), s)
		}
		return nil
	}
	if err := want(b, tensor.Shape{l.d, 2 * gates * l.h}); err != nil {
		return err
	}
	if err := want(b+1, tensor.Shape{l.n}); err != nil {
		return err
	}
	for i := range states {
		if err := want(b+2+i, l.stateShape()); err != nil {
			return err
		}
	}
	return nil
}

// yAt is where row (step, direction, sequence) begins in the outputs of all steps.
func (l *recurrent) yAt(t, dir, n int) int {
	if l.layout == 1 {
		return ((n*l.t+t)*l.d + dir) * l.h
	}
	return ((t*l.d+dir)*l.n + n) * l.h
}

// stateAt is where row (direction, sequence) begins in a state.
func (l *recurrent) stateAt(dir, n int) int {
	if l.layout == 1 {
		return (n*l.d + dir) * l.h
	}
	return (dir*l.n + n) * l.h
}

// reversed reports whether direction dir goes from the last step to the first.
func (l *recurrent) reversed(dir int) bool { return dir == 1 || l.backward }

// step is the i-th step that direction dir takes.
func (l *recurrent) step(dir, i int) int {
	if l.reversed(dir) {
		return l.t - 1 - i
	}
	return i
}

// before is the step that direction dir takes before step t of a sequence of the given length, or -1 when t is its first.
func (l *recurrent) before(dir, t, length int) int {
	if !l.reversed(dir) {
		return t - 1
	}
	if t+1 < length {
		return t + 1
	}
	return -1
}

// lengths are the lengths of the sequences.
func (l *recurrent) lengths(t *tensor.Tensor) ([]int, error) {
	if t == nil {
		lens := make([]int, l.n)
		for i := range lens {
			lens[i] = l.t
		}
		return lens, nil
	}
	lens, err := graph.IntsOf(t)
	if err != nil {
		return nil, err
	}
	for i, x := range lens {
		if x < 0 || x > l.t {
			return nil, fmt.Errorf("sequence %d has length %d of %d steps", i, x, l.t)
		}
	}
	return lens, nil
}

// real is a type that recurrent layers compute in.
type real interface{ float32 | float64 }

// gemmOf is the matrix product of T.
func gemmOf[T real]() gemmFunc[T] {
	if g, ok := any(gemmFunc[float32](kernel.Sgemm)).(gemmFunc[T]); ok {
		return g
	}
	return any(gemmFunc[float64](kernel.Dgemm)).(gemmFunc[T])
}

// reals is the content of t, nil when there is none.
func reals[T real](t *tensor.Tensor) []T {
	if t == nil {
		return nil
	}
	return tensor.Data[T](t)
}

// working hands out parts of the working memory of a run.
type working[T real] struct{ free []T }

func workingOf[T real](c *graph.RunCtx) *working[T] {
	if len(c.Scratch) == 0 {
		return &working[T]{}
	}
	return &working[T]{unsafe.Slice((*T)(unsafe.Pointer(&c.Scratch[0])), len(c.Scratch)/int(unsafe.Sizeof(*new(T))))}
}

// take is n elements with whatever content.
func (w *working[T]) take(n int) []T {
	s := w.free[:n:n]
	w.free = w.free[n:]
	return s
}

// timeMajor is x as [T,N,K], in buf when x is [N,T,K].
func timeMajor[T real](l *recurrent, x, buf []T) []T {
	if l.layout == 0 {
		return x
	}
	for n := range l.n {
		for t := range l.t {
			copy(buf[(t*l.n+n)*l.k:][:l.k], x[(n*l.t+t)*l.k:][:l.k])
		}
	}
	return buf
}

// fromTimeMajor is the inverse.
func fromTimeMajor[T real](l *recurrent, x, buf []T) {
	for n := range l.n {
		for t := range l.t {
			copy(x[(n*l.t+t)*l.k:][:l.k], buf[(t*l.n+n)*l.k:][:l.k])
		}
	}
}

// layoutScratch is how many elements timeMajor needs in buf.
func (l *recurrent) layoutScratch() int {
	if l.layout == 0 {
		return 0
	}
	return l.t * l.n * l.k
}

// rowGrain is how many sequences are worth a thread, for the given elements of each.
func rowGrain(elements int) int { return max(1, 1<<12/max(elements, 1)) }

// inputGates sets g [T·N, m·H] to x [T·N, K] times Wᵀ, the weights of direction dir in input 1, plus the bias b [m·H], which may be nil.
func inputGates[T real](c *graph.RunCtx, l *recurrent, m, dir int, x, b, g []T) {
	rows, cols := l.t*l.n, m*l.h
	beta := T(0)
	if b != nil {
		beta = 1
		for i := range rows {
			copy(g[i*cols:(i+1)*cols], b)
		}
	}
	weights[T](c, l, 1, dir, 0, cols, true)(rows, x, l.k, beta, g, cols)
}

// initial is the state of direction dir before the first step, [N,H], zero without s.
func initial[T real](l *recurrent, s []T, dir int) []T {
	out := make([]T, l.n*l.h)
	if s != nil {
		for n := range l.n {
			copy(out[n*l.h:(n+1)*l.h], s[l.stateAt(dir, n):])
		}
	}
	return out
}

// putState stores the state of direction dir.
func putState[T real](l *recurrent, out, s []T, dir int) {
	if out == nil {
		return
	}
	for n := range l.n {
		copy(out[l.stateAt(dir, n):][:l.h], s[n*l.h:(n+1)*l.h])
	}
}

// bias is Wb+Rb of direction dir, [m·H], or nil without B. With split, the last gate gets Wb alone.
func bias[T real](l *recurrent, b []T, m, dir int, split bool) []T {
	if b == nil {
		return nil
	}
	k := m * l.h
	wb, rb := b[dir*2*k:][:k], b[dir*2*k+k:][:k]
	out := make([]T, k)
	for i := range out {
		out[i] = wb[i]
		if !split || i < k-l.h {
			out[i] += rb[i]
		}
	}
	return out
}

// columnSums sets out to the sums of the columns of x [rows, len(out)].
func columnSums[T real](x []T, out []T) {
	sum := make([]float64, len(out))
	for len(x) > 0 {
		for j, v := range x[:len(out)] {
			sum[j] += float64(v)
		}
		x = x[len(out):]
	}
	for j, v := range sum {
		out[j] = T(v)
	}
}

// weightGrads computes what a layer's gradients have in common, from the gradients dz [T·N, m·H] of the gates before activation:
// dX (added up over the directions) and dW, W being input 1.
func weightGrads[T real](c *graph.RunCtx, l *recurrent, m, dir int, dz, x, dx, dw []T) {
	rows, cols := l.t*l.n, m*l.h
	if dx != nil {
		beta := T(0)
		if dir > 0 {
			beta = 1
		}
		weights[T](c, l, 1, dir, 0, cols, false)(rows, dz, cols, beta, dx, l.k)
	}
	if dw != nil {
		gemmOf[T]()(c.Pool, true, false, cols, l.k, rows, 1, dz, cols, x, l.k, 0, dw, l.k)
	}
}

// previous fills prev [T,N,H] with the output of the step before each step, the initial state before the first.
func previous[T real](l *recurrent, y, initial []T, lens []int, dir int, prev []T) {
	for n := range l.n {
		for t := range l.t {
			row := prev[(t*l.n+n)*l.h:][:l.h]
			switch p := l.before(dir, t, lens[n]); {
			case t >= lens[n]:
				clear(row)
			case p >= 0:
				copy(row, y[l.yAt(p, dir, n):])
			default:
				copy(row, initial[n*l.h:])
			}
		}
	}
}

// part is the part of direction dir of a tensor that has the directions first, nil for nil.
func part[T real](x []T, d, dir int) []T {
	if x == nil {
		return nil
	}
	k := len(x) / d
	return x[dir*k : (dir+1)*k]
}

// gradOutputs adds the gradient operator of a recurrent node n: its outputs are the gradients by n's inputs for which at gives
// the output number.
func gradOutputs(b *graph.Builder, op *graph.Spec, a any, n *graph.Node, in []graph.Value, at []int, need []bool) ([]graph.Value, error) {
	want := make([]bool, len(op.Out))
	for i, k := range at {
		if k >= 0 && i < len(need) && need[i] {
			want[k] = true
		}
	}
	g := sharedNode(b, op, a, in)
	if g == nil {
		return nil, b.Err()
	}
	dx := make([]graph.Value, n.NumIn)
	for i := range dx {
		if i < len(at) && at[i] >= 0 && want[at[i]] {
			dx[i] = b.ExtraOutput(g, at[i])
		}
	}
	return dx, b.Err()
}

// input is input i of n, 0 when it is absent.
func input(n *graph.Node, i int) graph.Value {
	if i < n.NumIn {
		return n.In[i]
	}
	return 0
}
