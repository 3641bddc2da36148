package kernel

import (
	"sync"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// ConvDX is the gradient of a convolution with respect to X, and the forward pass of a transposed convolution
// whose input is dy and whose output is dx:
//
//	dx[n,c,i] = epilogue(Σ_{m,k,o: o·Stride + k·Dil − PadLo = i} dy[n,m,o] · w[m,c,k])
//
// The epilogue, nil for a gradient, has one bias per channel of X and an Add with the layout of X. packed is nil or PackConvDX of the same
// weights, which saves that work per call.
func ConvDX(p *parallel.Pool, cp *ConvParams, dy, w []float32, packed *PackedConvDX, e *ConvEpilogue, dx []float32) {
	cp.check(len(dx), len(w), len(dy))
	nx, _, ny := cp.sizes()
	if nx == 0 {
		return
	}
	epi := e.check(cp.C, nx)
	if packed != nil && packed.wino || packed == nil && ny > 0 && winoData(cp) {
		var wc winoConv
		wc.setData(cp, p.Threads())
		wc.conv(p, dy, w, (*PackedConv)(packed), true, &epi, dx)
		return
	}
	dp := dataPlans.Get().(*dataPlan)
	defer dataPlans.Put(dp)
	if ny > 0 {
		dp.set(cp)
	}
	if ny == 0 || len(dp.phases) == 1 && len(dp.phases[0].taps) == 0 { // no window reaches X
		clear(dx[:nx])
		in := volume(cp.In)
		for i := range cp.N * cp.C {
			epi.apply(dx[i*in:(i+1)*in], i*in, i%cp.C)
		}
		return
	}
	if cp.depthwise() {
		dp.depth(p, cp, dy, w, epi, dx)
		return
	}
	if packed != nil {
		dp.run(p, cp, dy, packed.a.f, epi, dx)
		return
	}
	a := getBuffer(len(w))
	defer a.put()
	dp.pack(p, cp, w, a.f)
	dp.run(p, cp, dy, a.f, epi, dx)
}

// PackedConvDX is the weights of a convolution in the order in which ConvDX reads them, for the instruction set in use.
type PackedConvDX PackedConv

// PackConvDX packs w [M,C/Group,kernel] once for many calls of ConvDX with geometries of one FormDX; nil where ConvDX has no use for it.
func PackConvDX(cp *ConvParams, w []float32) *PackedConvDX {
	x, _, y := cp.sizes()
	cp.check(x, len(w), y)
	if cp.depthwise() {
		return nil
	}
	if winoData(cp) {
		var wc winoConv
		wc.setData(cp, 1)
		return &PackedConvDX{wc.packed(w, true), true}
	}
	dp := dataPlans.Get().(*dataPlan)
	defer dataPlans.Put(dp)
	dp.set(cp)
	pc := &PackedConvDX{a: newBuffer(len(w))}
	dp.pack(nil, cp, w, pc.a.f)
	return pc
}

// FormDX is what the order of PackConvDX depends on beside the weights' shape, strides, dilations and groups.
type FormDX struct {
	phases, pad [3]int
	wino        bool
}

// Bytes is the size in bytes of weights in that form, where they are w bytes in all.
func (f FormDX) Bytes(w int) int { return winoBytes(f.wino, w) }

// FormDX is the form for cp.
func (cp *ConvParams) FormDX() FormDX {
	f := FormDX{pad: cp.PadLo, wino: winoData(cp)}
	for d := range 3 {
		f.phases[d] = min(cp.Stride[d], cp.In[d])
	}
	return f
}

// dataPlan is the geometry of ConvDX: a convolution over dy with stride 1 for every phase of the stride. In one dimension
// the positions i = q·Stride + r of phase r read o = q + d with d = (r + PadLo − k·Dil) / Stride for the k that divide.
type dataPlan struct {
	phases []dataPhase
	base   planes
}

type dataPhase struct {
	tapConv
	r, q    [3]int
	kernel  []int // tap index of each of taps
	weights int   // start of the phase's packed weights
}

var dataPlans = sync.Pool{New: func() any { return new(dataPlan) }}

func (dp *dataPlan) set(cp *ConvParams) {
	var lo, hi [3]int
	for d := range 3 {
		first := true
		for r := range min(cp.Stride[d], cp.In[d]) {
			q := (cp.In[d]-1-r)/cp.Stride[d] + 1
			for k := range cp.Kernel[d] {
				num := r + cp.PadLo[d] - k*cp.Dil[d]
				if num%cp.Stride[d] != 0 {
					continue
				}
				from, to := num/cp.Stride[d], num/cp.Stride[d]+q-1
				if first {
					lo[d], hi[d], first = from, to, false
				}
				lo[d], hi[d] = min(lo[d], from), max(hi[d], to)
			}
		}
	}
	b := &dp.base
	*b = planes{in: cp.Out, stride: [3]int{1, 1, 1}, identity: true}
	for d := range 3 {
		b.lo[d], b.size[d] = -lo[d], hi[d]-lo[d]+1
		b.phases[d] = b.phaseBuf[d][:1]
		if lo[d] != 0 || b.size[d] > cp.Out[d] {
			b.identity = false
		}
	}
	if b.identity {
		b.size = cp.Out
	}
	b.chanSize = volume(b.size)
	dp.phases = dp.phases[:0]
	at := 0
	s := cp.Stride
	for rd := range min(s[0], cp.In[0]) {
		for rh := range min(s[1], cp.In[1]) {
			for rw := range min(s[2], cp.In[2]) {
				if len(dp.phases) < cap(dp.phases) {
					dp.phases = dp.phases[:len(dp.phases)+1]
				} else {
					dp.phases = append(dp.phases, dataPhase{})
				}
				ph := &dp.phases[len(dp.phases)-1]
				*ph = dataPhase{r: [3]int{rd, rh, rw}, kernel: ph.kernel[:0], weights: at,
					tapConv: tapConv{planes: *b, koff: ph.koff[:0], taps: ph.taps[:0]}}
				ph.set(cp, lo)
				at += cp.C * (cp.M / cp.Group) * len(ph.taps)
			}
		}
	}
}

// set fills in what phase r needs beyond the planes.
func (ph *dataPhase) set(cp *ConvParams, lo [3]int) {
	for d := range 3 {
		ph.q[d] = (cp.In[d]-1-ph.r[d])/cp.Stride[d] + 1
		ph.planes.phases[d] = ph.phaseBuf[d][:1]
	}
	ph.ks = tiles
	ph.images, ph.groups = cp.N, cp.Group
	ph.chans, ph.rows, ph.srcChans = cp.M/cp.Group, cp.C/cp.Group, cp.M
	ph.out = ph.q
	ph.setOut(ph.q)
	var off [3]int
	for kd := range cp.Kernel[0] {
		for kh := range cp.Kernel[1] {
		tap:
			for kw := range cp.Kernel[2] {
				for d, k := range [3]int{kd, kh, kw} {
					num := ph.r[d] + cp.PadLo[d] - k*cp.Dil[d]
					if num%cp.Stride[d] != 0 {
						continue tap
					}
					off[d] = num/cp.Stride[d] - lo[d]
				}
				ph.taps = append(ph.taps, (off[0]*ph.size[1]+off[1])*ph.size[2]+off[2])
				ph.kernel = append(ph.kernel, (kd*cp.Kernel[1]+kh)*cp.Kernel[2]+kw)
			}
		}
	}
	ph.setOffsets()
}

// pack brings the weights of every phase to blocks of k and panels, as packForward: rows are channels of X, k is (m, tap).
func (dp *dataPlan) pack(p *parallel.Pool, cp *ConvParams, w, dst []float32) {
	rows, chans, taps := cp.C/cp.Group, cp.M/cp.Group, volume(cp.Kernel)
	panels, base, longer := split(rows, tiles.rowsFor(rows))
	p.For(cp.Group*panels*len(dp.phases), max(1, 1<<14*len(dp.phases)/(chans*taps*(base+1))), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			ph := &dp.phases[i%len(dp.phases)]
			g, q := i/len(dp.phases)/panels, i/len(dp.phases)%panels
			c0, r, t := q*base+min(q, longer), base, len(ph.taps)
			if q < longer {
				r++
			}
			if t == 0 {
				continue
			}
			all := chans * t
			kc := blocksOf(all)
			d := dst[ph.weights+g*rows*all:]
			// row is where element k of the panel stands, and how many follow it there.
			row := func(k int) (at []float32, n int) {
				k0 := k / kc * kc
				kb := min(kc, all-k0)
				return d[k0*rows+c0*kb+(k-k0)*r:], k0 + kb - k
			}
			for m := range chans {
				src := w[((g*chans+m)*rows+c0)*taps:]
				if t == taps {
					for j := 0; j < t; {
						at, n := row(m*t + j)
						n = min(n, t-j)
						packColumns(at, r, src[j:], taps, r, n)
						j += n
					}
					continue
				}
				for j, k := range ph.kernel {
					at, _ := row(m*t + j)
					at = at[:r]
					for x := range at {
						at[x] = src[x*taps+k]
					}
				}
			}
		}
	})
}

