package kernel

import (
	"unsafe"
)

// tile is the argument of a micro-kernel: a small block of C that stays in registers over the whole of k.
// Strides are in bytes. With r < rows of the kernel and j < columns of the tile:
//
//	s := 0
//	for p := range k { s += a[r*ars+p*acs] * b[p*brs+j] }
//	if flags&tileAcc != 0     { s += c[r*crs+j], or from[r*fromrs+j] with tileFrom, on amd64 }
//	if flags&tileRowBias != 0 { s += rowBias[r] }
//	if flags&tileColBias != 0 { s += colBias[j] }
//	if flags&tileAdd != 0     { s += add[r*addrs+j] }
//	if flags&tileClip != 0    { s = min(max(s, lo), hi) }  // NaN stays NaN
//	c[r*crs+j] = s
//
// The assembly knows the offsets of the fields.
type tile struct {
	k        int
	a        unsafe.Pointer
	ars, acs int
	b        unsafe.Pointer
	brs      int
	c        unsafe.Pointer
	crs      int
	flags    int
	mask     uint64         // lanes of the last vector (AVX-512), or the number of columns (generic)
	maskVec  unsafe.Pointer // the same as one word per lane (AVX2)
	rowBias  unsafe.Pointer
	colBias  unsafe.Pointer
	add      unsafe.Pointer
	addrs    int
	lo, hi   float32
	koff     unsafe.Pointer // with tap kernels b[p*brs+j] is bv[j/lanes][koff[p]+j%lanes]
	bv       [4]unsafe.Pointer
	from     unsafe.Pointer // with tileFrom, what is added instead of c
	fromrs   int
}

const (
	tileAcc = 1 << iota
	tileRowBias
	tileColBias
	tileAdd
	tileClip
	tileMask
	tileFrom
)

// tileKernels are the micro-kernels of an instruction set.
type tileKernels struct {
	lanes  int
	shapes [][]func(*tile) // [vectors-1][rows-1]
	mr, nv int             // the shape for large matrices
	taps   [][]func(*tile) // the same reading B through koff, or nil
	packed []func(*tile)   // [rows-1], two vectors, ars 4, acs 4·rows, brs the bytes of the vectors, or nil
	masked bool            // columns of B past the last one are not read
	dots   bool            // dot products of their own are faster for vectors
	from   bool            // sums may be kept apart by tileFrom, and it pays
}

var tileGeneric = tileKernels{lanes: 4, shapes: [][]func(*tile){{genericTile(1), genericTile(2), genericTile(3), genericTile(4)}}, mr: 4,
	nv: 1, masked: true, dots: true}

// tiles are the micro-kernels in use.
var tiles = &tileGeneric

// maskWords holds 16 ones and 16 zeros: a window of it masks the columns of an AVX2 tile.
var maskWords = func() (m [32]uint32) {
	for i := range 16 {
		m[i] = ^uint32(0)
	}
	return
}()

// run runs the kernel for r rows and v vectors on packed operands.
func (ks *tileKernels) run(t *tile, v, r int) {
	if v == 2 && ks.packed != nil && t.brs == 8*ks.lanes {
		ks.packed[r-1](t)
		return
	}
	ks.shapes[v-1][r-1](t)
}

// setCols prepares t for cols columns and returns the number of vectors.
func (t *tile) setCols(ks *tileKernels, cols int) int {
	switch ks.lanes {
	case 16:
		nv := (cols + 15) >> 4
		t.mask = 0xffff >> uint(nv<<4-cols)
		return nv
	case 8:
		nv := (cols + 7) >> 3
		t.maskVec = unsafe.Pointer(&maskWords[16-cols])
		t.flags &^= tileMask
		if nv<<3 != cols {
			t.flags |= tileMask
		}
		return nv
	default:
		t.mask = uint64(cols)
		return (cols + ks.lanes - 1) / ks.lanes
	}
}

// split cuts n rows into panels of at most mr rows that differ by one at most, and returns their number,
// the rows of the smaller kind, and how many panels at the front have one more.
func split(n, mr int) (panels, rows, longer int) {
	panels = (n + mr - 1) / mr
	if panels == 0 {
		return 0, 0, 0
	}
	return panels, n / panels, n % panels
}

// Go version of the micro-kernel.

func floatAt(p unsafe.Pointer, off int) *float32 { return (*float32)(unsafe.Add(p, off)) }

func genericTile(rows int) func(*tile) {
	return func(t *tile) {
		for r := range rows {
			genericRow(t, r, int(t.mask))
		}
	}
}

// genericRow is one row of a tile of at most four columns.
func genericRow(t *tile, r, cols int) {
	var s [4]float32
	if cols == 4 {
		var s0, s1, s2, s3 float32
		for p := range t.k {
			x := *floatAt(t.a, r*t.ars+p*t.acs)
			y := (*[4]float32)(unsafe.Add(t.b, p*t.brs))
			s0 += x * y[0]
			s1 += x * y[1]
			s2 += x * y[2]
			s3 += x * y[3]
		}
		s = [4]float32{s0, s1, s2, s3}
	} else {
		for p := range t.k {
			x := *floatAt(t.a, r*t.ars+p*t.acs)
			for j := range cols {
				s[j] += x * *floatAt(t.b, p*t.brs+4*j)
			}
		}
	}
	finishRow(t, r, s[:cols])
}

// finishRow does what the flags say to the sums of row r, and stores them.
func finishRow(t *tile, r int, sums []float32) {
	for j, v := range sums {
		c := floatAt(t.c, r*t.crs+4*j)
		if t.flags&tileAcc != 0 {
			v += *c
		}
		if t.flags&tileRowBias != 0 {
			v += *floatAt(t.rowBias, 4*r)
		}
		if t.flags&tileColBias != 0 {
			v += *floatAt(t.colBias, 4*j)
		}
		if t.flags&tileAdd != 0 {
			v += *floatAt(t.add, r*t.addrs+4*j)
		}
		if t.flags&tileClip != 0 {
			if v < t.lo {
				v = t.lo
			}
			if v > t.hi {
				v = t.hi
			}
		}
		*c = v
	}
}
