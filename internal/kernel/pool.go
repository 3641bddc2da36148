package kernel

import (
	"github.com/gtk-onnx/gtk/internal/parallel"
)

// PoolParams is the geometry of pooling: planes of In elements (one number per spatial axis, any count of axes), to planes of Out.
// Output o of an axis sees the inputs o*Stride - PadBegin + k*Dilation, k < Kernel, that exist. Out is up to the caller
// (ceil_mode); a window that sees nothing gives -Inf or the smallest integer (max) and 0 (average).
type PoolParams struct {
	Planes                                              int // N*C
	In, Out, Kernel, Stride, Dilation, PadBegin, PadEnd []int
	// of the average: padding counts, as zeros, where the window is inside In+PadBegin+PadEnd
	CountIncludePad bool
	// of the average: it is the sum, and its gradient that of the sum
	Sum bool
}

// poolRows is the plan of one run: the geometry of the last axis, and the rows of the input that an output row sees.
type poolRows struct {
	q                           *PoolParams
	in, out, rows, taps         int // elements of a plane, rows of an output plane, elements of a window
	iw, ow, kw, sw, dw, pw, pwe int
}

func newPoolRows(q *PoolParams) poolRows {
	k := len(q.In) - 1
	return poolRows{q, size(q.In), size(q.Out), size(q.Out[:k]), size(q.Kernel),
		q.In[k], q.Out[k], q.Kernel[k], q.Stride[k], q.Dilation[k], q.PadBegin[k], q.PadEnd[k]}
}

// see is the offsets of the input rows that output row r sees, in scan order, appended to buf, and the number of rows with
// those in the padding.
func (w *poolRows) see(r int, buf []int) (rows []int, padded int) {
	k := len(w.q.In) - 1
	rows, padded = append(buf, 0), 1
	// From the first axis on, every offset so far is continued by each tap of the axis.
	unit := w.rows
	for a := range k {
		unit /= w.q.Out[a]
		o := r / unit % w.q.Out[a]
		at := o*w.q.Stride[a] - w.q.PadBegin[a]
		n, inside := len(rows), 0
		for t := range w.q.Kernel[a] {
			if i := at + t*w.q.Dilation[a]; i < w.q.In[a]+w.q.PadEnd[a] {
				inside++
				if i >= 0 && i < w.q.In[a] {
					for j := range n {
						rows = append(rows, rows[j]*w.q.In[a]+i)
					}
				}
			}
		}
		padded *= inside
		// Scan order is that of the taps of earlier axes first.
		next := rows[n:]
		if n > 1 {
			ordered := make([]int, 0, len(next))
			for j := range n {
				for t := j; t < len(next); t += n {
					ordered = append(ordered, next[t])
				}
			}
			next = ordered
		}
		rows = append(rows[:0], next...)
	}
	for j := range rows {
		rows[j] *= w.iw
	}
	return rows, padded
}

// cols is the taps t0..t1-1 of output column o that exist, and their number with those in the padding.
func (w *poolRows) cols(o int) (t0, t1, padded int) {
	at := o*w.sw - w.pw
	if at < 0 {
		t0 = (-at + w.dw - 1) / w.dw
	}
	if w.iw > at {
		t1 = min(w.kw, (w.iw-at+w.dw-1)/w.dw)
	}
	if n := w.iw + w.pwe - at; n > 0 {
		padded = min(w.kw, (n+w.dw-1)/w.dw)
	}
	return t0, max(t0, t1), padded
}

// run calls f for all output rows of all planes: x and y are the offsets of the input plane and of the output row, rows and padded what
// see gives.
func (w *poolRows) run(p *parallel.Pool, f func(x, y int, rows []int, padded int)) {
	if w.ow == 0 || w.rows == 0 {
		return
	}
	p.For(w.q.Planes*w.rows, max(1, elemChunk/(w.ow*min(w.taps, 64))), func(lo, hi int) {
		var rows []int
		for k := lo; k < hi; k++ {
			var padded int
			rows, padded = w.see(k%w.rows, rows[:0])
			f(k/w.rows*w.in, k*w.ow, rows, padded)
		}
	})
}

// MaxPool is out = the largest element of each window of in, and idx (unless nil) its offset in the plane: the first
// one in row-major order of several. NaN is passed over, as in ONNX Runtime; a window of nothing else has index
// that of its first element, or -1 if it sees none.
func MaxPool[T Number](p *parallel.Pool, out []T, idx []int32, in []T, q *PoolParams) {
	w := newPoolRows(q)
	atLeast(q.Planes*w.in, len(in))
	atLeast(q.Planes*w.out, len(out))
	if idx != nil {
		atLeast(q.Planes*w.out, len(idx))
	}
	if y, ok := any(out).([]float32); ok {
		if l := w.byLines(); l != nil {
			x, _ := any(in).([]float32)
			l.run(p, y, x, l.maximum(idx))
			return
		}
	}
	if idx == nil {
		switch y := any(out).(type) {
		case []uint8:
			x, _ := any(in).([]uint8)
			maxPoolBytes(p, y, x, &w)
			return
		case []int8:
			x, _ := any(in).([]int8)
			maxPoolBytes(p, y, x, &w)
			return
		}
	}
	low := lowest[T]()
	w.run(p, func(x, y int, rows []int, _ int) {
		plane := in[x : x+w.in]
		for o := range w.ow {
			t0, t1, _ := w.cols(o)
			at := o*w.sw - w.pw
			best, arg := low, w.first(rows, o)
			for _, row := range rows {
				i := row + at + t0*w.dw
				for range t1 - t0 {
					if v := plane[i]; v > best {
						best, arg = v, i
					}
					i += w.dw
				}
			}
			out[y+o] = best
			if idx != nil {
				idx[y+o] = int32(arg)
			}
		}
	})
}

