package kernel

import (
	"sync"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// rowTaps is the argument of the depthwise kernels; strides and offsets in bytes. tapRows computes
//
//	for r := range rows { for j := range n {
//		s := bias
//		for t := range taps { s += w[t] * src[r*srcRow + off[t] + j] }
//		if flags&tileAdd != 0  { s += add[r*dstRow+j] }
//		if flags&tileClip != 0 { s = min(max(s, lo), hi) }
//		dst[r*dstRow+j] = s
//	}}
//
// and tapDots, for at most nine taps, where dst is only read,
//
//	for t := range taps { sums[t] += Σ_r Σ_j dst[r*dstRow+j] * src[r*srcRow + off[t] + j] }
type rowTaps struct {
	rows, n int
	src     unsafe.Pointer
	srcRow  int
	dst     unsafe.Pointer
	dstRow  int
	taps    int
	off     unsafe.Pointer
	w       unsafe.Pointer
	add     unsafe.Pointer
	flags   int
	bias    float32
	lo, hi  float32
	sums    [9]float32
}

var (
	tapRows = tapRowsGeneric
	tapDots = tapDotsGeneric
)

func tapRowsGeneric(a *rowTaps) {
	sums := getBuffer(min(a.n, 256))
	defer sums.put()
	for r := range a.rows {
		for j0 := 0; j0 < a.n; j0 += len(sums.f) {
			s := sums.f[:min(len(sums.f), a.n-j0)]
			fill(s, a.bias)
			for t := range a.taps {
				w := *floatAt(a.w, 4*t)
				off := *(*int)(unsafe.Add(a.off, 8*t)) + 4*j0
				vec.axpy(s, unsafe.Slice(floatAt(a.src, r*a.srcRow+off), len(s)), s, w)
			}
			for j, v := range s {
				if a.flags&tileAdd != 0 {
					v += *floatAt(a.add, r*a.dstRow+4*(j0+j))
				}
				if a.flags&tileClip != 0 {
					v = clip(v, a.lo, a.hi)
				}
				*floatAt(a.dst, r*a.dstRow+4*(j0+j)) = v
			}
		}
	}
}

func tapDotsGeneric(a *rowTaps) {
	for t := range a.taps {
		off := *(*int)(unsafe.Add(a.off, 8*t))
		var sum float64
		for r := range a.rows {
			sum += vec.dot(unsafe.Slice(floatAt(a.src, r*a.srcRow+off), a.n), unsafe.Slice(floatAt(a.dst, r*a.dstRow), a.n))
		}
		a.sums[t] += float32(sum)
	}
}

// depthTask is the memory of one running depthwise task.
type depthTask struct {
	rowTaps
	offsets []int
	addend  []float32
}

var depthTasks = sync.Pool{New: func() any { return new(depthTask) }}

func (dt *depthTask) release() {
	dt.rowTaps, dt.addend = rowTaps{}, nil
	depthTasks.Put(dt)
}

// setTaps points dt at the taps of planes, in bytes.
func (dt *depthTask) setTaps(taps []int) {
	dt.offsets = dt.offsets[:0]
	for _, t := range taps {
		dt.offsets = append(dt.offsets, 4*t)
	}
	dt.taps = len(taps)
	if len(taps) > 0 {
		dt.off = unsafe.Pointer(&dt.offsets[0])
	}
}

// depthCall is how many products a call of a depthwise kernel does at most, some thousandths of a second, in which nothing can interrupt
// it. More is cut by rows and columns, which do not depend on each other, and by depthTaps taps, whose sums are added up.
var depthCall, depthTaps = 1 << 22, 1 << 16

// tapRowsShort is tapRows in calls that do not take long.
func tapRowsShort(a *rowTaps) {
	if a.taps == 0 || a.rows*a.n*a.taps <= depthCall {
		tapRows(a)
		return
	}
	all := *a
	a.rows = 1
	step := max(64, depthCall/min(a.taps, depthTaps)&^63) // columns
	for r := range all.rows {
		for j := 0; j < all.n; j += step {
			a.n, a.dst = min(step, all.n-j), unsafe.Add(all.dst, r*all.dstRow+4*j)
			for t := 0; t < all.taps; t += depthTaps {
				preempt()
				a.taps, a.src = min(depthTaps, all.taps-t), unsafe.Add(all.src, r*all.srcRow+4*j)
				a.off, a.w = unsafe.Add(all.off, 8*t), unsafe.Add(all.w, 4*t)
				a.flags, a.bias = all.flags&^tileClip, all.bias
				if all.flags&tileAdd != 0 {
					a.add = unsafe.Add(all.add, r*all.dstRow+4*j)
				}
				if t > 0 { // to what is there
					a.flags, a.bias, a.add = tileAdd, 0, a.dst
				}
				if t+a.taps == all.taps {
					a.flags |= all.flags & tileClip
				}
				tapRows(a)
			}
		}
	}
	*a = all
}

// slices calls f for every slice of depth, with src and dst set; each has the rows of one slice.
func (dt *depthTask) slices(pl *planes, src, dst []float32, f func(*rowTaps)) {
	dt.n, dt.rows = pl.rowLen, pl.runsPerSlice
	dt.srcRow, dt.dstRow = 4*pl.runStep, 4*pl.rowLen
	for d := range pl.runs / pl.runsPerSlice {
		dt.src = unsafe.Pointer(&src[d*pl.slice])
		dt.dst = unsafe.Pointer(&dst[d*pl.runsPerSlice*pl.rowLen])
		if dt.addend != nil {
			dt.add = unsafe.Pointer(&dt.addend[d*pl.runsPerSlice*pl.rowLen])
		}
		f(&dt.rowTaps)
	}
}

func (dt *depthTask) setEpilogue(e *ConvEpilogue, channel, at int) {
	dt.flags, dt.bias, dt.addend = 0, 0, nil
	if e.Bias != nil {
		dt.bias = e.Bias[channel]
	}
	if e.Add != nil {
		dt.flags |= tileAdd
		dt.addend = e.Add[at:]
	}
	if e.Clip {
		dt.flags |= tileClip
		dt.lo, dt.hi = e.Lo, e.Hi
	}
}

// fillBatch copies the planes of a few neighbouring channels at a time: a load that spans fresh stores waits for them.
type fillBatch struct {
	pl         *planes
	buf        *buffer
	n          int
	start, end int
}

func newFillBatch(pl *planes) fillBatch {
	n := max(1, 1<<13/pl.chanSize)
	return fillBatch{pl: pl, buf: getBuffer(n * pl.chanSize), n: n}
}

// at is the planes of channel i of x, whose channels have size floats; channels up to limit-1 will follow.
func (fb *fillBatch) at(i, limit int, x []float32, size int) []float32 {
	if fb.pl.identity {
		return x[i*size : (i+1)*size]
	}
	s := fb.pl.chanSize
	if i >= fb.end {
		fb.start, fb.end = i, min(i+fb.n, limit)
		for j := i; j < fb.end; j++ {
			fb.pl.fill(fb.buf.f[(j-i)*s:(j-i+1)*s], x[j*size:(j+1)*size])
		}
	}
	return fb.buf.f[(i-fb.start)*s : (i-fb.start+1)*s]
}

// depthGrain is how many channels of the given cost a task takes.
func depthGrain(work int) int { return max(1, 1<<16/(work+64)) }

// depthForward is Conv with one channel per group.
func depthForward(p *parallel.Pool, cp *ConvParams, x, w []float32, epi ConvEpilogue, y []float32) {
	if epi.Add == nil {
		if d := depthPlan(cp, false); d != nil {
			d.run(p, cp, x, w, &epi, y)
			return
		}
	}
	tc := tapConvs.Get().(*tapConv)
	defer tc.release()
	tc.planes.forward(cp)
	tc.taps = tc.tapOffsets(tc.taps, cp)
	in, out, k := volume(cp.In), volume(cp.Out), volume(cp.Kernel)
	p.For(cp.N*cp.C, depthGrain(out*k+tc.chanSize), func(lo, hi int) {
		dt := depthTasks.Get().(*depthTask)
		defer dt.release()
		dt.setTaps(tc.taps)
		fb := newFillBatch(&tc.planes)
		defer fb.buf.put()
		for i := lo; i < hi; i++ {
			src := fb.at(i, hi, x, in)
			c := i % cp.C
			dt.w = unsafe.Pointer(&w[c*k])
			dt.setEpilogue(&epi, c, i*out)
			dt.slices(&tc.planes, src, y[i*out:(i+1)*out], tapRowsShort)
		}
	})
}

// depthWeight is ConvDW with one channel per group.
func depthWeight(p *parallel.Pool, cp *ConvParams, x, dy, dw []float32) {
	if d := depthPlan(cp, true); d != nil {
		d.runDW(p, cp, x, dy, dw)
		return
	}
	tc := tapConvs.Get().(*tapConv)
	defer tc.release()
	tc.planes.forward(cp)
	tc.taps = tc.tapOffsets(tc.taps, cp)
	in, out, k := volume(cp.In), volume(cp.Out), volume(cp.Kernel)
	p.For(cp.C, depthGrain(cp.N*(out*k+tc.chanSize)), func(lo, hi int) {
		dt := depthTasks.Get().(*depthTask)
		defer dt.release()
		fb := newFillBatch(&tc.planes)
		defer fb.buf.put()
		dt.setTaps(tc.taps)
		clear(dw[lo*k : hi*k])
		for n := range cp.N {
			fb.end = 0
			for c := lo; c < hi; c++ {
				sums := dw[c*k : (c+1)*k]
				i := n*cp.C + c
				src := fb.at(i, n*cp.C+hi, x, in)
				for t := 0; t < k; t += 9 {
					dt.taps = min(9, k-t)
					dt.off = unsafe.Pointer(&dt.offsets[t])
					dt.sums = [9]float32{}
					dt.slices(&tc.planes, src, dy[i*out:(i+1)*out], tapDots)
					for j := range dt.taps {
						sums[t+j] += dt.sums[j]
					}
				}
			}
		}
	})
}

// depth is ConvDX with one channel per group.
func (dp *dataPlan) depth(p *parallel.Pool, cp *ConvParams, dy, w []float32, epi ConvEpilogue, dx []float32) {
	if m, ok := cp.mirror(); ok && epi.Add == nil {
		if d := depthPlan(&m, false); d != nil {
			d.runDX(p, &m, dy, w, &epi, dx)
			return
		}
	}
	if epi.Bias == nil && epi.Add == nil && !epi.Clip {
		if d := depthBackPlan(cp); d != nil {
			d.runBack(p, cp, dy, w, dx)
			return
		}
	}
	b := &dp.base
	in, out, k := volume(cp.In), volume(cp.Out), volume(cp.Kernel)
	p.For(cp.N*cp.C, depthGrain(in*ceilDiv(k, len(dp.phases))+b.chanSize), func(lo, hi int) {
		dt := depthTasks.Get().(*depthTask)
		defer dt.release()
		fb, tmp := newFillBatch(b), getBuffer(in)
		defer fb.buf.put()
		defer tmp.put()
		var weights []float32
		for i := lo; i < hi; i++ {
			c := i % cp.C
			src := fb.at(i, hi, dy, out)
			dst := dx[i*in : (i+1)*in]
			for j := range dp.phases {
				ph := &dp.phases[j]
				dt.setTaps(ph.taps)
				weights = weights[:0]
				for _, t := range ph.kernel {
					weights = append(weights, w[c*k+t])
				}
				if len(weights) > 0 {
					dt.w = unsafe.Pointer(&weights[0])
				}
				if len(dp.phases) == 1 {
					dt.setEpilogue(&epi, c, i*in)
					dt.slices(&ph.planes, src, dst, tapRowsShort)
					continue
				}
				dt.setEpilogue(&ConvEpilogue{}, c, 0)
				dt.slices(&ph.planes, src, tmp.f, tapRowsShort)
				ph.spread(cp, tmp.f, dst)
			}
			if len(dp.phases) > 1 {
				epi.apply(dst, i*in, c)
			}
		}
	})
}
