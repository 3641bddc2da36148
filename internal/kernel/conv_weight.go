package kernel

import (
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// ConvDWProducts is about how many multiplications ConvDW takes.
func ConvDWProducts(cp *ConvParams) float64 {
	n := float64(cp.N*cp.M*volume(cp.Out)) * float64(cp.C/cp.Group*volume(cp.Kernel))
	if winoWeight(cp) {
		return n / winoGain
	}
	return n
}

// winoGain is how many times as fast as its plain sums ConvDW is by Winograd's transforms, about (ResNet-18's layers on one picture).
const winoGain = 2.5

// ConvDW is the gradient of a convolution with respect to its weights, over the whole batch:
//
//	dw[m,c,k] = Σ_{n,o} dy[n,m,o] · x[n, g·C/Group+c, o·Stride + k·Dil − PadLo]   g the group of m
//
// The order of the sum depends on the geometry only.
func ConvDW(p *parallel.Pool, cp *ConvParams, x, dy, dw []float32) {
	cp.check(len(x), len(dw), len(dy))
	_, nw, ny := cp.sizes()
	if ny == 0 || nw == 0 {
		clear(dw[:nw])
		return
	}
	if cp.depthwise() {
		depthWeight(p, cp, x, dy, dw)
		return
	}
	if winoWeight(cp) {
		var wg winoWeightGrad
		wg.set(cp)
		wg.run(p, x, dy, dw)
		return
	}
	tc := tapConvs.Get().(*tapConv)
	defer tc.release()
	tc.forward(cp)
	wg := weightGrad{tapConv: tc, ks: tiles, per: volume(cp.Out), x: x, dy: dy}
	wg.run(p, cp, dw)
}

// weightGrad computes the transposed gradient [channel and tap, m] as a product of the gathered X (its rows are read
// along the positions) with the transposed dy.
type weightGrad struct {
	*tapConv
	ks           *tileKernels
	mr, width    int // tile: rows, columns
	mPanels      int // panels of width channels of dy per group
	per          int // positions per image
	x, dy        []float32
	src          []float32 // planes of the images in work
	dyT, dwT     []float32
	n0, total    int // first image in work, number of positions in work
	block        int // positions that one tile sums
	panels       int // panels of mr rows
	base, longer int
}

const (
	weightBlock   = 256 // positions per tile
	weightBlockHi = 512 // the same where the gradient is larger than the cache
)

func (wg *weightGrad) run(p *parallel.Pool, cp *ConvParams, dw []float32) {
	tc, ks := wg.tapConv, wg.ks
	k, m := len(tc.koff), tc.rows
	nv := min(2, ceilDiv(m, ks.lanes), len(ks.shapes))
	wg.mr, wg.width = len(ks.shapes[nv-1]), nv*ks.lanes
	wg.mPanels = ceilDiv(m, wg.width)
	wg.panels, wg.base, wg.longer = split(k, wg.mr)
	largest := weightBlock
	if k*m > 1<<17 {
		largest = weightBlockHi
	}
	image := tc.srcChans * tc.chanSize
	step := max(1, ceilDiv(2*largest, wg.per), convFillBytes/(4*max(image, cp.M*wg.per)))
	step = min(step, cp.N)
	dots := wg.useDots()
	if dots {
		clear(dw[:tc.groups*k*m])
	} else {
		dyT := getBuffer(tc.groups * wg.mPanels * wg.width * step * wg.per)
		defer dyT.put()
		dwT := getBuffer(tc.groups * k * m)
		defer dwT.put()
		wg.dyT, wg.dwT = dyT.f, dwT.f
	}
	if !tc.identity {
		xp := getBuffer(step * image)
		defer xp.put()
		wg.src = xp.f
	}
	in := volume(cp.In)
	for n0 := 0; n0 < cp.N; n0 += step {
		n := min(step, cp.N-n0)
		wg.n0, wg.total = n0, n*wg.per
		wg.block = ceilDiv(wg.total, ceilDiv(wg.total, largest))
		if tc.identity {
			wg.src = wg.x[n0*image:]
		} else {
			p.For(n*tc.srcChans, max(1, 1<<13/tc.chanSize), func(lo, hi int) {
				for c := lo; c < hi; c++ {
					at := (n0*tc.srcChans + c) * in
					tc.fill(wg.src[c*tc.chanSize:(c+1)*tc.chanSize], wg.x[at:at+in])
				}
			})
		}
		if dots {
			wg.runDots(p, cp, n, dw)
			continue
		}
		p.For(n*tc.groups*wg.mPanels, max(1, 1<<13/(wg.width*wg.per)), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				wg.transpose(cp, i/(tc.groups*wg.mPanels), i%(tc.groups*wg.mPanels))
			}
		})
		chunk := max(1, 1<<19/(wg.total*m*wg.mr), ceilDiv(tc.groups*wg.panels, 4*p.Threads()))
		if p.Threads() == 1 {
			chunk = wg.panels
		}
		p.For(tc.groups*wg.panels, chunk, func(lo, hi int) {
			for lo < hi {
				g := lo / wg.panels
				end := min(hi, (g+1)*wg.panels)
				wg.task(g, lo-g*wg.panels, end-g*wg.panels)
				lo = end
			}
		})
	}
	if dots {
		return
	}
	rows := roundUp(max(1, 1<<13/k), 16)
	p.For(tc.groups*ceilDiv(m, rows), 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			g, j := i/ceilDiv(m, rows), i%ceilDiv(m, rows)*rows
			packColumns(dw[(g*m+j)*k:], k, wg.dwT[g*k*m+j:], m, k, min(rows, m-j))
		}
	})
}

