package kernel

import "github.com/gtk-onnx/gtk/internal/parallel"

// ConvParams is the geometry of a convolution of X [N,C,D,H,W] with weights [M,C/Group,KD,KH,KW] to
// Y [N,M,OD,OH,OW]. Triples are depth, height, width; with fewer spatial dimensions the leading ones are
// 1 (stride 1, dilation 1, no pad). Out is part of the description: rows of X that no window reaches are
// allowed, as ONNX allows them.
type ConvParams struct {
	N, C, M, Group int
	In, Kernel     [3]int
	Stride, Dil    [3]int
	PadLo, PadHi   [3]int
	Out            [3]int
}

// SetOut sets Out to floor((In + pads − Dil·(Kernel−1) − 1) / Stride) + 1, not less than 0.
func (cp *ConvParams) SetOut() {
	for d := range 3 {
		room := cp.In[d] + cp.PadLo[d] + cp.PadHi[d] - cp.Dil[d]*(cp.Kernel[d]-1) - 1
		cp.Out[d] = 0
		if room >= 0 {
			cp.Out[d] = room/cp.Stride[d] + 1
		}
	}
}

// Flops is the number of floating-point operations of the forward pass, a multiplication and an addition counted as two.
func (cp *ConvParams) Flops() float64 {
	return 2 * float64(cp.N) * float64(cp.M) * float64(volume(cp.Out)) * float64(cp.C/cp.Group) * float64(volume(cp.Kernel))
}

func volume(d [3]int) int { return d[0] * d[1] * d[2] }

// sizes are the lengths of X, W and Y.
func (cp *ConvParams) sizes() (x, w, y int) {
	return cp.N * cp.C * volume(cp.In), cp.M * (cp.C / cp.Group) * volume(cp.Kernel), cp.N * cp.M * volume(cp.Out)
}

// check panics unless the slices are long enough and the geometry is one.
func (cp *ConvParams) check(x, w, y int) {
	if cp.Group < 1 || cp.C%cp.Group != 0 || cp.M%cp.Group != 0 || cp.N < 0 {
		panic("kernel: conv: bad number of channels or groups")
	}
	for d := range 3 {
		if cp.In[d] < 0 || cp.Kernel[d] < 1 || cp.Stride[d] < 1 || cp.Dil[d] < 1 || cp.Out[d] < 0 {
			panic("kernel: conv: bad geometry")
		}
	}
	nx, nw, ny := cp.sizes()
	if x < nx || w < nw || y < ny {
		panic("kernel: conv: slice is too short")
	}
}

func (cp *ConvParams) depthwise() bool { return cp.Group == cp.C && cp.Group == cp.M && cp.C > 1 }

// ConvEpilogue is what a convolution does to each element of Y when it is complete:
// v += Bias[m]; v += Add[same place]; v = min(max(v, Lo), Hi) if Clip. Nil slices are left out; NaN passes the clip.
// Add may be Y itself in Conv, nowhere else.
type ConvEpilogue struct {
	Bias, Add []float32
	Clip      bool
	Lo, Hi    float32
}

func (e *ConvEpilogue) check(channels, y int) ConvEpilogue {
	if e == nil {
		return ConvEpilogue{}
	}
	if e.Bias != nil && len(e.Bias) < channels || e.Add != nil && len(e.Add) < y {
		panic("kernel: conv: epilogue is too short")
	}
	return *e
}

// Conv is the forward convolution:
//
//	y[n,m,o] = epilogue(Σ_{c,k} x[n, g·C/Group+c, o·Stride + k·Dil − PadLo] · w[m,c,k])   g the group of m, zero outside x
//
// packed is nil or PackConv of the same weights, which saves that work per call.
func Conv(p *parallel.Pool, cp *ConvParams, x, w []float32, packed *PackedConv, e *ConvEpilogue, y []float32) {
	cp.check(len(x), len(w), len(y))
	_, _, ny := cp.sizes()
	if ny == 0 {
		return
	}
	epi := e.check(cp.M, ny)
	if cp.depthwise() {
		depthForward(p, cp, x, w, epi, y)
		return
	}
	if packed != nil && packed.wino || packed == nil && winoForward(cp) {
		var wc winoConv
		wc.setForward(cp, p.Threads())
		wc.conv(p, x, w, packed, false, &epi, y)
		return
	}
	tc := tapConvs.Get().(*tapConv)
	defer tc.release()
	tc.forward(cp)
	if packed != nil {
		tc.run(p, x, packed.a.f, epi, y)
		return
	}
	a := getBuffer(len(w))
	defer a.put()
	packForward(p, tiles, cp, w, a.f)
	tc.run(p, x, a.f, epi, y)
}

// PackedConv is the weights of a convolution as Conv reads them, for the instruction set in use: in its order, or transformed.
type PackedConv struct {
	a    *buffer
	wino bool
}

// FormConv is what the form of PackConv depends on beside the weights' shape.
type FormConv struct {
	group int
	wino  bool
}

// FormConv is the form for cp.
func (cp *ConvParams) FormConv() FormConv { return FormConv{cp.Group, winoForward(cp)} }

// Bytes is the size in bytes of weights of shape w in that form, where they are w bytes in all.
func (f FormConv) Bytes(w int) int { return winoBytes(f.wino, w) }

// PackConv packs w [M,C/Group,kernel] once for many calls of Conv with geometries of one FormConv; nil where Conv has no use for it.
func PackConv(cp *ConvParams, w []float32) *PackedConv {
	x, _, y := cp.sizes()
	cp.check(x, len(w), y)
	if cp.depthwise() {
		return nil
	}
	if winoForward(cp) {
		var wc winoConv
		wc.setForward(cp, 1)
		return &PackedConv{wc.packed(w, false), true}
	}
	pc := &PackedConv{a: newBuffer(len(w))}
	packForward(nil, tiles, cp, w, pc.a.f)
	return pc
}

// packForward packs the weights of every group: blocks of k, in them panels of rows of the micro-kernels ks, in the order in which they
// are read.
func packForward(p *parallel.Pool, ks *tileKernels, cp *ConvParams, w, dst []float32) {
	rows, k := cp.M/cp.Group, cp.C/cp.Group*volume(cp.Kernel)
	panels, base, longer := split(rows, ks.rowsFor(rows))
	kc := blocksOf(k)
	p.For(cp.Group*panels, max(1, 1<<14/(k*(base+1))), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			g, q := i/panels, i%panels
			i0 := g*rows + q*base + min(q, longer)
			r := base
			if q < longer {
				r++
			}
			for k0 := 0; k0 < k; k0 += kc {
				kb := min(kc, k-k0)
				packColumns(dst[g*rows*k+k0*rows+(i0-g*rows)*kb:], r, w[i0*k+k0:], k, r, kb)
			}
		}
	})
}

// rowsFor is the most rows per tile for a matrix of m rows and many columns.
func (ks *tileKernels) rowsFor(m int) int {
	mr, _ := ks.shapeFor(m, 1<<30)
	return mr
}
