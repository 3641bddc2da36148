package kernel

import (
	"sync"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

const (
	gemmKC = 256 // most of k that one pass takes: a panel of B stays in the first-level cache
	gemmMC = 336 // most rows of A per task: a block of A stays in the second-level cache
)

// Epilogue is what a matrix product or convolution does to each element when it is complete:
//
//	v += RowBias[i]; v += ColBias[j]; v += Add[i*ldc+j]; v = min(max(v, Lo), Hi)  // the last if Clip
//
// A nil slice is left out. Add has the layout of C and may be C itself. NaN passes the clip.
type Epilogue struct {
	RowBias, ColBias, Add []float32
	Clip                  bool
	Lo, Hi                float32
}

// Sgemm is C = alpha·op(A)·op(B) + beta·C on row-major float32 matrices, op the transpose if tA or tB:
// op(A) [m,k], op(B) [k,n], C [m,n]. With beta 0 the old content of C is not read.
//
//	for i := range m { for j := range n {
//		s := 0
//		for p := range k { s += op(A)[i,p] * op(B)[p,j] }
//		c[i*ldc+j] = alpha*s + beta*c[i*ldc+j]
//	}}
func Sgemm(p *parallel.Pool, tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32,
	c []float32, ldc int) {
	SgemmEx(p, tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, nil)
}

// SgemmEx is Sgemm with an epilogue, nil for none.
func SgemmEx(p *parallel.Pool, tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32,
	c []float32, ldc int, epi *Epilogue) {
	product(p, tiles, tA, tB, m, n, k, alpha, a, lda, b, ldb, nil, beta, c, ldc, epi)
}

// product is SgemmEx by the micro-kernels ks, with op(B) kept in right unless that is nil.
func product(p *parallel.Pool, ks *tileKernels, tA, tB bool, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int,
	right *Right, beta float32, c []float32, ldc int, epi *Epilogue) {
	if m <= 0 || n <= 0 {
		return
	}
	g := gemms.Get().(*gemm)
	defer g.release()
	*g = gemm{ks: ks, m: m, n: n, k: max(k, 0), alpha: alpha, ldc: ldc, c: c, right: right}
	g.a, g.ars, g.acs = operand(a, m, k, lda, tA)
	g.b, g.brs, g.bcs = operand(b, k, n, ldb, tB)
	if need := (m-1)*ldc + n; ldc < n || len(c) < need {
		panic("kernel: gemm: C is too short")
	}
	if epi != nil {
		if epi.RowBias != nil && len(epi.RowBias) < m || epi.ColBias != nil && len(epi.ColBias) < n || epi.Add != nil &&
			len(epi.Add) < (m-1)*ldc+n {
			panic("kernel: gemm: epilogue is too short")
		}
		g.epi = *epi
		if len(epi.Add) > 0 && &epi.Add[0] == &c[0] {
			g.epi.Add = nil
			beta++
		}
	}
	if alpha == 0 {
		g.k = 0
	}
	if beta != 0 {
		g.accumulate = true
		if beta != 1 {
			scaleRows(c, m, n, ldc, beta)
		}
	}
	g.run(p)
}

// operand checks a matrix and returns its strides between rows and columns of its op; rows and cols are those of op.
func operand(x []float32, rows, cols, ld int, t bool) (p []float32, rs, cs int) {
	if rows <= 0 || cols <= 0 {
		return nil, 1, 1
	}
	rs, cs = ld, 1
	if t {
		rows, cols = cols, rows
		rs, cs = 1, ld
	}
	if ld < cols || len(x) < (rows-1)*ld+cols {
		panic("kernel: gemm: operand is too short")
	}
	return x, rs, cs
}

func scaleRows(c []float32, m, n, ldc int, beta float32) {
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		for j := range row {
			row[j] *= beta
		}
	}
}

// gemm is one product on its way: strides in elements, transposition folded into them.
type gemm struct {
	ks                 *tileKernels
	m, n, k            int
	alpha              float32
	a, b, c            []float32
	ars, acs, brs, bcs int
	ldc                int
	accumulate         bool
	right              *Right // keeps B packed, or nil
	epi                Epilogue
}

var gemms = sync.Pool{New: func() any { return new(gemm) }}

func (g *gemm) release() {
	*g = gemm{}
	gemms.Put(g)
}

