package kernel

import (
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// Winograd's minimal filtering (Lavin and Gray 2015, https://arxiv.org/abs/1509.09308) computes 4×4 outputs of a convolution with 3×3
// weights and stride 1 from 6×6 inputs with 36 multiplications in the place of 144:
//
//	Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A
//
// The points of interpolation are 0, ±1/√2, ±√2 and infinity, with which the constants are near to one. Summed over channels the products
// are 36 matrix products. The transforms work on positions that have their channels side by side, so that a vector is one position of as
// many channels.
//
// Infinity and NaN spread to all outputs of their tile. SetExact turns it off.

// winoBound is how far the results may be from the exact ones, as a share of the largest sum of magnitudes Σ|x|·|w| among the outputs: 32
// rounding errors of float32. On random data of several kinds 18 were seen, and 6 of the direct sums.
const winoBound = 32.0 / (1 << 24)

// winoSide is the extent of the outputs of a tile, winoSize that of its inputs and transforms, winoPoints their number.
const winoSide, winoSize, winoPoints = 4, 6, 36

// winoArgs is the argument of the transforms. Each reads a matrix of vectors at src and writes one at dst, n times; strides are in bytes,
// and srcNext and dstNext lead from behind the last column read, or row written, to the next matrix.
type winoArgs struct {
	src                     unsafe.Pointer
	srcRow, srcCol, srcNext int
	dst                     unsafe.Pointer
	dstRow, dstCol, dstNext int
	n                       int
	tmp                     unsafe.Pointer // 36 vectors
	bias                    unsafe.Pointer // a vector, or nil
	limits                  unsafe.Pointer // two floats, or nil
}

// winoArgsPool holds idle arguments: the compiler sees what is called by variables keep them.
var winoArgsPool = sync.Pool{New: func() any { return new(winoArgs) }}

func getWinoArgs() *winoArgs { return winoArgsPool.Get().(*winoArgs) }

func putWinoArgs(a *winoArgs) {
	*a = winoArgs{}
	winoArgsPool.Put(a)
}

// winoKernels are the transforms of an instruction set.
type winoKernels struct {
	in      func(*winoArgs) // Bᵀ d B, 6×6 to 6×6
	out     func(*winoArgs) // Aᵀ m A, 6×6 to 4×4, with bias and limits
	grad    func(*winoArgs) // A y Aᵀ, 4×4 to 6×6
	weights func(*winoArgs) // G g Gᵀ, 3×3 to 6×6
	back    func(*winoArgs) // Gᵀ u G, 6×6 to 3×3
	// weightRows are weights for one row of the 6×6 each, with the same bits; backRows add what one row of the 6×6 gives to the 3×3.
	weightRows, backRows [winoSize]func(*winoArgs)
	// put brings n positions, each with its channels side by side, into m planes of distance ld; add, which lies like dst, and limits may
	// be nil.
	put func(dst *float32, ld int, src *float32, n, m int, add, limits *float32)
}

// wino are the transforms in use, nil where the instruction set has none.
var wino *winoKernels

var exact atomic.Bool

// SetExact has convolutions computed as their sums say, without Winograd's transforms, or with them again. It holds for what is packed and
// run from then on.
func SetExact(on bool) { exact.Store(on) }

// Exact reports whether SetExact is on.
func Exact() bool { return exact.Load() }

// winoConv is the geometry of a convolution by Winograd's transforms: of X, or, with the roles of the channels exchanged, of dy for the
// gradient with respect to X.
type winoConv struct {
	ks          *tileKernels
	k           *winoKernels
	images      int
	chans, rows int    // channels read, channels written
	in, out     [2]int // height and width of a plane read, of a plane written
	lo          [2]int // zeros before a plane read
	th, tw      int    // tiles in a plane
	strip       int    // tile rows in a strip
	strips      int    // strips in an image
	wide        int    // positions in a row of a strip
	pr, pc      int    // rows and chans in whole vectors
}

// winoApplies reports whether cp is a convolution of that kind at all.
func winoApplies(cp *ConvParams) bool {
	return wino != nil && !exact.Load() && cp.Group == 1 && cp.Kernel == [3]int{1, 3, 3} && cp.Stride == [3]int{1, 1, 1} &&
		cp.Dil == [3]int{1, 1, 1} && cp.In[0] == 1 && cp.Out[0] == 1 && cp.PadLo[0] == 0 && cp.PadLo[1] <= 2 && cp.PadLo[2] <= 2 &&
		cp.Out[1] <= cp.In[1]+cp.PadLo[1] && cp.Out[2] <= cp.In[2]+cp.PadLo[2] && cp.N > 0 && volume(cp.Out) > 0 &&
		9*4*max(cp.In[2], cp.Out[2])*(cp.C+cp.M+2*tiles.lanes) <= winoRowBytes
}

// winoRowBytes is the most that the transforms of a row of tiles take: a wider plane goes by the plain sums.
const winoRowBytes = 64 << 20

// setForward sets the geometry of Conv, setData that of ConvDX, in strips enough for threads.
func (wc *winoConv) setForward(cp *ConvParams, threads int) {
	*wc = winoConv{images: cp.N, chans: cp.C, rows: cp.M, in: [2]int(cp.In[1:]), out: [2]int(cp.Out[1:]), lo: [2]int(cp.PadLo[1:])}
	wc.cut(threads)
}

func (wc *winoConv) setData(cp *ConvParams, threads int) {
	*wc = winoConv{images: cp.N, chans: cp.M, rows: cp.C, in: [2]int(cp.Out[1:]), out: [2]int(cp.In[1:]),
		lo: [2]int{2 - cp.PadLo[1], 2 - cp.PadLo[2]}}
	wc.cut(threads)
}

const winoStripBytes = 96 << 10 // most that the positions of a strip take, where a tile row takes less

// cut sets tiles and strips, with two parts or more for each of several threads.
func (wc *winoConv) cut(threads int) {
	wc.ks, wc.k = tiles, wino
	lanes := wc.ks.lanes
	wc.pr, wc.pc = roundUp(wc.rows, lanes), roundUp(wc.chans, lanes)
	wc.th, wc.tw = ceilDiv(wc.out[0], winoSide), ceilDiv(wc.out[1], winoSide)
	wc.wide = max(winoSide*wc.tw+2, wc.lo[1]+wc.in[1])
	row := 4 * lanes * wc.wide
	wc.strip = max(1, min(wc.th, (winoStripBytes/row-2)/winoSide))
	wc.strips = ceilDiv(wc.th, wc.strip)
	if threads > 1 {
		wc.strips = min(wc.th, max(wc.strips, ceilDiv(2*threads, wc.images*min(wc.pr, wc.pc)/lanes)))
	}
	wc.strip = ceilDiv(wc.th, wc.strips)
	wc.strips = ceilDiv(wc.th, wc.strip)
}

// tileRows are the tile rows of strip s of an image, [from, to).
func (wc *winoConv) tileRows(s int) (from, to int) {
	return s * wc.strip, min(wc.th, (s+1)*wc.strip)
}

// tilesBefore is the number of tiles in the strips before strip s, counted over all images.
func (wc *winoConv) tilesBefore(s int) int {
	from, _ := wc.tileRows(s % wc.strips)
	return (s/wc.strips*wc.th + from) * wc.tw
}

// load brings rows y0.. of ld-distant planes, count of them up to a vector, into a strip of positions, zero outside the planes.
func (wc *winoConv) load(strip, planes []float32, size [2]int, chans, y0, rows, left, wide int) {
	lanes := wc.ks.lanes
	chans = min(chans, lanes)
	for r := range rows {
		row := strip[r*wide*lanes : (r+1)*wide*lanes]
		y := y0 + r
		if y < 0 || y >= size[0] {
			clear(row)
			continue
		}
		clear(row[:left*lanes])
		n := min(size[1], wide-left)
		clear(row[(left+n)*lanes:])
		packColumns(row[left*lanes:(left+n)*lanes], lanes, planes[y*size[1]:], size[0]*size[1], chans, n)
	}
}

// plane is the distance of transforms in floats: an odd number of cache lines, or they would all fall on the same ones.
func plane(n int) int { return roundUp(n, 32) + 16 }

// transformIn writes the transforms of channels c0.. (a vector of them) of strip s to v, whose tiles are pc channels wide and whose first
// is that of strip first.
func (wc *winoConv) transformIn(src []float32, s, c0, first int, v []float32, apart int) {
	lanes := wc.ks.lanes
	from, to := wc.tileRows(s % wc.strips)
	size := wc.in[0] * wc.in[1]
	rows := winoSide*(to-from) + 2
	b := getBuffer(rows*wc.wide*lanes + winoPoints*lanes)
	defer b.put()
	tmp, strip := b.f[:winoPoints*lanes], b.f[winoPoints*lanes:]
	wc.load(strip, src[(s/wc.strips*wc.chans+c0)*size:], wc.in, wc.chans-c0, winoSide*from-wc.lo[0], rows, wc.lo[1], wc.wide)
	bytes := 4 * lanes
	t := wc.tilesBefore(s) - wc.tilesBefore(first)
	a := getWinoArgs()
	defer putWinoArgs(a)
	*a = winoArgs{srcRow: wc.wide * bytes, srcCol: bytes, srcNext: (winoSide - winoSize) * bytes,
		dstRow: winoSize * 4 * apart, dstCol: 4 * apart, dstNext: 4*wc.pc - winoPoints*4*apart, n: wc.tw, tmp: unsafe.Pointer(&tmp[0])}
	for y := range to - from {
		a.src = unsafe.Pointer(&strip[y*winoSide*wc.wide*lanes])
		a.dst = unsafe.Pointer(&v[(t+y*wc.tw)*wc.pc+c0])
		wc.k.in(a)
	}
}

// multiply is the product of panels j0 to j1 of a point for all of n tiles: m [n,pr] = v [n,chans] · u.
func (wc *winoConv) multiply(n, j0, j1 int, v, u, m []float32) {
	ks := wc.ks
	width := wc.width()
	mr := len(ks.shapes[width/ks.lanes-1])
	panels, base, longer := split(n, mr)
	t := getTile()
	defer putTile(t)
	kc := blocksOf(wc.chans)
	for k0 := 0; k0 < wc.chans; k0 += kc {
		t.k = min(kc, wc.chans-k0)
		t.flags = 0
		if k0 > 0 {
			t.flags = tileAcc
		}
		for j := j0 * width; j < min(wc.pr, j1*width); j += width {
			nv := t.setCols(ks, min(width, wc.pr-j))
			t.b, t.brs = unsafe.Pointer(&u[j*wc.chans+k0*width]), 4*width
			t.ars, t.acs, t.crs = 4*wc.pc, 4, 4*wc.pr
			i := 0
			for p := range panels {
				r := base
				if p < longer {
					r++
				}
				t.a = unsafe.Pointer(&v[i*wc.pc+k0])
				t.c = unsafe.Pointer(&m[i*wc.pr+j])
				ks.shapes[nv-1][r-1](t)
				i += r
			}
		}
	}
}

// width is how many channels written stand side by side in the weights, in panels of as many.
func (wc *winoConv) width() int { return min(wc.ks.nv*wc.ks.lanes, wc.pr) }

func (wc *winoConv) panels() int { return ceilDiv(wc.pr, wc.width()) }

// transformOut writes the outputs of channels c0.. (a vector of them) of strip s from m.
func (wc *winoConv) transformOut(m []float32, apart, s, c0, first int, e *ConvEpilogue, dst []float32) {
	lanes := wc.ks.lanes
	bytes := 4 * lanes
	from, to := wc.tileRows(s % wc.strips)
	wide := wc.out[1]
	b := getBuffer(winoPoints*lanes + lanes + 16 + (winoSide*wide+winoSide)*lanes)
	defer b.put()
	tmp, bias, limits, rows := b.f[:winoPoints*lanes], b.f[winoPoints*lanes:][:lanes], b.f[(winoPoints+1)*lanes:][:2],
		b.f[(winoPoints+1)*lanes+16:]
	// The tiles of a row go from right to left: what one writes past the end of a row the first ones of the next row overwrite.
	a := getWinoArgs()
	defer putWinoArgs(a)
	*a = winoArgs{srcRow: winoSize * 4 * apart, srcCol: 4 * apart, srcNext: -4*wc.pr - winoSize*4*apart,
		dstRow: wide * bytes, dstCol: bytes, dstNext: -winoSide*bytes - winoSide*wide*bytes, n: wc.tw, tmp: unsafe.Pointer(&tmp[0])}
	if e.Bias != nil {
		clear(bias[copy(bias, e.Bias[c0:min(len(e.Bias), wc.rows, c0+lanes)]):])
		a.bias = unsafe.Pointer(&bias[0])
	}
	var late *float32
	if e.Clip {
		limits[0], limits[1] = e.Lo, e.Hi
		if e.Add == nil {
			a.limits = unsafe.Pointer(&limits[0])
		} else {
			late = &limits[0]
		}
	}
	size := wc.out[0] * wc.out[1]
	at := (s/wc.strips*wc.rows + c0) * size
	t := wc.tilesBefore(s) - wc.tilesBefore(first)
	for y := from; y < to; y++ {
		last := wc.tw - 1
		a.src = unsafe.Pointer(&m[(t+(y-from)*wc.tw+last)*wc.pr+c0])
		a.dst = unsafe.Pointer(&rows[last*winoSide*lanes])
		wc.k.out(a)
		q := at + y*winoSide*wide
		var add *float32
		if e.Add != nil {
			add = &e.Add[q]
		}
		wc.k.put(&dst[q], size, &rows[0], min(winoSide, wc.out[0]-y*winoSide)*wide, min(lanes, wc.rows-c0), add, late)
	}
}

const (
	winoBlockBytes = 512 << 10 // transforms of a block of strips, where the weights stay in the cache beside them
	winoLargeBytes = 16 << 20  // the same, twice the weights at most, where those do not and each block reads them again
	winoFewTiles   = 28        // fewest tiles of a block
)

// winoWeights are weights on their way: transformed, or, where those are large and made for one run, as taps, of which the transforms of a
// row of points are made when they are needed.
type winoWeights struct {
	u    []float32 // of all points
	taps []float32 // or [vector of channels written][channel read][tap][lanes]
	row  []float32 // of a row of points
	turn bool
}

// large reports whether the transformed weights are read from memory, not from a cache.
func (wc *winoConv) large() bool { return 4*wc.sizeWeights() > winoBlockBytes }

// run convolves src with the weights u.
func (wc *winoConv) run(p *parallel.Pool, src []float32, u *winoWeights, e *ConvEpilogue, dst []float32) {
	all := wc.images * wc.strips
	perTile := 4 * winoPoints * (wc.pr + wc.pc)
	per := wc.strip * wc.tw // tiles of a strip
	large := wc.large()
	most := winoBlockBytes
	if large {
		most = min(8*wc.sizeWeights(), winoLargeBytes)
	}
	block := max(1, ceilDiv(winoFewTiles, per), most/(perTile*per))
	if threads := p.Threads(); threads > 1 && !large {
		block = max(1, min(block, max(ceilDiv(winoFewTiles, per), ceilDiv(all, 4*threads))))
	}
	block = ceilDiv(all, ceilDiv(all, block))
	blocks := ceilDiv(all, block)
	if !large && blocks >= p.Threads() {
		p.For(blocks, 1, func(lo, hi int) {
			for b := lo; b < hi; b++ {
				wc.block(nil, src, u, e, dst, b*block, min(all, (b+1)*block))
			}
		})
		return
	}
	for b := range blocks {
		wc.block(p, src, u, e, dst, b*block, min(all, (b+1)*block))
	}
}

// block does strips s0..s1-1, spread over p.
func (wc *winoConv) block(p *parallel.Pool, src []float32, u *winoWeights, e *ConvEpilogue, dst []float32, s0, s1 int) {
	lanes := wc.ks.lanes
	n := wc.tilesBefore(s1) - wc.tilesBefore(s0)
	vApart, mApart := plane(n*wc.pc), plane(n*wc.pr)
	buf := getBuffer(winoPoints * (vApart + mApart))
	defer buf.put()
	v, m := buf.f[:winoPoints*vApart], buf.f[winoPoints*vApart:]
	groups := wc.pc / lanes
	p.For((s1-s0)*groups, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			wc.transformIn(src, s0+i/groups, i%groups*lanes, s0, v, vApart)
		}
	})
	// products are those of count points from q0 on, whose weights stand at the front of w.
	products := func(q0, count int, w []float32) {
		parts := wc.panels()
		grain := max(1, 1<<16/(n*wc.chans*wc.width()))
		p.For(count*parts, min(grain, parts), func(lo, hi int) {
			for lo < hi {
				q, j := lo/parts, lo%parts
				end := min(hi-lo+j, parts)
				preempt()
				wc.multiply(n, j, end, v[(q0+q)*vApart:], w[q*wc.uApart():], m[(q0+q)*mApart:])
				lo += end - j
			}
		})
	}
	if u.u != nil {
		products(0, winoPoints, u.u)
	} else {
		for row := range winoSize {
			wc.transformRow(p, u, row)
			products(row*winoSize, winoSize, u.row)
		}
	}
	out := wc.pr / lanes
	p.For((s1-s0)*out, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			wc.transformOut(m, mApart, s0+i/out, i%out*lanes, s0, e, dst)
		}
	})
}

