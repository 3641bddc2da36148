//go:build !noasm

package kernel

import (
	"sync"
	"unsafe"
)

//go:generate go -C _asm run ./gemm -neon ../gemm_arm64.s -neon-stubs ../gemm_stubs_arm64.go

var tileNEON = tileKernels{lanes: 4, shapes: neonTiles(gemmTilesNEON), packed: neonPacked(gemmPackNEON), mr: 12, nv: 2, dots: true}

func init() {
	onISA(func(i ISA) {
		tiles, dotRows = &tileGeneric, dotRowsGeneric
		if i == NEON {
			tiles, dotRows = &tileNEON, dotRowsNEON
		}
	})
}

func neonTiles(shapes [][]func(*tile)) [][]func(*tile) {
	out := make([][]func(*tile), len(shapes))
	for v := range shapes {
		out[v] = make([]func(*tile), len(shapes[v]))
		for r, f := range shapes[v] {
			out[v][r] = anyColumns(r+1, 4*(v+1), f)
		}
	}
	return out
}

func neonPacked(kernels []func(*tile)) []func(*tile) {
	out := make([]func(*tile), len(kernels))
	for r, f := range kernels {
		out[r] = anyColumns(r+1, 8, f)
	}
	return out
}

// edge is a tile with sums of its own.
type edge struct {
	t    tile
	sums [12 * 16]float32
}

var edges = sync.Pool{New: func() any { return new(edge) }}

// anyColumns is a kernel of rows × width that stores whole vectors for as many columns as t.mask says: fewer go by way of a tile beside C.
func anyColumns(rows, width int, whole func(*tile)) func(*tile) {
	return func(t *tile) {
		if int(t.mask) == width {
			whole(t)
			return
		}
		e := edges.Get().(*edge)
		e.t = *t
		e.t.flags, e.t.c, e.t.crs = 0, unsafe.Pointer(&e.sums), 4*width
		whole(&e.t)
		for r := range rows {
			finishRow(t, r, e.sums[r*width:r*width+int(t.mask)])
		}
		e.t = tile{}
		edges.Put(e)
	}
}

func dotRowsNEON(k int, x, mat []float32, ld int, out []float32) {
	_, _ = x[:k], mat[:(len(out)-1)*ld+k]
	dotRowsNEONs(k, &x[0], &mat[0], ld, len(out), &out[0])
}