func (g *gemm) run(p *parallel.Pool) {
	if g.k == 0 {
		g.finishRows(0, g.m)
		return
	}
	// The rows of one operand as dot products with a vector.
	if g.ks.dots && g.alpha == 1 && g.acs == 1 && g.n == 1 && g.brs == 1 && g.m >= 4 {
		g.dots(p, g.a, g.ars, g.m, g.b, g.ldc)
		return
	}
	if g.ks.dots && g.alpha == 1 && g.brs == 1 && g.m == 1 && g.acs == 1 && g.n >= 4 {
		g.dots(p, g.b, g.bcs, g.n, g.a, 1)
		return
	}
	// One column of a transposed A: a row of the transposed product.
	if g.n == 1 && g.ldc == 1 && g.ars == 1 {
		g.m, g.n = g.n, g.m
		g.a, g.b, g.right = g.b, g.a, nil
		g.ars, g.acs, g.brs, g.bcs = g.bcs, g.brs, g.acs, g.ars
		g.ldc = g.n
		g.epi.RowBias, g.epi.ColBias = g.epi.ColBias, g.epi.RowBias
	}
	if g.bcs == 1 && (g.m <= g.ks.mr || g.m*g.n*g.k <= 1<<14) {
		g.direct(p)
		return
	}
	kept := g.right != nil && g.k <= gemmKC // in an order whose lanes are all of use, with sums of the same order
	if !kept && g.brs == 1 && g.bcs != 1 && g.m <= g.ks.lanes && g.n > 2*g.m {
		g.swapped(p)
		return
	}
	g.packed(p)
}

// dots is C's only row or column: c[i*inc] = Σ_p mat[i*ld+p]·x[p].
func (g *gemm) dots(p *parallel.Pool, mat []float32, ld, rows int, x []float32, inc int) {
	p.For(rows, max(16, 1<<16/g.k), func(lo, hi int) {
		var out [16]float32
		for i := lo; i < hi; i += 16 {
			n := min(16, hi-i)
			dotRows(g.k, x, mat[i*ld:], ld, out[:n])
			for j := range n {
				v := out[j]
				if g.accumulate {
					v += g.c[(i+j)*inc]
				}
				g.c[(i+j)*inc] = v
			}
		}
	})
	g.accumulate = true
	g.finishRows(0, g.m)
}

// finishRows applies the epilogue to rows lo..hi-1 that are complete; without accumulate they count as zero.
func (g *gemm) finishRows(lo, hi int) {
	e := &g.epi
	if g.accumulate && e.RowBias == nil && e.ColBias == nil && e.Add == nil && !e.Clip {
		return
	}
	for i := lo; i < hi; i++ {
		row := g.c[i*g.ldc : i*g.ldc+g.n]
		for j := range row {
			var v float32
			if g.accumulate {
				v = row[j]
			}
			if e.RowBias != nil {
				v += e.RowBias[i]
			}
			if e.ColBias != nil {
				v += e.ColBias[j]
			}
			if e.Add != nil {
				v += e.Add[i*g.ldc+j]
			}
			if e.Clip {
				v = clip(v, e.Lo, e.Hi)
			}
			row[j] = v
		}
	}
}

// clip is v in lo..hi; NaN stays NaN.
func clip(v, lo, hi float32) float32 {
	if v < lo {
		v = lo
	}
	if v > hi {
		v = hi
	}
	return v
}

// setTile fills the part of t that a block of k at k0 of kb decides.
func (g *gemm) setTile(t *tile, k0, kb int) {
	t.k = kb
	t.crs = 4 * g.ldc
	t.addrs = t.crs
	t.flags = 0
	if g.accumulate || k0 > 0 {
		t.flags |= tileAcc
	}
	if k0+kb < g.k {
		return
	}
	e := &g.epi
	if e.RowBias != nil {
		t.flags |= tileRowBias
	}
	if e.ColBias != nil {
		t.flags |= tileColBias
	}
	if e.Add != nil {
		t.flags |= tileAdd
	}
	if e.Clip {
		t.flags |= tileClip
		t.lo, t.hi = e.Lo, e.Hi
	}
}

// place points t at the element (i, j) of C and of what the epilogue reads.
func (g *gemm) place(t *tile, i, j int) {
	t.c = unsafe.Pointer(&g.c[i*g.ldc+j])
	if t.flags&tileRowBias != 0 {
		t.rowBias = unsafe.Pointer(&g.epi.RowBias[i])
	}
	if t.flags&tileColBias != 0 {
		t.colBias = unsafe.Pointer(&g.epi.ColBias[j])
	}
	if t.flags&tileAdd != 0 {
		t.add = unsafe.Pointer(&g.epi.Add[i*g.ldc+j])
	}
}

var tilePool = sync.Pool{New: func() any { return new(tile) }}

func getTile() *tile { return tilePool.Get().(*tile) }