// run does all phases, some images at a time.
func (dp *dataPlan) run(p *parallel.Pool, cp *ConvParams, dy, a []float32, epi ConvEpilogue, dx []float32) {
	b := &dp.base
	image, in := cp.M*b.chanSize, volume(cp.Out)
	size := volume(cp.In)
	step := cp.N
	if !b.identity || len(dp.phases) > 1 {
		step = min(cp.N, max(1, convFillBytes*p.Threads()/(4*max(image, cp.C*size))))
	}
	var xp, tmp *buffer
	if !b.identity {
		xp = getBuffer(step * image)
		defer xp.put()
	}
	if len(dp.phases) > 1 {
		tmp = getBuffer(step * cp.C * size)
		defer tmp.put()
	}
	for n0 := 0; n0 < cp.N; n0 += step {
		n := min(step, cp.N-n0)
		src := dy[n0*cp.M*in:]
		if xp != nil {
			src = xp.f
			p.For(n*cp.M, max(1, 1<<13/b.chanSize), func(lo, hi int) {
				for c := lo; c < hi; c++ {
					at := (n0*cp.M + c) * in
					b.fill(xp.f[c*b.chanSize:(c+1)*b.chanSize], dy[at:at+in])
				}
			})
		}
		if tmp == nil {
			ph := &dp.phases[0]
			ph.dstRow, ph.dstImage, ph.epi, ph.dst = size, cp.C*size, epi, dx
			ph.runImages(p, src, a[ph.weights:], n0, n)
			ph.dst, ph.epi = nil, ConvEpilogue{}
			continue
		}
		// Every phase has its part of tmp: [image, channel, q].
		at := 0
		for i := range dp.phases {
			ph := &dp.phases[i]
			ph.dstRow = volume(ph.q)
			ph.dstImage = cp.C * ph.dstRow
			ph.dst = tmp.f[at : at+n*ph.dstImage]
			at += n * ph.dstImage
			if len(ph.taps) == 0 {
				clear(ph.dst)
				continue
			}
			ph.runImages(p, src, a[ph.weights:], 0, n)
		}
		p.For(n*cp.C, max(1, 1<<13/size), func(lo, hi int) {
			for c := lo; c < hi; c++ {
				out := dx[(n0*cp.C+c)*size : (n0*cp.C+c+1)*size]
				for i := range dp.phases {
					ph := &dp.phases[i]
					ph.spread(cp, ph.dst[c*ph.dstRow:(c+1)*ph.dstRow], out)
				}
				epi.apply(out, (n0*cp.C+c)*size, c%cp.C)
			}
		})
		for i := range dp.phases {
			dp.phases[i].dst = nil
		}
	}
}

// spread writes the positions of one phase of one channel to their places in X.
func (ph *dataPhase) spread(cp *ConvParams, src, dst []float32) {
	for d := range ph.q[0] {
		for h := range ph.q[1] {
			at := ((d*cp.Stride[0]+ph.r[0])*cp.In[1]+h*cp.Stride[1]+ph.r[1])*cp.In[2] + ph.r[2]
			row := src[:ph.q[2]]
			src = src[ph.q[2]:]
			s := cp.Stride[2]
			switch s {
			case 1:
				copy(dst[at:], row)
			case 2:
				putEven(dst[at:], row)
			default:
				for _, v := range row {
					dst[at] = v
					at += s
				}
			}
		}
	}
}

// apply finishes the elements of one channel that stand at index at of the whole.
func (e *ConvEpilogue) apply(x []float32, at, channel int) {
	if e.Bias == nil && e.Add == nil && !e.Clip {
		return
	}
	var b float32
	if e.Bias != nil {
		b = e.Bias[channel]
	}
	for i, v := range x {
		v += b
		if e.Add != nil {
			v += e.Add[at+i]
		}
		if e.Clip {
			v = clip(v, e.Lo, e.Hi)
		}
		x[i] = v
	}
}
