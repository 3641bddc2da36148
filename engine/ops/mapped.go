package ops

import (
	"slices"

	"github.com/gtk-onnx/gtk/engine/graph"
	"github.com/gtk-onnx/gtk/internal/parallel"
	"github.com/gtk-onnx/gtk/tensor"
)

// copyMapped sets dst[o0,o1,…] = src[m0[o0],m1[o1],…], where maps are m0, m1, ….
func copyMapped(c *graph.RunCtx, dst, src *tensor.Tensor, maps [][]int) {
	if packed(dst.DType()) {
		u := unpack(dst)
		copyMapped(c, u, unpack(src), maps)
		pack(dst, u)
		return
	}
	s := src.Shape()
	switch dst.DType().Bits() {
	case 8:
		mapped(c.Pool, cells[uint8](dst), cells[uint8](src), s, maps, gatherRow)
	case 16:
		mapped(c.Pool, cells[uint16](dst), cells[uint16](src), s, maps, gatherRow)
	case 32:
		mapped(c.Pool, cells[uint32](dst), cells[uint32](src), s, maps, gatherRow)
	case 64:
		mapped(c.Pool, cells[uint64](dst), cells[uint64](src), s, maps, gatherRow)
	case 128:
		mapped(c.Pool, cells[complex128](dst), cells[complex128](src), s, maps, gatherRow)
	default:
		mapped(c.Pool, cells[string](dst), cells[string](src), s, maps, gatherRow)
	}
}

// addMapped is the transpose of copyMapped for floats: sum is zeroed, then sum[m0[o0],m1[o1],…] += x[o0,o1,…].
func addMapped(c *graph.RunCtx, sum, x *tensor.Tensor, maps [][]int) {
	fill(sum, nil)
	s := sum.Shape()
	if x.DType() == tensor.Float64 {
		mapped(c.Pool, tensor.Data[float64](x), tensor.Data[float64](sum), s, maps, scatterRow)
	} else {
		mapped(c.Pool, x.F32(), sum.F32(), s, maps, scatterRow)
	}
}

func gatherRow[T cell](big, small []T, m []int) {
	for o, i := range m {
		big[o] = small[i]
	}
}

func scatterRow[T float32 | float64](big, small []T, m []int) {
	for o, i := range m {
		small[i] += big[o]
	}
}

// mapped calls op for each row of big, of the shape that maps have, with the row of small, of shape s, that the row maps to and
// the map of the last axis. Only leading axes that map to themselves are split between threads.
func mapped[T any](p *parallel.Pool, big, small []T, s tensor.Shape, maps [][]int, op func(big, small []T, m []int)) {
	if len(big) == 0 {
		return
	}
	if len(s) == 0 {
		op(big, small, []int{0})
		return
	}
	lead, outer := 0, 1
	for lead < len(s)-1 && identity(maps[lead], s[lead]) {
		outer *= s[lead]
		lead++
	}
	last := len(s) - 1
	inner := s[lead:]
	st := strides(inner)
	nb, ns := len(big)/outer, product(inner)
	n := len(maps[last])
	p.For(outer, max(1, 1<<14/nb), func(lo, hi int) {
		pos := make([]int, last-lead)
		for o := lo; o < hi; o++ {
			b, sm := big[o*nb:(o+1)*nb], small[o*ns:(o+1)*ns]
			clear(pos)
			for at := 0; at < nb; at += n {
				from := 0
				for k, i := range pos {
					from += maps[lead+k][i] * st[k]
				}
				op(b[at:at+n], sm[from:from+s[last]], maps[last])
				for k := len(pos) - 1; k >= 0; k-- {
					if pos[k]++; pos[k] < len(maps[lead+k]) {
						break
					}
					pos[k] = 0
				}
			}
		}
	})
}

// identity reports whether m maps each of n indices to itself.
func identity(m []int, n int) bool {
	return len(m) == n && slices.IsSorted(m) && (n == 0 || (m[0] == 0 && m[n-1] == n-1 && len(slices.Compact(slices.Clone(m))) == n))
}