// first is the offset of the first element that output column o sees in the rows, or -1.
func (w *poolRows) first(rows []int, o int) int {
	t0, t1, _ := w.cols(o)
	if t0 == t1 || len(rows) == 0 {
		return -1
	}
	return rows[0] + o*w.sw - w.pw + t0*w.dw
}

// MaxPoolGrad is dx = 0, then dx[idx[o]] += dy[o] in each plane, of in elements in dx and out in dy; a negative index is
// passed over.
func MaxPoolGrad[T Number](p *parallel.Pool, dx, dy []T, idx []int32, planes, in, out int) {
	atLeast(planes*in, len(dx))
	atLeast(planes*out, len(dy), len(idx))
	p.For(planes, max(1, elemChunk/max(in, out, 1)), func(lo, hi int) {
		clear(dx[lo*in : hi*in])
		for k := lo; k < hi; k++ {
			d := dx[k*in : (k+1)*in]
			i := idx[k*out : (k+1)*out]
			for o, v := range dy[k*out : (k+1)*out] {
				if i[o] >= 0 {
					d[i[o]] += v
				}
			}
		}
	})
}

// AveragePool is out = the mean of each window of in.
func AveragePool[T Float](p *parallel.Pool, out, in []T, q *PoolParams) {
	w := newPoolRows(q)
	atLeast(q.Planes*w.in, len(in))
	atLeast(q.Planes*w.out, len(out))
	counts := w.counts()
	if y, ok := any(out).([]float32); ok {
		if l := w.byLines(); l != nil {
			x, _ := any(in).([]float32)
			f := l.sum()
			if !q.Sum {
				f.finish = l.divisor(counts)
			}
			l.run(p, y, x, f)
			return
		}
	}
	w.run(p, func(x, y int, rows []int, padded int) {
		n := w.rowCount(len(rows), padded)
		plane := in[x : x+w.in]
		for o := range w.ow {
			t0, t1, _ := w.cols(o)
			var sum T
			for _, row := range rows {
				i := row + o*w.sw - w.pw + t0*w.dw
				for range t1 - t0 {
					sum += plane[i]
					i += w.dw
				}
			}
			if n := n * counts[o]; n > 0 {
				sum /= T(n)
			}
			out[y+o] = sum
		}
	})
}

// counts is the number of taps of each output column that an average counts.
func (w *poolRows) counts() []int {
	n := make([]int, w.ow)
	for o := range n {
		t0, t1, padded := w.cols(o)
		n[o] = t1 - t0
		switch {
		case w.q.Sum:
			n[o] = 1
		case w.q.CountIncludePad:
			n[o] = padded
		}
	}
	return n
}

func (w *poolRows) rowCount(rows, padded int) int {
	if w.q.Sum {
		return 1
	}
	if w.q.CountIncludePad {
		return padded
	}
	return rows
}

// AveragePoolGrad is dx = Σ dy[o]/count[o] over the windows o that see the element.
func AveragePoolGrad[T Float](p *parallel.Pool, dx, dy []T, q *PoolParams) {
	w := newPoolRows(q)
	atLeast(q.Planes*w.in, len(dx))
	atLeast(q.Planes*w.out, len(dy))
	counts := w.counts()
	if x, ok := any(dx).([]float32); ok {
		if l := w.byLines(); l != nil {
			y, _ := any(dy).([]float32)
			l.spread(p, x, y, l.divisor(counts))
			return
		}
	}
	p.For(q.Planes, max(1, elemChunk/max(w.in, w.out*min(w.taps, 64), 1)), func(lo, hi int) {
		clear(dx[lo*w.in : hi*w.in])
		var buf []int
		for k := lo; k < hi; k++ {
			plane := dx[k*w.in : (k+1)*w.in]
			for r := range w.rows {
				rows, padded := w.see(r, buf[:0])
				buf = rows
				n := w.rowCount(len(rows), padded)
				y := dy[k*w.out+r*w.ow:][:w.ow]
				for o, v := range y {
					t0, t1, _ := w.cols(o)
					v /= T(max(n*counts[o], 1))
					for _, row := range rows {
						i := row + o*w.sw - w.pw + t0*w.dw
						for range t1 - t0 {
							plane[i] += v
							i += w.dw
						}
					}
				}
			}
		}
	})
}