func putTile(t *tile) {
	*t = tile{}
	tilePool.Put(t)
}

// shapeFor is the tile (rows, vectors) for a matrix of m rows and n columns.
func (ks *tileKernels) shapeFor(m, n int) (mr, nv int) {
	mr, nv = ks.mr, ks.nv
	for v := len(ks.shapes); v > nv; v-- {
		if len(ks.shapes[v-1]) >= m {
			nv = v
			mr = len(ks.shapes[v-1])
			break
		}
	}
	for nv > 1 && (nv-1)*ks.lanes >= n {
		nv--
		mr = len(ks.shapes[nv-1])
	}
	return mr, nv
}

// blocksOf cuts k into equal blocks of at most gemmKC.
func blocksOf(k int) (size int) {
	n := (k + gemmKC - 1) / gemmKC
	return (k + n - 1) / n
}

// direct multiplies without packing B, whose rows are contiguous: few rows of A, or a small product.
func (g *gemm) direct(p *parallel.Pool) {
	ks := g.ks
	mr, nv := ks.shapeFor(g.m, g.n)
	width := nv * ks.lanes
	panels, rows, longer := split(g.m, mr)
	var pa *buffer
	a, ars, acs := g.a, g.ars, g.acs
	if g.alpha != 1 || g.n >= 256 && acs == 1 && ars >= 512 && g.m > 1 {
		pa = getBuffer(g.m * g.k)
		defer pa.put()
		a, ars, acs = pa.f, 1, g.m
		packTransposed(pa.f, g.m, g.a, g.ars, g.acs, g.m, g.k)
		scale(pa.f, g.alpha)
	}
	kc := blocksOf(g.k)
	chunk := width * max(1, (1<<17/(g.m*g.k)+width-1)/width)
	p.For(g.n, chunk, func(lo, hi int) {
		t := getTile()
		defer putTile(t)
		var tail *buffer
		for j := lo; j < hi; j += width {
			cols := min(width, hi-j)
			for k0 := 0; k0 < g.k; k0 += kc {
				kb := min(kc, g.k-k0)
				g.setTile(t, k0, kb)
				v := t.setCols(ks, cols)
				t.b, t.brs = unsafe.Pointer(&g.b[k0*g.brs+j]), 4*g.brs
				if !ks.masked && v*ks.lanes != cols {
					if tail == nil {
						tail = getBuffer(kc * width)
					}
					packRows(tail.f, v*ks.lanes, g.b[k0*g.brs+j:], g.brs, cols, kb)
					t.b, t.brs = unsafe.Pointer(&tail.f[0]), 4*v*ks.lanes
				}
				t.ars, t.acs = 4*ars, 4*acs
				for i, q := 0, 0; q < panels; q++ {
					r := rows
					if q < longer {
						r++
					}
					t.a = unsafe.Pointer(&a[i*ars+k0*acs])
					g.place(t, i, j)
					ks.shapes[v-1][r-1](t)
					i += r
				}
			}
		}
		if tail != nil {
			tail.put()
		}
	})
}

// swapped computes the transposed product: few rows of A, the rows of B contiguous along k. A is packed as
// columns, B is read where it is, and tiles of the result are stored transposed.
func (g *gemm) swapped(p *parallel.Pool) {
	ks := g.ks
	v := (g.m + ks.lanes - 1) / ks.lanes
	width := v * ks.lanes
	mr := len(ks.shapes[v-1])
	pa := getBuffer(width * g.k)
	defer pa.put()
	packTransposed(pa.f, width, g.a, g.ars, g.acs, g.m, g.k)
	scale(pa.f, g.alpha)
	accumulate := g.accumulate
	p.For(g.n, mr*max(1, 1<<16/(g.m*g.k*mr)), func(lo, hi int) {
		t := getTile()
		defer putTile(t)
		out := getBuffer(mr * width)
		defer out.put()
		t.setCols(ks, width)
		for j := lo; j < hi; j += mr {
			r := min(mr, hi-j)
			t.k = g.k
			t.a, t.ars, t.acs = unsafe.Pointer(&g.b[j*g.bcs]), 4*g.bcs, 4
			t.b, t.brs = unsafe.Pointer(&pa.f[0]), 4*width
			t.c, t.crs = unsafe.Pointer(&out.f[0]), 4*width
			ks.shapes[v-1][r-1](t)
			for i := range g.m {
				row := g.c[i*g.ldc+j : i*g.ldc+j+r]
				for q := range row {
					s := out.f[q*width+i]
					if accumulate {
						s += row[q]
					}
					row[q] = s
				}
			}
		}
	})
	g.accumulate = true
	g.finishRows(0, g.m)
}