// uApart is the distance in floats of the transformed weights of a point, sizeWeights their number for all points.
func (wc *winoConv) uApart() int { return plane(wc.panels() * wc.chans * wc.width()) }

func (wc *winoConv) sizeWeights() int { return winoPoints * wc.uApart() }

const winoTaps = 9

// packTaps brings channels written r0.. (a vector of them) and channels read c0.. (n of them) of w to g [channel read][tap][lanes]. With
// turned the weights are those of ConvDX, w [chans,rows,3,3], of which each kernel will be turned by half a circle; else w
// [rows,chans,3,3].
func (wc *winoConv) packTaps(w []float32, turned bool, r0, c0, n int, g []float32) {
	lanes := wc.ks.lanes
	rows := min(lanes, wc.rows-r0)
	if !turned {
		packColumns(g[:n*winoTaps*lanes], lanes, w[(r0*wc.chans+c0)*winoTaps:], wc.chans*winoTaps, rows, n*winoTaps)
		return
	}
	for c := range n {
		packColumns(g[c*winoTaps*lanes:(c+1)*winoTaps*lanes], lanes, w[((c0+c)*wc.rows+r0)*winoTaps:], winoTaps, rows, winoTaps)
	}
}

// tapArgs reads n kernels from the taps g.
func (wc *winoConv) tapArgs(g []float32, turned bool, n int) winoArgs {
	bytes := 4 * wc.ks.lanes
	a := winoArgs{src: unsafe.Pointer(&g[0]), srcRow: 3 * bytes, srcCol: bytes, srcNext: (winoTaps - 3) * bytes, n: n}
	if turned {
		a.src, a.srcRow, a.srcCol, a.srcNext = unsafe.Pointer(&g[(winoTaps-1)*wc.ks.lanes]), -3*bytes, -bytes, (winoTaps+3)*bytes
	}
	return a
}

