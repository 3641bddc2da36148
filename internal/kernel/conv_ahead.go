package kernel

import "unsafe"

// prefetchRows asks memory for the first bytes of rows at distances of stride bytes; nil where there is no such instruction.
var prefetchRows func(p uintptr, stride, rows, bytes int)

// aheadBytes is the least size of the results of an image for which it pays to ask for the places of the next panel.
const aheadBytes = 4 << 20

// goesAhead reports whether writes are what a convolution waits for: few products for each number that it writes, to more rows than
// hardware foresees.
func (tc *tapConv) goesAhead(rows, k int) bool {
	return prefetchRows != nil && tc.ks.lanes == 16 && rows >= 4*k && 4*rows*tc.dstRow >= aheadBytes
}

// ahead asks for the rows of the next panel, of width positions; dst is the place of the one at work.
func (tc *tapConv) ahead(dst unsafe.Pointer, width, rows int) {
	prefetchRows(uintptr(dst)+uintptr(4*width), 4*tc.dstRow, rows, 4*width) // a number, for it may lie behind the end
}
