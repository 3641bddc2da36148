package kernel

import (
	"math"
	"sync"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Reduction names what Reduce computes.
type Reduction int

// The reductions of ONNX's Reduce operators. Floats are accumulated in float64, integers in their own type. Of no
// elements, sums are 0, the product 1, the maximum -Inf or the smallest integer, the mean NaN.
const (
	ReduceSum Reduction = iota
	ReduceMean
	ReduceMax
	ReduceMin
	ReduceProd
	ReduceSumSquare
	ReduceL1
	ReduceL2
	ReduceLogSum
	ReduceLogSumExp
)

// reducer folds elements of T into accumulators of A.
type reducer[T, A any] struct {
	init  A
	row   func(acc A, x []T) A
	cols  func(acc []A, x []T) // acc[i] takes x[i]
	merge func(a, b A) A
	done  func(acc A, n int) T
}

// Reduce is out = the reduction of in, of the given shape, over the axes (each in 0..len(shape)-1, in any order).
// Out has the elements of the other axes in row-major order. No axes reduce every element by itself.
func Reduce[T Number](p *parallel.Pool, r Reduction, out, in []T, shape, axes []int) {
	half := 0.5
	switch {
	case r == ReduceLogSumExp:
		reduce(p, logSumExpReducer[T](), out, in, shape, axes)
	case T(half) == 0 || r == ReduceMax || r == ReduceMin:
		reduce(p, sameReducer[T](r), out, in, shape, axes)
	default:
		x, single := any(in).([]float32)
		if single && (r == ReduceSum || r == ReduceMean) && size(shape) > 0 {
			if pl := newReducePlan(shape, axes); pl.cols > 0 && pl.red.rows <= maxFourRows {
				y := any(out).([]float32)
				atLeast(size(shape), len(x))
				atLeast(pl.outer.rows*pl.cols, len(y))
				sumFourRows(p, y, x, pl, r == ReduceMean)
				return
			}
		}
		reduce(p, floatReducer[T](r), out, in, shape, axes)
	}
}

// reducePlan splits the axes: the offsets of the outputs, those of the reduced positions, and a contiguous run that is
// either reduced (cols == 0, run elements) or kept (cols of them).
type reducePlan struct {
	outer, red *walk
	run, cols  int
}

func newReducePlan(shape, axes []int) reducePlan {
	type axis struct {
		n, stride int
		reduced   bool
	}
	reduced := make([]bool, len(shape))
	for _, a := range axes {
		reduced[a] = true
	}
	var l []axis
	for i, s := range Strides(shape) {
		n := shape[i]
		if n == 1 {
			continue
		}
		if k := len(l) - 1; k >= 0 && l[k].reduced == reduced[i] {
			l[k].n *= n
			l[k].stride = s
			continue
		}
		l = append(l, axis{n, s, reduced[i]})
	}
	pl := reducePlan{outer: &walk{rows: 1, inner: 1}, red: &walk{rows: 1, inner: 1}, run: 1}
	if k := len(l) - 1; k >= 0 {
		if l[k].reduced {
			pl.run = l[k].n
		} else {
			pl.cols = l[k].n
		}
		l = l[:k]
	}
	for _, a := range l {
		w := pl.outer
		if a.reduced {
			w = pl.red
		}
		w.dims = append(w.dims, a.n)
		w.strides = append(w.strides, [3]int{a.stride})
		w.rows *= a.n
	}
	return pl
}

func reduce[T, A any](p *parallel.Pool, r reducer[T, A], out, in []T, shape, axes []int) {
	atLeast(size(shape), len(in))
	reduced := make([]bool, len(shape))
	for _, a := range axes {
		reduced[a] = true
	}
	n := 1
	for i, d := range shape {
		if !reduced[i] {
			n *= d
		}
	}
	atLeast(n, len(out))
	if size(shape) == 0 {
		fill(out[:n], r.done(r.init, 0))
		return
	}
	pl := newReducePlan(shape, axes)
	if pl.cols > 0 {
		reduceCols(p, r, out, in, pl)
	} else {
		reduceRows(p, r, out, in, pl)
	}
}

// reduceRows folds contiguous runs.
func reduceRows[T, A any](p *parallel.Pool, r reducer[T, A], out, in []T, pl reducePlan) {
	n := pl.red.rows * pl.run
	if n <= 4*elemChunk {
		p.For(pl.outer.rows, max(1, elemChunk/max(n, 1)), func(lo, hi int) {
			pl.outer.each(lo, hi, func(o int, off [3]int) {
				acc := r.init
				if pl.red.rows == 1 {
					acc = r.row(acc, in[off[0]:off[0]+pl.run])
				} else {
					pl.red.each(0, pl.red.rows, func(_ int, at [3]int) {
						i := off[0] + at[0]
						acc = r.row(acc, in[i:i+pl.run])
					})
				}
				out[o] = r.done(acc, n)
			})
		})
		return
	}
	// Pieces of long runs, or groups of short ones.
	perRun := (pl.run + elemChunk - 1) / elemChunk
	runs := max(1, elemChunk/pl.run)
	groups := (pl.red.rows + runs - 1) / runs
	part := make([]A, groups*perRun)
	pl.outer.each(0, pl.outer.rows, func(o int, off [3]int) {
		p.For(len(part), 1, func(lo, hi int) {
			for k := lo; k < hi; k++ {
				g, c := k/perRun, k%perRun
				acc := r.init
				pl.red.each(g*runs, min((g+1)*runs, pl.red.rows), func(_ int, at [3]int) {
					i := off[0] + at[0]
					acc = r.row(acc, in[i+c*elemChunk:i+min((c+1)*elemChunk, pl.run)])
				})
				part[k] = acc
			}
		})
		acc := r.init
		for _, a := range part {
			acc = r.merge(acc, a)
		}
		out[o] = r.done(acc, n)
	})
}

// reduceCols folds runs of kept elements into each other.
func reduceCols[T, A any](p *parallel.Pool, r reducer[T, A], out, in []T, pl reducePlan) {
	const width = 512
	n := pl.red.rows
	perRow := (pl.cols + width - 1) / width
	rows := max(1, 4*elemChunk/min(pl.cols, width))
	pieces := max(1, (n+rows-1)/rows)
	perOut := perRow * pieces
	// part holds the sums of all pieces but of the only one.
	var part []A
	if pieces > 1 {
		part = make([]A, pl.outer.rows*pieces*pl.cols)
	}
	grain := 1
	if pieces == 1 {
		grain = max(1, elemChunk/(max(n, 1)*min(pl.cols, width)))
	}
	p.For(pl.outer.rows*perOut, grain, func(lo, hi int) {
		buf := make([]A, min(pl.cols, width))
		for k := lo; k < hi; k++ {
			o, piece, c := k/perOut, k%perOut/perRow, k%perRow
			c0, c1 := c*width, min((c+1)*width, pl.cols)
			acc := buf[:c1-c0]
			if pieces > 1 {
				at := (o*pieces + piece) * pl.cols
				acc = part[at+c0 : at+c1]
			}
			fill(acc, r.init)
			base := 0
			pl.outer.each(o, o+1, func(_ int, off [3]int) { base = off[0] })
			pl.red.each(piece*rows, min((piece+1)*rows, n), func(_ int, at [3]int) {
				i := base + at[0]
				r.cols(acc, in[i+c0:i+c1])
			})
			if pieces == 1 {
				for i, a := range acc {
					out[o*pl.cols+c0+i] = r.done(a, n)
				}
			}
		}
	})
	if pieces == 1 {
		return
	}
	p.For(pl.outer.rows*pl.cols, max(1, elemChunk/(4*pieces)), func(lo, hi int) {
		for k := lo; k < hi; k++ {
			at := k/pl.cols*pieces*pl.cols + k%pl.cols
			acc := r.init
			for piece := range pieces {
				acc = r.merge(acc, part[at+piece*pl.cols])
			}
			out[k] = r.done(acc, n)
		}
	})
}

// folds is the reducer whose row and cols are made of one function.
func folds[T, A any](init A, f func(acc A, x T) A, merge func(a, b A) A, done func(acc A, n int) T) reducer[T, A] {
	return reducer[T, A]{init,
		func(acc A, x []T) A {
			for _, v := range x {
				acc = f(acc, v)
			}
			return acc
		},
		func(acc []A, x []T) {
			acc = acc[:len(x)]
			for i, v := range x {
				acc[i] = f(acc[i], v)
			}
		},
		merge, done}
}

func plus[A Number](a, b A) A  { return a + b }
func times[A Number](a, b A) A { return a * b }

// sameReducer accumulates in the type of the elements: integers, and extrema of any.
func sameReducer[T Number](r Reduction) reducer[T, T] {
	id := func(a T, _ int) T { return a }
	root := func(a T, _ int) T { return T(math.Sqrt(float64(a))) }
	abs := func(a, x T) T {
		if x < 0 {
			x = -x
		}
		return a + x
	}
	square := func(a, x T) T { return a + x*x }
	switch r {
	case ReduceMean:
		return folds(0, plus[T], plus[T], func(a T, n int) T {
			if n == 0 {
				return 0
			}
			return T(float64(a) / float64(n))
		})
	case ReduceMax:
		f := folds(lowest[T](), nanMax[T], nanMax[T], id)
		if row, ok := any(func(acc float32, x []float32) float32 { return nanMax(acc, vec.largest(x)) }).(func(T, []T) T); ok {
			f.row = row
			f.cols, _ = any(func(acc, x []float32) { vec.max(acc[:len(x)], acc, x) }).(func([]T, []T))
		}
		return f
	case ReduceMin:
		f := folds(highest[T](), nanMin[T], nanMin[T], id)
		if row, ok := any(func(acc float32, x []float32) float32 { return nanMin(acc, vec.smallest(x)) }).(func(T, []T) T); ok {
			f.row = row
			f.cols, _ = any(func(acc, x []float32) { vec.min(acc[:len(x)], acc, x) }).(func([]T, []T))
		}
		return f
	case ReduceProd:
		return folds(1, times[T], times[T], id)
	case ReduceSumSquare:
		return folds(0, square, plus[T], id)
	case ReduceL1:
		return folds(0, abs, plus[T], id)
	case ReduceL2:
		return folds(0, square, plus[T], root)
	case ReduceLogSum:
		return folds(0, plus[T], plus[T], func(a T, _ int) T { return T(math.Log(float64(a))) })
	}
	return folds(0, plus[T], plus[T], id)
}

// lowest is what every element of T is at least.
func lowest[T Number]() T {
	half := 0.5
	if T(half) != 0 {
		return T(math.Inf(-1))
	}
	one := T(1)
	if -one > 0 { // unsigned
		return 0
	}
	for x := -one; ; x *= 2 {
		if x*2 >= x {
			return x
		}
	}
}

// highest is what every element of T is at most.
func highest[T Number]() T {
	half := 0.5
	if T(half) != 0 {
		return T(math.Inf(1))
	}
	return lowest[T]() - 1
}

// floatReducer accumulates in float64.
func floatReducer[T Number](r Reduction) reducer[T, float64] {
	f := folds(0.0, func(a float64, x T) float64 { return a + float64(x) }, plus[float64], func(a float64, _ int) T { return T(a) })
	square := func(a float64, x T) float64 { return a + float64(x)*float64(x) }
	var row func(float64, []float32) float64
	switch r {
	case ReduceProd:
		return folds(1.0, func(a float64, x T) float64 { return a * float64(x) }, times[float64], f.done)
	case ReduceSumSquare, ReduceL2:
		f = folds(0.0, square, plus[float64], f.done)
		row = func(a float64, x []float32) float64 { return a + vec.dot(x, x) }
	case ReduceL1:
		f = folds(0.0, func(a float64, x T) float64 { return a + math.Abs(float64(x)) }, plus[float64], f.done)
		row = func(a float64, x []float32) float64 { return a + vec.absSum(x) }
	default:
		row = func(a float64, x []float32) float64 { return a + vec.sum(x) }
		if cols, ok := any(func(acc []float64, x []float32) { vec.accumulate(acc, x) }).(func([]float64, []T)); ok {
			f.cols = cols
		}
	}
	if row, ok := any(row).(func(float64, []T) float64); ok {
		f.row = row
	}
	switch r {
	case ReduceMean:
		f.done = func(a float64, n int) T { return T(a / float64(n)) }
	case ReduceL2:
		f.done = func(a float64, _ int) T { return T(math.Sqrt(a)) }
	case ReduceLogSum:
		f.done = func(a float64, _ int) T { return T(math.Log(a)) }
	}
	return f
}

// logSumExpReducer keeps the maximum m and Σ e^(x-m).
func logSumExpReducer[T Number]() reducer[T, [2]float64] {
	add := func(a, b [2]float64) [2]float64 {
		if a[0] < b[0] || math.IsNaN(b[0]) {
			a, b = b, a
		}
		if math.IsInf(b[0], -1) || math.IsInf(a[0], 1) {
			return [2]float64{a[0], max(a[1], 1)}
		}
		return [2]float64{a[0], a[1] + b[1]*math.Exp(b[0]-a[0])}
	}
	f := folds([2]float64{math.Inf(-1), 0},
		func(a [2]float64, x T) [2]float64 { return add(a, [2]float64{float64(x), 1}) },
		add,
		func(a [2]float64, _ int) T { return T(a[0] + math.Log(a[1])) })
	row := func(a [2]float64, x []float32) [2]float64 {
		buf := expBuffers.Get().(*[softmaxBlock]float32)
		for len(x) > 0 {
			n := min(len(x), softmaxBlock)
			m := vec.largest(x[:n])
			s := 1.0
			if !math.IsInf(float64(m), 0) {
				s = vec.expSum(buf[:n], x[:n], m)
			}
			a = add(a, [2]float64{float64(m), s})
			x = x[n:]
		}
		expBuffers.Put(buf)
		return a
	}
	if row, ok := any(row).(func([2]float64, []T) [2]float64); ok {
		f.row = row
	}
	return f
}

var expBuffers = sync.Pool{New: func() any { return new([softmaxBlock]float32) }}
