package kernel

import (
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// A pair is two int16 side by side, in the memory of one float32. Products of matrices of pairs, and convolutions of planes of pairs, sum
// both products of two pairs in int32, which wraps around:
//
//	c += a.lo·b.lo + a.hi·b.hi
//
// They go through the same code as those of float32: what that moves and packs are words of 32 bits. Numbers of 8 bits less their zero
// points are int16, so that sums are exact, and padding with zero is padding with the zero point.
//
// pairTiles are the micro-kernels in use.
var pairTiles = &pairsGeneric

var pairsGeneric = tileKernels{lanes: 4, shapes: [][]func(*tile){{pairTile(1), pairTile(2), pairTile(3), pairTile(4)}}, mr: 4, nv: 1,
	masked: true}

// words is x as words of 32 bits that are only moved.
func words[T int32 | uint32](x []T) []float32 {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&x[0])), len(x))
}

// GemmPairs is C [m,n] = op(A)·op(B) for A [m,k] and B [k,n] of pairs, of which k is the number along the inner extent, op the transpose if
// tA or tB; r is B, or kept in another order. C has rows of distance ldc.
func GemmPairs(p *parallel.Pool, m int, a []uint32, lda int, r *RightPairs, c []int32, ldc int) {
	product(p, pairTiles, false, r.t, m, r.n, r.k, 1, words(a), lda, r.b, r.ld, &r.Right, 0, words(c), ldc, nil)
}

// RightPairs is a right operand of GemmPairs; see Right.
type RightPairs struct{ Right }

// NewRightPairs is b, a row-major matrix of pairs with rows of distance ld, as op(B) [k,n], op the transpose if t. The content of b must
// not change.
func NewRightPairs(t bool, n, k int, b []uint32, ld int) *RightPairs {
	operand(words(b), k, n, ld, t)
	return &RightPairs{Right{t: t, n: n, k: k, ld: ld, b: words(b)}}
}

// ConvPairs is Conv of planes of pairs: x [N,C,In] and the weights have a pair for each two channels, which cp.C counts; y [N,M,Out] are
// the sums. Depthwise convolutions have no pairs: a group must have one row of pairs at least and is never taken for a channel.
func ConvPairs(p *parallel.Pool, cp *ConvParams, x []uint32, w *PackedConv, y []int32) {
	nx, _, ny := cp.sizes()
	cp.check(len(x), len(w.a.f), len(y))
	if ny == 0 {
		return
	}
	tc := tapConvs.Get().(*tapConv)
	defer tc.release()
	tc.forward(cp)
	tc.ks = pairTiles
	tc.run(p, words(x[:nx]), w.a.f, ConvEpilogue{}, words(y[:ny]))
}

// PackConvPairs packs the weights w [M,C/Group,kernel] of ConvPairs, for the instruction set in use.
func PackConvPairs(p *parallel.Pool, cp *ConvParams, w []uint32) *PackedConv {
	x, nw, y := cp.sizes()
	cp.check(x, len(w), y)
	pc := &PackedConv{a: newBuffer(nw)}
	packForward(p, pairTiles, cp, words(w), pc.a.f)
	return pc
}

// pairTile is the Go version of the micro-kernel.
func pairTile(rows int) func(*tile) {
	return func(t *tile) {
		for r := range rows {
			pairRow(t, r, int(t.mask))
		}
	}
}

func pairAt(p unsafe.Pointer, off int) *[2]int16 { return (*[2]int16)(unsafe.Add(p, off)) }

// pairRow is one row of a tile of at most four columns.
func pairRow(t *tile, r, cols int) {
	var s [4]int32
	for p := range t.k {
		x := pairAt(t.a, r*t.ars+p*t.acs)
		lo, hi := int32(x[0]), int32(x[1])
		for j := range cols {
			y := pairAt(t.b, p*t.brs+4*j)
			s[j] += lo*int32(y[0]) + hi*int32(y[1])
		}
	}
	for j := range cols {
		v, c := s[j], (*int32)(unsafe.Add(t.c, r*t.crs+4*j))
		if t.flags&tileAcc != 0 {
			v += *c
		}
		*c = v
	}
}
