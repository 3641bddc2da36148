package kernel

import (
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// winoWeightGrad is ConvDW by Winograd's transforms: the derivative of the forward pass with respect to g,
//
//	dg = Gᵀ [Σ over tiles of (A dy Aᵀ) ⊙ (Bᵀ d B)] G
//
// summed over the tiles as 36 products of matrices, whose order depends on the geometry only.
type winoWeightGrad struct {
	winoConv
	dy    []float32
	block int // strips of a block
	lots  int // sums that are kept apart, for threads
}

const (
	winoGradTiles = 128 // least tiles of a block: what one product sums at a time
	winoMostLots  = 16
)

func (wg *winoWeightGrad) set(cp *ConvParams) {
	wg.setForward(cp, 1)
	all, per := wg.images*wg.strips, wg.strip*wg.tw
	wg.block = max(1, ceilDiv(winoGradTiles, per), winoBlockBytes/(4*winoPoints*(wg.pr+wg.pc)*per))
	wg.block = min(wg.block, all)
	wg.lots = 1
	if !wg.large() {
		wg.lots = min(winoMostLots, ceilDiv(all, wg.block))
	}
}

// transformGrad writes the transforms of channels m0.. (a vector of them) of dy of strip s to v, as transformIn does those of X.
func (wg *winoWeightGrad) transformGrad(s, m0, first int, v []float32, apart int) {
	lanes := wg.ks.lanes
	from, to := wg.tileRows(s % wg.strips)
	size := wg.out[0] * wg.out[1]
	rows, wide := winoSide*(to-from), winoSide*wg.tw
	b := getBuffer(rows*wide*lanes + winoPoints*lanes)
	defer b.put()
	tmp, strip := b.f[:winoPoints*lanes], b.f[winoPoints*lanes:]
	wg.load(strip, wg.dy[(s/wg.strips*wg.rows+m0)*size:], wg.out, wg.rows-m0, winoSide*from, rows, 0, wide)
	bytes := 4 * lanes
	t := wg.tilesBefore(s) - wg.tilesBefore(first)
	a := getWinoArgs()
	defer putWinoArgs(a)
	*a = winoArgs{srcRow: wide * bytes, srcCol: bytes,
		dstRow: winoSize * 4 * apart, dstCol: 4 * apart, dstNext: 4*wg.pr - winoPoints*4*apart, n: wg.tw, tmp: unsafe.Pointer(&tmp[0])}
	for y := range to - from {
		a.src = unsafe.Pointer(&strip[y*winoSide*wide*lanes])
		a.dst = unsafe.Pointer(&v[(t+y*wg.tw)*wg.pr+m0])
		wg.k.grad(a)
	}
}

// apart is the distance in floats of the sums of a point, [pr,pc] each.
func (wg *winoWeightGrad) apart() int { return plane(wg.pr * wg.pc) }

// run writes the gradient to dw [M,C,3,3].
func (wg *winoWeightGrad) run(p *parallel.Pool, x, dy, dw []float32) {
	wg.dy = dy
	if wg.large() {
		wg.runRows(p, x, dw)
		return
	}
	size := winoPoints * wg.apart()
	sums := getBuffer(wg.lots * size)
	defer sums.put()
	all := wg.images * wg.strips
	blocks := ceilDiv(all, wg.block)
	lot := func(p *parallel.Pool, l int) {
		u := sums.f[l*size : (l+1)*size]
		for b := l * blocks / wg.lots; b < (l+1)*blocks/wg.lots; b++ {
			wg.add(p, x, b*wg.block, min(all, (b+1)*wg.block), b == l*blocks/wg.lots, u)
		}
	}
	if wg.lots >= p.Threads() {
		p.For(wg.lots, 1, func(lo, hi int) {
			for l := lo; l < hi; l++ {
				lot(nil, l)
			}
		})
	} else {
		for l := range wg.lots {
			lot(p, l)
		}
	}
	wg.finish(p, sums.f, dw)
}

// runRows is run where the sums are large: those of a row of points are made at a time and brought back to the weights.
func (wg *winoWeightGrad) runRows(p *parallel.Pool, x, dw []float32) {
	lanes, apart := wg.ks.lanes, wg.apart()
	line := winoTaps * wg.pc
	b := getBuffer(wg.rows*line + winoSize*apart)
	defer b.put()
	g, u := b.f[:wg.rows*line], b.f[wg.rows*line:] // g [rows,3,3,pc]
	clear(g)
	all := wg.images * wg.strips
	for s := 0; s < all; s += wg.block {
		wg.transforms(p, x, s, min(all, s+wg.block), func(n int, v, d []float32, vApart, dApart int) {
			for row := range winoSize {
				wg.products(p, row*winoSize, winoSize, n, v, vApart, d, dApart, true, u)
				p.For(wg.rows, max(1, 1<<12/(wg.pc*winoSize)), func(lo, hi int) {
					a := getWinoArgs()
					defer putWinoArgs(a)
					*a = winoArgs{srcCol: 4 * apart, srcNext: 4*lanes - winoSize*4*apart, dstRow: 3 * 4 * wg.pc, dstCol: 4 * wg.pc,
						dstNext: 4*lanes - winoTaps*4*wg.pc, n: wg.pc / lanes}
					for m := lo; m < hi; m++ {
						a.src, a.dst = unsafe.Pointer(&u[m*wg.pc]), unsafe.Pointer(&g[m*line])
						wg.k.backRows[row](a)
					}
				})
			}
		})
	}
	p.For(wg.rows, max(1, 1<<12/line), func(lo, hi int) {
		for m := lo; m < hi; m++ {
			packColumns(dw[m*wg.chans*winoTaps:(m+1)*wg.chans*winoTaps], winoTaps, g[m*line:], wg.pc, winoTaps, wg.chans)
		}
	})
}

// add adds the products of strips s0..s1-1 to u, or begins it with them.
func (wg *winoWeightGrad) add(p *parallel.Pool, x []float32, s0, s1 int, begin bool, u []float32) {
	wg.transforms(p, x, s0, s1, func(n int, v, d []float32, vApart, dApart int) {
		wg.products(p, 0, winoPoints, n, v, vApart, d, dApart, begin, u)
	})
}

// transforms hands out the transforms of the n tiles of strips s0..s1-1: v of X, d of dy.
func (wg *winoWeightGrad) transforms(p *parallel.Pool, x []float32, s0, s1 int, f func(n int, v, d []float32, vApart, dApart int)) {
	lanes := wg.ks.lanes
	n := wg.tilesBefore(s1) - wg.tilesBefore(s0)
	vApart, dApart := plane(n*wg.pc), plane(n*wg.pr)
	buf := getBuffer(winoPoints * (vApart + dApart))
	defer buf.put()
	v, d := buf.f[:winoPoints*vApart], buf.f[winoPoints*vApart:]
	cg, mg := wg.pc/lanes, wg.pr/lanes
	p.For((s1-s0)*(cg+mg), 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			s, g := s0+i/(cg+mg), i%(cg+mg)
			if g < cg {
				wg.transformIn(x, s, g*lanes, s0, v, vApart)
			} else {
				wg.transformGrad(s, (g-cg)*lanes, s0, d, dApart)
			}
		}
	})
	f(n, v, d, vApart, dApart)
}

