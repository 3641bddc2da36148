package kernel

import (
	"slices"
	"sync"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// tapConv is a convolution as a matrix product whose right operand is gathered from planes: element
// (k, position) lies at koff[k] + position. It is the forward pass and, with the roles of
// channels exchanged, one stride phase of the data gradient.
type tapConv struct {
	planes
	ks             *tileKernels
	images, groups int
	chans, rows    int   // per group: channels read, channels written
	srcChans       int   // channels per image of the source
	koff           []int // byte offset in a group's channels of (channel, tap)
	out            [3]int
	dst            []float32
	dstImage       int // distance of images in dst
	dstRow         int // distance of channels in dst
	epi            ConvEpilogue
	taps           []int
}

var tapConvs = sync.Pool{New: func() any { return new(tapConv) }}

func (tc *tapConv) release() {
	*tc = tapConv{koff: tc.koff[:0], taps: tc.taps[:0]}
	tapConvs.Put(tc)
}

// forward sets the geometry of Conv.
func (tc *tapConv) forward(cp *ConvParams) {
	tc.ks = tiles
	tc.images, tc.groups = cp.N, cp.Group
	tc.chans, tc.rows, tc.srcChans = cp.C/cp.Group, cp.M/cp.Group, cp.C
	tc.out = cp.Out
	tc.dstRow = volume(cp.Out)
	tc.dstImage = cp.M * tc.dstRow
	tc.planes.forward(cp)
	tc.taps = tc.planes.tapOffsets(tc.taps, cp)
	tc.setOffsets()
}

// forward sets the planes of X.
func (pl *planes) forward(cp *ConvParams) {
	pl.in, pl.stride, pl.lo = cp.In, cp.Stride, cp.PadLo
	pl.identity = true
	for d := range 3 {
		pl.phases[d] = pl.phaseBuf[d][:0]
		if cp.Out[d] == 1 {
			pl.stride[d] = 1 // one window: the stride never happens
		}
		for k := range cp.Kernel[d] {
			pl.at(d, k*cp.Dil[d]%pl.stride[d])
		}
		pl.size[d] = cp.Out[d] + (cp.Kernel[d]-1)*cp.Dil[d]/pl.stride[d]
		if pl.stride[d] != 1 || pl.lo[d] != 0 || pl.size[d] > cp.In[d] {
			pl.identity = false
		}
	}
	if pl.identity {
		pl.size = cp.In
	}
	pl.chanSize = volume(pl.size) * len(pl.phases[0]) * len(pl.phases[1]) * len(pl.phases[2])
	pl.setOut(cp.Out)
}

// tapOffsets appends the offset in a channel's planes of every tap of the kernel.
func (pl *planes) tapOffsets(taps []int, cp *ConvParams) []int {
	for kd := range cp.Kernel[0] {
		d := kd * cp.Dil[0]
		for kh := range cp.Kernel[1] {
			h := kh * cp.Dil[1]
			for kw := range cp.Kernel[2] {
				w := kw * cp.Dil[2]
				s := pl.stride
				phase := (pl.at(0, d%s[0])*len(pl.phases[1])+pl.at(1, h%s[1]))*len(pl.phases[2]) + pl.at(2, w%s[2])
				taps = append(taps, phase*volume(pl.size)+(d/s[0]*pl.size[1]+h/s[1])*pl.size[2]+w/s[2])
			}
		}
	}
	return taps
}

// setOffsets fills koff from taps.
func (tc *tapConv) setOffsets() {
	tc.koff = slices.Grow(tc.koff[:0], tc.chans*len(tc.taps))
	for c := range tc.chans {
		for _, t := range tc.taps {
			tc.koff = append(tc.koff, 4*(c*tc.chanSize+t))
		}
	}
}

const (
	convFillBytes    = 1 << 20   // padded copies of images at a time
	convDirectPanels = 32        // most panels of weights that read the planes without packing them
	convABytes       = 384 << 10 // weights that may be read again for every panel of positions
)

// run convolves src with the packed weights a.
func (tc *tapConv) run(p *parallel.Pool, src, a []float32, epi ConvEpilogue, dst []float32) {
	tc.epi, tc.dst = epi, dst
	image := tc.srcChans * tc.chanSize
	if tc.identity {
		tc.runImages(p, src, a, 0, tc.images)
		return
	}
	step := min(tc.images, max(1, convFillBytes*p.Threads()/(4*image)))
	xp := getBuffer(step * image)
	defer xp.put()
	in := volume(tc.in)
	for n0 := 0; n0 < tc.images; n0 += step {
		n := min(step, tc.images-n0)
		p.For(n*tc.srcChans, max(1, 1<<13/tc.chanSize), func(lo, hi int) {
			for c := lo; c < hi; c++ {
				at := (n0*tc.srcChans + c) * in
				tc.fill(xp.f[c*tc.chanSize:(c+1)*tc.chanSize], src[at:at+in])
			}
		})
		tc.runImages(p, xp.f, a, n0, n)
	}
}

// convTask is the memory of one running task.
type convTask struct {
	tile
	moves []move
}

var convTasks = sync.Pool{New: func() any { return new(convTask) }}

// runImages does n images from n0 on, whose planes stand at the front of xp.
func (tc *tapConv) runImages(p *parallel.Pool, xp, a []float32, n0, n int) {
	ks := tc.ks
	per := volume(tc.out)
	mr, nv := ks.shapeFor(tc.rows, 1<<30)
	width := nv * ks.lanes
	// Positions of several images share a panel where one image fills its panels badly and the
	// time that takes is more than that of bringing the results to their places.
	images := 1
	if waste := roundUp(per, width) - per; n > 1 && waste*len(tc.koff) > 30*per {
		images = min(n, ceilDiv(16*width, per))
	}
	columns := images * per
	panels := ceilDiv(columns, width)
	units := ceilDiv(n, images) * tc.groups
	work := 2 * tc.rows * len(tc.koff) * width
	// A task is some panels of one unit: few enough for the threads, enough to amortise its start.
	chunk := min(panels, max(1, (1<<19)/work))
	if tc.rows*len(tc.koff)*4 > convABytes {
		chunk = max(1, ceilDiv(panels, max(1, ceilDiv(4*p.Threads(), units))))
		if p.Threads() == 1 {
			chunk = panels
		}
	}
	chunks := ceilDiv(panels, chunk)
	p.For(units*chunks, max(1, (1<<19)/(work*chunk)), func(lo, hi int) {
		ct := convTasks.Get().(*convTask)
		defer convTasks.Put(ct)
		for i := lo; i < hi; i++ {
			u, q := i/chunks, i%chunks*chunk
			im := u / tc.groups * images
			tc.task(ct, ks, mr, width, xp, a, n0, im, min(images, n-im), u%tc.groups, q, min(q+chunk, panels))
		}
	})
}

func roundUp(n, unit int) int { return ceilDiv(n, unit) * unit }

// task does panels q0..q1-1 of the positions of the images im..im+images-1 of one group.
func (tc *tapConv) task(ct *convTask, ks *tileKernels, mr, width int, xp, a []float32, n0, im, images, g, q0, q1 int) {
	k, rows, per := len(tc.koff), tc.rows, volume(tc.out)
	columns := images * per
	q1 = min(q1, ceilDiv(columns, width))
	if q0 >= q1 {
		return
	}
	kc := blocksOf(k)
	pb := getBuffer(kc * width)
	defer pb.put()
	var tmp *buffer
	if images > 1 {
		tmp = getBuffer((q1 - q0) * rows * width)
		defer tmp.put()
	}
	a = a[g*rows*k : (g+1)*rows*k]
	image := tc.srcChans * tc.chanSize
	src := xp[im*image+g*tc.chans*tc.chanSize:]
	panels, base, longer := split(rows, mr)
	// Where every vector lies in one run, few panels of rows read B where it is faster than they pack it.
	oneRun := ks.taps != nil && panels <= convDirectPanels && (tc.runs == 1 || images == 1 && tc.rowLen%ks.lanes == 0)
	// What is added stands where the result goes: the tiles start from it.
	added := len(tc.epi.Add) > 0 && &tc.epi.Add[0] == &tc.dst[0]
	step := q1 - q0
	if rows*k*4 <= convABytes {
		step = 1
	}
	t := &ct.tile
	for s := q0; s < q1; s += step {
		for k0 := 0; k0 < k; k0 += kc {
			preempt()
			kb := min(kc, k-k0)
			for q := s; q < min(s+step, q1); q++ {
				j := q * width
				cols := min(width, columns-j)
				first, pos := j/per, j%per // image and place in it of the first column
				across := pos+cols > per   // the columns are those of several images
				inPlace := added && !across
				taps := false
				if oneRun && !across && (ks.masked || cols%ks.lanes == 0) {
					taps = true
					t.koff = unsafe.Pointer(&tc.koff[k0])
					for v := 0; v*ks.lanes < cols; v++ {
						t.bv[v] = unsafe.Pointer(&src[first*image+tc.position(pos+v*ks.lanes)])
					}
				} else {
					ct.moves = tc.appendMoves(ct.moves[:0], image, j, cols, 0)
					packTaps(pb.f, width, src, tc.koff[k0:k0+kb], ct.moves)
					t.b, t.brs = unsafe.Pointer(&pb.f[0]), 4*width
				}
				t.flags = 0
				if k0 > 0 || inPlace {
					t.flags = tileAcc
				}
				v := t.setCols(ks, cols)
				t.k, t.ars = kb, 4
				if across {
					t.c, t.crs = unsafe.Pointer(&tmp.f[(q-q0)*rows*width]), 4*width
				} else {
					at := (n0+im+first)*tc.dstImage + g*rows*tc.dstRow + pos
					t.c, t.crs = unsafe.Pointer(&tc.dst[at]), 4*tc.dstRow
					if k0+kb == k {
						tc.setEpilogue(t, g*rows, at)
						if inPlace {
							t.flags &^= tileAdd
						}
					}
				}
				row := 0
				for i := range panels {
					r := base
					if i < longer {
						r++
					}
					t.a, t.acs = unsafe.Pointer(&a[k0*rows+row*kb]), 4*r
					if taps {
						ks.taps[v-1][r-1](t)
					} else {
						ks.run(t, v, r)
					}
					row += r
					if row < rows {
						t.c = unsafe.Add(t.c, r*t.crs)
						if t.flags&tileRowBias != 0 {
							t.rowBias = unsafe.Add(t.rowBias, 4*r)
						}
						if t.flags&tileAdd != 0 {
							t.add = unsafe.Add(t.add, r*t.addrs)
						}
					}
				}
			}
		}
	}
	ct.tile = tile{}
	if tmp != nil {
		for q := q0; q < q1; q++ {
			if cols := min(width, columns-q*width); q*width%per+cols > per {
				tc.scatter(tmp.f[(q-q0)*rows*width:], width, n0+im, g, q*width, cols)
			}
		}
	}
}

// setEpilogue makes the tiles finish their elements; at is the index of the first in dst.
func (tc *tapConv) setEpilogue(t *tile, channel, at int) {
	e := &tc.epi
	if e.Bias != nil {
		t.flags |= tileRowBias
		t.rowBias = unsafe.Pointer(&e.Bias[channel])
	}
	if e.Add != nil {
		t.flags |= tileAdd
		t.add, t.addrs = unsafe.Pointer(&e.Add[at]), t.crs
	}
	if e.Clip {
		t.flags |= tileClip
		t.lo, t.hi = e.Lo, e.Hi
	}
}

// scatter brings a panel whose columns are positions of several images to dst.
func (tc *tapConv) scatter(panel []float32, width, image, g, j, cols int) {
	per := volume(tc.out)
	e := &tc.epi
	for lane := 0; lane < cols; {
		im, pos := (j+lane)/per, (j+lane)%per
		n := min(cols-lane, per-pos)
		for i := range tc.rows {
			at := (image+im)*tc.dstImage + (g*tc.rows+i)*tc.dstRow + pos
			d, s := tc.dst[at:at+n], panel[i*width+lane:i*width+lane+n]
			if e.Bias == nil && e.Add == nil && !e.Clip {
				copy(d, s)
				continue
			}
			var b float32
			if e.Bias != nil {
				b = e.Bias[g*tc.rows+i]
			}
			for x, v := range s {
				v += b
				if e.Add != nil {
					v += e.Add[at+x]
				}
				if e.Clip {
					v = clip(v, e.Lo, e.Hi)
				}
				d[x] = v
			}
		}
		lane += n
	}
}
