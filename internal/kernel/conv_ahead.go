package kernel

import "unsafe"

// prefetchRows asks memory for the first bytes of rows at distances of stride bytes; nil where there is no such instruction.
var prefetchRows func(p uintptr, stride, rows, bytes int)

// aheadBytes is the least size of channels that pointwise convolutions ask for before they come to them: shorter ones lie in a cache since
// they were made.
const aheadBytes = 8 << 10

// goesAhead reports whether a call of ahead helps: channels are long, and each panel reads a few numbers of every one.
func (tc *tapConv) goesAhead() bool {
	return prefetchRows != nil && len(tc.taps) == 1 && tc.identity && tc.runs == 1 && 4*tc.dstRow >= aheadBytes
}

// ahead asks for a part of what the next panel reads, part i of parts from src on, and for the rows that it writes from dst on; both are
// the places of the panel at work, of width positions.
func (tc *tapConv) ahead(src, dst unsafe.Pointer, width, rows, i, parts int) {
	k := len(tc.koff)
	k0, k1 := i*k/parts, (i+1)*k/parts
	// Numbers, for they may lie behind the end.
	prefetchRows(uintptr(src)+uintptr(4*(width+k0*tc.chanSize)), 4*tc.chanSize, k1-k0, 4*width)
	prefetchRows(uintptr(dst)+uintptr(4*width), 4*tc.dstRow, rows, 4*width)
}