// place is where the weights of channels written r0.. and channel read c stand among those of a point: [panel of width][chans][width].
func (wc *winoConv) place(r0, c int) int {
	width := wc.width()
	return r0/width*width*wc.chans + c*width + r0%width
}

// transformWeights writes the transforms of w to u [point][panel of width channels written][channel read][width].
func (wc *winoConv) transformWeights(p *parallel.Pool, w []float32, turned bool, u []float32) {
	lanes, chans := wc.ks.lanes, wc.chans
	apart := wc.uApart()
	few := max(1, min(chans, 1<<13/(winoTaps*lanes))) // channels read at a time
	parts := ceilDiv(chans, few)
	p.For(wc.pr/lanes*parts, 1, func(lo, hi int) {
		b := getBuffer(few*winoTaps*lanes + winoPoints*lanes)
		defer b.put()
		a := getWinoArgs()
		defer putWinoArgs(a)
		tmp, g := b.f[:winoPoints*lanes], b.f[winoPoints*lanes:]
		for i := lo; i < hi; i++ {
			r0, c0 := i/parts*lanes, i%parts*few
			n := min(few, chans-c0)
			wc.packTaps(w, turned, r0, c0, n, g)
			*a = wc.tapArgs(g, turned, n)
			a.dst, a.dstRow, a.dstCol, a.dstNext = unsafe.Pointer(&u[wc.place(r0, c0)]), winoSize*4*apart, 4*apart, 4*wc.width()-winoPoints*4*apart
			a.tmp = unsafe.Pointer(&tmp[0])
			wc.k.weights(a)
		}
	})
}

