package kernel

import (
	"sync"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// depthPlanes is the argument of the kernels for depthwise windows of 3×3 with stride 1 or 2, which read the input where it lies: masks
// leave out the columns of the padding, and a row of zeros stands for its rows. Distances in bytes. depthForward computes, for planes of
// one image, each with its 9 weights and its bias,
//
//	for c := range planes { for r := range rows { for j := range columns {
//		dst[c][r][j] = min(max(bias[c] + Σ_{y,x<3} w[c][3y+x] * src[c][r*stride+y-top][j*stride+x-left], lo), hi)
//	}}}
//
// and depthDots, for one channel of many images,
//
//	for c := range planes { for r := range rows { for j := range columns { for y, x := range 3, 3 {
//		sums[3y+x] += dst[c][r][j] * src[c][r*stride+y-top][j*stride+x-left]
//	}}}}
//
// depthBackward is the gradient by the input of stride 2 where one row and column of padding come first: dst, of 2*rows rows, one less
// where bottom is 1, gets
//
//	dst[c][i][j] = Σ_{r,k,y,x<3: 2r+y-1 = i, 2k+x-1 = j} w[c][3y+x] * src[c][r][k]
//
// All count planes down, depthForward left too.
type depthPlanes struct {
	planes, rows    int
	src             unsafe.Pointer
	srcRow, srcStep int
	dst             unsafe.Pointer
	dstRow, dstStep int
	w, bias         unsafe.Pointer
	zero            unsafe.Pointer // as long as a row
	tiles           unsafe.Pointer // []depthTile
	nTiles          int
	top, bottom     int // whether the first and the last row that windows see are padding
	left, exact     int // rows of all planes; how many of the last may not be written beyond
	lo, hi          float32
	sums            [9]float32
	biasStep        int
	at              [4]uintptr // the kernel's own
}

// depthTile is outputs j, j+1, … of rows, as many as a vector has: where they and what they see begin, and which elements exist. masked is
// 0 where all do.
type depthTile struct {
	src, dst, masked int
	bits             [8]uint16
	lanes            [6][8]uint32
}

// depthOutputs is the mask of outputs behind those of the loads of a tile. depthBackward writes two vectors, with this and the one before.
const depthOutputs = 5

type depthKernels struct {
	lanes         int
	forward, dots [2]func(*depthPlanes) // by stride-1
	backward      func(*depthPlanes)
}

// depth3x3 is nil where the instruction set has none; depth3x3Narrow is for rows of up to 8 outputs.
var depth3x3, depth3x3Narrow *depthKernels

// depthPlane is the most elements of planes of which runDW takes a channel at a time.
const depthPlane = 2048

// depthZeros stand for a row of padding.
var depthZeros [4096]float32

// depthDirect is the plan of a depthwise convolution by depth3x3.
type depthDirect struct {
	depthPlanes
	kernels *depthKernels
	stride  int
	tiles   []depthTile
}

var depthDirects = sync.Pool{New: func() any { return new(depthDirect) }}

func (d *depthDirect) release() {
	d.depthPlanes = depthPlanes{}
	depthDirects.Put(d)
}

// depthPlan is the plan for cp, nil where the kernels cannot do it. Tiles overlap where rows have more than one vector, unless dots.
func depthPlan(cp *ConvParams, dots bool) *depthDirect {
	k := depth3x3
	if cp.Out[2] <= 8 {
		k = depth3x3Narrow
	}
	s, top, left := cp.Stride[1], cp.PadLo[1], cp.PadLo[2]
	ih, iw, oh, ow := cp.In[1], cp.In[2], cp.Out[1], cp.Out[2]
	bottom := (oh-1)*s - top + 3 - ih // rows of padding behind
	switch {
	case k == nil, cp.Kernel != [3]int{1, 3, 3}, cp.In[0] != 1, cp.Out[0] != 1, cp.PadLo[0] != 0, cp.Dil[1] != 1, cp.Dil[2] != 1, s > 2,
		cp.Stride[2] != s, top > 1, left > 1, bottom > 1, iw+32 > len(depthZeros), oh*ow == 0, cp.N == 0:
		return nil
	}
	d := depthDirects.Get().(*depthDirect)
	d.kernels, d.stride = k, s
	d.tiles = d.tiles[:0]
	L := k.lanes
	for j := 0; j < ow; j += L {
		at := j
		if !dots && j > 0 {
			at = min(j, ow-L)
		}
		d.tiles = append(d.tiles, newDepthTile(at, min(L, ow-at), L, s, left, iw))
	}
	d.depthPlanes = depthPlanes{
		rows: oh, srcRow: 4 * iw, srcStep: 4 * ih * iw, dstRow: 4 * ow, dstStep: 4 * oh * ow,
		zero: unsafe.Pointer(&depthZeros[16]), nTiles: len(d.tiles), top: top, bottom: max(0, bottom),
	}
	if ow < L {
		d.exact = ceilDiv(L-ow, ow)
	}
	return d
}

// set says whether the element of a lane of mask m exists.
func (t *depthTile) set(m, lane int, exists bool) {
	if exists {
		t.bits[m] |= 1 << lane
		t.lanes[m][lane&7] = 1<<32 - 1 // of AVX2 alone
	} else {
		t.masked = 1
	}
}

// newDepthTile is the tile of n outputs from column at on of rows of iw elements with left of padding before.
func newDepthTile(at, n, lanes, stride, left, iw int) depthTile {
	first := at*stride - left
	t := depthTile{src: 4 * first, dst: 4 * at}
	for lane := range lanes {
		t.set(depthOutputs, lane, lane < n)
		for m := range 2 + stride {
			column, output := first+lane+m, lane
			if stride == 2 { // elements 0, lanes, 2 and lanes+2 on: pairs of taps
				column = first + lane + m/2*2 + m%2*lanes
				output = (lane + m%2*lanes) / 2
			}
			t.set(m, lane, output < n && 0 <= column && column < iw)
		}
	}
	return t
}

// forward is Conv of planes lo..hi-1 of n*c, with the weights and biases of their channels.
func (d *depthDirect) forward(cp *ConvParams, lo, hi int, x, w []float32, epi *ConvEpilogue, y []float32) {
	in, out := volume(cp.In), volume(cp.Out)
	a := d.depthPlanes
	a.tiles = unsafe.Pointer(&d.tiles[0])
	a.lo, a.hi = noClip[0], noClip[1]
	if epi.Clip {
		a.lo, a.hi = epi.Lo, epi.Hi
	}
	for lo < hi {
		c := lo % cp.C
		n := min(hi-lo, cp.C-c, max(1, depthCall/(9*out)))
		a.planes, a.left = n, n*d.rows
		a.src, a.dst, a.w = unsafe.Pointer(&x[lo*in]), unsafe.Pointer(&y[lo*out]), unsafe.Pointer(&w[c*9])
		a.bias, a.biasStep = unsafe.Pointer(&depthZeros[0]), 0
		if epi.Bias != nil {
			a.bias, a.biasStep = unsafe.Pointer(&epi.Bias[c]), 4
		}
		preempt()
		d.kernels.forward[d.stride-1](&a)
		lo += n
	}
}

// run is Conv.
func (d *depthDirect) run(p *parallel.Pool, cp *ConvParams, x, w []float32, epi *ConvEpilogue, y []float32) {
	defer d.release()
	p.For(cp.N*cp.C, depthGrain(9*volume(cp.Out)), func(lo, hi int) { d.forward(cp, lo, hi, x, w, epi, y) })
}

// runDX is ConvDX with stride 1, d the plan of its mirror: weights in reverse order.
func (d *depthDirect) runDX(p *parallel.Pool, mirror *ConvParams, dy, w []float32, epi *ConvEpilogue, dx []float32) {
	back := getBuffer(9 * mirror.C)
	defer back.put()
	for i := range 9 * mirror.C {
		back.f[i] = w[i/9*9+8-i%9]
	}
	d.run(p, mirror, dy, back.f, epi, dx)
}

// depthBackPlan is the plan of ConvDX for cp with stride 2, nil where the kernels cannot do it.
func depthBackPlan(cp *ConvParams) *depthDirect {
	if cp.PadLo != [3]int{0, 1, 1} || cp.Stride != [3]int{1, 2, 2} || cp.In[1] > 2*cp.Out[1] || cp.In[2] > 2*cp.Out[2] {
		return nil
	}
	d := depthPlan(cp, true)
	if d == nil {
		return nil
	}
	ih, iw, oh, ow, L := cp.In[1], cp.In[2], cp.Out[1], cp.Out[2], d.kernels.lanes
	d.tiles = d.tiles[:0]
	for j := 0; j < ow; j += L {
		t := depthTile{src: 4 * j, dst: 8 * j}
		for lane := range L {
			t.set(0, lane, j+lane < ow)
			t.set(1, lane, j+lane+1 < ow)
			t.set(depthOutputs-1, lane, 2*j+lane < iw)
			t.set(depthOutputs, lane, 2*j+L+lane < iw)
		}
		d.tiles = append(d.tiles, t)
	}
	a := &d.depthPlanes
	a.srcRow, a.srcStep, a.dstRow, a.dstStep, a.bottom = a.dstRow, a.dstStep, a.srcRow, a.srcStep, 2*oh-ih
	return d
}

// runBack is ConvDX with stride 2.
func (d *depthDirect) runBack(p *parallel.Pool, cp *ConvParams, dy, w, dx []float32) {
	defer d.release()
	in, out := volume(cp.In), volume(cp.Out)
	p.For(cp.N*cp.C, depthGrain(9*out), func(lo, hi int) {
		a := d.depthPlanes
		a.tiles, a.bias = unsafe.Pointer(&d.tiles[0]), unsafe.Pointer(&depthZeros[0])
		for lo < hi {
			c := lo % cp.C
			n := min(hi-lo, cp.C-c, max(1, depthCall/(9*out)))
			a.planes = n
			a.src, a.dst, a.w = unsafe.Pointer(&dy[lo*out]), unsafe.Pointer(&dx[lo*in]), unsafe.Pointer(&w[c*9])
			preempt()
			d.kernels.backward(&a)
			lo += n
		}
	})
}

// runDW is ConvDW.
func (d *depthDirect) runDW(p *parallel.Pool, cp *ConvParams, x, dy, dw []float32) {
	defer d.release()
	in, out := volume(cp.In), volume(cp.Out)
	// A channel of many images at once sums them in registers, but planes are read faster in the order in which they lie.
	most, grain := max(1, depthCall/(9*out)), depthGrain(9*cp.N*out)
	if in > depthPlane {
		most, grain = 1, max(grain, 16*depthPlane/in)
	}
	p.For(cp.C, grain, func(lo, hi int) {
		a := d.depthPlanes
		a.tiles = unsafe.Pointer(&d.tiles[0])
		a.srcStep, a.dstStep = 4*cp.C*in, 4*cp.C*out
		clear(dw[lo*9 : hi*9])
		for n := 0; n < cp.N; n += most {
			for c := lo; c < hi; c++ {
				preempt()
				i := n*cp.C + c
				a.planes, a.src, a.dst = min(most, cp.N-n), unsafe.Pointer(&x[i*in]), unsafe.Pointer(&dy[i*out])
				copy(a.sums[:], dw[c*9:])
				d.kernels.dots[d.stride-1](&a)
				copy(dw[c*9:], a.sums[:])
			}
		}
	})
}

// mirror is the convolution that ConvDX of cp is, where its stride is 1.
func (cp *ConvParams) mirror() (m ConvParams, ok bool) {
	m = *cp
	m.In, m.Out = cp.Out, cp.In
	for i := range 3 {
		if cp.Stride[i] != 1 {
			return m, false
		}
		reach := cp.Dil[i] * (cp.Kernel[i] - 1)
		m.PadLo[i] = reach - cp.PadLo[i]
		m.PadHi[i] = cp.In[i] + cp.PadLo[i] - cp.Out[i]
	}
	return m, true
}