// mostPacked is how many numbers of the left operand are copied at a time: one with a million rows is copied in bands.
var mostPacked = 1 << 23

// farRows: rows of C that are a multiple of so many numbers apart, 8 KiB, fall into a few sets of the caches. Sums over several blocks of k
// are then kept tile by tile, where they are no more than mostPacked, and written to C with the last one: 2048×2048×2048 is 7 % faster so
// on Zen 5 with AVX-512. With AVX2, or rows of 4 KiB, it makes no difference.
const farRows = 2048

// gather lets t keep its sums where sums points, in rows of stride bytes, until the last block of k.
func (g *gemm) gather(t *tile, sums unsafe.Pointer, stride, k0, kb int) {
	switch {
	case k0+kb == g.k:
		t.from, t.fromrs = sums, stride
		t.flags |= tileFrom
	case k0 == 0:
		t.from, t.fromrs = t.c, 4*g.ldc
		t.c, t.crs = sums, stride
		t.flags |= tileFrom
	default:
		t.c, t.crs = sums, stride
	}
}

// packed is the general case: blocks of k, both operands copied to panels in the order that the tiles read.
func (g *gemm) packed(p *parallel.Pool) {
	ks := g.ks
	mr, nv := ks.shapeFor(g.m, g.n)
	width := nv * ks.lanes
	kc := blocksOf(g.k)
	panels, rows, longer := split(g.m, mr)
	columns := (g.n + width - 1) / width
	var pb, kept []float32
	fresh := columns // panels of B to pack for each block
	if g.right != nil {
		kept, fresh = g.right.panels(p, g, width, kc), 0
	} else {
		buf := getBuffer(columns * width * kc)
		defer buf.put()
		pb = buf.f
	}
	start := func(q int) int { return q*rows + min(q, longer) }
	var sums []float32
	if n := columns * width * g.m; ks.from && kc < g.k && g.ldc%farRows == 0 && n <= mostPacked {
		buf := getBuffer(n)
		defer buf.put()
		sums = buf.f
	}
	group := max(1, gemmMC/mr) // panels of A per task
	band := panels             // of A that are copied at a time
	if most := mostPacked / (kc * mr * group) * group; most < panels {
		band = max(most, group)
	}
	pa := getBuffer(min(g.m, band*mr) * kc)
	defer pa.put()
	step := max(1, min(columns/(2*p.Threads()), 1<<22/(kc*min(g.m, gemmMC)*width)))
	steps := (columns + step - 1) / step
	for k0 := 0; k0 < g.k; k0 += kc {
		kb := min(kc, g.k-k0)
		if kept != nil {
			pb = kept[columns*width*k0:]
		}
		for first := 0; first < panels; first += band {
			last := min(first+band, panels)
			pack := last - first
			if first == 0 {
				pack += fresh
			}
			p.For(pack, max(1, 1<<13/(kb*width)), func(lo, hi int) {
				for q := lo; q < hi; q++ {
					if first+q < last {
						i := start(first + q)
						r := start(first+q+1) - i
						to := pa.f[(i-start(first))*kb:]
						packTransposed(to, r, g.a[i*g.ars+k0*g.acs:], g.ars, g.acs, r, kb)
						if g.alpha != 1 {
							scale(to[:r*kb], g.alpha)
						}
						continue
					}
					g.packRight(pb, (q-(last-first))*width, width, k0, kb)
				}
			})
			groups := (last - first + group - 1) / group
			p.For(groups*steps, 1, func(lo, hi int) {
				t := getTile()
				defer putTile(t)
				g.setTile(t, k0, kb)
				for task := lo; task < hi; task++ {
					q0, s := first+task%groups*group, task/groups
					q1 := min(q0+group, last)
					for col := s * step; col < min((s+1)*step, columns); col++ {
						j := col * width
						v := t.setCols(ks, min(width, g.n-j))
						t.b, t.brs = unsafe.Pointer(&pb[j*kb]), 4*width
						for q := q0; q < q1; q++ {
							i := start(q)
							r := start(q+1) - i
							t.a, t.ars, t.acs = unsafe.Pointer(&pa.f[(i-start(first))*kb]), 4, 4*r
							g.place(t, i, j)
							if sums != nil {
								g.gather(t, unsafe.Pointer(&sums[j*g.m+i*width]), 4*width, k0, kb)
							}
							ks.run(t, v, r)
						}
					}
				}
			})
		}
	}
}

func scale(x []float32, alpha float32) {
	if alpha != 1 {
		for i := range x {
			x[i] *= alpha
		}
	}
}