// transformRow makes the weights of a row of points.
func (wc *winoConv) transformRow(p *parallel.Pool, u *winoWeights, row int) {
	lanes, chans, apart := wc.ks.lanes, wc.chans, wc.uApart()
	const few = 64
	parts := ceilDiv(chans, few)
	p.For(wc.pr/lanes*parts, 1, func(lo, hi int) {
		a := getWinoArgs()
		defer putWinoArgs(a)
		for i := lo; i < hi; i++ {
			r0, c0 := i/parts*lanes, i%parts*few
			*a = wc.tapArgs(u.taps[(r0/lanes*chans+c0)*winoTaps*lanes:], u.turn, min(few, chans-c0))
			a.dst, a.dstCol, a.dstNext = unsafe.Pointer(&u.row[wc.place(r0, c0)]), 4*apart, 4*wc.width()
			wc.k.weightRows[row](a)
		}
	})
}

// packed is the transformed weights of w.
func (wc *winoConv) packed(w []float32, turned bool) *buffer {
	u := newBuffer(wc.sizeWeights())
	wc.transformWeights(nil, w, turned, u.f)
	return u
}

// conv is the whole of a convolution; packed is nil or the transformed weights.
func (wc *winoConv) conv(p *parallel.Pool, src, w []float32, packed *PackedConv, turned bool, e *ConvEpilogue, dst []float32) {
	if packed != nil {
		wc.run(p, src, &winoWeights{u: packed.a.f}, e, dst)
		return
	}
	if !wc.large() {
		u := getBuffer(wc.sizeWeights())
		defer u.put()
		wc.transformWeights(p, w, turned, u.f)
		wc.run(p, src, &winoWeights{u: u.f}, e, dst)
		return
	}
	lanes := wc.ks.lanes
	size := wc.pr * wc.chans * winoTaps
	b := getBuffer(size + winoSize*wc.uApart())
	defer b.put()
	u := winoWeights{taps: b.f[:size], row: b.f[size:], turn: turned}
	p.For(wc.pr/lanes, 1, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			wc.packTaps(w, turned, i*lanes, 0, wc.chans, u.taps[i*wc.chans*winoTaps*lanes:])
		}
	})
	wc.run(p, src, &u, e, dst)
}
