package kernel

import (
	"sync"
	"unsafe"

	"github.com/gtk-onnx/gtk/internal/parallel"
)

// dotTile is the argument of the kernels of the weight gradient of few channels, which read both operands where
// they are. Strides and offsets are in bytes; dyImage, xRun and xImage are counted from the end of
// what was read. With r < rows and t < taps of the kernel:
//
//	sums[r*taps+t] = 0
//	for images { for runs { for j := range n { sums[r*taps+t] += dy[r*dyRow+j] * x[off[t]+j] }
//		dy += n; x += n + xRun }
//		dy += dyImage; x += xImage }
type dotTile struct {
	images, runs, n int
	dy              unsafe.Pointer
	dyRow, dyImage  int
	x               unsafe.Pointer
	xRun, xImage    int
	off             unsafe.Pointer
	sums            [24]float32
}

const dotRowsMax, dotTapsMax = 6, 4

// dotTiles are the kernels by rows and taps, or nil where the instruction set has none.
var dotTiles *[dotRowsMax][dotTapsMax]func(*dotTile)

var dotTilePool = sync.Pool{New: func() any { return new(dotTile) }}

// useDots tells whether the kernels of dot products are the faster way: one vector of output channels at most,
// rows of positions that fill their vectors, a single slice of depth.
func (wg *weightGrad) useDots() bool {
	n := wg.rowLen
	return dotTiles != nil && wg.rows <= 16 && 3*n >= 2*roundUp(n, 16) && wg.runs == wg.runsPerSlice
}

// runDots adds the gradient of the images in work to dw [M, channel and tap].
func (wg *weightGrad) runDots(p *parallel.Pool, cp *ConvParams, n int, dw []float32) {
	tc, k := wg.tapConv, len(wg.koff)
	rowTiles, rowBase, rowMore := split(tc.rows, dotRowsMax)
	tapTiles, tapBase, tapMore := split(k, dotTapsMax)
	work := n * wg.per * rowBase * tapBase
	p.For(tc.groups*rowTiles*tapTiles, max(1, 1<<18/work), func(lo, hi int) {
		t := dotTilePool.Get().(*dotTile)
		defer func() { *t = dotTile{}; dotTilePool.Put(t) }()
		t.images, t.runs, t.n = n, tc.runs, tc.rowLen
		t.dyRow, t.dyImage = 4*wg.per, 4*(cp.M-1)*wg.per
		t.xRun = 4 * (tc.runStep - tc.rowLen)
		t.xImage = 4 * (tc.srcChans*tc.chanSize - tc.runs*tc.runStep)
		for i := lo; i < hi; i++ {
			g, rt, tt := i/(rowTiles*tapTiles), i/tapTiles%rowTiles, i%tapTiles
			m, rows := rt*rowBase+min(rt, rowMore), rowBase
			if rt < rowMore {
				rows++
			}
			k0, taps := tt*tapBase+min(tt, tapMore), tapBase
			if tt < tapMore {
				taps++
			}
			m += g * tc.rows
			t.dy = unsafe.Pointer(&wg.dy[(wg.n0*cp.M+m)*wg.per])
			t.x = unsafe.Pointer(&wg.src[g*tc.chans*tc.chanSize])
			t.off = unsafe.Pointer(&tc.koff[k0])
			dotTiles[rows-1][taps-1](t)
			for r := range rows {
				row := dw[(m+r)*k+k0:]
				for j := range taps {
					row[j] += t.sums[r*taps+j]
				}
			}
		}
	})
}