// transpose packs one panel of channels of dy of image n (counted from n0).
func (wg *weightGrad) transpose(cp *ConvParams, n, panel int) {
	g, q := panel/wg.mPanels, panel%wg.mPanels
	m0 := q * wg.width
	src := wg.dy[((wg.n0+n)*cp.M+g*wg.rows+m0)*wg.per:]
	packColumns(wg.dyT[(panel*wg.total+n*wg.per)*wg.width:], wg.width, src, wg.per, min(wg.width, wg.rows-m0), wg.per)
}

// task does the panels of rows q0..q1-1 of group g for all positions in work.
func (wg *weightGrad) task(g, q0, q1 int) {
	ct := convTasks.Get().(*convTask)
	defer convTasks.Put(ct)
	tc, ks, m := wg.tapConv, wg.ks, wg.rows
	ld := roundUp(wg.block, 16) + 16
	rows := getBuffer(wg.mr * ld)
	defer rows.put()
	src := wg.src[g*tc.chans*tc.chanSize:]
	t := &ct.tile
	for j := 0; j < wg.total; j += wg.block {
		cols := min(wg.block, wg.total-j)
		ct.moves = tc.appendMoves(ct.moves[:0], tc.srcChans*tc.chanSize, j, cols, 0)
		for q := q0; q < q1; q++ {
			i := q*wg.base + min(q, wg.longer)
			r := wg.base
			if q < wg.longer {
				r++
			}
			packTaps(rows.f, ld, src, tc.koff[i:i+r], ct.moves)
			t.flags = 0
			if wg.n0 > 0 || j > 0 {
				t.flags = tileAcc
			}
			t.k, t.a, t.ars, t.acs = cols, unsafe.Pointer(&rows.f[0]), 4*ld, 4
			t.brs, t.crs = 4*wg.width, 4*m
			for mp := range wg.mPanels {
				m0 := mp * wg.width
				v := t.setCols(ks, min(wg.width, m-m0))
				t.b = unsafe.Pointer(&wg.dyT[((g*wg.mPanels+mp)*wg.total+j)*wg.width])
				t.c = unsafe.Pointer(&wg.dwT[g*len(tc.koff)*m+i*m+m0])
				ks.shapes[v-1][r-1](t)
			}
		}
	}
	ct.tile = tile{}
}