// products adds those of count points from q0 on to u, where the first of them stands at the front, or begins it with them.
func (wg *winoWeightGrad) products(p *parallel.Pool, q0, count, n int, v []float32, vApart int, d []float32, dApart int, begin bool,
	u []float32) {
	ks := wg.ks
	lanes := ks.lanes
	width := min(ks.nv*lanes, wg.pc)
	mr := len(ks.shapes[width/lanes-1])
	panels, base, longer := split(wg.rows, mr)
	// One panel of rows of one point is a task; all of its columns and tiles are in it.
	p.For(count*panels, 1, func(lo, hi int) {
		t := getTile()
		defer putTile(t)
		for i := lo; i < hi; i++ {
			preempt()
			q, panel := i/panels, i%panels
			r := base
			if panel < longer {
				r++
			}
			m0 := panel*base + min(panel, longer)
			t.flags = 0
			if !begin {
				t.flags = tileAcc
			}
			for c := 0; c < wg.pc; c += width {
				nv := t.setCols(ks, min(width, wg.pc-c))
				t.k, t.ars, t.acs = n, 4, 4*wg.pr
				t.brs, t.crs = 4*wg.pc, 4*wg.pc
				t.a = unsafe.Pointer(&d[(q0+q)*dApart+m0])
				t.b = unsafe.Pointer(&v[(q0+q)*vApart+c])
				t.c = unsafe.Pointer(&u[q*wg.apart()+m0*wg.pc+c])
				ks.shapes[nv-1][r-1](t)
			}
		}
	})
}

// finish sums the lots and brings them back to the weights.
func (wg *winoWeightGrad) finish(p *parallel.Pool, sums, dw []float32) {
	lanes, apart := wg.ks.lanes, wg.apart()
	bytes := 4 * lanes
	size := winoPoints * apart
	p.For(wg.rows, max(1, 1<<12/(wg.pc*winoPoints)), func(lo, hi int) {
		b := getBuffer(winoPoints*lanes + winoTaps*wg.pc)
		defer b.put()
		tmp, g := b.f[:winoPoints*lanes], b.f[winoPoints*lanes:]
		a := getWinoArgs()
		defer putWinoArgs(a)
		for m := lo; m < hi; m++ {
			for l := 1; l < wg.lots; l++ {
				for q := range winoPoints {
					at := q*apart + m*wg.pc
					vec.axpy(sums[at:at+wg.pc], sums[l*size+at:l*size+at+wg.pc], sums[at:at+wg.pc], 1)
				}
			}
			*a = winoArgs{srcRow: winoSize * 4 * apart, srcCol: 4 * apart, srcNext: bytes - winoSize*4*apart,
				dstRow: 3 * 4 * wg.pc, dstCol: 4 * wg.pc, dstNext: bytes - winoTaps*4*wg.pc, n: wg.pc / lanes,
				src: unsafe.Pointer(&sums[m*wg.pc]), dst: unsafe.Pointer(&g[0]), tmp: unsafe.Pointer(&tmp[0])}
			wg.k.back(a)
			packColumns(dw[m*wg.chans*winoTaps:(m+1)*wg.chans*winoTaps], winoTaps, g, wg.pc, winoTaps, wg.chans)
		}
	})
}
